"""Entropy weights, composite index and obstacle degree: hand-worked values, identities and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clusterlib.composite import composite_index, entropy_weights, normalise, obstacle_degree
from clusterlib.errors import InvalidInputError, UnknownNameError

HAND = pd.DataFrame({"even": [1.0, 2.0, 3.0, 4.0], "skewed": [0.0, 0.0, 0.0, 9.0]}, index=list("abcd"))


@st.composite
def frames(draw) -> pd.DataFrame:
    shape = (draw(st.integers(3, 12)), draw(st.integers(1, 5)))
    values = draw(arrays(float, shape, elements=st.integers(-500, 500).map(float)))
    # A column that does not vary is refused, so each is given two different values.
    values[0], values[1] = values.min(axis=0) - 1, values.max(axis=0) + 2
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(shape[1])], index=[f"r{i}" for i in range(shape[0])])


def plain_entropy_weights(X: pd.DataFrame) -> list[float]:
    """The formula in loops over lists, written apart from the library."""
    divergences = []
    for name in X:
        x = list(X[name])
        z = [(v - min(x)) / (max(x) - min(x)) for v in x]
        p = [v / sum(z) for v in z]
        divergences.append(1 + sum(v * math.log(v) for v in p if v > 0) / math.log(len(p)))
    return [d / sum(divergences) for d in divergences]


def test_entropy_weights_of_a_hand_worked_table():
    # even: p = 0, 1/6, 1/3, 1/2; skewed: all weight on one row, so its entropy is nil.
    e = (math.log(6) / 6 + math.log(3) / 3 + math.log(2) / 2) / math.log(4)
    expected = [(1 - e) / (2 - e), 1 / (2 - e)]
    np.testing.assert_allclose(entropy_weights(HAND), expected, rtol=1e-12)


@given(frames())
@settings(max_examples=60, deadline=None)
def test_entropy_weights_equal_the_formula_in_plain_loops(X):
    np.testing.assert_allclose(entropy_weights(X), plain_entropy_weights(X), rtol=1e-9, atol=1e-12)


@given(frames(), st.integers(1, 1000), st.integers(-100, 100), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_entropy_weights_sum_to_one_and_ignore_units_and_row_order(X, scale, shift, random):
    weights = entropy_weights(X)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= -1e-15).all()
    np.testing.assert_allclose(entropy_weights(X * scale + shift), weights, rtol=1e-8, atol=1e-12)
    order = random.sample(list(X.index), len(X))
    np.testing.assert_allclose(entropy_weights(X.loc[order]), weights, rtol=1e-9, atol=1e-12)


@given(frames())
@settings(max_examples=40, deadline=None)
def test_score_lies_in_the_unit_interval_and_is_the_sum_of_its_dimensions(X):
    index = composite_index(X, {"first": X.columns[:1], "rest": X.columns[1:]} if X.shape[1] > 1 else None)
    assert index.score.between(-1e-12, 1 + 1e-12).all()
    np.testing.assert_allclose(index.by_dimension.sum(axis=1), index.score, atol=1e-12)
    np.testing.assert_allclose(index.contributions.sum(axis=1), index.score, atol=1e-12)
    assert index.dimension_weights.sum() == pytest.approx(1)


@given(frames())
@settings(max_examples=40, deadline=None)
def test_obstacle_degrees_sum_to_a_hundred_by_indicator_and_by_dimension(X):
    index = composite_index(X, weights="equal")
    short = index.score < 1 - 1e-9
    for by in ("indicator", "dimension"):
        np.testing.assert_allclose(obstacle_degree(index, by).sum(axis=1)[short], 100, rtol=1e-9)


def test_obstacle_degree_follows_weight_times_distance():
    X = pd.DataFrame({"u": [0.0, 10.0, 4.0], "v": [0.0, 1.0, 0.9]}, index=list("abc"))
    index = composite_index(X, weights=pd.Series({"u": 3.0, "v": 1.0}))
    # Of c: 0.75 * (1 - 0.4) = 0.45 and 0.25 * (1 - 0.9) = 0.025.
    assert obstacle_degree(index).loc["c"].tolist() == pytest.approx([100 * 0.45 / 0.475, 100 * 0.025 / 0.475])


def test_an_observation_that_is_best_in_everything_has_no_obstacle():
    index = composite_index(HAND, weights="equal")
    assert index.score["d"] == 1
    assert obstacle_degree(index).loc["d"].tolist() == [0, 0]


def test_less_is_better_turns_an_indicator_round_in_score_and_weights():
    mirrored = HAND.assign(even=-HAND["even"])
    np.testing.assert_allclose(normalise(HAND, negative=["even"])["even"], normalise(mirrored)["even"])
    np.testing.assert_allclose(entropy_weights(HAND, "even"), entropy_weights(mirrored), rtol=1e-12)
    assert composite_index(HAND, negative="even").summary().loc["even", "direction"] == -1


def test_equal_weights_are_equal_over_dimensions_then_within_them():
    X = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0], "c": [0.0, 2.0]})
    weights = composite_index(X, {"one": ["a"], "two": ["b", "c"]}, weights="equal").weights
    assert weights.to_dict() == {"a": 0.5, "b": 0.25, "c": 0.25}


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (HAND.assign(flat=1.0), "same value everywhere.*flat"),
        (HAND.assign(even=[1.0, None, 3.0, 4.0]), r"missing or infinite.*first at b, 'even'"),
        (HAND.assign(even=[1.0, 2.0, math.inf, 4.0]), "missing or infinite"),
        (HAND.assign(word="x"), "not numbers: word"),
        (HAND.iloc[:1], "at least two"),
        (HAND[[]], "expected a DataFrame"),
        (HAND["even"], "expected a DataFrame"),
        (pd.concat([HAND, HAND], axis=1), "given twice"),
    ],
    ids=["constant", "missing", "infinite", "text", "one row", "no column", "a series", "twice"],
)
def test_input_without_an_answer_is_refused_with_its_place(X, words):
    for method in (entropy_weights, composite_index, normalise):
        with pytest.raises(InvalidInputError, match=words):
            method(X)


def test_unknown_names_and_impossible_weights_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'skewed'"):
        composite_index(HAND, {"d": ["skewd"]})
    with pytest.raises(UnknownNameError, match="negative indicator"):
        entropy_weights(HAND, negative=["odd"])
    with pytest.raises(UnknownNameError, match="weighting"):
        composite_index(HAND, weights="entropie")
    with pytest.raises(InvalidInputError, match="more than one dimension: even"):
        composite_index(HAND, {"a": ["even"], "b": ["even", "skewed"]})
    for weights in ({"even": 1.0}, {"even": 1.0, "skewed": -1.0}, {"even": 0.0, "skewed": 0.0}):
        with pytest.raises(InvalidInputError, match="weights"):
            composite_index(HAND, weights=pd.Series(weights))
    with pytest.raises(UnknownNameError, match="grouping"):
        obstacle_degree(composite_index(HAND), by="province")

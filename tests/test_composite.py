"""Weights, composite index and obstacle degree: published and R's values, hand-worked ones, identities, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clusterlib.composite import (
    WEIGHTING,
    composite_index,
    critic_weights,
    entropy_weights,
    normalise,
    obstacle_degree,
    pca_weights,
    principal_components,
)
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "composite_produc.json").read_text())
PRODUC = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])[
    ["hwy", "water", "util", "pc", "gsp", "emp", "unemp"]
]
WEIGHTS = [entropy_weights, critic_weights, pca_weights]

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


def test_entropy_weights_equal_those_of_r_over_a_panel_and_for_one_year():
    np.testing.assert_allclose(entropy_weights(PRODUC, "unemp"), list(EXPECTED["entropy"].values()), rtol=1e-12)
    by_year = entropy_weights(PRODUC, "unemp", by="year")
    np.testing.assert_allclose(by_year.loc[1986], list(EXPECTED["entropy_1986"].values()), rtol=1e-12)
    assert by_year.index.tolist() == list(range(1970, 1987))
    np.testing.assert_allclose(by_year.sum(axis=1), 1, rtol=1e-12)


def test_a_cross_section_that_cannot_be_weighed_is_named():
    flat = PRODUC.copy()
    flat.loc[(slice(None), 1975), "hwy"] = 1.0
    with pytest.raises(InvalidInputError, match=r"year 1975: the same value everywhere.*hwy"):
        entropy_weights(flat, by="year")
    with pytest.raises(UnknownNameError, match="index level 'period'"):
        entropy_weights(flat, by="period")


def test_critic_weights_equal_the_published_example():
    # Diakoulaki, Mavrotas and Papayannakis (1995): eight firms by profitability, market share and productivity.
    firms = pd.DataFrame(
        {
            "profitability": [61, 20.7, 16.3, 9, 5.4, 4, -6.1, -34.6],
            "share": [1.08, 0.26, 1.98, 3.29, 2.77, 4.12, 3.52, 3.31],
            "productivity": [4.33, 4.34, 2.53, 1.65, 2.33, 1.21, 2.10, 0.98],
        }
    )
    np.testing.assert_allclose(critic_weights(firms), [0.20222554, 0.48090173, 0.31687273], atol=5e-9)


def test_critic_weights_equal_those_of_r():
    np.testing.assert_allclose(critic_weights(PRODUC, "unemp"), list(EXPECTED["critic"].values()), rtol=1e-12)


def test_critic_gives_weight_to_conflict_and_refuses_indicators_that_say_the_same():
    X = pd.DataFrame({"a": [0.0, 1, 2, 3], "twin": [0.0, 1, 2, 3], "against": [3.0, 1, 2, 0]})
    # Twins have correlation 1 with each other: r = -0.8 with the third gives conflicts 1.8, 1.8 and 3.6.
    np.testing.assert_allclose(critic_weights(X) / critic_weights(X)["a"], [1, 1, 2], rtol=1e-9)
    assert critic_weights(X[["a"]]).tolist() == [1.0]
    with pytest.raises(InvalidInputError, match="perfectly correlated"):
        critic_weights(X[["a", "twin"]])


def test_principal_component_weights_equal_those_of_r():
    result = principal_components(PRODUC, "unemp")
    np.testing.assert_allclose(result.eigenvalues["eigenvalue"], EXPECTED["pca"]["eigenvalues"], rtol=1e-10)
    np.testing.assert_allclose(result.weights, list(EXPECTED["pca"]["squared"].values()), rtol=1e-10)
    two = principal_components(PRODUC, "unemp", cumulative=0.9)
    assert two.eigenvalues["kept"].sum() == 2 and result.eigenvalues["kept"].sum() == 1
    np.testing.assert_allclose(two.weights, list(EXPECTED["pca_two"]["squared"].values()), rtol=1e-10)
    six = principal_components(PRODUC.drop(columns="unemp"), rule="coefficients")
    np.testing.assert_allclose(six.weights, list(EXPECTED["pca_six"]["coefficients"].values()), rtol=1e-10)
    three = principal_components(PRODUC[["hwy", "pc", "unemp"]], "unemp", cumulative=0.9, rule="coefficients")
    assert three.loadings.shape == (3, 2)
    np.testing.assert_allclose(three.weights, list(EXPECTED["pca_three"]["coefficients"].values()), rtol=1e-10)


def test_principal_components_equal_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    standard = (PRODUC - PRODUC.mean()) / PRODUC.std(ddof=1)
    fitted = PCA(2).fit(standard)
    result = principal_components(PRODUC, cumulative=0.9)
    np.testing.assert_allclose(result.eigenvalues["eigenvalue"].iloc[:2], fitted.explained_variance_, rtol=1e-10)
    np.testing.assert_allclose(result.eigenvalues["share"].iloc[:2], 100 * fitted.explained_variance_ratio_, rtol=1e-10)
    loadings = fitted.components_.T * np.sqrt(fitted.explained_variance_)
    np.testing.assert_allclose(result.loadings.abs(), np.abs(loadings), rtol=1e-9)
    assert (result.loadings.sum() >= 0).all()
    np.testing.assert_allclose(result.table["communality"], (loadings**2).sum(axis=1), rtol=1e-9)


def test_squared_loadings_do_not_depend_on_direction_and_coefficients_below_zero_are_refused():
    for indicator in ("unemp", "gsp"):
        np.testing.assert_allclose(pca_weights(PRODUC, indicator), pca_weights(PRODUC), rtol=1e-9)
    with pytest.raises(InvalidInputError, match="coefficients below zero: unemp"):
        pca_weights(PRODUC, "unemp", rule="coefficients")


def test_components_are_kept_by_eigenvalue_or_by_share_and_never_none():
    kept = [principal_components(PRODUC, cumulative=c).eigenvalues["kept"].sum() for c in (0.5, 0.8157, 0.99, 1)]
    assert kept == [1, 2, 5, 7]
    unrelated = pd.DataFrame({"a": [1.0, 1, -1, -1], "b": [1.0, -1, 1, -1]})
    assert principal_components(unrelated).eigenvalues["kept"].tolist() == [True, False]
    for share in (0, 1.5):
        with pytest.raises(InvalidInputError, match=f"cumulative={share}"):
            principal_components(PRODUC, cumulative=share)
    with pytest.raises(UnknownNameError, match="rule"):
        pca_weights(PRODUC, rule="loadings")


@pytest.mark.parametrize("method", WEIGHTS)
@given(X=frames(), scale=st.integers(1, 1000), shift=st.integers(-100, 100), random=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_weights_of_every_method_sum_to_one_and_ignore_units_and_row_order(method, X, scale, shift, random):
    try:
        weights = method(X)
    except InvalidInputError:
        return
    # Close eigenvalues at the border of one would be kept or not by the last bit.
    if method is pca_weights and (abs(principal_components(X).eigenvalues["eigenvalue"] - 1) < 1e-6).any():
        return
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= -1e-15).all()
    np.testing.assert_allclose(method(X * scale + shift), weights, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(method(X.loc[random.sample(list(X.index), len(X))]), weights, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", WEIGHTING)
def test_the_index_takes_each_weighting_by_its_name(name):
    index = composite_index(PRODUC, negative="unemp", weights=name)
    expected = {"equal": 1 / 7, "pca": pca_weights(PRODUC), "critic": critic_weights(PRODUC, "unemp")}
    expected["entropy"] = entropy_weights(PRODUC, "unemp")
    np.testing.assert_allclose(index.weights, expected[name], rtol=1e-12)
    assert index.method == name
    np.testing.assert_allclose(index.score, normalise(PRODUC, "unemp") @ index.weights, rtol=1e-12)


def test_scaling_on_reference_years_leaves_other_years_outside_and_is_not_changed_by_them():
    base, long = PRODUC.loc[(slice(None), slice(1970, 1975)), :], PRODUC
    scaled = normalise(long, "unemp", reference_years="1970:1975")
    np.testing.assert_allclose(scaled.loc[base.index], normalise(base, "unemp"), rtol=1e-12)
    assert scaled.loc[(slice(None), 1986), "gsp"].max() > 1
    assert scaled["unemp"].min() < 0
    few, many = (composite_index(part, negative="unemp", reference_years=[1970, 1975]) for part in (base, long))
    np.testing.assert_allclose(few.weights, many.weights, rtol=1e-12)
    np.testing.assert_allclose(many.score[base.index], few.score, rtol=1e-12)
    only = PRODUC[PRODUC.index.get_level_values("year").isin([1970, 1975])]
    np.testing.assert_allclose(many.weights, entropy_weights(only, "unemp"), rtol=1e-12)
    with pytest.raises(InvalidInputError, match=r"above the best of the reference years: .*gsp"):
        obstacle_degree(many)


def test_z_scores_are_those_of_scipy_turned_round_where_less_is_better():
    from scipy.stats import zscore

    scores = normalise(PRODUC, "unemp", method="z-score")
    for name, sign in (("gsp", 1), ("unemp", -1)):
        np.testing.assert_allclose(scores[name], sign * zscore(PRODUC[name].to_numpy(), ddof=1), rtol=1e-10)
    early = normalise(PRODUC, method="z-score", reference_years=1970)
    one = PRODUC.xs(1970, level="year")["hwy"]
    np.testing.assert_allclose(early["hwy"], (PRODUC["hwy"] - one.mean()) / one.std(), rtol=1e-12)


def test_reference_years_that_cannot_serve_are_refused():
    with pytest.raises(InvalidInputError, match="level named 'year'"):
        normalise(HAND, reference_years=2020)
    with pytest.raises(UnknownNameError, match="reference years"):
        normalise(PRODUC, reference_years=2020)
    flat = PRODUC.copy()
    flat.loc[(slice(None), 1970), "hwy"] = 1.0
    with pytest.raises(InvalidInputError, match=r"in the reference years 1970.*hwy"):
        normalise(flat, reference_years=1970)
    with pytest.raises(UnknownNameError, match="normalisation"):
        normalise(HAND, method="range")


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
    assert composite_index(HAND, negative="even").table.loc["even", "direction"] == -1


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
    for method in (*WEIGHTS, composite_index, normalise):
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

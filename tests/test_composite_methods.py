"""TOPSIS, coupling coordination and sensitivity: published and R's values, plain loops, identities, refusals."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clusterlib.composite import (
    COORDINATION_GRADES,
    composite_index,
    coupling_coordination,
    entropy_weights,
    sensitivity,
    topsis,
)
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "composite_produc.json").read_text())
PRODUC = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])[
    ["hwy", "water", "util", "pc", "gsp", "emp", "unemp"]
]
AIRCRAFT = pd.DataFrame(
    {
        "speed": [2.0, 2.5, 1.8, 2.2],
        "range": [1500, 2700, 2000, 1800],
        "payload": [20000, 18000, 21000, 20000],
        "cost": [5.5, 6.5, 4.5, 5.0],
        "reliability": [5, 3, 7, 5],
        "manoeuvrability": [9, 5, 7, 5],
    },
    index=["A1", "A2", "A3", "A4"],
)
AIRCRAFT_WEIGHTS = pd.Series([0.2, 0.1, 0.1, 0.1, 0.2, 0.3], index=AIRCRAFT.columns)
HAND = pd.DataFrame(
    {"u": [1.0, 2.0, 3.0, 4.0], "v": [1.0, 2.0, 4.0, 3.0], "w": [4.0, 3.0, 2.0, 1.5]}, index=list("abcd")
)


@st.composite
def subsystems(draw, least=2) -> pd.DataFrame:
    shape = (draw(st.integers(1, 6)), draw(st.integers(least, 6)))
    values = draw(arrays(float, shape, elements=st.integers(0, 1000).map(lambda k: k / 1000)))
    return pd.DataFrame(values, columns=[f"u{i}" for i in range(shape[1])])


def dispersion_in_loops(row: list[float]) -> float:
    """The form of Wang et al. in loops."""
    n = len(row)
    apart = sum(math.sqrt((a - b) ** 2) for a, b in combinations(row, 2)) / sum(range(1, n))
    ratio = math.prod(u / max(row) for u in row) ** (1 / (n - 1))
    return math.sqrt(max(0.0, 1 - apart) * ratio)


# TOPSIS


def test_closeness_equals_the_published_example():
    # Hwang and Yoon (1981), ch. 3: fighter aircraft; the book rounds, and misprints the normalised costs.
    result = topsis(AIRCRAFT, negative="cost", weights=AIRCRAFT_WEIGHTS)
    np.testing.assert_allclose(result.closeness, [0.643, 0.268, 0.613, 0.312], atol=1.5e-3)
    assert result.ranking.index.tolist() == ["A1", "A3", "A4", "A2"]
    np.testing.assert_allclose(result.table.loc["A1", ["to_ideal", "to_anti_ideal"]], [0.0545, 0.0983], atol=3e-4)
    ideal = result.ideal["ideal"]
    assert (ideal["cost"], ideal["speed"]) == pytest.approx((0.0414, 0.1168), abs=5e-4)


@pytest.mark.parametrize(("normalisation", "key"), [("vector", "topsis_vector"), ("min-max", "topsis_ranged")])
def test_closeness_equals_that_of_r(normalisation, key):
    result = topsis(PRODUC, negative="unemp", normalisation=normalisation)
    np.testing.assert_allclose(result.closeness, EXPECTED[key], rtol=1e-10)
    assert result.method == "entropy"


@given(
    arrays(float, (5, 3), elements=st.integers(-50, 50).map(float)),
    st.lists(st.integers(1, 9), min_size=3, max_size=3),
    st.sampled_from(["vector", "min-max"]),
    st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_closeness_lies_in_the_unit_interval_and_ignores_units_and_row_order(values, weights, normalisation, scale):
    values[0], values[1] = values.min(axis=0) - 1, values.max(axis=0) + 2
    X = pd.DataFrame(values, columns=list("abc"))
    weights = pd.Series(weights, index=X.columns)
    result = topsis(X, weights=weights, negative="c", normalisation=normalisation)
    assert result.closeness.between(0, 1).all()
    units = pd.Series([scale, 1.0, 2.0], index=X.columns)
    moved = topsis((X * units)[::-1], weights=weights, negative="c", normalisation=normalisation)
    np.testing.assert_allclose(moved.closeness[X.index], result.closeness, rtol=1e-8, atol=1e-12)


def test_the_best_and_the_worst_in_everything_have_closeness_one_and_zero():
    X = pd.DataFrame({"a": [3.0, 1.0, 2.0], "cost": [1.0, 9.0, 5.0]})
    for normalisation in ("vector", "min-max"):
        closeness = topsis(X, negative="cost", normalisation=normalisation).closeness
        assert closeness.tolist() == pytest.approx([1, 0, 0.5])


def test_topsis_spreads_equal_weights_over_dimensions_and_leaves_other_columns_out():
    result = topsis(AIRCRAFT, {"one": ["speed"], "two": ["range", "payload"]}, weights="equal")
    assert result.ideal["weight"].to_dict() == {"speed": 0.5, "range": 0.25, "payload": 0.25}
    with pytest.raises(UnknownNameError, match="normalisation"):
        topsis(AIRCRAFT, normalisation="linear")
    with pytest.raises(InvalidInputError, match="same value everywhere"):
        topsis(AIRCRAFT.assign(speed=1.0))


# Coupling coordination


def test_coupling_coordination_of_hand_worked_rows():
    table = coupling_coordination(pd.DataFrame({"a": [0.9, 0.5], "b": [0.1, 0.5]}, index=["apart", "even"])).table
    # apart: C = 2 sqrt(0.09) / 1 = 0.6, T = 0.5; even: C = 1, T = 0.5.
    assert table["coupling"].tolist() == pytest.approx([0.6, 1])
    assert table["development"].tolist() == pytest.approx([0.5, 0.5])
    assert table["coordination"].tolist() == pytest.approx([math.sqrt(0.3), math.sqrt(0.5)])
    assert table["grade_zh"].tolist() == ["勉强协调", "中级协调"]
    assert table["grade_en"].tolist() == ["bare coordination", "intermediate coordination"]
    assert table.loc["apart", "lagging"] == "b" and pd.isna(table.loc["even", "lagging"])


@given(subsystems())
@settings(max_examples=80, deadline=None)
def test_coupling_is_the_ratio_of_means_and_stays_in_the_unit_interval_for_any_number(U):
    result = coupling_coordination(U)
    positive = U[(U > 0).any(axis=1)]
    for label, row in positive.iterrows():
        geometric = math.prod(u ** (1 / len(row)) for u in row)
        assert result.table.loc[label, "coupling"] == pytest.approx(geometric / row.mean(), abs=1e-9)
    assert result.table["coupling"].dropna().between(0, 1).all()
    assert result.degree.between(0, 1).all()
    np.testing.assert_allclose(result.degree**2, (result.table["coupling"] * U.mean(axis=1)).fillna(0), atol=1e-12)


@given(subsystems())
@settings(max_examples=60, deadline=None)
def test_the_dispersion_form_equals_plain_loops_and_stays_in_the_unit_interval(U):
    result = coupling_coordination(U, form="dispersion")
    for label, row in U[(U > 0).any(axis=1)].iterrows():
        assert result.table.loc[label, "coupling"] == pytest.approx(dispersion_in_loops(list(row)), abs=1e-7)
    assert result.table["coupling"].dropna().between(0, 1).all()


@given(st.integers(2, 6), st.integers(1, 1000))
@settings(max_examples=30, deadline=None)
def test_equal_subsystems_are_fully_coupled(n, level):
    U = pd.DataFrame([[level / 1000] * n])
    for form in ("means", "dispersion"):
        result = coupling_coordination(U, form=form)
        assert result.table.loc[0, "coupling"] == pytest.approx(1)
        assert result.degree[0] == pytest.approx(math.sqrt(level / 1000))


def test_the_variant_with_pairwise_sums_passes_one_where_the_ratio_of_means_does_not():
    row = [0.4, 0.4, 0.4]
    variant = 3 * (math.prod(row) / math.prod(a + b for a, b in combinations(row, 2))) ** (1 / 3)
    assert variant == pytest.approx(1.5)
    assert coupling_coordination(pd.DataFrame([row])).table.loc[0, "coupling"] == pytest.approx(1)


def test_a_zero_uncouples_and_where_all_are_zero_coupling_is_missing_and_the_degree_zero():
    table = coupling_coordination(pd.DataFrame({"a": [0.0, 0.0], "b": [0.8, 0.0]})).table
    assert table["coupling"].tolist()[0] == 0 and np.isnan(table["coupling"].tolist()[1])
    assert table["coordination"].tolist() == [0, 0]
    assert table["grade"].tolist() == [1, 1]


def test_many_small_indices_do_not_underflow():
    result = coupling_coordination(pd.DataFrame([[1e-60] * 8]))
    assert result.table.loc[0, "coupling"] == pytest.approx(1)


def test_a_degree_on_a_border_has_the_higher_grade():
    degrees = [0.0, 0.0999, 0.1, 0.3, 0.4999, 0.5, 0.6, 0.7, 0.9, 1.0]
    U = pd.DataFrame({"a": degrees, "b": degrees}) ** 2
    grades = coupling_coordination(U).table["grade"]
    assert grades.tolist() == [1, 1, 2, 4, 5, 6, 7, 8, 10, 10]
    # Six times a sixth of 0.04 is a little less than 0.04 in floating point.
    assert coupling_coordination(pd.DataFrame([[0.04] * 6])).table["grade"].tolist() == [3]
    assert len(COORDINATION_GRADES) == len({zh for _, zh in COORDINATION_GRADES}) == 10
    grades = coupling_coordination(U).grades
    assert grades["observations"].tolist() == [2, 1, 0, 1, 1, 1, 1, 1, 0, 2]
    assert grades.loc[1, "grade_zh"] == "极度失调" and grades.loc[10, "grade_zh"] == "优质协调"


def test_weights_enter_development_and_not_coupling():
    U = pd.DataFrame({"a": [0.9], "b": [0.1]})
    weighted, plain = coupling_coordination(U, {"b": 1, "a": 3}).table, coupling_coordination(U).table
    assert weighted.loc[0, "development"] == pytest.approx(0.7)
    assert weighted.loc[0, "coupling"] == plain.loc[0, "coupling"]


@pytest.mark.parametrize(
    ("U", "words"),
    [
        (pd.DataFrame({"a": [0.5]}), "two or more"),
        (pd.DataFrame({"a": [0.5, 0.2], "b": [0.1, 1.2]}, index=["x", "y"]), r"outside \[0, 1\].*first at y, 'b'"),
        (pd.DataFrame({"a": [0.5, -0.2], "b": [0.1, 0.2]}), r"outside \[0, 1\].*first at 1, 'a'"),
        (pd.DataFrame({"a": [0.5], "b": [np.nan]}), "missing or infinite.*first at 0, 'b'"),
        (pd.DataFrame({"a": [0.5], "b": ["x"]}), "not numbers: b"),
    ],
    ids=["one", "above", "below", "missing", "text"],
)
def test_indices_that_cannot_be_coupled_are_refused_with_their_place(U, words):
    with pytest.raises(InvalidInputError, match=words):
        coupling_coordination(U)


def test_unknown_subsystems_forms_and_impossible_weights_are_refused():
    U = pd.DataFrame({"a": [0.5], "b": [0.4]})
    with pytest.raises(UnknownNameError, match="subsystem 'c'"):
        coupling_coordination(U, {"c": 1})
    with pytest.raises(UnknownNameError, match="form"):
        coupling_coordination(U, form="mean")
    for weights in ({"a": 1}, {"a": -1, "b": 2}, {"a": 0, "b": 0}):
        with pytest.raises(InvalidInputError, match="weights"):
            coupling_coordination(U, weights)


# Sensitivity


def test_rank_shifts_of_a_hand_worked_table():
    result = sensitivity(HAND, negative="w", weights="equal", alternatives=["equal"])
    # Sums of u, v and turned w: a 0, b 1.067, c 2.467, d 2.667; without u c and d change places.
    assert result.ranks["baseline", "equal"].tolist() == [4, 3, 2, 1]
    assert result.ranks["left out", "u"].tolist() == [4, 3, 1, 2]
    row = result.table.loc[("left out", "u")]
    assert (row["max_shift"], row["moved"], row["mean_shift"]) == (1, "c", 0.5)
    assert row["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert row["kendall"] == pytest.approx(1 - 2 / 6)
    assert [key for key in result.table.index if key[0] == "weights"] == []


def test_scores_that_differ_in_the_last_bit_alone_share_a_rank():
    X = pd.DataFrame({"u": [0, 1, 0.1, 0.3], "v": [0, 1, 0.2, 0.2], "w": [0, 1, 0.3, 0.1]}, index=list("abcd"))
    score = composite_index(X, weights="equal").score
    assert score["c"] != score["d"]
    assert sensitivity(X, weights="equal").ranks["baseline", "equal"].tolist() == [4, 1, 2.5, 2.5]


def test_each_variant_is_the_index_that_its_name_says():
    dimensions = {"capital": ["hwy", "water", "pc"], "output": ["gsp"], "work": ["emp", "unemp"]}
    result = sensitivity(PRODUC, dimensions, negative="unemp", period=1980)

    def ranks(score):
        return score.xs(1980, level="year").rank(ascending=False)

    def index(groups, weights="entropy", **more):
        return ranks(composite_index(PRODUC, groups, weights=weights, **more).score)

    pd.testing.assert_series_equal(
        result.ranks["baseline", "entropy"], index(dimensions, negative="unemp"), check_names=False
    )
    for name in ("critic", "pca", "equal"):
        expected = index(dimensions, name, negative="unemp")
        pd.testing.assert_series_equal(result.ranks["weights", name], expected, check_names=False)
    closeness = topsis(PRODUC[["hwy", "water", "pc", "gsp", "emp", "unemp"]], negative="unemp").closeness
    pd.testing.assert_series_equal(result.ranks["aggregation", "topsis"], ranks(closeness), check_names=False)
    without = index({"capital": ["hwy", "water", "pc"], "work": ["emp", "unemp"]}, negative="unemp")
    pd.testing.assert_series_equal(result.ranks["left out", "gsp"], without, check_names=False)
    positive = index({"capital": ["hwy", "water", "pc"], "output": ["gsp"], "work": ["emp"]})
    pd.testing.assert_series_equal(result.ranks["left out", "unemp"], positive, check_names=False)
    assert len(result.table) == 3 + 1 + 6
    assert (result.baseline, result.period) == ("entropy", 1980)


def test_correlations_of_ranks_are_those_of_scipy():
    from scipy.stats import kendalltau, spearmanr

    result = sensitivity(PRODUC, negative="unemp", period=1986)
    base = result.ranks["baseline", "entropy"]
    for key, row in result.table.iterrows():
        assert row["spearman"] == pytest.approx(spearmanr(base, result.ranks[key]).statistic)
        assert row["kendall"] == pytest.approx(kendalltau(base, result.ranks[key]).statistic)
        assert row["max_shift"] == (base - result.ranks[key]).abs().max()


def test_given_weights_can_be_the_baseline():
    weights = entropy_weights(HAND)
    result = sensitivity(HAND, weights=weights, alternatives=["entropy"])
    assert result.baseline == "given"
    assert result.table.loc[("weights", "entropy"), "max_shift"] == 0


def test_sensitivity_without_an_answer_is_refused():
    with pytest.raises(InvalidInputError, match="one indicator"):
        sensitivity(HAND[["u"]])
    with pytest.raises(InvalidInputError, match="at least three"):
        sensitivity(HAND.iloc[:2])
    with pytest.raises(UnknownNameError, match="period"):
        sensitivity(PRODUC, period=2020)
    with pytest.raises(UnknownNameError, match="period"):
        sensitivity(HAND, period=2020)
    with pytest.raises(UnknownNameError, match="weighting"):
        sensitivity(HAND, alternatives=["entropie"])

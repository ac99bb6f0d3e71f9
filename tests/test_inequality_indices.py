"""Gini and Theil against R, the definition over all pairs, the package `inequality`, and their identities."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inequality.gini import Gini as PackageGini
from inequality.theil import TheilD as PackageTheil

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inequality import gini, theil
from clusterlib.paths import get_project

REFERENCE = Path(__file__).parent / "reference"
ILOCOS = get_project().root.parent / "shared" / "reference" / "data" / "ilocos.csv"
CLOSED_FORM = 1e-10

counts = st.integers(0, 1000).map(float)
positive = st.integers(1, 1000).map(float)
rows = st.lists(st.tuples(positive, st.integers(1, 4), st.sampled_from("abc")), min_size=1, max_size=25)


def expected(name: str) -> dict:
    return json.loads((REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


def produc(year: int) -> pd.DataFrame:
    panel = pd.read_csv(REFERENCE / "data" / "produc.csv")
    panel = panel[panel["year"] == year].set_index("state")
    return panel.assign(value=panel["gsp"] / panel["emp"], region=panel["region"].astype(str))


def pairwise_gini(x, w=None) -> float:
    """The definition, over all pairs."""
    x = np.asarray(x, float)
    w = np.ones(len(x)) if w is None else np.asarray(w, float)
    p = w / w.sum()
    return float((p[:, None] * p * np.abs(x[:, None] - x)).sum() / 2 / (p @ x))


@pytest.mark.parametrize("year", [1970, 1986])
def test_indices_of_the_states_equal_r(year):
    data, answer = produc(year), expected(f"ineq_produc_gspemp_{year}")
    assert gini(data["value"]) == pytest.approx(answer["total"]["Gini"], rel=CLOSED_FORM)
    assert gini(data["value"], correction=True) == pytest.approx(answer["total"]["Gini_corrected"], rel=CLOSED_FORM)
    result = theil(data["value"], data["region"])
    totals = {"Theil_T_parameter0": result.T, "Theil_L_MLD_parameter1": result.L}
    for name, value in totals.items():
        assert value == pytest.approx(answer["total"][name], rel=CLOSED_FORM)
    for name in ("T_within", "T_between", "L_within", "L_between"):
        assert getattr(result, name) == pytest.approx(answer["theil"][name], rel=CLOSED_FORM)


@pytest.mark.skipif(not ILOCOS.exists(), reason="the Ilocos incomes of R's ineq may not be carried by the project")
def test_indices_of_the_ilocos_incomes_equal_r():
    data, answer = pd.read_csv(ILOCOS), expected("ineq_ilocos")
    assert gini(data["income"]) == pytest.approx(answer["income"]["Gini"], rel=CLOSED_FORM)
    assert gini(data["income"], correction=True) == pytest.approx(answer["income"]["Gini_corrected"], rel=CLOSED_FORM)
    result = theil(data["income"], data["province"])
    for name, value in answer["theil_by_province"].items():
        assert getattr(result, name.replace("_total", "")) == pytest.approx(value, rel=CLOSED_FORM)


@given(st.lists(counts, min_size=1, max_size=30), st.data())
@settings(max_examples=80, deadline=None)
def test_gini_equals_the_mean_difference_over_all_pairs(values, data):
    assume(sum(values) > 0)
    weights = data.draw(st.lists(st.floats(0.01, 50), min_size=len(values), max_size=len(values)))
    assert gini(values) == pytest.approx(pairwise_gini(values), abs=1e-13)
    assert gini(values, weights) == pytest.approx(pairwise_gini(values, weights), abs=1e-12)


@given(st.lists(positive, min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_unweighted_indices_equal_those_of_the_package_inequality(values):
    values = np.array(values)
    groups = np.arange(len(values)) % 3
    result = theil(values, groups)
    package = PackageTheil(values, groups)
    assert gini(values) == pytest.approx(PackageGini(values).g, abs=1e-12)
    answers = [float(package.T), float(np.squeeze(package.bg))]
    np.testing.assert_allclose([result.T, result.T_between], answers, atol=1e-12)


@given(rows, st.floats(1e-6, 1e9), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_indices_ignore_units_and_the_order_of_rows(sample, scale, random):
    def indices(sample, factor=1.0):
        values, weights, groups = zip(*sample, strict=True)
        result = theil(np.array(values) * factor, groups, weights)
        parts = (result.T, result.T_within, result.T_between, result.L, result.L_within, result.L_between)
        return [gini(np.array(values) * factor, weights), *parts]

    first = indices(sample)
    np.testing.assert_allclose(indices(sample, scale), first, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(indices(random.sample(sample, len(sample))), first, rtol=1e-9, atol=1e-13)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_a_whole_weight_counts_as_that_many_rows(sample):
    values, weights, groups = zip(*sample, strict=True)
    once, often = theil(values, groups, weights), theil(np.repeat(values, weights), np.repeat(groups, weights))
    assert gini(values, weights) == pytest.approx(gini(np.repeat(values, weights)), abs=1e-13)
    for name in ("T", "T_within", "T_between", "L", "L_within", "L_between"):
        assert getattr(once, name) == pytest.approx(getattr(often, name), abs=1e-13)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_theil_within_and_between_sum_to_the_total_and_by_group_to_the_parts(sample):
    values, weights, groups = zip(*sample, strict=True)
    result = theil(values, groups, weights)
    for measure in ("T", "L"):
        parts = [getattr(result, f"{measure}_{part}") for part in ("within", "between")]
        assert sum(parts) == pytest.approx(getattr(result, measure), abs=1e-13)
        assert min(parts) >= -1e-15
        for part, value in zip(("within", "between"), parts, strict=True):
            assert result.by_group[f"{measure}_{part}"].sum() == pytest.approx(value, abs=1e-15)
    np.testing.assert_allclose(result.by_group[["population_share", "income_share"]].sum(), 1, rtol=1e-12)


def test_theil_of_a_hand_worked_table():
    # Means 1 and 3 of a mean of 2: s = 1/4 and 3/4; only b differs within, by 2 and 4.
    result = theil([1.0, 1.0, 2.0, 4.0], ["a", "a", "b", "b"])
    own = (2 / 3 * math.log(2 / 3) + 4 / 3 * math.log(4 / 3)) / 2
    between = math.log(1 / 2) / 4 + 3 / 4 * math.log(3 / 2)
    assert (result.T_within, result.T_between) == pytest.approx((3 / 4 * own, between))
    assert result.L_between == pytest.approx((math.log(2) + math.log(2 / 3)) / 2)
    assert result.by_group.loc["b", ["T", "T_within"]].tolist() == pytest.approx([own, 0.75 * own])
    assert result.table.loc["T", "within_contribution"] == pytest.approx(100 * 0.75 * own / result.T)


def test_largest_inequality_is_one_less_the_owners_share_and_one_when_corrected():
    assert gini([0, 0, 0, 8]) == 0.75
    assert gini([0, 0, 0, 8], correction=True) == 1
    assert theil([0, 0, 0, 8], measures="T").table.loc["T", "total"] == pytest.approx(math.log(4))


def test_equal_values_have_no_inequality_at_all():
    assert gini([0.1] * 7) == 0
    assert gini([0.1] * 3, weights=[0.3, 0.7, 11]) == 0
    table = theil([2.0, 2.0], ["a", "b"]).table
    assert table["total"].tolist() == [0, 0]
    assert table["within_contribution"].isna().all()


@pytest.mark.parametrize("weights", [None, [0.3, 0.7, 11, 2.9]])
@pytest.mark.parametrize("values", [[0.1] * 4, [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2], [1e9, 1e9 * (1 + 1e-15), 1e9, 1e9]])
def test_values_alike_but_for_rounding_have_no_inequality_to_share(values, weights):
    assert gini(values, weights) == 0
    result = theil(values, list("aabb"), weights)
    assert result.table[["total", "within", "between"]].eq(0).all(axis=None)
    assert result.table[["within_contribution", "between_contribution"]].isna().all(axis=None)


def test_theil_of_values_that_hardly_differ_is_that_of_exact_arithmetic():
    # x_i = 1 + d_i: T and L are close to half the variance of d, of which a fifth is within groups.
    d = np.array([1.0, 3.0, 5.0, 7.0]) * 1e-9
    within, whole = 1e-18 / 2, 5e-18 / 2
    result = theil(1 + d, list("aabb"))
    for measure in ("T", "L"):
        assert getattr(result, measure) == pytest.approx(whole, rel=1e-6)
        assert getattr(result, f"{measure}_within") == pytest.approx(within, rel=1e-6)
        assert getattr(result, f"{measure}_between") == pytest.approx(whole - within, rel=1e-6)
        assert result.table.loc[measure, "within_contribution"] == pytest.approx(20, rel=1e-6)


def test_a_group_of_zeros_has_no_inequality_of_its_own():
    result = theil([0.0, 0.0, 1.0, 3.0], ["a", "a", "b", "b"], measures="T")
    assert result.by_group.loc["a", ["T", "T_within", "T_between"]].tolist() == [0, 0, 0]


def test_weights_and_groups_are_aligned_by_index_and_else_by_position():
    values = pd.Series({"a": 1.0, "b": 2.0, "c": 6.0})
    weights, groups = pd.Series({"c": 1.0, "a": 3.0, "b": 5.0}), pd.Series({"b": "y", "c": "y", "a": "x"})
    assert gini(values, weights) == gini([1, 2, 6], [3, 5, 1])
    assert theil(values, groups, weights).T_between == theil([1, 2, 6], ["x", "y", "y"], [3, 5, 1]).T_between
    assert gini(values, weights.to_numpy()) == gini([1, 2, 6], [1, 3, 5])


def test_theil_t_takes_zeros_and_l_refuses_them():
    result = theil([0.0, 0.0, 1.0, 3.0], ["a", "a", "b", "b"], measures="T")
    np.testing.assert_allclose([result.T, result.T_within + result.T_between], 3 * math.log(3) / 4)
    assert math.isnan(result.L) and list(result.table.index) == ["T"]
    with pytest.raises(InvalidInputError, match=r"L is infinite.*measures='T'"):
        theil([0.0, 1.0])


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([1, -2, 3], {}, "negative values: 1 of 3, the first at position 1"),
        (pd.Series({"x": 1.0, "y": None}), {}, "missing or infinite: 1 of 2, the first at y"),
        ([1, math.inf], {}, "missing or infinite"),
        ([0, 0], {}, "every value is zero"),
        ([], {}, "one entry an observation"),
        ([[1, 2]], {}, "not numbers"),
        (np.ones((2, 2)), {}, "one entry an observation"),
        (["a"], {}, "not numbers"),
        (["1", "2"], {}, "not numbers"),
        (np.array(["2020", "2021"], "M8[Y]"), {}, "not numbers"),
        ([1 + 1j, 2], {}, "not numbers"),
        ([1e308, 1e308], {}, "too large or too small"),
        ([1, 2], {"weights": [1e308, 1e308]}, "too large or too small"),
        ([1, 2], {"weights": [1, math.inf]}, "weights must be positive"),
        ([1, 2], {"weights": [1, math.nan]}, "weights must be positive"),
        ([1, 2], {"weights": [1, 0]}, "weights must be positive: 1 of 2, the first at position 1"),
        ([1, 2], {"weights": [1, -1]}, "weights must be positive"),
        ([1, 2], {"weights": [1]}, "weights: expected 2 entries"),
        (pd.Series({"x": 1.0}), {"weights": pd.Series({"z": 1.0})}, "weights: none for 1 value.*first is x"),
        (pd.Series([1.0, 2], index=["x", "x"]), {"weights": pd.Series({"x": 1.0})}, "has entries twice"),
        (pd.Series([1.0, 2], index=["x", None]), {"weights": pd.Series({"x": 1.0, "y": 2.0})}, "or missing ones"),
    ],
)
def test_input_without_an_answer_is_refused_with_its_place(values, options, words):
    for index in (gini, theil):
        with pytest.raises(InvalidInputError, match=words):
            index(values, **options)


def test_impossible_options_are_refused():
    with pytest.raises(InvalidInputError, match="without weights"):
        gini([1, 2], [1, 1], correction=True)
    with pytest.raises(InvalidInputError, match="at least two"):
        gini([1], correction=True)
    with pytest.raises(InvalidInputError, match="no group: 1 of 2, the first at position 0"):
        theil([1, 2], [None, "a"])
    with pytest.raises(UnknownNameError, match="measure of Theil 'M'"):
        theil([1, 2], measures=("T", "M"))

"""Specialisation, variety, city sizes and complexity: R's values, plain loops, hand-worked tables, identities."""

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

from clusterlib.agglomeration import (
    economic_complexity,
    entry_test,
    herfindahl,
    krugman_specialisation,
    location_quotient,
    primacy,
    rank_size,
    relatedness,
    variety,
)
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "agglomeration_produc.json").read_text())
INDUSTRIES = ["hwy", "water", "util", "pc", "gsp", "emp"]
PRODUC = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"]).xs(1986, level="year")
STATES = PRODUC[INDUSTRIES]
GROUPS = dict.fromkeys(["hwy", "water", "util"], "public") | dict.fromkeys(["pc", "gsp", "emp"], "private")
TABLE = pd.DataFrame({"software": [30.0, 10.0], "textiles": [10.0, 30.0]}, index=["coast", "inland"])
# Four regions from the one that has everything to the one that has only what everybody has.
NESTED = pd.DataFrame(
    {"a": [2, 2, 2, 2], "b": [2, 2, 2, 0], "c": [2, 2, 0, 0], "d": [2, 0, 0, 0]}, index=list("wxyz"), dtype=float
)


@st.composite
def tables(draw) -> pd.DataFrame:
    shape = (draw(st.integers(2, 6)), draw(st.integers(2, 6)))
    values = draw(arrays(float, shape, elements=st.integers(0, 50).map(float)))
    values[:, 0] += 1
    return pd.DataFrame(values, index=[f"r{i}" for i in range(shape[0])], columns=[f"k{i}" for i in range(shape[1])])


# Specialisation and variety


def test_indices_of_specialisation_and_variety_equal_those_of_r():
    np.testing.assert_allclose(herfindahl(STATES)["herfindahl"], EXPECTED["herfindahl"], rtol=1e-12)
    np.testing.assert_allclose(krugman_specialisation(STATES), EXPECTED["krugman"], rtol=1e-10)
    rest = krugman_specialisation(STATES, reference="rest")
    np.testing.assert_allclose(rest, EXPECTED["krugman_rest"], rtol=1e-10)
    parts = variety(STATES, GROUPS)
    np.testing.assert_allclose(parts["unrelated"], EXPECTED["unrelated"], rtol=1e-10)
    np.testing.assert_allclose(parts["related"], EXPECTED["related"], rtol=1e-10)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_herfindahl_lies_between_an_nth_and_one_and_is_the_sum_of_squared_shares(values):
    result = herfindahl(values)
    n = values.shape[1]
    assert result["herfindahl"].between(1 / n - 1e-12, 1 + 1e-12).all()
    assert result["normalised"].between(-1e-12, 1 + 1e-12).all()
    for label, row in values.iterrows():
        assert result.loc[label, "herfindahl"] == pytest.approx(sum((v / row.sum()) ** 2 for v in row))
        assert result.loc[label, "equivalent_number"] == pytest.approx(1 / result.loc[label, "herfindahl"])
    pd.testing.assert_frame_equal(herfindahl(values[::-1]).loc[values.index], result)
    assert herfindahl(values.iloc[0]).to_numpy() == pytest.approx(result.iloc[0].to_numpy())


def test_herfindahl_of_equal_parts_of_one_part_and_of_plants_that_share_a_label():
    assert herfindahl(pd.Series([3.0, 3, 3, 3], index=list("aabb"))).tolist() == pytest.approx([0.25, 4, 0, 4])
    one = herfindahl(pd.DataFrame({"only": [5.0]}))
    assert one["herfindahl"].tolist() == [1] and np.isnan(one["normalised"].tolist()[0])


@given(tables())
@settings(max_examples=60, deadline=None)
def test_krugmans_index_lies_in_its_range_and_halves(values):
    for reference in ("nation", "rest"):
        index = krugman_specialisation(values, reference=reference)
        assert index.between(-1e-12, 2 + 1e-12).all()
        halved = krugman_specialisation(values, reference=reference, halved=True)
        np.testing.assert_allclose(halved, index / 2, rtol=1e-12)
        moved = krugman_specialisation(values.iloc[::-1, ::-1] * 7, reference=reference)
        np.testing.assert_allclose(moved[values.index], index, rtol=1e-9, atol=1e-12)


def test_krugmans_index_of_regions_that_share_nothing_and_of_the_same_structure():
    apart = pd.DataFrame({"a": [1.0, 0.0], "b": [0.0, 3.0]})
    assert krugman_specialisation(apart, reference="rest").tolist() == [2, 2]
    assert krugman_specialisation(apart).tolist() == pytest.approx([1.5, 0.5])
    alike = pd.DataFrame({"a": [1.0, 10.0], "b": [2.0, 20.0]})
    assert krugman_specialisation(alike).tolist() == pytest.approx([0, 0], abs=1e-15)


@given(tables(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_related_and_unrelated_variety_sum_to_the_entropy(values, count):
    groups = {name: f"g{i % count}" for i, name in enumerate(values)}
    parts = variety(values, groups)
    for label, row in values.iterrows():
        shares = [v / row.sum() for v in row if v > 0]
        assert parts.loc[label, "total"] == pytest.approx(-sum(p * math.log2(p) for p in shares), abs=1e-12)
        related = 0.0
        for group in set(groups.values()):
            members = [row[name] for name in values if groups[name] == group and row[name] > 0]
            within = [v / sum(members) for v in members]
            related += sum(members) / row.sum() * -sum(p * math.log2(p) for p in within)
        assert parts.loc[label, "related"] == pytest.approx(related, abs=1e-9)
    np.testing.assert_allclose(parts["unrelated"] + parts["related"], parts["total"], atol=1e-9)
    natural = variety(values, groups, base=math.e)
    np.testing.assert_allclose(natural, parts * math.log(2), atol=1e-9)


def test_one_group_has_no_unrelated_variety_and_single_industries_no_related():
    assert variety(STATES, dict.fromkeys(INDUSTRIES, "all"))["unrelated"].abs().max() < 1e-12
    assert variety(STATES, {name: name for name in INDUSTRIES})["related"].max() < 1e-12


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (TABLE["software"].to_frame().T.astype(str), "not numbers"),
        (-TABLE, "not be negative"),
        (TABLE.replace(30.0, np.nan), "first at coast, 'software'"),
        (TABLE * np.array([[1.0], [0.0]]), "nothing in any industry: inland"),
        (TABLE[[]], "at least one"),
        (pd.concat([TABLE, TABLE], axis=1), "given twice"),
        ([1, 2], "expected a DataFrame"),
    ],
    ids=["text", "negative", "missing", "empty", "no column", "twice", "a list"],
)
def test_tables_without_shares_are_refused_with_their_place(values, words):
    for method in (herfindahl, krugman_specialisation, lambda v: variety(v, {"software": "s", "textiles": "t"})):
        with pytest.raises(InvalidInputError, match=words):
            method(values)


def test_a_region_alone_an_unknown_reference_and_an_industry_without_group_are_refused():
    with pytest.raises(InvalidInputError, match="one region"):
        krugman_specialisation(TABLE.iloc[:1])
    with pytest.raises(UnknownNameError, match="reference"):
        krugman_specialisation(TABLE, reference="others")
    with pytest.raises(InvalidInputError, match="no group for textiles"):
        variety(TABLE, {"software": "s"})


# Cities


def test_primacy_under_zipfs_law():
    sizes = pd.Series(1.0, index=range(1, 101)) / np.arange(1, 101)
    result = primacy(sizes.sample(frac=1, random_state=1))
    assert result["two_city"] == pytest.approx(2)
    assert result["four_city"] == pytest.approx(12 / 13)
    assert result["first_share"] == pytest.approx(100 / sum(1 / k for k in range(1, 101)))
    assert np.isnan(primacy(pd.Series([2.0, 1.0, 1.0]))["four_city"])


def test_the_rank_size_regression_equals_that_of_r():
    result = rank_size(PRODUC["emp"])
    expected = EXPECTED["rank_size"]
    for name, value in expected.items():
        assert getattr(result, name) == pytest.approx(value, rel=1e-10)
    assert result.n == 48
    assert result.exponent - result.lower == pytest.approx(result.upper - result.exponent)
    assert (result.upper - result.exponent) / result.std_error == pytest.approx(1.959964, rel=1e-6)
    first = result.table.iloc[0]
    assert math.log(first["rank"] - 0.5) == pytest.approx(
        result.intercept - result.exponent * math.log(first["fitted"])
    )


def test_the_rank_size_exponent_recovers_paretos_with_intervals_that_cover_it():
    random = np.random.default_rng(4)
    results = [rank_size(pd.Series(random.pareto(1.2, 200) + 1)) for _ in range(300)]
    exponents = np.array([r.exponent for r in results])
    assert exponents.mean() == pytest.approx(1.2, abs=0.03)
    # The standard error that is stated is the one that repeated samples show.
    assert exponents.std() == pytest.approx(1.2 * math.sqrt(2 / 200), rel=0.15)
    assert 0.91 <= np.mean([r.lower <= 1.2 <= r.upper for r in results]) <= 0.98


def test_only_the_largest_cities_enter_and_order_and_units_do_not_matter():
    top = rank_size(PRODUC["emp"], largest=10)
    assert top.exponent == pytest.approx(rank_size(PRODUC["emp"].nlargest(10)[::-1] * 1000).exponent)
    ties = pd.Series([5.0, 3.0, 3.0, 1.0], index=list("abcd"))
    assert rank_size(ties).exponent == rank_size(ties[["d", "c", "b", "a"]]).exponent


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (pd.Series({"x": 1.0, "y": 0.0, "z": 2.0}), "not positive, the first at y"),
        (pd.Series({"x": 1.0, "y": np.nan, "z": 2.0}), "missing.*at y"),
        (pd.Series([1.0]), "at least . are needed"),
        (pd.Series(["a", "b", "c"]), "holds no numbers"),
    ],
)
def test_sizes_that_are_none_are_refused(sizes, words):
    for method in (primacy, rank_size):
        with pytest.raises(InvalidInputError, match=words):
            method(sizes)


def test_cities_that_have_no_slope_or_are_too_few_are_refused():
    with pytest.raises(InvalidInputError, match="of one size"):
        rank_size(pd.Series([2.0, 2, 2]))
    for largest in (2, 49):
        with pytest.raises(InvalidInputError, match="largest="):
            rank_size(PRODUC["emp"], largest=largest)
    with pytest.raises(InvalidInputError, match="level"):
        rank_size(PRODUC["emp"], level=95)


# Relatedness and complexity


def specialised() -> pd.DataFrame:
    quotients = location_quotient(STATES)
    return quotients[(quotients >= 1).any(axis=1)]


def test_proximity_density_and_complexity_equal_those_of_r():
    quotients = specialised()
    assert len(quotients) == EXPECTED["with_advantage"]
    related = relatedness(quotients)
    np.testing.assert_allclose(related.proximity.to_numpy().ravel(), EXPECTED["proximity"], rtol=1e-12)
    np.testing.assert_allclose(related.density.to_numpy().ravel(), EXPECTED["density"], rtol=1e-12)
    result = economic_complexity(quotients)
    np.testing.assert_allclose(result.regions["complexity"], EXPECTED["eci"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(result.activities["complexity"], EXPECTED["pci"], rtol=1e-8, atol=1e-10)
    assert result.eigenvalues[:2] == pytest.approx([1, EXPECTED["second_eigenvalue"]])


def test_complexity_is_the_limit_of_the_method_of_reflections():
    result = economic_complexity(specialised())
    np.testing.assert_allclose(result.regions["complexity"], EXPECTED["eci_by_reflections"], atol=1e-6)


def test_a_nested_table_by_hand():
    result = economic_complexity(NESTED)
    assert result.regions["diversity"].tolist() == [4, 3, 2, 1]
    assert result.activities["ubiquity"].tolist() == [4, 3, 2, 1]
    assert result.regions["complexity"].is_monotonic_decreasing
    assert result.activities["complexity"].is_monotonic_increasing
    related = relatedness(NESTED)
    assert related.proximity.loc["a"].tolist() == [1, 0.75, 0.5, 0.25]
    assert related.proximity.loc["c"].tolist() == [0.5, 2 / 3, 1, 0.5]
    # z has a alone; a is related to b, c, d, and to d by (1/4) / (1/4 + 1/3 + 1/2).
    assert related.density.loc["z"].tolist() == pytest.approx(
        [0, 0.75 / (0.75 + 2 / 3 + 1 / 3), 0.5 / (0.5 + 2 / 3 + 0.5), 0.25 / (0.25 + 1 / 3 + 0.5)]
    )
    assert related.density.loc["w"].tolist() == [1, 1, 1, 1]


@given(arrays(int, (6, 5), elements=st.integers(0, 1)))
@settings(max_examples=60, deadline=None)
def test_proximity_is_the_smaller_conditional_probability_and_density_leaves_the_activity_out(held):
    held[0], held[:, 0] = 1, 1
    M = pd.DataFrame(held.astype(float), columns=list("abcde"))
    related = relatedness(M)
    assert (related.proximity.to_numpy() == related.proximity.to_numpy().T).all()
    for k in M:
        others = [x for x in M if x != k]
        for other in others:
            both = (M[k] * M[other]).sum()
            assert related.proximity.loc[k, other] == pytest.approx(min(both / M[k].sum(), both / M[other].sum()))
        weights = related.proximity.loc[k, others]
        np.testing.assert_allclose(related.density[k], M[others] @ weights / weights.sum(), rtol=1e-12)
    assert related.table.shape == (30, 2)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_complexity_ignores_the_order_of_regions_and_activities_and_has_mean_zero_and_deviation_one(random):
    quotients = specialised()
    result = economic_complexity(quotients)
    order = random.sample(list(quotients.index), len(quotients))
    columns = random.sample(INDUSTRIES, len(INDUSTRIES))
    moved = economic_complexity(quotients.loc[order, columns])
    np.testing.assert_allclose(moved.regions["complexity"][quotients.index], result.regions["complexity"], atol=1e-9)
    np.testing.assert_allclose(moved.activities["complexity"][INDUSTRIES], result.activities["complexity"], atol=1e-9)
    for frame in (result.regions, result.activities):
        assert frame["complexity"].mean() == pytest.approx(0, abs=1e-12)
        assert frame["complexity"].std(ddof=0) == pytest.approx(1)
    assert result.regions["complexity"].corr(result.regions["diversity"]) > 0


def test_an_advantage_begins_at_the_threshold():
    quotients = NESTED.replace(2.0, 1.0)
    assert relatedness(quotients).advantage.to_numpy().sum() == 10
    with pytest.raises(InvalidInputError, match="region without any advantage: w, x, y, z"):
        relatedness(quotients, threshold=1.01)


# x and y lack b, z lacks a; x, which has c and d beside a, is closer to b than y is.
FIRST = pd.DataFrame(
    {"a": [2, 2, 0, 2], "b": [0, 0, 2, 2], "c": [2, 0, 2, 2], "d": [2, 0, 0, 2]}, index=list("xyzw"), dtype=float
)


def test_the_chance_of_an_entry_is_a_comparison_of_all_pairs_and_its_p_value_shuffles_within_activities():
    later = FIRST.copy()
    later.loc["x", "b"] = 2
    before, after = relatedness(FIRST), relatedness(later)
    result = entry_test(before, after, draws=199)
    lacking = FIRST.to_numpy() == 0
    density = before.density.to_numpy()
    entered = density[0, 1]
    others = density[lacking & (np.arange(16).reshape(4, 4) != 1)]
    assert (result.entries, result.pairs) == (1, lacking.sum())
    assert result.chance == pytest.approx(((entered > others) + (entered == others) / 2).mean())
    # Either x or y enters b, and x is the closer one: half of all shuffles are as they were.
    assert result.p_value == pytest.approx(0.5, abs=0.1)
    assert result.table["entered"].sum() == 1 and result.table.loc[("x", "b"), "entered"]
    assert result.p_value == entry_test(before, after, draws=199).p_value


def test_entries_that_cannot_be_compared_are_refused():
    before = relatedness(FIRST)
    with pytest.raises(InvalidInputError, match=r"0 of \d+ pairs without an advantage entered"):
        entry_test(before, before)
    with pytest.raises(InvalidInputError, match="w: not in both"):
        entry_test(before, relatedness(FIRST.iloc[:3]))
    with pytest.raises(InvalidInputError, match="before: expected a result of relatedness, got a DataFrame"):
        entry_test(FIRST, before)
    with pytest.raises(InvalidInputError, match="draws"):
        entry_test(before, relatedness(FIRST.replace({"b": {0: 2}})), draws=0)


def test_an_activity_that_is_related_to_no_other_has_no_density():
    quotients = pd.DataFrame({"a": [2.0, 2, 0], "b": [2.0, 2, 0], "lone": [0.0, 0, 2]})
    assert relatedness(quotients).density["lone"].isna().all()
    with pytest.raises(InvalidInputError, match="share no activity"):
        economic_complexity(quotients)


@pytest.mark.parametrize(
    ("quotients", "words"),
    [
        (NESTED.assign(none=0.0), "activity in which no region has an advantage: none"),
        (NESTED.replace(0.0, np.nan), "first at x, 'd'"),
        (NESTED.set_axis(["w", "w", "y", "z"]), "given twice: w"),
        (NESTED.assign(word="x"), "not numbers: word"),
        (NESTED["a"], "expected a DataFrame"),
    ],
    ids=["no region", "missing", "twice", "text", "a series"],
)
def test_advantages_without_an_answer_are_refused(quotients, words):
    for method in (relatedness, economic_complexity):
        with pytest.raises(InvalidInputError, match=words):
            method(quotients)


def test_complexity_that_does_not_rank_is_refused():
    with pytest.raises(InvalidInputError, match="at least three"):
        economic_complexity(NESTED.iloc[:2, :3])
    with pytest.raises(InvalidInputError, match="not single"):
        economic_complexity(pd.DataFrame([[2.0, 2, 0], [0.0, 2, 2], [2.0, 0, 2]], columns=list("abc")))

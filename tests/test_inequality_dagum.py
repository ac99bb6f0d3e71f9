"""Dagum's decomposition against R, the definition over all pairs, its identities, and simulation."""

from __future__ import annotations

import json
from itertools import combinations, permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inequality import _dagum, dagum_gini, dagum_gini_by, gini
from clusterlib.paths import get_project

REFERENCE = Path(__file__).parent / "reference"
ILOCOS = get_project().root.parent / "shared" / "reference" / "data" / "ilocos.csv"
CLOSED_FORM = 1e-10
PARTS = ("within", "between", "transvariation")

rows = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4), st.sampled_from("abcd")), min_size=1, max_size=25)
samples = rows.filter(lambda sample: any(value for value, _, _ in sample))


def expected(name: str) -> dict:
    return json.loads((REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


def check(result, answer: dict) -> None:
    """Compare with R: the parts, every group and every pair, whichever way round R named it."""
    assert result.total == pytest.approx(answer["G"], abs=CLOSED_FORM)
    for part, name in zip(PARTS, ("G_within", "G_net_between", "G_transvariation"), strict=True):
        assert getattr(result, part) == pytest.approx(answer[name], abs=CLOSED_FORM)
    names = {"gini": "gini", "n": "n", "mean": "mean", "population_share": "p", "income_share": "s"}
    for group, values in answer["groups"].items():
        for column, name in names.items():
            assert result.by_group.loc[group, column] == pytest.approx(values[name], rel=CLOSED_FORM)
    assert len(result.by_pair) == len(answer["pairs"])
    for pair, values in answer["pairs"].items():
        row = result.by_pair.loc[tuple(pair.split(" > "))]
        for name in ("G_jh", "D_jh", "d_jh", "p_jh"):
            assert row[name] == pytest.approx(values[name], rel=CLOSED_FORM, abs=1e-12)
        both = values["G_jh"] * values["weight"]
        assert row["between"] == pytest.approx(both * values["D_jh"], abs=CLOSED_FORM)
        assert row["transvariation"] == pytest.approx(both * (1 - values["D_jh"]), abs=CLOSED_FORM)
        assert row["contribution"] == pytest.approx(100 * both / answer["G"], rel=1e-9)


def naive(values, groups, weights) -> tuple[float, float, float]:
    """The three parts by Dagum's formulas, with every difference written out."""
    x, w, g = np.asarray(values, float), np.asarray(weights, float), np.asarray(groups)
    mu, size = w @ x / w.sum(), {k: w[g == k].sum() for k in np.unique(g)}
    mean = {k: w[g == k] @ x[g == k] / size[k] for k in size}
    p = {k: size[k] / w.sum() for k in size}
    s = {k: p[k] * mean[k] / mu for k in size}

    def moment(j, h, function):
        both = w[g == j][:, None] * w[g == h] / size[j] / size[h]
        return float((both * function(x[g == j][:, None] - x[g == h])).sum())

    within = sum(moment(k, k, np.abs) / (2 * mean[k]) * p[k] * s[k] for k in size if mean[k] > 0)
    between = transvariation = 0.0
    for j, h in combinations(size, 2):
        j, h = (j, h) if mean[j] >= mean[h] else (h, j)
        difference = moment(j, h, np.abs)
        if difference == 0:
            continue
        affluence = (moment(j, h, lambda d: d * (d > 0)) - moment(j, h, lambda d: -d * (d < 0))) / difference
        amount = difference / (mean[j] + mean[h]) * (p[j] * s[h] + p[h] * s[j])
        between += amount * affluence
        transvariation += amount * (1 - affluence)
    return within, between, transvariation


@pytest.mark.parametrize("name", ["hand", "overlap"])
def test_small_tables_equal_r(name):
    table = expected("dagum_small")[name]
    check(dagum_gini(table["x"], table["g"]), table["expected"])


@pytest.mark.parametrize("year", [1970, 1986])
def test_states_by_region_equal_r(year):
    panel = pd.read_csv(REFERENCE / "data" / "produc.csv")
    data = panel[panel["year"] == year]
    check(
        dagum_gini(data["gsp"] / data["emp"], data["region"].astype(str)),
        expected(f"ineq_produc_gspemp_{year}")["dagum"],
    )


@pytest.mark.skipif(not ILOCOS.exists(), reason="the Ilocos incomes of R's ineq may not be carried by the project")
def test_ilocos_incomes_by_province_equal_r():
    data = pd.read_csv(ILOCOS)
    check(dagum_gini(data["income"], data["province"]), expected("ineq_ilocos")["dagum_by_province"])


@given(samples)
@settings(max_examples=100, deadline=None)
def test_parts_equal_the_formulas_over_all_pairs_weighted_and_not(sample):
    values, weights, groups = zip(*sample, strict=True)
    for w in (np.ones(len(values)), np.array(weights) / 7):
        result = dagum_gini(values, groups, w)
        np.testing.assert_allclose([getattr(result, p) for p in PARTS], naive(values, groups, w), atol=1e-12)


@given(samples)
@settings(max_examples=100, deadline=None)
def test_parts_sum_to_the_gini_and_groups_and_pairs_to_the_parts(sample):
    values, weights, groups = zip(*sample, strict=True)
    result = dagum_gini(values, groups, weights)
    assert result.total == gini(values, weights)
    assert result.within + result.between + result.transvariation == pytest.approx(result.total, abs=1e-13)
    assert min(result.within, result.between, result.transvariation) >= 0
    assert result.by_group["within"].sum() == pytest.approx(result.within, abs=1e-13)
    assert result.by_pair["between"].sum() == pytest.approx(result.between, abs=1e-13)
    assert result.by_pair["transvariation"].sum() == pytest.approx(result.transvariation, abs=1e-13)
    assert ((result.by_pair["D_jh"] >= 0) & (result.by_pair["D_jh"] <= 1)).all()
    if result.total > 0:
        assert result.contributions.sum() == pytest.approx(100)
        share = result.by_group["contribution"].sum() + result.by_pair["contribution"].sum()
        assert share == pytest.approx(100)


@given(samples, st.floats(1e-6, 1e9), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_parts_ignore_units_the_order_of_rows_and_the_names_of_groups(sample, scale, random):
    def parts(sample, factor=1.0, rename=lambda g: g):
        values, weights, groups = zip(*sample, strict=True)
        result = dagum_gini(np.array(values) * factor, [rename(g) for g in groups], weights)
        return [result.total, *(getattr(result, p) for p in PARTS)]

    first = parts(sample)
    np.testing.assert_allclose(parts(sample, scale), first, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(parts(random.sample(sample, len(sample))), first, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(parts(sample, rename=lambda g: -ord(g)), first, rtol=1e-9, atol=1e-13)


@given(samples)
@settings(max_examples=60, deadline=None)
def test_a_whole_weight_counts_as_that_many_rows(sample):
    values, weights, groups = zip(*sample, strict=True)
    once = dagum_gini(values, groups, weights)
    often = dagum_gini(np.repeat(values, weights), np.repeat(groups, weights))
    for part in ("total", *PARTS):
        assert getattr(once, part) == pytest.approx(getattr(often, part), abs=1e-13)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_groups_that_do_not_overlap_have_no_transvariation_whatsoever(tiers):
    values = [value / 7 + 100 * tier for tier, members in enumerate(tiers) for value in members]
    groups = [tier for tier, members in enumerate(tiers) for _ in members]
    result = dagum_gini(values, groups)
    assert result.transvariation == 0
    assert (result.by_pair["D_jh"] == 1).all() and (result.by_pair["p_jh"] == 0).all()


def test_one_group_has_all_inequality_within_and_groups_of_one_have_none():
    together = dagum_gini([1, 2, 6], ["a", "a", "a"])
    assert together.within == together.total and together.by_pair.empty
    apart = dagum_gini([1, 2, 6], ["a", "b", "c"])
    assert apart.within == 0 and apart.between == pytest.approx(apart.total, abs=1e-15)
    assert apart.by_group["gini"].tolist() == [0, 0, 0]


def test_groups_alike_have_no_net_between_part():
    result = dagum_gini([1, 2, 6, 1, 2, 6], ["a", "a", "a", "b", "b", "b"])
    assert result.between == pytest.approx(0, abs=1e-15)
    assert result.transvariation == pytest.approx(result.total / 2)


def test_no_inequality_has_no_contributions():
    result = dagum_gini([3, 3, 3], ["a", "b", "b"], draws=19)
    assert (result.total, result.between, result.transvariation) == (0, 0, 0)
    assert result.contributions.isna().all() and result.by_group["contribution"].isna().all()
    assert result.p_between == 1


def test_a_group_of_zeros_has_no_inequality_of_its_own():
    result = dagum_gini([0, 0, 2, 4], ["a", "a", "b", "b"])
    assert result.by_group.loc["a", ["gini", "income_share"]].tolist() == [0, 0]
    assert sum(getattr(result, p) for p in PARTS) == pytest.approx(gini([0, 0, 2, 4]))


def test_bootstrap_interval_mirrors_the_quantiles_of_all_resamples():
    values, groups = [1.0, 4.0, 2.0, 7.0], ["a", "a", "b", "b"]
    halves = product(product([1.0, 4.0], repeat=2), product([2.0, 7.0], repeat=2))
    every = [gini([*first, *second]) for first, second in halves]
    result = dagum_gini(values, groups, draws=4000, seed=3, level=0.5)
    lower, upper = np.quantile(every, [0.25, 0.75])
    assert result.intervals.loc["total", "lower"] == pytest.approx(2 * result.total - upper, abs=0.02)
    assert result.intervals.loc["total", "upper"] == pytest.approx(2 * result.total - lower, abs=0.02)
    assert result.intervals.loc["total", "std_error"] == pytest.approx(np.std(every), rel=0.05)


def test_intervals_stay_in_range_and_cover_the_population_parts():
    random, groups, hits = np.random.default_rng(6), np.repeat([0, 1, 2], [30, 40, 50]), 0
    shift = np.array([0.6, 0.3, 0.0])
    many = np.repeat([0, 1, 2], [30_000, 40_000, 50_000])
    truth = dagum_gini(np.exp(shift[many] + 0.4 * random.normal(size=many.size)), many)
    for seed in range(60):
        values = np.exp(shift[groups] + 0.4 * random.normal(size=groups.size))
        table = dagum_gini(values, groups, draws=199, seed=seed).intervals
        assert (table["lower"] >= 0).all() and (table["upper"] <= 100).all() and table.loc["total", "upper"] <= 1
        hits += sum(table.loc[p, "lower"] <= getattr(truth, p) <= table.loc[p, "upper"] for p in PARTS)
    # Of 180: nine in ten and more.
    assert hits >= 160


def test_resamples_keep_the_size_of_every_group_and_draw_all_alike():
    codes = np.repeat([1, 0, 2], [1, 5, 8])
    counts = _dagum.bootstrap_counts(codes, 4000, np.random.default_rng(0))
    for group, size in ((0, 5), (1, 1), (2, 8)):
        members = counts[:, codes == group]
        assert (members.sum(axis=1) == size).all()
        np.testing.assert_allclose(members.mean(axis=0), 1, atol=0.08)
        np.testing.assert_allclose(members.var(axis=0), 1 - 1 / size, atol=0.12)


def test_the_net_between_part_alone_is_that_of_the_whole_decomposition():
    random = np.random.default_rng(5)
    values, weights = np.sort(random.lognormal(size=40)), random.uniform(0.5, 2, 40)
    labels = random.permuted(np.tile(np.arange(40) % 4, (20, 1)), axis=1)
    whole = [_dagum.decompose(values, weights[None], codes, 4).between[0] for codes in labels]
    np.testing.assert_allclose(_dagum.net_between(values, weights, labels, 4), whole, rtol=1e-12)


def test_permutation_p_equals_the_share_over_all_orders_of_the_labels():
    values, groups = [1.0, 3.0, 4.0, 6.0, 9.0], ["a", "b", "a", "b", "b"]
    observed = dagum_gini(values, groups).between
    exact = np.mean([dagum_gini(values, order).between >= observed - 1e-12 for order in permutations(groups)])
    result = dagum_gini(values, groups, draws=4000, seed=1)
    assert result.p_between == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5)


def test_weights_stay_with_their_rows_in_both_kinds_of_draw():
    random = np.random.default_rng(8)
    values, weights, groups = random.lognormal(size=12), random.integers(1, 4, 12), np.repeat(["a", "b", "c"], 4)
    result = dagum_gini(values, groups, weights, draws=400, seed=2)
    counts = _dagum.bootstrap_counts(
        pd.factorize(groups)[0], 400, np.random.default_rng(np.random.SeedSequence(2).spawn(2)[0])
    )
    totals = [gini(np.repeat(values, count * weights)) for count in counts]
    mirrored = 2 * result.total - np.quantile(totals, 0.025)
    assert result.intervals.loc["total", "upper"] == pytest.approx(mirrored, abs=1e-12)


def test_same_seed_gives_the_same_draws_however_they_are_cut_up(monkeypatch):
    random = np.random.default_rng(0)
    arguments = random.lognormal(size=40), random.integers(0, 3, 40)
    first = dagum_gini(*arguments, draws=99, seed=5)
    monkeypatch.setattr(_dagum, "_CELLS", 40 * 7)
    second, other = (dagum_gini(*arguments, draws=99, seed=seed) for seed in (5, 6))
    pd.testing.assert_frame_equal(first.intervals, second.intervals)
    assert first.p_between == second.p_between
    assert not first.intervals.equals(other.intervals)


def test_the_test_of_labels_that_do_not_matter_keeps_its_level():
    random, groups = np.random.default_rng(4), np.repeat([0, 1, 2], [3, 7, 12])
    p = [dagum_gini(random.lognormal(size=22), groups, draws=99, seed=i).p_between for i in range(100)]
    # 100 tests at 10 %: between 2 and 20 rejections in 998 of a thousand times.
    assert 2 <= sum(value <= 0.1 for value in p) <= 20


def panel(seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(12), [2020, 2021, 2022]], names=["unit", "year"])
    data = pd.DataFrame({"income": random.lognormal(size=36), "people": random.integers(1, 9, 36)}, index=index)
    return data.assign(belt=[["east", "west", "centre"][unit % 3] for unit in index.get_level_values(0)])


def test_each_period_of_a_panel_is_decomposed_as_on_its_own():
    data = panel()
    result = dagum_gini_by(data.sample(frac=1, random_state=0), "income", "belt", "people", draws=49, seed=7)
    for year in (2020, 2022):
        part = data.xs(year, level="year")
        alone = dagum_gini(part["income"], part["belt"], part["people"], draws=49, seed=7)
        row = result.table.loc[year]
        assert row["total"] == pytest.approx(alone.total, abs=1e-13)
        assert row[list(PARTS)].tolist() == pytest.approx([getattr(alone, p) for p in PARTS])
        assert row["between_contribution_upper"] == pytest.approx(alone.intervals.loc["between_contribution", "upper"])
        assert row["p_between"] == alone.p_between
        pd.testing.assert_frame_equal(result.by_group.loc[year], alone.by_group, check_exact=False)
        pd.testing.assert_frame_equal(result.by_pair.loc[year].sort_index(), alone.by_pair.sort_index())
    change = result.change.loc["within"]
    assert change["change"] == pytest.approx(result.table["within"].iloc[-1] - result.table["within"].iloc[0])
    assert change["lower"] < change["change"] < change["upper"]


def test_the_change_of_a_panel_that_only_grows_has_no_uncertainty():
    data = panel()
    data["income"] = data["income"].xs(2020, level="year").reindex(data.index, level="unit")
    data["income"] *= data.index.get_level_values("year") - 2000
    change = dagum_gini_by(data, "income", "belt", draws=99).change
    np.testing.assert_allclose(change[["change", "lower", "upper"]], 0, atol=1e-12)


def test_panels_without_an_answer_are_refused():
    data = panel()
    with pytest.raises(InvalidInputError, match=r"not balanced.*first is"):
        dagum_gini_by(data.iloc[1:], "income", "belt")
    with pytest.raises(InvalidInputError, match=r"0 is in more than one group over time, in another from 2021 on"):
        dagum_gini_by(data.assign(belt=range(36)), "income", "belt")
    with pytest.raises(InvalidInputError, match="groups: 3 has no label"):
        dagum_gini_by(data, "income", dict.fromkeys([0, 1, 2], "east"))
    with pytest.raises(UnknownNameError, match="did you mean 'belt'"):
        dagum_gini_by(data, "income", "bel")
    with pytest.raises(UnknownNameError, match="'earnings'"):
        dagum_gini_by(data, "earnings", "belt")
    below = data.copy()
    below.loc[(3, 2021), "income"] = -1.0
    with pytest.raises(InvalidInputError, match=r"negative values: 1 of 36, the first at \(3, 2021\)"):
        dagum_gini_by(below, "income", "belt")
    below.loc[(3, 2021), "income"] = np.inf
    with pytest.raises(InvalidInputError, match=r"missing or infinite.*\(3, 2021\), 'income'"):
        dagum_gini_by(below, "income", "belt")
    light = data.assign(people=data["people"].where(data.index != (5, 2022), 0))
    with pytest.raises(InvalidInputError, match=r"weights must be positive: 1 of 36, the first at \(5, 2022\)"):
        dagum_gini_by(light, "income", "belt", "people")
    nothing = data["income"].where(data.index.get_level_values("year") != 2021, 0.0)
    with pytest.raises(InvalidInputError, match="every value is zero in 2021"):
        dagum_gini_by(data.assign(income=nothing), "income", "belt")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": -1}, "draws=-1"),
        ({"draws": 1.5}, "draws=1.5"),
        ({"level": 95}, "level=95"),
        ({"weights": [1, 0]}, "weights must be positive"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(InvalidInputError, match=words):
        dagum_gini([1, 2], ["a", "b"], **options)


def test_values_and_groups_without_an_answer_are_refused():
    with pytest.raises(InvalidInputError, match="negative values: 1 of 2, the first at position 1"):
        dagum_gini([1, -2], ["a", "b"])
    with pytest.raises(InvalidInputError, match="no group: 1 of 2, the first at position 1"):
        dagum_gini([1, 2], ["a", None])
    with pytest.raises(InvalidInputError, match="groups: expected 2 entries"):
        dagum_gini([1, 2], ["a"])


def test_table_shows_parts_contributions_and_intervals():
    result = dagum_gini([1, 2, 3, 4], ["a", "a", "b", "b"], draws=19)
    assert list(result.table.columns) == ["value", "contribution", "lower", "upper"]
    assert result.table.loc["between"].tolist()[:2] == pytest.approx([0.2, 80])
    assert result.table.loc["total", "contribution"] == 100
    assert "Dagum 基尼系数分解" in result.summary() and "p between" in result.summary()
    by_year = dagum_gini_by(panel(), "income", "belt")
    assert by_year.n_units == by_year.units == 12 and "分年度" in by_year._repr_html_()


def test_values_alike_but_for_rounding_have_no_inequality_to_share():
    values, weights = [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.3, 0.3], [1, 3, 7, 2, 11, 5]
    for w in (None, weights):
        result = dagum_gini(values, list("aabbcc"), w, draws=99)
        assert [result.total, *(getattr(result, part) for part in PARTS)] == [0, 0, 0, 0]
        assert result.contributions.isna().all() and result.by_pair["contribution"].isna().all()
        # No grouping differs from another.
        assert result.p_between == 1


@pytest.mark.parametrize("weight", [0.1, 1 / 3, 7.7])
def test_no_grouping_of_weighted_values_that_are_all_one_is_more_unequal_than_another(weight):
    weights = weight * np.random.default_rng(0).uniform(1, 9, 9)
    assert dagum_gini([0.1] * 9, np.arange(9) % 3, weights, draws=199).p_between == 1


def test_groups_of_one_value_each_that_is_the_same_but_for_rounding_have_no_affluence_over_each_other():
    result = dagum_gini([0.1 + 0.2, 0.1 + 0.2, 0.3, 0.3, 5.0], list("aabbc"))
    assert result.by_pair.loc[("a", "b"), ["D_jh", "between"]].tolist() == [0, 0]
    assert result.by_group.loc[["a", "b"], "gini"].tolist() == [0, 0]
    within = dagum_gini([0.1 + 0.2, 0.3, 1.0, 3.0], list("aabb"))
    assert within.by_group.loc["a", ["gini", "within", "contribution"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_groups_with_one_mean_but_for_rounding_the_first_named_counts_as_richer(order):
    values = np.array([0.1, 0.2, 0.3])
    result = dagum_gini([*values, *values[list(order)]], list("aaabbb"))
    assert result.by_pair.index.tolist() == [("a", "b")]
    assert result.by_pair["D_jh"].tolist() == [0]
    assert result.between == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("groups", "possible"), [("aabb", 3), ("aaabbb", 10), ("aabbcc", 15), ("abc", 1), ("aaa", 1), ("aaabb", 10)]
)
def test_p_of_between_says_how_many_groupings_there_are(groups, possible):
    values = np.random.default_rng(0).lognormal(size=len(groups))
    # Groups of one size can swap their labels, and the part between them stays.
    seen = {
        frozenset(frozenset(np.flatnonzero(np.array(order) == name)) for name in set(groups))
        for order in permutations(groups)
    }
    assert len(seen) == possible
    (note,) = dagum_gini(values, list(groups), draws=19).notes
    assert f"allow {possible} different draws" in note
    assert note in dagum_gini(values, list(groups), draws=19).summary()


def test_many_groupings_need_no_word():
    assert dagum_gini(range(1, 13), list("abc") * 4, draws=19).notes == ()
    assert dagum_gini([1, 2, 3, 4], list("aabb")).notes == ()


@pytest.mark.parametrize("seed", range(5))
def test_p_of_between_counts_every_tie(seed):
    random = np.random.default_rng(seed)
    values, groups = random.permutation([0.1, 0.2, 0.3, 0.4, 0.5, 0.7]), np.array(list("aabbcc"))
    observed = dagum_gini(values, groups).between
    exact = np.mean([dagum_gini(values, order).between >= observed - 1e-9 for order in set(permutations(groups))])
    result = dagum_gini(values, groups, draws=4000, seed=seed)
    assert result.p_between == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5 + 1e-3)


def test_labels_of_a_column_a_mapping_units_or_rows_are_the_same_groups():
    data = panel()
    by_unit = data["belt"].groupby("unit").first()
    first = dagum_gini_by(data, "income", "belt", draws=19)
    for groups in (by_unit, by_unit.to_dict(), data["belt"], data["belt"].astype("category"), by_unit[::-1]):
        pd.testing.assert_frame_equal(dagum_gini_by(data, "income", groups, draws=19).table, first.table)

"""Moran's I, local Moran's I and Getis-Ord G against spdep, all permutations of small maps, and their identities."""

from __future__ import annotations

import json
import math
import warnings
from itertools import permutations as orders
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from libpysal.graph import Graph
from scipy import sparse

from clusterlib.core.resampling import permutation_p
from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.spatial import getis_ord, global_moran, local_moran, moran_over_time, moran_scatter
from clusterlib.spatial._randomisation import distinct_places, quiet_imports

REFERENCE = Path(__file__).parent / "reference"
COLUMBUS = pd.read_csv(REFERENCE / "data" / "columbus.csv", index_col="id").astype(float)
BINARY = pd.read_csv(REFERENCE / "data" / "columbus_W_binary.csv", index_col=0).to_numpy(float)
CLOSED_FORM = 1e-10


def expected(name: str) -> dict:
    return json.loads((REFERENCE / "expected" / f"esda_columbus_{name}.json").read_text(encoding="utf-8"))


def inverse_distances() -> np.ndarray:
    points = COLUMBUS[["X", "Y"]].to_numpy()
    distance = np.sqrt(np.square(points[:, None] - points[None]).sum(axis=2))
    with np.errstate(divide="ignore"):
        return np.where(BINARY > 0, 1 / distance, 0.0)


def chain(n: int) -> np.ndarray:
    return np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)


def graph_of(matrix: np.ndarray, ids) -> Graph:
    return Graph.from_sparse(sparse.csr_array(matrix), ids=pd.Index(ids))


def close(found, reference) -> None:
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(reference, float), rtol=CLOSED_FORM, atol=1e-14)


@st.composite
def maps(draw) -> tuple[pd.Series, np.ndarray]:
    """Values that differ on a connected map with weights of any size."""
    n = draw(st.integers(5, 14))
    values = draw(arrays(float, n, elements=st.integers(-50, 50).map(float)))
    values[0], values[1] = values.min() - 1, values.max() + 2
    extra = draw(arrays(float, (n, n), elements=st.integers(0, 3).map(float)))
    matrix = chain(n) + extra
    np.fill_diagonal(matrix, 0)
    return pd.Series(values, index=[f"u{i:02d}" for i in range(n)], name="y"), matrix


# Against spdep


@pytest.mark.parametrize("name", ["CRIME", "INC"])
@pytest.mark.parametrize(
    ("test", "arguments"),
    [
        ("moran_randomisation_two_sided", {}),
        ("moran_normality_two_sided", {"assumption": "normality"}),
        ("moran_randomisation_greater", {"alternative": "greater"}),
        ("moran_binaryW_randomisation_two_sided", {"row_standardise": False}),
    ],
)
def test_morans_i_and_its_moments_are_those_of_spdep(name, test, arguments):
    reference = expected(name)[test]
    moran = global_moran(COLUMBUS[name], BINARY, 99, **arguments)
    close([moran.I, moran.expected, moran.variance], reference["estimate"])
    close([moran.z, moran.p_analytic], [reference["statistic"], reference["p_value"]])


@pytest.mark.parametrize(
    ("test", "arguments"),
    [
        ("moran_randomisation_two_sided", {"row_standardise": False}),
        ("moran_normality_two_sided", {"row_standardise": False, "assumption": "normality"}),
        ("moran_standardised_less", {"alternative": "less"}),
    ],
)
def test_morans_i_with_general_weights_is_that_of_spdep(test, arguments):
    reference = expected("general")[test]
    moran = global_moran(COLUMBUS["HOVAL"], inverse_distances(), 99, **arguments)
    close([moran.I, moran.expected, moran.variance], reference["estimate"])
    close([moran.z, moran.p_analytic], [reference["statistic"], reference["p_value"]])


@pytest.mark.parametrize("name", ["CRIME", "INC"])
@pytest.mark.parametrize("null", ["conditional", "total"])
def test_local_moran_and_both_its_moments_are_those_of_spdep(name, null):
    reference = expected(name)
    table = local_moran(COLUMBUS[name], BINARY, 99, null=null).table
    close(table["I"], reference["local_moran_I"])
    for column, part in {"expected": "E", "variance": "Var", "z_I": "Z", "p_analytic": "p_two_sided"}.items():
        close(table[column], reference[f"local_moran_{null}_{part}"])


def test_local_moran_with_general_weights_is_that_of_spdep():
    reference = expected("general")
    table = local_moran(COLUMBUS["HOVAL"], inverse_distances(), 99, row_standardise=False).table
    close(table["I"], reference["local_moran_I"])
    for column, part in {"expected": "E", "variance": "Var", "z_I": "Z", "p_analytic": "p_two_sided"}.items():
        close(table[column], reference[f"local_moran_conditional_{part}"])


@pytest.mark.parametrize("name", ["CRIME", "INC"])
def test_quadrants_are_those_that_spdep_calls_pysal(name):
    words = {"H": "High", "L": "Low"}
    quadrant = local_moran(COLUMBUS[name], BINARY, 99).table["quadrant"]
    assert [f"{words[a]}-{words[b]}" for a, b in quadrant] == expected(name)["quadrant_pysal"]


@pytest.mark.parametrize("name", ["CRIME", "INC"])
def test_general_and_local_g_are_those_of_spdep(name):
    reference = expected(name)
    plain, star = getis_ord(COLUMBUS[name], BINARY, 99, star=False), getis_ord(COLUMBUS[name], BINARY, 99)
    close(plain.table["z"], reference["localG_binary_Z"])
    close(star.table["z"], reference["localGstar_binary_Z"])
    general = reference["globalG_binary_two_sided"]
    close([star.G, star.expected, star.variance], general["estimate"])
    close([star.z, star.p_analytic], [general["statistic"], general["p_value"]])


def test_local_g_with_general_weights_is_that_of_spdep():
    reference = expected("general")
    settings_ = {"permutations": 99, "binary": False}
    close(getis_ord(COLUMBUS["HOVAL"], inverse_distances(), star=False, **settings_).table["z"], reference["localG_Z"])
    close(getis_ord(COLUMBUS["HOVAL"], inverse_distances(), **settings_).table["z"], reference["localGstar_Z"])


def test_local_g_is_the_neighbours_share_of_the_sum():
    y, line = pd.Series([1.0, 2.0, 3.0, 10.0, 4.0]), chain(5)
    assert getis_ord(y, line, 9).table["G"].tolist() == pytest.approx([3 / 20, 6 / 20, 15 / 20, 17 / 20, 14 / 20])
    without = getis_ord(y, line, 9, star=False).table["G"].tolist()
    assert without == pytest.approx([2 / 19, 4 / 18, 12 / 17, 7 / 10, 10 / 16])


# Permutations


def exact_tails(simulated: np.ndarray, observed: float) -> tuple[float, float]:
    return (simulated >= observed - 1e-9).mean(), (simulated <= observed + 1e-9).mean()


def sampling_error(share: float, draws: int) -> float:
    return 4 * math.sqrt(share * (1 - share) / draws) + 2 / draws


def test_p_values_of_morans_i_are_the_shares_of_all_permutations():
    y, line = np.array([1.0, 3.0, 2.0, 2.0, 6.0, 5.0]), chain(6)
    rows = line / line.sum(axis=1, keepdims=True)
    z = y - y.mean()
    every = np.array([np.array(order) @ rows @ np.array(order) for order in orders(z)]) / (z @ z)
    observed = z @ rows @ z / (z @ z)
    greater, less = exact_tails(every, observed)
    for alternative, exact in {"greater": greater, "less": less, "two-sided": 2 * min(greater, less)}.items():
        p = global_moran(pd.Series(y), line, 40_000, 3, alternative=alternative).p_sim
        assert p == pytest.approx(min(exact, 1), abs=2 * sampling_error(exact / 2, 40_000))


def test_p_values_count_the_observed_map_among_the_permutations():
    assert permutation_p([0, 4, 9], [9, 6, 9], 9, "greater").tolist() == [0.1, 0.5, 1]
    assert permutation_p([0, 4, 9], [9, 6, 9], 9, "less").tolist() == [1, 0.7, 1]
    assert permutation_p([0, 4, 9], [9, 6, 9], 9, "two-sided").tolist() == [0.2, 1, 1]


@pytest.mark.parametrize("standardise", [False, True])
def test_simulated_morans_are_those_of_permutations_and_the_p_value_counts_them(standardise):
    y, line = np.array([1.0, 3.0, 2.0, 7.0, 6.0]), 3 * chain(5)
    w = line / line.sum(axis=1, keepdims=True) if standardise else line
    z = y - y.mean()
    every = {round(5 / w.sum() * (np.array(o) @ w @ np.array(o)) / (z @ z), 9) for o in orders(z)}
    moran = global_moran(pd.Series(y), line, 200, 1, row_standardise=standardise)
    assert set(moran.simulated.round(9)) <= every
    for alternative, count in {
        "greater": (moran.simulated >= moran.I - 1e-9).sum(),
        "less": (moran.simulated <= moran.I + 1e-9).sum(),
    }.items():
        again = global_moran(pd.Series(y), line, 200, 1, alternative=alternative, row_standardise=standardise)
        assert again.p_sim == pytest.approx((1 + count) / 201)


@pytest.mark.parametrize("star", [False, True])
def test_p_values_of_local_statistics_are_the_shares_of_all_conditional_permutations(star):
    y, line = np.array([4.0, 9.0, 7.0, 7.0, 1.0, 3.0, 2.0]), chain(7)
    line[0, 2] = 2.0
    draws = 20_000
    local = local_moran(pd.Series(y), line, draws, 5, alternative="greater").table
    hot = getis_ord(pd.Series(y), line, draws, 6, star=star, binary=False, alternative="greater").table
    z = (y - y.mean()) / y.std()
    for i in range(7):
        neighbours = np.flatnonzero(line[i])
        weight, others = line[i, neighbours], np.delete(np.arange(7), i)
        drawn = np.array([order[: len(neighbours)] for order in orders(others)])
        for values, table, factor in ((z, local, z[i]), (y, hot, 1.0)):
            simulated, observed = factor * (values[drawn] @ weight), factor * (values[neighbours] @ weight)
            exact = exact_tails(simulated, observed)[0]
            assert table["p_sim"].iloc[i] == pytest.approx(exact, abs=sampling_error(exact, draws))


def test_a_unit_at_the_mean_is_no_cluster_and_has_a_p_value_of_one():
    y = pd.Series([5.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0])
    table = local_moran(y, chain(7), 999).table
    assert (table.loc[0, "I"], table.loc[0, "p_sim"], table.loc[0, "cluster"]) == (0, 1, "ns")
    assert np.isnan(table.loc[0, "z_I"])


def test_where_weights_decide_the_statistic_there_is_no_test():
    everyone = np.ones((6, 6)) - np.eye(6)
    y = pd.Series([5.0, 1.0, 9.0, 2.0, 8.0, 3.0])
    with pytest.raises(InvalidInputError, match="neighbours all others alike"):
        global_moran(y, everyone)
    spots = getis_ord(y, everyone)
    table = spots.table
    assert np.isnan([spots.z, spots.p_analytic]).all() and table["z"].isna().all()
    assert (table["p_sim"] == 1).all() and (table["spot"] == "ns").all()


@pytest.mark.parametrize(("n", "k"), [(5, 2), (4, 3), (30, 5)])
def test_places_are_drawn_without_repeats_and_all_as_often(n, k):
    drawn = distinct_places(n, k, 24_000, 1)
    assert all(len(set(row)) == k for row in drawn[:200].tolist())
    for column in range(k):
        share = np.bincount(drawn[:, column], minlength=n) / len(drawn)
        assert np.abs(share - 1 / n).max() < 4.5 * math.sqrt(1 / n / len(drawn))
    if n < 30:
        _, count = np.unique(drawn, axis=0, return_counts=True)
        assert len(count) == math.perm(n, k)
        assert np.abs(count / len(drawn) - 1 / len(count)).max() < 4.5 * math.sqrt(1 / len(count) / len(drawn))


def test_the_same_seed_gives_the_same_p_values_and_leaves_numpys_global_state_alone():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    y = COLUMBUS["INC"]
    one, two, other = (local_moran(y, BINARY, 199, seed).table["p_sim"] for seed in (4, 4, 5))
    pd.testing.assert_series_equal(one, two)
    assert not one.equals(other)
    p = [global_moran(y, BINARY, 199, seed).simulated for seed in (4, 4, 5)]
    assert (p[0] == p[1]).all() and (p[0] != p[2]).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_imports_hide_the_progress_bars_warning_and_no_other():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_imports():
            warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)
            warnings.warn("another", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["another"]


def test_local_moran_leaves_the_warning_filters_as_they_were():
    with warnings.catch_warnings():
        before = list(warnings.filters)
        local_moran(COLUMBUS["INC"], BINARY, 9)
        getis_ord(COLUMBUS["INC"], BINARY, 9)
        assert list(warnings.filters) == before


def test_size_of_the_tests_on_noise_is_their_level():
    random, line = np.random.default_rng(8), chain(25)
    p, local, hot = [], [], []
    for i in range(120):
        y = pd.Series(random.normal(size=25))
        p.append(global_moran(y, line, 199, i).p_sim)
        local.append(local_moran(y, line, 199, i).table["p_sim"].iloc[10])
        hot.append(getis_ord(y - y.min() + 1, line, 199, i).table["p_sim"].iloc[10])
    # Of 120 tests at 10 %: outside 3 and 24 in fewer than one of a thousand.
    assert all(3 <= sum(value <= 0.1 for value in values) <= 24 for values in (p, local, hot))


def test_false_discovery_control_is_that_of_the_step_up_rule():
    table = local_moran(COLUMBUS["CRIME"], BINARY, 9999).table
    p = sorted(table["p_sim"])
    passing = [rank for rank, value in enumerate(p, start=1) if value <= 0.05 * rank / 49]
    found = local_moran(COLUMBUS["CRIME"], BINARY, 9999)
    assert (found.table["cluster"] != "ns").sum() == max(passing) > 0
    alone = local_moran(COLUMBUS["CRIME"], BINARY, 9999, fdr=False)
    assert (alone.table["cluster"] != "ns").sum() == sum(value <= 0.05 for value in p) > max(passing)


def test_clusters_on_noise_are_found_no_more_often_than_the_rate_allows():
    random, line = np.random.default_rng(2), chain(30)
    found = [
        (local_moran(pd.Series(random.normal(size=30)), line, 1999, i, alpha=0.1).table["cluster"] != "ns").any()
        for i in range(60)
    ]
    # On noise every discovery is false, so one in ten maps may have any: over 13 of 60 is one in a hundred.
    assert sum(found) <= 13


def test_a_planted_cluster_is_found_and_labelled():
    n = 12
    row, column = np.indices((n, n)).reshape(2, -1)
    near = (np.abs(np.subtract.outer(row, row)) + np.abs(np.subtract.outer(column, column))) == 1
    y = pd.Series(np.random.default_rng(0).normal(size=n * n))
    high, low = (row < 4) & (column < 4), (row > 8) & (column > 8)
    y[high] += 5
    y[low] -= 5
    y[14] = -5
    table = local_moran(y, near.astype(float), 4999).table
    assert (table.loc[high & (y > 0), "cluster"] == "HH").mean() > 0.5
    assert (table.loc[low, "cluster"] == "LL").mean() > 0.6
    assert (table.loc[14, "cluster"], table.loc[14, "cluster_zh"]) == ("LH", "低-高异常")
    assert (table.loc[~high & ~low, "cluster"] == "ns").mean() > 0.9
    spots = getis_ord(y - y.min(), near.astype(float), 4999).table
    assert (spots.loc[low, "spot"] == "cold").mean() > 0.6
    assert (spots.loc[high, "spot"] == "hot").mean() > 0.5
    assert set(spots.loc[spots["spot"] == "cold", "spot_zh"]) == {"冷点"}


# Identities


@given(maps(), st.integers(1, 50), st.integers(-100, 100))
@settings(max_examples=40, deadline=None)
def test_moran_ignores_unit_and_zero_of_the_values_and_turns_round_clusters_with_their_sign(case, scale, shift):
    y, matrix = case
    one, other = (local_moran(v, matrix, 49, fdr=False, alpha=0.2) for v in (y, scale * y + shift))
    np.testing.assert_allclose(other.table["I"], one.table["I"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.table["p_sim"], one.table["p_sim"])
    negative = local_moran(-y, matrix, 49, fdr=False, alpha=0.2).table
    np.testing.assert_allclose(negative["I"], one.table["I"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(negative["p_sim"], one.table["p_sim"])
    close_i = [global_moran(v, matrix, 49).I for v in (y, scale * y + shift, -y)]
    np.testing.assert_allclose(close_i, close_i[0], atol=1e-10)


@given(maps(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_local_morans_add_up_to_the_global_one_and_the_scatter_has_its_slope(case, standardise):
    y, matrix = case
    moran = global_moran(y, matrix, 9, row_standardise=standardise)
    local = local_moran(y, matrix, 9, row_standardise=standardise).table
    total = len(y) if standardise else matrix.sum()
    assert local["I"].sum() / total == pytest.approx(moran.I, abs=1e-10)
    if standardise:
        scatter = moran_scatter(y, matrix)
        assert scatter.slope == pytest.approx(moran.I, abs=1e-10)
        assert scatter.slope == pytest.approx(np.polyfit(scatter.table["z"], scatter.table["lag"], 1)[0], abs=1e-8)
        assert scatter.table["quadrant"].tolist() == local["quadrant"].tolist()
        assert scatter.counts["count"].sum() == len(y)


@given(maps(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_graph_is_matched_by_its_keys_and_not_by_its_order(case, random):
    y, matrix = case
    shuffled = random.sample(list(y.index), len(y))
    graph = graph_of(matrix, y.index)
    for method in (local_moran, lambda *a, **k: getis_ord(a[0] - a[0].min() + 1, *a[1:], **k)):
        straight = method(y, graph, 9).table
        mixed = method(y[shuffled], graph, 9).table
        assert mixed.index.tolist() == shuffled
        columns = [c for c in ("I", "G", "z", "expected", "variance") if c in straight]
        pd.testing.assert_frame_equal(mixed.loc[y.index, columns], straight[columns])
    both = [global_moran(y[shuffled], graph, 9).I, global_moran(y, matrix, 9).I]
    assert both[0] == pytest.approx(both[1], abs=1e-12)


def test_dense_sparse_and_graph_weights_give_the_same():
    y = COLUMBUS["INC"]
    results = [
        global_moran(y, w, 49).table
        for w in (
            BINARY,
            BINARY.tolist(),
            sparse.csr_array(BINARY),
            sparse.coo_matrix(BINARY),
            graph_of(BINARY, y.index),
        )
    ]
    for other in results[1:]:
        pd.testing.assert_frame_equal(results[0], other)


def test_moran_over_time_is_that_of_each_period_with_the_units_that_it_has():
    panel = pd.concat({2020: COLUMBUS["INC"], 2021: COLUMBUS["CRIME"]}, names=["year", "id"]).swaplevel().to_frame("x")
    graph = graph_of(BINARY, COLUMBUS.index)
    over = moran_over_time(panel, "x", graph, 99)
    assert over.table.index.name == "year"
    for year, name in ((2020, "INC"), (2021, "CRIME")):
        single = global_moran(COLUMBUS[name], BINARY, 99).table.iloc[0]
        np.testing.assert_allclose(over.table.loc[year].astype(float), single.astype(float), rtol=1e-12)
    panel.loc[(1, 2021), "x"] = np.nan
    with pytest.raises(InvalidInputError, match=r"1 unit.s. have weights but no values: 1;"):
        moran_over_time(panel, "x", graph, 9)
    matrix = pd.DataFrame(BINARY, COLUMBUS.index, COLUMBUS.index)
    partial = moran_over_time(panel, "x", lambda units: graph_of(matrix.loc[units, units].to_numpy(), units), 9)
    assert partial.table["n"].tolist() == [49, 48]


def test_summaries_count_every_unit():
    for result in (local_moran(COLUMBUS["CRIME"], BINARY, 999), getis_ord(COLUMBUS["CRIME"], BINARY, 999)):
        assert result.counts["count"].sum() == 49
        assert result.counts["share"].sum() == pytest.approx(100)
    with pytest.raises(AttributeError):
        result.n = 1


# Refusals

Y = pd.Series([1.0, 3.0, 2.0, 5.0, 4.0], index=list("abcde"))


@pytest.mark.parametrize(
    ("y", "w", "words"),
    [
        (Y.to_numpy(), chain(5), "expected a Series"),
        (Y.astype(str), chain(5), "no numbers"),
        (Y.replace(2.0, np.nan), chain(5), "missing or infinite.*first at c.*leave out the unit"),
        (Y * 0, chain(5), "same value in every unit"),
        (Y.iloc[:3], chain(3), "at least 4"),
        (pd.concat([Y, Y]), chain(10), "a has more than one value"),
        (pd.concat({2020: Y}), chain(5), "choose a year first"),
        (Y, chain(4), "expected 5 x 5, a row and a column a unit, got 4 x 4"),
        (Y, dict(enumerate(chain(5))), "expected weights as a Graph"),
        (Y, -chain(5), "must be finite and not negative"),
        (Y, chain(5) * np.nan, "must be finite and not negative"),
        (Y, chain(5) + np.eye(5), "a, b, c, d, e is its own neighbour; set the diagonal to zero"),
        (Y, np.pad(chain(4), (0, 1)), "no neighbours: e; use contiguity"),
        (Y, graph_of(chain(5), list("abcdx")), "1 unit.s. have values but no weights: e;"),
        (Y, graph_of(chain(9), list("abcdefghi")), "4 unit.s. have weights but no values: f, g, h, i;"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_its_place(y, w, words):
    for method in (global_moran, local_moran, getis_ord, moran_scatter):
        with pytest.raises(InvalidInputError, match=words):
            method(y, w)


def test_long_lists_of_units_are_cut_short_in_messages():
    with pytest.raises(InvalidInputError, match="f, g, h, i, j and 4 more"):
        global_moran(Y, graph_of(chain(14), list("abcdefghijklmn")))


def test_unknown_settings_name_the_valid_ones():
    for arguments in ({"alternative": "both"}, {"permutations": 0}, {"permutations": 9.5}, {"permutations": True}):
        for method in (global_moran, local_moran, getis_ord):
            with pytest.raises((UnknownNameError, InvalidInputError), match=r"two-sided, greater, less|whole number"):
                method(Y, chain(5), **arguments)
    with pytest.raises(UnknownNameError, match="assumption"):
        global_moran(Y, chain(5), assumption="random")
    with pytest.raises(UnknownNameError, match="null"):
        local_moran(Y, chain(5), null="none")
    for method in (local_moran, getis_ord):
        with pytest.raises(InvalidInputError, match="between 0 and 1"):
            method(Y, chain(5), alpha=5)
    with pytest.raises(InvalidInputError, match=r"negative value\(s\), the first at a.*natural zero"):
        getis_ord(Y - 2, chain(5))
    panel = pd.concat({2020: Y}, names=["year", "unit"]).swaplevel().to_frame("x")
    with pytest.raises(UnknownNameError, match=r"did you mean|valid: x"):
        moran_over_time(panel, "z", chain(5))
    with pytest.raises(InvalidInputError, match="two levels"):
        moran_over_time(Y.to_frame("x"), "x", chain(5))
    with pytest.raises(InvalidInputError, match="no value in any period"):
        moran_over_time(panel * np.nan, "x", chain(5))


# Constant and tied but for rounding

LINE = chain(12) / chain(12).sum(axis=1, keepdims=True)
RING = (np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)) / 2
ALMOST = pd.Series(np.full(12, 0.1))
ALMOST[3] = np.nextafter(0.1, 1)


def test_a_variable_that_is_constant_but_for_rounding_is_refused_like_a_constant():
    for method in (global_moran, local_moran, getis_ord, moran_scatter):
        with pytest.raises(InvalidInputError, match="the same value in every unit"):
            method(ALMOST, LINE)
    varied = pd.Series(np.arange(12.0))
    panel = pd.concat({2020: varied, 2021: ALMOST}, names=["year", "unit"]).swaplevel().to_frame("x")
    with pytest.raises(InvalidInputError, match=r"^2021: the same value in every unit"):
        moran_over_time(panel, "x", LINE)


@pytest.mark.parametrize("by", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize("weights", [LINE, RING])
def test_one_unit_that_stands_out_has_morans_i_by_its_column_of_weights(weights, by):
    y = pd.Series(np.full(12, 0.1))
    y[3] += by
    found = global_moran(y, weights, 9).I
    assert found == pytest.approx(-weights[:, 3].sum() / 11, rel=1e-6)


def test_where_every_placement_gives_the_same_i_there_is_no_z_and_the_reason_is_told():
    moran = global_moran(pd.Series(np.eye(12)[3]), RING, 99)
    assert np.isnan([moran.z, moran.p_analytic]).all() and moran.p_sim == 1
    assert "every placement of these values gives the same I" in moran.summary()
    assert global_moran(pd.Series(np.eye(12)[3]), RING, 99, assumption="normality").z == pytest.approx(0)
    above = np.triu(np.ones((5, 5)), 1)
    for fixed in (np.ones((5, 5)) - np.eye(5), np.where(above > 0, 2.0, 0.0) + np.tril(np.full((5, 5), 1e-15), -1)):
        with pytest.raises(InvalidInputError, match="both ways together, are the same"):
            global_moran(Y.reset_index(drop=True), fixed, row_standardise=False)


def test_a_unit_at_the_mean_but_for_rounding_is_at_the_mean():
    y = pd.Series([0.4, 0.1, 0.7, 0.2, 0.6, 0.3, 0.5])
    assert y.mean() != 0.4
    first = local_moran(y, chain(7), 99).table.loc[0]
    assert (first["I"], first["p_sim"], first["quadrant"][0]) == (0, 1, "L")
    assert np.isnan(first["z_I"])


def test_ties_do_not_depend_on_the_unit_of_measurement():
    y, random = pd.Series(np.random.default_rng(3).integers(0, 4, 30).astype(float)), np.random.default_rng(1)
    w = np.where(random.random((30, 30)) < 0.15, 1.0, 0.0) * (1 - np.eye(30)) + chain(30)
    for method in (local_moran, lambda *a: getis_ord(*a, star=False)):
        one, other = (method(y * unit, w, 199).table for unit in (1.0, 0.1))
        assert one["p_sim"].tolist() == other["p_sim"].tolist()
    assert global_moran(y, w, 199).p_sim == global_moran(0.1 * y, w, 199).p_sim


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_unstandardised_weights_of_any_size_give_the_same_tests(size):
    y = COLUMBUS["INC"]
    for null in ("conditional", "total"):
        one, other = (local_moran(y, BINARY * k, 199, null=null, row_standardise=False).table for k in (1.0, size))
        assert one["p_sim"].tolist() == other["p_sim"].tolist()
        np.testing.assert_allclose(other[["z_I", "p_analytic"]], one[["z_I", "p_analytic"]], rtol=1e-9)
    one, other = (getis_ord(y, BINARY * k, 199, star=False, binary=False).table for k in (1.0, size))
    np.testing.assert_allclose(other[["z", "p_sim", "G"]], one[["z", "p_sim", "G"]] * [1, 1, size], rtol=1e-9)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_values_and_weights_of_extreme_size_give_the_same_tests(size):
    y = COLUMBUS["INC"]
    one, other = (global_moran(y * k, BINARY * k, 99, row_standardise=False) for k in (1.0, size))
    close([other.I, other.z, other.p_sim], [one.I, one.z, one.p_sim])
    close(local_moran(y * size, BINARY, 99).table["z_I"], local_moran(y, BINARY, 99).table["z_I"])
    one, other = getis_ord(y, BINARY, 99), getis_ord(y * size, BINARY, 99)
    close([other.G, other.z, *other.table["z"]], [one.G, one.z, *one.table["z"]])


def test_a_unit_that_reaches_the_significance_level_exactly_is_significant():
    table = local_moran(COLUMBUS["CRIME"], BINARY, 999).table
    p = sorted(table["p_sim"])
    # p n / rank, in whole numbers of five-hundredths.
    for unit in table.index[table["p_adjusted"] < 0.2]:
        rank = max(i for i, value in enumerate(p, start=1) if value * 49 / i <= table.loc[unit, "p_adjusted"] + 1e-12)
        alpha = round(p[rank - 1] * 500) * 49 / (500 * rank)
        assert local_moran(COLUMBUS["CRIME"], BINARY, 999, alpha=alpha).table.loc[unit, "cluster"] != "ns"


def test_with_one_value_above_zero_there_is_no_general_g():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spots = getis_ord(pd.Series(np.eye(12)[3]), LINE, 99, star=False)
    assert np.isnan([spots.G, spots.z, spots.p_sim]).all()
    assert np.isnan(spots.table.loc[3, "G"]) and spots.table.loc[2, "G"] == 1


# Weights of every kind


def test_weights_of_every_kind_are_aligned_by_their_labels():
    y, other = pd.Series([1.0, 3.0, 2.0, 5.0, 4.0, 9.0], list("cabfed")), list("fedcba")
    frame = pd.DataFrame(np.triu(np.arange(36.0).reshape(6, 6), 1) + chain(6), list("abcdef"), list("abcdef"))
    graph = graph_of(frame.to_numpy(), frame.index)
    right = global_moran(y, frame.loc[y.index, y.index], 49)
    panel = pd.concat({1: y, 2: y * y}, names=["t", "u"]).swaplevel().to_frame("x")
    for w in (frame, frame.loc[other, other], frame.loc[other], graph, graph.to_W()):
        assert global_moran(y, w, 49).simulated.tolist() == right.simulated.tolist()
        assert moran_over_time(panel, "x", w, 49).table.loc[1, "p_sim"] == right.p_sim
    # Without labels: as the units first stand in the data, in each period alike.
    matrix = frame.loc[y.index, y.index].to_numpy()
    mixed = pd.concat([panel.xs(1, level="t", drop_level=False), panel.xs(2, level="t", drop_level=False).iloc[::-1]])
    for call in (
        lambda: global_moran(y, matrix, 49).I,
        lambda: moran_over_time(panel, "x", matrix, 49).table.loc[1, "I"],
        lambda: moran_over_time(mixed, "x", matrix, 49).table.loc[1, "I"],
    ):
        with pytest.warns(ClusterlibWarning, match="not their sorted order"):
            assert call() == pytest.approx(right.I, rel=1e-12)
    with pytest.warns(ClusterlibWarning):
        table = moran_over_time(mixed, "x", matrix, 49).table
    assert table.loc[2, "I"] == pytest.approx(global_moran(y * y, frame, 49).I, rel=1e-12)


# What is said of coarse p values


def test_notes_tell_what_keeps_p_values_coarse():
    assert global_moran(COLUMBUS["INC"], BINARY, 99).notes == ()
    assert global_moran(COLUMBUS["INC"], BINARY, 19).notes == ("19 permutations: no p value can be below 0.1",)
    assert "allow 24 different draws" in global_moran(pd.Series([1.0, 2.0, 3.0, 5.0]), chain(4)).summary()
    assert "allow 12 different draws" in global_moran(pd.Series(np.eye(12)[3]), LINE).notes[-1]
    few = local_moran(COLUMBUS["INC"], BINARY, 999)
    assert "fewer than 2 of 49 units cannot pass a false discovery rate of 0.05" in few.notes[0]
    assert local_moran(COLUMBUS["INC"], BINARY, 999, fdr=False).notes == ()
    assert local_moran(COLUMBUS["INC"], BINARY, 9999).notes == ()
    assert "no p value of a, b, c, d, e can be below 0.05" in getis_ord(Y, chain(5), 9999).summary()
    panel = pd.concat({1: pd.Series(np.eye(12)[3]), 2: pd.Series(np.arange(12.0))}).swaplevel().to_frame("x")
    notes = moran_over_time(panel, "x", RING, 99).notes
    assert [note[:3] for note in notes] == ["1: ", "1: "]


def test_results_show_their_table_and_how_many_units_are_in_each_kind():
    local = local_moran(COLUMBUS["CRIME"], BINARY, 999)
    shown = local.summary()
    assert shown.startswith("Local Moran's I of each unit") and "HH " in shown and "alpha: 0.05" in shown
    assert local._repr_html_().count("<tr>") == 50
    assert "Moran's I" in repr(global_moran(COLUMBUS["CRIME"], BINARY, 99))

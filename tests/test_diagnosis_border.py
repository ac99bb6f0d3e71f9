"""The border effect: recomputed from the full covariance, found where it is and not where only shocks are shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array
from scipy.stats import t

from clusterlib.diagnosis import (
    border_estimates,
    border_spillovers,
    load_growth_panel,
    pair_correlations,
)
from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.study.diagnosis._governance import SharedShocks
from clusterlib.weights import within_and_across

PER_PROVINCE = 8
NAMES = ["rho_within", "rho_across"]


def country(provinces: int | tuple, years: int, within: float, across: float, shock: float, seed: int):
    """Cities on a ring with two neighbours on either side; provinces are stretches of it, alike or of these sizes."""
    random = np.random.default_rng(seed)
    sizes = (PER_PROVINCE,) * provinces if isinstance(provinces, int) else provinces
    n, provinces = sum(sizes), len(sizes)
    ring = sum(np.roll(np.eye(n), step, axis=1) for step in (-2, -1, 1, 2)) / 4
    province = pd.Series(np.repeat(np.arange(provinces), sizes), index=range(n))
    same = np.equal.outer(province.to_numpy(), province.to_numpy())
    multiplier = np.linalg.inv(np.eye(n) - np.where(same, within * ring, across * ring))
    x, e = random.normal(size=(2, years, n))
    common = shock * random.normal(size=(years, provinces))[:, province]
    y = (multiplier @ (x + e + common).T).T
    index = pd.MultiIndex.from_product([range(years), range(n)], names=["year", "adcode"])
    data = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index).swaplevel().sort_index()
    return data, Graph.from_sparse(csr_array(ring), ids=range(n)), province


@pytest.mark.parametrize("shocks", [True, False])
def test_the_border_effect_of_a_simulated_country_is_found(shocks):
    data, graph, province = country(5, 24, 0.7, 0.14, 0.0, seed=1)
    found = border_estimates(data, "y", ["x"], graph, province, {"all": province.index, "few": [0]})
    row, before = found.loc["all"], "" if shocks else "plain_"
    assert row[f"{before}lower"] < 0.56 < row[f"{before}upper"]
    assert row[f"{before}p_equal"] < 0.001
    assert "at least 8 are needed" in found.loc["few", "reason"]


def test_shocks_that_a_province_shares_pass_for_a_border_unless_they_are_estimated():
    data, graph, province = country(8, 12, 0.15, 0.15, 1.0, seed=2)
    plain, shared = (border_spillovers(data, "y", ["x"], graph, province, shocks=s) for s in (False, True))
    assert plain.rho_within > 0.35 and plain.equality_test().p_value < 0.001
    assert shared.equality_test().p_value > 0.1
    np.testing.assert_allclose([shared.rho_within, shared.rho_across], 0.15, atol=0.15)
    assert shared.shock_share == pytest.approx(0.5, abs=0.15)
    assert shared.shocks_test().p_value < 1e-6


def test_a_border_beside_shared_shocks_is_still_found():
    data, graph, province = country(8, 16, 0.6, 0.0, 0.7, seed=3)
    result = border_spillovers(data, "y", ["x"], graph, province, shocks=True)
    table = result.table
    assert table.loc["rho_within", "lower"] < 0.6 < table.loc["rho_within", "upper"]
    assert table.loc["rho_across", "lower"] < 0.0 < table.loc["rho_across", "upper"]
    assert result.difference()[0] > 3 * result.difference()[1]


def test_estimates_have_the_coverage_and_the_test_the_size_that_they_claim():
    rejected, inside = [], []
    for seed in range(40):
        data, graph, province = country(6, 6, 0.25, 0.25, 0.8, seed=100 + seed)
        result = border_spillovers(data, "y", ["x"], graph, province, shocks=True)
        rejected.append(result.equality_test().p_value < 0.05)
        inside.append(
            result.table.loc["rho_within", ["lower", "upper"]].between(-np.inf, 0.25).tolist() == [True, False]
        )
    # Binomial bounds of 40 draws.
    assert np.mean(rejected) <= 0.15
    assert np.mean(inside) >= 0.85


@pytest.fixture(scope="module")
def small():
    # Of unlike sizes: the effects of periods then do not drop out of what provinces share.
    data, ring, province = country((4, 7, 13), 4, 0.4, 0.1, 0.6, seed=5)
    # Cut open: with fewer neighbours at the ends the weights are not symmetric.
    line = Graph.from_sparse(csr_array(np.tril(np.triu(ring.sparse.toarray(), -2), 2)), ids=range(24))
    sides = within_and_across(line, province)
    return data, province, tuple(csr_array(side.sparse) for side in (sides.within, sides.across))


def restricted_density(data, province, pair, values) -> float:
    """Log-likelihood by the normal density of all contrasts that effects of units and periods and x leave."""
    y, x = (data[name].unstack().to_numpy() for name in ("y", "x"))
    n, periods = y.shape
    system = np.eye(n) - values[0] * pair[0].toarray() - values[1] * pair[1].toarray()
    member = np.equal.outer(province.to_numpy(), province.to_numpy()).astype(float)
    ratio = values[2] / (1 - values[2])
    # Orthonormal deviations from the mean over time leave one period less, errors as they were.
    turn = np.linalg.svd(np.eye(periods) - 1 / periods)[0][:, : periods - 1]
    left, x = (system @ y @ turn).T.ravel(), (x @ turn).T.ravel()
    design = np.column_stack([x, np.kron(np.eye(periods - 1), np.ones((n, 1)))])
    whole = np.kron(np.eye(periods - 1), np.eye(n) + ratio * member)
    contrasts = np.linalg.svd(design)[0][:, design.shape[1] :]
    spread, seen = contrasts.T @ whole @ contrasts, contrasts.T @ left
    m = len(seen)
    sigma2 = seen @ np.linalg.solve(spread, seen) / m
    density = -(m * np.log(2 * np.pi * sigma2) + np.linalg.slogdet(spread)[1] + m) / 2
    return density + (periods - 1) * np.linalg.slogdet(system)[1]


@pytest.mark.parametrize("values", [(0.3, 0.1, 0.4), (-0.2, 0.3, 0.0), (0.0, 0.0, 0.8)])
def test_the_likelihood_is_the_normal_density_of_what_effects_and_x_leave(small, values):
    data, province, pair = small
    model = SharedShocks(data, "y", ["x"], pair, province)
    value, slope = model.loglik(np.array(values))
    nil = np.zeros(3)
    constant = model.loglik(nil)[0] - restricted_density(data, province, pair, nil)
    assert value - restricted_density(data, province, pair, values) == pytest.approx(constant, rel=1e-9, abs=1e-8)
    steps = np.eye(3) * 1e-5
    ahead = [restricted_density(data, province, pair, values + step) for step in steps]
    # The share has no values below nil, so its slope there is taken forward.
    at = restricted_density(data, province, pair, values)
    behind = [
        restricted_density(data, province, pair, values - step) if values[2] or not step[2] else at for step in steps
    ]
    width = [2e-5, 2e-5, 2e-5 if values[2] else 1e-5]
    np.testing.assert_allclose(slope, (np.array(ahead) - behind) / width, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("values", [(0.5, 0.2, 0.4), (0.3, 0.6, 0.0)])
def test_what_effects_take_from_the_scores_of_the_rhos_is_what_they_take_on_average(small, values):
    data, province, pair = small
    model, random = SharedShocks(data, "y", ["x"], pair, province), np.random.default_rng(0)
    within, across, share = values
    n, periods = 24, 4
    sides = [side.toarray() for side in pair]
    multiplier = np.linalg.inv(np.eye(n) - within * sides[0] - across * sides[1])
    x, scores = data["x"].unstack().to_numpy(), []
    for _ in range(150):
        shocks = np.sqrt(share / (1 - share)) * random.normal(size=(3, periods))[province]
        y = multiplier @ (x + 2 + random.normal(size=(n, periods)) + shocks)
        drawn = SharedShocks(data.assign(y=y.ravel()), "y", ["x"], pair, province)
        scores.append([drawn.loglik(np.array(values), adjusted)[1][:2] for adjusted in (False, True)])
    plain, unbiased = np.mean(scores, axis=0)
    error = np.std(scores, axis=0)[1] / np.sqrt(len(scores))
    assert (np.abs(unbiased) < 3.5 * error).all()
    assert (np.abs(plain) > 4 * error).any()
    # The same for every sample: it depends on the map and x alone.
    lost = model.loglik(np.array(values), True)[1] - model.loglik(np.array(values))[1]
    np.testing.assert_allclose(lost[:2], unbiased - plain, rtol=1e-9)
    assert lost[2] == 0


def test_estimates_are_where_the_unbiased_scores_are_nil(small):
    data, province, pair = small
    model = SharedShocks(data, "y", ["x"], pair, province)
    plain, shared = model.results()
    for result in (plain, shared):
        free = 3 if result.shock_share > 0 else 2
        assert np.abs(model.loglik(result.params.to_numpy(), True)[1][:free]).max() < 1e-5
    assert plain.shock_share == 0 and np.isnan(plain.std_errors["shock_share"])
    assert shared.loglik >= plain.loglik
    assert model.climb((0.1, 0.1, 0.3))[0] <= shared.loglik + 1e-6
    assert shared.residuals.groupby("adcode").mean().abs().max() < 1e-8


def test_the_difference_has_the_error_of_two_estimates_that_go_together_and_t_of_the_shocks(small):
    data, province, pair = small
    plain, shared = SharedShocks(data, "y", ["x"], pair, province).results()
    gap, error = shared.difference()
    variances = shared.covariance.loc[NAMES, NAMES].to_numpy()
    assert gap == shared.rho_within - shared.rho_across
    assert error**2 == pytest.approx(variances[0, 0] + variances[1, 1] - 2 * variances[0, 1], rel=1e-12)
    assert shared.df_inference == (3 - 1) * (4 - 1)
    test = shared.equality_test()
    assert (test.distribution, test.df) == ("F", (1, 6)) and test.statistic == pytest.approx((gap / error) ** 2)
    ratio = shared.shocks_test()
    assert ratio.statistic == pytest.approx(2 * (shared.loglik - plain.loglik), rel=1e-6)
    # On the bound half the distribution lies at nil: 2.706 is the five percent point, not 3.841.
    assert replace(shared, loglik=plain.loglik + 2.7055 / 2).shocks_test().p_value == pytest.approx(0.05, abs=1e-4)
    assert plain.shocks_test().p_value == 1


def test_few_units_and_years_do_not_draw_the_estimates_toward_nil():
    found = []
    for seed in range(30):
        data, graph, province = country(3, 5, 0.3, 0.3, 0.0, seed=200 + seed)
        found.append(border_spillovers(data, "y", ["x"], graph, province, shocks=True).params[NAMES].to_numpy())
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - 0.3) < 2.6 * error).all()


def test_areas_have_their_own_estimates_with_interval_and_smallest_detectable_difference():
    data, graph, province = country(5, 9, 0.5, 0.1, 0.5, seed=6)
    found = border_estimates(data, "y", "x", graph, province, {"all": province.index, "some": range(8, 20), "few": [3]})
    own = border_spillovers(data, "y", "x", graph, province, range(8, 20), shocks=True)
    row = found.loc["some"]
    assert row["difference"] == own.difference()[0] and row["se_difference"] == own.difference()[1]
    assert (row["units"], row["periods"], row["jurisdictions"]) == (16, 9, own.settings["jurisdictions"])
    bound = t.ppf(0.975, own.df_inference) * row["se_difference"]
    np.testing.assert_allclose(row[["lower", "upper"]].astype(float), row["difference"] + np.array([-bound, bound]))
    assert bound < row["detectable"] < 2 * bound
    assert found.loc["all", "units"] == 40 and found.loc["all", "reason"] == ""
    assert "at least 8 are needed" in found.loc["few", "reason"] and np.isnan(found.loc["few", "difference"])
    with pytest.raises(InvalidInputError, match="units of each area"):
        border_estimates(data, "y", "x", graph, province, [1, 2])


def test_the_two_weights_are_those_of_within_and_across_and_incomplete_units_are_left_out():
    data, graph, province = country(4, 9, 0.3, 0.1, 0.5, seed=4)
    gappy = data.drop((3, 2))
    # Two cities on either side of the province have neighbours in it.
    units = list(range(6, 18))
    found = border_spillovers(gappy, "y", "x", graph, province, range(8, 16), shocks=True)
    assert found.residuals.index.unique(0).tolist() == units
    sides = within_and_across(graph.subgraph(units), province)
    pair = [csr_array(side.sparse) for side in (sides.within, sides.across)]
    expected = SharedShocks(gappy.loc[units], "y", ["x"], pair, province).results()[1]
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-9)
    assert 3 not in border_spillovers(gappy, "y", "x", graph, province).residuals.index.unique(0)


def test_weights_are_aligned_by_label_whatever_they_come_in():
    data, graph, province = country(4, 9, 0.3, 0.1, 0.5, seed=4)
    order = np.random.default_rng(0).permutation(32)
    matrix = pd.DataFrame(graph.sparse.toarray(), range(32), range(32))
    # Rows of the data, of the weights and of the jurisdictions each in an order of their own.
    mixed = data.sample(frac=1, random_state=1)
    expected = border_spillovers(data, "y", "x", graph, province, shocks=True).params
    for w in (graph.to_W(), matrix.iloc[order, order], matrix.iloc[order]):
        found = border_spillovers(mixed, "y", "x", w, province.iloc[order[::-1]], shocks=True).params
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    first = mixed.index.unique(0)
    with pytest.warns(ClusterlibWarning, match="not their sorted order"):
        found = border_spillovers(mixed, "y", "x", matrix.loc[first, first].to_numpy(), province, shocks=True).params
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    pairs = [
        pair_correlations(mixed, "y", w, province, permutations=9).table for w in (graph, matrix.iloc[order, order])
    ]
    pd.testing.assert_frame_equal(*pairs)


def test_estimates_with_shared_shocks_keep_the_protocol_of_results():
    data, graph, province = country(4, 9, 0.3, 0.1, 0.5, seed=4)
    result = border_spillovers(data, "y", "x", graph, province, shocks=True)
    assert (result.nobs, result.n_units, result.n_periods) == (288, 32, 9)
    assert result.df_resid == 288 - 1 - (32 + 9 - 1)
    # Two rhos, the share, the slope, the variance and the effects.
    assert result.n_parameters == 2 + 1 + 1 + 1 + 40
    assert result.aic == pytest.approx(2 * 45 - 2 * result.loglik)
    assert result.tests["equality"].p_value == result.equality_test().p_value
    assert result.tests["equality"].df == (1, 24) and result.tests["shocks"].null == "no shared shocks"
    assert "辖区共同冲击" in str(result.summary()) and "likelihood ratio" in str(result.summary())
    half = result.conf_int(0.5)
    assert (half["upper"] - half["lower"]).lt(result.table["upper"] - result.table["lower"]).all()


def test_too_few_units_pairs_and_years_are_refused_with_their_number():
    data, graph, province = country(3, 6, 0.3, 0.1, 0.0, seed=4)
    with pytest.raises(InvalidInputError, match="with their neighbours: at least 8"):
        border_spillovers(data, "y", ["x"], graph, province, [12])
    with pytest.raises(InvalidInputError, match="of neighbours across the border: at least 6"):
        border_spillovers(data, "y", ["x"], graph, pd.Series(0, province.index))
    with pytest.raises(InvalidInputError, match="jurisdiction: 20 has no label"):
        border_spillovers(data, "y", ["x"], graph, province.drop(20))


def test_city_growth_leaves_out_the_census_year_and_what_is_no_growth():
    panel, graph, province = load_growth_panel()
    years = panel.index.unique("year")
    assert years.min() == 2006 and years.max() == 2020 and 2019 not in years
    assert set(panel.index.unique("adcode")) == set(graph.unique_ids) == set(province.index)
    growth = panel["growth"].unstack("year")
    # A county went from Anqing (340800) to Tongling (340700) at the end of 2015, and both stay in other years.
    assert growth.loc[[340700, 340800], 2015].isna().all()
    assert growth.loc[[340700, 340800], 2014].notna().all()
    everything = load_growth_panel(outliers=np.inf)[0]["growth"].unstack("year")
    assert (everything.notna() | growth.isna()).all(axis=None)
    assert everything.loc[340700, 2015] > 15
    with pytest.raises(UnknownNameError, match="outcome"):
        load_growth_panel(outcome="gpd")


def test_shares_grow_in_percentage_points():
    from clusterlib.data import load_panel

    panel, _, _ = load_growth_panel(outcome="value_added_tertiary_share", years=(2010, 2012))
    share = load_panel("city", "value_added_tertiary_share")["value_added_tertiary_share"]
    row = panel.loc[(320100, 2011)]
    assert row["growth"] == pytest.approx(share[320100, 2011] - share[320100, 2010])
    assert row["initial"] == share[320100, 2010]


def test_pairs_tell_shared_shocks_from_spillovers_that_stop_at_the_border():
    for within, across, shock, stopped in ((0.7, 0.0, 0.0, True), (0.1, 0.1, 1.5, False)):
        data, graph, province = country(12, 30, within, across, shock, seed=6)
        result = pair_correlations(data, "y", graph, province, permutations=199)
        gap = result.premiums.loc["difference"]
        assert (gap["lower"] > 0) == stopped
        # Whatever the cause, cities of a province move alike.
        assert result.table.loc["neighbours_within", "correlation"] > 0.2
    assert result.table.loc["others_within", "correlation"] > 0.3


def test_pair_correlations_are_those_of_numpy_by_kind_of_pair():
    data, graph, province = country(3, 10, 0.4, 0.1, 0.5, seed=7)
    distance = pd.DataFrame(np.abs(np.subtract.outer(range(24), range(24))) * 60.0, range(24), range(24))
    result = pair_correlations(data, "y", graph, province, distance=distance, permutations=9)
    y = data["y"].unstack()
    left = y.sub(y.mean(axis=1), axis=0)
    correlation = np.corrcoef(left - left.mean())
    steps = np.abs(np.subtract.outer(range(24), range(24)))
    near = np.minimum(steps, 24 - steps) <= 2
    same = np.equal.outer(province.to_numpy(), province.to_numpy())
    upper = np.triu(np.ones((24, 24), dtype=bool), 1)
    expected = {"neighbours_within": near & same, "others_within": ~near & same}
    expected |= {"neighbours_across": near & ~same, "others_across": ~near & ~same}
    for kind, chosen in expected.items():
        assert result.table.loc[kind, "pairs"] == (chosen & upper).sum()
        assert result.table.loc[kind, "correlation"] == pytest.approx(correlation[chosen & upper].mean(), abs=1e-12)
    gaps = []
    for left_out in range(3):
        there = province.to_numpy() != left_out
        kept = upper & there[:, None] & there[None, :]
        means = [correlation[chosen & kept].mean() for chosen in expected.values()]
        gaps.append(means[0] - means[1] - means[2] + means[3])
    error = np.sqrt(2 / 3 * ((np.array(gaps) - np.mean(gaps)) ** 2).sum())
    assert result.premiums.loc["difference", "std_error"] == pytest.approx(error, abs=1e-12)
    # One step is 60 km: only direct neighbours are below 100.
    first = result.by_distance.loc[100]
    assert first["pairs_within"] == 21 and first["pairs_across"] == 2
    part = pair_correlations(data, "y", graph, province, units=[0], permutations=9)
    assert part.table["pairs"].tolist() == [2, 5, 2, 14]


def test_permutation_stays_within_a_province():
    # Cities of a province that are all the same may change places, and nothing changes.
    random = np.random.default_rng(0)
    _, graph, province = country(4, 2, 0.0, 0.0, 0.0, seed=1)
    series = random.normal(size=(4, 10))[province]
    index = pd.MultiIndex.from_product([province.index, range(10)], names=["adcode", "year"])
    alike = pd.DataFrame({"y": series.ravel()}, index)
    result = pair_correlations(alike, "y", graph, province, permutations=50)
    assert result.premiums.loc["across", "p_value"] == 1


def test_neighbours_that_are_more_alike_have_a_small_p_value_and_those_that_are_less_a_large_one():
    data, graph, province = country(8, 20, 0.7, 0.0, 0.5, seed=10)
    assert pair_correlations(data, "y", graph, province, permutations=199).premiums.loc["within", "p_value"] == 0.005
    data, graph, province = country(8, 20, -0.7, 0.0, 0.5, seed=10)
    assert pair_correlations(data, "y", graph, province, permutations=199).premiums.loc["within", "p_value"] > 0.9


def test_permutation_is_uniform_where_nearness_means_nothing():
    values = []
    for seed in range(25):
        data, graph, province = country(4, 8, 0.0, 0.0, 1.0, seed=200 + seed)
        values.append(pair_correlations(data, "y", graph, province, permutations=99).premiums.loc["within", "p_value"])
    assert 0.3 < np.mean(values) < 0.7
    assert np.mean(np.array(values) < 0.05) <= 0.2


def test_pairs_need_periods_and_every_kind():
    data, graph, province = country(3, 3, 0.1, 0.1, 0.0, seed=8)
    with pytest.raises(InvalidInputError, match="correlations over time need at least 4"):
        pair_correlations(data, "y", graph, province)
    data, graph, province = country(1, 6, 0.1, 0.1, 0.0, seed=8)
    with pytest.raises(InvalidInputError, match="no pair of the kind 'neighbours_across'"):
        pair_correlations(data, "y", graph, province)

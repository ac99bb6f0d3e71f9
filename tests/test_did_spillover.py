"""Spillovers: dummies from statsmodels, rings from diff-diff, known truth, weights in any form."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from clusterlib.did import spillover_did, twoway_did
from clusterlib.errors import InvalidInputError, UnknownNameError

UNITS, YEARS = 40, range(2010, 2018)


def line(units=UNITS, reach=1) -> np.ndarray:
    """Neighbours on a line up to ``reach`` places away."""
    place = np.arange(units)
    gap = np.abs(place[:, None] - place)
    return ((gap > 0) & (gap <= reach)).astype(float)


def panel(
    direct=2.0, on_untreated=-1.0, on_treated=0.5, seed=0, common=False, noise=0.2
) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(UNITS), YEARS], names=["adcode", "year"])
    first = pd.Series(np.inf, index=range(UNITS))
    first[[2, 3, 10, 11, 12, 25]] = 2014.0 if common else [2013, 2013, 2015, 2015, 2015, 2016]
    treated = (first.to_numpy()[:, None] <= np.array(YEARS)).astype(float)
    share = line() / line().sum(axis=1, keepdims=True) @ treated
    effect = treated * direct + share * np.where(treated > 0, on_treated, on_untreated)
    level, trend = random.normal(size=(UNITS, 1)), random.normal(size=len(YEARS))
    y = level + trend + effect + noise * random.normal(size=treated.shape)
    return pd.DataFrame({"y": y.ravel(), "x": random.normal(size=y.size)}, index=index), first


def graph(matrix: np.ndarray, ids):
    from libpysal.graph import Graph

    return Graph.from_sparse(sparse.coo_array(matrix), ids=list(ids))


def test_known_direct_and_spillover_effects_are_found_where_ignoring_them_is_wrong():
    panels = [panel(seed=seed, noise=0.1) for seed in range(30)]
    mean = pd.DataFrame([spillover_did(data, "y", first, line()).table["estimate"] for data, first in panels]).mean()
    np.testing.assert_allclose(mean, [2.0, -1.0, 0.5], atol=0.04)
    assert np.mean([twoway_did(data, "y", first, draws=0).estimate for data, first in panels]) > 2.2


def test_coefficients_and_errors_equal_dummy_regression():
    import statsmodels.api as sm

    data, first = panel()
    treated = (first.to_numpy()[:, None] <= np.array(YEARS)).astype(float).ravel()
    share = ((line() / line().sum(axis=1, keepdims=True)) @ treated.reshape(UNITS, -1)).ravel()
    unit, year = (data.index.get_level_values(level) for level in (0, 1))
    dummies = [pd.get_dummies(unit, dtype=float), pd.get_dummies(year, drop_first=True, dtype=float)]
    X = np.column_stack([treated, (1 - treated) * share, treated * share, data["x"], *dummies])
    plain = sm.OLS(data["y"].to_numpy(), X).fit(cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False})
    result = spillover_did(data, "y", first, line(), "x")
    np.testing.assert_allclose(result.table["estimate"], plain.params[:4], rtol=1e-9)
    factor = (40 / 39 * 319 / (320 - 4 - 8)) ** 0.5
    np.testing.assert_allclose(result.table["std_error"], plain.bse[:4] * factor, rtol=1e-9)
    means = [share[(treated == 0) & (share > 0)].mean(), share[treated == 1].mean()]
    combined = plain.t_test(np.eye(len(plain.params))[0] + means[1] * np.eye(len(plain.params))[2])
    effects = result.effects
    assert effects.loc["spillover on untreated", "estimate"] == pytest.approx(means[0] * plain.params[1])
    assert effects.loc["total on treated", "estimate"] == pytest.approx(float(combined.effect[0]))
    assert effects.loc["total on treated", "std_error"] == pytest.approx(float(combined.sd[0, 0]) * factor)
    simple = twoway_did(data, "y", first, "x", draws=0)
    assert effects.loc["ignoring spillovers", ["estimate", "std_error"]].tolist() == [simple.estimate, simple.std_error]


def test_one_date_and_any_exposure_equal_rings_in_diff_diff():
    from diff_diff import SpilloverDiD

    data, first = panel(common=True)
    # Rings give one effect to all treated units, so none of them may be exposed.
    first[[3, 11, 12]] = np.inf
    long = data.reset_index().assign(lat=0.0, first=lambda d: d["adcode"].map(first).replace(np.inf, 0))
    long["lon"] = long["adcode"] / 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rings = SpilloverDiD(rings=[0.0, 12.0], conley_coords=("lat", "lon")).fit(
            long, outcome="y", unit="adcode", time="year", first_treat="first"
        )
    result = spillover_did(data, "y", first, line(), exposure="any")
    assert result.table.loc["treated", "estimate"] == pytest.approx(float(rings.att), rel=1e-8)
    spill = float(rings.spillover_effects["coef"].iloc[0])
    assert result.table.loc["exposure of untreated", "estimate"] == pytest.approx(spill, rel=1e-8)


def test_weights_may_be_a_graph_a_matrix_or_sparse_and_need_not_be_standardised():
    data, first = panel()
    base = spillover_did(data, "y", first, line())
    order = np.random.default_rng(1).permutation(UNITS)
    mixed = line()[order][:, order]
    labelled = graph(mixed, order)
    shuffled = data.sample(frac=1, random_state=1)
    for w in (graph(line(), range(UNITS)), labelled, labelled.to_W(), pd.DataFrame(mixed, order, order)):
        pd.testing.assert_frame_equal(spillover_did(shuffled, "y", first, w).table, base.table)
    for w in (line() * 7, sparse.csr_array(line())):
        pd.testing.assert_frame_equal(spillover_did(data, "y", first, w).table, base.table)
    assert base.exposure.loc[1, 2013] == 0.5 and base.exposure.loc[1, 2012] == 0


def test_units_outside_the_panel_count_as_neighbours_if_their_dates_are_given():
    data, first = panel()
    inside = data.drop([2, 3], level=0)
    result = spillover_did(inside, "y", first, graph(line(), range(UNITS)))
    assert result.exposure.loc[4, 2013] == 0.5
    assert result.units == UNITS - 2
    treated = first.reindex(inside.index.get_level_values(0)).to_numpy() <= inside.index.get_level_values(1)
    with pytest.raises(InvalidInputError, match=r"2 unit\(s\) have weights but no rows, the first is 2"):
        spillover_did(inside.assign(now=treated.astype(int)), "y", "now", graph(line(), range(UNITS)))


def test_exposure_of_any_is_whether_and_of_share_is_how_many():
    data, first = panel()
    share, some = (spillover_did(data, "y", first, line(reach=2), exposure=kind) for kind in ("share", "any"))
    assert ((share.exposure > 0) == (some.exposure == 1)).all(axis=None)
    assert share.exposure.loc[4, 2013] == 0.5 and some.exposure.loc[4, 2013] == 1
    treated = first.to_numpy()[:, None] <= np.array(YEARS)
    assert share.exposed_untreated == int(((share.exposure > 0).to_numpy() & ~treated).sum())
    assert share.exposed_treated == int(((share.exposure > 0).to_numpy() & treated).sum())


def test_designs_without_spillovers_or_weights_are_refused():
    data, first = panel()
    with pytest.raises(InvalidInputError, match=r"1 unit\(s\) have values but no weights: 39"):
        spillover_did(data, "y", first, graph(line(39), range(39)))
    pairs = np.kron(np.eye(UNITS // 2), [[0, 1], [1, 0]])
    with pytest.raises(InvalidInputError, match="no untreated unit ever has a treated neighbour"):
        spillover_did(data, "y", pd.Series({2: 2013, 3: 2013}), pairs)
    with pytest.raises(UnknownNameError, match="unknown exposure 'both'"):
        spillover_did(data, "y", first, line(), exposure="both")
    with pytest.raises(InvalidInputError, match="expected 40 x 40"):
        spillover_did(data, "y", first, line(12))
    with pytest.raises(InvalidInputError, match="missing or infinite"):
        spillover_did(data.assign(y=np.nan), "y", first, line())
    with pytest.raises(UnknownNameError, match="unknown column 'z'"):
        spillover_did(data, "z", first, line())


def test_an_exposure_of_treated_units_that_does_not_occur_is_left_out():
    data, _ = panel()
    result = spillover_did(data, "y", pd.Series({5: 2013, 20: 2015}), line())
    assert list(result.table.index) == ["treated", "exposure of untreated"]
    effects = result.effects["estimate"]
    assert effects["direct"] == effects["total on treated"]

"""Regimes of the border: recomputed with dense inverses, obeying what must hold, corrected for dummies of years."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from scipy.sparse import csr_array

import clusterlib as cl
from clusterlib.data import load_panel, load_units
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.scenario import border_model, border_pairs, border_response, why_no_border
from clusterlib.study.scenario._borders import FEWEST_PAIRS, interval, propagate

UNITS = 12
RING = sum(np.roll(np.eye(UNITS), step, axis=1) for step in (-1, 1)) / 2


def drawn(result, names, draws: int, seed: int) -> np.ndarray:
    """Draws from the estimates' normal distribution by hand, the estimates themselves first."""
    mean, covariance = result.params[names].to_numpy(), result.covariance.loc[names, names].to_numpy()
    errors = np.sqrt(np.diag(covariance))
    root = errors[:, None] * np.linalg.cholesky(covariance / np.outer(errors, errors))
    normal = np.random.default_rng(seed).standard_normal((draws, len(names)))
    return np.vstack([mean, mean + normal @ root.T])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-0.999, 0.999), min_size=2, max_size=2), st.integers(0, 5))
def test_impulses_come_to_what_the_dense_inverse_says(rhos, seed):
    same = np.equal.outer(np.arange(UNITS) // 4, np.arange(UNITS) // 4)
    within, across = np.where(same, RING, 0), np.where(same, 0, RING)
    impulses = np.random.default_rng(seed).normal(size=(UNITS, 3))
    reached = propagate([csr_array(within), csr_array(across)], np.array(rhos)[:, None], impulses[..., None])[..., 0]
    expected = np.linalg.inv(np.eye(UNITS) - rhos[0] * within - rhos[1] * across) @ impulses
    np.testing.assert_allclose(reached, expected, rtol=1e-8, atol=1e-9)


def test_draws_of_small_and_large_rhos_stay_in_their_order():
    rhos = np.random.default_rng(0).permutation(np.linspace(-0.99, 0.99, 450))
    impulses = np.arange(UNITS * 450.0).reshape(UNITS, 450) % 7
    together = propagate([csr_array(RING)], rhos[None], impulses)
    for draw in range(0, 450, 30):
        expected = np.linalg.solve(np.eye(UNITS) - rhos[draw] * RING, impulses[:, draw])
        np.testing.assert_allclose(together[:, draw], expected, rtol=1e-9, atol=1e-9)


def test_an_unstable_rho_and_weights_that_multiply_are_refused():
    with pytest.raises(InvalidInputError, match="a rho of 1 in modulus"):
        propagate([csr_array(RING)], np.array([[1.0]]), np.ones((UNITS, 1)))
    with pytest.raises(InvalidInputError, match="a row of the weights sums to 2"):
        propagate([csr_array(2 * RING)], np.array([[0.5]]), np.ones((UNITS, 1)))


PROVINCE = np.arange(UNITS) // 4
SAME = np.equal.outer(PROVINCE, PROVINCE)
WITHIN, ACROSS = np.where(SAME, RING, 0), np.where(SAME, 0, RING)


def rhos(within: float, across: float, spread: float = 0.01) -> SimpleNamespace:
    names = ["initial", "rho_within", "rho_across"]
    covariance = pd.DataFrame(np.eye(3) * spread**2, names, names)
    return SimpleNamespace(params=pd.Series([-0.1, within, across], names), covariance=covariance)


def impulse(*units: int, size: float = 1.0) -> pd.Series:
    return pd.Series(np.where(np.isin(np.arange(UNITS), units), size, 0.0))


def test_regimes_of_the_border_are_recomputed_with_dense_inverses():
    first = impulse(0, 1, 5, 6)
    result = rhos(0.5, 0.2, 0.05)
    found = border_response(result, WITHIN, ACROSS, first, draws=6, seed=4)
    for d, (inside, outside) in enumerate(drawn(result, ["rho_within", "rho_across"], 6, 4)):
        for regime, across in (("alone", 0.0), ("present", outside), ("joint", inside)):
            expected = np.linalg.inv(np.eye(UNITS) - inside * WITHIN - across * ACROSS) @ first
            np.testing.assert_allclose(getattr(found, regime)[:, d], expected, rtol=1e-9, atol=1e-12)


def test_joint_targets_add_nothing_where_borders_stop_nothing_and_acting_alone_loses_nothing_where_they_stop_all():
    open_, closed = rhos(0.4, 0.4), rhos(0.4, 0.0)
    found = border_response(open_, WITHIN, ACROSS, impulse(0, 4), draws=3)
    np.testing.assert_allclose(found.joint[:, 0], found.present[:, 0], rtol=1e-12)
    found = border_response(closed, WITHIN, ACROSS, impulse(0, 4), draws=3)
    np.testing.assert_allclose(found.alone[:, 0], found.present[:, 0], rtol=1e-12)
    assert (found.joint[:, 0] > found.alone[:, 0]).all()
    inland, coast = np.arange(UNITS) < 6, np.arange(UNITS) >= 6
    within, across = RING * np.outer(inland, inland), RING * np.outer(coast, coast)
    found = border_response(rhos(0.4, 0.2), within, across, impulse(0, 4), draws=3)
    np.testing.assert_allclose(found.joint, found.alone, rtol=1e-12)
    found = border_response(rhos(0.0, 0.3, 1e-9), WITHIN, ACROSS, impulse(0, 4), draws=3)
    np.testing.assert_allclose(found.joint[:, 0], impulse(0, 4), atol=1e-12)


def test_alone_a_province_has_only_what_it_does_itself():
    own, all_ = (
        border_response(rhos(0.5, 0.2), WITHIN, ACROSS, impulse(*units), draws=3)
        for units in ((0, 1, 2, 3), tuple(range(12)))
    )
    np.testing.assert_allclose(own.alone[:4], all_.alone[:4], rtol=1e-12)
    assert not own.alone[4:].any()
    assert (all_.joint[:4, 0] > own.joint[:4, 0]).all()


def test_the_border_response_is_linear_and_counts_unstable_draws():
    one, three = (border_response(rhos(0.6, 0.1), WITHIN, ACROSS, impulse(2, size=s), draws=9) for s in (1.0, 3.0))
    np.testing.assert_allclose(3 * one.joint, three.joint, rtol=1e-9)
    assert one.rejected == 0
    assert border_response(rhos(0.9, 0.1, 0.2), WITHIN, ACROSS, impulse(2), draws=40).rejected > 0
    with pytest.raises(InvalidInputError, match="the first at 3, 'impulse': an impulse is zero where there is none"):
        border_response(rhos(0.6, 0.1), WITHIN, ACROSS, impulse(2).where(lambda s: s.index != 3))


def test_bounds_are_percentiles_of_the_draws_and_the_estimate_is_none_of_them():
    assert interval(np.concatenate([[7.0], np.arange(101.0)]), 0.9).tolist() == pytest.approx([7, 5, 95])


def fitted(share: float, spread: np.ndarray, periods: int = 7) -> SimpleNamespace:
    names = ["rho_within", "rho_across", "shock_share"]
    return SimpleNamespace(
        params=pd.Series([0.3, 0.1, share], names), covariance=pd.DataFrame(spread, names, names), n_units=UNITS,
        n_periods=periods,
    )  # fmt: skip


def test_growth_across_a_regions_borders_is_estimated_without_the_bias_of_dummies():
    from clusterlib.diagnosis import border_spillovers

    model, random, errors = border_model("yrd"), np.random.default_rng(0), []
    within, across, periods = model.within.sparse, model.across.sparse, model.result.n_periods
    units, province = model.gdp.index, model.province.factorize()[0]
    inverse = np.linalg.inv(np.eye(len(units)) - 0.3 * within.toarray())
    index = pd.MultiIndex.from_product([units, range(periods)])
    graph = Graph.from_sparse(csr_array(within + across), ids=units)
    for _ in range(30):
        x, noise = random.normal(size=(2, len(units), periods))
        shared = random.normal(size=(province.max() + 1, periods))[province]
        y = inverse @ (0.3 * x + np.sqrt(0.8) * noise + np.sqrt(0.2) * shared)
        panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index)
        result = border_spillovers(panel, "y", ["x"], graph, model.province, shocks=True)
        errors.append(result.rho_across)
    # With dummies left as they are it is -0.1.
    assert abs(np.mean(errors)) < 0.04


def test_pairs_across_a_border_inside_a_region_are_neighbours_of_two_provinces_with_growth_in_every_year():
    from clusterlib.data import load_boundaries
    from clusterlib.diagnosis import load_growth_panel
    from clusterlib.weights import contiguity

    panel, *_ = load_growth_panel()
    panel = panel[panel.index.get_level_values("year") > 2012]
    full = panel.groupby(level="adcode").size() == panel.index.unique("year").size
    shapes, count = load_boundaries("city"), {}
    for region in cl.regions.REGIONS:
        own = [code for code in cl.regions.get_region(region).adcodes("city") if full.get(code, False)]
        links = contiguity(shapes.loc[own]).adjacency if own else pd.Series(dtype=float)
        links = links[links > 0].index
        count[region] = sum(one < other and one // 10_000 != other // 10_000 for one, other in links)
    assert {region: border_pairs(region) for region in count} == count
    assert count["yrd"] >= FEWEST_PAIRS > count["bth"]


def test_a_region_with_hardly_a_border_inside_it_is_refused_and_told_what_would_be_needed():
    with pytest.raises(InvalidInputError, match=r"gba has 0 pair.*at least 20 are needed: take the nation's"):
        border_model("gba")
    said = why_no_border("gba")
    assert said is not None and "0 pair(s)" in said.en and "0对" in said.zh
    assert why_no_border("yrd") is None
    with pytest.raises(UnknownNameError, match="unknown outcome 'light'; did you mean 'lights'"):
        border_model("yrd", "light")


def test_the_model_of_a_region_is_that_of_the_diagnosis_on_its_cities_and_their_neighbours():
    from clusterlib.diagnosis import border_spillovers, load_growth_panel

    panel, graph, province = load_growth_panel()
    panel = panel[panel.index.get_level_values("year") > 2012]
    graph = graph.subgraph(panel.index.unique("adcode"))
    cities = cl.regions.get_region("yrd").adcodes("city")
    expected = border_spillovers(panel, "growth", ["initial"], graph, province, cities, shocks=True)
    model = border_model("yrd")
    pd.testing.assert_series_equal(model.result.params, expected.params, rtol=1e-9)
    pd.testing.assert_series_equal(model.params, expected.params[["rho_within", "rho_across"]], rtol=1e-9)
    gdp = load_panel("city", "gdp", years=2020)["gdp"].droplevel("year")
    pd.testing.assert_series_equal(model.gdp, gdp.reindex(model.gdp.index))
    assert (model.province == load_units()["province"].reindex(model.province.index)).all()

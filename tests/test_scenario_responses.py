"""Responses of models: recomputed with a dense inverse, obeying what must hold, and finding simulated truth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from clusterlib.composite import composite_index
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.scenario import (
    border_response,
    durbin_response,
)
from clusterlib.spatial_panel import cluster_covariance, spatial_panel
from clusterlib.study.scenario._remedies import (
    index_change,
    raise_indicators,
    region_totals,
    unit_table,
    waking_factors,
)
from clusterlib.study.scenario._responses import propagate

UNITS, YEARS = 12, 9
RING = sum(np.roll(np.eye(UNITS), step, axis=1) for step in (-1, 1)) / 2
NAMES = ["digital", "control"]


def made_panel(seed: int, memory: float = 0.0, units: int = UNITS, years: int = YEARS, noise: float = 0.3) -> tuple:
    """A panel by a Durbin model with known slopes, its errors with memory, and the ring of its units."""
    random = np.random.default_rng(seed)
    ring = sum(np.roll(np.eye(units), step, axis=1) for step in (-1, 1)) / 2
    shocks = random.normal(size=(3, units, years))
    errors, x = shocks[0].copy(), shocks[1].copy()
    for year in range(1, years):
        errors[:, year] += memory * errors[:, year - 1]
        x[:, year] += memory * x[:, year - 1]
    mean = 1.0 * x + 0.5 * ring @ x - 0.2 * shocks[2] + random.normal(size=(units, 1))
    y = np.linalg.solve(np.eye(units) - 0.3 * ring, mean + noise * errors)
    index = pd.MultiIndex.from_product([range(units), range(2010, 2010 + years)], names=["adcode", "year"])
    return pd.DataFrame({"y": y.ravel(), "digital": x.ravel(), "control": shocks[2].ravel()}, index), ring


@pytest.fixture(scope="module")
def durbin():
    data, ring = made_panel(4)
    return data, spatial_panel(data, "y", NAMES, ring, "sdm", "twoway", "lee-yu")


def known(rho=0.0, beta=2.0, theta=0.0, spread=0.0) -> SimpleNamespace:
    """Estimates that are known, with an error of ``spread`` in each."""
    names = ["digital", "W_digital", "rho"]
    return SimpleNamespace(
        x=("digital",),
        durbin=("digital",),
        params=pd.Series([beta, theta, rho], names),
        covariance=pd.DataFrame(np.eye(3) * max(spread, 1e-12) ** 2, names, names),
    )


def change_of(**by_unit: float) -> pd.DataFrame:
    values = np.zeros(UNITS)
    for unit, value in by_unit.items():
        values[int(unit[1:])] = value
    return pd.DataFrame({"digital": values})


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


def test_a_durbin_response_is_recomputed_unit_by_unit_and_draw_by_draw(durbin):
    _, result = durbin
    changes = change_of(u0=0.4, u5=-1.0, u6=2.0).assign(control=[0.0] * 11 + [1.5])
    response = durbin_response(result, RING, changes, draws=7, seed=3)
    names = ["digital", "control", "W_digital", "W_control", "rho"]
    for d, values in enumerate(drawn(result, names, 7, 3)):
        inverse = np.linalg.inv(np.eye(UNITS) - values[4] * RING)
        direct, total = np.zeros(UNITS), np.zeros(UNITS)
        for k, name in enumerate(NAMES):
            matrix = inverse @ (values[k] * np.eye(UNITS) + values[2 + k] * RING)
            for i in range(UNITS):
                direct[i] += matrix[i, i] * changes[name][i]
                total[i] += sum(matrix[i, j] * changes[name][j] for j in range(UNITS))
        np.testing.assert_allclose(response.direct[:, d], direct, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(response.total[:, d], total, rtol=1e-9, atol=1e-11)


def test_a_like_change_everywhere_gives_the_impacts_of_the_model_with_their_intervals(durbin):
    _, result = durbin
    response = durbin_response(result, RING, pd.DataFrame({"digital": np.ones(UNITS)}), draws=400, seed=2)
    table = result.impacts(draws=400, seed=2).table.loc["digital"]
    totals = region_totals(response.direct, response.total, np.ones(UNITS, bool), np.ones(UNITS), 0.95)
    for ours, theirs in (("direct", "direct"), ("spillover", "indirect"), ("total", "total")):
        expected = table[[theirs, f"{theirs}_lower", f"{theirs}_upper"]]
        np.testing.assert_allclose(totals.loc[ours], expected, rtol=1e-9, atol=1e-10)
    assert totals.loc["spillover_outside"].abs().max() == 0


def test_without_rho_there_is_no_feedback_and_without_theta_no_spillover_either():
    changes = change_of(u3=1.0)
    once = durbin_response(known(beta=2.0, theta=0.8), RING, changes, draws=2)
    np.testing.assert_allclose(once.direct[:, 0], 2.0 * changes["digital"], atol=1e-12)
    np.testing.assert_allclose(once.total[:, 0] - once.direct[:, 0], 0.8 * RING[:, 3], atol=1e-12)
    none = durbin_response(known(beta=2.0), RING, changes, draws=2)
    np.testing.assert_allclose(none.total[:, 0], none.direct[:, 0], atol=1e-12)
    back = durbin_response(known(rho=0.4), RING, changes, draws=2)
    assert back.direct[3, 0] > 2.0 + 0.1 and (back.total[:, 0] > 0).all()


def test_no_change_gives_nothing_and_the_response_is_linear_in_its_size(durbin):
    _, result = durbin
    nothing = durbin_response(result, RING, change_of(u1=0.0), draws=5)
    assert not nothing.direct.any() and not nothing.total.any()
    one, two, both = (
        durbin_response(result, RING, change, draws=5).total
        for change in (change_of(u1=1.0), change_of(u7=3.0), change_of(u1=2.0, u7=3.0))
    )
    np.testing.assert_allclose(2 * one + two, both, rtol=1e-9, atol=1e-11)


def test_draws_follow_the_seed_and_those_that_are_not_stable_are_counted():
    changes = change_of(u1=1.0)
    vague = known(rho=0.9, spread=0.2)
    first, again, other = (durbin_response(vague, RING, changes, draws=50, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.total, again.total)
    assert not np.allclose(first.total[:, 1:], other.total[:, 1:])
    assert first.rejected > 5 and np.isfinite(first.total).all()
    assert durbin_response(known(rho=0.2, spread=0.01), RING, changes, draws=50).rejected == 0


def test_what_a_model_does_not_know_is_refused(durbin):
    _, result = durbin
    with pytest.raises(UnknownNameError, match="unknown regressor 'digitl'; did you mean 'digital'"):
        durbin_response(result, RING, change_of().rename(columns={"digital": "digitl"}))
    with pytest.raises(InvalidInputError, match="a change of zero"):
        durbin_response(result, RING, change_of(u1=np.nan))


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


def test_totals_weigh_units_by_their_size_relative_to_that_of_the_region():
    direct, total = np.array([[1.0] * 3, [0.0] * 3, [0.0] * 3]), np.array([[3.0] * 3, [1.0] * 3, [2.0] * 3])
    member, weights = np.array([True, True, False]), np.array([10.0, 30.0, 20.0])
    found = region_totals(direct, total, member, weights, 0.9, gain=total - direct)["estimate"]
    # 10/40 of one; 10/40 of two and 30/40 of one; 20/40 of two.
    expected = {"direct": 0.25, "spillover_inside": 1.25, "spillover_outside": 1.0, "spillover": 2.25, "total": 2.5}
    assert found.to_dict() == pytest.approx(expected | {"gain": 1.25})


def test_bounds_are_percentiles_of_the_draws_and_the_estimate_is_none_of_them():
    values = np.concatenate([[7.0], np.arange(101.0)])[None]
    table = unit_table(pd.Index([5]), 0 * values, values, [5], 0.9)
    assert table.loc[5, ["total", "total_lower", "total_upper"]].tolist() == pytest.approx([7, 5, 95])
    assert table.loc[5, ["spillover_lower", "spillover_upper"]].tolist() == pytest.approx([5, 95])
    assert table["member"].tolist() == [True]


def test_members_below_the_percentile_are_raised_to_it_and_nobody_else_is_touched():
    frame = pd.DataFrame({"websites": [10.0, 20, 30, 40, 50], "shops": [5.0, 1, 1, 1, 1]})
    raised = raise_indicators(frame, 75, [0, 4], 1.0)
    assert raised["websites"].tolist() == [40, 20, 30, 40, 50]
    assert raised["shops"].tolist() == [5, 1, 1, 1, 1]
    assert raise_indicators(frame, 75, [0, 4], 0.5)["websites"].tolist() == [25, 20, 30, 40, 50]
    assert waking_factors(pd.Series([0.1, 0.5, 0.8, 1.0]), 50, [0, 3], 1.0).tolist() == pytest.approx([6.5, 1, 1, 1])


def test_the_change_of_an_index_is_that_of_the_index_with_its_old_ranges_and_weights():
    random = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(6), [2022, 2023]], names=["adcode", "year"])
    data = pd.DataFrame(random.uniform(1, 9, (12, 3)), index, ["ports", "software", "shops"])
    made = composite_index(data, {"a": ["ports"], "b": ["software", "shops"]})
    before = data.xs(2023, level="year")[["software", "shops"]]
    # Far beyond the range: it must neither be cut off nor change anyone else's score.
    after = before.copy()
    after.loc[2, "software"] += 100
    moved = index_change(made, data, before, after)
    expected = made.weights["software"] * 100 / (data["software"].max() - data["software"].min())
    assert moved[2] == pytest.approx(expected) and moved.drop(2).abs().max() == 0


def test_the_cluster_covariance_is_that_of_models_estimated_anew_by_the_package(durbin):
    data, result = durbin
    found = cluster_covariance(data, "y", NAMES, RING, result, draws=25, seed=6)
    signs = np.random.default_rng(6).choice([-1.0, 1.0], (UNITS, 1, 25))
    slopes = result.params.drop("rho")
    x = data[NAMES].to_numpy().reshape(UNITS, YEARS, 2)
    mean = np.concatenate([x, np.einsum("ij,jtk->itk", RING, x)], axis=2) @ slopes.to_numpy()
    scale = np.sqrt(UNITS / (UNITS - 1) * result.nobs / (result.nobs - 4))
    left = result.residuals.to_numpy().reshape(UNITS, YEARS)
    estimates = []
    for d in range(25):
        y = np.linalg.inv(np.eye(UNITS) - result.rho * RING) @ (mean + scale * signs[..., d] * left)
        made = data.assign(y=y.ravel())
        estimates.append(spatial_panel(made, "y", NAMES, RING, "sdm", "twoway", "lee-yu").params)
    expected = pd.DataFrame(estimates).cov()
    np.testing.assert_allclose(found, expected.loc[found.index, found.columns], rtol=1e-5, atol=1e-9)


def test_errors_by_cluster_are_near_the_classical_ones_without_memory_and_larger_with_it():
    ratios = {}
    for memory in (0.0, 0.8):
        values = []
        for seed in range(4):
            data, ring = made_panel(seed, memory, units=40, noise=1.0)
            result = spatial_panel(data, "y", NAMES, ring, "sdm", "twoway", "lee-yu")
            covariance = cluster_covariance(data, "y", NAMES, ring, result, draws=400)
            values.append(np.sqrt(covariance.loc["digital", "digital"]) / result.std_errors["digital"])
        ratios[memory] = np.mean(values)
    assert ratios[0.0] == pytest.approx(1, abs=0.15)
    assert ratios[0.8] > 1.2


def test_intervals_by_cluster_cover_the_true_response_though_errors_have_memory():
    covered = {"cluster": 0, "classical": 0}
    for seed in range(40):
        data, ring = made_panel(seed, 0.8, units=30, noise=1.0)
        result = spatial_panel(data, "y", NAMES, ring, "sdm", "twoway", "lee-yu")
        changes = pd.DataFrame({"digital": np.eye(30)[0]})
        truth = np.linalg.solve(np.eye(30) - 0.3 * ring, np.eye(30)[0] + 0.5 * ring[:, 0]).sum()
        for kind in covered:
            covariance = cluster_covariance(data, "y", NAMES, ring, result, draws=199) if kind == "cluster" else None
            total = durbin_response(result, ring, changes, covariance=covariance, draws=200).total.sum(axis=0)
            lower, upper = np.quantile(total[1:], [0.025, 0.975])
            covered[kind] += lower <= truth <= upper
    assert covered["cluster"] >= 35 and covered["cluster"] >= covered["classical"]


def test_only_the_model_that_the_bootstrap_is_made_for_is_taken(durbin):
    data, _ = durbin
    other = spatial_panel(data, "y", NAMES, RING, "sdm", "twoway")
    with pytest.raises(InvalidInputError, match="correction 'lee-yu'"):
        cluster_covariance(data, "y", NAMES, RING, other)

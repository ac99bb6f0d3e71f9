"""Spatial panel models against plain dense versions of them, and identities that must hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from spatial_panel_cases import nearest, orthonormal_complement, plain_information, reordered, simulated, stacked

from clusterlib.core.within import demean
from clusterlib.spatial_panel import spatial_panel
from clusterlib.spatial_panel._design import make_design
from clusterlib.spatial_panel._likelihood import ConcentratedLikelihood, Counting, Moments

MODELS = ("sar", "sem", "sdm", "sac", "slx", "sdem")
X = ["x1", "x2"]


def plain_model(y: np.ndarray, x: np.ndarray, w: np.ndarray, rho: float, lam: float) -> dict[str, np.ndarray]:
    """Log-likelihood, coefficients, variance and information of stacked data at given rho and lambda, all dense.

    y is (units, periods) and x (units, periods, k), with all regressors and nothing taken out.
    """
    n, periods = y.shape
    a, b = np.eye(n) - rho * w, np.eye(n) - lam * w
    left, right = stacked(b @ a, y), stacked(b, x)
    beta = np.linalg.lstsq(right, left, rcond=None)[0]
    error = left - right @ beta
    variance = error @ error / len(error)
    determinant = np.linalg.slogdet(a)[1] + np.linalg.slogdet(b)[1]
    loglik = -len(error) / 2 * (np.log(2 * np.pi * variance) + 1) + periods * determinant
    information = plain_information(x, w, rho, lam, beta, variance)
    return {"loglik": loglik, "beta": beta, "sigma2": variance, "information": information}


def plain_errors(information: np.ndarray, model: str) -> np.ndarray:
    """Standard errors of the coefficients and the spatial parameters that a model has."""
    k = len(information) - 3
    kept = [*range(k), *([k] if model in ("sar", "sdm", "sac") else [])]
    kept += [k + 1] if model in ("sem", "sdem", "sac") else []
    information = information[np.ix_([*kept, k + 2], [*kept, k + 2])]
    return np.sqrt(np.diag(np.linalg.inv(information)))[:-1]


def arrays(panel: pd.DataFrame, w: np.ndarray, model: str) -> tuple[np.ndarray, np.ndarray]:
    """y and the regressors with their spatial lags."""
    n = len(w)
    y, x = panel["y"].to_numpy().reshape(n, -1), panel[X].to_numpy().reshape(n, -1, 2)
    return y, np.concatenate([x, np.einsum("ij,jtk->itk", w, x)], 2) if model in ("sdm", "slx", "sdem") else x


@pytest.mark.parametrize("model", MODELS)
def test_pooled_estimates_are_the_maximum_of_the_plain_likelihood(model):
    w = nearest(18)
    panel = simulated(w, 5, 0.4, 0.2, seed=3)
    y, x = arrays(panel, w, model)
    x = np.concatenate([np.ones((*y.shape, 1)), x], axis=2)
    result = spatial_panel(panel, "y", X, w, model)
    plain = plain_model(y, x, w, result.rho, result.lam)
    assert result.loglik == pytest.approx(plain["loglik"], abs=1e-9)
    assert result.sigma2 == pytest.approx(plain["sigma2"], rel=1e-10)
    np.testing.assert_allclose(result.params[: x.shape[2]], plain["beta"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(result.std_errors, plain_errors(plain["information"], model), rtol=1e-7)
    for step in (-1e-3, 1e-3):
        for name in ("rho", "lam"):
            if name in result.params:
                moved = {"rho": result.rho, "lam": result.lam} | {name: result.params[name] + step}
                assert plain_model(y, x, w, **moved)["loglik"] < plain["loglik"]


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("model", MODELS)
def test_lee_and_yu_is_the_pooled_model_of_the_transformed_data(model, effects):
    w = nearest(16, seed=5)
    panel = simulated(w, 6, 0.4, -0.3, seed=1)
    y, x = arrays(panel, w, model)
    units = orthonormal_complement(16) if effects != "entity" else np.eye(16)
    times = orthonormal_complement(6) if effects != "time" else np.eye(6)
    y, x = units.T @ y @ times, np.einsum("ij,itk,ts->jsk", units, x, times)
    result = spatial_panel(panel, "y", X, w, model, effects, "lee-yu")
    plain = plain_model(y, x, units.T @ w @ units, result.rho, result.lam)
    assert result.loglik == pytest.approx(plain["loglik"], abs=1e-8)
    assert (result.nobs, result.sigma2) == (y.size, pytest.approx(plain["sigma2"], rel=1e-9))
    np.testing.assert_allclose(result.params[: x.shape[2]], plain["beta"], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(result.std_errors, plain_errors(plain["information"], model), rtol=1e-7)
    for name in ("rho", "lam"):
        for step in (-1e-3, 1e-3):
            if name in result.params:
                moved = {"rho": result.rho, "lam": result.lam} | {name: result.params[name] + step}
                assert plain_model(y, x, units.T @ w @ units, **moved)["loglik"] < plain["loglik"]


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("model", ["sar", "sdm"])
def test_without_row_standardising_estimates_and_errors_are_those_with_dummies(model, effects):
    w = nearest(12, seed=2) * np.random.default_rng(0).uniform(0.3, 0.9, (12, 1))
    w[3] = 0
    panel = simulated(w, 7, 0.5, seed=4)
    y, x = arrays(panel, w, model)
    k = x.shape[2]
    units, times = np.broadcast_to(np.eye(12)[:, None], (12, 7, 12)), np.broadcast_to(np.eye(7)[None], (12, 7, 7))
    dummies = {"entity": [units], "time": [times], "twoway": [units, times[..., 1:]]}[effects]
    result = spatial_panel(panel, "y", X, w, model, effects)
    plain = plain_model(y, np.concatenate([x, *dummies], axis=2), w, result.rho, 0.0)
    assert result.loglik == pytest.approx(plain["loglik"], abs=1e-9)
    np.testing.assert_allclose(result.params[:k], plain["beta"][:k], rtol=1e-7)
    errors = plain_errors(plain["information"], model)
    np.testing.assert_allclose(result.std_errors, [*errors[:k], errors[-1]], rtol=1e-7)


@pytest.mark.parametrize("effects", ["none", "entity", "twoway"])
@pytest.mark.parametrize("model", MODELS)
def test_score_is_nil_at_the_estimates_and_squared_residuals_average_to_sigma2(model, effects):
    from clusterlib.spatial_panel._estimation import MODELS as SPECIFICATIONS
    from clusterlib.spatial_panel._jacobians import make_jacobian

    w = nearest(20)
    panel = simulated(w, 6, 0.4, 0.3, seed=2)
    result = spatial_panel(panel, "y", X, w, model, effects)
    assert (result.residuals**2).mean() == pytest.approx(result.sigma2, rel=1e-9)
    kind = SPECIFICATIONS[model]
    if kind.free:
        design = make_design(panel, "y", X, w, effects, lags=kind.lags)
        jacobian = make_jacobian(design.weights)
        moments = Moments.of(design, "lam" in kind.free, False)
        likelihood = ConcentratedLikelihood(moments, jacobian, Counting.of(design, False))
        np.testing.assert_allclose(likelihood.score(result.rho, result.lam, kind.free), 0, atol=1e-8)


def test_a_peak_is_found_where_the_score_has_the_same_sign_at_both_neighbours():
    class TwoTurns(ConcentratedLikelihood):
        """Rises between -0.2 and 0.1 and falls elsewhere."""

        def value(self, rho: float, lam: float) -> float:
            return -(rho**3 / 3 + 0.05 * rho**2 - 0.02 * rho)

        def score(self, rho: float, lam: float, free: tuple[str, ...]) -> np.ndarray:
            return np.array([-(rho - 0.1) * (rho + 0.2)])

    likelihood = TwoTurns(None, None, None)
    for step in (0.15, 0.35):
        assert likelihood._refine_one(("rho",), np.array([0.0]), step) == pytest.approx([0.1], abs=1e-12)


def test_a_peak_is_taken_by_value_where_the_score_is_lost_in_rounding():
    class Rounded(ConcentratedLikelihood):
        """Highest at 0.1, with a score that says nothing."""

        def value(self, rho: float, lam: float) -> float:
            return -((rho - 0.1) ** 2)

        def score(self, rho: float, lam: float, free: tuple[str, ...]) -> np.ndarray:
            return np.array([0.0])

    assert Rounded(None, None, None)._refine_one(("rho",), np.array([0.0]), 0.2) == pytest.approx([0.1], abs=1e-5)


def test_impacts_with_one_lagged_variable_give_the_lag_to_that_variable():
    w = nearest(15, seed=2)
    result = spatial_panel(simulated(w, 8, 0.5, seed=4), "y", X, w, "sdm", "entity", durbin="x2")
    table, total = result.impacts(draws=10).table["total"], 1 / (1 - result.rho)
    assert table["x1"] == pytest.approx(result.params["x1"] * total)
    assert table["x2"] == pytest.approx((result.params["x2"] + result.params["W_x2"]) * total)


@pytest.mark.parametrize("model", MODELS)
def test_impacts_are_those_of_the_dense_inverse(model):
    w = nearest(15, seed=2) * np.random.default_rng(0).uniform(0.3, 0.9, (15, 1))
    w[3] = 0
    panel = simulated(w, 8, 0.5, seed=4)
    result = spatial_panel(panel, "y", X, w, model, "entity")
    inverse = np.linalg.inv(np.eye(15) - result.rho * w)
    table = result.impacts(draws=10).table
    for name in X:
        effect = inverse @ (result.params[name] * np.eye(15) + result.params.get(f"W_{name}", 0.0) * w)
        direct, total = np.trace(effect) / 15, effect.sum() / 15
        wanted = [direct, total - direct, total]
        np.testing.assert_allclose(table.loc[name, ["direct", "indirect", "total"]], wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("w", [nearest(15, seed=2), nearest(15, seed=2) * 2.5], ids=["row-standardised", "scaled"])
def test_spread_of_impacts_is_that_of_dense_inverses_at_the_draws(w):
    panel = simulated(w / w.sum(1).max(), 8, 0.5, seed=4)
    result = spatial_panel(panel, "y", X, w, "sdm", "entity", jacobian="lu")
    table = result.impacts(draws=400, seed=3, level=0.9).table
    names = [*X, "W_x1", "W_x2", "rho"]
    covariance = result.covariance.loc[names, names].to_numpy()
    root = np.linalg.cholesky(covariance)
    drawn = result.params[names].to_numpy() + np.random.default_rng(3).normal(size=(400, 5)) @ root.T
    inverses = np.linalg.inv(np.eye(15) - drawn[:, -1, None, None] * w)
    own = np.trace(inverses, axis1=1, axis2=2) / 15 * drawn[:, 0]
    lagged = np.trace(inverses @ w, axis1=1, axis2=2) / 15 * drawn[:, 2]
    total = inverses.sum((1, 2)) / 15 * drawn[:, 0] + (inverses @ w).sum((1, 2)) / 15 * drawn[:, 2]
    for kind, draws in (("direct", own + lagged), ("total", total), ("indirect", total - own - lagged)):
        row = table.loc["x1", [f"{kind}_se", f"{kind}_lower", f"{kind}_upper"]]
        np.testing.assert_allclose(row, [draws.std(ddof=1), *np.quantile(draws, [0.05, 0.95])], rtol=1e-6)
        assert table.loc["x1", f"{kind}_z"] == pytest.approx(table.loc["x1", kind] / draws.std(ddof=1), rel=1e-6)


@given(st.integers(0, 10_000), st.sampled_from(["none", "entity", "time", "twoway"]))
@settings(max_examples=15, deadline=None)
def test_sar_impacts_add_up_and_their_total_is_beta_over_one_minus_rho(seed, effects):
    w = nearest(14, 3, seed)
    result = spatial_panel(simulated(w, 6, 0.3, seed=seed), "y", X, w, "sar", effects)
    table = result.impacts(draws=50, seed=seed).table
    np.testing.assert_allclose(table["direct"] + table["indirect"], table["total"], rtol=1e-12)
    np.testing.assert_allclose(table["total"], result.params[X] / (1 - result.rho), rtol=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(["sdm", "sac"]))
@settings(max_examples=10, deadline=None)
def test_order_of_rows_and_of_units_in_a_graph_does_not_matter(seed, model):
    from libpysal.graph import Graph

    w = nearest(14, 3, seed)
    panel = simulated(w, 5, 0.3, seed=seed)
    rows, labelled = reordered(panel, w, seed)
    graph = Graph.from_sparse(csr_array(labelled.to_numpy()), ids=labelled.index)
    wanted = spatial_panel(panel, "y", X, w, model, "twoway")
    for weights in (graph, labelled):
        result = spatial_panel(rows, "y", X, weights, model, "twoway")
        np.testing.assert_allclose(result.params, wanted.params, rtol=1e-6, atol=1e-8)
        assert result.residuals.index.equals(rows.index)
        np.testing.assert_allclose(result.residuals, wanted.residuals[rows.index], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(result.fitted + result.residuals, rows["y"], rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from(["sdm", "sem", "sac"]))
@settings(max_examples=15, deadline=None)
def test_units_of_y_and_x_scale_the_coefficients_alone(seed, of_y, of_x, model):
    w = nearest(14, 3, seed)
    panel = simulated(w, 5, 0.3, seed=seed)
    scaled = panel.assign(y=of_y * panel["y"], x1=of_x * panel["x1"])
    wanted, got = (spatial_panel(frame, "y", X, w, model, "twoway") for frame in (panel, scaled))
    assert (got.rho, got.lam) == (pytest.approx(wanted.rho, abs=1e-7), pytest.approx(wanted.lam, abs=1e-7))
    assert got.params["x1"] == pytest.approx(wanted.params["x1"] * of_y / of_x, rel=1e-6)
    assert got.std_errors["x2"] == pytest.approx(wanted.std_errors["x2"] * of_y, rel=1e-6)
    assert got.sigma2 == pytest.approx(wanted.sigma2 * of_y**2, rel=1e-6)
    assert got.r2_within == pytest.approx(wanted.r2_within, abs=1e-7)


@pytest.mark.parametrize("effects", ["none", "entity", "time", "twoway"])
def test_without_spatial_parameters_the_likelihood_is_that_of_least_squares(effects):
    w = nearest(14)
    panel = simulated(w, 6, 0.4)
    design = make_design(panel, "y", X, w, effects)
    likelihood = ConcentratedLikelihood(Moments.of(design, True, False), None, Counting.of(design, False))
    weights = likelihood.combination(0.0, 0.0)
    y, x = design.response.ravel(), design.flat(design.regressors)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(weights[2:], 0, atol=1e-12)
    np.testing.assert_allclose(design.triangle @ beta, likelihood.moments.offsets[:, 0], rtol=1e-9)
    sar = spatial_panel(panel, "y", X, w, "sar", effects)
    squares = ((y - x @ beta) ** 2).mean()
    assert sar.loglik_linear == pytest.approx(-len(y) / 2 * (np.log(2 * np.pi * squares) + 1))


@pytest.mark.parametrize("model", ["sar", "sem", "sdm", "sdem"])
def test_score_is_the_slope_of_the_likelihood(model):
    w = nearest(20)
    panel = simulated(w, 6, 0.5, 0.2)
    from clusterlib.spatial_panel._estimation import MODELS as SPECIFICATIONS
    from clusterlib.spatial_panel._jacobians import make_jacobian

    kind = SPECIFICATIONS[model]
    design = make_design(panel, "y", X, w, "twoway", lags=kind.lags)
    jacobian = make_jacobian(design.weights)
    likelihood = ConcentratedLikelihood(Moments.of(design, True, True), jacobian, Counting.of(design, True))
    for rho, lam in ((0.3, -0.2), (-0.5, 0.6)):
        score = likelihood.score(rho, lam, ("rho", "lam"))
        h = 1e-5
        by_rho = (likelihood.value(rho + h, lam) - likelihood.value(rho - h, lam)) / (2 * h)
        by_lam = (likelihood.value(rho, lam + h) - likelihood.value(rho, lam - h)) / (2 * h)
        np.testing.assert_allclose(score, [by_rho, by_lam], rtol=1e-5, atol=1e-4)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_demeaned_panels_have_no_means_and_are_demeaned_once(seed):
    values = np.random.default_rng(seed).normal(size=(5, 4, 2))
    both = demean(values, "twoway")
    np.testing.assert_allclose([both.mean(0), both.mean(0)], 0, atol=1e-14)
    np.testing.assert_allclose(both.mean(1), 0, atol=1e-14)
    np.testing.assert_allclose(demean(both, "twoway"), both, atol=1e-14)
    np.testing.assert_allclose(demean(demean(values, "time"), "entity"), both, atol=1e-14)


def test_determination_and_criteria_follow_their_definitions():
    w = nearest(20)
    panel = simulated(w, 6, 0.4)
    result = spatial_panel(panel, "y", X, w, "sdm", "twoway")
    y, e = panel["y"], result.residuals
    within = y.to_numpy().reshape(20, 6)
    within = demean(within, "twoway")
    assert result.r2 == pytest.approx(1 - (e**2).sum() / ((y - y.mean()) ** 2).sum())
    assert result.r2_within == pytest.approx(1 - (e**2).sum() / (within**2).sum())
    pooled = spatial_panel(panel, "y", X, w)
    assert pooled.r2_within == pooled.r2 == pytest.approx(1 - (pooled.residuals**2).sum() / ((y - y.mean()) ** 2).sum())
    x = panel[X].to_numpy().reshape(20, 6, 2)
    x = demean(np.concatenate([x, np.einsum("ij,jtk->itk", w, x)], 2), "twoway")
    predicted = np.linalg.solve(np.eye(20) - result.rho * w, x @ result.params[:4].to_numpy())
    assert result.r2_corr == pytest.approx(np.corrcoef(predicted.ravel(), within.ravel())[0, 1] ** 2)
    # Four coefficients, rho, sigma2, 20 units and 6 periods less one.
    assert result.n_parameters == 31
    assert result.aic == pytest.approx(62 - 2 * result.loglik)
    assert result.bic == pytest.approx(31 * np.log(120) - 2 * result.loglike)
    corrected = spatial_panel(panel, "y", X, w, "sdm", "twoway", "lee-yu")
    assert (corrected.n_parameters, corrected.nobs) == (6, 19 * 5)


def test_same_seed_gives_the_same_draws_and_another_seed_others():
    w = nearest(14)
    result = spatial_panel(simulated(w, 5, 0.3), "y", X, w, "sdm", "entity")
    tables = [result.impacts(draws=60, seed=seed).table for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not np.allclose(tables[0]["total_se"], tables[2]["total_se"], rtol=1e-6)
    assert (tables[0]["total_lower"] < tables[0]["total_upper"]).all()


def test_draws_beyond_the_admissible_interval_are_made_again():
    w = nearest(10, 3, seed=3)
    panel = simulated(w, 2, 0.9, seed=1, theta=(0.0, 0.0), beta=(0.1, 0.1))
    impacts = spatial_panel(panel, "y", X, w, "sar").impacts(draws=5000)
    assert impacts.rejected > 0
    assert np.isfinite(impacts.table.to_numpy()).all()


def test_an_error_model_has_no_indirect_impacts():
    w = nearest(14)
    table = spatial_panel(simulated(w, 5, lam=0.4), "y", X, w, "sem", "entity").impacts(draws=50).table
    assert (table["indirect"] == 0).all()
    assert (table["direct"] == table["total"]).all()


def test_summaries_are_in_the_order_of_the_variables():
    w = nearest(12)
    result = spatial_panel(simulated(w, 6, 0.3), "y", ["x2", "x1"], w, "sdm")
    assert list(result.table.index) == ["const", "x2", "x1", "W_x2", "W_x1", "rho"]
    summary = result.impacts(draws=20).tidy
    assert list(summary.index)[:4] == [("x2", "direct"), ("x2", "indirect"), ("x2", "total"), ("x1", "direct")]
    assert summary.loc[("x2", "total"), "estimate"] == result.impacts(draws=20).table.loc["x2", "total"]

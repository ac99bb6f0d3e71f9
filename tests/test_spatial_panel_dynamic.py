"""Dynamic spatial panel models: dense versions of likelihood and correction, identities, long run, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from spatial_panel_cases import (
    nearest,
    orthonormal_complement,
    plain_information,
    reordered,
    simulated,
    uncarried,
)

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel import align_weights, dynamic_spatial_panel, spatial_panel, wald_test
from clusterlib.spatial_panel._dynamic import Dynamics

X = ["x1", "x2"]


def drawn(w: np.ndarray, periods: int, rho=0.3, tau=0.4, eta=-0.1, *, seed: int = 0) -> pd.DataFrame:
    """A panel that has forgotten its beginning, with effects of units and periods."""
    n, past = len(w), 30
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, periods + past, 2))
    shocks = random.normal(size=(n, periods + past)) + random.normal(size=(n, 1)) + random.normal(size=periods + past)
    mean = x @ [1.0, -0.5] + np.einsum("ij,jtk->itk", w, x) @ [0.4, 0.2] + shocks
    y, s = np.zeros((n, periods + past)), np.linalg.inv(np.eye(n) - rho * w)
    for t in range(1, periods + past):
        y[:, t] = s @ (tau * y[:, t - 1] + eta * w @ y[:, t - 1] + mean[:, t])
    panel = simulated(w, periods)
    return panel.assign(y=y[:, past:].ravel(), x1=x[:, past:, 0].ravel(), x2=x[:, past:, 1].ravel())


def plain_arrays(panel: pd.DataFrame, w: np.ndarray, effects: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y after the first period, all regressors, and W, with effects of time taken out by a basis of differences."""
    n = len(w)
    y, x = panel["y"].to_numpy().reshape(n, -1), panel[X].to_numpy().reshape(n, -1, 2)
    before = y[:, :-1, None]
    lags = [np.einsum("ij,jtk->itk", w, part) for part in (x[:, 1:], before)]
    z = np.concatenate([x[:, 1:], lags[0], before, lags[1]], axis=2)
    units = orthonormal_complement(n) if effects == "twoway" else np.eye(n)
    y, z = units.T @ y[:, 1:], np.einsum("ij,itk->jtk", units, z)
    return y - y.mean(1, keepdims=True), z - z.mean(1, keepdims=True), units.T @ w @ units


def plain_loglik(values: np.ndarray, y: np.ndarray, z: np.ndarray, w: np.ndarray) -> float:
    """Log-likelihood at coefficients, rho and the logarithm of sigma2."""
    *slopes, rho, log_variance = values
    system = np.eye(len(w)) - rho * w
    sign, determinant = np.linalg.slogdet(system)
    error = system @ y - z @ np.array(slopes)
    if sign <= 0:
        return -np.inf
    fit = -y.size / 2 * (np.log(2 * np.pi) + log_variance) - (error**2).sum() / 2 / np.exp(log_variance)
    return fit + y.shape[1] * determinant


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_uncorrected_estimates_are_the_maximum_of_the_dense_conditional_likelihood(effects):
    w = nearest(14, seed=3)
    panel = drawn(w, 9)
    result = dynamic_spatial_panel(panel, "y", X, w, "sdm", effects, None)
    y, z, w = plain_arrays(panel, w, effects)
    start = np.append(np.linalg.lstsq(z.reshape(-1, 6), y.ravel(), rcond=None)[0], [0.0, np.log(y.var())])
    best = minimize(lambda v: -plain_loglik(v, y, z, w), start, method="BFGS", options={"gtol": 1e-6})
    best = minimize(lambda v: -plain_loglik(v, y, z, w), best.x, method="Nelder-Mead", options={"xatol": 1e-9})
    assert result.loglik == pytest.approx(-best.fun, abs=1e-7)
    np.testing.assert_allclose(result.uncorrected[:-1], best.x[:-1], atol=2e-4)
    assert result.sigma2 == pytest.approx(np.exp(best.x[-1]), rel=1e-3)
    names = ["x1", "x2", "W_x1", "W_x2", "tau", "eta", "rho"]
    assert (list(result.params.index), list(result.uncorrected.index)) == (names, [*names, "sigma2"])
    assert (result.nobs, result.n_periods) == (y.size, 8)


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_correction_is_the_formula_of_the_papers_by_powers_of_dense_matrices(effects):
    w = nearest(12, seed=1)
    panel = drawn(w, 12, seed=2)
    plain, result = (dynamic_spatial_panel(panel, "y", X, w, "sdm", effects, way) for way in (None, "lee-yu"))
    y, z, w = plain_arrays(panel, w, effects)
    n, periods = y.shape
    *slopes, tau, eta, rho, sigma2 = plain.uncorrected
    inverse = np.linalg.inv(np.eye(n) - rho * w)
    a, g = inverse @ (tau * np.eye(n) + eta * w), w @ inverse
    series = sum(np.linalg.matrix_power(a, h) for h in range(400)) @ inverse
    phi = np.zeros(8)
    phi[4:6] = np.trace(series) / n, np.trace(w @ series) / n
    phi[6] = (tau * np.trace(g @ series) + eta * np.trace(g @ w @ series) + np.trace(g)) / n
    phi[7] = 1 / (2 * sigma2)
    information = plain_information(z, w, rho, 0.0, np.array([*slopes, tau, eta]), sigma2)
    information = np.delete(np.delete(information, 7, 0), 7, 1)
    covariance = np.linalg.inv(information)
    np.testing.assert_allclose(plain.std_errors, np.sqrt(np.diag(covariance))[:-1], rtol=1e-7)
    # Sigma is the information over n T, and the bias -Sigma^-1 phi over T.
    corrected = plain.uncorrected + np.linalg.inv(information / (n * periods)) @ phi / periods
    np.testing.assert_allclose([*result.params, result.sigma2], corrected, rtol=1e-7)
    np.testing.assert_allclose(result.uncorrected, plain.uncorrected, rtol=1e-12)
    again = plain_information(z, w, result.rho, 0.0, result.params.to_numpy()[:-1], result.sigma2)
    again = np.linalg.inv(np.delete(np.delete(again, 7, 0), 7, 1))
    np.testing.assert_allclose(result.std_errors, np.sqrt(np.diag(again))[:-1], rtol=1e-7)


@pytest.mark.parametrize("lags", [(True, True), (True, False), (False, True)])
def test_uncorrected_model_of_units_is_the_static_one_with_lags_among_its_regressors(lags):
    w = nearest(15, seed=4)
    panel = drawn(w, 8, seed=5)
    by_unit = panel.groupby(level=0)["y"]
    wide = by_unit.shift().unstack()
    both = panel.assign(tau=by_unit.shift(), eta=(w @ wide).stack(future_stack=True)).dropna()
    kept = [name for name, chosen in zip(("tau", "eta"), lags, strict=True) if chosen]
    static = spatial_panel(both, "y", [*X, *kept], w, "sdm", "entity", durbin=X)
    result = dynamic_spatial_panel(panel, "y", X, w, "sdm", "entity", None, time_lag=lags[0], space_time_lag=lags[1])
    names = result.params.index
    np.testing.assert_allclose(result.params, static.params[names], rtol=1e-7)
    np.testing.assert_allclose(result.std_errors, static.std_errors[names], rtol=1e-6)
    assert (result.loglik, result.df_resid) == (pytest.approx(static.loglik), static.df_resid)
    missing = result.residuals.isna()
    assert missing.equals((panel.index.get_level_values(1) == 2000) & missing)
    np.testing.assert_allclose(result.residuals.dropna(), static.residuals, atol=1e-8)
    np.testing.assert_allclose((result.fitted + result.residuals).dropna(), both["y"], rtol=1e-10)
    left_out = {"tau", "eta"} - set(kept)
    assert all(getattr(result, name) == 0 for name in left_out)


def test_impacts_are_those_of_dense_inverses_at_once_and_in_the_long_run():
    w = nearest(13, seed=2) * 0.8
    w[4] = 0
    result = dynamic_spatial_panel(drawn(w, 60), "y", X, w, "sdm", "entity")
    assert result.long_run_impacts(300, 7).rejected == 0
    system = np.eye(13) - result.rho * w
    settled = (1 - result.tau) * np.eye(13) - (result.rho + result.eta) * w
    names = [*X, "W_x1", "W_x2", "tau", "eta", "rho"]
    root = np.linalg.cholesky(result.covariance.loc[names, names])
    draws = result.params[names].to_numpy() + np.random.default_rng(7).normal(size=(300, 7)) @ root.T
    long_draws = []
    for row in draws:
        effect = np.linalg.inv((1 - row[4]) * np.eye(13) - (row[6] + row[5]) * w) @ (row[0] * np.eye(13) + row[2] * w)
        long_draws.append([np.trace(effect) / 13, (effect.sum() - np.trace(effect)) / 13, effect.sum() / 13])
    for table, matrix in (
        (result.impacts(300, 7).table, system),
        (result.long_run_impacts(300, 7).table, settled),
    ):
        for name in X:
            own, lagged = result.params[[name, f"W_{name}"]]
            effect = np.linalg.inv(matrix) @ (own * np.eye(13) + lagged * w)
            direct, total = np.trace(effect) / 13, effect.sum() / 13
            wanted = [direct, total - direct, total]
            np.testing.assert_allclose(table.loc[name, ["direct", "indirect", "total"]], wanted, rtol=1e-8)
    spread = table.loc["x1", ["direct_se", "indirect_se", "total_se"]]
    np.testing.assert_allclose(spread, np.std(long_draws, axis=0, ddof=1), rtol=1e-6)


def test_draws_without_a_long_run_are_made_again():
    w = nearest(13, seed=2)
    result = dynamic_spatial_panel(drawn(w, 8), "y", X, w)
    names = [*result.params.index]
    values = np.random.default_rng(0).multivariate_normal(
        result.params, result.covariance.loc[names, names].to_numpy(), 4000
    )
    unstable = [
        np.abs(np.linalg.eigvals(np.linalg.solve(np.eye(13) - rho * w, tau * np.eye(13) + eta * w))).max() >= 1
        for tau, eta, rho in values[:, -3:]
    ]
    impacts = result.long_run_impacts(4000)
    assert 0.05 < np.mean(unstable) < 0.8
    assert impacts.rejected / (impacts.rejected + 4000) == pytest.approx(np.mean(unstable), abs=0.04)
    assert result.impacts(4000).rejected < impacts.rejected


def test_without_lags_in_time_the_long_run_is_the_same_period():
    w = nearest(13, seed=2)
    result = dynamic_spatial_panel(drawn(w, 10), "y", X, w)
    gone = result.params.drop(["tau", "eta"])
    rest = result.covariance.drop(["tau", "eta"]).drop(columns=["tau", "eta"])
    static = replace(result, params=gone, covariance=rest, tau=0.0, eta=0.0, time_lags=())
    now, later = static.impacts(50).table, static.long_run_impacts(50).table
    pd.testing.assert_frame_equal(now, later, rtol=1e-10)


@pytest.mark.parametrize("weights", ["directed", "symmetric", "scaled", "islands"])
def test_largest_eigenvalue_is_that_of_the_dense_matrix(weights):
    w = nearest(20, seed=6)
    if weights == "symmetric":
        binary = ((w + w.T) > 0).astype(float)
        w = binary / binary.sum(1, keepdims=True)
    w = w * 0.3 if weights == "scaled" else w
    w[[3, 7, 11]] *= weights != "islands"
    aligned = align_weights(w, pd.RangeIndex(20))
    values = np.random.default_rng(0).uniform(-0.9, 0.9, (200, 3))
    found = Dynamics(aligned, *values.T)
    for (rho, tau, eta), largest in zip(values, found.largest(), strict=True):
        matrix = np.linalg.solve(np.eye(20) - rho * w, tau * np.eye(20) + eta * w)
        assert largest == pytest.approx(np.abs(np.linalg.eigvals(matrix)).max(), rel=1e-6)
        alone = Dynamics(aligned, rho, tau, eta)
        assert (alone.largest(), alone.stable()) == (pytest.approx(largest, rel=1e-6), largest < 1)
    assert (found.stable() == (found.largest() < 1)).all()
    assert 20 < found.stable().sum() < 200


def test_beyond_the_units_whose_eigenvalues_are_found_the_bound_is_said(monkeypatch):
    from clusterlib.spatial_panel import _dynamic as dynamic

    dynamics = Dynamics(align_weights(nearest(20, seed=6), pd.RangeIndex(20)), 0.2, 0.3, -0.4)
    assert float(dynamics.largest()) < 0.7 / 1.2 - 0.01
    monkeypatch.setattr(dynamic, "DENSE_UNITS", 10)
    assert float(dynamics.largest()) == pytest.approx(0.7 / 1.2)


def alike(fits: list[tuple[pd.DataFrame, np.ndarray | pd.DataFrame]], *how: str) -> list:
    """One result for each panel and its weights; where a draw of a short panel is refused as unstable, all must be."""
    found = []
    for panel, w in fits:
        try:
            found.append(dynamic_spatial_panel(panel, "y", X, w, *how))
        except InvalidInputError as error:
            assert "not stable" in str(error)
    assert len(found) in (0, len(fits))
    assume(found)
    return found


@given(st.integers(0, 10_000), st.sampled_from(["entity", "twoway"]))
@example(seed=46, effects="entity")  # is refused: its largest eigenvalue is 1.029
@settings(max_examples=10, deadline=None)
def test_order_of_rows_and_of_units_does_not_matter(seed, effects):
    w = nearest(14, 3, seed)
    panel = drawn(w, 7, seed=seed)
    rows, labelled = reordered(panel, w, seed)
    wanted, got = alike([(panel, w), (rows, labelled)], "sdm", effects)
    np.testing.assert_allclose(got.params, wanted.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(got.residuals, wanted.residuals[rows.index], rtol=1e-5, atol=1e-7)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from(["sar", "sdm"]))
@settings(max_examples=10, deadline=None)
def test_units_of_y_and_x_scale_the_coefficients_alone(seed, of_y, of_x, model):
    w = nearest(14, 3, seed)
    panel = drawn(w, 8, seed=seed)
    scaled = panel.assign(y=of_y * panel["y"] + 3, x1=of_x * panel["x1"] - 2)
    wanted, got = alike([(panel, w), (scaled, w)], model)
    for name in ("rho", "tau", "eta"):
        assert getattr(got, name) == pytest.approx(getattr(wanted, name), abs=1e-6)
        assert got.std_errors[name] == pytest.approx(wanted.std_errors[name], rel=1e-5)
    assert got.params["x1"] == pytest.approx(wanted.params["x1"] * of_y / of_x, rel=1e-5, abs=1e-6 * of_y / of_x)
    assert got.sigma2 == pytest.approx(wanted.sigma2 * of_y**2, rel=1e-5)


def test_correction_takes_most_of_the_bias_of_a_short_panel():
    w, truth = nearest(40), {"tau": 0.4, "rho": 0.3, "sigma2": 1.0}
    found = []
    for seed in range(40):
        result = dynamic_spatial_panel(drawn(w, 9, seed=seed), "y", X, w)
        found.append([*result.uncorrected[[*truth]], result.tau, result.rho, result.sigma2])
    before, after = np.reshape(np.mean(found, axis=0), (2, 3)) - list(truth.values())
    assert before[0] < -0.02 and before[2] < -0.08
    assert (np.abs(after[[0, 2]]) < 0.35 * np.abs(before[[0, 2]])).all()


def test_the_result_says_what_it_is():
    w = nearest(20)
    panel = drawn(w, 12)
    result = dynamic_spatial_panel(panel, "y", X, w)
    assert result.stable and result.tests == {}
    text, page = str(result.summary()), result._repr_html_()
    for said in ("Stable 平稳: yes", "Largest eigenvalue", "Bias correction", "DYNAMIC SDM", "tau", "eta"):
        assert said in text and said in page
    assert result.settings["time_lags"] == ("tau", "eta")
    assert (result.conf_int(0.5)["upper"] < result.conf_int(0.9)["upper"]).all()
    assert wald_test(result, ["tau", "eta"]).p_value < 0.01
    with pytest.raises(InvalidInputError, match="is a restriction of 'sdm'"):
        wald_test(result, "sem")
    assert result.df_resid == 20 * 11 - (20 + 11 - 1) - 7


def explosive() -> tuple[pd.DataFrame, np.ndarray]:
    w = nearest(20)
    return drawn(w, 12, rho=0.3, tau=0.75, eta=0.1, seed=1), w


def test_an_unstable_process_has_no_correction_and_no_long_run_and_says_so():
    panel, w = explosive()
    result = dynamic_spatial_panel(panel, "y", X, w, effects="entity", bias_correction=None)
    assert not result.stable and "Stable 平稳: no" in str(result)
    assert result.impacts(20).table.notna().all(axis=None)
    with pytest.raises(InvalidInputError, match=r"no long-run impacts: the process is not stable.*must be below one"):
        result.long_run_impacts()
    with pytest.raises(InvalidInputError, match="no bias correction: the process is not stable"):
        dynamic_spatial_panel(panel, "y", X, w, effects="entity")


def test_a_correction_that_leads_out_of_the_admissible_interval_is_refused():
    w = nearest(8, 3, 5)
    panel = drawn(w, 4, rho=0.2, tau=0.1, eta=0.5, seed=82)
    assert dynamic_spatial_panel(panel, "y", X, w, "sar", "entity", None).stable
    with pytest.raises(InvalidInputError, match=r"the corrected rho is 4\.0.*between -1\.000 and 1\.000.*more periods"):
        dynamic_spatial_panel(panel, "y", X, w, "sar", "entity")


W = nearest(12)
PANEL = drawn(W, 6)
YEARS = PANEL.index.get_level_values(1)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"data": PANEL[YEARS != 2003]}, InvalidInputError, "not equally far apart, see after 2002"),
        ({"data": PANEL[YEARS < 2002]}, InvalidInputError, r"2 period\(s\): a dynamic model loses the first"),
        ({"data": PANEL.iloc[1:]}, InvalidInputError, "not balanced"),
        ({"time_lag": False, "space_time_lag": False}, InvalidInputError, "static model, use spatial_panel"),
        ({"time_lag": "yes"}, UnknownNameError, "time_lag"),
        ({"w": 2 * W}, InvalidInputError, "rows do not sum to one"),
        ({"model": "sar", "durbin": ["x1"]}, InvalidInputError, "no spatial lags of x"),
        ({"data": PANEL.assign(tau=PANEL["x1"]), "x": ["tau"]}, InvalidInputError, "tau.*rename"),
        ({"model": "sem"}, UnknownNameError, "model 'sem'"),
        ({"effects": "none"}, UnknownNameError, "effects 'none'"),
        ({"bias_correction": "leeyu"}, UnknownNameError, "did you mean 'lee-yu'"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_its_reason(changes, error, words):
    arguments = {"data": PANEL, "y": "y", "x": X, "w": W} | changes
    with pytest.raises(error, match=words):
        dynamic_spatial_panel(**arguments)


def test_cigarette_demand_is_what_sdpdmod_prints_but_for_an_eigenvalue_that_it_cuts():
    """SDPDmod corrects by ``Matrix::nearPD`` of the information, which drops eigenvalues below 1e-6 of the largest.

    The smallest has 0.8e-6 here, by the units of y: its published estimates differ in rho and eta by two standard
    errors, and follow if it is cut.
    """
    panel, y, x, w = uncarried("cigar")
    published = {"logp": -0.270872, "logy": 0.104262, "W_logp": 0.195595, "W_logy": -0.032464}
    published |= {"tau": 0.864412, "eta": -0.096270, "rho": 0.162189}
    plain, result = (dynamic_spatial_panel(panel, y, x, w, bias_correction=way) for way in (None, "lee-yu"))
    information = np.linalg.inv(plain.covariance)
    score = information @ ([*result.params, result.sigma2] - result.uncorrected.to_numpy())
    values, vectors = np.linalg.eigh(information)
    assert (values < 1e-6 * values.max()).tolist() == [True] + 7 * [False]
    cut = np.where(values < 1e-6 * values.max(), 1e-8 * values.max(), values)
    theirs = plain.uncorrected + vectors @ ((vectors.T @ score) / cut)
    np.testing.assert_allclose(theirs[list(published)], list(published.values()), atol=1e-3)
    # Without the spatial lag of the time lag nothing is cut.
    alone = dynamic_spatial_panel(panel, y, x, w, "sar", space_time_lag=False)
    np.testing.assert_allclose(alone.params[["logp", "tau", "rho"]], [-0.254617, 0.866212, 0.009593], atol=2e-3)
    np.testing.assert_allclose(alone.std_errors[["logp", "tau", "rho"]], [0.023047, 0.012785, 0.016993], rtol=5e-3)

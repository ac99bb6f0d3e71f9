"""Posterior model probabilities: dense integration, invariance, finding the model that made the data, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln, logsumexp
from spatial_panel_cases import nearest, orthonormal_complement, reordered, simulated, uncarried

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel import model_probabilities, spatial_panel

X = ["x1", "x2"]
MODELS = ["sar", "sdm", "sem", "sdem", "slx"]


def transformed(panel: pd.DataFrame, w: np.ndarray, effects: str, model: str, x: list[str]) -> tuple:
    """y and regressors, a period a column, and W, without effects by bases of differences."""
    n = len(w)
    y, z = panel["y"].to_numpy().reshape(n, -1), panel[x].to_numpy().reshape(n, -1, len(x))
    if model in ("sdm", "sdem", "slx"):
        z = np.concatenate([z, np.einsum("ij,jtk->itk", w, z)], axis=2)
    units = np.eye(n) if effects == "entity" else orthonormal_complement(n)
    times = np.eye(y.shape[1]) if effects == "time" else orthonormal_complement(y.shape[1])
    return units.T @ y @ times, np.einsum("ij,itk,ts->jsk", units, z, times), units.T @ w @ units


def stacked_model(y, z, w, model: str, rho: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Filtered y and regressors as rows, and the Jacobian of all periods."""
    a = np.eye(len(w)) - rho * w
    filtered = np.einsum("ij,jtk->itk", a, z) if model in ("sem", "sdem") else z
    return (a @ y).T.ravel(), filtered.transpose(1, 0, 2).reshape(y.size, -1), y.shape[1] * np.linalg.slogdet(a)[1]


def bounds(w: np.ndarray) -> tuple[float, float]:
    """Where rho is admissible, for weights with complex eigenvalues and a largest of one."""
    return -1 + 1e-6, 1 - 1e-6


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("model", MODELS)
def test_marginal_likelihood_is_that_of_a_dense_normal_distribution_integrated_numerically(model, effects):
    w, g = nearest(9, 3, seed=1), 7.0
    panel = simulated(w, 5, 0.3, seed=1)
    y, z, w_star = transformed(panel, w, effects, model, X)

    def given_rho(rho: float) -> float:
        """Over the variance, of the normal distribution in which the coefficients are integrated out."""
        ay, az, jacobian = stacked_model(y, z, w_star, model, rho)
        spread = np.eye(len(ay)) + g * az @ np.linalg.solve(az.T @ az, az.T)
        square, size = ay @ np.linalg.solve(spread, ay), len(ay)
        constant = jacobian - np.linalg.slogdet(spread)[1] / 2 - size / 2 * np.log(2 * np.pi)

        def integrand(log_variance: float) -> float:
            return np.exp(-size / 2 * log_variance - square / 2 * np.exp(-log_variance) - peak)

        peak = -size / 2 * np.log(square / size) - size / 2
        middle = np.log(square / size)
        return constant + peak + np.log(quad(integrand, middle - 6, middle + 12, limit=200)[0])

    if model == "slx":
        wanted = given_rho(0.0)
    else:
        low, high = bounds(w)
        highest = max(given_rho(rho) for rho in np.linspace(-0.95, 0.95, 39))
        integral = quad(lambda rho: np.exp(given_rho(rho) - highest), low, high, limit=200, epsabs=1e-9)[0]
        wanted = highest + np.log(integral / (high - low))
    result = model_probabilities(panel, "y", X, w, effects, model, g=g)
    assert result.table.loc[("w", model), "log_marginal"] == pytest.approx(wanted, abs=1e-5)
    assert (result.nobs, result.g) == (y.size, g)


@pytest.mark.parametrize("model", ["sar", "sem"])
def test_marginal_likelihood_is_the_likelihood_summed_over_all_parameters_by_brute_force(model):
    """Every parameter on a grid: rho, the coefficient and the logarithm of the variance, nothing in closed form."""
    w, g = nearest(5, 2, seed=3), 4.0
    panel = simulated(w, 4, 0.2, beta=(1.0,), theta=(0.0,), seed=3)
    y, z, w_star = transformed(panel, w, "entity", model, ["x1"])
    rhos, betas, logs = np.linspace(*bounds(w), 121), np.linspace(-12, 14, 161), np.linspace(-4, 6, 101)
    variance, sums = np.exp(logs), []
    for rho in rhos:
        ay, az, jacobian = stacked_model(y, z, w_star, model, rho)
        az, m = az[:, 0], len(ay)
        squares = ay @ ay - 2 * betas * (ay @ az) + betas**2 * (az @ az)
        prior = -0.5 * np.log(2 * np.pi * g * variance / (az @ az)) - betas[:, None] ** 2 * (az @ az) / (
            2 * g * variance
        )
        values = jacobian - m / 2 * np.log(2 * np.pi * variance) - squares[:, None] / (2 * variance) + prior
        sums.append(logsumexp(values))
    cell = np.log((betas[1] - betas[0]) * (logs[1] - logs[0]) / len(rhos))
    found = model_probabilities(panel, "y", "x1", w, "entity", model, g=g).table["log_marginal"].iloc[0]
    assert found == pytest.approx(logsumexp(sums) + cell, abs=0.01)


def test_slx_is_the_conjugate_closed_form_and_its_odds_against_fewer_regressors_are_a_beta_ratio():
    w, g = nearest(12), 50.0
    panel = simulated(w, 6, seed=2)
    y, z, _ = transformed(panel, w, "twoway", "slx", X)
    rows, m = z.reshape(-1, 4), y.size
    left = y.ravel() - rows @ np.linalg.lstsq(rows, y.ravel(), rcond=None)[0]
    inside = (g * left @ left + (y**2).sum()) / (1 + g)
    wanted = gammaln(m / 2) - m / 2 * np.log(np.pi * inside) - 2 * np.log(1 + g)
    found = model_probabilities(panel, "y", X, w, models="slx", g=g).table["log_marginal"].iloc[0]
    assert found == pytest.approx(wanted, abs=1e-9)


def test_the_peak_of_the_integrand_is_where_maximum_likelihood_puts_it():
    """With a vague prior and much data, Laplace's approximation at the maximum of the likelihood."""
    w = nearest(60)
    panel = simulated(w, 30, 0.4, seed=1)
    fit = spatial_panel(panel, "y", X, w, "sdm", "twoway", "lee-yu")
    m, k, g = fit.nobs, 4, 1e12
    # Squared residuals alone count with a prior this vague; the variance is integrated out.
    constant = gammaln(m / 2) - m / 2 * np.log(np.pi) - k / 2 * np.log1p(g)
    height = fit.loglik + m / 2 * (np.log(2 * np.pi) + 1) - m / 2 * np.log(m)
    spread = fit.std_errors["rho"] * np.sqrt(2 * np.pi) / (bounds(w)[1] - bounds(w)[0])
    found = model_probabilities(panel, "y", X, w, models="sdm", g=g).table["log_marginal"].iloc[0]
    assert found == pytest.approx(constant + height + np.log(spread), abs=0.15)


@pytest.mark.parametrize(
    ("true", "parameters"),
    [
        ("sar", {"rho": 0.5, "theta": (0.0, 0.0)}),
        ("sdm", {"rho": 0.5, "theta": (0.6, 0.5)}),
        ("sem", {"lam": 0.6, "theta": (0.0, 0.0)}),
        ("sdem", {"lam": 0.6, "theta": (0.6, 0.5)}),
        ("slx", {"theta": (0.6, 0.5)}),
    ],
)
def test_the_model_and_the_weights_that_made_the_data_are_found(true, parameters):
    w, other = nearest(40), nearest(40, seed=9)
    best = []
    for seed in range(8):
        panel = simulated(w, 10, seed=seed, **parameters)
        best.append(model_probabilities(panel, "y", X, {"other": other, "w": w}).table["probability"].idxmax())
    assert sum(found == ("w", true) for found in best) >= 7


@given(st.integers(0, 10_000), st.floats(1e-2, 1e2), st.floats(1e-2, 1e2))
@settings(max_examples=10, deadline=None)
def test_order_of_units_and_units_of_measurement_do_not_matter(seed, of_y, of_x):
    w = nearest(14, 3, seed)
    panel = simulated(w, 5, 0.3, seed=seed)
    rows, labelled = reordered(panel, w, seed)
    changed = rows.assign(y=of_y * rows["y"] + 1, x1=of_x * rows["x1"] - 5)
    wanted, got = model_probabilities(panel, "y", X, w), model_probabilities(changed, "y", X, labelled)
    np.testing.assert_allclose(got.table["probability"], wanted.table["probability"], rtol=1e-5, atol=1e-8)
    shift = got.table["log_marginal"] - wanted.table["log_marginal"]
    np.testing.assert_allclose(shift, -wanted.nobs * np.log(of_y), rtol=1e-6, atol=1e-5)


def test_probabilities_add_up_and_are_shown_by_model_and_weights():
    w = {"near": nearest(14, 3), "wide": nearest(14, 6)}
    panel = simulated(w["near"], 6, 0.4)
    result = model_probabilities(panel, "y", X, w, models=["slx", "sdm"], durbin="x1")
    assert result.table["probability"].sum() == pytest.approx(1)
    assert list(result.table.index) == [("near", "slx"), ("near", "sdm"), ("wide", "slx"), ("wide", "sdm")]
    wide = result.probabilities
    assert (list(wide.index), list(wide.columns)) == (["slx", "sdm"], ["near", "wide"])
    assert wide.loc["sdm", "wide"] == result.table.loc[("wide", "sdm"), "probability"]
    assert result.g == 13 * 5
    assert "near" in str(result) and "log_marginal" in result._repr_html_()
    alone = model_probabilities(panel, "y", X, w["near"], models=["slx", "sdm"], durbin="x1")
    ratio = wide["near"] / wide["near"].sum()
    np.testing.assert_allclose(alone.probabilities["w"], ratio, rtol=1e-10)


W = nearest(12)
PANEL = simulated(W, 5, 0.3)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"models": ["sac"]}, UnknownNameError, "model 'sac'"),
        ({"models": []}, InvalidInputError, "nothing to compare"),
        ({"models": ["sar", "sem"], "durbin": "x1"}, InvalidInputError, "none of sar, sem has spatial lags"),
        ({"weights": {}}, InvalidInputError, "nothing to compare"),
        ({"effects": "none"}, UnknownNameError, "effects 'none'"),
        ({"g": 0}, InvalidInputError, "g=0"),
        ({"weights": {"good": W, "doubled": 2 * W}}, InvalidInputError, "rows do not sum to one"),
        ({"weights": {"good": W, "short": nearest(11)}}, InvalidInputError, "short: expected 12 x 12"),
        ({"data": PANEL.iloc[1:]}, InvalidInputError, "not balanced"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(changes, error, words):
    arguments = {"data": PANEL, "y": "y", "x": X, "weights": W} | changes
    with pytest.raises(error, match=words):
        model_probabilities(**arguments)


def test_weights_that_are_not_standardised_are_compared_where_only_units_have_effects():
    result = model_probabilities(PANEL, "y", X, {"w": W, "scaled": 2 * W}, "entity")
    one, other = (result.table.loc[name, "log_marginal"] for name in ("w", "scaled"))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_cigarette_demand_prefers_the_models_that_sdpdmod_prefers():
    """SDPDmod's ``blmpSDPD`` prints 0.9989 for SDM and 0.0011 for SDEM, of the same regressors, and 0 for others."""
    panel, y, x, w = uncarried("cigar")
    found = model_probabilities(panel, y, x, w, "entity").probabilities["w"]
    assert found.nlargest(2).index.tolist() == ["sdm", "sdem"]
    assert np.log(found["sdm"] / found["sdem"]) == pytest.approx(np.log(0.9989 / 0.0011), abs=1.5)

"""Impacts on samples without an effect: against samples made and models fitted one by one, level, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from spatial_panel_cases import nearest, row_standardised, simulated

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import fixed_effects
from clusterlib.spatial_panel import align_weights, null_impacts, spatial_panel
from clusterlib.spatial_panel._jacobians import EigenJacobian, InterpolatedJacobian
from clusterlib.spatial_panel._likelihood import Counting, SampleProfiles

KINDS = ["direct", "indirect", "total"]


def symmetric(n: int) -> np.ndarray:
    """Row-standardised weights with real eigenvalues."""
    binary = nearest(n, 4, seed=1) > 0
    return row_standardised((binary | binary.T).astype(float))


def signs_of(draws: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], (draws, n))


def sample_without(panel: pd.DataFrame, others: list[str], w: np.ndarray, correction, signs: np.ndarray) -> np.ndarray:
    """One outcome made without the variable from the fitted model, its residuals and the units' signs, all dense."""
    n = len(w)
    reduced = spatial_panel(panel, "y", others, w, "sdm", "twoway", correction)
    wide = panel[others].to_numpy().reshape(n, -1, len(others))
    lags = np.einsum("ij,jtk->itk", w, wide)
    slopes = reduced.params.drop("rho").to_numpy()
    mean = np.concatenate([wide, lags], axis=2) @ slopes
    residuals = reduced.residuals.to_numpy().reshape(n, -1)
    observations = (n - 1) * (mean.shape[1] - 1) if correction else mean.size
    scale = np.sqrt(n / (n - 1) * observations / (observations - len(slopes)))
    return np.linalg.solve(np.eye(n) - reduced.rho * w, mean + scale * signs[:, None] * residuals)


@pytest.mark.parametrize("correction", ["lee-yu", None])
@pytest.mark.parametrize("weights", [symmetric, nearest])
def test_draws_are_the_impacts_of_models_fitted_to_samples_made_one_by_one(weights, correction):
    w = weights(16)
    panel = simulated(w, 6, 0.4, seed=2)
    drawn = null_impacts(panel, "y", ["x1", "x2"], w, "x2", bias_correction=correction, draws=6, seed=5)
    assert list(drawn.columns) == KINDS
    for row, signs in zip(drawn.to_numpy(), signs_of(6, 16, 5), strict=True):
        made = panel.assign(y=sample_without(panel, ["x1"], w, correction, signs).ravel())
        fitted = spatial_panel(made, "y", ["x1", "x2"], w, "sdm", "twoway", correction)
        np.testing.assert_allclose(row, fitted.impacts(2).table.loc["x2", KINDS].astype(float), rtol=1e-7, atol=1e-9)


def test_a_model_of_the_variable_alone_is_drawn_from_a_spatial_lag():
    w, periods = symmetric(14), 5
    panel = simulated(w, periods, 0.5, beta=(0.0,), theta=(0.0,), seed=7)
    drawn = null_impacts(panel, "y", "x1", w, "x1", draws=3, seed=1)
    # Without regressors rho is where the likelihood of the demeaned outcome is highest on a fine grid.
    y = panel["y"].to_numpy().reshape(14, periods)
    y = y - y.mean(axis=1, keepdims=True)
    grid = np.linspace(-0.99, 0.99, 19_801)
    own, lag = y - y.mean(axis=0), w @ y - (w @ y).mean(axis=0)
    squares = (own**2).sum() - 2 * grid * (own * lag).sum() + grid**2 * (lag**2).sum()
    roots = np.linalg.eigvals(w).real
    determinant = np.log(1 - np.multiply.outer(grid, roots)).sum(axis=1) - np.log(1 - grid)
    rho = grid[np.argmax((periods - 1) * determinant - 13 * (periods - 1) / 2 * np.log(squares))]
    for row, signs in zip(drawn.to_numpy(), signs_of(3, 14, 1), strict=True):
        made = np.linalg.solve(np.eye(14) - rho * w, np.sqrt(14 / 13) * signs[:, None] * (own - rho * lag))
        fitted = spatial_panel(panel.assign(y=made.ravel()), "y", "x1", w, "sdm", "twoway", "lee-yu")
        np.testing.assert_allclose(row, fitted.impacts(2).table.loc["x1", KINDS].astype(float), atol=2e-4)


def test_without_weights_draws_are_fixed_effects_coefficients_of_such_samples():
    panel = simulated(symmetric(12), 5, seed=4)
    drawn = null_impacts(panel, "y", ["x2", "x1"], None, "x1", draws=5, seed=3)
    reduced = fixed_effects(panel, "y", "x2")
    scale = np.sqrt(12 / 11 * 44 / 43)
    for row, signs in zip(drawn.to_numpy(), signs_of(5, 12, 3), strict=True):
        made = reduced.params["x2"] * panel["x2"] + scale * np.repeat(signs, 5) * reduced.residuals
        coefficient = fixed_effects(panel.assign(y=made), "y", ["x1", "x2"]).params["x1"]
        np.testing.assert_allclose(row, [coefficient, 0, coefficient], atol=1e-12)


def test_draws_are_the_same_for_a_seed_whatever_the_order_of_rows_and_of_variables():
    w = symmetric(12)
    panel = simulated(w, 5, 0.3, seed=4)
    w = pd.DataFrame(w, range(12), range(12))
    first = null_impacts(panel, "y", ["x1", "x2"], w, "x1", draws=20, seed=8)
    shuffled = null_impacts(panel.sample(frac=1, random_state=1), "y", ["x2", "x1"], w, "x1", draws=20, seed=8)
    np.testing.assert_allclose(first, shuffled, atol=1e-10)
    assert not np.allclose(first, null_impacts(panel, "y", ["x1", "x2"], w, "x1", draws=20, seed=9))
    np.testing.assert_allclose(first["direct"] + first["indirect"], first["total"], atol=1e-12)


def test_samples_that_depend_strongly_are_sought_beyond_the_narrow_interpolant():
    weights, counting = align_weights(symmetric(40), pd.RangeIndex(40)), Counting(39 * 5, 5, True)
    y = np.linalg.solve(np.eye(40) - 0.9 * weights.matrix.toarray(), np.random.default_rng(1).normal(size=(30, 40, 5)))
    y, lag = (values - values.mean(axis=1, keepdims=True) for values in (y, weights.matrix.toarray() @ y))
    products = [(one * other).sum(axis=(1, 2)) for one, other in ((y, y), (y, lag), (lag, lag))]
    jacobians = EigenJacobian(weights), InterpolatedJacobian(weights)
    exact, interpolated = (SampleProfiles(jacobian, counting).maximise(*products) for jacobian in jacobians)
    assert exact.max() > 0.9
    np.testing.assert_allclose(interpolated, exact, atol=1e-6)


def test_samples_hold_no_effect_even_where_the_data_do():
    w = symmetric(25)
    panel = simulated(w, 8, 0.3, beta=(2.0, 0.5), theta=(1.0, 0.2), seed=1)
    impacts = spatial_panel(panel, "y", ["x1", "x2"], w, "sdm", "twoway", "lee-yu").impacts(2).table.loc["x1"]
    drawn = null_impacts(panel, "y", ["x1", "x2"], w, "x1", draws=400)
    for kind in ("direct", "total"):
        assert abs(drawn[kind].mean()) < 4 * drawn[kind].std() / 20
        assert impacts[kind] > drawn[kind].max()


def test_p_values_by_units_keep_their_level_where_years_depend_on_each_other():
    """Errors that remember: the model's own errors reject twice as often as they say, the samples do not."""
    n, periods, w = 24, 6, nearest(24)
    multiplier = np.linalg.inv(np.eye(n) - 0.4 * w)
    rejected = []
    for seed in range(120):
        drawn = np.random.default_rng(seed).normal(size=(2, n, periods + 5))
        for t in range(1, periods + 5):
            drawn[..., t] += 0.8 * drawn[..., t - 1]
        x, error = drawn[..., 5:]
        index = pd.MultiIndex.from_product([range(n), range(periods)])
        panel = pd.DataFrame({"y": (multiplier @ error).ravel(), "x": x.ravel()}, index=index)
        table = spatial_panel(panel, "y", "x", w, "sdm", "twoway", "lee-yu").impacts(100, seed).table.loc["x"]
        sizes = null_impacts(panel, "y", "x", w, "x", draws=99, seed=seed).abs()
        own = [(1 + (sizes[kind] >= abs(table[kind])).sum()) / 100 <= 0.05 for kind in ("direct", "total")]
        rejected.append([table["direct_p"] <= 0.05, table["total_p"] <= 0.05, *own])
    model, by_unit = np.mean(rejected, axis=0).reshape(2, 2)
    assert (model > 0.09).all()
    assert (by_unit < 0.1).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variable": "x3"}, UnknownNameError, "unknown variable 'x3'"),
        ({"bias_correction": "lee-yu-direct"}, UnknownNameError, "unknown bias correction"),
        ({"draws": 0}, InvalidInputError, "draws=0"),
        ({"w": 0.5 * symmetric(12)}, InvalidInputError, "row-standardise"),
        ({"w": None, "x": ["x1", "copy"], "variable": "copy"}, InvalidInputError, "copy: a linear combination"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, error, message):
    w = symmetric(12)
    panel = simulated(w, 5, seed=4).assign(copy=lambda frame: 2 * frame["x1"])
    call = {"x": ["x1", "x2"], "w": w, "variable": "x1"} | options
    with pytest.raises(error, match=message):
        null_impacts(panel, "y", call.pop("x"), call.pop("w"), call.pop("variable"), **call)

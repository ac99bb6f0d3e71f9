"""Quantile regression with an intercept a period: optimal against a linear programme, and one answer where many are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from clusterlib.study.diagnosis._syndromes import quantile_lines


def loss(x, y, quantile, slope, intercepts) -> float:
    residual = y - slope * x - intercepts[:, None]
    return float(np.nansum(np.maximum(quantile * residual, (quantile - 1) * residual)))


def least_loss(x, y, quantile) -> float:
    """By the linear programme of Koenker and Bassett, with positive and negative parts of residuals."""
    periods, units = x.shape
    kept = ~np.isnan(y.ravel())
    design = np.column_stack([x.ravel(), np.repeat(np.eye(periods), units, axis=0)])[kept]
    n, k = design.shape
    cost = np.concatenate([np.zeros(k), np.full(n, quantile), np.full(n, 1 - quantile)])
    equations = np.column_stack([design, np.eye(n), -np.eye(n)])
    bounds = [(None, None)] * k + [(0, None)] * (2 * n)
    return linprog(cost, A_eq=equations, b_eq=y.ravel()[kept], bounds=bounds).fun


@pytest.mark.parametrize("quantile", [0.5, 0.75, 0.9, 0.95])
def test_no_line_fits_better(quantile):
    random = np.random.default_rng(1)
    x = random.normal(size=(5, 4, 20))
    y = 0.5 * x + random.standard_t(3, size=x.shape)
    slopes, intercepts = quantile_lines(x, y, quantile)
    for sample in range(5):
        found = loss(x[sample], y[sample], quantile, slopes[sample], intercepts[sample])
        assert found == pytest.approx(least_loss(x[sample], y[sample], quantile), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    arrays(float, (2, 6), elements=st.integers(-5, 5)),
    arrays(float, (2, 6), elements=st.integers(-5, 5)),
    st.sampled_from([0.25, 0.5, 0.9]),
)
def test_ties_and_collinear_points_do_not_lead_astray(x, y, quantile):
    slopes, intercepts = quantile_lines(x[None], y[None], quantile)
    if np.isnan(slopes[0]):
        assert (x == x[:, :1]).all()
    else:
        assert loss(x, y, quantile, slopes[0], intercepts[0]) == pytest.approx(least_loss(x, y, quantile), abs=1e-8)


def test_units_that_are_missing_in_a_period_do_not_count():
    random = np.random.default_rng(2)
    x, y = random.normal(size=(2, 3, 15))
    x[1, :4] = y[1, :4] = np.nan
    slopes, intercepts = quantile_lines(x[None], y[None], 0.75)
    assert loss(x, y, 0.75, slopes[0], intercepts[0]) == pytest.approx(least_loss(x, y, 0.75), rel=1e-9)


def test_the_middle_is_taken_where_every_intercept_between_two_residuals_is_as_good():
    """A quantile of 0.9 of ten units leaves one above: the intercept lies half-way to it."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(2, 2, 10))
    slope, intercepts = quantile_lines(x[None], y[None], 0.9)
    residuals = np.sort(y - slope[0] * x, axis=1)
    assert (residuals[:, 9] - residuals[:, 8]).max() > 0.01
    assert intercepts[0] == pytest.approx((residuals[:, 8] + residuals[:, 9]) / 2)


def test_a_sample_that_cannot_tell_a_slope_has_none():
    x = np.ones((1, 2, 4))
    slopes, _ = quantile_lines(x, np.arange(8.0).reshape(1, 2, 4), 0.5)
    assert np.isnan(slopes).all()

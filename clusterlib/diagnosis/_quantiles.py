"""Quantile regression on one regressor with an intercept a period (分位数回归), for many samples at once."""

from __future__ import annotations

import numpy as np


def quantile_lines(x: np.ndarray, y: np.ndarray, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Slope and periods' intercepts of a quantile regression, exactly.

    .. math:: \min_{\beta, \alpha} \sum_t \sum_i \rho_\tau(y_{it} - \alpha_t - \beta x_{it}), \qquad
              \rho_\tau(u) = u (\tau - 1[u < 0])

    For a given slope the best intercepts are the quantiles of each period's residuals, so that a convex function of the
    slope alone remains, whose derivative depends on the order of the residuals only; its sign is bisected. Minima need
    not be unique: where :math:`n_t \tau` is a whole number every intercept between two residuals is as good, and the
    middle is taken; of equally good slopes the least is taken.

    Parameters
    ----------
    x, y : array of shape (samples, periods, units)
        NaN where a unit is missing, in both.
    quantile : float
        :math:`\tau`, between 0 and 1.

    Returns
    -------
    slope : array of shape (samples,)
        NaN for a sample whose x is the same for all units of every period.
    intercepts : array of shape (samples, periods)

    References
    ----------
    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50.

    Examples
    --------
    >>> slope, intercepts = quantile_lines(np.array([[[0.0, 1, 2]]]), np.array([[[1.0, 3, 9]]]), 0.5)
    >>> slope.round(9).tolist(), intercepts.round(9).tolist()
    ([4.0], [[1.0]])
    """
    count = (~np.isnan(y)).sum(axis=-1, keepdims=True)
    # How much of each residual, from the least up, lies below the quantile.
    rank = _whole(count * quantile)
    below = np.clip(rank - np.arange(y.shape[-1]), 0, 1)
    score = below - quantile
    tolerance = 1e-12 * np.nansum(np.abs(x), axis=(1, 2))

    def derivative(slope: np.ndarray) -> np.ndarray:
        order = np.argsort(y - slope[:, None, None] * x, axis=-1)
        ranked = np.nan_to_num(np.take_along_axis(x, order, axis=-1))
        return (score * ranked).sum(axis=(1, 2))

    slope = _first_root(derivative, tolerance)
    residuals = np.sort(y - slope[:, None, None] * x, axis=-1)
    lower, upper = (np.clip(r.astype(int), 0, count - 1) for r in (np.ceil(rank) - 1, np.floor(rank)))
    ends = (np.take_along_axis(residuals, end, axis=-1)[..., 0] for end in (lower, upper))
    return slope, sum(ends) / 2


def _whole(rank: np.ndarray) -> np.ndarray:
    """Ranks, whole where they are but for rounding: thirty times 0.9 is not quite 27 in binary."""
    nearest = np.round(rank)
    return np.where(np.abs(rank - nearest) < 1e-9, nearest, rank)


def _first_root(derivative, tolerance: np.ndarray) -> np.ndarray:
    """Bisect for where a derivative that only rises leaves the negative, for each sample; NaN where it never does."""
    low = _widened(-np.ones_like(tolerance), lambda slope: derivative(slope) >= -tolerance)
    high = _widened(np.ones_like(tolerance), lambda slope: derivative(slope) < -tolerance)
    flat = derivative(low) >= -tolerance
    while (np.abs(high - low)[~flat] > 1e-15 * np.maximum(np.abs(high), 1e-3)[~flat]).any():
        middle = (low + high) / 2
        if ((middle == low) | (middle == high) | flat).all():
            break
        negative = derivative(middle) < -tolerance
        low, high = np.where(negative, middle, low), np.where(negative, high, middle)
    return np.where(flat, np.nan, (low + high) / 2)


def _widened(end: np.ndarray, too_near) -> np.ndarray:
    """Double the ends that lie too near, as long as numbers can tell."""
    for _ in range(60):
        near = too_near(end)
        if not near.any():
            break
        end = np.where(near, 2 * end, end)
    return end

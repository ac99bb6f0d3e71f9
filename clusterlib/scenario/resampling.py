"""Errors of a spatial Durbin model that allow a unit's years to depend on each other (聚类自助法)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError

_HALVINGS = 60
_EDGE = 1e-6


def cluster_covariance(
    data: pd.DataFrame, y: str, x: str | Iterable[str], w, result, *, draws: int = 999, seed: int = 0
) -> pd.DataFrame:
    r"""Covariance of a spatial Durbin model's estimates by a wild bootstrap of units (聚类野自助法协方差).

    The expected information takes the years of a unit for independent. Here all residuals of a unit keep or change
    their sign together, :math:`v_i = \pm 1`, the outcome is made anew and the model estimated from it:

    .. math:: y^*_t = (I - \hat\rho W)^{-1} (X_t \hat\beta + W X_t \hat\theta + c \, v \circ \hat e_t), \quad
              c^2 = \frac{n}{n - 1} \frac{m}{m - k}

    with m the observations after the transformation and k slopes. Dependence over time may be of any form;
    between units it is what the model says.

    Parameters
    ----------
    data, y, x, w
        As the model was estimated from; w row-standardised.
    result : SpatialPanelResult
        Of ``model="sdm"`` with ``bias_correction="lee-yu"`` and effects of time or of both.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        By parameter: slopes, spatial lags and rho, around their mean over the draws.

    Raises
    ------
    InvalidInputError
        For another model.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. Review of Economics and Statistics 90, 414-427.
    """
    from clusterlib.spatial_panel.design import demean, make_design, spatial_lag
    from clusterlib.spatial_panel.jacobians import System

    if (result.model, result.bias_correction) != ("sdm", "lee-yu") or result.effects not in ("time", "twoway"):
        raise InvalidInputError("expected a spatial Durbin model with time effects and the correction 'lee-yu'")
    design = make_design(data, y, x, w, result.effects, lags=True, durbin=result.durbin)
    n, periods = design.shape
    names = list(design.names)
    left = result.residuals.reindex(design.index).to_numpy().reshape(n, periods, 1)
    scale = np.sqrt(n / (n - 1) * result.nobs / (result.nobs - len(names)))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (n, 1, draws))
    mean = (design.regressors @ result.params[names].to_numpy())[..., None]
    made = (mean + scale * signs * left).reshape(n, -1)
    made = System(design.weights).factor(result.rho).solve(made).reshape(n, periods, draws)
    responses = [demean(values, result.effects) for values in (made, spatial_lag(design.weights, made))]
    estimates = _estimate(design, [r.reshape(n * periods, draws) for r in responses], result.nobs)
    return pd.DataFrame(np.cov(estimates), index=[*names, "rho"], columns=[*names, "rho"])


def _estimate(design, responses: list[np.ndarray], observations: int) -> np.ndarray:
    """Slopes and rho, shape (parameters, draws), of outcomes and their lags without effects, a column a draw."""
    basis, triangle = np.linalg.qr(design.flat(design.regressors))
    fitted = [basis.T @ r for r in responses]
    own, lagged = (r - basis @ f for r, f in zip(responses, fitted, strict=True))
    squares = (own**2).sum(axis=0), (own * lagged).sum(axis=0), (lagged**2).sum(axis=0)
    n = len(design.weights.units)
    rho = _spatial_parameter(squares, design.weights.matrix.toarray(), observations, observations / (n - 1))
    return np.vstack([np.linalg.solve(triangle, fitted[0] - rho * fitted[1]), rho])


def _spatial_parameter(
    squares: tuple[np.ndarray, ...], matrix: np.ndarray, observations: int, periods: float
) -> np.ndarray:
    r"""Where the concentrated likelihood's slope in rho is nil, by halving the interval of admissible values.

    .. math:: \frac{m (b - \rho c)}{a - 2 \rho b + \rho^2 c}
              + T' \Bigl(\frac{1}{1 - \rho} - \sum_i \frac{\omega_i}{1 - \rho \omega_i}\Bigr)
    """
    a, b, c = squares
    roots = np.linalg.eigvals(matrix)
    real = roots.real[np.abs(roots.imag) < 1e-9]
    # Row-standardised weights have the root one, which the transformation takes out.
    others = np.delete(roots, np.argmin(np.abs(roots - 1)))
    low, high = np.full(len(a), 1 / min(real.min(), -0.5) + _EDGE), np.full(len(a), 1 - _EDGE)
    for _ in range(_HALVINGS):
        rho = (low + high) / 2
        slope = observations * (b - rho * c) / (a - 2 * rho * b + rho**2 * c)
        slope -= periods * (others[:, None] / (1 - rho * others[:, None])).real.sum(axis=0)
        low, high = np.where(slope > 0, rho, low), np.where(slope > 0, high, rho)
    return (low + high) / 2

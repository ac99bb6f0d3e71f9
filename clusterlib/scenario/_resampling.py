"""Errors of a spatial Durbin model that allow a unit's years to depend on each other (聚类自助法)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError


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

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.spatial_panel import spatial_panel
    >>> random = np.random.default_rng(0)
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x = random.normal(size=(20, 8))
    >>> y = np.linalg.solve(np.eye(20) - 0.5 * ring, x + 0.3 * ring @ x + random.normal(size=(20, 8)))
    >>> index = pd.MultiIndex.from_product([range(20), range(2015, 2023)], names=["adcode", "year"])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = spatial_panel(panel, "y", "x", ring, "sdm", "twoway", "lee-yu")
    >>> covariance = cluster_covariance(panel, "y", "x", ring, result, draws=199)
    >>> list(covariance.columns), bool(covariance.loc["x", "x"] > 0)
    (['x', 'W_x', 'rho'], True)
    """
    from clusterlib.core.within import demean
    from clusterlib.spatial_panel._design import make_design, spatial_lag
    from clusterlib.spatial_panel._jacobians import System, make_jacobian
    from clusterlib.spatial_panel._likelihood import Counting, SampleProfiles

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
    system = System(design.weights)
    made = system.factor(result.rho).solve(made).reshape(n, periods, draws)
    responses = [demean(values, result.effects) for values in (made, spatial_lag(design.weights, made))]
    profiles = SampleProfiles(make_jacobian(design.weights, system), Counting.of(design, transformed=True))
    estimates = _estimate(design, profiles, [r.reshape(n * periods, draws) for r in responses])
    return pd.DataFrame(np.cov(estimates), index=[*names, "rho"], columns=[*names, "rho"])


def _estimate(design, profiles, responses: list[np.ndarray]) -> np.ndarray:
    """Slopes and rho, shape (parameters, draws), of outcomes and their lags without effects, a column a draw."""
    basis, triangle = np.linalg.qr(design.flat(design.regressors))
    fitted = [basis.T @ r for r in responses]
    own, lagged = (r - basis @ f for r, f in zip(responses, fitted, strict=True))
    rho = profiles.maximise((own**2).sum(axis=0), (own * lagged).sum(axis=0), (lagged**2).sum(axis=0))
    return np.vstack([np.linalg.solve(triangle, fitted[0] - rho * fitted[1]), rho])

"""What a change of regressors gives by a spatial Durbin model, at home and elsewhere (空间杜宾模型情景响应)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_finite
from clusterlib.errors import UnknownNameError
from clusterlib.scenario._propagation import propagate


@dataclass(frozen=True)
class DurbinResponse:
    """Response of each unit to its own change and to those of others.

    Attributes
    ----------
    units : Index
    direct, total : ndarray, shape (units, 1 + draws)
        In the unit of y; the first column at the estimates, then by draw.
    rejected : int
        Draws that were made again because rho was not below one in modulus.
    """

    units: pd.Index
    direct: np.ndarray = field(repr=False)
    total: np.ndarray = field(repr=False)
    rejected: int


def durbin_response(
    result, w, changes: pd.DataFrame, *, covariance: pd.DataFrame | None = None, draws: int = 1000, seed: int = 0
) -> DurbinResponse:
    r"""Response of y to a change of regressors in a spatial Durbin model (空间杜宾模型的反事实响应).

    .. math:: \Delta y = (I - \rho W)^{-1} \sum_k (\beta_k I + \theta_k W) \Delta x_k = \sum_k M_k \Delta x_k

    The direct effect of unit i is what its own change gives it, :math:`\sum_k M_{k,ii} \Delta x_{k,i}`, feedback
    through neighbours included; the rest of :math:`\Delta y_i` has spilt over from the changes of others. Draws are of
    all slopes and rho from the normal distribution of the estimates; with the model's covariance they are those of
    :meth:`clusterlib.spatial_panel.SpatialPanelResult.impacts` with the same seed.

    Parameters
    ----------
    result : SpatialPanelResult
        Of a model with spatial lags of x, of y or both.
    w : Graph, DataFrame, array or sparse matrix
        Row-standardised, of the units of ``changes``.
    changes : DataFrame
        By unit, one column a regressor of the model that changes; in its unit.
    covariance : DataFrame, optional
        Of slopes and rho, such as of :func:`clusterlib.spatial_panel.cluster_covariance`; by default that of the model.
    draws, seed : int

    Returns
    -------
    DurbinResponse

    Raises
    ------
    InvalidInputError
        For missing changes, weights of other units and estimates so vague that hardly a draw is stable.
    UnknownNameError
        If a column is no regressor of the model.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics, section 2.7. CRC Press.

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
    >>> changes = pd.DataFrame({"x": [1.0] + 19 * [0.0]})
    >>> response = durbin_response(result, ring, changes, draws=10)
    >>> bool(response.direct[0, 0] > 1), bool(response.total[1, 0] > response.direct[1, 0] == 0)
    (True, True)
    """
    from clusterlib.core.alignment import align_weights
    from clusterlib.spatial_panel._estimation import draw_normal

    for name in changes.columns:
        if name not in result.x:
            raise UnknownNameError("regressor", name, result.x)
    check_finite(changes, "a unit that does not change has a change of zero")
    weights = align_weights(w, changes.index, "w")
    lagged = [f"W_{name}" for name in result.durbin]
    names = [*result.x, *lagged, *(["rho"] if "rho" in result.params else [])]
    mean = result.params[names].to_numpy()
    covariance = (result.covariance if covariance is None else covariance).loc[names, names].to_numpy()
    rho = names.index("rho") if "rho" in names else None

    def stable(drawn: np.ndarray) -> np.ndarray:
        return np.ones(len(drawn), bool) if rho is None else np.abs(drawn[:, rho]) < 1

    drawn, rejected = draw_normal(mean, covariance, draws, seed, stable)
    values = pd.DataFrame(np.vstack([mean, drawn]), columns=names)
    direct, total = _responses(weights.matrix, changes, values)
    return DurbinResponse(changes.index, direct, total, rejected)


def _responses(matrix, changes: pd.DataFrame, values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Direct and total response at rows of coefficients, shape (units, rows) each."""
    units, rows = len(changes), len(values)
    zero = np.zeros(rows)
    moved = np.flatnonzero((changes != 0).any(axis=1))
    # One column for each unit that changes, so that what it gives itself is told from what it gives others.
    first = np.zeros((units, len(moved), rows))
    for name in changes.columns:
        alone = np.zeros((units, len(moved)))
        alone[moved, np.arange(len(moved))] = changes[name].to_numpy()[moved]
        slopes = values[name].to_numpy(), values.get(f"W_{name}", pd.Series(zero)).to_numpy()
        first += alone[..., None] * slopes[0] + (matrix @ alone)[..., None] * slopes[1]
    if not len(moved):
        return np.zeros((units, rows)), np.zeros((units, rows))
    rho = values.get("rho", pd.Series(zero)).to_numpy()
    reached = propagate([matrix], rho[None], first)
    direct = np.zeros((units, rows))
    direct[moved] = reached[moved, np.arange(len(moved))]
    return direct, reached.sum(axis=1)

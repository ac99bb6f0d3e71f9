"""Impacts of a variable on samples in which it has none: the restricted wild bootstrap of units (约束聚类野自助法)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced, check_panel
from clusterlib.core.within import demean
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel._design import Design, make_design, spatial_lag
from clusterlib.spatial_panel._effect_draws import KINDS, Multipliers, linear_impacts
from clusterlib.spatial_panel._jacobians import System, make_jacobian
from clusterlib.spatial_panel._likelihood import Counting, SampleProfiles


def null_impacts(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w,
    variable: str,
    *,
    bias_correction: str | None = "lee-yu",
    draws: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Impacts of a variable in two-way spatial Durbin models of samples in which it has none (零假设下的效应分布).

    The model without the variable and its spatial lag (tilde) makes the samples: all residuals of a unit keep or change
    their sign together, :math:`v_i = \pm 1`. The whole model is then estimated from each:

    .. math:: y^*_t = (I - \tilde\rho W)^{-1} (Z_t \tilde\gamma + W Z_t \tilde\delta + c \, v \circ \tilde e_t), \quad
              c^2 = \frac{n}{n - 1} \frac{m}{m - k}

    with Z the other variables, m the observations after the effects are taken out and k slopes. Dependence over time
    and variances that differ between units may be of any form; between units dependence is what the model says. The
    draws of a seed are the same units' signs whatever the model, so that estimates of several models are drawn jointly.

    Parameters
    ----------
    data, y, x
        As of :func:`clusterlib.spatial_panel.spatial_panel`; balanced.
    w : Graph, DataFrame, array, sparse matrix, Weights or None
        As of :func:`clusterlib.spatial_panel.spatial_panel`, row-standardised, without islands. None: two-way fixed
        effects without spatial terms, where the coefficient is the direct and the total impact.
    variable : str
        One of ``x``.
    bias_correction : {"lee-yu", None}
        As of :func:`clusterlib.spatial_panel.spatial_panel`.
    draws, seed : int

    Returns
    -------
    DataFrame, shape (draws, 3)
        Columns ``direct``, ``indirect``, ``total``.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.spatial_panel.spatial_panel`, and for weights that are not row-standardised, a variable
        that is not among ``x``, or fewer than one draw.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. Review of Economics and Statistics 90, 414-427.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> index = pd.MultiIndex.from_product([range(20), range(2015, 2023)], names=["adcode", "year"])
    >>> panel = pd.DataFrame(np.random.default_rng(0).normal(size=(160, 2)), index=index, columns=["y", "x"])
    >>> drawn = null_impacts(panel, "y", "x", ring, "x", draws=200)
    >>> bool(drawn["direct"].abs().mean() < 0.2)
    True
    """
    x = as_names(x)
    if variable not in x:
        raise UnknownNameError("variable", variable, x)
    if bias_correction not in ("lee-yu", None):
        raise UnknownNameError("bias correction", bias_correction, ["lee-yu", None])
    if draws < 1:
        raise InvalidInputError(f"draws={draws}: expected at least one")
    setting = _FixedEffects(data, y, x, variable) if w is None else _Durbin(data, y, x, w, variable, bias_correction)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (draws, setting.n))
    direct, total = setting.impacts(setting.scale * signs).T
    return pd.DataFrame(np.column_stack([direct, total - direct, total]), columns=KINDS)


def _small_sample(n: int, observations: int, slopes: int) -> float:
    return float(np.sqrt(n / (n - 1) * observations / (observations - slopes)))


def _without(Q: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values - Q @ (Q.T @ values)


class _FixedEffects:
    """Least squares with two-way effects; the coefficient is linear in the units' signs."""

    def __init__(self, data: pd.DataFrame, y: str, x: list[str], variable: str) -> None:
        others = [name for name in x if name != variable]
        frame = check_panel(data, [y, variable, *others])
        self.n, periods = check_balanced(frame)
        values = demean(frame.to_numpy().reshape(self.n, periods, -1), "twoway").reshape(len(frame), -1)
        Q = np.linalg.qr(values[:, 2:])[0]
        outcome, regressor = _without(Q, values[:, 0]), _without(Q, values[:, 1])
        if regressor @ regressor <= 1e-18 * (values[:, 1] @ values[:, 1]):
            raise InvalidInputError(f"{variable}: nothing is left of it once effects and other variables are taken out")
        self.scale = _small_sample(self.n, (self.n - 1) * (periods - 1), len(others))
        self._parts = (outcome * regressor).reshape(self.n, periods).sum(axis=1) / (regressor @ regressor)

    def impacts(self, factors: np.ndarray) -> np.ndarray:
        """Direct and total impacts where the residuals of units are multiplied by each row of ``factors``."""
        return np.repeat((factors @ self._parts)[:, None], 2, axis=1)


class _Durbin:
    """The spatial Durbin model; cross-products of samples are quadratic in the units' signs.

    With row-standardised weights the demeaned outcome follows from demeaned residuals alone, so each sample is a fixed
    part plus one column for each unit, times its sign.
    """

    def __init__(self, data: pd.DataFrame, y: str, x: list[str], w, variable: str, correction: str | None) -> None:
        design = make_design(data, y, x, w, "twoway", lags=True)
        if not design.weights.row_standardised:
            raise InvalidInputError("weights: expected rows that sum to one, without islands; row-standardise them")
        self.n, _ = design.shape
        system = System(design.weights)
        counting = Counting.of(design, correction == "lee-yu")
        self._profiles = SampleProfiles(make_jacobian(design.weights, system), counting)
        self._multipliers = Multipliers(design.weights, self._profiles.jacobian, system)
        own = design.names.index(variable)
        self._places = [own, own + len(x)]
        columns = self._samples(design, system)
        basis, triangle = np.linalg.qr(design.flat(design.regressors))
        fitted = [np.linalg.solve(triangle, basis.T @ c)[self._places] for c in columns]
        left = [_without(basis, c) for c in columns]
        self._coefficients = np.stack(fitted)
        self._products = [left[0].T @ left[0], left[0].T @ left[1], left[1].T @ left[1]]

    def _samples(self, design: Design, system: System) -> list[np.ndarray]:
        """Fixed part and units' columns of the demeaned outcome, and of its spatial lag."""
        n, periods = design.shape
        others = np.delete(design.regressors, self._places, axis=2)
        reduced = replace(design, regressors=others)
        rho, mean = self._fit(reduced)
        left = design.response - rho * design.lagged_response - mean
        self.scale = _small_sample(n, self._profiles.counting.observations, others.shape[2])
        made = np.concatenate([mean[:, :, None], left.T * np.eye(n)[:, None, :]], axis=2)
        made = system.factor(rho).solve(made.reshape(n, -1)).reshape(made.shape)
        both = (demean(part, "time") for part in (made, spatial_lag(design.weights, made)))
        return [part.reshape(n * periods, -1) for part in both]

    def _fit(self, design: Design) -> tuple[float, np.ndarray]:
        """Return rho of one sample and the part of its outcome that the regressors explain, (units, periods)."""
        basis = np.linalg.qr(design.flat(design.regressors))[0]
        y, lag = design.response.ravel(), design.lagged_response.ravel()
        own, lagged = _without(basis, y), _without(basis, lag)
        products = (np.array([v]) for v in (own @ own, own @ lagged, lagged @ lagged))
        rho = float(self._profiles.maximise(*products)[0])
        return rho, (basis @ (basis.T @ (y - rho * lag))).reshape(design.shape)

    def impacts(self, factors: np.ndarray) -> np.ndarray:
        """Direct and total impacts where the residuals of units are multiplied by each row of ``factors``."""
        factors = np.column_stack([np.ones(len(factors)), factors])
        squares = [((factors @ product) * factors).sum(axis=1) for product in self._products]
        rho = self._profiles.maximise(*squares)
        values = self._coefficients @ factors.T
        own, lagged = values[0] - rho * values[1]
        return linear_impacts(self._multipliers.at(rho), own[:, None], lagged[:, None])[:, 0]

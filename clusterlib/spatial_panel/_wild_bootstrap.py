"""The wild bootstrap of units (聚类野自助法): impacts where a variable has none, and errors that units' years share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_whole
from clusterlib.core.resampling import generator, wild_signs
from clusterlib.core.within import demean, least_squares
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import (
    Design,
    balanced_values,
    check_error,
    make_design,
    spatial_lag,
    without_effects,
)
from clusterlib.spatial_panel._estimation import BIAS_CORRECTIONS, KINDS, Multipliers, SpatialPanelResult
from clusterlib.spatial_panel._jacobians import make_jacobian
from clusterlib.spatial_panel._likelihood import Counting, SampleProfiles

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

# Share of the residuals by which those made again may differ.
_SAME = 1e-6


def null_impacts(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike | None,
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
    w : Graph, W, DataFrame, array, sparse matrix or None
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
    x = as_names(x, "x")
    check_choice("variable", variable, x)
    check_choice("bias correction", bias_correction, (None, *BIAS_CORRECTIONS))
    draws, random = check_whole("draws", draws, least=1), generator(seed)
    if w is None:
        n, parts = _fixed_effects_parts(data, y, x, variable)
        direct = total = wild_signs(n, draws, random) @ parts
    else:
        design = _standardised(data, y, x, w, "twoway")
        places = [x.index(variable), len(x) + x.index(variable)]
        reduced = replace(design, regressors=np.delete(design.regressors, places, axis=2))
        profiles = _profiles(design, bias_correction is not None)
        rho, mean = _fit(reduced, profiles)
        samples = _Samples(design, profiles, rho, mean, reduced.regressors.shape[2])
        slopes, rhos = samples.estimates(wild_signs(design.shape[0], draws, random))
        own, lagged = slopes[places, :, None]
        direct, total = Multipliers(profiles.jacobian).impacts(rhos, own, lagged)[:, 0].T
    return pd.DataFrame(np.column_stack([direct, total - direct, total]), columns=list(KINDS))


def cluster_covariance(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    result: SpatialPanelResult,
    *,
    draws: int = 999,
    seed: int = 0,
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
    InvalidInputError, UnknownNameError
        For another model, data and weights that are not those it was estimated from, or fewer than two draws.

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
    fits = isinstance(result, SpatialPanelResult) and result.effects in ("time", "twoway")
    if not fits or (result.model, result.bias_correction) != ("sdm", "lee-yu"):
        raise InvalidInputError("expected a spatial Durbin model with time effects and the correction 'lee-yu'")
    draws, random = check_whole("draws", draws, least=2), generator(seed)
    x = as_names(x, "x")
    lagged = [name for name in x if str(name) in result.durbin]
    design = _standardised(data, y, x, w, result.effects, lagged or None)
    names = [*design.names, "rho"]
    mean = design.regressors @ result.params.reindex(names[:-1]).to_numpy()
    left = design.response - result.rho * design.lagged_response - mean
    given = result.residuals.reindex(design.index).to_numpy().reshape(design.shape)
    # A name, a row or a unit that is missing from the result leaves a gap that is missing too.
    if not np.abs(left - given).max() <= _SAME * np.abs(left).max():
        raise InvalidInputError("data, y, x and w must be those that the model was estimated from")
    samples = _Samples(design, _profiles(design, True), result.rho, mean, len(design.names))
    # Drawn unit by unit.
    estimates = np.vstack(samples.estimates(wild_signs(draws, design.shape[0], random).T))
    return pd.DataFrame(np.cov(estimates), index=names, columns=names)


def _small_sample(n: int, observations: int, slopes: int) -> float:
    return float(np.sqrt(n / (n - 1) * observations / (observations - slopes)))


def _fixed_effects_parts(data: pd.DataFrame, y: str, x: list[str], variable: str) -> tuple[int, np.ndarray]:
    """Return the number of units, and what the coefficient of the variable changes by with each unit's sign."""
    _, values = balanced_values(data, [y, *x], "twoway")
    n, periods, _ = values.shape
    names, place = [str(name) for name in (y, *x)], 1 + x.index(variable)
    within, absorbed = without_effects(values, names, "twoway")
    within = within.reshape(n * periods, -1)
    others = np.delete(within, [0, place], axis=1)
    outcome, regressor = (least_squares(within[:, j], others, names, absorbed).residuals for j in (0, place))
    check_error(outcome, within[:, 0], values[..., 0], names[0])
    scale = _small_sample(n, len(within) - absorbed, others.shape[1])
    return n, scale * (outcome * regressor).reshape(n, periods).sum(axis=1) / (regressor @ regressor)


def _standardised(
    data: pd.DataFrame, y: str, x: list[str], w: WeightsLike, effects: str, durbin: list[str] | None = None
) -> Design:
    """Return the design of a Durbin model with row-standardised weights, of which the demeaned outcome follows from
    demeaned residuals alone."""
    design = make_design(data, y, x, w, effects, lags=True, durbin=durbin)
    if not design.weights.row_standardised:
        raise InvalidInputError("weights: expected rows that sum to one, without islands; row-standardise them")
    return design


def _profiles(design: Design, transformed: bool) -> SampleProfiles:
    return SampleProfiles(make_jacobian(design.weights), Counting.of(design, transformed))


def _fit(design: Design, profiles: SampleProfiles) -> tuple[float, np.ndarray]:
    """Return rho of one sample and the part of its outcome that the regressors explain, (units, periods)."""
    y, lag = design.response.ravel(), design.lagged_response.ravel()
    own, lagged = design.left(y), design.left(lag)
    products = (np.array([v]) for v in (own @ own, own @ lagged, lagged @ lagged))
    rho = float(profiles.maximise(*products)[0])
    return rho, (y - own - rho * (lag - lagged)).reshape(design.shape)


class _Samples:
    """Samples that a fitted model makes from its residuals with the units' signs, and the models estimated from them.

    Each sample is a fixed part plus one column for each unit, times its sign, so that cross-products are quadratic in
    the signs.
    """

    def __init__(self, design: Design, profiles: SampleProfiles, rho: float, mean: np.ndarray, slopes: int) -> None:
        n, periods = design.shape
        self.profiles = profiles
        left = design.response - rho * design.lagged_response - mean
        left = _small_sample(n, profiles.counting.observations, slopes) * left
        made = np.concatenate([mean[:, :, None], left.T * np.eye(n)[:, None, :]], axis=2)
        made = profiles.jacobian.system.factor(rho).solve(made.reshape(n, -1)).reshape(made.shape)
        both = (demean(part, "time") for part in (made, spatial_lag(design.weights, made)))
        columns = [part.reshape(n * periods, -1) for part in both]
        self.slopes = [np.linalg.solve(design.triangle, design.basis.T @ c) for c in columns]
        one, other = (design.left(c) for c in columns)
        self.products = [one.T @ one, one.T @ other, other.T @ other]

    def estimates(self, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return slopes, shape (regressors, draws), and rho of the samples with these signs, a row a draw."""
        factors = np.column_stack([np.ones(len(signs)), signs])
        rho = self.profiles.maximise(*(((factors @ product) * factors).sum(axis=1) for product in self.products))
        own, lagged = (slopes @ factors.T for slopes in self.slopes)
        return own - rho * lagged, rho

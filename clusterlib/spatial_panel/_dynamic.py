"""Dynamic spatial panel models (动态空间面板模型): y of the period before, here and at the neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, spectral_radius
from clusterlib.core.checks import check_choice, check_flags
from clusterlib.core.results import Test
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import Design, make_design
from clusterlib.spatial_panel._estimation import (
    BIAS_CORRECTIONS,
    MODELS,
    Impacts,
    Multipliers,
    SpatialEstimates,
    check_transformation,
    fitted_fields,
)
from clusterlib.spatial_panel._jacobians import DENSE_UNITS, Jacobian, make_jacobian
from clusterlib.spatial_panel._likelihood import (
    ConcentratedLikelihood,
    Counting,
    Information,
    Moments,
    Point,
    cross_trace,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from clusterlib.core.alignment import WeightsLike

TIME_LAGS = ("tau", "eta")
DYNAMIC_MODELS = ("sar", "sdm")
DYNAMIC_EFFECTS = ("entity", "twoway")


@dataclass(frozen=True)
class Dynamics:
    r"""Eigenvalues of :math:`(I - \rho W)^{-1} (\tau I + \eta W)` (动态特征根) at each of many parameters.

    They are :math:`f(\omega) = (\tau + \eta \omega) / (1 - \rho \omega)`. Over the disc of radius r that holds the
    eigenvalues :math:`\omega` of W, :math:`|f|` is largest at r or at -r, and r is one of them, as W is not negative:
    where :math:`|f|` is largest at r, or below one at both, the others need not be found.
    """

    weights: Weights
    rho: ArrayLike
    tau: ArrayLike
    eta: ArrayLike

    def _at(self, eigenvalues: np.ndarray) -> np.ndarray:
        rho, tau, eta = (np.asarray(values, dtype=float)[..., None] for values in (self.rho, self.tau, self.eta))
        return np.abs((tau + eta * eigenvalues) / (1 - rho * eigenvalues))

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """At the positive and at the negative end of the disc; without a bound where it holds the pole of f."""
        radius = spectral_radius(self.weights)
        if self.weights.islands and len(self.weights.units) <= DENSE_UNITS:
            # With islands the radius above may be no more than a bound.
            radius = np.abs(self.weights.spectrum[0]).max()
        ends = self._at(np.array([radius, -radius]))
        return ends[..., 0], np.where(np.abs(self.rho) * radius < 1, ends[..., 1], np.inf)

    def largest(self) -> np.ndarray:
        """Return the largest modulus; beyond 2,000 units its bound, if that is not known to be reached."""
        positive, negative = self._ends
        if (positive >= negative).all() or len(self.weights.units) > DENSE_UNITS:
            return np.maximum(positive, negative)
        return self._at(self.weights.spectrum[0]).max(axis=-1)

    def stable(self) -> np.ndarray:
        """Return whether the largest modulus is below one."""
        positive, negative = self._ends
        if ((positive >= 1) | (negative < 1)).all():
            return (positive < 1) & (negative < 1)
        return self.largest() < 1


def _unstable(what: str, dynamics: Dynamics, advice: str) -> InvalidInputError:
    return InvalidInputError(
        f"no {what}: the process is not stable, the largest eigenvalue of (I - rho W)^-1 (tau I + eta W) is "
        f"{float(dynamics.largest()):.3f}, and must be below one; {advice}, effects='twoway', or differences of y"
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class DynamicSpatialPanelResult(SpatialEstimates):
    r"""Dynamic spatial panel model by quasi-maximum likelihood (动态空间面板模型).

    Attributes
    ----------
    params : Series
        By name: the variables, ``W_x`` for the spatial lag of ``x``, then ``tau``, ``eta`` and ``rho``; corrected
        where ``bias_correction`` says so.
    covariance : DataFrame
        Of the parameters and ``sigma2``.
    rho, tau, eta : float
        Coefficients of the spatial lag, of the time lag and of the spatial lag of the time lag; nil if left out.
    uncorrected : Series
        Parameters and ``sigma2`` at the maximum of the likelihood.
    loglik, loglik_linear : float
        At that maximum, and without rho; given the first period.
    n_periods, nobs : int
        Periods after the first, which is lost, and observations in the likelihood.
    residuals, fitted : Series
        Missing in the first period.
    """

    time_lags: tuple[str, ...]
    jacobian: str
    rho: float
    tau: float
    eta: float
    uncorrected: pd.Series = field(repr=False)
    _multipliers: Multipliers = field(repr=False)

    @property
    def _dynamics(self) -> Dynamics:
        return Dynamics(self._multipliers.jacobian.weights, self.rho, self.tau, self.eta)

    @property
    def stable(self) -> bool:
        """Whether a shock dies out (平稳): the largest modulus of the eigenvalues is below one."""
        return bool(self._dynamics.stable())

    @cached_property
    def largest_eigenvalue(self) -> float:
        r"""Largest modulus of the eigenvalues of :math:`(I - \rho W)^{-1} (\tau I + \eta W)` (最大特征根的模)."""
        return float(self._dynamics.largest())

    @property
    def tests(self) -> dict[str, Test]:
        """None: the likelihood at its maximum is not that of the corrected estimates; see ``wald_test``."""
        return {}

    def _own_footer(self) -> dict[str, object]:
        return super()._own_footer() | {
            "Bias correction 偏误修正": self.bias_correction is not None,
            "Largest eigenvalue 最大特征根": self.largest_eigenvalue,
            "Stable 平稳": self.stable,
        }

    def long_run_impacts(self, draws: int = 1000, seed: int = 0, level: float = 0.95) -> Impacts:
        r"""Direct, indirect and total impacts once all has settled (长期效应); ``impacts`` are of the same period.

        Those of ``impacts`` with :math:`[(1 - \tau) I - (\rho + \eta) W]^{-1}` for :math:`(I - \rho W)^{-1}`. A draw
        that is not stable is made again, so that intervals are given stability.

        Parameters
        ----------
        draws, seed : int
        level : float
            Of the intervals, by percentiles.

        Returns
        -------
        Impacts

        Raises
        ------
        InvalidInputError
            If the estimates are not stable: there is no long run.

        References
        ----------
        Debarsy, N., Ertur, C. and LeSage, J. P. (2012). Interpreting dynamic space-time panel data models.
        Statistical Methodology 9, 158-171. Elhorst, J. P. (2014). Spatial Econometrics, ch. 4. Springer.
        """
        if not self.stable:
            raise _unstable("long-run impacts", self._dynamics, "take impacts() of the same period")
        return self._simulated(draws, seed, level, self._is_stable, self._long_run_at)

    @property
    def _drawn(self) -> list[str]:
        return [*self.x, *(f"W_{name}" for name in self.durbin), *self.time_lags, "rho"]

    def _lags_at(self, values: np.ndarray) -> list[np.ndarray]:
        """Rho, tau and eta in rows of parameters."""
        places = [self._drawn.index(name) if name in self._drawn else None for name in ("rho", *TIME_LAGS)]
        return [np.zeros(len(values)) if place is None else values[:, place] for place in places]

    def _admissible(self, drawn: np.ndarray) -> np.ndarray:
        lower, upper = self._multipliers.jacobian.interval
        return (drawn[:, -1] > lower) & (drawn[:, -1] < upper)

    def _is_stable(self, drawn: np.ndarray) -> np.ndarray:
        rho, tau, eta = self._lags_at(drawn)
        lower, upper = self._multipliers.jacobian.interval
        with np.errstate(divide="ignore", invalid="ignore"):
            stable = Dynamics(self._multipliers.jacobian.weights, rho, tau, eta).stable()
            settled = (rho + eta) / (1 - tau)
        return self._admissible(drawn) & stable & (settled > lower) & (settled < upper)

    def _impacts_at(self, values: np.ndarray) -> np.ndarray:
        return self._multipliers.impacts(values[:, -1], *self._slopes(values))

    def _long_run_at(self, values: np.ndarray) -> np.ndarray:
        rho, tau, eta = self._lags_at(values)
        own, lagged = (slopes / (1 - tau)[:, None] for slopes in self._slopes(values))
        return self._multipliers.impacts((rho + eta) / (1 - tau), own, lagged)


def dynamic_spatial_panel(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    model: str = "sdm",
    effects: str = "twoway",
    bias_correction: str | None = "lee-yu",
    *,
    time_lag: bool = True,
    space_time_lag: bool = True,
    durbin: str | Iterable[str] | None = None,
    jacobian: str = "auto",
) -> DynamicSpatialPanelResult:
    r"""Dynamic spatial panel model by quasi-maximum likelihood with bias correction (动态空间面板模型的偏误修正估计).

    .. math:: y_t = \tau y_{t-1} + \eta W y_{t-1} + \rho W y_t + X_t \beta + W X_t \theta + \mu + \alpha_t 1 + e_t

    Given the first period, the likelihood of the T others is that of the static model with :math:`y_{t-1}` and
    :math:`W y_{t-1}` among the regressors. Effects of units are concentrated out by demeaning; those of time are
    removed first, by the transformation that leaves n - 1 units and :math:`\ln|I - \rho W| - \ln(1 - \rho)`. Demeaned
    lags go with demeaned errors, so that the score b has not the mean nil and estimates are biased by order 1/T:

    .. math:: \hat\vartheta_c = \hat\vartheta + I^{-1} b, \quad
              b_\tau = \operatorname{tr} D, \quad b_\eta = \operatorname{tr} W D, \quad
              b_\rho = \tau \operatorname{tr} G D + \eta \operatorname{tr} G W D + \operatorname{tr} G, \quad
              b_{\sigma^2} = \frac{n}{2 \sigma^2}, \quad b_\beta = b_\theta = 0,

    .. math:: D = \sum_{h=0}^\infty A^h (I - \rho W)^{-1} = [(1 - \tau) I - (\rho + \eta) W]^{-1}, \quad
              A = (I - \rho W)^{-1} (\tau I + \eta W), \quad G = W (I - \rho W)^{-1},

    with I the information and all of it at the uncorrected estimates, once; for two-way effects the traces are those of
    J times the matrices, :math:`J = I - 11'/n`, and n is n - 1.

    Parameters
    ----------
    data, y, x, w, durbin, jacobian
        As of :func:`clusterlib.spatial_panel.spatial_panel`. Balanced, with three periods or more, equally far apart.
        The first period serves as y of the period before alone.
    model : {"sdm", "sar"}
        With or without spatial lags of x.
    effects : {"entity", "twoway"}
        ``"twoway"`` takes row-standardised weights without islands.
    bias_correction : {"lee-yu", None}
    time_lag, space_time_lag : bool
        Whether the model has tau, and eta.

    Returns
    -------
    DynamicSpatialPanelResult
        ``df_resid`` counts T periods less coefficients, rho and effects. Errors are asymptotic, by the expected
        information for normal e at the estimates that are returned, without small-sample factors.

    Raises
    ------
    InvalidInputError
        As of ``spatial_panel``; also for periods with gaps, no lag in time, and estimates that are not stable or a
        corrected rho that is not admissible, for which there is no correction.
    UnknownNameError
        For an unknown column, model, kind of effects or correction.

    Notes
    -----
    What the correction leaves is of order :math:`1/T^2`: with T = 10 it can still be seen in sigma2, which stays too
    small. A corrected process may be unstable where the uncorrected one is not: see ``stable`` of the result.

    R's SDPDmod makes the information positive definite (``Matrix::nearPD``) before it inverts it, which drops its
    eigenvalues below :math:`10^{-6}` of the largest. With y in small units that can be one that counts, and its
    corrected rho and eta are then others than these.

    References
    ----------
    Yu, J., de Jong, R. and Lee, L.-F. (2008). Quasi-maximum likelihood estimators for spatial dynamic panel data with
    fixed effects when both n and T are large. Journal of Econometrics 146, 118-134: effects of units. Lee, L.-F. and
    Yu, J. (2010). A spatial dynamic panel data model with both time and individual fixed effects. Econometric Theory
    26, 564-597: both effects, by transformation.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x, y = random.normal(size=(20, 31)), np.zeros((20, 31))
    >>> for t in range(1, 31):
    ...     mean = 0.5 * y[:, t - 1] - 0.1 * ring @ y[:, t - 1] + x[:, t] + random.normal(size=20)
    ...     y[:, t] = np.linalg.solve(np.eye(20) - 0.3 * ring, mean)
    >>> index = pd.MultiIndex.from_product([range(20), range(1990, 2021)], names=["adcode", "year"])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = dynamic_spatial_panel(panel, "y", "x", ring)
    >>> list(result.params.index), result.stable
    (['x', 'W_x', 'tau', 'eta', 'rho'], True)
    >>> short, long = result.impacts(draws=100), result.long_run_impacts(draws=100)
    >>> bool(long.table.loc["x", "total"] > short.table.loc["x", "total"])
    True
    """
    check_choice("model", model, DYNAMIC_MODELS)
    check_choice("effects", effects, DYNAMIC_EFFECTS)
    check_choice("bias correction", bias_correction, (None, *BIAS_CORRECTIONS))
    check_flags(time_lag=time_lag, space_time_lag=space_time_lag)
    lags = tuple(name for name, kept in zip(TIME_LAGS, (time_lag, space_time_lag), strict=True) if kept)
    if not lags:
        raise InvalidInputError("neither time_lag nor space_time_lag: that is the static model, use spatial_panel")
    kind = MODELS[model]
    if durbin is not None and not kind.lags:
        raise InvalidInputError(f"model={model!r} has no spatial lags of x: leave out durbin=, or take 'sdm'")
    design = make_design(
        data, y, x, w, effects, lags=kind.lags, durbin=durbin, reserved=("rho", *TIME_LAGS), time_lags=lags
    )
    if design.timed:
        check_transformation(design.weights)
    n, periods = design.shape
    counting = Counting((n - design.timed) * periods, periods, design.timed)
    likelihood = ConcentratedLikelihood(
        Moments.of(design, False, design.timed), make_jacobian(design.weights, jacobian), counting
    )
    made_by = {
        "model": f"dynamic {model}",
        "bias_correction": bias_correction,
        "time_lags": lags,
        "jacobian": likelihood.jacobian.method,
    }
    return _result(design, likelihood, made_by, data.index)


def _result(
    design: Design, likelihood: ConcentratedLikelihood, made_by: dict, like: pd.Index
) -> DynamicSpatialPanelResult:
    maker, free = likelihood.jacobian, ("rho",)
    information = Information(design, likelihood, free)
    at = likelihood.fit(free)
    covariance = information.covariance(at)
    estimates = [*np.linalg.solve(design.triangle, at.basis_coefficients), at.rho, at.sigma2]
    uncorrected = pd.Series(estimates, index=[*design.names, "rho", "sigma2"], name="uncorrected")
    values = uncorrected
    if made_by["bias_correction"]:
        values = uncorrected + covariance @ _score_mean(uncorrected, maker, likelihood.counting)
        lower, upper = maker.interval
        if not (lower < values["rho"] < upper and values["sigma2"] > 0):
            raise InvalidInputError(
                f"no bias correction: the corrected rho is {values['rho']:.3f}, admissible between {lower:.3f} and "
                f"{upper:.3f}, and sigma2 is {values['sigma2']:.3g}; use bias_correction=None, or more periods"
            )
        coefficients = design.triangle @ values.to_numpy()[:-2]
        at = Point(float(values["rho"]), 0.0, coefficients, float(values["sigma2"]))
        covariance = information.covariance(at)
    mean = (design.basis @ at.basis_coefficients).reshape(design.shape)
    left = design.response - at.rho * design.lagged_response - mean
    tau, eta = (float(values.get(name, 0.0)) for name in TIME_LAGS)
    return DynamicSpatialPanelResult(
        **fitted_fields(design, values.to_numpy()[:-1], free, covariance, left, like, made_by),
        rho=at.rho,
        tau=tau,
        eta=eta,
        sigma2=at.sigma2,
        uncorrected=uncorrected,
        loglik=likelihood.value(uncorrected["rho"], 0.0),
        loglik_linear=likelihood.value(0.0, 0.0),
        nobs=likelihood.counting.observations,
        n_parameters=len(uncorrected) + design.shape[0] - design.timed,
        _multipliers=Multipliers(maker),
    )


def _score_mean(values: pd.Series, jacobian: Jacobian, counting: Counting) -> np.ndarray:
    """Return what the mean of the score falls short of nil by, in the order of the parameters.

    Raises
    ------
    InvalidInputError
        If the process is not stable.
    """
    rho, tau, eta = (float(values.get(name, 0.0)) for name in ("rho", *TIME_LAGS))
    dynamics, settled = Dynamics(jacobian.weights, rho, tau, eta), (rho + eta) / (1 - tau)
    if not (dynamics.stable() and jacobian.interval[0] < settled < jacobian.interval[1]):
        raise _unstable("bias correction", dynamics, "use bias_correction=None")
    units = counting.observations // counting.periods
    of_g, of_settled = float(jacobian.trace(rho)), float(jacobian.trace(settled))
    both = cross_trace(jacobian, rho, settled)
    # D is (I - settled W)^-1 / (1 - tau), and (I - aW)^-1 = I + a W (I - aW)^-1.
    of_d = np.array([len(jacobian.weights.units) + settled * of_settled, of_settled]) / (1 - tau)
    of_gd = np.array([of_g + settled * both, both]) / (1 - tau)
    if counting.deducted:
        # All rows of each matrix have the same sum, and J takes it out of the trace.
        sums = 1 / (1 - tau - rho - eta)
        of_g, of_d, of_gd = of_g - 1 / (1 - rho), of_d - sums, of_gd - sums / (1 - rho)
    score = dict(zip(TIME_LAGS, of_d, strict=True))
    score |= {"rho": of_g + of_gd @ [tau, eta], "sigma2": units / 2 / float(values["sigma2"])}
    return np.array([score.get(str(name), 0.0) for name in values.index])

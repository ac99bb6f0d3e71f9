"""Spatial panel models with fixed effects by maximum likelihood (空间面板模型极大似然估计)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from clusterlib.core.within import demean
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel._design import Design, make_design, spatial_lag
from clusterlib.spatial_panel._effect_draws import Multipliers
from clusterlib.spatial_panel._information import Estimates, Information
from clusterlib.spatial_panel._jacobians import System, make_jacobian
from clusterlib.spatial_panel._likelihood import ConcentratedLikelihood, Counting, Moments
from clusterlib.spatial_panel._results import SpatialPanelResult


@dataclass(frozen=True)
class Specification:
    """What a model has: spatial parameters and spatial lags of x."""

    free: tuple[str, ...]
    lags: bool


MODELS = {
    "sar": Specification(("rho",), False),
    "sem": Specification(("lam",), False),
    "sdm": Specification(("rho",), True),
    "sac": Specification(("rho", "lam"), False),
    "slx": Specification((), True),
    "sdem": Specification(("lam",), True),
}
BIAS_CORRECTIONS = ("lee-yu", "lee-yu-direct")
_EXACT = 1e-20


def spatial_panel(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w,
    model: str = "sar",
    effects: str = "none",
    bias_correction: str | None = None,
    *,
    durbin: Iterable[str] | None = None,
    exact_effects: bool = False,
    jacobian: str = "auto",
) -> SpatialPanelResult:
    r"""Spatial panel model by maximum likelihood (空间面板模型极大似然估计).

    .. math:: y_t = \rho W y_t + X_t \beta + W X_t \theta + \mu + \alpha_t 1 + u_t, \quad u_t = \lambda W u_t + e_t,
              \quad e_{it} \sim N(0, \sigma^2)

    SAR (空间滞后) has rho, SEM (空间误差) lambda, SAC (空间自相关) both, SLX theta, SDM (空间杜宾) rho and theta, SDEM
    lambda and theta. A cross-section is a panel of one period with ``effects="none"``.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), such as (adcode, year); balanced and complete.
    y : str
    x : str or iterable of str
        Regressors, without a constant: one is added with ``effects="none"``.
    w : Graph, DataFrame, array or sparse matrix
        Not negative, zero diagonal, used as given. A libpysal Graph is aligned by its ids; an array is in the order of
        the sorted units. For many models of the same units give what
        :func:`clusterlib.spatial_panel.align_weights` returns: eigenvalues are then found once.
    model : {"sar", "sem", "sdm", "sac", "slx", "sdem"}
    effects : {"none", "entity", "time", "twoway"}
        Fixed effects (固定效应).
    bias_correction : {None, "lee-yu", "lee-yu-direct"}
        None: maximum likelihood with :math:`T \ln|I - \rho W|`; sigma2, and with time effects rho too, are biased by
        orders 1/T and 1/n. "lee-yu": the transformation that removes the effects, with (T - 1) periods and, with
        time effects, n - 1 units and :math:`\ln|I - \rho W| - \ln(1 - \rho)`. "lee-yu-direct": the estimates of None
        corrected by their estimated bias, with the information of the transformed data; with effects of units or of
        time alone this corrects sigma2 only.
    durbin : iterable of str, optional
        The x of which SDM, SDEM and SLX take spatial lags, by default all. The constant is never lagged.
    exact_effects : bool
        Without ``"lee-yu"``, the error of SEM, SDEM and SAC is filtered from demeaned data, and the information is
        that of demeaned data, as in Elhorst (2014) and R's splm. If true, time effects are taken out of the filtered
        data and of the information again, which is maximum likelihood with dummy variables. The two differ only with
        time effects; the information of SAR and SDM is always the latter where weights are not row-standardised.
    jacobian : {"auto", "eigen", "lu"}
        See :func:`clusterlib.spatial_panel._jacobians.make_jacobian`.

    Returns
    -------
    SpatialPanelResult

    Raises
    ------
    InvalidInputError
        For a panel that is not balanced or complete, units that only the weights or only the panel have, regressors
        that do not vary within the effects or are collinear, a likelihood without an inner maximum, and weights that
        are not row-standardised (islands are not) where time effects are removed by transformation.
    UnknownNameError
        For an unknown column, model, kind of effects or correction.

    Notes
    -----
    rho and lambda are sought where :math:`I - \rho W` is regular: between the inverses of the smallest and the largest
    eigenvalue of W where all are known and real, otherwise where :math:`|\rho|` times the spectral radius of W is below
    one (row-standardised: between -1 and 1). Standard errors are asymptotic, by the expected information with sigma2 as
    reported, without small-sample factors. An island has no spatial lag: its row of :math:`I - \rho W` is that of I.

    References
    ----------
    Anselin, L. (1988). Spatial Econometrics, ch. 6. Kluwer. Elhorst, J. P. (2014). Spatial Econometrics: From
    Cross-Sectional Data to Spatial Panels, ch. 3. Springer. Lee, L.-F. and Yu, J. (2010). Journal of Econometrics 154,
    165-185. LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x = random.normal(size=(20, 8))
    >>> y = np.linalg.solve(np.eye(20) - 0.5 * ring, x + 0.3 * ring @ x + random.normal(size=(20, 8)))
    >>> index = pd.MultiIndex.from_product([range(20), range(2015, 2023)], names=["adcode", "year"])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = spatial_panel(panel, "y", "x", ring, "sdm", "twoway", "lee-yu")
    >>> list(result.params.index)
    ['x', 'W_x', 'rho']
    >>> result.impacts(draws=100).table.loc["x", ["direct", "total"]].round(2).tolist()
    [1.29, 2.75]
    """
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    if bias_correction is not None and bias_correction not in BIAS_CORRECTIONS:
        raise UnknownNameError("bias correction", bias_correction, BIAS_CORRECTIONS)
    kind = MODELS[model]
    if durbin is not None and not kind.lags:
        raise InvalidInputError(f"model={model!r} has no spatial lags of x: leave out durbin=, or take 'sdm'")
    design = make_design(data, y, x, w, effects, lags=kind.lags, durbin=durbin)
    _check_correction(design, kind, bias_correction, exact_effects)
    return _Estimation(design, model, bias_correction, exact_effects, jacobian).result(data.index)


def _check_correction(design: Design, kind: Specification, bias_correction: str | None, exact: bool) -> None:
    if bias_correction and design.effects == "none":
        raise InvalidInputError(
            f"bias_correction={bias_correction!r} corrects for fixed effects, of which effects='none' has none"
        )
    timed = design.effects in ("time", "twoway")
    needed = (bias_correction and kind.free) or (exact and "lam" in kind.free)
    if timed and needed and not design.weights.row_standardised:
        islands = design.weights.islands
        why = f"{', '.join(map(str, islands[:5]))} have no neighbours" if islands else "rows do not sum to one"
        raise InvalidInputError(
            f"time effects cannot be removed from the model by transformation: {why}; row-standardise the weights "
            "(graph.transform('R')) and give islands a neighbour, or use bias_correction=None"
        )


class _Estimation:
    """Steps from a design to a result."""

    def __init__(self, design: Design, model: str, correction: str | None, exact: bool, jacobian: str) -> None:
        self.design, self.model, self.correction, self.exact = design, model, correction, exact
        self.free = MODELS[model].free
        self.timed = design.effects in ("time", "twoway")
        self.again = self.timed and (exact or correction == "lee-yu")
        self.system = System(design.weights) if self.free else None
        moments = Moments.of(design, "lam" in self.free, self.again)
        if moments.plain[0, 0] <= _EXACT * float((design.response**2).sum()):
            raise InvalidInputError(f"{design.response_name} is a linear combination of x: no error is left to model")
        self.likelihood = ConcentratedLikelihood(
            moments,
            make_jacobian(design.weights, self.system, jacobian) if self.free else None,
            Counting.of(design, transformed=correction == "lee-yu"),
        )

    def _coefficients(self, rho: float, lam: float) -> np.ndarray:
        moments = self.likelihood.moments
        head = np.array([1.0, -rho])
        return moments.offsets @ head - self.likelihood.combination(rho, lam)[2:]

    def _fit(self) -> Estimates:
        point = self.likelihood.maximise(self.free)
        weights = self.likelihood.combination(**point)
        squares = weights @ self.likelihood.moments.at(point["lam"]) @ weights
        variance = float(squares / self.likelihood.counting.observations)
        return Estimates(**point, basis_coefficients=self._coefficients(**point), sigma2=variance)

    def _correct(self, at: Estimates, covariance: np.ndarray) -> Estimates:
        r"""Take the bias of the direct approach from the estimates: of sigma2, and of all with two-way effects."""
        n, periods = self.design.shape
        factor = {"entity": periods / (periods - 1), "time": n / (n - 1), "twoway": periods / (periods - 1)}
        k = len(at.basis_coefficients)
        triangle = self.likelihood.moments.triangle
        spatial = np.array([{"rho": at.rho, "lam": at.lam}[name] for name in self.free])
        values = np.concatenate([np.linalg.solve(triangle, at.basis_coefficients), spatial, [at.sigma2]])
        if self.design.effects == "twoway":
            slope = np.concatenate([np.zeros(k), 1 / (1 - spatial), [1 / (2 * at.sigma2)]])
            values = values + periods * covariance @ slope
        found = dict(zip(self.free, map(float, values[k:-1]), strict=True))
        return Estimates(
            rho=found.get("rho", 0.0),
            lam=found.get("lam", 0.0),
            basis_coefficients=triangle @ values[:k],
            sigma2=float(values[-1] * factor[self.design.effects]),
        )

    def _residuals(self, at: Estimates) -> tuple[np.ndarray, np.ndarray]:
        """Innovations, and the part of the response that x explains."""
        design = self.design
        basis = self.likelihood.moments.basis
        mean = (basis @ at.basis_coefficients).reshape(design.shape)
        left = design.response - at.rho * design.lagged_response - mean
        if at.lam:
            lags = spatial_lag(design.weights, left)
            left = left - at.lam * (demean(lags, "time") if self.again else lags)
        return left, mean

    def _fits(self, at: Estimates, like: pd.Index) -> dict:
        design = self.design
        left, mean = self._residuals(at)
        predicted = self.system.factor(at.rho).solve(mean) if at.rho else mean
        squares = float((left**2).sum())
        varying = predicted.std() > 1e-12 * design.response.std()
        correlation = np.corrcoef(predicted.ravel(), design.response.ravel())[0, 1] if varying else 0.0
        return {
            "r2": 1 - squares / float(((design.y - design.y.mean()) ** 2).sum()),
            "r2_within": 1 - squares / float((demean(design.response, "none") ** 2).sum()),
            "r2_corr": float(correlation**2),
            "residuals": design.series(left, like, "residual"),
            "fitted": design.series(design.y - left, like, "fitted"),
        }

    def _parameters(self, at: Estimates, covariance: np.ndarray) -> dict:
        whole = pd.Index([*self.design.names, *self.free, "sigma2"])
        names = whole[:-1]
        values = np.linalg.solve(self.likelihood.moments.triangle, at.basis_coefficients)
        spatial = [{"rho": at.rho, "lam": at.lam}[name] for name in self.free]
        errors = np.sqrt(np.diagonal(covariance))
        return {
            "params": pd.Series(np.concatenate([values, spatial]), index=names, name="estimate"),
            "std_errors": pd.Series(errors[:-1], index=names, name="std_error"),
            "covariance": pd.DataFrame(covariance, index=whole, columns=whole),
        }

    def result(self, like: pd.Index) -> SpatialPanelResult:
        design, likelihood = self.design, self.likelihood
        found = self._fit()
        information = Information(design, likelihood, self.system, self.free, self.again)
        covariance, at = information.covariance(found), found
        if self.correction == "lee-yu-direct":
            at = self._correct(found, covariance)
            # The information of the transformed data does not overstate that of rho as that of demeaned data does.
            moved = replace(likelihood, counting=Counting.of(design, transformed=True))
            covariance = replace(information, likelihood=moved, again=self.timed).covariance(at)
        n, periods = design.shape
        effects = {"none": 0, "entity": n, "time": periods, "twoway": n + periods - 1}[design.effects]
        counted = 0 if self.correction == "lee-yu" else effects
        return SpatialPanelResult(
            model=self.model,
            effects=design.effects,
            bias_correction=self.correction,
            exact_effects=self.exact,
            y=design.response_name,
            x=design.x,
            durbin=design.durbin,
            rho=at.rho,
            lam=at.lam,
            sigma2=at.sigma2,
            loglik=likelihood.value(found.rho, found.lam),
            loglik_linear=likelihood.value(0.0, 0.0),
            nobs=likelihood.counting.observations,
            n_units=n,
            n_periods=periods,
            n_parameters=len(design.names) + len(self.free) + 1 + counted,
            jacobian=likelihood.jacobian.method if self.free else "none",
            row_standardised=design.weights.row_standardised,
            islands=design.weights.islands,
            _multipliers=Multipliers(design.weights, likelihood.jacobian, self.system),
            **self._fits(at, like),
            **self._parameters(at, covariance),
        )

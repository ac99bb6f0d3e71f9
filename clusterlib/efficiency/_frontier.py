"""Stochastic frontier analysis (随机前沿分析): how far units stay below what their inputs allow, noise apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_names,
    check_choice,
    check_columns,
    check_level,
    check_panel,
    check_table,
    is_constant,
    listed,
)
from clusterlib.core.results import Estimates, Test
from clusterlib.core.within import CONSTANT, NOTHING_LEFT, check_rank
from clusterlib.errors import InvalidInputError

INEFFICIENCY = ("independent", "invariant")
LOG_2PI = float(np.log(2 * np.pi))
# Twice the gain in log-likelihood over least squares below which there is no inefficiency to be seen.
NO_GAIN = 1e-6
# Ratio of the deviations below which the likelihood is taken to grow towards a frontier without noise.
NO_NOISE = 1e-3
STARTS = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class FrontierResult(Estimates):
    """Stochastic production frontier with half-normal inefficiency (随机前沿模型).

    Attributes
    ----------
    params, covariance
        Of the coefficients; missing where the likelihood has no regular maximum.
    variances : DataFrame
        ``estimate`` and ``std_error`` of ``sigma_v``, ``sigma_u``, ``sigma2``, ``gamma``, ``lambda``.
    efficiency : DataFrame
        By observation, in the order of ``data``: ``efficiency`` (Battese and Coelli) with the ends ``lower`` and
        ``upper`` of its interval, ``inefficiency`` (Jondrow et al.) and ``jlms``, exp of minus it.
    loglik, loglike_ols, statistic, p_value : float
        Log-likelihoods with and without inefficiency, twice their difference, and its mixed chi-squared p value.
    skewness : float
        Of the least squares residuals; negative if there is inefficiency.
    converged, boundary : bool
        Whether a regular maximum was found; whether the maximum is where there is no inefficiency.
    message : str
        What happened.
    """

    variances: pd.DataFrame
    efficiency: pd.DataFrame
    loglike_ols: float
    statistic: float
    p_value: float
    skewness: float
    converged: bool
    boundary: bool
    message: str
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def tests(self) -> Mapping[str, Test]:
        """The likelihood-ratio test that there is no inefficiency."""
        name, null = "No inefficiency 无效率项", "sigma_u = 0"
        return {"inefficiency": Test(name, null, self.statistic, 1, self.p_value, "mixed chi2")}

    def _own_footer(self) -> dict[str, object]:
        return {
            "Inefficiency 无效率项": self.settings["inefficiency"],
            "Mean efficiency 平均效率": float(self.efficiency["efficiency"].mean()),
        }

    def _shown(self) -> pd.DataFrame:
        return pd.concat([self.table, self.variances])


def stochastic_frontier(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    *,
    inefficiency: str = "independent",
    level: float = 0.95,
) -> FrontierResult:
    r"""Stochastic production frontier by maximum likelihood (随机前沿模型), for cross-sections and panels.

    .. math:: y_{it} = \beta_0 + x_{it}'\beta + v_{it} - u_{it}, \quad v_{it} \sim N(0, \sigma_v^2),
              \quad u_{it} \sim |N(0, \sigma_u^2)|

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), with gaps or without; any index if inefficiency is independent.
    y : str
        Output, in logarithms.
    x : str or iterable of str
        Inputs, in logarithms; a constant is added.
    inefficiency : {"independent", "invariant"}
        Whether it is drawn anew for each observation, or stays with the unit: :math:`u_{it} = u_i`.
    level : float
        Of the intervals.

    Returns
    -------
    FrontierResult

    Raises
    ------
    InvalidInputError
        For missing values, inputs that are linearly dependent, an output that they determine, or fewer observations
        than parameters.
    UnknownNameError
        For a name that is no column, or an unknown inefficiency.

    Notes
    -----
    Starting values are corrected least squares, the search is by BFGS with the exact gradient, then Newton's.
    Standard errors are from the Hessian (differences of the gradient), those of ``variances`` by the delta method:
    :math:`\sigma^2 = \sigma_v^2 + \sigma_u^2`, :math:`\gamma = \sigma_u^2 / \sigma^2`,
    :math:`\lambda = \sigma_u / \sigma_v`. :math:`\gamma` is a share of parameters, not of variances.

    If least squares are as likely, as with residuals skewed the wrong way (Waldman 1982), least squares are returned
    with ``boundary=True``, ``converged=False``, :math:`\gamma = 0` and every efficiency 1. Where :math:`\gamma` runs to
    one, ``converged`` is False, there are no standard errors, and ``message`` says so.

    Under no inefficiency :math:`\gamma` lies on its bound: :math:`p = \frac12 \Pr(\chi^2_0 \ge LR) + \frac12
    \Pr(\chi^2_1 \ge LR)` (Kodde and Palm 1986). Intervals of efficiency take the parameters as known (Horrace and
    Schmidt 1996).

    References
    ----------
    Aigner, D., Lovell, C. A. K. and Schmidt, P. (1977). Journal of Econometrics 6, 21-37. Battese, G. E. and Coelli,
    T. J. (1988). Journal of Econometrics 38, 387-399. Jondrow, J., Lovell, C. A. K., Materov, I. S. and Schmidt, P.
    (1982). Journal of Econometrics 19, 233-238. Kodde, D. A. and Palm, F. C. (1986). Econometrica 54, 1243-1248.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> data = pd.DataFrame({"capital": random.normal(size=500)})
    >>> noise, u = 0.2 * random.normal(size=500), np.abs(0.6 * random.normal(size=500))
    >>> data["output"] = 1 + 0.4 * data["capital"] + noise - u
    >>> result = stochastic_frontier(data, "output", "capital")
    >>> result.params.round(1).to_dict(), bool(result.p_value < 0.01)
    ({'const': 1.0, 'capital': 0.4}, True)
    """
    check_choice("inefficiency", inefficiency, INEFFICIENCY)
    check_level(level)
    inputs = as_names(x, "x")
    frame = _checked_frame(data, [y, *inputs], inefficiency)
    scaled = _Scaled(frame, inefficiency)
    maximum, ols = maximise(scaled.likelihood)
    labels = [CONSTANT, *inputs]
    coefficients, covariance = scaled.coefficients(maximum)
    efficiency = _efficiency(scaled.likelihood, maximum, scaled.spread, level).set_axis(frame.index)
    statistic = max(0.0, 2 * (maximum.loglik - ols.loglik))
    shift = -len(frame) * np.log(scaled.spread)
    panel = frame.index.nlevels == 2
    return FrontierResult(
        params=pd.Series(coefficients, labels, name="estimate"),
        covariance=pd.DataFrame(covariance, labels, labels),
        nobs=len(frame),
        n_units=frame.index.unique(0).size if panel else len(frame),
        n_periods=frame.index.unique(1).size if panel else 1,
        df_resid=len(frame) - len(labels),
        loglik=maximum.loglik + shift,
        n_parameters=len(maximum.theta),
        level=level,
        variances=scaled.variances(maximum),
        efficiency=efficiency if frame.index.equals(data.index) else efficiency.loc[data.index],
        loglike_ols=ols.loglik + shift,
        statistic=statistic,
        p_value=_mixed_p_value(statistic),
        skewness=ols.skewness,
        converged=maximum.converged,
        boundary=maximum.boundary,
        message=maximum.message,
        notes=() if maximum.converged else (maximum.message,),
        settings={"y": y, "x": tuple(inputs), "inefficiency": inefficiency, "level": level},
    )


def _checked_frame(data: pd.DataFrame, names: list[str], inefficiency: str) -> pd.DataFrame:
    check_columns(data, names)
    if inefficiency == "invariant" or data.index.nlevels == 2:
        frame = check_panel(data, names)
    else:
        frame = check_table(data[names], "variable", "drop these rows first, as in data.dropna()")
    if len(frame) < len(names) + 4:
        raise InvalidInputError(f"{len(frame)} observations for {len(names)} coefficients: too few for a frontier")
    values = frame.to_numpy()
    flat = is_constant(values, axis=0)
    if flat.any():
        raise InvalidInputError(f"the same value everywhere: {listed(frame.columns[flat])}; leave it out")
    check_rank((values - values.mean(axis=0))[:, 1:], names[1:])
    return frame


class _Scaled:
    """The likelihood of standardised variables, and the way back to the data's units."""

    def __init__(self, frame: pd.DataFrame, inefficiency: str) -> None:
        values = frame.to_numpy()
        y, x = values[:, 0], values[:, 1:]
        self.centre, self.scale = x.mean(axis=0), x.std(axis=0)
        X = np.column_stack([np.ones(len(y)), (x - self.centre) / self.scale])
        self.spread = float(np.std(y - X @ np.linalg.lstsq(X, y, rcond=None)[0]))
        if self.spread <= NOTHING_LEFT * np.std(y):
            raise InvalidInputError(
                f"the inputs determine {frame.columns[0]!r}: there is neither noise nor inefficiency"
            )
        unit = np.arange(len(y)) if inefficiency == "independent" else pd.factorize(frame.index.get_level_values(0))[0]
        self.likelihood = Likelihood(y / self.spread, X, unit)

    def coefficients(self, maximum: Maximum) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients and their covariance."""
        k = self.likelihood.slopes
        matrix = np.diag(np.append(self.spread, self.spread / self.scale))
        matrix[0, 1:] = -self.spread * self.centre / self.scale
        return matrix @ maximum.theta[:k], matrix @ maximum.covariance[:k, :k] @ matrix.T

    def variances(self, maximum: Maximum) -> pd.DataFrame:
        """Return the deviations and their functions with standard errors by the delta method."""
        k = self.likelihood.slopes
        sv, su = self.spread * np.exp(maximum.theta[k:])
        total, ratio = sv**2 + su**2, su / sv
        gamma = su**2 / total
        estimates = {"sigma_v": sv, "sigma_u": su, "sigma2": total, "gamma": gamma, "lambda": ratio}
        slope = 2 * gamma * (1 - gamma)
        derivatives = np.array([[sv, 0], [0, su], [2 * sv**2, 2 * su**2], [-slope, slope], [-ratio, ratio]])
        block = maximum.covariance[k:, k:]
        errors = np.sqrt(np.einsum("ij,jk,ik->i", derivatives, block, derivatives))
        if maximum.boundary:
            errors = np.array([sv * block[0, 0] ** 0.5, np.nan, 2 * sv**2 * block[0, 0] ** 0.5, np.nan, np.nan])
        return pd.DataFrame({"estimate": estimates, "std_error": dict(zip(estimates, errors, strict=True))})


def _efficiency(likelihood: Likelihood, maximum: Maximum, spread: float, level: float) -> pd.DataFrame:
    if maximum.boundary:
        nothing, all_of_it = np.zeros(len(likelihood.y)), np.ones(len(likelihood.y))
        columns = dict.fromkeys(("efficiency", "lower", "upper"), all_of_it)
        return pd.DataFrame(columns | {"inefficiency": nothing, "jlms": all_of_it})
    posterior = likelihood.posterior(maximum.theta, spread)
    inefficiency = posterior.inefficiency()
    return pd.DataFrame(
        {
            "efficiency": posterior.efficiency(),
            "lower": np.exp(-posterior.quantile((1 + level) / 2)),
            "upper": np.exp(-posterior.quantile((1 - level) / 2)),
            "inefficiency": inefficiency,
            "jlms": np.exp(-inefficiency),
        }
    )


def _mixed_p_value(statistic: float) -> float:
    """Upper tail of the even mixture of a mass at zero and chi-squared with one degree of freedom."""
    from scipy.stats import chi2

    return float(0.5 * chi2.sf(statistic, 1)) if statistic > 0 else 1.0


# The likelihood


def log_scaled_normal(m: np.ndarray) -> np.ndarray:
    r"""Return :math:`\ln \Phi(m) + m^2/2` without loss far in the lower tail."""
    from scipy.special import erfcx, log_ndtr

    low = np.minimum(m, 0.0)
    return np.where(m < 0, np.log(erfcx(-low / np.sqrt(2)) / 2), log_ndtr(m) + m**2 / 2)


def mean_of_truncated(m: np.ndarray) -> np.ndarray:
    r"""Return :math:`m + \phi(m)/\Phi(m)`: the mean of :math:`N(m, 1)` above zero, the derivative of the above."""
    from scipy.special import erfcx, log_ndtr

    below = np.sqrt(2 / np.pi) / erfcx(-np.minimum(m, 0.0) / np.sqrt(2))
    return m + np.where(m < 0, below, np.exp(-(m**2) / 2 - LOG_2PI / 2 - log_ndtr(m)))


@dataclass(frozen=True, eq=False)
class Posterior:
    """Inefficiency given the residuals: normal above zero, by row the deviation and the mean as a multiple of it."""

    deviation: np.ndarray
    standardised: np.ndarray

    def inefficiency(self) -> np.ndarray:
        """Return E[u | e] by row (Jondrow, Lovell, Materov and Schmidt)."""
        return self.deviation * mean_of_truncated(self.standardised)

    def efficiency(self) -> np.ndarray:
        """Return E[exp(-u) | e] by row (Battese and Coelli)."""
        m = self.standardised
        return np.exp(log_scaled_normal(m - self.deviation) - log_scaled_normal(m))

    def quantile(self, probability: float) -> np.ndarray:
        """Return the quantile of u given the residuals by row (Horrace and Schmidt)."""
        from scipy.special import log_ndtr, ndtri_exp

        m = self.standardised
        return self.deviation * (m - ndtri_exp(np.log1p(-probability) + log_ndtr(m)))


class Likelihood:
    r"""Log-likelihood of :math:`y_{it} = x_{it}'\beta + v_{it} - u_i` with half-normal :math:`u`.

    The parameters are :math:`\beta, \ln\sigma_v, \ln\sigma_u`. Given the residuals, :math:`u_i` is :math:`N(M/P, 1/P)`
    above zero.
    """

    def __init__(self, y: np.ndarray, X: np.ndarray, unit: np.ndarray) -> None:
        self.y, self.X, self.unit = y, X, unit
        self.counts = np.bincount(unit)
        self.slopes = X.shape[1]

    def _moments(self, theta: np.ndarray):
        """Return residuals and their sums by unit, the deviations of v and u, the precision P and the shift M."""
        e, (sv, su) = self.y - self.X @ theta[: self.slopes], np.exp(theta[self.slopes :])
        sums = np.bincount(self.unit, e)
        return e, sums, sv, su, self.counts / sv**2 + 1 / su**2, -sums / sv**2

    def posterior(self, theta: np.ndarray, scale: float = 1.0) -> Posterior:
        """Return the distribution of each row's inefficiency, times ``scale``."""
        *_, precision, shift = self._moments(theta)
        deviation = precision**-0.5
        return Posterior((scale * deviation)[self.unit], (shift * deviation)[self.unit])

    def value(self, theta: np.ndarray) -> float:
        """Return the log-likelihood."""
        e, _, sv, su, precision, shift = self._moments(theta)
        total = log_scaled_normal(shift * precision**-0.5).sum() - 0.5 * np.log(precision).sum()
        total -= len(e) * (LOG_2PI / 2 + np.log(sv)) + len(self.counts) * (np.log(su) - np.log(2))
        return float(total - 0.5 * (e @ e) / sv**2)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """Return the derivatives of the log-likelihood."""
        e, sums, sv, su, precision, shift = self._moments(theta)
        deviation, mean = precision**-0.5, shift / precision
        weight = deviation * mean_of_truncated(shift * deviation)

        def chain(d_precision, d_shift) -> float:
            return float((-0.5 * d_precision / precision + weight * (d_shift - 0.5 * mean * d_precision)).sum())

        by_noise = chain(-2 * self.counts / sv**2, 2 * sums / sv**2) - len(e) + (e @ e) / sv**2
        by_inefficiency = chain(-2 / su**2, 0.0) - len(self.counts)
        return np.array([*(self.X.T @ (e + weight[self.unit]) / sv**2), by_noise, by_inefficiency])

    def hessian(self, theta: np.ndarray, step: float = 1e-5) -> np.ndarray:
        """Return central differences of the gradient, symmetric."""
        shifts = step * np.eye(len(theta))
        matrix = np.array([self.gradient(theta + h) - self.gradient(theta - h) for h in shifts]) / (2 * step)
        return (matrix + matrix.T) / 2


# Its maximum


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The model without inefficiency, by maximum likelihood."""

    beta: np.ndarray
    residuals: np.ndarray
    variance: float
    loglik: float
    skewness: float


def _least_squares(y: np.ndarray, X: np.ndarray) -> LeastSquares:
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    residuals = y - X @ beta
    variance = float((residuals**2).mean())
    loglik = -0.5 * len(y) * (LOG_2PI + np.log(variance) + 1)
    return LeastSquares(beta, residuals, variance, loglik, float((residuals**3).mean() / variance**1.5))


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the likelihood is greatest: the parameters of :class:`Likelihood`, their covariance, and how it went."""

    theta: np.ndarray
    covariance: np.ndarray
    loglik: float
    boundary: bool
    converged: bool
    message: str


def _starts(ols: LeastSquares) -> list[np.ndarray]:
    """Corrected least squares: inefficiency gets a share of the residuals' variance, the constant moves by its mean.

    The first share is that of the third moment where its sign allows, the others a grid.
    """
    third, second, first = np.sqrt(2 / np.pi) * (4 / np.pi - 1), 1 - 2 / np.pi, np.sqrt(2 / np.pi)
    moment3 = -float((ols.residuals**3).mean())
    by_moments = second * (max(moment3, 0.0) / third) ** (2 / 3) / ols.variance
    starts = []
    for share in [*([by_moments] if 0 < by_moments < 1 else []), 0.05, 0.2, 0.4, 0.6, 0.8, 0.95]:
        sigma_u = np.sqrt(share * ols.variance / second)
        beta = ols.beta.copy()
        beta[0] += first * sigma_u
        starts.append(np.array([*beta, 0.5 * np.log((1 - share) * ols.variance), np.log(sigma_u)]))
    return starts


def _newton(likelihood: Likelihood, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Step to where the gradient is nil; return that point, the Hessian, and whether it is a regular maximum."""
    for _ in range(25):
        gradient, hessian = likelihood.gradient(theta), likelihood.hessian(theta)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0:
            return theta, hessian, False
        step = -np.linalg.solve(hessian, gradient)
        # Half the Newton decrement is the gain in log-likelihood that the step promises.
        if gradient @ step < 1e-16 * len(likelihood.y):
            return theta + step, hessian, True
        while likelihood.value(theta + step) < likelihood.value(theta) - 1e-10 and np.abs(step).max() > 1e-12:
            step = step / 2
        theta = theta + step
    return theta, likelihood.hessian(theta), False


def _search(likelihood: Likelihood, start: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, gradient = likelihood.value(theta), likelihood.gradient(theta)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e100, np.zeros(len(theta))
        return -value, -gradient

    # Newton's steps do the rest: near the boundary a finer tolerance costs hundreds of steps and gains nothing.
    return minimize(loss, start, jac=True, method="BFGS", options={"maxiter": 1000, "gtol": 1e-4}).x


def maximise(likelihood: Likelihood) -> tuple[Maximum, LeastSquares]:
    """Maximise from the best of the starting values; without a gain over least squares there is no inefficiency."""
    ols = _least_squares(likelihood.y, likelihood.X)
    starts = sorted(_starts(ols), key=likelihood.value, reverse=True)[:STARTS]
    theta = max((_search(likelihood, start) for start in starts), key=likelihood.value)
    with np.errstate(all="ignore"):
        theta, hessian, regular = _newton(likelihood, theta)
        value = likelihood.value(theta)
    if not 2 * (value - ols.loglik) > NO_GAIN:
        return _no_inefficiency(likelihood, ols), ols
    result = Maximum(theta, np.full(hessian.shape, np.nan), value, False, False, "")
    sigma_v, sigma_u = theta[likelihood.slopes :]
    if sigma_v < sigma_u + np.log(NO_NOISE):
        return replace(result, message="gamma runs to one: the likelihood grows towards a frontier without noise"), ols
    if not regular:
        return replace(result, message="the search stopped where the likelihood has no regular maximum"), ols
    covariance = np.linalg.inv(-hessian)
    return replace(result, covariance=covariance, converged=True, message="a regular maximum was found"), ols


def _no_inefficiency(likelihood: Likelihood, ols: LeastSquares) -> Maximum:
    k = likelihood.slopes
    theta = np.array([*ols.beta, 0.5 * np.log(ols.variance), -np.inf])
    covariance = np.full((k + 2, k + 2), np.nan)
    covariance[: k + 1, : k + 1] = 0.0
    covariance[:k, :k] = ols.variance * np.linalg.inv(likelihood.X.T @ likelihood.X)
    covariance[k, k] = 1 / (2 * len(likelihood.y))
    reason = "residuals skewed the wrong way" if ols.skewness >= 0 else "no gain over least squares"
    return Maximum(theta, covariance, ols.loglik, True, False, f"no inefficiency: {reason}; these are least squares")

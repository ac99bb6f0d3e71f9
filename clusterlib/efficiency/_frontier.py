"""Stochastic frontier analysis (随机前沿分析): how far units stay below what their inputs allow, noise apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_columns, check_finite, check_panel
from clusterlib.core.results import coefficient_table
from clusterlib.efficiency._frontier_likelihood import Likelihood
from clusterlib.efficiency._frontier_maximum import Maximum, maximise
from clusterlib.errors import InvalidInputError, UnknownNameError

DISTRIBUTIONS = ("half-normal", "exponential", "truncated-normal")
FRONTIERS = ("production", "cost")
INEFFICIENCY = ("independent", "invariant", "decay")
CONSTANT = "const"


@dataclass(frozen=True)
class FrontierResult:
    """A stochastic frontier, the efficiency of each observation, and the test that there is any inefficiency.

    Attributes
    ----------
    table : DataFrame
        Coefficients of the frontier, then ``mu`` and ``eta`` if estimated: ``estimate``, ``std_error``, ``statistic``,
        ``p_value``, ``lower``, ``upper`` by the normal distribution.
    variances : DataFrame
        ``estimate`` and ``std_error`` of ``sigma_v``, ``sigma_u``, ``sigma2``, ``gamma``, ``lambda``.
    covariance : DataFrame
        Covariance of the estimates of ``table``.
    efficiency : DataFrame
        By observation, in the order of ``data``: ``efficiency`` (Battese and Coelli) with the ends ``lower`` and
        ``upper`` of its interval, ``inefficiency`` (Jondrow et al.) and ``jlms``, exp of minus it.
    loglike, loglike_ols, statistic, p_value : float
        Log-likelihoods with and without inefficiency, twice their difference, and its mixed chi-squared p value.
    restrictions : int
        Parameters that the null leaves out.
    skewness : float
        Of the least squares residuals; negative for a production frontier with inefficiency, positive for a cost one.
    converged, boundary : bool
        Whether a regular maximum was found; whether the maximum is where there is no inefficiency.
    message : str
        What happened.
    nobs, units : int
        Numbers of observations and of independent inefficiencies.
    settings : dict
        What was asked for.
    """

    table: pd.DataFrame
    variances: pd.DataFrame
    covariance: pd.DataFrame
    efficiency: pd.DataFrame
    loglike: float
    loglike_ols: float
    statistic: float
    p_value: float
    restrictions: int
    skewness: float
    converged: bool
    boundary: bool
    message: str
    nobs: int
    units: int
    settings: dict = field(default_factory=dict)

    @property
    def params(self) -> pd.Series:
        """Estimates by name."""
        return self.table["estimate"]

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors by name."""
        return self.table["std_error"]

    def summary(self) -> pd.DataFrame:
        """Return estimates and standard errors of the coefficients and the variances."""
        return pd.concat([self.table[["estimate", "std_error"]], self.variances])


def stochastic_frontier(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    *,
    distribution: str = "half-normal",
    frontier: str = "production",
    inefficiency: str = "independent",
    level: float = 0.95,
) -> FrontierResult:
    r"""Stochastic frontier by maximum likelihood (随机前沿模型), for cross-sections and panels.

    .. math:: y_{it} = \beta_0 + x_{it}'\beta + v_{it} - s \, u_{it}, \quad v_{it} \sim N(0, \sigma_v^2),
              \quad u_{it} = e^{-\eta (t - T)} u_i \ge 0,

    :math:`s = 1` for a production and :math:`-1` for a cost frontier; :math:`u` is :math:`|N(0, \sigma_u^2)|`,
    exponential with mean :math:`\sigma_u`, or :math:`N(\mu, \sigma_u^2)` above zero.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), with gaps or without; any index if inefficiency is independent.
    y : str
        Output or cost, in logarithms.
    x : str or iterable of str
        Inputs, or output and prices, in logarithms; a constant is added.
    distribution : {"half-normal", "exponential", "truncated-normal"}
    frontier : {"production", "cost"}
    inefficiency : {"independent", "invariant", "decay"}
        Whether it is drawn anew for each observation, stays with the unit, or stays but shrinks at the rate
        :math:`\eta` (Battese and Coelli 1992; :math:`T` is the last period of the data, so times must be numbers).
    level : float
        Of the intervals.

    Returns
    -------
    FrontierResult

    Raises
    ------
    InvalidInputError
        For missing values, inputs that are linearly dependent, fewer observations than parameters, or times that are
        no numbers.
    UnknownNameError
        For a name that is no column, or an unknown distribution, frontier or inefficiency.

    Notes
    -----
    Starting values are corrected least squares, the search is by BFGS with the exact gradient, then Newton's.
    Standard errors are from the Hessian (differences of the gradient), those of ``variances`` by the delta method:
    :math:`\sigma^2 = \sigma_v^2 + \sigma_u^2`, :math:`\gamma = \sigma_u^2 / \sigma^2`,
    :math:`\lambda = \sigma_u / \sigma_v`. :math:`\gamma` is a share of parameters, not of variances.

    If least squares are as likely, as with residuals skewed the wrong way (Waldman 1982), least squares are returned
    with ``boundary=True``, ``converged=False``, :math:`\gamma = 0` and every efficiency 1. Where :math:`\gamma` runs to
    one, or the :math:`\mu` of a truncated normal to minus infinity, ``converged`` is False, there are no standard
    errors, and ``message`` says so.

    Under no inefficiency :math:`\gamma` lies on its bound: :math:`p = \frac12 \Pr(\chi^2_{q-1} \ge LR) + \frac12
    \Pr(\chi^2_q \ge LR)` with :math:`q` the number of :math:`\gamma, \mu, \eta` (Kodde and Palm 1986). Intervals of
    efficiency take the parameters as known (Horrace and Schmidt 1996).

    References
    ----------
    Aigner, D., Lovell, C. A. K. and Schmidt, P. (1977). Journal of Econometrics 6, 21-37. Battese, G. E. and Coelli,
    T. J. (1988). Journal of Econometrics 38, 387-399; (1992). Journal of Productivity Analysis 3, 153-169. Jondrow, J.,
    Lovell, C. A. K., Materov, I. S. and Schmidt, P. (1982). Journal of Econometrics 19, 233-238. Kodde, D. A. and Palm,
    F. C. (1986). Econometrica 54, 1243-1248.

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
    names = [y, *as_names(x)]
    _check_settings(distribution, frontier, inefficiency, level)
    frame = _checked_frame(data, names, inefficiency)
    scaled = _Scaled(frame, inefficiency, -1 if frontier == "cost" else 1, distribution)
    maximum, ols = maximise(scaled.likelihood)
    labels = [CONSTANT, *names[1:]]
    labels += ["mu"] * (distribution == "truncated-normal") + ["eta"] * (inefficiency == "decay")
    coefficients, covariance = scaled.coefficients(maximum)
    errors = pd.Series(np.sqrt(np.diag(covariance)), labels)
    efficiency = _efficiency(scaled.likelihood, maximum, scaled.spread, level).set_axis(frame.index)
    restrictions = 1 + (distribution == "truncated-normal") + (inefficiency == "decay")
    statistic = max(0.0, 2 * (maximum.loglike - ols.loglike))
    keys = ("y", "x", "distribution", "frontier", "inefficiency", "level")
    shift = -len(frame) * np.log(scaled.spread)
    return FrontierResult(
        table=coefficient_table(pd.Series(coefficients, labels), errors, level=level),
        variances=scaled.variances(maximum),
        covariance=pd.DataFrame(covariance, labels, labels),
        efficiency=efficiency if frame.index.equals(data.index) else efficiency.loc[data.index],
        loglike=maximum.loglike + shift,
        loglike_ols=ols.loglike + shift,
        statistic=statistic,
        p_value=_mixed_p_value(statistic, restrictions),
        restrictions=restrictions,
        skewness=ols.skewness,
        converged=maximum.converged,
        boundary=maximum.boundary,
        message=maximum.message,
        nobs=len(frame),
        units=len(scaled.likelihood.counts),
        settings=dict(zip(keys, (y, tuple(names[1:]), distribution, frontier, inefficiency, level), strict=True)),
    )


def _check_settings(distribution: str, frontier: str, inefficiency: str, level: float) -> None:
    for kind, value, valid in (
        ("distribution", distribution, DISTRIBUTIONS),
        ("frontier", frontier, FRONTIERS),
        ("inefficiency", inefficiency, INEFFICIENCY),
    ):
        if value not in valid:
            raise UnknownNameError(kind, value, valid)
    if not 0 < level < 1:
        raise InvalidInputError(f"level: expected a share between 0 and 1, got {level!r}")


def _checked_frame(data: pd.DataFrame, names: list[str], inefficiency: str) -> pd.DataFrame:
    check_columns(data, names)
    if inefficiency != "independent" or data.index.nlevels == 2:
        frame = check_panel(data, names)
    else:
        frame = data[names].astype(float)
        check_finite(frame, "drop these rows first, as in data.dropna(), and look at what is lost")
    if inefficiency == "decay" and not pd.api.types.is_numeric_dtype(frame.index.levels[1]):
        raise InvalidInputError("the times are no numbers: inefficiency='decay' needs years")
    if len(frame) < len(names) + 4:
        raise InvalidInputError(f"{len(frame)} observations for {len(names)} coefficients: too few for a frontier")
    X = frame[names[1:]].to_numpy()
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), np.finfo(float).tiny)
    if np.linalg.matrix_rank(X, tol=1e-9 * len(X) ** 0.5) < X.shape[1]:
        raise InvalidInputError(f"constant or linearly dependent: leave one of {', '.join(map(str, names[1:]))} out")
    if np.ptp(frame[names[0]].to_numpy()) == 0:
        raise InvalidInputError(f"{names[0]!r} has the same value everywhere")
    return frame


class _Scaled:
    """The likelihood of standardised variables, and the way back to the data's units."""

    def __init__(self, frame: pd.DataFrame, inefficiency: str, sign: int, distribution: str) -> None:
        values = frame.to_numpy()
        y, x = values[:, 0], values[:, 1:]
        self.centre, self.scale = x.mean(axis=0), x.std(axis=0)
        X = np.column_stack([np.ones(len(y)), (x - self.centre) / self.scale])
        self.spread = float(np.std(y - X @ np.linalg.lstsq(X, y, rcond=None)[0])) or 1.0
        unit = np.arange(len(y)) if inefficiency == "independent" else pd.factorize(frame.index.get_level_values(0))[0]
        elapsed, self.span = None, 1.0
        if inefficiency == "decay":
            time = frame.index.get_level_values(1).to_numpy(float)
            self.span = float(np.ptp(time)) or 1.0
            elapsed = (time - time.max()) / self.span
        self.truncated, self.decay = distribution == "truncated-normal", inefficiency == "decay"
        self.likelihood = Likelihood(y / self.spread, X, unit, elapsed, sign, distribution)

    def coefficients(self, maximum: Maximum) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients, mu and eta, and their covariance."""
        k = self.likelihood.slopes
        matrix = np.zeros((k + self.truncated + self.decay, len(maximum.theta)))
        matrix[range(1, k), range(1, k)] = self.spread / self.scale
        matrix[0, 0], matrix[0, 1:k] = self.spread, -self.spread * self.centre / self.scale
        if self.truncated:
            matrix[k, k + 2] = self.spread
        if self.decay:
            matrix[-1, -1] = 1 / self.span
        # At the boundary mu and eta are not defined, and a zero times them would be neither.
        kept = ~np.isnan(maximum.theta) & (matrix != 0).any(axis=0)
        gone = (matrix[:, np.isnan(maximum.theta)] != 0).any(axis=1)
        estimates = matrix[:, kept] @ maximum.theta[kept]
        covariance = matrix[:, kept] @ maximum.covariance[np.ix_(kept, kept)] @ matrix[:, kept].T
        estimates[gone], covariance[gone], covariance[:, gone] = np.nan, np.nan, np.nan
        return estimates, covariance

    def variances(self, maximum: Maximum) -> pd.DataFrame:
        """Return the deviations and their functions with standard errors by the delta method."""
        k = self.likelihood.slopes
        sv, su = self.spread * np.exp(maximum.theta[k : k + 2])
        total, ratio = sv**2 + su**2, su / sv
        gamma = su**2 / total
        estimates = {"sigma_v": sv, "sigma_u": su, "sigma2": total, "gamma": gamma, "lambda": ratio}
        slope = 2 * gamma * (1 - gamma)
        derivatives = np.array([[sv, 0], [0, su], [2 * sv**2, 2 * su**2], [-slope, slope], [-ratio, ratio]])
        block = maximum.covariance[k : k + 2, k : k + 2]
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


def _mixed_p_value(statistic: float, restrictions: int) -> float:
    """Upper tail of the even mixture of chi-squared with one degree less (none: a mass at zero) and with all."""
    from scipy.stats import chi2

    fewer = chi2.sf(statistic, restrictions - 1) if restrictions > 1 else float(statistic <= 0)
    return float(0.5 * fewer + 0.5 * chi2.sf(statistic, restrictions))

"""The log t test of convergence (log t 检验) of Phillips and Sul."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.inequality._samples import check_balanced_panel

# One-sided, 5 per cent, of the standard normal distribution, to the two decimals that the authors use.
CRITICAL_VALUE = -1.65


@dataclass(frozen=True)
class LogT:
    """A log t regression.

    Attributes
    ----------
    slope, std_error, statistic, p_value : float
        Of log t; the p value is one-sided, against divergence.
    variation : Series
        Cross-sectional variation :math:`H_t` by period; empty for a single unit.
    units, periods, observations : int
        Units, periods, and periods in the regression.
    trim : float
    """

    slope: float
    std_error: float
    statistic: float
    p_value: float
    variation: pd.Series
    units: int
    periods: int
    observations: int
    trim: float

    @property
    def converges(self) -> bool:
        """Whether convergence is not rejected at 5 per cent."""
        return self.statistic > CRITICAL_VALUE

    def summary(self) -> pd.DataFrame:
        """Return the regression's figures in one row."""
        names = ("slope", "std_error", "statistic", "p_value", "units", "observations")
        return pd.DataFrame(
            [{name: getattr(self, name) for name in names}], index=pd.Index(["log t"], name="regressor")
        )


def log_t_test(
    data: pd.DataFrame, value: str, *, log: bool = True, smoothing: float | None = None, trim: float = 0.3
) -> LogT:
    r"""Test of convergence by the log t regression (log t 检验).

    With :math:`X_{it}` the logarithm (or its trend) and :math:`h_{it} = X_{it} / \bar X_t` the relative transition,

    .. math:: H_t = \frac{1}{N} \sum_i (h_{it} - 1)^2, \quad
              \ln \frac{H_1}{H_t} - 2 \ln \ln t = a + b \ln t + u_t, \quad t = [rT] + 1, \dots, T.

    Convergence is rejected at 5 per cent if the statistic of :math:`b` is below -1.65. Of the conventions in use these
    reproduce the published tables: regression from the period after :math:`[rT]`; variance of :math:`b` from the
    residuals' long-run variance over the sum of squares of :math:`\ln t`, by the quadratic spectral kernel with
    Andrews' bandwidth for AR(1); the autocovariances leave out the last of the :math:`m` residuals and all are divided
    by :math:`m - 1`, as in the authors' code. With a dozen periods the test leans on few observations, and rejects
    convergence as slow as :math:`1 / \ln t` too: a rejection is not yet evidence of divergence.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, period), balanced in ``value``; at least six periods.
    value : str
        Column, positive, also in logarithms where they are taken: in yuan, say, not in shares.
    log : bool
        Take logarithms. Do not for an index in [0, 1].
    smoothing : float, optional
        Penalty of a Hodrick-Prescott filter over each unit's series, of which the trend is used: 6.25 for years
        (Ravn and Uhlig 2002), 400 in Phillips and Sul (2009). By default none.
    trim : float
        Share :math:`r` of first periods left out; 0.3 for fifty periods and fewer.

    Returns
    -------
    LogT

    Raises
    ------
    InvalidInputError
        For gaps, fewer than two units, too few periods, or values or logarithms that are not positive.
    UnknownNameError
        If ``value`` is not a column.

    References
    ----------
    Phillips, P. C. B. and Sul, D. (2007). Transition modeling and econometric convergence tests. Econometrica 75,
    1771-1855. Phillips, P. C. B. and Sul, D. (2009). Economic transition and growth. Journal of Applied Econometrics
    24, 1153-1185. Andrews, D. W. K. (1991). Econometrica 59, 817-858, eqs. (6.2), (6.4).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> years = np.arange(1, 31)
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], years], names=["unit", "year"])
    >>> paths = [2 + start / years for start in (0.5, 0.1, -0.6)]
    >>> result = log_t_test(pd.DataFrame({"level": np.concatenate(paths)}, index=index), "level", log=False)
    >>> result.converges
    True
    """
    paths = transition_matrix(data, value, log=log, smoothing=smoothing)
    check_trim(paths.shape[1], trim)
    return regress(paths, trim)


def transition_matrix(data: pd.DataFrame, value: str, *, log: bool, smoothing: float | None) -> pd.DataFrame:
    """Return logarithms or levels, smoothed where asked for, one row a unit and one column a period."""
    frame = check_balanced_panel(data, [value], positive=log)
    wide = frame[value].unstack(1)
    if wide.shape[0] < 2 or wide.shape[1] < 6:
        raise InvalidInputError(
            f"{wide.shape[0]} unit(s) and {wide.shape[1]} period(s): the log t test needs at least two units and six "
            "periods"
        )
    wide = np.log(wide) if log else wide
    if smoothing is not None:
        wide = smooth(wide, smoothing)
    if (wide <= 0).any(axis=None):
        unit, period = wide.stack().idxmin()
        raise InvalidInputError(
            f"{value!r}{' in logarithms' if log else ''} is not positive for {unit} in {period}: transitions relative "
            "to a mean have no meaning; use a smaller unit of measurement, or log=False for an index"
        )
    return wide


def smooth(wide: pd.DataFrame, penalty: float) -> pd.DataFrame:
    r"""Return each row's Hodrick-Prescott trend, :math:`(I + \lambda D'D)^{-1} y` with D the second differences."""
    if not (np.isfinite(penalty) and penalty > 0):
        raise InvalidInputError(f"smoothing={penalty}: expected a positive penalty such as 6.25 for years")
    whole = np.eye(wide.shape[1])
    bends = np.diff(whole, 2, axis=0)
    trends = np.linalg.solve(whole + penalty * bends.T @ bends, wide.to_numpy().T).T
    return pd.DataFrame(trends, index=wide.index, columns=wide.columns)


def first_kept(periods: int, trim: float) -> int:
    """Number of the first period in the regression, counted from one; products such as 0.3 * 10 are taken as whole."""
    return int(np.floor(periods * trim + 1e-9)) + 1


def check_trim(periods: int, trim: float) -> None:
    """Raise InvalidInputError if the share left out leaves no log log t, or fewer than four periods."""
    first = first_kept(periods, trim)
    if not 0 < trim < 1 or first < 2 or periods - first + 1 < 4:
        raise InvalidInputError(
            f"trim={trim} of {periods} periods: the regression starts with period {first}; it needs at least four "
            "periods, none of them the first"
        )


def regress(paths: pd.DataFrame, trim: float) -> LogT:
    """Run the log t regression of these units."""
    values = paths.to_numpy()
    relative = values / values.mean(axis=0)
    variation = np.mean((relative - 1) ** 2, axis=0)
    slope, error, statistic, observations = _log_t(variation, trim)
    return LogT(
        slope,
        error,
        statistic,
        _normal_cdf(statistic),
        pd.Series(variation, index=paths.columns, name="variation"),
        units=len(paths),
        periods=paths.shape[1],
        observations=observations,
        trim=trim,
    )


def statistic_of(values: np.ndarray, trim: float) -> float:
    """Statistic of log t for rows of transitions."""
    relative = values / values.mean(axis=0)
    return _log_t(np.mean((relative - 1) ** 2, axis=0), trim)[2]


def _log_t(variation: np.ndarray, trim: float) -> tuple[float, float, float, int]:
    """Slope, standard error, statistic, number of periods.

    A period in which units do not differ at all has no logarithm and is left out; units that never differ have
    converged, units that differ but did not at first have not.
    """
    t = np.arange(first_kept(len(variation), trim), len(variation) + 1)
    t = t[variation[t - 1] > 0]
    if variation[0] == 0 or len(t) < 3:
        return np.nan, np.nan, np.inf if len(t) < 3 else -np.inf, len(t)
    x = np.log(t)
    y = np.log(variation[0] / variation[t - 1]) - 2 * np.log(x)
    centred = x - x.mean()
    square = centred @ centred
    slope = centred @ y / square
    residuals = y - y.mean() - slope * centred
    error = np.sqrt(long_run_variance(residuals) / square)
    return float(slope), float(error), float(slope / error) if error > 0 else float(np.inf * np.sign(slope)), len(t)


def long_run_variance(residuals: np.ndarray) -> float:
    """Long-run variance by the quadratic spectral kernel with Andrews' bandwidth, in the authors' small-sample form."""
    m = len(residuals)
    lagged = residuals[:-1]
    rho = lagged @ residuals[1:] / (lagged @ lagged) if lagged.any() else 0.0
    variance = residuals @ residuals
    # Without autocorrelation the bandwidth is nil, and a unit root has none.
    if rho not in (0.0, 1.0):
        bandwidth = 1.3221 * (4 * rho**2 / (1 - rho) ** 4 * m) ** 0.2
        lags = np.arange(1, m - 1)
        covariances = np.array([residuals[: m - 1 - j] @ residuals[j : m - 1] for j in lags])
        variance += 2 * _quadratic_spectral(lags / bandwidth) @ covariances
    return float(variance / (m - 1))


def _quadratic_spectral(x: np.ndarray) -> np.ndarray:
    angle = 6 * np.pi * x / 5
    return 3 / angle**2 * (np.sin(angle) / angle - np.cos(angle))


def _normal_cdf(x: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(x))

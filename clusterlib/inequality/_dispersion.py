"""Sigma convergence (σ收敛): whether units grow more alike over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.results import coefficient_table
from clusterlib.errors import InvalidInputError
from clusterlib.inequality._samples import check_balanced_panel, check_numeric_periods

MEASURES = ("coefficient_of_variation", "sd_log", "sd")


@dataclass(frozen=True)
class SigmaConvergence:
    """Dispersion by period, its trend, and a test of its change.

    Attributes
    ----------
    by_period : DataFrame
        ``n``, ``mean``, ``sd``, ``coefficient_of_variation``, ``sd_log``.
    trend : DataFrame
        By measure: slope on time with Newey-West errors, as in :func:`clusterlib.inference.coefficient_table`.
    variance_ratio : float
        Variance in the last period over that in the first, of logarithms unless ``log`` is false.
    lower, upper : float
        Interval of the ratio.
    statistic, p_value : float
        Student's t of the Pitman-Morgan test that the ratio is one, two-sided.
    first, last : float
        Periods compared.
    units, ddof, lags : int
    log : bool
    level : float
    """

    by_period: pd.DataFrame
    trend: pd.DataFrame
    variance_ratio: float
    lower: float
    upper: float
    statistic: float
    p_value: float
    first: float
    last: float
    units: int
    log: bool
    ddof: int
    lags: int
    level: float

    @property
    def change(self) -> pd.Series:
        """Change of each measure from the first period to the last, in percent."""
        ends = self.by_period[list(MEASURES)].iloc[[0, -1]].to_numpy()
        return pd.Series(100 * (ends[1] / ends[0] - 1), index=list(MEASURES), name="change")

    def summary(self) -> pd.DataFrame:
        """Return first and last value, change in percent, and the trend of each measure."""
        ends = self.by_period[list(MEASURES)].iloc[[0, -1]].T.set_axis(["first", "last"], axis=1)
        return ends.assign(change=self.change).join(self.trend[["estimate", "std_error", "p_value"]])


def sigma_convergence(
    data: pd.DataFrame,
    value: str,
    *,
    log: bool = True,
    ddof: int = 1,
    lags: int | None = None,
    level: float = 0.95,
) -> SigmaConvergence:
    r"""Test for sigma convergence (σ收敛检验): dispersion over time.

    .. math:: CV_t = s_t / \bar{y}_t, \quad \sigma_t = \mathrm{sd}_i(\ln y_{it})

    Both are relative to the level. For an index with an arbitrary zero, of which differences mean something and ratios
    do not, look at the standard deviation :math:`s_t` itself and test it with ``log=False``.

    Two tests. The trend regresses each measure on time, with Newey-West errors (Bartlett weights, factor
    :math:`T / (T - 2)`) and Student's t with :math:`T - 2` degrees of freedom: with a dozen periods its size is only
    roughly right. The Pitman-Morgan test compares the variances of logs in the first and last period for the same
    units: with :math:`r` the correlation of :math:`\ln y_T + \ln y_0` with :math:`\ln y_T - \ln y_0`,
    :math:`t = r \sqrt{(n - 2) / (1 - r^2)}` has :math:`n - 2` degrees of freedom, exactly for normal logs, whatever
    the correlation over time; long tails make it reject too often. Its interval for the ratio is Pitman's.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, period), balanced in ``value``; periods are numbers, such as years.
    value : str
        Column, positive.
    log : bool
        Whether the test of the change compares variances of logarithms or of the values themselves.
    ddof : int
        Standard deviations divide by ``n - ddof``.
    lags : int, optional
        Of the Newey-West errors; by default the integer part of :math:`4 (T / 100)^{2/9}`.
    level : float
        Of the intervals.

    Returns
    -------
    SigmaConvergence

    Raises
    ------
    InvalidInputError
        For gaps, values that are not positive, fewer than three units or periods, a period without dispersion, or
        impossible options.
    UnknownNameError
        If ``value`` is not a column.

    References
    ----------
    Barro, R. J. and Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy 100, 223-251.
    Pitman, E. J. G. (1939). A note on normal correlation. Biometrika 31, 9-12. Morgan, W. A. (1939). Biometrika 31,
    13-19.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2000, 2001, 2002]], names=["unit", "year"])
    >>> data = pd.DataFrame({"income": [1.0, 1.5, 1.9, 2.0, 2.1, 2.2, 4.0, 3.2, 2.5]}, index=index)
    >>> sigma_convergence(data, "income").by_period["sd_log"].round(3).tolist()
    [0.693, 0.38, 0.137]
    """
    frame = check_balanced_panel(data, [value], positive=True)
    periods = check_numeric_periods(frame)
    wide = frame[value].unstack(1)
    if min(wide.shape) < 3:
        raise InvalidInputError(
            f"{wide.shape[0]} unit(s) and {wide.shape[1]} period(s): dispersion over time needs at least three of each"
        )
    if not 0 <= ddof < len(wide):
        raise InvalidInputError(f"ddof={ddof}: expected 0 or 1")
    logs = np.log(wide)
    flat = np.ptp(logs.to_numpy(), axis=0) == 0
    if flat.any():
        raise InvalidInputError(
            f"every unit has the same {value!r} in {wide.columns[flat][0]}: no dispersion to follow"
        )
    by_period = pd.DataFrame({"n": len(wide), "mean": wide.mean(), "sd": wide.std(ddof=ddof)})
    by_period["coefficient_of_variation"] = by_period["sd"] / by_period["mean"]
    by_period["sd_log"] = logs.std(ddof=ddof)
    lags = int(4 * (len(periods) / 100) ** (2 / 9)) if lags is None else lags
    if not 0 <= lags < len(periods):
        raise InvalidInputError(f"lags={lags} of {len(periods)} periods: expected 0 to {len(periods) - 1}")
    compared = logs if log else wide
    test = pitman_morgan(compared.iloc[:, 0].to_numpy(), compared.iloc[:, -1].to_numpy(), level)
    return SigmaConvergence(
        by_period,
        _trend(by_period, periods, lags, level),
        *test,
        first=periods[0],
        last=periods[-1],
        units=len(wide),
        log=log,
        ddof=ddof,
        lags=lags,
        level=level,
    )


def _trend(by_period: pd.DataFrame, periods: np.ndarray, lags: int, level: float) -> pd.DataFrame:
    from statsmodels.regression.linear_model import OLS

    # Years enter from the first one on: the slope is the same and the sums of squares stay small.
    design = np.column_stack([np.ones(len(periods)), periods - periods[0]])
    options = {"cov_type": "HAC", "cov_kwds": {"maxlags": lags, "use_correction": True}}
    fits = {name: OLS(by_period[name].to_numpy(), design).fit(**options) for name in MEASURES}
    slope = pd.Series({name: fit.params[1] for name, fit in fits.items()})
    error = pd.Series({name: fit.bse[1] for name, fit in fits.items()})
    return coefficient_table(slope, error, len(periods) - 2, level).rename_axis("measure")


def pitman_morgan(first: np.ndarray, last: np.ndarray, level: float) -> tuple[float, float, float, float, float]:
    """Ratio of the variance of ``last`` to that of ``first``, its interval, Student's t and p value."""
    from scipy.stats import t

    n = len(first)
    ratio = last.var() / first.var()
    total, gap = last + first, last - first
    # Units that all change alike leave the variance as it was.
    still = np.ptp(gap) <= 1e-12 * np.ptp(total)
    r = 0.0 if still else np.clip(np.corrcoef(total, gap)[0, 1], -1 + 1e-15, 1 - 1e-15)
    statistic = r * np.sqrt((n - 2) / (1 - r**2))
    p_value = 2 * t.sf(abs(statistic), n - 2)
    quantile = t.ppf((1 + level) / 2, n - 2)
    over_time = np.corrcoef(first, last)[0, 1]
    spread = 1 + 2 * (1 - over_time**2) * quantile**2 / (n - 2)
    width = np.sqrt(max(spread**2 - 1, 0.0))
    ends = ratio * (spread - width), ratio * (spread + width)
    return float(ratio), float(ends[0]), float(ends[1]), float(statistic), float(p_value)

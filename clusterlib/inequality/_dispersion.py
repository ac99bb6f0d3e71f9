"""Sigma convergence (σ收敛): whether units grow more alike over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import ROUNDING, check_choice, check_level, check_whole, is_constant, place_of
from clusterlib.core.covariance import make_covariance
from clusterlib.core.results import Result, Test, coefficient_table, test_lines
from clusterlib.core.within import least_squares, make_layout
from clusterlib.errors import InvalidInputError
from clusterlib.inequality._samples import check_balanced_panel, check_numeric_periods

MEASURES = ("coefficient_of_variation", "sd_log", "sd")


@dataclass(frozen=True, eq=False)
class SigmaConvergence(Result):
    """Dispersion over time, its trend, and a test of its change (σ收敛).

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
    test : Test
        Pitman and Morgan's, two-sided, that the ratio is one; ``statistic`` and ``p_value`` are its own.
    first, last : float
        Periods compared.
    n_units, ddof, lags : int
    log : bool
    level : float
    """

    by_period: pd.DataFrame
    trend: pd.DataFrame
    variance_ratio: float
    lower: float
    upper: float
    test: Test
    first: float = field(repr=False)
    last: float = field(repr=False)
    n_units: int
    log: bool
    ddof: int
    lags: int
    level: float

    @property
    def statistic(self) -> float:
        """Student's t of the test of the change."""
        return self.test.statistic

    @property
    def p_value(self) -> float:
        """Of the test of the change, two-sided."""
        return self.test.p_value

    @property
    def change(self) -> pd.Series:
        """Change of each measure from the first period to the last, in percent."""
        ends = self.by_period[list(MEASURES)].iloc[[0, -1]].to_numpy()
        return pd.Series(100 * (ends[1] / ends[0] - 1), index=list(MEASURES), name="change")

    @property
    def table(self) -> pd.DataFrame:
        """First and last value, change in percent, and the trend of each measure."""
        ends = self.by_period[list(MEASURES)].iloc[[0, -1]].T.set_axis(["first", "last"], axis=1)
        return ends.assign(change=self.change).join(self.trend[["estimate", "std_error", "p_value"]])

    @property
    def footer(self) -> Mapping[str, object]:
        """What was compared, and the test of the change."""
        return {"periods": f"{self.first:g} to {self.last:g}", **super().footer, **test_lines([self.test])}


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
    roughly right; of a measure that stays as it is but for rounding, slope and error are nil. The Pitman-Morgan test
    compares the variances of logs in the first and last period for the same units: with :math:`r` the correlation of
    :math:`\ln y_T + \ln y_0` with :math:`\ln y_T - \ln y_0`, :math:`t = r \sqrt{(n - 2) / (1 - r^2)}` has
    :math:`n - 2` degrees of freedom, exactly for normal logs, whatever the correlation over time; long tails make it
    reject too often. Its interval for the ratio is Pitman's.

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
    check_choice("log", log, (False, True))
    check_level(level)
    frame = check_balanced_panel(data, [value], positive=True)
    periods = check_numeric_periods(frame)
    wide = frame[value].unstack(1)
    if min(wide.shape) < 3:
        raise InvalidInputError(
            f"{wide.shape[0]} unit(s) and {wide.shape[1]} period(s): dispersion over time needs at least three of each"
        )
    ddof = check_whole("ddof", ddof, 0, len(wide) - 1)
    lags = None if lags is None else check_whole("lags", lags, 0, len(periods) - 1)
    flat = is_constant(wide.to_numpy(), axis=0)
    if flat.any():
        raise InvalidInputError(
            f"every unit has the same {value!r} in {place_of(wide.columns[flat][0])}: no dispersion to follow"
        )
    logs = pd.DataFrame(np.log(wide.to_numpy()), wide.index, wide.columns)
    by_period = pd.DataFrame({"n": len(wide), "mean": wide.mean(), "sd": wide.std(ddof=ddof)})
    by_period["coefficient_of_variation"] = by_period["sd"] / by_period["mean"]
    by_period["sd_log"] = logs.std(ddof=ddof)
    # A logarithm is no more exact than the share by which its value is rounded.
    size = max(1.0, float(np.abs(logs.to_numpy()).max()))
    sizes = {
        "coefficient_of_variation": float((wide / wide.mean()).to_numpy().max()),
        "sd_log": size,
        "sd": float(wide.to_numpy().max()),
    }
    trend, lags = _trend(by_period, sizes, periods, lags, level)
    compared, size = (logs.to_numpy(), size) if log else (wide.to_numpy(), sizes["sd"])
    ratio, lower, upper, test = _pitman_morgan(compared[:, 0], compared[:, -1], size, level)
    return SigmaConvergence(
        by_period,
        trend,
        ratio,
        lower,
        upper,
        test,
        first=periods[0],
        last=periods[-1],
        n_units=len(wide),
        log=log,
        ddof=ddof,
        lags=lags,
        level=level,
    )


def _trend(
    by_period: pd.DataFrame, sizes: Mapping[str, float], periods: np.ndarray, lags: int | None, level: float
) -> tuple[pd.DataFrame, int]:
    """Return the slope of each measure on time, and the lags of its errors.

    Driscoll and Kraay's errors of a single series are Newey and West's. ``sizes`` are of the figures that a measure is
    made from: by them it is judged whether it changes at all.
    """
    layout = make_layout(pd.MultiIndex.from_product([["all"], periods]), "none")
    covariance = make_covariance("driscoll-kraay", layout, bandwidth=lags)
    # Years enter from the first one on: the slope is the same and the sums of squares stay small.
    design = np.column_stack([np.ones(len(periods)), periods - periods[0]])
    slope, error = pd.Series(0.0, index=MEASURES), pd.Series(0.0, index=MEASURES)
    for name, size in sizes.items():
        measure = by_period[name].to_numpy()
        if np.ptp(measure) <= ROUNDING * size:
            continue
        fit = least_squares(measure, design, ["const", "time"])
        meat = covariance.meat(design * fit.residuals[:, None], layout)
        slope[name] = fit.params[1]
        error[name] = np.sqrt(covariance.factor(2, layout) * (fit.inverse @ meat @ fit.inverse)[1, 1])
    return coefficient_table(slope, error, len(periods) - 2, level).rename_axis("measure"), covariance.bandwidth


def _pitman_morgan(first: np.ndarray, last: np.ndarray, size: float, level: float) -> tuple[float, float, float, Test]:
    """Ratio of the variance of ``last`` to that of ``first``, its interval, and the test that it is one.

    ``size`` is of the figures that rounding is judged by.
    """
    from scipy.stats import t

    n = len(first)
    ratio = last.var() / first.var()
    total, gap = last + first, last - first
    # Units that all change alike, or change places about the mean, leave the variance as it was.
    still = min(np.ptp(gap), np.ptp(total)) <= ROUNDING * size
    r = 0.0 if still else np.clip(np.corrcoef(total, gap)[0, 1], -1 + 1e-15, 1 - 1e-15)
    test = Test.of(
        "Pitman-Morgan",
        "the variance is the same in the first and the last period",
        r * np.sqrt((n - 2) / (1 - r**2)),
        "t",
        n - 2,
    )
    quantile = t.ppf((1 + level) / 2, n - 2)
    over_time = np.corrcoef(first, last)[0, 1]
    spread = 1 + 2 * (1 - over_time**2) * quantile**2 / (n - 2)
    width = np.sqrt(max(spread**2 - 1, 0.0))
    return float(ratio), float(ratio * (spread - width)), float(ratio * (spread + width)), test

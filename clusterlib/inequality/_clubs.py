"""The log t test of convergence (log t 检验) and the convergence clubs (俱乐部收敛) of Phillips and Sul."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import ROUNDING, check_choice, check_number, check_whole, is_constant, place_of, snap
from clusterlib.core.results import Result, Test, test_lines
from clusterlib.errors import ClusterlibWarning, InvalidInputError
from clusterlib.inequality._samples import check_balanced_panel, evenly_spaced

# One-sided, 5 per cent, of the standard normal distribution, to the two decimals that the authors use.
CRITICAL_VALUE = -1.65
DIVERGENT = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class LogT(Test):
    """A log t regression.

    Attributes
    ----------
    slope, std_error, statistic, p_value : float
        Of log t; the p value is one-sided, against divergence.
    variation : Series
        Cross-sectional variation :math:`H_t` by period; nil for a single unit.
    n_units, n_periods, nobs : int
        Units, periods, and periods in the regression.
    trim : float
    """

    slope: float
    std_error: float
    variation: pd.Series = field(repr=False)
    n_units: int
    n_periods: int
    nobs: int
    trim: float

    @property
    def converges(self) -> bool:
        """Whether convergence is not rejected at 5 per cent."""
        return self.statistic > CRITICAL_VALUE

    @property
    def table(self) -> pd.DataFrame:
        """The regression's figures in one row."""
        row = {name: getattr(self, name) for name in ("slope", "std_error", "statistic", "p_value")}
        row |= {"units": self.n_units, "observations": self.nobs}
        return pd.DataFrame([row], index=pd.Index(["log t"], name="regressor"))


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
        Indexed by (unit, period), balanced in ``value``; at least six periods, counted as evenly spaced, with a warning
        where they are numbers that are not.
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
    paths = _transition_matrix(data, value, log=log, smoothing=smoothing)
    _check_trim(paths.shape[1], trim)
    return _regress(paths, trim)


@dataclass(frozen=True, eq=False)
class ClubConvergence(Result):
    """Convergence clubs (俱乐部收敛).

    Attributes
    ----------
    overall : LogT
        Test of all units together.
    membership : Series
        Number of each unit's club, 1 the highest, 0 for units in none.
    clubs : DataFrame
        By club, then the divergent units as club 0 if any: ``units``, ``slope``, ``std_error``, ``statistic``,
        ``p_value``, and ``mean_last``, the mean of the transitions' variable in the last period.
    initial : Series
        Membership before clubs were merged.
    transitions : DataFrame
        Relative transition of each unit by period: logarithm or level over the mean of all units.
    log, merge : bool
    smoothing : float or None
    trim, sieve : float
    last_periods : int
    """

    overall: LogT
    membership: pd.Series
    clubs: pd.DataFrame
    initial: pd.Series
    transitions: pd.DataFrame
    log: bool
    merge: bool
    smoothing: float | None
    trim: float
    sieve: float
    last_periods: int

    @property
    def converges(self) -> bool:
        """Whether all units together converge."""
        return self.overall.converges

    @property
    def table(self) -> pd.DataFrame:
        """The table by club."""
        return self.clubs

    @property
    def footer(self) -> Mapping[str, object]:
        """The test of all units together, and what made the clubs."""
        return {**test_lines([self.overall]), **super().footer}

    def paths(self) -> pd.DataFrame:
        """Return the mean relative transition of each club, one row a period."""
        return self.transitions.groupby(self.membership).mean().T


def club_convergence(
    data: pd.DataFrame,
    value: str,
    *,
    log: bool = True,
    smoothing: float | None = None,
    trim: float = 0.3,
    sieve: float = 0.0,
    last_periods: int = 1,
    merge: bool = True,
) -> ClubConvergence:
    r"""Convergence clubs by the log t test (俱乐部收敛检验).

    If :func:`log_t_test` does not reject convergence of all units, they are one club. Otherwise, with units in the
    order of their last value,

    1. *core*: from the highest unit on, the first two neighbours with a statistic above -1.65 start a group, which
       takes in the next units as long as it stays above; its core is the size with the largest statistic;
    2. *sieve*: each other unit that, added to the core alone, gives a statistic above ``sieve`` joins it; if the club
       so formed falls to -1.65 or below, the bound is raised, so that those with the smallest statistic leave first;
    3. the remaining units are tested together, and from 1. again unless they converge; where no core can be found they
       are divergent;
    4. *merging*: neighbouring clubs whose union converges are joined, from the highest on, until none does.

    Parameters
    ----------
    data, value, log, smoothing, trim
        As :func:`log_t_test`.
    sieve : float
        Bound of step 2; the authors advise 0 for few periods.
    last_periods : int
        Units are ordered by their mean over this many last periods.
    merge : bool
        Whether to take step 4.

    Returns
    -------
    ClubConvergence

    Raises
    ------
    InvalidInputError
        As :func:`log_t_test`, and for ``last_periods`` out of range.
    UnknownNameError
        If ``value`` is not a column.

    References
    ----------
    Phillips, P. C. B. and Sul, D. (2007). Econometrica 75, 1771-1855, sec. 4. Phillips, P. C. B. and Sul, D. (2009).
    Journal of Applied Econometrics 24, 1153-1185, sec. 3 (merging).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> t = np.arange(1, 31)
    >>> paths = {f"{i}": (3 if i < 4 else 2) + (-1) ** i * (1 + i) / 20 / t**0.5 / np.log(t + 1) for i in range(8)}
    >>> data = pd.DataFrame(paths, index=t).rename_axis("year").T.stack().to_frame("level")
    >>> club_convergence(data, "level", log=False).membership.tolist()
    [1, 1, 1, 1, 2, 2, 2, 2]
    """
    check_choice("merge", merge, (False, True))
    check_number("sieve", sieve)
    paths = _transition_matrix(data, value, log=log, smoothing=smoothing)
    _check_trim(paths.shape[1], trim)
    last_periods = check_whole("last_periods", last_periods, 1, paths.shape[1])
    # Units level but for rounding keep their order.
    final = snap(paths.iloc[:, -last_periods:].mean(axis=1).to_numpy())
    values = paths.to_numpy()
    found, divergent = _find_clubs(values, np.argsort(-final, kind="stable"), trim, sieve)
    initial = _membership(found, paths.index)
    if merge:
        found = _merge(values, found, trim)
    groups = dict(enumerate(found, start=1)) | ({DIVERGENT: divergent} if len(divergent) else {})
    rows = [_club_row(number, paths.iloc[group], trim) for number, group in groups.items()]
    return ClubConvergence(
        _regress(paths, trim),
        _membership(found, paths.index),
        pd.DataFrame(rows).set_index("club"),
        initial,
        paths / paths.mean(),
        log=log,
        merge=merge,
        smoothing=smoothing,
        trim=trim,
        sieve=sieve,
        last_periods=last_periods,
    )


def _transition_matrix(data: pd.DataFrame, value: str, *, log: bool, smoothing: float | None) -> pd.DataFrame:
    """Return logarithms or levels, smoothed where asked for, one row a unit and one column a period."""
    check_choice("log", log, (False, True))
    frame = check_balanced_panel(data, [value], positive=log)
    wide = frame[value].unstack(1)
    if wide.shape[0] < 2 or wide.shape[1] < 6:
        raise InvalidInputError(
            f"{wide.shape[0]} unit(s) and {wide.shape[1]} period(s): the log t test needs at least two units and six "
            "periods"
        )
    if pd.api.types.is_numeric_dtype(wide.columns) and not evenly_spaced(wide.columns.to_numpy(float)):
        warnings.warn(
            "periods are not evenly spaced: the log t test counts them as if they were", ClusterlibWarning, stacklevel=3
        )
    paths = pd.DataFrame(np.log(wide.to_numpy()), wide.index, wide.columns) if log else wide
    if smoothing is not None:
        paths = _smooth(paths, check_number("smoothing", smoothing, least=0, open_ends=True))
    flat = paths.to_numpy()
    if (flat <= 0).any():
        row, column = divmod(int(flat.argmin()), flat.shape[1])
        raise InvalidInputError(
            f"{value!r}{' in logarithms' if log else ''} is not positive for {place_of(paths.index[row])} in "
            f"{place_of(paths.columns[column])}: transitions relative to a mean have no meaning; use a smaller unit of "
            "measurement, or log=False for an index"
        )
    return paths


def _smooth(wide: pd.DataFrame, penalty: float) -> pd.DataFrame:
    r"""Return each row's Hodrick-Prescott trend, :math:`(I + \lambda D'D)^{-1} y` with D the second differences."""
    whole = np.eye(wide.shape[1])
    bends = np.diff(whole, 2, axis=0)
    trends = np.linalg.solve(whole + penalty * bends.T @ bends, wide.to_numpy().T).T
    return pd.DataFrame(trends, index=wide.index, columns=wide.columns)


def _first_kept(periods: int, trim: float) -> int:
    """Number of the first period in the regression, counted from one; products such as 0.3 * 10 are taken as whole."""
    return int(np.floor(periods * trim + 1e-9)) + 1


def _check_trim(periods: int, trim: float) -> None:
    """Raise InvalidInputError if the share left out leaves no log log t, or fewer than four periods."""
    check_number("trim", trim, least=0, most=1, open_ends=True)
    first = _first_kept(periods, trim)
    if first < 2 or periods - first + 1 < 4:
        raise InvalidInputError(
            f"trim={trim} of {periods} periods: the regression starts with period {first}; it needs at least four "
            "periods, none of them the first"
        )


def _regress(paths: pd.DataFrame, trim: float) -> LogT:
    """Run the log t regression of these units."""
    from scipy.stats import norm

    variation = _variation(paths.to_numpy())
    slope, error, statistic, observations = _log_t(variation, trim)
    return LogT(
        name="Log t test (log t 检验)",
        null="all units converge",
        statistic=statistic,
        df=None,
        p_value=float(norm.cdf(statistic)),
        distribution="normal",
        slope=slope,
        std_error=error,
        variation=pd.Series(variation, index=paths.columns, name="variation"),
        n_units=len(paths),
        n_periods=paths.shape[1],
        nobs=observations,
        trim=trim,
    )


def _statistic(values: np.ndarray, trim: float) -> float:
    """Statistic of log t for rows of transitions."""
    return _log_t(_variation(values), trim)[2]


def _variation(values: np.ndarray) -> np.ndarray:
    """Variation of relative transitions by period; nil where units are alike but for rounding."""
    variation = np.mean((values / values.mean(axis=0) - 1) ** 2, axis=0)
    variation[variation <= ROUNDING**2] = 0.0
    return variation


def _log_t(variation: np.ndarray, trim: float) -> tuple[float, float, float, int]:
    """Slope, standard error, statistic, number of periods.

    A period in which units do not differ at all has no logarithm and is left out; units that never differ have
    converged, units that differ but did not at first have not.
    """
    t = np.arange(_first_kept(len(variation), trim), len(variation) + 1)
    t = t[variation[t - 1] > 0]
    if variation[0] == 0 or len(t) < 3:
        return np.nan, np.nan, np.inf if len(t) < 3 else -np.inf, len(t)
    x = np.log(t)
    y = np.log(variation[0] / variation[t - 1]) - 2 * np.log(x)
    centred = x - x.mean()
    square = centred @ centred
    if is_constant(y):
        return 0.0, 0.0, 0.0, len(t)
    slope = centred @ y / square
    residuals = y - y.mean() - slope * centred
    error = np.sqrt(_long_run_variance(residuals) / square)
    return float(slope), float(error), float(slope / error) if error > 0 else float(np.inf * np.sign(slope)), len(t)


def _long_run_variance(residuals: np.ndarray) -> float:
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


def _find_clubs(
    values: np.ndarray, order: np.ndarray, trim: float, sieve: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the clubs, highest first, and the divergent units, as positions in ``values``."""
    clubs, rest = [], order
    while len(rest) > 1:
        if _statistic(values[rest], trim) > CRITICAL_VALUE:
            return [*clubs, rest], rest[:0]
        core = _core(values, rest, trim)
        if core is None:
            break
        club = _sieve(values, rest, core, trim, sieve)
        clubs.append(club)
        rest = rest[~np.isin(rest, club)]
    return clubs, rest


def _core(values: np.ndarray, rest: np.ndarray, trim: float) -> np.ndarray | None:
    for start in range(len(rest) - 1):
        statistics = []
        for end in range(start + 2, len(rest) + 1):
            statistic = _statistic(values[rest[start:end]], trim)
            if statistic <= CRITICAL_VALUE:
                break
            statistics.append(statistic)
        if statistics:
            return rest[start : start + 2 + int(np.argmax(statistics))]
    return None


def _sieve(values: np.ndarray, rest: np.ndarray, core: np.ndarray, trim: float, bound: float) -> np.ndarray:
    others = rest[~np.isin(rest, core)]
    statistics = np.array([_statistic(values[np.append(core, unit)], trim) for unit in others])
    admitted = others[statistics > bound]
    statistics = statistics[statistics > bound]
    while len(admitted):
        club = rest[np.isin(rest, core) | np.isin(rest, admitted)]
        if _statistic(values[club], trim) > CRITICAL_VALUE:
            return club
        keep = statistics > statistics.min()
        admitted, statistics = admitted[keep], statistics[keep]
    return core


def _merge(values: np.ndarray, clubs: list[np.ndarray], trim: float) -> list[np.ndarray]:
    clubs, i = list(clubs), 0
    while i < len(clubs) - 1:
        both = np.concatenate(clubs[i : i + 2])
        if _statistic(values[both], trim) > CRITICAL_VALUE:
            clubs[i : i + 2] = [both]
            # The larger club may now go with the one before it.
            i = max(i - 1, 0)
        else:
            i += 1
    return clubs


def _membership(clubs: list[np.ndarray], units: pd.Index) -> pd.Series:
    number = np.full(len(units), DIVERGENT)
    for i, club in enumerate(clubs, start=1):
        number[club] = i
    return pd.Series(number, index=units, name="club")


def _club_row(number: int, paths: pd.DataFrame, trim: float) -> dict[str, float]:
    row = {"club": number, "units": len(paths)}
    if len(paths) > 1:
        test = _regress(paths, trim)
        row |= {name: getattr(test, name) for name in ("slope", "std_error", "statistic", "p_value")}
    else:
        row |= dict.fromkeys(("slope", "std_error", "statistic", "p_value"), np.nan)
    return row | {"mean_last": paths.iloc[:, -1].mean()}

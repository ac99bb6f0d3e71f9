"""Convergence clubs (俱乐部收敛) of Phillips and Sul."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.inequality._log_t import CRITICAL_VALUE, LogT, check_trim, regress, statistic_of, transition_matrix

DIVERGENT = 0


@dataclass(frozen=True)
class ClubConvergence:
    """Convergence clubs.

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

    def summary(self) -> pd.DataFrame:
        """Return the table by club."""
        return self.clubs

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
    paths = transition_matrix(data, value, log=log, smoothing=smoothing)
    check_trim(paths.shape[1], trim)
    if not 1 <= last_periods <= paths.shape[1]:
        raise InvalidInputError(f"last_periods={last_periods}: expected 1 to {paths.shape[1]}")
    final = paths.iloc[:, -last_periods:].mean(axis=1)
    values = paths.to_numpy()
    order = np.argsort(-final.to_numpy(), kind="stable")
    found, divergent = _find_clubs(values, order, trim, sieve)
    initial = _membership(found, paths.index)
    if merge:
        found = _merge(values, found, trim)
    membership = _membership(found, paths.index)
    groups = dict(enumerate(found, start=1)) | ({DIVERGENT: divergent} if len(divergent) else {})
    return ClubConvergence(
        regress(paths, trim),
        membership,
        pd.DataFrame([_club_row(number, paths.iloc[group], trim) for number, group in groups.items()]).set_index(
            "club"
        ),
        initial,
        paths / paths.mean(),
        log=log,
        merge=merge,
        smoothing=smoothing,
        trim=trim,
        sieve=sieve,
        last_periods=last_periods,
    )


def _find_clubs(
    values: np.ndarray, order: np.ndarray, trim: float, sieve: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the clubs, highest first, and the divergent units, as positions in ``values``."""
    clubs, rest = [], order
    while len(rest) > 1:
        if statistic_of(values[rest], trim) > CRITICAL_VALUE:
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
            statistic = statistic_of(values[rest[start:end]], trim)
            if statistic <= CRITICAL_VALUE:
                break
            statistics.append(statistic)
        if statistics:
            return rest[start : start + 2 + int(np.argmax(statistics))]
    return None


def _sieve(values: np.ndarray, rest: np.ndarray, core: np.ndarray, trim: float, bound: float) -> np.ndarray:
    others = rest[~np.isin(rest, core)]
    statistics = np.array([statistic_of(values[np.append(core, unit)], trim) for unit in others])
    admitted = others[statistics > bound]
    statistics = statistics[statistics > bound]
    while len(admitted):
        club = rest[np.isin(rest, core) | np.isin(rest, admitted)]
        if statistic_of(values[club], trim) > CRITICAL_VALUE:
            return club
        keep = statistics > statistics.min()
        admitted, statistics = admitted[keep], statistics[keep]
    return core


def _merge(values: np.ndarray, clubs: list[np.ndarray], trim: float) -> list[np.ndarray]:
    clubs, i = list(clubs), 0
    while i < len(clubs) - 1:
        both = np.concatenate(clubs[i : i + 2])
        if statistic_of(values[both], trim) > CRITICAL_VALUE:
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
        test = regress(paths, trim)
        row |= {name: getattr(test, name) for name in ("slope", "std_error", "statistic", "p_value")}
    else:
        row |= dict.fromkeys(("slope", "std_error", "statistic", "p_value"), np.nan)
    return row | {"mean_last": paths.iloc[:, -1].mean()}

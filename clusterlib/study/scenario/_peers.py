"""How unusual the change of one city is among its peers, where no years before allow more (同类城市比较)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_level, check_whole, parse_years
from clusterlib.core.resampling import exceedance_p
from clusterlib.errors import InvalidInputError
from clusterlib.study._memory import remember

_GROUPS = ("province", "matched")
_STRUCTURE = ("size", "per_head", "secondary", "primary")
# From 2022 on with Bohai New Area, says the catalogue: its growth is that of its borders.
_REDRAWN = (130983,)
# With the city itself forty units, of which two are five percent.
_MATCHED = 39
_LEVELS = ("city", "county")


def unusual_change(changes: pd.Series, unit: Any, alpha: float = 0.05) -> pd.Series:
    r"""Rank the change of one unit among those of its peers, as a randomisation test does (随机化检验).

    With :math:`m` the median of all :math:`N` units, this one among them, and :math:`d_i = |x_i - m|`,

    .. math:: p = \frac{\#\{i: d_i \ge d_1\}}{N}

    which is at most :math:`\alpha` with a probability of at most :math:`\alpha` if the unit is exchangeable with its
    peers, whatever the distribution of changes. ``low`` and ``high`` are the changes of the unit between which
    :math:`p > \alpha`, a prediction interval of level :math:`1 - \alpha`.

    Parameters
    ----------
    changes : Series
        By unit, the unit and its peers.
    unit : object
    alpha : float

    Returns
    -------
    Series
        ``change``; ``median`` of the peers; ``gap`` between them; ``rank``, 1 the largest, among ``units``, the unit
        itself among them; ``percentile``, the share of peers below in percent; ``p_value``; ``low`` and ``high``,
        infinite where there are too few peers for a test; ``lower`` and ``upper``, the interval of what may have been
        added to the unit's change, the test inverted; ``detectable``, the effect that would lift four in five of
        the peers above ``high``.

    Raises
    ------
    InvalidInputError
        For a unit without a change, or fewer than two peers.

    References
    ----------
    Vovk, V., Gammerman, A. and Shafer, G. (2005). Algorithmic Learning in a Random World, section 2.2.

    Examples
    --------
    >>> changes = pd.Series([0.0, 0.1, 0.2, 0.3, 0.9], list("abcde"))
    >>> unusual_change(changes, "e", alpha=0.2)[["rank", "p_value", "high"]].round(3).tolist()
    [1.0, 0.2, 0.4]
    """
    alpha, known = check_level(alpha, "alpha"), changes.dropna()
    if unit not in known.index:
        raise InvalidInputError(f"{unit}: no change is known: choose another indicator or other years")
    own, peers = float(known[unit]), np.sort(known.to_numpy()[known.index != unit])
    if len(peers) < 2:
        raise InvalidInputError(f"{unit} has {len(peers)} peer(s): expected at least two")
    together = np.append(own, peers)
    apart = np.abs(together - np.median(together))
    allowed, median = int(alpha * len(apart) + 1e-9), float(np.median(peers))

    def bound(side: float) -> float:
        """Return the last change on one side that is not called unusual."""
        middle = np.median(np.append(peers, side * np.inf))
        return float(middle + side * np.sort(np.abs(peers - middle))[-allowed]) if allowed else side * np.inf

    low, high = bound(-1.0), bound(1.0)
    return pd.Series(
        {
            "change": own,
            "median": median,
            "gap": own - median,
            "rank": (peers > own).sum() + 1.0,
            "units": float(len(apart)),
            "percentile": 100 * (peers < own).mean(),
            "p_value": exceedance_p(apart[0], apart, complete=True),
            "low": low,
            "high": high,
            "lower": own - high,
            "upper": own - low,
            "detectable": high - np.quantile(peers, 0.2),
        }
    )


def figures_by_year(level: str, indicator: str, years: Any = None) -> pd.DataFrame:
    """Return positive figures, units by years; tertiary industry as what the others leave of GDP."""
    from clusterlib.data import load_panel

    if not isinstance(indicator, str):
        raise InvalidInputError(f"indicator: expected a name, got a {type(indicator).__name__}")
    check_choice("level", level, _LEVELS)
    if level == "county" and indicator == "value_added_tertiary":
        # The yearbook of 2019 leaves it out, and gives the three that it follows from.
        parts = load_panel(level, ["gdp", "value_added_primary", "value_added_secondary"], years=years)
        found = parts["gdp"] - parts["value_added_primary"] - parts["value_added_secondary"]
    else:
        found = load_panel(level, indicator, years=years)[indicator]
    wide = found.where(found > 0).unstack("year")
    return wide.drop(index=[code for code in _REDRAWN if code in wide.index])


def _structure(level: str, year: int) -> pd.DataFrame:
    """Return the level and the structure of units in a year, complete ones alone."""
    from clusterlib.data import load_panel

    if level == "county":
        parts = load_panel(
            level, ["gdp", "value_added_primary", "value_added_secondary", "registered_population"], years=year
        )
        head = parts["gdp"] / parts["registered_population"]
        primary, secondary = (parts[f"value_added_{name}"] / parts["gdp"] for name in ("primary", "secondary"))
    else:
        shares = ["value_added_primary_share", "value_added_secondary_share"]
        parts = load_panel(level, ["gdp", "gdp_per_capita", *shares], years=year)
        head = parts["gdp_per_capita"]
        primary, secondary = (parts[name] / 100 for name in shares)
    columns = [np.log(parts["gdp"]), np.log(head), secondary, primary]
    found = pd.concat(columns, axis=1, keys=_STRUCTURE).droplevel("year")
    return found.replace([np.inf, -np.inf], np.nan).dropna()


def year_span(years: Any) -> tuple[int, int]:
    """Return a first and a later last year, given as a pair or as ``"2019:2023"``."""
    pair = isinstance(years, (tuple, list)) and len(years) == 2
    span = tuple(check_whole("years", year) for year in years) if pair else parse_years(years)
    if not isinstance(span, tuple) or span[0] >= span[1]:
        raise InvalidInputError(f"years={years!r}: expected a first and a later last year, such as '2019:2023'")
    return span[0], span[1]


def _both(level: str, indicator: str, years: Any) -> tuple[pd.Series, pd.DataFrame]:
    """Return changes of logarithms from the first to the last year, and the structure in the first, of all units."""
    first, last = year_span(years)
    wide = figures_by_year(level, indicator)
    for year in (first, last):
        check_choice("year", year, wide.columns)
    changes, structure = (wide[last] / wide[first]).dropna().map(np.log), _structure(level, first)
    known = changes.index.intersection(structure.index)
    return changes[known], structure.loc[known]


def comparable_units(level: str, indicator: str, years: Any) -> pd.Index:
    """Return the units with figures of an indicator in the first and last year, and of their structure in the first."""
    return _both(level, indicator, years)[0].index


def _groups(structure: pd.DataFrame, wanted: int) -> Iterator[tuple[Any, dict[str, pd.Index]]]:
    """Return the peers of each unit by group: those of its province, and the nearest of others by Mahalanobis."""
    values, province = structure.to_numpy(), (structure.index // 10_000).to_numpy()
    inverse = np.linalg.pinv(np.cov(values.T))
    for unit, own, home in zip(structure.index, values, province, strict=True):
        gap = values - own
        distance = np.einsum("ij,jk,ik->i", gap, inverse, gap)
        distance[province == home] = np.inf
        nearest = np.argsort(distance, kind="stable")[: min(wanted, int((province != home).sum()))]
        yield (
            unit,
            {
                "province": structure.index[province == home].drop(unit),
                "matched": structure.index[nearest],
            },
        )


def _groups_of(structure: pd.DataFrame, unit: Any, wanted: int) -> dict[str, pd.Index]:
    return next(groups for each, groups in _groups(structure, wanted) if each == unit)


def peer_comparison(
    level: str, unit: int, indicator: str, years: Any, *, alpha: float = 0.05, matched: int = _MATCHED
) -> pd.DataFrame:
    r"""Set the change of a city beside those of its peers (同类城市比较).

    The change is :math:`x_i = \ln y_{i,T} - \ln y_{i,0}`. Peers are all other units of the ``province``, and those of
    other provinces that are nearest in the first year in log GDP, log GDP per head and the shares of the secondary and
    the primary industry, by Mahalanobis's distance (``matched``).

    Parameters
    ----------
    level : {"city", "county"}
        Whole cities or county-level cities, whose heads are registered ones.
    unit : int
    indicator : str
        Positive; tertiary industry of county-level cities is GDP less the other two.
    years : str or (int, int)
        First and last year.
    alpha : float
    matched : int
        Peers to match.

    Returns
    -------
    DataFrame
        By group: what :func:`unusual_change` finds, and ``alarms``, the share of all units in percent that would be
        called unusual in their own turn.

    Raises
    ------
    InvalidInputError
        For a unit without figures of the indicator or of its structure.
    UnknownNameError
        For another level, indicator or year.

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2015). Comparative politics and the synthetic control method. American
    Journal of Political Science 59, 495-510 (placebos in space).

    Examples
    --------
    >>> found = peer_comparison("county", 330782, "gdp", "2019:2023")
    >>> int(found.loc["matched", "units"])
    40
    """
    alpha, wanted = check_level(alpha, "alpha"), check_whole("matched", matched, 2)
    changes, structure = _both(level, indicator, years)
    if isinstance(unit, bool) or not isinstance(unit, (int, np.integer)) or unit not in changes.index:
        raise InvalidInputError(f"{unit}: no {indicator} or no structure in the first or the last year of {years}")
    alarms = false_alarms(level, indicator, years, alpha, wanted)
    rows = {}
    for name, peers in _groups_of(structure, unit, wanted).items():
        if len(peers) >= 2:
            rows[name] = unusual_change(changes[[unit, *peers]], unit, alpha)
    return pd.DataFrame(rows).T.assign(alarms=alarms["share"]).rename_axis("group")


@remember
def false_alarms(level: str, indicator: str, years: Any, alpha: float = 0.05, matched: int = _MATCHED) -> pd.DataFrame:
    """Treat every unit in turn as the case, and tell how many are called unusual (安慰剂比例).

    Parameters
    ----------
    level, indicator, years, alpha, matched
        As in :func:`peer_comparison`.

    Returns
    -------
    DataFrame
        By group: ``share`` called unusual in percent, of ``units`` that have enough peers for a test.

    Examples
    --------
    >>> bool(false_alarms("county", "gdp", "2019:2023").loc["province", "share"] <= 5)
    True
    """
    changes, structure = _both(level, indicator, years)
    known: dict[Any, float] = changes.to_dict()
    called: dict[str, list[bool]] = {name: [] for name in _GROUPS}
    for unit, groups in _groups(structure, matched):
        for name, peers in groups.items():
            if alpha * (len(peers) + 1) < 1:
                continue
            values = np.array([known[unit], *(known[peer] for peer in peers)])
            apart = np.abs(values - np.median(values))
            called[name].append(exceedance_p(apart[0], apart, complete=True) <= alpha + 1e-9)
    shares = {name: (100 * np.mean(found) if found else np.nan, len(found)) for name, found in called.items()}
    return pd.DataFrame(shares, ["share", "units"]).T.rename_axis("group")


def peer_balance(level: str, unit: int, year: int, matched: int = _MATCHED) -> pd.DataFrame:
    """Compare the level and structure of a city with those of its matched peers (匹配平衡性).

    Returns
    -------
    DataFrame
        By characteristic, logarithms or shares: ``own``, mean of the ``peers`` and of ``all``, and ``apart``, the
        difference from the peers in standard deviations of all units.

    Examples
    --------
    >>> peer_balance("county", 330782, 2019).index.tolist()
    ['size', 'per_head', 'secondary', 'primary']
    """
    wanted = check_whole("matched", matched, 2)
    structure = _structure(check_choice("level", level, _LEVELS), check_whole("year", year))
    if isinstance(unit, bool) or not isinstance(unit, (int, np.integer)) or unit not in structure.index:
        raise InvalidInputError(f"{unit}: its level and structure in {year} are not known")
    peers = structure.loc[_groups_of(structure, unit, wanted)["matched"]].mean()
    table = pd.DataFrame({"own": structure.loc[unit], "peers": peers, "all": structure.mean()})
    return table.assign(apart=(table["own"] - peers) / structure.std()).rename_axis("characteristic")

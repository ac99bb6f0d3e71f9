"""Severities set against each other, and what they say of a syndrome (严重度比较与判断)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.diagnosis._severity import Severity, percentile_bounds
from clusterlib.errors import UnknownNameError
from clusterlib.regions import REGIONS

PRESENT, NONE, UNIDENTIFIED = "present", "not told apart from none", "not identified"


def contrasts(severity: Severity, members: Iterable, weights: pd.Series, year: int, first: int) -> pd.DataFrame:
    """Set a region's severity against its own past, the rest of the country and the best (严重度对比).

    A draw moves all units together, so that the interval of a difference is not the sum of two.

    Parameters
    ----------
    severity : Severity
        With draws.
    members : iterable
        Units of the region.
    weights : Series
        Of units, by (unit, year).
    year, first : int
        Year that is looked at, and the one it is compared with.

    Returns
    -------
    DataFrame
        ``estimate``, ``lower``, ``upper`` of ``change`` since the first year; ``rest``, against the units outside the
        three core regions; ``best``, against the least severe unit, in each draw the least severe one there.

    Raises
    ------
    UnknownNameError
        For a year without severities.
    """
    members = list(members)
    years = severity.table.index.unique(1)
    for t in (year, first):
        if t not in years:
            raise UnknownNameError("year", t, years)
    core = {code for region in REGIONS.values() for code in region.adcodes("province")} | set(members)
    rest = [unit for unit in severity.table.index.unique(0) if unit not in core]
    at = severity.table.index.get_level_values(1) == year
    points = {
        "own": severity.of_region(members, weights)["severity"],
        "rest": severity.of_region(rest, weights)["severity"],
    }
    drawn = {"own": severity.draws_of_region(members, weights), "rest": severity.draws_of_region(rest, weights)}
    own, now = points["own"][year], drawn["own"].loc[year]
    rows = {
        "change": (own - points["own"][first], now - drawn["own"].loc[first]),
        "rest": (own - points["rest"][year], now - drawn["rest"].loc[year]),
        "best": (own - severity.table.loc[at, "severity"].min(), now - severity.draws[at].min(axis=0)),
    }
    found = {}
    for name, (estimate, draws) in rows.items():
        lower, upper = (float(bound) for bound in percentile_bounds(np.asarray(draws), severity.settings["level"]))
        found[name] = {"estimate": estimate, "lower": min(lower, estimate), "upper": max(upper, estimate)}
    return pd.DataFrame.from_dict(found, orient="index")


def rank_among(severity: Severity, points: pd.Series, region: str, year: int, weights: pd.Series) -> tuple[int, float]:
    """Return a region's rank, 1 the most severe, and the share of draws in which it has that rank.

    Parameters
    ----------
    severity : Severity
    points : Series
        Severity by region; one that is missing has no rank, 0.
    region : str
    year : int
    weights : Series

    Returns
    -------
    int, float
    """
    if np.isnan(points[region]):
        return 0, np.nan
    rank = 1 + int((points > points[region]).sum())
    if severity.draws is None:
        return rank, np.nan
    drawn = pd.DataFrame(
        {code: severity.draws_of_region(REGIONS[code].adcodes("province"), weights).loc[year] for code in points.index}
    )
    return rank, float((1 + drawn.gt(drawn[region], axis=0).sum(axis=1) == rank).mean())


def verdict(syndrome: str, compared: pd.DataFrame | None, border: pd.Series, level: float) -> str:
    """Say what the numbers say of a syndrome (症候判断).

    Parameters
    ----------
    syndrome : str
    compared : DataFrame or None
        As of :func:`contrasts`; of governance imbalance none.
    border : Series
        Estimates of the border effect.
    level : float

    Returns
    -------
    str
    """
    if syndrome == "governance_imbalance":
        return _border_verdict(border, level)
    best, rest = compared.loc["best"], compared.loc["rest"]
    found = f"{PRESENT}: short of the best province" if best["lower"] > 0 else f"{NONE}: level with the best province"
    if rest["upper"] < 0:
        return f"{found}; less severe than in provinces outside the three regions"
    if rest["lower"] > 0:
        return f"{found}; more severe than in provinces outside the three regions"
    return f"{found}; not told apart from provinces outside the three regions"


def _border_verdict(border: pd.Series, level: float) -> str:
    from scipy.stats import norm

    if border["reason"]:
        return f"{UNIDENTIFIED}: {border['reason']}"
    lower = border["difference"] - norm.ppf((1 + level) / 2) * border["se_difference"]
    if lower > 0:
        return f"{PRESENT}: spillovers are weaker across the border of the province than within"
    return f"{NONE}: spillovers across the border of the province are not told apart from those within"

"""All four syndromes of provinces and regions over the years, and what the numbers say of each (四类症候的诊断)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_whole
from clusterlib.core.results import Result
from clusterlib.regions import REGIONS, get_region
from clusterlib.study._design import design
from clusterlib.study._memory import remember
from clusterlib.study.diagnosis import indicators as chosen
from clusterlib.study.diagnosis._governance import governance_imbalance
from clusterlib.study.diagnosis._severity import SYNDROMES, Severity, bootstrap_settings, check_year, percentile_bounds
from clusterlib.study.diagnosis._syndromes import (
    architecture_imbalance,
    data_dormancy,
    ecosystem_isolation,
    link_indicators,
)

NATION = "nation"
FIRST_YEAR = 2016
GOVERNANCE = "governance_imbalance"
PRESENT, NONE, UNIDENTIFIED = "present", "not told apart from none", "not identified"
# Points of severity, of a hundred: what differs by less is the same but for rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Syndromes(Result):
    """Severity of the four syndromes in the core regions, 0 (none) to 100 (核心区域四类症候).

    Attributes
    ----------
    severities : mapping of str to Severity
        By syndrome; provinces and, for governance, also regions and the nation.
    border : DataFrame
        Estimates of the border effect by (area, year), see :func:`clusterlib.diagnosis.governance_imbalance`.
    gdp : Series
        Weights of provinces in regions, by (adcode, year).
    """

    severities: Mapping[str, Severity] = field(repr=False)
    border: pd.DataFrame = field(repr=False)
    gdp: pd.Series = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """Severities of the regions by (syndrome, year)."""
        return pd.DataFrame({code: self.region(code)["severity"] for code in REGIONS})

    def region(self, region: str) -> pd.DataFrame:
        """Severities of a region as a whole, by (syndrome, year).

        GDP-weighted means of its provinces (Guangdong stands for the Greater Bay Area), but for governance imbalance,
        which is estimated from the cities of its provinces and their neighbours.

        Raises
        ------
        UnknownNameError
            If there is no such region.
        """
        area = get_region(region)
        parts = {}
        for name, severity in self.severities.items():
            if name == GOVERNANCE:
                units = self.border[["units"]].fillna(0).xs(area.code)
                parts[name] = severity.table.xs(area.code).join(units)
            else:
                parts[name] = severity.of_region(area.adcodes("province"), self.gdp)
        return pd.concat(parts, names=["syndrome", "year"])

    def diagnose(self, region: str, year: int) -> Diagnosis:
        """Diagnose a region in a year, see :func:`clusterlib.diagnosis.diagnose`."""
        area = get_region(region)
        years = sorted(self.gdp.index.unique("year"))
        year = check_year(year, years)
        members = area.adcodes("province")
        tables = {code: self.region(code) for code in REGIONS}
        latest = {name: max(y for y in tables[region].loc[name].index if y <= year) for name in SYNDROMES}
        scores = pd.DataFrame({name: tables[region].loc[(name, at)] for name, at in latest.items()}).T
        scores["year"] = pd.Series(latest)
        places, compared, drivers, provinces = {}, {}, {}, {}
        for name, severity in self.severities.items():
            at = latest[name]
            points = pd.Series({code: table.loc[(name, at), "severity"] for code, table in tables.items()})
            places[name] = rank_among(severity, points, region, at, self.gdp)
            unit, when = severity.table.index.get_level_values(0), severity.table.index.get_level_values(1)
            inside = unit.isin(members) & (when == at)
            provinces[name] = severity.table[inside].droplevel(1)
            gaps = severity.drivers[inside]
            drivers[name] = gaps[gaps.sum(axis=1) > 0].mean()
            if severity.draws is not None:
                compared[name] = contrasts(severity, members, self.gdp, at, years[0])
        scores[["rank", "rank_share"]] = pd.DataFrame(places, index=["rank", "rank_share"]).T
        border = self.border.loc[(area.code, latest[GOVERNANCE])]
        level = self.severities[GOVERNANCE].settings["level"]
        return Diagnosis(
            region, year, scores.astype({"year": int, "units": int, "rank": int}),
            pd.concat(drivers, names=["syndrome", "driver"]).rename("share").to_frame(),
            pd.concat(provinces, names=["syndrome", "adcode"]),
            pd.concat(compared, names=["syndrome", "contrast"]),
            pd.Series({name: verdict(compared.get(name), border, level) for name in SYNDROMES}, name="verdict"),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Diagnosis(Result):
    """Diagnosis of the four syndromes of a region (区域症候诊断).

    Attributes
    ----------
    region : str
    year : int
    scores : DataFrame
        By syndrome: ``severity``, ``lower``, ``upper`` (0 to 100), ``year`` (the latest one up to that asked for in
        which the model has data), ``units``, ``rank`` among the core regions, 1 the most severe (0 where there is
        none), and ``rank_share``, the share of draws in which the region has that rank.
    drivers : DataFrame
        By (syndrome, driver): mean share in the gap over the region's provinces that have one, percent.
    provinces : DataFrame
        By (syndrome, adcode): ``severity``, ``lower``, ``upper``.
    contrasts : DataFrame
        By (syndrome, contrast): ``estimate``, ``lower``, ``upper`` in points of severity. ``change`` since the first
        year, ``rest`` against the provinces outside the core regions, ``best`` against the least severe province. Not
        for governance imbalance.
    verdicts : Series
        By syndrome: whether it is present, not told apart from none, or not identified, and why.
    """

    region: str
    year: int
    scores: pd.DataFrame = field(repr=False)
    drivers: pd.DataFrame = field(repr=False)
    provinces: pd.DataFrame = field(repr=False)
    contrasts: pd.DataFrame = field(repr=False)
    verdicts: pd.Series = field(repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """Scores and verdict by syndrome."""
        return self.scores.assign(verdict=self.verdicts)


def measure_syndromes(draws: int = 100, seed: int = 0, level: float = 0.95, window: int | None = None) -> Syndromes:
    """Measure the four syndromes for all provinces from the project's data (症候测度).

    Parameters
    ----------
    draws, seed : int
        Of the bootstraps.
    level : float
        Of the intervals.
    window : int, optional
        Years of a window of the border effect; by default that of the design.

    Returns
    -------
    Syndromes

    Raises
    ------
    InvalidInputError
        For no draws, or arguments of another kind.
    """
    given = bootstrap_settings(draws, seed, level, least=1)
    years = int(design().constants["window"]) if window is None else window
    return _measure(window=check_whole("window", years, least=2), **given)


@remember
def _measure(draws: int, seed: int, level: float, window: int) -> Syndromes:
    """Measure the syndromes as :func:`measure_syndromes`, of arguments that are checked."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import great_circle_distances

    plan, given = design(), {"draws": draws, "seed": seed, "level": level}
    governance, border = _governance(window, seed, level)
    panel = chosen.load_province_panel()
    boundaries = load_boundaries("province").loc[panel.index.unique("adcode")]
    links = link_indicators(panel, chosen.industry_table(panel), plan.industries, great_circle_distances(boundaries))
    coordination = ["coordination", *plan.platforms]
    severities = {
        "data_dormancy": data_dormancy(panel, plan.data_inputs, plan.data_outputs, **given),
        "architecture_imbalance": architecture_imbalance(
            chosen.with_coordination(panel), "software_quotient", coordination, **given
        ),
        "ecosystem_isolation": ecosystem_isolation(links, **given),
        GOVERNANCE: governance,
    }
    return Syndromes(severities, border, panel["gdp"])


def _governance(window: int, seed: int, level: float) -> tuple[Severity, pd.DataFrame]:
    panel, graph, province = chosen.load_growth_panel()
    # A municipality is one city: it has no neighbour within its border.
    sizes = province.value_counts()
    provinces = {code: province.index[province == code] for code in sizes.index[sizes > 1].sort_values()}
    wholes = {code: chosen.region_cities(code, province) for code in REGIONS} | {NATION: province.index}
    shared = (panel, "growth", ["initial"], graph, province)
    given = {"window": window, "seed": seed, "level": level}
    parts = [governance_imbalance(*shared, provinces, first=FIRST_YEAR, **given)]
    parts.append(governance_imbalance(*shared, wholes, **given))
    severity = Severity(
        GOVERNANCE,
        pd.concat([part.table for part, _ in parts]),
        pd.concat([part.drivers for part, _ in parts]),
        parts[0][0].settings,
    )
    return severity, pd.concat([border for _, border in parts])


def diagnose(region: str, year: int, *, draws: int = 100, seed: int = 0, level: float = 0.95) -> Diagnosis:
    """Diagnose the four syndromes of a region in a year (区域症候诊断).

    All provinces are measured for it: for several regions or years measure once, as in ``measure_syndromes()``, and
    use :meth:`Syndromes.diagnose`.

    Parameters
    ----------
    region : str
        A region's code.
    year : int
        2016 to 2023.
    draws, seed : int
        Of the bootstraps.
    level : float
        Of the intervals.

    Returns
    -------
    Diagnosis

    Raises
    ------
    UnknownNameError
        For an unknown region or a year without data.
    InvalidInputError
        For arguments of another kind.

    Examples
    --------
    >>> import clusterlib as cl
    >>> diagnosis = cl.diagnosis.diagnose("yrd", 2023, draws=10)
    >>> list(diagnosis.scores.index)
    ['data_dormancy', 'architecture_imbalance', 'ecosystem_isolation', 'governance_imbalance']
    """
    get_region(region)
    check_whole("year", year)
    return measure_syndromes(draws, seed, level).diagnose(region, year)


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
        core regions; ``best``, against the least severe unit, in each draw the least severe one there.

    Raises
    ------
    UnknownNameError
        For a year without severities.
    """
    members = list(members)
    year, first = (check_year(t, severity.table.index.unique(1)) for t in (year, first))
    core = {code for region in REGIONS.values() for code in region.adcodes("province")} | set(members)
    rest = [unit for unit in severity.table.index.unique(0) if unit not in core]
    at = severity.table.index.get_level_values(1) == year
    assert severity.draws is not None
    own, others = (severity.of_region(units, weights)["severity"] for units in (members, rest))
    drawn, others_drawn = (severity.draws_of_region(units, weights) for units in (members, rest))
    against = {
        "change": (own[first], drawn.loc[first]),
        "rest": (others[year], others_drawn.loc[year]),
        "best": (severity.table.loc[at, "severity"].min(), severity.draws[at].min(axis=0)),
    }
    rows = {}
    for name, (point, draws) in against.items():
        estimate = own[year] - point
        bounds = percentile_bounds((drawn.loc[year] - draws).to_numpy(), severity.settings["level"], estimate)
        rows[name] = [estimate, *bounds]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "lower", "upper"])


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
    rank = int(_ranks(points.to_frame().T, region).iloc[0])
    if severity.draws is None:
        return rank, np.nan
    drawn = {
        code: severity.draws_of_region(REGIONS[code].adcodes("province"), weights).loc[year] for code in points.index
    }
    return rank, float((_ranks(pd.DataFrame(drawn), region) == rank).mean())


def _ranks(severities: pd.DataFrame, region: str) -> pd.Series:
    """Rank of a region in each row, 1 the most severe; those that differ by rounding share one."""
    return 1 + severities.gt(severities[region] + _ROUNDING, axis=0).sum(axis=1)


def verdict(compared: pd.DataFrame | None, border: pd.Series, level: float) -> str:
    """Say what the numbers say of a syndrome (症候判断).

    Parameters
    ----------
    compared : DataFrame or None
        As of :func:`contrasts`; of governance imbalance none, which is told by its border.
    border : Series
        Estimates of the border effect.
    level : float

    Returns
    -------
    str
    """
    if compared is None:
        return _border_verdict(border, level)
    bounds = compared[["lower", "upper"]].to_dict("index")
    best, rest = bounds["best"], bounds["rest"]
    short = best["lower"] > _ROUNDING
    found = f"{PRESENT}: short of the best province" if short else f"{NONE}: level with the best province"
    if rest["upper"] < -_ROUNDING:
        return f"{found}; less severe than in provinces outside the core regions"
    if rest["lower"] > _ROUNDING:
        return f"{found}; more severe than in provinces outside the core regions"
    return f"{found}; not told apart from provinces outside the core regions"


def _border_verdict(border: pd.Series, level: float) -> str:
    from scipy.stats import norm

    if border["reason"]:
        return f"{UNIDENTIFIED}: {border['reason']}"
    lower = border["difference"] - norm.ppf((1 + level) / 2) * border["se_difference"]
    if lower > 0:
        return f"{PRESENT}: spillovers are weaker across the border of the province than within"
    return f"{NONE}: spillovers across the border of the province are not told apart from those within"

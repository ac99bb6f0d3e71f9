"""All four syndromes of provinces and regions over the years (四类症候的诊断)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import pandas as pd

from clusterlib.diagnosis._comparison import contrasts, rank_among, verdict
from clusterlib.diagnosis._severity import SYNDROMES, Severity
from clusterlib.errors import UnknownNameError
from clusterlib.regions import REGIONS, get_region

NATION = "nation"
FIRST_YEAR = 2016
GOVERNANCE = "governance_imbalance"


@dataclass(frozen=True)
class Syndromes:
    """The four syndromes as measured for every province, and the estimates behind the border effect.

    Attributes
    ----------
    severities : mapping of str to Severity
        By syndrome; provinces and, for governance, also regions and the nation.
    border : DataFrame
        Estimates of the border effect by (area, year), see :func:`clusterlib.diagnosis.governance_imbalance`.
    gdp : Series
        Weights of provinces in regions, by (adcode, year).
    """

    severities: MappingProxyType
    border: pd.DataFrame
    gdp: pd.Series

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
                own = severity.table.loc[area.code]
                parts[name] = own.assign(units=self.border.loc[area.code, "units"].fillna(0))
            else:
                parts[name] = severity.of_region(area.adcodes("province"), self.gdp)
        return pd.concat(parts, names=["syndrome", "year"])


@dataclass(frozen=True)
class Diagnosis:
    """The four syndromes of one region in one year.

    Attributes
    ----------
    region : str
    year : int
    scores : DataFrame
        By syndrome: ``severity``, ``lower``, ``upper`` (0 to 100), ``year`` (the latest one up to that asked for in
        which the model has data), ``units``, ``rank`` among the three regions, 1 the most severe (0 where there is
        none), and ``rank_share``, the share of draws in which the region has that rank.
    drivers : DataFrame
        By (syndrome, driver): mean share in the gap over the region's provinces that have one, percent.
    provinces : DataFrame
        By (syndrome, adcode): ``severity``, ``lower``, ``upper``.
    contrasts : DataFrame
        By (syndrome, contrast): ``estimate``, ``lower``, ``upper`` in points of severity. ``change`` since the first
        year, ``rest`` against the provinces outside the three regions, ``best`` against the least severe province. Not
        for governance imbalance.
    verdicts : Series
        By syndrome: whether it is present, not told apart from none, or not identified, and why.
    """

    region: str
    year: int
    scores: pd.DataFrame
    drivers: pd.DataFrame
    provinces: pd.DataFrame
    contrasts: pd.DataFrame
    verdicts: pd.Series

    def summary(self) -> pd.DataFrame:
        """Return the scores."""
        return self.scores


def measure_syndromes(draws: int = 100, seed: int = 0, level: float = 0.95, window: int = 8) -> Syndromes:
    """Measure the four syndromes for all provinces from the project's data (症候测度).

    The same call again returns what was measured.

    Parameters
    ----------
    draws, seed : int
        Of the bootstraps.
    level : float
        Of the intervals.
    window : int
        Years of a window of the border effect.

    Returns
    -------
    Syndromes
    """
    return _measured(draws, seed, level, window)


@lru_cache(maxsize=4)
def _measured(draws: int, seed: int, level: float, window: int) -> Syndromes:
    from clusterlib.data import load_boundaries
    from clusterlib.diagnosis import indicators as chosen
    from clusterlib.diagnosis._architecture import architecture_imbalance
    from clusterlib.diagnosis._dormancy import data_dormancy
    from clusterlib.diagnosis._isolation import ecosystem_isolation, link_indicators
    from clusterlib.weights import great_circle_distances

    panel = chosen.load_province_panel()
    boundaries = load_boundaries("province").loc[panel.index.unique("adcode")]
    links = link_indicators(panel, chosen.industry_table(panel), chosen.INDUSTRIES, great_circle_distances(boundaries))
    governance, border = _governance(window, seed, level)
    given = {"draws": draws, "seed": seed, "level": level}
    severities = {
        "data_dormancy": data_dormancy(panel, chosen.DATA_INPUTS, chosen.DATA_OUTPUTS, **given),
        "architecture_imbalance": architecture_imbalance(
            with_coordination(panel), "software_quotient", ["coordination", *chosen.PLATFORMS], **given
        ),
        "ecosystem_isolation": ecosystem_isolation(links, **given),
        GOVERNANCE: governance,
    }
    return Syndromes(MappingProxyType(severities), border, panel["gdp"])


def with_coordination(panel: pd.DataFrame) -> pd.DataFrame:
    """Add the location quotient of software by year and the coupling coordination of digital and real economy."""
    from clusterlib.composite import composite_index, coupling_coordination
    from clusterlib.diagnosis.indicators import DIGITAL_USE, REAL

    systems = pd.DataFrame(
        {"digital": composite_index(panel, DIGITAL_USE).score, "real": composite_index(panel, REAL).score}
    )
    software, gdp = (panel[name] / panel[name].groupby("year").transform("sum") for name in ("software_revenue", "gdp"))
    return panel.assign(
        software_quotient=software / gdp,
        coordination=coupling_coordination(systems).degree,
        digital=systems["digital"],
        real=systems["real"],
    )


def _governance(window: int, seed: int, level: float) -> tuple[Severity, pd.DataFrame]:
    from clusterlib.diagnosis._governance import governance_imbalance, load_growth_panel

    panel, graph, province = load_growth_panel()
    # A municipality is one city: it has no neighbour within its border.
    sizes = province.value_counts()
    provinces = {code: province.index[province == code] for code in sizes.index[sizes > 1].sort_values()}
    wholes = {code: region_cities(code, province) for code in REGIONS} | {NATION: province.index}
    shared = (panel, "growth", ["initial"], graph, province)
    given = {"window": window, "seed": seed, "level": level}
    of_provinces, border = governance_imbalance(*shared, provinces, first=FIRST_YEAR, **given)
    of_wholes, border_wholes = governance_imbalance(*shared, wholes, **given)
    severity = Severity(
        of_provinces.syndrome,
        pd.concat([of_provinces.table, of_wholes.table]),
        pd.concat([of_provinces.drivers, of_wholes.drivers]),
        of_provinces.settings,
    )
    return severity, pd.concat([border, border_wholes])


def region_cities(region: str, province: pd.Series) -> pd.Index:
    """Return the cities of a region's provinces: the nine cities of the Greater Bay Area have hardly a border.

    Parameters
    ----------
    region : {"bth", "yrd", "gba"}
    province : Series
        Of each city.

    Returns
    -------
    Index
    """
    return province.index[province.isin(get_region(region).adcodes("province"))]


def diagnose(region: str, year: int, *, draws: int = 100, seed: int = 0, level: float = 0.95) -> Diagnosis:
    """Diagnose the four syndromes of a region in a year (区域症候诊断).

    Parameters
    ----------
    region : {"bth", "yrd", "gba"}
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

    Examples
    --------
    >>> import clusterlib as cl
    >>> diagnosis = cl.diagnosis.diagnose("yrd", 2023, draws=10)
    >>> list(diagnosis.scores.index)
    ['data_dormancy', 'architecture_imbalance', 'ecosystem_isolation', 'governance_imbalance']
    """
    area = get_region(region)
    measured = measure_syndromes(draws, seed, level)
    years = sorted(measured.gdp.index.unique("year"))
    if year not in years:
        raise UnknownNameError("year", year, years)
    members = area.adcodes("province")
    tables = {code: measured.region(code) for code in REGIONS}
    scores = pd.DataFrame({name: _latest(tables[region].loc[name], year) for name in SYNDROMES}).T
    places, compared, drivers, provinces = {}, {}, {}, {}
    for name, severity in measured.severities.items():
        at = int(scores.loc[name, "year"])
        points = pd.Series({code: table.loc[(name, at), "severity"] for code, table in tables.items()})
        places[name] = rank_among(severity, points, region, at, measured.gdp)
        inside = severity.table.index.get_level_values(0).isin(members) & (
            severity.table.index.get_level_values(1) == at
        )
        provinces[name] = severity.table[inside].droplevel(1)
        gaps = severity.drivers[inside]
        drivers[name] = gaps[gaps.sum(axis=1) > 0].mean()
        if severity.draws is not None:
            compared[name] = contrasts(severity, members, measured.gdp, at, years[0])
    scores[["rank", "rank_share"]] = pd.DataFrame(places, index=["rank", "rank_share"]).T
    border = measured.border.loc[(area.code, int(scores.loc[GOVERNANCE, "year"]))]
    return Diagnosis(
        region, year, scores.astype({"year": int, "units": int, "rank": int}),
        pd.concat(drivers, names=["syndrome", "driver"]).rename("share").to_frame(),
        pd.concat(provinces, names=["syndrome", "adcode"]),
        pd.concat(compared, names=["syndrome", "contrast"]),
        pd.Series({name: verdict(name, compared.get(name), border, level) for name in SYNDROMES}, name="verdict"),
    )  # fmt: skip


def _latest(table: pd.DataFrame, year: int) -> pd.Series:
    at = max(y for y in table.index if y <= year)
    return pd.concat([table.loc[at], pd.Series({"year": at})])

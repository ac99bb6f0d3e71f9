"""The indicators that the diagnosis rests on, and the panels they are read into (诊断指标)."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_floats, check_choice, check_columns, check_index, check_number, check_whole
from clusterlib.errors import InvalidInputError
from clusterlib.regions import get_region
from clusterlib.study._memory import remember
from clusterlib.study.diagnosis._severity import as_span, as_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from libpysal.graph import Graph

# Of a province's digital infrastructure and its use, and of what its data yield.
DATA_INPUTS = ("broadband_ports", "mobile_internet_traffic")
DATA_OUTPUTS = ("software_revenue", "ecommerce_sales", "technology_market_turnover")

DIGITAL = MappingProxyType(
    {
        "infrastructure": (
            "broadband_ports_per_100_persons",
            "broadband_subscribers_per_100_persons",
            "mobile_internet_users_per_100_persons",
            "mobile_internet_traffic_per_capita",
            "domain_names_per_1000_persons",
        ),
        "digital_industry": ("software_revenue_share", "it_services_revenue_per_capita"),
        "industrial_digitisation": (
            "computers_per_100_employees",
            "websites_per_100_enterprises",
            "ecommerce_enterprise_share",
            "ecommerce_sales_share",
        ),
    }
)
# The digital system whose coupling with the real economy is part of coordination: neither the revenues that
# concentration is measured by nor the platforms that stand beside it, or a cause would be its own effect.
DIGITAL_USE = MappingProxyType(
    {
        "infrastructure": DIGITAL["infrastructure"],
        "industrial_digitisation": ("computers_per_100_employees", "ecommerce_sales_share"),
    }
)
REAL = MappingProxyType(
    {
        "output": ("gdp_per_capita",),
        "structure": ("industrial_upgrading",),
        "innovation": ("rd_intensity", "patents_per_10000_persons"),
        "openness": ("goods_trade_share",),
    }
)
_REST, _IT, _EMBEDDED = "software_products_and_security", "it_services_revenue", "embedded_software_revenue"
PLATFORMS = ("websites_per_100_enterprises", "ecommerce_enterprise_share")
INDUSTRIES = MappingProxyType(
    {
        "software_products_and_security": "digital",
        "it_services_revenue": "digital",
        "embedded_software_revenue": "digital",
        "ecommerce_sales": "trade",
        "value_added_wholesale_retail": "trade",
        "value_added_hotels_catering": "trade",
        "value_added_industry": "production",
        "value_added_construction": "production",
        "value_added_transport_post": "production",
        "value_added_finance": "services",
        "value_added_real_estate": "services",
        "value_added_other_services": "services",
    }
)
# Of which growth is a change of the logarithm, and of which a change of percentage points.
OUTCOMES = MappingProxyType(
    {"gdp": "amount", "gdp_per_capita": "amount", "average_wage": "amount", "value_added_tertiary_share": "share"}
)


def load_province_panel(years: str | int | slice | Iterable[int] = "2016:2023") -> pd.DataFrame:
    """Load the provinces' indicators for the years in which the diagnosis has them all; Tibet has no software figures.

    Returns
    -------
    DataFrame
        Indexed by (adcode, year), complete.

    Raises
    ------
    InvalidInputError
        For years of which no province has all indicators.
    """
    from clusterlib.data import load_panel

    names = [*DATA_INPUTS, *DATA_OUTPUTS, "gdp", "software_exports", "software_revenue", "goods_trade_share"]
    names += [name for group in (*DIGITAL.values(), *REAL.values()) for name in group]
    names += [*(name for name in INDUSTRIES if name != _REST), _IT, _EMBEDDED]
    panel = load_panel("province", list(dict.fromkeys(names)), years=years)
    # Where a province has software revenue but no line for exports or embedded software, there was none to report.
    reported = panel["software_revenue"].notna()
    panel[["software_exports", _EMBEDDED]] = panel[["software_exports", _EMBEDDED]].where(
        lambda part: part.notna() | ~reported.to_numpy()[:, None], 0.0
    )
    panel = panel.dropna()
    if panel.empty:
        raise InvalidInputError(f"years={years!r}: no province has all indicators in these years; try '2016:2023'")
    return panel


def industry_table(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the province by industry table in 1e8 yuan: value added, and revenue where there is no value added.

    Software products and information security are what software revenue leaves beside services and embedded software:
    their own lines are not complete.

    Raises
    ------
    InvalidInputError, UnknownNameError
        For a panel without these columns.
    """
    kept = [name for name in INDUSTRIES if name != _REST]
    table = as_floats(panel, check_columns(panel, ["software_revenue", *kept]))
    table[_REST] = (table["software_revenue"] - table[_IT] - table[_EMBEDDED]).clip(lower=0.0)
    table = table[list(INDUSTRIES)].copy()
    table[[_REST, _IT, _EMBEDDED]] /= 10_000
    return table


def with_coordination(panel: pd.DataFrame) -> pd.DataFrame:
    """Add the location quotient of software by year and the coupling coordination of digital and real economy.

    Raises
    ------
    InvalidInputError, UnknownNameError
        For a panel without the columns of :func:`load_province_panel`.
    """
    from clusterlib.composite import composite_index, coupling_coordination

    amounts = check_columns(panel, ["software_revenue", "gdp"])
    check_index(panel)
    systems = pd.DataFrame(
        {"digital": composite_index(panel, DIGITAL_USE).score, "real": composite_index(panel, REAL).score}
    )
    shares = panel[amounts] / panel[amounts].groupby(level=1).transform("sum")
    return panel.assign(
        software_quotient=shares["software_revenue"] / shares["gdp"],
        coordination=coupling_coordination(systems).degree,
        digital=systems["digital"],
        real=systems["real"],
    )


def region_cities(region: str, province: pd.Series) -> pd.Index:
    """Return the cities of a region's provinces: the nine cities of the Greater Bay Area have hardly a border.

    Parameters
    ----------
    region : str
        A region's code.
    province : Series
        Of each city.

    Returns
    -------
    Index
    """
    codes = get_region(region).adcodes("province")
    if not isinstance(province, pd.Series):
        raise InvalidInputError(f"province: expected a Series by city, got a {type(province).__name__}")
    return province.index[province.isin(codes)]


def load_growth_panel(
    years: tuple[int, int] = (2006, 2020),
    outliers: float = 5.0,
    outcome: str = "gdp",
    without: Iterable[int] = (2019,),
) -> tuple[pd.DataFrame, Graph, pd.Series]:
    """Load yearly growth of cities with their neighbours and jurisdictions.

    Left out is what is no growth. 2019, whose figures rest on the fourth economic census and those of the year before
    do not. And what is farther from the median of the province's cities in the year than ``outliers`` robust standard
    deviations of such distances: counties that moved from one city to the next, whose gain and loss would pass for a
    negative spillover between neighbours, and cities that were revised on their own.

    Parameters
    ----------
    years : (int, int)
        First and last year of growth.
    outliers : float
        In 1.4826 median absolute distances.
    outcome : {"gdp", "gdp_per_capita", "average_wage", "value_added_tertiary_share"}
    without : iterable of int
        Years whose growth is left out.

    Returns
    -------
    DataFrame, Graph, Series
        ``growth`` (log points times 100, or percentage points of a share) and ``initial``, the level it starts from in
        the same unit, by (adcode, year), not for every city in every year; contiguity of these cities among all; the
        province of each.

    Raises
    ------
    InvalidInputError
        For years without a figure, or arguments of another kind.
    UnknownNameError
        For another outcome.
    """
    from clusterlib.data import load_panel

    first, last = as_span(years)
    if not (isinstance(outliers, float) and outliers == math.inf):
        check_number("outliers", outliers, least=0, open_ends=True)
    check_choice("outcome", outcome, OUTCOMES)
    left_out = [check_whole("without", year) for year in as_units(without, "without")]
    graph, province = _all_cities()
    level = load_panel("city", outcome)[outcome].unstack("year")
    if OUTCOMES[outcome] == "amount":
        level = 100 * level.apply(np.log)
    growth = level.diff(axis=1).loc[:, first:last].drop(columns=left_out, errors="ignore")
    growth = growth.loc[growth.index.intersection(province.index)]
    if not growth.notna().any(axis=None):
        raise InvalidInputError(f"years={years!r}: no city has a figure of {outcome!r} to grow from and to")
    distance = (growth - growth.groupby(province.loc[growth.index]).transform("median")).abs()
    # Of a city that is a province of its own the distance is nil whatever it does.
    scale = 1.4826 * np.nanmedian(distance[distance > 0])
    panel = pd.DataFrame({"growth": growth.where(distance <= outliers * scale).stack().dropna()})
    panel["initial"] = level.shift(axis=1).stack().reindex(panel.index)
    panel.index.names = ["adcode", "year"]
    cities = panel.index.unique("adcode")
    return panel, graph.subgraph(cities), province.loc[cities]


@remember
def _all_cities() -> tuple[Graph, pd.Series]:
    """Contiguity of all cities, and their provinces; one whose neighbours have no figures is not given farther ones."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import contiguity

    boundaries = load_boundaries("city")
    return contiguity(boundaries), boundaries["province"]

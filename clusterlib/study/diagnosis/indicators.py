"""The indicators that the diagnosis rests on, and the panels they are read into (诊断指标)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_floats,
    check_choice,
    check_columns,
    check_number,
    check_whole,
    parse_years,
)
from clusterlib.errors import InvalidInputError
from clusterlib.regions import get_region
from clusterlib.study._design import design
from clusterlib.study._memory import remember

if TYPE_CHECKING:
    from libpysal.graph import Graph

    from clusterlib.data._load import Years

_REST, _IT, _EMBEDDED = "software_products_and_security", "it_services_revenue", "embedded_software_revenue"


def as_units(units: Any, what: str = "units") -> list:
    """Return units as a list.

    Raises
    ------
    InvalidInputError
        For a single name, a mapping, a frame or what is no collection.
    """
    if isinstance(units, (str, Mapping, pd.DataFrame)) or not isinstance(units, Iterable):
        raise InvalidInputError(f"{what}: expected a list of units, got a {type(units).__name__}")
    return list(units)


def as_span(years: Any) -> tuple[int, int]:
    """Return the first and the last year as whole numbers.

    Raises
    ------
    InvalidInputError
        For anything else, or a first year after the last.
    """
    if not isinstance(years, (tuple, list)) or len(years) != 2:
        raise InvalidInputError(f"years={years!r}: expected the first and the last year, as in (2006, 2020)")
    first, last = (check_whole("years", year) for year in years)
    if first > last:
        raise InvalidInputError(f"years={years!r}: the first year is after the last")
    return first, last


def load_province_panel(years: Years = None) -> pd.DataFrame:
    """Load the provinces' indicators for the years in which the diagnosis has them all; Tibet has no software figures.

    Parameters
    ----------
    years : int, str, slice or list, optional
        By default the span ``province_years``.

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

    plan = design()
    default = plan.spans["province_years"].default
    names = [*plan.data_inputs, *plan.data_outputs, "gdp", "software_exports", "software_revenue", "goods_trade_share"]
    names += [*plan.measures["digital"].indicators, *plan.measures["real"].indicators]
    names += [*(name for name in plan.industries if name != _REST), _IT, _EMBEDDED]
    panel = load_panel("province", list(dict.fromkeys(names)), years=default if years is None else years)
    # Where a province has software revenue but no line for exports or embedded software, there was none to report.
    reported = panel["software_revenue"].notna()
    panel[["software_exports", _EMBEDDED]] = panel[["software_exports", _EMBEDDED]].where(
        lambda part: part.notna() | ~reported.to_numpy()[:, None], 0.0
    )
    panel = panel.dropna()
    if panel.empty:
        raise InvalidInputError(f"years={years!r}: no province has all indicators in these years; try {default!r}")
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
    industries = design().industries
    kept = [name for name in industries if name != _REST]
    table = as_floats(panel, check_columns(panel, ["software_revenue", *kept]))
    table[_REST] = (table["software_revenue"] - table[_IT] - table[_EMBEDDED]).clip(lower=0.0)
    table = table[list(industries)].copy()
    table[[_REST, _IT, _EMBEDDED]] /= 10_000
    return table


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
    years: tuple[int, int] | None = None,
    outliers: float | None = None,
    outcome: str = "gdp",
    without: Iterable[int] | None = None,
) -> tuple[pd.DataFrame, Graph, pd.Series]:
    """Load yearly growth of cities with their neighbours and jurisdictions.

    Left out is what is no growth. 2019, whose figures rest on the fourth economic census and those of the year before
    do not. And what is farther from the median of the province's cities in the year than ``outliers`` robust standard
    deviations of such distances: counties that moved from one city to the next, whose gain and loss would pass for a
    negative spillover between neighbours, and cities that were revised on their own.

    Parameters
    ----------
    years : (int, int), optional
        First and last year of growth; by default the span ``growth_years``.
    outliers : float, optional
        In 1.4826 median absolute distances; by default that of the design.
    outcome : {"gdp", "gdp_per_capita", "average_wage", "value_added_tertiary_share"}
    without : iterable of int, optional
        Years whose growth is left out; by default that of the census.

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

    plan = design()
    first, last = as_span(parse_years(plan.spans["growth_years"].default) if years is None else years)
    outliers = plan.constants["outliers"] if outliers is None else outliers
    without = (int(plan.constants["census_year"]),) if without is None else without
    if not (isinstance(outliers, float) and outliers == math.inf):
        check_number("outliers", outliers, least=0, open_ends=True)
    check_choice("outcome", outcome, plan.city_outcomes)
    left_out = [check_whole("without", year) for year in as_units(without, "without")]
    graph, province = _all_cities()
    level = load_panel("city", outcome)[outcome].unstack("year")
    if plan.city_outcomes[outcome] == "amount":
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

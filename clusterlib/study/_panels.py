"""The indices, panels and weights that notebooks and models share, as the design says (指数与面板)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import parse_years
from clusterlib.core.language import LANGUAGES, Phrase
from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS, Region, get_region
from clusterlib.study._design import Variable, design, group_of, look_up

if TYPE_CHECKING:
    from libpysal.graph import Graph

    from clusterlib.composite import CompositeIndex
    from clusterlib.data._load import Years

# Alternatives in a panel of provinces beside the index itself.
_OTHERS = ("four", "fixed_gdp", "adoption")


def group_units(units: Iterable[int] | pd.Index, grouping: str = "regions") -> pd.Series:
    """Return the group of each province or city, by code (单元分组).

    Parameters
    ----------
    units : iterable of int
        Codes; of an index with ``adcode`` among its levels these, each once.
    grouping : {"regions", "belts"}
        The core regions and ``"rest"``, or the four belts.

    Returns
    -------
    Series

    Raises
    ------
    InvalidInputError
        For a unit that no belt holds.
    UnknownNameError
        If there is no such grouping.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.group_units([330100, 510000]).to_dict()
    {330100: 'yrd', 510000: 'rest'}
    """
    if isinstance(units, pd.MultiIndex):
        units = units.unique("adcode")
    found = group_of(units, grouping)
    return pd.Series(found, index=pd.Index(list(found), name="adcode"), name="group")


def by_region_and_province(values: pd.Series | pd.DataFrame) -> Any:
    """Sum amounts of provinces or cities by core region, or ``"rest"``, and province (按区域与省份汇总).

    Parameters
    ----------
    values : Series or DataFrame
        By code. Of cities, those of a province that are not a core region's go to ``"rest"``.

    Returns
    -------
    Series or DataFrame
        By (region, province).

    Examples
    --------
    >>> import pandas as pd
    >>> by_region_and_province(pd.Series({330100: 1.0, 330200: 2.0, 440100: 4.0, 445200: 8.0})).to_dict()
    {('gba', 440000): 4.0, ('rest', 440000): 8.0, ('yrd', 330000): 3.0}
    """
    keys = [group_units(values.index), values.index // 10000 * 10000]
    return values.groupby(keys).sum().rename_axis(["region", "province"])


def region_sizes(year: int) -> pd.DataFrame:
    """Return GDP and residents by core region, or ``"rest"``, and province, as amounts of cities are set against.

    A region that is not made up of whole provinces has those of its cities in the mainland, and what its provinces
    have besides goes to ``"rest"``.

    Parameters
    ----------
    year : int

    Returns
    -------
    DataFrame
        By (region, province): ``gdp`` and ``resident_population``, in the catalogue's units.

    Raises
    ------
    UnknownNameError
        For a year without figures.
    """
    from clusterlib.data import load_panel

    whole = by_region_and_province(load_panel("province", ["gdp", "resident_population"], years=year).droplevel("year"))
    cities = load_panel("city", ["gdp", "implied_resident_population"], years=year).droplevel("year")
    cities = by_region_and_province(cities.set_axis(whole.columns, axis=1))
    for code in (code for code, region in REGIONS.items() if not region.whole_provinces):
        own = cities.loc[[code]]
        # Residents of cities are those that GDP per head implies: a province's cities may have more than it counts.
        outside = (whole.loc[[code]] - own).clip(lower=0).rename({code: "rest"}, level="region")
        whole = pd.concat([whole.drop(code, level="region"), own, outside])
    return whole


def provincial_scope(region: str | Region | None = None) -> Phrase:
    """Say what provincial figures stand for where regions are not made up of whole provinces (省级数据口径).

    Parameters
    ----------
    region : str or Region, optional
        By default all regions.

    Returns
    -------
    Phrase
        In English and Chinese, without a full stop; empty for a region of whole provinces.

    Raises
    ------
    UnknownNameError
        If there is no such region.

    Examples
    --------
    >>> import clusterlib as cl
    >>> str(cl.study.provincial_scope("gba"))
    'Guangdong as a whole stands for GBA, without Hong Kong and Macao'
    """
    from clusterlib.data import load_panel

    areas = [area for area in ([get_region(region)] if region else REGIONS.values()) if not area.whole_provinces]
    if not areas and not region:
        return Phrase("all regions are made up of whole provinces", "各区域均由完整省份构成")
    known = load_panel("province", "gdp").index.unique("adcode")
    en, zh = ([_stands_for(area, known, language) for area in areas] for language in LANGUAGES)
    return Phrase("; ".join(en), "；".join(zh))


def _stands_for(area: Region, known: pd.Index, language: str) -> str:
    from clusterlib.data import unit_names

    names, provinces = unit_names(language=language), pd.Index(area.adcodes("province"))
    inside, outside = ([names[code] for code in provinces[provinces.isin(known) == there]] for there in (True, False))
    if language == "zh":
        left_out = f"，不含{'、'.join(outside)}" if outside else ""
        return f"以{'、'.join(inside)}全域数据代表{area.name_zh}{left_out}"
    stand = "as a whole stands" if len(inside) == 1 else "as wholes stand"
    left_out = f", without {' and '.join(outside)}" if outside else ""
    return f"{' and '.join(inside)} {stand} for {area.short_en}{left_out}"


def index_data(measure: str = "digital", years: Years = None) -> pd.DataFrame:
    """Load the indicators of an index, and of its dimensions those that it leaves out, where all are known (指数数据).

    Parameters
    ----------
    measure : str
        A key of ``design().measures``.
    years : int, str, slice or list, optional
        By default the span that ranges and weights of the index come from.

    Returns
    -------
    DataFrame
        By (adcode, year), as the index takes them.

    Raises
    ------
    UnknownNameError
        If there is no such measure, or no figure in these years.
    """
    from clusterlib.data import load_panel

    chosen = look_up("measure", measure, design().measures)
    span = design().spans[chosen.years].default if years is None else years
    data = load_panel(chosen.level, chosen.needed, years=span).dropna()
    for name, largest in chosen.largest.items():
        data = data[data[name] <= largest]
    if chosen.first_gdp:
        gdp = load_panel(chosen.level, "gdp")["gdp"].reindex(data.index)
        since = gdp / gdp.groupby(level="adcode").transform("first")
        data = data.assign(**{name: data[name] * since for name in chosen.first_gdp})
    return data


def digital_index(
    measure: str = "digital",
    *,
    years: Years = None,
    weights: str | Mapping | pd.Series = "entropy",
    index_years: Years = None,
) -> CompositeIndex:
    """Make an index of provinces or cities, such as of digital development (数字化指数).

    Parameters
    ----------
    measure : str
        A key of ``design().measures``: ``"digital"``, ``"four"`` with digital finance, ``"fixed_gdp"``, ``"adoption"``,
        ``"real"``; of cities ``"city_access"``, ``"city_digital"``.
    years : int, str, slice or list, optional
        Keep only these of the result.
    weights : {"entropy", "critic", "pca", "equal"}, mapping or Series
        As in :func:`clusterlib.composite.composite_index`.
    index_years : int, str, slice or list, optional
        Of ranges and weights; by default those of the measure.

    Returns
    -------
    CompositeIndex

    Raises
    ------
    UnknownNameError, InvalidInputError
        For a measure or years that there are not, and as :func:`clusterlib.composite.composite_index`.

    Examples
    --------
    >>> import clusterlib as cl
    >>> index = cl.study.digital_index(years=2023)
    >>> int(index.score.droplevel("year").idxmax())
    110000
    """
    from clusterlib.composite import composite_index

    chosen, data = look_up("measure", measure, design().measures), index_data(measure, index_years)
    index = composite_index(data, chosen.dimensions, weights=weights)
    if years is None:
        return index
    kept = in_years(index.score, years)
    return replace(index, score=kept, normalised=index.normalised.loc[kept.index])


def in_years(frame: Any, years: Years) -> Any:
    """Return the rows of these years."""
    wanted, have = parse_years(years), frame.index.get_level_values("year")
    if wanted is None:
        return frame
    chosen = have.isin(wanted) if isinstance(wanted, list) else (have >= wanted[0]) & (have <= wanted[1])
    if not chosen.any():
        raise InvalidInputError(f"years={years!r}: there are {have.min()}-{have.max()}")
    return frame[chosen]


def before(values: pd.Series) -> pd.Series:
    """Return the values of the year before, by (adcode, year); none where that year has none."""
    year = values.index.get_level_values("year")
    earlier = pd.MultiIndex.from_arrays([values.index.get_level_values("adcode"), year - 1], names=values.index.names)
    return values.reindex(earlier).set_axis(values.index)


def _inputs(variables: Mapping[str, Variable]) -> list[str]:
    names = (name for variable in variables.values() for name in (variable.of, *variable.less, variable.per))
    return list(dict.fromkeys(name for name in names if name))


def make_variable(facts: pd.DataFrame, variable: Variable) -> pd.Series:
    """Make a variable from indicators by (adcode, year), sorted."""
    values = facts[variable.of]
    for name in variable.less:
        values = values - facts[name]
    values = values * variable.times
    if variable.per:
        values = values / facts[variable.per]
    if variable.log:
        values = np.log(values.where(values > 0))
    return before(values) if variable.before else values


def real_economy(years: Years = None) -> pd.DataFrame:
    """Make the indicators of the real economy: everything but finance and real estate (实体经济).

    Parameters
    ----------
    years : int, str, slice or list, optional
        By default those of the index with digital finance.

    Returns
    -------
    DataFrame
        By (adcode, year), a column for each of ``design().real_economy``; not complete.

    References
    ----------
    Huang, Q. (2017). 论新时期中国实体经济的发展. 中国工业经济 (9), 5-24.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.real_economy(2023).shape
    (31, 6)
    """
    from clusterlib.data import load_panel

    chosen = design().real_economy
    facts = load_panel(
        "province", _inputs(chosen), years=design().spans["finance_years"].default if years is None else years
    )
    return pd.DataFrame({name: make_variable(facts, variable) for name, variable in chosen.items()})


def output_panel(
    years: Years = None, *, weights: str = "entropy", index_years: Years = None, alternatives: bool = True
) -> pd.DataFrame:
    """Make the panel of provinces that models of output are estimated from (省级产出面板).

    Parameters
    ----------
    years : int, str, slice or list, optional
        By default all up to the last of the index: what is of the year before is known in the first.
    weights : {"entropy", "critic", "pca", "equal"}
        Of the index ``digital``.
    index_years : int, str, slice or list, optional
        Of ranges and weights of the indices.
    alternatives : bool
        Whether there are columns for other indices.

    Returns
    -------
    DataFrame
        By (adcode, year), provinces that have the index; not complete. A column for each of ``design().variables``;
        ``digital``, the index in tenths; and with alternatives, in tenths too, ``four``, ``fixed_gdp``, ``adoption``,
        the index under each way of weighting and ``part_<dimension>``; ``digital_before`` of the year before and the
        logarithm ``log_index``.

    Raises
    ------
    UnknownNameError, InvalidInputError
        For weights or years that there are not.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.study.output_panel("2016:2023", alternatives=False)
    >>> panel[["log_gdp_per_head", "digital", *cl.study.design().controls]].dropna().shape
    (240, 5)
    """
    from clusterlib.composite import WEIGHTING
    from clusterlib.data import load_panel

    index = digital_index(weights=weights, index_years=index_years)
    provinces, last = index.score.index.unique("adcode"), index.score.index.get_level_values("year").max()
    chosen = design().variables
    facts = load_panel("province", _inputs(chosen)).sort_index()
    inside = facts.index.get_level_values("adcode").isin(provinces) & (facts.index.get_level_values("year") <= last)
    facts = facts[inside]
    frame = pd.DataFrame({name: make_variable(facts, variable) for name, variable in chosen.items()})
    frame["digital"] = 10 * index.score
    if alternatives:
        for measure in _OTHERS:
            span = index_years if measure != "four" else None
            frame[measure] = 10 * digital_index(measure, weights=weights, index_years=span).score
        for method in WEIGHTING:
            frame[method] = 10 * digital_index(weights=method, index_years=index_years).score
        frame = frame.join((10 * index.by_dimension).add_prefix("part_"))
        frame["digital_before"], frame["log_index"] = before(frame["digital"]), np.log(frame["digital"])
    return in_years(frame, years)


def city_panel(years: Years = None) -> pd.DataFrame:
    """Make the panel of cities that models are estimated from (城市面板).

    Parameters
    ----------
    years : int, str, slice or list, optional
        By default all; what is of the year before is known in the first that follows it.

    Returns
    -------
    DataFrame
        By (adcode, year), sorted, not complete. A column for each of ``design().city_variables``, and in tenths the
        indices ``access`` and ``digital``, the latter with digital finance.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.study.city_panel("2011:2019")
    >>> bool(panel["digital"].notna().sum() > 2000)
    True
    """
    from clusterlib.data import load_panel

    chosen = design().city_variables
    facts = load_panel("city", _inputs(chosen)).sort_index()
    frame = pd.DataFrame({name: make_variable(facts, variable) for name, variable in chosen.items()})
    indices = {"access": "city_access", "digital": "city_digital"}
    return in_years(frame.assign(**{name: 10 * digital_index(key).score for name, key in indices.items()}), years)


def province_graphs(
    provinces: Iterable[int] | pd.Index,
    *,
    neighbours: int | None = None,
    power: float | None = None,
    nested_before: int | None = None,
) -> dict[str, Graph]:
    """Make the weights between provinces that models are compared by (省级空间权重).

    Parameters
    ----------
    provinces : iterable of int
        Codes in the order of the weights; of an index with ``adcode`` among its levels these, each once.
    neighbours : int, optional
        Of the nearest ones; by default that of the design.
    power : float, optional
        Of the inverse distance; by default that of the design.
    nested_before : int, optional
        The first year of the model: economic distance is that of GDP per head, first release, of the years before.

    Returns
    -------
    dict of str to Graph
        ``contiguity``, ``nearest``, ``distance`` and, with ``nested_before``, ``economic`` distance and ``nested``:
        inverse distance times economic proximity.

    Raises
    ------
    UnknownNameError, InvalidInputError
        For units that are no provinces and years without figures.

    Examples
    --------
    >>> import clusterlib as cl
    >>> list(cl.study.province_graphs([310000, 320000, 330000], neighbours=1))
    ['contiguity', 'nearest', 'distance']
    """
    from clusterlib import weights
    from clusterlib.data import load_boundaries, load_panel

    constants = design().constants
    codes = provinces.unique("adcode") if isinstance(provinces, pd.MultiIndex) else pd.Index(provinces, name="adcode")
    shapes = load_boundaries("province").loc[codes]
    found = {
        "contiguity": weights.contiguity(shapes),
        "nearest": weights.k_nearest(shapes, int(constants["nearest"]) if neighbours is None else neighbours),
        "distance": weights.inverse_distance(shapes, constants["distance_power"] if power is None else power),
    }
    if nested_before is not None:
        released = load_panel("province", "gdp_per_capita_first_release")
        earlier = released[released.index.get_level_values("year") < nested_before]["gdp_per_capita_first_release"]
        found["economic"] = weights.economic_distance(earlier[earlier.index.get_level_values("adcode").isin(codes)])
        found["nested"] = weights.nested(weights.inverse_distance(shapes), found["economic"])
    return found

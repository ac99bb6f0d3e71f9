"""Links between cities and borders of provinces: direct trains, growth of neighbours (城市联系与行政边界)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS
from clusterlib.study._memory import remember
from clusterlib.study._panels import group_units

if TYPE_CHECKING:
    from libpysal.graph import Graph

# Kilometres at which the slope of distance is read.
CENTRE = 500
BANDS = {"below_300": (0, 300), "300_to_600": (300, 600), "600_to_1000": (600, 1000)}
DISTANCE, TERMS = ["distance", "distance_squared"], ["same_province", "same_region"]
OUTCOMES = {"gdp": "gdp", "lights": "night_lights_sum"}
# Night lights change satellites in 2010/2011 and 2012/2013; cities have GDP since 2003.
PERIODS = {"before": (2004, 2010), "after": (2014, 2018), "to_2020": (2014, 2020)}
MAIN = ("before", "after")
SATELLITES = ((2002, 2010), (2014, 2020))
_TOLERANCE = 1e-9


class TrainLinks(NamedTuple):
    """What explains direct trains between cities; see :func:`train_links`."""

    pairs: pd.DataFrame
    explained: pd.Series
    coefficients: pd.DataFrame
    variants: pd.DataFrame
    without: pd.DataFrame
    regions: pd.DataFrame
    inside: pd.DataFrame


class GrowthBorders(NamedTuple):
    """How growth of neighbours goes together; see :func:`growth_borders`."""

    spillovers: pd.DataFrame
    without: pd.DataFrame
    pairs: pd.DataFrame


def train_pairs() -> pd.DataFrame:
    """Load pairs of cities with direct trains, their distance and the borders between them (直达列车城市对).

    Returns
    -------
    DataFrame
        By (origin, destination), both directions, pairs of the timetable alone: ``trains``, ``fast_trains`` a day;
        ``ride`` in minutes; ``kilometres`` between centroids, ``distance`` in logarithms less that of 500 kilometres
        and ``distance_squared``; flags ``same_province``, ``same_region`` (one core region), ``capitals`` (cities of
        the pair that are seats of a province or municipalities) and ``municipalities`` counts of two; ``province_from``
        and ``province_to``; and of each core region whether both are in it.

    Examples
    --------
    >>> import clusterlib as cl
    >>> pairs = cl.study.train_pairs()
    >>> int(pairs.loc[(110000, 120000), "trains"]), bool(pairs["same_province"].mean() < 0.2)
    (200, True)
    """
    from clusterlib.data import load_pairs

    seen = load_pairs(["direct_trains", "direct_fast_trains", "shortest_train_ride"])
    seen = seen.set_axis(["trains", "fast_trains", "ride"], axis=1)
    seen.index = seen.index.set_names(["origin", "destination"])
    return _with_borders(seen)


def _with_borders(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add distance and borders to pairs of cities."""
    from clusterlib.data import load_boundaries, load_units
    from clusterlib.weights import great_circle_distances

    ends = [pairs.index.get_level_values(k) for k in (0, 1)]
    cities = ends[0].union(ends[1]).unique()
    kilometres = great_circle_distances(load_boundaries("city").loc[cities])
    province = load_units().loc[cities, "province"]
    group = group_units(cities)
    at = [cities.get_indexer(end) for end in ends]
    apart = np.log(kilometres.to_numpy()[at[0], at[1]] / CENTRE)
    provinces, groups = ([values.to_numpy()[place] for place in at] for values in (province, group))
    # The seat of each province has the second lowest code; a municipality is one city.
    alone = cities.to_numpy() == province.to_numpy()
    seat = alone | (cities.to_numpy() == province.to_numpy() + 100)
    shared = groups[0] == groups[1]
    return pairs.assign(
        kilometres=CENTRE * np.exp(apart),
        distance=apart,
        distance_squared=apart**2,
        same_province=1.0 * (provinces[0] == provinces[1]),
        same_region=1.0 * (shared & (groups[0] != "rest")),
        **{name: 1.0 * (shared & (groups[0] == name)) for name in REGIONS},
        capitals=seat[at[0]].astype(int) + seat[at[1]],
        municipalities=alone[at[0]].astype(int) + alone[at[1]],
        province_from=provinces[0],
        province_to=provinces[1],
    )


def _mass_alone(flow: pd.Series) -> pd.Series:
    """Expected flows with effects of origins and destinations alone, by iterative proportional fitting."""
    fitted = pd.Series(1.0, flow.index)
    for _ in range(2000):
        before = fitted
        for level in (0, 1):
            fitted = fitted * (flow.groupby(level=level).sum() / fitted.groupby(level=level).sum()).reindex(
                flow.index, level=level
            )
        if np.abs(fitted / before - 1).max() < _TOLERANCE:
            break
    return fitted


def _deviance(flow: pd.Series, fitted: pd.Series) -> float:
    return float(2 * (flow * np.log(flow / fitted) - (flow - fitted)).sum())


def _border(
    pairs: pd.DataFrame,
    y: str = "trains",
    term: str = "same_province",
    x: tuple[str, ...] = (*DISTANCE, *TERMS),
    directed: bool = True,
) -> dict:
    """Estimate one border term with its interval, and count what it rests on; missing where it is not identified."""
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.spatial import gravity_regression

    varying = [name for name in x if pairs[name].min() < pairs[name].max()]
    count = {"pairs": len(pairs), "within": int(pairs[term].sum())}
    try:
        found = gravity_regression(pairs, y, varying, directed=directed)
        row = found.table.loc[term]
    except (InvalidInputError, KeyError):
        return dict.fromkeys(["estimate", "std_error", "lower", "upper", "p_value", "detectable"], np.nan) | count
    return {
        **row[["estimate", "std_error", "lower", "upper", "p_value"]],
        "detectable": minimum_detectable_effect(found).loc[term, "minimum_detectable"],
        **count,
    }


def _both_directions(pairs: pd.DataFrame) -> pd.DataFrame:
    """Turn directed pairs into pairs without direction, with the mean of the directions that are seen."""
    ends = np.sort(np.array(pairs.index.to_list()), axis=1)
    flows = pairs[["trains"]].set_index(pd.MultiIndex.from_arrays(list(ends.T), names=pairs.index.names))
    return _with_borders(flows.groupby(level=[0, 1]).mean())


def _with_zeros(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take pairs of the cities that the timetable does not show for pairs without trains."""
    cities = pairs.index.get_level_values(0).union(pairs.index.get_level_values(1)).unique()
    every = pd.MultiIndex.from_product([cities, cities], names=pairs.index.names)
    every = every[every.get_level_values(0) != every.get_level_values(1)]
    return _with_borders(pairs[["trains"]].reindex(every, fill_value=0.0))


@remember
def train_links() -> TrainLinks:
    """Explain direct trains between cities by mass, distance and borders, in many ways (直达列车的引力方程).

    Returns
    -------
    TrainLinks
        ``pairs`` as of :func:`train_pairs`; ``explained``: parts of the deviance from the mean that mass (effects of
        origin and destination), distance and borders explain, added in turn; ``coefficients`` of the main equation;
        by variant, and by province left out, the coefficient ``same_province`` with interval, smallest detectable
        effect and numbers of pairs; the term of each region, also by province left out; and ``inside`` each region the
        border of provinces among its own pairs, without municipalities, missing where it is not identified.

    Examples
    --------
    >>> import clusterlib as cl
    >>> links = cl.study.train_links()
    >>> bool(links.variants.loc["main", "estimate"] == links.coefficients.loc["same_province", "estimate"])
    True
    """
    from clusterlib.spatial import gravity_regression

    pairs = train_pairs()
    flow, main = pairs["trains"], gravity_regression(pairs, "trains", [*DISTANCE, *TERMS])
    whole = _deviance(flow, pd.Series(flow.mean(), flow.index))
    left = [whole, _deviance(flow, _mass_alone(flow)), gravity_regression(pairs, "trains", DISTANCE).deviance]
    explained = pd.Series(-np.diff([*left, main.deviance]) / whole, ["mass", "distance", "borders"])
    ride = np.log(pairs["ride"])
    samples = {
        "main": {},
        "no_region_term": {"x": (*DISTANCE, "same_province")},
        "ride_time": {"pairs": pairs.assign(distance=ride, distance_squared=ride**2)},
        "without_municipalities": {"pairs": pairs[pairs["municipalities"] == 0]},
        "without_capital_pairs": {"pairs": pairs[pairs["capitals"] < 2]},
        "without_capitals": {"pairs": pairs[pairs["capitals"] == 0]},
        "fast": {"y": "fast_trains"},
        **{name: {"pairs": pairs[pairs["kilometres"].between(*ends)]} for name, ends in BANDS.items()},
        "unordered": {"pairs": _both_directions(pairs), "directed": False},
        "zeros": {"pairs": _with_zeros(pairs)},
    }
    variants = {name: _border(**{"pairs": pairs, **sample}) for name, sample in samples.items()}
    apart = (*DISTANCE, "same_province")
    terms = (*apart, *REGIONS)
    provinces = sorted(set(pairs["province_from"]))
    without, regions, inside = {}, {}, {}
    for name, area in REGIONS.items():
        regions[name, 0] = _border(pairs, term=name, x=terms)
        own = pairs[pairs[name] == 1]
        inside[name, "all"] = _border(own, x=apart)
        inside[name, "without_municipalities"] = _border(own[own["municipalities"] == 0], x=apart)
        for province in area.adcodes("province"):
            if province in provinces:
                regions[name, province] = _border(_leave_out(pairs, province), term=name, x=terms)
    for province in provinces:
        without[province] = _border(_leave_out(pairs, province))
    return TrainLinks(
        pairs, explained, main.table, pd.DataFrame(variants).T, pd.DataFrame(without).T,
        pd.DataFrame(regions).T.rename_axis(["region", "without"]), pd.DataFrame(inside).T,
    )  # fmt: skip


def _leave_out(pairs: pd.DataFrame, province: int) -> pd.DataFrame:
    return pairs[(pairs["province_from"] != province) & (pairs["province_to"] != province)]


def _growth_panels(years: tuple[int, int]) -> tuple[dict[str, pd.DataFrame], Graph, pd.Series]:
    """Growth by outcome of the same cities in the same years, those whose boundaries moved left out."""
    from clusterlib.data import consistent_units
    from clusterlib.study.diagnosis.indicators import load_growth_panel

    loaded = {name: load_growth_panel(years, outcome=column) for name, column in OUTCOMES.items()}
    kept = consistent_units(f"{years[0] - 1}:{years[1]}")["consistent"]
    growth = pd.concat({name: panel["growth"].unstack("year") for name, (panel, _, _) in loaded.items()}, axis=1)
    both = growth.columns.get_level_values("year")
    growth = growth.loc[growth.index.isin(kept.index[kept]), both.duplicated(keep=False)].dropna()
    rows = growth["gdp"].stack().index
    _, graph, province = loaded["gdp"]
    panels = {name: panel.loc[rows] for name, (panel, _, _) in loaded.items()}
    return panels, graph.subgraph(growth.index), province.loc[growth.index]


def _neighbours(graph: Graph) -> pd.DataFrame:
    """Adjacent pairs of cities, each once, with the logarithm of the distance between their centroids."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import great_circle_distances

    links = graph.adjacency.index.to_frame(index=False).set_axis(["one", "other"], axis=1)
    links = links[links["one"] < links["other"]]
    kilometres = great_circle_distances(load_boundaries("city").loc[graph.unique_ids]).stack()
    apart = kilometres.reindex(pd.MultiIndex.from_frame(links)).to_numpy()
    return links.assign(log_kilometres=np.log(apart)).reset_index(drop=True)


def _pair_differences(panel: pd.DataFrame, links: pd.DataFrame, province: pd.Series) -> dict:
    """How much farther growth of neighbours lies apart across a border than within, relative to the mean difference."""
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.panel import fixed_effects

    wide = panel["growth"].unstack("year")
    apart = np.abs(wide.loc[links["one"]].to_numpy() - wide.loc[links["other"]].to_numpy())
    sides = np.sort([province.loc[links[end]].to_numpy() for end in ("one", "other")], axis=0)
    index = pd.MultiIndex.from_product([links.index, wide.columns], names=["pair", "year"])
    across = 1.0 * (sides[0] != sides[1])
    years = wide.shape[1]
    rows = pd.DataFrame(
        {
            "apart": apart.ravel() / apart.mean(),
            "across": np.repeat(across, years),
            "log_kilometres": np.repeat(links["log_kilometres"].to_numpy(), years),
        },
        index,
    )
    borders = pd.Series([f"{a}-{b}" for a, b in sides.T], links.index)
    found = fixed_effects(rows, "apart", ["across", "log_kilometres"], "time", cluster=borders)
    row = found.table.T["across"].astype(float)
    return {
        **(100 * row[["estimate", "std_error", "lower", "upper"]]),
        "p_value": row["p_value"],
        "detectable": minimum_detectable_effect(found)["minimum_detectable"].mul(100)["across"],
        "pairs": len(links),
        "across": int(across.sum()),
        "clusters": borders.nunique(),
    }


@remember
def growth_borders() -> GrowthBorders:
    """Estimate spillovers of growth within provinces and across on GDP and on night lights (增长溢出的边界效应).

    The same cities and years for both; those whose boundaries moved, the year after the census and growth of night
    lights from one satellite to the next are left out.

    Returns
    -------
    GrowthBorders
        ``spillovers``, by period, outcome and area (regions and ``nation``): estimates as of
        :func:`clusterlib.diagnosis.governance_imbalance`, with the smallest detectable difference of the model without
        shared shocks, years, and ``alike``, the correlation of both outcomes' growth within cities and years;
        ``pairs``: how much farther growth of adjacent cities lies apart across a border than within, in percent of the
        mean difference; ``without``, by province left out: the nation's difference of spillovers where it is above nil
        at five percent, and that of pairs beside it.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.growth_borders().spillovers.index.names
    FrozenList(['period', 'outcome', 'area'])
    """
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.core.within import demean
    from clusterlib.study.diagnosis._governance import governance_imbalance
    from clusterlib.study.diagnosis.indicators import region_cities

    spillovers, without, pairs = {}, {}, {}
    for period, (first, last) in PERIODS.items():
        panels, graph, province = _growth_panels((first, last))
        links, codes = _neighbours(graph), sorted(set(province))
        moves = {name: demean(panel["growth"].unstack("year").to_numpy(), "twoway") for name, panel in panels.items()}
        alike = np.corrcoef(np.stack([values.ravel() for values in moves.values()]))[0, 1]
        areas = {name: region_cities(name, province) for name in REGIONS if period in MAIN}
        areas |= {"nation": province.index}
        for outcome, panel in panels.items():
            years = panel.index.unique("year").size
            at = (panel, "growth", ["initial"], graph, province)
            found = governance_imbalance(*at, areas, window=last - first + 1, first=last, draws=2)[1].droplevel(1)
            detectable = minimum_detectable_effect(found["plain_se_difference"].astype(float))["minimum_detectable"]
            for area, row in found.assign(detectable=detectable, years=years, alike=alike).iterrows():
                spillovers[period, outcome, area] = row
            pairs[period, outcome] = _pair_differences(panel, links, province)
            gap, p_value = (float(found[name]["nation"]) for name in ("plain_difference", "plain_p_equal"))
            if not (gap > 0 and p_value < 0.05 and period in MAIN):
                continue
            for code in codes:
                rest = province.index[province != code]
                kept = links[links["one"].isin(rest) & links["other"].isin(rest)].reset_index(drop=True)
                part = panel[panel.index.get_level_values("adcode").isin(rest)]
                pair = _pair_differences(part, kept, province)
                gap = _plain_difference(part, graph.subgraph(rest), province[rest])
                without[period, outcome, code] = {
                    "difference": gap,
                    "pairs": pair["estimate"],
                    "p_pairs": pair["p_value"],
                }
    levels = ["period", "outcome", "without"]
    return GrowthBorders(
        pd.DataFrame(spillovers).T.rename_axis(["period", "outcome", "area"]),
        pd.DataFrame(without).T.rename_axis(levels),
        pd.DataFrame(pairs).T.rename_axis(levels[:2]),
    )


def _plain_difference(panel: pd.DataFrame, graph: Graph, province: pd.Series) -> float:
    """Difference of spillovers within and across where no shocks are shared."""
    from clusterlib.study.diagnosis._governance import SharedShocks
    from clusterlib.weights import within_and_across

    likelihood = SharedShocks(panel, "growth", ["initial"], within_and_across(graph, province), province)
    within, across, _ = likelihood.climb((0.4, 0.1, 0.0), shared=False)[1]
    return float(within - across)


@remember
def systems_border() -> pd.DataFrame:
    """Compare how night lights of adjacent cities grow together, beside those of Hong Kong and Macao (港澳边界).

    Growth of the years within a satellite, the year's mean over all units and the mean of the unit and satellite taken
    out.

    Returns
    -------
    DataFrame
        By pair of adjacent cities (one, other): ``correlation`` over all years and that of the ``later`` satellite
        alone, ``difference`` (mean absolute difference of growth, log points times 100), ``rank``, the percentile of
        the correlation among all adjacent pairs, and ``kind``: ``systems`` for Hong Kong and Macao with the mainland,
        ``within`` or ``across`` provinces.

    Examples
    --------
    >>> import clusterlib as cl
    >>> pairs = cl.study.systems_border()
    >>> pairs.index[pairs["kind"] == "systems"].to_list()
    [(440300, 810000), (440400, 820000)]
    """
    from clusterlib.core.within import demean
    from clusterlib.data import load_boundaries, load_panel
    from clusterlib.weights import contiguity

    lights = load_panel("city", OUTCOMES["lights"])[OUTCOMES["lights"]].unstack("year")
    growth = 100 * lights.where(lights > 0).apply(np.log).diff(axis=1).dropna(axis=1, how="all").dropna()
    boundaries = load_boundaries("city").loc[growth.index]
    earlier, later = (growth.loc[:, first:last].drop(columns=2019, errors="ignore") for first, last in SATELLITES)
    parts = [pd.DataFrame(demean(part.to_numpy(), "twoway"), part.index, part.columns) for part in (earlier, later)]
    left = pd.concat(parts, axis=1)
    links, province = _neighbours(contiguity(boundaries)), boundaries["province"]
    ends = [links[end].to_numpy() for end in ("one", "other")]

    def alike(values: pd.DataFrame) -> np.ndarray:
        one, other = (values.loc[end].to_numpy() for end in ends)
        return (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))

    sides = [province.loc[end].to_numpy() for end in ends]
    systems = np.isin(sides, [810000, 820000]).any(axis=0)
    table = pd.DataFrame(
        {
            "correlation": alike(left),
            "later": alike(left[later.columns]),
            "difference": np.abs(left.loc[ends[0]].to_numpy() - left.loc[ends[1]].to_numpy()).mean(axis=1),
            "kind": np.where(systems, "systems", np.where(sides[0] == sides[1], "within", "across")),
        },
        pd.MultiIndex.from_arrays(ends, names=["one", "other"]),
    )
    return table.assign(rank=100 * table["correlation"].rank(pct=True))

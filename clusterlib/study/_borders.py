"""Growth of cities across borders of provinces: border model, adjacent pairs, Hong Kong and Macao (增长的行政边界)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.regions import REGIONS
from clusterlib.study._memory import remember

if TYPE_CHECKING:
    from collections.abc import Iterable

    from libpysal.graph import Graph

OUTCOMES = {"gdp": "gdp", "lights": "night_lights_sum"}
# Night lights change satellites in 2010/2011 and 2012/2013; cities have GDP since 2003, night lights to 2020.
PERIODS = {"before": (2004, 2010), "after": (2014, 2018), "to_2020": (2014, 2020)}
RECENT = {"recent": (2020, 2023)}
SATELLITES = ((2002, 2010), (2014, 2020))
PERMUTATIONS = 1000
NATION = "nation"


class GrowthBorders(NamedTuple):
    """How growth of neighbours goes together within provinces and across; see :func:`growth_borders`."""

    estimates: pd.DataFrame
    change: pd.DataFrame
    alike: pd.Series


class PairPremiums(NamedTuple):
    """How much more alike adjacent cities grow than others; see :func:`pair_premiums`."""

    premiums: pd.DataFrame
    kinds: pd.DataFrame
    by_distance: dict[str, pd.DataFrame]
    sizes: dict[str, int]


def growth_panels(
    years: tuple[int, int], outcomes: Iterable[str] = tuple(OUTCOMES)
) -> tuple[dict[str, pd.DataFrame], Graph, pd.Series]:
    """Load growth by outcome of the same cities in the same years (同一样本的增长面板).

    Cities whose boundaries moved are left out, and so is what :func:`clusterlib.diagnosis.load_growth_panel` leaves out
    of either outcome.

    Parameters
    ----------
    years : (int, int)
        First and last year of growth.
    outcomes : iterable of {"gdp", "lights"}

    Returns
    -------
    dict, Graph, Series
        By outcome the panel of ``growth`` and ``initial`` level, balanced; contiguity of its cities; their provinces.

    Examples
    --------
    >>> panels, graph, province = growth_panels((2015, 2016))
    >>> panels["gdp"].index.equals(panels["lights"].index), graph.n == len(province)
    (True, True)
    """
    from clusterlib.data import consistent_units
    from clusterlib.study.diagnosis.indicators import load_growth_panel

    loaded = {name: load_growth_panel(years, outcome=OUTCOMES[name]) for name in outcomes}
    kept = consistent_units(f"{years[0] - 1}:{years[1]}")["consistent"]
    growth = pd.concat({name: panel["growth"].unstack("year") for name, (panel, _, _) in loaded.items()}, axis=1)
    count = growth.columns.get_level_values("year")
    shared = count.value_counts().loc[count].to_numpy() == len(loaded)
    growth = growth.loc[growth.index.isin(kept.index[kept]), shared].dropna()
    first = next(iter(loaded))
    rows = growth[first].stack().index
    panels = {name: panel.loc[rows] for name, (panel, _, _) in loaded.items()}
    return panels, loaded[first][1].subgraph(growth.index), loaded[first][2].loc[growth.index]


def _areas(province: pd.Series) -> dict[str, pd.Index]:
    from clusterlib.study.diagnosis.indicators import region_cities

    return {NATION: province.index} | {name: region_cities(name, province) for name in REGIONS}


@remember
def growth_borders() -> GrowthBorders:
    """Estimate spillovers of growth within provinces and across on GDP and on night lights (增长溢出的边界效应).

    The same cities and years for both outcomes; those whose boundaries moved, the year after the census and growth of
    night lights from one satellite to the next are left out. After 2020 there is GDP alone.

    Returns
    -------
    GrowthBorders
        ``estimates``, by period, outcome and area (``nation`` and regions): as of
        :func:`clusterlib.diagnosis.border_estimates`; ``change``, by outcome and area: the difference of spillovers in
        the later period less that in the earlier, two samples that share no year; ``alike``, by period: the correlation
        of both outcomes' growth within cities and years.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.growth_borders().estimates.index.names
    FrozenList(['period', 'outcome', 'area'])
    """
    from clusterlib.core.within import demean
    from clusterlib.study.diagnosis._governance import border_estimates

    estimates, alike = {}, {}
    for period, years in (PERIODS | RECENT).items():
        panels, graph, province = growth_panels(years, ("gdp",) if period in RECENT else tuple(OUTCOMES))
        if len(panels) > 1:
            moves = [demean(panel["growth"].unstack("year").to_numpy(), "twoway").ravel() for panel in panels.values()]
            alike[period] = np.corrcoef(np.stack(moves))[0, 1]
        for outcome, panel in panels.items():
            at = (panel, "growth", ["initial"], graph, province)
            estimates[period, outcome] = border_estimates(*at, _areas(province))
    found = pd.concat(estimates, names=["period", "outcome"])
    return GrowthBorders(found, _change(found), pd.Series(alike))


def _change(found: pd.DataFrame) -> pd.DataFrame:
    """Later difference less the earlier one, as of independent samples with Welch's degrees of freedom."""
    from clusterlib.core.power import single_estimate

    rows = {}
    earlier, later = found.loc["before"], found.loc["after"]
    for at in earlier.index.intersection(later.index):
        errors = np.array([part.loc[at, "se_difference"] for part in (earlier, later)], dtype=float)
        counts = [(part.loc[at, "jurisdictions"] - 1) * (part.loc[at, "periods"] - 1) for part in (earlier, later)]
        if not np.isfinite(errors).all():
            continue
        df = (errors**2).sum() ** 2 / (errors**4 / np.array(counts, dtype=float)).sum()
        before, after = (part["difference"].astype(float)[at] for part in (earlier, later))
        rows[at] = single_estimate(after - before, np.hypot(*errors), df)
    return pd.DataFrame(rows).T.rename_axis(["outcome", "area"])


@remember
def pair_premiums() -> PairPremiums:
    """How much more alike adjacent cities grow than others, within provinces and across (相邻城市的增长同步性).

    Growth within the years of one satellite, 2004 to 2010 and 2014 to 2020 without the census year, of the same cities
    for both outcomes; means of the city and satellite and of the year are taken out.

    Returns
    -------
    PairPremiums
        ``premiums``, by outcome, area and row (``within``, ``across``, ``difference``), as of
        :func:`clusterlib.diagnosis.pair_correlations`; the difference of a region's own pairs has no interval, for its
        few provinces; ``kinds``: correlations and numbers of pairs of the nation; ``by_distance``; and ``sizes``.

    Examples
    --------
    >>> import clusterlib as cl
    >>> sorted(set(cl.study.pair_premiums().premiums.index.get_level_values("outcome")))
    ['gdp', 'lights']
    """
    from clusterlib.core.within import demean
    from clusterlib.data import load_boundaries
    from clusterlib.errors import InvalidInputError
    from clusterlib.study.diagnosis._pairs import pair_correlations
    from clusterlib.weights import contiguity, great_circle_distances

    parts = [growth_panels(PERIODS[name]) for name in ("before", "to_2020")]
    cities = parts[0][2].index.intersection(parts[1][2].index)
    boundaries = load_boundaries("city").loc[cities]
    kilometres, graph, province = great_circle_distances(boundaries), contiguity(boundaries), boundaries["province"]
    premiums, kinds, by_distance, sizes = {}, {}, {}, {}
    for outcome in OUTCOMES:
        wide = [panels[outcome]["growth"].unstack("year").loc[cities] for panels, _, _ in parts]
        left = pd.concat([pd.DataFrame(demean(w.to_numpy(), "twoway"), w.index, w.columns) for w in wide], axis=1)
        panel = pd.DataFrame({"growth": left.stack()})
        for area, units in _areas(province).items():
            settings: dict[str, Any] = {"distance": kilometres} if area == NATION else {"units": units}
            try:
                found = pair_correlations(panel, "growth", graph, province, permutations=PERMUTATIONS, **settings)
            except InvalidInputError:
                continue
            table = found.premiums.copy()
            if area == NATION:
                kinds[outcome], by_distance[outcome], sizes = found.table, found.by_distance, found.settings
            else:
                table.loc["difference", ["std_error", "lower", "upper", "p_value"]] = np.nan
            premiums[outcome, area] = table.assign(pairs=found.table["pairs"].sum())
    kept = {name: sizes[name] for name in ("units", "periods", "jurisdictions", "permutations")}
    names = ["outcome", "area", "side"]
    return PairPremiums(
        pd.concat(premiums, names=names), pd.concat(kinds, names=["outcome", "kind"]), by_distance, kept
    )


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
    pairs, province = contiguity(boundaries).adjacency.index.to_frame(index=False), boundaries["province"]
    ends = list(pairs[pairs.iloc[:, 0] < pairs.iloc[:, 1]].to_numpy().T)

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

"""Spatial autocorrelation of provinces and cities, the same for every region (空间自相关)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.places import ALBERS
from clusterlib.study._memory import remember
from clusterlib.study._panels import digital_index, province_graphs

if TYPE_CHECKING:
    from clusterlib.spatial import GetisOrd, LocalMoran

# Of the cities that a variable has in its best year, so many it must have in another.
_ENOUGH = 0.8


class CityClusters(NamedTuple):
    """Local statistics of log GDP per head of cities in one year.

    Attributes
    ----------
    local : LocalMoran
        With the nearest neighbours of each city, at a false discovery rate.
    unadjusted, border : LocalMoran
        Without that control, and with a common border for weights.
    spots : GetisOrd
        Of GDP per head itself, with the nearest neighbours.
    """

    local: LocalMoran
    unadjusted: LocalMoran
    border: LocalMoran
    spots: GetisOrd


def city_values(years: str) -> pd.DataFrame:
    """Return log GDP per head and the tertiary share of the cities on the map (城市变量).

    Parameters
    ----------
    years : str

    Returns
    -------
    DataFrame
        By (adcode, year): ``gdp_per_head``, ``tertiary`` (percent).

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.city_values("2019:2020").columns.tolist()
    ['gdp_per_head', 'tertiary']
    """
    from clusterlib.data import load_boundaries, load_panel

    frame = load_panel("city", ["gdp_per_capita", "value_added_tertiary_share"], years=years)
    frame = frame[frame.index.get_level_values("adcode").isin(load_boundaries("city").index)]
    return frame.set_axis(["gdp_per_head", "tertiary"], axis=1).assign(gdp_per_head=np.log(frame["gdp_per_capita"]))


def _places() -> Any:
    """Return the cities with their centroids in an equal-area projection."""
    from clusterlib.data import load_boundaries

    shapes: Any = load_boundaries("city")
    return shapes.set_geometry(shapes.to_crs(ALBERS).centroid.to_crs(shapes.crs))


@remember
def city_moran(years: str, neighbours: int = 5, seed: int = 0) -> pd.DataFrame:
    """Moran's I of the variables of :func:`city_values` by year (城市全局莫兰指数).

    Years in which a variable has fewer than four fifths of the cities of its best year are left out.

    Parameters
    ----------
    years : str
    neighbours : int
        How many are the nearest; beside them stands the inverse of the squared distance.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        By ``variable``, ``weights`` and ``year``: ``I``, ``expected``, ``z``, ``p_sim``, ``n`` and others.
    """
    from clusterlib.spatial import moran_over_time
    from clusterlib.weights import inverse_distance, k_nearest

    cities, places = city_values(years), _places()
    found: dict[tuple[str, str], pd.DataFrame] = {}
    made: dict[str, Any] = {
        "nearest": lambda units: k_nearest(places.loc[units], neighbours),
        "distance": lambda units: inverse_distance(places.loc[units], 2),
    }
    for variable in map(str, cities):
        count = cities[variable].groupby("year").transform("count")
        kept = cities[count >= _ENOUGH * count.max()]
        found |= {(variable, way): moran_over_time(kept, variable, w, seed=seed).table for way, w in made.items()}
    return pd.concat(found, names=["variable", "weights"]).sort_index()


@remember
def province_moran(years: str, neighbours: int = 5, seed: int = 0) -> pd.DataFrame:
    """Moran's I of digital development, GDP per head and software revenue of provinces by year (省际全局莫兰指数).

    Parameters
    ----------
    years : str
        Of the index of four dimensions, log GDP per head and log software revenue.
    neighbours : int
        How many are the nearest; beside them stand a common border and the inverse of the squared distance.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        As :func:`city_moran`.
    """
    from clusterlib.data import load_panel
    from clusterlib.spatial import moran_over_time

    panel = load_panel("province", ["gdp_per_capita", "software_revenue"], years=years)
    values = panel.apply(np.log).set_axis(["gdp_per_head", "software"], axis=1)
    values.insert(0, "index", digital_index("four", index_years=years).score)
    values = values.dropna()
    graphs = province_graphs(values.index.unique("adcode"), neighbours=neighbours)
    found = {
        (variable, way): moran_over_time(values, variable, graph, seed=seed).table
        for variable in map(str, values)
        for way, graph in graphs.items()
    }
    return pd.concat(found, names=["variable", "weights"]).sort_index()


@remember
def city_clusters(
    year: int, neighbours: int = 5, permutations: int = 9999, seed: int = 0, alpha: float = 0.05
) -> CityClusters:
    """Local Moran's I of log GDP per head of cities, with what other choices would have found (局部空间自相关).

    Parameters
    ----------
    year : int
    neighbours : int
        How many are the nearest: weights, as of :func:`city_moran`.
    permutations, seed : int
    alpha : float
        False discovery rate, and significance level where there is none.

    Returns
    -------
    CityClusters
    """
    from clusterlib.data import load_boundaries
    from clusterlib.spatial import getis_ord, local_moran
    from clusterlib.weights import contiguity, k_nearest

    present = city_values(f"{year}:{year}")["gdp_per_head"].droplevel("year").dropna()
    graph = k_nearest(_places().loc[present.index], neighbours)
    border = contiguity(load_boundaries("city").loc[present.index])
    return CityClusters(
        local_moran(present, graph, permutations, seed, alpha=alpha),
        local_moran(present, graph, permutations, seed, fdr=False, alpha=alpha),
        local_moran(present, border, permutations, seed, alpha=alpha),
        getis_ord(present.apply(np.exp), graph, permutations, seed, alpha=alpha),
    )

"""Weights by common borders (邻接), with a rule for islands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.places import check_boundaries, listed_places, names_of
from clusterlib.errors import InvalidInputError
from clusterlib.weights._base import TRANSFORMATIONS, make_graph

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph

CRITERIA = ("queen", "rook")
ISLAND_RULES = ("nearest", "raise", "keep")


def _touching(boundaries: GeoDataFrame, criterion: str) -> Graph:
    from libpysal.graph import Graph

    return Graph.build_contiguity(boundaries, rook=criterion == "rook", strict=True)


def _within_reach(boundaries: GeoDataFrame, unit, centre) -> pd.Series:
    """Units that may be nearest: no farther than twice the least distance on a plane of degrees, squeezed at the unit.

    Degrees of longitude shrink towards the pole, but nowhere in China by half between a unit and its neighbour.
    """
    squeezed = boundaries.geometry.affine_transform([math.cos(math.radians(centre.y)), 0, 0, 1, 0, 0])
    others = squeezed.drop(unit)
    _, least = others.sindex.nearest(squeezed[unit], return_all=False, return_distance=True)
    found = others.sindex.query(squeezed[unit], predicate="dwithin", distance=2 * least[0])
    return boundaries.geometry[others.index[sorted(found)]]


def _nearest(boundaries: GeoDataFrame, unit) -> pd.Series:
    """Distance in metres to the unit or units whose border is nearest, in a projection centred on the unit."""
    centre = boundaries.geometry[unit].representative_point()
    local = f"+proj=aeqd +lat_0={centre.y} +lon_0={centre.x} +datum=WGS84 +units=m"
    others = _within_reach(boundaries, unit, centre).to_crs(local)
    distance = others.distance(boundaries.geometry[[unit]].to_crs(local).iloc[0])
    return distance[distance <= distance.min() * (1 + 1e-9)]


def island_links(boundaries: GeoDataFrame, criterion: str = "queen") -> pd.DataFrame:
    """List units that touch no other and the nearest unit that :func:`contiguity` links each of them to (岛屿连接).

    Parameters
    ----------
    boundaries : GeoDataFrame
        Indexed by adcode, in EPSG:4326.
    criterion : {"queen", "rook"}

    Returns
    -------
    DataFrame
        A row a link: ``island``, ``neighbour``, their names ``island_name`` and ``neighbour_name``, and
        ``distance_km`` between their borders. Empty where every unit touches another.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`contiguity`.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> boundaries = load_boundaries("province")
    >>> island_links(boundaries.drop([710000, 810000, 820000]))[["island_name", "neighbour_name"]].values.tolist()
    [['海南省', '广东省']]
    """
    check_boundaries(boundaries)
    graph = _touching(boundaries, check_choice("criterion", criterion, CRITERIA))
    return _links(boundaries, graph)


def _links(boundaries: GeoDataFrame, graph: Graph) -> pd.DataFrame:
    names = names_of(boundaries)
    rows = [
        (island, unit, names[island], names[unit], metres / 1000)
        for island in graph.isolates
        for unit, metres in _nearest(boundaries, island).items()
    ]
    return pd.DataFrame(rows, columns=["island", "neighbour", "island_name", "neighbour_name", "distance_km"])


def contiguity(
    boundaries: GeoDataFrame, islands: str = "nearest", *, criterion: str = "queen", transformation: str = "r"
) -> Graph:
    r"""Contiguity weights (邻接权重矩阵): one where two units share a border, none elsewhere.

    Choose the units before making weights, as in ``boundaries.loc[panel.index.unique("adcode")]``: what touches no
    other depends on who is there. An island is a unit that touches no other one of ``boundaries``, whether for water or
    because its neighbours are not in the data.

    Parameters
    ----------
    boundaries : GeoDataFrame
        Indexed by adcode, polygons in EPSG:4326 that share their borders.
    islands : {"nearest", "raise", "keep"}
        Link each island with the unit whose border is nearest, both ways (with all of them at a tie);
        :func:`island_links` lists these. Two islands may be each other's nearest and stay apart from the rest. Or
        refuse, or keep units without neighbours, whose spatial lag is zero.
    criterion : {"queen", "rook"}
        A common point suffices, or a common line is needed.
    transformation : {"r", "b"}
        Row-standardised, or ones.

    Returns
    -------
    Graph
        Keyed by adcode, in the order of ``boundaries``. Symmetric before standardisation.

    Raises
    ------
    InvalidInputError
        For boundaries that are projected, empty or doubled, or islands with ``islands="raise"``.
    UnknownNameError
        For an unknown rule, criterion or transformation.

    References
    ----------
    Anselin, L. (1988). Spatial Econometrics: Methods and Models, ch. 3. Kluwer.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> graph = contiguity(load_boundaries("province", "yrd"), transformation="b")
    >>> graph[310000].to_dict()
    {320000: 1, 330000: 1}
    """
    check_boundaries(boundaries)
    check_choice("rule for islands", islands, ISLAND_RULES)
    check_choice("transformation", transformation, TRANSFORMATIONS)
    graph = _touching(boundaries, check_choice("criterion", criterion, CRITERIA))
    if len(graph.isolates) and islands == "raise":
        raise InvalidInputError(
            f"no unit shares a border with {listed_places(boundaries, graph.isolates)}: use islands='nearest' to "
            "link each with the nearest unit, or leave it out"
        )
    matrix = graph.sparse.tolil()
    if islands == "nearest":
        links = _links(boundaries, graph)
        island, unit = (boundaries.index.get_indexer(links[name]) for name in ("island", "neighbour"))
        matrix[island, unit] = matrix[unit, island] = 1
    return make_graph(matrix.tocsr(), boundaries.index, transformation)

"""Weights by border, distance, economy and jurisdiction (邻接、地理距离、经济距离、辖区)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights, weight_labels
from clusterlib.core.checks import (
    ROUNDING,
    check_by_unit,
    check_choice,
    check_labels,
    check_number,
    check_whole,
    is_constant,
    listed,
    snap,
)
from clusterlib.core.places import check_boundaries, coordinates, great_circles, listed_places, names_of
from clusterlib.errors import ClusterlibWarning, InvalidInputError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike

CRITERIA = ("queen", "rook")
ISLAND_RULES = ("nearest", "raise", "keep")
TRANSFORMATIONS = ("r", "b", "o")
STANDARDISATIONS = ("whole", "each")
# Radians, 6 mm: places nearer to each other are at one point, and distances that differ by less tie.
_ONE_POINT = 1e-9


def _graph(matrix: csr_array, ids: pd.Index, transformation: str) -> Graph:
    """Return the graph of a matrix whose rows and columns are ``ids``; the matrix loses its explicit zeros."""
    from libpysal.graph import Graph

    # An explicit zero on the diagonal would stand for an isolate.
    matrix.eliminate_zeros()
    graph = Graph.from_sparse(matrix, ids=ids)
    return graph if transformation == "o" else graph.transform(transformation)


def _inverse(gap: np.ndarray, power: float, ids: pd.Index, transformation: str) -> Graph:
    """Return weights that are inverse powers of what parts two units."""
    from scipy.sparse import csr_array

    np.fill_diagonal(gap, np.inf)
    with np.errstate(over="ignore", under="ignore"):
        weights = gap**-power
    if not np.isfinite(weights).all() or not weights.any(axis=1).all():
        raise InvalidInputError(f"power={power:g}: weights are too large or too small to be numbers; use a smaller one")
    return _graph(csr_array(weights), ids, transformation)


def _touching(boundaries: GeoDataFrame, criterion: str) -> Graph:
    from libpysal.graph import Graph

    area = boundaries.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    if not area.all():
        raise InvalidInputError(f"no border: {listed_places(boundaries, boundaries.index[~area])} is no polygon")
    return Graph.build_contiguity(boundaries, rook=criterion == "rook", strict=True)


def _within_reach(boundaries: GeoDataFrame, unit: Any, centre: Any) -> pd.Series:
    """Units that may be nearest: no farther than twice the least distance on a plane of degrees, squeezed at the unit.

    Degrees of longitude shrink towards the pole, but nowhere in China by half between a unit and its neighbour.
    """
    squeezed = boundaries.geometry.affine_transform([math.cos(math.radians(centre.y)), 0, 0, 1, 0, 0])
    others = squeezed.drop(unit)
    _, least = others.sindex.nearest(squeezed[unit], return_all=False, return_distance=True)
    found = others.sindex.query(squeezed[unit], predicate="dwithin", distance=2 * least[0])
    return boundaries.geometry[others.index[sorted(found)]]


def _nearest(boundaries: GeoDataFrame, unit: Any) -> pd.Series:
    """Distance in metres to the unit or units whose border is nearest, in a projection centred on the unit."""
    centre = boundaries.geometry[unit].representative_point()
    local = f"+proj=aeqd +lat_0={centre.y} +lon_0={centre.x} +datum=WGS84 +units=m"
    others = _within_reach(boundaries, unit, centre).to_crs(local)
    distance = others.distance(boundaries.geometry[[unit]].to_crs(local).iloc[0])  # type: ignore[operator]
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
    names = names_of(boundaries).to_dict()
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
        island, unit = (boundaries.index.get_indexer(pd.Index(links[name])) for name in ("island", "neighbour"))
        matrix[island, unit] = matrix[unit, island] = 1
    return _graph(matrix.tocsr(), boundaries.index, transformation)


def _degrees(boundaries: GeoDataFrame, points: str) -> pd.DataFrame:
    check_boundaries(boundaries)
    return coordinates(boundaries, points)


def great_circle_distances(boundaries: GeoDataFrame, points: str = "centroid") -> pd.DataFrame:
    r"""Great-circle distances between units (大圆距离), by the haversine formula.

    .. math:: d_{ij} = 2R \arcsin \sqrt{\sin^2\frac{\varphi_i - \varphi_j}{2}
              + \cos\varphi_i \cos\varphi_j \sin^2\frac{\lambda_i - \lambda_j}{2}}, \quad R = 6371.0088 \text{ km}

    Parameters
    ----------
    boundaries : GeoDataFrame
        Indexed by adcode, in EPSG:4326.
    points : {"centroid", "representative"}
        Centroids, computed in the equal-area projection of the maps, may lie outside a unit; representative points lie
        within it. Points, such as seats of government, stand for themselves.

    Returns
    -------
    DataFrame, shape (units, units)
        Kilometres; the sphere is within 0.6 % of the ellipsoid.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`inverse_distance`.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> bool(150 < great_circle_distances(load_boundaries("province")).loc[310000, 330000] < 350)
    True
    """
    return pd.DataFrame(great_circles(_degrees(boundaries, points)), index=boundaries.index, columns=boundaries.index)


def k_nearest(boundaries: GeoDataFrame, k: int, *, points: str = "centroid", transformation: str = "r") -> Graph:
    """K-nearest-neighbour weights (K 近邻权重矩阵) by great-circle distance; in general not symmetric.

    Parameters
    ----------
    boundaries : GeoDataFrame
        Indexed by adcode, in EPSG:4326.
    k : int
        Neighbours of each unit, fewer than there are units.
    points : {"centroid", "representative"}
        Where a unit is; see :func:`great_circle_distances`.
    transformation : {"r", "b"}
        Row-standardised (each neighbour counts ``1 / k``), or ones.

    Returns
    -------
    Graph
        Keyed by adcode, in the order of ``boundaries``. At a tie for the k-th place the first by adcode is taken, with
        a ClusterlibWarning.

    Raises
    ------
    InvalidInputError
        If ``k`` is not between one and the number of units less one, or two units are at one point.
    UnknownNameError
        For an unknown point or transformation.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> k_nearest(load_boundaries("province", "yrd"), 2)[310000].to_dict()
    {320000: 0.5, 330000: 0.5}
    """
    from scipy.sparse import csr_array
    from sklearn.metrics.pairwise import haversine_distances
    from sklearn.neighbors import BallTree

    check_choice("transformation", transformation, TRANSFORMATIONS)
    degrees = _degrees(boundaries, points)
    radians, n = np.radians(degrees[["lat", "lon"]].to_numpy()), len(degrees)
    k = check_whole("k", k, least=1, most=n - 1)
    # One place more than is wanted shows where the last ties; the nearest is the unit itself.
    found = BallTree(radians, metric="haversine").query(radians, min(k + 2, n))
    distance, neighbour = (part[:, 1:] for part in found)
    if k < n - 1 and (tied := distance[:, k] - distance[:, k - 1] < _ONE_POINT).any():
        warnings.warn(
            f"{listed_places(boundaries, boundaries.index[tied])}: others are as near as the last of {k} neighbours; "
            "of those that tie the first by label is taken",
            ClusterlibWarning,
            stacklevel=2,
        )
        rank = boundaries.index.astype(str).argsort().argsort()
        for i in np.flatnonzero(tied):
            away, last = haversine_distances(radians[[i]], radians)[0], distance[i, k - 1]
            away[np.abs(away - last) < _ONE_POINT] = last
            away[i] = np.inf
            neighbour[i, :k] = np.lexsort((rank, away))[:k]
    entries = (np.ones(n * k), neighbour[:, :k].ravel(), np.arange(0, n * k + 1, k))
    return _graph(csr_array(entries, shape=(n, n)), boundaries.index, transformation)


def inverse_distance(
    boundaries: GeoDataFrame,
    power: float = 1,
    threshold: float | None = None,
    *,
    points: str = "centroid",
    transformation: str = "r",
) -> Graph:
    r"""Inverse-distance weights (反距离权重矩阵).

    .. math:: w_{ij} = d_{ij}^{-\alpha} \text{ for } j \ne i \text{ and } d_{ij} \le \bar d, \text{ else } 0

    Parameters
    ----------
    boundaries : GeoDataFrame
        Indexed by adcode, in EPSG:4326.
    power : float
        :math:`\alpha`, positive.
    threshold : float, optional
        :math:`\bar d` in km; by default every pair counts.
    points : {"centroid", "representative"}
        Where a unit is; see :func:`great_circle_distances`.
    transformation : {"r", "b", "o"}
        Row-standardised, ones, or as they are (per km to the power).

    Returns
    -------
    Graph
        Keyed by adcode, in the order of ``boundaries``. Symmetric before standardisation.

    Raises
    ------
    InvalidInputError
        For units at one point, a power that is not positive or so large that weights vanish, or a threshold that leaves
        a unit without neighbours.
    UnknownNameError
        For an unknown point or transformation.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> graph = inverse_distance(load_boundaries("province", "yrd"))
    >>> round(float(graph[310000].sum()), 12)
    1.0
    """
    check_choice("transformation", transformation, TRANSFORMATIONS)
    power = check_number("power", power, least=0, open_ends=True)
    distance = great_circle_distances(boundaries, points).to_numpy(copy=True)
    np.fill_diagonal(distance, np.inf)
    if threshold is not None:
        threshold = check_number("threshold", threshold, least=0, open_ends=True, unit="km")
        # A unit that is as far as the threshold but for rounding is within it.
        beyond = distance > threshold * (1 + ROUNDING)
        alone = np.asarray(beyond.all(axis=1))
        if alone.any():
            raise InvalidInputError(
                f"no unit within {threshold:g} km of {listed_places(boundaries, boundaries.index[alone])}: "
                f"the threshold must be at least {np.ceil(distance.min(axis=1).max()):.0f} km"
            )
        distance[beyond] = np.inf
    return _inverse(distance, power, boundaries.index, transformation)


class WithinAcross(NamedTuple):
    """Weights between units of one jurisdiction, and between units of different ones."""

    within: Graph
    across: Graph


def economic_distance(values: pd.Series, power: float = 1, *, transformation: str = "r") -> Graph:
    r"""Economic-distance weights (经济距离权重矩阵): the inverse gap of the units' means over the period.

    .. math:: w_{ij} = |\bar v_i - \bar v_j|^{-\alpha} \text{ for } j \ne i

    Two units with the same mean, but for rounding, take the smallest gap of any two that differ, so that no weight is
    infinite.
    Row-standardised weights do not depend on the unit of ``values``.

    Parameters
    ----------
    values : Series
        Such as GDP per head, by adcode, or by (adcode, year) with the same years for every unit. Taken from before the
        period under study, they are not themselves changed by the outcome.
    power : float
        :math:`\alpha`, positive.
    transformation : {"r", "b", "o"}
        Row-standardised, ones, or as they are.

    Returns
    -------
    Graph
        Keyed by adcode, in the order in which units first appear. Symmetric before standardisation.

    Raises
    ------
    InvalidInputError
        For missing values, units with different years, a power that is not positive, or values that are all the same.
    UnknownNameError
        For an unknown transformation.

    References
    ----------
    Case, A. C., Rosen, H. S. and Hines, J. R. (1993). Budget spillovers and fiscal policy interdependence. Journal of
    Public Economics 52, 285-307.

    Examples
    --------
    >>> import pandas as pd
    >>> economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}))["a"].to_dict()
    {'b': 0.8, 'c': 0.2}
    """
    check_choice("transformation", transformation, TRANSFORMATIONS)
    power = check_number("power", power, least=0, open_ends=True)
    mean = check_by_unit(values).mean(axis=1)
    if len(mean) < 2 or is_constant(mean.to_numpy()):
        raise InvalidInputError("the same value in every unit: there is no economic distance")
    level = snap(mean.to_numpy())
    gap = np.abs(np.subtract.outer(level, level))
    return _inverse(np.maximum(gap, gap[gap > 0].min()), power, mean.index, transformation)


def _units(w: WeightsLike, name: str) -> pd.Index:
    ids = weight_labels(w, name)
    if ids is None:
        raise InvalidInputError(
            f"{name}: expected weights as a Graph, a W or a labelled square DataFrame, got a {type(w).__name__}; label "
            f"a matrix, as with pd.DataFrame({name}, index=units, columns=units)"
        )
    return ids


def nested(geography: WeightsLike, economy: WeightsLike, *, transformation: str = "r") -> Graph:
    r"""Nested weights (经济地理嵌套权重矩阵): the product of two weights, element by element.

    .. math:: w_{ij} = w^{geo}_{ij} \, w^{eco}_{ij}

    After row-standardising it makes no difference whether the two were row-standardised before.

    Parameters
    ----------
    geography, economy : Graph, W or DataFrame
        Of the same units, in any order; a matrix must be labelled.
    transformation : {"r", "b", "o"}
        Row-standardised, ones, or the product as it is.

    Returns
    -------
    Graph
        Keyed and ordered as ``geography``.

    Raises
    ------
    InvalidInputError
        If the units differ, or a unit has neighbours in each but none in common.
    UnknownNameError
        For an unknown transformation.

    Examples
    --------
    >>> import pandas as pd
    >>> economy = economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}), transformation="o")
    >>> nested(economy, economy)["a"].round(4).to_dict()
    {'b': 0.9412, 'c': 0.0588}
    """
    check_choice("transformation", transformation, TRANSFORMATIONS)
    ids, others = _units(geography, "geography"), _units(economy, "economy")
    if len(differing := others.symmetric_difference(ids)):
        raise InvalidInputError(f"economy holds other units, such as {differing[0]}: choose the same units for both")
    near, alike = align_weights(geography, ids, "geography"), align_weights(economy, ids, "economy")
    product = near.matrix.multiply(alike.matrix).tocsr()
    alone = (product.sum(axis=1) == 0) & (near.row_sums > 0) & (alike.row_sums > 0)
    if alone.any():
        raise InvalidInputError(f"no neighbour in both geography and economy: {listed(ids[alone])}")
    return _graph(product, ids, transformation)


def within_and_across(
    graph: WeightsLike, groups: pd.Series | Mapping[Any, Any], standardise: str = "whole"
) -> WithinAcross:
    r"""Split weights into those within a jurisdiction and those across its border (辖区内与跨辖区权重).

    .. math:: w^{in}_{ij} = \frac{w_{ij} [g_i = g_j]}{s_i}, \quad w^{out}_{ij} = \frac{w_{ij} [g_i \ne g_j]}{s_i}

    With ``"whole"``, :math:`s_i = \sum_j w_{ij}` in both: the two add up to the row-standardised whole, so that their
    coefficients compare the effect of a neighbour here and there. With ``"each"`` either is divided by its own row sum:
    the coefficients then belong to the mean neighbour within and the mean neighbour across.

    Parameters
    ----------
    graph : Graph, W or DataFrame
        A matrix must be labelled.
    groups : Series or mapping
        Jurisdiction of each unit, such as its province, by the graph's keys; further units may be there.
    standardise : {"whole", "each"}

    Returns
    -------
    WithinAcross
        Two graphs over all the units, ``within`` and ``across``. A unit without neighbours of one kind has a row of
        zeros there.

    Raises
    ------
    InvalidInputError
        If a unit has no jurisdiction.
    UnknownNameError
        For another way to standardise.

    Examples
    --------
    >>> import pandas as pd
    >>> graph = economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}))
    >>> parts = within_and_across(graph, pd.Series({"a": 1, "b": 1, "c": 2}))
    >>> parts.within["a"].to_dict(), parts.across["a"].to_dict()
    ({'b': 0.8}, {'c': 0.2})
    """
    check_choice("standardisation", standardise, STANDARDISATIONS)
    ids = _units(graph, "graph")
    code = check_labels(groups, ids, "jurisdiction").factorize()[0]
    matrix = align_weights(graph, ids, "graph").standardised().matrix.tocoo()
    row, column = matrix.coords
    parts = []
    for kept in (code[row] == code[column], code[row] != code[column]):
        part = matrix.copy()
        part.data = np.where(kept, part.data, 0.0)
        parts.append(_graph(part.tocsr(), ids, "o" if standardise == "whole" else "r"))
    return WithinAcross(*parts)

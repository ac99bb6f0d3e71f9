"""Weights by great-circle distance (地理距离)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.places import check_boundaries, coordinates, great_circles, listed_places
from clusterlib.errors import InvalidInputError
from clusterlib.weights._base import TRANSFORMATIONS, make_graph

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from libpysal.graph import Graph


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
        Keyed by adcode, in the order of ``boundaries``. At an exact tie for the k-th place one of the units is taken.

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
    from sklearn.neighbors import BallTree

    check_choice("transformation", transformation, TRANSFORMATIONS)
    radians = np.radians(_degrees(boundaries, points)[["lat", "lon"]].to_numpy())
    n = len(boundaries)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k < n:
        raise InvalidInputError(f"k={k!r}: expected a whole number from 1 to {n - 1}, one less than the units")
    neighbour = BallTree(radians, metric="haversine").query(radians, k + 1, return_distance=False)[:, 1:]
    entries = (np.ones(n * k), neighbour.ravel(), np.arange(0, n * k + 1, k))
    return make_graph(csr_array(entries, shape=(n, n)), boundaries.index, transformation)


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
        For units at one point, a power that is not positive, or a threshold that leaves a unit without neighbours.
    UnknownNameError
        For an unknown point or transformation.

    Examples
    --------
    >>> from clusterlib.data import load_boundaries
    >>> graph = inverse_distance(load_boundaries("province", "yrd"))
    >>> round(float(graph[310000].sum()), 12)
    1.0
    """
    from scipy.sparse import csr_array

    check_choice("transformation", transformation, TRANSFORMATIONS)
    if not power > 0:
        raise InvalidInputError(f"power={power!r}: expected a positive number")
    distance = great_circle_distances(boundaries, points).to_numpy(copy=True)
    np.fill_diagonal(distance, np.inf)
    if threshold is not None:
        nearest = distance.min(axis=1)
        if not (nearest <= threshold).all():
            alone = listed_places(boundaries, boundaries.index[~(nearest <= threshold)])
            raise InvalidInputError(
                f"no unit within {threshold} km of {alone}: "
                f"the threshold must be at least {np.ceil(nearest.max()):.0f} km"
            )
        distance[distance > threshold] = np.inf
    return make_graph(csr_array(distance**-power), boundaries.index, transformation)

"""Where something lies and how it spreads (重心与标准差椭圆): mean centres and standard deviational ellipses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    ROUNDING,
    check_bounds,
    check_by_unit,
    check_choice,
    check_units,
    check_whole,
    is_constant,
    listed,
)
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame, GeoSeries

CONVENTIONS = ("arcgis", "yuill", "crimestat")
DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
# Metres: a centre moves by less where only the rounding of its sums differs.
_STILL = 1e-3


def _coordinates(places: GeoDataFrame | GeoSeries) -> tuple[pd.DataFrame, Any]:
    """Return the units' points, polygons standing for their centroids, and their projection."""
    if not hasattr(places, "crs"):
        raise InvalidInputError(f"expected a GeoDataFrame or GeoSeries, got a {type(places).__name__}")
    if places.crs is None or places.crs.is_geographic:
        raise InvalidInputError(
            "coordinates in degrees are no plane to average in: project the places first, as in "
            "places.to_crs(clusterlib.core.places.ALBERS)"
        )
    check_units(places.index, "place")
    centroid = places.geometry.centroid
    points = pd.DataFrame({"x": centroid.x, "y": centroid.y}, index=places.index)
    # What has no place on earth has none in the projection, or comes back from it as none.
    longitude, latitude = _degrees(points, places.crs)
    lost = ~(np.isfinite(points.to_numpy()).all(axis=1) & np.isfinite(longitude) & (np.abs(latitude) <= 90))
    if lost.any():
        raise InvalidInputError(
            f"no place in the projection for {listed(points.index[lost])}: the geometry is missing, or is not in the "
            "projection that it says, or longitude and latitude were swapped before it was projected"
        )
    return points, places.crs


def _degrees(points: pd.DataFrame, crs: Any) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer

    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(
        points["x"].to_numpy(float), points["y"].to_numpy(float)
    )


def _weights(weights: pd.Series | None, points: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return weights, one column a period, and the points of the units that have weights."""
    table = check_by_unit(pd.Series(1.0, points.index) if weights is None else weights)
    check_bounds(table, "weights")
    lacking = table.index.difference(points.index)
    if len(lacking):
        raise InvalidInputError(f"weights of {len(lacking)} unit(s) without a place: {listed(lacking)}")
    empty = table.columns[table.sum() == 0]
    if len(empty):
        raise InvalidInputError(f"no weight is above zero in {listed(empty)}")
    return table, points.loc[table.index]


def _centres(weights: pd.DataFrame, points: pd.DataFrame, crs: Any) -> pd.DataFrame:
    centre = (weights / weights.sum()).T @ points
    centre["longitude"], centre["latitude"] = _degrees(centre, crs)
    return centre.set_axis(weights.columns.rename(weights.columns.name or "period"))


def _migration(centre: pd.DataFrame) -> pd.DataFrame:
    from pyproj import Geod

    start, end = centre.iloc[:-1], centre.iloc[1:]
    bearing, _, metres = Geod(ellps="WGS84").inv(
        *(frame[name].to_numpy() for frame in (start, end) for name in ("longitude", "latitude"))
    )
    still = metres < _STILL
    bearing, metres = np.where(still, np.nan, bearing % 360), np.where(still, 0.0, metres)
    moved = pd.DataFrame({"distance": metres / 1000, "bearing": bearing}, index=end.index).reindex(centre.index)
    moved["direction"] = [DIRECTIONS[round(b / 45) % 8] if b == b else "" for b in moved["bearing"]]
    return moved


@dataclass(frozen=True, eq=False)
class MeanCentre(Result):
    """Weighted mean centre of each period and its migration (加权平均中心, 重心迁移).

    Attributes
    ----------
    table : DataFrame
        By period (one row, ``"all"``, if the weights have none): ``x``, ``y`` in the units of ``crs``, ``longitude``,
        ``latitude``; from the period before, the ``distance`` (km, on the ellipsoid), ``bearing`` (degrees clockwise
        from true north) and ``direction`` (``"N"``, ``"NE"`` ... ``"NW"``), which a centre that stays has not.
    total : dict
        ``distance``, ``bearing`` and ``direction`` from the first period to the last, and ``path``, the sum of the
        steps (km); empty with a single period.
    crs : CRS
    n : int
    """

    table: pd.DataFrame
    total: dict
    crs: Any
    n: int


def mean_centre(places: GeoDataFrame | GeoSeries, weights: pd.Series | None = None) -> MeanCentre:
    r"""Weighted mean centre and its migration over time (加权平均中心, 重心迁移).

    .. math:: \bar x = \frac{\sum_i w_i x_i}{\sum_i w_i}, \quad \bar y = \frac{\sum_i w_i y_i}{\sum_i w_i}

    The mean is taken in the plane of the projection; distances and bearings are those of the geodesic between centres
    on the WGS84 ellipsoid, so that the projection's distortion does not enter them.

    Parameters
    ----------
    places : GeoDataFrame or GeoSeries
        Points, or polygons that stand for their centroids, by unit; in a projection, such as the Albers equal-area
        conic of the maps (``clusterlib.core.places.ALBERS``). Units without a weight are left aside.
    weights : Series, optional
        Not negative, by unit or by (unit, time) with the same units in every period; by default one for each place.

    Returns
    -------
    MeanCentre

    Raises
    ------
    InvalidInputError
        For coordinates in degrees, weights of units without a place, missing or negative weights, or units that are
        not there in every period.

    References
    ----------
    Lefever, D. W. (1926). Measuring geographic concentration by means of the standard deviational ellipse. American
    Journal of Sociology 32, 88-94.

    Examples
    --------
    >>> import geopandas as gpd, pandas as pd
    >>> from clusterlib.core.places import ALBERS
    >>> places = gpd.GeoSeries.from_xy([0.0, 100_000.0], [4e6, 4e6], index=["a", "b"], crs=ALBERS)
    >>> float(mean_centre(places, pd.Series({"a": 3.0, "b": 1.0})).table.loc["all", "x"])
    25000.0
    """
    points, crs = _coordinates(places)
    table, points = _weights(weights, points)
    centre = _centres(table, points, crs)
    moved = _migration(centre)
    total = {}
    if len(centre) > 1:
        whole = _migration(centre.iloc[[0, -1]]).iloc[-1]
        total = {**whole.to_dict(), "path": float(moved["distance"].sum())}
    return MeanCentre(centre.join(moved), total, crs, len(points))


@dataclass(frozen=True, eq=False)
class DeviationalEllipse(Result):
    """Standard deviational ellipse of each period (标准差椭圆).

    Attributes
    ----------
    table : DataFrame
        By period: the centre as in :class:`MeanCentre`; semi-axes ``major`` and ``minor`` (km), ``rotation`` of the
        major axis (degrees clockwise from the projection's north, below 180; nil for a circle, which has none),
        ``area`` (km2) and ``flattening``, one less minor over major.
    convention : str
    crs : CRS
    n : int
    """

    table: pd.DataFrame
    convention: str
    crs: Any
    n: int

    def outlines(self, vertices: int = 180) -> GeoSeries:
        """Return each period's ellipse as a polygon, in ``crs``."""
        import geopandas as gpd
        import shapely

        vertices = check_whole("vertices", vertices, least=3)
        angle, per_km = np.linspace(0, 2 * np.pi, vertices, endpoint=False), 1000 / _metres(self.crs)
        shapes = []
        for x, y, major, minor, rotation in self.table[["x", "y", "major", "minor", "rotation"]].to_numpy():
            turn = np.radians(rotation)
            along, across = major * np.cos(angle) * per_km, minor * np.sin(angle) * per_km
            east = x + along * np.sin(turn) + across * np.cos(turn)
            north = y + along * np.cos(turn) - across * np.sin(turn)
            shapes.append(shapely.Polygon(np.column_stack([east, north])))
        return gpd.GeoSeries(shapes, index=self.table.index, crs=self.crs)


def _metres(crs: Any) -> float:
    """Return how many metres the unit of a projection is."""
    return float(crs.axis_info[0].unit_conversion_factor)


def _axes(weight: np.ndarray, offset: np.ndarray) -> tuple[float, float, float]:
    """Return the larger and smaller standard deviation and the angle of the first, clockwise from north."""
    covariance = (offset * weight[:, None]).T @ offset / weight.sum()
    variance, direction = np.linalg.eigh(covariance)
    minor, major = np.sqrt(np.maximum(variance, 0))
    east, north = direction[:, 1]
    return major, minor, 0.0 if is_constant(variance) else np.degrees(np.arctan2(east, north)) % 180


def deviational_ellipse(
    places: GeoDataFrame | GeoSeries, weights: pd.Series | None = None, convention: str = "arcgis"
) -> DeviationalEllipse:
    r"""Standard deviational ellipse, by period (标准差椭圆).

    .. math:: \Sigma = \frac{1}{\sum_i w_i} \sum_i w_i \begin{pmatrix} \tilde x_i^2 & \tilde x_i \tilde y_i \\
              \tilde x_i \tilde y_i & \tilde y_i^2 \end{pmatrix}, \quad a = c \sqrt{\lambda_1}, \quad
              b = c \sqrt{\lambda_2}

    with coordinates from the weighted mean centre, :math:`\lambda_1 \ge \lambda_2` the eigenvalues and :math:`c` the
    convention: 1 (Yuill), :math:`\sqrt 2` (ArcGIS: the ellipse then holds about 63 % of normally spread points), or
    :math:`\sqrt{2 n / (n - 2)}` (CrimeStat, with n the units of positive weight). It changes the size only.

    Axes are measured in the projection. In the Albers projection of the maps areas are true, while lengths between 22
    and 50 degrees north are up to 2 % too long from south to north and too short from west to east, or the reverse.

    Parameters
    ----------
    places : GeoDataFrame or GeoSeries
        As for :func:`mean_centre`.
    weights : Series, optional
        As for :func:`mean_centre`.
    convention : {"arcgis", "yuill", "crimestat"}

    Returns
    -------
    DeviationalEllipse

    Raises
    ------
    InvalidInputError
        As :func:`mean_centre`, and for fewer than three units of positive weight.
    UnknownNameError
        For an unknown convention.

    References
    ----------
    Lefever (1926), as above. Yuill, R. S. (1971). The standard deviational ellipse: an updated tool for spatial
    description. Geografiska Annaler B 53, 28-39. Levine, N. (2010). CrimeStat, ch. 4.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from clusterlib.core.places import ALBERS
    >>> cross = gpd.GeoSeries.from_xy([-2e5, 2e5, 0, 0], [4e6, 4e6, 3.9e6, 4.1e6], crs=ALBERS)
    >>> deviational_ellipse(cross).table[["major", "minor", "rotation"]].round(6).values.tolist()
    [[200.0, 100.0, 90.0]]
    """
    check_choice("convention", convention, CONVENTIONS)
    points, crs = _coordinates(places)
    table, points = _weights(weights, points)
    centre = _centres(table, points, crs)
    rows = []
    for (period, weight), middle in zip(table.items(), centre[["x", "y"]].to_numpy(), strict=True):
        n = int((weight > 0).sum())
        if n < 3:
            raise InvalidInputError(f"{n} unit(s) of positive weight in {period}: an ellipse needs three")
        factor = {"yuill": 1.0, "arcgis": np.sqrt(2), "crimestat": np.sqrt(2 * n / (n - 2))}[convention]
        factor *= _metres(crs) / 1000
        major, minor, rotation = _axes(weight.to_numpy(), points.to_numpy() - middle)
        if major <= ROUNDING * np.abs(points.to_numpy()).max():
            raise InvalidInputError(f"all weight is at one point in {period}: there is no spread")
        rows.append((factor * major, factor * minor, rotation, np.pi * factor**2 * major * minor, 1 - minor / major))
    shape = pd.DataFrame(rows, columns=["major", "minor", "rotation", "area", "flattening"], index=centre.index)
    return DeviationalEllipse(centre.join(shape), convention, crs, len(points))

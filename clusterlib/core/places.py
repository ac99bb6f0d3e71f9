"""Where units are: coordinates in degrees, the projection of maps, great-circle distances (大圆距离)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_floats, check_choice, check_columns, check_degrees, check_units, listed
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

# Longitude and latitude, in which boundaries are kept.
CRS = "EPSG:4326"
# Equal-area, the standard parallels and meridian customary for maps of China.
ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m +no_defs"
EARTH_RADIUS = 6371.0088
POINTS = ("centroid", "representative")


def check_boundaries(boundaries: GeoDataFrame, least: int = 2) -> None:
    """Raise InvalidInputError unless these are units with a geometry each, in degrees that places can have."""
    if not hasattr(boundaries, "crs"):
        raise InvalidInputError(
            f"expected a GeoDataFrame, as of clusterlib.data.load_boundaries, got a {type(boundaries).__name__}"
        )
    if len(boundaries) < least:
        raise InvalidInputError(f"{len(boundaries)} unit(s): weights join at least two")
    check_units(boundaries.index, "row")
    if boundaries.crs is None or not boundaries.crs.is_geographic:
        raise InvalidInputError("expected boundaries in degrees: use boundaries.to_crs('EPSG:4326')")
    empty = boundaries.index[boundaries.geometry.isna() | boundaries.geometry.is_empty]
    if len(empty):
        raise InvalidInputError(f"no geometry for {listed(empty)}")
    bounds = boundaries.geometry.bounds
    for lon, lat in (("minx", "miny"), ("maxx", "maxy")):
        check_degrees(bounds[lon].to_numpy(), bounds[lat].to_numpy(), boundaries.index)


def names_of(places: pd.DataFrame) -> pd.Series:
    """Return the Chinese names by unit, empty where there are none."""
    names = places["name_zh"] if "name_zh" in places else pd.Series("", index=places.index)
    return names.astype("str")


def listed_places(places: pd.DataFrame, units: pd.Index) -> str:
    """Return names and codes of these units for a message."""
    return listed(f"{name} ({unit})".strip() for unit, name in names_of(places)[units].items())


def coordinates(places: GeoDataFrame | pd.DataFrame, points: str = "centroid") -> pd.DataFrame:
    """Return longitude and latitude in degrees by unit, of units that are not at one point.

    Parameters
    ----------
    places : GeoDataFrame or DataFrame
        Boundaries or points in degrees by unit, or columns ``lon`` and ``lat``.
    points : {"centroid", "representative"}
        Of boundaries that are areas; centroids are computed in the equal-area projection of the maps.

    Raises
    ------
    InvalidInputError
        For places without a geometry, out of the bounds of degrees, or at one point.
    UnknownNameError
        For another kind of point.
    """
    check_choice("point of a unit", points, POINTS)
    if not hasattr(places, "crs"):
        if not isinstance(places, pd.DataFrame) or not {"lon", "lat"} <= set(places.columns):
            raise InvalidInputError("places: expected boundaries, or columns 'lon' and 'lat' in degrees")
        found = as_floats(places, check_columns(places, ["lon", "lat"]))
        check_degrees(found["lon"].to_numpy(), found["lat"].to_numpy(), places.index)
        return _distinct(places, found)
    boundaries = cast("GeoDataFrame", places)
    check_boundaries(boundaries, 1)
    geometry = boundaries.geometry
    if (geometry.geom_type == "Point").all():
        at = geometry
    elif points == "centroid":
        at = geometry.to_crs(ALBERS).centroid.to_crs(geometry.crs)  # type: ignore[arg-type]
    else:
        at = geometry.representative_point()
    return _distinct(boundaries, pd.DataFrame({"lon": at.x, "lat": at.y}, index=boundaries.index))


def _distinct(places: pd.DataFrame, degrees: pd.DataFrame) -> pd.DataFrame:
    same = (degrees * np.pi / 180).round(9).duplicated(keep=False)
    if same.any():
        raise InvalidInputError(
            f"at one point: {listed_places(places, places.index[same])}; units need a distance between them"
        )
    return degrees


def great_circles(degrees: pd.DataFrame) -> np.ndarray:
    r"""Return distances in km between all places by the haversine formula, shape (places, places).

    .. math:: d_{ij} = 2R \arcsin \sqrt{\sin^2\frac{\varphi_i - \varphi_j}{2}
              + \cos\varphi_i \cos\varphi_j \sin^2\frac{\lambda_i - \lambda_j}{2}}, \quad R = 6371.0088 \text{ km}

    Parameters
    ----------
    degrees : DataFrame
        Columns ``lon`` and ``lat``.
    """
    from sklearn.metrics.pairwise import haversine_distances

    return EARTH_RADIUS * haversine_distances(np.radians(degrees[["lat", "lon"]].to_numpy()))

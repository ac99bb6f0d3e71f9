"""Messy sheets become tidy facts, each with its place, or are refused with the place of what is wrong."""

from __future__ import annotations

import contextlib
import datetime
import math
import random
import re
import resource
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.data._sheets._cells import read_label, read_number, read_unit, read_year
from clusterlib.data._sheets._grid import read_grid
from clusterlib.data._sheets._layout import Reading
from clusterlib.errors import ClusterlibError, InvalidInputError, SheetError, UnknownNameError

SHEETS = Path(__file__).parent / "sheets"
FILES = sorted(path for path in SHEETS.iterdir() if path.suffix != ".py" and path.is_file())
NAMES = {110000: "北京", 310000: "上海", 320000: "江苏", 330000: "浙江", 230000: "黑龙江"}


def read(name, **asked):
    return cl.data.read_yearbook(SHEETS / name, **asked)


def refused(name, **asked):
    with pytest.raises(SheetError) as wrong:
        read(name, **asked)
    return [str(problem) for problem in wrong.value.problems]


def cells(sheet, indicator="地区生产总值"):
    facts = sheet.facts[sheet.facts["indicator"] == indicator]
    return {(code, year): value for code, year, value in facts[["code", "year", "value"]].itertuples(index=False)}


@pytest.fixture(scope="module")
def shipped():
    """The same figures as the package ships them."""
    panel = cl.data.load_panel("province", ["gdp", "resident_population"], years="2022:2023").loc[list(NAMES)]
    return panel["gdp"].to_dict(), panel["resident_population"].to_dict()


ENCODED = ["gbk", "gb18030", "utf-8", "utf-8-sig", "utf-16"]


@pytest.mark.parametrize("encoding", ENCODED)
def test_an_export_of_the_bureau_is_read_in_any_encoding(encoding, shipped):
    sheet = read(f"nbs_{encoding}.csv")
    assert cells(sheet) == shipped[0]
    assert set(sheet.facts["unit"]) == {"亿元"}
    assert sheet.understood.footnotes[:2] == ("注：2023年为初步核算数。", "数据来源：国家统计局")
    assert encoding in sheet.understood.summary()
    assert sheet.problems == []
    first = sheet.facts.iloc[0]
    assert (first["name"], first["row"], first["column"]) == ("北京市", 5, "B")


@pytest.mark.parametrize(
    "name", ["indicator_over_year.xlsx", "year_over_indicator.xlsx", "yearbook.xls", "labels.dta", "labels.sav",
             "wide.parquet"],
)  # fmt: skip
def test_two_head_rows_workbooks_and_statistical_files_say_the_same(name, shipped):
    sheet = read(name)
    assert cells(sheet) == shipped[0]
    people = "人口" if "人口" in set(sheet.facts["indicator"]) else "年末常住人口"
    assert cells(sheet, people) == shipped[1]
    assert dict(sheet.facts[["indicator", "unit"]].drop_duplicates().to_numpy()) == {
        "地区生产总值": "亿元",
        people: "万人",
    }
    assert sheet.problems == []


def test_ends_of_lines_are_those_of_any_system(tmp_path, shipped):
    text = (SHEETS / "nbs_utf-8.csv").read_text("utf-8")
    for end in ("\r\n", "\r"):
        (tmp_path / "x.csv").write_bytes(text.replace("\n", end).encode())
        assert cells(cl.data.read_yearbook(tmp_path / "x.csv")) == shipped[0]


def test_the_nation_and_groups_are_left_out_by_row():
    left = read("indicator_over_year.xlsx").understood.left_out
    assert [(one.row, one.name) for one in left] == [(5, "全 国 National Total"), (6, "东部地区")]


def test_names_across_keep_their_places(shipped):
    sheet = read("nbs_turned.csv")
    assert cells(sheet) == shipped[0]
    shanghai = sheet.facts.set_index(["code", "year"]).loc[(310000, 2022)]
    assert (shanghai["row"], shanghai["column"]) == (4, "C")


def test_a_sheet_of_one_province_has_its_name_above():
    sheet = read("nbs_one_province.csv")
    assert cells(sheet) == {(330000, 2023): 85619.6, (330000, 2022): 80770}
    assert cells(sheet, "年末常住人口") == {(330000, 2023): 6627, (330000, 2022): 6577}


def test_order_translation_and_repeated_heads_are_left_out_with_reasons():
    sheet = read("columns_of_names.xlsx")
    assert cells(sheet) == {(c, 2023): v for c, v in {320500: 24653, 330100: 20059, 330200: 16453, 440300: 34606,
                                                      341000: 1046}.items()}  # fmt: skip
    assert {(one.row, one.column) for one in sheet.understood.left_out} == {
        (0, "A"),
        (0, "C"),
        (9, ""),
        (10, ""),
    }
    (problem,) = sheet.problems
    assert problem.line == 11 and "'广东省' is a province in a table of level city" in problem.reason


def test_long_tables_blank_names_and_halves():
    assert cells(read("long.csv", indicator="gdp"), "gdp")[310000, 2023] == 51404.5
    down = read("indicators_down.tsv")
    assert down.facts.set_index(["code", "indicator"]).loc[(330100, "移动电话用户"), ["value", "unit"]].tolist() == [
        1881,
        "万户",
    ]
    assert cells(read("blank_names.csv"))[320500, 2023] == 24653
    assert cells(read("halves.csv"), "人口") == {(110000, 2023): 2186, (310000, 2023): 2487, (320000, 2023): 8526,
                                               (330000, 2023): 6627, (230000, 2023): 3062}  # fmt: skip


def test_figures_are_read_as_they_are_written():
    sheet = read("numbers.csv", years=2023)
    assert dict(sheet.facts[["name", "value"]].to_numpy()) == {
        "北京市": 2186, "上海市": 2487, "江苏省": 8526, "浙江省": 6627, "黑龙江省": -37,
        "广东省": 12706, "福建省": 4183,
        "山东省": 10123,
    }  # fmt: skip
    assert sheet.facts.set_index("name")["note"].loc[["浙江省", "广东省", "山东省"]].tolist() == ["①", "[1]", "*"]
    assert sheet.problems == []
    assert set(read("percent.csv").facts["unit"]) == {"%"}
    # A share that a spreadsheet shows as 87.8% is kept in it as 0.878.
    assert read("share_format.xlsx").facts["value"].tolist() == [87.8, 89.5, 75]


def test_what_is_no_figure_is_told_by_cell():
    assert [(p.line, p.column) for p in read("wrong_cells.csv").problems] == [(3, "B"), (4, "B"), (5, "B")]
    (problem,) = read("errors.xls").problems
    assert (problem.sheet, problem.line, problem.column) == ("人口", 3, "B") and "#N/A" in problem.reason
    told = [str(problem) for problem in read("errors.xlsx").problems]
    assert [text.split(": ")[0].removeprefix("errors.xlsx, sheet '3-1', ") for text in told] == [
        "row 3, column 'B'", "row 3, column 'C'", "row 4, column 'B'", "row 5, column 'C'",
    ]  # fmt: skip
    assert [word in text for word, text in zip(["#DIV/0!", "formula", "2023-12-31", "True"], told, strict=True)] == [
        True
    ] * 4


def test_a_name_that_is_not_known_keeps_its_figures_and_is_told_with_near_ones():
    sheet = read("unknown_name.csv")
    assert sheet.facts.set_index("name")["code"].isna().to_dict() == {"苏州市": False, "杭洲市": True, "宁波市": False}
    (problem,) = sheet.problems
    assert (problem.line, problem.column) == (3, "A") and "330100 杭州市" in problem.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("repeated.csv", "row 4, column 'B': 北京 2023 人口 stands in row 2"),
        ("quarters.csv", "column 'B': '2023年1-6月' is a part of a year"),
        ("no_year.csv", "say years="),
        ("long.csv", "say indicator="),
        ("codes_disagree.csv", "row 3, column 'A': the code is of 330200"),
        ("two_tables.csv", "row 4: '城市名' is no unit"),
        ("sheets.xlsx", "'人口', '说明'; name one with sheet="),
        ("far_away.xlsx", "1,048,576 rows by 16,384 columns"),
    ],
)
def test_a_sheet_with_two_readings_is_refused(name, told):
    assert any(told in text for text in refused(name)), refused(name)


@pytest.mark.parametrize("day", ["2022-12-31", "2022/12/31"])
def test_the_last_day_of_a_year_is_that_year_and_another_day_none(day, tmp_path):
    sheet = read("csmar_dates.csv")
    assert cells(sheet) == {(320500, 2022): 23958.3, (330100, 2022): 18753}
    assert "31 December read as its year" in sheet.understood.summary("en")
    heads = read("dates.xlsx", indicator="产值", unit="亿元")
    assert set(heads.facts["year"]) == {2022, 2023} and "12 月 31 日读作当年" in heads.understood.summary("zh")
    path = tmp_path / "days.csv"
    path.write_text(
        f"地区,年份,产值(亿元)\n北京,{day},1\n上海,{day.replace('12', '06').replace('31', '30')},2\n", "utf-8"
    )
    sheet = cl.data.read_yearbook(path)
    assert cells(sheet, "产值") == {(110000, 2022): 1}
    assert "row 3, column 'B'" in str(sheet.problems[0]) and "=YEAR()" in str(sheet.problems[0])


def test_parts_of_years_are_left_out_where_years_are_asked_for():
    sheet = read("quarters.csv", indicator="产值", unit="亿元", years=2023)
    assert cells(sheet, "产值") == {(110000, 2023): 47353.7, (310000, 2023): 51404.5} and not sheet.problems
    assert "B" in {left.column for left in sheet.understood.left_out}
    (problem,) = read("quarters.csv", indicator="产值", unit="亿元").problems
    assert "delete it, or say the years to take by years=" in problem.reason


def test_an_indicator_is_asked_for_by_either_of_its_names():
    path = "city_yearbook.xlsx"
    for name in read(path).facts["indicator"].unique():
        as_imported = "_".join(name.replace("(", " ").replace(")", " ").split())
        assert set(read(path, indicator=as_imported).facts["indicator"]) == {name}


def test_what_is_asked_settles_what_the_sheet_leaves_open():
    assert cells(read("sheets.xlsx", sheet="人口"), "人口") == {(110000, 2023): 2186, (310000, 2023): 2487}
    assert cells(read("no_year.csv", years=2023), "人口")[110000, 2023] == 2186
    assert cells(read("database.csv"), "地区生产总值(现价)")[330000, 2023] == 85619.6
    assert "say years=" in refused("span.csv")[0]
    assert set(read("two_units.csv", indicator="人口").facts["unit"]) == {"万人"}
    assert set(read("nbs_gbk.csv", years=2022).facts["year"]) == {2022}
    for asked in ({"sheet": "无"}, {"level": "town"}, {"years": 1999}):
        with pytest.raises(UnknownNameError):
            read("sheets.xlsx", **{"sheet": "人口", **asked})
    with pytest.raises(InvalidInputError):
        read("nbs_gbk.csv", unit=3)
    assert "is no file" not in refused("absent.csv")[0] and "no such file" in refused("absent.csv")[0]


def test_units_are_converted_by_powers_of_ten_within_one_dimension_alone():
    sheet = read("nbs_gbk.csv", unit="万元")
    assert cells(sheet)[310000, 2022] == 485945000 and set(sheet.facts["unit"]) == {"万元"}
    assert (
        "unit: 亿元" in sheet.understood.summary("en")
        and "亿元 to 万元" in sheet.understood.summary("en")
        and "换算" in sheet.understood.summary("zh")
    )
    assert "which is no 万人" in refused("nbs_gbk.csv", unit="万人")[0]
    assert "is not known" in refused("nbs_gbk.csv", unit="斗")[0]


@pytest.mark.parametrize(
    ("text", "unit", "power"),
    [("亿元", "亿元", 8), ("（万 人）", "万人", 4), ("100 million yuan", "亿元", 8), ("10,000 persons", "万人", 4),
     ("1e8 yuan", "亿元", 8), ("％", "%", -2), ("‰", "‰", -3), ("平方公里", "平方公里", 0),
     ("万平方千米", "万平方公里", 4),
     ("元/人", "元/人", 0), ("万户", "万户", 4),
     ("亿立方米", "亿立方米", 8), ("件", "件", 0), ("上年=100", "上年=100", 0)],
)  # fmt: skip
def test_units_have_one_form(text, unit, power):
    found = read_unit(text)
    assert found is not None and (found.text, found.power) == (unit, power)


@pytest.mark.parametrize("text", ["人口", "斗", "", "万", "元件", "2023"])
def test_other_words_are_no_units(text):
    assert read_unit(text) is None


def test_years_and_heads():
    assert [read_year(cell) for cell in (2023.0, "２０２３年", "2023", "2023年末", "(2023年)")] == [2023] * 5
    assert [read_year(cell) for cell in (2023.5, "2023年1月", "20230", True, None, 1.0)] == [None] * 6
    for head in ("gdp2022", "GDP_2022", "GDP 2022 (100 million yuan)", "2022 gdp"):
        assert (read_label(head).words.lower(), read_label(head).year) == ("gdp", 2022)
    assert [read_label(head).year for head in ("2018-2023年增长率", "GDP 2018-2023", "12022", "指数(2015=100)")] == [
        None
    ] * 4
    label = read_label("2023年地区生产总值（亿元） Gross Regional Product")
    assert (label.words, label.year, label.unit and label.unit.text) == ("地区生产总值", 2023, "亿元")


@given(st.floats(-1e12, 1e12).map(lambda value: round(value, 3)))
@settings(max_examples=60, deadline=None)
def test_a_number_is_the_same_in_every_dress(value):
    plain = f"{value:.3f}"
    wide = plain.translate(str.maketrans("0123456789.-", "０１２３４５６７８９．－"))
    dressed = [plain, wide, f"{value:,.3f}", f" {plain}　", f"{plain}①", f"({plain[1:]})" if value < 0 else plain]
    assert {read_number(text).value for text in dressed} == {value}


def test_the_summary_is_in_the_language_asked_and_escaped(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("地区,2023年人口(万人)\n北京,2186\n<script>,1\n注：<b>x</b>,\n", "utf-8")
    sheet = cl.data.read_yearbook(path)
    assert "单位：万人，在表头" in sheet.summary("zh") and "unit: 万人 in the head" in sheet.summary("en")
    assert "<script>" not in sheet._repr_html_() and "<b>x" not in sheet._repr_html_()


@pytest.mark.parametrize(
    "content",
    [b"", b"\n \n", b"<html><table></table>", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1", b"$FL2", b"<stata_dta>",
     b"\x00\x01\x02", '地区,2023\n"北京,1\n'.encode(), b"\xff\xff\xff", "地区,人口\n甲,乙\n".encode(), b"1,2\n3,4\n"],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, content):
    for name in ("x.csv", "x.xls", "x.xlsx", "x.dta", "x.sav"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SheetError):
            cl.data.read_yearbook(tmp_path / name)


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("clusterlib.data._sheets._grid.MOST_UNPACKED", 1_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/a", bytes(1_000_001))
    with pytest.raises(SheetError, match="unpacks to more"):
        cl.data.read_yearbook(tmp_path / "bomb.xlsx")


def written(tmp_path, *lines, name="x.csv"):
    (tmp_path / name).write_text("\n".join(lines), "utf-8")
    return tmp_path / name


def stopped(path, **asked):
    with pytest.raises(SheetError) as wrong:
        cl.data.read_yearbook(path, **asked)
    return "\n".join(map(str, wrong.value.problems))


def test_figures_of_prefectures_do_not_go_to_cities_of_the_same_name(tmp_path):
    names = {
        "昆明": 530100,
        "曲靖": 530300,
        "大理": 532900,
        "楚雄": 532300,
        "红河": 532500,
        "文山": 532600,
        "德宏": 533100,
    }
    rows = [f"{name},{k}.5" for k, name in enumerate(names)]
    sheet = cl.data.read_yearbook(written(tmp_path, "2020年云南各州市GDP(亿元)", "地区,GDP", *rows))
    assert sheet.level == "city" and dict(sheet.facts[["name", "code"]].to_numpy()) == names
    open_to_both = written(tmp_path, "2020年GDP(亿元)", "地区,GDP", "大理,1.5", "楚雄,2.5")
    assert "say level= city or county" in stopped(open_to_both)
    assert cl.data.read_yearbook(open_to_both, level="county").facts["code"].tolist() == [532901, 532301]
    # A city at county level beside names that are of either level.
    mixed = written(tmp_path, "2020年GDP(亿元)", "地区,GDP", "昆明,5.5", "大理,1.5", "楚雄,2.5", "瑞丽市,3.5")
    assert "say level=" in stopped(mixed)


def test_the_province_beside_a_name_says_which_unit_is_meant(tmp_path):
    lines = ["省份,区县,2023年人口(万人)", "北京市,朝阳区,344", ",海淀区,312", "吉林省,朝阳区,110"]
    sheet = cl.data.read_yearbook(written(tmp_path, *lines), level="county")
    assert sheet.facts["code"].tolist() == [110105, 110108, 220104] and sheet.problems == []
    assert "lie in: column A" in sheet.summary("en")
    alone = written(tmp_path, "区县,2023年人口(万人)", "朝阳区,344", "海淀区,312")
    told = stopped(alone, level="county")
    assert "110105 朝阳区" in told and "row 2" in told and "name its province or city" in told
    wrong = cl.data.read_yearbook(
        written(tmp_path, "省份,城市,2023年人口(万人)", "江苏,杭州,1", "江苏,苏州,2"), level="city"
    )
    assert wrong.facts["code"].isna().tolist() == [True, False]
    assert "no city in 江苏" in wrong.problems[0].reason


def test_names_and_codes_of_the_sheet_s_year_become_those_of_today(tmp_path):
    path = written(tmp_path, "2005年专利(件)", "城市,专利", "襄樊市,312", "杭州市,900", "巢湖市,40", "合肥市,500")
    sheet = cl.data.read_yearbook(path, level="city")
    codes = sheet.facts.set_index("name")["code"]
    assert codes[["襄樊市", "杭州市", "合肥市"]].tolist() == [420600, 330100, 340100] and pd.isna(codes["巢湖市"])
    (problem,) = sheet.problems
    assert (problem.line, problem.column) == (5, "A") and "has no code of today (divided" in problem.reason


@pytest.mark.parametrize("first", ["襄樊市,312", "某某市,1,2", "杭洲市,0,1"])
def test_first_rows_of_data_are_no_numbers_of_columns(tmp_path, first):
    path = written(tmp_path, "2023年专利", "城市,专利(件),发明(件)", first, "杭州市,900,90", "苏州市,800,80")
    sheet = cl.data.read_yearbook(path)
    assert 3 in set(sheet.facts["row"]) and sheet.understood.left_out == ()


@pytest.mark.parametrize("numbers", ["甲,1,2", ",1,2", "1,2,3", "甲,乙,1"])
def test_numbers_of_columns_are_left_out(tmp_path, numbers):
    path = written(tmp_path, "2023年专利", "城市,专利(件),发明(件)", numbers, "杭州市,900,90", "苏州市,800,80")
    sheet = cl.data.read_yearbook(path)
    left = [one.row for one in sheet.understood.left_out]
    assert left == [3] and sheet.facts["value"].tolist() == [900, 90, 800, 80] and sheet.problems == []


def test_the_lowest_unit_of_a_head_is_that_of_the_figures(tmp_path):
    head = ["2023年", "地区,地区生产总值(亿元),", ",总量,增速(%)"]
    sheet = cl.data.read_yearbook(written(tmp_path, *head, "北京市,43760.7,5.2", "上海市,47218.7,5.0"))
    units = dict(sheet.facts[["indicator", "unit"]].drop_duplicates().to_numpy())
    assert units == {"地区生产总值 总量": "亿元", "地区生产总值 增速": "%"}


@pytest.mark.parametrize(
    "text",
    ["GDP(2020年不变价)", "GDP(按2020年价格计算)", "1978年以来的GDP", "指数(以1978年为100)", "GDP(2015年可比价)",
     "指数(2015年=100)",
     "GDP at 2010 constant prices", "中国统计年鉴2024", "2024年统计年鉴", "GDP(2020年价)"],
)  # fmt: skip
def test_years_of_a_base_are_not_those_of_figures(text, tmp_path):
    assert read_label(text).year is None
    assert "年鉴" in text or read_label(f"2023年{text}").year == 2023
    year = next(word for word in ("1978", "2010", "2015", "2020", "2024") if word in text)
    label = read_label(text)
    assert year in f"{label.words} {label.unit}"
    path = written(tmp_path, f"{text}", "地区,GDP(亿元)", "北京市,1.5", "上海市,2.5")
    assert "no year was found" in stopped(path)


def test_a_title_and_a_head_of_different_years_are_refused(tmp_path):
    rows = ["北京市,1.5", "上海市,2.5"]
    assert "above the table is 2022, in it 2023" in stopped(
        written(tmp_path, "2022年人口", "地区,2023年人口(万人)", *rows)
    )
    down = written(tmp_path, "2022年人口", "地区,年份,人口(万人)", "北京市,2021,1.5", "上海市,2021,2.5")
    assert "above the table is 2022, in it 2021" in stopped(down)
    both = written(tmp_path, "2023年人口", "地区,2023年人口(万人),2022年人口(万人)", "北京市,1.5,2", "上海市,2.5,3")
    assert len(cl.data.read_yearbook(both).facts) == 4


@pytest.mark.parametrize(
    "line",
    ["就业(万人),", "单位：万人,", "2022年,", "2022,", "就业人员,", "表1-2 就业,", "地区,2022", "就业人员,单位：万人"],
)
def test_a_second_table_below_the_first_is_refused(line, tmp_path):
    path = written(tmp_path, "2023年", "地区,人口(万人)", "北京市,2186", "上海市,2487", line, "江苏省,1132", "浙江省,5")
    assert "row 5" in stopped(path)


def test_headings_of_groups_and_notes_between_figures_are_left_out(tmp_path):
    lines = [
        "杭州市,1252",
        "一、地级市,",
        "宁波市,970",
        "其中：,",
        "温州市,976",
        "注：2023年为常住人口。,",
        "嘉兴市,558",
    ]
    sheet = cl.data.read_yearbook(written(tmp_path, "城市,2023年人口(万人)", *lines))
    assert sheet.facts["value"].tolist() == [1252, 970, 976, 558]
    assert [one.row for one in sheet.understood.left_out] == [3, 5]


def test_exports_of_platforms_are_read():
    assert cells(read("cnrds.csv"), "地区生产总值(现价)") == {
        (320500, 2022): 23958.3, (320500, 2023): 24653.4, (320200, 2023): 15456.2, (330100, 2023): 20059,
    }  # fmt: skip
    assert cells(read("cnrds.csv"), "年末户籍人口") == {(320500, 2022): 775, (320200, 2023): 516}
    eps = read("eps.csv")
    assert cells(eps)[320500, 2021] == 22718.3 and cells(eps, "年末户籍人口")[330100, 2022] == 847
    assert eps.facts.groupby("indicator")["unit"].unique().map(list).to_dict() == {
        "地区生产总值": ["亿元"], "年末户籍人口": ["万人"],
    }  # fmt: skip
    assert eps.understood.footnotes == ("数据来源：中国城市统计年鉴",) and len(eps.facts) == 10


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nbs_no_indicator.csv", "say indicator="),
        ("nbs_nation.csv", "the sheet has no unit of any level"),
        ("finance_index.xlsx", "'province', 'city', 'county'; name one with sheet="),
        ("counties.xlsx", "say level= city or county"),
    ],
)
def test_what_an_export_leaves_open_is_asked_for(name, told):
    assert any(told in text for text in refused(name))


def test_an_index_of_three_levels_is_read_sheet_by_sheet():
    city = read("finance_index.xlsx", sheet="city", indicator="index_aggregate", unit="指数")
    assert cells(city, "index_aggregate") == {(320500, 2022): 330.5, (330100, 2022): 352.1} and city.problems == []
    assert "no unit was found" in read("finance_index.xlsx", sheet="city").problems[0].reason
    county = read("finance_index.xlsx", sheet="county", level="county", unit="指数")
    assert cells(county, "index_aggregate") == {(110105, 2022): 130.5, (220104, 2022): 120.1, (330122, 2022): 128.4}
    asked = read("nbs_no_indicator.csv", indicator="人口", unit="万人")
    assert cells(asked, "人口")[310000, 2022] == 2475


def test_a_whole_city_and_its_districts_are_two_indicators():
    sheet = read("city_yearbook.xlsx")
    assert cells(sheet, "地区生产总值 全市")[320500, 2022] == 23958.3
    assert cells(sheet, "地区生产总值 市辖区")[320500, 2022] == 11000
    assert sorted(sheet.facts["indicator"].value_counts()) == [3] * 4
    assert [one.row for one in sheet.understood.left_out] == [5, 8]


def test_counties_lie_in_the_province_above_the_table_and_the_city_above_their_row():
    sheet = read("counties.xlsx", level="county")
    assert cells(sheet) == {
        (130102, 2022): 700.5, (130104, 2022): 900.1, (130123, 2022): 380.2, (130503, 2022): 120.5,
        (130582, 2022): 250.4, (pd.NA, 2022): 1,
    }  # fmt: skip
    assert "lie in: 河北省, above the table; the row above that names it" in sheet.summary("en")
    assert [(one.row, one.name) for one in sheet.understood.left_out] == [(4, "石家庄市"), (8, "邢台市")]
    (problem,) = sheet.problems
    assert "'朝阳区' is no county in 河北省" in problem.reason and sheet.unresolved == [problem]


@pytest.mark.parametrize(
    ("title", "name", "code"),
    [
        ("吉林省各县区人口", "朝阳区", 220104),
        ("2023年北京人口", "朝阳区", 110105),
        ("贵州省各县市区", "白云区", 520113),
    ],
)
def test_a_title_that_names_one_province_decides_names_of_several(title, name, code, tmp_path):
    path = written(tmp_path, title, "区县,2023年人口(万人)", f"{name},1.5")
    assert cl.data.read_yearbook(path, level="county").facts["code"].tolist() == [code]
    assert "may be" in stopped(written(tmp_path, "区县,2023年人口(万人)", f"{name},1.5"), level="county")
    both = written(tmp_path, f"吉林省、北京市与贵州省：{title}", "区县,2023年人口(万人)", f"{name},1.5")
    assert "may be" in stopped(both, level="county")


def test_codes_of_counties_that_no_table_has_become_those_of_today(tmp_path):
    lines = ["代码,区县,2012年人口(万人)", "330122,桐庐县,40.1", "542623,米林县,2.3", "110105,朝阳区,374.5"]
    sheet = cl.data.read_yearbook(written(tmp_path, *lines), level="county")
    assert sheet.facts["code"].tolist() == [330122, 540481, 110105] and sheet.problems == []
    alone = written(tmp_path, "县代码,年份,人口(万人)", "330122,2012,40.1", "542623,2012,2.3", "110105,2012,3")
    sheet = cl.data.read_yearbook(alone, level="county")
    assert sheet.facts["code"].tolist() == [330122, 540481, 110105]


ROWS = ("北京市,2022,1.5", "上海市,2022,2.5")


@pytest.mark.parametrize(
    ("lines", "asked", "told"),
    [
        (("地区,年份,2023年人口(万人)", *ROWS), {}, "years stand in this column and in the head"),
        (("地区,年份,人口(万人)", *ROWS), {"indicator": "就业"}, "no indicator '就业'; the sheet has '人口'"),
        (("地区,年份,人口(万人)", *ROWS), {"sheet": "表一"}, "only workbooks (.xls, .xlsx) have sheets"),
        (("地区：北京市", "甲,乙", "人口,1.5"), {}, "the sheet is of one unit, but no column is headed"),
        (("代码,地区,2023年人口(万人)", "330106,朝阳区,1.5", "110105,朝阳区,2.5"), {"level": "county"}, "'朝阳区'"),
        (("地区,年份,人口", *ROWS), {"unit": "斗"}, "unit='斗' is not known"),
    ],
)
def test_what_contradicts_itself_or_is_not_there_is_refused(lines, asked, told, tmp_path):
    assert told in stopped(written(tmp_path, *lines), **asked)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("单位：斗", "地区,年份,人口", *ROWS), "the unit '斗' above the table is not known"),
        (
            ("地区,年份,指标,数值", "北京市,2022,人口(万人),1.5", "上海市,2022,,2.5"),
            "no indicator is named in this row",
        ),
        (("地区,年份,单位,人口", "北京市,2022,万人,1.5", "上海市,2022,斗,2.5"), "the unit '斗' is not known"),
        (("地区,2022年人口(万人),就业(万人)", "北京市,1.5,2", "上海市,2.5,2"), "no year in this head"),
        (("地区,2022年人口(万人)", "北京市,1.5", "上海市,2.5%"), "a per cent sign where the unit is 万人"),
    ],
)
def test_what_is_wrong_beside_sound_figures_is_told(lines, told, tmp_path):
    sheet = cl.data.read_yearbook(written(tmp_path, *lines))
    assert any(told in problem.reason for problem in sheet.problems) and 1.5 in sheet.facts["value"].tolist()
    whole(sheet)


def test_a_unit_is_asked_for_the_indicator_that_is_chosen_alone():
    sheet = read("two_units.csv", indicator="地区生产总值", unit="万元")
    assert sheet.facts["value"].tolist() == [473537000, 514045000] and "万人" not in sheet.summary("en")
    assert "which is no 万元" in refused("two_units.csv", unit="万元")[0]


def test_figures_of_groups_stand_with_what_was_left_out():
    nation, east = read("indicator_over_year.xlsx").understood.left_out
    assert [fact.value for fact in nation.facts] == [1204724.0, 1260582.1, 141175, 140967]
    assert {fact.row for fact in east.facts} == {6} and {fact.unit for fact in east.facts} == {"亿元", "万人"}


def test_shares_of_an_older_workbook_are_read_as_shown():
    facts = read("share_format.xls").facts
    assert facts["value"].tolist() == [87.8, 89.5, 75.0, 12.0, 30.0, 12.5] and set(facts["unit"]) == {"%"}


# Nothing that is damaged breaks a library, and no figure is lost.

QUIET = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
FIGURE = re.compile(r"\(?[+-]?(\d{1,3}([, ]\d{3})+|\d+)?(\.\d*)?(?<=[\d.])%?\)?")
# What a damaged file of a few kilobytes may make the process grow by.
MOST_MEMORY = 400_000_000


def is_figure(cell):
    """Whether a cell holds a figure, seen without the package."""
    if isinstance(cell, (bool, datetime.date)) or cell is None:
        return False
    text = unicodedata.normalize("NFKC", re.sub("[①-⑳*]", "", str(cell))).strip()
    return bool(re.search(r"\d", text)) and (isinstance(cell, (int, float)) or FIGURE.fullmatch(text) is not None)


def lost(grid, facts, told, left_out, said):
    """Return the figures of a grid that are no fact, told of nowhere, and no year of the head."""
    whole_lines = {place for place in {*told, *left_out} if not all(place)}
    # Where names, codes, years and units stand, figures are no facts.
    for key, phrase in said.items():
        for kind, name in re.findall(r"(column|row) ([^\s;,]+)", phrase.en) if key != "layout" else ():
            whole_lines.add((0, name) if kind == "column" else (int(name), "") if name.isdigit() else (0, ""))
    first = min(((column, row) if grid.turned else (row, column) for row, column in map(grid_place(grid), facts)),
                default=(0, 0))[0]  # fmt: skip
    found = []
    for r, row in enumerate(grid.cells):
        for c, cell in enumerate(row):
            place = grid.place(r, c)
            text = unicodedata.normalize("NFKC", str(cell)).strip()
            head = re.fullmatch(r"(19|20)\d\d(\.0)?年?", text) and r < first
            accounted = {place, (place[0], ""), (0, place[1])} & (facts | told | left_out | whole_lines)
            if is_figure(cell) and not head and not accounted:
                found.append((place, cell))
    return found


def grid_place(grid):
    places = {grid.place(r, c): (r, c) for r, row in enumerate(grid.cells) for c in range(len(row))}
    return (lambda place: places[place][::-1]) if grid.turned else places.__getitem__


def whole(sheet):
    """Check that every figure of a sheet is a fact, or told, or left out with its row or column."""
    grid = read_grid(sheet.path, sheet.path.read_bytes(), sheet.sheet or None)
    facts = set(zip(sheet.facts["row"], sheet.facts["column"], strict=True))
    told = {(p.line, p.column) for p in sheet.problems}
    out = {(one.row, one.column) for one in sheet.understood.left_out}
    assert lost(grid, facts, told, out, sheet.understood.said) == []


def damaged_bytes(content, chance):
    content = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(content))
        kind = chance.choice(["set", "cut", "add", "end"])
        if kind == "set":
            content[at] = chance.randrange(256)
        elif kind == "cut":
            del content[at : at + 9]
        elif kind == "add":
            content[at:at] = chance.randbytes(3)
        elif at:
            content = content[:at]
        content = content or bytearray(b" ")
    return bytes(content)


def damaged_cells(grid, chance):
    """Return a grid whose rows, columns, cells and merged cells are not where they were."""
    cells, merged = [list(row) for row in grid.cells[:40]], list(grid.merged)
    for _ in range(chance.randint(1, 3)):
        r, c = chance.randrange(len(cells)), chance.randrange(len(cells[0]))
        kind = chance.choice(["rows", "columns", "swap", "empty", "double", "twice", "wide", "merge", "move"])
        if kind == "rows":
            cells[r:] = chance.sample(cells[r:], len(cells) - r)
        elif kind == "columns":
            order = chance.sample(range(len(cells[0])), len(cells[0]))
            cells = [[row[k] for k in order] for row in cells]
        elif kind == "swap":
            cells[r], cells[r - 1] = cells[r - 1], cells[r]
        elif kind == "empty":
            cells[r][c] = None
        elif kind == "double" and cells[r][c] is not None:
            cells[r][c] = f"{cells[r][c]}{chance.choice([' ', '', '、'])}{cells[r][c]}"
        elif kind == "twice":
            cells.insert(r, list(cells[r]))
        elif kind == "wide":
            wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
            cells = [[cell if cell is None else str(cell).translate(wide) for cell in row] for row in cells]
        elif kind == "merge":
            merged.append((r, c, chance.randrange(r, len(cells)), chance.randrange(c, len(cells[0]))))
        elif kind == "move":
            cells[r].insert(c, cells[r].pop())
    return replace(grid, cells=cells, merged=merged)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_damage_is_refused_or_read_but_never_breaks(path, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content, chance = path.read_bytes(), random.Random(path.name)
    for _ in range(3):
        (tmp_path / path.name).write_bytes(damaged_bytes(content, chance))
        with contextlib.suppress(ClusterlibError):
            whole(cl.data.read_yearbook(tmp_path / path.name))
    with contextlib.suppress(ClusterlibError):
        grid = read_grid(path, content, {"sheets.xlsx": "人口", "finance_index.xlsx": "city"}.get(path.name))
        for _ in range(5):
            damaged = damaged_cells(grid, chance)
            reading = Reading(damaged, chance.choice([None, "province", "city"]), year=chance.choice([None, 2023]))
            with contextlib.suppress(ClusterlibError):
                reading.read()
                told, out, facts = reading.problems, reading.left_out, reading.facts
                missed = lost(
                    damaged, {(one.row, one.column) for one in facts}, {(p.line, p.column) for p in told},
                    {(one.row, one.column) for one in out}, reading.said,
                )  # fmt: skip
                assert missed == []
    # Kilobytes, as Linux counts it.
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY


CELL = st.one_of(
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.2f}"),
    st.sampled_from(
        ["", "…", "-", "1,234.5①", "(12.5)", "约3", "２３.５", "31.5%", "注：x", "2023", "全国", "甲", "3.5 4.5"]
    ),
)
NAME = st.sampled_from(
    [
        "北京市",
        "上 海",
        "江苏",
        "浙江省 Zhejiang",
        "杭洲市",
        "全国",
        "东部地区",
        "",
        "注：甲",
        "杭州市",
        "合计",
        "地区",
        "1.5",
    ]
)


@given(
    rows=st.lists(st.tuples(NAME, CELL, CELL, CELL), min_size=1, max_size=8),
    head=st.sampled_from([
        ["地区,2021年,2022年,2023年"],
        ["指标：人口(万人)", "地区,2021,2022,2023"],
        [",人口(万人),,就业(万人)", "地区,2021,2022,2021"],
        ["表1-1 人口", "地区,年份,人口(万人),就业(万人)"],
        [],
    ]),
)  # fmt: skip
@settings(QUIET, max_examples=40)
def test_no_figure_of_a_sheet_is_lost(rows, head, tmp_path):
    path = tmp_path / "x.csv"
    lines = [",".join(f'"{cell}"' for cell in row) for row in rows]
    path.write_text("\n".join([*head, *lines]), "utf-8")
    with contextlib.suppress(ClusterlibError):
        whole(cl.data.read_yearbook(path))


def test_the_search_for_lost_figures_finds_one():
    sheet = read("nbs_gbk.csv")
    with pytest.raises(AssertionError, match="47353"):
        whole(replace(sheet, facts=sheet.facts.iloc[1:]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_figure_of_these_files_is_lost(path):
    try:
        sheet = cl.data.read_yearbook(path)
    except ClusterlibError:
        return
    whole(sheet)
    assert isinstance(sheet.facts, pd.DataFrame) and sheet.facts["value"].map(math.isfinite).all()

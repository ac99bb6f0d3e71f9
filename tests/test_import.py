"""Sheets become indicators of one's own: wholly or not at all, beside what is there, and back as they were."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import clusterlib as cl
from clusterlib.core.locks import waiting_lock
from clusterlib.data import _import, _own_files, _sheet_checks
from clusterlib.data._own import own_facts, own_indicators
from clusterlib.errors import ImportRefusedError, InvalidInputError, OwnDataError, UnknownNameError
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.run.cli import app

SHEETS = Path(__file__).parent / "sheets"
REAL = get_project()
GDP = "地区生产总值"
BEIJING, SHANGHAI, JIANGSU = 110000, 310000, 320000


def project_in(folder: Path) -> Project:
    """A project with the real raw and processed data, and a place for own data of its own."""
    (folder / "data").mkdir(parents=True)
    for name in ("raw", "study", "processed"):
        (folder / "data" / name).symlink_to(REAL.root / "data" / name)
    return Project(folder)


def unchecked(sheet, same_as="", known=None):
    """What stands for the checks where the figures are none that anything is to be found in."""
    nothing = pd.DataFrame(columns=_sheet_checks._COLUMNS)
    return _sheet_checks.SheetChecks(sheet.path.name, len(sheet.facts), nothing)


@pytest.fixture
def checked():
    """The real checks, for tests that are about what they find; they take longer than all else."""


@pytest.fixture(autouse=True)
def checks(request, monkeypatch):
    if "checked" not in request.fixturenames:
        monkeypatch.setattr(_sheet_checks, "check_sheet", unchecked)


@pytest.fixture
def mine(tmp_path):
    return project_in(tmp_path / "project")


@pytest.fixture
def sheet_of(tmp_path):
    def write(text: str, name: str = "sheet.csv") -> Path:
        path = tmp_path / name
        path.write_text(text.replace(" ", "\n") + "\n", encoding="utf-8")
        return path

    return write


def refused(*args, error=ImportRefusedError, **kwargs) -> str:
    with pytest.raises(error) as wrong:
        cl.data.import_sheet(*args, **kwargs)
    return str(wrong.value)


def figures(project: Project, name: str, level: str = "province") -> dict:
    facts = own_facts(level, name, project)
    key = facts.columns[0]
    return dict(zip(zip(facts[key], facts["year"], strict=True), facts["value"], strict=True))


def contents(folder: Path) -> dict[str, bytes]:
    # The report of checks is that of the last sheet, imported or not.
    other = (_own_files.LOCK, _own_files.REPORTS)
    found = (
        path for path in sorted(folder.rglob("*")) if path.is_file() and not {path.name, path.parent.name} & {*other}
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_sheet_becomes_facts_with_their_places_an_entry_and_a_record(mine, checked):
    done = cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine)
    sheet = cl.data.read_yearbook(SHEETS / "nbs_gbk.csv")
    assert figures(mine, GDP) == dict(
        zip(zip(sheet.facts["code"], sheet.facts["year"], strict=True), sheet.facts["value"], strict=True)
    )
    first = own_facts("province", GDP, mine).query("adcode == @SHANGHAI and year == 2022").iloc[0]
    assert (first["name"], first["original"], first["row"], first["column"]) == ("上海市", "nbs_gbk.csv", "6", "C")
    assert (first["unit"], first["source"]) == ("1e8 yuan", "国家统计局")
    entry = own_indicators("province", project=mine).loc[GDP]
    assert entry[["name_en", "unit", "unit_zh", "same_as", "precedence", "missing"]].tolist() == [
        "Gross domestic product", "1e8 yuan", "亿元", "gdp", "alone", "leave",
    ]  # fmt: skip
    (record,) = pd.read_csv(mine.own / "imports.csv").to_dict("records")
    assert (record["original"], record["sha256"], record["facts"]) == ("nbs_gbk.csv", sheet.sha256, 10)
    assert pd.Timestamp(record["date"]).utcoffset().total_seconds() == 0
    assert "wrote data/own/province/地区生产总值.csv" in done.summary("en")
    assert "编码：gbk" in done.summary("zh") and "已写入 data/own/province" in done.summary("zh")
    assert len(done.facts) == 10 and GDP in done._repr_html_()


def test_every_indicator_of_a_sheet_is_imported_or_the_one_named(mine, checked):
    done = cl.data.import_sheet(SHEETS / "yearbook.xls", project=mine)
    assert done.indicators[["unit", "facts"]].to_numpy().tolist() == [["1e8 yuan", 10], ["1e4 persons", 10]]
    assert set(own_indicators("province", project=mine).index) == {GDP, "人口"}
    assert figures(mine, "人口")[SHANGHAI, 2023] == 2487
    one = cl.data.read_yearbook(SHEETS / "yearbook.xls", indicator="人口")
    again = cl.data.import_sheet(one, name="residents", same_as="resident_population", project=mine)
    assert (
        list(again.indicators.index) == ["residents"]
        and again.facts["value"].sum() == done.facts[done.facts["indicator"] == "人口"]["value"].sum()
    )
    assert "2 indicators ('地区生产总值', '人口')" in refused(
        SHEETS / "yearbook.xls", name="both", project=mine, error=InvalidInputError
    )


def test_one_indicator_that_is_refused_keeps_all_of_its_sheet_out(mine, sheet_of):
    cl.data.import_sheet(sheet_of("地区,2023年人口(万人) 北京,1"), same_as="none", project=mine)
    before = contents(mine.own)
    assert "北 京 2023 is 2186 here, 1 in sheet.csv, row 2, column 'B'" in refused(
        SHEETS / "yearbook.xls", project=mine
    )
    assert contents(mine.own) == before
    assert list(own_indicators("province", project=mine).index) == ["人口"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("2023年５Ｇ基站数(个)", "_5G基站数"),
        ("2023年R&D人员（规模以上）(人)", "R_D人员_规模以上"),
        ("2023年Robots per firm(台)", "Robots_per_firm"),
    ],
)
def test_the_name_is_what_the_sheet_calls_it_as_a_word(mine, tmp_path, head, name):
    (tmp_path / "x.csv").write_text(f"地区,{head}\n北京,1\n上海,2\n", encoding="utf-8")
    assert list(cl.data.import_sheet(tmp_path / "x.csv", project=mine).indicators.index) == [name]
    assert figures(mine, name) == {(BEIJING, 2023): 1, (SHANGHAI, 2023): 2}


def test_a_name_that_is_taken_or_none_is_refused(mine, sheet_of):
    gdp = cl.data.read_yearbook(SHEETS / "long.csv", indicator="gdp", unit="亿元")
    assert "'gdp' is a shipped province indicator: give this one another name by name= (--as)" in refused(
        gdp, project=mine
    )
    assert list(cl.data.import_sheet(gdp, name="gdp_2", project=mine).indicators.index) == ["gdp_2"]
    assert "'GDP_2' and the imported 'gdp_2' differ in capitals only" in refused(gdp, name="GDP_2", project=mine)
    for bad in ("../x", "2x", "a b", "", "x" * 61):
        assert "expected up to 60 letters" in refused(gdp, name=bad, project=mine, error=InvalidInputError)
    long = sheet_of(f"地区,2023年{'很' * 61}(个) 北京,1")
    assert "makes no name of up to 60 letters: say name= (--as)" in refused(long, project=mine)
    alike = sheet_of("地区,2023年甲(1)数(个),2023年甲-1-数(个) 北京,1,2", "alike.csv")
    assert "would both be 甲_1_数" in refused(alike, project=mine)


def test_a_conversion_is_told_once_from_the_unit_of_the_sheet_to_that_of_the_facts(mine, sheet_of):
    people = sheet_of("地区,2023年人口(万人) 北京,2186 上海,2487")
    sheet = cl.data.read_yearbook(people, unit="人")
    told = cl.data.import_sheet(sheet, same_as="resident_population", dry_run=True, project=mine).summary("en")
    assert "unit: 万人" in told and "converted" not in told
    told = cl.data.import_sheet(sheet, same_as="none", dry_run=True, project=mine).summary("en")
    assert "人口: converted from 万人 to 人" in told and told.count("convert") == 1


def test_checks_of_several_indicators_name_them_and_say_once_what_is_open(mine, checked):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = cl.data.import_sheet(SHEETS / "cnrds.csv", same_as="none", dry_run=True, project=mine).summary("en")
    assert "地区生产总值_现价: 4 figures checked" in told and "年末户籍人口: 2 figures checked" in told
    assert told.count("Not compared") == 1


def test_figures_take_the_unit_of_the_shipped_indicator_of_their_name(mine, sheet_of):
    done = cl.data.import_sheet(sheet_of("地区,2023年地区生产总值(万元) 北京,473537000 上海,514045000"), project=mine)
    assert figures(mine, GDP) == pytest.approx({(BEIJING, 2023): 47353.7, (SHANGHAI, 2023): 51404.5}, rel=1e-15)
    assert "converted from 万元 to 亿元" in done.summary()


def test_another_dimension_is_no_shipped_indicator_and_refused_where_it_was_said_to_be(mine, sheet_of):
    path = sheet_of("地区,2023年地区生产总值(亿美元) 北京,6720 上海,7295")
    done = cl.data.import_sheet(path, dry_run=True, project=mine)
    assert done.indicators.loc[GDP, "same_as"] == "" and "亿美元, not 亿元: taken for another one" in done.summary()
    said = refused(path, same_as="gdp", project=mine)
    assert "in 亿美元, the shipped gdp is in 亿元" in said and "--same-as none" in said
    with pytest.raises(UnknownNameError, match=r"unknown province indicator 'gpd'.*gdp"):
        cl.data.import_sheet(path, same_as="gpd", project=mine)
    two = sheet_of("地区,年份,指标,单位,数值 北京,2023,投资,亿元,1 上海,2023,投资,万人,2", "two.csv")
    assert "figures of '投资' are in 万人, others are in 亿元" in refused(two, project=mine)


@pytest.mark.parametrize(
    ("unit", "english"), [("亿元", "1e8 yuan"), ("%", "percent"), ("元/人", "yuan/person"), ("件", "件"), ("艘", "艘")]
)
def test_units_are_called_in_english_as_shipped_ones_unless_they_count_things(mine, sheet_of, unit, english):
    done = cl.data.import_sheet(sheet_of(f"地区,2023年某数({unit}) 北京,1 上海,2"), project=mine)
    assert done.indicators.loc["某数", ["unit", "unit_zh"]].tolist() == [english, unit]


def test_precedence_needs_a_shipped_indicator_and_settings_stay_until_they_are_said_anew(mine, sheet_of):
    first = sheet_of("地区,2022年某数(亿元) 北京,1")
    assert "precedence 'own' needs a shipped indicator" in refused(first, precedence="own", project=mine)
    cl.data.import_sheet(
        first, name="some", same_as="gdp", precedence="shipped", missing="linear 2", name_en="Some number",
        name_zh="某个数", direction=-1, accept_errors=True, project=mine,
    )  # fmt: skip
    kept = own_indicators("province", project=mine).loc["some"]
    second = sheet_of("地区,2023年某数(亿元) 北京,2", "second.csv")
    cl.data.import_sheet(second, name="some", missing="leave", accept_errors=True, project=mine)
    now = own_indicators("province", project=mine).loc["some"]
    assert now["missing"] == "leave" and now["cells"] == 2
    same = ["precedence", "same_as", "name_en", "name_zh", "direction"]
    assert now[same].tolist() == kept[same].tolist() == ["shipped", "gdp", "Some number", "某个数", -1]
    # The same file with another setting is no second import of its figures.
    cl.data.import_sheet(second, name="some", precedence="alone", accept_errors=True, project=mine)
    assert own_indicators("province", project=mine).loc["some", ["precedence", "cells"]].tolist() == ["alone", 2]


@pytest.mark.parametrize(
    "options",
    [{"precedence": "first"}, {"missing": "spline"}, {"direction": 2}, {"replace": True, "keep": True},
     {"minimum": 2, "maximum": 1}, {"minimum": float("nan")}],
)  # fmt: skip
def test_options_that_say_nothing_are_refused(mine, options):
    with pytest.raises((InvalidInputError, UnknownNameError)):
        cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine, **options)
    assert not mine.own.exists()


def test_bounds_refuse_what_lies_beyond_by_place(mine):
    said = refused(SHEETS / "nbs_gbk.csv", minimum=20000, maximum=1e5, project=mine)
    assert said.count("nbs_gbk.csv, row") == 4
    assert "row 9, column 'B': 黑龙江省 2023 is 16470.7, below the minimum 20000" in said
    assert "row 7, column 'C': 江苏省 2022 is 124564.2, above the maximum 100000" in said


def test_a_name_without_a_unit_refuses_the_sheet_unless_it_is_to_be_left_out(mine):
    path = SHEETS / "unknown_name.csv"
    said = refused(path, project=mine)
    assert "row 3, column 'A': '杭洲市' is no city" in said and "330100 杭州市" in said and "--skip-unresolved" in said
    assert not (mine.own / "catalogue.csv").exists()
    done = cl.data.import_sheet(path, skip_unresolved=True, project=mine)
    assert [problem.line for problem in done.left_out] == [3] and "left out: unknown_name.csv, row 3" in done.summary()
    assert figures(mine, GDP, "city") == {(320500, 2023): 24653, (330200, 2023): 16453}
    assert "'广东省' is a province" in refused(SHEETS / "columns_of_names.xlsx", project=mine)


def test_a_cell_that_is_no_figure_refuses_the_sheet_whatever_is_left_out(mine):
    said = refused(SHEETS / "wrong_cells.csv", skip_unresolved=True, project=mine)
    assert "3 problem(s); nothing was imported" in said and "row 3, column 'B': '约2487' is no number" in said


def test_two_figures_of_one_cell_are_refused_with_both_places(mine):
    sheet = cl.data.read_yearbook(SHEETS / "nbs_gbk.csv")
    twice = pd.concat([sheet.facts, sheet.facts.head(1).assign(value=1.0, row=99, column="D")], ignore_index=True)
    said = refused(replace(sheet, facts=twice), project=mine)
    assert "row 99, column 'D': 北京市 2023 is 1 here, 47353.7 in row 5, column B" in said


def test_a_sheet_without_a_unit_is_refused_with_the_option_that_gives_one(mine, sheet_of):
    path = sheet_of("地区,2023年某数 北京,1")
    assert "say unit= (--unit)" in refused(replace(cl.data.read_yearbook(path), problems=[]), project=mine)
    assert "say unit=" in refused(path, project=mine)


def test_later_sheets_add_units_and_years_and_equal_figures_stay_as_they_are(mine, sheet_of):
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine)
    more = sheet_of("地区,2023年地区生产总值(万元),2021年地区生产总值(万元) 北京,473537000,410456000 广东,1356731600,")
    done = cl.data.import_sheet(more, project=mine)
    counts = ["facts", "added", "same", "replaced", "kept", "cells", "first_year", "last_year"]
    assert done.indicators.loc[GDP, counts].tolist() == [3, 2, 1, 0, 0, 12, 2021, 2023]
    facts = own_facts("province", GDP, mine).set_index(["adcode", "year"])
    assert facts.loc[(BEIJING, 2023), ["value", "original"]].tolist() == [47353.7, "nbs_gbk.csv"]
    assert facts.loc[(BEIJING, 2021), ["value", "original"]].tolist() == [41045.6, "sheet.csv"]
    assert own_indicators("province", project=mine).loc[GDP, "source"] == "国家统计局; sheet.csv"
    assert pd.read_csv(mine.own / "imports.csv")["facts"].tolist() == [10, 3]


def test_figures_that_differ_are_refused_with_both_places_replaced_or_kept(mine, sheet_of):
    first = cl.data.read_yearbook(SHEETS / "sheets.xlsx", sheet="人口")
    cl.data.import_sheet(first, name="people", project=mine)
    new = sheet_of("地区,2023年人口(万人) 上海,2480 江苏,8526")
    before = contents(mine.own)
    said = refused(new, name="people", project=mine)
    assert "sheet.csv, row 2, column 'B': 上海 2023 is 2480 here, 2487 in sheets.xlsx, sheet '人口', row 3" in said
    assert "1 problem(s)" in said and "--replace" in said and "--keep" in said
    assert contents(mine.own) == before
    done = cl.data.import_sheet(new, name="people", keep=True, project=mine)
    assert done.indicators.loc["people", ["added", "kept", "replaced"]].tolist() == [1, 1, 0]
    assert figures(mine, "people") == {(BEIJING, 2023): 2186, (SHANGHAI, 2023): 2487, (JIANGSU, 2023): 8526}
    done = cl.data.import_sheet(new, name="people", replace=True, project=mine)
    assert done.indicators.loc["people", ["same", "kept", "replaced"]].tolist() == [1, 0, 1]
    assert figures(mine, "people")[SHANGHAI, 2023] == 2480
    dollars = sheet_of("地区,2023年人口(美元) 江苏,1", "dollars.csv")
    assert "are in 美元, people is in 万人" in refused(dollars, name="people", project=mine)


def test_the_same_file_again_writes_nothing(mine):
    cl.data.import_sheet(SHEETS / "yearbook.xls", project=mine)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in mine.own.rglob("*.csv")}
    again = cl.data.import_sheet(SHEETS / "yearbook.xls", project=mine)
    assert again.summary().endswith("already imported: nothing was written")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in mine.own.rglob("*.csv")} == before
    # Years that were not taken the first time are no repetition.
    part = cl.data.read_yearbook(SHEETS / "nbs_gbk.csv", years=2022)
    cl.data.import_sheet(part, name="gdp_of_2022", project=mine)
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", name="gdp_of_2022", project=mine)
    assert len(figures(mine, "gdp_of_2022")) == 10


def test_a_dry_run_tells_all_and_writes_nothing(mine):
    done = cl.data.import_sheet(SHEETS / "nbs_gbk.csv", dry_run=True, project=mine)
    assert "would write data/own/province/地区生产总值.csv" in done.summary() and done.overlaps[GDP].cells == 10
    assert not mine.own.exists()


def test_overlaps_are_those_of_the_shipped_cells_with_file_and_line(mine, checked, tmp_path):
    shipped = cl.data.load_panel("province", "gdp", years="2021:2022")["gdp"]
    drawn = np.random.default_rng(1).normal(1, 0.03, len(shipped))
    own = shipped * drawn
    rows = "\n".join(f"{code},{year},{value!r}" for (code, year), value in own.items())
    (tmp_path / "x.csv").write_text(f"adcode,year,地区生产总值(亿元)\n{rows}\n", encoding="utf-8")
    overlap = cl.data.import_sheet(tmp_path / "x.csv", accept_errors=True, project=mine).overlaps[GDP]
    gap = (drawn - 1).__abs__()
    assert (overlap.cells, overlap.power) == (len(shipped), 0)
    assert overlap.within == pytest.approx(np.mean(gap <= 0.01))
    assert (overlap.median, overlap.largest) == pytest.approx((np.median(gap), gap.max()))
    assert overlap.table["difference"].tolist() == pytest.approx(sorted(gap)[::-1][:10])
    for row in overlap.table.itertuples():
        assert (row.own, row.shipped) == pytest.approx((own[row.code, row.year], shipped[row.code, row.year]))
        file, line = row.place.split(":")
        text = (REAL.root / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert text.startswith(f"{row.code},{row.year},gdp,{row.shipped:g}"[:20])


def test_a_common_power_of_ten_is_named(mine, checked, sheet_of):
    thousandfold = sheet_of("地区,2023年地区生产总值(亿元) 北京,473537000 上海,514045000 江苏,1309243000")
    assert "10,000 times" in refused(thousandfold, project=mine)
    done = cl.data.import_sheet(thousandfold, accept_errors=True, project=mine)
    assert done.overlaps[GDP].power == 4 and "10^4 times the shipped ones" in done.summary()
    assert "内置数值的 10^4 倍" in done.summary("zh") and "自带" not in done.summary("zh")


def test_derived_indicators_are_traced_to_the_facts_of_their_inputs(mine, sheet_of):
    done = cl.data.import_sheet(
        sheet_of("地区,2022年比重(%) 北京,50 上海,10"), same_as="software_revenue_share", project=mine
    )
    (first, _) = done.overlaps["比重"].table.sort_values("code").itertuples()
    inputs = cl.data.trace("province", BEIJING, 2022, "software_revenue_share")
    assert sorted(first.place.split("; ")) == sorted(f"{row.file}:{row.line}" for row in inputs.itertuples())


def test_checks_are_written_before_anything_and_stop_what_cannot_be(mine, checked, sheet_of):
    odd = sheet_of("地区,2023年地区生产总值(亿元) 北京,47353.7 上海,99999")
    report = mine.own / "checks" / f"province.{GDP}.html"
    said = refused(odd, strict=True, project=mine)
    assert "row 3, column 'B': 上海 2023" in said and f"see data/own/checks/province.{GDP}.html" in said
    assert "51404.5" in report.read_text(encoding="utf-8") and not (mine.own / "catalogue.csv").exists()
    done = cl.data.import_sheet(odd, project=mine)
    assert len(done.checks[GDP].warnings) == 1 and "51404.5" in done.summary()
    wrong = sheet_of("地区,2022年城镇化率(%) 北京,187.6 上海,89.3", "wrong.csv")
    assert "row 2, column 'B': 北京 2022: beyond" in refused(wrong, name="urban", project=mine)
    assert list(own_indicators("province", project=mine).index) == [GDP]
    cl.data.import_sheet(wrong, name="urban", accept_errors=True, project=mine)
    assert figures(mine, "urban")[BEIJING, 2022] == 187.6


def killed_at(step: int, project: Project, decided: list) -> bool:
    """Write what an import decided in a process that is killed at the given step; whether it came that far."""
    pid = os.fork()
    if pid == 0:
        left = [step]

        def killing(action):
            def act(*args, **kwargs):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return action(*args, **kwargs)

            return act

        try:
            _own_files._save = killing(_own_files._save)
            os.rename, os.replace = killing(os.rename), killing(os.replace)
            with _own_files.held_own(project):
                _own_files.write_own(*decided)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_an_import_that_is_killed_leaves_what_was_there_or_is_finished_by_the_next(mine, sheet_of, monkeypatch):
    first = sheet_of("地区,2023年甲(个),2023年乙(万人) 北京,1,2 上海,3,4", "first.csv")
    second = sheet_of("地区,2023年甲(个),2023年乙(万人) 北京,-1,-2 江苏,5,6", "second.csv")
    cl.data.import_sheet(first, project=mine)
    old = {"甲": {(BEIJING, 2023): 1, (SHANGHAI, 2023): 3}, "乙": {(BEIJING, 2023): 2, (SHANGHAI, 2023): 4}}
    new = {"甲": old["甲"] | {(BEIJING, 2023): -1, (JIANGSU, 2023): 5},
           "乙": old["乙"] | {(BEIJING, 2023): -2, (JIANGSU, 2023): 6}}  # fmt: skip
    before, aside, seen = contents(mine.own), mine.root / "aside", []
    shutil.copytree(mine.own, aside)
    decided: list = []
    with monkeypatch.context() as waiting:
        waiting.setattr(_import, "write_own", lambda *given: decided.extend(given))
        cl.data.import_sheet(second, replace=True, project=mine)
    while killed_at(len(seen), mine, decided):
        # Whoever comes next, for whatever, clears up.
        with pytest.raises(UnknownNameError):
            cl.data.forget_indicator("no_such", project=mine)
        now = {name: figures(mine, name) for name in old}
        assert now in (old, new)
        seen.append(now == new)
        left = {path.name for path in mine.own.rglob(".*")}
        assert left == {_own_files.LOCK}
        if now == old:
            assert contents(mine.own) == before
        shutil.rmtree(mine.own)
        shutil.copytree(aside, mine.own)
    # Two facts, the record and the catalogue, written and made ready: what is ready is put in place.
    assert seen == [False] * 5 + [True] * 4


def test_a_disk_that_is_full_leaves_what_was_there(mine, monkeypatch):
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", name="first", project=mine)
    before = contents(mine.own)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_own_files, "_save", full)
    assert "No space left on device" in refused(SHEETS / "yearbook.xls", project=mine, error=InvalidInputError)
    assert contents(mine.own) == before


COMMAND = [sys.executable, "-c", "from clusterlib.run.cli import app; app()"]


def start(project: Project, *words: str) -> subprocess.Popen:
    environment = {**os.environ, ROOT_VARIABLE: str(project.root)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *words], env=environment, **pipes)


def test_two_imports_at_a_time_wait_for_each_other(mine):
    mine.own.mkdir()
    with waiting_lock(mine.own / _own_files.LOCK):
        both = [
            start(mine, "import", str(SHEETS / "nbs_gbk.csv"), "--as", "one"),
            start(mine, "import", str(SHEETS / "halves.csv"), "--as", "two"),
        ]
        with pytest.raises(subprocess.TimeoutExpired):
            both[0].wait(timeout=6)
        assert both[1].poll() is None and not (mine.own / "catalogue.csv").exists()
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "wrote data/own/province/" in out
    assert set(own_indicators("province", project=mine).index) == {"one", "two"}
    assert pd.read_csv(mine.own / "imports.csv")["indicator"].nunique() == 2


def test_the_command_tells_each_file_and_fails_for_one_that_is_refused(mine):
    files = [str(SHEETS / name) for name in ("unknown_name.csv", "halves.csv", "no_such.csv")]
    done = start(mine, "import", *files, "--language", "zh")
    out, err = done.communicate(timeout=120)
    assert done.returncode == 2 and "Traceback" not in err
    assert err.count("error: ") == 2 and "杭州市" in err and "no_such.csv: there is no such file" in err
    assert "halves.csv" in out and "已写入 data/own/province/人口.csv" in out


@pytest.fixture
def run(mine, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(mine.root))

    def invoke(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    return invoke


def test_the_command_imports_lists_and_deletes(run, mine):
    assert run("imported") == ""
    said = run("import", str(SHEETS / "yearbook.xls"), "--indicator", "人口", "--as", "people", "--source", "统计年鉴",
               "--years", "2023", "--same-as", "resident_population", "--precedence", "own", "--missing", "linear 1",
               "--name-en", "People", "--name-zh", "居民", "--direction", "-1")  # fmt: skip
    assert "sheet: 主要指标" in said and "unit:" in said and "wrote data/own/province/people.csv" in said
    entry = own_indicators("province", project=mine).loc["people"]
    told = ["name_en", "name_zh", "source", "precedence", "missing", "first_year", "direction"]
    assert entry[told].tolist() == ["People", "居民", "统计年鉴", "own", "linear 1", 2023, -1]
    assert "already imported" in run("import", str(SHEETS / "yearbook.xls"), "--indicator", "人口", "--as", "people",
                                     "--source", "统计年鉴", "--years", "2023")  # fmt: skip
    assert run("imported") == "province.people 万人 2023-2023 5 cells 统计年鉴 yearbook.xls"
    assert "5 条数据" in run("imported", "--language", "zh")
    assert "unknown imported indicator 'pepole'; did you mean 'people'?" in run(
        "imported", "--remove", "pepole", code=2
    )
    assert run("imported", "--remove", "province.people") == "Deleted province.people."
    assert not list(mine.own.rglob("*people*")) and own_indicators(project=mine).empty
    assert pd.read_csv(mine.own / "imports.csv").empty


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--same-as", "gpd"], "did you mean 'gdp'"),
        (["--precedence", "mine"], "unknown precedence 'mine'"),
        (["--missing", "all"], "missing='all'"),
        (["--replace", "--keep"], "say which figures to take"),
        (["--as", "gdp"], "is a shipped province indicator"),
        (["--unit", "万人"], "which is no 万人"),
        (["--years", "1999"], "unknown year"),
        (["--level", "town"], "unknown level 'town'"),
        (["--language", "de"], "unknown language 'de'"),
        (["--unit", "斗"], "--unit '斗' is not known"),
        (["--unit", "万人"], "drop --unit,"),
        (["--as", "1"], "error: name '1'"),
    ],
)
def test_a_user_s_mistake_is_an_error_line_and_nothing_is_written(run, mine, options, told):
    said = run("import", str(SHEETS / "nbs_gbk.csv"), *options, code=2)
    assert "error: " in said and told in said
    assert not (mine.own / "catalogue.csv").exists()


def test_the_command_refuses_strictly_leaves_out_and_only_tells(run, mine, checked):
    assert "would write" in run("import", str(SHEETS / "halves.csv"), "--dry-run")
    assert "left out: unknown_name.csv" in run("import", str(SHEETS / "unknown_name.csv"), "--skip-unresolved")
    strict = run("import", str(SHEETS / "share_format.xls"), "--strict", code=2)
    assert "see data/own/checks/province.城镇化率.html" in strict
    assert list(own_indicators(project=mine).index) == [("city", GDP)]


def test_damage_is_told_with_what_to_do_and_the_advice_helps(mine):
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine)
    path = mine.own / "province" / f"{GDP}.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("45222.4", "x"), encoding="utf-8")
    said = refused(SHEETS / "nbs_gbk.csv", project=mine, error=OwnDataError)
    assert "line 2, column 'value': 'x' is not a number" in said and f"clusterlib imported --remove {GDP}" in said
    path.write_text("", encoding="utf-8")
    said = refused(SHEETS / "nbs_gbk.csv", project=mine, error=OwnDataError)
    assert "import the files again" in said and "version control" not in said
    path.unlink()
    with pytest.raises(OwnDataError, match=r"the file is missing; .*import the files again"):
        own_facts("province", GDP, mine)
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine)
    assert path.read_text(encoding="utf-8") == whole
    for name in ("catalogue.csv", "imports.csv"):
        (mine.own / name).write_text("", encoding="utf-8")
        assert name in refused(SHEETS / "nbs_gbk.csv", project=mine, error=OwnDataError)
        (mine.own / name).unlink()
    cl.data.import_sheet(SHEETS / "nbs_gbk.csv", project=mine)
    assert path.read_text(encoding="utf-8") == whole and len(figures(mine, GDP)) == 10


def test_an_indicator_is_forgotten_alone_and_by_its_level(mine):
    cl.data.import_sheet(SHEETS / "yearbook.xls", project=mine)
    cl.data.import_sheet(SHEETS / "unknown_name.csv", skip_unresolved=True, project=mine)
    with pytest.raises(InvalidInputError, match="imported at the levels province and city: say level="):
        cl.data.forget_indicator(GDP, project=mine)
    cl.data.forget_indicator(GDP, "province", project=mine)
    assert set(own_indicators(project=mine).index) == {("city", GDP), ("province", "人口")}
    assert len(figures(mine, GDP, "city")) == 2 and len(pd.read_csv(mine.own / "imports.csv")) == 2
    with pytest.raises(UnknownNameError):
        cl.data.forget_indicator(GDP, "county", project=mine)


def test_texts_that_would_break_a_table_are_written_so_that_it_can_be_read(mine, tmp_path):
    path = tmp_path / 'a "b", c\u200b.csv'
    path.write_text("地区,2023年某数(个)\n北京,1\n", encoding="utf-8")
    sheet = cl.data.read_yearbook(path, source='统计局,\n"年鉴"\x00\u2028 ')
    cl.data.import_sheet(sheet, name_en=" \n", name_zh="某\t数", project=mine)
    row = own_facts("province", "某数", mine).iloc[0]
    assert (row["source"], row["original"]) == ('统计局, "年鉴"', 'a "b", c.csv')
    assert own_indicators("province", project=mine).loc["某数", ["name_en", "name_zh"]].tolist() == ["某数", "某 数"]


def test_economies_are_imported_by_their_codes(mine, tmp_path):
    (tmp_path / "x.csv").write_text("economy,2022 GDP(美元),2023 GDP(美元)\nChina,1,2\nJapan,3,\n", encoding="utf-8")
    sheet = cl.data.read_yearbook(tmp_path / "x.csv", level="economy", indicator="GDP")
    cl.data.import_sheet(sheet, name="own_gdp", project=mine)
    assert figures(mine, "own_gdp", "economy") == {("CHN", 2022): 1, ("CHN", 2023): 2, ("JPN", 2022): 3}


CODES = cl.data.load_panel("province", "gdp").index.unique("adcode").tolist()
FIGURES = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda value: abs(value) < 1e290)


@settings(max_examples=6, deadline=None)
@given(
    cells=st.dictionaries(st.tuples(st.sampled_from(CODES), st.integers(1990, 2024)), FIGURES, min_size=2, max_size=30),
    split=st.integers(0, 30),
)
def test_what_is_imported_is_what_the_sheet_says_in_one_file_or_two(cells, split):
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(Path(folder) / "project")
        items = list(cells.items())
        for k, part in enumerate((items[:split], items[split:])):
            if not part:
                continue
            rows = "\n".join(f"{code},{year},{value!r}" for (code, year), value in part)
            path = Path(folder) / f"{k}.csv"
            path.write_text(f"adcode,year,value\n{rows}\n", encoding="utf-8")
            sheet = cl.data.read_yearbook(path, level="province", indicator="some", unit="万元")
            facts = sheet.facts
            assert dict(zip(zip(facts["code"], facts["year"], strict=True), facts["value"], strict=True)) == dict(part)
            cl.data.import_sheet(sheet, project=project)
        assert figures(project, "some") == cells

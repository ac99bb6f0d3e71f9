"""Every kind of damage to the raw tables is refused with file, line and reason, and harms no data built before."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from clusterlib.data import boundaries
from clusterlib.data._assemble import assemble
from clusterlib.data._formulas import compute, formula_inputs, parse_formula
from clusterlib.data._load import indicator_catalogue, load_panel
from clusterlib.data._processed import build, is_current, read_manifest
from clusterlib.errors import BoundaryError, DataNotBuiltError, Problem, RawDataError
from clusterlib.paths import ROOT_VARIABLE, Project, get_project

KEPT = {
    "province": ["gdp", "value_added_tertiary", "tertiary_share", "urbanisation_rate"],
    "city": ["employment_tertiary_share"],
    "county": ["industrial_enterprises"],
    "economy": ["internet_users_share"],
    "pair": ["direct_trains"],
}
CATALOGUE, SOURCES, UNITS, ECONOMIES = "catalogue.csv", "sources.csv", "units.csv", "economies.csv"
ACCOUNTS, PEOPLE = "province/national_accounts.csv", "province/population_and_income.csv"
CITY, ECONOMY = "city/labour.csv", "economy/digital.csv"
COUNTY, PAIR = "county/output.csv", "pair/trains.csv"
CLUSTERS, POLICIES, LISTS = "clusters.csv", "policies.csv", "lists.csv"
COUNTS, CHANGES = "cluster_counts.csv", "boundary_changes.csv"
GDP_2006 = "110000,2006,gdp,8618.9,1e8 yuan,nbs"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The real raw tables with a handful of their indicators, and the data built from them."""
    real, small = get_project(), Project(tmp_path_factory.mktemp("template"))
    for path in sorted(real.raw.rglob("*.csv")):
        target = small.raw / path.relative_to(real.raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.name != CATALOGUE and target.parent == small.raw:
            shutil.copy(path, target)
            continue
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        level = header.index("level") if "level" in header else None
        name = header.index("indicator")
        kept = [r for r in rows if r[name] in KEPT[r[level] if level is not None else path.parent.name]]
        if kept:
            with target.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([header, *kept])
    shutil.copytree(real.study, small.study)
    build(small)
    return small


@pytest.fixture
def small(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A small project that a test may damage, with its data built."""
    shutil.copytree(template.root / "data", tmp_path / "data")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


def lines_of(project: Project, file: str) -> list[str]:
    return (project.raw / file).read_text(encoding="utf-8").splitlines()


def write(project: Project, file: str, lines: list[str]) -> None:
    (project.raw / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def change(project: Project, file: str, line: int, old: str, new: str) -> None:
    """Replace ``old``, which must stand once in this line (counted from one)."""
    lines = lines_of(project, file)
    assert lines[line - 1].count(old) == 1, lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    write(project, file, lines)


def set_cell(project: Project, file: str, line: int, column: str, value: str) -> None:
    """Set one cell of the record that stands in this line."""
    with (project.raw / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == len(lines_of(project, file)), "a record goes over several lines"
    rows[line - 1][rows[0].index(column)] = value
    with (project.raw / file).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def line_of(project: Project, file: str, start: str) -> int:
    return next(i for i, line in enumerate(lines_of(project, file), 1) if line.startswith(start))


def problems_of(project: Project) -> list[Problem]:
    with pytest.raises(RawDataError) as caught:
        assemble(project)
    text = str(caught.value)
    assert f"{len(caught.value.problems)} problem(s)" in text
    for problem in caught.value.problems[: RawDataError.shown]:
        assert f"{problem.file}, line {problem.line}" in text
        assert problem.reason in text
    return caught.value.problems


def only_problem(project: Project, file: str, line: int, words: str, column: str = "") -> None:
    """The one problem is this one: file, line, column, and each of the words, split at ``|``, in the reason."""
    [problem] = problems_of(project)
    assert (problem.file, problem.line, problem.column) == (f"data/raw/{file}", line, column), problem
    for part in words.split("|"):
        assert part in problem.reason


def snapshot(project: Project) -> dict[str, bytes]:
    return {p.relative_to(project.root).as_posix(): p.read_bytes() for p in project.processed.rglob("*")}


def test_the_small_project_itself_has_no_problem(small):
    assert is_current(small)
    assert lines_of(small, ACCOUNTS)[1] == GDP_2006
    assert load_panel("province").shape == (31 * 19, 4)  # 2006-2024


# Rows of fact tables.


@pytest.mark.parametrize(
    ("old", "new", "column", "words"),
    [
        ("8618.9", "n.a.", "value", "'n.a.' is not a number"),
        ("8618.9", '"8,618.9"', "value", "'8,618.9' is not a number"),
        ("8618.9", "", "value", "'' is not a number|leave a missing figure out"),
        ("8618.9", "inf", "value", "'inf' is not a number"),
        ("8618.9", "nan", "value", "'nan' is not a number"),
        ("8618.9", "1e999", "value", "'1e999' is not a number"),
        ("8618.9", " 8618.9", "value", "' 8618.9' is not a number"),
        ("8618.9", "８６１８", "value", "'８６１８' is not a number"),
        ("8618.9", "8618.9\0", "value", r"the character '\x00' has no place in a table"),
        ("8618.9", "-1", "value", "-1 is beyond the minimum of 'gdp', 0"),
        ("1e8 yuan", "1e4 yuan", "unit", "unit '1e4 yuan' of 'gdp'; the catalogue has '1e8 yuan'"),
        ("1e8 yuan", "", "unit", "unit '' of 'gdp'"),
        ("110000", "110001", "adcode", "unknown adcode code '110001'|add it to units.csv"),
        ("110000", "Beijing", "adcode", "unknown adcode code 'Beijing'"),
        ("gdp", "gpd", "indicator", "unknown province indicator 'gpd'|did you mean 'gdp'|add it to catalogue.csv"),
        ("gdp", "tertiary_share", "indicator", "'tertiary_share' is computed by a formula"),
        (",nbs", ",nbss", "source", "unknown source 'nbss'|'nbs'|add it to sources.csv"),
        (",nbs", ",", "source", "unknown source ''"),
        ("2006", "206", "year", "'206' is not a year from 1949 to 2100"),
        ("2006", "1948", "year", "'1948' is not a year"),
        ("2006", "2101", "year", "'2101' is not a year"),
        ("2006", "2006.0", "year", "'2006.0' is not a year"),
        ("2006", "MMXVI", "year", "'MMXVI' is not a year"),
    ],
)
def test_a_wrong_cell_of_a_fact_is_named_with_its_line_and_column(small, old, new, column, words):
    change(small, ACCOUNTS, 2, old, new)
    only_problem(small, ACCOUNTS, 2, words, column)


def test_a_value_above_its_maximum_is_named_at_the_line_where_it_stands(small):
    set_cell(small, PEOPLE, 17, "value", "100.01")
    only_problem(small, PEOPLE, 17, "100.01 is beyond the maximum of 'urbanisation_rate', 100", "value")


def test_values_on_their_bounds_are_accepted(small):
    set_cell(small, PEOPLE, 2, "value", "0")
    set_cell(small, PEOPLE, 3, "value", "100")
    assert assemble(small)["province"]["urbanisation_rate"].dropna().iloc[:2].tolist() == [0, 100]


def test_a_county_has_no_place_in_the_panel_of_cities(small):
    county = next(line for line in lines_of(small, UNITS) if ",county," in line)[:6]
    set_cell(small, CITY, 9, "adcode", county)
    only_problem(small, CITY, 9, f"'{county}' is a county in units.csv, not a unit of tables of level 'city'", "adcode")


@pytest.mark.parametrize(
    ("file", "code", "level", "table"), [(ACCOUNTS, "130100", "city", "province"), (CITY, "130000", "province", "city")]
)
def test_a_city_has_no_place_in_the_panel_of_provinces_nor_a_province_in_that_of_cities(
    small, file, code, level, table
):
    set_cell(small, file, 9, "adcode", code)
    reason = f"'{code}' is a {level} in units.csv, not a unit of tables of level '{table}'"
    only_problem(small, file, 9, reason, "adcode")


def test_municipalities_are_provinces_and_cities():
    for level in ("province", "city"):
        assert {110000, 120000, 310000, 500000} <= set(load_panel(level, "gdp").index.unique("adcode"))


def test_a_city_has_no_place_in_the_panel_of_counties(small):
    set_cell(small, COUNTY, 9, "adcode", "330400")
    only_problem(small, COUNTY, 9, "'330400'", "adcode")


@pytest.mark.parametrize("column", ["adcode_from", "adcode_to"])
def test_both_places_of_a_pair_are_cities(small, column):
    set_cell(small, PAIR, 9, column, "330481")
    only_problem(small, PAIR, 9, "'330481'", column)


def test_a_city_paired_with_itself_is_named(small):
    line = line_of(small, PAIR, "110000,120000,")
    set_cell(small, PAIR, line, "adcode_to", "110000")
    only_problem(small, PAIR, line, "110000 is paired with itself: expected two cities", "adcode_to")


def test_a_pair_given_twice_names_both_lines_and_the_way_back_is_another_pair(small):
    lines = lines_of(small, PAIR)
    assert any(line.startswith("120000,110000,") for line in lines)
    write(small, PAIR, [*lines, lines[1]])
    first = ", ".join([*lines[1].split(",")[:4]])
    only_problem(small, PAIR, len(lines) + 1, f"({first}) is already in data/raw/{PAIR}, line 2")


def test_an_unknown_economy_is_named(small):
    set_cell(small, ECONOMY, 4, "economy", "CHX")
    only_problem(small, ECONOMY, 4, "unknown economy code 'CHX'|'CHE'", "economy")


def test_a_key_given_twice_in_a_file_names_both_lines(small):
    lines = lines_of(small, ACCOUNTS)
    write(small, ACCOUNTS, [*lines, GDP_2006.replace("8618.9", "1")])
    only_problem(
        small,
        ACCOUNTS,
        len(lines) + 1,
        "(110000, 2006, gdp) is already in data/raw/province/national_accounts.csv, line 2",
    )


def test_a_key_given_in_two_files_names_both_files_and_lines(small):
    write(small, "province/more.csv", [lines_of(small, ACCOUNTS)[0], *lines_of(small, ACCOUNTS)[4:6]])
    first, second = problems_of(small)
    assert (first.file, first.line, second.line) == ("data/raw/province/national_accounts.csv", 5, 6)
    assert first.reason == "(110000, 2009, gdp) is already in data/raw/province/more.csv, line 2"
    assert second.reason == "(110000, 2010, gdp) is already in data/raw/province/more.csv, line 3"


@pytest.mark.parametrize(("new", "count"), [(GDP_2006 + ",x", 7), (GDP_2006.removesuffix(",nbs"), 5)])
def test_a_row_with_too_many_or_too_few_fields_is_named(small, new, count):
    change(small, ACCOUNTS, 2, GDP_2006, new)
    only_problem(small, ACCOUNTS, 2, f"{count} fields where the header has 6")


def test_lines_are_counted_in_the_file_and_not_in_records(small):
    lines = lines_of(small, ACCOUNTS)
    lines[1] = GDP_2006.replace(",nbs", ',"nb\ns"')
    write(small, ACCOUNTS, [lines[0], "", *lines[1:3], lines[3].replace("2008", "x")])
    assert [(p.line, p.column) for p in problems_of(small)] == [(3, "source"), (6, "year")]


# Files.


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",source", "", "missing column 'source'|expected adcode,year,indicator,value,unit,source"),
        (",unit", ",Unit", "missing column 'unit'; unexpected column 'Unit'"),
        ("unit,source", "unit,source,note", "unexpected column 'note'"),
        ("unit,source", "unit,source,unit", "repeated column 'unit'"),
    ],
)
def test_a_header_with_other_columns_is_named(small, old, new, words):
    change(small, ACCOUNTS, 1, old, new)
    only_problem(small, ACCOUNTS, 1, words)


@pytest.mark.parametrize("file", [CATALOGUE, SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES, LISTS, ACCOUNTS])
def test_a_missing_column_is_named_in_every_table(small, file):
    change(small, file, 1, lines_of(small, file)[0].rpartition(",")[0], "x")
    [problem] = problems_of(small)
    assert (problem.file, problem.line) == (f"data/raw/{file}", 1)
    assert "missing column" in problem.reason


@pytest.mark.parametrize("file", [CATALOGUE, CLUSTERS, UNITS])
def test_a_file_saved_as_gbk_is_named_with_its_first_line_that_is_not_utf8(small, file):
    lines = lines_of(small, file)
    (small.raw / file).write_bytes(("\n".join(lines) + "\n").encode("gb18030"))
    first = next(i for i, line in enumerate(lines, 1) if not line.isascii())
    only_problem(small, file, first, "not UTF-8|GBK/GB18030: save it again as UTF-8")


def test_bytes_that_are_no_text_at_all_are_not_called_gbk(small):
    path = small.raw / ACCOUNTS
    path.write_bytes(path.read_bytes().replace(b"110000,2008", b"\xff10000,2018", 1))
    [problem] = problems_of(small)
    assert (problem.line, problem.reason) == (4, "the text is not UTF-8; save it again as UTF-8")


def test_a_byte_order_mark_is_no_problem(small):
    path = small.raw / ACCOUNTS
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    pd.testing.assert_frame_equal(assemble(small)["province"], load_panel("province"))


@pytest.mark.parametrize(
    "file", [CATALOGUE, SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES, LISTS, ACCOUNTS, CITY, ECONOMY]
)
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"], ids=["no byte", "a byte order mark"])
def test_an_empty_file_is_named(small, file, content):
    (small.raw / file).write_bytes(content)
    only_problem(small, file, 1, "the file is empty")


@pytest.mark.parametrize("file", [CATALOGUE, SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES, LISTS])
def test_a_missing_file_is_named(small, file):
    (small.raw / file).unlink()
    only_problem(small, file, 0, "the file is missing; restore it")


@pytest.mark.parametrize("file", [UNITS, CLUSTERS, ACCOUNTS, "city/.csv"])
def test_a_folder_or_a_link_to_nothing_in_place_of_a_file_is_named_by_a_build(small, file):
    path = small.raw / file
    path.unlink(missing_ok=True)
    path.symlink_to(small.root / "nowhere.csv")
    with pytest.raises(RawDataError, match=f"data/raw/{file}, line 0: the file is missing"):
        build(small)
    path.unlink()
    path.mkdir()
    with pytest.raises(RawDataError, match=f"data/raw/{file}, line 0: no file that can be read: Is a directory"):
        build(small)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("city/wages.CSV", "not read, since its name does not end in .csv: rename it to wages.csv"),
        ("town/wages.csv", "not read from this folder: move it to data/raw/ and one of province, city"),
        ("city/new/wages.csv", "not read from this folder: move it to data/raw/ and one of province, city"),
        ("wages.csv", "not read, since it is none of boundary_changes.csv, catalogue.csv"),
    ],
)
def test_a_table_that_would_be_left_out_is_refused_also_where_all_else_is_built(small, file, words):
    (small.raw / file).parent.mkdir(exist_ok=True)
    shutil.copy(small.raw / CITY, small.raw / file)
    assert not is_current(small)
    only_problem(small, file, 0, words)


def test_copies_that_an_editor_keeps_are_no_tables(small):
    kept = small.raw / "city" / ".ipynb_checkpoints" / "labour-checkpoint.csv"
    kept.parent.mkdir()
    shutil.copy(small.raw / CITY, kept)
    assert is_current(small) and not build(small)


@pytest.mark.parametrize("level", KEPT)
def test_a_missing_or_emptied_folder_is_named(small, level):
    shutil.rmtree(small.raw / level)
    only_problem(small, level, 0, "no csv file in this folder")
    (small.raw / level).mkdir()
    only_problem(small, level, 0, "no csv file in this folder")


@pytest.mark.parametrize(
    "file", [CATALOGUE, SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES, LISTS, ACCOUNTS, CITY, ECONOMY]
)
def test_a_file_cut_off_in_the_middle_of_a_line_is_named_with_its_last_line(small, file):
    lines = lines_of(small, file)
    # Within the last field, so that the row has all its fields and only the end of the line is missing.
    (small.raw / file).write_bytes("\n".join(lines).encode())
    only_problem(small, file, len(lines), "the file ends in the middle of a line: it looks cut off")


def test_a_row_cut_off_between_fields_is_named_for_both_reasons(small):
    (small.raw / ACCOUNTS).write_text("\n".join([*lines_of(small, ACCOUNTS)[:7], "110000,2022,gd"]), encoding="utf-8")
    assert [(p.line, p.reason.split(" ")[0]) for p in problems_of(small)] == [(8, "3"), (8, "the")]


def test_a_quotation_mark_that_is_never_closed_is_named_where_it_stands(small):
    change(small, ACCOUNTS, 5, ",gdp,", ',"gdp,')
    only_problem(small, ACCOUNTS, 5, "not valid csv")


@pytest.mark.parametrize(
    ("file", "indicator", "kept"),
    [
        (ACCOUNTS, "value_added_tertiary", 700),
        (CITY, "employment_tertiary_share", 1000),
        (ECONOMY, KEPT["economy"][0], 9),
        (COUNTY, "industrial_enterprises", 1000),
        (PAIR, "direct_trains", 5000),
    ],
)
def test_a_fact_table_cut_off_between_lines_is_found_by_the_cells_in_the_catalogue(small, file, indicator, kept):
    lines = lines_of(small, file)[:kept]
    write(small, file, lines)
    entry = line_of(small, CATALOGUE, f"{file.partition('/')[0]},{indicator},")
    cells = sum(f",{indicator}," in line for line in lines)
    only_problem(small, CATALOGUE, entry, f"'{indicator}' has {cells} cells in|a table may be cut off")


def test_a_table_cut_off_after_its_header_is_found_by_the_cells_in_the_catalogue(small):
    write(small, PEOPLE, lines_of(small, PEOPLE)[:1])
    entry = line_of(small, CATALOGUE, "province,urbanisation_rate,")
    only_problem(small, CATALOGUE, entry, "'urbanisation_rate' has 0 cells in 0-0, the catalogue says 403 in 2011-2023")


def test_a_fact_table_that_is_gone_is_found_by_the_cells_in_the_catalogue(small):
    (small.raw / PEOPLE).unlink()
    entry = line_of(small, CATALOGUE, "province,urbanisation_rate,")
    only_problem(small, CATALOGUE, entry, "'urbanisation_rate' has 0 cells")


def test_one_row_fewer_in_the_middle_of_a_table_is_found(small):
    lines = lines_of(small, ACCOUNTS)
    write(small, ACCOUNTS, [*lines[:4], *lines[5:]])
    entry = line_of(small, CATALOGUE, "province,gdp,")
    only_problem(small, CATALOGUE, entry, "'gdp' has 588 cells in 2006-2024, the catalogue says 589 in 2006-2024")


def test_a_catalogue_cut_off_between_lines_is_found(small):
    lines = [line for line in lines_of(small, CATALOGUE) if line.startswith(("level", "province"))]
    write(small, CATALOGUE, lines)
    assert [(p.file, p.line, p.reason) for p in problems_of(small)] == [
        ("data/raw/catalogue.csv", len(lines), f"no indicator of level {level!r}: the table may be cut off")
        for level in KEPT
        if level != "province"
    ]


@pytest.mark.parametrize("file", [SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES])
def test_a_list_cut_off_between_lines_is_found_by_the_rows_that_are_counted(small, file):
    lines = lines_of(small, file)
    write(small, file, lines[:-1])
    [problem] = problems_of(small)
    assert (problem.file, problem.column) == ("data/raw/lists.csv", "rows")
    table, kind, rows = lines_of(small, LISTS)[problem.line - 1].split(",")
    assert table == file.removesuffix(".csv") and kind in lines[-1]
    assert f"data/raw/{file} has {int(rows) - 1} rows" in problem.reason
    assert f"expected {rows}: the table may be cut off; if the change is meant, update rows here" in problem.reason


@pytest.mark.parametrize("file", [SOURCES, UNITS, ECONOMIES, CLUSTERS, POLICIES])
def test_a_list_cut_off_after_its_header_is_found_by_the_rows_that_are_counted(small, file):
    write(small, file, lines_of(small, file)[:1])
    problems = problems_of(small)
    kinds = [line for line in lines_of(small, LISTS) if line.startswith(file.removesuffix(".csv") + ",")]
    assert len(problems) == len(kinds)
    assert all(p.file == "data/raw/lists.csv" and " has 0 rows" in p.reason for p in problems)


def test_a_list_that_is_not_counted_is_named_where_it_begins(small):
    lines = lines_of(small, LISTS)
    write(small, LISTS, [line for line in lines if ",broadband_china," not in line])
    first = line_of(small, POLICIES, "broadband_china")
    only_problem(small, POLICIES, first, "the list 'broadband_china' is not in lists.csv: add it there", "policy")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("table", "clustrs", "unknown table 'clustrs'|did you mean 'clusters'"),
        ("rows", "-1", "'-1' is not a number of rows"),
        ("list", "strategic_emerging_industry", "list given twice"),
    ],
)
def test_a_wrong_cell_of_the_counted_lists_is_named(small, column, value, words):
    line = line_of(small, LISTS, "clusters,zhejiang_415x")
    set_cell(small, LISTS, line, column, value)
    only_problem(small, LISTS, line, words, column)


# The catalogue and the lists of names.


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("formula", "100 * value_aded / gdp", "no raw indicator 'value_aded' at this level"),
        ("formula", "100 * urbanisation_rate / tertiary_share", "no raw indicator 'tertiary_share' at this level"),
        ("formula", "100 * / gdp", "'100 * / gdp' cannot be computed"),
        ("formula", "100 * (gdp", "'100 * (gdp' cannot be computed"),
        ("formula", "{gdp}", "'{gdp}' cannot be computed|'{' has no place in it|a formula holds raw indicators"),
        ("formula", "gdp = gdp", "cannot be computed: '=' has no place in it"),
        ("formula", "100", "cannot be computed: it names no indicator|a formula holds raw indicators"),
        ("formula", "gdp / (gdp - gdp)", "a division by zero|(110000, 2006)|gdp = 8618.9 in data/raw/province/"),
        ("formula", "(gdp - gdp) / (gdp - gdp)", "a division by zero"),
        ("formula", "1e300 * 1e300 * gdp", "a number without end"),
        ("formula", "100 * urbanisation_rate / 3", "can be computed for 2011-2023, the catalogue says 2016-2024"),
    ],
)
def test_a_formula_that_cannot_be_computed_is_named(small, column, value, words):
    line = line_of(small, CATALOGUE, "province,tertiary_share,")
    set_cell(small, CATALOGUE, line, column, value)
    only_problem(small, CATALOGUE, line, words, "formula")


@pytest.mark.parametrize(
    "formula",
    [
        "ｇｄｐ / gdp", "gdp / ｖalue_added", "gdp\u200b", "0x64 * gdp", "0o144 * gdp", "1_000 * gdp", "1e999 * gdp",
        "1j * gdp", "@pd.io.common.os.getpid() * gdp", "@ｐｄ.io.common.os.system('\\164') * gdp", "gdp.values",
        "@__import__('os') * gdp", "gdp.sum() * gdp", "sqrt(gdp)", "gdp()", "gdp[0]", "[gdp]", "(gdp, gdp)", "'gdp'",
        "`gdp`", "gdp # note", "gdp; gdp", "gdp\ngdp", "x = gdp", "(x := gdp)", "gdp > 1", "not gdp", "gdp and gdp",
        "gdp if gdp else gdp", "lambda: gdp", "True * gdp", "None", "gdp // 2", "gdp % 2", "+gdp", "~gdp",
        "gdp ** gdp", "2 ** 0.5 * gdp", "9 ** 9 ** 9 * gdp", "gdp ** 13", "gdp ** -(2 + 1)", "", " ", "gdp gdp",
        "(gdp", "gdp +", "()", "gdp" + " + gdp" * 60, "(" * 250 + "gdp" + ")" * 250, "-" * 900 + "gdp",
        "gdp" + " + gdp" * 20000,
    ],
)  # fmt: skip
def test_a_formula_holds_nothing_but_names_numbers_and_sums_and_is_never_run(formula):
    with pytest.raises(ValueError, match=r"."):
        parse_formula(formula)


def test_a_formula_that_would_run_a_command_is_refused_and_runs_none(small):
    ran = small.root / "ran"
    hidden = "".join(f"\\{ord(character):03o}" for character in f"touch {ran}")
    line = line_of(small, CATALOGUE, "province,tertiary_share,")
    set_cell(small, CATALOGUE, line, "formula", f"@ｐｄ.io.common.os.system('{hidden}') * gdp")
    only_problem(small, CATALOGUE, line, "cannot be computed: '@' has no place in it", "formula")
    assert not ran.exists()


@pytest.mark.parametrize("level", ["province", "city"])
def test_a_formula_comes_to_the_very_figures_of_pandas_own(level):
    catalogue, panel = indicator_catalogue(level), load_panel(level)
    formulas = catalogue.loc[catalogue["formula"] != "", "formula"]
    assert len(formulas)
    for name, formula in formulas.items():
        pd.testing.assert_series_equal(panel[name], panel.eval(formula), check_names=False, check_exact=True)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("gdp - 2 * -part ** 2", [1 + 2 * 9, 2 + 2 * 16]),
        ("(gdp + part) / 10 ** 2 - 1e-2", [0.03, 0.05]),
        ("10 ** -1 * gdp * .5e1", [0.5, 1.0]),
    ],
)
def test_a_formula_is_computed_by_the_rules_of_arithmetic(formula, expected):
    columns = pd.DataFrame({"gdp": [1.0, 2.0], "part": [3.0, 4.0]})
    assert compute(formula, columns).tolist() == pytest.approx(expected)
    assert set(formula_inputs(formula)) <= set(columns) and formula_inputs(formula)[0] == "gdp"


@pytest.mark.parametrize("hundred", ["1e2", "10**2", "10 ** 4 / 100"])
def test_a_formula_may_hold_powers_of_ten(small, hundred):
    line = line_of(small, CATALOGUE, "province,tertiary_share,")
    set_cell(small, CATALOGUE, line, "formula", f"{hundred} * value_added_tertiary / gdp")
    panel = assemble(small)["province"]
    assert panel.loc[(110000, 2016), "tertiary_share"] == pytest.approx(
        100 * panel.loc[(110000, 2016), "value_added_tertiary"] / 28438.7
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("level", "provnce", "unknown level 'provnce'|did you mean 'province'"),
        ("indicator", "value_added_tertiary", "indicator listed twice"),
        ("cells", "many", "'many' is not a number"),
        ("cells", "", "the number of cells is missing"),
        ("cells", "403.5", "'403.5' is not a number of cells"),
        ("cells", "inf", "'inf' is not a number of cells"),
        ("first_year", "", "'' is not a year from 1949 to 2100"),
        ("first_year", "2011.5", "'2011.5' is not a year"),
        ("last_year", "2.023e3", "'2.023e3' is not a year"),
        ("direction", "up", "'up' should be 1, -1 or 0"),
        ("direction", "2", "'2' should be 1, -1 or 0"),
        ("direction", "0.5", "'0.5' should be 1, -1 or 0"),
        ("minimum", "none", "'none' is not a number"),
        ("minimum", "101", "101 is above the maximum"),
        ("source", "nbx", "unknown source 'nbx'|did you mean 'nbs'|add it to sources.csv"),
        ("source", "nbs;", "unknown source ''"),
        ("indicator", "", "'' is not a name"),
        ("indicator", "Urban rate", "'Urban rate' is not a name"),
        ("name_en", "", "is empty: every row has one"),
        ("name_zh", "　", "is empty: every row has one"),
        ("unit", "percent ", "'percent ' is no line without spaces around it"),
        ("definition", "Urban\u200b population", r"the character '\u200b' has no place in a table"),
        ("breaks_zh", "2020年口径变动", "breaks and breaks_zh say the same: one is empty"),
    ],
)
def test_a_wrong_cell_of_the_catalogue_is_named(small, column, value, words):
    line = line_of(small, CATALOGUE, "province,urbanisation_rate,")
    set_cell(small, CATALOGUE, line, column, value)
    only_problem(small, CATALOGUE, line, words, column)


def test_a_computed_figure_beyond_its_bounds_is_named_with_the_lines_that_it_is_made_from(small):
    line = line_of(small, CATALOGUE, "province,tertiary_share,")
    at = line_of(small, ACCOUNTS, "110000,2017,value_added_tertiary,")
    set_cell(small, ACCOUNTS, at, "value", "99999.5")
    gdp = line_of(small, ACCOUNTS, "110000,2017,gdp,")
    file = f"data/raw/{ACCOUNTS}, line"
    words = f"beyond the maximum of 100, at (110000, 2017): it is|in {file} {gdp} and|= 99999.5 in {file} {at}"
    only_problem(small, CATALOGUE, line, words, "formula")


@pytest.mark.parametrize(("column", "value"), [("first_year", "2015"), ("last_year", "2025"), ("cells", "590")])
def test_years_and_cells_of_the_catalogue_must_be_those_of_the_rows(small, column, value):
    line = line_of(small, CATALOGUE, "province,gdp,")
    set_cell(small, CATALOGUE, line, column, value)
    only_problem(small, CATALOGUE, line, "'gdp' has 589 cells in 2006-2024|update first_year, last_year and cells here")


@pytest.mark.parametrize(("bound", "limit"), [("minimum", "50"), ("maximum", "60")])
def test_a_computed_figure_beyond_its_bounds_is_named_at_its_formula(small, bound, limit):
    line = line_of(small, CATALOGUE, "province,tertiary_share,")
    set_cell(small, CATALOGUE, line, bound, limit)
    only_problem(small, CATALOGUE, line, f"comes to |at (|beyond the {bound} of {limit}", "formula")


@pytest.mark.parametrize(
    ("file", "column", "value", "words"),
    [
        (UNITS, "adcode", "110000", "adcode '110000' given twice"),
        (UNITS, "adcode", "13010", "'13010' is not a six-digit GB/T 2260 code"),
        (UNITS, "adcode", "１３００００", "is not a six-digit GB/T 2260 code"),
        (UNITS, "province", "Hebei", "'Hebei' is not the province of the unit"),
        (UNITS, "province", "990000", "'990000' is not the province of the unit|its first two digits and 0000"),
        (UNITS, "province", "120000", "'120000' is not the province of the unit"),
        (UNITS, "level", "town", "unknown level 'town'|valid: province, city, county"),
        (UNITS, "name_en", "", "is empty"),
        (UNITS, "name_zh", "", "is empty"),
        (UNITS, "name_en", "Beijing", "'Beijing' is the name of two: tell them apart"),
        (ECONOMIES, "name_zh", "中国", "'中国' is the name of two"),
        (ECONOMIES, "name_en", "", "is empty"),
        (SOURCES, "title_zh", "", "is empty"),
        (SOURCES, "source", "a;b", "'a;b' is not a name of small letters"),
        (ECONOMIES, "economy", "CHE", "economy 'CHE' given twice"),
        (SOURCES, "source", "nbs", "source 'nbs' given twice"),
    ],
)
def test_a_wrong_name_of_a_unit_or_an_economy_or_a_source_is_named(small, file, column, value, words):
    set_cell(small, file, 4, column, value)
    only_problem(small, file, 4, words, column)


@pytest.mark.parametrize(
    ("file", "column", "value", "words"),
    [
        (CLUSTERS, "adcodes", "440300;449999", "'440300;449999' has a code that is not in units.csv"),
        (CLUSTERS, "adcodes", "", "has a code that is not in units.csv"),
        (CLUSTERS, "adcodes", "320200;320200", "'320200;320200': by units.csv expected '320200'"),
        (CLUSTERS, "provinces", "44000", "'44000': by units.csv expected '320000' for 320200"),
        (CLUSTERS, "provinces", "320000;330000", "'320000;330000': by units.csv expected '320000' for 320200"),
        (CLUSTERS, "lead_cities_zh", "苏州市", "'苏州市': by units.csv expected '无锡市' for 320200"),
        (CLUSTERS, "name_en", "", "is empty"),
        (CLUSTERS, "programme_zh", " ", "is empty"),
        (CLUSTERS, "note", "a\x07", r"the character '\x07' has no place in a table"),
        (CLUSTERS, "year", "first", "'first' is not a year"),
        (CLUSTERS, "source", "miit", "unknown source 'miit'"),
        (CLUSTERS, "confirmed", "maybe", "'maybe' should be one of yes, partial, no"),
        (CLUSTERS, "publications", "some", "'some' is not a number of publications"),
        (POLICIES, "adcode", "99", "'99' is not a code in units.csv"),
        (POLICIES, "adcode", "110000;120000", "'110000;120000' is not a code in units.csv"),
        (POLICIES, "level", "town", "'town': by units.csv expected 'city' for 370100"),
        (POLICIES, "level", "county", "'county': by units.csv expected 'city' for 370100"),
        (POLICIES, "name_zh", "天津市", "'天津市': by units.csv expected '济南市' for 370100"),
        (POLICIES, "policy_en", "", "is empty"),
        (POLICIES, "announced", "", "'' is no date"),
        (POLICIES, "announced", "soon", "'soon' is no date such as 2016, 2016-10 or 2016-10-08"),
        (POLICIES, "announced", "2016-13", "'2016-13' is no date"),
        (POLICIES, "announced", "2016-02-30", "'2016-02-30' is no date"),
        (POLICIES, "announced", "2016-1", "'2016-1' is no date"),
        (POLICIES, "announced", "1016", "'1016' is no date"),
        (POLICIES, "year_effective", "15", "'15' is not a year"),
        (POLICIES, "source", "", "unknown source ''"),
        (POLICIES, "confirmed", "", "'' should be one of"),
        (POLICIES, "publications", "-1", "'-1' is not a number of publications"),
        (COUNTS, "part", "totals", "unknown part 'totals'|did you mean 'total'"),
        (COUNTS, "scope", "110000;999999", "'110000;999999' has a code that is not in units.csv"),
        (COUNTS, "scope", "", "has a code that is not in units.csv"),
        (COUNTS, "count", "many", "'many' is not a number of clusters"),
        (COUNTS, "year", "", "'' is not a year"),
        (COUNTS, "source", "miit", "unknown source 'miit'"),
        (CHANGES, "kind", "merger", "unknown kind 'merger'|did you mean 'merged'"),
        (CHANGES, "adcode_from", "999999", "'999999' is not a code in units.csv"),
        (CHANGES, "adcode_to", "", "'' is not a code in units.csv"),
        (CHANGES, "year", "11", "'11' is not a year"),
        (CHANGES, "confirmed", "maybe", "'maybe' should be one of yes, partial, no"),
    ],
)
def test_a_wrong_cell_of_the_lists_of_clusters_and_policies_is_named(small, file, column, value, words):
    set_cell(small, file, 3, column, value)
    only_problem(small, file, 3, words, column)


@pytest.mark.parametrize("date", ["2016", "2016-02", "2016-02-29"])
def test_a_date_may_leave_out_its_day_and_month(small, date):
    set_cell(small, POLICIES, 3, "announced", date)
    assert assemble(small)["policies"]["announced"][1] == date


def test_a_part_of_a_place_may_be_told_behind_its_name(small):
    line = line_of(small, POLICIES, "ai_innovation_application_pilot_zone,")
    set_cell(small, POLICIES, line, "name_zh", "上海市（浦东新区）")
    assert assemble(small)["policies"]["name_zh"][line - 2] == "上海市（浦东新区）"


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (CLUSTERS, "cluster_id"),
        (POLICIES, "policy, adcode, year_effective"),
        (COUNTS, "programme, year, part, scope"),
        (CHANGES, "adcode_from, adcode_to, year"),
    ],
)
def test_what_a_list_has_twice_is_named(small, file, key):
    lines = lines_of(small, file)
    write(small, file, [*lines, lines[1]])
    only_problem(small, file, len(lines) + 1, f"the same {key} stands in an earlier line")


# Everything at once.


def test_problems_of_several_files_and_kinds_are_reported_in_one_go(small):
    change(small, ACCOUNTS, 2, "8618.9", "n.a.")
    change(small, ACCOUNTS, 3, "1e8 yuan", "yuan")
    set_cell(small, PEOPLE, 5, "value", "101")
    write(small, "province/more.csv", ["adcode,year"])
    set_cell(small, CITY, 6, "adcode", "1")
    set_cell(small, ECONOMY, 7, "year", "x")
    set_cell(small, CLUSTERS, 8, "year", "x")
    set_cell(small, POLICIES, 9, "level", "x")
    found = {(p.file.removeprefix("data/raw/"), p.line) for p in problems_of(small)}
    assert found == {
        (ACCOUNTS, 2), (ACCOUNTS, 3), (PEOPLE, 5), ("province/more.csv", 1), (CITY, 6), (ECONOMY, 7), (CLUSTERS, 8),
        (POLICIES, 9),
    }  # fmt: skip


def test_problems_of_all_tables_that_others_are_checked_against_are_reported_in_one_go(small):
    for file in (CATALOGUE, SOURCES, UNITS, ECONOMIES):
        (small.raw / file).write_bytes(b"")
    assert [p.file for p in problems_of(small)] == [f"data/raw/{f}" for f in (CATALOGUE, SOURCES, UNITS, ECONOMIES)]


def test_the_message_of_many_problems_is_cut_but_counts_them_all(small):
    lines = lines_of(small, ACCOUNTS)
    write(small, ACCOUNTS, [lines[0], *(line.replace(",nbs", ",nbss") for line in lines[1:31])])
    with pytest.raises(RawDataError) as caught:
        assemble(small)
    assert len(caught.value.problems) == 30
    text = str(caught.value).splitlines()
    assert text[0] == "30 problem(s) in the raw data; the processed data were left as they were"
    assert len(text) == 1 + 20 + 1
    assert text[-1].strip() == "... and 10 more"


# What a build that fails leaves behind.


def test_a_build_refused_for_the_real_raw_data_leaves_the_built_data_byte_for_byte(built_project):
    before = snapshot(built_project)
    assert len(before) == 23  # 21 tables, the manifest, the lock
    change(built_project, ACCOUNTS, 2, "8618.9", "8 618.9")
    with pytest.raises(
        RawDataError, match=r"national_accounts\.csv, line 2, column 'value': '8 618\.9' is not a number"
    ):
        build(built_project)
    assert snapshot(built_project) == before
    assert not is_current(built_project)


def test_a_build_refused_for_a_boundary_leaves_the_built_data_byte_for_byte(small, monkeypatch):
    before, cities = snapshot(small), boundaries._source_cities()
    monkeypatch.setattr(boundaries, "_source_cities", lambda: cities.drop(index=[320700, 440300]))
    with pytest.raises(BoundaryError, match=r"连云港市 Lianyungang \(320700\), 深圳市 Shenzhen \(440300\)"):
        build(small, force=True)
    assert snapshot(small) == before


def test_a_first_build_that_is_refused_leaves_nothing(small):
    shutil.rmtree(small.processed)
    set_cell(small, CLUSTERS, 2, "year", "x")
    with pytest.raises(RawDataError):
        build(small)
    assert [path.name for path in small.processed.iterdir()] == [".lock"]


@pytest.mark.parametrize("crash_at", [1, 4, 22])
def test_a_crash_while_the_files_are_written_leaves_the_old_data_and_no_scratch(small, monkeypatch, crash_at):
    before = snapshot(small)
    change(small, ACCOUNTS, 2, "8618.9", "8619.9")
    calls = []

    def crash(self, path, *args, **kwargs):
        calls.append(path)
        if len(calls) == crash_at:
            Path(path).write_bytes(b"half")
            raise OSError("no space left on device")
        return write_parquet(self, path, *args, **kwargs)

    write_parquet = pd.DataFrame.to_parquet
    if crash_at == 22:  # after every table: while the manifest is written
        monkeypatch.setattr(
            "clusterlib.data._processed.json.dumps", lambda *a, **k: (_ for _ in ()).throw(OSError("no"))
        )
    else:
        monkeypatch.setattr(pd.DataFrame, "to_parquet", crash)
    with pytest.raises(OSError, match="no"):
        build(small)
    assert snapshot(small) == before
    assert not is_current(small)
    assert load_panel("province", "gdp", years=2006)["gdp"].iloc[0] == 8618.9


@pytest.mark.parametrize("crash_at", [1, 7, 21])
def test_a_crash_while_the_files_are_put_in_place_counts_as_not_built_until_the_next_build(
    small, monkeypatch, crash_at
):
    change(small, ACCOUNTS, 2, "8618.9", "8619.9")
    calls = []

    def crash(source, target):
        calls.append(target)
        if len(calls) == crash_at:
            raise OSError("the disk went away")
        return replace(source, target)

    replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr("clusterlib.data._processed.os.replace", crash)
        with pytest.raises(OSError, match="went away"):
            build(small)
    assert len(calls) == crash_at
    assert not is_current(small)
    assert [p.name for p in small.processed.iterdir() if p.is_dir()] == []
    with pytest.raises(DataNotBuiltError, match="make data"):
        read_manifest(small)
    with pytest.raises(DataNotBuiltError, match="make data"):
        load_panel("province", "gdp")
    assert build(small)
    assert is_current(small)
    assert load_panel("province", "gdp", years=2006)["gdp"].iloc[0] == 8619.9


# Builds beside each other.


def test_what_killed_builds_left_is_cleared_and_so_is_a_table_that_is_no_longer_made(small):
    change(small, ACCOUNTS, 2, "8618.9", "8619.9")
    expected = snapshot(small).keys()
    killed = (
        "import os, signal\nfrom clusterlib.data import _assemble, build\n"
        "_assemble.assemble = lambda project: os.kill(os.getpid(), signal.SIGKILL)\nbuild()\n"
    )
    done = subprocess.run([sys.executable, "-c", killed], timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert (small.processed / ".building").is_dir()
    (small.processed / ".building-x1y2").mkdir()
    (small.processed / "regions.parquet").write_bytes(b"of an earlier version")
    assert load_panel("province", "gdp", years=2006)["gdp"].iloc[0] == 8618.9
    assert build(small)
    assert snapshot(small).keys() == expected
    assert load_panel("province", "gdp", years=2006)["gdp"].iloc[0] == 8619.9


def test_a_build_waits_for_another_in_the_same_folder_and_finds_what_that_made(small, monkeypatch):
    change(small, ACCOUNTS, 2, "8618.9", "8619.9")
    assembling, waiting, calls = threading.Event(), threading.Event(), []

    def assemble_when_another_waits(project):
        calls.append(project)
        assembling.set()
        assert waiting.wait(300)
        return assemble(project)

    def told(words, *args, **kwargs):
        if f"another process is at work in {small.processed}: waiting until it is done" in str(words):
            waiting.set()

    monkeypatch.setattr("clusterlib.data._assemble.assemble", assemble_when_another_waits)
    monkeypatch.setattr("clusterlib.core.locks.warnings.warn", told)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(build, small)
        assert assembling.wait(300)
        second = pool.submit(build, small)
        assert (first.result(300), second.result(300)) == (True, False)
    assert len(calls) == 1
    assert is_current(small)


def test_a_folder_that_cannot_be_written_to_is_named(small):
    shutil.rmtree(small.processed)
    small.processed.write_text("in the way", encoding="utf-8")
    with pytest.raises(DataNotBuiltError, match=r"data/processed cannot be written to: File exists; make it a folder"):
        build(small)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_data_that_are_current_may_lie_in_a_folder_that_is_read_only_and_others_are_told_of_it(small):
    small.processed.chmod(0o555)
    try:
        assert build(small) is False
        with pytest.raises(DataNotBuiltError, match=r"data/processed cannot be written to: Permission denied"):
            build(small, force=True)
    finally:
        small.processed.chmod(0o755)

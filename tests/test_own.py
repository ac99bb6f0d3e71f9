"""Imported indicators: used like shipped ones, stale one by one, followed to their rows, never in shipped reports."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zipfile
from html import unescape

import numpy as np
import pandas as pd
import pytest
from engine import clusterlib_command, results_of, write_notebook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.captions import load_captions
from clusterlib.core.reads import READS_VARIABLE, Read
from clusterlib.data._columns import KEYS
from clusterlib.data._load import noting
from clusterlib.data._origins import Origins
from clusterlib.data._own import OWN_COLUMNS, fact_columns, own_read
from clusterlib.errors import InvalidInputError, OwnDataError, UnknownNameError
from clusterlib.paths import Project, get_project, named_run
from clusterlib.publish import rows, site
from clusterlib.run.status import find_status
from clusterlib.run.tasks import run

HANGZHOU, NINGBO = 330100, 330200
ENTRY = {
    "name_en": "Digital firms", "name_zh": "数字企业数", "theme": "own", "unit": "firms", "unit_zh": "家",
    "definition": "", "source": "Yearbook of <Zhejiang> 2024", "vintage": "", "breaks": "", "breaks_zh": "",
    "direction": "1", "formula": "", "minimum": "", "maximum": "", "missing": "leave", "same_as": "",
    "precedence": "alone",
}  # fmt: skip
Figures = dict[tuple[object, int], object]
FIRMS: Figures = {(HANGZHOU, 2019): 10, (HANGZHOU, 2020): 12.5, (NINGBO, 2020): 7}


def import_own(project: Project, name: str, figures: Figures = FIRMS, level: str = "city", **entry: str) -> None:
    """Write what an import leaves, in place of what one of this name left before."""
    row = {**ENTRY, **entry, "level": level, "indicator": name, "cells": len(figures)}
    row |= {"first_year": min(year for _, year in figures), "last_year": max(year for _, year in figures)}
    path = project.own / "catalogue.csv"
    known = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    known = [other for other in known if (other["level"], other["indicator"]) != (level, name)]
    place = {"unit": row["unit"], "source": row["source"], "original": "年鉴.xlsx", "sheet": "表1", "column": "C"}
    facts = [
        {KEYS[level][0]: unit, "year": year, "indicator": name, "value": value, "name": "杭州", "row": 7 + k, **place}
        for k, ((unit, year), value) in enumerate(figures.items())
    ]
    write_rows(path, OWN_COLUMNS, [*known, row])
    write_rows(project.own / level / f"{name}.csv", fact_columns(level), facts)


def write_rows(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def shipped_run(monkeypatch, tmp_path):
    """This process as a kernel of a run without a name."""
    monkeypatch.setenv(READS_VARIABLE, str(tmp_path / "reads.txt"))
    return tmp_path / "reads.txt"


@pytest.fixture(autouse=True)
def few_pages(monkeypatch):
    """Of the site's pages those of notebooks, lists, economies and imported figures: all the others take a minute."""
    monkeypatch.setattr(site, "WRITERS", {"rows": site.WRITERS["rows"]})
    monkeypatch.setattr(rows, "LEVELS", ("economy",))


@pytest.fixture
def no_site(monkeypatch):
    """Runs that write no site, for tests that are not about pages."""
    monkeypatch.setattr(site, "write_site", lambda *given: {})


# Panels.


def test_own_indicators_stand_beside_shipped_ones_when_they_are_named_and_only_then(own_project):
    import_own(own_project, "数字企业")
    panel = cl.data.load_panel("city", ["gdp", "数字企业"])
    shipped = cl.data.load_panel("city", "gdp")
    pd.testing.assert_frame_equal(panel.loc[shipped.index, ["gdp"]], shipped)
    assert panel["数字企业"].dropna().to_dict() == {k: float(v) for k, v in FIRMS.items()}
    assert panel.columns.tolist() == ["gdp", "数字企业"] and panel.index.is_monotonic_increasing
    assert cl.data.load_panel("city", "数字企业", region="yrd", years=2020)["数字企业"].tolist() == [12.5, 7.0]
    assert "数字企业" not in cl.data.load_panel("city") and "数字企业" not in cl.data.indicator_catalogue("city").index
    assert cl.data.own_indicators("city").loc["数字企业", ["unit", "cells"]].tolist() == ["firms", 3]
    assert cl.data.own_indicators("province").empty
    with pytest.raises(UnknownNameError, match=r"'数字企'; did you mean '数字企业'\?"):
        cl.data.load_panel("city", "数字企")
    with pytest.raises(UnknownNameError, match="did you mean 'gdp'"):
        cl.data.load_panel("city", ["数字企业", "gpd"])
    with pytest.raises(UnknownNameError, match="unknown year 2023"):
        cl.data.load_panel("city", "数字企业", years=2023)
    with pytest.raises(InvalidInputError, match="each once"):
        cl.data.load_panel("city", ["数字企业", "数字企业"])


def test_the_explorer_shows_an_own_indicator_with_its_unit_and_figures(own_project):
    import_own(own_project, "数字企业")
    shown = unescape(cl.explore.explorer("city", "数字企业", region="yrd", language="en").html())
    assert "Digital firms" in shown and "Unit: firms" in shown
    row = re.search(rf'<tr data-u="{HANGZHOU}">(.*?)</tr>', shown)[1]
    assert [float(cell) for cell in re.findall(r"<td>([^<–]+)</td>", row)] == [10, 12.5]


def test_units_beyond_the_shipped_panel_are_there_with_their_names(own_project):
    # Zhengding stands in no shipped table; Chaohu was a city until 2011, Jiyuan has no city above it.
    import_own(own_project, "firms", {(130123, 2020): 1, (330182, 2020): 2, (340181, 2020): 3}, "county")
    import_own(own_project, "firms", {(341400, 2009): 4, (419001, 2009): 5, (110000, 2009): 6})
    counties = cl.data.load_panel("county", "firms")
    assert 130123 not in cl.data.load_panel("county").index and len(counties) == 3
    assert cl.data.load_panel("county", "firms", region="bth").index.tolist() == [(130123, 2020)]
    assert len(cl.data.load_panel("city", ["firms"])) == 3
    names = cl.data.unit_names("county", "zh", former=True)
    assert names[counties.index.unique("adcode")].tolist() == ["正定县", "建德", "巢湖"]
    assert cl.data.unit_names("county", "en", former=True)[130123] == "130123"
    assert cl.data.unit_names("city", "zh", former=True)[341400] == "巢湖"
    assert 130123 not in cl.data.unit_names().index and names.index.is_unique


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from([110000, HANGZHOU, NINGBO, 341400]), st.integers(1995, 2030)),
        st.floats(-1e9, 1e9),
        min_size=1,
    ),
    st.sampled_from(["alone", "own", "shipped"]),
)
def test_two_sources_of_one_indicator_are_put_together_as_the_catalogue_says(own_project, figures, precedence):
    unit = cl.data.indicator_catalogue("city").loc["gdp", "unit"]
    import_own(own_project, "gdp_own", figures, unit=unit, same_as="gdp", precedence=precedence)
    own, gdp = pd.Series(figures, dtype=float), cl.data.load_panel("city", "gdp")["gdp"]
    expected = {"alone": own, "own": own.combine_first(gdp), "shipped": gdp.combine_first(own)}[precedence]
    with noting() as reads:
        found = cl.data.load_panel("city", "gdp_own")["gdp_own"]
    pd.testing.assert_series_equal(found, expected.sort_index(), check_names=False)
    tables = {Read.parse(read).table: Read.parse(read).columns for read in reads if not read.endswith(" - - -")}
    assert tables == {"own.city.gdp_own": ("gdp_own",), **({} if precedence == "alone" else {"city": ("gdp",)})}
    # Each cell is traced to the table that it is from.
    for key in [*figures][:1]:
        rows = cl.data.trace("city", *key, "gdp_own")
        (line,) = rows["line"]
        assert rows["value"].tolist() == [expected[key]] and line > 1
        own_one = precedence != "shipped" or key not in gdp.index
        assert rows["file"].str.startswith("data/own/city/gdp_own.csv").tolist() == [own_one]


def test_a_traced_cell_tells_its_place_in_data_own_and_in_the_file_that_was_imported(own_project):
    import_own(own_project, "数字企业")
    rows = cl.data.trace("city", HANGZHOU, 2020, "数字企业")
    told = rows[["file", "line", "value", "original", "sheet", "row", "column"]].to_numpy().tolist()
    assert told == [["data/own/city/数字企业.csv", 3, 12.5, "年鉴.xlsx", "表1", "8", "C"]]
    assert cl.data.trace("city", HANGZHOU, 2018, "数字企业").empty
    with pytest.raises(UnknownNameError, match="did you mean '数字企业'"):
        cl.data.trace("city", HANGZHOU, 2020, "数字企")
    import_own(own_project, "firms", {(330000, 2020): 1}, "province")
    with pytest.raises(InvalidInputError, match="'firms' is imported, and nobody knows whether it can be added up"):
        cl.data.load_region_totals(["gdp", "firms"])


names = st.from_regex(r"[^\W\d]\w{0,8}", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["city", "economy"]), names, st.lists(st.integers(1990, 2030), max_size=4))
def test_reads_of_own_indicators_go_into_one_line_and_come_back(level, name, years):
    read = Read.of(f"own.{level}.{name}", [name], [HANGZHOU], years)
    assert Read.parse(read.text) == read and len(read.text.splitlines()) == 1


@pytest.mark.parametrize("text", ["own.city * * *", "own.city.a.b * * *", "own..a * * *", "city.a * * *"])
def test_no_other_table_has_a_name_in_parts(text):
    with pytest.raises(ValueError, match="is not what was read"):
        Read.parse(text)


# What is wrong in data/own.


@pytest.mark.parametrize(
    ("figures", "entry", "words"),
    [
        ({(HANGZHOU, 2020): "x"}, {}, r"city/firms.csv, line 2, column 'value': 'x' is not a number"),
        ({(330102, 2020): 1}, {}, r"city/firms.csv, line 2, column 'adcode': '330102' is no code of a city"),
        ({(440000, 2020): 1}, {}, "'440000' is no code of a city"),
        (FIRMS, {"same_as": "gpd", "precedence": "own"}, r"line 2, column 'same_as': .*did you mean 'gdp'"),
        (FIRMS, {"precedence": "own"}, r"line 2, column 'precedence': .*no same_as names the other"),
        (FIRMS, {"same_as": "gdp", "precedence": "own"}, r"column 'precedence': .*expected the unit of 'gdp'"),
        (FIRMS, {"missing": "guess"}, r"catalogue.csv, line 2, column 'missing': 'guess' should be leave"),
        (FIRMS, {"source": ""}, r"catalogue.csv, line 2, column 'source': is empty"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_column_to_who_loads_it_and_to_nobody_else(
    own_project, figures, entry, words
):
    import_own(own_project, "firms", figures, **entry)
    import_own(own_project, "sound")
    with pytest.raises(OwnDataError, match=words):
        cl.data.load_panel("city", "firms")
    assert len(cl.data.load_panel("city", ["sound", "gdp"])["sound"].dropna()) == 3


def test_a_name_that_a_shipped_indicator_took_later_means_neither_until_the_imported_one_is_deleted(
    own_project, monkeypatch, tmp_path
):
    import_own(own_project, "gdp")
    import_own(own_project, "firms")
    said = r"line 2, column 'indicator': a shipped indicator has this name: `clusterlib imported --remove city.gdp`"
    for load in (
        cl.data.own_indicators,
        lambda: cl.data.own_indicators("city", ["gdp", "firms"]),
        lambda: cl.data.load_panel("city", "gdp"),
        lambda: cl.data.load_panel("city", ["firms", "gdp"]),
    ):
        with pytest.raises(OwnDataError, match=said):
            load()
    # Of another name or level it is nothing wrong, nor in what is shipped.
    assert (
        cl.data.load_panel("city", "resident_population").shape[1]
        == cl.data.load_panel("province", "gdp").shape[1]
        == 1
    )
    with monkeypatch.context() as kernel:
        kernel.setenv(READS_VARIABLE, str(tmp_path / "reads.txt"))
        assert cl.data.load_panel("city", "gdp")["gdp"].notna().sum() > 3
    cl.data.forget_indicator("gdp", "city")
    assert cl.data.load_panel("city", ["firms", "gdp"])["firms"].notna().sum() == 3


def test_who_asks_for_some_own_indicators_reads_these_alone(own_project):
    for name in ("firms", "other"):
        import_own(own_project, name, missing="linear 1")
    with noting() as reads:
        found = cl.data.own_indicators("city", ["firms", "gdp", "none"])
        panel = cl.data.load_panel("city", "firms", years="2019:2020")
        assert cl.data.fill_missing(panel, "city").policy == {"firms": "linear 1"}
    assert list(found.index) == ["firms"]
    tables = {Read.parse(read).table for read in reads}
    assert "own.city.firms" in tables and not tables & {"own_catalogue", "own.city.other"}
    assert cl.data.own_indicators("province", "firms").empty


def test_a_cut_catalogue_stops_only_who_names_an_own_indicator(own_project):
    import_own(own_project, "firms")
    (own_project.own / "catalogue.csv").write_text("level,indicator\n", encoding="utf-8")
    assert cl.data.load_panel("city", "gdp").shape[1] == 1
    with pytest.raises(OwnDataError, match=r"data/own/catalogue.csv, line 1: missing column 'name_en'"):
        cl.data.load_panel("city", "firms")


# Runs.

LOAD = "import clusterlib as cl\npanel = cl.data.load_panel('city', {!r}, region)"
TELL = "from clusterlib.results import record\nrecord('mean', float(panel.mean().iloc[0]), unit='firms', label='Mean')"
REGION = 'region: str = "yrd"\nindicator: str = "gdp"'


def test_a_run_without_a_name_refuses_own_indicators_and_says_what_to_do(own_project, shipped_run):
    import_own(own_project, "数字企业")
    for call in (
        lambda: cl.data.load_panel("city", ["gdp", "数字企业"]),
        lambda: cl.data.trace("city", HANGZHOU, 2020, "数字企业"),
    ):
        with pytest.raises(InvalidInputError, match=r"imported city indicator.*`clusterlib run --name own`"):
            call()
    assert cl.data.own_indicators().empty
    assert cl.data.load_panel("city", "gdp").shape[1] == 1
    assert "own." not in shipped_run.read_text(encoding="utf-8")


def test_an_own_indicator_runs_under_a_name_and_is_followed_to_its_rows(own_project):
    import_own(own_project, "数字企业")
    import_own(own_project, "unused", {(HANGZHOU, 2020): 1}, name_en="Never read")
    write_notebook(own_project, "01_own", LOAD.replace("{!r}", "indicator"), TELL, parameters=REGION)
    given = {"indicator": "数字企业"}
    (failure,) = run(["yrd"], settings=given, project=own_project).failures
    assert "InvalidInputError: '数字企业' is an imported city indicator" in failure.error

    named = named_run(own_project, "mine")
    assert run(["yrd"], settings=given, project=named).ok
    assert results_of(named, "yrd", "01_own") == {"mean": np.mean([10, 12.5, 7])}
    for ending, notice in ((".html", "do not pass this page on"), (".zh.html", "请勿转发")):
        page = (named.reports / "yrd" / f"01_own{ending}").read_text(encoding="utf-8")
        assert f'href="../data/own/city/数字企业{ending}' in page and "Yearbook of &lt;Zhejiang&gt; 2024" in page
        shown = (named.reports / "data" / "own" / "city" / f"数字企业{ending}").read_text(encoding="utf-8")
        assert notice in shown and "Yearbook of &lt;Zhejiang&gt; 2024" in shown
        row = shown.partition('<tr id="数字企业-L3">')[2].partition("<tr")[0]
        cells = ["3", str(HANGZHOU), "杭州", "2020", "12.5", "杭州", "年鉴.xlsx", "表1", "8", "C", ""]
        cells[2] = "Hangzhou" if ending == ".html" else "杭州市"
        assert row.removeprefix("<td").split("</tbody>")[0].replace("\n", "") == ">" + "<td>".join(cells)
        index = (named.reports / "data" / f"index{ending}").read_text(encoding="utf-8")
        assert f'href="own/city/数字企业{ending}"' in index and "Never read" not in index
    # Whatever lies in the reports of the default run, it has no page of these.
    shutil.copytree(named.reports / "yrd", own_project.reports / "yrd", dirs_exist_ok=True)
    assert own_read(named) == ["own.city.数字企业"] and own_read(own_project) == []
    copy = named.reports / "data" / "own" / "city" / "数字企业.csv"
    assert copy.read_bytes() == (own_project.own / "city" / "数字企业.csv").read_bytes()

    archive = own_project.root / "all.zip"
    done = clusterlib_command("bundle", "--name", "mine", "--output", str(archive))
    assert "It holds imported figures (city.数字企业): do not pass it on" in done.stdout, done.stderr
    assert "clusterlib/data/own/city/数字企业.html" in zipfile.ZipFile(archive).namelist()


def test_a_change_of_one_own_indicator_makes_stale_what_read_it_and_says_why(own_project, no_site):
    named = named_run(own_project, "mine")
    for name in ("firms", "other"):
        import_own(own_project, name)
    for notebook, name in (("01_firms", "firms"), ("02_other", "other"), ("03_gdp", "gdp")):
        write_notebook(own_project, notebook, LOAD.format(name), TELL)
    assert run(["yrd"], project=named).ok

    def stale() -> dict[str, list[str]]:
        tasks, _ = find_status(["yrd"], project=named)
        return {name: why for name, why in tasks.items() if why and "." not in name and "/" in name}

    assert stale() == {}
    import_own(own_project, "third")
    assert stale() == {}
    changed = {"yrd/01_firms": ["data changed: own.city.firms"]}
    import_own(own_project, "firms", {**FIRMS, (NINGBO, 2021): 8})
    assert stale() == changed
    import_own(own_project, "firms")
    assert stale() == {}
    import_own(own_project, "firms", unit="1e4 firms")
    assert stale() == changed
    # Damaged, it stops its own notebook and no other.
    import_own(own_project, "firms", {(HANGZHOU, 2020): "many"})
    assert stale() == changed
    write_notebook(own_project, "03_gdp", LOAD.format("gdp"), TELL, "1 + 1")
    outcome = run(["yrd"], project=named)
    assert "yrd/03_gdp" in outcome.executed and "yrd/02_other" in outcome.unchanged
    assert ["data/own/city/firms.csv, line 2" in failure.error for failure in outcome.failures][:1] == [True]
    import_own(own_project, "firms", {**FIRMS, (NINGBO, 2021): 8})
    assert run(["yrd"], project=named).ok
    (own_project.own / "city" / "firms.csv").unlink()
    assert stale() == changed
    rest = [row for row in csv.DictReader((own_project.own / "catalogue.csv").open()) if row["indicator"] != "firms"]
    write_rows(own_project.own / "catalogue.csv", OWN_COLUMNS, rest)
    assert stale() == {"yrd/01_firms": ["data gone: own.city.firms"]}


def test_who_lists_own_indicators_is_stale_when_one_is_imported(own_project, no_site):
    named = named_run(own_project, "mine")
    write_notebook(own_project, "01_list", "import clusterlib as cl\ncl.data.own_indicators().shape", TELL[:44])
    assert run(["yrd"], project=named).ok
    import_own(own_project, "firms")
    assert find_status(["yrd"], project=named)[0]["yrd/01_list"] == ["data changed: own_catalogue"]


def test_what_is_kept_on_disk_is_computed_anew_for_another_own_indicator(own_project, monkeypatch):
    from clusterlib.study._memory import _key

    import_own(own_project, "firms")
    keys = [_key({"level": "city", "indicator": name}) for name in ("firms", "gdp")]
    import_own(own_project, "firms", {**FIRMS, (NINGBO, 2021): 8})
    after = [_key({"level": "city", "indicator": name}) for name in ("firms", "gdp")]
    assert keys[0] != after[0] and keys[1] == after[1]


# Words and rows.


def test_captions_know_what_own_indicators_and_their_units_are_called(own_project, monkeypatch, shipped_run):
    (own_project.notebooks / "01_own.yml").write_text("results: {}\n", encoding="utf-8")
    import_own(own_project, "数字企业", unit="firms of one's own")
    assert "数字企业" not in load_captions("01_own").study["en"]
    monkeypatch.delenv(READS_VARIABLE)
    study = load_captions("01_own").study
    assert [study[language]["数字企业"] for language in ("en", "zh")] == ["Digital firms", "数字企业数"]
    assert [study[language]["firms of one's own"] for language in ("en", "zh")] == ["firms of one's own", "家"]
    assert load_captions("01_own").place(130123, "zh") == "正定县"
    # A word of the study stays what it is.
    import_own(own_project, "yrd")
    assert load_captions("01_own").study["en"]["yrd"] == study["en"]["yrd"]
    (own_project.own / "catalogue.csv").write_text("cut", encoding="utf-8")
    assert "gdp" in load_captions("01_own").study["en"]


def test_the_rows_of_a_read_are_those_of_its_units_and_years(own_project):
    import_own(own_project, "firms")
    (group,) = Origins(own_project).find(("own.city.firms firms 330100 2020:2021",))["own.city", "firms"]
    assert (group.file, group.lines, group.units, group.years) == (
        "data/own/city/firms.csv",
        (3,),
        ("330100",),
        (2020,),
    )
    assert group.sources == ("Yearbook of <Zhejiang> 2024",)
    with pytest.raises(KeyError):
        Origins(own_project).find(("own.city.gone gone * *",))


def test_nothing_shipped_depends_on_whether_there_are_own_data(own_project):
    write_notebook(own_project, "01_gdp", LOAD.format("gdp"), TELL)
    assert run(["yrd"], project=own_project).ok
    inputs = json.loads((own_project.reports / "yrd" / "01_gdp" / "run.json").read_text())["inputs"]
    before = {path: path.read_bytes() for path in own_project.reports.rglob("*.html")}
    import_own(own_project, "firms")
    assert run(["yrd"], project=own_project).executed == []
    assert {path: path.read_bytes() for path in own_project.reports.rglob("*.html")} == before
    assert not [name for name in inputs["data"] if name.startswith("own")] and get_project() == own_project

"""The notebook for any indicator: a messy sheet's from its import to its page, and its cells with other parameters."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from engine import clusterlib_command, files_of, write_notebook
from typer.testing import CliRunner

from clusterlib.paths import get_project
from clusterlib.publish import rows, site
from clusterlib.results import Recorder
from clusterlib.run.cli import app

NAME, NOTEBOOKS = "21_own_indicator", get_project().notebooks
SHEET = str(Path(__file__).parent / "sheets" / "eps.csv")
GDP, PEOPLE, SUZHOU = "地区生产总值", "年末户籍人口", 320500


def test_a_messy_sheet_becomes_a_page_of_a_named_run_that_only_its_own_figures_make_stale(own_project, monkeypatch):
    # Of the site's other pages those of rows alone, as all take a minute.
    monkeypatch.setattr(site, "WRITERS", {"rows": site.WRITERS["rows"]})
    monkeypatch.setattr(rows, "LEVELS", ("economy",))
    for file in (f"{NAME}.ipynb", f"{NAME}.yml", "words.yml"):
        shutil.copy(NOTEBOOKS / file, own_project.notebooks)
    write_notebook(own_project, "01_gdp", "import clusterlib as cl\ncl.data.load_panel('city', 'gdp', region).shape")
    shipped = own_project.reports / "yrd" / f"{NAME}.html"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("shipped", encoding="utf-8")
    before = files_of(own_project.reports)

    def command(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output
        return done.output

    # The sheet is cut off after two indicators of two cities, with a year left out that a line is to fill.
    brought = ["--source", "中国城市数据库", "--name-en", "Output of <cities>", "--missing", "linear 1"]
    done = clusterlib_command("import", SHEET, "--indicator", GDP, "--years", "2021,2023", *brought)
    assert f"wrote data/own/city/{GDP}.csv" in done.stdout, done.stderr
    given = ["--notebook", "21", "--notebook", "01", "--region", "yrd", "--name", "mine"]
    given += ["--param", f"indicator={GDP}", "--param", "permutations=99"]
    command("run", *given)

    reports = own_project.reports / "runs" / "mine"
    for ending, named, filled in ((".html", "Output of &lt;cities&gt;", "filled along a line: 2 of 6 cells filled"),
                                  (".zh.html", GDP, "线性插值：6个单元格中填补2个")):  # fmt: skip
        page = (reports / "yrd" / f"{NAME}{ending}").read_text(encoding="utf-8")
        assert named in page and filled in page and "中国城市数据库" in page
        assert f'href="../data/own/city/{GDP}{ending}' in page
        table = pd.read_html(StringIO(page), match="2022")[0]
        assert table.iloc[:, 1:].to_numpy().tolist() == [[2, 0, 2, 0], [0, 2, 0, 2], [2, 0, 2, 0]]
        shown = (reports / "data" / "own" / "city" / f"{GDP}{ending}").read_text(encoding="utf-8")
        row = shown.partition(f'<tr id="{GDP}-L2">')[2].partition("<tr")[0]
        assert all(cell in row for cell in ("22718.3", "苏州市", "eps.csv", "<td>3", "<td>D")), row
    assert files_of(own_project.reports).items() >= before.items()
    assert {name for name in files_of(own_project.reports) if not name.startswith("runs/")} == {*before}

    assert "0 of 4 would run" in command("status", *given)
    command("import", SHEET, "--indicator", PEOPLE)
    assert "0 of 4 would run" in command("status", *given)
    command("import", SHEET, "--indicator", GDP, *brought)
    told = command("status", *given)
    assert f"yrd/{NAME}" in told and f"data changed: own.city.{GDP}" in told and "2 of 4 would run" in told
    assert [line.split()[0] for line in told.splitlines() if "up to date" in line] == ["yrd/01_gdp", "yrd/01_gdp.html"]


@pytest.fixture
def carry_out(monkeypatch, capsys):
    kept = Recorder.__call__

    def run(*, draw: str = "", **parameters) -> dict:
        found: dict = {}
        names: dict = {}

        def call(recorder, name, value, **values):
            assert name not in found, f"{name} is recorded twice"
            found[name] = value
            # Captions are filled as in a run; to draw takes longest by far.
            if name == draw or not callable(value):
                kept(recorder, name, value, **values)

        monkeypatch.setattr(Recorder, "__call__", call)
        for cell in nbformat.read(NOTEBOOKS / f"{NAME}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), names)
                if "parameters" in cell.metadata.get("tags", []):
                    assert parameters.keys() <= names.keys()
                    names |= {"permutations": 99, **parameters}
        plt.close("all")
        return found

    return run


def test_an_indicator_of_one_year_has_no_trend_and_no_regression(carry_out):
    found = carry_out(indicator="high_technology_enterprises")
    assert found["trend.none"] == "one_year" and found["association.none"] == "one_year"
    assert {"ranking.table", "map.figure", "moran.last"} <= found.keys()
    assert len(found["coverage.table"]) == 1


def test_provinces_have_a_map_of_the_nation_and_a_regression(carry_out):
    found = carry_out(level="province", indicator="broadband_ports", region="gba", draw="map.figure")
    assert {"map.figure", "trend.figure", "moran.by_year", "lisa.map", "conclusion.association"} <= found.keys()
    # Guangdong alone is no sample.
    assert list(found["association.table"].index) == ["observed"]


def test_counties_have_no_map_and_no_neighbours(carry_out):
    found = carry_out(level="county", indicator="industrial_enterprises", outcome="gdp")
    assert found["map.none"] == "no_boundaries" and found["space.none"] == "no_boundaries"
    assert {"ranking.table", "trend.figure", "association.table"} <= found.keys()
    assert carry_out(level="county", indicator="gdp")["association.none"] == "no_outcome"


def test_filled_figures_enter_a_regression_beside_that_of_the_observed(carry_out):
    drawn = carry_out(missing="multiple 3")
    table = drawn["association.table"]
    assert list(table.index) == ["observed", "filled", "region", "elsewhere"]
    assert table.loc[["region", "elsewhere"], "n"].sum() == table.loc["observed", "n"]
    assert drawn["conclusion.region"] in ("differs", "alike")
    assert table.loc["filled", "n"] > table.loc["observed", "n"]
    assert table.loc["filled", "missing_information"] > 0 and np.isnan(table.loc["observed", "missing_information"])
    # Nobody has a figure of 2020: nothing is drawn, and a line may run across.
    assert drawn["coverage.table"].loc[:, "filled"].get(2020, 0) == 0
    lined = carry_out(missing="linear 2")
    assert lined["coverage.table"].loc[2020, "filled"] > 200
    assert "missing_information" not in lined["association.table"]
    # Ranks and neighbours rest on what was observed.
    for name in ("ranking.table", "moran.by_year"):
        assert lined[name].equals(drawn[name])


def test_an_indicator_with_zeros_is_taken_as_it_is(carry_out):
    found = carry_out(indicator="us_entity_list_entries", outcome="gdp", region="bth")
    assert {"map.figure", "ranking.table", "moran.by_year"} <= found.keys()
    assert "association.table" in found
    share = carry_out(indicator="science_expenditure_share", years="2021:2023")
    assert len(share["coverage.table"]) == 3 and share["association.table"].loc["observed", "n"] > 500

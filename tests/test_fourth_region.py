"""A fourth region is one row: Chengdu-Chongqing, added to a copy of the project, is a region wherever regions are."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.core.language import LANGUAGES, speaking
from clusterlib.errors import StudyError
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.regions import REGIONS, get_region, region_codes, region_of
from clusterlib.results import load_results
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.tasks import RunOutcome, run

pytestmark = pytest.mark.usefixtures("figure_style")
NOTEBOOKS = [notebook.name for notebook in find_notebooks(get_project())]
# What stands in provincial figures for the one region of the project that is not made of whole provinces.
OTHERS = re.compile("Guangdong|广东")

CODE, CHONGQING, SICHUAN = "ccy", 500000, 510000
# Of Sichuan the fifteen cities of the plan of the Chengdu-Chongqing economic circle (2021).
CITIES = [
    CHONGQING, 510100, 510300, 510500, 510600, 510700, 510900, 511000, 511100, 511300, 511400, 511500, 511600, 511700,
    511800, 512000,
]  # fmt: skip
ROW = (
    f"{CODE},成渝地区双城经济圈,Chengdu-Chongqing,成渝,CCY,成渝地区;Cheng-Yu;成渝城市群,{CHONGQING};{SICHUAN},"
    f"{';'.join(map(str, CITIES))},no,#CC79A7,P,-,xx\n"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with a fourth region, and the data built from it."""
    real, root = get_project(), tmp_path_factory.mktemp("fourth")
    shutil.copytree(real.root / "data", root / "data", ignore=shutil.ignore_patterns(".memory"))
    shutil.copytree(real.notebooks, root / "notebooks")
    shutil.copytree(real.root / "report", root / "report")
    with (root / "data" / "study" / "regions.csv").open("a", encoding="utf-8") as file:
        file.write(ROW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(root))
        cl.data.build()
    return Project(root)


@pytest.fixture(autouse=True)
def four(copy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(copy.root))


def test_it_is_known_by_its_names_and_the_project_stays_as_it_was(copy, monkeypatch):
    assert region_codes() == ["bth", "yrd", "gba", CODE]
    assert {get_region(name).code for name in ("ccy", "CCY", "成渝", "成渝地区", "Chengdu–Chongqing", "cheng yu")} == {
        CODE
    }
    assert REGIONS[CODE].adcodes("city") == tuple(CITIES)
    assert REGIONS[CODE].cities[1].name_en == "Chengdu" and not REGIONS[CODE].whole_provinces
    monkeypatch.delenv(ROOT_VARIABLE)
    assert CODE not in REGIONS and CODE not in cl.study.groups() and CODE not in cl.figures.REGION_MARKS


def test_data_are_loaded_for_it():
    panel = cl.data.load_panel("city", "gdp", CODE, 2020)
    assert list(panel.index.unique("adcode")) == CITIES
    assert set(cl.data.load_panel("province", "gdp", "成渝").index.unique("adcode")) == {CHONGQING, SICHUAN}
    assert list(cl.data.load_boundaries("city", CODE).index) == CITIES
    totals = cl.data.load_region_totals("gdp", 2022)
    both = cl.data.load_panel("province", "gdp", CODE, 2022)["gdp"].sum()
    assert totals.loc[(CODE, 2022), "gdp"] == both
    assert list(totals.index.unique("region")) == ["bth", "yrd", "gba", CODE, "nation"]


def test_clusters_and_pilots_in_its_cities_are_its_own():
    clusters, policies = cl.data.load_clusters(), cl.data.load_policies("broadband_china")
    led = clusters["adcodes"].str.split(";").map(lambda codes: bool(set(map(int, codes)) & set(CITIES)))
    assert led.any() and (clusters.loc[led, "region"] == CODE).all()
    assert policies.loc[policies["adcode"].isin(CITIES), "region"].eq(CODE).any()
    assert [region_of(code) for code in (SICHUAN, 510100, 510400)] == [CODE, CODE, ""]


def test_the_study_counts_it_among_the_groups():
    assert list(cl.study.groups()) == ["bth", "yrd", "gba", CODE, "rest"]
    assert cl.study.group_units([CHONGQING, 510100, 510800, 330100]).tolist() == [CODE, CODE, "rest", "yrd"]
    with speaking("zh"):
        assert cl.study.groups()[CODE].name == "成渝"
    assert cl.scenario.CASES[CODE] == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_maps_and_figures_draw_it(language):
    import matplotlib.pyplot as plt

    gdp = cl.data.load_panel("city", "gdp", CODE, 2020)["gdp"].droplevel("year")
    with speaking(language):
        drawn = [cl.maps.region_map(CODE, gdp, unit="u", source="s"), cl.maps.china_map(source="s")]
        names = {text.get_text() for figure in drawn for axes in figure.axes for text in axes.findobj(plt.Text)}
    assert {"en": {"CCY", "Chengdu"}, "zh": {"成渝", "成都"}}[language] <= names
    assert cl.figures.REGION_MARKS[CODE].colour == "#CC79A7"


def test_its_remedies_are_found():
    scenario = cl.scenario.simulate("co_creation", CODE)
    assert set(scenario.changes.index) <= set(CITIES) and len(scenario.changes) >= 5


def test_claims_may_be_of_it(copy):
    path = Path(copy.study / "claims.yml")
    claims = cl.claims.load_claims(path)
    assert all(CODE in claim.regions for claim in claims if len(claim.regions) > 3)


def test_what_stands_for_it_is_said_by_its_name():
    assert str(cl.study.provincial_scope("ccy")) == "Chongqing and Sichuan as wholes stand for CCY"
    with speaking("zh"):
        assert str(cl.study.provincial_scope("ccy")) == "以重庆、四川全域数据代表成渝地区双城经济圈"
    assert cl.study.provincial_scope().en.count("; ") == 1
    assert not OTHERS.search(cl.study.provincial_scope("ccy").en + cl.study.provincial_scope("yrd").en)


@pytest.mark.parametrize(("old", "new", "part"), [(",P,-", ",D,-", "marker"), ("#CC79A7", "#999999", "colour")])
def test_marks_of_the_rest_are_refused(built_project, old, new, part):
    with (built_project.study / "regions.csv").open("a", encoding="utf-8") as file:
        file.write(ROW.replace(old, new))
    with pytest.raises(StudyError, match=rf"design\.yml, line \d+, .*{part}.* is that of ccy in regions\.csv"):
        cl.study.groups()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_legend_of_four_regions_and_the_rest_stands_in_full_rows(language):
    with speaking(language):
        labels = {code: group.name for code, group in cl.study.groups().items()}
        series = pd.DataFrame({code: [1.0, 2.0 + k] for k, code in enumerate(labels)}, index=[2020, 2021])
        figure = cl.figures.trend_lines(series, cl.figures.REGION_MARKS, labels, "y")
        figure.canvas.draw()
    (legend,) = figure.legends
    boxes = [text.get_window_extent() for text in legend.get_texts()]
    assert len({round(box.y0) for box in boxes}) == 1 and len(boxes) == 5
    assert all(first.x1 < second.x0 for first, second in pairwise(boxes))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_prose_and_captions_name_no_province_that_stands_for_one_region(name):
    notebook = nbformat.read(get_project().notebooks / f"{name}.ipynb", as_version=4)
    said = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    captions = (get_project().notebooks / f"{name}.yml").read_text(encoding="utf-8")
    assert not [text for text in (*said, captions) if OTHERS.search(text)]


# Slow: a run of all notebooks.


@pytest.fixture(scope="module")
def executed(copy: Project) -> tuple[RunOutcome, Project]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(copy.root))
        return run([CODE], project=copy), copy


@pytest.mark.notebooks
def test_all_notebooks_run_for_it_and_have_pages_and_the_report_stands_in_both_languages(executed):
    outcome, project = executed
    assert outcome.failures == []
    folder = project.reports / CODE
    assert all((folder / f"{name}.html").stat().st_size > 10_000 for name in NOTEBOOKS)
    for language in LANGUAGES:
        assert all((folder / f"brief.{language}.{kind}").stat().st_size > 10_000 for kind in ("html", "docx", "pdf"))


@pytest.mark.notebooks
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_recorded_for_it_has_names_in_both_languages(executed, name):
    for record in load_results(name, CODE, executed[1].reports).values():
        assert record.label_en and record.label_zh, record.name
        assert not re.search("[\u4e00-\u9fff]", record.label_en) and re.search("[\u4e00-\u9fff]", record.label_zh)


@pytest.mark.notebooks
def test_the_brief_says_what_stands_for_it_and_of_no_other_region(executed):
    english, chinese = (
        re.sub(r"<[^>]+>|\s+", " ", (executed[1].reports / CODE / f"brief.{language}.html").read_text(encoding="utf-8"))
        for language in LANGUAGES
    )
    assert "Chongqing and Sichuan as wholes stand for CCY" in english and "以重庆、四川全域数据代表" in chinese

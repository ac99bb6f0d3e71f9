"""A fourth region is one row: Chengdu-Chongqing, added to a copy of the project, is a region wherever regions are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import clusterlib as cl
from clusterlib.core.language import speaking
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.regions import REGIONS, get_region, region_codes

pytestmark = pytest.mark.usefixtures("figure_style")

CODE, CHONGQING, SICHUAN = "ccy", 500000, 510000
# Of Sichuan the fifteen cities of the plan of the Chengdu-Chongqing economic circle (2021).
CITIES = [
    CHONGQING, 510100, 510300, 510500, 510600, 510700, 510900, 511000, 511100, 511300, 511400, 511500, 511600, 511700,
    511800, 512000,
]  # fmt: skip
ROW = (
    f"{CODE},成渝地区双城经济圈,Chengdu-Chongqing,成渝,CCY,成渝地区;Cheng-Yu;成渝城市群,{CHONGQING};{SICHUAN},"
    f"{';'.join(map(str, CITIES))},no,#CC79A7,v,-,xx\n"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with a fourth region, and the data built from it."""
    real, root = get_project(), tmp_path_factory.mktemp("fourth")
    shutil.copytree(real.root / "data", root / "data", ignore=shutil.ignore_patterns(".memory"))
    shutil.copytree(real.notebooks, root / "notebooks")
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
        drawn = [
            cl.maps.region_map(CODE, gdp, title="t", unit="u", source="s"),
            cl.maps.china_map(title="t", source="s"),
        ]
        names = {text.get_text() for figure in drawn for axes in figure.axes for text in axes.findobj(plt.Text)}
    assert {"en": {"CCY", "Chengdu"}, "zh": {"成渝", "成都"}}[language] <= names
    assert cl.figures.REGION_MARKS[CODE].colour == "#CC79A7"


def test_its_syndromes_and_remedies_are_found():
    measured = cl.diagnosis.measure_syndromes(draws=2)
    assert list(measured.table.columns) == ["bth", "yrd", "gba", CODE]
    found = measured.diagnose(CODE, 2023)
    assert found.scores["severity"].notna().sum() >= 3 and found.scores["rank"].max() <= 4
    scenario = cl.scenario.simulate("co_creation", CODE, draws=10)
    assert set(scenario.table.index[scenario.table["member"]]) == {CHONGQING, SICHUAN}


def test_claims_may_be_of_it(copy):
    path = Path(copy.study / "claims.yml")
    claims = cl.claims.load_claims(path)
    assert all(CODE in claim.regions for claim in claims if len(claim.regions) > 3)

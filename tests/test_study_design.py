"""The study as data/study says: faults are told with file and line, and what is read cannot be changed."""

from __future__ import annotations

import os
import time
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.core.language import speaking
from clusterlib.errors import InvalidInputError, StudyError, UnknownNameError
from clusterlib.paths import Project
from clusterlib.regions import REGIONS, get_region

YRD = "yrd,长三角,Yangtze River Delta"


def change(path: Path, old: str, new: str) -> int:
    """Replace a text that stands in the file once, and return its line."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "column", "reason"),
    [
        ("110000;120000;130000", "110000;120000;139900", "provinces", "139900 is not a province of units.csv"),
        ("110000;120000;130000", "110000;120000;130100", "provinces", "130100 is not a province of units.csv"),
        ("110000;120000;130000", "110000;120000,", None, "14 fields where the header has 13"),
        ("110000;120000;130000", "110000;12;130000", "provinces", "expected codes of six digits"),
        ("all;-133100", "130100;110000;120000;330100", "cities", "330100 is not a city of its provinces"),
        ("all;-133100", "all;-330100", "cities", "330100 is not a city of its provinces"),
        ("all;-133100", "every", "cities", "expected all, all;-341400 or codes"),
        ("440000;810000;820000,", "440000;310000,", "provinces", "310000 stands in line 3 already"),
        (YRD, "bth,长三角,Yangtze River Delta", "code", "'bth' stands in line 2 already"),
        (YRD, "rest,长三角,Yangtze River Delta", "code", "rest and nation are taken"),
        (YRD, "yrd,,Yangtze River Delta", "name_zh", "expected a name"),
        (YRD, "yrd,京津冀,Yangtze River Delta", "name_zh", "stands in line 2 already"),
        ("#D55E00", "orange", "colour", "expected a colour such as #0072B2"),
        ("#D55E00", "#0072B2", "colour", "stands in line 2 already"),
        ("#D55E00,s", "#D55E00,square", "marker", "one of matplotlib's markers"),
        (",no,#009E73", ",maybe,#009E73", "whole_provinces", "expected yes or no"),
    ],
)  # fmt: skip
def test_a_wrong_region_is_told_with_file_line_and_column(raw_project: Project, old, new, column, reason):
    line = change(raw_project.study / "regions.csv", old, new)
    with pytest.raises(StudyError) as caught:
        list(REGIONS)
    place = f"data/study/regions.csv, line {line}" + (f", column {column!r}" if column else "")
    assert place in str(caught.value) and reason in str(caught.value)


def test_a_file_without_regions_and_a_missing_one_are_told(raw_project: Project):
    path = raw_project.study / "regions.csv"
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(StudyError, match="no region: add a row"):
        get_region("yrd")
    path.unlink()
    with pytest.raises(StudyError, match="the file is missing; restore it from version control"):
        get_region("yrd")


def test_regions_are_read_again_when_the_file_changes(raw_project: Project):
    assert get_region("yrd").short_en == "YRD"
    change(raw_project.study / "regions.csv", ",长三角,YRD,", ",长三角,Delta,")
    assert get_region("yrd").short == "Delta"
    with speaking("zh"):
        assert get_region("bth").short == "京津冀" and get_region("gba").name == "粤港澳大湾区"


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("indicators: [software_revenue_share, it", "indicators: [software_revenue_shar, it",
         "dimensions.digital_industry.indicators.0", "did you mean 'software_revenue_share'"),
        ("indicators: [software_revenue_share, it_services_revenue_per_capita]", "indicators: none",
         "dimensions.digital_industry.indicators", "expected a list"),
        ("indicators: [goods_trade_share]", "indicators: [goods_trade_share, goods_trade_share]",
         "dimensions.openness.indicators.1", "given twice"),
        ("[output, structure, innovation, openness]", "[output, structure, innovation, opennes]",
         "measures.real.dimensions.3", "unknown dimension 'opennes'"),
        ("dimensions: [access, inclusive_finance]", "dimensions: [access, digital_finance]",
         "measures.city_digital.dimensions", "are of several levels: city, province"),
        ("measure: four}", "measure: five}", "spans.finance_years.measure", "unknown measure 'five'"),
        ('default: "2010:2019"', 'default: "2000:2019"', "spans.middle_years.default", "figures for 2003:2023"),
        ('default: "2010:2019"', "default: soon", "spans.middle_years.default", "expected '2016:2023'"),
        ("level: city, indicators: [gdp], first: 2004", "level: city, indicators: [gpd], first: 2004",
         "spans.growth_years", "unknown city indicator 'gpd'"),
        ("    zh: 东北\n", "", "belts.northeast.zh", "is missing"),
        ("provinces: [210000, 220000, 230000]", "provinces: [210000, 220000, 110000]",
         "belts.northeast.provinces.2", "110000 is of 'east' already"),
        ("provinces: [210000, 220000, 230000]", "provinces: [210000, 220000, 230100]",
         "belts.northeast.provinces.2", "unknown province 230100"),
        ("of: rd_expenditure, per: gdp}", "of: rd_expenditure, par: gdp}", "variables.rd.par", "unknown key 'par'"),
        ("controls: [urbanisation,", "controls: [urbanization,", "controls.0", "did you mean 'urbanisation'"),
        ("nearest: 5 ", "nearest: five ", "constants.nearest", "expected a number"),
        ("average_wage: amount", "average_wage: rate", "city_outcomes.average_wage", "unknown kind 'rate'"),
        ("constants:\n", "constant:\n", "constant", "unknown section 'constant'; did you mean 'constants'"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_with_file_line_and_place(raw_project: Project, old, new, place, reason):
    line = change(raw_project.study / "design.yml", old, new)
    with pytest.raises(StudyError) as caught:
        cl.study.design()
    (fault,) = [problem for problem in caught.value.problems if problem.column == place]
    assert fault.file == "data/study/design.yml" and reason in fault.reason
    # What is missing is told at what should hold it, two lines above.
    assert fault.line == (line - 2 if reason == "is missing" else line)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("outcomes: [log_gdp_per_head]\n", 2, "'outcomes' is given twice"),
        ("more: [\n", 3, "not valid yaml"),
        ("more: !!python/object:os.system {}\n", 2, "aliases"),
        ("more: &a [1]\nagain: *a\n", 3, "aliases"),
    ],
)
def test_what_is_no_plain_yaml_is_told_by_line(raw_project: Project, text, line, reason):
    path = raw_project.study / "design.yml"
    path.write_text(f"outcomes: [log_gdp_per_head]\n{text}", encoding="utf-8")
    with pytest.raises(StudyError, match=f"line {line}: .*{reason}"):
        cl.study.design()


def test_the_design_cannot_be_changed():
    found = cl.study.design()
    with pytest.raises(FrozenInstanceError):
        found.controls = ()
    with pytest.raises(FrozenInstanceError):
        found.measures["digital"].years = "city_years"
    for mapping in (found.dimensions, found.measures["digital"].dimensions, found.spans, found.industries, REGIONS):
        with pytest.raises(TypeError):
            mapping["new"] = 1
    assert all(isinstance(part, tuple) for part in cl.study.dimensions().values())


def test_reading_the_design_takes_no_pandas_and_little_time(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, time, clusterlib as cl\nstart = time.perf_counter()\n"
        "assert cl.study.spans()['index_years'].default == '2016:2024' and len(cl.study.groups()) == 4\n"
        "assert 'pandas' not in sys.modules\nprint(time.perf_counter() - start)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.0


@pytest.mark.parametrize("years", ["2005:2010", "2003", 2021, "2003:2004, 2010:2021"])
def test_years_within_a_span_are_returned_as_given(years):
    assert cl.study.spans()["city_years"].check(years) == years


@pytest.mark.parametrize(
    ("span", "years", "reason"),
    [
        ("city_years", "2002:2010", r"city_years='2002:2010': there are figures for 2003:2023"),
        ("city_years", "2010:2005", "the first year is after the last"),
        ("city_years", "all", "cannot be read: expected years such as '2003:2020'"),
        ("city_years", True, "cannot be read"),
        ("city_year", "2010:2011", "expected one year; there are figures for 2003:2023"),
        ("finance_years", "2016:2024", "there are figures for 2016:2023"),
    ],
)
def test_years_outside_a_span_are_refused_with_the_span(span, years, reason):
    with pytest.raises(InvalidInputError, match=reason):
        cl.study.spans()[span].check(years)


def test_every_default_lies_within_its_span_and_has_both_names():
    for span in cl.study.spans().values():
        assert span.check(span.default) == span.default and span.en and span.zh


def test_the_index_is_made_over_its_years_and_cut_afterwards():
    whole, last = cl.study.digital_index(), cl.study.digital_index(years=2023)
    pd.testing.assert_series_equal(last.score, whole.score[whole.score.index.get_level_values("year") == 2023])
    pd.testing.assert_series_equal(last.weights, whole.weights)
    assert list(last.normalised.index) == list(last.score.index)
    short = cl.study.digital_index(index_years="2018:2020")
    assert short.weights.to_dict() != whole.weights.to_dict()
    with pytest.raises(UnknownNameError, match="unknown measure 'digtal'; did you mean 'digital'"):
        cl.study.digital_index("digtal")


def test_indices_with_less_are_of_the_same_provinces():
    digital, adoption = cl.study.digital_index(), cl.study.digital_index("adoption")
    assert adoption.score.index.equals(digital.score.index)
    left_out = set(cl.study.design().measures["digital"].indicators) - set(adoption.weights.index)
    assert left_out == {"software_revenue_share", "it_services_revenue_per_capita", "ecommerce_sales_share"}
    first = cl.study.index_data("fixed_gdp").xs(2016, level="year")
    pd.testing.assert_frame_equal(first, cl.study.index_data().xs(2016, level="year"))


def test_variables_of_the_panel_are_what_the_design_says():
    panel = cl.study.output_panel()
    facts = cl.data.load_panel(
        "province", ["university_students", "resident_population", "gdp_per_capita", "dfi_total"]
    )
    ratio = np.log(facts["university_students"] / facts["resident_population"])
    assert panel.loc[(330000, 2020), "students"] == ratio[330000, 2019]
    assert panel.loc[(330000, 2020), "log_gdp_per_head"] == np.log(facts["gdp_per_capita"][330000, 2020])
    assert panel["digital"].equals(panel["entropy"])
    parts = panel.filter(like="part_").sum(axis=1, min_count=3)
    assert np.allclose(parts, panel["digital"], equal_nan=True)
    assert panel.loc[(330000, 2020), "digital_before"] == panel.loc[(330000, 2019), "digital"]
    assert list(cl.study.output_panel("2016:2017", alternatives=False).index.unique("year")) == [2016, 2017]


def test_variables_of_cities_are_what_the_design_says():
    panel = cl.study.city_panel("2015:2019")
    facts = cl.data.load_panel("city", ["broadband_subscribers", "gdp", "gdp_per_capita", "loans"]).sort_index()
    residents = 10_000 * facts["gdp"] / facts["gdp_per_capita"]
    expected = np.log(facts["broadband_subscribers"] / residents).reindex(panel.index)
    pd.testing.assert_series_equal(panel["broadband"], expected, check_names=False)
    share = np.log(facts["loans"] / facts["gdp"]).unstack("year")
    shifted = share.reindex(columns=range(2014, 2019)).set_axis(range(2015, 2020), axis=1).stack()
    found = panel["loans"].dropna()
    np.testing.assert_allclose(found, shifted.reindex(found.index), rtol=1e-12)
    assert len(found) == shifted.reindex(panel.index).notna().sum()


def test_exposure_of_cities_counts_entries_up_to_the_year_and_keeps_later_ones_apart():
    entries = cl.data.load_panel("city", "us_entity_list_entries")["us_entity_list_entries"].unstack("year")
    panel, hangzhou = cl.study.export_control_panel(), 330100
    for year in (2018, 2021, 2023):
        found, so_far = panel.loc[(hangzhou, year)], entries.loc[hangzhou, :year].sum()
        assert found["exposure"] == pytest.approx(np.log1p(so_far), abs=1e-4)
        assert found["exposure_before"] == panel.loc[(hangzhou, year - 1), "exposure"]
        assert found["later"] == pytest.approx(np.log1p(entries.loc[hangzhou, 2024:].sum()), abs=1e-4)
    assert panel.loc[(hangzhou, 2017), "exposure"] == 0
    assert cl.study.export_control_exposure().loc[hangzhou, "first"] == entries.columns[entries.loc[hangzhou] > 0][0]
    assert panel["pace"].max() == 1 and panel.loc[(hangzhou, 2019), "pace"] < 0.5


def test_exports_and_entries_are_related_as_a_regression_on_dummies_relates_them():
    frame, initial = cl.study.export_control_sample("exports", "2018:2023")
    found = cl.panel.fixed_effects(frame, "exports", ["exposure", *initial])
    code, year = (frame.index.get_level_values(level) for level in ("adcode", "year"))
    dummies = [(np.asarray(level)[:, None] == level.unique().to_numpy()).astype(float) for level in (code, year)]
    X = np.hstack([frame[["exposure", *initial]].to_numpy(), *dummies])
    expected = np.linalg.lstsq(X, frame["exports"].to_numpy(), rcond=None)[0][0]
    assert found.params["exposure"] == pytest.approx(expected, rel=1e-6)
    assert len(initial) == 10 and frame.groupby(level="adcode").size().min() > 1


def test_a_region_with_too_few_listed_cities_has_no_estimate():
    table = cl.study.export_control_region("gba", fewest=99)
    assert table["estimate"].isna().all() and (table["hit"] > 0).all()


def test_an_index_of_cities_leaves_out_the_years_of_cities_with_slips():
    data = cl.study.index_data("city_digital")
    (name, largest), *_ = cl.study.design().measures["city_digital"].largest.items()
    whole = cl.data.load_panel("city", list(data.columns), years="2011:2021").dropna()
    assert data[name].max() <= largest < whole[name].max()
    assert set(whole.index) - set(data.index) == set(whole.index[whole[name] > largest])


def test_the_effect_of_a_policy_is_the_mean_of_differences_of_changes_over_cohorts_and_years():
    zones = cl.data.load_policies("cbec_pilot_zone")
    counties = zones.loc[zones["level"] == "county", "adcode"] // 100 * 100
    zones = zones[zones["level"] != "county"].set_index("adcode")
    # Exports are of the whole year: what was announced after June counts from the next.
    start = zones["year_effective"] + (zones["announced"].str[5:7].astype(int) > 6)
    usable = (zones["year_effective"] > 2018) & (start <= 2023)
    exports = np.log(cl.data.load_panel("city", "exports", years="2018:2023")["exports"]).unstack("year").dropna()
    exports = exports[cl.data.consistent_units("2018:2023")["consistent"].reindex(exports.index)]
    partly = set(counties) - set(start.index)
    exports = exports[~exports.index.isin(usable.index[~usable]) & ~exports.index.isin(partly)]
    dates = start[usable].reindex(exports.index).dropna().astype(int)
    others, effects = exports.drop(index=dates.index), []
    for year, cities in dates.groupby(dates):
        for after in range(year, 2024):
            change = (exports.loc[cities.index, after] - exports.loc[cities.index, year - 1]).mean()
            effects += [change - (others[after] - others[year - 1]).mean()] * len(cities)
    found = cl.study.policy_outcomes(("exports",), "2018:2023").loc["exports"]
    assert (found["cities"], found["pilots"]) == (len(exports), len(dates))
    assert found["estimate"] == pytest.approx(np.mean(effects), rel=1e-10)


def test_an_effect_has_its_variants_bounds_and_provinces_left_out():
    found = cl.study.policy_effect("patents", "2018:2023", draws=99)
    assert found.variants.loc["baseline", "estimate"] == found.overall["estimate"]
    assert (found.cohorts >= 4).all() and found.cohorts.sum() == found.pilots
    # Only cities as large as the smallest pilot are compared, and all where that is lifted.
    assert found.cities < found.variants.loc["all_sizes", "cities"]
    assert len(found.without) == found.provinces and (found.without["cities"] < found.cities).all()
    assert (found.bounds["upper"] - found.bounds["lower"]).is_monotonic_increasing
    with pytest.raises(UnknownNameError, match="unknown trial 'patent'"):
        cl.study.policy_effect("patent", "2018:2023")


def test_a_region_with_few_pilots_or_few_others_has_no_experiment():
    found = cl.study.policy_effects_in("gba", (("exports", "2018:2023"), ("patents", "2018:2023")), 19, 0)
    few = found[["pilots", "others"]].min(axis=1) < 5
    assert few.any() and not few.all()
    assert (found["estimate"].isna() == few).all() and (found["placebo_p"].isna() == few).all()


def test_a_change_of_what_is_returned_does_not_come_back():
    panel, index = cl.study.output_panel(), cl.study.digital_index()
    panel.loc[:] = 0.0
    index.score[:] = 0.0
    assert (cl.study.output_panel("2016:2023")["digital"] > 0).all() and (cl.study.digital_index().score > 0).all()


def test_units_are_grouped_by_regions_and_by_belts():
    index = pd.MultiIndex.from_product([[330000, 440200, 440300, 500000], [2020, 2021]], names=["adcode", "year"])
    assert cl.study.group_units(index).tolist() == ["yrd", "rest", "gba", "rest"]
    assert cl.study.group_units(index, "belts").tolist() == ["east", "east", "east", "west"]
    with pytest.raises(InvalidInputError, match="in none of the belts: 810000"):
        cl.study.group_units([810000], "belts")
    with pytest.raises(UnknownNameError, match="unknown grouping 'belt'"):
        cl.study.group_units([330000], "belt")
    provinces = cl.data.load_panel("province", "gdp").index.unique("adcode")
    assert cl.study.group_units(provinces, "belts").value_counts().to_dict() == {
        "west": 12, "east": 10, "central": 6, "northeast": 3
    }  # fmt: skip


def test_the_real_economy_is_output_without_finance_and_real_estate():
    made = cl.study.real_economy(2023)
    assert list(made) == list(cl.study.design().real_economy)
    names = ["gdp", "value_added_finance", "value_added_real_estate", "resident_population"]
    gdp, finance, estate, people = cl.data.load_panel("province", names, years=2023).loc[(310000, 2023)]
    assert made.loc[(310000, 2023), "real_value_added_per_head"] == pytest.approx((gdp - finance - estate) / people)


def test_marks_of_figures_are_those_of_the_groups():
    assert list(cl.figures.REGION_MARKS) == ["bth", "yrd", "gba", "rest"]
    assert cl.figures.REGION_MARKS["yrd"] == cl.figures.group_marks()["yrd"] and len(cl.figures.REGION_MARKS) == 4
    assert cl.figures.REGION_MARKS["yrd"].look == {"color": "#D55E00", "marker": "s", "linestyle": "--"}
    assert list(cl.figures.group_marks("belts")) == list(cl.study.groups("belts"))


def test_names_of_units_are_short_and_of_one_language():
    with speaking("zh"):
        assert cl.data.unit_names("province")[[150000, 650000, 820000, 310000]].tolist() == [
            "内蒙古",
            "新疆",
            "澳门",
            "上海",
        ]
    assert cl.data.unit_names("city")[330100] == "Hangzhou"
    assert cl.data.unit_names("economy", "zh")["CHN"] == "中国"
    with pytest.raises(UnknownNameError, match="unknown language 'fr'"):
        cl.data.unit_names(language="fr")


def test_an_unchanged_file_is_not_read_again(raw_project: Project):
    first = cl.study.design()
    assert cl.study.design() is first
    stamp = time.time() - 10
    os.utime(raw_project.study / "design.yml", (stamp, stamp))
    assert cl.study.design() is not first and cl.study.design() == first


def test_a_specification_of_the_curve_is_the_model_that_it_names():
    from clusterlib.spatial_panel import spatial_panel

    periods, plan = ["2018:2023"], cl.study.design()
    curve = cl.study.output_curve("log_gdp_per_head", periods, draws=20, without=[110000])
    assert len(curve.of("direct")) == np.prod([len(options) for options in cl.study.output_choices(periods).values()])
    panel = cl.study.output_panel(periods[0])
    panel["digital"] = panel["critic"] / cl.study.index_deviations(periods).loc["critic", periods[0]]
    panel = panel.drop(index=110000, level="adcode")
    graph = cl.study.province_graphs(panel.index)["nearest"]
    result = spatial_panel(panel, "log_gdp_per_head", ["digital", *plan.controls], graph, "sdm", "twoway", "lee-yu")
    own = curve.of("indirect").set_index(["index", "weights", "controls"]).loc[("critic", "nearest", "before")]
    assert own["estimate"] == pytest.approx(result.impacts(20, 0).of("digital").loc["indirect", "estimate"], rel=1e-9)
    with pytest.raises(UnknownNameError, match="unknown outcome 'gdp'"):
        cl.study.output_curve("gdp", periods)


def test_sizes_of_regions_add_up_to_the_nation_and_are_those_of_their_cities():
    year, names = 2021, ["gdp", "resident_population"]
    sizes = cl.study.region_sizes(year)
    nation = cl.data.load_panel("province", names, years=year)
    assert sizes.sum().tolist() == pytest.approx(nation.sum().tolist())
    cities = cl.data.load_panel("city", ["gdp", "implied_resident_population"], "gba", year)
    assert sizes.loc["gba"].sum().tolist() == pytest.approx(cities.sum().tolist())
    assert sizes.loc["bth"].sum().tolist() == pytest.approx(cl.data.load_panel("province", names, "bth", year).sum())

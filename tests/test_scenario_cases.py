"""Cases of single cities: who is a donor, what is set beside what, and what the essay's statements on them come to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clusterlib.core.language import speaking
from clusterlib.data import load_clusters, load_panel, load_policies
from clusterlib.errors import InvalidInputError, StudyError
from clusterlib.regions import get_region
from clusterlib.scenario import (
    CASES,
    case_control,
    case_effects,
    case_peers,
    case_profile,
    case_start,
    case_values,
    field_clusters,
    led_clusters,
    objections_in_words,
)
from clusterlib.study import listed_city_synthetic
from clusterlib.study.claims import CONTRADICTED, MIXED, SUPPORTED, judge, load_claims
from clusterlib.study.scenario._cases import read_cases

HANGZHOU, HAINING, YIWU = CASES["yrd"]
SHENZHEN = CASES["gba"][0]


def test_a_case_begins_in_the_year_that_the_list_of_its_policy_gives():
    starts = {case.adcode: case_start(case) for cases in CASES.values() for case in cases if case.policy}
    assert starts == {120000: 2016, 110000: 2014, 330100: 2015, 330782: 2018, 440300: 2016, 440100: 2016}
    with pytest.raises(InvalidInputError, match="130200 is not on the list of broadband_china"):
        case_start(dataclasses.replace(HANGZHOU, adcode=130200, policy="broadband_china"))
    with pytest.raises(InvalidInputError, match="330481: the case has no pilot"):
        case_start(HAINING)


def test_donors_of_a_case_are_large_cities_outside_its_region_that_were_no_pilots():
    control = case_control(SHENZHEN, years="2003:2018", placebos=False)
    donors = control.weights.index
    pilots = load_policies("cbec_pilot_zone").query("year_effective <= 2018")["adcode"]
    assert len(donors) == 20 and not donors.isin(pilots).any()
    assert not donors.isin(get_region("gba").adcodes("city")).any()
    gdp = load_panel("city", "gdp", years=2015)["gdp"].droplevel("year")
    assert gdp[donors].min() > gdp.quantile(0.7)
    assert control.start == 2016 and control.path.index.tolist() == list(range(2003, 2019))


def test_growth_into_the_year_of_the_census_is_counted_for_no_city():
    control = case_control(SHENZHEN, placebos=False)
    assert control.path.index.tolist() == list(range(2003, 2024))
    growth = control.path.diff()
    assert growth.loc[2019, ["observed", "synthetic"]].abs().max() < 1e-12
    gdp = np.log(load_panel("city", "gdp", years="2003:2023")["gdp"].xs(440300)).diff().drop(2019)
    np.testing.assert_allclose(growth["observed"].drop(2019).dropna(), gdp.dropna(), atol=1e-12)
    assert control.path.loc[:2015, "observed"].mean() == pytest.approx(0, abs=1e-12)


def test_a_revision_that_multiplies_a_city_from_the_census_on_does_not_move_its_gap(monkeypatch):
    import clusterlib.study.scenario._cases as module

    plain = case_control(SHENZHEN, placebos=False).path["gap"]
    read = module.figures_by_year

    def revised(level, indicator, years=None):
        wide = read(level, indicator, years).copy()
        wide.loc[440300, [year for year in wide if year >= 2019]] *= 1.4
        return wide

    monkeypatch.setattr(module, "figures_by_year", revised)
    np.testing.assert_allclose(case_control(SHENZHEN, placebos=False).path["gap"], plain, atol=1e-12)


def test_a_case_is_refused_where_the_figures_do_not_reach():
    with pytest.raises(InvalidInputError, match="the pilot began in 2015"):
        case_control(HANGZHOU, years="2003:2012")
    with pytest.raises(InvalidInputError, match="120000 has no gdp_per_capita"):
        case_control(CASES["bth"][0], "gdp_per_capita", years="2003:2021")
    with pytest.raises(InvalidInputError, match="330100 has no gdp in some year of 2003-2040"):
        case_control(HANGZHOU, years="2003:2040")
    with pytest.raises(InvalidInputError, match="330782 is a county-level city, whose figures begin in 2019"):
        case_control(YIWU)


def test_a_listed_city_has_the_one_control_that_export_controls_have_of_it():
    effects = case_effects("yrd")
    assert effects.table.index.tolist() == [(330100, "gdp")]
    row, found = effects.table.loc[(330100, "gdp")], listed_city_synthetic()
    same = ["effect", "p_value", "pre_rmspe", "fit_index", "least", "donors"]
    assert row[same].tolist() == found.table.loc["gdp", same].tolist()
    assert (row["event"], row["start"], row["last"]) == ("us_entity_list", 2020, 2023)
    np.testing.assert_array_equal(effects.gaps[330100], found.path["gap"])


def test_each_series_of_a_pilot_ends_where_its_figures_do():
    table = case_effects("bth").table
    ends = table["last"].unstack("adcode")
    assert ends.loc["gdp"].tolist() == [2023, 2023] and ends.loc["gdp_before_census"].tolist() == [2018, 2018]
    assert (ends.loc[["night_lights", "average_wage"]] == 2020).all(axis=None)
    assert table["start"].groupby("adcode").first().to_dict() == {110000: 2014, 120000: 2016}
    assert (table["p_value"] >= 1 / 21).all()


def test_what_speaks_against_a_fit_is_said_in_the_language_spoken():
    poor = case_control(SHENZHEN, "night_lights_sum", years="2003:2020")
    said = objections_in_words(poor)
    assert list(poor.objections) == ["poor_fit"]
    with speaking("en"):
        assert str(said) == f"the fit index before is {poor.fit_index:.2f}, below 0.9"
    with speaking("zh"):
        assert str(said) == f"事前拟合指数为{poor.fit_index:.2f}，低于0.9"


def test_a_profile_ranks_the_city_and_sets_it_beside_region_and_nation():
    profile = case_profile(HANGZHOU)
    gdp = load_panel("city", "gdp", years=2023)["gdp"].droplevel("year")
    own = profile.loc["gdp"]
    assert own["last"] == gdp[330100] and own["rank"] == (gdp >= gdp[330100]).sum() and own["cities"] == len(gdp)
    assert own["region_mean"] == pytest.approx(gdp.reindex(get_region("yrd").adcodes("city")).mean())
    assert own["nation_mean"] == pytest.approx(gdp.mean())


def test_a_county_level_city_is_profiled_among_county_level_cities():
    profile = case_profile(HAINING)
    gdp = load_panel("county", "gdp", years=2023)["gdp"].droplevel("year").drop(130983)
    own = profile.loc["gdp"]
    assert own["last"] == gdp[330481] and own["rank"] == (gdp >= gdp[330481]).sum() and own["cities"] == len(gdp)
    cities = get_region("yrd").adcodes("city")
    assert own["region_mean"] == pytest.approx(gdp[[code // 100 * 100 in cities for code in gdp.index]].mean())
    assert profile["first_year"].eq(2019).all() and profile["last_year"].eq(2023).all()


def test_clusters_of_a_field_are_those_of_the_region_and_tell_which_the_city_leads():
    found = field_clusters(HANGZHOU)
    assert found.loc[found["name_zh"] == "杭州市数字安防集群", "led"].all()
    assert not found.loc[found["name_zh"].str.contains("南京"), "led"].any()
    assert not found["name_zh"].str.contains("成都|贵阳").any()
    # Of Haining those of Jiaxing, which leads none.
    assert HAINING.prefecture == 330400 and led_clusters(HAINING).empty
    uneven = load_clusters("national_sme_characteristic")
    assert "110000" in set(uneven["adcodes"])
    assert not led_clusters(CASES["bth"][1]).index.isin(uneven.index).any()
    assert found["led"].sum() <= len(led_clusters(HANGZHOU))


@pytest.fixture(scope="module")
def found():
    return case_effects("yrd").table, case_peers("yrd")


def test_a_city_is_compared_in_the_years_and_on_the_basis_that_its_figures_have(found):
    peers = found[1]
    years = peers.groupby(["adcode", "indicator"])[["first", "last"]].first()
    assert years.loc[(330100, "gdp")].tolist() == [2019, 2023]
    assert years.loc[(330100, "exports")].tolist() == [2018, 2023]
    assert years.loc[330782].eq([2019, 2023]).all(axis=None)
    # A municipality has no other city in its province.
    assert case_peers("bth").index.unique("group").tolist() == ["matched"]


def test_values_of_a_case_are_log_points_times_hundred_of_what_the_tables_hold(found):
    effects, peers = found
    values = case_values(YIWU, *found)
    row = peers.loc[(330782, "value_added_tertiary", "matched")]
    assert values["own_matched_gap"] == pytest.approx(100 * row["gap"]) and values["own_matched_units"] == 40
    assert values["gdp_change"] == pytest.approx(100 * np.log(2055.6178 / 1421.1437))
    hangzhou = case_values(HANGZHOU, *found)
    assert hangzhou["gap"] == pytest.approx(100 * effects.loc[(330100, "gdp"), "effect"])
    assert hangzhou["p"] == effects.loc[(330100, "gdp"), "p_value"]


def test_a_case_without_a_credible_control_or_enough_peers_has_no_values(found):
    effects, peers = found
    assert case_values(HANGZHOU, effects.assign(credible="no"), peers) == {}
    assert case_values(YIWU, effects, peers.assign(lower=-np.inf)) == {}
    assert case_values(YIWU, effects, peers.drop("gdp", level="indicator")) == {}


def claim(name):
    return next(each for each in load_claims() if each.id == name)


@pytest.mark.parametrize(("moved", "verdict"), [(0.3, SUPPORTED), (-0.3, CONTRADICTED), (0.0, MIXED)])
def test_the_statement_on_a_listed_city_can_come_out_either_way(found, moved, verdict):
    effects, peers = found
    p_value = 1 / 21 if moved else 0.5
    values = case_values(HANGZHOU, effects.assign(effect=moved, p_value=p_value), peers)
    said = judge(claim("case_hangzhou"), **values)
    assert said.verdict == verdict
    assert f"{100 * moved:+.1f}" in said.evidence.en.format(**values)


@pytest.mark.parametrize("case", [HAINING, YIWU], ids=["haining", "yiwu"])
@pytest.mark.parametrize(
    ("province", "matched", "verdict"),
    [(2.0, 2.0, SUPPORTED), (-2.0, -2.0, CONTRADICTED), (0.0, 0.0, MIXED), (2.0, 0.0, MIXED), (2.0, -2.0, MIXED)],
)
def test_the_statement_on_a_county_level_city_can_come_out_either_way(found, case, province, matched, verdict):
    effects, peers = found
    moved = peers.copy()
    for group, by in {"province": province, "matched": matched}.items():
        at = (case.adcode, case.outcome, group)
        moved.loc[at, ["change", "gap", "lower", "upper"]] += by
    assert judge(claim(case.claim), **case_values(case, effects, moved)).verdict == verdict


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "yrd,county,330782",
            "yrd,county,330700",
            "column 'adcode': '330700': expected the code of a county-level city",
        ),
        (
            "yrd,county,330782",
            "gba,county,330782",
            "column 'adcode': '330782': expected the code of a county-level city",
        ),
        ("yrd,county,330782", "yrd,town,330782", "column 'level': unknown level 'town'"),
        ("yrd,city,330100", "yrd,city,330782", "column 'adcode': unknown city of the region '330782'"),
        ("cbec_pilot_zone,2019", "cbec_pilot_zone,soon", "column 'listed': 'soon': expected a year"),
        ("yrd,city,330100", "north,city,330100", "column 'region': unknown region 'north'"),
    ],
)
def test_a_row_that_cannot_be_a_case_is_refused_with_its_line(raw_project, old, new, expected):
    path = raw_project.study / "cases.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError) as refused:
        read_cases(raw_project.root)
    assert expected in str(refused.value)

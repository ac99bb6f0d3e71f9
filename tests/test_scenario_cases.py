"""Cases of single cities: who is a donor, what is set beside what, and where a control is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clusterlib.data import load_clusters, load_panel, load_policies
from clusterlib.errors import InvalidInputError
from clusterlib.regions import get_region
from clusterlib.scenario import (
    CASES,
    case_control,
    case_paths,
    case_profile,
    case_start,
    field_clusters,
    led_clusters,
)

HANGZHOU = CASES["yrd"][0]


def test_a_case_begins_in_the_year_that_the_list_of_its_policy_gives():
    assert [case_start(case) for cases in CASES.values() for case in cases] == [2016, 2014, 2015, 2015, 2016, 2016]
    with pytest.raises(InvalidInputError, match="130200 is not on the list of broadband_china"):
        case_start(dataclasses.replace(HANGZHOU, adcode=130200, policy="broadband_china"))


def test_donors_of_a_case_are_large_cities_outside_its_region_that_were_no_pilots():
    control = case_control(HANGZHOU, placebos=False)
    donors = control.weights.index
    pilots = load_policies("cbec_pilot_zone").query("year_effective <= 2018")["adcode"]
    assert len(donors) == 40 and not donors.isin(pilots).any()
    assert not donors.isin(get_region("yrd").adcodes("city")).any()
    gdp = load_panel("city", "gdp", years=2014)["gdp"].droplevel("year")
    assert gdp[donors].min() > gdp.quantile(0.7)
    assert control.start == 2015 and control.path.index.tolist() == list(range(2003, 2019))


def test_a_relative_control_follows_the_path_and_not_the_level():
    relative, level = (case_control(HANGZHOU, relative=r, placebos=False) for r in (True, False))
    assert relative.path.loc[:2014, "observed"].mean() == pytest.approx(0, abs=1e-9)
    assert relative.fit_index > 0.99 > level.fit_index
    gdp = np.log(load_panel("city", "gdp", years="2003:2018")["gdp"].xs(330100))
    np.testing.assert_allclose(relative.path["observed"].diff().dropna(), gdp.diff().dropna(), atol=1e-12)


def test_a_case_is_refused_where_the_figures_do_not_reach():
    with pytest.raises(InvalidInputError, match="the pilot began in 2015"):
        case_control(HANGZHOU, years="2003:2012")
    with pytest.raises(InvalidInputError, match="120000 has no gdp_per_capita"):
        case_control(CASES["bth"][0], "gdp_per_capita", years="2003:2021")
    with pytest.raises(InvalidInputError, match="330100 has no gdp in some year of 2003-2040"):
        case_control(HANGZHOU, years="2003:2040")


def test_a_profile_ranks_the_city_and_sets_it_beside_region_and_nation():
    profile = case_profile(HANGZHOU)
    gdp = load_panel("city", "gdp", years=2020)["gdp"].droplevel("year")
    own = profile.loc["gdp"]
    assert own["last"] == gdp[330100] and own["rank"] == (gdp >= gdp[330100]).sum() and own["cities"] == len(gdp)
    assert own["region_mean"] == pytest.approx(gdp.reindex(get_region("yrd").adcodes("city")).mean())
    assert own["nation_mean"] == pytest.approx(gdp.mean())


def test_paths_start_at_a_hundred_over_the_same_cities_in_every_year():
    paths = case_paths(HANGZHOU, "gdp", total=True)
    assert paths.iloc[0].tolist() == pytest.approx([100, 100, 100])
    wide = load_panel("city", "gdp", years="2003:2020")["gdp"].unstack("year").dropna()
    assert paths.loc[2020, "nation"] == pytest.approx(100 * wide[2020].sum() / wide[2003].sum())
    assert paths.loc[2020, "city"] == pytest.approx(100 * wide.loc[330100, 2020] / wide.loc[330100, 2003])


def test_clusters_of_a_field_are_those_of_the_region_and_tell_which_the_city_leads():
    found = field_clusters(HANGZHOU)
    assert found.loc[found["name_zh"] == "杭州市数字安防集群", "led"].all()
    assert not found.loc[found["name_zh"].str.contains("南京"), "led"].any()
    assert not found["name_zh"].str.contains("成都|贵阳").any()
    assert led_clusters(CASES["yrd"][1]).empty
    uneven = load_clusters("national_sme_characteristic")
    assert "110000" in set(uneven["adcodes"])
    assert not led_clusters(CASES["bth"][1]).index.isin(uneven.index).any()
    assert found["led"].sum() <= len(led_clusters(HANGZHOU))

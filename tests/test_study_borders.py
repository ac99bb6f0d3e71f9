"""Growth across borders of provinces: the same cities for both outcomes, changes of what shares no year, pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import clusterlib as cl
from clusterlib.study._borders import PERIODS, growth_panels
from clusterlib.study.diagnosis import border_estimates, region_cities


@pytest.fixture(scope="module")
def growth():
    return cl.study.growth_borders()


def test_both_outcomes_are_of_the_same_cities_and_years_without_the_census_and_moved_borders():
    panels, graph, province = growth_panels(PERIODS["to_2020"])
    gdp, lights = panels["gdp"], panels["lights"]
    assert gdp.index.equals(lights.index)
    assert gdp.index.unique("year").tolist() == [2014, 2015, 2016, 2017, 2018, 2020]
    assert gdp.groupby("adcode").size().eq(6).all() and gdp.notna().all(axis=None)
    assert set(graph.unique_ids) == set(province.index) == set(gdp.index.unique("adcode"))
    moved = cl.data.consistent_units("2013:2020")["consistent"]
    assert moved.loc[province.index].all() and not moved.all()


def test_growth_is_the_change_of_logarithms_of_the_table():
    panels, _, _ = growth_panels((2015, 2016))
    raw = pd.read_csv(cl.paths.get_project().root / "data" / "raw" / "city" / "night_lights.csv")
    sums = raw[raw["indicator"] == "night_lights_sum"].pivot(index="adcode", columns="year", values="value")
    at = panels["lights"]["growth"].xs(2016, level="year")
    expected = 100 * np.log(sums[2016] / sums[2015])
    np.testing.assert_allclose(at, expected.loc[at.index], rtol=1e-6)


def test_a_region_has_the_estimates_of_the_cities_of_its_provinces_and_their_neighbours(growth):
    panels, graph, province = growth_panels(PERIODS["after"])
    units = region_cities("gba", province)
    own = border_estimates(panels["lights"], "growth", ["initial"], graph, province, {"own": units}).loc["own"]
    row = growth.estimates.loc[("after", "lights", "gba")]
    assert row["difference"] == pytest.approx(own["difference"], rel=1e-6) and row["units"] == own["units"]
    assert row["units"] > len(units) and row["lower"] < row["difference"] < row["upper"]


def test_the_border_of_the_nation_is_the_plain_models_border_of_gdp_and_no_other(growth):
    after = growth.estimates.loc["after"].xs("nation", level="area").drop(columns="reason").astype(float)
    assert after.loc["gdp", "plain_lower"] > 0.3 and after.loc["gdp", "shock_share"] > 0.5
    assert after.loc["gdp", "difference"] < after.loc["gdp", "plain_difference"] / 3
    assert after.loc["lights", "plain_lower"] < 0 < after.loc["lights", "plain_upper"]
    assert after.loc["lights", "shock_share"] < 0.3


def test_a_change_is_the_later_less_the_earlier_difference_of_two_samples(growth):
    one, two = (growth.estimates.loc[(period, "gdp", "yrd")] for period in ("before", "after"))
    row = growth.change.loc[("gdp", "yrd")]
    assert row["estimate"] == pytest.approx(two["difference"] - one["difference"])
    assert row["std_error"] == pytest.approx(np.hypot(one["se_difference"], two["se_difference"]))
    # Welch's degrees of freedom are no more than both together: wider than the normal interval.
    assert row["upper"] - row["estimate"] > norm.ppf(0.975) * row["std_error"]
    assert row["lower"] < row["estimate"] < row["upper"] < row["estimate"] + 3 * row["std_error"]


def test_after_the_last_images_there_is_gdp_alone(growth):
    assert set(growth.estimates.loc["recent"].index.get_level_values("outcome")) == {"gdp"}
    assert set(growth.alike.index) == set(PERIODS)


def test_pairs_are_counted_once_and_a_regions_difference_has_no_interval():
    pairs = cl.study.pair_premiums()
    table = pairs.premiums
    assert table.loc[("gdp", "nation", "difference"), ["lower", "upper"]].notna().all()
    assert table.loc[("gdp", "yrd", "difference"), ["lower", "upper", "p_value"]].isna().all()
    for outcome in ("gdp", "lights"):
        kinds = pairs.kinds.loc[outcome]
        gap = kinds["correlation"].loc
        within = gap["neighbours_within"] - gap["others_within"]
        assert table.loc[(outcome, "nation", "within"), "estimate"] == pytest.approx(within)
        assert table.loc[(outcome, "nation", "within"), "pairs"] == kinds["pairs"].sum()
    assert pairs.sizes["permutations"] >= 1000 and pairs.sizes["periods"] == 13


def test_hong_kong_and_macao_each_touch_one_city_of_the_mainland():
    pairs = cl.study.systems_border()
    assert pairs.index.is_unique and (pairs["kind"] == "systems").sum() == 2
    assert pairs["correlation"].between(-1, 1).all() and pairs["rank"].between(0, 100).all()
    one, other = pairs.index[0]
    province = cl.data.load_units().loc[[one, other], "province"]
    assert (pairs["kind"].iloc[0] == "within") == (province.iloc[0] == province.iloc[1])

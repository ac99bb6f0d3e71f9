"""Links across regions and industries: pairs with direct trains, what is expected of a region, digital work."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.claims import judge, load_claims
from clusterlib.errors import InvalidInputError
from clusterlib.study._links import COAST, predicted_gap, share_slopes


@pytest.fixture(scope="module")
def pairs():
    return cl.study.train_pairs()


def test_a_pair_that_the_timetable_does_not_show_is_not_a_zero(pairs):
    cities = pairs.index.unique("origin").union(pairs.index.unique("destination"))
    assert len(pairs) < len(cities) * (len(cities) - 1)
    assert pairs["trains"].min() >= 1


def test_a_municipality_is_in_one_province_with_no_other_city(pairs):
    assert (pairs.loc[pairs["municipalities"] > 0, "same_province"] == 0).all()
    assert pairs.loc[(440100, 440300), "same_province"] == 1


def test_a_pair_is_in_a_core_region_if_both_cities_are(pairs):
    regions = pairs[list(cl.regions.REGIONS)]
    assert (pairs["same_region"] == regions.sum(axis=1)).all()
    assert pairs.loc[(310000, 330100), "yrd"] == 1
    for name in cl.regions.REGIONS:
        assert regions[name].sum() == len(cl.data.load_pairs(region=name))


def test_distance_is_the_logarithm_of_kilometres_less_that_of_five_hundred(pairs):
    assert pairs["distance"].to_numpy() == pytest.approx(np.log(pairs["kilometres"] / 500).to_numpy())
    assert pairs.loc[(110000, 120000), "kilometres"] == pytest.approx(110, abs=40)


def test_seats_of_provinces_are_counted_among_both_cities(pairs):
    found = [pairs.loc[pair, "capitals"] for pair in ((320100, 330100), (320100, 320500), (320500, 330200))]
    assert found == [2, 1, 0]


@pytest.fixture(scope="module")
def links():
    return cl.study.train_links()


def test_a_regions_own_border_is_that_of_its_provinces_in_the_equation_of_all_pairs(links, pairs):
    codes = cl.regions.get_region("yrd").adcodes("province")
    home = pairs["same_province"] * pairs["province_from"].isin(codes)
    split = pairs.assign(home=home, other=pairs["same_province"] - home)
    names = ["distance", "distance_squared", "home", "other", "same_region"]
    row = cl.spatial.gravity_regression(split, "trains", names).table.loc["home"]
    found = links.borders.loc["yrd"]
    assert found["estimate"] == pytest.approx(row["estimate"]) and found["upper"] == pytest.approx(row["upper"])
    assert found["within"] == home.sum()
    assert links.borders.loc["nation", "estimate"] == links.coefficients.loc["same_province", "estimate"]


def test_trains_that_leave_a_region_are_those_with_one_end_in_it():
    raw = pd.read_csv(cl.paths.get_project().root / "data" / "raw" / "pair" / "trains.csv")
    raw = raw[raw["indicator"] == "direct_trains"]
    cities = cl.regions.get_region("yrd").adcodes("city")
    start, end = raw["adcode_from"].isin(cities), raw["adcode_to"].isin(cities)
    share = 100 * raw["value"][start != end].sum() / raw["value"][start | end].sum()
    outside = cl.study.train_links().outside.loc["yrd"]
    assert outside["seen"] == pytest.approx(share)
    assert 0 < outside["expected"] < 100


def test_a_gap_is_the_forecast_error_of_a_regression_with_a_dummy_for_each_member():
    random = np.random.default_rng(0)
    x = pd.DataFrame(random.normal(size=(20, 2)), columns=["a", "b"])
    y = pd.Series(random.normal(size=20) + x["a"])
    members = pd.Index([3, 8, 11])
    found = predicted_gap(y, x, members)
    # Salkever's dummies: their coefficients are the forecast errors.
    dummies = np.eye(20)[:, members]
    design = np.column_stack([np.ones(20), x, dummies])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    left = y - design @ beta
    pick = np.concatenate([np.zeros(3), np.full(3, 1 / 3)])
    assert found["estimate"] == pytest.approx(pick @ beta)
    assert found["std_error"] == pytest.approx(np.sqrt(left @ left / (20 - 6) * (pick @ inverse @ pick)))
    assert (found["members"], found["others"]) == (3, 17)
    with pytest.raises(InvalidInputError, match="0 member"):
        predicted_gap(y, x, pd.Index([99]))


@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_a_gap_moves_with_the_members_and_scales_with_the_unit(shift, scale):
    random = np.random.default_rng(1)
    x, y = pd.DataFrame({"a": random.normal(size=15)}), pd.Series(random.normal(size=15))
    members = pd.Index([2, 7])
    base = predicted_gap(y, x, members)
    moved = predicted_gap(scale * y + shift * y.index.isin(members), x, members)
    assert moved["estimate"] == pytest.approx(scale * base["estimate"] + shift, abs=1e-9)
    assert moved["std_error"] == pytest.approx(scale * base["std_error"])


def test_intervals_of_gaps_hold_nil_as_often_as_they_say_for_a_single_member():
    random, inside = np.random.default_rng(2), []
    x = pd.DataFrame({"a": random.normal(size=25)})
    for _ in range(300):
        row = predicted_gap(pd.Series(random.normal(size=25)), x, pd.Index([4]))
        inside.append(row["lower"] <= 0 <= row["upper"])
    assert 0.92 <= np.mean(inside) <= 0.98


def test_goods_trade_expected_of_a_province_is_what_the_others_predict():
    open_markets = cl.study.open_markets()
    panel = cl.data.load_panel("province", ["goods_trade_share", "gdp", "gdp_per_capita", "software_revenue"])
    panel = panel[panel.index.get_level_values("year").isin(range(2016, 2024))].dropna()
    means = panel.groupby("adcode").mean()
    y = np.log(panel["goods_trade_share"]).groupby("adcode").mean()
    x = np.column_stack([np.ones(len(means)), np.log(means[["gdp", "gdp_per_capita"]]), means.index.isin(COAST)])
    other = y.index != 440000
    beta = np.linalg.lstsq(x[other], y[other], rcond=None)[0]
    row = open_markets.gaps.loc[("trade", "gba", "level")]
    assert row["estimate"] == pytest.approx(float(y[440000] - x[~other][0] @ beta), rel=1e-6)
    assert open_markets.years == (2016, 2023) and len(COAST) == 11
    assert np.log(open_markets.expected.loc[440000]).diff().iloc[-1] == pytest.approx(-row["estimate"])


def test_slopes_of_members_and_others_are_those_of_two_regressions_with_one_slope_of_size():
    random = np.random.default_rng(3)
    x, size = (pd.Series(random.normal(size=40)) for _ in range(2))
    member = pd.Index(range(12))
    inside = x.index.isin(member)
    y = np.where(inside, 2.0, -1.0) * x + 0.5 * size + pd.Series(random.normal(size=40))
    found = share_slopes(y, x, size.to_frame("size"), member)
    design = np.column_stack([inside, inside * x, ~inside, ~inside * x, size])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    left = y - design @ beta
    leverage = np.diag(design @ inverse @ design.T)
    covariance = inverse @ (design.T * (left / (1 - leverage)).to_numpy() ** 2) @ design @ inverse
    np.testing.assert_allclose(found["estimate"], [beta[1], beta[3], beta[1] - beta[3]])
    np.testing.assert_allclose(found["std_error"].iloc[:2], np.sqrt(np.diag(covariance)[[1, 3]]))
    assert found["units"].tolist() == [12, 28, 40]
    few = share_slopes(y, x, size.to_frame("size"), pd.Index(range(4)))
    assert few["estimate"].isna().all() and few["units"].tolist() == [4, 36, 40]


def test_digital_work_beside_industry_is_that_of_the_tables():
    root = cl.paths.get_project().root / "data" / "raw" / "city"
    raw = pd.concat([pd.read_csv(root / f"{name}.csv") for name in ("digital", "labour", "sectors", "output")])
    wide = raw[raw["year"] == 2019].pivot_table(index="adcode", columns="indicator", values="value")
    people = wide["gdp"] / wide["gdp_per_capita"]
    digital = wide["information_software_employment"]
    services = 100 * wide["urban_unit_employees"] * wide["employment_tertiary_share"] - digital
    y, x = np.log(digital / services), np.log(wide["value_added_secondary"] / people)
    kept = (y + x + np.log(people) + np.log(wide["employment_secondary_share"])).replace(-np.inf, np.nan).notna()
    design = np.column_stack([np.ones(kept.sum()), x[kept], np.log(people[kept])])
    beta = np.linalg.lstsq(design, y[kept], rcond=None)[0]
    row = cl.study.industry_links().slopes.loc[("main", "nation", "own")]
    assert row["estimate"] == pytest.approx(beta[1], abs=0.02)
    assert abs(row["units"] - kept.sum()) <= 3


def test_richer_cities_have_more_of_both_industry_and_digital_work():
    slopes = cl.study.industry_links().slopes
    assert slopes.loc[("main", "nation", "own"), "lower"] > 0 > slopes.loc[("income", "nation", "own"), "upper"]


CLAIMS = {claim.id: claim for claim in load_claims()}
SIGNS = {1: (0.5, 0.2, 0.8), 0: (0.1, -0.2, 0.4), -1: (-0.5, -0.8, -0.2)}
EXPECTED = {(1, 1): 1, (-1, -1): -1}


@pytest.mark.parametrize(("one", "two"), list(product(SIGNS, SIGNS)))
def test_the_rules_on_borders_and_industries_come_out_either_way(one, two):
    words = {1: "supported", -1: "contradicted", 0: "mixed"}
    parts = {"gdp": one, "lights": two}
    values = {f"{name}{end}": value for name, sign in parts.items()
              for end, value in zip(("", "_lower", "_upper"), SIGNS[sign], strict=True)}  # fmt: skip
    seen = {"units": 50, "gdp_detectable": 0.2, "lights_detectable": 0.2}
    verdict = judge(CLAIMS["governance_imbalance"], **values, **seen)
    assert verdict.verdict == words[EXPECTED.get((one, two), 0)]
    ends = {"slope": one, "held": two}
    values = {name: value for start, sign in ends.items() for name, value in zip(
        (start, "lower" if start == "slope" else f"{start}_lower", "upper" if start == "slope" else f"{start}_upper"),
        SIGNS[sign], strict=True)}  # fmt: skip
    seen = {"cities": 50, "year": 2019, "detectable": 0.2, "held_detectable": 0.2}
    verdict = judge(CLAIMS["ecosystem_closure_industries"], **values, **seen)
    assert verdict.verdict == words[-EXPECTED.get((one, two), 0)]
    assert judge(CLAIMS["ecosystem_closure_industries"], **values, **{**seen, "cities": 4}).verdict == "no experiment"


@pytest.mark.parametrize(
    ("border", "verdict"),
    [((1.6, 1.3, 2.0), "supported"), ((1.1, 0.8, 1.4), "mixed"), ((0.6, 0.4, 0.9), "contradicted")],
)
def test_the_rule_on_regions_comes_out_either_way_and_needs_cities(border, verdict):
    values = dict(zip(("border", "lower", "upper"), border, strict=True)) | {"within": 60, "detectable": 1.4}
    assert judge(CLAIMS["ecosystem_closure_regions"], **values, cities=20).verdict == verdict
    assert judge(CLAIMS["ecosystem_closure_regions"], **values, cities=3).verdict == "no experiment"

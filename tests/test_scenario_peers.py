"""How unusual a change is among peers: an exact test, its interval, and figures of the raw csv in plain pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.scenario import false_alarms, peer_balance, peer_comparison, unusual_change

YIWU, HAINING, HUANGHUA = 330782, 330481, 130983


def p_by_hand(values: list[float], own: float) -> float:
    everyone = sorted([*values, own])
    n = len(everyone)
    median = (everyone[(n - 1) // 2] + everyone[n // 2]) / 2
    return sum(abs(x - median) >= abs(own - median) - 1e-12 for x in everyone) / n


@pytest.mark.parametrize("units", [5, 20, 21, 40])
def test_the_interval_holds_the_changes_that_the_test_does_not_call_unusual(units):
    peers = np.random.default_rng(units).normal(size=units - 1)
    for own in np.linspace(-4, 4, 61):
        found = unusual_change(pd.Series([own, *peers]), 0, alpha=0.2)
        p = p_by_hand(list(peers), own)
        assert found["p_value"] == pytest.approx(p)
        assert (p > 0.2) == (found["low"] <= own <= found["high"])
        assert (found["lower"], found["upper"]) == pytest.approx((own - found["high"], own - found["low"]))


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=30), st.sampled_from([0.05, 0.1, 0.3]))
@settings(max_examples=40, deadline=None)
def test_of_all_units_no_more_than_alpha_are_unusual_in_their_own_turn(values, alpha):
    changes = pd.Series(values, dtype=float)
    called = [unusual_change(changes, unit, alpha)["p_value"] <= alpha for unit in changes.index]
    assert np.mean(called) <= alpha + 1e-12


@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_origin_nor_unit_of_changes_matters(seed, shift, scale):
    random = np.random.default_rng(seed)
    changes = pd.Series(random.normal(size=25))
    base = unusual_change(changes, 3)
    other = unusual_change((shift + scale * changes).sample(frac=1, random_state=seed % 1000), 3)
    assert other[["p_value", "rank", "units", "percentile"]].tolist() == pytest.approx(
        base[["p_value", "rank", "units", "percentile"]].tolist()
    )
    for name in ("gap", "lower", "upper", "detectable"):
        assert other[name] == pytest.approx(scale * base[name], abs=1e-9 * (abs(shift) + scale))


def test_of_many_normal_peers_bounds_and_detectable_effect_are_those_of_the_normal_distribution():
    found = unusual_change(pd.Series(np.random.default_rng(0).normal(size=200_000)), 0)
    assert found["high"] == pytest.approx(1.96, abs=0.02) and found["low"] == pytest.approx(-1.96, abs=0.02)
    assert found["detectable"] == pytest.approx(1.96 + 0.84, abs=0.02)


def test_an_interval_holds_what_was_added_in_19_of_20_samples_whatever_the_distribution():
    random = np.random.default_rng(1)
    for draw in (random.normal, random.standard_cauchy, random.lognormal):
        samples = [pd.Series(draw(size=20)) for _ in range(300)]
        found = [unusual_change(changes + np.r_[0.7, np.zeros(19)], 0) for changes in samples]
        assert np.mean([row["lower"] <= 0.7 <= row["upper"] for row in found]) == pytest.approx(0.95, abs=0.03)


def test_too_few_peers_for_a_test_have_no_bound():
    found = unusual_change(pd.Series([9.0, *np.arange(11)]), 0)
    assert found["p_value"] >= 1 / 12
    assert found[["low", "high", "lower", "upper", "detectable"]].abs().eq(np.inf).all()
    with pytest.raises(InvalidInputError, match=r"a has 1 peer\(s\): expected at least two"):
        unusual_change(pd.Series({"a": 1.0, "b": 2.0}), "a")
    with pytest.raises(InvalidInputError, match="c: no change is known"):
        unusual_change(pd.Series({"a": 1.0, "b": 2.0, "c": np.nan}), "c")


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    """Figures of county-level cities of 2019 and 2023, straight from the csv files."""
    files = [pd.read_csv(get_project().raw / "county" / f"{name}.csv") for name in ("output", "population")]
    wide = pd.concat(files).pivot(index="adcode", columns=["indicator", "year"], values="value")
    return wide.drop(index=HUANGHUA)


def test_growth_beside_the_province_is_that_of_the_raw_csv(raw):
    growth = np.log(raw["gdp"][2023] / raw["gdp"][2019]).dropna()
    home = growth[growth.index // 10_000 == 33]
    found = peer_comparison("county", YIWU, "gdp", "2019:2023").loc["province"]
    assert found["units"] == len(home) == 20
    assert found["change"] == pytest.approx(np.log(2055.6178 / 1421.1437)) == pytest.approx(home[YIWU])
    assert found["rank"] == (home >= home[YIWU]).sum() == 1
    assert found["gap"] == pytest.approx(home[YIWU] - home.drop(YIWU).median())
    assert found["p_value"] == pytest.approx(p_by_hand(list(home.drop(YIWU)), home[YIWU])) == 0.05
    assert found["lower"] > 0


def test_matched_peers_are_the_nearest_of_other_provinces_in_level_and_structure(raw):
    gdp = raw["gdp"][2019]
    traits = {
        "size": np.log(gdp),
        "per_head": np.log(gdp / raw["registered_population"][2019]),
        "secondary": raw["value_added_secondary"][2019] / gdp,
        "primary": raw["value_added_primary"][2019] / gdp,
    }
    industry = np.log(raw["value_added_secondary"][2023] / raw["value_added_secondary"][2019])
    traits = pd.DataFrame(traits).replace([np.inf, -np.inf], np.nan).dropna()
    traits = traits.loc[traits.index.intersection(industry.dropna().index)]
    inverse = np.linalg.inv(np.cov(traits.T))
    distance = cdist(traits.loc[[HAINING]], traits, "mahalanobis", VI=inverse)[0]
    others = pd.Series(distance, traits.index)[traits.index // 10_000 != 33]
    peers = others.nsmallest(39).index
    found = peer_comparison("county", HAINING, "value_added_secondary", (2019, 2023)).loc["matched"]
    assert found["units"] == 40
    assert found["median"] == pytest.approx(industry[peers].median())
    assert found["rank"] == (industry[peers] > industry[HAINING]).sum() + 1
    assert found["p_value"] == pytest.approx(p_by_hand(list(industry[peers]), industry[HAINING]))


def test_tertiary_industry_of_2019_is_what_the_two_others_leave_of_gdp(raw):
    rest = [raw["gdp"][y] - raw["value_added_primary"][y] - raw["value_added_secondary"][y] for y in (2019, 2023)]
    found = peer_comparison("county", YIWU, "value_added_tertiary", "2019:2023").loc["province"]
    assert found["change"] == pytest.approx(np.log(rest[1][YIWU] / rest[0][YIWU]))
    printed = raw["value_added_tertiary"][2023]
    np.testing.assert_allclose(rest[1][rest[1].notna()], printed[rest[1].notna()], rtol=1e-4)


def test_a_city_whose_borders_were_redrawn_is_no_case_and_no_peer():
    with pytest.raises(InvalidInputError, match=f"{HUANGHUA}: no gdp or no structure"):
        peer_comparison("county", HUANGHUA, "gdp", "2019:2023")


def test_alarms_are_the_share_of_units_that_are_unusual_in_their_own_turn(raw):
    growth = np.log(raw["gdp"][2023] / raw["gdp"][2019]).dropna()
    of_structure = [raw[name][2019] for name in ("registered_population", "value_added_primary", "gdp")]
    known = growth.index.intersection(pd.concat(of_structure, axis=1).dropna().index)
    called = []
    for province in sorted({code // 10_000 for code in known}):
        home = growth[known][known // 10_000 == province]
        if len(home) >= 20:
            called += [p_by_hand(list(home.drop(code)), home[code]) <= 0.05 for code in home.index]
    found = false_alarms("county", "gdp", "2019:2023").loc["province"]
    assert found["units"] == len(called) and found["share"] == pytest.approx(100 * np.mean(called))
    assert found["share"] <= 5


def test_balance_tells_how_far_a_rich_trading_city_lies_from_what_is_nearest():
    found = peer_balance("county", YIWU, 2019)
    assert (found.loc[["size", "per_head"], "apart"] > 0.5).all() and found.loc["secondary", "apart"] < -0.5
    assert found.loc["size", "own"] == pytest.approx(np.log(1421.1437))
    level = found.loc[["size", "per_head"]]
    assert ((level["own"] - level["peers"]).abs() < (level["own"] - level["all"]).abs()).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InvalidInputError, match="expected a first and a later last year"):
        peer_comparison("county", YIWU, "gdp", "2019:2019")
    with pytest.raises(UnknownNameError, match="unknown year 2021"):
        peer_comparison("county", YIWU, "gdp", "2019:2021")
    with pytest.raises(UnknownNameError, match="level"):
        peer_comparison("village", YIWU, "gdp", "2019:2023")
    with pytest.raises(InvalidInputError, match="110000: its level and structure in 2019"):
        peer_balance("county", 110000, 2019)
    with pytest.raises(ClusterlibError):
        peer_comparison("county", YIWU, "night_lights_sum", "2019:2023")

"""The four remedies on the project's data: recomputed by hand, tried everywhere, refused where they cannot be."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.claims import judge, load_claims
from clusterlib.data import load_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.scenario import REMEDIES, border_model, simulate
from clusterlib.study.scenario._slopes import TREATMENTS, city_sample, city_slope

CLAIMS = {claim.id: claim for claim in load_claims() if claim.id.startswith("remedy_")}


@pytest.fixture(scope="module")
def delta():
    return {remedy: simulate(remedy, "yrd", draws=1000) for remedy in REMEDIES}


@pytest.mark.parametrize("region", cl.regions.REGIONS)
@pytest.mark.parametrize("remedy", TREATMENTS)
def test_every_region_has_cities_that_a_step_changes_and_nearly_all_its_gdp(remedy, region):
    scenario = simulate(remedy, region)
    assert len(scenario.changes) >= 5 and scenario.share > 90
    step = scenario.changes["after"] - scenario.changes["before"]
    assert step.to_numpy() == pytest.approx(city_slope(remedy).step)
    assert set(scenario.changes.index) <= set(cl.regions.get_region(region).adcodes("city"))


def test_a_step_is_taken_from_the_last_year_of_each_city(delta):
    rows = city_sample("data_platform")["log_trade"].unstack("year")
    before = delta["data_platform"].changes["before"]
    assert before[330100] == rows.loc[330100].dropna().iloc[-1]


def test_the_effect_is_the_slope_times_the_step_and_other_models_take_the_same_step():
    main, year = (simulate("data_platform", "gba", model=model) for model in ("best", "year"))
    for scenario, model in ((main, "nation"), (year, "year")):
        slope = city_slope("data_platform", model)
        assert scenario.totals.loc["home", "estimate"] == pytest.approx(100 * slope.estimate * main.settings["step"])
    assert year.settings["step"] == main.settings["step"]
    double = simulate("data_platform", "gba", step=2 * main.settings["step"]).totals
    np.testing.assert_allclose(double[["estimate", "lower", "upper"]], 2 * main.totals[["estimate", "lower", "upper"]])
    platforms = simulate("co_creation", "gba", model="platforms")
    assert platforms.settings["step"] == platforms.slope.step != main.settings["step"]


def test_joint_targets_are_recomputed_with_dense_inverses(delta):
    model = border_model("yrd")
    units = model.gdp.index
    member = units.isin(cl.regions.get_region("yrd").adcodes("city"))
    inside, outside = model.within.sparse.toarray(), model.across.sparse.toarray()
    one, other = model.params

    def response(within, across):
        return np.linalg.inv(np.eye(len(units)) - within * inside - across * outside) @ member

    share = np.where(member, load_panel("city", "gdp", years=2020)["gdp"].droplevel("year").reindex(units), 0)
    share = share / share.sum()
    totals = delta["joint_targets"].totals["estimate"]
    expected = {"alone": response(one, 0), "present": response(one, other), "joint": response(one, one)}
    for regime, values in expected.items():
        assert totals[regime] == pytest.approx(share @ values, rel=1e-8)
    assert totals["gain"] == pytest.approx(totals["joint"] - totals["alone"])
    assert totals["gain_over_present"] == pytest.approx(totals["joint"] - totals["present"])
    own = np.where(model.province == 330000, share, 0)
    group = delta["joint_targets"].groups.loc[(330000, "joint"), "estimate"]
    assert group == pytest.approx(own @ expected["joint"] / own.sum(), rel=1e-8)


def test_gains_scale_with_the_impulse_follow_the_seed_and_have_the_p_of_their_draws(delta):
    one = delta["joint_targets"].totals
    three = simulate("joint_targets", "yrd", step=3.0, draws=1000).totals
    np.testing.assert_allclose(3 * one[["estimate", "lower", "upper"]], three[["estimate", "lower", "upper"]])
    pd.testing.assert_frame_equal(simulate("joint_targets", "yrd", draws=1000).totals, one)
    other = simulate("joint_targets", "yrd", draws=1000, seed=1).totals
    assert (other["lower"] != one["lower"]).all()
    gain = one.loc["gain_over_present"]
    assert (gain["p_value"] < 0.05) == (gain["lower"] > 0 or gain["upper"] < 0)


def test_intervals_hold_the_estimate_and_narrow_with_the_level(delta):
    for remedy, scenario in delta.items():
        totals = scenario.totals
        assert (totals["lower"] <= totals["estimate"]).all() and (totals["estimate"] <= totals["upper"]).all()
        narrow = simulate(remedy, "yrd", draws=1000, level=0.5).totals
        assert (narrow["upper"] - narrow["lower"] < totals["upper"] - totals["lower"]).all()


@pytest.mark.parametrize("remedy", REMEDIES)
def test_assumptions_are_said_in_two_languages_and_a_result_is_frozen(delta, remedy):
    scenario = delta[remedy]
    assert len(scenario.assumptions) == 4
    for english, chinese in scenario.assumptions:
        assert english and not re.search("[一-鿿]", english)
        assert re.search("[一-鿿]", chinese)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scenario.remedy = "other"
    shown = str(scenario.summary())
    assert shown.startswith(scenario.title) and scenario.notes[0] in shown


def test_regions_without_a_border_inside_have_joint_targets_by_the_nations_coefficients_alone():
    with pytest.raises(InvalidInputError, match="gba has 0 pair"):
        simulate("joint_targets", "gba")
    found = simulate("joint_targets", "gba", model="nation", draws=1000)
    assert len(found.changes) == 9 and found.model == "nation"
    low = simulate("joint_targets", "bth", model="nation_lights", draws=1000)
    assert low.settings["rho_across"] == pytest.approx(border_model(outcome="lights").params["rho_across"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"remedy": "data_mangement"}, "unknown remedy 'data_mangement'; did you mean 'data_management'"),
        ({"region": "yrdd"}, "did you mean 'yrd'"),
        ({"model": "lihgts"}, "unknown model 'lihgts'; did you mean 'lights'"),
        ({"remedy": "joint_targets", "model": "platforms"}, "unknown model 'platforms'"),
        ({"region": "bth", "model": "region"}, "fewer than 20 cities"),
    ],
)
def test_unknown_names_are_answered_with_the_valid_ones(arguments, message):
    with pytest.raises(UnknownNameError, match=message):
        simulate(**{"remedy": "co_creation", "region": "yrd"} | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0.0}, "step"),
        ({"step": -1.0}, "step"),
        ({"level": 1.0}, "level"),
        ({"remedy": "joint_targets", "draws": 999}, "draws"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        simulate(**{"remedy": "co_creation", "region": "yrd"} | arguments)


PARTS = {
    "remedy_data_management": ("zones", "depth"),
    "remedy_co_creation": ("connection", "platforms"),
    "remedy_data_platform": ("exports", "trade"),
    "remedy_joint_targets": ("gdp", "lights"),
}


def values(claim: str, *estimates: float, cities: int = 9) -> dict[str, float]:
    """Values of a claim's two parts, each with an interval of half a unit around it, and something for the rest."""
    made = {"cities": cities}
    for name, estimate in zip(PARTS[claim], estimates, strict=True):
        made |= {name: estimate, f"{name}_lower": estimate - 0.5, f"{name}_upper": estimate + 0.5}
    return dict.fromkeys(CLAIMS[claim].quoted, 1.0) | made


@pytest.mark.parametrize("claim", PARTS)
@pytest.mark.parametrize(
    ("estimates", "verdict"),
    [
        ((1.0, 1.0), "supported"),
        ((-1.0, -1.0), "contradicted"),
        ((1.0, -1.0), "mixed"),
        ((1.0, 0.2), "mixed"),
        ((0.2, 0.2), "mixed"),
    ],
)
def test_a_claim_is_judged_either_way_and_by_both_its_parts(claim, estimates, verdict):
    assert judge(CLAIMS[claim], **values(claim, *estimates)).verdict == verdict
    assert judge(CLAIMS[claim], **values(claim, *estimates[::-1])).verdict == verdict


@pytest.mark.parametrize("claim", PARTS)
def test_without_cities_to_change_there_is_no_experiment(claim):
    found = judge(CLAIMS[claim], **values(claim, 1.0, 1.0, cities=4))
    assert found.verdict == "no experiment" and "Fewer than five cities" in found.evidence.en

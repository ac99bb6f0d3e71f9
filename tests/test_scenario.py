"""The four remedies on the project's data: recomputed by hand, adding up, refused where they make no sense."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from clusterlib.composite import composite_index
from clusterlib.data import load_boundaries, load_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.scenario import (
    REMEDIES,
    durbin_response,
    province_model,
    simulate,
)
from clusterlib.spatial_panel import spatial_panel
from clusterlib.study import design, dimensions
from clusterlib.weights import contiguity


@pytest.fixture(scope="module")
def beijing_region():
    return {remedy: simulate(remedy, "bth", draws=200) for remedy in REMEDIES}


def test_waking_data_is_recomputed_from_linear_programmes_and_a_dense_inverse(beijing_region):
    from scipy.optimize import linprog

    model = province_model()
    panel = model.panel.xs(2023, level="year")
    X, Y = panel[list(design().data_inputs)].to_numpy(), panel[list(design().data_outputs)].to_numpy()
    X, Y = X / X.mean(axis=0), Y / Y.mean(axis=0)
    n, efficiency = len(panel), {}
    for o, code in enumerate(panel.index):
        rows = np.vstack([np.c_[np.zeros(2), X.T], np.c_[Y[o], -Y.T], np.r_[0.0, np.ones(n)][None]])
        solved = linprog(np.r_[-1.0, np.zeros(n)], A_ub=rows, b_ub=np.r_[X[o], np.zeros(3), 1.0])
        efficiency[code] = 1 / solved.x[0]
    target = np.percentile(list(efficiency.values()), 75)
    factor = {code: max(1.0, target / efficiency[code]) for code in (110000, 120000, 130000)}
    raw, moved = model.index_data, np.zeros(n)
    for name in ("software_revenue_share", "it_services_revenue_per_capita", "ecommerce_sales_share"):
        for code, f in factor.items():
            span = raw[name].max() - raw[name].min()
            step = 10 * model.index.weights[name] * (f - 1) * raw.loc[(code, 2023), name] / span
            moved[panel.index.get_loc(code)] += step
    W, params = model.graph.sparse.toarray(), model.result.params
    matrix = np.linalg.inv(np.eye(n) - params["rho"] * W) @ (params["digital"] * np.eye(n) + params["W_digital"] * W)
    found = beijing_region["data_management"].table
    np.testing.assert_allclose(found["total"], 100 * matrix @ moved, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["direct"], 100 * np.diag(matrix) * moved, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("remedy", REMEDIES)
def test_effects_add_up_lie_in_their_intervals_and_come_with_assumptions_in_two_languages(beijing_region, remedy):
    scenario = beijing_region[remedy]
    totals = scenario.totals["estimate"]
    assert totals["direct"] + totals["spillover"] == pytest.approx(totals["total"])
    assert totals["spillover_inside"] + totals["spillover_outside"] == pytest.approx(totals["spillover"])
    assert (scenario.totals["lower"] <= scenario.totals["upper"]).all()
    table = scenario.table
    np.testing.assert_allclose(table["direct"] + table["spillover"], table["total"], atol=1e-12)
    assert not table.loc[~table["member"], "direct"].any()
    assert len(scenario.assumptions) >= 5
    for english, chinese in scenario.assumptions:
        assert english and not re.search("[一-鿿]", english)
        assert re.search("[一-鿿]", chinese)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scenario.year = 2020


def test_the_model_of_provinces_gives_the_impacts_that_the_scenarios_rest_on():
    model = province_model()
    every = pd.DataFrame({"digital": np.ones(30)}, index=model.panel.index.unique("adcode"))
    response = durbin_response(model.result, model.graph, every, draws=50)
    impacts = model.result.impacts(draws=50).table.loc["digital"]
    assert response.total[:, 0].mean() == pytest.approx(impacts["total"], rel=1e-9)
    assert response.direct[:, 0].mean() == pytest.approx(impacts["direct"], rel=1e-9)


def test_the_model_of_provinces_is_estimated_from_the_index_in_tenths_and_controls_of_the_year_before():
    names = [name for group in dimensions().values() for name in group]
    index = composite_index(load_panel("province", names, years="2016:2024").dropna(), dimensions()).score
    facts = load_panel("province", years="2015:2023")
    rows = []
    for code, year in province_model().panel.index:
        now, before = facts.loc[(code, year)], facts.loc[(code, year - 1)]
        people = before["resident_population"]
        students, budget = before["university_students"] / people, before["general_budget_expenditure"] / people
        urban = before["urbanisation_rate"]
        rows.append([np.log(now["gdp_per_capita"]), 10 * index[code, year], urban, np.log(students), np.log(budget)])
    columns = ["log_gdp_per_head", "digital", "urbanisation", "students", "expenditure"]
    data = pd.DataFrame(rows, province_model().panel.index, columns)
    borders = contiguity(load_boundaries("province").loc[data.index.unique("adcode")])
    expected = spatial_panel(data, columns[0], columns[1:], borders, "sdm", "twoway", "lee-yu")
    pd.testing.assert_series_equal(province_model().result.params, expected.params, rtol=1e-9)


def test_a_region_without_a_gap_gets_nothing_and_the_verdict_says_so():
    scenario = simulate("data_management", "gba", draws=20)
    assert not scenario.totals.to_numpy().any() and scenario.changes.empty
    assert scenario.verdict().startswith("no unit of the region lies below the target")


def test_half_the_gap_gives_half_the_effect_and_the_seed_all_the_draws():
    whole, half = (simulate("co_creation", "yrd", size=s, draws=30).totals for s in (1.0, 0.5))
    np.testing.assert_allclose(whole, 2 * half, rtol=1e-9, atol=1e-12)
    again, other = (simulate("co_creation", "yrd", draws=30, seed=s).totals for s in (0, 1))
    pd.testing.assert_frame_equal(whole, again)
    assert (again["estimate"] == other["estimate"]).all() and (again["lower"] != other["lower"]).any()


def test_classical_errors_are_the_models_own_and_narrower_here(beijing_region):
    classical = simulate("data_management", "bth", errors="classical", draws=200).totals
    cluster = beijing_region["data_management"].totals
    assert (classical["estimate"] == cluster["estimate"]).all()
    assert (classical["upper"] - classical["lower"])["total"] < (cluster["upper"] - cluster["lower"])["total"]


def test_joint_targets_gain_over_acting_alone_by_what_the_regimes_differ(beijing_region):
    scenario = beijing_region["joint_targets"]
    totals = scenario.totals["estimate"]
    assert totals["gain"] == pytest.approx(totals["joint"] - totals["alone"])
    assert totals["gain_over_present"] == pytest.approx(totals["joint"] - totals["present"])
    assert totals["gain"] == pytest.approx(totals["spillover_inside"])
    # A municipality has no neighbour within its border: alone its impulse stays what it was.
    assert scenario.groups.loc[(110000, "alone")].tolist() == pytest.approx([1, 1, 1])
    assert scenario.table.loc[110000, "direct"] == pytest.approx(1)
    assert scenario.year == 2020


def test_cities_outside_the_region_do_nothing_themselves_even_within_its_province():
    scenario = simulate("joint_targets", "gba", draws=30)
    outside = scenario.table[~scenario.table["member"]]
    neighbours = outside.loc[[code for code in (440500, 441600, 441800) if code in outside.index]]
    assert not outside["direct"].any() and (neighbours["spillover"] > 0).all()
    twice = simulate("joint_targets", "gba", size=2.0, draws=30)
    np.testing.assert_allclose(twice.totals, 2 * scenario.totals, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"remedy": "data_managment"}, "did you mean 'data_management'"),
        ({"region": "yrdd"}, "unknown region 'yrdd'"),
        ({"year": 2030}, "unknown year 2030"),
        ({"measure": "analogue"}, "unknown measure"),
        ({"variant": "logs"}, "unknown variant"),
        ({"weights": "queen"}, "unknown weights"),
        ({"sample": "county"}, "unknown sample"),
        ({"errors": "robust"}, "unknown kind of errors"),
        ({"remedy": "joint_targets", "year": 2019}, "city figures are of 2020"),
    ],
)
def test_unknown_names_are_answered_with_the_valid_ones(arguments, message):
    with pytest.raises(UnknownNameError, match=message):
        simulate(**({"remedy": "data_management", "region": "yrd", "draws": 5} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"percentile": 120}, "from 0 to 100"),
        ({"size": 0}, "expected a positive number"),
        ({"level": 95}, "expected a share such as 0.95"),
        ({"measure": "adoption"}, "waking data cannot move it"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        simulate("data_management", "yrd", draws=5, **arguments)


def test_the_verdict_follows_the_interval(beijing_region):
    scenario = beijing_region["co_creation"]
    totals = scenario.totals.copy()
    for bounds, word in (([0.1, 0.3], "positive"), ([-0.3, -0.1], "negative"), ([-0.1, 0.3], "not told from zero")):
        totals.loc["total"] = [np.mean(bounds), *bounds]
        assert dataclasses.replace(scenario, totals=totals).verdict().startswith(word)

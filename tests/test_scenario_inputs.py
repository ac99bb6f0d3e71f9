"""Every kind of argument thrown at every public function: the right value, or an error that says what."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array

import clusterlib.scenario as scenario
from clusterlib.errors import ClusterlibError, ClusterlibWarning

UNITS = list(range(12))
RING = sum(np.roll(np.eye(12), step, axis=1) for step in (-1, 1)) / 2
WITHIN = np.where(np.equal.outer(np.arange(12) // 4, np.arange(12) // 4), RING, 0)
CASE = scenario.CASES["yrd"][0]


def estimates(names: list[str], values: list[float], **more) -> SimpleNamespace:
    covariance = pd.DataFrame(np.eye(len(names)) / 1e4, names, names)
    return SimpleNamespace(params=pd.Series(values, names), covariance=covariance, **more)


DURBIN = estimates(["a", "W_a", "rho"], [1.0, 0.5, 0.4], x=["a"], durbin=["a"])
BORDER = estimates(["rho_within", "rho_across"], [0.5, 0.2])
CHANGES = pd.DataFrame({"a": np.linspace(0, 1, 12)}, UNITS)
# The arguments of a call that works, by function.
CALLS = {
    "durbin_response": {"result": DURBIN, "w": RING, "changes": CHANGES, "covariance": None, "draws": 5, "seed": 0},
    "border_response": {
        "result": BORDER, "within": WITHIN, "across": RING - WITHIN, "impulse": CHANGES["a"], "draws": 5, "seed": 0,
    },
    "simulate": {
        "remedy": "co_creation", "region": "yrd", "year": 2023, "percentile": 75.0, "size": 1.0, "measure": "digital",
        "variant": "levels", "weights": "contiguity", "sample": "window", "shocks": True, "errors": "cluster",
        "draws": 5, "seed": 0, "level": 0.95,
    },
    "province_model": {"measure": "digital", "links": False, "variant": "levels", "weights": "contiguity"},
    "border_model": {"sample": "region", "region": "yrd", "shocks": True},
    "case_start": {"case": CASE},
    "case_profile": {"case": CASE, "years": (2003, 2020)},
    "case_effects": {"region": "yrd", "years": "2003:2023", "donors": 20, "alpha": 0.05},
    "case_peers": {"region": "yrd", "alpha": 0.05},
    "peer_comparison": {
        "level": "county", "unit": 330782, "indicator": "gdp", "years": "2019:2023", "alpha": 0.05, "matched": 39,
    },
    "peer_balance": {"level": "county", "unit": 330782, "year": 2019, "matched": 39},
    "case_control": {"case": CASE, "indicator": "gdp", "years": "2003:2018", "donors": 10},
    "field_clusters": {"case": CASE},
    "led_clusters": {"case": CASE},
}  # fmt: skip
ODD = {
    "none": None,
    "mapping": {"x": 1},
    "text": "no such thing",
    "date": pd.Timestamp("2020-01-01"),
    "series": pd.Series([1.5, 2.5]),
    "frame": pd.DataFrame({"x": [1.0]}),
    "negative": -1.5,
    "truth": True,
    "list of nothing": [None],
    "array": np.ones((2, 3)),
    "function": len,
}
FITS = {
    ("durbin_response", "covariance"): {"none"},
    ("case_profile", "years"): {"none"},
    ("case_effects", "years"): {"none"},
    ("case_control", "years"): {"none"},
    ("simulate", "shocks"): {"truth"},
    ("province_model", "links"): {"truth"},
    ("border_model", "shocks"): {"truth"},
}


def odd_arguments() -> list:
    return [
        pytest.param(function, name, kind, id=f"{function}-{name}-{kind}")
        for function, arguments in CALLS.items()
        for name in arguments
        for kind in ODD
        if kind not in FITS.get((function, name), ())
    ]


@pytest.mark.parametrize("function", CALLS)
def test_the_calls_themselves_work(function):
    getattr(scenario, function)(**CALLS[function])


@pytest.mark.parametrize(("function", "name", "kind"), odd_arguments())
def test_an_argument_of_another_kind_is_refused(function, name, kind):
    with pytest.raises(ClusterlibError):
        getattr(scenario, function)(**CALLS[function] | {name: ODD[kind]})


def test_a_region_that_no_sample_is_taken_from_is_refused():
    with pytest.raises(ClusterlibError, match="of sample='region' only"):
        scenario.border_model("window", "yrd")


SPOILT = {
    "another unit": lambda frame: frame.rename({3: 99}),
    "doubled unit": lambda frame: frame.rename({3: 4}),
    "missing unit": lambda frame: frame.set_axis([None, *UNITS[1:]]),
    "a unit less": lambda frame: frame.drop(3),
    "two levels": lambda frame: pd.concat({2020: frame}),
    "missing value": lambda frame: frame.mask(frame > 0.95),
    "infinite value": lambda frame: frame.mask(frame > 0.95, np.inf),
    "text": lambda frame: frame.astype(str),
    "complex": lambda frame: frame.astype(complex),
    "doubled column": lambda frame: pd.concat([frame, frame], axis=1),
}


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize(("function", "name"), [("durbin_response", "changes"), ("border_response", "impulse")])
def test_changes_that_cannot_be_right_are_refused(function, name, kind):
    weights = {"w": RING, "within": WITHIN, "across": RING - WITHIN}
    labelled = {key: pd.DataFrame(w, UNITS, UNITS) for key, w in weights.items() if key in CALLS[function]}
    arguments = CALLS[function] | labelled
    with pytest.raises(ClusterlibError):
        getattr(scenario, function)(**arguments | {name: SPOILT[kind](arguments[name])})


def test_weights_are_aligned_by_label_whatever_they_come_in():
    expected = scenario.durbin_response(**CALLS["durbin_response"])
    order = np.random.default_rng(0).permutation(12)
    labelled = pd.DataFrame(RING, UNITS, UNITS)
    graph = Graph.from_sparse(csr_array(RING), ids=UNITS)
    for w in (csr_array(RING), labelled.iloc[order, order], labelled.iloc[order], graph, graph.to_W()):
        found = scenario.durbin_response(**CALLS["durbin_response"] | {"w": w})
        np.testing.assert_allclose(found.total, expected.total, rtol=1e-12)
    turned = CALLS["durbin_response"] | {"changes": CHANGES.iloc[order]}
    np.testing.assert_allclose(
        scenario.durbin_response(**turned | {"w": labelled}).total, expected.total[order], rtol=1e-12
    )
    with pytest.warns(ClusterlibWarning, match="not their sorted order"):
        found = scenario.durbin_response(**turned | {"w": labelled.iloc[order, order].to_numpy()})
    np.testing.assert_allclose(found.total, expected.total[order], rtol=1e-12)


@pytest.mark.parametrize("kind", ["int64", "Int64", "double[pyarrow]", "boolean", "float32"])
def test_changes_of_another_make_give_the_same_numbers(kind):
    changes = pd.DataFrame({"a": [0.0, 1.0] * 6}, UNITS)
    expected = scenario.durbin_response(**CALLS["durbin_response"] | {"changes": changes})
    found = scenario.durbin_response(**CALLS["durbin_response"] | {"changes": changes.astype(kind)})
    np.testing.assert_allclose(found.total, expected.total, rtol=1e-12)
    impulse = changes["a"]
    expected = scenario.border_response(**CALLS["border_response"] | {"impulse": impulse})
    found = scenario.border_response(**CALLS["border_response"] | {"impulse": impulse.astype(kind)})
    np.testing.assert_allclose(found.joint, expected.joint, rtol=1e-12)


def test_what_a_caller_does_to_a_model_does_not_reach_the_next():
    model, cities = scenario.province_model(), scenario.border_model()
    before = scenario.simulate("co_creation", "yrd", draws=5).totals
    model.panel.loc[:] = 1.0
    model.regressors.loc[:] = 1.0
    model.index_data.loc[:] = 1.0
    model.covariance.loc[:] = 1.0
    model.result.params.loc[:] = 1.0
    cities.gdp.loc[:] = 1.0
    cities.result.params.loc[:] = 0.0
    pd.testing.assert_frame_equal(scenario.simulate("co_creation", "yrd", draws=5).totals, before)
    assert scenario.province_model().panel.to_numpy().max() > 1 and scenario.border_model().gdp.max() > 1
    assert scenario.border_model().result.params["rho_within"] != 0


def test_results_show_people_a_title_a_table_and_what_is_assumed():
    shown = str(scenario.simulate("co_creation", "yrd", draws=5).summary())
    assert shown.startswith("Industry co-creation: spreading platforms 产业共创：平台普及")
    assert "spillover_outside" in shown and "correlations within provinces over the years" in shown
    response = scenario.border_response(**CALLS["border_response"])
    assert list(response.table.columns[:3]) == ["alone", "alone_lower", "alone_upper"]
    np.testing.assert_array_equal(response.table["joint"], response.joint[:, 0])
    table = scenario.durbin_response(**CALLS["durbin_response"]).table
    np.testing.assert_allclose(table["direct"] + table["spillover"], table["total"])
    assert "rejected: 0" in str(response.summary())

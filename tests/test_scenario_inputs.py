"""Every kind of argument thrown at every public function: the right value, or an error that says what."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array

import clusterlib.scenario as scenario
from clusterlib.errors import ClusterlibError

UNITS = list(range(12))
RING = sum(np.roll(np.eye(12), step, axis=1) for step in (-1, 1)) / 2
WITHIN = np.where(np.equal.outer(np.arange(12) // 4, np.arange(12) // 4), RING, 0)
CASE = scenario.CASES["yrd"][0]


def estimates(names: list[str], values: list[float], **more) -> SimpleNamespace:
    covariance = pd.DataFrame(np.eye(len(names)) / 1e4, names, names)
    return SimpleNamespace(params=pd.Series(values, names), covariance=covariance, **more)


BORDER = estimates(["rho_within", "rho_across"], [0.5, 0.2])
CHANGES = pd.DataFrame({"a": np.linspace(0, 1, 12)}, UNITS)
# The arguments of a call that works, by function.
CALLS = {
    "border_response": {
        "result": BORDER, "within": WITHIN, "across": RING - WITHIN, "impulse": CHANGES["a"], "draws": 5, "seed": 0,
    },
    "simulate": {
        "remedy": "joint_targets", "region": "yrd", "model": "best", "step": 1.0, "draws": 1000, "seed": 0,
        "level": 0.95,
    },
    "border_model": {"region": "yrd", "outcome": "gdp", "shocks": True},
    "border_pairs": {"region": "yrd", "outcome": "gdp"},
    "why_no_border": {"region": "yrd"},
    "choose_slope": {"remedy": "co_creation", "region": "yrd", "model": "best"},
    "big_data_zones": {"years": "2011:2023", "draws": 99, "seed": 0},
    "difference_of_means": {
        "values": pd.Series(range(12), UNITS, float), "treated": pd.Series([True, False] * 6, UNITS), "draws": 5,
        "seed": 0,
    },
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
    ("case_profile", "years"): {"none"},
    ("case_effects", "years"): {"none"},
    ("case_control", "years"): {"none"},
    ("simulate", "step"): {"none"},
    ("border_model", "region"): {"none"},
    ("border_model", "shocks"): {"truth"},
    ("big_data_zones", "years"): {"none"},
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
def test_an_impulse_that_cannot_be_right_is_refused(kind):
    labelled = {name: pd.DataFrame(w, UNITS, UNITS) for name, w in (("within", WITHIN), ("across", RING - WITHIN))}
    arguments = CALLS["border_response"] | labelled
    with pytest.raises(ClusterlibError):
        scenario.border_response(**arguments | {"impulse": SPOILT[kind](arguments["impulse"].to_frame("a"))})


def test_weights_are_aligned_by_label_whatever_they_come_in():
    expected = scenario.border_response(**CALLS["border_response"]).present
    order = np.random.default_rng(0).permutation(12)
    labelled = pd.DataFrame(WITHIN, UNITS, UNITS)
    graph = Graph.from_sparse(csr_array(WITHIN), ids=UNITS)
    for w in (csr_array(WITHIN), labelled.iloc[order, order], labelled.iloc[order], graph, graph.to_W()):
        found = scenario.border_response(**CALLS["border_response"] | {"within": w}).present
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    both = {"within": labelled, "across": pd.DataFrame(RING - WITHIN, UNITS, UNITS)}
    turned = CALLS["border_response"] | both | {"impulse": CHANGES["a"].iloc[order]}
    np.testing.assert_allclose(scenario.border_response(**turned).present, expected[order], rtol=1e-12)


@pytest.mark.parametrize("kind", ["int64", "Int64", "double[pyarrow]", "boolean", "float32"])
def test_an_impulse_of_another_make_gives_the_same_numbers(kind):
    impulse = pd.Series([0.0, 1.0] * 6, UNITS)
    expected = scenario.border_response(**CALLS["border_response"] | {"impulse": impulse})
    found = scenario.border_response(**CALLS["border_response"] | {"impulse": impulse.astype(kind)})
    np.testing.assert_allclose(found.joint, expected.joint, rtol=1e-12)


def test_what_a_caller_does_to_a_model_does_not_reach_the_next():
    model, before = scenario.border_model("yrd"), scenario.simulate(**CALLS["simulate"]).totals
    model.gdp.loc[:] = 1.0
    model.params.loc[:] = 0.0
    model.result.params.loc[:] = 0.0
    pd.testing.assert_frame_equal(scenario.simulate(**CALLS["simulate"]).totals, before)
    assert scenario.border_model("yrd").gdp.max() > 1 and scenario.border_model("yrd").params.all()


def test_results_show_people_a_title_a_table_and_what_is_assumed():
    shown = str(scenario.simulate("co_creation", "yrd").summary())
    assert shown.startswith("Industry co-creation: spreading platforms 产业共创：平台普及")
    assert "home" in shown and "A slope is what goes together within provinces" in shown
    response = scenario.border_response(**CALLS["border_response"])
    assert list(response.table.columns[:3]) == ["alone", "alone_lower", "alone_upper"]
    np.testing.assert_array_equal(response.table["joint"], response.joint[:, 0])
    assert "rejected: 0" in str(response.summary())

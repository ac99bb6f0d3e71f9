"""What spatial panel models refuse, and whether they say why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array
from spatial_panel_cases import nearest, simulated

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel import lm_tests, spatial_panel, two_weights_sar

W = nearest(12)
PANEL = simulated(W, 5, 0.3)
X = ["x1", "x2"]
UNITS = PANEL.index.get_level_values(0)
YEARS = PANEL.index.get_level_values(1)


def graph(ids) -> Graph:
    return Graph.from_sparse(csr_array(nearest(len(ids))), ids=ids)


def changed(w: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    w = w.copy()
    w[row, column] = value
    return w


def island(w: np.ndarray) -> np.ndarray:
    w = w.copy()
    w[3] = 0
    return w


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": PANEL.iloc[1:]}, "not balanced"),
        ({"data": PANEL.assign(x1=PANEL["x1"].where(UNITS != 3))}, r"missing or infinite.*\(3, 2000\), 'x1'"),
        ({"data": PANEL.assign(x1="a")}, "not numbers: x1"),
        ({"data": PANEL.reset_index(drop=True)}, "index of two levels"),
        ({"data": PANEL.assign(x1=UNITS * 1.5), "effects": "entity"}, "x1 does not vary within units"),
        ({"data": PANEL.assign(x1=YEARS * 0.1), "effects": "twoway"}, "x1 is a sum of unit and period effects"),
        ({"data": PANEL.assign(x1=7.0)}, "x1 is the same in every row"),
        ({"data": PANEL.assign(x2=2 * PANEL["x1"] + 1)}, "x2: a linear combination"),
        ({"data": PANEL.assign(x1=YEARS * 0.1), "effects": "entity", "model": "sdm"}, "W_x1: a linear combination"),
        ({"data": PANEL.assign(y=1.0)}, "y is the same in every row"),
        ({"data": PANEL.assign(y=UNITS * 1.0), "effects": "entity"}, "y does not vary"),
        ({"data": PANEL.assign(y=PANEL["x1"] + 1)}, "no error is left"),
        ({"data": PANEL.xs(2000, level=1, drop_level=False), "effects": "entity"}, "two periods or more"),
        ({"data": PANEL.assign(W_x1=1.0, x2=PANEL["x2"]), "x": ["x1", "W_x1"], "model": "sdm"}, "W_x1.*rename"),
        ({"data": PANEL.assign(rho=PANEL["x1"]), "x": ["rho"]}, "rho.*rename"),
        ({"x": []}, "x names no variable"),
        ({"x": ["x1", "y"]}, "given twice: y"),
        ({"w": graph(list(range(1, 13)))}, "have values but no weights: 0; 1 unit.*have weights but no values: 12"),
        ({"w": graph([str(i) for i in range(12)])}, "12 unit.*and 7 more.*int64"),
        ({"w": nearest(11)}, "expected 12 x 12.*got 11 x 11"),
        ({"w": changed(W, 2, 2, 0.5)}, "2 is its own neighbour"),
        ({"w": changed(W, 4, 2, -0.5)}, "negative, missing or infinite weight in the row of 4"),
        ({"w": changed(W, 4, 2, np.nan)}, "negative, missing or infinite weight in the row of 4"),
        ({"w": np.zeros((12, 12))}, "no unit has a neighbour"),
        ({"w": pd.DataFrame(W, index=range(12), columns=range(1, 13))}, "same units as index and columns"),
        ({"durbin": ["x1"]}, "model='sar' has no spatial lags of x"),
        ({"durbin": [], "model": "sdm"}, "names no variable"),
        ({"bias_correction": "lee-yu"}, "effects='none' has none"),
        ({"w": island(W), "effects": "twoway", "bias_correction": "lee-yu"}, "3 have no neighbours"),
        ({"w": 2 * W, "effects": "time", "bias_correction": "lee-yu"}, "rows do not sum to one"),
        ({"w": 2 * W, "effects": "twoway", "model": "sem", "exact_effects": True}, "row-standardise"),
    ],
)
def test_input_that_cannot_be_estimated_is_refused_with_its_reason(changes, words):
    arguments = {"data": PANEL, "y": "y", "x": X, "w": W} | changes
    with pytest.raises(InvalidInputError, match=words):
        spatial_panel(**arguments)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "sdn"}, "model 'sdn'; did you mean 'sdm'"),
        ({"effects": "two-way"}, "effects 'two-way'; did you mean 'twoway'"),
        ({"bias_correction": "leeyu", "effects": "twoway"}, "did you mean 'lee-yu'"),
        ({"bias_correction": "lee-yu-direct", "effects": "twoway"}, "did you mean 'lee-yu'"),
        ({"jacobian": "chebyshev"}, "unknown jacobian"),
        ({"x": ["x1", "x3"]}, "unknown column 'x3'"),
        ({"model": "sdm", "durbin": ["x3"]}, "unknown durbin variable 'x3'"),
    ],
)
def test_unknown_names_are_refused(changes, words):
    arguments = {"data": PANEL, "y": "y", "x": X, "w": W} | changes
    with pytest.raises(UnknownNameError, match=words):
        spatial_panel(**arguments)


def test_two_units_make_no_spatial_model():
    pair = PANEL.loc[[0, 1]]
    with pytest.raises(InvalidInputError, match="three or more"):
        spatial_panel(pair, "y", X, np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_more_coefficients_than_observations_are_refused():
    few = PANEL.loc[[0, 1, 2]].xs(2000, level=1, drop_level=False)
    with pytest.raises(InvalidInputError, match=r"3 observation\(s\) for 3 coefficients"):
        spatial_panel(few, "y", X, nearest(3, 2))


def test_a_likelihood_without_an_inner_maximum_is_refused():
    # Every unit has the mean of the others and nothing else: rho runs to its upper bound.
    w = (np.ones((12, 12)) - np.eye(12)) / 11
    common = np.repeat(np.random.default_rng(0).normal(size=(1, 5)), 12, axis=0).ravel() * 1e4
    with pytest.raises(InvalidInputError, match="rises up to the end of the admissible interval of rho"):
        spatial_panel(PANEL.assign(y=PANEL["y"] + common), "y", X, w, "sar", "none")


def test_islands_are_estimated_where_no_transformation_is_needed():
    for correction, effects in ((None, "twoway"), ("lee-yu", "entity")):
        result = spatial_panel(PANEL, "y", X, island(W), "sdm", effects, correction)
        assert (result.islands, result.row_standardised) == ((3,), False)


def test_impacts_need_two_draws():
    with pytest.raises(InvalidInputError, match="draws=1"):
        spatial_panel(PANEL, "y", X, W).impacts(draws=1)


def test_impacts_are_of_a_variable_of_the_model():
    impacts = spatial_panel(PANEL, "y", X, W, "sdm").impacts(draws=20)
    pd.testing.assert_frame_equal(impacts.of("x1"), impacts.tidy.loc["x1"])
    with pytest.raises(UnknownNameError, match="did you mean 'x1'"):
        impacts.of("x11")


def test_lm_tests_refuse_what_the_models_refuse():
    with pytest.raises(InvalidInputError, match="not balanced"):
        lm_tests(PANEL.iloc[1:], "y", X, W)
    with pytest.raises(UnknownNameError, match="effects"):
        lm_tests(PANEL, "y", X, W, "both")


def test_two_weights_refuse_pairs_in_both_and_name_the_weights_at_fault():
    half = np.where(np.arange(12)[:, None] < 6, W, 0)
    with pytest.raises(InvalidInputError, match="are in both weights"):
        two_weights_sar(PANEL, "y", X, W, half)
    with pytest.raises(InvalidInputError, match="w_across: no unit has a neighbour"):
        two_weights_sar(PANEL, "y", X, W, np.zeros((12, 12)))
    with pytest.raises(InvalidInputError, match="w_within: 2 is its own neighbour"):
        two_weights_sar(PANEL, "y", X, changed(W, 2, 2, 1.0), W)
    with pytest.raises(InvalidInputError, match=r"rho_within.*rename"):
        two_weights_sar(PANEL.assign(rho_within=PANEL["x1"]), "y", ["rho_within"], W, half)

"""Envelopment against hand-worked textbook cases, hulls, dual programs, a looped bootstrap and known properties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from clusterlib.efficiency import data_envelopment
from clusterlib.efficiency._envelopment import (
    RadialPrograms,
    Technology,
    largest_expansions,
    normal_reference_bandwidth,
    smoothed_draw,
)
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError

RETURNS = ("constant", "variable", "non-increasing", "non-decreasing")
ORIENTATIONS = ("input", "output")


def frame(values, names, index=None) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, float), columns=list(names), index=index)


def branches() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Eight branches with one input and one output (Cooper, Seiford and Tone, table 1.1)."""
    staff, sales = [2, 3, 3, 4, 5, 5, 6, 8], [1, 3, 2, 3, 4, 2, 3, 5]
    index = list("ABCDEFGH")
    return frame(np.c_[staff], ["staff"], index), frame(np.c_[sales], ["sales"], index)


def random_units(seed: int, n=12, m=2, s=2) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    index = [f"u{i}" for i in range(n)]
    inputs = random.uniform(1, 10, size=(n, m))
    outputs = inputs.prod(axis=1, keepdims=True) ** 0.4 * random.uniform(0.3, 1, size=(n, s))
    return frame(inputs, "abc"[:m], index), frame(outputs, "yz"[:s], index)


def multiplier_program(x, y, X, Y, returns, orientation) -> float:
    """Farrell's measure from the dual: weights of inputs and outputs, one dense program, apart from the library."""
    n, m = X.shape
    s = Y.shape[1]
    constant = {"constant": (0, 0), "variable": (None, None), "non-increasing": (None, 0), "non-decreasing": (0, None)}
    if orientation == "input":
        costs, equal = np.r_[np.zeros(m), -y, -1], np.r_[x, np.zeros(s + 1)]
        rows = np.c_[-X, Y, np.ones(n)]
        bounds = [(0, None)] * (m + s) + [constant[returns]]
    else:
        costs, equal = np.r_[x, np.zeros(s), 1], np.r_[np.zeros(m), y, 0]
        rows = np.c_[-X, Y, -np.ones(n)]
        low, high = constant[returns]
        bounds = [(0, None)] * (m + s) + [(None if high is None else -high, None if low is None else -low)]
    solution = linprog(costs, rows, np.zeros(n), equal[None], [1.0], bounds)
    return -solution.fun if orientation == "input" else solution.fun


def test_branches_have_the_textbook_efficiencies():
    result = data_envelopment(*branches())
    exact = [Fraction(1, 2), 1, Fraction(2, 3), Fraction(3, 4), Fraction(4, 5), Fraction(2, 5), Fraction(1, 2), 0.625]
    np.testing.assert_allclose(result.table["efficiency"], [float(e) for e in exact], rtol=1e-9)
    assert result.table["efficient"].tolist() == [name == "B" for name in "ABCDEFGH"]
    assert set(result.peers["peer"]) == {"B"}
    np.testing.assert_allclose(result.peers["weight"], branches()[1]["sales"] / 3, rtol=1e-9)


def test_two_inputs_and_a_weakly_efficient_unit_as_worked_by_hand():
    # Output 1 each; isoquant E(2,4) - D(4,2) - C(8,1), x1 + x2 = 6 and x1 + 4 x2 = 12; F = C with 2 more of x1.
    index = list("ABCDEF")
    inputs = frame([[4, 3], [7, 3], [8, 1], [4, 2], [2, 4], [10, 1]], ["x1", "x2"], index)
    result = data_envelopment(inputs, frame(np.ones((6, 1)), ["y"], index))
    np.testing.assert_allclose(result.table["efficiency"], [6 / 7, 12 / 19, 1, 1, 1, 1], rtol=1e-9)
    assert result.table["efficient"].tolist() == [False, False, True, True, True, False]
    assert result.slacks.loc["F"].to_dict() == pytest.approx({"x1": 2, "x2": 0, "y": 0})
    assert result.slacks.drop(index="F").to_numpy().max() == 0
    assert result.targets.loc["F"].to_dict() == pytest.approx({"x1": 8, "x2": 1, "y": 1})
    weights = result.peers.set_index(["unit", "peer"])["weight"]
    # A contracts to (24/7, 18/7) between D and E; B to (84/19, 36/19) between C and D.
    assert weights["A"].to_dict() == pytest.approx({"D": 5 / 7, "E": 2 / 7})
    assert weights["B"].to_dict() == pytest.approx({"C": 2 / 19, "D": 17 / 19})


def test_variable_returns_scale_efficiency_and_returns_to_scale_as_worked_by_hand():
    # A(2,1), B(3,3), C(6,5), D(8,5.5) are the hull; E(5,3) lies right of B; the best ratio is B's, 1.
    index = list("ABCDE")
    inputs, outputs = frame([[2], [3], [6], [8], [5]], ["x"], index), frame([[1], [3], [5], [5.5], [3]], ["y"], index)
    result = data_envelopment(inputs, outputs, returns="variable").table
    np.testing.assert_allclose(result["efficiency"], [1, 1, 1, 1, 0.6], rtol=1e-9)
    np.testing.assert_allclose(result["scale_efficiency"], [0.5, 1, 5 / 6, 5.5 / 8, 1], rtol=1e-9)
    kinds = ["increasing", "constant", "decreasing", "decreasing", "constant"]
    assert result["returns_to_scale"].tolist() == kinds
    upward = data_envelopment(inputs, outputs, returns="variable", orientation="output").table
    # At x = 5 the hull from B to C allows 3 + 2 * 2 / 3.
    np.testing.assert_allclose(upward["farrell"], [1, 1, 1, 1, 13 / 9], rtol=1e-9)
    np.testing.assert_allclose(upward["efficiency"], [1, 1, 1, 1, 9 / 13], rtol=1e-9)


def hull_input(x: np.ndarray, y: np.ndarray, y0: float) -> float:
    """Least input for y0 with variable returns: units with that output, and all pairs on either side of it."""
    best = min(x[y >= y0])
    for i in np.flatnonzero(y < y0):
        for j in np.flatnonzero(y > y0):
            share = (y0 - y[i]) / (y[j] - y[i])
            best = min(best, x[i] + share * (x[j] - x[i]))
    return best


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=2, max_size=15, unique=True))
@settings(max_examples=40, deadline=None)
def test_one_input_and_one_output_equal_the_hull(points):
    x, y = np.array(points, float).T
    inputs, outputs = frame(np.c_[x], "x"), frame(np.c_[y], "y")
    constant = data_envelopment(inputs, outputs).table["efficiency"]
    np.testing.assert_allclose(constant, (y / x) / (y / x).max(), rtol=1e-8)
    variable = data_envelopment(inputs, outputs, returns="variable").table["efficiency"]
    np.testing.assert_allclose(variable, [hull_input(x, y, v) / u for u, v in points], rtol=1e-8)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(4, 40), st.integers(1, 3), st.integers(1, 2)),
    returns=st.sampled_from(RETURNS),
    orientation=st.sampled_from(ORIENTATIONS),
    whole=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_measures_equal_their_dual_programs_and_targets_their_peers(seed, shape, returns, orientation, whole):
    inputs, outputs = random_units(seed, *shape)
    if whole:  # ties and zeros
        inputs, outputs = inputs.round().clip(lower=1), (outputs - 1).round().clip(lower=0)
        outputs.iloc[:, 0] += 1
        outputs.iloc[0] += 1
    result = data_envelopment(inputs, outputs, returns=returns, orientation=orientation)
    X, Y = inputs.to_numpy(), outputs.to_numpy()
    dual = [multiplier_program(x, y, X, Y, returns, orientation) for x, y in zip(X, Y, strict=True)]
    np.testing.assert_allclose(result.table["farrell"], dual, rtol=1e-7)
    weights = result.peers.pivot(index="unit", columns="peer", values="weight").fillna(0).loc[inputs.index]
    both = pd.concat([inputs, outputs], axis=1)
    np.testing.assert_allclose(weights @ both.loc[weights.columns], result.targets, rtol=1e-6, atol=1e-6)
    sums = weights.sum(axis=1)
    low, high = {"variable": (1, 1), "non-increasing": (0, 1), "non-decreasing": (1, np.inf)}.get(returns, (0, np.inf))
    assert sums.between(low - 1e-6, high + 1e-6).all()
    assert (result.slacks >= 0).all(axis=None)
    moved, kept = (inputs, outputs) if orientation == "input" else (outputs, inputs)
    sign = 1 if orientation == "input" else -1
    radial = moved.mul(result.table["farrell"], axis=0) - sign * result.slacks[moved.columns]
    np.testing.assert_allclose(radial, result.targets[moved.columns], rtol=1e-8, atol=1e-8)
    rest = kept + sign * result.slacks[kept.columns]
    np.testing.assert_allclose(rest, result.targets[kept.columns], rtol=1e-8, atol=1e-8)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_properties_that_every_frontier_has(seed):
    inputs, outputs = random_units(seed)
    table = {
        (returns, orientation): data_envelopment(inputs, outputs, returns=returns, orientation=orientation).table
        for returns in RETURNS
        for orientation in ORIENTATIONS
    }
    crs = table["constant", "input"]
    np.testing.assert_allclose(crs["farrell"] * table["constant", "output"]["farrell"], 1, rtol=1e-8)
    for orientation in ORIENTATIONS:
        one, vrs = table["constant", orientation], table["variable", orientation]
        for between in ("non-increasing", "non-decreasing"):
            middle = table[between, orientation]["efficiency"]
            assert (one["efficiency"] <= middle + 1e-9).all() and (middle <= vrs["efficiency"] + 1e-9).all()
        np.testing.assert_allclose(vrs["scale_efficiency"], one["efficiency"] / vrs["efficiency"], rtol=1e-8)
        assert (vrs["efficiency"] <= 1).all() and (vrs["efficiency"] > 1 - 1e-9).any()
    # Where non-decreasing returns bind nothing, returns to scale are not decreasing, and the other way round.
    kind = table["variable", "input"]["returns_to_scale"]
    same = np.isclose(table["non-decreasing", "input"]["efficiency"], table["variable", "input"]["efficiency"])
    assert same[kind == "increasing"].all() and not same[kind == "decreasing"].any()


@given(seed=st.integers(0, 10_000), returns=st.sampled_from(RETURNS), orientation=st.sampled_from(ORIENTATIONS))
@settings(max_examples=20, deadline=None)
def test_units_of_measure_row_order_and_dominated_units_change_nothing(seed, returns, orientation):
    options = {"returns": returns, "orientation": orientation}
    inputs, outputs = random_units(seed)
    base = data_envelopment(inputs, outputs, **options)
    order = np.random.default_rng(seed).permutation(inputs.index)
    scaled = data_envelopment((inputs * [1e-6, 1e5]).loc[order], (outputs * [1e4, 0.001]).loc[order], **options)
    np.testing.assert_allclose(scaled.table.loc[inputs.index, "efficiency"], base.table["efficiency"], rtol=1e-8)
    back = scaled.slacks.loc[inputs.index] / [1e-6, 1e5, 1e4, 0.001]
    np.testing.assert_allclose(back, base.slacks, atol=1e-6)
    worse = pd.concat([inputs, 1.1 * inputs.iloc[[0]].set_axis(["worse"])])
    less = pd.concat([outputs, 0.9 * outputs.iloc[[0]].set_axis(["worse"])])
    more = data_envelopment(worse, less, **options).table
    np.testing.assert_allclose(more["efficiency"].drop("worse"), base.table["efficiency"], rtol=1e-8)


def test_a_small_unit_among_large_ones_is_measured_as_exactly():
    index = ["small", "large", "other"]
    inputs, outputs = frame([[3e-6], [1e4], [2e4]], "x", index), frame([[1e-6], [1e4], [1e4]], "y", index)
    np.testing.assert_allclose(data_envelopment(inputs, outputs).table["efficiency"], [1 / 3, 1, 0.5], rtol=1e-7)


def test_each_group_has_its_own_frontier_by_level_or_series():
    inputs, outputs = random_units(3, n=20)
    index = pd.MultiIndex.from_product([range(10), [2020, 2021]], names=["adcode", "year"])
    inputs, outputs = inputs.set_axis(index), outputs.set_axis(index)
    by_level = data_envelopment(inputs, outputs, returns="variable", groups="year", bootstrap=4, seed=5)
    series = pd.Series(index.get_level_values("year"), index)
    by_series = data_envelopment(inputs, outputs, returns="variable", groups=series, bootstrap=4, seed=5)
    pd.testing.assert_frame_equal(by_level.table, by_series.table)
    pd.testing.assert_index_equal(by_level.table.index, index)
    for year in (2020, 2021):
        alone = series == year
        own = data_envelopment(inputs[alone], outputs[alone], returns="variable").table
        pd.testing.assert_frame_equal(by_level.table.loc[alone, own.columns], own)
        assert {peer[1] for peer in by_level.peers.loc[[u[1] == year for u in by_level.peers["unit"]], "peer"]} == {
            year
        }
    pooled = data_envelopment(inputs, outputs, returns="variable").table["efficiency"]
    assert (pooled <= by_level.table["efficiency"] + 1e-9).all()
    assert by_level.bandwidth.index.tolist() == [2020, 2021]


@pytest.mark.parametrize("returns", ["constant", "variable"])
@pytest.mark.parametrize(("orientation", "smoothing"), [("input", "reflected"), ("output", "simar-wilson")])
def test_bootstrap_equals_a_loop_of_single_dense_programs_on_the_same_draws(returns, orientation, smoothing):
    inputs, outputs = random_units(8, n=15)
    options = {"returns": returns, "orientation": orientation}
    result = data_envelopment(inputs, outputs, bootstrap=6, smoothing=smoothing, seed=3, level=0.8, **options)
    X, Y = inputs.to_numpy(), outputs.to_numpy()
    measure = np.array([multiplier_program(x, y, X, Y, **options) for x, y in zip(X, Y, strict=True)])
    distance = 1 / measure if orientation == "input" else measure
    off = distance[distance > 1 + 1e-7]
    both = np.r_[off, 2 - off]
    width = min(both.std(ddof=1), np.subtract(*np.percentile(both, [75, 25])) / 1.34)
    h = (
        0.9
        * width
        * (2 * len(off)) ** (-1 / 5)
        * (2 * len(off) / 15) ** (1 / 5)
        * distance.std(ddof=1)
        / both.std(ddof=1)
    )
    assert result.bandwidth["all"] == pytest.approx(h, rel=1e-7)
    random = np.random.default_rng(np.random.SeedSequence(3).spawn(1)[0])
    draws = []
    for _ in range(6):
        beta = distance[random.integers(15, size=15)]
        tilde = beta + h * random.standard_normal(15)
        tilde = np.array([t if t >= 1 else 2 - t for t in tilde])
        if smoothing == "reflected":  # towards the mean, 1, of the distances and their reflections
            new = 1 + (tilde - 1) / (1 + h**2 / np.r_[distance, 2 - distance].var()) ** 0.5
        else:
            new = beta.mean() + (tilde - beta.mean()) / (1 + h**2 / distance.var()) ** 0.5
        A = X * (new / distance)[:, None] if orientation == "input" else X
        B = Y if orientation == "input" else Y * (distance / new)[:, None]
        farrell = np.array([multiplier_program(x, y, A, B, **options) for x, y in zip(X, Y, strict=True)])
        draws.append(1 / farrell if orientation == "input" else farrell)
    draws = np.array(draws)
    corrected = 1 / (2 * distance - draws.mean(axis=0))
    np.testing.assert_allclose(result.table["corrected"], corrected, rtol=1e-6)
    np.testing.assert_allclose(result.table["bias"], result.table["efficiency"] - corrected, atol=1e-6)
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    np.testing.assert_allclose(result.table["lower"], 1 / (2 * distance - low), rtol=1e-6)
    np.testing.assert_allclose(result.table["upper"], 1 / (2 * distance - high), rtol=1e-6)


def test_corrected_efficiency_lies_in_its_interval_below_the_estimate_and_repeats_with_the_seed():
    inputs, outputs = random_units(5, n=25)
    one, same, other = (
        data_envelopment(inputs, outputs, returns="variable", bootstrap=40, seed=seed).table for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same)
    assert (one["corrected"] != other["corrected"]).any()
    assert (one["lower"] <= one["corrected"]).all() and (one["corrected"] <= one["upper"]).all()
    assert (one["upper"] <= one["efficiency"] + 1e-9).all() and (one["bias"] > 0).all()


def test_smoothed_draws_keep_the_bound_and_the_variance_of_the_sample_about_its_centre():
    random = np.random.default_rng(0)
    distances = 1 + np.abs(random.normal(size=400)) * 0.4
    h = normal_reference_bandwidth(distances)
    reflected, published = (
        np.concatenate([smoothed_draw(distances, h, smoothing, random) for _ in range(500)])
        for smoothing in ("reflected", "simar-wilson")
    )
    assert ((reflected - 1) ** 2).mean() == pytest.approx(((distances - 1) ** 2).mean(), rel=0.02)
    assert published.mean() == pytest.approx(distances.mean(), abs=0.02)
    assert published.std() == pytest.approx(distances.std(), rel=0.03)
    # The published draws leave out a stretch above the bound, the others reach it.
    assert 1 <= reflected.min() < 1.0001 < 1.005 < published.min()


INPUTS, OUTPUTS = random_units(1, n=6)


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "words"),
    [
        (INPUTS, OUTPUTS, {"returns": "increasing"}, "unknown returns to scale 'increasing'"),
        (INPUTS, OUTPUTS, {"orientation": "cost"}, "unknown orientation 'cost'"),
        (INPUTS, OUTPUTS, {"smoothing": "none"}, "unknown smoothing 'none'"),
        (INPUTS, OUTPUTS, {"groups": "year"}, "unknown level of the index 'year'"),
        (INPUTS, OUTPUTS, {"groups": pd.Series({"u0": 1})}, "groups: u1 has no label"),
        (INPUTS, OUTPUTS, {"bootstrap": -1}, "whole number of draws of at least 0"),
        (INPUTS, OUTPUTS, {"level": 95}, "level=95"),
        (INPUTS["a"], OUTPUTS, {}, "expected a DataFrame"),
        (INPUTS[[]], OUTPUTS, {}, "no input"),
        (INPUTS.assign(a="x"), OUTPUTS, {}, "not numbers: a"),
        (INPUTS, OUTPUTS.iloc[::-1], {}, "same order"),
        (INPUTS, OUTPUTS.rename(columns={"y": "a"}), {}, "an input and an output: a"),
        (INPUTS.assign(b=-INPUTS["b"]), OUTPUTS, {}, "6 negative.*first at u0, 'b'.*input of at least zero"),
        (INPUTS, OUTPUTS.mask(OUTPUTS > 3), {}, "missing or infinite"),
        (INPUTS.mul([1, 1, 1, 1, 0, 1], axis=0), OUTPUTS, {}, "u4 has no input above zero"),
        (INPUTS, OUTPUTS.assign(z=0.0), {}, "output 'z' is zero for every unit"),
        (INPUTS.set_axis(list("aabcde")), OUTPUTS.set_axis(list("aabcde")), {}, "unit given twice: a"),
        (frame([[1.0], [1.0]], "x"), frame([[1.0], [1.0]], "y"), {"bootstrap": 5}, "0 of 2 units lie off the frontier"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_place(inputs, outputs, options, words):
    with pytest.raises((InvalidInputError, UnknownNameError), match=words):
        data_envelopment(inputs, outputs, **options)


def test_many_small_programs_at_once_have_the_optima_of_highs():
    random = np.random.default_rng(2)
    inputs = np.exp(random.normal(scale=2, size=(12, 2)))
    outputs = np.exp(random.normal(scale=2, size=(12, 3)))
    outputs[3, 1] = 0.0
    reference = outputs * random.uniform(0.3, 1, size=(6, 12, 1))
    for returns in ("constant", "non-increasing"):
        found = largest_expansions(inputs, outputs, reference, returns)
        expected = [
            RadialPrograms(inputs, outputs, returns, "output").measure(Technology(inputs, made, returns))
            for made in reference
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_a_program_without_a_bound_is_refused():
    inputs, outputs = np.array([[0.0], [1.0]]), np.ones((2, 1))
    with pytest.raises(ClusterlibError, match="without inputs"):
        largest_expansions(inputs, outputs, outputs[None], "constant")

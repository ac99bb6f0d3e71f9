"""Gravity equations against statsmodels with dummies, loops over pairs, and designs whose zeros are separated."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial import gravity_regression

X = ["log_distance", "square", "province"]


def flows(units: int = 18, seed: int = 0, directed: bool = True, share: float = 0.8, level: float = 0.0):
    """Counts between cities at random places, with the effects of both; some pairs are not observed."""
    random = np.random.default_rng(seed)
    pairs = itertools.permutations(range(units), 2) if directed else itertools.combinations(range(units), 2)
    i, j = np.array([pair for pair in pairs if random.random() < share]).T
    place, a = random.random((units, 2)), random.normal(size=units)
    b = random.normal(size=units) if directed else a
    far = np.log(np.hypot(*(place[i] - place[j]).T) + 0.01)
    data = pd.DataFrame({"log_distance": far, "square": far**2, "province": i % 4 == j % 4})
    mean = np.exp(level + a[i] + b[j] - 0.8 * far + 0.5 * data["province"].to_numpy())
    data["y"] = random.poisson(mean * random.gamma(2, 0.5, len(mean)))
    names = ["origin", "destination"]
    return data.set_index(pd.MultiIndex.from_arrays([1000 + i, 1000 + j], names=names))


def with_dummies(data: pd.DataFrame, directed: bool):
    ends = [pd.get_dummies(data.index.get_level_values(end)).astype(float) for end in (0, 1)]
    if directed:
        dummies = np.column_stack([ends[0], ends[1].iloc[:, 1:]])
    else:
        units = sorted(set(ends[0]) | set(ends[1]))
        dummies = sum(end.reindex(columns=units, fill_value=0.0).to_numpy() for end in ends)
    design = np.column_stack([data[X].astype(float), dummies])
    return sm.GLM(data["y"].to_numpy(), design, sm.families.Poisson()).fit(tol=1e-14, maxiter=200), design


@pytest.mark.parametrize("directed", [True, False])
def test_estimates_are_those_of_a_poisson_regression_with_dummies(directed):
    data = flows(directed=directed)
    ours, (theirs, _) = gravity_regression(data, "y", X, directed=directed), with_dummies(data, directed)
    np.testing.assert_allclose(ours.params, theirs.params[:3], rtol=1e-8)
    np.testing.assert_allclose(ours.fitted, theirs.mu, rtol=1e-7)
    assert ours.deviance == pytest.approx(theirs.deviance, rel=1e-10)
    assert (ours.nobs, ours.df_resid, ours.zeros) == (len(data), theirs.df_resid, (data["y"] == 0).sum())
    assert ours.fitted.index.equals(data.index) and ours.notes == ()


@pytest.mark.parametrize("directed", [True, False])
def test_errors_are_a_sum_over_pairs_of_pairs_by_the_units_they_share(directed):
    data = flows(9, seed=2, directed=directed)
    ours, (theirs, design) = gravity_regression(data, "y", X, directed=directed), with_dummies(data, directed)
    scores = design * (data["y"].to_numpy() - theirs.mu)[:, None]
    meat = sum(
        len(set(one) & set(other)) * np.outer(scores[p], scores[q])
        for (p, one), (q, other) in itertools.product(enumerate(data.index), repeat=2)
    )
    bread = np.linalg.inv(design.T @ (theirs.mu[:, None] * design))
    units = len(set(itertools.chain(*data.index)))
    np.testing.assert_allclose(ours.covariance, (units / (units - 1) * bread @ meat @ bread)[:3, :3], rtol=1e-7)
    assert ours.df_inference == units - 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e6), st.floats(-3, 3))
def test_units_of_flows_effects_of_units_and_the_order_of_pairs_do_not_matter(seed, scale, shift):
    data = flows(10, seed=seed, level=2.0)
    base = gravity_regression(data, "y", X)
    size = pd.Series(np.random.default_rng(seed).normal(size=10), range(1000, 1010))
    moved = data.assign(
        y=data["y"] * scale,
        log_distance=data["log_distance"]
        + shift * size[data.index.get_level_values(0)].to_numpy()
        - size[data.index.get_level_values(1)].to_numpy(),
    ).sample(frac=1, random_state=seed)
    other = gravity_regression(moved, "y", X)
    np.testing.assert_allclose(other.params, base.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other.std_errors, base.std_errors, rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_within_a_pair_without_direction_does_not_matter(seed):
    data = flows(10, seed=seed, directed=False, level=2.0)
    turned = np.random.default_rng(seed).random(len(data)) < 0.5
    ends = [np.where(turned, data.index.get_level_values(1 - e), data.index.get_level_values(e)) for e in (0, 1)]
    other = data.set_axis(pd.MultiIndex.from_arrays(ends))
    one, two = (gravity_regression(frame, "y", X, directed=False) for frame in (data, other))
    np.testing.assert_allclose(two.params, one.params, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-6)
    assert two.df_resid == one.df_resid


def test_a_unit_that_sends_nothing_is_left_out_and_changes_nothing():
    data = flows(level=1.0)
    origin = data.index.get_level_values(0)
    silent = data.assign(y=data["y"].where(origin != 1003, 0))
    result, without = gravity_regression(silent, "y", X), gravity_regression(data[origin != 1003], "y", X)
    np.testing.assert_allclose(result.params, without.params, rtol=1e-9)
    assert result.nobs == without.nobs == (origin != 1003).sum()
    assert f"{(origin == 1003).sum()} pair(s) left out" in result.notes[0] and "(1003, " in result.notes[0]


def test_zeros_that_a_variable_singles_out_beside_another_are_left_out():
    """Of the far pairs only one flows: with its own indicator the zeros of the others can be fitted ever better."""
    data = flows(level=2.0, seed=4)
    far = np.random.default_rng(0).random(len(data)) < 0.1
    one = np.flatnonzero(far & (data["y"] > 0).to_numpy())[0]
    data = data.assign(far=far.astype(float), y=data["y"].where(~far | (np.arange(len(data)) == one), 0))
    data["near"] = np.where(far & (np.arange(len(data)) != one), 1.0, 0.0)
    with pytest.raises(InvalidInputError, match="near is a sum of origin and destination effects"):
        gravity_regression(data, "y", [*X, "near"])
    # Where the indicator varies with a trend of its own among pairs that flow, nothing is separated.
    mixed = data.assign(near=data["near"] + 0.1 * np.random.default_rng(1).normal(size=len(data)))
    assert gravity_regression(mixed, "y", [*X, "near"]).nobs == len(data)


def test_flows_in_two_parts_that_only_one_sends_across_are_separated():
    """Nothing flows from the second part to the first: those zeros, and no others, tell nothing."""
    data = flows(16, seed=1, share=1.0, level=3.0)
    first, second = (data.index.get_level_values(end) < 1008 for end in (0, 1))
    within = first == second
    base = data.assign(y=np.where(within, data["y"] + 1, 0))
    split = gravity_regression(base, "y", X)
    apart = gravity_regression(data[within].assign(y=data["y"] + 1), "y", X)
    # Without a flow across in either direction the parts' levels balance the two kinds of zeros, which are not fitted
    # exactly: raising one lowers the other.
    assert split.nobs == len(data) and split.notes == ()
    one_way = gravity_regression(base[within | first], "y", X)
    assert one_way.nobs == within.sum()
    np.testing.assert_allclose(one_way.params, apart.params, rtol=1e-8)


def test_a_design_of_a_hundred_and_forty_cities_is_estimated_by_its_own_means():
    data = flows(140, seed=3, share=0.5, level=1.0)
    result = gravity_regression(data, "y", X)
    assert abs(result.params["province"] - 0.5) < 4 * result.std_errors["province"]
    assert result.n_units == 140 and "Pairs 配对数" in result.summary()


PAIRS = flows(8, seed=5, level=2.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: None, "a row a pair, got a NoneType"),
        (lambda d: d.reset_index(), r"set_index\(\['origin', 'destination'\]\)"),
        (lambda d: pd.concat([d, d.iloc[:1]]), "has more than one row"),
        (lambda d: d.set_axis(pd.MultiIndex.from_tuples([(1, 1), *d.index[1:]])), r"\(1, 1\) joins a unit with itself"),
        (lambda d: d.set_axis(pd.MultiIndex.from_tuples([(1, None), *d.index[1:]])), "unit without a label"),
        (lambda d: d.assign(y=d["y"] - 5), "flows and counts are not negative"),
        (lambda d: d.assign(y=0), "zero in every pair"),
        (lambda d: d.assign(y=d["y"].where(d["y"] > 0)), "leave the pair out, which is then not observed"),
        (lambda d: d.astype({"y": str}), "not numbers: y"),
        (lambda d: d.assign(province=d.index.get_level_values(0) % 2), "sum of origin and destination effects"),
        (lambda d: d.assign(square=2 * d["log_distance"]), "collinear"),
        (lambda d: d.iloc[:10], "rows for 3 coefficients|is a sum of|nothing"),
        (lambda d: d.iloc[:0], "nothing flows|no rows"),
    ],
)
def test_pairs_that_cannot_be_estimated_from_are_refused(change, words):
    with pytest.raises(InvalidInputError, match=words):
        gravity_regression(change(PAIRS), "y", X)


def test_a_pair_in_both_orders_is_one_pair_without_direction():
    with pytest.raises(InvalidInputError, match="more than one row, in either order"):
        gravity_regression(PAIRS, "y", X, directed=False)


def test_names_and_switches_of_another_kind_are_refused():
    with pytest.raises(UnknownNameError, match="log_distance"):
        gravity_regression(PAIRS, "y", "log_distanc")
    for options in ({"x": []}, {"x": None}, {"y": None}, {"y": 3.5}, {"directed": "no"}, {"level": 95}):
        with pytest.raises((InvalidInputError, UnknownNameError)):
            gravity_regression(PAIRS, **{"y": "y", "x": X} | options)

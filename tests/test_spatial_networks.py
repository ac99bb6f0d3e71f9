"""Gravity networks against loops and known graphs; network regression against a naive loop, all orders, simulation."""

from __future__ import annotations

import math
from itertools import permutations as orders

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial import GravityNetwork, gravity_network, qap_regression


def square(values, units) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, float), list(units), list(units))


def world(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units with masses, and the distances between their places."""
    random = np.random.default_rng(seed)
    units = [f"u{i}" for i in range(n)]
    data = pd.DataFrame(random.uniform(1, 50, (n, 3)), units, ["gdp", "software", "income"])
    place = random.uniform(0, 1000, (n, 2))
    return data, square(np.sqrt(np.square(place[:, None] - place[None]).sum(axis=2)), units)


# Gravity


@pytest.mark.parametrize("method", ["basic", "modified"])
@pytest.mark.parametrize("economic", [None, "income"])
def test_strengths_are_those_of_the_formula_in_loops(method, economic):
    data, distance = world(7, 1)
    network = gravity_network(data, distance, ["software", "gdp"], method=method, economic=economic, exponent=1.5)
    for i, a in data.iterrows():
        for j, b in data.iterrows():
            if i == j:
                assert network.strength.loc[i, j] == 0
                continue
            mass = math.sqrt(a["software"] * a["gdp"]) * math.sqrt(b["software"] * b["gdp"])
            away = distance.loc[i, j] / (abs(a["income"] - b["income"]) if economic else 1)
            share = a["software"] / (a["software"] + b["software"]) if method == "modified" else 1
            assert network.strength.loc[i, j] == pytest.approx(share * mass / away**1.5, rel=1e-12)


@given(st.integers(4, 10), st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_links_are_the_strengths_above_the_mean_of_the_origins_others(n, seed):
    data, distance = world(n, seed)
    network = gravity_network(data, distance, ["gdp", "software"])
    for i in data.index:
        others = [network.strength.loc[i, j] for j in data.index if j != i]
        mean = sum(others) / len(others)
        for j in data.index:
            assert network.links.loc[i, j] == (i != j and network.strength.loc[i, j] > mean)
    count = network.links.to_numpy().sum()
    assert network.density == pytest.approx(count / (n * (n - 1)))
    both = sum(network.links.loc[i, j] and network.links.loc[j, i] for i in data.index for j in data.index)
    assert network.reciprocity == pytest.approx(both / count)


@given(st.integers(4, 9), st.integers(0, 999), st.integers(2, 99), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_links_do_not_depend_on_units_of_measurement_or_on_the_order_of_units(n, seed, scale, random):
    data, distance = world(n, seed)
    one = gravity_network(data, distance, ["gdp", "software"], economic="income")
    mixed = random.sample(list(data.index), n)
    other = gravity_network(data.loc[mixed] * [scale, 3, 7], distance * 1000, ["gdp", "software"], economic="income")
    pd.testing.assert_frame_equal(other.links.loc[data.index, data.index], one.links)
    two = [network.centralities().loc[data.index] for network in (one, other)]
    np.testing.assert_allclose(two[1], two[0], atol=1e-7)


@given(st.integers(4, 9), st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_basic_ties_are_symmetric_and_modified_ones_add_up_to_them(n, seed):
    data, distance = world(n, seed)
    basic = gravity_network(data, distance, "gdp", method="basic").strength.to_numpy()
    np.testing.assert_allclose(basic, basic.T)
    modified = gravity_network(data, distance, "gdp").strength.to_numpy()
    # The two shares of a pair make one.
    np.testing.assert_allclose(modified + modified.T, basic)


def test_thresholds_keep_the_strongest_of_all_or_everything():
    data, distance = world(8, 3)
    top = gravity_network(data, distance, "gdp", threshold="top-share", top_share=0.25)
    assert top.links.to_numpy().sum() == 14
    strengths = top.strength.to_numpy()
    assert strengths[top.links.to_numpy()].min() > strengths[~top.links.to_numpy()].max()
    everything = gravity_network(data, distance, "gdp", threshold="none")
    assert (everything.density, everything.reciprocity) == (1, 1)
    edges = top.edges()
    assert edges["strength"].is_monotonic_decreasing and len(edges) == 14
    first = edges.iloc[0]
    assert first["strength"] == strengths.max() == top.strength.loc[first["origin"], first["destination"]]


def test_equal_incomes_leave_no_economic_tie():
    data, distance = world(5, 4)
    data.loc[["u0", "u1"], "income"] = 10.0
    network = gravity_network(data, distance, "gdp", economic="income", threshold="none")
    assert network.strength.loc["u0", "u1"] == 0
    assert not network.links.loc["u0", "u1"]
    assert network.links.loc["u0", "u2"]


def of_links(links, strength=None) -> GravityNetwork:
    units = list("abcdefgh")[: len(links)]
    linked = square(links, units).astype(bool)
    return GravityNetwork(square(links if strength is None else strength, units), linked, 0.0, 0.0, ("m",), "basic",
                          "none", 2.0, 0.1, None, len(units))  # fmt: skip


def test_centralities_of_a_directed_path_are_those_worked_by_hand():
    table = of_links([[0, 1, 0], [0, 0, 1], [0, 0, 0]], np.ones((3, 3)) - np.eye(3)).centralities()
    assert table["out_degree"].tolist() == [0.5, 0.5, 0]
    assert table["in_degree"].tolist() == [0, 0.5, 0.5]
    assert table["degree"].tolist() == [0.25, 0.5, 0.25]
    # b is reached by a in one step: 1/1 times 1/2; c by two in three steps: 2/3 times 2/2.
    assert table["closeness"].tolist() == pytest.approx([0, 0.5, 2 / 3])
    # b stands between the one ordered pair (a, c) of two.
    assert table["betweenness"].tolist() == pytest.approx([0, 0.5, 0])
    assert table.index.tolist() == ["a", "b", "c"]


def test_centralities_are_the_same_every_time_to_the_last_digit():
    data, distance = world(30, 6)
    network = gravity_network(data, distance, ["gdp", "software"])
    first = network.centralities()
    assert all(network.centralities().equals(first) for _ in range(5))


def test_eigenvector_centrality_is_that_of_the_strengths_that_arrive():
    data, distance = world(9, 5)
    network = gravity_network(data, distance, ["gdp", "software"])
    vector = network.centralities()["eigenvector"].to_numpy()
    arriving = network.strength.to_numpy().T @ vector
    value = arriving @ vector
    np.testing.assert_allclose(arriving, value * vector, rtol=1e-6)
    assert (vector > 0).all() and np.linalg.norm(vector) == pytest.approx(1)
    assert value == pytest.approx(np.abs(np.linalg.eigvals(network.strength.to_numpy())).max())


def test_reciprocity_is_that_of_networkx():
    data, distance = world(12, 6)
    network = gravity_network(data, distance, ["gdp"])
    graph = nx.from_pandas_adjacency(network.links.astype(int), create_using=nx.DiGraph)
    assert network.reciprocity == pytest.approx(nx.overall_reciprocity(graph))
    assert network.density == pytest.approx(nx.density(graph))


def test_external_share_is_worked_from_the_four_parts_of_the_network():
    strength = [[0, 4, 1, 0], [2, 0, 0, 3], [5, 0, 0, 7], [0, 0, 6, 0]]
    network = of_links([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0]], strength)
    table = network.external(["a", "b"])
    assert table.loc["strength", ["within", "outward", "inward"]].tolist() == [6, 4, 5]
    assert table.loc["strength", "external_share"] == pytest.approx(100 * 9 / 15)
    assert table.loc["strength", "ei_index"] == pytest.approx((9 - 6) / 15)
    assert table.loc["links", ["within", "outward", "inward"]].tolist() == [2, 2, 1]
    other = network.external(["c", "d"]).loc["strength"]
    assert (other["outward"], other["inward"]) == (5, 4)
    with pytest.raises(UnknownNameError, match="unit of the network 'z'"):
        network.external(["a", "z"])
    for members in ([], list("abcd")):
        with pytest.raises(InvalidInputError, match="not all and not none"):
            network.external(members)


def test_a_region_without_ties_has_no_external_share():
    table = of_links([[0, 0, 0], [0, 0, 1], [0, 1, 0]]).external(["a"])
    assert table[["external_share", "ei_index"]].isna().all(axis=None)


DATA, DISTANCE = world(5, 7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": DATA.where(DATA["gdp"] != DATA["gdp"].iloc[1])}, "missing or infinite.*first at u1, 'gdp'"),
        (
            {"data": DATA.assign(gdp=DATA["gdp"].where(DATA.index != "u2", 0.0))},
            "not positive, the first at u2, 'gdp'",
        ),
        ({"data": pd.concat([DATA, DATA])}, "u0 has more than one value"),
        ({"data": pd.concat({2020: DATA})}, "choose a year first"),
        ({"data": DATA.iloc[:2]}, "at least 3 are needed"),
        ({"distance": DISTANCE.drop("u3")}, "distance: no row or no column for 1 unit.*u3"),
        ({"distance": DISTANCE.to_numpy()}, "distance: expected a DataFrame"),
        ({"distance": DISTANCE * 0}, "distance from u0 to u1 is not positive"),
        ({"distance": DISTANCE * np.nan}, "distance from u0 to u1 is not positive"),
        ({"mass": []}, "at least one column"),
        ({"top_share": 0}, "top_share=0: expected a finite number between 0 and 1"),
        ({"exponent": 0}, "exponent=0: expected a positive number"),
    ],
)
def test_networks_that_cannot_be_made_are_refused_with_the_place(change, words):
    with pytest.raises(InvalidInputError, match=words):
        gravity_network(**({"data": DATA, "distance": DISTANCE, "mass": ["gdp"]} | change))


def test_unknown_columns_methods_and_thresholds_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'software'"):
        gravity_network(DATA, DISTANCE, "softwar")
    with pytest.raises(UnknownNameError, match="column"):
        gravity_network(DATA, DISTANCE, "gdp", economic="wage")
    with pytest.raises(UnknownNameError, match="valid: modified, basic"):
        gravity_network(DATA, DISTANCE, "gdp", method="reilly")
    with pytest.raises(UnknownNameError, match="valid: row-mean, top-share, none"):
        gravity_network(DATA, DISTANCE, "gdp", threshold="mean")
    assert gravity_network(DATA, DISTANCE, "gdp").table.loc["units", "value"] == 5


# Network regression


def networks(n: int, seed: int, effect: float = 0.5) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    random = np.random.default_rng(seed)
    units = [f"u{i}" for i in range(n)]
    near = random.normal(size=(n, n))
    same = (near + random.normal(size=(n, n)) > 0).astype(float)
    noise = random.normal(size=(n, n))
    x = {"near": square(near, units), "same": square(same, units), "noise": square(noise, units)}
    return square(effect * near + 0.3 * same + random.normal(size=(n, n)), units), x


def pairs(frame: pd.DataFrame) -> np.ndarray:
    return frame.to_numpy()[~np.eye(len(frame), dtype=bool)]


def naive_t(y: np.ndarray, X: np.ndarray, j: int) -> float:
    beta = np.linalg.solve(X.T @ X, X.T @ y)
    error = y - X @ beta
    covariance = np.linalg.inv(X.T @ X) * (error @ error) / (len(y) - X.shape[1])
    return beta[j] / math.sqrt(covariance[j, j])


def naive_draws(y, x, method, all_orders) -> np.ndarray:
    """Every permuted t in a loop over orders and networks, each by its own regression."""
    outside = ~np.eye(len(y), dtype=bool)
    X = np.column_stack([np.ones(outside.sum()), *(pairs(frame) for frame in x.values())])
    draws = np.empty((len(all_orders), len(x)))
    for j in range(1, len(x) + 1):
        rest = np.delete(X, j, axis=1)
        left = np.zeros(y.shape)
        left[outside] = X[:, j] - rest @ np.linalg.lstsq(rest, X[:, j], rcond=None)[0]
        for r, order in enumerate(all_orders):
            mixed = np.ix_(order, order)
            if method == "y-permutation":
                draws[r, j - 1] = naive_t(y.to_numpy()[mixed][outside], X, j)
            else:
                changed = X.copy()
                changed[:, j] = left[mixed][outside]
                draws[r, j - 1] = naive_t(pairs(y), changed, j)
    return draws


METHODS = ["double-semi-partialing", "y-permutation"]


@pytest.mark.parametrize("method", METHODS)
def test_p_values_are_those_of_a_naive_loop_over_the_same_orders(method):
    y, x = networks(9, 1)
    qap = qap_regression(y, x, 60, 11, method)
    drawn = np.random.default_rng(11).permuted(np.tile(np.arange(9), (60, 1)), axis=1)
    draws, t = naive_draws(y, x, method, drawn), qap.table["t"].to_numpy()
    assert qap.table["p_value"].tolist() == pytest.approx(((np.abs(draws) >= np.abs(t)).sum(axis=0) + 1) / 61)
    assert qap.table["p_greater"].tolist() == pytest.approx(((draws >= t).sum(axis=0) + 1) / 61)
    assert qap.table["p_less"].tolist() == pytest.approx(((draws <= t).sum(axis=0) + 1) / 61)


@pytest.mark.parametrize("method", METHODS)
def test_p_values_are_the_shares_of_all_orders_of_the_units(method):
    y, x = networks(5, 8, effect=0.0)
    qap = qap_regression(y, x, 4000, 2, method)
    draws, t = naive_draws(y, x, method, [list(o) for o in orders(range(5))]), qap.table["t"].to_numpy()
    exact = (np.abs(draws) >= np.abs(t) - 1e-9).mean(axis=0)
    np.testing.assert_allclose(qap.table["p_value"], exact, atol=0.035)


def test_estimates_and_t_are_those_of_statsmodels():
    y, x = networks(12, 3)
    qap = qap_regression(y, x, 9)
    fit = sm.OLS(pairs(y), sm.add_constant(np.column_stack([pairs(frame) for frame in x.values()]))).fit()
    np.testing.assert_allclose([qap.constant, *qap.table["estimate"]], fit.params, rtol=1e-9)
    np.testing.assert_allclose(qap.table["t"], fit.tvalues[1:], rtol=1e-9)
    assert qap.r_squared == pytest.approx(fit.rsquared)
    assert (qap.n, qap.pairs) == (12, 132)
    scaled = [(v - v.mean()) / v.std() for v in (pairs(frame) for frame in (y, *x.values()))]
    beta = sm.OLS(scaled[0], np.column_stack(scaled[1:])).fit().params
    np.testing.assert_allclose(qap.table["standardised"], beta, rtol=1e-9)


@given(st.integers(0, 500), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_order_of_units_diagonal_and_scale_do_not_matter(seed, random):
    y, x = networks(8, seed)
    mixed = random.sample(list(y.index), 8)
    np.fill_diagonal(one := y.to_numpy(copy=True), np.nan)
    other = qap_regression(square(one, y.index), {k: 5 * v.loc[mixed, mixed[::-1]] + 2 for k, v in x.items()}, 30, 4)
    straight = qap_regression(y, x, 30, 4)
    np.testing.assert_allclose(other.table["estimate"] * 5, straight.table["estimate"], rtol=1e-7)
    np.testing.assert_allclose(other.table[["t", "standardised"]], straight.table[["t", "standardised"]], rtol=1e-7)
    np.testing.assert_allclose(other.table["p_value"], straight.table["p_value"])


def test_an_undirected_network_has_the_p_values_of_its_pairs_once():
    y, x = networks(9, 5)
    y, x = y + y.T, {name: frame + frame.T for name, frame in x.items()}
    qap = qap_regression(y, x, 80, 6)
    upper = np.triu_indices(9, 1)
    drawn = np.random.default_rng(6).permuted(np.tile(np.arange(9), (80, 1)), axis=1)
    X = np.column_stack([np.ones(36), *(frame.to_numpy()[upper] for frame in x.values())])
    rest = np.delete(X, 1, axis=1)
    left = np.zeros((9, 9))
    left[upper] = X[:, 1] - rest @ np.linalg.lstsq(rest, X[:, 1], rcond=None)[0]
    left += left.T
    draws = [
        naive_t(y.to_numpy()[upper], np.column_stack([X[:, 0], left[np.ix_(o, o)][upper], X[:, 2:]]), 1) for o in drawn
    ]
    t = naive_t(y.to_numpy()[upper], X, 1)
    assert qap.table.loc["near", "p_value"] == pytest.approx(((np.abs(draws) >= abs(t) - 1e-9).sum() + 1) / 81)


def test_size_holds_where_least_squares_rejects_too_often():
    random, rejected, naive = np.random.default_rng(0), 0, 0
    units = list(range(16))
    for i in range(100):
        out, into, other = random.normal(size=(3, 16))
        # Units that differ make all their pairs differ: rows and columns of x and of y, on their own.
        near = np.add.outer(out, out) + random.normal(size=(16, 16)) * 0.3
        side = 0.7 * near + np.add.outer(other, other)
        y = np.add.outer(into, into) + 0.5 * side + random.normal(size=(16, 16)) * 0.3
        qap = qap_regression(square(y, units), {"near": square(near, units), "side": square(side, units)}, 199, i)
        rejected += qap.table.loc["near", "p_value"] <= 0.05
        naive += abs(qap.table.loc["near", "t"]) > 1.97
    # Of 100 tests at 5 % more than 12 rejections would come about in one of five hundred.
    assert rejected <= 12
    assert naive > 30


def test_an_effect_is_found_and_noise_is_not():
    y, x = networks(25, 10)
    table = qap_regression(y, x, 499).table
    assert table.loc["near", "p_value"] == pytest.approx(1 / 500)
    assert table.loc["noise", "p_value"] > 0.05
    assert table.loc["near", "p_greater"] < 0.01 < table.loc["near", "p_less"]


def test_same_seed_same_p_values():
    y, x = networks(10, 2)
    one, two, other = (qap_regression(y, x, 199, seed).table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


YQ, XQ = networks(6, 0)


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (YQ.to_numpy(), XQ, "outcome: expected a DataFrame"),
        (YQ, {}, "at least one network"),
        (YQ, {"near": XQ["near"].drop("u1")}, "near: no row or no column for 1 unit.*u1"),
        (YQ, {"near": XQ["near"].rename(columns={"u1": "z"})}, "near: no row or no column for 1 unit.*u1"),
        (YQ, {"near": XQ["near"].rename(index={"u1": "u2"})}, "u2 has more than one row or column in near"),
        (YQ, {"near": XQ["near"].replace(XQ["near"].iloc[0, 1], np.nan)}, "near: no value from u0 to u1"),
        (YQ, {"near": XQ["near"] * 0}, "near: the same value for every pair"),
        (YQ, {"near": XQ["near"], "again": 2 * XQ["near"] + 1}, "collinear with the other variables: again"),
        (YQ.iloc[:3, :3], {"near": XQ["near"].iloc[:3, :3]}, "3 units are too few"),
    ],
)
def test_networks_that_cannot_be_regressed_are_refused(y, x, words):
    with pytest.raises(InvalidInputError, match=words):
        qap_regression(y, x, 9)


def test_unknown_method_and_no_permutations_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'y-permutation'"):
        qap_regression(YQ, XQ, 9, method="y-permutations")
    with pytest.raises(InvalidInputError, match="whole number"):
        qap_regression(YQ, XQ, 0)


# What differs by rounding only


def test_equal_strengths_are_not_above_their_own_mean():
    units = list("abcd")
    data = pd.DataFrame({"gdp": [0.1 + 0.2, 0.3, 0.3, 0.3]}, units)
    network = gravity_network(data, square(0.7 * (1 - np.eye(4)), units), "gdp")
    assert not network.links.any(axis=None)
    assert (network.density, network.reciprocity) == (0, 0)


def test_ties_at_the_bound_of_the_strongest_are_all_in():
    units = list("abcd")
    distance = square([[0, 0.3, 2, 2], [0.1 + 0.2, 0, 2, 2], [2, 2, 0, 2], [2, 2, 2, 0]], units)
    network = gravity_network(
        pd.DataFrame({"gdp": [1.0] * 4}, units), distance, "gdp", method="basic", threshold="top-share", top_share=0.05
    )
    assert network.edges()[["origin", "destination"]].to_numpy().tolist() in (
        [["a", "b"], ["b", "a"]],
        [["b", "a"], ["a", "b"]],
    )


def test_incomes_that_are_equal_but_for_rounding_leave_no_economic_tie():
    data, distance = world(5, 4)
    data.loc[["u0", "u1"], "income"] = [0.3, 0.1 + 0.2]
    network = gravity_network(data, distance, "gdp", economic="income", threshold="none")
    assert network.strength.loc["u0", "u1"] == 0 and not network.links.loc["u0", "u1"]


def test_strengths_that_leave_the_numbers_are_refused():
    with pytest.raises(InvalidInputError, match="exponent=1000: strengths are too large or too small"):
        gravity_network(DATA, DISTANCE, "gdp", exponent=1000)


def test_networks_that_make_up_the_outcome_or_are_constant_but_for_rounding_are_refused():
    with pytest.raises(InvalidInputError, match="make up the outcome exactly"):
        qap_regression(2 * XQ["near"] + 1, {"near": XQ["near"], "same": XQ["same"]}, 9)
    with pytest.raises(InvalidInputError, match="flat: the same value for every pair"):
        qap_regression(YQ, {"flat": (XQ["same"] > 0) * np.spacing(0.3) + 0.3}, 9)


def test_a_permutation_that_the_other_networks_make_up_counts_as_exceeding():
    # Places doubled, the ring of single steps becomes that of double steps, which is a regressor already.
    units, y = list("abcde"), networks(5, 3)[0]
    x = {"one": square(np.roll(np.eye(5), 1, axis=1), units), "other": square(np.roll(np.eye(5), 2, axis=1), units)}
    table = qap_regression(square(y, units), x, 499, 0).table
    assert table.notna().all(axis=None) and (table["p_value"] >= 1 / 12).all()


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_networks_of_extreme_size_have_the_same_tests(size):
    one, other = qap_regression(YQ, XQ, 99), qap_regression(YQ * size, {k: v * size for k, v in XQ.items()}, 99)
    np.testing.assert_allclose(other.table, one.table, rtol=1e-9)


def test_notes_tell_how_few_orders_of_the_units_there_are():
    y, x = networks(4, 0)
    assert "4 units allow 24 different draws" in qap_regression(y, {"near": x["near"]}, 99).summary()
    assert qap_regression(YQ, XQ, 99).notes == ()
    assert "9 permutations: no p value can be below 0.1" in qap_regression(YQ, XQ, 9).summary()

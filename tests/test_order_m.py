"""Order-m frontiers: the exact expectation beside enumeration, limits, properties and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.efficiency import order_m
from clusterlib.errors import ClusterlibError


def make_units(seed: int, units: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    x = pd.DataFrame(random.uniform(1, 9, size=(units, 2)), columns=["ports", "traffic"])
    return x, pd.DataFrame(random.uniform(1, 9, size=(units, 2)), columns=["software", "shops"])


def enumerate_best(x: np.ndarray, y: np.ndarray, unit: int, m: int, orientation: str) -> float:
    """Mean best over all samples of m units, one by one."""
    if orientation == "output":
        peers = [i for i in range(len(x)) if all(x[i] <= x[unit])]
        return float(np.mean([max(min(y[i] / y[unit]) for i in draw) for draw in product(peers, repeat=m)]))
    peers = [i for i in range(len(x)) if all(y[i] >= y[unit])]
    return float(np.mean([min(max(x[i] / x[unit]) for i in draw) for draw in product(peers, repeat=m)]))


@pytest.mark.parametrize("orientation", ["output", "input"])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_the_expectation_is_that_over_all_samples_of_m_units(m, orientation):
    x, y = make_units(3)
    found = order_m(x, y, m=m, orientation=orientation).table["farrell"]
    expected = [enumerate_best(x.to_numpy(), y.to_numpy(), i, m, orientation) for i in range(len(x))]
    assert found.to_numpy() == pytest.approx(expected)


def test_with_m_large_it_is_the_free_disposal_hull():
    x, y = make_units(1, 20)
    hull = [
        max(
            min(b / y.to_numpy()[i])
            for a, b in zip(x.to_numpy(), y.to_numpy(), strict=True)
            if all(a <= x.to_numpy()[i])
        )
        for i in range(len(x))
    ]
    assert order_m(x, y, m=100_000).table["farrell"].to_numpy() == pytest.approx(hull)


def test_an_outlier_weighs_less_the_smaller_m_is():
    x = pd.DataFrame({"x": np.ones(50)})
    y = pd.DataFrame({"y": [*np.ones(49), 100.0]})
    few, many = (order_m(x, y, m=m).table["efficiency"].iloc[0] for m in (2, 200))
    assert few == pytest.approx(1 / (1 + 99 * (1 - (49 / 50) ** 2)))
    assert many < 0.02
    assert order_m(x, y, m=2).table["efficiency"].iloc[-1] > 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12), st.sampled_from(["output", "input"]))
def test_efficiency_falls_with_m_and_does_not_depend_on_units_or_order(seed, m, orientation):
    x, y = make_units(seed, 8)
    first, more = (order_m(x, y, m=k, orientation=orientation).table["efficiency"] for k in (m, m + 1))
    assert (more <= first + 1e-12).all()
    turned = order_m(x.iloc[::-1] * [1000, 0.1], y.iloc[::-1, ::-1] * 7, m=m, orientation=orientation)
    assert turned.table["efficiency"].loc[first.index].to_numpy() == pytest.approx(first.to_numpy())


def test_each_group_has_a_frontier_of_its_own():
    x, y = make_units(2, 12)
    year = pd.Series([2020, 2021] * 6)
    found = order_m(x, y, groups=year).table
    for name in (2020, 2021):
        alone = order_m(x[year == name], y[year == name]).table
        pd.testing.assert_frame_equal(found[year == name], alone)


def test_a_unit_that_none_is_like_is_compared_with_itself():
    x, y = make_units(4, 6)
    x.iloc[0] = 0.5
    row = order_m(x, y).table.iloc[0]
    assert (row["efficiency"], row["compared"]) == (1, 1)
    assert "m" in str(order_m(x, y).summary())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 0}, "m=0"),
        ({"orientation": "both"}, "orientation"),
        ({"outputs": make_units(0)[1].replace(make_units(0)[1].iloc[2, 1], 0.0)}, "'shops'"),
        ({"inputs": make_units(0)[0].mask(make_units(0)[0] > 8.0)}, "leave out"),
        ({"outputs": make_units(0)[1].iloc[:-1]}, "same units"),
        ({"inputs": make_units(0)[0].set_axis([1, 1, 2, 3, 4])}, "given twice"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(change, message):
    x, y = make_units(0)
    x.iloc[0, 0] = 8.5
    change.get("inputs", x)
    with pytest.raises(ClusterlibError, match=message):
        order_m(**{"inputs": x, "outputs": y, **change})

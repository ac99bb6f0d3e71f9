"""Location quotients and the concentration test against exact sums and simulation."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.agglomeration import concentration_test, location_quotient
from clusterlib.errors import InvalidInputError

TABLE = pd.DataFrame({"software": [30.0, 10.0], "textiles": [10.0, 30.0]}, index=["coast", "inland"])
SIZE = pd.Series({"coast": 50.0, "inland": 50.0})


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 99)), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_mean_quotient_weighted_by_the_reference_is_one(rows):
    table = pd.DataFrame(rows, columns=["x", "y"], dtype=float)
    if table["x"].sum() == 0:
        table.loc[0, "x"] = 1.0
    weight = table.sum(axis=1) / table.to_numpy().sum()
    means = location_quotient(table).mul(weight, axis=0).sum()
    np.testing.assert_allclose(means, 1, rtol=1e-12)


def test_quotient_against_an_outside_reference_is_share_over_share():
    quotient = location_quotient(TABLE["software"], pd.Series({"inland": 60.0, "coast": 20.0}))
    assert quotient.to_dict() == pytest.approx({"coast": 0.75 / 0.25, "inland": 0.25 / 0.75})


@pytest.mark.parametrize(
    ("values", "reference", "words"),
    [
        (TABLE["software"], None, "reference="),
        (TABLE, SIZE[["coast"]], "no reference for inland"),
        (-TABLE, None, "not negative"),
        (TABLE.replace(30.0, np.nan), SIZE, "finite"),
        (TABLE, SIZE - 50, "positive"),
        (TABLE.assign(none=0.0), None, "no output"),
    ],
)
def test_quotients_without_meaning_are_refused(values, reference, words):
    with pytest.raises(InvalidInputError, match=words):
        location_quotient(values, reference)


def test_binomial_p_and_interval_equal_exact_sums():
    test = concentration_test(pd.Series({"coast": 9, "inland": 1}), SIZE, draws=99)
    # By symmetry both tails of Binomial(10, 1/2) hold the outcomes 0, 1, 9, 10.
    assert test.table.loc["coast", "p"] == pytest.approx(2 * (comb(10, 0) + comb(10, 1)) / 2**10)
    # Clopper-Pearson: the upper limit of nine of ten leaves 2.5 % for nine or fewer.
    upper = test.table.loc["coast", "upper"] * 0.5
    assert sum(comb(10, k) * upper**k * (1 - upper) ** (10 - k) for k in range(10)) == pytest.approx(0.025)
    assert test.table["p_holm"].tolist() == pytest.approx((2 * test.table["p"]).clip(upper=1).tolist())


def test_monte_carlo_p_equals_the_sum_over_all_outcomes():
    counts, shares = pd.Series({"a": 4, "b": 1, "c": 1}), pd.Series({"a": 0.2, "b": 0.3, "c": 0.5})

    def statistic(outcome):
        pairs = zip(outcome, shares, strict=True)
        return 2 * sum(k * log(k / (6 * p)) for k, p in pairs if k)

    observed, exact = statistic(counts), 0.0
    for i in range(7):
        for j in range(7 - i):
            k = 6 - i - j
            probability = comb(6, i) * comb(6 - i, j) * 0.2**i * 0.3**j * 0.5**k
            exact += probability * (statistic((i, j, k)) >= observed - 1e-9)
    test = concentration_test(counts, shares, draws=200_000, seed=1)
    assert test.statistic == pytest.approx(observed)
    assert test.p_value == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 200_000) ** 0.5)


def test_same_seed_gives_the_same_p_and_another_seed_another():
    arguments = (pd.Series({"coast": 7, "inland": 3}), SIZE)
    p = [concentration_test(*arguments, draws=999, seed=seed).p_value for seed in (3, 3, 4)]
    assert p[0] == p[1] != p[2]


def test_size_of_the_test_is_not_above_its_level():
    random, shares = np.random.default_rng(5), pd.Series([0.1, 0.25, 0.65])
    draws = random.multinomial(45, shares, size=100)
    p = [concentration_test(pd.Series(row), shares, draws=299, seed=i).p_value for i, row in enumerate(draws)]
    # 100 tests at 5 %: more than 11 rejections would come about in one of two hundred.
    assert sum(value <= 0.05 for value in p) <= 11


@pytest.mark.parametrize("counts", [[1.5, 2], [-1, 2], [0, 0]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(InvalidInputError, match="whole numbers"):
        concentration_test(pd.Series(counts, index=SIZE.index), SIZE)

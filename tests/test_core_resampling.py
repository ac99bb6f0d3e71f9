"""Draws depend on their seed alone, and p values count ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.core.resampling import (
    check_permutations,
    coarse_note,
    exceedance_p,
    generator,
    permutation_p,
    shuffled,
    standard_error,
    streams,
    tolerance,
    wild_signs,
)
from clusterlib.errors import InvalidInputError, UnknownNameError


@pytest.mark.parametrize("seed", [-1, 1.5, None, "1", True, {}])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(InvalidInputError, match="seed="):
        generator(seed)
    with pytest.raises(InvalidInputError, match="seed="):
        streams(seed, 2)


def test_generators_are_the_same_for_a_seed_and_independent_of_each_other():
    assert (
        generator(3).integers(1 << 30, size=4).tolist() == np.random.default_rng(3).integers(1 << 30, size=4).tolist()
    )
    one, other = streams(3, 2), streams(3, 5)
    assert [g.integers(1 << 30) for g in one] == [g.integers(1 << 30) for g in other[:2]]


def test_permutations_are_counted_in_whole_numbers_and_alternatives_known():
    assert check_permutations(99.0, "less") == 99
    with pytest.raises(InvalidInputError, match="permutations=0"):
        check_permutations(0)
    with pytest.raises(UnknownNameError, match="two-sided, greater, less"):
        check_permutations(9, "bigger")


def test_sums_in_another_order_tie():
    values = np.array([0.1, 0.2, 0.3])
    assert abs((0.1 + 0.2 + 0.3) - (0.3 + 0.2 + 0.1)) > 0
    assert abs((0.1 + 0.2 + 0.3) - (0.3 + 0.2 + 0.1)) < tolerance(values)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(-3, 3))
def test_a_p_value_counts_what_reaches_the_statistic_and_the_statistic_itself(drawn, observed):
    values = np.array(drawn, float)
    reach = {"greater": values >= observed, "less": values <= observed, "two-sided": np.abs(values) >= abs(observed)}
    for alternative, hits in reach.items():
        p = exceedance_p(observed, values, alternative)
        assert p == (1 + hits.sum()) / (1 + len(values))
        assert exceedance_p(observed * 0.1, values * 0.1 * (1 + 1e-15), alternative) == p
    greater, less = (int(reach[k].sum()) for k in ("greater", "less"))
    assert permutation_p(greater, less, len(values)) == min(1, 2 * min(1 + greater, 1 + less) / (1 + len(values)))


def test_a_p_value_of_all_assignments_is_exact_and_uniform_over_them():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    drawn = np.array([values[list(chosen)].mean() for chosen in itertools.combinations(range(4), 2)])
    assert sorted(exceedance_p(one, drawn, complete=True) for one in drawn) == pytest.approx(np.arange(1, 7) / 6)


def test_draws_that_are_missing_do_not_count():
    assert exceedance_p(1.0, np.array([np.nan, 2.0, 0.0])) == 2 / 3


def test_infinite_statistics_are_ranked_like_others():
    drawn = np.array([np.inf, 3.0, 2.0, 1.0, -np.inf])
    assert exceedance_p(np.inf, drawn, complete=True) == 1 / 5
    assert exceedance_p(2.0, drawn, complete=True) == 3 / 5
    assert exceedance_p(-np.inf, drawn, complete=True) == 1


@pytest.mark.parametrize(("possible", "said"), [(8, True), (16, True), (100, False), (0, False)])
def test_few_possible_draws_are_said_where_they_matter(possible, said):
    assert bool(coarse_note(possible, "4 clusters")) == said


def test_blocks_of_permutations_are_permutations(monkeypatch):
    monkeypatch.setattr("clusterlib.core.resampling.BLOCK", 10)
    blocks = list(shuffled(np.arange(5), 7, generator(0)))
    assert [len(block) for block in blocks] == [2, 2, 2, 1]
    assert (np.sort(np.concatenate(blocks), axis=1) == np.arange(5)).all()


def test_signs_are_plus_and_minus_one_alike():
    signs = wild_signs(50, 2000, generator(1))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.02


def test_a_spread_takes_two_draws():
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(2**0.5)
    with pytest.raises(InvalidInputError, match="two draws or more"):
        standard_error(np.array([1.0]))

"""The level behind the last figure of a series: noise from second differences, coverage, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from clusterlib.errors import InvalidInputError
from clusterlib.inference import latest_level

YEARS = pd.RangeIndex(2018, 2025)


def exact_coverage(n: int, multiple: float) -> float:
    """Probability that the interval covers on a straight path, by inversion of the characteristic function (Imhof)."""
    second = np.diff(np.eye(n), 2, axis=0)
    noise, last = second.T @ second / (6 * (n - 2)), np.zeros(n)
    last[-1] = 1
    weights = np.linalg.eigvalsh(np.outer(last, last) - multiple**2 * noise)
    weights = weights[np.abs(weights) > 1e-12]

    def integrand(u: float) -> float:
        angle = 0.5 * np.arctan(weights * u).sum()
        return float(np.sin(angle) / (u * np.exp(0.25 * np.log1p((weights * u) ** 2).sum())))

    return 0.5 - integrate.quad(integrand, 0, np.inf, limit=500)[0] / np.pi


def multiple_of(n: int, level: float) -> float:
    """How many times the noise the interval goes to either side."""
    found = latest_level(pd.Series(np.exp(np.random.default_rng(1).normal(size=n))), level=level)
    return float(np.log(found.upper / found.estimate) / found.noise)


@pytest.mark.parametrize(("n", "level"), [(5, 0.95), (7, 0.9), (7, 0.95), (12, 0.95)])
def test_the_interval_covers_on_a_straight_path_by_exact_integration(n, level):
    assert exact_coverage(n, multiple_of(n, level)) == pytest.approx(level, abs=0.002)


@pytest.mark.parametrize("bend", [0.0, 0.01])
def test_simulated_intervals_of_a_rising_path_cover_the_level_of_the_last_year(bend):
    random, time = np.random.default_rng(4), np.arange(7)
    path = 0.08 * time - bend * time**2 / 2
    inside = 0
    for noise in 0.05 * random.standard_normal((1000, 7)):
        found = latest_level(pd.Series(np.exp(path + noise), YEARS))
        inside += found.lower <= np.exp(path[-1]) <= found.upper
    # Central 99.8 % of a binomial of 1000 at 95 %, and a little more where the bend adds to the noise.
    assert 928 <= inside <= 972


def test_a_level_that_is_detectable_is_found_four_times_in_five():
    random = np.random.default_rng(5)
    unit = latest_level(pd.Series(np.exp(random.normal(size=7)), YEARS))
    needed = np.log(unit.detectable) / unit.noise
    drawn = [latest_level(pd.Series(np.exp(0.05 * (needed + e)), YEARS)) for e in random.standard_normal((1500, 7))]
    assert np.mean([found.lower > 1 for found in drawn]) == pytest.approx(0.8, abs=0.035)


def test_a_straight_path_has_no_noise_and_noise_is_that_of_second_differences_by_hand():
    straight = latest_level(pd.Series(1.1 ** np.arange(7), YEARS))
    assert straight.noise == pytest.approx(0, abs=1e-12) and straight.lower == pytest.approx(straight.upper)
    found = latest_level(pd.Series(np.exp([0.0, 0.3, 0.1, 0.5, 0.4])))
    assert found.noise == pytest.approx(np.sqrt((0.5**2 + 0.6**2 + 0.5**2) / 18))
    assert (found.estimate, found.n) == (pytest.approx(np.exp(0.4)), 5)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=7, max_size=7), st.floats(0.1, 50), st.floats(-0.3, 0.3))
def test_scale_moves_the_interval_and_a_trend_does_not_widen_it(logs, scale, growth):
    series = pd.Series(np.exp(logs), YEARS)
    one, other = latest_level(series), latest_level(scale * series * np.exp(growth * np.arange(7)))
    assert other.noise == pytest.approx(one.noise, abs=1e-9)
    assert other.upper / other.lower == pytest.approx(one.upper / one.lower, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (pd.Series([1.0, 2, 3, 4]), {}, "at least 5 are needed"),
        (pd.Series([1.0, 2, 0, 4, 5]), {}, "logarithm needs positive"),
        (pd.Series([1.0, 2, np.nan, 4, 5]), {}, "run of periods without gaps"),
        (pd.Series([1.0, 2, 3, 4, 5], [2018, 2019, 2020, 2022, 2023]), {}, "expected one after another"),
        (pd.Series([1.0, 2, 3, 4, 5]), {"level": 95}, "level=95"),
        (pd.Series([1.0, 2, 3, 4, 5]), {"power": 0}, "power"),
        ([1.0, 2, 3, 4, 5], {}, "expected a Series"),
    ],
    ids=["short", "nil", "missing", "gap", "level", "power", "list"],
)
def test_series_without_such_a_level_are_refused(values, options, words):
    with pytest.raises(InvalidInputError, match=words):
        latest_level(values, **options)

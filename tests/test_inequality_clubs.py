"""The log t test and convergence clubs against an independent implementation, by hand and by simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.inequality import club_convergence, log_t_test
from clusterlib.inequality._clubs import _long_run_variance

CRITICAL_VALUE = -1.65
REFERENCE = Path(__file__).parent / "reference"
ANSWERS = json.loads((REFERENCE / "expected" / "clubs_produc.json").read_text(encoding="utf-8"))
CASES = [name for name, answer in ANSWERS.items() if isinstance(answer, dict)]


@pytest.fixture(scope="module")
def produc() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    return data.assign(prod=data["gsp"] / data["emp"], capital=data["pc"] / data["emp"])


def frame(paths: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([range(len(paths)), range(1, paths.shape[1] + 1)], names=["unit", "year"])
    return pd.DataFrame({"level": paths.ravel()}, index=index)


def factor_model(limits: np.ndarray, periods: int, decay: float, seed: int) -> pd.DataFrame:
    """Phillips and Sul's model: loadings that tend to their limits as 1 / (log t * t ** decay), times a trend."""
    random, t = np.random.default_rng(seed), np.arange(1, periods + 1)
    start = 0.1 * random.normal(size=(len(limits), 1))
    noise = 0.01 * random.normal(size=(len(limits), periods))
    return frame((limits[:, None] + (start + noise) / (np.log(t + 1) * t**decay)) * (5 + 0.2 * t))


@pytest.mark.parametrize("case", CASES)
def test_log_t_and_clubs_of_the_states_equal_the_independent_implementation(produc, case):
    variable, _, penalty = case.rpartition("_")
    answer = ANSWERS[case]
    options = {"smoothing": float(penalty) or None, "trim": ANSWERS["time_trim"]}
    test = log_t_test(produc, variable, **options)
    assert [test.slope, test.std_error, test.statistic] == pytest.approx(
        [answer["slope"], answer["std_error"], answer["statistic"]], rel=1e-8
    )
    result = club_convergence(produc, variable, **options)
    assert list(result.membership.index) == ANSWERS["units"]
    assert result.initial.tolist() == answer["initial"]
    assert result.membership.tolist() == answer["merged"]
    apart = club_convergence(produc, variable, merge=False, **options)
    real = apart.clubs.drop(index=0, errors="ignore")
    np.testing.assert_allclose(real["statistic"], answer["club_statistics"], rtol=1e-7)


def test_regression_is_that_of_the_definition(produc):
    logs = np.log(produc["prod"].unstack())
    relative = logs / logs.mean()
    variation = ((relative - 1) ** 2).mean().to_numpy()
    t = np.arange(6, 18)
    y = np.log(variation[0] / variation[t - 1]) - 2 * np.log(np.log(t))
    slope, _ = np.polyfit(np.log(t), y, 1)
    test = log_t_test(produc, "prod", trim=0.3)
    assert test.slope == pytest.approx(slope, rel=1e-9)
    assert test.nobs == 12 and test.n_periods == 17 and test.n_units == 48
    assert test.observations == 12 and test.periods == 17 and test.units == 48
    np.testing.assert_allclose(test.variation, variation, rtol=1e-12)
    assert test.p_value == pytest.approx(norm.cdf(test.slope / test.std_error))


def test_long_run_variance_is_the_quadratic_spectral_sum_of_autocovariances():
    residuals = np.array([0.5, 0.3, -0.2, -0.4, -0.3, 0.1])
    rho = sum(residuals[1:] * residuals[:-1]) / sum(residuals[:-1] ** 2)
    bandwidth = 1.3221 * (6 * 4 * rho**2 / (1 - rho) ** 4) ** (1 / 5)
    total = sum(residuals**2)
    for lag in range(1, 5):
        x = 6 * np.pi * lag / bandwidth / 5
        weight = 3 / x**2 * (np.sin(x) / x - np.cos(x))
        total += 2 * weight * sum(residuals[i] * residuals[i + lag] for i in range(5 - lag))
    assert _long_run_variance(residuals) == pytest.approx(total / 5, rel=1e-12)


@pytest.mark.parametrize(
    ("periods", "trim", "first"), [(34, 1 / 3, 12), (10, 0.3, 4), (17, 0.3, 6), (9, 0.3, 3), (100, 0.29, 30)]
)
def test_first_period_of_the_regression_follows_the_share_left_out(periods, trim, first):
    test = log_t_test(factor_model(np.ones(3), periods, 0.4, seed=0), "level", log=False, trim=trim)
    assert test.nobs == periods - first + 1


def test_clubs_put_in_are_found():
    limits = np.repeat([1.0, 0.7, 0.45], [8, 12, 10])
    result = club_convergence(factor_model(limits, 40, 0.6, seed=1), "level", log=False)
    assert not result.converges
    assert result.membership.tolist() == np.repeat([1, 2, 3], [8, 12, 10]).tolist()
    assert result.clubs["units"].sum() == 30
    means = result.clubs.loc[[1, 2, 3], "mean_last"]
    assert means.is_monotonic_decreasing
    assert result.paths().iloc[-1].tolist() == pytest.approx(
        result.transitions.groupby(result.membership).mean().iloc[:, -1].tolist()
    )


def test_units_that_converge_are_one_club_and_units_that_part_are_none():
    together = club_convergence(factor_model(np.ones(20), 40, 0.5, seed=2), "level", log=False)
    assert together.converges and (together.membership == 1).all()
    t = np.arange(1, 31)
    apart = club_convergence(frame(np.array([10 + slope * t for slope in (0.1, 0.9, 2.1, 3.9)])), "level", log=False)
    assert not apart.converges
    assert (apart.membership == 0).all()
    assert apart.clubs.index.tolist() == [0] and apart.clubs.loc[0, "units"] == 4


def test_size_of_the_log_t_test_is_not_far_above_its_level():
    rejected = sum(
        not log_t_test(factor_model(np.ones(50), 40, 0.2, seed=seed), "level", log=False).converges
        for seed in range(100)
    )
    assert rejected <= 10


def test_power_against_two_clubs():
    limits = np.repeat([1.0, 0.8], 25)
    accepted = sum(
        log_t_test(factor_model(limits, 40, 0.2, seed=seed), "level", log=False).converges for seed in range(40)
    )
    assert accepted == 0


@given(st.integers(0, 1000), st.floats(0.01, 1e6), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_clubs_ignore_the_unit_of_levels_and_the_order_of_rows(seed, scale, random):
    data = factor_model(np.repeat([1.0, 0.6], 6), 20, 0.4, seed)
    first = club_convergence(data, "level", log=False).membership
    pd.testing.assert_series_equal(club_convergence(data * scale, "level", log=False).membership, first)
    rows = list(data.index)
    shuffled = data.loc[random.sample(rows, len(rows))]
    pd.testing.assert_series_equal(club_convergence(shuffled, "level", log=False).membership, first)


@given(st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_every_club_converges_neighbours_together_do_not_and_nobody_is_lost(seed):
    random = np.random.default_rng(seed)
    data = frame(np.exp(np.cumsum(random.normal(0.02, 0.05, (15, 15)), axis=1) + 3))
    result = club_convergence(data, "level")
    assert result.clubs["units"].sum() == 15
    real = result.clubs.drop(index=0, errors="ignore")
    assert (real["statistic"] > CRITICAL_VALUE).all()
    for number in real.index[:-1]:
        both = result.membership[result.membership.isin([number, number + 1])].index
        assert not log_t_test(data.loc[both], "level").converges


def test_merging_only_ever_joins_clubs(produc):
    apart, merged = (club_convergence(produc, "gsp", merge=merge) for merge in (False, True))
    pd.testing.assert_series_equal(apart.membership, merged.initial)
    joined = pd.crosstab(merged.initial, merged.membership)
    assert ((joined > 0).sum(axis=1) == 1).all() and joined.shape[1] < joined.shape[0]
    assert (joined.loc[0] > 0).tolist() == [True] + [False] * (joined.shape[1] - 1)


def test_a_higher_sieve_makes_the_first_club_no_larger(produc):
    data = produc.assign(highways=produc["hwy"] / produc["emp"])
    tables = [club_convergence(data, "highways", sieve=bound, merge=False).clubs for bound in (-1.65, 0, 1, 3)]
    sizes = [table["units"].iloc[0] for table in tables]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[1] > sizes[2]


def test_the_trend_is_smoother_than_the_series_and_a_line_is_its_own():
    t = np.arange(1, 21)
    lines = np.array([3 + 0.1 * t, 2 + 0.2 * t, 2.5 + 0.05 * t])
    plain, smoothed = (log_t_test(frame(lines), "level", log=False, smoothing=s) for s in (None, 400.0))
    np.testing.assert_allclose(smoothed.variation, plain.variation, rtol=1e-6)


def test_units_alike_in_a_period_leave_it_out_and_always_alike_have_converged():
    t = np.arange(1, 13)
    gap = 1 / t
    gap[6] = 0
    assert log_t_test(frame(np.array([5 + gap, 5 - gap])), "level", log=False).nobs == 8
    same = log_t_test(frame(np.array([5 + 0 * t, 5 + 0 * t])), "level", log=False)
    assert same.converges and np.isnan(same.slope)
    parting = frame(np.array([5 + 0.1 * (t - 1), 5 - 0.1 * (t - 1)]))
    assert log_t_test(parting, "level", log=False).statistic == -np.inf


def walks(seed: int, units: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return frame(np.exp(np.cumsum(random.normal(0.02, 0.05, (units, 15)), axis=1) + 3))


def test_units_are_ordered_by_their_last_value_or_by_the_mean_of_several():
    data = walks(1, 15)
    logs = np.log(data["level"].unstack())
    for periods in (1, 5):
        result = club_convergence(data, "level", last_periods=periods, merge=False)
        # The order alone matters: the same clubs come from data whose last value puts units in that order.
        order = logs.iloc[:, -periods:].mean(axis=1).sort_values(ascending=False).index
        first = result.membership[result.membership == 1].index
        start = next(i for i in range(14) if log_t_test(data.loc[order[i : i + 2]], "level").converges)
        assert set(order[start : start + 2]) <= set(first)
    memberships = [club_convergence(data, "level", last_periods=k).membership for k in (1, 5)]
    assert not memberships[0].equals(memberships[1])


@pytest.mark.parametrize("seed", [26, 39])
def test_the_bound_of_the_sieve_is_raised_until_the_club_converges(seed):
    data = walks(seed, 25)
    logs = np.log(data["level"].unstack()).to_numpy()
    order = [int(unit) for unit in np.argsort(-logs[:, -1])]

    def statistic(units):
        return log_t_test(data.loc[sorted(units)], "level").statistic

    start = next(i for i in range(24) if statistic(order[i : i + 2]) > CRITICAL_VALUE)
    sizes = {}
    for size in range(2, 26 - start):
        sizes[size] = statistic(order[start : start + size])
        if sizes[size] <= CRITICAL_VALUE:
            del sizes[size]
            break
    core = order[start : start + max(sizes, key=sizes.get)]
    others = [unit for unit in order if unit not in core]
    alone = {unit: statistic([*core, unit]) for unit in others}

    def club(bound):
        return sorted([*core, *(unit for unit in others if alone[unit] > bound)])

    bounds = [0.0, *sorted(value for value in alone.values() if value > 0)]
    expected = next(club(bound) for bound in bounds if statistic(club(bound)) > CRITICAL_VALUE)
    assert len(core) < len(expected) < len(club(0.0))
    first = club_convergence(data, "level", merge=False).membership
    assert first.index[first == 1].tolist() == expected


@pytest.mark.parametrize("noise", [0.0, 1e-16, 1e-14])
def test_units_alike_but_for_rounding_in_a_period_leave_it_out_as_units_alike_do(noise):
    t = np.arange(1, 13)
    gap = 1 / t
    gap[6] = 0
    paths = np.array([5 + gap, 5 - gap, 5 + gap / 2])
    paths[:, 6] += 5 * noise * np.array([1, -1, 0])
    test = log_t_test(frame(paths), "level", log=False)
    assert test.nobs == 8 and test.variation[7] == 0
    # What is left is the regression of the other periods alone.
    left = np.array([4, 5, 6, 8, 9, 10, 11, 12])
    y = np.log(test.variation[1] / test.variation[left]) - 2 * np.log(np.log(left))
    assert test.slope == pytest.approx(np.polyfit(np.log(left), y, 1)[0], rel=1e-9)


def test_units_alike_but_for_rounding_throughout_have_converged():
    random = np.random.default_rng(0)
    alike = frame(0.3 * (1 + 1e-15 * random.integers(-1, 2, (4, 12))) + np.zeros((4, 12)))
    result = club_convergence(alike, "level", log=False)
    assert result.converges and np.isnan(result.overall.slope) and (result.membership == 1).all()


def test_a_gap_that_closes_just_as_the_regression_expects_has_a_slope_of_nil():
    t = np.arange(1, 21)
    # H_1 / H_t is then the square of log t but for a factor.
    gap = np.where(t == 1, 1.0, 0.5 / np.log(np.maximum(t, 2)))
    test = log_t_test(frame(np.array([5 + gap, 5 - gap])), "level", log=False)
    assert (test.slope, test.statistic) == (0, 0) and test.converges


def test_periods_with_a_gap_are_counted_with_a_warning(produc):
    with pytest.warns(ClusterlibWarning, match="not evenly spaced"):
        test = log_t_test(produc[produc.index.get_level_values("year") != 1975], "prod")
    assert test.n_periods == 16


def test_results_say_what_they_found(produc):
    result = club_convergence(produc, "prod")
    pd.testing.assert_frame_equal(result.table, result.clubs)
    assert "俱乐部收敛" in result.summary() and "Log t test" in result.summary()
    assert result.overall.table.loc["log t", "units"] == 48
    assert "log t" in result.overall._repr_html_()


@pytest.mark.parametrize("method", [log_t_test, club_convergence])
def test_panels_without_an_answer_are_refused_with_the_place(method):
    data = factor_model(np.ones(4), 12, 0.4, seed=0)
    zero = data.copy()
    zero.loc[(2, 5), "level"] = 0.0
    with pytest.raises(InvalidInputError, match=r"'level' is 0 for 2 in 5.*logarithms"):
        method(zero, "level")
    with pytest.raises(InvalidInputError, match="'level' is not positive for 2 in 5"):
        method(zero, "level", log=False)
    with pytest.raises(InvalidInputError, match=r"in logarithms is not positive.*smaller unit.*log=False"):
        method(data / 1000, "level")
    with pytest.raises(InvalidInputError, match="not balanced"):
        method(data.drop((2, 5)), "level")
    with pytest.raises(InvalidInputError, match="at least two units and six"):
        method(data.loc[[1]], "level")
    with pytest.raises(InvalidInputError, match=r"trim=0.8 of 12 periods: the regression starts with period 10"):
        method(data, "level", trim=0.8)
    with pytest.raises(InvalidInputError, match=r"trim=0.01"):
        method(data, "level", trim=0.01)
    with pytest.raises(InvalidInputError, match=r"smoothing=-1: expected a positive number"):
        method(data, "level", smoothing=-1)
    with pytest.raises(UnknownNameError, match="'levels'"):
        method(data, "levels")


def test_an_order_over_no_periods_is_refused():
    with pytest.raises(InvalidInputError, match=r"last_periods=0"):
        club_convergence(factor_model(np.ones(4), 12, 0.4, seed=0), "level", last_periods=0)

"""Bounds where trends differ and the power of tests before treatment, against closed forms, searches and simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linprog, minimize

from clusterlib.did import event_study, honest_bounds, pretrend_power, staggered_did
from clusterlib.errors import ClusterlibError, InvalidInputError

YEARS = range(2008, 2018)


def panel(seed: int = 0, units: int = 40) -> tuple[pd.DataFrame, pd.Series]:
    index = pd.MultiIndex.from_product([range(units), YEARS], names=["city", "year"])
    unit, year = (index.get_level_values(level).to_numpy() for level in (0, 1))
    random = np.random.default_rng(seed)
    y = random.normal(size=len(index)) + 0.1 * year + 2.0 * ((unit < 20) & (year >= 2013))
    return pd.DataFrame({"y": y}, index=index), pd.Series(2013, index=range(20))


def study(b: dict[int, float], covariance: np.ndarray | None = None, df: float | None = None):
    """An event study with estimates of our choice; the reference period is -1."""
    data, first = panel()
    times = sorted([*b, -1])
    V = pd.DataFrame(0.0, times, times)
    others = [e for e in times if e != -1]
    V.loc[others, others] = np.eye(len(others)) if covariance is None else covariance
    made = event_study(data, "y", first)
    params = pd.Series(b | {-1: 0.0}).sort_index()
    return replace(made, params=params, covariance=V, df_inference=df)


def covariance_of(size: int, seed: int) -> np.ndarray:
    Z = np.random.default_rng(seed).normal(size=(size, 3 * size))
    return Z @ Z.T / (30 * size)


def possible(b: dict[int, float], weights: np.ndarray, rows: np.ndarray, most: np.ndarray) -> tuple[float, float]:
    """The least and the largest effect over differences in trends with ``rows @ delta <= most``, nil effects before."""
    times = sorted(b)
    before = [e for e in times if e < 0]
    fixed = np.eye(len(times))[: len(before)]
    target = np.concatenate([np.zeros(len(before)), weights])
    ends = []
    for sign in (1, -1):
        found = linprog(sign * -target, rows, most, fixed, [b[e] for e in before], bounds=(None, None))
        ends.append(target @ [b[e] for e in times] + sign * found.fun if found.status == 0 else np.nan)
    return ends[0], ends[1]


def changes(times: list[int], order: int) -> np.ndarray:
    """Differences of this order of the path with the reference put in as zero."""
    whole = np.insert(np.eye(len(times)), sum(e < 0 for e in times), 0.0, axis=0)
    return np.diff(whole, n=order, axis=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10_000), st.floats(0, 3), st.booleans())
def test_possible_effects_are_the_ends_of_a_linear_programme(pre, post, seed, size, last):
    random = np.random.default_rng(seed)
    times = [*range(-1 - pre, -1), *range(post)]
    b = dict(zip(times, random.normal(size=len(times)).round(3), strict=True))
    weights = np.eye(post)[-1] if last else np.full(post, 1 / post)
    made, target = study(b, covariance_of(len(times), seed)), post - 1 if last else None
    first, second = changes(times, 1), changes(times, 2)
    largest = np.abs(first[:pre] @ list(b.values())).max()
    after = first[pre:]
    wanted = possible(b, weights, np.vstack([after, -after]), np.full(2 * len(after), size * largest))
    row = honest_bounds(made, bounds=[size], target=target).table.iloc[0]
    np.testing.assert_allclose(row[["set_lower", "set_upper"]], wanted, atol=1e-7)
    wanted = possible(b, weights, np.vstack([second, -second]), np.full(2 * len(second), size))
    row = honest_bounds(made, "smoothness", [size], target=target).table.iloc[0]
    np.testing.assert_allclose(row[["set_lower", "set_upper"]], wanted, atol=1e-6)


def test_with_one_period_on_either_side_bounds_are_the_estimate_and_the_one_before():
    made = study({-2: -0.3, 0: 1.0}, np.diag([0.04, 0.09]))
    found = honest_bounds(made, bounds=[0, 0.5, 2])
    np.testing.assert_allclose(found.table["set_lower"], [1.0, 0.85, 0.4])
    np.testing.assert_allclose(found.table["set_upper"], [1.0, 1.15, 1.6])
    # Each end adds the error of the estimate and that of the one before, M times.
    reach = 1.959964 * np.sqrt(0.09 + np.array([0, 0.5, 2]) ** 2 * 0.04)
    np.testing.assert_allclose(found.table["upper"], found.table["set_upper"] + reach, rtol=1e-6)
    np.testing.assert_allclose(found.table["lower"], found.table["set_lower"] - reach, rtol=1e-6)
    # Zero is reached where 1 - 0.3 m = 1.96 sqrt(0.09 + 0.04 m^2).
    m = found.breakdown
    assert 1 - 0.3 * m == pytest.approx(1.959964 * np.sqrt(0.09 + 0.04 * m**2), rel=1e-6)


def test_no_curvature_extrapolates_the_line_before():
    made = study({-3: -0.4, -2: -0.2, 0: 1.0, 1: 1.5}, covariance_of(4, 1))
    for target, line in ((0, 0.2), (1, 0.4)):
        row = honest_bounds(made, "smoothness", [0.0], target=target).table.iloc[0]
        effect = made.params[target] - line
        np.testing.assert_allclose(row[["set_lower", "set_upper"]], effect)
        assert row["lower"] < effect < row["upper"]
    bent = study({-3: -0.4, -2: -0.3, 0: 1.0}, covariance_of(3, 1))
    assert honest_bounds(bent, "smoothness", [0.1]).table["set_lower"].isna().all()


@pytest.mark.parametrize("df", [None, 12.0])
def test_the_smooth_interval_is_the_shortest_of_a_search_over_all_forms(df):
    """Each form's half-length by a linear programme of its worst bias and the quantile of a folded distribution."""
    times, weights = [-4, -3, -2, 0, 1], np.array([0.5, 0.5])
    b, V, M = dict(zip(times, [0.2, 0.1, -0.1, 0.6, 1.1], strict=True)), covariance_of(5, 3), 0.08
    second = changes(times, 2)

    def half_length(v: np.ndarray) -> float:
        form = np.append(v, weights)
        # In terms of second differences only trends that the form does not see are free.
        found = linprog(-form, np.vstack([second, -second]), np.full(8, M), bounds=(-50, 50))
        error = np.sqrt(form @ V @ form)
        ratio = -found.fun / error
        square = stats.ncx2.ppf(0.95, 1, ratio**2) if df is None else stats.ncf.ppf(0.95, 1, df, ratio**2)
        return float(np.sqrt(square) * error)

    # Forms that a linear trend does not move: two are free.
    line = np.array([-3.0, -2.0, -1.0])
    shift = weights @ [1.0, 2.0]

    def form_of(x: np.ndarray) -> np.ndarray:
        return np.array([x[0], x[1], -(shift + line[:2] @ x) / line[2]])

    options = {"xatol": 1e-7, "fatol": 1e-10}
    best = min(
        minimize(lambda x: half_length(form_of(x)), start, method="Nelder-Mead", options=options).fun
        for start in ([0.1, 0.1], [-0.5, 0.0])
    )
    row = honest_bounds(study(b, V, df), "smoothness", [M]).table.iloc[0]
    assert (row["upper"] - row["lower"]) / 2 == pytest.approx(best, rel=1e-4)


def test_the_smooth_interval_is_that_of_the_package_diff_diff():
    from diff_diff.honest_did import _compute_optimal_flci

    times, V = [-4, -3, -2, 0, 1, 2], covariance_of(6, 5)
    b = np.array([0.2, 0.1, -0.1, 0.6, 1.1, 0.9])
    made = study(dict(zip(times, b, strict=True)), V)
    for M in (0.0, 0.1):
        wanted = _compute_optimal_flci(b[:3], b[3:], V, np.full(3, 1 / 3), 3, 3, M, 0.05)
        found = honest_bounds(made, "smoothness", [M]).table.iloc[0]
        np.testing.assert_allclose(found[["lower", "upper"]], wanted, atol=2e-3)


def test_the_relative_interval_covers_a_trend_as_large_as_the_bound_allows():
    """Adding the error of the effect alone to the estimated bounds, as diff-diff does, would cover 83 %."""
    random, M, trend = np.random.default_rng(0), 2.0, 0.5
    draws = random.normal(size=(4000, 2)) * 0.1 + [-trend, M * trend]
    at, before = draws[:, 1], np.abs(draws[:, 0])
    naive = at - M * before - 1.96 * 0.1 <= 0.0
    assert 0.78 < naive.mean() < 0.86
    covered = [
        honest_bounds(study({-2: one, 0: two}, np.eye(2) * 0.01), bounds=[M]).table.loc[M, "lower"] <= 0.0
        for one, two in draws[:400]
    ]
    assert np.mean(covered) > 0.95


def test_intervals_widen_with_the_bound_and_the_breakdown_is_where_they_reach_zero():
    data, first = panel()
    made = event_study(data, "y", first, 5, 4)
    staggered = staggered_did(data, "y", first, base_period="universal", draws=0)
    for result in (made, staggered):
        for kind in ("relative_magnitudes", "smoothness"):
            found = honest_bounds(result, kind, first=-4, last=3)
            lengths = found.table["upper"] - found.table["lower"]
            assert (np.diff(lengths) > 0).all() and found.breakdown > 0
            inside, outside = (
                honest_bounds(result, kind, [found.breakdown * factor], first=-4, last=3).table.iloc[0]
                for factor in (1.001, 0.999)
            )
            assert inside["lower"] <= 0 < outside["lower"]
            assert found.title in found.summary() and found.settings == {"first": -4, "last": 3}
    plain = honest_bounds(made, bounds=[0], target=0, level=0.9)
    np.testing.assert_allclose(plain.table[["lower", "upper"]].iloc[0], made.conf_int(0.9).loc[0])
    assert honest_bounds(study({-2: 0.1, 0: 0.05})).breakdown == 0.0


def test_units_of_the_outcome_scale_everything():
    data, first = panel(3)
    base, other = (event_study(data.assign(y=data["y"] * scale), "y", first, 4, 3) for scale in (1.0, 1e-7))
    for kind, bounds in (("relative_magnitudes", [1.0]), ("smoothness", [0.1])):
        one = honest_bounds(base, kind, bounds).table
        two = honest_bounds(other, kind, [bounds[0] * (1 if kind[0] == "r" else 1e-7)]).table
        np.testing.assert_allclose(two.to_numpy() * 1e7, one.to_numpy(), rtol=1e-4)


@pytest.mark.parametrize("df", [None, 9.0])
def test_power_before_treatment_is_the_share_of_samples_that_reject(df):
    times, V = [-4, -3, -2, 0], covariance_of(4, 8)
    made = study(dict(zip(times, [0.1, 0.2, 0.1, 1.0], strict=True)), V, df)
    slope = pretrend_power(made, power=[0.6]).table.loc["joint 60%", "slope"]
    row = pretrend_power(made, [slope], power=[]).table.iloc[0]
    random = np.random.default_rng(0)
    drawn = random.multivariate_normal(slope * np.array([-3.0, -2.0, -1.0]), V[:3, :3], 100_000)
    if df is None:
        rejected = np.einsum("ij,jk,ik->i", drawn, np.linalg.inv(V[:3, :3]), drawn) > stats.chi2.isf(0.05, 3)
        bound = stats.norm.isf(0.025)
    else:
        scale = random.chisquare(df, 100_000) / df
        wald = np.einsum("ij,jk,ik->i", drawn, np.linalg.inv(V[:3, :3]), drawn) / 3 / scale
        rejected, bound = wald > stats.f.isf(0.05, 3, df), stats.t.isf(0.025, df)
    some = (np.abs(drawn) > bound * np.sqrt(np.diag(V)[:3])).any(axis=1)
    assert row["joint"] == pytest.approx(0.6, abs=1e-6) and rejected.mean() == pytest.approx(0.6, abs=0.006)
    assert row["any"] == pytest.approx(some.mean(), abs=0.006)
    assert row["bias"] == pytest.approx(slope)
    assert pretrend_power(made, [0.0], power=[]).table["joint"].iloc[0] == pytest.approx(0.05, abs=1e-6)


def test_one_period_before_has_the_power_of_its_own_test():
    made = study({-2: 0.1, 0: 1.0, 1: 1.0}, np.eye(3) * 0.04)
    row = pretrend_power(made, [0.3], power=[]).table.iloc[0]
    alone = stats.norm.sf(1.959964 - 1.5) + stats.norm.cdf(-1.959964 - 1.5)
    np.testing.assert_allclose(row[["joint", "any"]], alone, rtol=1e-6)
    assert row["bias"] == pytest.approx(0.3 * 1.5)


MADE = study({-3: 0.1, -2: 0.2, 0: 1.0, 1: 1.0}, covariance_of(4, 2))


@pytest.mark.parametrize("call", [honest_bounds, pretrend_power])
def test_results_without_an_event_study_around_one_period_are_refused(call):
    data, first = panel()
    varying = staggered_did(data, "y", first, draws=0)
    with pytest.raises(InvalidInputError, match="base_period='universal'"):
        call(varying)
    for wrong in (None, data, {}, "study", pd.Series([1.0])):
        with pytest.raises(InvalidInputError, match="expected the result of event_study or staggered_did"):
            call(wrong)
    with pytest.raises(InvalidInputError, match="are not consecutive"):
        call(study({-4: 0.1, -2: 0.2, 0: 1.0}))
    with pytest.raises(InvalidInputError, match="before and after the reference period -1, got -1, 0"):
        call(MADE, first=-1, last=0)
    with pytest.raises(InvalidInputError, match="singular"):
        call(study({-3: 0.1, -2: 0.2, 0: 1.0}, np.ones((3, 3))))
    for options in ({"first": "a"}, {"first": 1.5}, {"last": None, "first": True}, {"last": -5}, {"first": 5}):
        with pytest.raises(InvalidInputError):
            call(MADE, **options)


@pytest.mark.parametrize(
    "options",
    [
        *({"kind": wrong} for wrong in ("smooth", None, 1)),
        *({"bounds": wrong} for wrong in (1.0, "0.5", [], [-1], [None], [np.nan], ["a"])),
        *({"target": wrong} for wrong in (-2, 9, "0", 0.5)),
        *({"level": wrong} for wrong in (95, 0, None)),
    ],
    ids=str,
)
def test_bounds_of_another_kind_are_refused(options):
    with pytest.raises(ClusterlibError):
        honest_bounds(MADE, **options)


@pytest.mark.parametrize(
    "options",
    [
        *({"slopes": wrong} for wrong in (["a"], [None], [np.nan], 0.1)),
        *({"power": wrong} for wrong in ([0.01], [80], [None], 0.8, [0.06])),
        *({"alpha": wrong} for wrong in (5, None, 0)),
    ],
    ids=str,
)
def test_powers_of_another_kind_are_refused(options):
    with pytest.raises(ClusterlibError):
        pretrend_power(MADE, **options)

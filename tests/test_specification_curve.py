"""Specification curves: every combination once, shares worked by hand, the joint test in plain loops, refusals."""

from __future__ import annotations

import dataclasses
import itertools
import statistics

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import fixed_effects
from clusterlib.spatial_panel._wild_bootstrap import null_impacts
from clusterlib.specification_curve import FIELDS, STATISTICS, specification_curve

CHOICES = {"index": ["a", "b"], "period": ["long", "short", "late"]}
# Estimate and p value by (index, period).
HAND = {
    ("a", "long"): (0.4, 0.01),
    ("a", "short"): (0.1, 0.30),
    ("a", "late"): (-0.2, 0.04),
    ("b", "long"): (0.3, 0.05),
    ("b", "short"): (0.0, 0.02),
    ("b", "late"): (-0.1, 0.60),
}


def fields(estimate: float, p_value: float = 0.5) -> dict:
    return dict(zip(FIELDS, (estimate, 1.0, p_value, estimate - 2, estimate + 2), strict=True))


def by_hand(index: str, period: str) -> dict:
    return fields(*HAND[index, period])


def hand_null(index: str, period: str) -> np.ndarray:
    place = list(HAND).index((index, period))
    return np.random.default_rng(place).normal(scale=0.2, size=39)


def from_numbers(estimates: np.ndarray, draws: np.ndarray | None = None):
    """A curve of one choice whose estimates and draws (a column a specification) are given."""
    options = [f"s{i}" for i in range(len(estimates))]
    return specification_curve(
        lambda option: fields(estimates[options.index(option)]),
        {"option": options},
        null=None if draws is None else lambda option: draws[:, options.index(option)],
    )


def test_every_combination_is_estimated_once_and_stands_beside_its_choices():
    called = []

    def estimate(index, period):
        called.append((index, period))
        return by_hand(index, period)

    curve = specification_curve(estimate, CHOICES)
    assert called == list(itertools.product(*CHOICES.values()))
    assert list(curve.table.columns) == ["index", "period", *FIELDS]
    assert curve.table.index.names == ["effect", "specification"]
    assert curve.table.index.tolist() == [("estimate", i) for i in range(1, 7)]
    for row in curve.table.itertuples(index=False):
        assert (row.estimate, row.p_value) == HAND[row[0], row.period]
        assert (row.std_error, row.lower, row.upper) == (1, row.estimate - 2, row.estimate + 2)
    assert (curve.choices, curve.skipped, curve.null) == ({k: tuple(v) for k, v in CHOICES.items()}, 0, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve.alpha = 0.1


def test_shares_of_sign_and_significance_are_those_counted_by_hand():
    summary = specification_curve(by_hand, CHOICES).shares()
    assert summary.index.tolist() == [
        ("estimate", "all", "all"),
        *(("estimate", choice, option) for choice, options in CHOICES.items() for option in options),
    ]
    columns = ["count", "median", "share_positive", "share_negative"]
    columns += ["share_positive_significant", "share_negative_significant"]
    assert list(summary.columns) == columns
    # A p value at the level counts; an estimate of nil has no sign, however small its p value.
    expected = {("all", "all"): [6, 0.05, 3 / 6, 2 / 6, 2 / 6, 1 / 6]}
    expected |= {("index", "a"): [3, 0.1, 2 / 3, 1 / 3, 1 / 3, 1 / 3], ("index", "b"): [3, 0, 1 / 3, 1 / 3, 1 / 3, 0]}
    expected |= {("period", "late"): [2, -0.15, 0, 1, 0, 0.5]}
    for place, values in expected.items():
        np.testing.assert_allclose(summary.loc[("estimate", *place)], values, atol=1e-12)


def test_significance_follows_the_level_and_the_p_values_asked_for():
    strict = specification_curve(by_hand, CHOICES, null=hand_null, alpha=0.02)
    assert strict.shares().loc[("estimate", "all", "all"), "share_positive_significant"] == pytest.approx(1 / 6)
    found = strict.table["p_null"].to_numpy()
    plain = [(1 + sum(abs(d) >= abs(e) for d in hand_null(*place))) / 40 for place, (e, _) in HAND.items()]
    np.testing.assert_allclose(found, plain, rtol=1e-12)
    loose = dataclasses.replace(strict, alpha=0.2).shares("p_null").loc[("estimate", "all", "all")]
    signs = np.sign([e for e, _ in HAND.values()])
    assert loose["share_positive_significant"] == pytest.approx(((signs > 0) & (found <= 0.2)).mean())
    assert loose["share_negative_significant"] == pytest.approx(((signs < 0) & (found <= 0.2)).mean())


def test_an_estimator_may_give_several_effects_and_none_where_there_is_none():
    def estimate(index, period):
        if (index, period) == ("b", "late"):
            return None
        names = ["total", "direct"] if index == "a" else ["direct"]
        return pd.DataFrame([by_hand(index, period)] * len(names), index=names).assign(extra=1)

    def null(index, period):
        drawn = hand_null(index, period)
        return pd.DataFrame({"direct": drawn, "total": 2 * drawn, "unused": np.nan})

    curve = specification_curve(estimate, CHOICES, null=null)
    assert curve.effects == ["total", "direct"]
    assert curve.skipped == 1
    summary = curve.shares()
    assert summary.loc[("total", "all", "all"), "count"] == 3
    assert summary.loc[("direct", "all", "all"), "count"] == 5
    assert ("total", "index", "b") not in summary.index
    np.testing.assert_allclose(curve.null["total", 3], 2 * hand_null("a", "late"))
    np.testing.assert_allclose(curve.null["direct", 4], hand_null("b", "long"))
    assert curve.null.columns.tolist() == curve.table.index.tolist()
    assert curve.of("direct")["estimate"].tolist() == sorted(e for e, _ in list(HAND.values())[:5])


@given(arrays(float, st.tuples(st.integers(2, 30), st.integers(1, 9)), elements=st.integers(-9, 9).map(float)))
@settings(max_examples=60, deadline=None)
def test_the_joint_test_is_that_of_plain_loops(numbers):
    curve = from_numbers(numbers[0], numbers[1:])
    rows, k = numbers.tolist(), numbers.shape[1]

    def significant(row, j):
        return sum(abs(other[j]) >= abs(row[j]) for other in rows) / len(rows) <= 0.05

    def statistics_of(row):
        positive, negative = [v > 0 for v in row], [v < 0 for v in row]
        chosen = positive if sum(positive) >= sum(negative) else negative
        both = [c and significant(row, j) for j, c in enumerate(chosen)]
        return abs(statistics.median(row)), sum(chosen) / k, sum(both) / k

    found = [statistics_of(row) for row in rows]
    table = curve.joint_test().loc["estimate"]
    assert list(table.index) == list(STATISTICS)
    for i, name in enumerate(STATISTICS):
        assert table.loc[name, "observed"] == pytest.approx(found[0][i])
        assert table.loc[name, "null_median"] == pytest.approx(statistics.median(f[i] for f in found[1:]))
        reached = sum(f[i] >= found[0][i] - 1e-9 for f in found)
        assert table.loc[name, "p_value"] == pytest.approx(reached / len(found))


def test_the_band_is_that_of_sorted_samples():
    draws = np.random.default_rng(0).normal(size=(200, 5))
    band = from_numbers(np.zeros(5), draws).null_band("estimate", 0.9)
    curves = np.array([sorted(row) for row in draws])
    np.testing.assert_allclose(band["median"], np.median(curves, axis=0))
    for column, share in (("lower", 0.05), ("upper", 0.95)):
        np.testing.assert_allclose(band[column], [np.quantile(curves[:, j], share) for j in range(5)])
    assert band.index.tolist() == [1, 2, 3, 4, 5]


def test_variance_lies_between_the_options_that_make_it():
    size = {"a": 1.0, "b": 3.0, "long": 0.0, "short": 0.5, "late": 1.0}
    additive = specification_curve(lambda index, period: fields(size[index] + size[period]), CHOICES)
    # Variances between: 1 for two options two apart, 1/6 for three a half apart.
    np.testing.assert_allclose(additive.variance_shares().loc["estimate"], [6 / 7, 1 / 7], rtol=1e-12)
    alone = specification_curve(lambda index, period: fields(size[index]), CHOICES)
    np.testing.assert_allclose(alone.variance_shares().loc["estimate"], [1, 0], atol=1e-12)
    flat = specification_curve(lambda index, period: fields(1.0), CHOICES)
    assert flat.variance_shares().isna().to_numpy().all()


@given(arrays(float, 6, elements=st.integers(-50, 50).map(float)), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_shares_do_not_depend_on_the_unit_and_turn_with_the_sign(numbers, scale):
    def curve(factor):
        return specification_curve(
            lambda index, period: fields(factor * numbers[list(HAND).index((index, period))], 0.01), CHOICES
        )

    one, other = curve(1.0), curve(-float(scale))
    first, second = one.shares(), other.shares()
    np.testing.assert_allclose(first["share_positive"], second["share_negative"])
    np.testing.assert_allclose(first["share_positive_significant"], second["share_negative_significant"])
    np.testing.assert_allclose(first["median"], second["median"] / -scale, atol=1e-12)
    np.testing.assert_allclose(one.variance_shares(), other.variance_shares(), atol=1e-9)
    assert np.nan_to_num(one.variance_shares()).sum() <= 1 + 1e-9


def panel(seed: int, effect: float) -> pd.DataFrame:
    """Thirty units with errors and regressors that remember, and variances that differ."""
    random, n, periods = np.random.default_rng(seed), 30, 8
    drawn = random.normal(size=(3, n, periods))
    for t in range(1, periods):
        drawn[..., t] += 0.7 * drawn[..., t - 1]
    x, z, error = drawn
    y = effect * x + 0.5 * z + error * random.uniform(0.5, 2, (n, 1))
    index = pd.MultiIndex.from_product([range(n), range(2016, 2024)], names=["unit", "year"])
    return pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "z": z.ravel()}, index=index)


def joint_p_values(data: pd.DataFrame, seed: int) -> pd.Series:
    parts = {"all": data, "late": data[data.index.get_level_values("year") >= 2019]}
    names = {"none": ["x"], "z": ["x", "z"]}
    curve = specification_curve(
        lambda period, controls: fixed_effects(parts[period], "y", names[controls]).table.loc["x"],
        {"period": list(parts), "controls": list(names)},
        null=lambda period, controls: null_impacts(parts[period], "y", names[controls], None, "x", draws=99, seed=seed)[
            "direct"
        ],
    )
    return curve.joint_test().loc["estimate", "p_value"]


def test_the_joint_test_keeps_its_level_and_finds_an_effect_in_simulated_panels():
    none = pd.DataFrame([joint_p_values(panel(seed, 0.0), seed) for seed in range(50)])
    rejected = (none <= 0.05).mean()
    assert (rejected < 0.15).all()
    assert none["median"].mean() == pytest.approx(0.5, abs=0.12)
    some = pd.DataFrame([joint_p_values(panel(seed, 1.0), seed) for seed in range(10)])
    assert ((some[["median", "dominant sign and significant"]] <= 0.05).mean() > 0.8).all()


@pytest.mark.parametrize(
    ("estimate", "choices", "message"),
    [
        (by_hand, {}, "at least one choice"),
        (by_hand, {"index": ["a"], "period": []}, "choice 'period': expected options"),
        (by_hand, {"index": ["a", "a"], "period": ["long"]}, "each named once"),
        (by_hand, {"estimate": ["a"]}, "rename it"),
        (
            lambda index, period: {"estimate": 1.0},
            CHOICES,
            "index=a, period=long: .* gives no std_error, p_value, lower",
        ),
        (lambda index, period: fields(float("nan")), CHOICES, "not a finite number"),
        (lambda index, period: pd.DataFrame(columns=list(FIELDS)), CHOICES, "gives no effect"),
        (lambda index, period: None, CHOICES, "nothing was estimated"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused_with_the_reason(estimate, choices, message):
    with pytest.raises(InvalidInputError, match=message):
        specification_curve(estimate, choices)


def test_a_specification_in_which_the_estimator_fails_is_named():
    def estimate(index, period):
        if period == "late":
            raise InvalidInputError("too few years")
        return by_hand(index, period)

    with pytest.raises(InvalidInputError, match="specification index=a, period=late: too few years"):
        specification_curve(estimate, CHOICES)


def test_draws_that_do_not_fit_together_are_refused():
    def curve(null):
        return specification_curve(by_hand, CHOICES, null=null)

    with pytest.raises(InvalidInputError, match=r"gives \[5, 7\] draws"):
        curve(lambda index, period: np.zeros(5 if index == "a" else 7))
    with pytest.raises(InvalidInputError, match=r"gives \[0\] draws"):
        curve(lambda index, period: np.zeros(0))
    with pytest.raises(InvalidInputError, match="no draws of estimate"):
        curve(lambda index, period: pd.DataFrame({"direct": [1.0]}))
    with pytest.raises(InvalidInputError, match="not finite"):
        curve(lambda index, period: np.array([1.0, np.inf]))


def test_what_was_not_drawn_or_estimated_is_refused_by_name():
    curve = specification_curve(by_hand, CHOICES)
    for call in (curve.joint_test, lambda: curve.null_band("estimate"), lambda: curve.shares("p_null")):
        with pytest.raises(InvalidInputError, match="no draws under the null"):
            call()
    with pytest.raises(UnknownNameError, match="unknown effect 'direct'"):
        curve.of("direct")
    with pytest.raises(UnknownNameError, match="unknown p value"):
        curve.shares("p")

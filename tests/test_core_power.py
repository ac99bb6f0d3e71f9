"""The smallest effect that a design could have seen, against statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower, TTestPower

from clusterlib.did import staggered_did
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.inference import minimum_detectable_effect
from clusterlib.panel import fixed_effects


@pytest.mark.parametrize("df", [8, 30, 200])
@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.9), (0.1, 0.11)])
def test_a_t_test_of_the_smallest_detectable_effect_has_the_power(df, alpha, power):
    effect = float(minimum_detectable_effect(2.0, df, alpha=alpha, power=power)["minimum_detectable"].iloc[0])
    # Of one sample of df + 1: the standard error is the standard deviation over its root.
    reached = TTestPower().power(effect / 2 / np.sqrt(df + 1), df + 1, alpha)
    assert reached == pytest.approx(power, abs=1e-9)


def test_without_degrees_of_freedom_the_test_is_normal():
    row = minimum_detectable_effect(0.5).loc["effect"]
    assert NormalIndPower(ddof=0).power(row["minimum_detectable"] / 0.5, 1, 0.05, ratio=0) == pytest.approx(0.8)
    assert row["usual"] == pytest.approx(0.5 * (1.959964 + 0.841621), abs=1e-6)
    assert row["df"] == np.inf


@given(st.floats(1e-9, 1e9), st.integers(1, 300), st.floats(0.3, 0.99))
def test_it_grows_in_proportion_to_the_error_and_with_the_power(error, df, power):
    one, less, scaled = (
        minimum_detectable_effect(s, df, power=p)["minimum_detectable"].iloc[0]
        for s, p in ((1.0, power), (1.0, power - 0.1), (error, power))
    )
    assert scaled == pytest.approx(error * one, rel=1e-9)
    assert less < one


def test_results_bring_their_own_errors_and_degrees_of_freedom():
    index = pd.MultiIndex.from_product([range(9), range(5)], names=["unit", "year"])
    data = pd.DataFrame(np.random.default_rng(0).normal(size=(45, 3)), index=index, columns=list("yxz"))
    result = fixed_effects(data, "y", ["x", "z"])
    table = minimum_detectable_effect(result)
    assert list(table.index) == ["x", "z"] and (table["df"] == 8).all()
    np.testing.assert_array_equal(table["std_error"], result.std_errors)
    pd.testing.assert_series_equal(
        table["minimum_detectable"], minimum_detectable_effect(result.std_errors, 8)["minimum_detectable"]
    )
    staggered = staggered_did(data, "y", pd.Series({0: 2, 1: 2, 2: 3}), draws=0)
    found = minimum_detectable_effect(staggered)
    assert list(found.index) == ["overall", "cohort 2", "cohort 3"] and (found["df"] == np.inf).all()


def test_a_coefficient_without_error_has_none():
    table = minimum_detectable_effect(pd.Series({"a": 1.0, "reference": 0.0, "b": np.nan}), 10)
    assert table["minimum_detectable"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("errors", "options"),
    [
        *((value, {}) for value in (None, "1", {"a": 1}, [1.0], np.ones(2), True, np.nan, np.inf, -1.0)),
        (pd.Series({"a": -1.0}), {}),
        *((1.0, {"df": df}) for df in (0, -1, "5", True, np.nan)),
        *((1.0, {"alpha": a}) for a in (0, 1, 5, "0.05", None)),
        *((1.0, {"power": p}) for p in (0, 1, 80, "0.8", None, 0.04)),
    ],
)
def test_arguments_of_another_kind_are_refused(errors, options):
    with pytest.raises(ClusterlibError):
        minimum_detectable_effect(errors, **options)


def test_a_result_without_standard_errors_is_refused_by_name():
    from clusterlib.core.results import Test

    with pytest.raises(InvalidInputError, match="a Test has no table of estimates"):
        minimum_detectable_effect(Test.of("t", "none", 1.0, "chi2", 1))

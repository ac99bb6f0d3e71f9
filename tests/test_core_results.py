"""What every result offers: a table, text, three-line HTML, and names that it had before."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clusterlib.core.results import Estimates, Result, Test, coefficient_table, footer_value, stars, test_lines

NAMES = pd.Index(["gdp", "open"])


@dataclass(frozen=True, eq=False, kw_only=True)
class Model(Estimates):
    """Model of a test (测试模型).

    More of it.
    """

    rho: float = 0.25

    @property
    def tests(self):
        """One test."""
        return {"spatial": Test.of("LM lag", "rho = 0", 4.0, "chi2", 1)}


@dataclass(frozen=True, eq=False)
class Count(Result):
    """Counts of clusters."""

    table: pd.Series
    total: int
    share: float
    name: str
    hidden: np.ndarray


def model(**changes) -> Model:
    fields = {
        "params": pd.Series([2.0, -1.0], NAMES),
        "covariance": pd.DataFrame(np.diag([1.0, 4.0, 9.0]), [*NAMES, "sigma2"], [*NAMES, "sigma2"]),
        "nobs": 120,
        "n_units": 12,
        "n_periods": 10,
        "df_resid": 107,
        "df_inference": 11,
        "loglik": -50.0,
    }
    return Model(**fields | changes)


def test_everything_follows_from_estimates_and_covariance():
    result = model()
    assert result.std_errors.to_dict() == {"gdp": 1.0, "open": 2.0}
    assert result.tstats.to_dict() == {"gdp": 2.0, "open": -0.5}
    np.testing.assert_allclose(result.pvalues, 2 * stats.t.sf([2, 0.5], 11))
    np.testing.assert_allclose(result.conf_int(0.9).loc["gdp"], 2 + np.array([-1, 1]) * stats.t.ppf(0.95, 11))
    pd.testing.assert_frame_equal(
        result.table, coefficient_table(result.params, result.std_errors, 11), check_names=False
    )
    pd.testing.assert_frame_equal(result.conf_int(), result.table[["lower", "upper"]])
    assert (result.aic, round(result.bic, 6)) == (104.0, round(2 * np.log(120) + 100, 6))
    assert model(n_parameters=5).aic == 110.0
    assert np.isnan(model(loglik=None).aic)


def test_without_degrees_of_freedom_statistics_are_normal():
    assert model(df_inference=None).pvalues["gdp"] == pytest.approx(2 * stats.norm.sf(2))


@pytest.mark.parametrize("level", [0, 1, 95, None, "0.95"])
def test_an_interval_has_a_confidence_level(level):
    with pytest.raises(ValueError, match="level="):
        model().conf_int(level)


def test_names_from_before_stay_readable_and_others_are_missed():
    result = model()
    assert (result.observations, result.units, result.entities, result.periods) == (120, 12, 12, 10)
    assert (result.df_residual, result.loglike) == (107, -50.0)
    with pytest.raises(AttributeError, match="'Model' has no attribute 'unit'"):
        result.unit  # noqa: B018
    with pytest.raises(AttributeError):
        Count(pd.Series([1]), 1, 0.5, "x", np.zeros(2)).observations  # noqa: B018


def test_a_result_cannot_be_changed_but_copied_and_sent():
    result = model()
    with pytest.raises(FrozenInstanceError):
        result.nobs = 1
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert again.params.equals(result.params)


def test_text_and_page_say_what_it_is_of_how_many_and_with_which_tests():
    result = model(settings={"effects": "twoway"})
    text, page = result.summary(), result._repr_html_()
    assert isinstance(text, str)
    assert repr(result) == repr(text) == str(text)
    for words in ("Model of a test (测试模型)", "gdp", "Observations 观测数: 120", "LM lag: 4.000 [p = 0.046]", "-50"):
        assert words in text
        assert words in page
    assert "sigma2" not in text
    assert page.count("<table") == 1


def test_lines_of_a_text_table_are_even_where_characters_are_wide():
    shown = Count(pd.Series([1, 20], ["京津冀", "GBA"], name="clusters"), 21, 0.5, "x", np.zeros(2)).summary()
    rows = shown.splitlines()[4:6]
    assert rows == ["京津冀         1", "GBA           20"]


def test_a_result_shows_its_single_values_below_its_table_and_no_arrays():
    text = Count(pd.Series([1, 20], ["a", "b"], name="clusters"), 21, 0.5, "core", np.zeros(2)).summary()
    assert "total: 21; share: 0.5000; name: core" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("distribution", "df", "p"),
    [
        ("chi2", 2, stats.chi2.sf(3, 2)),
        ("F", (2, 30), stats.f.sf(3, 2, 30)),
        ("normal", None, 2 * stats.norm.sf(3)),
        ("t", 9, 2 * stats.t.sf(3, 9)),
    ],
)
def test_a_test_takes_its_p_value_from_its_distribution(distribution, df, p):
    test = Test.of("Wald", "b = 0", 3.0, distribution, df)
    assert test.p_value == pytest.approx(p)
    assert test.table.loc["Wald", "null"] == "b = 0"
    assert "b = 0" in test.summary()
    assert test_lines([test]) == {"Wald": f"3.000 [p = {p:.3f}]"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "yes 是"), (np.int64(31), "31"), (0.00004, "4.0e-05"), (None, ""), (np.nan, ""), ("unit", "unit")],
)
def test_a_line_below_a_table_is_written_for_people(value, shown):
    assert footer_value(value, 3) == shown


def test_coefficients_get_the_normal_or_the_t_distribution():
    estimates, errors = pd.Series({"x": 1.5}), pd.Series({"x": 0.5})
    for df, distribution in ((None, stats.norm), (4, stats.t(4))):
        row = coefficient_table(estimates, errors, df, level=0.9).loc["x"]
        assert row["p_value"] == pytest.approx(2 * distribution.sf(3))
        assert row["lower"] == pytest.approx(1.5 - 0.5 * distribution.ppf(0.95))


@pytest.mark.parametrize(("p", "expected"), [(0.0099, "***"), (0.01, "**"), (0.05, "*"), (0.1, ""), (np.nan, "")])
def test_stars_mark_ten_five_and_one_percent(p, expected):
    assert stars(p) == expected

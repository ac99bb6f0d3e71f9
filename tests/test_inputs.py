"""Checks of the frames that methods take say what is wrong and where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterlib.core.checks import as_names, check_balanced, check_columns, check_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inference import coefficient_table, stars

INDEX = pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"])
PANEL = pd.DataFrame({"gdp": [1.0, 2.0, 3.0, 4.0], "name": list("abcd")}, index=INDEX)


def test_a_panel_comes_back_sorted_and_as_numbers():
    shuffled = PANEL.iloc[[3, 0, 2, 1]]
    pd.testing.assert_frame_equal(check_panel(shuffled, ["gdp"]), PANEL[["gdp"]])
    assert check_balanced(PANEL[["gdp"]]) == (2, 2)


@pytest.mark.parametrize(
    ("data", "names", "error", "words"),
    [
        (PANEL.assign(gdp=[1, np.nan, 3, 4]), ["gdp"], InvalidInputError, r"the first at \(110000, 2021\), 'gdp'"),
        (PANEL.assign(gdp=[1, 2, np.inf, 4]), ["gdp"], InvalidInputError, r"\(120000, 2020\)"),
        (PANEL, ["name"], InvalidInputError, "not numbers: name"),
        (PANEL, ["gpd"], UnknownNameError, "did you mean 'gdp'"),
        (PANEL, ["gdp", "gdp"], InvalidInputError, "given twice: gdp"),
        (PANEL.droplevel("year"), ["gdp"], InvalidInputError, "two levels"),
        (pd.concat([PANEL, PANEL.iloc[[1]]]), ["gdp"], InvalidInputError, r"\(110000, 2021\) has more than one row"),
        (PANEL["gdp"], ["gdp"], InvalidInputError, "expected a DataFrame, got a Series"),
    ],
    ids=["missing", "infinite", "text", "unknown", "twice", "one level", "doubled", "series"],
)
def test_a_panel_that_cannot_be_estimated_from_is_refused_with_its_place(data, names, error, words):
    with pytest.raises(error, match=words):
        check_panel(data, names)


def test_a_gap_in_a_panel_is_named():
    with pytest.raises(InvalidInputError, match=r"1 of 4 rows are missing, the first is \(120000, 2020\)"):
        check_balanced(PANEL[["gdp"]].drop((120000, 2020)))


def test_one_name_is_as_good_as_a_list():
    assert as_names("gdp") == as_names(["gdp"]) == check_columns(PANEL, ["gdp"])


def test_coefficients_get_the_normal_or_the_t_distribution():
    from scipy.stats import norm, t

    estimates, errors = pd.Series({"x": 1.5}), pd.Series({"x": 0.5})
    for df, distribution in ((None, norm), (4, t(4))):
        row = coefficient_table(estimates, errors, df, level=0.9).loc["x"]
        assert row["p_value"] == pytest.approx(2 * distribution.sf(3))
        assert row["lower"] == pytest.approx(1.5 - 0.5 * distribution.ppf(0.95))


@pytest.mark.parametrize(("p", "expected"), [(0.0099, "***"), (0.01, "**"), (0.05, "*"), (0.1, ""), (np.nan, "")])
def test_stars_mark_ten_five_and_one_percent(p, expected):
    assert stars(p) == expected

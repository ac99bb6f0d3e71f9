"""Coverage, accounting identities and jumps on tables small enough to check by eye, and the real accounts."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from clusterlib.data import load_panel
from clusterlib.data.audit import coverage, decimal_slips, growth_jumps, identity_gaps
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError


def panel(columns: dict, units=(1, 2), years=(2020, 2021)) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.MultiIndex.from_product([units, years], names=["adcode", "year"]))


def series(values: dict[tuple[int, int], float]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(values, names=["adcode", "year"])
    return pd.DataFrame({"x": list(values.values())}, index=index)


def test_coverage_is_the_percentage_of_units_with_a_figure_by_indicator_and_year():
    table = coverage(panel({"a": [1.0, 2.0, None, 4.0], "b": [None, None, 0.0, None]}))
    assert table.loc["a"].to_dict() == {2020: 50, 2021: 100}
    assert table.loc["b"].to_dict() == {2020: 50, 2021: 0}


def test_coverage_counts_units_and_years_that_a_complete_panel_would_hold_and_no_others():
    table = coverage(panel({"a": [1.0, 2.0, None, 4.0]}), units=[2, 3, 4, 5], years=[2019, 2021])
    assert table.loc["a"].to_dict() == {2019: 0, 2021: 25}


def test_a_figure_of_zero_is_covered():
    assert coverage(panel({"a": [0.0, 0.0, 0.0, 0.0]})).loc["a"].tolist() == [100, 100]


def test_identity_gaps_are_percentages_of_the_total_with_the_place_of_the_largest():
    frame = panel({"total": [100.0, 200.0, 50.0, 10.0], "p": [60, 100, 25, 5], "q": [40.0, 98.0, 27.0, None]})
    row = identity_gaps(frame, {"total": ["p", "q"]}).loc["total"]
    # Gaps: 0, 1 and 4 percent; the fourth cell lacks a part.
    assert row.drop("parts").to_dict() == {"cells": 3, "median": 1, "largest": 4, "unit": 2, "year": 2020}
    assert row["parts"] == "p + q"


def test_identity_gaps_without_a_complete_cell_compare_nothing():
    row = identity_gaps(panel({"total": [1.0] * 4, "p": [None] * 4}), {"total": ["p"]}).loc["total"]
    assert row["cells"] == 0
    assert math.isnan(row["largest"])
    assert row[["unit", "year"]].isna().all()


@pytest.mark.parametrize(
    ("identities", "words"),
    [
        ({"total": ["pp"]}, "unknown indicator 'pp'; did you mean 'p'"),
        ({"totl": ["p"]}, "unknown indicator 'totl'; did you mean 'total'"),
    ],
)
def test_identity_gaps_of_a_name_that_is_no_column_are_refused_with_the_nearest(identities, words):
    with pytest.raises(UnknownNameError, match=words):
        identity_gaps(panel({"total": [1.0] * 4, "p": [1.0] * 4}), identities)


def test_jumps_up_and_down_are_found_with_before_and_after_the_largest_first():
    values = {(1, 2019): 10, (1, 2020): 17, (1, 2021): 17, (2, 2019): 100, (2, 2020): 20, (2, 2021): 30}
    jumps = growth_jumps(series(values))
    assert jumps.columns.tolist() == ["adcode", "year", "indicator", "before", "after", "ratio"]
    assert jumps.to_numpy().tolist() == [[2, 2020, "x", 100, 20, 0.2], [1, 2020, "x", 10, 17, 1.7]]


def test_the_limit_is_a_factor_and_its_mirror_and_not_reached_by_itself():
    values = {(1, 2019): 10, (1, 2020): 20, (2, 2019): 20, (2, 2020): 10, (3, 2019): 100, (3, 2020): 49}
    assert growth_jumps(series(values), limit=1)["adcode"].tolist() == [3]
    assert growth_jumps(series(values), limit=0.99)["adcode"].tolist() == [3, 1, 2]
    assert growth_jumps(series(values), limit=1.1).empty


def test_only_adjacent_years_of_one_unit_are_compared_and_only_positive_figures():
    values = {
        (1, 2018): 1, (1, 2020): 9,  # two years apart
        (2, 2018): 90,  # another unit
        (3, 2018): 0, (3, 2019): 5, (3, 2020): -5, (3, 2021): 50,
        (4, 2018): 1, (4, 2019): float("nan"), (4, 2020): 9,
    }  # fmt: skip
    assert growth_jumps(series(values)).empty


def test_the_order_of_the_rows_does_not_matter():
    values = {(1, 2019): 10, (1, 2020): 50, (2, 2019): 3, (2, 2020): 1}
    frame = series(values)
    pd.testing.assert_frame_equal(growth_jumps(frame.iloc[[3, 1, 2, 0]]), growth_jumps(frame))


@pytest.mark.parametrize("limit", [0, -0.5, float("nan")])
def test_a_limit_that_is_not_positive_is_refused(limit):
    with pytest.raises(InvalidInputError, match="limit="):
        growth_jumps(series({(1, 2019): 10}), limit=limit)


def test_a_figure_ten_times_or_a_tenth_of_both_its_neighbours_is_found_with_them():
    values = {(1, 2019): 10, (1, 2020): 108, (1, 2021): 12, (2, 2019): 500, (2, 2020): 48, (2, 2021): 460}
    slips = decimal_slips(series(values))
    assert slips.columns.tolist() == ["adcode", "year", "indicator", "before", "value", "after"]
    assert slips.to_numpy().tolist() == [[1, 2020, "x", 10, 108, 12], [2, 2020, "x", 500, 48, 460]]


@pytest.mark.parametrize(
    "values",
    [
        {(1, 2019): 10, (1, 2020): 100, (1, 2021): 100},  # it stays
        {(1, 2019): 1, (1, 2020): 10, (1, 2021): 100},  # it goes on
        {(1, 2019): 10, (1, 2020): 40, (1, 2021): 10},  # a jump, but no slip
        {(1, 2019): 10, (1, 2020): 1000, (1, 2021): 10},
        {(1, 2020): 10, (1, 2021): 100, (2, 2022): 10},  # another unit
        {(1, 2019): 10, (1, 2021): 100, (1, 2022): 10},  # two years apart
        {(1, 2019): 10, (1, 2020): 100, (1, 2021): float("nan"), (1, 2022): 10},
        {(1, 2019): -10, (1, 2020): -100, (1, 2021): -10},
        {(1, 2019): 0, (1, 2020): 10, (1, 2021): 0},
    ],
)
def test_a_figure_that_did_not_go_to_ten_times_and_back_is_no_slip(values):
    assert decimal_slips(series(values)).empty


def test_the_slack_is_a_factor_about_ten():
    values = {(1, 2019): 10, (1, 2020): 149, (1, 2021): 10, (2, 2019): 10, (2, 2020): 151, (2, 2021): 10}
    assert decimal_slips(series(values))["adcode"].tolist() == [1]
    assert decimal_slips(series(values), slack=0.52)["adcode"].tolist() == [1, 2]
    assert decimal_slips(series(values), slack=0).empty
    with pytest.raises(InvalidInputError, match="slack="):
        decimal_slips(series(values), slack=1.1)


def test_slips_known_in_the_real_panel_are_found():
    slips = decimal_slips(load_panel("city", ["average_wage", "registered_population"]))
    found = set(slips[["adcode", "year", "indicator"]].itertuples(index=False, name=None))
    wages = {(620500, 2006), (451400, 2006), (431100, 2011)}  # Tianshui, Chongzuo, Yongzhou: see the README
    assert {(*place, "average_wage") for place in wages} | {(611000, 2010, "registered_population")} <= found


def test_national_accounts_add_up_to_a_hundredth_of_a_percent_in_every_cell():
    accounts = load_panel("province")
    three = ["value_added_primary", "value_added_secondary", "value_added_tertiary"]
    nine = [name for name in accounts if name.startswith("value_added_") and name not in three]
    assert len(nine) == 9
    for parts in (three, nine):
        gaps = identity_gaps(accounts, {"gdp": parts}).loc["gdp"]
        assert gaps["cells"] == 31 * 9
        assert gaps["largest"] < 0.01


def test_urban_and_rural_population_add_up_to_the_resident_population():
    parts = ["urban_population", "rural_population"]
    gaps = identity_gaps(load_panel("province"), {"resident_population": parts}).loc["resident_population"]
    assert gaps["cells"] == 31 * 9
    assert gaps["largest"] < 0.02


def test_a_figure_known_to_be_out_of_line_is_found_in_the_real_panel():
    jumps = growth_jumps(load_panel("province", "software_revenue"), limit=9)
    assert (150000, 2021) in set(zip(jumps["adcode"], jumps["year"], strict=True))  # Inner Mongolia, see the README


KINDS = [None, 3, 2.5, True, "x", {}, {"a": 1}, {"a": None}, [], ["x"], pd.Series([1.0]), pd.Timestamp("2020"),
         object(), pd.DataFrame({"gdp": [1.0]}), pd.DataFrame()]  # fmt: skip
PANEL = pd.DataFrame(
    {"gdp": [1.0, 2.0, 3.0, 9.0], "part": [1.0, 2.0, 3.0, 8.0]},
    index=pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"]),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize(
    ("audit", "arguments", "taken"),
    [
        (
            coverage,
            {"panel": PANEL, "units": [110000], "years": [2020]},
            {"units": (type(None), list, pd.Series, pd.DataFrame), "years": (type(None), int, pd.Series)},
        ),
        (identity_gaps, {"panel": PANEL, "identities": {"gdp": "part"}}, {}),
        (growth_jumps, {"panel": PANEL, "limit": 0.6}, {"limit": (int, float)}),
        (decimal_slips, {"panel": PANEL, "slack": 0.5}, {}),
    ],
    ids=["coverage", "identity_gaps", "growth_jumps", "decimal_slips"],
)  # fmt: skip
def test_an_argument_of_another_kind_is_taken_or_refused(audit, arguments, taken, kind):
    for name in arguments:
        try:
            table = audit(**{**arguments, name: kind})
        except ClusterlibError:
            continue
        assert isinstance(table, pd.DataFrame)
        assert isinstance(kind, taken.get(name, ())) or (isinstance(kind, dict) and not kind and name == "identities")


def test_parts_are_one_name_or_several_and_years_may_be_a_span():
    assert identity_gaps(PANEL, {"gdp": "part"}).loc["gdp", "largest"] == pytest.approx(100 / 9)
    assert coverage(PANEL, years="2020:2022").columns.tolist() == [2020, 2021, 2022]


def test_a_frame_in_the_other_order_is_refused_with_the_call_that_mends_it():
    for audit in (coverage, growth_jumps, decimal_slips, lambda panel: identity_gaps(panel, {"gdp": "part"})):
        with pytest.raises(InvalidInputError, match=r"data\.swaplevel\(\)"):
            audit(PANEL.swaplevel())
        with pytest.raises(InvalidInputError, match=r"data\.set_index"):
            audit(PANEL.reset_index())


def test_a_total_of_nil_or_below_is_compared_by_its_size():
    panel = PANEL.assign(gdp=[0.0, -2.0, 4.0, 0.0], part=[0.0, -1.0, 4.0, 0.0])
    gaps = identity_gaps(panel, {"gdp": "part"}).loc["gdp"]
    assert gaps["largest"] == 50 and (gaps["unit"], gaps["year"]) == (110000, 2021) and gaps["cells"] == 4


@pytest.mark.parametrize("dtype", ["Float64", "double[pyarrow]"])
def test_figures_of_other_kinds_are_read_alike(dtype):
    other = PANEL.astype(dtype)
    pd.testing.assert_frame_equal(growth_jumps(other), growth_jumps(PANEL))
    pd.testing.assert_frame_equal(decimal_slips(other), decimal_slips(PANEL))
    pd.testing.assert_frame_equal(identity_gaps(other, {"gdp": "part"}), identity_gaps(PANEL, {"gdp": "part"}))
    pd.testing.assert_frame_equal(coverage(other), coverage(PANEL), check_dtype=False)

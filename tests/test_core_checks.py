"""Checks of the arguments and frames that methods take say what is wrong, where, and the call that mends it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clusterlib.core.checks import (
    as_names,
    check_balanced,
    check_bounds,
    check_by_unit,
    check_choice,
    check_columns,
    check_degrees,
    check_flags,
    check_labels,
    check_level,
    check_number,
    check_panel,
    check_rows,
    check_table,
    check_values,
    check_whole,
    is_constant,
    listed,
    parse_years,
    snap,
)
from clusterlib.errors import InvalidInputError, UnknownNameError

INDEX = pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"])
PANEL = pd.DataFrame({"gdp": [1.0, 2.0, 3.0, 4.0], "name": list("abcd")}, index=INDEX)


def relabelled(level: int, values: list) -> pd.DataFrame:
    """The panel with other labels in one level of its index."""
    parts = [INDEX.get_level_values(0), INDEX.get_level_values(1)]
    parts[level] = pd.Index(values)
    return PANEL.set_axis(pd.MultiIndex.from_arrays(parts, names=INDEX.names))


def test_a_panel_comes_back_sorted_and_as_numbers():
    shuffled = PANEL.iloc[[3, 0, 2, 1]]
    pd.testing.assert_frame_equal(check_panel(shuffled, ["gdp"]), PANEL[["gdp"]])
    assert check_balanced(PANEL[["gdp"]]) == (2, 2)


@pytest.mark.parametrize("kind", ["Int64", "Float32", "int64[pyarrow]", "double[pyarrow]", "int8"])
def test_every_kind_of_number_becomes_a_float(kind):
    pd.testing.assert_frame_equal(check_panel(PANEL.astype({"gdp": kind}), ["gdp"]), PANEL[["gdp"]])


@pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]"])
def test_truth_values_become_zero_and_one(kind):
    data = PANEL.assign(pilot=pd.array([False, True, True, False], dtype=kind))
    assert check_panel(data, ["pilot"])["pilot"].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("kind", ["Float64", "double[pyarrow]"])
def test_a_missing_value_of_any_kind_is_found_at_its_place(kind):
    data = PANEL.assign(gdp=pd.array([1, None, 3, 4], dtype=kind))
    with pytest.raises(InvalidInputError, match=r"the first at \(110000, 2021\), 'gdp'"):
        check_panel(data, ["gdp"])


@pytest.mark.parametrize(
    ("data", "names", "error", "words"),
    [
        (PANEL.assign(gdp=[1, np.nan, 3, 4]), ["gdp"], InvalidInputError, r"the first at \(110000, 2021\), 'gdp'"),
        (PANEL.assign(gdp=[1, 2, np.inf, 4]), ["gdp"], InvalidInputError, r"\(120000, 2020\)"),
        (PANEL, ["name"], InvalidInputError, r"not numbers: name; 'name' is 'a' at \(110000, 2020\).*pd.to_numeric"),
        (PANEL.assign(gdp=PANEL["gdp"] * 1j), ["gdp"], InvalidInputError, "not numbers: gdp"),
        (PANEL.assign(gdp=pd.Timestamp("2020-01-01")), ["gdp"], InvalidInputError, "not numbers: gdp"),
        (PANEL, ["gpd"], UnknownNameError, "did you mean 'gdp'"),
        (PANEL, ["gdp", "gdp"], InvalidInputError, "given twice: gdp"),
        (PANEL.droplevel("year"), ["gdp"], InvalidInputError, "two levels"),
        (PANEL.reset_index(), ["gdp"], InvalidInputError, r"data.set_index\(\['adcode', 'year'\]\)"),
        (PANEL.reset_index("year"), ["gdp"], InvalidInputError, r"data.set_index\('year', append=True\)"),
        (pd.concat([PANEL, PANEL.iloc[[1]]]), ["gdp"], InvalidInputError, r"\(110000, 2021\) has more than one row"),
        (pd.concat([PANEL, PANEL], axis=1), ["gdp"], InvalidInputError, "gdp stands in the data more than once"),
        (PANEL["gdp"], ["gdp"], InvalidInputError, "expected a DataFrame, got a Series"),
        (None, ["gdp"], InvalidInputError, "got a NoneType"),
        ({"gdp": [1.0]}, ["gdp"], InvalidInputError, "got a dict"),
        (PANEL, None, InvalidInputError, "got a NoneType"),
        (PANEL, {"gdp": 1}, InvalidInputError, "got a dict"),
        (PANEL, PANEL["gdp"], InvalidInputError, "expected names of columns, got a Series"),
        (PANEL.swaplevel(), ["gdp"], InvalidInputError, r"unit first, then time; use data.swaplevel\(\).sort_index"),
        (PANEL.swaplevel().rename_axis([None, None]), ["gdp"], InvalidInputError, "unit first, then time"),
        (relabelled(0, [110000, None, 120000, 120000]), ["gdp"], InvalidInputError, r"index has a missing unit.*row 1"),
        (relabelled(1, [2020, 2021, None, 2021]), ["gdp"], InvalidInputError, r"index has a missing period.*row 2"),
        (relabelled(0, [110000, 110000, "x", "x"]), ["gdp"], InvalidInputError, "'adcode' mixes kinds of labels"),
    ],
)
def test_a_panel_that_cannot_be_estimated_from_is_refused_with_its_place(data, names, error, words):
    with pytest.raises(error, match=words):
        check_panel(data, names)


def test_units_numbered_like_years_are_units_where_the_index_says_so():
    index = pd.MultiIndex.from_product([[2001, 2002], [1, 2]], names=["firm", "wave"])
    assert len(check_panel(pd.DataFrame({"x": np.arange(4.0)}, index=index), ["x"])) == 4


def test_a_gap_in_a_panel_is_named():
    with pytest.raises(InvalidInputError, match=r"1 of 4 rows are missing, the first is \(120000, 2020\)"):
        check_balanced(PANEL[["gdp"]].drop((120000, 2020)))


def test_one_name_is_as_good_as_a_list():
    assert as_names("gdp") == as_names(["gdp"]) == check_columns(PANEL, ["gdp"])


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([1.0, 2, 3, 4], "expected a Series indexed by unit, got a list"),
        (PANEL["gdp"], "choose a year first"),
        (pd.Series(list("abcd")), "holds no numbers"),
        (pd.Series([1.0, 2, 3, 4], index=["a", "a", "b", "c"]), "a has more than one value"),
        (pd.Series([1.0, 2, 3, 4], index=["a", None, "b", "c"]), "missing unit in row 1"),
        (pd.Series([1.0, np.nan, 3, 4], index=list("abcd")), "at b"),
        (pd.Series([1.0, 2.0]), "at least 4"),
        (pd.Series([0.1 + 0.2, 0.3, 0.3, 0.3]), "the same value in every unit"),
    ],
)
def test_values_by_unit_that_have_no_pattern_are_refused(y, words):
    with pytest.raises(InvalidInputError, match=words):
        check_values(y)


def test_nullable_values_by_unit_come_back_as_floats():
    assert check_values(pd.Series([1, 2, 3, 4], dtype="Int64")).dtype == float


@given(arrays(float, st.integers(2, 30), elements=st.floats(-1e6, 1e6)), st.floats(-9, 9))
def test_whether_figures_are_constant_does_not_depend_on_their_unit(values, power):
    assert is_constant(values) == is_constant(values * 2.0 ** round(power))


@given(st.floats(1e-200, 1e200), st.lists(st.sampled_from([-1, 0, 1]), min_size=2, max_size=20))
def test_figures_that_differ_in_the_last_place_are_constant_and_tie(size, steps):
    values = np.array([np.nextafter(size, size * (1 + step)) if step else size for step in steps])
    assert is_constant(values)
    assert len(np.unique(snap(values))) == 1


@given(arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6)))
def test_snapping_moves_nothing_by_more_than_rounding_and_keeps_the_order(values):
    made = snap(values)
    assert np.abs(made - values).max() <= 31e-12 * np.abs(values).max()
    assert (np.diff(made[np.argsort(values, kind="stable")]) >= 0).all()


def test_columns_are_judged_each_by_its_own_size():
    X = np.array([[0.1 + 0.2, 1e-20], [0.3, 2e-20]])
    assert is_constant(X, axis=0).tolist() == [True, False]


@pytest.mark.parametrize("value", [True, "3", None, 1.5, -1, np.nan, np.inf, pd.Timestamp("2020-01-01")])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(InvalidInputError, match=r"k=.*expected a whole number of at least 0"):
        check_whole("k", value)


def test_whole_numbers_of_any_kind_pass():
    assert [check_whole("k", value, 0, 3) for value in (0, 3.0, np.int64(2))] == [0, 3, 2]
    with pytest.raises(InvalidInputError, match="from 0 to 3"):
        check_whole("k", 4, 0, 3)


@pytest.mark.parametrize("value", [True, "0.5", None, np.nan, np.inf, 0, 1, 95, {}])
def test_a_confidence_level_is_a_share_between_zero_and_one(value):
    with pytest.raises(InvalidInputError, match="level="):
        check_level(value)


def test_numbers_are_held_to_their_bounds():
    assert check_number("power", 2, least=0, open_ends=True) == 2.0
    with pytest.raises(InvalidInputError, match="expected a positive number of km"):
        check_number("cutoff", 0, least=0, open_ends=True, unit="km")
    with pytest.raises(InvalidInputError, match="from 0 to 1"):
        check_number("share", 1.5, least=0, most=1)


@pytest.mark.parametrize("value", [None, "shouted", {}, 1, pd.Series([1])])
def test_a_choice_of_any_kind_that_is_none_is_refused(value):
    with pytest.raises(UnknownNameError, match="valid: quiet, loud"):
        check_choice("voice", value, ("quiet", "loud"))


def test_swapped_degrees_are_refused_by_place():
    with pytest.raises(InvalidInputError, match=r"b is at longitude 31.2, latitude 121.5:.*swapped"):
        check_degrees(np.array([31.2, 31.2]), np.array([31.2, 121.5]), ["a", "b"])
    check_degrees(np.array([121.5, -180]), np.array([31.2, 90]), ["a", "b"])


def test_labels_come_by_unit_by_row_or_from_a_column():
    by_unit = pd.Series({110000: "north", 120000: "south", 130000: "unused"})
    expected = ["north", "north", "south", "south"]
    assert check_labels(by_unit, INDEX, "cluster").tolist() == expected
    assert check_labels(by_unit.to_dict(), INDEX, "cluster").tolist() == expected
    assert check_labels("name", INDEX, "cluster", PANEL).tolist() == list("abcd")
    assert check_labels(PANEL["name"], INDEX, "cluster").tolist() == list("abcd")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (pd.Series({110000: "north"}), "120000 has no label"),
        (pd.Series(["a", "b", "c"], index=[110000, 110000, 120000]), "110000 has no label or more than one"),
        (None, "got a NoneType"),
        (3, "got a int"),
    ],
)
def test_a_unit_without_one_label_is_named(groups, words):
    with pytest.raises(InvalidInputError, match=f"cluster: .*{words}"):
        check_labels(groups, INDEX, "cluster")


def test_a_message_lists_the_first_few():
    assert listed(range(7)) == "0, 1, 2, 3, 4 and 2 more"


def test_rows_need_labels_and_those_of_a_panel_unit_before_time():
    flat = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", None])
    with pytest.raises(InvalidInputError, match="missing unit in row 1"):
        check_rows(flat)
    check_rows(flat.set_axis(["a", "a"]))
    panel = pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"])
    frame = pd.DataFrame({"x": range(4)}, index=panel)
    check_rows(frame)
    with pytest.raises(InvalidInputError, match="swaplevel"):
        check_rows(frame.swaplevel())
    deep = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.MultiIndex.from_tuples([("a", "b", 1), ("a", None, 2)]))
    with pytest.raises(InvalidInputError, match="row 1"):
        check_rows(deep)


def test_a_value_out_of_bounds_is_named_with_its_place():
    frame = pd.DataFrame({"x": [0.5, 0.0], "y": [1.0, 1.5]}, index=["a", "b"])
    check_bounds(frame, "output is not negative")
    with pytest.raises(InvalidInputError, match=r"1 value\(s\) outside \[0, 1\], the first at b, 'y' \(1.5\): a share"):
        check_bounds(frame, "a share", 0, 1)
    with pytest.raises(InvalidInputError, match=r"2 value\(s\) outside \(0, 1\), the first at a, 'y' \(1\)"):
        check_bounds(frame[["y"]], "a share", 0, 1, open_ends=True)
    with pytest.raises(InvalidInputError, match=r"1 value\(s\) not positive, the first at b, 'x' \(0\)"):
        check_bounds(frame, "sizes", open_ends=True)
    with pytest.raises(InvalidInputError, match=r"1 negative value\(s\), the first at b, 'x' \(-1\): output"):
        check_bounds(frame.replace(0, -1), "output")


@pytest.mark.parametrize(
    ("years", "read"),
    [
        (2020, (2020, 2020)),
        ("2018:2020", (2018, 2020)),
        (range(2018, 2020), [2018, 2019]),
        (slice(2018, 2020), (2018, 2020)),
    ],
)
def test_years_are_read_as_one_a_span_or_a_list(years, read):
    assert parse_years(years) == read


@pytest.mark.parametrize("years", ["x", 2020.5, float("inf"), "2020:2018", slice(1, 2, 3), True])
def test_what_is_no_year_is_refused(years):
    with pytest.raises(InvalidInputError, match="years="):
        parse_years(years)


def test_a_table_comes_back_whole_as_floats():
    frame = pd.DataFrame({"x": pd.array([1, 2], "Int64"), "y": [True, False]}, index=["a", "b"])
    expected = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 0.0]}, index=["a", "b"])
    pd.testing.assert_frame_equal(check_table(frame, "indicator", "leave it out"), expected)
    for bad, words in (
        (None, "expected a DataFrame with one column an indicator, got a NoneType"),
        (frame[[]], "no indicator"),
        (frame.iloc[:0], "no indicator"),
        (frame.set_axis(["a", None]), "missing unit in row 1"),
        (frame.assign(z=[1.0, np.nan]), "first at b, 'z': leave it out"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            check_table(bad, "indicator", "leave it out")


def test_values_by_unit_have_a_column_a_period_and_units_as_they_first_stand():
    table = check_by_unit(PANEL["gdp"].iloc[::-1])
    assert table.index.tolist() == [120000, 110000] and table.columns.tolist() == [2020, 2021]
    assert table.to_numpy().tolist() == [[3, 4], [1, 2]]
    assert check_by_unit(pd.Series({"b": 2, "a": 1}))["all"].to_dict() == {"b": 2.0, "a": 1.0}
    pd.testing.assert_frame_equal(check_by_unit(PANEL[["gdp"]]), check_by_unit(PANEL["gdp"]))
    for wrong, words in ((PANEL["gdp"].iloc[1:], "not balanced"), (PANEL, "got 2 columns"), ([1.0], "got a list")):
        with pytest.raises(InvalidInputError, match=words):
            check_by_unit(wrong)


@pytest.mark.parametrize("value", [0, 1, "no", None, np.True_, pd.Series([True])])
def test_a_switch_is_true_or_false_and_nothing_else(value):
    check_flags(robust=True, strict=False)
    with pytest.raises(UnknownNameError, match="strict"):
        check_flags(robust=True, strict=value)

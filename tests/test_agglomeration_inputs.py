"""Every kind of frame and argument at every function of agglomeration: the right value or a clear refusal."""

from __future__ import annotations

import datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest

from clusterlib.agglomeration import (
    concentration_test,
    economic_complexity,
    ellison_glaeser,
    entry_test,
    herfindahl,
    krugman_specialisation,
    location_quotient,
    location_quotient_interval,
    primacy,
    rank_size,
    relatedness,
    variety,
)
from clusterlib.core.results import Result
from clusterlib.errors import ClusterlibError, InvalidInputError

TABLE = pd.DataFrame(
    {"software": [30.0, 10, 5, 5], "chips": [20.0, 30, 5, 1], "trade": [50.0, 40, 40, 30], "farms": [1.0, 5, 10, 40]},
    index=pd.Index([110000, 310000, 440000, 510000], name="region"),
)
GROUPS = {"software": "digital", "chips": "digital", "trade": "other", "farms": "other"}
PLANTS = pd.Series(0.1, index=TABLE.columns)
SIZES = TABLE.sum(axis=1)
COUNTS = TABLE["software"]
PANEL = pd.concat({year: TABLE * (1 + year % 5) for year in range(2018, 2022)}, names=["year"]).swaplevel().sort_index()
TABLES = {
    "quotient": lambda q: location_quotient(q),
    "quotient of sizes": lambda q: location_quotient(q, SIZES),
    "intervals": lambda q: location_quotient_interval(q, draws=20).table,
    "gamma": lambda q: ellison_glaeser(q, PLANTS).table,
    "herfindahl": herfindahl,
    "krugman": krugman_specialisation,
    "variety": lambda q: variety(q, GROUPS),
    "relatedness": lambda q: relatedness(q, threshold=20).table,
    "complexity": lambda q: economic_complexity(q, threshold=20).table,
}
WHOLE = ("quotient", "quotient of sizes", "intervals", "gamma", "krugman")
SERIES = {
    "concentration": lambda s: concentration_test(s, SIZES, draws=20).table,
    "reference": lambda s: location_quotient(TABLE, s),
    "tested reference": lambda s: concentration_test(COUNTS, s, draws=20).table,
    "primacy": primacy,
    "rank_size": lambda s: rank_size(s).table,
    "series quotient": lambda s: location_quotient(s, SIZES),
}


SAME = {
    "nullable": lambda q: q.astype("Float64"),
    "arrow": lambda q: q.astype("double[pyarrow]"),
    "whole": lambda q: q.astype(int),
    "nullable whole": lambda q: q.astype("Int64"),
}
REFUSED = {
    "a missing label": lambda q: q.set_axis([110000, np.nan, 440000, 510000]),
    "a missing value": lambda q: q.astype("Float64").where(q > 5),
    "an infinite value": lambda q: q.replace(30.0, np.inf),
    "a negative value": lambda q: q.replace(30.0, -30.0),
    "objects": lambda q: q.astype(object),
    "text": lambda q: q.astype(str),
    "complex": lambda q: q + 1j,
    "nothing": lambda q: q.iloc[:0],
    "an array": lambda q: q.to_numpy(),
    "a dict": lambda q: q.to_dict(),
    "None": lambda q: None,
    "a name": lambda q: "software",
    "a date": lambda q: datetime.date(2020, 1, 1),
}
REFUSED_TABLES = REFUSED | {
    "a column twice": lambda q: pd.concat([q, q[["chips"]]], axis=1),
    "no column": lambda q: q[[]],
    "columns that are dates": lambda q: q.set_axis(pd.date_range("2020", periods=4), axis=1),
}


def figures(result) -> np.ndarray:
    return np.asarray(result.to_numpy(), float)


@cache
def plain_figures(name: str) -> np.ndarray:
    call, data = (TABLES[name], TABLE) if name in TABLES else (SERIES[name], COUNTS)
    return figures(call(data))


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", [*TABLES, *SERIES])
def test_numbers_of_every_kind_give_the_same(name, kind):
    call, data = (TABLES[name], TABLE) if name in TABLES else (SERIES[name], COUNTS)
    np.testing.assert_allclose(figures(call(SAME[kind](data))), plain_figures(name), rtol=1e-12)


@pytest.mark.parametrize("kind", REFUSED_TABLES)
@pytest.mark.parametrize("name", TABLES)
def test_tables_that_cannot_be_are_refused(name, kind):
    with pytest.raises(ClusterlibError):
        TABLES[name](REFUSED_TABLES[kind](TABLE))


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", SERIES)
def test_series_that_cannot_be_are_refused(name, kind):
    if (name, kind) == ("reference", "None"):
        return  # the sum over industries
    with pytest.raises(ClusterlibError):
        SERIES[name](REFUSED[kind](COUNTS))


@pytest.mark.parametrize("name", SERIES)
def test_a_panel_or_a_region_given_twice_is_no_series_by_region(name):
    for series in (PANEL["software"], pd.concat([COUNTS, COUNTS.iloc[:1]])):
        with pytest.raises(ClusterlibError):
            SERIES[name](series)


@pytest.mark.parametrize("name", TABLES)
def test_a_panel_is_refused_where_the_rows_make_up_the_whole_economy(name):
    if name in WHOLE:
        with pytest.raises(InvalidInputError, match="choose a year first"):
            TABLES[name](PANEL)
        with pytest.raises(InvalidInputError, match="region given twice: 110000"):
            TABLES[name](pd.concat([TABLE, TABLE.iloc[:1]]))
    with pytest.raises(InvalidInputError, match="swaplevel"):
        TABLES[name](PANEL.swaplevel())
    with pytest.raises(InvalidInputError, match="missing period"):
        TABLES[name](PANEL.set_axis(PANEL.index.set_codes([-1, *PANEL.index.codes[1][1:]], level=1)))


def test_measures_of_each_row_take_a_panel_and_keep_its_index():
    assert herfindahl(PANEL).index.equals(PANEL.index)
    pd.testing.assert_frame_equal(variety(PANEL, GROUPS).xs(2019, level="year"), variety(TABLE, GROUPS))


def test_a_negative_amount_is_named_with_region_year_and_industry():
    bad = PANEL.copy()
    bad.loc[(310000, 2019), "chips"] = -1
    with pytest.raises(InvalidInputError, match=r"\(310000, 2019\), 'chips' \(-1\)"):
        herfindahl(bad)


def test_a_quotient_of_the_threshold_but_for_rounding_is_an_advantage():
    near = pd.DataFrame({"a": [0.1 + 0.2, 0.2], "b": [0.3, 0.5]}, index=["x", "y"])
    assert relatedness(near, threshold=0.1 + 0.2).advantage.loc["x"].tolist() == [1, 1]


def test_cities_of_one_size_but_for_rounding_have_no_slope():
    with pytest.raises(InvalidInputError, match="of one size"):
        rank_size(pd.Series([0.3, 0.1 + 0.2, 0.3]))


KINDS = [None, "x", 2.5, -1, 0, True, np.nan, [1], datetime.date(2020, 1, 1), object()]
LEVELS = [None, "0.95", 95, 0, 1, -0.5, True, np.nan, [0.95]]
NAMES = [None, 3, ["nation"], "natoin", object()]
RESULT = location_quotient_interval(TABLE, draws=20)
ARGUMENTS = {
    "reference": (lambda v: location_quotient(TABLE, v), ["x", 3, SIZES.to_dict(), SIZES.to_numpy(), TABLE, -SIZES]),
    "draws": (lambda v: location_quotient_interval(TABLE, draws=v), KINDS),
    "seed": (lambda v: location_quotient_interval(TABLE, draws=2, seed=v), [v for v in KINDS if v != 0 or v is False]),
    "level": (lambda v: location_quotient_interval(TABLE, draws=2, level=v), LEVELS),
    "test draws": (lambda v: concentration_test(COUNTS, SIZES, draws=v), KINDS),
    "test seed": (lambda v: concentration_test(COUNTS, SIZES, draws=2, seed=v), [None, "x", 2.5, -1, True, [1]]),
    "test level": (lambda v: concentration_test(COUNTS, SIZES, draws=2, level=v), LEVELS),
    "plants": (
        lambda v: ellison_glaeser(TABLE, v),
        [None, 0.1, PLANTS.to_dict(), PLANTS.iloc[1:], pd.concat([PLANTS, PLANTS]), 10 * PLANTS, PLANTS.astype(str)],
    ),
    "krugman reference": (lambda v: krugman_specialisation(TABLE, reference=v), NAMES),
    "groups": (
        lambda v: variety(TABLE, v),
        [None, "software", ["a"] * 4, {}, {**GROUPS, "farms": None}, pd.Series(list("abcdd"), [*TABLE, "farms"])],
    ),
    "base": (lambda v: variety(TABLE, GROUPS, base=v), [None, "e", 1, 0, -2, np.nan, True, [2]]),
    "threshold": (lambda v: relatedness(TABLE, threshold=v), [None, "1", 0, -1, np.nan, np.inf, True, [1.0]]),
    "largest": (lambda v: rank_size(SIZES, largest=v), [2, 5, 3.5, "3", True, [3], np.nan]),
    "rank level": (lambda v: rank_size(SIZES, level=v), LEVELS),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_cannot_be_are_refused(name):
    call, values = ARGUMENTS[name]
    for value in values:
        with pytest.raises(ClusterlibError):
            call(value)
            pytest.fail(f"{name}={value!r} was taken")


@pytest.mark.parametrize(
    "result",
    [
        RESULT,
        concentration_test(COUNTS, SIZES, draws=20),
        ellison_glaeser(TABLE, PLANTS),
        relatedness(TABLE, threshold=20),
        entry_test(relatedness(TABLE, threshold=20), relatedness(TABLE, threshold=10), draws=9),
        economic_complexity(TABLE, threshold=20),
        rank_size(SIZES),
    ],
    ids=lambda result: type(result).__name__,
)
def test_results_show_their_table_as_text_and_as_a_page(result):
    assert isinstance(result, Result) and isinstance(result.table, pd.DataFrame)
    assert result.summary().startswith(result.title) and str(result.table.columns[0]) in result.summary()
    assert result.title in result._repr_html_() and repr(result) == result.summary()

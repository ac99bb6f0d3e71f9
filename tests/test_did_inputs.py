"""Every public function of difference-in-differences: any kind of frame and argument is taken rightly or refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clusterlib.did as did
from clusterlib.core.results import Estimates, Result, Test
from clusterlib.errors import ClusterlibError, ClusterlibWarning, InvalidInputError, UnknownNameError

UNITS, YEARS = [10 * i for i in range(1, 13)], range(2010, 2019)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([UNITS, YEARS], names=["adcode", "year"])
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(len(index), 2)), index=index, columns=["y", "x"])
    year = index.get_level_values(1)
    first = dates().reindex(index.get_level_values(0)).fillna(9999).to_numpy()
    return frame.assign(now=(year >= first).astype(int), date=np.where(first < 9999, first, 0), area=year * 0 + 1)


def dates() -> pd.Series:
    return pd.Series({10: 2013, 20: 2013, 30: 2013, 50: 2015, 70: 2015, 90: 2016})


def ring() -> pd.DataFrame:
    near = np.roll(np.eye(12), 1, axis=1) + np.roll(np.eye(12), -1, axis=1)
    return pd.DataFrame(near, UNITS, UNITS)


CALLS = {
    "first_treated": lambda q, t=None, y="y", **o: did.first_treated(q, dates() if t is None else t, **o),
    "twoway_did": lambda q, t=None, y="y", **o: did.twoway_did(q, y, dates() if t is None else t, **{"draws": 0} | o),
    "event_study": lambda q, t=None, y="y", **o: did.event_study(q, y, dates() if t is None else t, 3, 2, **o),
    "spillover_did": lambda q, t=None, y="y", **o: did.spillover_did(
        q, y, dates() if t is None else t, o.pop("w", ring()), **o
    ),
    "staggered_did": lambda q, t=None, y="y", **o: did.staggered_did(
        q, y, dates() if t is None else t, **{"draws": 0} | o
    ),
    "imputation_did": lambda q, t=None, y="y", **o: did.imputation_did(q, y, dates() if t is None else t, **o),
    "goodman_bacon": lambda q, t=None, y="y", **o: did.goodman_bacon(q, y, dates() if t is None else t, **o),
    "placebo_test": lambda q, t=None, y="y", **o: did.placebo_test(
        q, y, dates() if t is None else t, **{"draws": 19} | o
    ),
    "synthetic_control": lambda q, t=None, y="y", **o: did.synthetic_control(
        q, y, *({"treated": 10, "start": 2014} | o).values()
    ),
}
WITH_DATES = [name for name in CALLS if name != "synthetic_control"]


def figures(result) -> np.ndarray:
    table = result.to_frame() if isinstance(result, pd.Series) else result.table
    return table.to_numpy(float)


def test_calls_are_all_that_is_public():
    public = {
        name for name in dir(did) if not name.startswith("_") and name[0].islower() and callable(getattr(did, name))
    }
    # Those of an event study are tested beside what they compute.
    assert public == set(CALLS) | {"honest_bounds", "pretrend_power"}


SAME = {
    "shuffled rows": lambda q: q.sample(frac=1, random_state=1),
    "nullable": lambda q: q.convert_dtypes(dtype_backend="numpy_nullable"),
    "Arrow": lambda q: q.convert_dtypes(dtype_backend="pyarrow"),
    "boolean indicator": lambda q: q.astype({"now": bool}),
    "a column twice that is not used": lambda q: pd.concat([q, q[["area"]]], axis=1),
    "years as floats": lambda q: q.set_axis(q.index.set_levels(q.index.levels[1].astype(float), level=1)),
    "nullable years": lambda q: q.set_axis(q.index.set_levels(q.index.levels[1].astype("Int64"), level=1)),
    "categorical units": lambda q: q.reset_index().astype({"adcode": "category"}).set_index(["adcode", "year"]),
}


@pytest.fixture(scope="module")
def plain(data) -> dict[str, np.ndarray]:
    return {name: figures(call(data)) for name, call in CALLS.items()}


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", CALLS)
def test_the_same_panel_of_another_kind_gives_the_same_figures(data, plain, name, kind):
    for treatment in (None, "now", "date") if name in WITH_DATES else (None,):
        np.testing.assert_allclose(
            figures(CALLS[name](SAME[kind](data), treatment)), plain[name], rtol=1e-9, atol=1e-12
        )


def _lose(q: pd.DataFrame, level: int) -> pd.DataFrame:
    labels = [q.index.get_level_values(i).to_series(index=range(len(q))) for i in (0, 1)]
    labels[level] = labels[level].where(np.arange(len(q)) != 9)
    return q.set_axis(pd.MultiIndex.from_arrays(labels, names=q.index.names))


def _years(q: pd.DataFrame, change) -> pd.DataFrame:
    return q.set_axis(q.index.set_levels(change(q.index.levels[1]), level=1))


REFUSED = {
    "a missing unit": (lambda q: _lose(q, 0), "index has a missing unit"),
    "a missing year": (lambda q: _lose(q, 1), "index has a missing period"),
    "year before unit": (lambda q: q.swaplevel().sort_index(), "swaplevel"),
    "flat": (lambda q: q.reset_index(), r"data.set_index\(\['adcode', 'year'\]\)"),
    "a row twice": (lambda q: pd.concat([q, q.iloc[:1]]), "more than one row"),
    "text for years": (lambda q: _years(q, lambda v: v.astype(str)), r"whole number.*astype\(int\)"),
    "dates for years": (lambda q: _years(q, lambda v: pd.to_datetime(v.astype(str))), r"whole number.*\.year, level=1"),
    "spans for years": (
        lambda q: _years(q, lambda v: pd.PeriodIndex(v.astype(str), freq="Y")),
        r"whole number.*\.year",
    ),
    "half years": (lambda q: _years(q, lambda v: v / 2 + 0.25), "whole number"),
    "None": (lambda q: None, "expected a DataFrame, got a NoneType"),
    "a dict": (lambda q: q.to_dict(), "expected a DataFrame, got a dict"),
    "an array": (lambda q: q.to_numpy(), "expected a DataFrame, got a ndarray"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", CALLS)
def test_frames_that_cannot_be_read_are_refused_with_what_mends_them(data, name, kind):
    change, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=words):
        CALLS[name](change(data))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "first_treated"])
def test_outcomes_that_cannot_be_read_are_refused(data, name):
    bad = {
        "text": data.assign(y=data["y"].astype(str)),
        "a hole": data.assign(y=data["y"].where(data.index != (30, 2012))),
        "infinite": data.assign(y=data["y"].where(data.index != (30, 2012), np.inf)),
        "twice": pd.concat([data, data[["y"]]], axis=1),
        "a date": data.assign(y=pd.Timestamp("2020-01-01")),
    }
    for frame in bad.values():
        with pytest.raises(InvalidInputError):
            CALLS[name](frame)
    for y in (None, {"y": 1}, 3.5, data["y"], ["y"], "z"):
        with pytest.raises(ClusterlibError):
            CALLS[name](data, y=y)


TREATMENTS = {
    "a dict": (lambda q: dates().to_dict(), r"got a dict; a dict becomes a Series by pd.Series\(treatment\)"),
    "a frame": (lambda q: q[["now"]], "got a DataFrame"),
    "a list": (lambda q: [2013], "got a list"),
    "a truth value": (lambda q: True, "got a bool"),
    "dates": (lambda q: pd.to_datetime(dates().astype(str)), r"treatment.dt.year"),
    "spans": (lambda q: dates().map(lambda year: pd.Period(str(year), "Y")), r"treatment.dt.year"),
    "text": (lambda q: dates().astype(str), r"pd.to_numeric\(treatment\)"),
    "truth values": (lambda q: dates() == 2013, "got True|got np.True_"),
    "half years": (lambda q: dates() + 0.5, "10 is first treated in 2013.5"),
    "by row": (lambda q: q["now"], "by unit and period"),
    "a missing unit": (lambda q: dates().set_axis([10, 20, 30, 50, 70, np.nan]), "a missing unit"),
    "a unit twice": (lambda q: dates().set_axis([10, 20, 30, 50, 70, 10]), "10 is listed twice"),
    "other units": (lambda q: dates().set_axis(list("abcdef")), "none of its 6 units is in the panel"),
    "treated from the start": (
        lambda q: dates().replace(2016, 2010),
        "1 unit.s. are treated in all periods.*: 90 have",
    ),
    "no column": (lambda q: "nwo", "did you mean 'now'"),
}


@pytest.mark.parametrize("kind", TREATMENTS)
@pytest.mark.parametrize("name", WITH_DATES)
def test_treatments_that_cannot_be_read_are_refused(data, name, kind):
    make, words = TREATMENTS[kind]
    with pytest.raises(ClusterlibError, match=words):
        CALLS[name](data, make(data))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (lambda q: pd.to_datetime(q["date"].replace(0, 2099).astype(int).astype(str)), r"data\['bad'\].dt.year"),
        (lambda q: q["now"].astype(str), "not numbers: bad"),
        (lambda q: q["date"] + 0.5, "first treated in 2013.5"),
        (lambda q: 1 - q["now"], "switches off"),
    ],
)
@pytest.mark.parametrize("name", WITH_DATES)
def test_columns_of_treatment_that_cannot_be_read_are_refused(data, name, column, words):
    with pytest.raises(InvalidInputError, match=words):
        CALLS[name](data.assign(bad=column(data)), "bad")


OPTIONS = {
    "twoway_did": {
        "controls": (5, None, {"x": 1}, ["x", "x"], "y", "treated"),
        "cluster": (5, "z", "time", {"a": 1}, pd.Series({10: 1}), "area", pd.Series(1, UNITS)),
        "periods_by": (5, "z", pd.Series({10: 1}), pd.DataFrame()),
        "draws": (-1, 1.5, "9", None, True),
        "seed": (-1, None, "0"),
        "level": (95, 0, 1, "0.9", None),
    },
    "event_study": {"controls": (5, None, ["x", "x"]), "cluster": (5, "z", "area"), "level": (95, None)},
    "spillover_did": {
        "w": (
            None,
            "w",
            {10: [20]},
            3,
            np.ones((3, 3)),
            ring().iloc[:5, :5],
            ring().drop(10),
            -ring(),
            ring() * np.nan,
        ),
        "controls": (5, None, ["x", "x"], "y"),
        "exposure": ("both", None, 1),
        "cluster": (5, "z", "area"),
        "level": (95, None),
    },
    "staggered_did": {
        "controls": (5, None, ["x", "x"], "y"),
        "control_group": ("all", None, 1),
        "estimator": ("ols", None),
        "base_period": ("first", None),
        "anticipation": (-1, 0.5, "1", None, True),
        "cluster": (5, "z", "area"),
        "draws": (-1, 1, 1.5, "9", None),
        "seed": (-1, None),
        "level": (95, None),
    },
    "imputation_did": {
        "controls": (5, None, ["x", "x"], "y"),
        "cluster": (5, "z", "time", "area", pd.Series({10: 1})),
        "level": (95, 0, None),
    },
    "placebo_test": {"controls": (5, None, ["x", "x"], "y"), "draws": (0, -1, 1.5, "9", None), "seed": (-1, None)},
}


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [(name, option, value) for name, given in OPTIONS.items() for option, values in given.items() for value in values],
)
def test_options_of_another_kind_are_refused(data, name, option, value):
    with pytest.raises(ClusterlibError):
        CALLS[name](data, **{option: value})


@pytest.mark.parametrize(("leads", "lags"), [(1, 2), ("3", 2), (None, 2), (3, -1), (3, 1.5)])
def test_windows_of_another_kind_are_refused(data, leads, lags):
    with pytest.raises(InvalidInputError, match="expected a whole number"):
        did.event_study(data, "y", dates(), leads, lags)


@pytest.mark.parametrize(
    "options",
    [
        {"treated": 11},
        {"treated": None},
        {"treated": [10]},
        {"treated": True},
        {"treated": "10"},
        {"start": 2030},
        {"start": 2014.5},
        {"start": "2014"},
        {"start": None},
        {"start": pd.Timestamp("2014-01-01")},
        {"donors": 20},
        {"donors": "20"},
        {"donors": [[20]]},
        {"donors": []},
        {"predictors": 5},
        {"predictors": ["x", "x"]},
        {"predictors": None},
        {"outcome_periods": 2011},
        {"outcome_periods": [2015]},
        {"outcome_periods": []},
        {"fit_limit": 2},
        {"fit_limit": None},
    ],
    ids=str,
)
def test_set_ups_of_another_kind_are_refused(data, options):
    with pytest.raises(ClusterlibError):
        did.synthetic_control(data, "y", **{"treated": 10, "start": 2014} | options)


def test_units_and_starts_that_do_not_exist_are_refused_with_those_that_do(data):
    with pytest.raises(UnknownNameError, match=r"unknown treated unit 11; .*valid: 10, 20, 30"):
        did.synthetic_control(data, "y", 11, 2014)
    with pytest.raises(InvalidInputError, match="it can be 2012, 2013, 2014, 2015, 2016, 2017, 2018"):
        did.synthetic_control(data, "y", 10, 2009)


def test_a_matrix_without_labels_is_in_the_order_of_the_data_which_a_warning_says(data):
    order = UNITS[::-1]
    turned, near = data.loc[order], ring().loc[order, order]
    labelled = did.spillover_did(turned, "y", dates(), near)
    with pytest.warns(ClusterlibWarning, match="in the order in which the units first stand in the data"):
        plain = did.spillover_did(turned, "y", dates(), near.to_numpy())
    pd.testing.assert_frame_equal(plain.table, labelled.table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        did.spillover_did(data, "y", dates(), ring().to_numpy())


@pytest.mark.parametrize("name", [name for name in CALLS if name != "first_treated"])
def test_results_show_a_table_and_keep_the_names_they_had(data, name):
    result = CALLS[name](data)
    assert isinstance(result, Result)
    text, html = str(result.summary()), result._repr_html_()
    assert result.title.split(" (")[0] in text and "three-line" in html
    if name != "synthetic_control":
        assert result.observations == result.nobs == 108
        assert result.units == result.n_units == 12
        assert result.periods == result.n_periods == 9


@pytest.mark.parametrize("name", ["twoway_did", "event_study", "spillover_did"])
def test_estimates_agree_with_their_tables(data, name):
    result = CALLS[name](data, controls="x", level=0.9)
    assert isinstance(result, Estimates)
    table = result.table
    np.testing.assert_allclose(result.params, table["estimate"])
    np.testing.assert_allclose(result.std_errors, table["std_error"])
    np.testing.assert_allclose(result.tstats, table["statistic"])
    np.testing.assert_allclose(result.pvalues, table["p_value"])
    np.testing.assert_allclose(result.conf_int(0.9), table[["lower", "upper"]])
    assert result.footer["Treated units 处理个体数"] == 6 and result.footer["Clusters 聚类数"] == 12
    assert result.df_inference == 11
    # In the event study the reference period has no slope of its own, and the control's stands apart.
    assert result.df_resid == 108 - len(result.params) - 12 - 9 + 1


def test_the_test_of_leads_belongs_to_the_event_study(data):
    result = did.event_study(data, "y", dates(), 3, 2)
    test = result.tests["pretrend"]
    assert isinstance(test, Test) and test.distribution == "F"
    assert (test.statistic, test.p_value, test.df) == (
        result.pretrend_statistic,
        result.pretrend_p,
        result.pretrend_df,
    )
    assert test.name in result.footer

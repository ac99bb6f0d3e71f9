"""Every kind of frame and argument at every function of composite indices: the right value or a clear refusal."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

from clusterlib.composite import (
    composite_index,
    coupling_coordination,
    critic_weights,
    entropy_weights,
    normalise,
    obstacle_degree,
    pca_weights,
    principal_components,
    sensitivity,
    topsis,
)
from clusterlib.core.results import Result
from clusterlib.errors import ClusterlibError, InvalidInputError

INDEX = pd.MultiIndex.from_product([[110000, 120000, 310000, 440000], [2020, 2021]], names=["adcode", "year"])
X = pd.DataFrame(
    {
        "ports": [10.0, 20, 30, 40, 50, 60, 80, 70],
        "users": [1.0, 3, 2, 5, 4, 8, 7, 6],
        "fees": [9.0, 7, 8, 5, 3, 4, 2, 1],
        "apps": [0.0, 1, 0, 1, 1, 1, 0, 1],
    },
    index=INDEX,
)
UNIT = X / 100


def scores(index) -> np.ndarray:
    return index.score.to_numpy()


FUNCTIONS = {
    "normalise": lambda q: normalise(q, "fees").to_numpy(),
    "z_scores": lambda q: normalise(q, "fees", method="z-score").to_numpy(),
    "reference": lambda q: normalise(q, "fees", reference_years=2020).to_numpy(),
    "entropy": lambda q: entropy_weights(q, "fees").to_numpy(),
    "critic": lambda q: critic_weights(q, "fees").to_numpy(),
    "pca": lambda q: pca_weights(q, "fees").to_numpy(),
    "components": lambda q: principal_components(q, "fees").table.to_numpy(),
    "index": lambda q: scores(composite_index(q, {"a": ["ports", "users"], "b": ["fees", "apps"]}, negative="fees")),
    "obstacles": lambda q: obstacle_degree(composite_index(q, negative="fees", weights="equal")).to_numpy(),
    "topsis": lambda q: topsis(q, negative="fees").closeness.to_numpy(),
    "sensitivity": lambda q: sensitivity(q, negative="fees", period=2021).ranks.to_numpy(),
    "coupling": lambda q: coupling_coordination(q / 100 if isinstance(q, pd.DataFrame) else q).degree.to_numpy(),
}
SAME = {
    "nullable": X.astype("Float64"),
    "arrow": X.astype("double[pyarrow]"),
    "whole": X.astype(int),
    "nullable whole": X.astype("Int64"),
    "truth values": X.assign(apps=X["apps"] == 1),
    "nullable truth values": X.assign(apps=(X["apps"] == 1).astype("boolean")),
}


def with_labels(units: list | None = None, years: list | None = None) -> pd.DataFrame:
    arrays = [
        INDEX.get_level_values(0) if units is None else units,
        INDEX.get_level_values(1) if years is None else years,
    ]
    return X.set_axis(pd.MultiIndex.from_arrays(arrays, names=["adcode", "year"]))


REFUSED = {
    "a missing unit": with_labels([np.nan, *INDEX.get_level_values(0)[1:]]),
    "a missing year": with_labels(years=[np.nan, *INDEX.get_level_values(1)[1:]]),
    "year before unit": X.swaplevel(),
    "a row twice": pd.concat([X, X.iloc[:1]]),
    "a flat index with a missing label": X.set_axis(["a", None, *"cdefgh"]),
    "a column twice": pd.concat([X, X[["ports"]]], axis=1),
    "a missing value": X.astype("Float64").where(X["ports"] > 10),
    "an infinite value": X.assign(ports=X["ports"].replace(80.0, np.inf)),
    "text": X.assign(ports=X["ports"].astype(str)),
    "objects": X.astype(object),
    "complex": X.assign(ports=X["ports"] + 1j),
    "dates": X.assign(ports=pd.Timestamp("2020")),
    "no row": X.iloc[:0],
    "no column": X[[]],
    "columns that are dates": X.set_axis(pd.date_range("2020", periods=4), axis=1),
    "a Series": X["ports"],
    "an array": X.to_numpy(),
    "a dict": X.to_dict("list"),
    "None": None,
    "a name": "ports",
}


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_of_every_kind_give_the_same(name, kind):
    np.testing.assert_allclose(
        np.asarray(FUNCTIONS[name](SAME[kind]), float), np.asarray(FUNCTIONS[name](X), float), rtol=1e-12
    )


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_frames_that_cannot_be_are_refused(name, kind):
    if kind in ("text", "objects", "dates") and name == "coupling":
        pytest.skip("the frame cannot be divided")
    with pytest.raises(ClusterlibError):
        FUNCTIONS[name](REFUSED[kind])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_column_that_is_constant_but_for_rounding_is_a_constant(name):
    if name == "coupling":
        return
    with pytest.raises(InvalidInputError, match=r"the same value .*: apps"):
        FUNCTIONS[name](X.assign(apps=[0.1 + 0.2, 0.3] * 4))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_order_of_rows_changes_no_value(name):
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    moved, plain = FUNCTIONS[name](X.iloc[order]), FUNCTIONS[name](X)
    if len(plain) == len(X):
        plain = plain[order]
    np.testing.assert_allclose(np.sort(np.asarray(moved, float), 0), np.sort(np.asarray(plain, float), 0), rtol=1e-9)


NAMES = [None, 3, 2.5, {"fees": 1}, X["fees"], [datetime.date(2020, 1, 1)], ["feess"], "feess", object()]
CHOICES = [None, 3, ["entropy"], "entropie", datetime.date(2020, 1, 1), object()]
GIVEN = [
    pd.Series({"ports": 1.0}),
    pd.Series([1.0] * 5, index=[*X, "ports"]),
    pd.Series("1", index=X.columns),
    pd.Series(np.inf, index=X.columns),
    pd.Series(0.0, index=X.columns),
    dict.fromkeys(X, -1),
    dict.fromkeys(X),
]
ARGUMENTS = {
    "negative": (lambda v: normalise(X, v), NAMES),
    "entropy negative": (lambda v: entropy_weights(X, v), NAMES),
    "by": (lambda v: entropy_weights(X, by=v), [3, ["year"], "yeer", X["fees"], object()]),
    "method": (lambda v: normalise(X, method=v), CHOICES),
    "reference_years": (lambda v: normalise(X, reference_years=v), ["x", 1999, 2020.5, [2020, 1999], {2: 1}, object()]),
    "cumulative": (lambda v: pca_weights(X, cumulative=v), [0, -1, 1.5, "0.9", True, np.nan, [0.9]]),
    "rule": (lambda v: pca_weights(X, rule=v), CHOICES),
    "dimensions": (
        lambda v: composite_index(X, v),
        [3, "ports", ["ports"], {}, {"a": []}, {"a": None}, {"a": 3}, {"a": "ports", "b": "ports"}, {"a": "port"}],
    ),
    "weights": (lambda v: composite_index(X, weights=v), [*CHOICES, *GIVEN]),
    "topsis weights": (lambda v: topsis(X, weights=v), [*CHOICES, *GIVEN]),
    "normalisation": (lambda v: topsis(X, normalisation=v), CHOICES),
    "grouping": (lambda v: obstacle_degree(composite_index(X), by=v), CHOICES),
    "index": (obstacle_degree, [None, X, X["ports"], "index"]),
    "alternatives": (lambda v: sensitivity(X, alternatives=v), [None, 3, "entropie", [2.5], {"entropy": 1}]),
    "period": (lambda v: sensitivity(X, period=v), [1999, "2020", [2020], {}, datetime.date(2020, 1, 1)]),
    "form": (lambda v: coupling_coordination(UNIT, form=v), CHOICES),
    "subsystem weights": (
        lambda v: coupling_coordination(UNIT, v),
        [3, "equal", [1.0, 1, 1, 1], {**dict.fromkeys(X, 1), "roads": 1}, *GIVEN],
    ),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_cannot_be_are_refused(name):
    call, values = ARGUMENTS[name]
    for value in values:
        with pytest.raises(ClusterlibError):
            call(value)
            pytest.fail(f"{name}={value!r} was taken")


def test_weights_may_be_a_mapping_a_series_or_nullable():
    given = {"ports": 2, "users": 1, "fees": 1, "apps": 0}
    for weights in (
        given,
        pd.Series(given),
        pd.Series(given, dtype="Int64"),
        pd.Series(given, dtype="double[pyarrow]"),
    ):
        assert composite_index(X, weights=weights).weights.tolist() == [0.5, 0.25, 0.25, 0]
        assert coupling_coordination(UNIT, weights).weights.tolist() == [0.5, 0.25, 0.25, 0]


def test_scores_that_tie_but_for_rounding_share_their_place_in_topsis():
    tied = pd.DataFrame({"u": [0, 1, 0.1, 0.3], "v": [0, 1, 0.3, 0.1]}, index=list("abcd"))
    result = topsis(tied, weights="equal", normalisation="min-max")
    assert result.ranking["rank"].to_dict() == {"b": 1, "c": 2, "d": 2, "a": 4}


def test_what_is_best_but_for_rounding_is_no_obstacle():
    near = pd.DataFrame({"u": [0.0, 0.3, 0.1 + 0.2], "v": [0.0, 1.0, 0.5]}, index=list("abc"))
    degree = obstacle_degree(composite_index(near, weights="equal"))
    assert degree.loc["b"].tolist() == [0, 0] and degree.loc["c"].tolist() == [0, 100]


@pytest.mark.parametrize(
    "result",
    [composite_index(X), topsis(X), sensitivity(X), principal_components(X), coupling_coordination(UNIT)],
    ids=lambda result: type(result).__name__,
)
def test_results_show_their_table_as_text_and_as_a_page(result):
    assert isinstance(result, Result) and isinstance(result.table, pd.DataFrame)
    assert result.summary().startswith(result.title) and str(result.table.columns[0]) in result.summary()
    assert result.title in result._repr_html_() and repr(result) == result.summary()

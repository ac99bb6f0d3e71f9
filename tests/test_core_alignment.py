"""Spatial weights of any kind come out in the order of the units, or are refused with the unit and the call."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libpysal.graph import Graph
from libpysal.weights import W
from scipy.sparse import coo_array, csc_matrix, csr_array

from clusterlib.core.alignment import (
    Weights,
    align_weights,
    first_seen,
    require_neighbours,
    symmetric_form,
    weight_labels,
)
from clusterlib.errors import ClusterlibWarning, InvalidInputError

UNITS = pd.Index(["a", "b", "c", "d"])
LINE = np.array([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 1, 0]])
FRAME = pd.DataFrame(LINE, UNITS, UNITS)


def as_w() -> W:
    """The line as libpysal's older class, its units in another order."""
    order = ["c", "a", "d", "b"]
    rows = {unit: FRAME.loc[unit][FRAME.loc[unit] > 0] for unit in order}
    return W({u: list(r.index) for u, r in rows.items()}, {u: list(r) for u, r in rows.items()}, id_order=order)


KINDS = {
    "frame": FRAME,
    "frame in another order": FRAME.loc[["d", "b", "a", "c"], ["c", "a", "d", "b"]],
    "nullable frame": FRAME.astype("Float64"),
    "graph": Graph.from_sparse(csr_array(LINE), ids=UNITS),
    "graph in another order": Graph.from_sparse(csr_array(LINE[::-1, ::-1]), ids=UNITS[::-1]),
    "W in another order": as_w(),
    "weights in another order": Weights.of(csr_array(LINE[::-1, ::-1]), UNITS[::-1]),
    "array": LINE,
    "list": LINE.tolist(),
    "sparse": csc_matrix(LINE),
    "coordinates": coo_array(LINE),
}


@pytest.mark.parametrize("w", KINDS.values(), ids=KINDS)
def test_every_kind_of_weights_comes_out_in_the_order_of_the_units(w):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClusterlibWarning)
        found = align_weights(w, UNITS)
    np.testing.assert_array_equal(found.matrix.toarray(), LINE)
    assert found.row_standardised
    assert found.islands == ()


@given(st.permutations(range(4)))
def test_a_matrix_without_labels_is_in_the_order_in_which_the_units_stand_in_the_data(order):
    given_order = UNITS[order]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = align_weights(LINE[np.ix_(order, order)], UNITS, given=given_order)
    np.testing.assert_array_equal(found.matrix.toarray(), LINE)
    warned = [str(w.message) for w in caught if issubclass(w.category, ClusterlibWarning)]
    assert len(warned) == (list(order) != sorted(order))
    assert all("pd.DataFrame(w, index=units, columns=units)" in text for text in warned)


def test_labels_of_weights_are_told_and_a_matrix_has_none():
    frame = pd.DataFrame(np.ones((2, 2)), ["a", "b"], ["b", "a"])
    assert list(weight_labels(frame)) == ["a", "b"]
    assert weight_labels(frame.to_numpy()) is None
    with pytest.raises(InvalidInputError, match="the same units as index and columns"):
        weight_labels(frame.iloc[:1])


def test_units_are_taken_as_they_are_first_seen():
    index = pd.MultiIndex.from_tuples([("b", 1), ("a", 1), ("b", 2), ("a", 2)])
    assert first_seen(index).tolist() == ["b", "a"]
    assert first_seen(pd.Index(["b", "a"])).tolist() == ["b", "a"]


def changed(row: int, column: int, value: float) -> pd.DataFrame:
    frame = FRAME.copy()
    frame.iloc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("w", "words"),
    [
        (None, "w: expected weights as a Graph, a W or a labelled square DataFrame, got a NoneType"),
        ({"a": ["b"]}, "got a dict"),
        ("queen", "got a str"),
        (LINE[:3, :3], r"expected 4 x 4.*got 3 x 3; label the matrix, as with pd.DataFrame\(w"),
        ([["x"]], "does not hold numbers"),
        (FRAME.iloc[:3, :3], r"1 unit\(s\) have values but no weights: d"),
        (FRAME.rename(index={"d": "e"}, columns={"d": "e"}), "have weights but no values: e"),
        (FRAME.iloc[:, :3], "same units as index and columns"),
        (FRAME.set_axis(list("aacd")).set_axis(list("aacd"), axis=1), "each once"),
        (FRAME.rename(columns={"d": "e"}), "same units as index and columns"),
        (FRAME.astype(object).replace({1.0: "x"}), "no number"),
        (pd.DataFrame(LINE), "no values: 0, 1, 2, 3.*labels are str, the weights' int64"),
        (changed(1, 2, -1.0), "in the row of b: weights must be finite and not negative"),
        (changed(1, 2, np.nan), "in the row of b"),
        (changed(1, 2, np.inf), "in the row of b"),
        (changed(2, 2, 1.0), "c is its own neighbour; set the diagonal to zero"),
        (FRAME * 0, "no unit has a neighbour"),
    ],
)
def test_what_is_no_weights_of_these_units_is_refused(w, words):
    with pytest.raises(InvalidInputError, match=words):
        align_weights(w, UNITS)


def test_weights_that_were_aligned_come_back_as_they_are_and_input_stays_as_it_was():
    matrix = csr_array(LINE)
    first = align_weights(matrix, UNITS)
    assert align_weights(first, UNITS) is first
    first.matrix.data[:] = 7
    np.testing.assert_array_equal(matrix.toarray(), LINE)


def test_an_island_is_kept_named_and_refused_where_a_neighbour_is_needed():
    binary = (FRAME > 0).astype(float)
    binary.loc["d"] = binary["d"] = 0.0
    weights = align_weights(binary, UNITS)
    assert weights.islands == ("d",)
    standardised = weights.standardised()
    assert standardised.matrix.toarray().sum(axis=1).tolist() == [1, 1, 1, 0]
    np.testing.assert_array_equal(standardised.binary().matrix.toarray(), binary)
    assert require_neighbours(align_weights(FRAME, UNITS)).row_standardised
    with pytest.raises(InvalidInputError, match="no neighbours: d"):
        require_neighbours(weights)


def test_the_spectrum_is_that_of_the_dense_matrix_and_bounds_rho_where_it_is_regular():
    values, (lower, upper) = align_weights(FRAME, UNITS).spectrum
    np.testing.assert_allclose(np.sort(values), np.sort(np.linalg.eigvals(LINE).real), atol=1e-12)
    for rho in (lower, upper):
        assert np.linalg.det(np.eye(4) - rho * LINE) > 0
        assert np.linalg.det(np.eye(4) - rho * (1 + 1e-4) * LINE) < 0


def test_weights_of_nearest_neighbours_that_are_not_mutual_have_no_symmetric_form():
    one_way = np.array([[0, 1, 0], [0.5, 0, 0.5], [1, 0, 0.0]])
    assert symmetric_form(csr_array(one_way)) is None
    _, (lower, upper) = Weights.of(csr_array(one_way), pd.RangeIndex(3)).spectrum
    assert (round(lower, 5), round(upper, 5)) == (-1, 1)

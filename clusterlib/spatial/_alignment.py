"""Values and weights brought into one order, and what keeps them from it."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_finite
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SHOWN = 5


@contextmanager
def quiet_imports():
    """Import esda or giddy without a notebook showing that their progress bars find no widget to be drawn with."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        yield


def listed(units) -> str:
    """Return the first few of ``units`` for a message, and how many more there are."""
    units = [str(unit) for unit in units]
    more = f" and {len(units) - SHOWN} more" if len(units) > SHOWN else ""
    return ", ".join(units[:SHOWN]) + more


def check_values(y: pd.Series, least: int = 4) -> pd.Series:
    """Return ``y`` as floats if it is a numeric Series with one finite value a unit, not all the same.

    Raises
    ------
    InvalidInputError
        Naming the unit that has two values or none.
    """
    if not isinstance(y, pd.Series):
        raise InvalidInputError(f"expected a Series indexed by unit, got a {type(y).__name__}")
    if not pd.api.types.is_numeric_dtype(y):
        raise InvalidInputError(f"{y.name!r} holds no numbers")
    if y.index.nlevels > 1:
        raise InvalidInputError(
            "expected one value a unit: choose a year first, as in data['gdp'].xs(2020, level='year')"
        )
    if y.index.has_duplicates:
        raise InvalidInputError(f"{y.index[y.index.duplicated()][0]} has more than one value")
    check_finite(y.to_frame(str(y.name)), "leave out the unit, and make the weights without it")
    if len(y) < least:
        raise InvalidInputError(f"{len(y)} unit(s): at least {least} are needed")
    if np.ptp(y.to_numpy(float)) == 0:
        raise InvalidInputError("the same value in every unit: there is no pattern to test")
    return y.astype(float)


def _matrix(w, index: pd.Index) -> csr_array:
    from scipy.sparse import csr_array, issparse

    if hasattr(w, "unique_ids"):
        own = pd.Index(w.unique_ids)
        for units, has, lacks in (
            (index.difference(own), "values", "weights"),
            (own.difference(index), "weights", "values"),
        ):
            if len(units):
                raise InvalidInputError(
                    f"{len(units)} unit(s) have {has} but no {lacks}: {listed(units)}; make the weights of just the "
                    "units that have values"
                )
        position = own.get_indexer(index)
        return csr_array(w.sparse.tocsr()[position][:, position])
    if not (issparse(w) or isinstance(w, np.ndarray)):
        raise InvalidInputError(f"expected weights as a Graph, an array or a sparse matrix, got a {type(w).__name__}")
    if w.shape != (len(index), len(index)):
        raise InvalidInputError(
            f"weights of shape {w.shape} for {len(index)} values: expected a row and a column a unit"
        )
    return csr_array(w)


def weight_matrix(w, index: pd.Index, *, row_standardise: bool = True, binary: bool = False) -> csr_array:
    """Return weights as a sparse matrix of floats in the order of ``index``.

    Parameters
    ----------
    w : Graph, array or sparse matrix, shape (units, units)
        A Graph is brought into the order of ``index`` by its keys; a matrix must already be in it.
    index : Index
        The units.
    row_standardise : bool
        Divide each row by its sum.
    binary : bool
        Set every weight to one, before standardising.

    Raises
    ------
    InvalidInputError
        For other units than those of ``index``, a unit without neighbours, one that is its own neighbour, or weights
        that are negative or not finite.
    """
    matrix = _matrix(w, index).astype(float)
    matrix.eliminate_zeros()
    if not (np.isfinite(matrix.data).all() and (matrix.data > 0).all()):
        raise InvalidInputError("weights must be finite and not negative")
    own = np.flatnonzero(matrix.diagonal())
    if len(own):
        raise InvalidInputError(f"{listed(index[own])}: own neighbour; set the diagonal of the weights to zero")
    alone = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if len(alone):
        raise InvalidInputError(
            f"no neighbours: {listed(index[alone])}; use contiguity(..., islands='nearest') or k_nearest(...), or "
            "leave these units out"
        )
    matrix.sort_indices()
    if binary:
        matrix.data[:] = 1.0
    if row_standardise:
        matrix.data /= np.repeat(matrix.sum(axis=1), np.diff(matrix.indptr))
    return matrix


def as_w(matrix: csr_array):
    """Return a sparse matrix as the ``W`` that esda and giddy take, with the weights that it holds."""
    from libpysal.weights import WSP

    return WSP(matrix).to_W(silence_warnings=True)

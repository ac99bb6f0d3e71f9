"""Weights in the order of a panel's units (空间权重对齐)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SHOWN = 5


@dataclass(frozen=True)
class Weights:
    """Spatial weights of a panel's units.

    Attributes
    ----------
    matrix : csr_array, shape (n, n)
        Not negative, zero on the diagonal, rows and columns in the order of ``units``.
    units : Index
    row_sums : ndarray, shape (n,)
    row_standardised : bool
        Whether every row sums to one, so that no unit is an island.
    """

    matrix: csr_array = field(repr=False)
    units: pd.Index = field(repr=False)
    row_sums: np.ndarray = field(repr=False)
    row_standardised: bool

    @property
    def islands(self) -> tuple:
        """Units without neighbours (孤岛)."""
        return tuple(self.units[self.row_sums == 0])

    @cached_property
    def spectrum(self) -> tuple[np.ndarray, tuple[float, float]]:
        """See :func:`clusterlib.spatial_panel.jacobians.spectrum`; found once however many models are estimated."""
        from clusterlib.spatial_panel.jacobians import spectrum

        return spectrum(self)


def _listed(ids) -> str:
    shown = ", ".join(map(str, ids[:_SHOWN]))
    return shown + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")


def _check_ids(ids: pd.Index, units: pd.Index) -> None:
    absent, surplus = units.difference(ids, sort=False), ids.difference(units, sort=False)
    parts = []
    if len(absent):
        parts.append(f"{len(absent)} unit(s) of the panel are not in the weights: {_listed(absent)}")
    if len(surplus):
        parts.append(f"{len(surplus)} unit(s) of the weights are not in the panel: {_listed(surplus)}")
    if parts:
        raise InvalidInputError(
            "; ".join(parts) + f"; build the weights from the panel's own units (the panel's are {units.dtype}, "
            f"the weights' {ids.dtype})"
        )


def _labelled(w) -> tuple[object, pd.Index | None]:
    """Return a matrix and its labels, None for a matrix that has none."""
    if hasattr(w, "unique_ids") and hasattr(w, "sparse"):
        return w.sparse, pd.Index(w.unique_ids)
    if isinstance(w, Weights):
        return w.matrix, w.units
    if isinstance(w, pd.DataFrame):
        if not w.index.equals(w.columns):
            raise InvalidInputError("weights: a DataFrame needs the same units as index and columns, in one order")
        return w.to_numpy(float), w.index
    return w, None


def align_weights(w, units: pd.Index, name: str = "w") -> Weights:
    """Set weights in the order of a panel's units (权重与面板单位对齐).

    Parameters
    ----------
    w : Graph, DataFrame, array, sparse matrix or Weights
        A libpysal ``Graph`` or a labelled DataFrame is aligned by its units; an array or sparse matrix is taken to
        be in the order of ``units``. Weights are used as they are given: they are not row-standardised here. What this
        function returned for the same units comes back as it is, so that many models can share it.
    units : Index
        Sorted units of the panel.
    name : str
        What messages call the weights.

    Returns
    -------
    Weights

    Raises
    ------
    InvalidInputError
        For units that only one side has, another shape, a negative or missing weight, a unit that is its own
        neighbour, or no neighbours at all.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> align_weights(np.array([[0.0, 1.0], [1.0, 0.0]]), pd.Index(["a", "b"])).row_standardised
    True
    """
    from scipy.sparse import csr_array, issparse

    if isinstance(w, Weights) and w.units.equals(units):
        return w
    matrix, ids = _labelled(w)
    if not issparse(matrix):
        matrix = np.asarray(matrix, dtype=float)
    n = len(units)
    if ids is not None:
        _check_ids(ids, units)
    elif matrix.shape != (n, n):
        raise InvalidInputError(
            f"{name}: expected {n} x {n}, rows and columns in the order of the sorted units, got "
            f"{' x '.join(map(str, matrix.shape))}; or give a Graph, which is aligned by its ids"
        )
    matrix = csr_array(matrix, dtype=float)
    if ids is not None:
        order = ids.get_indexer(units)
        matrix = csr_array(matrix[order][:, order])
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    _check_values(matrix, units, name)
    row_sums = np.asarray(matrix.sum(axis=1)).ravel()
    return Weights(matrix, units, row_sums, bool(np.allclose(row_sums, 1, rtol=0, atol=1e-8)))


def _check_values(matrix: csr_array, units: pd.Index, name: str) -> None:
    if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        row = matrix.tocoo().coords[0][np.argmax(~(np.isfinite(matrix.data) & (matrix.data >= 0)))]
        raise InvalidInputError(f"{name}: negative, missing or infinite weight in the row of {units[row]}")
    own = units[matrix.diagonal() != 0]
    if len(own):
        raise InvalidInputError(f"{name}: {_listed(own)} is its own neighbour; set the diagonal to zero")
    if matrix.nnz == 0:
        raise InvalidInputError(f"{name}: no unit has a neighbour")

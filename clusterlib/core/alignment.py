"""Spatial weights in the order of the units (空间权重对齐): one convention for ``w`` in every function."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from clusterlib.core.checks import listed
from clusterlib.errors import ClusterlibWarning, InvalidInputError

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from libpysal.weights import W
    from scipy.sparse import csr_array

    WeightsLike: TypeAlias = "Graph | W | pd.DataFrame | np.ndarray | csr_array | Weights"

# Up to this size all eigenvalues are found; beyond, factors and interpolation are quicker.
EIGEN_UNITS = 150
_EXPECTED = "expected weights as a Graph, a W or a labelled square DataFrame"


@dataclass(frozen=True, eq=False)
class Weights:
    """Spatial weights of units.

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

    @classmethod
    def of(cls, matrix: csr_array, units: pd.Index) -> Weights:
        """Return the weights of a checked matrix."""
        sums = np.asarray(matrix.sum(axis=1)).ravel()
        return cls(matrix, units, sums, bool(np.allclose(sums, 1, rtol=0, atol=1e-8)))

    @property
    def islands(self) -> tuple:
        """Units without neighbours (孤岛)."""
        return tuple(self.units[self.row_sums == 0])

    def standardised(self) -> Weights:
        """Return the weights with each row divided by its sum (行标准化); an island keeps its row of zeros."""
        matrix = self.matrix.copy()
        sums = np.where(self.row_sums > 0, self.row_sums, 1.0)
        matrix.data = matrix.data / np.repeat(sums, np.diff(matrix.indptr))
        return Weights.of(matrix, self.units)

    def binary(self) -> Weights:
        """Return the weights with every one that is not zero set to one."""
        matrix = self.matrix.copy()
        matrix.data = np.ones_like(matrix.data)
        return Weights.of(matrix, self.units)

    @cached_property
    def spectrum(self) -> tuple[np.ndarray, tuple[float, float]]:
        r"""Eigenvalues (特征值), and between which values rho is admissible; found once for all models of the weights.

        The interval is :math:`(1/\omega_{\min}, 1/\omega_{\max})` where all eigenvalues are known to be real, and
        otherwise that in which :math:`|\rho|` times the spectral radius is below one.
        """
        symmetric = symmetric_form(self.matrix)
        if symmetric is None:
            eigenvalues = np.linalg.eigvals(self.matrix.toarray())
            radius = spectral_radius(self)
            lower, upper = -1 / radius, 1 / radius
        else:
            eigenvalues = np.linalg.eigvalsh(symmetric)
            lower, upper = 1 / eigenvalues.min(), 1 / eigenvalues.max()
        return eigenvalues, (lower * (1 - 1e-6), upper * (1 - 1e-6))


def symmetric_form(w: csr_array) -> np.ndarray | None:
    r"""Return the dense symmetric matrix :math:`D^{1/2} W D^{-1/2}` if W has one, else None.

    Weights made from symmetric ones by standardising rows have real eigenvalues, those of this matrix.
    """
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    dense = w.toarray()
    if not np.array_equal(dense > 0, dense.T > 0):
        return None
    count, label = connected_components(w, directed=False)
    log_scale = np.zeros(len(dense))
    for component in range(count):
        order, before = breadth_first_order(w, np.argmax(label == component), directed=False)
        for node in order[1:]:
            parent = before[node]
            log_scale[node] = log_scale[parent] + np.log(dense[parent, node] / dense[node, parent])
    root = np.exp(log_scale / 2)
    similar = dense * np.divide.outer(root, root)
    return (similar + similar.T) / 2 if np.allclose(similar, similar.T, rtol=1e-9, atol=1e-14) else None


def spectral_radius(weights: Weights) -> float:
    """Return the largest modulus of the eigenvalues of W (谱半径), or one, its bound, if rows sum to one or are empty.

    Raises
    ------
    InvalidInputError
        If it is nil: no unit is its neighbours' neighbour over any path, and rho has no bounds.
    """
    from scipy.sparse.csgraph import connected_components

    w, sums = weights.matrix, weights.row_sums
    n = len(sums)
    if connected_components(w, directed=True, connection="strong")[0] == n:
        raise InvalidInputError("weights: no unit is, over any path, a neighbour of its neighbours: rho has no bounds")
    if np.allclose(sums[sums > 0], 1, rtol=0, atol=1e-8):
        return 1.0
    if n <= EIGEN_UNITS:
        return float(np.abs(np.linalg.eigvals(w.toarray())).max())
    from scipy.sparse.linalg import eigs

    start = np.random.default_rng(0).uniform(0.5, 1.5, n)
    largest = eigs(w, k=1, which="LM", v0=start, tol=1e-8, return_eigenvectors=False)  # type: ignore[arg-type]
    return float(np.abs(largest).max())


def _labelled(w: Any, name: str) -> tuple[Any, pd.Index | None]:
    """Return a matrix and its labels, None for a matrix that has none."""
    if isinstance(w, Weights):
        return w.matrix, w.units
    if hasattr(w, "unique_ids") and hasattr(w, "sparse"):
        return w.sparse, pd.Index(w.unique_ids)
    if hasattr(w, "id_order") and hasattr(w, "sparse"):
        return w.sparse, pd.Index(w.id_order)
    if isinstance(w, pd.DataFrame):
        twice = w.index.has_duplicates or w.columns.has_duplicates
        if twice or len(w.index) != len(w.columns) or not w.columns.isin(w.index).all():
            raise InvalidInputError(
                f"{name}: a DataFrame of weights needs the same units as index and columns, each once"
            )
        try:
            return w.reindex(columns=w.index).to_numpy(dtype=float), w.index
        except (TypeError, ValueError):
            raise InvalidInputError(f"{name}: a missing weight, or one that is no number") from None
    return w, None


def _check_ids(ids: pd.Index, units: pd.Index, name: str) -> None:
    absent, surplus = units.difference(ids, sort=False), ids.difference(units, sort=False)
    parts = []
    if len(absent):
        parts.append(f"{len(absent)} unit(s) have values but no weights: {listed(absent)}")
    if len(surplus):
        parts.append(f"{len(surplus)} unit(s) have weights but no values: {listed(surplus)}")
    if parts:
        raise InvalidInputError(
            f"{name}: {'; '.join(parts)}; make the weights of just the units that have values (whose labels are "
            f"{units.dtype}, the weights' {ids.dtype})"
        )


def _label_call(name: str) -> str:
    return f"pd.DataFrame({name}, index=units, columns=units)"


def _check_shape(matrix: Any, given: pd.Index, name: str) -> None:
    n = len(given)
    if getattr(matrix, "shape", None) != (n, n):
        shape = " x ".join(map(str, getattr(matrix, "shape", ()))) or type(matrix).__name__
        raise InvalidInputError(
            f"{name}: expected {n} x {n}, a row and a column a unit, got {shape}; label the matrix, as with "
            f"{_label_call(name)}, and it is aligned by its units"
        )
    if not given.is_monotonic_increasing:
        warnings.warn(
            f"{name}: a matrix without labels is taken in the order in which the units first stand in the data "
            f"({listed(given, 3)}), which is not their sorted order; label it, as with {_label_call(name)}",
            ClusterlibWarning,
            stacklevel=4,
        )


def align_weights(w: WeightsLike, units: pd.Index, name: str = "w", *, given: pd.Index | None = None) -> Weights:
    """Set weights in the order of the units (权重与单位对齐).

    Parameters
    ----------
    w : Graph, W, DataFrame or Weights
        Aligned by its labels. An array or sparse matrix has none: it is taken in the order in which the units first
        stand in the data, with a warning where that is not their sorted order. Weights are used as they are given:
        they are not row-standardised here. What this function returned for the same units comes back as it is, so
        that many models can share it.
    units : Index
        In the order that is wanted.
    name : str
        What messages call the weights.
    given : Index, optional
        The units in the order in which they first stand in the data, by default ``units``.

    Returns
    -------
    Weights

    Raises
    ------
    InvalidInputError
        For something that is no weights, units that only one side has, another shape, a negative or missing weight, a
        unit that is its own neighbour, or no neighbours at all.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> align_weights(np.array([[0.0, 1.0], [1.0, 0.0]]), pd.Index(["a", "b"])).row_standardised
    True
    """
    from scipy.sparse import csr_array, issparse

    if isinstance(w, Weights) and w.units.equals(units):
        return w
    matrix, ids = _labelled(w, name)
    if np.iscomplexobj(w):  # type: ignore[arg-type]
        raise InvalidInputError(f"{name}: {_EXPECTED}, got complex numbers")
    if not issparse(matrix):
        if ids is None and not isinstance(matrix, (np.ndarray, list)):
            raise InvalidInputError(f"{name}: {_EXPECTED}, got a {type(w).__name__}")
        try:
            matrix = np.asarray(matrix, dtype=float)
        except (TypeError, ValueError):
            raise InvalidInputError(f"{name}: {_EXPECTED}, got a matrix that does not hold numbers") from None
    if ids is None:
        ids = units if given is None else given
        _check_shape(matrix, ids, name)
    else:
        _check_ids(ids, units, name)
    same = ids.equals(units)
    # What the user holds must not change with the zeros that are dropped here.
    matrix = csr_array(matrix, dtype=float, copy=same)
    if not same:
        order = ids.get_indexer(units)
        matrix = csr_array(matrix[order][:, order])
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    _check_weights(matrix, units, name)
    return Weights.of(matrix, units)


def _check_weights(matrix: csr_array, units: pd.Index, name: str) -> None:
    sound = np.isfinite(matrix.data) & (matrix.data >= 0)
    if not sound.all():
        row = matrix.tocoo().coords[0][np.argmax(~sound)]
        raise InvalidInputError(
            f"{name}: negative, missing or infinite weight in the row of {units[row]}: weights must be finite and not "
            "negative"
        )
    own = units[matrix.diagonal() != 0]
    if len(own):
        raise InvalidInputError(f"{name}: {listed(own)} is its own neighbour; set the diagonal to zero")
    if matrix.nnz == 0:
        raise InvalidInputError(f"{name}: no unit has a neighbour")


def require_neighbours(weights: Weights) -> Weights:
    """Return the weights if every unit has a neighbour.

    Raises
    ------
    InvalidInputError
        Naming the islands.
    """
    if weights.islands:
        raise InvalidInputError(
            f"no neighbours: {listed(weights.islands)}; use contiguity(..., islands='nearest') or k_nearest(...), or "
            "leave these units out"
        )
    return weights


def first_seen(index: pd.Index) -> pd.Index:
    """Return the units of a panel, or of a Series by unit, in the order in which they first stand in the data."""
    return index.unique() if index.nlevels == 1 else index.get_level_values(0).unique()


def weight_labels(w: WeightsLike, name: str = "w") -> pd.Index | None:
    """Return the units that label weights, None for a matrix without labels.

    Raises
    ------
    InvalidInputError
        For a DataFrame that does not have the same units as index and columns.
    """
    return _labelled(w, name)[1]

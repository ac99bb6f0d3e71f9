r"""The Jacobian :math:`\ln|I - \rho W|` (雅可比项), its derivatives and solutions with :math:`I - \rho W`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterlib.core.alignment import EIGEN_UNITS, Weights, spectral_radius
from clusterlib.core.checks import check_choice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from scipy.sparse import csc_array

JACOBIANS = ("auto", "eigen", "lu")
DENSE_UNITS = 2_000
DENSE_SHARE = 0.1
_NODES = (24, 36, 64)
_MAXIMUM_NODES = 512
_SHARES = (0.8, 0.95, 0.999)
_TAIL = 1e-9
_SYMMETRIC = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}


class Factor:
    r"""LU factors of :math:`I - \rho W`: sparse, or dense where more than a tenth of the weights are not zero.

    No pivots are sought in the sparse case: inside the admissible interval :math:`I - \rho W` is an H-matrix, for
    which elimination in any symmetric order is stable.
    """

    def __init__(self, system: System, rho: float) -> None:
        from scipy.linalg import lu_factor
        from scipy.sparse.linalg import splu

        self._order = system.order
        if system.order is None:
            self._lu: Any = lu_factor(np.eye(system.n) - rho * system.dense)
            diagonal = np.diagonal(self._lu[0])
        else:
            self._lu = splu(system.matrix(rho), permc_spec="NATURAL", **_SYMMETRIC)
            diagonal = self._lu.U.diagonal()
        self.log_determinant = float(np.log(np.abs(diagonal)).sum())

    def solve(self, right: np.ndarray, transposed: bool = False) -> np.ndarray:
        r"""Return :math:`(I - \rho W)^{-1} B`, or with the transpose of the matrix."""
        from scipy.linalg import lu_solve

        if self._order is None:
            return lu_solve(self._lu, right, trans=int(transposed))
        solution = np.empty_like(right)
        solution[self._order] = self._lu.solve(right[self._order], trans="T" if transposed else "N")
        return solution


class System:
    r"""What all factors of :math:`I - \rho W` share: one order of elimination and one pattern."""

    def __init__(self, weights: Weights) -> None:
        from scipy.sparse import csc_array, eye_array
        from scipy.sparse.linalg import splu

        w = weights.matrix
        self.n = len(weights.units)
        self.order: np.ndarray | None = None
        self._latest: tuple[float, Factor] | None = None
        if w.nnz > DENSE_SHARE * self.n**2:
            self.dense = w.toarray()
            return
        pattern = (eye_array(self.n) - 0.5 / spectral_radius(weights) * w).tocsc()
        self.order = np.argsort(splu(pattern, permc_spec="MMD_AT_PLUS_A", **_SYMMETRIC).perm_c)
        w = w[self.order][:, self.order]
        self._matrix = csc_array(w + eye_array(self.n))
        self._matrix.sort_indices()
        columns = np.repeat(np.arange(self.n), np.diff(self._matrix.indptr))
        self._unit = (self._matrix.indices == columns).astype(float)
        self._weight = np.where(self._unit == 1, 0.0, self._matrix.data)

    def __getstate__(self) -> dict:
        # Factors hold memory of SuperLU, which cannot be pickled; they are made again when they are asked for.
        return self.__dict__ | {"_latest": None}

    def matrix(self, rho: float) -> csc_array:
        r"""Return :math:`I - \rho W` in the order of elimination, in the same memory each time."""
        self._matrix.data = self._unit - rho * self._weight
        return self._matrix

    def factor(self, rho: float) -> Factor:
        """Return the factors at rho, kept until those at another value are asked for."""
        if self._latest is None or self._latest[0] != rho:
            self._latest = rho, Factor(self, rho)
        return self._latest[1]


class Jacobian:
    """What both ways to the Jacobian share; nothing is found before it is asked for.

    Attributes
    ----------
    weights : Weights
    method : str
    intervals : list of (float, float)
        Between which values rho is sought, each interval wider than the one before it.
    """

    method: str
    intervals: list[tuple[float, float]]

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @property
    def interval(self) -> tuple[float, float]:
        """The widest of the intervals."""
        return self.intervals[-1]

    @cached_property
    def system(self) -> System:
        """The factors of the weights."""
        return System(self.weights)

    def log_determinant(self, rho: ArrayLike) -> np.ndarray:
        r"""Return :math:`\ln|I - \rho W|` at each rho."""
        raise NotImplementedError

    def traces(self, rho: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        r"""Return traces of G and of its square at each rho, with :math:`G = W (I - \rho W)^{-1}`."""
        raise NotImplementedError

    def trace(self, rho: ArrayLike, power: int = 1) -> np.ndarray:
        r"""Return :math:`\operatorname{tr} G` or :math:`\operatorname{tr} G^2` at each rho."""
        return self.traces(rho)[power - 1]


class EigenJacobian(Jacobian):
    r"""Jacobian by eigenvalues :math:`\omega_i` of W: :math:`\ln|I - \rho W| = \sum_i \ln(1 - \rho \omega_i)`."""

    method = "eigen"

    @cached_property
    def intervals(self) -> list[tuple[float, float]]:
        return [self.weights.spectrum[1]]

    def log_determinant(self, rho: ArrayLike) -> np.ndarray:
        return np.log(np.abs(1 - np.multiply.outer(rho, self.weights.spectrum[0]))).sum(axis=-1)

    def trace(self, rho: ArrayLike, power: int = 1) -> np.ndarray:
        return np.real(self._eigenvalues_of_g(rho) ** power).sum(axis=-1)

    def traces(self, rho: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        each = self._eigenvalues_of_g(rho)
        return np.real(each).sum(axis=-1), np.real(each**2).sum(axis=-1)

    def _eigenvalues_of_g(self, rho: ArrayLike) -> np.ndarray:
        eigenvalues = self.weights.spectrum[0]
        return eigenvalues / (1 - np.multiply.outer(rho, eigenvalues))


class InterpolatedJacobian(Jacobian):
    r"""Jacobian by LU factors at Chebyshev nodes, interpolated between them.

    Nodes lie on :math:`u = \ln\frac{1 + \rho r}{1 - \rho r}`, with :math:`r` the spectral radius of W. In u the
    Jacobian has no singularity near the real line, even where rho nears its bounds, so the interpolant converges
    geometrically and its derivatives :math:`-\operatorname{tr} G` and :math:`-\operatorname{tr} G^2` are as good. The
    number of nodes is doubled until the last coefficients fall below :math:`10^{-9}` of the largest. There are
    interpolants up to 80, 95 and 99.9 % of the bounds, each made when a value within its reach is first asked for.
    """

    method = "lu"

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._series: dict[float, list[np.ndarray]] = {}

    @cached_property
    def _bound(self) -> float:
        return 1 / spectral_radius(self.weights)

    @cached_property
    def intervals(self) -> list[tuple[float, float]]:
        return [(-share * self._bound, share * self._bound) for share in _SHARES]

    def _u(self, rho: ArrayLike) -> np.ndarray:
        return 2 * np.arctanh(np.asarray(rho) / self._bound)

    def _interpolant(self, limit: float) -> list[np.ndarray]:
        """Chebyshev coefficients up to a limit, and those of the first two derivatives."""
        from numpy.polynomial import chebyshev

        def at_node(scaled: float) -> float:
            return self.system.factor(float(self._bound * np.tanh(scaled * self._u(limit) / 2))).log_determinant

        if limit not in self._series:
            nodes = _NODES[[high for _, high in self.intervals].index(limit)]
            coefficients = interpolate(at_node, nodes)
            while np.abs(coefficients[-4:]).max() > _TAIL * np.abs(coefficients).max() and nodes < _MAXIMUM_NODES:
                nodes *= 2
                coefficients = interpolate(at_node, nodes)
            self._series[limit] = [coefficients, *(chebyshev.chebder(coefficients, order) for order in (1, 2))]
        return self._series[limit]

    def _derivative(self, rho: ArrayLike, order: int) -> np.ndarray:
        """Derivative of the interpolant with respect to u."""
        from numpy.polynomial import chebyshev

        rho = np.asarray(rho, dtype=float)
        reach = np.abs(rho).max() * (1 - 1e-12)
        limit = next((high for _, high in self.intervals if reach <= high), self.interval[1])
        scale = self._u(limit)
        return chebyshev.chebval(self._u(rho) / scale, self._interpolant(limit)[order]) / scale**order

    def log_determinant(self, rho: ArrayLike) -> np.ndarray:
        return self._derivative(rho, 0)

    def traces(self, rho: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        rho = np.asarray(rho)
        below, above = 1 / (self._bound + rho), 1 / (self._bound - rho)
        first, slope = below + above, self._derivative(rho, 1)
        return -slope * first, -self._derivative(rho, 2) * first**2 - slope * (above**2 - below**2)


def interpolate(function: Callable[[float], float], nodes: int) -> np.ndarray:
    """Return the Chebyshev coefficients of a function between -1 and 1 by its values at this many nodes."""
    from numpy.polynomial import chebyshev

    # numpy's stubs know only functions that give one number for all nodes.
    return chebyshev.chebinterpolate(lambda scaled: np.array(list(map(function, scaled))), nodes - 1)  # type: ignore


def make_jacobian(weights: Weights, method: str = "auto") -> Jacobian:
    r"""Return the Jacobian of these weights (雅可比项).

    Parameters
    ----------
    weights : Weights
    method : {"auto", "eigen", "lu"}
        Eigenvalues, or LU factors with Chebyshev interpolation in rho; by default eigenvalues up to 150 units, or
        2,000 where more than a tenth of the weights are not zero.

    Raises
    ------
    UnknownNameError
        For another method.

    References
    ----------
    Ord, K. (1975). Journal of the American Statistical Association 70, eq. (4.2). Pace, R. K. and Barry, R. (1997).
    Geographical Analysis 29, 232-247.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.core.alignment import align_weights
    >>> pair = align_weights(np.array([[0.0, 1.0], [1.0, 0.0]]), pd.Index(["a", "b"]))
    >>> float(np.exp(make_jacobian(pair).log_determinant(0.5)).round(6))
    0.75
    """
    check_choice("jacobian", method, JACOBIANS)
    n = len(weights.units)
    dense = weights.matrix.nnz > DENSE_SHARE * n**2
    small = n <= (DENSE_UNITS if dense else EIGEN_UNITS)
    if method == "eigen" or (method == "auto" and small):
        return EigenJacobian(weights)
    return InterpolatedJacobian(weights)

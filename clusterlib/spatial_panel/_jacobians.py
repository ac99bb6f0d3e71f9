r"""The Jacobian :math:`\ln|I - \rho W|` (雅可比项), its derivatives and solutions with :math:`I - \rho W`."""

from __future__ import annotations

import numpy as np

from clusterlib.core.alignment import EIGEN_UNITS, Weights, spectral_radius
from clusterlib.errors import UnknownNameError

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
            self._lu = lu_factor(np.eye(system.n) - rho * system.dense)
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
        self.n = w.shape[0]
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

    def matrix(self, rho: float):
        r"""Return :math:`I - \rho W` in the order of elimination, in the same memory each time."""
        self._matrix.data = self._unit - rho * self._weight
        return self._matrix

    def factor(self, rho: float) -> Factor:
        """Return the factors at rho, kept until those at another value are asked for."""
        if self._latest is None or self._latest[0] != rho:
            self._latest = rho, Factor(self, rho)
        return self._latest[1]


class EigenJacobian:
    r"""Jacobian by eigenvalues :math:`\omega_i` of W: :math:`\ln|I - \rho W| = \sum_i \ln(1 - \rho \omega_i)`."""

    method = "eigen"

    def __init__(self, weights: Weights) -> None:
        self.eigenvalues, self.interval = weights.spectrum
        self.intervals = [self.interval]

    def log_determinant(self, rho) -> np.ndarray:
        r"""Return :math:`\ln|I - \rho W|` at each rho."""
        return np.log(np.abs(1 - np.multiply.outer(rho, self.eigenvalues))).sum(axis=-1)

    def trace(self, rho, power: int = 1) -> np.ndarray:
        r"""Return :math:`\operatorname{tr} G^p`, with :math:`G = W (I - \rho W)^{-1}`, at each rho."""
        return np.real(self._eigenvalues_of_g(rho) ** power).sum(axis=-1)

    def traces(self, rho) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`\operatorname{tr} G` and :math:`\operatorname{tr} G^2` at each rho."""
        each = self._eigenvalues_of_g(rho)
        return np.real(each).sum(axis=-1), np.real(each**2).sum(axis=-1)

    def _eigenvalues_of_g(self, rho) -> np.ndarray:
        return self.eigenvalues / (1 - np.multiply.outer(rho, self.eigenvalues))


class InterpolatedJacobian:
    r"""Jacobian by LU factors at Chebyshev nodes, interpolated between them.

    Nodes lie on :math:`u = \ln\frac{1 + \rho r}{1 - \rho r}`, with :math:`r` the spectral radius of W. In u the
    Jacobian has no singularity near the real line, even where rho nears its bounds, so the interpolant converges
    geometrically and its derivatives :math:`-\operatorname{tr} G` and :math:`-\operatorname{tr} G^2` are as good. The
    number of nodes is doubled until the last coefficients fall below :math:`10^{-9}` of the largest. There are
    interpolants up to 80, 95 and 99.9 % of the bounds, each made when a value within its reach is first asked for.
    """

    method = "lu"

    def __init__(self, weights: Weights, system: System) -> None:
        self._system = system
        self._bound = 1 / spectral_radius(weights)
        self._limits = [share * self._bound for share in _SHARES]
        self.intervals = [(-limit, limit) for limit in self._limits]
        self.interval = self.intervals[-1]
        self._series: dict[float, list[np.ndarray]] = {}

    def _u(self, rho) -> np.ndarray:
        return 2 * np.arctanh(np.asarray(rho) / self._bound)

    def _interpolant(self, limit: float) -> list[np.ndarray]:
        """Chebyshev coefficients up to a limit, and those of the first two derivatives."""
        from numpy.polynomial import chebyshev

        def at_nodes(scaled: np.ndarray) -> list[float]:
            rhos = self._bound * np.tanh(scaled * self._u(limit) / 2)
            return [self._system.factor(rho).log_determinant for rho in rhos]

        if limit not in self._series:
            nodes = _NODES[self._limits.index(limit)]
            coefficients = chebyshev.chebinterpolate(at_nodes, nodes - 1)
            while np.abs(coefficients[-4:]).max() > _TAIL * np.abs(coefficients).max() and nodes < _MAXIMUM_NODES:
                nodes *= 2
                coefficients = chebyshev.chebinterpolate(at_nodes, nodes - 1)
            self._series[limit] = [coefficients, *(chebyshev.chebder(coefficients, order) for order in (1, 2))]
        return self._series[limit]

    def _derivative(self, rho, order: int) -> np.ndarray:
        """Derivative of the interpolant with respect to u."""
        from numpy.polynomial import chebyshev

        rho = np.asarray(rho, dtype=float)
        reach = np.abs(rho).max() * (1 - 1e-12)
        limit = next((limit for limit in self._limits if reach <= limit), self._limits[-1])
        scale = self._u(limit)
        return chebyshev.chebval(self._u(rho) / scale, self._interpolant(limit)[order]) / scale**order

    def log_determinant(self, rho) -> np.ndarray:
        r"""Return :math:`\ln|I - \rho W|` at each rho."""
        return self._derivative(rho, 0)

    def trace(self, rho, power: int = 1) -> np.ndarray:
        r"""Return :math:`\operatorname{tr} G` or :math:`\operatorname{tr} G^2` at each rho."""
        return self.traces(rho)[power - 1]

    def traces(self, rho) -> tuple[np.ndarray, np.ndarray]:
        r"""Return :math:`\operatorname{tr} G` and :math:`\operatorname{tr} G^2` at each rho."""
        rho = np.asarray(rho)
        below, above = 1 / (self._bound + rho), 1 / (self._bound - rho)
        first, slope = below + above, self._derivative(rho, 1)
        return -slope * first, -self._derivative(rho, 2) * first**2 - slope * (above**2 - below**2)


def make_jacobian(weights: Weights, system: System, method: str = "auto") -> EigenJacobian | InterpolatedJacobian:
    r"""Return the Jacobian of these weights (雅可比项).

    Parameters
    ----------
    weights : Weights
    system : System
        Of these weights.
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
    >>> float(np.exp(make_jacobian(pair, System(pair)).log_determinant(0.5)).round(6))
    0.75
    """
    if method not in JACOBIANS:
        raise UnknownNameError("jacobian", method, JACOBIANS)
    n = weights.matrix.shape[0]
    dense = weights.matrix.nnz > DENSE_SHARE * n**2
    small = n <= (DENSE_UNITS if dense else EIGEN_UNITS)
    if method == "eigen" or (method == "auto" and small):
        return EigenJacobian(weights)
    return InterpolatedJacobian(weights, system)

"""How a change travels through a network of units: the multiplier of a spatial lag (空间乘数)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clusterlib.errors import InvalidInputError

# Beyond, rounds take longer than a system of equations.
_SLOW = 0.9


def propagate(matrices: Sequence, rhos: np.ndarray, impulses: np.ndarray) -> np.ndarray:
    r"""Solve for what impulses come to once they have passed between neighbours (空间乘数传导).

    .. math:: y = \sum_a \rho_a W_a y + z, \qquad y = \Bigl(I - \sum_a \rho_a W_a\Bigr)^{-1} z

    by :math:`y \leftarrow \sum_a \rho_a W_a y + z`, for all draws of the rhos at once and without an inverse: rows of
    the matrices together sum to at most one, so every round brings y nearer by the factor :math:`\max_a |\rho_a|`.
    Draws with a rho beyond 0.9 in modulus are solved as systems of equations.

    Parameters
    ----------
    matrices : sequence of sparse or dense matrices, shape (units, units)
        Not negative; together their rows sum to at most one.
    rhos : ndarray, shape (matrices, draws)
        Each below one in modulus: the process is then stable.
    impulses : ndarray, shape (units, ..., draws) or (units, ..., 1)
        What each unit gets first.

    Returns
    -------
    ndarray, shape (units, ..., draws)

    Raises
    ------
    InvalidInputError
        For a rho of one or more in modulus, and rows that sum to more than one.

    Examples
    --------
    >>> import numpy as np
    >>> pair = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> propagate([pair], np.array([[0.5]]), np.array([[1.0], [0.0]])).round(4).tolist()
    [[1.3333], [0.6667]]
    """
    rhos = np.asarray(rhos, float)
    largest = float(np.abs(rhos).max())
    if not largest < 1:
        raise InvalidInputError(f"a rho of {largest:.4g} in modulus: from one on, impulses grow without end")
    sums = sum(np.asarray(matrix.sum(axis=1)).ravel() for matrix in matrices)
    if sums.max() > 1 + 1e-9:
        raise InvalidInputError(f"a row of the weights sums to {sums.max():.4g}: row-standardise them")
    shape = np.broadcast_shapes(impulses.shape, (*impulses.shape[:-1], rhos.shape[1]))
    first, reached = np.broadcast_to(impulses, shape), np.empty(shape)
    slow = np.abs(rhos).max(axis=0) > _SLOW
    reached[..., ~slow] = _in_rounds(matrices, rhos[:, ~slow], first[..., ~slow])
    dense = [matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix) for matrix in matrices]
    for draw in np.flatnonzero(slow):
        system = np.eye(len(first)) - np.tensordot(rhos[:, draw], np.stack(dense), 1)
        reached[..., draw] = np.linalg.solve(system, first[..., draw])
    return reached


def _in_rounds(matrices: Sequence, rhos: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Pass impulses on so often that nothing above rounding is left to pass."""
    largest = float(np.abs(rhos).max(initial=0.0))
    rounds = int(np.ceil(np.log(np.finfo(float).eps) / np.log(largest))) if largest > 0 else 0
    reached = first
    for _ in range(rounds):
        flat = reached.reshape(len(reached), -1)
        passed = [rho * (matrix @ flat).reshape(first.shape) for matrix, rho in zip(matrices, rhos, strict=True)]
        reached = first + sum(passed)
    return reached

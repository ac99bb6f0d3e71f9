"""How a change travels through a network of units: the multiplier of a spatial lag (空间乘数)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clusterlib.errors import InvalidInputError

# Beyond, rounds take longer than a system of equations.
_SLOW = 0.9
# Draws of like rhos go together, so that the few with large ones do not set the rounds of all.
_TOGETHER = 200


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
    furthest = np.abs(rhos).max(axis=0)
    order = np.argsort(furthest)
    fast, slow = np.split(order, [np.count_nonzero(furthest <= _SLOW)])
    for some in np.array_split(fast, -(-len(fast) // _TOGETHER) or 1):
        reached[..., some] = _in_rounds(matrices, rhos.take(some, axis=1), first.take(some, axis=-1))
    dense = [matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix) for matrix in matrices]
    for draw in slow:
        system = np.eye(len(first)) - np.tensordot(rhos[:, draw], np.stack(dense), 1)
        reached[..., draw] = np.linalg.solve(system, first[..., draw])
    return reached


def _in_rounds(matrices: Sequence, rhos: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Pass impulses on so often that nothing above rounding is left to pass."""
    from scipy.sparse import csr_array, hstack

    largest = float(np.abs(rhos).max(initial=0.0))
    rounds = int(np.ceil(np.log(np.finfo(float).eps) / np.log(largest))) if largest > 0 else 0
    side_by_side = hstack([csr_array(matrix) for matrix in matrices], format="csr")
    rhos = rhos.reshape(len(matrices), *[1] * (first.ndim - 1), -1)
    reached = first
    for _ in range(rounds):
        shares = (rhos * reached).reshape(side_by_side.shape[1], -1)
        reached = first + (side_by_side @ shares).reshape(first.shape)
    return reached

"""Weights of a synthetic control: least squares over the simplex (单纯形最小二乘)."""

from __future__ import annotations

import numpy as np


def simplex_weights(target: np.ndarray, donors: np.ndarray) -> np.ndarray:
    r"""Return the weights, not negative and summing to one, whose mean of ``donors`` is nearest to ``target``.

    Since weights sum to one, :math:`\|x - Zw\|^2 = \|Aw\|^2` with :math:`A = x 1' - Z`. For :math:`v = sw` with
    :math:`s > 0`, :math:`\min_s \|Av\|^2 + c^2 (1'v - 1)^2` rises with :math:`\|Aw\|^2`, so that non-negative least
    squares of :math:`(A; c 1')` on :math:`(0; c)` gives the minimum exactly for any :math:`c > 0`, without a penalty
    that must be large.

    Parameters
    ----------
    target : array, shape (rows,)
    donors : array, shape (rows, donors)

    Returns
    -------
    array, shape (donors,)
        Not unique where several mixes are as near.
    """
    from scipy.optimize import nnls

    gaps = target[:, None] - donors
    scale = np.sqrt((gaps**2).sum(axis=0).mean())
    if scale == 0:
        return np.full(donors.shape[1], 1 / donors.shape[1])
    solution, _ = nnls(np.vstack([gaps / scale, np.ones(donors.shape[1])]), np.append(np.zeros(len(target)), 1.0))
    return solution / solution.sum()

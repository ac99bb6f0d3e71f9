r"""The arithmetic of Dagum's decomposition, for many weightings of one sample at once.

Everything follows from one matrix, the mean of the positive differences between two groups,

.. math:: D_{jh} = E (X_j - X_h)^+ = \int F_h(x) \, \{1 - F_j(x)\} \, dx,

which a sort, two cumulative sums a group and one count by group give in :math:`O(n k)` time and :math:`O(n)` memory
after the sort. No term is negative, so groups that do not overlap have a transvariation of exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Cells worked on at a time: a handful of arrays of this size stay in a processor's cache.
_CELLS = 20_000


@dataclass(frozen=True)
class Parts:
    """Dagum's decomposition of ``draws`` weightings of a sample with ``k`` groups.

    Attributes
    ----------
    total, within, between, transvariation : ndarray, shape (draws,)
    shares, means : ndarray, shape (draws, k)
        Of the groups.
    excess : ndarray, shape (draws, k, k)
        Mean of the positive differences of the row's group over the column's.
    """

    total: np.ndarray
    within: np.ndarray
    between: np.ndarray
    transvariation: np.ndarray
    shares: np.ndarray
    means: np.ndarray
    excess: np.ndarray

    @property
    def group_gini(self) -> np.ndarray:
        """Gini of each group, zero for a group of zeros; shape (draws, k)."""
        own = np.einsum("djj->dj", self.excess)
        return own / np.where(self.means > 0, self.means, 1.0)

    @property
    def pair_gini(self) -> np.ndarray:
        """Gini between each two groups; shape (draws, k, k)."""
        together = self.means[:, :, None] + self.means[:, None, :]
        return (self.excess + self.excess.transpose(0, 2, 1)) / np.where(together > 0, together, 1.0)


def decompose(values: np.ndarray, weights: np.ndarray, codes: np.ndarray, k: int) -> Parts:
    """Decompose the Gini of sorted values.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In ascending order.
    weights : ndarray, shape (draws, n)
        Of any sum; each group must have some weight.
    codes : ndarray of int, shape (n,)
        Group of each value, from 0 to ``k - 1``.
    k : int
    """
    member = np.equal.outer(codes, np.arange(k)).astype(float)
    size = weights @ member
    shares = size / size.sum(axis=1, keepdims=True)
    means = (weights * values) @ member / size
    gaps = np.diff(values)
    excess = np.empty((len(weights), k, k))
    # For each group h: its distribution below every value, and E(x - X_h)+ as the area under it up to x.
    reach = np.zeros(weights.shape)
    for h in range(k):
        below = np.cumsum(weights * member[:, h], axis=1)[:, :-1] / size[:, [h]]
        np.cumsum(below * gaps, axis=1, out=reach[:, 1:])
        excess[:, :, h] = (weights * reach) @ member / size
    return _assemble(shares, means, excess)


def net_between(values: np.ndarray, weights: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    r"""Net between parts of one weighting under many groupings, shape (draws,).

    The whole decomposition is not needed: by :math:`D_{jh} - D_{hj} = \mu_j - \mu_h`,

    .. math:: G_{nb} = \sum_{j > h} |s_j p_h - p_j s_h|

    Parameters
    ----------
    values, weights : ndarray, shape (n,)
    codes : ndarray of int, shape (draws, n)
    k : int
    """
    draws = len(codes)
    cell = (np.arange(draws)[:, None] * k + codes).ravel()
    population, income = (
        np.bincount(cell, np.broadcast_to(amount / amount.sum(), codes.shape).ravel(), draws * k).reshape(draws, k)
        for amount in (weights, weights * values)
    )
    crossed = income[:, :, None] * population[:, None, :]
    # Each pair stands twice in the matrix.
    return np.abs(crossed - crossed.transpose(0, 2, 1)).sum(axis=(1, 2)) / 2


def _assemble(shares: np.ndarray, means: np.ndarray, excess: np.ndarray) -> Parts:
    overall = (shares * means).sum(axis=1)[:, None, None]
    amount = shares[:, :, None] * shares[:, None, :] * excess / overall
    within = np.einsum("djj->d", amount)
    diagonal = np.arange(amount.shape[1])
    amount[:, diagonal, diagonal] = 0.0
    mirrored = amount.transpose(0, 2, 1)
    # Each pair stands twice in the matrix.
    between = np.abs(amount - mirrored).sum(axis=(1, 2)) / 2
    transvariation = np.minimum(amount, mirrored).sum(axis=(1, 2))
    return Parts(within + between + transvariation, within, between, transvariation, shares, means, excess)


def in_chunks(n: int, draws: int):
    """Yield slices of the draws small enough to be worked on at once."""
    step = max(1, _CELLS // n)
    for start in range(0, draws, step):
        yield slice(start, min(start + step, draws))


def bootstrap_counts(codes: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """How often each observation is drawn when each group is resampled to its own size; shape (draws, n)."""
    counts = np.empty((draws, len(codes)), dtype=np.int32)
    for group in range(codes.max() + 1):
        members = np.flatnonzero(codes == group)
        size = len(members)
        counts[:, members] = random.multinomial(size, np.full(size, 1 / size), draws)
    return counts


def permuted_codes(codes: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """Group labels in random order; shape (draws, n)."""
    return random.permuted(np.tile(codes, (draws, 1)), axis=1)

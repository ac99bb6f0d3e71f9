"""Randomisation (随机化): permutations of values over places, and the p values that they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ALTERNATIVES = ("two-sided", "greater", "less")
# Cells drawn at a time: bounds the memory, and does not change what is drawn.
_BLOCK = 4_000_000
# The same numbers summed in another order differ in the last bits; such sums tie.
_TIE = 1e-10


def check_settings(permutations: int, alternative: str) -> None:
    """Raise unless there is at least one permutation and the alternative is known."""
    if alternative not in ALTERNATIVES:
        raise UnknownNameError("alternative", alternative, ALTERNATIVES)
    if isinstance(permutations, bool) or not isinstance(permutations, (int, np.integer)) or permutations < 1:
        raise InvalidInputError(f"permutations={permutations!r}: expected a whole number of at least one")


def permutation_p(at_least: np.ndarray, at_most: np.ndarray, permutations: int, alternative: str) -> np.ndarray:
    r"""Return p values from how many permutations gave at least, and at most, the observed statistic.

    .. math:: p = \frac{1 + \#}{1 + \text{permutations}}, \quad
              \text{two-sided: twice the smaller of both, at most one}

    Half the two-sided p value is the "directed" one that GeoDa and esda report.
    """
    greater, less = (1 + np.asarray(count, float) for count in (at_least, at_most))
    chosen = {"greater": greater, "less": less, "two-sided": 2 * np.minimum(greater, less)}[alternative]
    return np.minimum(chosen / (1 + permutations), 1.0)


def normal_p(z: np.ndarray, alternative: str) -> np.ndarray:
    """Return p values of standard normal statistics."""
    from scipy.stats import norm

    if alternative == "two-sided":
        return 2 * norm.sf(np.abs(z))
    return norm.sf(z) if alternative == "greater" else norm.cdf(z)


def standardise(difference: np.ndarray, variance: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Divide by the standard deviation; missing where the variance is nil but for rounding, compared with ``scale``."""
    varies = variance > 1e-12 * np.asarray(scale)
    return np.where(varies, difference / np.sqrt(np.where(varies, variance, 1.0)), np.nan)


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted by Benjamini and Hochberg's (1995) procedure (错误发现率校正)."""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p, method="bh")


def tolerance(values: np.ndarray) -> float:
    """Return the difference below which sums of these values are held to be equal."""
    return _TIE * float(np.abs(values).max())


def shuffled(values: np.ndarray, permutations: int, seed: int):
    """Yield blocks of permutations of ``values``, one a row."""
    random = np.random.default_rng(seed)
    rows = max(1, _BLOCK // len(values))
    for start in range(0, permutations, rows):
        yield random.permuted(np.tile(values, (min(rows, permutations - start), 1)), axis=1)


def permuted_products(values: np.ndarray, matrix: csr_array, permutations: int, seed: int) -> np.ndarray:
    """Return the sum over pairs of weight times both values, for permutations of the values over the units."""
    n = len(values)
    # Where most units neighbour each other, sparse storage only slows the products down.
    matrix = matrix.toarray() if matrix.nnz > 0.1 * n * n else matrix
    blocks = shuffled(values, permutations, seed)
    return np.concatenate([np.einsum("pi,ip->p", block, matrix @ block.T) for block in blocks])


def distinct_places(n: int, k: int, draws: int, seed: int) -> np.ndarray:
    """Draw ``k`` different places of ``n`` in every order with the same probability; shape (draws, k)."""
    if k * k > n:
        return np.concatenate([block[:, :k] for block in shuffled(np.arange(n), draws, seed)])
    # Rows that repeat a place are few and drawn anew, which is quicker than shuffling all places for each row.
    random = np.random.default_rng(seed)
    drawn = random.integers(n, size=(draws, k))
    while True:
        ordered = np.sort(drawn, axis=1)
        repeating = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not repeating.any():
            return drawn
        drawn[repeating] = random.integers(n, size=(repeating.sum(), k))


def conditional_counts(
    values: np.ndarray, matrix: csr_array, observed: np.ndarray, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count, for each unit, the lags of its neighbours' places filled from all others that reach the observed lag.

    The unit keeps its value while its neighbours' are drawn without replacement from those of the other units
    (conditional permutation, 条件置换). The same draws serve every unit, as in esda.

    Parameters
    ----------
    values : ndarray, shape (units,)
    matrix : csr_array, shape (units, units)
        Weights with an empty diagonal.
    observed : ndarray, shape (units,)
        Lags, ``matrix @ values``.
    permutations, seed : int

    Returns
    -------
    tuple of ndarray
        How many draws gave at least, and how many at most, the observed lag.
    """
    n, most = len(values), int(np.diff(matrix.indptr).max())
    # Neighbours by rows: the first k rows, which a unit of k neighbours needs, then lie together in memory.
    drawn = distinct_places(n - 1, most, permutations, seed).T.copy()
    at_least, at_most = np.empty(n, int), np.empty(n, int)
    slack = tolerance(values)
    others = values[1:].copy()
    for i in range(n):
        weights = matrix.data[matrix.indptr[i] : matrix.indptr[i + 1]]
        lags = weights @ others.take(drawn[: len(weights)])
        at_least[i] = np.count_nonzero(lags >= observed[i] - slack)
        at_most[i] = np.count_nonzero(lags <= observed[i] + slack)
        if i < n - 1:
            others[i] = values[i]
    return at_least, at_most

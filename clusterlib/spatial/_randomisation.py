"""What tests of spatial patterns share: values and weights, permutations (随机化), the p values that they give."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, require_neighbours
from clusterlib.core.checks import ROUNDING, check_values, listed, snap
from clusterlib.core.resampling import coarse_note, generator, shuffled, tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libpysal.weights import W
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Import esda without a notebook showing that its progress bars find no widget to be drawn with."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        yield


def as_w(weights: Weights) -> W:
    """Return weights as the ``W`` that esda takes."""
    from libpysal.weights import WSP

    return WSP(weights.matrix).to_W(silence_warnings=True)


def with_neighbours(y: Any, w: WeightsLike, row_standardise: bool = True) -> tuple[pd.Series, Weights]:
    """Return one value a unit and the weights of the same units, each of which has a neighbour."""
    y = check_values(y)
    weights = require_neighbours(align_weights(w, y.index))
    return y, weights.standardised() if row_standardise else weights


def standardised(y: pd.Series) -> np.ndarray:
    """Return values less their mean over their standard deviation, of divisor n.

    What differs by rounding only is equal, and at the mean nil.
    """
    values = shares_of_largest(y)
    z = values - values.mean()
    z[np.abs(z) <= ROUNDING] = 0.0
    z /= np.abs(z).max()
    return z / np.sqrt(np.square(z).mean())


def shares_of_largest(y: pd.Series) -> np.ndarray:
    """Return values over the largest, so that no product of theirs leaves the numbers; ties are made ties."""
    return snap(y.to_numpy() / y.abs().max())


def standardise(difference: Any, variance: Any, scale: Any) -> np.ndarray:
    """Divide by the standard deviation; missing where the variance is nil but for rounding, compared with ``scale``."""
    varies = (scale > 0) & (variance > ROUNDING * scale)
    return np.where(varies, difference / np.sqrt(np.where(varies, variance, 1.0)), np.nan)


def normal_p(z: Any, alternative: str) -> np.ndarray:
    """Return p values of standard normal statistics."""
    from scipy.stats import norm

    if alternative == "two-sided":
        return 2 * norm.sf(np.abs(z))
    return norm.sf(z) if alternative == "greater" else norm.cdf(z)


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted by Benjamini and Hochberg's (1995) procedure (错误发现率校正)."""
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p, method="fdr_bh")[1])


def resolution_notes(least: float, permutations: int, alpha: float = 0.05) -> tuple[str, ...]:
    """Say so if ``least``, the smallest p value that the permutations can give, is no evidence."""
    coarse = least > alpha * (1 + ROUNDING)
    return (f"{permutations} permutations: no p value can be below {least:.3g}",) if coarse else ()


def smallest_p(permutations: int, alternative: str) -> float:
    """Return the least p value that so many permutations can give."""
    return (2 if alternative == "two-sided" else 1) / (1 + permutations)


def map_notes(y: pd.Series, permutations: int, alternative: str) -> tuple[str, ...]:
    """Say what keeps the p value of a whole map coarse: few permutations, or few maps that differ."""
    from scipy.special import gammaln

    _, ties = np.unique(snap(y.to_numpy()), return_counts=True)
    maps = float(np.exp(min(gammaln(len(y) + 1) - gammaln(ties + 1).sum(), 50.0)))
    few = coarse_note(maps, f"these values of {len(y)} units")
    return (*resolution_notes(smallest_p(permutations, alternative), permutations), *([few] if few else []))


def local_notes(weights: Weights, permutations: int, alternative: str, alpha: float, fdr: bool) -> tuple[str, ...]:
    """Say what keeps units from being significant: few permutations, or few choices of neighbours."""
    from scipy.special import comb

    n, least = len(weights.units), smallest_p(permutations, alternative)
    notes = resolution_notes(least, permutations, alpha)
    needed = int(np.ceil(least * n / alpha * (1 - ROUNDING)))
    if fdr and needed > 1 and not notes:
        notes = (
            f"{permutations} permutations: the smallest p value is {least:.3g}, with which fewer than {needed} of {n} "
            f"units cannot pass a false discovery rate of {alpha:g}",
        )
    few = weights.units[comb(n - 1, np.diff(weights.matrix.indptr)) * alpha < 1]
    if len(few):
        notes += (f"no p value of {listed(few)} can be below {alpha:g}: too few choices of other neighbours",)
    return notes


def permuted_products(values: np.ndarray, matrix: csr_array, permutations: int, seed: int) -> np.ndarray:
    """Return the sum over pairs of weight times both values, for permutations of the values over the units."""
    n = len(values)
    # Where most units neighbour each other, sparse storage only slows the products down.
    weights = matrix.toarray() if matrix.nnz > 0.1 * n * n else matrix
    blocks = shuffled(values, permutations, generator(seed))
    return np.concatenate([np.einsum("pi,ip->p", block, weights @ block.T) for block in blocks])


def distinct_places(n: int, k: int, draws: int, seed: int) -> np.ndarray:
    """Draw ``k`` different places of ``n`` in every order with the same probability; shape (draws, k)."""
    random = generator(seed)
    if k * k > n:
        return np.concatenate([block[:, :k] for block in shuffled(np.arange(n), draws, random)])
    # Rows that repeat a place are few and drawn anew, which is quicker than shuffling all places for each row.
    drawn = random.integers(n, size=(draws, k))
    while True:
        ordered = np.sort(drawn, axis=1)
        repeating = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not repeating.any():
            return drawn
        drawn[repeating] = random.integers(n, size=(repeating.sum(), k))


def conditional_counts(
    values: np.ndarray, weights: Weights, observed: np.ndarray, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count, for each unit, the lags of its neighbours' places filled from all others that reach the observed lag.

    The unit keeps its value while its neighbours' are drawn without replacement from those of the other units
    (conditional permutation, 条件置换). The same draws serve every unit, as in esda.

    Parameters
    ----------
    values : ndarray, shape (units,)
    weights : Weights
    observed : ndarray, shape (units,)
        Lags, ``weights.matrix @ values``.
    permutations, seed : int

    Returns
    -------
    tuple of ndarray
        How many draws gave at least, and how many at most, the observed lag.
    """
    matrix = weights.matrix
    n, most = len(values), int(np.diff(matrix.indptr).max())
    # Neighbours by rows: the first k rows, which a unit of k neighbours needs, then lie together in memory.
    drawn = distinct_places(n - 1, most, permutations, seed).T.copy()
    at_least, at_most = np.empty(n, int), np.empty(n, int)
    slack = tolerance(values) * weights.row_sums
    others = values[1:].copy()
    for i in range(n):
        row = matrix.data[matrix.indptr[i] : matrix.indptr[i + 1]]
        lags = row @ others.take(drawn[: len(row)])
        at_least[i] = np.count_nonzero(lags >= observed[i] - slack[i])
        at_most[i] = np.count_nonzero(lags <= observed[i] + slack[i])
        if i < n - 1:
            others[i] = values[i]
    return at_least, at_most

"""Resampling (重抽样): seeds, bootstrap and permutation draws, and the p values that they give."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from clusterlib.core.checks import check_choice, check_whole
from clusterlib.core.covariance import is_nested
from clusterlib.core.within import group_means
from clusterlib.errors import InvalidInputError

ALTERNATIVES = ("two-sided", "greater", "less")
# How many values a cluster's weight may have in the wild bootstrap.
WILD_WEIGHTS = {"rademacher": 2, "webb": 6}
# Cells drawn at a time: bounds the memory, and does not change what is drawn.
BLOCK = 4_000_000
# Of draws that are made again because they are not admissible.
_ROUNDS = 100
# The same numbers summed in another order differ in the last bits; such sums tie.
_TIE = 1e-10


def generator(seed: Any) -> np.random.Generator:
    """Return the generator of a seed, the same on every machine.

    Raises
    ------
    InvalidInputError
        For anything but a whole number of at least zero.
    """
    return np.random.default_rng(check_whole("seed", seed))


def streams(seed: Any, count: int) -> list[np.random.Generator]:
    """Return independent generators of one seed, the same however the work is shared out."""
    return [np.random.default_rng(part) for part in np.random.SeedSequence(check_whole("seed", seed)).spawn(count)]


def check_permutations(permutations: Any, alternative: str = "two-sided") -> int:
    """Return the number of permutations if there is at least one and the alternative is known."""
    check_choice("alternative", alternative, ALTERNATIVES)
    return check_whole("permutations", permutations, least=1)


def tolerance(values: np.ndarray) -> float:
    """Return the difference below which sums of these values are held to be equal."""
    return _TIE * float(np.abs(values).max(initial=0.0))


def permutation_p(at_least: Any, at_most: Any, permutations: int, alternative: str = "two-sided") -> np.ndarray:
    r"""Return p values from how many draws gave at least, and at most, the observed statistic, ties counted in both.

    .. math:: p = \frac{1 + \#}{1 + \text{permutations}}, \quad
              \text{two-sided: twice the smaller of both, at most one}

    Half the two-sided p value is the "directed" one that GeoDa and esda report.
    """
    greater, less = (1 + np.asarray(count, float) for count in (at_least, at_most))
    chosen = {"greater": greater, "less": less, "two-sided": 2 * np.minimum(greater, less)}[alternative]
    return np.minimum(chosen / (1 + permutations), 1.0)


def exceedance_p(observed: float, drawn: np.ndarray, alternative: str = "greater", complete: bool = False) -> float:
    r"""Return the p value of a statistic among its draws, ties counted as exceeding.

    Parameters
    ----------
    observed : float
    drawn : ndarray, shape (draws,)
        Missing values are left aside.
    alternative : {"greater", "less", "two-sided"}
        Two-sided compares absolute values, as for a statistic around zero.
    complete : bool
        Whether the draws are all there are, the observed one among them: then :math:`p = \#/\text{draws}`, otherwise
        :math:`(1 + \#) / (1 + \text{draws})`.
    """
    drawn = np.asarray(drawn, float)
    drawn = drawn[~np.isnan(drawn)]
    if alternative == "two-sided":
        observed, drawn = abs(observed), np.abs(drawn)
    values = np.append(drawn, observed)
    slack = tolerance(values[np.isfinite(values)])
    count = np.count_nonzero(drawn <= observed + slack if alternative == "less" else drawn >= observed - slack)
    return float(count / len(drawn)) if complete and len(drawn) else float((1 + count) / (1 + len(drawn)))


def coarse_note(possible: float, what: str, alpha: float = 0.05) -> str:
    """Return a sentence that says how coarse a p value of this many equally likely assignments is, or nothing.

    Parameters
    ----------
    possible : float
        Assignments that can be told apart.
    what : str
        Such as ``"5 clusters"``.
    alpha : float
        The significance level that must be out of reach, or nearly so, to be worth a word.

    Examples
    --------
    >>> coarse_note(8, "4 clusters")
    '4 clusters allow 8 different draws: no p value can be below 0.125'
    """
    if possible <= 0 or 1 / possible < alpha / 2:
        return ""
    return f"{what} allow {possible:.0f} different draws: no p value can be below {1 / possible:.3g}"


def wild_signs(groups: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Return Rademacher's signs of groups, shape (draws, groups) (野自助法的符号)."""
    return random.choice([-1.0, 1.0], (draws, groups))


def wild_cluster_test(
    y: np.ndarray,
    X: np.ndarray,
    effects: list[np.ndarray],
    clusters: np.ndarray,
    place: int,
    *,
    null: float = 0.0,
    weights: str = "rademacher",
    draws: int = 999,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float, int, str]:
    """Test a coefficient by the wild cluster bootstrap with the null imposed, by diff-diff.

    A draw multiplies the residuals of whole clusters by one number, so that the means of units or periods that lie
    within clusters can be taken out once; other effects cannot and stay in the regression.

    Parameters
    ----------
    y, X : ndarray
        Before effects are taken out, with a constant where there are none.
    effects : list of ndarray of int
        Codes of units, of periods or of both.
    clusters : ndarray of int
    place : int
        Column of ``X`` whose coefficient is tested.
    null : float
    weights : {"rademacher", "webb"}
    draws, seed : int
    level : float

    Returns
    -------
    p value, ends of the interval, draws used, a note on how coarse they are
    """
    from diff_diff import wild_bootstrap_se

    within = next((codes for codes in effects if is_nested(codes, clusters)), None)
    values = np.column_stack([y, X])
    for order, codes in enumerate(codes for codes in effects if codes is not within):
        start = int(order > 0 or within is not None)
        values = np.column_stack([values, codes[:, None] == np.arange(start, codes.max() + 1)])
    if within is not None:
        values = values - group_means(values, within, within.max() + 1)[within]
    # The package finds the ends of the interval to an absolute precision.
    size = np.linalg.norm(values, axis=0)
    values, unit = values / np.where(size > 0, size, 1.0), size[0] / size[1 + place]
    with warnings.catch_warnings():
        # Fewer than five clusters, which the note speaks of.
        warnings.simplefilter("ignore")
        found = wild_bootstrap_se(
            values[:, 1:], values[:, 0], values[:, 0], clusters, place, draws, weights, null / unit, 1 - level, seed
        )
    # Numbers and their opposites give the same statistic. The package leaves out ties, the actual residuals among
    # them, and so can report a p value, and reject, below what the number of draws that differ allows.
    groups = int(clusters.max()) + 1
    possible = float(WILD_WEIGHTS[weights]) ** groups / 2
    lower, upper = (unit * found.ci_lower, unit * found.ci_upper) if 1 / possible < 1 - level else (-np.inf, np.inf)
    note = coarse_note(possible, f"wild bootstrap: {groups} clusters")
    return max(float(found.p_value), 1 / possible), float(lower), float(upper), int(found.n_bootstrap), note


def shuffled(values: np.ndarray, permutations: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield blocks of permutations of ``values``, one a row."""
    rows = max(1, BLOCK // max(1, len(values)))
    for start in range(0, permutations, rows):
        yield random.permuted(np.tile(values, (min(rows, permutations - start), 1)), axis=1)


def standard_error(drawn: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the standard deviation over draws, of which there must be two.

    Raises
    ------
    InvalidInputError
        For fewer draws.
    """
    if drawn.shape[axis] < 2:
        raise InvalidInputError(f"draws={drawn.shape[axis]}: a spread takes two draws or more")
    return drawn.std(axis=axis, ddof=1)


def draw_normal(
    mean: np.ndarray, covariance: np.ndarray, draws: int, seed: int, admissible: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, int]:
    """Draw from a normal distribution until enough draws are admissible, and count those that were not.

    Raises
    ------
    InvalidInputError
        For fewer than two draws, a covariance that is not positive definite, or estimates so vague that hardly a draw
        is admissible.
    """
    draws, random = check_whole("draws", draws, least=2), generator(seed)
    scale = np.sqrt(np.diagonal(covariance))
    try:
        root = scale[:, None] * np.linalg.cholesky(covariance / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise InvalidInputError("no draws: the covariance of the estimates is not positive definite") from None
    kept, rejected, missing = [], 0, draws
    for _ in range(_ROUNDS):
        drawn = mean + random.standard_normal((missing, len(mean))) @ root.T
        fits = admissible(drawn)
        kept.append(drawn[fits])
        rejected += int((~fits).sum())
        missing -= int(fits.sum())
        if not missing:
            return np.concatenate(kept), rejected
    raise InvalidInputError("hardly a draw of the spatial parameters is admissible: the estimates are too vague")

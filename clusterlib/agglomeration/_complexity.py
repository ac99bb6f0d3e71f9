"""Relatedness and economic complexity (关联性与经济复杂度) of regions and activities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.agglomeration._concentration import check_amounts
from clusterlib.core.checks import ROUNDING, check_number, check_whole, listed
from clusterlib.core.resampling import exceedance_p, generator
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError


def _advantages(quotients: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Which regions have an advantage in which activity, as zeros and ones."""
    check_number("threshold", threshold, least=0, open_ends=True)
    values = check_amounts(quotients, "activity")
    if values.index.has_duplicates:
        raise InvalidInputError(f"region given twice: {values.index[values.index.duplicated()][0]}")
    # A quotient of exactly the threshold may come out a little below it.
    held = (values >= threshold * (1 - ROUNDING)).astype(int)
    for kind, counts in (
        ("region without any advantage", held.sum(axis=1)),
        ("activity in which no region has an advantage", held.sum()),
    ):
        if (counts == 0).any():
            raise InvalidInputError(f"{kind}: {listed(counts.index[counts == 0])}; leave it out")
    return held


@dataclass(frozen=True, eq=False)
class Relatedness(Result):
    """Relatedness of activities, and how close each region is to each (产业关联性).

    Attributes
    ----------
    advantage : DataFrame, shape (regions, activities)
        1 where the region's quotient reaches the threshold, else 0.
    proximity : DataFrame, shape (activities, activities)
        In [0, 1], the diagonal 1.
    density : DataFrame, shape (regions, activities)
        In [0, 1]; missing for an activity that is related to no other.
    threshold : float
    """

    advantage: pd.DataFrame
    proximity: pd.DataFrame
    density: pd.DataFrame
    threshold: float

    @property
    def table(self) -> pd.DataFrame:
        """A row for each region and activity: advantage and density."""
        table = pd.DataFrame({"advantage": self.advantage.stack(), "density": self.density.stack()})
        return table.rename_axis(["region", "activity"])


def relatedness(quotients: pd.DataFrame, *, threshold: float = 1.0) -> Relatedness:
    r"""Proximity of activities and relatedness density (产业邻近度与关联密度).

    With :math:`M_{ck} = 1` where the quotient of region :math:`c` in activity :math:`k` is at least the threshold,

    .. math:: \phi_{kl} = \min\{P(k|l), P(l|k)\} = \frac{\sum_c M_{ck} M_{cl}}{\max(\sum_c M_{ck}, \sum_c M_{cl})},
              \quad \omega_{ck} = \frac{\sum_{l \ne k} M_{cl} \phi_{kl}}{\sum_{l \ne k} \phi_{kl}}

    The activity itself is left out of its density, which would otherwise be high wherever the region has it already.

    Parameters
    ----------
    quotients : DataFrame, shape (regions, activities)
        From :func:`location_quotient`, each activity against any reference: only whether the threshold is reached
        counts, so that activities in different units stand side by side.
    threshold : float
        Revealed comparative advantage at or above it.

    Returns
    -------
    Relatedness

    Raises
    ------
    InvalidInputError
        For missing values, text, a region given twice, a region without any advantage or an activity that none has.

    References
    ----------
    Hidalgo, C. A., Klinger, B., Barabasi, A.-L. and Hausmann, R. (2007). The product space conditions the development
    of nations. Science 317, 482-487.

    Examples
    --------
    >>> import pandas as pd
    >>> q = pd.DataFrame({"a": [2.0, 2.0, 0.0], "b": [2.0, 0.0, 0.0], "c": [0.0, 2.0, 2.0]}, index=["x", "y", "z"])
    >>> relatedness(q).proximity.loc["a"].tolist()
    [1.0, 0.5, 0.5]
    """
    held = _advantages(quotients, threshold)
    matrix = held.to_numpy(float)
    together = matrix.T @ matrix
    count = np.diag(together)
    proximity = together / np.maximum.outer(count, count)
    others = proximity - np.diag(np.diag(proximity))
    total = others.sum(axis=0)
    density = np.divide(matrix @ others, total, out=np.full(matrix.shape, np.nan), where=total > 0)
    names = held.columns
    return Relatedness(
        held,
        pd.DataFrame(proximity, index=names, columns=names),
        pd.DataFrame(density, index=held.index, columns=names),
        threshold,
    )


@dataclass(frozen=True, eq=False)
class EntryTest(Result):
    """Test whether regions enter the activities that they are close to (进入检验).

    Attributes
    ----------
    table : DataFrame
        By region and activity, of the pairs without an advantage at first: ``density`` then, and ``entered``.
    chance : float
        That an entry had a higher density than a pair without, ties counted half: 0.5 if density says nothing.
    p_value : float
        One-sided.
    entries, pairs : int
        How many of the pairs entered, and how many there are.
    draws, seed : int
    """

    table: pd.DataFrame
    chance: float
    p_value: float
    entries: int
    pairs: int
    draws: int
    seed: int


def entry_test(before: Relatedness, after: Relatedness, *, draws: int = 1999, seed: int = 0) -> EntryTest:
    r"""Test whether new advantages arise where density was high (关联密度与新优势).

    Of the pairs of region and activity without an advantage before, :math:`E` have one after. With :math:`\omega` the
    density before, the statistic is the area under the ROC curve, the chance that an entry had the higher density,

    .. math:: A = \Pr(\omega_e > \omega_o) + \tfrac12 \Pr(\omega_e = \omega_o), \quad e \in E,\ o \notin E,

    and its p value comes from shuffling the entries over the regions that lacked the activity, within each activity:
    an activity that many enter, and all are close to, is no evidence.

    Parameters
    ----------
    before, after : Relatedness
        Of the same regions and activities, from :func:`relatedness`.
    draws, seed : int

    Returns
    -------
    EntryTest

    Raises
    ------
    InvalidInputError
        If regions or activities differ, or no pair entered, or all did.

    References
    ----------
    Hidalgo, C. A., Klinger, B., Barabasi, A.-L. and Hausmann, R. (2007). The product space conditions the development
    of nations. Science 317, 482-487.

    Examples
    --------
    >>> import pandas as pd
    >>> first = pd.DataFrame({"a": [2, 2, 2, 0], "b": [2, 2, 0, 0], "c": [2, 0, 0, 2]}, index=list("wxyz"), dtype=float)
    >>> entry_test(relatedness(first), relatedness(first.replace({"b": {0: 2}})), draws=99).entries
    2
    """
    from scipy.stats import rankdata

    for name, given in (("before", before), ("after", after)):
        if not isinstance(given, Relatedness):
            raise InvalidInputError(f"{name}: expected a result of relatedness, got a {type(given).__name__}")
    lacking = [
        label
        for axis in (0, 1)
        for label in before.advantage.axes[axis].symmetric_difference(after.advantage.axes[axis])
    ]
    if lacking:
        raise InvalidInputError(f"{listed(lacking)}: not in both; give both the same regions and activities")
    draws, random = check_whole("draws", draws, least=1), generator(seed)
    density = before.density.to_numpy()
    pairs = (before.advantage.to_numpy() == 0) & ~np.isnan(density)
    entered = pairs & (after.advantage.reindex_like(before.advantage).to_numpy() == 1)
    n, stayed = int(entered.sum()), int((pairs & ~entered).sum())
    if not n or not stayed:
        raise InvalidInputError(f"{n} of {n + stayed} pairs without an advantage entered: there is nothing to compare")
    ranks = np.zeros(density.shape)
    ranks[pairs] = rankdata(density[pairs])
    drawn = np.zeros(draws)
    for draw in range(draws):
        for k in range(density.shape[1]):
            drawn[draw] += ranks[random.permutation(np.flatnonzero(pairs[:, k]))[: entered[:, k].sum()], k].sum()
    observed = ranks[entered].sum()
    table = pd.DataFrame(
        {"density": density[pairs], "entered": entered[pairs]},
        before.density.stack(future_stack=True).index[pairs.ravel()],
    )
    # Of the rank sum that Mann and Whitney's statistic is made of.
    chance = float((observed - n * (n + 1) / 2) / (n * stayed))
    p_value = exceedance_p(observed, drawn)
    return EntryTest(table.rename_axis(["region", "activity"]), chance, p_value, n, n + stayed, draws, seed)


@dataclass(frozen=True, eq=False)
class EconomicComplexity(Result):
    """Economic complexity of regions and activities (经济复杂度).

    Attributes
    ----------
    regions : DataFrame
        By region: ``diversity``, the number of its advantages, and ``complexity`` (ECI).
    activities : DataFrame
        By activity: ``ubiquity``, the number of regions that have it, and ``complexity`` (PCI).
    eigenvalues : ndarray
        Of the matrix of regions, from the largest, which is one.
    threshold : float
    """

    regions: pd.DataFrame
    activities: pd.DataFrame
    eigenvalues: np.ndarray
    threshold: float

    @property
    def table(self) -> pd.DataFrame:
        """The regions, the most complex first."""
        return self.regions.sort_values("complexity", ascending=False, kind="stable")


def _standardise(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _sign(complexity: np.ndarray, diversity: np.ndarray, ubiquity: np.ndarray) -> float:
    """Sign that makes complexity rise with diversity, or fall with the ubiquity of what regions have."""
    for guide in (diversity, -ubiquity):
        product = float((complexity - complexity.mean()) @ (guide - guide.mean()))
        if abs(product) > 1e-9:
            return 1.0 if product > 0 else -1.0
    return 1.0


def economic_complexity(quotients: pd.DataFrame, *, threshold: float = 1.0) -> EconomicComplexity:
    r"""Economic complexity of regions and activities (经济复杂度指数 ECI、产业复杂度 PCI).

    With :math:`M_{ck}` as in :func:`relatedness`, diversity :math:`k_c = \sum_k M_{ck}` and ubiquity
    :math:`k_k = \sum_c M_{ck}`, ECI is the eigenvector of the second largest eigenvalue of

    .. math:: \tilde M_{cc'} = \sum_k \frac{M_{ck} M_{c'k}}{k_c k_k},

    the limit of the method of reflections; PCI of an activity is the mean ECI of the regions that have it, which is
    the matching eigenvector of activities. Both have mean zero and standard deviation one (with n). The sign, which
    an eigenvector lacks, is set so that ECI correlates positively with diversity.

    Parameters
    ----------
    quotients : DataFrame, shape (regions, activities)
        As in :func:`relatedness`.
    threshold : float
        Revealed comparative advantage at or above it.

    Returns
    -------
    EconomicComplexity

    Raises
    ------
    InvalidInputError
        As :func:`relatedness`; if regions and activities fall into parts that share nothing, or two eigenvectors have
        an equal claim.

    References
    ----------
    Hidalgo, C. A. and Hausmann, R. (2009). The building blocks of economic complexity. PNAS 106, 10570-10575.
    Hausmann, R. et al. (2014). The Atlas of Economic Complexity, technical box 2.1. MIT Press.

    Examples
    --------
    >>> import pandas as pd
    >>> q = pd.DataFrame({"a": [2.0, 2.0, 2.0], "b": [2.0, 2.0, 0.0], "c": [2.0, 0.0, 0.0]}, index=["x", "y", "z"])
    >>> economic_complexity(q).table.index.tolist()
    ['x', 'y', 'z']
    """
    held = _advantages(quotients, threshold)
    if len(held) < 3:
        raise InvalidInputError(f"{len(held)} region(s): complexity compares at least three")
    matrix = held.to_numpy(float)
    diversity, ubiquity = matrix.sum(axis=1), matrix.sum(axis=0)
    # Similar to the matrix of the formula and symmetric, so that eigenvalues are real and come out exactly.
    scaled = matrix / np.sqrt(np.outer(diversity, ubiquity))
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    if values[1] > 1 - 1e-9:
        raise InvalidInputError("regions fall into parts that share no activity: take each part by itself")
    if values[1] - values[2] < 1e-9:
        raise InvalidInputError("the second eigenvalue is not single: these advantages do not rank the regions")
    complexity = _standardise(vectors[:, 1] / np.sqrt(diversity))
    complexity *= _sign(complexity, diversity, matrix @ ubiquity / diversity)
    regions = pd.DataFrame({"diversity": diversity.astype(int), "complexity": complexity}, index=held.index)
    activities = pd.DataFrame(
        {"ubiquity": ubiquity.astype(int), "complexity": _standardise(complexity @ matrix / ubiquity)},
        index=held.columns,
    )
    return EconomicComplexity(regions, activities, values, threshold)

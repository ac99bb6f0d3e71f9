"""Spatial autocorrelation (空间自相关): Moran's I of a map, over time and of each unit, and Getis and Ord's G."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen, require_neighbours
from clusterlib.core.checks import (
    ROUNDING,
    as_floats,
    check_bounds,
    check_choice,
    check_columns,
    check_flags,
    check_index,
    check_number,
    listed,
)
from clusterlib.core.resampling import check_permutations, permutation_p, tolerance
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError
from clusterlib.spatial._randomisation import (
    as_w,
    conditional_counts,
    false_discovery,
    local_notes,
    map_notes,
    normal_p,
    permuted_products,
    quiet_imports,
    shares_of_largest,
    standardise,
    standardised,
    with_neighbours,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike

ASSUMPTIONS = ("randomisation", "normality")
NULLS = ("conditional", "total")
QUADRANTS = {
    "HH": "high-high 高-高",
    "LH": "low-high 低-高",
    "LL": "low-low 低-低",
    "HL": "high-low 高-低",
}
CLUSTERS = {"HH": "高-高集聚", "LL": "低-低集聚", "LH": "低-高异常", "HL": "高-低异常", "ns": "不显著"}
SPOTS = {"hot": "热点", "cold": "冷点", "ns": "不显著"}
_COLUMNS = ("I", "expected", "variance", "z", "p_analytic", "p_sim", "n")
_FIXED = "every placement of these values gives the same I: z and p_analytic are missing"


@dataclass(frozen=True, eq=False)
class GlobalMoran(Result):
    """Moran's I, global spatial autocorrelation (全局莫兰指数).

    Attributes
    ----------
    I : float
        Moran's I.
    expected, variance : float
        Without spatial autocorrelation, under ``assumption``.
    z, p_analytic : float
        Standardised I and its normal p value; missing where every placement of the values gives the same I.
    p_sim : float
        P value of the permutations.
    simulated : ndarray, shape (permutations,)
        I of each permutation.
    n, permutations, seed : int
    assumption, alternative : str
    row_standardised : bool
    notes : tuple of str
        What keeps the p values coarse.
    table : DataFrame
        The statistic with its moments and p values, in one row.
    """

    I: float = field(repr=False)  # noqa: E741
    expected: float = field(repr=False)
    variance: float = field(repr=False)
    z: float = field(repr=False)
    p_analytic: float = field(repr=False)
    p_sim: float = field(repr=False)
    simulated: np.ndarray = field(repr=False)
    n: int = field(repr=False)
    permutations: int
    seed: int
    assumption: str
    alternative: str
    row_standardised: bool
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """The statistic with its moments and p values, in one row."""
        return pd.DataFrame({name: [getattr(self, name)] for name in _COLUMNS}, index=["Moran's I"])


def _moments(z: np.ndarray, matrix: csr_array) -> tuple[float, dict[str, float]]:
    r"""Return the mean of Moran's I without autocorrelation and its variance by assumption (Cliff and Ord 1981, ch. 2).

    .. math:: S_1 = \frac{1}{2} \sum_i \sum_j (w_{ij} + w_{ji})^2, \quad
              S_2 = \sum_i \Bigl(\sum_j w_{ij} + \sum_j w_{ji}\Bigr)^2

    with weights that sum to one.
    """
    from scipy.sparse import csr_array

    n, mean, weights = len(z), -1 / (len(z) - 1), matrix / matrix.sum()
    both = csr_array(weights + weights.T)
    first, second = both.power(2).sum() / 2, np.square(both.sum(axis=1)).sum()
    kurtosis = n * (z**4).sum() / np.square(z).sum() ** 2
    normal = (n**2 * first - n * second + 3) / (n**2 - 1)
    placed = n * ((n**2 - 3 * n + 3) * first - n * second + 3)
    placed -= kurtosis * ((n**2 - n) * first - 2 * n * second + 6)
    placed /= (n - 1) * (n - 2) * (n - 3)
    return mean, {"normality": float(normal - mean**2), "randomisation": float(placed - mean**2)}


def global_moran(
    y: pd.Series,
    w: WeightsLike,
    permutations: int = 999,
    seed: int = 0,
    *,
    assumption: str = "randomisation",
    alternative: str = "two-sided",
    row_standardise: bool = True,
) -> GlobalMoran:
    r"""Moran's I, the global test of spatial autocorrelation (全局莫兰指数).

    .. math:: I = \frac{n}{S_0} \frac{\sum_i \sum_j w_{ij} z_i z_j}{\sum_i z_i^2}, \quad
              z_i = y_i - \bar y, \quad S_0 = \sum_i \sum_j w_{ij}, \quad E[I] = -\frac{1}{n - 1}

    The moments are Cliff and Ord's: under randomisation (the values found are placed at random; uses their kurtosis)
    or under normality. The permutations are of all values over all units, drawn with numpy's generator, so that a seed
    gives the same result everywhere.

    Parameters
    ----------
    y : Series, shape (units,)
        One value a unit.
    w : Graph, W or DataFrame, shape (units, units)
        Matched to ``y`` by its labels; a matrix that has none by position.
    permutations, seed : int
        Of the permutation test. The smallest p value there is is ``2 / (permutations + 1)``, one-sided half of it.
    assumption : {"randomisation", "normality"}
        For ``variance``, ``z`` and ``p_analytic``.
    alternative : {"two-sided", "greater", "less"}
        For both p values. Two-sided by permutation is twice the smaller tail: esda's ``p_sim`` is half of it.
    row_standardise : bool
        Divide each row of the weights by its sum first.

    Returns
    -------
    GlobalMoran

    Raises
    ------
    InvalidInputError
        For missing values, the same value everywhere, units that ``w`` does not have, units without neighbours, or
        weights that are the same between all.
    UnknownNameError
        For an unknown assumption or alternative.

    References
    ----------
    Moran, P. A. P. (1950). Biometrika 37, 17-23. Cliff, A. D. and Ord, J. K. (1981). Spatial Processes, ch. 2. Pion.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran = global_moran(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), line)
    >>> round(moran.I, 4), moran.expected
    (0.7143, -0.2)
    """
    permutations = check_permutations(permutations, alternative)
    check_choice("assumption", assumption, ASSUMPTIONS)
    check_flags(row_standardise=row_standardise)
    y, weights = with_neighbours(y, w, row_standardise)
    matrix, z = weights.matrix, standardised(y)
    expected, variances = _moments(z, matrix)
    # The variance under normality is that of the weights alone.
    if variances["normality"] < 1e-12:
        raise InvalidInputError(
            "the weights between any two units, both ways together, are the same, as where every unit neighbours all "
            "others alike: Moran's I is then -1 / (n - 1) for any values"
        )
    scale = len(y) / matrix.sum() / (z @ z)
    found = float(scale * (z @ (matrix @ z)))
    simulated = scale * permuted_products(z, matrix, permutations, seed)
    # I is at most about one, so its ties are those of numbers around one.
    slack = tolerance(np.ones(1))
    tails = ((simulated >= found - slack).sum(), (simulated <= found + slack).sum())
    variance = variances[assumption]
    standard = float(standardise(found - expected, variance, 1.0))
    fixed = (_FIXED,) if np.isnan(standard) else ()
    return GlobalMoran(
        found,
        expected,
        variance,
        standard,
        float(normal_p(standard, alternative)),
        float(permutation_p(*tails, permutations, alternative)),
        simulated,
        len(y),
        permutations,
        seed,
        assumption,
        alternative,
        row_standardise,
        (*fixed, *map_notes(y, permutations, alternative)),
    )


@dataclass(frozen=True, eq=False)
class MoranOverTime(Result):
    """Moran's I of each period (各年全局莫兰指数).

    Attributes
    ----------
    table : DataFrame
        By period: ``I``, ``expected``, ``variance``, ``z``, ``p_analytic``, ``p_sim`` and ``n``.
    value : str
    permutations, seed : int
    assumption, alternative : str
    notes : tuple of str
        As of :class:`GlobalMoran`, with the periods that they hold for.
    """

    table: pd.DataFrame
    value: str
    permutations: int
    seed: int
    assumption: str
    alternative: str
    notes: tuple[str, ...] = field(default=(), repr=False)


def moran_over_time(
    data: pd.DataFrame,
    value: str,
    w: WeightsLike | Callable[[pd.Index], WeightsLike],
    permutations: int = 999,
    seed: int = 0,
    *,
    assumption: str = "randomisation",
    alternative: str = "two-sided",
) -> MoranOverTime:
    """Moran's I of each period of a panel (各年全局莫兰指数), with row-standardised weights.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time). Units without the value in a period are left out of that period.
    value : str
        Column.
    w : Graph, W or DataFrame, or function of an Index of units that returns one
        A function where the units differ between periods: weights are then made of those there are.
    permutations, seed : int
        Of each period's test; the seed is the same in every period.
    assumption, alternative : str
        As :func:`global_moran`.

    Returns
    -------
    MoranOverTime

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`global_moran`, and for an index that is not (unit, time).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcdef"), [2020, 2021]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 3, 2, 1, 3, 6, 4, 2, 5, 4, 6, 5]}, index=index)
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran_over_time(data, "x", line).table["I"].round(3).tolist()
    [0.714, -0.443]
    """
    permutations = check_permutations(permutations, alternative)
    check_columns(data, [value])
    check_index(data)
    values = as_floats(data, [value])[value].dropna()
    if values.empty:
        raise InvalidInputError(f"{value!r} has no value in any period")
    if not callable(w):
        # A matrix without labels is in the order of all units, not of those that one period has.
        given = first_seen(values.index)
        w = require_neighbours(align_weights(w, given)).standardised()
    settings = {"permutations": permutations, "seed": seed, "assumption": assumption, "alternative": alternative}
    rows, notes = {}, {}
    units, weights = None, None
    for period, at in values.groupby(level=1):
        at = at.droplevel(1)
        try:
            # Weights are made anew only where the units are others than in the period before.
            if weights is None or not at.index.equals(units):
                units = at.index
                weights = require_neighbours(align_weights(w(units) if callable(w) else w, units)).standardised()
            found = global_moran(at, weights, row_standardise=False, **settings)
        except InvalidInputError as error:
            raise InvalidInputError(f"{period}: {error}") from None
        rows[period] = {name: getattr(found, name) for name in _COLUMNS}
        for note in found.notes:
            notes.setdefault(note, []).append(period)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = values.index.names[1]
    said = tuple(note if len(at) == len(rows) else f"{listed(at)}: {note}" for note, at in notes.items())
    return MoranOverTime(table, value, **settings, notes=said)


class _ByUnit(Result):
    """Base of results that sort units into kinds: the column of their table, and the kinds with their names."""

    _kinds: ClassVar[tuple[str, Mapping[str, str]]]

    @property
    def counts(self) -> pd.DataFrame:
        """Number and share (percent) of units of each kind."""
        column, names = self._kinds
        count = self.table[column].value_counts().reindex(list(names), fill_value=0)
        table = pd.DataFrame({"count": count, "share": 100 * count / len(self.table)})
        table.insert(0, f"{column}_zh", pd.Series(names))
        return table

    @property
    def footer(self) -> Mapping[str, object]:
        """How many units are of each kind, and what made the result."""
        counted = ", ".join(f"{kind} {count}" for kind, count in self.counts["count"].items())
        return {"Units 个体数": counted, **super().footer}


@dataclass(frozen=True, eq=False)
class MoranScatter(_ByUnit):
    """Standardised values against their spatial lags (莫兰散点图).

    Attributes
    ----------
    table : DataFrame
        By unit: ``z``, its lag ``lag`` and the ``quadrant`` HH, LH, LL or HL (own value, then neighbours').
    slope : float
        Of the lag on z: Moran's I.
    n : int
    counts : DataFrame
        Number and share (percent) of units in each quadrant.
    """

    table: pd.DataFrame
    slope: float
    n: int

    _kinds = ("quadrant", QUADRANTS)


def _quadrants(z: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Return the quadrant of each unit; a value or lag at the mean counts as low, as in esda."""
    own, neighbours = (np.where(v > ROUNDING * np.abs(v).max(), "H", "L") for v in (z, lag))
    return np.char.add(own, neighbours).astype(object)


def moran_scatter(y: pd.Series, w: WeightsLike) -> MoranScatter:
    r"""Moran scatter plot's data (莫兰散点图): standardised values and their spatial lags, row-standardised.

    .. math:: z_i = (y_i - \bar y) / s, \quad s^2 = \frac{1}{n} \sum_i (y_i - \bar y)^2, \quad
              \tilde z_i = \sum_j w_{ij} z_j

    Parameters
    ----------
    y : Series, shape (units,)
    w : Graph, W or DataFrame, shape (units, units)

    Returns
    -------
    MoranScatter

    Raises
    ------
    InvalidInputError
        As :func:`global_moran`.

    References
    ----------
    Anselin, L. (1996). The Moran scatterplot as an ESDA tool. In Spatial Analytical Perspectives on GIS, 111-125.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran_scatter(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), line).counts["count"].to_dict()
    {'HH': 3, 'LH': 0, 'LL': 3, 'HL': 0}
    """
    y, weights = with_neighbours(y, w)
    z = standardised(y)
    lag = weights.matrix @ z
    table = pd.DataFrame({"z": z, "lag": lag, "quadrant": _quadrants(z, lag)}, index=y.index)
    return MoranScatter(table, float(z @ lag / (z @ z)), len(y))


@dataclass(frozen=True, eq=False)
class LocalMoran(_ByUnit):
    """Local Moran's I of each unit, with its tests and its cluster (局部莫兰指数).

    Attributes
    ----------
    table : DataFrame
        By unit: ``value``, standardised ``z`` and its ``lag``, ``I``; its moments ``expected`` and ``variance`` under
        ``null`` with ``z_I`` and ``p_analytic`` (missing for a unit at the mean, whose I is nil whatever its
        neighbours are); ``p_sim`` of the permutations, ``p_adjusted`` for false discoveries,
        ``quadrant``, and ``cluster`` (the quadrant where significant, else ``"ns"``) with ``cluster_zh``.
    alpha : float
        Significance level (显著性水平): a unit is significant at most at this p value.
    fdr : bool
        Whether that holds for ``p_adjusted`` or for ``p_sim``.
    null, alternative : str
    n, permutations, seed : int
    row_standardised : bool
    notes : tuple of str
        What keeps units from being significant.
    counts : DataFrame
        Number and share (percent) of units in each cluster.
    """

    table: pd.DataFrame
    alpha: float
    fdr: bool
    null: str
    alternative: str
    n: int
    permutations: int
    seed: int
    row_standardised: bool
    notes: tuple[str, ...] = field(default=(), repr=False)

    _kinds = ("cluster", CLUSTERS)


def _local_moments(z: np.ndarray, weights: Weights, null: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return esda's moments of local Moran's I, and what their variance must be compared with to be nil."""
    with quiet_imports():
        from esda.moran import Moran_Local

    # esda changes the warning filters for good.
    with warnings.catch_warnings():
        local = Moran_Local(z, as_w(weights), transformation="o", permutations=0)
    squares = weights.matrix.power(2).sum(axis=1)
    return (local.EIc, local.VIc, squares * z**2) if null == "conditional" else (local.EI, local.VI, squares)


def local_moran(
    y: pd.Series,
    w: WeightsLike,
    permutations: int = 999,
    seed: int = 0,
    fdr: bool = True,
    alpha: float = 0.05,
    *,
    null: str = "conditional",
    alternative: str = "two-sided",
    row_standardise: bool = True,
) -> LocalMoran:
    r"""Local Moran's I, local indicators of spatial association (局部莫兰指数, LISA).

    .. math:: I_i = \frac{z_i}{m_2} \sum_j w_{ij} z_j, \quad z_i = y_i - \bar y, \quad m_2 = \frac{1}{n} \sum_i z_i^2

    as in R's spdep (esda's ``Is`` divide by :math:`n - 1`). The moments are esda's, after Sokal, Oden and Thomson
    (1998): conditional on the unit's own value, or total. The p value that makes clusters is that of conditional
    permutations, adjusted over units by Benjamini and Hochberg's procedure. Few permutations cannot pass it: the
    smallest p value is ``2 / (permutations + 1)``, and the first of n units must reach ``alpha / n``.

    Parameters
    ----------
    y : Series, shape (units,)
        One value a unit.
    w : Graph, W or DataFrame, shape (units, units)
        Matched to ``y`` by its labels; a matrix that has none by position.
    permutations, seed : int
        Of the conditional permutations; work grows with permutations times neighbours.
    fdr : bool
        Control the false discovery rate at ``alpha``; otherwise each unit is tested by itself at ``alpha``.
    alpha : float
        Significance level, between 0 and 1.
    null : {"conditional", "total"}
        For ``expected``, ``variance``, ``z_I`` and ``p_analytic``.
    alternative : {"two-sided", "greater", "less"}
        For both p values; half the two-sided ``p_sim`` is the directed one of GeoDa and esda.
    row_standardise : bool
        Divide each row of the weights by its sum first.

    Returns
    -------
    LocalMoran

    Raises
    ------
    InvalidInputError
        As :func:`clusterlib.spatial.global_moran`, and for an alpha that is none.
    UnknownNameError
        For an unknown null or alternative.

    References
    ----------
    Anselin, L. (1995). Local indicators of spatial association. Geographical Analysis 27, 93-115, eqs. (12)-(15).
    Sokal, R. R., Oden, N. L. and Thomson, B. A. (1998). Geographical Analysis 30, 331-354, eqs. (A3)-(A8).
    Benjamini, Y. and Hochberg, Y. (1995). Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(34), 1) + np.diag(np.ones(34), -1)
    >>> local = local_moran(pd.Series([9.0] * 5 + [1.0, 2.0, 1.5] * 10), line, fdr=False)
    >>> local.table["cluster"].tolist()[:6]
    ['ns', 'HH', 'HH', 'HH', 'ns', 'ns']
    """
    permutations = check_permutations(permutations, alternative)
    check_choice("null", null, NULLS)
    check_flags(fdr=fdr, row_standardise=row_standardise)
    alpha = check_number("alpha", alpha, least=0, most=1, open_ends=True)
    y, weights = with_neighbours(y, w, row_standardise)
    z = standardised(y)
    lag = weights.matrix @ z
    expected, variance, scale = _local_moments(z, weights, null)
    z_i = standardise(z * lag - expected, variance, scale)
    p_sim = _local_p(z, conditional_counts(z, weights, lag, permutations, seed), permutations, alternative)
    adjusted = false_discovery(p_sim)
    quadrant = _quadrants(z, lag)
    cluster = np.where(_significant(adjusted if fdr else p_sim, alpha), quadrant, "ns")
    table = pd.DataFrame(
        {
            "value": y,
            "z": z,
            "lag": lag,
            "I": z * lag,
            "expected": expected,
            "variance": variance,
            "z_I": z_i,
            "p_analytic": normal_p(z_i, alternative),
            "p_sim": p_sim,
            "p_adjusted": adjusted,
            "quadrant": quadrant,
            "cluster": cluster,
            "cluster_zh": [CLUSTERS[name] for name in cluster],
        },
        index=y.index,
    )
    notes = local_notes(weights, permutations, alternative, alpha, fdr)
    return LocalMoran(table, alpha, fdr, null, alternative, len(y), permutations, seed, row_standardise, notes)


def _significant(p: np.ndarray, alpha: float) -> np.ndarray:
    """Whether p values reach the significance level, which products of ranks miss by rounding."""
    return p <= alpha * (1 + ROUNDING)


def _local_p(z: np.ndarray, counts: tuple[np.ndarray, np.ndarray], permutations: int, alternative: str) -> np.ndarray:
    at_least, at_most = counts
    # I is the lag times a value that stays: where that is negative, a larger lag is a smaller I, and where it is
    # nil every draw gives the I observed.
    turned, fixed = z < 0, z == 0
    more = np.where(turned, at_most, at_least)
    less = np.where(turned, at_least, at_most)
    more[fixed] = less[fixed] = permutations
    return permutation_p(more, less, permutations, alternative)


@dataclass(frozen=True, eq=False)
class GetisOrd(_ByUnit):
    """Getis and Ord's general G of the map and local G of each unit (热点分析).

    Attributes
    ----------
    G, expected, variance, z, p_analytic, p_sim : float
        General G, its moments under randomisation, and its p values; ``z`` is missing where every unit neighbours all,
        and all are where fewer than two values are above zero.
    table : DataFrame
        By unit: ``value``, local ``G`` (:math:`G_i^*` if ``star``), its standardised ``z`` with ``p_analytic``
        (missing where every draw gives the same G), ``p_sim`` of conditional permutations, ``p_adjusted`` for false
        discoveries, and ``spot``: hot, cold or ``"ns"``, with ``spot_zh``.
    star, binary, fdr : bool
    alpha : float
        Significance level.
    alternative : str
    n, permutations, seed : int
    notes : tuple of str
        What keeps units from being significant.
    counts : DataFrame
        Number and share (percent) of hot and cold spots.
    """

    G: float
    expected: float
    variance: float
    z: float
    p_analytic: float
    p_sim: float
    table: pd.DataFrame
    star: bool
    binary: bool
    fdr: bool
    alpha: float
    alternative: str
    n: int
    permutations: int
    seed: int
    notes: tuple[str, ...] = field(default=(), repr=False)

    _kinds = ("spot", SPOTS)


def _general(y: np.ndarray, weights: Weights, permutations: int, seed: int, alternative: str) -> dict[str, float]:
    with quiet_imports():
        from esda.getisord import G

    names = ("G", "expected", "variance", "z", "p_analytic", "p_sim")
    if np.count_nonzero(y) < 2:
        return dict.fromkeys(names, np.nan)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        general = G(y, as_w(weights), permutations=0)
    simulated = permuted_products(y, weights.matrix, permutations, seed)
    observed = float(y @ (weights.matrix @ y))
    slack = tolerance(np.array([observed]))
    tails = ((simulated >= observed - slack).sum(), (simulated <= observed + slack).sum())
    z = standardise(general.G - general.EG, general.VG, general.EG**2)
    p_sim = permutation_p(*tails, permutations, alternative)
    numbers = general.G, general.EG, general.VG, z, normal_p(z, alternative), p_sim
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def _local(y: np.ndarray, matrix: csr_array, star: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return local G and its standardised value (Ord and Getis 1995, eqs. 3 and 6-7); a star includes the unit."""
    own = float(star)
    n = len(y) - 1 + star
    total = y.sum() - (1 - own) * y
    mean = total / n
    square = (np.square(y).sum() - (1 - own) * y**2) / n
    weight = matrix.sum(axis=1) + own
    squares = matrix.power(2).sum(axis=1) + own
    lag = matrix @ y + own * y
    variance = (square - mean**2) * (n * squares - weight**2) / (n - 1)
    some = total > ROUNDING * y.sum()
    share = np.where(some, lag / np.where(some, total, 1.0), np.nan)
    return share, standardise(lag - weight * mean, variance, square * n * squares)


def getis_ord(
    y: pd.Series,
    w: WeightsLike,
    permutations: int = 999,
    seed: int = 0,
    *,
    star: bool = True,
    binary: bool = True,
    fdr: bool = True,
    alpha: float = 0.05,
    alternative: str = "two-sided",
) -> GetisOrd:
    r"""Getis and Ord's general G and local G statistics (热点分析, Getis-Ord G).

    .. math:: G = \frac{\sum_i \sum_{j \ne i} w_{ij} y_i y_j}{\sum_i \sum_{j \ne i} y_i y_j}, \quad
              G_i^* = \frac{\sum_j w_{ij} y_j}{\sum_j y_j}, \quad
              z_i = \frac{\sum_j w_{ij} y_j - W_i \bar y}{s \sqrt{(n S_{1i} - W_i^2) / (n - 1)}}

    with :math:`W_i = \sum_j w_{ij}`, :math:`S_{1i} = \sum_j w_{ij}^2` and :math:`s^2` divided by :math:`n`. With
    ``star`` the unit counts among its own neighbours with weight one; without, sums, mean, :math:`s` and :math:`n`
    leave it out. The general G and its moments are esda's and always use binary weights. The local statistics are
    computed here for any weights: esda's moments hold for binary ones.

    Parameters
    ----------
    y : Series, shape (units,)
        Of a natural zero, not negative.
    w : Graph, W or DataFrame, shape (units, units)
    permutations, seed : int
    star : bool
        Whether a unit belongs to its own neighbourhood.
    binary : bool
        Set all weights to one (usual for G); otherwise the local statistics take them as they are.
    fdr : bool
        Control the false discovery rate at ``alpha``; otherwise each unit is tested by itself.
    alpha : float
        Significance level.
    alternative : {"two-sided", "greater", "less"}

    Returns
    -------
    GetisOrd

    Raises
    ------
    InvalidInputError
        As :func:`clusterlib.spatial.global_moran`, and for negative values.
    UnknownNameError
        For an unknown alternative.

    References
    ----------
    Getis, A. and Ord, J. K. (1992). Geographical Analysis 24, 189-206. Ord, J. K. and Getis, A. (1995). Geographical
    Analysis 27, 286-306, eqs. (6), (7) and (14).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(34), 1) + np.diag(np.ones(34), -1)
    >>> getis_ord(pd.Series([9.0] * 5 + [1.0, 2.0, 1.5] * 10), line, fdr=False).counts["count"].to_dict()
    {'hot': 3, 'cold': 0, 'ns': 32}
    """
    permutations = check_permutations(permutations, alternative)
    alpha = check_number("alpha", alpha, least=0, most=1, open_ends=True)
    check_flags(star=star, binary=binary, fdr=fdr)
    y, weights = with_neighbours(y, w, row_standardise=False)
    check_bounds(y.to_frame(), "G compares sums of values with a natural zero")
    values, ones = shares_of_largest(y), weights.binary()
    weights = ones if binary else weights
    local, z = _local(values, weights.matrix, star)
    counts = conditional_counts(values, weights, weights.matrix @ values, permutations, seed)
    p_sim = permutation_p(*counts, permutations, alternative)
    adjusted = false_discovery(p_sim)
    spot = np.where(_significant(adjusted if fdr else p_sim, alpha), np.where(z > 0, "hot", "cold"), "ns")
    table = pd.DataFrame(
        {
            "value": y,
            "G": local,
            "z": z,
            "p_analytic": normal_p(z, alternative),
            "p_sim": p_sim,
            "p_adjusted": adjusted,
            "spot": spot,
            "spot_zh": [SPOTS[name] for name in spot],
        },
        index=y.index,
    )
    return GetisOrd(
        **_general(values, ones, permutations, seed, alternative),
        table=table,
        star=star,
        binary=binary,
        fdr=fdr,
        alpha=alpha,
        alternative=alternative,
        n=len(y),
        permutations=permutations,
        seed=seed,
        notes=local_notes(weights, permutations, alternative, alpha, fdr),
    )

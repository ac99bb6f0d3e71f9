"""Local spatial autocorrelation (局部空间自相关): local Moran's I and its clusters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._alignment import as_w, check_values, quiet_imports, weight_matrix
from clusterlib.spatial._autocorrelation import quadrants
from clusterlib.spatial._randomise import (
    check_settings,
    conditional_counts,
    false_discovery,
    normal_p,
    permutation_p,
    standardise,
)

NULLS = ("conditional", "total")
CLUSTERS = {"HH": "高-高集聚", "LL": "低-低集聚", "LH": "低-高异常", "HL": "高-低异常", "ns": "不显著"}


@dataclass(frozen=True)
class LocalMoran:
    """Local Moran's I of each unit, with its tests and its cluster.

    Attributes
    ----------
    table : DataFrame
        By unit: ``value``, standardised ``z`` and its ``lag``, ``I``; its moments ``expected`` and ``variance`` under
        ``null`` with ``z_I`` and ``p_analytic`` (missing for a unit at the mean, whose I is nil whatever its
        neighbours are); ``p_sim`` of the permutations, ``p_adjusted`` for false discoveries,
        ``quadrant``, and ``cluster`` (the quadrant where significant, else ``"ns"``) with ``cluster_zh``.
    level : float
        Below which a unit is significant.
    fdr : bool
        Whether that holds for ``p_adjusted`` or for ``p_sim``.
    null, alternative : str
    n, permutations, seed : int
    row_standardised : bool
    """

    table: pd.DataFrame
    level: float
    fdr: bool
    null: str
    alternative: str
    n: int
    permutations: int
    seed: int
    row_standardised: bool

    def summary(self) -> pd.DataFrame:
        """Return the number and share (percent) of units in each cluster."""
        count = self.table["cluster"].value_counts().reindex(list(CLUSTERS), fill_value=0).rename_axis("cluster")
        return pd.DataFrame({"cluster_zh": pd.Series(CLUSTERS), "count": count, "share": 100 * count / self.n})


def _moments(z: np.ndarray, matrix, null: str) -> tuple[np.ndarray, np.ndarray]:
    with quiet_imports():
        from esda.moran import Moran_Local

    # esda changes the warning filters for good.
    with warnings.catch_warnings():
        local = Moran_Local(z, as_w(matrix), transformation="o", permutations=0)
    return (local.EIc, local.VIc) if null == "conditional" else (local.EI, local.VI)


def local_moran(
    y: pd.Series,
    w,
    permutations: int = 999,
    seed: int = 0,
    fdr: bool = True,
    level: float = 0.05,
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
    smallest p value is ``2 / (permutations + 1)``, and the first of n units must reach ``level / n``.

    Parameters
    ----------
    y : Series, shape (units,)
        One value a unit.
    w : Graph, array or sparse matrix, shape (units, units)
        A Graph is matched to ``y`` by its keys, a matrix by position.
    permutations, seed : int
        Of the conditional permutations; work grows with permutations times neighbours.
    fdr : bool
        Control the false discovery rate at ``level``; otherwise each unit is tested by itself at ``level``.
    level : float
        Of significance, between 0 and 1.
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
        As :func:`clusterlib.spatial.global_moran`, and for a level that is none.
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
    check_settings(permutations, alternative)
    if null not in NULLS:
        raise UnknownNameError("null", null, NULLS)
    if not 0 < level < 1:
        raise InvalidInputError(f"level={level!r}: expected a share between 0 and 1")
    y = check_values(y)
    matrix = weight_matrix(w, y.index, row_standardise=row_standardise)
    z = ((y - y.mean()) / y.std(ddof=0)).to_numpy()
    lag = matrix @ z
    expected, variance = _moments(z, matrix, null)
    standardised = standardise(z * lag - expected, variance)
    p_sim = _local_p(z, lag, matrix, permutations, seed, alternative)
    adjusted = false_discovery(p_sim)
    quadrant = quadrants(z, lag)
    cluster = np.where((adjusted if fdr else p_sim) <= level, quadrant, "ns")
    table = pd.DataFrame(
        {
            "value": y,
            "z": z,
            "lag": lag,
            "I": z * lag,
            "expected": expected,
            "variance": variance,
            "z_I": standardised,
            "p_analytic": normal_p(standardised, alternative),
            "p_sim": p_sim,
            "p_adjusted": adjusted,
            "quadrant": quadrant,
            "cluster": cluster,
            "cluster_zh": [CLUSTERS[name] for name in cluster],
        },
        index=y.index,
    )
    return LocalMoran(table, level, fdr, null, alternative, len(y), permutations, seed, row_standardise)


def _local_p(z, lag, matrix, permutations: int, seed: int, alternative: str) -> np.ndarray:
    at_least, at_most = conditional_counts(z, matrix, lag, permutations, seed)
    # I is the lag times a value that stays: where that is negative, a larger lag is a smaller I, and where it is
    # nil every draw gives the I observed.
    turned, fixed = z < 0, z == 0
    more = np.where(turned, at_most, at_least)
    less = np.where(turned, at_least, at_most)
    more[fixed] = less[fixed] = permutations
    return permutation_p(more, less, permutations, alternative)

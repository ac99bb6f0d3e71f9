"""Hot spots (热点分析): Getis and Ord's general G and local G statistics."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.spatial._alignment import as_w, check_values, quiet_imports, weight_matrix
from clusterlib.spatial._randomise import (
    check_settings,
    conditional_counts,
    false_discovery,
    normal_p,
    permutation_p,
    permuted_products,
    standardise,
    tolerance,
)

SPOTS = {"hot": "热点", "cold": "冷点", "ns": "不显著"}


@dataclass(frozen=True)
class GetisOrd:
    """General G of the map and local G of each unit.

    Attributes
    ----------
    G, expected, variance, z, p_analytic, p_sim : float
        General G, its moments under randomisation, and its p values; ``z`` is missing where every unit neighbours all.
    table : DataFrame
        By unit: ``value``, local ``G`` (:math:`G_i^*` if ``star``), its standardised ``z`` with ``p_analytic``
        (missing where every draw gives the same G), ``p_sim`` of conditional permutations, ``p_adjusted`` for false
        discoveries, and ``spot``: hot, cold or ``"ns"``, with ``spot_zh``.
    star, binary, fdr : bool
    level : float
    alternative : str
    n, permutations, seed : int
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
    level: float
    alternative: str
    n: int
    permutations: int
    seed: int

    def summary(self) -> pd.DataFrame:
        """Return the number and share (percent) of hot and cold spots."""
        count = self.table["spot"].value_counts().reindex(list(SPOTS), fill_value=0).rename_axis("spot")
        return pd.DataFrame({"spot_zh": pd.Series(SPOTS), "count": count, "share": 100 * count / self.n})


def _general(y: np.ndarray, matrix, permutations: int, seed: int, alternative: str) -> tuple[float, ...]:
    with quiet_imports():
        from esda.getisord import G

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        general = G(y, as_w(matrix), permutations=0)
    simulated = permuted_products(y, matrix, permutations, seed)
    observed = float(y @ (matrix @ y))
    slack = tolerance(np.array([observed]))
    tails = ((simulated >= observed - slack).sum(), (simulated <= observed + slack).sum())
    z = float(standardise(general.G - general.EG, general.VG, general.EG**2))
    p_sim = permutation_p(*tails, permutations, alternative)
    return float(general.G), float(general.EG), float(general.VG), z, float(normal_p(z, alternative)), float(p_sim)


def _local(y: np.ndarray, matrix, star: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return local G and its standardised value (Ord and Getis 1995, eqs. 3 and 6-7); a star includes the unit."""
    own = float(star)
    n = len(y) - 1 + star
    total = y.sum() - (1 - own) * y
    mean = total / n
    square = (np.square(y).sum() - (1 - own) * y**2) / n
    weight = matrix.sum(axis=1) + own
    squares = matrix.multiply(matrix).sum(axis=1) + own
    lag = matrix @ y + own * y
    variance = (square - mean**2) * (n * squares - weight**2) / (n - 1)
    return lag / total, standardise(lag - weight * mean, variance, square * n * squares)


def getis_ord(
    y: pd.Series,
    w,
    permutations: int = 999,
    seed: int = 0,
    *,
    star: bool = True,
    binary: bool = True,
    fdr: bool = True,
    level: float = 0.05,
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
    w : Graph, array or sparse matrix, shape (units, units)
    permutations, seed : int
    star : bool
        Whether a unit belongs to its own neighbourhood.
    binary : bool
        Set all weights to one (usual for G); otherwise the local statistics take them as they are.
    fdr : bool
        Control the false discovery rate at ``level``; otherwise each unit is tested by itself.
    level : float
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
    >>> getis_ord(pd.Series([9.0] * 5 + [1.0, 2.0, 1.5] * 10), line, fdr=False).summary()["count"].to_dict()
    {'hot': 3, 'cold': 0, 'ns': 32}
    """
    check_settings(permutations, alternative)
    if not 0 < level < 1:
        raise InvalidInputError(f"level={level!r}: expected a share between 0 and 1")
    y = check_values(y)
    if (y < 0).any():
        raise InvalidInputError(f"negative value at {y.index[y < 0][0]}: G compares sums of values with a natural zero")
    values = y.to_numpy()
    ones = weight_matrix(w, y.index, row_standardise=False, binary=True)
    matrix = ones if binary else weight_matrix(w, y.index, row_standardise=False)
    local, z = _local(values, matrix, star)
    counts = conditional_counts(values, matrix, matrix @ values, permutations, seed)
    p_sim = permutation_p(*counts, permutations, alternative)
    adjusted = false_discovery(p_sim)
    significant = (adjusted if fdr else p_sim) <= level
    spot = np.where(significant, np.where(z > 0, "hot", "cold"), "ns")
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
    general = _general(values, ones, permutations, seed, alternative)
    return GetisOrd(*general, table, star, binary, fdr, level, alternative, len(y), permutations, seed)

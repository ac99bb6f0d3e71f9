"""Ranking by distance from the best and the worst (TOPSIS 优劣解距离法)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.composite._index import check_dimensions
from clusterlib.composite._normalisation import normalise
from clusterlib.composite._weighting import weigh
from clusterlib.core.checks import as_names
from clusterlib.errors import UnknownNameError

NORMALISATIONS = ("vector", "min-max")


@dataclass(frozen=True)
class Topsis:
    """Closeness of observations to an ideal.

    Attributes
    ----------
    table : DataFrame
        By observation: ``to_ideal``, ``to_anti_ideal`` (Euclidean distances) and ``closeness`` in [0, 1].
    ideal : DataFrame
        By indicator: ``ideal`` and ``anti_ideal``, the best and the worst weighted value, and ``weight``.
    method, normalisation : str
        How the weights were set and the indicators rescaled.
    negative : tuple of str
        Indicators of which less is better.
    """

    table: pd.DataFrame
    ideal: pd.DataFrame
    method: str
    normalisation: str
    negative: tuple[str, ...]

    @property
    def closeness(self) -> pd.Series:
        """Relative closeness to the ideal of each observation."""
        return self.table["closeness"]

    def summary(self) -> pd.DataFrame:
        """Return distances, closeness and rank, the best first."""
        ranked = self.table.assign(rank=self.closeness.rank(ascending=False, method="min").astype(int))
        return ranked.sort_values("rank", kind="stable")


def topsis(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | pd.Series = "entropy",
    normalisation: str = "vector",
) -> Topsis:
    r"""Technique for order preference by similarity to an ideal solution (TOPSIS, 优劣解距离法).

    .. math:: v_{ij} = w_j r_{ij}, \quad r_{ij} = \frac{x_{ij}}{\sqrt{\sum_i x_{ij}^2}}, \quad
              D_i^{\pm} = \sqrt{\sum_j (v_{ij} - v_j^{\pm})^2}, \quad C_i = \frac{D_i^-}{D_i^+ + D_i^-}

    :math:`v_j^+` and :math:`v_j^-` are the best and the worst weighted value of all rows, for an indicator of which
    less is better its minimum and maximum. ``"vector"`` is Hwang and Yoon's normalisation; it depends on where an
    indicator's zero lies. ``"min-max"`` puts :func:`normalise` in the place of :math:`r_{ij}` and does not.

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
        Over a panel all units and years together, so that years compare.
    dimensions : mapping of str to iterable of str, optional
        As in :func:`composite_index`: which columns count and how equal weights are spread.
    negative : iterable of str
        Indicators of which less is better.
    weights : {"entropy", "critic", "pca", "equal"} or Series
        As in :func:`composite_index`.
    normalisation : {"vector", "min-max"}

    Returns
    -------
    Topsis

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`composite_index`, and for an unknown normalisation.

    References
    ----------
    Hwang, C.-L. and Yoon, K. (1981). Multiple Attribute Decision Making, ch. 3. Springer.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"ports": [10.0, 20.0, 30.0], "users": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])
    >>> topsis(X, weights="equal").closeness.round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    if normalisation not in NORMALISATIONS:
        raise UnknownNameError("normalisation", normalisation, NORMALISATIONS)
    dimensions = check_dimensions(X, dimensions)
    names = [name for group in dimensions.values() for name in group]
    negative = as_names(negative)
    ranged = normalise(X[names], negative)
    method, weight = weigh(ranged, dimensions, weights)
    if normalisation == "vector":
        values = X[names].to_numpy(float)
        values = values / np.linalg.norm(values, axis=0)
        less = ranged.columns.isin(negative)
    else:
        # Those of which less is better are turned round already.
        values, less = ranged.to_numpy(), np.zeros(len(names), bool)
    weighted = values * weight.to_numpy()
    low, high = weighted.min(axis=0), weighted.max(axis=0)
    best, worst = np.where(less, low, high), np.where(less, high, low)
    to_best, to_worst = (np.linalg.norm(weighted - point, axis=1) for point in (best, worst))
    table = pd.DataFrame(
        {"to_ideal": to_best, "to_anti_ideal": to_worst, "closeness": to_worst / (to_best + to_worst)}, index=X.index
    )
    ideal = pd.DataFrame({"ideal": best, "anti_ideal": worst, "weight": weight}, index=ranged.columns)
    return Topsis(table, ideal, method, normalisation, tuple(negative))

"""The composite index (综合指数), its obstacles, TOPSIS, and how much a ranking depends on how it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from clusterlib.composite._weighting import WEIGHTING, Years, normalise, reference_rows, weigh
from clusterlib.core.checks import as_floats, as_names, check_choice, check_frame, snap
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError, UnknownNameError

NORMALISATIONS = ("vector", "min-max")
GROUPINGS = ("indicator", "dimension")
# Share of an indicator's range that a distance from its best value must pass to be one.
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class CompositeIndex(Result):
    """Composite index of indicators (综合指数).

    Attributes
    ----------
    score : Series
        The index of each observation, in [0, 1] but for years outside the reference years.
    weights : Series
        Weight of each indicator, summing to one.
    normalised : DataFrame
        The indicators in [0, 1], 1 the best of all observations (of the reference years).
    dimensions : dict
        The indicators of each dimension.
    method : str
        How the weights were set.
    negative : tuple of str
        Indicators of which less is better.
    reference_years : object
        Years that range and weights are taken from; None for all.
    """

    score: pd.Series
    weights: pd.Series
    normalised: pd.DataFrame
    dimensions: dict[str, tuple[str, ...]]
    method: str
    negative: tuple[str, ...] = ()
    reference_years: object = None

    @property
    def contributions(self) -> pd.DataFrame:
        """Weight times normalised value; the rows sum to the score."""
        return self.normalised * self.weights

    @property
    def by_dimension(self) -> pd.DataFrame:
        """The part of the score that each dimension gives; the rows sum to the score."""
        return _sum_by_dimension(self.contributions, self.dimensions)

    @property
    def dimension_weights(self) -> pd.Series:
        """Sum of the weights of each dimension's indicators."""
        return pd.Series({d: self.weights[list(names)].sum() for d, names in self.dimensions.items()}, name="weight")

    @property
    def table(self) -> pd.DataFrame:
        """Dimension, weight and direction of each indicator."""
        of = {name: d for d, names in self.dimensions.items() for name in names}
        return pd.DataFrame(
            {
                "dimension": pd.Series(of)[self.weights.index],
                "weight": self.weights,
                "direction": [-1 if name in self.negative else 1 for name in self.weights.index],
            }
        )


def _sum_by_dimension(parts: pd.DataFrame, dimensions: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame({d: parts[list(names)].sum(axis=1) for d, names in dimensions.items()}, index=parts.index)


def check_dimensions(X: pd.DataFrame, dimensions: Mapping | None) -> dict[str, tuple[str, ...]]:
    """Return the indicators of each dimension; without dimensions each indicator is its own."""
    check_frame(X, "a DataFrame with one row an observation and one column an indicator")
    if dimensions is None:
        return {str(name): (name,) for name in X.columns}
    if not isinstance(dimensions, Mapping):
        raise InvalidInputError(f"dimensions: expected a mapping to indicators, got a {type(dimensions).__name__}")
    grouped = {d: tuple(as_names(names, f"dimension {d!r}")) for d, names in dimensions.items()}
    empty = [str(d) for d, names in grouped.items() if not names]
    if empty or not grouped:
        raise InvalidInputError(
            f"no indicator in dimension {', '.join(empty)}: leave it out" if empty else "no dimension"
        )
    listed = [name for names in grouped.values() for name in names]
    for name in listed:
        check_choice("indicator", name, X.columns)
    repeated = sorted({str(name) for name in listed if listed.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"in more than one dimension: {', '.join(repeated)}")
    return grouped


def composite_index(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | Mapping | pd.Series = "entropy",
    reference_years: Years = None,
) -> CompositeIndex:
    r"""Composite index as the weighted sum of normalised indicators (综合指数).

    .. math:: S_i = \sum_j w_j z_{ij} \in [0, 1]

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
        Complete: no missing values.
    dimensions : mapping of str to iterable of str, optional
        Indicators of each dimension; columns of ``X`` in none of them are left out. By default each indicator is its
        own dimension.
    negative : iterable of str
        Indicators of which less is better.
    weights : {"entropy", "critic", "pca", "equal"}, mapping or Series
        Entropy, CRITIC or principal component weights over all rows (components with an eigenvalue above one, squared
        loadings); equal weights for dimensions and, within each, for indicators; or weights by indicator, which are
        scaled to sum to one.
    reference_years : int, str, slice or list, optional
        Take range and weights from these years alone (基期), as in :func:`normalise`: scores of other years may lie
        outside [0, 1] and do not change when years are added.

    Returns
    -------
    CompositeIndex

    Raises
    ------
    InvalidInputError
        As :func:`normalise`, and for weights that are negative, missing or all zero.
    UnknownNameError
        For an indicator that is not a column or an unknown weighting.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"ports": [10.0, 20.0, 30.0], "users": [1.0, 3.0, 2.0]}, index=["a", "b", "c"])
    >>> composite_index(X, weights="equal").score.tolist()
    [0.0, 0.75, 0.75]
    """
    grouped = check_dimensions(X, dimensions)
    negative = as_names(negative, "negative")
    normalised = normalise(_chosen(X, grouped), negative, reference_years=reference_years)
    base = normalised if reference_years is None else normalised[reference_rows(X, reference_years)]
    method, weight = weigh(base, grouped, weights)
    score = (normalised * weight).sum(axis=1).rename("score")
    return CompositeIndex(score, weight, normalised, grouped, method, tuple(negative), reference_years)


def _chosen(X: pd.DataFrame, dimensions: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    return X[[name for group in dimensions.values() for name in group]]


def obstacle_degree(index: CompositeIndex, by: str = "indicator") -> pd.DataFrame:
    r"""Obstacle degree (障碍度): the share of the distance to a full score that each indicator accounts for.

    .. math:: O_{ij} = 100 \frac{w_j (1 - z_{ij})}{\sum_k w_k (1 - z_{ik})}

    Parameters
    ----------
    index : CompositeIndex
    by : {"indicator", "dimension"}

    Returns
    -------
    DataFrame, shape (observations, indicators or dimensions)
        Percent; rows sum to 100, or to 0 for an observation that is best in everything and has no obstacle.

    Raises
    ------
    InvalidInputError
        If an indicator is above 1, as it may be outside the reference years: what is better than the best of them is
        no obstacle.
    UnknownNameError
        If ``by`` is something else.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"ports": [10.0, 20.0, 30.0], "users": [1.0, 3.0, 2.0]}, index=["a", "b", "c"])
    >>> obstacle_degree(composite_index(X, weights="equal")).loc["b"].tolist()
    [100.0, 0.0]
    """
    check_choice("grouping", by, GROUPINGS)
    if not isinstance(index, CompositeIndex):
        raise InvalidInputError(f"expected the result of composite_index, got a {type(index).__name__}")
    above = index.normalised.gt(1 + _TINY).any()
    if above.any():
        raise InvalidInputError(
            f"above the best of the reference years: {', '.join(map(str, above.index[above]))}; obstacles need an "
            "index without reference_years"
        )
    distance = 1 - index.normalised
    gap = distance.where(distance > _TINY, 0.0) * index.weights
    total = gap.sum(axis=1)
    degree = 100 * gap.div(total.where(total > 0, 1.0), axis=0)
    return degree if by == "indicator" else _sum_by_dimension(degree, index.dimensions)


@dataclass(frozen=True, eq=False)
class Topsis(Result):
    """Closeness of observations to an ideal (TOPSIS 优劣解距离法).

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

    @property
    def ranking(self) -> pd.DataFrame:
        """Distances, closeness and rank, the best first."""
        rank = ranks_of(self.closeness, "min").astype(int)
        return self.table.assign(rank=rank).sort_values("rank", kind="stable")


def topsis(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | Mapping | pd.Series = "entropy",
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
    weights : {"entropy", "critic", "pca", "equal"}, mapping or Series
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
    check_choice("normalisation", normalisation, NORMALISATIONS)
    grouped = check_dimensions(X, dimensions)
    chosen, negative = _chosen(X, grouped), as_names(negative, "negative")
    ranged = normalise(chosen, negative)
    method, weight = weigh(ranged, grouped, weights)
    if normalisation == "vector":
        values = as_floats(chosen, list(chosen.columns)).to_numpy()
        values = values / np.linalg.norm(values, axis=0)
        less = ranged.columns.isin(negative)
    else:
        # Those of which less is better are turned round already.
        values, less = ranged.to_numpy(), np.zeros(ranged.shape[1], bool)
    weighted = values * weight.to_numpy()
    low, high = weighted.min(axis=0), weighted.max(axis=0)
    best, worst = np.where(less, low, high), np.where(less, high, low)
    to_best, to_worst = (np.linalg.norm(weighted - point, axis=1) for point in (best, worst))
    table = pd.DataFrame(
        {"to_ideal": to_best, "to_anti_ideal": to_worst, "closeness": to_worst / (to_best + to_worst)}, index=X.index
    )
    ideal = pd.DataFrame({"ideal": best, "anti_ideal": worst, "weight": weight}, index=ranged.columns)
    return Topsis(table, ideal, method, normalisation, tuple(negative))


@dataclass(frozen=True, eq=False)
class Sensitivity(Result):
    """Sensitivity of ranks to weights, aggregation and indicators (敏感性分析).

    Attributes
    ----------
    table : DataFrame
        By ``change`` (``"weights"``, ``"aggregation"``, ``"left out"``) and ``variant``: ``spearman`` and ``kendall``
        (tau-b) with the baseline's ranks, ``max_shift``, the largest change of a rank, ``moved``, whose it is (the
        first of several), and ``mean_shift``.
    ranks : DataFrame
        Rank of each unit, 1 the best and ties their mean: the baseline, then one column a variant.
    baseline : str
        Weights of the baseline.
    period : object
        Period of the ranks; None for all rows.
    """

    table: pd.DataFrame
    ranks: pd.DataFrame
    baseline: str
    period: object


def ranks_of(scores: pd.Series, ties: Literal["average", "min"] = "average") -> pd.Series:
    """Return ranks, 1 the highest; scores that are the same but for rounding share one."""
    return pd.Series(snap(scores.to_numpy()), scores.index).rank(ascending=False, method=ties)


def _without(dimensions: dict[str, tuple[str, ...]], name: str) -> dict[str, tuple[str, ...]]:
    left = {d: tuple(n for n in names if n != name) for d, names in dimensions.items()}
    return {d: names for d, names in left.items() if names}


def _row(base: pd.Series, other: pd.Series) -> dict:
    shift = (other - base).abs()
    return {
        "spearman": base.corr(other, method="spearman"),
        "kendall": base.corr(other, method="kendall"),
        "max_shift": shift.max(),
        "moved": shift.idxmax(),
        "mean_shift": shift.mean(),
    }


def _scores(X: pd.DataFrame, dimensions: dict, weights, negative: list[str], alternatives: list[str]) -> dict:
    scores = {
        ("weights", w): composite_index(X, dimensions, negative=negative, weights=w).score
        for w in alternatives
        if not (isinstance(weights, str) and w == weights)
    }
    scores["aggregation", "topsis"] = topsis(X, dimensions, negative=negative, weights=weights).closeness
    for name in _chosen(X, dimensions).columns:
        rest, less = _without(dimensions, name), [n for n in negative if n != name]
        scores["left out", name] = composite_index(X, rest, negative=less, weights=weights).score
    return scores


def sensitivity(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | Mapping | pd.Series = "entropy",
    alternatives: Iterable[str] = WEIGHTING,
    period: object = None,
) -> Sensitivity:
    """Sensitivity of a ranking to weights, aggregation and each indicator (敏感性分析).

    The baseline is :func:`composite_index` with ``weights``. Against it stand the same index with other weights,
    :func:`topsis` with the same weights (vector normalisation), and the index with one indicator left out at a time,
    weights computed anew from the rest (weights that were given are scaled up). Spearman's and Kendall's correlations
    and the shifts are those of ranks within one period, or over all rows.

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
    dimensions : mapping of str to iterable of str, optional
        As in :func:`composite_index`.
    negative : iterable of str
        Indicators of which less is better.
    weights : {"entropy", "critic", "pca", "equal"}, mapping or Series
        Of the baseline.
    alternatives : iterable of str
        Weights to set beside it.
    period : object, optional
        Value of the last index level, such as a year: indices are made from all rows and ranked in this period.

    Returns
    -------
    Sensitivity

    Raises
    ------
    InvalidInputError
        As :func:`composite_index`, and for fewer than two indicators or fewer than three observations to rank.
    UnknownNameError
        As :func:`composite_index`, and for a period that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"u": [1.0, 2.0, 3.0, 4.0], "v": [1.0, 2.0, 4.0, 3.0]}, index=list("abcd"))
    >>> float(sensitivity(X, weights="equal").table.loc[("left out", "u"), "max_shift"])
    0.5
    """
    grouped = check_dimensions(X, dimensions)
    if sum(map(len, grouped.values())) < 2:
        raise InvalidInputError("one indicator: nothing can be left out or weighed against another")
    negative, alternatives = as_names(negative, "negative"), as_names(alternatives, "alternatives")
    base = composite_index(X, grouped, negative=negative, weights=weights)
    scores = {("baseline", base.method): base.score} | _scores(X, grouped, weights, negative, alternatives)
    if period is not None:
        periods = X.index.unique(-1) if X.index.nlevels > 1 else pd.Index([])
        if not pd.api.types.is_hashable(period) or period not in periods:
            raise UnknownNameError("period", period, periods)
        scores = {key: score.xs(period, level=-1) for key, score in scores.items()}
    ranks = pd.DataFrame({key: ranks_of(score) for key, score in scores.items()})
    if len(ranks) < 3:
        raise InvalidInputError(f"{len(ranks)} observation(s) to rank: correlations of ranks need at least three")
    ranks.columns = pd.MultiIndex.from_tuples(scores, names=["change", "variant"])
    rows = [_row(ranks.iloc[:, 0], ranks.iloc[:, k]) for k in range(1, len(scores))]
    return Sensitivity(pd.DataFrame(rows, index=ranks.columns[1:]), ranks, base.method, period)

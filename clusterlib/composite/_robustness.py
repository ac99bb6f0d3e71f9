"""How much a ranking depends on the weights and on each indicator (权重敏感性)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from clusterlib.composite._index import check_dimensions, composite_index
from clusterlib.composite._ranking import topsis
from clusterlib.composite._weighting import WEIGHTING
from clusterlib.core.checks import as_names
from clusterlib.errors import InvalidInputError, UnknownNameError


@dataclass(frozen=True)
class Sensitivity:
    """How ranks change with the weights, the way of adding up and the indicators.

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

    def summary(self) -> pd.DataFrame:
        """Return the table."""
        return self.table


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


def _scores(X: pd.DataFrame, dimensions: dict, weights, negative: list[str], alternatives: Iterable[str]) -> dict:
    names = [name for group in dimensions.values() for name in group]
    given = {"negative": [n for n in negative if n in names], "weights": weights}
    scores = {
        ("weights", w): composite_index(X, dimensions, negative=negative, weights=w).score
        for w in alternatives
        if not (isinstance(weights, str) and w == weights)
    }
    scores["aggregation", "topsis"] = topsis(X, dimensions, **given).closeness
    for name in names:
        rest = _without(dimensions, name)
        left = {"negative": [n for n in given["negative"] if n != name], "weights": weights}
        scores["left out", name] = composite_index(X, rest, **left).score
    return scores


def sensitivity(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | pd.Series = "entropy",
    alternatives: Iterable[str] = WEIGHTING,
    period=None,
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
    weights : {"entropy", "critic", "pca", "equal"} or Series
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
    dimensions = check_dimensions(X, dimensions)
    if sum(map(len, dimensions.values())) < 2:
        raise InvalidInputError("one indicator: nothing can be left out or weighed against another")
    negative = as_names(negative)
    base = composite_index(X, dimensions, negative=negative, weights=weights)
    scores = _scores(X, dimensions, weights, negative, alternatives)
    frame = pd.DataFrame({("baseline", base.method): base.score, **scores})
    if period is not None:
        if frame.index.nlevels < 2 or period not in frame.index.get_level_values(-1):
            periods = frame.index.unique(-1) if frame.index.nlevels > 1 else []
            raise UnknownNameError("period", period, periods)
        frame = frame.xs(period, level=-1)
    if len(frame) < 3:
        raise InvalidInputError(f"{len(frame)} observation(s) to rank: correlations of ranks need at least three")
    # Rounded: scores that are equal but for the last bit share a rank.
    ranks = frame.round(12).rank(ascending=False)
    rows = {key: _row(ranks["baseline", base.method], ranks[key]) for key in scores}
    table = pd.DataFrame(rows.values(), index=pd.MultiIndex.from_tuples(rows, names=["change", "variant"]))
    ranks.columns.names = ["change", "variant"]
    return Sensitivity(table, ranks, base.method, period)

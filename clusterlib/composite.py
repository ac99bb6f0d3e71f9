"""Composite indices (综合指数): entropy weights, the weighted index and its obstacles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError

WEIGHTING = ("entropy", "equal")


def _check_frame(X: pd.DataFrame) -> None:
    if not isinstance(X, pd.DataFrame) or X.shape[1] == 0:
        raise InvalidInputError("expected a DataFrame with one row an observation and one column an indicator")
    if X.columns.has_duplicates:
        raise InvalidInputError(f"indicators given twice: {', '.join(X.columns[X.columns.duplicated()])}")


def _checked(X: pd.DataFrame, negative: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    _check_frame(X)
    if len(X) < 2:
        raise InvalidInputError(f"{len(X)} observation(s): an index compares at least two")
    text = [str(c) for c in X.columns if not pd.api.types.is_numeric_dtype(X[c])]
    if text:
        raise InvalidInputError(f"not numbers: {', '.join(text)}")
    values = X.to_numpy(float)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise InvalidInputError(
            f"{len(bad)} missing or infinite value(s), the first at {X.index[row]}, {X.columns[column]!r}: leave out "
            "the observation or the indicator, or choose years in which it is complete"
        )
    constant = [str(c) for c, flat in zip(X.columns, np.ptp(values, axis=0) == 0, strict=True) if flat]
    if constant:
        raise InvalidInputError(f"the same value everywhere, so nothing to compare: {', '.join(constant)}")
    negative = [negative] if isinstance(negative, str) else list(negative)
    for name in negative:
        if name not in X.columns:
            raise UnknownNameError("negative indicator", name, X.columns)
    return X, negative


def normalise(X: pd.DataFrame, negative: Iterable[str] = ()) -> pd.DataFrame:
    r"""Rescale indicators to [0, 1] by the range over all rows (极差标准化).

    Over a panel the range is that of all units and years together, so that the values of different years compare.

    .. math:: z_{ij} = \frac{x_{ij} - \min_i x_{ij}}{\max_i x_{ij} - \min_i x_{ij}},
              \quad\text{or } 1 - z_{ij} \text{ if more is worse}

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
        Any units; observations are units, or units and years.
    negative : iterable of str
        Indicators of which less is better (负向指标).

    Returns
    -------
    DataFrame
        Of the shape of ``X``.

    Raises
    ------
    InvalidInputError
        For fewer than two rows, text, a missing or infinite value, or an indicator that is the same everywhere.
    UnknownNameError
        If a negative indicator is not a column.

    Examples
    --------
    >>> import pandas as pd
    >>> normalise(pd.DataFrame({"speed": [10.0, 15.0, 20.0]}))["speed"].tolist()
    [0.0, 0.5, 1.0]
    """
    X, negative = _checked(X, negative)
    values = X.to_numpy(float)
    low = values.min(axis=0)
    scaled = pd.DataFrame((values - low) / np.ptp(values, axis=0), index=X.index, columns=X.columns)
    return scaled.assign(**{name: 1 - scaled[name] for name in negative})


def _entropy_weights(normalised: pd.DataFrame) -> pd.Series:
    from scipy.special import xlogy

    values = normalised.to_numpy()
    share = values / values.sum(axis=0)
    entropy = -xlogy(share, share).sum(axis=0) / np.log(len(values))
    divergence = 1 - entropy
    total = divergence.sum()
    if total <= 0:
        raise InvalidInputError("every indicator is spread evenly: entropy cannot tell them apart; use equal weights")
    return pd.Series(divergence / total, index=normalised.columns, name="weight")


def entropy_weights(X: pd.DataFrame, negative: Iterable[str] = ()) -> pd.Series:
    r"""Weights of indicators by the entropy method (熵值法).

    Indicators are first rescaled by :func:`normalise`. With :math:`m` rows,

    .. math:: p_{ij} = z_{ij} / \sum_i z_{ij}, \quad e_j = -\frac{1}{\ln m} \sum_i p_{ij} \ln p_{ij},
              \quad w_j = (1 - e_j) / \sum_k (1 - e_k),

    where :math:`0 \ln 0 = 0`; no constant is added to the zeros. In a panel :math:`m` counts units times years, so
    one set of weights holds for all years. The weights do not depend on the indicators' units or on the order of rows.

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
    negative : iterable of str
        Indicators of which less is better.

    Returns
    -------
    Series
        Weights by indicator, not negative, summing to one.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`normalise`.

    References
    ----------
    Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical Journal 27, eq. (6).
    Zeleny, M. (1982). Multiple Criteria Decision Making, ch. 7. McGraw-Hill.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"even": [1.0, 2.0, 3.0, 4.0], "skewed": [0.0, 0.0, 0.0, 9.0]})
    >>> entropy_weights(X).round(3).tolist()
    [0.213, 0.787]
    """
    return _entropy_weights(normalise(X, negative))


@dataclass(frozen=True)
class CompositeIndex:
    """A composite index with what made it.

    Attributes
    ----------
    score : Series
        The index of each observation, in [0, 1].
    weights : Series
        Weight of each indicator, summing to one.
    normalised : DataFrame
        The indicators in [0, 1], 1 the best of all observations.
    dimensions : dict
        The indicators of each dimension.
    method : str
        How the weights were set.
    negative : tuple of str
        Indicators of which less is better.
    """

    score: pd.Series
    weights: pd.Series
    normalised: pd.DataFrame
    dimensions: dict[str, tuple[str, ...]]
    method: str
    negative: tuple[str, ...] = field(default=())

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

    def summary(self) -> pd.DataFrame:
        """Return dimension, weight and direction of each indicator."""
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


def _checked_dimensions(X: pd.DataFrame, dimensions: Mapping | None) -> dict[str, tuple[str, ...]]:
    if dimensions is None:
        return {str(c): (c,) for c in X.columns}
    dimensions = {d: tuple(names) for d, names in dimensions.items()}
    listed = [name for names in dimensions.values() for name in names]
    for name in listed:
        if name not in X.columns:
            raise UnknownNameError("indicator", name, X.columns)
    repeated = sorted({name for name in listed if listed.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"in more than one dimension: {', '.join(repeated)}")
    return dimensions


def composite_index(
    X: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    negative: Iterable[str] = (),
    weights: str | pd.Series = "entropy",
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
    weights : {"entropy", "equal"} or Series
        Entropy weights over all rows; equal weights for dimensions and, within each, for indicators; or weights by
        indicator, which are scaled to sum to one.

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
    _check_frame(X)
    dimensions = _checked_dimensions(X, dimensions)
    names = [name for group in dimensions.values() for name in group]
    negative = [negative] if isinstance(negative, str) else list(negative)
    normalised = normalise(X[names], negative)
    method, weight = _weights(normalised, dimensions, weights)
    score = (normalised * weight).sum(axis=1).rename("score")
    return CompositeIndex(score, weight, normalised, dimensions, method, tuple(negative))


def _weights(normalised: pd.DataFrame, dimensions: dict, weights: str | pd.Series) -> tuple[str, pd.Series]:
    if isinstance(weights, pd.Series):
        chosen = weights.reindex(normalised.columns)
        if chosen.isna().any() or (chosen < 0).any() or chosen.sum() <= 0:
            raise InvalidInputError("weights: expected one number of at least zero for each indicator, not all zero")
        return "given", (chosen / chosen.sum()).rename("weight")
    if weights == "entropy":
        return weights, _entropy_weights(normalised)
    if weights == "equal":
        each = {name: 1 / len(dimensions) / len(group) for group in dimensions.values() for name in group}
        return weights, pd.Series(each, name="weight")
    raise UnknownNameError("weighting", weights, WEIGHTING)


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
    UnknownNameError
        If ``by`` is something else.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"ports": [10.0, 20.0, 30.0], "users": [1.0, 3.0, 2.0]}, index=["a", "b", "c"])
    >>> obstacle_degree(composite_index(X, weights="equal")).loc["b"].tolist()
    [100.0, 0.0]
    """
    if by not in ("indicator", "dimension"):
        raise UnknownNameError("grouping", by, ["indicator", "dimension"])
    gap = (1 - index.normalised) * index.weights
    total = gap.sum(axis=1)
    degree = 100 * gap.div(total.where(total > 0, 1.0), axis=0)
    return degree if by == "indicator" else _sum_by_dimension(degree, index.dimensions)

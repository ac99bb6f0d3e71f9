"""The composite index (综合指数) and its obstacles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from clusterlib.composite._normalisation import normalise, reference_rows
from clusterlib.composite._weighting import weigh
from clusterlib.core.checks import as_names
from clusterlib.errors import InvalidInputError, UnknownNameError


@dataclass(frozen=True)
class CompositeIndex:
    """A composite index with what made it.

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
    negative: tuple[str, ...] = field(default=())
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


def check_dimensions(X: pd.DataFrame, dimensions: Mapping | None) -> dict[str, tuple[str, ...]]:
    """Return the indicators of each dimension; without dimensions each indicator is its own."""
    if not isinstance(X, pd.DataFrame) or X.shape[1] == 0:
        raise InvalidInputError("expected a DataFrame with one row an observation and one column an indicator")
    if X.columns.has_duplicates:
        raise InvalidInputError(f"indicators given twice: {', '.join(X.columns[X.columns.duplicated()])}")
    if dimensions is None:
        return {str(c): (c,) for c in X.columns}
    dimensions = {d: tuple(as_names(names)) for d, names in dimensions.items()}
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
    reference_years=None,
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
    weights : {"entropy", "critic", "pca", "equal"} or Series
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
    dimensions = check_dimensions(X, dimensions)
    names = [name for group in dimensions.values() for name in group]
    negative = as_names(negative)
    normalised = normalise(X[names], negative, reference_years=reference_years)
    method, weight = weigh(normalised[reference_rows(X, reference_years)], dimensions, weights)
    score = (normalised * weight).sum(axis=1).rename("score")
    return CompositeIndex(score, weight, normalised, dimensions, method, tuple(negative), reference_years)


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
    if by not in ("indicator", "dimension"):
        raise UnknownNameError("grouping", by, ["indicator", "dimension"])
    above = index.normalised.gt(1 + 1e-9).any()
    if above.any():
        raise InvalidInputError(
            f"above the best of the reference years: {', '.join(map(str, above.index[above]))}; obstacles need an "
            "index without reference_years"
        )
    gap = (1 - index.normalised) * index.weights
    total = gap.sum(axis=1)
    degree = 100 * gap.div(total.where(total > 0, 1.0), axis=0)
    return degree if by == "indicator" else _sum_by_dimension(degree, index.dimensions)

"""Indicators on a common scale (标准化) and their weights (赋权): entropy, CRITIC, principal components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_float_series,
    as_names,
    check_choice,
    check_number,
    check_table,
    is_constant,
    parse_years,
)
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError, UnknownNameError

SCALINGS = ("min-max", "z-score")
WEIGHTING = ("entropy", "critic", "pca", "equal")
PCA_RULES = ("squared loadings", "coefficients")
# Relative to the number of indicators: what is left of perfect correlation in floating point.
_TINY = 1e-12

Years = int | str | slice | Iterable[int] | None


def check_indicators(X: pd.DataFrame, negative: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the indicators as floats, and the negative ones, if they are complete and differ from row to row."""
    advice = "leave out the observation or the indicator, or choose years in which it is complete"
    values = check_table(X, "indicator", advice)
    if len(X) < 2:
        raise InvalidInputError(f"{len(X)} observation(s): an index compares at least two")
    _check_varying(values, "everywhere")
    negative = as_names(negative, "negative")
    for name in negative:
        check_choice("negative indicator", name, X.columns)
    return values, negative


def _check_varying(X: pd.DataFrame, where: str) -> None:
    flat = is_constant(X.to_numpy(), axis=0)
    if flat.any():
        names = ", ".join(map(str, X.columns[flat]))
        raise InvalidInputError(f"the same value {where}, so nothing to compare: {names}")


def reference_rows(X: pd.DataFrame, reference_years: Years) -> np.ndarray:
    """Return which rows are of the reference years; all without any.

    Raises
    ------
    InvalidInputError
        If ``X`` has no index level ``year`` that holds years.
    UnknownNameError
        If no row is of these years.
    """
    wanted = parse_years(reference_years)
    if wanted is None:
        return np.ones(len(X), bool)
    if "year" not in X.index.names or not pd.api.types.is_numeric_dtype(X.index.get_level_values("year")):
        raise InvalidInputError("reference_years= needs an index with a level named 'year' that holds numbers")
    years = X.index.get_level_values("year")
    rows = (years >= wanted[0]) & (years <= wanted[1]) if isinstance(wanted, tuple) else years.isin(wanted)
    if not rows.any() or (isinstance(wanted, list) and not set(wanted) <= set(years)):
        raise UnknownNameError("reference years", reference_years, sorted(years.unique()))
    return np.asarray(rows)


def normalise(
    X: pd.DataFrame, negative: Iterable[str] = (), *, method: str = "min-max", reference_years: Years = None
) -> pd.DataFrame:
    r"""Rescale indicators to a common scale (标准化), by default to [0, 1] by their range (极差标准化).

    Minimum and maximum, or mean and standard deviation, are those of all rows: over a panel of all units and years
    together, so that the values of different years compare.

    .. math:: z_{ij} = \frac{x_{ij} - \min_i x_{ij}}{\max_i x_{ij} - \min_i x_{ij}}
              \;(1 - z_{ij} \text{ if more is worse}), \quad\text{or}\quad
              z_{ij} = \frac{x_{ij} - \bar x_j}{s_j} \;(-z_{ij} \text{ if more is worse})

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
        Any units; observations are units, or units and years.
    negative : iterable of str
        Indicators of which less is better (负向指标).
    method : {"min-max", "z-score"}
        ``s`` is the standard deviation with n - 1.
    reference_years : int, str, slice or list, optional
        Take minimum, maximum, mean and deviation from these years alone (基期), written as in
        :func:`clusterlib.data.load_panel`; needs an index level ``year``. Values of other years may then lie outside
        [0, 1], and do not change when later years are added.

    Returns
    -------
    DataFrame
        Of the shape of ``X``.

    Raises
    ------
    InvalidInputError
        For fewer than two rows, text, a missing or infinite value, or an indicator that is the same everywhere or in
        all reference years.
    UnknownNameError
        If a negative indicator is not a column, or for an unknown method or years that are not there.

    Examples
    --------
    >>> import pandas as pd
    >>> normalise(pd.DataFrame({"speed": [10.0, 15.0, 20.0]}))["speed"].tolist()
    [0.0, 0.5, 1.0]
    """
    values, negative = check_indicators(X, negative)
    check_choice("normalisation", method, SCALINGS)
    base = values
    if reference_years is not None:
        base = values[reference_rows(X, reference_years)]
        _check_varying(base, f"in the reference years {reference_years}")
    all_rows, base = values.to_numpy(), base.to_numpy()
    less = X.columns.isin(negative)
    if method == "min-max":
        low = base.min(axis=0)
        scaled = (all_rows - low) / (base.max(axis=0) - low)
        scaled[:, less] = 1 - scaled[:, less]
    else:
        scaled = (all_rows - base.mean(axis=0)) / base.std(axis=0, ddof=1)
        scaled[:, less] *= -1
    return pd.DataFrame(scaled, index=X.index, columns=X.columns)


def _entropy_weights(normalised: pd.DataFrame) -> pd.Series:
    from scipy.special import xlogy

    values = normalised.to_numpy()
    share = values / values.sum(axis=0)
    entropy = -xlogy(share, share).sum(axis=0) / np.log(len(values))
    divergence = 1 - entropy
    return pd.Series(divergence / divergence.sum(), index=normalised.columns, name="weight")


def entropy_weights(X: pd.DataFrame, negative: Iterable[str] = (), by: str | None = None) -> pd.Series | pd.DataFrame:
    r"""Weights of indicators by the entropy method (熵值法).

    Indicators are first rescaled by :func:`normalise`. With :math:`m` rows,

    .. math:: p_{ij} = z_{ij} / \sum_i z_{ij}, \quad e_j = -\frac{1}{\ln m} \sum_i p_{ij} \ln p_{ij},
              \quad w_j = (1 - e_j) / \sum_k (1 - e_k),

    where :math:`0 \ln 0 = 0`; no constant is added to the zeros. In a panel :math:`m` counts units times years, so
    one set of weights holds for all years and scores compare over time. The weights do not depend on the indicators'
    units or on the order of rows.

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
    negative : iterable of str
        Indicators of which less is better.
    by : str, optional
        Index level, such as ``"year"``: each cross-section is rescaled and weighed by itself. Such weights show what
        tells units apart in each year; scores made with them do not compare over years.

    Returns
    -------
    Series, or DataFrame with ``by``
        Weights by indicator, not negative, summing to one; with ``by`` one row a cross-section.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`normalise`, and for a level that the index has not.

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
    if by is None:
        return _entropy_weights(normalise(X, negative))
    check_indicators(X, negative)
    check_choice("index level", by, [name for name in X.index.names if name is not None])
    weights = {}
    for key, part in X.groupby(level=by):
        try:
            weights[key] = _entropy_weights(normalise(part, negative))
        except InvalidInputError as error:
            raise InvalidInputError(f"{by} {key}: {error}") from None
    return pd.DataFrame(weights).T.rename_axis(by)


def _critic_weights(normalised: pd.DataFrame) -> pd.Series:
    names, count = normalised.columns, normalised.shape[1]
    if count == 1:
        return pd.Series(1.0, index=names, name="weight")
    values = normalised.to_numpy()
    conflict = (1 - np.corrcoef(values, rowvar=False)).sum(axis=0)
    if conflict.max() <= _TINY * count:
        raise InvalidInputError("all indicators are perfectly correlated: CRITIC cannot tell them apart; use one")
    information = values.std(axis=0, ddof=1) * conflict.clip(min=0)
    return pd.Series(information / information.sum(), index=names, name="weight")


def critic_weights(X: pd.DataFrame, negative: Iterable[str] = ()) -> pd.Series:
    r"""Weights by criteria importance through intercriteria correlation (CRITIC 法).

    Indicators are rescaled by their range, since z-scores would all have the same standard deviation :math:`s_j`:

    .. math:: C_j = s_j \sum_k (1 - r_{jk}), \quad w_j = C_j / \sum_k C_k

    :math:`r_{jk}` is Pearson's correlation of the rescaled indicators **with its sign**: indicators that move against
    each other count as in conflict and gain weight, which taking :math:`|r|` would undo.

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
        As :func:`normalise`, and if all indicators are perfectly correlated.

    References
    ----------
    Diakoulaki, D., Mavrotas, G. and Papayannakis, L. (1995). Determining objective weights in multiple criteria
    problems: the CRITIC method. Computers & Operations Research 22, 763-770.

    Examples
    --------
    >>> import pandas as pd
    >>> critic_weights(pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [2.0, 1.0, 0.0]})).tolist()
    [0.5, 0.5]
    """
    return _critic_weights(normalise(X, negative))


@dataclass(frozen=True, eq=False)
class PrincipalComponents(Result):
    """Weights of indicators by principal components (主成分分析法).

    Attributes
    ----------
    eigenvalues : DataFrame
        By component: ``eigenvalue``, ``share`` and ``cumulative`` (percent of variance) and ``kept``.
    loadings : DataFrame
        Correlations of the indicators with the components kept; each column sums to at least zero.
    weights : Series
        By indicator, summing to one.
    rule : str
        How loadings became weights.
    cumulative : float or None
        Share of variance asked for; None if components were kept by their eigenvalue.
    """

    eigenvalues: pd.DataFrame
    loadings: pd.DataFrame
    weights: pd.Series
    rule: str
    cumulative: float | None

    @property
    def table(self) -> pd.DataFrame:
        """Loadings, communality and weight of each indicator."""
        return self.loadings.assign(communality=(self.loadings**2).sum(axis=1), weight=self.weights)


def _eigen(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues from the largest down, and their vectors signed so that each sums to at least zero."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    return values, vectors * np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)


def _components_kept(values: np.ndarray, cumulative: float | None) -> int:
    if cumulative is None:
        return max(1, int((values > 1 + _TINY * len(values)).sum()))
    if check_number("cumulative", cumulative, least=0, most=1) == 0:
        raise InvalidInputError("cumulative=0: expected a share of variance above 0 and at most 1")
    reached = np.cumsum(values) / values.sum()
    return int(np.searchsorted(reached, cumulative - _TINY)) + 1


def _coefficient_weights(values: np.ndarray, vectors: np.ndarray, names: pd.Index) -> np.ndarray:
    coefficients = vectors @ (values / values.sum())
    if (coefficients < 0).any():
        raise InvalidInputError(
            f"coefficients below zero: {', '.join(map(str, names[coefficients < 0]))}; check the direction of these "
            "indicators, or take rule='squared loadings', which has no sign"
        )
    return coefficients / coefficients.sum()


def principal_components(
    X: pd.DataFrame,
    negative: Iterable[str] = (),
    *,
    cumulative: float | None = None,
    rule: str = "squared loadings",
) -> PrincipalComponents:
    r"""Weights by principal components (主成分分析法), with eigenvalues and loadings.

    Components are those of the **correlation** matrix, so units do not matter. With eigenvalues :math:`\lambda_k`,
    vectors :math:`a_{jk}` and loadings :math:`l_{jk} = \sqrt{\lambda_k} a_{jk}` of the components kept,

    .. math:: w_j = \frac{\sum_k l_{jk}^2}{\sum_k \lambda_k} \quad\text{(squared loadings)}, \qquad
              w_j \propto \sum_k \frac{\lambda_k}{\sum_h \lambda_h} a_{jk} \quad\text{(coefficients)}

    Squared loadings are the share of an indicator in the variance that the components explain: they have no sign and
    do not change when the components are rotated. The coefficients of the composite score, each component signed so
    that its coefficients sum to at least zero, are the practice of much of the Chinese literature; they may fall
    below zero, which is refused.

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
    negative : iterable of str
        Indicators of which less is better.
    cumulative : float, optional
        Keep components until they explain this share of variance, such as 0.85; by default those with an eigenvalue
        above one (Kaiser), the first in any case.
    rule : {"squared loadings", "coefficients"}

    Returns
    -------
    PrincipalComponents

    Raises
    ------
    InvalidInputError
        As :func:`normalise`, and for coefficients below zero or a share outside (0, 1].
    UnknownNameError
        For an unknown rule or negative indicator.

    References
    ----------
    Nicoletti, G., Scarpetta, S. and Boylaud, O. (2000). OECD Economics Department Working Papers 226, annex.
    OECD and JRC (2008). Handbook on Constructing Composite Indicators, section 6.1.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 4.0, 6.0, 8.0], "c": [1.0, 0.0, 0.0, 1.0]})
    >>> principal_components(X).weights.round(3).tolist()
    [0.5, 0.5, 0.0]
    """
    return _principal_components(normalise(X, negative), cumulative, rule)


def _principal_components(normalised: pd.DataFrame, cumulative: float | None, rule: str) -> PrincipalComponents:
    check_choice("rule", rule, PCA_RULES)
    names = normalised.columns
    values, vectors = _eigen(np.atleast_2d(np.corrcoef(normalised.to_numpy(), rowvar=False)))
    kept = _components_kept(values, cumulative)
    loadings = vectors[:, :kept] * np.sqrt(values[:kept])
    if rule == "coefficients":
        weights = _coefficient_weights(values[:kept], vectors[:, :kept], names)
    else:
        weights = (loadings**2).sum(axis=1) / values[:kept].sum()
    labels = pd.Index([f"component {k}" for k in range(1, len(values) + 1)], name="component")
    share = 100 * values / values.sum()
    table = pd.DataFrame({"eigenvalue": values, "share": share, "cumulative": share.cumsum()}, index=labels)
    table["kept"] = np.arange(len(values)) < kept
    return PrincipalComponents(
        table,
        pd.DataFrame(loadings, index=names, columns=labels[:kept]),
        pd.Series(weights, index=names, name="weight"),
        rule,
        cumulative,
    )


def pca_weights(
    X: pd.DataFrame,
    negative: Iterable[str] = (),
    *,
    cumulative: float | None = None,
    rule: str = "squared loadings",
) -> pd.Series:
    """Weights by principal components (主成分分析法): those of :func:`principal_components`.

    Parameters
    ----------
    X, negative, cumulative, rule
        As :func:`principal_components`.

    Returns
    -------
    Series
        Weights by indicator, not negative, summing to one.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`principal_components`.

    Examples
    --------
    >>> import pandas as pd
    >>> pca_weights(pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [4.0, 2.0, 1.0, 2.0]})).round(3).tolist()
    [0.5, 0.5]
    """
    return principal_components(X, negative, cumulative=cumulative, rule=rule).weights


def check_weights(weights: object, names: pd.Index, what: str, others: bool = True) -> pd.Series:
    """Return weights that were given, in the order of ``names`` and scaled to sum to one.

    Raises
    ------
    InvalidInputError
        For weights that are negative, missing, doubled or all zero.
    UnknownNameError
        For the weight of something else, unless ``others`` may have one.
    """
    if not isinstance(weights, (Mapping, pd.Series)):
        raise InvalidInputError(f"weights: expected a mapping or Series by {what}, got a {type(weights).__name__}")
    given = pd.Series(weights)
    if not others:
        for name in given.index:
            check_choice(what, name, names)
    expected = f"weights: expected one number of at least zero for each {what}, not all zero"
    if given.index.has_duplicates or not pd.api.types.is_numeric_dtype(given):
        raise InvalidInputError(expected)
    chosen = as_float_series(given).reindex(names)
    if not np.isfinite(chosen).all() or (chosen < 0).any() or chosen.sum() <= 0:
        raise InvalidInputError(expected)
    return (chosen / chosen.sum()).rename("weight")


def weigh(
    normalised: pd.DataFrame, dimensions: Mapping[str, tuple[str, ...]], weights: str | Mapping | pd.Series
) -> tuple[str, pd.Series]:
    """Return how the indicators are weighed and their weights, from a name or from weights given.

    Raises
    ------
    InvalidInputError
        As :func:`check_weights`.
    UnknownNameError
        For an unknown name.
    """
    if isinstance(weights, (Mapping, pd.Series)):
        return "given", check_weights(weights, normalised.columns, "indicator")
    check_choice("weighting", weights, WEIGHTING)
    if weights == "entropy":
        return weights, _entropy_weights(normalised)
    if weights == "critic":
        return weights, _critic_weights(normalised)
    if weights == "pca":
        return weights, _principal_components(normalised, None, "squared loadings").weights
    each = {name: 1 / len(dimensions) / len(group) for group in dimensions.values() for name in group}
    return weights, pd.Series(each, name="weight")

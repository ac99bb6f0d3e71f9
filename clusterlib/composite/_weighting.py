"""Weights of indicators (赋权): entropy, CRITIC, principal components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.composite._normalisation import check_indicators, normalise
from clusterlib.errors import InvalidInputError, UnknownNameError

WEIGHTING = ("entropy", "critic", "pca", "equal")
PCA_RULES = ("squared loadings", "coefficients")
# Relative to the number of indicators: what is left of perfect correlation and of exact evenness in floating point.
_TINY = 1e-12


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
    if by not in X.index.names:
        raise UnknownNameError("index level", by, X.index.names)
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


@dataclass(frozen=True)
class PrincipalComponents:
    """Principal components of indicators and the weights made from them.

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

    def summary(self) -> pd.DataFrame:
        """Return loadings, communality and weight of each indicator."""
        return self.loadings.assign(communality=(self.loadings**2).sum(axis=1), weight=self.weights)


def _eigen(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues from the largest down, and their vectors signed so that each sums to at least zero."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    return values, vectors * np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)


def _components_kept(values: np.ndarray, cumulative: float | None) -> int:
    if cumulative is None:
        return max(1, int((values > 1 + _TINY * len(values)).sum()))
    if not 0 < cumulative <= 1:
        raise InvalidInputError(f"cumulative={cumulative}: expected a share of variance above 0 and at most 1")
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
    if rule not in PCA_RULES:
        raise UnknownNameError("rule", rule, PCA_RULES)
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


def weigh(
    normalised: pd.DataFrame, dimensions: Mapping[str, tuple[str, ...]], weights: str | pd.Series
) -> tuple[str, pd.Series]:
    """Return how the indicators are weighed and their weights, from a name or from weights given.

    Raises
    ------
    InvalidInputError
        For weights that are negative, missing or all zero.
    UnknownNameError
        For an unknown name.
    """
    if isinstance(weights, pd.Series):
        chosen = weights.reindex(normalised.columns)
        if chosen.isna().any() or (chosen < 0).any() or chosen.sum() <= 0:
            raise InvalidInputError("weights: expected one number of at least zero for each indicator, not all zero")
        return "given", (chosen / chosen.sum()).rename("weight")
    if weights == "entropy":
        return weights, _entropy_weights(normalised)
    if weights == "critic":
        return weights, _critic_weights(normalised)
    if weights == "pca":
        return weights, _principal_components(normalised, None, "squared loadings").weights
    if weights == "equal":
        each = {name: 1 / len(dimensions) / len(group) for group in dimensions.values() for name in group}
        return weights, pd.Series(each, name="weight")
    raise UnknownNameError("weighting", weights, WEIGHTING)

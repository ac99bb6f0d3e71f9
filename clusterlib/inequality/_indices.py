"""Indices of inequality: the Gini coefficient and Theil's two measures with their parts within and between groups."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError
from clusterlib.inequality._samples import Sample, check_sample

if TYPE_CHECKING:
    from clusterlib.inequality._samples import Entries

MEASURES = ("T", "L")


def gini(values: Entries, weights: Entries | None = None, *, correction: bool = False) -> float:
    r"""Gini coefficient (基尼系数) of a population.

    .. math:: G = \frac{\sum_i \sum_j p_i p_j |x_i - x_j|}{2 \mu}
              = \frac{1}{\mu} \sum_{i=1}^{n-1} P_i (1 - P_i) \, (x_{(i+1)} - x_{(i)})

    with :math:`P_i` the cumulative weight up to the :math:`i`-th smallest value. Takes :math:`O(n \log n)`. Every term
    is positive, so values that are equal but for rounding give exactly zero. It is the population's index, without a
    factor for the size of the sample; an integer weight counts as that many rows.

    Parameters
    ----------
    values : array-like or Series, shape (n,)
        Not negative, not all zero; zeros are taken as they are.
    weights : array-like or Series, shape (n,), optional
        Positive, such as population; a Series is aligned by index.
    correction : bool
        Multiply by :math:`n / (n - 1)`, so that the largest value is one. For values without weights only.

    Returns
    -------
    float
        In [0, 1).

    Raises
    ------
    InvalidInputError
        For negative, missing or only zero values, weights that are not positive, or a correction of weighted data.

    References
    ----------
    Gini, C. (1914). Atti del Reale Istituto Veneto di Scienze, Lettere ed Arti 73, 1203-1248.

    Examples
    --------
    >>> round(gini([1, 2, 3, 4]), 12)
    0.25
    >>> round(gini([1, 2], weights=[3, 1]), 12)
    0.15
    """
    check_choice("correction", correction, (False, True))
    sample = check_sample(values, weights=weights)
    n = len(sample.amounts)
    if correction and sample.weighted:
        raise InvalidInputError("the correction for the size of the sample is defined without weights")
    if correction and n < 2:
        raise InvalidInputError("one value alone: the correction needs at least two")
    return gini_of(sample) * (n / (n - 1) if correction else 1.0)


def gini_of(sample: Sample) -> float:
    """Gini coefficient of a checked sample."""
    order = np.argsort(sample.amounts, kind="stable")
    below = np.cumsum(sample.weights[order])
    share = below[:-1] / below[-1]
    return float((share * (1 - share)) @ np.diff(sample.amounts[order]) / sample.mean)


@dataclass(frozen=True, eq=False)
class Theil(Result):
    """Theil's T and L within and between groups (泰尔指数分解).

    Attributes
    ----------
    table : DataFrame
        By measure: ``total``, ``within`` and ``between``, and both parts in percent of the total, which are not numbers
        where there is no inequality to share.
    T, T_within, T_between, L, L_within, L_between : float
        Theil's T and L (mean logarithmic deviation) and their parts, which sum to them; not a number for a measure
        that was not asked for.
    by_group : DataFrame
        By group: ``n``, ``mean``, ``population_share``, ``income_share`` and, for each measure, the group's own value
        (``T``), its part of the whole's within (``T_within``) and of its between (``T_between``, of either sign).
    measures : tuple of str
    n : int
    weighted : bool
    """

    T: float = field(repr=False)
    T_within: float = field(repr=False)
    T_between: float = field(repr=False)
    L: float = field(repr=False)
    L_within: float = field(repr=False)
    L_between: float = field(repr=False)
    by_group: pd.DataFrame
    measures: tuple[str, ...]
    n: int
    weighted: bool

    @property
    def table(self) -> pd.DataFrame:
        """Total, within and between of each measure, and both parts in percent of the total."""
        rows = {}
        for name in self.measures:
            total, within, between = (getattr(self, name + part) for part in ("", "_within", "_between"))
            rows[name] = {"total": total, "within": within, "between": between}
        table = pd.DataFrame(rows).T.rename_axis("measure")
        whole = table["total"].where(table["total"] > 0)
        return table.assign(
            within_contribution=100 * table["within"] / whole, between_contribution=100 * table["between"] / whole
        )


def theil(
    values: Entries,
    groups: Entries | None = None,
    weights: Entries | None = None,
    *,
    measures: str | Iterable[str] = MEASURES,
) -> Theil:
    r"""Theil's T and L (泰尔指数) and their parts within and between groups.

    With :math:`p_g` the share of group :math:`g` in the weights and :math:`s_g = p_g \mu_g / \mu` in the total,

    .. math:: T &= \sum_i p_i \frac{x_i}{\mu} \ln \frac{x_i}{\mu}
                 = \sum_g s_g T_g + \sum_g s_g \ln \frac{\mu_g}{\mu}, \\
              L &= \sum_i p_i \ln \frac{\mu}{x_i} = \sum_g p_g L_g + \sum_g p_g \ln \frac{\mu}{\mu_g}.

    In T :math:`0 \ln 0 = 0`; L is infinite with a zero and is refused. The totals and the between parts are added up
    from terms that are not negative, such as :math:`r \ln r - (r - 1)` with :math:`r = x_i / \mu`, which sum to the
    same and do not cancel where values hardly differ.

    Parameters
    ----------
    values : array-like or Series, shape (n,)
        Not negative, not all zero.
    groups : array-like or Series, shape (n,), optional
        Label of each value's group; by default all are in one.
    weights : array-like or Series, shape (n,), optional
        Positive, such as population.
    measures : {"T", "L"} or both
        Which to compute: ``"T"`` alone takes zeros.

    Returns
    -------
    Theil

    Raises
    ------
    InvalidInputError
        As :func:`gini`, and for L with a zero.
    UnknownNameError
        For another measure.

    References
    ----------
    Theil, H. (1967). Economics and Information Theory, ch. 4. North-Holland.
    Shorrocks, A. F. (1980). The class of additively decomposable inequality measures. Econometrica 48, 613-625.

    Examples
    --------
    >>> result = theil([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    >>> round(result.T, 4), result.T_within, round(result.T_between, 4)
    (0.1308, 0.0, 0.1308)
    """
    measures = tuple(dict.fromkeys(as_names(measures, "measures")))
    if not measures:
        raise InvalidInputError("measures: expected 'T', 'L' or both, got none")
    for name in measures:
        check_choice("measure of Theil", name, MEASURES)
    sample = check_sample(values, groups, weights)
    if "L" in measures and (sample.amounts == 0).any():
        raise InvalidInputError("L is infinite with a value of zero: leave zeros out, or ask for measures='T' alone")
    k, mu = len(sample.names), sample.mean
    weight = np.bincount(sample.codes, sample.weights, k)
    share = weight / weight.sum()
    mean = _group_means(sample, weight)
    scale = np.where(mean > 0, mean, 1.0)[sample.codes]
    income = share * mean / mu
    table = pd.DataFrame(
        {"n": sample.counts, "mean": mean, "population_share": share, "income_share": income}, index=sample.names
    )
    found = dict.fromkeys(["T", "T_within", "T_between", "L", "L_within", "L_between"], math.nan)
    for name in measures:
        own = np.bincount(sample.codes, sample.weights * _terms(sample.amounts, scale, name), k) / weight
        # A group of zeros has no share of the total and no inequality of its own.
        own[mean == 0] = 0.0
        within = own * (income if name == "T" else share)
        between = share * _terms(mean, mu, name)
        # Of a group the between part is of either sign: the terms that sum to nothing belong to it.
        apart = between + (share * (mean - mu) / mu if name == "T" else -share * (mean - mu) / mu)
        table = table.assign(**{name: own, f"{name}_within": within, f"{name}_between": apart})
        found[name] = float(sample.weights @ _terms(sample.amounts, mu, name) / sample.weights.sum())
        found |= {f"{name}_within": math.fsum(within), f"{name}_between": math.fsum(between)}
    return Theil(**found, by_group=table, measures=measures, n=len(sample.amounts), weighted=sample.weighted)


def _group_means(sample: Sample, weight: np.ndarray) -> np.ndarray:
    """Weighted mean of each group, exact where its amounts are all the same."""
    first = np.empty(len(sample.names))
    first[sample.codes[::-1]] = sample.amounts[::-1]
    apart = sample.weights * (sample.amounts - first[sample.codes])
    return first + np.bincount(sample.codes, apart, len(first)) / weight


def _terms(amounts: np.ndarray, scale: np.ndarray | float, measure: str) -> np.ndarray:
    r"""Terms of T or L, none of them negative: :math:`r \ln r - (r - 1)` and :math:`r - 1 - \ln r`."""
    from scipy.special import xlog1py

    apart = (amounts - scale) / scale
    return xlog1py(amounts / scale, apart) - apart if measure == "T" else apart - np.log1p(apart)

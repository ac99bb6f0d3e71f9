"""Indices of inequality: the Gini coefficient and Theil's two measures with their parts within and between groups."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inequality._samples import Sample, check_sample

MEASURES = ("T", "L")


def gini(values, weights=None, *, correction: bool = False) -> float:
    r"""Gini coefficient (基尼系数) of a population.

    .. math:: G = \frac{\sum_i \sum_j p_i p_j |x_i - x_j|}{2 \mu}
              = \frac{1}{\mu} \sum_{i=1}^{n-1} P_i (1 - P_i) \, (x_{(i+1)} - x_{(i)})

    with :math:`P_i` the cumulative weight up to the :math:`i`-th smallest value. Takes :math:`O(n \log n)`. Every term
    is positive, so equal values give exactly zero. It is the population's index, without a factor for the size of
    the sample; an integer weight counts as that many rows.

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


@dataclass(frozen=True)
class Theil:
    """Theil's measures with their parts.

    Attributes
    ----------
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

    T: float
    T_within: float
    T_between: float
    L: float
    L_within: float
    L_between: float
    by_group: pd.DataFrame
    measures: tuple[str, ...]
    n: int
    weighted: bool

    def summary(self) -> pd.DataFrame:
        """Return total, within and between of each measure, and both parts in percent of the total."""
        rows = {}
        for name in self.measures:
            total, within, between = (getattr(self, name + part) for part in ("", "_within", "_between"))
            rows[name] = {"total": total, "within": within, "between": between}
        table = pd.DataFrame(rows).T.rename_axis("measure")
        whole = table["total"].where(table["total"] > 0)
        return table.assign(
            within_contribution=100 * table["within"] / whole, between_contribution=100 * table["between"] / whole
        )


def theil(values, groups=None, weights=None, *, measures: Iterable[str] = MEASURES) -> Theil:
    r"""Theil's T and L (泰尔指数) and their parts within and between groups.

    With :math:`p_g` the share of group :math:`g` in the weights and :math:`s_g = p_g \mu_g / \mu` in the total,

    .. math:: T &= \sum_i p_i \frac{x_i}{\mu} \ln \frac{x_i}{\mu}
                 = \sum_g s_g T_g + \sum_g s_g \ln \frac{\mu_g}{\mu}, \\
              L &= \sum_i p_i \ln \frac{\mu}{x_i} = \sum_g p_g L_g + \sum_g p_g \ln \frac{\mu}{\mu_g}.

    In T :math:`0 \ln 0 = 0`; L is infinite with a zero and is refused.

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
    measures = tuple(dict.fromkeys([measures] if isinstance(measures, str) else measures))
    for name in measures:
        if name not in MEASURES:
            raise UnknownNameError("measure of Theil", name, MEASURES)
    sample = check_sample(values, groups, weights)
    if "L" in measures and (sample.amounts == 0).any():
        raise InvalidInputError("L is infinite with a value of zero: leave zeros out, or ask for measures='T' alone")
    total = {name: _total(sample, name) for name in measures}
    table = _by_group(sample, measures)
    parts = {f"{m}{part}": math.fsum(table[f"{m}{part}"]) for m in measures for part in ("_within", "_between")}
    empty = dict.fromkeys(["T", "T_within", "T_between", "L", "L_within", "L_between"], math.nan)
    return Theil(
        **{**empty, **total, **parts},
        by_group=table,
        measures=measures,
        n=len(sample.amounts),
        weighted=sample.weighted,
    )


def _total(sample: Sample, measure: str) -> float:
    from scipy.special import xlogy

    relative = sample.amounts / sample.mean
    terms = xlogy(relative, relative) if measure == "T" else -np.log(relative)
    return float(sample.weights @ terms / sample.weights.sum())


def _by_group(sample: Sample, measures: tuple[str, ...]) -> pd.DataFrame:
    from scipy.special import xlogy

    k = len(sample.names)
    weight = np.bincount(sample.codes, sample.weights, k)
    share = weight / weight.sum()
    mean = np.bincount(sample.codes, sample.weights * sample.amounts, k) / weight
    income = share * mean / sample.mean
    table = pd.DataFrame(
        {"n": sample.counts, "mean": mean, "population_share": share, "income_share": income}, index=sample.names
    )
    # A group of zeros has no share of the total and no inequality of its own.
    relative = sample.amounts / np.where(mean > 0, mean, 1.0)[sample.codes]
    if "T" in measures:
        own = np.bincount(sample.codes, sample.weights * xlogy(relative, relative), k) / weight
        table = table.assign(T=own, T_within=income * own, T_between=xlogy(income, mean / sample.mean))
    if "L" in measures:
        own = np.bincount(sample.codes, -sample.weights * np.log(relative), k) / weight
        table = table.assign(L=own, L_within=share * own, L_between=-share * np.log(mean / sample.mean))
    return table

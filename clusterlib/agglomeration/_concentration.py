"""Concentration of industries over regions (集聚度): an exact test for counts, and the Ellison-Glaeser index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.agglomeration._quotients import location_quotient
from clusterlib.errors import InvalidInputError


@dataclass(frozen=True)
class ConcentrationTest:
    """Whether counts are spread over regions as a reference is.

    Attributes
    ----------
    table : DataFrame
        By region: ``count``, ``expected``, ``share`` and ``reference_share`` (percent), ``quotient`` (their ratio) with
        the exact 95 % interval ``lower`` to ``upper``, ``p`` (exact binomial, two-sided) and ``p_holm``.
    statistic, p_value : float
        Likelihood-ratio statistic over all regions and its Monte Carlo p value.
    count, draws, seed : int
        Number counted, of draws, and the seed.
    """

    table: pd.DataFrame
    statistic: float
    p_value: float
    count: int
    draws: int
    seed: int

    def summary(self) -> pd.DataFrame:
        """Return the table by region."""
        return self.table


def _likelihood_ratio(counts: np.ndarray, probability: np.ndarray) -> np.ndarray:
    from scipy.special import xlogy

    total = counts.sum(axis=-1, keepdims=True)
    return 2 * (xlogy(counts, counts) - xlogy(counts, total * probability)).sum(axis=-1)


def _clopper_pearson(counts: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Exact interval of each share; its ends are quantiles of beta distributions, 0 and 1 where those have none."""
    from scipy.stats import beta

    tail = (1 - level) / 2
    lower = beta.ppf(tail, counts, n - counts + 1)
    upper = beta.ppf(1 - tail, counts + 1, n - counts)
    return np.where(counts == 0, 0.0, lower), np.where(counts == n, 1.0, upper)


def _holm(p: np.ndarray) -> np.ndarray:
    """Adjust p values by Holm's procedure: the smallest times their number, the next times one less, and so on."""
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted


def concentration_test(
    counts: pd.Series, reference: pd.Series, *, draws: int = 99_999, seed: int = 0, level: float = 0.95
) -> ConcentrationTest:
    r"""Test whether counted things are spread over regions as a reference is (集聚检验).

    Under the null each of the :math:`n` things falls in region :math:`i` with the probability
    :math:`\pi_i = r_i / \sum r`, independently. Each region is tested by the exact binomial (two-sided, by
    likelihood), with the Clopper-Pearson interval of its share and Holm's correction over regions; all together by

    .. math:: G = 2 \sum_i n_i \ln \frac{n_i}{n \pi_i}, \quad p = \frac{1 + \#\{G^* \ge G\}}{1 + \text{draws}},

    with :math:`G^*` from multinomial draws, since the expected counts are too small for :math:`\chi^2`.

    Parameters
    ----------
    counts : Series of int
        By region; the regions make up the whole country.
    reference : Series
        Size of each region, such as GDP or population, positive, by the same index.
    draws, seed : int
        Of the Monte Carlo test.
    level : float
        Of the intervals.

    Returns
    -------
    ConcentrationTest

    Raises
    ------
    InvalidInputError
        For counts that are not whole numbers of at least zero, or a reference that is not positive.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934). Biometrika 26, 404-413. Holm, S. (1979). Scandinavian Journal of
    Statistics 6, 65-70.

    Examples
    --------
    >>> import pandas as pd
    >>> test = concentration_test(pd.Series({"coast": 18, "inland": 2}), pd.Series({"coast": 50.0, "inland": 50.0}))
    >>> print(f"{test.table.loc['coast', 'p']:.6f}")
    0.000402
    """
    from scipy.stats import binomtest

    values = counts.to_numpy(float)
    if (values < 0).any() or (values != np.floor(values)).any() or values.sum() == 0:
        raise InvalidInputError("counts must be whole numbers of at least zero, not all zero")
    quotient = location_quotient(counts.astype(float), reference)
    size = reference.reindex(counts.index).astype(float)
    probability = (size / size.sum()).to_numpy()
    n = int(values.sum())
    p = np.array([binomtest(int(k), n, share).pvalue for k, share in zip(values, probability, strict=True)])
    lower, upper = _clopper_pearson(values, n, level)
    table = pd.DataFrame(
        {
            "count": values.astype(int),
            "expected": n * probability,
            "share": 100 * values / n,
            "reference_share": 100 * probability,
            "quotient": quotient.to_numpy(),
            "lower": lower / probability,
            "upper": upper / probability,
            "p": p,
            "p_holm": _holm(p),
        },
        index=counts.index,
    )
    statistic = float(_likelihood_ratio(values, probability))
    simulated = _likelihood_ratio(np.random.default_rng(seed).multinomial(n, probability, draws), probability)
    # Draws that tie with the data can differ from it in the last bit.
    exceeding = int((simulated >= statistic - 1e-9).sum())
    return ConcentrationTest(table, statistic, (1 + exceeding) / (1 + draws), n, draws, seed)


@dataclass(frozen=True)
class EllisonGlaeser:
    """Geographic concentration of industries beyond that of their plants.

    Attributes
    ----------
    table : DataFrame
        By industry: ``raw`` concentration G, ``expected`` under random location, ``plant_herfindahl`` H and ``gamma``.
    reference : Series
        Share of each region in the reference, summing to one.
    """

    table: pd.DataFrame
    reference: pd.Series

    def summary(self) -> pd.DataFrame:
        """Return the table with Ellison and Glaeser's reading: below 0.02 not very, above 0.05 very localised."""
        bands = pd.cut(
            self.table["gamma"],
            [-np.inf, 0.02, 0.05, np.inf],
            labels=["not very localised", "between", "very localised"],
        )
        return self.table.assign(reading=bands.astype(str))


def ellison_glaeser(
    employment: pd.DataFrame, plant_herfindahl: pd.Series, reference: pd.Series | None = None
) -> EllisonGlaeser:
    r"""Ellison-Glaeser index of geographic concentration (EG 指数).

    With :math:`s_{ij}` the share of region :math:`i` in industry :math:`j`, :math:`x_i` its share of the reference and
    :math:`H_j = \sum_k z_{kj}^2` the Herfindahl index of the shares of the industry's plants,

    .. math:: G_j = \sum_i (s_{ij} - x_i)^2, \quad
              \gamma_j = \frac{G_j - (1 - \sum_i x_i^2) H_j}{(1 - \sum_i x_i^2)(1 - H_j)}

    If plants locate at random with probabilities :math:`x_i`, the expected value of :math:`G_j` is
    :math:`(1 - \sum_i x_i^2) H_j` and that of :math:`\gamma_j` nil, however few and large the plants are.

    Parameters
    ----------
    employment : DataFrame, shape (regions, industries)
        Employment or output, not negative; the rows make up the whole economy.
    plant_herfindahl : Series
        By industry, in (0, 1): :func:`herfindahl` of the sizes of its plants.
    reference : Series, optional
        Size of each region; by default the sum of ``employment`` over industries.

    Returns
    -------
    EllisonGlaeser

    Raises
    ------
    InvalidInputError
        As :func:`location_quotient`; for an industry without Herfindahl index or with one outside (0, 1): the
        location of a single plant says nothing of concentration.

    References
    ----------
    Ellison, G. and Glaeser, E. L. (1997). Geographic concentration in U.S. manufacturing industries: a dartboard
    approach. Journal of Political Economy 105, 889-927, eq. (5).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [90.0, 10.0], "textiles": [10.0, 90.0]}, index=["coast", "inland"])
    >>> ellison_glaeser(table, pd.Series({"software": 0.1, "textiles": 0.1})).table["gamma"].round(3).tolist()
    [0.6, 0.6]
    """
    size = employment.sum(axis=1) if reference is None else reference
    # Refuses what has no quotient either, with its place.
    location_quotient(employment, size)
    size = size.reindex(employment.index).astype(float)
    weight = size / size.sum()
    plants = plant_herfindahl.reindex(employment.columns)
    bad = plants.index[~((plants > 0) & (plants < 1))]
    if len(bad):
        raise InvalidInputError(
            f"plant_herfindahl of {bad[0]!r} is {plants[bad[0]]}: expected above 0 and below 1, from two plants or more"
        )
    raw = (employment / employment.sum()).sub(weight, axis=0).pow(2).sum()
    spread = 1 - (weight**2).sum()
    table = pd.DataFrame(
        {
            "raw": raw,
            "expected": spread * plants,
            "plant_herfindahl": plants,
            "gamma": (raw - spread * plants) / (spread * (1 - plants)),
        }
    )
    return EllisonGlaeser(table.rename_axis("industry"), weight.rename("reference"))

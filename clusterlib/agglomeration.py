"""Agglomeration (集聚): location quotients and tests of concentration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError


def location_quotient(values: pd.DataFrame | pd.Series, reference: pd.Series | None = None) -> pd.DataFrame | pd.Series:
    r"""Location quotient (区位熵): a region's share of an industry over its share of the reference.

    .. math:: LQ_{ij} = \frac{x_{ij} / \sum_i x_{ij}}{r_i / \sum_i r_i}

    With ``reference=None``, :math:`r_i = \sum_j x_{ij}` gives Florence's quotient. The mean over regions weighted by
    their share of the reference is one for every industry.

    Parameters
    ----------
    values : DataFrame, shape (regions, industries), or Series
        Output, employment or counts, not negative; the rows make up the whole economy.
    reference : Series, optional
        Size of each region (GDP, population), positive, by the same index. Required with a Series.

    Returns
    -------
    DataFrame or Series
        Of the shape of ``values``; above one where the region is specialised.

    Raises
    ------
    InvalidInputError
        For negative or missing values, an industry without output, or regions that are not in ``reference``.

    References
    ----------
    Florence, P. S. (1939). Report of the Location of Industry. Political and Economic Planning.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [30.0, 10.0], "textiles": [10.0, 30.0]}, index=["coast", "inland"])
    >>> location_quotient(table)["software"].tolist()
    [1.5, 0.5]
    """
    if reference is None:
        if isinstance(values, pd.Series):
            raise InvalidInputError("one industry alone: give reference=, the size of each region")
        reference = values.sum(axis=1)
    missing = values.index.difference(reference.index)
    if len(missing):
        raise InvalidInputError(f"no reference for {', '.join(map(str, missing))}")
    reference = reference.reindex(values.index)
    if not (np.isfinite(values.to_numpy(float)).all() and (values.to_numpy() >= 0).all()):
        raise InvalidInputError("values must be finite and not negative")
    if not (np.isfinite(reference.to_numpy(float)).all() and (reference > 0).all()):
        raise InvalidInputError("the reference must be finite and positive for every region")
    if not np.all(values.sum() > 0):
        raise InvalidInputError("an industry has no output in any region: leave it out")
    return (values / values.sum()).div(reference / reference.sum(), axis=0)


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
    from statsmodels.stats.multitest import multipletests

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
            "p_holm": multipletests(p, method="holm")[1],
        },
        index=counts.index,
    )
    statistic = float(_likelihood_ratio(values, probability))
    simulated = _likelihood_ratio(np.random.default_rng(seed).multinomial(n, probability, draws), probability)
    # Draws that tie with the data can differ from it in the last bit.
    exceeding = int((simulated >= statistic - 1e-9).sum())
    return ConcentrationTest(table, statistic, (1 + exceeding) / (1 + draws), n, draws, seed)

"""Concentration of industries over regions (集聚度): location quotients, an exact test for counts, Ellison-Glaeser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_names,
    check_bounds,
    check_choice,
    check_frame,
    check_level,
    check_number,
    check_table,
    check_values,
    check_whole,
    listed,
)
from clusterlib.core.multiple import holm
from clusterlib.core.resampling import exceedance_p, generator
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError


def check_amounts(values: pd.DataFrame, kind: str = "industry") -> pd.DataFrame:
    """Return amounts as floats if they are complete and not negative, a row a region and a column an industry."""
    amounts = check_table(values, kind, f"leave out the region or the {kind}")
    check_bounds(amounts, "amounts must not be negative")
    return amounts


def check_regions(values: pd.DataFrame, kind: str = "industry") -> pd.DataFrame:
    """Return amounts as :func:`check_amounts` does, if each region has one row."""
    amounts = check_amounts(values, kind)
    if amounts.index.nlevels > 1:
        raise InvalidInputError(
            "expected one row a region, since the rows make up the whole economy: choose a year first, as in "
            "values.xs(2020, level='year')"
        )
    if amounts.index.has_duplicates:
        raise InvalidInputError(f"region given twice: {amounts.index[amounts.index.duplicated()][0]}")
    return amounts


def _aligned(values: pd.Series, index: pd.Index, what: str) -> pd.Series:
    """Return a complete Series in the order of ``index``; it may hold more."""
    if isinstance(values, pd.Series) and values.index.is_unique and values.index.nlevels == index.nlevels:
        missing = index.difference(values.index)
        if len(missing):
            raise InvalidInputError(f"no {what} for {listed(missing)}")
        values = values.reindex(index).rename(what)
    return check_values(values, 1, None, "give it its value, or leave it out")


def _sizes(reference: pd.Series, regions: pd.Index) -> pd.Series:
    """Return the size of each region, which is positive."""
    sizes = _aligned(reference, regions, "reference")
    check_bounds(sizes.to_frame("reference"), "the size of a region must be positive", open_ends=True)
    return sizes


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
        For negative or missing values, an industry without output, a region given twice, or regions that are not in
        ``reference``.

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
    if isinstance(values, pd.Series):
        if reference is None:
            raise InvalidInputError("one industry alone: give reference=, the size of each region")
        quotients = location_quotient(values.to_frame("values"), reference)
        return pd.Series(quotients["values"], name=values.name)
    amounts = check_regions(values)
    sizes = _sizes(amounts.sum(axis=1) if reference is None else reference, amounts.index)
    totals = amounts.sum()
    if not (totals > 0).all():
        raise InvalidInputError(f"no output in any region: {listed(totals.index[totals == 0])}; leave it out")
    return (amounts / totals).div(sizes / sizes.sum(), axis=0)


@dataclass(frozen=True, eq=False)
class QuotientIntervals(Result):
    """Location quotients with bootstrap intervals (区位熵的置信区间).

    Attributes
    ----------
    table : DataFrame
        By region and industry: ``quotient`` with ``lower`` and ``upper``, ``share`` of the industry in percent with
        ``share_lower`` and ``share_upper``.
    simulated : dict of str to ndarray, shape (draws, regions, industries)
        Drawn ``"quotient"`` and ``"share"``.
    draws, seed : int
    level : float
    """

    table: pd.DataFrame
    simulated: dict[str, np.ndarray] = field(repr=False)
    draws: int
    seed: int
    level: float


def _percentiles(drawn: np.ndarray, level: float) -> np.ndarray:
    tail = (1 - level) / 2
    return np.nanquantile(drawn, [tail, 1 - tail], axis=0)


def _quotients(values: np.ndarray, reference: np.ndarray | None) -> dict[str, np.ndarray]:
    """Shares and quotients of arrays (..., regions, industries) and (..., regions)."""
    sizes = values.sum(axis=-1) if reference is None else reference
    share = values / values.sum(axis=-2, keepdims=True)
    weight = sizes / sizes.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return {"quotient": share / weight[..., None], "share": 100 * share}


def _draw_counts(values: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    if (values != np.floor(values)).any():
        raise InvalidInputError(
            "draws are for counts and values are not whole numbers: amounts have no number of independent units; of a "
            "series of years take clusterlib.inference.latest_level"
        )
    columns = [rng.multinomial(int(column.sum()), column / column.sum(), draws) for column in values.T]
    return np.stack(columns, axis=-1).astype(float)


def location_quotient_interval(
    values: pd.DataFrame,
    reference: pd.Series | None = None,
    *,
    draws: int = 1999,
    seed: int = 0,
    level: float = 0.95,
) -> QuotientIntervals:
    r"""Location quotients of counts with percentile bootstrap intervals (区位熵的自助法置信区间).

    The :math:`n_j` firms, clusters or persons of industry :math:`j` fall in region :math:`i` independently with
    probability :math:`x_{ij} / n_j`. Without ``reference`` the sizes of the regions are those of the same draw. A cell
    of zero stays zero: for few counts take :func:`concentration_test`, whose intervals are exact. Amounts of the whole
    economy are no sample; see :func:`clusterlib.inference.latest_level` for a series of years.

    Parameters
    ----------
    values : DataFrame, shape (regions, industries)
        Whole numbers; the regions make up the whole economy.
    reference : Series, optional
        Size of each region, by the same index; by default the sum over industries.
    draws, seed : int
    level : float
        Of the intervals.

    Returns
    -------
    QuotientIntervals

    Raises
    ------
    InvalidInputError
        As :func:`location_quotient`, and for counts that are not whole.

    References
    ----------
    Moineddin, R., Beyene, J. and Boyle, E. (2003). On the location quotient confidence interval. Geographical
    Analysis 35, 249-256.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [300, 100], "textiles": [100, 300]}, index=["coast", "inland"])
    >>> bool(location_quotient_interval(table).table.loc[("coast", "software"), "lower"] > 1.3)
    True
    """
    check_frame(values, "a DataFrame with one column an industry")
    check_level(level)
    draws, random = check_whole("draws", draws, least=1), generator(seed)
    totals = check_regions(values)
    sizes = None if reference is None else _sizes(reference, totals.index)
    observed = location_quotient(totals, sizes)
    simulated = _quotients(_draw_counts(totals.to_numpy(), draws, random), None if sizes is None else sizes.to_numpy())
    parts = {"quotient": observed, "share": 100 * totals / totals.sum()}
    names = {"quotient": ("lower", "upper"), "share": ("share_lower", "share_upper")}
    columns = {}
    for measure, estimate in parts.items():
        columns[measure] = estimate.to_numpy().ravel()
        for name, bound in zip(names[measure], _percentiles(simulated[measure], level), strict=True):
            columns[name] = bound.ravel()
    index = pd.MultiIndex.from_product([observed.index, observed.columns], names=["region", "industry"])
    return QuotientIntervals(pd.DataFrame(columns, index=index), simulated, draws, seed, level)


@dataclass(frozen=True, eq=False)
class ConcentrationTest(Result):
    """Test of concentration: are counts spread over regions as a reference is (集聚检验).

    Attributes
    ----------
    table : DataFrame
        By region: ``count``, ``expected``, ``share`` and ``reference_share`` (percent), ``quotient`` (their ratio) with
        the exact interval ``lower`` to ``upper``, ``p`` (exact binomial, two-sided) and ``p_holm``.
    statistic, p_value : float
        Likelihood-ratio statistic over all regions and its Monte Carlo p value.
    count, draws, seed : int
        Number counted, of draws, and the seed.
    level : float
        Of the intervals.
    """

    table: pd.DataFrame
    statistic: float
    p_value: float
    count: int
    draws: int
    seed: int
    level: float


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

    check_level(level)
    draws, random = check_whole("draws", draws, least=1), generator(seed)
    number = check_values(counts, 1, None, "a region without any has a count of zero")
    values = number.to_numpy()
    if (values < 0).any() or (values != np.floor(values)).any() or values.sum() == 0:
        raise InvalidInputError("counts must be whole numbers of at least zero, not all zero")
    sizes = _sizes(reference, number.index)
    probability = (sizes / sizes.sum()).to_numpy()
    n = int(values.sum())
    p = np.array([binomtest(int(k), n, share).pvalue for k, share in zip(values, probability, strict=True)])
    lower, upper = _clopper_pearson(values, n, level)
    table = pd.DataFrame(
        {
            "count": values.astype(int),
            "expected": n * probability,
            "share": 100 * values / n,
            "reference_share": 100 * probability,
            "quotient": values / n / probability,
            "lower": lower / probability,
            "upper": upper / probability,
            "p": p,
            "p_holm": holm(pd.Series(p)).to_numpy(),
        },
        index=number.index,
    )
    statistic = float(_likelihood_ratio(values, probability))
    simulated = _likelihood_ratio(random.multinomial(n, probability, draws), probability)
    return ConcentrationTest(table, statistic, exceedance_p(statistic, simulated), n, draws, seed, level)


def lead_in_counts(
    counts: pd.DataFrame, region: str | int, reference: pd.Series | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    r"""Compare a region's counts with those of the best other region by the exact binomial (数量领先检验).

    If both were alike, each of the :math:`n_i + n_r` things of the pair would be the region's with the probability
    :math:`\pi = r_i / (r_i + r_r)`, one half without ``reference``.

    Parameters
    ----------
    counts : DataFrame, shape (regions, industries)
        Whole numbers; the rows are the regions compared.
    region : str or int
        One of the rows.
    reference : Series, optional
        Size of each region, such as GDP: the values compared are then location quotients among these regions.
    level : float
        One less the significance level (two-sided).

    Returns
    -------
    DataFrame
        By industry: ``value`` of the region, ``rival``, ``rival_value``, ``p_value``, ``detectable``, the smallest
        odds against the rival's, over those of chance, that the test finds with a power of four fifths (infinite if
        there are too few), and ``outcome`` as that of :meth:`QuotientIntervals.lead`. The rival is chosen by the counts
        that are then tested, which the p value does not know of: it is too large if anything for a region that leads,
        and too small for one that trails.

    Raises
    ------
    InvalidInputError
        For counts that are not whole numbers of at least zero, fewer than two regions, or, with ``reference``, an
        industry that no region has.
    UnknownNameError
        For an unknown region.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"chips": [9, 1, 0], "cloud": [2, 3, 1]}, index=["coast", "inland", "west"])
    >>> lead_in_counts(counts, "coast")["outcome"].tolist()
    ['leads', 'level']
    """
    from scipy.stats import binomtest

    check_level(level)
    amounts = check_regions(counts)
    if (amounts != np.floor(amounts)).to_numpy().any():
        raise InvalidInputError("counts: expected whole numbers; amounts have no number of independent units")
    if len(amounts) < 2:
        raise InvalidInputError("one region: it has no other to be compared with")
    check_choice("region", region, amounts.index)
    sizes = pd.Series(1.0, amounts.index) if reference is None else _sizes(reference, amounts.index)
    values = location_quotient(amounts, sizes) if reference is not None else amounts
    rows, place = {}, amounts.index.get_loc(region)
    for industry, value in values.items():
        rival = amounts.index.get_loc(value.drop(region).idxmax())
        both, of = np.array([place, rival]), value.to_numpy()
        own, other = amounts[industry].to_numpy()[both].astype(int)
        chance = sizes.to_numpy()[place] / sizes.to_numpy()[both].sum()
        p_value = float(binomtest(own, own + other, chance).pvalue) if own + other else 1.0
        outcome = "level" if p_value >= 1 - level else "leads" if of[place] > of[rival] else "trails"
        rows[industry] = {
            "value": of[place], "rival": amounts.index[rival], "rival_value": of[rival], "p_value": p_value,
            "detectable": _detectable_odds(own + other, chance, 1 - level), "outcome": outcome,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("industry")


def _detectable_odds(n: int, chance: float, alpha: float, power: float = 0.8) -> float:
    """Return the smallest odds, over those of chance, above which the exact binomial rejects with this power."""
    from scipy.stats import beta, binomtest

    above = range(int(n * chance) + 1, n + 1)
    needed = next((count for count in above if binomtest(count, n, chance).pvalue < alpha), None)
    if needed is None:
        return np.inf
    # The probability at which this count or a larger one comes up with this power.
    share = beta.ppf(power, needed, n - needed + 1)
    return float(share / (1 - share) / (chance / (1 - chance)))


def _by_part(amounts: pd.Series, reference: pd.Series, what: str) -> pd.DataFrame:
    """Return amounts, which may be missing, and the size of each part of each region."""
    for name, values in ((what, amounts), ("reference", reference)):
        if not isinstance(values, pd.Series) or values.index.nlevels != 2 or values.index.has_duplicates:
            raise InvalidInputError(f"{name}: expected one value for each region and part of it, as two index levels")
    flat = amounts.index.to_flat_index()
    check_bounds(amounts.dropna().set_axis(flat[amounts.notna()]).to_frame(what), "amounts must not be negative")
    size = _aligned(reference.set_axis(reference.index.to_flat_index()), flat, "reference")
    check_bounds(size.to_frame("reference"), "sizes must not be negative")
    return pd.DataFrame({"amount": amounts, "size": size.set_axis(amounts.index)})


def shares_and_quotients(amounts: pd.Series, reference: pd.Series) -> pd.DataFrame:
    """Return regions' shares of the nation and location quotients from amounts of their parts (份额与区位熵).

    Parameters
    ----------
    amounts : Series
        Not negative, by (region, part), such as the provinces of each region; all together are the nation.
    reference : Series
        Such as GDP, by the same index.

    Returns
    -------
    DataFrame
        By region: ``share`` in percent and ``quotient``, the share over that of the reference.

    Raises
    ------
    InvalidInputError
        For amounts that are negative, or an index that is not of regions and parts.

    Examples
    --------
    >>> import pandas as pd
    >>> parts = pd.MultiIndex.from_tuples([("coast", 1), ("coast", 2), ("inland", 3), ("inland", 4)])
    >>> amounts = pd.Series([30.0, 30.0, 20.0, 20.0], parts)
    >>> shares_and_quotients(amounts, pd.Series(25.0, parts)).loc["coast"].tolist()
    [60.0, 1.2]
    """
    sums = _by_part(amounts, reference, "amounts").groupby(level=0).sum()
    weight = sums / sums.sum()
    return pd.DataFrame({"share": 100 * weight["amount"], "quotient": weight["amount"] / weight["size"]})


def lead_in_totals(
    amounts: pd.Series, reference: pd.Series, region: str | int, regions: Iterable, *, margin: float = 1.1
) -> pd.DataFrame:
    r"""Compare a region's total with the best other's, and tell what it would take to undo a lead (总量领先).

    Of totals that have no sampling error, such as those of a census, the ratio :math:`\rho` to the best other is told
    with the error of measurement that would undo it, and with what becomes of it without each part.

    Parameters
    ----------
    amounts : Series
        Not negative, by (region, part), such as the provinces of each region; all together are the nation.
    reference : Series
        Such as GDP, by the same index: what the quotient is relative to.
    region : str or int
    regions : list
        Those compared, the region among them; the others count in the nation alone.
    margin : float
        Ratio from which on a region leads, above one.

    Returns
    -------
    DataFrame
        By reading, ``share`` of the nation in percent and ``quotient``: ``value``, ``rival``, ``rival_value``,
        ``ratio``; ``overstated``, :math:`1 - 1 / \rho`, the part of the region's amount that would have to be error
        for the lead to vanish (negative where it does not lead); ``lowest`` and ``highest`` ratio with one part of
        either region left out, of amount and reference, where the region has others; ``outcome``, ``"leads"`` from
        the margin on, ``"trails"`` from its inverse down, ``"level"`` between.

    Raises
    ------
    InvalidInputError
        For amounts that are negative or missing, an index that is not of regions and parts, a margin that is not above
        one, or one region alone.
    UnknownNameError
        For an unknown region.

    Examples
    --------
    >>> import pandas as pd
    >>> parts = pd.MultiIndex.from_tuples([("coast", 1), ("coast", 2), ("inland", 3), ("rest", 4)])
    >>> amounts = pd.Series([30.0, 30.0, 20.0, 20.0], parts)
    >>> lead = lead_in_totals(amounts, pd.Series(25.0, parts), "coast", ["coast", "inland"])
    >>> lead.loc["share", ["ratio", "lowest"]].tolist()
    [3.0, 1.5]
    """
    check_number("margin", margin, least=1, open_ends=True)
    table = _by_part(amounts, reference, "amounts")
    if amounts.isna().any():
        raise InvalidInputError(f"no amount for {listed(amounts.index[amounts.isna()])}; leave it out")
    chosen = as_names(regions, "regions")
    for name in [region, *chosen]:
        check_choice("region", name, amounts.index.unique(0))
    if region not in chosen or len(chosen) < 2:
        raise InvalidInputError("regions: expected the region itself and one other or more to compare it with")

    def read(parts: pd.DataFrame) -> pd.DataFrame:
        return shares_and_quotients(parts["amount"], parts["size"]).loc[chosen]

    def ratio(parts: pd.DataFrame) -> pd.Series:
        values = read(parts)
        return values.drop(region).rdiv(values.loc[region]).min()

    values, found = read(table), ratio(table)
    others = values.drop(region)
    several = table.groupby(level=0)["amount"].transform("size") > 1
    without = [ratio(table.drop([p])) for p in table.index[several] if p[0] in {region, *others.idxmax()}]
    ranges = pd.DataFrame(without, columns=found.index)
    outcome = np.select([found >= margin, found <= 1 / margin], ["leads", "trails"], "level").astype(object)
    return pd.DataFrame(
        {
            "value": values.loc[region], "rival": others.idxmax(), "rival_value": others.max(), "ratio": found,
            "overstated": 1 - 1 / found, "lowest": ranges.min(), "highest": ranges.max(), "outcome": outcome,
        }
    ).rename_axis("reading")  # fmt: skip


def bounds_of_totals(known: pd.Series, total: float, reference: pd.Series, region: str | int) -> pd.DataFrame:
    """Bound each region's share of a total of which only some parts are known (部分可识别的份额).

    What is unknown may lie in any part that has no figure (Manski 2003). Bounds of two regions are not reached
    together, since they share it.

    Parameters
    ----------
    known : Series
        By (region, part), such as the provinces of each region, missing where unknown; all together are the nation.
    total : float
        Of the nation, at least the sum of what is known.
    reference : Series
        Such as GDP, by the same index: what the quotient is relative to.
    region : str or int
        That the others are set against.

    Returns
    -------
    DataFrame
        By region: ``share_lower``, ``share_upper`` in percent and ``quotient_lower``, ``quotient_upper``;
        ``share_passes`` and ``quotient_passes``, the percentage of the unknown with which it would equal the region if
        nothing of it fell to that one: nil where it does so already, above 100 or missing where it cannot.

    Raises
    ------
    InvalidInputError
        For amounts that are negative, a total below their sum, or an index that is not of regions and parts.
    UnknownNameError
        For an unknown region.

    References
    ----------
    Manski, C. F. (2003). Partial Identification of Probability Distributions. Springer.

    Examples
    --------
    >>> import pandas as pd
    >>> parts = pd.MultiIndex.from_tuples([("coast", 1), ("coast", 2), ("inland", 3)])
    >>> known = pd.Series([50.0, None, 20.0], parts)
    >>> bounds_of_totals(known, 100, pd.Series(1.0, parts), "coast")["share_upper"].tolist()
    [80.0, 20.0]
    """
    size = _by_part(known, reference, "known")["size"].groupby(level=0).sum()
    check_number("total", total, least=float(known.sum()))
    check_choice("region", region, known.index.unique(0))
    weight, unknown = size / size.sum(), 100 * (1 - known.sum() / total)
    lower = 100 * known.groupby(level=0).sum() / total
    is_open = known.isna().groupby(level=0).any()
    upper = lower + unknown * is_open
    needed = pd.DataFrame({"share": lower[region] - lower, "quotient": lower[region] / weight[region] * weight - lower})
    passes = 100 * needed.clip(lower=0).drop(region) / (unknown or np.nan)
    passes = passes.where(needed.le(0).mul(1).add(is_open, axis=0) > 0).reindex(lower.index)
    table = {"share_lower": lower, "share_upper": upper}
    table |= {f"quotient_{end}": table[f"share_{end}"] / 100 / weight for end in ("lower", "upper")}
    return pd.DataFrame(table).join(passes.add_suffix("_passes")).rename_axis("region")


@dataclass(frozen=True, eq=False)
class EllisonGlaeser(Result):
    """Geographic concentration of industries beyond that of their plants (EG 指数).

    Attributes
    ----------
    table : DataFrame
        By industry: ``raw`` concentration G, ``expected`` under random location, ``plant_herfindahl`` H and ``gamma``.
    reference : Series
        Share of each region in the reference, summing to one.
    """

    table: pd.DataFrame
    reference: pd.Series

    @property
    def reading(self) -> pd.Series:
        """Ellison and Glaeser's reading by industry: below 0.02 not very, above 0.05 very localised."""
        words = ["not very localised", "between", "very localised"]
        return pd.cut(self.table["gamma"], [-np.inf, 0.02, 0.05, np.inf], labels=words).astype(str).rename("reading")

    def _shown(self) -> pd.DataFrame:
        return self.table.assign(reading=self.reading)


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
    # Refuses what has no quotient either, with its place.
    location_quotient(employment, reference)
    amounts = check_regions(employment)
    if len(amounts) < 2:
        raise InvalidInputError("one region: nothing is concentrated in it rather than elsewhere")
    sizes = _sizes(amounts.sum(axis=1) if reference is None else reference, amounts.index)
    weight = sizes / sizes.sum()
    plants = _aligned(plant_herfindahl, amounts.columns, "plant_herfindahl")
    check_bounds(plants.to_frame("plant_herfindahl"), "expected that of two plants or more", 0, 1, open_ends=True)
    raw = (amounts / amounts.sum()).sub(weight, axis=0).pow(2).sum()
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

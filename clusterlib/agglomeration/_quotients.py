"""Location quotients (区位熵) and their intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_panel
from clusterlib.errors import InvalidInputError, UnknownNameError

RESAMPLING = ("multinomial", "periods")
MEASURES = ("quotient", "share")


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
    if reference is None:
        if isinstance(values, pd.Series):
            raise InvalidInputError("one industry alone: give reference=, the size of each region")
        reference = values.sum(axis=1)
    for index in (values.index, reference.index):
        if index.has_duplicates:
            raise InvalidInputError(f"region given twice: {index[index.duplicated()][0]}")
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
class QuotientIntervals:
    """Location quotients and shares with bootstrap intervals.

    Attributes
    ----------
    table : DataFrame
        By region and industry: ``quotient`` with ``lower`` and ``upper``, ``share`` of the industry in percent with
        ``share_lower`` and ``share_upper``.
    simulated : dict of str to ndarray, shape (draws, regions, industries)
        Drawn ``"quotient"`` and ``"share"``.
    resample : str
        What was resampled.
    draws, seed : int
    level : float
    block : int or None
        Periods in a block.
    """

    table: pd.DataFrame
    simulated: dict[str, np.ndarray] = field(repr=False)
    resample: str
    draws: int
    seed: int
    level: float
    block: int | None = None

    def summary(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def lead(self, region, rivals=None, measure: str = "quotient") -> pd.DataFrame:
        """Compare a region with the best of its rivals, industry by industry.

        In every draw the rival is the best of that draw, so that choosing it is part of the interval.

        Parameters
        ----------
        region : object
            A region of the table.
        rivals : list, optional
            By default all other regions.
        measure : {"quotient", "share"}

        Returns
        -------
        DataFrame
            By industry: ``value``, ``rival``, ``rival_value``, ``difference`` and its interval ``lower``, ``upper``.

        Raises
        ------
        UnknownNameError
            For an unknown region or measure.
        """
        if measure not in MEASURES:
            raise UnknownNameError("measure", measure, MEASURES)
        # In the order of the draws: unstacking sorts.
        regions, industries = (self.table.index.unique(level) for level in ("region", "industry"))
        observed = self.table[measure].unstack().reindex(index=regions, columns=industries)
        rivals = [name for name in observed.index if name != region] if rivals is None else list(rivals)
        for name in [region, *rivals]:
            if name not in observed.index:
                raise UnknownNameError("region", name, observed.index)
        drawn, places = self.simulated[measure], observed.index.get_indexer(rivals)
        difference = drawn[:, observed.index.get_loc(region)] - drawn[:, places].max(axis=1)
        lower, upper = _percentiles(difference, self.level)
        others = observed.loc[rivals]
        table = pd.DataFrame({"value": observed.loc[region], "rival": others.idxmax(), "rival_value": others.max()})
        return table.assign(difference=table["value"] - table["rival_value"], lower=lower, upper=upper)


def _percentiles(drawn: np.ndarray, level: float) -> np.ndarray:
    tail = (1 - level) / 2
    return np.nanquantile(drawn, [tail, 1 - tail], axis=0)


def _quotients(values: np.ndarray, reference: np.ndarray | None) -> dict[str, np.ndarray]:
    """Shares and quotients of arrays (..., regions, industries) and (..., regions)."""
    reference = values.sum(axis=-1) if reference is None else reference
    share = values / values.sum(axis=-2, keepdims=True)
    weight = reference / reference.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return {"quotient": share / weight[..., None], "share": 100 * share}


def _draw_counts(values: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    if (values != np.floor(values)).any():
        raise InvalidInputError(
            "resample='multinomial' is for counts and values are not whole numbers: amounts have no number of "
            "independent units; give periods and take resample='periods'"
        )
    columns = [rng.multinomial(int(column.sum()), column / column.sum(), draws) for column in values.T]
    return np.stack(columns, axis=-1).astype(float)


def _draw_periods(periods: int, block: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """How often each period is in each draw of a circular block bootstrap."""
    starts = rng.integers(periods, size=(draws, -(-periods // block)))
    chosen = ((starts[..., None] + np.arange(block)) % periods).reshape(draws, -1)[:, :periods]
    return (chosen[..., None] == np.arange(periods)).sum(axis=1).astype(float)


def _period_totals(values: pd.DataFrame, reference: pd.Series | None) -> tuple[pd.DataFrame, pd.Series | None]:
    """Values and reference summed over periods, after the checks that a resampling of periods needs."""
    frame = check_panel(values, values.columns)
    _, periods = check_balanced(frame)
    if periods < 3:
        raise InvalidInputError(f"{periods} period(s): resampling periods needs at least three")
    if reference is None:
        return frame, None
    if reference.index.has_duplicates:
        raise InvalidInputError(f"reference given twice: {reference.index[reference.index.duplicated()][0]}")
    missing = frame.index.difference(reference.index)
    if len(missing):
        raise InvalidInputError(f"no reference for {missing[0]}")
    return frame, reference.reindex(frame.index)


def location_quotient_interval(
    values: pd.DataFrame,
    reference: pd.Series | None = None,
    *,
    resample: str = "multinomial",
    draws: int = 1999,
    seed: int = 0,
    level: float = 0.95,
    block: int | None = None,
) -> QuotientIntervals:
    r"""Location quotients with percentile bootstrap intervals (区位熵的自助法置信区间).

    What varies must be stated, since a table of the whole economy is no sample:

    - ``"multinomial"``, for counts of firms, clusters or persons: the :math:`n_j` things of industry :math:`j` fall in
      region :math:`i` independently with probability :math:`x_{ij} / n_j`. Without ``reference`` the sizes of the
      regions are those of the same draw. A cell of zero stays zero: for few counts take
      :func:`concentration_test`, whose intervals are exact.
    - ``"periods"``, for amounts over several years: whole years are drawn, in circular blocks because years resemble
      their neighbours, the same for all regions, industries and the reference. The quotient is that of the totals
      over the years drawn, and the interval says how much it depends on which years are looked at: not a sampling
      error, which official totals do not have.

    Parameters
    ----------
    values : DataFrame
        ``"multinomial"``: shape (regions, industries), whole numbers. ``"periods"``: indexed by (region, period),
        balanced, one column an industry. The regions make up the whole economy.
    reference : Series, optional
        Size of each region, by the same index; by default the sum over industries.
    resample : {"multinomial", "periods"}
    draws, seed : int
    level : float
        Of the intervals, and of those of :meth:`QuotientIntervals.lead`.
    block : int, optional
        Periods in a block; by default the cube root of their number, rounded.

    Returns
    -------
    QuotientIntervals

    Raises
    ------
    InvalidInputError
        As :func:`location_quotient`; for counts that are not whole, a panel that is not balanced or shorter than three
        periods, or a block longer than the panel.
    UnknownNameError
        For an unknown resampling.

    References
    ----------
    Moineddin, R., Beyene, J. and Boyle, E. (2003). On the location quotient confidence interval. Geographical
    Analysis 35, 249-256. Politis, D. N. and Romano, J. P. (1992). A circular block-resampling procedure for
    stationary data. In Exploring the Limits of Bootstrap, Wiley.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"software": [300, 100], "textiles": [100, 300]}, index=["coast", "inland"])
    >>> bool(location_quotient_interval(table).table.loc[("coast", "software"), "lower"] > 1.3)
    True
    """
    if resample not in RESAMPLING:
        raise UnknownNameError("resampling", resample, RESAMPLING)
    if not isinstance(values, pd.DataFrame):
        raise InvalidInputError(f"expected a DataFrame with one column an industry, got a {type(values).__name__}")
    if not 0 < level < 1 or draws < 1:
        raise InvalidInputError(f"level={level}, draws={draws}: expected a level between 0 and 1 and at least one draw")
    rng = np.random.default_rng(seed)
    if resample == "multinomial":
        observed, block = location_quotient(values, reference), None
        sizes = None if reference is None else reference.reindex(values.index).to_numpy(float)
        share = values / values.sum()
        simulated = _quotients(_draw_counts(values.to_numpy(float), draws, rng), sizes)
    else:
        frame, sizes = _period_totals(values, reference)
        totals = frame.groupby(level=0).sum()
        observed = location_quotient(totals, None if sizes is None else sizes.groupby(level=0).sum())
        share = totals / totals.sum()
        simulated, block = _simulate_periods(frame, sizes, draws, block, rng)
    parts = {"quotient": observed, "share": 100 * share}
    names = {"quotient": ("lower", "upper"), "share": ("share_lower", "share_upper")}
    columns = {}
    for measure, estimate in parts.items():
        columns[measure] = estimate.to_numpy().ravel()
        for name, bound in zip(names[measure], _percentiles(simulated[measure], level), strict=True):
            columns[name] = bound.ravel()
    index = pd.MultiIndex.from_product([observed.index, observed.columns], names=["region", "industry"])
    return QuotientIntervals(pd.DataFrame(columns, index=index), simulated, resample, draws, seed, level, block)


def _simulate_periods(
    frame: pd.DataFrame, reference: pd.Series | None, draws: int, block: int | None, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], int]:
    regions, periods = (frame.index.unique(level).size for level in (0, 1))
    block = max(1, round(periods ** (1 / 3))) if block is None else block
    if not 1 <= block <= periods:
        raise InvalidInputError(f"block={block}: expected between 1 and the number of periods, {periods}")
    times = _draw_periods(periods, block, draws, rng)
    cube = frame.to_numpy().reshape(regions, periods, -1)
    sizes = None if reference is None else times @ reference.to_numpy(float).reshape(regions, periods).T
    return _quotients(np.einsum("dt,rtj->drj", times, cube), sizes), block

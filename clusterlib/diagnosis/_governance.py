"""Governance imbalance (治理失衡): spillovers that stop at the border of a jurisdiction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_panel
from clusterlib.diagnosis._severity import Severity
from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from libpysal.graph import Graph

_FEW_UNITS = 8
_FEW_PAIRS = 6
# One-sided at five percent: without a spillover within there is none that a border could stop.
_CRITICAL = 1.645
# Of which growth is a change of the logarithm, and of which a change of percentage points.
OUTCOMES = MappingProxyType(
    {"gdp": "amount", "gdp_per_capita": "amount", "average_wage": "amount", "value_added_tertiary_share": "share"}
)
NO_SPILLOVER = "no spillover within the jurisdiction can be told from none"


def border_spillovers(
    panel: pd.DataFrame,
    y: str,
    x: Iterable[str],
    graph: Graph,
    jurisdiction: pd.Series,
    units: Iterable | None = None,
    *,
    shocks: bool = False,
):
    r"""Spillovers between neighbours within a jurisdiction and across its border (边界效应).

    .. math:: y_{it} = \rho_1 \sum_j w^{in}_{ij} y_{jt} + \rho_2 \sum_j w^{out}_{ij} y_{jt} + x_{it}'\beta + \mu_i
              + \alpha_t + \theta_{p(i)t} + e_{it}

    What all units of a jurisdiction :math:`p` share in a period, :math:`\theta_{pt} \sim N(0, \sigma_\theta^2)`, such
    as its policy or a revision of its statistics, moves neighbours within it together and so passes for a spillover
    that stops at the border. ``shocks=True`` estimates its variance beside the rhos; without, it is taken to be nil.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); units without a row in some year are left out.
    y : str
    x : iterable of str
    graph : Graph
        Neighbours of the units.
    jurisdiction : Series
        Of each unit.
    units : iterable, optional
        Estimate from these units and their neighbours; by default from all.
    shocks : bool
        Whether units of a jurisdiction share shocks, independent between jurisdictions and periods.

    Returns
    -------
    clusterlib.spatial_panel.TwoWeightsResult or clusterlib.diagnosis.SharedShocksResult

    Raises
    ------
    InvalidInputError
        If fewer than eight units, or fewer than six pairs of neighbours within or across, are left.

    Notes
    -----
    Maximum likelihood; effects of units and periods are dummy variables. With shared shocks standard errors are from
    the Hessian of the concentrated likelihood, without from the information matrix.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from libpysal.graph import Graph
    >>> from scipy.sparse import csr_array
    >>> ring = sum(np.roll(np.eye(32), step, axis=1) for step in (-2, -1, 1, 2)) / 4
    >>> province = pd.Series(np.arange(32) // 8, index=range(32))
    >>> random = np.random.default_rng(0)
    >>> x, shared = random.normal(size=(32, 20)), random.normal(size=(4, 20))[province]
    >>> y = np.linalg.solve(np.eye(32) - 0.2 * ring, x + shared + random.normal(size=(32, 20)))
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, pd.MultiIndex.from_product([range(32), range(20)]))
    >>> graph = Graph.from_sparse(csr_array(ring), ids=range(32))
    >>> tests = [border_spillovers(panel, "y", ["x"], graph, province, shocks=s).equality_test() for s in (False, True)]
    >>> [test.p_value < 0.01 for test in tests]
    [True, False]
    """
    from clusterlib.spatial_panel import two_weights_sar

    sample = _Borders(graph, jurisdiction).sample(panel, units)
    if shocks:
        from clusterlib.diagnosis._shocks import SharedShocks

        return SharedShocks(sample.rows, y, list(x), sample.pair, jurisdiction).results()[1]
    within, across = sample.pair
    return two_weights_sar(sample.rows, y, list(x), within, across, effects="twoway")


class _Sample(NamedTuple):
    """Rows to estimate from, and the weights within and across of their units in sorted order."""

    rows: pd.DataFrame
    pair: tuple


class _Borders:
    """Neighbours of all units as one matrix, to take many samples from: a graph anew for each would cost more."""

    def __init__(self, graph: Graph, jurisdiction: pd.Series) -> None:
        self.ids = pd.Index(graph.unique_ids)
        self.matrix = graph.sparse.tocsr()
        missing = self.ids[~self.ids.isin(jurisdiction.index)]
        if len(missing):
            raise InvalidInputError(f"no jurisdiction for {', '.join(map(str, missing))}")
        self.code = jurisdiction.loc[self.ids].factorize()[0]

    def sample(self, panel: pd.DataFrame, units: Iterable | None) -> _Sample:
        """Return these units and their neighbours, as far as they have a row in every year."""
        count = panel.groupby(level=0).size()
        complete = self.ids.isin(count.index[count == panel.index.unique(1).size])
        if units is not None:
            core = self.ids.isin(list(units)) & complete
            complete &= core | (self.matrix.T @ core.astype(float) > 0)
        chosen = self.ids[complete].sort_values()
        if len(chosen) < _FEW_UNITS:
            raise InvalidInputError(f"{len(chosen)} unit(s) with their neighbours: at least {_FEW_UNITS} are needed")
        return _Sample(panel[panel.index.get_level_values(0).isin(chosen)], self._pair(self.ids.get_indexer(chosen)))

    def _pair(self, place: np.ndarray) -> tuple:
        """Weights within and across that add up to row-standardised ones, as of within_and_across."""
        from scipy.sparse import csr_array

        part = self.matrix[place][:, place].toarray()
        np.fill_diagonal(part, 0.0)
        total = part.sum(axis=1, keepdims=True)
        part = part / np.where(total > 0, total, 1.0)
        same = np.equal.outer(self.code[place], self.code[place])
        pair = part * same, part * ~same
        for side, weights in zip(("within", "across"), pair, strict=True):
            count = int((weights > 0).sum()) // 2
            if count < _FEW_PAIRS:
                raise InvalidInputError(
                    f"{count} pair(s) of neighbours {side} the border: at least {_FEW_PAIRS} are needed"
                )
        return tuple(csr_array(weights) for weights in pair)


def border_severity(result, draws: int, seed: int, level: float) -> tuple[float, float, float]:
    """Severity of a border with its interval; missing where nothing spills over within the jurisdiction."""
    within, across = result.rho_within, result.rho_across
    if within < _CRITICAL * result.std_errors["rho_within"]:
        return np.nan, np.nan, np.nan
    covariance = result.covariance.to_numpy()[:2, :2]
    drawn = np.random.default_rng(seed).multivariate_normal([within, across], covariance, draws)
    # Where a draw has no spillover within, its border stops none.
    passing = drawn[:, 1] / np.where(drawn[:, 0] > 0, drawn[:, 0], np.inf)
    spread = 100 * np.where(drawn[:, 0] > 0, np.clip(1 - passing, 0, 1), 0.0)
    lower, upper = np.percentile(spread, [50 * (1 - level), 50 * (1 + level)])
    return float(100 * np.clip(1 - across / within, 0, 1)), float(lower), float(upper)


def governance_imbalance(
    panel: pd.DataFrame,
    y: str,
    x: Iterable[str],
    graph: Graph,
    jurisdiction: pd.Series,
    areas: Mapping,
    *,
    window: int = 8,
    first: int | None = None,
    shocks: bool = True,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Severity, pd.DataFrame]:
    r"""Governance imbalance as the part of a spillover that stops at the border (治理失衡度).

    .. math:: S_{at} = 100 \, \min\Bigl(1, \max\Bigl(0, 1 - \frac{\hat\rho_2}{\hat\rho_1}\Bigr)\Bigr)

    with the rhos of :func:`border_spillovers` from the area's units and their neighbours, over the ``window`` years to
    and with :math:`t`. Where :math:`\hat\rho_1` is not above zero at five percent there is no spillover for a border to
    stop, and the severity is missing. Intervals are percentiles of draws from the rhos' normal distribution, nil where
    a draw has no spillover within.

    Parameters
    ----------
    panel, y, x, graph, jurisdiction
        As :func:`border_spillovers`.
    areas : mapping
        Units of each area, such as the cities of a province or a region.
    window : int
        Years of a window, those without data counted.
    first : int, optional
        Year in which the first window ends; by default the first in which one can.
    shocks : bool
        Whether units of a jurisdiction may share shocks. Without, common shocks count as spillovers within.
    draws, seed : int
    level : float

    Returns
    -------
    Severity, DataFrame
        The severity by (area, year); and by (area, year) the estimates: ``rho_within``, ``rho_across``, their
        ``difference``, standard errors ``se_within``, ``se_across``, ``se_difference``, ``p_equal`` (Wald test of equal
        rhos), ``shock_share`` and ``p_shocks`` (test that there are none); the same without shared shocks with
        ``plain_`` before the name; the number of ``units``, and the ``reason`` where there is no severity.

    Raises
    ------
    InvalidInputError
        For fewer years than a window has.
    """
    x = list(x)
    data = check_panel(panel, [y, *x])
    years = sorted(data.index.unique(1))
    ends = [t for t in years if t >= (years[0] + window - 1 if first is None else first)]
    if not ends or ends[0] - window + 1 < years[0]:
        raise InvalidInputError(f"years {years[0]} to {years[-1]}: a window has {window}")
    borders = _Borders(graph, jurisdiction)
    rows, estimates = {}, {}
    period = data.index.get_level_values(1)
    spans = {end: data[(period > end - window) & (period <= end)] for end in ends}
    for area, units in areas.items():
        for end, span in spans.items():
            estimates[area, end], rows[area, end] = _estimate(
                span, y, x, borders, jurisdiction, units, shocks, draws, seed, level
            )
    names = [panel.index.names[0], panel.index.names[1]]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["severity", "lower", "upper"])
    table.index = pd.MultiIndex.from_tuples(table.index, names=names)
    found = pd.DataFrame.from_dict(estimates, orient="index")
    found.index = table.index
    settings = {
        "y": y, "x": x, "window": window, "shocks": shocks, "draws": draws, "seed": seed, "level": level,
    }  # fmt: skip
    drivers = pd.DataFrame({"border": 100.0 * (table["severity"] > 0)}, index=table.index)
    return Severity("governance_imbalance", table, drivers, settings), found


def _estimate(span, y, x, borders, jurisdiction, units, shocks, draws, seed, level):
    from clusterlib.diagnosis._shocks import SharedShocks

    try:
        sample = borders.sample(span, units)
        plain, result = SharedShocks(sample.rows, y, x, sample.pair, jurisdiction).results()
    except InvalidInputError as error:
        return {"reason": str(error)}, (np.nan, np.nan, np.nan)
    result = result if shocks else plain
    severity = border_severity(result, draws, seed, level)
    (gap, error), (plain_gap, plain_error) = result.difference(), plain.difference()
    estimates = {
        "rho_within": result.rho_within,
        "rho_across": result.rho_across,
        "se_within": result.std_errors["rho_within"],
        "se_across": result.std_errors["rho_across"],
        "difference": gap,
        "se_difference": error,
        "p_equal": result.equality_test().p_value,
        "shock_share": result.shock_share,
        "p_shocks": result.shocks_test().p_value,
        "plain_within": plain.rho_within,
        "plain_across": plain.rho_across,
        "plain_se_within": plain.std_errors["rho_within"],
        "plain_se_across": plain.std_errors["rho_across"],
        "plain_difference": plain_gap,
        "plain_se_difference": plain_error,
        "plain_p_equal": plain.equality_test().p_value,
        "units": result.n_units,
        "reason": NO_SPILLOVER if np.isnan(severity[0]) else "",
    }
    return estimates, severity


def load_growth_panel(
    years: tuple[int, int] = (2006, 2020),
    outliers: float = 5.0,
    outcome: str = "gdp",
    without: tuple[int, ...] = (2019,),
):
    """Load yearly growth of cities with their neighbours and jurisdictions.

    Left out is what is no growth. 2019, whose figures rest on the fourth economic census and those of the year before
    do not. And what is farther from the median of the province's cities in the year than ``outliers`` robust standard
    deviations of such distances: counties that moved from one city to the next, whose gain and loss would pass for a
    negative spillover between neighbours, and cities that were revised on their own.

    Parameters
    ----------
    years : (int, int)
        First and last year of growth.
    outliers : float
        In 1.4826 median absolute distances.
    outcome : {"gdp", "gdp_per_capita", "average_wage", "value_added_tertiary_share"}
    without : tuple of int
        Years whose growth is left out.

    Returns
    -------
    DataFrame, Graph, Series
        ``growth`` (log points times 100, or percentage points of a share) and ``initial``, the level it starts from in
        the same unit, by (adcode, year), not for every city in every year; contiguity of these cities among all; the
        province of each.

    Raises
    ------
    UnknownNameError
        For another outcome.
    """
    from clusterlib.data import load_panel

    if outcome not in OUTCOMES:
        raise UnknownNameError("outcome", outcome, OUTCOMES)
    graph, province = _all_cities()
    level = load_panel("city", outcome)[outcome].unstack("year")
    level = level if OUTCOMES[outcome] == "share" else 100 * np.log(level)
    growth = level.diff(axis=1).loc[:, years[0] : years[1]].drop(columns=list(without), errors="ignore")
    growth = growth.loc[growth.index.intersection(province.index)]
    distance = (growth - growth.groupby(province.loc[growth.index]).transform("median")).abs()
    # Of a city that is a province of its own the distance is nil whatever it does.
    scale = 1.4826 * np.nanmedian(distance[distance > 0])
    panel = growth.where(distance <= outliers * scale).stack().dropna().rename("growth").to_frame()
    panel["initial"] = level.shift(axis=1).stack().reindex(panel.index)
    panel.index.names = ["adcode", "year"]
    cities = panel.index.unique("adcode")
    return panel, graph.subgraph(cities), province.loc[cities]


@lru_cache(maxsize=1)
def _all_cities() -> tuple[Graph, pd.Series]:
    """Contiguity of all cities, and their provinces; one whose neighbours have no figures is not given farther ones."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import contiguity

    boundaries = load_boundaries("city")
    return contiguity(boundaries), boundaries["province"]

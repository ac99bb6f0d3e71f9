"""Joint targets (共同目标): growth that passes between neighbouring cities, within provinces and across borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights
from clusterlib.core.checks import (
    as_floats,
    check_choice,
    check_columns,
    check_finite,
    check_flags,
    check_units,
    check_whole,
)
from clusterlib.core.language import Phrase
from clusterlib.core.resampling import draw_normal
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError
from clusterlib.regions import get_region
from clusterlib.study._design import design
from clusterlib.study._memory import remember

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike
    from clusterlib.spatial_panel import TwoWeightsResult
    from clusterlib.study.diagnosis import SharedShocksResult

OUTCOMES = {"gdp": "gdp", "lights": "night_lights_sum"}
# Pairs of neighbours across a border of provinces inside a region, from which on its own border is estimated. Ours:
# with nine, intervals of 95 percent cover 86 to 89 (benchmarks/monte_carlo_remedies.py).
FEWEST_PAIRS = 20
# Night lights are of one satellite from 2013 on, and need no census.
_SATELLITE = (2014, 2020)
_RHOS = ["rho_within", "rho_across"]
# Beyond, rounds take longer than a system of equations.
_SLOW = 0.9
# Draws of like rhos go together, so that the few with large ones do not set the rounds of all.
_TOGETHER = 200


@dataclass(frozen=True, eq=False)
class BorderModel:
    """A model of city growth with a spatial lag within provinces and another across their borders.

    Attributes
    ----------
    result : TwoWeightsResult or SharedShocksResult
        See :func:`clusterlib.diagnosis.border_spillovers`.
    params, covariance : Series, DataFrame
        Of both rhos.
    within, across : Graph
        Of the cities that it is estimated from.
    gdp : Series
        Of the last year, 1e8 yuan, by adcode.
    province : Series
        Of each city.
    first, year : int
        The first and the last year of growth.
    """

    result: TwoWeightsResult | SharedShocksResult
    params: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    within: Graph = field(repr=False)
    across: Graph = field(repr=False)
    gdp: pd.Series = field(repr=False)
    province: pd.Series = field(repr=False)
    first: int
    year: int


@dataclass(frozen=True, eq=False)
class BorderResponse(Result):
    """Response to a common impulse under three regimes of the border (边界情景响应).

    Attributes
    ----------
    units : Index
    alone : ndarray, shape (units, 1 + draws)
        Nothing crosses the border; the first column at the estimates, then by draw.
    present : ndarray, shape (units, 1 + draws)
        As estimated.
    joint : ndarray, shape (units, 1 + draws)
        Across the border as within.
    rejected : int
        Draws that were made again because a rho was not below one in modulus.
    """

    units: pd.Index = field(repr=False)
    alone: np.ndarray = field(repr=False)
    present: np.ndarray = field(repr=False)
    joint: np.ndarray = field(repr=False)
    rejected: int

    @property
    def table(self) -> pd.DataFrame:
        """The three regimes by unit, with 95 percent intervals."""
        parts = {"alone": self.alone, "present": self.present, "joint": self.joint}
        effects = np.hstack([interval(values, 0.95) for values in parts.values()])
        names = [f"{name}{end}" for name in parts for end in ("", "_lower", "_upper")]
        return pd.DataFrame(effects, self.units, names)


def interval(values: np.ndarray, level: float) -> np.ndarray:
    """Return estimate and bounds, shape (..., 3), of values whose last axis holds the estimate and then the draws."""
    bounds = np.quantile(values[..., 1:], [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return np.stack([values[..., 0], *bounds], axis=-1)


def _growth(outcome: str) -> tuple[pd.DataFrame, Graph, pd.Series, int, int]:
    """Growth of cities in the window of the diagnosis, neighbours, provinces, the first and the last year."""
    from clusterlib.study.diagnosis import load_growth_panel

    span = {"years": _SATELLITE, "without": ()} if outcome == "lights" else {}
    panel, graph, province = load_growth_panel(outcome=OUTCOMES[outcome], **span)
    year = panel.index.get_level_values("year")
    panel = panel[year > int(year.max()) - int(design().constants["window"])]
    year = panel.index.get_level_values("year")
    return panel, graph.subgraph(panel.index.unique("adcode")), province, int(year.min()), int(year.max())


def border_pairs(region: str, outcome: str = "gdp") -> int:
    """Count pairs of neighbours with figures across a border of provinces inside a region (区域内跨省邻市对).

    Parameters
    ----------
    region : str
    outcome : {"gdp", "lights"}

    Returns
    -------
    int

    Examples
    --------
    >>> border_pairs("gba"), border_pairs("yrd") > 20
    (0, True)
    """
    check_choice("outcome", outcome, OUTCOMES)
    panel, graph, province, *_ = _growth(outcome)
    count = panel.groupby(level="adcode").size()
    full = count.index[count == panel.index.unique("year").size]
    members = full[full.isin(list(get_region(region).adcodes("city")))]
    links = graph.subgraph(members).adjacency
    links = links[links > 0]
    one, other = (province.reindex(links.index.get_level_values(level)).to_numpy() for level in (0, 1))
    return int((one != other).sum()) // 2


def why_no_border(region: str) -> Phrase | None:
    """Say why a region's own border is not estimated, or nothing if it is (无法估计自身边界的原因).

    Examples
    --------
    >>> why_no_border("yrd") is None, "would be needed" in str(why_no_border("gba"))
    (True, True)
    """
    pairs = border_pairs(region)
    if pairs >= FEWEST_PAIRS:
        return None
    return Phrase(
        f"The region has {pairs} pair(s) of neighbouring cities with yearly GDP across a border of provinces inside "
        f"it, and its own border is estimated from {FEWEST_PAIRS} on (the bound is ours: intervals of fewer do not "
        "cover). Yearly growth by district or county on both sides of its borders, all systems and customs areas "
        "included, would be needed.",
        f"区域内部跨省界且均有历年地区生产总值的邻市仅{pairs}对，少于估计自身边界所需的{FEWEST_PAIRS}对"
        "（阈值由本文设定：配对更少时区间覆盖率不足）。检验需要边界两侧（含不同制度与关税区）分区县的历年增长数据。",
    )


def border_model(region: str | None = None, outcome: str = "gdp", shocks: bool = True) -> BorderModel:
    """Estimate growth of cities by that of neighbours within the province and beyond its border (城市增长双权重模型).

    As :func:`clusterlib.diagnosis.border_spillovers`, over the last years of the design's window.

    Parameters
    ----------
    region : str, optional
        A region's code: estimate from its cities and their neighbours; by default from all cities.
    outcome : {"gdp", "lights"}
        Whose growth: GDP, or night lights, which no bureau revises.
    shocks : bool
        Whether cities of a province may share shocks, which otherwise pass for spillovers within it.

    Returns
    -------
    BorderModel

    Raises
    ------
    UnknownNameError
        If there is no such region or outcome.
    InvalidInputError
        If the region has too few neighbours across a border of provinces inside it.

    Examples
    --------
    >>> bool(0 < border_model().result.shock_share < 1)
    True
    """
    check_choice("outcome", outcome, OUTCOMES)
    check_flags(shocks=shocks)
    code = None if region is None else get_region(region).code
    if code is not None and (pairs := border_pairs(code, outcome)) < FEWEST_PAIRS:
        raise InvalidInputError(
            f"{code} has {pairs} pair(s) of neighbouring cities with figures across a border of provinces inside it; "
            f"at least {FEWEST_PAIRS} are needed: take the nation's estimates"
        )
    return _estimate(code, outcome, shocks)


@remember
def _estimate(region: str | None, outcome: str, shocks: bool) -> BorderModel:
    from clusterlib.data import load_panel
    from clusterlib.study.diagnosis import border_spillovers
    from clusterlib.weights import within_and_across

    panel, graph, province, first, last = _growth(outcome)
    cities = get_region(region).adcodes("city") if region else None
    result = border_spillovers(panel, "growth", ["initial"], graph, province, cities, shocks=shocks)
    units = result.residuals.index.unique(0)
    pair = within_and_across(graph.subgraph(units), province.loc[units])
    gdp = load_panel("city", "gdp", years=last)["gdp"].droplevel("year").reindex(units)
    params, covariance = result.params[_RHOS], result.covariance.loc[_RHOS, _RHOS]
    return BorderModel(result, params, covariance, pair.within, pair.across, gdp, province.loc[units], first, last)


def border_response(
    result: Any, within: WeightsLike, across: WeightsLike, impulse: pd.Series, *, draws: int = 1000, seed: int = 0
) -> BorderResponse:
    r"""Response to an impulse in a model with one spatial lag within borders and another across (边界情景响应).

    .. math:: \Delta y = (I - \rho_1 W_1 - \rho_2 W_2)^{-1} z

    with the estimates (present), with :math:`\rho_2 := \rho_1` (joint targets) and with :math:`\rho_2 := 0` (each
    jurisdiction acts alone: it has only what it does itself).

    Parameters
    ----------
    result : BorderModel, TwoWeightsResult or SharedShocksResult
        With ``params`` and ``covariance`` of both rhos.
    within, across : Graph, W, DataFrame, array or sparse matrix
        The weights that the model was estimated with, of the units of ``impulse``; together rows sum to at most one.
    impulse : Series
        What each unit gets first, in the unit of y.
    draws, seed : int
        Of both rhos from the normal distribution of the estimates.

    Returns
    -------
    BorderResponse

    Raises
    ------
    InvalidInputError
        For a missing impulse, weights of other units, estimates that are not below one in modulus and estimates so
        vague that hardly a draw is.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from types import SimpleNamespace
    >>> names = ["rho_within", "rho_across"]
    >>> covariance = pd.DataFrame(np.eye(2) * 1e-4, names, names)
    >>> estimates = SimpleNamespace(params=pd.Series([0.5, 0.1], names), covariance=covariance)
    >>> within = np.array([[0, 0.5, 0], [1, 0, 0], [0, 0, 0.0]])
    >>> across = np.array([[0, 0, 0.5], [0, 0, 0], [1, 0, 0.0]])
    >>> found = border_response(estimates, within, across, pd.Series([1.0, 1.0, 1.0]), draws=10)
    >>> [regime[:, 0].round(2).tolist() for regime in (found.alone, found.present, found.joint)]
    [[1.43, 1.71, 1.0], [1.49, 1.75, 1.15], [2.0, 2.0, 2.0]]
    """
    given = impulse.to_frame("impulse") if isinstance(impulse, pd.Series) else impulse
    names = check_columns(given, getattr(given, "columns", ()))
    if len(names) != 1:
        raise InvalidInputError(f"impulse: expected one value a unit, got {len(names)} columns")
    check_units(given.index, "impulse")
    check_finite(given, "an impulse is zero where there is none")
    first = as_floats(given, names).to_numpy()
    one, other = (align_weights(w, impulse.index, name).matrix for w, name in ((within, "within"), (across, "across")))

    def stable(drawn: np.ndarray) -> np.ndarray:
        return np.abs(drawn).max(axis=1) < 1

    params, table = getattr(result, "params", None), getattr(result, "covariance", None)
    if not isinstance(table, pd.DataFrame) or not isinstance(params, pd.Series):
        raise InvalidInputError(f"expected estimates with params and covariance, got a {type(result).__name__}")
    for labels in (params.index, table.index):
        for name in _RHOS:
            check_choice("parameter", name, labels)
    mean, spread = params[_RHOS].to_numpy(float), table.loc[_RHOS, _RHOS].to_numpy(float)
    drawn, rejected = draw_normal(mean, spread, check_whole("draws", draws, 2), check_whole("seed", seed), stable)
    inside, outside = np.vstack([mean, drawn]).T
    reached = {
        "alone": propagate([one], inside[None], first),
        "present": propagate([one, other], np.stack([inside, outside]), first),
        "joint": propagate([one + other], inside[None], first),
    }
    return BorderResponse(impulse.index, **reached, rejected=rejected)


def propagate(matrices: list[csr_array], rhos: np.ndarray, impulses: np.ndarray) -> np.ndarray:
    r"""Solve for what impulses come to once they have passed between neighbours (空间乘数传导).

    .. math:: y = \sum_a \rho_a W_a y + z, \qquad y = \Bigl(I - \sum_a \rho_a W_a\Bigr)^{-1} z

    by :math:`y \leftarrow \sum_a \rho_a W_a y + z`, for all draws of the rhos at once and without an inverse: rows of
    the matrices together sum to at most one, so every round brings y nearer by the factor :math:`\max_a |\rho_a|`.
    Draws with a rho beyond 0.9 in modulus are solved as systems of equations.

    Parameters
    ----------
    matrices : list of sparse matrices, shape (units, units)
        Not negative; together their rows sum to at most one.
    rhos : ndarray, shape (matrices, draws)
        Each below one in modulus: the process is then stable.
    impulses : ndarray, shape (units, ..., draws) or (units, ..., 1)
        What each unit gets first.

    Returns
    -------
    ndarray, shape (units, ..., draws)

    Raises
    ------
    InvalidInputError
        For a rho of one or more in modulus, and rows that sum to more than one.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> pair = csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> propagate([pair], np.array([[0.5]]), np.array([[1.0], [0.0]])).round(4).tolist()
    [[1.3333], [0.6667]]
    """
    largest = float(np.abs(rhos).max())
    if not largest < 1:
        raise InvalidInputError(f"a rho of {largest:.4g} in modulus: from one on, impulses grow without end")
    sums = np.sum([matrix.sum(axis=1) for matrix in matrices], axis=0)
    if sums.max() > 1 + 1e-9:
        raise InvalidInputError(f"a row of the weights sums to {sums.max():.4g}: row-standardise them")
    shape = np.broadcast_shapes(impulses.shape, (*impulses.shape[:-1], rhos.shape[1]))
    first, reached = np.broadcast_to(impulses, shape), np.empty(shape)
    furthest = np.abs(rhos).max(axis=0)
    order = np.argsort(furthest)
    fast, slow = np.split(order, [np.count_nonzero(furthest <= _SLOW)])
    for some in np.array_split(fast, -(-len(fast) // _TOGETHER) or 1):
        reached[..., some] = _in_rounds(matrices, rhos.take(some, axis=1), first.take(some, axis=-1))
    dense = np.stack([matrix.toarray() for matrix in matrices])
    for draw in slow:
        system = np.eye(len(first)) - np.tensordot(rhos[:, draw], dense, 1)
        reached[..., draw] = np.linalg.solve(system, first[..., draw])
    return reached


def _in_rounds(matrices: list[csr_array], rhos: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Pass impulses on so often that nothing above rounding is left to pass."""
    from scipy.sparse import hstack

    largest = float(np.abs(rhos).max(initial=0.0))
    rounds = int(np.ceil(np.log(np.finfo(float).eps) / np.log(largest))) if largest > 0 else 0
    side_by_side = hstack(matrices, format="csr")
    rhos = rhos.reshape(len(matrices), *[1] * (first.ndim - 1), -1)
    reached = first
    for _ in range(rounds):
        shares = (rhos * reached).reshape(len(matrices) * len(first), -1)
        reached = first + (side_by_side @ shares).reshape(first.shape)
    return reached

"""The impact of digital development on output over all defensible choices, the same for every region (设定曲线)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights
from clusterlib.core.checks import check_choice
from clusterlib.specification_curve import SpecificationCurve, specification_curve
from clusterlib.study._design import design
from clusterlib.study._memory import remember
from clusterlib.study._panels import output_panel, province_graphs

NO_WEIGHTS = "no_weights"
Samples = Mapping[tuple[str, str], pd.DataFrame]


def output_choices(periods: Iterable[str]) -> dict[str, list[str]]:
    """Return the choices of :func:`output_curve` with their options: index, weights, period, controls (设定选项).

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.output_choices(["2016:2023"])["controls"]
    ['no_controls', 'before', 'more']
    """
    from clusterlib.composite import WEIGHTING

    weights = [NO_WEIGHTS, "contiguity", "nearest", "distance", "economic", "nested"]
    index = [*WEIGHTING, "adoption"]
    return {"index": index, "weights": weights, "period": list(periods), "controls": list(_controls())}


def _controls() -> dict[str, list[str]]:
    plan = design()
    return {"no_controls": [], "before": [*plan.controls], "more": [*plan.controls, *plan.more_controls]}


def index_deviations(periods: Iterable[str], index_years: str | None = None) -> pd.DataFrame:
    """Return the standard deviation of indices, in tenths, within provinces and years, by period (组内标准差).

    Parameters
    ----------
    periods : iterable of str
    index_years : int, str, slice or list, optional
        Of ranges and weights of the indices.
    """
    names = output_choices(periods)["index"]
    panels = {period: output_panel(period, index_years=index_years)[names] for period in periods}
    found = {period: {name: _deviation(panel[name]) for name in names} for period, panel in panels.items()}
    return pd.DataFrame(found).rename_axis("index")


def _deviation(values: pd.Series) -> float:
    wide = values.unstack("year")
    centred = wide.sub(wide.mean(axis=1), axis=0).sub(wide.mean(), axis=1) + wide.to_numpy().mean()
    return float(np.sqrt((centred.to_numpy() ** 2).mean()))


def output_curve(
    outcome: str, periods: Sequence[str], *, without: Iterable[int] = (), index_years: str | None = None,
    neighbours: int | None = None, power: float | None = None, draws: int = 300, null_draws: int = 0, seed: int = 0,
    alpha: float = 0.05,
) -> SpecificationCurve:  # fmt: skip
    """Estimate the impact of the index on an outcome of provinces in every specification (产出设定曲线).

    In standard deviations of the index within provinces and years, by two-way fixed effects or a spatial Durbin model
    with the transformation of Lee and Yu.

    Parameters
    ----------
    outcome : str
        One of ``design().outcomes``.
    periods : sequence of str
        Spans of years, the main one first: economic distance is of the years before it.
    without : iterable of int
        Provinces that are left out.
    index_years : str, optional
        Of ranges and weights of the indices.
    neighbours, power : int, float, optional
        As in :func:`clusterlib.study.province_graphs`.
    draws, null_draws, seed : int
        Of the errors of impacts, and samples without an effect.
    alpha : float
        P values up to it are significant.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    UnknownNameError, InvalidInputError
        For an outcome that there is not, years without figures, and arguments of another kind.
    """
    check_choice("outcome", outcome, design().outcomes)
    return _curve(
        outcome,
        tuple(periods),
        tuple(map(int, without)),
        index_years,
        neighbours,
        power,
        draws,
        null_draws,
        seed,
        alpha,
    )


@remember
def _curve(
    outcome: str, periods: tuple[str, ...], without: tuple[int, ...], index_years: str | None, neighbours: int | None,
    power: float | None, draws: int, null_draws: int, seed: int, alpha: float,
) -> SpecificationCurve:  # fmt: skip
    """Estimate the curve as :func:`output_curve`, of arguments that can be told apart."""
    spread, choices = index_deviations(periods, index_years).to_dict(), output_choices(periods)
    panels = {period: output_panel(period, index_years=index_years) for period in periods}
    kept = {period: panel[~panel.index.get_level_values("adcode").isin(without)] for period, panel in panels.items()}
    samples = {
        (index, period): panel.assign(digital=panel[index] / spread[period][index])
        for period, panel in kept.items()
        for index in choices["index"]
    }
    units = samples[choices["index"][0], periods[0]].index.unique("adcode")
    first = int(periods[0].partition(":")[0])
    made = province_graphs(units, neighbours=neighbours, power=power, nested_before=first)
    graphs = {name: align_weights(graph, units) for name, graph in made.items()}
    shared = (outcome, samples, graphs, seed)
    null = partial(_without_effect, *shared, null_draws) if null_draws else None
    return specification_curve(partial(_estimate, *shared, draws), choices, null=null, alpha=alpha)


def _estimate(
    outcome: str, samples: Samples, graphs: Mapping[str, Weights], seed: int, draws: int,
    index: str, weights: str, period: str, controls: str,
) -> pd.DataFrame:  # fmt: skip
    from clusterlib.panel import fixed_effects
    from clusterlib.spatial_panel import spatial_panel

    rows, x = samples[index, period], ["digital", *_controls()[controls]]
    if weights == NO_WEIGHTS:
        return fixed_effects(rows, outcome, x).table.loc[["digital"]].set_axis(["direct"])
    result = spatial_panel(rows, outcome, x, graphs[weights], "sdm", "twoway", "lee-yu")
    return result.impacts(draws, seed).of("digital")


def _without_effect(
    outcome: str, samples: Samples, graphs: Mapping[str, Weights], seed: int, null_draws: int,
    index: str, weights: str, period: str, controls: str,
) -> pd.DataFrame:  # fmt: skip
    from clusterlib.spatial_panel import null_impacts

    x = ["digital", *_controls()[controls]]
    return null_impacts(samples[index, period], outcome, x, graphs.get(weights), "digital", draws=null_draws, seed=seed)

"""Plots of policy evaluation: event studies, decompositions, placebo draws, synthetic controls, paths beside others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import check_number
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError
from clusterlib.figures import _canvas as canvas
from clusterlib.figures._drawn import BAND
from clusterlib.figures._style import LIGHT, MARKERS, NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _interval_series(axes: Axes, table: pd.DataFrame, shift: float, i: int, label: str) -> None:
    x = canvas.as_numbers(table.index, label) + shift
    canvas.draw_intervals(axes, x, table, "estimate", upright=True, **canvas.series_look(i, label))
    if "band_lower" in table and table["band_lower"].notna().any():
        look = {"color": SERIES_COLOURS[i], "linewidth": 0.6, "linestyle": ":", "label": BAND}
        axes.vlines(x, table["band_lower"], table["band_upper"], **look)


def _check_events(table: pd.DataFrame, what: str) -> pd.DataFrame:
    banded = isinstance(table, pd.DataFrame) and "band_lower" in table.columns
    bands = ("band_lower", "band_upper") if banded else ()
    return canvas.check_table(table, ["estimate", "lower", "upper", *bands], what)


def event_study_plot(tables: Mapping[str, pd.DataFrame], ylabel: str, *, title: str | None = None) -> Figure:
    """Draw effects by time since treatment with their intervals, one marker a method.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By label: indexed by event time, with ``estimate``, ``lower``, ``upper`` and, where there are simultaneous
        bands, ``band_lower``, ``band_upper`` (dotted).
    ylabel, title : str
    """
    tables = canvas.check_mapping(tables, "tables", _check_events, most=len(MARKERS))
    figure, axes = plt.subplots(figsize=(7, 3.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.8)
    axes.axvline(-0.5, color=NEUTRAL, linewidth=0.8, linestyle="--")
    for i, (label, table) in enumerate(tables.items()):
        _interval_series(axes, table, 0.22 * (i - (len(tables) - 1) / 2), i, label)
    times = sorted(set().union(*(table.index for table in tables.values())))
    axes.set(title=title, xlabel=say("Years since treatment", "距政策实施年数"), ylabel=ylabel, xticks=times)
    # Not among the intervals, which the search for an empty place does not see.
    canvas.legend_below(figure, axes, size=8)
    return figure


def decomposition_plot(
    comparisons: pd.DataFrame, estimate: float, xlabel: str, ylabel: str, *, title: str | None = None
) -> Figure:
    """Draw the estimate of each two-by-two comparison against its weight, one marker a kind, and their weighted mean.

    Parameters
    ----------
    comparisons : DataFrame
        Columns ``kind``, ``estimate``, ``weight``.
    estimate : float
        The two-way fixed-effects estimate.
    xlabel, ylabel, title : str
    """
    comparisons = canvas.check_table(comparisons, ["estimate", "weight"], "comparisons", ["kind"])
    canvas.check_mapping(dict.fromkeys(comparisons["kind"]), "kinds of comparisons", most=len(MARKERS))
    figure, axes = plt.subplots(figsize=(7, 3.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.6)
    axes.axhline(
        check_number("estimate", estimate), color=NEUTRAL, linewidth=1, linestyle="--",
        label=say("two-way estimate", "双向固定效应估计"),
    )  # fmt: skip
    for i, (kind, rows) in enumerate(comparisons.groupby("kind", sort=False)):
        axes.plot(
            rows["weight"], rows["estimate"], **canvas.series_look(i, canvas.noted(kind, f"{rows['weight'].sum():.2f}"))
        )
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.margins(x=0.06, y=0.15)
    axes.legend(fontsize=7.5, loc="best")
    return figure


def placebo_plot(
    draws: Mapping[str, pd.Series], estimates: Mapping[str, float], p: Mapping[str, float], *, title: str | None = None
) -> Figure:
    """Draw the coefficients of random treatment dates and the actual one, a panel a sample.

    Parameters
    ----------
    draws : mapping of str to Series
        Coefficients of the draws by the panel's heading.
    estimates, p : mapping of str to float
        The actual coefficient and its p value, by the same headings.
    title : str, optional
    """
    draws = canvas.check_mapping(draws, "samples", lambda values, what: canvas.as_drawn(values, what).dropna())
    actual, p_values = (
        {label: check_number(what, canvas.look_up(given, label, what)) for label in draws}
        for what, given in (("estimate", estimates), ("p", p))
    )
    figure, all_axes = canvas.panel_row([f"{label}\np = {p_values[label]:.3f}" for label in draws], 3.2, title)
    for axes, (label, values) in zip(all_axes, draws.items(), strict=True):
        axes.hist(values, bins=min(40, max(10, len(values) // 12)), color=LIGHT, edgecolor="white", linewidth=0.4)
        axes.axvline(actual[label], color=SERIES_COLOURS[1], linewidth=1.8)
        axes.axvline(-actual[label], color=SERIES_COLOURS[1], linewidth=1, linestyle=":")
        axes.set_xlabel(say("Coefficient", "系数"), fontsize=8)
    all_axes[0].set_ylabel(say("Draws", "抽样次数"), fontsize=8)
    return figure


def synthetic_control_plot(
    path: pd.DataFrame,
    gaps: pd.DataFrame,
    start: float,
    ylabel: str,
    labels: tuple[str, str],
    *,
    title: str | None = None,
) -> Figure:
    """Draw a unit and its synthetic control above, and the gap between them against those of placebos below.

    Parameters
    ----------
    path : DataFrame
        By period: ``observed``, ``synthetic``, ``gap``.
    gaps : DataFrame
        Gaps of all units, periods by units; thin grey lines.
    start : float
        First treated period.
    ylabel, title : str
    labels : tuple of str
        Names of the unit and of its synthetic control.
    """
    path = canvas.check_table(path, ["observed", "synthetic", "gap"], "path")
    gaps = canvas.check_table(gaps, what="gaps")
    if not isinstance(labels, (tuple, list)) or len(labels) != 2:
        raise InvalidInputError(f"labels={labels!r}: expected the names of the unit and of its synthetic control")
    periods, start = canvas.as_numbers(path.index, "path"), check_number("start", start)
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.6), sharex=True, height_ratios=(3, 2))
    above.plot(periods, path["observed"], color=SERIES_COLOURS[0], marker="o", markersize=3.5, label=labels[0])
    above.plot(periods, path["synthetic"], color=SERIES_COLOURS[1], linestyle="--", label=labels[1])
    above.set(title=title, ylabel=ylabel)
    above.legend(fontsize=8, loc="upper left")
    below.axhline(0, color=NEUTRAL, linewidth=0.8)
    below.plot(canvas.as_numbers(gaps.index, "gaps"), gaps, color=LIGHT, linewidth=0.6)
    below.plot(periods, path["gap"], color=SERIES_COLOURS[0], linewidth=1.8)
    # Placebos that are badly fitted would otherwise set the scale.
    reach = 3 * max(float(path["gap"].abs().max()), float(np.nanmedian(gaps.abs()))) or 1.0
    below.set(ylabel=say("Gap", "差距"), xlabel=say("Year", "年份"), ylim=(-reach, reach))
    below.locator_params(axis="x", integer=True)
    for axes in (above, below):
        axes.axvline(start - 0.5, color=NEUTRAL, linewidth=0.8, linestyle="--")
    return figure

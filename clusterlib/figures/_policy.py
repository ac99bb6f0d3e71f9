"""Plots of policy evaluation: event studies, decompositions, placebo draws, synthetic controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ["o", "s", "^", "D", "v", "P"]
LIGHT = "#c8c8c8"


def _interval_series(axes: Axes, table: pd.DataFrame, shift: float, i: int, label: str) -> None:
    x, colour = table.index.to_numpy(float) + shift, SERIES_COLOURS[i]
    axes.vlines(x, table["lower"], table["upper"], color=colour, linewidth=1.2)
    if "band_lower" in table and table["band_lower"].notna().any():
        axes.vlines(x, table["band_lower"], table["band_upper"], color=colour, linewidth=0.6, linestyle=":")
    filled = colour if i % 2 == 0 else "white"
    axes.plot(x, table["estimate"], MARKERS[i], color=colour, markerfacecolor=filled, markersize=4.5, label=label)


def event_study_plot(tables: Mapping[str, pd.DataFrame], title: str, ylabel: str) -> Figure:
    """Draw effects by time since treatment with their intervals, one marker a method.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By label: indexed by event time, with ``estimate``, ``lower``, ``upper`` and, where there are simultaneous
        bands, ``band_lower``, ``band_upper`` (dotted).
    title, ylabel : str
    """
    figure, axes = plt.subplots(figsize=(7, 3.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.8)
    axes.axvline(-0.5, color=NEUTRAL, linewidth=0.8, linestyle="--")
    for i, (label, table) in enumerate(tables.items()):
        _interval_series(axes, table, 0.22 * (i - (len(tables) - 1) / 2), i, label)
    times = sorted(set().union(*(table.index for table in tables.values())))
    axes.set(title=title, xlabel="Years since treatment 距政策实施年数", ylabel=ylabel, xticks=times)
    axes.legend(fontsize=8, loc="best")
    return figure


def decomposition_plot(comparisons: pd.DataFrame, estimate: float, title: str, xlabel: str, ylabel: str) -> Figure:
    """Draw the estimate of each two-by-two comparison against its weight, one marker a kind, and their weighted mean.

    Parameters
    ----------
    comparisons : DataFrame
        Columns ``kind``, ``estimate``, ``weight``.
    estimate : float
        The two-way fixed-effects estimate.
    title, xlabel, ylabel : str
    """
    figure, axes = plt.subplots(figsize=(7, 3.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.6)
    axes.axhline(estimate, color=NEUTRAL, linewidth=1, linestyle="--", label="two-way estimate 双向固定效应估计")
    for i, (kind, rows) in enumerate(comparisons.groupby("kind", sort=False)):
        colour = SERIES_COLOURS[i]
        axes.plot(
            rows["weight"],
            rows["estimate"],
            MARKERS[i],
            color=colour,
            markerfacecolor=colour if i % 2 == 0 else "white",
            markersize=6,
            label=f"{kind} ({rows['weight'].sum():.2f})",
        )
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.margins(x=0.06, y=0.15)
    axes.legend(fontsize=7.5, loc="best")
    return figure


def placebo_plot(
    draws: Mapping[str, pd.Series], estimates: Mapping[str, float], p: Mapping[str, float], title: str
) -> Figure:
    """Draw the coefficients of random treatment dates and the actual one, a panel a sample.

    Parameters
    ----------
    draws : mapping of str to Series
        Coefficients of the draws by the panel's heading.
    estimates, p : mapping of str to float
        The actual coefficient and its p value, by the same headings.
    title : str
    """
    figure, all_axes = plt.subplots(1, len(draws), figsize=(7, 3.2), squeeze=False, sharey=False)
    for axes, (label, values) in zip(all_axes[0], draws.items(), strict=True):
        axes.hist(values, bins=min(40, max(10, len(values) // 12)), color=LIGHT, edgecolor="white", linewidth=0.4)
        axes.axvline(estimates[label], color=SERIES_COLOURS[1], linewidth=1.8)
        axes.axvline(-estimates[label], color=SERIES_COLOURS[1], linewidth=1, linestyle=":")
        axes.set_title(f"{label}\np = {p[label]:.3f}", fontsize=8.5)
        axes.set_xlabel("Coefficient 系数", fontsize=8)
        axes.tick_params(labelsize=7.5)
    all_axes[0][0].set_ylabel("Draws 抽样次数")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def synthetic_control_plot(
    path: pd.DataFrame, gaps: pd.DataFrame, start: float, title: str, ylabel: str, labels: tuple[str, str]
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
    title, ylabel : str
    labels : tuple of str
        Names of the unit and of its synthetic control.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5.6), sharex=True, height_ratios=(3, 2))
    above.plot(path.index, path["observed"], color=SERIES_COLOURS[0], marker="o", markersize=3.5, label=labels[0])
    above.plot(path.index, path["synthetic"], color=SERIES_COLOURS[1], linestyle="--", label=labels[1])
    above.set(title=title, ylabel=ylabel)
    above.legend(fontsize=8, loc="upper left")
    below.axhline(0, color=NEUTRAL, linewidth=0.8)
    below.plot(gaps.index, gaps, color=LIGHT, linewidth=0.6)
    below.plot(path.index, path["gap"], color=SERIES_COLOURS[0], linewidth=1.8)
    # Placebos that are badly fitted would otherwise set the scale.
    reach = 3 * max(float(path["gap"].abs().max()), float(np.nanmedian(gaps.abs())))
    below.set(ylabel="Gap 差距", xlabel="Year 年份", ylim=(-reach, reach))
    for axes in (above, below):
        axes.axvline(start - 0.5, color=NEUTRAL, linewidth=0.8, linestyle="--")
    return figure

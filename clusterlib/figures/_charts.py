"""Plots that several notebooks share: bars, lines, intervals, heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS, SERIES_HATCHES, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def coverage_heatmap(coverage: pd.DataFrame, title: str) -> Figure:
    """Draw the share of units that have a figure, indicators by years; a blank cell has none at all.

    Parameters
    ----------
    coverage : DataFrame
        Percent; one row an indicator, one column a year.
    title : str
    """
    import seaborn as sns

    # seaborn draws while it sets the labels up; the layout can only be solved afterwards.
    figure, axes = plt.subplots(figsize=(8.6, 1.2 + 0.19 * len(coverage)), layout="none")
    sns.heatmap(
        coverage.where(coverage > 0),
        cmap="Greys",
        vmin=0,
        vmax=130,
        linewidths=0.4,
        linecolor="white",
        cbar=False,
        annot=True,
        fmt=".0f",
        annot_kws={"size": 6, "clip_on": True},
        ax=axes,
    )
    axes.set(title=title, xlabel="", ylabel="")
    axes.tick_params(axis="both", labelsize=7, length=0)
    axes.tick_params(axis="y", rotation=0)
    figure.set_layout_engine("constrained")
    return figure


def grouped_bars(shares: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw horizontal bars, one group a row of ``shares`` and one bar a column, each told by hatch and number."""
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.28 * shares.size))
    height = 0.8 / shares.shape[1]
    position = np.arange(len(shares))[::-1]
    for i, column in enumerate(shares.columns):
        bars = axes.barh(
            position - (i - (shares.shape[1] - 1) / 2) * height,
            shares[column],
            height * 0.92,
            label=column,
            color=SERIES_COLOURS[i],
            hatch=SERIES_HATCHES[i],
            edgecolor="white",
        )
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    axes.set(title=title, xlabel=xlabel, yticks=position, yticklabels=shares.index)
    if shares.shape[1] > 1:
        axes.legend(loc="lower right", fontsize=7)
    axes.margins(x=0.1)
    return figure


def trend_lines(
    series: pd.DataFrame, marks: dict[str, Mark], labels: dict[str, str], title: str, ylabel: str
) -> Figure:
    """Draw one line a column over the index (years), named at its end."""
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for name in series.columns:
        mark, values = marks[name], series[name].dropna()
        axes.plot(
            values.index,
            values,
            color=mark.colour,
            marker=mark.marker,
            linestyle=mark.line,
            markersize=4,
            label=labels[name],
        )
    axes.set(title=title, ylabel=ylabel, xlabel="Year 年份", xticks=series.index)
    axes.legend(fontsize=8)
    return figure


def stacked_bars(parts: pd.DataFrame, title: str, xlabel: str, highlight: tuple[str, ...] = ()) -> Figure:
    """Draw stacked horizontal bars, one a row of ``parts``, rows in ``highlight`` marked with an arrow."""
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.2 * len(parts)))
    parts = parts[::-1]
    left = np.zeros(len(parts))
    names = [f"▶ {name}" if name in highlight else name for name in parts.index]
    for i, column in enumerate(parts.columns):
        axes.barh(
            names,
            parts[column],
            0.78,
            left=left,
            label=column,
            color=SERIES_COLOURS[i],
            hatch=SERIES_HATCHES[i],
            edgecolor="white",
            linewidth=0.4,
        )
        left = left + parts[column].to_numpy()
    axes.set(title=title, xlabel=xlabel)
    axes.tick_params(axis="y", labelsize=7.5)
    axes.legend(fontsize=7, loc="lower right")
    axes.margins(y=0.01)
    return figure


def interval_dots(table: pd.DataFrame, title: str, xlabel: str, reference: float) -> Figure:
    """Draw estimates with intervals (columns ``estimate``, ``lower``, ``upper``) against a reference line."""
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.34 * len(table)))
    position = np.arange(len(table))[::-1]
    axes.axvline(reference, color=NEUTRAL, linewidth=0.8, linestyle="--")
    axes.hlines(position, table["lower"], table["upper"], color=SERIES_COLOURS[0], linewidth=1.4)
    axes.plot(table["estimate"], position, "o", color=SERIES_COLOURS[0], markersize=5)
    axes.set(title=title, xlabel=xlabel, yticks=position, yticklabels=table.index)
    return figure


def label_points(axes: Axes, points: pd.DataFrame, size: float = 7) -> None:
    """Write each row's name beside its point (columns ``x``, ``y``)."""
    for name, row in points.iterrows():
        axes.annotate(name, (row["x"], row["y"]), xytext=(4, 2), textcoords="offset points", fontsize=size)

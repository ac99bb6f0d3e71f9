"""Plots of specialisation: quotients by region and industry, and points told apart by region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.figures._charts import label_points
from clusterlib.figures._style import NEUTRAL, REGION_MARKS, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def quotient_heatmap(quotients: pd.DataFrame, title: str, highlight: tuple[str, ...] = ()) -> Figure:
    """Draw location quotients, units by industries, written in the cells, in black from one up and in grey below.

    Parameters
    ----------
    quotients : DataFrame
        One row a unit, one column an industry; shaded on a logarithmic scale from a quarter to four.
    title : str
    highlight : tuple of str
        Rows marked with an arrow.
    """
    figure, axes = plt.subplots(figsize=(7.6, 1.9 + 0.2 * len(quotients)))
    values = quotients.to_numpy(float)
    shades = mpl.colors.LinearSegmentedColormap.from_list("light", mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.6, 64)))
    axes.imshow(np.log2(values.clip(0.25, 4)), cmap=shades, vmin=-2, vmax=2, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = "black" if value >= 1 else NEUTRAL
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6, color=ink, clip_on=True)
    names = [f"▶ {name}" if name in highlight else name for name in quotients.index]
    axes.set(title=title, yticks=range(len(quotients)), yticklabels=names, xticks=range(quotients.shape[1]))
    axes.set_xticklabels(quotients.columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="both", labelsize=7, length=0)
    axes.spines[:].set_visible(False)
    return figure


def region_intervals(table: pd.DataFrame, labels: dict[str, str], title: str, xlabel: str) -> Figure:
    """Draw quotients with intervals, a row an industry and a mark a region, on a logarithmic scale around one.

    Parameters
    ----------
    table : DataFrame
        Indexed by (region, industry) with ``quotient``, ``lower`` and ``upper``, positive.
    labels : dict
        Name of each region to draw, in order.
    title, xlabel : str
    """
    industries = table.index.unique("industry")
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.17 * len(industries) * len(labels)))
    axes.axvline(1, color=NEUTRAL, linewidth=0.8, linestyle="--")
    rows = np.arange(len(industries))[::-1]
    for i, (region, label) in enumerate(labels.items()):
        part, mark = table.loc[region].reindex(industries), REGION_MARKS[region]
        position = rows - (i - (len(labels) - 1) / 2) * 0.22
        axes.hlines(position, part["lower"], part["upper"], color=mark.colour, linewidth=1.4)
        axes.plot(part["quotient"], position, mark.marker, color=mark.colour, markersize=5, label=label)
    axes.set(title=title, xlabel=xlabel, xscale="log", yticks=rows, yticklabels=industries)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 4) if table["lower"].min() / 1.3 <= t <= table["upper"].max() * 1.3]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", labelsize=7.5)
    figure.legend(fontsize=7.5, loc="outside lower center", ncols=len(labels))
    return figure


def region_scatter(points: pd.DataFrame, labels: dict[str, str], title: str, xlabel: str, ylabel: str) -> Figure:
    """Draw points (columns ``x``, ``y``, ``region``) with the marks of their regions; those of a region are named.

    Parameters
    ----------
    points : DataFrame
        One row a unit; ``region`` a key of ``labels``, of which ``"rest"`` is not named.
    labels : dict
        Name of each region, in order.
    title, xlabel, ylabel : str
    """
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for region, label in labels.items():
        part, mark = points[points["region"] == region], REGION_MARKS[region]
        axes.plot(part["x"], part["y"], mark.marker, color=mark.colour, markersize=6, linestyle="none", label=label)
    label_points(axes, points[points["region"] != "rest"])
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.legend(fontsize=7.5)
    return figure


def rank_size_plot(tables: dict[str, pd.DataFrame], labels: dict[str, str], title: str, xlabel: str) -> Figure:
    """Draw rank against size with the fitted lines, regions told apart by their marks, on logarithmic scales.

    Parameters
    ----------
    tables : dict of DataFrame
        By region: ``size``, ``rank`` and ``fitted`` of :func:`clusterlib.agglomeration.rank_size`.
    labels : dict
        Name of each region.
    title, xlabel : str
    """
    figure, axes = plt.subplots(figsize=(7, 4))
    for region, table in tables.items():
        mark = REGION_MARKS[region]
        axes.plot(table["size"], table["rank"], mark.marker, color=mark.colour, markersize=5, label=labels[region])
        axes.plot(table["fitted"], table["rank"], color=mark.colour, linestyle=mark.line, linewidth=1)
    axes.set(title=title, xlabel=xlabel, ylabel="Rank 位序", xscale="log", yscale="log")
    highest = max(table["rank"].max() for table in tables.values())
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if t <= highest]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.legend(fontsize=7.5)
    return figure

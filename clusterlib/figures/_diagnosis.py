"""Plots of the four syndromes: radar, heat map, severities over time, border effect."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.figures._style import NEUTRAL, REGION_MARKS, SEQUENTIAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALL = 100
_NIL = 1e-6
# Radians between the regions' marks on one axis of the radar, so that intervals do not lie on each other.
_APART = 0.045
# Sine of the angle from which a name counts as beside the radar.
_UPRIGHT = 0.3
_SIDES = {
    "within": ("within 省内", "o", "-", SERIES_COLOURS[0]),
    "across": ("across 跨省", "s", "--", SERIES_COLOURS[1]),
}


def severity_radar(
    severity: pd.DataFrame, lower: pd.DataFrame, upper: pd.DataFrame, labels: dict[str, str], title: str
) -> Figure:
    """Draw severities as a radar (雷达图) of regions, with intervals; what is not identified has no mark.

    Marks are hollow where the interval reaches nil.

    Parameters
    ----------
    severity, lower, upper : DataFrame
        0 to 100; one row a region, one column a syndrome, named as on the axes. Missing: not identified.
    labels : dict
        Name of each region, in order.
    title : str
    """
    figure, axes = plt.subplots(figsize=(6.4, 5), subplot_kw={"projection": "polar"})
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    angles = 2 * np.pi * np.arange(severity.shape[1]) / severity.shape[1]
    for i, (region, label) in enumerate(labels.items()):
        mark, values = REGION_MARKS[region], severity.loc[region].to_numpy(float)
        own = angles + (i - (len(labels) - 1) / 2) * _APART
        axes.plot(
            np.append(own, own[0]), np.append(values, values[0]), color=mark.colour, linestyle=mark.line,
            marker=mark.marker, markersize=6, linewidth=1.4, label=label, clip_on=False, zorder=3,
        )  # fmt: skip
        axes.vlines(own, lower.loc[region], upper.loc[region], color=mark.colour, linewidth=2, alpha=0.45)
        open_ = lower.loc[region].to_numpy(float) <= _NIL
        axes.plot(
            own[open_], values[open_], mark.marker, color=mark.colour, markerfacecolor="white", markersize=6,
            clip_on=False, zorder=4,
        )  # fmt: skip
    names = []
    for name in severity.columns:
        missing = [label.split()[0] for region, label in labels.items() if np.isnan(severity.loc[region, name])]
        names.append(f"{name}\n(not identified: {', '.join(missing)})" if missing else name)
    axes.set_xticks(angles, names, fontsize=8)
    for angle, text in zip(angles, axes.get_xticklabels(), strict=True):
        # Names stand beside the circle, not on it: those to the right begin at it, those to the left end there.
        side = np.sin(angle)
        text.set_horizontalalignment("center" if abs(side) < _UPRIGHT else "left" if side > 0 else "right")
    axes.set_ylim(0, _ALL)
    axes.set_yticks([20, 40, 60, 80, 100], ["20", "40", "60", "80", "100"], fontsize=7, color=NEUTRAL)
    axes.set_rlabel_position(45)
    axes.tick_params(axis="x", pad=6)
    axes.spines["polar"].set(color="#bbbbbb")
    axes.set_title(title, pad=14)
    figure.legend(fontsize=8, loc="outside lower center", ncols=len(labels))
    return figure


def severity_heatmap(severity: pd.DataFrame, title: str, highlight: tuple[str, ...] = (), label: str = "") -> Figure:
    """Draw severities as shades with figures; a dash where the model does not identify one.

    Parameters
    ----------
    severity : DataFrame
        0 to 100; one row a unit, one column a syndrome or a year.
    title : str
    highlight : tuple of str
        Rows marked with an arrow.
    label : str
        Of the scale.
    """
    figure, axes = plt.subplots(figsize=(7.2, 1.4 + 0.2 * len(severity)))
    # The darkest part of the map would swallow the figures.
    shades = mpl.colors.ListedColormap(mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.68, 10)))
    image = axes.imshow(severity.to_numpy(float), cmap=shades, vmin=0, vmax=_ALL, aspect="auto")
    for (row, column), value in np.ndenumerate(severity.to_numpy(float)):
        text = "–" if np.isnan(value) else f"{value:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, clip_on=True)
    names = [f"▶ {name}" if name in highlight else name for name in severity.index]
    axes.set(title=title, xticks=range(severity.shape[1]), xticklabels=severity.columns)
    axes.set(yticks=range(len(severity)), yticklabels=names)
    axes.tick_params(axis="both", labelsize=7.5, length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=30, label=label)
    bar.ax.tick_params(labelsize=7, length=0)
    bar.outline.set_visible(False)
    return figure


def severity_paths(panels: dict[str, pd.DataFrame], labels: dict[str, str], title: str, ylabel: str) -> Figure:
    """Draw severities over the years with intervals, a panel a syndrome, regions told apart by their marks.

    Parameters
    ----------
    panels : dict of str to DataFrame
        By heading: ``severity``, ``lower``, ``upper`` by (region, year).
    labels : dict
        Name of each region, in order.
    title, ylabel : str
    """
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(7.6, 2.6 * rows + 0.5), sharey=True, squeeze=False)
    for axes, (heading, table) in zip(grid.flat, panels.items(), strict=False):
        for i, (region, label) in enumerate(labels.items()):
            mark, part = REGION_MARKS[region], table.loc[region].sort_index()
            place = part.index.to_numpy() + (i - (len(labels) - 1) / 2) * 0.14
            axes.vlines(place, part["lower"], part["upper"], color=mark.colour, linewidth=1.6, alpha=0.45)
            axes.plot(
                place, part["severity"], color=mark.colour, linestyle=mark.line, marker=mark.marker, markersize=4,
                linewidth=1.1, label=label,
            )  # fmt: skip
        axes.set_title(heading, fontsize=9)
        axes.set(ylim=(-3, _ALL + 3))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(8, integer=True))
        axes.tick_params(labelsize=7.5)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    handles = grid.flat[0].get_legend_handles_labels()
    figure.legend(*handles, fontsize=8, loc="outside lower center", ncols=len(labels))
    return figure


def border_plot(table: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw spillovers within and across borders with intervals, two marks a row.

    Parameters
    ----------
    table : DataFrame
        One row an estimate, named as on the axis: ``within``, ``across`` and each with ``_lower`` and ``_upper``.
        Missing rows are named and left empty.
    title, xlabel : str
    """
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.36 * len(table)))
    rows = np.arange(len(table))[::-1]
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    for shift, (side, (label, marker, line, colour)) in zip((0.14, -0.14), _SIDES.items(), strict=True):
        lower, upper = table[f"{side}_lower"], table[f"{side}_upper"]
        axes.hlines(rows + shift, lower, upper, color=colour, linewidth=1.4, linestyle=line)
        axes.plot(table[side], rows + shift, marker, color=colour, markersize=5, label=label)
    axes.set(title=title, xlabel=xlabel, yticks=rows, yticklabels=table.index, ylim=(-0.6, len(table) - 0.4))
    axes.tick_params(axis="y", labelsize=8)
    figure.legend(fontsize=8, loc="outside lower center", ncols=len(_SIDES))
    return figure


def distance_plot(by_distance: pd.DataFrame, title: str, ylabel: str) -> Figure:
    """Draw how alike units move by the distance between them, within jurisdictions and across borders.

    Parameters
    ----------
    by_distance : DataFrame
        Of :func:`clusterlib.diagnosis.pair_correlations`: ``within``, ``across`` and numbers of pairs, by the upper end
        of a class of kilometres.
    title, ylabel : str
    """
    figure, axes = plt.subplots(figsize=(7, 3.6))
    place = np.arange(len(by_distance))
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    for side, (label, marker, line, colour) in _SIDES.items():
        axes.plot(place, by_distance[side], color=colour, marker=marker, linestyle=line, markersize=5, label=label)
        for x, (value, pairs) in enumerate(by_distance[[side, f"pairs_{side}"]].itertuples(index=False)):
            if pairs:
                axes.annotate(f"{pairs:.0f}", (x, value), (0, 6), textcoords="offset points", ha="center", fontsize=6.5)
    ends = [f"{end:g}" for end in by_distance.index]
    axes.set_xticks(place, [f"< {ends[0]}", *(f"{a}–{b}" for a, b in pairwise(ends))])
    axes.set(title=title, xlabel="Kilometres apart 距离（千米）", ylabel=ylabel)
    axes.margins(y=0.15)
    axes.legend(fontsize=8)
    return figure

"""Plots of composite indices: how far ranks move, and degrees of coordination by grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.composite._coupling import COORDINATION_GRADES
from clusterlib.figures._style import NEUTRAL, SEQUENTIAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rank_ranges(ranks: pd.DataFrame, title: str, highlight: tuple[str, ...] = ()) -> Figure:
    """Draw the rank of each unit in the first column as a dot, and from the best to the worst of all columns a line.

    Parameters
    ----------
    ranks : DataFrame
        One row a unit, one column a variant, the baseline first; 1 is the best.
    title : str
    highlight : tuple of str
        Rows marked with an arrow.
    """
    ordered = ranks.sort_values(ranks.columns[0], ascending=False, kind="stable")
    position = np.arange(len(ordered))
    figure, axes = plt.subplots(figsize=(7, 1.1 + 0.19 * len(ordered)))
    axes.hlines(position, ordered.min(axis=1), ordered.max(axis=1), color=NEUTRAL, linewidth=1.4, label="range 范围")
    others = ordered.iloc[:, 1:].to_numpy()
    axes.plot(others, np.tile(position[:, None], others.shape[1]), "|", color=NEUTRAL, markersize=5)
    axes.plot(ordered.iloc[:, 0], position, "o", color=SERIES_COLOURS[0], markersize=5, label="baseline 基准")
    names = [f"▶ {name}" if name in highlight else name for name in ordered.index]
    axes.set(title=title, xlabel="Rank 名次", yticks=position, yticklabels=names)
    axes.tick_params(axis="y", labelsize=7.5)
    axes.legend(fontsize=7, loc="upper right")
    axes.margins(y=0.015)
    return figure


def grade_heatmap(degree: pd.DataFrame, title: str, highlight: tuple[str, ...] = ()) -> Figure:
    """Draw degrees of coordination, units by years, written in the cells and shaded by their grade.

    Parameters
    ----------
    degree : DataFrame
        In [0, 1]; one row a unit, one column a year.
    title : str
    highlight : tuple of str
        Rows marked with an arrow.
    """
    figure, axes = plt.subplots(figsize=(7.4, 1.1 + 0.2 * len(degree)))
    bounds = np.linspace(0, 1, 11)
    # The darkest third of the map would swallow the figures.
    shades = mpl.colors.ListedColormap(mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.68, 10)))
    image = axes.imshow(degree, cmap=shades, norm=mpl.colors.BoundaryNorm(bounds, 10), aspect="auto")
    for (row, column), value in np.ndenumerate(degree.to_numpy(float)):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=6.5, clip_on=True)
    names = [f"▶ {name}" if name in highlight else name for name in degree.index]
    axes.set(title=title, xticks=range(degree.shape[1]), xticklabels=degree.columns)
    axes.set(yticks=range(len(degree)), yticklabels=names)
    axes.tick_params(axis="both", labelsize=7.5, length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, ticks=(bounds[:-1] + bounds[1:]) / 2, pad=0.02, aspect=30)
    bar.ax.set_yticklabels([f"{k} {zh}" for k, (_, zh) in enumerate(COORDINATION_GRADES, start=1)], fontsize=7)
    bar.ax.tick_params(which="both", length=0)
    bar.outline.set_visible(False)
    return figure

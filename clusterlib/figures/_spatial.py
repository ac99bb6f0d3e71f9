"""Plots of spatial structure: Moran scatter plots, paths of centres, transition matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import patheffects

from clusterlib.errors import InvalidInputError
from clusterlib.figures._style import NEUTRAL, REGION_MARKS, SEQUENTIAL, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from clusterlib.spatial import MoranScatter, SpatialMarkov

# Of the axes' width and height: what a short name takes up.
_ROOM = np.array([0.07, 0.03])
_CORNERS = {"HH": (0.98, 0.97), "LH": (0.02, 0.97), "LL": (0.02, 0.02), "HL": (0.98, 0.02)}
_CORNER_NAMES = {"HH": "HH 高-高", "LH": "LH 低-高", "LL": "LL 低-低", "HL": "HL 高-低"}


def moran_plot(
    scatter: MoranScatter,
    title: str,
    xlabel: str,
    ylabel: str,
    *,
    mark: Mark = REGION_MARKS["rest"],
    highlight: dict | None = None,
    highlight_label: str = "",
) -> Figure:
    """Draw a Moran scatter plot (莫兰散点图) with the line whose slope is Moran's I.

    Parameters
    ----------
    scatter : MoranScatter
    title, xlabel, ylabel : str
    mark : Mark
        Of the highlighted units; the others are grey.
    highlight : dict, optional
        Names of units to mark and to name, by unit, the most important first; an empty name marks only.
    highlight_label : str
        What they are.
    """
    table, highlight = scatter.table, highlight or {}
    figure, axes = plt.subplots(figsize=(6, 4.6))
    axes.axhline(0, color=NEUTRAL, linewidth=0.7, linestyle="--")
    axes.axvline(0, color=NEUTRAL, linewidth=0.7, linestyle="--")
    others = table[~table.index.isin(list(highlight))]
    axes.scatter(others["z"], others["lag"], s=12, color="#b8b8b8", linewidth=0, label="others 其他")
    chosen = table[table.index.isin(list(highlight))]
    if len(chosen):
        axes.scatter(
            chosen["z"], chosen["lag"], s=26, color=mark.colour, marker=mark.marker, edgecolor="white", linewidth=0.4,
            label=highlight_label, zorder=3,
        )  # fmt: skip
    ends = np.array([table["z"].min(), table["z"].max()])
    axes.plot(ends, scatter.slope * ends, color="black", linewidth=1.2, label=f"slope 斜率 = I = {scatter.slope:.3f}")
    for quadrant, (x, y) in _CORNERS.items():
        axes.text(
            x, y, _CORNER_NAMES[quadrant], transform=axes.transAxes, ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom", fontsize=8, color=NEUTRAL,
        )  # fmt: skip
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.margins(0.08)
    points = chosen.rename(columns={"z": "x", "lag": "y"})[["x", "y"]].assign(name=chosen.index.map(highlight))
    name_points(axes, points.loc[[unit for unit in highlight if unit in points.index]])
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def name_points(axes: Axes, points: pd.DataFrame, count: int | None = None) -> None:
    """Write names beside points (columns ``x``, ``y``, ``name``) in their order, leaving out those without room.

    At most ``count`` are written. The extent of the axes must be set before.
    """
    written: list[np.ndarray] = []
    for x, y, name in points[["x", "y", "name"]].itertuples(index=False):
        place = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
        if not name or any((np.abs(place - other) < _ROOM).all() for other in written) or len(written) == count:
            continue
        text = axes.annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=6.5, zorder=8)
        text.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="white")])
        written.append(place)


def _kilometres(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return how far east and north of the first centre each one lies, along geodesics."""
    from pyproj import Geod

    longitude, latitude = table["longitude"].to_numpy(), table["latitude"].to_numpy()
    first = np.full(len(table), longitude[0]), np.full(len(table), latitude[0])
    bearing, _, metres = Geod(ellps="WGS84").inv(*first, longitude, latitude)
    return metres / 1000 * np.sin(np.radians(bearing)), metres / 1000 * np.cos(np.radians(bearing))


def centre_path(paths: dict[str, pd.DataFrame], title: str, every: int = 3) -> Figure:
    """Draw how mean centres moved (重心迁移轨迹), each in kilometres from its own first place.

    Parameters
    ----------
    paths : dict of str to DataFrame
        Tables of :class:`clusterlib.spatial.MeanCentre` by label, up to four.
    title : str
    every : int
        Periods between those that are named; the first and the last always are.
    """
    marks = list(REGION_MARKS.values())
    if not 1 <= len(paths) <= len(marks):
        raise InvalidInputError(f"{len(paths)} paths: between one and {len(marks)} can be told apart")
    figure, axes = plt.subplots(figsize=(6.4, 4.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.6, linestyle=":")
    axes.axvline(0, color=NEUTRAL, linewidth=0.6, linestyle=":")
    labels = []
    for mark, (label, table) in zip(marks, paths.items(), strict=False):
        east, north = _kilometres(table)
        axes.plot(
            east,
            north,
            color=mark.colour,
            linestyle=mark.line,
            marker=mark.marker,
            markersize=4,
            linewidth=1.1,
            label=label,
        )
        last = len(table) - 1
        named = [last, 0, *(i for i in range(every, last, every) if last - i >= every / 2)]
        labels.append(pd.DataFrame({"x": east[named], "y": north[named], "name": table.index[named].astype(str)}))
    axes.set(title=title, xlabel="km to the east 向东（千米）", ylabel="km to the north 向北（千米）", aspect="equal")
    axes.set_adjustable("datalim")
    axes.margins(0.12)
    axes.autoscale_view()
    name_points(axes, pd.concat(labels))
    axes.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def transition_heatmaps(markov: SpatialMarkov, title: str) -> Figure:
    """Draw the transition matrices of a spatial Markov chain: all units, then by class of the neighbours."""
    names = ["all", *range(1, markov.k + 1)]
    figure, panels = plt.subplots(1, len(names), figsize=(1.7 * len(names) + 0.6, 2.5), sharey=True)
    for panel, name in zip(panels, names, strict=True):
        matrix = markov.matrix(name)
        panel.imshow(matrix, cmap=SEQUENTIAL, vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(matrix.to_numpy(float)):
            text = "–" if np.isnan(value) else f"{value:.2f}"
            ink = "white" if value > 0.55 else "black"
            panel.text(column, row, text, ha="center", va="center", fontsize=6.5, color=ink, clip_on=True)
        heading = "all 全部" if name == "all" else f"neighbours 邻居 {name}"
        panel.set_title(heading, fontsize=8, loc="center")
        panel.set(xticks=range(markov.k), xticklabels=matrix.columns, yticks=range(markov.k), yticklabels=matrix.index)
        panel.tick_params(length=0, labelsize=7)
        panel.spines[:].set_visible(False)
    panels[0].set_ylabel("class now 当期类型", fontsize=8)
    figure.supxlabel("class next year 下一年类型 (1 = lowest 最低)", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure

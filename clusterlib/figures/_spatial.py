"""Plots of spatial structure: Moran scatter plots, paths of centres, correlation by distance."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import check_whole
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError
from clusterlib.figures._canvas import as_numbers, check_mapping, check_result, check_table, series_look, text_width
from clusterlib.figures._regression import SIDES
from clusterlib.figures._style import NEUTRAL, REGION_MARKS, Mark, on_paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from clusterlib.spatial import MoranScatter

# Of the axes' width and height: what a name takes up at least.
_ROOM = (0.07, 0.03)
_NAME_SIZE = 6.5
_CORNERS = {"HH": (0.98, 0.97), "LH": (0.02, 0.97), "LL": (0.02, 0.02), "HL": (0.98, 0.02)}
_CORNER_NAMES = {
    "HH": ("HH high-high", "HH 高-高"),
    "LH": ("LH low-high", "LH 低-高"),
    "LL": ("LL low-low", "LL 低-低"),
    "HL": ("HL high-low", "HL 高-低"),
}


def moran_plot(
    scatter: MoranScatter,
    xlabel: str,
    ylabel: str,
    *,
    mark: Mark | None = None,
    highlight: Mapping[object, str] | None = None,
    highlight_label: str = "",
    title: str | None = None,
) -> Figure:
    """Draw a Moran scatter plot (莫兰散点图) with the line whose slope is Moran's I.

    Parameters
    ----------
    scatter : MoranScatter
    xlabel, ylabel, title : str
    mark : Mark, optional
        Of the highlighted units, by default that of what lies in no region; the others are grey.
    highlight : mapping, optional
        Names of units to mark and to name, by unit, the most important first; an empty name marks only.
    highlight_label : str
        What they are.
    """
    check_result(scatter, ("table", "slope"), "clusterlib.spatial.moran_scatter")
    table = check_table(scatter.table, ["z", "lag"])
    names = {} if highlight is None else check_mapping(highlight, "highlight", least=0)
    figure, axes = plt.subplots(figsize=(6, 4.6))
    axes.axhline(0, color=NEUTRAL, linewidth=0.7, linestyle="--")
    axes.axvline(0, color=NEUTRAL, linewidth=0.7, linestyle="--")
    others = table[~table.index.isin(list(names))]
    axes.scatter(others["z"], others["lag"], s=12, color="#b8b8b8", linewidth=0, label=say("others", "其他"))
    chosen = table[table.index.isin(list(names))]
    if len(chosen):
        mark = mark or REGION_MARKS["rest"]
        axes.scatter(
            chosen["z"], chosen["lag"], s=26, color=mark.colour, marker=mark.marker, edgecolor="white", linewidth=0.4,
            label=highlight_label, zorder=3,
        )  # fmt: skip
    ends, slope = np.array([table["z"].min(), table["z"].max()]), say("slope", "斜率")
    axes.plot(ends, scatter.slope * ends, color="black", linewidth=1.2, label=f"{slope} = I = {scatter.slope:.3f}")
    for quadrant, (x, y) in _CORNERS.items():
        axes.text(
            x, y, say(*_CORNER_NAMES[quadrant]), transform=axes.transAxes, ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom", fontsize=8, color=NEUTRAL,
        )  # fmt: skip
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    # Room above the highest point, so that its name does not lie on that of a corner.
    axes.margins(x=0.08, y=0.13)
    points = chosen.rename(columns={"z": "x", "lag": "y"})[["x", "y"]].assign(name=chosen.index.map(names))
    if len(points):
        name_points(axes, points.loc[[unit for unit in names if unit in points.index]])
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def name_points(axes: Axes, points: pd.DataFrame, count: int | None = None) -> None:
    """Write names beside points (columns ``x``, ``y``, ``name``) in their order, leaving out those without room.

    At most ``count`` are written. The extent of the axes must be set before.
    """
    points = check_table(points, ["x", "y"], "points", ["name"])
    count = None if count is None else check_whole("count", count)
    written: list[tuple[float, float, float]] = []
    points_wide = axes.bbox.width * 72 / axes.figure.dpi
    for x, y, name in points[["x", "y", "name"]].itertuples(index=False):
        place, height = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
        wide = max(_ROOM[0], text_width(str(name), _NAME_SIZE) / points_wide)
        # What would run over the right edge, where legends are, ends at it.
        over = place + wide > 1
        own = (1 - wide, 1, height) if over else (place, place + wide, height)
        taken = any(own[0] < end and start < own[1] and abs(height - other) < _ROOM[1] for start, end, other in written)
        if not name or taken or len(written) == count:
            continue
        side = {"xytext": (3, 3), "textcoords": "offset points"}
        if over:
            side = {"xytext": (1, 3), "textcoords": ("axes fraction", "offset points"), "ha": "right"}
        on_paper(axes.annotate(name, (x, y), fontsize=_NAME_SIZE, zorder=8, **side))
        written.append(own)


def _check_path(table: pd.DataFrame, what: str) -> pd.DataFrame:
    path = check_table(table, ["longitude", "latitude"], what).dropna(subset=["longitude", "latitude"])
    if path.empty:
        raise InvalidInputError(f"{what}: no period has both longitude and latitude")
    return path


def _kilometres(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return how far east and north of the first centre each one lies, along geodesics."""
    from pyproj import Geod

    longitude, latitude = table["longitude"].to_numpy(), table["latitude"].to_numpy()
    first = np.full(len(table), longitude[0]), np.full(len(table), latitude[0])
    bearing, _, metres = Geod(ellps="WGS84").inv(*first, longitude, latitude)
    return metres / 1000 * np.sin(np.radians(bearing)), metres / 1000 * np.cos(np.radians(bearing))


def centre_path(paths: Mapping[str, pd.DataFrame], every: int = 3, *, title: str | None = None) -> Figure:
    """Draw how mean centres moved (重心迁移轨迹), each in kilometres from its own first place.

    Parameters
    ----------
    paths : mapping of str to DataFrame
        Tables of :class:`clusterlib.spatial.MeanCentre` by label, up to four.
    every : int
        Periods between those that are named; the first and the last always are.
    title : str, optional
    """
    marks, every = list(REGION_MARKS.values()), check_whole("every", every, least=1)
    tables = check_mapping(paths, "paths", _check_path, most=len(marks))
    figure, axes = plt.subplots(figsize=(6.4, 4.8))
    axes.axhline(0, color=NEUTRAL, linewidth=0.6, linestyle=":")
    axes.axvline(0, color=NEUTRAL, linewidth=0.6, linestyle=":")
    labels = []
    for mark, (label, table) in zip(marks, tables.items(), strict=False):
        east, north = _kilometres(table)
        axes.plot(east, north, markersize=4, linewidth=1.1, label=label, **mark.look)
        last = len(table) - 1
        named = [last, 0, *(i for i in range(every, last, every) if last - i >= every / 2)]
        labels.append(pd.DataFrame({"x": east[named], "y": north[named], "name": table.index[named].astype(str)}))
    axes.set(title=title, aspect="equal")
    axes.set(xlabel=say("km to the east", "向东（千米）"), ylabel=say("km to the north", "向北（千米）"))
    axes.set_adjustable("datalim")
    axes.margins(0.12)
    axes.autoscale_view()
    name_points(axes, pd.concat(labels))
    axes.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def distance_plot(by_distance: pd.DataFrame, ylabel: str, *, title: str | None = None) -> Figure:
    """Draw how alike units move by the distance between them, within jurisdictions and across borders.

    Parameters
    ----------
    by_distance : DataFrame
        Of :func:`clusterlib.diagnosis.pair_correlations`: ``within``, ``across`` and numbers of pairs, by the upper end
        of a class of kilometres.
    ylabel, title : str
    """
    table = check_table(by_distance, [name for side in SIDES for name in (side, f"pairs_{side}")], "by_distance")
    ends = [f"{end:g}" for end in as_numbers(table.index, "by_distance")]
    figure, axes = plt.subplots(figsize=(7, 3.6))
    place = np.arange(len(table))
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    for i, (side, words) in enumerate(SIDES.items()):
        axes.plot(place, table[side], **{**series_look(i, say(*words)), "linestyle": ("-", "--")[i]})
        for x, (value, pairs) in enumerate(table[[side, f"pairs_{side}"]].itertuples(index=False)):
            if pairs > 0:
                axes.annotate(f"{pairs:.0f}", (x, value), (0, 6), textcoords="offset points", ha="center", fontsize=6.5)
    axes.set_xticks(place, [f"< {ends[0]}", *(f"{a}–{b}" for a, b in pairwise(ends))])
    axes.set(title=title, xlabel=say("Kilometres apart", "距离（千米）"), ylabel=ylabel)
    axes.margins(y=0.15)
    axes.legend(fontsize=8)
    return figure

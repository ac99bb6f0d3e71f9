"""Plots that several notebooks share: bars, lines, intervals, and points told apart by region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import check_number
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError
from clusterlib.figures import _canvas as canvas
from clusterlib.figures._style import NEUTRAL, REGION_MARKS, SERIES_COLOURS, SERIES_HATCHES, Mark, on_paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVAL = ("estimate", "lower", "upper")
_ALL = 100
_NIL = 1e-6
# Radians between the regions' marks on one axis of the radar, so that intervals do not lie on each other.
_APART = 0.045
# Sine of the angle from which a name counts as beside the radar.
_UPRIGHT = 0.3


def _check_bars(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    bars = canvas.check_table(frame, what=what)
    if bars.shape[1] > len(SERIES_COLOURS):
        raise InvalidInputError(f"{what}: {bars.shape[1]} columns: {len(SERIES_COLOURS)} can be told apart")
    return bars


def _region_mark(region: str) -> Mark:
    return canvas.look_up(REGION_MARKS, region, "region")


def grouped_bars(shares: pd.DataFrame, xlabel: str, *, title: str | None = None) -> Figure:
    """Draw horizontal bars, one group a row of ``shares`` and one bar a column, each told by hatch and number."""
    shares = _check_bars(shares, "shares")
    figure, axes = plt.subplots(figsize=(7, 0.8 + 0.28 * shares.size))
    height = 0.8 / shares.shape[1]
    position = np.arange(len(shares))[::-1]
    for i, column in enumerate(shares.columns):
        bars = axes.barh(
            position - (i - (shares.shape[1] - 1) / 2) * height, shares.iloc[:, i], height * 0.92, label=str(column),
            color=SERIES_COLOURS[i], hatch=SERIES_HATCHES[i], edgecolor="white",
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    axes.set(title=title, xlabel=xlabel, yticks=position, yticklabels=shares.index)
    if shares.shape[1] > 1:
        axes.legend(loc="lower right", fontsize=7)
    axes.margins(x=0.1)
    return figure


def trend_lines(
    series: pd.DataFrame, marks: Mapping[str, Mark], labels: Mapping[str, str], ylabel: str, *, title: str | None = None
) -> Figure:
    """Draw one line a column over the index (years), named in the legend."""
    series = canvas.check_table(series, what="series")
    series = series.set_axis(canvas.as_numbers(series.index, "series"))
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for place, name in enumerate(series.columns):
        mark, values = canvas.look_up(marks, name, "mark"), series.iloc[:, place].dropna()
        axes.plot(values.index, values, markersize=4, label=canvas.look_up(labels, name, "label"), **mark.look)
    # About ten years fit beneath the axis.
    ticks = series.index[:: 1 + (len(series) - 1) // 10]
    axes.set(title=title, ylabel=ylabel, xlabel=say("Year", "年份"), xticks=ticks)
    # Below the lines, which may leave no room.
    canvas.legend_below(figure, axes, len(series.columns))
    return figure


def stacked_bars(
    parts: pd.DataFrame, xlabel: str, highlight: str | Iterable[str] = (), *, title: str | None = None
) -> Figure:
    """Draw stacked horizontal bars, one a row of ``parts``, rows in ``highlight`` marked with an arrow."""
    parts = _check_bars(parts, "parts")[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.2 * len(parts)))
    left, position = np.zeros(len(parts)), np.arange(len(parts))
    for i, column in enumerate(parts.columns):
        # A missing part takes no room, and those behind it stand where it would.
        width = parts.iloc[:, i].fillna(0).to_numpy()
        axes.barh(
            position, width, 0.78, left=left, label=str(column), color=SERIES_COLOURS[i], hatch=SERIES_HATCHES[i],
            edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        left = left + width
    axes.set(title=title, xlabel=xlabel, yticks=position, yticklabels=canvas.marked(parts.index, highlight))
    axes.tick_params(axis="y", labelsize=7.5)
    # Shares that sum to one hundred leave no room for a legend among the bars.
    canvas.legend_below(figure, axes, len(SERIES_COLOURS), 7)
    axes.margins(y=0.01)
    return figure


def interval_dots(table: pd.DataFrame, xlabel: str, reference: float, *, title: str | None = None) -> Figure:
    """Draw estimates with intervals (columns ``estimate``, ``lower``, ``upper``) against a reference line."""
    table = canvas.check_table(table, INTERVAL)
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.34 * len(table)))
    position = np.arange(len(table))[::-1]
    axes.axvline(check_number("reference", reference), color=NEUTRAL, linewidth=0.8, linestyle="--")
    canvas.draw_intervals(axes, position, table, "estimate", upright=False, **canvas.series_look(0, ""))
    axes.set(title=title, xlabel=xlabel, yticks=position, yticklabels=table.index, ylim=(-0.6, len(table) - 0.4))
    return figure


def rank_ranges(ranks: pd.DataFrame, highlight: str | Iterable[str] = (), *, title: str | None = None) -> Figure:
    """Draw the rank of each unit in the first column as a dot, and from the best to the worst of all columns a line.

    Parameters
    ----------
    ranks : DataFrame
        One row a unit, one column a variant, the baseline first; 1 is the best.
    highlight : iterable of str
        Rows marked with an arrow.
    title : str, optional
    """
    ranks = canvas.check_table(ranks, what="ranks")
    baseline = ranks.iloc[:, 0]
    ordered = ranks.iloc[np.argsort(-baseline.to_numpy(), kind="stable")]
    position = np.arange(len(ordered))
    figure, axes = plt.subplots(figsize=(7, 1.1 + 0.19 * len(ordered)))
    axes.hlines(
        position, ordered.min(axis=1), ordered.max(axis=1), color=NEUTRAL, linewidth=1.4, label=say("range", "范围")
    )
    others = ordered.iloc[:, 1:].to_numpy()
    axes.plot(others, np.tile(position[:, None], others.shape[1]), "|", color=NEUTRAL, markersize=5)
    axes.plot(ordered.iloc[:, 0], position, "o", color=SERIES_COLOURS[0], markersize=5, label=say("baseline", "基准"))
    axes.set(title=title, xlabel=say("Rank", "名次"))
    axes.set_yticks(position, canvas.marked(ordered.index, highlight))
    axes.tick_params(axis="y", labelsize=7.5)
    canvas.legend_below(figure, axes, 2, 7)
    axes.margins(y=0.015)
    return figure


def label_points(axes: Axes, points: pd.DataFrame, size: float = 7, among: pd.DataFrame | None = None) -> None:
    """Write each row's name beside its point (columns ``x``, ``y``): to the left where another stands on the right.

    ``among`` are all points drawn, by default those named.
    """
    points = canvas.check_table(points, ["x", "y"], "points")
    drawn = points if among is None else canvas.check_table(among, ["x", "y"], "among")
    # Until the limits are asked for, places are those of empty axes.
    axes.get_xlim()
    axes.get_ylim()
    scale = 72 / axes.figure.dpi
    others = scale * axes.transData.transform(drawn[["x", "y"]].to_numpy(float))
    places = scale * axes.transData.transform(points[["x", "y"]].to_numpy(float))
    for name, row, place in zip(points.index, points[["x", "y"]].to_numpy(float), places, strict=True):
        along, across = (others - place).T
        room = 8 + canvas.text_width(str(name), size)
        level = (np.abs(across - 4) < size) & (np.abs(along) > 1)
        right, left = (bool((level & (side * along > 0) & (side * along < room)).any()) for side in (1, -1))
        side, align = (-1, "right") if right and not left else (1, "left")
        place = {"xytext": (4 * side, 2), "textcoords": "offset points", "ha": align}
        on_paper(axes.annotate(str(name), tuple(row), fontsize=size, **place))


def region_intervals(
    table: pd.DataFrame, labels: Mapping[str, str], xlabel: str, *, title: str | None = None
) -> Figure:
    """Draw quotients with intervals, a row an industry and a mark a region, on a logarithmic scale around one.

    Parameters
    ----------
    table : DataFrame
        Indexed by (region, industry) with ``quotient``, ``lower`` and ``upper``, positive.
    labels : mapping
        Name of each region to draw, in order.
    xlabel, title : str
    """
    table, labels = canvas.check_table(table, ["quotient", "lower", "upper"]), canvas.check_mapping(labels, "labels")
    parts = _by_region(table, labels)
    industries = table.index.unique(1)
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.17 * len(industries) * len(labels)))
    axes.axvline(1, color=NEUTRAL, linewidth=0.8, linestyle="--")
    rows = np.arange(len(industries))[::-1]
    for i, (region, label) in enumerate(labels.items()):
        part, mark = parts[region].reindex(industries), _region_mark(region)
        position = rows - (i - (len(labels) - 1) / 2) * 0.22
        look = {**mark.look, "linestyle": "none", "markersize": 5, "label": label}
        canvas.draw_intervals(axes, position, part, "quotient", upright=False, width=1.4, **look)
    axes.set(title=title, xlabel=xlabel, xscale="log", yticks=rows, yticklabels=industries)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 4) if table["lower"].min() / 1.3 <= t <= table["upper"].max() * 1.3]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", labelsize=7.5)
    canvas.legend_below(figure, axes, len(labels))
    return figure


def _by_region(table: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Return the rows of each region of a table indexed by region and something else."""
    if table.index.nlevels != 2 or table.index.has_duplicates:
        raise InvalidInputError(
            f"expected one row for each region and label, as two index levels, got {table.index.names}"
        )
    parts = {region: part.droplevel(0) for region, part in table.groupby(level=0)}
    return {region: canvas.look_up(parts, region, "region") for region in labels}


def region_scatter(
    points: pd.DataFrame, labels: Mapping[str, str], xlabel: str, ylabel: str, *, title: str | None = None
) -> Figure:
    """Draw points (columns ``x``, ``y``, ``region``) with the marks of their regions; those of a region are named.

    Parameters
    ----------
    points : DataFrame
        One row a unit; ``region`` a key of ``labels``, of which ``"rest"`` is not named.
    labels : mapping
        Name of each region, in order.
    xlabel, ylabel, title : str
    """
    points = canvas.check_table(points, ["x", "y"], "points", ["region"])
    labels = canvas.check_mapping(labels, "labels")
    for region in points["region"].unique():
        canvas.look_up(labels, region, "region")
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for region, label in labels.items():
        part, mark = points[points["region"] == region], _region_mark(region)
        look = {"color": mark.colour, "markersize": 6, "linestyle": "none", "label": label}
        # Hollow and below the others, which they would hide, and in grey resemble.
        behind = {"markerfacecolor": "white", "zorder": 1.9} if region == "rest" else {}
        axes.plot(part["x"], part["y"], mark.marker, **look, **behind)
    named = points[points["region"] != "rest"]
    if len(named):
        label_points(axes, named, among=points)
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axes.legend(fontsize=7.5)
    return figure


def rank_size_plot(
    tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str], xlabel: str, *, title: str | None = None
) -> Figure:
    """Draw rank against size with the fitted lines, regions told apart by their marks, on logarithmic scales.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By region: ``size``, ``rank`` and ``fitted`` of :func:`clusterlib.agglomeration.rank_size`.
    labels : mapping
        Name of each region.
    xlabel, title : str
    """
    tables = canvas.check_tables(tables, ["size", "rank", "fitted"], "tables")
    figure, axes = plt.subplots(figsize=(7, 4))
    for region, table in tables.items():
        mark, label = _region_mark(region), canvas.look_up(labels, region, "label")
        axes.plot(table["size"], table["rank"], mark.marker, color=mark.colour, markersize=5, label=label)
        axes.plot(table["fitted"], table["rank"], color=mark.colour, linestyle=mark.line, linewidth=1)
    axes.set(title=title, xlabel=xlabel, ylabel=say("Rank", "位序"), xscale="log", yscale="log")
    highest = max(table["rank"].max() for table in tables.values())
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if t <= highest]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.legend(fontsize=7.5)
    return figure

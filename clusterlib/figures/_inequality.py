"""Plots of inequality and convergence: decompositions, intervals, growth, clubs, and density ridges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_number
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError
from clusterlib.figures import _canvas as canvas
from clusterlib.figures._drawn import keep_values
from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS, SERIES_HATCHES, Mark, on_paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = {
    "within": ("Within groups", "组内"),
    "between": ("Net between groups", "组间净值"),
    "transvariation": ("Transvariation", "超变密度"),
}
_MOST_LABELS = 10


def decomposition_bars(tables: Mapping[str, pd.DataFrame], *, title: str | None = None) -> Figure:
    """Draw Dagum's parts of the Gini by period as stacked bars, one panel a table, with contributions in percent.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Heading of each panel and the table of :class:`clusterlib.inequality.DagumByPeriod`.
    title : str, optional
    """
    columns = [*PARTS, *(f"{part}_contribution" for part in PARTS)]
    tables = canvas.check_tables(tables, columns, "tables")
    figure, panels = canvas.panel_row(tables, 3.4, title, labels=None, sharey=True)
    for axes, table in zip(panels, tables.values(), strict=True):
        _stack(axes, table)
        axes.set_xlabel(say("Year", "年份"))
    panels[0].set_ylabel(say("Gini coefficient", "基尼系数"))
    canvas.legend_below(figure, panels[0], size=8)
    return figure


def _stack(axes: Axes, table: pd.DataFrame) -> None:
    base, periods = np.zeros(len(table)), canvas.as_numbers(table.index, "table")
    colours = (SERIES_COLOURS[0], SERIES_COLOURS[2], SERIES_COLOURS[1])
    for colour, hatch, (part, words) in zip(colours, SERIES_HATCHES, PARTS.items(), strict=False):
        axes.bar(
            periods, table[part], 0.8, base, label=say(*words), color=colour, hatch=hatch, edgecolor="white", lw=0.4
        )
        if len(table) <= _MOST_LABELS:
            for year, low, high, share in zip(
                periods, base, base + table[part], table[f"{part}_contribution"], strict=True
            ):
                _share(axes, year, (low + high) / 2, share)
        base = base + table[part].fillna(0).to_numpy()
    step = 2 if len(table) <= _MOST_LABELS else 4
    axes.set_xticks(periods[::step])
    axes.tick_params(axis="x", labelsize=7)


def _share(axes: Axes, x: float, y: float, percent: float) -> None:
    if percent >= 5:
        box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(x, y, f"{percent:.0f}", ha="center", va="center", fontsize=6, bbox=box)


def interval_lines(
    series: Mapping[str, pd.DataFrame],
    marks: Mapping[str, Mark],
    ylabel: str,
    dodge: float = 0.12,
    *,
    title: str | None = None,
) -> Figure:
    """Draw lines over periods with an interval at every point.

    Parameters
    ----------
    series : mapping of str to DataFrame
        Label and columns ``estimate``, ``lower``, ``upper`` by period.
    marks : mapping of str to Mark
        By the same labels.
    ylabel, title : str
    dodge : float
        Periods by which the points of neighbouring series stand apart.
    """
    series, dodge = canvas.check_tables(series, ["estimate", "lower", "upper"], "series"), check_number("dodge", dodge)
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for i, (label, table) in enumerate(series.items()):
        x = canvas.as_numbers(table.index, label) + (i - (len(series) - 1) / 2) * dodge
        look = {"markersize": 4, "label": label, **canvas.look_up(marks, label, "mark").look}
        canvas.draw_intervals(axes, x, table, "estimate", upright=True, width=1.1, **look)
    years = pd.Index(sorted(set().union(*(table.index for table in series.values()))))
    axes.set(
        title=title, ylabel=ylabel, xlabel=say("Year", "年份"), xticks=years[:: 1 if len(years) <= _MOST_LABELS else 2]
    )
    # Not among the intervals, as in event studies.
    canvas.legend_below(figure, axes, len(series), 8)
    return figure


def growth_scatter(
    points: pd.DataFrame,
    marks: Mapping[str, Mark],
    labels: Mapping[str, str],
    line: tuple[float, float],
    *,
    title: str | None = None,
) -> Figure:
    """Draw growth against the initial level, marked by group, with the line of absolute convergence.

    Parameters
    ----------
    points : DataFrame
        One row a unit: ``initial`` (logarithm), ``growth`` (percent a year), ``group`` and, to be written beside some
        of them, ``name`` (empty for none).
    marks, labels : mapping
        By group.
    line : (float, float)
        Constant and slope, percent a year.
    title : str, optional
    """
    points = canvas.check_table(points, ["initial", "growth"], "points", ["group", "name"])
    if not isinstance(line, (tuple, list)) or len(line) != 2:
        raise InvalidInputError(f"line={line!r}: expected a constant and a slope")
    constant, slope = (check_number("line", value) for value in line)
    figure, axes = plt.subplots(figsize=(6.6, 4.2))
    for group, part in points.groupby("group", sort=False):
        mark, label = canvas.look_up(marks, group, "mark"), canvas.look_up(labels, group, "label")
        axes.scatter(part["initial"], part["growth"], s=26, c=mark.colour, marker=mark.marker, label=label, alpha=0.9)
    for x, y, name in points[["initial", "growth", "name"]].itertuples(index=False):
        if isinstance(name, str) and name:
            on_paper(axes.annotate(name, (x, y), (6, -3), textcoords="offset points", fontsize=7))
    ends = np.array([points["initial"].min(), points["initial"].max()])
    axes.plot(ends, constant + slope * ends, color=NEUTRAL, linewidth=1, linestyle="--")
    axes.set(
        title=title,
        xlabel=say("Logarithm of the initial level", "初始水平（对数）"),
        ylabel=say("Growth, percent a year", "年均增长率（%）"),
    )
    axes.legend(fontsize=7.5)
    return figure


def club_paths(
    transitions: pd.DataFrame, membership: pd.Series, log: bool = False, *, title: str | None = None
) -> Figure:
    """Draw relative transition paths: every unit thin, the mean of every club thick, divergent units dotted.

    Parameters
    ----------
    transitions : DataFrame
        One row a unit, one column a period, relative to the mean of all units.
    membership : Series
        Club of each unit, 0 for none.
    log : bool
        Draw the scale in logarithms, for levels that are multiples of one another.
    title : str, optional
    """
    transitions = canvas.check_table(transitions, what="transitions")
    if not isinstance(membership, pd.Series) or not membership.index.equals(transitions.index):
        raise InvalidInputError("membership: expected a Series of club numbers by the units of transitions")
    check_choice("log", log, (True, False))
    periods = canvas.as_numbers(transitions.columns, "transitions")
    numbers = sorted(membership.unique(), key=lambda number: (number == 0, number))
    if len(numbers) > len(SERIES_COLOURS) + 1:
        raise InvalidInputError(f"{len(numbers)} clubs: the figure can tell {len(SERIES_COLOURS)} apart")
    figure, axes = plt.subplots(figsize=(7, 3.9))
    lines = ["-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), (0, (3, 1))]
    for i, number in enumerate(numbers):
        paths = transitions[membership == number]
        colour = SERIES_COLOURS[i] if number else NEUTRAL
        axes.plot(periods, paths.T, color=colour, linewidth=0.4, alpha=0.45)
        name = say(f"Club {number}", f"俱乐部{number}") if number else say("Divergent", "发散")
        style = lines[i] if number else ":"
        label = canvas.noted(name, f"n = {len(paths)}")
        axes.plot(periods, paths.mean(), color=colour, linewidth=2, linestyle=style, label=label)
    axes.axhline(1, color=NEUTRAL, linewidth=0.6)
    axes.set(title=title, xlabel=say("Year", "年份"), ylabel=say("Relative to the mean", "相对转移路径"))
    axes.set_xticks(periods[:: 1 if len(periods) <= _MOST_LABELS else 2])
    if log:
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def density_ridges(densities: pd.DataFrame, xlabel: str, overlap: float = 1.6, *, title: str | None = None) -> Figure:
    """Draw densities one above the other, the first period on top; outlines keep them apart in grey.

    Parameters
    ----------
    densities : DataFrame
        One row a grid point, one column a period, as :meth:`clusterlib.inequality.KernelDensity.wide` gives.
    xlabel, title : str
    overlap : float
        Height of the highest peak in distances between ridges.
    """
    densities, overlap = canvas.check_table(densities, what="densities"), check_number("overlap", overlap)
    x, highest = canvas.as_numbers(densities.index, "densities"), np.nanmax(densities)
    if not highest > 0:
        raise InvalidInputError("densities: expected positive figures")
    figure, axes = plt.subplots(figsize=(6.6, 1.2 + 0.3 * densities.shape[1]))
    scale = overlap / highest
    base = np.arange(densities.shape[1])[::-1]
    for level, density in zip(base, densities.fillna(0).to_numpy().T, strict=True):
        height = level + scale * density
        shade = 0.9 - 0.45 * (1 - level / max(len(base) - 1, 1))
        axes.fill_between(x, level, height, color=str(shade), linewidth=0, zorder=2 * (len(base) - level))
        axes.plot(x, height, color=SERIES_COLOURS[0], linewidth=1, zorder=2 * (len(base) - level) + 1)
        top = int(np.argmax(density))
        axes.plot(x[top], height[top], "o", color=SERIES_COLOURS[1], ms=3, zorder=2 * (len(base) - level) + 1)
    axes.set(title=title, xlabel=xlabel, xlim=(x[0], x[-1]), yticks=base, yticklabels=densities.columns)
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.spines["left"].set_visible(False)
    # Ridges stand where there is room and not at their height.
    long = densities.rename_axis(index="x", columns="series").melt(ignore_index=False, value_name="density")
    keep_values(figure, long.reset_index())
    return figure

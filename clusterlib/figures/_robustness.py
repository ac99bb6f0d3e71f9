"""Plots of specification curves: sorted estimates over the choices that made them, and curves set beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Apart in lightness too: dark, middle, light.
SIGNS = {
    "positive": ("positive, significant 显著为正", SERIES_COLOURS[0]),
    "negative": ("negative, significant 显著为负", SERIES_COLOURS[1]),
    "neither": ("not significant 不显著", "#b4b4b4"),
}
LINES = ["-", "--", ":", "-."]
_BAND = "#dcdcdc"


def _classes(table: pd.DataFrame, level: float, p_value: str) -> np.ndarray:
    sign = np.where(table["estimate"] > 0, "positive", "negative")
    return np.where(table[p_value] <= level, sign, "neither")


def _draw_curve(axes: Axes, table: pd.DataFrame, classes: np.ndarray, main: int | None, ylabel: str) -> None:
    ranks = np.arange(1, len(table) + 1)
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    width = min(1.4, 220 / len(table))
    for name, (label, colour) in SIGNS.items():
        of = classes == name
        if of.any():
            axes.vlines(ranks[of], table["lower"][of], table["upper"][of], color=colour, linewidth=width, alpha=0.35)
            axes.plot(ranks[of], table["estimate"][of], ".", color=colour, markersize=3, label=f"{label} ({of.sum()})")
    if main is not None:
        axes.plot(
            ranks[main], table["estimate"].iloc[main], "D", color="black", markerfacecolor="white", markersize=6,
            label="main specification 主设定",
        )  # fmt: skip
    # The widest intervals would flatten all others.
    ends = np.concatenate([table["lower"], table["upper"]])
    low, high = np.nanquantile(ends, [0.01, 0.99])
    low, high = min(low, table["estimate"].min(), 0), max(high, table["estimate"].max(), 0)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set_ylabel(ylabel, fontsize=8)
    axes.legend(fontsize=7, loc="upper left", ncols=2)


def _draw_choices(axes: Axes, table: pd.DataFrame, classes: np.ndarray, main: int | None, rows: list) -> None:
    """Mark the option of each specification under its estimate, and write each option's median at the right."""
    ranks, width = np.arange(1, len(table) + 1), min(2, 220 / len(table))
    spread = np.ptp(table["estimate"])
    digits = int(np.clip(1 - np.floor(np.log10(spread)), 0, 6)) if spread else 3
    for place, (choice, option, _) in enumerate(rows):
        for name, (_, colour) in SIGNS.items():
            of = (table[choice] == option).to_numpy() & (classes == name)
            axes.vlines(ranks[of], place - 0.36, place + 0.36, color=colour, linewidth=width)
        median = table.loc[table[choice] == option, "estimate"].median()
        axes.text(1.01, place, f"{median:.{digits}f}", transform=axes.get_yaxis_transform(), fontsize=6.5, va="center")
        if place and rows[place - 1][0] != choice:
            axes.axhline(place - 0.5, color=NEUTRAL, linewidth=0.5)
    axes.text(1.01, -1, "median 中位数", transform=axes.get_yaxis_transform(), fontsize=6.5, va="center")
    if main is not None:
        axes.axvline(ranks[main], color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label for *_, label in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("Specifications, sorted by estimate 按估计值排序的设定", fontsize=8)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.spines[:].set_visible(False)


def specification_curve_plot(
    table: pd.DataFrame,
    choices: Mapping[str, Mapping[str, str]],
    title: str,
    ylabel: str,
    *,
    main: Mapping[str, str] | None = None,
    level: float = 0.05,
    p_value: str = "p_value",
) -> Figure:
    """Draw estimates with their intervals, sorted, and under each the choices that made it (设定曲线).

    Parameters
    ----------
    table : DataFrame
        One row a specification: a column for each choice, ``estimate``, ``lower``, ``upper`` and p values.
    choices : mapping of str to mapping of str to str
        Of each choice its options with the labels shown; options without a row are left out.
    title, ylabel : str
    main : mapping of str to str, optional
        The option of each choice in the specification that is marked.
    level : float
        At which p values count as significant.
    p_value : str
        Column of the p values.

    Raises
    ------
    InvalidInputError
        If there is no row, or none of the main specification.
    UnknownNameError
        If a choice is not a column.
    """
    if table.empty:
        raise InvalidInputError("no specification to draw")
    for choice in choices:
        if choice not in table:
            raise UnknownNameError("choice", choice, table.columns)
    table = table.sort_values("estimate", kind="stable").reset_index(drop=True)
    place = _place_of(table, main) if main else None
    rows = [(c, o, label) for c, options in choices.items() for o, label in options.items() if (table[c] == o).any()]
    classes = _classes(table, level, p_value)
    heights = (3.0, 0.5 + 0.155 * len(rows))
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.4, sum(heights)), sharex=True, height_ratios=heights)
    _draw_curve(above, table, classes, place, ylabel)
    _draw_choices(below, table, classes, place, rows)
    above.set_title(title)
    above.tick_params(labelsize=7.5)
    above.margins(x=0.01)
    return figure


def _place_of(table: pd.DataFrame, main: Mapping[str, str]) -> int:
    found = np.flatnonzero((table[list(main)] == pd.Series(main)).all(axis=1))
    if len(found) != 1:
        raise InvalidInputError(f"{len(found)} specifications with {dict(main)}: expected one to mark")
    return int(found[0])


def curve_comparison(
    panels: Mapping[str, Mapping[str, pd.Series]],
    title: str,
    ylabel: str,
    bands: Mapping[str, pd.DataFrame] | None = None,
) -> Figure:
    """Draw several sorted curves of estimates in each panel, over what samples without an effect give (设定曲线比较).

    Parameters
    ----------
    panels : mapping of str to mapping of str to Series
        By the panel's heading, then by label: estimates in any order; each curve is sorted by itself and drawn over
        its ranks from 0 to 100 %.
    title, ylabel : str
    bands : mapping of str to DataFrame, optional
        By heading: ``lower`` and ``upper`` by rank, as of
        :meth:`clusterlib.specification_curve.SpecificationCurve.null_band`.

    Raises
    ------
    InvalidInputError
        If there is no panel, or one has no curve or more than can be told apart.
    """
    counts = [len(series) for series in panels.values()]
    if not counts or min(counts) < 1 or max(counts) > len(LINES):
        raise InvalidInputError(f"expected panels of one to {len(LINES)} curves, got {counts}")
    figure, all_axes = plt.subplots(1, len(panels), figsize=(7.4, 3.2), squeeze=False)
    for axes, (heading, series) in zip(all_axes[0], panels.items(), strict=True):
        axes.axhline(0, color=NEUTRAL, linewidth=0.8)
        if bands and heading in bands:
            band = bands[heading]
            axes.fill_between(
                _percent(len(band)), band["lower"], band["upper"], color=_BAND, linewidth=0,
                label="95 % without an effect 无效应时的95%范围",
            )  # fmt: skip
        for i, (label, values) in enumerate(series.items()):
            axes.plot(
                _percent(len(values)), np.sort(values), LINES[i], color=SERIES_COLOURS[i], linewidth=1.6, label=label
            )
        axes.set_title(heading, fontsize=8.5)
        axes.set_xlabel("Rank 名次 (%)", fontsize=8)
        axes.tick_params(labelsize=7.5)
    all_axes[0][0].set_ylabel(ylabel, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7.5, loc="outside lower center", ncols=3)
    return figure


def _percent(count: int) -> np.ndarray:
    """Ranks in percent, those of one curve spread over the whole axis."""
    return 100 * (np.arange(count) + 0.5) / count

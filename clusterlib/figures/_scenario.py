"""Plots of scenarios and cases: effects by unit with intervals, regimes of the border, and growth paths of a city."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd

from clusterlib.figures._regression import coefficient_comparison
from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EFFECTS = {"direct": "direct 直接", "spillover": "spillover 溢出", "total": "total 合计"}
REGIMES = {"alone": "each alone 各自行动", "present": "as estimated 现状", "joint": "joint targets 共同目标"}
_LINES = ("-", "--", ":")
_MARKERS = ("o", "s", "^")


def effects_plot(table: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw direct and spillover effects and their sum with intervals, a row a unit (情景效应图).

    Parameters
    ----------
    table : DataFrame
        Indexed by the names of rows: ``direct``, ``spillover``, ``total``, each with ``_lower`` and ``_upper``.
    title, xlabel : str
    """
    series = {
        label: pd.DataFrame({"estimate": table[name], "lower": table[f"{name}_lower"], "upper": table[f"{name}_upper"]})
        for name, label in EFFECTS.items()
    }
    return _dots(series, title, xlabel, 0.0)


def regimes_plot(table: pd.DataFrame, title: str, xlabel: str, impulse: float = 1.0) -> Figure:
    """Draw what an impulse comes to if borders stop it, as estimated, and across them as within (边界情形图).

    Parameters
    ----------
    table : DataFrame
        By (row, regime): ``estimate``, ``lower``, ``upper``; regimes ``alone``, ``present``, ``joint``.
    title, xlabel : str
    impulse : float
        Marked by a line: what comes without any spillover.
    """
    series = {label: table.xs(name, level=1) for name, label in REGIMES.items()}
    return _dots(series, title, xlabel, impulse)


def _dots(series: Mapping[str, pd.DataFrame], title: str, xlabel: str, reference: float) -> Figure:
    figure = coefficient_comparison({"": series}, title, xlabel)
    axes = figure.axes[0]
    ends = pd.concat([table[["lower", "upper", "estimate"]] for table in series.values()]).to_numpy()
    if (ends == 0).all():
        # Without any effect the axis would have no scale.
        axes.set_xlim(-1, 1)
    if reference:
        axes.lines[0].set_xdata([reference, reference])
        reach = ends.max() - reference
        axes.set_xlim(min(reference, ends.min()) - 0.06 * reach, ends.max() + 0.06 * reach)
    return figure


def paths_plot(panels: Mapping[str, pd.DataFrame], labels: Mapping[str, str], title: str, start: int) -> Figure:
    """Draw indices of growth of a city beside its region and the nation, a panel an indicator (增长路径图).

    Parameters
    ----------
    panels : mapping of str to DataFrame
        By heading: years by series, the first year as 100.
    labels : mapping of str to str
        Name of each series, up to three, in order.
    title : str
    start : int
        Year of the pilot, marked by a line before it.
    """
    figure, all_axes = plt.subplots(1, len(panels), figsize=(7.4, 3.3), squeeze=False)
    for axes, (heading, table) in zip(all_axes[0], panels.items(), strict=True):
        for i, (name, label) in enumerate(labels.items()):
            axes.plot(
                table.index, table[name], color=SERIES_COLOURS[i], linestyle=_LINES[i], marker=_MARKERS[i],
                markersize=3.5, linewidth=1.4, label=label,
            )  # fmt: skip
        axes.axvline(start - 0.5, color=NEUTRAL, linewidth=0.8, linestyle="--")
        axes.set_title(heading, fontsize=8.5)
        axes.set_xlabel("Year 年份", fontsize=8)
        axes.set_xticks(table.index[:: max(1, len(table) // 6)])
        axes.tick_params(labelsize=7.5)
    all_axes[0][0].set_ylabel(f"{table.index[0]} = 100", fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    handles, names = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=7.5, loc="outside lower center", ncols=3)
    return figure

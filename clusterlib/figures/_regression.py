"""Plots of regressions: coefficients of several models, impacts, and likelihood ratios of thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.figures._style import NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from clusterlib.panel import ThresholdResult

MARKERS = ["o", "s", "^", "D", "v", "P"]
KINDS = {"direct": "direct 直接", "indirect": "indirect 间接", "total": "total 总"}
_ROW = 0.8


def _draw_intervals(axes: Axes, series: Mapping[str, pd.DataFrame], rows: list) -> None:
    """Draw each series with its own marker and colour, those of one row beside each other, the first row on top."""
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    step = _ROW / max(len(series), 2)
    for i, (label, table) in enumerate(series.items()):
        table = table.reindex(rows)
        position = np.arange(len(rows))[::-1] - step * (i - (len(series) - 1) / 2)
        axes.hlines(position, table["lower"], table["upper"], color=SERIES_COLOURS[i], linewidth=1.3)
        axes.plot(
            table["estimate"], position, MARKERS[i], color=SERIES_COLOURS[i], markersize=4.5, label=label,
            markerfacecolor=SERIES_COLOURS[i] if i % 2 == 0 else "white",
        )  # fmt: skip
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(np.arange(len(rows))[::-1], rows)
    axes.tick_params(labelsize=7.5)
    axes.locator_params(axis="x", nbins=6)


def coefficient_comparison(
    panels: Mapping[str, Mapping[str, pd.DataFrame]], title: str, xlabel: str | Mapping[str, str]
) -> Figure:
    """Draw estimates with their intervals around zero, a row a specification, such as the weights (系数比较).

    Parameters
    ----------
    panels : mapping of str to mapping of str to DataFrame
        By the panel's heading, then by series: tables with ``estimate``, ``lower`` and ``upper``, indexed by the names
        of the rows. A table may lack rows; without an interval the estimate alone is drawn.
    title : str
    xlabel : str or mapping of str to str
        Of all panels, or of each by its heading.

    Raises
    ------
    InvalidInputError
        If there is no panel, or one has no series or more than can be told apart.
    """
    counts = [len(series) for series in panels.values()]
    if not counts or min(counts) < 1 or max(counts) > len(MARKERS):
        raise InvalidInputError(f"expected panels of one to {len(MARKERS)} series, got {counts}")
    tables = [table for series in panels.values() for table in series.values()]
    rows = list(dict.fromkeys(row for table in tables for row in table.index))
    height = 1.3 + len(rows) * max(0.22, 0.17 * max(counts))
    figure, all_axes = plt.subplots(1, len(panels), figsize=(7.4, height), sharey=True, squeeze=False)
    for axes, (heading, series) in zip(all_axes[0], panels.items(), strict=True):
        _draw_intervals(axes, series, rows)
        axes.set_title(heading, fontsize=8.5)
        axes.set_xlabel(xlabel if isinstance(xlabel, str) else xlabel[heading], fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    if max(counts) > 1:
        handles, labels = all_axes[0][int(np.argmax(counts))].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, loc="outside lower center", ncols=min(3, len(labels)))
    return figure


def impacts_plot(panels: Mapping[str, pd.DataFrame], title: str, xlabel: str | Mapping[str, str]) -> Figure:
    """Draw direct, indirect and total impacts of one variable with their intervals (直接、间接与总效应图).

    Parameters
    ----------
    panels : mapping of str to DataFrame
        By the panel's heading: rows as of the ``table`` of :class:`clusterlib.spatial_panel.Impacts`, one for each
        model or weights, indexed by its name.
    title, xlabel
        As of :func:`coefficient_comparison`.
    """
    return coefficient_comparison(
        {
            heading: {
                label: pd.DataFrame(
                    {"estimate": table[kind], "lower": table[f"{kind}_lower"], "upper": table[f"{kind}_upper"]}
                )
                for kind, label in KINDS.items()
            }
            for heading, table in panels.items()
        },
        title,
        xlabel,
    )


def threshold_plot(results: Mapping[str, ThresholdResult], title: str, xlabel: str) -> Figure:
    """Draw the likelihood ratio of each candidate for the first threshold, and the line below which it is in the set.

    Parameters
    ----------
    results : mapping of str to ThresholdResult
        By the panel's heading; the search for a single threshold is drawn.
    title, xlabel : str

    Raises
    ------
    InvalidInputError
        If there is no result.

    Notes
    -----
    The dot is the estimate, the dark line the candidates of the confidence set; where all of the curve lies below the
    dashed line the data tell no threshold from another.
    """
    if not results:
        raise InvalidInputError("expected at least one threshold regression, by the heading of its panel")
    figure, all_axes = plt.subplots(1, len(results), figsize=(7.4, 3.2), squeeze=False)
    for axes, (heading, result) in zip(all_axes[0], results.items(), strict=True):
        profile = result.profile[result.profile["stage"] == "first"]
        x, ratio = profile["threshold"].to_numpy(), profile["likelihood_ratio"].to_numpy()
        axes.plot(x, ratio, color=SERIES_COLOURS[2], linewidth=1)
        axes.plot(
            x, np.where(profile["in_set"], ratio, np.nan), color=SERIES_COLOURS[0], linewidth=2.2, marker=".",
            markersize=3, label="confidence set 置信集",
        )  # fmt: skip
        axes.axhline(result.critical_value, color=NEUTRAL, linestyle="--", linewidth=0.9, label="critical value 临界值")
        axes.plot(x[ratio.argmin()], 0, "o", color=SERIES_COLOURS[1], markersize=5, label="estimate 估计值", zorder=3)
        axes.set_title(heading, fontsize=8.5)
        axes.set_xlabel(xlabel, fontsize=8)
        axes.set_ylim(bottom=-0.04 * max(ratio.max(), result.critical_value))
        axes.tick_params(labelsize=7.5)
    all_axes[0][0].set_ylabel("Likelihood ratio LR 似然比", fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7.5, loc="outside lower center", ncols=3)
    return figure

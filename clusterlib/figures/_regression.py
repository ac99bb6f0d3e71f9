"""Plots of regressions: coefficients and effects with intervals, thresholds, specification curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from clusterlib.core.checks import check_level, check_number
from clusterlib.core.language import say
from clusterlib.core.tables import check_texts
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.figures import _canvas as canvas
from clusterlib.figures._style import MARKERS, NEUTRAL, SERIES_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from clusterlib.panel import ThresholdResult

# What is drawn, and its words in English and Chinese.
KINDS = {"direct": ("direct", "直接效应"), "indirect": ("indirect", "间接效应"), "total": ("total", "总效应")}
REGIMES = {
    "alone": ("each alone", "各自行动"),
    "present": ("as estimated", "现状"),
    "joint": ("joint targets", "共同目标"),
}
SIDES = {"within": ("within provinces", "省内"), "across": ("across provinces", "跨省")}
# Apart in lightness too: dark, middle, light.
SIGNS = {
    "positive": (("positive, significant", "显著为正"), SERIES_COLOURS[0]),
    "negative": (("negative, significant", "显著为负"), SERIES_COLOURS[1]),
    "neither": (("not significant", "不显著"), "#b4b4b4"),
}
LINES = ["-", "--", ":", "-."]
_INTERVAL = ("estimate", "lower", "upper")
_ROW = 0.8
_BAND = "#dcdcdc"


def _check_series(panels: Any, most: int, what: str) -> dict[str, dict[str, Any]]:
    """Return panels as mappings of series if each has one at least, and no more than can be told apart."""
    if not isinstance(panels, Mapping):
        raise InvalidInputError(f"expected {what} by panel and label, a dict of dicts, got a {type(panels).__name__}")
    counts = [len(series) if isinstance(series, Mapping) else 0 for series in panels.values()]
    if not counts or min(counts) < 1 or max(counts) > most:
        raise InvalidInputError(f"expected panels of one to {most} {what}, got {counts}")
    return {heading: dict(series) for heading, series in panels.items()}


def _draw_intervals(axes: Axes, series: Mapping[str, pd.DataFrame], rows: list) -> None:
    """Draw each series with its own marker and colour, those of one row beside each other, the first row on top."""
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    step = _ROW / max(len(series), 2)
    for i, (label, table) in enumerate(series.items()):
        table = table.reindex(rows)
        position = np.arange(len(rows))[::-1] - step * (i - (len(series) - 1) / 2)
        canvas.draw_intervals(axes, position, table, "estimate", upright=False, **canvas.series_look(i, label))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(np.arange(len(rows))[::-1], rows)
    axes.tick_params(labelsize=7.5)
    axes.locator_params(axis="x", nbins=6)


def coefficient_comparison(
    panels: Mapping[str, Mapping[str, pd.DataFrame]], xlabel: str | Mapping[str, str], *, title: str | None = None
) -> Figure:
    """Draw estimates with their intervals around zero, a row a specification, such as the weights (系数比较).

    Parameters
    ----------
    panels : mapping of str to mapping of str to DataFrame
        By the panel's heading, then by series: tables with ``estimate``, ``lower`` and ``upper``, indexed by the names
        of the rows. A table may lack rows; without an interval the estimate alone is drawn.
    xlabel : str or mapping of str to str
        Of all panels, or of each by its heading.
    title : str, optional

    Raises
    ------
    InvalidInputError
        If there is no panel, or one has no series or more than can be told apart.
    """
    checked = {
        heading: {label: _check_interval(table, f"series {label!r}") for label, table in series.items()}
        for heading, series in _check_series(panels, len(MARKERS), "series").items()
    }
    counts = [len(series) for series in checked.values()]
    tables = [table for series in checked.values() for table in series.values()]
    rows = list(dict.fromkeys(row for table in tables for row in table.index))
    height = 1.3 + len(rows) * max(0.22, 0.17 * max(counts))
    figure, all_axes = canvas.panel_row(checked, height, title, sharey=True)
    for axes, (heading, series) in zip(all_axes, checked.items(), strict=True):
        _draw_intervals(axes, series, rows)
        own = canvas.look_up(xlabel, heading, "xlabel") if isinstance(xlabel, Mapping) else xlabel
        axes.set_xlabel(own, fontsize=8)
    if max(counts) > 1:
        canvas.legend_below(figure, all_axes[int(np.argmax(counts))], min(3, max(counts)))
    return figure


def _check_interval(table: Any, what: str) -> pd.DataFrame:
    table = canvas.check_table(table, _INTERVAL, what)
    if table.index.has_duplicates:
        raise InvalidInputError(f"{what}: {table.index[table.index.duplicated()][0]!r} has more than one row")
    return table


def _parts(table: Any, kinds: Mapping[str, tuple[str, str]], what: str) -> dict[str, pd.DataFrame]:
    """Return the intervals of each kind of effect in a wide table, by label."""
    table = canvas.check_table(table, [f"{kind}{end}" for kind in kinds for end in ("", "_lower", "_upper")], what)
    ends = dict(zip(_INTERVAL, ("", "_lower", "_upper"), strict=True))
    return {
        say(*words): pd.DataFrame({column: table[f"{kind}{end}"] for column, end in ends.items()})
        for kind, words in kinds.items()
    }


def impacts_plot(
    panels: Mapping[str, pd.DataFrame], xlabel: str | Mapping[str, str], *, title: str | None = None
) -> Figure:
    """Draw direct, indirect and total impacts of one variable with their intervals (直接、间接与总效应图).

    Parameters
    ----------
    panels : mapping of str to DataFrame
        By the panel's heading: rows as of the ``table`` of :class:`clusterlib.spatial_panel.Impacts`, one for each
        model or weights, indexed by its name.
    xlabel, title
        As of :func:`coefficient_comparison`.
    """
    parts = canvas.check_mapping(panels, "panels", lambda table, what: _parts(table, KINDS, what))
    return coefficient_comparison(parts, xlabel, title=title)


def regimes_plot(table: pd.DataFrame, xlabel: str, impulse: float = 1.0, *, title: str | None = None) -> Figure:
    """Draw what an impulse comes to if borders stop it, as estimated, and across them as within (边界情形图).

    Parameters
    ----------
    table : DataFrame
        By (row, regime): ``estimate``, ``lower``, ``upper``; regimes ``alone``, ``present``, ``joint``.
    xlabel, title : str
    impulse : float
        Marked by a line: what comes without any spillover.
    """
    table, impulse = canvas.check_table(table, _INTERVAL), check_number("impulse", impulse)
    if table.index.nlevels != 2:
        raise InvalidInputError(f"expected an index of two levels, row and regime, got {table.index.nlevels}")
    for name in REGIMES:
        canvas.look_up(dict.fromkeys(table.index.unique(1)), name, "regime")
    regime = table.index.get_level_values(1)
    series = {say(*words): table[regime == name].droplevel(1) for name, words in REGIMES.items()}
    return _dots(series, xlabel, impulse, title)


def _dots(series: Mapping[str, pd.DataFrame], xlabel: str, reference: float, title: str | None) -> Figure:
    figure = coefficient_comparison({"": series}, xlabel, title=title)
    axes = figure.axes[0]
    ends = pd.concat([table[["lower", "upper", "estimate"]] for table in series.values()])
    low, high = np.nanmin(ends), np.nanmax(ends)
    if low == high == 0:
        # Without any effect the axis would have no scale.
        axes.set_xlim(-1, 1)
    if reference:
        axes.lines[0].set_xdata([reference, reference])
        low, high = min(low, reference), max(high, reference)
        margin = 0.06 * (high - low) or 1.0
        axes.set_xlim(low - margin, high + margin)
    return figure


def border_plot(table: pd.DataFrame, xlabel: str, *, title: str | None = None) -> Figure:
    """Draw spillovers within and across borders with intervals, two marks a row.

    Parameters
    ----------
    table : DataFrame
        One row an estimate, named as on the axis: ``within``, ``across`` and each with ``_lower`` and ``_upper``.
        Missing rows are named and left empty.
    xlabel, title : str
    """
    return _dots(_parts(table, SIDES, "table"), xlabel, 0.0, title)


def threshold_plot(results: Mapping[str, ThresholdResult], xlabel: str, *, title: str | None = None) -> Figure:
    """Draw the likelihood ratio of each candidate for the first threshold, and the line below which it is in the set.

    Parameters
    ----------
    results : mapping of str to ThresholdResult
        By the panel's heading; the search for a single threshold is drawn.
    xlabel, title : str

    Raises
    ------
    InvalidInputError
        If there is no result.

    Notes
    -----
    The dot is the estimate, the dark line the candidates of the confidence set; where all of the curve lies below the
    dashed line the data tell no threshold from another.
    """
    results = canvas.check_mapping(results, "threshold regressions")
    for result in results.values():
        canvas.check_result(result, ("profile", "critical_value"), "clusterlib.panel.panel_threshold")
    figure, all_axes = canvas.panel_row(results, 3.2, title)
    for axes, result in zip(all_axes, results.values(), strict=True):
        profile = result.profile[result.profile["stage"] == "first"]
        x, ratio = profile["threshold"].to_numpy(), profile["likelihood_ratio"].to_numpy()
        axes.plot(x, ratio, color=SERIES_COLOURS[2], linewidth=1)
        axes.plot(
            x, np.where(profile["in_set"], ratio, np.nan), color=SERIES_COLOURS[0], linewidth=2.2, marker=".",
            markersize=3, label=say("confidence set", "置信集"),
        )  # fmt: skip
        axes.axhline(
            result.critical_value, color=NEUTRAL, linestyle="--", linewidth=0.9, label=say("critical value", "临界值")
        )
        axes.plot(
            x[ratio.argmin()], 0, "o", color=SERIES_COLOURS[1], markersize=5, label=say("estimate", "估计值"), zorder=3
        )
        axes.set_xlabel(xlabel, fontsize=8)
        axes.set_ylim(bottom=-0.04 * max(ratio.max(), result.critical_value))
    all_axes[0].set_ylabel(say("Likelihood ratio LR", "似然比 LR"), fontsize=8)
    canvas.legend_below(figure, all_axes[0])
    return figure


def _draw_curve(axes: Axes, table: pd.DataFrame, classes: np.ndarray, main: int | None, ylabel: str) -> None:
    ranks = np.arange(1, len(table) + 1)
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle="--")
    width = min(1.4, 220 / len(table))
    for name, (words, colour) in SIGNS.items():
        of, label = classes == name, say(*words)
        if of.any():
            axes.vlines(ranks[of], table["lower"][of], table["upper"][of], color=colour, linewidth=width, alpha=0.35)
            axes.plot(
                ranks[of], table["estimate"][of], ".", color=colour, markersize=3, label=canvas.noted(label, of.sum())
            )
    if main is not None:
        axes.plot(
            ranks[main], table["estimate"].iloc[main], "D", color="black", markerfacecolor="white", markersize=6,
            label=say("main specification", "主设定"),
        )  # fmt: skip
    # The widest intervals would flatten all others.
    ends = table[["lower", "upper"]].stack().dropna()
    low, high = ends.quantile([0.01, 0.99]) if len(ends) else (0.0, 0.0)
    low, high = min(low, table["estimate"].min(), 0), max(high, table["estimate"].max(), 0)
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(ylabel, fontsize=8)
    axes.legend(fontsize=7, loc="upper left", ncols=2)


def _draw_choices(axes: Axes, table: pd.DataFrame, classes: np.ndarray, main: int | None, rows: list) -> None:
    """Mark the option of each specification under its estimate, and write each option's median at the right."""
    ranks, width = np.arange(1, len(table) + 1), min(2, 220 / len(table))
    spread = np.ptp(table["estimate"])
    digits = int(np.clip(np.ceil(1.5 - np.log10(spread)), 0, 6)) if spread else 3
    for place, (choice, option, _) in enumerate(rows):
        for name, (_, colour) in SIGNS.items():
            of = (table[choice] == option).to_numpy() & (classes == name)
            axes.vlines(ranks[of], place - 0.36, place + 0.36, color=colour, linewidth=width)
        median = table.loc[table[choice] == option, "estimate"].median()
        axes.text(1.01, place, f"{median:.{digits}f}", transform=axes.get_yaxis_transform(), fontsize=6.5, va="center")
        if place and rows[place - 1][0] != choice:
            axes.axhline(place - 0.5, color=NEUTRAL, linewidth=0.5)
    axes.text(1.01, -1, say("median", "中位数"), transform=axes.get_yaxis_transform(), fontsize=6.5, va="center")
    if main is not None:
        axes.axvline(ranks[main], color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [label for *_, label in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(say("Specifications, sorted by estimate", "按估计值排序的设定"), fontsize=8)
    axes.tick_params(axis="y", labelsize=7, length=0)
    axes.spines[:].set_visible(False)


def specification_curve_plot(
    table: pd.DataFrame,
    choices: Mapping[str, Mapping[str, str]],
    ylabel: str,
    *,
    main: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    p_value: str = "p_value",
    title: str | None = None,
) -> Figure:
    """Draw estimates with their intervals, sorted, and under each the choices that made it (设定曲线).

    Parameters
    ----------
    table : DataFrame
        One row a specification: a column for each choice, ``estimate``, ``lower``, ``upper`` and p values.
    choices : mapping of str to mapping of str to str
        Of each choice its options with the labels shown; options without a row are left out.
    ylabel, title : str
    main : mapping of str to str, optional
        The option of each choice in the specification that is marked.
    alpha : float
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
    alpha = check_level(alpha, "alpha")
    check_texts(p_value=p_value)
    options = canvas.check_mapping(choices, "choices")
    if isinstance(table, pd.DataFrame) and table.empty:
        raise InvalidInputError("no specification to draw")
    drawn = canvas.check_table(table, [*_INTERVAL, p_value])
    _check_choices(drawn, options)
    if drawn["estimate"].isna().any():
        raise InvalidInputError("table: a specification has no estimate; leave it out")
    table = drawn.sort_values("estimate", kind="stable").reset_index(drop=True)
    place = _place_of(table, main) if main is not None else None
    rows = [
        (choice, option, label)
        for choice, labels in options.items()
        for option, label in canvas.check_mapping(labels, f"options of {choice}").items()
        if (table[choice] == option).any()
    ]
    if not rows:
        raise InvalidInputError("no specification was made by any of these options")
    sign = np.where(table["estimate"] > 0, "positive", "negative")
    classes = np.where(table[p_value] <= alpha, sign, "neither")
    heights = (3.0, 0.5 + 0.155 * len(rows))
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.4, sum(heights)), sharex=True, height_ratios=heights)
    _draw_curve(above, table, classes, place, ylabel)
    _draw_choices(below, table, classes, place, rows)
    above.set(title=title)
    above.tick_params(labelsize=7.5)
    below.tick_params(axis="x", labelsize=7.5)
    above.margins(x=0.01)
    return figure


def _check_choices(table: pd.DataFrame, choices: Mapping[str, Any]) -> None:
    for choice in choices:
        if choice not in table.columns:
            raise UnknownNameError("choice", choice, table.columns)


def _place_of(table: pd.DataFrame, main: Mapping[str, str]) -> int:
    _check_choices(table, canvas.check_mapping(main, "options of the main specification"))
    found = np.flatnonzero((table[list(main)] == pd.Series(main)).all(axis=1))
    if len(found) != 1:
        raise InvalidInputError(f"{len(found)} specifications with {dict(main)}: expected one to mark")
    return int(found[0])


def curve_comparison(
    panels: Mapping[str, Mapping[str, pd.Series]],
    ylabel: str,
    bands: Mapping[str, pd.DataFrame] | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """Draw several sorted curves of estimates in each panel, over what samples without an effect give (设定曲线比较).

    Parameters
    ----------
    panels : mapping of str to mapping of str to Series
        By the panel's heading, then by label: estimates in any order; each curve is sorted by itself and drawn over
        its ranks from 0 to 100 %.
    ylabel, title : str
    bands : mapping of str to DataFrame, optional
        By heading: ``lower`` and ``upper`` by rank, as of
        :meth:`clusterlib.specification_curve.SpecificationCurve.null_band`.

    Raises
    ------
    InvalidInputError
        If there is no panel, or one has no curve or more than can be told apart.
    """
    curves = {
        heading: {label: canvas.as_drawn(values, f"curve {label!r}").dropna() for label, values in series.items()}
        for heading, series in _check_series(panels, len(LINES), "curves").items()
    }
    checked = {} if bands is None else canvas.check_tables(bands, ["lower", "upper"], "bands", least=0)
    figure, all_axes = canvas.panel_row(curves, 3.2, title)
    for axes, (heading, series) in zip(all_axes, curves.items(), strict=True):
        axes.axhline(0, color=NEUTRAL, linewidth=0.8)
        if heading in checked:
            band = checked[heading]
            axes.fill_between(
                _percent(len(band)), band["lower"], band["upper"], color=_BAND, linewidth=0,
                label=say("95 % without an effect", "无效应时的95%范围"),
            )  # fmt: skip
        for i, (label, values) in enumerate(series.items()):
            axes.plot(
                _percent(len(values)), np.sort(values), LINES[i], color=SERIES_COLOURS[i], linewidth=1.6, label=label
            )
        axes.set_xlabel(say("Rank (%)", "名次（%）"), fontsize=8)
    all_axes[0].set_ylabel(ylabel, fontsize=8)
    canvas.legend_below(figure, all_axes[0])
    return figure


def _percent(count: int) -> np.ndarray:
    """Ranks in percent, those of one curve spread over the whole axis."""
    return 100 * (np.arange(count) + 0.5) / count

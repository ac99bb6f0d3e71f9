"""What the panels can be relied on for: coverage, accounting identities, jumps (数据审计)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_floats,
    as_names,
    check_columns,
    check_frame,
    check_index,
    check_number,
    parse_years,
)
from clusterlib.errors import InvalidInputError

__all__ = ["coverage", "decimal_slips", "growth_jumps", "identity_gaps"]


def __dir__() -> list[str]:
    return __all__


def coverage(panel: pd.DataFrame, units: Iterable | None = None, years: Iterable[int] | None = None) -> pd.DataFrame:
    """Share of units that have a figure, by indicator and year (覆盖率).

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year), one column an indicator.
    units, years : iterable, optional
        What a complete panel would hold; by default the units and years of ``panel``.

    Returns
    -------
    DataFrame, shape (indicators, years)
        Percent.

    Raises
    ------
    InvalidInputError
        For a frame that is no panel, or no units or years.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"])
    >>> coverage(pd.DataFrame({"gdp": [1.0, 2.0, None, 4.0]}, index=index)).loc["gdp"].tolist()
    [50.0, 100.0]
    """
    index = check_index(check_frame(panel))
    wanted = parse_years(years)
    span = range(wanted[0], wanted[1] + 1) if isinstance(wanted, tuple) else wanted or sorted(index.unique(1))
    if isinstance(units, (str, Mapping)) or not isinstance(units, Iterable | None):
        raise InvalidInputError(f"units: expected a list of units, got a {type(units).__name__}")
    whole = index.unique(0) if units is None else pd.Index(list(units))
    if not len(whole):
        raise InvalidInputError("units: expected at least one")
    present = panel[index.get_level_values(0).isin(whole)].notna().groupby(level=1).sum()
    return (100 * present.reindex(span, fill_value=0) / len(whole)).T


def _numbers(panel: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    # A column without any figure is of no kind yet.
    panel = panel.astype(dict.fromkeys(panel.columns[panel.isna().all()], float))
    return as_floats(panel, check_columns(panel, names, "indicator"))


def identity_gaps(panel: pd.DataFrame, identities: Mapping[str, str | Iterable[str]]) -> pd.DataFrame:
    r"""How far the parts of each total are from it (核算恒等式).

    .. math:: g_{it} = 100 \left| \sum_k x_{itk} - X_{it} \right| / X_{it}

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year).
    identities : mapping of str to iterable of str
        The parts of each total, all columns of ``panel``.

    Returns
    -------
    DataFrame
        By total: ``cells`` compared, ``median`` and ``largest`` gap in percent, and the unit and year of the largest.

    Raises
    ------
    InvalidInputError
        For a frame that is no panel of numbers, or identities that are no mapping.
    UnknownNameError
        If a total or a part is not a column.
    """
    check_index(check_frame(panel))
    if not isinstance(identities, Mapping):
        raise InvalidInputError(f"identities: expected the parts of each total, got a {type(identities).__name__}")
    rows = {}
    for total, given in identities.items():
        parts = as_names(given, "parts")
        complete = _numbers(panel, [total, *parts]).dropna()
        difference = (complete[parts].sum(axis=1) - complete[total]).abs()
        # A total of nil that its parts agree on is no gap.
        gap = (100 * difference / complete[total].abs()).where(difference > 0, 0.0)
        unit, year = gap.idxmax() if len(gap) else (None, None)
        rows[total] = {
            "parts": " + ".join(parts),
            "cells": len(gap),
            "median": gap.median(),
            "largest": gap.max(),
            "unit": unit,
            "year": year,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("total")


def _beside(panel: pd.DataFrame, step: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a panel in order, and of each figure that of the year before (1) or after (-1) if it is positive."""
    check_index(check_frame(panel))
    panel = _numbers(panel, list(panel.columns)).sort_index()
    years = pd.Series(panel.index.get_level_values(1), index=panel.index)
    if not pd.api.types.is_numeric_dtype(years.dtype):
        raise InvalidInputError(f"expected years as whole numbers in the index, got {years.dtype}")
    adjacent = years.groupby(level=0).diff(step).eq(step)
    return panel, panel.groupby(level=0).shift(step).where(adjacent, axis=0).where(lambda x: x > 0)


def growth_jumps(panel: pd.DataFrame, limit: float = 0.6, spread: float | None = None) -> pd.DataFrame:
    r"""Year-on-year changes by more than a factor of ``1 + limit``, up or down (异常跳变).

    With ``spread``, changes are judged by those of the panel: of the growth :math:`g_{it} = \ln x_{it} - \ln x_{i,t-1}`
    the median of its year is taken out, and what is left must also be more than ``spread`` robust standard deviations:
    1.4826 times the median absolute deviation, the greatest of those of the whole panel, the unit and the year.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); only adjacent years are compared and only positive figures.
    limit : float
        0.6 finds growth above 60 % and its mirror, a fall below 1 / 1.6.
    spread : float, optional
        Without it, or with fewer than eight changes of an indicator, ``limit`` alone decides.

    Returns
    -------
    DataFrame
        One row a jump, the largest first: unit, year, ``indicator``, ``before``, ``after``, ``ratio``.

    Raises
    ------
    InvalidInputError
        If ``limit`` or ``spread`` is not positive, or the frame is no panel of numbers.
    """
    check_number("limit", limit, least=0, open_ends=True)
    panel, before = _beside(panel, 1)
    change = panel.where(panel > 0) / before
    if spread is not None:
        check_number("spread", spread, least=0, open_ends=True)
        change = change.where(_unlike_others(change.transform(np.log), spread, float(np.log(1 + limit))))
    ratio = change.rename_axis("indicator", axis=1).stack()
    jumps = ratio[np.abs(np.log(ratio)) > np.log(1 + limit)]
    order = np.abs(np.log(jumps)).sort_values(ascending=False, kind="stable").index
    table = pd.DataFrame(
        {
            "before": before.rename_axis("indicator", axis=1).stack().reindex(order),
            "after": panel.rename_axis("indicator", axis=1).stack().reindex(order),
            "ratio": jumps.reindex(order),
        }
    )
    return table.reset_index()


def _unlike_others(growth: pd.DataFrame, spread: float, limit: float) -> pd.DataFrame:
    """Whether growth stands out of that of its year, by the spread of all units and of its own; few changes all do."""
    rest = growth - growth.groupby(level=1).transform("median")
    # A unit alone in its year would be its own median.
    rest = rest.where(growth.notna().groupby(level=1).transform("sum") >= 5, growth - growth.median())
    size = rest.abs()
    of_unit, of_year = (size.groupby(level=level).transform("median") for level in (0, 1))
    scale = of_unit.where(of_unit > of_year, of_year).clip(lower=size.median(), axis=1)
    return (size > (spread * 1.4826 * scale).clip(lower=limit)) | (growth.count() < 8)


def decimal_slips(panel: pd.DataFrame, slack: float = 0.5) -> pd.DataFrame:
    r"""Figures that are about ten times, or a tenth of, both the year before and the year after (疑似小数点错位).

    The decimal point may have slipped. A figure that stays at its new size is none of these, however far it jumps, nor
    is one of a unit's first or last year, which has one neighbour.

    .. math:: \frac{10}{1+s} \le \frac{x_t}{x_{t-1}}, \frac{x_t}{x_{t+1}} \le 10\,(1+s),
        \quad\text{or both with the ratios turned over}

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); only adjacent years are compared and only positive figures.
    slack : float
        How far from ten both ratios may be, as figures grow from year to year; 0.5 takes 6.7 to 15.

    Returns
    -------
    DataFrame
        One row a figure: unit, year, ``indicator``, ``before``, ``value``, ``after``.

    Raises
    ------
    InvalidInputError
        If ``slack`` is not from 0 to 1, or the frame is no panel of numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[110000], [2020, 2021, 2022]], names=["adcode", "year"])
    >>> decimal_slips(pd.DataFrame({"gdp": [3.1, 33.0, 3.4]}, index=index))["year"].tolist()
    [2021]
    """
    check_number("slack", slack, least=0, most=1)
    (panel, before), (_, after) = _beside(panel, 1), _beside(panel, -1)
    sizes = [np.log10((panel.where(panel > 0) / other).to_numpy()) for other in (before, after)]
    near = [np.all([np.abs(size - ten) <= np.log10(1 + slack) for size in sizes], axis=0) for ten in (1, -1)]
    found = {
        name: frame.where(near[0] | near[1]) for name, frame in (("before", before), ("value", panel), ("after", after))
    }
    table = pd.DataFrame({name: frame.rename_axis("indicator", axis=1).stack() for name, frame in found.items()})
    return table.dropna().reset_index()


def interpolated_runs(panel: pd.DataFrame, expected: float = 0.01) -> pd.DataFrame:
    r"""Figures on a line or a curve of constant growth, beyond what chance and rounding give (疑似插值).

    A figure is straight if :math:`|x_{t-1} - 2 x_t + x_{t+1}|` is within the rounding of the three, of levels (equal
    steps, 等差) or of logarithms (equal growth, 等比). How likely that is by chance follows from a normal density of
    low standard deviation: the lower quartile over units of the median second difference, relative to the figure; where
    most units are straight, or fewer than five, a tenth of the step. Runs of four figures or more are returned of which
    no more than ``expected`` are expected by chance among all figures of the indicator; and midpoints (插补中点) of a
    year of which there are more than in ``expected`` such years by the binomial distribution, with the greatest of that
    chance, the share in other years, and what the number of figures that nearly are midpoints leads to expect.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); figures as they are printed, since their last digits tell how they are rounded.
    expected : float
        How many false runs, and years of false midpoints, are expected of an indicator.

    Returns
    -------
    DataFrame
        One row a run: unit, ``indicator``, ``first`` and ``last`` year, ``figures``, ``kind`` ("same", "step" or
        "growth"; of single midpoints "midpoint" or "geometric midpoint"), ``pace`` (the step, or growth in percent)
        and ``units``, how many have a midpoint in that year.

    Raises
    ------
    InvalidInputError
        If ``expected`` is not positive, or the frame is no panel of numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[110000], range(2015, 2021)], names=["adcode", "year"])
    >>> gdp = [312.44, 331.52, 350.6, 369.68, 388.76, 421.3]
    >>> interpolated_runs(pd.DataFrame({"gdp": gdp}, index=index))["last"].tolist()
    [2019]
    """
    check_number("expected", expected, least=0, open_ends=True)
    index = check_index(check_frame(panel))
    panel = _numbers(panel, list(panel.columns))
    rows = []
    for name in panel.columns:
        wide = panel[name].unstack()
        wide = wide.reindex(columns=range(wide.columns.min(), wide.columns.max() + 1)) if len(wide) else wide
        if wide.shape[1] > 2:
            with np.errstate(divide="ignore", invalid="ignore"):
                found = _straight(wide.to_numpy(), expected)
            years = wide.columns.to_numpy()
            rows += [(wide.index[i], name, years[t], years[t + n - 1], n, *rest) for i, t, n, *rest in found]
    return pd.DataFrame(rows, columns=[index.names[0], "indicator", *"first last figures kind pace units".split()])


def last_digits(values: np.ndarray) -> np.ndarray:
    """Return the power of ten of the last digit of figures, from 12 to -12, missing for nought (末位数字的位次)."""
    ends = np.full(np.shape(values), np.nan)
    for power in range(-12, 13):
        rest = np.abs(values - np.round(values / 10.0**power) * 10.0**power)
        # Binary rounding is no digit.
        ends[(rest <= 1e-13 * np.abs(values)) & (values != 0)] = power
    return ends


def _straight(levels: np.ndarray, expected: float) -> list[tuple]:
    """Return unit, first column, figures, kind, pace and units of runs and midpoints in units by years."""
    ends = last_digits(levels)
    # Of three figures the one with the most digits tells how they are rounded.
    half = 0.5 * 10.0 ** np.fmin(np.fmin(ends[:, :-2], ends[:, 1:-1]), ends[:, 2:])
    found, told = list[tuple](), np.zeros(levels.shape, bool)
    for kind in ("step", "growth"):
        x, size = (levels, 1.0) if kind == "step" else (np.log(np.where(levels > 0, levels, np.nan)), levels)
        error = [half / (size if kind == "step" else size[:, k : k + half.shape[1]]) for k in range(3)]
        bend = np.abs(x[:, :-2] - 2 * x[:, 1:-1] + x[:, 2:])
        slack = 2 * error[1] + 1e-12 * np.abs(x[:, 1:-1])
        of_runs = slack + error[0] + error[2]
        size = np.abs(x[:, 1:-1]) if kind == "step" else np.ones_like(bend)
        scale = _usual_bend(bend / size, of_runs / size) * size
        scale = np.where(np.isfinite(scale), scale, 0.05 * np.abs(x[:, 2:] - x[:, :-2]))
        for i, t, n in _runs(
            bend <= of_runs, _chance(of_runs, scale), np.log(expected / max(np.isfinite(bend).sum(), 1))
        ):
            first, last = levels[i, [t, t + n - 1]]
            pace = (last - first) / (n - 1) if kind == "step" else 100 * ((last / first) ** (1 / (n - 1)) - 1)
            if not told[i, t : t + n].all():
                found.append((i, t, n, "same" if first == last else kind, pace, 1))
            told[i, t : t + n] = True
        for t in _crowded(bend, slack, np.where(np.isfinite(bend), _chance(slack, scale), np.nan), expected):
            straight = bend[:, t] <= slack[:, t]
            units = np.flatnonzero(straight & ~told[:, t + 1])
            name = "midpoint" if kind == "step" else "geometric midpoint"
            found += [(i, t, 3, name, np.nan, int(straight.sum())) for i in units]
            told[units, t + 1] = True
    return found


def _usual_bend(bend: np.ndarray, slack: np.ndarray) -> float:
    """Return a low standard deviation of second differences, of units that are not straight; missing if most are."""
    have = np.isfinite(bend) & np.isfinite(slack)
    bend, slack, lines = np.where(have, bend, np.nan), np.where(have, slack, np.nan), have.any(axis=1)
    if lines.sum() < 5:
        return np.nan
    middles = np.nanmedian(bend[lines], axis=1)
    bent = middles > np.nanmedian(slack[lines], axis=1)
    return np.quantile(middles[bent], 0.25) / 0.6745 if bent.mean() >= 0.5 else np.nan


def _chance(slack: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return how likely a second difference is within its slack by chance."""
    return np.clip(np.nan_to_num(2 * slack / (np.sqrt(2 * np.pi) * scale), nan=1.0, posinf=1.0), 1e-12, 1.0)


def _runs(straight: np.ndarray, chance: np.ndarray, least: float) -> list[tuple[int, int, int]]:
    """Return row, first column and figures of runs that are less likely than ``least``, a logarithm."""
    # A last column that is not straight parts the units.
    ids = np.cumsum(~np.pad(straight, ((0, 0), (0, 1)))).reshape(len(straight), -1)[:, :-1][straight]
    runs, begin, of = np.unique(ids, return_index=True, return_inverse=True)
    length, log = np.bincount(of, minlength=len(runs)), np.bincount(of, np.log(chance[straight]), len(runs))
    rows, columns = np.nonzero(straight)
    chosen = (length > 1) & (log < least)
    return list(zip(rows[begin][chosen], columns[begin][chosen], length[chosen] + 2, strict=True))


def _crowded(bend: np.ndarray, slack: np.ndarray, chance: np.ndarray, expected: float) -> np.ndarray:
    """Return the columns with more midpoints than chance, the other columns and those that are nearly one explain."""
    from scipy.special import bdtrc

    straight, near = bend <= slack, (bend > slack) & (bend <= 3 * slack)
    count, cases = straight.sum(axis=0), np.isfinite(bend).sum(axis=0)
    # Of seven steps of the last digit beside a midpoint three are within its rounding.
    explained = 0.75 * near.sum(axis=0) + 1, np.nansum(chance, axis=0)
    others = (count.sum() - count + 1) / (cases.sum() - cases + 2)
    p = np.maximum(np.maximum(*explained) / np.maximum(cases, 1), others)
    # Figures of so few digits that midpoints are common tell nothing.
    tail = bdtrc(count - 1.0, np.maximum(cases, count), np.minimum(p, 1)) * len(count)
    return np.flatnonzero((count >= 3) & (p <= 0.2) & (tail < expected))

"""What the panels can be relied on for: coverage, accounting identities, jumps (数据审计)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

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


def _beside(panel: pd.DataFrame, step: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a panel in order, and of each figure that of the year before (1) or after (-1) if it is positive."""
    check_index(check_frame(panel))
    panel = _numbers(panel, list(panel.columns)).sort_index()
    units, years = pd.factorize(panel.index.get_level_values(0))[0], panel.index.get_level_values(1)
    if not pd.api.types.is_numeric_dtype(years.dtype):
        raise InvalidInputError(f"expected years as whole numbers in the index, got {years.dtype}")
    years, values = years.to_numpy(), np.roll(panel.to_numpy(float), step, axis=0)
    adjacent = (np.roll(units, step) == units) & (years - np.roll(years, step) == step)
    return panel, np.where(adjacent[:, None] & (values > 0), values, np.nan)


def _cells(panel: pd.DataFrame, chosen: np.ndarray, order: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    """Return the chosen cells of a panel, a row each, with what the columns say of them."""
    rows, names = (places[order] for places in np.nonzero(chosen))
    table = panel.index[rows].to_frame(index=False).assign(indicator=panel.columns[names])
    return table.assign(**{name: values[rows, names] for name, values in columns.items()})


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
    after = panel.to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(after > 0, after / before, np.nan)
    growth = np.log(ratio)
    jumps = np.abs(growth) > np.log(1 + limit)
    if spread is not None:
        check_number("spread", spread, least=0, open_ends=True)
        jumps &= _unlike_others(panel.index, growth, spread)
    order = np.argsort(-np.abs(growth[jumps]), kind="stable")
    return _cells(panel, jumps, order, before=before, after=after, ratio=ratio)


def _unlike_others(index: pd.Index, growth: np.ndarray, spread: float) -> np.ndarray:
    """Whether growth stands out of that of its year, by the spread of all units and of its own; few changes all do."""
    units, years = (pd.factorize(index.get_level_values(level))[0] for level in (0, 1))
    unlike = np.ones(growth.shape, bool)
    for k in range(growth.shape[1]):
        wide = np.full((max(units) + 1, max(years) + 1), np.nan)
        wide[units, years] = growth[:, k]
        have = np.isfinite(wide)
        if have.sum() < 8:
            continue
        # A unit alone in its year would be its own median.
        middle = np.where(have.sum(axis=0) >= 5, _medians(wide.T), np.median(wide[have]))
        size = np.abs(wide - middle)
        scale = np.fmax(np.fmax(_medians(size)[:, None], _medians(size.T)), np.median(size[have]))
        unlike[:, k] = (size > spread * 1.4826 * scale)[units, years]
    return unlike


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
    value = panel.to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.log10(np.where(value > 0, value, np.nan) / np.stack([before, after]))
    near = [np.all(np.abs(sizes - ten) <= np.log10(1 + slack), axis=0) for ten in (1, -1)]
    found = near[0] | near[1]
    return _cells(panel, found, np.arange(found.sum()), before=before, value=value, after=after)


def interpolated_runs(panel: pd.DataFrame, expected: float = 0.01) -> pd.DataFrame:
    r"""Figures on a line or a curve of constant growth, beyond what chance and rounding give (疑似插值).

    A figure is straight if :math:`|x_{t-1} - 2 x_t + x_{t+1}|` is within the rounding of the three, of levels (equal
    steps, 等差) or of logarithms (equal growth, 等比). How likely that is by chance follows from a normal density of
    low standard deviation: the 5 % quantile over units of the median second difference, relative to the figure; where
    most units are straight, or fewer than five, a tenth of the step. That a figure stays, to a ten-thousandth, is as
    likely as in other units and as its last digit is large beside usual changes, so that a stock that often stays is
    none. Runs of four figures or more are returned of which no more than ``expected`` are expected by chance among all
    figures of the indicator.

    Midpoints (插补中点) are judged by the digits printed: rounded to :math:`u`, three of the :math:`2K + 1` second
    differences from :math:`-Ku` to :math:`Ku` are a midpoint. Up to half the unit's usual one all are about as likely,
    and of fewer than seven nothing can be told. Those of a year are returned if more than ``expected`` such years are
    not, by the binomial distribution given how many are within that band.

    Of panels of random walks, whole or with decimals, 0 to 2 % have a run or midpoints
    (``benchmarks/monte_carlo_interpolation.py``).

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
        and ``units``, how many have such a midpoint in that year.

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
        given = wide.columns.to_numpy(int)
        years = np.arange(given[0], given[-1] + 1) if len(given) else given
        if len(years) > 2:
            with np.errstate(divide="ignore", invalid="ignore"):
                found = _unlikely_runs(wide.reindex(columns=years).to_numpy(float), expected)
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


class _Run(NamedTuple):
    """Row, first column and number of figures of a run in units by years, and what it is."""

    unit: int
    first: int
    figures: int
    kind: str
    pace: float
    units: int = 1


def _unlikely_runs(levels: np.ndarray, expected: float) -> list[_Run]:
    """Return the runs and midpoints in units by years."""
    found, told = list[_Run](), np.zeros(levels.shape, bool)
    change = np.diff(levels, axis=1)
    stays = (np.abs(change) <= 1e-4 * np.abs(levels[:, 1:])) & (levels[:, 1:] != 0)
    cases = np.isfinite(change).sum(axis=1, keepdims=True)
    others = [count.sum() - count for count in (stays.sum(axis=1, keepdims=True), cases)]
    ends = last_digits(levels)
    size = np.abs(levels[:, 1:])
    # Where most units seldom change, or are few, a figure that stays tells nothing.
    usual = np.nan_to_num(_low(_medians(np.abs(change) / size)))
    of_digit = 10.0 ** np.fmin(ends[:, :-1], ends[:, 1:]) / (usual * size)
    chance = np.fmax((others[0] + 1) / (others[1] + 2), of_digit).clip(max=1.0)
    for i, t, n in _runs(stays, chance, 3, expected / max(cases.sum(), 1)):
        found.append(_Run(i, t, n + 1, "same", 0.0))
        told[i, t : t + n + 1] = True
    moves = ~(stays[:, :-1] & stays[:, 1:])
    # Of three figures the one with the most digits tells how they are rounded.
    half = 0.5 * 10.0 ** np.fmin(np.fmin(ends[:, :-2], ends[:, 1:-1]), ends[:, 2:])
    for kind in ("step", "growth"):
        x = levels if kind == "step" else np.log(np.where(levels > 0, levels, np.nan))
        bend = np.abs(x[:, :-2] - 2 * x[:, 1:-1] + x[:, 2:])
        error = [half / (1.0 if kind == "step" else levels[:, k : k + half.shape[1]]) for k in range(3)]
        slack = 2 * error[1] + 1e-12 * np.abs(x[:, 1:-1])
        of_runs = slack + error[0] + error[2]
        size = np.abs(x[:, 1:-1]) if kind == "step" else np.ones_like(bend)
        usual = _medians(bend / size)
        scale = _low(usual, _medians(of_runs / size)) / 0.6745 * size
        scale = np.where(np.isfinite(scale), scale, 0.05 * np.abs(x[:, 2:] - x[:, :-2]))
        # A whole number of last digits is within its slack from half a digit further on.
        chance = (2 * of_runs + slack) / (np.sqrt(2 * np.pi) * scale)
        chance = np.nan_to_num(chance, nan=1.0, posinf=1.0).clip(1e-12, 1.0)
        for i, t, n in _runs((bend <= of_runs) & moves, chance, 2, expected / max(np.isfinite(bend).sum(), 1)):
            first, last = levels[i, [t, t + n + 1]]
            pace = (last - first) / (n + 1) if kind == "step" else 100 * ((last / first) ** (1 / (n + 1)) - 1)
            if not told[i, t : t + n + 2].all():
                found.append(_Run(i, t, n + 2, kind, float(pace)))
            told[i, t : t + n + 2] = True
        midpoint = _midpoints(
            np.where(moves & ~told[:, 1:-1], bend / slack, np.nan), usual[:, None] * size / slack, expected
        )
        name = "midpoint" if kind == "step" else "geometric midpoint"
        units = midpoint.sum(axis=0)
        found += [_Run(int(i), int(t), 3, name, np.nan, int(units[t])) for i, t in np.argwhere(midpoint)]
        told[:, 1:-1] |= midpoint
    return found


def _medians(x: np.ndarray) -> np.ndarray:
    """Return the median of each row, missing where it has no figure."""
    middles, lines = np.full(len(x), np.nan), np.isfinite(x).any(axis=1)
    middles[lines] = np.nanmedian(np.where(np.isfinite(x[lines]), x[lines], np.nan), axis=1)
    return middles


def _low(medians: np.ndarray, slack: np.ndarray | float = 0.0) -> float:
    """Return a low median of units, of those beyond their slack; missing if these are few."""
    known = np.isfinite(medians)
    beyond = medians[known & (medians > slack)]
    return float(np.quantile(beyond, 0.05)) if known.sum() >= 5 and 2 * len(beyond) >= known.sum() else np.nan


def _runs(straight: np.ndarray, chance: np.ndarray, shortest: int, least: float) -> list[tuple[int, int, int]]:
    """Return row, first column and length of runs that are less likely than ``least``."""
    # A last column that is not straight parts the units.
    ids = np.cumsum(~np.pad(straight, ((0, 0), (0, 1)))).reshape(len(straight), -1)[:, :-1][straight]
    runs, begin, of = np.unique(ids, return_index=True, return_inverse=True)
    length, log = np.bincount(of, minlength=len(runs)), np.bincount(of, np.log(chance[straight]), len(runs))
    rows, columns = np.nonzero(straight)
    chosen = (length >= shortest) & (log < np.log(least))
    return list(zip(*(part[chosen].tolist() for part in (rows[begin], columns[begin], length)), strict=True))


def _midpoints(bend: np.ndarray, usual: np.ndarray, expected: float) -> np.ndarray:
    """Return midpoints of years with too many of them, from second differences in units of the last digit."""
    from scipy.special import bdtrc

    reach = np.floor(np.minimum(usual / 2, 20))
    within = (bend <= reach) & (reach >= 3)
    straight = within & (bend <= 1)
    count, cases = straight.sum(axis=0), within.sum(axis=0)
    chance = np.where(within, 3 / (2 * reach + 1), 0).sum(axis=0) / np.maximum(cases, 1)
    tail = bdtrc(count - 1.0, np.maximum(cases, 1), chance) * len(count)
    return straight & (count >= 3) & (tail < expected)

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


def growth_jumps(panel: pd.DataFrame, limit: float = 0.6) -> pd.DataFrame:
    """Year-on-year changes by more than a factor of ``1 + limit``, up or down (异常跳变).

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); only adjacent years are compared and only positive figures.
    limit : float
        0.6 finds growth above 60 % and its mirror, a fall below 1 / 1.6.

    Returns
    -------
    DataFrame
        One row a jump, the largest first: unit, year, ``indicator``, ``before``, ``after``, ``ratio``.

    Raises
    ------
    InvalidInputError
        If ``limit`` is not positive, or the frame is no panel of numbers.
    """
    check_number("limit", limit, least=0, open_ends=True)
    panel, before = _beside(panel, 1)
    ratio = (panel.where(panel > 0) / before).rename_axis("indicator", axis=1).stack()
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

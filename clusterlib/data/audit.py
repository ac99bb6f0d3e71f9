"""What the panels can be relied on for: coverage, accounting identities, jumps (数据审计)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError


def coverage(panel: pd.DataFrame, units: Sequence | None = None, years: Sequence[int] | None = None) -> pd.DataFrame:
    """Share of units that have a figure, by indicator and year (覆盖率).

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year), one column an indicator.
    units, years : sequence, optional
        What a complete panel would hold; by default the units and years of ``panel``.

    Returns
    -------
    DataFrame, shape (indicators, years)
        Percent.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([[110000, 120000], [2020, 2021]], names=["adcode", "year"])
    >>> coverage(pd.DataFrame({"gdp": [1.0, 2.0, None, 4.0]}, index=index)).loc["gdp"].tolist()
    [50.0, 100.0]
    """
    unit, year = panel.index.names
    units = panel.index.unique(unit) if units is None else pd.Index(units)
    years = sorted(panel.index.unique(year)) if years is None else list(years)
    inside = panel[panel.index.get_level_values(unit).isin(units)]
    return (100 * inside.notna().groupby(level=year).sum().reindex(years, fill_value=0) / len(units)).T


def identity_gaps(panel: pd.DataFrame, identities: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    r"""How far the parts of each total are from it (核算恒等式).

    .. math:: g_{it} = 100 \left| \sum_k x_{itk} - X_{it} \right| / X_{it}

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year).
    identities : mapping of str to sequence of str
        The parts of each total, all columns of ``panel``.

    Returns
    -------
    DataFrame
        By total: ``cells`` compared, ``median`` and ``largest`` gap in percent, and the unit and year of the largest.

    Raises
    ------
    UnknownNameError
        If a total or a part is not a column.
    """
    rows = {}
    for total, parts in identities.items():
        for name in (total, *parts):
            if name not in panel.columns:
                raise UnknownNameError("indicator", name, panel.columns)
        complete = panel[[total, *parts]].dropna()
        gap = 100 * (complete[list(parts)].sum(axis=1) - complete[total]).abs() / complete[total]
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
        If ``limit`` is not positive.
    """
    if not limit > 0:
        raise InvalidInputError(f"limit={limit}: expected a positive share such as 0.6")
    unit, year = panel.index.names
    panel = panel.sort_index()
    adjacent = panel.index.get_level_values(year).to_series(index=panel.index).groupby(level=unit).diff().eq(1)
    before = panel.groupby(level=unit).shift().where(adjacent, axis=0).where(lambda x: x > 0)
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

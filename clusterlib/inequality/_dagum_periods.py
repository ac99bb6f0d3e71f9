"""Dagum's decomposition period by period, with the change between the first and the last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.inequality._dagum import (
    basic_interval,
    bounds,
    check_draws,
    group_table,
    interval_table,
    pair_positions,
    pair_table,
    part_values,
    permutation_p,
    resampled,
)
from clusterlib.inequality._dagum_parts import Parts, bootstrap_counts, decompose, permuted_codes
from clusterlib.inequality._samples import Sample, check_balanced_panel, check_sample, unit_groups


@dataclass(frozen=True)
class DagumByPeriod:
    """Dagum's decomposition of every period of a panel.

    Attributes
    ----------
    table : DataFrame
        By period: ``total``, ``within``, ``between``, ``transvariation``, their ``<part>_contribution`` in percent and,
        with draws, ``<column>_lower``, ``<column>_upper`` and ``p_between``.
    by_group, by_pair : DataFrame
        As in :class:`DagumGini`, by period and group or pair.
    change : DataFrame
        By column of ``table``: ``first``, ``last`` and ``change``; with draws ``lower`` and ``upper`` of the change,
        from draws that resample the same units in both periods.
    units, draws, seed : int
    level : float
    weighted : bool
    """

    table: pd.DataFrame
    by_group: pd.DataFrame
    by_pair: pd.DataFrame
    change: pd.DataFrame
    units: int
    draws: int
    seed: int
    level: float
    weighted: bool

    def summary(self) -> pd.DataFrame:
        """Return the table by period."""
        return self.table


def dagum_gini_by(
    data: pd.DataFrame,
    value: str,
    groups,
    weights: str | None = None,
    *,
    draws: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> DagumByPeriod:
    """Dagum's decomposition of each period of a balanced panel (分年度 Dagum 基尼系数分解).

    Formulas and conventions are those of :func:`dagum_gini`. Units and their groups stay the same over time, so that
    a change is one of values and not of who is in; the bootstrap draws the same units in every period, so that the
    interval of the change accounts for their persistence.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, period), balanced in ``value``.
    value : str
        Column, not negative.
    groups : str, mapping or Series
        Column of labels, or label by unit.
    weights : str, optional
        Column of positive weights, which may change over time.
    draws, seed, level
        As :func:`dagum_gini`.

    Returns
    -------
    DagumByPeriod

    Raises
    ------
    InvalidInputError
        As :func:`dagum_gini`, for a gap in the panel, and a unit that changes its group.
    UnknownNameError
        If a column does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c", "d"], [2020, 2021]], names=["unit", "year"])
    >>> data = pd.DataFrame({"income": [1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0, 3.0]}, index=index)
    >>> result = dagum_gini_by(data, "income", {"a": "west", "b": "west", "c": "east", "d": "east"})
    >>> result.table["total"].round(3).tolist()
    [0.25, 0.1]
    """
    check_draws(draws, level)
    frame = check_balanced_panel(data, [value] if weights is None else [value, weights])
    labels = unit_groups(frame, groups, data)
    period_name = frame.index.names[1] or "period"
    counts = permutations = None
    if draws:
        codes = pd.factorize(labels)[0]
        seeds = np.random.SeedSequence(seed).spawn(2)
        counts = bootstrap_counts(codes, draws, np.random.default_rng(seeds[0]))
        permutations = permuted_codes(codes, draws, np.random.default_rng(seeds[1]))
    rows, by_group, by_pair, drawn = {}, {}, {}, {}
    for period, part in frame.groupby(level=1):
        part = part.droplevel(1)
        sample = check_sample(part[value], labels, None if weights is None else part[weights])
        one = _period(sample, counts, permutations, level)
        rows[period], by_group[period], by_pair[period], drawn[period] = one
    change = _change(rows, drawn, level)
    return DagumByPeriod(
        pd.DataFrame(rows).T.rename_axis(period_name),
        pd.concat(by_group, names=[period_name]),
        pd.concat(by_pair, names=[period_name]),
        change,
        units=len(labels),
        draws=draws,
        seed=seed,
        level=level,
        weighted=weights is not None,
    )


def _period(sample: Sample, counts, permutations, level: float):
    """Row of the table, tables by group and pair, and the draws of one period."""
    order, k = np.argsort(sample.amounts, kind="stable"), len(sample.names)
    ordered = sample.amounts[order], sample.weights[order], sample.codes[order]
    parts = decompose(ordered[0], ordered[1][None, :], ordered[2], k)
    total = float(parts.total[0])
    row = part_values(parts).iloc[0].to_dict()
    by_group, by_pair = group_table(sample, parts, total), pair_table(sample, parts, total)
    if counts is None:
        return row, by_group, by_pair, None
    drawn = resampled(*ordered, k, counts[:, order])
    intervals = interval_table(parts, drawn, level)
    for name, lower, upper in intervals[["lower", "upper"]].itertuples():
        row |= {f"{name}_lower": lower, f"{name}_upper": upper}
    row["p_between"] = permutation_p(*ordered, k, permutations[:, order])
    richer, poorer = pair_positions(parts)
    return (
        row,
        by_group.assign(**bounds(by_group["gini"], drawn.group_gini, level)),
        by_pair.assign(**bounds(by_pair["G_jh"], drawn.pair_gini[:, richer, poorer], level)),
        drawn,
    )


def _change(rows: dict, drawn: dict[object, Parts | None], level: float) -> pd.DataFrame:
    first, last = min(rows), max(rows)
    table = pd.DataFrame({"first": rows[first], "last": rows[last]}).rename_axis("part")
    names = [name for name in table.index if not name.endswith(("_lower", "_upper")) and name != "p_between"]
    table = table.loc[names].assign(change=lambda t: t["last"] - t["first"])
    if drawn[first] is None:
        return table
    differences = part_values(drawn[last]) - part_values(drawn[first])
    lower, upper = basic_interval(table["change"], differences[names], level)
    return table.assign(lower=lower, upper=upper)

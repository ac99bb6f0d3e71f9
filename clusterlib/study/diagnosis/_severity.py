"""What the measures of all syndromes have in common: a severity with an interval, and what drives it (严重度)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_floats,
    check_bounds,
    check_choice,
    check_columns,
    check_finite,
    check_labels,
    check_level,
    check_units,
    check_whole,
)
from clusterlib.core.results import Result
from clusterlib.core.rows import Later
from clusterlib.errors import InvalidInputError
from clusterlib.study._design import design

# Names in English and Chinese.
SYNDROMES: Mapping[str, tuple[str, str]] = Later(
    lambda: {key: (named.en, named.zh) for key, named in design().syndromes.items()}
)


@dataclass(frozen=True, eq=False)
class Severity(Result):
    """How severe a syndrome is in each unit and year, from 0 (none) to 100 (症候严重度).

    Attributes
    ----------
    syndrome : str
        A key of ``SYNDROMES``.
    table : DataFrame
        Indexed by (unit, year): ``severity``, ``lower``, ``upper``, from 0 (none) to 100; missing where the model does
        not identify it.
    drivers : DataFrame
        Indexed by (unit, year): share of each part in the gap, percent; rows sum to 100, or to 0 without a gap.
    settings : dict
        What made it.
    draws : ndarray or None
        Severities in each draw of the bootstrap, by the rows of ``table``; a draw moves all units together.
    estimates : DataFrame
        Parameters of the model that bear on the syndrome: ``estimate``, ``lower``, ``upper`` by name.
    """

    syndrome: str
    table: pd.DataFrame = field(repr=False)
    drivers: pd.DataFrame = field(repr=False)
    settings: dict = field(default_factory=dict, repr=False)
    draws: np.ndarray | None = field(default=None, repr=False)
    estimates: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    @property
    def title(self) -> str:
        """Which syndrome, and the scale."""
        return f"{' '.join(SYNDROMES.get(self.syndrome, (self.syndrome,)))}: severity from 0 (none) to 100"

    def _shown(self) -> pd.DataFrame:
        return self.table["severity"].unstack()

    def of_region(self, members: Iterable, weights: pd.Series) -> pd.DataFrame:
        r"""Severity of a region as a whole: the weighted mean of its units (区域严重度).

        .. math:: S_{rt} = \sum_{i \in r} w_{it} S_{it} / \sum_{i \in r} w_{it}

        The bounds are percentiles of that mean over the draws. Without draws they are means of the units' bounds: the
        interval then holds if errors of units go together, and is too wide if they do not.

        Parameters
        ----------
        members : iterable
            Units of the region.
        weights : Series
            Size of units, such as GDP, by (unit, year) or by unit.

        Returns
        -------
        DataFrame
            By year: ``severity``, ``lower``, ``upper`` and the number of ``units`` that have one.

        Raises
        ------
        InvalidInputError
            If no member has a severity, or one that has has no weight.
        """
        years, rows, sizes = self._members(members, weights)
        means = pd.DataFrame(_weighted_means(self.table.to_numpy(), rows, sizes), years, self.table.columns)
        if self.draws is not None:
            drawn = _weighted_means(self.draws, rows, sizes).T
            means["lower"], means["upper"] = percentile_bounds(drawn, self.settings["level"], means["severity"])
        return means.assign(units=[len(chosen) for chosen in rows])

    def draws_of_region(self, members: Iterable, weights: pd.Series) -> pd.DataFrame:
        """Return the severity of a region in each draw (columns) by year, as :meth:`of_region`.

        Raises
        ------
        InvalidInputError
            If there are no draws, or as :meth:`of_region`.
        """
        if self.draws is None:
            raise InvalidInputError(f"{self.syndrome}: there are no draws")
        years, rows, sizes = self._members(members, weights)
        return pd.DataFrame(_weighted_means(self.draws, rows, sizes), years)

    def _members(self, members: Iterable, weights: pd.Series) -> tuple[pd.Index, list[np.ndarray], list[np.ndarray]]:
        """Years, and in each the positions of the members that have a severity, and their weights."""
        known = self.table.index.get_level_values(0).isin(as_units(members)) & self.table["severity"].notna().to_numpy()
        inside = self.table.index[known]
        if inside.empty:
            raise InvalidInputError(f"{self.syndrome}: no unit of the region has a severity")
        size = _sizes(weights, inside)
        code, years = pd.factorize(inside.get_level_values(1), sort=True)
        chosen = [code == k for k in range(len(years))]
        years = pd.Index(years, name=inside.names[1])
        return years, [np.flatnonzero(known)[at] for at in chosen], [size[at] for at in chosen]


def _sizes(weights: pd.Series, inside: pd.Index) -> np.ndarray:
    """Return the weight of each row."""
    labels = check_labels(weights, inside, "weights").to_frame("weights")
    size = as_floats(labels, check_columns(labels, ["weights"]))
    check_bounds(size, "units are weighed by their size", open_ends=True)
    return size["weights"].to_numpy()


def _weighted_means(values: np.ndarray, rows: list[np.ndarray], sizes: list[np.ndarray]) -> np.ndarray:
    """Weighted mean of each column of ``values`` over each set of rows."""
    return np.array([size @ values[at] / size.sum() for at, size in zip(rows, sizes, strict=True)])


def percentile_bounds(draws: np.ndarray, level: float, around: Any = None) -> tuple[Any, Any]:
    """Percentile interval of each column of ``draws``, missing draws left out.

    With ``around`` bounds are moved so far that they hold these estimates, which a percentile interval need not.
    """
    if not len(draws):
        return np.full(draws.shape[1:], np.nan), np.full(draws.shape[1:], np.nan)
    tail = 50 * (1 - level)
    # Looking for missing draws column by column takes far longer than looking once.
    percentile = np.nanpercentile if np.isnan(draws).any() else np.percentile
    lower, upper = percentile(draws, [tail, 100 - tail], axis=0)
    return (lower, upper) if around is None else (np.minimum(lower, around), np.maximum(upper, around))


def drawn_severity(
    syndrome: str, severity: pd.Series, drawn: np.ndarray, drivers: pd.DataFrame, settings: dict, widen: bool = False
) -> Severity:
    """Set severities and those of the draws, shape (draws, rows), as a result with percentile bounds.

    ``widen`` makes the bounds hold the severity.
    """
    lower, upper = percentile_bounds(drawn, settings["level"], severity if widen else None)
    table = pd.DataFrame({"severity": severity, "lower": lower, "upper": upper}, severity.index).clip(0, 100)
    return Severity(syndrome, table, drivers, settings, drawn.T if len(drawn) else None)


def shares(gap: pd.DataFrame) -> pd.DataFrame:
    """Return each column's share of the row sum in percent, nil where there is no gap."""
    gap = gap.where(gap > 1e-12, 0.0)
    total = gap.sum(axis=1)
    return 100 * gap.div(total.where(total > 0, 1.0), axis=0)


def logarithms(frame: pd.DataFrame) -> pd.DataFrame:
    """Return logarithms of checked columns.

    Raises
    ------
    InvalidInputError
        For a value that has none, by its place.
    """
    check_bounds(frame, "its logarithm is needed", open_ends=True)
    return frame.apply(np.log)


def distances_between(distance: pd.DataFrame, units: pd.Index) -> pd.DataFrame:
    """Return the distances between units, of which each has one row and one column of finite numbers."""
    found = as_floats(distance, check_columns(distance, list(units), "unit with distances"))
    check_units(found.index, "row of distances")
    found = found.reindex(units)
    check_finite(found, "give the kilometres between all units")
    return found


def bootstrap_settings(draws: Any, seed: Any, level: Any, least: int = 0) -> dict:
    """Return checked settings of a bootstrap by name."""
    return {
        "draws": check_whole("draws", draws, least), "seed": check_whole("seed", seed), "level": check_level(level),
    }  # fmt: skip


def as_units(units: Any, what: str = "units") -> list:
    """Return units as a list.

    Raises
    ------
    InvalidInputError
        For a single name, a mapping, a frame or what is no collection.
    """
    if isinstance(units, (str, Mapping, pd.DataFrame)) or not isinstance(units, Iterable):
        raise InvalidInputError(f"{what}: expected a list of units, got a {type(units).__name__}")
    return list(units)


def as_span(years: Any) -> tuple[int, int]:
    """Return the first and the last year as whole numbers.

    Raises
    ------
    InvalidInputError
        For anything else, or a first year after the last.
    """
    if not isinstance(years, (tuple, list)) or len(years) != 2:
        raise InvalidInputError(f"years={years!r}: expected the first and the last year, as in (2006, 2020)")
    first, last = (check_whole("years", year) for year in years)
    if first > last:
        raise InvalidInputError(f"years={years!r}: the first year is after the last")
    return first, last


def check_year(year: Any, years: Iterable[Any]) -> int:
    """Return a year as a whole number if it is one of these."""
    return check_choice("year", check_whole("year", year), [int(known) for known in years])

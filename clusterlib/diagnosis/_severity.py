"""What the measures of all syndromes have in common: a severity with an interval, and what drives it (严重度)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError

SYNDROMES = MappingProxyType(
    {
        "data_dormancy": ("Data dormancy", "数据沉睡"),
        "architecture_imbalance": ("Architecture imbalance", "架构失衡"),
        "ecosystem_isolation": ("Ecosystem isolation", "生态孤立"),
        "governance_imbalance": ("Governance imbalance", "治理失衡"),
    }
)


@dataclass(frozen=True)
class Severity:
    """How severe a syndrome is in each unit and year.

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
    table: pd.DataFrame
    drivers: pd.DataFrame
    settings: dict = field(default_factory=dict)
    draws: np.ndarray | None = field(default=None, repr=False, compare=False)
    estimates: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def summary(self) -> pd.DataFrame:
        """Return severities, units by years."""
        return self.table["severity"].unstack("year")

    def of_region(self, members, weights: pd.Series) -> pd.DataFrame:
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
            If no member has a severity.
        """
        years, rows, sizes = self._members(members, weights)
        means = pd.DataFrame(_weighted_means(self.table.to_numpy(), rows, sizes), years, self.table.columns)
        if self.draws is not None:
            bounds = percentile_bounds(_weighted_means(self.draws, rows, sizes).T, self.settings["level"])
            # A percentile interval need not hold the estimate that it is about.
            means["lower"] = np.minimum(bounds[0], means["severity"])
            means["upper"] = np.maximum(bounds[1], means["severity"])
        return means.assign(units=[len(chosen) for chosen in rows])

    def draws_of_region(self, members, weights: pd.Series) -> pd.DataFrame:
        """Return the severity of a region in each draw (columns) by year, as :meth:`of_region`.

        Raises
        ------
        InvalidInputError
            If there are no draws, or no member has a severity.
        """
        if self.draws is None:
            raise InvalidInputError(f"{self.syndrome}: there are no draws")
        years, rows, sizes = self._members(members, weights)
        return pd.DataFrame(_weighted_means(self.draws, rows, sizes), years)

    def _members(self, members, weights: pd.Series) -> tuple[pd.Index, list[np.ndarray], list[np.ndarray]]:
        """Years, and in each the positions of the members that have a severity, and their weights."""
        known = self.table.index.get_level_values(0).isin(list(members)) & self.table.notna().all(axis=1).to_numpy()
        inside = self.table.index[known]
        if inside.empty:
            raise InvalidInputError(f"{self.syndrome}: no unit of the region has a severity")
        size = weights.reindex(inside) if weights.index.nlevels == 2 else inside.get_level_values(0).map(weights)
        size = np.asarray(size, float)
        if np.isnan(size).any():
            raise InvalidInputError(f"no weight for {inside[np.isnan(size)][0]}")
        code, years = inside.get_level_values(1).factorize(sort=True)
        chosen = [code == k for k in range(len(years))]
        years = years.rename(inside.names[1])
        return years, [np.flatnonzero(known)[at] for at in chosen], [size[at] for at in chosen]


def _weighted_means(values: np.ndarray, rows: list[np.ndarray], sizes: list[np.ndarray]) -> np.ndarray:
    """Weighted mean of each column of ``values`` over each set of rows."""
    return np.array([size @ values[at] / size.sum() for at, size in zip(rows, sizes, strict=True)])


def percentile_bounds(draws: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of each column of ``draws``, missing draws left out."""
    tail = 50 * (1 - level)
    # Looking for missing draws column by column takes far longer than looking once.
    percentile = np.nanpercentile if np.isnan(draws).any() else np.percentile
    return tuple(percentile(draws, [tail, 100 - tail], axis=0))


def resampled_units(units: pd.Index, draws: int, seed: int) -> list[np.ndarray]:
    """Positions of units drawn with replacement, one array a draw."""
    random = np.random.default_rng(seed)
    return [random.integers(0, len(units), len(units)) for _ in range(draws)]

"""Compare an imported indicator with the shipped one that measures the same, cell by cell (重合比较)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.language import say
from clusterlib.data._columns import KEYS
from clusterlib.data._formulas import formula_inputs
from clusterlib.data._own import shipped_catalogue
from clusterlib.paths import Project

# Figures this near to each other are taken for the same, and how many differing ones are shown.
_NEAR, _SHOWN = 0.01, 10
# A factor is common if it brings this share of the cells this near.
_COMMON, _BROUGHT = 0.9, 0.1


@dataclass(frozen=True)
class Overlap:
    """What two indicators say of the same units and years: ``table`` holds the cells that differ most."""

    indicator: str
    same_as: str
    cells: int
    within: float
    median: float
    largest: float
    power: int
    table: pd.DataFrame = field(repr=False)

    def summary(self) -> str:
        """Return the comparison as text, in the language spoken."""
        if not self.cells:
            return say(
                f"no unit and year in both {self.indicator} and the shipped {self.same_as}",
                f"{self.indicator} 与内置指标 {self.same_as} 没有共同的地区和年份",
            )
        said = say(
            f"{self.cells} cells in both {self.indicator} and the shipped {self.same_as}: {self.within:.1%} within 1%, "
            f"relative difference {self.median:.2%} in the median, {self.largest:.2%} at most",
            f"{self.indicator} 与内置指标 {self.same_as} 有 {self.cells} 个共同单元格：{self.within:.1%} 相差不超过1%，"
            f"相对差异中位数 {self.median:.2%}，最大 {self.largest:.2%}",
        )
        if self.power:
            said += say(
                f"\nthe figures are 10^{self.power} times the shipped ones: is the unit right?",
                f"\n导入数值是内置数值的 10^{self.power} 倍：单位是否正确？",
            )
        rows = [
            say(
                f"  {row.code} {row.year}: {row.own:.12g}, shipped {row.shipped:.12g} ({row.place})",
                f"  {row.code} {row.year}：{row.own:.12g}，内置 {row.shipped:.12g}（{row.place}）",
            )
            for row in self.table.itertuples()
        ]
        return "\n".join([said, *rows])


def compare_with_shipped(facts: pd.DataFrame, level: str, indicator: str, same_as: str, project: Project) -> Overlap:
    """Compare facts, in the unit of the shipped indicator, with its figures.

    Parameters
    ----------
    facts : DataFrame
        The unit's key, ``year`` and ``value``.
    level, indicator, same_as : str
    project : Project

    Returns
    -------
    Overlap
        ``within`` is the share of cells that differ by at most 1 per cent of the shipped figure, ``median`` and
        ``largest`` of the relative differences, ``power`` that of ten by which nearly all differ, else 0.
    """
    (key,) = KEYS[level]
    panel = pd.read_parquet(project.processed / f"{level}.parquet", columns=[same_as])[same_as].dropna()
    shipped = panel.rename("shipped").rename_axis(["code", "year"]).reset_index()
    own = facts.rename(columns={key: "code", "value": "own"})[["code", "year", "own"]]
    both = own.merge(shipped, on=["code", "year"])
    both["difference"] = _relative(both["own"], both["shipped"])
    table = both.sort_values("difference", ascending=False, kind="stable").head(_SHOWN)
    table = table[table["difference"] > 0].reset_index(drop=True)
    places = _places(table, level, same_as, project)
    if both.empty:
        return Overlap(indicator, same_as, 0, np.nan, np.nan, np.nan, 0, table.assign(place=places))
    difference = both["difference"]
    return Overlap(
        indicator,
        same_as,
        len(both),
        float((difference <= _NEAR).mean()),
        float(difference.median()),
        float(difference.max()),
        _power(both),
        table.assign(place=places),
    )


def _relative(own: pd.Series, shipped: pd.Series) -> pd.Series:
    gap = (own - shipped).abs()
    # Nought against another figure differs without bound, nought against nought not at all.
    return gap.where(gap == 0, gap / shipped.abs())


def _power(both: pd.DataFrame) -> int:
    ratio = (both["own"] / both["shipped"]).replace([np.inf, 0], np.nan).dropna()
    ratio = ratio[ratio > 0]
    if ratio.empty:
        return 0
    power = round(float(np.median(np.log10(ratio))))
    brought = _relative(both["own"] / 10.0**power, both["shipped"]) <= _BROUGHT
    return power if brought.mean() >= _COMMON else 0


def _places(table: pd.DataFrame, level: str, same_as: str, project: Project) -> list[str]:
    """Return file and line of the shipped facts behind each cell; those of its inputs for a derived indicator."""
    (key,) = KEYS[level]
    names = formula_inputs(str(shipped_catalogue(project).loc[(level, same_as), "formula"])) or [same_as]
    facts = pd.read_parquet(project.processed / f"{level}_facts.parquet", filters=[("indicator", "in", names)])
    facts = facts[
        pd.MultiIndex.from_frame(facts[[key, "year"]]).isin(pd.MultiIndex.from_frame(table[["code", "year"]]))
    ]
    found: dict[tuple, list[str]] = {}
    for unit, year, file, line in facts[[key, "year", "file", "line"]].itertuples(index=False):
        found.setdefault((unit, year), []).append(f"{file}:{line}")
    return ["; ".join(found.get((row.code, row.year), [])) for row in table.itertuples()]

"""The codes that names in a sheet stand for, and rows of a yearbook that are no unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from clusterlib.data._crosswalk import resolve_units
from clusterlib.data._load import load_units
from clusterlib.data._sheets._cells import _MARK, CHINESE, plain

LEVELS = ("province", "city", "county")
_GROUP = re.compile(
    r"(?:全国|全省|全市|中国|国家)(?:总?计|合计|平均)?|[总合小]计|平均|(?:东部?|中部?|西部?|东北|华北|华东|华中|华南|西南|西北|沿海|内陆|其他|其它)"
    r"(?:部?地区|部)?(?:合计|小计)?|(?:东|中|西)部|京津冀|长三角|珠三角|粤港澳大湾区|地级及以上城市|县级市|不分地区|.*(?:地区|区域)(?:合计|小计)"
    r"|(?:national )?total|china|nation(?:al)?|whole country"
    r"|(?:eastern|central|western|northeastern|northeast)(?: region)?",
    re.IGNORECASE,
)


# The year from which names of units are known.
_FIRST_YEAR = 1980


class Found(NamedTuple):
    """What a name stands for at one level: ``rank`` is 0 if nothing, then merged, former, and a unit of today."""

    rank: int
    code: object
    status: str
    change: str
    nearest: str


def clean_name(cell: object) -> str:
    """Return the name that a cell gives, without spaces, footnote marks and a translation beside it."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = plain(_MARK.sub("", str(cell)))
    if CHINESE.search(text):
        return re.sub(r"[^\u3400-\u9fff]", "", re.sub(r"\([^)]*\)", "", text))
    return re.sub(r"(?<=^\d{6})0{6}$", "", text)


def is_group(cell: object) -> bool:
    """Whether a row's name is that of the nation, a group of units or a sum."""
    return _GROUP.fullmatch(clean_name(cell)) is not None


def find(names: list[str], level: str, year: int | None = None, within: list[str] | None = None) -> list[Found]:
    """Return what clean names stand for at a level, in their order."""
    if level == "economy":
        economies = load_units(level)[["name_zh", "name_en"]]
        lines: Iterator[Any] = economies.itertuples()
        known = {str(word).casefold(): line[0] for line in lines for word in line}
        codes = [known.get(name.casefold()) for name in names]
        return [Found(0 if c is None else 3, c, "unknown" if c is None else "exact", "", "") for c in codes]
    when = None if year is None else max(year, _FIRST_YEAR)
    found = []
    rows: Iterator[Any] = resolve_units(names, level, when, within).itertuples(index=False)
    for one in rows:
        code = None if pd.isna(one.code) else one.code
        last = code if code is not None else None if pd.isna(one.code_then) else one.code_then
        # Counties that once stood directly under a province are found among cities as well.
        same = one.level in ("", level) or (level == "city" and (one.level == "province" or str(last)[2:4] == "90"))
        rank = {"unknown": 0, "former": 1 if code is None else 2}.get(one.status, 3) if same else 0
        found.append(Found(rank, code if same else None, one.status if rank else "unknown", one.change, one.nearest))
    return found

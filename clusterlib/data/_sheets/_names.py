"""The codes that names in a sheet stand for, and rows of a yearbook that are no unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from clusterlib.data._load import load_units, unit_names
from clusterlib.data._sheets._cells import _MARK, CHINESE, plain
from clusterlib.errors import UnknownNameError

LEVELS = ("province", "city", "county")
_GROUP = re.compile(
    r"(?:全国|全省|全市|中国|国家)(?:总?计|合计|平均)?|[总合小]计|平均|(?:东部?|中部?|西部?|东北|华北|华东|华中|华南|西南|西北|沿海|内陆|其他|其它)"
    r"(?:部?地区|部)?(?:合计|小计)?|(?:东|中|西)部|京津冀|长三角|珠三角|粤港澳大湾区|地级及以上城市|县级市|不分地区|.*(?:地区|区域)(?:合计|小计)"
    r"|(?:national )?total|china|nation(?:al)?|whole country"
    r"|(?:eastern|central|western|northeastern|northeast)(?: region)?",
    re.IGNORECASE,
)


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


def _lookup(levels: Iterable[str]) -> dict[str, dict[str, object]]:
    everywhere, short = load_units(), unit_names(None, "zh")
    found: dict[str, dict[str, object]] = {}
    for level in levels:
        units = load_units(level) if level == "economy" else everywhere[everywhere["level"] == level]
        if level == "city":
            # The municipalities, Hong Kong and Macao stand as one city each.
            units = pd.concat([everywhere.loc[[110000, 120000, 310000, 500000, 810000, 820000]], units])
        brief = units["name_zh"] if level == "economy" else short.reindex(units.index)
        columns = units["name_zh"], brief, units["name_en"].str.casefold(), units.index.astype(str).str.casefold()
        found[level] = {}
        for column in columns:
            for code, name in zip(units.index, column, strict=True):
                found[level].setdefault(str(name), code)
    return found


def resolve(names: Iterable[object], levels: Iterable[str]) -> dict[str, dict[str, object]]:
    """Return by level the codes of those names that are known there, by the clean name."""
    clean = {clean_name(name) for name in names}
    return {
        level: {name: known[name.casefold()] for name in clean if name.casefold() in known}
        for level, known in _lookup(levels).items()
    }


def near(name: str, level: str) -> str:
    """Return what to say of a name that is not known."""
    valid = [known for known in _lookup([level])[level] if not known.isdigit()]
    return str(UnknownNameError(level, name, valid, "correct the name, or give its code in a column of its own"))

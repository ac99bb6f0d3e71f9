"""The codes that names in a sheet stand for, and rows of a yearbook that are no unit."""

from __future__ import annotations

import re
from typing import NamedTuple

from clusterlib.data._crosswalk import resolve
from clusterlib.data._load import load_units
from clusterlib.data._sheets._cells import CHINESE, plain, unmarked

LEVELS = ("province", "city", "county")
_GROUP = re.compile(
    r"(?:全国|全省|全市|中国|国家)(?:总?计|合计|平均)?|[总合小]计|平均|(?:东部?|中部?|西部?|东北|华北|华东|华中|华南|西南|西北|沿海|内陆|其他|其它)"
    r"(?:部?地区|部)?(?:合计|小计)?|(?:东|中|西)部|京津冀|长三角|珠三角|粤港澳大湾区|地级及以上城市|县级市|不分地区|.*(?:地区|区域)(?:合计|小计)"
    r"|(?:national )?total|china|nation(?:al)?|whole country"
    r"|(?:eastern|central|western|northeastern|northeast)(?: region)?",
    re.IGNORECASE,
)
# What heads a group of rows: 地级市, 其中：, 直辖市.
_GROUP_HEAD = re.compile(
    r"(?:\(?[一二三四五六七八九十]+[)、. ]+)?(?:其中|按.{1,6}分|.{0,8}(?:地区|区域|[市县区省州盟旗])(?:合计|小计)?):?"
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


def whole(cell: object) -> object:
    """Return a cell, or a whole number without the point that spreadsheets give it."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def clean_name(cell: object) -> str:
    """Return the name that a cell gives, without spaces, footnote marks and a translation beside it."""
    text = "" if cell is None else unmarked(whole(cell))
    if CHINESE.search(text):
        return re.sub(r"[^\u3400-\u9fff]", "", re.sub(r"\([^)]*\)", "", text))
    return re.sub(r"(?<=^\d{6})0{6}$", "", text)


def is_group(cell: object) -> bool:
    """Whether a row's name is that of the nation, a group of units or a sum."""
    return _GROUP.fullmatch(clean_name(cell)) is not None


def heads_group(text: str) -> bool:
    """Whether a line between rows only heads those of one group of units."""
    return _GROUP_HEAD.fullmatch(text) is not None


def province_in(text: str) -> str:
    """Return the only province that a text names, in full or for short, or nothing."""
    text = re.sub(r"[\s\d]", "", plain(text))
    named = []
    for name in load_units("province")["name_zh"]:
        short = re.sub(r"(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)$", "", name)
        # 吉林市 and 海南州 lie in no province of that name, or in a part of it.
        if name in text or re.search(f"{short}(?![市州县区旗藏])", text):
            named.append(name)
    return named[0] if len(named) == 1 else ""


def find(
    names: list[str], level: str, year: int | None = None, places: list[str] | None = None, near: bool = True
) -> list[Found]:
    """Return what clean names stand for at a level, in their order; ``near`` offers others for unknown ones."""
    if level == "economy":
        economies = load_units(level)[["name_zh", "name_en"]]
        known = {str(word).casefold(): line[0] for line in economies.itertuples() for word in line}
        codes = [known.get(name.casefold()) for name in names]
        return [Found(0 if c is None else 3, c, "unknown" if c is None else "exact", "", "") for c in codes]
    when = None if year is None else max(year, _FIRST_YEAR)
    found = []
    for one in resolve(names, level, when, places or [""] * len(names), near):
        last = one.code or one.code_then
        # Counties that once stood directly under a province are found among cities as well.
        same = one.level in ("", level) or (level == "city" and (one.level == "province" or str(last)[2:4] == "90"))
        rank = {"unknown": 0, "former": 2 if one.code else 1}.get(one.status, 3) if same else 0
        code, status = (one.code, one.status) if rank else (None, "unknown")
        found.append(Found(rank, code, status, one.change, one.nearest))
    return found

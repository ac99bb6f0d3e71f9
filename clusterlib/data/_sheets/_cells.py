"""What one cell of a messy sheet says: a number, nothing, a year, a unit or a label."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from dataclasses import dataclass

from clusterlib.data._cells import YEARS

CHINESE = re.compile(r"[\u3400-\u9fff]")
# Circled and raised digits are marks of footnotes, and must go before full-width digits are made plain ones.
MARK = re.compile(r"[①-⑳⓪❶-❿㈠-㈩¹²³⁰-⁹*†‡]+")
_AFTER = re.compile(r"(?<=[\d%])\s*(\[\d{1,2}\]|\(\d{1,2}\)|[a-zA-Z]\))$")
_GROUPED = re.compile(r"\d{1,3}([ ,']\d{3})+(?=\.|$|e|%)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_MISSING = re.compile(r"[-—–―.·/_]*|n/?a|nan|null|none|missing|缺失?|无数据", re.IGNORECASE)
_YEAR = re.compile(r"((?:19|20|21)\d{2})(?:\.0+)?\s*(?:年度?末?底?)?")
_YEAR_IN = re.compile(r"(?<!\d)((?:19|20)\d{2})\s*年(?:度|末|底)?(?!\s*[-—–~至到])")
# As variables are named: gdp2022, GDP 2022, 2022_gdp.
_YEAR_AT_AN_END = re.compile(r"(.*?[^\d\s_=.-])[\s_]*((?:19|20)\d{2})|((?:19|20)\d{2})[\s_]+(\D.*)")
_SPAN = re.compile(r"(?<!\d)(?:19|20)\d{2}\s*年?\s*[-—–~至到]\s*(?:19|20)\d{2}(?!\d)")
# Years of prices, of a base, of a beginning or of a yearbook are not those of the figures.
_BASE_YEAR = re.compile(
    r"(?:[按以]|年鉴\W*|since |constant |base(?: year)? ?)(?:19|20)\d{2}(?=\D{0,6}(?:价|为|=|基|$)|[ )])"
    r"|(?:19|20)\d{2}(?=\s*年?\s*(?:不变|可比|固定|价格?(?!格|指|水|值)|以来|以后|至今|起|之后|为?基[期年]|[为=]\s*100)"
    r"|\s*年?\S{0,4}年鉴| (?:constant|prices)|年?\s*=\s*100)",
    re.IGNORECASE,
)
_HIDE, _SHOW = ({here + k: there + k for k in range(10)} for here, there in ((48, 0xE000), (0xE000, 48)))
# As some exports date what is of a whole year.
_YEAR_END = re.compile(r"((?:19|20)\d{2})([-/.])12(?:\2)31(?: 00:00(?::00)?)?")
_DATE = re.compile(r"\d{4}\s*([-/.])\s*\d{1,2}\s*\1\s*\d{1,2}(?: [\d:.]+)?")
_PART = re.compile(r"年.*(?:月|季|上半年|下半年)|\d{4}\s*[-/年.]\s*\d{1,2}(?![\da-z])|\d{4}\s*q[1-4]", re.IGNORECASE)

_POWERS = {"": 0, "十": 1, "百": 2, "千": 3, "万": 4, "十万": 5, "百万": 6, "千万": 7, "亿": 8, "十亿": 9, "百亿": 10}
_POWERS |= {"千亿": 11, "万亿": 12}
_BASES = (
    "元 美元 欧元 人 人次 人年 人天 户 件 公里 平方公里 米 平方米 公顷 亩 吨 千克 公斤 立方米 个 家 台 部 条 块 辆 项 "
    "张 次 所 套 册 份 篇 只 头 艘 架 床 标准煤 吨标准煤 千瓦 千瓦时 GB TB 岁 天 小时 分钟 端口 站 座 处 村 页 种 名 位"
).split()
# Other words for a base, and for a power of ten before one.
_SYNONYMS = {
    "公里": "千米 km", "平方公里": "平方千米 km2 sqkm", "元": "人民币 元人民币 yuan", "美元": "usd",
    "人": "person persons people", "户": "households subscribers", "个": "enterprises",
    "件": "patents applications pieces",
}  # fmt: skip
_ALIASES = {word: base for base, words in _SYNONYMS.items() for word in words.split()}
_ENGLISH = {"100million": "亿", "10000": "万", "billion": "十亿", "million": "百万", "1000": "千", "thousand": "千"}
_ENGLISH |= {"1e8": "亿", "1e4": "万"}
_SHARES = {"%": ("%", -2), "percent": ("%", -2), "百分比": ("%", -2), "‰": ("‰", -3), "‱": ("‱", -4)}
_PREFIX = re.compile(f"({'|'.join(sorted(filter(None, _POWERS), key=len, reverse=True))})?(.+)")
_INDEX = re.compile(r"(?:上年|上期|\d{4}年?)=100|指数|index", re.IGNORECASE)
# A word of two characters is often stretched over its cell.
_STRETCHED = re.compile(r"(?<![\u3400-\u9fff])([\u3400-\u9fff]) ([\u3400-\u9fff])(?![\u3400-\u9fff])")
_IN_BRACKETS = re.compile(r"[(\[【〔]([^()\[\]【】〔〕]*)[)\]】〕]")


class Odd(str):
    """What a spreadsheet holds in place of a value, said so that it is a reason."""


def plain(text: object) -> str:
    """Return a text with plain brackets, digits and single spaces, without what nobody sees."""
    shown = unicodedata.normalize("NFKC", str(text)).replace("−", "-")
    return " ".join(re.sub(r"[\u200b-\u200f\u2060\ufeff\x00-\x08\x7f]", "", shown).split())


def as_word(text: str) -> str:
    """Return a text as the name of an indicator may be: letters and digits with ``_`` between."""
    word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", text)).strip("_")
    return f"_{word}" if re.match(r"\d", word) else word


def unmarked(text: object) -> str:
    """Return a text made plain, without marks of footnotes."""
    return plain(MARK.sub("", str(text)))


@dataclass(frozen=True)
class Number:
    """A cell as a number, or none with a reason, or none without one where the cell says that there is none."""

    value: float | None = None
    reason: str = ""
    note: str = ""
    percent: bool = False


def read_number(cell: object) -> Number:
    """Read a cell of the data area."""
    if cell is None or isinstance(cell, Odd):
        return Number(reason=str(cell or ""))
    if isinstance(cell, bool):
        return Number(reason=f"{cell} is no number: write the figure, or leave the cell empty")
    if isinstance(cell, (datetime.date, datetime.time, datetime.timedelta)):
        return Number(reason=f"the date {cell} stands in place of a figure: format the cell as a number")
    if isinstance(cell, (int, float)):
        value = float(cell) if abs(cell) < 1e300 else math.inf
        return Number() if math.isnan(value) else _finite(value, cell)
    raw = str(cell)
    if raw.isascii() and _NUMBER.fullmatch(raw):
        return _finite(float(raw), raw)
    marks = "".join(MARK.findall(raw))
    text = unmarked(raw)
    if _MISSING.fullmatch(text):
        return Number(note=marks)
    if found := _AFTER.search(text):
        text, marks = text[: found.start()], marks + found[1]
    negative = re.fullmatch(r"\((.+)\)", text)
    text = negative[1].strip() if negative else re.sub(r"^([+-])\s+", r"\1", text)
    percent = text.endswith("%")
    text = text.rstrip("%").strip()
    if _GROUPED.match(text.lstrip("+-")):
        text = re.sub(r"(?<=\d)[ ,'](?=\d{3})", "", text)
    if not _NUMBER.fullmatch(text) or (negative and text[0] in "+-"):
        said = f"{raw[:60]!r} is no number" + (", nor a sign for a missing one" if len(raw) < 12 else "")
        return Number(reason=f"{said}: write the figure in digits, or leave the cell empty")
    return _finite(-float(text) if negative else float(text), raw, marks, percent)


def _finite(value: float, cell: object, note: str = "", percent: bool = False) -> Number:
    if not math.isfinite(value):
        return Number(reason=f"{str(cell)[:60]!r} is out of all bounds: correct the figure")
    return Number(value, note=note, percent=percent)


def read_year(cell: object) -> int | None:
    """Return the year that a cell is, whole and alone or by its last day, or None."""
    if is_year_end(cell):
        return cell.year if isinstance(cell, datetime.date) else int(plain(cell)[:4])
    if isinstance(cell, (bool, datetime.date)) or cell is None:
        return None
    if isinstance(cell, (int, float)):
        return int(cell) if math.isfinite(cell) and cell == int(cell) and YEARS[0] <= cell <= YEARS[1] else None
    found = _YEAR.fullmatch(unmarked(cell).strip("() "))
    return int(found[1]) if found and YEARS[0] <= int(found[1]) <= YEARS[1] else None


def is_year_end(cell: object) -> bool:
    """Whether a cell dates a year by its last day."""
    if isinstance(cell, datetime.date):
        return (cell.month, cell.day) == (12, 31)
    return isinstance(cell, str) and _YEAR_END.fullmatch(plain(cell)) is not None


@dataclass(frozen=True)
class Unit:
    """A unit of measure: what is counted and in which power of ten."""

    text: str
    base: str
    power: int

    def convert(self, value: float, to: Unit) -> float:
        """Return a value in another unit of the same base."""
        shift = self.power - to.power
        return value * 10**shift if shift >= 0 else value / 10**-shift


def read_unit(text: object) -> Unit | None:
    """Return the unit that a text names, in Chinese or English, or None."""
    shown = plain(text).replace(" ", "").strip("()[]:,;。、").replace("每", "/")
    if shown in _SHARES:
        text, power = _SHARES[shown]
        return Unit(text, "1", power)
    if _INDEX.fullmatch(shown):
        return Unit(shown, shown, 0)
    lower = shown.lower().replace(",", "")
    for english, prefix in _ENGLISH.items():
        if lower.startswith(english):
            shown = prefix + lower.removeprefix(english)
            break
    over, _, under = shown.partition("/")
    prefix, base = _parted(over)
    if base not in _BASES or (under and _parted(under)[1] not in _BASES):
        return None
    base = f"{base}/{_ALIASES.get(under.lower(), under)}" if under else base
    return Unit(prefix + base, base, _POWERS[prefix])


def _parted(text: str) -> tuple[str, str]:
    """Return the power of ten before a base, and the base."""
    whole = text in _BASES or text in _ALIASES
    found = None if whole else _PREFIX.fullmatch(text)
    prefix, base = (found[1] or "", found[2]) if found else ("", text)
    return prefix, _ALIASES.get(base.lower(), base)


@dataclass(frozen=True)
class Label:
    """What a head says: a year, a unit, and the words that are left."""

    words: str = ""
    year: int | None = None
    unit: Unit | None = None
    reason: str = ""
    # Whether it is of some time other than a year.
    undated: bool = False


def read_label(cell: object) -> Label:
    """Read a cell of the head, or a line above it."""
    if cell is None:
        return Label()
    if isinstance(cell, Odd):
        return Label(reason=str(cell))
    if (year := read_year(cell)) is not None:
        return Label(year=year)
    dated = isinstance(cell, (datetime.date, datetime.time, datetime.timedelta))
    if dated or _DATE.fullmatch(plain(cell)):
        return Label(reason=f"the date {cell} stands in place of a year: write the year alone, such as by =YEAR()")
    lines = [line for line in str(cell).splitlines() if line.strip()]
    chinese = [line for line in lines if CHINESE.search(line) or read_year(line) is not None]
    text = _STRETCHED.sub(r"\1\2", unmarked(" ".join(chinese or lines)))
    unit = None
    for found in _IN_BRACKETS.finditer(text):
        inside = re.sub(r"^单位[:：]?", "", found[1].strip())
        if (said := read_unit(inside)) is not None:
            unit = unit or said
            text = text.replace(found[0], " ", 1)
    # A name in Chinese with its translation behind it.
    if CHINESE.search(text):
        text = re.sub(r"(?<=[\u3400-\u9fff)])\s+[A-Za-z][A-Za-z ,.&'/()-]+$", "", text.strip())
    whole, text = text, _BASE_YEAR.sub(lambda found: found[0].translate(_HIDE), text)
    if _SPAN.search(text):
        said = f"{whole!r} is a span of years: only single years are read"
        return Label(whole, reason=f"{said}; delete it, or say the years to take by years=", undated=True)
    if _PART.search(text):
        said = f"{whole!r} is a part of a year: only whole years are read"
        return Label(whole, reason=f"{said}; delete it, or say the years to take by years=", undated=True)
    if len(set(_YEAR_IN.findall(text))) > 1:
        return Label(whole, reason=f"{whole!r} names several years: write one year in each head")
    year = int(found[1]) if (found := _YEAR_IN.search(text)) else None
    if year is not None:
        text = re.sub(r"\(\s*\)", "", _YEAR_IN.sub("", text))
    elif found := _YEAR_AT_AN_END.fullmatch(text.strip()):
        year, text = int(found[2] or found[3]), found[1] or found[4]
    if unit is None and (unit := read_unit(text.translate(_SHOW))) is not None and "指数" not in text:
        return Label("", year, unit)
    return Label(" ".join(text.translate(_SHOW).split()).strip(" ,:;"), year, unit)

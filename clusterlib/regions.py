"""The core regions, their provinces and cities by GB/T 2260 codes (行政区划代码), as ``data/study/regions.csv`` says.

A row of that file is a region: everything that depends on which regions there are reads it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from unicodedata import normalize

from clusterlib.core.rows import Later, name_of, read_rows
from clusterlib.data._columns import UNIT_COLUMNS
from clusterlib.errors import Problem, StudyError, UnknownNameError
from clusterlib.paths import get_project

__all__ = ["REGIONS", "Region", "Unit", "get_region", "region_codes", "region_of"]


def __dir__() -> list[str]:
    return __all__


FILE = "regions.csv"
COLUMNS = (
    "code name_zh name_en short_zh short_en other_names provinces cities whole_provinces colour marker line hatch"
).split()
ALL = "all"
Units = Mapping[int, Mapping[str, str]]
# What figures tell groups apart by: a pattern, and what is expected.
MARKS = {
    "colour": ("#[0-9A-Fa-f]{6}", "a colour such as #0072B2"),
    "marker": ("[os^v<>DdPXph*]", "one of matplotlib's markers o s ^ v < > D d P X p h *"),
    "line": ("-|--|-\\.|:", "one of - -- -. :"),
    "hatch": ("[/\\\\|\\-+xoO.*]*", "of matplotlib's hatches, or nothing"),
}
_FORMS = {
    "code": ("(?!(rest|nation)$)[a-z][a-z0-9]*", "a short name in lower case, such as bth; rest and nation are taken"),
    "name_zh": (".+", "a name"),
    "name_en": (".+", "a name"),
    "short_zh": (".+", "a name"),
    "short_en": (".+", "a name"),
    "whole_provinces": ("yes|no", "yes or no"),
}
_LISTS = {
    "provinces": ("[0-9]{6}(;[0-9]{6})*", "codes of six digits with ; between them"),
    "cities": ("(all(;-[0-9]{6})*)|([0-9]{6}(;[0-9]{6})*)", "all, all;-341400 or codes of six digits with ;"),
}
# What two regions may not share: the units, and what tells them apart in a figure.
_APART = ("code", "name_zh", "name_en", "short_zh", "short_en", "colour", "marker")


@dataclass(frozen=True, order=True)
class Unit:
    """An administrative unit: GB/T 2260 code, Chinese and English name."""

    adcode: int
    name_zh: str
    name_en: str


@dataclass(frozen=True)
class Region:
    """A core region of digital industry clusters.

    Attributes
    ----------
    code : str
        Such as ``"yrd"``.
    name_zh, name_en, short_zh, short_en : str
        Full names in Chinese and English, and what figures call it.
    provinces : tuple of Unit
        Provincial units that the region lies in.
    cities : tuple of Unit
        Cities of the region; municipalities and special administrative regions count as one city each.
    whole_provinces : bool
        Whether the provinces make up the region exactly. False for the Greater Bay Area, which is nine of
        Guangdong's 21 cities: provincial figures are then a proxy.
    other_names : tuple of str
        What else people call it.
    colour, marker, line, hatch : str
        How figures draw it.
    """

    code: str
    name_zh: str
    name_en: str
    short_zh: str
    short_en: str
    provinces: tuple[Unit, ...]
    cities: tuple[Unit, ...]
    whole_provinces: bool
    other_names: tuple[str, ...]
    colour: str
    marker: str
    line: str
    hatch: str

    @property
    def name(self) -> str:
        """The full name in the language spoken."""
        return _say(self.name_en, self.name_zh)

    @property
    def short(self) -> str:
        """The short name in the language spoken."""
        return _say(self.short_en, self.short_zh)

    def adcodes(self, level: str) -> tuple[int, ...]:
        """Return the codes of the region's units at ``level`` (``"province"`` or ``"city"``)."""
        if level == "province":
            return tuple(unit.adcode for unit in self.provinces)
        if level == "city":
            return tuple(unit.adcode for unit in self.cities)
        raise UnknownNameError("level", level, ["province", "city"])


def _say(en: str, zh: str) -> str:
    # Its checks load pandas, which names of regions do not take.
    from clusterlib.core.language import say

    return say(en, zh)


def read_units(root: Path) -> Units:
    """Read the table of administrative units by code."""
    path = root / "data" / "raw" / "units.csv"
    rows = read_rows(path, UNIT_COLUMNS, root, StudyError)
    problems = [
        Problem(name_of(path, root), line, f"{row[column]!r} is not a six-digit GB/T 2260 code", column)
        for line, row in rows.items()
        for column in ("adcode", "province")
        if not re.fullmatch("[0-9]{6}", row[column])
    ]
    if problems:
        raise StudyError(problems)
    return {int(row["adcode"]): row for row in rows.values()}


def read_regions(root: Path) -> dict[str, Region]:
    """Read and check the regions of a project.

    Raises
    ------
    StudyError
        With line and column of everything that is wrong: codes that are unknown or of two regions, a city outside its
        region's provinces, names and marks that two regions share.
    """
    path = root / "data" / "study" / FILE
    file, units = name_of(path, root), read_units(root)
    rows, problems = read_rows(path, COLUMNS, root, StudyError), []
    for line, row in rows.items():
        for column, (form, expected) in (_FORMS | MARKS | _LISTS).items():
            if not re.fullmatch(form, row[column]):
                problems.append(Problem(file, line, f"{row[column]!r}: expected {expected}", column))
    if not rows:
        problems.append(Problem(file, 1, "no region: add a row"))
    if problems:
        raise StudyError(problems)
    seen: dict[tuple[str, object], int] = {}
    found = {}
    for line, row in rows.items():
        provinces = [int(code) for code in _split(row["provinces"])]
        cities = _cities(row["cities"], row["provinces"], units)
        told: list[tuple[str, object]] = [(column, row[column].casefold()) for column in _APART]
        told += [("other_names", _plain(name)) for name in _split(row["other_names"])]
        told += [(column, code) for column, codes in (("provinces", provinces), ("cities", cities)) for code in codes]
        for column, value in told:
            if seen.setdefault((column, value), line) != line:
                reason = f"{value!r} stands in line {seen[column, value]} already: regions do not share it"
                problems.append(Problem(file, line, reason, column))
        unknown = {
            "provinces": (
                [code for code in provinces if code not in _level(units, "province")],
                "a province of units.csv",
            ),
            "cities": (
                [code for code in cities if code not in _within(row["provinces"], units)],
                "a city of its provinces",
            ),
        }
        for column, (codes, expected) in unknown.items():
            problems += [Problem(file, line, f"{code} is not {expected}", column) for code in codes]
        members = [tuple(_unit(code, units) for code in codes if code in units) for codes in (provinces, cities)]
        found[row["code"]] = Region(
            row["code"], row["name_zh"], row["name_en"], row["short_zh"], row["short_en"], members[0], members[1],
            row["whole_provinces"] == "yes", tuple(_split(row["other_names"])),
            row["colour"], row["marker"], row["line"], row["hatch"],
        )  # fmt: skip
    if problems:
        raise StudyError(problems)
    return found


def _split(cell: str) -> list[str]:
    return [part for part in cell.split(";") if part]


def _unit(code: int, units: Units) -> Unit:
    return Unit(code, units[code]["name_zh"], units[code]["name_en"])


def _level(units: Units, level: str) -> list[int]:
    return [code for code, unit in units.items() if unit["level"] == level]


def _within(provinces: str, units: Units) -> list[int]:
    """Cities of provinces; a municipality or special administrative region, which has none, is one itself."""
    found = []
    for province in _split(provinces):
        inside = [code for code in _level(units, "city") if units[code]["province"] == province]
        found += inside or [int(province)]
    return sorted(found)


def _cities(cell: str, provinces: str, units: Units) -> list[int]:
    first, *rest = _split(cell)
    if first != ALL:
        return [int(code) for code in (first, *rest)]
    left_out, every = [-int(code) for code in rest], _within(provinces, units)
    # One that is left out but not there is told as one that is: it stands in the file and is no city of the provinces.
    return [code for code in every if code not in left_out] + [code for code in left_out if code not in every]


# What is kept cannot be changed: a region and all that it holds is frozen.
@lru_cache(maxsize=8)
def _kept(root: Path, stamps: tuple) -> Mapping[str, Region]:
    return MappingProxyType(read_regions(root))


def stamps_of(*paths: Path) -> tuple:
    """Return what tells one state of files from the next: when each was written, and its size."""
    found = [path.stat() if path.exists() else None for path in paths]
    return tuple(status and (status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


def _read() -> Mapping[str, Region]:
    project = get_project()
    return _kept(project.root, stamps_of(project.study / FILE, project.raw / "units.csv"))


REGIONS: Mapping[str, Region] = Later(_read)


def _plain(name: str) -> str:
    """Return a name without what people write in one way or another: case, width, hyphens, "the ... region"."""
    kept = re.sub(r"[\W_]+", " ", normalize("NFKC", name).casefold()).strip()
    return re.sub(r"^the | region$|地区$|区域$|城市群$", "", kept).replace(" ", "")


def _spellings() -> dict[str, str]:
    return {
        spelling: region.code
        for region in REGIONS.values()
        for spelling in (region.code, region.name_zh, region.name_en, region.short_zh, *region.other_names)
    }


def get_region(name: str | Region) -> Region:
    """Return the region of this name.

    Parameters
    ----------
    name : str or Region
        A code, such as ``"bth"`` (京津冀), ``"yrd"`` (长三角) or ``"gba"`` (粤港澳大湾区), or how else people call it,
        in English or Chinese: ``"YRD"``, ``"长江三角洲"``, ``"Yangtze River Delta"``. A region is returned as it is.

    Returns
    -------
    Region

    Raises
    ------
    UnknownNameError
        If there is no such region; the message names the nearest.

    Examples
    --------
    >>> from clusterlib.regions import get_region
    >>> get_region("gba").name_zh, get_region("Greater Bay Area").code, get_region("大湾区").code
    ('粤港澳大湾区', 'gba', 'gba')
    >>> len(get_region("yrd").cities)
    41
    """
    if isinstance(name, Region):
        return name
    if isinstance(name, str) and name in REGIONS:
        return REGIONS[name]
    spellings = _spellings()
    plain = {_plain(spelling): code for spelling, code in spellings.items()}
    code = plain.get(_plain(name)) if isinstance(name, str) else None
    if code is None:
        raise UnknownNameError("region", name, REGIONS, spellings=spellings)
    return REGIONS[code]


def region_of(unit: int) -> str:
    """Return the code of the region that a province or city lies in, or an empty text.

    Of a region of whole provinces that is any city of these, such as Xiong'an, which has no figures of its own and is
    none of the cities that are counted; of another one its own cities and provinces.

    Parameters
    ----------
    unit : int
        GB/T 2260 code of a province or city.

    Returns
    -------
    str

    Examples
    --------
    >>> from clusterlib.regions import region_of
    >>> region_of(330100), region_of(133100), region_of(440000), region_of(440200)
    ('yrd', 'bth', 'gba', '')
    """
    for region in REGIONS.values():
        provinces, cities = region.adcodes("province"), region.adcodes("city")
        if unit in provinces or unit in cities or (region.whole_provinces and unit // 10_000 * 10_000 in provinces):
            return region.code
    return ""


def region_codes(names: str | Iterable[str | Region] | None = None) -> list[str]:
    """Return the codes of regions by name, each once; by default of all.

    Raises
    ------
    UnknownNameError
        As :func:`get_region`.
    """
    if names is None:
        return list(REGIONS)
    return list(dict.fromkeys(get_region(name).code for name in ([names] if isinstance(names, str) else names)))

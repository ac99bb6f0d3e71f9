"""The study as ``data/study/design.yml`` says: indices, variables, groups and years, read-only (研究设计)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from clusterlib.core.rows import Place, Settings, read_rows, read_settings
from clusterlib.data._columns import CATALOGUE_COLUMNS, LEVELS
from clusterlib.errors import InvalidInputError, StudyError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.regions import FILE as REGIONS_FILE
from clusterlib.regions import MARKS, REGIONS, Region, read_regions, read_units, stamps_of

FILE = "design.yml"
GROUPINGS = ("regions", "belts")
REST = "rest"
_SPAN = re.compile(r"\s*(\d{4})(?::(\d{4}))?\s*")


@dataclass(frozen=True)
class Named:
    """Something with a name in both languages."""

    en: str
    zh: str

    @property
    def name(self) -> str:
        """The name in the language spoken."""
        from clusterlib.core.language import say

        return say(self.en, self.zh)


@dataclass(frozen=True)
class Dimension(Named):
    """A dimension of indices and its indicators, which are of one level of the panels."""

    indicators: tuple[str, ...]
    level: str = "province"


@dataclass(frozen=True)
class Measure(Named):
    """A composite index: indicators by dimension, the span that ranges and weights come from.

    Those of ``first_gdp`` are taken relative to the GDP of the first year. What is left out of the dimensions must be
    known as well (``needed``): an index with it and one without are of the same provinces. Figures beyond ``largest``
    are slips: their units are left out of the year.
    """

    dimensions: Mapping[str, tuple[str, ...]]
    years: str
    first_gdp: tuple[str, ...]
    needed: tuple[str, ...]
    level: str
    largest: Mapping[str, float]

    @property
    def indicators(self) -> tuple[str, ...]:
        """All indicators in the order of the dimensions."""
        return tuple(name for group in self.dimensions.values() for name in group)


@dataclass(frozen=True)
class Variable(Named):
    """A variable of the models of provinces or cities.

    Indicator ``of`` without ``less``, relative to ``per``, times ``times``, as a logarithm (``log``), of the year
    before (``before``).
    """

    of: str
    less: tuple[str, ...]
    per: str
    times: float
    log: bool
    before: bool


@dataclass(frozen=True)
class Group(Named):
    """Units that are shown together, by their provinces where these make it up, and how figures draw it."""

    provinces: tuple[int, ...]
    colour: str
    marker: str
    line: str
    hatch: str


@dataclass(frozen=True)
class Span(Named):
    """Years that a parameter may say: the first and last for which there are figures, and the default."""

    key: str
    first: int
    last: int
    default: str | int

    def check(self, years: str | int) -> str | int:
        """Return years as they were given, ``2020``, ``"2018:2023"`` or several with commas, if they lie in the span.

        Raises
        ------
        InvalidInputError
            With the span that is allowed.

        Examples
        --------
        >>> import clusterlib as cl
        >>> cl.study.spans()["city_years"].check("2005:2020")
        '2005:2020'
        """
        allowed = f"there are figures for {self.first}:{self.last}"
        for part in str(years).split(","):
            read = _SPAN.fullmatch(part)
            if not read or isinstance(years, bool) or (isinstance(self.default, int) and read[2]):
                form = "one year" if isinstance(self.default, int) else "years such as " + repr(self.default)
                raise InvalidInputError(f"{self.key}={years!r} cannot be read: expected {form}; {allowed}")
            first, last = int(read[1]), int(read[2] or read[1])
            if first > last:
                raise InvalidInputError(f"{self.key}={years!r}: the first year is after the last")
            if first < self.first or last > self.last:
                raise InvalidInputError(f"{self.key}={years!r}: {allowed}, such as {self.key}={self.default!r}")
        return years


@dataclass(frozen=True)
class Design:
    """What ``data/study/design.yml`` says; nothing of it can be changed."""

    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    variables: Mapping[str, Variable]
    real_economy: Mapping[str, Variable]
    city_variables: Mapping[str, Variable]
    outcomes: tuple[str, ...]
    controls: tuple[str, ...]
    more_controls: tuple[str, ...]
    data_inputs: tuple[str, ...]
    data_outputs: tuple[str, ...]
    platforms: tuple[str, ...]
    industries: Mapping[str, str]
    city_outcomes: Mapping[str, str]
    rest: Group
    nation: Group
    belts: Mapping[str, Group]
    spans: Mapping[str, Span]
    constants: Mapping[str, float]
    remedies: Mapping[str, Named]


_NAMED = ("remedies",)
Check = Callable[[Any], str]


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else f"{value!r}: expected a text: set it in quotes"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{value!r}: expected true or false"


def _number(value: Any) -> str:
    return "" if isinstance(value, (int, float)) and not isinstance(value, bool) else f"{value!r}: expected a number"


def _numbers(value: Any) -> str:
    known = isinstance(value, dict) and value and not any(map(_number, value.values()))
    return "" if known else f"{value!r}: expected numbers by indicator"


def _year(value: Any) -> str:
    known = isinstance(value, int) and not isinstance(value, bool) and 1900 <= value <= 2100
    return "" if known else f"{value!r}: expected a year"


def _years(value: Any) -> str:
    parts = value.split(",") if isinstance(value, str) else []
    return "" if parts and all(map(_SPAN.fullmatch, parts)) else _year(value) and f"{value!r}: expected '2016:2023'"


def _one_of(kind: str, valid: Collection) -> Check:
    return lambda value: (
        "" if isinstance(value, (str, int)) and value in valid else str(UnknownNameError(kind, value, valid))
    )


def _form(pattern: str, expected: str) -> Check:
    matches = re.compile(pattern).fullmatch
    return lambda value: "" if isinstance(value, str) and matches(value) else f"{value!r}: expected {expected}"


@dataclass(frozen=True)
class _List:
    """Checks each of a list."""

    each: Check


class _Reader:
    """Takes what is right from a file and collects what is not, with the line of each."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.problems = settings, []

    def fault(self, at: Place, reason: str) -> None:
        self.problems.append(self.settings.problem(at, reason))

    def mapping(self, at: Place) -> dict:
        value = self.settings.value
        for key in at:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, dict) and value:
            return value
        self.fault(at, f"expected names with a colon each, got {value!r}")
        return {}

    def check(self, at: Place, value: Any, check: Check | _List) -> None:
        if not isinstance(check, _List):
            if reason := check(value):
                self.fault(at, reason)
        elif not isinstance(value, list) or not value:
            self.fault(at, f"expected a list, got {value!r}")
        else:
            for k, item in enumerate(value):
                again = "" if item not in value[:k] else f"{item!r} is given twice"
                if reason := check.each(item) or again:
                    self.fault((*at, k), reason)

    def fields(self, at: Place, needed: Mapping[str, Check | _List], may: Mapping[str, Check | _List]) -> dict:
        """What an entry says, lists as tuples, if it has what it needs and nothing that is not known."""
        entry = self.mapping(at)
        for key in needed:
            if entry and key not in entry:
                self.fault((*at, key), "is missing")
        for key, value in entry.items():
            if key in needed or key in may:
                self.check((*at, key), value, needed.get(key) or may[key])
            else:
                self.fault((*at, key), str(UnknownNameError("key", key, [*needed, *may])))
        return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}

    def entries(self, at: str, needed: Mapping[str, Check | _List], may: Mapping | None = None) -> dict[str, dict]:
        return {key: self.fields((at, key), needed, may or {}) for key in self.mapping((at,))}

    def values(self, at: str, keys: Check, value: Check) -> dict:
        """A mapping of names to plain values."""
        found = self.mapping((at,))
        for key, item in found.items():
            if reason := keys(key) or value(item):
                self.fault((at, key), reason)
        return found


def read_design(root: Path) -> Design:
    """Read and check the design of a project's study.

    Raises
    ------
    StudyError
        With line and place of everything that is wrong.
    """
    settings = read_settings(root / "data" / "study" / FILE, root, StudyError)
    rows = read_rows(root / "data" / "raw" / "catalogue.csv", CATALOGUE_COLUMNS, root, StudyError).values()
    years = {
        (row["level"], row["indicator"]): (int(row["first_year"]), int(row["last_year"]))
        for row in rows
        if all(re.fullmatch("[0-9]{4}", row[column]) for column in ("first_year", "last_year"))
    }
    provinces = [code for code, unit in read_units(root).items() if unit["level"] == "province"]
    reader = _Reader(settings)
    # Of what can be referred to; a section that is none is told below.
    told = settings.value if isinstance(settings.value, dict) else {}
    known = {key: list(value) for key, value in told.items() if isinstance(value, dict)}
    names = {"en": _text, "zh": _text}
    of_level = {level: [name for at, name in years if at == level] for level in LEVELS}
    indicator, city = (_one_of(f"{level} indicator", of_level[level]) for level in ("province", "city"))
    marks: dict[str, Check] = {key: _form(*MARKS[key]) for key in ("colour", "marker", "line", "hatch")}
    dimensions = reader.entries(
        "dimensions", {**names, "indicators": _List(_text)}, {"level": _one_of("level", LEVELS)}
    )
    _check_levels(reader, dimensions, of_level)
    measures = reader.entries(
        "measures",
        {
            **names,
            "dimensions": _List(_one_of("dimension", known.get("dimensions", ()))),
            "years": _one_of("span", known.get("spans", ())),
        },
        {"without": _List(indicator), "first_gdp": _List(indicator), "largest": _numbers},
    )
    of = {"variables": indicator, "real_economy": indicator, "city_variables": city}
    variables = {
        section: reader.entries(
            section,
            {**names, "of": kind},
            {"less": _List(kind), "per": kind, "times": _number, "log": _flag, "before": _flag},
        )
        for section, kind in of.items()
    }
    spans = reader.entries(
        "spans",
        {**names, "default": _years},
        {
            "level": _one_of("level", LEVELS),
            "measure": _one_of("measure", known.get("measures", ())),
            "indicators": _List(_text),
            "first": _year,
            "last": _year,
        },
    )
    belts = reader.entries("belts", {**names, "provinces": _List(_one_of("province", provinces)), **marks})
    others = {key: reader.fields((key,), {**names, **marks}, {}) for key in ("rest", "nation")}
    variable = _List(_one_of("variable", known.get("variables", ())))
    lists: dict[str, Check | _List] = dict.fromkeys(("outcomes", "controls", "more_controls"), variable)
    lists |= dict.fromkeys(("data_inputs", "data_outputs", "platforms"), _List(indicator))
    for key, check in lists.items():
        reader.check((key,), told.get(key), check)
    maps = {
        "industries": reader.values("industries", _text, _text),
        "city_outcomes": reader.values("city_outcomes", city, _one_of("kind", ["amount", "share"])),
        "constants": reader.values("constants", _text, _number),
    }
    named = {key: reader.entries(key, names) for key in _NAMED}
    _check_belts(reader, belts)
    _check_marks(reader, others, read_regions(root))
    for key in told:
        if key not in Design.__annotations__:
            reader.fault((key,), str(UnknownNameError("section", key, Design.__annotations__)))
    if reader.problems:
        raise StudyError(sorted(reader.problems, key=lambda problem: problem.line))
    made = {key: _measure(entry, dimensions) for key, entry in measures.items()}
    found = {key: _span(key, entry, made, years, reader) for key, entry in spans.items()}
    if reader.problems:
        raise StudyError(reader.problems)
    defaults = {"less": (), "per": "", "times": 1.0, "log": False, "before": False}
    parts: dict[str, Any] = {
        **{key: _frozen(_filled(entries, maps["constants"]), Named) for key, entries in named.items()},
        **{key: Group(provinces=(), **entry) for key, entry in others.items()},
        **{key: tuple(told[key]) for key in lists},
        **{key: MappingProxyType(value) for key, value in maps.items()},
    }
    return Design(
        dimensions=_frozen(dimensions, Dimension),
        measures=MappingProxyType(made),
        **{
            section: _frozen({key: defaults | entry for key, entry in entries.items()}, Variable)
            for section, entries in variables.items()
        },
        belts=_frozen(belts, Group),
        spans=MappingProxyType(found),
        **parts,
    )


def _frozen(entries: Mapping[str, dict], kind: type) -> Mapping:
    return MappingProxyType({key: kind(**entry) for key, entry in entries.items()})


def _filled(entries: Mapping[str, dict], constants: Mapping[str, float]) -> dict[str, dict]:
    """Texts with the constants that they name in braces."""

    def fill(text: str) -> str:
        return re.sub(r"{(\w+)}", lambda found: f"{constants[found[1]]:g}" if found[1] in constants else found[0], text)

    return {key: {language: fill(text) for language, text in entry.items()} for key, entry in entries.items()}


def _check_levels(reader: _Reader, dimensions: Mapping[str, dict], of_level: Mapping[str, list[str]]) -> None:
    """Indicators are of the level of their dimension, and the dimensions of an index of one level."""
    levels = {key: entry.get("level", "province") for key, entry in dimensions.items()}
    for key, entry in dimensions.items():
        check = _one_of(f"{levels[key]} indicator", of_level.get(levels[key], ()))
        for k, name in enumerate(entry.get("indicators") or ()):
            if reason := check(name):
                reader.fault(("dimensions", key, "indicators", k), reason)
    for key, entry in reader.mapping(("measures",)).items():
        used = entry.get("dimensions") if isinstance(entry, dict) else None
        found = {levels[name] for name in used if name in levels} if isinstance(used, list) else set()
        if len(found) > 1:
            reader.fault(("measures", key, "dimensions"), f"are of several levels: {', '.join(sorted(found))}")


def _check_marks(reader: _Reader, others: Mapping[str, dict], regions: Mapping[str, Region]) -> None:
    """What stands beside the regions in figures is told apart from each of them."""
    for key, entry in others.items():
        for part in ("colour", "marker"):
            for region in regions.values():
                if entry.get(part) == getattr(region, part):
                    advice = "figures draw them side by side; choose another there or here"
                    reader.fault((key, part), f"{entry[part]!r} is that of {region.code} in regions.csv: {advice}")


def _check_belts(reader: _Reader, belts: Mapping[str, dict]) -> None:
    seen: dict[int, str] = {}
    for key, entry in belts.items():
        codes = entry.get("provinces", ())
        for k, code in enumerate(codes if isinstance(codes, tuple) else ()):
            # What is no code is told where it is read.
            if isinstance(code, int) and seen.setdefault(code, key) != key:
                reader.fault(("belts", key, "provinces", k), f"{code} is of {seen[code]!r} already")


def _measure(entry: Mapping[str, Any], dimensions: Mapping[str, dict]) -> Measure:
    left_out = entry.get("without", ())
    parts = {key: [n for n in dimensions[key]["indicators"] if n not in left_out] for key in entry["dimensions"]}
    kept = MappingProxyType({key: tuple(part) for key, part in parts.items() if part})
    needed = tuple(name for key in entry["dimensions"] for name in dimensions[key]["indicators"])
    level = dimensions[entry["dimensions"][0]].get("level", "province")
    largest = MappingProxyType(entry.get("largest", {}))
    return Measure(entry["en"], entry["zh"], kept, entry["years"], entry.get("first_gdp", ()), needed, level, largest)


def _span(key: str, entry: Mapping[str, Any], measures: Mapping[str, Measure], years: Mapping, reader: _Reader) -> Span:
    """A span within the years of its indicators."""
    level = measures[entry["measure"]].level if "measure" in entry else entry.get("level", "province")
    names = [*entry.get("indicators", ()), *(measures[entry["measure"]].needed if "measure" in entry else ())]
    for name in names:
        if (level, name) not in years:
            reader.fault(("spans", key), str(UnknownNameError(f"{level} indicator", name, [n for _, n in years])))
            return Span(entry["en"], entry["zh"], key, 0, 0, entry["default"])
    first = max([entry.get("first", 0), *(years[level, name][0] for name in names)])
    last = min([entry.get("last", 9999), *(years[level, name][1] for name in names)])
    span = Span(entry["en"], entry["zh"], key, first, last, entry["default"])
    try:
        if not names and not {"first", "last"} <= entry.keys():
            reader.fault(("spans", key), "needs indicators, a measure, or first and last")
        span.check(span.default)
    except InvalidInputError as error:
        reader.fault(("spans", key, "default"), str(error))
    return span


# What is kept cannot be changed: a design and all that it holds is frozen.
@lru_cache(maxsize=8)
def _kept(root: Path, stamps: tuple) -> Design:
    return read_design(root)


def design() -> Design:
    """Return the study's design (研究设计), read-only.

    Raises
    ------
    StudyError
        If ``data/study/design.yml`` is wrong; with line and place of each fault.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.design().controls
    ('urbanisation', 'students', 'expenditure')
    """
    project = get_project()
    paths = (
        project.study / FILE,
        project.study / REGIONS_FILE,
        project.raw / "catalogue.csv",
        project.raw / "units.csv",
    )
    return _kept(project.root, stamps_of(*paths))


def look_up(kind: str, name: Any, valid: Mapping) -> Any:
    """Return what stands under a name, or say which there are."""
    if not isinstance(name, str) or name not in valid:
        raise UnknownNameError(kind, name, valid)
    return valid[name]


def dimensions(measure: str = "digital") -> Mapping[str, tuple[str, ...]]:
    """Return the indicators of an index by dimension (指数维度).

    Parameters
    ----------
    measure : str
        A key of ``design().measures``: ``"digital"``, ``"four"`` with digital finance, ``"adoption"``, ...

    Raises
    ------
    UnknownNameError
        If there is no such measure.

    Examples
    --------
    >>> import clusterlib as cl
    >>> list(cl.study.dimensions("four"))
    ['infrastructure', 'digital_industry', 'industrial_digitisation', 'digital_finance']
    """
    return look_up("measure", measure, design().measures).dimensions


def spans() -> Mapping[str, Span]:
    """Return the spans of years by name: allowed years and default (年份范围).

    Examples
    --------
    >>> import clusterlib as cl
    >>> span = cl.study.spans()["index_years"]
    >>> span.first, span.last, span.default
    (2016, 2024, '2016:2024')
    """
    return design().spans


def groups(grouping: str = "regions") -> Mapping[str, Group]:
    """Return the groups that units are shown by, in their order, with names and marks (分组).

    Parameters
    ----------
    grouping : {"regions", "belts"}
        The core regions and ``"rest"``, or the four belts.

    Raises
    ------
    UnknownNameError
        If there is no such grouping.

    Examples
    --------
    >>> import clusterlib as cl
    >>> {code: group.name for code, group in cl.study.groups().items()}
    {'bth': 'BTH', 'yrd': 'YRD', 'gba': 'GBA', 'rest': 'Rest'}
    """
    if grouping == "belts":
        return design().belts
    if grouping != "regions":
        raise UnknownNameError("grouping", grouping, GROUPINGS)
    return MappingProxyType({code: _as_group(region) for code, region in REGIONS.items()} | {REST: design().rest})


def _as_group(region: Region) -> Group:
    marks = (region.colour, region.marker, region.line, region.hatch)
    return Group(region.short_en, region.short_zh, region.adcodes("province"), *marks)


def group_of(units: Iterable[int], grouping: str = "regions") -> dict[int, str]:
    """Return the group of each unit, see :func:`clusterlib.study.group_units`."""
    units = list(units)
    if grouping == "regions":
        members = {
            code: region.code
            for region in REGIONS.values()
            for level in ("province", "city")
            for code in region.adcodes(level)
        }
        return {unit: members.get(unit, REST) for unit in units}
    of_province = {code: key for key, group in groups(grouping).items() for code in group.provinces}
    found = {unit: of_province.get(unit // 10_000 * 10_000) for unit in units}
    if lacking := [unit for unit, group in found.items() if group is None]:
        raise InvalidInputError(f"in none of the {grouping}: {', '.join(map(str, lacking[:5]))}")
    return {unit: str(group) for unit, group in found.items()}

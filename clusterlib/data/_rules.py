"""What raw facts and lists of names, clusters and policies must look like, and what to say of those that do not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import gt, lt

import numpy as np
import pandas as pd

from clusterlib.data._cells import A_DATE, A_NAME, A_YEAR, NUMBER, Rule, filled, matching, one_of
from clusterlib.data._columns import KEYS, NATION
from clusterlib.data._raw import RawTable, rows_of, rule_problems
from clusterlib.errors import Problem, RawDataError

CONFIRMED = ("yes", "partial", "no")
UNIT_LEVELS = ("province", "city", "county")
# What a published number of clusters counts, and how a unit's area or code changed.
PARTS = ("total", "batch", "provinces", "cities", "core areas", "coordinated areas", "new stars")
CHANGES = ("merged", "divided", "transferred", "renamed")
# How a unit left the lists of GB/T 2260 while its area went on as that of one unit, or otherwise.
CONTINUED = ("recoded", "renamed", "converted", "transferred")
HISTORY = (*CONTINUED, "merged", "divided", "untraced", "")
# The columns of the lists of names that hold a text in every row; the first is the key.
_NAMES = {
    "sources": "source title_en title_zh publisher publisher_zh licence licence_zh",
    "units": "adcode level name_zh name_en province",
    "economies": "economy name_en name_zh",
}


@dataclass(frozen=True)
class Vocabulary:
    """The names that the raw tables of one level may use."""

    level: str
    units_of: dict[Hashable, str]
    bounds: pd.DataFrame
    derived: frozenset[str]
    codes: frozenset[str]
    # Units that have no place at this level, and the one that they have.
    elsewhere: dict[str, str]
    sources: frozenset[str]

    @classmethod
    def of(
        cls, level: str, catalogue: pd.DataFrame, units: pd.DataFrame, economies: pd.Index, sources: Iterable[str]
    ) -> Vocabulary:
        """Return the names of a level: the four municipalities stand once, as provinces, and are cities as well."""
        rows = rows_of(catalogue, level)
        own = rows[rows["formula"] == ""]
        codes, elsewhere = economies, {}
        if level != "economy":
            cities = units["level"] == "city"
            provinces = units["level"] == "province"
            alone = provinces & ~units["province"].isin(units.loc[cities, "province"])
            here = {"province": provinces, "county": ~cities & ~provinces}.get(level, cities | alone)
            codes, elsewhere = units.index[here], {str(k): v for k, v in units.loc[~here, "level"].items()}
        return cls(
            level,
            own["unit"].to_dict(),
            own[["minimum", "maximum"]],
            frozenset(rows.index.difference(own.index)),
            frozenset(map(str, codes)),
            elsewhere,
            frozenset(sources),
        )


def _numbers(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").astype(float)


def fact_rules(words: Vocabulary) -> dict[str, Rule]:
    """Rules of a raw fact table by column."""
    known, unknown = one_of(f"{words.level} indicator", words.units_of, "add it to catalogue.csv first")
    kind = "economy" if words.level == "economy" else "adcode"
    here, unheard = one_of(f"{kind} code", words.codes, "add it to units.csv if it is new")

    def code(text: str) -> str:
        if text in words.elsewhere:
            return f"{text!r} is a {words.elsewhere[text]} in units.csv, not a unit of tables of level {words.level!r}"
        return unheard(text)

    def indicator(text: str) -> str:
        if text in words.derived:
            return f"{text!r} is computed by a formula in catalogue.csv; remove these rows or the formula"
        return unknown(text)

    def number(text: str) -> str:
        advice = "leave a missing figure out of the table" if text.strip() == "" else "expected digits and a point"
        return f"{text!r} is not a number; {advice}"

    return {
        **dict.fromkeys(KEYS[words.level], (here, code)),
        "year": A_YEAR,
        "indicator": (known, indicator),
        "value": (lambda cells: cells.str.fullmatch(NUMBER) & (_numbers(cells).abs() < np.inf), number),
        "source": one_of("source", words.sources, "add it to sources.csv"),
    }


def _listing(known: frozenset[str]) -> Rule:
    return (
        lambda cells: cells.map(lambda cell: known.issuperset(str(cell).split(";"))),
        lambda text: f"{text!r} has a code that is not in units.csv",
    )


def list_rules(kind: str, codes: frozenset[str], sources: Iterable[str]) -> dict[str, Rule]:
    """Rules of a list, such as ``clusters.csv`` or ``policies.csv``, by column."""
    one: Rule = (lambda cells: cells.isin(codes), lambda text: f"{text!r} is not a code in units.csv")
    own: dict[str, dict[str, Rule]] = {
        "clusters": {
            **filled("cluster_id programme programme_en programme_zh batch name_en name_zh"),
            "adcodes": _listing(codes),
            "year": A_YEAR,
        },
        "policies": {
            **filled("policy policy_en policy_zh"),
            "adcode": one,
            "year_effective": A_YEAR,
            "announced": A_DATE,
        },
        "cluster_counts": {
            **filled("programme"),
            "year": A_YEAR,
            "part": one_of("part", PARTS),
            "scope": _listing(codes | {NATION}),
            "count": matching("[0-9]{1,9}", "is not a number of clusters"),
        },
        "boundary_changes": {
            **filled("note_en note_zh"),
            "year": A_YEAR,
            "kind": one_of("kind", CHANGES),
            "adcode_from": one,
            "adcode_to": one,
        },
        "unit_history": {
            **filled("name_zh"),
            "adcode": matching("[0-9]{6}", "is not a six-digit GB/T 2260 code"),
            "level": one_of("level", UNIT_LEVELS),
            "first_year": A_YEAR,
            "last_year": A_YEAR,
            "change": one_of("change", HISTORY),
            "successors": matching("([0-9]{6}(;[0-9]{6})*)?", "is no list of six-digit codes joined by ;"),
        },
    }
    source = {"source": one_of("source", sources, "add it to sources.csv")}
    if kind == "unit_history":
        return own[kind] | source
    return (
        own[kind]
        | source
        | {
            "confirmed": matching("|".join(CONFIRMED), f"should be one of {', '.join(CONFIRMED)}"),
            "publications": matching("[0-9]{1,9}", "is not a number of publications"),
        }
    )


def place_problems(kind: str, table: RawTable, units: pd.DataFrame) -> list[Problem]:
    """Return the cells of ``clusters.csv`` or ``policies.csv`` that contradict what ``units.csv`` says of the codes."""
    known, problems = {str(code): row for code, row in units.to_dict("index").items()}, []
    for line, row in table.frame.to_dict("index").items():
        given = row["adcodes"].split(";") if kind == "clusters" else [row["adcode"]]
        codes = list(dict.fromkeys(given))
        if not known.keys() >= set(codes):
            continue
        places = [known[code] for code in codes]
        names, provinces = ([str(place[column]) for place in places] for column in ("name_zh", "province"))
        expected = {"adcodes": codes, "lead_cities_zh": names, "provinces": dict.fromkeys(provinces)}
        if kind == "policies":
            # A part of the place may be told behind its name.
            name = row["name_zh"] if row["name_zh"].startswith(names[0]) else names[0]
            expected = {"level": [places[0]["level"]], "name_zh": [name]}
        problems += [
            table.problem(line, f"{row[column]!r}: by units.csv expected {text!r} for {';'.join(codes)}", column)
            for column, text in ((column, ";".join(words)) for column, words in expected.items())
            if row[column] != text
        ]
    return problems


def history_problems(table: RawTable) -> list[Problem]:
    """Return the rows of ``unit_history.csv`` that overlap, or whose change and successors contradict other rows."""
    lines = [int(str(line)) for line in table.frame.index]
    columns = (table.frame[name].tolist() for name in ("adcode", "change", "successors"))
    years = (table.frame[name].astype(int).tolist() for name in ("first_year", "last_year"))
    spells, problems = dict[str, list[tuple[int, int, int]]](), list[Problem]()
    rows = list(zip(lines, *columns, *years, strict=True))
    latest = max((row[-1] for row in rows), default=0)
    for line, code, _, _, first, last in rows:
        spells.setdefault(code, []).append((first, last, line))
    for line, code, change, successors, first, last in rows:
        listed = successors.split(";") if successors else []
        expected = {"": 0, "untraced": 0, "divided": max(2, len(listed))}.get(change, 1)
        earlier = [at for start, end, at in spells[code] if at < line and start <= last and first <= end]
        lost = [c for c in listed if not any(start <= last + 1 <= end for start, end, _ in spells.get(c, []))]
        found = {
            "last_year": f"{last} comes before first_year" if first > last else "",
            "first_year": f"{code} stands for these years in line {earlier[0]} already" if earlier else "",
            "change": f"{change!r}: expected one if, and only if, the last year is before {latest}"
            if (change == "") != (last == latest) else "",
            "successors": f"{successors!r} does not go with {change!r}: expected {expected} code(s)"
            if len(listed) != expected else f"{lost[0]} is not in the list of {last + 1}" if lost else "",
        }  # fmt: skip
        problems += [table.problem(line, reason, column) for column, reason in found.items() if reason]
    return problems


def name_problems(kind: str, table: RawTable) -> list[Problem]:
    """Return what is wrong in ``sources.csv``, ``units.csv`` or ``economies.csv``."""
    rules, key = filled(_NAMES[kind]), _NAMES[kind].split()[0]
    if kind == "sources":
        rules[key] = A_NAME
    if kind == "units":
        rules[key] = matching("[0-9]{6}", "is not a six-digit GB/T 2260 code")
        rules["level"] = one_of("level", UNIT_LEVELS)
    problems = rule_problems(table, rules)
    problems += table.repeated([key], lambda text: f"{key} {text!r} given twice", key)
    # In Chinese one name may stand twice: a city that changed its code.
    for column in {"units": ["name_en"], "economies": ["name_en", "name_zh"]}.get(kind, []):
        same = ["level", column] if kind == "units" else [column]
        problems += table.repeated(same, lambda text: f"{text!r} is the name of two: tell them apart", column)
    if kind == "units" and not problems:
        codes, level, province = (table.frame[column] for column in ("adcode", "level", "province"))
        sound = (province == codes.str[:2] + "0000") & province.isin(codes[level == "province"])
        reason = "is not the province of the unit: expected its first two digits and 0000, a code of level province"
        problems = table.problems(~sound, lambda text: f"{text!r} {reason}", "province")
    return problems


def unit_problems(table: RawTable, words: Vocabulary) -> list[Problem]:
    """Return the rows whose unit is not the one that the catalogue gives for their indicator."""
    expected = table.frame["indicator"].map(words.units_of)
    wrong = expected.notna() & (table.frame["unit"] != expected)
    advice = "convert the values or correct the unit"
    return [
        table.problem(line, f"unit {unit!r} of {name!r}; the catalogue has {right!r}: {advice}", "unit")
        for line, unit, name, right in zip(
            table.frame.index[wrong], table.frame["unit"][wrong], table.frame["indicator"][wrong], expected[wrong],
            strict=True,
        )
    ]  # fmt: skip


def bound_problems(table: RawTable, words: Vocabulary) -> list[Problem]:
    """Return the rows whose value is beyond the bounds that the catalogue gives for their indicator."""
    number, problems = _numbers(table.frame["value"]), []
    for bound, beyond in (("minimum", lt), ("maximum", gt)):
        limit = table.frame["indicator"].map(words.bounds[bound]).astype(float)
        for line in table.frame.index[beyond(number, limit) & np.isfinite(number)]:
            name = table.frame["indicator"][line]
            reason = f"{number[line]:g} is beyond the {bound} of {name!r}, {limit[line]:g}"
            problems.append(table.problem(line, reason, "value"))
    return problems


def duplicate_problems(tables: list[RawTable], key: Sequence[str]) -> list[Problem]:
    """Return the rows whose (unit, year, indicator) stands in an earlier row of the same or another file."""
    if not tables:
        return []
    columns = [*key, "year", "indicator"]
    stacked = pd.concat({t.file: t.frame[columns] for t in tables}, names=["file", "line"]).reset_index()
    repeated = stacked.duplicated(columns)
    if not repeated.any():
        return []
    first = stacked.drop_duplicates(columns).set_index(columns)
    problems = []
    for file, line, *place in stacked.loc[repeated, ["file", "line", *columns]].itertuples(index=False):
        earlier = first.loc[tuple(place)]
        what = ", ".join(map(str, place))
        problems.append(Problem(file, line, f"({what}) is already in {earlier['file']}, line {earlier['line']}"))
    return problems


def self_problems(table: RawTable, key: Sequence[str]) -> list[Problem]:
    """Return the rows that pair a unit with itself."""
    # Column by column: asking each row of a table of pairs takes longer than all else that building does.
    same = pd.Series(False, index=table.frame.index)
    for one, other in combinations(key, 2):
        same |= table.frame[one] == table.frame[other]
    return table.problems(same, lambda text: f"{text} is paired with itself: expected two cities", key[-1])


def check_facts(tables: list[RawTable], words: Vocabulary, unread: Sequence[Problem] = ()) -> None:
    """Check raw fact tables against their rules, the catalogue and each other; raise with every problem found.

    Problems of tables that could not be read, ``unread``, are raised with the others.

    Raises
    ------
    RawDataError
        For a non-number, an unknown code, indicator, year or source, a wrong unit, a value out of bounds, or a key
        given twice.
    """
    rules, problems = fact_rules(words), list(unread)
    for table in tables:
        problems += rule_problems(table, rules) + unit_problems(table, words) + bound_problems(table, words)
        problems += self_problems(table, KEYS[words.level])
    problems += duplicate_problems(tables, KEYS[words.level])
    if problems:
        raise RawDataError(problems)

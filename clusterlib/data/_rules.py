"""What a raw fact and the lists of clusters and policies must look like, and what to say of one that does not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import gt, lt
from typing import TypeAlias

import numpy as np
import pandas as pd

from clusterlib.data._raw import KEYS, RawTable, rows_of
from clusterlib.errors import Problem, RawDataError, UnknownNameError

YEARS = (1949, 2100)
CONFIRMED = ("yes", "partial", "no")
UNIT_LEVELS = ("province", "city", "county")
# Which cells of a column are sound, and what to say of one that is not.
Rule: TypeAlias = tuple[Callable[[pd.Series], pd.Series], Callable[[str], str]]


@dataclass(frozen=True)
class Vocabulary:
    """The names that the raw tables of one level may use."""

    level: str
    units_of: dict[Hashable, str]
    bounds: pd.DataFrame
    derived: frozenset[str]
    codes: frozenset[str]
    sources: frozenset[str]

    @classmethod
    def of(cls, level: str, catalogue: pd.DataFrame, codes: Iterable[object], sources: Iterable[str]) -> Vocabulary:
        """Return the names of a level."""
        rows = rows_of(catalogue, level)
        own = rows[rows["formula"] == ""]
        return cls(
            level,
            own["unit"].to_dict(),
            own[["minimum", "maximum"]],
            frozenset(rows.index.difference(own.index)),
            frozenset(map(str, codes)),
            frozenset(sources),
        )


def one_of(kind: str, valid: Iterable[Hashable], hint: str = "") -> Rule:
    """Return the rule that a cell is one of these names."""
    names = list(valid)
    return lambda cells: cells.isin(names), lambda text: str(UnknownNameError(kind, text, names, hint))


def matching(pattern: str, what: str) -> Rule:
    """Return the rule that a cell has this form."""
    return lambda cells: cells.str.fullmatch(pattern), lambda text: f"{text!r} {what}"


def _is_year(cells: pd.Series) -> pd.Series:
    return cells.str.fullmatch(r"\d{4}") & pd.to_numeric(cells, errors="coerce").between(*YEARS)


A_YEAR: Rule = (_is_year, lambda text: f"{text!r} is not a year from {YEARS[0]} to {YEARS[1]}")


def _numbers(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").astype(float)


def fact_rules(words: Vocabulary) -> dict[str, Rule]:
    """Rules of a raw fact table by column."""
    key = KEYS[words.level]
    known, unknown = one_of(f"{words.level} indicator", words.units_of, "add it to catalogue.csv first")

    def indicator(text: str) -> str:
        if text in words.derived:
            return f"{text!r} is computed by a formula in catalogue.csv; remove these rows or the formula"
        return unknown(text)

    def number(text: str) -> str:
        advice = "leave a missing figure out of the table" if text.strip() == "" else "expected digits and a point"
        return f"{text!r} is not a number; {advice}"

    return {
        key: one_of(f"{key} code", words.codes, "add it to units.csv if it is new"),
        "year": A_YEAR,
        "indicator": (known, indicator),
        "value": (lambda cells: _numbers(cells).abs() < np.inf, number),
        "source": one_of("source", words.sources, "add it to sources.csv"),
    }


def list_rules(kind: str, codes: frozenset[str], sources: Iterable[str]) -> dict[str, Rule]:
    """Rules of ``clusters.csv`` or ``policies.csv`` by column."""
    several: Rule = (
        lambda cells: cells.map(lambda cell: codes.issuperset(str(cell).split(";"))),
        lambda text: f"{text!r} has a code that is not in units.csv",
    )
    own: dict[str, Rule] = {
        "adcodes": several,
        "provinces": several,
        "year": A_YEAR,
        "digital": matching("[01]", "should be 0 or 1"),
    }
    if kind == "policies":
        own = {
            "adcode": (lambda cells: cells.isin(codes), lambda text: f"{text!r} is not a code in units.csv"),
            "level": one_of("level", UNIT_LEVELS),
            "year_effective": A_YEAR,
        }
    return own | {
        "source": one_of("source", sources, "add it to sources.csv"),
        "confirmed": matching("|".join(CONFIRMED), f"should be one of {', '.join(CONFIRMED)}"),
        "publications": matching("[0-9]+", "is not a number of publications"),
    }


def rule_problems(table: RawTable, rules: Mapping[str, Rule]) -> list[Problem]:
    """Return the cells that break the rule of their column, by line."""
    found = [
        problem
        for column, (sound, explain) in rules.items()
        for problem in table.problems(~sound(table.frame[column]).astype(bool), explain, column)
    ]
    return sorted(found, key=lambda problem: (problem.line, problem.column))


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


def duplicate_problems(tables: list[RawTable], key: str) -> list[Problem]:
    """Return the rows whose (unit, year, indicator) stands in an earlier row of the same or another file."""
    if not tables:
        return []
    columns = [key, "year", "indicator"]
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
    problems += duplicate_problems(tables, KEYS[words.level])
    if problems:
        raise RawDataError(problems)

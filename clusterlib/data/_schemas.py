"""What a raw fact, a processed panel and the lists of clusters and policies must look like (pandera)."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from clusterlib.data._raw import KEYS, RawTable, rows_of
from clusterlib.errors import Problem, RawDataError, UnknownNameError
from clusterlib.regions import REGIONS

YEARS = (1949, 2100)
_YEAR = re.compile(r"\d{4}")
CONFIRMED = ("yes", "partial", "no")


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


def _is_year(text: pd.Series) -> pd.Series:
    number = pd.to_numeric(text, errors="coerce")
    return text.str.fullmatch(_YEAR) & number.between(*YEARS)


def _is_number(text: pd.Series) -> pd.Series:
    return pd.Series(np.isfinite(pd.to_numeric(text, errors="coerce").astype(float)), index=text.index)


def fact_schema(words: Vocabulary) -> pa.DataFrameSchema:
    """Schema of a raw fact table as text, before conversion."""
    key = KEYS[words.level]
    return pa.DataFrameSchema(
        {
            key: pa.Column(str, pa.Check(lambda s: s.isin(words.codes))),
            "year": pa.Column(str, pa.Check(_is_year)),
            "indicator": pa.Column(str, pa.Check(lambda s: s.isin(words.units_of))),
            "value": pa.Column(str, pa.Check(_is_number)),
            "source": pa.Column(str, pa.Check(lambda s: s.isin(words.sources))),
            "unit": pa.Column(str),
        },
        strict=True,
    )


def _explanations(words: Vocabulary) -> dict[str, Callable[[str], str]]:
    key = KEYS[words.level]

    def indicator(value: str) -> str:
        if value in words.derived:
            return f"{value!r} is computed by a formula in catalogue.csv; remove these rows or the formula"
        hint = "add it to catalogue.csv first"
        return str(UnknownNameError(f"{words.level} indicator", value, words.units_of, hint))

    def number(value: str) -> str:
        advice = "leave a missing figure out of the table" if value.strip() == "" else "expected digits and a point"
        return f"{value!r} is not a number; {advice}"

    return {
        key: lambda v: str(UnknownNameError(f"{key} code", v, words.codes, "add it to units.csv if it is new")),
        "year": lambda v: f"{v!r} is not a year from {YEARS[0]} to {YEARS[1]}",
        "indicator": indicator,
        "value": number,
        "source": lambda v: str(UnknownNameError("source", v, words.sources, "add it to sources.csv")),
    }


def schema_problems(table: RawTable, schema: pa.DataFrameSchema, explain: dict) -> list[Problem]:
    """Validate ``table`` lazily and return what failed as problems with their lines."""
    try:
        schema.validate(table.frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.sort_values(["index", "column"])
        return [
            table.problem(case.index, explain[case.column](case.failure_case), case.column)
            for case in cases.itertuples(index=False)
        ]
    return []


def unit_problems(table: RawTable, words: Vocabulary) -> list[Problem]:
    """Rows whose unit is not the one that the catalogue gives for their indicator."""
    expected = table.frame["indicator"].map(words.units_of)
    wrong = table.frame[expected.notna() & (table.frame["unit"] != expected)]
    return [
        table.problem(
            line,
            f"unit {row.unit!r} of {row.indicator!r}; the catalogue has {expected[line]!r}: convert the values or "
            "correct the unit",
            "unit",
        )
        for line, row in zip(wrong.index, wrong.itertuples(index=False), strict=True)
    ]


def bound_problems(table: RawTable, words: Vocabulary) -> list[Problem]:
    """Rows whose value is beyond the bounds that the catalogue gives for their indicator."""
    number = pd.to_numeric(table.frame["value"], errors="coerce").astype(float)
    problems = []
    for bound, outside in (("minimum", pd.Series.lt), ("maximum", pd.Series.gt)):
        limit = table.frame["indicator"].map(words.bounds[bound]).astype(float)
        problems += [
            table.problem(
                line,
                f"{number[line]:g} is beyond the {bound} of {table.frame['indicator'][line]!r}, {limit[line]:g}",
                "value",
            )
            for line in table.frame.index[outside(number, limit) & np.isfinite(number)]
        ]
    return problems


def check_facts(tables: list[RawTable], words: Vocabulary, unread: Sequence[Problem] = ()) -> None:
    """Check raw fact tables against the schema, the catalogue and each other; raise with every problem found.

    Problems of tables that could not be read, ``unread``, are raised with the others.

    Raises
    ------
    RawDataError
        For a non-number, an unknown code, indicator, year or source, a wrong unit, a value out of bounds, or a key
        given twice.
    """
    schema, explain = fact_schema(words), _explanations(words)
    problems = list(unread)
    for table in tables:
        problems += schema_problems(table, schema, explain)
        problems += unit_problems(table, words)
        problems += bound_problems(table, words)
    problems += duplicate_problems(tables, KEYS[words.level])
    if problems:
        raise RawDataError(problems)


def duplicate_problems(tables: list[RawTable], key: str) -> list[Problem]:
    """Rows whose (unit, year, indicator) stands in an earlier row of the same or another file."""
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


def panel_schema(level: str, catalogue: pd.DataFrame) -> pa.DataFrameSchema:
    """Schema of a processed panel: one float column an indicator within its bounds, a unique index."""
    columns = {}
    for indicator, row in rows_of(catalogue, level).iterrows():
        bounds = ((pa.Check.ge, row["minimum"]), (pa.Check.le, row["maximum"]))
        checks = [check(bound) for check, bound in bounds if not np.isnan(bound)]
        columns[indicator] = pa.Column(float, checks, nullable=True)
    key_type = str if level == "economy" else int
    index = pa.MultiIndex(
        [pa.Index(key_type, name=KEYS[level]), pa.Index(int, pa.Check.in_range(*YEARS), name="year")],
        unique=[KEYS[level], "year"],
    )
    return pa.DataFrameSchema(columns, index=index, strict=True)


def _codes_known(codes: frozenset[str]) -> Callable[[pd.Series], pd.Series]:
    return lambda text: text.map(lambda cell: codes.issuperset(str(cell).split(";")))


def list_schema(kind: str, codes: frozenset[str], sources: frozenset[str]) -> tuple[pa.DataFrameSchema, dict]:
    """Schema of ``clusters.csv`` or ``policies.csv`` as text, with what to say of each failure."""
    key, year = ("adcodes", "year") if kind == "clusters" else ("adcode", "year_effective")
    shared: dict[str, tuple[Callable[[pd.Series], pd.Series], Callable[[str], str]]] = {
        key: (_codes_known(codes), lambda v: f"{v!r} has a code that is not in units.csv"),
        year: (_is_year, lambda v: f"{v!r} is not a year from {YEARS[0]} to {YEARS[1]}"),
        "region": (
            lambda s: s.isin(["", *REGIONS]),
            lambda v: str(UnknownNameError("region", v, REGIONS, "or leave it empty")),
        ),
        "source": (
            lambda s: s.isin(sources),
            lambda v: str(UnknownNameError("source", v, sources, "add it to sources.csv")),
        ),
        "confirmed": (
            lambda s: s.isin(CONFIRMED),
            lambda v: f"{v!r} should be one of {', '.join(CONFIRMED)}",
        ),
        "publications": (lambda s: s.str.fullmatch("[0-9]+"), lambda v: f"{v!r} is not a number of publications"),
    }
    if kind == "clusters":
        shared["digital"] = (lambda s: s.isin(["0", "1"]), lambda v: f"{v!r} should be 0 or 1")
        shared["provinces"] = (_codes_known(codes), lambda v: f"{v!r} has a code that is not in units.csv")
    else:
        levels = ["province", "city", "county"]
        shared["level"] = (lambda s: s.isin(levels), lambda v: str(UnknownNameError("level", v, levels)))
        shared["adcode"] = (lambda s: s.isin(codes), lambda v: f"{v!r} is not a code in units.csv")
    columns = {name: pa.Column(str, pa.Check(check)) for name, (check, _) in shared.items()}
    return pa.DataFrameSchema(columns), {name: explain for name, (_, explain) in shared.items()}

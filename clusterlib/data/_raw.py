"""Read the raw tables, the catalogue among them, and say exactly where one is wrong: file, line, column and reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from clusterlib.core.rows import name_of, read_rows
from clusterlib.data._cells import A_NAME, A_YEAR, NUMBER, Rule, filled, matching, one_of
from clusterlib.data._columns import CATALOGUE_COLUMNS, KEYS, LEVELS, LIST_COLUMNS, LISTED, raw_files
from clusterlib.errors import Problem, ProblemsError, RawDataError

LINE = "line"
_INTEGERS = ["first_year", "last_year", "cells", "direction"]
_BOUNDS = ["minimum", "maximum"]


@dataclass(frozen=True)
class RawTable:
    """A raw csv as text: one column a field and the line that each row came from as index."""

    file: str
    frame: pd.DataFrame

    def problem(self, line: object, reason: str, column: str = "") -> Problem:
        """Return what is wrong in a row, which is named by its line."""
        return Problem(self.file, int(str(line)), reason, column)

    def problems(self, wrong: pd.Series, reason: str | Callable[[str], str], column: str) -> list[Problem]:
        """Return what is wrong in the rows that are marked, by the text that stands in this column."""
        if not wrong.any():
            return []
        cells = self.frame.loc[wrong, column].items()
        return [self.problem(line, reason if isinstance(reason, str) else reason(text), column) for line, text in cells]

    def repeated(self, columns: list[str], reason: str | Callable[[str], str], column: str = "") -> list[Problem]:
        """Return the rows whose values of these columns stand in an earlier one."""
        found = self.problems(self.frame.duplicated(columns), reason, column or columns[0])
        return found if column else [replace(problem, column="") for problem in found]


def read_table(
    path: Path, columns: Sequence[str], root: Path | None = None, error: type[ProblemsError] = RawDataError
) -> RawTable:
    """Read one raw csv as text, its rows indexed by their line in the file.

    Parameters
    ----------
    path : Path
        The csv file, UTF-8 with a header.
    columns : sequence of str
        The columns that it must have, in any order.
    root : Path, optional
        Folder that messages name the file from.
    error : type
        What is raised.

    Returns
    -------
    RawTable

    Raises
    ------
    ProblemsError
        If the file is missing, not UTF-8 or cut off, or has other columns or a row with too many or too few fields.
    """
    rows = read_rows(path, columns, root, error)
    frame = pd.DataFrame(
        list(rows.values()), columns=list(columns), index=pd.Index(list(rows), name=LINE, dtype="int64"), dtype="str"
    )
    return RawTable(name_of(path, root), frame)


def read_fact_tables(raw: Path, level: str, root: Path) -> tuple[list[RawTable], list[Problem]]:
    """Read every fact table of a level, all csv files in ``data/raw/<level>/``, and say why others cannot be read."""
    columns = [*KEYS[level], "year", "indicator", "value", "unit", "source"]
    paths = sorted((raw / level).glob("*.csv"))
    if not paths:
        folder = (raw / level).relative_to(root).as_posix()
        return [], [Problem(folder, 0, "no csv file in this folder")]
    tables, problems = [], []
    for path in paths:
        try:
            tables.append(read_table(path, columns, root))
        except RawDataError as error:
            problems.extend(error.problems)
    return tables, problems


def stray_problems(raw: Path, root: Path) -> list[Problem]:
    """Return the files that no table is read from, which would be left out without a word."""
    lists = sorted(f"{name}.csv" for name in (*LISTED, "catalogue", "lists"))
    problems = []
    for path in raw_files(raw):
        *folders, file = path.relative_to(raw).parts
        if not path.name.endswith(".csv"):
            reason = f"not read, since its name does not end in .csv: rename it to {path.stem}.csv"
        elif folders and (len(folders) > 1 or folders[0] not in LEVELS):
            reason = f"not read from this folder: move it to data/raw/ and one of {', '.join(LEVELS)}, or delete it"
        elif not folders and file not in lists:
            levels = ", ".join(LEVELS)
            reason = (
                f"not read, since it is none of {', '.join(lists)}: figures belong into data/raw/ and one of {levels}"
            )
        else:
            continue
        problems.append(Problem(name_of(path, root), 0, reason))
    return problems


def rule_problems(table: RawTable, rules: Mapping[str, Rule]) -> list[Problem]:
    """Return the cells that break the rule of their column, by line."""
    found = [
        problem
        for column, (sound, explain) in rules.items()
        for problem in table.problems(~sound(table.frame[column]).astype(bool), explain, column)
    ]
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def read_lists(raw: Path, root: Path) -> RawTable:
    """Read ``lists.csv``, which says how many rows each list of the other tables has."""
    table = read_table(raw / "lists.csv", LIST_COLUMNS, root)
    problems = rule_problems(
        table, {"table": one_of("table", LISTED), "rows": matching("[0-9]+", "is not a number of rows")}
    )
    problems += table.repeated(["table", "list"], "list given twice", "list")
    if problems:
        raise RawDataError(problems)
    return table


def count_problems(table: RawTable, kind: str, lists: RawTable) -> list[Problem]:
    """Return the lists of a table that have other rows than ``lists.csv`` says, and those that it does not know."""
    column = LISTED[kind]
    names = table.frame[column] if column else pd.Series("", index=table.frame.index)
    found, expected = names.value_counts(), lists.frame[lists.frame["table"] == kind]
    problems = [
        table.problem(line, f"the list {name!r} is not in lists.csv: add it there with its number of rows", column)
        for line, name in names[~names.isin(expected["list"]) & ~names.duplicated()].items()
    ]
    for line, name, rows in expected[["list", "rows"]].itertuples():
        if found.get(name, 0) != int(rows):
            reason = (
                f"{table.file} has {found.get(name, 0)} rows{f' of {column} {name!r}' if column else ''}, expected "
                f"{rows}: the table may be cut off; if the change is meant, update rows here"
            )
            problems.append(lists.problem(line, reason, "rows"))
    return problems


def read_catalogue(raw: Path, root: Path) -> pd.DataFrame:
    """Read and check ``catalogue.csv``, indexed by (level, indicator).

    Raises
    ------
    RawDataError
        If a level is unknown or has no indicator, an indicator is listed twice, a text is missing, a number, year,
        bound or direction is none, or breaks are told in one language alone.
    """
    table = read_table(raw / "catalogue.csv", CATALOGUE_COLUMNS, root)
    frame = table.frame.copy()
    number = matching(f"({NUMBER})?", "is not a number")
    rules = {
        **filled("name_en name_zh theme unit unit_zh definition source vintage"),
        "level": one_of("level", LEVELS),
        "indicator": A_NAME,
        "first_year": A_YEAR,
        "last_year": A_YEAR,
        "cells": matching("[0-9]{0,9}", "is not a number of cells"),
        "direction": matching("-1|0|1", "should be 1, -1 or 0"),
        "minimum": number,
        "maximum": number,
    }
    problems = rule_problems(table, rules)
    problems += [
        table.problem(
            max(frame.index, default=1), f"no indicator of level {level!r}: the table may be cut off", "level"
        )
        for level in LEVELS
        if level not in set(frame["level"])
    ]
    problems += table.repeated(["level", "indicator"], "indicator listed twice", "indicator")
    derived = frame["formula"] != ""
    one_language = (frame["breaks"] == "") != (frame["breaks_zh"] == "")
    problems += table.problems(one_language, "breaks and breaks_zh say the same: one is empty", "breaks_zh")
    problems += table.problems((table.frame["cells"] == "") & ~derived, "the number of cells is missing", "cells")
    if not problems:
        frame[_BOUNDS] = frame[_BOUNDS].replace("", None).astype(float)
        crossed = frame["minimum"] > frame["maximum"]
        problems = table.problems(crossed, lambda text: f"{text} is above the maximum", "minimum")
    if problems:
        raise RawDataError(problems)
    frame["cells"] = frame["cells"].replace("", "0")
    frame = frame.astype(dict.fromkeys(_INTEGERS, "int64"))
    frame["line"] = frame.index
    return frame.set_index(["level", "indicator"])


def rows_of(catalogue: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the catalogue of one level, indexed by indicator."""
    return catalogue[catalogue.index.get_level_values("level") == level].droplevel("level")

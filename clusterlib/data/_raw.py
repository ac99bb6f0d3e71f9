"""Read the raw tables, the catalogue among them, and say exactly where one is wrong: file, line, column and reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from clusterlib.core.rows import name_of, read_rows
from clusterlib.data._columns import CATALOGUE_COLUMNS, KEYS, LEVELS
from clusterlib.errors import Problem, RawDataError, UnknownNameError

LINE = "line"
SOURCE_COLUMNS = "source title_en title_zh publisher url licence note".split()
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
        cells = self.frame.loc[wrong, column].items()
        return [self.problem(line, reason if isinstance(reason, str) else reason(text), column) for line, text in cells]

    def repeated(self, columns: list[str], reason: str | Callable[[str], str], column: str = "") -> list[Problem]:
        """Return the rows whose values of these columns stand in an earlier one."""
        found = self.problems(self.frame.duplicated(columns), reason, column or columns[0])
        return found if column else [replace(problem, column="") for problem in found]


def read_table(path: Path, columns: Sequence[str], root: Path | None = None) -> RawTable:
    """Read one raw csv as text, its rows indexed by their line in the file.

    Parameters
    ----------
    path : Path
        The csv file, UTF-8 with a header.
    columns : sequence of str
        The columns that it must have, in any order.
    root : Path, optional
        Folder that messages name the file from.

    Returns
    -------
    RawTable

    Raises
    ------
    RawDataError
        If the file is missing, not UTF-8 or cut off, or has other columns or a row with too many or too few fields.
    """
    rows = read_rows(path, columns, root, RawDataError)
    frame = pd.DataFrame(
        list(rows.values()), columns=list(columns), index=pd.Index(list(rows), name=LINE, dtype="int64"), dtype="str"
    )
    return RawTable(name_of(path, root), frame)


def read_fact_tables(raw: Path, level: str, root: Path) -> tuple[list[RawTable], list[Problem]]:
    """Read every fact table of a level, all csv files in ``data/raw/<level>/``, and say why others cannot be read."""
    columns = [KEYS[level], "year", "indicator", "value", "unit", "source"]
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


def _number(table: RawTable, column: str, problems: list[Problem], blank: bool) -> pd.Series:
    text = table.frame[column]
    number = pd.to_numeric(text.where(text != "", np.nan), errors="coerce").astype(float)
    problems += table.problems(number.isna() & ~((text == "") & blank), lambda t: f"{t!r} is not a number", column)
    return number


def read_sources(raw: Path, root: Path) -> pd.DataFrame:
    """Read ``sources.csv``, indexed by source key."""
    table = read_table(raw / "sources.csv", SOURCE_COLUMNS, root)
    if problems := table.repeated(["source"], "source key given twice", "source"):
        raise RawDataError(problems)
    return table.frame.set_index("source").sort_index()


def read_catalogue(raw: Path, root: Path) -> pd.DataFrame:
    """Read and check ``catalogue.csv``, indexed by (level, indicator).

    Raises
    ------
    RawDataError
        If a level is unknown or has no indicator, an indicator is listed twice, a number is not one, or breaks are told
        in one language alone.
    """
    table = read_table(raw / "catalogue.csv", CATALOGUE_COLUMNS, root)
    frame = table.frame.copy()
    problems = table.problems(
        ~frame["level"].isin(LEVELS), lambda text: str(UnknownNameError("level", text, LEVELS)), "level"
    )
    problems += [
        table.problem(
            max(frame.index, default=1), f"no indicator of level {level!r}: the table may be cut off", "level"
        )
        for level in LEVELS
        if level not in set(frame["level"])
    ]
    problems += table.repeated(["level", "indicator"], "indicator listed twice", "indicator")
    for column in (*_INTEGERS, *_BOUNDS):
        frame[column] = _number(table, column, problems, blank=column == "cells" or column in _BOUNDS)
    derived = frame["formula"] != ""
    one_language = (frame["breaks"] == "") != (frame["breaks_zh"] == "")
    problems += table.problems(one_language, "breaks and breaks_zh say the same: one is empty", "breaks_zh")
    problems += table.problems((table.frame["cells"] == "") & ~derived, "the number of cells is missing", "cells")
    if problems:
        raise RawDataError(problems)
    frame["cells"] = frame["cells"].fillna(0)
    frame = frame.astype(dict.fromkeys(_INTEGERS, "int64"))
    frame["line"] = frame.index
    return frame.set_index(["level", "indicator"])


def rows_of(catalogue: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the catalogue of one level, indexed by indicator."""
    return catalogue[catalogue.index.get_level_values("level") == level].droplevel("level")

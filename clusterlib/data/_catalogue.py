"""The catalogue: what each indicator is, where it comes from, and what it may not be used for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterlib.data._raw import RawTable, read_table
from clusterlib.errors import Problem, RawDataError, UnknownNameError

COLUMNS = [
    "level",
    "indicator",
    "name_en",
    "name_zh",
    "theme",
    "unit",
    "unit_zh",
    "definition",
    "source",
    "first_year",
    "last_year",
    "cells",
    "vintage",
    "breaks",
    "direction",
    "formula",
    "minimum",
    "maximum",
]
SOURCE_COLUMNS = ["source", "title_en", "title_zh", "publisher", "url", "licence", "note"]
LEVELS = ("province", "city", "economy")
_INTEGERS = ["first_year", "last_year", "cells", "direction"]
_BOUNDS = ["minimum", "maximum"]


def _number(table: RawTable, column: str, problems: list[Problem], blank: bool) -> pd.Series:
    text = table.frame[column]
    number = pd.to_numeric(text.where(text != "", np.nan), errors="coerce").astype(float)
    wrong = number.isna() & ~((text == "") & blank)
    problems.extend(table.problem(line, f"{text[line]!r} is not a number", column) for line in text.index[wrong])
    return number


def read_sources(raw: Path, root: Path) -> pd.DataFrame:
    """Read ``sources.csv``, indexed by source key."""
    table = read_table(raw / "sources.csv", SOURCE_COLUMNS, root)
    repeated = table.frame.index[table.frame["source"].duplicated()]
    if len(repeated):
        raise RawDataError([table.problem(i, "source key given twice", "source") for i in repeated])
    return table.frame.set_index("source").sort_index()


def read_catalogue(raw: Path, root: Path) -> pd.DataFrame:
    """Read and check ``catalogue.csv``, indexed by (level, indicator).

    Raises
    ------
    RawDataError
        If a level is unknown or has no indicator, an indicator is listed twice or a number is not one.
    """
    table = read_table(raw / "catalogue.csv", COLUMNS, root)
    frame, problems = table.frame.copy(), []
    for line, level in frame.loc[~frame["level"].isin(LEVELS), "level"].items():
        problems.append(table.problem(line, str(UnknownNameError("level", level, LEVELS)), "level"))
    end = max(frame.index, default=1)
    problems += [
        table.problem(end, f"no indicator of level {level!r}: the table may be cut off", "level")
        for level in LEVELS
        if level not in set(frame["level"])
    ]
    repeated = frame.duplicated(["level", "indicator"])
    problems += [table.problem(i, "indicator listed twice", "indicator") for i in frame.index[repeated]]
    derived = frame["formula"] != ""
    for column in _INTEGERS:
        frame[column] = _number(table, column, problems, blank=column == "cells")
    for column in _BOUNDS:
        frame[column] = _number(table, column, problems, blank=True)
    for line in frame.index[(table.frame["cells"] == "") & ~derived]:
        problems.append(table.problem(line, "the number of cells is missing", "cells"))
    if problems:
        raise RawDataError(problems)
    frame["cells"] = frame["cells"].fillna(0)
    frame = frame.astype(dict.fromkeys(_INTEGERS, "int64"))
    frame["line"] = frame.index
    return frame.set_index(["level", "indicator"])

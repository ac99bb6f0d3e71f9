"""The indicators that a user brought along (自有指标): facts and a catalogue in ``data/own``, which git ignores."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.reads import READS_VARIABLE
from clusterlib.core.records import tables_read
from clusterlib.core.rows import read_rows
from clusterlib.data._columns import CATALOGUE_COLUMNS, KEYS, PANELS
from clusterlib.data._processed import read_manifest
from clusterlib.errors import OwnDataError, Problem, UnknownNameError
from clusterlib.paths import Project, get_project
from clusterlib.provenance import sha256

if TYPE_CHECKING:
    import pandas as pd

    from clusterlib.data._cells import Rule
    from clusterlib.data._raw import RawTable

# Where a fact stands in the file that it was imported from, and the name that its unit has there.
ORIGIN_COLUMNS = "name original sheet row column note".split()
# How missing figures are filled in, the shipped indicator that measures the same, and which of the two comes first.
OWN_COLUMNS = [*CATALOGUE_COLUMNS, "missing", "same_as", "precedence"]
PRECEDENCE = ("alone", "own", "shipped")
MISSING = "leave|linear [1-9]|multiple [1-9][0-9]?"
# What reads call the catalogue, and what the names of all other imported tables begin with.
OWN_CATALOGUE, OWN = "own_catalogue", "own."
_NAME = r"[^\W\d]\w*"


def own_read(project: Project) -> list[str]:
    """Return the tables of imported indicators that a run with a name has read."""
    return sorted(table for table in tables_read(project.reports) if table.startswith(OWN)) if project.named else []


def own_table(level: str, indicator: str) -> str:
    """Return what reads call the table of an own indicator, such as ``"own.city.firms"``."""
    return f"{OWN}{level}.{indicator}"


def split_table(table: str) -> tuple[str, str]:
    """Return level and indicator of what reads call the table of an own indicator."""
    level, _, indicator = table.removeprefix(OWN).partition(".")
    return level, indicator


def facts_path(project: Project, level: str, indicator: str) -> Path:
    """Return the file of an own indicator's facts."""
    return project.own / level / f"{indicator}.csv"


def fact_columns(level: str) -> list[str]:
    """Return the columns of the file of an own indicator's facts."""
    return [*KEYS[level], "year", "indicator", "value", "unit", "source", *ORIGIN_COLUMNS]


def _path(project: Project) -> Path:
    return project.own / "catalogue.csv"


def in_shipped_run() -> bool:
    """Whether this is a kernel of a run without a name, whose reports are those that are shipped."""
    return READS_VARIABLE in os.environ and not get_project().named


def own_entries(project: Project) -> dict[str, dict[str, str]]:
    """Return the rows of the catalogue as text by what reads call their tables, whatever else is wrong in them.

    Raises
    ------
    OwnDataError
        If it is no such table.
    """
    path = _path(project)
    rows = read_rows(path, OWN_COLUMNS, project.root, OwnDataError).values() if path.exists() else ()
    sound = (row for row in rows if row["level"] in PANELS and re.fullmatch(_NAME, row["indicator"]))
    return {own_table(row["level"], row["indicator"]): row for row in sound}


def own_names(level: str, project: Project | None = None) -> list[str]:
    """Return the names of the imported indicators of a level; raises OwnDataError if the catalogue is damaged."""
    return [name for at, name in map(split_table, own_entries(project or get_project())) if at == level]


def own_hashes(project: Project, digest: Callable[[Path], str] = sha256) -> dict[str, str]:
    """Return the hash of each imported indicator, facts and entry in the catalogue, and of the catalogue as a whole.

    By what reads call the tables; nothing of a catalogue that cannot be read, which whoever needs it is told.

    Parameters
    ----------
    project : Project
    digest : callable
        Returns the hash of a file, and may remember it.
    """
    try:
        found = {}
        for table, row in own_entries(project).items():
            path = facts_path(project, *split_table(table))
            parts = [digest(path) if path.is_file() else "", *(row[column] for column in OWN_COLUMNS)]
            found[table] = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        return {**found, OWN_CATALOGUE: digest(_path(project))} if _path(project).exists() else found
    except (OwnDataError, OSError):
        return {}


def shipped_catalogue(project: Project) -> pd.DataFrame:
    """Return the catalogue of shipped indicators by (level, indicator); raises DataNotBuiltError without one."""
    import pandas as pd

    read_manifest(project)
    return pd.read_parquet(project.processed / "catalogue.parquet")


def _checked_catalogue(project: Project) -> tuple[RawTable, list[Problem]]:
    """Return the catalogue as text, and what is wrong in it by line."""
    from clusterlib.data._cells import A_YEAR, NUMBER, filled, matching, one_of
    from clusterlib.data._raw import read_table, rule_problems

    table = read_table(_path(project), OWN_COLUMNS, project.root, OwnDataError)
    shipped: dict[Any, str] = shipped_catalogue(project)["unit"].to_dict()
    number = matching(f"({NUMBER})?", "is not a number")
    rules = {
        **filled("name_en name_zh unit unit_zh source"),
        "level": one_of("level", PANELS),
        "indicator": matching(_NAME, "is not a name of letters, digits and _"),
        "first_year": A_YEAR,
        "last_year": A_YEAR,
        "cells": matching("[1-9][0-9]{0,8}", "is not a number of cells"),
        "direction": matching("-1|0|1", "should be 1, -1 or 0"),
        "minimum": number,
        "maximum": number,
        "formula": matching("", "an imported indicator has no formula: leave it empty"),
        "missing": matching(MISSING, "should be leave, linear with a gap of years, or multiple with a number"),
        "precedence": one_of("precedence", PRECEDENCE),
    }
    problems = rule_problems(table, rules)
    problems += table.repeated(["level", "indicator"], "indicator listed twice", "indicator")
    for line, row in table.frame.iterrows():
        level, same = row["level"], row["same_as"]
        if (level, row["indicator"]) in shipped:
            way = f"`clusterlib imported --remove {level}.{row['indicator']}`, then import its files again with --as"
            problems.append(table.problem(line, f"a shipped indicator has this name: {way} and another", "indicator"))
        if same and (level, same) not in shipped:
            names = [name for at, name in shipped if at == level]
            problems.append(table.problem(line, str(UnknownNameError(f"{level} indicator", same, names)), "same_as"))
        elif row["precedence"] in PRECEDENCE[1:] and row["unit"] != shipped.get((level, same)):
            reason = (
                f"expected the unit of {same!r}, {shipped[level, same]!r}" if same else "no same_as names the other"
            )
            reason = f"figures of two indicators in one column, though {reason}: put alone here, or import again"
            problems.append(table.problem(line, reason, "precedence"))
    return table, problems


def own_indicators(
    level: str | None = None, names: str | Iterable[str] | None = None, *, project: Project | None = None
) -> pd.DataFrame:
    """Load the catalogue of imported indicators (自有指标目录), in the form of :func:`indicator_catalogue`.

    In a notebook that a run without a name executes there are none: what is shipped rests on nobody's own data.

    Parameters
    ----------
    level : {"province", "city", "county", "economy"}, optional
        Only this level; the result is then indexed by indicator, else by (level, indicator).
    names : str or list of str, optional
        Only these, as far as they were imported. A notebook that asks for names is stale when one of these changes,
        one that asks for all upon every import.
    project : Project, optional
        By default the one that holds this installation, where what is read counts as read.

    Returns
    -------
    DataFrame
        With ``missing``, ``same_as`` and ``precedence`` besides the columns of the catalogue; empty if nothing was
        imported.

    Raises
    ------
    OwnDataError
        With line and column of what is wrong in ``data/own/catalogue.csv``, with ``names`` in their rows.
    UnknownNameError
        If there is no such level.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.data.own_indicators("city").columns[-4:].tolist()
    ['missing', 'same_as', 'precedence', 'line']
    """
    import pandas as pd

    from clusterlib.core.checks import as_names, check_choice
    from clusterlib.data._load import note_table

    check_choice("level", level, [None, *PANELS])
    chosen = None if names is None else as_names(names)
    at, frame = project or get_project(), pd.DataFrame(columns=OWN_COLUMNS, dtype="str")
    if project is None and chosen is None:
        note_table(OWN_CATALOGUE)
    if _path(at).exists() and (project is not None or not in_shipped_run()):
        for table in own_entries(at) if project is None else ():
            of, name = split_table(table)
            if chosen is not None and name in chosen and level in (None, of):
                note_table(table)
        catalogue, problems = _checked_catalogue(at)
        frame = catalogue.frame
        if chosen is not None:
            frame = frame[frame["indicator"].isin(chosen) & frame["level"].isin([level] if level else PANELS)]
            problems = [problem for problem in problems if problem.line in frame.index]
        if problems:
            raise OwnDataError(problems)
    frame = _typed(frame)
    return frame if level is None else frame[frame.index.get_level_values("level") == level].droplevel("level")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    bounds = ["minimum", "maximum"]
    frame = frame.astype(dict.fromkeys(["first_year", "last_year", "cells", "direction"], "int64"))
    frame = frame.assign(**{bound: frame[bound].replace("", None).astype(float) for bound in bounds})
    names = [column for column in OWN_COLUMNS if column not in ("level", "indicator")]
    return frame.rename_axis("line").reset_index().set_index(["level", "indicator"])[[*names, "line"]]


def own_entry(level: str, indicator: str, project: Project | None = None) -> pd.Series:
    """Return what the catalogue says of one imported indicator; what is wrong with others does not matter.

    Raises
    ------
    OwnDataError
        With line and column of what is wrong in its row.
    UnknownNameError
        If there is no such indicator.
    """
    from clusterlib.core.checks import check_choice

    project = project or get_project()
    check_choice("level", level, PANELS)
    check_choice(f"imported {level} indicator", indicator, own_names(level, project))
    return own_indicators(level, indicator, project=project).iloc[0]


def refuse_shipped_names(level: str, names: Iterable[str]) -> None:
    """Refuse names of shipped indicators that imported ones had before: nobody knows which is meant.

    Raises
    ------
    OwnDataError
        With the line of the catalogue, and what to do.
    """
    if in_shipped_run() or not _path(project := get_project()).exists():
        return
    taken: list[str] = []
    with contextlib.suppress(OwnDataError):
        # Of a catalogue that cannot be read hears whoever needs it.
        taken = own_names(level, project)
    for name in names:
        if name in taken:
            own_entry(level, name, project)


def own_facts(level: str, indicator: str, project: Project | None = None) -> pd.DataFrame:
    """Load the tidy facts of an imported indicator, indexed by their line in ``data/own``; ``attrs`` is its entry.

    Raises
    ------
    OwnDataError
        With line and column of what is wrong in the file.
    UnknownNameError
        If there is no such indicator.
    """
    import numpy as np
    import pandas as pd

    from clusterlib.data._cells import A_YEAR, NUMBER, one_of
    from clusterlib.data._raw import read_table, rule_problems

    project = project or get_project()
    entry, keys = own_entry(level, indicator, project), KEYS[level]
    table = read_table(facts_path(project, level, indicator), fact_columns(level), project.root, OwnDataError)
    number = pd.to_numeric(table.frame["value"], errors="coerce").abs() < np.inf
    problems = rule_problems(
        table,
        {
            **dict.fromkeys(keys, _codes_of(level, project)),
            "year": A_YEAR,
            "indicator": one_of("indicator", [indicator], "a file holds the facts of one indicator"),
            "value": (
                lambda cells: cells.str.fullmatch(NUMBER) & number,
                lambda text: f"{text!r} is not a number; leave a missing figure out of the table",
            ),
            "unit": one_of("unit", [entry["unit"]], "one indicator has one unit, as its catalogue says"),
        },
    )
    problems += table.repeated([*keys, "year"], "this unit has a figure of this year in an earlier line", "value")
    if not problems:
        years = table.frame["year"].astype(int)
        actual = (years.min(), years.max(), len(years)) if len(years) else (0, 0, 0)
        stated = (entry["first_year"], entry["last_year"], entry["cells"])
        if actual != stated:
            reason = f"{actual[2]} facts of {actual[0]}-{actual[1]}, data/own/catalogue.csv says {stated[2]} of "
            problems = [Problem(table.file, 0, f"{reason}{stated[0]}-{stated[1]}: import the file again")]
    if problems:
        raise OwnDataError(problems)
    facts = table.frame.astype({"year": "int64", "value": float, **{k: "int64" for k in keys if k != "economy"}})
    facts.attrs = entry.to_dict()
    return facts


def _codes_of(level: str, project: Project) -> Rule:
    """Return the rule that a cell is the code of a unit that stands, or ever stood, at a level."""
    import pandas as pd

    if level == "economy":
        economies = frozenset(pd.read_parquet(project.processed / "economies.parquet", columns=[]).index)
        return lambda cells: cells.isin(economies), lambda text: f"{text!r} is no code of data/raw/economies.csv"
    units = pd.read_parquet(project.processed / "units.parquet", columns=["level", "province"])
    former = pd.read_parquet(project.processed / "unit_history.parquet", columns=["adcode", "level"])
    levels = pd.concat([units["level"], former.set_index("adcode")["level"]])
    codes = levels.index[levels == level]
    if level == "city":
        # Municipalities are cities as well, and so are counties that no city stands above.
        alone = units.index[units["level"] == "province"].difference(
            pd.Index(units.loc[units["level"] == "city", "province"])
        )
        codes = codes.union(alone).union(levels.index[levels.index // 100 % 100 == 90])
    known, files = frozenset(map(str, codes)), "data/raw/units.csv or unit_history.csv"
    return lambda cells: cells.isin(known), lambda text: f"{text!r} is no code of a {level} of {files}"

"""The indicators that a user brought along (自有指标): tidy facts and a catalogue in ``data/own``, which git ignores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.data._cells import A_YEAR, NUMBER, filled, matching, one_of
from clusterlib.data._columns import CATALOGUE_COLUMNS, KEYS, PANELS
from clusterlib.data._raw import read_table, rule_problems
from clusterlib.errors import OwnDataError, Problem
from clusterlib.paths import Project, get_project
from clusterlib.provenance import sha256

# Where a fact stands in the file that it was imported from, and the name that its unit has there.
ORIGIN_COLUMNS = "name original sheet row column note".split()
# How missing figures are filled in, the shipped indicator that measures the same, and which of the two comes first.
OWN_COLUMNS = [*CATALOGUE_COLUMNS, "missing", "same_as", "precedence"]
PRECEDENCE = ("alone", "own", "shipped")
MISSING = "leave|linear [1-9]|multiple [1-9][0-9]?"
_NAME = r"[^\W\d]\w*"


def own_table(level: str, indicator: str) -> str:
    """Return what reads call the table of an own indicator, such as ``"own.city.firms"``."""
    return f"own.{level}.{indicator}"


def facts_path(project: Project, level: str, indicator: str) -> Path:
    """Return the file of an own indicator's facts."""
    return project.own / level / f"{indicator}.csv"


def own_indicators(level: str | None = None, project: Project | None = None) -> pd.DataFrame:
    """Load the catalogue of imported indicators (自有指标目录), in the form of :func:`indicator_catalogue`.

    Parameters
    ----------
    level : {"province", "city", "county", "economy"}, optional
        Only this level; the result is then indexed by indicator, else by (level, indicator).
    project : Project, optional
        By default the one that holds this installation.

    Returns
    -------
    DataFrame
        With ``missing``, ``same_as`` and ``precedence`` besides the columns of the catalogue; empty if nothing was
        imported.

    Raises
    ------
    OwnDataError
        With line and column of what is wrong in ``data/own/catalogue.csv``.
    UnknownNameError
        If there is no such level.
    """
    check_choice("level", level, [None, *PANELS])
    project = project or get_project()
    path = project.own / "catalogue.csv"
    if not path.exists():
        frame = pd.DataFrame(columns=OWN_COLUMNS, dtype="str")
    else:
        table = read_table(path, OWN_COLUMNS, project.root, OwnDataError)
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
        if problems:
            raise OwnDataError(problems)
        frame = table.frame.copy()
    bounds = ["minimum", "maximum"]
    frame[bounds] = frame[bounds].replace("", None).astype(float)
    frame = frame.astype(dict.fromkeys(["first_year", "last_year", "cells", "direction"], "int64"))
    frame = (
        frame.rename_axis("line")
        .reset_index()
        .set_index(["level", "indicator"])[[*(c for c in OWN_COLUMNS if c not in ("level", "indicator")), "line"]]
    )
    return frame if level is None else frame[frame.index.get_level_values("level") == level].droplevel("level")


def own_facts(level: str, indicator: str, project: Project | None = None) -> pd.DataFrame:
    """Load the tidy facts of an imported indicator, indexed by their line in ``data/own``.

    Raises
    ------
    OwnDataError
        With line and column of what is wrong in the file.
    UnknownNameError
        If there is no such indicator.
    """
    project = project or get_project()
    known = own_indicators(level, project)
    check_choice(f"imported {level} indicator", indicator, known.index)
    keys = KEYS[level]
    path = facts_path(project, level, indicator)
    columns = [*keys, "year", "indicator", "value", "unit", "source", *ORIGIN_COLUMNS]
    table = read_table(path, columns, project.root, OwnDataError)
    number = pd.to_numeric(table.frame["value"], errors="coerce").abs() < np.inf
    code = "[A-Z]{3}" if level == "economy" else "[0-9]{6}"
    problems = rule_problems(
        table,
        {
            **dict.fromkeys(keys, matching(code, "is no code of this level")),
            "year": A_YEAR,
            "indicator": one_of("indicator", [indicator], "a file holds the facts of one indicator"),
            "value": (
                lambda cells: cells.str.fullmatch(NUMBER) & number,
                lambda text: f"{text!r} is not a number; leave a missing figure out of the table",
            ),
            "unit": one_of("unit", [known.loc[indicator, "unit"]], "one indicator has one unit, as its catalogue says"),
        },
    )
    problems += table.repeated([*keys, "year"], "this unit has a figure of this year in an earlier line", "value")
    row = known.loc[indicator]
    if not problems:
        years = table.frame["year"].astype(int)
        actual, stated = (years.min(), years.max(), len(years)), (row["first_year"], row["last_year"], row["cells"])
        if actual != tuple(stated):
            reason = f"{actual[2]} facts of {actual[0]}-{actual[1]}, data/own/catalogue.csv says {stated[2]} of "
            problems = [Problem(table.file, 0, f"{reason}{stated[0]}-{stated[1]}: import the file again")]
    if problems:
        raise OwnDataError(problems)
    return table.frame.astype({"year": "int64", "value": float, **{k: "int64" for k in keys if k != "economy"}})


def own_hashes(project: Project) -> dict[str, str]:
    """Return the hash of each imported indicator, facts and catalogue entry, by what reads call it."""
    found = {}
    for (level, indicator), row in own_indicators(project=project).drop(columns="line").iterrows():
        path = facts_path(project, level, indicator)
        entry = "\x1f".join(map(str, row))
        found[own_table(level, indicator)] = f"{sha256(path) if path.is_file() else ''}:{entry}"
    return found

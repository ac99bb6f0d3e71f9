"""Compare what two runs recorded: every number, text and cell of a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clusterlib.core.records import RESULTS, load_records
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import REPORTS, Project

DEFAULT, NAMED = "default", "runs"


def named_run(project: Project, name: str | None) -> Project:
    """Return the project with the reports of a named run, or of the default one.

    Raises
    ------
    InvalidInputError
        For a name that cannot be a folder's.
    """
    if name in {None, DEFAULT}:
        return project
    if not re.fullmatch(r"\w[\w.-]*", str(name)):
        raise InvalidInputError(f"run {name!r}: a name is letters, digits, '_', '-' and '.', as in wide_2016")
    return replace(project, folder=f"{REPORTS}/{NAMED}/{name}")


def find_reports(project: Project, run: str) -> Path:
    """Return the folder of a run, given by its name, as ``default``, or as a folder of reports.

    Raises
    ------
    UnknownNameError
        If there is no such run or folder.
    """
    reports = project.reports if run == DEFAULT else project.root / REPORTS / NAMED / run
    for folder in (reports, Path(run)):
        if any(folder.glob(f"*/*/{RESULTS}")):
            return folder
    names = sorted(path.name for path in (project.root / REPORTS / NAMED).glob("[!.]*"))
    raise UnknownNameError("run", run, [DEFAULT, *names], "or a folder of reports with results in it")


def read_values(reports: Path) -> dict[str, object]:
    """Return every recorded value by its place: region, notebook, name and, of a table, row and column."""
    found = {}
    for path in sorted(reports.glob(f"*/*/{RESULTS}")):
        if not path.parent.name.endswith(".failed"):
            for record in load_records(path)["records"]:
                place = f"{path.parent.parent.name}/{path.parent.name} {record['name']}"
                if record["kind"] == "table":
                    found |= {f"{place} [{cell}]": value for cell, value in _cells(record["value"])}
                elif record["kind"] != "figure":
                    found[place] = record["value"]
    return found


def _cells(table: dict) -> Iterator[tuple[str, object]]:
    levels = len(table["index"])
    labels = [", ".join(map(str, row[:levels])) for row in table["data"]]
    if not levels or len(set(labels)) < len(labels):
        labels = [f"{number}: {label}" for number, label in enumerate(labels)]
    for label, row in zip(labels, table["data"], strict=True):
        for column, value in zip(table["columns"], row[levels:], strict=True):
            yield f"{label}; {column}", value


def compare(before: Path, after: Path, rtol: float = 1e-9) -> tuple[list[str], dict[str, tuple], int]:
    """Compare two folders of reports; numbers that differ by less than ``rtol`` of the larger are the same.

    Returns
    -------
    list of str, dict, int
        What only one has, the values that differ by their place, and how many were compared.
    """
    old, new = read_values(before), read_values(after)
    alone = [f"gone: {p}" for p in old if p not in new] + [f"new: {p}" for p in new if p not in old]
    both = [place for place in old if place in new]
    differing = {place: (old[place], new[place]) for place in both if not _same(old[place], new[place], rtol)}
    return alone, differing, len(both)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(old: object, new: object, rtol: float) -> bool:
    if _is_number(old) and _is_number(new):
        return math.isclose(old, new, rel_tol=rtol, abs_tol=1e-12)  # type: ignore[arg-type]
    return old == new and type(old) is type(new)


def describe(old: object, new: object) -> str:
    """Say how a value differs: of numbers by how much, absolutely and relative to the first."""
    text = f"{old!r} -> {new!r}"
    if not (_is_number(old) and _is_number(new)):
        return text
    change = new - old  # type: ignore[operator]
    return f"{text} ({change:+.6g}" + (f", {change / abs(old):+.3%})" if old else ")")  # type: ignore[arg-type]

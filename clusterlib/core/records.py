"""What runs leave behind as JSON: read if it is whole and of its form, else as if it were not there.

Nothing in it is followed: a name is no path, and a figure lies where its name says.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlib.core.reads import READ
from clusterlib.errors import ClusterlibError

EXECUTED, RESULTS, RUN, ERROR = "notebook.ipynb", "results.json", "run.json", "error.json"
JOURNAL = "run.jsonl"
STATE = ".state"
# A result's name; a file is called after it.
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_TEXTS = ("label_en", "label_zh", "unit", "unit_zh", "note", "note_zh", "source", "source_zh", "cell", "alt", "alt_zh")
_BEHIND = {"line": int, "reads": [int], "cells": [str]}
_CELLS = {"heads": [str], "rows": [[str]], "align": [str]}
_TABLE = {"index": [str], "columns": [str], "data": [[object]]}
# The forms of what runs write; what is of another one was not written by a run.
RESULTS_FORM = {"notebook": str, "region": str, "parameters": dict, "records": [dict]}
_HASHES = {str: str}
RUN_FORM = {
    **dict.fromkeys(("notebook_sha256", "started_at", "commit", "python"), str),
    "parameters": dict, "changed": [str], "seconds": (int, float), "packages": _HASHES, "outputs": _HASHES,
    "inputs": {"notebook": str, "parameters": dict, "code": _HASHES, "data": _HASHES},
}  # fmt: skip
STEPS_FORM = {str: {"made_from": _HASHES, "outputs": _HASHES}}
# What a text that goes on and on does to what reads it.
TOO_MUCH = (ArithmeticError, RecursionError, MemoryError)


@dataclass(frozen=True)
class Place:
    """Where the run of a notebook for a region is written."""

    reports: Path
    region: str
    notebook: str

    @property
    def folder(self) -> Path:
        return self.reports / self.region / self.notebook

    @property
    def failed(self) -> Path:
        return self.reports / self.region / f"{self.notebook}.failed"

    @property
    def page(self) -> Path:
        return self.reports / self.region / f"{self.notebook}.html"

    @property
    def steps(self) -> Path:
        """The record of what was made from the run afterwards, such as the page."""
        return self.reports / STATE / "steps" / f"{self.region}.{self.notebook}.json"

    def scratch(self) -> Path:
        """Make a new scratch folder beside the others, so that it can take their place by a rename."""
        folder = self.folder.with_name(f".{self.notebook}-{uuid.uuid4().hex[:8]}")
        folder.mkdir(parents=True)
        return folder


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def parse_json(text: str) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        For what is no JSON, a key given twice, a number that is none, and what is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def as_plain(value: Any) -> Any:
    """Return a value if JSON can hold it, else raise ValueError, TypeError or one of ``TOO_MUCH``."""
    json.dumps(value, allow_nan=False, sort_keys=True)
    return value


def fault_in(value: Any, form: Any, at: str = "") -> str:
    """Return where a value is not of a form, or nothing.

    A form is a type, several types, ``[form]`` for a list of these, ``{str: form}`` for a mapping of any names to
    these, or a mapping of the names that there must be.

    Examples
    --------
    >>> fault_in({"outputs": {"a.csv": 1}}, {"outputs": {str: str}})
    'outputs.a.csv'
    """
    kind = type(form) if isinstance(form, (dict, list)) else form
    if not isinstance(value, kind):
        return at or "the whole"
    before = f"{at}." if at else ""
    if isinstance(form, list):
        parts = [(f"{before}{k}", item, form[0]) for k, item in enumerate(value)]
    elif isinstance(form, dict):
        named = dict.fromkeys(value, form[str]) if str in form else form
        parts = [(f"{before}{key}", value.get(key), part) for key, part in named.items()]
    else:
        return ""
    return next((fault for place, item, part in parts if (fault := fault_in(item, part, place))), "")


def load_json(path: Path, form: Any) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, is damaged or of another form.
    """
    content = parse_json(path.read_text(encoding="utf-8-sig"))
    if fault := fault_in(content, form):
        raise ValueError(f"{fault} is not what it should be")
    return content


def read_json(path: Path, form: Any) -> Any | None:
    """Return what a JSON file holds, or None if there is none, it is damaged or of another form."""
    try:
        return load_json(path, form)
    except (OSError, ValueError):
        return None


def load_run(path: Path) -> dict:
    """Return the record of a run.

    Raises
    ------
    ClusterlibError
        If there is none, or it is damaged.
    """
    run = read_json(path, RUN_FORM)
    if run is None:
        raise ClusterlibError(f"{path.parent.name}/{path.name} is missing or damaged: run {path.parent.name} again")
    return run


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def fault_of_result(entry: Any) -> str:
    """Return what is wrong with a recorded result, or nothing."""
    texts = {key: str for key in _TEXTS if isinstance(entry, dict) and key in entry}
    # What runs of before did not tell is not asked for.
    texts |= {key: form for key, form in _BEHIND.items() if isinstance(entry, dict) and key in entry}
    if fault := fault_in(entry, {"name": str, "kind": str, **texts}):
        return f"{fault} is not what it should be"
    name, kind = entry["name"], entry["kind"]
    value: Any = entry.get("value")
    if not NAME.fullmatch(name):
        return f"name {name[:80]!r}"
    sound = {
        "number": lambda: _is_number(value),
        "text": lambda: isinstance(value, str) and isinstance(entry.get("value_zh", ""), str | None),
        "figure": lambda: all(
            re.fullmatch(rf"figures/{re.escape(name)}(\.(en|zh))?\.png", str(file))
            for file in (value, entry.get("value_zh") or value)
        ),
        "table": lambda: (
            not fault_in(value, _TABLE)
            and all(len(row) == len(value["index"] + value["columns"]) for row in value["data"])
            and all(isinstance(cell, str | None) or _is_number(cell) for row in value["data"] for cell in row)
            and not any(fault_in(entry[key], _CELLS) for key in ("shown", "shown_zh") if entry.get(key) is not None)
        ),
    }
    if kind not in sound:
        return f"{name}: kind {kind[:80]!r}"
    return "" if sound[kind]() else f"the value of {name}, a {kind}"


def _fault_of_reads(content: dict) -> str:
    """Return what is wrong with what is told of the rows behind the results, or nothing."""
    reads = content.get("reads", [])
    if fault := fault_in(reads, [str], "reads"):
        return f"{fault} is not what it should be"
    if wrong := next((read for read in reads if not READ.fullmatch(read)), ""):
        return f"the read {wrong[:80]!r}"
    beyond = (entry["name"] for entry in content["records"] for k in entry.get("reads", ()) if not 0 <= k < len(reads))
    return "".join(f"{name} points to a read that is not there" for name in [*beyond][:1])


def tables_read(reports: Path) -> set[str]:
    """Return the tables that the notebooks of a run read, from the records of it."""
    paths = (path for path in reports.glob(f"*/*/{RUN}") if not path.parent.name.endswith(".failed"))
    return {table for path in paths if (run := read_json(path, RUN_FORM)) for table in run["inputs"]["data"]}


def load_records(path: Path) -> dict:
    """Return what a run recorded: the name, kind and value of each result hold.

    Raises
    ------
    ClusterlibError
        If it is damaged; the message says where, and what to run.
    """
    try:
        content = load_json(path, RESULTS_FORM)
        fault = next(filter(None, map(fault_of_result, content["records"])), "") or _fault_of_reads(content)
    except (OSError, ValueError) as error:
        fault = str(error)
    if fault:
        notebook, region = path.parent.name, path.parent.parent.name
        again = f"run `clusterlib run --notebook {notebook} --region {region}`"
        raise ClusterlibError(f"{region}/{notebook}/{path.name} is damaged ({fault[:300]}): {again}")
    return content

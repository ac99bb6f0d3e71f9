"""Where runs write, and what a failure is: what every part of the runner needs and nothing heavy."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EXECUTED, RESULTS, RUN, ERROR, LOG = "notebook.ipynb", "results.json", "run.json", "error.json", "kernel.log"
STATE = ".state"
REPORT_NUMBER = 90
_SCRATCH = re.compile(r"\..+-(old|\w{8}(\.\w+)?)")


@dataclass(frozen=True)
class Failure:
    """Where a notebook failed, and with which parameters that are not its own."""

    notebook: str
    region: str
    cell: str
    number: int
    line: str
    error: str
    advice: str = ""
    traceback: str = ""
    parameters: str = ""

    def __str__(self) -> str:
        where = f"cell {self.number} ({self.cell}): {self.line}" if self.cell else "not in a cell"
        with_parameters = f" with {self.parameters}" if self.parameters else ""
        text = f"{self.region} {self.notebook}{with_parameters}, {where}\n    {self.error}"
        return f"{text}\n    {self.advice}" if self.advice else text


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


def is_report(notebook: str) -> bool:
    """Whether a notebook is made from the results of others: those numbered 90 and above."""
    return int(notebook[:2]) >= REPORT_NUMBER


@contextlib.contextmanager
def written_in_place(path: Path) -> Iterator[Path]:
    """Give another name to write a file under, which takes its place when it is whole: no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text so that no reader ever sees half of it."""
    with written_in_place(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict) -> None:
    """Write JSON so that no reader ever sees half of it."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def put_in_place(scratch: Path, target: Path) -> None:
    """Put ``scratch`` in the place of ``target``: a folder can't be replaced in one step, so the old steps aside."""
    old = target.with_name(f".{target.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(scratch, target)
    shutil.rmtree(old, ignore_errors=True)


def recover(reports: Path) -> None:
    """Clear away what a run that was killed left behind, and bring back a folder that was about to be replaced.

    Only for the run that holds the lock: another's scratch folders look the same.
    """
    found = [entry for pattern in (".*", "*/.*", f"{STATE}/steps/.*") for entry in reports.glob(pattern)]
    for entry in sorted(entry for entry in found if _SCRATCH.fullmatch(entry.name)):
        target = entry.with_name(entry.name[1:].removesuffix("-old"))
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
        elif entry.name.endswith("-old") and not target.exists():
            os.rename(entry, target)
        else:
            shutil.rmtree(entry, ignore_errors=True)

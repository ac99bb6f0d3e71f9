"""What a failure is, and how folders of runs are put in place: what every part of the runner needs, nothing heavy."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from clusterlib.core.records import STATE

LOG = "kernel.log"
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

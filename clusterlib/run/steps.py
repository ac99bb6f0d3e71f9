"""What is made from a run afterwards, such as its page: each step knows what it is made from and what it writes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clusterlib.core.records import Place
from clusterlib.run.sources import FOLDER


@dataclass(frozen=True)
class Step:
    """One thing that is made from the run of a notebook for a region.

    Attributes
    ----------
    name : str
        Short and unique; a task is called after it, such as ``"yrd/02_overview.html"`` for the step ``"html"``.
    function : str
        ``"module:name"`` of a function that takes a :class:`Place` and returns the paths of the files it wrote, all
        in ``place.page.parent`` or below.
    files : tuple of str
        Files and folders, relative to the package's folder, whose change makes the step's product stale.
    applies : callable
        Whether a notebook of this name has the step.
    """

    name: str
    function: str
    files: tuple[str, ...]
    applies: Callable[[str], bool] = bool

    def sources(self) -> dict[str, Path]:
        """Return the files whose change makes the product stale, by their place in the package."""
        found = [path for name in self.files for path in [FOLDER / name, *sorted((FOLDER / name).rglob("*.*"))]]
        return {p.relative_to(FOLDER).as_posix(): p for p in found if p.is_file() and p.suffix != ".pyc"}

    def make(self, place: Place) -> list[Path]:
        """Make the product."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(module), name)(place)


STEPS = [
    Step(
        "html",
        "clusterlib.publish.pages:write_page",
        ("publish", "core/hypertext.py", "core/tables.py", "data/_origins.py"),
    )
]

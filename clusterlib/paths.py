"""Where the project's folders are, found without the working directory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from clusterlib.errors import ClusterlibError, InvalidInputError

__all__ = ["Project", "get_project", "named_run"]


def __dir__() -> list[str]:
    return __all__


ROOT_VARIABLE = "CLUSTERLIB_ROOT"
REPORTS_VARIABLE = "CLUSTERLIB_REPORTS"
REPORTS = "reports"
# What the run without a name is called, and the folder in the reports that holds those with one.
DEFAULT_RUN, NAMED_RUNS = "default", "runs"
# What the notebooks that are run are called.
ANALYSIS = r"(?!00)\d{2}_[a-z0-9_]+"


@dataclass(frozen=True)
class Project:
    """The folders of one project checkout, and the folder in it of one run's reports."""

    root: Path
    folder: str = REPORTS

    @property
    def raw(self) -> Path:
        return self.root / "data" / "raw"

    @property
    def study(self) -> Path:
        return self.root / "data" / "study"

    @property
    def own(self) -> Path:
        return self.root / "data" / "own"

    @property
    def processed(self) -> Path:
        return self.root / "data" / "processed"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def analyses(self) -> list[Path]:
        """The notebooks that runs execute, in order: 01 to 99; those numbered 00 are for looking around."""
        return [p for p in sorted(self.notebooks.glob("*.ipynb")) if re.fullmatch(ANALYSIS, p.stem)]

    @property
    def reports(self) -> Path:
        return self.root / self.folder

    @property
    def named(self) -> bool:
        """Whether the reports are those of a run with a name."""
        return self.folder.startswith(f"{REPORTS}/{NAMED_RUNS}/")


def get_project() -> Project:
    """Return the project that holds this installation, or the one named by ``CLUSTERLIB_ROOT``.

    Its reports are those of the default run, or those in the folder that ``CLUSTERLIB_REPORTS`` names within it.

    Raises
    ------
    ClusterlibError
        If there is no ``data/raw`` folder there.
    """
    named = os.environ.get(ROOT_VARIABLE)
    root = Path(named).expanduser().resolve() if named else Path(__file__).resolve().parents[1]
    if not (root / "data" / "raw").is_dir():
        raise ClusterlibError(
            f"no data/raw folder under {root}: the figures come with the project's repository, not with the package; "
            f"set {ROOT_VARIABLE} to the folder of a checkout of it"
        )
    return Project(root, os.environ.get(REPORTS_VARIABLE) or REPORTS)


def named_run(project: Project, name: str | None) -> Project:
    """Return the project with the reports of a named run, or of the default one.

    Raises
    ------
    InvalidInputError
        For a name that cannot be a folder's.
    """
    if name in {None, DEFAULT_RUN}:
        return project
    if not re.fullmatch(r"\w[\w.-]*", str(name)):
        raise InvalidInputError(f"run {name!r}: a name is letters, digits, '_', '-' and '.', as in wide_2016")
    return replace(project, folder=f"{REPORTS}/{NAMED_RUNS}/{name}")

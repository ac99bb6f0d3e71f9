"""Where the project's folders are, found without the working directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from clusterlib.errors import ClusterlibError

ROOT_VARIABLE = "CLUSTERLIB_ROOT"
REPORTS_VARIABLE = "CLUSTERLIB_REPORTS"
REPORTS = "reports"


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
    def processed(self) -> Path:
        return self.root / "data" / "processed"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def reports(self) -> Path:
        return self.root / self.folder


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
            f"no data/raw folder under {root}; set {ROOT_VARIABLE} to the folder of the project's checkout"
        )
    return Project(root, os.environ.get(REPORTS_VARIABLE) or REPORTS)

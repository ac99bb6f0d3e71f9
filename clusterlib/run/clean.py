"""Delete what runs wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

from clusterlib.paths import Project, get_project
from clusterlib.run.locks import run_lock
from clusterlib.run.places import STATE

_KEPT = "README.md"


def find_written(data: bool = False, project: Project | None = None) -> list[Path]:
    """Return what runs wrote in the reports folder and, on request, the built data."""
    project = project or get_project()
    folders = [project.reports, *([project.processed] if data else [])]
    return [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path.name != _KEPT]


def delete(paths: list[Path], project: Project | None = None) -> None:
    """Delete files and folders that runs wrote.

    Raises
    ------
    AlreadyRunning
        If a run is at work.
    """
    project = project or get_project()
    with run_lock(project.reports):
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    shutil.rmtree(project.reports / STATE, ignore_errors=True)

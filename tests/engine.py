"""What the tests of the runner share: small notebooks, the command as a process, and looking for what is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil

from clusterlib.paths import Project

PARAMETERS = 'region: str = "yrd"'
RECORD = "from clusterlib.results import record\nrecord('answer', 42.0, unit='things', label='The answer')"
COMMAND = [sys.executable, "-c", "from clusterlib.run.cli import app; app()"]


def write_notebook(
    project: Project, name: str, *cells: str, title: str = "A notebook", parameters: str = PARAMETERS
) -> Path:
    """Write a notebook with a parameters cell and these code cells, whose identifiers are c1, c2, ..."""
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
    heading = nbformat.v4.new_markdown_cell(f"# {title}", id="heading")
    code = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(cells, start=1)]
    notebook.cells = [heading, cell, *code]
    path = project.notebooks / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def results_of(project: Project, region: str, name: str) -> dict:
    """Return what a notebook recorded, by name."""
    content = json.loads((project.reports / region / name / "results.json").read_text(encoding="utf-8"))
    return {record["name"]: record["value"] for record in content["records"]}


def clusterlib_command(*arguments: str, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=300, **kwargs)


def start_command(*arguments: str, **kwargs) -> subprocess.Popen:
    """Start the command in a session of its own, as a terminal would."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **kwargs,
    )


def wait_for(condition: Callable[[], object], seconds: float = 90) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not so within {seconds} s")


def processes_of(project: Project) -> list[psutil.Process]:
    """Processes that work for a project, by its folder in their environment."""
    found = []
    for process in psutil.process_iter():
        # One may end between any two questions.
        with contextlib.suppress(psutil.Error):
            own = process.pid != os.getpid() and process.environ().get("CLUSTERLIB_ROOT") == str(project.root)
            if own and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(process: subprocess.Popen, number: int = signal.SIGKILL) -> float:
    """Send a signal to the command and return how long it then took to end."""
    began = time.monotonic()
    process.send_signal(number)
    process.wait(30)
    return time.monotonic() - began

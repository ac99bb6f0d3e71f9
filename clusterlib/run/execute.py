"""Execute one notebook for one region: into a scratch folder first, in place of the last run only when it succeeded."""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project

EXECUTED, RESULTS, RUN, ERROR, LOG = "notebook.ipynb", "results.json", "run.json", "error.json", "kernel.log"
KERNEL = "python3"
PACKAGES = ["clusterlib", "pandas", "numpy", "scipy", "statsmodels", "geopandas", "matplotlib", "seaborn", "papermill"]


class NotebookFailed(ClusterlibError):
    """A cell of a notebook raised an error; what ran is kept beside the last good run."""


@dataclass(frozen=True)
class Failure:
    """Where a notebook failed."""

    notebook: str
    region: str
    cell: str
    number: int
    line: str
    error: str

    def __str__(self) -> str:
        where = f"cell {self.number} ({self.cell}): {self.line}" if self.cell else "before the first cell"
        return f"{self.region} {self.notebook}, {where}\n    {self.error}"


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


def execute(source: Path, project: Project, region: str, parameters: dict) -> None:
    """Execute a notebook with papermill and put its results in ``reports/<region>/<notebook>/``.

    The executed notebook, ``results.json``, tables and figures are written to a scratch folder that then takes the
    place of the last run. If a cell fails, the last good run stays and the notebook as far as it went is kept in
    ``<notebook>.failed``.

    Parameters
    ----------
    source : Path
        The notebook, without outputs.
    project : Project
    region : str
    parameters : dict
        What to set in its parameters cell.

    Raises
    ------
    NotebookFailed
        If a cell raised an error.
    ClusterlibError
        If two cells record a result under one name.
    """
    place = Place(project.reports, region, source.stem)
    scratch = place.folder.with_name(f".{source.stem}-{uuid.uuid4().hex[:8]}")
    scratch.mkdir(parents=True)
    try:
        started = time.time()
        failure = _execute(source, scratch / EXECUTED, place, parameters)
        if failure is None:
            try:
                _write_results(scratch, project, place, parameters)
            except ClusterlibError as error:
                failure = Failure(place.notebook, place.region, "", 0, "", str(error))
        _write_run(scratch, project, source, parameters, started)
        if failure is not None:
            _write_json(scratch / ERROR, asdict(failure))
            _replace(scratch, place.failed)
            raise NotebookFailed(str(failure))
        (scratch / LOG).unlink()
        _replace(scratch, place.folder)
        shutil.rmtree(place.failed, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _execute(source: Path, target: Path, place: Place, parameters: dict) -> Failure | None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from clusterlib.run.kernels import LoggedKernelManager, kernel_config

    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=parameters,
            kernel_name=KERNEL,
            language="python",
            cwd=target.parent,
            progress_bar=False,
            kernel_manager_class=LoggedKernelManager,
            config=kernel_config(target.with_name(LOG)),
        )
    except papermill.PapermillExecutionError as error:
        return _failure(nbformat.read(target, as_version=4), place, f"{error.ename}: {error.evalue}")
    except (DeadKernelError, CellTimeoutError) as error:
        return _failure(nbformat.read(target, as_version=4), place, f"{type(error).__name__}: {error}")
    return None


def _failure(notebook: nbformat.NotebookNode, place: Place, error: str) -> Failure:
    added = {"papermill-error-cell-tag", "injected-parameters"}
    own = [cell for cell in notebook.cells if not added.intersection(cell.metadata.get("tags", []))]
    for number, cell in enumerate(own, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        raised = any(output.output_type == "error" for output in cell.outputs)
        # A kernel that died or was stopped leaves no error among the outputs, but no reply either.
        if raised or "shell.execute_reply" not in cell.metadata.get("execution", {}):
            line = cell.source.strip().splitlines()[0]
            return Failure(place.notebook, place.region, cell.id, number, line, error.strip())
    return Failure(place.notebook, place.region, "", 0, "", error.strip())


def _write_results(folder: Path, project: Project, place: Place, parameters: dict) -> None:
    from clusterlib.data.processed import data_hashes
    from clusterlib.results import MIME, collect_records

    notebook = nbformat.read(folder / EXECUTED, as_version=4)
    records = collect_records(notebook)
    images = {
        output.data[MIME]["name"]: output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {}) and "image/png" in output.data
    }
    for kind in ("tables", "figures"):
        (folder / kind).mkdir()
    for entry in records:
        if entry["kind"] == "table":
            _write_table(folder / "tables" / f"{entry['name']}.csv", entry["value"])
        elif entry["kind"] == "figure":
            (folder / entry["value"]).write_bytes(base64.b64decode(images[entry["name"]]))
    content = {
        "notebook": place.notebook,
        "region": place.region,
        "parameters": parameters,
        "data": data_hashes(project),
        "records": records,
    }
    _write_json(folder / RESULTS, content)


def _write_table(path: Path, table: dict) -> None:
    import pandas as pd

    frame = pd.DataFrame(table["data"], columns=[*table["index"], *table["columns"]])
    # Spreadsheets take a csv without the mark for the system's own encoding and garble Chinese.
    frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def _write_run(folder: Path, project: Project, source: Path, parameters: dict, started: float) -> None:
    import platform

    from clusterlib.provenance import git_commit, package_versions, sha256

    content = {
        "notebook_sha256": sha256(source),
        "parameters": parameters,
        "started_at": datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        "commit": git_commit(project.root),
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
    }
    _write_json(folder / RUN, content)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _replace(scratch: Path, target: Path) -> None:
    """Put ``scratch`` in the place of ``target``: a folder can't be replaced in one step, so the old steps aside."""
    old = target.with_name(f".{target.name}-old-{os.getpid()}")
    if target.exists():
        os.rename(target, old)
    os.rename(scratch, target)
    shutil.rmtree(old, ignore_errors=True)

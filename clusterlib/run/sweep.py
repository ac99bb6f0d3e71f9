"""Run one notebook for every combination of parameters, and collect what it recorded in one table."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import Project, get_project
from clusterlib.run.execute import Job, Limits
from clusterlib.run.locks import run_lock
from clusterlib.run.notebooks import Notebook, find_notebooks
from clusterlib.run.parameters import REGION, changed_names, resolve
from clusterlib.run.places import EXECUTED, RESULTS, RUN, Failure, is_report, put_in_place, read_json
from clusterlib.run.plan import Planner, Task, table_hashes
from clusterlib.run.sources import stack_of

if TYPE_CHECKING:
    from rich.console import Console

TABLE, RUNS = "results.parquet", "runs"
_SHOWN_FAILURES = 20
_BATCH = 200


@dataclass
class SweepOutcome:
    """What a sweep did: numbers of combinations, the first failures, and the table of everything recorded."""

    table: Path
    executed: int = 0
    unchanged: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class _Sweep:
    """What all combinations have in common."""

    notebook: Notebook
    source: str
    folder: Path
    project: Project
    inputs: dict
    planner: Planner
    raw: dict
    tables: dict
    commit: str
    limits: Limits
    keep: bool

    def place(self, parameters: Mapping) -> Path:
        """Return the folder of one combination, named by a hash of its parameters."""
        key = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]
        # Two levels: folders with thousands of entries are slow on many file systems.
        return self.folder / RUNS / key[:2] / key

    def job(self, settings: dict) -> Job:
        parameters, given = resolve(self.notebook.name, self.notebook.parameters, settings)
        return Job(
            self.notebook.name,
            str(parameters[REGION]),
            self.source,
            given,
            parameters,
            tuple(changed_names(parameters, self.notebook.defaults)),
            {**self.inputs, "parameters": parameters},
            self.raw,
            self.tables,
            self.planner.sources,
            self.commit,
            self.limits,
        )

    def is_done(self, job: Job) -> bool:
        """Whether a combination has been run from what it would be run from now."""
        run = read_json(self.place(job.parameters) / RUN)
        if run is None:
            return False
        return run["inputs"] == {**job.inputs, **self.planner.observed(run["inputs"])}


def check_grid(notebook: Notebook, grid: Mapping[str, list]) -> dict[str, list]:
    """Return the grid with values of the parameters' types.

    Raises
    ------
    UnknownNameError
        If the notebook has no such parameter.
    InvalidInputError
        If a value is not of the parameter's type, or two values mean the same.
    """
    checked = {}
    for name, values in grid.items():
        if name not in notebook.parameters:
            raise UnknownNameError(f"parameter of {notebook.name}", name, notebook.parameters)
        checked[name] = [notebook.parameters[name].parse(value, notebook.name) for value in values]
        if len({json.dumps(value, sort_keys=True) for value in checked[name]}) < len(values):
            raise InvalidInputError(f"--grid {name}: two of {', '.join(map(str, values))} are the same value")
    return checked


def combinations(grid: Mapping[str, list]) -> Iterator[dict[str, object]]:
    """Give the combinations of a grid one after the other; the last parameter changes fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def run_sweep(
    notebook: str,
    grid: Mapping[str, list],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    keep_notebooks: bool = False,
    project: Project | None = None,
    console: Console | None = None,
    dask: str | None = None,
) -> SweepOutcome:
    """Run a notebook for every combination of parameters.

    All is written below ``reports/sweeps/<notebook>/``: a folder a combination, and ``results.parquet`` with a row
    for each recorded number, text and table of each. What has been run from the same inputs is not run again, so a
    sweep that was stopped goes on where it was; the table holds the combinations of this grid.

    Parameters
    ----------
    notebook : str
    grid : mapping of str to list
        Values of each parameter, as texts or values; parameters that are not named keep the notebook's own.
    workers : int, optional
        Notebooks at a time; by default one for each processor.
    limits : Limits, optional
    keep_notebooks : bool
        Keep each executed notebook, with its figures. Those of failures are always kept.
    project : Project, optional
    console : rich.console.Console, optional
    dask : str, optional
        Address of a Dask scheduler to run on.

    Returns
    -------
    SweepOutcome

    Raises
    ------
    UnknownNameError
        For an unknown notebook, parameter or region.
    InvalidInputError
        For a value that is not of the parameter's type; nothing has run then.
    """
    from clusterlib.run.executors import use_executor

    project = project or get_project()
    (found,) = find_notebooks(project, [notebook])
    if is_report(found.name):
        raise InvalidInputError(f"{found.name} is made from the results of other notebooks: there is nothing to sweep")
    checked = check_grid(found, grid)
    folder = project.reports / "sweeps" / found.name
    with run_lock(folder):
        sweep = _prepare(found, folder, project, limits or Limits(), keep_notebooks)
        _clear_scratch(folder)
        modules = stack_of([found.code])
        with use_executor(dask, project, modules, workers, ahead=False) as (executor, slots):
            outcome = _Runner(sweep, executor).run(checked, slots, console)
        _collect(sweep, checked, outcome.table)
    return outcome


def _prepare(notebook: Notebook, folder: Path, project: Project, limits: Limits, keep: bool) -> _Sweep:
    from clusterlib.data._processed import build, read_manifest
    from clusterlib.provenance import git_commit

    build(project)
    manifest = read_manifest(project)
    tables = table_hashes(manifest)
    planner = Planner(project, tables)
    task: Task = planner.task(notebook, str(notebook.defaults[REGION]), {})
    planner.close()
    inputs = {name: task.inputs[name] for name in ("notebook", "results")}
    source = notebook.path.read_text(encoding="utf-8")
    commit = git_commit(project.root)
    return _Sweep(notebook, source, folder, project, inputs, planner, manifest["inputs"], tables, commit, limits, keep)


def _clear_scratch(folder: Path) -> None:
    for path in folder.glob(f"{RUNS}/*/.*"):
        shutil.rmtree(path, ignore_errors=True)


class _Runner:
    """Threads that each take the next combination, so that only those at work are held in memory."""

    def __init__(self, sweep: _Sweep, executor) -> None:
        self.sweep, self.executor = sweep, executor
        self.outcome = SweepOutcome(sweep.folder / TABLE)
        self.lock = threading.Lock()
        self.broken: BaseException | None = None

    def run(self, grid: Mapping[str, list], slots: int, console: Console | None) -> SweepOutcome:
        from clusterlib.run.sweep_progress import SweepProgress

        todo = combinations(grid)
        total = 1
        for values in grid.values():
            total *= len(values)
        with SweepProgress(console, total) as progress:
            threads = [threading.Thread(target=self._work, args=(todo, progress)) for _ in range(min(slots, total))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self.broken is not None:
            raise self.broken
        return self.outcome

    def _work(self, todo: Iterator[dict], progress) -> None:
        while self.broken is None:
            with self.lock:
                settings = next(todo, None)
            if settings is None:
                return
            try:
                kind = self._one(self.sweep.job(settings))
            except BaseException as error:  # such as a full disk: the next combination would meet the same
                self.broken = error
                return
            with self.lock:
                setattr(self.outcome, kind, getattr(self.outcome, kind) + 1)
                progress.advance(kind)

    def _one(self, job: Job) -> str:
        from clusterlib.run.stop import hold_if_stopping

        place = self.sweep.place(job.parameters)
        failed = place.with_name(f"{place.name}.failed")
        if self.sweep.is_done(job):
            return "unchanged"
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = place.with_name(f".{place.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            failure = self.executor(job, scratch, self.sweep.project.root)
            hold_if_stopping()
            if failure is not None:
                put_in_place(scratch, failed)
                with self.lock:
                    if len(self.outcome.failures) < _SHOWN_FAILURES:
                        self.outcome.failures.append(failure)
                return "failed"
            if not self.sweep.keep:
                (scratch / EXECUTED).unlink()
                for kind in ("tables", "figures"):
                    shutil.rmtree(scratch / kind, ignore_errors=True)
            put_in_place(scratch, place)
            shutil.rmtree(failed, ignore_errors=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return "executed"


def _collect(sweep: _Sweep, grid: Mapping[str, list], path: Path) -> None:
    """Write the table a batch at a time, under another name until it is whole."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    parameters = sweep.notebook.parameters
    columns = [(f"parameter_{n}", kinds.get(p.kind, pa.string())) for n, p in parameters.items()]
    texts = ("kind", "text", "unit", "label_en", "label_zh", "note", "cell")
    schema = pa.schema(
        [("run", pa.string()), *columns, ("name", pa.string()), ("number", pa.float64())]
        + [(name, pa.string()) for name in texts]
    )
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with parquet.ParquetWriter(scratch, schema) as writer:
            rows: list[dict] = []
            for settings in combinations(grid):
                rows += _rows(sweep, sweep.job(settings), kinds)
                if len(rows) >= _BATCH:
                    writer.write_table(pa.Table.from_pylist(rows, schema))
                    rows = []
            writer.write_table(pa.Table.from_pylist(rows, schema))
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _rows(sweep: _Sweep, job: Job, kinds: Mapping) -> list[dict]:
    place = sweep.place(job.parameters)
    content = read_json(place / RESULTS) if sweep.is_done(job) else None
    if content is None:
        return []
    declared = sweep.notebook.parameters
    common = {
        f"parameter_{name}": value if declared[name].kind in kinds or value is None else json.dumps(value)
        for name, value in job.parameters.items()
    }
    rows = []
    for entry in content["records"]:
        if entry["kind"] == "figure":
            continue
        value = entry["value"]
        number = float(value) if entry["kind"] == "number" else None
        text = value if entry["kind"] == "text" else json.dumps(value, ensure_ascii=False)
        shown = {name: entry.get(name, "") for name in ("kind", "unit", "label_en", "label_zh", "note", "cell")}
        text = None if entry["kind"] == "number" else text
        rows.append({"run": place.name, **common, "name": entry["name"], "number": number, "text": text, **shown})
    return rows

"""Run one notebook for every combination of parameters, and collect what it recorded in one table."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import Project, get_project
from clusterlib.run.locks import run_lock
from clusterlib.run.notebooks import Notebook, find_notebooks
from clusterlib.run.parameters import check_spans
from clusterlib.run.places import RESULTS, is_report, read_json, recover
from clusterlib.run.plan import Task

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlib.run.execute import Limits
    from clusterlib.run.tasks import RunOutcome

TABLE = "results.parquet"
_BATCH = 200


def sweep_project(project: Project, notebook: str) -> Project:
    """Return the project with the folder of a notebook's sweeps for its reports."""
    return replace(project, folder=f"{project.folder}/sweeps/{notebook}")


def check_grid(notebook: Notebook, grid: Mapping[str, list]) -> dict[str, list]:
    """Return the grid with values of the parameters' types.

    Raises
    ------
    UnknownNameError
        If the notebook has no such parameter.
    InvalidInputError
        If a value is not of the parameter's type or outside its span, or two values mean the same.
    """
    checked = {}
    for name, values in grid.items():
        if name not in notebook.parameters:
            raise UnknownNameError(f"parameter of {notebook.name}", name, notebook.parameters)
        checked[name] = [notebook.parameters[name].parse(value, notebook.name) for value in values]
        for value in checked[name]:
            check_spans(notebook.name, {name: value})
        if len({json.dumps(value, sort_keys=True) for value in checked[name]}) < len(values):
            raise InvalidInputError(f"--grid {name}: two of {', '.join(map(str, values))} are the same value")
    return checked


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
) -> RunOutcome:
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
    RunOutcome
        With the path of the table.

    Raises
    ------
    UnknownNameError
        For an unknown notebook, parameter or region.
    InvalidInputError
        For a value that is not of the parameter's type; nothing has run then.
    """
    from clusterlib.run.tasks import perform, prepare

    project = project or get_project()
    (found,) = find_notebooks(project, [notebook])
    if is_report(found.name):
        raise InvalidInputError(f"{found.name} is made from the results of other notebooks: there is nothing to sweep")
    checked = check_grid(found, grid)
    home = sweep_project(project, found.name)
    with run_lock(home.reports):
        recover(home.reports)
        planner, context = prepare(project, home, limits)
        context = replace(context, keep=keep_notebooks)
        tasks = [
            planner.task(found, dict(zip(checked, values, strict=True)), combination=True)
            for values in itertools.product(*checked.values())
        ]
        outcome = perform(tasks, planner, context, workers, console, dask)
        table = home.reports / TABLE
        _collect(found, [task for task in tasks if task.name not in outcome.failed], table)
        planner.hashes.save()
    return replace(outcome, table=table)


def _collect(notebook: Notebook, tasks: list[Task], path: Path) -> None:
    """Write the table a batch at a time, under another name until it is whole."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    columns = [(f"parameter_{n}", kinds.get(p.kind, pa.string())) for n, p in notebook.parameters.items()]
    texts = ("kind", "text", "unit", "label_en", "label_zh", "note", "cell")
    schema = pa.schema(
        [("run", pa.string()), *columns, ("name", pa.string()), ("number", pa.float64())]
        + [(name, pa.string()) for name in texts]
    )
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with parquet.ParquetWriter(scratch, schema) as writer:
            for start in range(0, len(tasks), _BATCH):
                rows = [row for task in tasks[start : start + _BATCH] for row in _rows(task, kinds)]
                writer.write_table(pa.Table.from_pylist(rows, schema))
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _rows(task: Task, kinds: Mapping) -> list[dict]:
    content = read_json(task.place.folder / RESULTS)
    if content is None:
        return []
    declared = task.notebook.parameters
    common = {
        f"parameter_{name}": value if declared[name].kind in kinds or value is None else json.dumps(value)
        for name, value in task.parameters.items()
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
        rows.append(
            {"run": task.place.notebook, **common, **shown, "name": entry["name"], "number": number, "text": text}
        )
    return rows

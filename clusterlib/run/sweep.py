"""Run one notebook for every combination of parameters, and collect what it recorded in one table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.files import written_in_place
from clusterlib.core.records import RESULTS, load_records
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import Project, get_project
from clusterlib.run.notebooks import Notebook, find_notebooks
from clusterlib.run.parameters import check_spans
from clusterlib.run.plan import Task

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlib.run.execute import Limits
    from clusterlib.run.tasks import RunOutcome

TABLE = "results.parquet"


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
    from clusterlib.run.tasks import perform, prepared

    project = project or get_project()
    (found,) = find_notebooks(project, [notebook])
    checked = check_grid(found, grid)
    home = replace(project, folder=f"{project.folder}/sweeps/{found.name}")
    with prepared(project, home, limits) as (planner, context):
        context = replace(context, keep=keep_notebooks)
        tasks = [
            planner.task(found, dict(zip(checked, values, strict=True)), combination=True)
            for values in itertools.product(*checked.values())
        ]
        outcome = perform(tasks, planner, context, workers, console, dask)
        table = home.reports / TABLE
        _collect(found, [task for task in tasks if task.name not in outcome.failed], table)
    return replace(outcome, table=table)


def _collect(notebook: Notebook, tasks: list[Task], path: Path) -> None:
    """Write a row for each number, text and table that these combinations recorded."""
    import pandas as pd

    texts = ("kind", "unit", "label_en", "label_zh", "note", "cell")
    rows = []
    for task in tasks:
        common: dict[str, object] = {"run": task.place.notebook}
        for name, value in task.parameters.items():
            plain = value is None or notebook.parameters[name].kind in {"str", "int", "float", "bool"}
            common[f"parameter_{name}"] = value if plain else json.dumps(value)
        for entry in load_records(task.place.folder / RESULTS)["records"]:
            value, kind = entry["value"], entry["kind"]
            if kind != "figure":
                number = float(value) if kind == "number" else None
                text = None if kind == "number" else value if kind == "text" else json.dumps(value, ensure_ascii=False)
                found = {name: entry.get(name, "") for name in ("name", *texts)}
                rows.append({**common, **found, "number": number, "text": text})
    columns = ["run", *(f"parameter_{name}" for name in notebook.parameters), "name", "number", "text", *texts]
    with written_in_place(path) as scratch:
        pd.DataFrame(rows, columns=columns).astype({"number": float, "text": "str"}).to_parquet(scratch, index=False)

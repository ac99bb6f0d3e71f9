"""What a run would do and why, without doing it."""

from __future__ import annotations

from collections.abc import Mapping

from clusterlib.data._processed import is_current, read_manifest
from clusterlib.errors import DataNotBuiltError
from clusterlib.paths import Project, get_project
from clusterlib.run.documents import plan_papers
from clusterlib.run.locks import lock_owner
from clusterlib.run.plan import Planner, table_hashes


def find_status(
    regions: list[str] | None = None,
    notebooks: list[str] | None = None,
    settings: Mapping[str, object] | None = None,
    project: Project | None = None,
) -> tuple[dict[str, list[str]], list[str]]:
    """Return why each notebook and page would be run or made, none where it is up to date; and what else is to be said.

    Raises
    ------
    UnknownNameError
        For an unknown region, notebook or parameter.
    """
    project = project or get_project()
    try:
        tables = table_hashes(read_manifest(project))
        current = is_current(project)
    except DataNotBuiltError:
        tables, current = {}, False
    planner = Planner(project, tables)
    planned, wrong = planner.plan(regions, notebooks, settings or {})
    notes = list(wrong.values())
    if owner := lock_owner(project.reports):
        notes.append(f"a run is at work: process {owner.get('pid')}, since {owner.get('started')}")
    if not current:
        notes.append("data/processed would be built first; what reads a table that changes would run too")
    tasks: dict[str, list[str]] = {}
    for task in planned:
        tasks[task.name] = task.reasons
        for step, reasons in task.steps.items():
            tasks[f"{task.name}.{step}"] = ["its notebook would run"] if task.reasons else reasons
    tasks |= {paper.name: paper.reasons for paper in plan_papers(planner, planned)}
    return tasks, notes

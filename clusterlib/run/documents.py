"""The report and the briefs in a run: made once the notebooks of their regions are done, if what they say changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.files import write_json
from clusterlib.core.records import RESULTS, RESULTS_FORM, STATE, STEPS_FORM, read_json
from clusterlib.regions import REGIONS
from clusterlib.run.places import Failure
from clusterlib.run.steps import Step

if TYPE_CHECKING:
    from clusterlib.report import Paper
    from clusterlib.run.plan import Planner, Task

_NOTEBOOKS = "[0-9][0-9]_*"
_STEP = Step("paper", "", ("report", "study/claims.py", "study/_lookup.py"))


@dataclass(frozen=True)
class PaperTask:
    """One document that a run makes, and why.

    Attributes
    ----------
    paper : Paper
    reasons : list of str
    """

    paper: Paper = field(repr=False)
    reasons: list[str]

    @property
    def name(self) -> str:
        return self.paper.label

    def failure(self, error: str) -> Failure:
        """Return that it could not be made."""
        return Failure(self.paper.name, self.paper.region or "all", "", 0, "", error.strip())


def plan_papers(planner: Planner, tasks: Iterable[Task], force: bool = False) -> list[PaperTask]:
    """Return the documents whose notebooks have all run or are about to, each with why it would be made."""
    from clusterlib.report._papers import papers
    from clusterlib.run.plan import FORCED

    tasks = list(tasks)
    names = [path.stem for path in planner.project.analyses]
    there = {(task.place.region, task.notebook.name) for task in tasks}
    there |= {(r, n) for r in REGIONS for n in names if (planner.project.reports / r / n / RESULTS).is_file()}
    found = []
    for paper in papers(planner.project):
        needed = [paper.region] if paper.region else list(REGIONS)
        if {(region, name) for region in needed for name in names} <= there:
            runs = [task.name for task in tasks if task.reasons and task.place.region in needed]
            reasons = [FORCED] if force else _reasons(planner, paper)
            found.append(PaperTask(paper, reasons or [f"if what {name} finds changes" for name in runs[:1]]))
    return found


def write(planner: Planner, task: PaperTask) -> str:
    """Make a document, and note what it was made from."""
    from clusterlib.report import write_paper
    from clusterlib.run.plan import FORCED

    paper, project = task.paper, planner.project
    if task.reasons != [FORCED] and not _reasons(planner, paper):
        return "unchanged"
    made_from = _made_from(planner, paper)
    outputs = {
        path.relative_to(project.reports).as_posix(): planner.hashes.sha256(path)
        for path in write_paper(paper, project)
    }
    write_json(_record(planner, paper), {_STEP.name: {"made_from": made_from, "outputs": outputs}})
    return "done"


def _record(planner: Planner, paper: Paper) -> Path:
    return planner.project.reports / STATE / "steps" / f"{paper.label.replace('/', '.')}.json"


def _reasons(planner: Planner, paper: Paper) -> list[str]:
    """Return why a document must be made again."""
    from clusterlib.run.plan import changes

    record = (read_json(_record(planner, paper), STEPS_FORM) or {}).get(_STEP.name)
    if record is None:
        return ["it has not been made"]
    stale = changes("sources", record["made_from"], _made_from(planner, paper))
    return stale or planner.output_reasons(planner.project.reports, record["outputs"])


def _made_from(planner: Planner, paper: Paper) -> dict[str, str]:
    """Return hashes of what a document is made from: templates, works, code, claims, and what notebooks found."""
    project, sha256 = planner.project, planner.hashes.sha256
    files = [*(project.root / "report").glob("*.*"), *project.study.glob("claims.yml")]
    sources = _STEP.sources() | {path.relative_to(project.root).as_posix(): path for path in files}
    found = {name: sha256(path) for name, path in sorted(sources.items())}
    for region in [paper.region] if paper.region else REGIONS:
        for path in sorted(project.reports.glob(f"{region}/{_NOTEBOOKS}/{RESULTS}")):
            content = read_json(path, RESULTS_FORM)
            if content is not None and "." not in path.parent.name:
                found[f"{region}/{path.parent.name}"] = _digest(content)
    return found


def _digest(results: dict) -> str:
    """Return the hash of what a run found; when and from which files does not count."""
    found = {"parameters": results["parameters"], "records": results["records"]}
    return hashlib.sha256(json.dumps(found, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

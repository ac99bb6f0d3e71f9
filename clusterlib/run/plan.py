"""What a run would do and why: each notebook's inputs compared with those that its last run was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlib.paths import Project
from clusterlib.run.execute import results_digest
from clusterlib.run.hashes import FileHashes
from clusterlib.run.notebooks import Notebook
from clusterlib.run.parameters import REGION, changed_names, resolve
from clusterlib.run.places import ERROR, RESULTS, RUN, STATE, Place, is_report, read_json
from clusterlib.run.sources import library_files
from clusterlib.run.steps import STEPS, Step

CLAIMS = "data/study/claims.yml"
NEVER, FAILED, FORCED = "it has not been run", "its last run failed", "asked for by --force"


@dataclass(frozen=True)
class Task:
    """One notebook for one region, with what it is made from and why it would run."""

    notebook: Notebook
    region: str
    settings: dict[str, object]
    parameters: dict[str, object]
    inputs: dict[str, Any] = field(repr=False)
    reasons: list[str]
    steps: dict[str, list[str]]
    needs: list[str] = field(default_factory=list)
    seconds: float | None = None
    loaded: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.region}/{self.notebook.name}"

    @property
    def stale(self) -> bool:
        return bool(self.reasons)

    @property
    def changed(self) -> list[str]:
        """Parameters that are not the notebook's own."""
        return changed_names(self.parameters, self.notebook.defaults)


def table_hashes(manifest: Mapping) -> dict[str, str]:
    """Return the hash of each table of the processed data, by its name."""
    return {name.removesuffix(".parquet"): entry["sha256"] for name, entry in manifest["outputs"].items()}


class Planner:
    """Compares what notebooks are made from with what their last runs were made from.

    Parameters
    ----------
    project : Project
    tables : dict
        Hash of each table of the processed data.
    """

    def __init__(self, project: Project, tables: Mapping[str, str]) -> None:
        self.project, self.tables = project, tables
        state = project.reports / STATE
        self.hashes = FileHashes(state / "hashes.json")
        self.sources = {name: self.hashes.sha256(path) for name, path in library_files().items()}

    def close(self) -> None:
        """Remember hashes for the next run."""
        self.hashes.save()

    def task(self, notebook: Notebook, region: str, settings: Mapping[str, object], force: bool = False) -> Task:
        """Plan one notebook for one region."""
        parameters, given = resolve(notebook.name, notebook.parameters, {**settings, REGION: region})
        place = Place(self.project.reports, region, notebook.name)
        inputs = {
            "notebook": notebook.digest,
            "parameters": parameters,
            "results": self.results(region) if is_report(notebook.name) else {},
        }
        last = read_json(place.folder / RUN)
        reasons = [FORCED] if force else self.reasons(place, last, inputs)
        return Task(
            notebook,
            region,
            given,
            parameters,
            inputs,
            reasons,
            {step.name: self.step_reasons(place, step) for step in STEPS if step.applies(notebook.name)},
            seconds=last.get("seconds") if last else None,
            loaded=tuple(last["inputs"]["code"]) if last and "inputs" in last else None,
        )

    def results(self, region: str) -> dict[str, str]:
        """Return a hash of what a report is made from: what each notebook below 90 found, and the claims it judges."""
        found = {}
        claims = self.project.root / CLAIMS
        if claims.exists():
            found[CLAIMS] = self.hashes.sha256(claims)
        for path in sorted(self.project.reports.glob(f"{region}/[0-9][0-9]_*/{RESULTS}")):
            content = read_json(path)
            if content is not None and not is_report(path.parent.name) and "." not in path.parent.name:
                found[path.parent.name] = results_digest(content)
        return found

    def reasons(self, place: Place, last: Mapping | None, inputs: Mapping) -> list[str]:
        """Return why a notebook must run, from the record of its last run and what it would be made from now."""
        if (place.failed / ERROR).exists():
            return [FAILED]
        if last is None:
            return [NEVER]
        if "inputs" not in last:
            return ["its last run was by an older version of the runner"]
        before = last["inputs"]
        found = self._output_reasons(place.folder, last.get("outputs", {}))
        if before["notebook"] != inputs["notebook"]:
            found.append("the notebook changed")
        found += _parameter_reasons(before["parameters"], inputs["parameters"])
        for kind, known in (("library code", "code"), ("data", "data")):
            found += _changes(kind, before[known], self.observed(before)[known])
        found += _changes("results", before["results"], inputs["results"])
        return found

    def observed(self, before: Mapping) -> dict[str, dict[str, str]]:
        """Return the hashes, as they are now, of what a run was seen to load and read."""
        return {
            kind: {name: hashes.get(name, "") for name in before[kind]}
            for kind, hashes in (("code", self.sources), ("data", self.tables))
        }

    def _output_reasons(self, folder: Path, outputs: Mapping[str, str]) -> list[str]:
        found = []
        for name, digest in outputs.items():
            try:
                if self.hashes.sha256(folder / name) != digest:
                    found.append(f"{folder.name}/{name} was changed after the run")
            except FileNotFoundError:
                found.append(f"{folder.name}/{name} is missing")
        return found

    def step_reasons(self, place: Place, step: Step) -> list[str]:
        """Return why something made from a run must be made again."""
        if not (place.folder / RUN).exists():
            return [NEVER]
        record = (read_json(place.steps) or {}).get(step.name)
        if record is None:
            return ["it has not been made"]
        if record["made_from"] != self.made_from(place, step):
            return ["the run or the code that makes it changed"]
        return self._output_reasons(place.page.parent, record["outputs"])

    def made_from(self, place: Place, step: Step) -> dict[str, str]:
        """Return hashes of what a step is made from."""
        sources = {name: self.hashes.sha256(path) for name, path in step.sources().items()}
        # The record of a run holds the hashes of everything else in its folder.
        return {"run": self.hashes.sha256(place.folder / RUN), **sources}


def _parameter_reasons(before: Mapping, now: Mapping) -> list[str]:
    return [
        f"parameter {name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]


def _changes(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [name for name in now if name in before and now[name] != before[name]]
    parts = {"changed": changed, "new": sorted(now.keys() - before.keys()), "gone": sorted(before.keys() - now.keys())}
    return [f"{kind} {word}: {', '.join(names)}" for word, names in parts.items() if names]


def with_needs(tasks: Iterable[Task]) -> list[Task]:
    """Add to each report the tasks of its region that must come before it."""
    from dataclasses import replace

    tasks = list(tasks)
    found = []
    for task in tasks:
        if is_report(task.notebook.name):
            before = [t.name for t in tasks if t.region == task.region and not is_report(t.notebook.name) and t.stale]
            task = replace(task, needs=before)
        found.append(task)
    return found

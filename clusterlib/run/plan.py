"""What a run would do and why: each notebook's inputs compared with those that its last run was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlib.core.records import ERROR, RUN, RUN_FORM, STATE, STEPS_FORM, Place, read_json
from clusterlib.data._own import OWN, own_hashes
from clusterlib.paths import Project
from clusterlib.publish.frame import frame_digest
from clusterlib.regions import region_codes
from clusterlib.run.hashes import FileHashes
from clusterlib.run.notebooks import Notebook, scan_notebooks
from clusterlib.run.parameters import REGION, changed_names, check_known, resolve
from clusterlib.run.places import Failure
from clusterlib.run.sources import library_files
from clusterlib.run.steps import STEPS, Step

NEVER, FAILED, FORCED = "it has not been run", "its last run failed", "asked for by --force"


@dataclass(frozen=True)
class Task:
    """One notebook with values of its parameters, what it is made from, where it is written and why it would run.

    Attributes
    ----------
    name : str
        For people, unique within the run.
    notebook : Notebook
    place : Place
    settings, parameters : dict
        The values that are set, and all parameters with the values that they then have.
    inputs : dict
        What it is made from, by kind; data and code are added once it is known what the notebook read and loaded.
    reasons : list of str
        Why it would run.
    steps : dict
        Why each thing made from it would be made.
    seconds : float, optional
        How long it took the last time.
    """

    name: str
    notebook: Notebook
    place: Place
    settings: dict[str, object]
    parameters: dict[str, Any]
    inputs: dict[str, Any] = field(repr=False)
    reasons: list[str]
    steps: dict[str, list[str]]
    seconds: float | None = None

    @property
    def region(self) -> str:
        return self.parameters[REGION]

    @property
    def changed(self) -> list[str]:
        """Parameters that are not the notebook's own."""
        return changed_names(self.parameters, self.notebook.defaults)

    def failure(self, error: str, advice: str = "", **where: Any) -> Failure:
        """Return a failure of this task, by default before its first cell."""
        values = ", ".join(f"{name}={self.parameters[name]}" for name in self.changed)
        where = {"cell": "", "number": 0, "line": "", **where}
        return Failure(self.notebook.name, self.region, error=error.strip(), advice=advice, parameters=values, **where)


def table_hashes(manifest: Mapping) -> dict[str, str]:
    """Return the hash of each table of the processed data, by its name."""
    return {name.removesuffix(".parquet"): entry["sha256"] for name, entry in manifest["outputs"].items()}


class Planner:
    """Compares what notebooks are made from with what their last runs were made from.

    Parameters
    ----------
    project : Project
    tables : dict
        Hash of each table of the processed data; those of imported indicators are added.
    """

    def __init__(self, project: Project, tables: Mapping[str, str]) -> None:
        self.project = project
        self.hashes = FileHashes(project.reports / STATE / "hashes.json")
        self.tables = {**tables, **own_hashes(project, self.hashes.sha256)}
        study = {f"data/study/{path.name}": path for path in project.study.glob("*") if path.suffix in {".yml", ".csv"}}
        self.sources = {name: self.hashes.sha256(path) for name, path in sorted((library_files() | study).items())}
        self._frame = frame_digest(project)

    def task(
        self, notebook: Notebook, settings: Mapping[str, object], force: bool = False, combination: bool = False
    ) -> Task:
        """Plan one notebook with these values of its parameters, for a region or as one combination of a sweep."""
        parameters, given = resolve(notebook.name, notebook.parameters, settings)
        region = str(parameters[REGION])
        if combination:
            key = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]
            place = Place(self.project.reports, "runs", key)
            name = " ".join(f"{name}={value}" for name, value in given.items())
        else:
            place = Place(self.project.reports, region, notebook.name)
            name = f"{region}/{notebook.name}"
        inputs = {
            "notebook": notebook.digest,
            # As they are read back, so that a tuple is not taken for another value than the list that it became.
            "parameters": json.loads(json.dumps(parameters)),
        }
        last = read_json(place.folder / RUN, RUN_FORM)
        reasons = [FORCED] if force else self.reasons(place, last, inputs)
        made = [] if combination else [step for step in STEPS if step.applies(notebook.name)]
        steps = {step.name: self.step_reasons(place, step) for step in made}
        return Task(
            name, notebook, place, given, parameters, inputs, reasons, steps, seconds=(last or {}).get("seconds")
        )

    def plan(
        self,
        regions: list[str] | None,
        notebooks: list[str] | None,
        settings: Mapping[str, object],
        force: bool = False,
    ) -> tuple[list[Task], dict[str, str]]:
        """Plan notebooks for regions, by default all; return by name what is wrong with those that cannot be run."""
        codes = region_codes(regions or None)
        found, wrong = scan_notebooks(self.project, notebooks)
        check_known(settings, {notebook.name: notebook.parameters for notebook in found})
        return [self.task(one, {**settings, REGION: code}, force) for one in found for code in codes], wrong

    def reasons(self, place: Place, last: Mapping | None, inputs: Mapping) -> list[str]:
        """Return why a notebook must run, from the record of its last run and what it would be made from now."""
        if (place.failed / ERROR).exists():
            return [FAILED]
        if last is None:
            return [NEVER]
        before = last["inputs"]
        found = self.output_reasons(place.folder, last["outputs"])
        if before["notebook"] != inputs["notebook"]:
            found.append("the notebook changed")
        found += _parameter_reasons(before["parameters"], inputs["parameters"])
        for kind, known, hashes in (("library code", "code", self.sources), ("data", "data", self.tables)):
            now = {name: hashes.get(name, "") for name in before[known] if name in hashes or not name.startswith(OWN)}
            found += changes(kind, before[known], now)
        return found

    def output_reasons(self, folder: Path, outputs: Mapping[str, str]) -> list[str]:
        """Return which of the files that something wrote are missing or were changed."""
        found = []
        for name, digest in outputs.items():
            try:
                if self.hashes.sha256(folder / name) != digest:
                    found.append(f"{folder.name}/{name} was changed after the run")
            except (OSError, ValueError):
                found.append(f"{folder.name}/{name} is missing")
        return found

    def step_reasons(self, place: Place, step: Step) -> list[str]:
        """Return why something made from a run must be made again."""
        if not (place.folder / RUN).is_file():
            return [NEVER]
        record = (read_json(place.steps, STEPS_FORM) or {}).get(step.name)
        if record is None:
            return ["it has not been made"]
        if record["made_from"] != self.made_from(place, step):
            return ["the run or the code that makes it changed"]
        return self.output_reasons(place.page.parent, record["outputs"])

    def made_from(self, place: Place, step: Step) -> dict[str, str]:
        """Return hashes of what a step is made from."""
        sources = {name: self.hashes.sha256(path) for name, path in step.sources().items()}
        # The record of a run holds the hashes of everything else in its folder; raw rows that it read may have moved.
        read = (read_json(place.folder / RUN, {"inputs": {"data": dict}}) or {"inputs": {"data": {}}})["inputs"]["data"]
        moved = {name: self.tables[name] for table in read if (name := f"{table}_facts") in self.tables}
        # What a page says besides: publishers and terms, lines of lists, how the work is cited.
        said = [
            *(self.project.raw / f"{name}.csv" for name in ("sources", "units")),
            self.project.root / "CITATION.cff",
        ]
        moved |= {path.name: self.hashes.sha256(path) for path in said if path.is_file()}
        return {"run": self.hashes.sha256(place.folder / RUN), "frame": self._frame, **moved, **sources}


def _parameter_reasons(before: Mapping, now: Mapping) -> list[str]:
    return [
        f"parameter {name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]


def changes(kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what is changed, new and gone among hashes by name."""
    changed = [name for name in now if name in before and now[name] != before[name]]
    parts = {"changed": changed, "new": sorted(now.keys() - before.keys()), "gone": sorted(before.keys() - now.keys())}
    return [f"{kind} {word}: {', '.join(names)}" for word, names in parts.items() if names]

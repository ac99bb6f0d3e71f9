"""A run: find what is stale, execute it side by side, make the pages and the index over all."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.regions import region_codes
from clusterlib.run.execute import Job, Limits, execute
from clusterlib.run.executors import Executor, use_executor
from clusterlib.run.journal import JOURNAL, Journal
from clusterlib.run.locks import run_lock
from clusterlib.run.notebooks import Notebook, scan_notebooks
from clusterlib.run.parameters import check_known, resolve
from clusterlib.run.places import (
    ERROR,
    RUN,
    STATE,
    Failure,
    NotebookFailed,
    Place,
    is_report,
    put_in_place,
    read_json,
    recover,
    write_json,
)
from clusterlib.run.plan import FORCED, Planner, Task, table_hashes, with_needs
from clusterlib.run.steps import STEPS, Step
from clusterlib.run.stop import hold_if_stopping

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlib.run.progress import RunProgress


@dataclass(frozen=True)
class RunOutcome:
    """What a run did."""

    executed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures and not self.left_out


@dataclass(frozen=True)
class Setting:
    """What a run needs to know beside its tasks."""

    project: Project
    planner: Planner
    manifest: dict
    execute: Executor
    limits: Limits
    commit: str
    tables: dict[str, str]


class _Runner:
    """Does the work of one run's tasks and keeps what became of them."""

    def __init__(self, setting: Setting, progress: RunProgress, journal: Journal) -> None:
        self.setting, self.progress, self.journal = setting, progress, journal
        self.outcome = RunOutcome()
        self.lock = threading.Lock()

    def perform(self, name: str, action: Callable[[], str | None]) -> None:
        """Do a task, tell how it went, and raise again what went wrong, so that what needs it is left out."""
        self.progress.starts(name)
        self.journal.write("start", task=name)
        try:
            outcome = action() or "done"
        except BaseException as error:
            hold_if_stopping()
            failure = self._failure(name, error)
            with self.lock:
                self.outcome.failures.append(failure)
            seconds = self.progress.ends(name, "failed")
            self.journal.write("end", task=name, outcome="failed", seconds=round(seconds, 3), failure=asdict(failure))
            raise
        with self.lock:
            (self.outcome.executed if outcome == "done" else self.outcome.unchanged).append(name)
        seconds = self.progress.ends(name, outcome)
        self.journal.write("end", task=name, outcome=outcome, seconds=round(seconds, 3))

    def _failure(self, name: str, error: BaseException) -> Failure:
        region, _, notebook = name.partition("/")
        content = read_json(Place(self.setting.project.reports, region, notebook).failed / ERROR)
        if isinstance(error, NotebookFailed) and content:
            return Failure(**content)
        text = str(error) if isinstance(error, ClusterlibError) else f"{type(error).__name__}: {error}"
        return Failure(notebook, region, "", 0, "", text)

    def execute(self, task: Task) -> str | None:
        """Execute a notebook, and put what it wrote in the place of its last run if it did not fail."""
        setting = self.setting
        if task.needs:
            # What came before may have found what it found the last time.
            task = setting.planner.task(task.notebook, task.region, task.settings, force=task.reasons == [FORCED])
            if not task.stale:
                return "unchanged"
        place = Place(setting.project.reports, task.region, task.notebook.name)
        scratch = place.scratch()
        try:
            failure = setting.execute(_job(setting, task), scratch, setting.project.root)
            hold_if_stopping()
            if failure is not None:
                put_in_place(scratch, place.failed)
                raise NotebookFailed(str(failure))
            put_in_place(scratch, place.folder)
        finally:
            _remove(scratch)
        _remove(place.failed)
        return None

    def make(self, region: str, notebook: str, step: Step) -> None:
        """Make what a step makes from the run of a notebook, and note what it was made from."""
        place = Place(self.setting.project.reports, region, notebook)
        made_from = self.setting.planner.made_from(place, step)
        home = place.page.parent
        hashes = self.setting.planner.hashes
        outputs = {path.relative_to(home).as_posix(): hashes.sha256(path) for path in step.make(place)}
        record = read_json(place.steps) or {}
        write_json(place.steps, {**record, step.name: {"made_from": made_from, "outputs": outputs}})


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _job(setting: Setting, task: Task) -> Job:
    return Job(
        task.notebook.name,
        task.region,
        task.notebook.path.read_text(encoding="utf-8"),
        task.settings,
        task.parameters,
        tuple(task.changed),
        task.inputs,
        setting.manifest["inputs"],
        setting.tables,
        setting.planner.sources,
        setting.commit,
        setting.limits,
    )


def _work(tasks: list[Task], runner: _Runner) -> list:
    from functools import partial

    from clusterlib.run.schedule import Work

    work = []
    # Long ones first; reports wait for the others in any case, pages are short.
    for task in sorted(tasks, key=lambda t: -(t.seconds or 1e9)):
        runs = task.stale or bool(task.needs)
        if runs:
            action = partial(runner.perform, task.name, partial(runner.execute, task))
            work.append(Work(task.name, action, task.needs))
    for task in tasks:
        runs = task.stale or bool(task.needs)
        for step in STEPS:
            if step.name in task.steps and (runs or task.steps[step.name]):
                name = f"{task.name}.{step.name}"
                make = partial(_make_if_stale, runner, task, step)
                work.append(Work(name, partial(runner.perform, name, make), [task.name] if runs else []))
    return work


def _make_if_stale(runner: _Runner, task: Task, step: Step) -> str | None:
    place = Place(runner.setting.project.reports, task.region, task.notebook.name)
    if not runner.setting.planner.step_reasons(place, step) and task.reasons != [FORCED]:
        return "unchanged"
    return runner.make(task.region, task.notebook.name, step)


def _unchanged(tasks: list[Task], named: set[str]) -> list[str]:
    every = [n for t in tasks for n in (t.name, *(f"{t.name}.{step}" for step in t.steps))]
    return sorted(name for name in every if name not in named)


def _missing_results(project: Project, tasks: list[Task], every: list[Notebook]) -> list[str]:
    """Say which results a report that is about to run will not find."""
    notes = []
    for task in tasks:
        if is_report(task.notebook.name) and task.stale:
            wanted = [n.name for n in every if not is_report(n.name)]
            coming = {name.partition("/")[2] for name in task.needs}
            missing = [name for name in wanted if name not in task.inputs["results"] and name not in coming]
            if missing:
                notes.append(
                    f"{task.name} runs without the results of {', '.join(missing)}, which have not been run for "
                    f"{task.region}: run `clusterlib run --region {task.region}` to have them"
                )
    return notes


def run(
    regions: list[str] | None = None,
    notebooks: list[str] | None = None,
    *,
    force: bool = False,
    workers: int | None = None,
    settings: Mapping[str, object] | None = None,
    limits: Limits | None = None,
    project: Project | None = None,
    console: Console | None = None,
    dask: str | None = None,
) -> RunOutcome:
    """Execute notebooks for regions in parallel, make their pages and the index over all.

    A notebook runs again when, and only when, its cells, its parameters, the tables that it reads, the modules of the
    library that it imports or, for those numbered 90 and above, the results of the others changed. A notebook that
    fails does not stop the others.

    Parameters
    ----------
    regions, notebooks : list of str, optional
        Names; by default all.
    force : bool
        Run even what did not change.
    workers : int, optional
        Notebooks at a time; by default one for each processor.
    settings : mapping, optional
        Values of parameters, for each notebook that has them; a later run without them runs those notebooks again.
    limits : Limits, optional
        How long a cell and a notebook may take.
    project : Project, optional
    console : rich.console.Console, optional
        Where progress is shown.
    dask : str, optional
        Address of a Dask scheduler to run on.

    Returns
    -------
    RunOutcome
        Tasks executed, unchanged and left out, and failures.

    Raises
    ------
    UnknownNameError
        For an unknown region, notebook or parameter.
    InvalidInputError
        For a value that is not of the parameter's type.
    RawDataError
        If the processed data must be built first and the raw data are wrong.
    AlreadyRunning
        If another run is at work in the same folder.
    """
    project = project or get_project()
    codes = region_codes(regions or None)
    found, wrong = scan_notebooks(project, notebooks)
    check_known(settings or {}, {n.name: n.parameters for n in found})
    for one in found:
        resolve(one.name, one.parameters, settings or {})
    say = console.print if console else _say_nothing
    with run_lock(project.reports):
        for note in recover(project.reports):
            say(note, markup=False, highlight=False)
        setting = _setting(project, limits or Limits(), say)
        tasks = _plan(setting.planner, found, codes, settings or {}, force)
        notes = _missing_results(project, tasks, scan_notebooks(project)[0]) if tasks else []
        for note in notes:
            say(f"note: {note}", markup=False, highlight=False)
        stale = _stale(tasks)
        with use_executor(dask, project, _stack(stale), workers) as (executor, slots):
            outcome = _run_tasks(replace(setting, execute=executor), tasks, slots, console)
            _finish(project)
        outcome.notes.extend(notes)
        outcome.failures.extend(
            Failure(name, region, "", 0, "", reason) for name, reason in wrong.items() for region in codes
        )
        setting.planner.close()
    return outcome


def _say_nothing(*_: object, **__: object) -> None: ...


def _setting(project: Project, limits: Limits, say: Callable) -> Setting:
    from clusterlib.data._processed import build as build_data
    from clusterlib.data._processed import read_manifest

    if build_data(project):
        say("Built data/processed from data/raw.")
    manifest = read_manifest(project)
    tables = table_hashes(manifest)
    return Setting(project, Planner(project, tables), manifest, execute, limits, "", tables)


def _plan(
    planner: Planner, found: list[Notebook], codes: list[str], settings: Mapping[str, object], force: bool
) -> list[Task]:
    return with_needs(planner.task(notebook, code, settings, force) for notebook in found for code in codes)


def _stale(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if task.stale or task.needs]


def _stack(tasks: list[Task]) -> list[str] | None:
    """Return what kernels of these tasks will import, by what the last runs loaded; None if there is nothing to run."""
    from clusterlib.run.sources import library_files, named_in, stack_of

    if not tasks:
        return None
    files = library_files()
    wanted = set().union(*(named_in(t.notebook.code, files) if t.loaded is None else t.loaded for t in tasks))
    return stack_of({task.notebook.code for task in tasks}, [files[name] for name in wanted & files.keys()])


def _run_tasks(setting: Setting, tasks: list[Task], workers: int, console: Console | None) -> RunOutcome:
    stale = _stale(tasks)
    if not stale and not any(reasons for task in tasks for reasons in task.steps.values()):
        return RunOutcome(unchanged=_unchanged(tasks, set()))
    from rich.console import Console

    from clusterlib.provenance import git_commit
    from clusterlib.run.index import write_summary
    from clusterlib.run.progress import RunProgress
    from clusterlib.run.schedule import run_all

    setting = replace(setting, commit=git_commit(setting.project.root))
    journal = Journal(setting.project.reports / JOURNAL)
    expected = _expected(tasks)
    why = {task.name: task.reasons for task in stale}
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    journal.write("run", time=now, tasks=len(expected), workers=workers, commit=setting.commit, why=why)
    try:
        with RunProgress(console or Console(quiet=True), workers, expected) as progress:
            runner = _Runner(setting, progress, journal)
            work = _work(tasks, runner)
            ended = run_all(work, workers)
            for name in sorted({item.name for item in work} - ended.keys()):
                runner.outcome.left_out.append(name)
                progress.ends(name, "left out")
                journal.write("end", task=name, outcome="left out")
    finally:
        journal.close()
    outcome = runner.outcome
    write_summary(setting.project, journal.events, outcome.failures)
    outcome.unchanged.extend(_unchanged(tasks, {item.name for item in work}))
    for names in (outcome.executed, outcome.unchanged):
        names.sort()
    outcome.failures.sort(key=lambda failure: (failure.region, failure.notebook))
    return outcome


def _expected(tasks: list[Task]) -> dict[str, float | None]:
    expected: dict[str, float | None] = {}
    for task in tasks:
        runs = task.stale or bool(task.needs)
        if runs:
            expected[task.name] = task.seconds
        expected |= {f"{task.name}.{step}": 0.5 for step, reasons in task.steps.items() if runs or reasons}
    return expected


def _finish(project: Project) -> None:
    """Write the index, unless nothing that it shows changed since it was written."""
    index = project.reports / "index.html"
    shown = [
        *project.notebooks.glob("*.ipynb"),
        *project.reports.glob(f"*/*/{RUN}"),
        *project.reports.glob(f"*/*.failed/{ERROR}"),
        *project.reports.glob("*/*.html"),
        *project.reports.glob("*"),
        Path(__file__).with_name("index.py"),
        *(Path(__file__).with_name("templates")).glob("*"),
    ]
    inputs = {str(path): path.stat().st_mtime_ns for path in sorted(shown) if path != index and path.name != STATE}
    state = project.reports / STATE / "index.json"
    if index.exists() and read_json(state) == inputs:
        return
    from clusterlib.run.index import write_index

    write_index(project)
    write_json(state, inputs)

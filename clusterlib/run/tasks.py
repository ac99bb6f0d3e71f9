"""A run: find what is stale, execute it side by side, make the pages and the index over all."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.extras import extra
from clusterlib.core.files import write_json
from clusterlib.core.records import JOURNAL, STEPS_FORM, read_json
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.regions import region_codes
from clusterlib.run.documents import PaperTask, plan_papers, write
from clusterlib.run.execute import Context, Limits, execute
from clusterlib.run.journal import Journal
from clusterlib.run.locks import run_lock
from clusterlib.run.places import Failure, put_in_place, recover
from clusterlib.run.plan import FORCED, Planner, Task, table_hashes
from clusterlib.run.scratch import clear_left
from clusterlib.run.sources import stack_of
from clusterlib.run.steps import STEPS, Step
from clusterlib.run.stop import end_at_once_when_asked

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlib.run.progress import RunProgress

Executor = Callable[[Task, Context, Path], Failure | None]


@dataclass(frozen=True)
class RunOutcome:
    """What a run did: names of tasks by what became of them, where they failed, and the table of a sweep."""

    executed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    table: Path | None = None

    @property
    def ok(self) -> bool:
        return not self.failures and not self.left_out


class _Runner:
    """Does the work of one run's tasks and keeps what became of them."""

    def __init__(
        self, planner: Planner, context: Context, execute: Executor, progress: RunProgress, journal: Journal
    ) -> None:
        self.planner, self.context, self._execute = planner, context, execute
        self.progress, self.journal, self.outcome = progress, journal, RunOutcome()
        self._lock = threading.Lock()

    def perform(self, name: str, task: Task | PaperTask, action: Callable[[Any], str | Failure]) -> None:
        """Do a part of a task and tell how it went; raises what went wrong, so that what needs it is left out."""
        self.progress.starts(name)
        self.journal.write("start", task=name)
        try:
            result = action(task)
        except BaseException as error:
            text = str(error) if isinstance(error, ClusterlibError) else f"{type(error).__name__}: {error}"
            result = task.failure(text)
        self.end(name, result)
        if isinstance(result, Failure):
            raise ClusterlibError(str(result))

    def end(self, name: str, result: str | Failure) -> None:
        """Tell what became of something."""
        outcome, told = (result, {}) if isinstance(result, str) else ("failed", {"failure": asdict(result)})
        seconds = self.progress.ends(name, outcome)
        self.journal.write("end", task=name, outcome=outcome, seconds=round(seconds, 3), **told)
        with self._lock:
            getattr(self.outcome, {"done": "executed"}.get(outcome, outcome.replace(" ", "_"))).append(name)
            self.outcome.failures.extend([result] if isinstance(result, Failure) else [])

    def execute(self, task: Task) -> str | Failure:
        """Execute a notebook, and put what it wrote in the place of its last run if it did not fail."""
        scratch = task.place.scratch()
        try:
            failure = self._execute(task, self.context, scratch)
            put_in_place(scratch, task.place.failed if failure else task.place.folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if failure is None:
            shutil.rmtree(task.place.failed, ignore_errors=True)
        return failure or "done"

    def make(self, step: Step, task: Task) -> str:
        """Make what a step makes from the run of a notebook, and note what it was made from."""
        place = task.place
        if not self.planner.step_reasons(place, step) and task.reasons != [FORCED]:
            return "unchanged"
        made_from = self.planner.made_from(place, step)
        home, sha256 = place.page.parent, self.planner.hashes.sha256
        outputs = {path.relative_to(home).as_posix(): sha256(path) for path in step.make(place)}
        record = read_json(place.steps, STEPS_FORM) or {}
        write_json(place.steps, {**record, step.name: {"made_from": made_from, "outputs": outputs}})
        return "done"


@extra("run")
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

    A notebook runs again when, and only when, its cells, its parameters, the tables that it reads or the modules of
    the library that it imports changed. A notebook that fails does not stop the others. Report and briefs are made
    when all notebooks of all regions are done.

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
        For a value that is not of the parameter's type, or years of which there are no data.
    RawDataError
        If the processed data must be built first and the raw data are wrong.
    AlreadyRunning
        If another run is at work in the same folder.
    """
    project = project or get_project()
    codes = region_codes(regions or None)
    with prepared(project, project, limits) as (planner, context):
        tasks, wrong = planner.plan(codes, notebooks, settings or {}, force)
        outcome = perform(tasks, planner, context, workers, console, dask, plan_papers(planner, tasks, force))
        outcome.failures.extend(
            Failure(name, region, "", 0, "", reason) for name, reason in wrong.items() for region in codes
        )
        from clusterlib.publish.site import write_site

        problems = write_site(project, wrong)
        outcome.failures.extend(Failure(part, "site", "", 0, "", error) for part, error in problems.items())
    return outcome


@contextlib.contextmanager
def prepared(project: Project, home: Project, limits: Limits | None) -> Iterator[tuple[Planner, Context]]:
    """Hold ``home`` for one run, clear what others left, build the data if need be; give what plans the run."""
    from clusterlib.data._processed import build, read_manifest

    with run_lock(home.reports):
        recover(home.reports)
        clear_left()
        build(project)
        manifest = read_manifest(project)
        planner = Planner(home, table_hashes(manifest))
        yield planner, Context(project, manifest["inputs"], planner.tables, planner.sources, limits=limits or Limits())
        planner.hashes.save()


def perform(
    tasks: list[Task],
    planner: Planner,
    context: Context,
    workers: int | None = None,
    console: Console | None = None,
    dask: str | None = None,
    papers: Iterable[PaperTask] = (),
) -> RunOutcome:
    """Do those of the tasks that are to be done side by side, and keep a log of it; the lock is held by the caller."""
    to_do = _to_do(tasks)
    documents = {paper.name: paper for paper in papers if paper.reasons}
    rest = [n for t in tasks for n in (t.name, *(f"{t.name}.{step}" for step in t.steps)) if n not in to_do]
    rest += [paper.name for paper in papers if not paper.reasons]
    if not to_do and not documents:
        return RunOutcome(unchanged=sorted(rest))
    with _executor(dask, context, [task for task in tasks if task.reasons], workers, console) as (executor, slots):
        from rich.console import Console

        from clusterlib.provenance import git_commit
        from clusterlib.run.progress import RunProgress
        from clusterlib.run.schedule import run_all

        context = replace(context, commit=git_commit(context.project.root))
        expected = {name: 0.5 if step else task.seconds for name, (task, step) in to_do.items()}
        expected |= dict.fromkeys(documents, 5.0)
        why = {task.name: task.reasons for task in (*tasks, *documents.values()) if task.reasons}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").removesuffix("+00:00")
        with (
            end_at_once_when_asked(planner.project.reports, console),
            contextlib.closing(Journal(planner.project.reports / JOURNAL)) as journal,
            RunProgress(console or Console(quiet=True), expected) as progress,
        ):
            journal.write("run", time=now, tasks=len(expected), workers=slots, commit=context.commit, why=why)
            runner = _Runner(planner, context, executor, progress, journal)
            work = {}
            for name, (task, step) in to_do.items():
                action = partial(runner.make, step) if step else runner.execute
                work[name] = partial(runner.perform, name, task, action), [task.name] if step and task.reasons else []
            executed = [task.name for task in tasks if task.reasons]
            for name, paper in documents.items():
                work[name] = partial(runner.perform, name, paper, partial(write, planner)), executed
            ended = run_all(work, slots)
            for name in sorted(work.keys() - ended.keys()):
                runner.end(name, "left out")
    outcome = runner.outcome
    outcome.unchanged.extend(rest)
    for names in (outcome.executed, outcome.unchanged):
        names.sort()
    outcome.failures.sort(key=lambda failure: (failure.region, failure.notebook))
    return outcome


def _to_do(tasks: list[Task]) -> Mapping[str, tuple[Task, Step | None]]:
    """Return by name the notebooks to execute, and then what is to be made from them.

    One region after the other, so that what all have in common is computed once and not waited for; long ones first.
    """
    order = list(dict.fromkeys(task.place.region for task in tasks))
    notebooks = [task for task in tasks if task.reasons]
    notebooks.sort(key=lambda t: (order.index(t.place.region), -(t.seconds or 1e9)))
    steps = [(t, step) for t in tasks for step in STEPS if step.name in t.steps and (t.reasons or t.steps[step.name])]
    found: dict[str, tuple[Task, Step | None]] = {task.name: (task, None) for task in notebooks}
    return found | {f"{task.name}.{step.name}": (task, step) for task, step in steps}


@contextlib.contextmanager
def _executor(
    dask: str | None, context: Context, tasks: list[Task], workers: int | None, console: Console | None
) -> Iterator[tuple[Executor, int]]:
    """Give what executes notebooks, here or on a cluster, and how many it takes at a time."""
    from clusterlib.run import warm

    if tasks:
        stack = stack_of({task.notebook.code for task in tasks})
        if dask:
            from clusterlib.run.cluster import connect

            say = partial(console.print, markup=False, highlight=False) if console else str
            with connect(dask, context.project, stack, say) as cluster:  # type: ignore[arg-type]
                yield cluster.execute, cluster.slots
            return
        # Imported while the rest gets ready.
        warm.prepare(stack)
    yield execute, workers or os.cpu_count() or 1

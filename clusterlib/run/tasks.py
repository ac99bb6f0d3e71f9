"""The tasks of a run: execute each notebook for each region, then make its page; pytask decides what is stale."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pytask import ExitCode, PathNode, PythonNode, Session, TaskOutcome, TaskWithoutPath, build
from rich.console import Console

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.regions import REGIONS, get_region
from clusterlib.run.execute import ERROR, EXECUTED, RESULTS, RUN, Failure, Place, execute
from clusterlib.run.notebooks import Notebook, find_notebooks
from clusterlib.run.pages import TEMPLATES, write_page
from clusterlib.run.progress import OPTION, RunProgress

STATE = ".state"


@dataclass(frozen=True)
class RunOutcome:
    """What a run did."""

    executed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures


def _execute_task(source: Path, needs: list[Path], root: Path, region: str, parameters: str) -> None:
    execute(source, Project(root), region, json.loads(parameters))


def _page_task(executed: Path, needs: list[Path], reports: Path, region: str, notebook: str) -> None:
    write_page(Place(reports, region, notebook))


def _node(path: Path) -> PathNode:
    return PathNode.from_path(path)


def _library_sources() -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    return sorted(p for p in package.rglob("*.py") if "run" not in p.relative_to(package).parts)


def _tasks(project: Project, notebook: Notebook, region: str) -> list[TaskWithoutPath]:
    place = Place(project.reports, region, notebook.name)
    here = Path(__file__).resolve().parent
    needs = [
        *_library_sources(),
        here / "execute.py",
        here / "kernels.py",
        *sorted(project.processed.glob("*.parquet")),
    ]
    # Python's own hash of a text changes with each process, pytask's does not, so parameters travel as text.
    parameters = json.dumps({"region": region}, sort_keys=True)
    execution = TaskWithoutPath(
        name=f"{region}/{notebook.name}",
        function=_execute_task,
        depends_on={
            "source": _node(notebook.path),
            "needs": [_node(path) for path in needs],
            "root": PythonNode(value=project.root),
            "region": PythonNode(value=region),
            "parameters": PythonNode(value=parameters, hash=True),
        },
        produces={"files": [_node(place.folder / name) for name in (EXECUTED, RESULTS, RUN)]},
    )
    page_needs = [place.folder / RESULTS, place.folder / RUN, here / "pages.py", *sorted(TEMPLATES.rglob("*.*"))]
    page = TaskWithoutPath(
        name=f"{region}/{notebook.name}.html",
        function=_page_task,
        depends_on={
            "executed": _node(place.folder / EXECUTED),
            "needs": [_node(path) for path in page_needs],
            "reports": PythonNode(value=project.reports),
            "region": PythonNode(value=region),
            "notebook": PythonNode(value=notebook.name),
        },
        produces={"page": _node(place.page)},
    )
    return [execution, page]


@contextlib.contextmanager
def _kernel_environment() -> Iterator[None]:
    """One thread a kernel, so that numbers do not depend on the machine, and no start-up files of the user's."""
    with tempfile.TemporaryDirectory(prefix="clusterlib-") as scratch:
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        own = {"IPYTHONDIR": scratch, "JUPYTER_RUNTIME_DIR": scratch}
        settings = {**single, **own, "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _state_folder(project: Project) -> Path:
    """pytask keeps its lock file where its configuration is: give it a folder of its own in the reports."""
    folder = project.reports / STATE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytask.toml").write_text("[tool.pytask.ini_options]\n", encoding="utf-8")
    return folder


def _build(tasks: list[TaskWithoutPath], folder: Path, progress: RunProgress, force: bool, workers: int) -> Session:
    import pytask

    log, shown = io.StringIO(), pytask.console.file
    pytask.console.file = log
    try:
        session = build(
            tasks=tasks,
            config=folder / "pytask.toml",
            force=force,
            verbose=0,
            show_traceback=False,
            capture="no",
            n_workers=workers,
            parallel_backend="loky",
            **{OPTION: progress},
        )
    finally:
        progress.end()
        pytask.console.file = shown
    if session.exit_code not in (ExitCode.OK, ExitCode.FAILED) or len(session.execution_reports) < len(tasks):
        raise ClusterlibError(f"the run could not be completed:\n{log.getvalue()}")
    return session


def _failure(project: Project, name: str, error: BaseException | None) -> Failure:
    region, _, notebook = name.partition("/")
    path = Place(project.reports, region, notebook).failed / ERROR
    if path.exists():
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    return Failure(notebook, region, "", 0, "", f"{type(error).__name__}: {error}")


def _outcome(project: Project, session: Session) -> RunOutcome:
    outcome = RunOutcome()
    for report in sorted(session.execution_reports, key=lambda r: r.task.name):
        if report.outcome is TaskOutcome.SUCCESS:
            outcome.executed.append(report.task.name)
        elif report.outcome is TaskOutcome.SKIP_UNCHANGED:
            outcome.unchanged.append(report.task.name)
        elif report.outcome is TaskOutcome.FAIL:
            error = report.exc_info[1] if report.exc_info else None
            outcome.failures.append(_failure(project, report.task.name, error))
    return outcome


def run(
    regions: list[str] | None = None,
    notebooks: list[str] | None = None,
    *,
    force: bool = False,
    workers: int | None = None,
    project: Project | None = None,
    console: Console | None = None,
) -> RunOutcome:
    """Execute notebooks for regions in parallel, make their pages and the index over all.

    What did not change since the last run is not run again: the notebook, its parameters, the processed data and the
    library's code. A notebook that fails does not stop the others.

    Parameters
    ----------
    regions, notebooks : list of str, optional
        Names; by default all.
    force : bool
        Run even what did not change.
    workers : int, optional
        Notebooks at a time; by default one for each processor.
    project : Project, optional
    console : rich.console.Console, optional
        Where progress is shown.

    Returns
    -------
    RunOutcome
        Tasks executed and unchanged, and failures.

    Raises
    ------
    UnknownNameError
        For an unknown region or notebook.
    RawDataError
        If the processed data must be built first and the raw data are wrong.
    """
    from clusterlib.data.processed import build as build_data
    from clusterlib.run.index import write_index

    project = project or get_project()
    console = console or Console()
    codes = [get_region(code).code for code in regions or REGIONS]
    found = find_notebooks(project, notebooks)
    if build_data(project):
        console.print("Built data/processed from data/raw.")
    tasks = [task for notebook in found for code in codes for task in _tasks(project, notebook, code)]
    workers = min(workers or os.cpu_count() or 1, len(found) * len(codes)) or 1
    with _kernel_environment():
        session = _build(tasks, _state_folder(project), RunProgress(console), force, workers)
    outcome = _outcome(project, session)
    write_index(project)
    return outcome

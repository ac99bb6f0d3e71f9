"""Execute one notebook for one region in a folder, and collect there what it found and how it was run."""

from __future__ import annotations

import base64
import datetime
import hashlib
import platform
import re
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.files import write_json
from clusterlib.core.reads import ENDED, READS_VARIABLE
from clusterlib.core.records import ERROR, EXECUTED, RESULTS, RUN
from clusterlib.errors import ClusterlibError
from clusterlib.paths import REPORTS_VARIABLE, ROOT_VARIABLE, Project
from clusterlib.run.places import LOG, Failure
from clusterlib.run.scratch import end_processes_in, temporary_root
from clusterlib.run.sources import PACKAGE, files_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from clusterlib.run.kernels import RunKernelManager
    from clusterlib.run.plan import Task

PACKAGES = ["clusterlib", "pandas", "numpy", "scipy", "statsmodels", "geopandas", "matplotlib", "seaborn", "papermill"]
_READS = "reads.txt"
_LEFT = ("SystemExit: the cell ended the notebook, so that cells after it were not run", "leave the call of exit out")
_SKIPPED = ("the cell was not run", "take off its tag skip-execution, or take out the cell")
_MEMORY = "the notebook may need more memory than there is: run fewer at a time (--workers 1)"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Limits:
    """How long a cell and a whole notebook may take, in seconds."""

    cell: float = 1800
    notebook: float = 7200


@dataclass(frozen=True)
class Context:
    """What all notebooks of a run have in common.

    Attributes
    ----------
    project : Project
        Where notebooks read data and the results of others.
    raw, tables, sources : dict
        Hash of each raw file behind the processed data, of each processed table and of each file of the library.
    commit : str
    limits : Limits
    keep : bool
        Whether the executed notebook, its tables and its figures are kept, and not only what was recorded.
    """

    project: Project
    raw: dict = field(repr=False)
    tables: dict = field(repr=False)
    sources: dict = field(repr=False)
    commit: str = ""
    limits: Limits = Limits()
    keep: bool = True


def execute(task: Task, context: Context, folder: Path) -> Failure | None:
    """Execute a notebook and write the run into an empty folder.

    ``run.json``, which says what the run was made from, is written last: a folder without it is not a run.

    Returns
    -------
    Failure or None
        Where it failed; the folder then holds the notebook as far as it ran, and ``error.json``.
    """
    started, reads, modules, usage = time.time(), [], [], {}
    try:
        try:
            notebook, failure = _run_cells(task, context, folder)
        finally:
            reads, modules, usage = _take_reads(folder)
        if failure is None and notebook is not None:
            _write_results(folder, task, context, notebook, reads)
    except ClusterlibError as error:
        failure = task.failure(str(error))
    except OSError as error:
        free = shutil.disk_usage(folder).free / 1e6
        reason = f"{type(error).__name__}: {error.strerror or error}"
        advice = f"{free:,.0f} MB are free where reports are written: make room there, then run again"
        failure = task.failure(reason, advice)
    if failure is not None:
        write_json(folder / ERROR, asdict(failure))
    else:
        (folder / LOG).unlink(missing_ok=True)
        if not context.keep:
            (folder / EXECUTED).unlink()
            for kind in ("tables", "figures"):
                shutil.rmtree(folder / kind)
    observed = {
        "code": {name: context.sources[name] for name in files_of(modules, context.sources)},
        "data": {name: context.tables.get(name, "") for name in sorted({text.split()[0] for *_, text in reads})},
    }
    _write_run(folder, task, context, observed, started, usage)
    return failure


def _run_cells(task: Task, context: Context, folder: Path) -> tuple[NotebookNode | None, Failure | None]:
    from clusterlib.results import DRAWINGS_VARIABLE
    from clusterlib.run.kernels import KERNEL, RunKernelManager, close_loop
    from clusterlib.run.papermill_engine import papermill

    # Named like the source: papermill writes the name into the executed notebook.
    source = folder / f"{task.notebook.name}.ipynb"
    source.write_text(task.notebook.source, encoding="utf-8")
    runtime = Path(tempfile.mkdtemp(dir=temporary_root(), prefix=""))
    startup = runtime / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("observe.py"), startup)
    variables = {
        READS_VARIABLE: str(folder / _READS),
        ROOT_VARIABLE: str(context.project.root),
        REPORTS_VARIABLE: context.project.folder,
    }
    if context.keep:
        variables[DRAWINGS_VARIABLE] = str(folder)
    kernel = RunKernelManager(folder, runtime, variables)
    timer = threading.Timer(context.limits.notebook, kernel.expire)
    timer.start()
    try:
        notebook = papermill.execute_notebook(
            source,
            folder / EXECUTED,
            parameters=task.settings,
            engine_name=PACKAGE,
            kernel_name=KERNEL,
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            timeout=context.limits.cell,
            kernel=kernel,
        )
        return notebook, _locate(task, notebook, *_SKIPPED)
    except Exception as error:  # each kind gets its own words; none may end the other notebooks
        return None, _failure(task, context, folder, error, kernel)
    finally:
        timer.cancel()
        del RunKernelManager.running[str(folder)]
        close_loop()
        end_processes_in(runtime)
        shutil.rmtree(runtime, ignore_errors=True)
        source.unlink(missing_ok=True)


def _failure(task: Task, context: Context, folder: Path, error: Exception, kernel: RunKernelManager) -> Failure:
    from clusterlib.core.quick import nbformat

    # nbclient's own time-out is an OSError too, without a number of the system's.
    if isinstance(error, ClusterlibError) or (isinstance(error, OSError) and error.errno is not None):
        raise error
    words = _words(context.limits, error, kernel)
    path = folder / EXECUTED
    located = _locate(task, nbformat.read(path, as_version=4), *words) if path.exists() else None
    return located or task.failure(*words)


def _words(limits: Limits, error: Exception, kernel: RunKernelManager) -> tuple[str, str]:
    """Return what happened to a notebook, and what to do."""
    kind = type(error).__name__
    if what := "notebook" if kernel.expired else "cell" if kind == "CellTimeoutError" else "":
        reason = f"{what.title()}TimeoutError: the {what} took longer than {getattr(limits, what):g} s"
        return reason, f"find what does not end, or allow more with --{what}-timeout"
    if (code := kernel.exit_code) is not None:
        ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{kind}: the kernel {ended}", _MEMORY if code == -signal.SIGKILL else "see kernel.log"
    return f"{kind}: {error}", ""


def _locate(task: Task, notebook: NotebookNode, error: str, advice: str) -> Failure | None:
    """Return the failure in the first cell that raised an error or was not executed to its end, if there is one."""
    added = {"papermill-error-cell-tag", "injected-parameters"}
    own = [cell for cell in notebook.cells if not added.intersection(cell.metadata.get("tags", []))]
    for number, cell in enumerate(own, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        raised = [output for output in cell.outputs if output.output_type == "error"]
        # A kernel that died or was stopped leaves no error among the outputs, but no reply either.
        # The source's own record of a reply is of another run; its count of executions was taken off.
        if raised or not cell.execution_count or "shell.execute_reply" not in cell.metadata.get("execution", {}):
            line, trace = cell.source.strip().splitlines()[0], ""
            if raised:
                first, trace = raised[0], _ANSI.sub("", "\n".join(raised[0].traceback))
                error, advice = f"{first.ename}: {first.evalue}", _MEMORY if first.ename == "MemoryError" else ""
                if first.ename == "SystemExit" and first.evalue in {"", "0"}:
                    error, advice = _LEFT
            return task.failure(error, advice, cell=cell.id, number=number, line=line, traceback=trace)
    return None


def _take_reads(folder: Path) -> tuple[list[tuple[str, int, str]], list[str], dict[str, float]]:
    """Return what was read in which cell and line, the modules that the notebook loaded, and what it cost by then."""
    path = folder / _READS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    reads, modules, usage, cell = [], [], {}, ""
    # From the end: a cell's name stands behind what was read in it, and what is used grows.
    for line in reversed(lines):
        text, blank, number = line.rpartition(" ")
        name, equals, value = line.partition("=")
        if line.startswith(ENDED):
            cell = value
        elif blank:
            reads.append((cell, int(number), text))
        elif equals:
            usage.setdefault(name, float(value))
        else:
            modules.append(name)
    return reads, sorted(modules), usage


def _write_results(folder: Path, task: Task, context: Context, notebook: NotebookNode, reads: list) -> None:
    from clusterlib.core.language import LANGUAGES
    from clusterlib.core.lineage import trace_records
    from clusterlib.core.reads import has_rows
    from clusterlib.data._own import OWN, facts_path, split_table
    from clusterlib.provenance import sha256
    from clusterlib.report._tables import write_tables
    from clusterlib.results import collect_images, collect_records

    images, code = collect_images(notebook), [cell for cell in notebook.cells if cell.cell_type == "code"]
    # Papermill names the cell that it adds by chance.
    cells = [("" if "injected-parameters" in cell.metadata.get("tags", []) else cell.id, cell.source) for cell in code]
    records, rows = trace_records(collect_records(notebook), cells, [read for read in reads if has_rows(read[-1])])
    for kind in ("tables", "figures"):
        (folder / kind).mkdir(exist_ok=True)
    # What a cell drew and then did not record, or drew without a name that holds.
    named = {Path(image).stem for image in images}
    for path in (folder / "figures").iterdir():
        if path.stem not in named:
            path.unlink()
    for entry in records:
        if entry["kind"] == "table":
            _write_table(folder / "tables" / entry["name"], entry)
    for language in LANGUAGES if context.keep else ():
        write_tables(folder / f"tables.{language}.docx", records, language)
    for file, image in images.items():
        (folder / file).write_bytes(base64.b64decode(image))
    imported = {
        facts_path(context.project, *split_table(text.split()[0])) for *_, text in reads if text.startswith(OWN)
    }
    own = {path.relative_to(context.project.root).as_posix(): sha256(path) for path in sorted(imported)}
    content = {
        "notebook": task.notebook.name,
        "region": task.region,
        "parameters": task.parameters,
        "data": {**context.raw, **own},
        "reads": rows,
        "records": records,
    }
    write_json(folder / RESULTS, content)


def _write_table(stem: Path, entry: dict) -> None:
    """Write a recorded table as csv, with full precision, and as people see it in LaTeX, in each language."""
    import pandas as pd

    from clusterlib.core.language import speaking
    from clusterlib.core.tables import Cells
    from clusterlib.tables._three_line import set_latex

    table = entry["value"]
    frame = pd.DataFrame(table["data"], columns=[*table["index"], *table["columns"]])
    # Spreadsheets take a csv without the mark for the system's own encoding and garble Chinese.
    frame.to_csv(f"{stem}.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    for language, ending, file in (("en", "", "tex"), ("zh", "_zh", "zh.tex")):
        if shown := entry.get(f"shown{ending}"):
            notes = {name: entry[f"{name}{ending}"] for name in ("unit", "note", "source")}
            with speaking(language):
                latex = set_latex(Cells(**shown), entry[f"label_{language}"], "", **notes, label=f"tab:{entry['name']}")
            Path(f"{stem}.{file}").write_text(latex + "\n", encoding="utf-8")


def _write_run(folder: Path, task: Task, context: Context, observed: dict, started: float, usage: dict) -> None:
    from clusterlib.provenance import package_versions, sha256

    written = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in {LOG, ERROR})
    content = {
        "notebook_sha256": hashlib.sha256(task.notebook.source.encode()).hexdigest(),
        "parameters": task.parameters,
        "changed": task.changed,
        "started_at": datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        **usage,
        "commit": context.commit,
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
        "inputs": {**task.inputs, **observed},
        "outputs": {p.relative_to(folder).as_posix(): sha256(p) for p in written},
    }
    write_json(folder / RUN, content)

"""Execute one notebook for one region in a folder, and collect there what it found and how it was run."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
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

from clusterlib.errors import ClusterlibError
from clusterlib.run.places import ERROR, EXECUTED, LOG, RESULTS, RUN, Failure, write_json
from clusterlib.run.sources import PACKAGE, files_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from clusterlib.run.kernels import RunKernelManager

KERNEL = "python3"
ENGINE = "clusterlib"
READS_VARIABLE = "CLUSTERLIB_READS"
PACKAGES = ["clusterlib", "pandas", "numpy", "scipy", "statsmodels", "geopandas", "matplotlib", "seaborn", "papermill"]
_READS = "reads.txt"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Limits:
    """How long a cell and a whole notebook may take, in seconds."""

    cell: float = 1800
    notebook: float = 7200


@dataclass(frozen=True)
class Job:
    """One notebook to execute for one region.

    Attributes
    ----------
    notebook, region : str
    source : str
        The notebook file's text.
    settings : dict
        Values to set in its parameters cell, region included.
    parameters : dict
        All of its parameters with the values that they then have.
    changed : tuple of str
        Those whose value is not the notebook's own.
    inputs : dict
        What the run is made from, by kind; data and code are added once it is known what the notebook read and loaded.
    raw, tables, sources : dict
        Hash of each raw file behind the processed data, of each processed table and of each file of the library.
    commit : str
    limits : Limits
    """

    notebook: str
    region: str
    source: str = field(repr=False)
    settings: dict
    parameters: dict
    changed: tuple[str, ...] = ()
    inputs: dict = field(default_factory=dict, repr=False)
    raw: dict = field(default_factory=dict, repr=False)
    tables: dict = field(default_factory=dict, repr=False)
    sources: dict = field(default_factory=dict, repr=False)
    commit: str = ""
    limits: Limits = Limits()


def execute(job: Job, folder: Path, root: Path) -> Failure | None:
    """Execute a notebook and write the run into an empty folder.

    ``run.json``, which says what the run was made from, is written last: a folder without it is not a run.

    Parameters
    ----------
    job : Job
    folder : Path
    root : Path
        The project that the notebook reads its data from.

    Returns
    -------
    Failure or None
        Where it failed; the folder then holds the notebook as far as it ran, and ``error.json``.
    """
    started = time.time()
    failure, usage = None, {}
    try:
        notebook, failure, usage = _run_cells(job, folder, root)
        if failure is None and notebook is not None:
            _write_results(folder, job, notebook)
    except ClusterlibError as error:
        failure = Failure(job.notebook, job.region, "", 0, "", str(error))
    except OSError as error:
        failure = _system_failure(job, folder, error)
    reads, modules = _take_reads(folder)
    if failure is not None:
        write_json(folder / ERROR, asdict(failure))
    else:
        (folder / LOG).unlink(missing_ok=True)
    observed = {
        "code": {name: job.sources[name] for name in files_of(modules, job.sources)},
        "data": {name: job.tables.get(name, "") for name in reads},
    }
    _write_run(folder, job, observed, started, usage)
    return failure


def _system_failure(job: Job, folder: Path, error: OSError) -> Failure:
    free = shutil.disk_usage(folder).free / 1e6
    reason = f"{type(error).__name__}: {error.strerror or error}"
    advice = f"{free:,.0f} MB are free where reports are written: make room there, then run again"
    return Failure(job.notebook, job.region, "", 0, "", reason, advice)


def _run_cells(job: Job, folder: Path, root: Path) -> tuple[NotebookNode | None, Failure | None, dict]:
    from clusterlib.run.kernels import RunKernelManager, kernel_config, run_loop_closed
    from clusterlib.run.papermill_engine import papermill

    # Named like the source: papermill writes the name into the executed notebook.
    source = folder / f"{job.notebook}.ipynb"
    source.write_text(job.source, encoding="utf-8")
    runtime = Path(tempfile.mkdtemp(prefix="clusterlib-"))
    startup = runtime / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("observe.py"), startup)
    variables = {READS_VARIABLE: str(folder / _READS), "CLUSTERLIB_ROOT": str(root)}
    watch = _Watch(str(folder), job.limits.notebook)
    notebook, failure = None, None
    try:
        with watch:
            notebook = papermill.execute_notebook(
                source,
                folder / EXECUTED,
                parameters=job.settings,
                engine_name=ENGINE,
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                kernel_manager_class=RunKernelManager,
                execution_timeout=job.limits.cell,
                config=kernel_config(folder, folder / LOG, runtime, variables),
                partial_path=folder / EXECUTED,
            )
    except Exception as error:  # each kind gets its own words; none may end the other notebooks
        failure = _failure(job, folder, error, watch)
    finally:
        manager = RunKernelManager.running.pop(str(folder), None)
        run_loop_closed()
        shutil.rmtree(runtime, ignore_errors=True)
        source.unlink(missing_ok=True)
    return notebook, failure, manager.usage if manager else {}


class _Watch:
    """Kills a notebook's kernel when its time is up."""

    def __init__(self, folder: str, seconds: float) -> None:
        self.folder, self.seconds, self.expired = folder, seconds, False
        self.timer = threading.Timer(seconds, self._expire)
        self.timer.daemon = True

    def _expire(self) -> None:
        self.expired = True
        if manager := self.manager:
            manager.kill()

    @property
    def manager(self) -> RunKernelManager | None:
        from clusterlib.run.kernels import RunKernelManager

        return RunKernelManager.running.get(self.folder)

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()


def _failure(job: Job, folder: Path, error: Exception, watch: _Watch) -> Failure:
    from papermill import PapermillExecutionError

    from clusterlib.run.quick import nbformat

    # nbclient's own time-out is an OSError too, without a number of the system's.
    if isinstance(error, ClusterlibError) or (isinstance(error, OSError) and error.errno is not None):
        raise error
    try:
        notebook = nbformat.read(folder / EXECUTED, as_version=4)
    except FileNotFoundError:
        return Failure(job.notebook, job.region, "", 0, "", *_words(job, error, watch))
    if isinstance(error, PapermillExecutionError):
        words = (f"{error.ename}: {error.evalue}".strip(), _advice(error.ename))
    else:
        words = _words(job, error, watch)
    return _locate(job, notebook, *words)


def _advice(name: str) -> str:
    if name == "MemoryError":
        return "the notebook needs more memory than it may use: run fewer at a time (--workers 1)"
    return ""


def _words(job: Job, error: Exception, watch: _Watch) -> tuple[str, str]:
    """Return what happened to a notebook that did not end by an error of its own, and what to do."""
    kind = type(error).__name__
    if watch.expired:
        return (
            f"NotebookTimeout: the notebook took longer than {job.limits.notebook:g} s",
            "find the cell that does not end, or allow more with --notebook-timeout",
        )
    if kind == "CellTimeoutError":
        return (
            f"CellTimeoutError: the cell took longer than {job.limits.cell:g} s",
            "find what does not end, or allow more with --cell-timeout",
        )
    code = watch.manager.exit_code if watch.manager else None
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        advice = "the system kills the process that wants too much memory: run fewer at a time (--workers 1)"
        return f"{kind}: the kernel was killed by {name}", advice if name == "SIGKILL" else "see kernel.log"
    if code is not None:
        return f"{kind}: the kernel ended with exit code {code}", "see kernel.log"
    if kind in {"ValidationError", "NotJSONError", "NotebookValidationError"}:
        return f"{job.notebook}.ipynb is not a valid notebook ({str(error).splitlines()[0][:200]})", ""
    return f"{kind}: {error}".strip(), ""


def _locate(job: Job, notebook: NotebookNode, error: str, advice: str) -> Failure:
    added = {"papermill-error-cell-tag", "injected-parameters"}
    own = [cell for cell in notebook.cells if not added.intersection(cell.metadata.get("tags", []))]
    for number, cell in enumerate(own, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        raised = [output for output in cell.outputs if output.output_type == "error"]
        # A kernel that died or was stopped leaves no error among the outputs, but no reply either.
        if raised or "shell.execute_reply" not in cell.metadata.get("execution", {}):
            line = cell.source.strip().splitlines()[0]
            trace = _ANSI.sub("", "\n".join(raised[0].traceback)) if raised else ""
            return Failure(job.notebook, job.region, cell.id, number, line, error.strip(), advice, trace)
    return Failure(job.notebook, job.region, "", 0, "", error.strip(), advice)


def _take_reads(folder: Path) -> tuple[list[str], list[str]]:
    """Return the tables that the notebook read and the modules that it loaded."""
    path = folder / _READS
    names = sorted(set(path.read_text(encoding="utf-8").split())) if path.exists() else []
    path.unlink(missing_ok=True)
    modules = [name for name in names if name.startswith(f"{PACKAGE}.")]
    return [name for name in names if name not in modules], modules


def _write_results(folder: Path, job: Job, notebook: NotebookNode) -> None:
    from clusterlib.results import collect_images, collect_records

    records, images = collect_records(notebook), collect_images(notebook)
    for kind in ("tables", "figures"):
        (folder / kind).mkdir()
    for entry in records:
        if entry["kind"] == "table":
            _write_table(folder / "tables" / entry["name"], entry)
    for file, image in images.items():
        (folder / file).write_bytes(base64.b64decode(image))
    content = {
        "notebook": job.notebook,
        "region": job.region,
        "parameters": job.parameters,
        "data": job.raw,
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


def _write_run(folder: Path, job: Job, observed: dict, started: float, usage: dict) -> None:
    from clusterlib.provenance import package_versions, sha256

    written = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in {LOG, ERROR})
    content = {
        "notebook_sha256": hashlib.sha256(job.source.encode()).hexdigest(),
        "parameters": job.parameters,
        "changed": list(job.changed),
        "started_at": datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        **usage,
        "commit": job.commit,
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
        "inputs": {**job.inputs, **observed},
        "outputs": {p.relative_to(folder).as_posix(): sha256(p) for p in written},
    }
    write_json(folder / RUN, content)


def results_digest(results: dict) -> str:
    """Return the hash of what a run found; when and from which files does not count."""
    found = {"parameters": results["parameters"], "records": results["records"]}
    return hashlib.sha256(json.dumps(found, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

"""Execute notebooks on the workers of a Dask cluster; what they need and what they write travels through it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.provenance import sha256
from clusterlib.run.execute import Context, execute
from clusterlib.run.places import RESULTS, Failure, is_report
from clusterlib.run.sources import FOLDER

if TYPE_CHECKING:
    from distributed import Client, Future

    from clusterlib.run.plan import Task

_CONNECT_SECONDS = 15
_LOOK_SECONDS = 0.5
# How long a run waits for a worker when all are gone.
_WORKERLESS_SECONDS = 60


def library_digest() -> str:
    """Return a hash of the library's sources, the same on every machine that has the same."""
    return sha256(*sorted(FOLDER.rglob("*.py")))


def pack(folder: Path) -> bytes:
    """Return a folder's files but for hidden ones and those in hidden folders as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            place = path.relative_to(folder)
            if not any(part.startswith(".") for part in place.parts):
                packed.write(path, place.as_posix())
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a zip into a folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)


def execute_remotely(
    task: Task, context: Context, data: bytes, digest: str, modules: list[str], files: Mapping[str, str]
) -> tuple[Failure | None, bytes]:
    """Execute a task on a worker and return its failure, if any, and a zip of what it wrote.

    Parameters
    ----------
    task : Task
    context : Context
    data : bytes
        Zip of the project's data.
    digest : str
        Its hash.
    modules : list of str
        What warm kernels import.
    files : mapping
        Texts that the task reads beside the data, by their path in the project.
    """
    from clusterlib.run import warm

    warm.prepare(modules)
    with tempfile.TemporaryDirectory(prefix="clusterlib-run-") as scratch:
        project, folder = replace(context.project, root=Path(scratch) / "project"), Path(scratch) / "run"
        folder.mkdir()
        with _ended_with_its_task(folder):
            _stage(project.root, data, digest, files)
            return execute(task, replace(context, project=project), folder), pack(folder)


_staged: dict[str, Path] = {}
_staging = threading.Lock()


def _stage(root: Path, data: bytes, digest: str, files: Mapping[str, str]) -> None:
    """Make a project on this machine: the data unpacked once by each worker, and what else this task reads."""
    with _staging:
        if digest not in _staged:
            home = Path(tempfile.mkdtemp(prefix="clusterlib-data-"))
            unpack(data, home)
            _staged[digest] = home
    root.mkdir()
    (root / "data").symlink_to(_staged[digest])
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _ended_with_its_task(folder: Path) -> Iterator[None]:
    """Kill the kernel when the task is cancelled: its client stopped, or lost its connection."""
    from distributed import get_worker

    from clusterlib.run.kernels import RunKernelManager

    done, worker = threading.Event(), get_worker()
    key = worker.get_current_task()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            state, kernel = worker.state.tasks.get(key), RunKernelManager.running.get(str(folder))
            if kernel and (state is None or state.state == "cancelled"):
                kernel.kill()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


class Cluster:
    """Executes jobs on the workers of one Dask cluster."""

    def __init__(self, client: Client, address: str, project: Project, modules: list[str]) -> None:
        self.client, self.address, self.project, self.modules = client, address, project, modules
        self.slots = sum(client.nthreads().values())  # type: ignore[attr-defined]
        data = pack(project.root / "data")
        self.digest = hashlib.sha256(data).hexdigest()
        # As a task, it can be done again if the worker that holds it is lost.
        self.data = client.submit(bytes, data, key=f"clusterlib-data-{self.digest[:16]}-{uuid.uuid4().hex[:8]}")

    def execute(self, task: Task, context: Context, folder: Path) -> Failure | None:
        """Execute a task on a worker and bring what it wrote into ``folder``."""
        from distributed import CancelledError, KilledWorker

        arguments = (task, context, self.data, self.digest, self.modules, self._files(task))
        future = self.client.submit(execute_remotely, *arguments, pure=False, key=f"{task.name}-{uuid.uuid4().hex}")
        try:
            failure, written = self._wait(future)
        except KilledWorker:
            error = "KilledWorker: every worker that took up this notebook ended"
            return task.failure(error, "look into the workers' logs: most often it needs more memory than one may use")
        except (CancelledError, TimeoutError) as lost:
            future.cancel()
            reason = str(lost) if isinstance(lost, TimeoutError) else "the scheduler gave the notebook up or is gone"
            advice = "start it again, then run again: what was finished stays finished"
            return task.failure(f"{self.address}: {reason}", advice)
        unpack(written, folder)
        return failure

    def _wait(self, future: Future) -> tuple[Failure | None, bytes]:
        """Return the result, unless the scheduler goes, or no worker is there for too long."""
        seen = time.monotonic()
        while not future.done():
            time.sleep(_LOOK_SECONDS / 5)
            if self.client.status != "running":
                raise TimeoutError("the scheduler is gone")
            if self.client.scheduler_info()["workers"]:
                seen = time.monotonic()
            elif time.monotonic() - seen > _WORKERLESS_SECONDS:
                raise TimeoutError(f"no worker was there for {_WORKERLESS_SECONDS} seconds")
        return future.result()

    def _files(self, task: Task) -> dict[str, str]:
        """Return the captions and, for a report, the results of the others."""
        reports = [task.region] if is_report(task.notebook.name) else []
        paths = [path for name in reports for path in self.project.reports.glob(f"{name}/[0-9][0-9]_*/{RESULTS}")]
        paths += self.project.notebooks.glob("*.yml")
        return {path.relative_to(self.project.root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@contextlib.contextmanager
def connect(address: str, project: Project, modules: list[str]) -> Iterator[Cluster]:
    """Connect to a Dask scheduler whose workers have this very library.

    Raises
    ------
    ClusterlibError
        If there is no scheduler, no worker, or a worker with other sources.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterlibError("Dask is not installed: install clusterlib[cluster]") from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterlibError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        mine = library_digest()
        try:
            theirs: Any = client.run(library_digest)
        except Exception as error:
            raise ClusterlibError(f"the workers of {address} do not have clusterlib: {error}") from None
        if not theirs:
            raise ClusterlibError(f"{address} has no workers: start some with `dask worker {address}`")
        if other := sorted(worker for worker, digest in theirs.items() if digest != mine):
            raise ClusterlibError(f"worker {other[0]} has other sources of clusterlib than this machine")
        yield Cluster(client, address, project, modules)

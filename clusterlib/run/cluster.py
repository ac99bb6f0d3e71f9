"""Execute notebooks on the workers of a Dask cluster; what they need and what they write travels through it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import logging
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.extras import extra
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.provenance import sha256
from clusterlib.run.execute import Context, execute
from clusterlib.run.places import Failure
from clusterlib.run.sources import FOLDER

if TYPE_CHECKING:
    from distributed import Client, Future

    from clusterlib.run.plan import Task

_CONNECT_SECONDS = 4
_LOOK_SECONDS = 0.5
# How long a scheduler may take to say which workers it has, and how long a run waits for it or for a worker.
_ANSWER_SECONDS = 5
_PATIENCE_SECONDS = 60


def library_digest() -> str:
    """Return a hash of the library's sources, the same on every machine that has the same."""
    return sha256(*sorted(FOLDER.rglob("*.py")))


def pack(folder: Path, paths: Iterable[Path] | None = None) -> bytes:
    """Return a folder's files, or these of them, but for hidden ones and those in hidden folders as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in sorted(path for path in paths or folder.rglob("*") if path.is_file()):
            place = path.relative_to(folder)
            if not any(part.startswith(".") for part in place.parts):
                packed.write(path, place.as_posix())
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a zip into a folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)


def execute_remotely(
    task: Task, context: Context, data: bytes, digest: str, modules: list[str]
) -> tuple[Failure | None, bytes]:
    """Execute a task on a worker and return its failure, if any, and a zip of what it wrote.

    Parameters
    ----------
    task : Task
    context : Context
    data : bytes
        Zip of the project's data and captions.
    digest : str
        Its hash.
    modules : list of str
        What warm kernels import.
    """
    from distributed import get_worker

    from clusterlib.run import warm

    warm.prepare(modules)
    # Dask clears the worker's own folder when it ends, and that of one that was killed when the next one starts.
    home = get_worker().local_directory
    with tempfile.TemporaryDirectory(prefix="clusterlib-run-", dir=home) as scratch:
        folder = Path(scratch)
        with _ended_with_its_task(folder):
            project = replace(context.project, root=_stage(data, digest, home))
            return execute(task, replace(context, project=project), folder), pack(folder)


_staged: dict[str, Path] = {}
_staging = threading.Lock()


def _stage(data: bytes, digest: str, home: str) -> Path:
    """Return the folder of the project on this machine, unpacked once by each worker."""
    with _staging:
        if digest not in _staged or not _staged[digest].exists():
            staged = Path(tempfile.mkdtemp(prefix="clusterlib-data-", dir=home))
            unpack(data, staged)
            _staged[digest] = staged
        return _staged[digest]


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

    def __init__(
        self, client: Client, address: str, project: Project, modules: list[str], say: Callable[[str], None]
    ) -> None:
        self.client, self.address, self.project, self.modules, self.say = client, address, project, modules, say
        self.slots = sum(client.nthreads().values())  # type: ignore[attr-defined]
        # What was imported is for runs with a name alone.
        read = [path for path in (project.root / "data").rglob("*") if project.named or project.own not in path.parents]
        read += project.notebooks.glob("*.yml")
        data = pack(project.root, read)
        self.digest = hashlib.sha256(data).hexdigest()
        # As a task, it can be done again if the worker that holds it is lost.
        self.data = client.submit(bytes, data, key=f"clusterlib-data-{self.digest[:16]}-{uuid.uuid4().hex[:8]}")
        self.lost = ""
        threading.Thread(target=self._watch, daemon=True).start()

    def execute(self, task: Task, context: Context, folder: Path) -> Failure | None:
        """Execute a task on a worker and bring what it wrote into ``folder``."""
        from distributed import CancelledError, KilledWorker

        arguments = (task, context, self.data, self.digest, self.modules)
        future = self.client.submit(execute_remotely, *arguments, pure=False, key=f"{task.name}-{uuid.uuid4().hex}")
        try:
            failure, written = self._wait(future)
        except KilledWorker:
            error = "KilledWorker: every worker that took up this notebook ended"
            return task.failure(error, "look into the workers' logs: most often it needs more memory than one may use")
        except (CancelledError, TimeoutError) as lost:
            reason = str(lost) if isinstance(lost, TimeoutError) else "the scheduler gave the notebook up or is gone"
            advice = "start it again, then run again: what was finished stays finished"
            return task.failure(f"{self.address}: {reason}", advice)
        unpack(written, folder)
        return failure

    def _wait(self, future: Future) -> tuple[Failure | None, bytes]:
        """Return the result, unless the scheduler or the workers are given up."""
        while not future.done():
            if self.lost:
                raise TimeoutError(self.lost)
            time.sleep(_LOOK_SECONDS / 5)
        return future.result(timeout=_PATIENCE_SECONDS)

    def _watch(self) -> None:
        """Say when the scheduler does not answer or has no worker, and give the run up when that lasts."""
        told, began = "", 0.0
        while not self.lost:
            time.sleep(_LOOK_SECONDS)
            try:
                scheduler: Any = self.client.scheduler
                workers = self.client.sync(scheduler.ncores, callback_timeout=_ANSWER_SECONDS)
                trouble = "" if workers else "no worker is there"
            except Exception:  # of many kinds, by what just goes on
                trouble = "the scheduler does not answer"
            if self.client.status != "running":
                self.lost = "the scheduler is gone"
            elif trouble and not told:
                began = time.monotonic()
                self.say(f"{self.address}: {trouble}; waiting up to {_PATIENCE_SECONDS} s")
            elif trouble and time.monotonic() - began > _PATIENCE_SECONDS:
                self.lost = f"{trouble}, for {_PATIENCE_SECONDS} s"
            told = trouble


async def _greet(address: str) -> None:
    """Raise unless a scheduler answers soon: a client would wait for ever for what is no scheduler."""
    from distributed import rpc

    async with asyncio.timeout(_CONNECT_SECONDS), rpc(address) as server:
        who: Any = await server.identity()
        if who["type"] != "Scheduler":
            raise ClusterlibError(f"it is a {who['type']}")


@contextlib.contextmanager
def connect(address: str, project: Project, modules: list[str], say: Callable[[str], None]) -> Iterator[Cluster]:
    """Connect to a Dask scheduler whose workers have this very library; what a run waits for is said.

    Raises
    ------
    ClusterlibError
        If there is no scheduler, no worker, or a worker with other sources.
    """
    with extra("cluster"):
        from distributed import Client
    # What is lost is told by the run.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        # In a thread of its own: a notebook that calls this has a loop in its main one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(address)).result()
    except Exception as error:  # what answers at an address may be anything
        reason = str(error) or f"no answer within {_CONNECT_SECONDS} s"
        raise ClusterlibError(f"no Dask scheduler answers at {address}: {reason}") from None
    with Client(address, timeout=_CONNECT_SECONDS, set_as_default=False) as client:
        mine = library_digest()
        try:
            theirs: Any = client.run(library_digest)
        except Exception as error:
            raise ClusterlibError(f"the workers of {address} do not have clusterlib: {error}") from None
        if not theirs:
            raise ClusterlibError(f"{address} has no workers: start some with `dask worker {address}`")
        if other := sorted(worker for worker, digest in theirs.items() if digest != mine):
            raise ClusterlibError(f"worker {other[0]} has other sources of clusterlib than this machine")
        yield Cluster(client, address, project, modules, say)

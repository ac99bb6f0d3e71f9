"""Execute notebooks on the workers of a Dask cluster, with files on any folder that they reach."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.run.execute import Job, execute
from clusterlib.run.places import RESULTS, Failure, is_report

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 15
_LOOK_SECONDS = 0.5


def library_digest() -> str:
    """Return a hash of the library's sources, the same on every machine that has the same."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def pack(folder: Path, names: list[Path] | None = None) -> bytes:
    """Return a folder's files, or some of them, as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in names if names is not None else sorted(p for p in folder.rglob("*") if p.is_file()):
            packed.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Write the files of a zip into a folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)


@dataclass(frozen=True)
class Remote:
    """Where a worker finds its inputs and leaves its outputs.

    Attributes
    ----------
    data : str
        fsspec URL of a zip of the project's data; empty where the workers see the project itself.
    output : str
        URL of the zip to write; or the folder that workers and client share.
    root : str
        The project's folder, where it is shared.
    modules : tuple of str
        What warm kernels import.
    results : dict
        Texts of the ``results.json`` files that a report reads, by their path in the reports folder.
    """

    data: str
    output: str
    root: str
    modules: tuple[str, ...]
    results: dict[str, str]


def execute_remotely(job: Job, remote: Remote) -> Failure | None:
    """Execute a job on a worker; the run is written whole, or not at all, before this returns."""
    from clusterlib.run import warm

    warm.prepare(list(remote.modules))
    with _ended_with_its_task() as kernel_folder:
        if not remote.data:
            folder = Path(remote.output)
            # A worker that died may have begun here.
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            kernel_folder.append(str(folder))
            return execute(job, folder, Path(remote.root))
        with tempfile.TemporaryDirectory(prefix="clusterlib-run-") as scratch:
            root, folder = Path(scratch) / "project", Path(scratch) / "run"
            folder.mkdir()
            kernel_folder.append(str(folder))
            _stage(root, remote)
            failure = execute(job, folder, root)
            import fsspec

            with fsspec.open(remote.output, "wb") as file:
                file.write(pack(folder))
            return failure


_staged: dict[str, Path] = {}
_staging = threading.Lock()


def _stage(root: Path, remote: Remote) -> None:
    """Make a project on this machine: the data fetched once by each worker, the results that this job reads."""
    import fsspec

    with _staging:
        if remote.data not in _staged:
            home = Path(tempfile.mkdtemp(prefix="clusterlib-data-"))
            with fsspec.open(remote.data, "rb") as file:
                unpack(file.read(), home)
            _staged[remote.data] = home
    root.mkdir()
    (root / "data").symlink_to(_staged[remote.data])
    for name, text in remote.results.items():
        path = root / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _ended_with_its_task() -> Iterator[list[str]]:
    """Kill the kernel when the task is cancelled: its client stopped, or lost its connection."""
    from distributed import get_worker

    from clusterlib.run.kernels import RunKernelManager

    folder: list[str] = []
    done = threading.Event()
    try:
        worker = get_worker()
        key = worker.get_current_task()
    except ValueError:
        yield folder
        return

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            state = worker.state.tasks.get(key)
            if state is None or state.state == "cancelled":
                while not done.wait(_LOOK_SECONDS):
                    if folder and (manager := RunKernelManager.running.get(folder[0])):
                        manager.kill()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield folder
    finally:
        done.set()


class Cluster:
    """Executes jobs on the workers of one Dask cluster."""

    def __init__(self, client: Client, store: str | None, project: Project, modules: list[str]) -> None:
        self.client, self.project, self.modules = client, project, tuple(modules)
        self.store = store.rstrip("/") if store else ""
        self.slots = sum(client.nthreads().values())
        self.data = self._send_data() if store else ""

    def _send_data(self) -> str:
        import fsspec

        root = self.project.root / "data"
        files = sorted(p for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
        content = pack(root, files)
        url = f"{self.store}/inputs/{hashlib.sha256(content).hexdigest()[:16]}.zip"
        fs, path = fsspec.core.url_to_fs(url)
        if not fs.exists(path):
            fs.makedirs(fs._parent(path), exist_ok=True)
            with fs.open(path, "wb") as file:
                file.write(content)
        return url

    def execute(self, job: Job, folder: Path, root: Path) -> Failure | None:
        """Execute a job on a worker and bring what it wrote into ``folder``."""
        from distributed import CancelledError, KilledWorker

        output = f"{self.store}/outputs/{job.region}-{job.notebook}-{uuid.uuid4().hex[:8]}.zip"
        remote = Remote(self.data, output if self.store else str(folder), str(root), self.modules, self._results(job))
        future = self.client.submit(execute_remotely, job, remote, pure=False, key=f"{job.region}-{uuid.uuid4().hex}")
        try:
            failure = future.result()
        except KilledWorker:
            return Failure(
                job.notebook,
                job.region,
                "",
                0,
                "",
                "KilledWorker: every worker that took up this notebook ended",
                "look into the workers' logs: most often it needs more memory than a worker may use",
            )
        except CancelledError:
            return Failure(job.notebook, job.region, "", 0, "", "the cluster gave the notebook up: is it still there?")
        if self.store:
            self._fetch(output, folder)
        return failure

    def _results(self, job: Job) -> dict[str, str]:
        if not (self.store and is_report(job.notebook)):
            return {}
        paths = self.project.reports.glob(f"{job.region}/[0-9][0-9]_*/{RESULTS}")
        return {p.relative_to(self.project.reports).as_posix(): p.read_text(encoding="utf-8") for p in sorted(paths)}

    def _fetch(self, url: str, folder: Path) -> None:
        import fsspec

        fs, path = fsspec.core.url_to_fs(url)
        unpack(fs.cat_file(path), folder)
        fs.rm_file(path)

    def publish(self) -> None:
        """Copy the reports to the store, the index last."""
        import fsspec

        if not self.store:
            return
        fs, base = fsspec.core.url_to_fs(f"{self.store}/reports")
        reports = self.project.reports
        paths = [p for p in reports.rglob("*") if p.is_file() and "/." not in f"/{p.relative_to(reports).as_posix()}"]
        for path in sorted(paths, key=lambda p: (p.name == "index.html", p)):
            target = f"{base}/{path.relative_to(reports).as_posix()}"
            fs.makedirs(fs._parent(target), exist_ok=True)
            fs.put_file(str(path), target)


@contextlib.contextmanager
def connect(address: str, store: str | None, project: Project, modules: list[str]) -> Iterator[Cluster]:
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
            theirs = client.run(library_digest)
        except Exception as error:
            raise ClusterlibError(f"the workers of {address} do not have clusterlib: {error}") from None
        if not theirs:
            raise ClusterlibError(f"{address} has no workers: start some with `dask worker {address}`")
        if other := sorted(worker for worker, digest in theirs.items() if digest != mine):
            raise ClusterlibError(f"worker {other[0]} has other sources of clusterlib than this machine")
        cluster = Cluster(client, store, project, modules)
        yield cluster
        cluster.publish()

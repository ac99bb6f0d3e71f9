"""Start and keep the process that warm kernels are forked from (see :mod:`clusterlib.run.zygote`)."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from clusterlib.run.zygote import LAUNCH, LAUNCHER, RETIRE, receive_message, send_message

log = logging.getLogger("clusterlib.run")

FORK_VARIABLE = "CLUSTERLIB_FORK"
_BASE_MODULES = ("ipykernel.kernelapp", "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.zmqshell")
_START = "from clusterlib.run.zygote import main; main()"
_PACKAGE = Path(__file__).resolve().parents[1]
# What a library may read once, when it is loaded, so that a fork could not make up for another value.
_READ_AT_START = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "MPL", "LANG", "LC_", "GDAL_", "PROJ_", "LD_", "TZ")


class CannotFork(Exception):
    """Warm kernels are not to be had here; the ordinary kernel is."""


def why_not_fork() -> str:
    """Return why kernels cannot be forked on this system, or nothing if they can."""
    choice = os.environ.get(FORK_VARIABLE, "")
    if choice == "0":
        return f"{FORK_VARIABLE}=0"
    if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        return f"{sys.platform} has no fork"
    if sys.platform != "linux" and choice != "1":
        return f"system libraries of {sys.platform} may not survive a fork ({FORK_VARIABLE}=1 forks all the same)"
    return ""


def code_fingerprint() -> str:
    """Return a text that changes with clusterlib's sources and with the packages installed."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        with contextlib.suppress(OSError):
            status = path.stat()
            digest.update(f"{path}{status.st_mtime_ns}{status.st_size}".encode())
    for entry in filter(os.path.isdir, sys.path):
        with os.scandir(entry) as found:
            packages = [(f.name, f.stat().st_mtime_ns) for f in found if f.name.endswith((".dist-info", ".egg-info"))]
        digest.update(repr(sorted(packages)).encode())
    return digest.hexdigest()


class ForkedKernel:
    """A kernel forked by a zygote, with the part of :class:`subprocess.Popen` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.usage: dict[str, float] = {}
        first = receive_message(connection)
        if not first or "pid" not in first:
            connection.close()
            raise CannotFork("the process that forks kernels ended")
        self.pid: int = first["pid"]

    def _read_end(self) -> None:
        last = receive_message(self._connection)
        self._connection.close()
        # Without a message the zygote is gone, and its kernels were killed with it.
        self.returncode = last.pop("returncode") if last else -signal.SIGKILL
        self.usage = last or {}

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self._read_end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
            self._read_end()
        return self.returncode  # type: ignore[return-value]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """A process that imports modules once and forks kernels that have them."""

    def __init__(self, modules: list[str], env: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._report: dict | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(modules)],
                pass_fds=[theirs.fileno()],
                # The allocator that pyarrow brings starts a thread of its own unless told not to.
                env={**env, "JE_ARROW_MALLOC_CONF": "background_thread:false"},
                stdin=subprocess.DEVNULL,
                # Out of the terminal's reach: Ctrl-C is the parent's to handle.
                start_new_session=True,
            )

    def wait_ready(self) -> dict:
        """Wait until the modules are imported and return how that went.

        Raises
        ------
        CannotFork
            If the process ended, or runs more than one thread.
        """
        with self._lock:
            if self._report is None:
                content = self._control.recv(1 << 20)
                self._report = json.loads(content) if content else {}
        if not self._report:
            raise CannotFork("the process that forks kernels ended while it imported the stack")
        if self._report["threads"] > 1:
            culprit = next((name for name, reason in self._report["failed"].items() if "thread" in reason), "a module")
            raise CannotFork(f"{culprit} started a thread when it was imported")
        return self._report

    def launch(self, arguments: list[str], env: Mapping[str, str], cwd: str, out: int, err: int) -> ForkedKernel:
        """Fork a kernel with the arguments of ``ipykernel_launcher``."""
        self.wait_ready()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                socket.send_fds(self._control, [LAUNCH], [theirs.fileno(), out, err])
            send_message(ours, {"arguments": arguments, "env": dict(env), "cwd": cwd})
        except OSError as error:
            ours.close()
            raise CannotFork(f"the process that forks kernels ended ({error})") from None
        return ForkedKernel(ours)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def retire(self) -> None:
        """Fork no more, and end when the last kernel does."""
        with contextlib.suppress(OSError):
            self._control.send(RETIRE)

    def close(self) -> None:
        """End at once, and every kernel with it."""
        self._control.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Nursery:
    """The zygotes of this process, one for each environment; replaced when the code changed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.current: dict[str, tuple[str, Zygote]] = {}
        self.retired: list[Zygote] = []
        self.modules: list[str] | None = None

    def prepare(self, modules: list[str] | None) -> None:
        """Say which modules kernels will want, where not everything that the library uses."""
        with self.lock:
            self.modules = modules

    def get(self, env: Mapping[str, str]) -> Zygote:
        if reason := why_not_fork():
            raise CannotFork(reason)
        at_start = {name: value for name, value in env.items() if name.startswith(_READ_AT_START)}
        modules = self.modules
        key = json.dumps([modules, at_start], sort_keys=True)
        code = code_fingerprint()
        with self.lock:
            made_from, zygote = self.current.get(key, ("", None))
            if zygote is not None and (made_from != code or not zygote.alive):
                log.info("kernels are forked anew: %s", "the code changed" if zygote.alive else "their parent died")
                zygote.retire()
                self.retired.append(zygote)
                zygote = None
            if zygote is None:
                zygote = Zygote(warm_modules(modules), env)
                self.current[key] = (code, zygote)
            return zygote

    def close(self) -> None:
        with self.lock:
            for zygote in [*self.retired, *(z for _, z in self.current.values())]:
                zygote.close()
            self.current.clear()
            self.retired.clear()

    def kill(self) -> None:
        """End every zygote at once, without waiting for a lock; the system kills their kernels."""
        for zygote in [*self.retired, *(z for _, z in self.current.values())]:
            zygote.process.kill()


_nursery = _Nursery()
prepare = _nursery.prepare
get_zygote = _nursery.get
close_zygotes = _nursery.close
kill_zygotes = _nursery.kill
atexit.register(close_zygotes)


def warm_modules(wanted: list[str] | None) -> list[str]:
    """Return the modules to import: those wanted, or all of other packages that the library uses."""
    if wanted is None:
        from clusterlib.run.sources import stack_of

        wanted = stack_of([])
    return [*_BASE_MODULES, *wanted]


def launch_arguments(command: list[str]) -> list[str] | None:
    """Return the arguments of a command that starts an ordinary IPython kernel with this Python, else None."""
    if len(command) > 2 and command[0] == sys.executable and command[1:3] == ["-m", LAUNCHER]:
        return command[3:]
    return None

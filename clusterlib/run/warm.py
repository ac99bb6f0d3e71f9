"""Start and keep the process that a run's warm kernels are forked from (see :mod:`clusterlib.run.zygote`)."""

from __future__ import annotations

import atexit
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

from clusterlib.run.zygote import LAUNCH, LAUNCHER, receive_message, send_message

log = logging.getLogger("clusterlib.run")

FORK_VARIABLE = "CLUSTERLIB_FORK"
# One thread a kernel, so that numbers do not depend on the machine.
SETTINGS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
_BASE_MODULES = ("ipykernel.kernelapp", "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.zmqshell")
_START = "from clusterlib.run.zygote import main; main()"


class CannotFork(Exception):
    """Warm kernels are not to be had here; the ordinary kernel is."""


def why_not_fork() -> str:
    """Return why kernels cannot be forked on this system, or nothing if they can."""
    if os.environ.get(FORK_VARIABLE) == "0":
        return f"{FORK_VARIABLE}=0"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return f"this {sys.platform} has no handles of processes, which Linux has since 5.3"
    return ""


class ForkedKernel:
    """A forked kernel, with the part of :class:`subprocess.Popen` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, request: dict) -> None:
        self._connection = connection
        self.returncode: int | None = None
        try:
            send_message(connection, request)
            first = receive_message(connection)
        except OSError:
            first = None
        if first is None:
            connection.close()
            raise CannotFork("the process that forks kernels ended")
        self.pid: int = first["pid"]

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
            last = receive_message(self._connection)
            self._connection.close()
            # Without a message what watched the kernel was killed, and the kernel does not outlive it.
            self.returncode = last["returncode"] if last else -signal.SIGKILL
        return self.returncode  # type: ignore[return-value]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkServer:
    """A process that imports modules once and forks kernels that have them."""

    def __init__(self, modules: list[str]) -> None:
        self.modules = modules
        self._lock = threading.Lock()
        self._report: dict | None = None
        self._control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps([*_BASE_MODULES, *modules])],
                pass_fds=[theirs.fileno()],
                # The allocator that pyarrow brings starts a thread of its own unless told not to.
                env={**os.environ, **SETTINGS, "JE_ARROW_MALLOC_CONF": "background_thread:false"},
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
                self._report = receive_message(self._control) or {}
        if not self._report:
            raise CannotFork("the process that forks kernels ended while it imported the stack")
        if self._report["threads"] > 1:
            raise CannotFork(f"a module started a thread when it was imported: {self._report['failed']}")
        return self._report

    def launch(self, command: list[str], env: Mapping[str, str], cwd: str, out: int, err: int) -> ForkedKernel:
        """Fork a kernel in place of running the command that starts an ordinary one."""
        if command[:3] != [sys.executable, "-m", LAUNCHER]:
            raise CannotFork("the kernel is not the IPython kernel of this environment")
        self.wait_ready()
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [LAUNCH], [theirs.fileno(), out, err])
        except OSError as error:
            ours.close()
            raise CannotFork(f"the process that forks kernels ended ({error})") from None
        return ForkedKernel(ours, {"arguments": command[3:], "env": dict(env), "cwd": cwd})

    def close(self) -> None:
        """End at once; kernels go on."""
        self._control.close()
        self.process.kill()
        self.process.wait()


_server: ForkServer | None = None
_lock = threading.RLock()


def prepare(modules: list[str]) -> ForkServer | None:
    """Have kernels forked from a process with these modules, which starts now; None, and a note, if that cannot be."""
    global _server
    with _lock:
        if reason := why_not_fork():
            log.warning("ordinary kernels are started, which takes longer: %s", reason)
            close()
        elif _server is None or _server.modules != modules or _server.process.poll() is not None:
            close()
            _server = ForkServer(modules)
        return _server


def fork(command: list[str], env: Mapping[str, str], cwd: str, out: int, err: int) -> ForkedKernel | None:
    """Fork a kernel if that was prepared and can be had."""
    server = _server
    try:
        return server.launch(command, env, cwd, out, err) if server else None
    except CannotFork as reason:
        log.warning("an ordinary kernel is started, which takes longer: %s", reason)
        return None


def close() -> None:
    """End the process that kernels are forked from; those that run end with this process."""
    global _server
    with _lock:
        if _server is not None:
            _server.close()
        _server = None


atexit.register(close)

"""The process that warm kernels are forked from: it has imported the stack, runs no thread and serves one parent."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import select
import signal
import socket
import struct
import sys
import time

LAUNCHER = "ipykernel_launcher"
RETIRE = b"retire"
LAUNCH = b"launch"
_CHECK_SECONDS = 1.0
_LENGTH = struct.Struct("!I")


def send_message(connection: socket.socket, content: dict) -> None:
    """Send a message with its length before it."""
    data = json.dumps(content).encode()
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive_message(connection: socket.socket) -> dict | None:
    """Receive one message, or None if the other end is gone."""

    def exactly(count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            part = connection.recv(count - len(parts))
            if not part:
                return b""
            parts += part
        return parts

    with contextlib.suppress(ConnectionError):
        if head := exactly(_LENGTH.size):
            return json.loads(exactly(_LENGTH.unpack(head)[0]) or "null")
    return None


def die_with_parent() -> None:
    """Ask the system to kill this process when the one that made it ends, where it can be asked."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def count_threads() -> int:
    """Return the number of threads of this process that the system knows, those of C libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


class _KernelLikeShell:
    """What `get_ipython()` gives to packages that look, at import, whether a kernel shows their output."""

    kernel = True


def preload(modules: list[str]) -> dict[str, str]:
    """Import modules as a kernel would; return those that failed, or started a thread, with the reason."""
    import builtins

    # As ipykernel sets it before a notebook can import matplotlib.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    failed = {}
    shell = _KernelLikeShell()
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    try:
        for name in modules:
            try:
                # What an import says is for the notebook that does it, which this is not.
                with contextlib.redirect_stderr(io.StringIO()):
                    importlib.import_module(name)
            except Exception as error:  # a package that cannot be imported fails in the notebook that wants it
                failed[name] = f"{type(error).__name__}: {error}"
            if count_threads() > 1:
                failed[name] = "started a thread when it was imported"
                break
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]
        # Ties itself to the shell that is there when it is loaded, so each kernel must load it anew.
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib_inline"]:
            del sys.modules[name]
    return failed


# Variables that packages set when they were imported, as they would have in the kernel.
_set_by_imports: dict[str, str] = {}


class _Server:
    """Forks kernels for the parent at the other end of ``control`` and tells it how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.parent = os.getppid()
        self.kernels: dict[int, socket.socket] = {}
        self.retired = False
        self.wake_in, self.wake_out = os.pipe()
        os.set_blocking(self.wake_out, False)
        os.set_blocking(self.wake_in, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_out, warn_on_full_buffer=False)
        try:
            while not (self.retired and not self.kernels):
                ready, _, _ = select.select([self.control, self.wake_in], [], [], _CHECK_SECONDS)
                if self.wake_in in ready:
                    os.read(self.wake_in, 4096)
                self._reap()
                if os.getppid() != self.parent or (self.control in ready and not self._receive()):
                    return
        finally:
            self._kill_all()

    def _receive(self) -> bool:
        kind, descriptors, _, _ = socket.recv_fds(self.control, 64, 3)
        if kind == RETIRE:
            self.retired = True
        elif kind == LAUNCH and len(descriptors) == 3:
            self._launch(*descriptors)
        return bool(kind)

    def _launch(self, channel: int, out: int, err: int) -> None:
        connection = socket.socket(fileno=channel)
        request = receive_message(connection)
        if request is not None:
            pid = os.fork()
            if pid == 0:
                self._become_kernel(connection, request, out, err)
            self.kernels[pid] = connection
        os.close(out)
        os.close(err)

    def _become_kernel(self, connection: socket.socket, request: dict, out: int, err: int) -> None:
        code = 1
        try:
            self._forget_server()
            die_with_parent()
            os.setsid()
            silent = os.open(os.devnull, os.O_RDONLY)
            for descriptor, place in ((silent, 0), (out, 1), (err, 2)):
                os.dup2(descriptor, place)
                os.close(descriptor)
            send_message(connection, {"pid": os.getpid()})
            connection.close()
            code = run_kernel(request)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            _end_process(code)

    def _forget_server(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.control.close()
        for other in self.kernels.values():
            other.close()
        os.close(self.wake_in)
        os.close(self.wake_out)

    def _reap(self) -> None:
        while self.kernels:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self.kernels.pop(pid, None)
            if connection is not None:
                ended = {
                    "returncode": os.waitstatus_to_exitcode(status),
                    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
                    "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
                }
                with contextlib.suppress(OSError), connection:
                    send_message(connection, ended)

    def _kill_all(self) -> None:
        for pid in self.kernels:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(OSError):
                    kill(pid, signal.SIGKILL)


def _reseed() -> None:
    """Give the kernel random numbers of its own; Python's `random` sees to itself after a fork."""
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed()  # noqa: NPY002 - the old global generator is what notebooks that do not seed draw from


def run_kernel(request: dict) -> int:
    """Turn this fork into the kernel that ``request`` describes, until it ends."""
    os.environ.clear()
    os.environ.update(_set_by_imports)
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    os.chdir(request["cwd"])
    time.tzset()
    _reseed()
    # The library is loaded by the kernel itself: as it is now, and so that what a notebook uses of it is seen.
    for name in [name for name in sys.modules if name.partition(".")[0] == "clusterlib"]:
        del sys.modules[name]
    launcher = importlib.util.find_spec(LAUNCHER).origin  # type: ignore[union-attr]
    sys.argv = [str(launcher), *request["arguments"]]
    # A kernel that is hungry for memory should go before the run that watches it.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    from ipykernel.kernelapp import IPKernelApp

    # The application read the parent's number when it was imported, in the zygote.
    IPKernelApp.launch_instance([*request["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"])
    # The thread that was told to shut down flushes what was printed, through another that closing the application
    # stops; closing first leaves it waiting for that until the kernel is killed, some seconds later.
    IPKernelApp.instance().control_thread.join(_CHECK_SECONDS)
    return 0


def _end_process(code: int) -> None:
    """End as Python would, but without taking the imported stack apart piece by piece."""
    import atexit
    import threading

    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    os._exit(code)


def main() -> None:
    """Serve the parent whose socket and list of modules are the arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    # `python -c` put the working directory first; a module lying there must not stand in for one of the stack.
    sys.path[:] = [entry for entry in sys.path if entry]
    os.chdir(os.sep)
    started = time.monotonic()
    before = dict(os.environ)
    failed = preload(json.loads(sys.argv[2]))
    _set_by_imports.update({name: value for name, value in os.environ.items() if name not in before})
    gc.collect()
    # Objects that stay for ever are not looked at by the forks' collectors, so their memory stays shared.
    gc.freeze()
    report = {"failed": failed, "threads": count_threads(), "seconds": round(time.monotonic() - started, 2)}
    with contextlib.suppress(OSError):
        control.send(json.dumps(report).encode())
        _Server(control).serve()

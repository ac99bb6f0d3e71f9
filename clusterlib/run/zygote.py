"""The process that warm kernels are forked from: it has imported the stack, runs no thread and serves one parent."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import io
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

LAUNCHER = "ipykernel_launcher"
LAUNCH = b"launch"
RUNTIME_VARIABLE = "CLUSTERLIB_RUNTIME"
_FLUSH_SECONDS = 1.0
_SET_CHILD_SUBREAPER = 36


def send_message(connection: socket.socket, content: dict) -> None:
    """Send a message with its length before it."""
    data = json.dumps(content).encode()
    connection.sendall(len(data).to_bytes(4, "big") + data)


def receive_message(connection: socket.socket) -> dict | None:
    """Receive one message, or None if the other end is gone."""
    with contextlib.suppress(ConnectionError, ValueError):
        length = connection.recv(4, socket.MSG_WAITALL)
        return json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    return None


def count_threads() -> int:
    """Return the number of threads of this process that the system knows, those of C libraries included."""
    return len(os.listdir("/proc/self/task"))


def preload(modules: list[str]) -> dict[str, str]:
    """Import modules as a kernel would; return those that failed, or started a thread, with the reason."""
    import builtins

    # As ipykernel sets it before a notebook can import matplotlib.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    failed, parent = {}, os.getppid()
    # Packages look, at import, whether a kernel shows their output.
    shell = SimpleNamespace(kernel=True)
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    try:
        for name in modules:
            try:
                # What an import says is for the notebook that does it, which this is not.
                with contextlib.redirect_stderr(io.StringIO()):
                    importlib.import_module(name)
            except Exception as error:  # a package that cannot be imported fails in the notebook that wants it
                failed[name] = f"{type(error).__name__}: {error}"
            if os.getppid() != parent:
                os._exit(1)
            if count_threads() > 1:
                failed[name] = "started a thread when it was imported"
                break
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]
        # Ties itself to the shell that is there when it is loaded, so each kernel must load it anew.
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib_inline"]:
            del sys.modules[name]
    return failed


def serve(control: socket.socket, imported: dict[str, str]) -> None:
    """Fork a kernel for each request of the parent at the other end of ``control``, until it is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        word, descriptors, _, _ = socket.recv_fds(control, len(LAUNCH), 3)
        if not word:
            return
        if os.fork() == 0:
            control.close()
            _attend(imported, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _attend(imported: dict[str, str], channel: int, out: int, err: int) -> NoReturn:
    """Fork one kernel, kill it when the parent is gone and all that it started when it ends, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    connection = socket.socket(fileno=channel)
    try:
        request = receive_message(connection)
        if request is not None:
            pid = os.fork()
            if pid == 0:
                _become_kernel(connection, request, out, err, imported)
            os.close(out)
            os.close(err)
            # The parent may be gone by now, and is then seen to be.
            with contextlib.suppress(OSError):
                send_message(connection, {"pid": pid})
            select.select([connection, os.pidfd_open(pid)], [], [])
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            # All that descends from the kernel is a child of this process as soon as its own parent has ended.
            while killed := kill_processes("stat", _is_child):
                for child in killed:
                    os.waitpid(child, 0)
            if runtime := request["env"].get(RUNTIME_VARIABLE):
                shutil.rmtree(runtime, ignore_errors=True)
                # The run's folder goes with the last of its kernels if the run is gone.
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(runtime))
            send_message(connection, {"returncode": code})
    finally:
        os._exit(0)


def kill_processes(file: str, meant: Callable[[bytes], bool]) -> list[int]:
    """Kill the processes whose file of this name below ``/proc`` is as meant, and return their numbers."""
    killed = []
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        # Gone by now, or another user's, such as one that sudo started.
        with contextlib.suppress(OSError):
            if meant(path.read_bytes()):
                os.kill(int(path.parent.name), signal.SIGKILL)
                killed.append(int(path.parent.name))
    return killed


def _is_child(stat: bytes) -> bool:
    return int(stat.rpartition(b")")[2].split()[1]) == os.getpid()


def _become_kernel(connection: socket.socket, request: dict, out: int, err: int, imported: dict[str, str]) -> NoReturn:
    code = 1
    try:
        connection.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for descriptor, place in ((out, 1), (err, 2)):
            os.dup2(descriptor, place)
            os.close(descriptor)
        _run_kernel(request, imported)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        _end_process(code)


def _run_kernel(request: dict, imported: dict[str, str]) -> None:
    """Turn this fork into the kernel that ``request`` describes, until it ends."""
    os.environ.clear()
    os.environ.update(imported)
    os.environ.update(request["env"], JPY_PARENT_PID=str(os.getppid()))
    os.chdir(request["cwd"])
    time.tzset()
    if "numpy" in sys.modules:
        import numpy as np

        # Python's `random` sees to itself after a fork.
        np.random.seed()  # noqa: NPY002 - the old global generator is what notebooks that do not seed draw from
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
    IPKernelApp.instance().control_thread.join(_FLUSH_SECONDS)


def _end_process(code: int) -> NoReturn:
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
    before = dict(os.environ)
    failed = preload(json.loads(sys.argv[2]))
    # Variables that packages set when they were imported, as they would have in the kernel.
    imported = {name: value for name, value in os.environ.items() if name not in before}
    gc.collect()
    # Objects that stay for ever are not looked at by the forks' collectors, so their memory stays shared.
    gc.freeze()
    report = {"failed": failed, "threads": count_threads()}
    with contextlib.suppress(OSError):
        send_message(control, report)
        serve(control, imported)

"""End a run at once when the user or the system asks for it, without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.run import warm
from clusterlib.run.places import recover

_stopping = threading.Event()


def hold_if_stopping() -> None:
    """While the run is being ended nothing may be written any more: kernels died because they were killed."""
    if _stopping.is_set():
        threading.Event().wait()


@contextlib.contextmanager
def end_at_once_when_asked(reports: Path, console: Any) -> Iterator[None]:
    """On Ctrl-C, or when asked to terminate, kill every kernel, clear scratch folders and exit: for the command.

    Python's own way is to wait for the threads, which wait for the kernels, which may be at work for an hour.
    """

    def end(number: int, _frame: object) -> None:
        _stopping.set()
        try:
            if kernels := sys.modules.get("clusterlib.run.kernels"):
                for kernel in list(kernels.RunKernelManager.running.values()):
                    kernel.kill()
            warm.kill()
            recover(reports)
            console.print("\nStopped. What was finished stays finished; run again to go on from here.", style="bold")
        finally:
            os._exit(128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if console else ()
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

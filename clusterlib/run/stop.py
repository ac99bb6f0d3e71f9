"""End a run at once when the user or the system asks for it, without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from clusterlib.run.locks import AlreadyRunning, run_lock
from clusterlib.run.places import recover
from clusterlib.run.scratch import clear_left

_STOPPED = "Stopped. What was finished stays finished; run again to go on from here."
_CLEAR = "from clusterlib.run.stop import clear; clear()"


@contextlib.contextmanager
def end_at_once_when_asked(reports: Path, console: Any) -> Iterator[None]:
    """On Ctrl-C, or when asked to terminate, kill every kernel, clear scratch folders and exit: for the command.

    Python's own way is to wait for the threads, which wait for the kernels, which may be at work for an hour.
    """

    def end(number: int, _frame: object) -> None:
        try:
            for other in numbers:
                signal.signal(other, signal.SIG_IGN)
            with contextlib.suppress(OSError):
                console.show_cursor()
                console.print(f"\n{_STOPPED}", style="bold")
                sys.stdout.flush()
            # Threads would go on writing. The program that takes this one's place has none, and holds no lock.
            os.execv(sys.executable, [sys.executable, "-c", _CLEAR, str(reports), str(number)])
        finally:
            os._exit(128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if console else ()
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def clear() -> NoReturn:
    """Clear away what the run in the folder that is the first argument left, and exit as one that a signal ended."""
    clear_left()
    with contextlib.suppress(AlreadyRunning), run_lock(Path(sys.argv[1])):
        recover(Path(sys.argv[1]))
    sys.exit(128 + int(sys.argv[2]))

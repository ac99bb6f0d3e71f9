"""One run at a time in a reports folder; the system gives a lock back when its owner ends, however it ends."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from clusterlib.core.locks import try_lock
from clusterlib.core.records import STATE
from clusterlib.errors import ClusterlibError

LOCK = "run.lock"


class AlreadyRunning(ClusterlibError):
    """Another run is at work in the same reports folder."""


def lock_owner(reports: Path) -> dict | None:
    """Return process, host and start of the run that holds the lock, or None if none does."""
    try:
        # For reading: a project that cannot be written to may be asked too.
        with open(reports / STATE / LOCK, encoding="utf-8") as file:
            return None if try_lock(file.fileno()) else dict(json.loads(file.read() or "{}"))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def run_lock(reports: Path) -> Iterator[None]:
    """Hold the reports folder for one run.

    Raises
    ------
    AlreadyRunning
        If another run holds it; the message says which.
    """
    path = reports / STATE / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        if not try_lock(file.fileno()):
            owner = lock_owner(reports) or {}
            raise AlreadyRunning(
                f"another run is at work in {reports}: process {owner.get('pid')} on {owner.get('host')}, since "
                f"{owner.get('started')}; wait until it is done, or end it: `kill {owner.get('pid')}`"
            )
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        owner = {"pid": os.getpid(), "host": platform.node(), "started": started, "command": command}
        file.truncate(0)
        file.write(json.dumps(owner))
        file.flush()
        try:
            yield
        finally:
            # Emptied, not deleted: a run that waits to open the file must find the one that the next will lock.
            file.truncate(0)

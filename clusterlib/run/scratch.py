"""The one temporary folder of a process that runs notebooks: sockets, keys, IPython's files and those of cells."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import IO

from clusterlib.core.locks import try_lock
from clusterlib.run.zygote import kill_processes

_PREFIX, _SUFFIX, _LOCK = "clusterlib-", ".run", "owner.lock"
_making = threading.Lock()
_owned: Path | None = None


def temporary_root() -> Path:
    """Return this process's temporary folder, which is deleted when it ends."""
    global _owned
    with _making:
        while _owned is None:
            root = Path(tempfile.mkdtemp(_SUFFIX, _PREFIX))
            # Another may have taken it for one that was left, until it is locked.
            with contextlib.suppress(FileNotFoundError):
                lock = _take(root)
                if lock and (root / _LOCK).exists():
                    _owned = root
                    atexit.register(_clear, root, lock)
        return _owned


def _take(root: Path) -> IO | None:
    """Lock a root, unless its owner is alive; the system takes the lock back when the owner ends, however it ends."""
    lock = open(root / _LOCK, "a")  # noqa: SIM115 - closed by whoever clears the root
    if try_lock(lock.fileno()):
        return lock
    lock.close()
    return None


def _clear(root: Path, lock: IO) -> None:
    end_processes_in(root)
    shutil.rmtree(root, ignore_errors=True)
    lock.close()


def clear_left() -> None:
    """Delete the temporary folders of processes that were killed, and end what still works there."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{_SUFFIX}"):
        # Whoever else may write there could have put a link to a folder of ours.
        with contextlib.suppress(OSError):
            if left.lstat().st_uid == os.getuid() and (lock := _take(left)):
                _clear(left, lock)


def end_processes_in(folder: Path) -> None:
    """Kill the processes that were given this folder in their environment, in whatever session they are."""
    kill_processes("environ", lambda environment: os.fsencode(folder) in environment)

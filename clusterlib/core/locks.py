"""Locks that the system gives back when the process that holds them ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import warnings
from collections.abc import Iterator
from pathlib import Path

from clusterlib.errors import ClusterlibWarning


def try_lock(descriptor: int) -> bool:
    """Lock an open file unless another process has, and say whether it is locked now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold a file's lock as long as the block lasts, after whoever holds it now."""
    with open(path, "a", encoding="utf-8") as file:
        if not try_lock(file.fileno()):
            words = f"another process is at work in {path.parent}: waiting until it is done"
            warnings.warn(words, ClusterlibWarning, stacklevel=2)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Locks that the system gives back when the process that holds them ends, however it ends."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from clusterlib.errors import ClusterlibWarning

try:
    import fcntl
except ImportError:  # A system without: everyone is taken for the only one.
    fcntl = None  # type: ignore[assignment]


def try_lock(descriptor: int) -> bool:
    """Lock an open file unless another process has, and say whether it is locked now."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def waiting_lock(path: Path, *, tell: bool = True) -> Iterator[None]:
    """Hold a file's lock as long as the block lasts, after whoever holds it now; ``tell`` warns of the wait."""
    with open(path, "a", encoding="utf-8") as file:
        if fcntl is not None and not try_lock(file.fileno()):
            if tell:
                words = f"another process is at work in {path.parent}: waiting until it is done"
                warnings.warn(words, ClusterlibWarning, stacklevel=2)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

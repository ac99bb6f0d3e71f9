"""Hashes of files, remembered with their size and time so that an unchanged file is not read again."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from clusterlib.core.files import write_json
from clusterlib.core.records import read_json
from clusterlib.provenance import sha256

_SETTLED_SECONDS = 2.0


class FileHashes:
    """SHA-256 of files.

    Parameters
    ----------
    memory : Path, optional
        Where hashes are kept from one run to the next.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self.memory = memory
        self.known: dict[str, list] = (read_json(memory, {str: list}) if memory else None) or {}

    def sha256(self, path: Path) -> str:
        """Return the hash of a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        status = os.stat(path)
        key, stamp = str(path), [status.st_size, status.st_mtime_ns, status.st_ino]
        entry = self.known.get(key)
        if entry and entry[1:] == stamp:
            return entry[0]
        digest = sha256(path)
        # A file written a moment ago may be written again within the clock's tick, with the same size.
        if time.time() - status.st_mtime > _SETTLED_SECONDS:
            self.known[key] = [digest, *stamp]
        return digest

    def save(self) -> None:
        """Remember the hashes for the next run."""
        if self.memory:
            # What was run is not lost for want of it.
            with contextlib.suppress(OSError):
                write_json(self.memory, self.known)

"""The log of a run: a line of JSON for everything that happens, with times."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path


class Journal:
    """Writes events, from any thread, each with the seconds since the run began."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by close()
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self.events: list[dict] = []

    def write(self, event: str, **content: object) -> None:
        """Write one event."""
        entry = {"event": event, "at": round(time.monotonic() - self._begin, 3), **content}
        with self._lock:
            self.events.append(entry)
            self._file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

"""Tell how a sweep goes on: a bar with the time left on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clusterlib.run.progress import format_seconds

_LINE_SECONDS = 10.0


class SweepProgress:
    """Counts combinations."""

    def __init__(self, console: Console | None, total: int) -> None:
        self.console, self.total, self.done, self.ran = console or Console(quiet=True), total, 0, 0
        self.began = self.said = time.monotonic()
        columns = [TextColumn("Combinations"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        self.bar = Progress(
            *columns,
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._row = self.bar.add_task("", total=total)

    def __enter__(self) -> SweepProgress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def advance(self, kind: str) -> None:
        """Count one more; what had been run before says nothing of the time that the rest takes."""
        self.done += 1
        self.ran += kind != "unchanged"
        self.bar.advance(self._row)
        now = time.monotonic()
        if not self.console.is_terminal and now - self.said > _LINE_SECONDS:
            self.said = now
            each = (now - self.began) / max(self.ran, 1)
            left = format_seconds(each * (self.total - self.done))
            self.console.print(f"{self.done} of {self.total} combinations, about {left} left", highlight=False)

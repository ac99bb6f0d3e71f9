"""Tell how a run goes on: a bar with what is at work and the time left on a terminal, a line a task elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_UNKNOWN_SECONDS = 10.0
_WORDS = {"failed": "[bold]FAILED[/bold]", "left out": "left out: what it needs failed"}


class RunProgress(Progress):
    """Prints a line when a task ends and, on a terminal, shows what is at work and how long the rest will take.

    Parameters
    ----------
    console : Console
    expected : mapping of str to float or None
        Seconds that each task took when it last ran.
    """

    def __init__(self, console: Console, expected: Mapping[str, float | None]) -> None:
        columns = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()]
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        known = [seconds for seconds in expected.values() if seconds]
        typical = sum(known) / len(known) if known else _UNKNOWN_SECONDS
        # The bar counts the seconds that tasks took the last time, so that long ones are a long part of it.
        self._expected = {name: seconds or typical for name, seconds in expected.items()}
        self._row = self.add_task("", total=sum(self._expected.values()))
        self._began: dict[str, float] = {}
        self._ended = 0
        self._lines = threading.Lock()

    def starts(self, name: str) -> None:
        """Note that a task starts."""
        with self._lines:
            self._began[name] = time.monotonic()
            self._move(0)

    def ends(self, name: str, outcome: str) -> float:
        """Tell what became of a task, and return how long it took."""
        with self._lines:
            now = time.monotonic()
            seconds = now - self._began.pop(name, now)
            self._ended += 1
            self._move(self._expected[name])
            if outcome != "unchanged":
                took = "" if outcome == "left out" else f"{seconds:6.1f} s"
                self.console.print(f"{escape(name):<32} {_WORDS.get(outcome, outcome):<10} {took}", highlight=False)
        return seconds

    def _move(self, seconds: float) -> None:
        said = f"{self._ended} of {len(self._expected)}: {', '.join(self._began) or 'done'}"
        self.update(self._row, advance=seconds, description=escape(said))

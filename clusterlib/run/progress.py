"""Tell how a run goes on: a line for each task at work and the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

_UNKNOWN_SECONDS = 10.0
_WORDS = {
    "done": "done",
    "failed": "[bold]FAILED[/bold]",
    "unchanged": "unchanged",
    "left out": "left out: what it needs failed",
}


def format_seconds(seconds: float) -> str:
    """Return a duration as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class RunProgress:
    """Prints a line when a task ends and, on a terminal, shows what is at work and how long the rest will take.

    Parameters
    ----------
    console : Console
    workers : int
        Tasks at a time.
    expected : mapping of str to float or None
        Seconds that each task took when it last ran.
    """

    def __init__(self, console: Console, workers: int, expected: Mapping[str, float | None]) -> None:
        known = [seconds for seconds in expected.values() if seconds]
        typical = sum(known) / len(known) if known else _UNKNOWN_SECONDS
        self.expected = {name: seconds or typical for name, seconds in expected.items()}
        self.console, self.workers = console, workers
        self.began: dict[str, float] = {}
        self.ended: set[str] = set()
        self._rows: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._pace = 1.0
        self.bar = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._total = self.bar.add_task("Notebooks and pages", total=len(expected), left="")

    def __enter__(self) -> RunProgress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def seconds_left(self) -> float:
        """Return the seconds that the rest will take, judged by the last run and by the pace of this one."""
        now = time.monotonic()
        rest = 0.0
        for name, seconds in self.expected.items():
            if name not in self.ended:
                spent = now - self.began[name] if name in self.began else 0.0
                rest += max(seconds * self._pace - spent, 0.0)
        return rest / self.workers

    def starts(self, name: str) -> None:
        """Note that a task starts."""
        with self._lock:
            self.began[name] = time.monotonic()
            self._rows[name] = self.bar.add_task(escape(name), total=None, left="")
            self._refresh()

    def ends(self, name: str, outcome: str) -> float:
        """Tell what became of a task, and return how long it took."""
        with self._lock:
            seconds = time.monotonic() - self.began.get(name, time.monotonic())
            self.ended.add(name)
            if name in self._rows:
                self.bar.remove_task(self._rows.pop(name))
            if outcome == "done":
                done = [n for n in self.ended if n in self.began]
                expected = sum(self.expected[n] for n in done)
                self._pace = 0.8 * self._pace + 0.2 * (seconds * len(done) / expected if expected else 1.0)
            self._refresh()
            if outcome == "left out":
                self.console.print(f"{escape(name):<32} {_WORDS[outcome]}", highlight=False)
            elif outcome != "unchanged":
                self.console.print(f"{escape(name):<32} {_WORDS[outcome]:<10} {seconds:6.1f} s", highlight=False)
        return seconds

    def _refresh(self) -> None:
        left = f"about {format_seconds(self.seconds_left())} left" if self.ended else ""
        self.bar.update(self._total, completed=len(self.ended), left=left)

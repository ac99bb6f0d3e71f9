"""Tell how a run goes on: a bar on a terminal, plain lines elsewhere; loaded by pytask as a plugin."""

from __future__ import annotations

import time

from pytask import ExecutionReport, PTask, Session, TaskOutcome, hookimpl
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

OPTION = "clusterlib_progress"
_WORDS = {
    TaskOutcome.SUCCESS: "done",
    TaskOutcome.FAIL: "[bold]FAILED[/bold]",
    TaskOutcome.SKIP_UNCHANGED: "unchanged",
    TaskOutcome.SKIP_PREVIOUS_FAILED: "left out: what it needs failed",
}


class RunProgress:
    """Prints a line when a task ends and shows a bar while tasks run."""

    def __init__(self, console: Console) -> None:
        self.started: dict[str, float] = {}
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.console = console
        self.counts: dict[TaskOutcome, int] = {}

    def begin(self, total: int) -> None:
        self.item = self.bar.add_task("Notebooks and pages", total=total)
        self.bar.start()

    def task_starts(self, task: PTask) -> None:
        self.started[task.name] = time.monotonic()

    def task_ends(self, report: ExecutionReport) -> None:
        self.counts[report.outcome] = self.counts.get(report.outcome, 0) + 1
        self.bar.advance(self.item)
        if report.outcome is TaskOutcome.SKIP_UNCHANGED:
            return
        seconds = time.monotonic() - self.started.get(report.task.name, time.monotonic())
        word = _WORDS.get(report.outcome, report.outcome.name.lower())
        self.console.print(f"{escape(report.task.name):<32} {word:<10} {seconds:6.1f} s", highlight=False)

    def end(self) -> None:
        self.bar.stop()


def _progress(session: Session) -> RunProgress | None:
    return session.config.get(OPTION)


@hookimpl
def pytask_execute_log_start(session: Session) -> None:
    """Start the display when clusterlib runs the session."""
    if progress := _progress(session):
        progress.begin(len(session.tasks))


@hookimpl
def pytask_execute_task_log_start(session: Session, task: PTask) -> None:
    """Note when a task starts."""
    if progress := _progress(session):
        progress.task_starts(task)


@hookimpl
def pytask_execute_task_log_end(session: Session, report: ExecutionReport) -> None:
    """Print what became of a task."""
    if progress := _progress(session):
        progress.task_ends(report)

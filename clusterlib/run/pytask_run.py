"""Hand tasks to pytask: it orders them, runs what is ready side by side and leaves out what needs a failed one."""

from __future__ import annotations

import heapq
import io
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clusterlib.errors import ClusterlibError

_LONGEST_WAIT = 1.0


@dataclass(frozen=True)
class Work:
    """A function to call once those of ``needs`` are done, if none of them failed."""

    name: str
    function: Callable[[], object]
    needs: list[str] = field(default_factory=list)


class _Bell:
    """Wakes pytask-parallel when a task ends; its own way is to look after up to a second."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def reset(self) -> None: ...

    def increment(self) -> None: ...

    def sleep(self) -> None:
        self.event.wait(_LONGEST_WAIT)
        self.event.clear()


class _LongestFirst(ThreadPoolExecutor):
    """Takes up what waits by the order of its tasks, so that no long one is left for the end."""

    def __init__(self, workers: int, order: dict[str, int], bell: _Bell) -> None:
        super().__init__(workers, thread_name_prefix="notebook")
        self.order, self.bell = order, bell
        self.waiting: list[tuple[int, Future, Callable[[], object]]] = []
        self.lock = threading.Lock()

    def submit(self, function: Callable, /, *, task, **kwargs: object) -> Future:
        future: Future = Future()
        future.add_done_callback(lambda _: self.bell.event.set())
        with self.lock:
            heapq.heappush(self.waiting, (self.order[task.name], future, partial(function, task=task, **kwargs)))
        super().submit(self._take_up)
        return future

    def _take_up(self) -> None:
        with self.lock:
            _, future, call = heapq.heappop(self.waiting)
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)


def run_all(work: list[Work], workers: int) -> dict[str, BaseException | None]:
    """Run everything with pytask; of what is ready, the first in the list goes first.

    Returns the error of each that failed and None for each that did not.
    What was left out because it needs one that failed is not among the keys.

    Raises
    ------
    ClusterlibError
        If pytask could not make a graph of the tasks, or stopped.
    """
    import pytask
    import pytask_parallel.execute
    from pytask import ExitCode, TaskOutcome
    from pytask_parallel import ParallelBackend, registry

    bell = _Bell()
    order = {item.name: number for number, item in enumerate(work)}
    registry.register_parallel_backend(
        ParallelBackend.CUSTOM, lambda n_workers: _LongestFirst(workers, order, bell), worker_type="threads"
    )
    if hasattr(pytask_parallel.execute, "_Sleeper"):
        pytask_parallel.execute._Sleeper = lambda: bell
    # It puts its folder on the paths of this process for the sake of worker processes; kernels would inherit that.
    pytask_parallel.execute.set_worker_root = lambda path: None
    log, shown = io.StringIO(), pytask.console.file
    pytask.console.file = log
    try:
        with tempfile.TemporaryDirectory(prefix="clusterlib-") as folder:
            config = Path(folder) / "pytask.toml"
            config.write_text("[tool.pytask.ini_options]\n", encoding="utf-8")
            session = pytask.build(
                tasks=_tasks(work, Path(folder)),
                config=config,
                force=True,
                verbose=0,
                show_traceback=False,
                capture="no",
                # As many as there are: what is ready waits with the executor, so that no worker waits for pytask.
                n_workers=max(len(work), 2),
                parallel_backend="custom",
            )
    finally:
        pytask.console.file = shown
    if session.exit_code not in (ExitCode.OK, ExitCode.FAILED) or len(session.execution_reports) < len(work):
        raise ClusterlibError(f"the run could not be completed:\n{log.getvalue()}")
    return {
        report.task.name: report.exc_info[1] if report.exc_info else None
        for report in session.execution_reports
        if report.outcome in (TaskOutcome.SUCCESS, TaskOutcome.FAIL)
    }


def _tasks(work: list[Work], folder: Path) -> list:
    """Give each piece of work a file that says it is done, for pytask to order by."""
    from pytask import PathNode, TaskWithoutPath

    marks = {item.name: folder / f"{number}.done" for number, item in enumerate(work)}

    def function(item: Work) -> Callable[..., None]:
        def call(**_: object) -> None:
            item.function()
            marks[item.name].touch()

        return call

    return [
        TaskWithoutPath(
            name=item.name,
            function=function(item),
            depends_on={f"need_{i}": PathNode.from_path(marks[name]) for i, name in enumerate(item.needs)},
            produces={"mark": PathNode.from_path(marks[item.name])},
        )
        for item in work
    ]

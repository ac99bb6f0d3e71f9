"""Do pieces of work side by side in the order of what they need; what needs a failed one is left out."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter


@dataclass(frozen=True)
class Work:
    """A function to call once those of ``needs`` are done, if none of them failed."""

    name: str
    function: Callable[[], object]
    needs: list[str] = field(default_factory=list)


def run_all(work: list[Work], workers: int) -> dict[str, BaseException | None]:
    """Call every function; of what is ready, the first in the list goes first.

    Returns the error of each that failed and None for each that did not.
    What was left out because it needs one that failed is not among the keys.
    """
    number = {item.name: position for position, item in enumerate(work)}
    sorter = TopologicalSorter({item.name: item.needs for item in work})
    sorter.prepare()
    ended: dict[str, BaseException | None] = {}
    ready: list[int] = []
    running: dict[Future, str] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="notebook") as pool:
        while sorter.is_active():
            for name in sorter.get_ready():
                heapq.heappush(ready, number[name])
            while ready and len(running) < workers:
                item = work[heapq.heappop(ready)]
                if all(name in ended and ended[name] is None for name in item.needs):
                    running[pool.submit(item.function)] = item.name
                else:
                    sorter.done(item.name)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                ended[name] = future.exception()
                sorter.done(name)
    return ended

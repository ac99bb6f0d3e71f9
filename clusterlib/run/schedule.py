"""Do pieces of work side by side in the order of what they need; what needs a failed one is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter


def run_all(
    work: Mapping[str, tuple[Callable[[], object], Collection[str]]], workers: int
) -> dict[str, BaseException | None]:
    """Call every function once those that it needs are done, if none failed; the first of what is ready goes first.

    Returns the error of each that failed and None for each that did not.
    What was left out because it needs one that failed is not among the keys.
    """
    number = {name: position for position, name in enumerate(work)}
    sorter = TopologicalSorter({name: needs for name, (_, needs) in work.items()})
    sorter.prepare()
    ended: dict[str, BaseException | None] = {}
    ready: list[str] = []
    running: dict[Future, str] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="notebook") as pool:
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=number.__getitem__)
            while ready and len(running) < workers:
                name = ready.pop(0)
                function, needs = work[name]
                if all(before in ended and ended[before] is None for before in needs):
                    running[pool.submit(function)] = name
                else:
                    sorter.done(name)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                ended[name] = future.exception()
                sorter.done(name)
    return ended

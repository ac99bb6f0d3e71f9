"""How the benchmarks take a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def best(repeats: int, run: Callable) -> tuple[float, object]:
    """Return the shortest time of several runs and what the last returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result

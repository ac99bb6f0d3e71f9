"""Dagum's decomposition by sorting against the same formulas over all pairs.

Run: ``python benchmarks/measures_dagum.py [--units 3000] [--years 20] [--groups 10]``
"""

from __future__ import annotations

import argparse
import platform
import time
import tracemalloc

import numpy as np

from clusterlib.inequality import dagum_gini

PARTS = ("total", "within", "between", "transvariation")


def naive(values: np.ndarray, groups: np.ndarray, k: int) -> np.ndarray:
    """Gini, within, net between and transvariation from the n x n matrix of differences."""
    difference, n, mu = values[:, None] - values, len(values), values.mean()
    within = between = transvariation = 0.0
    for j in range(k):
        for h in range(j + 1):
            block = difference[np.ix_(groups == j, groups == h)]
            if j == h:
                within += np.abs(block).sum()
                continue
            ahead, behind = block[block > 0].sum(), -block[block < 0].sum()
            between += 2 * abs(ahead - behind)
            transvariation += 4 * min(ahead, behind)
    parts = np.array([within, between, transvariation]) / (2 * n**2 * mu)
    return np.array([np.abs(difference).mean() / (2 * mu), *parts])


def timed(function) -> tuple[float, list]:
    """Seconds and answers of a function."""
    start = time.perf_counter()
    answers = function()
    return time.perf_counter() - start, answers


def peak_memory(function) -> float:
    """Peak megabytes of a function; apart from the timing, which tracing slows down."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def main() -> None:
    """Time both, print the ratio and fail if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("units", 3000), ("years", 20), ("groups", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    groups = random.integers(0, options.groups, options.units)
    years = random.lognormal(groups / options.groups, 0.6, (options.years, options.units))
    dagum_gini(years[0], groups)

    fast, results = timed(lambda: [dagum_gini(year, groups) for year in years])
    slow, answers = timed(lambda: [naive(year, groups, options.groups) for year in years])
    drawn, _ = timed(lambda: dagum_gini(years[0], groups, draws=999))
    peaks = [
        peak_memory(lambda: dagum_gini(years[0], groups)),
        peak_memory(lambda: naive(years[0], groups, options.groups)),
    ]
    found = np.array([[getattr(result, part) for part in PARTS] for result in results])
    gap = float(np.abs(found - np.array(answers)).max())

    size = f"{options.units} units, {options.years} years, {options.groups} groups"
    print(f"{size}; {platform.machine()}, numpy {np.__version__}")
    print(f"dagum_gini   {fast:8.3f} s   peak {peaks[0]:8.1f} MB")
    print(f"all pairs    {slow:8.3f} s   peak {peaks[1]:8.1f} MB")
    print(f"ratio        {slow / fast:8.1f} x    largest difference {gap:.1e}")
    print(f"999 bootstrap and 999 permutation draws of one year: {drawn:.2f} s")
    if gap > 1e-12:
        raise SystemExit(f"the two differ by {gap:.1e}")


if __name__ == "__main__":
    main()

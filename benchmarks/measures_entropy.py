"""The entropy-weighted index over a panel against the same formulas in plain loops.

Run: ``python benchmarks/measures_entropy.py [--units 3000] [--years 20] [--indicators 40] [--repeats 5]``
"""

from __future__ import annotations

import argparse
import math
import platform
import time

import numpy as np
import pandas as pd

from clusterlib.composite import composite_index

LIMIT = 0.5


def panel(units: int, years: int, indicators: int) -> pd.DataFrame:
    """A panel of skewed positive indicators with some zeros."""
    index = pd.MultiIndex.from_product([range(units), range(2000, 2000 + years)], names=["unit", "year"])
    random = np.random.default_rng(0)
    values = random.lognormal(size=(len(index), indicators)) * (random.random((len(index), indicators)) > 0.05)
    return pd.DataFrame(values, index, [f"x{k}" for k in range(indicators)])


def naive(columns: list[list[float]], negative: set[int]) -> tuple[list[float], list[float]]:
    """Weights and scores, one number at a time."""
    rows, scaled, divergence = len(columns[0]), [], []
    for k, column in enumerate(columns):
        low, high = min(column), max(column)
        z = [(v - low) / (high - low) for v in column]
        if k in negative:
            z = [1 - v for v in z]
        total, entropy = sum(z), 0.0
        for v in z:
            if v > 0:
                entropy -= v / total * math.log(v / total)
        scaled.append(z)
        divergence.append(1 - entropy / math.log(rows))
    weights = [d / sum(divergence) for d in divergence]
    return weights, [sum(w * z[i] for w, z in zip(weights, scaled, strict=True)) for i in range(rows)]


def main() -> None:
    """Time both, print the ratio, and fail if they differ or the index is slower than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("units", 3000), ("years", 20), ("indicators", 40), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    X = panel(options.units, options.years, options.indicators)
    negative = list(X.columns[::4])
    composite_index(X, negative=negative)

    times = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        result = composite_index(X, negative=negative)
        times.append(time.perf_counter() - start)
    fast = float(np.median(times))

    columns = [X[name].tolist() for name in X]
    start = time.perf_counter()
    weights, scores = naive(columns, set(range(0, options.indicators, 4)))
    slow = time.perf_counter() - start
    gap = max(float(np.abs(result.weights - weights).max()), float(np.abs(result.score - scores).max()))

    size = f"{options.units} units, {options.years} years, {options.indicators} indicators"
    print(f"{size}; {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"composite_index   {fast:8.3f} s   median of {options.repeats}, {min(times):.3f} to {max(times):.3f}")
    print(f"plain loops       {slow:8.3f} s")
    print(f"ratio             {slow / fast:8.1f} x    largest difference {gap:.1e}")
    if gap > 1e-10:
        raise SystemExit(f"the two differ by {gap:.1e}")
    if X.size == 3000 * 20 * 40 and fast > LIMIT:
        raise SystemExit(f"{fast:.2f} s is above the limit of {LIMIT} s")


if __name__ == "__main__":
    main()

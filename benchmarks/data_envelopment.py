"""Time the bootstrap of data_envelopment against one dense program for each unit and draw, on the same draws.

The loop is timed on a few draws and scaled to all of them, as each draw costs it the same.

    .venv/bin/python benchmarks/data_envelopment.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from clusterlib.efficiency import data_envelopment
from clusterlib.efficiency._envelopment import corrected_efficiency, smoothed_draw


def simulate(units: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return three inputs and two outputs."""
    random = np.random.default_rng(seed)
    inputs = random.uniform(1, 10, size=(units, 3))
    outputs = inputs.prod(axis=1, keepdims=True) ** 0.3 * random.uniform(0.4, 1, size=(units, 2))
    return pd.DataFrame(inputs, columns=list("abc")), pd.DataFrame(outputs, columns=list("yz"))


def one_by_one(X: np.ndarray, Y: np.ndarray, points: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the input measure with variable returns of each point against X and Y, a program each."""
    n, m = X.shape
    costs = np.r_[1.0, np.zeros(n)]
    found = []
    for x, y in zip(*points, strict=True):
        rows = np.column_stack([np.r_[-x, 0 * y], np.vstack([X.T, -Y.T])])
        sums = np.r_[0.0, np.ones(n)][None]
        found.append(linprog(costs, rows, np.r_[np.zeros(m), -y], sums, [1.0]).fun)
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[31, 279])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--looped", type=int, default=5, help="draws that the loop is timed on")
    options = parser.parse_args()
    for units in options.units:
        inputs, outputs = simulate(units)
        arguments = {"returns": "variable", "seed": 1}
        data_envelopment(inputs, outputs, bootstrap=1, **arguments)  # imports
        start = time.perf_counter()
        data_envelopment(inputs, outputs, bootstrap=options.draws, **arguments)
        fast = time.perf_counter() - start
        few = data_envelopment(inputs, outputs, bootstrap=options.looped, **arguments)
        start = time.perf_counter()
        X, Y = inputs.to_numpy(), outputs.to_numpy()
        distances = 1 / one_by_one(X, Y, (X, Y))
        random = np.random.default_rng(np.random.SeedSequence(1).spawn(1)[0])
        draws = []
        for _ in range(options.looped):
            drawn = smoothed_draw(distances, few.bandwidth["all"], "reflected", random)
            draws.append(1 / one_by_one(X * (drawn / distances)[:, None], Y, (X, Y)))
        slow = (time.perf_counter() - start) * options.draws / options.looped
        corrected = corrected_efficiency(distances, np.array(draws), 0.95)["corrected"]
        difference = np.abs(corrected - few.table["corrected"]).max()
        if difference > 1e-6:
            raise SystemExit(f"the two disagree by {difference:.1e}")
        print(f"{units} units, 3 inputs, 2 outputs, variable returns, {options.draws} draws")
        print(f"data_envelopment, whole call  {fast:8.2f} s")
        print(f"a program a unit and draw     {slow:8.2f} s (from {options.looped} draws), ratio {slow / fast:.1f}")
        print(f"same corrected efficiency to  {difference:8.1e}")


if __name__ == "__main__":
    main()

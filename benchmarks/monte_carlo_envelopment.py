"""Coverage of data_envelopment's bootstrap intervals, and the bias before and after, where the frontier is known.

One input, one output y = x^0.5 e^(-u) with u half-normal, variable returns, output orientation; each sample asks for
the efficiency of a fixed point inside, not only of the drawn units.

    .venv/bin/python benchmarks/monte_carlo_envelopment.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from clusterlib.efficiency import data_envelopment


def experiment(units: int, smoothing: str, samples: int, draws: int) -> dict:
    """Return coverage of the fixed point and of all units, and mean errors of their efficiency."""
    fixed, everywhere, before, after = [], [], [], []
    for stream in np.random.SeedSequence([units, 7]).spawn(samples):
        random = np.random.default_rng(stream)
        x = np.append(random.uniform(1, 9, size=units - 1), 5.0)
        truth = np.append(np.exp(-np.abs(0.4 * random.normal(size=units - 1))), 0.7)
        inputs, outputs = pd.DataFrame({"x": x}), pd.DataFrame({"y": x**0.5 * truth})
        table = data_envelopment(
            inputs,
            outputs,
            returns="variable",
            orientation="output",
            bootstrap=draws,
            smoothing=smoothing,
            seed=int(random.integers(2**31)),
        ).table
        inside = (table["lower"] <= truth) & (truth <= table["upper"])
        fixed.append(inside.iloc[-1])
        everywhere.append(inside.mean())
        before.append((table["efficiency"] - truth).mean())
        after.append((table["corrected"] - truth).mean())
    return {
        "units": units,
        "smoothing": smoothing,
        "fixed point covered %": 100 * np.mean(fixed),
        "all units covered %": 100 * np.mean(everywhere),
        "mean error": np.mean(before),
        "after correction": np.mean(after),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args()
    start = time.perf_counter()
    for units in (25, 50):
        for smoothing in ("reflected", "simar-wilson"):
            row = pd.DataFrame([experiment(units, smoothing, options.samples, options.draws)])
            print(row.round(3).to_string(index=False, header=units == 25 and smoothing == "reflected"), flush=True)
    print(f"95 % intervals, {options.samples} samples, {options.draws} draws, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

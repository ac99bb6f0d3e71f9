"""Coverage of a bootstrap of order_m that draws units: why its result has no intervals.

Two inputs, two outputs, y = (x_1 x_2)^0.25 e^(-u) with u half-normal; fixed points with all outputs one and both inputs
at 5, 7 or 9 of up to 9, so that different numbers of units are left to compare with. The truth is the exact formula on
200,000 units; percentile intervals, with the smallest samples in which a point is left with at least one unit.

    .venv/bin/python benchmarks/monte_carlo_order_m.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

POINTS = (5.0, 7.0, 9.0)


def draw(units: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the larger input of units, which decides whom a fixed point is compared with, and their lesser output."""
    x = random.uniform(1, 9, size=(units, 2))
    mix = np.exp(0.3 * random.normal(size=(units, 2)))
    y = (x[:, 0] * x[:, 1]) ** 0.25 * np.exp(-np.abs(0.5 * random.normal(size=units)))
    return x.max(axis=1), (y[:, None] * mix).min(axis=1)


def expected_best(ratios: np.ndarray, counts: np.ndarray, m: int) -> np.ndarray:
    """Expected best of m of the ratios, each as often as counted (draws, units)."""
    order = np.argsort(ratios)
    share = np.cumsum(counts[:, order], axis=1)
    return np.diff((share / share[:, -1:]) ** m, prepend=0.0, axis=1) @ ratios[order]


def experiment(units: int, m: int, samples: int, draws: int) -> pd.DataFrame:
    """Return coverage by fixed point."""
    x, y = draw(200_000, np.random.default_rng(0))
    true = [expected_best(y[x <= p], np.ones((1, (x <= p).sum())), m)[0] for p in POINTS]
    hits, compared = [], []
    for stream in np.random.SeedSequence([units, m]).spawn(samples):
        random = np.random.default_rng(stream)
        x, y = draw(units, random)
        counts = random.multinomial(units, np.full(units, 1 / units), draws).astype(float)
        inside = [x <= p for p in POINTS]
        drawn = [expected_best(y[i], c[c.any(axis=1)], m) for i in inside for c in [counts[:, i]]]
        bounds = [np.quantile(d, [0.025, 0.975]) for d in drawn]
        hits.append([low <= t <= high for (low, high), t in zip(bounds, true, strict=True)])
        compared.append([i.sum() for i in inside])
    rows = {"units": units, "m": m, "inputs": POINTS, "compared": np.mean(compared, axis=0)}
    return pd.DataFrame(rows | {"covered %": 100 * np.mean(hits, axis=0)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    start = time.perf_counter()
    for units, m in ((30, 5), (30, 10), (60, 5), (60, 10), (120, 5), (120, 10)):
        table = experiment(units, m, options.samples, options.draws)
        print(table.round(1).to_string(index=False, header=(units, m) == (30, 5)), flush=True)
    print(f"95 % intervals, {options.samples} samples, {options.draws} draws, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

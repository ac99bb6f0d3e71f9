"""Time panel_threshold's bootstrap against least squares for every draw and candidate, on the same draws.

The loop is timed on a few draws and scaled to all of them, as each draw costs it the same.

    .venv/bin/python benchmarks/panel_threshold.py
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from clusterlib.panel import panel_threshold


def simulate(units: int, periods: int, seed: int = 0) -> pd.DataFrame:
    """Return a panel with a weak threshold, so that the statistic lies among those of the draws."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "year"])
    data = pd.DataFrame(random.normal(size=(units * periods, 5)), index, ["a", "b", "r", "q", "e"])
    slope = 1 + 0.05 * (data["q"] >= 0.2)
    return data.assign(y=data["a"] - data["b"] + slope * data["r"] + data["e"])


def within(values: np.ndarray, units: int) -> np.ndarray:
    """Take unit means from the columns."""
    cube = values.reshape(units, -1, values.shape[1])
    return (cube - cube.mean(axis=1, keepdims=True)).reshape(values.shape)


def loop(data: pd.DataFrame, candidates: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return F of the first draws by least squares for each draw and candidate."""
    units = data.index.unique(0).size
    periods = len(data) // units
    common, r, q = data[["a", "b"]].to_numpy(), data["r"].to_numpy(), data["q"].to_numpy()

    def ssr(y: np.ndarray, regressors: list[np.ndarray]) -> float:
        X = within(np.column_stack([common, *regressors]), units)
        return float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum())

    X = within(np.column_stack([common, r]), units)
    y = within(data[["y"]].to_numpy(), units)[:, 0]
    residuals = (y - X @ np.linalg.lstsq(X, y, rcond=None)[0]).reshape(units, periods)
    random = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[0])
    statistics = []
    for _ in range(draws):
        sample = residuals[random.integers(units, size=units)].ravel()
        null = ssr(sample, [r])
        best = min(ssr(sample, [r * (q < c), r * (q >= c)]) for c in candidates)
        statistics.append((null / best - 1) * units * (periods - 1))
    return np.array(statistics)


def loop_over_candidates(data: pd.DataFrame, candidates: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return F of all draws with one least-squares call for each candidate."""
    units = data.index.unique(0).size
    common, r, q = data[["a", "b"]].to_numpy(), data["r"].to_numpy(), data["q"].to_numpy()
    X = within(np.column_stack([common, r]), units)
    y = within(data[["y"]].to_numpy(), units)
    residuals = (y - X @ np.linalg.lstsq(X, y, rcond=None)[0]).reshape(units, -1)
    random = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[0])
    sample = residuals[random.integers(units, size=(draws, units))].reshape(draws, -1).T
    null = ((sample - X @ np.linalg.lstsq(X, sample, rcond=None)[0]) ** 2).sum(axis=0)
    best = null
    for c in candidates:
        X = within(np.column_stack([common, r * (q < c), r * (q >= c)]), units)
        best = np.minimum(best, ((sample - X @ np.linalg.lstsq(X, sample, rcond=None)[0]) ** 2).sum(axis=0))
    return (null / best - 1) * (len(data) - units)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--periods", type=int, default=12)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--looped", type=int, default=3, help="draws that the loop is timed on")
    options = parser.parse_args()
    data = simulate(options.units, options.periods)
    arguments = (data, "y", ["a", "b"], "r", "q")
    panel_threshold(*arguments, draws=2)  # imports
    times = []
    for _ in range(3):
        start = time.perf_counter()
        result = panel_threshold(*arguments, draws=options.draws, seed=1)
        times.append(time.perf_counter() - start)
    fast = min(times)
    start = time.perf_counter()
    naive = loop(data, result.profile["threshold"].to_numpy(), options.looped, seed=1)
    slow = (time.perf_counter() - start) * options.draws / options.looped
    start = time.perf_counter()
    shared = loop_over_candidates(data, result.profile["threshold"].to_numpy(), options.draws, seed=1)
    blocked = time.perf_counter() - start
    few = panel_threshold(*arguments, draws=options.looped, seed=1)
    bounds = few.threshold_tests.loc[1, ["critical_10", "critical_5", "critical_1"]].to_numpy(float)
    difference = np.abs(bounds / np.percentile(naive, [90, 95, 99]) - 1).max()
    bounds = result.threshold_tests.loc[1, ["critical_10", "critical_5", "critical_1"]].to_numpy(float)
    difference = max(difference, np.abs(bounds / np.percentile(shared, [90, 95, 99]) - 1).max())
    if difference > 1e-9:
        raise SystemExit(f"the two disagree by {difference:.1e}")
    print(f"n = {options.units}, T = {options.periods}, {len(result.profile)} candidates, {options.draws} draws")
    print(f"panel_threshold, whole call            {fast:8.3f} s")
    print(
        f"loop over draws and candidates         {slow:8.1f} s, ratio {slow / fast:.0f} (from {options.looped} draws)"
    )
    print(f"loop over candidates, draws as columns {blocked:8.2f} s, ratio {blocked / fast:.0f}")
    print(f"same critical values of F to           {difference:8.1e}")
    print(f"peak memory of the process             {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB")


if __name__ == "__main__":
    main()

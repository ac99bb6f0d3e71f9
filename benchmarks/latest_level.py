"""Coverage of latest_level's interval on simulated paths, beside the intervals that it was chosen over.

.venv/bin/python benchmarks/latest_level.py
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from clusterlib.inference import latest_level

NOISE = 0.05
# Logarithm of the path: growth a year, bend a year squared, and how much of a year's noise carries over to the next.
CASES = {
    "straight, flat": (0.0, 0.0, 0.0),
    "straight, 8 % a year": (0.08, 0.0, 0.0),
    "bend of a fifth of the noise": (0.08, 0.2 * NOISE, 0.0),
    "bend of the noise": (0.08, NOISE, 0.0),
    "noise carries over, 0.3": (0.08, 0.0, 0.3),
    "noise carries over, 0.6": (0.08, 0.0, 0.6),
}


def simulate(random: np.random.Generator, draws: int, n: int, growth: float, bend: float, carried: float):
    """Return paths of logarithms, a row each, and the level of the last period."""
    time = np.arange(n)
    path = growth * time - bend * time**2 / 2
    noise = random.standard_normal((draws, n))
    for t in range(1, n):
        noise[:, t] = carried * noise[:, t - 1] + np.sqrt(1 - carried**2) * noise[:, t]
    return path + NOISE * noise, path[-1]


def over_years(logs: np.ndarray, random: np.random.Generator, draws: int = 199) -> tuple[float, float]:
    """Percentile interval of the mean over whole years drawn, which takes them for exchangeable."""
    means = logs[random.integers(len(logs), size=(draws, len(logs)))].mean(axis=1)
    return tuple(np.quantile(means, [0.025, 0.975]))


def main() -> None:
    """Print coverage and width by case and length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    random, rows = np.random.default_rng(8), []
    for n in (7, 12):
        for name, case in CASES.items():
            paths, level = simulate(random, draws, n, *case)
            found = [latest_level(pd.Series(np.exp(path))) for path in paths]
            inside = [each.lower <= np.exp(level) <= each.upper for each in found]
            width = np.median([np.log(each.upper / each.lower) for each in found]) / NOISE
            drawn = [over_years(path, random) for path in paths[:500]]
            naive = [low <= level <= high for low, high in drawn]
            rows.append((n, name, 100 * np.mean(inside), width, 100 * np.mean(naive)))
    columns = ["n", "path", "coverage, %", "median width, of the noise", "drawing years, coverage, %"]
    print(pd.DataFrame(rows, columns=columns).to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()

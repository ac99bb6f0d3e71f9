"""Coverage of 95 % intervals after filling missing figures of a regressor, with the truth known.

.venv/bin/python benchmarks/missing.py [--draws 20]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from clusterlib.data import fill_missing
from clusterlib.inference import pool
from clusterlib.panel import fixed_effects

UNITS, YEARS, SLOPE, COPIES = 60, 8, 0.5, 10
POLICIES = {"leave": "leave", "linear": "linear 3", "multiple": f"multiple {COPIES}"}
# What a figure's chance of being missing depends on, and how far x and errors carry over to the next year.
DESIGNS = {
    "at random given y": ("y", 0.0),
    "the same, serial correlation 0.6": ("y", 0.6),
    "by chance": ("", 0.0),
    "by the missing figure itself": ("x", 0.0),
}


def carried(random: np.random.Generator, serial: float) -> np.ndarray:
    """Return AR(1) values of variance one by unit and year."""
    e = random.normal(size=(UNITS, YEARS))
    for t in range(1, YEARS):
        e[:, t] = serial * e[:, t - 1] + np.sqrt(1 - serial**2) * e[:, t]
    return e


def sample(random: np.random.Generator, on: str, serial: float) -> pd.DataFrame:
    """Two-way effects, y = 0.5 x + 0.3 z + e, about three of ten figures of x missing."""
    index = pd.MultiIndex.from_product([range(UNITS), range(2001, 2001 + YEARS)], names=["unit", "year"])
    unit, year = random.normal(size=(UNITS, 1)), random.normal(size=(1, YEARS))
    z = carried(random, serial) + unit
    x = 0.5 * z + unit + year + carried(random, serial)
    y = SLOPE * x + 0.3 * z + unit - year + carried(random, serial)
    values = {"y": y, "x": x, "z": z}
    data = pd.DataFrame({name: value.ravel() for name, value in values.items()}, index)
    cause = values[on] - values[on].mean(axis=1, keepdims=True) if on else np.zeros((UNITS, YEARS))
    chance = 1 / (1 + np.exp(1 - 2 * cause.ravel() / (cause.std() or 1)))
    return data.assign(x=data["x"].where(random.random(len(data)) > chance))


def estimate(data: pd.DataFrame, policy: str, seed: int) -> pd.Series:
    """Return the row of x in the table of the regression."""
    copies = fill_missing(data, policy={"x": policy}, seed=seed).copies
    found = [fixed_effects(copy.dropna(), "y", ["x", "z"]) for copy in copies]
    return (pool(found) if len(found) > 1 else found[0]).table.loc["x"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20)
    draws, began = parser.parse_args().draws, time.perf_counter()
    for design, (on, serial) in DESIGNS.items():
        samples = [sample(np.random.default_rng(seed), on, serial) for seed in range(draws)]
        print(f"{design}: {np.mean([data['x'].isna().mean() for data in samples]):.0%} missing")
        for name, policy in POLICIES.items():
            found = pd.DataFrame([estimate(data, policy, seed) for seed, data in enumerate(samples)])
            holds = (found["lower"] <= SLOPE) & (found["upper"] >= SLOPE)
            bias, width = found["estimate"].mean() - SLOPE, (found["upper"] - found["lower"]).mean()
            print(f"  {name:9} coverage {holds.mean():.3f}, bias {bias:+.3f}, width {width:.3f}")
    print(f"{time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()

"""Coverage of the interval of an elasticity to size, at the sizes of cities that the study has.

The wild bootstrap of places within a region's provinces, and of provinces for the nation, with errors that are alike or
spread more the larger the city; for the nation half of the variance is the slopes' that differ between provinces. An
interval of inverted tests holds the truth where the truth is not rejected, so that one test a sample is enough.

    .venv/bin/python benchmarks/monte_carlo_size_gradient.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import clusterlib as cl
from clusterlib.study import _dormancy as dormancy


def statistics(y: np.ndarray, x: np.ndarray, provinces: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """t statistics of a slope of nil, errors by cluster, of outcomes (draws, places) with effects of provinces."""
    left = y - (y @ provinces / provinces.sum(axis=0)) @ provinces.T
    slope = left @ x / (x @ x)
    scores = ((left - slope[:, None] * x) * x) @ clusters
    return slope / np.sqrt((scores**2).sum(axis=1))


def experiment(place: str, spread: bool, samples: int, draws: int) -> dict:
    """Return coverage for the nation or for the cities of a region's provinces."""
    cities = dormancy._place_data()["gdp"].dropna()
    cities = cities[cities.groupby(level="province").transform("size") > 1]
    if place != "nation":
        provinces = cl.regions.get_region(place).adcodes("province")
        cities = cities[cities.index.get_level_values("province").isin(provinces)]
    inside = pd.get_dummies(cities.index.get_level_values("province"), dtype=float).to_numpy()
    x = cities.to_numpy() - inside @ (inside.T @ cities.to_numpy() / inside.sum(axis=0))
    clusters = inside if place == "nation" else np.eye(len(x))
    random, held = np.random.default_rng(len(place)), []
    for _ in range(samples):
        y = np.exp(0.4 * x * spread) * random.normal(size=len(x))
        if place == "nation":
            y = y + x * (inside @ random.normal(size=inside.shape[1]))
        y = y - inside @ (inside.T @ y / inside.sum(axis=0))
        signs = random.choice([-1.0, 1.0], size=(draws, clusters.shape[1]))
        signs[0] = 1
        t = np.abs(statistics(y * (signs @ clusters.T), x, inside, clusters))
        held.append((t >= t[0] - 1e-10).mean() > 0.05)
    return {"place": place, "cities": len(x), "spread": spread, "covered %": round(100 * float(np.mean(held)), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=999)
    options = parser.parse_args()
    start = time.perf_counter()
    for place in ("bth", "gba", "yrd", "nation"):
        for spread in (False, True):
            print(experiment(place, spread, options.samples, options.draws), flush=True)
    print(f"95 % intervals, {options.samples} samples, {options.draws} draws, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""Coverage of the interval of an elasticity to size, at the sizes of cities that the study has.

The wild bootstrap of places within a region's provinces, and of provinces for the nation, with errors that are alike or
spread more the larger the city; for the nation half of the variance is the slopes' that differ between provinces.

    .venv/bin/python benchmarks/monte_carlo_size_gradient.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import clusterlib as cl
from clusterlib.study import _dormancy as dormancy


def experiment(place: str, spread: bool, samples: int) -> dict:
    """Return coverage for the nation or for the cities of a region's provinces."""
    cities = dormancy._place_data()[["gdp"]].dropna()
    if place != "nation":
        area = cl.regions.get_region(place)
        cities = cities[cities.index.get_level_values("province").isin(area.adcodes("province"))]
    x = cities["gdp"] - cities["gdp"].groupby(level="province").transform("mean")
    random, hits = np.random.default_rng(len(place)), []
    for _ in range(samples):
        y = np.exp(0.4 * x * spread) * random.normal(size=len(x))
        if place == "nation":
            codes, names = pd.factorize(cities.index.get_level_values("province"))
            y = y + x * random.normal(size=len(names))[codes]
        row = dormancy._gradient(cities.assign(y=y), "y", "gdp", place != "nation")
        hits.append(row["lower"] <= 0 <= row["upper"])
    return {"place": place, "cities": len(x), "spread": spread, "covered %": 100 * np.mean(hits)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    start = time.perf_counter()
    for place in ("bth", "gba", "yrd", "nation"):
        for spread in (False, True):
            print(experiment(place, spread, options.samples), flush=True)
    print(f"95 % intervals, {options.samples} samples, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

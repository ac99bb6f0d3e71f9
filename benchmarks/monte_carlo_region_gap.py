"""Coverage of the interval of a region's gap, for the cities and provinces that the study has.

Depth on coverage and its square at the cities' own coverage; errors of provinces (17 points) that are alike the more
the nearer, by exp(-distance / reach), and of cities (8 points). Of provinces alone, as efficiency is, a difference of
means. With --wild, beside it, clustered errors with t(G - 1) and the wild cluster bootstrap of a dummy for the region.

    .venv/bin/python benchmarks/monte_carlo_region_gap.py [--wild]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import clusterlib as cl
from clusterlib.panel import fixed_effects, wild_cluster_bootstrap
from clusterlib.study import _dormancy as dormancy

BETWEEN, WITHIN = 17.0, 8.0


def dummy_covers(cities: pd.DataFrame, own: np.ndarray, y: np.ndarray, wild: bool) -> bool:
    """Say whether the interval of a region's dummy holds nil."""
    index = pd.MultiIndex.from_product([cities.index, [0]], names=["unit", "time"])
    data = cities[["breadth", "breadth2"]].set_index(index).assign(y=y, own=1.0 * own)
    names, province = ["own", "breadth", "breadth2"], cities["province"]
    if wild:
        found = wild_cluster_bootstrap(data, "y", names, "none", cluster=province, variables="own", draws=499)
    else:
        found = fixed_effects(data, "y", names, "none", cluster=province)
    row = found.table.loc["own"]
    return bool(row["lower"] <= 0 <= row["upper"])


def covered(table: pd.DataFrame) -> float:
    """Return the percentage of intervals that hold nil."""
    return 100 * float(((table["lower"] <= 0) & (table["upper"] >= 0)).mean())


def experiment(code: str, reach: float, heavy: bool, samples: int, wild: int) -> dict:
    """Return coverage for a region, errors of provinces normal or with four degrees of freedom."""
    cities, far = dormancy._city_means(*dormancy.LATE), dormancy.province_distances()
    far = far.loc[sorted(set(cities["province"])), sorted(set(cities["province"]))]
    area = cl.regions.get_region(code)
    mine = cities.index.isin(area.adcodes("city"))
    kept = mine | ~cities["province"].isin(cities.loc[mine, "province"]).to_numpy()
    cities, mine = cities[kept], mine[kept]
    place = far.index.get_indexer(cities["province"])
    X = np.column_stack([np.ones(len(cities)), cities[["breadth", "breadth2"]]])
    random = np.random.default_rng([len(code), int(reach), heavy])
    alike = np.exp(-far.to_numpy() / reach) if reach else np.eye(len(far))
    shape = (len(far), samples)
    shocks = random.standard_t(4, size=shape) / np.sqrt(2) if heavy else random.normal(size=shape)
    y = BETWEEN * (np.linalg.cholesky(alike) @ shocks)[place] + WITHIN * random.normal(size=(len(cities), samples))
    table = dormancy.GapDesign(X, mine, place, far.to_numpy()).estimate(y)
    row = {"region": code, "reach": reach, "errors": "t4" if heavy else "normal", "cities %": covered(table)}
    alone = y[[np.flatnonzero(place == p)[0] for p in range(len(far)) if (place == p).any()]]
    there = np.array([p for p in range(len(far)) if (place == p).any()])
    ours = np.isin(there, place[mine])
    table = dormancy.GapDesign(np.ones((len(there), 1)), ours, there, far.to_numpy()).estimate(alone)
    row["provinces %"] = covered(table)
    for name, kind, times in (("clustered %", False, wild), ("wild %", True, wild)):
        hits = [dummy_covers(cities, mine, y[:, i], kind) for i in range(times)]
        row[name] = 100 * np.mean(hits) if hits else np.nan
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--wild", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    cases = [(0.0, False), (200.0, False), (400.0, False), (800.0, False), (400.0, True)]
    rows = [
        experiment(code, reach, heavy, options.samples, 60 if options.wild and not (reach or heavy) else 0)
        for code in ("bth", "yrd", "gba")
        for reach, heavy in cases
    ]
    print(pd.DataFrame(rows).round(1).to_string(index=False))
    print(f"95 % intervals, {options.samples} samples, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

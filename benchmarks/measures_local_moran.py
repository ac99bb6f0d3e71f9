"""Local Moran's I with conditional permutations: clusterlib against esda, in one process.

Prints the times, their ratio and how far the answers lie apart; ends with an error if they differ by more than the
permutations allow, or if clusterlib takes more than 1.2 times as long as esda once esda is compiled.

    .venv/bin/python benchmarks/measures_local_moran.py [--units 3000] [--permutations 9999] [--repeats 3]
"""

from __future__ import annotations

import argparse
import platform
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from timing import best

ALLOWED = 1.2


def main() -> None:
    """Time both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"units": 3000, "neighbours": 6, "permutations": 9999, "repeats": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    from esda.moran import Moran_Local
    from libpysal.weights import KNN

    from clusterlib.spatial import local_moran

    random = np.random.default_rng(0)
    places = random.random((options.units, 2))
    w = KNN.from_array(places, k=options.neighbours)
    y = pd.Series(np.sin(6 * places[:, 0]) + random.normal(size=options.units))
    settings = {"permutations": options.permutations, "seed": 1}

    first, _ = best(1, lambda: local_moran(y, w.sparse, **settings))
    ours, local = best(options.repeats, lambda: local_moran(y, w.sparse, **settings))
    compile_time, _ = best(1, lambda: Moran_Local(y.to_numpy(), w, permutations=9, keep_simulations=False, seed=1))
    theirs, esda = best(options.repeats, lambda: Moran_Local(y.to_numpy(), w, keep_simulations=False, **settings))
    # esda reports the smaller tail and divides I by n - 1.
    two_sided = np.minimum(1, 2 * esda.p_sim)
    apart = np.abs(local.table["p_sim"] - two_sided).max()
    # Largest of all units' differences of two estimates of one p value, twice a tail each.
    bound = 2 * 6 * np.sqrt(2 * 0.25 / options.permutations)
    same = np.allclose(local.table["I"], esda.Is * options.units / (options.units - 1))

    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, esda {version('esda')}")
    print(f"{options.units} units, {options.neighbours} neighbours, {options.permutations} permutations")
    print(f"esda, compiling (once a process)   {compile_time:8.2f} s")
    print(f"esda, compiled                     {theirs:8.2f} s")
    print(f"clusterlib, first call             {first:8.2f} s")
    print(f"clusterlib                         {ours:8.2f} s")
    print(f"clusterlib / esda                  {ours / theirs:8.2f}   (at most {ALLOWED})")
    print(f"I the same: {same}; p at most {apart:.4f} apart (bound {bound:.4f})")
    if not same or apart > bound or ours > ALLOWED * theirs:
        raise SystemExit("clusterlib and esda differ, or clusterlib is too slow")


if __name__ == "__main__":
    main()

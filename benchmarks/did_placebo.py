"""Placebo test: draws as sums over demeaned outcomes against a regression for each draw.

Prints both times and their ratio; the coefficients must agree. Run: .venv/bin/python benchmarks/did_placebo.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from clusterlib.did import placebo_test, twoway_did


def panel(units: int, periods: int) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(units), range(2003, 2003 + periods)], names=["adcode", "year"])
    first = pd.Series(random.choice([2014, 2015, 2016, np.inf], p=[0.12, 0.12, 0.12, 0.64], size=units))
    return pd.DataFrame({"y": random.normal(size=len(index))}, index=index), first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--periods", type=int, default=17)
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    data, first = panel(options.units, options.periods)

    start = time.perf_counter()
    test = placebo_test(data, "y", first, draws=options.draws, seed=1)
    vectorised = time.perf_counter() - start

    values, which = np.unique(first, return_inverse=True)
    dealt = np.random.default_rng(1).permuted(np.tile(which, (options.draws, 1)), axis=1)
    start = time.perf_counter()
    loop = [twoway_did(data, "y", pd.Series(values[row], first.index), draws=0).estimate for row in dealt]
    looped = time.perf_counter() - start

    np.testing.assert_allclose(test.distribution, loop, rtol=1e-8, atol=1e-12)
    print(f"{options.units} units, {options.periods} periods, {options.draws} draws")
    print(f"placebo_test          {vectorised:8.3f} s")
    print(f"a regression a draw   {looped:8.3f} s")
    print(f"ratio                 {looped / vectorised:8.1f}")


if __name__ == "__main__":
    main()

"""How often `interpolated_runs` and `growth_jumps` find what is none in random walks, and miss what was filled.

`.venv/bin/python benchmarks/monte_carlo_interpolation.py [samples]`
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from clusterlib.data.audit import growth_jumps, interpolated_runs

DESIGNS = {
    "normal changes": {},
    "changes of t with 4 degrees of freedom": {"heavy": True},
    "three quiet years": {"quiet": True},
    "small figures": {"level": 1.5},
    "small figures, three quiet years": {"level": 1.5, "quiet": True},
}


def walks(
    seed: int, units: int, years: int, digits: int, heavy: bool = False, quiet: bool = False, level: float = 6.0
) -> np.ndarray:
    """Return rounded random walks in logarithms, units by years, growing by 6 % with a spread of about 5 %."""
    rng = np.random.default_rng(seed)
    spread = 0.05 * np.exp(rng.normal(0, 0.4, (units, 1)))
    shocks = rng.standard_t(4, (units, years)) if heavy else rng.normal(size=(units, years))
    if quiet:
        shocks[:, years // 2 - 1 : years // 2 + 2] *= 0.3
    x = np.exp(rng.normal(level, 1, (units, 1)) + (0.06 + spread * shocks).cumsum(axis=1)).round(digits)
    return np.where(x > 0, x, np.nan)


def panel(x: np.ndarray) -> pd.DataFrame:
    """Return units by years as a panel."""
    index = pd.MultiIndex.from_product([range(n) for n in x.shape], names=["unit", "year"])
    return pd.DataFrame({"x": x.ravel()}, index).dropna()


def runs(x: np.ndarray) -> pd.DataFrame:
    """Return what looks interpolated in units by years."""
    return interpolated_runs(panel(x))


def false_alarms(samples: int) -> None:
    """Print the share of panels with a false run or year of midpoints, in percent, by design and digits."""
    for design, given in DESIGNS.items():
        for units, years in ((31, 10), (300, 20)):
            shares = []
            for digits in (0, 1, 2):
                found = [runs(walks(seed, units, years, digits, **given)) for seed in range(samples)]
                shares.append(round(100 * sum(len(one) > 0 for one in found) / samples, 1))
            print(f"{design}, {units} units, {years} years, 0 to 2 decimals: {shares}", flush=True)


def false_jumps(samples: int) -> None:
    """Print the share of panels with a jump, in percent, by design."""
    for design, given in DESIGNS.items():
        for units, years in ((31, 10), (300, 20)):
            found = [growth_jumps(panel(walks(seed, units, years, 2, **given)), 0.2, 8.0) for seed in range(samples)]
            share = 100 * sum(len(one) > 0 for one in found) / samples
            print(f"jumps, {design}, {units} units, {years} years, 2 decimals: {share:.1f}", flush=True)


def power(samples: int) -> None:
    """Print how often filled figures are found: midpoints of a year of 40 units, a line of one unit."""
    for filled in (3, 5, 10, 40):
        found = 0
        for seed in range(samples):
            x = walks(seed, 40, 12, 2)
            x[:filled, 5] = ((x[:filled, 4] + x[:filled, 6]) / 2).round(2)
            table = runs(x)
            found += ((table["kind"] == "midpoint") & (table["first"] == 4)).sum() >= filled - 1
        print(f"midpoints of {filled} of 40 units: {100 * found / samples:.0f} %")
    for figures in (4, 5, 6):
        found = 0
        for seed in range(samples):
            x = walks(seed, 40, 12, 2)
            x[0, 3 : 3 + figures] = np.linspace(x[0, 3], x[0, 2 + figures], figures).round(2)
            table = runs(x)
            found += ((table["unit"] == 0) & (table["kind"] == "step")).any()
        print(f"a line of {figures} figures: {100 * found / samples:.0f} %")


if __name__ == "__main__":
    begin, count = time.process_time(), int(sys.argv[1]) if len(sys.argv) > 1 else 200
    false_jumps(count)
    false_alarms(count)
    power(count)
    print(f"{time.process_time() - begin:.0f} s of processor time")

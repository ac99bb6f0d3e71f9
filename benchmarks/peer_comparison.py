"""Coverage of the interval of what was added to one unit's change, for peers that are exchangeable and that are not.

Run with ``python benchmarks/peer_comparison.py``; see benchmarks/README.md for the figures.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterlib.scenario import false_alarms, unusual_change

SAMPLES, ADDED = 2_000, 0.3
DRAWS = {
    "normal": lambda random, n: random.normal(size=n),
    "t of 2 degrees of freedom": lambda random, n: random.standard_t(2, size=n),
    "lognormal": lambda random, n: random.lognormal(size=n),
    "a shock shared by all": lambda random, n: random.normal() + random.normal(size=n),
    "a case with half the peers' spread": lambda random, n: random.normal(size=n) * np.r_[0.5, np.ones(n - 1)],
    "a case with twice the peers' spread": lambda random, n: random.normal(size=n) * np.r_[2.0, np.ones(n - 1)],
}


def main() -> None:
    for units in (20, 40):
        for name, draw in DRAWS.items():
            random, held, power = np.random.default_rng(5), 0, 0
            for _ in range(SAMPLES):
                without = draw(random, units)
                found = unusual_change(pd.Series(without + np.r_[ADDED, np.zeros(units - 1)]), 0)
                held += found["lower"] <= ADDED <= found["upper"]
                # The bounds are those of the peers, whatever was added.
                power += without[0] + found["detectable"] > found["high"]
            print(f"{units} units, {name}: holds the truth {100 * held / SAMPLES:.1f} %, "
                  f"finds the detectable effect {100 * power / SAMPLES:.0f} %")  # fmt: skip
    for level, indicator, years in (
        ("county", "gdp", "2019:2023"),
        ("county", "value_added_secondary", "2019:2023"),
        ("county", "value_added_tertiary", "2019:2023"),
        ("city", "invention_patents_granted", "2018:2023"),
    ):
        print(level, indicator, false_alarms(level, indicator, years).round(1).to_dict("index"))


if __name__ == "__main__":
    main()

"""Coverage of the border model's intervals on the map of the study: real neighbours, provinces and initial levels.

    .venv/bin/python benchmarks/monte_carlo_border.py [area ...] [--seconds 60] [--errors normal|heavy|unequal]

Growth is drawn from the model at the estimates of the area (2014-2018, GDP and night lights), with shocks that
provinces share and levels that follow from growth, and estimated again. Printed are how often 95 percent intervals hold
the truth, mean errors of the estimates, and how often equal rhos are rejected at five percent (--alike: where so).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS
from clusterlib.study._borders import PERIODS, growth_panels
from clusterlib.study.diagnosis import region_cities
from clusterlib.study.diagnosis._governance import SharedShocks, _Borders


def errors(random, shape, kind, spread):
    """Draw errors with unit variance on average."""
    if kind == "heavy":
        return random.standard_t(5, size=shape) / np.sqrt(5 / 3)
    return random.normal(size=shape) * (spread[:, None] if kind == "unequal" else 1.0)


def simulate(panel, graph, province, units, kind, seconds, alike):
    """Samples from the model at its own estimates: numbers of samples, coverage, bias, rejections."""
    borders = _Borders(graph, province, panel)
    rows, pair = borders.sample(panel[["growth", "initial"]], units)
    given = borders.jurisdiction
    result = SharedShocks(rows, "growth", ["initial"], pair, given).results()[1]
    n, periods = result.n_units, result.n_periods
    code = given.loc[rows.index.unique(0)].factorize()[0]
    within, across, share = result.params
    if alike:
        within = across = (within + across) / 2
    sides = [side.toarray() for side in pair]
    multiplier = np.linalg.inv(np.eye(n) - within * sides[0] - across * sides[1])
    growth, initial = (rows[name].unstack().to_numpy() for name in ("growth", "initial"))
    slope = result.coefficients.iloc[0]
    # Effects of cities and years: what is left of growth once lags, level and residuals are taken out.
    kept = (np.eye(n) - result.rho_within * sides[0] - result.rho_across * sides[1]) @ growth - slope * initial
    kept -= result.residuals.unstack().to_numpy()
    spread = result.residuals.unstack().std(axis=1).to_numpy()
    spread = spread / np.sqrt((spread**2).mean())
    random, begin, found, lost = np.random.default_rng(0), time.time(), [], 0
    while time.time() - begin < seconds and len(found) < 1000:
        shocks = np.sqrt(share / (1 - share)) * random.normal(size=(code.max() + 1, periods))[code]
        moved = np.sqrt(result.sigma2) * (errors(random, (n, periods), kind, spread) + shocks)
        level, drawn = initial[:, [0]], np.empty((n, periods))
        for t in range(periods):
            # The level that a year starts from is that of the year before and its growth.
            drawn[:, t] = multiplier @ (slope * level[:, t] + kept[:, t] + moved[:, t])
            level = np.column_stack([level, level[:, t] + drawn[:, t]])
        sample = rows.assign(growth=drawn.ravel(), initial=level[:, :-1].ravel())
        try:
            drawn = SharedShocks(sample, "growth", ["initial"], pair, given).results()[1]
        except InvalidInputError:
            lost += 1
            continue
        gap, error = drawn.difference()
        bound = drawn.table["upper"].iloc[0] - drawn.rho_within
        bound *= error / drawn.std_errors.iloc[0]
        low, high = drawn.table.loc["rho_within", ["lower", "upper"]]
        found.append((abs(gap - within + across) <= bound, low <= within <= high, gap - within + across,
                      drawn.rho_within - within, drawn.equality_test().p_value < 0.05))  # fmt: skip
    held, inside, gap, rho, rejected = np.mean(found, axis=0)
    return {
        "samples": len(found), "none": lost, "difference": 100 * held, "within": 100 * inside,
        "bias_difference": gap, "bias_within": rho, "rejected": 100 * rejected,
    }  # fmt: skip


def main() -> None:
    """Print a line for each area and outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", default=["nation", *REGIONS])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--errors", default="normal", choices=["normal", "heavy", "unequal"])
    parser.add_argument("--alike", action="store_true", help="the same rho within and across: size of the test")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    panels, graph, province = growth_panels(PERIODS["after"])
    for area in given.areas:
        units = list(province.index if area == "nation" else region_cities(area, province))
        for outcome, panel in panels.items():
            row = simulate(panel, graph, province, units, given.errors, given.seconds, given.alike)
            print(
                area, outcome, given.errors, {name: round(float(value), 3) for name, value in row.items()}, flush=True
            )


if __name__ == "__main__":
    main()

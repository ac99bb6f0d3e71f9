"""Size and power of panel_threshold's test, and coverage of its confidence set, on simulated panels.

.venv/bin/python benchmarks/monte_carlo_threshold.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from clusterlib.panel import panel_threshold

CUT = 0.2


def simulate(random: np.random.Generator, units: int, periods: int, jump: float, serial: float) -> pd.DataFrame:
    """Return a panel whose slope of r rises by ``jump`` where q reaches CUT; errors may be AR(1) within units."""
    index = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "year"])
    values = random.normal(size=(4, units, periods))
    effect = random.normal(size=(units, 1))
    x, r, q, e = values[0], values[1] + effect, values[2] + 0.5 * effect, values[3]
    for t in range(1, periods):
        e[:, t] = serial * e[:, t - 1] + np.sqrt(1 - serial**2) * e[:, t]
    y = effect + 0.5 * x + r * (1 + jump * (q >= CUT)) + e
    return pd.DataFrame({"x": x.ravel(), "r": r.ravel(), "q": q.ravel(), "y": y.ravel()}, index)


def experiment(units: int, periods: int, jump: float, serial: float, effects: str, samples: int, draws: int) -> dict:
    """Return rejections at 5 % and how often the 95 % set holds the true threshold."""
    rejected, covered, error = 0, 0, []
    for stream in np.random.SeedSequence([units, periods, int(100 * jump), int(100 * serial)]).spawn(samples):
        random = np.random.default_rng(stream)
        data = simulate(random, units, periods, jump, serial)
        result = panel_threshold(
            data,
            "y",
            "x",
            "r",
            "q",
            effects=effects,
            grid=units * periods,
            draws=draws,
            seed=int(random.integers(2**31)),
        )
        rejected += result.threshold_tests.loc[1, "p_value"] <= 0.05
        # The truth splits the observations as the first candidate that is not below it.
        at_truth = result.profile.loc[result.profile["threshold"] >= CUT, "in_set"]
        covered += bool(at_truth.iloc[0])
        error.append(abs(result.thresholds.loc[1, "estimate"] - CUT))
    return {
        "n": units,
        "T": periods,
        "jump": jump,
        "AR(1)": serial,
        "effects": effects,
        "rejected %": 100 * rejected / samples,
        "covered %": 100 * covered / samples if jump else np.nan,
        "median error": np.median(error) if jump else np.nan,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--draws", type=int, default=199)
    options = parser.parse_args()
    start = time.perf_counter()
    rows = [
        experiment(units, periods, jump, serial, effects, options.samples, options.draws)
        for units, periods in ((31, 9), (100, 10))
        for jump, serial, effects in (
            (0.0, 0.0, "entity"),
            (0.0, 0.0, "twoway"),
            (0.0, 0.5, "entity"),
            (0.25, 0.0, "entity"),
            (0.5, 0.0, "entity"),
            (1.0, 0.0, "entity"),
        )
    ]
    print(pd.DataFrame(rows).round(3).to_string(index=False))
    print(f"{options.samples} samples of each, {options.draws} draws a test, {time.perf_counter() - start:.0f} s")
    error = 100 * (0.05 * 0.95 / options.samples) ** 0.5
    print(f"one standard error of a rejection rate of 5 % is {error:.1f} points")


if __name__ == "__main__":
    main()

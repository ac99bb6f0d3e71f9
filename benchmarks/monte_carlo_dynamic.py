"""Bias and coverage of the dynamic spatial Durbin model and its impacts on simulated panels.

.venv/bin/python benchmarks/monte_carlo_dynamic.py [--units 46 285] [--periods 10 30] [--samples 500] [--seed 0]

Weights are fixed, x and the errors are drawn anew, the effects of units and periods go with x. The process has run for
50 periods before the first that is observed; of T + 1 periods observed the first is lost. Uncorrected and corrected. A
sample of which the estimates are not stable is left out, and named.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import pandas as pd
from monte_carlo_spatial_durbin import BETA, SIGMA2, SPREAD_OF_X, THETA, X, nearest_neighbours, report, scored

from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel import align_weights, dynamic_spatial_panel

RHO, TAU, ETA = 0.3, 0.5, -0.1
PAST = 50
WAYS = {"none": None, "lee-yu": "lee-yu"}


def truth(w: np.ndarray) -> pd.Series:
    """Parameters and impacts of the process."""
    n = len(w)
    values = {"rho": RHO, "tau": TAU, "eta": ETA, **dict(zip(X, BETA, strict=True))}
    values |= {"W_x1": THETA[0], "W_x2": THETA[1], "sigma2": SIGMA2}
    systems = {"short": np.eye(n) - RHO * w, "long": (1 - TAU) * np.eye(n) - (RHO + ETA) * w}
    for run, system in systems.items():
        for j, name in enumerate(X):
            effect = np.linalg.solve(system, BETA[j] * np.eye(n) + THETA[j] * w)
            direct, total = np.trace(effect) / n, effect.sum() / n
            kinds = {"direct": direct, "indirect": total - direct, "total": total}
            values |= {f"{run} {name} {kind}": value for kind, value in kinds.items()}
    return pd.Series(values)


def simulate(w: np.ndarray, periods: int, timed: bool, random: np.random.Generator) -> pd.DataFrame:
    """Draw a panel of one period more."""
    n, whole = len(w), PAST + periods + 1
    unit, period = random.normal(size=(n, 1)), timed * random.normal(size=(1, whole))
    x = SPREAD_OF_X * random.normal(size=(n, whole, 2)) + (unit + period)[..., None]
    mean = x @ BETA + np.einsum("ij,jtk->itk", w, x) @ THETA + unit + period
    mean += SIGMA2**0.5 * random.normal(size=(n, whole))
    inverse = np.linalg.inv(np.eye(n) - RHO * w)
    y = np.zeros((n, whole))
    for t in range(1, whole):
        y[:, t] = inverse @ (TAU * y[:, t - 1] + ETA * (w @ y[:, t - 1]) + mean[:, t])
    index = pd.MultiIndex.from_product([range(n), range(periods + 1)])
    kept = slice(PAST, None)
    columns = {"y": y[:, kept], "x1": x[:, kept, 0], "x2": x[:, kept, 1]}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)


def estimate(panel: pd.DataFrame, w: object, effects: str, correction: str | None, seed: int) -> pd.DataFrame:
    """Return estimate, error and 95 % interval of each parameter and impact."""
    result = dynamic_spatial_panel(panel, "y", X, w, "sdm", effects, correction)
    columns = ["estimate", "std_error", "lower", "upper"]
    table = result.table[columns]
    error = result.covariance.loc["sigma2", "sigma2"] ** 0.5
    table.loc["sigma2"] = [result.sigma2, error, result.sigma2 - 1.96 * error, result.sigma2 + 1.96 * error]
    parts = [table]
    for run, impacts in (("short", result.impacts), ("long", result.long_run_impacts)):
        tidy = impacts(draws=1000, seed=seed).tidy[columns]
        parts.append(tidy.set_axis([" ".join((run, *key)) for key in tidy.index]))
    return pd.concat(parts)


def experiment(units: int, periods: int, effects: str, samples: int, seed: int) -> pd.DataFrame:
    """Return bias and coverage by way of estimation and parameter."""
    w = nearest_neighbours(units)
    true, aligned = truth(w), align_weights(w, pd.RangeIndex(units))
    found = {way: [] for way in WAYS}
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(samples)):
        panel = simulate(w, periods, effects == "twoway", np.random.default_rng(stream))
        try:
            tables = [estimate(panel, aligned, effects, way, number).loc[true.index] for way in WAYS.values()]
        except InvalidInputError as refused:
            print(f"sample {number} left out: {refused}")
            continue
        for way, table in zip(WAYS, tables, strict=True):
            found[way].append(table)
    return pd.concat({way: scored(tables, true) for way, tables in found.items()}, names=["correction", "parameter"])


def main() -> None:
    """Run the experiments and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[46, 285])
    parser.add_argument("--periods", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--effects", nargs="+", default=["entity", "twoway"])
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for units, periods, effects in itertools.product(options.units, options.periods, options.effects):
        start = time.perf_counter()
        table = experiment(units, periods, effects, options.samples, options.seed)
        print(f"\ndynamic SDM, {effects} effects, n = {units}, T = {periods}, {options.samples} samples")
        report(table, options.samples, time.perf_counter() - start)


if __name__ == "__main__":
    main()

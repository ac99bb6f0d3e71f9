"""Bias and coverage of the two-way spatial Durbin model and its impacts on simulated panels.

.venv/bin/python benchmarks/monte_carlo_spatial_durbin.py [--units 60] [--periods 10] [--samples 500] [--seed 0]

Weights are fixed, x and the errors are drawn anew, the effects of units and periods go with x. Two ways to estimate:
maximum likelihood of demeaned data, and Lee and Yu's transformation.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from clusterlib.spatial_panel import spatial_panel

RHO, BETA, THETA, SIGMA2 = 0.4, np.array([1.0, -0.5]), np.array([0.5, -0.4]), 1.0
SPREAD_OF_X = 2.0
X = ["x1", "x2"]
WAYS = {"none": None, "lee-yu": "lee-yu"}
NEIGHBOURS = 6


def nearest_neighbours(units: int) -> np.ndarray:
    """Row-standardised nearest neighbours of random points."""
    points = np.random.default_rng(0).uniform(size=(units, 2))
    near = cKDTree(points).query(points, NEIGHBOURS + 1)[1][:, 1:]
    w = np.zeros((units, units))
    np.put_along_axis(w, near, 1 / NEIGHBOURS, axis=1)
    return w


def truth(w: np.ndarray) -> pd.Series:
    """Parameters and impacts of the process."""
    n = len(w)
    values = {"rho": RHO, **dict(zip(X, BETA, strict=True)), "W_x1": THETA[0], "W_x2": THETA[1], "sigma2": SIGMA2}
    inverse = np.linalg.inv(np.eye(n) - RHO * w)
    for j, name in enumerate(X):
        effect = inverse @ (BETA[j] * np.eye(n) + THETA[j] * w)
        direct, total = np.trace(effect) / n, effect.sum() / n
        values |= {f"{name} direct": direct, f"{name} indirect": total - direct, f"{name} total": total}
    return pd.Series(values)


def simulate(w: np.ndarray, periods: int, random: np.random.Generator) -> pd.DataFrame:
    """Draw a panel."""
    n = len(w)
    unit, period = random.normal(size=(n, 1)), random.normal(size=(1, periods))
    x = SPREAD_OF_X * random.normal(size=(n, periods, 2)) + (unit + period)[..., None]
    mean = x @ BETA + np.einsum("ij,jtk->itk", w, x) @ THETA + unit + period
    y = np.linalg.solve(np.eye(n) - RHO * w, mean + SIGMA2**0.5 * random.normal(size=(n, periods)))
    index = pd.MultiIndex.from_product([range(n), range(periods)])
    return pd.DataFrame({"y": y.ravel(), "x1": x[..., 0].ravel(), "x2": x[..., 1].ravel()}, index=index)


def estimate(panel: pd.DataFrame, w: np.ndarray, correction: str | None, seed: int) -> pd.DataFrame:
    """Return estimate, error and 95 % interval of each parameter and impact."""
    result = spatial_panel(panel, "y", X, w, "sdm", "twoway", correction)
    table = result.table[["estimate", "std_error", "lower", "upper"]]
    error = result.covariance.loc["sigma2", "sigma2"] ** 0.5
    table.loc["sigma2"] = [result.sigma2, error, result.sigma2 - 1.96 * error, result.sigma2 + 1.96 * error]
    impacts = result.impacts(draws=1000, seed=seed).tidy[["estimate", "std_error", "lower", "upper"]]
    return pd.concat([table, impacts.set_axis([" ".join(key) for key in impacts.index])])


def experiment(units: int, periods: int, samples: int, seed: int) -> pd.DataFrame:
    """Return bias and coverage by way of estimation and parameter."""
    w = nearest_neighbours(units)
    true = truth(w)
    found = {way: [] for way in WAYS}
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(samples)):
        panel = simulate(w, periods, np.random.default_rng(stream))
        for way, correction in WAYS.items():
            found[way].append(estimate(panel, w, correction, number).loc[true.index])
    return pd.concat({way: scored(tables, true) for way, tables in found.items()}, names=["correction", "parameter"])


def scored(tables: list[pd.DataFrame], true: pd.Series) -> pd.DataFrame:
    """Return bias and coverage of the estimates of many samples, with interval, by parameter."""
    values, errors, lower, upper = np.stack([table.to_numpy() for table in tables]).transpose(2, 0, 1)
    truth, scale = true.to_numpy(), 100 / np.abs(true.to_numpy())
    return pd.DataFrame(
        {
            "truth": true,
            "bias %": scale * (values.mean(axis=0) - truth),
            "its error %": scale * values.std(axis=0, ddof=1) / len(tables) ** 0.5,
            "coverage %": 100 * ((lower <= truth) & (truth <= upper)).mean(axis=0),
            "error / spread": errors.mean(axis=0) / values.std(axis=0, ddof=1),
        }
    )


def report(table: pd.DataFrame, samples: int, seconds: float) -> None:
    """Print what the samples gave, and where it is not within the aims."""
    print(table.round(3).to_string())
    for way, part in table.groupby(level=0, sort=False):
        flags = {"bias": part["bias %"].abs() > 2, "coverage": ~part["coverage %"].between(93, 97)}
        outside = [f"{name} ({what})" for what, flag in flags.items() for name in part.index[flag].get_level_values(1)]
        print(f"{way}: outside 2 % bias or 93-97 % coverage: {', '.join(outside) or 'none'}")
    error = 100 * (0.0475 / samples) ** 0.5
    print(f"{seconds:.0f} s; coverage has a standard error of {error:.1f} points", flush=True)


def main() -> None:
    """Run the experiment and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=60)
    parser.add_argument("--periods", type=int, default=10)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    table = experiment(options.units, options.periods, options.samples, options.seed)
    print(f"SDM, two-way effects, n = {options.units}, T = {options.periods}, {options.samples} samples")
    report(table, options.samples, time.perf_counter() - start)


if __name__ == "__main__":
    main()

"""Coverage of intervals and size of tests on simulated samples, with the truth known.

.venv/bin/python benchmarks/monte_carlo_coverage.py [gravity|imputation|bounds|instruments|wild]
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import pandas as pd

from clusterlib.did import event_study, honest_bounds, imputation_did, pretrend_power
from clusterlib.panel import fixed_effects, instrumental_variables, wild_cluster_bootstrap
from clusterlib.spatial import gravity_regression


def holds(table: pd.DataFrame, name: object, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return bool(table.loc[name, "lower"] <= truth <= table.loc[name, "upper"])


def panel_of(random: np.random.Generator, units: int, periods: int, serial: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Return an empty panel and errors with unit effects, AR(1) within units."""
    index = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "year"])
    e = random.normal(size=(units, periods))
    for t in range(1, periods):
        e[:, t] = serial * e[:, t - 1] + np.sqrt(1 - serial**2) * e[:, t]
    return pd.DataFrame(index=index), (e + random.normal(size=(units, 1))).ravel()


def gravity(random: np.random.Generator, units: int, shared: float) -> dict[str, bool]:
    """Counts between cities; ``shared`` scales what a factor of each city does to all its pairs."""
    i, j = np.array(list(itertools.permutations(range(units), 2))).T
    place, (a, b), factor = random.random((units, 2)), 0.7 * random.normal(size=(2, units)), random.normal(size=units)
    far = np.log(np.hypot(*(place[i] - place[j]).T) + 0.02)
    same = (i % 5 == j % 5).astype(float)
    mean = np.exp(1 + a[i] + b[j] - 0.8 * far + 0.5 * same + shared * factor[i] * factor[j])
    flows = random.poisson(mean * random.gamma(2, 0.5, len(i)))
    data = pd.DataFrame({"far": far, "same": same, "y": flows}, pd.MultiIndex.from_arrays([i, j]))
    table = gravity_regression(data, "y", ["far", "same"]).table
    return {"log distance": holds(table, "far", -0.8), "same province": holds(table, "same", 0.5)}


def imputation(random: np.random.Generator, units: int, serial: float) -> dict[str, bool]:
    """Two cohorts whose effects grow, a third never treated."""
    data, e = panel_of(random, units, 10, serial)
    first = pd.Series({unit: (4, 7)[unit % 3] for unit in range(units) if unit % 3 < 2})
    unit, year = (data.index.get_level_values(level).to_numpy() for level in (0, 1))
    event = year - first.reindex(unit).to_numpy()
    effect = np.where(event >= 0, 1 + 0.2 * event, 0.0)
    result = imputation_did(data.assign(y=effect + 0.3 * year + e), "y", first)
    truth = float(effect[event >= 0].mean())
    found = {"overall": holds(result.table, "overall", truth)}
    return found | {f"event {k}": holds(result.event_study, k, 1 + 0.2 * k) for k in (0, 3)}


def bounds(random: np.random.Generator, units: int, trend: float) -> dict[str, bool]:
    """An effect of one and a linear trend of the treated: within relative magnitudes of one, and smooth."""
    data, e = panel_of(random, units, 8, 0.3)
    unit, year = (data.index.get_level_values(level).to_numpy() for level in (0, 1))
    treated = unit < units // 2
    y = e + treated * (trend * year + 1.0 * (year >= 4))
    study = event_study(data.assign(y=y), "y", pd.Series(4, range(units // 2)), 4, 3)
    plain = study.table.loc[0]
    found = {"parallel trends": bool(plain["lower"] <= 1 <= plain["upper"])}
    for kind, size in (("relative_magnitudes", 1.0), ("smoothness", 0.0)):
        found[kind] = holds(honest_bounds(study, kind, [size], target=0).table, size, 1.0)
    found["test before rejects"] = study.pretrend_p < 0.05
    return found | {"power that it has": float(pretrend_power(study, [trend], power=[]).table["joint"].iloc[0])}


def instruments(random: np.random.Generator, units: int, strength: float) -> dict[str, bool]:
    """One endogenous variable and three instruments, clustered errors."""
    data, e = panel_of(random, units, 6, 0.5)
    names = ["z0", "z1", "z2"]
    data[names] = random.normal(size=(len(data), 3))
    data["x"] = strength * data[names].sum(axis=1) + e + 0.5 * random.normal(size=len(data))
    data["y"] = data["x"] + e + 0.5 * random.normal(size=len(data))
    result = instrumental_variables(data, "y", [], "x", names)
    row = result.weak_instruments.loc["x"]
    return {
        "Anderson-Rubin": any(lower <= 1 <= upper for lower, upper in result.anderson_rubin.confidence_set()),
        "2SLS": holds(result.table, "x", 1.0),
        "effective F above its bound": bool(row["effective_f"] > row["effective_f_critical"]),
    }


def wild(random: np.random.Generator, clusters: int, treated: int) -> dict[str, bool]:
    """A policy without effect in some of the provinces, whose shocks their cities share."""
    units = 4 * clusters
    data, e = panel_of(random, units, 8, 0.5)
    unit, year = (data.index.get_level_values(level).to_numpy() for level in (0, 1))
    province = pd.Series(np.append(np.arange(clusters), random.integers(0, clusters, units - clusters)))
    shocks = random.normal(size=(clusters, 8))[province.to_numpy()[unit], year]
    data["policy"] = ((province.to_numpy()[unit] < treated) & (year >= 4)).astype(float)
    data["y"] = e + shocks
    plain = fixed_effects(data, "y", "policy", cluster=province).pvalues["policy"] < 0.05
    found = {"clustered t rejects": bool(plain)}
    for weights in ("rademacher", "webb"):
        boot = wild_cluster_bootstrap(
            data, "y", "policy", cluster=province, weights=weights, draws=399, seed=int(random.integers(2**31))
        )
        found[f"{weights} rejects"] = bool(boot.table.loc["policy", "p_value"] < 0.05)
    return found


DESIGNS = {
    "gravity": (gravity, [(31, 0.0), (31, 0.4), (80, 0.0), (80, 0.4)]),
    "imputation": (imputation, [(45, 0.0), (45, 0.6), (150, 0.6)]),
    "bounds": (bounds, [(60, 0.0), (60, 0.15), (200, 0.15)]),
    "instruments": (instruments, [(60, 0.0), (60, 0.05), (60, 0.15), (60, 0.5)]),
    "wild": (wild, [(31, 10), (31, 4), (12, 5)]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("designs", nargs="*", default=list(DESIGNS))
    parser.add_argument("--samples", type=int, default=500)
    options = parser.parse_args()
    for name in options.designs or DESIGNS:
        start, (simulate, designs) = time.perf_counter(), DESIGNS[name]
        rows = {}
        for number, design in enumerate(designs):
            streams = np.random.SeedSequence([list(DESIGNS).index(name), number]).spawn(options.samples)
            found = [simulate(np.random.default_rng(stream), *design) for stream in streams]
            rows[design] = (100 * pd.DataFrame(found).astype(float).mean()).round(1)
        print(f"\n{name}: {options.samples} samples of each, {time.perf_counter() - start:.0f} s, percent")
        print(pd.DataFrame(rows).T.to_string())
    print(f"\none standard error at 95 %: {100 * (0.05 * 0.95 / options.samples) ** 0.5:.1f} points")


if __name__ == "__main__":
    main()

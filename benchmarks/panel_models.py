"""Two-way fixed effects against linearmodels, and the bootstrap of mediation against a regression for each draw.

Prints both times and their ratio; both sides must agree. Run: .venv/bin/python benchmarks/panel_models.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from linearmodels import PanelOLS
from timing import best

from clusterlib.panel import fixed_effects, mediation

X = ["a", "b", "c", "d"]


def panel(units: int, periods: int, share: float) -> pd.DataFrame:
    """Independent columns; ``share`` of the rows are there."""
    random = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "year"])
    data = pd.DataFrame(random.normal(size=(len(index), 5)), index=index, columns=["y", *X])
    return data[random.random(len(data)) < share]


def report(title: str, ours: float, theirs: float) -> None:
    """Print both times and their ratio."""
    print(f"{title}: {ours:.3f} s against {theirs:.3f} s, ratio {theirs / ours:.1f}")


def compare_regressions(data: pd.DataFrame) -> None:
    """Time a two-way regression with errors clustered by unit."""
    ours, fit = best(2, lambda: fixed_effects(data, "y", X, small_sample=False))
    theirs, reference = best(
        2,
        lambda: PanelOLS(data["y"], data[X], entity_effects=True, time_effects=True).fit(
            cov_type="clustered", cluster_entity=True, debiased=False, group_debias=False
        ),
    )
    np.testing.assert_allclose(fit.params, reference.params, rtol=1e-8)
    # The other side scales by its own count of period effects: the ratio must be one number.
    ratio = fit.std_errors / reference.std_errors
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-8)
    report(f"two-way regression, {len(data):,} rows", ours, theirs)


def drawn_regressions(data: pd.DataFrame, draws: int) -> np.ndarray:
    """Indirect effects from regressions on each resample."""
    units = data.index.unique(0)
    rows = {unit: data.loc[unit].to_numpy() for unit in units}
    years = {unit: data.loc[unit].index.to_numpy() for unit in units}
    counts = np.random.default_rng(0).multinomial(len(units), np.full(len(units), 1 / len(units)), size=draws)
    indirect = []
    for drawn in counts:
        order = np.repeat(units, drawn)
        copy = np.concatenate([np.full(len(years[unit]), i) for i, unit in enumerate(order)])
        index = pd.MultiIndex.from_arrays([copy, np.concatenate([years[unit] for unit in order])])
        sample = pd.DataFrame(np.vstack([rows[unit] for unit in order]), index=index, columns=data.columns)
        first = fixed_effects(sample, "b", ["a", "c"], cov="classical").params["a"]
        indirect.append(first * fixed_effects(sample, "y", ["a", "b", "c"], cov="classical").params["b"])
    return np.array(indirect)


def compare_bootstraps(data: pd.DataFrame, draws: int) -> None:
    """Time the draws of a mediation."""
    ours, result = best(2, lambda: mediation(data, "y", "a", "b", "c", draws=draws))
    start = time.perf_counter()
    wanted = drawn_regressions(data, draws)
    theirs = time.perf_counter() - start
    np.testing.assert_allclose(result.bootstrap["indirect"], wanted, rtol=1e-7, atol=1e-12)
    report(f"mediation, {len(data):,} rows, {draws} draws", ours, theirs)


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("units", 3000), ("periods", 12), ("draws", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--share", type=float, default=0.9)
    options = parser.parse_args()
    compare_regressions(panel(options.units, options.periods, options.share))
    compare_bootstraps(panel(options.units // 10, options.periods, options.share), options.draws)


if __name__ == "__main__":
    main()

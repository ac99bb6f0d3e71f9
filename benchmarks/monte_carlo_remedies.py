"""Do the intervals of the remedies cover what they say? Slopes of cities, zones in two periods, gains of joint targets.

``python benchmarks/monte_carlo_remedies.py [slopes|zones|joint] [samples]``
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from scipy.stats import t as student

from clusterlib.data import load_boundaries
from clusterlib.panel import within
from clusterlib.study.city_output import province_of
from clusterlib.study.scenario import _slopes as slopes
from clusterlib.weights import great_circle_distances

MEMORY, REACH = 0.7, 150.0  # of errors: from year to year, and kilometres over which neighbours' go together


def errors(units: pd.Index, years: int, samples: int, random: np.random.Generator) -> np.ndarray:
    """Errors by city, year and sample: near in space and time, with variances unlike between cities."""
    away = great_circle_distances(load_boundaries("city").loc[units]).to_numpy()
    root = np.linalg.cholesky(0.5 * np.exp(-away / REACH) + 0.5 * np.eye(len(units)))
    scale = np.exp(0.5 * random.standard_normal(len(units)))[:, None, None]
    drawn = np.einsum("ij,jts->its", root, random.standard_normal((len(units), years, samples)))
    for year in range(1, years):
        drawn[:, year] = MEMORY * drawn[:, year - 1] + np.sqrt(1 - MEMORY**2) * drawn[:, year]
    return scale * drawn


def cover_slopes(samples: int, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    known = load_boundaries("city").index
    for remedy, chosen in slopes.TREATMENTS.items():
        for region in (None, "yrd", "bth", "gba"):
            rows = slopes.city_sample(remedy)
            rows = rows[rows.index.get_level_values("adcode").isin(known)]
            if region:
                rows = rows[rows.index.get_level_values("adcode").isin(slopes.own_cities(rows, region))]
            x = [chosen.variable, *chosen.held]
            province = province_of(rows)
            years = rows.index.unique("year").sort_values()
            units = rows.index.unique("adcode")
            drawn = errors(units, len(years), samples, random)
            at = units.get_indexer(rows.index.get_level_values(0)), years.get_indexer(rows.index.get_level_values(1))
            table = slopes._by_province_and_year(rows, province)
            made = pd.DataFrame(drawn[at], table.index).join(table[x])
            left = within(made)
            basis = np.linalg.qr(left[x].to_numpy())[0]
            values = left[list(range(samples))].to_numpy()
            held = np.linalg.qr(left[x[1:]].to_numpy())[0] if len(x) > 1 else basis[:, :0]
            outcome = values - held @ (held.T @ values)
            treatment = left[x[0]].to_numpy()
            treatment = treatment - held @ (held.T @ treatment)
            by = left.index.get_level_values(0) if region else province_of(rows).set_axis(table.index).reindex(left.index)
            found = [slopes.clustered_slope(outcome[:, s], treatment, np.asarray(by)) for s in range(samples)]
            hits = np.mean([abs(b) <= student.ppf(0.975, df) * se for b, se, df in found])
            print(f"{remedy} {region or 'nation'}: {len(units)} cities, covers {100 * hits:.1f} %")


if __name__ == "__main__":
    what, count = (sys.argv[1:] + ["slopes", "1000"])[:2] if len(sys.argv) > 2 else (sys.argv[1], "1000")
    {"slopes": cover_slopes}[what](int(count))

"""Do the intervals of the remedies cover what they say? Slopes of cities, zones in two periods, gains of joint targets.

``python benchmarks/monte_carlo_remedies.py [slopes|zones|joint] [samples]``
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from libpysal.graph import Graph
from scipy.sparse import csr_array
from scipy.stats import t as student

from clusterlib.data import load_boundaries
from clusterlib.panel import within
from clusterlib.regions import get_region
from clusterlib.study.city_output import province_of
from clusterlib.study.diagnosis import border_spillovers
from clusterlib.study.scenario import _borders as borders
from clusterlib.study.scenario import _slopes as slopes
from clusterlib.study.scenario._zones import difference_of_means
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
                rows = rows[rows.index.get_level_values("adcode").isin(slopes.own_cities(remedy, region))]
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
            by = (
                left.index.get_level_values(0)
                if region
                else province_of(rows).set_axis(table.index).reindex(left.index)
            )
            found = [slopes.clustered_slope(outcome[:, s], treatment, np.asarray(by)) for s in range(samples)]
            hits = np.mean([abs(b) <= student.ppf(0.975, df) * se for b, se, df in found])
            print(f"{remedy} {region or 'nation'}: {len(units)} cities, covers {100 * hits:.1f} %")


def cover_zones(samples: int, seed: int = 0) -> None:
    """Ten zones among thirty-one units: normal, skewed and with a variance among zones three times the others'."""
    random, treated = np.random.default_rng(seed), pd.Series(np.arange(31) < 10)
    scale = np.where(treated, np.sqrt(3), 1.0)
    kinds = {"normal": random.standard_normal, "skewed": lambda size: random.exponential(size=size) - 1}
    for kind, draw in kinds.items():
        drawn = scale * draw((samples, 31))
        found = [difference_of_means(pd.Series(row), treated, draws=1) for row in drawn]
        print(f"zones, {kind}: covers {100 * np.mean([row['lower'] <= 0 <= row['upper'] for row in found]):.1f} %")


def cover_joint(samples: int, seed: int = 0) -> None:
    """The gain over the present, of growth drawn from the model on a region's own cities and neighbours."""
    random = np.random.default_rng(seed)
    for region, outcome in (("yrd", "gdp"), ("yrd", "lights")):
        model = borders.border_model(region, outcome)
        units, fitted = model.gdp.index, model.result
        inside, outside = model.within.sparse.toarray(), model.across.sparse.toarray()
        count, periods = len(units), fitted.n_periods
        code, member = model.province.factorize()[0], units.isin(list(get_region(region).adcodes("city")))
        impulse = pd.Series(member.astype(float), units)
        share = np.where(member, model.gdp.fillna(0), 0.0)
        share = share / share.sum()
        whole = Graph.from_sparse(csr_array(inside + outside), ids=units)
        for one, other in ((fitted.rho_within, fitted.rho_across), (0.3, 0.0), (0.3, 0.3)):
            inverse = np.linalg.inv(np.eye(count) - one * inside - other * outside)
            joint = np.linalg.inv(np.eye(count) - one * (inside + outside))
            truth = share @ (joint - inverse) @ impulse
            hits = []
            for _ in range(samples):
                e = np.sqrt(0.8) * random.standard_normal((count, periods))
                e += np.sqrt(0.2) * random.standard_normal((code.max() + 1, periods))[code]
                x = random.standard_normal((count, periods)).cumsum(axis=1)
                y = inverse @ (0.3 * x + e)
                index = pd.MultiIndex.from_product([units, range(periods)], names=["adcode", "year"])
                panel = pd.DataFrame({"growth": y.ravel(), "initial": x.ravel()}, index)
                result = border_spillovers(panel, "growth", ["initial"], whole, model.province, shocks=True)
                found = borders.border_response(result, model.within, model.across, impulse, draws=400)
                _, lower, upper = borders.interval(share @ (found.joint - found.present), 0.95)
                hits.append(lower <= truth <= upper)
            print(
                f"joint {region} {outcome}, rho {one:.2f}, {other:.2f}: covers {100 * np.mean(hits):.1f} %",
                flush=True,
            )


if __name__ == "__main__":
    kinds = {"slopes": cover_slopes, "zones": cover_zones, "joint": cover_joint}
    kinds[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 1000)

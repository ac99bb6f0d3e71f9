"""Coverage of the intervals on links across regions and industries, on the study's own designs.

    .venv/bin/python benchmarks/monte_carlo_links.py [gaps|slopes|pairs] [--samples 2000]

``gaps``: a region's provinces beside the prediction from the others, errors normal or of t(5).
``slopes``: digital work beside industry over cities, errors alike or larger in small cities.
``pairs``: premium of neighbours within less across, on the map of the study with shocks that provinces share.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from clusterlib.data import load_boundaries, load_panel
from clusterlib.regions import REGIONS
from clusterlib.study._borders import PERIODS, growth_panels
from clusterlib.study._links import COAST, predicted_gap, share_slopes
from clusterlib.study.diagnosis import pair_correlations
from clusterlib.study.diagnosis.indicators import load_province_panel
from clusterlib.weights import contiguity


def gaps(random: np.random.Generator, samples: int) -> dict[str, float]:
    """Regions' provinces drawn as all others are, so that the gap is nil."""
    size = np.log(load_province_panel()[["gdp", "gdp_per_capita"]].groupby(level="adcode").mean())
    x = size.assign(coast=1.0 * size.index.isin(COAST))
    held: dict[str, list[bool]] = {}
    for _ in range(samples):
        for kind in ("normal", "heavy"):
            errors = random.normal(size=len(x)) if kind == "normal" else random.standard_t(5, size=len(x))
            y = pd.Series(x.to_numpy() @ [0.2, 0.5, 0.6] + errors, x.index)
            for name, area in REGIONS.items():
                members = pd.Index(area.adcodes("province")).intersection(x.index)
                row = predicted_gap(y, x, members)
                held.setdefault(f"{name}, {kind}", []).append(row["lower"] <= 0 <= row["upper"])
    return {name: 100 * float(np.mean(values)) for name, values in held.items()}


def slopes(random: np.random.Generator, samples: int) -> dict[str, float]:
    """Slopes of cities with a truth of 0.25 everywhere, errors even, and larger in small cities."""
    people, industry = "implied_resident_population", "value_added_secondary"
    logs = np.log(load_panel("city", [people, industry, "gdp_per_capita"], years=2019).droplevel("year").dropna())
    held: dict[str, list[bool]] = {}
    x = logs[industry] - logs[people]
    spread = np.exp(-0.4 * (logs[people] - logs[people].mean()))
    for given in ([people], [people, "gdp_per_capita"]):
        for _ in range(samples):
            for kind, scale in (("even", 1.0), ("unequal", spread)):
                y = 0.25 * x + logs[given].sum(axis=1) + 0.6 * scale * random.normal(size=len(x))
                for name, area in [("nation", None), *REGIONS.items()]:
                    members = logs.index if area is None else pd.Index(area.adcodes("city"))
                    row = share_slopes(y, x, logs[given], members).loc["own"]
                    held.setdefault(f"{name}, {kind}, {len(given)} held", []).append(
                        row["lower"] <= 0.25 <= row["upper"]
                    )
    return {name: 100 * float(np.mean(values)) for name, values in held.items()}


def pairs(random: np.random.Generator, samples: int) -> dict[str, float]:
    """Growth with spillovers that a border stops or does not stop; the truth is the mean of all samples."""
    parts = [growth_panels(PERIODS[name])[2] for name in ("before", "to_2020")]
    cities = parts[0].index.intersection(parts[1].index)
    boundaries = load_boundaries("city").loc[cities]
    graph, province = contiguity(boundaries), boundaries["province"]
    near = graph.transform("R").sparse.toarray()
    code = province.factorize()[0]
    same = np.equal.outer(code, code)
    found = {}
    for kind, (within, across) in {"no border": (0.3, 0.3), "border": (0.4, 0.0)}.items():
        multiplier = np.linalg.inv(np.eye(len(cities)) - np.where(same, within, across) * near)
        rows = []
        for _ in range(samples):
            shocks = random.normal(size=(code.max() + 1, 13))[code]
            growth = multiplier @ (random.normal(size=(len(cities), 13)) + shocks)
            panel = pd.DataFrame(growth, cities).stack().rename("growth").to_frame()
            result = pair_correlations(panel, "growth", graph, province, permutations=9)
            rows.append(result.premiums.loc["difference", ["estimate", "lower", "upper"]].to_numpy(float))
        estimate, lower, upper = np.array(rows).T
        found[kind] = 100 * float(((lower <= estimate.mean()) & (estimate.mean() <= upper)).mean())
    return found


def main() -> None:
    """Print the coverage of each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["gaps", "slopes", "pairs"])
    parser.add_argument("--samples", type=int, default=500)
    given = parser.parse_args()
    for name in given.parts:
        part = {"gaps": gaps, "slopes": slopes, "pairs": pairs}[name]
        for kind, covered in part(np.random.default_rng(0), given.samples).items():
            print(name, kind, round(covered, 1), flush=True)


if __name__ == "__main__":
    main()

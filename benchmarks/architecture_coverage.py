"""Coverage and size of what 19_architecture infers with, on its own design with the truth known to be nil.

.venv/bin/python benchmarks/architecture_coverage.py [trains|platforms|leads|fields]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.stats import t

import clusterlib as cl
from clusterlib.panel import wild_cluster_bootstrap
from clusterlib.spatial import gravity_regression
from clusterlib.study import _architecture as architecture


class Timetable:
    """Pairs of the timetable and an estimator of its gravity equation that shares no code with the library's."""

    def __init__(self) -> None:
        self.pairs = architecture.gathered_pairs()
        ends = [self.pairs.index.get_level_values(level) for level in (0, 1)]
        self.cities = ends[0].union(ends[1]).unique()
        self.one, self.other = (self.cities.get_indexer(end) for end in ends)
        inside = self.pairs["gathered"] * self.pairs["yrd"]
        split = self.pairs.assign(inside=inside, elsewhere=self.pairs["gathered"] - inside)
        shared = [name for name in architecture.PAIR_CONTROLS if name != "same_region"]
        self.columns = {
            "nation": split[[*architecture.PAIR_CONTROLS, "gathered"]].to_numpy(float),
            "yrd": split[[*shared, *cl.regions.REGIONS, "elsewhere", "inside"]].to_numpy(float),
        }
        pair = np.minimum(self.one, self.other) * len(self.cities) + np.maximum(self.one, self.other)
        self.pair = np.unique(pair, return_inverse=True)[1]

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of columns over the pairs from each city, above those over the pairs to it."""
        n = len(self.cities)
        return np.vstack([np.column_stack([np.bincount(at, column, n) for column in values.T])
                          for at in (self.one, self.other)])  # fmt: skip

    def fit(self, y: np.ndarray, X: np.ndarray, mean: np.ndarray) -> tuple[float, float, float, np.ndarray]:
        """Return the last coefficient, its standard errors with pairs counted twice and once, and fitted trains."""
        n, k, eta = len(self.cities), X.shape[1], np.log(mean)
        for _ in range(40):
            flow = np.zeros((n, n))
            flow[self.one, self.other] = mean
            square = np.block([[np.diag(flow.sum(axis=1)), flow], [flow.T, np.diag(flow.sum(axis=0))]])
            values = np.column_stack([X, eta + (y - mean) / mean])
            # The last effect is nil: effects of origins and destinations are known up to one number.
            effects = np.linalg.solve(square[:-1, :-1], self.sums(values * mean[:, None])[:-1])
            effects = np.vstack([effects, np.zeros(k + 1)])
            left = values - effects[:n][self.one] - effects[n:][self.other]
            weighted = left[:, :k] * mean[:, None]
            inverse = np.linalg.inv(weighted.T @ left[:, :k])
            params = inverse @ weighted.T @ left[:, k]
            before, eta = eta, np.clip(values[:, k] - left[:, k] + left[:, :k] @ params, -30, 30)
            mean = np.exp(eta)
            if np.abs(eta - before).max() < 1e-8:
                break
        scores = left[:, :k] * (y - mean)[:, None]
        both = self.sums(scores)
        city = both[:n] + both[n:]
        pair = np.column_stack([np.bincount(self.pair, column) for column in scores.T])
        meats = (city.T @ city, city.T @ city - pair.T @ pair)
        errors = [np.sqrt((n / (n - 1) * inverse @ meat @ inverse)[-1, -1]) for meat in meats]
        return params[-1], *errors, mean


def trains(random: np.random.Generator, seconds: float) -> dict:
    """Trains without the term: pairs with a shock of their own, cities with one towards each province, ``shared``."""
    table = Timetable()
    y, n = table.pairs["trains"].to_numpy(float), len(table.cities)
    own = table.fit(y, table.columns["nation"], (y + y.mean()) / 2)
    found = gravity_regression(table.pairs, "trains", [*architecture.PAIR_CONTROLS, "gathered"])
    assert np.allclose(own[:2], [found.params["gathered"], found.std_errors["gathered"]], rtol=1e-4)
    mean = table.fit(y, table.columns["nation"][:, :-1], (y + y.mean()) / 2)[-1]
    province = pd.factorize(cl.data.load_units().loc[table.cities, "province"])[0]
    bound, end, held = t.isf(0.025, n - 1), time.time() + seconds, {}
    while time.time() < end:
        for shared in (0.0, 0.3, 0.5):
            each, towards = random.normal(size=table.pair.max() + 1), random.normal(size=(n, province.max() + 1))
            areas = towards[table.one, province[table.other]] + towards[table.other, province[table.one]]
            shock = 0.6 * each[table.pair] + shared * areas
            drawn = random.poisson(mean * np.exp(shock - shock.var() / 2)) + 1e-9
            for name, X in table.columns.items():
                estimate, *errors, _ = table.fit(drawn, X, mean)
                held.setdefault((name, shared), []).append([abs(estimate) < bound * error for error in errors])
    names = ("counted twice", "counted once")
    told = {key: dict(zip(names, 100 * np.mean(rows, axis=0), strict=True)) for key, rows in held.items()}
    return {key: values | {"samples": len(held[key])} for key, values in told.items()}


def spatial(random: np.random.Generator, kilometres: np.ndarray, reach: float, draws: int) -> np.ndarray:
    """Errors that die out with distance, seven tenths of their variance; independent ones for a reach of nil."""
    kept = np.exp(-kilometres / reach) if reach else np.eye(len(kilometres))
    root = np.linalg.cholesky(0.7 * kept + (0.3 + 1e-9) * np.eye(len(kept)))
    return root @ random.normal(size=(len(kept), draws))


def platforms(random: np.random.Generator, reach: float, seconds: float, draws: int = 4000) -> dict:
    """Provinces' platform use without slope or regional gap; as many draws of the bootstrap as time allows."""
    panel = architecture.platform_panel()
    means = panel.groupby("adcode").mean()
    kilometres = cl.weights.great_circle_distances(cl.data.load_boundaries("province").loc[means.index]).to_numpy()
    drawn, held = spatial(random, kilometres, reach, draws), {}
    X = np.column_stack([np.ones(len(means)), means["quotient"]])
    for name, area in cl.regions.REGIONS.items():
        inside = means.index.isin(area.adcodes("province"))
        inverse, at = np.linalg.inv(X[~inside].T @ X[~inside]), X[inside].mean(axis=0)
        params = inverse @ X[~inside].T @ drawn[~inside]
        df = int((~inside).sum()) - 2
        error = np.sqrt(((drawn[~inside] - X[~inside] @ params) ** 2).sum(axis=0) / df)
        error *= np.sqrt(1 / inside.sum() + at @ inverse @ at)
        held[name] = 100 * np.mean(np.abs(drawn[inside].mean(axis=0) - at @ params) < t.isf(0.025, df) * error)
    slopes, end = [], time.time() + seconds
    for y in drawn.T:
        noise = pd.Series(y, means.index).reindex(panel.index.get_level_values("adcode")).to_numpy()
        sample = panel.assign(y=noise + 0.3 * random.normal(size=len(panel)))
        found = wild_cluster_bootstrap(sample, "y", "quotient", "time", cluster="entity", draws=999).table.iloc[0]
        slopes.append(found["lower"] <= 0 <= found["upper"])
        if time.time() > end:
            break
    return held | {"slope": 100 * np.mean(slopes), "samples of the slope": len(slopes)}


def leads(random: np.random.Generator, reach: float, shared: float = 0.5, draws: int = 4000) -> dict:
    """Neighbours' growth without pull; outcomes of a city have ``shared`` of their variance in common."""
    frames = cl.study.lead_pull().frames
    cities = pd.Index(sorted(set().union(*(frame.index for frame in frames.values()))))
    kilometres = cl.weights.great_circle_distances(cl.data.load_boundaries("city").loc[cities]).to_numpy()
    both, held = spatial(random, kilometres, reach, draws), {}
    growth = [np.sqrt(shared) * both + np.sqrt(1 - shared) * random.normal(size=both.shape) for _ in frames]
    for name in ("nation", "yrd"):
        estimate, pulls, df = 0.0, np.zeros(both.shape), np.inf
        for frame, y in zip(frames.values(), growth, strict=True):
            lead, own = frame["lead"], frame["region"] == name
            terms = [lead] if name == "nation" else [lead * own, lead * ~own]
            X = np.column_stack([*terms, frame[list(architecture.CONTROLS)], pd.get_dummies(frame["province"])])
            X, at = X.astype(float), cities.get_indexer(frame.index)
            inverse = np.linalg.inv(X.T @ X)
            params, leverage = inverse @ X.T @ y[at], np.einsum("ij,jk,ik->i", X, inverse, X)
            estimate = estimate + params[0] / len(frames)
            left = (y[at] - X @ params) / np.where(leverage < 1 - 1e-9, 1 - leverage, np.inf)[:, None]
            pulls[at] += (X @ inverse[0])[:, None] * left / len(frames)
            df = min(df, len(X) - X.shape[1])
        held[name] = 100 * np.mean(np.abs(estimate) < t.isf(0.025, df) * np.sqrt((pulls**2).sum(axis=0)))
    return held


def fields(random: np.random.Generator, draws: int = 500) -> dict:
    """How often random assignment of classes to cities is rejected at five percent."""
    classes = cl.study.digital_classes()
    groups = cl.study.group_units(classes.index)
    rejected = {}
    for table in architecture._trades(classes.to_numpy(), draws // 5, random):
        found = cl.study.shared_fields(pd.DataFrame(table > 0, classes.index, classes.columns), groups, draws=199)
        for name, p in found["p_value"].items():
            rejected.setdefault(name, []).append(p <= 0.05)
    return {name: 100 * np.mean(found) for name, found in rejected.items()}


def main() -> None:
    """Print coverage of 95 % intervals, or size of tests of five percent, in percent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["trains", "platforms", "leads", "fields"])
    parser.add_argument("--seconds", type=float, default=150.0, help="of trains and slopes")
    asked, random = parser.parse_args(), np.random.default_rng(0)
    designs = {
        "trains": lambda: trains(random, asked.seconds),
        "platforms": lambda: {reach: platforms(random, reach, asked.seconds / 3) for reach in (0, 300, 600)},
        "leads": lambda: {reach: leads(random, reach) for reach in (0, 100, 200)},
        "fields": lambda: {"size": fields(random)},
    }
    for design, found in designs[asked.part]().items():
        print(asked.part, design, {name: round(float(value), 1) for name, value in found.items()})


if __name__ == "__main__":
    main()

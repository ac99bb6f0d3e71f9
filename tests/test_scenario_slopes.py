"""Slopes of output: recomputed with dummies, their errors with whole matrices, their choice by region."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.stats import t as student

import clusterlib as cl
from clusterlib.data import load_panel
from clusterlib.errors import UnknownNameError
from clusterlib.scenario import choose_slope, clustered_slope
from clusterlib.study.scenario._slopes import FEWEST, TREATMENTS, city_sample, city_slope, own_cities, province_slope


def brute_force(y: np.ndarray, x: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    """Bell and McCaffrey by whole matrices."""
    X = x[:, None]
    bread = np.linalg.inv(X.T @ X)
    leave = np.eye(len(y)) - X @ bread @ X.T
    b = float((bread @ X.T @ y)[0])
    left, variance, columns = y - x * b, 0.0, []
    for cluster in np.unique(clusters):
        rows = clusters == cluster
        adjust = np.linalg.inv(np.real(sqrtm(leave[np.ix_(rows, rows)])))
        weights = bread[0, 0] * x[rows] @ adjust
        variance += float(weights @ left[rows]) ** 2
        columns.append(leave[:, rows] @ weights)
    products = np.array(columns) @ np.array(columns).T
    return b, float(np.sqrt(variance)), float(np.trace(products) ** 2 / (products**2).sum())


@pytest.mark.parametrize("seed", range(4))
def test_errors_and_degrees_of_freedom_are_those_of_whole_matrices(seed):
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(6), random.integers(2, 9, 6))
    x, y = random.normal(size=(2, len(clusters)))
    assert clustered_slope(y, x, clusters) == pytest.approx(brute_force(y, x, clusters), rel=1e-8)


def test_clusters_that_carry_nothing_change_nothing():
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(5), 4)
    x, y = random.normal(size=(2, 20))
    found = clustered_slope(y, x, clusters)
    more = clustered_slope(np.append(y, [3.0, -3.0]), np.append(x, [0.0, 0.0]), np.append(clusters, [9, 9]))
    assert more == pytest.approx(found)


def test_intervals_cover_with_few_clusters_of_unlike_size():
    random, hits = np.random.default_rng(1), 0
    clusters = np.repeat(np.arange(10), [2, 2, 2, 3, 3, 4, 5, 8, 15, 30])
    for _ in range(600):
        x = random.normal(size=len(clusters)) + random.normal(size=10)[clusters]
        y = random.normal(size=len(clusters)) + random.normal(size=10)[clusters]
        b, error, df = clustered_slope(y, x, clusters)
        hits += abs(b) <= student.ppf(0.975, df) * error
    assert 0.92 <= hits / 600 <= 0.99


def by_dummies(rows: pd.DataFrame, effects: list, y: str) -> float:
    dummies = pd.concat([pd.get_dummies(pd.Series(e, rows.index), dtype=float) for e in effects], axis=1)
    X = np.hstack([rows.drop(columns=y).to_numpy(float), dummies.to_numpy()])
    return float(np.linalg.lstsq(X, rows[y].to_numpy(float), rcond=None)[0][0])


@pytest.mark.parametrize("remedy", TREATMENTS)
def test_a_regions_slope_is_that_of_its_cities_with_dummies(remedy):
    rows = city_sample(remedy)
    rows = rows[rows.index.get_level_values("adcode").isin(own_cities(remedy, "yrd"))]
    city, year = (rows.index.get_level_values(level) for level in range(2))
    assert rows.columns[0] == "log_gdp"
    cells = city // 10_000 * 10_000 + year
    found = choose_slope(remedy, "yrd")
    assert found.sample == "region" and found.clusters == city.nunique() >= FEWEST
    assert found.estimate == pytest.approx(by_dummies(rows, [city, cells], "log_gdp"), rel=1e-6)


def test_the_sample_of_trade_is_made_of_the_yearbooks_figures():
    rows = city_sample("data_platform")
    facts = load_panel("city", ["gdp", "exports", "imports"], years="2018:2023").reindex(rows.index)
    np.testing.assert_allclose(rows["log_trade"], np.log(facts["exports"] + facts["imports"]))
    np.testing.assert_allclose(rows["log_gdp"], np.log(facts["gdp"]))


def test_the_provinces_slope_is_that_with_dummies_of_provinces_and_years():
    plan = cl.study.design()
    panel = cl.study.output_panel("2016:2023", alternatives=False)[["log_gdp_per_head", *plan.controls]]
    use = load_panel("province", list(plan.platforms))
    score = ((use - use.mean()) / use.std()).mean(axis=1, skipna=False).rename("platforms")
    rows = panel.join(score).dropna()[["log_gdp_per_head", "platforms", *plan.controls]]
    effects = [rows.index.get_level_values(level) for level in range(2)]
    found = province_slope("co_creation", platforms=True)
    assert found.estimate == pytest.approx(by_dummies(rows, effects, "log_gdp_per_head"), rel=1e-6)
    assert found.clusters == 30


def test_a_region_of_few_cities_has_the_nations_slope_and_none_of_its_own():
    assert own_cities("co_creation", "gba").size < FEWEST
    assert choose_slope("co_creation", "gba") == city_slope("co_creation")
    with pytest.raises(UnknownNameError, match="fewer than 20 cities beside others of their province"):
        choose_slope("co_creation", "gba", "region")


def test_a_city_alone_in_its_province_says_nothing_of_a_regions_slope():
    assert not own_cities("data_platform", "bth").isin([110000, 120000]).any()


def test_no_single_cluster_makes_the_slope_and_the_range_holds_it():
    for remedy in TREATMENTS:
        slope = city_slope(remedy)
        assert slope.low <= slope.estimate <= slope.high and 0 < slope.share < 0.5


def test_neighbours_add_to_the_slope_what_their_mean_goes_with():
    from clusterlib.data import load_boundaries
    from clusterlib.study.city_output import complete_rows
    from clusterlib.weights import contiguity

    rows = city_sample("data_platform")
    shapes = load_boundaries("city")
    rows = rows[rows.index.get_level_values("adcode").isin(shapes.index)]
    rows = complete_rows(rows, list(rows), "balanced")
    graph = contiguity(shapes.loc[rows.index.unique("adcode")])
    wide = rows["log_trade"].unstack("year").loc[graph.unique_ids]
    matrix = graph.sparse.toarray() > 0
    mean = matrix @ wide.to_numpy() / np.maximum(matrix.sum(axis=1), 1)[:, None]
    mean = pd.DataFrame(mean, wide.index, wide.columns).stack().reindex(rows.index)
    city, year = (rows.index.get_level_values(level) for level in range(2))
    cells, both = city // 10_000 * 10_000 + year, rows.assign(mean=mean.to_numpy())
    one = by_dummies(both, [city, cells], "log_gdp")
    other = by_dummies(both[["log_gdp", "mean", "log_trade"]], [city, cells], "log_gdp")
    assert city_slope("data_platform", "neighbours").estimate == pytest.approx(one + other, rel=1e-6)


def test_what_a_step_goes_with_is_linear_and_its_interval_that_of_the_slope():
    slope = city_slope("data_platform")
    one, two = slope.times(0.1), slope.times(0.2)
    assert two["estimate"] == pytest.approx(2 * one["estimate"]) == pytest.approx(20 * slope.estimate)
    half = student.ppf(0.975, slope.df) * 10 * slope.std_error
    assert [one["lower"], one["upper"]] == pytest.approx([one["estimate"] - half, one["estimate"] + half])
    assert one["p_value"] == pytest.approx(two["p_value"]) and one["smallest"] > half

"""Errors of the spatial Durbin model that allow a unit's years to depend on each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel import cluster_covariance, spatial_panel

UNITS, YEARS = 12, 9
RING = sum(np.roll(np.eye(UNITS), step, axis=1) for step in (-1, 1)) / 2
NAMES = ["digital", "control"]


def made_panel(seed: int, memory: float = 0.0, units: int = UNITS, years: int = YEARS, noise: float = 0.3) -> tuple:
    """A panel by a Durbin model with known slopes, its errors with memory, and the ring of its units."""
    random = np.random.default_rng(seed)
    ring = sum(np.roll(np.eye(units), step, axis=1) for step in (-1, 1)) / 2
    shocks = random.normal(size=(3, units, years))
    errors, x = shocks[0].copy(), shocks[1].copy()
    for year in range(1, years):
        errors[:, year] += memory * errors[:, year - 1]
        x[:, year] += memory * x[:, year - 1]
    mean = 1.0 * x + 0.5 * ring @ x - 0.2 * shocks[2] + random.normal(size=(units, 1))
    y = np.linalg.solve(np.eye(units) - 0.3 * ring, mean + noise * errors)
    index = pd.MultiIndex.from_product([range(units), range(2010, 2010 + years)], names=["adcode", "year"])
    return pd.DataFrame({"y": y.ravel(), "digital": x.ravel(), "control": shocks[2].ravel()}, index), ring


@pytest.fixture(scope="module")
def durbin():
    data, ring = made_panel(4)
    return data, spatial_panel(data, "y", NAMES, ring, "sdm", "twoway", "lee-yu")


def test_the_cluster_covariance_is_that_of_models_estimated_anew_by_the_package(durbin):
    data, result = durbin
    found = cluster_covariance(data, "y", NAMES, RING, result, draws=25, seed=6)
    signs = np.random.default_rng(6).choice([-1.0, 1.0], (UNITS, 1, 25))
    slopes = result.params.drop("rho")
    x = data[NAMES].to_numpy().reshape(UNITS, YEARS, 2)
    mean = np.concatenate([x, np.einsum("ij,jtk->itk", RING, x)], axis=2) @ slopes.to_numpy()
    scale = np.sqrt(UNITS / (UNITS - 1) * result.nobs / (result.nobs - 4))
    left = result.residuals.to_numpy().reshape(UNITS, YEARS)
    estimates = []
    for d in range(25):
        y = np.linalg.inv(np.eye(UNITS) - result.rho * RING) @ (mean + scale * signs[..., d] * left)
        made = data.assign(y=y.ravel())
        estimates.append(spatial_panel(made, "y", NAMES, RING, "sdm", "twoway", "lee-yu").params)
    expected = pd.DataFrame(estimates).cov()
    np.testing.assert_allclose(found, expected.loc[found.index, found.columns], rtol=1e-5, atol=1e-9)


def test_errors_by_cluster_are_near_the_classical_ones_without_memory_and_larger_with_it():
    ratios = {}
    for memory in (0.0, 0.8):
        values = []
        for seed in range(4):
            data, ring = made_panel(seed, memory, units=40, noise=1.0)
            result = spatial_panel(data, "y", NAMES, ring, "sdm", "twoway", "lee-yu")
            covariance = cluster_covariance(data, "y", NAMES, ring, result, draws=400)
            values.append(np.sqrt(covariance.loc["digital", "digital"]) / result.std_errors["digital"])
        ratios[memory] = np.mean(values)
    assert ratios[0.0] == pytest.approx(1, abs=0.15)
    assert ratios[0.8] > 1.2


def test_only_the_model_that_the_bootstrap_is_made_for_is_taken(durbin):
    data, _ = durbin
    other = spatial_panel(data, "y", NAMES, RING, "sdm", "twoway")
    with pytest.raises(InvalidInputError, match="correction 'lee-yu'"):
        cluster_covariance(data, "y", NAMES, RING, other)

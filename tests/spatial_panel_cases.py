"""Reference panels and weights, and plain dense versions of spatial models, shared by the tests of spatial panels."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterlib.paths import get_project

REFERENCE = Path(__file__).parent / "reference"
SHARED = get_project().root.parent / "shared" / "reference"
STATES_X = ["lpcap", "lpc", "lemp", "unemp"]
COLUMBUS_X = ["INC", "HOVAL"]
EFFECTS = {"individual": "entity", "time": "time", "twoways": "twoway"}
LM_NAMES = {
    "lm_lag": "LMlag",
    "lm_error": "LMerr",
    "robust_lm_lag": "RLMlag",
    "robust_lm_error": "RLMerr",
    "lm_sarma": "SARMA",
}


@cache
def expected(name: str) -> dict:
    """What R gives."""
    return json.loads((REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def states() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Produc in logarithms, and row-standardised common borders of its 48 states."""
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    frame = np.log(data[["gsp", "pcap", "pc", "emp"]]).add_prefix("l").assign(unemp=data["unemp"])
    names = frame.index.unique(0)
    borders = pd.DataFrame(0.0, index=names, columns=names)
    for one, other in pd.read_csv(REFERENCE / "data" / "us_states_borders.csv").itertuples(index=False):
        borders.loc[one, other] = borders.loc[other, one] = 1.0
    return frame, borders.div(borders.sum(axis=1), axis=0)


@cache
def columbus() -> tuple[pd.DataFrame, np.ndarray]:
    """The neighbourhoods of Columbus as a panel of one period, and their binary contiguity."""
    data = pd.read_csv(REFERENCE / "data" / "columbus.csv").assign(year=1980).set_index(["id", "year"])
    return data, pd.read_csv(REFERENCE / "data" / "columbus_W_binary.csv", index_col=0).to_numpy(float)


def row_standardised(binary: np.ndarray) -> np.ndarray:
    """Divide rows by their sums; empty rows stay empty."""
    sums = binary.sum(axis=1, keepdims=True)
    return np.divide(binary, sums, out=np.zeros_like(binary), where=sums > 0)


@cache
def uncarried(name: str) -> tuple[pd.DataFrame, str, list[str], np.ndarray]:
    """A panel with weights that the project may not carry; the test is skipped where they are absent."""
    weights = SHARED / "data" / f"{'produc_usaww' if name == 'produc' else 'cigar_usa46'}_W.csv"
    if not weights.exists():
        pytest.skip(f"{weights.name} is not carried: shared/reference beside the project is absent")
    data = pd.read_csv(REFERENCE / "data" / f"{name}.csv")
    assert list(data["state"].unique()) == sorted(data["state"].unique()), "the csv has the order of first appearance"
    if name == "produc":
        for column in ("gsp", "pcap", "pc", "emp"):
            data[f"log({column})"] = np.log(data[column])
        y, x = "log(gsp)", ["log(pcap)", "log(pc)", "log(emp)", "unemp"]
    else:
        y, x = "logc", ["logp", "logy"]
    return data.set_index(["state", "year"]), y, x, pd.read_csv(weights, index_col=0).to_numpy(float)


def nearest(n: int, k: int = 4, seed: int = 0) -> np.ndarray:
    """Row-standardised k nearest neighbours of random points: not symmetric, complex eigenvalues."""
    points = np.random.default_rng(seed).uniform(size=(n, 2))
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    weights = np.zeros((n, n))
    np.put_along_axis(weights, np.argsort(distance, axis=1)[:, :k], 1 / k, axis=1)
    return weights


def simulated(
    w: np.ndarray,
    periods: int,
    rho: float = 0.0,
    lam: float = 0.0,
    beta=(1.0, -0.5),
    theta=(0.4, 0.2),
    *,
    seed: int = 0,
    common: float = 1.0,
) -> pd.DataFrame:
    """A panel drawn from the general model with effects of units and, times ``common``, of periods."""
    random, n, k = np.random.default_rng(seed), len(w), len(beta)
    x = random.normal(size=(n, periods, k))
    error = np.linalg.solve(np.eye(n) - lam * w, random.normal(size=(n, periods)))
    mean = x @ np.array(beta) + np.einsum("ij,jtk->itk", w, x) @ np.array(theta)
    effects = random.normal(size=(n, 1)) + common * random.normal(size=(1, periods))
    y = np.linalg.solve(np.eye(n) - rho * w, mean + effects + error)
    index = pd.MultiIndex.from_product([range(n), range(2000, 2000 + periods)], names=["unit", "year"])
    columns = {f"x{j + 1}": x[..., j].ravel() for j in range(k)}
    return pd.DataFrame({"y": y.ravel(), **columns}, index=index)


def close(got: pd.Series, wanted: dict, tolerance: float) -> None:
    """Assert that values by name agree relatively, or absolutely where they are below one."""
    wanted = pd.Series(wanted, dtype=float)
    np.testing.assert_allclose(got[wanted.index], wanted, rtol=tolerance, atol=tolerance)


def orthonormal_complement(n: int) -> np.ndarray:
    """A basis of the vectors of length n that sum to zero, shape (n, n - 1)."""
    return np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0][:, 1:]


def stacked(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Multiply each period and stack units and periods."""
    return np.einsum("ij,jt...->it...", matrix, values).reshape(-1, *values.shape[2:])


def plain_information(x: np.ndarray, w: np.ndarray, rho: float, lam: float, beta: np.ndarray, variance: float):
    """Expected information of the coefficients of x (units, periods, k), rho, lambda and sigma2, all dense."""
    n, periods, k = x.shape
    b = np.eye(n) - lam * w
    g, h = w @ np.linalg.inv(np.eye(n) - rho * w), w @ np.linalg.inv(b)
    right, mean = stacked(b, x), stacked(b @ g, (x @ beta)[..., None])[:, 0]
    information = np.zeros((k + 3, k + 3))
    information[:k, :k] = right.T @ right / variance
    information[:k, k] = information[k, :k] = right.T @ mean / variance
    information[k, k] = periods * np.trace(g @ g + g.T @ g) + mean @ mean / variance
    information[k + 1, k + 1] = periods * np.trace(h @ h + h.T @ h)
    information[k, k + 1] = information[k + 1, k] = periods * np.trace(g @ h + g.T @ h)
    information[k, -1] = information[-1, k] = periods * np.trace(g) / variance
    information[k + 1, -1] = information[-1, k + 1] = periods * np.trace(h) / variance
    information[-1, -1] = n * periods / 2 / variance**2
    return information


def reordered(panel: pd.DataFrame, w: np.ndarray, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows in another order, and labelled weights in yet another."""
    labelled = pd.DataFrame(w, index=panel.index.unique(0), columns=panel.index.unique(0))
    random = np.random.default_rng(seed)
    units = random.permutation(labelled.index)
    return panel.iloc[random.permutation(len(panel))], labelled.loc[units, units]

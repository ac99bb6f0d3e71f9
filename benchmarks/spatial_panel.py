"""The two-way spatial Durbin model with impacts against spatialreg (R) and spreg, its memory, and its growth.

.venv/bin/python benchmarks/spatial_panel.py [--units 300] [--periods 12] [--repeats 5] [--largest 30000]

All sides fit the same panel of k = 6 nearest neighbours. spatialreg and spreg know no two-way panel with Durbin terms
and impacts: they get the two-way demeaned stack with block-diagonal weights, and dummies of the periods, without which
the lag of y keeps its means of periods and the answers differ in the third digit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, csr_matrix, eye_array, kron
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from clusterlib.spatial_panel import dynamic_spatial_panel, model_probabilities, spatial_panel

X = ["x1", "x2"]
NAMES = ["rho", *X, "W_x1", "W_x2"]
NEIGHBOURS = 6


def make(units: int, periods: int, seed: int = 1) -> tuple[pd.DataFrame, csr_array]:
    """Return a panel of the Durbin model with effects of units and periods, and its weights."""
    random = np.random.default_rng(seed)
    _, near = cKDTree(points := random.uniform(size=(units, 2))).query(points, NEIGHBOURS + 1)
    rows = np.repeat(np.arange(units), NEIGHBOURS)
    w = csr_array((np.full(len(rows), 1 / NEIGHBOURS), (rows, near[:, 1:].ravel())), shape=(units, units))
    x = random.normal(size=(units, periods, 2))
    lags = (w @ x.reshape(units, -1)).reshape(x.shape)
    effects = random.normal(size=(units, 1)) + random.normal(size=(1, periods))
    mean = x @ [1.0, -0.5] + lags @ [0.5, 0.3] + effects + random.normal(size=(units, periods))
    y = splu((eye_array(units) - 0.4 * w).tocsc(), permc_spec="MMD_AT_PLUS_A").solve(mean)
    index = pd.MultiIndex.from_product([range(units), range(periods)], names=["unit", "time"])
    return pd.DataFrame({"y": y.ravel(), "x1": x[..., 0].ravel(), "x2": x[..., 1].ravel()}, index=index), w


def ours(panel: pd.DataFrame, w: csr_array) -> np.ndarray:
    """Fit, simulate the impacts, and return coefficients and total impacts."""
    result = spatial_panel(panel, "y", X, w, "sdm", "twoway")
    return np.concatenate([result.params[NAMES], result.impacts(draws=1000).table["total"]])


def fastest(function, repeats: int, clock=time.perf_counter) -> tuple[float, np.ndarray]:
    """Shortest seconds of several calls, after one to warm up, and the answer."""
    answer, seconds = function(), []
    for _ in range(repeats):
        start = clock()
        answer = function()
        seconds.append(clock() - start)
    return min(seconds), answer


def demeaned_stack(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the panel without two-way means, stacked by time, with dummies of all periods but the first."""
    by_time = panel.swaplevel().sort_index()
    for level in (0, 1):
        by_time = by_time - by_time.groupby(level=level).transform("mean")
    time_index = by_time.index.get_level_values(0)
    for period in time_index.unique()[1:]:
        by_time[f"d{period}"] = (time_index == period).astype(float)
    return by_time


def spatialreg(panel: pd.DataFrame, w: csr_array, dummies: bool) -> tuple[float, np.ndarray] | None:
    """Seconds and answer of R, None where it is absent."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        demeaned_stack(panel).reset_index().to_csv(Path(folder, "stack.csv"), index=False)
        rows, columns = w.tocoo().coords
        pd.DataFrame({"from": rows, "to": columns}).to_csv(Path(folder, "weights.csv"), index=False)
        script = Path(__file__).with_suffix(".R")
        kind = "dummies" if dummies else "plain"
        done = subprocess.run(["Rscript", script, folder, kind], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"spatialreg: skipped, R says: {done.stderr.strip().splitlines()[-1]}")
        return None
    seconds, answer = (np.array(line.split(), dtype=float) for line in done.stdout.strip().splitlines())
    print(f"  (R: fit {seconds[0]:.2f} s, impacts {seconds[1]:.2f} s)")
    return float(seconds.sum()), answer


def spreg_panel(panel: pd.DataFrame, w: csr_array):
    """spreg's panel lag model with the spatial lags of x among the regressors; it has no impacts."""
    import libpysal
    import spreg

    stack = demeaned_stack(panel)
    weights = libpysal.weights.WSP(csr_matrix(w)).to_W(silence_warnings=True)
    lags = kron(eye_array(len(stack) // w.shape[0]), w) @ stack[X].to_numpy()
    dummies = stack.filter(regex="^d").to_numpy()
    columns = np.hstack([stack[X].to_numpy(), lags, dummies])

    def run() -> np.ndarray:
        found = spreg.Panel_FE_Lag(stack[["y"]].to_numpy(), columns, weights).betas.ravel()
        return np.concatenate([found[-1:], found[:4]])

    return run


def spreg_stack(panel: pd.DataFrame, w: csr_array):
    """spreg's cross-section lag model of the stack with lags of x and impacts (which it gives without errors)."""
    import libpysal
    import spreg

    stack = demeaned_stack(panel)
    block = csr_matrix(kron(eye_array(len(stack) // w.shape[0]), w))
    weights = libpysal.weights.WSP(block).to_W(silence_warnings=True)
    dummies = [name for name in stack if name.startswith("d")]
    lagged = [True, True, *[False] * len(dummies)]

    def run() -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()):
            model = spreg.ML_Lag(
                stack[["y"]].to_numpy(),
                stack[[*X, *dummies]].to_numpy(),
                weights,
                slx_lags=1,
                slx_vars=lagged,
                method="LU",
                spat_impacts="simple",
            )
        found = model.betas.ravel()
        return np.concatenate([found[-1:], found[1:3], found[-3:-1]])

    return run


def compare(name: str, seconds: float, other: float, answer: np.ndarray, reference: np.ndarray, same: bool = True):
    """Print times, their ratio and how far the answers are apart."""
    gap = np.abs(answer[: len(reference)] - reference[: len(answer)]).max()
    print(f"{name:58s} {other:9.3f} s {other / seconds:8.1f} times ours   largest difference {gap:.1e}")
    if same and gap > 1e-4:
        raise SystemExit(f"{name}: the answers differ")


def peak(units: int, periods: int) -> None:
    """Fit in a fresh process and print its time and its peak memory."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import spatial_panel as b; b.measure(*map(int, sys.argv[2:]))"
    folder = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, folder, str(units), str(periods)], check=True)


def high_water() -> float:
    """Peak resident megabytes of this process; ru_maxrss would count those of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(units: int, periods: int) -> None:
    """Print seconds and peak memory of this process."""
    panel, w = make(units, periods)
    before = high_water()
    seconds, _ = fastest(lambda: ours(panel, w), 1)
    after = high_water()
    print(f"n = {units:6,d}, T = {periods}: {seconds:7.3f} s, peak memory {after:5.0f} MB ({before:.0f} before)")
    if after > 2048:
        raise SystemExit("more than 2 GiB")


def growth(periods: int, largest: int, repeats: int) -> None:
    """Print times at n = 300, 3,000, ... and the exponent of n between them."""
    before = None
    for units in [n for n in (300, 3_000, 30_000) if n <= largest]:
        panel, w = make(units, periods)
        seconds, answer = fastest(lambda panel=panel, w=w: ours(panel, w), repeats if units < 10_000 else 1)
        exponent = "" if before is None else f"   n^{np.log10(seconds / before):.2f}"
        print(f"n = {units:6,d}, T = {periods}: {seconds:7.3f} s, rho = {answer[0]:.3f}{exponent}")
        before = seconds


def cities(units: int, periods: int, repeats: int) -> None:
    """Print processor times of what is estimated of a panel as large as that of China's cities."""
    panel, w = make(units, periods)

    def dynamic() -> np.ndarray:
        result = dynamic_spatial_panel(panel, "y", X, w)
        return np.concatenate([table["total"] for table in (result.impacts().table, result.long_run_impacts().table)])

    runs = {
        "SDM with impacts": lambda: ours(panel, w),
        "dynamic SDM with impacts at once and in the long run": dynamic,
        "probabilities of five models": lambda: model_probabilities(panel, "y", X, w).table["probability"],
    }
    for name, run in runs.items():
        print(f"n = {units}, T = {periods}: {name:55s} {fastest(run, repeats, time.process_time)[0]:7.3f} s")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--periods", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--largest", type=int, default=30_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"Python {platform.python_version()}, {platform.machine()}")
    panel, w = make(options.units, options.periods)
    seconds, answer = fastest(lambda: ours(panel, w), options.repeats)
    print(f"SDM, two-way effects, impacts of 1,000 draws, n = {options.units}, T = {options.periods}")
    print(f"{'clusterlib.spatial_panel':58s} {seconds:9.3f} s")
    for dummies, name in ((True, "lagsarlm and impacts, with dummies of periods"), (False, "the same without dummies")):
        found = spatialreg(panel, w, dummies)
        if found is None:
            print(f"spatialreg, {name}: skipped, R is not there")
        else:
            # R's traces are estimated, so only the coefficients are compared tightly.
            compare(f"spatialreg, {name}", seconds, found[0], found[1][:5], answer, same=dummies)
    try:
        other, found = fastest(spreg_panel(panel, w), 3)
        compare("spreg, Panel_FE_Lag with Wx and dummies (no impacts)", seconds, other, found, answer)
        other, found = fastest(spreg_stack(panel, w), 1)
        compare("spreg, ML_Lag of the stack, slx_lags, LU", seconds, other, found, answer)
    except ImportError:
        print("spreg: skipped, it is not installed")
    print("A panel of cities, 1,000 draws")
    cities(285, 18, options.repeats)
    print("Memory, in a process of its own")
    peak(3_000, 20)
    print("Growth with the number of units")
    growth(options.periods, options.largest, 3)


if __name__ == "__main__":
    main()

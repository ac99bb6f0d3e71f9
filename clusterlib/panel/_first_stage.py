"""First stages of instrumental variables (第一阶段回归) and how strong the instruments are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.covariance import Covariance
from clusterlib.core.results import coefficient_table
from clusterlib.core.within import Layout, least_squares
from clusterlib.panel._specification import wald_statistic

# Stock and Yogo (2005), table 5.2: one endogenous variable, 10 % maximal size, by the number of instruments.
STOCK_YOGO = (16.38, 19.93, 22.30, 24.58, 26.87, 29.18, 31.50, 33.84, 36.19, 38.54)
WORST_BIAS, LEVEL = 0.10, 0.05


@dataclass(frozen=True)
class Stages:
    """Within-transformed variables by their role."""

    layout: Layout
    y: np.ndarray
    controls: np.ndarray
    endogenous: np.ndarray
    instruments: np.ndarray
    control_names: tuple[str, ...]
    endogenous_names: tuple[str, ...]
    instrument_names: tuple[str, ...]

    @property
    def all_exogenous(self) -> np.ndarray:
        """Exogenous variables and instruments."""
        return np.column_stack([self.controls, self.instruments])

    def fitted(self, values: np.ndarray, by: str) -> np.ndarray:
        """Project ``values`` on the ``"controls"`` or on ``"all"`` exogenous variables."""
        basis = self.controls if by == "controls" else self.all_exogenous
        if basis.shape[1] == 0:
            return np.zeros_like(values)
        Q, _ = np.linalg.qr(basis / np.linalg.norm(basis, axis=0))
        return Q @ (Q.T @ values)


def _regressions(stages: Stages, covariance: Covariance):
    """Yield the name, estimates, covariance and residuals of each first stage."""
    A = stages.all_exogenous
    labels = [*stages.control_names, *stages.instrument_names]
    for name, variable in zip(stages.endogenous_names, stages.endogenous.T, strict=True):
        fit = least_squares(variable, A, labels, stages.layout.absorbed)
        matrix = covariance.of(fit.inverse, A * fit.residuals[:, None], fit.residuals, stages.layout)
        yield name, fit.params, matrix, fit.residuals


def first_stage_table(stages: Stages, covariance: Covariance) -> pd.DataFrame:
    """Return the coefficient tables of the first stages, by endogenous variable."""
    labels = [*stages.control_names, *stages.instrument_names]
    df = covariance.df(len(labels), stages.layout)
    tables = {}
    for name, params, matrix, _ in _regressions(stages, covariance):
        estimates = pd.Series(params, index=labels)
        tables[name] = coefficient_table(estimates, pd.Series(np.sqrt(np.diag(matrix)), index=labels), df)
    return pd.concat(tables, names=["endogenous", "variable"])


def _cragg_donald(stages: Stages) -> float:
    from scipy.linalg import eigh

    V = stages.endogenous
    after_controls, after_all = (V - stages.fitted(V, by) for by in ("controls", "all"))
    left = after_all.T @ after_all
    explained = after_controls.T @ after_controls - left
    df = stages.layout.rows - stages.all_exogenous.shape[1] - stages.layout.absorbed
    smallest = eigh(explained, left, eigvals_only=True)[0]
    return float(smallest * df / stages.instruments.shape[1])


def _effective_f(stages: Stages, params: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """Return Montiel Olea and Pflueger's effective F and its simplified critical value for 2SLS.

    In the metric of the instruments, controls taken out, the first-stage estimates are b and their covariance V:
    F = b'b / tr V. The critical value is a quantile of a scaled noncentral chi-squared (their section 4, x = 1 / tau).
    """
    from scipy.stats import ncx2

    k = stages.instruments.shape[1]
    R = np.linalg.qr(stages.instruments - stages.fitted(stages.instruments, "controls"), mode="r")
    b, V = R @ params[-k:], R @ matrix[-k:, -k:] @ R.T
    x, trace, largest = 1 / WORST_BIAS, np.trace(V), np.linalg.eigvalsh(V)[-1]
    effective = trace**2 * (1 + 2 * x) / (np.sum(V**2) + 2 * x * trace * largest)
    return float(b @ b / trace), float(ncx2.ppf(1 - LEVEL, effective, effective * x) / effective)


def weak_instrument_table(stages: Stages, covariance: Covariance) -> pd.DataFrame:
    """Return the strength of the instruments, a row an endogenous variable."""
    from scipy.stats import f

    k = stages.instruments.shape[1]
    df = covariance.df(stages.all_exogenous.shape[1], stages.layout)
    rows, cragg_donald = {}, _cragg_donald(stages)
    for i, (name, params, matrix, residuals) in enumerate(_regressions(stages, covariance)):
        variable = stages.endogenous[:, [i]]
        after_controls = variable - stages.fitted(variable, "controls")
        statistic = wald_statistic(params[-k:], matrix[-k:, -k:]) / k
        rows[name] = {
            "partial_r2": float(1 - residuals @ residuals / (after_controls**2).sum()),
            "partial_f": statistic,
            "p_value": float(f.sf(statistic, k, df)),
            "cragg_donald": cragg_donald,
        }
        if stages.endogenous.shape[1] == 1:
            rows[name]["effective_f"], rows[name]["effective_f_critical"] = _effective_f(stages, params, matrix)
            rows[name]["stock_yogo"] = STOCK_YOGO[k - 1] if k <= len(STOCK_YOGO) else np.nan
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("endogenous")

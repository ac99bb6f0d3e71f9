"""Two spatial lags beside shocks that all units of a jurisdiction share (辖区共同冲击下的双权重模型)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.results import coefficient_table
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from clusterlib.core.results import Test

NAMES = ("rho_within", "rho_across")
SHARE = "shock_share"
_BOUND = 0.995
_STARTS = ((0.0, 0.0, 0.3), (0.4, 0.1, 0.02))
_STEP = 1e-4
# Columns that LAPACK inverts at a time.
_BLOCK = 64
_NEWTON_STEPS = 50
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class SharedShocksResult:
    """Estimates of a spatial lag within and across jurisdictions, apart from what a jurisdiction's units share.

    Attributes
    ----------
    params, std_errors : Series
        ``rho_within``, ``rho_across`` and ``shock_share``, the part of the disturbances' variance that is common to the
        units of a jurisdiction in a period; its error is missing where it is nil.
    covariance : DataFrame
        Of the three.
    coefficients : Series
        Of x.
    rho_within, rho_across, shock_share, sigma2, loglik : float
    loglik_plain : float
        At the maximum without shared shocks.
    n_units, n_periods : int
    residuals : Series
        By (unit, period): what is left once lags, x and effects are taken out, the shared shocks included.
    """

    params: pd.Series
    std_errors: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    coefficients: pd.Series
    rho_within: float
    rho_across: float
    shock_share: float
    sigma2: float
    loglik: float
    loglik_plain: float
    n_units: int
    n_periods: int
    residuals: pd.Series = field(repr=False)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return both rhos and the share with errors, z statistics, p values and intervals."""
        return coefficient_table(self.params, self.std_errors, level=level)

    def difference(self) -> tuple[float, float]:
        """Return rho within less rho across, and its standard error."""
        (within, shared), (_, across) = self.covariance.to_numpy()[:2, :2]
        return self.rho_within - self.rho_across, float(np.sqrt(within + across - 2 * shared))

    def equality_test(self) -> Test:
        """Wald test that the lag is as strong within as across borders, as of the model without shocks."""
        from clusterlib.core.results import Test

        gap, error = self.difference()
        return Test.of("Wald", "rho_within = rho_across", (gap / error) ** 2, "chi2", 1)

    def shocks_test(self) -> Test:
        r"""Likelihood-ratio test of no shared shocks; on the bound of the share p is half that of :math:`\chi^2_1`."""
        from clusterlib.core.results import Test

        statistic = max(0.0, 2 * (self.loglik - self.loglik_plain))
        test = Test.of("likelihood ratio", "no shared shocks", statistic, "chi2", 1)
        return replace(test, p_value=0.5 * test.p_value if statistic else 1.0, distribution="half chi2")


class SharedShocks:
    """The likelihood of one panel, in both rhos and the share of shared shocks, and its maximum.

    Parameters
    ----------
    data : DataFrame
        Balanced, by (unit, period).
    y, x
        Column, and list of columns.
    pair : (array, array)
        Weights within and across, the two parts of row-standardised weights, by the sorted units.
    jurisdiction : Series
        Of each unit.
    """

    def __init__(self, data: pd.DataFrame, y: str, x: list[str], pair, jurisdiction: pd.Series) -> None:
        from clusterlib.core.alignment import align_weights
        from clusterlib.core.within import demean
        from clusterlib.spatial_panel._design import make_design, spatial_lag

        design = make_design(data, y, x, pair[0], "twoway", weights_name="w_within")
        units = design.weights.units
        weights = (design.weights, align_weights(pair[1], units, "w_across"))
        self.design, self.units = design, units
        dense = np.stack([part.matrix.toarray() for part in weights])
        self.links = np.nonzero(dense.any(axis=0))
        self.weights = dense[:, *self.links]
        lags = [demean(spatial_lag(part, design.y), "twoway") for part in weights]
        self.columns = np.concatenate([np.stack([design.response, *lags], axis=2), design.regressors], axis=2)
        code = jurisdiction.loc[units].factorize()[0]
        self.sizes = np.bincount(code)
        sums = np.zeros((len(self.sizes), *self.columns.shape[1:]))
        np.add.at(sums, code, self.columns)
        self.sums = sums.reshape(len(sums), -1)
        self.products = np.einsum("itk,itl->kl", self.columns, self.columns)
        self.by_jurisdiction = np.einsum("ptk,ptl->pkl", sums, sums).reshape(len(sums), -1)

    @property
    def size(self) -> int:
        """Number of observations."""
        return self.columns.shape[0] * self.columns.shape[1]

    def weighed(self, ratio: float) -> tuple[np.ndarray, np.ndarray]:
        """Cross-products of the columns, weighed by the inverse covariance, and their derivatives by ``ratio``."""
        shrink = 1 / (1 + ratio * self.sizes)
        both = np.stack([shrink, -self.sizes * shrink**2])
        common, common_slope = (both @ self.sums).reshape(2, *self.columns.shape[1:])
        total, total_slope = both @ self.sizes
        square, cross = common.T @ common, common_slope.T @ common
        apart, apart_slope = (np.stack([ratio * shrink, shrink**2]) @ self.by_jurisdiction).reshape(2, *square.shape)
        products = self.products - apart - square / total
        return products, square * total_slope / total**2 - apart_slope - (cross + cross.T) / total

    def log_determinant(self, rho: np.ndarray) -> tuple[float, np.ndarray]:
        """Logarithm of the determinant of the system of lags, and its derivatives by both rhos."""
        from scipy.linalg.lapack import dgetrf, dgetri

        n = self.columns.shape[0]
        system = np.eye(n, order="F")
        system[self.links] = -rho @ self.weights
        # One factorisation serves the determinant and the inverse.
        factors, pivots, _ = dgetrf(system, overwrite_a=True)
        value = np.log(np.abs(np.diagonal(factors))).sum()
        inverse, _ = dgetri(factors, pivots, lwork=_BLOCK * n, overwrite_lu=True)
        return value, -self.weights @ inverse.T[self.links]

    def loglik(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood with the coefficients and sigma2 chosen, and its derivatives."""
        rho, share = values[:2], values[2]
        ratio = share / (1 - share)
        periods, m = self.columns.shape[1], self.size
        products, slope = self.weighed(ratio)
        lead = np.concatenate([[1.0], -rho])
        chosen = np.linalg.solve(products[3:, 3:], products[3:, :3] @ lead)
        weights = np.concatenate([lead, -chosen])
        moved = products @ weights
        squares = float(weights @ moved)
        determinant, determinant_slope = self.log_determinant(rho)
        value = -m / 2 * (np.log(2 * np.pi * squares / m) + 1) + periods * determinant
        value -= periods / 2 * np.log1p(ratio * self.sizes).sum()
        by_rho = m / squares * moved[1:3] + periods * determinant_slope
        by_ratio = -m / 2 * (weights @ slope @ weights) / squares
        by_ratio -= periods / 2 * (self.sizes / (1 + ratio * self.sizes)).sum()
        return value, np.append(by_rho, by_ratio / (1 - share) ** 2)

    def curvature(self, values: np.ndarray) -> np.ndarray:
        """Second derivatives by differences of the first, of the rhos alone where the share is nil."""
        free = self._free(values)
        rows = []
        for k in free:
            step = np.zeros(3)
            step[k] = _STEP
            back = step if k < 2 or values[2] >= _STEP else 0 * step
            slopes = (self.loglik(values + step)[1] - self.loglik(values - back)[1])[free]
            rows.append(slopes / (step + back)[k])
        return (np.array(rows) + np.array(rows).T) / 2

    @staticmethod
    def _free(values: np.ndarray) -> np.ndarray:
        """Positions of the parameters that are not at a bound."""
        return np.arange(3 if values[2] > 0 else 2)

    def climb(self, start, shared: bool = True) -> tuple[float, np.ndarray]:
        """Return the greatest log-likelihood that is found from a start, and where it is.

        Raises
        ------
        InvalidInputError
            If it lies at the bounds of the rhos.
        """
        from scipy.optimize import minimize

        bounds = [(-_BOUND, _BOUND)] * 2 + [(0.0, _BOUND if shared else 0.0)]

        def negative(values: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self.loglik(values)
            return -value / self.size, -slope / self.size

        begin = np.array(start) * ([1, 1, 1] if shared else [1, 1, 0])
        found = minimize(negative, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
        if np.abs(found.x[:2]).max() >= _BOUND - 1e-6:
            raise InvalidInputError(
                f"no maximum of the likelihood inside the admissible values, last at {NAMES[0]} = {found.x[0]:.4f}, "
                f"{NAMES[1]} = {found.x[1]:.4f}: look whether both weights connect enough units"
            )
        return -found.fun * self.size, found.x

    def _polish(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the maximum near a point, by Newton steps with one matrix of second derivatives, and that matrix."""
        free, curvature = self._free(values), self.curvature(values)
        for _ in range(_NEWTON_STEPS):
            moved = values.copy()
            moved[free] -= np.linalg.solve(curvature, self.loglik(values)[1][free])
            if not (np.abs(moved[:2]).max() < 1 and 0 <= moved[2] < 1):
                break
            far = np.abs(moved - values).max()
            values = moved
            if far < _TOLERANCE:
                break
        return values, curvature

    def results(self) -> tuple[SharedShocksResult, SharedShocksResult]:
        """Estimate without shared shocks and with them.

        Raises
        ------
        InvalidInputError
            If a maximum lies at the bounds of the rhos.
        """
        plain = self.climb(_STARTS[1], shared=False)
        # With few jurisdictions lag and shocks may each have a hill of their own.
        found = max(plain, *(self.climb(start) for start in _STARTS), key=lambda pair: pair[0])
        settled = self._polish(plain[1])
        without = self.loglik(settled[0])[0]
        apart = self._set_out(*settled, without, without)
        if found is plain:
            return apart, apart
        best, curvature = self._polish(found[1])
        return apart, self._set_out(best, curvature, self.loglik(best)[0], without)

    def _set_out(self, best: np.ndarray, curvature: np.ndarray, loglik: float, without: float) -> SharedShocksResult:
        names, free = pd.Index([*NAMES, SHARE]), self._free(best)
        covariance = np.full((3, 3), np.nan)
        covariance[np.ix_(free, free)] = np.linalg.inv(-curvature)
        products, _ = self.weighed(best[2] / (1 - best[2]))
        lead = np.concatenate([[1.0], -best[:2]])
        chosen = np.linalg.solve(products[3:, 3:], products[3:, :3] @ lead)
        weights = np.concatenate([lead, -chosen])
        left = self.columns @ weights
        return SharedShocksResult(
            params=pd.Series(best, names, name="estimate"),
            std_errors=pd.Series(np.sqrt(np.diagonal(covariance)), names, name="std_error"),
            covariance=pd.DataFrame(covariance, names, names),
            coefficients=pd.Series(chosen, list(self.design.names)),
            rho_within=float(best[0]),
            rho_across=float(best[1]),
            shock_share=float(best[2]),
            sigma2=float(weights @ products @ weights / self.size),
            loglik=loglik,
            loglik_plain=without,
            n_units=self.columns.shape[0],
            n_periods=self.columns.shape[1],
            residuals=pd.Series(left.ravel(), self.design.index, name="residual"),
        )

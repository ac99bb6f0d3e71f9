r"""The concentrated log-likelihood of spatial models with a lag of y, of the error, or both (集中对数似然).

With :math:`A = I - \rho W`, :math:`B = I - \lambda W` and the effects taken out, :math:`B (A y - X \beta) = e`. Given
:math:`\rho, \lambda` the coefficients and the variance have closed forms, and

.. math:: \ell(\rho, \lambda) = -\tfrac{m}{2} (\ln 2 \pi + \ln \hat\sigma^2(\rho, \lambda) + 1)
          + \tau \left[\ln|A| + \ln|B| - d \ln(1 - \rho) - d \ln(1 - \lambda)\right],

with :math:`m` observations in :math:`\tau` periods; :math:`d = 1` where time effects are removed by transformation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clusterlib.core.within import demean
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import Design, spatial_lag
from clusterlib.spatial_panel._jacobians import EigenJacobian, InterpolatedJacobian

_GRID = 81
_GRID_BOTH = 41
_STEPS = 20
_PRECISION = 1e-10


@dataclass(frozen=True)
class Counting:
    """What the likelihood counts: observations, periods, and whether the unit eigenvalue of W is taken out."""

    observations: int
    periods: int
    deducted: bool

    @classmethod
    def of(cls, design: Design, transformed: bool) -> Counting:
        """Count a panel as it is, or after Lee and Yu's transformation has removed the effects."""
        n, periods = design.shape
        if not transformed:
            return cls(n * periods, periods, False)
        timed = design.effects in ("time", "twoway")
        periods -= design.effects in ("entity", "twoway")
        return cls((n - timed) * periods, periods, timed)


@dataclass(frozen=True)
class Moments:
    r"""Cross-products of :math:`V = (e_0, e_1, Q)` and of their spatial lags.

    Q is an orthonormal basis of the regressors, :math:`e_0, e_1` are what it leaves of y and Wy. The filtered
    variables' cross-products are a quadratic in lambda, so that no evaluation of the likelihood passes over the data.
    """

    plain: np.ndarray
    mixed: np.ndarray
    lagged: np.ndarray
    basis: np.ndarray = field(repr=False)
    triangle: np.ndarray = field(repr=False)
    offsets: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, design: Design, filtered: bool, again: bool) -> Moments:
        """Take the cross-products; ``again``: the effects of time are taken out of the lags once more."""
        basis, triangle = np.linalg.qr(design.flat(design.regressors))
        responses = np.column_stack([design.response.ravel(), design.lagged_response.ravel()])
        offsets = basis.T @ responses
        columns = np.column_stack([responses - basis @ offsets, basis])
        plain = columns.T @ columns
        if not filtered:
            none = np.zeros_like(plain)
            return cls(plain, none, none, basis, triangle, offsets)
        lags = spatial_lag(design.weights, columns.reshape(*design.shape, -1))
        lags = design.flat(demean(lags, "time") if again else lags)
        cross = columns.T @ lags
        return cls(plain, cross + cross.T, lags.T @ lags, basis, triangle, offsets)

    def at(self, lam) -> np.ndarray:
        """Cross-products of the variables filtered by lambda, for one or many values."""
        lam = np.asarray(lam)[..., None, None]
        return self.plain - lam * self.mixed + lam**2 * self.lagged

    def slope(self, lam: float) -> np.ndarray:
        """Derivative of ``at`` with respect to lambda."""
        return -self.mixed + 2 * lam * self.lagged


@dataclass(frozen=True)
class ConcentratedLikelihood:
    """Log-likelihood as a function of rho and lambda alone."""

    moments: Moments
    jacobian: EigenJacobian | InterpolatedJacobian | None
    counting: Counting

    def profile(self, lam) -> np.ndarray:
        """Cross-products of e0 and e1, filtered by lambda, that the filtered regressors leave."""
        whole = self.moments.at(lam)
        left, across, right = whole[..., :2, :2], whole[..., :2, 2:], whole[..., 2:, 2:]
        return left - across @ np.linalg.solve(right, np.swapaxes(across, -1, -2))

    def _adjusted(self, value) -> np.ndarray:
        """Jacobian of one period, without the unit eigenvalue where that is taken out."""
        value = np.asarray(value, dtype=float)
        if not value.any():
            return np.zeros(value.shape)
        taken = np.log(1 - value) if self.counting.deducted else 0.0
        return self.jacobian.log_determinant(value) - taken

    def _slope(self, value: float) -> float:
        """Derivative of ``_adjusted``."""
        return float(-self.jacobian.trace(value) + (1 / (1 - value) if self.counting.deducted else 0.0))

    def values(self, rhos: np.ndarray, lams: np.ndarray) -> np.ndarray:
        """Log-likelihood at each pair, shape (rhos, lams)."""
        left = self.profile(lams)
        rho = np.asarray(rhos)[:, None]
        squares = left[:, 0, 0] - 2 * rho * left[:, 0, 1] + rho**2 * left[:, 1, 1]
        m = self.counting.observations
        fit = -m / 2 * (np.log(2 * np.pi) + np.log(squares / m) + 1)
        return fit + self.counting.periods * (self._adjusted(rho) + self._adjusted(lams))

    def value(self, rho: float, lam: float) -> float:
        """Log-likelihood at one pair."""
        return float(self.values(np.array([rho]), np.array([lam]))[0, 0])

    def combination(self, rho: float, lam: float) -> np.ndarray:
        """Weights of e0, e1 and Q in the unfiltered residual: 1, -rho and minus the coefficients of Q."""
        whole = self.moments.at(lam)
        head = np.array([1.0, -rho])
        return np.concatenate([head, -np.linalg.solve(whole[2:, 2:], whole[2:, :2] @ head)])

    def score(self, rho: float, lam: float, free: tuple[str, ...]) -> np.ndarray:
        """Derivatives with respect to the free parameters."""
        if free == ("rho",):
            return np.array([self._score_of_lag(rho)])
        weights = self.combination(rho, lam)
        whole = self.moments.at(lam)
        scale = -self.counting.observations / 2 / (weights @ whole @ weights)
        slopes = {}
        if "rho" in free:
            slopes["rho"] = -2 * scale * (weights @ whole[:, 1]) + self.counting.periods * self._slope(rho)
        if "lam" in free:
            slope = weights @ self.moments.slope(lam) @ weights
            slopes["lam"] = scale * slope + self.counting.periods * self._slope(lam)
        return np.array([slopes[name] for name in free])

    @cached_property
    def _unfiltered(self) -> list[float]:
        left = self.profile(0.0)
        return [float(left[place]) for place in ((0, 0), (0, 1), (1, 1))]

    def _score_of_lag(self, rho: float) -> float:
        """Derivative with respect to rho where lambda is nil, and what the regressors leave is the same at any rho."""
        own, across, lagged = self._unfiltered
        squares = own - 2 * rho * across + rho**2 * lagged
        fit = self.counting.observations * (across - rho * lagged) / squares
        return fit + self.counting.periods * self._slope(rho)

    def maximise(self, free: tuple[str, ...]) -> dict[str, float]:
        """Return rho and lambda at the highest log-likelihood; those that are not free are zero.

        Raises
        ------
        InvalidInputError
            If the likelihood rises up to the end of the admissible interval.
        """
        found = {"rho": 0.0, "lam": 0.0}
        if not free:
            return found
        start, step = self._start(free)
        refine = self._refine_one if len(free) == 1 else self._refine_both
        return found | dict(zip(free, map(float, refine(free, start, step)), strict=True))

    def _start(self, free: tuple[str, ...]) -> tuple[np.ndarray, float]:
        """Return the best inner point of a grid and its step, the grid being wider if a narrower one has none."""
        for interval in self.jacobian.intervals:
            grid = np.linspace(*interval, _GRID if len(free) == 1 else _GRID_BOTH)
            axes = [grid if name in free else np.zeros(1) for name in ("rho", "lam")]
            best = np.unravel_index(np.argmax(self.values(*axes)), tuple(map(len, axes)))
            places = [place for place, axis in zip(best, axes, strict=True) if len(axis) > 1]
            edges = [name for name, place in zip(free, places, strict=True) if place in (0, len(grid) - 1)]
            if not edges:
                return grid[places], grid[1] - grid[0]
        raise InvalidInputError(
            f"the likelihood rises up to the end of the admissible interval of {' and '.join(edges)}, "
            f"{interval[0]:.4f} to {interval[1]:.4f}: look for a unit that its neighbours explain altogether, or for a "
            "variable that is missing from x"
        )

    def _point(self, free: tuple[str, ...], values) -> dict[str, float]:
        return {"rho": 0.0, "lam": 0.0} | dict(zip(free, map(float, np.atleast_1d(values)), strict=True))

    def _refine_one(self, free: tuple[str, ...], start: np.ndarray, step: float) -> np.ndarray:
        """Return the root of the score between the neighbours on the grid, by Brent's method."""
        from scipy.optimize import brentq, minimize_scalar

        def slope(value: float) -> float:
            return self.score(**self._point(free, value), free=free)[0]

        low, high = start[0] - step, start[0] + step
        if not slope(low) > 0 > slope(high):
            # More than one peak between them: the highest is found by value first.
            peak = minimize_scalar(lambda value: -self.value(**self._point(free, value)), bounds=(low, high)).x
            low, high = peak - 1e-2 * step, peak + 1e-2 * step
        return np.array([brentq(slope, low, high, xtol=1e-14, rtol=1e-14)])

    def _refine_both(self, free: tuple[str, ...], start: np.ndarray, step: float) -> np.ndarray:
        """Quasi-Newton steps from the best point of the grid, then the root of the score."""
        from scipy.optimize import minimize, root

        def falling(values: np.ndarray) -> tuple[float, np.ndarray]:
            point = self._point(free, values)
            return -self.value(**point), -self.score(**point, free=free)

        bounds = [self.jacobian.interval] * 2
        near = minimize(falling, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14}).x
        solved = root(lambda values: self.score(**self._point(free, values), free=free), near, tol=1e-12)
        return solved.x if np.abs(solved.x - near).max() < 0.05 * step else near


@dataclass(frozen=True)
class SampleProfiles:
    """The concentrated likelihood in rho of many samples at once, which have the regressors and weights in common."""

    jacobian: EigenJacobian | InterpolatedJacobian
    counting: Counting

    def maximise(self, own: np.ndarray, across: np.ndarray, lagged: np.ndarray) -> np.ndarray:
        r"""Return rho at the maximum of each sample (各样本的空间自回归系数).

        The best inner point of a grid, then Newton's steps, none of them further than the grid's neighbours.

        Parameters
        ----------
        own, across, lagged : ndarray, shape (samples,)
            :math:`a, b, c` in :math:`e'e = a - 2 \rho b + \rho^2 c`: products of what the regressors leave of y with
            itself and with what they leave of Wy, and of the latter with itself.
        """
        rho, step = self._start(own, across, lagged)
        low, high = rho - step, rho + step
        m, periods, taken = self.counting.observations, self.counting.periods, float(self.counting.deducted)
        for _ in range(_STEPS):
            square, slope = own - 2 * rho * across + rho**2 * lagged, across - rho * lagged
            trace, trace_of_square = self.jacobian.traces(rho)
            first = m * slope / square + periods * (taken / (1 - rho) - trace)
            second = m * (2 * slope**2 / square - lagged) / square
            second += periods * (taken / (1 - rho) ** 2 - trace_of_square)
            # Where the likelihood is not concave Newton's step would lead to a minimum.
            move = np.where(second < 0, first / np.abs(second), np.sign(first) * (high - low) / 8)
            rho, before = np.clip(rho + move, low, high), rho
            if np.abs(rho - before).max() < _PRECISION:
                break
        return rho

    def _start(self, own: np.ndarray, across: np.ndarray, lagged: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the best inner point of a grid and its step, the grid being wider if a narrower one has none."""
        products = np.column_stack([own, -2 * across, lagged])
        for interval in self.jacobian.intervals:
            grid = np.linspace(*interval, _GRID)[1:-1]
            taken = np.log(1 - grid) if self.counting.deducted else 0.0
            share = 2 * self.counting.periods / self.counting.observations
            # The likelihood's exponential, so that no logarithm is taken of every sample at every point.
            scale = np.exp(-share * (self.jacobian.log_determinant(grid) - taken))
            best = np.argmin(products @ (np.vander(grid, 3, increasing=True).T * scale), axis=1)
            if best.min() > 0 and best.max() < len(grid) - 1:
                break
        return grid[best], grid[1] - grid[0]

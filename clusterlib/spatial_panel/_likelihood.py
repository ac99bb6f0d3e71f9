r"""The concentrated log-likelihood of spatial models with a lag of y, of the error, or both (集中对数似然).

With :math:`A = I - \rho W`, :math:`B = I - \lambda W` and the effects taken out, :math:`B (A y - X \beta) = e`. Given
:math:`\rho, \lambda` the coefficients and the variance have closed forms, and

.. math:: \ell(\rho, \lambda) = -\tfrac{m}{2} (\ln 2 \pi + \ln \hat\sigma^2(\rho, \lambda) + 1)
          + \tau \left[\ln|A| + \ln|B| - d \ln(1 - \rho) - d \ln(1 - \lambda)\right],

with :math:`m` observations in :math:`\tau` periods; :math:`d = 1` where time effects are removed by transformation.

The expected information (信息矩阵), with :math:`G = W (I - \rho W)^{-1}`, :math:`H = W (I - \lambda W)^{-1}` and the
filtered regressors :math:`X_B = B X`:

.. math::
    I_{\beta\beta} = X_B' X_B / \sigma^2, \quad I_{\beta\rho} = X_B' B G X \beta / \sigma^2, \quad
    I_{\rho\rho} = \tau \operatorname{tr}(G^2 + G'G) + \|B G X \beta\|^2 / \sigma^2,

.. math::
    I_{\lambda\lambda} = \tau \operatorname{tr}(H^2 + H'H), \quad I_{\rho\lambda} = \tau \operatorname{tr}(GH + G'H),
    \quad I_{\rho\sigma^2} = \tau \operatorname{tr} G / \sigma^2, \quad
    I_{\lambda\sigma^2} = \tau \operatorname{tr} H / \sigma^2, \quad I_{\sigma^2\sigma^2} = m / 2 \sigma^4.

After Lee and Yu's transformation G and H are replaced by :math:`J G J` and :math:`J H J`, :math:`J = I - 11'/n`. X is
demeaned; where weights are not row-standardised, effects of time do not drop out of
:math:`G (X \beta + \alpha_t 1)` and are kept in it.

References
----------
Anselin, L. (1988). Spatial Econometrics: Methods and Models, section 6.2. Kluwer. Lee, L.-F. and Yu, J. (2010).
Estimation of spatial autoregressive panel data models with fixed effects. Journal of Econometrics 154, 165-185.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterlib.core.within import demean
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import PARAMETERS, Design, spatial_lag
from clusterlib.spatial_panel._jacobians import Jacobian

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

EXACT_UNITS = 2_000
_BLOCK = 512
_PROBED = 1_500_000
_FEWEST = 100
_GRID = 81
_GRID_BOTH = 41
_STEPS = 20
_PRECISION = 1e-10
# What the log-likelihood must vary by over the middle of the grid, away from the noise at its ends.
_LEVEL = 1e-6


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
        periods -= design.effects in ("entity", "twoway")
        return cls((n - design.timed) * periods, periods, design.timed)


@dataclass(frozen=True)
class Point:
    """Rho, lambda, the coefficients in the orthonormal basis, and the variance."""

    rho: float
    lam: float
    basis_coefficients: np.ndarray = field(repr=False)
    sigma2: float

    def spatial(self, free: tuple[str, ...]) -> tuple[float, ...]:
        """Return the free spatial parameters."""
        return tuple({"rho": self.rho, "lam": self.lam}[name] for name in free)


def lags_within(design: Design, values: np.ndarray, again: bool) -> np.ndarray:
    """Return spatial lags, from which the effects of time are taken once more if ``again``."""
    lags = spatial_lag(design.weights, values)
    return demean(lags, "time") if again else lags


@dataclass(frozen=True)
class Moments:
    r"""Cross-products of :math:`V = (e_0, e_1, Q)` and of their spatial lags.

    Q is an orthonormal basis of the regressors, :math:`e_0, e_1` are what it leaves of y and Wy. The filtered
    variables' cross-products are a quadratic in lambda, so that no evaluation of the likelihood passes over the data.
    """

    plain: np.ndarray
    mixed: np.ndarray
    lagged: np.ndarray
    offsets: np.ndarray = field(repr=False)
    again: bool

    @classmethod
    def of(cls, design: Design, filtered: bool, again: bool) -> Moments:
        """Take the cross-products; ``again``: the effects of time are taken out of the lags once more."""
        responses = np.column_stack([design.response.ravel(), design.lagged_response.ravel()])
        offsets = design.basis.T @ responses
        columns = np.column_stack([responses - design.basis @ offsets, design.basis])
        plain = columns.T @ columns
        if not filtered:
            none = np.zeros_like(plain)
            return cls(plain, none, none, offsets, again)
        lags = design.flat(lags_within(design, columns.reshape(*design.shape, -1), again))
        cross = columns.T @ lags
        return cls(plain, cross + cross.T, lags.T @ lags, offsets, again)

    def at(self, lam: ArrayLike) -> np.ndarray:
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
    jacobian: Jacobian
    counting: Counting

    def profile(self, lam: ArrayLike) -> np.ndarray:
        """Cross-products of e0 and e1, filtered by lambda, that the filtered regressors leave."""
        whole = self.moments.at(lam)
        left, across, right = whole[..., :2, :2], whole[..., :2, 2:], whole[..., 2:, 2:]
        return left - across @ np.linalg.solve(right, np.swapaxes(across, -1, -2))

    def adjusted(self, value: ArrayLike) -> np.ndarray:
        """Return the Jacobian of one period, without the unit eigenvalue where that is taken out."""
        value = np.asarray(value, dtype=float)
        if not value.any():
            return np.zeros(value.shape)
        taken = np.log(1 - value) if self.counting.deducted else 0.0
        return self.jacobian.log_determinant(value) - taken

    def _slope(self, value: float) -> float:
        """Derivative of ``adjusted``."""
        return float(-self.jacobian.trace(value) + (1 / (1 - value) if self.counting.deducted else 0.0))

    def values(self, rhos: np.ndarray, lams: np.ndarray) -> np.ndarray:
        """Log-likelihood at each pair, shape (rhos, lams)."""
        left = self.profile(lams)
        rho = np.asarray(rhos)[:, None]
        squares = left[:, 0, 0] - 2 * rho * left[:, 0, 1] + rho**2 * left[:, 1, 1]
        m = self.counting.observations
        fit = -m / 2 * (np.log(2 * np.pi) + np.log(squares / m) + 1)
        return fit + self.counting.periods * (self.adjusted(rho) + self.adjusted(lams))

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

    def fit(self, free: tuple[str, ...]) -> Point:
        """Return the estimates where the log-likelihood is highest; rho and lambda that are not free are zero.

        Raises
        ------
        InvalidInputError
            If the likelihood rises up to the end of the admissible interval, or is the same over all of it.
        """
        found = {"rho": 0.0, "lam": 0.0}
        if free:
            start, step = self._start(free)
            refine = self._refine_one if len(free) == 1 else self._refine_both
            found |= dict(zip(free, map(float, refine(free, start, step)), strict=True))
        weights = self.combination(**found)
        squares = weights @ self.moments.at(found["lam"]) @ weights
        coefficients = self.moments.offsets @ np.array([1.0, -found["rho"]]) - weights[2:]
        return Point(**found, basis_coefficients=coefficients, sigma2=float(squares / self.counting.observations))

    def _start(self, free: tuple[str, ...]) -> tuple[np.ndarray, float]:
        """Return the best inner point of a grid and its step, the grid being wider if a narrower one has none."""
        edges, interval = [], (0.0, 0.0)
        for interval in self.jacobian.intervals:
            grid = np.linspace(*interval, _GRID if len(free) == 1 else _GRID_BOTH)
            axes = [grid if name in free else np.zeros(1) for name in PARAMETERS]
            values = self.values(*axes)
            middle = tuple(slice(len(axis) // 4, len(axis) - len(axis) // 4) for axis in axes)
            if np.ptp(values[middle]) < _LEVEL:
                raise InvalidInputError(
                    f"the likelihood is the same at every {' and '.join(free)}: with these weights and effects nothing "
                    "can be told of it, as where every unit is the same neighbour of all others"
                )
            best = np.unravel_index(np.argmax(values), values.shape)
            places = [place for place, axis in zip(best, axes, strict=True) if len(axis) > 1]
            edges = [name for name, place in zip(free, places, strict=True) if place in (0, len(grid) - 1)]
            if not edges:
                return grid[places], grid[1] - grid[0]
        raise InvalidInputError(
            f"the likelihood rises up to the end of the admissible interval of {' and '.join(edges)}, "
            f"{interval[0]:.4f} to {interval[1]:.4f}: look for a unit that its neighbours explain altogether, or for a "
            "variable that is missing from x"
        )

    def _point(self, free: tuple[str, ...], values: ArrayLike) -> dict[str, float]:
        return {"rho": 0.0, "lam": 0.0} | dict(zip(free, map(float, np.atleast_1d(values)), strict=True))

    def _refine_one(self, free: tuple[str, ...], start: np.ndarray, step: float) -> np.ndarray:
        """Return the root of the score between the neighbours on the grid, by Brent's method."""
        from scipy.optimize import brentq, minimize_scalar

        def slope(value: float) -> float:
            return self.score(**self._point(free, value), free=free)[0]

        low, high = start[0] - step, start[0] + step
        if not slope(low) > 0 > slope(high):
            # More than one peak between them: the highest is found by value first.
            peak: Any = minimize_scalar(lambda value: -self.value(**self._point(free, value)), bounds=(low, high))
            low, high = peak.x - 1e-2 * step, peak.x + 1e-2 * step
            if not slope(low) > 0 > slope(high):
                return np.array([peak.x])
        return np.array([brentq(slope, low, high, xtol=1e-14, rtol=np.float64(1e-14))])

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

    jacobian: Jacobian
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


def invert_information(information: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    """Return the covariance by the information in which the regressors' basis, with this triangle, comes first."""
    scale = 1 / np.sqrt(np.diagonal(information))
    inverse = np.linalg.inv(information * np.outer(scale, scale)) * np.outer(scale, scale)
    turn = np.eye(len(inverse))
    turn[: len(triangle), : len(triangle)] = np.linalg.inv(triangle)
    return turn @ inverse @ turn.T


def gram_traces(jacobian: Jacobian, values: tuple[float, ...], products: np.ndarray) -> np.ndarray:
    r"""Return :math:`\operatorname{tr} G_a' G_b` for :math:`G_a = W (I - \rho_a W)^{-1}` at each pair of values.

    Exact by LU up to 2,000 units. Beyond, with :math:`m = \max(100, 1\,500\,000 / n)` vectors z of random signs
    (seed 0) and the known :math:`\operatorname{tr} G_a G_b` as control variate,

    .. math:: \operatorname{tr} G_a' G_b \approx \operatorname{tr} G_a G_b
              + \tfrac{1}{m} \sum_z z' (G_a' G_b - G_a G_b) z.

    With 3,000 units and six neighbours the standard error of rho is then right to about 0.05 %.

    Parameters
    ----------
    jacobian : Jacobian
    values : tuple of float
    products : ndarray, shape (values, values)
        :math:`\operatorname{tr} G_a G_b`.

    References
    ----------
    Hutchinson, M. F. (1990). Communications in Statistics - Simulation and Computation 19, 433-450.
    """
    w = jacobian.weights.matrix
    n = len(jacobian.weights.units)
    factors = [jacobian.system.factor(value) for value in values]
    if n <= EXACT_UNITS:
        total = np.zeros_like(products)
        for start in range(0, n, _BLOCK):
            block = np.eye(n, min(_BLOCK, n - start), -start)
            lags = np.stack([w @ factor.solve(block) for factor in factors])
            total += np.einsum("aij,bij->ab", lags, lags)
        return total
    count = max(_FEWEST, _PROBED // n)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (n, count))
    lags = np.stack([w @ factor.solve(signs) for factor in factors])
    turned = np.stack([factor.solve(w.T @ signs, transposed=True) for factor in factors])
    return products + np.einsum("aij,bij->ab", lags - turned, lags) / count


def cross_trace(jacobian: Jacobian, rho: float, lam: float) -> float:
    r"""Return :math:`\operatorname{tr} G H`, by :math:`(G - H) = (\rho - \lambda) G H`."""
    gap = rho - lam
    if abs(gap) < 1e-4:
        return float(jacobian.trace((rho + lam) / 2, 2))
    return float((jacobian.trace(rho) - jacobian.trace(lam)) / gap)


@dataclass(frozen=True)
class Information:
    """Assembles the information of one set of estimates."""

    design: Design
    likelihood: ConcentratedLikelihood
    free: tuple[str, ...]

    def covariance(self, at: Point) -> np.ndarray:
        """Return the covariance of the coefficients, the free spatial parameters and the variance, in that order."""
        moments, counting = self.likelihood.moments, self.likelihood.counting
        k, spatial = len(at.basis_coefficients), len(self.free)
        information = np.zeros((k + spatial + 1, k + spatial + 1))
        information[:k, :k] = moments.at(at.lam)[2:, 2:] / at.sigma2
        information[-1, -1] = counting.observations / 2 / at.sigma2**2
        if spatial:
            traces, mixed = self._traces(at)
            information[k:-1, k:-1] = counting.periods * mixed
            information[k:-1, -1] = information[-1, k:-1] = counting.periods * traces / at.sigma2
        if "rho" in self.free:
            cross, square = self._mean_part(at)
            information[:k, k] = information[k, :k] = cross / at.sigma2
            information[k, k] += square / at.sigma2
        return invert_information(information, self.design.triangle)

    def _traces(self, at: Point) -> tuple[np.ndarray, np.ndarray]:
        """Traces of G and H, and of their products with themselves, each other and their transposes."""
        jacobian = self.likelihood.jacobian
        values = at.spatial(self.free)
        single = np.array([float(jacobian.trace(value)) for value in values])
        products = np.array([[cross_trace(jacobian, a, b) for b in values] for a in values])
        grams = gram_traces(jacobian, values, products)
        if self.likelihood.counting.deducted:
            unit = 1 / (1 - np.array(values))
            ends = jacobian.weights.matrix.T @ np.ones(self.design.shape[0])
            # Column sums of G and H.
            sums = np.stack([jacobian.system.factor(value).solve(ends, transposed=True) for value in values])
            single = single - unit
            products = products - np.outer(unit, unit)
            grams = grams - sums @ sums.T / len(ends)
        return single, products + grams

    def _mean_part(self, at: Point) -> tuple[np.ndarray, float]:
        """Products of the mean of BWy with the filtered basis, and its square."""
        design = self.design
        basis = design.basis.reshape(*design.shape, -1)
        mean = basis @ at.basis_coefficients
        again, solve = self.likelihood.moments.again, self.likelihood.jacobian.system.factor(at.rho).solve
        if design.timed and not design.weights.row_standardised:
            # Wy less what the errors put into it, since G turns effects of periods into something else than such.
            error = design.response - at.rho * design.lagged_response - mean
            lagged = design.lagged_response - lags_within(design, solve(error), True)
        else:
            lagged = lags_within(design, solve(mean), again)
        if at.lam:
            lagged, basis = (values - at.lam * lags_within(design, values, again) for values in (lagged, basis))
        return design.flat(basis).T @ lagged.ravel(), float((lagged**2).sum())

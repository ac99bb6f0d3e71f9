"""Likelihood of stochastic frontiers with its gradient, and what it says of each unit's inefficiency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))


def log_scaled_normal(m: np.ndarray) -> np.ndarray:
    r"""Return :math:`\ln \Phi(m) + m^2/2` without loss far in the lower tail."""
    from scipy.special import erfcx, log_ndtr

    low = np.minimum(m, 0.0)
    return np.where(m < 0, np.log(erfcx(-low / np.sqrt(2)) / 2), log_ndtr(m) + m**2 / 2)


def mean_of_truncated(m: np.ndarray) -> np.ndarray:
    r"""Return :math:`m + \phi(m)/\Phi(m)`: the mean of :math:`N(m, 1)` above zero, the derivative of the above."""
    from scipy.special import erfcx, log_ndtr

    below = np.sqrt(2 / np.pi) / erfcx(-np.minimum(m, 0.0) / np.sqrt(2))
    return m + np.where(m < 0, below, np.exp(-(m**2) / 2 - LOG_2PI / 2 - log_ndtr(m)))


@dataclass(frozen=True)
class Posterior:
    """Inefficiency given the residuals: of each unit normal above zero, times ``h`` in each row."""

    deviation: np.ndarray
    standardised: np.ndarray
    h: np.ndarray
    unit: np.ndarray

    def inefficiency(self) -> np.ndarray:
        """Return E[u | e] by row (Jondrow, Lovell, Materov and Schmidt)."""
        return self.h * (self.deviation * mean_of_truncated(self.standardised))[self.unit]

    def efficiency(self) -> np.ndarray:
        """Return E[exp(-u) | e] by row (Battese and Coelli)."""
        m, spread = self.standardised[self.unit], self.h * self.deviation[self.unit]
        return np.exp(log_scaled_normal(m - spread) - log_scaled_normal(m))

    def quantile(self, probability: float) -> np.ndarray:
        """Return the quantile of u given the residuals by row (Horrace and Schmidt)."""
        from scipy.special import log_ndtr, ndtri_exp

        m = self.standardised
        return self.h * (self.deviation * (m - ndtri_exp(np.log1p(-probability) + log_ndtr(m))))[self.unit]


class Likelihood:
    r"""Log-likelihood of :math:`y_{it} = x_{it}'\beta + v_{it} - s h_{it} u_i`.

    :math:`h_{it} = e^{-\eta \tau_{it}}` with the time :math:`\tau` since the last period, negative before it. The
    parameters are :math:`\beta, \ln\sigma_v, \ln\sigma_u`, then :math:`\mu` of a truncated normal, then :math:`\eta`
    of a decay. Given the residuals, :math:`u_i` is :math:`N(M/P, 1/P)` above zero, whichever of the three it is.
    """

    def __init__(self, y, X, unit, elapsed, sign: int, distribution: str) -> None:
        self.y, self.X, self.unit, self.elapsed = y, X, unit, elapsed
        self.sign, self.distribution = sign, distribution
        self.counts = np.bincount(unit)
        self.slopes = X.shape[1]
        self.truncated = distribution == "truncated-normal"
        self.size = self.slopes + 2 + self.truncated + (elapsed is not None)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.unit, values)

    def _split(self, theta: np.ndarray):
        k = self.slopes
        mu = theta[k + 2] if self.truncated else 0.0
        h = np.ones(len(self.y)) if self.elapsed is None else np.exp(-theta[-1] * self.elapsed)
        return theta[:k], np.exp(theta[k]), np.exp(theta[k + 1]), mu, h

    def _moments(self, theta: np.ndarray):
        beta, sv, su, mu, h = self._split(theta)
        e = self.y - self.X @ beta
        own, cross = self._sum(h * h), self._sum(h * e)
        if self.distribution == "exponential":
            precision, shift = own / sv**2, -self.sign * cross / sv**2 - 1 / su
        else:
            precision, shift = own / sv**2 + 1 / su**2, -self.sign * cross / sv**2 + mu / su**2
        return e, h, own, cross, precision, shift

    def posterior(self, theta: np.ndarray, scale: float = 1.0) -> Posterior:
        """Return the distribution of each unit's inefficiency, times ``scale``."""
        _, h, _, _, precision, shift = self._moments(theta)
        deviation = precision**-0.5
        return Posterior(scale * deviation, shift * deviation, h, self.unit)

    def value(self, theta: np.ndarray) -> float:
        """Return the log-likelihood."""
        _, sv, su, mu, _ = self._split(theta)
        e, _, _, _, precision, shift = self._moments(theta)
        units = len(self.counts)
        prior = -LOG_2PI / 2 if self.distribution == "exponential" else log_scaled_normal(np.array(mu / su))
        total = log_scaled_normal(shift * precision**-0.5).sum() - 0.5 * np.log(precision).sum()
        total -= len(e) * (LOG_2PI / 2 + np.log(sv)) + units * (np.log(su) + prior)
        return float(total - 0.5 * (e @ e) / sv**2)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """Return the derivatives of the log-likelihood."""
        _, sv, su, mu, _ = self._split(theta)
        e, h, own, cross, precision, shift = self._moments(theta)
        deviation, mean = precision**-0.5, shift / precision
        weight = deviation * mean_of_truncated(shift * deviation)
        units = len(self.counts)

        def chain(d_precision, d_shift) -> float:
            return float((-0.5 * d_precision / precision + weight * (d_shift - 0.5 * mean * d_precision)).sum())

        parts = list(self.X.T @ (e + self.sign * weight[self.unit] * h) / sv**2)
        parts.append(chain(-2 * own / sv**2, 2 * self.sign * cross / sv**2) - len(e) + (e @ e) / sv**2)
        if self.distribution == "exponential":
            parts.append(chain(0.0, np.full(units, 1 / su)) - units)
        else:
            prior = float(mean_of_truncated(np.array(mu / su)))
            parts.append(chain(-2 / su**2, -2 * mu / su**2) + units * (prior * mu / su - 1))
            if self.truncated:
                parts.append(chain(0.0, 1 / su**2) - units * prior / su)
        if self.elapsed is not None:
            d_own = -2 * self._sum(self.elapsed * h * h)
            d_cross = -self._sum(self.elapsed * h * e)
            parts.append(chain(d_own / sv**2, -self.sign * d_cross / sv**2))
        return np.array(parts)

    def hessian(self, theta: np.ndarray, step: float = 1e-5) -> np.ndarray:
        """Return central differences of the gradient, symmetric."""
        columns = []
        for k in range(len(theta)):
            shift = np.zeros(len(theta))
            shift[k] = step
            columns.append((self.gradient(theta + shift) - self.gradient(theta - shift)) / (2 * step))
        matrix = np.array(columns)
        return (matrix + matrix.T) / 2

"""Maximum of a frontier's likelihood: starting values by corrected least squares, search, Newton steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clusterlib.efficiency._frontier_likelihood import LOG_2PI, Likelihood

# Twice the gain in log-likelihood over least squares below which there is no inefficiency to be seen.
NO_GAIN = 1e-6
# Where the mean of the normal lies this many deviations below zero, what is left above zero is exponential.
EXPONENTIAL_LIMIT = -8.0
# Ratio of the deviations below which the likelihood is taken to grow towards a frontier without noise.
NO_NOISE = 1e-3
STARTS = 3


@dataclass(frozen=True)
class LeastSquares:
    """The model without inefficiency."""

    beta: np.ndarray
    residuals: np.ndarray
    loglike: float
    skewness: float


def least_squares(y: np.ndarray, X: np.ndarray) -> LeastSquares:
    """Fit the model without inefficiency by maximum likelihood."""
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    residuals = y - X @ beta
    variance = float((residuals**2).mean())
    loglike = -0.5 * len(y) * (LOG_2PI + np.log(variance) + 1)
    return LeastSquares(beta, residuals, loglike, float((residuals**3).mean() / variance**1.5))


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is greatest: the parameters of :class:`Likelihood`, their covariance, and how it went."""

    theta: np.ndarray
    covariance: np.ndarray
    loglike: float
    boundary: bool
    converged: bool
    message: str


def _starts(ols: LeastSquares, likelihood: Likelihood) -> list[np.ndarray]:
    """Corrected least squares: inefficiency gets a share of the residuals' variance, the constant moves by its mean.

    The first share is that of the third moment where its sign allows, the others a grid.
    """
    exponential = likelihood.distribution == "exponential"
    moment2, moment3 = float((ols.residuals**2).mean()), -likelihood.sign * float((ols.residuals**3).mean())
    third = 2.0 if exponential else np.sqrt(2 / np.pi) * (4 / np.pi - 1)
    second, first = (1.0, 1.0) if exponential else (1 - 2 / np.pi, np.sqrt(2 / np.pi))
    share = second * (max(moment3, 0.0) / third) ** (2 / 3) / moment2
    shares = [share] if 0 < share < 1 else []
    starts = []
    for share in [*shares, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95]:
        sigma_u = np.sqrt(share * moment2 / second)
        beta = ols.beta.copy()
        beta[0] += likelihood.sign * first * sigma_u
        base = [*beta, 0.5 * np.log((1 - share) * moment2), np.log(sigma_u)]
        for ratio in (-3.0, -1.0, 0.0, 1.0) if likelihood.truncated else (None,):
            extra = [] if ratio is None else [ratio * sigma_u]
            starts.append(np.array(base + extra + ([0.0] if likelihood.elapsed is not None else [])))
    return starts


def _newton(likelihood: Likelihood, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Step to where the gradient is nil; return that point, the Hessian, and whether it is a regular maximum."""
    for _ in range(25):
        gradient, hessian = likelihood.gradient(theta), likelihood.hessian(theta)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0:
            return theta, hessian, False
        step = -np.linalg.solve(hessian, gradient)
        # Half the Newton decrement is the gain in log-likelihood that the step promises.
        if gradient @ step < 1e-16 * len(likelihood.y):
            return theta + step, hessian, True
        while likelihood.value(theta + step) < likelihood.value(theta) - 1e-10 and np.abs(step).max() > 1e-12:
            step = step / 2
        theta = theta + step
    return theta, likelihood.hessian(theta), False


def _search(likelihood: Likelihood, start: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, gradient = likelihood.value(theta), likelihood.gradient(theta)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e100, np.zeros(len(theta))
        return -value, -gradient

    # Newton's steps do the rest: near the boundary a finer tolerance costs hundreds of steps and gains nothing.
    return minimize(loss, start, jac=True, method="BFGS", options={"maxiter": 1000, "gtol": 1e-4}).x


def maximise(likelihood: Likelihood) -> tuple[Maximum, LeastSquares]:
    """Maximise from the best of the starting values; without a gain over least squares there is no inefficiency."""
    ols = least_squares(likelihood.y, likelihood.X)
    starts = sorted(_starts(ols, likelihood), key=likelihood.value, reverse=True)[:STARTS]
    theta = max((_search(likelihood, start) for start in starts), key=likelihood.value)
    with np.errstate(all="ignore"):
        theta, hessian, regular = _newton(likelihood, theta)
        value = likelihood.value(theta)
    if not 2 * (value - ols.loglike) > NO_GAIN:
        return _no_inefficiency(likelihood, ols), ols
    result = Maximum(theta, np.full(hessian.shape, np.nan), value, False, regular, "a regular maximum was found")
    k = likelihood.slopes
    if likelihood.truncated and theta[k + 2] < EXPONENTIAL_LIMIT * np.exp(theta[k + 1]):
        message = "mu runs to minus infinity, where u is exponential: choose distribution='exponential'"
        return replace(result, converged=False, message=message), ols
    if theta[k] < theta[k + 1] + np.log(NO_NOISE):
        message = "gamma runs to one: the likelihood grows towards a frontier without noise"
        return replace(result, converged=False, message=message), ols
    if not regular:
        return replace(result, message="the search stopped where the likelihood has no regular maximum"), ols
    return replace(result, covariance=np.linalg.inv(-hessian)), ols


def _no_inefficiency(likelihood: Likelihood, ols: LeastSquares) -> Maximum:
    k = likelihood.slopes
    variance = float((ols.residuals**2).mean())
    theta = np.full(likelihood.size, np.nan)
    theta[:k], theta[k], theta[k + 1] = ols.beta, 0.5 * np.log(variance), -np.inf
    covariance = np.zeros((len(theta), len(theta)))
    covariance[:k, :k] = variance * np.linalg.inv(likelihood.X.T @ likelihood.X)
    covariance[k, k] = 1 / (2 * len(likelihood.y))
    covariance[k + 1 :], covariance[:, k + 1 :] = np.nan, np.nan
    wrong = likelihood.sign * ols.skewness >= 0
    reason = "residuals skewed the wrong way" if wrong else "no gain over least squares"
    return Maximum(theta, covariance, ols.loglike, True, False, f"no inefficiency: {reason}; these are least squares")

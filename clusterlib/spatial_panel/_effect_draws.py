r"""Direct, indirect and total impacts, and their spread over draws of the estimates (直接效应、间接效应与总效应)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel._jacobians import System

KINDS = ("direct", "indirect", "total")
PARTS = ("se", "z", "p", "lower", "upper")
_COLUMNS = pd.Index([*KINDS, *(f"{kind}_{part}" for kind in KINDS for part in PARTS)])
_IMPACTS = pd.Index(KINDS, name="impact")
_HEADS = pd.Index(["estimate", "std_error", "statistic", "p_value", "lower", "upper"])
_NODES = 32
_ROUNDS = 100


@dataclass(frozen=True)
class Impacts:
    """Impacts of each variable on y.

    Attributes
    ----------
    table : DataFrame
        By variable: ``direct``, ``indirect`` and ``total``, exact at the estimates, each followed over the draws by
        ``<column>_se`` (standard deviation), ``_z`` (estimate over it), ``_p`` (two-sided, normal), ``_lower`` and
        ``_upper`` (percentiles).
    draws, seed : int
    level : float
        Of the intervals.
    rejected : int
        Draws that were made again because they fell outside the admissible values of rho.
    """

    table: pd.DataFrame
    draws: int
    seed: int
    level: float
    rejected: int = field(default=0)

    def of(self, variable: str) -> pd.DataFrame:
        """Return estimate, standard error, z, p value and interval of one variable by kind of impact.

        Raises
        ------
        UnknownNameError
            For another variable.
        """
        if variable not in self.table.index:
            raise UnknownNameError("variable", variable, self.table.index)
        values = self.table.to_numpy()[self.table.index.get_loc(variable)]
        exact, spread = values[: len(KINDS)], values[len(KINDS) :].reshape(len(KINDS), -1)
        return pd.DataFrame(np.column_stack([exact, spread]), index=_IMPACTS, columns=_HEADS)

    def summary(self) -> pd.DataFrame:
        """Return estimate, standard error, z, p value and interval by variable and kind of impact."""
        parts = {
            kind: self.table[[kind, *(f"{kind}_{part}" for part in PARTS)]].set_axis(_HEADS, axis=1) for kind in KINDS
        }
        order = pd.MultiIndex.from_product([self.table.index, KINDS], names=["variable", "impact"])
        return pd.concat(parts, names=["impact", "variable"]).swaplevel().reindex(order)


def draw_normal(mean: np.ndarray, covariance: np.ndarray, draws: int, seed: int, admissible) -> tuple[np.ndarray, int]:
    """Draw from a normal distribution until enough draws are admissible, and count those that were not.

    Raises
    ------
    InvalidInputError
        For fewer than two draws, or estimates so vague that hardly a draw is admissible.
    """
    if draws < 2:
        raise InvalidInputError(f"draws={draws}: a spread takes two draws or more")
    scale = np.sqrt(np.diagonal(covariance))
    root = scale[:, None] * np.linalg.cholesky(covariance / np.outer(scale, scale))
    random = np.random.default_rng(seed)
    kept, rejected, missing = [], 0, draws
    for _ in range(_ROUNDS):
        drawn = mean + random.standard_normal((missing, len(mean))) @ root.T
        fits = admissible(drawn)
        kept.append(drawn[fits])
        rejected += int((~fits).sum())
        missing -= int(fits.sum())
        if not missing:
            return np.concatenate(kept), rejected
    raise InvalidInputError("hardly a draw of the spatial parameters is admissible: the estimates are too vague")


def impacts_table(names, exact: np.ndarray, drawn: np.ndarray, level: float) -> pd.DataFrame:
    """Set impacts and their draws as a table.

    Parameters
    ----------
    names : sequence of str
    exact : ndarray, shape (variables, 2)
        Direct and total impacts at the estimates.
    drawn : ndarray, shape (draws, variables, 2)
    level : float
    """
    from scipy.special import ndtr

    exact, drawn = (np.stack([a[..., 0], a[..., 1] - a[..., 0], a[..., 1]], axis=-1) for a in (exact, drawn))
    error = drawn.std(axis=0, ddof=1)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, exact / error, np.nan)
    spread = np.stack([error, z, 2 * ndtr(-np.abs(z)), lower, upper], axis=-1)
    values = np.column_stack([exact, spread.reshape(len(exact), -1)])
    return pd.DataFrame(values, index=pd.Index(names, name="variable"), columns=_COLUMNS)


@dataclass(frozen=True)
class Multipliers:
    r"""Means over units of :math:`S = (I - \rho W)^{-1}` and of SW: of their diagonals and of their row sums."""

    weights: Weights
    jacobian: object
    system: System | None

    def at(self, rho: np.ndarray) -> np.ndarray:
        """Return the four means at each rho, shape (rhos, 2, 2): S and SW by diagonal and row sums."""
        rho = np.asarray(rho, dtype=float)
        n = len(self.weights.units)
        lagged = np.zeros(rho.shape) if not rho.any() else self.jacobian.trace(rho) / n
        sums = self._row_sums(rho)
        own = np.stack([1 + rho * lagged, 1 + rho * sums], axis=-1)
        return np.stack([own, np.stack([lagged, sums], axis=-1)], axis=-2)

    def _row_sums(self, rho: np.ndarray) -> np.ndarray:
        """Mean row sum of SW; with weights that are not row-standardised by Chebyshev interpolation over the draws."""
        from numpy.polynomial import chebyshev

        if self.weights.row_standardised:
            return 1 / (1 - rho)
        if not rho.any():
            return np.full(rho.shape, self.weights.row_sums.mean())
        low, high = rho.min(), rho.max()
        if high - low < 1e-12:
            return np.full(rho.shape, self._solved_mean(low))
        # The pole at the upper bound of rho is divided out, so that few nodes suffice.
        pole = self.jacobian.interval[1] * (1 + 1e-2)
        middle, half = (low + high) / 2, (high - low) / 2
        series = chebyshev.chebinterpolate(
            lambda scaled: [(pole - value) * self._solved_mean(value) for value in middle + half * scaled], _NODES
        )
        return chebyshev.chebval((rho - middle) / half, series) / (pole - rho)

    def _solved_mean(self, rho: float) -> float:
        return float(self.system.factor(rho).solve(self.weights.row_sums).mean())


def linear_impacts(multipliers: np.ndarray, own: np.ndarray, lagged: np.ndarray) -> np.ndarray:
    """Return direct and total impacts from coefficients of x and of Wx, each of shape (..., variables)."""
    return own[..., None] * multipliers[..., None, 0, :] + lagged[..., None] * multipliers[..., None, 1, :]

"""Search for a threshold over a grid: the fit of every candidate from cumulative sums over the threshold variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clusterlib.errors import InvalidInputError

# A candidate whose regressor is explained to this share by the others adds nothing that can be told from rounding.
SINGULAR = 1e-9
BLOCK_VALUES = 4_000_000


def demean(values: np.ndarray, effects: str) -> np.ndarray:
    """Take unit means, or unit and period means, from an array whose first two axes are units and periods."""
    centred = values - values.mean(axis=1, keepdims=True)
    return centred if effects == "entity" else centred - centred.mean(axis=0, keepdims=True)


@dataclass(frozen=True)
class Grid:
    """Candidate thresholds: distinct values ascending, and the first and last rank of each in Hansen's grid."""

    values: np.ndarray
    first: np.ndarray
    last: np.ndarray
    spared: float

    def admissible(self, fixed: np.ndarray) -> np.ndarray:
        """Which candidates are far enough, in ranks of the grid, from the thresholds that are held fixed."""
        ok = np.ones(len(self.values), dtype=bool)
        for threshold in fixed:
            below = self.last[self.values < threshold].max(initial=0)
            ok &= (self.first < below - self.spared) | (self.last >= below + self.spared)
        return ok


def make_grid(threshold: np.ndarray, trim: float, steps: int) -> Grid:
    """Take the values of rank floor(s m) of the m distinct ones, for s from trim to 1 - trim in steps of 1 / steps.

    Raises
    ------
    InvalidInputError
        If no rank is above zero.
    """
    distinct = np.unique(threshold)
    count = int(np.floor((1 - 2 * trim) * steps + 1e-9)) + 1
    shares = trim + np.arange(count) / steps
    # Rounding must not decide whether s m that is a whole number is taken as that number or the one below it.
    ranks = np.floor(np.round(shares * len(distinct), 9)).astype(int)
    ranks = ranks[ranks > 0]
    if not len(ranks):
        raise InvalidInputError(f"the threshold variable takes {len(distinct)} value(s): too few for a grid")
    values, first = np.unique(distinct[ranks - 1], return_index=True)
    return Grid(values, first + 1, np.append(first[1:], len(ranks)), round(trim * steps, 9))


class Search:
    r"""Reductions of the sum of squares that each candidate brings, for any dependent variable at once.

    With the null's regressors projected out, a candidate :math:`\gamma` adds
    :math:`Z_\gamma = r_{it} 1(q_{it} < \gamma)`. Its products with demeaned variables are cumulative sums over the
    sorted :math:`q`; its own demeaned square needs cumulative sums within units (and periods) besides. Nothing of
    size (observations times candidates) is held.
    """

    def __init__(self, regime: np.ndarray, threshold: np.ndarray, grid: Grid, effects: str, strict: bool) -> None:
        from scipy.sparse import csr_array

        units, periods, size = regime.shape
        self.grid, self.effects, self.shape = grid, effects, (units, periods)
        points = len(grid.values)
        # The first candidate whose lower regime holds the observation; past the end if none does.
        entry = np.searchsorted(grid.values, threshold.ravel(), side="right" if strict else "left")
        scale = np.sqrt((regime**2).mean(axis=(0, 1)))
        flat = (regime / scale).reshape(-1, size)
        inside = np.flatnonzero(entry < points)
        rows = np.concatenate([entry[inside] * size + k for k in range(size)])
        columns = np.tile(inside, size)
        values = flat[inside].T.ravel()
        self._steps = csr_array((values, (rows, columns)), shape=(points * size, len(flat)))
        self._square = self._own_products(flat, entry, points)

    def _own_products(self, flat: np.ndarray, entry: np.ndarray, points: int) -> np.ndarray:
        """Return Z'WZ of every candidate, with W the within transformation: an array (points, size, size)."""
        units, periods = self.shape
        size = flat.shape[1]

        def cumulated(weights: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
            sums = np.bincount(group * (points + 1) + entry, weights, groups * (points + 1))
            return sums.reshape(groups, points + 1)[:, :-1].cumsum(axis=1)

        unit, period = np.divmod(np.arange(units * periods), periods)
        nothing = np.zeros(units * periods, dtype=int)
        by_unit = [cumulated(flat[:, k], unit, units) for k in range(size)]
        by_period = [cumulated(flat[:, k], period, periods) for k in range(size)]
        square = np.empty((points, size, size))
        for j in range(size):
            for k in range(size):
                product = cumulated(flat[:, j] * flat[:, k], nothing, 1)[0]
                product = product - (by_unit[j] * by_unit[k]).sum(axis=0) / periods
                if self.effects == "twoway":
                    product -= (by_period[j] * by_period[k]).sum(axis=0) / units
                    product += by_unit[j].sum(axis=0) * by_unit[k].sum(axis=0) / (units * periods)
                square[:, j, k] = product
        return square

    def _products(self, variables: np.ndarray) -> np.ndarray:
        """Return Z'V of every candidate for demeaned columns V: an array (points, size, columns)."""
        points, size, _ = self._square.shape
        return (self._steps @ variables).reshape(points, size, -1).cumsum(axis=0)

    def against(self, null: np.ndarray, fixed: np.ndarray) -> Stage:
        """Prepare the search for one more threshold beside the fixed ones; ``null`` are the demeaned regressors.

        Raises
        ------
        InvalidInputError
            If no candidate is left.
        """
        basis = np.linalg.qr(null)[0] if null.shape[1] else null
        explained = self._products(basis)
        remaining = self._square - explained @ explained.swapaxes(1, 2)
        own = np.sqrt(np.einsum("pkk->pk", self._square).clip(min=np.finfo(float).tiny))
        correlation = remaining / own[:, :, None] / own[:, None, :]
        usable = self.grid.admissible(fixed) & (np.linalg.eigvalsh(correlation)[:, 0] > SINGULAR)
        if not usable.any():
            raise InvalidInputError(
                f"no candidate is left for threshold {len(fixed) + 1}: the threshold variable takes too few values, or "
                "the regressor hardly varies within units; ask for fewer thresholds or less trimming"
            )
        roots = np.linalg.inv(np.linalg.cholesky(remaining[usable]))
        return Stage(self, basis, explained[usable], roots, usable)


@dataclass(frozen=True)
class Stage:
    """A search for one more threshold, ready for any dependent variable."""

    search: Search
    basis: np.ndarray
    explained: np.ndarray
    roots: np.ndarray
    usable: np.ndarray

    @property
    def candidates(self) -> np.ndarray:
        """The admissible candidates, ascending."""
        return self.search.grid.values[self.usable]

    def sums_of_squares(self, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of squares of the null, and of each candidate (rows), for demeaned columns."""
        fitted = self.basis.T @ variables
        null = (variables**2).sum(axis=0) - (fitted**2).sum(axis=0)
        products = self.search._products(variables)[self.usable] - self.explained @ fitted
        return null, null - ((self.roots @ products) ** 2).sum(axis=1)

    def bootstrap(self, residuals: np.ndarray, draws: int, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return F of dependent variables made of residuals drawn by unit, the regressors held fixed.

        F does not depend on the null's coefficients, so residuals alone stand for the dependent variable.
        """
        units, periods = self.search.shape
        by_unit = residuals.reshape(units, periods)
        drawn = random.integers(units, size=(draws, units))
        block = max(1, BLOCK_VALUES // residuals.size)
        statistics = []
        for start in range(0, draws, block):
            sample = by_unit[drawn[start : start + block].T].swapaxes(1, 2)
            if self.search.effects == "twoway":
                sample = demean(sample, "twoway")
            null, ssr = self.sums_of_squares(sample.reshape(units * periods, -1))
            best = ssr.min(axis=0)
            statistics.append((null - best) / (best / scale))
        return np.concatenate(statistics) if statistics else np.empty(0)

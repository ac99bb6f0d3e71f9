"""The linear programs of data envelopment: many units to a call of HiGHS, few reference units to a program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clusterlib.errors import ClusterlibError

RETURNS = ("constant", "variable", "non-increasing", "non-decreasing")
# A call has a price of its own, so many programs share one.
COLUMNS_A_CALL = 4_000
# There is nothing to presolve in programs this small and dense; it would take most of the time.
OPTIONS = {"presolve": False, "primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
# Share of a reference unit's value by which its price may be beaten; what the solver's tolerance allows.
PRICE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Technology:
    """Reference units that span what can be produced: inputs (units, m), outputs (units, s), returns to scale."""

    inputs: np.ndarray
    outputs: np.ndarray
    returns: str

    @property
    def columns(self) -> np.ndarray:
        """What a unit adds to the left sides: its inputs, and its outputs negative."""
        return np.hstack([self.inputs, -self.outputs])

    def undominated(self) -> np.ndarray:
        """Units that no other one beats in something and equals in the rest; of equal units the first."""
        values, first = np.unique(self.columns, axis=0, return_index=True)
        below = np.ones((len(values), len(values)), dtype=bool)
        for column in values.T:
            below &= column[:, None] <= column[None, :]
        np.fill_diagonal(below, False)
        return np.sort(first[~below.any(axis=0)])


def _stack(blocks: np.ndarray):
    """Set blocks (count, rows, columns) on the diagonal of a sparse matrix."""
    from scipy.sparse import csr_array

    count, rows, columns = blocks.shape
    filled = blocks != 0
    where = np.broadcast_to(np.arange(count)[:, None, None] * columns + np.arange(columns), blocks.shape)
    ends = np.concatenate([[0], filled.sum(axis=2).ravel().cumsum()])
    return csr_array((blocks[filled], where[filled], ends), shape=(count * rows, count * columns))


def _solve(costs: np.ndarray, blocks: np.ndarray, right: np.ndarray, units: int, returns: str, equal: bool):
    """Minimise over independent blocks at once; the last ``units`` variables of each are the weights of units.

    Rows of a block are ``<=`` its right side, or ``==`` if ``equal``. Returns the solution by block, and the marginal
    values of its rows and of the sum of its weights.

    Raises
    ------
    ClusterlibError
        If the solver finds no optimum.
    """
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    count, rows, columns = blocks.shape
    limits, sides = {"upper": [], "exact": []}, {"upper": [], "exact": []}
    limits["exact" if equal else "upper"].append(_stack(blocks))
    sides["exact" if equal else "upper"].append(right.ravel())
    if returns != "constant":
        sign = -1.0 if returns == "non-decreasing" else 1.0
        weights = np.zeros((count, 1, columns))
        weights[:, :, columns - units :] = sign
        limits["exact" if returns == "variable" else "upper"].append(_stack(weights))
        sides["exact" if returns == "variable" else "upper"].append(np.full(count, sign))
    parts = []
    for kind in ("upper", "exact"):
        parts += [vstack(limits[kind]), np.concatenate(sides[kind])] if limits[kind] else [None, None]
    solution = linprog(np.tile(costs, count), *parts, method="highs", options=dict(OPTIONS))
    if solution.status != 0:
        raise ClusterlibError(f"a linear program of data envelopment was not solved: {solution.message}")
    upper, exact = solution.ineqlin.marginals, solution.eqlin.marginals
    own = (exact if equal else upper)[: count * rows].reshape(count, rows)
    sums = np.zeros(count)
    if returns != "constant":
        sums = (exact if returns == "variable" else upper)[-count:] * sign
    return solution.x.reshape(count, columns), own, sums


def _batches(units: int, columns: int):
    size = max(1, COLUMNS_A_CALL // columns)
    return (slice(start, min(start + size, units)) for start in range(0, units, size))


class RadialPrograms:
    """Farrell's measure of the units of a technology, or of other points, each paired with one of its units.

    A program starts with a few reference units, among them the point's own, which makes it feasible; the units whose
    price at the solution's marginal values is below nil join until there are none, when the solution is that with all.
    """

    def __init__(self, inputs: np.ndarray, outputs: np.ndarray, returns: str, orientation: str) -> None:
        self.returns, self.orientation = returns, orientation
        # The solver's tolerance is absolute: by the unit's own size it is as fine for small units as for large.
        self.own = np.hstack([inputs, outputs])
        self.own[self.own == 0] = 1.0
        flow = np.hstack([inputs, -outputs]) / self.own
        contracted = np.arange(flow.shape[1]) < inputs.shape[1]
        if orientation == "input":
            self.free, self.right = np.where(contracted, -flow, 0.0), np.where(contracted, 0.0, flow)
        else:
            self.free, self.right = np.where(contracted, 0.0, -flow), np.where(contracted, flow, 0.0)
        # The first guess at each unit's values weighs all its inputs and outputs alike.
        self.values, self.sums = -1 / self.own, np.zeros(len(self.own))

    def measure(self, technology: Technology) -> np.ndarray:
        """Measure the points against a technology of as many units, and keep the marginal values for the next."""
        columns, count = technology.columns, len(self.own)
        open_points, measure = np.arange(count), np.empty(count)
        chosen = np.unique(self._prices(columns, open_points)[0].argmin(axis=1))
        while len(open_points):
            for batch in _batches(len(open_points), len(chosen) + 2):
                points = open_points[batch]
                measure[points], self.values[points], self.sums[points] = self._program(columns, points, chosen)
            prices, size = self._prices(columns, open_points)
            best = prices.argmin(axis=1)
            unsettled = prices.min(axis=1) < -PRICE_TOLERANCE * size[np.arange(len(best)), best]
            open_points, joining = open_points[unsettled], np.setdiff1d(best[unsettled], chosen)
            if not len(joining):
                break
            chosen = np.concatenate([chosen, joining])
        return measure

    def _prices(self, columns: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Price of each unit (columns) at the values of each point (rows), and the size of what it is the sum of."""
        values, sums = self.values[points], self.sums[points]
        prices = -(values @ columns.T + sums[:, None])
        return prices, np.abs(values) @ np.abs(columns).T + np.abs(sums)[:, None]

    def _program(self, columns: np.ndarray, points: np.ndarray, chosen: np.ndarray):
        """Solve the programs of some points with the chosen reference units and the points' own."""
        own = self.own[points]
        blocks = np.concatenate(
            [
                self.free[points][:, :, None],
                (columns[points] / own)[:, :, None],
                columns[chosen].T[None] / own[:, :, None],
            ],
            axis=2,
        )
        costs = np.zeros(blocks.shape[2])
        costs[0] = 1.0 if self.orientation == "input" else -1.0
        solution, values, sums = _solve(costs, blocks, self.right[points], len(chosen) + 1, self.returns, equal=False)
        return solution[:, 0], values / own, sums


def largest_slacks(technology: Technology, inputs: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each point's slacks (inputs, then outputs) with the greatest sum, and the weights of the units."""
    kept = technology.undominated()
    columns = technology.columns[kept]
    rows, units = inputs.shape[1] + outputs.shape[1], len(kept)
    points = np.hstack([inputs, -outputs])
    block = np.hstack([np.eye(rows), columns.T])
    costs = np.concatenate([-np.ones(rows), np.zeros(units)])
    slacks, weights = np.zeros((len(points), rows)), np.zeros((len(points), len(technology.inputs)))
    for batch in _batches(len(points), rows + units):
        blocks = np.broadcast_to(block, (len(points[batch]), *block.shape))
        solution, _, _ = _solve(costs, blocks, points[batch], units, technology.returns, equal=True)
        slacks[batch], weights[batch, kept] = solution[:, :rows], solution[:, rows:]
    return slacks, weights

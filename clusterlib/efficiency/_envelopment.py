"""Data envelopment analysis (数据包络分析): efficiency against the frontier that the best units span.

The measures come from linear programs of HiGHS, many units to a call and few reference units to a program; the
bootstrap's from a simplex method that takes all of them side by side, where doing nothing is feasible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    check_bounds,
    check_choice,
    check_labels,
    check_level,
    check_table,
    check_whole,
    listed,
)
from clusterlib.core.resampling import BLOCK, streams
from clusterlib.core.results import Result
from clusterlib.errors import ClusterlibError, InvalidInputError

RETURNS = ("constant", "variable", "non-increasing", "non-decreasing")
ORIENTATIONS = ("input", "output")
SMOOTHING = ("reflected", "simar-wilson")
# Below this share of a variable's mean a slack is rounding; the solver keeps its constraints to 1e-7.
ROUNDING = 1e-7
# A call has a price of its own, so many programs share one.
COLUMNS_A_CALL = 4_000
# There is nothing to presolve in programs this small and dense; it would take most of the time.
OPTIONS = {"presolve": False, "primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
# Share of a reference unit's value by which its price may be beaten; what the solver's tolerance allows.
PRICE_TOLERANCE = 1e-9
# Of the simplex method: what breaks ties between limits of nil, what counts as nil, and when to give up.
PERTURBATION, PIVOT_TOLERANCE, PIVOTS = 1e-9, 1e-10, 500


@dataclass(frozen=True, eq=False)
class EnvelopmentResult(Result):
    """Data envelopment: efficiency of each unit (数据包络分析).

    Attributes
    ----------
    table : DataFrame
        By unit: ``efficiency`` in (0, 1]; ``farrell``, the factor on inputs (at most 1) or on outputs (at least 1);
        ``efficient``, whether there is no slack either. With variable returns also ``scale_efficiency`` and
        ``returns_to_scale`` ("increasing", "constant", "decreasing"); after a bootstrap ``corrected``, ``bias``,
        ``lower``, ``upper``, all of efficiency.
    slacks : DataFrame
        By unit and variable: input excess and output shortfall beyond the radial change, in the variable's unit.
    targets : DataFrame
        By unit and variable: the point on the frontier.
    peers : DataFrame
        ``unit``, ``peer``, ``weight``: the reference units of each unit's target.
    bandwidth : Series
        Of the bootstrap, by group.
    simulated : DataFrame or None
        Distances from the frontiers of the pseudo-samples: a row a draw, a column a unit.
    settings : dict
        ``inputs``, ``outputs``, ``returns``, ``orientation``, ``bootstrap``, ``smoothing``, ``seed``, ``level``.
    """

    table: pd.DataFrame
    slacks: pd.DataFrame
    targets: pd.DataFrame
    peers: pd.DataFrame
    bandwidth: pd.Series
    simulated: pd.DataFrame | None = field(default=None, repr=False)
    settings: dict = field(default_factory=dict)

    @property
    def footer(self) -> Mapping[str, object]:
        """What was asked for."""
        shown = {"Units 个体数": len(self.table), "Returns to scale 规模报酬": self.settings["returns"]}
        shown["Orientation 导向"] = self.settings["orientation"]
        return shown | {"Bootstrap draws 自助抽样": self.settings["bootstrap"] or None}


def data_envelopment(
    inputs: pd.DataFrame,
    outputs: pd.DataFrame,
    *,
    returns: str = "constant",
    orientation: str = "input",
    groups: str | pd.Series | None = None,
    bootstrap: int = 0,
    smoothing: str = "reflected",
    seed: int = 0,
    level: float = 0.95,
) -> EnvelopmentResult:
    r"""Data envelopment analysis (数据包络分析), with constant (CCR) or variable (BCC) returns to scale.

    .. math:: \theta_o = \min \theta \ \text{ with } \ X\lambda \le \theta x_o, \ Y\lambda \ge y_o, \ \lambda \ge 0,
              \qquad \varphi_o = \max \varphi \ \text{ with } \ X\lambda \le x_o, \ Y\lambda \ge \varphi y_o

    and :math:`\sum \lambda = 1` for variable, :math:`\le 1` for non-increasing, :math:`\ge 1` for non-decreasing
    returns. ``farrell`` is Farrell's measure :math:`\theta` or :math:`\varphi`; ``efficiency`` is :math:`\theta` or
    :math:`1/\varphi`. Shephard's distance is the reciprocal of ``farrell``.

    Parameters
    ----------
    inputs, outputs : DataFrame
        Not negative, by the same index of units (or units and years); columns of any unit of measure.
    returns : {"constant", "variable", "non-increasing", "non-decreasing"}
    orientation : {"input", "output"}
        Whether inputs shrink or outputs grow.
    groups : str or Series, optional
        A level of the index, such as ``"year"``, or a group of each unit: each has its own frontier. By default one
        frontier for all rows.
    bootstrap, seed : int
        Draws of the smoothed bootstrap of Simar and Wilson (1998); none by default.
    smoothing : {"reflected", "simar-wilson"}
        How the variance that smoothing adds is taken back: by shrinking towards 1, the mean of the distances and their
        reflections, or towards the mean of the distances as published.
    level : float
        Of its intervals.

    Returns
    -------
    EnvelopmentResult

    Raises
    ------
    InvalidInputError
        For values that are missing, negative or not by the same index, a unit without any input or output, a variable
        that is zero everywhere, or a bootstrap where fewer than two units lie off the frontier.
    UnknownNameError
        For an unknown kind of returns, orientation or group level.

    Notes
    -----
    Slacks are those with the greatest sum once each variable is divided by its mean, so that they do not depend on
    units of measure. Scale efficiency is efficiency with constant over that with variable returns; returns to scale are
    decreasing where non-increasing returns give the efficiency of variable ones, else increasing.

    Bootstrap: distances :math:`\delta = 1/\text{efficiency}` are drawn from their kernel density, reflected at 1; each
    unit keeps its mix and gets the drawn distance from the estimated frontier; the units are measured against the
    pseudo-sample. The bandwidth is ``0.9 min(sd, IQR/1.34) m**(-1/5)`` of the ``m`` values that are distances above 1
    or their reflections, scaled to all ``n`` units by ``(m/n)**(1/5)`` and the ratio of deviations. The correction is
    :math:`1/(2\hat\delta - \bar\delta^*)`, the interval the basic one from :math:`\hat\delta^* - \hat\delta` (Simar and
    Wilson 2000), inverted. All this holds if inefficiency is spread alike at all mixes and sizes. Shrinking as
    published keeps every draw away from the frontier, and in simulations its intervals cover too little;
    ``benchmarks/monte_carlo_envelopment.py`` sets both side by side.

    References
    ----------
    Charnes, A., Cooper, W. W. and Rhodes, E. (1978). European Journal of Operational Research 2, 429-444. Banker, R.
    D., Charnes, A. and Cooper, W. W. (1984). Management Science 30, 1078-1092. Simar, L. and Wilson, P. W. (1998).
    Management Science 44, 49-61; (2000). Journal of Productivity Analysis 13, 49-78.

    Examples
    --------
    >>> import pandas as pd
    >>> staff = pd.DataFrame({"staff": [2.0, 3.0, 3.0, 4.0]}, index=list("ABCD"))
    >>> sales = pd.DataFrame({"sales": [1.0, 3.0, 2.0, 3.0]}, index=list("ABCD"))
    >>> data_envelopment(staff, sales).table["efficiency"].round(3).tolist()
    [0.5, 1.0, 0.667, 0.75]
    """
    check_choice("returns to scale", returns, RETURNS)
    check_choice("orientation", orientation, ORIENTATIONS)
    check_choice("smoothing", smoothing, SMOOTHING)
    check_level(level)
    draws = check_whole("bootstrap", bootstrap, unit="draws")
    inputs, outputs = _amounts(inputs, "input"), _amounts(outputs, "output")
    check_both(inputs, outputs)
    parts = group_rows(inputs.index, groups)
    found, bandwidth, simulated = [], {}, np.empty((draws, len(inputs)))
    for random, (name, rows) in zip(streams(seed, len(parts)), parts.items(), strict=True):
        frontier = _Frontier(inputs.iloc[rows], outputs.iloc[rows], returns, orientation)
        table = frontier.table()
        bandwidth[name] = np.nan
        if draws:
            distances = 1 / table["efficiency"].to_numpy()
            bandwidth[name] = normal_reference_bandwidth(distances)
            drawn = np.array([smoothed_draw(distances, bandwidth[name], smoothing, random) for _ in range(draws)])
            simulated[:, rows] = pseudo_distances(frontier.technology(returns), distances, drawn, orientation)
            table = table.assign(**corrected_efficiency(distances, simulated[:, rows], level))
        found.append((table, *frontier.projection(table["farrell"].to_numpy())))
    tables, slacks, targets, peers = zip(*found, strict=True)
    table, slack = pd.concat(tables).loc[inputs.index], pd.concat(slacks).loc[inputs.index]
    table.insert(2, "efficient", (table["efficiency"] > 1 - ROUNDING) & (slack == 0).all(axis=1))
    return EnvelopmentResult(
        table=table,
        slacks=slack,
        targets=pd.concat(targets).loc[inputs.index],
        peers=pd.concat(peers, ignore_index=True),
        bandwidth=pd.Series(bandwidth, name="bandwidth", dtype=float),
        simulated=pd.DataFrame(simulated, columns=inputs.index).rename_axis("draw") if draws else None,
        settings={
            "inputs": tuple(inputs.columns),
            "outputs": tuple(outputs.columns),
            "returns": returns,
            "orientation": orientation,
            "bootstrap": draws,
            "smoothing": smoothing,
            "seed": seed,
            "level": level,
        },
    )


def _amounts(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return inputs or outputs as floats if each unit has some of them and each is found somewhere."""
    amounts = check_table(frame, kind, "leave out the unit or the variable")
    if amounts.index.has_duplicates:
        raise InvalidInputError(f"unit given twice: {amounts.index[amounts.index.duplicated()][0]}")
    check_bounds(amounts, f"envelopment takes an {kind} of at least zero")
    empty = amounts.index[(amounts == 0).all(axis=1)]
    if len(empty):
        raise InvalidInputError(f"{listed(empty)} has no {kind} above zero: leave it out")
    unused = amounts.columns[(amounts == 0).all()]
    if len(unused):
        raise InvalidInputError(f"{kind} {unused[0]!r} is zero for every unit: leave it out")
    return amounts


def check_both(inputs: pd.DataFrame, outputs: pd.DataFrame) -> None:
    if not inputs.index.equals(outputs.index):
        raise InvalidInputError("inputs and outputs must have the same units in the same order")
    both = inputs.columns.intersection(outputs.columns)
    if len(both):
        raise InvalidInputError(f"an input and an output: {listed(both)}")


def group_rows(index: pd.Index, groups: str | pd.Series | None) -> dict:
    """Return the rows of each group, in the order of the groups' names."""
    if groups is None:
        return {"all": np.arange(len(index))}
    if isinstance(groups, str):
        check_choice("level of the index", groups, [name for name in index.names if name is not None])
        labels = pd.Series(index.get_level_values(groups))
    else:
        labels = check_labels(groups, index, "groups").reset_index(drop=True)
    return {name: rows.to_numpy() for name, rows in labels.groupby(labels, sort=True).groups.items()}


class _Frontier:
    """One group of units measured against itself, its variables divided by their means."""

    def __init__(self, inputs: pd.DataFrame, outputs: pd.DataFrame, returns: str, orientation: str) -> None:
        self.index, self.columns = inputs.index, [*inputs.columns, *outputs.columns]
        self.values = np.hstack([inputs.to_numpy(float), outputs.to_numpy(float)])
        self.means = self.values.mean(axis=0)
        self.means[self.means == 0] = 1.0
        self.split, self.returns, self.orientation = inputs.shape[1], returns, orientation
        scaled = self.values / self.means
        self.inputs, self.outputs = scaled[:, : self.split], scaled[:, self.split :]

    def technology(self, returns: str) -> Technology:
        """Return what the units span."""
        return Technology(self.inputs, self.outputs, returns)

    def farrell(self, returns: str) -> np.ndarray:
        """Measure every unit."""
        programs = RadialPrograms(self.inputs, self.outputs, returns, self.orientation)
        measure = programs.measure(self.technology(returns))
        # A unit spans the frontier itself, so that beyond one there is only rounding.
        return np.minimum(measure, 1.0) if self.orientation == "input" else np.maximum(measure, 1.0)

    def efficiency(self, returns: str) -> np.ndarray:
        """Farrell's measure or its reciprocal, at most one."""
        measure = self.farrell(returns)
        return measure if self.orientation == "input" else 1 / measure

    def table(self) -> pd.DataFrame:
        """Return what there is to say of each unit before any bootstrap."""
        efficiency = self.efficiency(self.returns)
        columns = {"efficiency": efficiency, "farrell": efficiency if self.orientation == "input" else 1 / efficiency}
        if self.returns == "variable":
            scale = self.efficiency("constant") / efficiency
            decreasing = np.isclose(self.efficiency("non-increasing"), efficiency, rtol=ROUNDING, atol=0)
            kind = np.where(decreasing, "decreasing", "increasing")
            columns["scale_efficiency"] = np.minimum(scale, 1.0)
            columns["returns_to_scale"] = np.where(scale > 1 - ROUNDING, "constant", kind)
        return pd.DataFrame(columns, self.index)

    def projection(self, farrell: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return slacks and targets in the variables' units, and the units that span each target."""
        factor = np.ones_like(self.values)
        moved = slice(None, self.split) if self.orientation == "input" else slice(self.split, None)
        factor[:, moved] = farrell[:, None]
        radial = factor * np.hstack([self.inputs, self.outputs])
        slacks, weights = largest_slacks(
            self.technology(self.returns), radial[:, : self.split], radial[:, self.split :]
        )
        slacks = np.where(slacks > ROUNDING, slacks, 0.0)
        direction = np.where(np.arange(len(self.columns)) < self.split, -1.0, 1.0)
        unit, peer = np.nonzero(weights > ROUNDING)
        peers = pd.DataFrame({"unit": self.index[unit], "peer": self.index[peer], "weight": weights[unit, peer]})
        slack_frame = pd.DataFrame(slacks * self.means, self.index, self.columns)
        return slack_frame, pd.DataFrame((radial + direction * slacks) * self.means, self.index, self.columns), peers


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


def _batches(units: int, columns: int) -> Iterator[slice]:
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


def largest_expansions(inputs: np.ndarray, outputs: np.ndarray, reference: np.ndarray, returns: str) -> np.ndarray:
    r"""Largest factors on the outputs of each unit that each set of reference outputs allows.

    .. math:: \max \varphi \ \text{ with } \ X\lambda \le x_o, \ \varphi y_o \le Y_d\lambda, \ \lambda \ge 0
              \quad (\textstyle\sum\lambda \le 1)

    Parameters
    ----------
    inputs, outputs : ndarray, shape (units, m), (units, s)
        Of the points that are measured; the inputs are those of the reference units too.
    reference : ndarray, shape (draws, units, s)
        Outputs of the reference units.
    returns : {"constant", "non-increasing"}

    Returns
    -------
    ndarray, shape (draws, units)

    Raises
    ------
    ClusterlibError
        If a program has no optimum, or none is found.
    """
    draws, units, kinds = reference.shape
    limits = inputs.shape[1] + kinds + (returns == "non-increasing")
    programs = np.zeros((draws, units, limits + 1, 1 + units + limits + 2))
    # Each row is divided by the point's own amount, so that tolerances mean the same to small units and large.
    own_input, own = np.where(inputs > 0, inputs, 1.0), np.where(outputs > 0, outputs, 1.0)
    made = slice(inputs.shape[1], inputs.shape[1] + kinds)
    weights = slice(1, 1 + units)
    programs[..., : inputs.shape[1], weights] = inputs.T[None] / own_input[:, :, None]
    programs[..., made, weights] = -reference.transpose(0, 2, 1)[:, None] / own[None, :, :, None]
    programs[..., made, 0] = outputs > 0
    programs[..., :limits, 1 + units : 1 + units + limits] = np.eye(limits)
    programs[..., : inputs.shape[1], -2] = inputs > 0
    if returns == "non-increasing":
        programs[..., limits - 1, weights] = programs[..., limits - 1, -2] = 1.0
    programs[..., limits, 0] = 1.0
    # Ties between limits of nil would let the method go round in circles.
    programs[..., :limits, -1] = programs[..., :limits, -2] + PERTURBATION * np.sqrt(np.arange(2, 2 + limits))
    return _optima(programs.reshape(draws * units, limits + 1, -1)).reshape(draws, units)


def _optima(tableaux: np.ndarray) -> np.ndarray:
    """Greatest values of linear programs by the simplex method, one pivot in all of them at a time.

    The last row holds the marginal gains, the last columns the right side and the perturbed one that decides pivots.
    """
    optima, left = np.empty(len(tableaux)), np.arange(len(tableaux))
    for _ in range(PIVOTS):
        gains = tableaux[:, -1, :-2]
        entering = gains.argmax(axis=1)
        done = gains[np.arange(len(left)), entering] <= PIVOT_TOLERANCE
        optima[left[done]] = -tableaux[done, -1, -2]
        left, tableaux, entering = left[~done], tableaux[~done], entering[~done]
        if not len(left):
            return optima
        each = np.arange(len(left))
        column = tableaux[each, :, entering]
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(column[:, :-1] > PIVOT_TOLERANCE, tableaux[:, :-1, -1] / column[:, :-1], np.inf)
        leaving = room.argmin(axis=1)
        if np.isinf(room[each, leaving]).any():
            raise ClusterlibError("a linear program of data envelopment has no bound: look for a unit without inputs")
        pivot = tableaux[each, leaving] / column[each, leaving][:, None]
        tableaux -= column[:, :, None] * pivot[:, None, :]
        tableaux[each, leaving] = pivot
    raise ClusterlibError(f"{len(left)} linear program(s) of data envelopment were not solved in {PIVOTS} pivots")


def normal_reference_bandwidth(distances: np.ndarray) -> float:
    """Return Silverman's bandwidth of the distances above one with their reflections, scaled to all of them.

    ``0.9 min(deviation, interquartile range / 1.34) m^(-1/5)`` of these m values, times ``(m / n)^(1/5)`` and the
    ratio of the deviations. Distances of exactly one are left out: so many of them are an artefact of the estimate.

    Raises
    ------
    InvalidInputError
        If fewer than two units lie off the frontier.
    """
    off = distances[distances > 1 + ROUNDING]
    if len(off) < 2:
        raise InvalidInputError(
            f"{len(off)} of {len(distances)} units lie off the frontier: too few to bootstrap from; take more units or "
            "fewer inputs and outputs"
        )
    reflected = np.concatenate([off, 2 - off])
    quartiles = np.percentile(reflected, [25, 75])
    spread = reflected.std(ddof=1)
    own = 0.9 * min(spread, (quartiles[1] - quartiles[0]) / 1.34) * len(reflected) ** -0.2
    return float(own * (len(reflected) / len(distances)) ** 0.2 * distances.std(ddof=1) / spread)


def smoothed_draw(distances: np.ndarray, bandwidth: float, smoothing: str, random: np.random.Generator) -> np.ndarray:
    """Draw distances from their smoothed distribution, reflected at one.

    Smoothing adds variance, which is taken back by shrinking: towards the mean of the draw as Simar and Wilson (1998)
    have it, which leaves no draw close to one, or towards one, the mean of the sample and its reflection.
    """
    chosen = distances[random.integers(len(distances), size=len(distances))]
    moved = chosen + bandwidth * random.standard_normal(len(distances))
    moved = np.where(moved < 1, 2 - moved, moved)
    if smoothing == "simar-wilson":
        return chosen.mean() + (moved - chosen.mean()) / np.sqrt(1 + bandwidth**2 / distances.var())
    return 1 + (moved - 1) / np.sqrt(1 + bandwidth**2 / ((distances - 1) ** 2).mean())


def pseudo_distances(technology: Technology, distances: np.ndarray, drawn: np.ndarray, orientation: str) -> np.ndarray:
    """Measure the units against frontiers of pseudo-samples in which each keeps its mix and has a drawn distance.

    Parameters
    ----------
    technology : Technology
        Of the units.
    distances : ndarray, shape (units,)
        Estimated.
    drawn : ndarray, shape (draws, units)
    orientation : {"input", "output"}

    Returns
    -------
    ndarray, shape (draws, units)
    """
    inputs, outputs, returns = technology.inputs, technology.outputs, technology.returns
    cells = len(inputs) * (len(inputs) + 10) * (inputs.shape[1] + outputs.shape[1])
    # With constant returns, units of less input are units of more output.
    upward = returns == "constant" or (returns == "non-increasing" and orientation == "output")
    if upward and cells <= BLOCK:
        pseudo, size = outputs * (distances / drawn)[:, :, None], BLOCK // cells
        blocks = (pseudo[start : start + size] for start in range(0, len(drawn), size))
        return np.concatenate([largest_expansions(inputs, outputs, block, returns) for block in blocks])
    programs = RadialPrograms(inputs, outputs, returns, orientation)
    measured = np.empty_like(drawn)
    for k, factor in enumerate((drawn / distances)[:, :, None]):
        pseudo = (inputs * factor, outputs) if orientation == "input" else (inputs, outputs / factor)
        farrell = programs.measure(Technology(*pseudo, returns))
        measured[k] = 1 / farrell if orientation == "input" else farrell
    return measured


def corrected_efficiency(distances: np.ndarray, draws: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Return bias-corrected efficiencies and their basic bootstrap intervals, worked out in distances and inverted."""
    error = draws - distances
    low, high = np.quantile(error, [(1 - level) / 2, (1 + level) / 2], axis=0)
    corrected = 1 / (distances - error.mean(axis=0))
    return {
        "corrected": corrected,
        "bias": 1 / distances - corrected,
        "lower": 1 / (distances - low),
        "upper": 1 / (distances - high),
    }

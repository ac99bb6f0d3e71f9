"""Data envelopment analysis (数据包络分析): efficiency against the frontier that the best units span."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_columns, check_finite
from clusterlib.efficiency._envelopment_bootstrap import SMOOTHING, bootstrap_distances, corrected_efficiency
from clusterlib.efficiency._envelopment_programs import RETURNS, RadialPrograms, Technology, largest_slacks
from clusterlib.errors import InvalidInputError, UnknownNameError

ORIENTATIONS = ("input", "output")
# Below this share of a variable's mean a slack is rounding; the solver keeps its constraints to 1e-7.
ROUNDING = 1e-7


@dataclass(frozen=True)
class EnvelopmentResult:
    """Efficiency of each unit with its peers, slacks and targets.

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
    settings : dict
        ``inputs``, ``outputs``, ``returns``, ``orientation``, ``bootstrap``, ``smoothing``, ``seed``, ``level``.
    """

    table: pd.DataFrame
    slacks: pd.DataFrame
    targets: pd.DataFrame
    peers: pd.DataFrame
    bandwidth: pd.Series
    settings: dict = field(default_factory=dict)

    def summary(self) -> pd.DataFrame:
        """Return the table by unit."""
        return self.table


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
    _check_settings(returns, orientation, smoothing, bootstrap, level)
    _check_frames(inputs, outputs)
    labels = _groups(inputs.index, groups)
    tables, slacks, targets, peers, bandwidth = [], [], [], [], {}
    streams = np.random.SeedSequence(seed).spawn(labels.nunique())
    for stream, (name, rows) in zip(streams, labels.groupby(labels, sort=True).groups.items(), strict=True):
        frontier = _Frontier(inputs.loc[rows], outputs.loc[rows], returns, orientation)
        table, group_bandwidth = frontier.table(bootstrap, smoothing, np.random.default_rng(stream), level)
        tables.append(table)
        group_slacks, group_targets, group_peers = frontier.projection(table["farrell"].to_numpy())
        slacks.append(group_slacks)
        targets.append(group_targets)
        peers.append(group_peers)
        bandwidth[name] = group_bandwidth
    table, slack = pd.concat(tables).loc[inputs.index], pd.concat(slacks).loc[inputs.index]
    on_frontier = (table["efficiency"] > 1 - ROUNDING) & (slack == 0).all(axis=1)
    table.insert(2, "efficient", on_frontier)
    return EnvelopmentResult(
        table=table,
        slacks=slack,
        targets=pd.concat(targets).loc[inputs.index],
        peers=pd.concat(peers, ignore_index=True),
        bandwidth=pd.Series(bandwidth, name="bandwidth", dtype=float),
        settings={
            "inputs": tuple(inputs.columns),
            "outputs": tuple(outputs.columns),
            "returns": returns,
            "orientation": orientation,
            "bootstrap": bootstrap,
            "smoothing": smoothing,
            "seed": seed,
            "level": level,
        },
    )


def _check_settings(returns: str, orientation: str, smoothing: str, bootstrap: int, level: float) -> None:
    for kind, value, valid in (
        ("returns to scale", returns, RETURNS),
        ("orientation", orientation, ORIENTATIONS),
        ("smoothing", smoothing, SMOOTHING),
    ):
        if value not in valid:
            raise UnknownNameError(kind, value, valid)
    if bootstrap < 0 or not 0 < level < 1:
        raise InvalidInputError(f"expected draws of at least 0 and a level between 0 and 1, got {bootstrap}, {level}")


def _check_frames(inputs: pd.DataFrame, outputs: pd.DataFrame) -> None:
    for kind, frame in (("input", inputs), ("output", outputs)):
        check_columns(frame, getattr(frame, "columns", ()), kind)
        if frame.shape[1] == 0 or len(frame) == 0:
            raise InvalidInputError(f"no {kind}: expected a row for each unit and at least one column")
        check_finite(frame)
        below = np.argwhere(frame.to_numpy(float) < 0)
        if len(below):
            row, column = below[0]
            place = f"{frame.index[row]}, {frame.columns[column]!r}"
            raise InvalidInputError(f"a negative {kind} at {place}: envelopment takes quantities of at least zero")
        empty = frame.index[(frame == 0).all(axis=1)]
        if len(empty):
            raise InvalidInputError(f"{empty[0]} has no {kind} above zero: leave it out")
        if (frame == 0).all().any():
            raise InvalidInputError(f"{kind} {(frame == 0).all().idxmax()!r} is zero for every unit: leave it out")
    if inputs.index.has_duplicates:
        raise InvalidInputError(f"unit given twice: {inputs.index[inputs.index.duplicated()][0]}")
    if not inputs.index.equals(outputs.index):
        raise InvalidInputError("inputs and outputs must have the same units in the same order")
    both = inputs.columns.intersection(outputs.columns)
    if len(both):
        raise InvalidInputError(f"an input and an output: {', '.join(map(str, both))}")


def _groups(index: pd.Index, groups: str | pd.Series | None) -> pd.Series:
    if groups is None:
        return pd.Series("all", index)
    if isinstance(groups, pd.Series):
        missing = index.difference(groups.index)
        if len(missing) or groups.reindex(index).isna().any():
            raise InvalidInputError(f"no group for {missing[0] if len(missing) else 'some units'}")
        return groups.reindex(index)
    if groups not in index.names:
        raise UnknownNameError("level of the index", groups, [name for name in index.names if name is not None])
    return pd.Series(index.get_level_values(groups), index)


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

    def farrell(self, returns: str) -> np.ndarray:
        """Measure every unit."""
        programs = RadialPrograms(self.inputs, self.outputs, returns, self.orientation)
        measure = programs.measure(Technology(self.inputs, self.outputs, returns))
        # A unit spans the frontier itself, so that beyond one there is only rounding.
        return np.minimum(measure, 1.0) if self.orientation == "input" else np.maximum(measure, 1.0)

    def efficiency(self, returns: str) -> np.ndarray:
        """Farrell's measure or its reciprocal, at most one."""
        measure = self.farrell(returns)
        return measure if self.orientation == "input" else 1 / measure

    def table(
        self, draws: int, smoothing: str, random: np.random.Generator, level: float
    ) -> tuple[pd.DataFrame, float]:
        """Return what there is to say of each unit, and the bandwidth of the bootstrap."""
        efficiency, bandwidth = self.efficiency(self.returns), np.nan
        columns = {"efficiency": efficiency, "farrell": efficiency if self.orientation == "input" else 1 / efficiency}
        if self.returns == "variable":
            scale = self.efficiency("constant") / efficiency
            decreasing = np.isclose(self.efficiency("non-increasing"), efficiency, rtol=ROUNDING, atol=0)
            kind = np.where(decreasing, "decreasing", "increasing")
            columns["scale_efficiency"] = np.minimum(scale, 1.0)
            columns["returns_to_scale"] = np.where(scale > 1 - ROUNDING, "constant", kind)
        if draws:
            technology = Technology(self.inputs, self.outputs, self.returns)
            distances = 1 / efficiency
            sample = bootstrap_distances(technology, distances, self.orientation, smoothing, draws, random)
            columns |= corrected_efficiency(distances, sample.distances, level)
            bandwidth = sample.bandwidth
        return pd.DataFrame(columns, self.index), bandwidth

    def projection(self, farrell: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return slacks and targets in the variables' units, and the units that span each target."""
        factor = np.ones_like(self.values)
        moved = slice(None, self.split) if self.orientation == "input" else slice(self.split, None)
        factor[:, moved] = farrell[:, None]
        radial = factor * np.hstack([self.inputs, self.outputs])
        technology = Technology(self.inputs, self.outputs, self.returns)
        slacks, weights = largest_slacks(technology, radial[:, : self.split], radial[:, self.split :])
        slacks = np.where(slacks > ROUNDING, slacks, 0.0)
        direction = np.where(np.arange(len(self.columns)) < self.split, -1.0, 1.0)
        unit, peer = np.nonzero(weights > ROUNDING)
        peers = pd.DataFrame({"unit": self.index[unit], "peer": self.index[peer], "weight": weights[unit, peer]})
        slack_frame = pd.DataFrame(slacks * self.means, self.index, self.columns)
        return slack_frame, pd.DataFrame((radial + direction * slacks) * self.means, self.index, self.columns), peers

"""The within transformation (组内变换), exact for any pattern of gaps, and least squares that names what fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.errors import InvalidInputError

EFFECTS = ("none", "entity", "time", "twoway")
CONSTANT = "const"
# Share of a variable's length that must be left once the effects or the other variables are taken out.
NOTHING_LEFT = 1e-9


def group_sums(values: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    """Return the sum of each column of ``values`` over the rows of each group."""
    sums = np.empty((groups, values.shape[1]))
    for column in range(values.shape[1]):
        sums[:, column] = np.bincount(codes, values[:, column], groups)
    return sums


def group_means(values: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean of each column of ``values`` over the rows of each group."""
    return group_sums(values, codes, groups) / np.bincount(codes, minlength=groups)[:, None]


def demean(values: np.ndarray, effects: str) -> np.ndarray:
    """Take out the means of units and periods from a balanced panel (组内去均值).

    Parameters
    ----------
    values : ndarray, shape (units, periods, ...)
    effects : {"none", "entity", "time", "twoway"}

    Returns
    -------
    ndarray
        Of the shape of ``values``.

    Examples
    --------
    >>> import numpy as np
    >>> demean(np.array([[1.0, 2.0], [3.0, 6.0]]), "twoway").tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    if effects in ("entity", "twoway"):
        values = values - values.mean(axis=1, keepdims=True)
    if effects in ("time", "twoway"):
        values = values - values.mean(axis=0, keepdims=True)
    return values


@dataclass(frozen=True, eq=False)
class Layout:
    """Which unit and period each row of a sorted panel belongs to, and the effects to take out.

    Attributes
    ----------
    index : MultiIndex
        (unit, time) of each row.
    unit, time : ndarray of int
        Positions in ``units`` and ``periods``.
    units, periods : Index
    effects : str
        One of ``EFFECTS``.
    absorbed : int
        Number of independent effects, the constant among them; zero without effects.
    """

    index: pd.MultiIndex
    unit: np.ndarray
    time: np.ndarray
    units: pd.Index
    periods: pd.Index
    effects: str
    absorbed: int
    _time_inverse: np.ndarray | None = field(repr=False)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.unit)

    def unit_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each unit, repeated for its rows."""
        return group_means(values, self.unit, len(self.units))[self.unit]

    def time_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each period, repeated for its rows."""
        return group_means(values, self.time, len(self.periods))[self.time]

    def within(self, values: np.ndarray) -> np.ndarray:
        """Return the residuals of ``values``, a column a variable, from the effects."""
        if self.effects == "none":
            return values
        if self.effects == "time":
            return values - self.time_means(values)
        left = values - self.unit_means(values)
        if self.effects == "entity":
            return left
        # Frisch-Waugh: regress on the period dummies from which the units' means are taken, then take these out.
        effects = (self._time_inverse @ group_sums(left, self.time, len(self.periods)))[self.time]
        return left - effects + self.unit_means(effects)

    def twoway_effects(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the effects of units and of periods that fit ``values``, a column a variable, up to a constant."""
        left = values - self.unit_means(values)
        time = self._time_inverse @ group_sums(left, self.time, len(self.periods))
        return group_means(values - time[self.time], self.unit, len(self.units)), time

    def draw_twoway_effects(
        self, values: np.ndarray, sigma: float, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw effects of units and of periods from their posterior under a flat prior, errors of variance sigma²."""
        mean = self.twoway_effects(values[:, None])[1][:, 0]
        # The symmetric root: unlike eigenvectors, whose signs are open, it is the same on every machine.
        size, directions = np.linalg.eigh(np.asarray(self._time_inverse))
        root = (directions * np.sqrt(np.maximum(size, 0))) @ directions.T
        time = mean + sigma * (root @ random.standard_normal(len(size)))
        rows = np.bincount(self.unit)
        unit = np.bincount(self.unit, values - time[self.time]) / rows
        return unit + sigma * random.standard_normal(len(rows)) / np.sqrt(rows), time


def _twoway(unit: np.ndarray, time: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of independent effects and an inverse of the period dummies' products within units.

    The products lose one rank for each set of units and periods that shares no effect with others, as provinces with
    years of their own do; a vector of ones over the set's periods fills it.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    units, periods = unit.max(initial=-1) + 1, time.max(initial=-1) + 1
    if len(unit) == units * periods:
        products, label, count = units * (np.eye(periods) - 1 / periods), np.zeros(periods, int), 1
    else:
        present = coo_array((np.ones(len(unit)), (unit, time)), shape=(units, periods)).tocsr()
        links = coo_array((np.ones(len(unit)), (unit, units + time)), shape=(units + periods, units + periods))
        count, label = connected_components(links, directed=False)
        label = label[units:]
        overlap = present.multiply(1 / present.sum(axis=1)[:, None]).tocsr()
        products = np.diag(present.sum(axis=0)) - (present.T @ overlap).toarray()
    size = np.bincount(label, minlength=count)
    weight = np.bincount(label, np.diagonal(products), count) / np.maximum(size, 1) ** 2
    filled = products + (label[:, None] == label) * np.where(weight > 0, weight, 1.0)[label]
    return int(units + periods - count), np.linalg.inv(filled)


def make_layout(index: pd.MultiIndex, effects: str, periods_by: pd.Series | None = None) -> Layout:
    """Return the layout of a panel sorted by unit and time.

    Parameters
    ----------
    index : MultiIndex
    effects : {"none", "entity", "time", "twoway"}
    periods_by : Series, optional
        Group of each row, such as its unit's province, that has period effects of its own.

    Raises
    ------
    UnknownNameError
        For other effects.
    """
    check_choice("effects", effects, EFFECTS)
    unit, units = pd.factorize(index.get_level_values(0))
    time, periods = pd.factorize(index.get_level_values(1), sort=True)
    if periods_by is not None:
        group = pd.factorize(periods_by, sort=True)[0]
        time, periods = pd.factorize(time * (group.max() + 1) + group, sort=True)
        periods = pd.Index(periods)
    absorbed, inverse = {"none": 0, "entity": len(units), "time": len(periods), "twoway": 0}[effects], None
    if effects == "twoway":
        absorbed, inverse = _twoway(unit, time)
    return Layout(index, unit, time, units, periods, effects, absorbed, inverse)


def weighted_within(values: np.ndarray, weights: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the residuals of ``values``, a column a variable, from both effects by least squares with weights.

    As :meth:`Layout.within` for effects of units and periods, or of origins and destinations, where each row counts
    ``weights`` times.
    """
    shape = len(layout.units), len(layout.periods)
    cells = np.bincount(layout.unit * shape[1] + layout.time, weights, shape[0] * shape[1]).reshape(shape)
    by_unit, by_time = cells.sum(axis=1), np.sqrt(cells.sum(axis=0))

    def unit_means(rows: np.ndarray) -> np.ndarray:
        return (group_sums(weights[:, None] * rows, layout.unit, shape[0]) / by_unit[:, None])[layout.unit]

    left = values - unit_means(values)
    scaled = cells / by_time
    products = np.eye(shape[1]) - scaled.T @ (scaled / by_unit[:, None])
    sums = group_sums(weights[:, None] * left, layout.time, shape[1]) / by_time[:, None]
    # One direction is lost in each set of rows that shares no effect with others.
    solved = np.linalg.pinv(products, rcond=1e-12, hermitian=True) @ sums / by_time[:, None]
    effects = solved[layout.time]
    return left - effects + unit_means(effects)


_WHY_NOTHING_IS_LEFT = {
    "none": "is the same in every row",
    "entity": "does not vary within units",
    "time": "does not vary within periods",
    "twoway": "is a sum of unit and period effects",
    "pairs": "is a sum of origin and destination effects",
}


def check_variation(raw: np.ndarray, left: np.ndarray, names: Sequence[str], effects: str) -> None:
    """Raise InvalidInputError naming the columns of which the effects leave nothing but rounding.

    Parameters
    ----------
    raw, left : ndarray, shape (rows, columns)
        Before and after the effects are taken out; without effects the mean is.
    names : sequence of str
    effects : str
    """
    if effects == "none":
        left = raw - raw.mean(axis=0)
    gone = np.linalg.norm(left, axis=0) <= NOTHING_LEFT * np.linalg.norm(raw, axis=0)
    if gone.any():
        lost = ", ".join(str(name) for name, none in zip(names, gone, strict=True) if none)
        raise InvalidInputError(
            f"{lost} {_WHY_NOTHING_IS_LEFT[effects]}, so that nothing can be told of it: leave it out"
        )


def collinear_columns(X: np.ndarray, size: np.ndarray | None = None) -> list[int]:
    """Return the columns of ``X`` that are linear combinations of those before them, but for rounding.

    Parameters
    ----------
    X : ndarray, shape (rows, columns)
    size : ndarray, shape (columns,), optional
        Lengths that are judged by, such as those before effects are taken out; by default the columns' own.
    """
    length = np.asarray(np.linalg.norm(X, axis=0) if size is None else size)
    scaled = X / np.where(length > 0, length, 1.0)
    depth = np.abs(np.diagonal(np.linalg.qr(scaled, mode="r")))
    # A column past the number of rows has no place in the triangle.
    return [j for j in range(X.shape[1]) if j >= len(depth) or depth[j] < NOTHING_LEFT]


def check_rank(X: np.ndarray, names: Sequence[str]) -> None:
    """Raise InvalidInputError naming the columns of ``X`` that are linear combinations of those before them."""
    bad = collinear_columns(X)
    if bad:
        raise InvalidInputError(
            f"collinear with the other variables: {', '.join(str(names[i]) for i in bad)}; leave it out"
        )


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """A fit: coefficients, the inverse of the cross-products, residuals."""

    params: np.ndarray
    inverse: np.ndarray
    residuals: np.ndarray


def least_squares(y: np.ndarray, X: np.ndarray, names: Sequence[str], absorbed: int = 0) -> LeastSquares:
    """Fit by the QR decomposition of columns scaled to length one.

    Raises
    ------
    InvalidInputError
        If columns are collinear, or there are no more rows than coefficients and effects.
    """
    n, k = X.shape
    if n <= k + absorbed:
        raise InvalidInputError(f"{n} rows for {k} coefficients and {absorbed} effects: there must be more rows")
    check_rank(X, names)
    scale = np.linalg.norm(X, axis=0)
    Q, R = np.linalg.qr(X / scale)
    R_inverse = np.linalg.inv(R) / scale[:, None]
    params = R_inverse @ (Q.T @ y)
    return LeastSquares(params, R_inverse @ R_inverse.T, y - X @ params)

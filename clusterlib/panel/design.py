"""Rows of a panel, the exact within transformation for any pattern of gaps, and least squares that names what fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inputs import as_names, check_panel

EFFECTS = ("none", "entity", "time", "twoway")
CONSTANT = "const"
# Share of a variable's length that must be left once the effects or the other variables are taken out.
_NOTHING_LEFT = 1e-9


def group_sums(values: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    """Return the sum of each column of ``values`` over the rows of each group."""
    sums = np.empty((groups, values.shape[1]))
    for column in range(values.shape[1]):
        sums[:, column] = np.bincount(codes, values[:, column], groups)
    return sums


def _group_means(values: np.ndarray, codes: np.ndarray, groups: int) -> np.ndarray:
    return group_sums(values, codes, groups) / np.bincount(codes, minlength=groups)[:, None]


@dataclass(frozen=True)
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
    _time_inverse: np.ndarray | None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.unit)

    def unit_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each unit, repeated for its rows."""
        return _group_means(values, self.unit, len(self.units))[self.unit]

    def time_means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each period, repeated for its rows."""
        return _group_means(values, self.time, len(self.periods))[self.time]

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


def _time_products(unit: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Cross-products of the period dummies after the units' means are taken out."""
    from scipy.sparse import coo_array

    units, periods = unit.max(initial=-1) + 1, time.max(initial=-1) + 1
    if len(unit) == units * periods:
        return units * (np.eye(periods) - 1 / periods)
    present = coo_array((np.ones(len(unit)), (unit, time))).tocsr()
    overlap = present.multiply(1 / present.sum(axis=1)[:, None]).tocsr()
    return np.diag(present.sum(axis=0)) - (present.T @ overlap).toarray()


def make_layout(index: pd.MultiIndex, effects: str) -> Layout:
    """Return the layout of a panel sorted by unit and time.

    Raises
    ------
    UnknownNameError
        For other effects.
    """
    if effects not in EFFECTS:
        raise UnknownNameError("effects", effects, EFFECTS)
    unit, units = pd.factorize(index.get_level_values(0))
    time, periods = pd.factorize(index.get_level_values(1), sort=True)
    absorbed, inverse = {"none": 0, "entity": len(units), "time": len(periods)}.get(effects), None
    if effects == "twoway":
        products = _time_products(unit, time)
        inverse = np.linalg.pinv(products, rcond=1e-10, hermitian=True)
        absorbed = len(units) + int(np.linalg.matrix_rank(products, tol=1e-10 * len(unit), hermitian=True))
    return Layout(index, unit, time, units, periods, effects, absorbed, inverse)


@dataclass(frozen=True)
class Design:
    """The variables of a regression with their effects taken out; without effects a constant is among ``names``."""

    layout: Layout
    names: tuple[str, ...]
    y: np.ndarray
    X: np.ndarray


def make_design(data: pd.DataFrame, y: str, x: str | Iterable[str], effects: str, extra: Sequence[str] = ()) -> Design:
    """Check the columns and take the effects out of them; the columns of ``extra`` come last.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`.
    """
    names = [*as_names(x), *extra]
    frame = check_panel(data, [y, *names])
    if frame.empty:
        raise InvalidInputError("the panel has no rows")
    layout = make_layout(frame.index, effects)
    raw = frame.to_numpy()
    values = layout.within(raw)
    _check_variation(raw, values, list(frame.columns), effects)
    X = values[:, 1:]
    if effects == "none":
        X, names = np.column_stack([np.ones(len(X)), X]), [CONSTANT, *names]
    return Design(layout, tuple(names), values[:, 0], X)


def _check_variation(raw: np.ndarray, left: np.ndarray, names: list[str], effects: str) -> None:
    if effects == "none":
        left = raw - raw.mean(axis=0)
    gone = np.linalg.norm(left, axis=0) <= _NOTHING_LEFT * np.linalg.norm(raw, axis=0)
    if gone.any():
        reason = {
            "none": "is the same in every row",
            "entity": "does not vary within units",
            "time": "does not vary within periods",
            "twoway": "is a sum of unit and period effects",
        }[effects]
        listed = ", ".join(name for name, none in zip(names, gone, strict=True) if none)
        raise InvalidInputError(f"{listed} {reason}, so that nothing can be told of it: leave it out")


@dataclass(frozen=True)
class LeastSquares:
    """A fit: coefficients, the inverse of the cross-products, residuals."""

    params: np.ndarray
    inverse: np.ndarray
    residuals: np.ndarray


def check_rank(X: np.ndarray, names: Sequence[str]) -> None:
    """Raise InvalidInputError naming the columns of ``X`` that are linear combinations of those before them."""
    from scipy.linalg import qr

    _, triangle = qr(X / np.linalg.norm(X, axis=0), mode="economic")
    bad = np.flatnonzero(np.abs(np.diag(triangle)) < _NOTHING_LEFT)
    if len(bad) or X.shape[1] > X.shape[0]:
        listed = ", ".join(str(names[i]) for i in bad) or str(names[-1])
        raise InvalidInputError(f"collinear with the other variables: {listed}; leave it out")


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

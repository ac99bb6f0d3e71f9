"""From a frame and weights to the demeaned arrays that spatial panel models are fitted to (数据准备)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen
from clusterlib.core.checks import ROUNDING, as_names, check_balanced, check_choice, check_panel, panel_index
from clusterlib.core.within import CONSTANT, EFFECTS, NOTHING_LEFT, check_variation, collinear_columns, demean
from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

PARAMETERS = ("rho", "lam")


def spatial_lag(weights: Weights, values: np.ndarray) -> np.ndarray:
    """Return W times each period of an array (units, periods, ...) (空间滞后)."""
    return (weights.matrix @ values.reshape(len(values), -1)).reshape(values.shape)


@dataclass(frozen=True, eq=False)
class Design:
    """A balanced panel, its regressors and what is left of them once the effects are taken out.

    Attributes
    ----------
    index : MultiIndex
        Of the rows, sorted by unit and period.
    absorbed : int
        Number of independent effects.
    names : tuple of str
        Of the regressors: the constant if there is one, ``x``, then ``W_x``.
    y : ndarray, shape (units, periods)
    response, lagged_response : ndarray, shape (units, periods)
        y and Wy without the effects.
    regressors : ndarray, shape (units, periods, len(names))
        Without the effects.
    """

    index: pd.MultiIndex = field(repr=False)
    weights: Weights = field(repr=False)
    effects: str
    absorbed: int
    response_name: str
    x: tuple[str, ...]
    durbin: tuple[str, ...]
    names: tuple[str, ...]
    y: np.ndarray = field(repr=False)
    response: np.ndarray = field(repr=False)
    lagged_response: np.ndarray = field(repr=False)
    regressors: np.ndarray = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of units and periods."""
        n, periods = self.y.shape
        return n, periods

    @property
    def timed(self) -> bool:
        """Whether there are effects of periods."""
        return self.effects in ("time", "twoway")

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        basis, triangle = np.linalg.qr(self.flat(self.regressors))
        return basis, triangle

    @property
    def basis(self) -> np.ndarray:
        """An orthonormal basis of the regressors, a row an observation."""
        return self._factors[0]

    @property
    def triangle(self) -> np.ndarray:
        """What the basis is multiplied by to give the regressors."""
        return self._factors[1]

    def left(self, values: np.ndarray) -> np.ndarray:
        """Return what the regressors leave of rows of observations."""
        return values - self.basis @ (self.basis.T @ values)

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Return an array (units, periods, ...) with units and periods as rows."""
        return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])

    def series(self, values: np.ndarray, like: pd.Index, name: str) -> pd.Series:
        """Return an array (units, periods) as a Series in the order of another index."""
        series = pd.Series(values.ravel(), index=self.index, name=name)
        return series if self.index.equals(like) else series.reindex(like)


def balanced_values(data: pd.DataFrame, names: list[str], effects: str) -> tuple[pd.MultiIndex, np.ndarray]:
    """Return the index and the columns of a sorted, balanced panel, shape (units, periods, columns)."""
    frame = check_panel(data, names)
    n, periods = check_balanced(frame)
    if effects in ("entity", "twoway") and periods < 2:
        raise InvalidInputError(f"effects={effects!r} need two periods or more, got {periods}; use effects='none'")
    if n < 3:
        raise InvalidInputError(f"{n} unit(s): a spatial model needs three or more")
    return panel_index(frame), frame.to_numpy().reshape(n, periods, -1)


def without_effects(values: np.ndarray, names: list[str], effects: str) -> tuple[np.ndarray, int]:
    """Take the effects out of y, which stands first, and its regressors, and count the independent effects.

    Raises
    ------
    InvalidInputError
        Naming a column that does not vary within the effects, or that those before it make up.
    """
    n, periods, k = values.shape
    within = demean(values, effects)
    raw, left = values.reshape(-1, k), within.reshape(-1, k)
    varying = [place for place, name in enumerate(names) if name != CONSTANT]
    check_variation(raw[:, varying], left[:, varying], [names[place] for place in varying], effects)
    absorbed = {"none": 0, "entity": n, "time": periods, "twoway": n + periods - 1}[effects]
    if n * periods <= k - 1 + absorbed:
        counted = f"{k - 1} coefficients" + (f" and {absorbed} effects" if absorbed else "")
        raise InvalidInputError(f"{n * periods} observation(s) for {counted}: leave out variables")
    collinear = [names[1 + place] for place in collinear_columns(left[:, 1:])]
    if collinear:
        among = "" if effects == "none" else f" within {effects} effects"
        raise InvalidInputError(
            f"{', '.join(collinear)}: a linear combination of the regressors before it{among} "
            f"({', '.join(names[1:])}); leave it out, or its spatial lag by durbin="
        )
    return within, absorbed


def check_error(left: np.ndarray, response: np.ndarray, y: np.ndarray, name: str) -> None:
    """Refuse a response of which the regressors leave nothing but rounding."""
    size = np.linalg.norm(left)
    if size <= max(NOTHING_LEFT * np.linalg.norm(response), ROUNDING * np.linalg.norm(y)):
        raise InvalidInputError(f"{name} is a linear combination of x: no error is left to model")


def _lagged_names(x: list[str], durbin: str | Iterable[str] | None) -> list[str]:
    if durbin is None:
        return list(x)
    durbin = as_names(durbin, "durbin")
    for name in durbin:
        if name not in x:
            raise UnknownNameError("durbin variable", name, x, "spatial lags are taken of variables in x")
    if not durbin:
        raise InvalidInputError("durbin= names no variable: choose a model without spatial lags of x")
    return [name for name in x if name in durbin]


def _regressors(
    values: np.ndarray, x: list[str], lagged: list[str], weights: Weights, effects: str, reserved: tuple[str, ...]
) -> tuple[np.ndarray, list[str]]:
    """Set constant, x and spatial lags of x side by side, with their names."""
    names = [str(name) for name in x]
    parts = [values]
    if effects == "none":
        parts.insert(0, np.ones((*values.shape[:2], 1)))
        names.insert(0, CONSTANT)
    if lagged:
        parts.append(spatial_lag(weights, values[..., [x.index(name) for name in lagged]]))
        names += [f"W_{name}" for name in lagged]
    clash = sorted({name for name in names if names.count(name) > 1 or name in (*reserved, "sigma2")})
    if clash:
        raise InvalidInputError(f"{', '.join(clash)}: the name of a parameter or a spatial lag; rename the column")
    return np.concatenate(parts, axis=2), names


def _check_steps(periods: pd.Index) -> None:
    """Refuse numbered periods that are not equally far apart, where the row before is not one step before."""
    if len(periods) < 3:
        raise InvalidInputError(f"{len(periods)} period(s): a dynamic model loses the first, and needs three or more")
    steps = np.diff(periods.to_numpy()) if pd.api.types.is_numeric_dtype(periods) else np.zeros(1)
    if steps.min() < steps.max():
        after = periods[int(np.argmax(steps))]
        raise InvalidInputError(f"the periods are not equally far apart, see after {after}: take a span without gaps")


def make_design(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    effects: str,
    *,
    lags: bool = False,
    durbin: str | Iterable[str] | None = None,
    weights_name: str = "w",
    reserved: tuple[str, ...] = PARAMETERS,
    time_lags: tuple[str, ...] = (),
) -> Design:
    """Check a panel and weights and set them out for estimation.

    Parameters
    ----------
    data, y, x, w, effects, durbin
        As :func:`clusterlib.spatial_panel.spatial_panel`.
    lags : bool
        Whether the regressors include spatial lags of x.
    weights_name : str
        What messages call the weights.
    reserved : tuple of str
        Names of parameters, which no column may have.
    time_lags : tuple of str
        ``"tau"`` and ``"eta"`` if y of the period before, and its spatial lag, are the last regressors. The first
        period is then lost.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.spatial_panel.spatial_panel`.
    """
    check_choice("effects", effects, EFFECTS)
    x = as_names(x, "x")
    if not x:
        raise InvalidInputError("x names no variable")
    lagged = _lagged_names(x, durbin) if lags else []
    index, values = balanced_values(data, [y, *x], effects)
    weights = align_weights(w, index.unique(0), weights_name, given=first_seen(data.index))
    response = values[..., 0]
    regressors, names = _regressors(values[..., 1:], x, lagged, weights, effects, reserved)
    if time_lags:
        _check_steps(index.unique(1))
        before = {"tau": response[:, :-1], "eta": spatial_lag(weights, response[:, :-1])}
        names += time_lags
        index = index[np.tile(np.arange(response.shape[1]) > 0, len(response))]
        response = response[:, 1:]
        regressors = np.dstack([regressors[:, 1:], *(before[name] for name in time_lags)])
    both = np.dstack([response, regressors])
    within, absorbed = without_effects(both, [str(y), *names], effects)
    design = Design(
        index=index,
        weights=weights,
        effects=effects,
        absorbed=absorbed,
        response_name=str(y),
        x=tuple(map(str, x)),
        durbin=tuple(map(str, lagged)),
        names=tuple(names),
        y=response,
        response=np.ascontiguousarray(within[..., 0]),
        lagged_response=demean(spatial_lag(weights, response), effects),
        regressors=np.ascontiguousarray(within[..., 1:]),
    )
    check_error(design.left(design.response.ravel()), design.response, response, str(y))
    return design

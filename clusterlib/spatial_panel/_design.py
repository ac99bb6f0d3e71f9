"""From a frame and weights to the demeaned arrays that spatial panel models are fitted to (数据准备)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen
from clusterlib.core.checks import as_names, check_balanced, check_panel
from clusterlib.core.within import CONSTANT, EFFECTS, demean
from clusterlib.errors import InvalidInputError, UnknownNameError

_FLAT = 1e-10


def spatial_lag(weights: Weights, values: np.ndarray) -> np.ndarray:
    """Return W times each period of an array (units, periods, ...) (空间滞后)."""
    return (weights.matrix @ values.reshape(len(values), -1)).reshape(values.shape)


@dataclass(frozen=True)
class Design:
    """A balanced panel, its regressors and what is left of them once the effects are taken out.

    Attributes
    ----------
    index : MultiIndex
        Of the rows, sorted by unit and period.
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
        return self.y.shape

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Return an array (units, periods, ...) with units and periods as rows."""
        return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])

    def series(self, values: np.ndarray, like: pd.Index, name: str) -> pd.Series:
        """Return an array (units, periods) as a Series in the order of another index."""
        series = pd.Series(values.ravel(), index=self.index, name=name)
        return series if self.index.equals(like) else series.reindex(like)


def _lagged_names(x: list[str], durbin: Iterable[str] | str | None) -> list[str]:
    if durbin is None:
        return list(x)
    durbin = as_names(durbin)
    for name in durbin:
        if name not in x:
            raise UnknownNameError("durbin variable", name, x, "spatial lags are taken of variables in x")
    if not durbin:
        raise InvalidInputError("durbin= names no variable: choose a model without spatial lags of x")
    return [name for name in x if name in durbin]


def _check_size(effects: str, n: int, periods: int) -> None:
    if effects in ("entity", "twoway") and periods < 2:
        raise InvalidInputError(f"effects={effects!r} need two periods or more, got {periods}; use effects='none'")
    if n < 3:
        raise InvalidInputError(f"{n} unit(s): a spatial model needs three or more")


def _check_rank(columns: np.ndarray, given: np.ndarray, names: list[str], effects: str) -> None:
    """Refuse columns that do not vary, or that those before them make up, by name."""
    norms, spread = np.linalg.norm(columns, axis=0), np.linalg.norm(given, axis=0)
    flat = [name for name, norm, whole in zip(names, norms, spread, strict=True) if norm <= _FLAT * whole]
    if flat:
        why = "is zero everywhere" if effects == "none" else f"does not vary once {effects} effects are taken out"
        raise InvalidInputError(f"{', '.join(flat)} {why}: leave it out")
    rows = len(columns)
    if rows <= len(names):
        raise InvalidInputError(f"{rows} observation(s) for {len(names)} coefficients: leave out variables")
    remaining = np.abs(np.diagonal(np.linalg.qr(columns / norms, mode="r")))
    collinear = [name for name, left in zip(names, remaining, strict=True) if left < 1e-9]
    if collinear:
        among = "" if effects == "none" else f" within {effects} effects"
        raise InvalidInputError(
            f"{', '.join(collinear)}: a linear combination of the regressors before it{among} "
            f"({', '.join(names)}); leave it out, or its spatial lag by durbin="
        )


def _regressors(
    values: np.ndarray, x: list[str], lagged: list[str], weights: Weights, effects: str
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
    clash = sorted({name for name in names if names.count(name) > 1 or name in ("rho", "lam", "sigma2")})
    if clash:
        raise InvalidInputError(f"{', '.join(clash)}: the name of a parameter or a spatial lag; rename the column")
    return np.concatenate(parts, axis=2), names


def make_design(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w,
    effects: str,
    *,
    lags: bool = False,
    durbin: Iterable[str] | None = None,
    weights_name: str = "w",
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

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.spatial_panel.spatial_panel`.
    """
    if effects not in EFFECTS:
        raise UnknownNameError("effects", effects, EFFECTS)
    x = as_names(x)
    if not x:
        raise InvalidInputError("x names no variable")
    lagged = _lagged_names(x, durbin) if lags else []
    frame = check_panel(data, [y, *x])
    n, periods = check_balanced(frame)
    _check_size(effects, n, periods)
    weights = align_weights(w, frame.index.unique(0), weights_name, given=first_seen(data.index))
    values = frame.to_numpy().reshape(n, periods, -1)
    response = values[..., 0]
    regressors, names = _regressors(values[..., 1:], x, lagged, weights, effects)
    within = demean(regressors, effects)
    _check_rank(within.reshape(n * periods, -1), regressors.reshape(n * periods, -1), names, effects)
    if np.linalg.norm(demean(response - response.mean(), effects)) <= _FLAT * np.linalg.norm(response):
        raise InvalidInputError(f"{y} does not vary once the effects are taken out")
    return Design(
        index=frame.index,
        weights=weights,
        effects=effects,
        response_name=str(y),
        x=tuple(map(str, x)),
        durbin=tuple(map(str, lagged)),
        names=tuple(names),
        y=response,
        response=demean(response, effects),
        lagged_response=demean(spatial_lag(weights, response), effects),
        regressors=within,
    )

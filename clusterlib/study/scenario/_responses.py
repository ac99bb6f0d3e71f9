"""What estimated models say a change leads to, at home and elsewhere (模型的反事实响应)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights
from clusterlib.core.checks import as_floats, check_choice, check_columns, check_finite, check_units, check_whole
from clusterlib.core.resampling import draw_normal
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike

# Beyond, rounds take longer than a system of equations.
_SLOW = 0.9
# Draws of like rhos go together, so that the few with large ones do not set the rounds of all.
_TOGETHER = 200


@dataclass(frozen=True, eq=False)
class DurbinResponse(Result):
    """Response to a change of regressors in a spatial Durbin model (空间杜宾模型的反事实响应).

    Attributes
    ----------
    units : Index
    direct, total : ndarray, shape (units, 1 + draws)
        What a unit's own change gives it, and what all changes do, in the unit of y; the first column at the estimates,
        then by draw.
    rejected : int
        Draws that were made again because rho was not below one in modulus.
    """

    units: pd.Index = field(repr=False)
    direct: np.ndarray = field(repr=False)
    total: np.ndarray = field(repr=False)
    rejected: int

    @property
    def table(self) -> pd.DataFrame:
        """Direct effect, spillover from the changes of others and both by unit, with 95 percent intervals."""
        return effect_table(self.units, 0.95, direct=self.direct, spillover=self.total - self.direct, total=self.total)


@dataclass(frozen=True, eq=False)
class BorderResponse(Result):
    """Response to a common impulse under three regimes of the border (边界情景响应).

    Attributes
    ----------
    units : Index
    alone : ndarray, shape (units, 1 + draws)
        Nothing crosses the border; the first column at the estimates, then by draw.
    present : ndarray, shape (units, 1 + draws)
        As estimated.
    joint : ndarray, shape (units, 1 + draws)
        Across the border as within.
    rejected : int
        Draws that were made again because a rho was not below one in modulus.
    """

    units: pd.Index = field(repr=False)
    alone: np.ndarray = field(repr=False)
    present: np.ndarray = field(repr=False)
    joint: np.ndarray = field(repr=False)
    rejected: int

    @property
    def table(self) -> pd.DataFrame:
        """The three regimes by unit, with 95 percent intervals."""
        return effect_table(self.units, 0.95, alone=self.alone, present=self.present, joint=self.joint)


def interval(values: np.ndarray, level: float) -> np.ndarray:
    """Return estimate and bounds, shape (..., 3), of values whose last axis holds the estimate and then the draws."""
    bounds = np.quantile(values[..., 1:], [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return np.stack([values[..., 0], *bounds], axis=-1)


def effect_table(units: pd.Index, level: float, **parts: np.ndarray) -> pd.DataFrame:
    """Set effects by unit, shape (units, 1 + draws) each, with bounds beside each."""
    effects = np.hstack([interval(values, level) for values in parts.values()])
    return pd.DataFrame(effects, units, [f"{name}{end}" for name in parts for end in ("", "_lower", "_upper")])


def _check_changes(changes: Any, none: str) -> pd.DataFrame:
    """Return what changes by unit as floats, complete and each unit once."""
    names = check_columns(changes, getattr(changes, "columns", ()))
    check_units(changes.index, "change")
    check_finite(changes, none)
    return as_floats(changes, names)


def _check_result(result: Any, *needed: str) -> None:
    if not all(hasattr(result, name) for name in needed):
        raise InvalidInputError(f"expected estimates with {', '.join(needed)}, got a {type(result).__name__}")


def _draw(
    result: Any, names: list[str], covariance: Any, draws: int, seed: int, stable: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, int]:
    """Return the estimates and below them draws from their normal distribution, and how many were not stable."""
    spread = result.covariance if covariance is None else covariance
    if not isinstance(spread, pd.DataFrame):
        raise InvalidInputError(f"covariance: expected a DataFrame by parameter, got a {type(spread).__name__}")
    for labels in (result.params.index, spread.index, spread.columns):
        for name in names:
            check_choice("parameter", name, labels)
    mean, spread = result.params[names].to_numpy(float), spread.loc[names, names].to_numpy(float)
    drawn, rejected = draw_normal(mean, spread, check_whole("draws", draws, 2), check_whole("seed", seed), stable)
    return np.vstack([mean, drawn]), rejected


def durbin_response(
    result: Any,
    w: WeightsLike,
    changes: pd.DataFrame,
    *,
    covariance: pd.DataFrame | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> DurbinResponse:
    r"""Response of y to a change of regressors in a spatial Durbin model (空间杜宾模型的反事实响应).

    .. math:: \Delta y = (I - \rho W)^{-1} \sum_k (\beta_k I + \theta_k W) \Delta x_k = \sum_k M_k \Delta x_k

    The direct effect of unit i is what its own change gives it, :math:`\sum_k M_{k,ii} \Delta x_{k,i}`, feedback
    through neighbours included; the rest of :math:`\Delta y_i` has spilt over from the changes of others. Draws are of
    all slopes and rho from the normal distribution of the estimates; with the model's covariance they are those of
    :meth:`clusterlib.spatial_panel.SpatialPanelResult.impacts` with the same seed.

    Parameters
    ----------
    result : SpatialPanelResult
        Of a model with spatial lags of x, of y or both.
    w : Graph, W, DataFrame, array or sparse matrix
        Row-standardised, of the units of ``changes``.
    changes : DataFrame
        By unit, one column a regressor of the model that changes; in its unit.
    covariance : DataFrame, optional
        Of slopes and rho, such as of :func:`clusterlib.spatial_panel.cluster_covariance`; by default that of the model.
    draws, seed : int

    Returns
    -------
    DurbinResponse

    Raises
    ------
    InvalidInputError
        For missing changes, weights of other units and estimates so vague that hardly a draw is stable.
    UnknownNameError
        If a column is no regressor of the model.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics, section 2.7. CRC Press.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from types import SimpleNamespace
    >>> names = ["x", "W_x", "rho"]
    >>> known = {"params": pd.Series([1.0, 0.2, 0.5], names), "covariance": pd.DataFrame(np.eye(3) / 1e4, names, names)}
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> changes = pd.DataFrame({"x": [1.0] + 19 * [0.0]})
    >>> response = durbin_response(SimpleNamespace(x=["x"], durbin=["x"], **known), ring, changes, draws=10)
    >>> bool(response.direct[0, 0] > 1), bool(response.total[1, 0] > response.direct[1, 0] == 0)
    (True, True)
    """
    changes = _check_changes(changes, "a unit that does not change has a change of zero")
    _check_result(result, "x", "durbin", "params", "covariance")
    for name in changes.columns:
        check_choice("regressor", name, result.x)
    weights = align_weights(w, changes.index, "w")
    names = [*result.x, *(f"W_{name}" for name in result.durbin), *(["rho"] if "rho" in result.params else [])]

    def stable(drawn: np.ndarray) -> np.ndarray:
        return np.abs(drawn[:, -1]) < 1 if names[-1] == "rho" else np.ones(len(drawn), bool)

    values, rejected = _draw(result, names, covariance, draws, seed, stable)
    direct, total = _responses(weights.matrix, changes, pd.DataFrame(values, columns=names))
    return DurbinResponse(changes.index, direct, total, rejected)


def _responses(matrix: csr_array, changes: pd.DataFrame, values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Direct and total response at rows of coefficients, shape (units, rows) each."""
    units, rows = len(changes), len(values)
    zero = np.zeros(rows)
    moved = np.flatnonzero((changes != 0).any(axis=1))
    # One column for each unit that changes, so that what it gives itself is told from what it gives others.
    first = np.zeros((units, len(moved), rows))
    for name in changes.columns:
        alone = np.zeros((units, len(moved)))
        alone[moved, np.arange(len(moved))] = changes[name].to_numpy()[moved]
        slopes = values[name].to_numpy(), values.get(f"W_{name}", pd.Series(zero)).to_numpy()
        first += alone[..., None] * slopes[0] + (matrix @ alone)[..., None] * slopes[1]
    if not len(moved):
        return np.zeros((units, rows)), np.zeros((units, rows))
    rho = values.get("rho", pd.Series(zero)).to_numpy()
    reached = propagate([matrix], rho[None], first)
    direct = np.zeros((units, rows))
    direct[moved] = reached[moved, np.arange(len(moved))]
    return direct, reached.sum(axis=1)


def border_response(
    result: Any, within: WeightsLike, across: WeightsLike, impulse: pd.Series, *, draws: int = 1000, seed: int = 0
) -> BorderResponse:
    r"""Response to an impulse in a model with one spatial lag within borders and another across (边界情景响应).

    .. math:: \Delta y = (I - \rho_1 W_1 - \rho_2 W_2)^{-1} z

    with the estimates (present), with :math:`\rho_2 := \rho_1` (joint targets) and with :math:`\rho_2 := 0` (each
    jurisdiction acts alone: it has only what it does itself).

    Parameters
    ----------
    result : TwoWeightsResult or SharedShocksResult
    within, across : Graph, W, DataFrame, array or sparse matrix
        The weights that the model was estimated with, of the units of ``impulse``; together rows sum to at most one.
    impulse : Series
        What each unit gets first, in the unit of y.
    draws, seed : int
        Of both rhos from the normal distribution of the estimates.

    Returns
    -------
    BorderResponse

    Raises
    ------
    InvalidInputError
        For a missing impulse, weights of other units, estimates that are not below one in modulus and estimates so
        vague that hardly a draw is.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from types import SimpleNamespace
    >>> names = ["rho_within", "rho_across"]
    >>> covariance = pd.DataFrame(np.eye(2) * 1e-4, names, names)
    >>> estimates = SimpleNamespace(params=pd.Series([0.5, 0.1], names), covariance=covariance)
    >>> within = np.array([[0, 0.5, 0], [1, 0, 0], [0, 0, 0.0]])
    >>> across = np.array([[0, 0, 0.5], [0, 0, 0], [1, 0, 0.0]])
    >>> found = border_response(estimates, within, across, pd.Series([1.0, 1.0, 1.0]), draws=10)
    >>> [regime[:, 0].round(2).tolist() for regime in (found.alone, found.present, found.joint)]
    [[1.43, 1.71, 1.0], [1.49, 1.75, 1.15], [2.0, 2.0, 2.0]]
    """
    given = impulse.to_frame("impulse") if isinstance(impulse, pd.Series) else impulse
    first = _check_changes(given, "an impulse is zero where there is none").to_numpy()
    if first.shape[1] != 1:
        raise InvalidInputError(f"impulse: expected one value a unit, got {first.shape[1]} columns")
    _check_result(result, "params", "covariance")
    one, other = (align_weights(w, impulse.index, name).matrix for w, name in ((within, "within"), (across, "across")))

    def stable(drawn: np.ndarray) -> np.ndarray:
        return np.abs(drawn).max(axis=1) < 1

    values, rejected = _draw(result, ["rho_within", "rho_across"], None, draws, seed, stable)
    inside, outside = values.T
    reached = {
        "alone": propagate([one], inside[None], first),
        "present": propagate([one, other], np.stack([inside, outside]), first),
        "joint": propagate([one + other], inside[None], first),
    }
    return BorderResponse(impulse.index, **reached, rejected=rejected)


def propagate(matrices: list[csr_array], rhos: np.ndarray, impulses: np.ndarray) -> np.ndarray:
    r"""Solve for what impulses come to once they have passed between neighbours (空间乘数传导).

    .. math:: y = \sum_a \rho_a W_a y + z, \qquad y = \Bigl(I - \sum_a \rho_a W_a\Bigr)^{-1} z

    by :math:`y \leftarrow \sum_a \rho_a W_a y + z`, for all draws of the rhos at once and without an inverse: rows of
    the matrices together sum to at most one, so every round brings y nearer by the factor :math:`\max_a |\rho_a|`.
    Draws with a rho beyond 0.9 in modulus are solved as systems of equations.

    Parameters
    ----------
    matrices : list of sparse matrices, shape (units, units)
        Not negative; together their rows sum to at most one.
    rhos : ndarray, shape (matrices, draws)
        Each below one in modulus: the process is then stable.
    impulses : ndarray, shape (units, ..., draws) or (units, ..., 1)
        What each unit gets first.

    Returns
    -------
    ndarray, shape (units, ..., draws)

    Raises
    ------
    InvalidInputError
        For a rho of one or more in modulus, and rows that sum to more than one.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> pair = csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
    >>> propagate([pair], np.array([[0.5]]), np.array([[1.0], [0.0]])).round(4).tolist()
    [[1.3333], [0.6667]]
    """
    largest = float(np.abs(rhos).max())
    if not largest < 1:
        raise InvalidInputError(f"a rho of {largest:.4g} in modulus: from one on, impulses grow without end")
    sums = np.sum([matrix.sum(axis=1) for matrix in matrices], axis=0)
    if sums.max() > 1 + 1e-9:
        raise InvalidInputError(f"a row of the weights sums to {sums.max():.4g}: row-standardise them")
    shape = np.broadcast_shapes(impulses.shape, (*impulses.shape[:-1], rhos.shape[1]))
    first, reached = np.broadcast_to(impulses, shape), np.empty(shape)
    furthest = np.abs(rhos).max(axis=0)
    order = np.argsort(furthest)
    fast, slow = np.split(order, [np.count_nonzero(furthest <= _SLOW)])
    for some in np.array_split(fast, -(-len(fast) // _TOGETHER) or 1):
        reached[..., some] = _in_rounds(matrices, rhos.take(some, axis=1), first.take(some, axis=-1))
    dense = np.stack([matrix.toarray() for matrix in matrices])
    for draw in slow:
        system = np.eye(len(first)) - np.tensordot(rhos[:, draw], dense, 1)
        reached[..., draw] = np.linalg.solve(system, first[..., draw])
    return reached


def _in_rounds(matrices: list[csr_array], rhos: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Pass impulses on so often that nothing above rounding is left to pass."""
    from scipy.sparse import hstack

    largest = float(np.abs(rhos).max(initial=0.0))
    rounds = int(np.ceil(np.log(np.finfo(float).eps) / np.log(largest))) if largest > 0 else 0
    side_by_side = hstack(matrices, format="csr")
    rhos = rhos.reshape(len(matrices), *[1] * (first.ndim - 1), -1)
    reached = first
    for _ in range(rounds):
        shares = (rhos * reached).reshape(len(matrices) * len(first), -1)
        reached = first + (side_by_side @ shares).reshape(first.shape)
    return reached

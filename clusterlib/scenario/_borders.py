"""What a common impulse gives if spillovers stop at borders, or cross them as freely as within (共同目标情景响应)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.scenario._propagation import propagate

_NAMES = ("rho_within", "rho_across")


@dataclass(frozen=True)
class BorderResponse:
    """Response of each unit to an impulse under three regimes of the border.

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

    units: pd.Index
    alone: np.ndarray = field(repr=False)
    present: np.ndarray = field(repr=False)
    joint: np.ndarray = field(repr=False)
    rejected: int


def border_response(result, within, across, impulse: pd.Series, *, draws: int = 1000, seed: int = 0) -> BorderResponse:
    r"""Response to an impulse in a model with one spatial lag within borders and another across (边界情景响应).

    .. math:: \Delta y = (I - \rho_1 W_1 - \rho_2 W_2)^{-1} z

    with the estimates (present), with :math:`\rho_2 := \rho_1` (joint targets) and with :math:`\rho_2 := 0` (each
    jurisdiction acts alone: it has only what it does itself).

    Parameters
    ----------
    result : TwoWeightsResult or SharedShocksResult
    within, across : Graph, DataFrame, array or sparse matrix
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
    from clusterlib.core.alignment import align_weights
    from clusterlib.spatial_panel._estimation import draw_normal

    if impulse.isna().any():
        raise InvalidInputError(f"no impulse for {impulse.index[impulse.isna()][0]}: zero where there is none")
    matrices = [align_weights(w, impulse.index, name).matrix for w, name in ((within, "within"), (across, "across"))]
    names = list(_NAMES)
    mean, covariance = result.params[names].to_numpy(), result.covariance.loc[names, names].to_numpy()
    drawn, rejected = draw_normal(mean, covariance, draws, seed, lambda d: (np.abs(d) < 1).all(axis=1))
    inside, outside = np.vstack([mean, drawn]).T
    first = impulse.to_numpy(float)[:, None]
    one, other = matrices
    reached = {
        "alone": propagate([one], inside[None], first),
        "present": propagate(matrices, np.stack([inside, outside]), first),
        "joint": propagate([one + other], inside[None], first),
    }
    return BorderResponse(impulse.index, **reached, rejected=rejected)

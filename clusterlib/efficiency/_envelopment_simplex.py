"""Small linear programs of data envelopment by the simplex method, solved side by side (单纯形法)."""

from __future__ import annotations

import numpy as np

from clusterlib.errors import ClusterlibError

# Returns under which doing nothing is feasible, so that the simplex method can start there.
FROM_NOTHING = ("constant", "non-increasing")
_PERTURBATION = 1e-9
_TOLERANCE = 1e-10
_PIVOTS = 500


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
    programs[..., :limits, -1] = programs[..., :limits, -2] + _PERTURBATION * np.sqrt(np.arange(2, 2 + limits))
    return _optima(programs.reshape(draws * units, limits + 1, -1)).reshape(draws, units)


def _optima(tableaux: np.ndarray) -> np.ndarray:
    """Greatest values of linear programs by the simplex method, one pivot in all of them at a time.

    The last row holds the marginal gains, the last columns the right side and the perturbed one that decides pivots.
    """
    optima, left = np.empty(len(tableaux)), np.arange(len(tableaux))
    for _ in range(_PIVOTS):
        gains = tableaux[:, -1, :-2]
        entering = gains.argmax(axis=1)
        done = gains[np.arange(len(left)), entering] <= _TOLERANCE
        optima[left[done]] = -tableaux[done, -1, -2]
        left, tableaux, entering = left[~done], tableaux[~done], entering[~done]
        if not len(left):
            return optima
        each = np.arange(len(left))
        column = tableaux[each, :, entering]
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(column[:, :-1] > _TOLERANCE, tableaux[:, :-1, -1] / column[:, :-1], np.inf)
        leaving = room.argmin(axis=1)
        if np.isinf(room[each, leaving]).any():
            raise ClusterlibError("a linear program of data envelopment has no bound: look for a unit without inputs")
        pivot = tableaux[each, leaving] / column[each, leaving][:, None]
        tableaux -= column[:, :, None] * pivot[:, None, :]
        tableaux[each, leaving] = pivot
    raise ClusterlibError(f"{len(left)} linear program(s) of data envelopment were not solved in {_PIVOTS} pivots")

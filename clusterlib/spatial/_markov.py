"""Transitions between classes, given the class of the neighbours (空间马尔可夫链)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._alignment import as_w, quiet_imports, weight_matrix

ALL = "all"


@dataclass(frozen=True)
class SpatialMarkov:
    """Transition probabilities of all units, and of units by the class of their neighbours.

    Attributes
    ----------
    transitions : DataFrame
        A row a class of neighbours (``"all"``: whatever they are), a class now (``origin``) and a class one step later
        (``destination``), with the ``count`` of transitions and their ``probability`` given the first two; classes
        count from 1, the lowest. The probability is missing where no transition starts.
    steady_state : DataFrame
        By class of neighbours, the long-run share of each class; missing where the chain has no unique one.
    homogeneity : DataFrame
        Rows ``Q`` and ``LR``: ``statistic``, ``df`` and ``p_value`` of the test that transitions do not depend on the
        neighbours.
    cutoffs, lag_cutoffs : tuple of float
        Upper bounds of all classes but the last, of values and of lags; empty if not ``fixed``.
    value : str
    k : int
        Number of classes.
    fixed : bool
    n, periods : int
        Units and periods.
    """

    transitions: pd.DataFrame
    steady_state: pd.DataFrame
    homogeneity: pd.DataFrame
    cutoffs: tuple[float, ...]
    lag_cutoffs: tuple[float, ...]
    value: str
    k: int
    fixed: bool
    n: int
    periods: int

    def matrix(self, neighbours: int | str = ALL, what: str = "probability") -> pd.DataFrame:
        """Return a transition matrix, of ``"probability"`` or of ``"count"``, for a class of neighbours or ``"all"``.

        Raises
        ------
        UnknownNameError
            If there is no such class or matrix.
        """
        classes = [ALL, *range(1, self.k + 1)]
        if neighbours not in classes:
            raise UnknownNameError("class of neighbours", neighbours, classes)
        if what not in ("probability", "count"):
            raise UnknownNameError("matrix", what, ["probability", "count"])
        rows = self.transitions[self.transitions["neighbours"] == neighbours]
        return rows.pivot(index="origin", columns="destination", values=what)

    def summary(self) -> pd.DataFrame:
        """Return the probability of moving up, staying and moving down from each class, by class of neighbours."""
        step = np.sign(self.transitions["destination"] - self.transitions["origin"])
        move = step.map({-1: "down", 0: "stay", 1: "up"}).rename("move")
        keys = [self.transitions["neighbours"], self.transitions["origin"], move]
        table = self.transitions["probability"].groupby(keys, sort=False).sum().unstack("move", fill_value=0.0)
        count = self.transitions.groupby(["neighbours", "origin"], sort=False)["count"].sum()
        # With no transition there is no probability, not one of nil.
        return table[["down", "stay", "up"]].where(count > 0).assign(transitions=count)


def _tidy(counts: np.ndarray, neighbours: int | str) -> pd.DataFrame:
    k = len(counts)
    total = counts.sum(axis=1, keepdims=True)
    probability = np.divide(counts, total, out=np.full((k, k), np.nan), where=total > 0)
    origin, destination = np.indices((k, k)) + 1
    return pd.DataFrame(
        {
            "neighbours": neighbours,
            "origin": origin.ravel(),
            "destination": destination.ravel(),
            "count": counts.ravel().astype(int),
            "probability": probability.ravel(),
        }
    )


def _long_run(counts: np.ndarray) -> np.ndarray:
    """Solve for the shares that a step leaves unchanged; missing where there is more than one such distribution."""
    k, total = len(counts), counts.sum(axis=1, keepdims=True)
    if (total == 0).any():
        return np.full(k, np.nan)
    change = (counts / total).T - np.eye(k)
    # The rank falls by one for each set of classes that nobody leaves: with several, the start decides on the end.
    if np.linalg.matrix_rank(change) < k - 1:
        return np.full(k, np.nan)
    # One equation follows from the others; in its place shares sum to one.
    change[-1] = 1.0
    return np.linalg.solve(change, np.eye(k)[-1]).clip(min=0.0)


def _checked_panel(data: pd.DataFrame, value: str) -> pd.DataFrame:
    frame = check_panel(data, [value])
    _, periods = check_balanced(frame)
    table = frame[value].unstack()
    if periods < 2:
        raise InvalidInputError("one period: a transition takes two")
    steps = np.diff(table.columns) if pd.api.types.is_numeric_dtype(table.columns) else np.ones(1)
    if (steps != steps[0]).any():
        first = int(np.flatnonzero(steps != steps[0])[0])
        raise InvalidInputError(
            f"{table.columns[first]} to {table.columns[first + 1]} is no step of {steps[0]}: transitions over "
            "different spans do not compare"
        )
    return table


def spatial_markov(data: pd.DataFrame, value: str, w, k: int = 4, fixed: bool = True) -> SpatialMarkov:
    r"""Spatial Markov chain: transition probabilities conditional on the neighbours' class (空间马尔可夫链).

    .. math:: p_{ij|m} = \frac{n_{ij|m}}{\sum_j n_{ij|m}}

    with :math:`n_{ij|m}` the transitions from class :math:`i` to :math:`j` of units whose lag (mean of the neighbours,
    weights row-standardised) was in class :math:`m` before. Classes are quantiles, of values and of lags each for
    themselves. Computed by giddy; the tests of homogeneity are Bickenbach and Bode's, asymptotic chi-squared with
    :math:`\sum_i (a_i - 1)(b_i - 1)` degrees of freedom, :math:`a_i` classes reached from :math:`i` and :math:`b_i`
    classes of neighbours that it starts in. They take transitions as independent, which those of one unit, or of
    neighbours, are not.

    Parameters
    ----------
    data : DataFrame
        Balanced, indexed by (unit, time) with equal steps of time.
    value : str
        Column. What grows everywhere, such as GDP at current prices, should be relative to each period's mean.
    w : Graph, array or sparse matrix, shape (units, units)
        A Graph is matched by its keys, a matrix by the sorted units.
    k : int
        Number of classes.
    fixed : bool
        Classes of all periods together, so that units can move up as one; otherwise of each period by itself.

    Returns
    -------
    SpatialMarkov

    Raises
    ------
    InvalidInputError
        For a panel that is not balanced, steps of different length, fewer than ``k`` classes, or weights as
        :func:`clusterlib.spatial.global_moran`.

    References
    ----------
    Rey, S. J. (2001). Spatial empirics for economic growth and convergence. Geographical Analysis 33, 195-214.
    Bickenbach, F. and Bode, E. (2003). Evaluating the Markov property in studies of economic convergence.
    International Regional Science Review 26, 363-392.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcd"), [2020, 2021, 2022]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8]}, index=index)
    >>> line = np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1)
    >>> spatial_markov(data, "x", line, k=2).matrix("all", "count").to_numpy().tolist()
    [[4, 0], [0, 4]]
    """
    with quiet_imports():
        from giddy.markov import Spatial_Markov
    from scipy.stats import chi2

    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 2:
        raise InvalidInputError(f"k={k!r}: expected a whole number of classes, at least two")
    table = _checked_panel(data, value)
    matrix = weight_matrix(w, table.index)
    with warnings.catch_warnings():
        # Too few distinct values for the classes: refused below by name.
        warnings.simplefilter("ignore")
        markov = Spatial_Markov(table.to_numpy(), as_w(matrix), k=k, m=k, fixed=fixed)
    counts = np.asarray(markov.T)
    if counts.shape != (k, k, k) or not (counts.sum(axis=(1, 2)).all() and counts.sum(axis=(0, 2)).all()):
        raise InvalidInputError(f"{value!r} does not fall into {k} classes with transitions from each: use a smaller k")
    parts = {ALL: counts.sum(axis=0)} | {m + 1: counts[m] for m in range(k)}
    test = markov.ht
    homogeneity = pd.DataFrame({"statistic": [test.Q, test.LR], "df": test.dof}, index=["Q", "LR"])
    homogeneity["p_value"] = chi2.sf(homogeneity["statistic"], homogeneity["df"])
    steady = pd.DataFrame({name: _long_run(part) for name, part in parts.items()}, index=range(1, k + 1)).T
    return SpatialMarkov(
        pd.concat([_tidy(part, name) for name, part in parts.items()], ignore_index=True),
        steady.rename_axis("neighbours").rename_axis(columns="class"),
        homogeneity,
        tuple(map(float, markov.cutoffs)) if fixed else (),
        tuple(map(float, markov.lag_cutoffs)) if fixed else (),
        value,
        int(k),
        fixed,
        *table.shape,
    )

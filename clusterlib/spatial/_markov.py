"""Transitions between classes, given the class of the neighbours (空间马尔可夫链)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights, first_seen, require_neighbours
from clusterlib.core.checks import ROUNDING, check_balanced, check_choice, check_flags, check_panel, check_whole
from clusterlib.core.results import Result, Test, test_lines
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

ALL = "all"


@dataclass(frozen=True, eq=False)
class SpatialMarkov(Result):
    """Spatial Markov chain: moves between classes by the class of the neighbours (空间马尔可夫链).

    Attributes
    ----------
    transitions : DataFrame
        A row a class of neighbours (``"all"``: whatever they are), a class now (``origin``) and a class one step later
        (``destination``), with the ``count`` of transitions and their ``probability`` given the first two; classes
        count from 1, the lowest. The probability is missing where no transition starts.
    steady_state : DataFrame
        By class of neighbours, the long-run share of each class; missing where the chain has no unique one.
    tests : dict of str to Test
        ``Q`` and ``LR``: that transitions do not depend on the neighbours.
    cutoffs, lag_cutoffs : tuple of float
        Upper bounds of all classes but the last, of values and of lags; empty if not ``fixed``.
    value : str
    k : int
        Number of classes.
    fixed : bool
    n, n_periods : int
        Units and periods.
    table, homogeneity : DataFrame
        Moves by class, and the tests.
    """

    notes: ClassVar[tuple[str, ...]] = (
        "the tests take transitions as independent, which those of one unit, or of neighbours, are not",
    )

    transitions: pd.DataFrame
    steady_state: pd.DataFrame
    tests: dict[str, Test]
    cutoffs: tuple[float, ...]
    lag_cutoffs: tuple[float, ...]
    value: str
    k: int
    fixed: bool
    n: int
    n_periods: int

    @property
    def homogeneity(self) -> pd.DataFrame:
        """Rows ``Q`` and ``LR``: ``statistic``, ``df`` and ``p_value``."""
        rows = {name: [test.statistic, test.df, test.p_value] for name, test in self.tests.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "df", "p_value"])
        return table.astype({"df": int})

    @property
    def table(self) -> pd.DataFrame:
        """Probability of moving up, staying and moving down from each class, by class of neighbours."""
        step = self.transitions["destination"].sub(self.transitions["origin"]).clip(-1, 1)
        move = step.map({-1: "down", 0: "stay", 1: "up"}).rename("move")
        keys = [self.transitions["neighbours"], self.transitions["origin"], move]
        table = self.transitions["probability"].groupby(keys, sort=False).sum().unstack("move", fill_value=0)
        count = self.transitions.groupby(["neighbours", "origin"], sort=False)["count"].sum()
        # With no transition there is no probability, not one of nil.
        return table[["down", "stay", "up"]].where(count > 0).assign(transitions=count)

    @property
    def footer(self) -> Mapping[str, object]:
        """What was classed, and whether moves depend on the neighbours."""
        return dict(super().footer) | test_lines(self.tests.values())

    def matrix(self, neighbours: int | str = ALL, what: str = "probability") -> pd.DataFrame:
        """Return a transition matrix, of ``"probability"`` or of ``"count"``, for a class of neighbours or ``"all"``.

        Raises
        ------
        UnknownNameError
            If there is no such class or matrix.
        """
        neighbours = int(neighbours) if isinstance(neighbours, np.integer) else neighbours
        check_choice("class of neighbours", neighbours, [ALL, *range(1, self.k + 1)])
        check_choice("matrix", what, ("probability", "count"))
        rows = self.transitions[self.transitions["neighbours"] == neighbours]
        return rows.pivot(index="origin", columns="destination", values=what)


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


def _values(data: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return values by unit and period, of a balanced panel whose periods are as far apart."""
    frame = check_panel(data, [value])
    _, periods = check_balanced(frame)
    if periods < 2:
        raise InvalidInputError("one period: a transition takes two")
    table = frame[value].unstack()
    steps = np.diff(table.columns) if pd.api.types.is_numeric_dtype(table.columns) else np.ones(1)
    if (steps != steps[0]).any():
        first = int(np.flatnonzero(steps != steps[0])[0])
        raise InvalidInputError(
            f"{table.columns[first]} to {table.columns[first + 1]} is no step of {steps[0]}: transitions over "
            "different spans do not compare"
        )
    return table


def _classes(values: np.ndarray, k: int, fixed: bool) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the quantile class of each value, from zero, and the bounds between the classes if they are fixed.

    A value that a bound exceeds by rounding only is at the bound, and so below it: equal lags are summed in different
    orders.
    """
    cutoffs = np.quantile(values, np.arange(1, k) / k, axis=None if fixed else 0)
    above = values > cutoffs.reshape(k - 1, 1, -1) + ROUNDING * np.abs(values).max()
    return above.sum(axis=0), tuple(map(float, cutoffs)) if fixed else ()


def _test(counts: np.ndarray, name: str, power: str) -> Test:
    """Test by Bickenbach and Bode (2003): a table of neighbours' classes and destinations for each origin."""
    from scipy.stats import chi2_contingency

    statistic, df = 0.0, 0
    for origin in range(counts.shape[1]):
        moves = counts[:, origin]
        moves = moves[moves.any(axis=1)][:, moves.any(axis=0)]
        found: Any = chi2_contingency(moves, correction=False, lambda_=power)
        statistic, df = statistic + found.statistic, df + found.dof
    return Test.of(name, "moves do not depend on the class of the neighbours", statistic, "chi2", df)


def spatial_markov(data: pd.DataFrame, value: str, w: WeightsLike, k: int = 4, fixed: bool = True) -> SpatialMarkov:
    r"""Spatial Markov chain: transition probabilities conditional on the neighbours' class (空间马尔可夫链).

    .. math:: p_{ij|m} = \frac{n_{ij|m}}{\sum_j n_{ij|m}}

    with :math:`n_{ij|m}` the transitions from class :math:`i` to :math:`j` of units whose lag (mean of the neighbours,
    weights row-standardised) was in class :math:`m` before. Classes are quantiles, of values and of lags each for
    themselves. The tests of homogeneity are Bickenbach and Bode's, asymptotic chi-squared with
    :math:`\sum_i (a_i - 1)(b_i - 1)` degrees of freedom, :math:`a_i` classes reached from :math:`i` and :math:`b_i`
    classes of neighbours that it starts in. They take transitions as independent, which those of one unit, or of
    neighbours, are not.

    Parameters
    ----------
    data : DataFrame
        Balanced, indexed by (unit, time) with equal steps of time.
    value : str
        Column. What grows everywhere, such as GDP at current prices, should be relative to each period's mean.
    w : Graph, W or DataFrame, shape (units, units)
        Matched by its labels; a matrix that has none by the units as they first stand in ``data``.
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
    check_flags(fixed=fixed)
    k = check_whole("k", k, least=2, unit="classes")
    table = _values(data, value)
    weights = require_neighbours(align_weights(w, table.index, given=first_seen(data.index))).standardised()
    own, cutoffs = _classes(table.to_numpy(), k, fixed)
    around, lag_cutoffs = _classes(weights.matrix @ table.to_numpy(), k, fixed)
    counts = np.zeros((k, k, k), int)
    np.add.at(counts, (around[:, :-1], own[:, :-1], own[:, 1:]), 1)
    if not (counts.sum(axis=(1, 2)).all() and counts.sum(axis=(0, 2)).all()):
        raise InvalidInputError(f"{value!r} does not fall into {k} classes with transitions from each: use a smaller k")
    parts = {ALL: counts.sum(axis=0)} | {m + 1: counts[m] for m in range(k)}
    steady = pd.DataFrame({name: _long_run(part) for name, part in parts.items()}, index=range(1, k + 1)).T
    return SpatialMarkov(
        pd.concat([_tidy(part, name) for name, part in parts.items()], ignore_index=True),
        steady.rename_axis("neighbours").rename_axis(columns="class"),
        {"Q": _test(counts, "Q", "pearson"), "LR": _test(counts, "LR", "log-likelihood")},
        cutoffs,
        lag_cutoffs,
        value,
        k,
        fixed,
        *table.shape,
    )

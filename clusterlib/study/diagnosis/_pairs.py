"""How alike neighbours and others move, in one jurisdiction and across a border (成对相关的边界检验)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights, first_seen
from clusterlib.core.checks import (
    as_floats,
    check_columns,
    check_finite,
    check_labels,
    check_level,
    check_number,
    check_panel,
    check_units,
)
from clusterlib.core.resampling import check_permutations, exceedance_p, generator
from clusterlib.core.results import Result, coefficient_table
from clusterlib.core.within import check_variation, demean
from clusterlib.errors import InvalidInputError
from clusterlib.study.diagnosis.indicators import as_units

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

    Pairs = dict[str, tuple[np.ndarray, np.ndarray]]

KINDS = ("neighbours_within", "others_within", "neighbours_across", "others_across")
_FEW_PERIODS = 4


def distances_between(distance: pd.DataFrame, units: pd.Index) -> pd.DataFrame:
    """Return the distances between units, of which each has one row and one column of finite numbers."""
    found = as_floats(distance, check_columns(distance, list(units), "unit with distances"))
    check_units(found.index, "row of distances")
    found = found.reindex(units)
    check_finite(found, "give the kilometres between all units")
    return found


@dataclass(frozen=True, eq=False)
class PairCorrelations(Result):
    """How alike units move over time, neighbours and others, within jurisdictions and across (成对相关的边界检验).

    Attributes
    ----------
    table : DataFrame
        By kind: ``correlation`` (mean over pairs) and number of ``pairs``.
    premiums : DataFrame
        Rows ``within``, ``across``: ``estimate``, how much more alike neighbours move than others on the same side of
        the border, and ``p_value`` by permutation, one-sided; row ``difference`` with a ``std_error`` (jackknife over
        jurisdictions), ``lower``, ``upper`` and the ``p_value`` of none.
    by_distance : DataFrame
        By upper end of a class of distance: mean correlation and pairs ``within`` and ``across``; empty without.
    settings : dict
    """

    table: pd.DataFrame = field(repr=False)
    premiums: pd.DataFrame = field(repr=False)
    by_distance: pd.DataFrame = field(repr=False)
    settings: dict = field(default_factory=dict, repr=False)

    @property
    def footer(self) -> dict[str, object]:
        """Premiums of neighbours with their p values."""
        return {
            f"neighbours less others, {side}": f"{row['estimate']:.3f} [p = {row['p_value']:.3f}]"
            for side, row in self.premiums.iterrows()
        }


def pair_correlations(
    panel: pd.DataFrame,
    y: str,
    w: WeightsLike,
    jurisdiction: pd.Series,
    *,
    units: Iterable | None = None,
    distance: pd.DataFrame | None = None,
    classes: Iterable[float] = (100, 150, 200, 300, 400, 600),
    permutations: int = 999,
    seed: int = 0,
    level: float = 0.95,
) -> PairCorrelations:
    r"""Border effect without a model: are neighbours more alike than others, within and across (成对相关的边界检验)?

    With the means of units and periods taken out, :math:`r_{ij}` the correlation of units i and j over time, and means
    over pairs of neighbours and of others, within jurisdictions and across the border of two that touch,

    .. math:: \Delta_{in} = \bar r_{in}^{near} - \bar r_{in}^{other}, \quad
              \Delta_{out} = \bar r_{out}^{near} - \bar r_{out}^{other}

    Shocks that a jurisdiction shares raise both parts of :math:`\Delta_{in}` alike and drop out: a spillover that stops
    at the border shows as :math:`\Delta_{in} > \Delta_{out}`. Under permutation of units within their jurisdictions
    nearness does not matter, whatever a jurisdiction shares.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, period); units without a row in some period are left out.
    y : str
    w : Graph, W or DataFrame
        Neighbours of the panel's units, aligned by label.
    jurisdiction : Series
        Of each unit.
    units : iterable, optional
        Take only pairs of which one is among these.
    distance : DataFrame, optional
        Kilometres between units.
    classes : iterable of float
        Upper ends of classes of distance.
    permutations, seed : int
    level : float
        Of the interval of the difference.

    Returns
    -------
    PairCorrelations

    Raises
    ------
    InvalidInputError
        For fewer than four periods, no pair of some kind, a unit that moves as all do, and weights, jurisdictions or
        distances that do not fit the panel.
    UnknownNameError
        If there is no such column.

    Notes
    -----
    The jackknife leaves out all pairs of one jurisdiction at a time. It needs three jurisdictions or more. A pair
    across belongs to two, so that its interval is too wide rather than too narrow.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from libpysal.graph import Graph
    >>> from scipy.sparse import csr_array
    >>> ring = sum(np.roll(np.eye(24), step, axis=1) for step in (-1, 1))
    >>> province = pd.Series(np.arange(24) // 6, index=range(24))
    >>> shared = np.random.default_rng(0).normal(size=(4, 9))[province]
    >>> growth = shared + np.random.default_rng(1).normal(size=(24, 9))
    >>> index = pd.MultiIndex.from_product([range(24), range(9)])
    >>> panel = pd.DataFrame({"growth": growth.ravel()}, index)
    >>> result = pair_correlations(panel, "growth", Graph.from_sparse(csr_array(ring), ids=range(24)), province)
    >>> result.table["pairs"].tolist(), bool(result.premiums.loc["within", "p_value"] > 0.05)
    ([20, 40, 4, 140], True)
    """
    level, permutations, random = check_level(level), check_permutations(permutations), generator(seed)
    ends = [check_number("classes", end, least=0, open_ends=True, unit="km") for end in as_units(classes, "classes")]
    if ends != sorted(set(ends)):
        raise InvalidInputError("classes: expected upper ends that rise")
    wide = check_panel(panel, [y])[y].unstack()
    weights = align_weights(w, wide.index, given=first_seen(panel.index))
    labels = check_labels(jurisdiction, wide.index, "jurisdiction")
    values = wide.dropna()
    if values.shape[1] < _FEW_PERIODS:
        raise InvalidInputError(f"{values.shape[1]} period(s): correlations over time need at least {_FEW_PERIODS}")
    ids = values.index
    code, names = labels.loc[ids].factorize()
    left = demean(values.to_numpy(), "twoway")
    check_variation(values.to_numpy().T, left.T, list(ids), "twoway")
    left = left / np.linalg.norm(left, axis=1)[:, None]
    alike = left @ left.T
    place = wide.index.get_indexer(ids)
    near = weights.matrix.toarray()[np.ix_(place, place)] > 0
    pairs = _pairs(near | near.T, code, None if units is None else ids.isin(as_units(units)))
    empty = [kind for kind in KINDS if not len(pairs[kind][0])]
    if empty:
        raise InvalidInputError(f"no pair of the kind {empty[0]!r} among {len(ids)} units")
    table = pd.DataFrame({kind: {"correlation": alike[at].mean(), "pairs": len(at[0])} for kind, at in pairs.items()}).T
    premiums = _premiums(alike, pairs, code, permutations, random, level)
    by_distance = pd.DataFrame()
    if distance is not None:
        by_distance = _by_distance(alike, pairs, distances_between(distance, ids).to_numpy(), ends)
    settings = {
        "y": y, "units": len(ids), "periods": values.shape[1], "jurisdictions": len(names),
        "permutations": permutations, "seed": seed, "level": level,
    }  # fmt: skip
    return PairCorrelations(table.astype({"pairs": int}), premiums, by_distance, settings)


def _pairs(near: np.ndarray, code: np.ndarray, core: np.ndarray | None) -> Pairs:
    """Positions of the pairs of each kind, each pair once."""
    same = np.equal.outer(code, code)
    member = np.eye(code.max() + 1, dtype=bool)[code]
    touching = (member.T.astype(int) @ (near & ~same) @ member) > 0
    facing = touching[np.ix_(code, code)] & ~same
    taken = np.triu(np.ones_like(near), 1)
    if core is not None:
        taken &= core[:, None] | core[None, :]
    kinds = (near & same, ~near & same, near & ~same, ~near & facing)
    at = (np.nonzero(chosen & taken) for chosen in kinds)
    return {kind: (i, j) for kind, (i, j) in zip(KINDS, at, strict=True)}


def _gaps(alike: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Premium of neighbours within and across."""
    means = [alike[pairs[kind]].mean() for kind in KINDS]
    return np.array([means[0] - means[1], means[2] - means[3]])


def _premiums(
    alike: np.ndarray, pairs: Pairs, code: np.ndarray, permutations: int, random: np.random.Generator, level: float
) -> pd.DataFrame:
    observed = _gaps(alike, pairs)
    drawn = np.empty((permutations, 2))
    groups = [np.flatnonzero(code == k) for k in range(code.max() + 1)]
    for d in range(permutations):
        order = np.arange(len(code))
        for group in groups:
            order[group] = random.permutation(group)
        drawn[d] = _gaps(alike, {kind: (order[i], order[j]) for kind, (i, j) in pairs.items()})
    error, count = _jackknife(alike, pairs, code)
    premiums = pd.Series([*observed, observed[0] - observed[1]], ["within", "across", "difference"])
    table = coefficient_table(premiums, pd.Series({"difference": error}), count - 1, level)
    table.loc[["within", "across"], "p_value"] = [exceedance_p(observed[side], drawn[:, side]) for side in (0, 1)]
    return table[["estimate", "std_error", "lower", "upper", "p_value"]]


def _jackknife(alike: np.ndarray, pairs: Pairs, code: np.ndarray) -> tuple[float, int]:
    """Standard error of the difference of both premiums, leaving out one jurisdiction at a time."""
    without = []
    for k in np.unique(code):
        rest = {kind: np.array([i, j])[:, (code[i] != k) & (code[j] != k)] for kind, (i, j) in pairs.items()}
        if all(at.shape[1] for at in rest.values()):
            within, across = _gaps(alike, {kind: (at[0], at[1]) for kind, at in rest.items()})
            without.append(within - across)
    count = len(without)
    if count < 3:
        return np.nan, count
    return float(np.sqrt((count - 1) / count * ((np.array(without) - np.mean(without)) ** 2).sum())), count


def _by_distance(alike: np.ndarray, pairs: Pairs, kilometres: np.ndarray, classes: list[float]) -> pd.DataFrame:
    """Mean correlation by class of distance, within jurisdictions and across borders, with numbers of pairs."""
    found = {}
    for side in ("within", "across"):
        i, j = (np.concatenate([pairs[f"{who}_{side}"][k] for who in ("neighbours", "others")]) for k in (0, 1))
        by_class = pd.Series(alike[i, j]).groupby(np.digitize(kilometres[i, j], classes)).agg(["mean", "size"])
        by_class = by_class.reindex(range(len(classes)))
        found |= {side: by_class["mean"], f"pairs_{side}": by_class["size"].fillna(0).astype(int)}
    return pd.DataFrame(found).set_axis(pd.Index(classes, name="kilometres"))

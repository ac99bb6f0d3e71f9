"""Goodman-Bacon decomposition (培根分解) of the two-way fixed-effects estimate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_panel, panel_index
from clusterlib.core.results import Result
from clusterlib.core.within import demean
from clusterlib.did._timing import first_treated, treated_now
from clusterlib.errors import InvalidInputError

KINDS = {
    "treated_vs_never": "treated vs never treated",
    "earlier_vs_later": "earlier vs later treated",
    "later_vs_earlier": "later vs earlier treated",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class GoodmanBacon(Result):
    """Goodman-Bacon decomposition of the two-way fixed-effects estimate (培根分解).

    Attributes
    ----------
    comparisons : DataFrame
        A row a comparison: ``kind``, ``treated`` and ``control`` (first treated periods, infinite for never treated),
        ``estimate``, ``weight``. Weights are positive and sum to one.
    table : DataFrame
        Number of comparisons, weight and weighted mean estimate of each kind; ``by_kind`` is the same.
    twfe : float
        The two-way fixed-effects estimate, the weighted sum of the estimates.
    nobs, n_units, n_periods : int
    """

    comparisons: pd.DataFrame = field(repr=False)
    twfe: float
    nobs: int
    n_units: int
    n_periods: int

    @property
    def table(self) -> pd.DataFrame:
        """Number of comparisons, weight and weighted mean estimate of each kind that occurs."""
        weighted = self.comparisons.assign(total=self.comparisons["weight"] * self.comparisons["estimate"])
        table = weighted.groupby("kind").agg(
            comparisons=("weight", "size"), weight=("weight", "sum"), total=("total", "sum")
        )
        table["estimate"] = table.pop("total") / table["weight"]
        return table.reindex([kind for kind in KINDS.values() if kind in table.index])

    by_kind = table

    @property
    def forbidden_weight(self) -> float:
        """Weight of the comparisons with units that were treated earlier (禁忌比较)."""
        kind = self.comparisons["kind"] == KINDS["later_vs_earlier"]
        return float(self.comparisons.loc[kind, "weight"].sum())


def goodman_bacon(data: pd.DataFrame, y: str, treatment: str | pd.Series) -> GoodmanBacon:
    r"""Decompose the two-way fixed-effects estimate into its two-by-two comparisons (培根分解).

    .. math:: \hat\beta = \sum_k s_{kU} \hat\beta_{kU}
              + \sum_{k < l} \left( s_{kl}^k \hat\beta_{kl}^k + s_{kl}^l \hat\beta_{kl}^l \right),

    where each cohort :math:`k` is compared with the never treated :math:`U`, an earlier cohort with a later one before
    that is treated, and a later cohort with an earlier one that already is. Only the last kind can go wrong where
    effects grow or shrink over time. Weights are those of theorem 1, computed by the package diff-diff; their sum, and
    the weighted sum against the two-way estimate, are checked to 1e-8.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), balanced; ``y`` complete.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.

    Returns
    -------
    GoodmanBacon

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values, a panel that is not balanced, or one cohort alone without units
        never treated.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. Journal of Econometrics
    225, 254-277, theorem 1.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2014, 2015, 2016]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [0.0, 2, 2, 0, 0, 1, 0, 0, 0]}, index=index)
    >>> result = goodman_bacon(data, "output", pd.Series({"a": 2015, "b": 2016}))
    >>> result.by_kind["weight"].round(3).tolist()
    [0.667, 0.167, 0.167]
    """
    from diff_diff import BaconDecomposition

    frame = check_panel(data, [y])
    n, periods = check_balanced(frame)
    first = first_treated(data, treatment)
    long, times = _long(frame, y, first)
    if long["first"].nunique() < 2:
        raise InvalidInputError(
            f"all units are first treated in {first.iloc[0]:g}: a comparison needs another date or units never treated"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = BaconDecomposition(weights="exact").fit(long, "outcome", "unit", "time", "first")
    comparisons = pd.DataFrame(
        {
            "kind": [KINDS[c.comparison_type] for c in found.comparisons],
            "treated": [times[int(c.treated_group) - 1] for c in found.comparisons],
            "control": [
                np.inf if c.control_group == "never_treated" else times[int(c.control_group) - 1]
                for c in found.comparisons
            ],
            "estimate": [float(c.estimate) for c in found.comparisons],
            "weight": [float(c.weight) for c in found.comparisons],
        }
    )
    outcome = frame[y].to_numpy().reshape(n, periods)
    treated = demean(treated_now(panel_index(frame), first).reshape(n, periods).astype(float), "twoway")
    twfe = float((treated * outcome).sum() / (treated**2).sum())
    _check_sums(comparisons, twfe, outcome)
    return GoodmanBacon(comparisons=comparisons, twfe=twfe, nobs=len(frame), n_units=n, n_periods=periods)


def _long(frame: pd.DataFrame, y: str, first: pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the panel as the package wants it, its periods numbered from one, since zero stands for never treated."""
    periods = frame.index.unique(1).sort_values().to_numpy(float)
    place = pd.Series(np.searchsorted(periods, first) + 1, index=first.index).where(np.isfinite(first), 0)
    unit, time = (frame.index.get_level_values(level) for level in (0, 1))
    long = pd.DataFrame(
        {
            "unit": pd.factorize(unit)[0],
            "time": np.searchsorted(periods, time) + 1,
            "outcome": frame[y].to_numpy(),
            "first": place.reindex(unit).to_numpy(),
        }
    )
    return long, periods


def _check_sums(comparisons: pd.DataFrame, twfe: float, outcome: np.ndarray) -> None:
    total = comparisons["weight"].sum()
    gap = abs((comparisons["weight"] * comparisons["estimate"]).sum() - twfe)
    if abs(total - 1) > 1e-8 or gap > 1e-8 * max(np.abs(outcome).max(), 1e-300):
        raise InvalidInputError(
            f"the decomposition does not add up (weights {total:.10f}, gap {gap:.3g}): the outcome's figures may be "
            "too large for their differences; take the units' means out first"
        )

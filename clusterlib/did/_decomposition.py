"""Goodman-Bacon decomposition (培根分解) of the two-way fixed-effects estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_panel, panel_index
from clusterlib.core.results import Result
from clusterlib.did._timing import first_treated
from clusterlib.errors import InvalidInputError

NEVER, LATER, EARLIER = "treated vs never treated", "earlier vs later treated", "later vs earlier treated"


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
        return table.reindex([kind for kind in (NEVER, LATER, EARLIER) if kind in table.index])

    by_kind = table

    @property
    def forbidden_weight(self) -> float:
        """Weight of the comparisons with units that were treated earlier (禁忌比较)."""
        return float(self.comparisons.loc[self.comparisons["kind"] == EARLIER, "weight"].sum())


def goodman_bacon(data: pd.DataFrame, y: str, treatment: str | pd.Series) -> GoodmanBacon:
    r"""Decompose the two-way fixed-effects estimate into its two-by-two comparisons (培根分解).

    .. math:: \hat\beta = \sum_k s_{kU} \hat\beta_{kU}
              + \sum_{k < l} \left( s_{kl}^k \hat\beta_{kl}^k + s_{kl}^l \hat\beta_{kl}^l \right),

    where each cohort :math:`k` is compared with the never treated :math:`U`, an earlier cohort with a later one before
    that is treated, and a later cohort with an earlier one that already is. Only the last kind can go wrong where
    effects grow or shrink over time. The weights of theorem 1 are, up to one factor for all, the product of the units
    of both groups and of the periods before and after the date within the comparison's span.

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
    frame = check_panel(data, [y])
    n, periods = check_balanced(frame)
    first = first_treated(data, treatment)
    outcome = frame[y].to_numpy().reshape(n, periods)
    times = panel_index(frame).unique(1).sort_values().to_numpy(float)
    rows = []
    for date in np.unique(first[np.isfinite(first)]):
        for control in np.unique(first[first != date]):
            span = times < control if control > date else times >= control
            before, after = span & (times < date), span & (times >= date)
            own, other = outcome[first == date], outcome[first == control]
            gap = own.mean(axis=0) - other.mean(axis=0)
            weight = len(own) * len(other) * before.sum() * after.sum()
            if weight:
                kind = NEVER if np.isinf(control) else LATER if control > date else EARLIER
                rows.append((kind, date, control, gap[after].mean() - gap[before].mean(), float(weight)))
    if not rows:
        raise InvalidInputError(
            f"all units are first treated in {first.iloc[0]:g}: a comparison needs another date or units never treated"
        )
    rows.sort(key=lambda row: (np.isfinite(row[2]), min(row[1:3]), max(row[1:3]), row[1]))
    comparisons = pd.DataFrame(rows, columns=["kind", "treated", "control", "estimate", "weight"])
    comparisons["weight"] /= comparisons["weight"].sum()
    twfe = float((comparisons["weight"] * comparisons["estimate"]).sum())
    return GoodmanBacon(comparisons=comparisons, twfe=twfe, nobs=len(frame), n_units=n, n_periods=periods)

"""Synthetic control (合成控制法) with permutation over donors."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    ROUNDING,
    check_balanced,
    check_columns,
    check_level,
    check_number,
    check_panel,
    is_constant,
    listed,
    panel_index,
)
from clusterlib.core.resampling import coarse_note, exceedance_p
from clusterlib.core.results import Result
from clusterlib.did._timing import check_times
from clusterlib.errors import InvalidInputError, UnknownNameError

# Of the outcome's standard deviation before treatment: what rounding leaves of a fit without error.
EXACT = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticControl(Result):
    """Synthetic control (合成控制法).

    Attributes
    ----------
    weights : Series
        Of the donors, largest first, summing to one.
    path : DataFrame
        By period: ``observed``, ``synthetic``, ``gap``.
    predictors : DataFrame
        By predictor: ``treated``, ``synthetic``, ``donors`` (their plain mean).
    effect : float
        Mean gap from ``start`` on.
    pre_rmspe, post_rmspe : float
        Root mean squared gaps before and from ``start``.
    fit_index : float
        One less the mean squared gap over the outcome's variance before ``start``: one for a perfect fit.
    placebos : DataFrame
        By unit, the treated one included: ``pre_rmspe``, ``post_rmspe``, ``ratio`` and ``effect``; empty if not run.
    placebo_gaps : DataFrame
        Gaps, periods by units.
    p_value : float
        Share of units whose ratio is at least that of the treated one; missing without placebos.
    table : DataFrame
        The effect, the fit and the permutation p value.
    treated, start : object
    donors, pre_periods, post_periods : int
    fit_limit : float
    notes : tuple of str
        How coarse the p value is where there are few donors.
    """

    weights: pd.Series = field(repr=False)
    path: pd.DataFrame = field(repr=False)
    predictors: pd.DataFrame = field(repr=False)
    effect: float = field(repr=False)
    pre_rmspe: float = field(repr=False)
    post_rmspe: float = field(repr=False)
    fit_index: float = field(repr=False)
    placebos: pd.DataFrame = field(repr=False)
    placebo_gaps: pd.DataFrame = field(repr=False)
    p_value: float = field(repr=False)
    treated: Any
    start: float
    donors: int
    pre_periods: int
    post_periods: int
    fit_limit: float
    notes: tuple[str, ...] = ()  # type: ignore[misc]

    @property
    def table(self) -> pd.DataFrame:
        """The effect, the fit and the permutation p value."""
        names = ("effect", "pre_rmspe", "post_rmspe", "fit_index", "p_value")
        return pd.DataFrame({"value": {name: getattr(self, name) for name in names}}).rename_axis("item")

    @property
    def credible(self) -> bool:
        """Whether the fit before treatment is good enough to read the gap after it as an effect."""
        return not self.objections

    @property
    def objections(self) -> dict[str, dict[str, float]]:
        """What speaks against the fit, by its key, with the numbers that decided.

        ``poor_fit``: the ``fit_index`` is below ``fit_limit``. ``exact_fit``: more ``donors`` than ``periods`` fit
        without error, so that weights are not unique and ratios of errors rest on rounding. ``placebos_fit_better``:
        the ``share`` of units fitted better before is nine in ten or more.
        """
        found = {}
        if self.fit_index < self.fit_limit:
            found["poor_fit"] = {"fit_index": self.fit_index, "fit_limit": self.fit_limit}
        if 1 - self.fit_index < EXACT**2 and self.donors > self.pre_periods:
            found["exact_fit"] = {"donors": float(self.donors), "periods": float(self.pre_periods)}
        if len(self.placebos):
            better = float((self.placebos["pre_rmspe"] < self.pre_rmspe).mean())
            if better >= 0.9:
                found["placebos_fit_better"] = {"share": better}
        return found

    def least_gap(self, alpha: float = 0.05) -> float:
        r"""Return the smallest gap that the permutation test would have told from chance (最小可识别差距).

        A gap that is the same in all periods from ``start`` on, and without noise, has the ratio :math:`c / e` for an
        error :math:`e` before; it is rejected where fewer than :math:`\alpha (J + 1)` donors have a ratio as large.

        Parameters
        ----------
        alpha : float

        Returns
        -------
        float
            Infinite with fewer than :math:`1 / \alpha - 1` donors, missing without placebos.
        """
        alpha = check_level(alpha, "alpha")
        if not len(self.placebos):
            return np.nan
        allowed = int(alpha * len(self.placebos) + 1e-9)
        ratios = self.placebos["ratio"].drop(self.treated)
        return float(ratios.nlargest(allowed).iloc[-1] * self.pre_rmspe) if allowed else np.inf


def simplex_weights(target: np.ndarray, donors: np.ndarray) -> np.ndarray:
    r"""Return the weights, not negative and summing to one, whose mean of ``donors`` is nearest to ``target``.

    Since weights sum to one, :math:`\|x - Zw\|^2 = \|Aw\|^2` with :math:`A = x 1' - Z`. For :math:`v = sw` with
    :math:`s > 0`, :math:`\min_s \|Av\|^2 + c^2 (1'v - 1)^2` rises with :math:`\|Aw\|^2`, so that non-negative least
    squares of :math:`(A; c 1')` on :math:`(0; c)` gives the minimum exactly for any :math:`c > 0`, without a penalty
    that must be large.

    Parameters
    ----------
    target : array, shape (rows,)
    donors : array, shape (rows, donors)

    Returns
    -------
    array, shape (donors,)
        Not unique where several mixes are as near.
    """
    from scipy.optimize import nnls

    gaps = target[:, None] - donors
    scale = np.sqrt((gaps**2).sum(axis=0).mean())
    if scale <= ROUNDING * np.abs(donors).max():
        return np.full(donors.shape[1], 1 / donors.shape[1])
    solution, _ = nnls(np.vstack([gaps / scale, np.ones(donors.shape[1])]), np.append(np.zeros(len(target)), 1.0))
    return solution / solution.sum()


def synthetic_control(
    data: pd.DataFrame,
    y: str,
    treated: Any,
    start: float,
    donors: Iterable | None = None,
    predictors: str | Iterable[str] = (),
    *,
    outcome_periods: Iterable | None = None,
    placebos: bool = True,
    fit_limit: float = 0.9,
) -> SyntheticControl:
    r"""Compare one treated unit with a synthetic control (合成控制法).

    Weights :math:`w_j \ge 0, \sum_j w_j = 1` of the donors minimise
    :math:`\sum_m (X_{1m} - \sum_j w_j X_{jm})^2` over predictors :math:`m`, and the effect is the mean gap
    :math:`y_{1t} - \sum_j w_j y_{jt}` from ``start`` on. Without ``predictors`` the predictors are the outcomes of all
    periods before, as they stand, so that the weights minimise the error before treatment itself. With ``predictors``
    these are means over the periods before, each divided by its standard deviation over all units. Each donor in turn
    is treated in the placebos, the treated unit joining the donors;

    .. math:: p = \frac{\#\{j: r_j \ge r_1\}}{J + 1}, \quad r = \text{RMSPE after} / \text{RMSPE before}

    The gap is no effect where the fit before treatment is poor: see ``credible`` and ``objections``, which ask for a
    fit index of at least ``fit_limit``, for a fit not worse than that of nine in ten placebos, and for one that is not
    exact for having more donors than periods. The index is close to one for any series with a trend, so look at the
    path.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), balanced for the treated unit and the donors; ``y`` and ``predictors`` complete.
    y : str
    treated : object
        The treated unit.
    start : number
        Its first treated period, one of the panel's.
    donors : iterable, optional
        Units never treated and not touched by the treatment; by default all others.
    predictors : str or iterable of str
    outcome_periods : iterable, optional
        Periods before ``start`` whose outcomes are predictors too; by default all without ``predictors``, else none.
    placebos : bool
        Whether to run the placebos.
    fit_limit : float

    Returns
    -------
    SyntheticControl

    Raises
    ------
    InvalidInputError
        For a treated unit that is not in the panel or among the donors, fewer than two donors, fewer than two periods
        before ``start`` or none after, missing values, or a panel that is not balanced.
    UnknownNameError
        For a name that is not a column, or an unknown donor.

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Journal of the American Statistical Association 105, 493-505.
    Ferman, B. and Pinto, C. (2021). Quantitative Economics 12, 1197-1221 (imperfect fit).

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abc"), [2013, 2014, 2015]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [2.0, 3, 7, 1, 2, 3, 3, 4, 5]}, index=index)
    >>> result = synthetic_control(data, "output", "a", 2015)
    >>> result.weights.round(3).tolist(), round(result.effect, 6)
    ([0.5, 0.5], 3.0)
    """
    check_number("fit_limit", fit_limit, most=1)
    names = check_columns(data, predictors)
    frame = check_panel(data, [*check_columns(data, [y]), *(name for name in names if name != y)])
    check_times(panel_index(frame))
    frame = _chosen(frame, treated, donors)
    outcome = frame[y].unstack(1)
    before = _check_start(start, outcome.columns)
    rows = _rows(frame, outcome, before, names, outcome_periods)
    weight = _weights(treated, rows, bool(names))
    gaps = {treated: outcome.loc[treated] - weight @ outcome.loc[weight.index]}
    for unit in outcome.index.drop(treated) if placebos else ():
        other = _weights(unit, rows, bool(names))
        gaps[unit] = outcome.loc[unit] - other @ outcome.loc[other.index]
    means = {"synthetic": weight @ rows.loc[weight.index], "donors": rows.drop(treated).mean()}
    note = coarse_note(len(outcome), f"permutation: {len(outcome)} units") if placebos else ""
    return SyntheticControl(
        weights=weight.sort_values(ascending=False, kind="stable"),
        predictors=pd.DataFrame({"treated": rows.loc[treated]} | means).rename_axis("predictor"),
        **_measures(treated, outcome.loc[treated], pd.DataFrame(gaps), before, placebos),
        treated=treated,
        start=start,
        donors=len(weight),
        pre_periods=int(before.sum()),
        post_periods=int((~before).sum()),
        fit_limit=fit_limit,
        notes=(note,) if note else (),
    )


def _member(label: object, labels: pd.Index) -> bool:
    return isinstance(label, Hashable) and not isinstance(label, bool) and label in labels


def _listed_choice(kind: str, given: Iterable, valid: pd.Index) -> list:
    """Return what was chosen, each once, if all of it is among the valid labels."""
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise InvalidInputError(f"expected a list of labels of a {kind}, got {given!r}")
    chosen = list(given)
    for label in chosen:
        if not _member(label, valid):
            raise UnknownNameError(kind, label, valid, f"such as {listed(valid)}" if len(valid) > 12 else "")
    return list(dict.fromkeys(chosen))


def _chosen(frame: pd.DataFrame, treated: Any, donors: Iterable | None) -> pd.DataFrame:
    units = frame.index.unique(0)
    _listed_choice("treated unit", [treated], units)
    pool = list(units.drop(treated)) if donors is None else _listed_choice("donor", donors, units)
    if treated in pool:
        raise InvalidInputError(f"the treated unit {treated!r} is among the donors: leave it out")
    if len(pool) < 2:
        raise InvalidInputError(f"{len(pool)} donor(s): a synthetic control mixes at least two")
    frame = frame[frame.index.get_level_values(0).isin([treated, *pool])]
    check_balanced(frame)
    return frame


def _check_start(start: float, periods: pd.Index) -> np.ndarray:
    """Return which periods are before ``start``, if it is one of them and two are before it."""
    valid = periods[2:]
    if not _member(start, valid):
        raise InvalidInputError(
            f"start={start!r}: expected at least two periods before it and one from it on; the panel has "
            f"{periods[0]} to {periods[-1]}, so that it can be {listed(valid, 60) or 'none of them'}"
        )
    return np.asarray(periods < start)


def _rows(
    frame: pd.DataFrame, outcome: pd.DataFrame, before: np.ndarray, names: list[str], outcome_periods: Iterable | None
) -> pd.DataFrame:
    """Return the predictors, units by predictors."""
    possible = outcome.columns[before]
    if outcome_periods is None:
        periods = [] if names else list(possible)
    else:
        periods = _listed_choice("period before treatment", outcome_periods, possible)
    if not names and not periods:
        raise InvalidInputError("outcome_periods: no period, and no predictors either: there is nothing to fit")
    early = frame[frame.index.get_level_values(1).isin(possible)]
    means = early[names].groupby(level=0).mean()
    lags = outcome[periods].rename(columns=lambda period: f"outcome {period}")
    return pd.concat([means, lags.rename_axis(columns=None)], axis=1)


def _weights(unit: Any, rows: pd.DataFrame, scaled: bool) -> pd.Series:
    """Return the donors' weights for ``unit``."""
    donors = rows.index.drop(unit)
    standard = rows / rows.std().where(~is_constant(rows.to_numpy(), axis=0), 1.0) if scaled else rows
    weight = simplex_weights(standard.loc[unit].to_numpy(), standard.loc[donors].to_numpy().T)
    return pd.Series(weight, index=donors, name="weight")


def _measures(
    treated: Any, observed: pd.Series, gaps: pd.DataFrame, before: np.ndarray, placebos: bool
) -> dict[str, Any]:
    """Return what the result holds of the gaps: path, effect, errors, index of fit and the permutation test."""
    pre, post = (np.sqrt((gaps[span] ** 2).mean()) for span in (before, ~before))
    effects = gaps[~before].mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        table = pd.DataFrame({"pre_rmspe": pre, "post_rmspe": post, "ratio": post / pre, "effect": effects})
        # A fit without error makes a ratio so large that no tolerance on its scale would tell the others apart.
        ranks = pd.Series(np.log(table["ratio"].to_numpy()), table.index)
    early, error = observed[before].to_numpy(), float(pre[treated])
    if is_constant(early):
        fit_index = float(error <= EXACT * np.abs(early).max())
    else:
        fit_index = float(1 - error**2 / early.var())
    ranked = placebos and not np.isnan(ranks[treated])
    path = {"observed": observed, "synthetic": observed - gaps[treated], "gap": gaps[treated]}
    return {
        "path": pd.DataFrame(path),
        "effect": float(effects[treated]),
        "pre_rmspe": error,
        "post_rmspe": float(post[treated]),
        "fit_index": fit_index,
        "placebos": table.rename_axis("unit") if placebos else table.rename_axis("unit").iloc[:0],
        "placebo_gaps": gaps,
        "p_value": exceedance_p(ranks[treated], ranks.to_numpy(), complete=True) if ranked else np.nan,
    }

"""Synthetic control (合成控制法) with permutation over donors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced, check_panel
from clusterlib.did._simplex import simplex_weights
from clusterlib.errors import InvalidInputError, UnknownNameError

IMPORTANCE = ("equal", "nested")
# Of the outcome's standard deviation before treatment: what rounding leaves of a fit without error.
EXACT = 1e-6


@dataclass(frozen=True)
class SyntheticControl:
    """A treated unit beside a weighted mean of donors.

    Attributes
    ----------
    weights : Series
        Of the donors, largest first, summing to one.
    path : DataFrame
        By period: ``observed``, ``synthetic``, ``gap``.
    predictors : DataFrame
        By predictor: ``treated``, ``synthetic``, ``donors`` (their plain mean), ``importance`` (summing to one).
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
    treated, start, importance : object
    donors, pre_periods, post_periods : int
    fit_limit : float
    seed : int
    """

    weights: pd.Series
    path: pd.DataFrame
    predictors: pd.DataFrame
    effect: float
    pre_rmspe: float
    post_rmspe: float
    fit_index: float
    placebos: pd.DataFrame
    placebo_gaps: pd.DataFrame
    p_value: float
    treated: object
    start: float
    importance: str
    donors: int
    pre_periods: int
    post_periods: int
    fit_limit: float
    seed: int

    @property
    def credible(self) -> bool:
        """Whether the fit before treatment is good enough to read the gap after it as an effect."""
        return not self.objections

    @property
    def objections(self) -> tuple[str, ...]:
        """What speaks against the fit, in words."""
        found = []
        if self.fit_index < self.fit_limit:
            found.append(f"the fit index before treatment is {self.fit_index:.2f}, below {self.fit_limit:g}")
        if 1 - self.fit_index < EXACT**2 and self.donors > self.pre_periods:
            found.append(
                f"{self.donors} donors fit {self.pre_periods} periods without error: the weights are not unique, and "
                "the ratios of errors rest on rounding"
            )
        if len(self.placebos):
            better = float((self.placebos["pre_rmspe"] < self.pre_rmspe).mean())
            if better >= 0.9:
                found.append(f"{100 * better:.0f} % of the units are fitted better before treatment")
        return tuple(found)

    def summary(self) -> pd.DataFrame:
        """Return the effect, the fit and the permutation p value."""
        names = ("effect", "pre_rmspe", "post_rmspe", "fit_index", "p_value")
        return pd.DataFrame({"value": {name: getattr(self, name) for name in names}}).rename_axis("item")


def synthetic_control(
    data: pd.DataFrame,
    y: str,
    treated,
    start: float,
    donors: Iterable | None = None,
    predictors: str | Iterable[str] = (),
    *,
    outcome_periods: Iterable | None = None,
    importance: str = "equal",
    placebos: bool = True,
    fit_limit: float = 0.9,
    seed: int = 0,
) -> SyntheticControl:
    r"""Compare one treated unit with a synthetic control (合成控制法).

    Weights :math:`w_j \ge 0, \sum_j w_j = 1` of the donors minimise
    :math:`\sum_m v_m (X_{1m} - \sum_j w_j X_{jm})^2` over predictors :math:`m`, and the effect is the mean gap
    :math:`y_{1t} - \sum_j w_j y_{jt}` from ``start`` on. Without ``predictors`` the predictors are the outcomes of all
    periods before, with equal importance and as they stand, so that the weights minimise the error before treatment
    itself. With ``predictors`` these are means over the periods before, each divided by its standard deviation over all
    units; ``importance="nested"`` chooses :math:`v` by what then fits the outcome before treatment (a search by the
    package diff-diff, seeded). Each donor in turn is treated in the placebos, the treated unit joining the donors;

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
        Its first treated period.
    donors : iterable, optional
        Units never treated and not touched by the treatment; by default all others.
    predictors : str or iterable of str
    outcome_periods : iterable, optional
        Periods before ``start`` whose outcomes are predictors too; by default all without ``predictors``, else none.
    importance : {"equal", "nested"}
    placebos : bool
        Whether to run the placebos (slow with ``"nested"``: one search a donor).
    fit_limit : float
    seed : int
        Of the search.

    Returns
    -------
    SyntheticControl

    Raises
    ------
    InvalidInputError
        For a treated unit that is not in the panel or among the donors, fewer than two donors, fewer than two periods
        before ``start`` or none after, missing values, or a panel that is not balanced.
    UnknownNameError
        For a name that is not a column, or an unknown donor or importance.

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
    if importance not in IMPORTANCE:
        raise UnknownNameError("importance", importance, IMPORTANCE)
    names = as_names(predictors)
    frame = _chosen(check_panel(data, list(dict.fromkeys([y, *names]))), treated, donors)
    outcome = frame[y].unstack(1)
    before = outcome.columns < start
    _check_periods(outcome, before, start)
    rows = _rows(frame, outcome, before, names, outcome_periods)
    setup = (outcome, rows, before, importance, bool(names), seed)
    weight, v = _weights(treated, *setup)
    gaps = {treated: outcome.loc[treated] - weight @ outcome.loc[weight.index]}
    for unit in outcome.index.drop(treated) if placebos else ():
        other, _ = _weights(unit, *setup)
        gaps[unit] = outcome.loc[unit] - other @ outcome.loc[other.index]
    gaps = pd.DataFrame(gaps)
    return SyntheticControl(
        weights=weight.sort_values(ascending=False, kind="stable"),
        predictors=_balance(treated, rows, weight, v),
        **_measures(treated, outcome.loc[treated], gaps, before, placebos),
        treated=treated,
        start=start,
        importance=importance,
        donors=len(weight),
        pre_periods=int(before.sum()),
        post_periods=int((~before).sum()),
        fit_limit=fit_limit,
        seed=seed,
    )


def _chosen(frame: pd.DataFrame, treated, donors: Iterable | None) -> pd.DataFrame:
    units = frame.index.unique(0)
    if treated not in units:
        raise UnknownNameError("treated unit", treated, units)
    donors = list(units.drop(treated)) if donors is None else list(dict.fromkeys(donors))
    for unit in donors:
        if unit not in units:
            raise UnknownNameError("donor", unit, units)
    if treated in donors:
        raise InvalidInputError(f"the treated unit {treated!r} is among the donors: leave it out")
    if len(donors) < 2:
        raise InvalidInputError(f"{len(donors)} donor(s): a synthetic control mixes at least two")
    frame = frame[frame.index.get_level_values(0).isin([treated, *donors])]
    check_balanced(frame)
    return frame


def _check_periods(outcome: pd.DataFrame, before: np.ndarray, start: float) -> None:
    if before.sum() < 2 or before.all():
        raise InvalidInputError(
            f"start={start}: expected at least two periods before it and one from it on; the panel has "
            f"{outcome.columns[0]} to {outcome.columns[-1]}"
        )


def _rows(
    frame: pd.DataFrame, outcome: pd.DataFrame, before: np.ndarray, names: list[str], outcome_periods: Iterable | None
) -> pd.DataFrame:
    """Return the predictors, units by predictors."""
    possible = outcome.columns[before]
    periods = list(possible if not names else []) if outcome_periods is None else list(outcome_periods)
    for period in periods:
        if period not in possible:
            raise UnknownNameError("period before treatment", period, possible)
    early = frame[frame.index.get_level_values(1).isin(possible)]
    means = early[names].groupby(level=0).mean()
    lags = outcome[periods].rename(columns=lambda period: f"outcome {period}")
    return pd.concat([means, lags.rename_axis(columns=None)], axis=1)


def _weights(
    unit, outcome: pd.DataFrame, rows: pd.DataFrame, before: np.ndarray, importance: str, scaled: bool, seed: int
) -> tuple[pd.Series, pd.Series]:
    """Return the donors' weights for ``unit`` and the importance of each predictor."""
    if importance == "nested":
        return _nested(unit, outcome, rows, before, seed)
    donors = rows.index.drop(unit)
    standard = rows / rows.std().where(lambda s: s > 0, 1.0) if scaled else rows
    weight = simplex_weights(standard.loc[unit].to_numpy(), standard.loc[donors].to_numpy().T)
    return pd.Series(weight, index=donors, name="weight"), pd.Series(1 / rows.shape[1], index=rows.columns)


def _nested(
    unit, outcome: pd.DataFrame, rows: pd.DataFrame, before: np.ndarray, seed: int
) -> tuple[pd.Series, pd.Series]:
    """Return weights and importance as the package finds them: with few predictors the ones do not imply the others."""
    from diff_diff import SyntheticControl as Search

    names = [f"predictor_{i}" for i in range(rows.shape[1])]
    long = outcome.rename_axis(index="unit", columns="time").stack().rename("outcome").reset_index()
    late = long["time"].isin(outcome.columns[~before])
    long["treated"] = ((long["unit"] == unit) & late).astype(int)
    long = long.join(rows.set_axis(names, axis=1), on="unit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Search(v_method="nested", seed=seed).fit(
            long, "outcome", "treated", "unit", "time", treated_unit=unit, predictors=names
        )
    weight = pd.Series(found.donor_weights, name="weight").reindex(rows.index.drop(unit), fill_value=0.0)
    return weight, pd.Series(list(found.v_weights.values()), index=rows.columns)


def _balance(treated, rows: pd.DataFrame, weight: pd.Series, v: pd.Series) -> pd.DataFrame:
    columns = {
        "treated": rows.loc[treated],
        "synthetic": weight @ rows.loc[weight.index],
        "donors": rows.drop(treated).mean(),
        "importance": v,
    }
    return pd.DataFrame(columns).rename_axis("predictor")


def _measures(treated, observed: pd.Series, gaps: pd.DataFrame, before: np.ndarray, placebos: bool) -> dict:
    """Return what the result holds of the gaps: path, effect, errors, index of fit and the permutation test."""
    table = _errors(gaps, before)
    own = table.loc[treated]
    path = {"observed": observed, "synthetic": observed - gaps[treated], "gap": gaps[treated]}
    return {
        "path": pd.DataFrame(path),
        "effect": float(own["effect"]),
        "pre_rmspe": float(own["pre_rmspe"]),
        "post_rmspe": float(own["post_rmspe"]),
        "fit_index": _fit_index(observed[before], own["pre_rmspe"]),
        "placebos": table if placebos else table.iloc[:0],
        "placebo_gaps": gaps,
        "p_value": float((table["ratio"] >= own["ratio"]).mean()) if placebos else np.nan,
    }


def _errors(gaps: pd.DataFrame, before: np.ndarray) -> pd.DataFrame:
    pre, post = (np.sqrt((gaps[span] ** 2).mean()) for span in (before, ~before))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = post / pre
    table = {"pre_rmspe": pre, "post_rmspe": post, "ratio": ratio, "effect": gaps[~before].mean()}
    return pd.DataFrame(table).rename_axis("unit")


def _fit_index(outcome: pd.Series, rmspe: float) -> float:
    variance = float(outcome.var(ddof=0))
    return 1 - rmspe**2 / variance if variance > 0 else float(rmspe == 0)

"""Specification curves (设定曲线分析): an estimate under every combination of choices, and what it hangs on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_floats,
    check_bounds,
    check_choice,
    check_columns,
    check_level,
    is_constant,
    listed,
    snap,
)
from clusterlib.core.resampling import exceedance_p
from clusterlib.core.results import Result
from clusterlib.errors import ClusterlibError, InvalidInputError

__all__ = ["SpecificationCurve", "specification_curve"]


def __dir__() -> list[str]:
    return __all__


FIELDS = ("estimate", "std_error", "p_value", "lower", "upper")
STATISTICS = ("median", "dominant sign", "dominant sign and significant")
P_VALUES = ("p_value", "p_null")
# Shares are sums of fractions: two that are equal may differ in the last bits.
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class SpecificationCurve(Result):
    """Specification curve: estimates under every combination of choices (设定曲线).

    Attributes
    ----------
    table : DataFrame
        One row an effect and specification, indexed so: a column for each choice, then ``estimate``, ``std_error``,
        ``p_value``, ``lower``, ``upper``; with draws under the null also ``p_null``, two-sided, from these.
    choices : dict
        The options of each choice.
    alpha : float
        Significance level: p values up to it count as significant.
    skipped : int
        Combinations that were left out because the estimator gave nothing for them.
    null : DataFrame or None
        Estimates on samples without an effect: a row a sample, columns as the rows of ``table``.
    """

    table: pd.DataFrame
    choices: dict[str, tuple[str, ...]]
    alpha: float
    skipped: int
    null: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def effects(self) -> list[str]:
        """The effects, in the order in which the estimator gave them."""
        return list(self.table.index.unique("effect"))

    def of(self, effect: str) -> pd.DataFrame:
        """Return the rows of one effect by specification, from the lowest estimate to the highest.

        Raises
        ------
        UnknownNameError
            For another effect.
        """
        check_choice("effect", effect, self.effects)
        return self._part(effect).sort_values(by="estimate", kind="stable")

    def shares(self, p_value: str = "p_value") -> pd.DataFrame:
        """Return the shares of estimates of each sign and significance, over all and by choice.

        Parameters
        ----------
        p_value : {"p_value", "p_null"}
            Which p values say what is significant: the estimator's, or those from the draws under the null.

        Returns
        -------
        DataFrame
            By ``effect``, ``choice`` and ``option`` (``"all"`` and ``"all"`` over everything): ``count``, ``median``,
            ``share_positive``, ``share_negative``, ``share_positive_significant``, ``share_negative_significant``.

        Raises
        ------
        InvalidInputError
            If there are no draws under the null to take p values from.
        UnknownNameError
            For another kind of p value.
        """
        check_choice("p value", p_value, P_VALUES)
        if p_value == "p_null":
            self._draws()
        rows = {}
        for effect in self.effects:
            part = self._part(effect)
            rows[effect, "all", "all"] = _shares(part, p_value, self.alpha)
            for choice, option, chosen in self._options(part):
                rows[effect, choice, option] = _shares(chosen, p_value, self.alpha)
        index = pd.MultiIndex.from_tuples(rows, names=["effect", "choice", "option"])
        return pd.DataFrame(rows.values(), index=index).astype({"count": int})

    def variance_shares(self) -> pd.DataFrame:
        r"""Share of the variance of the estimates that lies between the options of each choice (方差贡献).

        .. math:: \eta^2_c = \sum_o n_o (\bar b_o - \bar b)^2 / \sum_s (b_s - \bar b)^2

        Where no combination is missing the shares of all choices add up to at most one; the rest lies in how the
        choices go together.

        Returns
        -------
        DataFrame
            By effect, a column a choice.
        """
        rows = {}
        for effect in self.effects:
            part = self._part(effect)
            centred = part["estimate"] - part["estimate"].mean()
            means = {choice: centred.groupby(part[choice]).transform("mean") for choice in self.choices}
            total = np.nan if is_constant(part["estimate"].to_numpy()) else float((centred**2).sum())
            rows[effect] = {choice: float((mean**2).sum()) / total for choice, mean in means.items()}
        return pd.DataFrame(rows).T.rename_axis("effect")

    def joint_test(self) -> pd.DataFrame:
        r"""Test that there is no effect by what all specifications show together (联合推断).

        Statistics are the size of the median estimate, the share of estimates with the dominant sign, and the share
        that has the dominant sign and is significant. What is significant is told in each sample as in the data: by
        the rank of the estimate's size among all samples. With S samples without an effect,

        .. math:: p = \frac{1 + \#\{T^*_s \ge T\}}{1 + S}

        Returns
        -------
        DataFrame
            By ``effect`` and ``statistic``: ``observed``, ``null_median``, the median over the samples, and
            ``p_value``.

        Raises
        ------
        InvalidInputError
            If the curve was made without draws under the null.

        References
        ----------
        Simonsohn, U., Simmons, J. P. and Nelson, L. D. (2020). Specification curve analysis. Nature Human Behaviour
        4, 1208-1214.
        """
        null, rows = self._draws(), {}
        for effect in self.effects:
            stacked = np.vstack([self._part(effect)["estimate"].to_numpy(), null[effect].to_numpy()])
            statistics = _joint_statistics(stacked, self.alpha)
            for name, values in zip(STATISTICS, statistics, strict=True):
                rows[effect, name] = {
                    "observed": values[0],
                    "null_median": np.median(values[1:]),
                    "p_value": exceedance_p(values[0], values[1:]),
                }
        return pd.DataFrame(rows).T.rename_axis(["effect", "statistic"])

    def null_band(self, effect: str, level: float = 0.95) -> pd.DataFrame:
        """Return the curve that samples without an effect give, by rank: ``lower``, ``median``, ``upper``.

        Parameters
        ----------
        effect : str
        level : float
            Share of samples between ``lower`` and ``upper`` at each rank.

        Raises
        ------
        InvalidInputError, UnknownNameError
            As :meth:`joint_test` and :meth:`of`.
        """
        check_choice("effect", effect, self.effects)
        check_level(level)
        curves = np.sort(self._draws()[effect].to_numpy(), axis=1)
        bounds = np.quantile(curves, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
        ranks = pd.RangeIndex(1, curves.shape[1] + 1, name="rank")
        return pd.DataFrame(bounds.T, index=ranks, columns=["lower", "median", "upper"])

    def _shown(self) -> pd.DataFrame:
        return self.shares()

    def _part(self, effect: str) -> pd.DataFrame:
        return pd.DataFrame(self.table.xs(effect, level="effect"))

    def _draws(self) -> pd.DataFrame:
        if self.null is None:
            raise InvalidInputError("no draws under the null: give specification_curve(null=...) what makes them")
        return self.null

    def _options(self, part: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
        for choice, options in self.choices.items():
            for option in options:
                chosen = part[part[choice] == option]
                if len(chosen):
                    yield choice, option, chosen


def _shares(part: pd.DataFrame, p_value: str, alpha: float) -> dict[str, float]:
    estimates = part["estimate"].to_numpy()
    positive, negative = estimates > 0, estimates < 0
    significant = part[p_value].to_numpy() <= alpha
    return {
        "count": len(part),
        "median": np.median(estimates),
        "share_positive": positive.mean(),
        "share_negative": negative.mean(),
        "share_positive_significant": (positive & significant).mean(),
        "share_negative_significant": (negative & significant).mean(),
    }


def _rank_p_values(estimates: np.ndarray) -> np.ndarray:
    """Share of the samples, itself included, whose estimate of this column is at least as large in size."""
    from scipy.stats import rankdata

    sizes = np.apply_along_axis(snap, 0, np.abs(estimates))
    return rankdata(-sizes, method="max", axis=0) / len(estimates)


def _joint_statistics(estimates: np.ndarray, alpha: float) -> list[np.ndarray]:
    """The three statistics of each row."""
    positive, negative = estimates > 0, estimates < 0
    significant = _rank_p_values(estimates) <= alpha + _TINY
    mostly_positive = positive.mean(axis=1) >= negative.mean(axis=1)
    dominant = np.where(mostly_positive[:, None], positive, negative)
    return [np.abs(np.median(estimates, axis=1)), dominant.mean(axis=1), (dominant & significant).mean(axis=1)]


def _check_choices(choices: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    if not isinstance(choices, Mapping) or not choices:
        raise InvalidInputError("expected at least one choice with its options, as a mapping")
    checked = {}
    for choice, options in choices.items():
        named = (options,) if isinstance(options, str) else tuple(options) if isinstance(options, Iterable) else ()
        if not named or not all(map(pd.api.types.is_hashable, named)) or len(set(named)) < len(named):
            raise InvalidInputError(f"choice {choice!r}: expected options, each named once, got {options!r}")
        if not isinstance(choice, str) or choice in (*FIELDS, *P_VALUES):
            raise InvalidInputError(f"choice {choice!r} has the name of a column of the result, or none: rename it")
        checked[choice] = named
    return checked


def _call(function: Callable, options: Mapping[str, str], read: Callable[[Any], Any]) -> Any:
    """Return what a function finds for a specification, as ``read`` takes it."""
    try:
        return read(function(**options))
    except ClusterlibError as error:
        place = ", ".join(f"{choice}={option}" for choice, option in options.items())
        raise InvalidInputError(f"specification {place}: {error}") from error


def _fields(found: Any) -> dict[str, list[float]]:
    """Return what an estimator gave as the fields of each effect, none of them where it gave None."""
    if found is None:
        return {}
    if not isinstance(found, (Mapping, pd.Series, pd.DataFrame)):
        raise InvalidInputError(f"expected a mapping, Series or DataFrame, got a {type(found).__name__}")
    missing = [name for name in FIELDS if name not in found]
    if missing or not len(found):
        raise InvalidInputError(f"the estimator gives no {', '.join(missing) or 'effect'}")
    if not isinstance(found, pd.DataFrame):
        found = pd.DataFrame({name: [found[name]] for name in FIELDS}, index=["estimate"])
    check_columns(found, FIELDS)
    if not found.index.is_unique:
        raise InvalidInputError(f"effect given twice: {found.index[found.index.duplicated()][0]}")
    values = as_floats(found, FIELDS)
    if not np.isfinite(values["estimate"]).all():
        raise InvalidInputError("an estimate is not a finite number: return None where there is none")
    check_bounds(values[["p_value"]].dropna(), "a p value is a share", 0, 1)
    return dict(zip(values.index, values.to_numpy().tolist(), strict=True))


def _null_draws(drawn: Any, effects: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the draws of each effect of a specification."""
    try:
        frame = drawn if isinstance(drawn, pd.DataFrame) else pd.DataFrame({"estimate": np.asarray(drawn, dtype=float)})
    except (TypeError, ValueError):
        raise InvalidInputError("null= gives no array of numbers: expected one estimate a sample") from None
    missing = [effect for effect in effects if effect not in frame]
    if missing:
        raise InvalidInputError(f"null= gives no draws of {listed(missing)}")
    check_columns(frame, effects)
    values = as_floats(frame, list(effects))
    if not np.isfinite(values.to_numpy()).all():
        raise InvalidInputError("null= gives draws that are not finite numbers")
    return {effect: values[effect].to_numpy() for effect in effects}


def _with_null(table: pd.DataFrame, drawn: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table with p values from the draws, and the draws."""
    counts = {len(values) for values in drawn.values()}
    if len(counts) > 1 or min(counts) < 1:
        raise InvalidInputError(f"null= gives {sorted(counts)} draws: expected as many in every specification")
    null = pd.DataFrame({place: drawn[place] for place in table.index})
    null.columns = table.index
    p_values = _rank_p_values(np.vstack([table["estimate"].to_numpy(), null.to_numpy()]))[0]
    return table.assign(p_null=p_values), null.rename_axis("sample")


def specification_curve(
    estimate: Callable[..., object],
    choices: Mapping[str, Iterable[str]],
    *,
    null: Callable[..., object] | None = None,
    alpha: float = 0.05,
) -> SpecificationCurve:
    """Estimate under every combination of choices (设定曲线分析).

    Parameters
    ----------
    estimate : callable
        Called by name with one option of each choice, as in ``estimate(weights="contiguity", period="2016:2019")``.
        It returns a mapping or Series with ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``; or a
        DataFrame with these columns and a row an effect; or None for a combination that makes no sense. Estimates
        ought to be in one unit, such as that of a standard deviation of the regressor.
    choices : mapping of str to iterable of str
        The options of each choice, by name.
    null : callable, optional
        Called likewise; returns the estimates on samples in which there is no effect, as an array or, with several
        effects, a DataFrame with a column an effect. Sample s has to be the same resample (of units, say) in every
        specification, so that the draws depend on each other as the estimates do.
    alpha : float
        Significance level: p values up to it count as significant.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    InvalidInputError
        For choices without options, a combination in which the estimator fails (it is named), fields that are missing,
        an estimate that is not finite, unequal numbers of draws, or nothing estimated at all.

    References
    ----------
    Simonsohn, U., Simmons, J. P. and Nelson, L. D. (2020). Specification curve analysis. Nature Human Behaviour 4,
    1208-1214.

    Examples
    --------
    >>> def estimate(scale, shift):
    ...     value = float(scale) + float(shift)
    ...     return dict(estimate=value, std_error=1.0, p_value=0.04, lower=value - 2, upper=value + 2)
    >>> curve = specification_curve(estimate, {"scale": ["1", "2"], "shift": ["-1", "0", "1"]})
    >>> curve.shares().loc[("estimate", "all", "all"), ["count", "median", "share_positive"]].round(3).tolist()
    [6.0, 1.5, 0.833]
    """
    check_level(alpha, "alpha")
    for name, function in (("estimate", estimate), ("null", null)):
        if not callable(function) and (name, function) != ("null", None):
            raise InvalidInputError(f"{name}: expected a function, got a {type(function).__name__}")
    options_of = _check_choices(choices)
    rows, drawn, skipped = {}, {}, 0
    for number, combination in enumerate(itertools.product(*options_of.values()), start=1):
        options = dict(zip(options_of, combination, strict=True))
        found = _call(estimate, options, _fields)
        skipped += not found
        rows |= {(effect, number): [*combination, *values] for effect, values in found.items()}
        if null is not None and found:
            draws = _call(null, options, partial(_null_draws, effects=list(found)))
            drawn |= {(effect, number): values for effect, values in draws.items()}
    if not rows:
        raise InvalidInputError("nothing was estimated: the estimator returned None for every combination")
    effects = dict.fromkeys(effect for effect, _ in rows)
    order = [place for effect in effects for place in rows if place[0] == effect]
    index = pd.MultiIndex.from_tuples(order, names=["effect", "specification"])
    table = pd.DataFrame([rows[place] for place in order], index=index, columns=[*options_of, *FIELDS])
    table, draws = (table, None) if null is None else _with_null(table, drawn)
    return SpecificationCurve(table, options_of, alpha, skipped, draws)

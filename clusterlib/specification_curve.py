"""Specification curves (设定曲线分析): an estimate under every combination of choices, and what it hangs on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError

FIELDS = ("estimate", "std_error", "p_value", "lower", "upper")
STATISTICS = ("median", "dominant sign", "dominant sign and significant")
P_VALUES = ("p_value", "p_null")
# Shares are sums of fractions: two that are equal may differ in the last bits.
_TINY = 1e-12


@dataclass(frozen=True)
class SpecificationCurve:
    """Estimates of one or more effects under every combination of choices.

    Attributes
    ----------
    table : DataFrame
        One row an effect and specification, indexed so: a column for each choice, then ``estimate``, ``std_error``,
        ``p_value``, ``lower``, ``upper``; with draws under the null also ``p_null``, two-sided, from these.
    choices : dict
        The options of each choice.
    level : float
        At which p values count as significant.
    skipped : int
        Combinations that were left out because the estimator gave nothing for them.
    null : DataFrame or None
        Estimates on samples without an effect: a row a sample, columns as the rows of ``table``.
    """

    table: pd.DataFrame
    choices: dict[str, tuple[str, ...]]
    level: float
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
        if effect not in self.effects:
            raise UnknownNameError("effect", effect, self.effects)
        return self.table.loc[effect].sort_values("estimate", kind="stable")

    def summary(self, p_value: str = "p_value") -> pd.DataFrame:
        """Return how many estimates there are of each sign and significance, over all and by choice.

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
        if p_value not in P_VALUES:
            raise UnknownNameError("p value", p_value, P_VALUES)
        if p_value == "p_null":
            self._check_null()
        rows = {}
        for effect in self.effects:
            part = self.table.loc[effect]
            rows[effect, "all", "all"] = _shares(part, p_value, self.level)
            for choice, option, chosen in self._options(part):
                rows[effect, choice, option] = _shares(chosen, p_value, self.level)
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
            part = self.table.loc[effect]
            centred = part["estimate"] - part["estimate"].mean()
            means = {choice: centred.groupby(part[choice]).transform("mean") for choice in self.choices}
            total = float((centred**2).sum())
            rows[effect] = {c: float((m**2).sum()) / total if total else np.nan for c, m in means.items()}
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
        self._check_null()
        rows = {}
        for effect in self.effects:
            statistics = _joint_statistics(self._stacked(effect), self.level)
            for name, values in zip(STATISTICS, statistics, strict=True):
                rows[effect, name] = {
                    "observed": values[0],
                    "null_median": np.median(values[1:]),
                    "p_value": (values >= values[0] - _TINY).mean(),
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
        self.of(effect)
        self._check_null()
        curves = np.sort(self.null[effect].to_numpy(), axis=1)
        bounds = np.quantile(curves, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
        ranks = pd.RangeIndex(1, curves.shape[1] + 1, name="rank")
        return pd.DataFrame(bounds.T, index=ranks, columns=["lower", "median", "upper"])

    def _check_null(self) -> None:
        if self.null is None:
            raise InvalidInputError("no draws under the null: give specification_curve(null=...) what makes them")

    def _options(self, part: pd.DataFrame):
        for choice, options in self.choices.items():
            for option in options:
                chosen = part[part[choice] == option]
                if len(chosen):
                    yield choice, option, chosen

    def _stacked(self, effect: str) -> np.ndarray:
        """The estimates, then those of each sample without an effect, a column a specification."""
        return np.vstack([self.table.loc[effect, "estimate"], self.null[effect]])


def _shares(part: pd.DataFrame, p_value: str, level: float) -> dict[str, float]:
    estimates = part["estimate"].to_numpy()
    positive, negative = estimates > 0, estimates < 0
    significant = part[p_value].to_numpy() <= level
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

    return rankdata(-np.abs(estimates), method="max", axis=0) / len(estimates)


def _joint_statistics(estimates: np.ndarray, level: float) -> list[np.ndarray]:
    """The three statistics of each row."""
    positive, negative = estimates > 0, estimates < 0
    significant = _rank_p_values(estimates) <= level + _TINY
    mostly_positive = positive.mean(axis=1) >= negative.mean(axis=1)
    dominant = np.where(mostly_positive[:, None], positive, negative)
    return [np.abs(np.median(estimates, axis=1)), dominant.mean(axis=1), (dominant & significant).mean(axis=1)]


def _check_choices(choices: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    checked = {str(choice): tuple(options) for choice, options in choices.items()}
    if not checked:
        raise InvalidInputError("expected at least one choice with its options")
    for choice, options in checked.items():
        if not options or len(set(options)) < len(options):
            raise InvalidInputError(f"choice {choice!r}: expected options, each named once, got {list(options)}")
        if choice in (*FIELDS, *P_VALUES):
            raise InvalidInputError(f"choice {choice!r} has the name of a column of the result: rename it")
    return checked


def _call(function: Callable, options: Mapping[str, str]):
    try:
        return function(**options)
    except ClusterlibError as error:
        place = ", ".join(f"{choice}={option}" for choice, option in options.items())
        raise InvalidInputError(f"specification {place}: {error}") from error


def _fields(found, options: Mapping[str, str]) -> dict[str, list[float]]:
    """Return what an estimator gave as the fields of each effect."""
    missing = [name for name in FIELDS if name not in found]
    if missing or not len(found):
        raise InvalidInputError(f"the estimator gives no {', '.join(missing) or 'effect'} for {options}")
    if isinstance(found, pd.DataFrame):
        values = found.to_numpy()[:, [found.columns.get_loc(name) for name in FIELDS]]
        fields = dict(zip(found.index, values.astype(float).tolist(), strict=True))
    else:
        fields = {"estimate": [float(found[name]) for name in FIELDS]}
    if not np.isfinite([values[0] for values in fields.values()]).all():
        raise InvalidInputError(f"an estimate for {options} is not a finite number: return None where there is none")
    return fields


def _null_draws(null: Callable, options: Mapping[str, str], effects: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the draws of each effect of a specification."""
    drawn = _call(null, options)
    if not isinstance(drawn, pd.DataFrame):
        drawn = pd.DataFrame({"estimate": np.asarray(drawn, dtype=float)})
    missing = [effect for effect in effects if effect not in drawn]
    if missing:
        raise InvalidInputError(f"null= gives no draws of {', '.join(missing)} for {options}")
    draws = {effect: drawn[effect].to_numpy(float) for effect in effects}
    if not all(np.isfinite(values).all() for values in draws.values()):
        raise InvalidInputError(f"null= gives draws that are not finite numbers for {options}")
    return draws


def _with_null(table: pd.DataFrame, drawn: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table with p values from the draws, and the draws."""
    counts = {len(values) for values in drawn.values()}
    if len(counts) > 1 or min(counts) < 1:
        raise InvalidInputError(f"null= gives {sorted(counts)} draws: expected as many in every specification")
    null = pd.DataFrame(drawn)[list(table.index)]
    null.columns = table.index
    p_values = _rank_p_values(np.vstack([table["estimate"], null]))[0]
    return table.assign(p_null=p_values), null.rename_axis("sample")


def specification_curve(
    estimate: Callable[..., object],
    choices: Mapping[str, Iterable[str]],
    *,
    null: Callable[..., object] | None = None,
    level: float = 0.05,
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
    level : float
        At which p values count as significant.

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
    >>> curve.summary().loc[("estimate", "all", "all"), ["count", "median", "share_positive"]].round(3).tolist()
    [6.0, 1.5, 0.833]
    """
    choices = _check_choices(choices)
    rows, drawn, skipped = {}, {}, 0
    for number, combination in enumerate(itertools.product(*choices.values()), start=1):
        options = dict(zip(choices, combination, strict=True))
        found = _call(estimate, options)
        if found is None:
            skipped += 1
            continue
        fields = _fields(found, options)
        rows |= {(effect, number): [*combination, *values] for effect, values in fields.items()}
        if null is not None:
            draws = _null_draws(null, options, fields)
            drawn |= {(effect, number): values for effect, values in draws.items()}
    if not rows:
        raise InvalidInputError("nothing was estimated: the estimator returned None for every combination")
    effects = dict.fromkeys(effect for effect, _ in rows)
    order = [place for effect in effects for place in rows if place[0] == effect]
    index = pd.MultiIndex.from_tuples(order, names=["effect", "specification"])
    table = pd.DataFrame([rows[place] for place in order], index=index, columns=[*choices, *FIELDS])
    table, draws = (table, None) if null is None else _with_null(table, drawn)
    return SpecificationCurve(table, choices, level, skipped, draws)

"""Dagum's decomposition of the Gini coefficient (Dagum 基尼系数分解) within and between groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError
from clusterlib.inequality._dagum_parts import (
    Parts,
    bootstrap_counts,
    decompose,
    in_chunks,
    net_between,
    permuted_codes,
)
from clusterlib.inequality._indices import gini_of
from clusterlib.inequality._samples import Sample, check_sample

PARTS = ("within", "between", "transvariation")


@dataclass(frozen=True)
class DagumGini:
    """Dagum's decomposition of a Gini coefficient.

    Attributes
    ----------
    total, within, between, transvariation : float
        The Gini and its three parts, which sum to it: within groups, net between groups, and transvariation
        (超变密度), which is what overlapping groups add.
    contributions : Series
        The three parts in percent of the total.
    by_group : DataFrame
        By group: ``gini``, ``n``, ``mean``, ``population_share``, ``income_share``, ``within`` (its part of the whole's
        within) and ``contribution`` (the same in percent of the total); ``lower``, ``upper`` of the Gini with draws.
    by_pair : DataFrame
        By ``richer`` and ``poorer`` group: ``G_jh`` the Gini between them, ``d_jh`` and ``p_jh`` the mean of the
        differences in favour of the richer and of the poorer, ``D_jh`` the relative economic affluence, and the parts
        ``between``, ``transvariation`` and ``contribution`` (both together, percent of the total); ``lower``,
        ``upper`` of ``G_jh`` with draws.
    intervals : DataFrame or None
        Of the Gini, its parts and their contributions: ``estimate``, ``std_error``, ``lower``, ``upper``.
    p_between : float or None
        Permutation p value of the net between part: share of random groupings with at least as much.
    n, draws, seed : int
    level : float
        Of the intervals.
    weighted : bool
    """

    total: float
    within: float
    between: float
    transvariation: float
    contributions: pd.Series
    by_group: pd.DataFrame
    by_pair: pd.DataFrame
    intervals: pd.DataFrame | None
    p_between: float | None
    n: int
    draws: int
    seed: int
    level: float
    weighted: bool

    def summary(self) -> pd.DataFrame:
        """Return the Gini and its parts, in points and percent, with intervals where there were draws."""
        values = {"total": self.total} | {part: getattr(self, part) for part in PARTS}
        table = pd.DataFrame({"value": values}).rename_axis("part")
        table["contribution"] = pd.Series({"total": 100.0, **self.contributions})
        if self.intervals is not None:
            table = table.join(self.intervals[["lower", "upper"]])
        return table


def dagum_gini(values, groups, weights=None, *, draws: int = 0, seed: int = 0, level: float = 0.95) -> DagumGini:
    r"""Dagum's decomposition of the Gini coefficient into three parts (Dagum 基尼系数及其分解).

    With :math:`p_j` the share of group :math:`j` in the weights, :math:`s_j = p_j \mu_j / \mu` in the total, and
    groups ordered so that :math:`\mu_j \ge \mu_h`,

    .. math:: G_{jh} = \frac{E |X_j - X_h|}{\mu_j + \mu_h}, \quad
              d_{jh} = E (X_j - X_h)^+, \quad p_{jh} = E (X_h - X_j)^+, \quad
              D_{jh} = \frac{d_{jh} - p_{jh}}{d_{jh} + p_{jh}},

    .. math:: G = \underbrace{\sum_j G_{jj} p_j s_j}_{G_w}
                + \underbrace{\sum_{j > h} G_{jh} (p_j s_h + p_h s_j) D_{jh}}_{G_{nb}}
                + \underbrace{\sum_{j > h} G_{jh} (p_j s_h + p_h s_j) (1 - D_{jh})}_{G_t}.

    Takes :math:`O(n \log n + n k)` time for :math:`k` groups and memory in proportion to :math:`n`. Two groups that
    are both one and the same value have :math:`D_{jh} = 0`. Gini coefficients are those of populations, as in
    :func:`gini`; a group of one has a Gini of zero.

    Intervals are from the basic bootstrap, :math:`[2 \hat\theta - q_{1 - \alpha/2}, 2 \hat\theta - q_{\alpha/2}]` with
    quantiles over draws that resample each group to its own size, units with their weights; cut at zero and one. They
    allow for the bias of small samples, which makes the Gini of a resample lower and its net between part higher. In
    simulations (lognormal) 95 % intervals cover the population's parts 93 times in a hundred and more with thirty in
    each group, but 50 to 90 times with one to sixteen; a group of one never varies. Where the observations are all
    there are, such as all provinces, they speak of the process behind and not of the country. The test permutes the
    labels of groups, under the null that they do not matter.

    Parameters
    ----------
    values : array-like or Series, shape (n,)
        Not negative, not all zero.
    groups : array-like or Series, shape (n,)
        Label of each value's group; a Series is aligned by index.
    weights : array-like or Series, shape (n,), optional
        Positive, such as population.
    draws : int
        Of the bootstrap and of the permutation test; none by default.
    seed : int
    level : float
        Of the intervals.

    Returns
    -------
    DagumGini

    Raises
    ------
    InvalidInputError
        As :func:`gini`, for a missing group, and for draws or a level out of range.

    References
    ----------
    Dagum, C. (1997). A new approach to the decomposition of the Gini income inequality ratio. Empirical Economics 22,
    515-531. Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application, sec. 5.2.1. Cambridge
    University Press.

    Examples
    --------
    >>> result = dagum_gini([1, 2, 3, 4], ["inland", "inland", "coast", "coast"])
    >>> [round(part, 12) for part in (result.total, result.within, result.between, result.transvariation)]
    [0.25, 0.05, 0.2, 0.0]
    """
    check_draws(draws, level)
    sample = check_sample(values, groups, weights)
    order, k = np.argsort(sample.amounts, kind="stable"), len(sample.names)
    ordered = sample.amounts[order], sample.weights[order], sample.codes[order]
    parts = decompose(ordered[0], ordered[1][None, :], ordered[2], k)
    total = gini_of(sample)
    values_of = {name: float(getattr(parts, name)[0]) for name in PARTS}
    by_group, by_pair = group_table(sample, parts, total), pair_table(sample, parts, total)
    intervals = p_between = None
    if draws:
        seeds = np.random.SeedSequence(seed).spawn(2)
        counts = bootstrap_counts(sample.codes, draws, np.random.default_rng(seeds[0]))
        labels = permuted_codes(sample.codes, draws, np.random.default_rng(seeds[1]))
        drawn = resampled(*ordered, k, counts[:, order])
        p_between = permutation_p(*ordered, k, labels[:, order])
        intervals = interval_table(parts, drawn, level)
        by_group = by_group.assign(**bounds(by_group["gini"], drawn.group_gini, level))
        richer, poorer = pair_positions(parts)
        by_pair = by_pair.assign(**bounds(by_pair["G_jh"], drawn.pair_gini[:, richer, poorer], level))
    return DagumGini(
        total,
        **values_of,
        contributions=contributions(values_of, total),
        by_group=by_group,
        by_pair=by_pair,
        intervals=intervals,
        p_between=p_between,
        n=len(sample.amounts),
        draws=draws,
        seed=seed,
        level=level,
        weighted=sample.weighted,
    )


def check_draws(draws: int, level: float) -> None:
    """Raise InvalidInputError for a number of draws or a level of confidence that is none."""
    if draws < 0 or int(draws) != draws:
        raise InvalidInputError(f"draws={draws}: expected a whole number, 0 for no intervals")
    if not 0 < level < 1:
        raise InvalidInputError(f"level={level}: expected a share such as 0.95")


def contributions(values: dict[str, float], total: float) -> pd.Series:
    """Parts in percent of the total; not numbers where there is no inequality to share."""
    share = 100 * pd.Series(values, dtype=float, name="contribution")
    return share / total if total > 0 else share * np.nan


def group_table(sample: Sample, parts: Parts, total: float) -> pd.DataFrame:
    """Gini, size, mean, shares and contribution of each group."""
    own, share, mean = parts.group_gini[0], parts.shares[0], parts.means[0]
    income = share * mean / sample.mean
    within = own * share * income
    return pd.DataFrame(
        {
            "gini": own,
            "n": sample.counts,
            "mean": mean,
            "population_share": share,
            "income_share": income,
            "within": within,
            "contribution": 100 * within / total if total > 0 else np.nan,
        },
        index=sample.names,
    )


def pair_positions(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the richer and the poorer group of each pair; of equal means the first named counts as richer."""
    first, second = np.triu_indices(parts.means.shape[1], 1)
    mean = parts.means[0]
    swap = mean[second] > mean[first]
    return np.where(swap, second, first), np.where(swap, first, second)


def pair_table(sample: Sample, parts: Parts, total: float) -> pd.DataFrame:
    """Gini, affluence and contribution of each pair of groups."""
    richer, poorer = pair_positions(parts)
    excess, share = parts.excess[0], parts.shares[0]
    ahead, behind = excess[richer, poorer], excess[poorer, richer]
    apart = ahead + behind
    scale = share[richer] * share[poorer] / sample.mean
    between, transvariation = scale * (ahead - behind), scale * 2 * behind
    return pd.DataFrame(
        {
            "G_jh": parts.pair_gini[0][richer, poorer],
            "D_jh": (ahead - behind) / np.where(apart > 0, apart, 1.0),
            "d_jh": ahead,
            "p_jh": behind,
            "between": between,
            "transvariation": transvariation,
            "contribution": 100 * (between + transvariation) / total if total > 0 else np.nan,
        },
        index=pd.MultiIndex.from_arrays([sample.names[richer], sample.names[poorer]], names=["richer", "poorer"]),
    )


def resampled(values: np.ndarray, weights: np.ndarray, codes: np.ndarray, k: int, counts: np.ndarray) -> Parts:
    """Decompose every resample; all arrays in the order of the values, ``counts`` by draw."""
    pieces = [decompose(values, counts[part] * weights, codes, k) for part in in_chunks(len(values), len(counts))]
    return Parts(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in Parts.__dataclass_fields__))


def permutation_p(values: np.ndarray, weights: np.ndarray, codes: np.ndarray, k: int, labels: np.ndarray) -> float:
    """Share of random labels with at least the net between part of the true ones, which count as one of them."""
    observed = net_between(values, weights, codes[None, :], k)[0]
    exceeding = 0
    for part in in_chunks(len(values), len(labels)):
        # Labels that tie with the true ones can differ from them in the last bit.
        exceeding += int((net_between(values, weights, labels[part], k) >= observed * (1 - 1e-12)).sum())
    return (1 + exceeding) / (1 + len(labels))


def basic_interval(estimate, drawn, level: float, lowest: float = -np.inf, highest: float = np.inf):
    """Basic bootstrap interval of each column: the percentiles of the draws mirrored at the estimate."""
    tail = (1 - level) / 2
    lower, upper = np.quantile(drawn, [tail, 1 - tail], axis=0)
    ends = 2 * np.asarray(estimate) - upper, 2 * np.asarray(estimate) - lower
    return tuple(np.clip(end, lowest, highest) for end in ends)


def bounds(estimate: pd.Series, drawn: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """Ends of intervals of Gini coefficients, within [0, 1]."""
    lower, upper = basic_interval(estimate, drawn, level, 0.0, 1.0)
    return {"lower": lower, "upper": upper}


def part_values(parts: Parts) -> pd.DataFrame:
    """Gini, parts and contributions in percent of every weighting, one row a draw."""
    values = {name: getattr(parts, name) for name in ("total", *PARTS)}
    whole = np.where(parts.total > 0, parts.total, np.nan)
    return pd.DataFrame(values | {f"{name}_contribution": 100 * values[name] / whole for name in PARTS})


def interval_table(parts: Parts, drawn: Parts, level: float) -> pd.DataFrame:
    """Estimates of the Gini, its parts and their contributions with standard errors and intervals."""
    estimate, values = part_values(parts).iloc[0], part_values(drawn)
    highest = np.where(estimate.index.str.endswith("_contribution"), 100.0, 1.0)
    lower, upper = basic_interval(estimate, values, level, 0.0, highest)
    columns = {"estimate": estimate, "std_error": values.std(), "lower": lower, "upper": upper}
    return pd.DataFrame(columns, index=estimate.index).rename_axis("part")

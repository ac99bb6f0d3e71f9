"""The three syndromes of provinces (三类症候): what output, coordination and links fall short of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_index, check_number, check_panel, is_constant
from clusterlib.core.resampling import generator
from clusterlib.errors import InvalidInputError
from clusterlib.study._dormancy import output_frontier as output_frontier
from clusterlib.study.diagnosis._severity import (
    Severity,
    bootstrap_settings,
    distances_between,
    drawn_severity,
    logarithms,
    percentile_bounds,
    shares,
)

_NEIGHBOURS = 4
# A shortfall below this share of what is attainable is rounding.
_NO_GAP = 1e-12


def data_dormancy(
    panel: pd.DataFrame,
    inputs: str | Iterable[str],
    outputs: str | Iterable[str],
    *,
    returns: str = "non-increasing",
    draws: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> Severity:
    r"""Data dormancy as the shortfall from the frontier of each year (数据沉睡度).

    .. math:: S_{it} = 100 \, (1 - \hat\theta^{c}_{it})

    with :math:`\hat\theta^c` the output efficiency of data envelopment, corrected for bias by the bootstrap of Simar
    and Wilson: the part of the output that the same infrastructure and use would yield at the frontier and does not.
    Returns are non-increasing: a small unit could be a large one scaled down, a large one need not be a small one
    scaled up. Drivers are the outputs' shares in the relative shortfall from the target, slacks included.

    The correction makes even the units that span the frontier short of it: a severity or a lower bound above nil is
    therefore no evidence by itself; what the best unit gets is the mark to hold others against.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year), complete in these columns; each year has a frontier of its own, so that changes over
        time are changes relative to the best of the year.
    inputs, outputs : str or iterable of str
        Amounts, not ratios.
    returns : {"constant", "variable", "non-increasing", "non-decreasing"}
        As in :func:`clusterlib.efficiency.data_envelopment`.
    draws, seed : int
        Of the bootstrap, independent between years; with none efficiency is not corrected and there are no bounds.
    level : float
        Of the intervals.

    Returns
    -------
    Severity

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.efficiency.data_envelopment`.

    References
    ----------
    Simar, L. and Wilson, P. W. (1998). Sensitivity analysis of efficiency scores. Management Science 44, 49-61.
    """
    from clusterlib.efficiency import data_envelopment

    inputs, outputs = as_names(inputs, "inputs"), as_names(outputs, "outputs")
    settings = {"inputs": inputs, "outputs": outputs, "returns": returns, **bootstrap_settings(draws, seed, level)}
    data = check_panel(panel, [*inputs, *outputs])
    years = pd.Series(data.index.get_level_values(1), data.index)
    result = data_envelopment(
        data[inputs], data[outputs], returns=returns, orientation="output", groups=years, bootstrap=draws, seed=seed,
        level=level,
    )  # fmt: skip
    efficiency, simulated = result.table["efficiency"], None
    scores = pd.DataFrame({"severity": efficiency}).assign(lower=np.nan, upper=np.nan)
    if result.simulated is not None:
        # The bounds of efficiency change places: the less efficient, the more dormant.
        scores = result.table[["corrected", "upper", "lower"]].set_axis(["severity", "lower", "upper"], axis=1)
        drawn = 1 / (2 / efficiency.to_numpy() - result.simulated.to_numpy())
        simulated = 100 * (1 - drawn).clip(0, 1).T
    targets = result.targets[outputs]
    gap = ((targets - data[outputs]) / targets.where(targets > 0, 1.0)).clip(lower=0)
    return Severity("data_dormancy", (100 * (1 - scores)).clip(0, 100), shares(gap), settings, simulated)


def architecture_imbalance(
    panel: pd.DataFrame,
    concentration: str,
    coordination: str | Iterable[str],
    *,
    quantile: float = 0.9,
    draws: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> Severity:
    r"""Architecture imbalance as coordination that falls short of what concentration allows (架构失衡度).

    Coordination :math:`c_{it}` is the mean of its parts, each rescaled to [0, 1] over the panel. What is attainable at
    a concentration is the conditional quantile over units,

    .. math:: Q_\tau(c_{it} \mid q_{it}) = \alpha_t + \beta \ln q_{it}, \qquad
              S_{it} = 100 \max\Bigl(0, 1 - \frac{c_{it}}{\hat Q_\tau(c_{it} \mid q_{it})}\Bigr)

    so that a unit is compared with those that gathered as much as it did; where a year's intercept is not unique, the
    middle is taken (:func:`clusterlib.diagnosis._syndromes.quantile_lines`). Intervals are percentiles of a bootstrap
    that draws units with all their years.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year).
    concentration : str
        Location quotient :math:`q`, positive.
    coordination : str or iterable of str
        Parts of coordination: more is better.
    quantile : float
        :math:`\tau`.
    draws, seed : int
        Of the bootstrap; with none there are no bounds.
    level : float
        Of the intervals.

    Returns
    -------
    Severity
        Drivers are the parts' shares in the distance of coordination from one. Estimates are the ``slope``
        :math:`\beta` at the quantile and ``median_slope``: whether coordination goes with concentration at all. By
        construction all but a share :math:`1 - \tau` of the panel fall short.

    Raises
    ------
    InvalidInputError
        For a concentration that is not positive or the same in all units of every year, missing values, or a part that
        is the same everywhere.
    UnknownNameError
        If a name is not a column.

    References
    ----------
    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50.
    """
    from clusterlib.composite import normalise

    parts = as_names(coordination, "coordination")
    if not parts:
        raise InvalidInputError("coordination names no column")
    check_number("quantile", quantile, least=0, most=1, open_ends=True)
    settings = {"concentration": concentration, "coordination": parts, "quantile": quantile}
    settings |= bootstrap_settings(draws, seed, level)
    data = check_panel(panel, [concentration, *parts])
    log = logarithms(data[[concentration]])[concentration]
    scaled = normalise(data[parts])
    attained = scaled.mean(axis=1)
    units, years = data.index.get_level_values(0), data.index.get_level_values(1)
    # The panel itself, then each draw of its units, with all their years: (sample, period, unit).
    sample = np.vstack([np.arange(units.nunique()), _drawn_units(units.nunique(), settings)])
    x, y = (values.unstack(0).to_numpy()[:, sample].swapaxes(0, 1) for values in (log, attained))
    slope, intercepts = quantile_lines(x, y, quantile)
    median_slope, _ = quantile_lines(x, y, 0.5)
    if np.isnan(slope[0]):
        raise InvalidInputError(f"{concentration!r} is the same for all units of every year: there is no slope on it")
    attainable = intercepts[:, years.unique().sort_values().get_indexer(years)] + slope[:, None] * log.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(attainable > 0, 1 - attained.to_numpy() / attainable, 0.0)
    severity = 100 * np.clip(np.where(gap > _NO_GAP, gap, 0.0), 0, 1)
    slopes = pd.DataFrame({"slope": slope, "median_slope": median_slope})
    lower, upper = percentile_bounds(slopes.to_numpy()[1:], settings["level"])
    estimates = pd.DataFrame({"estimate": slopes.iloc[0], "lower": lower, "upper": upper})
    point = pd.Series(severity[0], data.index)
    short = (1 - scaled).where(point > 0, 0.0)
    found = drawn_severity("architecture_imbalance", point, severity[1:], shares(short), settings)
    return replace(found, estimates=estimates)


def _drawn_units(count: int, settings: dict) -> np.ndarray:
    """Positions of units drawn with replacement, shape (draws, units)."""
    return generator(settings["seed"]).integers(0, count, (settings["draws"], count))


def quantile_lines(x: np.ndarray, y: np.ndarray, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Slope and periods' intercepts of quantile regressions (分位数回归), exactly, for many samples at once.

    .. math:: \min_{\beta, \alpha} \sum_t \sum_i \rho_\tau(y_{it} - \alpha_t - \beta x_{it}), \qquad
              \rho_\tau(u) = u (\tau - 1[u < 0])

    For a given slope the best intercepts are the quantiles of each period's residuals, so that a convex function of the
    slope alone remains, whose derivative depends on the order of the residuals only; its sign is bisected. Minima need
    not be unique: where :math:`n_t \tau` is a whole number every intercept between two residuals is as good, and the
    middle is taken; of equally good slopes the least is taken.

    Parameters
    ----------
    x, y : array of shape (samples, periods, units)
        NaN where a unit is missing, in both.
    quantile : float
        :math:`\tau`, between 0 and 1.

    Returns
    -------
    slope : array of shape (samples,)
        NaN for a sample whose x is the same for all units of every period.
    intercepts : array of shape (samples, periods)

    References
    ----------
    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50.

    Examples
    --------
    >>> slope, intercepts = quantile_lines(np.array([[[0.0, 1, 2]]]), np.array([[[1.0, 3, 9]]]), 0.5)
    >>> slope.round(9).tolist(), intercepts.round(9).tolist()
    ([4.0], [[1.0]])
    """
    count = (~np.isnan(y)).sum(axis=-1, keepdims=True)
    # How much of each residual, from the least up, lies below the quantile.
    rank = _whole(count * quantile)
    below = np.clip(rank - np.arange(y.shape[-1]), 0, 1)
    score = below - quantile
    tolerance = 1e-12 * np.nansum(np.abs(x), axis=(1, 2))

    def derivative(slope: np.ndarray) -> np.ndarray:
        order = np.argsort(y - slope[:, None, None] * x, axis=-1)
        ranked = np.nan_to_num(np.take_along_axis(x, order, axis=-1))
        return (score * ranked).sum(axis=(1, 2))

    slope = _first_root(derivative, tolerance)
    residuals = np.sort(y - slope[:, None, None] * x, axis=-1)
    lower, upper = (np.clip(r.astype(int), 0, count - 1) for r in (np.ceil(rank) - 1, np.floor(rank)))
    below, above = (np.take_along_axis(residuals, end, axis=-1)[..., 0] for end in (lower, upper))
    return slope, (below + above) / 2


def _whole(rank: np.ndarray) -> np.ndarray:
    """Ranks, whole where they are but for rounding: thirty times 0.9 is not quite 27 in binary."""
    nearest = np.round(rank)
    return np.where(np.abs(rank - nearest) < 1e-9, nearest, rank)


def _first_root(derivative: Callable[[np.ndarray], np.ndarray], tolerance: np.ndarray) -> np.ndarray:
    """Bisect for where a derivative that only rises leaves the negative, for each sample; NaN where it never does."""
    low = _widened(-np.ones_like(tolerance), lambda slope: derivative(slope) >= -tolerance)
    high = _widened(np.ones_like(tolerance), lambda slope: derivative(slope) < -tolerance)
    flat = derivative(low) >= -tolerance
    while (np.abs(high - low)[~flat] > 1e-15 * np.maximum(np.abs(high), 1e-3)[~flat]).any():
        middle = (low + high) / 2
        if ((middle == low) | (middle == high) | flat).all():
            break
        negative = derivative(middle) < -tolerance
        low, high = np.where(negative, middle, low), np.where(negative, high, middle)
    return np.where(flat, np.nan, (low + high) / 2)


def _widened(end: np.ndarray, too_near: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Double the ends that lie too near, as long as numbers can tell."""
    for _ in range(60):
        near = too_near(end)
        if not near.any():
            break
        end = np.where(near, 2 * end, end)
    return end


def link_indicators(
    panel: pd.DataFrame, industries: pd.DataFrame, groups: Mapping[str, str] | pd.Series, distance: pd.DataFrame
) -> pd.DataFrame:
    """Indicators of links between regions and between industries, by unit and year (联系指标).

    ``network``: logarithm of the strength of a unit's ties, out and in, in the modified gravity network of GDP and
    software revenue of the year, relative to its GDP; ``related`` and ``unrelated`` variety of its industries;
    ``trade``: logarithm of goods trade relative to GDP; ``software_exports``: logarithm of one plus software exports
    (USD) per 10,000 yuan of software revenue; ``neighbours``: logarithm of the mean of software revenue relative to GDP
    over the four nearest units.

    Parameters
    ----------
    panel : DataFrame
        With ``gdp``, ``software_revenue``, ``software_exports``, ``goods_trade_share``, ``gdp_per_capita``.
    industries : DataFrame
        Output by industry, by the same index.
    groups : mapping or Series
        Coarser group of each industry.
    distance : DataFrame
        Kilometres between units.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidInputError, UnknownNameError
        For a panel that is not complete in these columns, or positive where a logarithm is taken; industries of other
        rows, and units without a distance.
    """
    from clusterlib.agglomeration import variety
    from clusterlib.spatial import gravity_network

    positive = ["gdp", "software_revenue", "goods_trade_share", "gdp_per_capita"]
    data = check_panel(panel, [*positive, "software_exports"])
    trade = logarithms(data[positive])["goods_trade_share"]
    if len(check_index(industries)) != len(data) or not data.index.isin(industries.index).all():
        raise InvalidInputError("industries: expected the same units and years as those of the panel")
    if not isinstance(groups, (Mapping, pd.Series)):
        raise InvalidInputError(f"groups: expected the group of each industry, got a {type(groups).__name__}")
    kinds = variety(industries.loc[data.index], groups)
    kilometres = distances_between(distance, data.index.unique(0))
    total = {}
    for year, part in data.groupby(level=1):
        frame = part.droplevel(1)
        ties = gravity_network(frame, kilometres, ["gdp", "software_revenue"], threshold="none").strength
        total[year] = ties.sum(axis=0) + ties.sum(axis=1)
    strength = pd.concat(total).swaplevel().reindex(data.index)
    share = (data["software_revenue"] / 10_000 / data["gdp"]).unstack()
    near = kilometres.rank(axis=1, method="first")
    near = (near > 1) & (near <= 1 + _NEIGHBOURS)
    around = near.astype(float).div(near.sum(axis=1), axis=0) @ share
    return pd.DataFrame(
        {
            "network": np.log(strength / data["gdp"]),
            "unrelated": kinds["unrelated"],
            "related": kinds["related"],
            "trade": trade,
            "software_exports": np.log1p(10_000 * data["software_exports"] / data["software_revenue"]),
            "neighbours": np.log(around.stack()).reindex(data.index),
        }
    )


def ecosystem_isolation(
    links: pd.DataFrame,
    dimensions: Mapping[str, Iterable[str]] | None = None,
    *,
    draws: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> Severity:
    r"""Ecosystem isolation as the distance from a full score of links (生态孤立度).

    .. math:: S_{it} = 100 \Bigl(1 - \sum_j w_j z_{itj}\Bigr)

    with :math:`z` the indicators of links rescaled to [0, 1] over all units and years, equal weights over dimensions
    and, within each, over indicators. Intervals are percentiles of a bootstrap that draws units with all their years,
    takes ranges from the sample and, in every other draw, entropy weights: they show how much the score owes to who is
    compared and to how the links are weighed.

    Parameters
    ----------
    links : DataFrame
        Indexed by (unit, year): indicators of which more is better, as of :func:`link_indicators`.
    dimensions : mapping of str to iterable of str, optional
        By default every indicator is its own.
    draws, seed : int
        Of the bootstrap; with none there are no bounds.
    level : float
        Of the intervals.

    Returns
    -------
    Severity
        Drivers are the obstacle degrees.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.composite.composite_index`.
    """
    from clusterlib.composite import composite_index, entropy_weights, obstacle_degree

    settings = bootstrap_settings(draws, seed, level)
    check_index(links)
    index = composite_index(links, dimensions, weights="equal")
    equal, names = index.weights.to_numpy(), list(index.weights.index)
    values = links[names].to_numpy(float)
    unit, units = pd.factorize(links.index.get_level_values(0), sort=True)
    rows = [np.flatnonzero(unit == u) for u in range(len(units))]
    drawn = np.empty((settings["draws"], len(links)))
    for d, chosen in enumerate(_drawn_units(len(units), settings)):
        sample = values[np.concatenate([rows[i] for i in chosen])]
        if is_constant(sample, axis=0).any():
            sample = values  # a few like units were drawn: there is no range to rescale by
        # Half the draws weigh alike, half by entropy, so that the interval covers both ways.
        weights = equal if d % 2 else entropy_weights(pd.DataFrame(sample, columns=names)).to_numpy()
        scaled = np.clip((values - sample.min(axis=0)) / np.ptp(sample, axis=0), 0, 1)
        drawn[d] = 100 * (1 - scaled @ weights)
    settings = {"links": names, **settings}
    return drawn_severity(
        "ecosystem_isolation", 100 * (1 - index.score), drawn, obstacle_degree(index), settings, widen=True
    )

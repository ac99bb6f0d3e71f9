"""Ecosystem isolation (生态孤立): weak links across regions and industries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from clusterlib.diagnosis._severity import Severity, percentile_bounds, resampled_units

_NEIGHBOURS = 4


def link_indicators(panel: pd.DataFrame, industries: pd.DataFrame, groups: Mapping[str, str], distance: pd.DataFrame):
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
    groups : mapping
        Coarser group of each industry.
    distance : DataFrame
        Kilometres between units.

    Returns
    -------
    DataFrame
    """
    from clusterlib.agglomeration import variety
    from clusterlib.spatial import gravity_network

    kinds = variety(industries, groups)
    network = []
    for year, part in panel.groupby(level=1):
        frame = part.droplevel(1)
        ties = gravity_network(frame, distance, ["gdp", "software_revenue"], threshold="none").strength
        total = (ties.sum(axis=0) + ties.sum(axis=1)) / frame["gdp"]
        network.append(pd.concat({year: np.log(total)}, names=["year"]).swaplevel())
    share = (panel["software_revenue"] / 10_000 / panel["gdp"]).unstack("year")
    near = distance.loc[share.index, share.index].rank(axis=1, method="first")
    near = (near > 1) & (near <= 1 + _NEIGHBOURS)
    around = near.astype(float).div(near.sum(axis=1), axis=0) @ share
    return pd.DataFrame(
        {
            "network": pd.concat(network).reindex(panel.index),
            "unrelated": kinds["unrelated"],
            "related": kinds["related"],
            "trade": np.log(panel["goods_trade_share"]),
            "software_exports": np.log1p(10_000 * panel["software_exports"] / panel["software_revenue"]),
            "neighbours": np.log(around.stack()).reindex(panel.index),
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
        Of the bootstrap.
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

    index = composite_index(links, dimensions, weights="equal")
    severity = 100 * (1 - index.score)
    names, values = list(index.weights.index), links[list(index.weights.index)].to_numpy(float)
    units, unit = links.index.unique(0), links.index.get_level_values(0)
    rows = [np.flatnonzero(unit == u) for u in units]
    simulated = np.empty((draws, len(links)))
    for d, chosen in enumerate(resampled_units(units, draws, seed)):
        sample = values[np.concatenate([rows[i] for i in chosen])]
        if (np.ptp(sample, axis=0) == 0).any():
            sample = values  # a few like units were drawn: there is no range to rescale by
        # Half the draws weigh alike, half by entropy, so that the interval covers both ways.
        weights = index.weights.to_numpy() if d % 2 else entropy_weights(pd.DataFrame(sample, columns=names)).to_numpy()
        scaled = np.clip((values - sample.min(axis=0)) / np.ptp(sample, axis=0), 0, 1)
        simulated[d] = 100 * (1 - scaled @ weights)
    lower, upper = percentile_bounds(simulated, level)
    table = pd.DataFrame(
        {"severity": severity, "lower": np.minimum(lower, severity), "upper": np.maximum(upper, severity)}
    ).clip(0, 100)
    settings = {"links": names, "draws": draws, "seed": seed, "level": level}
    return Severity("ecosystem_isolation", table, obstacle_degree(index), settings, simulated.T)

"""Architecture imbalance (架构失衡): gathered but not a cluster, concentration without coordination."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel
from clusterlib.diagnosis._dormancy import shares
from clusterlib.diagnosis._quantiles import quantile_lines
from clusterlib.diagnosis._severity import Severity, percentile_bounds, resampled_units
from clusterlib.errors import InvalidInputError


def _samples(wide: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
    """The panel itself and each draw of its units, (sample, period, unit)."""
    chosen = np.array([np.arange(wide.shape[1]), *resampled_units(wide.columns, draws, seed)])
    return wide.to_numpy()[:, chosen].swapaxes(0, 1)


def _severity(attained: np.ndarray, attainable: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(attainable > 0, 1 - attained / attainable, 0.0)
    return 100 * np.clip(gap, 0, 1)


def architecture_imbalance(
    panel: pd.DataFrame,
    concentration: str,
    coordination: Iterable[str],
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
    middle is taken (:func:`clusterlib.diagnosis._quantiles.quantile_lines`). Intervals are percentiles of a bootstrap
    that draws units with all their years.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year).
    concentration : str
        Location quotient :math:`q`, positive.
    coordination : iterable of str
        Parts of coordination: more is better.
    quantile : float
        :math:`\tau`.
    draws, seed : int
        Of the bootstrap.
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
        For a concentration that is not positive, missing values, or a part that is the same everywhere.
    UnknownNameError
        If a name is not a column.

    References
    ----------
    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50.
    """
    from clusterlib.composite import normalise

    parts = as_names(coordination)
    data = check_panel(panel, [concentration, *parts])
    if (data[concentration] <= 0).any():
        bad = data.index[data[concentration] <= 0][0]
        raise InvalidInputError(f"{concentration!r} at {bad} is not positive: its logarithm is needed")
    scaled = normalise(data[parts])
    attained = scaled.mean(axis=1).to_numpy()
    log = np.log(data[concentration])
    x, y = (
        _samples(values.unstack(0), draws, seed) for values in (log, pd.Series(attained, data.index, name="attained"))
    )
    slope, intercepts = quantile_lines(x, y, quantile)
    median_slope, _ = quantile_lines(x, y, 0.5)
    years = data.index.get_level_values(1)
    attainable = intercepts[:, years.unique().sort_values().get_indexer(years)] + slope[:, None] * log.to_numpy()
    severity = _severity(attained, attainable)
    lower, upper = percentile_bounds(severity[1:], level)
    table = pd.DataFrame({"severity": severity[0], "lower": lower, "upper": upper}, index=data.index)
    slopes = np.column_stack([slope, median_slope])
    bounds = dict(zip(("lower", "upper"), percentile_bounds(slopes[1:], level), strict=True))
    estimates = pd.DataFrame({"estimate": slopes[0], **bounds}, ["slope", "median_slope"])
    gap = (1 - scaled).where(table["severity"] > 0, 0.0)
    settings = {
        "concentration": concentration, "coordination": parts, "quantile": quantile,
        "draws": draws, "seed": seed, "level": level,
    }  # fmt: skip
    return Severity("architecture_imbalance", table, shares(gap), settings, severity[1:].T, estimates)

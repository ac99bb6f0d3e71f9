"""Architecture imbalance (架构失衡): gathered but not a cluster, concentration without coordination."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.diagnosis.dormancy import shares
from clusterlib.diagnosis.severity import Severity, percentile_bounds, resampled_units
from clusterlib.errors import InvalidInputError
from clusterlib.inputs import as_names, check_panel


def _coefficients(sample: tuple[np.ndarray, np.ndarray], quantile: float) -> np.ndarray:
    """Quantile regression by the dual linear programme: a bounded variable an observation, an equation a regressor."""
    from scipy.optimize import linprog

    X, y = sample
    solved = linprog(-y, A_eq=X.T, b_eq=(1 - quantile) * X.sum(axis=0), bounds=(0, 1), method="highs")
    return -solved.eqlin.marginals


def _attainable(sample: tuple[np.ndarray, np.ndarray], design: np.ndarray, quantile: float) -> np.ndarray:
    """Quantile regression of coordination, fitted on a sample and read off at ``design``."""
    return design @ _coefficients(sample, quantile)


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

    so that a unit is compared with those that gathered as much as it did. Intervals are percentiles of a bootstrap that
    draws units with all their years.

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
    years = data.index.get_level_values(1)
    X = np.column_stack([np.log(data[concentration]), pd.get_dummies(years, dtype=float)])
    units, unit = data.index.unique(0), data.index.get_level_values(0)
    rows = [np.flatnonzero(unit == u) for u in units]
    samples = [np.concatenate([rows[i] for i in chosen]) for chosen in resampled_units(units, draws, seed)]
    quantiles = (quantile, 0.5)
    best, median = (_coefficients((X, attained), q) for q in quantiles)
    drawn = np.array([[_coefficients((X[s], attained[s]), q) for q in quantiles] for s in samples])
    point = _severity(attained, X @ best)
    simulated = _severity(attained, drawn[:, 0] @ X.T)
    lower, upper = percentile_bounds(simulated, level)
    table = pd.DataFrame({"severity": point, "lower": lower, "upper": upper}, index=data.index)
    slopes = percentile_bounds(drawn[:, :, 0], level)
    estimates = pd.DataFrame(
        {"estimate": [best[0], median[0]], "lower": slopes[0], "upper": slopes[1]}, ["slope", "median_slope"]
    )
    gap = (1 - scaled).where(table["severity"] > 0, 0.0)
    settings = {
        "concentration": concentration, "coordination": parts, "quantile": quantile,
        "draws": draws, "seed": seed, "level": level,
    }  # fmt: skip
    return Severity("architecture_imbalance", table, shares(gap), settings, simulated.T, estimates)

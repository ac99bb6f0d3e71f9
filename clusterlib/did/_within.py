"""Regression with unit and period effects (双向固定效应回归), exact for panels that are not balanced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_columns
from clusterlib.errors import InvalidInputError


@dataclass(frozen=True)
class Effects:
    """The fixed effects and clusters of a panel's rows, as codes from zero."""

    unit: np.ndarray
    period: np.ndarray
    cluster: np.ndarray

    @property
    def periods(self) -> int:
        """Number of period effects."""
        return int(self.period.max()) + 1

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max()) + 1


def by_unit(data: pd.DataFrame, index: pd.MultiIndex, groups: str | pd.Series, what: str) -> np.ndarray:
    """Return codes of a grouping that each unit belongs to in all its periods, for the rows of ``index``."""
    if isinstance(groups, str):
        if groups not in data.columns:
            check_columns(data, [groups], what)
        label = data[groups].reindex(index)
    else:
        label = pd.Series(groups.reindex(index.get_level_values(0)).to_numpy(), index=index)
    if label.isna().any():
        raise InvalidInputError(f"{what}: no group for {index[label.isna()][0]}")
    many = label.groupby(level=0).nunique()
    if (many > 1).any():
        raise InvalidInputError(f"{what}: unit {many.index[many > 1][0]} is in more than one group")
    return pd.factorize(label, sort=True)[0]


def effects_of(
    data: pd.DataFrame,
    index: pd.MultiIndex,
    cluster: str | pd.Series | None = None,
    periods_by: str | pd.Series | None = None,
) -> Effects:
    """Return the effects of a sorted panel's rows; clusters are units, period effects common to all, unless given."""
    unit = pd.factorize(index.get_level_values(0), sort=True)[0]
    period = pd.factorize(index.get_level_values(1), sort=True)[0]
    if periods_by is not None:
        group = by_unit(data, index, periods_by, "groups of the period effects")
        period = pd.factorize(period * (group.max() + 1) + group, sort=True)[0]
    clusters = unit if cluster is None else by_unit(data, index, cluster, "clusters")
    if clusters.max() < 1:
        raise InvalidInputError("one cluster only: standard errors by cluster need at least two")
    return Effects(unit, period, clusters)


def demean_units(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Take each unit's mean out of every column."""
    count = np.bincount(unit)
    means = np.stack([np.bincount(unit, weights=column) / count for column in values.T], axis=1)
    return values - means[unit]


def period_dummies(effects: Effects) -> np.ndarray:
    """Return the period effects' dummies, all but the first, with the units' means taken out."""
    dummies = (effects.period[:, None] == np.arange(1, effects.periods)).astype(float)
    return demean_units(dummies, effects.unit)


def demean(values: np.ndarray, effects: Effects) -> np.ndarray:
    """Take unit and period effects out of every column: residuals of its regression on both sets of dummies."""
    values = demean_units(values, effects.unit)
    for rows in _connected(effects):
        part = values[rows]
        unit, period = (np.unique(codes[rows], return_inverse=True)[1] for codes in (effects.unit, effects.period))
        dummies = period_dummies(Effects(unit, period, unit))
        inverse = np.linalg.pinv(dummies.T @ dummies, hermitian=True)
        # The second pass takes out what rounding in the normal equations left.
        for _ in range(2):
            part = part - dummies @ (inverse @ (dummies.T @ part))
        values[rows] = part
    return values


def _connected(effects: Effects) -> list[np.ndarray]:
    """Rows of each set of units and periods that shares no effect with others, as provinces with years of their own do.

    Their normal equations are solved apart: together these lose a rank for each set, which a pseudo-inverse does not
    tell from rounding, and take the cube of the number of sets.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    units = int(effects.unit.max()) + 1
    size = units + effects.periods
    links = coo_array((np.ones(len(effects.unit)), (effects.unit, units + effects.period)), shape=(size, size))
    count, part = connected_components(links, directed=False)
    rows = part[effects.unit]
    return [np.flatnonzero(rows == number) for number in range(count)]


@dataclass(frozen=True)
class Fit:
    """Least squares on demeaned data with a covariance by cluster."""

    params: pd.Series
    covariance: pd.DataFrame
    residuals: np.ndarray
    df: int

    @property
    def std_errors(self) -> pd.Series:
        """Square roots of the covariance's diagonal."""
        return pd.Series(np.sqrt(np.diag(self.covariance)), index=self.params.index)


def fit(y: np.ndarray, X: pd.DataFrame, effects: Effects) -> Fit:
    r"""Regress ``y`` on ``X`` with unit and period effects, errors clustered.

    The covariance is multiplied by :math:`\frac{G}{G-1} \frac{N-1}{N-K}`, where :math:`K` counts the slopes and the
    period effects but not the unit effects, which are nested in the clusters.
    """
    demeaned = demean(np.column_stack([y, X.to_numpy(float)]), effects)
    y, x = demeaned[:, 0], demeaned[:, 1:]
    check_rank(x, X)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    residuals = y - x @ beta
    scores = np.zeros((effects.clusters, x.shape[1]))
    np.add.at(scores, effects.cluster, x * residuals[:, None])
    n, k, g = len(y), x.shape[1] + effects.periods, effects.clusters
    if n <= k:
        raise InvalidInputError(f"{n} observations cannot carry {k} coefficients and period effects")
    covariance = inverse @ (scores.T @ scores) @ inverse * (g / (g - 1)) * ((n - 1) / (n - k))
    names = X.columns
    return Fit(pd.Series(beta, names), pd.DataFrame(covariance, names, names), residuals, g - 1)


def check_rank(x: np.ndarray, X: pd.DataFrame) -> None:
    """Raise InvalidInputError naming the columns of ``X`` that their demeaned values ``x`` leave nothing of."""
    from scipy.linalg import qr

    size = np.sqrt((X.to_numpy(float) ** 2).sum(axis=0))
    _, triangle, order = qr(x / np.where(size > 0, size, 1.0), mode="economic", pivoting=True)
    depth = np.abs(np.diag(triangle))
    if len(depth) < x.shape[1] or depth.min() < 1e-9:
        lost = order[int((depth >= 1e-9).sum()) :]
        raise InvalidInputError(
            f"cannot be told apart from the unit and period effects and the other regressors: "
            f"{', '.join(str(X.columns[i]) for i in sorted(lost))}"
        )

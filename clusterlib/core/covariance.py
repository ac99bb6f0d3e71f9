"""Covariance of estimates (协方差矩阵): classical, robust, clustered, Driscoll-Kraay, Conley, and their factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_labels, check_number, check_whole, listed, place_of
from clusterlib.core.places import coordinates, great_circles
from clusterlib.core.within import Layout, group_sums
from clusterlib.errors import InvalidInputError

KINDS = ("classical", "robust", "cluster", "driscoll-kraay", "conley")
KERNELS = ("bartlett", "uniform")
SMALL_SAMPLE = ("nested", "sss", "none")
CLUSTERS = ("entity", "time")


@dataclass(frozen=True)
class Covariance:
    """How errors may be related, and the corrections for a small sample.

    Attributes
    ----------
    kind : str
        One of ``KINDS``.
    small_sample : str
        One of ``SMALL_SAMPLE``.
    groups : ndarray of int, optional
        Cluster of each row.
    bandwidth : int
        Lags in periods.
    proximity : ndarray, optional
        Conley's weights between units.
    settings : dict
        What was asked for, for the record.
    """

    kind: str
    small_sample: str
    groups: np.ndarray | None
    bandwidth: int
    proximity: np.ndarray | None
    settings: dict

    def meat(self, scores: np.ndarray, layout: Layout) -> np.ndarray:
        """Return the sum of outer products of ``scores``, a row an observation, over the pairs that may be related."""
        if self.groups is not None:
            return _outer(group_sums(scores, self.groups, self.groups.max() + 1))
        if self.kind == "driscoll-kraay":
            return _lagged(group_sums(scores, layout.time, len(layout.periods))[None], self.bandwidth)
        if self.proximity is not None:
            cube = np.zeros((len(layout.units), len(layout.periods), scores.shape[1]))
            cube[layout.unit, layout.time] = scores
            near = np.tensordot(self.proximity, cube, axes=1)
            same_time = np.tensordot(cube, near, axes=([0, 1], [0, 1]))
            return same_time + _lagged(cube, self.bandwidth) - _outer(scores)
        return _outer(scores)

    def factor(self, columns: int, layout: Layout) -> float:
        """Return the small-sample factor for this number of coefficients."""
        n = layout.rows
        if self.small_sample == "none":
            return 1.0
        groups = self._groups(layout)
        if groups is None:
            return n / (n - columns - layout.absorbed)
        g = groups.max() + 1
        counted = columns if self.small_sample == "sss" else columns + _not_nested(layout, groups)
        return cluster_factor(int(g), n, counted)

    def df(self, columns: int, layout: Layout) -> int:
        """Return the degrees of freedom of t and F statistics."""
        groups = self._groups(layout)
        return layout.rows - columns - layout.absorbed if groups is None else int(groups.max())

    def of(self, inverse: np.ndarray, scores: np.ndarray, residuals: np.ndarray, layout: Layout) -> np.ndarray:
        """Return the covariance of the estimates that solve ``scores.sum(axis=0) == 0``.

        Raises
        ------
        InvalidInputError
            If a variance is not positive, which Conley's kernel does not rule out.
        """
        k = len(inverse)
        if self.kind == "classical":
            return inverse * (residuals @ residuals) / (layout.rows - k - layout.absorbed)
        covariance = self.factor(k, layout) * inverse @ self.meat(scores, layout) @ inverse.T
        if not (np.diag(covariance) > 0).all():
            raise InvalidInputError("a variance is not positive: choose another cutoff or kernel, or cluster instead")
        return covariance

    def _groups(self, layout: Layout) -> np.ndarray | None:
        return layout.time if self.kind == "driscoll-kraay" else self.groups


def _outer(values: np.ndarray) -> np.ndarray:
    return values.T @ values


def _lagged(cube: np.ndarray, bandwidth: int) -> np.ndarray:
    """Newey-West sum of (series, time, score) over time with Bartlett weights."""
    total = np.tensordot(cube, cube, axes=([0, 1], [0, 1]))
    for lag in range(1, min(bandwidth, cube.shape[1] - 1) + 1):
        cross = np.tensordot(cube[:, lag:], cube[:, :-lag], axes=([0, 1], [0, 1]))
        total = total + (1 - lag / (bandwidth + 1)) * (cross + cross.T)
    return total


def _not_nested(layout: Layout, groups: np.ndarray) -> int:
    """Count the effects, the constant among them, that are not spanned by dummies of the clusters."""
    nested = [codes.max() for codes in effect_codes(layout) if is_nested(codes, groups)]
    return layout.absorbed - max(nested, default=0)


def effect_codes(layout: Layout) -> list[np.ndarray]:
    """Return the codes of units and of periods, as far as there are effects of them."""
    chosen = {"twoway": (True, True), "entity": (True, False), "time": (False, True), "none": (False, False)}
    return [codes for codes, wanted in zip((layout.unit, layout.time), chosen[layout.effects], strict=True) if wanted]


def is_nested(codes: np.ndarray, groups: np.ndarray) -> bool:
    """Whether each unit or period lies in one cluster."""
    return len(np.unique(codes * (groups.max() + 1) + groups)) == codes.max() + 1


def dyadic_meat(scores: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the sum of outer products of the scores of pairs of units, as often as two pairs have units in common.

    Parameters
    ----------
    scores : ndarray, shape (pairs, coefficients)
    one, other : ndarray of int
        The two units of each pair.
    """
    units = int(max(one.max(), other.max())) + 1
    return _outer(group_sums(scores, one, units) + group_sums(scores, other, units))


def wald_statistic(estimates: np.ndarray, covariance: np.ndarray) -> float:
    r"""Return Wald's statistic :math:`b'V^{-1}b` that all estimates are nil (瓦尔德统计量).

    Raises
    ------
    InvalidInputError
        If V is singular, as it is with no more clusters than estimates.
    """
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all() or np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] < 1e-10:
        raise InvalidInputError(
            f"the covariance of {len(estimates)} estimates that are tested together is singular: there must be more "
            "clusters than estimates"
        )
    return float(estimates @ np.linalg.solve(covariance, estimates))


def cluster_factor(clusters: int, rows: int, counted: int) -> float:
    r"""Return the small-sample factor of clustered errors, :math:`\frac{G}{G-1} \frac{n-1}{n-K}`."""
    return clusters / (clusters - 1) * (rows - 1) / (rows - counted)


def cluster_codes(cluster: str | pd.Series, layout: Layout, data: pd.DataFrame | None = None) -> tuple[np.ndarray, str]:
    """Return the cluster of each row as codes from zero, and what the clusters are called.

    Parameters
    ----------
    cluster : {"entity", "time"} or Series
        Or labels by unit or by row; or a column of ``data``.
    layout : Layout
    data : DataFrame, optional

    Raises
    ------
    InvalidInputError
        For a row without a label, or one cluster only.
    UnknownNameError
        For another word.
    """
    if isinstance(cluster, str) and (data is None or cluster not in data.columns):
        check_choice("cluster", cluster, CLUSTERS, "or give a Series of labels by unit")
        codes, name = layout.unit if cluster == "entity" else layout.time, cluster
    else:
        labels = check_labels(cluster, layout.index, "cluster", data)
        name = cluster if isinstance(cluster, str) else str(getattr(cluster, "name", None) or "given")
        codes = pd.factorize(labels)[0]
    if codes.max() < 1:
        raise InvalidInputError("one cluster only: errors clustered so cannot be estimated")
    return codes, name


def _proximity(places, cutoff: float | None, kernel: str, layout: Layout) -> np.ndarray:
    if places is None or cutoff is None:
        raise InvalidInputError("Conley's errors need places=, where the units are, and cutoff= in km")
    check_number("cutoff", cutoff, least=0, open_ends=True, unit="km")
    check_choice("kernel", kernel, KERNELS)
    if not isinstance(places, pd.DataFrame) and not hasattr(places, "geometry"):
        raise InvalidInputError(
            f"places: expected boundaries, or columns 'lon' and 'lat' by unit, got a {type(places).__name__}"
        )
    missing = layout.units.difference(places.index)
    if len(missing):
        raise InvalidInputError(f"no place for {listed(missing)}")
    if places.index.has_duplicates:
        raise InvalidInputError(f"places: {place_of(places.index[places.index.duplicated()][0])} has more than one row")
    share = great_circles(coordinates(places.loc[layout.units])) / cutoff
    return np.clip(1 - share, 0, None) if kernel == "bartlett" else (share <= 1).astype(float)


def _bandwidth(kind: str, bandwidth: int | None, periods: int) -> int:
    if bandwidth is None:
        return int(4 * (periods / 100) ** (2 / 9)) if kind == "driscoll-kraay" else 0
    return check_whole("bandwidth", bandwidth, unit="lags")


def make_covariance(
    kind: str,
    layout: Layout,
    *,
    cluster: str | pd.Series = "entity",
    bandwidth: int | None = None,
    places=None,
    cutoff: float | None = None,
    kernel: str = "bartlett",
    small_sample: bool | str = True,
) -> Covariance:
    """Check what was asked for and return the covariance; see :func:`clusterlib.panel.fixed_effects`.

    Raises
    ------
    InvalidInputError, UnknownNameError
        For an unknown kind or option, clusters or places that are missing, or a cutoff that is not positive.
    """
    check_choice("covariance", kind, KINDS)
    if isinstance(small_sample, bool):
        small_sample = "nested" if small_sample else "none"
    check_choice("small-sample convention", small_sample, SMALL_SAMPLE)
    if small_sample == "sss" and kind != "cluster":
        raise InvalidInputError("small_sample='sss' is a convention for clustered errors: use True or False")
    groups, proximity, lags = None, None, _bandwidth(kind, bandwidth, len(layout.periods))
    settings: dict[str, object] = {"cov": kind, "small_sample": small_sample}
    if kind == "cluster":
        groups, settings["cluster"] = cluster_codes(cluster, layout)
        settings["clusters"] = int(groups.max() + 1)
    if kind in ("driscoll-kraay", "conley"):
        settings["bandwidth"] = lags
    if kind == "conley":
        proximity = _proximity(places, cutoff, kernel, layout)
        settings |= {"cutoff_km": cutoff, "kernel": kernel}
    return Covariance(kind, small_sample, groups, lags, proximity, settings)

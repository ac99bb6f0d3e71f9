"""Samples that indices of inequality take: values, weights and groups, checked and aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_panel
from clusterlib.errors import InvalidInputError, UnknownNameError


@dataclass(frozen=True)
class Sample:
    """Amounts with weights of any sum and the number of each one's group in ``names``.

    Weights are kept as given: sums of ones are exact, sums of shares are not.
    """

    amounts: np.ndarray
    weights: np.ndarray
    codes: np.ndarray
    names: pd.Index
    weighted: bool

    @property
    def counts(self) -> np.ndarray:
        """Observations in each group."""
        return np.bincount(self.codes, minlength=len(self.names))

    @property
    def mean(self) -> float:
        """Weighted mean of the amounts."""
        return float(self.weights @ self.amounts / self.weights.sum())


def _aligned(what: str, other, values):
    """Return ``other`` as an array in the order of ``values``: by index where both have one, else by position."""
    if isinstance(other, pd.Series) and isinstance(values, pd.Series) and not other.index.equals(values.index):
        if other.index.has_duplicates or values.index.has_duplicates:
            raise InvalidInputError(f"{what}: its index differs from that of the values and has entries twice")
        missing = values.index.difference(other.index)
        if len(missing):
            raise InvalidInputError(f"{what}: none for {len(missing)} value(s), the first is {missing[0]}")
        other = other.reindex(values.index)
    array = np.asarray(other)
    if array.shape != (len(values),):
        raise InvalidInputError(f"{what}: expected {len(values)} entries, one a value, got shape {array.shape}")
    return array


def _first_bad(values, bad: np.ndarray) -> str:
    place = int(np.flatnonzero(bad)[0])
    at = values.index[place] if isinstance(values, pd.Series) else f"position {place}"
    return f"{int(bad.sum())} of {len(bad)}, the first at {at}"


def _numbers(what: str, array) -> np.ndarray:
    try:
        return np.asarray(array, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what}: expected numbers") from None


def check_values(values) -> np.ndarray:
    """Return values of which inequality can be measured: finite, not negative, not all zero.

    Raises
    ------
    InvalidInputError
        Naming the first value that is none.
    """
    array = _numbers("values", values)
    if array.ndim != 1 or len(array) == 0:
        raise InvalidInputError(f"values: expected one number an observation, got shape {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        raise InvalidInputError(f"values missing or infinite: {_first_bad(values, bad)}; leave them out")
    if (array < 0).any():
        raise InvalidInputError(
            f"negative values: {_first_bad(values, array < 0)}; an index relative to the mean has no meaning for them"
        )
    if not array.any():
        raise InvalidInputError("every value is zero: inequality relative to a mean of zero is not defined")
    return array


def check_weights(values, weights) -> np.ndarray:
    """Return weights as floats, ones if ``weights`` is None.

    Raises
    ------
    InvalidInputError
        For a weight that is missing, infinite, zero or negative.
    """
    if weights is None:
        return np.ones(len(values))
    array = _numbers("weights", _aligned("weights", weights, values))
    bad = ~(np.isfinite(array) & (array > 0))
    if bad.any():
        raise InvalidInputError(f"weights must be positive: {_first_bad(values, bad)} is not; leave it out")
    return array


def check_sample(values, groups=None, weights=None) -> Sample:
    """Check values, weights and groups, and align them; without groups all are in one.

    Raises
    ------
    InvalidInputError
        For values or weights that cannot be used, or a missing group.
    """
    array = check_values(values)
    shares = check_weights(values, weights)
    labels = np.zeros(len(array), dtype=int) if groups is None else _aligned("groups", groups, values)
    codes, names = pd.factorize(pd.Series(labels))
    if (codes < 0).any():
        raise InvalidInputError(f"no group: {_first_bad(values, codes < 0)}; name one or leave it out")
    return Sample(array, shares, codes, pd.Index(names, name="group"), weights is not None)


def check_balanced_panel(data: pd.DataFrame, names, *, positive: bool = False) -> pd.DataFrame:
    """Return columns of a panel in which every unit has every period, sorted; all positive where logs are taken.

    Raises
    ------
    InvalidInputError
        For gaps, missing values or, with ``positive``, a value that has no logarithm.
    UnknownNameError
        If a name is not a column.
    """
    frame = check_panel(data, names)
    check_balanced(frame)
    if positive:
        first = frame.iloc[:, 0]
        if (first <= 0).any():
            place = first.index[(first <= 0).to_numpy()][0]
            raise InvalidInputError(
                f"{first.name!r} is {first[place]:g} for {place[0]} in {place[1]}: logarithms need positive values; "
                "leave the unit out"
            )
    return frame


def check_numeric_periods(frame: pd.DataFrame) -> np.ndarray:
    """Return the periods of a panel as numbers, such as years.

    Raises
    ------
    InvalidInputError
        If they are none.
    """
    if frame.index.nlevels != 2:
        raise InvalidInputError(f"expected an index of two levels, unit and time, got {frame.index.nlevels}")
    periods = frame.index.unique(1)
    if not pd.api.types.is_numeric_dtype(periods):
        raise InvalidInputError(f"periods such as {periods[0]!r}: expected numbers, such as years")
    return np.sort(periods.to_numpy(float))


def unit_groups(frame: pd.DataFrame, groups, data: pd.DataFrame) -> pd.Series:
    """Return the group of each unit of a panel, from a column of ``data`` or a mapping by unit.

    Raises
    ------
    UnknownNameError
        If ``groups`` names no column.
    InvalidInputError
        For a unit without a group, or in two of them.
    """
    units = frame.index.unique(0)
    if isinstance(groups, str):
        if groups not in data.columns:
            raise UnknownNameError("column of groups", groups, data.columns)
        labels = data[groups].groupby(level=0)
        several = labels.nunique()
        if (several > 1).any():
            raise InvalidInputError(f"{several.idxmax()} is in more than one group over time: a unit keeps its group")
        labels = labels.first()
    else:
        labels = pd.Series(groups)
    labels = labels.reindex(units)
    if labels.isna().any():
        raise InvalidInputError(f"no group for unit {labels.index[labels.isna()][0]}: name one or leave the unit out")
    return labels

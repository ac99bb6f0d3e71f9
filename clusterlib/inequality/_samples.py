"""What measures of inequality take: samples with weights and groups, and balanced panels, checked and aligned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_float_series,
    check_balanced,
    check_columns,
    check_index,
    check_panel,
    is_constant,
    place_of,
)
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    # One entry an observation; with an index it is aligned by it.
    Entries = ArrayLike | pd.Series | Mapping[Any, Any]


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

    @classmethod
    def of(cls, amounts: np.ndarray, weights: np.ndarray | None, groups: pd.Series | None, where: str = "") -> Sample:
        """Return the sample of checked amounts; those that are the same but for rounding are made the same.

        Raises
        ------
        InvalidInputError
            For a missing group, and amounts that are all zero or too large or small to be added up.
        """
        codes, names = (np.zeros(len(amounts), int), pd.Index([0])) if groups is None else group_codes(groups)
        if not amounts.any():
            raise InvalidInputError(f"every value is zero{where}: inequality relative to a mean of zero is not defined")
        if is_constant(amounts):
            amounts = np.full(len(amounts), amounts[0])
        shares = np.ones(len(amounts)) if weights is None else weights
        sample = cls(amounts, shares, codes, pd.Index(names, name="group"), weights is not None)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = np.array([shares.sum(), shares @ amounts])
        if not (np.isfinite(sums) & (sums > 0)).all():
            raise InvalidInputError(f"values or weights too large or too small to be added up{where}: use another unit")
        return sample

    @property
    def counts(self) -> np.ndarray:
        """Observations in each group."""
        return np.bincount(self.codes, minlength=len(self.names))

    @cached_property
    def mean(self) -> float:
        """Weighted mean of the amounts, exact where they are all the same."""
        first = self.amounts[0]
        return float(first + self.weights @ (self.amounts - first) / self.weights.sum())


def group_codes(groups: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Return the number of each label in the order in which they first stand, and the labels.

    Raises
    ------
    InvalidInputError
        Naming the first that is missing.
    """
    try:
        codes, names = pd.factorize(np.asarray(groups))
    except TypeError:
        raise InvalidInputError("groups: expected one label an observation, got lists or the like") from None
    _refuse("no group", groups, codes < 0)
    return codes, pd.Index(names)


def _refuse(fault: str, entries: pd.Series, bad: np.ndarray) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        default = isinstance(entries.index, pd.RangeIndex) and entries.index.name is None
        place = f"position {row}" if default else place_of(entries.index[row])
        raise InvalidInputError(f"{fault}: {int(bad.sum())} of {len(bad)}, the first at {place}; leave it out")


def _series(what: str, given: Any) -> pd.Series:
    try:
        if pd.api.types.is_list_like(given):
            return given if isinstance(given, pd.Series) else pd.Series(given)
    except (TypeError, ValueError, NotImplementedError):
        pass
    raise InvalidInputError(f"{what}: expected one entry an observation, got a {type(given).__name__}")


def _numbers(what: str, entries: pd.Series) -> pd.Series:
    if not (isinstance(entries.dtype, np.dtype) and entries.dtype.kind in "fiub"):
        entries = entries.infer_objects()
        check_columns(entries.to_frame(what), [what])
    return as_float_series(entries)


def _beside(what: str, given: Any, values: pd.Series, labelled: bool) -> pd.Series:
    """Return entries in the order of the values: by index where both have one, else by position."""
    entries = _series(what, given)
    if labelled and isinstance(given, (pd.Series, Mapping)) and not entries.index.equals(values.index):
        for index in (entries.index, values.index):
            missing = any(index.get_level_values(level).hasnans for level in range(index.nlevels))
            if missing or index.has_duplicates:
                raise InvalidInputError(
                    f"{what}: its index differs from that of the values and has entries twice, or missing ones"
                )
        absent = values.index.difference(entries.index, sort=False)
        if len(absent):
            raise InvalidInputError(f"{what}: none for {len(absent)} value(s), the first is {place_of(absent[0])}")
        entries = entries.reindex(values.index)
    if len(entries) != len(values):
        raise InvalidInputError(f"{what}: expected {len(values)} entries, one a value, got {len(entries)}")
    return entries.set_axis(values.index) if labelled else entries


def check_amounts(amounts: pd.Series, weights: pd.Series | None = None) -> None:
    """Raise InvalidInputError naming the first value or weight of which no inequality can be measured.

    Parameters
    ----------
    amounts : Series
        Must be finite and not negative.
    weights : Series, optional
        Must be finite and positive.
    """
    values = amounts.to_numpy()
    _refuse("values missing or infinite", amounts, ~np.isfinite(values))
    _refuse("negative values", amounts, values < 0)
    if weights is not None:
        shares = weights.to_numpy()
        _refuse("weights must be positive", weights, ~(np.isfinite(shares) & (shares > 0)))


def check_sample(values: Entries, groups: Entries | None = None, weights: Entries | None = None) -> Sample:
    """Check values, weights and groups, and align them; without groups all are in one.

    Raises
    ------
    InvalidInputError
        For values or weights that cannot be used, or a missing group.
    """
    entries = _series("values", values)
    if entries.empty:
        raise InvalidInputError("values: expected one entry an observation, got none")
    amounts = _numbers("values", entries)
    labelled = isinstance(values, (pd.Series, Mapping))
    shares = None if weights is None else _numbers("weights", _beside("weights", weights, amounts, labelled))
    check_amounts(amounts, shares)
    labels = None if groups is None else _beside("groups", groups, amounts, labelled)
    return Sample.of(amounts.to_numpy(), None if shares is None else shares.to_numpy(), labels)


def check_balanced_panel(data: pd.DataFrame, names: Iterable[str], *, positive: bool = False) -> pd.DataFrame:
    """Return columns of a panel in which every unit has every period, sorted; the first positive where logs are taken.

    Raises
    ------
    InvalidInputError
        For gaps, missing values or, with ``positive``, a value that has no logarithm.
    UnknownNameError
        If a name is not a column.
    """
    frame = check_panel(data, names)
    if frame.empty:
        raise InvalidInputError("the panel has no rows")
    check_balanced(frame)
    if positive:
        first = frame.iloc[:, 0]
        if (first <= 0).any():
            unit, period = first.index[(first <= 0).to_numpy()][0]
            raise InvalidInputError(
                f"{first.name!r} is {first[unit, period]:g} for {place_of(unit)} in {place_of(period)}: logarithms "
                "need positive values; leave the unit out"
            )
    return frame


def check_numeric_periods(data: pd.DataFrame) -> np.ndarray:
    """Return the periods of a panel as numbers, such as years.

    Raises
    ------
    InvalidInputError
        If they are none.
    """
    periods = check_index(data).unique(1)
    if not pd.api.types.is_numeric_dtype(periods):
        raise InvalidInputError(f"periods such as {periods[0]!r}: expected numbers, such as years")
    return np.sort(periods.to_numpy(float))


def evenly_spaced(periods: np.ndarray) -> bool:
    """Whether sorted periods are the same time apart, but for rounding."""
    spans = np.diff(periods)
    return bool(np.ptp(spans) <= 1e-9 * spans[0])

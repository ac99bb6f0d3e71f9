"""Checks of the frames that methods take: what is missing, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError


def place_of(label: object) -> str:
    """Return a row's label for a message: numpy's numbers without the names of their types.

    Examples
    --------
    >>> import numpy as np
    >>> place_of((np.int64(110000), np.int64(2020)))
    '(110000, 2020)'
    """
    if isinstance(label, tuple):
        return "(" + ", ".join(place_of(part) for part in label) + ")"
    return str(label)


def as_names(names: str | Iterable[str]) -> list[str]:
    """Return one name or several as a list."""
    return [names] if isinstance(names, str) else list(names)


def check_columns(data: pd.DataFrame, names: Iterable[str], kind: str = "column") -> list[str]:
    """Return ``names`` if each is a column of ``data`` and stands there once.

    Raises
    ------
    InvalidInputError
        If ``data`` is no DataFrame, a name is given twice or a column is no number.
    UnknownNameError
        If a name is not a column.
    """
    if not isinstance(data, pd.DataFrame):
        raise InvalidInputError(f"expected a DataFrame, got a {type(data).__name__}")
    names = list(names)
    for name in names:
        if name not in data.columns:
            raise UnknownNameError(kind, name, data.columns)
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"{kind} given twice: {', '.join(repeated)}")
    types = data.dtypes
    text = [str(name) for name in names if not pd.api.types.is_numeric_dtype(types[name])]
    if text:
        raise InvalidInputError(f"not numbers: {', '.join(text)}")
    return names


def check_finite(frame: pd.DataFrame, advice: str = "leave out the observation or the indicator") -> None:
    """Raise InvalidInputError naming the first missing or infinite value of ``frame``."""
    bad = np.argwhere(~np.isfinite(frame.to_numpy(float)))
    if len(bad):
        row, column = bad[0]
        place = f"{place_of(frame.index[row])}, {frame.columns[column]!r}"
        raise InvalidInputError(f"{len(bad)} missing or infinite value(s), the first at {place}: {advice}")


def check_panel(data: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return these columns of a panel as floats, sorted by unit and time, if the panel can be estimated from.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), such as (adcode, year).
    names : iterable of str
        Columns, each numeric and complete.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidInputError
        For another index, a unit that has two rows in one period, a missing or infinite value, or text.
    UnknownNameError
        If a name is not a column.
    """
    names = check_columns(data, names)
    if data.index.nlevels != 2:
        raise InvalidInputError(f"expected an index of two levels, unit and time, got {data.index.nlevels}")
    if not data.index.is_unique:
        first = data.index[data.index.duplicated()][0]
        raise InvalidInputError(f"{place_of(first)} has more than one row: each unit may have one a period")
    frame = data.take([data.columns.get_loc(name) for name in names], axis=1).astype(float)
    if not data.index.is_monotonic_increasing:
        frame = frame.sort_index()
    check_finite(frame, "drop these rows first, as in data.dropna(), and look at what is lost")
    return frame


def check_balanced(frame: pd.DataFrame) -> tuple[int, int]:
    """Return the numbers of units and periods of a sorted panel in which each unit has every period.

    Parameters
    ----------
    frame : DataFrame
        Without doubled rows, such as from :func:`check_panel`.

    Raises
    ------
    InvalidInputError
        Naming the first unit and period without a row.
    """
    counts = tuple(len(np.unique(codes)) for codes in frame.index.codes)
    if len(frame) == counts[0] * counts[1]:
        return counts
    units, periods = (frame.index.unique(level) for level in (0, 1))
    gaps = pd.MultiIndex.from_product([units, periods]).difference(frame.index)
    raise InvalidInputError(
        f"the panel is not balanced: {len(gaps)} of {len(units) * len(periods)} rows are missing, the first is "
        f"{place_of(gaps[0])}; leave out the unit or the period"
    )

"""Checks of arguments and frames: what is wrong, where, and the call that mends it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError

# Figures that differ by less than this share of the largest are the same but for rounding.
ROUNDING = 1e-12
SHOWN = 5
TIME_NAMES = frozenset("year years time date period month quarter t 年份 年 年度 时间 日期 时期 月份 季度".split())
UNIT_NAMES = frozenset(
    "adcode unit province city region county id code entity firm name name_zh name_en "
    "省份 省 地区 城市 市 区域 县 代码 单位 个体".split()
)
_YEARS = (1900, 2100)


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


def listed(units: Iterable[object], shown: int = SHOWN) -> str:
    """Return the first few labels for a message, and how many more there are."""
    labels = [place_of(unit) for unit in units]
    return ", ".join(labels[:shown]) + (f" and {len(labels) - shown} more" if len(labels) > shown else "")


def as_names(names: str | Iterable[str], what: str = "names") -> list[str]:
    """Return one name or several as a list.

    Raises
    ------
    InvalidInputError
        For anything but a name or an iterable of names.
    """
    if isinstance(names, str):
        return [names]
    if isinstance(names, (Mapping, pd.DataFrame)) or not isinstance(names, Iterable):
        raise InvalidInputError(f"{what}: expected a column's name or a list of names, got a {type(names).__name__}")
    found = list(names)
    odd = [name for name in found if not isinstance(name, (str, int, np.integer, tuple)) or isinstance(name, bool)]
    if odd or (isinstance(names, pd.Series) and not all(isinstance(name, str) for name in found)):
        kind = type(names if isinstance(names, pd.Series) or not odd else odd[0]).__name__
        raise InvalidInputError(f"{what}: expected names of columns, got a {kind}; put the values into a column first")
    return found


def check_choice(kind: str, value: Any, valid: Iterable[Any], hint: str = "") -> Any:
    """Return ``value`` if it is one of ``valid``, else raise UnknownNameError."""
    valid = list(valid)
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in valid):
        raise UnknownNameError(kind, value, valid, hint)
    return value


def check_flags(**flags: Any) -> None:
    """Raise UnknownNameError for a switch, by its name, that is neither True nor False."""
    for name, value in flags.items():
        check_choice(name, value, (True, False))


def check_whole(name: str, value: Any, least: int = 0, most: int | None = None, unit: str = "") -> int:
    """Return a whole number within bounds.

    Raises
    ------
    InvalidInputError
        For another kind of value, or one out of bounds.
    """
    whole = not isinstance(value, (bool, np.bool_)) and isinstance(value, (int, float, np.integer, np.floating))
    if (
        not whole
        or not math.isfinite(value)
        or value != int(value)
        or value < least
        or (most is not None and value > most)
    ):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInputError(f"{name}={value!r}: expected a whole number{' of ' + unit if unit else ''} {bounds}")
    return int(value)


def check_number(
    name: str, value: Any, *, least: float = -math.inf, most: float = math.inf, open_ends: bool = False, unit: str = ""
) -> float:
    """Return a finite number within bounds, which ``open_ends`` leave out.

    Raises
    ------
    InvalidInputError
        For another kind of value, or one out of bounds.
    """
    number = not isinstance(value, (bool, np.bool_)) and isinstance(value, (int, float, np.integer, np.floating))
    if number and math.isfinite(value) and (least < value < most if open_ends else least <= value <= most):
        return float(value)
    if math.isfinite(most):
        bounds = f" {'between' if open_ends else 'from'} {least:g} {'and' if open_ends else 'to'} {most:g}"
    elif math.isfinite(least):
        bounds = (" above" if open_ends else " of at least") + f" {least:g}"
    else:
        bounds = ""
    if (least, open_ends) == (0, True) and not math.isfinite(most):
        raise InvalidInputError(f"{name}={value!r}: expected a positive number{' of ' + unit if unit else ''}")
    raise InvalidInputError(f"{name}={value!r}: expected a finite number{' of ' + unit if unit else ''}{bounds}")


def check_level(level: Any, name: str = "level") -> float:
    """Return a confidence level, strictly between zero and one."""
    if isinstance(level, (int, float, np.floating, np.integer)) and not isinstance(level, bool) and 1 <= level <= 100:
        raise InvalidInputError(f"{name}={level!r}: expected a share such as 0.95")
    return check_number(name, level, least=0, most=1, open_ends=True)


def parse_years(years: Any) -> tuple[int, int] | list[int] | None:
    """Read years given as one year, ``"2018:2023"``, a slice, a range or a list (ends included).

    Raises
    ------
    InvalidInputError
        If they are none of these, no whole years or none at all, or the first is after the last.
    """
    if years is None:
        return None
    expected = "expected 2020, '2018:2023', slice(2018, 2023), range(2018, 2024) or a list of years"
    try:
        if isinstance(years, str):
            first, colon, last = years.partition(":")
            span = (int(first), int(last if colon else first))
        elif isinstance(years, slice):
            if years.step is not None:
                raise ValueError
            first, last = (0 if years.start is None else years.start), (9999 if years.stop is None else years.stop)
            span = (check_whole("years", first), check_whole("years", last))
        elif isinstance(years, Iterable) and not isinstance(years, (Mapping, pd.DataFrame)):
            found = {int(year) if isinstance(year, str) else check_whole("years", year) for year in years}
            if not found:
                raise ValueError
            return sorted(found)
        else:
            span = (check_whole("years", years), check_whole("years", years))
    except (TypeError, ValueError):
        raise InvalidInputError(f"years={years!r} cannot be read; {expected}") from None
    if span[0] > span[1]:
        raise InvalidInputError(f"years={years!r}: the first year is after the last")
    return span


def check_frame(data: Any, expected: str = "a DataFrame") -> pd.DataFrame:
    """Return ``data`` if it is a DataFrame."""
    if not isinstance(data, pd.DataFrame):
        raise InvalidInputError(f"expected {expected}, got a {type(data).__name__}")
    return data


def _is_number(dtype: Any) -> bool:
    number = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    return number and not pd.api.types.is_complex_dtype(dtype)


def check_columns(data: pd.DataFrame, names: Iterable[str], kind: str = "column") -> list[str]:
    """Return ``names`` if each is a column of numbers that stands in ``data`` once.

    Raises
    ------
    InvalidInputError
        If ``data`` is no DataFrame, a name is given twice, a column stands there twice or holds no numbers.
    UnknownNameError
        If a name is not a column.
    """
    check_frame(data)
    names = as_names(names, kind)
    columns = data.columns
    for name in names:
        if name not in columns:
            raise UnknownNameError(kind, name, columns)
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"{kind} given twice: {', '.join(repeated)}")
    if not columns.is_unique:
        twice = [name for name in names if (columns == name).sum() > 1]
        if twice:
            raise InvalidInputError(
                f"{listed(twice)} stands in the data more than once; keep one, as in "
                "data.loc[:, ~data.columns.duplicated()], or rename them"
            )
    types = data.dtypes
    text = [name for name in names if not _is_number(types[name])]
    if text:
        column = data[text[0]]
        first = "" if column.empty else f"; {text[0]!r} is {column.iloc[0]!r} at {place_of(column.index[0])}"
        raise InvalidInputError(
            f"not numbers: {', '.join(map(str, text))}{first}; make them numbers, as with "
            f"pd.to_numeric(data[{text[0]!r}])"
        )
    return names


def as_floats(data: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return checked columns as numpy floats, whatever kind of number they are; missing values become NaN."""
    places = [data.columns.get_loc(name) for name in names]
    frame = data.take(places, axis=1)  # type: ignore[arg-type]
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.astype(float)
    return pd.DataFrame({name: as_float_series(frame[name]) for name in frame.columns}, index=frame.index)


def as_float_series(values: pd.Series) -> pd.Series:
    """Return a numeric Series as numpy floats; missing values of nullable and Arrow kinds become NaN."""
    if isinstance(values.dtype, np.dtype):
        return values.astype(float)
    return pd.Series(values.to_numpy(dtype=float, na_value=np.nan), index=values.index, name=values.name)


def check_finite(frame: pd.DataFrame, advice: str = "leave out the observation or the indicator") -> None:
    """Raise InvalidInputError naming the first missing or infinite value of ``frame``."""
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        values = frame.to_numpy(float)
    else:
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        place = f"{place_of(frame.index[row])}, {frame.columns[column]!r}"
        raise InvalidInputError(f"{(~finite).sum()} missing or infinite value(s), the first at {place}: {advice}")


def check_bounds(
    frame: pd.DataFrame, why: str, least: float = 0.0, most: float = math.inf, open_ends: bool = False
) -> None:
    """Raise InvalidInputError naming the first value of ``frame`` out of bounds, which ``open_ends`` leave out.

    Parameters
    ----------
    frame : DataFrame
        Of numbers without missing values.
    why : str
        What is within bounds, for the message, such as ``"output is not negative"``.
    """
    values = frame.to_numpy(float)
    if open_ends:
        bad, kind = ~((values > least) & (values < most)), f"value(s) outside ({least:g}, {most:g})"
    else:
        # What a share of exactly one comes out as may be a little more.
        slack = ROUNDING * max(abs(least), abs(most)) if math.isfinite(most) else 0.0
        bad, kind = ~((values >= least - slack) & (values <= most + slack)), f"value(s) outside [{least:g}, {most:g}]"
    if least == 0 and math.isinf(most):
        kind = "value(s) not positive" if open_ends else "negative value(s)"
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InvalidInputError(
            f"{bad.sum()} {kind}, the first at {place_of(frame.index[row])}, {str(frame.columns[column])!r} "
            f"({values[row, column]:g}): {why}"
        )


def _level_call(index: pd.Index, level: int) -> str:
    name = index.names[level]
    return repr(name if name is not None else level)


def _flat_advice(data: pd.DataFrame) -> str:
    """Return the call that indexes a flat frame by unit and time, by its own columns where they are found."""
    columns = [str(name) for name in data.columns]
    own = data.index.names[0]
    unit = next((name for name in columns if name.lower() in UNIT_NAMES), None)
    time = next((name for name in columns if name.lower() in TIME_NAMES), None)
    if own is not None and str(own).lower() in UNIT_NAMES and time:
        return f"data.set_index({time!r}, append=True)"
    return f"data.set_index([{(unit or 'unit')!r}, {(time or 'year')!r}])"


def _looks_like_time(values: pd.Index) -> bool:
    if isinstance(values, (pd.DatetimeIndex, pd.PeriodIndex)):
        return True
    if not len(values) or not pd.api.types.is_numeric_dtype(values.dtype):
        return False
    return bool((values >= _YEARS[0]).all() and (values <= _YEARS[1]).all())


def _check_order(index: pd.MultiIndex) -> None:
    first, second = (str(name).lower() if name is not None else None for name in index.names)
    if second in TIME_NAMES or first in UNIT_NAMES:
        return
    named = first in TIME_NAMES or second in UNIT_NAMES
    if named or (_looks_like_time(index.levels[0]) and not _looks_like_time(index.levels[1])):
        raise InvalidInputError(
            f"the index stands as ({index.names[0] or 'time'}, {index.names[1] or 'unit'}): expected unit first, then "
            "time; use data.swaplevel().sort_index()"
        )


def check_index(data: Any) -> pd.MultiIndex:
    """Return the index of a panel if it is (unit, time), in this order, complete and without doubled rows.

    Parameters
    ----------
    data : DataFrame or Series

    Raises
    ------
    InvalidInputError
        For a flat frame, levels in the other order, a missing label, labels of mixed kinds, or a unit that has two
        rows in one period.
    """
    if not isinstance(data, (pd.DataFrame, pd.Series)):
        raise InvalidInputError(f"expected a DataFrame, got a {type(data).__name__}")
    index = data.index
    if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
        advice = f"; use {_flat_advice(data)}" if isinstance(data, pd.DataFrame) and index.nlevels == 1 else ""
        raise InvalidInputError(f"expected an index of two levels, unit and time, got {index.nlevels}{advice}")
    for level in (0, 1):
        missing = np.flatnonzero(np.asarray(index.codes[level]) == -1)
        if index.levels[level].hasnans:
            missing = np.flatnonzero(index.get_level_values(level).isna())
        if len(missing):
            name = _level_call(index, level)
            raise InvalidInputError(
                f"the index has a missing {'unit' if level == 0 else 'period'} in {len(missing)} row(s), the first is "
                f"row {missing[0]}, {place_of(index[missing[0]])}; give it its label, or leave the rows out, as in "
                f"data[data.index.get_level_values({name}).notna()]"
            )
        if pd.api.types.infer_dtype(index.levels[level], skipna=True) in ("mixed", "mixed-integer"):
            raise InvalidInputError(
                f"the index level {_level_call(index, level)} mixes kinds of labels, such as "
                f"{listed(map(repr, index.levels[level][[0, -1]]))}: make them one kind"
            )
    _check_order(index)
    if not index.is_unique:
        first = index[index.duplicated()][0]
        raise InvalidInputError(f"{place_of(first)} has more than one row: each unit may have one a period")
    return index


def check_panel(data: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return these columns of a panel as floats, sorted by unit and time, if the panel can be estimated from.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), such as (adcode, year).
    names : iterable of str
        Columns, each numeric (numpy, nullable, Arrow or boolean) and complete.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidInputError
        As :func:`check_index` and :func:`check_columns`, and for a missing or infinite value.
    UnknownNameError
        If a name is not a column.
    """
    names = check_columns(data, names)
    check_index(data)
    frame = as_floats(data, names)
    if not data.index.is_monotonic_increasing:
        frame = frame.sort_index()
    check_finite(frame, "drop these rows first, as in data.dropna(), and look at what is lost")
    return frame


def check_rows(data: pd.DataFrame | pd.Series) -> None:
    """Raise InvalidInputError for rows without a label, or those of a panel as :func:`check_index` does.

    Unlike there, rows may be of units alone.
    """
    index = data.index
    if index.nlevels == 2:
        check_index(data)
        return
    missing = index.isna() if index.nlevels == 1 else index.to_frame(index=False).isna().any(axis=1).to_numpy()
    if missing.any():
        row = int(np.argmax(missing))
        raise InvalidInputError(f"the index has a missing unit in row {row}: give it its label, or leave the row out")


def check_table(data: Any, kind: str, advice: str) -> pd.DataFrame:
    """Return all columns of a frame as floats, if they are complete numbers and the rows have labels.

    Parameters
    ----------
    data : DataFrame
        A row a unit, or a unit and period as for :func:`check_index`.
    kind : str
        What a column is, for messages.
    advice : str
        What to do about a missing value.
    """
    names = check_columns(check_frame(data, f"a DataFrame with one column an {kind}"), data.columns, kind)
    check_rows(data)
    if data.empty:
        raise InvalidInputError(f"no {kind}: expected a DataFrame with at least one row and one column")
    frame = as_floats(data, names)
    check_finite(frame, advice)
    return frame


def panel_index(frame: pd.DataFrame | pd.Series) -> pd.MultiIndex:
    """Return the index of a checked panel, for type checkers."""
    index = frame.index
    assert isinstance(index, pd.MultiIndex)
    return index


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
    index = panel_index(frame)
    units, periods = (len(np.unique(codes)) for codes in index.codes)
    if len(frame) == units * periods:
        return units, periods
    gaps = pd.MultiIndex.from_product([index.unique(0), index.unique(1)]).difference(index)
    raise InvalidInputError(
        f"the panel is not balanced: {len(gaps)} of {units * periods} rows are missing, the first is "
        f"{place_of(gaps[0])}; leave out the unit or the period"
    )


def check_units(index: pd.Index, what: str) -> None:
    """Raise InvalidInputError unless there is one ``what`` a unit, each with a label."""
    if index.nlevels > 1:
        raise InvalidInputError(
            f"expected one {what} a unit: choose a year first, as in data['gdp'].xs(2020, level='year')"
        )
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise InvalidInputError(f"the index has a missing unit in row {row}: give it its label, or leave the row out")
    if index.has_duplicates:
        raise InvalidInputError(f"{place_of(index[index.duplicated()][0])} has more than one {what}")


def check_values(
    y: Any,
    least: int = 4,
    varying: str | None = "there is no pattern to test",
    advice: str = "leave out the unit, and make the weights without it",
) -> pd.Series:
    """Return ``y`` as floats if it is a numeric Series with one finite value a unit.

    Parameters
    ----------
    y : Series
        By unit.
    least : int
        Units needed.
    varying : str, optional
        What a variable that is the same in every unit would mean; None lets it pass.
    advice : str
        What to do about a unit without a value.

    Raises
    ------
    InvalidInputError
        Naming the unit that has two values or none.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if not isinstance(y, pd.Series):
        raise InvalidInputError(f"expected a Series indexed by unit, got a {type(y).__name__}")
    if not _is_number(y.dtype):
        raise InvalidInputError(f"{y.name!r} holds no numbers")
    check_units(y.index, "value")
    values = as_float_series(y)
    check_finite(values.to_frame(str(y.name)), advice)
    if len(values) < least:
        raise InvalidInputError(f"{len(values)} unit(s): at least {least} are needed")
    if varying is not None and is_constant(values.to_numpy()):
        raise InvalidInputError(f"the same value in every unit: {varying}")
    return values


def check_by_unit(values: Any) -> pd.DataFrame:
    """Return values by unit, or by unit and time with the same units in every period, as floats.

    Parameters
    ----------
    values : Series or DataFrame of one column

    Returns
    -------
    DataFrame
        A row a unit, as they first stand; a column a period, or one column ``"all"``.

    Raises
    ------
    InvalidInputError
        As :func:`check_values`, :func:`check_panel` and :func:`check_balanced`.
    """
    if not isinstance(values, (pd.Series, pd.DataFrame)) or values.index.nlevels != 2:
        return check_values(values, 1, None).to_frame("all")
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise InvalidInputError(f"expected one Series or column, got {values.shape[1]} columns")
        values = values.iloc[:, 0]
    frame = check_panel(values.to_frame(str(values.name)), [str(values.name)])
    check_balanced(frame)
    return frame.iloc[:, 0].unstack().loc[values.index.get_level_values(0).unique()]


def is_constant(values: np.ndarray, axis: int | None = None) -> Any:
    """Whether figures are the same but for rounding, judged by the largest of them.

    Parameters
    ----------
    values : ndarray
    axis : int, optional
        Along which to look; by default over all, which gives one truth value.

    Examples
    --------
    >>> import numpy as np
    >>> is_constant(np.array([0.1 + 0.2, 0.3, 0.3])), is_constant(np.array([1e-20, 2e-20]))
    (True, False)
    """
    values = np.asarray(values, dtype=float)
    low, high = values.min(axis=axis), values.max(axis=axis)
    flat = high - low <= ROUNDING * np.maximum(np.abs(low), np.abs(high))
    return bool(flat) if axis is None else flat


def snap(values: np.ndarray) -> np.ndarray:
    """Return figures in which those that are the same but for rounding are made the same, so that ties are ties.

    Examples
    --------
    >>> import numpy as np
    >>> snapped = snap(np.array([0.1 + 0.2, 1.0, 0.3]))
    >>> bool(snapped[0] == snapped[2])
    True
    """
    values = np.asarray(values, dtype=float)
    finite = np.isfinite(values)
    order = np.argsort(values[finite], kind="stable")
    ordered = values[finite][order]
    if len(ordered) < 2:
        return values
    starts = np.diff(ordered, prepend=-np.inf) > ROUNDING * np.abs(ordered).max()
    made = values.copy()
    levelled = np.empty_like(ordered)
    levelled[order] = ordered[starts][np.cumsum(starts) - 1]
    made[finite] = levelled
    return made


def check_degrees(lon: np.ndarray, lat: np.ndarray, units: Sequence | pd.Index) -> None:
    """Raise InvalidInputError naming the first place that no longitude and latitude in degrees can have."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    bad = ~((np.abs(lat) <= 90) & (np.abs(lon) <= 180))
    if bad.any():
        i = int(np.argmax(bad))
        swapped = " longitude and latitude look swapped;" if (np.abs(lon) <= 90).all() else ""
        raise InvalidInputError(
            f"{place_of(units[i])} is at longitude {lon[i]:g}, latitude {lat[i]:g}:{swapped} expected degrees, "
            "longitude from -180 to 180 and latitude from -90 to 90"
        )


def check_labels(groups: Any, index: pd.Index, what: str, data: pd.DataFrame | None = None) -> pd.Series:
    """Return the group of each row of a panel or of units: from a column, or labels by unit or by row.

    Parameters
    ----------
    groups : str or Series
        A column of ``data``, or labels such as each unit's province.
    index : Index
        Of the rows.
    what : str
        What messages call the groups.
    data : DataFrame, optional

    Raises
    ------
    InvalidInputError
        For a unit or row without a label, or with more than one.
    UnknownNameError
        For a name that is no column.
    """
    if isinstance(groups, str) and data is not None:
        if groups not in data.columns:
            raise UnknownNameError(what, groups, data.columns)
        groups = data[groups]
    if isinstance(groups, Mapping):
        groups = pd.Series(groups)
    if not isinstance(groups, pd.Series):
        raise InvalidInputError(
            f"{what}: expected a Series of labels by unit, such as each unit's province, got a {type(groups).__name__}"
        )
    keys = index if groups.index.nlevels == index.nlevels else index.get_level_values(0)
    if groups.index.nlevels not in (1, index.nlevels):
        raise InvalidInputError(f"{what}: its index has {groups.index.nlevels} levels; give a label a unit or a row")
    if groups.index.has_duplicates:
        place = groups.index[groups.index.duplicated()][0]
        raise InvalidInputError(f"{what}: {place_of(place)} has no label or more than one; give one a unit or a row")
    labels = groups.reindex(keys)
    if labels.isna().any():
        place = keys[labels.isna().to_numpy()][0]
        raise InvalidInputError(f"{what}: {place_of(place)} has no label or more than one; give one a unit or a row")
    return labels.set_axis(index)

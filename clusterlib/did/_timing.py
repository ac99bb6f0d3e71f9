"""When each unit is first treated (处理时点), read from a list or an indicator and checked against the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_float_series, check_columns, check_frame, check_index, listed, place_of
from clusterlib.errors import InvalidInputError

NEVER = np.inf


def first_treated(data: pd.DataFrame, treatment: str | pd.Series) -> pd.Series:
    """Return the first treated period of each unit of a panel (首次处理时期), infinite for those never treated.

    Treatment is absorbing: once treated, a unit stays treated. A unit whose first treated period is after the panel's
    last one is never treated within the panel and counts as such.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); time is a whole number, such as the year. Each treated unit has a row before it is
        treated.
    treatment : str or Series
        A column that holds for each unit the same first treated period (missing, 0 or infinite for never), or that is
        a 0/1 indicator of being treated; or a Series of first treated periods by unit, such as years by adcode: units
        of the panel that are not in it are never treated, units of it that are not in the panel are left out.

    Returns
    -------
    Series
        Floats by unit, sorted; named ``first_treated``.

    Raises
    ------
    InvalidInputError
        For units treated in all periods in which they are seen, a treatment that switches off, an indicator that is
        missing, first treated periods that are no whole numbers, a Series none of whose units is in the panel, or a
        panel in which nobody is treated.
    UnknownNameError
        If ``treatment`` is not a column.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b"], [2014, 2015, 2016]], names=["city", "year"])
    >>> data = pd.DataFrame({"pilot": [0, 1, 1, 0, 0, 0]}, index=index)
    >>> first_treated(data, "pilot").tolist()
    [2015.0, inf]
    """
    index = check_index(check_frame(data))
    check_times(index)
    if isinstance(treatment, pd.Series):
        first = _from_list(index, treatment)
    elif isinstance(treatment, (str, int, tuple)) and not isinstance(treatment, bool):
        first = _from_column(data, treatment)
    else:
        raise InvalidInputError(
            "treatment: expected a column's name or a Series of first treated periods by unit, got a "
            f"{type(treatment).__name__}; a dict becomes a Series by pd.Series(treatment)"
        )
    return _checked(first, index)


def check_times(index: pd.MultiIndex) -> None:
    """Raise InvalidInputError unless the periods of a panel are whole numbers, such as years."""
    times = index.unique(1)
    if isinstance(times, (pd.DatetimeIndex, pd.PeriodIndex)):
        call = "data.set_axis(data.index.set_levels(data.index.levels[1].year, level=1))"
    elif times.dtype.kind not in "iuf":
        call = "data.set_axis(data.index.set_levels(data.index.levels[1].astype(int), level=1))"
    else:
        odd = ~_whole(times.to_numpy(float))
        if not odd.any():
            return
        times, call = times[odd], "numbers that count the periods"
    raise InvalidInputError(
        "time, the second level of the index, must be a whole number, such as the year, and is "
        f"{times[0]!r}; use {call}"
    )


def _whole(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & (values == np.round(values))


def listed_dates(treatment: pd.Series) -> pd.Series:
    """Return a checked list of first treated periods by unit as floats, infinite for never."""
    if treatment.index.nlevels > 1:
        raise InvalidInputError(
            "treatment: expected a Series by unit, got one by unit and period; put it into a column, as in "
            "data.assign(treated=treatment), and give the column's name"
        )
    if treatment.index.hasnans:
        raise InvalidInputError("treatment: a missing unit in its index; give it its label, or leave it out")
    if treatment.index.has_duplicates:
        twice = treatment.index[treatment.index.duplicated()][0]
        raise InvalidInputError(f"treatment: {twice} is listed twice; keep its first treated period")
    values = treatment.infer_objects()
    _refuse_dates(values, "treatment", "treatment.dt.year")
    if values.dtype.kind not in "iuf":
        got = repr(values.iloc[0]) if len(values) else f"values of kind {values.dtype}"
        raise InvalidInputError(
            f"treatment: expected first treated periods by unit, such as years, got {got}; numbers written as text "
            "become numbers by pd.to_numeric(treatment)"
        )
    return _periods(as_float_series(values), "treatment")


def _refuse_dates(values: pd.Series, what: str, call: str) -> None:
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or isinstance(values.dtype, pd.PeriodDtype):
        raise InvalidInputError(f"{what}: {values.iloc[0]!r} is a date, and periods are whole numbers; use {call}")


def _periods(values: pd.Series, what: str) -> pd.Series:
    """Return first treated periods that are whole numbers, infinite where they are missing or zero."""
    values = values.where(values.notna() & (values != 0), NEVER)
    odd = values[np.isfinite(values) & ~_whole(values.to_numpy())]
    if len(odd):
        raise InvalidInputError(
            f"{what}: {place_of(odd.index[0])} is first treated in {odd.iloc[0]:g}, which is no period: expected whole "
            "numbers, such as years"
        )
    return values


def _from_list(index: pd.MultiIndex, treatment: pd.Series) -> pd.Series:
    units, dates = index.unique(0).sort_values(), listed_dates(treatment)
    if not dates.index.isin(units).any():
        raise InvalidInputError(
            f"treatment: none of its {len(dates)} units is in the panel; expected a Series by unit, as {units[0]!r}"
        )
    return dates.reindex(units, fill_value=NEVER)


def _from_column(data: pd.DataFrame, name) -> pd.Series:
    if name in data.columns and isinstance(data[name], pd.Series):
        _refuse_dates(data[name], f"treatment {name!r}", f"data[{name!r}].dt.year")
    check_columns(data, [name], "treatment column")
    values = as_float_series(data[name]).sort_index()
    unit = values.index.get_level_values(0)
    filled = values.where(values.notna() & (values != 0), NEVER)
    by_unit = filled.groupby(level=0)
    if (by_unit.max() == by_unit.min()).all():
        return _periods(by_unit.first(), f"treatment {name!r}")
    if values.isna().any():
        raise InvalidInputError(
            f"treatment {name!r} varies within units and is missing at {place_of(values.index[values.isna()][0])}"
        )
    odd = values[~values.isin([0.0, 1.0])]
    if len(odd):
        raise InvalidInputError(
            f"treatment {name!r} is {odd.iloc[0]:g} at {place_of(odd.index[0])}: expected 0 or 1, or the same first "
            "treated period in all rows of a unit"
        )
    off = (values.to_numpy()[1:] < values.to_numpy()[:-1]) & (unit[1:] == unit[:-1])
    if off.any():
        raise InvalidInputError(
            f"treatment {name!r} switches off at {place_of(values.index[1:][off][0])}: only treatments that last can "
            "be estimated; leave out the unit or its periods from then on"
        )
    time = pd.Series(values.index.get_level_values(1).astype(float), index=values.index)
    return time.where(values == 1, NEVER).groupby(level=0).min()


def _checked(first: pd.Series, index: pd.MultiIndex) -> pd.Series:
    time = pd.Series(index.get_level_values(1).to_numpy(float), index=index)
    start, end = time.groupby(level=0).min().reindex(first.index), time.max()
    first = first.where(first <= end, NEVER).rename("first_treated")
    always = first.index[first <= start]
    if len(always):
        raise InvalidInputError(
            f"{len(always)} unit(s) are treated in all periods, the first is {always[0]}, seen from "
            f"{start[always[0]]:g} and treated from {first[always[0]]:g} on: {listed(always)} have no period before "
            "treatment to compare with; leave them out or begin their rows earlier"
        )
    if np.isinf(first).all():
        raise InvalidInputError(f"no unit is first treated between {time.min() + 1:g} and {end:g}")
    return first


def treated_now(index: pd.MultiIndex, first: pd.Series) -> np.ndarray:
    """Return for each row of a panel whether its unit is treated in its period."""
    return index.get_level_values(1).to_numpy() >= first.reindex(index.get_level_values(0)).to_numpy()

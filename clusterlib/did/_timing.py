"""When each unit is first treated (处理时点), read from a list or an indicator and checked against the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_columns
from clusterlib.errors import InvalidInputError

NEVER = np.inf


def first_treated(data: pd.DataFrame, treatment: str | pd.Series) -> pd.Series:
    """Return the first treated period of each unit of a panel (首次处理时期), infinite for those never treated.

    Treatment is absorbing: once treated, a unit stays treated. A unit whose first treated period is after the panel's
    last one is never treated within the panel and counts as such.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); time is a number.
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
        For units treated in all periods, a treatment that switches off, an indicator that is missing, a Series none of
        whose units is in the panel, or a panel in which nobody is treated.
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
    _check_index(data)
    if isinstance(treatment, pd.Series):
        first = _from_list(data, treatment)
    else:
        check_columns(data, [treatment], "treatment column")
        first = _from_column(data[treatment].astype(float).sort_index(), str(treatment))
    return _checked(first, np.unique(data.index.get_level_values(1)))


def _check_index(data: pd.DataFrame) -> None:
    if not isinstance(data, pd.DataFrame) or data.index.nlevels != 2:
        raise InvalidInputError("expected a DataFrame with an index of two levels, unit and time")
    if not pd.api.types.is_numeric_dtype(data.index.levels[1].dtype):
        raise InvalidInputError("time, the second level of the index, must be a number, such as the year")


def _from_list(data: pd.DataFrame, treatment: pd.Series) -> pd.Series:
    units = data.index.unique(0).sort_values()
    if treatment.index.has_duplicates:
        twice = treatment.index[treatment.index.duplicated()][0]
        raise InvalidInputError(f"treatment: {twice} is listed twice; keep its first treated period")
    if not treatment.index.isin(units).any():
        raise InvalidInputError(
            f"treatment: none of its {len(treatment)} units is in the panel; expected a Series by unit, as {units[0]!r}"
        )
    return _zero_is_never(treatment.reindex(units).astype(float))


def _zero_is_never(values: pd.Series) -> pd.Series:
    return values.where(values.notna() & (values != 0), NEVER)


def _from_column(values: pd.Series, name: str) -> pd.Series:
    unit = values.index.get_level_values(0)
    filled = _zero_is_never(values)
    by_unit = filled.groupby(level=0)
    if (by_unit.max() == by_unit.min()).all():
        return by_unit.first()
    if values.isna().any():
        raise InvalidInputError(
            f"treatment {name!r} varies within units and is missing at {values.index[values.isna()][0]}"
        )
    odd = values[~values.isin([0.0, 1.0])]
    if len(odd):
        raise InvalidInputError(
            f"treatment {name!r} is {odd.iloc[0]:g} at {odd.index[0]}: expected 0 or 1, or the same first treated "
            "period in all rows of a unit"
        )
    off = (values.to_numpy()[1:] < values.to_numpy()[:-1]) & (unit[1:] == unit[:-1])
    if off.any():
        raise InvalidInputError(
            f"treatment {name!r} switches off at {values.index[1:][off][0]}: only treatments that last can be "
            "estimated; leave out the unit or its periods from then on"
        )
    time = pd.Series(values.index.get_level_values(1).astype(float), index=values.index)
    return time.where(values == 1, NEVER).groupby(level=0).min()


def _checked(first: pd.Series, periods: np.ndarray) -> pd.Series:
    first = first.where(first <= periods[-1], NEVER).rename("first_treated")
    always = first.index[first <= periods[0]]
    if len(always):
        raise InvalidInputError(
            f"{len(always)} unit(s) are treated in all periods, the first is {always[0]}: they have no period before "
            "treatment to compare with; leave them out or begin the panel earlier"
        )
    if np.isinf(first).all():
        raise InvalidInputError(f"no unit is first treated between {periods[1]} and {periods[-1]}")
    return first


def require_never_treated(first: pd.Series, what: str, advice: str) -> None:
    """Raise InvalidInputError if every unit is treated sooner or later."""
    if np.isfinite(first).all():
        raise InvalidInputError(
            f"{what} needs units that are never treated, and all {len(first)} are treated; {advice}"
        )


def treated_now(index: pd.MultiIndex, first: pd.Series) -> np.ndarray:
    """Return for each row of a panel whether its unit is treated in its period."""
    return index.get_level_values(1).to_numpy() >= first.reindex(index.get_level_values(0)).to_numpy()

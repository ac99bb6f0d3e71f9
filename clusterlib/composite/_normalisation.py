"""Checks and rescaling of indicators (标准化) for composite indices."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_columns, check_finite
from clusterlib.errors import InvalidInputError, UnknownNameError

SCALINGS = ("min-max", "z-score")


def check_indicators(X: pd.DataFrame, negative: Iterable[str]) -> list[str]:
    """Return the negative indicators if ``X`` holds complete numbers that differ from row to row."""
    if not isinstance(X, pd.DataFrame) or X.shape[1] == 0:
        raise InvalidInputError("expected a DataFrame with one row an observation and one column an indicator")
    check_columns(X, X.columns, "indicator")
    if len(X) < 2:
        raise InvalidInputError(f"{len(X)} observation(s): an index compares at least two")
    check_finite(X, "leave out the observation or the indicator, or choose years in which it is complete")
    check_varying(X, "everywhere")
    negative = as_names(negative)
    for name in negative:
        if name not in X.columns:
            raise UnknownNameError("negative indicator", name, X.columns)
    return negative


def check_varying(X: pd.DataFrame, where: str) -> None:
    """Raise InvalidInputError naming the columns of ``X`` that hold one value only."""
    flat = np.ptp(X.to_numpy(float), axis=0) == 0
    if flat.any():
        names = ", ".join(map(str, X.columns[flat]))
        raise InvalidInputError(f"the same value {where}, so nothing to compare: {names}")


def reference_rows(X: pd.DataFrame, reference_years) -> np.ndarray:
    """Return which rows are of the reference years; all without any.

    Raises
    ------
    InvalidInputError
        If ``X`` has no index level ``year``.
    UnknownNameError
        If no row is of these years.
    """
    from clusterlib.data._load import parse_years

    if reference_years is None:
        return np.ones(len(X), bool)
    if "year" not in X.index.names:
        raise InvalidInputError("reference_years= needs an index with a level named 'year'")
    years = X.index.get_level_values("year")
    wanted = parse_years(reference_years)
    rows = (years >= wanted[0]) & (years <= wanted[1]) if isinstance(wanted, tuple) else years.isin(wanted)
    if not rows.any():
        raise UnknownNameError("reference years", reference_years, sorted(years.unique()))
    return np.asarray(rows)


def normalise(
    X: pd.DataFrame, negative: Iterable[str] = (), *, method: str = "min-max", reference_years=None
) -> pd.DataFrame:
    r"""Rescale indicators to a common scale (标准化), by default to [0, 1] by their range (极差标准化).

    Minimum and maximum, or mean and standard deviation, are those of all rows: over a panel of all units and years
    together, so that the values of different years compare.

    .. math:: z_{ij} = \frac{x_{ij} - \min_i x_{ij}}{\max_i x_{ij} - \min_i x_{ij}}
              \;(1 - z_{ij} \text{ if more is worse}), \quad\text{or}\quad
              z_{ij} = \frac{x_{ij} - \bar x_j}{s_j} \;(-z_{ij} \text{ if more is worse})

    Parameters
    ----------
    X : DataFrame, shape (observations, indicators)
        Any units; observations are units, or units and years.
    negative : iterable of str
        Indicators of which less is better (负向指标).
    method : {"min-max", "z-score"}
        ``s`` is the standard deviation with n - 1.
    reference_years : int, str, slice or list, optional
        Take minimum, maximum, mean and deviation from these years alone (基期), written as in
        :func:`clusterlib.data.load_panel`; needs an index level ``year``. Values of other years may then lie outside
        [0, 1], and do not change when later years are added.

    Returns
    -------
    DataFrame
        Of the shape of ``X``.

    Raises
    ------
    InvalidInputError
        For fewer than two rows, text, a missing or infinite value, or an indicator that is the same everywhere or in
        all reference years.
    UnknownNameError
        If a negative indicator is not a column, or for an unknown method or years that are not there.

    Examples
    --------
    >>> import pandas as pd
    >>> normalise(pd.DataFrame({"speed": [10.0, 15.0, 20.0]}))["speed"].tolist()
    [0.0, 0.5, 1.0]
    """
    negative = check_indicators(X, negative)
    if method not in SCALINGS:
        raise UnknownNameError("normalisation", method, SCALINGS)
    base = X[reference_rows(X, reference_years)]
    if reference_years is not None:
        check_varying(base, f"in the reference years {reference_years}")
    values, base = X.to_numpy(float), base.to_numpy(float)
    less = X.columns.isin(negative)
    if method == "min-max":
        scaled = (values - base.min(axis=0)) / np.ptp(base, axis=0)
        scaled[:, less] = 1 - scaled[:, less]
    else:
        scaled = (values - base.mean(axis=0)) / base.std(axis=0, ddof=1)
        scaled[:, less] *= -1
    return pd.DataFrame(scaled, index=X.index, columns=X.columns)

"""What a remedy changes: indicators, or the efficiency of data, raised to a percentile (情景变动)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError


def check_target(percentile: float, size: float) -> None:
    """Raise InvalidInputError for a percentile that is none or a size that is not positive."""
    if not 0 <= percentile <= 100:
        raise InvalidInputError(f"percentile={percentile!r}: expected 0 to 100")
    if not size > 0:
        raise InvalidInputError(f"size={size!r}: expected a positive number")


def gap_to_percentile(values: pd.Series, percentile: float, members: Iterable) -> pd.Series:
    """Distance of members below a percentile of all units; zero for others and for members at or above it.

    Examples
    --------
    >>> import pandas as pd
    >>> gap_to_percentile(pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}), 50, ["a", "c"]).tolist()
    [1.0, 0.0, 0.0]
    """
    gap = (np.percentile(values, percentile) - values).clip(lower=0.0)
    return gap.where(values.index.isin(list(members)), 0.0)


def raise_indicators(frame: pd.DataFrame, percentile: float, members: Iterable, size: float) -> pd.DataFrame:
    """Return indicators of one year with members raised by ``size`` of their gap to the percentile of the year."""
    members = list(members)
    return frame + size * frame.apply(lambda values: gap_to_percentile(values, percentile, members))


def waking_factors(efficiency: pd.Series, percentile: float, members: Iterable, size: float) -> pd.Series:
    r"""Factor on outputs that closes ``size`` of the gap to a percentile of output efficiency.

    .. math:: f_i = 1 + s \max\Bigl(0, \frac{q}{\hat\theta_i} - 1\Bigr)

    Examples
    --------
    >>> import pandas as pd
    >>> waking_factors(pd.Series({"a": 0.2, "b": 0.4, "c": 0.8}), 50, ["a", "c"], 1.0).tolist()
    [2.0, 1.0, 1.0]
    """
    return 1 + size * gap_to_percentile(efficiency, percentile, members) / efficiency


def index_change(index, data: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> pd.Series:
    r"""Change of a composite index, with the ranges and weights that it was made with (指数变动).

    .. math:: \Delta S_i = \sum_j w_j \Delta x_{ij} / (\max x_j - \min x_j)

    so that levels compare with those that the model was estimated from; a value may leave the range.

    Parameters
    ----------
    index : CompositeIndex
        Of indicators of which more is better.
    data : DataFrame
        That the index was made from.
    before, after : DataFrame
        Indicators of the same units; those of the index that are no columns do not change.
    """
    names = [name for name in index.weights.index if name in after.columns]
    span = data[names].max() - data[names].min()
    return ((after[names] - before[names]) / span * index.weights[names]).sum(axis=1)

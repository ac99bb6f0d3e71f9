"""Size distribution of cities (城市规模分布): primacy and the rank-size rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_bounds, check_level, check_values, check_whole, is_constant
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError


def _sorted_sizes(sizes: pd.Series, least: int) -> pd.Series:
    checked = check_values(sizes.rename("size") if isinstance(sizes, pd.Series) else sizes, least, None, "leave it out")
    check_bounds(checked.to_frame(), "a city without a size is left out", open_ends=True)
    return checked.sort_values(ascending=False, kind="stable")


def primacy(sizes: pd.Series) -> pd.Series:
    r"""Primacy of the first city (首位度): its share and the two-city and four-city indices.

    .. math:: 100 \frac{S_1}{\sum_i S_i}, \quad \frac{S_1}{S_2}, \quad \frac{S_1}{S_2 + S_3 + S_4}

    Under Zipf's law the two-city index is 2 and the four-city index 12/13.

    Parameters
    ----------
    sizes : Series
        Population, output or employment of each city, positive.

    Returns
    -------
    Series
        ``first_share`` (percent), ``two_city``, and ``four_city`` (missing for fewer than four cities).

    Raises
    ------
    InvalidInputError
        For sizes that are missing or not positive, or fewer than two cities.

    References
    ----------
    Jefferson, M. (1939). The law of the primate city. Geographical Review 29, 226-232.

    Examples
    --------
    >>> import pandas as pd
    >>> primacy(pd.Series([60.0, 30.0, 20.0, 15.0])).round(3).tolist()
    [48.0, 2.0, 0.923]
    """
    ordered = _sorted_sizes(sizes, 2).to_numpy()
    four = ordered[0] / ordered[1:4].sum() if len(ordered) >= 4 else np.nan
    return pd.Series(
        {"first_share": 100 * ordered[0] / ordered.sum(), "two_city": ordered[0] / ordered[1], "four_city": four},
        name="primacy",
    )


@dataclass(frozen=True, eq=False)
class RankSize(Result):
    """Rank-size rule of cities (位序-规模法则).

    Attributes
    ----------
    exponent, std_error : float
        Pareto exponent (1 under Zipf's law) and its corrected standard error.
    lower, upper : float
        Interval of the exponent.
    intercept, r_squared : float
        Of the regression.
    n : int
        Number of cities.
    level : float
        Of the interval.
    table : DataFrame
        By city: ``size``, ``rank`` and ``fitted`` size of that rank.
    """

    exponent: float
    std_error: float
    lower: float
    upper: float
    intercept: float
    r_squared: float
    n: int
    level: float
    table: pd.DataFrame


def rank_size(sizes: pd.Series, *, largest: int | None = None, level: float = 0.95) -> RankSize:
    r"""Rank-size rule (位序-规模法则) with Gabaix and Ibragimov's correction.

    .. math:: \ln(R_i - 1/2) = a - b \ln S_i, \quad \operatorname{se}(b) = b \sqrt{2 / n}

    By least squares. Taking 1/2 off the rank removes the leading bias of small samples; the usual standard error of
    the regression is far too small, since ranks are not independent. The interval is normal.

    Parameters
    ----------
    sizes : Series
        Population, output or employment of each city, positive. Cities of one size are ranked in any order, which
        changes nothing.
    largest : int, optional
        Only this many of the largest: Pareto's law is one of the upper tail.
    level : float
        Of the interval.

    Returns
    -------
    RankSize

    Raises
    ------
    InvalidInputError
        For sizes that are missing or not positive, fewer than three cities, or cities all of one size.

    References
    ----------
    Gabaix, X. and Ibragimov, R. (2011). Rank - 1/2: a simple way to improve the OLS estimation of tail exponents.
    Journal of Business & Economic Statistics 29, 24-39.

    Examples
    --------
    >>> import pandas as pd
    >>> result = rank_size(pd.Series([60.0, 30.0, 20.0, 15.0, 12.0]))
    >>> round(result.exponent, 3), round(result.std_error, 3)
    (1.364, 0.863)
    """
    from scipy.stats import norm

    check_level(level)
    ordered = _sorted_sizes(sizes, 3)
    if largest is not None:
        ordered = ordered.iloc[: check_whole("largest", largest, least=3, most=len(ordered), unit="cities")]
    if is_constant(ordered.to_numpy()):
        raise InvalidInputError("all cities are of one size: ranks have no slope")
    n, x = len(ordered), np.log(ordered.to_numpy())
    rank = np.arange(1, n + 1)
    y = np.log(rank - 0.5)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - intercept - slope * x
    exponent, error = -slope, -slope * np.sqrt(2 / n)
    half = norm.ppf((1 + level) / 2) * error
    return RankSize(
        exponent=float(exponent),
        std_error=float(error),
        lower=float(exponent - half),
        upper=float(exponent + half),
        intercept=float(intercept),
        r_squared=float(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum()),
        n=n,
        level=level,
        table=pd.DataFrame({"size": ordered, "rank": rank, "fitted": np.exp((y - intercept) / slope)}),
    )

"""Size distribution of cities (城市规模分布): primacy and the rank-size rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError


def _sorted_sizes(sizes: pd.Series, least: int) -> pd.Series:
    if not isinstance(sizes, pd.Series) or not pd.api.types.is_numeric_dtype(sizes):
        raise InvalidInputError("expected a Series of numbers, one a city")
    bad = sizes.index[~(np.isfinite(sizes) & (sizes > 0))]
    if len(bad):
        raise InvalidInputError(f"{len(bad)} size(s) missing or not positive, the first of {bad[0]}: leave it out")
    if len(sizes) < least:
        raise InvalidInputError(f"{len(sizes)} cities: expected at least {least}")
    return sizes.astype(float).sort_values(ascending=False, kind="stable")


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


@dataclass(frozen=True)
class RankSize:
    """The rank-size regression of cities.

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

    def summary(self) -> pd.DataFrame:
        """Return the coefficient table, with the test of a zero exponent."""
        from clusterlib.core.results import coefficient_table

        estimate, error = (pd.Series({"exponent": v}) for v in (self.exponent, self.std_error))
        return coefficient_table(estimate, error, level=self.level)


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

    if not 0 < level < 1:
        raise InvalidInputError(f"level={level}: expected between 0 and 1, such as 0.95")
    ordered = _sorted_sizes(sizes, 3)
    if largest is not None:
        if not 3 <= largest <= len(ordered):
            raise InvalidInputError(f"largest={largest}: expected between 3 and the number of cities, {len(ordered)}")
        ordered = ordered.iloc[:largest]
    n, x = len(ordered), np.log(ordered.to_numpy())
    if np.ptp(x) == 0:
        raise InvalidInputError("all cities are of one size: ranks have no slope")
    rank = np.arange(1, n + 1)
    y = np.log(rank - 0.5)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - intercept - slope * x
    exponent, error = -slope, -slope * np.sqrt(2 / n)
    half = norm.ppf((1 + level) / 2) * error
    table = pd.DataFrame({"size": ordered, "rank": rank, "fitted": np.exp((y - intercept) / slope)})
    return RankSize(
        float(exponent),
        float(error),
        float(exponent - half),
        float(exponent + half),
        float(intercept),
        float(1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum()),
        n,
        level,
        table,
    )

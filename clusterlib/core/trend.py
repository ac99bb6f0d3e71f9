"""How far the last figure of a series may lie beside its path: noise told from second differences (趋势噪声)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_bounds, check_level, check_values
from clusterlib.errors import InvalidInputError

_DRAWS, _LEAST = 200_000, 5


class LatestLevel(NamedTuple):
    """The last figure of a series and the interval of the level that it stands for; see :func:`latest_level`."""

    estimate: float
    lower: float
    upper: float
    noise: float
    detectable: float
    n: int


def latest_level(values: pd.Series, *, level: float = 0.95, power: float = 0.8) -> LatestLevel:
    r"""Interval of the level behind the last figure of a series that moves smoothly (最近年份水平的区间).

    Logarithms of the figures are a smooth path and independent normal noise of one variance, as from where and when a
    year's business is booked. A straight path drops out of second differences, and one that bends slowly nearly does:

    .. math:: s^2 = \frac{1}{6 (n - 2)} \sum_{t=2}^{n-1} (y_{t-1} - 2 y_t + y_{t+1})^2

    has the variance of the noise as its mean. The interval is :math:`y_n \pm c_n s`, where :math:`c_n` is such that it
    covers the level of the last period with the probability ``level`` on a straight path: the last figure is part of
    :math:`s`, and :math:`c_n` allows for it. No period is taken for a draw from the same distribution as another.

    Parameters
    ----------
    values : Series
        Positive, a row a period in their order, evenly spaced, five or more: amounts, shares, or ratios of these.
    level : float
    power : float
        Of ``detectable``.

    Returns
    -------
    LatestLevel
        ``estimate``, the last figure; ``lower`` and ``upper``; ``noise``, :math:`s`, a relative standard deviation;
        ``detectable``, the smallest true level above one whose interval lies above one with this power; ``n`` periods.

    Raises
    ------
    InvalidInputError
        For figures that are missing or not positive, fewer than five, or years that are not one after another.

    References
    ----------
    Gasser, T., Sroka, L. and Jennen-Steinmetz, C. (1986). Residual variance and residual pattern in nonlinear
    regression. Biometrika 73, 625-633, equation 2.

    Examples
    --------
    >>> import pandas as pd
    >>> found = latest_level(pd.Series([1.00, 1.12, 1.18, 1.32, 1.40, 1.50, 1.62]))
    >>> bool(found.lower < 1.62 < found.upper)
    True
    """
    check_level(level)
    check_level(power, "power")
    series = check_values(values, _LEAST, None, "a level is told from a run of periods without gaps")
    check_bounds(series.to_frame("values"), "a logarithm needs positive figures", open_ends=True)
    if pd.api.types.is_integer_dtype(series.index) and len(set(np.diff(series.index))) > 1:
        raise InvalidInputError(f"periods {', '.join(map(str, series.index))}: expected one after another")
    logs = np.log(series.to_numpy())
    noise = float(_noise(logs[None])[0])
    critical, shift = _critical(len(logs), level, power)
    half, last = critical * noise, float(logs[-1])
    lower, upper = float(np.exp(last - half)), float(np.exp(last + half))
    return LatestLevel(float(series.iloc[-1]), lower, upper, noise, float(np.exp(shift * noise)), len(logs))


def _noise(logs: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise of paths, a row each."""
    return np.sqrt((np.diff(logs, 2, axis=1) ** 2).mean(axis=1) / 6)


@lru_cache(maxsize=64)
def _critical(n: int, level: float, power: float) -> tuple[float, float]:
    """Return the multiple of the noise that covers, and the level in units of noise that is found with the power."""
    drawn = np.random.default_rng(0).standard_normal((_DRAWS, n))
    noise, last = _noise(drawn), drawn[:, -1]
    critical = np.quantile(np.abs(last) / noise, level)
    return float(critical), float(np.quantile(critical * noise - last, power))

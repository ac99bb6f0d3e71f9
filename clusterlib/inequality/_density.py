"""Kernel density (核密度估计) of a distribution over time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_floats,
    as_names,
    check_choice,
    check_columns,
    check_finite,
    check_index,
    check_number,
    check_whole,
    is_constant,
    place_of,
)
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RULES = ("silverman", "scott")


@dataclass(frozen=True, eq=False)
class KernelDensity(Result):
    """Kernel densities of several periods on one grid (核密度估计).

    Attributes
    ----------
    table : DataFrame
        Tidy: the period, ``x`` and ``density``.
    by_period : DataFrame
        What is shown for people:
        ``n``, ``bandwidth`` (in the value's unit), ``mean``, ``sd``, ``mode`` and ``height`` of the highest peak, and
        ``peaks``, the number of local maxima that reach at least ``minimum_peak`` of it.
    value : str
    bandwidth : str or float
        As asked for.
    minimum_peak : float
    """

    table: pd.DataFrame
    by_period: pd.DataFrame
    value: str
    bandwidth: str | float
    minimum_peak: float

    def _shown(self) -> pd.DataFrame:
        return self.by_period

    def wide(self) -> pd.DataFrame:
        """Return the densities with one row a grid point and one column a period."""
        return self.table.pivot(index="x", columns=self.table.columns[0], values="density")


def kernel_density(
    data: pd.DataFrame,
    value: str,
    by: str = "year",
    *,
    grid: int | ArrayLike = 256,
    bandwidth: str | float = "silverman",
    minimum_peak: float = 0.05,
) -> KernelDensity:
    r"""Gaussian kernel density of each period on one grid (核密度估计).

    .. math:: \hat f_t(x) = \frac{1}{n h_t} \sum_i \phi\Big(\frac{x - x_{it}}{h_t}\Big), \quad
              h_t^{\text{Silverman}} = \Big(\frac{4}{3 n}\Big)^{1/5} s_t, \quad h_t^{\text{Scott}} = n^{-1/5} s_t

    with :math:`s_t` the standard deviation (:math:`n - 1`). The number of peaks depends on the bandwidth and is
    sampling noise in small samples: it describes, it does not test.

    Parameters
    ----------
    data : DataFrame
        Any number of units a period.
    value : str
        Column, in any unit.
    by : str
        Index level or column of the period.
    grid : int or array
        Number of points, from three bandwidths below the smallest value of all periods to three above the largest,
        or the points themselves.
    bandwidth : {"silverman", "scott"} or float
        A rule, for each period, or one bandwidth in the value's unit for all.
    minimum_peak : float
        Share of the highest peak below which a local maximum is not counted.

    Returns
    -------
    KernelDensity

    Raises
    ------
    InvalidInputError
        For missing values, a period with fewer than two different values, or a bandwidth that is not positive.
    UnknownNameError
        For a column, level or rule that does not exist.

    References
    ----------
    Silverman, B. W. (1986). Density Estimation for Statistics and Data Analysis, sec. 3.4. Chapman and Hall.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"year": [2020] * 3, "x": [-1.0, 0.0, 1.0]})
    >>> result = kernel_density(data, "x", grid=[0.0], bandwidth=1.0)
    >>> round(float(result.table["density"].iloc[0]), 4)
    0.2943
    """
    samples = _samples(data, value, by)
    check_number("minimum_peak", minimum_peak, least=0, most=1)
    widths = {period: _bandwidth(x, bandwidth) for period, x in samples.items()}
    points = _grid(samples, widths, grid)
    densities = {period: _density(x, widths[period], points) for period, x in samples.items()}
    table = pd.concat(
        {period: pd.DataFrame({"x": points, "density": d}) for period, d in densities.items()}, names=[by, None]
    )
    rows = {
        period: {
            "n": len(x),
            "bandwidth": widths[period],
            "mean": x.mean(),
            "sd": x.std(ddof=1),
            **_peaks(points, densities[period], minimum_peak),
        }
        for period, x in samples.items()
    }
    by_period = pd.DataFrame.from_dict(rows, orient="index").rename_axis(by).astype({"n": int, "peaks": int})
    return KernelDensity(table.droplevel(1).reset_index(), by_period, value, bandwidth, minimum_peak)


def _samples(data: pd.DataFrame, value: str, by: str) -> dict[Hashable, np.ndarray]:
    check_columns(data, [value])
    values = as_floats(data, [value])
    check_finite(values)
    as_names([by], "period")
    places = [*data.columns, *data.index.names]
    if by not in places:
        raise UnknownNameError("period", by, [name for name in places if name is not None])
    if places.count(by) > 1:
        raise InvalidInputError(f"{by!r} stands in the data more than once, as columns or index levels: rename one")
    if by in data.index.names and data.index.nlevels == 2:
        check_index(data if data.index.names[1] == by else data.swaplevel())
    periods = data.index.get_level_values(by) if by in data.index.names else pd.Index(data[by])
    if periods.hasnans or data.empty:
        raise InvalidInputError(f"{np.count_nonzero(periods.isna())} of {len(data)} rows have no {by}: leave them out")
    samples: dict[Hashable, np.ndarray] = {period: part.to_numpy() for period, part in values[value].groupby(periods)}
    for period, x in samples.items():
        if len(x) < 2 or is_constant(x):
            raise InvalidInputError(
                f"{value!r} has no spread in {place_of(period)} (n = {len(x)}): a density needs two different values"
            )
    return samples


def _bandwidth(x: np.ndarray, bandwidth: str | float) -> float:
    if isinstance(bandwidth, str):
        check_choice("bandwidth rule", bandwidth, RULES)
        factor = 4 / 3 if bandwidth == "silverman" else 1.0
        return float((factor / len(x)) ** 0.2 * x.std(ddof=1))
    return check_number("bandwidth", bandwidth, least=0, open_ends=True)


def _grid(samples: dict[Hashable, np.ndarray], widths: dict[Hashable, float], grid: int | ArrayLike) -> np.ndarray:
    if isinstance(grid, (np.ndarray, list, tuple, pd.Series, pd.Index)) and np.ndim(grid) > 0:
        try:
            points = np.asarray(grid, dtype=float)
        except (TypeError, ValueError):
            points = np.array([np.nan])
        if points.ndim != 1 or not len(points) or not (np.isfinite(points).all() and (np.diff(points) > 0).all()):
            raise InvalidInputError("grid: expected finite points in ascending order")
        return points
    count = check_whole("grid", grid, least=2, unit="points")
    low = min(x.min() - 3 * widths[period] for period, x in samples.items())
    high = max(x.max() + 3 * widths[period] for period, x in samples.items())
    return np.linspace(low, high, count)


def _density(x: np.ndarray, width: float, points: np.ndarray) -> np.ndarray:
    from scipy.stats import gaussian_kde

    # scipy takes the bandwidth in standard deviations of the sample.
    return gaussian_kde(x, bw_method=width / x.std(ddof=1))(points)


def _peaks(points: np.ndarray, density: np.ndarray, minimum_peak: float) -> dict[str, float]:
    top = int(density.argmax())
    padded = np.concatenate([[-np.inf], density, [-np.inf]])
    local = (padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:])
    return {
        "mode": points[top],
        "height": density[top],
        "peaks": int((local & (density >= minimum_peak * density[top])).sum()),
    }

"""Global spatial autocorrelation (全局空间自相关): Moran's I, over time, and its scatter plot's data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_columns
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._alignment import check_values, weight_matrix
from clusterlib.spatial._randomise import check_settings, normal_p, permutation_p, permuted_products, tolerance

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ASSUMPTIONS = ("randomisation", "normality")
_COLUMNS = ("I", "expected", "variance", "z", "p_analytic", "p_sim", "n")
QUADRANTS = {
    "HH": "high-high 高-高",
    "LH": "low-high 低-高",
    "LL": "low-low 低-低",
    "HL": "high-low 高-低",
}


@dataclass(frozen=True)
class GlobalMoran:
    """Moran's I with its moments and tests.

    Attributes
    ----------
    I : float
        Moran's I.
    expected, variance : float
        Without spatial autocorrelation, under ``assumption``.
    z, p_analytic : float
        Standardised I and its normal p value.
    p_sim : float
        P value of the permutations.
    simulated : ndarray, shape (permutations,)
        I of each permutation.
    n, permutations, seed : int
    assumption, alternative : str
    row_standardised : bool
    """

    I: float  # noqa: E741
    expected: float
    variance: float
    z: float
    p_analytic: float
    p_sim: float
    simulated: np.ndarray = field(repr=False)
    n: int
    permutations: int
    seed: int
    assumption: str
    alternative: str
    row_standardised: bool

    def summary(self) -> pd.DataFrame:
        """Return the statistic with its moments and p values, in one row."""
        return pd.DataFrame({name: [getattr(self, name)] for name in _COLUMNS}, index=["Moran's I"])


def _moments(z: np.ndarray, matrix: csr_array) -> tuple[float, dict[str, float]]:
    r"""Return the mean of Moran's I without autocorrelation and its variance by assumption (Cliff and Ord 1981, ch. 2).

    .. math:: S_1 = \frac{1}{2} \sum_i \sum_j (w_{ij} + w_{ji})^2, \quad
              S_2 = \sum_i \Bigl(\sum_j w_{ij} + \sum_j w_{ji}\Bigr)^2
    """
    n, total, mean = len(z), matrix.sum(), -1 / (len(z) - 1)
    both = matrix + matrix.T
    first, second = np.square(both.data).sum() / 2, np.square(both.sum(axis=1)).sum()
    kurtosis = n * (z**4).sum() / np.square(z).sum() ** 2
    normal = (n**2 * first - n * second + 3 * total**2) / ((n**2 - 1) * total**2)
    placed = n * ((n**2 - 3 * n + 3) * first - n * second + 3 * total**2)
    placed -= kurtosis * ((n**2 - n) * first - 2 * n * second + 6 * total**2)
    placed /= (n - 1) * (n - 2) * (n - 3) * total**2
    return mean, {"normality": float(normal - mean**2), "randomisation": float(placed - mean**2)}


def global_moran(
    y: pd.Series,
    w,
    permutations: int = 999,
    seed: int = 0,
    *,
    assumption: str = "randomisation",
    alternative: str = "two-sided",
    row_standardise: bool = True,
) -> GlobalMoran:
    r"""Moran's I, the global test of spatial autocorrelation (全局莫兰指数).

    .. math:: I = \frac{n}{S_0} \frac{\sum_i \sum_j w_{ij} z_i z_j}{\sum_i z_i^2}, \quad
              z_i = y_i - \bar y, \quad S_0 = \sum_i \sum_j w_{ij}, \quad E[I] = -\frac{1}{n - 1}

    The moments are Cliff and Ord's: under randomisation (the values found are placed at random; uses their kurtosis)
    or under normality. The permutations are of all values over all units, drawn with numpy's generator, so that a seed
    gives the same result everywhere.

    Parameters
    ----------
    y : Series, shape (units,)
        One value a unit.
    w : Graph, array or sparse matrix, shape (units, units)
        A Graph is matched to ``y`` by its keys, a matrix by position.
    permutations, seed : int
        Of the permutation test. The smallest p value there is is ``2 / (permutations + 1)``, one-sided half of it.
    assumption : {"randomisation", "normality"}
        For ``variance``, ``z`` and ``p_analytic``.
    alternative : {"two-sided", "greater", "less"}
        For both p values. Two-sided by permutation is twice the smaller tail: esda's ``p_sim`` is half of it.
    row_standardise : bool
        Divide each row of the weights by its sum first.

    Returns
    -------
    GlobalMoran

    Raises
    ------
    InvalidInputError
        For missing values, the same value everywhere, units that ``w`` does not have, units without neighbours, or
        weights that are the same between all.
    UnknownNameError
        For an unknown assumption or alternative.

    References
    ----------
    Moran, P. A. P. (1950). Biometrika 37, 17-23. Cliff, A. D. and Ord, J. K. (1981). Spatial Processes, ch. 2. Pion.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran = global_moran(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), line)
    >>> round(moran.I, 4), moran.expected
    (0.7143, -0.2)
    """
    check_settings(permutations, alternative)
    if assumption not in ASSUMPTIONS:
        raise UnknownNameError("assumption", assumption, ASSUMPTIONS)
    y = check_values(y)
    matrix = weight_matrix(w, y.index, row_standardise=row_standardise)
    z = (y - y.mean()).to_numpy()
    expected, variances = _moments(z, matrix)
    if min(variances.values()) < 1e-12:
        raise InvalidInputError("every unit neighbours all others alike: Moran's I is then -1 / (n - 1) for any values")
    scale = len(y) / matrix.sum() / (z @ z)
    found = float(scale * (z @ (matrix @ z)))
    simulated = scale * permuted_products(z, matrix, permutations, seed)
    # I is at most about one, so its ties are those of numbers around one.
    slack = tolerance(np.ones(1))
    tails = ((simulated >= found - slack).sum(), (simulated <= found + slack).sum())
    variance = variances[assumption]
    standardised = (found - expected) / np.sqrt(variance)
    return GlobalMoran(
        found,
        expected,
        variance,
        float(standardised),
        float(normal_p(standardised, alternative)),
        float(permutation_p(*tails, permutations, alternative)),
        simulated,
        len(y),
        permutations,
        seed,
        assumption,
        alternative,
        row_standardise,
    )


@dataclass(frozen=True)
class MoranOverTime:
    """Moran's I of each period.

    Attributes
    ----------
    table : DataFrame
        By period: ``I``, ``expected``, ``variance``, ``z``, ``p_analytic``, ``p_sim`` and ``n``.
    value : str
    permutations, seed : int
    assumption, alternative : str
    """

    table: pd.DataFrame
    value: str
    permutations: int
    seed: int
    assumption: str
    alternative: str

    def summary(self) -> pd.DataFrame:
        """Return the table by period."""
        return self.table


def moran_over_time(
    data: pd.DataFrame,
    value: str,
    w: object | Callable[[pd.Index], object],
    permutations: int = 999,
    seed: int = 0,
    *,
    assumption: str = "randomisation",
    alternative: str = "two-sided",
) -> MoranOverTime:
    """Moran's I of each period of a panel (各年全局莫兰指数), with row-standardised weights.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time). Units without the value in a period are left out of that period.
    value : str
        Column.
    w : Graph, or function of an Index of units that returns one
        A function where the units differ between periods: weights are then made of those there are.
    permutations, seed : int
        Of each period's test; the seed is the same in every period.
    assumption, alternative : str
        As :func:`global_moran`.

    Returns
    -------
    MoranOverTime

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`global_moran`, and for an index that is not (unit, time).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcdef"), [2020, 2021]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 3, 2, 1, 3, 6, 4, 2, 5, 4, 6, 5]}, index=index)
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran_over_time(data, "x", line).table["I"].round(3).tolist()
    [0.714, -0.443]
    """
    (value,) = check_columns(data, [value])
    if data.index.nlevels != 2:
        raise InvalidInputError(f"expected an index of two levels, unit and time, got {data.index.nlevels}")
    settings = {"permutations": permutations, "seed": seed, "assumption": assumption, "alternative": alternative}
    rows, units = {}, None
    for period, values in data[value].dropna().groupby(level=1):
        values = values.droplevel(1)
        # Weights are made anew only where the units are others than in the period before.
        if units is None or not values.index.equals(units):
            units = values.index
            matrix = weight_matrix(w(units) if callable(w) else w, units)
        found = global_moran(values, matrix, row_standardise=False, **settings)
        rows[period] = {name: getattr(found, name) for name in _COLUMNS}
    if not rows:
        raise InvalidInputError(f"{value!r} has no value in any period")
    table = pd.DataFrame(rows).T.rename_axis(data.index.names[1]).astype({"n": int})
    return MoranOverTime(table, value, **settings)


@dataclass(frozen=True)
class MoranScatter:
    """Standardised values against their spatial lags.

    Attributes
    ----------
    table : DataFrame
        By unit: ``z``, its lag ``lag`` and the ``quadrant`` HH, LH, LL or HL (own value, then neighbours').
    slope : float
        Of the lag on z: Moran's I.
    n : int
    """

    table: pd.DataFrame
    slope: float
    n: int

    def summary(self) -> pd.DataFrame:
        """Return the number and share (percent) of units in each quadrant."""
        count = self.table["quadrant"].value_counts().reindex(list(QUADRANTS), fill_value=0)
        return pd.DataFrame({"count": count, "share": 100 * count / self.n})


def quadrants(z: np.ndarray, lag: np.ndarray) -> np.ndarray:
    """Return the quadrant of each unit; a value or lag at the mean counts as low, as in esda."""
    own, neighbours = np.where(z > 0, "H", "L"), np.where(lag > 0, "H", "L")
    return np.char.add(own, neighbours).astype(object)


def moran_scatter(y: pd.Series, w) -> MoranScatter:
    r"""Moran scatter plot's data (莫兰散点图): standardised values and their spatial lags, row-standardised.

    .. math:: z_i = (y_i - \bar y) / s, \quad s^2 = \frac{1}{n} \sum_i (y_i - \bar y)^2, \quad
              \tilde z_i = \sum_j w_{ij} z_j

    Parameters
    ----------
    y : Series, shape (units,)
    w : Graph, array or sparse matrix, shape (units, units)

    Returns
    -------
    MoranScatter

    Raises
    ------
    InvalidInputError
        As :func:`global_moran`.

    References
    ----------
    Anselin, L. (1996). The Moran scatterplot as an ESDA tool. In Spatial Analytical Perspectives on GIS, 111-125.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> line = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1)
    >>> moran_scatter(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), line).summary()["count"].to_dict()
    {'HH': 3, 'LH': 0, 'LL': 3, 'HL': 0}
    """
    y = check_values(y)
    matrix = weight_matrix(w, y.index)
    z = ((y - y.mean()) / y.std(ddof=0)).to_numpy()
    lag = matrix @ z
    table = pd.DataFrame({"z": z, "lag": lag, "quadrant": quadrants(z, lag)}, index=y.index)
    return MoranScatter(table, float(z @ lag / (z @ z)), len(y))

"""Order-m frontiers (m阶前沿): efficiency against the best of m units drawn at random, not against the best of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_bounds, check_choice, check_table, check_whole
from clusterlib.core.results import Result
from clusterlib.efficiency._envelopment import ORIENTATIONS, check_both, group_rows
from clusterlib.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class OrderMResult(Result):
    """Order-m efficiency of each unit (m阶前沿效率).

    Attributes
    ----------
    table : DataFrame
        By unit: ``efficiency``, above 1 for a unit that beats the best of m; ``farrell``, the factor on inputs or
        outputs; ``compared``, how many units it is compared with, itself among them.
    settings : dict
        ``inputs``, ``outputs``, ``m``, ``orientation``.
    """

    table: pd.DataFrame
    settings: dict = field(default_factory=dict)

    @property
    def footer(self) -> Mapping[str, object]:
        """What was asked for."""
        return {
            "Units 个体数": len(self.table),
            "m": self.settings["m"],
            "Orientation 导向": self.settings["orientation"],
        }


def order_m(
    inputs: pd.DataFrame,
    outputs: pd.DataFrame,
    *,
    m: int = 10,
    orientation: str = "output",
    groups: str | pd.Series | None = None,
) -> OrderMResult:
    r"""Order-m efficiency (m阶前沿): what the best of m units attains that have no more input, or no less output.

    .. math:: \lambda_m(x, y) = E\Big[\max_{i \le m} \min_j \frac{Y_{ij}}{y_j} \,\Big|\, X_i \le x\Big], \qquad
              \theta_m(x, y) = E\Big[\min_{i \le m} \max_j \frac{X_{ij}}{x_j} \,\Big|\, Y_i \ge y\Big]

    The expectation is taken exactly, not by drawing: with :math:`s_{(1)} \le \dots \le s_{(N)}` the ratios of the
    :math:`N` units that the condition leaves,

    .. math:: \hat\lambda_m = \sum_{k=1}^{N} s_{(k)} \Big[\Big(\frac{k}{N}\Big)^m - \Big(\frac{k - 1}{N}\Big)^m\Big]

    No return to scale is assumed, and neither a convex nor an undominated frontier. As m grows it tends to the free
    disposal hull, which one outlier can carry away; for a given m it converges at the rate of a mean.

    Parameters
    ----------
    inputs, outputs : DataFrame
        Above zero, by the same index of units (or units and years); columns of any unit of measure.
    m : int
        How many units the best is taken of.
    orientation : {"output", "input"}
        Whether outputs grow or inputs shrink.
    groups : str or Series, optional
        As of :func:`data_envelopment`: each group has its own frontier.

    Returns
    -------
    OrderMResult
        A unit that is compared with itself alone has an efficiency of one, which says nothing: see ``compared``.

    Raises
    ------
    InvalidInputError
        For values that are missing or not above zero, or not by the same index.
    UnknownNameError
        For an unknown orientation or group level.

    Notes
    -----
    There are no intervals: those of a bootstrap that draws units cover 30 to 90 percent in place of 95 where a unit is
    compared with some tens of others, as ``benchmarks/monte_carlo_order_m.py`` shows.

    References
    ----------
    Cazals, C., Florens, J.-P. and Simar, L. (2002). Nonparametric frontier estimation: a robust approach. Journal of
    Econometrics 106, 1-25, section 3. Daraio, C. and Simar, L. (2007). Advanced robust and nonparametric methods in
    efficiency analysis. Springer, section 3.4.

    Examples
    --------
    >>> import pandas as pd
    >>> staff = pd.DataFrame({"staff": [2.0, 3.0, 3.0, 4.0]}, index=list("ABCD"))
    >>> sales = pd.DataFrame({"sales": [1.0, 3.0, 2.0, 3.0]}, index=list("ABCD"))
    >>> order_m(staff, sales, m=2).table["farrell"].round(3).tolist()
    [1.0, 0.815, 1.222, 0.896]
    """
    check_choice("orientation", orientation, ORIENTATIONS)
    m = check_whole("m", m, least=1)
    inputs, outputs = _positive(inputs, "input"), _positive(outputs, "output")
    check_both(inputs, outputs)
    factor, compared = np.empty(len(inputs)), np.empty(len(inputs), dtype=int)
    for rows in group_rows(inputs.index, groups).values():
        x, y = inputs.to_numpy()[rows], outputs.to_numpy()[rows]
        if orientation == "output":
            beyond, ratios = (x[None] > x[:, None]).any(axis=2), (y[None] / y[:, None]).min(axis=2)
        else:
            beyond, ratios = (y[None] < y[:, None]).any(axis=2), (x[None] / x[:, None]).max(axis=2)
        inside = np.logical_not(beyond)
        compared[rows] = inside.sum(axis=1)
        factor[rows] = [_expected_best(ratios[unit, inside[unit]], m, orientation) for unit in range(len(rows))]
    efficiency = factor if orientation == "input" else 1 / factor
    table = pd.DataFrame({"efficiency": efficiency, "farrell": factor, "compared": compared}, inputs.index)
    settings = {"inputs": tuple(inputs.columns), "outputs": tuple(outputs.columns), "m": m, "orientation": orientation}
    return OrderMResult(table, settings)


def _expected_best(ratios: np.ndarray, m: int, orientation: str) -> float:
    """Expected greatest ratio of m that are drawn with replacement, or least ratio for inputs."""
    ordered = np.sort(ratios) if orientation == "output" else np.sort(ratios)[::-1]
    law = np.diff((np.arange(len(ordered) + 1) / len(ordered)) ** m)
    return float(law @ ordered)


def _positive(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    amounts = check_table(frame, kind, "leave out the unit or the variable")
    if amounts.index.has_duplicates:
        raise InvalidInputError(f"unit given twice: {amounts.index[amounts.index.duplicated()][0]}")
    check_bounds(amounts, f"an order-m frontier takes an {kind} above zero", open_ends=True)
    return amounts

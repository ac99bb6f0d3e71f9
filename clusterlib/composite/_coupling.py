"""Coupling coordination of subsystems (耦合协调度)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.composite._weighting import check_weights
from clusterlib.core.checks import check_bounds, check_choice, check_table, is_constant
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError

# Ten grades of equal width; a degree on a border belongs to the higher grade, 1 to the highest.
COORDINATION_GRADES = (
    ("extreme imbalance", "极度失调"),
    ("severe imbalance", "严重失调"),
    ("moderate imbalance", "中度失调"),
    ("mild imbalance", "轻度失调"),
    ("near imbalance", "濒临失调"),
    ("bare coordination", "勉强协调"),
    ("primary coordination", "初级协调"),
    ("intermediate coordination", "中级协调"),
    ("good coordination", "良好协调"),
    ("quality coordination", "优质协调"),
)
FORMS = ("means", "dispersion")


@dataclass(frozen=True, eq=False)
class Coordination(Result):
    """Coupling coordination of subsystems (耦合协调度).

    Attributes
    ----------
    table : DataFrame
        By observation: ``coupling`` C, ``development`` T, ``coordination`` D, the number of its ``grade`` from 1 to 10,
        ``grade_en``, ``grade_zh`` and ``lagging``, the subsystem with the lowest index (none where all are equal).
    weights : Series
        Of the subsystems in T, summing to one.
    form : str
        Formula of C.
    """

    table: pd.DataFrame
    weights: pd.Series
    form: str

    @property
    def degree(self) -> pd.Series:
        """The degree of coordination D."""
        return self.table["coordination"]

    @property
    def grades(self) -> pd.DataFrame:
        """How many observations have each grade."""
        counts = self.table["grade"].value_counts().reindex(range(1, 11), fill_value=0)
        names = pd.DataFrame(COORDINATION_GRADES, columns=["grade_en", "grade_zh"], index=counts.index)
        return names.assign(observations=counts).rename_axis("grade")


def _coupling(values: np.ndarray, form: str) -> np.ndarray:
    """Coupling degree of each row; not a number where every subsystem is zero."""
    n, total, largest = values.shape[1], values.sum(axis=1), values.max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if form == "means":
            # Divided by the mean first: the product of many small indices would fall below the smallest number.
            return np.prod(values * n / total[:, None], axis=1) ** (1 / n)
        ordered = np.sort(values, axis=1)
        # In order of size the k-th index enters n - 1 differences: k of them with plus, the rest with minus.
        differences = ordered @ (2 * np.arange(n) - n + 1)
        evenness = 1 - differences / (n * (n - 1) / 2)
        return np.sqrt(evenness * np.prod(values / largest[:, None], axis=1) ** (1 / (n - 1)))


def _check_subsystems(subsystems: pd.DataFrame) -> pd.DataFrame:
    values = check_table(subsystems, "index", "leave out the observation, or choose years in which all are complete")
    if values.shape[1] < 2:
        raise InvalidInputError("one subsystem: expected two or more, one a column")
    why = "coupling needs indices in [0, 1], such as the score of composite_index without reference_years"
    check_bounds(values, why, 0, 1)
    return values.clip(0, 1)


def coupling_coordination(
    subsystems: pd.DataFrame, weights: Mapping | pd.Series | None = None, *, form: str = "means"
) -> Coordination:
    r"""Coupling coordination degree of two or more subsystems (耦合协调度模型).

    .. math:: C = \frac{n \left(\prod_i U_i\right)^{1/n}}{\sum_i U_i}, \quad T = \sum_i a_i U_i, \quad D = \sqrt{C T}

    C is the geometric over the arithmetic mean: in [0, 1] for every n, 1 if and only if all indices are equal, 0 if
    one is zero. Variants in use break this: with the product of the pairwise sums in the denominator three equal
    indices give 1.5, and :math:`\sqrt{U_1 U_2} / (U_1 + U_2)` cannot pass 0.5. Wang et al. (2021) go through such
    errors and propose a form of their own, which spreads C out more:

    .. math:: C = \sqrt{\Big[1 - \frac{\sum_{i<j} |U_i - U_j|}{n (n - 1) / 2}\Big]
              \Big(\prod_i \frac{U_i}{\max_k U_k}\Big)^{1/(n-1)}}

    The ten grades divide [0, 1] into tenths, a border belonging to the higher one: 极度失调 extreme, 严重失调 severe,
    中度失调 moderate, 轻度失调 mild, 濒临失调 near imbalance; 勉强协调 bare, 初级协调 primary, 中级协调 intermediate,
    良好协调 good, 优质协调 quality coordination. They are a convention: D depends on how the indices were scaled.

    Parameters
    ----------
    subsystems : DataFrame, shape (observations, subsystems)
        Index of each subsystem in [0, 1].
    weights : mapping or Series, optional
        Of the subsystems in T, scaled to sum to one; by default equal.
    form : {"means", "dispersion"}
        Formula of C: the mean ratio, or that of Wang et al.

    Returns
    -------
    Coordination
        Where every index is zero, C has no value and is missing; D is then 0.

    Raises
    ------
    InvalidInputError
        For fewer than two subsystems, a missing value, or one outside [0, 1]; for weights below zero.
    UnknownNameError
        For weights of a subsystem that is not there, or an unknown form.

    References
    ----------
    Liao, C. (1999). 环境与经济协调发展的定量评判及其分类体系. 热带地理 19(2), 171-177.
    Wang, S., Kong, W., Ren, L., Zhi, D. and Dai, B. (2021). 国内耦合协调度模型的误区及修正. 自然资源学报 36(3),
    793-810.

    Examples
    --------
    >>> import pandas as pd
    >>> U = pd.DataFrame({"digital": [0.4, 0.9], "real": [0.4, 0.1]}, index=["a", "b"])
    >>> coupling_coordination(U).table[["coupling", "development", "coordination"]].round(3).values.tolist()
    [[1.0, 0.4, 0.632], [0.6, 0.5, 0.548]]
    """
    check_choice("form", form, FORMS)
    values, names = _check_subsystems(subsystems).to_numpy(), subsystems.columns
    weight = check_weights(dict.fromkeys(names, 1.0) if weights is None else weights, names, "subsystem", others=False)
    coupling = np.minimum(_coupling(values, form), 1.0)
    development = values @ weight.to_numpy()
    degree = np.where(values.max(axis=1) > 0, np.sqrt(coupling * development), 0.0)
    # Rounded: 0.3 from a product may come out as 0.29999999999999999.
    grade = np.minimum(np.floor(np.round(10 * degree, 9)).astype(int), 9)
    lagging = np.array(names, dtype=object)[values.argmin(axis=1)]
    lagging[is_constant(values, axis=1)] = None
    table = pd.DataFrame(
        {
            "coupling": coupling,
            "development": development,
            "coordination": degree,
            "grade": grade + 1,
            "grade_en": [COORDINATION_GRADES[g][0] for g in grade],
            "grade_zh": [COORDINATION_GRADES[g][1] for g in grade],
            "lagging": lagging,
        },
        index=subsystems.index,
    )
    return Coordination(table, weight, form)

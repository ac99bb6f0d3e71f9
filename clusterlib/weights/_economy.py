"""Weights by economic distance (经济距离), and weights made of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_balanced, check_choice, check_finite
from clusterlib.errors import InvalidInputError
from clusterlib.weights._base import TRANSFORMATIONS, make_graph

if TYPE_CHECKING:
    from libpysal.graph import Graph
    from scipy.sparse import csr_array

STANDARDISATIONS = ("whole", "each")


class WithinAcross(NamedTuple):
    """Weights between units of one jurisdiction, and between units of different ones."""

    within: Graph
    across: Graph


def _mean_by_unit(values: pd.Series) -> pd.Series:
    if isinstance(values, pd.DataFrame) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    if not isinstance(values, pd.Series) or not pd.api.types.is_numeric_dtype(values):
        raise InvalidInputError("expected one Series of numbers by unit, or by unit and time")
    check_finite(values.to_frame(str(values.name)), "leave out the unit or the period")
    if values.index.has_duplicates:
        raise InvalidInputError(f"{values.index[values.index.duplicated()][0]} has more than one value")
    if values.index.nlevels == 2:
        # Means over different years would differ by the years as well.
        check_balanced(values.to_frame().sort_index())
        values = values.groupby(level=0, sort=False).mean()
    return values.astype(float)


def economic_distance(values: pd.Series, power: float = 1, *, transformation: str = "r") -> Graph:
    r"""Economic-distance weights (经济距离权重矩阵): the inverse gap of the units' means over the period.

    .. math:: w_{ij} = |\bar v_i - \bar v_j|^{-\alpha} \text{ for } j \ne i

    Two units with the same mean take the smallest gap of any two that differ, so that no weight is infinite.
    Row-standardised weights do not depend on the unit of ``values``.

    Parameters
    ----------
    values : Series
        Such as GDP per head, by adcode, or by (adcode, year) with the same years for every unit. Taken from before the
        period under study, they are not themselves changed by the outcome.
    power : float
        :math:`\alpha`, positive.
    transformation : {"r", "b", "o"}
        Row-standardised, ones, or as they are.

    Returns
    -------
    Graph
        Keyed by adcode, in the order in which units first appear. Symmetric before standardisation.

    Raises
    ------
    InvalidInputError
        For missing values, units with different years, a power that is not positive, or values that are all the same.
    UnknownNameError
        For an unknown transformation.

    References
    ----------
    Case, A. C., Rosen, H. S. and Hines, J. R. (1993). Budget spillovers and fiscal policy interdependence. Journal of
    Public Economics 52, 285-307.

    Examples
    --------
    >>> import pandas as pd
    >>> economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}))["a"].to_dict()
    {'b': 0.8, 'c': 0.2}
    """
    from scipy.sparse import csr_array

    check_choice("transformation", transformation, TRANSFORMATIONS)
    if not power > 0:
        raise InvalidInputError(f"power={power!r}: expected a positive number")
    mean = _mean_by_unit(values)
    gap = np.abs(np.subtract.outer(mean.to_numpy(), mean.to_numpy()))
    if len(mean) < 2 or not (gap > 0).any():
        raise InvalidInputError("the same value in every unit: there is no economic distance")
    gap = np.maximum(gap, gap[gap > 0].min())
    np.fill_diagonal(gap, np.inf)
    return make_graph(csr_array(gap**-power), mean.index, transformation)


def _aligned(graph: Graph, ids: pd.Index, what: str) -> csr_array:
    """Return the matrix of ``graph`` in the order of ``ids``."""
    own = pd.Index(graph.unique_ids)
    differing = own.symmetric_difference(ids)
    if len(differing):
        raise InvalidInputError(f"{what} holds other units, such as {differing[0]}: choose the same units for both")
    position = own.get_indexer(ids)
    return graph.sparse.tocsr()[position][:, position]


def nested(geography: Graph, economy: Graph, *, transformation: str = "r") -> Graph:
    r"""Nested weights (经济地理嵌套权重矩阵): the product of two weights, element by element.

    .. math:: w_{ij} = w^{geo}_{ij} \, w^{eco}_{ij}

    After row-standardising it makes no difference whether the two were row-standardised before.

    Parameters
    ----------
    geography, economy : Graph
        Of the same units, in any order.
    transformation : {"r", "b", "o"}
        Row-standardised, ones, or the product as it is.

    Returns
    -------
    Graph
        Keyed and ordered as ``geography``.

    Raises
    ------
    InvalidInputError
        If the units differ, or a unit has neighbours in each but none in common.
    UnknownNameError
        For an unknown transformation.

    Examples
    --------
    >>> import pandas as pd
    >>> economy = economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}), transformation="o")
    >>> nested(economy, economy)["a"].round(4).to_dict()
    {'b': 0.9412, 'c': 0.0588}
    """
    check_choice("transformation", transformation, TRANSFORMATIONS)
    ids = pd.Index(geography.unique_ids)
    product = make_graph(geography.sparse.multiply(_aligned(economy, ids, "economy")).tocsr(), ids, "o")
    alone = product.isolates.difference(geography.isolates.union(economy.isolates))
    if len(alone):
        raise InvalidInputError(f"no neighbour in both geography and economy: {', '.join(map(str, alone))}")
    return product if transformation == "o" else product.transform(transformation)


def within_and_across(graph: Graph, groups: pd.Series, standardise: str = "whole") -> WithinAcross:
    r"""Split weights into those within a jurisdiction and those across its border (辖区内与跨辖区权重).

    .. math:: w^{in}_{ij} = \frac{w_{ij} [g_i = g_j]}{s_i}, \quad w^{out}_{ij} = \frac{w_{ij} [g_i \ne g_j]}{s_i}

    With ``"whole"``, :math:`s_i = \sum_j w_{ij}` in both: the two add up to the row-standardised whole, so that their
    coefficients compare the effect of a neighbour here and there. With ``"each"`` either is divided by its own row sum:
    the coefficients then belong to the mean neighbour within and the mean neighbour across.

    Parameters
    ----------
    graph : Graph
    groups : Series
        Jurisdiction of each unit, such as its province, by the graph's keys; further units may be there.
    standardise : {"whole", "each"}

    Returns
    -------
    WithinAcross
        Two graphs over all the units, ``within`` and ``across``. A unit without neighbours of one kind has a row of
        zeros there.

    Raises
    ------
    InvalidInputError
        If a unit has no jurisdiction.
    UnknownNameError
        For another way to standardise.

    Examples
    --------
    >>> import pandas as pd
    >>> graph = economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 5.0}))
    >>> parts = within_and_across(graph, pd.Series({"a": 1, "b": 1, "c": 2}))
    >>> parts.within["a"].to_dict(), parts.across["a"].to_dict()
    ({'b': 0.8}, {'c': 0.2})
    """
    check_choice("standardisation", standardise, STANDARDISATIONS)
    ids = pd.Index(graph.unique_ids)
    group = groups.reindex(ids) if isinstance(groups, pd.Series) else pd.Series(groups).reindex(ids)
    if group.isna().any():
        raise InvalidInputError(f"no jurisdiction for {', '.join(map(str, ids[group.isna()]))}")
    matrix = graph.transform("r").sparse.tocoo()
    code = group.factorize()[0]
    same = code[matrix.row] == code[matrix.col]
    parts = []
    for kept in (same, ~same):
        part = matrix.copy()
        part.data = np.where(kept, part.data, 0.0)
        parts.append(make_graph(part.tocsr(), ids, "o" if standardise == "whole" else "r"))
    return WithinAcross(*parts)

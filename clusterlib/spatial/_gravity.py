"""Networks of ties that a gravity model implies (引力模型空间关联网络)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_columns, check_finite
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._alignment import listed

METHODS = ("modified", "basic")
THRESHOLDS = ("row-mean", "top-share", "none")


@dataclass(frozen=True)
class GravityNetwork:
    """Strengths of ties between units, and the ties that count as links.

    Attributes
    ----------
    strength : DataFrame, shape (units, units)
        Row: from, column: to; zero on the diagonal.
    links : DataFrame of bool, shape (units, units)
        Whether the strength is above the threshold.
    density : float
        Links over the ``n (n - 1)`` possible.
    reciprocity : float
        Share of links whose opposite is a link too; nil without links.
    mass : tuple of str
    method, threshold : str
    exponent : float
    top_share : float
    economic : str or None
    n : int
    """

    strength: pd.DataFrame
    links: pd.DataFrame
    density: float
    reciprocity: float
    mass: tuple[str, ...]
    method: str
    threshold: str
    exponent: float
    top_share: float
    economic: str | None
    n: int

    def edges(self) -> pd.DataFrame:
        """Return the links, the strongest first: ``origin``, ``destination`` and ``strength``."""
        row, column = np.nonzero(self.links.to_numpy())
        units = self.strength.index
        strength = self.strength.to_numpy()[row, column]
        edges = pd.DataFrame({"origin": units[row], "destination": units[column], "strength": strength})
        return edges.sort_values("strength", ascending=False, ignore_index=True)

    def centralities(self) -> pd.DataFrame:
        r"""Return each unit's place in the network (中心性), by networkx.

        ``out_degree`` and ``in_degree`` (links over n - 1), ``degree`` (both over 2 (n - 1)), ``closeness`` (of links
        that arrive, Wasserman and Faust's form for networks in parts) and ``betweenness`` (of directed shortest paths,
        normalised) are those of the links; ``eigenvector`` is that of the strengths that arrive, scaled to length one.
        """
        import networkx as nx

        graph = nx.from_numpy_array(self.links.to_numpy().astype(int), create_using=nx.DiGraph)
        out, into = nx.out_degree_centrality(graph), nx.in_degree_centrality(graph)
        table = pd.DataFrame(
            {
                "out_degree": out,
                "in_degree": into,
                "degree": {unit: (out[unit] + into[unit]) / 2 for unit in graph},
                "closeness": nx.closeness_centrality(graph),
                "betweenness": nx.betweenness_centrality(graph),
            }
        ).sort_index()
        # networkx starts its iterations at random, so that the last digits would differ from run to run.
        values, vectors = np.linalg.eig(self.strength.to_numpy().T)
        leading = vectors[:, values.real.argmax()].real
        table["eigenvector"] = np.sign(leading.sum()) * leading / np.linalg.norm(leading)
        return table.set_axis(self.strength.index)

    def external(self, members: Iterable) -> pd.DataFrame:
        r"""Return how far a region's ties lead outside (对外联系比重).

        Parameters
        ----------
        members : iterable
            Units of the region.

        Returns
        -------
        DataFrame
            Rows ``strength`` and ``links``: sums ``within`` the region, ``outward`` and ``inward``, the
            ``external_share`` (percent) of outward and inward in all three, and Krackhardt and Stern's (1988)
            ``ei_index``, external less internal over their sum, from -1 to 1.

        Raises
        ------
        UnknownNameError
            If a member is not in the network.
        InvalidInputError
            If the members are none, or all units.
        """
        members = list(members)
        units = self.strength.index
        for unit in members:
            if unit not in units:
                raise UnknownNameError("unit of the network", unit, units)
        inside = units.isin(members)
        if inside.all() or not inside.any():
            raise InvalidInputError("expected some of the network's units, not all and not none")
        rows = {}
        for name, frame in (("strength", self.strength), ("links", self.links)):
            values = frame.to_numpy(float)
            within = values[np.ix_(inside, inside)].sum()
            outward, inward = values[np.ix_(inside, ~inside)].sum(), values[np.ix_(~inside, inside)].sum()
            external, whole = outward + inward, within + outward + inward
            share, index = (100 * external / whole, (external - within) / whole) if whole else (np.nan, np.nan)
            rows[name] = [within, outward, inward, share, index]
        return pd.DataFrame(rows, index=["within", "outward", "inward", "external_share", "ei_index"]).T

    def summary(self) -> pd.DataFrame:
        """Return numbers of units and links, density and reciprocity."""
        values = [self.n, int(self.links.to_numpy().sum()), self.density, self.reciprocity]
        return pd.DataFrame({"value": values}, index=["units", "links", "density", "reciprocity"], dtype=object)


def _checked(data: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    check_columns(data, names)
    if data.index.nlevels > 1:
        raise InvalidInputError("expected one row a unit: choose a year first, as in data.xs(2020, level='year')")
    if data.index.has_duplicates:
        raise InvalidInputError(f"{data.index[data.index.duplicated()][0]} has more than one row")
    frame = data[names].astype(float)
    check_finite(frame, "leave out the unit")
    for name in names:
        if (frame[name] <= 0).any():
            raise InvalidInputError(f"{name!r} of {frame.index[frame[name] <= 0][0]} is not positive")
    if len(frame) < 3:
        raise InvalidInputError(f"{len(frame)} unit(s): a network needs three")
    return frame


def _distances(distance: pd.DataFrame, units: pd.Index) -> np.ndarray:
    if not isinstance(distance, pd.DataFrame):
        raise InvalidInputError("distance: expected a DataFrame by unit and unit, as of great_circle_distances")
    lacking = units.difference(distance.index.intersection(distance.columns))
    if len(lacking):
        raise InvalidInputError(f"no distance for {len(lacking)} unit(s): {listed(lacking)}")
    values = distance.loc[units, units].to_numpy(float, copy=True)
    np.fill_diagonal(values, np.inf)
    bad = np.argwhere(~(values > 0))
    if len(bad):
        raise InvalidInputError(f"the distance from {units[bad[0][0]]} to {units[bad[0][1]]} is not positive")
    return values


def _linked(strength: np.ndarray, threshold: str, top_share: float) -> np.ndarray:
    n = len(strength)
    if threshold == "row-mean":
        return strength > strength.sum(axis=1, keepdims=True) / (n - 1)
    if threshold == "none":
        return strength > 0
    pairs = np.sort(strength[~np.eye(n, dtype=bool)])[::-1]
    return (strength >= pairs[max(1, round(top_share * len(pairs))) - 1]) & (strength > 0)


def gravity_network(
    data: pd.DataFrame,
    distance: pd.DataFrame,
    mass: str | Iterable[str],
    *,
    method: str = "modified",
    economic: str | None = None,
    exponent: float = 2.0,
    threshold: str = "row-mean",
    top_share: float = 0.1,
) -> GravityNetwork:
    r"""Network of the ties between units that a gravity model implies (修正引力模型空间关联网络).

    .. math:: R_{ij} = k_{ij} \frac{M_i M_j}{D_{ij}^b}, \quad M_i = \Bigl(\prod_{q=1}^Q m_{iq}\Bigr)^{1/Q}

    with :math:`k_{ij} = 1` in the basic model, which makes ties symmetric, and
    :math:`k_{ij} = m_{i1} / (m_{i1} + m_{j1})`, the origin's share of the two in the first mass, in the modified one.
    The distance is geographic, :math:`D_{ij} = d_{ij}`, or with ``economic`` :math:`D_{ij} = d_{ij} / |g_i - g_j|`,
    which draws unequal units together: two units with the same :math:`g` then have no tie, however near. These are
    strengths that a model implies from size and distance, not flows that anyone measured.

    Parameters
    ----------
    data : DataFrame
        One row a unit, positive values.
    distance : DataFrame
        Kilometres between units, as of :func:`clusterlib.weights.great_circle_distances`; may hold more units.
    mass : str or iterable of str
        Columns whose geometric mean is a unit's mass, such as GDP and software revenue; the first is the one in
        :math:`k_{ij}`.
    method : {"modified", "basic"}
    economic : str, optional
        Column :math:`g` of the economic distance, usually GDP per head.
    exponent : float
        :math:`b`.
    threshold : {"row-mean", "top-share", "none"}
        What makes a link: a strength above the mean of the origin's n - 1 strengths, as is usual in Chinese work on
        such networks; one of the ``top_share`` strongest of all pairs; or any above zero.
    top_share : float
        Between 0 and 1; ties at its bound are all in.

    Returns
    -------
    GravityNetwork

    Raises
    ------
    InvalidInputError
        For values that are missing or not positive, or units without a distance.
    UnknownNameError
        For an unknown column, method or threshold.

    References
    ----------
    Reilly, W. J. (1931). The Law of Retail Gravitation. The modified model, with masses of three columns and economic
    distance, follows Chinese studies of spatial association networks, such as those of Liu Huajun and co-authors
    (刘华军等, 2015) on energy consumption; they take :math:`b = 2` and the threshold by row means.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"gdp": [4.0, 1.0, 1.0]}, index=list("abc"))
    >>> distance = pd.DataFrame([[0, 1, 2], [1, 0, 1], [2, 1, 0]], index=list("abc"), columns=list("abc"))
    >>> network = gravity_network(data, distance, "gdp")
    >>> network.strength.round(2).loc["a"].tolist(), round(network.density, 3)
    ([0.0, 3.2, 0.8], 0.5)
    """
    for kind, name, valid in (("method", method, METHODS), ("threshold", threshold, THRESHOLDS)):
        if name not in valid:
            raise UnknownNameError(kind, name, valid)
    if not 0 < top_share < 1 or not exponent > 0:
        raise InvalidInputError("expected top_share between 0 and 1 and a positive exponent")
    mass = as_names(mass)
    if not mass:
        raise InvalidInputError("mass: expected at least one column")
    frame = _checked(data, [*mass, *([economic] if economic and economic not in mass else [])])
    away = _distances(distance, frame.index)
    size = np.exp(np.log(frame[mass]).mean(axis=1)).to_numpy()
    first = frame[mass[0]].to_numpy()
    share = first[:, None] / np.add.outer(first, first) if method == "modified" else 1.0
    gap = np.abs(np.subtract.outer(frame[economic].to_numpy(), frame[economic].to_numpy())) if economic else 1.0
    strength = share * np.outer(size, size) * (gap / away) ** exponent
    links = _linked(strength, threshold, top_share)
    count = int(links.sum())
    units = frame.index
    return GravityNetwork(
        pd.DataFrame(strength, units, units),
        pd.DataFrame(links, units, units),
        count / (len(units) * (len(units) - 1)),
        float((links & links.T).sum() / count) if count else 0.0,
        tuple(mass),
        method,
        threshold,
        exponent,
        top_share,
        economic,
        len(units),
    )

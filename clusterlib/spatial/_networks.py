"""Networks between units (空间关联网络): ties that a gravity model implies, regressions tested by permuting units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    ROUNDING,
    as_names,
    check_bounds,
    check_choice,
    check_columns,
    check_number,
    check_units,
    check_values,
    is_constant,
    listed,
    snap,
)
from clusterlib.core.resampling import check_permutations, coarse_note, generator, permutation_p
from clusterlib.core.results import Result
from clusterlib.core.within import NOTHING_LEFT, least_squares
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._randomisation import resolution_notes

MODELS = ("modified", "basic")
THRESHOLDS = ("row-mean", "top-share", "none")
PERMUTED = ("double-semi-partialing", "y-permutation")
# Cells of permuted networks held at a time.
_BLOCK = 800_000


def _square(frame: Any, units: pd.Index | None, name: str) -> np.ndarray:
    """Return the values between units as an array in their order, of a frame that may hold more of them."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"{name}: expected a DataFrame by unit and unit, got a {type(frame).__name__}")
    units = frame.index if units is None else units
    for axis in (frame.index, frame.columns):
        check_units(axis, f"row or column in {name}")
        lacking = units.difference(axis, sort=False)
        if len(lacking):
            raise InvalidInputError(f"{name}: no row or no column for {len(lacking)} unit(s): {listed(lacking)}")
    if np.iscomplexobj(frame):
        raise InvalidInputError(f"{name}: holds complex numbers")
    try:
        return np.array(frame.loc[units, units].to_numpy(dtype=float, na_value=np.nan))
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name}: holds something that is no number") from None


@dataclass(frozen=True, eq=False)
class GravityNetwork(Result):
    """Network of the ties that a gravity model implies (引力模型空间关联网络).

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
    table : DataFrame
        Numbers of units and links, density and reciprocity.
    """

    strength: pd.DataFrame
    links: pd.DataFrame
    density: float = field(repr=False)
    reciprocity: float = field(repr=False)
    mass: tuple[str, ...]
    method: str
    threshold: str
    exponent: float
    top_share: float
    economic: str | None
    n: int = field(repr=False)

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
        leading = np.real(vectors[:, np.real(values).argmax()])
        table["eigenvector"] = np.sign(leading.sum()) * leading / np.linalg.norm(leading)
        return table.set_axis(self.strength.index)

    def external(self, members: Iterable[Any]) -> pd.DataFrame:
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
        members = as_names(members, "members")
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

    @property
    def table(self) -> pd.DataFrame:
        """Numbers of units and links, density and reciprocity."""
        values = [self.n, int(self.links.to_numpy().sum()), self.density, self.reciprocity]
        return pd.DataFrame({"value": values}, index=["units", "links", "density", "reciprocity"], dtype=object)


def _distances(distance: pd.DataFrame, units: pd.Index) -> np.ndarray:
    values = _square(distance, units, "distance")
    np.fill_diagonal(values, np.inf)
    bad = np.argwhere(~(values > 0))
    if len(bad):
        raise InvalidInputError(f"the distance from {units[bad[0][0]]} to {units[bad[0][1]]} is not positive")
    return values


def _linked(strength: np.ndarray, threshold: str, top_share: float) -> np.ndarray:
    """Return which strengths are links; one that is at the bound but for rounding is at it."""
    n = len(strength)
    if threshold == "row-mean":
        return strength > strength.sum(axis=1, keepdims=True) / (n - 1) * (1 + ROUNDING)
    if threshold == "none":
        return strength > 0
    pairs = np.sort(strength[~np.eye(n, dtype=bool)])[::-1]
    bound = pairs[max(1, round(top_share * len(pairs))) - 1]
    return (strength >= bound * (1 - ROUNDING)) & (strength > 0)


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
    check_choice("method", method, MODELS)
    check_choice("threshold", threshold, THRESHOLDS)
    top_share = check_number("top_share", top_share, least=0, most=1, open_ends=True)
    exponent = check_number("exponent", exponent, least=0, open_ends=True)
    mass = as_names(mass, "mass")
    if not mass:
        raise InvalidInputError("mass: expected at least one column")
    own = [] if economic is None else check_columns(data, [economic])
    names = check_columns(data, [*mass, *(name for name in own if name not in mass)])
    frame = pd.DataFrame({name: check_values(data[name], least=3, varying=None) for name in names})
    units = frame.index
    check_bounds(frame, "a mass, or what makes an economic distance, is above zero", open_ends=True)
    away = _distances(distance, units)
    size = np.exp(np.log(frame[mass]).mean(axis=1)).to_numpy()
    first = frame[mass[0]].to_numpy()
    share = first[:, None] / np.add.outer(first, first) if method == "modified" else 1.0
    wealth = None if economic is None else snap(frame[economic].to_numpy())
    gap = 1.0 if wealth is None else np.abs(np.subtract.outer(wealth, wealth))
    strength = share * np.outer(size, size) * (gap / away) ** exponent
    if not np.isfinite(strength).all() or ((strength == 0) & (gap > 0) & np.isfinite(away)).any():
        raise InvalidInputError(
            f"exponent={exponent:g}: strengths are too large or too small to be numbers; use a smaller one"
        )
    links = _linked(strength, threshold, top_share)
    count = int(links.sum())
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


@dataclass(frozen=True, eq=False)
class QapRegression(Result):
    """Regression between networks with permutation p values (二次指派程序回归, MRQAP).

    Attributes
    ----------
    table : DataFrame
        By network: ``estimate``, ``standardised`` (in standard deviations over pairs), least squares' ``t``, which
        serves as the test statistic, and ``p_value`` (two-sided), ``p_greater`` and ``p_less`` by permutation.
    constant, r_squared : float
    n, pairs : int
        Units, and ordered pairs of different ones.
    method : str
    permutations, seed : int
    notes : tuple of str
        What keeps the p values coarse.
    """

    table: pd.DataFrame
    constant: float
    r_squared: float
    n: int
    pairs: int
    method: str
    permutations: int
    seed: int
    notes: tuple[str, ...] = field(default=(), repr=False)


def _network(frame: pd.DataFrame, units: pd.Index | None, name: str) -> np.ndarray:
    """Return a network as an array with a diagonal of zeros, in the order of ``units``."""
    values = _square(frame, units, name)
    units = frame.index if units is None else units
    if len(surplus := frame.index.union(frame.columns, sort=False).difference(units, sort=False)):
        raise InvalidInputError(f"{name}: the outcome has no {listed(surplus)}; choose the same units for all networks")
    np.fill_diagonal(values, 0)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InvalidInputError(f"{name}: no value from {units[bad[0][0]]} to {units[bad[0][1]]}")
    if len(units) > 1 and is_constant(values[~np.eye(len(units), dtype=bool)]):
        raise InvalidInputError(f"{name}: the same value for every pair")
    return values


def _basis(columns: np.ndarray) -> np.ndarray:
    return np.linalg.qr(columns)[0]


def _permuted_products(networks: list[np.ndarray], bases: list[np.ndarray], orders: np.ndarray) -> list[np.ndarray]:
    """Products of flat networks, units in each of the orders, with the columns of their bases; a row an order."""
    n = orders.shape[1]
    rows = max(1, _BLOCK // n**2)
    products = [[] for _ in networks]
    for start in range(0, len(orders), rows):
        order = orders[start : start + rows]
        cells = (n * order[:, :, None] + order[:, None, :]).reshape(len(order), n * n)
        for found, network, basis in zip(products, networks, bases, strict=True):
            found.append(network.take(cells) @ basis)
    return [np.concatenate(found) for found in products]


def _t(product: np.ndarray, square: np.ndarray, error: np.ndarray, df: int) -> np.ndarray:
    """Return t of a regressor, orthogonal to the others, from its products with the outcome and with itself."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return product / np.sqrt(square * np.maximum(error, 0.0) / df)


def _semi_partial(y: np.ndarray, X: np.ndarray, orders: np.ndarray, df: int) -> np.ndarray:
    """Return t of every regressor but the constant, a column each, for permutations of what the others leave of it."""
    lefts, outcomes, bases = [], [], []
    for j in range(1, X.shape[1]):
        others = _basis(np.delete(X, j, axis=1))
        left, outcome = (column - others @ (others.T @ column) for column in (X[:, j], y))
        lefts.append(left)
        outcomes.append(outcome)
        bases.append(np.column_stack([others, outcome]))
    drawn = []
    for products, left, outcome in zip(_permuted_products(lefts, bases, orders), lefts, outcomes, strict=True):
        square = left @ left - np.square(products[:, :-1]).sum(axis=1)
        # Where the others make up the permuted network, it has no coefficient.
        square[square <= NOTHING_LEFT * (left @ left)] = np.nan
        drawn.append(_t(products[:, -1], square, outcome @ outcome - products[:, -1] ** 2 / square, df))
    return np.column_stack(drawn)


def _outcome_permuted(y: np.ndarray, X: np.ndarray, orders: np.ndarray, df: int) -> np.ndarray:
    """Return t of every regressor but the constant, a column each, for permutations of the outcome."""
    lefts = np.column_stack([_left(X, j) for j in range(1, X.shape[1])])
    (products,) = _permuted_products([y], [np.column_stack([lefts, _basis(X)])], orders)
    square, product = np.square(lefts).sum(axis=0), products[:, : lefts.shape[1]]
    error = y @ y - np.square(products[:, lefts.shape[1] :]).sum(axis=1, keepdims=True)
    return _t(product, square, error, df)


def _left(X: np.ndarray, j: int) -> np.ndarray:
    others = _basis(np.delete(X, j, axis=1))
    return X[:, j] - others @ (others.T @ X[:, j])


def qap_regression(
    y_matrix: pd.DataFrame,
    x_matrices: Mapping[str, pd.DataFrame],
    permutations: int = 999,
    seed: int = 0,
    method: str = "double-semi-partialing",
) -> QapRegression:
    r"""Regress a network on networks and test by permuting units (二次指派程序回归, MRQAP).

    .. math:: y_{ij} = \beta_0 + \sum_k \beta_k x_{k,ij} + \varepsilon_{ij}, \quad i \ne j

    by least squares over ordered pairs. Pairs that share a unit are not independent, so p values come from permuting
    units, rows and columns together. Double semi-partialing permutes, for each network in turn, what the others leave
    of it; y-permutation permutes the outcome, a test that no network matters. The statistic compared is t.

    Parameters
    ----------
    y_matrix : DataFrame, shape (units, units)
        Row: from, column: to; the diagonal is left out. An undirected network stands in it twice, which changes
        neither estimates nor p values, only ``t``.
    x_matrices : mapping of str to DataFrame, shape (units, units)
        Of the same units in any order.
    permutations, seed : int
    method : {"double-semi-partialing", "y-permutation"}

    Returns
    -------
    QapRegression

    Raises
    ------
    InvalidInputError
        For other units than the outcome's, a missing value, a network without variation or one that the others make up.
    UnknownNameError
        For an unknown method.

    References
    ----------
    Krackhardt, D. (1988). Predicting with networks. Social Networks 10, 359-381. Dekker, D., Krackhardt, D. and
    Snijders, T. A. B. (2007). Sensitivity of MRQAP tests to collinearity and autocorrelation conditions.
    Psychometrika 72, 563-581.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> units, random = list("abcdefgh"), np.random.default_rng(0)
    >>> near, noise = (pd.DataFrame(random.random((8, 8)), units, units) for _ in range(2))
    >>> qap = qap_regression(near + 0.1 * noise, {"near": near})
    >>> bool(qap.table.loc["near", "p_value"] < 0.01)
    True
    """
    check_choice("method", method, PERMUTED)
    permutations = check_permutations(permutations)
    if not isinstance(x_matrices, Mapping) or not x_matrices:
        raise InvalidInputError("x_matrices: expected at least one network by name, as in {'near': near}")
    y = _network(y_matrix, None, "outcome")
    n, units = len(y), y_matrix.index
    networks = [_network(frame, units, str(name)) for name, frame in x_matrices.items()]
    pairs, df = n * (n - 1), n * (n - 1) - len(networks) - 1
    if n < 4 or df < 1:
        raise InvalidInputError(f"{n} units are too few for {len(networks)} network(s)")
    # On the diagonal all columns are nil, the constant too: sums over all cells are sums over pairs.
    X = np.column_stack([(1.0 - np.eye(n)).ravel(), *(network.ravel() for network in networks)])
    y_size, X_size = np.abs(y).max(), np.abs(X).max(axis=0)
    y, X = y.ravel() / y_size, X / X_size
    fit = least_squares(y, X, ["constant", *map(str, x_matrices)])
    spread = np.array([np.square(column).sum() - column.sum() ** 2 / pairs for column in (y, *X.T[1:])])
    error = float(fit.residuals @ fit.residuals)
    if error <= NOTHING_LEFT**2 * spread[0]:
        raise InvalidInputError("the networks make up the outcome exactly: there is no error to test them against")
    t = fit.params[1:] / np.sqrt(np.diag(fit.inverse)[1:] * error / df)
    orders = generator(seed).permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    drawn = (_outcome_permuted if method == "y-permutation" else _semi_partial)(y, X, orders, df)
    standardised = fit.params[1:] * np.sqrt(spread[1:] / spread[0])
    table = pd.DataFrame(
        {"estimate": (fit.params * y_size / X_size)[1:], "standardised": standardised, "t": t}
        | _p_values(drawn, t, permutations),
        index=pd.Index(list(x_matrices), name="network"),
    )
    few = coarse_note(float(math.factorial(min(n, 20))), f"{n} units")
    return QapRegression(
        table,
        float(fit.params[0] * y_size),
        float(1 - error / spread[0]),
        n,
        pairs,
        method,
        permutations,
        seed,
        (*resolution_notes(1 / (1 + permutations), permutations), *([few] if few else [])),
    )


def _p_values(drawn: np.ndarray, t: np.ndarray, permutations: int) -> dict[str, np.ndarray]:
    """Return p values; two-sided by the size of t, since what is permuted need not be symmetric about nil.

    A draw without a t counts as exceeding.
    """
    slack = 1e-9 * np.maximum(1, np.abs(t))
    larger = (~(np.abs(drawn) < np.abs(t) - slack)).sum(axis=0)
    at_least, at_most = (~(drawn < t - slack)).sum(axis=0), (~(drawn > t + slack)).sum(axis=0)
    return {
        "p_value": (1 + larger) / (1 + permutations),
        "p_greater": permutation_p(at_least, at_most, permutations, "greater"),
        "p_less": permutation_p(at_least, at_most, permutations, "less"),
    }

"""Regression between networks, tested by permuting units (QAP 回归)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial._alignment import listed
from clusterlib.spatial._randomise import check_settings, permutation_p

METHODS = ("double-semi-partialing", "y-permutation")
# Cells of permuted networks held at a time.
_BLOCK = 800_000


@dataclass(frozen=True)
class QapRegression:
    """Coefficients of a regression between networks with permutation p values.

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
    """

    table: pd.DataFrame
    constant: float
    r_squared: float
    n: int
    pairs: int
    method: str
    permutations: int
    seed: int

    def summary(self) -> pd.DataFrame:
        """Return the table by network."""
        return self.table


def _network(frame: pd.DataFrame, units: pd.Index | None, name: str) -> np.ndarray:
    """Return a network as an array with a diagonal of zeros, in the order of ``units``."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"{name}: expected a DataFrame by unit and unit, got a {type(frame).__name__}")
    units = frame.index if units is None else units
    for axis in (frame.index, frame.columns):
        if axis.has_duplicates:
            raise InvalidInputError(f"{name}: {axis[axis.duplicated()][0]} stands there twice")
        differing = units.symmetric_difference(axis)
        if len(differing):
            raise InvalidInputError(
                f"{name}: rows and columns must be the same units as the outcome's; see {listed(differing)}"
            )
    values = frame.loc[units, units].to_numpy(float, copy=True)
    np.fill_diagonal(values, 0)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InvalidInputError(f"{name}: no value from {units[bad[0][0]]} to {units[bad[0][1]]}")
    pairs = values[~np.eye(len(units), dtype=bool)]
    if np.ptp(pairs) == 0:
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


def _t(product: np.ndarray, square: np.ndarray, outcome: np.ndarray, df: int) -> np.ndarray:
    """Return t of a regressor, orthogonal to the others, from its products with the outcome and with itself."""
    return product / np.sqrt(square * (outcome - product**2 / square) / df)


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
        drawn.append(_t(products[:, -1], square, outcome @ outcome, df))
    return np.column_stack(drawn)


def _outcome_permuted(y: np.ndarray, X: np.ndarray, orders: np.ndarray, df: int) -> np.ndarray:
    """Return t of every regressor but the constant, a column each, for permutations of the outcome."""
    lefts = np.column_stack([_left(X, j) for j in range(1, X.shape[1])])
    (products,) = _permuted_products([y], [np.column_stack([lefts, _basis(X)])], orders)
    square, product = np.square(lefts).sum(axis=0), products[:, : lefts.shape[1]]
    error = y @ y - np.square(products[:, lefts.shape[1] :]).sum(axis=1, keepdims=True)
    return product / np.sqrt(square * error / df)


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
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    check_settings(permutations, "two-sided")
    if not x_matrices:
        raise InvalidInputError("x_matrices: expected at least one network")
    y = _network(y_matrix, None, "outcome")
    n, units = len(y), y_matrix.index
    networks = [_network(frame, units, str(name)) for name, frame in x_matrices.items()]
    pairs, df = n * (n - 1), n * (n - 1) - len(networks) - 1
    if n < 4 or df < 1:
        raise InvalidInputError(f"{n} units are too few for {len(networks)} network(s)")
    # On the diagonal all columns are nil, the constant too: sums over all cells are sums over pairs.
    X = np.column_stack([(1.0 - np.eye(n)).ravel(), *(network.ravel() for network in networks)])
    y = y.ravel()
    scaled = X / np.sqrt(np.square(X).sum(axis=0))
    if np.linalg.matrix_rank(scaled, tol=1e-9) < X.shape[1]:
        raise InvalidInputError(f"of {', '.join(map(str, x_matrices))} one is made up by the others: leave it out")
    beta = np.linalg.lstsq(scaled, y, rcond=None)[0] / np.sqrt(np.square(X).sum(axis=0))
    error = float(np.square(y - X @ beta).sum())
    spread = [np.square(column).sum() - column.sum() ** 2 / pairs for column in (y, *X.T[1:])]
    t = np.array([beta[j] * np.sqrt(_left(X, j) @ _left(X, j) / (error / df)) for j in range(1, X.shape[1])])
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    drawn = (_outcome_permuted if method == "y-permutation" else _semi_partial)(y, X, orders, df)
    table = pd.DataFrame(
        {"estimate": beta[1:], "standardised": beta[1:] * np.sqrt(np.array(spread[1:]) / spread[0]), "t": t},
        index=pd.Index(list(x_matrices), name="network"),
    )
    return QapRegression(
        table.assign(**_p_values(drawn, t, permutations)), float(beta[0]), 1 - error / spread[0], n, pairs, method,
        permutations, seed,
    )  # fmt: skip


def _p_values(drawn: np.ndarray, t: np.ndarray, permutations: int) -> dict[str, np.ndarray]:
    """Return p values; two-sided by the size of t, since what is permuted need not be symmetric about nil."""
    slack = 1e-9 * np.maximum(1, np.abs(t))
    larger = (np.abs(drawn) >= np.abs(t) - slack).sum(axis=0)
    at_least, at_most = (drawn >= t - slack).sum(axis=0), (drawn <= t + slack).sum(axis=0)
    return {
        "p_value": (1 + larger) / (1 + permutations),
        "p_greater": permutation_p(at_least, at_most, permutations, "greater"),
        "p_less": permutation_p(at_least, at_most, permutations, "less"),
    }

"""A spatial lag within and another across borders (行政区内与跨行政区的空间滞后模型)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen
from clusterlib.core.results import Test
from clusterlib.core.within import demean
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import Design, make_design, spatial_lag
from clusterlib.spatial_panel._estimation import SpatialEstimates, fitted_fields
from clusterlib.spatial_panel._jacobians import DENSE_UNITS
from clusterlib.spatial_panel._likelihood import invert_information

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

MODEL = "sar with two weights"
NAMES = ("rho_within", "rho_across")
_STEPS = 100
_BATCH = 2_000_000


def _admissible(matrices: np.ndarray, rhos: np.ndarray) -> np.ndarray:
    r"""Whether :math:`|\rho_1| W_1 + |\rho_2| W_2` has a spectral radius below one, for rows of rhos.

    For a matrix A that is not negative this holds if and only if :math:`(I - A) z = 1` has a positive solution.
    """
    system = np.eye(matrices.shape[1]) - np.einsum("da,aij->dij", np.abs(rhos), matrices)
    ones = np.ones((*system.shape[:2], 1))
    try:
        return (np.linalg.solve(system, ones)[..., 0] > 0).all(axis=1)
    except np.linalg.LinAlgError:
        # One singular matrix spoils the batch; alone it is not admissible.
        return np.array([len(rhos) > 1 and _admissible(matrices, rho[None])[0] for rho in rhos])


def _batches(n: int, count: int) -> Iterator[slice]:
    """Yield slices over rows of rhos whose matrices fit in memory together."""
    size = max(1, _BATCH // n**2)
    for start in range(0, count, size):
        yield slice(start, start + size)


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoWeightsResult(SpatialEstimates):
    r"""Spatial lag model with two weights matrices (双权重空间滞后模型).

    Impacts are those of :math:`S = (I - \rho_1 W_1 - \rho_2 W_2)^{-1}`, which is computed anew for each draw, so that
    their time grows with the draws and the cube of the units.

    Attributes
    ----------
    params : Series
        By name: ``const`` (only with ``effects="none"``), the variables, ``rho_within`` and ``rho_across``.
    covariance : DataFrame
        Of the parameters and ``sigma2``.
    rho_within, rho_across : float
    nobs, n_parameters : int
        As of :class:`clusterlib.spatial_panel.SpatialPanelResult`.
    """

    SPATIAL: ClassVar[tuple[str, ...]] = NAMES

    rho_within: float
    rho_across: float
    _matrices: np.ndarray = field(repr=False)

    def equality_test(self) -> Test:
        r"""Wald test that the lag is as strong within as across borders (组内外溢出相等检验).

        .. math:: W = (\rho_1 - \rho_2)^2 / \operatorname{Var}(\hat\rho_1 - \hat\rho_2) \sim \chi^2_1
        """
        (within, shared), (_, across) = self.covariance.loc[list(NAMES), list(NAMES)].to_numpy()
        gap = self.rho_within - self.rho_across
        return Test.of("Wald", "rho_within = rho_across", gap**2 / (within + across - 2 * shared), "chi2", 1)

    @property
    def _drawn(self) -> list[str]:
        return [*self.x, *NAMES]

    def _admissible(self, drawn: np.ndarray) -> np.ndarray:
        n = self._matrices.shape[1]
        return np.concatenate([_admissible(self._matrices, drawn[part, -2:]) for part in _batches(n, len(drawn))])

    def _impacts_at(self, values: np.ndarray) -> np.ndarray:
        n = self._matrices.shape[1]
        means = []
        for part in _batches(n, len(values)):
            inverse = np.linalg.inv(np.eye(n) - np.einsum("da,aij->dij", values[part, -2:], self._matrices))
            means.append(np.stack([np.trace(inverse, axis1=1, axis2=2), inverse.sum(axis=(1, 2))], axis=-1) / n)
        return values[:, : len(self.x), None] * np.concatenate(means)[:, None, :]


class _Estimation:
    """Steps from a design to a result; dense, for up to 2,000 units."""

    def __init__(self, design: Design, pair: tuple[Weights, Weights]) -> None:
        self.design = design
        self.sparse = [weights.matrix for weights in pair]
        self.matrices = np.stack([matrix.toarray() for matrix in self.sparse])
        self.lags = [demean(spatial_lag(weights, design.y), design.effects) for weights in pair]
        responses = np.column_stack([design.response.ravel(), *(lag.ravel() for lag in self.lags)])
        self.offsets = design.basis.T @ responses
        left = responses - design.basis @ self.offsets
        self.products = left.T @ left

    def squares(self, rho: np.ndarray) -> float:
        """Sum of squared residuals once the coefficients are chosen."""
        weights = np.concatenate([[1.0], -rho])
        return float(weights @ self.products @ weights)

    def loglik(self, rho: np.ndarray) -> float:
        """Concentrated log-likelihood, minus infinity outside the admissible values."""
        if not _admissible(self.matrices, rho[None])[0]:
            return -np.inf
        n, periods = self.design.shape
        m = n * periods
        determinant = np.linalg.slogdet(np.eye(n) - np.tensordot(rho, self.matrices, 1))[1]
        return float(-m / 2 * (np.log(2 * np.pi * self.squares(rho) / m) + 1) + periods * determinant)

    def _lagged_inverses(self, rho: np.ndarray) -> np.ndarray:
        """Both :math:`G_a = W_a S`."""
        inverse = np.linalg.inv(np.eye(self.design.shape[0]) - np.tensordot(rho, self.matrices, 1))
        return np.stack([matrix @ inverse for matrix in self.sparse])

    def _slopes(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivatives of the concentrated log-likelihood."""
        n, periods = self.design.shape
        lagged = self._lagged_inverses(rho)
        weights = np.concatenate([[1.0], -rho])
        squares, half = self.squares(rho), n * periods / 2
        first = -2 * (self.products @ weights)[1:] / squares
        second = 2 * self.products[1:, 1:] / squares - np.outer(first, first)
        score = -half * first - periods * np.trace(lagged, axis1=1, axis2=2)
        curvature = -half * second - periods * np.einsum("aij,bji->ab", lagged, lagged)
        return score, curvature

    def maximise(self) -> np.ndarray:
        """Newton's method, with steps halved until the likelihood rises.

        Raises
        ------
        InvalidInputError
            If no maximum is found inside the admissible values.
        """
        rho, value = np.zeros(2), self.loglik(np.zeros(2))
        for _ in range(_STEPS):
            score, curvature = self._slopes(rho)
            eigenvalues, vectors = np.linalg.eigh(-curvature)
            # Where the likelihood is not concave, the step still climbs.
            step = vectors @ ((vectors.T @ score) / np.maximum(np.abs(eigenvalues), 1e-8))
            # Near the maximum the likelihood cannot tell steps apart any more, but Newton's can be trusted.
            while np.abs(step).max() > 1e-5 and self.loglik(rho + step) <= value:
                step = step / 2
            rho = rho + step
            value = self.loglik(rho)
            if np.abs(step).max() < 1e-11 and np.isfinite(value):
                return rho
        raise InvalidInputError(
            f"no maximum of the likelihood inside the admissible values, last at {NAMES[0]} = {rho[0]:.4f}, "
            f"{NAMES[1]} = {rho[1]:.4f}: look whether both weights connect enough units"
        )

    def covariance(self, rho: np.ndarray, error: np.ndarray, sigma2: float) -> np.ndarray:
        """Inverse information of the coefficients, both rhos and sigma2, given the residuals."""
        design = self.design
        n, periods = design.shape
        k = len(design.names)
        lagged = self._lagged_inverses(rho)
        # The mean of Wy is Wy less what the errors put into it; the fixed effects' part of it is in.
        means = [lag - demean(g @ error, design.effects) for lag, g in zip(self.lags, lagged, strict=True)]
        shifts = np.stack([mean.ravel() for mean in means], axis=1)
        information = np.zeros((k + 3, k + 3))
        information[:k, :k] = np.eye(k) / sigma2
        information[:k, k:-1] = design.basis.T @ shifts / sigma2
        information[k:-1, :k] = information[:k, k:-1].T
        traces = np.einsum("aij,bji->ab", lagged, lagged) + np.einsum("aij,bij->ab", lagged, lagged)
        information[k:-1, k:-1] = periods * traces + shifts.T @ shifts / sigma2
        information[k:-1, -1] = information[-1, k:-1] = periods * np.trace(lagged, axis1=1, axis2=2) / sigma2
        information[-1, -1] = n * periods / 2 / sigma2**2
        return invert_information(information, design.triangle)

    def result(self, like: pd.Index) -> TwoWeightsResult:
        design = self.design
        n, periods = design.shape
        rho = self.maximise()
        basis_coefficients = self.offsets @ np.concatenate([[1.0], -rho])
        mean = (design.basis @ basis_coefficients).reshape(design.shape)
        left = design.response - rho[0] * self.lags[0] - rho[1] * self.lags[1] - mean
        sigma2 = float((left**2).mean())
        params = np.concatenate([np.linalg.solve(design.triangle, basis_coefficients), rho])
        return TwoWeightsResult(
            **fitted_fields(design, params, NAMES, self.covariance(rho, left, sigma2), left, like, {"model": MODEL}),
            rho_within=float(rho[0]),
            rho_across=float(rho[1]),
            sigma2=sigma2,
            loglik=self.loglik(rho),
            loglik_linear=self.loglik(np.zeros(2)),
            nobs=n * periods,
            n_parameters=len(params) + 1 + design.absorbed,
            _matrices=self.matrices,
        )


def two_weights_sar(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w_within: WeightsLike,
    w_across: WeightsLike,
    effects: str = "none",
) -> TwoWeightsResult:
    r"""Spatial lag model with one rho within and another across borders (双权重空间滞后模型).

    .. math:: y_t = \rho_1 W_1 y_t + \rho_2 W_2 y_t + X_t \beta + \mu + \alpha_t 1 + e_t

    by maximum likelihood, with :math:`T \ln|I - \rho_1 W_1 - \rho_2 W_2|` and the effects taken out as dummy variables.

    Parameters
    ----------
    data, y, x, effects
        As :func:`clusterlib.spatial_panel.spatial_panel`; at most 2,000 units.
    w_within, w_across : Graph, W, DataFrame, array or sparse matrix
        Neighbours on the same side of a border, and beyond one, such as the two parts of row-standardised weights.
        Units without neighbours in one of them are islands there.

    Returns
    -------
    TwoWeightsResult

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.spatial_panel.spatial_panel`, and for weights that share pairs of neighbours or more than
        2,000 units.

    Notes
    -----
    The rhos are sought where :math:`|\rho_1| W_1 + |\rho_2| W_2` has a spectral radius below one: for the two parts of
    row-standardised weights where both are below one in modulus. Standard errors as of ``spatial_panel`` without bias
    correction: rows of the parts do not sum to one, so the transformation for time effects does not exist.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics, section 2.2. CRC Press. Lacombe, D. J.
    (2004). Does econometric methodology matter? Geographical Analysis 36, 105-118.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> same = np.equal.outer(np.arange(20) // 5, np.arange(20) // 5)
    >>> within, across = np.where(same, ring, 0), np.where(same, 0, ring)
    >>> x, e = random.normal(size=(2, 20, 40))
    >>> y = np.linalg.solve(np.eye(20) - 0.6 * within - 0.1 * across, x + 0.5 * e)
    >>> index = pd.MultiIndex.from_product([range(20), range(40)])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = two_weights_sar(panel, "y", "x", within, across, "twoway")
    >>> result.params[["rho_within", "rho_across"]].round(1).tolist(), result.equality_test().p_value < 0.001
    ([0.6, 0.1], True)
    """
    design = make_design(data, y, x, w_within, effects, weights_name="w_within", reserved=NAMES)
    if design.shape[0] > DENSE_UNITS:
        raise InvalidInputError(f"{design.shape[0]} units: two_weights_sar takes at most {DENSE_UNITS:,}")
    across = align_weights(w_across, design.weights.units, "w_across", given=first_seen(data.index))
    pair = (design.weights, across)
    shared = pair[0].matrix.multiply(pair[1].matrix).nnz
    if shared:
        raise InvalidInputError(f"{shared} pair(s) of neighbours are in both weights: each pair is within or across")
    return _Estimation(design, pair).result(data.index)

"""Governance imbalance (治理失衡): spillovers that stop at the border of a jurisdiction, shared shocks set apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen
from clusterlib.core.checks import as_names, check_balanced, check_flags, check_labels, check_panel
from clusterlib.core.results import Estimates, Test
from clusterlib.core.within import check_rank, check_variation, demean
from clusterlib.errors import InvalidInputError
from clusterlib.study.diagnosis.indicators import as_units

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike

_FEW_UNITS = 8
_FEW_PAIRS = 6
# One-sided at five percent: without a spillover within there is none that a border could stop.
NAMES = ("rho_within", "rho_across")
SHARE = "shock_share"
_BOUND = 0.995
_STARTS = ((0.0, 0.0, 0.3), (0.4, 0.1, 0.02))
_STEP = 1e-4
# Columns that LAPACK inverts at a time.
_BLOCK = 64
_NEWTON_STEPS = 50
_LONGEST, _NEAR = 0.2, 0.02
_SINGULAR = 1e10
_TOLERANCE = 1e-9


def border_spillovers(
    panel: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    jurisdiction: pd.Series,
    units: Iterable | None = None,
    *,
    shocks: bool = False,
) -> SharedShocksResult:
    r"""Spillovers between neighbours within a jurisdiction and across its border (边界效应).

    .. math:: y_{it} = \rho_1 \sum_j w^{in}_{ij} y_{jt} + \rho_2 \sum_j w^{out}_{ij} y_{jt} + x_{it}'\beta + \mu_i
              + \alpha_t + \theta_{p(i)t} + e_{it}

    What all units of a jurisdiction :math:`p` share in a period, :math:`\theta_{pt} \sim N(0, \sigma_\theta^2)`, such
    as its policy or a revision of its statistics, moves neighbours within it together and so passes for a spillover
    that stops at the border. ``shocks=True`` estimates its variance beside the rhos; without, it is taken to be nil.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); units without a row in some year are left out.
    y : str
    x : str or iterable of str
    w : Graph, W or DataFrame
        Neighbours of the panel's units, aligned by label; rows are standardised over the units that are taken.
    jurisdiction : Series
        Of each unit.
    units : iterable, optional
        Estimate from these units and their neighbours; by default from all.
    shocks : bool
        Whether units of a jurisdiction share shocks, independent between jurisdictions and periods.

    Returns
    -------
    clusterlib.diagnosis.SharedShocksResult

    Raises
    ------
    InvalidInputError
        If no estimate lies inside the admissible values, if fewer than eight units, or fewer than six pairs of
        neighbours within or across, are left, and for panels, weights and jurisdictions that do not fit together.
    UnknownNameError
        If a name is not a column.

    Notes
    -----
    The likelihood of deviations from the means of units over time (:math:`T - 1` periods are left), restricted for
    effects of periods and x. Effects of periods are not invariant under the lags within and across, so that with few
    units the derivatives by :math:`\rho_k` are not nil on average; what they lose,

    .. math:: (T - 1) \frac{1' \Omega^{-1} W_k S^{-1} 1}{1' \Omega^{-1} 1}, \quad S = I - \rho_1 W_1 - \rho_2 W_2,
              \quad \Omega = I + \tfrac{\sigma_\theta^2}{\sigma_e^2} D D'

    with :math:`D` the dummies of jurisdictions, and the like for x, is added and the estimate is where they are nil.
    Standard errors are from the derivatives of these scores; intervals are of t with :math:`(P - 1)(T - 1)` degrees of
    freedom, those of the shocks of P jurisdictions.

    References
    ----------
    Lee, L.-F. and Yu, J. (2010). Estimation of spatial autoregressive panel data models with fixed effects. Journal of
    Econometrics 154, 165-185, section 3.

    Yang, Z. (2018). Unified M-estimation of fixed-effects spatial dynamic models with short panels. Journal of
    Econometrics 205, 423-447, section 2: scores that are made unbiased.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from libpysal.graph import Graph
    >>> from scipy.sparse import csr_array
    >>> ring = sum(np.roll(np.eye(32), step, axis=1) for step in (-2, -1, 1, 2)) / 4
    >>> province = pd.Series(np.arange(32) // 8, index=range(32))
    >>> random = np.random.default_rng(0)
    >>> x, shared = random.normal(size=(32, 20)), random.normal(size=(4, 20))[province]
    >>> y = np.linalg.solve(np.eye(32) - 0.2 * ring, x + shared + random.normal(size=(32, 20)))
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, pd.MultiIndex.from_product([range(32), range(20)]))
    >>> graph = Graph.from_sparse(csr_array(ring), ids=range(32))
    >>> tests = [border_spillovers(panel, "y", ["x"], graph, province, shocks=s).equality_test() for s in (False, True)]
    >>> [test.p_value < 0.01 for test in tests]
    [True, False]
    """
    x = as_names(x, "x")
    check_flags(shocks=shocks)
    data = check_panel(panel, [y, *x])
    borders = _Borders(w, jurisdiction, panel)
    rows, pair = borders.sample(data, units)
    plain, shared = SharedShocks(rows, y, x, pair, borders.jurisdiction).results()
    found = shared if shocks else plain
    if found is None:
        raise InvalidInputError("without shared shocks no estimate lies inside the admissible values: allow for them")
    return found


class _Borders:
    """Neighbours of a panel's units as one matrix, to take many samples from, and the units' jurisdictions."""

    def __init__(self, w: WeightsLike, jurisdiction: pd.Series, panel: pd.DataFrame) -> None:
        given = first_seen(panel.index)
        self.units = given.sort_values()
        self.matrix = align_weights(w, self.units, given=given).matrix
        self.jurisdiction = check_labels(jurisdiction, self.units, "jurisdiction")

    def sample(self, data: pd.DataFrame, units: Iterable | None) -> tuple[pd.DataFrame, tuple[csr_array, csr_array]]:
        """Rows of these units and their neighbours, as far as they have every year, and weights within and across."""
        count = data.groupby(level=0).size()
        complete = self.units.isin(count.index[count == data.index.unique(1).size])
        if units is not None:
            core = self.units.isin(as_units(units)) & complete
            complete &= core | (self.matrix.T @ core.astype(float) > 0)
        chosen = self.units[complete]
        if len(chosen) < _FEW_UNITS:
            raise InvalidInputError(f"{len(chosen)} unit(s) with their neighbours: at least {_FEW_UNITS} are needed")
        return data[data.index.get_level_values(0).isin(chosen)], self._pair(chosen)

    def _pair(self, chosen: pd.Index) -> tuple[csr_array, csr_array]:
        """Weights within and across that add up to row-standardised ones, as of within_and_across."""
        place = self.units.get_indexer(chosen)
        whole = Weights.of(self.matrix[place][:, place], chosen).standardised().matrix
        code = self.jurisdiction.loc[chosen].factorize()[0]
        same = np.repeat(code, np.diff(whole.indptr)) == code[whole.indices]
        within, across = whole.copy(), whole.copy()
        for side, part, kept in (("within", within, same), ("across", across, ~same)):
            if kept.sum() // 2 < _FEW_PAIRS:
                count = f"{kept.sum() // 2} pair(s) of neighbours {side} the border"
                raise InvalidInputError(f"{count}: at least {_FEW_PAIRS} are needed")
            part.data = np.where(kept, part.data, 0.0)
        return within, across


def border_estimates(
    panel: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    jurisdiction: pd.Series,
    areas: Mapping[Any, Iterable],
) -> pd.DataFrame:
    """Border effects of several areas, each from its own units and their neighbours (分区域边界效应).

    Parameters
    ----------
    panel, y, x, w, jurisdiction
        As :func:`border_spillovers`.
    areas : mapping
        Units of each area, such as the cities of a region.

    Returns
    -------
    DataFrame
        By area: ``rho_within`` and ``rho_across`` with standard errors ``se_within``, ``se_across``; their
        ``difference`` with ``se_difference``, 95 percent interval ``lower``, ``upper``, ``p_equal`` and the smallest
        ``detectable`` one (80 percent power); ``shock_share`` and ``p_shocks``; the same without shared shocks with
        ``plain_`` before the name, missing where they alone have no estimate; ``units``, ``periods``, ``jurisdictions``
        and the ``reason`` where nothing is identified.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`border_spillovers`, but for what an area lacks.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from libpysal.graph import Graph
    >>> from scipy.sparse import csr_array
    >>> ring = sum(np.roll(np.eye(32), step, axis=1) for step in (-2, -1, 1, 2)) / 4
    >>> province = pd.Series(np.arange(32) // 8, index=range(32))
    >>> y, x = np.random.default_rng(0).normal(size=(2, 320))
    >>> panel = pd.DataFrame({"y": y, "x": x}, pd.MultiIndex.from_product([range(32), range(10)]))
    >>> graph, areas = Graph.from_sparse(csr_array(ring), ids=range(32)), {"all": range(32), "one": [5]}
    >>> found = border_estimates(panel, "y", ["x"], graph, province, areas)
    >>> found["units"].tolist(), found["reason"].str[:9].tolist()
    ([32.0, nan], ['', '5 unit(s)'])
    """
    x = as_names(x, "x")
    if not isinstance(areas, Mapping) or not areas:
        raise InvalidInputError(f"areas: expected the units of each area by its name, got a {type(areas).__name__}")
    data, borders, rows = check_panel(panel, [y, *x]), _Borders(w, jurisdiction, panel), {}
    for area, units in areas.items():
        members = as_units(units, f"areas: {area}")
        try:
            span, pair = borders.sample(data, members)
            rows[area] = _beside(*SharedShocks(span, y, x, pair, borders.jurisdiction).results()) | {"reason": ""}
        except InvalidInputError as error:
            rows[area] = {"reason": str(error)}
    return pd.DataFrame(list(rows.values()), pd.Index(rows, name="area"))


def _beside(plain: SharedShocksResult | None, shared: SharedShocksResult) -> dict[str, float]:
    """Estimates with shared shocks and without, by name."""
    found = _named(shared, "rho_", "")
    found |= {"shock_share": shared.shock_share, "p_shocks": shared.shocks_test().p_value}
    found |= {} if plain is None else _named(plain, "plain_", "plain_")
    sizes = {"units": shared.n_units, "periods": shared.n_periods, "jurisdictions": shared.settings["jurisdictions"]}
    return found | {name: float(size) for name, size in sizes.items()}


def _named(result: SharedShocksResult, rho: str, prefix: str) -> dict[str, float]:
    """Both rhos and their difference, with errors, interval and the test of equality, by name."""
    from clusterlib.core.power import single_estimate

    gap, error = result.difference()
    row = single_estimate(gap, error, result.df_inference)
    return {
        f"{rho}within": result.rho_within,
        f"{rho}across": result.rho_across,
        f"{prefix}se_within": result.std_errors["rho_within"],
        f"{prefix}se_across": result.std_errors["rho_across"],
        f"{prefix}difference": gap,
        f"{prefix}se_difference": error,
        f"{prefix}lower": row["lower"],
        f"{prefix}upper": row["upper"],
        f"{prefix}detectable": row["detectable"],
        f"{prefix}p_equal": result.equality_test().p_value,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedShocksResult(Estimates):
    """Spatial lags within and across jurisdictions beside shocks that each shares (辖区共同冲击下的双权重模型).

    Attributes
    ----------
    params : Series
        ``rho_within``, ``rho_across`` and ``shock_share``, the part of the disturbances' variance that is common to the
        units of a jurisdiction in a period; its error is missing where it is nil.
    coefficients : Series
        Of x.
    rho_within, rho_across, shock_share, sigma2 : float
    loglik_plain : float
        At the maximum without shared shocks.
    residuals : Series
        By (unit, period): what is left once lags, x and effects are taken out, the shared shocks included.
    """

    coefficients: pd.Series = field(repr=False)
    rho_within: float
    rho_across: float
    shock_share: float
    sigma2: float
    loglik_plain: float
    residuals: pd.Series = field(repr=False)

    def difference(self) -> tuple[float, float]:
        """Return rho within less rho across, and its standard error."""
        (within, shared), (_, across) = self.covariance.to_numpy()[:2, :2]
        return self.rho_within - self.rho_across, float(np.sqrt(within + across - 2 * shared))

    def equality_test(self) -> Test:
        """Wald test that the lag is as strong within as across borders."""
        gap, error = self.difference()
        return Test.of("Wald", "rho_within = rho_across", (gap / error) ** 2, "F", (1, self.df_inference))

    def shocks_test(self) -> Test:
        r"""Likelihood-ratio test of no shared shocks; on the bound of the share p is half that of :math:`\chi^2_1`."""
        statistic = max(0.0, 2 * (self._likelihood - self.loglik_plain))
        p_value = 0.5 * Test.of("", "", statistic, "chi2", 1).p_value if statistic else 1.0
        return Test("likelihood ratio", "no shared shocks", statistic, 1, p_value, "half of chi2")

    @property
    def tests(self) -> Mapping[str, Test]:
        """Whether a border stops spillovers, and whether shocks are shared."""
        return {"equality": self.equality_test(), "shocks": self.shocks_test()}


class SharedShocks:
    """The likelihood of one panel, in both rhos and the share of shared shocks, and its maximum.

    Parameters
    ----------
    data : DataFrame
        Balanced, by (unit, period).
    y, x
        Column, and list of columns.
    pair : (array, array)
        Weights within and across, the two parts of row-standardised weights, by the sorted units.
    jurisdiction : Series
        Of each unit.
    """

    def __init__(
        self, data: pd.DataFrame, y: str, x: list[str], pair: Sequence[WeightsLike], jurisdiction: pd.Series
    ) -> None:
        frame = check_panel(data, [y, *x])
        n, periods = check_balanced(frame)
        self.index, self.y, self.x, units = frame.index, y, x, frame.index.unique(0)
        values = frame.to_numpy().reshape(n, periods, -1)
        sides = [align_weights(part, units, name).matrix for part, name in zip(pair, NAMES, strict=True)]
        dense = np.stack([matrix.toarray() for matrix in sides])
        self.sides, self.links = sides, np.nonzero(dense.any(axis=0))
        self.weights = dense[:, *self.links]
        left = demean(values, "twoway")
        flat, rows = values.reshape(n * periods, -1), left.reshape(n * periods, -1)
        check_variation(flat, rows, [y, *x], "twoway")
        check_rank(rows[:, 1:], x)
        lags = [demean(matrix @ values[..., 0], "twoway")[..., None] for matrix in sides]
        self.columns = np.concatenate([left[..., :1], *lags, left[..., 1:]], axis=2)
        self.code = jurisdiction.loc[units].factorize()[0]
        self.sizes = np.bincount(self.code)
        sums = np.zeros((len(self.sizes), *self.columns.shape[1:]))
        np.add.at(sums, self.code, self.columns)
        self.sums = sums.reshape(len(sums), -1)
        self.products = np.einsum("itk,itl->kl", self.columns, self.columns)
        self.by_jurisdiction = np.einsum("ptk,ptl->pkl", sums, sums).reshape(len(sums), -1)

    @property
    def size(self) -> int:
        """Number of observations."""
        return self.columns.shape[0] * self.columns.shape[1]

    @property
    def degrees(self) -> int:
        """Observations less effects of units and periods and coefficients of x."""
        n, periods = self.columns.shape[:2]
        return (n - 1) * (periods - 1) - len(self.x)

    def weighed(self, ratio: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Cross-products of the columns, weighed by the inverse covariance, that of a constant, and their slopes."""
        shrink = 1 / (1 + ratio * self.sizes)
        both = np.stack([shrink, -self.sizes * shrink**2])
        common, common_slope = (both @ self.sums).reshape(2, *self.columns.shape[1:])
        total, total_slope = both @ self.sizes
        square, cross = common.T @ common, common_slope.T @ common
        apart, apart_slope = (np.stack([ratio * shrink, shrink**2]) @ self.by_jurisdiction).reshape(2, *square.shape)
        products = self.products - apart - square / total
        return products, square * total_slope / total**2 - apart_slope - (cross + cross.T) / total, total, total_slope

    def _system(self, rho: np.ndarray) -> tuple[float, np.ndarray]:
        """Logarithm of the determinant of the system of lags, and its inverse."""
        from scipy.linalg.lapack import dgetrf, dgetri  # type: ignore[attr-defined]

        n = self.columns.shape[0]
        system = np.eye(n, order="F")
        system[self.links] = -rho @ self.weights
        # One factorisation serves the determinant and the inverse.
        factors, pivots, _ = dgetrf(system, overwrite_a=True)
        value = np.log(np.abs(np.diagonal(factors))).sum()
        return value, dgetri(factors, pivots, lwork=_BLOCK * n, overwrite_lu=True)[0]

    def loglik(self, values: np.ndarray, adjusted: bool = False) -> tuple[float, np.ndarray]:
        """Restricted log-likelihood, and its derivatives by rhos and share, made unbiased if ``adjusted``."""
        rho, share = values[:2], values[2]
        ratio = share / (1 - share)
        left, m = self.columns.shape[1] - 1, self.degrees
        products, slope, total, total_slope = self.weighed(ratio)
        weights = self._chosen(rho, products)
        moved = products @ weights
        squares = float(weights @ moved)
        determinant, inverse = self._system(rho)
        spread = 1 + ratio * self.sizes
        of_x = np.linalg.inv(products[3:, 3:])
        value = -m / 2 * (np.log(2 * np.pi * squares / m) + 1) + left * determinant
        value -= (left * (np.log(spread).sum() + np.log(total)) + np.linalg.slogdet(products[3:, 3:])[1]) / 2
        by_rho = m / squares * moved[1:3] - left * self.weights @ inverse.T[self.links]
        if adjusted:
            by_rho += self._lost(ratio, total, of_x, inverse)
        by_ratio = -m * (weights @ slope @ weights) / squares - np.sum(of_x * slope[3:, 3:])
        by_ratio -= left * ((self.sizes / spread).sum() + total_slope / total)
        return value, np.append(by_rho, by_ratio / 2 / (1 - share) ** 2)

    def _lost(self, ratio: float, total: float, of_x: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """Expectation that effects of periods and x take from the derivatives by both rhos."""
        (n, periods), k = self.columns.shape[:2], len(self.x)
        shrink = 1 / (1 + ratio * self.sizes)
        x = self.columns[..., 3:].reshape(n, -1)
        # Effects of periods are those of generalised least squares: x is held beside their weights, not the plain mean.
        x = x - shrink[self.code] @ x / total
        reached = inverse @ np.column_stack([np.ones(n), x])
        lost = []
        for matrix in self.sides:
            moved = matrix @ reached
            sums = np.zeros((len(self.sizes), reached.shape[1]))
            np.add.at(sums, self.code, moved)
            by_period = shrink @ sums / total
            held = moved[:, 1:] - (ratio * shrink[:, None] * sums[:, 1:])[self.code]
            held -= np.outer(shrink[self.code], by_period[1:])
            cross = np.einsum("itk,itl->kl", x.reshape(n, periods, k), held.reshape(n, periods, k))
            lost.append((periods - 1) * by_period[0] + np.sum(of_x.T * cross))
        return np.array(lost)

    @staticmethod
    def _chosen(rho: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Weights of the columns in the residuals, the coefficients chosen by generalised least squares."""
        lead = np.concatenate([[1.0], -rho])
        return np.concatenate([lead, -np.linalg.solve(products[3:, 3:], products[3:, :3] @ lead)])

    def curvature(self, values: np.ndarray) -> np.ndarray:
        """Derivatives of the unbiased scores by differences, of the rhos alone where the share is nil."""
        free, columns = self._free(values), []
        for k in free:
            step = np.zeros(3)
            step[k] = _STEP
            back = step if k < 2 or values[2] >= _STEP else 0 * step
            ahead, behind = (self.loglik(values + moved, adjusted=True)[1][free] for moved in (step, -back))
            columns.append((ahead - behind) / (step + back)[k])
        return np.column_stack(columns)

    @staticmethod
    def _free(values: np.ndarray) -> np.ndarray:
        """Positions of the parameters that are not at a bound."""
        return np.arange(3 if values[2] > 0 else 2)

    def climb(self, start: Sequence[float], shared: bool = True) -> tuple[float, np.ndarray]:
        """Return the greatest log-likelihood that is found from a start, and where it is.

        Raises
        ------
        InvalidInputError
            If it lies at the bounds of the rhos.
        """
        from scipy.optimize import minimize

        bounds = [(-_BOUND, _BOUND)] * 2 + [(0.0, _BOUND if shared else 0.0)]

        def negative(values: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self.loglik(values)
            return -value / self.size, -slope / self.size

        begin = np.array(start) * ([1, 1, 1] if shared else [1, 1, 0])
        found = minimize(negative, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
        if np.abs(found.x[:2]).max() >= _BOUND - 1e-6:
            raise InvalidInputError(
                f"no maximum of the likelihood inside the admissible values, last at {NAMES[0]} = {found.x[0]:.4f}, "
                f"{NAMES[1]} = {found.x[1]:.4f}: look whether both weights connect enough units"
            )
        return -found.fun * self.size, found.x

    def _settle(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the unbiased scores are nil near the greatest likelihood, and their derivatives there.

        Raises
        ------
        InvalidInputError
            If they are nil nowhere inside the bounds.
        """
        free, curvature = self._free(values), self.curvature(values)
        for _ in range(_NEWTON_STEPS):
            if np.linalg.cond(curvature) > _SINGULAR:
                break
            step = -np.linalg.solve(curvature, self.loglik(values, adjusted=True)[1][free])
            far = np.abs(step).max()
            moved = values.copy()
            moved[free] += step * min(1, _LONGEST / max(far, _TOLERANCE))
            moved[2] = np.clip(moved[2], 0, _BOUND)
            if np.abs(moved[:2]).max() >= _BOUND:
                break
            values, settled = moved, far < _TOLERANCE
            # Where a step was short the derivatives hardly change.
            if settled or far > _NEAR or len(self._free(values)) < len(free):
                free, curvature = self._free(values), self.curvature(values)
            if settled and (np.linalg.eigvalsh(curvature + curvature.T) < 0).all():
                return values, curvature
        raise InvalidInputError(
            f"no estimate inside the admissible values, last at {NAMES[0]} = {values[0]:.4f}, "
            f"{NAMES[1]} = {values[1]:.4f}: look whether both weights connect enough units"
        )

    def results(self) -> tuple[SharedShocksResult | None, SharedShocksResult]:
        """Estimate without shared shocks, None where that alone has no estimate, and with them.

        Raises
        ------
        InvalidInputError
            If a maximum lies at the bounds of the rhos.
        """
        plain = self.climb(_STARTS[1], shared=False)
        # With few jurisdictions lag and shocks may each have a hill of their own.
        found = max(plain, *(self.climb(start) for start in _STARTS), key=lambda pair: pair[0])
        shared = self._set_out(*self._settle(found[1]), found[0], plain[0])
        if found is plain:
            return shared, shared
        try:
            return self._set_out(*self._settle(plain[1]), plain[0], plain[0]), shared
        except InvalidInputError:
            return None, shared

    def _set_out(self, best: np.ndarray, curvature: np.ndarray, loglik: float, without: float) -> SharedShocksResult:
        names, free = pd.Index([*NAMES, SHARE]), self._free(best)
        covariance = np.full((3, 3), np.nan)
        inverse = np.linalg.inv(-curvature)
        covariance[np.ix_(free, free)] = (inverse + inverse.T) / 2
        products = self.weighed(best[2] / (1 - best[2]))[0]
        weights = self._chosen(best[:2], products)
        n, periods = self.columns.shape[:2]
        slopes, effects = len(self.x), n + periods - 1
        return SharedShocksResult(
            params=pd.Series(best, names, name="estimate"),
            covariance=pd.DataFrame(covariance, names, names),
            nobs=self.size,
            n_units=n,
            n_periods=periods,
            df_resid=self.size - slopes - effects,
            df_inference=(len(self.sizes) - 1) * (periods - 1),
            loglik=loglik,
            n_parameters=slopes + effects + len(free) + 1,
            settings={"y": self.y, "x": tuple(self.x), "effects": "twoway", "jurisdictions": len(self.sizes)},
            coefficients=pd.Series(-weights[3:], self.x),
            rho_within=float(best[0]),
            rho_across=float(best[1]),
            shock_share=float(best[2]),
            sigma2=float(weights @ products @ weights / self.degrees),
            loglik_plain=without,
            residuals=pd.Series((self.columns @ weights).ravel(), self.index, name="residual"),
        )

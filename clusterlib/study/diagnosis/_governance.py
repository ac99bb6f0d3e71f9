"""Governance imbalance (治理失衡): spillovers that stop at the border of a jurisdiction, shared shocks set apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights, align_weights, first_seen
from clusterlib.core.checks import as_names, check_balanced, check_flags, check_labels, check_panel, check_whole
from clusterlib.core.resampling import generator
from clusterlib.core.results import Estimates, Test
from clusterlib.core.within import check_rank, check_variation, demean
from clusterlib.errors import InvalidInputError
from clusterlib.study.diagnosis._severity import Severity, as_units, bootstrap_settings, percentile_bounds

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from clusterlib.core.alignment import WeightsLike
    from clusterlib.spatial_panel import TwoWeightsResult

_FEW_UNITS = 8
_FEW_PAIRS = 6
# One-sided at five percent: without a spillover within there is none that a border could stop.
_CRITICAL = 1.645
NO_SPILLOVER = "no spillover within the jurisdiction can be told from none"
NAMES = ("rho_within", "rho_across")
SHARE = "shock_share"
_BOUND = 0.995
_STARTS = ((0.0, 0.0, 0.3), (0.4, 0.1, 0.02))
_STEP = 1e-4
# Columns that LAPACK inverts at a time.
_BLOCK = 64
_NEWTON_STEPS = 50
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
) -> TwoWeightsResult | SharedShocksResult:
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
    clusterlib.spatial_panel.TwoWeightsResult or clusterlib.diagnosis.SharedShocksResult

    Raises
    ------
    InvalidInputError
        If fewer than eight units, or fewer than six pairs of neighbours within or across, are left, and for panels,
        weights and jurisdictions that do not fit together.
    UnknownNameError
        If a name is not a column.

    Notes
    -----
    Maximum likelihood; effects of units and periods are dummy variables. With shared shocks standard errors are from
    the Hessian of the concentrated likelihood, without from the information matrix.

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
    from clusterlib.spatial_panel import two_weights_sar

    x = as_names(x, "x")
    check_flags(shocks=shocks)
    data = check_panel(panel, [y, *x])
    borders = _Borders(w, jurisdiction, panel)
    rows, pair = borders.sample(data, units)
    if shocks:
        return SharedShocks(rows, y, x, pair, borders.jurisdiction).results()[1]
    return two_weights_sar(rows, y, x, *pair, effects="twoway")


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


def border_severity(result: Any, draws: int, seed: int, level: float) -> tuple[float, float, float]:
    """Severity of a border with its interval; missing where nothing spills over within the jurisdiction."""
    within, across = result.rho_within, result.rho_across
    if within < _CRITICAL * result.std_errors["rho_within"]:
        return np.nan, np.nan, np.nan
    covariance = result.covariance.to_numpy()[:2, :2]
    drawn = generator(seed).multivariate_normal([within, across], covariance, draws)
    # Where a draw has no spillover within, its border stops none.
    passing = drawn[:, 1] / np.where(drawn[:, 0] > 0, drawn[:, 0], np.inf)
    lower, upper = percentile_bounds(100 * np.where(drawn[:, 0] > 0, np.clip(1 - passing, 0, 1), 0.0), level)
    return float(100 * np.clip(1 - across / within, 0, 1)), float(lower), float(upper)


def governance_imbalance(
    panel: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    jurisdiction: pd.Series,
    areas: Mapping[Any, Iterable],
    *,
    window: int = 8,
    first: int | None = None,
    shocks: bool = True,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Severity, pd.DataFrame]:
    r"""Governance imbalance as the part of a spillover that stops at the border (治理失衡度).

    .. math:: S_{at} = 100 \, \min\Bigl(1, \max\Bigl(0, 1 - \frac{\hat\rho_2}{\hat\rho_1}\Bigr)\Bigr)

    with the rhos of :func:`border_spillovers` from the area's units and their neighbours, over the ``window`` years to
    and with :math:`t`. Where :math:`\hat\rho_1` is not above zero at five percent there is no spillover for a border to
    stop, and the severity is missing. Intervals are percentiles of draws from the rhos' normal distribution, nil where
    a draw has no spillover within.

    Parameters
    ----------
    panel, y, x, w, jurisdiction
        As :func:`border_spillovers`.
    areas : mapping
        Units of each area, such as the cities of a province or a region.
    window : int
        Years of a window, those without data counted.
    first : int, optional
        Year in which the first window ends; by default the first in which one can.
    shocks : bool
        Whether units of a jurisdiction may share shocks. Without, common shocks count as spillovers within.
    draws, seed : int
    level : float

    Returns
    -------
    Severity, DataFrame
        The severity by (area, year); and by (area, year) the estimates: ``rho_within``, ``rho_across``, their
        ``difference``, standard errors ``se_within``, ``se_across``, ``se_difference``, ``p_equal`` (Wald test of equal
        rhos), ``shock_share`` and ``p_shocks`` (test that there are none); the same without shared shocks with
        ``plain_`` before the name; the number of ``units``, and the ``reason`` where there is no severity.

    Raises
    ------
    InvalidInputError
        For fewer years than a window has, and as :func:`border_spillovers`.
    UnknownNameError
        If a name is not a column.
    """
    x, window = as_names(x, "x"), check_whole("window", window, least=2)
    settings = {"y": y, "x": x, "window": window, "shocks": shocks, **bootstrap_settings(draws, seed, level, least=2)}
    check_flags(shocks=shocks)
    if not isinstance(areas, Mapping) or not areas:
        raise InvalidInputError(f"areas: expected the units of each area by its name, got a {type(areas).__name__}")
    data = check_panel(panel, [y, *x])
    period = data.index.get_level_values(1)
    if not pd.api.types.is_integer_dtype(period.dtype) or data.empty:
        raise InvalidInputError(f"windows are counted in years: expected whole numbers, got {list(period[:1])}")
    years = sorted(period.unique())
    first = years[0] + window - 1 if first is None else check_whole("first", first)
    ends = [t for t in years if t >= first]
    if not ends or ends[0] - window + 1 < years[0]:
        raise InvalidInputError(f"years {years[0]} to {years[-1]}: a window has {window}")
    borders = _Borders(w, jurisdiction, panel)
    spans = {end: data[(period > end - window) & (period <= end)] for end in ends}
    found, rows = {}, {}
    for area, units in areas.items():
        for end, span in spans.items():
            found[area, end], rows[area, end] = _estimate(span, borders, as_units(units, f"areas: {area}"), settings)
    index = pd.MultiIndex.from_tuples(rows, names=panel.index.names)
    table = pd.DataFrame(list(rows.values()), index, ["severity", "lower", "upper"])
    estimates = pd.DataFrame(list(found.values()), index)
    drivers = pd.DataFrame({"border": 100.0 * (table["severity"] > 0)}, index)
    return Severity("governance_imbalance", table, drivers, settings), estimates


def _estimate(
    span: pd.DataFrame, borders: _Borders, units: list, settings: dict
) -> tuple[dict, tuple[float, float, float]]:
    """Return the estimates of one area and window, or the reason why there are none, and the severity."""
    try:
        rows, pair = borders.sample(span, units)
        plain, result = SharedShocks(rows, settings["y"], settings["x"], pair, borders.jurisdiction).results()
    except InvalidInputError as error:
        return {"reason": str(error)}, (np.nan, np.nan, np.nan)
    result = result if settings["shocks"] else plain
    severity = border_severity(result, settings["draws"], settings["seed"], settings["level"])
    estimates = _set_beside(result, "rho_", "")
    estimates |= {"shock_share": result.shock_share, "p_shocks": result.shocks_test().p_value}
    estimates |= _set_beside(plain, "plain_", "plain_")
    estimates |= {"units": result.n_units, "reason": NO_SPILLOVER if np.isnan(severity[0]) else ""}
    return estimates, severity


def _set_beside(result: SharedShocksResult, rho: str, prefix: str) -> dict[str, float]:
    """Both rhos and their difference, with errors and the test of equality, by name."""
    gap, error = result.difference()
    return {
        f"{rho}within": result.rho_within,
        f"{rho}across": result.rho_across,
        f"{prefix}se_within": result.std_errors["rho_within"],
        f"{prefix}se_across": result.std_errors["rho_across"],
        f"{prefix}difference": gap,
        f"{prefix}se_difference": error,
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
        """Wald test that the lag is as strong within as across borders, as of the model without shocks."""
        gap, error = self.difference()
        return Test.of("Wald", "rho_within = rho_across", (gap / error) ** 2, "chi2", 1)

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
        self.links = np.nonzero(dense.any(axis=0))
        self.weights = dense[:, *self.links]
        left = demean(values, "twoway")
        flat, rows = values.reshape(n * periods, -1), left.reshape(n * periods, -1)
        check_variation(flat, rows, [y, *x], "twoway")
        check_rank(rows[:, 1:], x)
        lags = [demean(matrix @ values[..., 0], "twoway")[..., None] for matrix in sides]
        self.columns = np.concatenate([left[..., :1], *lags, left[..., 1:]], axis=2)
        code = jurisdiction.loc[units].factorize()[0]
        self.sizes = np.bincount(code)
        sums = np.zeros((len(self.sizes), *self.columns.shape[1:]))
        np.add.at(sums, code, self.columns)
        self.sums = sums.reshape(len(sums), -1)
        self.products = np.einsum("itk,itl->kl", self.columns, self.columns)
        self.by_jurisdiction = np.einsum("ptk,ptl->pkl", sums, sums).reshape(len(sums), -1)

    @property
    def size(self) -> int:
        """Number of observations."""
        return self.columns.shape[0] * self.columns.shape[1]

    def weighed(self, ratio: float) -> tuple[np.ndarray, np.ndarray]:
        """Cross-products of the columns, weighed by the inverse covariance, and their derivatives by ``ratio``."""
        shrink = 1 / (1 + ratio * self.sizes)
        both = np.stack([shrink, -self.sizes * shrink**2])
        common, common_slope = (both @ self.sums).reshape(2, *self.columns.shape[1:])
        total, total_slope = both @ self.sizes
        square, cross = common.T @ common, common_slope.T @ common
        apart, apart_slope = (np.stack([ratio * shrink, shrink**2]) @ self.by_jurisdiction).reshape(2, *square.shape)
        products = self.products - apart - square / total
        return products, square * total_slope / total**2 - apart_slope - (cross + cross.T) / total

    def log_determinant(self, rho: np.ndarray) -> tuple[float, np.ndarray]:
        """Logarithm of the determinant of the system of lags, and its derivatives by both rhos."""
        from scipy.linalg.lapack import dgetrf, dgetri  # type: ignore[attr-defined]

        n = self.columns.shape[0]
        system = np.eye(n, order="F")
        system[self.links] = -rho @ self.weights
        # One factorisation serves the determinant and the inverse.
        factors, pivots, _ = dgetrf(system, overwrite_a=True)
        value = np.log(np.abs(np.diagonal(factors))).sum()
        inverse, _ = dgetri(factors, pivots, lwork=_BLOCK * n, overwrite_lu=True)
        return value, -self.weights @ inverse.T[self.links]

    def loglik(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood with the coefficients and sigma2 chosen, and its derivatives."""
        rho, share = values[:2], values[2]
        ratio = share / (1 - share)
        periods, m = self.columns.shape[1], self.size
        products, slope = self.weighed(ratio)
        weights = self._chosen(rho, products)
        moved = products @ weights
        squares = float(weights @ moved)
        determinant, determinant_slope = self.log_determinant(rho)
        value = -m / 2 * (np.log(2 * np.pi * squares / m) + 1) + periods * determinant
        value -= periods / 2 * np.log1p(ratio * self.sizes).sum()
        by_rho = m / squares * moved[1:3] + periods * determinant_slope
        by_ratio = -m / 2 * (weights @ slope @ weights) / squares
        by_ratio -= periods / 2 * (self.sizes / (1 + ratio * self.sizes)).sum()
        return value, np.append(by_rho, by_ratio / (1 - share) ** 2)

    @staticmethod
    def _chosen(rho: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Weights of the columns in the residuals, the coefficients chosen by generalised least squares."""
        lead = np.concatenate([[1.0], -rho])
        return np.concatenate([lead, -np.linalg.solve(products[3:, 3:], products[3:, :3] @ lead)])

    def curvature(self, values: np.ndarray) -> np.ndarray:
        """Second derivatives by differences of the first, of the rhos alone where the share is nil."""
        free = self._free(values)
        rows = []
        for k in free:
            step = np.zeros(3)
            step[k] = _STEP
            back = step if k < 2 or values[2] >= _STEP else 0 * step
            slopes = (self.loglik(values + step)[1] - self.loglik(values - back)[1])[free]
            rows.append(slopes / (step + back)[k])
        return (np.array(rows) + np.array(rows).T) / 2

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

    def _polish(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the maximum near a point, by Newton steps with one matrix of second derivatives, and that matrix."""
        free, curvature = self._free(values), self.curvature(values)
        for _ in range(_NEWTON_STEPS):
            moved = values.copy()
            moved[free] -= np.linalg.solve(curvature, self.loglik(values)[1][free])
            if not (np.abs(moved[:2]).max() < 1 and 0 <= moved[2] < 1):
                break
            far = np.abs(moved - values).max()
            values = moved
            if far < _TOLERANCE:
                break
        return values, curvature

    def results(self) -> tuple[SharedShocksResult, SharedShocksResult]:
        """Estimate without shared shocks and with them.

        Raises
        ------
        InvalidInputError
            If a maximum lies at the bounds of the rhos.
        """
        plain = self.climb(_STARTS[1], shared=False)
        # With few jurisdictions lag and shocks may each have a hill of their own.
        found = max(plain, *(self.climb(start) for start in _STARTS), key=lambda pair: pair[0])
        settled = self._polish(plain[1])
        without = self.loglik(settled[0])[0]
        apart = self._set_out(*settled, without, without)
        if found is plain:
            return apart, apart
        best, curvature = self._polish(found[1])
        return apart, self._set_out(best, curvature, self.loglik(best)[0], without)

    def _set_out(self, best: np.ndarray, curvature: np.ndarray, loglik: float, without: float) -> SharedShocksResult:
        names, free = pd.Index([*NAMES, SHARE]), self._free(best)
        covariance = np.full((3, 3), np.nan)
        covariance[np.ix_(free, free)] = np.linalg.inv(-curvature)
        products, _ = self.weighed(best[2] / (1 - best[2]))
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
            loglik=loglik,
            n_parameters=slopes + effects + len(free) + 1,
            settings={"y": self.y, "x": tuple(self.x), "effects": "twoway", "jurisdictions": len(self.sizes)},
            coefficients=pd.Series(-weights[3:], self.x),
            rho_within=float(best[0]),
            rho_across=float(best[1]),
            shock_share=float(best[2]),
            sigma2=float(weights @ products @ weights / self.size),
            loglik_plain=without,
            residuals=pd.Series((self.columns @ weights).ravel(), self.index, name="residual"),
        )

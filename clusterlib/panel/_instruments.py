"""Instrumental variables (工具变量法) in panels, with what tells how far to trust them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice
from clusterlib.core.covariance import Covariance, make_covariance, wald_statistic
from clusterlib.core.results import Result, Test, coefficient_table
from clusterlib.core.within import NOTHING_LEFT, Layout, check_rank
from clusterlib.errors import InvalidInputError
from clusterlib.panel._regression import Design, PanelResult, make_design, panel_fields

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

METHODS = ("2sls", "liml")
# Stock and Yogo (2005), table 5.2: one endogenous variable, 10 % maximal size, by the number of instruments.
STOCK_YOGO = (16.38, 19.93, 22.30, 24.58, 26.87, 29.18, 31.50, 33.84, 36.19, 38.54)
WORST_BIAS, SIGNIFICANCE = 0.10, 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class InstrumentalResult(PanelResult):
    """Regression by instrumental variables (工具变量回归); further to :class:`PanelResult`:

    Attributes
    ----------
    first_stage : DataFrame
        Coefficients of each endogenous variable's regression, by (endogenous, variable).
    weak_instruments : DataFrame
        By endogenous variable; see :func:`instrumental_variables`.
    first_stage_f : Test
        That the instruments do not move the endogenous variable, of several the one that they move least.
    endogeneity : Test
        Wu-Hausman.
    overidentification : Test or None
        Sargan with classical errors, else Hansen; None with as many instruments as endogenous variables.
    """

    first_stage: pd.DataFrame = field(repr=False)
    weak_instruments: pd.DataFrame = field(repr=False)
    first_stage_f: Test
    endogeneity: Test
    overidentification: Test | None

    title = Result.title

    @property
    def tests(self) -> Mapping[str, Test]:
        """Tests of the instruments' strength, of endogeneity and, with instruments to spare, of their validity."""
        found = {"weak_instruments": self.first_stage_f, "endogeneity": self.endogeneity}
        if self.overidentification is not None:
            found["overidentification"] = self.overidentification
        return found

    def _own_footer(self) -> dict[str, object]:
        return {name: value for name, value in super()._own_footer().items() if "R²" not in name}


@dataclass(frozen=True, eq=False)
class _Stages:
    """Within-transformed variables by their role: y, exogenous, endogenous, and the instruments that stand apart."""

    design: Design
    controls: slice
    endogenous: slice
    instruments: slice

    @property
    def layout(self) -> Layout:
        return self.design.layout

    @property
    def V(self) -> np.ndarray:
        """The endogenous variables."""
        return self.design.X[:, self.endogenous]

    def names(self, *roles: slice) -> list[str]:
        return [name for role in roles for name in self.design.names[role]]

    def columns(self, *roles: slice) -> np.ndarray:
        return np.column_stack([self.design.X[:, role] for role in roles])

    def regression(self, y: np.ndarray, *roles: slice) -> Design:
        return replace(self.design, y=y, X=self.columns(*roles), names=tuple(self.names(*roles)))

    @cached_property
    def _bases(self) -> dict[str, np.ndarray]:
        exogenous = {"controls": (self.controls,), "all": (self.controls, self.instruments)}
        columns = {by: self.columns(*roles) for by, roles in exogenous.items()}
        return {by: np.linalg.qr(X / np.linalg.norm(X, axis=0))[0] for by, X in columns.items()}

    def fitted(self, values: np.ndarray, by: str) -> np.ndarray:
        """Project ``values`` on the ``"controls"`` or on ``"all"`` exogenous variables."""
        return self._bases[by] @ (self._bases[by].T @ values)

    def left(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the controls, and all exogenous variables, leave of ``values``."""
        return values - self.fitted(values, "controls"), values - self.fitted(values, "all")


def _products(left: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    after_controls, after_all = left
    return after_controls.T @ after_controls, after_all.T @ after_all


def _cragg_donald(stages: _Stages, instruments: int, exogenous: int) -> float:
    from scipy.linalg import eigh

    after_controls, after_all = _products(stages.left(stages.V))
    df = stages.layout.rows - exogenous - stages.layout.absorbed
    return float(eigh(after_controls - after_all, after_all, eigvals_only=True)[0] * df / instruments)


def _effective_f(stages: _Stages, params: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """Return Montiel Olea and Pflueger's effective F and its simplified critical value for 2SLS.

    In the metric of the instruments, controls taken out, the first-stage estimates are b and their covariance V:
    F = b'b / tr V. The critical value is a quantile of a scaled noncentral chi-squared (their section 4, x = 1 / tau).
    """
    from scipy.stats import ncx2

    R = np.linalg.qr(stages.left(stages.columns(stages.instruments))[0], mode="r")
    b, V = R @ params, R @ matrix @ R.T
    x, trace, largest = 1 / WORST_BIAS, np.trace(V), np.linalg.eigvalsh(V)[-1]
    effective = trace**2 * (1 + 2 * x) / (np.sum(V**2) + 2 * x * trace * largest)
    return float(b @ b / trace), float(ncx2.ppf(1 - SIGNIFICANCE, effective, effective * x) / effective)


def _first_stages(stages: _Stages, covariance: Covariance) -> tuple[pd.DataFrame, pd.DataFrame, Test]:
    """Return the coefficients of the first stages, how strong the instruments are in each, and the F of the weakest."""
    labels, k = stages.names(stages.controls, stages.instruments), len(stages.names(stages.instruments))
    df, null = covariance.df(len(labels), stages.layout), "the instruments do not move the variable 工具变量无关"
    after_controls, cragg_donald = stages.left(stages.V)[0], _cragg_donald(stages, k, len(labels))
    tables, strength, tests = {}, {}, {}
    for name, variable, alone in zip(stages.names(stages.endogenous), stages.V.T, after_controls.T, strict=True):
        fit, matrix = stages.regression(variable, stages.controls, stages.instruments).fit(covariance)
        params, errors = pd.Series(fit.params, labels), pd.Series(np.sqrt(np.diag(matrix)), labels)
        tables[name] = coefficient_table(params, errors, df)
        statistic = wald_statistic(fit.params[-k:], matrix[-k:, -k:]) / k
        tests[name] = Test.of("First-stage F 第一阶段 F", null, statistic, "F", (k, df), {"endogenous": name})
        strength[name] = {
            "partial_r2": float(1 - fit.residuals @ fit.residuals / (alone @ alone)),
            "partial_f": statistic,
            "p_value": tests[name].p_value,
            "cragg_donald": cragg_donald,
        }
        if stages.V.shape[1] == 1:
            effective, critical = _effective_f(stages, fit.params[-k:], matrix[-k:, -k:])
            strength[name] |= {"effective_f": effective, "effective_f_critical": critical}
            strength[name]["stock_yogo"] = STOCK_YOGO[k - 1] if k <= len(STOCK_YOGO) else np.nan
    weakest = min(tests.values(), key=lambda test: test.statistic)
    table = pd.DataFrame.from_dict(strength, orient="index").rename_axis("endogenous")
    return pd.concat(tables, names=["endogenous", "variable"]), table, weakest


def _check_identified(stages: _Stages) -> None:
    for others in (stages.instruments, stages.endogenous):
        check_rank(stages.columns(stages.controls, others), stages.names(stages.controls, others))
    explained = stages.fitted(stages.V, "all") - stages.fitted(stages.V, "controls")
    scaled = explained / np.linalg.norm(stages.V, axis=0)
    if np.linalg.svd(scaled, compute_uv=False)[-1] < NOTHING_LEFT:
        raise InvalidInputError(
            f"the instruments do not tell {', '.join(stages.names(stages.endogenous))} from each other and from the "
            "exogenous variables: look for others"
        )


def _kappa(stages: _Stages, method: str) -> float:
    """Return LIML's smallest root of |Y'M_W Y - k Y'M_A Y| = 0 with A all exogenous variables; one for 2SLS."""
    from scipy.linalg import eigh

    if method == "2sls":
        return 1.0
    left = stages.left(np.column_stack([stages.design.y, stages.V]))
    return float(eigh(*_products(left), eigvals_only=True)[0])


def _k_class(stages: _Stages, kappa: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the estimates, the inverse of the cross-products, the residuals and the regressors' projections."""
    X, y = stages.columns(stages.controls, stages.endogenous), stages.design.y
    projections = stages.fitted(X, "all")
    # X'(I - kappa M)X = R'(I - (kappa - 1) F'F)R with the projections QR and F what they leave, over R.
    scale = np.linalg.norm(projections, axis=0)
    Q, R = np.linalg.qr(projections / scale)
    R_inverse = np.linalg.inv(R) / scale[:, None]
    F = (X - projections) @ R_inverse
    root = R_inverse @ np.linalg.inv(np.eye(len(R)) - (kappa - 1) * F.T @ F)
    params = root @ (Q.T @ y - (kappa - 1) * F.T @ y)
    return params, root @ R_inverse.T, y - X @ params, projections


def _endogeneity(stages: _Stages, covariance: Covariance) -> Test:
    """Regress with the first stages' residuals added and test that they do not matter."""
    names = stages.names(stages.endogenous)
    regression = stages.regression(stages.design.y, stages.controls, stages.endogenous)
    residuals, q, statistic = stages.left(stages.V)[1], len(names), np.nan
    # An endogenous variable that the instruments account for wholly leaves no residuals to test.
    if (np.linalg.norm(residuals, axis=0) > NOTHING_LEFT * np.linalg.norm(stages.V, axis=0)).all():
        labels = (*regression.names, *(f"{name} residual" for name in names))
        X = np.column_stack([regression.X, residuals])
        fit, matrix = replace(regression, X=X, names=labels).fit(covariance)
        statistic = wald_statistic(fit.params[-q:], matrix[-q:, -q:]) / q
    df = (q, covariance.df(len(regression.names) + q, stages.layout))
    null = "the variables are exogenous 变量外生"
    return Test.of("Wu-Hausman 内生性检验", null, statistic, "F", df, covariance.settings)


def _overidentification(stages: _Stages, residuals: np.ndarray, covariance: Covariance) -> Test | None:
    degrees = len(stages.names(stages.instruments)) - len(stages.names(stages.endogenous))
    if degrees == 0:
        return None
    null = "the instruments are exogenous 工具变量外生"
    if covariance.kind == "classical":
        explained = stages.fitted(residuals, "all")
        n = stages.layout.rows - stages.layout.absorbed
        statistic = float(n * (explained @ explained) / (residuals @ residuals))
        return Test.of("Sargan 过度识别检验", null, statistic, "chi2", degrees, covariance.settings)
    A = stages.columns(stages.controls, stages.instruments)
    X = stages.columns(stages.controls, stages.endogenous)
    A = A / np.linalg.norm(A, axis=0)
    weight = covariance.meat(A * residuals[:, None], stages.layout)
    values = np.linalg.eigvalsh(weight)
    if values[0] <= 1e-12 * values[-1]:
        raise InvalidInputError(
            f"{A.shape[1]} exogenous variables and instruments are too many for the {covariance.kind} errors of the "
            "Hansen test: use fewer, or clusters of which there are more"
        )
    cross = A.T @ (X / np.linalg.norm(X, axis=0))
    solved = np.linalg.solve(weight, np.column_stack([cross, A.T @ stages.design.y]))
    params = np.linalg.solve(cross.T @ solved[:, :-1], cross.T @ solved[:, -1])
    moments = A.T @ stages.design.y - cross @ params
    statistic = float(moments @ np.linalg.solve(weight, moments))
    return Test.of("Hansen J 过度识别检验", null, statistic, "chi2", degrees, covariance.settings)


def _check_roles(y: str, x: list[str], endogenous: list[str], instruments: list[str]) -> None:
    if not endogenous:
        raise InvalidInputError("no endogenous variable: use fixed_effects")
    listed = [y, *x, *endogenous, *instruments]
    repeated = sorted({str(name) for name in listed if listed.count(name) > 1})
    if repeated:
        raise InvalidInputError(f"in more than one role: {', '.join(repeated)}; x are the exogenous variables alone")
    if len(instruments) < len(endogenous):
        raise InvalidInputError(
            f"{len(instruments)} instrument(s) for {len(endogenous)} endogenous variable(s): there must be at least "
            "as many"
        )


def instrumental_variables(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    endogenous: str | Iterable[str],
    instruments: str | Iterable[str],
    effects: str = "twoway",
    cov: str = "cluster",
    *,
    method: str = "2sls",
    cluster: str | pd.Series = "entity",
    bandwidth: int | None = None,
    places: GeoDataFrame | pd.DataFrame | None = None,
    cutoff: float | None = None,
    kernel: str = "bartlett",
    small_sample: bool | str = True,
) -> InstrumentalResult:
    r"""Instrumental variables (工具变量法) by two-stage least squares (两阶段最小二乘法) or LIML, with fixed effects.

    On within-transformed variables, with :math:`P` the projection on all exogenous variables and :math:`M = I - P`,

    .. math:: \hat\beta = \big(X'(I - \kappa M)X\big)^{-1} X'(I - \kappa M)y,

    where :math:`\kappa = 1` for 2SLS and the smallest root of :math:`|Y'M_1Y - \kappa Y'MY| = 0` for LIML. Covariances
    are those of :func:`fixed_effects` with the rows of :math:`PX` as regressors and the inverse above.

    ``weak_instruments`` has a row for each endogenous variable: ``partial_r2`` and ``partial_f`` of the instruments in
    its first stage, under the errors of ``cov`` (with one endogenous variable Kleibergen and Paap's rk Wald F) with
    ``p_value``; ``cragg_donald``, the same for all, under classical errors. With one endogenous variable also
    ``effective_f`` of Montiel Olea and Pflueger, under ``cov``, with ``effective_f_critical``: above it the Nagar bias
    of 2SLS is at most 10 % of the worst case, at the 5 % level, by their simplified procedure; and ``stock_yogo``:
    where Cragg and Donald's statistic is above it, a 5 % test of 2SLS rejects at most 10 %, for errors of one variance.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
        Exogenous variables, which may be none: ``[]``.
    endogenous, instruments : str or iterable of str
        At least as many excluded instruments as endogenous variables.
    effects, cov, cluster, bandwidth, places, cutoff, kernel, small_sample
        As in :func:`fixed_effects`.
    method : {"2sls", "liml"}

    Returns
    -------
    InstrumentalResult
        ``r2_within`` can be negative.

    Raises
    ------
    InvalidInputError
        As :func:`fixed_effects`, for a variable in two roles, too few instruments, or more of them than the Hansen test
        has clusters.
    UnknownNameError
        For a name that is no column, or an unknown option.

    References
    ----------
    Wooldridge, J. M. (2010). Econometric Analysis of Cross Section and Panel Data, 2nd ed., ch. 5 and 11. MIT Press.
    Kleibergen, F. and Paap, R. (2006). Journal of Econometrics 133, 97-126. Montiel Olea, J. L. and Pflueger, C.
    (2013). Journal of Business & Economic Statistics 31, 358-369. Stock, J. H. and Yogo, M. (2005), in Identification
    and Inference for Econometric Models, table 5.2. Cambridge University Press.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(2)
    >>> index = pd.MultiIndex.from_product([range(50), range(6)], names=["unit", "year"])
    >>> data = pd.DataFrame(random.normal(size=(300, 3)), columns=["z", "u", "y"], index=index)
    >>> data["x"] = data["z"] + data["u"]
    >>> data["y"] += data["x"] + data["u"]
    >>> result = instrumental_variables(data, "y", [], "x", "z")
    >>> bool(abs(result.params["x"] - 1) < 0.2), bool(result.endogeneity.p_value < 0.001)
    (True, True)
    """
    [y], x = as_names([y], "y"), as_names(x, "x")
    endogenous, instruments = as_names(endogenous, "endogenous"), as_names(instruments, "instruments")
    check_choice("method", method, METHODS)
    _check_roles(y, x, endogenous, instruments)
    design = make_design(data, y, [*x, *endogenous, *instruments], effects)
    last = len(design.names) - len(instruments)
    first = last - len(endogenous)
    stages = _Stages(design, slice(0, first), slice(first, last), slice(last, None))
    options = {"cluster": cluster, "bandwidth": bandwidth, "places": places, "cutoff": cutoff, "kernel": kernel}
    covariance = make_covariance(cov, design.layout, small_sample=small_sample, **options)
    _check_identified(stages)
    first_stage, weak_instruments, first_stage_f = _first_stages(stages, covariance)
    kappa = _kappa(stages, method)
    params, inverse, residuals, projections = _k_class(stages, kappa)
    matrix = covariance.of(inverse, projections * residuals[:, None], residuals, design.layout)
    outcome = stages.regression(design.y, stages.controls, stages.endogenous)
    settings = {"method": method, "y": y, "x": tuple(x), "endogenous": tuple(endogenous)}
    settings |= {"instruments": tuple(instruments), "effects": effects, **covariance.settings}
    return InstrumentalResult(
        **panel_fields(outcome, params, matrix, residuals, covariance),
        statistics={"kappa": kappa},
        settings=settings,
        first_stage=first_stage,
        weak_instruments=weak_instruments,
        first_stage_f=first_stage_f,
        endogeneity=_endogeneity(stages, covariance),
        overidentification=_overidentification(stages, residuals, covariance),
    )

"""Instrumental variables (工具变量法) in panels, with what tells how far to trust them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_level, check_number
from clusterlib.core.covariance import Covariance, make_covariance, wald_statistic
from clusterlib.core.results import Result, Test, coefficient_table
from clusterlib.core.within import NOTHING_LEFT, check_rank, least_squares
from clusterlib.errors import InvalidInputError
from clusterlib.panel._regression import Design, PanelResult, make_design, panel_fields

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

METHODS = ("2sls", "liml")
# Stock and Yogo (2005), table 5.2: one endogenous variable, 10 % maximal size, by the number of instruments.
STOCK_YOGO = (16.38, 19.93, 22.30, 24.58, 26.87, 29.18, 31.50, 33.84, 36.19, 38.54)
WORST_BIAS, SIGNIFICANCE = 0.10, 0.05


@dataclass(frozen=True, eq=False)
class AndersonRubin:
    r"""Anderson and Rubin's inference about the coefficient of one endogenous variable (安德森-鲁宾检验).

    Where the coefficient is :math:`b`, the instruments do not move :math:`y - b d`. With
    :math:`\hat\gamma, \hat\pi` the instruments' coefficients in the reduced forms of y and of the endogenous variable
    d, given the exogenous ones,

    .. math:: AR(b) = (\hat\gamma - b \hat\pi)' \hat V(b)^{-1} (\hat\gamma - b \hat\pi) / k \sim F_{k, \nu}, \quad
              \hat V(b) = V_{\gamma\gamma} - b (V_{\gamma\pi} + V_{\pi\gamma}) + b^2 V_{\pi\pi}

    with the covariance that the regression has. With instruments to spare it also rejects where they are not valid.

    Attributes
    ----------
    reduced : ndarray, shape (2, instruments)
        :math:`\hat\gamma` and :math:`\hat\pi`.
    blocks : ndarray, shape (2, 2, instruments, instruments)
        Their covariance.
    df : int
        :math:`\nu`.

    References
    ----------
    Anderson, T. W. and Rubin, H. (1949). Annals of Mathematical Statistics 20, 46-63. Andrews, I., Stock, J. H. and
    Sun, L. (2019). Weak instruments in instrumental variables regression. Annual Review of Economics 11, 727-753,
    section 5.1.
    """

    reduced: np.ndarray
    blocks: np.ndarray
    df: int

    def test(self, value: float = 0.0) -> Test:
        """Test that the coefficient is ``value``."""
        sides = np.array([1.0, -check_number("value", value)])
        k = self.reduced.shape[1]
        statistic = wald_statistic(sides @ self.reduced, np.einsum("a,b,abij", sides, sides, self.blocks)) / k
        null = f"the coefficient is {value:g} 系数等于该值"
        return Test.of("Anderson-Rubin 安德森-鲁宾检验", null, statistic, "F", (k, self.df), {"value": value})

    def confidence_set(self, level: float = 0.95) -> tuple[tuple[float, float], ...]:
        """Return the values that the test does not reject, as intervals in order.

        They may be none, and reach to infinity where the instruments are weak. Their ends are exact: with c the
        quantile of F they solve :math:`|c k V(b) - (\\gamma - b \\pi)(\\gamma - b \\pi)'| = 0`.
        """
        from scipy.linalg import eigvals
        from scipy.stats import f

        k, alpha = self.reduced.shape[1], 1 - check_level(level)
        # In units in which coefficients and roots are of order one.
        errors = np.sqrt([np.diag(self.blocks[side, side]) for side in (0, 1)])
        scale = float(np.median(errors[0] / errors[1]))
        units = np.array([[1.0], [scale]]) / (scale * errors[1])
        bound = k * f.isf(alpha, k, self.df) * self.blocks - np.einsum("ai,bj->abij", self.reduced, self.reduced)
        bound = bound * np.einsum("ai,bj->abij", units, units)
        nil, one = np.zeros((k, k)), np.eye(k)
        right = np.block([[one, nil], [nil, bound[1, 1]]])
        found: Any = eigvals(np.block([[nil, one], [-bound[0, 0], bound[0, 1] + bound[1, 0]]]), right)
        real = np.isfinite(found) & (np.abs(found.imag) <= 1e-8 * (1 + np.abs(found)))
        ends = np.unique(found.real[real]) * scale
        edges = np.concatenate([[-np.inf], ends, [np.inf]])
        far = scale + np.abs(ends).max(initial=0)
        inside = (np.append(-far, ends) + np.append(ends, far)) / 2 if len(ends) else np.zeros(1)
        kept = [self.test(value).p_value >= alpha for value in inside]
        change = np.diff(np.concatenate([[0], kept, [0]]))
        return tuple(zip(edges[change == 1].tolist(), edges[change == -1].tolist(), strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class InstrumentalResult(PanelResult):
    """Regression by instrumental variables (工具变量回归).

    Further to :class:`PanelResult`:

    Attributes
    ----------
    first_stage : DataFrame
        Coefficients of each endogenous variable's regression, by (endogenous, variable).
    weak_instruments : DataFrame
        By endogenous variable; see :func:`instrumental_variables`.
    first_stage_f : Test
        That the instruments do not move the endogenous variable, of several the one that they move least.
    anderson_rubin : AndersonRubin or None
        Test and confidence set of the coefficient that hold however weak the instruments are; None with several
        endogenous variables.
    endogeneity : Test
        Wu-Hausman.
    overidentification : Test or None
        Sargan with classical errors, else Hansen; None with as many instruments as endogenous variables.
    """

    first_stage: pd.DataFrame = field(repr=False)
    weak_instruments: pd.DataFrame = field(repr=False)
    first_stage_f: Test
    anderson_rubin: AndersonRubin | None = field(repr=False)
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
    """Within-transformed variables: y on controls and endogenous variables, and the exogenous ones, controls first."""

    second: Design
    exogenous: Design
    controls: int

    @property
    def V(self) -> np.ndarray:
        """The endogenous variables."""
        return self.second.X[:, self.controls :]

    @property
    def endogenous(self) -> tuple[str, ...]:
        return self.second.names[self.controls :]

    @property
    def instruments(self) -> int:
        return len(self.exogenous.names) - self.controls

    @cached_property
    def basis(self) -> np.ndarray:
        """Orthonormal columns: the first span the controls, the others what the instruments add to them."""
        return np.linalg.qr(self.exogenous.X / np.linalg.norm(self.exogenous.X, axis=0))[0]

    def fitted(self, values: np.ndarray) -> np.ndarray:
        """Project ``values`` on all exogenous variables."""
        return self.basis @ (self.basis.T @ values)

    def explained(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of ``values`` along what the instruments add to the controls."""
        return self.basis[:, self.controls :].T @ values

    def smallest_root(self, values: np.ndarray) -> float:
        """Return the smallest root r of |V'(P - P_W)V - r V'MV| = 0: what the instruments add over what they leave."""
        from scipy.linalg import eigh

        added, left = self.explained(values), values - self.fitted(values)
        # A variable of which they leave nothing must not make the matrix singular: its root is large.
        least = np.diag(NOTHING_LEFT**2 * (values**2).sum(axis=0))
        return float(eigh(added.T @ added, left.T @ left + least, eigvals_only=True)[0])


def _effective_f(stages: _Stages, params: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """Return Montiel Olea and Pflueger's effective F and its simplified critical value for 2SLS.

    In the metric of the instruments, controls taken out, the first-stage estimates are b and their covariance V:
    F = b'b / tr V. The critical value is a quantile of a scaled noncentral chi-squared (their section 4, x = 1 / tau).
    """
    from scipy.stats import ncx2

    R = stages.explained(stages.exogenous.X[:, stages.controls :])
    b, V = R @ params, R @ matrix @ R.T
    x, trace, largest = 1 / WORST_BIAS, np.trace(V), np.linalg.eigvalsh(V)[-1]
    effective = trace**2 * (1 + 2 * x) / (np.sum(V**2) + 2 * x * trace * largest)
    return float(b @ b / trace), float(ncx2.ppf(1 - SIGNIFICANCE, effective, effective * x) / effective)


def _first_stages(stages: _Stages, covariance: Covariance) -> tuple[pd.DataFrame, pd.DataFrame, Test]:
    """Return the coefficients of the first stages, how strong the instruments are in each, and the F of the weakest."""
    k, layout, labels = stages.instruments, stages.second.layout, list(stages.exogenous.names)
    df, null = covariance.df(len(labels), layout), "the instruments do not move the variable 工具变量无关"
    cragg_donald = stages.smallest_root(stages.V) * (layout.rows - len(labels) - layout.absorbed) / k
    tables, strength, tests = {}, {}, {}
    for name, variable in zip(stages.endogenous, stages.V.T, strict=True):
        fit, matrix = replace(stages.exogenous, y=variable).fit(covariance)
        params, errors = pd.Series(fit.params, labels), pd.Series(np.sqrt(np.diag(matrix)), labels)
        tables[name] = coefficient_table(params, errors, df)
        statistic = wald_statistic(fit.params[-k:], matrix[-k:, -k:]) / k
        tests[name] = Test.of("First-stage F 第一阶段 F", null, statistic, "F", (k, df), {"endogenous": name})
        added = float(np.sum(stages.explained(variable) ** 2))
        strength[name] = {
            "partial_r2": added / (added + float(fit.residuals @ fit.residuals)),
            "partial_f": statistic,
            "p_value": tests[name].p_value,
            "cragg_donald": cragg_donald,
        }
        if len(stages.endogenous) == 1:
            effective, critical = _effective_f(stages, fit.params[-k:], matrix[-k:, -k:])
            strength[name] |= {"effective_f": effective, "effective_f_critical": critical}
            strength[name]["stock_yogo"] = STOCK_YOGO[k - 1] if k <= len(STOCK_YOGO) else np.nan
    weakest = min(tests.values(), key=lambda test: test.statistic)
    table = pd.DataFrame.from_dict(strength, orient="index").rename_axis("endogenous")
    return pd.concat(tables, names=["endogenous", "variable"]), table, weakest


def _anderson_rubin(stages: _Stages, covariance: Covariance) -> AndersonRubin | None:
    if len(stages.endogenous) > 1:
        return None
    k, exogenous, layout = stages.instruments, stages.exogenous, stages.second.layout
    columns = len(exogenous.names)
    fits = [
        least_squares(values, exogenous.X, exogenous.names, layout.absorbed)
        for values in (stages.second.y, stages.V[:, 0])
    ]
    df, inverse = covariance.df(columns, layout), fits[0].inverse
    residuals = np.column_stack([fit.residuals for fit in fits])
    if covariance.kind == "classical":
        blocks = np.kron(residuals.T @ residuals / df, inverse)
    else:
        both = np.kron(np.eye(2), inverse)
        scores = np.hstack([exogenous.X * residuals[:, [j]] for j in (0, 1)])
        blocks = covariance.factor(columns, layout) * both @ covariance.meat(scores, layout) @ both
    blocks = blocks.reshape(2, columns, 2, columns).transpose(0, 2, 1, 3)[:, :, -k:, -k:]
    return AndersonRubin(np.stack([fit.params[-k:] for fit in fits]), blocks, df)


def _check_identified(stages: _Stages) -> None:
    for design in (stages.exogenous, stages.second):
        check_rank(design.X, design.names)
    moved = stages.explained(stages.V / np.linalg.norm(stages.V, axis=0))
    if np.linalg.svd(moved, compute_uv=False)[-1] < NOTHING_LEFT:
        raise InvalidInputError(
            f"the instruments do not tell {', '.join(stages.endogenous)} from each other and from the exogenous "
            "variables: look for others"
        )


def _k_class(stages: _Stages, excess: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the estimates, the inverse of the cross-products, the residuals and the regressors' projections.

    ``excess`` is kappa less one. With the projections QR, and F what they leave of X over R, the cross-products are
    R'(I - excess F'F)R.
    """
    X, y = stages.second.X, stages.second.y
    projections = stages.fitted(X)
    scale = np.linalg.norm(projections, axis=0)
    Q, R = np.linalg.qr(projections / scale)
    R_inverse = np.linalg.inv(R) / scale[:, None]
    F = (X - projections) @ R_inverse
    root = R_inverse @ np.linalg.inv(np.eye(len(R)) - excess * F.T @ F)
    params = root @ (Q.T @ y - excess * F.T @ y)
    return params, root @ R_inverse.T, y - X @ params, projections


def _endogeneity(stages: _Stages, covariance: Covariance) -> Test:
    """Regress with the first stages' residuals added and test that they do not matter."""
    second, residuals = stages.second, stages.V - stages.fitted(stages.V)
    q, statistic = len(stages.endogenous), np.nan
    # An endogenous variable that the instruments account for wholly leaves no residuals to test.
    if (np.linalg.norm(residuals, axis=0) > NOTHING_LEFT * np.linalg.norm(stages.V, axis=0)).all():
        names = (*second.names, *(f"{name} residual" for name in stages.endogenous))
        fit, matrix = replace(second, X=np.column_stack([second.X, residuals]), names=names).fit(covariance)
        statistic = wald_statistic(fit.params[-q:], matrix[-q:, -q:]) / q
    df = (q, covariance.df(len(second.names) + q, second.layout))
    null = "the variables are exogenous 变量外生"
    return Test.of("Wu-Hausman 内生性检验", null, statistic, "F", df, covariance.settings)


def _overidentification(stages: _Stages, residuals: np.ndarray, covariance: Covariance) -> Test | None:
    degrees = stages.instruments - len(stages.endogenous)
    if degrees == 0:
        return None
    null, layout = "the instruments are exogenous 工具变量外生", stages.second.layout
    if covariance.kind == "classical":
        explained = stages.fitted(residuals)
        statistic = (layout.rows - layout.absorbed) * float(explained @ explained) / float(residuals @ residuals)
        return Test.of("Sargan 过度识别检验", null, statistic, "chi2", degrees, covariance.settings)
    A, X = (design.X / np.linalg.norm(design.X, axis=0) for design in (stages.exogenous, stages.second))
    weight = covariance.meat(A * residuals[:, None], layout)
    values = np.linalg.eigvalsh(weight)
    if values[0] <= 1e-12 * values[-1]:
        raise InvalidInputError(
            f"{A.shape[1]} exogenous variables and instruments are too many for the {covariance.kind} errors of the "
            "Hansen test: use fewer, or clusters of which there are more"
        )
    cross, moments = A.T @ X, A.T @ stages.second.y
    solved = np.linalg.solve(weight, np.column_stack([cross, moments]))
    moments = moments - cross @ np.linalg.solve(cross.T @ solved[:, :-1], cross.T @ solved[:, -1])
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
    With one instrument the effective F is the first stage's robust F. ``anderson_rubin.confidence_set()`` holds however
    weak the instruments are.

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
    second = replace(design, X=design.X[:, :last], names=design.names[:last])
    left = [*range(first), *range(last, len(design.names))]
    exogenous = replace(design, X=design.X[:, left], names=tuple(design.names[j] for j in left))
    stages = _Stages(second, exogenous, first)
    options = {"cluster": cluster, "bandwidth": bandwidth, "places": places, "cutoff": cutoff, "kernel": kernel}
    covariance = make_covariance(cov, design.layout, small_sample=small_sample, **options)
    _check_identified(stages)
    first_stage, weak_instruments, first_stage_f = _first_stages(stages, covariance)
    # LIML's kappa is one more than the smallest root with y among the variables; that of 2SLS is one.
    excess = stages.smallest_root(np.column_stack([second.y, stages.V])) if method == "liml" else 0.0
    params, inverse, residuals, projections = _k_class(stages, excess)
    matrix = covariance.of(inverse, projections * residuals[:, None], residuals, design.layout)
    settings = {"method": method, "y": y, "x": tuple(x), "endogenous": tuple(endogenous)}
    settings |= {"instruments": tuple(instruments), "effects": effects, **covariance.settings}
    return InstrumentalResult(
        **panel_fields(second, params, matrix, residuals, covariance),
        statistics={"kappa": 1 + excess},
        settings=settings,
        first_stage=first_stage,
        weak_instruments=weak_instruments,
        first_stage_f=first_stage_f,
        anderson_rubin=_anderson_rubin(stages, covariance),
        endogeneity=_endogeneity(stages, covariance),
        overidentification=_overidentification(stages, residuals, covariance),
    )

"""Instrumental variables (工具变量法) in panels, with what tells how far to trust them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names
from clusterlib.core.covariance import Covariance, make_covariance
from clusterlib.core.within import check_rank, least_squares
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel._design import Design, make_design
from clusterlib.panel._first_stage import Stages, first_stage_table, weak_instrument_table
from clusterlib.panel._regression import PanelResult, result_fields
from clusterlib.panel._specification import PanelTest, make_test, wald_statistic

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

METHODS = ("2sls", "liml")


@dataclass(frozen=True)
class InstrumentalResult(PanelResult):
    """A regression by instrumental variables; further to :class:`PanelResult`:

    Attributes
    ----------
    first_stage : DataFrame
        Coefficients of each endogenous variable's regression, by (endogenous, variable).
    weak_instruments : DataFrame
        By endogenous variable; see :func:`instrumental_variables`.
    endogeneity : PanelTest
        Wu-Hausman.
    overidentification : PanelTest or None
        Sargan with classical errors, else Hansen; None with as many instruments as endogenous variables.
    """

    first_stage: pd.DataFrame
    weak_instruments: pd.DataFrame
    endogeneity: PanelTest
    overidentification: PanelTest | None

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        extra = {"First-stage F 第一阶段 F": float(self.weak_instruments["partial_f"].min())}
        if self.overidentification is not None:
            extra["Overidentification p 过度识别 p 值"] = self.overidentification.p_value
        return {name: value for name, value in super().footer.items() if "R²" not in name} | extra

    def tests(self) -> pd.DataFrame:
        """Return the tests of endogeneity and of the instruments, one a row."""
        done = [test for test in (self.endogeneity, self.overidentification) if test is not None]
        return pd.concat([test.summary() for test in done])


def _stages(design: Design, exogenous: int, endogenous: int) -> Stages:
    """Take the endogenous variables and the instruments from the columns of the design, which stand last."""
    names, X = list(design.names), design.X
    controls = X.shape[1] - endogenous - exogenous
    blocks = [slice(0, controls), slice(controls, controls + endogenous), slice(controls + endogenous, None)]
    W, V, Z = (X[:, block] for block in blocks)
    labels = [tuple(names[block]) for block in blocks]
    check_rank(np.column_stack([W, Z]), [*labels[0], *labels[2]])
    check_rank(np.column_stack([W, V]), [*labels[0], *labels[1]])
    return Stages(design.layout, design.y, W, V, Z, *labels)


def _kappa(stages: Stages, method: str) -> float:
    """Return LIML's smallest root of |Y'M_W Y - k Y'M_A Y| = 0 with A all exogenous variables; one for 2SLS."""
    from scipy.linalg import eigh

    if method == "2sls":
        return 1.0
    Y = np.column_stack([stages.y, stages.endogenous])
    after_controls, after_all = (Y - stages.fitted(Y, by) for by in ("controls", "all"))
    roots = eigh(after_controls.T @ after_controls, after_all.T @ after_all, eigvals_only=True)
    return float(roots[0])


def _k_class(stages: Stages, kappa: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the estimates, the inverse of the cross-products, the residuals and the regressors' projections."""
    X = np.column_stack([stages.controls, stages.endogenous])
    projections = stages.fitted(X, "all")
    mixed = (1 - kappa) * X + kappa * projections
    inverse = np.linalg.inv(mixed.T @ X)
    params = inverse @ (mixed.T @ stages.y)
    return params, inverse, stages.y - X @ params, projections


def _check_identified(stages: Stages) -> None:
    explained = stages.fitted(stages.endogenous, "all") - stages.fitted(stages.endogenous, "controls")
    scaled = explained / np.linalg.norm(stages.endogenous, axis=0)
    if np.linalg.svd(scaled, compute_uv=False)[-1] < 1e-9:
        raise InvalidInputError(
            f"the instruments do not tell {', '.join(stages.endogenous_names)} from each other and from the exogenous "
            "variables: look for others"
        )


def _endogeneity(stages: Stages, covariance: Covariance) -> PanelTest:
    """Regress with the first stages' residuals added and test that they do not matter."""
    residuals = stages.endogenous - stages.fitted(stages.endogenous, "all")
    X = np.column_stack([stages.controls, stages.endogenous, residuals])
    labels = [*stages.control_names, *stages.endogenous_names, *(f"{n} residual" for n in stages.endogenous_names)]
    fit = least_squares(stages.y, X, labels, stages.layout.absorbed)
    matrix = covariance.of(fit.inverse, X * fit.residuals[:, None], fit.residuals, stages.layout)
    q = len(stages.endogenous_names)
    statistic = wald_statistic(fit.params[-q:], matrix[-q:, -q:]) / q
    df = (q, covariance.df(X.shape[1], stages.layout))
    null = "the variables are exogenous 变量外生"
    return make_test("Wu-Hausman 内生性检验", null, statistic, "F", df, covariance.settings)


def _overidentification(stages: Stages, residuals: np.ndarray, covariance: Covariance) -> PanelTest | None:
    degrees = len(stages.instrument_names) - len(stages.endogenous_names)
    if degrees == 0:
        return None
    null = "the instruments are exogenous 工具变量外生"
    if covariance.kind == "classical":
        explained = stages.fitted(residuals[:, None], "all")[:, 0]
        n = stages.layout.rows - stages.layout.absorbed
        statistic = n * (explained @ explained) / (residuals @ residuals)
        return make_test("Sargan 过度识别检验", null, statistic, "chi2", (degrees,), covariance.settings)
    A, X = stages.all_exogenous, np.column_stack([stages.controls, stages.endogenous])
    A = A / np.linalg.norm(A, axis=0)
    weight = covariance.meat(A * residuals[:, None], stages.layout)
    values = np.linalg.eigvalsh(weight)
    if values[0] <= 1e-12 * values[-1]:
        raise InvalidInputError(
            f"{A.shape[1]} exogenous variables and instruments are too many for the {covariance.kind} errors of the "
            "Hansen test: use fewer, or clusters of which there are more"
        )
    cross = A.T @ X
    solved = np.linalg.solve(weight, np.column_stack([cross, A.T @ stages.y]))
    params = np.linalg.solve(cross.T @ solved[:, :-1], cross.T @ solved[:, -1])
    moments = A.T @ (stages.y - X @ params)
    statistic = moments @ np.linalg.solve(weight, moments)
    return make_test("Hansen J 过度识别检验", null, statistic, "chi2", (degrees,), covariance.settings)


def _check_roles(y: str, x: list[str], endogenous: list[str], instruments: list[str], method: str) -> None:
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if not endogenous:
        raise InvalidInputError("no endogenous variable: use fixed_effects")
    listed = [y, *x, *endogenous, *instruments]
    repeated = sorted({name for name in listed if listed.count(name) > 1})
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
    x, endogenous, instruments = as_names(x), as_names(endogenous), as_names(instruments)
    _check_roles(y, x, endogenous, instruments, method)
    full = make_design(data, y, x, effects, [*endogenous, *instruments])
    stages = _stages(full, len(instruments), len(endogenous))
    layout = full.layout
    options = {"cluster": cluster, "bandwidth": bandwidth, "places": places, "cutoff": cutoff, "kernel": kernel}
    covariance = make_covariance(cov, layout, small_sample=small_sample, **options)
    _check_identified(stages)
    kappa = _kappa(stages, method)
    params, inverse, residuals, projections = _k_class(stages, kappa)
    matrix = covariance.of(inverse, projections * residuals[:, None], residuals, layout)
    names = (*stages.control_names, *stages.endogenous_names)
    design = Design(layout, names, full.y, projections)
    settings = {"method": method, "y": y, "x": tuple(x), "endogenous": tuple(endogenous)}
    settings |= {"instruments": tuple(instruments), "effects": effects, **covariance.settings}
    return InstrumentalResult(
        **result_fields(design, params, matrix, residuals, covariance),
        statistics={"kappa": kappa},
        settings=settings,
        first_stage=first_stage_table(stages, covariance),
        weak_instruments=weak_instrument_table(stages, covariance),
        endogeneity=_endogeneity(stages, covariance),
        overidentification=_overidentification(stages, residuals, covariance),
    )

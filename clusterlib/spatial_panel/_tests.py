"""Tests for spatial dependence, and of what a spatial panel model may leave out (空间相关与约束检验)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names
from clusterlib.core.covariance import wald_statistic
from clusterlib.core.results import Result, Test
from clusterlib.core.within import NOTHING_LEFT
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel._design import make_design, spatial_lag
from clusterlib.spatial_panel._estimation import SpatialEstimates

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

NESTED = {
    "sar": ("sdm", "sac"),
    "sem": ("sdm", "sdem", "sac"),
    "slx": ("sdm", "sdem"),
}
_LM_TESTS = {
    "lm_lag": ("LM lag", "no spatial lag", 1),
    "lm_error": ("LM error", "no spatial error", 1),
    "robust_lm_lag": ("robust LM lag", "no spatial lag, whatever the error", 1),
    "robust_lm_error": ("robust LM error", "no spatial error, whatever the lag", 1),
    "lm_sarma": ("LM SARMA", "neither spatial lag nor spatial error", 2),
}


@dataclass(frozen=True, eq=False)
class LagrangeMultiplierTests(Result):
    """Lagrange multiplier tests for spatial dependence (拉格朗日乘子检验).

    Attributes
    ----------
    tests : mapping of str to Test
        ``lm_lag``, ``lm_error``, ``robust_lm_lag``, ``robust_lm_error`` and ``lm_sarma``.
    effects : str
    nobs : int
    """

    tests: Mapping[str, Test] = field(repr=False)
    effects: str
    nobs: int
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """By test: ``statistic``, ``df`` and ``p_value``."""
        rows = {name: (test.statistic, test.df, test.p_value) for name, test in self.tests.items()}
        table = pd.DataFrame.from_dict(rows, "index", columns=["statistic", "df", "p_value"])
        return table.rename_axis("test")


def lm_tests(
    data: pd.DataFrame, y: str, x: str | Iterable[str], w: WeightsLike, effects: str = "none"
) -> LagrangeMultiplierTests:
    r"""Lagrange multiplier tests for a spatial lag or spatial error (空间滞后与空间误差的LM检验).

    Of the residuals :math:`e` of least squares on demeaned data, with :math:`\hat\sigma^2 = e'e / nT`,
    :math:`M` the residual maker of X and :math:`T_W = T \operatorname{tr}(W W + W' W)`:

    .. math:: J = \frac{(W X b)' M (W X b)}{\hat\sigma^2} + T_W, \quad s_y = \frac{e' W y}{\hat\sigma^2},
              \quad s_e = \frac{e' W e}{\hat\sigma^2},

    .. math:: LM_{lag} = \frac{s_y^2}{J}, \quad LM_{err} = \frac{s_e^2}{T_W}, \quad
              RLM_{lag} = \frac{(s_y - s_e)^2}{J - T_W}, \quad
              RLM_{err} = \frac{(s_e - s_y T_W / J)^2}{T_W (1 - T_W / J)}

    and :math:`LM_{SARMA} = LM_{lag} + RLM_{err}`. The robust tests allow for the other kind of dependence. The
    variables are demeaned once, and their spatial lags are taken of the demeaned variables.

    Parameters
    ----------
    data, y, x, w, effects
        As :func:`clusterlib.spatial_panel.spatial_panel`; ``effects="none"`` is the pooled panel with a constant.

    Returns
    -------
    LagrangeMultiplierTests
        Chi-squared with one degree of freedom, two for SARMA. Where :math:`W X b` is a combination of X, as with
        weights that are the same for all units, the robust tests and SARMA do not exist and are missing.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.spatial_panel.spatial_panel`.

    References
    ----------
    Anselin, L., Bera, A. K., Florax, R. and Yoon, M. J. (1996). Simple diagnostic tests for spatial dependence.
    Regional Science and Urban Economics 26, 77-104. Elhorst, J. P. (2010). Spatial panel data models. In Fischer and
    Getis (eds), Handbook of Applied Spatial Analysis, section C.2. Springer.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x, e = np.random.default_rng(0).normal(size=(2, 20, 8))
    >>> y = np.linalg.solve(np.eye(20) - 0.5 * ring, x + e)
    >>> index = pd.MultiIndex.from_product([range(20), range(8)])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> lm_tests(panel, "y", "x", ring, "twoway").tests["robust_lm_lag"].p_value < 0.05
    True
    """
    design = make_design(data, y, x, w, effects)
    response = design.response.ravel()
    left = design.left(response)
    variance = left @ left / len(left)
    lag_y, lag_left, lag_mean = (
        spatial_lag(design.weights, values.reshape(design.shape)).ravel()
        for values in (response, left, response - left)
    )
    unexplained = design.left(lag_mean)
    matrix = design.weights.matrix
    traces = design.shape[1] * float(matrix.multiply(matrix.T).sum() + matrix.multiply(matrix).sum())
    apart, notes = float(unexplained @ unexplained / variance), ()
    if np.linalg.norm(unexplained) <= NOTHING_LEFT * np.linalg.norm(lag_mean):
        apart, notes = np.nan, ("W X b is a combination of X: lag and error cannot be told apart",)
    spread = traces if np.isnan(apart) else apart + traces
    lag, error = left @ lag_y / variance, left @ lag_left / variance
    statistics = {
        "lm_lag": lag**2 / spread,
        "lm_error": error**2 / traces,
        "robust_lm_lag": (lag - error) ** 2 / apart,
        "robust_lm_error": (error - traces / spread * lag) ** 2 / (traces * (apart / spread)),
    }
    statistics["lm_sarma"] = statistics["lm_lag"] + statistics["robust_lm_error"]
    tests = {
        key: Test.of(name, null, float(statistics[key]), "chi2", df, {"effects": effects})
        for key, (name, null, df) in _LM_TESTS.items()
    }
    return LagrangeMultiplierTests(tests, effects, len(left), notes)


def _check_result(result: SpatialEstimates) -> None:
    if not isinstance(result, SpatialEstimates):
        raise InvalidInputError(f"expected the result of a spatial model, got a {type(result).__name__}")


def _common_factor(result: SpatialEstimates) -> tuple[np.ndarray, pd.DataFrame]:
    r"""Values and derivatives of :math:`\theta + \rho \beta`."""
    if result.durbin != result.x:
        raise InvalidInputError("SEM is nested in SDM only if every x is lagged: estimate without durbin=")
    own, lags = result.params[list(result.x)], result.params[[f"W_{name}" for name in result.x]]
    rho = result.params["rho"]
    slope = pd.DataFrame(0.0, index=list(result.x), columns=result.params.index)
    for name in result.x:
        slope.loc[name, f"W_{name}"] = 1.0
        slope.loc[name, name] = rho
    slope["rho"] = own.to_numpy()
    return lags.to_numpy() + rho * own.to_numpy(), slope


def _restriction(result: SpatialEstimates, restriction: str | Iterable[str]) -> tuple[str, np.ndarray, pd.DataFrame]:
    if isinstance(restriction, str) and restriction in NESTED:
        if result.model != "sdm":
            raise InvalidInputError(
                f"that SDM reduces to {restriction.upper()} is a restriction of 'sdm', this is {result.model!r}"
            )
        if restriction == "sem":
            return ("common factor: theta + rho beta = 0 (SDM reduces to SEM)", *_common_factor(result))
        zero = [f"W_{name}" for name in result.durbin] if restriction == "sar" else ["rho"]
        text = ("theta" if restriction == "sar" else "rho") + f" = 0 (SDM reduces to {restriction.upper()})"
    else:
        zero = as_names(restriction, "restriction")
        for name in zero:
            if name not in result.params.index:
                raise UnknownNameError("parameter", name, result.params.index, "or one of 'sar', 'sem', 'slx'")
        if not zero or len(set(zero)) < len(zero):
            raise InvalidInputError("restriction: expected parameters to test against zero, each once")
        text = " = ".join(zero) + " = 0"
    slope = pd.DataFrame(0.0, index=zero, columns=result.params.index)
    for name in zero:
        slope.loc[name, name] = 1.0
    return text, result.params[zero].to_numpy(), slope


def wald_test(result: SpatialEstimates, restriction: str | Iterable[str]) -> Test:
    r"""Wald test (瓦尔德检验) of whether SDM reduces to a simpler model, or parameters are zero.

    For the restrictions :math:`g(\theta) = 0` with derivatives :math:`D` (delta method),

    .. math:: W = g' (D V D')^{-1} g \sim \chi^2_q

    Parameters
    ----------
    result : SpatialPanelResult, DynamicSpatialPanelResult or TwoWeightsResult
    restriction : {"sar", "sem", "slx"} or iterable of str
        Of SDM: to SAR, :math:`\theta = 0`; to SEM, the common factor :math:`\theta + \rho \beta = 0` (every x lagged);
        to SLX, :math:`\rho = 0`. Or names of parameters of any model that are zero together.

    Returns
    -------
    Test

    Raises
    ------
    InvalidInputError
        If the model does not nest the restricted one.
    UnknownNameError
        For a parameter that the model does not have.

    References
    ----------
    Elhorst, J. P. (2014). Spatial Econometrics, section 2.7. Springer. Burridge, P. (1981). Journal of the Royal
    Statistical Society B 43, 41-45.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.spatial_panel import spatial_panel
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x = np.random.default_rng(0).normal(size=(20, 8))
    >>> y = x + 0.5 * ring @ x + np.random.default_rng(1).normal(size=(20, 8))
    >>> index = pd.MultiIndex.from_product([range(20), range(8)])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> wald_test(spatial_panel(panel, "y", "x", ring, "sdm", "twoway"), "sar").p_value < 0.01
    True
    """
    _check_result(result)
    null, values, slope = _restriction(result, restriction)
    names = list(result.params.index)
    covariance = slope.to_numpy() @ result.covariance.loc[names, names].to_numpy() @ slope.to_numpy().T
    return Test.of("Wald", null, wald_statistic(values, covariance), "chi2", len(values))


def likelihood_ratio_test(unrestricted: SpatialEstimates, restricted: SpatialEstimates | None = None) -> Test:
    r"""Likelihood-ratio test (似然比检验) of a model against one that it nests.

    .. math:: LR = 2 (\ell_u - \ell_r) \sim \chi^2_q, \quad q \text{ the difference in the number of parameters}

    Parameters
    ----------
    unrestricted, restricted : SpatialPanelResult
        Of the same y, x, data, effects and correction: SAR or SEM in SDM or SAC, SLX in SDM or SDEM, SEM in SDEM. By
        default the restricted model has the same regressors and no spatial parameter. With time effects SEM is nested
        in SDM exactly only after ``bias_correction="lee-yu"`` or with ``exact_effects=True`` (see
        :func:`clusterlib.spatial_panel.spatial_panel`).

    Returns
    -------
    Test

    Raises
    ------
    InvalidInputError
        If the models are not nested or not of the same data.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.spatial_panel import spatial_panel
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x = np.random.default_rng(0).normal(size=(20, 8))
    >>> y = x + 0.5 * ring @ x + np.random.default_rng(1).normal(size=(20, 8))
    >>> index = pd.MultiIndex.from_product([range(20), range(8)])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> sdm, sar = (spatial_panel(panel, "y", "x", ring, model, "twoway") for model in ("sdm", "sar"))
    >>> likelihood_ratio_test(sdm, sar).df
    1
    """
    _check_result(unrestricted)
    if restricted is None:
        if not unrestricted.tests:
            raise InvalidInputError("the model has no spatial parameter to test: give the restricted model")
        return unrestricted.tests["LR"]
    _check_result(restricted)
    _check_nested(unrestricted, restricted)
    statistic = 2 * (unrestricted.loglik - restricted.loglik)
    null = f"{unrestricted.model.upper()} reduces to {restricted.model.upper()}"
    df = unrestricted.n_parameters - restricted.n_parameters
    return Test.of("likelihood ratio", null, statistic, "chi2", df)


def _check_nested(large: SpatialEstimates, small: SpatialEstimates) -> None:
    if large.model not in NESTED.get(small.model, ()):
        raise InvalidInputError(f"{small.model!r} is not nested in {large.model!r}: give the larger model first")
    if (small.model, large.model) == ("sem", "sdm") and large.durbin != large.x:
        raise InvalidInputError("SEM is nested in SDM only if every x is lagged: estimate without durbin=")
    if small.model == "slx" and small.durbin != large.durbin:
        raise InvalidInputError("the models differ in durbin: the smaller is not nested in the larger")
    for what in ("y", "x", "effects", "bias_correction", "nobs"):
        one, other = getattr(large, what), getattr(small, what)
        if one != other:
            raise InvalidInputError(f"the models differ in {what} ({one} and {other}): estimate both alike")
    same = np.isclose(large.residuals + large.fitted, small.residuals + small.fitted, rtol=1e-9)
    if not (large.residuals.index.equals(small.residuals.index) and same.all()):
        raise InvalidInputError("the models are of different data")

"""Tests of what a spatial panel model may leave out (约束检验)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.errors import InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from clusterlib.spatial_panel._results import SpatialPanelResult

NESTED = {
    "sar": ("sdm", "sac"),
    "sem": ("sdm", "sdem", "sac"),
    "slx": ("sdm", "sdem"),
}


@dataclass(frozen=True)
class HypothesisTest:
    """A test of restrictions.

    Attributes
    ----------
    name, null : str
        Which test, and the hypothesis that a small p value speaks against.
    statistic : float
        Asymptotically chi-squared with ``df`` degrees of freedom under the null.
    df : int
    p_value : float
    """

    name: str
    null: str
    statistic: float
    df: int
    p_value: float

    @classmethod
    def chi_squared(cls, name: str, null: str, statistic: float, df: int) -> HypothesisTest:
        """Make a test of a chi-squared statistic."""
        from scipy.stats import chi2

        return cls(name, null, float(statistic), int(df), float(chi2.sf(statistic, df)))

    def summary(self) -> pd.DataFrame:
        """Return one row: null, statistic, degrees of freedom and p value."""
        row = {"null": self.null, "statistic": self.statistic, "df": self.df, "p_value": self.p_value}
        return pd.DataFrame([row], index=pd.Index([self.name], name="test"))


def _common_factor(result: SpatialPanelResult) -> tuple[np.ndarray, pd.DataFrame]:
    r"""Values and derivatives of :math:`\theta + \rho \beta`."""
    if result.durbin != result.x:
        raise InvalidInputError("SEM is nested in SDM only if every x is lagged: estimate without durbin=")
    own, lags = result.params[list(result.x)], result.params[[f"W_{name}" for name in result.x]]
    slope = pd.DataFrame(0.0, index=list(result.x), columns=result.params.index)
    for name in result.x:
        slope.loc[name, f"W_{name}"] = 1.0
        slope.loc[name, name] = result.rho
    slope["rho"] = own.to_numpy()
    return lags.to_numpy() + result.rho * own.to_numpy(), slope


def _restriction(result: SpatialPanelResult, restriction) -> tuple[str, np.ndarray, pd.DataFrame]:
    if restriction == "sem":
        if result.model != "sdm":
            raise InvalidInputError(f"the common factor is a restriction of model='sdm', not of {result.model!r}")
        return ("common factor: theta + rho beta = 0 (SDM reduces to SEM)", *_common_factor(result))
    if restriction in ("sar", "slx"):
        if result.model != "sdm":
            raise InvalidInputError(f"SDM reduces to {restriction.upper()}; this is model={result.model!r}")
        zero = [f"W_{name}" for name in result.durbin] if restriction == "sar" else ["rho"]
        text = ("theta" if restriction == "sar" else "rho") + f" = 0 (SDM reduces to {restriction.upper()})"
    else:
        zero = [restriction] if isinstance(restriction, str) else list(restriction)
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


def wald_test(result: SpatialPanelResult, restriction: str | Iterable[str]) -> HypothesisTest:
    r"""Wald test (瓦尔德检验) of whether SDM reduces to a simpler model, or parameters are zero.

    For the restrictions :math:`g(\theta) = 0` with derivatives :math:`D` (delta method),

    .. math:: W = g' (D V D')^{-1} g \sim \chi^2_q

    Parameters
    ----------
    result : SpatialPanelResult
    restriction : {"sar", "sem", "slx"} or iterable of str
        Of SDM: to SAR, :math:`\theta = 0`; to SEM, the common factor :math:`\theta + \rho \beta = 0` (every x lagged);
        to SLX, :math:`\rho = 0`. Or names of parameters of any model that are zero together.

    Returns
    -------
    HypothesisTest

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
    null, values, slope = _restriction(result, restriction)
    names = list(result.params.index)
    covariance = slope.to_numpy() @ result.covariance.loc[names, names].to_numpy() @ slope.to_numpy().T
    return HypothesisTest.chi_squared("Wald", null, values @ np.linalg.solve(covariance, values), len(values))


def likelihood_ratio_test(
    unrestricted: SpatialPanelResult, restricted: SpatialPanelResult | None = None
) -> HypothesisTest:
    r"""Likelihood-ratio test (似然比检验) of a model against one that it nests.

    .. math:: LR = 2 (\ell_u - \ell_r) \sim \chi^2_q, \quad q \text{ the difference in the number of parameters}

    Parameters
    ----------
    unrestricted, restricted : SpatialPanelResult
        Of the same y, x, data, effects and correction: SAR or SEM in SDM or SAC, SLX in SDM or SDEM, SEM in SDEM. By
        default the restricted model has the same regressors and neither rho nor lambda. With time effects SEM is nested
        in SDM exactly only after ``bias_correction="lee-yu"`` or with ``exact_effects=True`` (see
        :func:`clusterlib.spatial_panel.spatial_panel`).

    Returns
    -------
    HypothesisTest

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
    if restricted is None:
        free = [name for name in ("rho", "lam") if name in unrestricted.params.index]
        if not free:
            raise InvalidInputError(
                f"{unrestricted.model!r} has no spatial parameter to test: give the restricted model"
            )
        statistic = 2 * (unrestricted.loglik - unrestricted.loglik_linear)
        return HypothesisTest.chi_squared("likelihood ratio", " = ".join(free) + " = 0", statistic, len(free))
    _check_nested(unrestricted, restricted)
    statistic = 2 * (unrestricted.loglik - restricted.loglik)
    null = f"{unrestricted.model.upper()} reduces to {restricted.model.upper()}"
    df = unrestricted.n_parameters - restricted.n_parameters
    return HypothesisTest.chi_squared("likelihood ratio", null, statistic, df)


def _check_nested(large: SpatialPanelResult, small: SpatialPanelResult) -> None:
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

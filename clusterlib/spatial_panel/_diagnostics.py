"""Lagrange multiplier tests for spatial dependence (拉格朗日乘子检验)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.spatial_panel._design import make_design, spatial_lag


@dataclass(frozen=True)
class LagrangeMultiplierTests:
    """Lagrange multiplier tests with what made them.

    Attributes
    ----------
    table : DataFrame
        By test, ``lm_lag``, ``lm_error``, ``robust_lm_lag``, ``robust_lm_error`` and ``lm_sarma``: ``statistic``,
        ``df``, ``p_value``.
    effects : str
    nobs : int
    """

    table: pd.DataFrame
    effects: str
    nobs: int

    def summary(self) -> pd.DataFrame:
        """Return the table by test."""
        return self.table


def lm_tests(data: pd.DataFrame, y: str, x: str | Iterable[str], w, effects: str = "none") -> LagrangeMultiplierTests:
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
        Chi-squared with one degree of freedom, two for SARMA.

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
    >>> (lm_tests(panel, "y", "x", ring, "twoway").table["p_value"] < 0.05).to_dict()["robust_lm_lag"]
    True
    """
    from scipy.stats import chi2

    design = make_design(data, y, x, w, effects)
    columns, response = design.flat(design.regressors), design.response.ravel()
    basis = np.linalg.qr(columns)[0]
    mean = basis @ (basis.T @ response)
    left = response - mean
    variance = left @ left / len(left)
    lag_y, lag_left, lag_mean = (
        spatial_lag(design.weights, values.reshape(design.shape)).ravel() for values in (response, left, mean)
    )
    unexplained = lag_mean - basis @ (basis.T @ lag_mean)
    matrix = design.weights.matrix
    traces = design.shape[1] * float(matrix.multiply(matrix.T).sum() + matrix.multiply(matrix).sum())
    spread = unexplained @ unexplained / variance + traces
    lag, error = left @ lag_y / variance, left @ lag_left / variance
    statistics = {
        "lm_lag": lag**2 / spread,
        "lm_error": error**2 / traces,
        "robust_lm_lag": (lag - error) ** 2 / (spread - traces),
        "robust_lm_error": (error - traces / spread * lag) ** 2 / (traces * (1 - traces / spread)),
    }
    statistics["lm_sarma"] = statistics["lm_lag"] + statistics["robust_lm_error"]
    table = pd.DataFrame({"statistic": pd.Series(statistics), "df": [1, 1, 1, 1, 2]}).rename_axis("test")
    table["p_value"] = chi2.sf(table["statistic"], table["df"])
    return LagrangeMultiplierTests(table, effects, len(left))

"""Fixed-effects regression (固定效应模型) and the result that panel estimators share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.covariance import Covariance, make_covariance
from clusterlib.core.results import coefficient_table
from clusterlib.core.within import least_squares
from clusterlib.panel._design import Design, make_design

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

COVARIANCE_LABELS = {
    "classical": "classical 经典",
    "robust": "robust 稳健",
    "driscoll-kraay": "Driscoll-Kraay",
    "conley": "Conley",
}
CLUSTER_LABELS = {"entity": "unit clusters 个体聚类", "time": "period clusters 时期聚类"}


def _covariance_label(settings: dict) -> str:
    if settings["cov"] == "cluster":
        return CLUSTER_LABELS.get(settings["cluster"], f"{settings['cluster']} clusters 聚类")
    return COVARIANCE_LABELS[settings["cov"]]


@dataclass(frozen=True)
class PanelResult:
    """A panel regression.

    Attributes
    ----------
    params, std_errors : Series
        By variable.
    covariance : DataFrame
        Of the estimates.
    table : DataFrame
        ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``; see
        :func:`clusterlib.inference.coefficient_table`.
    residuals : Series
        By (unit, time).
    r2_within : float
        Share of the variance left by the effects that the variables account for; without effects, the usual share.
    rss, sigma2 : float
        Sum of squared residuals, and divided by ``df_residual``.
    nobs, entities, periods : int
        Rows, units and periods.
    df_residual : int
        Rows less coefficients and independent effects.
    df_inference : int
        Degrees of freedom of the t statistics.
    statistics : dict
        What else the method gives, by name.
    settings : dict
        Variables, effects and conventions that made the result.
    """

    params: pd.Series
    std_errors: pd.Series
    covariance: pd.DataFrame
    table: pd.DataFrame
    residuals: pd.Series
    r2_within: float
    rss: float
    sigma2: float
    nobs: int
    entities: int
    periods: int
    df_residual: int
    df_inference: int
    statistics: dict
    settings: dict

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        effects = self.settings["effects"]
        r2 = {"none": "R²", "random": "R² of transformed variables 变换后 R²"}.get(effects, "Within R² 组内 R²")
        return {
            "Observations 观测数": self.nobs,
            "Units 个体数": self.entities,
            "Periods 期数": self.periods,
            r2: self.r2_within,
            "Unit effects 个体效应": "random 随机" if effects == "random" else effects in ("entity", "twoway"),
            "Period effects 时间效应": effects in ("time", "twoway") or self.settings.get("time_effects", False),
            "Standard errors 标准误": _covariance_label(self.settings),
        }

    def summary(self) -> pd.DataFrame:
        """Return the table of coefficients."""
        return self.table


def result_fields(
    design: Design, params: np.ndarray, matrix: np.ndarray, residuals: np.ndarray, covariance: Covariance
) -> dict:
    """Return what every panel result holds, by field name."""
    names, layout = pd.Index(list(design.names)), design.layout
    estimates = pd.Series(params, index=names, name="estimate")
    errors = pd.Series(np.sqrt(np.diag(matrix)), index=names, name="std_error")
    rss = float(residuals @ residuals)
    total = design.y - design.y.mean() if layout.effects == "none" else design.y
    df_residual = layout.rows - len(names) - layout.absorbed
    df = covariance.df(len(names), layout)
    return {
        "params": estimates,
        "std_errors": errors,
        "covariance": pd.DataFrame(matrix, index=names, columns=names),
        "table": coefficient_table(estimates, errors, df),
        "residuals": pd.Series(residuals, index=layout.index, name="residual"),
        "r2_within": float(1 - rss / (total @ total)),
        "rss": rss,
        "sigma2": rss / df_residual,
        "nobs": layout.rows,
        "entities": len(layout.units),
        "periods": len(layout.periods),
        "df_residual": df_residual,
        "df_inference": df,
    }


def fixed_effects(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    effects: str = "twoway",
    cov: str = "cluster",
    *,
    cluster: str | pd.Series = "entity",
    bandwidth: int | None = None,
    places: GeoDataFrame | pd.DataFrame | None = None,
    cutoff: float | None = None,
    kernel: str = "bartlett",
    small_sample: bool | str = True,
) -> PanelResult:
    r"""Fixed-effects regression (固定效应模型) by least squares on the within-transformed variables.

    .. math:: y_{it} = x_{it}'\beta + \alpha_i + \gamma_t + \varepsilon_{it}

    The effects are taken out exactly, in balanced and unbalanced panels. Periods that follow one another in the data
    count as neighbours in time. With :math:`s_{it} = \tilde x_{it} \hat\varepsilon_{it}`,

    .. math:: V = c\,(\tilde X'\tilde X)^{-1} \Big(\sum_{(it, js) \text{ related}} k_{it, js}\, s_{it} s_{js}'\Big)
              (\tilde X'\tilde X)^{-1}

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
    effects : {"twoway", "entity", "time", "none"}
        With ``"none"`` a constant ``const`` is added.
    cov : {"cluster", "driscoll-kraay", "conley", "classical", "robust"}
        Which errors may be related: those of a cluster; all of one period, and of periods up to ``bandwidth`` apart
        with Bartlett weights; those of one period within ``cutoff`` km, and of one unit up to ``bandwidth`` periods
        apart; none, with one variance; none. Robust errors are inconsistent with unit effects and few periods.
    cluster : {"entity", "time"} or Series
        Or labels by unit, such as its province, or by row.
    bandwidth : int, optional
        Lags, by default :math:`\lfloor 4 (T / 100)^{2/9} \rfloor` for Driscoll-Kraay and none for Conley.
    places : GeoDataFrame or DataFrame
        Boundaries or points by unit, or columns ``lon`` and ``lat`` in degrees; distances are great circles.
    cutoff : float
        In km.
    kernel : {"bartlett", "uniform"}
        Conley's weight at distance d: 1 - d / cutoff, or one, up to the cutoff.
    small_sample : bool or {"nested", "sss", "none"}
        The factor :math:`c`. ``True`` or ``"nested"``: :math:`\frac{G}{G-1} \frac{n-1}{n-K}` for G clusters (periods
        for Driscoll-Kraay), :math:`\frac{n}{n-K}` for robust and Conley, with K the coefficients, the constant and the
        effects that are not nested in clusters. ``"sss"``: clustered, with K the coefficients alone. ``False`` or
        ``"none"``: one. Classical errors always divide by n less coefficients and effects.

    Returns
    -------
    PanelResult
        t statistics have G - 1 degrees of freedom, or those of the residuals for classical, robust and Conley.

    Raises
    ------
    InvalidInputError
        For another index, doubled rows, missing values, a variable that the effects or other variables absorb, too few
        rows, or options of a covariance that are missing.
    UnknownNameError
        For a name that is no column, or an unknown option.

    References
    ----------
    Arellano, M. (1987). Oxford Bulletin of Economics and Statistics 49, 431-434. Driscoll, J. C. and Kraay, A. C.
    (1998). Review of Economics and Statistics 80, 549-560. Conley, T. G. (1999). Journal of Econometrics 92, 1-45.
    Stock, J. H. and Watson, M. W. (2008). Econometrica 76, 155-174.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2020, 2021, 2022]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 2, 4, 3, 3, 5, 2, 6, 7]}, index=index)
    >>> data["y"] = 2 * data["x"] + [5.0, 5, 5, 1, 1, 1, 0, 0, 0]
    >>> data.loc[("a", 2022), "y"] += 0.9
    >>> round(float(fixed_effects(data, "y", "x", effects="entity").params["x"]), 4)
    2.0703
    """
    design = make_design(data, y, x, effects)
    layout = design.layout
    covariance = make_covariance(
        cov,
        layout,
        cluster=cluster,
        bandwidth=bandwidth,
        places=places,
        cutoff=cutoff,
        kernel=kernel,
        small_sample=small_sample,
    )
    fit = least_squares(design.y, design.X, design.names, layout.absorbed)
    scores = design.X * fit.residuals[:, None]
    matrix = covariance.of(fit.inverse, scores, fit.residuals, layout)
    settings = {"method": "fixed effects", "y": y, "x": design.names, "effects": effects, **covariance.settings}
    fields = result_fields(design, fit.params, matrix, fit.residuals, covariance)
    return PanelResult(**fields, statistics={}, settings=settings)

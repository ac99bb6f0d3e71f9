"""Linear panel regressions (面板回归): fixed and random effects, and the result that panel estimators share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_panel, panel_index
from clusterlib.core.covariance import Covariance, make_covariance
from clusterlib.core.results import Estimates
from clusterlib.core.within import (
    CONSTANT,
    NOTHING_LEFT,
    Layout,
    LeastSquares,
    check_variation,
    collinear_columns,
    least_squares,
    make_layout,
)
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

COVARIANCE_LABELS = {
    "classical": "classical 经典",
    "robust": "robust 稳健",
    "driscoll-kraay": "Driscoll-Kraay",
    "conley": "Conley",
}
CLUSTER_LABELS = {"entity": "unit clusters 个体聚类", "time": "period clusters 时期聚类"}
TITLES = {
    "twoway": "Two-way fixed-effects regression (双向固定效应模型)",
    "entity": "Fixed-effects regression (个体固定效应模型)",
    "time": "Regression with period effects (时间固定效应模型)",
    "none": "Pooled regression (混合回归)",
    "random": "Random-effects regression (随机效应模型)",
}


@dataclass(frozen=True, eq=False)
class Design:
    """The variables of a regression with their effects taken out; without effects a constant is among ``names``.

    Attributes
    ----------
    layout : Layout
    names : tuple of str
        Of the columns of ``X``.
    y, X : ndarray
    raw : ndarray, shape (rows, 1 + variables)
        y and the variables as they are given.
    """

    layout: Layout
    names: tuple[str, ...]
    y: np.ndarray
    X: np.ndarray
    raw: np.ndarray

    def fit(self, covariance: Covariance) -> tuple[LeastSquares, np.ndarray]:
        """Return least squares and the covariance of the estimates."""
        fit = least_squares(self.y, self.X, self.names, self.layout.absorbed)
        return fit, covariance.of(fit.inverse, self.X * fit.residuals[:, None], fit.residuals, self.layout)


def make_design(data: pd.DataFrame, y: str, x: Sequence[str], effects: str) -> Design:
    """Check the columns and take the effects out of them.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`fixed_effects`.
    """
    frame = check_panel(data, [y, *x])
    if frame.empty:
        raise InvalidInputError("the panel has no rows")
    layout = make_layout(panel_index(frame), effects)
    raw = frame.to_numpy()
    values = layout.within(raw)
    check_variation(raw, values, list(frame.columns), effects)
    X, names = values[:, 1:], tuple(x)
    if effects == "none":
        X, names = np.column_stack([np.ones(len(X)), X]), (CONSTANT, *names)
    return Design(layout, names, values[:, 0], X, raw)


def check_errors(rss: float, tss: float) -> None:
    """Raise InvalidInputError if the squares that are left, as against those before, are but rounding."""
    if rss <= NOTHING_LEFT**2 * tss:
        raise InvalidInputError("the variables and effects account for all of y but for rounding: no errors are left")


@dataclass(frozen=True, eq=False, kw_only=True)
class PanelResult(Estimates):
    """Linear panel regression (面板回归).

    Further to :class:`clusterlib.core.results.Estimates`:

    Attributes
    ----------
    residuals : Series
        By (unit, time).
    r2_within : float
        Share of the variance left by the effects that the variables account for; without effects, the usual share.
    tss, rss, sigma2 : float
        Sum of squares that the effects leave of y, that of the residuals, and the latter divided by ``df_resid``.
    statistics : dict
        What else the method gives, by name.
    """

    residuals: pd.Series = field(repr=False)
    r2_within: float
    tss: float
    rss: float
    sigma2: float
    statistics: dict = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Which regression."""
        return TITLES[self.settings["effects"]]

    def _own_footer(self) -> dict[str, object]:
        effects = self.settings["effects"]
        r2 = {"none": "R²", "random": "R² of transformed variables 变换后 R²"}.get(effects, "Within R² 组内 R²")
        errors = COVARIANCE_LABELS.get(self.settings["cov"])
        if errors is None:
            cluster = self.settings["cluster"]
            errors = CLUSTER_LABELS.get(cluster, f"{cluster} clusters 聚类")
        return {
            r2: self.r2_within,
            "Unit effects 个体效应": "random 随机" if effects == "random" else effects in ("entity", "twoway"),
            "Period effects 时间效应": effects in ("time", "twoway") or self.settings.get("time_effects", False),
            "Standard errors 标准误": errors,
        }


def panel_fields(
    design: Design, params: np.ndarray, matrix: np.ndarray, residuals: np.ndarray, covariance: Covariance
) -> dict:
    """Return what every panel result holds but its settings, by field name."""
    names, layout = pd.Index(design.names), design.layout
    rss = float(residuals @ residuals)
    centred = design.y - design.y.mean() if layout.effects == "none" else design.y
    tss = float(centred @ centred)
    df_resid = layout.rows - len(names) - layout.absorbed
    return {
        "params": pd.Series(params, index=names, name="estimate"),
        "covariance": pd.DataFrame(matrix, index=names, columns=names),
        "residuals": pd.Series(residuals, index=layout.index, name="residual"),
        "r2_within": 1 - rss / tss,
        "tss": tss,
        "rss": rss,
        "sigma2": rss / df_resid,
        "nobs": layout.rows,
        "n_units": len(layout.units),
        "n_periods": len(layout.periods),
        "df_resid": df_resid,
        "df_inference": covariance.df(len(names), layout),
    }


def within(values: pd.Series | pd.DataFrame, effects: str = "twoway") -> pd.Series | pd.DataFrame:
    r"""Take fixed effects out of variables, as fixed-effects regressions do (组内变换).

    The residuals of each variable from the effects, which in a balanced panel are

    .. math:: \tilde x_{it} = x_{it} - \bar x_i - \bar x_t + \bar x

    Parameters
    ----------
    values : Series or DataFrame
        Indexed (unit, time), complete.
    effects : {"twoway", "entity", "time", "none"}

    Returns
    -------
    Series or DataFrame
        As ``values``, sorted by unit and time.

    Raises
    ------
    InvalidInputError
        For something else, another index, doubled rows or missing values.
    UnknownNameError
        For other effects.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b"], [2020, 2021]], names=["unit", "year"])
    >>> within(pd.Series([1.0, 2.0, 3.0, 6.0], index=index)).tolist()
    [0.5, -0.5, -0.5, 0.5]
    """
    if not isinstance(values, (pd.Series, pd.DataFrame)):
        raise InvalidInputError(f"expected a Series or a DataFrame by (unit, time), got a {type(values).__name__}")
    table = values.to_frame("values") if isinstance(values, pd.Series) else values
    frame = check_panel(table, list(table.columns))
    index = panel_index(frame)
    left = make_layout(index, effects).within(frame.to_numpy(dtype=float))
    if isinstance(values, pd.Series):
        return pd.Series(left[:, 0], index, name=values.name)
    return pd.DataFrame(left, index, frame.columns)


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
    design = make_design(data, y, as_names(x, "x"), effects)
    covariance = make_covariance(
        cov,
        design.layout,
        cluster=cluster,
        bandwidth=bandwidth,
        places=places,
        cutoff=cutoff,
        kernel=kernel,
        small_sample=small_sample,
    )
    fit, matrix = design.fit(covariance)
    settings = {"method": "fixed effects", "y": y, "x": design.names, "effects": effects, **covariance.settings}
    return PanelResult(**panel_fields(design, fit.params, matrix, fit.residuals, covariance), settings=settings)


@dataclass(frozen=True, eq=False)
class Components:
    """Variances of the unit effect and of the rest, and the share of its mean that each row loses."""

    sigma2_idiosyncratic: float
    sigma2_entity: float
    theta: np.ndarray


def _swamy_arora(y: np.ndarray, X: np.ndarray, names: Sequence[str], layout: Layout) -> Components:
    """Estimate the components from the within and the between regression; ``X`` has a constant.

    Raises
    ------
    InvalidInputError
        If there are too few units or periods for either regression.
    """
    n, units = layout.rows, len(layout.units)
    y_mean, X_mean = layout.unit_means(y[:, None])[:, 0], layout.unit_means(X)
    # What is left of a variable is judged by its own length, whatever it is measured in.
    length = np.linalg.norm(X, axis=0)
    within, between = (np.delete(V, collinear_columns(V, length), axis=1) for V in (X - X_mean, X_mean))
    k, k_between = within.shape[1], between.shape[1]
    if n - units - k <= 0 or units <= k_between:
        raise InvalidInputError(
            f"{units} units and {n} rows: Swamy and Arora's components need more units than {k_between} coefficients "
            f"and more rows than units and {k} coefficients"
        )

    def squares(values: np.ndarray, columns: np.ndarray) -> float:
        residuals = least_squares(values, columns, [""] * columns.shape[1]).residuals
        return float(residuals @ residuals)

    rss = squares(y - y_mean, within)
    check_errors(rss, float(np.sum((y - y_mean) ** 2)))
    sigma2 = rss / (n - units - k)
    counts = np.bincount(layout.unit)[layout.unit]
    leverage = (np.linalg.qr(between / np.linalg.norm(between, axis=0))[0] ** 2).sum(axis=1)
    entity = max(0.0, (squares(y_mean, between) - (units - k_between) * sigma2) / float(n - counts @ leverage))
    return Components(sigma2, entity, 1 - np.sqrt(sigma2 / (sigma2 + counts * entity)))


def random_design(data: pd.DataFrame, y: str, x: Sequence[str], time_effects: bool) -> tuple[Design, Components]:
    """Return the design of random effects, less shares of the units' means, and the components.

    Its columns are the constant, dummies of all periods but the first if there are period effects, and the variables.
    """
    check_choice("time_effects", time_effects, (False, True))
    design = make_design(data, y, x, "none")
    layout, X, names = design.layout, design.X, design.names
    if time_effects:
        dummies = (layout.time[:, None] == np.arange(1, len(layout.periods))).astype(float)
        X = np.column_stack([X[:, :1], dummies, X[:, 1:]])
        names = (CONSTANT, *(f"period {period}" for period in layout.periods[1:]), *x)
    components = _swamy_arora(design.y, X, names, layout)
    values = np.column_stack([design.y, X])
    values = values - components.theta[:, None] * layout.unit_means(values)
    return replace(design, names=names, y=values[:, 0], X=values[:, 1:]), components


def random_effects(data: pd.DataFrame, y: str, x: str | Iterable[str], *, time_effects: bool = False) -> PanelResult:
    r"""Random-effects regression (随机效应模型) by feasible generalised least squares.

    .. math:: y_{it} - \theta_i \bar y_i = (x_{it} - \theta_i \bar x_i)'\beta + u_{it},
              \quad \theta_i = 1 - \sqrt{\frac{\sigma^2_\nu}{\sigma^2_\nu + T_i \sigma^2_\alpha}}

    :math:`\sigma^2_\nu` is the within regression's, :math:`\sigma^2_\alpha` Swamy and Arora's, for unbalanced panels in
    Baltagi and Chang's form; where it comes out negative it is zero. Errors are classical, with n less coefficients
    degrees of freedom.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
    time_effects : bool
        Add a dummy for every period but the first; the table leaves them out.

    Returns
    -------
    PanelResult
        With a constant; ``statistics`` holds ``sigma2_idiosyncratic``, ``sigma2_entity`` and ``theta``, the mean over
        rows. ``r2_within`` is of the transformed variables.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`, and for too few units.

    References
    ----------
    Swamy, P. A. V. B. and Arora, S. S. (1972). Econometrica 40, 261-275. Baltagi, B. H. and Chang, Y. J. (1994).
    Journal of Econometrics 62, 67-89.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c", "d"], [2020, 2021]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 2, 4, 3, 3, 5, 2, 6], "y": [3.0, 5, 8, 7, 6, 11, 6, 13]}, index=index)
    >>> round(float(random_effects(data, "y", "x").params["x"]), 4)
    1.8987
    """
    x = as_names(x, "x")
    design, components = random_design(data, y, x, time_effects)
    covariance = make_covariance("classical", design.layout)
    fit, matrix = design.fit(covariance)
    fields = panel_fields(design, fit.params, matrix, fit.residuals, covariance)
    kept = [CONSTANT, *x]
    fields |= {"params": fields["params"][kept], "covariance": fields["covariance"].loc[kept, kept]}
    statistics = {
        "sigma2_idiosyncratic": components.sigma2_idiosyncratic,
        "sigma2_entity": components.sigma2_entity,
        "theta": float(components.theta.mean()),
    }
    settings = {"method": "random effects (Swamy-Arora)", "y": y, "x": tuple(kept), "effects": "random"}
    settings |= {"time_effects": time_effects, **covariance.settings}
    return PanelResult(**fields, statistics=statistics, settings=settings)

"""Tests of panel models (设定检验): Hausman, F of the effects, Breusch-Pagan, dependence, slopes of groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_panel, check_whole, snap
from clusterlib.core.covariance import make_covariance, wald_statistic
from clusterlib.core.resampling import exceedance_p, generator
from clusterlib.core.results import Test
from clusterlib.core.within import least_squares
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel._regression import check_errors, fixed_effects, make_design, random_design, random_effects

HAUSMAN_METHODS = ("auxiliary", "classic")
# The difference of two covariances, scaled by the errors of the first, that can be told from rounding.
_SINGULAR = 1e-12


def hausman_test(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    *,
    method: str = "auxiliary",
    time_effects: bool = False,
    cov: str = "cluster",
    cluster: str | pd.Series = "entity",
    small_sample: bool | str = True,
) -> Test:
    r"""Hausman test (豪斯曼检验) of random against fixed unit effects.

    The classic form compares the coefficients, under errors that are independent with one variance:

    .. math:: H = (b_{FE} - b_{RE})' (V_{FE} - V_{RE})^{-1} (b_{FE} - b_{RE}) \sim \chi^2_k

    The auxiliary regression adds the within-transformed variables to the random-effects one and tests that their
    coefficients are nil; with clustered errors it holds for errors of any kind within clusters.

    .. math:: y_{it} - \theta_i \bar y_i = (x_{it} - \theta_i \bar x_i)'\beta + (x_{it} - \bar x_i)'\delta + u_{it}

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
        Variables that vary within units.
    method : {"auxiliary", "classic"}
    time_effects : bool
        Give both models dummies of the periods, which are not tested.
    cov, cluster, small_sample
        Of the auxiliary regression, as in :func:`clusterlib.panel.fixed_effects` (``"cluster"``, ``"robust"`` or
        ``"classical"``); the classic test takes no notice of them.

    Returns
    -------
    Test
        Chi-squared. Of the classic test ``settings["positive_definite"]`` tells whether :math:`V_{FE} - V_{RE}` is;
        where it is not, the statistic does not have this distribution: use the auxiliary regression.

    Raises
    ------
    InvalidInputError
        As :func:`clusterlib.panel.fixed_effects`; for the classic test also if the statistic is negative.
    UnknownNameError
        For an unknown method or option.

    References
    ----------
    Hausman, J. A. (1978). Econometrica 46, 1251-1271. Wooldridge, J. M. (2010). Econometric Analysis of Cross Section
    and Panel Data, 2nd ed., sec. 10.7.3. MIT Press.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> index = pd.MultiIndex.from_product([range(40), range(5)], names=["unit", "year"])
    >>> unit = np.repeat(random.normal(size=40), 5)
    >>> data = pd.DataFrame({"x": unit + random.normal(size=200)}, index=index)
    >>> data["y"] = data["x"] + 2 * unit + random.normal(size=200)
    >>> hausman_test(data, "y", "x").p_value < 0.001
    True
    """
    check_choice("method", method, HAUSMAN_METHODS)
    names = as_names(x, "x")
    if not names:
        raise InvalidInputError("x: name at least one variable, whose coefficients are compared")
    settings = {"y": y, "x": tuple(names), "method": method, "time_effects": time_effects}
    if method == "classic":
        statistic, used = _classic_hausman(data, y, names, time_effects)
    else:
        statistic, used = _auxiliary_hausman(data, y, names, time_effects, cov, cluster, small_sample)
    null = "unit effects are unrelated to the variables 个体效应与变量无关"
    return Test.of("Hausman 豪斯曼检验", null, statistic, "chi2", len(names), settings | used)


def _classic_hausman(data: pd.DataFrame, y: str, names: list[str], time_effects: bool) -> tuple[float, dict]:
    fixed = fixed_effects(data, y, names, "twoway" if time_effects else "entity", "classical")
    check_errors(fixed.rss, fixed.tss)
    random = random_effects(data, y, names, time_effects=time_effects)
    scale = fixed.std_errors.to_numpy()
    gap = (fixed.params - random.params[names]).to_numpy() / scale
    difference = (fixed.covariance - random.covariance.loc[names, names]).to_numpy() / np.outer(scale, scale)
    values = np.linalg.eigvalsh(difference)
    if np.abs(values).min() < _SINGULAR:
        raise InvalidInputError(
            "random and fixed effects have the same errors, so that nothing tells one from the other: use "
            "method='auxiliary'"
        )
    statistic = float(gap @ np.linalg.solve(difference, gap))
    if statistic < 0:
        raise InvalidInputError(
            f"the classic statistic is {statistic:.3g}, below zero, since the difference of the covariances is not "
            "positive definite: use method='auxiliary'"
        )
    return statistic, {"positive_definite": bool(values.min() > 0)}


def _auxiliary_hausman(
    data: pd.DataFrame,
    y: str,
    names: list[str],
    time_effects: bool,
    cov: str,
    cluster: str | pd.Series,
    small_sample: bool | str,
) -> tuple[float, dict]:
    tested = make_design(data, y, names, "entity").X
    design, _ = random_design(data, y, names, time_effects)
    covariance = make_covariance(cov, design.layout, cluster=cluster, small_sample=small_sample)
    X = np.column_stack([design.X, tested])
    fit, matrix = replace(design, X=X, names=(*design.names, *names)).fit(covariance)
    check_errors(float(fit.residuals @ fit.residuals), float(design.y @ design.y))
    last = slice(-len(names), None)
    return wald_statistic(fit.params[last], matrix[last, last]), covariance.settings


def effects_test(data: pd.DataFrame, y: str, x: str | Iterable[str], effects: str = "entity") -> Test:
    r"""F test of the effects (固定效应联合显著性检验) against the pooled regression.

    .. math:: F = \frac{(RSS_0 - RSS_1) / q}{RSS_1 / (n - k - q - 1)}

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
    effects : {"entity", "time", "twoway"}

    Returns
    -------
    Test
        F with q, the number of independent effects less the constant, and the fixed-effects model's residual degrees of
        freedom. It supposes independent errors of one variance.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2020, 2021, 2022]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 2, 4, 3, 3, 5, 2, 6, 7], "y": [7, 9, 13, 7, 6, 11, 4, 12, 15.0]}, index=index)
    >>> effects_test(data, "y", "x").df
    (2, 5)
    """
    check_choice("effects", effects, ("entity", "time", "twoway"))
    x = as_names(x, "x")
    pooled = fixed_effects(data, y, x, "none", "classical")
    fixed = fixed_effects(data, y, x, effects, "classical")
    check_errors(fixed.rss, fixed.tss)
    q = pooled.df_resid - fixed.df_resid
    statistic = (pooled.rss - fixed.rss) / q / fixed.sigma2
    settings = {"y": y, "x": tuple(x), "effects": effects}
    null = f"no {effects} effects 不存在固定效应"
    return Test.of("F of the effects 固定效应 F 检验", null, statistic, "F", (q, fixed.df_resid), settings)


def breusch_pagan_test(data: pd.DataFrame, y: str, x: str | Iterable[str]) -> Test:
    r"""Breusch and Pagan's Lagrange multiplier test (布罗施-帕甘 LM 检验) for random unit effects.

    With the pooled residuals :math:`e` and :math:`T_i` rows of unit i,

    .. math:: LM = \frac{n^2}{2 (\sum_i T_i^2 - n)} \Big(\frac{\sum_i (\sum_t e_{it})^2}{\sum_{it} e_{it}^2} - 1\Big)^2
              \sim \chi^2_1

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str

    Returns
    -------
    Test

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.panel.fixed_effects`, and if every unit has one row.

    References
    ----------
    Breusch, T. S. and Pagan, A. R. (1980). Review of Economic Studies 47, 239-253. Baltagi, B. H. and Li, Q. (1990).
    Econometric Theory 6, 283-285.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2020, 2021, 2022]], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": [1.0, 2, 4, 3, 3, 5, 2, 6, 7], "y": [7, 9, 13, 7, 6, 11, 4, 12, 15.0]}, index=index)
    >>> breusch_pagan_test(data, "y", "x").df
    1
    """
    x = as_names(x, "x")
    pooled = fixed_effects(data, y, x, "none", "classical")
    check_errors(pooled.rss, pooled.tss)
    by_unit = pooled.residuals.groupby(level=0)
    n, counts = pooled.nobs, by_unit.size()
    if (counts == 1).all():
        raise InvalidInputError("one row a unit: there is no telling a unit effect from the rest")
    share = (by_unit.sum() ** 2).sum() / pooled.rss
    statistic = n**2 / (2 * ((counts**2).sum() - n)) * (share - 1) ** 2
    settings = {"y": y, "x": tuple(x)}
    null = "no random unit effects 不存在个体随机效应"
    return Test.of("Breusch-Pagan LM", null, statistic, "chi2", 1, settings)


def pesaran_cd(residuals: pd.Series) -> Test:
    r"""Pesaran's CD test (佩萨兰 CD 检验) of dependence between units.

    .. math:: CD = \sqrt{\frac{2}{N(N-1)}} \sum_{i<j} \sqrt{T_{ij}}\, \hat\rho_{ij} \sim N(0, 1)

    with the correlation of two units' residuals over the :math:`T_{ij}` periods that both have; pairs with fewer than
    two, or in which a unit does not vary, do not count. Residuals from which period effects are taken out have a
    mean correlation near :math:`-1/(N-1)` whatever the truth: use those of unit effects alone.

    Parameters
    ----------
    residuals : Series
        By (unit, time), as ``fixed_effects(..., effects="entity").residuals``.

    Returns
    -------
    Test
        Normal, two-sided.

    Raises
    ------
    InvalidInputError
        For another index, missing values, or no pair of units with two periods in common.

    References
    ----------
    Pesaran, M. H. (2004). General diagnostic tests for cross section dependence in panels. CESifo Working Paper 1229.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b"], range(4)])
    >>> round(pesaran_cd(pd.Series([1.0, -1, 2, -2, 1, -1, 2, -2], index=index)).statistic, 12)
    2.0
    """
    if not isinstance(residuals, pd.Series):
        raise InvalidInputError(f"expected a Series by unit and time, got a {type(residuals).__name__}")
    checked = check_panel(residuals.to_frame("residual"), ["residual"])["residual"]
    # A unit that does not vary but for rounding has no correlation with others.
    wide = pd.Series(snap(checked.to_numpy()), checked.index).unstack(0)
    correlation = wide.corr(min_periods=2).to_numpy()
    together = wide.notna().to_numpy(float)
    upper = np.triu_indices(wide.shape[1], 1)
    rho, common = correlation[upper], (together.T @ together)[upper]
    counted = np.isfinite(rho)
    if not counted.any():
        raise InvalidInputError("no two units with residuals in two periods in common")
    statistic = np.sqrt(common[counted]) @ rho[counted] / np.sqrt(counted.sum())
    settings = {"units": wide.shape[1], "periods": wide.shape[0], "mean_correlation": float(rho[counted].mean())}
    null = "errors of different units are unrelated 截面不相关"
    return Test.of("Pesaran CD", null, statistic, "normal", settings=settings)


def slope_difference_test(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    variable: str,
    group: Iterable[object],
    *,
    effects: str = "twoway",
    draws: int = 999,
    seed: int = 0,
) -> Test:
    r"""Test whether the slope of a group of units differs, by other groups of as many units (斜率差异的随机化检验).

    Errors by unit mean little for a group of few units, and nothing for one. With :math:`t_g` the t statistic, by
    classical errors, of :math:`\delta` in

    .. math:: y_{it} = x_{it}'\beta + \delta\, d_{it} 1(i \in g) + \alpha_i + \gamma_t + \varepsilon_{it}, \quad
              p = \frac{1 + \#\{t_h^2 \ge t_g^2\}}{1 + \#\{h\}}

    over groups h drawn at random; for a group of one unit h is every other unit.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y : str
    x : str or iterable of str
    variable : str
        That of ``x`` whose slope may differ.
    group : iterable
        Units.
    effects : {"twoway", "entity", "time", "none"}
    draws : int
        Groups drawn at random.
    seed : int

    Returns
    -------
    Test
        ``settings["groups"]`` is the number of groups compared with.

    Raises
    ------
    InvalidInputError
        As :func:`clusterlib.panel.fixed_effects`, and for a group of no unit or of all.
    UnknownNameError
        For a variable that is not among ``x`` and a unit that is not in the data.

    References
    ----------
    Conley, T. G. and Taber, C. R. (2011). Review of Economics and Statistics 93, 113-125.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> index = pd.MultiIndex.from_product([range(40), range(5)], names=["unit", "year"])
    >>> data = pd.DataFrame({"x": random.normal(size=200)}, index=index)
    >>> data["y"] = data["x"] * (1 + (index.get_level_values("unit") == 7)) + 0.1 * random.normal(size=200)
    >>> slope_difference_test(data, "y", "x", "x", [7]).p_value
    0.025
    """
    names, group = as_names(x, "x"), list(dict.fromkeys(group))
    if variable not in names:
        raise UnknownNameError("variable of x", variable, names)
    design, draws = make_design(data, y, names, effects), check_whole("draws", draws, least=1)
    layout, residuals = design.layout, least_squares(design.y, design.X, design.names, design.layout.absorbed).residuals
    rss = float(residuals @ residuals)
    check_errors(rss, float(design.y @ design.y))
    if unknown := [unit for unit in group if unit not in layout.units]:
        raise UnknownNameError("unit", unknown[0], layout.units)
    if not 0 < len(group) < len(layout.units):
        raise InvalidInputError(f"group has {len(group)} of {len(layout.units)} units: expected some, and not all")
    # The variable in each unit alone, less what the variables and effects account for: a group's is their sum.
    alone = layout.unit[:, None] == np.arange(len(layout.units))
    own = layout.within(np.where(alone, design.raw[:, [1 + names.index(variable)]], 0.0))
    own -= design.X @ np.linalg.lstsq(design.X, own, rcond=None)[0]
    places, random = layout.units.get_indexer(pd.Index(group)), generator(seed)
    if len(group) == 1:
        others = np.delete(np.arange(len(layout.units)), places)[:, None]
    else:
        others = np.array([random.choice(len(layout.units), len(group), replace=False) for _ in range(draws)])
    chosen = np.zeros((1 + len(others), len(layout.units)))
    np.put_along_axis(chosen, np.vstack([places, others]), 1.0, axis=1)
    terms = chosen @ own.T
    products = terms @ residuals
    explained = products**2 / (terms**2).sum(axis=1)
    df = layout.rows - len(design.names) - layout.absorbed - 1
    t = np.sign(products) * np.sqrt(df * explained / (rss - explained))
    settings = {"y": y, "x": tuple(names), "variable": variable, "effects": effects, "groups": len(others)}
    return Test(
        "Difference of a slope 斜率差异",
        "the slope of the group is that of the others 组内斜率与其他单元相同",
        float(t[0]),
        None,
        exceedance_p(t[0], t[1:], "two-sided"),
        "groups of as many units 同等规模的单元组",
        settings | {"draws": draws, "seed": seed},
    )

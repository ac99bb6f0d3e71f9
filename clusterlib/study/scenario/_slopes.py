"""Slopes of output that the counterfactuals rest on: of cities within provinces, and of provinces (反事实所用斜率)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.results import coefficient_table
from clusterlib.inference import minimum_detectable_effect
from clusterlib.panel import within
from clusterlib.regions import get_region
from clusterlib.study import city_output
from clusterlib.study._design import design
from clusterlib.study._memory import remember
from clusterlib.study._panels import in_years, output_panel

# A region whose slope is its own has so many cities with others of their province in the region: with errors by city
# intervals of as few cover what they say (benchmarks/monte_carlo_remedies.py). The bound is ours.
FEWEST = 20
MODELS = ("best", "nation", "region", "year", "lights", "neighbours", "provinces", "platforms")


@dataclass(frozen=True)
class Treatment:
    """What a remedy is taken to raise, in cities.

    Attributes
    ----------
    variable : str
        A column of :func:`city_slope`'s panel.
    held : tuple of str
        What stands still meanwhile.
    years : str
        A span of the design.
    provincial : str
        The same variable of provinces.
    """

    variable: str
    held: tuple[str, ...]
    years: str
    provincial: str


TREATMENTS = {
    "data_management": Treatment("depth", ("coverage",), "depth_years", "dfi_usage_depth"),
    "co_creation": Treatment("log_broadband", ("log_registered",), "output_years", "log_subscribers"),
    "data_platform": Treatment("log_trade", (), "trade_years", "log_goods_trade"),
}
_PROVINCIAL_HELD = {"dfi_usage_depth": ["dfi_coverage_breadth"]}


@dataclass(frozen=True)
class Slope:
    """One coefficient with the inference that it is told by.

    Attributes
    ----------
    estimate, std_error, df : float
        Degrees of freedom of Student's distribution.
    step : float
        One standard deviation of the variable within what the model holds.
    low, high : float
        Of the estimates without each cluster in turn.
    share : float
        The largest share of one cluster in the variation that the slope comes from.
    sample : str
        ``nation`` or ``region``.
    units, clusters, rows : int
    """

    estimate: float
    std_error: float
    df: float
    step: float
    low: float
    high: float
    share: float
    sample: str
    units: int
    clusters: int
    rows: int

    def times(self, step: float, level: float = 0.95) -> dict[str, float]:
        """Return what a step of the variable goes with, in percent: estimate, interval, p, smallest effect seen."""
        values, errors = pd.Series({"effect": 100 * step * self.estimate}), 100 * abs(step) * self.std_error
        row: Any = coefficient_table(values, pd.Series({"effect": errors}), self.df, level).loc["effect"]
        smallest = minimum_detectable_effect(errors, self.df)["minimum_detectable"].iloc[0]
        found = {name: float(row[name]) for name in ("estimate", "lower", "upper", "p_value")}
        return {**found, "smallest": float(smallest)}


def clustered_slope(y: np.ndarray, x: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    r"""Regress one on the other, with errors and degrees of freedom for few clusters of unlike size (少聚类稳健推断).

    .. math:: V = \frac{1}{S^2} \sum_g \frac{(x_g'\hat e_g)^2}{1 - h_g}, \qquad
              \nu = \frac{(\operatorname{tr} \Gamma)^2}{\sum_{gh} \Gamma_{gh}^2}, \qquad
              \Gamma_{gh} = \mathbb 1_{g = h} \frac{s_g}{1 - h_g} - \frac{s_g s_h}{S \sqrt{(1 - h_g)(1 - h_h)}}

    with :math:`s_g = x_g'x_g`, :math:`S = \sum_g s_g` and the leverage :math:`h_g = s_g / S`.

    Parameters
    ----------
    y, x : ndarray, shape (rows,)
        Of which effects nested in clusters, and what else is held, have been taken out.
    clusters : ndarray, shape (rows,)

    Returns
    -------
    tuple of float
        Estimate, standard error, degrees of freedom.

    References
    ----------
    Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28, 169-181. Imbens, G. W. and Kolesár, M. (2016). Robust standard errors in small
    samples. Review of Economics and Statistics 98, 701-712, equations 11 and 12.

    Examples
    --------
    >>> x, clusters = np.array([1.0, -1, 1, -1, 1, -1]), np.array([0, 0, 1, 1, 2, 2])
    >>> [round(float(v), 4) for v in clustered_slope(2 * x + [0.1, 0, 0, 0.1, 0, 0], x, clusters)]
    [2.0, 0.0289, 2.0]
    """
    codes = np.unique(clusters, return_inverse=True)[1]
    squares = np.bincount(codes, x * x)
    total = squares.sum()
    estimate = float(x @ y / total)
    scores = np.bincount(codes, x * (y - estimate * x))
    kept = squares > 1e-12 * total
    one = 1 - squares[kept] / total
    variance = float((scores[kept] ** 2 / one).sum() / total**2)
    spread = np.diag(squares[kept] / one)
    root = squares[kept] / np.sqrt(one)
    spread = spread - np.outer(root, root) / total
    return estimate, float(np.sqrt(variance)), float(np.trace(spread) ** 2 / (spread**2).sum())


def _partialled(table: pd.DataFrame, y: str, x: list[str]) -> tuple[np.ndarray, np.ndarray, pd.Index]:
    """Take effects and all regressors but the first out of the outcome and the first."""
    left: Any = within(table[[y, *x]])
    values = left.to_numpy()
    if len(x) > 1:
        basis = np.linalg.qr(values[:, 2:])[0]
        values = values[:, :2] - basis @ (basis.T @ values[:, :2])
    return values[:, 0], values[:, 1], left.index


def _slope(table: pd.DataFrame, y: str, x: list[str], clusters: pd.Series, sample: str) -> Slope:
    outcome, treatment, index = _partialled(table, y, x)
    groups = clusters.reindex(index).to_numpy()
    estimate, error, df = clustered_slope(outcome, treatment, groups)
    codes = np.unique(groups, return_inverse=True)[1]
    products, squares = np.bincount(codes, treatment * outcome), np.bincount(codes, treatment**2)
    # Clusters of one city with effects of provinces and years carry nothing.
    carries = squares > 1e-12 * squares.sum()
    rest = (products.sum() - products[carries]) / (squares.sum() - squares[carries])
    return Slope(
        estimate, error, df, float(treatment[np.abs(treatment) > 1e-12].std()), float(rest.min()), float(rest.max()),
        float(squares.max() / squares.sum()), sample, table.index.unique(0).size, int(carries.sum()), len(table),
    )  # fmt: skip


def city_sample(remedy: str, outcome: str = "log_gdp") -> pd.DataFrame:
    """Return the rows of cities that a slope comes from: outcome, treatment, what is held (城市样本).

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform"}
    outcome : str
        A column of :func:`clusterlib.study.city_panel`.

    Raises
    ------
    UnknownNameError
        If there is no such remedy.
    """
    chosen = TREATMENTS[check_choice("remedy", remedy, TREATMENTS)]
    panel = city_output.output_panel(str(design().spans[chosen.years].default))
    trade = np.exp(panel["log_exports"]) + np.exp(panel["log_imports"])
    panel = panel.assign(log_trade=np.log(trade))
    return city_output.complete_rows(panel, [outcome, chosen.variable, *chosen.held])


def _by_province_and_year(rows: pd.DataFrame, province: pd.Series) -> pd.DataFrame:
    year = rows.index.get_level_values("year")
    cells = pd.MultiIndex.from_arrays([rows.index.get_level_values("adcode"), 10_000 * province.to_numpy() + year])
    return rows.set_axis(cells.set_names(["adcode", "cell"]))


def own_cities(remedy: str, region: str) -> pd.Index:
    """Return the region's cities with others of their province in the region: the rest moves with its province."""
    own = levels_in(remedy, region).index
    return own[pd.Index(own // 10000).duplicated(keep=False)]


def _with_neighbours(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """Set the neighbours' mean beside a variable, less the variable: the coefficient of the latter is then the sum."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import contiguity

    shapes = load_boundaries("city")
    placed = rows[rows.index.get_level_values("adcode").isin(shapes.index)]
    rows = city_output.complete_rows(placed, [str(name) for name in rows], "balanced")
    graph = contiguity(shapes.loc[rows.index.unique("adcode")])
    values = rows[x].unstack("year").loc[graph.unique_ids]
    mean = pd.DataFrame(graph.transform("r").sparse @ values, values.index, values.columns)
    lagged = mean.stack().reindex(rows.index)
    # Where nobody borders a city there is no sum.
    return rows.assign(neighbours=lagged.to_numpy() - rows[x].to_numpy())


@remember
def _levels(remedy: str) -> pd.Series:
    """What a remedy raises, of the last year in which each city of the sample has it."""
    return city_sample(remedy)[TREATMENTS[remedy].variable].groupby(level="adcode").last()


def levels_in(remedy: str, region: str) -> pd.Series:
    """Return what a remedy raises in the cities of a region, of the last year that each has (区域内城市的水平)."""
    found = _levels(remedy)
    return found[found.index.isin(list(get_region(region).adcodes("city")))]


@remember
def city_slope(remedy: str, model: str = "nation", region: str | None = None) -> Slope:
    """Estimate what output of cities goes with (城市斜率).

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform"}
    model : {"nation", "region", "year", "lights", "neighbours"}
        Effects of cities and of provinces and years, errors by province; of the region's cities alone, errors by city;
        with effects of the year in place of the province and year; on night lights; or the sum of the slopes of a city
        and of its neighbours' mean.
    region : str, optional
        Of ``model="region"``.

    Returns
    -------
    Slope
    """
    chosen = TREATMENTS[remedy]
    outcome = "log_night_lights" if model == "lights" else "log_gdp"
    rows, x = city_sample(remedy, outcome), [chosen.variable, *chosen.held]
    sample = "region" if model == "region" else "nation"
    if model == "neighbours":
        rows, x = _with_neighbours(rows, chosen.variable), [chosen.variable, "neighbours", *chosen.held]
    if model == "region" and region is not None:
        rows = rows[rows.index.get_level_values("adcode").isin(own_cities(remedy, region))]
    province = city_output.province_of(rows)
    table = rows if model == "year" else _by_province_and_year(rows, province)
    by = table.index.get_level_values(0) if model == "region" else province
    return _slope(table, outcome, x, pd.Series(np.asarray(by), table.index), sample)


@remember
def province_slope(remedy: str, platforms: bool = False) -> Slope:
    """Estimate what output per head of provinces goes with, effects of provinces and years (省级斜率).

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform"}
    platforms : bool
        Of enterprises, in place of the remedy's variable: the mean of websites and e-commerce, each in standard
        deviations.

    Returns
    -------
    Slope
        Errors by province, what the design controls for held.
    """
    from clusterlib.data import load_panel

    plan, name = design(), "platforms" if platforms else TREATMENTS[remedy].provincial
    needed = [*plan.platforms, "dfi_usage_depth", "dfi_coverage_breadth", "broadband_subscribers", "goods_trade"]
    facts = load_panel("province", needed)
    use = facts[list(plan.platforms)]
    made = {
        "platforms": ((use - use.mean()) / use.std()).mean(axis=1, skipna=False),
        "log_subscribers": np.log(facts["broadband_subscribers"]),
        "log_goods_trade": np.log(facts["goods_trade"]),
    }
    x = [name, *_PROVINCIAL_HELD.get(name, []), *plan.controls]
    panel = output_panel(alternatives=False).join(facts.assign(**made)[[name, *_PROVINCIAL_HELD.get(name, [])]])
    rows = in_years(panel, str(plan.spans["province_years"].default))[["log_gdp_per_head", *x]].dropna()
    by = pd.Series(rows.index.get_level_values("adcode"), rows.index)
    return _slope(rows, "log_gdp_per_head", x, by, "nation")


def choose_slope(remedy: str, region: str, model: str = "best") -> Slope:
    """Return the slope of a remedy: by default the region's own where its cities are enough, the nation's otherwise.

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform"}
    region : str
        A region's code.
    model : str
        One of ``MODELS``.

    Returns
    -------
    Slope

    Raises
    ------
    UnknownNameError
        If there is no such model, or too few cities for the region's own.
    """
    check_choice("model", model, MODELS)
    if model in ("provinces", "platforms"):
        return province_slope(remedy, model == "platforms")
    enough = own_cities(remedy, region).size >= FEWEST
    if model == "best":
        model = "region" if enough else "nation"
    elif model == "region" and not enough:
        fewer = f"{region} has fewer than {FEWEST} cities beside others of their province: take the nation's slope"
        check_choice("model", model, [name for name in MODELS if name != "region"], fewer)
    return city_slope(remedy, model, region if model == "region" else None)

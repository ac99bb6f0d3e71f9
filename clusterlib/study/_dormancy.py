"""Data dormancy and small places: use by coverage, output by infrastructure, inputs by size (数据沉睡与低小散)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_bounds, check_level, check_panel, check_table
from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS
from clusterlib.study._design import design
from clusterlib.study._memory import remember
from clusterlib.study._panels import in_years

if TYPE_CHECKING:
    from clusterlib.efficiency import FrontierResult

# The index of cities: first years after its steep start, and the latest ones.
EARLY, LATE = (2014, 2016), (2021, 2023)
HALVES = ((2014, 2018), (2019, 2023))
# The city where the payment platform that the index is made from has its seat, and the distance below which it is near.
SEAT, NEARBY = 330100, 50.0
RETURNS = ("constant", "variable", "non-increasing")
METHODS = (*RETURNS, "order_m", "stochastic")
ORDERS, MAIN_ORDER = (5, 10, 20), 10
SIZE_YEARS = (2018, 2023)
INPUTS = {"broadband": "broadband_subscribers", "mobile": "mobile_subscribers", "telecom": "telecom_revenue"}
DIVISORS = {"residents": "implied_resident_population", "registered": "registered_population"}
FEWEST = 10
DRAWS = 1000
# Provinces up to this many kilometres apart tell how alike near ones are; kilometres over which likeness may fade.
_NEAR = 800.0
_REACHES = np.arange(0.0, 2001.0, 100.0)
_BOUNDS = ["estimate", "std_error", "lower", "upper", "p_value", "detectable"]


class DepthOfUse(NamedTuple):
    """How deep digital finance is used given its coverage; see :func:`depth_of_use`."""

    cities: pd.DataFrame
    gaps: pd.DataFrame
    years: pd.DataFrame
    without: pd.DataFrame
    forms: pd.DataFrame
    pace: pd.DataFrame


class OutputFrontiers(NamedTuple):
    """How far provinces stay below what their infrastructure yields elsewhere; see :func:`output_frontiers`."""

    scores: pd.DataFrame
    latest: pd.DataFrame
    gaps: pd.DataFrame
    alike: pd.DataFrame
    compared: pd.Series


class GapDesign:
    r"""The gap of a few provinces' units from the curve that holds elsewhere, for many outcomes of the same units.

    The curve is fitted by least squares on the units elsewhere; the gap is the mean of the own units' residuals from
    it, :math:`c'y`. Errors are those of provinces and of their units,

    .. math:: e_{ip} = a_p + u_{ip}, \quad Cov(a_p, a_q) = \sigma_a^2 e^{-d_{pq} / L}, \quad Var(u_{ip}) = \sigma_u^2

    whose parts come from the units elsewhere alone, since a few provinces cannot tell how provinces differ: the two
    variances make the expected sums of squares of residuals within provinces and of their means what they are, and the
    reach :math:`L` does so, as nearly as may be, for products of means of near provinces. Statistics have t
    distributions with as many degrees of freedom as provinces elsewhere less coefficients.

    Parameters
    ----------
    X : array of shape (units, coefficients)
        With a constant.
    own : array of bool
    province : array of int
        Positions in ``kilometres``.
    kilometres : array of shape (provinces, provinces)
    """

    def __init__(self, X: np.ndarray, own: np.ndarray, province: np.ndarray, kilometres: np.ndarray) -> None:
        out = X[~own]
        solver = np.linalg.pinv(out)
        self.rows, self.curve, self.solver = ~own, out, solver
        self.weights = np.where(own, 1 / own.sum(), 0.0)
        self.weights[~own] = -(X[own].mean(axis=0) @ solver)
        belongs = np.eye(len(kilometres))[province]
        there = np.flatnonzero(belongs[~own].any(axis=0))
        self.inside = inside = belongs[~own][:, there]
        self.sizes = sizes = inside.sum(axis=0)
        self.df = len(there) - X.shape[1]
        self.near = near = 1.0 * ((kilometres <= _NEAR) & (kilometres > 0))[np.ix_(there, there)]
        # With residuals M y and dummies Z of provinces: sums of squares within provinces, of the provinces' mean
        # residuals, of products of near ones. How often each has the variance of units, and by reach of provinces.
        left = inside.T @ (inside - out @ (solver @ inside))
        means = left / sizes
        cross = means / sizes[:, None]
        self.alone = bool((sizes == 1).all())
        self.of_units = np.array([len(out) - X.shape[1] - np.trace(means), np.trace(cross), (near * cross).sum()])
        forms = [left - left @ means.T, means @ means.T, means @ near @ means.T]
        with np.errstate(divide="ignore"):
            alike = [np.exp(-kilometres / reach) if reach else np.eye(len(kilometres)) for reach in _REACHES]
        self.of_provinces = np.array([[(form * r[np.ix_(there, there)]).sum() for form in forms] for r in alike])
        at = belongs.T @ self.weights
        self.own_units, self.own_provinces = self.weights @ self.weights, np.array([at @ r @ at for r in alike])

    def estimate(self, y: np.ndarray, level: float = 0.95) -> pd.DataFrame:
        """Estimate the gap of each outcome, an array of shape (units, outcomes)."""
        from scipy.stats import t

        from clusterlib.core.power import multipliers

        residuals = y[self.rows] - self.curve @ (self.solver @ y[self.rows])
        sums = self.inside.T @ residuals
        means = sums / self.sizes[:, None]
        within = (residuals**2).sum(axis=0) - (sums * means).sum(axis=0)
        squares = np.array([within, (means**2).sum(axis=0), (means * (self.near @ means)).sum(axis=0)])
        units, provinces = self._variances(squares)
        missed = np.abs(squares[2] - self.of_units[2] * units - self.of_provinces[:, 2, None] * provinces)
        best, every = missed.argmin(axis=0), np.arange(y.shape[1])
        units, provinces = units[best, every], provinces[best, every]
        gap, error = self.weights @ y, np.sqrt(units * self.own_units + provinces * self.own_provinces[best])
        half = t.isf((1 - level) / 2, self.df) * error
        found = {"estimate": gap, "std_error": error, "lower": gap - half, "upper": gap + half}
        with np.errstate(divide="ignore", invalid="ignore"):
            found["p_value"] = 2 * t.sf(np.abs(gap) / error, self.df)
        found["detectable"] = multipliers(self.df, 1 - level, 0.8)[1] * error
        parts = {"between": np.sqrt(provinces), "within": np.sqrt(units), "reach": _REACHES[best]}
        return pd.DataFrame(found | parts)

    def _variances(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variances of units and provinces by reach and outcome, none below nil."""
        u, p = self.of_units, self.of_provinces[:, :2, None]
        if self.alone:
            return np.zeros((len(p), squares.shape[1])), squares[1] / p[:, 1]
        fall = u[0] * p[:, 1] - u[1] * p[:, 0]
        provinces = np.maximum((u[0] * squares[1] - u[1] * squares[0]) / fall, 0.0)
        return np.maximum((squares[0] - p[:, 0] * provinces) / u[0], 0.0), provinces


def region_gap(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    own: Iterable[int],
    province: pd.Series,
    kilometres: pd.DataFrame,
    *,
    level: float = 0.95,
) -> pd.Series:
    """Estimate how far a region's units lie from the curve that holds elsewhere (区域对全国曲线的偏离).

    Units of the region's provinces that are not its own are left out on both sides. Errors are those of
    provinces alike where they are near.

    Parameters
    ----------
    data : DataFrame
        By unit, complete in these columns.
    y : str
    x : str or iterable of str
        Of the curve, such as a variable and its square; none for a difference of means.
    own : iterable
        Units of the region; those without data do not count.
    province : Series
        By unit.
    kilometres : DataFrame
        Between provinces.
    level : float
        Of the interval.

    Returns
    -------
    Series
        ``estimate`` (own less expected), ``std_error``, ``lower``, ``upper``, ``p_value``, ``detectable`` (80 % power
        at the complementary level), ``between`` and ``within`` (standard deviations of provinces and of their units),
        ``reach`` in kilometres, and the numbers ``units``, ``provinces``, ``df``; missing without own units.

    Raises
    ------
    InvalidInputError
        For missing values, a unit without a province, a province without distances, or fewer than five provinces
        elsewhere more than coefficients.

    References
    ----------
    Ferman, B. and Pinto, C. (2019). Inference in differences-in-differences with few treated groups and
    heteroskedasticity. Review of Economics and Statistics 101, 452-467, for errors of few groups from those of the
    others. Searle, S. R., Casella, G. and McCulloch, C. E. (1992). Variance components. Wiley, chapter 5.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random, units = np.random.default_rng(0), pd.RangeIndex(80)
    >>> province = pd.Series(units // 4, units)
    >>> data = pd.DataFrame({"x": random.normal(size=80), "e": 0.1 * random.normal(size=80)}, units)
    >>> data["y"] = 2 * data["x"] + data["e"] + 1.0 * (province == 0)
    >>> far = pd.DataFrame(np.abs(np.subtract.outer(range(20), range(20))) * 900.0)
    >>> round(float(region_gap(data, "y", "x", range(4), province, far)["estimate"]), 1)
    1.0
    """
    names, level = as_names(x, "x"), check_level(level)
    values = check_table(data[[y, *names]], "variable", "leave out the unit")
    lost = values.index.difference(province.dropna().index)
    if len(lost):
        raise InvalidInputError(f"province: none for {lost[0]}; expected one for each unit of data")
    mine = values.index.isin(list(own))
    at = province.loc[values.index].to_numpy()
    kept = mine | ~np.isin(at, at[mine])
    nothing = pd.Series(np.nan, [*_BOUNDS, "between", "within", "reach"])
    count = {"units": int(mine.sum()), "provinces": len(np.unique(at[mine])), "df": 0}
    if not mine.any():
        return pd.concat([nothing, pd.Series(count)])
    unknown = pd.Index(np.unique(at)).difference(kilometres.index)
    if len(unknown):
        raise InvalidInputError(f"kilometres: province {unknown[0]} is missing; expected all provinces of the units")
    place = kilometres.index.get_indexer(at[kept])
    X = np.column_stack([np.ones(kept.sum()), values[names].to_numpy(float)[kept]])
    elsewhere = len(np.unique(at[~mine & kept]))
    if elsewhere < X.shape[1] + 5:
        raise InvalidInputError(
            f"{elsewhere} provinces elsewhere for {X.shape[1]} coefficients: expected at least {X.shape[1] + 5}"
        )
    far = kilometres.loc[kilometres.index, kilometres.index].to_numpy(float)
    plan = GapDesign(X, mine[kept], place, far)
    row = plan.estimate(values[[y]].to_numpy(float)[kept], level).iloc[0]
    return pd.concat([row, pd.Series(count | {"df": plan.df})])


def _logarithms(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.transform(np.log)


def province_distances() -> pd.DataFrame:
    """Return great-circle distances between provinces' centroids in kilometres (省际距离)."""
    from clusterlib.data import load_boundaries
    from clusterlib.weights import great_circle_distances

    return great_circle_distances(load_boundaries("province"))


def _city_means(first: int, last: int) -> pd.DataFrame:
    """Means of cities over years in which all of them are known, with powers of coverage."""
    from clusterlib.data import load_panel

    names = {"dfi_usage_depth": "depth", "dfi_coverage_breadth": "coverage"}
    known = load_panel("city", list(names), years=f"{first}:{last}").rename(columns=names).dropna().groupby("adcode")
    cities = known.mean()[known.size() == last - first + 1]
    breadth = (cities["coverage"] - cities["coverage"].mean()) / cities["coverage"].std()
    powers = {"breadth": breadth, "breadth2": breadth**2, "breadth3": breadth**3}
    return cities.assign(**powers, province=cities.index // 10000 * 10000)


def _latest_cities() -> pd.DataFrame:
    """The latest years' means, with logarithms, GDP per head and distance to the platform's seat."""
    from clusterlib.data import load_boundaries, load_panel
    from clusterlib.weights import great_circle_distances

    cities = _city_means(*LATE)
    income = load_panel("city", "gdp_per_capita", years=f"{LATE[0]}:{LATE[1]}")["gdp_per_capita"]
    kilometres = great_circle_distances(load_boundaries("city"))[SEAT].reindex(cities.index).clip(lower=NEARBY)
    return cities.assign(
        income=income.groupby("adcode").mean().transform(np.log).reindex(cities.index), seat=np.log(kilometres),
        log_depth=np.log(cities["depth"]), log_coverage=np.log(cities["coverage"]),
    )  # fmt: skip


_CURVE = ["breadth", "breadth2"]
_FORMS = {"linear": _CURVE[:1], "quadratic": _CURVE, "cubic": [*_CURVE, "breadth3"]}


def _gap_variants(cities: pd.DataFrame, region: str, far: pd.DataFrame) -> dict[str, pd.Series]:
    """Gaps of a region in index points by form of the curve, by what it holds constant and by sample."""
    own = cities[cities.index.isin(REGIONS[region].adcodes("city"))]
    found = {"main": _city_gap(cities, region, far)}
    found |= {form: _city_gap(cities, region, far, x=x) for form, x in _FORMS.items() if form != "quadratic"}
    log = _city_gap(cities, region, far, "log_depth", ["log_coverage"])
    # In index points of the region's own mean, so that rows can be compared.
    log[[*_BOUNDS[:4], "detectable", "between", "within"]] *= own["depth"].mean()
    alone = cities.index == cities["province"]
    seat = alone | (cities.index == cities["province"] + 100)
    return found | {
        "logarithms": log,
        "income": _city_gap(cities, region, far, x=[*_CURVE, "income"]),
        "seat": _city_gap(cities, region, far, x=[*_CURVE, "seat"]),
        "income_and_seat": _city_gap(cities, region, far, x=[*_CURVE, "income", "seat"]),
        "same_coverage": _city_gap(
            cities[cities["coverage"].between(own["coverage"].min(), own["coverage"].max())], region, far
        ),
        "without_capitals": _city_gap(cities[~seat], region, far),
    }


def _city_gap(
    cities: pd.DataFrame, region: str, far: pd.DataFrame, y: str = "depth", x: Iterable[str] = tuple(_CURVE)
) -> pd.Series:
    own, names = REGIONS[region].adcodes("city"), list(x)
    return region_gap(cities.dropna(subset=names), y, names, own, cities["province"], far)


def _errors_of_forms(cities: pd.DataFrame) -> pd.DataFrame:
    """Root mean squared error of depth in provinces that the curve has not seen, by form, in index points."""
    found = {}
    forms = {name: ("depth", x) for name, x in _FORMS.items()} | {"logarithms": ("log_depth", ["log_coverage"])}
    for form, (y, x) in forms.items():
        X = np.column_stack([np.ones(len(cities)), cities[x]])
        error = np.empty(len(cities))
        for province in cities["province"].unique():
            out = (cities["province"] == province).to_numpy()
            said = X[out] @ np.linalg.lstsq(X[~out], cities[y].to_numpy()[~out])[0]
            error[out] = cities["depth"].to_numpy()[out] - (np.exp(said) if y == "log_depth" else said)
        found[form] = {"error": np.sqrt((error**2).mean()), "coefficients": X.shape[1]}
    return pd.DataFrame(found).T


def _elasticities() -> pd.DataFrame:
    """Elasticity of depth to coverage within cities, in both halves and its change, with wild bootstrap intervals."""
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.data import load_panel
    from clusterlib.panel import wild_cluster_bootstrap

    panel = load_panel("city", ["dfi_usage_depth", "dfi_coverage_breadth"], years=f"{HALVES[0][0]}:{HALVES[1][1]}")
    panel = _logarithms(panel.dropna().set_axis(["depth", "first"], axis=1))
    year = panel.index.get_level_values("year")
    late = year >= HALVES[1][0]
    # Cities have an effect in each half, so that both halves are regressions of their own.
    unit = 10 * panel.index.get_level_values("adcode") + late
    panel = panel.assign(second=panel["first"] * late, difference=panel["first"] * late)
    panel["first_alone"] = panel["first"] * ~late
    panel.index = pd.MultiIndex.from_arrays([unit, year], names=["unit", "year"])
    province = pd.Series(unit.unique() // 100000 * 10000, unit.unique())
    tested = {
        "first": ["first_alone", "second"],
        "second": ["second", "first_alone"],
        "difference": ["difference", "first"],
    }
    rows = {}
    for name, (one, other) in tested.items():
        found = wild_cluster_bootstrap(
            panel, "depth", [one, other], "twoway", cluster=province, variables=one, draws=DRAWS
        )
        row = found.table[_BOUNDS[:5]].astype(float).iloc[0]
        seen = minimum_detectable_effect(row[["std_error"]], found.clusters - 1)["minimum_detectable"].iloc[0]
        rows[name] = {**row, "detectable": seen, "cities": unit.nunique() // 2, "provinces": found.clusters}
    return pd.DataFrame(rows).T


@remember
def depth_of_use() -> DepthOfUse:
    r"""Set the depth of use of digital finance against its coverage, in cities (覆盖既定下的使用深度).

    With depth :math:`d`, coverage :math:`c` and a curve :math:`f` fitted on cities of the provinces that a region has
    no part in, the gap of region :math:`r` is the mean of :math:`d_i - \hat f(c_i)` over its cities; see
    :func:`region_gap` for its interval.

    Returns
    -------
    DepthOfUse
        ``cities``: means of the latest years; ``gaps`` by (region, variant) in index points, with ``deviation``, the
        standard deviation of depth over all cities; ``years`` by (region, year), the same for each year; ``without``
        by (region, province): the main estimate with one province left out; ``forms``: error of each form of the curve
        in provinces that it has not seen; ``pace``: by region how much more depth has grown than growth and start of
        coverage go with elsewhere, in index points, and for the nation (``first``, ``second``, ``difference``) the
        elasticity of depth to coverage within cities in both halves of the years and its change.

    References
    ----------
    Guo, F. et al. (2020). 测度中国数字普惠金融发展：指数编制与空间特征. 经济学（季刊） 19, 1401-1418.

    Examples
    --------
    >>> import clusterlib as cl
    >>> bool(cl.study.depth_of_use().gaps.loc[("yrd", "main"), "units"] > 30)
    True
    """
    from clusterlib.data import load_panel

    cities, before, far = _latest_cities(), _city_means(*EARLY), province_distances()
    gaps = {(code, name): row for code in REGIONS for name, row in _gap_variants(cities, code, far).items()}
    both = cities.index.intersection(before.index)
    grown = cities.loc[both, ["depth", "coverage"]] - before.loc[both, ["depth", "coverage"]]
    grown = grown.assign(start=before.loc[both, "coverage"], province=cities.loc[both, "province"])
    pace = {code: _city_gap(grown, code, far, x=["coverage", "start"]) for code in REGIONS}
    path = {}
    for year in load_panel("city", "dfi_usage_depth").dropna().index.unique("year").sort_values():
        of_year = _city_means(year, year)
        spread = pd.Series({"deviation": of_year["depth"].std()})
        path |= {(code, year): pd.concat([_city_gap(of_year, code, far), spread]) for code in REGIONS}
    without = {}
    for code in REGIONS:
        own = set(cities.loc[cities.index.isin(REGIONS[code].adcodes("city")), "province"])
        for left in sorted(cities["province"].unique()):
            if own != {left}:
                without[code, left] = _city_gap(cities[cities["province"] != left], code, far)
    return DepthOfUse(
        cities,
        pd.DataFrame(gaps).T.rename_axis(["region", "variant"]).assign(deviation=cities["depth"].std()),
        pd.DataFrame(path).T.rename_axis(["region", "year"]),
        pd.DataFrame(without).T.rename_axis(["region", "without"]),
        _errors_of_forms(cities),
        pd.concat([pd.DataFrame(pace).T, _elasticities()]),
    )


def output_frontier(
    panel: pd.DataFrame, inputs: str | Iterable[str], outputs: str | Iterable[str], inefficiency: str = "invariant"
) -> FrontierResult:
    r"""Stochastic frontier of one output or several, to set beside data envelopment (随机前沿稳健性检验).

    .. math:: \ln g_{it} = \beta_t + \sum_k \beta_k \ln x_{itk} + \sum_{m<M} \gamma_m \ln (y_{itm} / g_{it})
              + v_{it} - u_{it}

    with :math:`g` the geometric mean of the outputs: an output distance function, linear in logarithms.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); positive values.
    inputs, outputs : str or iterable of str
    inefficiency : {"invariant", "independent"}
        As in :func:`clusterlib.efficiency.stochastic_frontier`. What stays with a unit over all years tells
        inefficiency from noise but not from anything else that stays with it; what is drawn anew each year is told from
        noise by its skewness alone.

    Returns
    -------
    clusterlib.efficiency.FrontierResult

    Raises
    ------
    InvalidInputError, UnknownNameError
        For values that are not positive, and as :func:`clusterlib.efficiency.stochastic_frontier`.

    References
    ----------
    Coelli, T. and Perelman, S. (1999). A comparison of parametric and non-parametric distance functions. European
    Journal of Operational Research 117, 326-339.
    """
    from clusterlib.efficiency import stochastic_frontier

    inputs, outputs = as_names(inputs, "inputs"), as_names(outputs, "outputs")
    if not outputs:
        raise InvalidInputError("outputs names no column")
    amounts = check_panel(panel, [*inputs, *outputs])
    check_bounds(amounts, "logarithms are taken", open_ends=True)
    data = _logarithms(amounts)
    mean = data[outputs].mean(axis=1)
    mix = data[outputs[:-1]].sub(mean, axis=0).add_suffix("_mix")
    years = pd.get_dummies(data.index.get_level_values(1), prefix="year", drop_first=True, dtype=float)
    frame = pd.concat([mean.rename("output"), data[inputs], mix, years.set_axis(data.index)], axis=1)
    return stochastic_frontier(frame, "output", list(frame.columns[1:]), inefficiency=inefficiency)


@remember
def output_frontiers() -> OutputFrontiers:
    """Set what provinces' data yield against their infrastructure, by several frontiers (基础设施既定下的数据产出).

    Each year has a frontier of its own; the stochastic one is of all years, with inefficiency that stays with a
    province. A region is the mean of its provinces, of logarithms of efficiency over the latest years; its gap is the
    difference from the mean of provinces elsewhere (:func:`region_gap`), as it is and given GDP per head.

    Returns
    -------
    OutputFrontiers
        ``scores`` by (adcode, year): efficiency by method, ``order_<m>`` for other orders, and ``gdp_per_capita``;
        ``latest``: their geometric means over the latest years by province;
        ``gaps`` by (region, method, given), given ``nothing`` or ``income``, in logarithms; ``alike``: rank
        correlations of methods, and of each with GDP per head, over provinces' means of the latest years;
        ``compared``: of each province in the last year, how many the order-m frontier compares it with.

    Examples
    --------
    >>> import clusterlib as cl
    >>> bool((cl.study.output_frontiers().scores["constant"] <= 1).all())
    True
    """
    from clusterlib.data import load_panel
    from clusterlib.efficiency import data_envelopment, order_m

    plan = design()
    inputs, outputs = list(plan.data_inputs), list(plan.data_outputs)
    span = plan.spans["province_years"].default
    panel = load_panel("province", [*inputs, *outputs, "gdp_per_capita"], years=span).dropna().sort_index()
    x, y = panel[inputs], panel[outputs]
    found = {
        kind: data_envelopment(x, y, returns=kind, orientation="output", groups="year").table["efficiency"]
        for kind in RETURNS
    }
    orders = {m: order_m(x, y, m=m, groups="year").table for m in ORDERS}
    found["order_m"] = orders[MAIN_ORDER]["efficiency"]
    found["stochastic"] = output_frontier(panel, inputs, outputs).efficiency["efficiency"]
    found |= {f"order_{m}": table["efficiency"] for m, table in orders.items() if m != MAIN_ORDER}
    scores = pd.DataFrame(found).assign(gdp_per_capita=panel["gdp_per_capita"])
    latest = _logarithms(in_years(scores, f"{LATE[0]}:{LATE[1]}")).groupby(level="adcode").mean()
    province, far = pd.Series(latest.index, latest.index), province_distances()
    gaps = {
        (code, method, given): region_gap(latest, method, x, area.adcodes("province"), province, far)
        for code, area in REGIONS.items()
        for method in found
        for given, x in {"nothing": [], "income": ["gdp_per_capita"]}.items()
    }
    alike = latest.corr(method="spearman")
    last = panel.index.get_level_values("year").max()
    compared = orders[MAIN_ORDER]["compared"].xs(last, level="year")
    means = latest.transform(np.exp)
    return OutputFrontiers(
        scores, means, pd.DataFrame(gaps).T.rename_axis(["region", "method", "given"]), alike, compared
    )


def _place_data() -> pd.DataFrame:
    """Means of cities of logarithms less those of the year: inputs, divisors and sizes; by (province, city)."""
    from clusterlib.data import load_panel

    names = {**INPUTS, **DIVISORS, "gdp": "gdp"}
    panel = load_panel("city", list(names.values()), years=f"{SIZE_YEARS[0]}:{SIZE_YEARS[1]}")
    log = _logarithms(panel.where(panel > 0)).set_axis(list(names), axis=1)
    cities = (log - log.groupby(level="year").transform("mean")).groupby(level="adcode").mean()
    province = pd.Index(cities.index // 10000 * 10000, name="province")
    return cities.set_index(pd.MultiIndex.from_arrays([province, cities.index], names=["province", "adcode"]))


def _county_data() -> pd.DataFrame:
    """Budget revenue per registered person and GDP of county-level cities in the last year; by (province, county)."""
    from clusterlib.data import load_panel, load_units

    panel = load_panel("county", ["gdp", "general_budget_revenue", "registered_population"]).dropna()
    last = _logarithms(in_years(panel, int(panel.index.get_level_values("year").max())).droplevel("year"))
    province = load_units().loc[last.index, "province"].to_numpy()
    index = pd.MultiIndex.from_arrays([province, last.index], names=["province", "adcode"])
    return pd.DataFrame(
        {"revenue": (last["general_budget_revenue"] - last["registered_population"]).to_numpy(),
         "gdp": last["gdp"].to_numpy()}, index,
    )  # fmt: skip


def _gradient(places: pd.DataFrame, y: str, x: str, region: bool) -> dict:
    """Elasticity within provinces: wild bootstrap of provinces for the nation, of places for a region."""
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.panel import wild_cluster_bootstrap

    data = places[[y, x]].dropna()
    data = data[data.groupby(level="province")[y].transform("size") > 1]
    count = {"places": len(data), "provinces": data.index.unique("province").size}
    if len(data) < FEWEST:
        return dict.fromkeys(_BOUNDS, np.nan) | count
    each = pd.Series(np.arange(len(data)), data.index)
    found = wild_cluster_bootstrap(data, y, x, "entity", cluster=each if region else "entity", draws=DRAWS)
    row = found.table[_BOUNDS[:5]].astype(float).iloc[0]
    df = len(data) - count["provinces"] - 1 if region else found.clusters - 1
    seen = minimum_detectable_effect(row[["std_error"]], df)["minimum_detectable"].iloc[0]
    return {**row, "detectable": seen, **count}


@remember
def size_gradients() -> pd.DataFrame:
    r"""Set digital inputs per head against the size of places, within provinces (规模与人均数字投入).

    .. math:: \ln \frac{I_i}{P_i} = \alpha_{p(i)} + \eta \ln S_i + e_i

    Means of cities over the years in which each figure is known, the mean of the year taken out. Population that is
    the divisor and the size, or of which GDP per head is made, ties both sides: an error in it lowers :math:`\eta`.
    Registered population as divisor makes per-head figures of cities that migrants come to too large, which raises it:
    the two lie on either side.

    Returns
    -------
    DataFrame
        By (place, size, divisor, input), place the nation or a region, for a region with fewer than ten cities the
        cities of its provinces: ``estimate``, ``std_error``, ``lower``, ``upper``, ``p_value``, ``detectable``,
        ``places``, ``provinces``; input ``revenue`` is the budget revenue per registered person of county-level cities
        of the provinces, for want of any digital input by county. Missing with fewer than ten places.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.size_gradients().index.names
    FrozenList(['place', 'size', 'divisor', 'input'])
    """
    cities, counties = _place_data(), _county_data()
    for name in INPUTS:
        for divisor in DIVISORS:
            cities[f"{name}_{divisor}"] = cities[name] - cities[divisor]
    found = {}
    for place in ("nation", *REGIONS):
        own, inside = cities, counties
        if place != "nation":
            provinces = REGIONS[place].adcodes("province")
            own = cities[cities.index.get_level_values("adcode").isin(REGIONS[place].adcodes("city"))]
            if len(own.dropna(subset=["gdp"])) < FEWEST:
                own = cities[cities.index.get_level_values("province").isin(provinces)]
            inside = counties[counties.index.get_level_values("province").isin(provinces)]
        for size, divisor, name in product(("gdp", "residents"), DIVISORS, INPUTS):
            found[place, size, divisor, name] = _gradient(own, f"{name}_{divisor}", size, place != "nation")
        found[place, "gdp", "registered", "revenue"] = _gradient(inside, "revenue", "gdp", place != "nation")
    return pd.DataFrame(found).T.rename_axis(["place", "size", "divisor", "input"]).sort_index()

"""The four remedies (四项对策) as counterfactuals run through estimated models: what changes, and what it gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import ROUNDING, check_choice, check_level, check_number, check_whole
from clusterlib.core.covariance import wald_statistic
from clusterlib.core.results import Result, Test
from clusterlib.core.rows import Later
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import Region, get_region
from clusterlib.study._design import design
from clusterlib.study.diagnosis._severity import check_year
from clusterlib.study.scenario import _assumptions as assumptions
from clusterlib.study.scenario import _estimates as models
from clusterlib.study.scenario._estimates import INDEX, LINKS, ProvinceModel
from clusterlib.study.scenario._responses import border_response, durbin_response, effect_table, interval

if TYPE_CHECKING:
    from clusterlib.composite import CompositeIndex

# Names in English and Chinese.
REMEDIES: Mapping[str, tuple[str, str]] = Later(
    lambda: {key: (named.en, named.zh) for key, named in design().remedies.items()}
)
_CHOICES = {
    "measure": models.MEASURES, "variant": models.VARIANTS, "weights": models.WEIGHTS, "sample": models.SAMPLES,
    "shocks": (False, True), "errors": ("cluster", "classical"),
}  # fmt: skip
PERCENT, POINTS = "percent of the region's GDP", "percentage points of the region's growth"
_SCALED = ("software_revenue_share", "it_services_revenue_per_capita", "ecommerce_sales_share")
# Indicators before and after, and what is said of the change.
Change = tuple[pd.DataFrame, pd.DataFrame, list[assumptions.Sentence]]
_BOUNDS = ["estimate", "lower", "upper"]
NO_GROUPS = pd.DataFrame(columns=_BOUNDS, index=pd.MultiIndex.from_arrays([[], []], names=["province", "regime"]))


@dataclass(frozen=True, eq=False)
class Scenario(Result):
    """Effects of a remedy applied to the units of one region (对策情景).

    Attributes
    ----------
    remedy, region : str
    year : int
        Of the figures that are changed and of the GDP that weighs units.
    unit : str
        Of the effects.
    table : DataFrame
        By adcode, all units of the model: ``member`` (whether of the region), then ``direct``, ``spillover`` and
        ``total``, each with ``_lower`` and ``_upper``. Direct is what a unit's own change gives it, spillover the rest.
    totals : DataFrame
        ``estimate``, ``lower``, ``upper`` by effect, units weighed by their GDP relative to that of the region:
        ``direct``; ``spillover_inside`` and ``spillover_outside``, what the region's units get beyond that and what the
        rest of the country gets, ``spillover``, their sum; ``total``. For joint targets also ``gain``,
        ``gain_over_present`` and the region's response under each regime: ``alone``, ``present``, ``joint``.
    groups : DataFrame
        Of joint targets: by (province, regime) ``estimate``, ``lower``, ``upper`` of its cities' response, weighed by
        GDP; regimes ``alone``, ``present``, ``joint``. Of other remedies empty.
    changes : DataFrame
        By (adcode, indicator), the units that change: ``before`` and ``after``.
    assumptions : tuple of (str, str)
        Each in English and Chinese.
    settings : dict
        What made it; ``rejected`` counts draws outside the stable values.
    """

    remedy: str
    region: str
    year: int
    unit: str
    table: pd.DataFrame = field(repr=False)
    totals: pd.DataFrame = field(repr=False)
    groups: pd.DataFrame = field(repr=False)
    changes: pd.DataFrame = field(repr=False)
    assumptions: tuple[tuple[str, str], ...] = field(repr=False)
    settings: dict = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Which remedy."""
        return " ".join(REMEDIES.get(self.remedy, (self.remedy,)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is assumed, in English."""
        return tuple(english for english, _ in self.assumptions)

    def _shown(self) -> pd.DataFrame:
        return self.totals

    def verdict(self, effect: str = "total") -> str:
        """Say whether an effect of the region is told from zero (结论).

        Raises
        ------
        UnknownNameError
            For an effect that is no row of ``totals``.
        """
        check_choice("effect", effect, self.totals.index)
        estimate, lower, upper = self.totals.loc[effect, _BOUNDS].to_numpy(float)
        if not len(self.changes):
            return "no unit of the region lies below the target: nothing changes"
        level = f"{100 * self.settings['level']:g} percent interval"
        found = f"{estimate:+.3f} {self.unit} ({level} {lower:+.3f} to {upper:+.3f})"
        if lower <= 0 <= upper:
            return f"not told from zero: {found}"
        return f"{'positive' if estimate > 0 else 'negative'}: {found}"


@dataclass(frozen=True)
class _Options:
    """What a scenario was asked for."""

    percentile: float
    size: float
    measure: str
    variant: str
    weights: str
    sample: str
    shocks: bool
    errors: str
    draws: int
    seed: int
    level: float

    def __post_init__(self) -> None:
        check_number("percentile", self.percentile, least=0, most=100)
        check_number("size", self.size, least=0, open_ends=True)
        for name, valid in _CHOICES.items():
            check_choice("kind of errors" if name == "errors" else name, getattr(self, name), valid)
        check_whole("draws", self.draws, 2)
        check_whole("seed", self.seed)
        check_level(self.level)

    def settings(self, *names: str) -> dict:
        return {name: getattr(self, name) for name in (*names, "size", "draws", "seed", "level")}


def simulate(
    remedy: str,
    region: str,
    year: int = 2023,
    *,
    percentile: float = 75.0,
    size: float = 1.0,
    measure: str = "digital",
    variant: str = "levels",
    weights: str = "contiguity",
    sample: str = "window",
    shocks: bool = True,
    errors: str = "cluster",
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Scenario:
    r"""Simulate a remedy for a region: what changes, and what it gives at home and elsewhere (对策情景模拟).

    ``data_management``: provinces below a percentile of output efficiency (:func:`clusterlib.diagnosis.data_dormancy`
    without bootstrap) turn out more data from the same infrastructure until they reach it. ``co_creation``: websites
    and e-commerce of enterprises rise to a percentile. Either moves the digital index by :math:`\Delta x`, its ranges
    and weights as they were. ``data_platform``: goods trade and software exports rise to a percentile. All three run
    through a spatial Durbin model of log GDP per head,

    .. math:: \Delta \ln y = (I - \rho W)^{-1} (\beta I + \theta W) \Delta x

    ``joint_targets``: all cities of the region grow by ``size`` percentage points more, in a model of city growth with
    :math:`\rho_1` within provinces and :math:`\rho_2` across their borders; :math:`\rho_2 := \rho_1` is set against
    :math:`\rho_2 := 0`, each province acting alone (direct), and against the estimates.

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform", "joint_targets"}
    region : str
        A region's code.
    year : int
        2016 to 2023, of the figures that change; joint targets take the last year of city figures up to it.
    percentile : float
        Of all provinces in the year; ``joint_targets`` has none.
    size : float
        Share of the gap that is closed, one for all; for ``joint_targets`` percentage points.
    measure : {"digital", "fixed_gdp", "adoption"}
        Index of digital development: revenues relative to GDP, which has the outcome below the line; relative to the
        GDP of the first year; or without revenues, which waking data cannot move.
    variant : {"levels", "bare", "changes"}
        Of the model of provinces: levels with or without controls, or changes from year to year.
    weights : {"contiguity", "nearest", "distance"}
        Of provinces: who neighbours whom.
    sample : {"window", "all_years", "region"}
        Cities and years that ``joint_targets`` is estimated from; ``"window"`` and ``"region"`` are those of
        :func:`clusterlib.diagnosis.diagnose`.
    shocks : bool
        Whether ``joint_targets`` lets cities of a province share shocks; without, these pass for spillovers within it.
    errors : {"cluster", "classical"}
        Of the model of provinces: allowing a province's years to depend on each other, or taking them for independent.
    draws, seed : int
        Of the estimates' normal distribution.
    level : float
        Of the intervals.

    Returns
    -------
    Scenario
        Effects on provinces in percent (log points times 100) of GDP per head; on cities in percentage points of
        growth.

    Raises
    ------
    UnknownNameError
        For an unknown remedy, region, year, measure, variant, weights, sample or kind of errors.
    InvalidInputError
        For a percentile outside 0 to 100, a size that is not positive, data management with ``"adoption"``, and joint
        targets from a region that has hardly a border of provinces.

    Notes
    -----
    These are counterfactuals from correlational estimates: read ``assumptions`` before the numbers.

    Examples
    --------
    >>> import clusterlib as cl
    >>> scenario = cl.scenario.simulate("joint_targets", "yrd", draws=50)
    >>> bool(scenario.totals.loc["joint", "estimate"] > scenario.totals.loc["alone", "estimate"] > 1)
    True
    """
    check_choice("remedy", remedy, REMEDIES)
    area = get_region(region)
    year = check_whole("year", year)
    options = _Options(percentile, size, measure, variant, weights, sample, shocks, errors, draws, seed, level)
    if remedy == "joint_targets":
        return _joint_targets(area, year, options)
    if remedy == "data_platform":
        return _data_platform(area, year, options)
    return _through_index(remedy, area, year, options)


def _at(frame: pd.DataFrame, year: int) -> pd.DataFrame:
    """Rows of one year, by unit."""
    check_year(year, sorted(frame.index.unique("year")))
    return frame[frame.index.get_level_values("year") == year].droplevel("year")


def _through_index(remedy: str, area: Region, year: int, options: _Options) -> Scenario:
    """Run what moves the digital index through the model of provinces."""
    if remedy == "data_management" and options.measure == "adoption":
        raise InvalidInputError("measure='adoption' holds no revenue: waking data cannot move it; use another measure")
    model = models.estimate_provinces(options.measure, False, options.variant, options.weights)
    panel = _at(model.panel, year)
    indicators = _at(model.index_data, year).loc[panel.index]
    before, after, said = _INDEXED[remedy](model, year, indicators, area.adcodes("province"), options)
    moved = 10 * index_change(model.index, model.index_data, before, after)
    shown = before.assign(digital=_at(model.regressors, year)[INDEX])
    changed = after.assign(digital=shown[INDEX] + moved)
    return _provincial(model, remedy, area, year, moved.to_frame(INDEX), (shown, changed), said, options)


def _wake(model: ProvinceModel, year: int, indicators: pd.DataFrame, members: Iterable, options: _Options) -> Change:
    from clusterlib.data import load_units

    efficiency = models.output_efficiency(year)
    factors = waking_factors(efficiency, options.percentile, members, options.size)
    before = indicators[list(_SCALED)]
    after = before.mul(factors, axis=0)
    beyond = int((after[factors > 1] > model.index_data[list(_SCALED)].max()).sum().sum())
    target = float(np.percentile(efficiency, options.percentile))
    said = assumptions.data_management(factors, load_units("province"), target, options.percentile, beyond)
    return before, after, said


def _spread(model: ProvinceModel, year: int, indicators: pd.DataFrame, members: Iterable, options: _Options) -> Change:
    before = indicators[list(design().platforms)]
    after = raise_indicators(before, options.percentile, members, options.size)
    return before, after, assumptions.co_creation(before.quantile(options.percentile / 100), options.percentile)


_INDEXED = {"data_management": _wake, "co_creation": _spread}


def _data_platform(area: Region, year: int, options: _Options) -> Scenario:
    model = models.estimate_provinces(options.measure, True, options.variant, options.weights)
    before = _at(model.regressors, year)[list(LINKS)]
    after = raise_indicators(before, options.percentile, area.adcodes("province"), options.size)
    targets = before.quantile(options.percentile / 100)
    levels = np.exp(targets["trade"]), np.expm1(targets["software_exports"])
    p_value = _links_p_value(model, options.errors)
    said = assumptions.data_platform(levels, options.percentile, p_value)
    found = _provincial(model, "data_platform", area, year, after - before, (before, after), said, options)
    return replace(found, settings=found.settings | {"p_links": p_value})


def _links_p_value(model: ProvinceModel, errors: str) -> float:
    """Wald test that the slopes of links are all zero, at home and next door."""
    names = [*LINKS, *(f"W_{name}" for name in LINKS)]
    covariance = model.covariance if errors == "cluster" else model.result.covariance
    statistic = wald_statistic(model.result.params[names].to_numpy(), covariance.loc[names, names].to_numpy())
    return Test.of("Wald", "no slope of a link", statistic, "chi2", len(names)).p_value


def _provincial(
    model: ProvinceModel, remedy: str, area: Region, year: int, moved: pd.DataFrame,
    shown: tuple[pd.DataFrame, pd.DataFrame], said: list[assumptions.Sentence], options: _Options,
) -> Scenario:  # fmt: skip
    """Run a change of regressors through the model of provinces."""
    response = durbin_response(
        model.result, model.graph, moved, draws=options.draws, seed=options.seed,
        covariance=model.covariance if options.errors == "cluster" else None,
    )  # fmt: skip
    direct, total = 100 * response.direct, 100 * response.total
    table = unit_table(moved.index, direct, total, area.adcodes("province"), options.level)
    gdp = _at(model.panel, year)["gdp"].loc[moved.index].to_numpy()
    settings = options.settings("percentile", "measure", "variant", "weights", "errors")
    settings |= {"rejected": response.rejected, "rho": model.result.rho, "memory": model.memory}
    basis = assumptions.province_basis(settings, models.model_years())
    return Scenario(
        remedy, area.code, year, PERCENT, table,
        region_totals(direct, total, table["member"].to_numpy(), gdp, options.level), NO_GROUPS.copy(),
        _changes(*shown), (*said, *assumptions.region_scope(area), *basis), settings,
    )  # fmt: skip


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Set what changes side by side, by (adcode, indicator)."""
    both = pd.DataFrame({"before": before.stack(), "after": after.stack()})
    both.index.names = ["adcode", "indicator"]
    return both[both["after"] != both["before"]]


def _joint_targets(area: Region, year: int, options: _Options) -> Scenario:
    model = models.estimate_cities(options.sample, area.code if options.sample == "region" else None, options.shocks)
    if year < model.year:
        raise UnknownNameError(
            "year", year, [model.year], f"city figures are of {model.year}: ask for it or a later one"
        )
    units = model.gdp.index
    member = units.isin(list(area.adcodes("city")))
    impulse = pd.Series(np.where(member, options.size, 0.0), index=units, name="growth")
    found = border_response(model.result, model.within, model.across, impulse, draws=options.draws, seed=options.seed)
    # A city outside the region has done nothing itself: whatever reaches it has spilt over.
    direct = np.where(member[:, None], found.alone, 0.0)
    regimes = {"alone": found.alone, "present": found.present, "joint": found.joint}
    gdp, level = model.gdp.to_numpy(), options.level
    totals = region_totals(
        direct, found.joint, member, gdp, level,
        gain=found.joint - found.alone, gain_over_present=found.joint - found.present, **regimes,
    )  # fmt: skip
    groups = group_means(model.province.where(member), gdp, level, **regimes)
    result = model.result
    settings = options.settings("sample", "shocks") | {
        "rejected": found.rejected, "cities": len(units), "rho_within": result.rho_within,
        "rho_across": result.rho_across, "p_equal": result.equality_test().p_value,
        "shock_share": getattr(result, "shock_share", 0.0),
    }  # fmt: skip
    missing = [unit for unit in area.cities if unit.adcode not in units]
    said = assumptions.joint_targets(settings, int(member.sum()), missing)
    changed = impulse[member].to_frame("after").assign(before=0.0)[["before", "after"]]
    changed = pd.concat({"growth": changed}, names=["indicator"]).swaplevel()
    table = unit_table(units, direct, found.joint, area.adcodes("city"), level)
    return Scenario(
        "joint_targets", area.code, model.year, POINTS, table, totals, groups, changed, tuple(said), settings
    )


def gap_to_percentile(values: pd.Series, percentile: float, members: Iterable) -> pd.Series:
    """Distance of members below a percentile of all units; zero for others and for members at or above it.

    Examples
    --------
    >>> import pandas as pd
    >>> gap_to_percentile(pd.Series({"a": 1.0, "b": 2.0, "c": 3.0}), 50, ["a", "c"]).tolist()
    [1.0, 0.0, 0.0]
    """
    gap = np.percentile(values, percentile) - values
    below = (gap > ROUNDING * values.abs().max()) & values.index.isin(list(members))
    return gap.where(below, 0.0)


def raise_indicators(frame: pd.DataFrame, percentile: float, members: Iterable, size: float) -> pd.DataFrame:
    """Return indicators of one year with members raised by ``size`` of their gap to the percentile of the year."""
    members = list(members)
    return frame + size * frame.apply(lambda values: gap_to_percentile(values, percentile, members))


def waking_factors(efficiency: pd.Series, percentile: float, members: Iterable, size: float) -> pd.Series:
    r"""Factor on outputs that closes ``size`` of the gap to a percentile of output efficiency.

    .. math:: f_i = 1 + s \max\Bigl(0, \frac{q}{\hat\theta_i} - 1\Bigr)

    Examples
    --------
    >>> import pandas as pd
    >>> waking_factors(pd.Series({"a": 0.2, "b": 0.4, "c": 0.8}), 50, ["a", "c"], 1.0).tolist()
    [2.0, 1.0, 1.0]
    """
    return 1 + size * gap_to_percentile(efficiency, percentile, members) / efficiency


def index_change(index: CompositeIndex, data: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> pd.Series:
    r"""Change of a composite index, with the ranges and weights that it was made with (指数变动).

    .. math:: \Delta S_i = \sum_j w_j \Delta x_{ij} / (\max x_j - \min x_j)

    so that levels compare with those that the model was estimated from; a value may leave the range.

    Parameters
    ----------
    index : CompositeIndex
        Of indicators of which more is better.
    data : DataFrame
        That the index was made from.
    before, after : DataFrame
        Indicators of the same units; those of the index that are no columns do not change.
    """
    names = [name for name in index.weights.index if name in after.columns]
    span = data[names].max() - data[names].min()
    return ((after[names] - before[names]) / span * index.weights[names]).sum(axis=1)


def unit_table(units: pd.Index, direct: np.ndarray, total: np.ndarray, members: Iterable, level: float) -> pd.DataFrame:
    """Set effects by unit, shape (units, 1 + draws) each, as the table of a scenario."""
    table = effect_table(units, level, direct=direct, spillover=total - direct, total=total)
    table.insert(0, "member", units.isin(list(members)))
    return table


def region_totals(
    direct: np.ndarray, total: np.ndarray, member: np.ndarray, weights: np.ndarray, level: float, **further: np.ndarray
) -> pd.DataFrame:
    r"""Effects of a region as a whole: sums over units, weighed by size relative to the region's (区域合计).

    .. math:: D_R = \sum_{i \in R} s_i d_i, \quad S_R = \sum_{i \in R} s_i (t_i - d_i) + \sum_{i \notin R} s_i t_i,
              \quad s_i = g_i \Big/ \sum_{j \in R} g_j

    Parameters
    ----------
    direct, total : ndarray, shape (units, 1 + draws)
    member : ndarray of bool, shape (units,)
    weights : ndarray, shape (units,)
    level : float
    **further : ndarray, shape (units, 1 + draws)
        Other responses, of which the weighted mean over the region's units is added by name.
    """
    share = weights / weights[member].sum()
    home, spilt = share * member, total - direct
    parts = {"direct": home @ direct, "spillover_inside": home @ spilt, "spillover_outside": (share * ~member) @ total}
    parts["spillover"] = parts["spillover_inside"] + parts["spillover_outside"]
    parts["total"] = parts["direct"] + parts["spillover"]
    parts |= {name: home @ values for name, values in further.items()}
    rows = {name: interval(values, level) for name, values in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=_BOUNDS).rename_axis("effect")


def group_means(groups: pd.Series, weights: np.ndarray, level: float, **responses: np.ndarray) -> pd.DataFrame:
    """Weighted means of responses, shape (units, 1 + draws), by (group, response); units of no group are left out."""
    rows = {}
    for group in groups.dropna().unique().astype(int):
        share = np.where(groups == group, weights, 0.0)
        for name, values in responses.items():
            rows[group, name] = interval(share / share.sum() @ values, level)
    index = pd.MultiIndex.from_tuples(rows, names=["province", "regime"])
    return pd.DataFrame(list(rows.values()), index, _BOUNDS)

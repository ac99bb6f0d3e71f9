"""The four remedies (四项对策) as counterfactuals: what changes, by which slope, and what it goes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_level, check_number, check_whole
from clusterlib.core.results import Result
from clusterlib.core.rows import Later
from clusterlib.inference import minimum_detectable_effect
from clusterlib.regions import Region, get_region
from clusterlib.study._design import design
from clusterlib.study.scenario import _assumptions as assumptions
from clusterlib.study.scenario._borders import border_model, border_response, interval
from clusterlib.study.scenario._slopes import MODELS, TREATMENTS, Slope, choose_slope, city_slope, levels_in

# Names in English and Chinese.
REMEDIES: Mapping[str, tuple[str, str]] = Later(
    lambda: {key: (named.en, named.zh) for key, named in design().remedies.items()}
)
PERCENT, POINTS = "percent of the region's GDP", "percentage points of the region's growth"
# Of joint targets: the region's own borders or the nation's, on GDP or night lights, shared shocks left in or not.
BORDER_MODELS = ("best", "nation", "lights", "nation_lights", "shocks_left_in")
_BOUNDS = ["estimate", "lower", "upper"]


@dataclass(frozen=True, eq=False)
class Scenario(Result):
    """What a remedy in the cities of one region goes with (对策情景).

    Attributes
    ----------
    remedy, region, model : str
        The model that was taken; for ``"best"`` the one that it came to.
    years : str
        Of the estimates.
    unit : str
        Of the effects.
    totals : DataFrame
        By effect ``estimate``, ``lower``, ``upper``, ``smallest``, which the design sees with 80 % power, and
        ``p_value`` of nil. ``home``:
        what the region gains. Of joint targets the region's response ``alone``, at ``present`` and ``joint``, cities
        weighed by GDP, ``gain`` over acting alone and ``gain_over_present``.
    groups : DataFrame
        Of joint targets, by (province, regime); of the others empty.
    changes : DataFrame
        By city ``before`` and ``after``: of the last year, or of growth.
    share : float
        Percent of the GDP of the region's cities that is of cities that change.
    assumptions : tuple of (str, str)
        Each in English and Chinese.
    slope : Slope or None
    settings : dict
    """

    remedy: str
    region: str
    model: str
    years: str
    unit: str
    totals: pd.DataFrame = field(repr=False)
    groups: pd.DataFrame = field(repr=False)
    changes: pd.DataFrame = field(repr=False)
    share: float
    assumptions: tuple[tuple[str, str], ...] = field(repr=False)
    slope: Slope | None = field(default=None, repr=False)
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


def simulate(
    remedy: str, region: str, *, model: str = "best", step: float | None = None, draws: int = 4000, seed: int = 0,
    level: float = 0.95,
) -> Scenario:  # fmt: skip
    r"""Simulate a remedy in the cities of a region (对策情景模拟).

    ``data_management`` raises the depth of use of digital finance, its coverage held; ``co_creation`` broadband
    subscribers, registered persons held; ``data_platform`` goods trade: each city by the same step :math:`\Delta x`,
    one standard deviation of what the nation's slope comes from. With effects of cities and of each province's years

    .. math:: \ln y_{it} = \beta x_{it} + \gamma' z_{it} + \mu_i + \alpha_{p(i)t} + e_{it}, \qquad
              \Delta \ln y = \beta \, \Delta x

    which is linear, so that the interval of :math:`\beta` is that of the effect and no draws are needed.
    ``joint_targets`` gives each city of the region the same impulse :math:`z` in a model of growth with
    :math:`\rho_1` within provinces and :math:`\rho_2` across their borders,

    .. math:: \Delta g = (I - \rho_1 W_1 - \rho_2 W_2)^{-1} z

    and sets :math:`\rho_2 := \rho_1` (joint) against :math:`\rho_2 := 0` (alone) and the estimates (present).

    Parameters
    ----------
    remedy : {"data_management", "co_creation", "data_platform", "joint_targets"}
    region : str
        A region's code.
    model : str
        ``"best"``: the region's own estimates where identified, the nation's otherwise; for joint targets never the
        nation's. ``"nation"``; ``"region"``; ``"year"`` effects in place of the province's years; night ``"lights"``;
        with the slope of ``"neighbours"`` added; of ``"provinces"``, or of enterprises' ``"platforms"`` there. Joint
        targets have ``"nation"``, ``"lights"``, ``"nation_lights"`` and ``"shocks_left_in"``, which lets what a
        province shares pass for spillovers.
    step : float, optional
        In the unit of the variable; for joint targets percentage points, by default one.
    draws, seed : int
        Of joint targets' coefficients.
    level : float
        Of the intervals.

    Returns
    -------
    Scenario
        Effects in percent of GDP (log points times 100); of joint targets in percentage points of growth.

    Raises
    ------
    UnknownNameError
        For an unknown remedy, region or model.
    InvalidInputError
        For a step that is no number or nil, and joint targets of a region with hardly a border of provinces inside it.

    Notes
    -----
    These are counterfactuals from correlational estimates: read ``assumptions`` before the numbers.

    Examples
    --------
    >>> import clusterlib as cl
    >>> scenario = cl.scenario.simulate("co_creation", "gba")
    >>> scenario.model, len(scenario.changes), bool(scenario.totals.loc["home", "estimate"] > 0)
    ('nation', 9, True)
    """
    check_choice("remedy", remedy, REMEDIES)
    area, level = get_region(region), check_level(level)
    check_choice("model", model, BORDER_MODELS if remedy == "joint_targets" else MODELS)
    step = None if step is None else check_number("step", step, least=0, open_ends=True)
    if remedy == "joint_targets":
        draws, seed = check_whole("draws", draws, least=1000), check_whole("seed", seed)
        return _joint_targets(area, model, 1.0 if step is None else step, draws, seed, level)
    return _by_slope(remedy, area, model, step, level)


def _by_slope(remedy: str, area: Region, model: str, step: float | None, level: float) -> Scenario:
    slope = choose_slope(remedy, area.code, model)
    # What enterprises' platforms are measured in is no unit of the remedy's variable.
    common = slope.step if model == "platforms" else city_slope(remedy).step
    step = common if step is None else step
    chosen = TREATMENTS[remedy]
    before = levels_in(remedy, area.code)
    model = slope.sample if model == "best" else model
    row = slope.times(step, level)
    totals = pd.DataFrame({"home": row}).T[[*_BOUNDS, "smallest", "p_value"]].rename_axis("effect")
    span = design().spans["province_years" if model in ("provinces", "platforms") else chosen.years]
    changes = pd.DataFrame({"before": before, "after": before + step})
    said = assumptions.of_slope(remedy, model, slope, step, len(before))
    return Scenario(
        remedy, area.code, model, str(span.default), PERCENT, totals, _no_groups(), changes, _share(area, before.index),
        tuple(said), slope, {"step": step, "level": level},
    )  # fmt: skip


def _joint_targets(area: Region, model: str, step: float, draws: int, seed: int, level: float) -> Scenario:
    own = not model.startswith("nation")
    outcome = "lights" if model.endswith("lights") else "gdp"
    fitted = border_model(area.code if own else None, outcome, model != "shocks_left_in")
    units = fitted.gdp.index
    member = units.isin(list(area.adcodes("city"))) & fitted.gdp.notna().to_numpy()
    impulse = pd.Series(np.where(member, step, 0.0), index=units, name="growth")
    found = border_response(fitted, fitted.within, fitted.across, impulse, draws=draws, seed=seed)
    regimes = {"alone": found.alone, "present": found.present, "joint": found.joint}
    gains = {"gain": found.joint - found.alone, "gain_over_present": found.joint - found.present}
    weights = np.where(member, fitted.gdp, 0.0)
    totals = {name: _weighted(values, weights, level) for name, values in (regimes | gains).items()}
    groups = {
        (int(code), name): _weighted(values, np.where(fitted.province == code, weights, 0.0), level)[:3]
        for code in fitted.province[member].unique()
        for name, values in regimes.items()
    }
    index = pd.MultiIndex.from_tuples(groups, names=["province", "regime"])
    missing = [unit for unit in area.cities if unit.adcode not in units[member]]
    said = assumptions.of_joint_targets(fitted, step, int(member.sum()), own, draws, missing)
    changes = pd.DataFrame({"before": 0.0, "after": impulse[member]})
    result = fitted.result
    settings = {"step": step, "draws": draws, "seed": seed, "level": level, "rejected": found.rejected}
    settings |= {**fitted.params, "cities": len(units)}
    settings |= {"p_equal": result.equality_test().p_value, "shock_share": getattr(result, "shock_share", 0.0)}
    return Scenario(
        "joint_targets", area.code, model, f"{fitted.first}:{fitted.year}", POINTS,
        pd.DataFrame.from_dict(totals, orient="index", columns=[*_BOUNDS, "smallest", "p_value"])
        .rename_axis("effect"),
        pd.DataFrame(list(groups.values()), index, _BOUNDS), changes, _share(area, changes.index), tuple(said), None,
        settings,
    )  # fmt: skip


def _weighted(values: np.ndarray, weights: np.ndarray, level: float) -> list[float]:
    """Weighted mean of responses, shape (units, 1 + draws): estimate, bounds, smallest effect seen, p of nil."""
    from scipy.stats import norm

    estimate, lower, upper = map(float, interval(weights / weights.sum() @ values, level))
    error = (upper - lower) / (2 * float(norm.ppf((1 + level) / 2)))
    smallest = minimum_detectable_effect(error)["minimum_detectable"].iloc[0]
    drawn = weights / weights.sum() @ values[:, 1:]
    # Of nil; what is no gain is never nil.
    above = (1 + int((drawn > 0).sum())) / (2 + drawn.size)
    return [estimate, lower, upper, float(smallest), 2 * min(above, 1 - above)]


def _no_groups() -> pd.DataFrame:
    return pd.DataFrame(columns=_BOUNDS, index=pd.MultiIndex.from_arrays([[], []], names=["province", "regime"]))


def _share(area: Region, changed: pd.Index) -> float:
    """Percent of the GDP of the region's cities, of the last year in which each has a figure, of those that change."""
    from clusterlib.data import load_panel

    gdp = load_panel("city", "gdp")["gdp"].dropna().groupby(level="adcode").last()
    gdp = gdp[gdp.index.isin(list(area.adcodes("city")))]
    return float(100 * gdp[gdp.index.isin(changed)].sum() / gdp.sum()) if len(gdp) else 0.0

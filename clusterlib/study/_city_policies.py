"""Effects of pilot policies on cities, staggered over years and the same for every region (城市试点政策效应)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, parse_years
from clusterlib.regions import get_region
from clusterlib.study._memory import remember
from clusterlib.study._panels import city_panel

# Cohorts of fewer cities show no spread, and regions with fewer pilots or controls no experiment.
SMALLEST_COHORT, FEWEST = 4, 5
COLUMNS = ["estimate", "std_error", "p_value", "lower", "upper"]


@dataclass(frozen=True)
class PolicyTrial:
    """A policy and what it may have moved.

    Attributes
    ----------
    policies : tuple of str
        Lists of pilots; the first that a city is on counts.
    outcome : str
        A column of :func:`city_panel`, or ``log_residents``.
    flow : bool
        Of the whole year, so that a pilot announced after June counts from the next year on; a stock is counted at the
        end of the year and counts from the year itself.
    large : bool
        Only cities whose GDP in the first year is at least that of the smallest pilot.
    """

    policies: tuple[str, ...]
    outcome: str
    flow: bool = False
    large: bool = False


_AI = ("ai_innovation_application_pilot_zone", "new_generation_ai_pilot_zone")
TRIALS = {
    "subscribers": PolicyTrial(("broadband_china",), "log_broadband"),
    "coverage": PolicyTrial(("broadband_china",), "coverage"),
    "residents": PolicyTrial(("broadband_china",), "log_residents"),
    "per_resident": PolicyTrial(("broadband_china",), "broadband"),
    "mobile": PolicyTrial(("broadband_china",), "log_mobile"),
    "exports": PolicyTrial(("cbec_pilot_zone",), "log_exports", flow=True),
    "patents": PolicyTrial(_AI, "log_patents", flow=True, large=True),
    "ai_gdp": PolicyTrial(_AI, "log_gdp", flow=True, large=True),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PolicyEffect:
    """The effect of a policy on cities, how it was found and how far it can be trusted.

    Attributes
    ----------
    overall : Series
        After Callaway and Sant'Anna, errors by province: ``estimate``, ``std_error``, ``p_value``, ``lower``,
        ``upper``, ``minimum_detectable`` (80 % power) and ``pretrend_p``.
    event_study, imputed : DataFrame
        By event time, after Callaway and Sant'Anna with one base and by imputation.
    cohorts : Series
        Cities by first year.
    means : DataFrame
        Of the outcome by year, of ``pilots`` and ``others``.
    variants : DataFrame
        By ``variant``: the columns of ``overall`` up to ``upper``, ``cities`` and ``pilots``.
    without : DataFrame
        The same by the province left out.
    bounds : DataFrame
        Intervals by how far trends may differ, as a multiple of the largest change before; of event times that at
        least two cohorts have.
    breakdown : float
        The multiple at which the interval holds zero; nil where it does without any.
    trend, trend_bias : float
        The difference of trends a year that the test before treatment finds with 80 % power, and what it adds.
    spillovers : DataFrame
        Direct effect and those of neighbours' pilots; see :func:`clusterlib.did.spillover_did`.
    placebo_p : float
        Of the two-way coefficient, dates dealt out at random.
    cities, pilots, provinces : int
        In the sample; provinces are the clusters.
    """

    overall: pd.Series
    event_study: pd.DataFrame = field(repr=False)
    imputed: pd.DataFrame = field(repr=False)
    cohorts: pd.Series = field(repr=False)
    means: pd.DataFrame = field(repr=False)
    variants: pd.DataFrame = field(repr=False)
    without: pd.DataFrame = field(repr=False)
    bounds: pd.DataFrame = field(repr=False)
    breakdown: float
    trend: float
    trend_bias: float
    spillovers: pd.DataFrame = field(repr=False)
    placebo_p: float
    cities: int
    pilots: int
    provinces: int


def _dates(policies: Iterable[str], flow: bool) -> tuple[pd.Series, pd.Index]:
    """Return the first year in which each city is a pilot, and cities of which only counties are."""
    from clusterlib.data import load_policies

    found = load_policies()
    found = found[found["policy"].isin(list(policies))]
    month = pd.to_numeric(found["announced"].astype(str).str[5:7], errors="coerce")
    start = found["year_effective"] + (flow & (month > 6)).astype(int)
    whole = found["level"] != "county"
    dates = start[whole].groupby(found.loc[whole, "adcode"]).min()
    counties = found.loc[~whole, "adcode"]
    partly = pd.Index([*(counties // 100 * 100), *(counties // 10000 * 10000)]).difference(dates.index)
    return dates, partly


def _ends(years: str) -> tuple[int, int]:
    found = parse_years(years) or []
    return min(found), max(found)


def _panel() -> pd.DataFrame:
    from clusterlib.data import load_panel, load_units

    residents = load_panel("city", "implied_resident_population")["implied_resident_population"]
    panel = city_panel().assign(log_residents=np.log(residents))
    return panel.assign(province=load_units()["province"].reindex(panel.index.get_level_values("adcode")).to_numpy())


def _sample(panel: pd.DataFrame, trial: PolicyTrial, years: str) -> tuple[pd.DataFrame, pd.Series]:
    from clusterlib.data import consistent_units

    first, last = _ends(years)
    dates, partly = _dates(trial.policies, trial.flow)
    listed, _ = _dates(trial.policies, flow=False)
    wide = panel[trial.outcome].unstack("year").loc[:, first:last].dropna(axis=1, how="all").dropna()
    kept = consistent_units(years)["consistent"].reindex(wide.index, fill_value=False).to_numpy(bool)
    # A pilot of the first year has no year before; one that begins after the last is no city without a pilot.
    usable = (listed > first) & (dates <= last)
    size = dates[usable].reindex(wide.index[kept]).value_counts()
    usable &= dates.isin(size.index[size >= SMALLEST_COHORT])
    wide = wide[kept & ~wide.index.isin(usable.index[~usable]) & ~wide.index.isin(partly)]
    pilots = dates[usable].reindex(wide.index).dropna().astype(int)
    gdp = panel["log_gdp"].unstack("year")[first].reindex(wide.index)
    if trial.large:
        wide = wide[gdp >= gdp[pilots.index].min()]
    data = wide.stack().rename("outcome").to_frame()
    units = data.index.get_level_values("adcode")
    data["first_outcome"], data["first_gdp"] = wide.iloc[:, 0].reindex(units).to_numpy(), gdp.reindex(units).to_numpy()
    province = panel["province"].groupby("adcode").first()
    return data.assign(province=province.reindex(units).to_numpy(int), city=units), pilots


def _staggered(data: pd.DataFrame, pilots: pd.Series, **options):
    from clusterlib import did

    present = pilots[pilots.index.isin(data.index.unique("adcode"))]
    settings = {"base_period": "universal", "cluster": "province", "draws": 0, **options}
    return did.staggered_did(data, "outcome", present, **settings)


def _row(found: pd.Series, data: pd.DataFrame, pilots: pd.Series) -> dict[str, float]:
    units = data.index.unique("adcode")
    return {**found[COLUMNS], "cities": len(units), "pilots": int(units.isin(pilots.index).sum())}


def _variants(panel: pd.DataFrame, trial: PolicyTrial, years: str, seed: int) -> pd.DataFrame:
    """Estimate the effect again under other choices."""
    from clusterlib import did

    data, pilots = _sample(panel, trial, years)
    first, last = _ends(years)
    rows = {"baseline": _row(_staggered(data, pilots).overall, data, pilots)}
    rows["imputation"] = _row(did.imputation_did(data, "outcome", pilots, cluster="province").overall, data, pilots)
    twoway = did.twoway_did(data, "outcome", pilots, cluster="province", seed=seed)
    rows["twoway"] = {**_row(twoway.table.T["treated"], data, pilots), "p_value": twoway.wild_p}
    given = data.dropna()
    options: dict[str, tuple[pd.DataFrame, dict]] = {
        "by_city": (data, {"cluster": "city"}),
        "not_yet": (data, {"control_group": "not-yet"}),
        "base_two_before": (data, {"anticipation": 1}),
        "base_three_before": (data, {"anticipation": 2}),
        "given_first": (given, {"controls": ["first_outcome", "first_gdp"], "estimator": "regression"}),
        "without_municipalities": (data[data["city"] % 10000 > 0], {}),
    }
    for name, (chosen, settings) in options.items():
        rows[name] = _row(_staggered(chosen, pilots, **settings).overall, chosen, pilots)
    others: dict[str, tuple[PolicyTrial, str]] = {
        "later_start": (trial, f"{first + 1}:{last}"),
        "earlier_end": (trial, f"{first}:{last - 1}"),
        "other_dates": (replace(trial, flow=not trial.flow), years),
        "all_sizes" if trial.large else "large": (replace(trial, large=not trial.large), years),
    }
    if panel.loc[panel.index.get_level_values("year") > last, trial.outcome].notna().any():
        others["later_end"] = (trial, f"{first}:{last + 2}")
    for name, (other, span) in others.items():
        chosen, dates = _sample(panel, other, span)
        rows[name] = _row(_staggered(chosen, dates).overall, chosen, dates)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("variant")


def _graph(neighbours: int):
    from clusterlib.data import load_boundaries
    from clusterlib.weights import k_nearest

    return k_nearest(load_boundaries("city"), neighbours)


def _window(effects: pd.Series) -> tuple[int, int]:
    """Return the event times that at least two cohorts have, the first and the last."""
    times = (effects.index.get_level_values("period") - effects.index.get_level_values("cohort")).astype(int)
    counts = pd.Series(times).value_counts()
    shared = counts.index[counts >= 2]
    return int(shared.min()), int(shared.max())


def _with_power(found: pd.Series, clusters: int) -> pd.Series:
    from clusterlib.inference import minimum_detectable_effect

    smallest = minimum_detectable_effect(found["std_error"], clusters - 1)["minimum_detectable"].iloc[0]
    return pd.Series({**found[COLUMNS], "minimum_detectable": smallest})


@remember
def _effect(name: str, years: str, neighbours: int, draws: int, seed: int) -> PolicyEffect:
    from clusterlib import did

    trial, panel = TRIALS[name], _panel()
    data, pilots = _sample(panel, trial, years)
    main, imputed = _staggered(data, pilots), did.imputation_did(data, "outcome", pilots, cluster="province")
    window = _window(main.group_time["estimate"].dropna())
    bounds = did.honest_bounds(main, first=window[0], last=window[1])
    power = did.pretrend_power(main, power=[0.8], first=window[0], last=window[1]).table.T["joint 80%"]
    rests = {province: data[data["province"] != province] for province in sorted(data["province"].unique())}
    without = {province: _row(_staggered(rest, pilots).overall, rest, pilots) for province, rest in rests.items()}
    graph = _graph(neighbours)
    located = data[data["city"].isin(graph.unique_ids)]
    # Pilots that the sample leaves out are neighbours all the same.
    dates, _ = _dates(trial.policies, trial.flow)
    exposing = dates[dates.index.isin(pilots.index) | ~dates.index.isin(data["city"])]
    spillovers = did.spillover_did(located, "outcome", exposing, graph, cluster="province").effects
    placebo = did.placebo_test(data, "outcome", pilots, draws=draws, seed=seed)
    side = data["city"].isin(pilots.index).map({True: "pilots", False: "others"})
    return PolicyEffect(
        overall=pd.Series({**_with_power(main.overall, main.clusters), "pretrend_p": main.pretrend_p}),
        event_study=main.event_study[COLUMNS],
        imputed=imputed.event_study[COLUMNS],
        cohorts=pilots.value_counts().sort_index(),
        means=data["outcome"].groupby(["year", side]).mean().unstack(),
        variants=_variants(panel, trial, years, seed),
        without=pd.DataFrame.from_dict(without, orient="index").rename_axis("adcode"),
        bounds=bounds.table[["lower", "upper"]].assign(estimate=bounds.estimate),
        breakdown=bounds.breakdown,
        trend=float(power["slope"]),
        trend_bias=float(power["bias"]),
        spillovers=spillovers,
        placebo_p=placebo.p_value,
        cities=main.n_units,
        pilots=main.treated_units,
        provinces=main.clusters,
    )


def policy_effect(name: str, years: str, *, neighbours: int = 5, draws: int = 999, seed: int = 0) -> PolicyEffect:
    """Estimate what a policy did to one outcome of cities (试点政策效应).

    Parameters
    ----------
    name : str
        ``"subscribers"``, ``"coverage"``, ``"residents"``, ``"per_resident"`` or ``"mobile"`` of Broadband China,
        ``"exports"`` of zones of cross-border e-commerce, ``"patents"`` and ``"ai_gdp"`` of zones of artificial
        intelligence.
    years : str
        Of the panel: cities with figures in all years, whose boundaries did not move. Pilots of the first year or
        before are left out, as are cohorts of fewer than four and cities of which only counties are pilots.
    neighbours : int
        Whose pilots a city is exposed to.
    draws, seed : int
        Of the placebo test; the seed of the wild bootstrap, too.

    Returns
    -------
    PolicyEffect

    Raises
    ------
    UnknownNameError
        If there is no such trial.

    Examples
    --------
    >>> import clusterlib as cl
    >>> found = cl.study.policy_effect("exports", "2018:2023", draws=99)
    >>> found.cohorts.index.tolist()
    [2020, 2022, 2023]
    """
    return _effect(check_choice("trial", name, TRIALS), years, neighbours, draws, seed)


@remember
def policy_outcomes(names: tuple[str, ...], years: str) -> pd.DataFrame:
    """Tell the overall effects on several outcomes (多个结果变量的总体效应).

    Parameters
    ----------
    names : tuple of str
        As of :func:`policy_effect`.
    years : str

    Returns
    -------
    DataFrame
        By ``trial``: ``overall`` of :class:`PolicyEffect`, ``cities`` and ``pilots``.
    """
    panel, rows = _panel(), {}
    for name in names:
        data, pilots = _sample(panel, TRIALS[check_choice("trial", name, TRIALS)], years)
        main = _staggered(data, pilots)
        counts = {"pretrend_p": main.pretrend_p, "cities": main.n_units, "pilots": main.treated_units}
        rows[name] = {**_with_power(main.overall, main.clusters), **counts}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")


@remember
def policy_effects_in(region: str, years: tuple[tuple[str, str], ...], draws: int, seed: int) -> pd.DataFrame:
    """Estimate the effects on the pilots of one region (区域内试点城市的政策效应).

    Parameters
    ----------
    region : str
    years : tuple of (str, str)
        Trials, as of :func:`policy_effect`, with their years.
    draws, seed : int
        Of the placebo test.

    Returns
    -------
    DataFrame
        By ``trial`` and ``compared`` (``nation`` or ``region``, whose cities without a pilot stand against the region's
        pilots): as ``overall`` of :class:`PolicyEffect` with errors by city, ``placebo_p``, ``pilots``, ``others``.
        Without five pilots and five others estimates are missing.
    """
    from clusterlib import did

    members, panel, rows = get_region(region).adcodes("city"), _panel(), {}
    for name, span in years:
        data, pilots = _sample(panel, TRIALS[check_choice("trial", name, TRIALS)], span)
        inside = data["city"].isin(members)
        own = pilots[pilots.index.isin(members)]
        for compared, kept in {"nation": inside | ~data["city"].isin(pilots.index), "region": inside}.items():
            chosen = data[kept & (data["city"].isin(own.index) | ~data["city"].isin(pilots.index))]
            others = chosen["city"].nunique() - len(own)
            rows[name, compared] = {"pilots": len(own), "others": others}
            if min(len(own), others) >= FEWEST:
                found = _staggered(chosen, own, cluster="city")
                placebo = did.placebo_test(chosen, "outcome", own, draws=draws, seed=seed)
                rows[name, compared] |= {**_with_power(found.overall, found.clusters), "placebo_p": placebo.p_value}
    table = pd.DataFrame(rows.values(), index=pd.MultiIndex.from_tuples(rows, names=["trial", "compared"]))
    return table.reindex(columns=[*COLUMNS, "minimum_detectable", "placebo_p", "pilots", "others"])

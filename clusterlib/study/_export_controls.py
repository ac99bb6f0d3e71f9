"""Entries of the US Entity List by city, and what followed them, the same for every region (出口管制)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_whole
from clusterlib.core.covariance import wald_statistic
from clusterlib.errors import InvalidInputError
from clusterlib.regions import Region, get_region
from clusterlib.study._design import design
from clusterlib.study._memory import remember
from clusterlib.study._panels import before, city_panel, in_years

# Since entries that were removed are absent, the catalogue counts none before.
BASE, LAST = 2018, 2023
CONTROLLED = ("exports", "imports", "patents", "gdp")
LARGEST = (110000, 310000, 440300)
# The last year before most entries.
_EARLY = 2019
_KEPT = ("estimate", "std_error", "p_value", "lower", "upper")


class ExportControls(NamedTuple):
    """What :func:`export_control_effects` finds.

    Attributes
    ----------
    effects : DataFrame
        By outcome and specification: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper`` (errors by
        province), ``minimum_detectable`` and numbers of ``cities`` and ``observations``; of the specification
        ``initial`` ``wild_p`` besides.
    years : DataFrame
        By outcome and year: effect of log(1 + entries to 2023) against 2018.
    leads : DataFrame
        By outcome: effect of the entries of 2020 to 2023 on the change from 2018 to 2019, and ``joint_p`` of the years
        before 2018 where there are any.
    left_out : DataFrame
        By outcome and province: the estimate ``initial`` without the cities of that province.
    """

    effects: pd.DataFrame
    years: pd.DataFrame
    leads: pd.DataFrame
    left_out: pd.DataFrame


def export_control_exposure() -> pd.DataFrame:
    """Count the entries of the US Entity List by city (实体清单暴露度).

    Returns
    -------
    DataFrame
        By city: cumulated entries to each year, and ``first``, the year of the first entry.

    Examples
    --------
    >>> import clusterlib as cl
    >>> entries = cl.study.export_control_exposure()
    >>> bool((entries[2025] >= entries[2018]).all())
    True
    """
    from clusterlib.data import load_panel

    yearly = load_panel("city", "us_entity_list_entries")["us_entity_list_entries"].unstack("year")
    # Fractions of an entry, summed, leave what rounding leaves.
    return yearly.cumsum(axis=1).round(4).assign(first=yearly.gt(0).idxmax(axis=1).where(yearly.gt(0).any(axis=1)))


@remember
def export_control_panel() -> pd.DataFrame:
    """Make the panel that effects of export controls are estimated from (出口管制面板).

    Returns
    -------
    DataFrame
        By (adcode, year): logarithms of ``exports``, ``imports``, ``patents`` and ``gdp``; ``exposure``, log(1 +
        entries up to the year), ``exposure_before``, up to the year before; the same in all years of a city
        ``exposed`` (entries to 2023), ``coming`` (of 2020 to 2023) and ``later`` (after 2023); ``pace``, the share of
        the nation's entries to 2023 that had been made; ``size`` and ``trade``, log GDP and log trade over GDP of
        2018, or of 2019 where that is missing; ``province`` and ``first``.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.study.export_control_panel()
    >>> float(panel.loc[(330100, 2018), "exposure"])
    0.0
    """
    from clusterlib.data import load_panel, load_units

    entries = export_control_exposure()
    frame = city_panel()[[f"log_{name}" for name in CONTROLLED]].set_axis(list(CONTROLLED), axis=1)
    frame = frame[frame.index.get_level_values("adcode").isin(entries.index)]
    code, year = (frame.index.get_level_values(level) for level in ("adcode", "year"))
    counts = entries.drop(columns="first")
    long = counts.rename_axis("year", axis=1).stack().reindex(frame.index).where(year >= BASE, 0.0)
    frame["exposure"] = np.log1p(long)
    frame["exposure_before"] = before(frame["exposure"]).fillna(0.0)
    fixed = {
        "exposed": np.log1p(counts[LAST]),
        "coming": np.log1p(counts[LAST] - counts[_EARLY]),
        "later": np.log1p(counts[counts.columns.max()] - counts[LAST]),
        "first": entries["first"],
        "province": load_units()["province"],
    }
    trade = np.log(load_panel("city", "goods_trade_share")["goods_trade_share"])
    for name, values in {"size": frame["gdp"], "trade": trade}.items():
        early = in_years(values, f"{BASE}:{_EARLY}").unstack("year")
        fixed[name] = early[BASE].fillna(early[_EARLY])
    pace = counts.sum() / counts[LAST].sum()
    frame["pace"] = pace.reindex(year).fillna(0.0).clip(upper=1.0).to_numpy()
    return frame.assign(**{name: values.reindex(code).to_numpy() for name, values in fixed.items()})


def export_control_sample(outcome: str, years: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that one outcome is estimated from, and the names of what is taken out of it (估计样本).

    Parameters
    ----------
    outcome : {"exports", "imports", "patents", "gdp"}
    years : str

    Returns
    -------
    DataFrame, list of str
        Of :func:`export_control_panel`, cities of one year left out; and the columns that hold ``size`` and ``trade``
        times each year but 2018.

    Raises
    ------
    UnknownNameError
        For another outcome.
    """
    check_choice("outcome", outcome, CONTROLLED)
    panel = export_control_panel()
    frame = in_years(panel.drop(columns=[name for name in CONTROLLED if name != outcome]), years)
    frame = frame.dropna(subset=[outcome, "size", "trade", "province"])
    frame = frame[frame.groupby(level="adcode")[outcome].transform("size") > 1]
    year = frame.index.get_level_values("year")
    others = sorted(set(year) - {BASE})
    added = {f"{name}_{t}": frame[name].where(year == t, 0.0) for name in ("size", "trade") for t in others}
    return frame.assign(**added), list(added)


def _by_province_year(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the panel with the years of each province as periods of their own."""
    code, year = (frame.index.get_level_values(level) for level in ("adcode", "year"))
    periods = frame["province"].astype(int).to_numpy() * 10 + year
    # A province of one city, which its own years absorb, is left out.
    alone = frame.groupby("province")["size"].transform(lambda values: values.index.unique("adcode").size) == 1
    return frame.set_axis(pd.MultiIndex.from_arrays([code, periods], names=frame.index.names))[~alone.to_numpy()]


def _line(
    frame: pd.DataFrame, outcome: str, x: list[str], which: int = 0, *, by_city: bool = False
) -> dict[str, float]:
    from clusterlib.inference import minimum_detectable_effect
    from clusterlib.panel import fixed_effects

    cluster = "entity" if by_city else frame["province"].astype(int)
    found = fixed_effects(frame, outcome, x, cluster=cluster)
    row = found.table.iloc[which]
    kept = {name: float(row[name]) for name in _KEPT}
    least = minimum_detectable_effect(found).iloc[which]["minimum_detectable"]
    size = {"cities": found.n_units, "observations": found.nobs}
    return {**kept, "minimum_detectable": float(least), **size}


def _imputed(frame: pd.DataFrame, outcome: str, initial: list[str]) -> dict[str, float]:
    from clusterlib.did import imputation_did
    from clusterlib.inference import minimum_detectable_effect

    # Cities listed in the first year that they are seen in have none before.
    seen = frame.index.get_level_values("year").to_series(frame.index).groupby(level="adcode").transform("min")
    late = frame[~(frame["first"] <= seen)]
    dates = late["first"].where(late["first"] <= LAST).groupby(level="adcode").first()
    province = late["province"].astype(int).groupby(level="adcode").first()
    found = imputation_did(late, outcome, dates, initial, cluster=province)
    row = found.overall
    kept = {name: float(row[name]) for name in _KEPT}
    least = minimum_detectable_effect(row["std_error"], province.nunique() - 1)["minimum_detectable"].iloc[0]
    return {**kept, "minimum_detectable": float(least), "cities": dates.size, "observations": len(late)}


def _lines(outcome: str, years: str) -> Iterator[tuple[str, dict[str, float]]]:
    frame, initial = export_control_sample(outcome, years)
    timed = frame.assign(later=frame["later"] * frame["pace"])
    largest = frame.index.get_level_values("adcode").isin(LARGEST)
    yield "plain", _line(frame, outcome, ["exposure"])
    yield "initial", _line(frame, outcome, ["exposure", *initial])
    yield "province_years", _line(_by_province_year(frame), outcome, ["exposure", *initial])
    yield "year_before", _line(frame, outcome, ["exposure_before", *initial])
    yield "largest_left_out", _line(frame[~largest], outcome, ["exposure", *initial])
    yield "first_listing", _imputed(frame, outcome, initial)
    yield "later_alone", _line(timed[timed["exposed"] == 0], outcome, ["later", *initial])
    yield "later_beside", _line(timed, outcome, ["exposure", "later", *initial], 1)


def _by_year(outcome: str, years: str) -> tuple[pd.DataFrame, float]:
    """Return effects of all entries by year against the base, and the joint p value of the years before it."""
    from scipy import stats

    from clusterlib.panel import fixed_effects

    frame, initial = export_control_sample(outcome, years)
    year = frame.index.get_level_values("year")
    dummies = {f"in_{each}": frame["exposed"].where(year == each, 0.0) for each in sorted(set(year) - {BASE})}
    frame = frame.assign(**dummies)
    found = fixed_effects(frame, outcome, [*dummies, *initial], cluster=frame["province"].astype(int))
    table = found.table.loc[list(dummies), ["estimate", "lower", "upper"]]
    table.index = pd.Index([int(name[3:]) for name in dummies], name="year")
    table.loc[BASE] = 0.0
    early = [name for name in dummies if int(name[3:]) < BASE]
    if not early:
        return table.sort_index(), np.nan
    statistic = wald_statistic(found.params[early].to_numpy(), found.covariance.loc[early, early].to_numpy())
    clusters = frame["province"].nunique()
    return table.sort_index(), float(stats.f.sf(statistic / len(early), len(early), clusters - 1))


@remember
def export_control_effects(
    trade_years: str = "2018:2023", gdp_years: str = "2013:2023", draws: int = 999, seed: int = 0
) -> ExportControls:
    r"""Estimate how outcomes of cities moved with entries of the US Entity List (出口管制效应).

    .. math:: \ln y_{it} = \beta \ln(1 + E_{it}) + \sum_s 1(t = s)\, z_i'\gamma_s + \alpha_i + \lambda_t
              + \varepsilon_{it}

    with cumulated entries :math:`E` and, in all specifications but ``plain``, log GDP and log trade over GDP of the
    first year times years. ``province_years`` has effects of each province's years; ``first_listing`` is the mean
    effect after the first entry by imputation; ``later_alone`` and ``later_beside`` take entries of years after the
    outcomes at the nation's pace of those before, a placebo.

    Parameters
    ----------
    trade_years : str
        Of the panels.
    gdp_years : str
        Of effects by year, as far as an outcome has them.
    draws, seed : int
        Of the wild cluster bootstrap by province.

    Returns
    -------
    ExportControls
    """
    from clusterlib.panel import wild_cluster_bootstrap

    effects, yearly, leads, left_out = {}, {}, {}, {}
    for outcome in CONTROLLED:
        effects |= {(outcome, name): line for name, line in _lines(outcome, trade_years)}
        frame, initial = export_control_sample(outcome, trade_years)
        x, provinces = ["exposure", *initial], frame["province"].astype(int)
        wild = wild_cluster_bootstrap(
            frame, outcome, x, cluster=provinces, variables="exposure", draws=draws, seed=seed
        )
        effects[outcome, "initial"]["wild_p"] = wild.table.loc["exposure", "p_value"]
        for province in provinces.unique():
            left_out[outcome, province] = _line(frame[provinces != province], outcome, x)["estimate"]
        yearly[outcome], joint = _by_year(outcome, gdp_years)
        early, initial = export_control_sample(outcome, f"{BASE}:{_EARLY}")
        after = early.index.get_level_values("year") > BASE
        early["coming"] = early["coming"].where(after, 0.0)
        leads[outcome] = {**_line(early, outcome, ["coming", "exposure", *initial]), "joint_p": joint}
    return ExportControls(
        pd.DataFrame(effects).T.rename_axis(["outcome", "specification"]),
        pd.concat(yearly, names=["outcome"]),
        pd.DataFrame(leads).T.rename_axis("outcome"),
        pd.Series(left_out).rename_axis(["outcome", "province"]).to_frame("estimate"),
    )


def export_control_region(region: str | Region, years: str = "2018:2023", fewest: int = 5) -> pd.DataFrame:
    """Estimate the same of the cities of one region, in the equation of all (区域估计).

    Parameters
    ----------
    region : str or Region
    years : str
    fewest : int
        Cities with entries from which on there is an estimate.

    Returns
    -------
    DataFrame
        By outcome: ``estimate``, ``std_error``, ``p_value`` (errors by city), ``minimum_detectable``; ``low`` and
        ``high`` without each province of the region in turn, or each listed city where it has one province with
        figures; ``within`` and ``within_p`` with effects of each province's years; ``cities``, ``hit`` (with entries).

    Raises
    ------
    UnknownNameError
        If there is no such region.
    """
    members, rows = get_region(region).adcodes("city"), {}
    for outcome in CONTROLLED:
        frame, initial = export_control_sample(outcome, years)
        code = frame.index.get_level_values("adcode")
        inside = code.isin(members)
        split = {"own": frame["exposure"].where(inside, 0.0), "others": frame["exposure"].where(~inside, 0.0)}
        frame, x = frame.assign(**split), ["own", "others", *initial]
        hit = code[frame["own"] > 0].unique()
        rows[outcome] = {"cities": code[inside].nunique(), "hit": len(hit)}
        if len(hit) < fewest:
            continue
        provinces = frame["province"].to_numpy()
        parts = [provinces == each for each in pd.unique(provinces[inside])]
        parts = parts if len(parts) > 1 else [code == city for city in hit]
        without = [_line(frame[~part], outcome, x, by_city=True)["estimate"] for part in parts]
        found = _line(frame, outcome, x, by_city=True)
        within = _line(_by_province_year(frame), outcome, x, by_city=True)
        rows[outcome] |= {name: found[name] for name in ("estimate", "std_error", "p_value", "minimum_detectable")}
        rows[outcome] |= {"low": min(without), "high": max(without)}
        rows[outcome] |= {"within": within["estimate"], "within_p": within["p_value"]}
    columns = ["estimate", "std_error", "p_value", "minimum_detectable", "low", "high", "within", "within_p"]
    table = pd.DataFrame(rows).T.reindex(columns=[*columns, "cities", "hit"])
    return table.astype({"cities": int, "hit": int}).rename_axis("outcome")


@remember
def export_swings(region: str | None = None, years: str = "2018:2023", fewest: int = 5) -> pd.Series:
    r"""Estimate how the swings of cities' exports moved with entries of the Entity List (出口波动).

    What a city's exports change by in a year beyond what cities of its size and openness change by in that year is
    :math:`u_{it}`, and its size is regressed on the entries, with effects of cities and years:

    .. math:: |u_{it}| = \beta \ln(1 + E_{it}) + \sum_s 1(t = s)\, z_i'\gamma_s + \alpha_i + \lambda_t + e_{it}

    Parameters
    ----------
    region : str, optional
        With a slope of its own for the cities of a region, and errors by city; else of all, with errors by province.
    years : str
        The first change is that of the second year.
    fewest : int
        Cities with entries from which on there is an estimate.

    Returns
    -------
    Series
        ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``, ``minimum_detectable``, in log points;
        ``cities`` and ``hit``, those with entries. Missing with fewer than ``fewest`` of them.

    Raises
    ------
    UnknownNameError
        If there is no such region.

    References
    ----------
    Glejser, H. (1969). A new test for heteroskedasticity. Journal of the American Statistical Association 64, 316-323.
    """
    from clusterlib.panel import fixed_effects

    frame, initial = export_control_sample("exports", years)
    year = frame.index.get_level_values("year").to_series(frame.index)
    growth = frame["exports"].groupby(level="adcode").diff().where(year.groupby(level="adcode").diff() == 1)
    frame = frame.assign(growth=growth).dropna(subset=["growth"])
    first = min(frame.index.get_level_values("year"))
    later = [name for name in initial if not name.endswith(f"_{first}")]
    # Size and openness in the first year that is left are part of the city's effect.
    unexpected = fixed_effects(frame, "growth", initial, "time").residuals
    frame = frame.assign(swing=unexpected.abs())
    code = frame.index.get_level_values("adcode")
    members = code if region is None else get_region(region).adcodes("city")
    inside = code.isin(members)
    split = {"own": frame["exposure"].where(inside, 0.0), "others": frame["exposure"].where(~inside, 0.0)}
    frame, x = frame.assign(**split), ["own", *([] if region is None else ["others"]), *later]
    row = {"cities": code[inside].nunique(), "hit": code[frame["own"] > 0].nunique()}
    if row["hit"] >= fewest:
        row = {**_line(frame, "swing", x, by_city=region is not None), **row}
    return pd.Series(row).reindex([*_KEPT, "minimum_detectable", "cities", "hit"])


class ListedCity(NamedTuple):
    """What :func:`listed_city_synthetic` finds.

    Attributes
    ----------
    table : DataFrame
        By variant: ``effect`` (mean gap), ``p_value``, ``least`` (the constant gap that would have been rejected),
        ``pre_rmspe``, ``fit_index``, ``donors``, ``credible``.
    path, gaps : DataFrame
        Of the first variant: ``observed``, ``synthetic`` and ``gap`` by year; gaps of the placebos.
    weights : Series
        Of its donors.
    """

    table: pd.DataFrame
    path: pd.DataFrame
    gaps: pd.DataFrame
    weights: pd.Series


@remember
def listed_city_synthetic(
    city: int = 330100, start: int = 2020, years: str = "2003:2023", donors: int = 20, alpha: float = 0.05
) -> ListedCity:
    """Set a listed city against a synthetic control of cities not listed before (受管制城市合成控制).

    Outcomes are deviations from the mean before; donors are nearest in that mean. Variants: log GDP, donors without an
    entry before ``start`` or in any year; ``start`` at the economic census; twice as many donors; donors of other
    provinces; log GDP per head.

    Parameters
    ----------
    city, start : int
        Its first whole year after the entry.
    years : str
    donors : int
    alpha : float
        Level at which ``least`` is told: the ratio of errors that the permutation test rejects times the error before.

    Returns
    -------
    ListedCity

    Raises
    ------
    InvalidInputError
        For a city without all figures, or too few donors for a test at ``alpha``.
    """
    from clusterlib.data import load_units
    from clusterlib.did import synthetic_control

    check_whole("donors", donors, least=int(np.ceil(1 / alpha)) - 1)
    panel, entries, province = city_panel(years), export_control_exposure(), load_units()["province"]
    census = int(design().constants["census_year"])
    base = {"y": "log_gdp", "start": start, "until": start - 1, "donors": donors, "elsewhere": False}
    variants = {
        "gdp": base,
        "gdp_never_listed": base | {"until": LAST},
        "gdp_from_census": base | {"start": census},
        "gdp_more_donors": base | {"donors": 2 * donors},
        "gdp_other_provinces": base | {"elsewhere": True},
        "gdp_per_head": base | {"y": "log_gdp_per_head"},
        "gdp_per_head_never_listed": base | {"y": "log_gdp_per_head", "until": LAST},
    }
    rows, fits = {}, []
    for name, chosen in variants.items():
        wide = panel[chosen["y"]].unstack("year").dropna()
        if city not in wide.index:
            raise InvalidInputError(f"{city}: no {chosen['y']} in some year of {years}")
        level = wide.loc[:, : chosen["start"] - 1].mean(axis=1)
        clear = entries[chosen["until"]].reindex(wide.index) == 0
        if chosen["elsewhere"]:
            clear &= province.reindex(wide.index) != province[city]
        pool = (level - level[city]).abs()[clear].drop(city, errors="ignore").nsmallest(chosen["donors"]).index
        units = wide.loc[[*pool, city]].sub(level[[*pool, city]], axis=0).rename_axis("adcode")
        found = synthetic_control(units.stack().rename("y").to_frame(), "y", city, chosen["start"])
        fits.append(found)
        rows[name] = {key: getattr(found, key) for key in ("effect", "p_value", "pre_rmspe", "fit_index", "donors")}
        rows[name] |= {"least": found.least_gap(alpha), "credible": "yes" if found.credible else "no"}
    table = pd.DataFrame(rows).T.rename_axis("variant").astype({"donors": int})
    gaps = fits[0].placebo_gaps.drop(columns=city)
    return ListedCity(table.infer_objects(), fits[0].path, gaps, fits[0].weights)

"""Digital development and output of cities: the models that are the same for every region (城市数字化与经济产出)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights
from clusterlib.errors import InvalidInputError
from clusterlib.inference import minimum_detectable_effect
from clusterlib.panel import fixed_effects, instrumental_variables, wild_cluster_bootstrap, within
from clusterlib.regions import get_region
from clusterlib.study._memory import remember
from clusterlib.study._panels import city_panel, in_years

__all__ = ["complete_rows", "instruments", "models", "output_panel", "province_of", "region_slope", "spillovers"]


def __dir__() -> list[str]:
    return __all__


# What stands for digital development, and what is held: per resident the divisor is GDP over GDP per head.
FORMS = {
    "per_resident": ["broadband"],
    "residents_held": ["log_broadband", "log_residents"],
    "per_registered": ["broadband_registered"],
    "registered_held": ["log_broadband", "log_registered"],
    "finance": ["finance", "log_registered"],
    "index": ["digital", "log_registered"],
}
OUTCOMES = ("log_gdp_per_head", "log_gdp", "log_night_lights")
DESIGNS = ("year", "province_year", "long")
SAMPLES = ("all", "balanced")
# Whose dividend or divisor is not that of GDP per head: for these errors are looked into.
MAIN = ("registered_held", "finance", "index")
_MAIN_OUTCOMES = ("log_gdp", "log_night_lights")
_CENTRE = 330100  # Hangzhou
_TABLE = ["estimate", "std_error", "p_value", "lower", "upper"]


def output_panel(years: str) -> pd.DataFrame:
    """Return the panel of cities with log residents and log registered persons, as its ratios imply them (城市面板)."""
    panel = city_panel(years)
    held = {"log_residents": "broadband", "log_registered": "broadband_registered"}
    return panel.assign(**{name: panel["log_broadband"] - panel[ratio] for name, ratio in held.items()})


def complete_rows(panel: pd.DataFrame, columns: list[str], sample: str = "all", design: str = "year") -> pd.DataFrame:
    """Return the complete rows, of cities with all years if balanced; for long differences the first and last year."""
    rows = panel[columns].dropna()
    years = rows.index.unique("year")
    if design == "long":
        rows = in_years(rows, [int(years.min()), int(years.max())])
    if sample == "balanced" or design == "long":
        count = rows.groupby(level="adcode")[rows.columns[0]].transform("size")
        rows = rows[count == rows.index.unique("year").size]
    return rows


def province_of(rows: pd.DataFrame) -> pd.Series:
    """Return the province of each row."""
    from clusterlib.data import load_units

    found = load_units()["province"].reindex(rows.index.get_level_values("adcode"))
    return pd.Series(found.to_numpy(), rows.index, name="province")


def _designed(rows: pd.DataFrame, design: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the rows, by province and year in place of the year if the design says so, and their provinces."""
    province = province_of(rows)
    if design != "province_year":
        return rows, province
    year = rows.index.get_level_values("year")
    index = pd.MultiIndex.from_arrays([rows.index.get_level_values("adcode"), 10_000 * province + year])
    return rows.set_axis(index.set_names(["adcode", "cell"])), province.set_axis(index)


def _without_each(rows: pd.DataFrame, province: pd.Series, y: str, x: list[str], design: str) -> list[float]:
    """Return the first coefficient without each province in turn."""
    if design != "province_year":
        kept = (rows[(province != left).to_numpy()] for left in province.unique())
        return [float(fixed_effects(part, y, x, cov="classical").params[x[0]]) for part in kept]
    # With effects of provinces and years a province is taken out of the sums and changes nothing in the others.
    left = within(rows[[y, *x]])
    products = {code: part.to_numpy().T @ part.to_numpy() for code, part in left.groupby(province.reindex(left.index))}
    total = sum(products.values())
    rest: list[Any] = [total - own for own in products.values()]
    return [float(np.linalg.solve(part[1:, 1:], part[1:, 0])[0]) for part in rest]


def _estimate(rows: pd.DataFrame, y: str, x: list[str], design: str, draws: int, seed: int) -> dict:
    """Estimate the first coefficient of x, with errors by province and, with draws, all that looks into them."""
    table, province = _designed(rows, design)
    result = fixed_effects(table, y, x, cluster=province)
    row: dict = result.table.loc[x[0], _TABLE].to_dict()
    smallest = minimum_detectable_effect(result.std_errors[x[0]], result.df_inference)["minimum_detectable"]
    row |= {"smallest": float(smallest.iloc[0]), "cities": result.n_units, "rows": result.nobs}
    row["provinces"] = province.nunique()
    if draws:
        # Effects of cities and of a province's years lie within clusters: taken out before, they change no draw.
        nested = design == "province_year"
        inside: Any = within(table[[y, *x]]) if nested else table
        options: dict[str, Any] = {"cluster": province, "variables": x[0], "draws": draws, "seed": seed}
        wild = wild_cluster_bootstrap(inside, y, x, "none" if nested else "twoway", **options).table.loc[x[0]]
        row |= wild[["p_value", "lower", "upper"]].add_prefix("wild_").to_dict()
        low_high = _without_each(table, province, y, x, design)
        row |= {"low": min(low_high), "high": max(low_high)}
    return row


@remember
def models(years: str, long_years: str, draws: int, seed: int, cutoff: float) -> pd.DataFrame:
    """Estimate every form, outcome, design and sample (设定汇总).

    Parameters
    ----------
    years, long_years : str
        Of the panel, and the span whose ends long differences are taken between.
    draws, seed : int
        Of the wild bootstrap by province.
    cutoff : float
        Km up to which Conley's errors are related.

    Returns
    -------
    DataFrame
        By outcome, form, design and sample: estimate, errors by province, ``smallest`` detectable effect, counts; for
        main forms of all cities also ``wild_*``, ``low`` and ``high`` without each province, ``conley``.
    """
    from clusterlib.data import load_boundaries

    panels = {design: output_panel(long_years if design == "long" else years) for design in DESIGNS}
    shapes, found = load_boundaries("city"), {}
    for y in OUTCOMES:
        for form, x in FORMS.items():
            for design in DESIGNS:
                for sample in SAMPLES[: 1 if design == "long" else None]:
                    rows = complete_rows(panels[design], [y, *x], sample, design)
                    main = form in MAIN and sample == "all" and y in _MAIN_OUTCOMES
                    row = _estimate(rows, y, x, design, draws if main else 0, seed)
                    if main and design != "province_year":
                        placed = rows[rows.index.get_level_values("adcode").isin(shapes.index)]
                        lags = placed.index.unique("year").size - 1
                        near: dict[str, Any] = {"places": shapes, "cutoff": cutoff, "bandwidth": lags}
                        row["conley"] = float(fixed_effects(placed, y, x, cov="conley", **near).std_errors[x[0]])
                    found[y, form, design, sample] = row
    index = pd.MultiIndex.from_tuples(list(found), names=["outcome", "form", "design", "sample"])
    counts = dict.fromkeys(("cities", "rows", "provinces"), int)
    return pd.DataFrame(list(found.values()), index).astype(counts)


@remember
def spillovers(years: str, nearest: tuple[int, ...], draws: int, wild_draws: int, seed: int) -> dict[str, pd.DataFrame]:
    """Estimate spatial Durbin models of the balanced panel, and what neighbours' subscribers go with (空间溢出).

    Parameters
    ----------
    years : str
        Without gaps, for the lags in time.
    nearest : tuple of int
        Numbers of nearest neighbours beside a common border.
    draws, wild_draws, seed : int
        Of the impacts, and of the wild bootstrap by province.

    Returns
    -------
    dict of str to DataFrame
        ``impacts`` by outcome and weights; ``probabilities`` by outcome, weights and model; ``dynamic`` by outcome;
        ``neighbours``, the coefficient of neighbours' subscribers by outcome, weights and effects.
    """
    from clusterlib.data import load_boundaries
    from clusterlib.spatial_panel import dynamic_spatial_panel, model_probabilities, spatial_panel
    from clusterlib.weights import contiguity, k_nearest

    panel, shapes, x = output_panel(years), load_boundaries("city"), FORMS["registered_held"]
    impacts, probabilities, dynamic, neighbours = {}, {}, {}, {}
    for y in _MAIN_OUTCOMES:
        rows = complete_rows(panel, [y, *x])
        rows = complete_rows(rows[rows.index.get_level_values("adcode").isin(shapes.index)], [y, *x], "balanced")
        units = rows.index.unique("adcode")
        graphs = {"contiguity": contiguity(shapes.loc[units])}
        graphs |= {f"nearest_{k}": k_nearest(shapes.loc[units], k) for k in nearest}
        weights = {name: align_weights(graph, units) for name, graph in graphs.items()}
        for name, w in weights.items():
            result = spatial_panel(rows, y, x, w, "sdm", "twoway", "lee-yu")
            left = result.residuals
            memory = float(left.corr(left.groupby(level="adcode").shift()))
            row = result.impacts(draws, seed).table.loc[x[0]]
            impacts[y, name] = {"rho": result.rho, **row, "memory": memory, "cities": len(units)}
            values = rows[x[0]].unstack("year").loc[units]
            lagged = pd.DataFrame(graphs[name].sparse @ values.loc[graphs[name].unique_ids], units, values.columns)
            with_lag = rows.assign(neighbours=lagged.stack().reindex(rows.index).to_numpy())
            for design in DESIGNS[:2]:
                neighbours[y, name, design] = _estimate(with_lag, y, ["neighbours", *x], design, wild_draws, seed)
        probabilities[y] = model_probabilities(rows, y, x, weights).table
        dynamic[y] = _dynamic(dynamic_spatial_panel, rows, y, x, weights["contiguity"], draws, seed)
    names = {"impacts": ["outcome", "weights"], "neighbours": ["outcome", "weights", "design"]}
    tables = {"impacts": impacts, "neighbours": neighbours}
    found = {key: pd.DataFrame(table).T.rename_axis(names[key]) for key, table in tables.items()}
    return {
        **found,
        "probabilities": pd.concat(probabilities, names=["outcome"]),
        "dynamic": pd.DataFrame(dynamic).T.rename_axis("outcome"),
    }


def _dynamic(
    estimate: Any, rows: pd.DataFrame, y: str, x: list[str], w: Any, draws: int, seed: int
) -> dict[str, float]:
    """Estimate the dynamic model, without the correction where the process is not stable, which has no long run."""
    try:
        result = estimate(rows, y, x, w)
    except InvalidInputError:
        result = estimate(rows, y, x, w, bias_correction=None)
    row = {name: float(result.params[name]) for name in ("tau", "eta", "rho")}
    row |= {"stable": float(result.stable), "corrected": float(result.bias_correction is not None)}
    short = result.impacts(draws, seed).table.loc[x[0]]
    tables = {
        "short": short,
        "long": result.long_run_impacts(draws, seed).table.loc[x[0]] if result.stable else short * np.nan,
    }
    for name, table in tables.items():
        row |= {f"{name}_{part}": float(table[part]) for part in ("direct", "direct_p", "indirect", "indirect_p")}
    return row


@remember
def instruments(years: str) -> pd.DataFrame:
    """Estimate by instruments: post offices of 1984 and distance to Hangzhou, each times national broadband (工具变量).

    Returns
    -------
    DataFrame
        By outcome, endogenous variable and instrument: estimate, errors by province, ``f`` and ``bound`` of the first
        stage, ``reduced_p`` that the coefficient is nil by Anderson and Rubin, their 95 % ``set``, whether it is
        ``bounded``, and its ``sign``, nil where it holds both or nothing.
    """
    from clusterlib.data import load_boundaries, load_panel
    from clusterlib.weights import great_circle_distances

    panel = output_panel(years)
    city, year = panel.index.get_level_values("adcode"), panel.index.get_level_values("year")
    posts = load_panel("city", "post_offices_per_million_persons").droplevel("year").iloc[:, 0]
    away = great_circle_distances(load_boundaries("city"))[_CENTRE].drop(_CENTRE)
    users = "fixed_broadband_subscriptions_per_100_persons"
    national = load_panel("economy", users).xs("CHN")[users].reindex(year).to_numpy()
    made: dict[str, Any] = {"posts": posts, "distance": away}
    panel = panel.assign(**{name: np.log(values.reindex(city).to_numpy()) * national for name, values in made.items()})
    found = {}
    for y in _MAIN_OUTCOMES:
        for endogenous in ("log_broadband", "finance"):
            for chosen in (["posts"], ["distance"], ["posts", "distance"]):
                rows = complete_rows(panel, [y, endogenous, "log_registered", *chosen])
                held, province = ["log_registered"], province_of(rows)
                result = instrumental_variables(rows, y, held, endogenous, chosen, cluster=province)
                assert result.anderson_rubin is not None
                kept = result.anderson_rubin.confidence_set()
                sides = [end for part in kept for end in part]
                strength: Any = result.weak_instruments.loc[endogenous]
                found[y, endogenous, "_".join(chosen)] = {
                    **result.table.loc[endogenous, _TABLE[:2]].to_dict(),
                    "f": strength["effective_f"],
                    "bound": strength["effective_f_critical"],
                    "reduced_p": result.anderson_rubin.test(0.0).p_value,
                    "set": " ∪ ".join(f"({low:.2f}, {high:.2f})" for low, high in kept).replace("inf", "∞") or "∅",
                    "bounded": bool(np.isfinite(sides).all()),
                    "sign": float(np.sign(sides[0])) if len(set(np.sign(sides))) == 1 else 0.0,
                    "cities": result.n_units,
                }
    index = pd.MultiIndex.from_tuples(list(found), names=["outcome", "endogenous", "instrument"])
    return pd.DataFrame(list(found.values()), index)


@remember
def region_slope(region: str, years: str) -> pd.DataFrame:
    """Compare the slope of a region's cities with that of others, and with sets of neighbouring cities (区域斜率).

    Returns
    -------
    DataFrame
        By outcome: ``slope`` elsewhere, ``difference`` with errors by province, ``p_sets``: the share of sets of as
        many cities, each city outside the region with its nearest ones, whose difference has as large a t statistic;
        ``smallest`` detectable difference by their spread; counts.
    """
    from clusterlib.data import load_boundaries
    from clusterlib.weights import great_circle_distances

    panel, x = output_panel(years), FORMS["registered_held"]
    shapes, found = load_boundaries("city"), {}
    distance = great_circle_distances(shapes)
    for y in _MAIN_OUTCOMES:
        rows = complete_rows(panel, [y, *x])
        city = rows.index.get_level_values("adcode")
        rows, city = rows[city.isin(shapes.index)], city[city.isin(shapes.index)]
        own = city.unique()[city.unique().isin(get_region(region).adcodes("city"))]
        row = {"cities": len(own), "provinces": province_of(rows[city.isin(own)]).nunique()}
        others = city.unique().difference(own)
        near = distance.loc[others, others]
        sets = {-1: own} | {code: near[code].nsmallest(len(own)).index for code in others}
        columns = {code: rows[x[0]].where(city.isin(members), 0.0) for code, members in sets.items()}
        left = within(pd.concat([rows, pd.DataFrame(columns)], axis=1)).to_numpy()
        held = np.linalg.qr(left[:, 1:3])[0]
        left = left - held @ (held.T @ left)
        outcome, terms = left[:, 0], left[:, 3:]
        squares = (terms**2).sum(axis=0)
        slopes = terms.T @ outcome / squares
        spread = np.sqrt(((outcome[:, None] - terms * slopes) ** 2).sum(axis=0) / squares)
        ratio = np.abs(slopes / spread)
        clustered = fixed_effects(rows.assign(own=columns[-1]), y, ["own", *x], cluster=province_of(rows)).table
        smallest = minimum_detectable_effect(float(slopes[1:].std(ddof=1)))["minimum_detectable"].iloc[0]
        row |= {"slope": clustered.loc[x[0], "estimate"], "difference": slopes[0], "sets": len(others)}
        row |= {"std_error": clustered.loc["own", "std_error"], "p_value": clustered.loc["own", "p_value"]}
        row |= {"p_sets": (1 + (ratio[1:] >= ratio[0]).sum()) / (1 + len(others)), "smallest": float(smallest)}
        found[y] = row
    return pd.DataFrame(found).T.rename_axis("outcome")

"""Links across regions and industries: direct trains, goods trade, digital work beside industry (区域与行业联系)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.power import single_estimate
from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS
from clusterlib.study._memory import remember
from clusterlib.study._panels import group_units

# Kilometres at which the slope of distance is read.
CENTRE = 500
BANDS = {"below_300": (0, 300), "300_to_600": (300, 600), "600_to_1000": (600, 1000)}
DISTANCE, TERMS = ["distance", "distance_squared"], ["same_province", "same_region"]
# Provinces on the sea, as the China Marine Statistical Yearbook counts them.
COAST = (120000, 130000, 210000, 310000, 320000, 330000, 350000, 370000, 440000, 450000, 460000)
OPENNESS = ("trade", "related", "unrelated")
NATION = "nation"
# Cities of a region from which on a slope of its own is estimated.
FEWEST = 5
_TOLERANCE = 1e-9


class TrainLinks(NamedTuple):
    """What explains direct trains between cities; see :func:`train_links`."""

    pairs: pd.DataFrame
    explained: pd.Series
    coefficients: pd.DataFrame
    variants: pd.DataFrame
    without: pd.DataFrame
    regions: pd.DataFrame
    inside: pd.DataFrame
    borders: pd.DataFrame
    outside: pd.DataFrame


class OpenMarkets(NamedTuple):
    """How open provinces are beside what others of their size lead one to expect; see :func:`open_markets`."""

    gaps: pd.DataFrame
    expected: pd.DataFrame
    covered: pd.Series
    years: tuple[int, int]


class IndustryLinks(NamedTuple):
    """Whether digital work is where industry is; see :func:`industry_links`."""

    slopes: pd.DataFrame
    over_time: pd.DataFrame
    sizes: dict[str, int]


def train_pairs() -> pd.DataFrame:
    """Load pairs of cities with direct trains, their distance and the borders between them (直达列车城市对).

    Returns
    -------
    DataFrame
        By (origin, destination), both directions, pairs of the timetable alone: ``trains``, ``fast_trains`` a day;
        ``ride`` in minutes; ``kilometres`` between centroids, ``distance`` in logarithms less that of 500 kilometres
        and ``distance_squared``; flags ``same_province``, ``same_region`` (one core region), ``capitals`` (cities of
        the pair that are seats of a province or municipalities) and ``municipalities`` counts of two; ``province_from``
        and ``province_to``; and of each core region whether both are in it.

    Examples
    --------
    >>> import clusterlib as cl
    >>> pairs = cl.study.train_pairs()
    >>> int(pairs.loc[(110000, 120000), "trains"]), bool(pairs["same_province"].mean() < 0.2)
    (200, True)
    """
    from clusterlib.data import load_pairs

    seen = load_pairs(["direct_trains", "direct_fast_trains", "shortest_train_ride"])
    seen = seen.set_axis(["trains", "fast_trains", "ride"], axis=1)
    seen.index = seen.index.set_names(["origin", "destination"])
    return _with_borders(seen)


def _with_borders(pairs: pd.DataFrame) -> pd.DataFrame:
    """Add distance and borders to pairs of cities."""
    from clusterlib.data import load_boundaries, load_units
    from clusterlib.weights import great_circle_distances

    ends = [pairs.index.get_level_values(k) for k in (0, 1)]
    cities = ends[0].union(ends[1]).unique()
    kilometres = great_circle_distances(load_boundaries("city").loc[cities])
    province = load_units().loc[cities, "province"]
    group = group_units(cities)
    at = [cities.get_indexer(end) for end in ends]
    apart = np.log(kilometres.to_numpy()[at[0], at[1]] / CENTRE)
    provinces, groups = ([values.to_numpy()[place] for place in at] for values in (province, group))
    # The seat of each province has the second lowest code; a municipality is one city.
    alone = cities.to_numpy() == province.to_numpy()
    seat = alone | (cities.to_numpy() == province.to_numpy() + 100)
    shared = groups[0] == groups[1]
    return pairs.assign(
        kilometres=CENTRE * np.exp(apart),
        distance=apart,
        distance_squared=apart**2,
        same_province=1.0 * (provinces[0] == provinces[1]),
        same_region=1.0 * (shared & (groups[0] != "rest")),
        **{name: 1.0 * (shared & (groups[0] == name)) for name in REGIONS},
        capitals=seat[at[0]].astype(int) + seat[at[1]],
        municipalities=alone[at[0]].astype(int) + alone[at[1]],
        province_from=provinces[0],
        province_to=provinces[1],
    )


def _mass_alone(flow: pd.Series) -> pd.Series:
    """Expected flows with effects of origins and destinations alone, by iterative proportional fitting."""
    fitted = pd.Series(1.0, flow.index)
    for _ in range(2000):
        before = fitted
        for level in (0, 1):
            fitted = fitted * (flow.groupby(level=level).sum() / fitted.groupby(level=level).sum()).reindex(
                flow.index, level=level
            )
        if np.abs(fitted / before - 1).max() < _TOLERANCE:
            break
    return fitted


def _deviance(flow: pd.Series, fitted: pd.Series) -> float:
    return float(2 * (flow * np.log(flow / fitted) - (flow - fitted)).sum())


def _border(
    pairs: pd.DataFrame,
    y: str = "trains",
    term: str = "same_province",
    x: tuple[str, ...] = (*DISTANCE, *TERMS),
    directed: bool = True,
) -> dict:
    """Estimate one border term with its interval, and count what it rests on; missing where it is not identified."""
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.spatial import gravity_regression

    varying = [name for name in x if pairs[name].min() < pairs[name].max()]
    count = {"pairs": len(pairs), "within": int(pairs[term].sum())}
    try:
        found = gravity_regression(pairs, y, varying, directed=directed)
        row = found.table.loc[term]
    except (InvalidInputError, KeyError):
        return dict.fromkeys(["estimate", "std_error", "lower", "upper", "p_value", "detectable"], np.nan) | count
    return {
        **row[["estimate", "std_error", "lower", "upper", "p_value"]],
        "detectable": minimum_detectable_effect(found).loc[term, "minimum_detectable"],
        **count,
    }


def _both_directions(pairs: pd.DataFrame) -> pd.DataFrame:
    """Turn directed pairs into pairs without direction, with the mean of the directions that are seen."""
    ends = np.sort(np.array(pairs.index.to_list()), axis=1)
    flows = pairs[["trains"]].set_index(pd.MultiIndex.from_arrays(list(ends.T), names=pairs.index.names))
    return _with_borders(flows.groupby(level=[0, 1]).mean())


def _with_zeros(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take pairs of the cities that the timetable does not show for pairs without trains."""
    cities = pairs.index.get_level_values(0).union(pairs.index.get_level_values(1)).unique()
    every = pd.MultiIndex.from_product([cities, cities], names=pairs.index.names)
    every = every[every.get_level_values(0) != every.get_level_values(1)]
    return _with_borders(pairs[["trains"]].reindex(every, fill_value=0.0))


@remember
def train_links() -> TrainLinks:
    """Explain direct trains between cities by mass, distance and borders, in many ways (直达列车的引力方程).

    Returns
    -------
    TrainLinks
        ``pairs`` as of :func:`train_pairs`; ``explained``: parts of the deviance from the mean that mass (effects of
        origin and destination), distance and borders explain, added in turn; ``coefficients`` of the main equation;
        by variant, and by province left out, the coefficient ``same_province`` with interval, smallest detectable
        effect and numbers of pairs; the term of each region, also by province left out; and ``inside`` each region the
        border of provinces among its own pairs, with municipalities and without, missing where it is not identified;
        ``borders``: of the nation and, by region, the coefficient ``same_province`` of the region's provinces, all
        pairs sharing the slopes of distance; ``outside``: by region the percentage of its cities' trains that run to
        cities outside it, ``seen`` and ``expected`` from mass and distance without any border.

    Examples
    --------
    >>> import clusterlib as cl
    >>> links = cl.study.train_links()
    >>> bool(links.variants.loc["main", "estimate"] == links.coefficients.loc["same_province", "estimate"])
    True
    """
    from clusterlib.spatial import gravity_regression

    pairs = train_pairs()
    flow, main = pairs["trains"], gravity_regression(pairs, "trains", [*DISTANCE, *TERMS])
    whole = _deviance(flow, pd.Series(flow.mean(), flow.index))
    left = [whole, _deviance(flow, _mass_alone(flow)), gravity_regression(pairs, "trains", DISTANCE).deviance]
    explained = pd.Series(-np.diff([*left, main.deviance]) / whole, ["mass", "distance", "borders"])
    ride = np.log(pairs["ride"])
    samples = {
        "main": {},
        "no_region_term": {"x": (*DISTANCE, "same_province")},
        "ride_time": {"pairs": pairs.assign(distance=ride, distance_squared=ride**2)},
        "without_municipalities": {"pairs": pairs[pairs["municipalities"] == 0]},
        "without_capital_pairs": {"pairs": pairs[pairs["capitals"] < 2]},
        "without_capitals": {"pairs": pairs[pairs["capitals"] == 0]},
        "fast": {"y": "fast_trains"},
        **{name: {"pairs": pairs[pairs["kilometres"].between(*ends)]} for name, ends in BANDS.items()},
        "unordered": {"pairs": _both_directions(pairs), "directed": False},
        "zeros": {"pairs": _with_zeros(pairs)},
    }
    variants = {name: _border(**{"pairs": pairs, **sample}) for name, sample in samples.items()}
    apart = (*DISTANCE, "same_province")
    terms = (*apart, *REGIONS)
    provinces = sorted(set(pairs["province_from"]))
    without, regions, inside, outside = {}, {}, {}, {}
    borders, free = {NATION: variants["main"]}, gravity_regression(pairs, "trains", DISTANCE).fitted
    for name, area in REGIONS.items():
        at_home = pairs["same_province"] * pairs["province_from"].isin(area.adcodes("province"))
        split = pairs.assign(at_home=at_home, elsewhere=pairs["same_province"] - at_home)
        borders[name] = _border(split, term="at_home", x=(*DISTANCE, "at_home", "elsewhere", "same_region"))
        outside[name] = _outside(pairs, free, area.adcodes("city"))
        regions[name, 0] = _border(pairs, term=name, x=terms)
        own = pairs[pairs[name] == 1]
        inside[name, "all"] = _border(own, x=apart)
        inside[name, "without_municipalities"] = _border(own[own["municipalities"] == 0], x=apart)
        for province in area.adcodes("province"):
            if province in provinces:
                regions[name, province] = _border(_leave_out(pairs, province), term=name, x=terms)
    for province in provinces:
        without[province] = _border(_leave_out(pairs, province))
    return TrainLinks(
        pairs, explained, main.table, pd.DataFrame(variants).T, pd.DataFrame(without).T,
        pd.DataFrame(regions).T.rename_axis(["region", "without"]), pd.DataFrame(inside).T, pd.DataFrame(borders).T,
        pd.DataFrame(outside).T,
    )  # fmt: skip


def _outside(pairs: pd.DataFrame, free: pd.Series, members: Sequence[int]) -> dict[str, float]:
    """Percentage of trains of these cities that run to others, as seen and as expected without borders."""
    start, end = (pairs.index.get_level_values(level).isin(members) for level in (0, 1))
    touching, leaving = pairs["trains"][start | end].index, pairs["trains"][start != end].index
    cities = {"cities": float(pairs.index.unique(0)[pairs.index.unique(0).isin(members)].size)}
    flows = {"seen": pairs["trains"], "expected": free}
    return {name: 100 * flow[leaving].sum() / flow[touching].sum() for name, flow in flows.items()} | cities


def _leave_out(pairs: pd.DataFrame, province: int) -> pd.DataFrame:
    return pairs[(pairs["province_from"] != province) & (pairs["province_to"] != province)]


def predicted_gap(y: pd.Series, x: pd.DataFrame, members: pd.Index, level: float = 0.95) -> dict[str, float]:
    r"""Mean of some units beside what the others lead one to expect of them (样本外预测).

    Least squares on the units that are no members; with :math:`\bar x` the members' mean and m their number,

    .. math:: g = \bar y - \bar x' \hat\beta, \quad
              s_g^2 = \hat\sigma^2 \Bigl(\frac{1}{m} + \bar x' (X'X)^{-1} \bar x\Bigr)

    so that the interval allows for what members may differ in by themselves as much as any other unit does; it is one
    for a single member, too.

    Parameters
    ----------
    y : Series, shape (units,)
    x : DataFrame, shape (units, k)
        Without a constant, which is added.
    members : Index
    level : float

    Returns
    -------
    dict
        ``estimate``, ``std_error``, ``lower``, ``upper``, ``p_value`` and smallest ``detectable`` gap by t with
        :math:`n - m - k - 1` degrees of freedom; ``members`` and ``others``.

    References
    ----------
    Greene, W. H. (2018). Econometric Analysis, 8th ed., section 4.8.1.

    Examples
    --------
    >>> y = pd.Series([1.0, 2.0, 3.0, 4.5, 9.0])
    >>> x = pd.DataFrame({"x": [1.0, 2, 3, 4, 5]})
    >>> found = predicted_gap(y, x, pd.Index([4]))
    >>> round(found["estimate"], 3), found["p_value"] < 0.05
    (3.5, True)
    """
    inside = y.index.isin(members)
    design = np.column_stack([np.ones(len(x)), x.to_numpy(float)])
    others, m = design[~inside], int(inside.sum())
    df = len(others) - design.shape[1]
    if not m or df < 1:
        raise InvalidInputError(
            f"{m} member(s) and {len(others)} other(s): none to compare, or too few to compare with"
        )
    inverse = np.linalg.inv(others.T @ others)
    beta = inverse @ others.T @ y[~inside].to_numpy()
    left, place = y[~inside].to_numpy() - others @ beta, design[inside].mean(axis=0)
    error = np.sqrt(left @ left / df * (1 / m + place @ inverse @ place))
    gap = float(y[inside].mean() - place @ beta)
    return single_estimate(gap, float(error), df, level) | {"members": m, "others": len(others)}


@remember
def open_markets() -> OpenMarkets:
    """Compare regions' goods trade and variety of industries with what size and coast imply (市场开放与产业多样性).

    Means over the span ``province_years``: goods trade over GDP (logarithm), related and unrelated variety of the table
    of industries (bits). What is expected of a region's provinces is the least-squares prediction from all provinces
    outside it by log GDP, log GDP per head and, for trade, whether they lie on the sea.

    Returns
    -------
    OpenMarkets
        ``gaps``, by outcome, area and kind (``level``, mean of all years; ``change``, last year less first); of
        the ``nation`` the mean change over provinces; ``expected``: each province ``seen`` and ``expected``
        from all others, goods trade in percent of GDP; ``covered``: how many of these intervals hold what is
        seen, percent, by outcome; ``years``.

    Examples
    --------
    >>> import clusterlib as cl
    >>> bool(80 < cl.study.open_markets().covered["trade"] <= 100)
    True
    """
    from clusterlib.agglomeration import variety
    from clusterlib.study._design import design
    from clusterlib.study.diagnosis.indicators import industry_table, load_province_panel

    panel = load_province_panel()
    kinds = variety(industry_table(panel), design().industries)
    values = kinds[["related", "unrelated"]].assign(trade=np.log(panel["goods_trade_share"]))
    size = panel[["gdp", "gdp_per_capita"]].groupby(level="adcode").mean().apply(np.log)
    first, last = (int(panel.index.unique("year").sort_values()[end]) for end in (0, -1))
    ends = [values.xs(year, level="year") for year in (first, last)]
    kinds = {"level": values.groupby(level="adcode").mean(), "change": ends[1] - ends[0]}
    gaps, expected, covered = {}, {}, {}
    for outcome in OPENNESS:
        x = size.assign(coast=1.0 * size.index.isin(COAST)) if outcome == "trade" else size
        for kind, table in kinds.items():
            for name, area in REGIONS.items():
                members = pd.Index(area.adcodes("province")).intersection(x.index)
                if len(members):
                    gaps[outcome, name, kind] = predicted_gap(table[outcome], x, members)
        gaps[outcome, NATION, "change"] = _mean_change(kinds["change"][outcome])
        level = kinds["level"][outcome]
        alone = {code: predicted_gap(level, x, pd.Index([code])) for code in level.index}
        covered[outcome] = 100 * np.mean([row["lower"] <= 0 <= row["upper"] for row in alone.values()])
        if outcome == "trade":
            expected = {code: {"seen": np.exp(level[code]), "expected": np.exp(level[code] - row["estimate"])}
                        for code, row in alone.items()}  # fmt: skip
    names = ["outcome", "area", "kind"]
    return OpenMarkets(
        pd.DataFrame(gaps).T.rename_axis(names), pd.DataFrame(expected).T, pd.Series(covered), (first, last)
    )


def _mean_change(change: pd.Series) -> dict[str, float]:
    """Mean over provinces with its t interval."""
    count = len(change)
    row = single_estimate(float(change.mean()), float(change.std() / np.sqrt(count)), count - 1)
    return row | {"members": count, "others": 0}


def share_slopes(share: pd.Series, industry: pd.Series, given: pd.DataFrame, members: pd.Index) -> pd.DataFrame:
    r"""Slope of a share on industry among members, and among others (数字服务与工业的区位联系).

    .. math:: s_i = \alpha_{g(i)} + \gamma_{g(i)} x_i + z_i'\delta + e_i

    with g telling members from others, by least squares with errors of any variance (HC3).

    Parameters
    ----------
    share, industry : Series, shape (units,)
        Logarithms of the share s and of industry x.
    given : DataFrame, shape (units, k)
        What is held fixed, z, such as the logarithm of size.
    members : Index

    Returns
    -------
    DataFrame
        Rows ``own``, ``rest`` and ``difference`` (or ``own`` alone where all units are members): ``estimate``,
        ``std_error``, ``lower``, ``upper``, ``p_value`` and ``detectable`` by t with as many degrees of freedom as the
        members have beyond their two coefficients, and ``units``. Missing for fewer than five members.

    References
    ----------
    MacKinnon, J. G. and White, H. (1985). Some heteroskedasticity-consistent covariance matrix estimators with improved
    finite sample properties. Journal of Econometrics 29, 305-325.

    Examples
    --------
    >>> x = pd.Series(np.arange(20.0))
    >>> noise = pd.Series(np.tile([0.1, -0.1, -0.1, 0.1], 5))
    >>> share_slopes(2 * x + noise, x, pd.DataFrame({"size": x**2}), x.index)["estimate"].round(2).tolist()
    [2.0]
    """
    inside = share.index.isin(members)
    count = int(inside.sum())
    rows = {"own": inside, "rest": ~inside} if count < len(share) else {"own": inside}
    names = [*rows, "difference"] if len(rows) > 1 else ["own"]
    if count < FEWEST:
        return pd.DataFrame(np.nan, names, ["estimate", "std_error", "lower", "upper", "p_value", "detectable"]).assign(
            units=[count, len(share) - count, len(share)][: len(names)]
        )
    groups = np.column_stack([part for chosen in rows.values() for part in (1.0 * chosen, chosen * industry)])
    x = np.column_stack([groups, given])
    slopes, influence = _least_squares(x, share.to_numpy())
    picks = {"own": np.eye(x.shape[1])[1]}
    if len(rows) > 1:
        picks |= {"rest": np.eye(x.shape[1])[3], "difference": np.eye(x.shape[1])[1] - np.eye(x.shape[1])[3]}
    df = count - 2 if len(rows) > 1 else count - x.shape[1]
    units = {"own": count, "rest": len(share) - count, "difference": len(share)}
    return pd.DataFrame({
        name: single_estimate(float(pick @ slopes), float(np.sqrt(((influence @ pick) ** 2).sum())), df)
        | {"units": units[name]}
        for name, pick in picks.items()
    }).T  # fmt: skip


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients, and what each row moves them by, residuals divided by one less leverage: HC3's square roots."""
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ x.T @ y
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    return slopes, (x * ((y - x @ slopes) / (1 - leverage))[:, None]) @ inverse


@remember
def industry_links() -> IndustryLinks:
    """Ask whether digital work is where industry is, more than other services are (数字服务业与工业的联系).

    Of cities: employees of information transmission, software and information technology services over those of all
    other services (urban units), on secondary value added per resident, given residents, and given GDP per head, too,
    since richer cities have more of both; the last year with such employees. Of provinces, over time: software revenue
    over tertiary value added on industrial value added per resident, given residents.

    Returns
    -------
    IndustryLinks
        ``slopes``, by measure, area and row: ``main``, ``income`` (given GDP per head),
        ``employment`` (industry by its employees), ``employment_income`` and ``year_before``; ``over_time``: the
        nation's slope over provinces by year, and ``change``, last year less first with an interval over provinces;
        ``sizes``: ``year`` and numbers of cities and provinces.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.industry_links().sizes["year"]
    2019
    """
    from clusterlib.data import load_panel

    digital, industry, employees = "information_software_employment", "value_added_secondary", "urban_unit_employees"
    shares = ["employment_tertiary_share", "employment_secondary_share"]
    people, income = "implied_resident_population", "gdp_per_capita"
    frame = load_panel("city", [digital, industry, people, income, employees, *shares])
    frame["services"] = 100 * frame[employees] * frame[shares[0]] - frame[digital]
    frame["industrial"] = 100 * frame[employees] * frame[shares[1]]
    kept = [digital, industry, people, income, "services", "industrial"]
    frame = frame[kept].dropna()
    logs = frame[(frame > 0).all(axis=1)].apply(np.log)
    year = int(logs.index.unique("year").max())
    measures = {
        "main": (year, industry, [people]), "income": (year, industry, [people, income]),
        "employment": (year, "industrial", [people]), "employment_income": (year, "industrial", [people, income]),
        "year_before": (year - 1, industry, [people]),
    }  # fmt: skip
    slopes = {}
    for measure, (at, column, held) in measures.items():
        now = pd.DataFrame(logs.xs(at, level="year"))
        given = (now[digital] - now["services"], now[column] - now[people], now.loc[:, held])
        slopes[measure, NATION] = share_slopes(*given, now.index)
        for name, area in REGIONS.items():
            slopes[measure, name] = share_slopes(*given, pd.Index(area.adcodes("city")))
    over_time, provinces = _over_time()
    sizes = {"year": year, "cities": int(slopes["main", NATION]["units"].iloc[0]), "provinces": provinces}
    return IndustryLinks(pd.concat(slopes, names=["measure", "area", "row"]), over_time, sizes)


def _over_time() -> tuple[pd.DataFrame, int]:
    """Slopes over provinces by year, and how far the last is from the first, with the number of provinces."""
    from clusterlib.data import load_panel

    names = ["software_revenue", "value_added_tertiary", "value_added_industry", "resident_population"]
    panel = load_panel("province", names).dropna()
    logs = panel[panel["software_revenue"] > 0].apply(np.log)
    years = logs.index.unique("year").sort_values()
    count = logs.groupby(level="adcode").size()
    logs = logs[logs.index.get_level_values("adcode").isin(count.index[count == len(years)])]
    rows, moved, df = {}, {}, int((count == len(years)).sum()) - 3
    for year in years:
        now = logs.xs(year, level="year")
        people = now["resident_population"]
        x = np.column_stack([np.ones(len(now)), now["value_added_industry"] - people, people])
        slopes, influence = _least_squares(x, (now["software_revenue"] - now["value_added_tertiary"]).to_numpy())
        rows[int(year)], moved[year] = (float(slopes[1]), influence[:, 1]), influence[:, 1]
    rows["change"] = (rows[int(years[-1])][0] - rows[int(years[0])][0], moved[years[-1]] - moved[years[0]])
    found = {
        str(name): single_estimate(value, float(np.sqrt((part**2).sum())), df) for name, (value, part) in rows.items()
    }
    return pd.DataFrame(found).T.rename_axis("year"), df + 3

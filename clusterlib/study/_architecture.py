"""Architecture misalignment (架构失调): links of gathered digital industry, and neighbours of lead firms' cities."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_level, check_whole, listed
from clusterlib.core.resampling import generator, permutation_p
from clusterlib.errors import InvalidInputError
from clusterlib.regions import REGIONS
from clusterlib.study._design import design
from clusterlib.study._links import DISTANCE, TERMS, train_pairs
from clusterlib.study._memory import remember
from clusterlib.study._panels import digital_index, group_units

if TYPE_CHECKING:
    from collections.abc import Mapping

# Lists of national programmes; those of small firms name more places in Shanghai and Guangdong than elsewhere.
PROGRAMMES = ("national_advanced_manufacturing", "strategic_emerging_industry", "innovative_cluster_pilot")
# Before the timetable of 2020, but for the firms, of which there is one list.
INDEX_YEAR, SOFTWARE_YEARS, FIRMS_YEAR, FIRST = 2019, (2018, 2019), 2022, 50
KINDS = ("cluster", "unicorns", "software", "first_fifty")
PAIR_CONTROLS = (*DISTANCE, *TERMS, "both_seats", "sizes")
# Cities of a region from which on a term of its own is estimated.
FEWEST_GATHERED = 5
PLATFORMS = ("websites_per_100_enterprises", "ecommerce_enterprise_share")
# Growth from the first year to the last: night lights within one satellite, GDP up to the census, patents as given.
GROWTH_SPANS = {
    "lights": ("night_lights_sum", 2013, 2019),
    "gdp": ("gdp", 2013, 2018),
    "broadband": ("broadband_subscribers", 2013, 2019),
    "patents": ("invention_patents_granted", 2018, 2023),
}
LARGE_CITIES, BASE_YEAR = 60, 2013
# Neighbours of either kind in a region from which on it has an estimate of its own; classes of size of the placebo.
FEWEST_NEIGHBOURS, SIZE_CLASSES = 10, 3
_NOTHING = 1e-9
# The list of firms writes two cities alike and names two firms there.
UNDECIDED = (320500, 341300)
CONTROLS = ("initial", "income", "hub_size", "hub_income", "log_kilometres")


class GatheredLinks(NamedTuple):
    """Direct trains between cities where digital industry is gathered; see :func:`gathered_links`."""

    cities: pd.DataFrame
    variants: pd.DataFrame
    regions: pd.DataFrame


class PlatformUse(NamedTuple):
    """Platform use of enterprises and concentration of digital industry; see :func:`platform_use`."""

    years: tuple[int, int]
    provinces: pd.DataFrame
    slopes: pd.DataFrame
    regions: pd.DataFrame
    alike: pd.Series


class LeadPull(NamedTuple):
    """Growth of the neighbours of lead firms' cities; see :func:`lead_pull`."""

    frames: dict[str, pd.DataFrame]
    variants: pd.DataFrame
    outcomes: pd.DataFrame
    regions: pd.DataFrame
    placebo: pd.Series


def digital_classes() -> pd.DataFrame:
    """Tell which classes of digital industry each city holds a national cluster of (城市与数字产业中类).

    The rule: the four-digit classes of the Statistical Classification of the Digital Economy that
    :func:`clusterlib.data.digital_of` tells from the name of a cluster of the programmes ``PROGRAMMES`` that is digital
    without doubt, in each of its lead cities. Two cities are of related fields where they share a class.

    Returns
    -------
    DataFrame of bool
        City by class.

    Examples
    --------
    >>> import clusterlib as cl
    >>> classes = cl.study.digital_classes()
    >>> bool(classes.loc[340100, "0105"]), bool(classes.loc[320100, "0105"])
    (True, False)
    """
    from clusterlib.data import load_clusters

    clusters = load_clusters()
    clusters = clusters[(clusters["digital"] == "yes") & clusters["programme"].isin(PROGRAMMES)]
    held = {
        (int(city), name)
        for cities, classes in zip(clusters["adcodes"], clusters["digital_class"], strict=True)
        for city in str(cities).split(";")
        for name in classes.split(";")
    }
    city, name = zip(*sorted(held), strict=True)
    return pd.crosstab(pd.Series(city, name="adcode"), pd.Series(name, name="class")).astype(bool)


def gathered_cities() -> pd.DataFrame:
    """Tell where digital industry is gathered, by four signs (数字产业集聚城市).

    Returns
    -------
    DataFrame
        By city of the mainland: flags ``cluster`` (a national digital cluster as of :func:`digital_classes`),
        ``unicorns`` (a private company worth a billion dollars, 2022), ``software`` (share of information services in
        employment above the nation's, mean of 2018 and 2019), ``first_fifty`` (of the digital index of cities, 2019),
        and ``gathered``: any of the first three. A city without a figure of a sign does not show it.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cities = cl.study.gathered_cities()
    >>> bool(cities.loc[330100].all()), bool((cities["gathered"] >= cities["cluster"]).all())
    (True, True)
    """
    from clusterlib.data import load_panel, load_units

    workers = ["information_software_employment", "employment"]
    people = load_panel("city", workers, years=list(SOFTWARE_YEARS)).dropna()
    share = people[workers[0]] / people[workers[1]]
    total = people.groupby("year").sum()
    quotient = (share / (total[workers[0]] / total[workers[1]])).groupby("adcode").mean()
    firms = load_panel("city", "unicorn_companies", years=FIRMS_YEAR)["unicorn_companies"].droplevel("year")
    score = digital_index("city_digital").score.xs(INDEX_YEAR, level="year")
    units = load_units("city").index.union(firms.index)
    units = units[units < 700000]
    flags = {
        "cluster": digital_classes().index,
        "unicorns": firms.index[firms > 0],
        "software": quotient.index[quotient > 1],
        "first_fifty": score.nlargest(FIRST).index,
    }
    table = pd.DataFrame({name: units.isin(held) for name, held in flags.items()}, units)
    return table.assign(gathered=table[list(KINDS[:3])].any(axis=1))


def gathered_pairs() -> pd.DataFrame:
    """Load pairs of cities with direct trains and whether digital industry is gathered in both (集聚城市对).

    Returns
    -------
    DataFrame
        As of :func:`train_pairs`, with ``both_seats`` (both are seats of a province), ``sizes`` (product of the
        logarithms of GDP of 2019 less their mean), for each sign of :func:`gathered_cities` and for ``gathered``
        whether both cities show it, ``related`` (both hold clusters that share a class) and ``index`` (product of the
        standardised digital indices of 2019, missing where a city has none).

    Examples
    --------
    >>> import clusterlib as cl
    >>> pair = cl.study.gathered_pairs().loc[(310000, 330100)]
    >>> [float(pair[name]) for name in ("gathered", "related", "both_seats")]
    [1.0, 1.0, 1.0]
    """
    from clusterlib.data import load_panel

    pairs = train_pairs()
    ends = [pairs.index.get_level_values(level) for level in (0, 1)]
    cities = ends[0].union(ends[1]).unique()
    size = np.log(load_panel("city", "gdp", years=INDEX_YEAR)["gdp"].droplevel("year").reindex(cities))
    score = digital_index("city_digital").score.xs(INDEX_YEAR, level="year").reindex(cities)
    classes = digital_classes().reindex(cities, fill_value=False)
    shared = classes.to_numpy(float) @ classes.to_numpy(float).T
    flags, at = gathered_cities().reindex(cities, fill_value=False), [cities.get_indexer(end) for end in ends]

    def product(values: pd.Series) -> np.ndarray:
        return values.to_numpy()[at[0]] * values.to_numpy()[at[1]]

    return pairs.assign(
        both_seats=1.0 * (pairs["capitals"] == 2),
        sizes=product(size - size.mean()),
        **{str(name): 1.0 * product(flags[name]) for name in flags},
        related=1.0 * (shared[at[0], at[1]] > 0),
        index=product((score - score.mean()) / score.std()),
    )


def _term(pairs: pd.DataFrame, term: str, x: Iterable[str]) -> dict[str, float]:
    """Estimate one term of the gravity equation as a factor, with the smallest one above one that could be seen."""
    from clusterlib.spatial import gravity_regression

    found = gravity_regression(pairs, "trains", [*x, term])
    return _factor(pairs, term, found.params[term], found.std_errors[term], found.n_units)


def _factor(pairs: pd.DataFrame, term: str, estimate: float, error: float, units: int) -> dict[str, float]:
    """Put an estimate with its standard error as a factor."""
    from clusterlib.core.power import single_estimate

    row = single_estimate(estimate, error, units - 1)
    return {
        **{name: float(np.exp(row[name])) for name in ("estimate", "lower", "upper", "detectable")},
        "p_value": float(row["p_value"]),
        "cities": units,
        "pairs": int((pairs[term] == 1).sum()),
    }


def _counted_once(pairs: pd.DataFrame, term: str, x: Iterable[str]) -> dict[str, float]:
    """Estimate one term with errors of Aronow, Samii and Assenova: two directions of a pair count once and not twice.

    Gravity equations count them twice, since errors are else too small where effects are many; here they lie on either
    side of the truth.
    """
    from clusterlib.core.within import make_layout, weighted_within
    from clusterlib.spatial import gravity_regression

    found = gravity_regression(pairs, "trains", [*x, term])
    mean = found.fitted.to_numpy()
    ends = [pairs.index.get_level_values(level).to_numpy() for level in (0, 1)]
    layout = make_layout(pd.MultiIndex.from_arrays(ends), "twoway")
    left = weighted_within(pairs[[*x, term]].to_numpy(float), mean, layout)
    scores = left * (pairs["trains"].to_numpy() - mean)[:, None]
    both = pd.DataFrame(scores).groupby([np.minimum(ends[0], ends[1]), np.maximum(ends[0], ends[1])]).sum().to_numpy()
    inverse, units = np.linalg.inv((left.T * mean) @ left), found.n_units
    twice = units / (units - 1) * inverse @ both.T @ both @ inverse
    variance = found.covariance.loc[term, term] - twice[-1, -1]
    return _factor(pairs, term, found.params[term], float(np.sqrt(max(variance, 0.0))), units)


@remember
def gathered_links() -> GatheredLinks:
    r"""Ask whether cities where digital industry is gathered have more trains with one another (集而不群的联系检验).

    .. math:: E[y_{ij}] = \exp(\alpha_i + \gamma_j + x_{ij}'\beta + \delta d_{ij})

    with d whether both are gathered and x the distance and its square, one province, one core region, both seats of
    provinces, and the product of sizes. By :func:`clusterlib.spatial.gravity_regression`; :math:`e^{\delta}` is shown.

    Returns
    -------
    GatheredLinks
        ``cities`` in the timetable, as of :func:`gathered_cities`, with their region; ``variants``: the factor with
        interval, smallest detectable factor above one and pairs, for ``gathered``, each sign, ``gathered`` with errors
        that count a pair once (too small, as the main ones are too large), related fields beside
        any cluster, a standard deviation of the digital index in both, and ``gathered`` with fewer controls;
        ``regions``: the factor among gathered cities of the region, missing for fewer than ``FEWEST_GATHERED`` of them.

    Examples
    --------
    >>> import clusterlib as cl
    >>> links = cl.study.gathered_links()
    >>> links.regions.columns.equals(links.variants.columns), "gathered" in links.variants.index
    (True, True)
    """
    pairs = gathered_pairs()
    cities = pairs.index.unique("origin").union(pairs.index.unique("destination"))
    flags = gathered_cities().loc[cities].assign(region=group_units(cities))
    known = pairs.dropna(subset=["index"])
    variants = {name: _term(pairs, name, PAIR_CONTROLS) for name in ("gathered", *KINDS)}
    variants["counted_once"] = _counted_once(pairs, "gathered", PAIR_CONTROLS)
    variants["related"] = _term(pairs, "related", [*PAIR_CONTROLS, "cluster"])
    variants["index"] = _term(known, "index", PAIR_CONTROLS)
    variants["without_sizes"] = _term(pairs, "gathered", PAIR_CONTROLS[:-1])
    variants["distance_alone"] = _term(pairs, "gathered", [*DISTANCE, *TERMS])
    regions = {}
    for name in REGIONS:
        members = int((flags["gathered"] & (flags["region"] == name)).sum())
        regions[name] = dict.fromkeys(variants["gathered"], np.nan)
        if members >= FEWEST_GATHERED:
            # Where all cities of a region are gathered, its term takes the pairs' place: not identified.
            with contextlib.suppress(InvalidInputError):
                regions[name] = _regional_term(pairs, name)
        regions[name] |= {"cities": members, "pairs": int((pairs["gathered"] * pairs[name]).sum())}
    table = [pd.DataFrame(rows).T for rows in (variants, regions)]
    return GatheredLinks(flags, *table)


def _regional_term(pairs: pd.DataFrame, region: str) -> dict[str, float]:
    """Estimate the term among gathered cities of one region, beside that of all other gathered pairs."""
    inside = pairs["gathered"] * pairs[region]
    split = pairs.assign(inside=inside, elsewhere=pairs["gathered"] - inside)
    others = [name for name in PAIR_CONTROLS if name != "same_region"]
    return _term(split, "inside", [*others, *(name for name in REGIONS if split[name].any()), "elsewhere"])


def shared_fields(
    held: pd.DataFrame, groups: pd.Series, *, draws: int = 1999, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    r"""Compare fields that places of a group share with those under random assignment (领域关联的随机化检验).

    The statistic counts fields that two places of one group both hold, over all pairs of the group's places. Drawn are
    tables with the same number of fields in each place and of places for each field, all equally likely, by trades
    between two places (curveball): the number of shared fields over *all* pairs is the same in each, so that the
    question is only whether they lie within the group.

    Parameters
    ----------
    held : DataFrame of bool
        Place by field.
    groups : Series
        Group by place; places of the group ``"rest"`` count in no group but take part in the draws.
    draws, seed : int
    level : float
        Of the test that ``detectable`` is about.

    Returns
    -------
    DataFrame
        By group, and ``nation`` for all of them together: ``places``, ``pairs``, ``shared``, ``expected`` (mean of
        draws), ``excess`` (shared less expected), ``p_value`` (two-sided) and ``detectable``, the excess that would be
        found four times in five where draws are normal; missing for a group without a pair.

    Raises
    ------
    InvalidInputError
        For places without a group, or held that is not of flags.

    References
    ----------
    Strona, G., Nappo, D., Boccacci, F., Fattorini, S. and San-Miguel-Ayanz, J. (2014). A fast and unbiased procedure to
    randomize ecological binary matrices with fixed row and column totals. Nature Communications 5, 4114.

    Examples
    --------
    >>> import pandas as pd
    >>> held = pd.DataFrame([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1]], index=list("abcd")).astype(bool)
    >>> groups = pd.Series({"a": "north", "b": "north", "c": "rest", "d": "rest"})
    >>> int(shared_fields(held, groups, draws=99).loc["north", "shared"])
    2
    """
    from clusterlib.core.power import multipliers

    draws, level = check_whole("draws", draws, least=99), check_level(level)
    if not isinstance(held, pd.DataFrame) or not all(map(pd.api.types.is_bool_dtype, held.dtypes)):
        raise InvalidInputError("held: expected a DataFrame of flags by place and field; use held.astype(bool)")
    lacking = held.index.difference(groups.dropna().index)
    if len(lacking):
        raise InvalidInputError(f"groups: no group for {len(lacking)} place(s): {listed(lacking)}")
    group = groups.loc[held.index].to_numpy()
    names = [name for name in pd.unique(group) if name != "rest"]
    inside = np.stack([group == name for name in names]).astype(float)

    def count(table: np.ndarray) -> np.ndarray:
        # Of each field: pairs of the group's places that both hold it.
        holders = inside @ table
        return (holders * (holders - 1) / 2).sum(axis=1)

    observed = count(held.to_numpy(float))
    drawn = np.array([count(table) for table in _trades(held.to_numpy(), draws, generator(seed))])
    observed, drawn = (np.append(values, values.sum(axis=-1, keepdims=True), axis=-1) for values in (observed, drawn))
    places = np.append(inside.sum(axis=1), inside.sum())
    pairs = np.append(inside.sum(axis=1) * (inside.sum(axis=1) - 1) / 2, 0.0)
    pairs[-1] = pairs.sum()
    table = pd.DataFrame(
        {
            "places": places.astype(int),
            "pairs": pairs.astype(int),
            "shared": observed,
            "expected": drawn.mean(axis=0),
            "excess": observed - drawn.mean(axis=0),
            "p_value": permutation_p((drawn >= observed).sum(axis=0), (drawn <= observed).sum(axis=0), draws),
            "detectable": multipliers(None, 1 - level, 0.8)[1] * drawn.std(axis=0, ddof=1),
        },
        [*names, "nation"],
    )
    table.loc[table["pairs"] == 0, ["shared", "expected", "excess", "p_value", "detectable"]] = np.nan
    return table


def _trades(held: np.ndarray, draws: int, random: np.random.Generator) -> Iterable[np.ndarray]:
    """Yield tables with the margins of ``held``: two places put together what only one of them has and deal it anew."""
    table, places = held.copy(), len(held)
    for draw in range(-1, draws):
        # Strona et al. find a table as good as random after as many trades as a few times the number of rows.
        for one, other in random.integers(places, size=((2 if draw >= 0 else 50) * places, 2)):
            apart = np.flatnonzero(table[one] != table[other])
            if len(apart) > 1:
                table[one, apart] = random.permutation(table[one, apart])
                table[other, apart] = ~table[one, apart]
        if draw >= 0:
            yield table.astype(float)


@remember
def regional_fields(draws: int = 1999, seed: int = 0) -> pd.DataFrame:
    """Compare the classes that cities of a region share with random assignment; see :func:`shared_fields`.

    Examples
    --------
    >>> import clusterlib as cl
    >>> "nation" in cl.study.regional_fields().index
    True
    """
    classes = digital_classes()
    return shared_fields(classes, group_units(classes.index), draws=draws, seed=seed).reindex([*REGIONS, "nation"])


def platform_panel() -> pd.DataFrame:
    """Load how enterprises use platforms and how digital industry is concentrated (平台应用与数字产业集中度).

    Returns
    -------
    DataFrame
        By (adcode, year), provinces and years with all figures: ``websites`` (per 100 enterprises) and ``ecommerce``
        (enterprises with e-commerce, percent), both less the year's mean over its standard deviation, ``platforms``,
        their mean; ``quotient``, the logarithm of the province's share of software revenue over its share of GDP, and
        ``income``, that of GDP per head, both less the year's mean.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.study.platform_panel()
    >>> bool(abs(panel.groupby("year").mean()).max().max() < 1e-9)
    True
    """
    from clusterlib.data import load_panel

    amounts = ["software_revenue", "gdp"]
    panel = load_panel("province", [*PLATFORMS, *amounts, "gdp_per_capita"]).dropna()
    share = panel[amounts] / panel[amounts].groupby("year").transform("sum")
    logs = pd.DataFrame({"quotient": np.log(share[amounts[0]] / share[amounts[1]])})
    logs["income"] = np.log(panel["gdp_per_capita"])
    use = panel[list(PLATFORMS)].set_axis(["websites", "ecommerce"], axis=1)
    use = (use - use.groupby("year").transform("mean")) / use.groupby("year").transform("std")
    return use.assign(platforms=use.mean(axis=1)).join(logs - logs.groupby("year").transform("mean"))


def residual_of_group(y: pd.Series, x: pd.DataFrame, members: Iterable, *, level: float = 0.95) -> pd.Series:
    r"""Compare a group's mean with what a line through all other units predicts for it (组别对回归线的偏离).

    .. math:: \bar y_g - \bar x_g'\hat\beta, \quad
              s^2 = \hat\sigma^2 \big(1 / m + \bar x_g' (X'X)^{-1} \bar x_g\big)

    with :math:`\hat\beta, \hat\sigma^2` and X (with a constant) of the n - m units outside the group and Student's
    distribution with n - m - k degrees of freedom: exact for independent normal errors of one variance.

    Parameters
    ----------
    y : Series, shape (units,)
    x : DataFrame, shape (units, variables)
        Of the same units.
    members : iterable
        Units of the group; those that are not in ``y`` are left aside.
    level : float
        Of the interval.

    Returns
    -------
    Series
        ``estimate``, ``lower``, ``upper``, ``p_value``, ``detectable`` (found four times in five), ``members``; missing
        for a group without members.

    Raises
    ------
    InvalidInputError
        For other units in ``x``, missing values, or too few units outside the group.

    References
    ----------
    Chow, G. C. (1960). Tests of equality between sets of coefficients in two linear regressions. Econometrica 28,
    591-605, on predictions of new observations.

    Examples
    --------
    >>> import pandas as pd
    >>> y, x = pd.Series([0.0, 1.1, 1.9, 3.1, 9.0]), pd.DataFrame({"x": [0.0, 1, 2, 3, 4]})
    >>> bool(residual_of_group(y, x, [4])["lower"] > 0)
    True
    """
    from clusterlib.core.power import single_estimate

    level = check_level(level)
    if not x.index.equals(y.index) or y.index.has_duplicates:
        raise InvalidInputError("x: expected the units of y, each once and in the same order; use x.loc[y.index]")
    if not np.isfinite(np.column_stack([y, x])).all():
        raise InvalidInputError("y, x: a value is missing; leave the unit out")
    inside = y.index.isin(list(members))
    count, columns = int(inside.sum()), x.shape[1] + 1
    df = len(y) - count - columns
    if df < 1:
        raise InvalidInputError(f"members: {len(y) - count} unit(s) are left, {columns + 1} or more are needed")
    names = ["estimate", "lower", "upper", "p_value", "detectable"]
    if not count:
        return pd.Series([*[np.nan] * len(names), 0], [*names, "members"])
    rows = np.column_stack([np.ones(len(y)), x.to_numpy(float)])
    params, *_ = np.linalg.lstsq(rows[~inside], y.to_numpy()[~inside], rcond=None)
    left, at = y.to_numpy() - rows @ params, rows[inside].mean(axis=0)
    spread = at @ np.linalg.pinv(rows[~inside].T @ rows[~inside]) @ at + 1 / count
    error = np.sqrt((left[~inside] ** 2).sum() / df * spread)
    found = single_estimate(left[inside].mean(), error, df, level)
    return pd.Series([*(found[name] for name in names), count], [*names, "members"])


@remember
def platform_use(draws: int = 1999, seed: int = 0) -> PlatformUse:
    """Ask whether enterprises use platforms more where digital industry is gathered (平台应用与集聚).

    Slopes of the nation are within years, with intervals by the wild cluster bootstrap over provinces; a region is
    compared with what provinces outside it lead one to expect at its concentration, on means of all years.

    Parameters
    ----------
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    PlatformUse
        ``years``, the first and the last; ``provinces``, means over years as of :func:`platform_panel`; ``slopes`` by
        (``given``, outcome), in standard deviations for a doubling of the location quotient, with GDP per head held
        (``income``) and not (``nothing``), the smallest detectable slope, and sizes; ``regions`` by (region, given,
        outcome) as of :func:`residual_of_group`; ``alike``: Moran's I of what concentration leaves of platform use,
        since intervals of regions take provinces for independent.

    Examples
    --------
    >>> import clusterlib as cl
    >>> use = cl.study.platform_use()
    >>> bool((use.slopes["lower"] < use.slopes["upper"]).all())
    True
    """
    from clusterlib.core.power import minimum_detectable_effect
    from clusterlib.panel import fixed_effects, wild_cluster_bootstrap

    panel = platform_panel()
    means = panel.groupby("adcode").mean()
    doubling, slopes, regions = np.log(2), {}, {}
    for given, x in (("nothing", ["quotient"]), ("income", ["quotient", "income"])):
        for outcome in ("platforms", "websites", "ecommerce"):
            settings = {"cluster": "entity", "variables": "quotient", "draws": draws, "seed": seed}
            row = wild_cluster_bootstrap(panel, outcome, x, "time", **settings).table.loc["quotient"]
            usual = fixed_effects(panel, outcome, x, "time", cluster="entity")
            seen = minimum_detectable_effect(usual).loc["quotient", "minimum_detectable"]
            slopes[given, outcome] = {
                **(doubling * row[["estimate", "lower", "upper"]]),
                "p_value": row["p_value"],
                "detectable": doubling * seen,
                "provinces": len(means),
                "rows": len(panel),
            }
            for name, area in REGIONS.items():
                members = area.adcodes("province")
                regions[name, given, outcome] = residual_of_group(means[outcome], means[x], members)
    years = panel.index.unique("year")
    return PlatformUse(
        (int(min(years)), int(max(years))),
        means,
        pd.DataFrame(slopes).T.rename_axis(["given", "outcome"]),
        pd.DataFrame(regions).T.rename_axis(["region", "given", "outcome"]),
        _likeness(means, draws, seed),
    )


def _likeness(means: pd.DataFrame, draws: int, seed: int) -> pd.Series:
    """Moran's I of what concentration leaves of platform use, among nearest provinces, by permutation."""
    from clusterlib.data import load_boundaries
    from clusterlib.spatial import global_moran
    from clusterlib.weights import k_nearest

    slope, constant = np.polyfit(means["quotient"], means["platforms"], 1)
    left = means["platforms"] - constant - slope * means["quotient"]
    near = k_nearest(load_boundaries("province").loc[means.index], int(design().constants["nearest"]))
    found = global_moran(left, near, permutations=draws, seed=seed)
    return pd.Series({"I": found.I, "expected": found.expected, "p_value": found.p_sim})


def _near_large() -> pd.DataFrame:
    """Pairs of a city and a large one that it borders on (``LARGE_CITIES`` of the mainland by GDP), with its GDP."""
    from clusterlib.data import load_boundaries, load_panel
    from clusterlib.weights import contiguity

    boundaries = load_boundaries("city")
    size = load_panel("city", "gdp", years=BASE_YEAR)["gdp"].droplevel("year")
    large = size[size.index.isin(boundaries.index) & (size.index < 700000)].nlargest(LARGE_CITIES)
    near = contiguity(boundaries).adjacency.index.to_frame(index=False).set_axis(["city", "hub"], axis=1)
    near = near[near["hub"].isin(large.index)]
    return near.assign(size=large.loc[near["hub"]].to_numpy())


def _lead_cities(lead: str) -> tuple[list[int], list[int]]:
    """Cities that hold lead firms, and those of which it cannot be told."""
    from clusterlib.data import load_panel

    if lead == "first_fifty":
        return list(digital_index("city_digital").score.xs(BASE_YEAR, level="year").nlargest(FIRST).index), []
    firms = load_panel("city", "unicorn_companies", years=FIRMS_YEAR)["unicorn_companies"].droplevel("year")
    return list(firms.index[firms > 0]), list(UNDECIDED)


def lead_neighbours(lead: str = "unicorns") -> pd.DataFrame:
    """Load cities beside a large one and how they grew, by whether it holds lead digital firms (领先企业城市的邻市).

    The sample: cities that hold no lead firm themselves and border on one or more of the ``LARGE_CITIES`` largest by
    GDP of 2013. A city that borders on no lead city but on one for which the list of firms cannot tell is left out, as
    are cities whose boundaries moved.

    Parameters
    ----------
    lead : {"unicorns", "first_fifty"}
        Private companies worth a billion dollars, or the first fifty cities of the digital index in 2013.

    Returns
    -------
    DataFrame
        By city: ``lead``, whether it borders on a large city with lead firms; ``hub``, the largest city it borders on,
        with its logarithms of GDP (``hub_size``) and of the average wage (``hub_income``); ``income``, the city's own
        average wage; ``log_kilometres`` to the nearest large city; ``province``, ``region``; and of each outcome of
        ``GROWTH_SPANS`` growth a year in log points times 100 (``growth_...``) and the logarithm at the start
        (``initial_...``).

    Examples
    --------
    >>> import clusterlib as cl
    >>> cities = cl.study.lead_neighbours()
    >>> bool(cities.loc[330500, "lead"]), 330100 in cities.index
    (True, False)
    """
    check_choice("lead", lead, ("unicorns", "first_fifty"))
    return _neighbours_of(lead, _near_large())


def _neighbours_of(lead: str, near: pd.DataFrame) -> pd.DataFrame:
    from clusterlib.data import consistent_units, load_boundaries, load_panel
    from clusterlib.weights import great_circle_distances

    holders, unknown = _lead_cities(lead)
    kept = consistent_units(f"{BASE_YEAR}:{GROWTH_SPANS['lights'][2]}")["consistent"]
    near = near[(near["city"] < 700000) & ~near["city"].isin([*holders, *unknown, *kept.index[~kept]])]
    near = near.assign(lead=near["hub"].isin(holders), unknown=near["hub"].isin(unknown))
    beside = near.groupby("city")[["lead", "unknown"]].any()
    largest = near.sort_values("size").groupby("city")[["hub", "size"]].last()
    beside = beside.join(largest)[beside["lead"] | ~beside["unknown"]]
    boundaries = load_boundaries("city")
    kilometres = great_circle_distances(boundaries).loc[beside.index, near["hub"].unique()].to_numpy()
    names = sorted({column for column, *_ in GROWTH_SPANS.values()} | {"average_wage"})
    logs = load_panel("city", names).unstack("year").apply(lambda column: np.log(column.where(column > 0)))
    grown = {}
    for name, (column, first, last) in GROWTH_SPANS.items():
        start, end = logs[column][first], logs[column][last]
        grown |= {f"growth_{name}": 100 * (end - start) / (last - first), f"initial_{name}": start}
    wage = logs["average_wage"][BASE_YEAR]
    return (
        beside.drop(columns=["unknown", "size"])
        .assign(
            hub_size=np.log(beside["size"]),
            hub_income=wage.reindex(beside["hub"]).to_numpy(),
            income=wage.reindex(beside.index),
            log_kilometres=np.log(np.where(kilometres > 0, kilometres, np.inf).min(axis=1)),
            province=boundaries["province"].loc[beside.index],
            region=group_units(beside.index),
        )
        .join(pd.DataFrame(grown))
    )


def _frame(sample: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Cities with all figures of an outcome, of provinces with two or more, growth in its spread within provinces."""
    columns = {f"growth_{outcome}": "growth", f"initial_{outcome}": "initial"}
    frame = sample.assign(lead=1.0 * sample["lead"]).rename(columns=columns).dropna(subset=["growth", *CONTROLS])
    frame = frame[frame.groupby("province")["growth"].transform("size") > 1]
    apart = frame["growth"] - frame.groupby("province")["growth"].transform("mean")
    spread = np.sqrt((apart**2).sum() / (len(frame) - frame["province"].nunique()))
    return frame.assign(growth=frame["growth"] / spread, spread=spread)


def _frames(sample: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {outcome: _frame(sample, outcome) for outcome in GROWTH_SPANS}


def mean_difference(frames: Mapping[str, pd.DataFrame], terms: list[str], *, level: float = 0.95) -> pd.Series:
    r"""Mean over outcomes of a term's coefficient within provinces, errors by leaving out one city (多结果平均效应).

    .. math:: y_{ki} = d_i'\delta_k + x_{ki}'\beta_k + \mu_{k,p(i)} + e_{ki}, \quad
              \bar\delta = \frac{1}{K} \sum_k \delta_k, \quad
              V = \sum_i \Big(\frac{1}{K} \sum_k \frac{(X_k'X_k)^{-1} x_{ki} \hat e_{ki}}{1 - h_{ki}}\Big)^2

    with growth in its standard deviation within provinces, so that outcomes have one unit, h the leverage (HC3), and
    Student's distribution with the fewest residual degrees of freedom. What a city shares across its outcomes is
    allowed for; cities are independent given their provinces.

    Parameters
    ----------
    frames : mapping
        By outcome, a row a city: ``growth``, ``province``, the controls ``CONTROLS`` and the terms.
    terms : list of str
        The first is the one that is told of.
    level : float
        Of the interval.

    Returns
    -------
    Series
        ``estimate``, ``std_error``, ``lower``, ``upper``, ``p_value``, ``detectable`` (found four times in five);
        missing where the term does not vary within provinces given the controls.

    References
    ----------
    Kling, J. R., Liebman, J. B. and Katz, L. F. (2007). Experimental analysis of neighborhood effects. Econometrica
    75, 83-119, on mean effects. MacKinnon, J. G. and White, H. (1985). Some heteroskedasticity-consistent covariance
    matrix estimators with improved finite sample properties. Journal of Econometrics 29, 305-325.

    Examples
    --------
    >>> import clusterlib as cl
    >>> frame = cl.study.lead_pull().frames["lights"]
    >>> bool(cl.study.mean_difference({"lights": frame}, ["lead"])["std_error"] > 0)
    True
    """
    from clusterlib.core.power import single_estimate

    fits = [_partial(frame, frame[terms[:1]].to_numpy(float), terms[1:]) for frame in frames.values()]
    estimate, error = (float(values[0]) for values in _mean_of(frames, fits))
    df = min(fit.df for fit in fits)
    names = ["estimate", "std_error", "lower", "upper", "p_value", "detectable"]
    if np.isnan(estimate):
        return pd.Series(np.nan, names)
    return pd.Series(single_estimate(estimate, error, df, check_level(level)))[names]


class _Fit(NamedTuple):
    """Coefficients of terms taken one at a time, what each city would move them by, degrees of freedom."""

    estimates: np.ndarray
    pulls: pd.DataFrame
    df: int


def _partial(frame: pd.DataFrame, terms: np.ndarray, more: list[str]) -> _Fit:
    """Fit growth by each term in turn, controls, provinces and further terms; missing where these make it up."""
    basis, leverage = _controls(frame, more)
    left, y = (values - basis @ (basis.T @ values) for values in (terms, frame["growth"].to_numpy(float)))
    size = (left**2).sum(axis=0)
    size[size < _NOTHING * np.maximum(1.0, (terms**2).sum(axis=0))] = np.nan
    estimates = y @ left / size
    free = 1 - leverage[:, None] - left**2 / size
    # A city that alone tells a coefficient is fitted whatever it is, and has no residual.
    apart = (y[:, None] - left * estimates) / np.where(free > _NOTHING, free, np.inf)
    return _Fit(estimates, pd.DataFrame(left * apart / size, frame.index), len(y) - basis.shape[1] - 1)


def _mean_of(frames: Mapping[str, pd.DataFrame], fits: list[_Fit]) -> tuple[np.ndarray, np.ndarray]:
    """Means over outcomes and their standard errors, with what a city shares across outcomes."""
    pulls = pd.concat([fit.pulls for fit in fits]).groupby(level=0).sum()
    missing = np.isnan([fit.estimates for fit in fits]).any(axis=0)
    error = np.sqrt((pulls.to_numpy() ** 2).sum(axis=0)) / len(frames)
    return np.mean([fit.estimates for fit in fits], axis=0), np.where(missing, np.nan, error)


def _controls(frame: pd.DataFrame, more: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns that span controls, provinces and further terms, and the leverage that they give."""
    effects = pd.get_dummies(frame["province"]).to_numpy(float)
    others = frame[[*CONTROLS, *more]].to_numpy(float)
    others = others - effects @ (effects.T @ others / effects.sum(axis=0)[:, None])
    left, size, _ = np.linalg.svd(others / np.maximum(np.linalg.norm(others, axis=0), _NOTHING), full_matrices=False)
    basis = np.column_stack([effects / np.sqrt(effects.sum(axis=0)), left[:, size > 1e-6 * size.max()]])
    return basis, (basis**2).sum(axis=1)


def _told(frames: Mapping[str, pd.DataFrame], terms: list[str]) -> dict[str, float]:
    """Read the first term, with the most neighbours of either kind that an outcome has."""
    beside = [int((frame[terms[0]] > 0).sum()) for frame in frames.values()]
    others = [int((frame[terms].sum(axis=1) == 0).sum()) for frame in frames.values()]
    return {**mean_difference(frames, terms).drop("std_error"), "beside": max(beside), "others": max(others)}


@remember
def lead_pull(draws: int = 1999, seed: int = 0) -> LeadPull:
    """Ask whether cities beside lead digital firms grow more than those beside other large cities (领先企业的带动作用).

    Parameters
    ----------
    draws, seed : int
        Of the placebo: as many of the largest cities of each class of size (thirds by GDP) as hold lead firms are drawn
        in their place.

    Returns
    -------
    LeadPull
        ``frames`` by outcome: the cities of :func:`lead_neighbours` that have it, in standard deviations of growth
        within provinces (``spread``, percent a year). By variant, by outcome and by (region, outcome) the difference
        as of :func:`mean_difference`, ``all`` for the mean over outcomes (``first_fifty``: beside cities that are among
        the first fifty of the digital index), with numbers of neighbours ``beside`` lead firms and ``others``; missing
        for a region with fewer than ``FEWEST_NEIGHBOURS`` of either kind. ``placebo``:
        the t statistic of the mean, the middle 95 percent of draws and the p value (two-sided).

    Examples
    --------
    >>> import clusterlib as cl
    >>> pull = cl.study.lead_pull()
    >>> list(pull.outcomes.index)
    ['all', 'lights', 'gdp', 'broadband', 'patents']
    """
    near = _near_large()
    sample, fifty = (_neighbours_of(lead, near) for lead in ("unicorns", "first_fifty"))
    frames, by_index = _frames(sample), _frames(fifty)
    alike = sample["hub_size"] <= sample.loc[~sample["lead"], "hub_size"].max()
    samples = {
        "main": frames,
        "first_fifty": by_index,
        "overlap": _frames(sample[alike]),
        "without_municipalities": {name: frame[frame["hub"] % 10000 != 0] for name, frame in frames.items()},
    }
    alone = {outcome: {outcome: frame} for outcome, frame in frames.items()}
    regions = {
        (name, outcome): _regional(chosen, name)
        for name in REGIONS
        for outcome, chosen in {"all": frames, "first_fifty": by_index, **alone}.items()
    }
    return LeadPull(
        frames,
        pd.DataFrame({name: _told(chosen, ["lead"]) for name, chosen in samples.items()}).T,
        pd.DataFrame({name: _told(chosen, ["lead"]) for name, chosen in {"all": frames, **alone}.items()}).T,
        pd.DataFrame(regions).T.rename_axis(["region", "outcome"]),
        _placebo(frames, near, draws, seed),
    )


def _regional(frames: Mapping[str, pd.DataFrame], region: str) -> dict[str, float]:
    """Read the term of one region's neighbours, missing where an outcome has too few of either kind."""
    split, counts = {}, {"beside": [], "others": []}
    for name, frame in frames.items():
        own, lead = frame["region"] == region, frame["lead"]
        split[name] = frame.assign(inside=lead * own, elsewhere=lead * ~own)
        counts["beside"].append(int((own & (lead > 0)).sum()))
        counts["others"].append(int((own & (lead == 0)).sum()))
    told = _told(split, ["inside", "elsewhere"])
    if min(*counts["beside"], *counts["others"]) < FEWEST_NEIGHBOURS:
        told = dict.fromkeys(told, np.nan)
    return told | {name: max(found) for name, found in counts.items()}


def _placebo(frames: Mapping[str, pd.DataFrame], near: pd.DataFrame, draws: int, seed: int) -> pd.Series:
    """Draw other large cities of the same classes of size for those that hold lead firms."""
    hubs = near.drop_duplicates("hub").sort_values("size", ascending=False)["hub"].to_numpy()
    held, classes = np.isin(hubs, _lead_cities("unicorns")[0]), np.arange(len(hubs)) * SIZE_CLASSES // len(hubs)
    random, labels = generator(seed), np.empty((draws, len(hubs)))
    for part in range(SIZE_CLASSES):
        of = classes == part
        labels[:, of] = random.permuted(np.tile(held[of], (draws, 1)), axis=1)
    borders = pd.crosstab(near["city"], near["hub"])[hubs]
    fits = []
    for frame in frames.values():
        drawn = borders.loc[frame.index].to_numpy() @ labels.T > 0
        fits.append(_partial(frame, np.column_stack([frame["lead"], drawn]), []))
    means, errors = _mean_of(frames, fits)
    t = means / errors
    p_value = permutation_p((t[1:] >= t[0]).sum(), (t[1:] <= t[0]).sum(), draws)
    return pd.Series([t[0], *np.nanquantile(t[1:], [0.025, 0.975]), float(p_value)], ["t", "lower", "upper", "p_value"])

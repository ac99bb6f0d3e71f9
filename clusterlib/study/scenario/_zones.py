"""What zones of big data did: zones against the rest, years after against years before (大数据综合试验区)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_float_series,
    check_columns,
    check_finite,
    check_labels,
    check_units,
    check_whole,
    parse_years,
)
from clusterlib.core.power import single_estimate
from clusterlib.core.resampling import exceedance_p, generator
from clusterlib.errors import InvalidInputError
from clusterlib.study._design import design
from clusterlib.study._memory import remember

POLICY = "big_data_pilot_zone"
# Announced from September 2015 to October 2016: what is of 2016 or before is before.
LAST_BEFORE = 2016
# Of cities: depth of use less breadth of coverage, index points; the rest in logarithms. Of provinces: revenue of
# software products, security included, which is told apart from 2018 on; technology contracts.
CITY_OUTCOMES = ("use_given_coverage", "log_gdp", "log_night_lights")
PROVINCE_OUTCOMES = ("log_software_products", "log_technology_contracts")


class Zones(NamedTuple):
    """What the zones did; see :func:`big_data_zones`."""

    table: pd.DataFrame
    paths: pd.DataFrame
    members: pd.Series
    last_before: int


def difference_of_means(values: pd.Series, treated: pd.Series, *, draws: int = 999, seed: int = 0) -> dict[str, float]:
    r"""Difference of the means of two groups whose variances differ (韦尔奇均值差).

    .. math:: d = \bar v_1 - \bar v_0, \quad s^2 = \frac{s_1^2}{n_1} + \frac{s_0^2}{n_0}, \quad
              \nu = s^4 \Big/ \Big(\frac{s_1^4}{n_1^2 (n_1 - 1)} + \frac{s_0^4}{n_0^2 (n_0 - 1)}\Big)

    Of changes between two periods it is the estimate by differences in differences, and as each unit is one change its
    years may depend on each other.

    Parameters
    ----------
    values : Series
        By unit.
    treated : Series of bool
        Of each unit; at least two of each.
    draws, seed : int
        Of the permutation test, treatment dealt out anew.

    Returns
    -------
    dict
        ``estimate``, ``std_error``, ``df``, ``p_value``, ``lower``, ``upper``, ``smallest`` effect found with 80 %
        power, ``permutation_p``, ``zones``, ``others``.

    Raises
    ------
    InvalidInputError
        For fewer than two units of a group, or values that are missing.

    References
    ----------
    Welch, B. L. (1947). The generalization of Student's problem when several different population variances are
    involved. Biometrika 34, 28-35. Bertrand, M., Duflo, E. and Mullainathan, S. (2004). How much should we trust
    differences-in-differences estimates? Quarterly Journal of Economics 119, 249-275, section 4.3.

    Examples
    --------
    >>> values, treated = pd.Series([3.0, 5, 1, 2, 3]), pd.Series([True, True, False, False, False])
    >>> found = difference_of_means(values, treated, draws=99)
    >>> found["estimate"], round(found["df"], 2)
    (2.0, 1.68)
    """
    if not isinstance(values, pd.Series):
        raise InvalidInputError(f"values: expected a Series by unit, got a {type(values).__name__}")
    check_units(values.index, "value")
    given = values.to_frame("value")
    check_columns(given, ["value"])
    check_finite(given, "leave out the unit")
    values = as_float_series(values)
    inside = check_labels(treated, values.index, "treated").to_numpy(bool)
    draws, random = check_whole("draws", draws, least=1), generator(seed)
    numbers = values.to_numpy()
    groups = numbers[inside], numbers[~inside]
    sizes = [len(group) for group in groups]
    if min(sizes) < 2:
        raise InvalidInputError(f"{sizes[0]} treated unit(s) and {sizes[1]} other(s): at least two of each are needed")
    parts = np.array([group.var(ddof=1) / size for group, size in zip(groups, sizes, strict=True)])
    estimate, error = float(groups[0].mean() - groups[1].mean()), float(np.sqrt(parts.sum()))
    df = float(parts.sum() ** 2 / (parts**2 / (np.array(sizes) - 1)).sum())
    found = single_estimate(estimate, error, df)
    found["smallest"] = found.pop("detectable")
    dealt = np.array([random.permutation(inside) for _ in range(draws)], float)
    drawn = dealt @ numbers / sizes[0] - (1 - dealt) @ numbers / sizes[1]
    return {
        **found, "df": df, "permutation_p": exceedance_p(estimate, drawn, "two-sided"),
        "zones": sizes[0], "others": sizes[1],
    }  # fmt: skip


def zone_members() -> tuple[pd.Series, pd.Index]:
    """Return the zone of each city in one, a province's or a delta's, and cities of provinces of which a part is one.

    Returns
    -------
    Series, Index
        The province of each city that is in a zone; cities beside a zone in its province.
    """
    from clusterlib.data import load_panel, load_policies

    # A municipality is a city and a province.
    known = load_panel("city", "gdp").index.unique("adcode")
    cities = pd.Series(known // 10_000 * 10_000, known, name="province")
    listed = load_policies()
    listed = list(listed.loc[listed["policy"] == POLICY, "adcode"])
    inside = cities.index.isin(listed) | cities.isin(listed).to_numpy()
    members = cities[inside]
    return members, cities.index[~inside & cities.isin(members).to_numpy()]


def _city_units(years: slice) -> dict[str, pd.DataFrame]:
    """Means of cities by zone or province: a row a unit, a column a year."""
    from clusterlib.study._panels import city_panel

    panel = city_panel()
    panel = panel.assign(use_given_coverage=panel["depth"] - panel["coverage"])
    beside = zone_members()[1]
    found = {}
    for name in CITY_OUTCOMES:
        wide = panel[name].replace(-np.inf, np.nan).unstack("year").loc[:, years]
        wide = wide.dropna(axis=1, how="all").dropna()
        wide = wide[~wide.index.isin(beside)]
        found[name] = wide.groupby(wide.index // 10_000 * 10_000).mean()
    return found


def _province_units(years: slice) -> dict[str, pd.DataFrame]:
    from clusterlib.data import load_panel

    facts = load_panel(
        "province", ["software_product_revenue", "information_security_revenue", "technology_market_turnover"]
    )
    products = facts["software_product_revenue"] + facts["information_security_revenue"].fillna(0)
    amounts = dict(zip(PROVINCE_OUTCOMES, (products, facts["technology_market_turnover"]), strict=True))
    found = {}
    for name, values in amounts.items():
        logs: Any = np.log(values.where(values > 0))
        wide = logs.unstack("year").loc[:, years]
        found[name] = wide.dropna(axis=1, thresh=20).dropna()
    return found


def big_data_zones(years: str | None = None, *, draws: int = 9999, seed: int = 0) -> Zones:
    """Estimate what the zones of big data did, each a unit, in two periods (大数据综合试验区的两期双重差分).

    Parameters
    ----------
    years : str, optional
        From before 2016 to after it, the last year that counts as before; by default the design's ``depth_years``.
    draws, seed : int
        Of the permutation test.

    Returns
    -------
    Zones
        ``table`` by outcome and ``comparison``: ``after`` against before, and the second half of the years ``before``
        against the first, where nothing should show; as :func:`difference_of_means`. ``paths`` by outcome of
        cities and year: the difference from the other years before, with its interval. ``members``: the zone of each
        city. ``last_before``: the last year before.

    Raises
    ------
    InvalidInputError
        For years that leave fewer than four before or none after.

    Notes
    -----
    Cities are averaged by zone: a zone, not a city, was chosen. Cities beside a zone in its province are left out, and
    of provinces' figures the province whose zone is one city; one whose zone is nearly all of its output is in it.

    Examples
    --------
    >>> found = big_data_zones(draws=99)
    >>> int(found.table.loc[("use_given_coverage", "after"), "zones"])
    10
    """
    span = parse_years(str(design().spans["depth_years"].default) if years is None else years)
    if not isinstance(span, tuple) or span[0] > LAST_BEFORE - 3 or span[1] <= LAST_BEFORE:
        raise InvalidInputError(
            f"years={years!r}: expected a span from {LAST_BEFORE - 3} or before to after {LAST_BEFORE}"
        )
    return _estimate(*span, check_whole("draws", draws, least=1), check_whole("seed", seed))


@remember
def _estimate(first: int, last: int, draws: int, seed: int) -> Zones:
    members, beside = zone_members()
    zones = pd.Index(members.unique())
    # Of figures of provinces a zone of one city among many is none.
    partial = members.groupby(members).size() == 1
    alone = [code for code in zones[partial.reindex(zones)] if (beside // 10_000 * 10_000 == code).any()]
    units = _city_units(slice(first, last))
    units |= {name: wide.drop(alone, errors="ignore") for name, wide in _province_units(slice(first, last)).items()}
    rows, paths = {}, {}
    for name, wide in units.items():
        treated = pd.Series(wide.index.isin(zones), wide.index)
        before, after = wide.loc[:, :LAST_BEFORE], wide.loc[:, LAST_BEFORE + 1 :]
        half = before.shape[1] // 2
        changes = {
            "after": after.mean(axis=1) - before.mean(axis=1),
            "before": before.iloc[:, -half:].mean(axis=1) - before.iloc[:, :half].mean(axis=1),
        }
        for comparison, change in changes.items():
            rows[name, comparison] = difference_of_means(change, treated, draws=draws, seed=seed)
        for year in wide if name in CITY_OUTCOMES else ():
            from_before = wide[year] - before.drop(columns=year, errors="ignore").mean(axis=1)
            paths[name, year] = difference_of_means(from_before, treated, draws=1)
    table = pd.DataFrame(rows).T.rename_axis(["outcome", "comparison"])
    path = pd.DataFrame(paths).T.rename_axis(["outcome", "year"])[["estimate", "lower", "upper"]]
    return Zones(table.astype({"zones": int, "others": int}), path, members, LAST_BEFORE)

"""Which region leads in what by the latest year, and how many national clusters there are (领先领域与集群数量)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from types import MappingProxyType

import pandas as pd

from clusterlib.errors import UnknownNameError
from clusterlib.regions import REGIONS
from clusterlib.study._memory import remember
from clusterlib.study._panels import by_region_and_province

# What enterprises with e-commerce are set against; everything else is against GDP.
_BASES = {"enterprises_with_ecommerce": "enterprises_surveyed"}
READINGS = ("share", "quotient")
# Of each industry the region that the essay names, or would have to for its nearest figure.
LEADS: Mapping[str, str] = MappingProxyType(
    {
        "it_services_revenue": "bth",
        "information_security_revenue": "bth",
        "ecommerce_sales": "yrd",
        "enterprises_with_ecommerce": "yrd",
        "embedded_software_revenue": "gba",
    }
)


def _totals(industries: Iterable[str], years: str) -> dict[str, pd.DataFrame]:
    """Share of each region in the nation by reading: (region, year) by industry."""
    from clusterlib.data import load_region_totals

    names = list(industries)
    bases = {name: _BASES.get(name, "gdp") for name in names}
    totals = load_region_totals(list(dict.fromkeys([*names, *bases.values()])), years)
    parts = totals.div(totals.loc["nation"], level="year").loc[list(REGIONS)]
    quotients = pd.DataFrame({name: parts[name] / parts[base] for name, base in bases.items()})
    return {"share": parts[names], "quotient": quotients}


def latest_quotients(industries: Iterable[str], years: str) -> pd.DataFrame:
    """Return regions' shares of the nation and location quotients in the latest year (最近年份份额与区位熵).

    Each with the interval of the level behind it, from how far single years lie from its path; see
    :func:`clusterlib.inference.latest_level`.

    Parameters
    ----------
    industries : iterable of str
        Additive indicators of provinces. Quotients are relative to GDP, of enterprises with e-commerce to those
        surveyed.
    years : str
        First and last year, such as ``"2018:2024"``.

    Returns
    -------
    DataFrame
        By (region, industry): ``share`` in percent and ``quotient``, each with its ``change`` since the first year and
        its interval, ``share_lower``, ``share_upper``, ``lower`` and ``upper``.

    Examples
    --------
    >>> import clusterlib as cl
    >>> table = cl.study.latest_quotients(["software_revenue"], "2018:2024")
    >>> bool((table["lower"] < table["quotient"]).all())
    True
    """
    from clusterlib.inference import latest_level

    names, rows = list(industries), {}
    for reading, table in _totals(names, years).items():
        times, ends = (100, "share_") if reading == "share" else (1, "")
        for name, region in product(table, REGIONS):
            path = table[name].xs(region, level="region")
            found = latest_level(path)
            rows.setdefault((region, name), {}).update(
                {
                    reading: times * found.estimate,
                    f"{ends}lower": times * found.lower,
                    f"{ends}upper": times * found.upper,
                    f"{reading}_change": times * (path.iloc[-1] - path.iloc[0]),
                }
            )
    index = pd.MultiIndex.from_product([list(REGIONS), names], names=["region", "industry"])
    columns = ["quotient", "lower", "upper", "quotient_change", "share", "share_lower", "share_upper", "share_change"]
    return pd.DataFrame([rows[key] for key in index], index, columns)


def lead_paths(years: str) -> pd.DataFrame:
    """Return by year the share of the region that is said to lead over that of the best other (领先比值变化).

    Returns
    -------
    DataFrame
        Years by industries of :data:`LEADS`; above one where the region is first.

    Examples
    --------
    >>> import clusterlib as cl
    >>> paths = cl.study.lead_paths("2018:2024")
    >>> bool(paths["it_services_revenue"].is_monotonic_increasing)
    False
    """
    shares, paths = _totals(LEADS, years)["share"], {}
    for name, home in LEADS.items():
        wide = shares[name].unstack("region")
        paths[name] = wide[home] / wide.drop(columns=home).max(axis="columns")
    return pd.DataFrame(paths)


@remember
def annual_leads(years: str) -> pd.DataFrame:
    """Set each region that is said to lead against the best other in the latest year (年度指标的领先检验).

    The other is the best of the latest year, and the ratio to it is followed back over the years: its interval says
    how far a single year may lie from where the ratio stands.

    Parameters
    ----------
    years : str
        First and last year, such as ``"2018:2024"``.

    Returns
    -------
    DataFrame
        By (industry, reading), ``share`` and ``quotient``: ``home``, ``value`` (shares in percent), ``rival``,
        ``rival_value``, ``ratio`` with ``lower`` and ``upper``, ``detectable`` (the smallest ratio found four times in
        five), ``overstated``, ``lowest`` and ``highest`` as of :func:`clusterlib.agglomeration.lead_in_totals`, and
        ``outcome``: ``"leads"`` where the interval lies above one, ``"trails"`` below, ``"level"`` where it holds it.

    Examples
    --------
    >>> import clusterlib as cl
    >>> leads = cl.study.annual_leads("2018:2024")
    >>> leads.loc[("it_services_revenue", "share"), "outcome"]
    'level'
    """
    from clusterlib.agglomeration import lead_in_totals
    from clusterlib.data import load_panel
    from clusterlib.inference import latest_level

    tables = _totals(LEADS, years)
    needed = list(dict.fromkeys([*LEADS, "gdp", *_BASES.values()]))
    # What is not published for a province is nil: the published parts add up to the nation.
    latest = load_panel("province", needed, years=int(years.split(":")[-1])).fillna(0.0).droplevel("year")
    found = {}
    for name, home in LEADS.items():
        parts = by_region_and_province(latest[[name, _BASES.get(name, "gdp")]])
        found[name] = lead_in_totals(parts.iloc[:, 0], parts.iloc[:, 1], home, list(REGIONS)).assign(home=home)
    leads = pd.concat(found, names=["industry"])
    for (name, reading), row in leads.iterrows():
        wide = tables[reading][name].unstack("region")
        ratio = latest_level(wide[row["home"]] / wide[row["rival"]])
        leads.loc[(name, reading), ["lower", "upper", "detectable"]] = ratio.lower, ratio.upper, ratio.detectable
    leads["outcome"] = [
        "leads" if lower > 1 else "trails" if upper < 1 else "level"
        for lower, upper in zip(leads["lower"], leads["upper"], strict=True)
    ]
    columns = ["home", "value", "rival", "rival_value", "ratio", "lower", "upper", "detectable"]
    return leads[[*columns, "overstated", "lowest", "highest", "outcome"]]


def national_cluster_totals() -> pd.DataFrame:
    """Return how many national clusters stood at the end of each year, by programme, as published (国家级集群公布总数).

    A total that was published for a year stands until the next one is; where batches are published, they add up. No
    cluster is known to have lost its title.

    Returns
    -------
    DataFrame
        Years by programmes, nil before the first batch; of the years in which one of them was announced, and those
        between.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.national_cluster_totals().loc[2022].to_dict()
    {'national_advanced_manufacturing': 45, 'national_sme_characteristic': 100, 'strategic_emerging_industry': 66}
    """
    from clusterlib.data import load_cluster_counts, load_clusters

    counts = load_cluster_counts().query("scope == 'nation'").set_index(["programme", "part", "year"])["count"]
    found = {}
    for name in counts.index.unique("programme"):
        parts = counts[name]
        found[name] = parts["batch"].cumsum() if "batch" in parts.index.unique(0) else parts["total"]
    # Of the first two batches no total was published; the list of them is complete.
    award = "national_advanced_manufacturing"
    announced = load_clusters(award, "2021:2022")["year"].value_counts().sort_index().cumsum()
    totals = pd.DataFrame(found | {award: found[award].combine_first(announced)}).sort_index()
    years = range(totals.index[0], totals.index[-1] + 1)
    return totals.reindex(years).ffill().fillna(0).astype(int).rename_axis("year")


def clusters_reached(number: int, year: int) -> dict:
    """Return the bounds that a statement on the number of clusters is judged by, and what is missing if they hold it.

    Parameters
    ----------
    number : int
        As stated, in the course of the year.
    year : int

    Returns
    -------
    dict
        ``least`` and ``most``, and ``missing`` where the number lies between, for
        :meth:`clusterlib.results.Recorder.conclusion`.

    Examples
    --------
    >>> import clusterlib as cl
    >>> sorted(cl.study.clusters_reached(420, 2024)), sorted(cl.study.clusters_reached(400, 2024))
    (['least', 'missing', 'most'], ['least', 'most'])
    """
    least, most = bounds_of_clusters(year)
    return {"least": least, "most": most} | ({"missing": "between"} if least < number <= most else {})


def bounds_of_clusters(year: int) -> tuple[int, int]:
    """Bound the number of national clusters in the course of a year by what is published (国家级集群数量的界).

    At least what stood at the end of the year before, with the batches that are announced by the month in question, and
    at most what stood at its end. Of the programmes, that of small and medium-sized enterprises announces its batch in
    the middle of the year; when in it the others were enlarged is not known here.

    Returns
    -------
    tuple of int
        Least and most.

    Raises
    ------
    UnknownNameError
        For a year without totals.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.study.bounds_of_clusters(2024)
    (411, 446)
    """
    totals = national_cluster_totals()
    if year - 1 not in totals.index or year not in totals.index:
        raise UnknownNameError("year", year, list(totals.index[1:]))
    batch = "national_sme_characteristic"
    others = totals.drop(columns=batch).loc[year - 1].to_numpy().sum()
    return int(others + totals[batch].to_numpy()[totals.index.get_loc(year)]), int(totals.loc[year].to_numpy().sum())

"""Headline numbers of the report, made again from the raw tables with pandas, numpy and scipy alone.

Nothing here loads or estimates with the library: every rule of a measure (which cities, which years, what is held) is
written out once more, so that a slip in a loader, an estimator or a notebook shows as a difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse, stats

from clusterlib.paths import Project, get_project

pytestmark = pytest.mark.notebooks

RAW = get_project().raw
# Core regions by province, the parts of cities' codes, and what the regions leave out: Xiong'an and the former Chaohu.
PROVINCES = {"bth": [110000, 120000, 130000], "yrd": [310000, 320000, 330000, 340000], "gba": [440000]}
BAY = [440100, 440300, 440400, 440600, 440700, 441200, 441300, 441900, 442000]
NOT_IN_A_REGION = [133100, 341400]
MAINLAND = 659_999

Recorded = Callable[..., Any]


@pytest.fixture(scope="module")
def recorded(executed: Project) -> Recorded:
    """What a notebook recorded under a name: a number, or a table by its index."""

    @cache
    def records(notebook: str, region: str) -> dict[str, Any]:
        path = executed.reports / region / notebook / "results.json"
        return {record["name"]: record["value"] for record in json.loads(path.read_text("utf-8"))["records"]}

    def find(notebook: str, name: str, region: str = "yrd") -> Any:
        value = records(notebook, region)[name]
        if not isinstance(value, dict):
            return value
        frame = pd.DataFrame(value["data"], columns=[*value["index"], *value["columns"]])
        return frame.set_index(value["index"]) if value["index"] else frame

    return find


def same(found: Any, recorded: Any, rel: float = 1e-6) -> None:
    """Assert that the same computation, made twice, gives the same number."""
    assert np.asarray(found, float) == pytest.approx(np.asarray(recorded, float), rel=rel, abs=1e-9)


@cache
def _facts(level: str) -> pd.DataFrame:
    return pd.concat([pd.read_csv(path) for path in sorted((RAW / level).glob("*.csv"))])


def raw(level: str, *indicators: str) -> pd.DataFrame:
    """Return indicators by (adcode, year), a column each."""
    facts = _facts(level)
    facts = facts[facts["indicator"].isin(indicators)]
    key = [name for name in facts.columns if name in ("adcode", "economy", "year")]
    return facts.pivot(index=key, columns="indicator", values="value")[list(indicators)]


def in_year(level: str, year: int, *indicators: str) -> pd.DataFrame:
    return raw(level, *indicators).xs(year, level="year")


def region_of_cities(codes: pd.Index) -> np.ndarray:
    """Name the core region of each city, the rest otherwise."""
    province = codes // 10_000 * 10_000
    named = np.full(len(codes), "rest", dtype=object)
    for region in ("bth", "yrd"):
        named[province.isin(PROVINCES[region]) & ~codes.isin(NOT_IN_A_REGION)] = region
    named[codes.isin(BAY)] = "gba"
    return named


def region_of_provinces(codes: pd.Index) -> np.ndarray:
    named = np.full(len(codes), "rest", dtype=object)
    for region, members in PROVINCES.items():
        named[codes.isin(members)] = region
    return named


def shares(amounts: pd.Series, region: np.ndarray) -> pd.Series:
    """Percentages of the core regions, and of the three together."""
    parts = 100 * amounts.groupby(region).sum() / amounts.sum()
    parts = parts.reindex(list(PROVINCES), fill_value=0.0)
    return pd.concat([parts, pd.Series({"core": parts.sum()})])


def lowest_core(amounts: pd.Series, region: np.ndarray) -> float:
    """Return the least share of the three regions together without what one province has in them."""
    cells = amounts.groupby([region, amounts.index // 10_000]).sum()
    inside = cells.index.get_level_values(0) != "rest"
    rest, core = cells[~inside].sum(), cells[inside].sum()
    return min(100 * (core - own) / (core + rest - own) for own in cells[inside])


# --- where digital activity is (18) ---


@pytest.mark.parametrize(("indicator", "year"), [("software_revenue", 2024), ("electronics_revenue", 2023)])
def test_shares_of_regions_in_revenue_of_provinces(recorded: Recorded, indicator: str, year: int):
    known = in_year("province", year, indicator, "gdp", "resident_population")
    region = region_of_provinces(known.index)
    found = shares(known[indicator].fillna(0.0), region)
    row = recorded("18_leads", "concentration.table").loc[indicator]
    same(found, row[["bth", "yrd", "gba", "core"]])
    same(lowest_core(known[indicator].fillna(0.0), region), row["lowest"])
    # What the share is against that of GDP and of residents of the same provinces.
    for column, base in (("by_gdp", "gdp"), ("by_people", "resident_population")):
        same(found["core"] / shares(known[base], region)["core"], row[column])


@pytest.mark.parametrize(("indicator", "year"), [("unicorn_companies", 2022), ("night_lights_sum", 2020)])
def test_shares_of_regions_in_unicorns_and_night_lights_of_cities(recorded: Recorded, indicator: str, year: int):
    # Of the mainland: what Hong Kong has is not set against what has no Hong Kong in it.
    amounts = in_year("city", year, indicator)[indicator].dropna().loc[:MAINLAND]
    row = recorded("18_leads", "concentration.table").loc[indicator]
    same(shares(amounts, region_of_cities(amounts.index)), row[["bth", "yrd", "gba", "core"]])
    same(lowest_core(amounts, region_of_cities(amounts.index)), row["lowest"])


def test_share_of_regions_in_national_manufacturing_clusters(recorded: Recorded):
    listed = pd.read_csv(RAW / "clusters.csv", dtype={"adcodes": str})
    listed = listed[(listed["programme"] == "national_advanced_manufacturing") & listed["year"].between(2021, 2022)]
    assert len(listed) == 45
    # A cluster of several cities counts in the first that is named.
    counts = listed["adcodes"].str.split(";").str[0].astype(int).value_counts()
    row = recorded("18_leads", "concentration.table").loc["clusters"]
    same(shares(counts, region_of_cities(counts.index)), row[["bth", "yrd", "gba", "core"]])
    same(lowest_core(counts, region_of_cities(counts.index)), row["lowest"])


def digital_clusters() -> pd.DataFrame:
    """National clusters whose Chinese name has a word of digital fields and none of those in doubt."""
    words = pd.read_csv(get_project().study / "digital_fields.csv").groupby("digital")["words"].agg(";".join)
    listed = pd.read_csv(RAW / "clusters.csv", dtype={"adcodes": str})
    has = {kind: listed["name_zh"].str.contains(words[kind].replace(";", "|")) for kind in ("yes", "doubtful")}
    return listed[has["yes"] & ~has["doubtful"]]


def test_share_of_regions_in_national_digital_clusters(recorded: Recorded):
    listed = digital_clusters()
    listed = listed[(listed["programme"] == "national_advanced_manufacturing") & listed["year"].between(2021, 2022)]
    counts = listed["adcodes"].str.split(";").str[0].astype(int).value_counts()
    row = recorded("18_leads", "concentration.table").loc["digital_clusters"]
    same(shares(counts, region_of_cities(counts.index)), row[["bth", "yrd", "gba", "core"]])


LEADS = {
    "it_services_revenue": "gdp",
    "information_security_revenue": "gdp",
    "ecommerce_sales": "gdp",
    "embedded_software_revenue": "gdp",
    "enterprises_with_ecommerce": "enterprises_surveyed",
}


@pytest.mark.parametrize(("industry", "base"), LEADS.items())
def test_shares_and_quotients_of_the_region_said_to_lead_and_of_its_rival(recorded: Recorded, industry: str, base: str):
    known = in_year("province", 2024, industry, base)
    region = region_of_provinces(known.index)
    share = shares(known[industry].fillna(0.0), region).drop("core")
    quotient = share / shares(known[base], region).drop("core")
    for reading, values in (("share", share), ("quotient", quotient)):
        row = recorded("18_leads", "lead.annual").loc[(industry, reading)]
        others = values.drop(row["home"])
        assert others.idxmax() == row["rival"]
        same(values[row["home"]], row["value"])
        same(others.max(), row["rival_value"])
        same(values[row["home"]] / others.max(), row["ratio"])


def test_interval_of_the_lead_in_it_services_covers_what_noise_of_a_year_may_be(recorded: Recorded):
    known = raw("province", "it_services_revenue")["it_services_revenue"].unstack("year").loc[:, 2018:2024]
    totals = known.groupby(region_of_provinces(known.index)).sum()
    path = np.log(totals.loc["bth"] / totals.loc["yrd"]).to_numpy()

    def noise(paths: np.ndarray) -> np.ndarray:
        """Standard deviation of a year about a straight path, by second differences."""
        return np.sqrt((np.diff(paths, 2, axis=-1) ** 2).mean(axis=-1) / 6)

    drawn = np.random.default_rng(20261130).normal(size=(200_000, len(path)))
    reach = np.quantile(np.abs(drawn[:, -1]) / noise(drawn), 0.95) * noise(path)
    row = recorded("18_leads", "lead.annual").loc[("it_services_revenue", "share")]
    # Two sets of draws give the quantile to about half a percent.
    same([-reach, reach], np.log(row[["lower", "upper"]].astype(float)) - path[-1], rel=0.02)


def test_electronics_lead_of_the_bay_area(recorded: Recorded):
    known = in_year("province", 2023, "electronics_revenue", "value_added_industry")
    region = region_of_provinces(known.index)
    share = shares(known["electronics_revenue"].fillna(0.0), region).drop("core")
    quotient = share / shares(known["value_added_industry"], region).drop("core")
    for reading, values in (("share", share), ("quotient", quotient)):
        row = recorded("18_leads", "lead.table").loc[("electronics_revenue", reading)]
        same([values["gba"], values.drop("gba").max()], row[["value", "rival_value"]])
    # An overstatement by this part would put the second first.
    row = recorded("18_leads", "lead.table").loc[("electronics_revenue", "share")]
    same(1 - share.drop("gba").max() / share["gba"], row["overstated"])


def test_unicorns_of_artificial_intelligence_and_their_test_against_an_even_split(recorded: Recorded):
    name = "unicorn_companies_artificial_intelligence"
    amounts = in_year("city", 2022, name)[name].dropna().loc[:MAINLAND]
    counts = amounts.groupby(region_of_cities(amounts.index)).sum()[list(PROVINCES)].sort_values()
    row = recorded("18_leads", "ai.tests").loc[(name, "number")]
    same([counts.iloc[-1], counts.iloc[-2]], row[["value", "rival_value"]])
    assert counts.index[-1] == "bth"
    exact = stats.binomtest(int(counts.iloc[-1]), int(counts.iloc[-2:].sum()), 0.5).pvalue
    same(exact, row["p_value"])


def test_bounds_of_the_share_in_integrated_circuits(recorded: Recorded):
    known = in_year("province", 2021, "integrated_circuits_output")["integrated_circuits_output"].dropna()
    total = raw("economy", "integrated_circuits_output").loc[("CHN", 2021)].iloc[0]
    unknown = total - known.sum()
    own = known[known.index.isin(PROVINCES["yrd"])].sum()
    # Of the delta some province is not known, so that all of the unknown may be its.
    assert not set(PROVINCES["yrd"]) <= set(known.index)
    row = recorded("18_leads", "circuits.bounds").loc["yrd"]
    same([100 * own / total, 100 * (own + unknown) / total], row[["share_lower", "share_upper"]])


# --- indices (03, 13, 18) ---


def entropy_index(values: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Min-max over all rows, weights by one less the entropy of the rows' shares: scores and weights."""
    scaled = (values - values.min()) / (values.max() - values.min())
    part = scaled / scaled.sum()
    disorder = -(part * np.log(part.where(part > 0, 1.0))).sum() / np.log(len(part))
    weights = (1 - disorder) / (1 - disorder).sum()
    return scaled @ weights, weights


def test_gap_of_zhejiang_on_the_digital_index_of_provinces(recorded: Recorded):
    per_person = {
        "broadband_ports": 100, "broadband_subscribers": 100, "mobile_internet_users": 100,
        "mobile_internet_traffic": 1, "domain_names": 1000, "it_services_revenue": 1,
    }  # fmt: skip
    as_they_are = ["computers_per_100_employees", "websites_per_100_enterprises"]
    other = ["software_revenue", "ecommerce_sales", "gdp", "enterprises_with_ecommerce", "enterprises_surveyed"]
    facts = raw("province", *per_person, *as_they_are, *other, "resident_population").query("2016 <= year <= 2024")
    made = {name: times * facts[name] / facts["resident_population"] for name, times in per_person.items()}
    made |= {name: facts[name] for name in as_they_are}
    made["software"] = facts["software_revenue"] / facts["gdp"]
    made["sales"] = facts["ecommerce_sales"] / facts["gdp"]
    made["enterprises"] = facts["enterprises_with_ecommerce"] / facts["enterprises_surveyed"]
    score = entropy_index(pd.DataFrame(made).dropna())[0].unstack("year").dropna()
    policies = pd.read_csv(RAW / "policies.csv")
    pilots = policies.loc[policies["policy"] == "digital_economy_pilot_zone", "adcode"]
    against = {"nation": score.index, "delta": PROVINCES["yrd"], "pilots": pilots}
    for name, codes in against.items():
        gap = score.loc[330000] - score.loc[score.index.isin(codes)].drop(330000).mean()
        row = recorded("18_leads", "zhejiang.gaps").loc[name]
        same([gap[2016], gap[2024], gap[2024] - gap[2016]], row[["start", "end", "change"]])


@cache
def city_index() -> tuple[pd.Series, pd.Series]:
    facts = raw(
        "city", "broadband_subscribers", "mobile_subscribers", "gdp", "gdp_per_capita",
        "dfi_coverage_breadth", "dfi_usage_depth", "dfi_digitisation_level",
    ).query("2011 <= year <= 2021")  # fmt: skip
    # Residents are those that GDP and GDP per head imply.
    residents = facts["gdp"] / facts["gdp_per_capita"]
    for name in ("broadband_subscribers", "mobile_subscribers"):
        facts[name] = facts[name] / residents / 100
    known = facts.drop(columns=["gdp", "gdp_per_capita"]).dropna()
    # More than three lines for four residents is taken for a slip of the yearbook.
    return entropy_index(known[known["broadband_subscribers"] <= 75])


def test_weights_of_the_city_index_and_the_first_fifty_cities(recorded: Recorded):
    score, weights = city_index()
    table = recorded("13_cities", "index.weights")["digital"]
    for name in ("broadband_subscribers", "mobile_subscribers"):
        same(weights[name], table[f"{name}_per_100_implied_residents"])
    same(weights["dfi_usage_depth"], table["dfi_usage_depth"])
    latest = score.xs(2021, level="year")
    first = latest.nlargest(50)
    ones = pd.Series(1.0, first.index)
    row = recorded("18_leads", "concentration.table").loc["first_fifty"]
    same(shares(ones, region_of_cities(ones.index)), row[["bth", "yrd", "gba", "core"]])


def test_rank_correlations_of_the_city_index_given_income(recorded: Recorded):
    wanted = ["information_software_employment", "invention_patents_granted", "night_lights_sum"]
    facts = in_year("city", 2019, *wanted, "gdp", "gdp_per_capita")
    score = city_index()[0].xs(2019, level="year")
    for name in wanted:
        # Per resident, whom GDP and GDP per head imply.
        per_head = facts[name] * facts["gdp_per_capita"] / facts["gdp"]
        table = pd.DataFrame({"outside": per_head, "index": score, "income": facts["gdp_per_capita"]}).dropna()
        ranks = table.rank() - table.rank().mean()
        row = recorded("13_cities", "validity.table").loc[(name, "digital")]
        assert len(ranks) == row["n"]
        same(stats.spearmanr(table["outside"], table["index"]).statistic, row["spearman"])
        left = [
            ranks[column] - ranks["income"] * (ranks[column] @ ranks["income"]) / (ranks["income"] @ ranks["income"])
            for column in ("outside", "index")
        ]
        same(np.corrcoef(*left)[0, 1], row["given_income"])


# --- inequality of provinces (05) ---


def gini_between(x: np.ndarray, y: np.ndarray) -> float:
    return np.abs(x[:, None] - y).mean() / (x.mean() + y.mean())


@pytest.mark.parametrize("year", [2016, 2024])
def test_gini_of_gdp_per_head_and_its_part_between_regions(recorded: Recorded, year: int):
    values = in_year("province", year, "gdp_per_capita")["gdp_per_capita"]
    assert len(values) == 31
    total = gini_between(values.to_numpy(), values.to_numpy())
    groups = {name: part.to_numpy() for name, part in values.groupby(region_of_provinces(values.index))}
    people = {name: len(part) / len(values) for name, part in groups.items()}
    income = {name: part.sum() / values.sum() for name, part in groups.items()}
    within = sum(gini_between(part, part) * people[name] * income[name] for name, part in groups.items())
    between = 0.0
    for one, other in permutations(groups, 2):
        # Of two groups the richer one's lead over the poorer, less what overlaps, over both.
        gaps = groups[one][:, None] - groups[other]
        lead, overlap = gaps.clip(min=0).mean(), (-gaps).clip(min=0).mean()
        apart = abs(lead - overlap) / (lead + overlap)
        between += gini_between(groups[one], groups[other]) * apart * people[one] * income[other]
    row = recorded("05_inequality", "dagum.gdp_by_year").loc[year]
    same(
        [total, 100 * within / total, 100 * between / total],
        row[["total", "within_contribution", "between_contribution"]],
    )
    theil = sum(income[name] * np.log(income[name] / people[name]) for name in groups)
    share = 100 * theil / (values / values.mean() * np.log(values / values.mean())).mean()
    row = recorded("05_inequality", "theil.by_year").loc[year]
    same(share, row["gdp_between"])


# --- direct trains (16) ---


@cache
def shapes() -> Any:
    """Polygons of cities, which no raw table has, in the equal-area projection of the maps."""
    import geopandas as gpd

    albers = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m +no_defs"
    return gpd.read_parquet(get_project().processed / "boundaries_city.parquet").geometry.to_crs(albers)


@cache
def great_circle() -> pd.DataFrame:
    """Kilometres between centroids on a sphere, by the haversine formula."""
    centre = shapes().centroid.to_crs("EPSG:4326")
    lon, lat = np.radians(centre.x.to_numpy()), np.radians(centre.y.to_numpy())
    half = np.sin((lat[:, None] - lat) / 2) ** 2
    half += np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    return pd.DataFrame(2 * 6371.0088 * np.arcsin(np.sqrt(half)), centre.index, centre.index)


@cache
def train_pairs() -> pd.DataFrame:
    facts = pd.read_csv(RAW / "pair" / "trains.csv")
    pairs = facts.pivot(index=["adcode_from", "adcode_to"], columns="indicator", values="value").reset_index()
    start, end = pairs["adcode_from"], pairs["adcode_to"]
    place = great_circle().index
    kilometres = great_circle().to_numpy()[place.get_indexer(start), place.get_indexer(end)]
    pairs["apart"] = np.log(kilometres / 500)
    regions = [region_of_cities(pd.Index(codes)) for codes in (start, end)]
    pairs["province"] = (start // 10_000 == end // 10_000).astype(float)
    pairs["region"] = ((regions[0] == regions[1]) & (regions[0] != "rest")).astype(float)
    return pairs


def poisson(pairs: pd.DataFrame, y: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poisson regression with effects of origins and destinations by weighted least squares, iterated.

    Returns coefficients and standard errors; scores of two pairs go together where they share a city, with the factor
    n / (n - 1) of n cities.
    """
    flow = pairs[y].to_numpy()
    ends = [pd.get_dummies(pairs[name], dtype=float) for name in ("adcode_from", "adcode_to")]
    design = sparse.csr_matrix(np.hstack([x, ends[0], ends[1].iloc[:, 1:]]))
    eta = np.log(flow + flow.mean())
    params, done = np.zeros(design.shape[1]), False
    while not done:
        mean = np.exp(eta)
        hessian = (design.T @ design.multiply(mean[:, None])).toarray()
        new = np.linalg.solve(hessian, design.T @ (mean * eta + flow - mean))
        done, params = np.abs(new - params).max() < 1e-10, new
        eta = design @ params
    scores = sparse.csr_matrix(design.multiply((flow - np.exp(eta))[:, None]))
    # Of each city the scores of all pairs that it is in, on either side.
    cities = sorted({*ends[0].columns, *ends[1].columns})
    member = sum(sparse.csr_matrix(end.reindex(columns=cities, fill_value=0.0)) for end in ends)
    by_city = np.asarray((member.T @ scores).todense())
    bread = np.linalg.inv(hessian)
    n, k = len(cities), x.shape[1]
    return params[:k], np.sqrt(n / (n - 1) * np.diag(bread @ by_city.T @ by_city @ bread)[:k])


def test_trains_within_a_province_as_a_multiple_of_those_across(recorded: Recorded):
    pairs = train_pairs()
    assert len(pairs) == recorded("16_city_links", "trains.pairs")
    table = recorded("16_city_links", "border.variants")
    assert pairs["province"].sum() == table.loc["main", "within"]
    df = len({*pairs["adcode_from"], *pairs["adcode_to"]}) - 1
    reach = stats.t.isf(0.025, df)
    borders = [pairs["province"], pairs["region"]]
    # Distance, or in its place ride time, in logarithms.
    for variant, away in (("main", pairs["apart"]), ("ride_time", np.log(pairs["shortest_train_ride"]))):
        found, errors = poisson(pairs, "direct_trains", np.column_stack([away, away**2, *borders]))
        factors = np.exp(found[2] + np.array([0, -1, 1]) * reach * errors[2])
        same(factors, table.loc[variant, ["estimate", "lower", "upper"]])
        same(np.exp(smallest_detectable(errors[2], df)), table.loc[variant, "detectable"])
        if variant == "main":
            same(found, recorded("16_city_links", "gravity.coefficients")["estimate"], rel=1e-5)
            same(factors[0], recorded("16_city_links", "border.trains"))


def test_trains_between_cities_where_digital_industry_is_gathered(recorded: Recorded):
    programmes = ["national_advanced_manufacturing", "strategic_emerging_industry", "innovative_cluster_pilot"]
    listed = digital_clusters()
    listed = listed[listed["programme"].isin(programmes)]
    firms = in_year("city", 2022, "unicorn_companies")["unicorn_companies"]
    work = raw("city", "information_software_employment", "employment").query("2018 <= year <= 2019").dropna()
    part, nation = work.iloc[:, 0] / work.iloc[:, 1], work.groupby("year").sum()
    quotient = (part / (nation.iloc[:, 0] / nation.iloc[:, 1])).groupby("adcode").mean()
    # A national cluster, a unicorn, or more than the nation's share of work in information services.
    gathered = {*listed["adcodes"].str.split(";").explode().astype(int)}
    gathered |= {*firms.index[firms > 0], *quotient.index[quotient > 1]}
    pairs = train_pairs()
    ends = [pairs["adcode_from"], pairs["adcode_to"]]
    cities = sorted({*ends[0], *ends[1]})
    size = np.log(in_year("city", 2019, "gdp")["gdp"].reindex(cities))
    size -= size.mean()
    # A seat of a province has its first code, a municipality that of the province.
    seats = [(end % 10_000).isin([0, 100]) for end in ends]
    both = ends[0].isin(gathered) & ends[1].isin(gathered)
    table = recorded("19_architecture", "links.variants")
    assert both.sum() == table.loc["gathered", "pairs"]
    sizes = size.loc[ends[0]].to_numpy() * size.loc[ends[1]].to_numpy()
    columns = [
        pairs["apart"],
        pairs["apart"] ** 2,
        pairs["province"],
        pairs["region"],
        seats[0] & seats[1],
        sizes,
        both,
    ]
    found, errors = poisson(pairs, "direct_trains", np.column_stack(columns).astype(float))
    reach = stats.t.isf(0.025, len(cities) - 1) * errors[-1]
    same(np.exp(found[-1] + np.array([0, -reach, reach])), table.loc["gathered", ["estimate", "lower", "upper"]])


# --- pilots (15) ---


def logarithm(values: pd.Series) -> pd.Series:
    return np.log(values.where(values > 0))


def smallest_detectable(error: float, df: float) -> float:
    """Return the effect that a two-sided t test of five percent finds four times in five, by a noncentral t."""
    bound = stats.t.isf(0.025, df)

    def power(at: float) -> float:
        return float(stats.nct.sf(bound, df, at) + stats.nct.cdf(-bound, df, at))

    return error * float(optimize.brentq(lambda at: power(at) - 0.8, 1, 6, xtol=1e-12))


def redrawn(first: int, last: int) -> set[int]:
    """Cities that gave or took area after the first year and up to the last."""
    changes = pd.read_csv(RAW / "boundary_changes.csv")
    changes = changes[(changes["kind"] != "renamed") & (changes["year"] > first) & (changes["year"] <= last)]
    return {*changes["adcode_from"], *changes["adcode_to"]}


def pilot_sample(
    lists: list[str], outcome: pd.Series, first: int, last: int, flow: bool
) -> tuple[pd.DataFrame, pd.Series]:
    """Outcomes of cities by year, complete, and the first year of the pilots among them."""
    policies = pd.read_csv(RAW / "policies.csv", dtype={"announced": str})
    policies = policies[policies["policy"].isin(lists)]
    # Of a flow, what a pilot of the second half of a year does shows in the next.
    late = pd.to_numeric(policies["announced"].str[5:7], errors="coerce") > 6
    policies = policies.assign(start=policies["year_effective"] + (late & flow))
    whole = policies[policies["level"] != "county"].groupby("adcode")[["year_effective", "start"]].min()
    wide = outcome.unstack("year").loc[:, first:last].dropna(axis=1, how="all").dropna()
    wide = wide[~wide.index.isin(redrawn(first, last))]
    # Pilots of the first year have no year before, those after the last no year of treatment, small cohorts no spread.
    usable = (whole["year_effective"] > first) & (whole["start"] <= last)
    counts = whole.loc[usable, "start"].reindex(wide.index).value_counts()
    usable &= whole["start"].isin(counts.index[counts >= 4])
    counties = policies.loc[policies["level"] == "county", "adcode"]
    partly = {*(counties // 100 * 100), *(counties // 10_000 * 10_000)} - {*whole.index}
    wide = wide[~wide.index.isin(partly) & ~wide.index.isin(whole.index[~usable])]
    return wide, whole.loc[usable, "start"].reindex(wide.index)


def against_never_pilots(wide: pd.DataFrame, dates: pd.Series) -> tuple[float, float]:
    """Return the mean effect on the pilots from their first year on, and its error by province.

    Each cohort's change since the year before it began, less that of cities that never were pilots; means over cohorts
    and years by the number of pilots; the error by the influence of each city, summed by province.
    """
    never, cells = dates.isna().to_numpy(), []
    influence = pd.Series(0.0, wide.index)
    total = sum((dates == start).sum() * (wide.columns >= start).sum() for start in dates.dropna().unique())
    for start in sorted(dates.dropna().unique()):
        own = (dates == start).to_numpy()
        base = wide.columns[wide.columns < start][-1]
        for year in wide.columns[wide.columns >= start]:
            change = wide[year] - wide[base]
            effect = change[own].mean() - change[never].mean()
            cells.append((own, effect))
            influence[own] += (change[own] - change[own].mean()) / total
            influence[never] -= own.sum() / total * (change[never] - change[never].mean()) / never.sum()
    estimate = sum(own.sum() * effect for own, effect in cells) / total
    for own, effect in cells:
        influence[own] += (effect - estimate) / total
    by_province = influence.groupby(influence.index // 10_000).sum()
    n = len(by_province)
    return estimate, float(np.sqrt(n / (n - 1) * (by_province**2).sum()))


def test_first_stage_of_broadband_china(recorded: Recorded):
    outcome = logarithm(raw("city", "broadband_subscribers")["broadband_subscribers"])
    wide, dates = pilot_sample(["broadband_china"], outcome, 2011, 2019, flow=False)
    row = recorded("15_city_policies", "stage.table").loc["subscribers"]
    assert (len(wide), dates.notna().sum()) == (row["cities"], row["pilots"])
    estimate, error = against_never_pilots(wide, dates)
    same(estimate, row["estimate"])
    same(error, row["std_error"])
    provinces = len(set(wide.index // 10_000))
    reach = stats.t.isf(0.025, provinces - 1) * error
    same([estimate - reach, estimate + reach], row[["lower", "upper"]])
    same(smallest_detectable(error, provinces - 1), row["minimum_detectable"])
    growth = (wide[2019] - wide[2011])[dates.isna()].mean()
    same(growth, recorded("15_city_policies", "stage.growth"))


def test_coverage_of_digital_finance_after_broadband_china(recorded: Recorded):
    outcome = raw("city", "dfi_coverage_breadth")["dfi_coverage_breadth"]
    wide, dates = pilot_sample(["broadband_china"], outcome, 2011, 2019, flow=False)
    found = against_never_pilots(wide, dates)
    same(found, recorded("15_city_policies", "stage.table").loc["coverage", ["estimate", "std_error"]])


def test_exports_after_zones_of_cross_border_commerce(recorded: Recorded):
    outcome = logarithm(raw("city", "exports")["exports"])
    wide, dates = pilot_sample(["cbec_pilot_zone"], outcome, 2018, 2023, flow=True)
    estimate, error = against_never_pilots(wide, dates)
    same(estimate, recorded("15_city_policies", "zones.exports"))
    smallest = smallest_detectable(error, len(set(wide.index // 10_000)) - 1)
    same(smallest, recorded("15_city_policies", "zones.smallest.exports"))
    row = recorded("10_remedies", "exports.table").loc["whole"]
    same([estimate, smallest], row[["estimate", "minimum_detectable"]])


def test_patents_after_zones_of_artificial_intelligence(recorded: Recorded):
    lists = ["ai_innovation_application_pilot_zone", "new_generation_ai_pilot_zone"]
    outcome = logarithm(raw("city", "invention_patents_granted")["invention_patents_granted"])
    wide, dates = pilot_sample(lists, outcome, 2018, 2023, flow=True)
    # Of cities at least as large as the smallest pilot.
    size = in_year("city", 2018, "gdp")["gdp"].reindex(wide.index)
    large = size >= size[dates.notna()].min()
    estimate, error = against_never_pilots(wide[large], dates[large])
    same(estimate, recorded("15_city_policies", "zones.patents"))
    smallest = smallest_detectable(error, len(set(wide.index[large] // 10_000)) - 1)
    same(smallest, recorded("15_city_policies", "zones.smallest.patents"))


# --- slopes of cities and provinces (09, 10, 14, 17, 19) ---


def residuals(columns: pd.DataFrame, *effects: Any) -> np.ndarray:
    """Return what dummies of each effect leave of the columns."""
    dummies = np.hstack([pd.get_dummies(pd.Series(np.asarray(effect)), dtype=float).to_numpy() for effect in effects])
    values = columns.to_numpy()
    return values - dummies @ np.linalg.lstsq(dummies, values, rcond=None)[0]


def slope(columns: pd.DataFrame, *effects: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the slope of the first column on the second, the others held, what is left of the second, residuals."""
    left = residuals(columns, *effects)
    y, x, held = left[:, 0], left[:, 1], left[:, 2:]
    if held.size:
        y, x = (v - held @ np.linalg.lstsq(held, v, rcond=None)[0] for v in (y, x))
    found = float(x @ y / (x @ x))
    return found, x, y - found * x


def error_by_province(rows: pd.DataFrame, x: np.ndarray, residual: np.ndarray, counted: int) -> tuple[float, int]:
    """Return the clustered error with the factor G / (G - 1) (n - 1) / (n - K), and G - 1 degrees of freedom."""
    scores = pd.Series(x * residual).groupby(places(rows)[0] // 10_000).sum()
    groups, n = len(scores), len(rows)
    factor = groups / (groups - 1) * (n - 1) / (n - counted)
    return float(np.sqrt(factor * (scores**2).sum()) / (x @ x)), groups - 1


def places(rows: pd.DataFrame) -> tuple[pd.Index, pd.Index, pd.Index]:
    """City, year, and province and year of each row."""
    city, year = rows.index.get_level_values("adcode"), rows.index.get_level_values("year")
    return city, year, city // 10_000 * 10_000 + year


def city_rows(first: int, last: int, **variables: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(variables).query("@first <= year <= @last").dropna()


@cache
def city_logs() -> pd.DataFrame:
    names = ["gdp", "night_lights_sum", "broadband_subscribers", "registered_population", "exports", "imports"]
    return raw("city", *names).apply(logarithm)


@pytest.mark.parametrize(("outcome", "column"), [("log_gdp", "gdp"), ("log_night_lights", "night_lights_sum")])
def test_output_that_goes_with_broadband_registered_population_held(recorded: Recorded, outcome: str, column: str):
    logs = city_logs()
    rows = city_rows(2011, 2021, y=logs[column], x=logs["broadband_subscribers"], held=logs["registered_population"])
    city, year, cell = places(rows)
    table = recorded("14_city_output", "models.table").sort_index().loc[(outcome, "registered_held")]
    assert len(rows) == table.loc["year", "rows"]
    found, left, residual = slope(rows, city, year)
    same(found, table.loc["year", "estimate"])
    error, df = error_by_province(rows, left, residual, 2 + rows.index.unique("year").size)
    reach = stats.t.isf(0.025, df) * error
    same([found - reach, found + reach], table.loc["year", ["lower", "upper"]])
    same(slope(rows, city, cell)[0], table.loc["province_year", "estimate"])


def test_elasticity_of_depth_to_coverage_of_digital_finance(recorded: Recorded):
    logs = np.log(raw("city", "dfi_usage_depth", "dfi_coverage_breadth").query("year >= 2014").dropna())
    table = recorded("09_data_dormancy", "pace.elasticity")
    found = {}
    for half, years in {"first": range(2014, 2019), "second": range(2019, 2024)}.items():
        rows = logs[logs.index.get_level_values("year").isin(years)]
        found[half] = slope(rows, *places(rows)[:2])[0]
        same(found[half], table.loc[half, "estimate"])
    same(found["second"] - found["first"], table.loc["difference", "estimate"])


def test_depth_of_use_beyond_what_coverage_goes_with_elsewhere(recorded: Recorded):
    facts = raw("city", "dfi_usage_depth", "dfi_coverage_breadth").query("2021 <= year <= 2023").dropna()
    means = facts.groupby("adcode").mean()[facts.groupby("adcode").size() == 3]
    depth, coverage = means["dfi_usage_depth"], means["dfi_coverage_breadth"]
    region, province = region_of_cities(means.index), means.index // 10_000
    for name in PROVINCES:
        own = region == name
        # A curve of the provinces that the region has no part in.
        elsewhere = ~province.isin(province[own])
        curve = np.polynomial.Polynomial.fit(coverage[elsewhere], depth[elsewhere], 2)
        gap = (depth - curve(coverage))[own].mean()
        row = recorded("09_data_dormancy", "depth.regions").loc[name]
        assert own.sum() == row["units"]
        same(gap, row["estimate"])


def test_depth_less_coverage_after_zones_of_big_data(recorded: Recorded):
    facts = raw("city", "dfi_usage_depth", "dfi_coverage_breadth", "gdp").query("2011 <= year <= 2023")
    use = (facts["dfi_usage_depth"] - facts["dfi_coverage_breadth"]).unstack("year").dropna()
    policies = pd.read_csv(RAW / "policies.csv")
    listed = policies.loc[policies["policy"] == "big_data_pilot_zone", "adcode"]
    # A zone, not a city, was chosen: cities are averaged by province, those beside a zone in its province left out.
    known = raw("city", "gdp").index.unique("adcode")
    inside = known[known.isin(listed) | (known // 10_000 * 10_000).isin(listed)]
    beside = known.difference(inside)[(known.difference(inside) // 10_000).isin(inside // 10_000)]
    use = use[~use.index.isin(beside)]
    units = use.groupby(use.index // 10_000).mean()
    change = units.loc[:, 2017:].mean(axis=1) - units.loc[:, :2016].mean(axis=1)
    zone = change.index.isin(inside // 10_000)
    row = recorded("10_remedies", "zones.table").loc[("use_given_coverage", "after")]
    assert (zone.sum(), (~zone).sum()) == (row["zones"], row["others"])
    welch = stats.ttest_ind(change[zone], change[~zone], equal_var=False)
    interval = welch.confidence_interval(0.95)
    same(change[zone].mean() - change[~zone].mean(), row["estimate"])
    same([interval.low, interval.high, welch.pvalue], row[["lower", "upper", "p_value"]])


@pytest.mark.parametrize("given", ["nothing", "income"])
def test_platform_use_that_goes_with_a_doubling_of_the_quotient_of_software(recorded: Recorded, given: str):
    use = ["websites_per_100_enterprises", "enterprises_with_ecommerce", "enterprises_surveyed"]
    known = raw("province", *use, "software_revenue", "gdp", "gdp_per_capita").dropna()
    share = known[["software_revenue", "gdp"]] / known[["software_revenue", "gdp"]].groupby("year").transform("sum")
    part = known["enterprises_with_ecommerce"] / known["enterprises_surveyed"]
    both = [known["websites_per_100_enterprises"], part]
    scores = [(v - v.groupby("year").transform("mean")) / v.groupby("year").transform("std") for v in both]
    rows = pd.DataFrame({"y": (scores[0] + scores[1]) / 2, "x": np.log(share["software_revenue"] / share["gdp"])})
    if given == "income":
        rows["held"] = np.log(known["gdp_per_capita"])
    found = np.log(2) * slope(rows, places(rows)[1])[0]
    same(found, recorded("19_architecture", "platforms.slopes").loc[(given, "platforms"), "estimate"])


REMEDIES = {
    "data_management": (2011, 2023, "dfi_usage_depth", "dfi_coverage_breadth"),
    "co_creation": (2011, 2019, "broadband_subscribers", "registered_population"),
    "data_platform": (2018, 2023, "trade", None),
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_output_that_goes_with_one_step_of_a_remedy_in_the_nation(recorded: Recorded, remedy: str):
    first, last, treatment, held = REMEDIES[remedy]
    logs = city_logs()
    index = raw("city", "dfi_usage_depth", "dfi_coverage_breadth")
    columns: Any = {**logs, **index, "trade": np.log(np.exp(logs["exports"]) + np.exp(logs["imports"]))}
    wanted = {"y": columns["gdp"], "x": columns[treatment]} | ({"held": columns[held]} if held else {})
    rows = city_rows(first, last, **wanted)
    city, _, cell = places(rows)
    found, left, residual = slope(rows, city, cell)
    # A step is a standard deviation of what the model leaves, where it leaves anything.
    step = left[np.abs(left) > 1e-9].std()
    row = recorded("10_remedies", "slopes.table").loc[(remedy, "nation")]
    assert rows.index.unique("adcode").size == row["units"]
    same(100 * step * found, row["estimate"])
    error, df = few_clusters(residual, left, city // 10_000)
    reach = stats.t.isf(0.025, df) * error
    same([100 * step * (found - reach), 100 * step * (found + reach)], row[["lower", "upper"]], rel=1e-5)


def few_clusters(residual: np.ndarray, x: np.ndarray, cluster: pd.Index) -> tuple[float, float]:
    """Errors of Bell and McCaffrey and degrees of freedom of Imbens and Kolesár, by their matrices."""
    total, adjusted, variance = x @ x, [], 0.0
    for name in cluster.unique():
        own = np.asarray(cluster == name)
        part = x[own]
        if part @ part < 1e-12 * total:
            continue
        values, vectors = np.linalg.eigh(np.eye(len(part)) - np.outer(part, part) / total)
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        variance += (part @ root @ residual[own]) ** 2 / total**2
        column = np.zeros(len(x))
        column[own] = root @ part
        adjusted.append(column - x * (x @ column) / total)
    spread = np.array(adjusted) @ np.array(adjusted).T
    return float(np.sqrt(variance)), float(np.trace(spread) ** 2 / (spread**2).sum())


# --- spillovers of growth across borders of provinces (20) ---


@cache
def neighbours() -> pd.DataFrame:
    """Ones where cities share a border or a corner; an island and the city that is nearest to it are neighbours."""
    places = shapes()
    one, other = places.sindex.query(places, predicate="intersects")
    matrix = np.zeros((len(places), len(places)))
    matrix[one[one != other], other[one != other]] = 1
    for island in np.flatnonzero(matrix.sum(axis=1) == 0):
        away = places.distance(places.iloc[island]).to_numpy(copy=True)
        away[island] = np.inf
        matrix[island, away.argmin()] = matrix[away.argmin(), island] = 1
    return pd.DataFrame(matrix, places.index, places.index)


@cache
def growth_of_cities() -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Growth from 2014 to 2018 and the level before, of the same cities, by outcome."""
    found, known = {}, []
    for outcome, indicator in {"gdp": "gdp", "lights": "night_lights_sum"}.items():
        level = 100 * logarithm(raw("city", indicator)[indicator].unstack("year"))
        level = level[level.index.isin(neighbours().index)]
        growth = level.diff(axis=1).loc[:, 2014:2018]
        # A change five robust deviations from the median of the province in the year is that of a border or a revision.
        apart = (growth - growth.groupby(growth.index // 10_000).transform("median")).abs().to_numpy()
        growth = growth.where(apart <= 5 * 1.4826 * np.nanmedian(apart[apart > 0]))
        found[outcome] = growth, level.shift(axis=1).loc[:, 2014:2018]
        known.append(growth)
    kept = pd.concat(known, axis=1).dropna().index
    kept = kept[~kept.isin(redrawn(2013, 2018))]
    return {outcome: (growth.loc[kept], before.loc[kept]) for outcome, (growth, before) in found.items()}


def unbiased_scores(growth: pd.DataFrame, before: pd.DataFrame) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Scores by both rhos and the share of shocks of a province and year, means of cities taken out by Helmert.

    With y* the T - 1 orthonormal contrasts of years, S = I - r1 W1 - r2 W2, Omega = I + q D D' of provinces, and Z of a
    constant for each contrast and the level before: P = Omega^-1 - Omega^-1 Z (Z' Omega^-1 Z)^-1 Z' Omega^-1, and the
    scores by r are m u'P W y / u'P u - (T - 1) tr(W S^-1) + tr((Z' Omega^-1 Z)^-1 Z' Omega^-1 W S^-1 Z), the last what
    Z takes from their mean; that by q is the derivative of the restricted likelihood.
    """
    cities, periods = growth.shape
    contrasts = np.linalg.qr(np.column_stack([np.ones(periods), np.eye(periods)[:, 1:]]))[0][:, 1:]
    y, x = (values.to_numpy() @ contrasts for values in (growth, before))
    province = (growth.index // 10_000).to_numpy()
    together = (province[:, None] == province).astype(float)
    weights = neighbours().loc[growth.index, growth.index].to_numpy()
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)
    sides = [weights * together, weights * (1 - together)]
    t = periods - 1
    m = cities * t - t - 1
    # Columns of Z, cities by contrasts.
    columns = np.zeros((t + 1, cities, t))
    columns[np.arange(t), :, np.arange(t)] = 1
    columns[t] = x

    def scores(at: np.ndarray, shocks: bool) -> np.ndarray:
        share = at[2] if shocks else 0.0
        omega = np.eye(cities) + share / (1 - share) * together
        precise = np.linalg.inv(omega)
        system = np.eye(cities) - at[0] * sides[0] - at[1] * sides[1]
        inner = np.einsum("ait,ij,bjt->ab", columns, precise, columns, optimize=True)

        def cleared(values: np.ndarray) -> np.ndarray:
            """P times the values."""
            moved = precise @ values
            return moved - precise @ np.einsum(
                "ait,a->it", columns, np.linalg.solve(inner, np.einsum("ait,it->a", columns, moved))
            )

        left = cleared(system @ y)
        squares = (left * (system @ y)).sum()
        found = []
        for side in sides:
            reached = side @ np.linalg.inv(system)
            lost = np.einsum("ait,ij,bjt->ab", columns, precise @ reached, columns, optimize=True)
            lag = m * (left * (side @ y)).sum() / squares
            found.append(lag - t * np.trace(reached) + np.trace(np.linalg.solve(inner, lost)))
        # d/dq of -(T - 1) log|Omega| - log|Z' Omega^-1 Z| - m log u'Pu, halved.
        pulled = np.einsum("ait,ij,bjt->ab", columns, precise @ together @ precise, columns, optimize=True)
        by_share = m * (left * (together @ left)).sum() / squares
        by_share += np.trace(np.linalg.solve(inner, pulled)) - t * np.trace(precise @ together)
        return np.array([*found, by_share]) if shocks else np.array(found)

    return scores


def shared_shocks(scores: Callable[[np.ndarray, bool], np.ndarray], df: float) -> tuple[list[float], float]:
    """Return the difference of both rhos with its interval, where the scores are nil, and the share of shocks."""
    # From a small share on: near one there is another root.
    found = optimize.root(lambda at: scores(at, True), [0.3, 0.2, 0.1], tol=1e-10)
    assert found.success
    assert 0 < found.x[2] < 1
    scale = np.array([1, 1, 0.5 / (1 - found.x[2]) ** 2])
    steps = 1e-4 * np.eye(3)
    slopes = [scale * (scores(found.x + step, True) - scores(found.x - step, True)) / 2e-4 for step in steps]
    covariance = np.linalg.inv(-np.column_stack(slopes))
    contrast = np.array([1, -1, 0])
    gap, error = contrast @ found.x, np.sqrt(contrast @ covariance @ contrast)
    reach = stats.t.isf(0.025, df) * error
    return [gap, gap - reach, gap + reach], found.x[2]


@pytest.mark.parametrize("outcome", ["gdp", "lights"])
def test_border_in_the_growth_of_neighbours_with_shared_shocks_and_without(recorded: Recorded, outcome: str):
    growth, before = growth_of_cities()[outcome]
    scores = unbiased_scores(growth, before)
    plain = optimize.root(lambda at: scores(at, False), [0.3, 0.1])
    assert plain.success
    # As many degrees of freedom as provinces and years have shocks of their own.
    found, share = shared_shocks(scores, (len(set(growth.index // 10_000)) - 1) * (growth.shape[1] - 1))
    row = recorded("20_governance", "revision.nation").loc[("after", outcome)]
    same(plain.x[0] - plain.x[1], row["plain_difference"], rel=1e-5)
    same(share, row["shock_share"], rel=1e-5)
    row = recorded("20_governance", "border.table.nation").loc[("after", outcome)]
    assert len(growth) == row["units"]
    same(found, row[["difference", "lower", "upper"]], rel=1e-4)


@pytest.mark.parametrize("region", PROVINCES)
def test_border_in_the_growth_of_gdp_around_one_region(recorded: Recorded, region: str):
    growth, before = growth_of_cities()["gdp"]
    # The cities of its provinces, and those beside them.
    core = (growth.index // 10_000 * 10_000).isin(PROVINCES[region])
    beside = neighbours().loc[growth.index, growth.index].to_numpy()[:, core].any(axis=1)
    growth, before = growth[core | beside], before[core | beside]
    df = (len(set(growth.index // 10_000)) - 1) * (growth.shape[1] - 1)
    row = recorded("20_governance", "border.table.region", region).loc[("after", "gdp")]
    assert len(growth) == row["units"]
    found, _ = shared_shocks(unbiased_scores(growth, before), df)
    same(found, row[["difference", "lower", "upper"]], rel=1e-4)


# --- neighbours of lead firms (19) ---

GROWTH = {
    "night_lights_sum": (2013, 2019),
    "gdp": (2013, 2018),
    "broadband_subscribers": (2013, 2019),
    "invention_patents_granted": (2018, 2023),
}


def test_growth_of_cities_beside_those_with_lead_firms(recorded: Recorded):
    size = in_year("city", 2013, "gdp")["gdp"]
    large = size[size.index.isin(shapes().index) & (size.index <= MAINLAND)].nlargest(60)
    firms = in_year("city", 2022, "unicorn_companies")["unicorn_companies"]
    holders = firms.index[firms > 0]
    # The list of firms writes Suzhou of Jiangsu and Suzhou of Anhui alike.
    unknown = [320500, 341300]
    near = neighbours().loc[:, large.index].stack()
    near = near[near > 0].index.set_names(["city", "hub"]).to_frame(index=False)
    away = near["city"].isin([*holders, *unknown, *redrawn(2013, 2019)])
    near = near[~away & (near["city"] <= MAINLAND)]
    near["size"] = large.loc[near["hub"]].to_numpy()
    near["lead"], near["unknown"] = near["hub"].isin(holders), near["hub"].isin(unknown)
    beside = near.groupby("city")[["lead", "unknown"]].any()
    beside["hub"] = near.loc[near.groupby("city")["size"].idxmax()].set_index("city")["hub"]
    beside = beside[beside["lead"] | ~beside["unknown"]]
    wage = logarithm(in_year("city", 2013, "average_wage")["average_wage"])
    kilometres = great_circle().loc[beside.index, near["hub"].unique()]
    held = pd.DataFrame(
        {
            "income": wage.reindex(beside.index),
            "hub_size": np.log(large.reindex(beside["hub"])).to_numpy(),
            "hub_income": wage.reindex(beside["hub"]).to_numpy(),
            "away": np.log(kilometres.where(kilometres > 0).min(axis=1)),
        },
        beside.index,
    )
    found, pulls, df = [], [], []
    for indicator, (first, last) in GROWTH.items():
        logs = logarithm(raw("city", indicator)[indicator]).unstack("year").reindex(beside.index)
        rows = held.assign(y=logs[last] - logs[first], initial=logs[first], lead=1.0 * beside["lead"]).dropna()
        province = pd.Series(rows.index // 10_000, rows.index)
        rows = rows[province.groupby(province).transform("size") > 1]
        dummies = pd.get_dummies(rows.index // 10_000, dtype=float).set_axis(rows.index)
        apart = rows["y"] - dummies @ (dummies.T @ rows["y"] / dummies.sum())
        y = rows["y"] / np.sqrt((apart**2).sum() / (len(rows) - dummies.shape[1]))
        design = np.column_stack([rows["lead"], rows[["initial", *held]], dummies])
        inverse = np.linalg.inv(design.T @ design)
        params = inverse @ design.T @ y
        leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
        # Where a city alone tells a coefficient it has no residual.
        free = np.where(leverage < 1 - 1e-9, 1 - leverage, np.inf)
        found.append(params[0])
        pulls.append(pd.Series((design @ inverse)[:, 0] * (y - design @ params) / free, rows.index))
        df.append(len(rows) - design.shape[1])
    # Means over outcomes, what a city shares among them allowed for.
    error = np.sqrt((pd.concat(pulls).groupby(level=0).sum() ** 2).sum()) / len(found)
    estimate, reach = np.mean(found), stats.t.isf(0.025, min(df)) * error
    row = recorded("19_architecture", "leads.variants").loc["main"]
    same([estimate, estimate - reach, estimate + reach], row[["estimate", "lower", "upper"]], rel=1e-5)
    same(smallest_detectable(error, min(df)), row["detectable"], rel=1e-5)


# --- export controls (17) ---


@cache
def entity_list() -> pd.DataFrame:
    """Entries of the Entity List up to each year, by city."""
    yearly = raw("city", "us_entity_list_entries")["us_entity_list_entries"].unstack("year")
    return yearly.cumsum(axis=1).round(4)


def test_share_of_the_core_regions_in_the_entity_list(recorded: Recorded):
    total = entity_list()[2023]
    region = region_of_cities(total.index)
    # Hong Kong and Macao are part of the Bay Area.
    region[total.index.isin([810000, 820000])] = "gba"
    found = shares(total, region)
    same(found["core"], recorded("17_export_controls", "exposure.core"))
    same(found.drop("core"), recorded("17_export_controls", "exposure.groups")["share"].drop("rest"))
    same(100 * total.nlargest(5).sum() / total.sum(), recorded("17_export_controls", "exposure.first_five"))


@pytest.mark.parametrize(
    ("outcome", "indicator"),
    [("exports", "exports"), ("imports", "imports"), ("patents", "invention_patents_granted")],
)
def test_change_that_goes_with_a_log_unit_of_entries(recorded: Recorded, outcome: str, indicator: str):
    facts = raw("city", "exports", "imports", "invention_patents_granted", "gdp")
    size = logarithm(facts["gdp"])
    trade = np.log((facts["exports"] + facts["imports"]) / facts["gdp"])
    rows = pd.DataFrame({"y": logarithm(facts[indicator])}).query("2018 <= year <= 2023")
    city, year, _ = places(rows)
    rows["x"] = np.log1p(entity_list().stack().reindex(rows.index))
    # Cities of unlike size and trade may move apart by year, whatever is listed; of 2019 where 2018 has none.
    for name, values in {"size": size, "trade": trade}.items():
        wide = values.unstack("year")
        start = wide[2018].fillna(wide[2019]).reindex(city).to_numpy()
        for t in range(2019, 2024):
            rows[f"{name}_{t}"] = np.where(year == t, start, 0.0 * start)
    rows = rows.replace([np.inf, -np.inf], np.nan).dropna()
    rows = rows[rows.groupby("adcode")["y"].transform("size") > 1]
    row = recorded("17_export_controls", "effects.table").loc[outcome]
    assert rows.index.unique("adcode").size == row["cities"]
    found, left, residual = slope(rows, *places(rows)[:2])
    same(found, row["estimate"])
    # Effects of cities lie within provinces and are not counted, those of years and what is held are.
    error, df = error_by_province(rows, left, residual, rows.shape[1] - 1 + rows.index.unique("year").size)
    same(error, row["std_error"])
    same(smallest_detectable(error, df), row["minimum_detectable"])


def test_gap_of_hangzhou_from_a_synthetic_control(recorded: Recorded):
    wide = city_logs()["gdp"].unstack("year").loc[:, 2003:2023].dropna()
    level = wide.loc[:, :2019].mean(axis=1)
    # Donors: the twenty nearest in their mean before, of cities without an entry up to the year before the first.
    clear = entity_list()[2019].reindex(wide.index) == 0
    pool = (level - level[330100]).abs()[clear].drop(330100, errors="ignore").nsmallest(20).index
    deviations = wide.sub(level, axis=0)
    donors, own = deviations.loc[pool].T, deviations.loc[330100]
    before, after = slice(None, 2019), slice(2020, None)
    # Least squares under weights that are not negative and, by a heavy row, add up to one.
    heavy = 1e4
    weights = pd.Series(
        optimize.nnls(
            np.vstack([donors.loc[before], np.full(len(pool), heavy)]),
            np.append(own.loc[before], heavy),
            maxiter=10_000,
        )[0],
        pool,
    )
    gap = own - donors @ weights
    told = recorded("17_export_controls", "hangzhou.weights")["weight"]
    same(weights[weights > 0.01].sort_index(), told.sort_index(), rel=1e-4)
    row = recorded("17_export_controls", "hangzhou.table").loc["gdp"]
    same(100 * gap.loc[after].mean(), recorded("17_export_controls", "hangzhou.effect"), rel=1e-5)
    same(np.sqrt((gap.loc[before] ** 2).mean()), row["pre_rmspe"], rel=1e-5)


# --- cases (12) ---


@pytest.mark.parametrize("city", [330481, 330782])
@pytest.mark.parametrize("indicator", ["gdp", "value_added_secondary", "value_added_tertiary"])
def test_growth_and_rank_of_haining_and_yiwu_among_county_level_cities(recorded: Recorded, city: int, indicator: str):
    parts = raw("county", "gdp", "value_added_primary", "value_added_secondary", "registered_population")
    # The yearbook of 2019 has no tertiary industry; it is what the other two leave.
    parts["value_added_tertiary"] = parts["gdp"] - parts["value_added_primary"] - parts["value_added_secondary"]
    wide = logarithm(parts[indicator]).unstack("year").drop(index=130983)  # Redrawn in 2022.
    change = (wide[2023] - wide[2019]).dropna()
    start = parts.xs(2019, level="year")
    structure = pd.DataFrame(
        {
            "size": np.log(start["gdp"]),
            "head": np.log(start["gdp"] / start["registered_population"]),
            "secondary": start["value_added_secondary"] / start["gdp"],
            "primary": start["value_added_primary"] / start["gdp"],
        }
    ).dropna()
    structure = structure.loc[structure.index.intersection(change.index)]
    home = structure.index // 10_000 == city // 10_000
    gaps = (structure - structure.loc[city]).to_numpy()
    distance = pd.Series(((gaps @ np.linalg.inv(structure.cov())) * gaps).sum(axis=1), structure.index)
    groups = {"province": structure.index[home].drop(city), "matched": distance[~home].nsmallest(39).index}
    table = recorded("12_cases", "peers.table")
    table.index = table.index.set_levels(table.index.levels[0].astype(int), level=0)
    for name, peers in groups.items():
        row = table.loc[(city, indicator, name)]
        others, own = change[peers], change[city]
        same([own, others.median()], row[["change", "median"]])
        assert ((others > own).sum() + 1, len(peers) + 1) == (row["rank"], row["units"])
        together = change[[city, *peers]]
        apart = (together - together.median()).abs()
        same((apart >= apart[city] - 1e-12).mean(), row["p_value"])

"""Which region leads, and how many national clusters there are: against the raw tables in plain pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clusterlib as cl
from clusterlib.claims import CONTRADICTED, MIXED, NOT_TESTABLE, SUPPORTED, judge, load_claims
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.paths import get_project

YEARS = "2018:2024"
CLAIMS = {claim.id: claim for claim in load_claims()}
MEMBERS = {"bth": (11, 12, 13), "yrd": (31, 32, 33, 34), "gba": (44,)}


@pytest.fixture(scope="module")
def raw() -> pd.Series:
    """Figures of provinces as they stand in the raw tables: (indicator, year, province)."""
    folder = get_project().raw
    frames = [pd.read_csv(path) for path in sorted((folder / "province").glob("*.csv"))]
    return pd.concat(frames).set_index(["indicator", "year", "adcode"])["value"].sort_index()


def share(raw: pd.Series, name: str, year: int, region: str) -> float:
    values = raw[name, year]
    return values[values.index.map(lambda code: code // 10000 in MEMBERS[region])].sum() / values.sum()


@pytest.fixture(scope="module")
def leads() -> pd.DataFrame:
    return cl.study.annual_leads(YEARS)


def test_shares_and_quotients_of_the_latest_year_are_those_of_the_raw_tables(raw, leads):
    table = cl.study.latest_quotients(["it_services_revenue", "ecommerce_sales"], YEARS)
    for (region, name), row in table.iterrows():
        own = share(raw, name, 2024, region)
        assert row["share"] == pytest.approx(100 * own)
        assert row["quotient"] == pytest.approx(own / share(raw, "gdp", 2024, region))
        assert row["share_change"] == pytest.approx(100 * (own - share(raw, name, 2018, region)))
        assert row["lower"] < row["quotient"] < row["upper"] and row["share_lower"] < row["share"] < row["share_upper"]


def test_a_ratio_is_to_the_best_other_of_the_latest_year_and_its_noise_that_of_the_same_pair(raw, leads):
    row = leads.loc[("it_services_revenue", "share")]
    assert (row["home"], row["rival"]) == ("bth", "yrd")
    name = "it_services_revenue"
    path = np.log([share(raw, name, y, "bth") / share(raw, name, y, "yrd") for y in range(2018, 2025)])
    noise = np.sqrt((np.diff(path, 2) ** 2).sum() / 30)
    assert row["ratio"] == pytest.approx(np.exp(path[-1]))
    # 2.85 times the noise is the exact multiple for seven years, by inversion of the characteristic function.
    assert np.log(row["upper"] / row["ratio"]) == pytest.approx(2.854 * noise, rel=0.01)


def test_a_lead_is_told_by_the_interval_and_not_by_being_first(leads):
    assert leads.loc[("it_services_revenue", "share"), "ratio"] > 1
    for _, row in leads.iterrows():
        side = "leads" if row["lower"] > 1 else "trails" if row["upper"] < 1 else "level"
        assert row["outcome"] == side and row["lower"] < row["ratio"] < row["upper"]
    assert leads.loc[("it_services_revenue", "share"), "outcome"] == "level"
    assert set(leads["outcome"]) == {"leads", "trails", "level"}


def test_paths_end_where_the_leads_stand(leads):
    paths = cl.study.lead_paths(YEARS)
    assert list(paths) == list(cl.study.LEADS) and list(paths.index) == list(range(2018, 2025))
    assert paths.iloc[-1].tolist() == pytest.approx(leads.xs("share", level="reading")["ratio"].tolist())


def test_too_few_years_have_no_noise():
    with pytest.raises(InvalidInputError, match="at least 5"):
        cl.study.latest_quotients(["software_revenue"], "2021:2024")


def test_totals_of_national_clusters_add_up_to_what_was_published():
    totals = cl.study.national_cluster_totals()
    published = pd.read_csv(get_project().raw / "cluster_counts.csv").query("scope == 'nation'")
    published = published.set_index(["programme", "part", "year"])["count"].sort_index()
    batches = published["national_sme_characteristic", "batch"]
    assert totals.loc[2024].sum() == 80 + 66 + batches[batches.index <= 2024].sum()
    assert totals.loc[2021].to_dict() == {
        "national_advanced_manufacturing": 25, "national_sme_characteristic": 0, "strategic_emerging_industry": 66,
    }  # fmt: skip
    assert (totals.diff().dropna() >= 0).all(axis=None)


def test_bounds_within_a_year_hold_what_stood_before_and_after():
    totals = cl.study.national_cluster_totals().sum(axis=1)
    assert cl.study.bounds_of_clusters(2024) == (411, totals[2024])
    for year in totals.index[1:]:
        least, most = cl.study.bounds_of_clusters(year)
        assert totals[year - 1] <= least <= most == totals[year]
    with pytest.raises(UnknownNameError, match="unknown year"):
        cl.study.bounds_of_clusters(2019)


@pytest.mark.parametrize(("number", "verdict"), [(400, SUPPORTED), (420, NOT_TESTABLE), (500, CONTRADICTED)])
def test_a_number_of_clusters_is_decided_by_the_bounds_or_not_at_all(number, verdict):
    found = cl.study.clusters_reached(number, 2024)
    if verdict == NOT_TESTABLE:
        assert found["missing"] in CLAIMS["clusters_420"].missing
    else:
        parts = [{"at_least": name, "value": number} for name in ("least", "most")]
        claim = CLAIMS["clusters_420"].__class__(**{**vars(CLAIMS["clusters_420"]), "rule": {"all_of": parts}})
        assert judge(claim, **found).verdict == verdict


def ratios(names: tuple[str, ...], *ends: tuple[float, float, float]) -> dict[str, float]:
    keys = [
        f"{name}_{reading}{end}"
        for name in names
        for reading in ("share", "quotient")
        for end in ("", "_lower", "_upper")
    ]
    return dict(zip(keys, [value for three in ends for value in three], strict=True))


ABOVE, HOLDS, BELOW = (1.5, 1.2, 1.9), (1.0, 0.8, 1.2), (0.7, 0.6, 0.8)


CASES = [
    ((ABOVE,) * 4, SUPPORTED), ((BELOW,) * 4, CONTRADICTED), ((HOLDS, *(ABOVE,) * 3), MIXED),
    ((ABOVE, BELOW) * 2, MIXED),
]  # fmt: skip
SERVICES, SHOPS = ("bth_high_end_services", ("it", "security")), ("yrd_ecommerce", ("sales", "firms"))


@pytest.mark.parametrize(("ends", "verdict"), CASES)
@pytest.mark.parametrize(("claim", "names"), [SERVICES, SHOPS])
def test_a_lead_needs_share_and_quotient(claim, names, ends, verdict):
    assert judge(CLAIMS[claim], **ratios(names, *ends)).verdict == verdict


@pytest.mark.parametrize(("p", "excess", "verdict"), [(0.01, 4, SUPPORTED), (0.4, 4, MIXED), (0.01, -4, CONTRADICTED)])
def test_a_lead_in_firms_is_one_that_chance_does_not_make(p, excess, verdict):
    values = {"number_excess": excess, "number_p": p, "quotient_excess": excess / 4, "quotient_p": p}
    assert judge(CLAIMS["bth_artificial_intelligence"], **values).verdict == verdict


def test_what_is_said_not_to_be_in_any_table_is_not():
    """The reasons why claims cannot be tested name tables that the project does not have."""
    catalogue = cl.data.indicator_catalogue()
    names = " ".join(catalogue["name_en"]).casefold()
    for words in ("cloud", "internet of things", "online retail"):
        assert words not in names
    for claim in ("yrd_integrated_circuits", "gba_ict_manufacturing", "bth_artificial_intelligence"):
        assert "not_testable" not in CLAIMS[claim].rule


def test_the_nation_figures_of_the_essay_are_those_of_their_publishers():
    told = cl.data.load_panel("economy", ["digital_economy_size", "computing_capacity"]).loc["CHN"]
    assert told["digital_economy_size"].dropna().to_dict() == {2022: 50.2, 2023: 53.9}
    assert told["computing_capacity"].dropna().to_dict() == {2023: 230, 2024: 246}


@pytest.mark.parametrize("years", ["2018", "1999:2005", None])
def test_years_without_figures_are_refused(years):
    with pytest.raises(ClusterlibError):
        cl.study.latest_quotients(["software_revenue"], years)


def test_electronics_of_the_census_lead_by_the_ratio_of_the_raw_figures(raw):
    """Recomputed with plain pandas: the ratio of shares, and how far revenue may be overstated before it is undone."""
    from clusterlib.agglomeration import lead_in_totals

    facts = cl.data.load_panel("province", ["electronics_revenue", "value_added_industry"], years=2023).droplevel(
        "year"
    )
    table = cl.study.by_region_and_province(facts)
    found = lead_in_totals(table["electronics_revenue"], table["value_added_industry"], "gba", list(MEMBERS))
    own, other = (share(raw, "electronics_revenue", 2023, region) for region in ("gba", "yrd"))
    assert found.loc["share", "ratio"] == pytest.approx(own / other) == pytest.approx(1.121, abs=0.001)
    assert found.loc["share", "overstated"] == pytest.approx(1 - other / own)
    industry = [share(raw, "value_added_industry", 2023, region) for region in ("gba", "yrd")]
    assert found.loc["quotient", "ratio"] == pytest.approx(own / other * industry[1] / industry[0])

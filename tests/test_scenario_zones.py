"""Zones of big data in two periods: the means of two groups, and who belongs to which."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from clusterlib.data import load_panel
from clusterlib.errors import InvalidInputError
from clusterlib.scenario import big_data_zones, difference_of_means
from clusterlib.study.scenario._zones import zone_members


@pytest.fixture(scope="module")
def zones():
    return big_data_zones(draws=999)


@pytest.mark.parametrize("seed", range(3))
def test_the_difference_of_means_is_welchs(seed):
    random = np.random.default_rng(seed)
    values = pd.Series(np.concatenate([1 + 3 * random.normal(size=6), random.normal(size=14)]))
    treated = pd.Series(np.arange(20) < 6)
    found, expected = difference_of_means(values, treated), ttest_ind(values[:6], values[6:], equal_var=False)
    ends = expected.confidence_interval()
    assert found["estimate"] / found["std_error"] == pytest.approx(expected.statistic)
    assert [found[k] for k in ("p_value", "df", "lower", "upper")] == pytest.approx(
        [expected.pvalue, expected.df, ends.low, ends.high]
    )


def test_a_difference_is_told_and_none_is_not_whichever_way_zones_are_dealt_out():
    noise, treated = pd.Series(np.random.default_rng(0).normal(size=30)), pd.Series(np.arange(30) < 10)
    nothing, much = difference_of_means(noise, treated), difference_of_means(noise + 3 * treated, treated)
    assert nothing["lower"] < 0 < nothing["upper"] and nothing["permutation_p"] > 0.05
    assert much["lower"] > 0 and much["permutation_p"] < 0.01
    less = difference_of_means(noise - 3 * treated, treated)
    assert less["upper"] < 0 and less["permutation_p"] < 0.01
    assert much["smallest"] == pytest.approx(nothing["smallest"])


def test_intervals_cover_though_variances_differ():
    random, treated, hits = np.random.default_rng(5), pd.Series(np.arange(24) < 7), 0
    for _ in range(150):
        values = pd.Series(np.where(treated, 3.0, 1.0) * random.normal(size=24))
        found = difference_of_means(values, treated, draws=1)
        hits += found["lower"] <= 0 <= found["upper"]
    assert 0.90 <= hits / 150 <= 0.99


def test_groups_of_one_and_missing_values_are_refused():
    with pytest.raises(InvalidInputError, match=r"1 treated unit.* at least two of each"):
        difference_of_means(pd.Series([1.0, 2, 3]), pd.Series([True, False, False]))
    with pytest.raises(InvalidInputError, match="leave out the unit"):
        difference_of_means(pd.Series([1.0, np.nan, 3, 4]), pd.Series([True, True, False, False]))


def test_members_are_those_of_the_lists_and_cities_beside_them_are_in_neither_group():
    members, beside = zone_members()
    assert members[[110000, 440300, 210100, 130100]].tolist() == [110000, 440000, 210000, 130000]
    assert members[members == 440000].size == 9
    assert {210200, 440500}.issubset(beside) and 320100 not in members and 320100 not in beside


def test_use_given_coverage_is_recomputed_from_the_index(zones):
    facts = load_panel("city", ["dfi_usage_depth", "dfi_coverage_breadth"], years="2011:2023")
    gap = (facts["dfi_usage_depth"] - facts["dfi_coverage_breadth"]).unstack("year").dropna()
    members, beside = zone_members()
    gap = gap[~gap.index.isin(beside)]
    means = gap.groupby(gap.index // 10_000 * 10_000).mean()
    change = means.loc[:, 2017:].mean(axis=1) - means.loc[:, :2016].mean(axis=1)
    inside = change.index.isin(members)
    row = zones.table.loc[("use_given_coverage", "after")]
    assert row["estimate"] == pytest.approx(change[inside].mean() - change[~inside].mean())
    assert (row["zones"], row["others"]) == (inside.sum(), (~inside).sum())


def test_provinces_with_a_city_for_a_zone_are_in_neither_group_of_provinces(zones):
    facts = load_panel("province", ["software_product_revenue", "information_security_revenue"], years="2012:2023")
    products = np.log(facts.iloc[:, 0] + facts.iloc[:, 1].fillna(0)).unstack("year").dropna().drop(210000)
    change = products.loc[:, 2017:].mean(axis=1) - products.loc[:, :2016].mean(axis=1)
    named = [110000, 120000, 130000, 150000, 310000, 410000, 440000, 500000, 520000]
    inside = change.index.isin(named)
    row = zones.table.loc[("log_software_products", "after")]
    assert row["estimate"] == pytest.approx(change[inside].mean() - change[~inside].mean())


def test_years_without_a_before_or_an_after_are_refused():
    for years in ("2015:2019", "2011:2016", [2011, 2014, 2019]):
        with pytest.raises(InvalidInputError, match="expected a span from 2013 or before to after 2016"):
            big_data_zones(years)

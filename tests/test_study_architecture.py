"""Gathered digital industry, its links and platforms, and the neighbours of lead firms."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.study import _architecture as architecture
from clusterlib.study.claims import judge, load_claims


@pytest.fixture(scope="module")
def pairs():
    return cl.study.gathered_pairs()


@pytest.fixture(scope="module")
def neighbours():
    return cl.study.lead_neighbours()


@pytest.fixture(scope="module")
def frames(neighbours):
    return architecture._frames(neighbours)


# Where digital industry is gathered


def test_a_city_holds_the_classes_of_its_national_digital_clusters():
    classes = cl.study.digital_classes()
    assert classes.columns[classes.loc[370100]].to_list() == ["0304"]
    assert classes.columns[classes.loc[340100]].to_list() == ["0105", "0301"]


def test_a_cluster_of_several_cities_counts_in_each():
    classes = cl.study.digital_classes()
    assert classes.loc[[500000, 510100], "0105"].all()


def test_each_sign_alone_makes_a_city_gathered_and_the_index_does_not():
    cities = cl.study.gathered_cities()
    signs = cities[["cluster", "unicorns", "software"]]
    assert (cities["gathered"] == signs.any(axis=1)).all()
    assert (cities["first_fifty"] & ~cities["gathered"]).any()
    assert cities["first_fifty"].sum() == 50


def test_the_quotient_of_software_is_that_of_the_raw_figures():
    raw = get_project().raw / "city"
    facts = pd.concat(pd.read_csv(raw / f"{name}.csv") for name in ("digital", "labour"))
    wide = facts[facts["year"].isin([2018, 2019])].pivot_table("value", ["adcode", "year"], "indicator")
    wide = wide[["information_software_employment", "employment"]].dropna()
    share = wide.iloc[:, 0] / wide.iloc[:, 1]
    total = wide.groupby("year").sum()
    quotient = share.div(total.iloc[:, 0] / total.iloc[:, 1], level="year").groupby("adcode").mean()
    cities = cl.study.gathered_cities()
    assert set(cities.index[cities["software"]]) == set(quotient.index[quotient > 1])


def test_a_pair_has_a_sign_where_both_cities_do(pairs):
    cities = cl.study.gathered_cities()
    for name in ("gathered", "unicorns"):
        ends = [cities[name].loc[pairs.index.get_level_values(level)].to_numpy() for level in (0, 1)]
        assert (pairs[name] == 1.0 * (ends[0] & ends[1])).all()


def test_related_cities_share_a_class_and_hold_clusters(pairs):
    assert pairs.loc[(340100, 420100), "related"] == 1
    assert pairs.loc[(320100, 430100), ["cluster", "related"]].to_list() == [1, 0]
    assert (pairs["related"] <= pairs["cluster"]).all()


def test_trains_planted_between_gathered_cities_are_found(pairs):
    plain = architecture._term(pairs, "gathered", architecture.PAIR_CONTROLS)
    more = pairs.assign(trains=pairs["trains"] * np.where(pairs["gathered"] > 0, 2.0, 1.0))
    found = architecture._term(more, "gathered", architecture.PAIR_CONTROLS)
    assert found["estimate"] == pytest.approx(2 * plain["estimate"], rel=0.15)
    assert found["lower"] > 1 > plain["lower"]


def test_errors_that_count_a_pair_once_are_smaller_and_leave_the_estimate(pairs):
    twice = architecture._term(pairs, "gathered", architecture.PAIR_CONTROLS)
    once = architecture._counted_once(pairs, "gathered", architecture.PAIR_CONTROLS)
    assert once["estimate"] == pytest.approx(twice["estimate"])
    spans = [np.log(found["upper"] / found["lower"]) for found in (once, twice)]
    assert 1 / np.sqrt(2) - 0.01 <= spans[0] / spans[1] < 1


# Fields that places share


def every_table(rows, columns):
    """All tables of flags with these numbers in rows and columns."""
    choices = [list(combinations(range(len(columns)), count)) for count in rows]
    for chosen in product(*choices):
        table = np.zeros((len(rows), len(columns)), bool)
        for row, places in enumerate(chosen):
            table[row, list(places)] = True
        if (table.sum(axis=0) == columns).all():
            yield table


def test_random_tables_have_the_mean_of_all_tables_with_the_same_margins():
    held = pd.DataFrame([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]], list("abcd")).astype(bool)
    groups = pd.Series(["north", "north", "rest", "rest"], held.index)
    found = cl.study.shared_fields(held, groups, draws=4000).loc["north"]
    tables = list(every_table(held.sum(axis=1), held.sum(axis=0).to_numpy()))
    shared = np.array([(table[0] & table[1]).sum() for table in tables])
    assert found["shared"] == 2
    assert found["expected"] == pytest.approx(shared.mean(), abs=0.05)
    assert found["p_value"] == pytest.approx(min(1, 2 * (shared >= 2).mean()), abs=0.06)


def test_trades_keep_what_each_place_and_each_field_has():
    held = np.random.default_rng(0).random((7, 5)) < 0.4
    for table in architecture._trades(held, 20, np.random.default_rng(1)):
        assert (table.sum(axis=0) == held.sum(axis=0)).all()
        assert (table.sum(axis=1) == held.sum(axis=1)).all()


def test_a_group_of_one_place_shares_nothing_that_could_be_tested():
    held = pd.DataFrame(np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool), list("abcd"))
    found = cl.study.shared_fields(held, pd.Series(["one", "rest", "two", "two"], held.index), draws=99)
    assert found.loc["one"].isna().sum() == 5
    assert found.loc["nation", "pairs"] == 1


def test_places_without_a_group_and_numbers_for_flags_are_refused():
    held = pd.DataFrame(np.eye(3, dtype=bool), list("abc"))
    with pytest.raises(InvalidInputError, match="no group for 1 place"):
        cl.study.shared_fields(held, pd.Series({"a": "x", "b": "x"}))
    with pytest.raises(InvalidInputError, match="flags"):
        cl.study.shared_fields(held.astype(float), pd.Series("x", held.index))


# Platform use


def test_the_residual_of_a_group_is_the_mean_of_dummies_of_its_members():
    random = np.random.default_rng(2)
    x = pd.DataFrame(random.normal(size=(20, 2)), columns=["q", "income"])
    y = x.sum(axis=1) + random.normal(size=20)
    members = [3, 8, 11]
    dummies = np.column_stack([x.index == unit for unit in members]).astype(float)
    fit = sm.OLS(y, np.column_stack([np.ones(20), x, dummies])).fit()
    test = fit.t_test(np.array([0, 0, 0, 1, 1, 1]) / 3)
    found = cl.study.residual_of_group(y, x, [*members, 999])
    assert found["estimate"] == pytest.approx(float(test.effect[0]))
    assert found[["lower", "upper"]].to_list() == pytest.approx(test.conf_int()[0].tolist())
    assert found["p_value"] == pytest.approx(float(test.pvalue))


def test_the_interval_of_a_residual_holds_nil_as_often_as_it_says():
    random, x = np.random.default_rng(3), pd.DataFrame({"q": np.linspace(-2, 2, 20)})
    rows = [cl.study.residual_of_group(pd.Series(random.normal(size=20)), x, [0, 1]) for _ in range(250)]
    assert np.mean([row["lower"] <= 0 <= row["upper"] for row in rows]) == pytest.approx(0.95, abs=0.035)


def test_a_group_without_members_has_no_residual_and_too_large_a_one_is_refused():
    y, x = pd.Series(np.arange(5.0)), pd.DataFrame({"q": [0.0, 1, 0, 2, 5]})
    assert np.isnan(cl.study.residual_of_group(y, x, [99])["estimate"])
    with pytest.raises(InvalidInputError, match="3 or more are needed"):
        cl.study.residual_of_group(y, x, [0, 1, 2])
    with pytest.raises(InvalidInputError, match="missing"):
        cl.study.residual_of_group(y.where(y > 0), x, [4])
    with pytest.raises(InvalidInputError, match="same order"):
        cl.study.residual_of_group(y, x.iloc[::-1], [4])


def test_the_slope_of_platform_use_is_that_of_the_raw_figures():
    raw = get_project().raw / "province"
    facts = pd.concat(pd.read_csv(raw / f"{name}.csv") for name in
                      ("digital_industry", "industrial_digitisation", "national_accounts"))  # fmt: skip
    wide = facts.pivot_table("value", ["year", "adcode"], "indicator")
    wide["ecommerce"] = 100 * wide["enterprises_with_ecommerce"] / wide["enterprises_surveyed"]
    wide = wide[["software_revenue", "gdp", "websites_per_100_enterprises", "ecommerce"]].dropna()
    by_year = wide.groupby("year")
    q = np.log2(wide["software_revenue"] / by_year["software_revenue"].transform("sum"))
    q -= np.log2(wide["gdp"] / by_year["gdp"].transform("sum"))
    use = wide[["websites_per_100_enterprises", "ecommerce"]]
    use = ((use - by_year[list(use)].transform("mean")) / by_year[list(use)].transform("std")).mean(axis=1)
    q = q - q.groupby("year").transform("mean")
    slope = cl.study.platform_use(draws=99).slopes.loc[("nothing", "platforms"), "estimate"]
    assert slope == pytest.approx((q * use).sum() / (q**2).sum())


def test_use_that_neighbours_share_is_told_from_use_that_they_do_not():
    means = architecture.platform_panel().groupby("adcode").mean()
    north = cl.data.load_boundaries("province").loc[means.index].geometry.representative_point().y
    assert architecture._likeness(means.assign(platforms=north - north.mean()), 199, 0)["p_value"] < 0.05
    mixed = means.assign(platforms=np.random.default_rng(1).normal(size=len(means)))
    assert architecture._likeness(mixed, 199, 0)["p_value"] > 0.05


# Neighbours of lead firms


def test_neighbours_hold_no_lead_firm_and_border_on_a_large_city(neighbours):
    firms = cl.data.load_panel("city", "unicorn_companies", years=2022)["unicorn_companies"].droplevel("year")
    assert not neighbours.index.isin(firms.index[firms > 0]).any()
    size = cl.data.load_panel("city", "gdp", years=2013)["gdp"].droplevel("year")
    assert size.loc[neighbours["hub"]].min() >= size.nlargest(architecture.LARGE_CITIES).min()
    assert neighbours.loc[330600, "hub"] == 330100


def test_where_the_list_cannot_tell_a_city_it_and_those_beside_it_alone_are_left_out(neighbours):
    assert not neighbours.index.isin(architecture.UNDECIDED).any()
    assert not (neighbours["hub"].isin(architecture.UNDECIDED) & ~neighbours["lead"]).any()


def test_growth_is_a_change_of_logarithms_a_year(neighbours):
    lights = cl.data.load_panel("city", "night_lights_sum")["night_lights_sum"].unstack("year")
    expected = 100 * np.log(lights.loc[330500, 2019] / lights.loc[330500, 2013]) / 6
    assert neighbours.loc[330500, "growth_lights"] == pytest.approx(expected)


def test_lead_cities_by_another_list_need_its_name():
    with pytest.raises(UnknownNameError, match="first_fifty"):
        cl.study.lead_neighbours("unicorn")


def test_the_difference_of_one_outcome_is_least_squares_with_jackknife_errors(frames):
    frame = frames["lights"]
    effects = pd.get_dummies(frame["province"]).astype(float)
    X = pd.concat([frame[["lead", *architecture.CONTROLS]], effects], axis=1)
    fit = sm.OLS(frame["growth"], X).fit(cov_type="HC3", use_t=True)
    found = cl.study.mean_difference({"lights": frame}, ["lead"])
    assert found["estimate"] == pytest.approx(fit.params["lead"])
    assert found["std_error"] == pytest.approx(fit.bse["lead"])
    assert found["p_value"] == pytest.approx(fit.pvalues["lead"])


def test_an_outcome_taken_twice_tells_no_more_than_once(frames):
    once = cl.study.mean_difference({"a": frames["gdp"]}, ["lead"])
    twice = cl.study.mean_difference({"a": frames["gdp"], "b": frames["gdp"]}, ["lead"])
    assert twice.to_list() == pytest.approx(once.to_list())


@settings(max_examples=10, deadline=None)
@given(planted=st.floats(-5, 5), province=st.floats(-5, 5))
def test_a_pull_that_is_planted_moves_the_difference_by_itself(frames, planted, province):
    def grown(frame):
        return frame.assign(growth=frame["growth"] + planted * frame["lead"] + province * (frame["province"] % 7))

    plain = cl.study.mean_difference(frames, ["lead"])
    found = cl.study.mean_difference({name: grown(frame) for name, frame in frames.items()}, ["lead"])
    assert found["estimate"] == pytest.approx(plain["estimate"] + planted, abs=1e-8)
    assert found["std_error"] == pytest.approx(plain["std_error"], abs=1e-8)


def test_a_term_that_provinces_make_up_is_not_told(frames):
    frame = frames["lights"].assign(inside=lambda t: 1.0 * (t["province"] == t["province"].iloc[0]))
    assert cl.study.mean_difference({"lights": frame}, ["inside", "lead"]).isna().all()


def test_the_placebo_finds_a_pull_that_is_planted_and_none_where_there_is_none(frames):
    near = architecture._near_large()
    random = np.random.default_rng(5)
    noise = {name: frame.assign(growth=random.normal(size=len(frame))) for name, frame in frames.items()}
    pulled = {name: frame.assign(growth=frame["growth"] + 2 * frame["lead"]) for name, frame in noise.items()}
    assert architecture._placebo(noise, near, 199, 0)["p_value"] > 0.05
    assert architecture._placebo(pulled, near, 199, 0)["p_value"] < 0.05


def test_a_region_of_few_neighbours_has_no_estimate_of_its_own(frames):
    few = architecture._regional(frames, "gba")
    assert np.isnan(few["estimate"])
    assert few["beside"] < architecture.FEWEST_NEIGHBOURS
    assert np.isfinite(architecture._regional(frames, "yrd")["estimate"])


# What the essay is judged by


def judged(claim, **values):
    found = next(each for each in load_claims() if each.id == claim)
    return judge(found, **values).verdict


def bounds(**estimates):
    """Each estimate with an interval of a tenth on either side."""
    return {name + end: value + step for name, value in estimates.items()
            for end, step in (("", 0.0), ("_lower", -0.1), ("_upper", 0.1))}  # fmt: skip


@pytest.mark.parametrize(
    ("platforms", "links", "verdict"),
    [(-0.5, 0.7, "supported"), (0.5, 1.4, "contradicted"), (0.5, 0.7, "mixed"), (0.0, 0.7, "mixed")],
)
def test_misalignment_is_judged_by_platforms_and_links_together(platforms, links, verdict):
    assert judged("architecture_misalignment", provinces=3, **bounds(platforms=platforms, links=links)) == verdict


def test_a_region_without_figures_of_platforms_has_no_experiment():
    values = bounds(platforms=np.nan, links=1.4)
    assert judged("architecture_misalignment", provinces=0, **values) == "no experiment"


@pytest.mark.parametrize(
    ("pull", "fifty", "verdict"),
    [(0.0, 0.2, "supported"), (0.9, 0.8, "contradicted"), (0.9, 0.0, "mixed"), (0.45, 0.0, "mixed")],
)
def test_a_pull_is_weak_where_both_lists_keep_it_below_half_a_deviation(pull, fifty, verdict):
    assert judged("lead_firms", **bounds(pull=pull, fifty=fifty)) == verdict

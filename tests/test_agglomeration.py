"""Location quotients, their intervals and tests of concentration against exact sums, R's values and simulation."""

from __future__ import annotations

import json
from math import comb, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.agglomeration import (
    EllisonGlaeser,
    bounds_of_totals,
    concentration_test,
    ellison_glaeser,
    herfindahl,
    lead_in_counts,
    lead_in_totals,
    location_quotient,
    location_quotient_interval,
    shares_and_quotients,
)
from clusterlib.errors import ClusterlibError, InvalidInputError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "agglomeration_produc.json").read_text())
PRODUC = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
INDUSTRIES = ["hwy", "water", "util", "pc", "gsp", "emp"]
STATES = PRODUC.xs(1986, level="year")[INDUSTRIES]
TABLE = pd.DataFrame({"software": [30.0, 10.0], "textiles": [10.0, 30.0]}, index=["coast", "inland"])
SIZE = pd.Series({"coast": 50.0, "inland": 50.0})


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 99)), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_mean_quotient_weighted_by_the_reference_is_one(rows):
    table = pd.DataFrame(rows, columns=["x", "y"], dtype=float)
    if table["x"].sum() == 0:
        table.loc[0, "x"] = 1.0
    weight = table.sum(axis=1) / table.to_numpy().sum()
    means = location_quotient(table).mul(weight, axis=0).sum()
    np.testing.assert_allclose(means, 1, rtol=1e-12)


def test_quotient_against_an_outside_reference_is_share_over_share():
    quotient = location_quotient(TABLE["software"], pd.Series({"inland": 60.0, "coast": 20.0}))
    assert quotient.to_dict() == pytest.approx({"coast": 0.75 / 0.25, "inland": 0.25 / 0.75})


@pytest.mark.parametrize(
    ("values", "reference", "words"),
    [
        (TABLE["software"], None, "reference="),
        (TABLE, SIZE[["coast"]], "no reference for inland"),
        (-TABLE, None, "4 negative.*first at coast, 'software'"),
        (TABLE.replace(30.0, np.nan), SIZE, "finite"),
        (TABLE, SIZE - 50, "not positive, the first at coast"),
        (TABLE.assign(none=0.0), None, "no output"),
        (TABLE.set_axis(["coast", "coast"]), None, "region given twice: coast"),
        (TABLE, pd.concat([SIZE, SIZE]), "coast has more than one value"),
    ],
)
def test_quotients_without_meaning_are_refused(values, reference, words):
    with pytest.raises(InvalidInputError, match=words):
        location_quotient(values, reference)


def test_binomial_p_and_interval_equal_exact_sums():
    test = concentration_test(pd.Series({"coast": 9, "inland": 1}), SIZE, draws=99)
    # By symmetry both tails of Binomial(10, 1/2) hold the outcomes 0, 1, 9, 10.
    assert test.table.loc["coast", "p"] == pytest.approx(2 * (comb(10, 0) + comb(10, 1)) / 2**10)
    # Clopper-Pearson: the upper limit of nine of ten leaves 2.5 % for nine or fewer.
    upper = test.table.loc["coast", "upper"] * 0.5
    assert sum(comb(10, k) * upper**k * (1 - upper) ** (10 - k) for k in range(10)) == pytest.approx(0.025)
    assert test.table["p_holm"].tolist() == pytest.approx((2 * test.table["p"]).clip(upper=1).tolist())


def test_holm_s_p_values_are_those_of_statsmodels_in_the_order_of_the_regions():
    from statsmodels.stats.multitest import multipletests

    counts, shares = pd.Series({"a": 9, "b": 1, "c": 14, "d": 5, "e": 0}), pd.Series(0.2, index=list("abcde"))
    table = concentration_test(counts, shares, draws=9).table
    assert table["p_holm"].tolist() == pytest.approx(multipletests(table["p"], method="holm")[1].tolist(), rel=1e-14)
    assert table["p_holm"].nunique() > 2


def test_monte_carlo_p_equals_the_sum_over_all_outcomes():
    counts, shares = pd.Series({"a": 4, "b": 1, "c": 1}), pd.Series({"a": 0.2, "b": 0.3, "c": 0.5})

    def statistic(outcome):
        pairs = zip(outcome, shares, strict=True)
        return 2 * sum(k * log(k / (6 * p)) for k, p in pairs if k)

    observed, exact = statistic(counts), 0.0
    for i in range(7):
        for j in range(7 - i):
            k = 6 - i - j
            probability = comb(6, i) * comb(6 - i, j) * 0.2**i * 0.3**j * 0.5**k
            exact += probability * (statistic((i, j, k)) >= observed - 1e-9)
    test = concentration_test(counts, shares, draws=200_000, seed=1)
    assert test.statistic == pytest.approx(observed)
    assert test.p_value == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 200_000) ** 0.5)


def test_same_seed_gives_the_same_p_and_another_seed_another():
    arguments = (pd.Series({"coast": 7, "inland": 3}), SIZE)
    p = [concentration_test(*arguments, draws=999, seed=seed).p_value for seed in (3, 3, 4)]
    assert p[0] == p[1] != p[2]


def test_size_of_the_test_is_not_above_its_level():
    random, shares = np.random.default_rng(5), pd.Series([0.1, 0.25, 0.65])
    draws = random.multinomial(45, shares, size=100)
    p = [concentration_test(pd.Series(row), shares, draws=299, seed=i).p_value for i, row in enumerate(draws)]
    # 100 tests at 5 %: more than 11 rejections would come about in one of two hundred.
    assert sum(value <= 0.05 for value in p) <= 11


@pytest.mark.parametrize("counts", [[1.5, 2], [-1, 2], [0, 0]])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(InvalidInputError, match="whole numbers"):
        concentration_test(pd.Series(counts, index=SIZE.index), SIZE)


def test_quotients_equal_those_of_r():
    np.testing.assert_allclose(location_quotient(STATES).to_numpy().ravel(), EXPECTED["quotients"], rtol=1e-12)


# Intervals


COUNTS = pd.DataFrame({"software": [60, 30, 10], "textiles": [40, 120, 240]}, index=["a", "b", "c"])
POPULATION = pd.Series({"a": 20.0, "b": 30.0, "c": 50.0})


def test_the_multinomial_bootstrap_has_the_standard_error_of_the_binomial_share():
    result = location_quotient_interval(COUNTS, POPULATION, draws=20_000, seed=1)
    share, weight = COUNTS / COUNTS.sum(), POPULATION / POPULATION.sum()
    expected = np.sqrt(share * (1 - share) / COUNTS.sum()).div(weight, axis=0)
    np.testing.assert_allclose(result.simulated["quotient"].std(axis=0), expected, rtol=0.02)
    np.testing.assert_allclose(
        result.simulated["quotient"].mean(axis=0), location_quotient(COUNTS, POPULATION), rtol=0.02
    )
    half = (result.table["upper"] - result.table["lower"]) / 2
    np.testing.assert_allclose(half, 1.96 * expected.stack(), rtol=0.1)


def test_florences_quotient_is_redrawn_with_the_sizes_of_the_regions():
    # With two industries of equal size, quotient = share / mean of both shares: its error follows by the delta method.
    counts = pd.DataFrame({"x": [300, 700], "y": [500, 500]}, index=["a", "b"])
    drawn = location_quotient_interval(counts, draws=20_000, seed=2).simulated["quotient"][:, 0, 0]
    p, q, n = 0.3, 0.5, 1000
    mean = (p + q) / 2
    gradient = np.array([mean - p / 2, -p / 2]) / mean**2
    variance = np.array([p * (1 - p), q * (1 - q)]) / n
    assert drawn.std() == pytest.approx(np.sqrt(gradient**2 @ variance), rel=0.02)


def test_intervals_of_counts_cover_the_true_quotient_at_their_level():
    random, share = np.random.default_rng(11), np.array([0.5, 0.3, 0.2])
    inside = 0
    for seed in range(150):
        drawn = pd.DataFrame({"x": random.multinomial(200, share)}, index=POPULATION.index)
        table = location_quotient_interval(drawn, POPULATION, draws=399, seed=seed).table
        inside += (table["lower"] <= 2.5 + 1e-9).to_numpy()[0] and (table["upper"] >= 2.5 - 1e-9).to_numpy()[0]
    # 150 intervals at 95 %: the central 99.8 % of the binomial are 133 to 149, less a little for a finite sample.
    assert 131 <= inside <= 150


def test_a_lead_in_counts_is_an_exact_test_of_the_region_and_its_best_rival():
    counts = pd.DataFrame({"x": [9, 1, 0], "y": [2, 0, 10], "z": [2, 3, 1]}, index=["a", "b", "c"])
    table = lead_in_counts(counts, "a")
    assert table["rival"].tolist() == ["b", "c", "b"] and table["rival_value"].tolist() == [1, 10, 3]
    # By hand, of ten with nine or more, or one or fewer, and of twelve with two or fewer, or ten or more.
    expected = [2 * (1 + 10) / 2**10, 2 * (1 + 12 + comb(12, 2)) / 2**12, 1.0]
    assert table["p_value"].tolist() == pytest.approx(expected)
    assert table["outcome"].tolist() == ["leads", "trails", "level"]
    assert lead_in_counts(counts, "a", level=0.99)["outcome"].tolist() == ["level"] * 3
    # In a region nine times the size of b nine to one is its due, and c is then the better one in y alone.
    sized = lead_in_counts(counts, "a", pd.Series({"a": 9.0, "b": 1.0, "c": 2.0}))
    assert sized.loc["x", "value"] == pytest.approx(0.9 / 0.75) and sized.loc["x", "p_value"] == pytest.approx(1)
    assert sized.loc["x", "rival"] == "b" and sized.loc["y", "outcome"] == "trails"


def test_what_a_test_of_counts_could_have_seen_rejects_four_times_in_five():
    counts = pd.DataFrame({"x": [10, 6], "y": [2, 1]}, index=["a", "b"])
    odds = lead_in_counts(counts, "a")["detectable"]
    # Of sixteen the test needs thirteen: the chance of twelve or fewer at these odds is a fifth.
    p = odds["x"] / (1 + odds["x"])
    assert sum(comb(16, k) * p**k * (1 - p) ** (16 - k) for k in range(13, 17)) == pytest.approx(0.8)
    # Three are too few to find anything.
    assert np.isinf(odds["y"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": pd.DataFrame({"x": [1.5, 2.0]}, index=["a", "b"])}, "expected whole numbers"),
        ({"counts": pd.DataFrame({"x": [1]}, index=["a"])}, "no other to be compared with"),
        ({"region": "d"}, "unknown region 'd'"),
        (
            {"counts": pd.DataFrame({"x": [0, 0]}, index=["a", "b"]), "reference": SIZE.set_axis(["a", "b"])},
            "no output",
        ),
        ({"reference": SIZE}, "no reference for a, b"),
    ],
)
def test_counts_that_cannot_be_compared_are_refused(change, words):
    arguments = {"counts": pd.DataFrame({"x": [1, 2]}, index=["a", "b"]), "region": "a", **change}
    with pytest.raises(ClusterlibError, match=words):
        lead_in_counts(**arguments)


def test_the_same_seed_gives_the_same_intervals():
    tables = [location_quotient_interval(COUNTS, seed=seed).table for seed in (3, 3, 4)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (COUNTS + 0.5, {}, "not whole numbers.*latest_level"),
        (COUNTS["software"], {}, "expected a DataFrame"),
        (COUNTS, {"level": 95}, "level=95"),
        (COUNTS, {"draws": 0}, "draws=0"),
        (-COUNTS, {}, r"negative value"),
    ],
    ids=["amounts", "series", "level", "draws", "negative"],
)
def test_draws_without_meaning_are_refused(values, options, words):
    with pytest.raises(InvalidInputError, match=words):
        location_quotient_interval(values, **options)


# Ellison and Glaeser


def test_gamma_equals_that_of_r():
    plants = pd.Series([0.01, 0.02, 0.05, 0.1, 0.2, 0.4], index=INDUSTRIES)
    result = ellison_glaeser(STATES, plants)
    np.testing.assert_allclose(result.table["gamma"], list(EXPECTED["gamma"].values()), rtol=1e-12)
    assert result.reference.sum() == pytest.approx(1)


def throw_plants(random, sizes: np.ndarray, share: np.ndarray, together: float) -> np.ndarray:
    """Employment by region of plants that fall on the first plant's region with a probability, else by share."""
    places = random.choice(len(share), size=len(sizes), p=share)
    places = np.where(random.random(len(sizes)) < together, places[0], places)
    return np.bincount(places, weights=sizes, minlength=len(share))


@pytest.mark.parametrize("together", [0.0, 0.3])
def test_gamma_of_a_simulated_dartboard_is_the_probability_of_being_drawn_together(together):
    random = np.random.default_rng(7)
    share, sizes = np.array([0.4, 0.3, 0.2, 0.1]), np.array([500.0, 100, 100, 50, 50, 20, 10, 10])
    plants = herfindahl(pd.Series(sizes))["herfindahl"]
    drawn = np.array([throw_plants(random, sizes, share, together) for _ in range(4000)]).T
    table = pd.DataFrame(drawn, columns=[str(i) for i in range(4000)])
    gamma = ellison_glaeser(table, pd.Series(plants, index=table.columns), pd.Series(share)).table["gamma"]
    # A pair of plants shares its region by more than chance if both follow the first, or one is the first.
    z = sizes / sizes.sum()
    pairs = np.outer(z, z)
    first = 2 * pairs[0, 1:].sum() * together
    expected = (first + (pairs[1:, 1:].sum() - (z[1:] ** 2).sum()) * together**2) / (1 - plants)
    assert gamma.mean() == pytest.approx(expected, abs=4 * gamma.std() / np.sqrt(4000))


def test_the_reading_follows_the_bounds_of_ellison_and_glaeser():
    table = pd.DataFrame({"gamma": [-0.1, 0.02, 0.021, 0.05, 0.051, 0.9]})
    reading = EllisonGlaeser(table, SIZE / 100).reading
    assert reading.tolist() == ["not very localised"] * 2 + ["between"] * 2 + ["very localised"] * 2
    assert "localised" in ellison_glaeser(STATES, pd.Series(0.01, index=INDUSTRIES)).summary()


@pytest.mark.parametrize("value", [1.0, 0.0, np.nan])
def test_an_industry_of_one_plant_has_no_gamma(value):
    plants = pd.Series({"software": value, "textiles": 0.2})
    with pytest.raises(InvalidInputError, match="software, 'plant_herfindahl'"):
        ellison_glaeser(TABLE, plants)


PARTS = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 3), ("b", 4), ("c", 5), ("rest", 6)])
AMOUNTS = pd.Series([30.0, 10.0, 12.0, 8.0, 5.0, 35.0], PARTS)
SIZES = pd.Series([20.0, 20.0, 10.0, 10.0, 4.0, 36.0], PARTS)


def test_a_lead_in_totals_is_told_with_the_error_and_the_part_that_would_undo_it():
    found = lead_in_totals(AMOUNTS, SIZES, "a", ["a", "b", "c"])
    share, quotient = found.loc["share"], found.loc["quotient"]
    assert (share["rival"], share["outcome"]) == ("b", "leads")
    # Half of a's amount would have to be error; without its larger part it has 10 against 20, without b's 40 against 8.
    told = share[["value", "ratio", "overstated", "lowest", "highest"]]
    assert told.tolist() == pytest.approx([40, 2, 0.5, 0.5, 5])
    # 40 % of amounts in 40 % of the base, and c, the best of the others, has 5 % in 4 %.
    assert (quotient["rival"], quotient["outcome"]) == ("c", "trails")
    assert quotient[["value", "rival_value", "overstated"]].tolist() == pytest.approx([1, 1.25, -0.25])
    # Without a part of a, that is 10 of 20 against 5 of 4, or 30 of 20; c has one part alone, which stays.
    assert quotient[["lowest", "highest"]].tolist() == pytest.approx([0.4, 1.2])
    assert lead_in_totals(AMOUNTS, SIZES, "a", ["a", "b", "c"], margin=2.5).loc["share", "outcome"] == "level"


def test_bounds_of_totals_are_reached_where_the_unknown_may_lie_and_only_there():
    known = pd.Series([30.0, np.nan, 12.0, np.nan, 5.0, np.nan], PARTS)
    bounds = bounds_of_totals(known, 100, SIZES, "a")
    assert bounds["share_lower"].to_dict() == {"a": 30, "b": 12, "c": 5, "rest": 0}
    assert bounds["share_upper"].to_dict() == pytest.approx({"a": 83, "b": 65, "c": 5, "rest": 53})
    assert bounds["quotient_upper"].to_dict() == pytest.approx({"a": 83 / 40, "b": 65 / 20, "c": 1.25, "rest": 53 / 36})
    # To have a's 30, b needs 18 of the 53 unknown; by quotient a has 0.75, which b has with 15 of 100, c already.
    assert bounds.loc["b", ["share_passes", "quotient_passes"]].tolist() == pytest.approx([1800 / 53, 300 / 53])
    assert bounds.loc["c", "quotient_passes"] == 0
    assert bounds.loc["a"].isna().sum() == 2 and np.isnan(bounds.loc["c", "share_passes"])
    full, shares = bounds_of_totals(AMOUNTS, 100, SIZES, "a"), shares_and_quotients(AMOUNTS, SIZES)["share"].tolist()
    assert full["share_lower"].tolist() == full["share_upper"].tolist() == pytest.approx(shares)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lead_in_totals(AMOUNTS.droplevel(0), SIZES, "a", ["a", "b"]), "each region and part of it"),
        (lambda: lead_in_totals(-AMOUNTS, SIZES, "a", ["a", "b"]), "must not be negative"),
        (lambda: lead_in_totals(AMOUNTS.where(AMOUNTS > 5), SIZES, "a", ["a", "b"]), "no amount for"),
        (lambda: lead_in_totals(AMOUNTS, SIZES[1:], "a", ["a", "b"]), "no reference for"),
        (lambda: lead_in_totals(AMOUNTS, SIZES, "d", ["d", "b"]), "unknown region 'd'"),
        (lambda: lead_in_totals(AMOUNTS, SIZES, "a", ["a"]), "one other or more"),
        (lambda: lead_in_totals(AMOUNTS, SIZES, "a", ["a", "b"], margin=1), "margin"),
        (lambda: bounds_of_totals(AMOUNTS, 99, SIZES, "a"), "total"),
        (lambda: bounds_of_totals(AMOUNTS, 100, SIZES, "d"), "unknown region 'd'"),
    ],
)
def test_totals_that_cannot_be_compared_are_refused(call, words):
    with pytest.raises(ClusterlibError, match=words):
        call()

"""The four syndromes: each severity is recomputed another way, lies in 0 to 100 and moves as the argument says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from clusterlib.diagnosis import (
    SYNDROMES,
    Severity,
    architecture_imbalance,
    data_dormancy,
    diagnose,
    ecosystem_isolation,
    measure_syndromes,
    with_coordination,
)
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.study.diagnosis._assessment import contrasts, rank_among, verdict
from clusterlib.study.diagnosis.indicators import load_province_panel

YEARS = [2020, 2021]


def panel(**columns) -> pd.DataFrame:
    units = len(next(iter(columns.values()))) // len(YEARS)
    index = pd.MultiIndex.from_product([range(units), YEARS], names=["adcode", "year"])
    return pd.DataFrame(columns, index=index, dtype=float)


@pytest.fixture(scope="module")
def random_panel() -> pd.DataFrame:
    random = np.random.default_rng(3)
    units = 20
    index = pd.MultiIndex.from_product([range(units), range(2016, 2022)], names=["adcode", "year"])
    quotient = np.exp(random.normal(size=units))[index.get_level_values(0)]
    spread = 0.3 * np.log(quotient) + random.normal(scale=0.5, size=len(index))
    return pd.DataFrame(
        {"quotient": quotient, "websites": spread, "shops": spread + random.normal(size=len(index))}, index
    )


def test_dormancy_without_bootstrap_is_the_distance_to_the_best_ratio_of_the_year():
    # With non-increasing returns a unit may be scaled down to be a benchmark, and not up.
    data = panel(ports=[1, 1, 2, 2, 4, 4], sales=[2, 2, 1, 4, 8, 2])
    severity = data_dormancy(data, ["ports"], ["sales"], draws=0).table["severity"]
    np.testing.assert_allclose(severity[:, 2020], [0, 75, 0], atol=1e-9)
    # In 2021 the third unit with 4 ports is held against the second, scaled no higher than it is: 4 instead of 2.
    np.testing.assert_allclose(severity[:, 2021], [0, 0, 50], atol=1e-9)


def test_dormancy_is_driven_by_the_output_that_falls_short():
    data = panel(ports=[1.0] * 6, software=[4, 4, 2, 2, 4, 4], shops=[4, 4, 4, 4, 1, 1])
    drivers = data_dormancy(data, ["ports"], ["software", "shops"], draws=0).drivers
    assert drivers.loc[(1, 2020)].tolist() == [100, 0]
    assert drivers.loc[(2, 2020)].tolist() == [0, 100]
    assert drivers.loc[(0, 2020)].tolist() == [0, 0]


def test_the_bootstrap_makes_dormancy_worse_and_bounds_it():
    random = np.random.default_rng(0)
    ports = random.uniform(1, 5, 24)
    data = panel(ports=ports, sales=ports**0.8 * np.exp(-np.abs(random.normal(scale=0.4, size=24))))
    plain = data_dormancy(data, ["ports"], ["sales"], draws=0).table["severity"]
    table = data_dormancy(data, ["ports"], ["sales"], draws=60, seed=1).table
    assert (table["severity"] >= plain - 1e-9).all()
    assert ((table["lower"] <= table["upper"]) & (table["lower"] >= plain - 1e-6)).all()
    again = data_dormancy(data, ["ports"], ["sales"], draws=60, seed=1).table
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("returns", ["non-increasing", "constant", "variable"])
def test_dormancy_has_the_corrected_efficiency_and_the_bounds_of_data_envelopment(returns):
    from clusterlib.efficiency import data_envelopment

    random = np.random.default_rng(8)
    amounts = panel(**{name: random.uniform(1, 9, 32) for name in ("ports", "traffic", "software", "shops")})
    inputs, outputs = ["ports", "traffic"], ["software", "shops"]
    severity = data_dormancy(amounts, inputs, outputs, returns=returns, draws=25, seed=4)
    expected = data_envelopment(
        amounts[inputs], amounts[outputs], returns=returns, orientation="output", groups="year", bootstrap=25, seed=4
    ).table[["corrected", "upper", "lower"]]
    np.testing.assert_allclose(severity.table, 100 * (1 - expected), atol=1e-7)
    bounds = np.percentile(severity.draws, [2.5, 97.5], axis=1)
    np.testing.assert_allclose(bounds.T, severity.table[["lower", "upper"]], atol=0.5)


def test_the_slope_of_coordination_on_concentration_is_reported_with_bounds(random_panel):
    result = architecture_imbalance(random_panel, "quotient", ["websites", "shops"], draws=30)
    estimates = result.estimates
    assert list(estimates.index) == ["slope", "median_slope"]
    assert (estimates["lower"] <= estimates["upper"]).all()
    # Both parts were made to rise with the logarithm of the quotient.
    assert estimates.loc["median_slope", "lower"] > 0
    assert result.draws.shape == (len(random_panel), 30)
    assert (estimates["lower"] < estimates["estimate"] + 0.1).all()
    assert (estimates["upper"] > estimates["estimate"] - 0.1).all()
    # The intercepts of years are all above the slopes.
    assert estimates["upper"].max() < 0.5


def test_coordination_is_not_made_of_what_concentration_is_measured_by():
    panel = load_province_panel()
    moved = panel.copy()
    for name in ("software_revenue", "software_revenue_share", "it_services_revenue_per_capita"):
        moved.loc[110000, name] = 3 * moved.loc[110000, name].to_numpy()
    for name in ("websites_per_100_enterprises", "ecommerce_enterprise_share"):
        moved.loc[440000, name] = 2 * moved.loc[440000, name].to_numpy()
    before, after = with_coordination(panel), with_coordination(moved)
    pd.testing.assert_series_equal(before["coordination"], after["coordination"])
    assert after.loc[(110000, 2023), "software_quotient"] > before.loc[(110000, 2023), "software_quotient"]


def test_architecture_is_worse_for_the_unit_that_coordinates_less_at_the_same_concentration(random_panel):
    worse = random_panel.copy()
    worse.loc[3, "websites"] = worse["websites"].min()
    before, after = (
        architecture_imbalance(data, "quotient", ["websites", "shops"], draws=5).table["severity"]
        for data in (random_panel, worse)
    )
    assert (after[3] >= before[3]).all() and (after[3] > before[3] + 1).any()
    assert before.between(0, 100).all()
    # Nine in ten fall short of the ninth decile, up to the points that the fit goes through.
    assert 0.8 < (before > 0).mean() <= 0.9


def test_a_concentration_of_zero_is_refused_with_its_place(random_panel):
    with pytest.raises(InvalidInputError, match=r"not positive, the first at \(0, 2016\), 'quotient'"):
        architecture_imbalance(random_panel.assign(quotient=0.0), "quotient", ["websites"])


def test_isolation_is_a_hundred_without_any_link_and_nil_with_the_most():
    links = panel(trade=[0, 0, 5, 5, 10, 10], network=[0, 0, 1, 1, 2, 2])
    result = ecosystem_isolation(links, draws=20)
    np.testing.assert_allclose(result.table["severity"], [100, 100, 50, 50, 0, 0])
    assert (result.table["lower"] <= result.table["severity"]).all()
    np.testing.assert_allclose(result.drivers.sum(axis=1), [100, 100, 100, 100, 0, 0])


def severity(values: list[float]) -> Severity:
    index = pd.MultiIndex.from_product([[1, 2], YEARS], names=["adcode", "year"])
    table = pd.DataFrame(dict.fromkeys(("severity", "lower", "upper"), values), index)
    return Severity("data_dormancy", table, table[["severity"]])


def test_a_region_is_the_weighted_mean_of_its_units_that_have_a_severity():
    weights = pd.Series({1: 3.0, 2: 1.0})
    of = severity([10, 20, 50, np.nan]).of_region([1, 2], weights)
    assert of["severity"].tolist() == [20, 20]
    assert of["units"].tolist() == [2, 1]
    with pytest.raises(InvalidInputError, match="no unit of the region"):
        severity([1, 2, 3, 4]).of_region([7], weights)
    with pytest.raises(InvalidInputError, match=r"weights: 2 has no label"):
        severity([1, 2, 3, 4]).of_region([1, 2], pd.Series({1: 1.0}))
    with pytest.raises(InvalidInputError, match="2 has no label or more than one"):
        severity([1, 2, 3, 4]).of_region([1, 2], pd.Series([1.0, 2.0, 3.0], [1, 2, 2]))


def test_the_bounds_of_a_region_are_of_its_mean_in_each_draw():
    index = pd.MultiIndex.from_product([[1, 2], [2020]], names=["adcode", "year"])
    draws = np.array([[0.0, 100.0] * 50, [100.0, 0.0] * 50])
    table = pd.DataFrame({"severity": [50.0, 50.0], "lower": 0.0, "upper": 100.0}, index)
    of = Severity("data_dormancy", table, table[["severity"]], {"level": 0.95}, draws).of_region(
        [1, 2], pd.Series({1: 1, 2: 1})
    )
    # One unit's error makes up for the other's: means of the bounds would be 0 and 100.
    assert of.loc[2020, ["lower", "upper"]].tolist() == [50, 50]
    with pytest.raises(InvalidInputError, match="there are no draws"):
        severity([1, 2, 3, 4]).draws_of_region([1], pd.Series({1: 1.0}))


def made_up(draws: dict[int, tuple]) -> tuple[Severity, pd.Series]:
    """Severities of units in 2020 and 2023, the same in all draws but for noise that moves all alike."""
    index = pd.MultiIndex.from_product([draws, [2020, 2023]], names=["adcode", "year"])
    points = np.array([value for pair in draws.values() for value in pair], dtype=float)
    noise = np.linspace(-5, 5, 41)
    table = pd.DataFrame({"severity": points, "lower": points - 5, "upper": points + 5}, index)
    result = Severity("data_dormancy", table, table[["severity"]], {"level": 0.95}, points[:, None] + noise)
    return result, pd.Series(1.0, index)


def test_contrasts_are_differences_within_a_draw():
    # Beijing, Tianjin, Hebei; Guangdong of another region; Shanxi and Henan of none.
    values = {110000: (20, 10), 120000: (30, 20), 130000: (40, 30), 440000: (1, 2), 140000: (50, 60), 410000: (70, 60)}
    result, weights = made_up(values)
    found = contrasts(result, [110000, 120000, 130000], weights, 2023, 2020)
    # The noise is the same for all and drops out of every difference.
    np.testing.assert_allclose(found.loc["change"], -10, atol=1e-9)
    np.testing.assert_allclose(found.loc["rest"], -40, atol=1e-9)
    np.testing.assert_allclose(found.loc["best"], 18, atol=1e-9)
    with pytest.raises(UnknownNameError, match="year"):
        contrasts(result, [110000], weights, 2030, 2020)


def test_ranks_count_regions_that_are_more_severe_and_how_often():
    values = dict.fromkeys((110000, 120000, 130000), (10, 20)) | {310000: (5, 30), 440000: (5, 10)}
    result, weights = made_up(values)
    points = pd.Series({"bth": 20.0, "yrd": 30.0, "gba": 10.0})
    assert rank_among(result, points, "bth", 2023, weights) == (2, 1.0)
    assert rank_among(result, points, "gba", 2023, weights) == (3, 1.0)
    assert rank_among(result, points.where(points != 20), "bth", 2023, weights)[0] == 0


@pytest.mark.parametrize(
    ("best", "rest", "said"),
    [
        ((5, 1, 9), (-3, -6, -1), "present: short of the best province; less severe"),
        ((5, 0, 9), (3, 1, 6), "not told apart from none: level with the best province; more severe"),
        ((5, 1, 9), (1, -1, 6), "present: short of the best province; not told apart from provinces outside"),
    ],
)
def test_a_verdict_is_read_off_the_contrasts(best, rest, said):
    compared = pd.DataFrame([best, rest], index=["best", "rest"], columns=["estimate", "lower", "upper"])
    assert verdict(compared, pd.Series(dtype=float), 0.95).startswith(said)


@pytest.mark.parametrize(
    ("difference", "error", "reason", "said"),
    [(0.3, 0.1, "", "present"), (0.3, 0.2, "", "not told apart from none"), (0.3, 0.1, "few", "not identified: few")],
)
def test_a_verdict_on_governance_is_read_off_the_border(difference, error, reason, said):
    border = pd.Series({"difference": difference, "se_difference": error, "reason": reason})
    assert verdict(None, border, 0.95).startswith(said)


@pytest.fixture(scope="module")
def measured():
    return measure_syndromes(10, 0)


@pytest.fixture(scope="module")
def real(measured):
    return {region: measured.diagnose(region, 2023) for region in ("bth", "yrd", "gba")}


def test_a_diagnosis_scores_every_syndrome_and_says_from_which_year(real):
    for diagnosis in real.values():
        scores = diagnosis.scores
        assert list(scores.index) == list(SYNDROMES)
        assert scores.loc["data_dormancy", "year"] == 2023
        assert scores.loc["governance_imbalance", "year"] == 2020
        assert scores["severity"].dropna().between(0, 100).all()
        assert scores["rank"].between(0, 3).all()
        assert diagnosis.drivers.loc["data_dormancy", "share"].sum() in (pytest.approx(100), 0)
        assert list(diagnosis.verdicts.index) == list(SYNDROMES)
    assert sorted(d.scores.loc["data_dormancy", "rank"] for d in real.values()) == [1, 2, 3]


def test_what_the_border_model_does_not_identify_is_missing_and_has_no_rank(real):
    for diagnosis in real.values():
        row = diagnosis.scores.loc["governance_imbalance"]
        missing = diagnosis.verdicts["governance_imbalance"].startswith("not identified")
        assert missing == np.isnan(row["severity"]) == (row["rank"] == 0)
    assert any(d.scores["severity"].isna().any() for d in real.values())


def test_what_a_caller_does_to_a_result_does_not_reach_the_next(measured, real):
    before = real["yrd"].scores.copy()
    spoilt = measure_syndromes(10, 0)
    spoilt.severities["data_dormancy"].table.loc[:] = 0.0
    spoilt.border.loc[:, "difference"] = 0.0
    spoilt.gdp.loc[:] = 1.0
    pd.testing.assert_frame_equal(diagnose("yrd", 2023, draws=10).scores, before)
    pd.testing.assert_frame_equal(measured.diagnose("yrd", 2023).scores, before)


def test_guangdong_stands_for_the_greater_bay_area(real):
    row, province = real["gba"].scores.loc["data_dormancy"], real["gba"].provinces.loc[("data_dormancy", 440000)]
    assert row["severity"] == pytest.approx(province["severity"])
    assert row["lower"] == pytest.approx(province["lower"], abs=0.5)


def test_unknown_regions_and_years_are_refused(measured):
    with pytest.raises(UnknownNameError, match="did you mean 'yrd'"):
        diagnose("ydr", 2023)
    with pytest.raises(UnknownNameError, match="year"):
        diagnose("yrd", 2030, draws=10)
    with pytest.raises(InvalidInputError, match="year='2023': expected a whole number"):
        measured.diagnose("yrd", "2023")


def test_a_region_whose_border_cannot_be_estimated_has_a_diagnosis_all_the_same(measured):
    border = measured.border.copy()
    border.loc["gba", border.columns.drop("reason")] = np.nan
    border.loc["gba", "reason"] = "2 pair(s) of neighbours across the border: at least 6 are needed"
    governance = measured.severities["governance_imbalance"]
    table = governance.table.copy()
    table.loc["gba"] = np.nan
    severities = dict(measured.severities) | {"governance_imbalance": replace(governance, table=table)}
    diagnosis = replace(measured, severities=severities, border=border).diagnose("gba", 2023)
    assert diagnosis.scores.loc["governance_imbalance", ["units", "rank"]].tolist() == [0, 0]
    assert diagnosis.verdicts["governance_imbalance"].startswith("not identified: 2 pair")


def test_results_show_people_a_title_a_table_and_what_stands_below(measured, real):
    text = str(measured.severities["data_dormancy"].summary())
    assert text.startswith("Data dormancy 数据沉睡症: severity from 0 (none) to 100") and "2023" in text.splitlines()[2]
    assert "verdict" in str(real["yrd"].summary()) and "region: yrd" in str(real["yrd"].summary())
    assert measured.table.loc[("data_dormancy", 2023), "yrd"] == real["yrd"].scores.loc["data_dormancy", "severity"]
    assert "<table" in measured._repr_html_()


def test_a_frontier_is_that_of_the_year_whatever_the_index_is_called():
    data = panel(ports=[1, 1, 2, 2, 4, 4], sales=[2, 2, 1, 4, 8, 2])
    named, nameless = (
        data_dormancy(data.rename_axis(names), "ports", "sales", draws=0).table
        for names in (["adcode", "year"], [None, None])
    )
    np.testing.assert_array_equal(nameless["severity"], named["severity"])
    assert nameless["severity"].tolist() == pytest.approx([0, 0, 75, 0, 0, 50])


def test_a_concentration_that_is_the_same_for_all_is_refused(random_panel):
    with pytest.raises(InvalidInputError, match="'quotient' is the same for all units"):
        architecture_imbalance(random_panel.assign(quotient=2.0), "quotient", ["websites"])


def test_without_draws_there_are_severities_and_no_bounds(random_panel):
    parts = ["websites", "shops"]
    for result, drawn in (
        (architecture_imbalance(random_panel, "quotient", parts, draws=d) for d in (0, 5)),
        (ecosystem_isolation(random_panel[parts], draws=d) for d in (0, 5)),
    ):
        assert result.draws is None and result.table[["lower", "upper"]].isna().all(axis=None)
        pd.testing.assert_series_equal(result.table["severity"], drawn.table["severity"])
        assert result.of_region([0, 1], pd.Series({0: 1.0, 1: 1.0}))["severity"].notna().all()

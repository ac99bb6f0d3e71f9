"""Treatment dates, two-way estimates, event studies, decomposition and placebo test: R, dummies, loops, known truth."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.did import event_study, first_treated, goodman_bacon, placebo_test, twoway_did
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "did_produc.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def produc() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    return data.assign(y=np.log(data["gsp"]))[["y", "unemp"]]


@pytest.fixture(scope="module")
def dates(produc) -> pd.Series:
    states = produc.index.unique(0).sort_values()
    return pd.Series([[1976, 1979, 1982, np.nan][i % 4] for i in range(len(states))], index=states)


def panel(units=24, periods=8, seed=0, effect=0.0) -> tuple[pd.DataFrame, pd.Series]:
    """A panel of years from 2010 with cohorts in the fourth and sixth period; a third of the units never treated."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(units), range(2010, 2010 + periods)], names=["adcode", "year"])
    first = pd.Series([[2013, 2015, np.inf][i % 3] for i in range(units)], index=pd.RangeIndex(units, name="adcode"))
    data = pd.DataFrame({"x": random.normal(size=len(index)), "e": random.normal(size=len(index))}, index=index)
    treated = index.get_level_values(1) >= first.reindex(index.get_level_values(0)).to_numpy()
    level, trend = random.normal(size=units).repeat(periods), np.tile(random.normal(size=periods), units)
    data["y"] = level + trend + 0.5 * data["x"] + effect * treated + data["e"]
    return data, first


def dummy_ols(data: pd.DataFrame, y: str, X: pd.DataFrame, cluster=None, lost=1):
    """Least squares with all dummies but the first ``lost`` of time, and errors by cluster, from statsmodels."""
    import statsmodels.api as sm

    unit, time = (data.index.get_level_values(level) for level in (0, 1))
    dummies = [
        pd.get_dummies(pd.Series(unit), dtype=float),
        pd.get_dummies(pd.Series(time), dtype=float).iloc[:, lost:],
    ]
    design = pd.concat([X.reset_index(drop=True), *dummies], axis=1)
    design.columns = [*X.columns, *(f"d{i}" for i in range(design.shape[1] - X.shape[1]))]
    groups = pd.factorize(unit if cluster is None else cluster)[0]
    options = {"groups": groups, "use_correction": False}
    return sm.OLS(data[y].to_numpy(), design).fit(cov_type="cluster", cov_kwds=options)


def correction(n: int, slopes: int, periods: int, clusters: int) -> float:
    return (clusters / (clusters - 1) * (n - 1) / (n - slopes - periods)) ** 0.5


# --- dates -----------------------------------------------------------------------------------------------------------


def test_dates_are_the_same_from_a_list_a_column_of_dates_and_an_indicator():
    data, first = panel()
    unit, year = (data.index.get_level_values(level) for level in (0, 1))
    data["date"] = first.reindex(unit).replace(np.inf, 0).to_numpy()
    data["now"] = (year >= first.reindex(unit).to_numpy()).astype(int)
    shuffled = data.sample(frac=1, random_state=1)
    for treatment in (first, first.replace(np.inf, np.nan), first[np.isfinite(first)], "date", "now"):
        pd.testing.assert_series_equal(first_treated(shuffled, treatment), first.rename("first_treated"))


def test_a_unit_treated_after_the_panel_and_one_outside_it_do_not_count():
    data, first = panel()
    listed = pd.concat([first, pd.Series({999: 2013.0})])
    listed[0] = 2030
    assert first_treated(data, listed)[0] == np.inf
    assert 999 not in first_treated(data, listed).index


def test_an_indicator_may_switch_on_in_period_zero():
    index = pd.MultiIndex.from_product([["a", "b"], [-1, 0, 1]])
    assert first_treated(pd.DataFrame({"d": [0, 1, 1, 0, 0, 0]}, index), "d").tolist() == [0, np.inf]


@pytest.mark.parametrize("listed", [False, True])
def test_a_unit_that_enters_the_panel_treated_has_no_period_to_compare_with(listed):
    data, first = panel()
    now = data.index.get_level_values(1) >= first.reindex(data.index.get_level_values(0)).to_numpy()
    data = data.assign(now=now.astype(int))
    late = data.drop([(0, year) for year in range(2010, 2015)] + [(4, year) for year in range(2010, 2015)])
    treatment = first if listed else "now"
    since = 2013 if listed else 2015
    words = (
        rf"^2 unit\(s\) are treated in all periods, the first is 0, seen from 2015 and treated from {since} on: 0, 4 "
    )
    for method in (lambda: first_treated(late, treatment), lambda: event_study(late, "y", treatment)):
        with pytest.raises(InvalidInputError, match=words):
            method()
    seen = data.drop([(0, year) for year in range(2010, 2012)])
    assert first_treated(seen, treatment)[0] == 2013


def _bad_dates():
    data, first = panel()
    now = (data.index.get_level_values(1) >= first.reindex(data.index.get_level_values(0)).to_numpy()).astype(float)
    data = data.assign(now=now, word="x")
    off, hole, dose = data.copy(), data.copy(), data.copy()
    off.loc[(0, 2016), "now"] = 0
    hole.loc[(0, 2016), "now"] = np.nan
    dose.loc[(0, 2016), "now"] = 0.5
    return [
        (
            data,
            first.where(first != 2013, 2010),
            InvalidInputError,
            "8 unit.s. are treated in all periods, the first is 0",
        ),
        (off, "now", InvalidInputError, r"switches off at \(0, 2016\)"),
        (hole, "now", InvalidInputError, r"missing at \(0, 2016\)"),
        (dose, "now", InvalidInputError, r"is 0.5 at \(0, 2016\)"),
        (data, first * np.nan, InvalidInputError, "no unit is first treated between 2011 and 2017"),
        (data, first.set_axis(first.index + 1000), InvalidInputError, "none of its 24 units is in the panel"),
        (data, pd.concat([first, first[:1]]), InvalidInputError, "0 is listed twice"),
        (data, "nwo", UnknownNameError, "did you mean 'now'"),
        (data, "word", InvalidInputError, "not numbers: word"),
        (data.reset_index(), first, InvalidInputError, "two levels"),
        (data.rename(index=str, level=1), first, InvalidInputError, "must be a whole number"),
    ]


@pytest.mark.parametrize(("data", "treatment", "error", "words"), _bad_dates())
def test_treatments_that_make_no_sense_are_refused_with_their_place(data, treatment, error, words):
    with pytest.raises(error, match=words):
        first_treated(data, treatment)


METHODS = {
    "twoway": lambda data, first, y="y": twoway_did(data, y, first, draws=0),
    "event": lambda data, first, y="y": event_study(data, y, first),
    "bacon": lambda data, first, y="y": goodman_bacon(data, y, first),
    "placebo": lambda data, first, y="y": placebo_test(data, y, first, draws=9),
}


@pytest.mark.parametrize("method", METHODS)
def test_missing_values_and_unknown_columns_are_refused_by_every_estimator(method):
    data, first = panel()
    with pytest.raises(UnknownNameError, match="unknown column 'z'"):
        METHODS[method](data, first, "z")
    data.loc[(3, 2012), "y"] = np.nan
    with pytest.raises(InvalidInputError, match=r"missing or infinite.*\(3, 2012\), 'y'"):
        METHODS[method](data, first)


@pytest.mark.parametrize("method", ["bacon", "placebo"])
def test_estimators_that_need_balance_name_the_first_missing_row(method):
    data, first = panel()
    with pytest.raises(InvalidInputError, match=r"not balanced: 1 of 192 rows are missing, the first is \(3, 2012\)"):
        METHODS[method](data.drop((3, 2012)), first)


# --- two-way estimate -------------------------------------------------------------------------------------------------


def test_twoway_estimate_and_errors_by_state_equal_r(produc, dates):
    result = twoway_did(produc, "y", dates, "unemp", draws=0)
    factor = correction(816, 2, 17, 48)
    for source in ("static", "plm"):
        coefficients, errors = EXPECTED[f"{source}_coef"], EXPECTED[f"{source}_se_hc0"]
        np.testing.assert_allclose(result.table["estimate"], list(coefficients.values()), rtol=1e-10)
        np.testing.assert_allclose(result.table["std_error"], np.array(list(errors.values())) * factor, rtol=1e-10)
    assert (result.observations, result.units, result.treated_units, result.clusters) == (816, 48, 36, 48)


def test_twoway_estimate_of_an_unbalanced_panel_equals_r(produc, dates):
    rank = {state: i for i, state in enumerate(dates.index, start=1)}
    keep = [(rank[state] * 7 + year) % 11 != 0 for state, year in produc.index]
    result = twoway_did(produc[keep], "y", dates, "unemp", draws=0)
    assert result.observations == EXPECTED["unbalanced_rows"]
    np.testing.assert_allclose(result.table["estimate"], list(EXPECTED["unbalanced_coef"].values()), rtol=1e-10)
    errors = np.array(list(EXPECTED["unbalanced_se_hc0"].values())) * correction(741, 2, 17, 48)
    np.testing.assert_allclose(result.table["std_error"], errors, rtol=1e-10)


def test_clusters_of_units_and_period_effects_by_group_equal_dummy_regressions():
    data, first = panel(effect=1.0)
    treated = data.index.get_level_values(1) >= first.reindex(data.index.get_level_values(0)).to_numpy()
    X = pd.DataFrame({"treated": treated.astype(float), "x": data["x"]}, index=data.index)
    province = pd.Series(first.index // 4, index=first.index)
    each = province.reindex(data.index.get_level_values(0)).to_numpy()
    result, plain = twoway_did(data, "y", first, "x", cluster=province, draws=0), dummy_ols(data, "y", X, each)
    np.testing.assert_allclose(result.table["estimate"], plain.params.iloc[:2], rtol=1e-10)
    factor = correction(192, 2, 8, 6)
    np.testing.assert_allclose(result.table["std_error"], plain.bse.iloc[:2] * factor, rtol=1e-10)
    assert result.clusters == 6

    half = pd.Series(first.index % 2, index=first.index)
    code = data.index.get_level_values(1) * 10 + half.reindex(data.index.get_level_values(0)).to_numpy()
    grouped = data.set_axis(pd.MultiIndex.from_arrays([data.index.get_level_values(0), code]))
    result = twoway_did(data.assign(half=code % 10), "y", first, "x", periods_by="half", draws=0)
    plain = dummy_ols(grouped, "y", X.set_axis(grouped.index), lost=2)
    np.testing.assert_allclose(result.table["estimate"], plain.params.iloc[:2], rtol=1e-9)
    np.testing.assert_allclose(result.table["std_error"], plain.bse.iloc[:2] * correction(192, 2, 16, 24), rtol=1e-9)


def test_period_effects_of_many_groups_are_taken_out_to_the_last_digits():
    random, groups, periods = np.random.default_rng(0), 30, 17
    group = pd.Series(np.repeat(np.arange(groups), random.integers(2, 18, groups)))
    unit, year = group.index.repeat(periods), np.tile(np.arange(periods), len(group))
    first = pd.Series(np.where(group.index % 3, np.inf, random.integers(3, 15, len(group))))
    treated = (year >= first[unit].to_numpy()).astype(float)
    period = groups * year + group[unit].to_numpy()
    y = 7 + 0.12 * year + group[unit].to_numpy() / 10 + 0.3 * treated + random.normal(0, 0.05, len(unit))
    dummies = [unit.to_numpy()[:, None] == group.index.to_numpy(), period[:, None] == np.arange(groups * periods)]
    design = np.column_stack([treated, *dummies]).astype(float)
    expected = np.linalg.lstsq(design, y, rcond=1e-10)[0][0]
    data = pd.DataFrame({"y": y}, index=pd.MultiIndex.from_arrays([unit, year]))
    assert twoway_did(data, "y", first, periods_by=group, draws=0).estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2], ids=["units", "pairs of units"])
def test_wild_bootstrap_equals_an_enumeration_of_all_signs_with_full_dummies(size):
    data, _ = panel(units=6 * size, periods=5, seed=3)
    first, group = pd.Series({0: 2012, 1: 2013, 3: 2013}), pd.Series(range(6 * size)) // size
    unit, year = (data.index.get_level_values(level).to_numpy() for level in (0, 1))
    treated = year >= first.reindex(unit).to_numpy()
    X = pd.DataFrame({"treated": treated.astype(float), "x": data["x"]}, index=data.index)
    restricted = dummy_ols(data, "y", X[["x"]])
    actual, exceeding = abs(dummy_ols(data, "y", X, unit // size).tvalues["treated"]), 0
    for signs in itertools.product([-1, 1], repeat=6):
        flipped = restricted.fittedvalues.to_numpy() + np.array(signs)[unit // size] * restricted.resid.to_numpy()
        again = dummy_ols(data.assign(y=flipped), "y", X, unit // size).tvalues["treated"]
        exceeding += abs(again) > actual * (1 + 1e-9)
    result = twoway_did(data, "y", first, "x", cluster=group, draws=999)
    assert result.draws == 64
    assert result.wild_p == pytest.approx(exceeding / 64, abs=1e-12)
    assert (result.wild_lower <= 0 <= result.wild_upper) == (result.wild_p >= 0.05)


def test_wild_p_is_no_smaller_than_the_number_of_sign_vectors_allows_which_a_note_says():
    data, first = panel(units=12, effect=50.0)
    group = pd.Series(np.arange(12) // 3)
    result = twoway_did(data, "y", first, cluster=group)
    assert (result.clusters, result.draws) == (4, 16)
    assert result.wild_p == 0.125
    assert (result.wild_lower, result.wild_upper) == (-np.inf, np.inf)
    assert "4 clusters allow 8 different draws: no p value can be below 0.125" in result.notes[0]
    assert result.notes[0] in str(result.summary()) and result.notes[0] in result._repr_html_()
    assert not twoway_did(data, "y", first).notes
    assert not twoway_did(data, "y", first, cluster=group, draws=0).notes


def test_wild_bootstrap_is_the_same_for_a_seed_and_any_order_of_rows():
    data, first = panel(effect=0.3)
    shuffled = data.sample(frac=1, random_state=2)
    p = [twoway_did(d, "y", first, draws=199, seed=s).wild_p for d, s in ((data, 1), (shuffled, 1), (data, 2))]
    assert p[0] == p[1] != p[2]


def test_regressors_that_the_effects_absorb_are_named():
    data, first = panel()
    data["flat"], data["twin"] = data.index.get_level_values(0) * 2.0, data["x"] * 3
    with pytest.raises(InvalidInputError, match=r"cannot be told apart.*: flat$"):
        twoway_did(data, "y", first, ["x", "flat"])
    with pytest.raises(InvalidInputError, match=r"cannot be told apart.*: (x|twin)$"):
        twoway_did(data, "y", first, ["x", "twin"])
    with pytest.raises(InvalidInputError, match="a control is called 'treated'"):
        twoway_did(data.rename(columns={"x": "treated"}), "y", first, "treated")


def test_groupings_that_are_none_are_refused():
    data, first = panel()
    with pytest.raises(UnknownNameError, match="unknown cluster 'provinc'"):
        twoway_did(data, "y", first, cluster="provinc")
    with pytest.raises(InvalidInputError, match="cluster: 0 has no label"):
        twoway_did(data, "y", first, cluster=pd.Series({1: "a"}))
    with pytest.raises(InvalidInputError, match="one cluster only"):
        twoway_did(data, "y", first, cluster=pd.Series("a", index=first.index))
    with pytest.raises(InvalidInputError, match="unit 0 is in more than one group"):
        twoway_did(data.assign(g=range(len(data))), "y", first, cluster="g")


# --- event study ------------------------------------------------------------------------------------------------------


def test_event_study_equals_r(produc, dates):
    result = event_study(produc, "y", dates, leads=4, lags=3)
    table, factor = result.table.drop(-1), correction(816, 7, 17, 48)
    assert table.index.tolist() == EXPECTED["event_time"]
    np.testing.assert_allclose(table["estimate"], EXPECTED["event_coef"], rtol=1e-9)
    np.testing.assert_allclose(table["std_error"], np.array(EXPECTED["event_se_hc0"]) * factor, rtol=1e-9)
    assert result.pretrend_statistic == pytest.approx(EXPECTED["event_wald_hc0"] / factor**2 / 3, rel=1e-9)
    assert result.pretrend_df == (3, 47)


def test_event_study_of_an_unbalanced_panel_equals_dummy_regression_and_its_wald_test():
    data, first = panel(effect=1.0, seed=5)
    data = data.sample(frac=0.85, random_state=3).sort_index()
    result = event_study(data, "y", first, leads=3, lags=2, controls="x")
    event = data.index.get_level_values(1) - first.reindex(data.index.get_level_values(0)).to_numpy()
    columns = {f"e{e}": (np.clip(event, -3, 2) == e) & np.isfinite(event) for e in (-3, -2, 0, 1, 2)}
    X = pd.DataFrame(columns, index=data.index).astype(float).assign(x=data["x"])
    plain, factor = dummy_ols(data, "y", X), correction(len(data), 6, 8, 24)
    np.testing.assert_allclose(result.table["estimate"].drop(-1), plain.params.iloc[:5], rtol=1e-9)
    np.testing.assert_allclose(result.table["std_error"].drop(-1), plain.bse.iloc[:5] * factor, rtol=1e-9)
    assert result.controls.loc["x", "estimate"] == pytest.approx(plain.params["x"])
    wald = plain.wald_test("e-3 = 0, e-2 = 0", use_f=False, scalar=True).statistic
    assert result.pretrend_statistic == pytest.approx(wald / factor**2 / 2, rel=1e-9)
    counts = pd.Series(np.clip(event[np.isfinite(event)], -3, 2)).value_counts()
    assert result.table["treated"].to_dict() == counts.to_dict()


def test_event_study_finds_a_path_of_effects_and_a_trend_before_treatment():
    data, first = panel(units=120, periods=10, seed=1)
    event = data.index.get_level_values(1) - first.reindex(data.index.get_level_values(0)).to_numpy()
    path = np.where(event >= 0, 1 + 0.5 * np.clip(event, 0, 2), 0.0)
    clean = event_study(data.assign(y=data["y"] + path), "y", first, leads=3, lags=2)
    np.testing.assert_allclose(clean.table.loc[0:, "estimate"], [1, 1.5, 2], atol=0.45)
    assert clean.pretrend_p > 0.05
    drift = np.where(np.isfinite(event), 0.5 * (data.index.get_level_values(1) - 2010), 0.0)
    assert event_study(data.assign(y=data["y"] + drift), "y", first, leads=3, lags=2).pretrend_p < 0.001


def test_event_study_without_a_reference_period_or_leads_is_refused():
    data, first = panel()
    gap = data[~data.index.get_level_values(1).isin([2012, 2014])]
    with pytest.raises(InvalidInputError, match="no treated unit is seen in the period before"):
        event_study(gap, "y", first)
    with pytest.raises(InvalidInputError, match="leads=1: expected a whole number of at least 2"):
        event_study(data, "y", first, leads=1)


def test_joint_test_is_missing_where_there_are_as_many_leads_as_clusters():
    data, _ = panel(units=3, periods=8)
    result = event_study(data, "y", pd.Series({0: 2015}), leads=5, lags=1)
    assert np.isnan(result.pretrend_p) and result.pretrend_df == (4, 2)


def test_more_coefficients_and_effects_than_rows_are_refused():
    index = pd.MultiIndex.from_product([["a", "b"], [2014, 2015]])
    data = pd.DataFrame({"y": [1.0, 4.0, 2.0, 3.0]}, index)
    with pytest.raises(InvalidInputError, match="4 rows for 1 coefficients and 3 effects: there must be more rows"):
        twoway_did(data, "y", pd.Series({"a": 2015}), draws=0)


# --- decomposition ----------------------------------------------------------------------------------------------------


def test_goodman_bacon_equals_regressions_on_subsamples_in_r(produc, dates):
    result = goodman_bacon(produc, "y", dates)
    table = result.comparisons.set_index(["treated", "control"])
    assert len(table) == len(EXPECTED["bacon"]) == 9
    for key, (estimate, weight) in EXPECTED["bacon"].items():
        treated, control = (float(part) for part in key.split())
        np.testing.assert_allclose(
            table.loc[(treated, control), ["estimate", "weight"]].astype(float), [estimate, weight], rtol=1e-9
        )
    assert result.twfe == pytest.approx(EXPECTED["twfe"], rel=1e-10)
    later = [k for k in EXPECTED["bacon"] if float(k.split()[0]) > float(k.split()[1])]
    assert result.forbidden_weight == pytest.approx(sum(EXPECTED["bacon"][k][1] for k in later))


@given(st.lists(st.sampled_from([2, 3, 4, 5, 9]), min_size=4, max_size=12), st.integers(0, 10**6), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_weights_sum_to_one_and_reproduce_the_twoway_estimate(cohorts, seed, gap):
    cohorts[0], cohorts[1] = 3, 9
    years = [year for year in range(1, 7) if not gap or year != 3 + gap]
    index = pd.MultiIndex.from_product([range(len(cohorts)), years])
    data = pd.DataFrame({"y": np.random.default_rng(seed).normal(size=len(index))}, index=index)
    result = goodman_bacon(data, "y", pd.Series(cohorts))
    assert (result.comparisons["weight"] > 0).all()
    assert result.comparisons["weight"].sum() == pytest.approx(1, abs=1e-10)
    total = (result.comparisons["weight"] * result.comparisons["estimate"]).sum()
    estimate = twoway_did(data, "y", pd.Series(cohorts), draws=0).estimate
    assert total == pytest.approx(estimate, abs=1e-10)
    assert result.twfe == pytest.approx(estimate, abs=1e-10)
    by_kind = result.by_kind
    assert (by_kind["weight"] * by_kind["estimate"]).sum() == pytest.approx(estimate, abs=1e-10)


def test_effects_that_grow_bias_only_the_comparisons_with_the_already_treated():
    data, first = panel()
    event = data.index.get_level_values(1) - first.reindex(data.index.get_level_values(0)).to_numpy()
    result = goodman_bacon(data.assign(y=np.where(event >= 0, 1.0 + event, 0.0)), "y", first)
    estimates = result.by_kind["estimate"]
    assert estimates["treated vs never treated"] > 1 and estimates["earlier vs later treated"] > 1
    assert estimates["later vs earlier treated"] < 0


def test_one_cohort_alone_has_nothing_to_compare_with():
    data, first = panel()
    with pytest.raises(InvalidInputError, match="all units are first treated in 2013"):
        goodman_bacon(data, "y", pd.Series(2013, index=first.index))


# --- placebo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("controls", [(), ("x",)])
def test_placebo_draws_equal_regressions_with_the_dates_they_deal_out(controls):
    data, first = panel(effect=0.5)
    test = placebo_test(data, "y", first, controls, draws=12, seed=7)
    values, which = np.unique(first, return_inverse=True)
    dealt = np.random.default_rng(7).permuted(np.tile(which, (12, 1)), axis=1)
    fits = [twoway_did(data, "y", pd.Series(values[row], first.index), controls, draws=0).estimate for row in dealt]
    np.testing.assert_allclose(test.distribution, fits, rtol=1e-9)
    actual = twoway_did(data, "y", first, controls, draws=0).estimate
    assert test.estimate == pytest.approx(actual, rel=1e-10)
    assert test.p_value == (1 + sum(abs(b) >= abs(actual) for b in fits)) / 13


def test_placebo_draws_do_not_depend_on_the_order_of_rows_or_the_size_of_blocks(monkeypatch):
    data, first = panel()
    whole = placebo_test(data, "y", first, draws=60, seed=1).distribution
    shuffled = placebo_test(
        data.sample(frac=1, random_state=4), "y", first.sample(frac=1, random_state=5), draws=60, seed=1
    )
    monkeypatch.setattr("clusterlib.core.resampling.BLOCK", 7 * 24)
    np.testing.assert_allclose(placebo_test(data, "y", first, draws=60, seed=1).distribution, whole, rtol=1e-12)
    np.testing.assert_allclose(shuffled.distribution, whole, rtol=1e-12)
    assert not np.allclose(placebo_test(data, "y", first, draws=60, seed=2).distribution, whole)


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-10, 10))
@settings(max_examples=25, deadline=None)
def test_placebo_p_ignores_units_periods_and_scale_of_the_outcome(seed, scale, shift):
    data, first = panel(units=12, periods=6, seed=seed)
    unit, year = (data.index.get_level_values(level).to_numpy(float) for level in (0, 1))
    moved = data.assign(y=scale * (data["y"] + shift * unit + (year - 2010) ** 2))
    before, after = (placebo_test(d, "y", first, draws=99, seed=seed) for d in (data, moved))
    assert after.p_value == before.p_value
    assert after.estimate == pytest.approx(scale * before.estimate, rel=1e-6, abs=1e-9 * scale)


def test_placebo_rejects_at_its_level_without_an_effect_and_mostly_with_one():
    def p(effect, seed):
        data, first = panel(units=15, seed=seed, effect=effect)
        return placebo_test(data, "y", first, draws=99, seed=seed).p_value

    # 100 tests at 10 %: more than 19 rejections would come about in two of a thousand.
    assert sum(p(0.0, seed) <= 0.1 for seed in range(100)) <= 19
    assert sum(p(2.0, seed) <= 0.1 for seed in range(20)) >= 18


def test_a_placebo_of_dates_that_are_all_the_same_is_refused():
    data, first = panel()
    with pytest.raises(InvalidInputError, match=r"cannot be told apart.*: treated$"):
        placebo_test(data, "y", pd.Series(2013, index=first.index))
    data["twin"] = data.index.get_level_values(1) >= first.reindex(data.index.get_level_values(0)).to_numpy()
    with pytest.raises(InvalidInputError, match=r"cannot be told apart.*: treated$"):
        placebo_test(data, "y", first, "twin")


def test_placebo_draws_that_deal_out_the_actual_dates_tie_with_the_estimate():
    data, _ = panel(units=6)
    test = placebo_test(data, "y", pd.Series({0: 2013, 1: 2015}), draws=999)
    values = np.sort(np.unique(test.distribution.abs().round(12)))
    assert len(values) <= test.assignments == 30
    rank = (test.distribution.abs() >= abs(test.estimate) - 1e-9).sum()
    assert test.p_value == (1 + rank) / 1000
    assert test.notes == ("2 treated of 6 units allow 30 different draws: no p value can be below 0.0333",)
    assert placebo_test(data * 0.0, "y", pd.Series({0: 2013, 1: 2015}), draws=99).p_value == 1


def test_number_of_assignments_is_the_multinomial_coefficient():
    data, _ = panel(units=9)
    test = placebo_test(data, "y", pd.Series({0: 2013, 1: 2013, 2: 2013, 3: 2015}), draws=9)
    assert test.assignments == 504
    assert test.table.loc["p_value", "value"] == test.p_value
    with pytest.raises(InvalidInputError, match="draws=0"):
        placebo_test(data, "y", pd.Series({0: 2013}), draws=0)

"""Missing figures: what each policy fills, draws and pooling against statsmodels and by hand, coverage, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.imputation.mice import MICE

from clusterlib.data import fill_missing, load_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inference import minimum_detectable_effect, pool
from clusterlib.panel import fixed_effects


def panel_of(units: int, years: int, seed: int = 0, missing: float = 0.25) -> pd.DataFrame:
    """y = 0.5 x + effects + e, with gaps in x that depend on y."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(units), range(2001, 2001 + years)], names=["unit", "year"])
    unit, year = random.normal(size=(units, 1)), random.normal(size=(1, years))
    x = (unit + year + random.normal(size=(units, years))).ravel()
    e = random.normal(size=(units, years))
    y = 0.5 * x + (unit - year + e).ravel()
    within = y - y.reshape(units, years).mean(axis=1).repeat(years)
    gone = random.random(len(x)) < stats.norm.cdf(stats.norm.ppf(missing) + 1.5 * within / within.std())
    return pd.DataFrame({"y": y, "x": np.where(gone, np.nan, x)}, index=index)


def series(values: list, first: int = 2001) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["a"], range(first, first + len(values))], names=["unit", "year"])
    return pd.DataFrame({"x": values}, index=index)


def test_what_is_left_stays_as_it_is():
    panel = panel_of(8, 5)
    filled = fill_missing(panel, policy="leave")
    pd.testing.assert_frame_equal(filled.panel, panel)
    assert not filled.imputed.any(axis=None) and len(filled.copies) == 1
    assert filled.table.loc["x", "left"] == panel["x"].isna().sum()


def test_a_line_fills_short_gaps_between_figures_and_nothing_else():
    filled = fill_missing(series([np.nan, 1, np.nan, np.nan, 4, np.nan, np.nan, np.nan, 8, np.nan]), policy="linear 2")
    known = filled.panel["x"].to_numpy()
    np.testing.assert_allclose(known[[1, 2, 3, 4, 8]], [1, 2, 3, 4, 8])
    assert np.isnan(known[[0, 5, 6, 7, 9]]).all()
    assert np.flatnonzero(filled.imputed["x"]).tolist() == [2, 3]
    assert filled.table.loc["x"].tolist() == [10, 3, 2, 5, 3]


def test_no_line_runs_from_one_unit_to_the_next():
    index = pd.MultiIndex.from_product([["a", "b"], [2001, 2002]], names=["unit", "year"])
    filled = fill_missing(pd.DataFrame({"x": [1.0, np.nan, np.nan, 4.0]}, index=index), policy="linear 9")
    assert not filled.imputed.any(axis=None)


def test_a_year_without_a_row_is_a_gap():
    panel = series([1, 2, 3, 4.0]).drop(index=("a", 2002))
    assert fill_missing(panel, policy="leave").panel.index.equals(panel.index)
    filled = fill_missing(panel, policy="linear 1")
    assert filled.panel["x"].tolist() == [1, 2, 3, 4] and filled.imputed["x"].tolist() == [False, True, False, False]


@given(
    arrays(float, (4, 6), elements=st.one_of(st.floats(-1e3, 1e3), st.just(np.nan))),
    st.sampled_from(["leave", "linear 1", "linear 3"]),
)
@settings(max_examples=40, deadline=None)
def test_figures_are_kept_counted_and_flagged(values, policy):
    index = pd.MultiIndex.from_product([range(4), range(2001, 2007)], names=["unit", "year"])
    panel = pd.DataFrame({"x": values.ravel(), "z": 1.0}, index=index)
    filled = fill_missing(panel, policy={"x": policy})
    known = panel["x"].notna()
    pd.testing.assert_series_equal(filled.panel.loc[known, "x"], panel.loc[known, "x"])
    assert (filled.imputed["x"] == (filled.panel["x"].notna() & ~known)).all()
    row = filled.table.loc["x"]
    assert row["cells"] == row["observed"] + row["filled"] + row["left"]
    assert row["filled"] == filled.imputed["x"].sum()


def test_draws_have_the_predictive_distribution_of_least_squares():
    """With one column of gaps draws are exact: Student's distribution around the prediction with dummies."""
    panel = panel_of(12, 6, seed=3) - 50.0
    gone = panel["x"].isna()
    filled = fill_missing(panel, policy={"x": "multiple 99"}, seed=1)
    more = [fill_missing(panel, policy={"x": "multiple 99"}, seed=seed).copies for seed in range(2, 13)]
    drawn = np.array([copy.loc[gone, "x"] for copies in [filled.copies, *more] for copy in copies])
    dummies = pd.get_dummies(panel.index.to_frame().astype(str), drop_first=True, dtype=float)
    X = sm.add_constant(pd.concat([panel["y"], dummies], axis=1))
    fit = sm.OLS(panel.loc[~gone, "x"], X[~gone]).fit()
    expected, df = fit.get_prediction(X[gone]), fit.df_resid
    spread = expected.se_obs * np.sqrt(df / (df - 2))
    error = spread / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected.predicted_mean) < 4.5 * error).all()
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.1)
    # What two cells of a unit share is drawn once for both.
    full = fit.cov_params().to_numpy()
    covariance = fit.scale * (np.eye(gone.sum()) + X[gone].to_numpy() @ full @ X[gone].to_numpy().T / fit.scale)
    np.testing.assert_allclose(np.cov(drawn.T), covariance * df / (df - 2), atol=0.15 * spread.max() ** 2)


def test_copies_hang_on_the_seed_alone_and_the_panel_is_their_mean():
    panel = panel_of(10, 6)
    first, again = (fill_missing(panel, policy={"x": "multiple 5"}, seed=7) for _ in range(2))
    for one, other in zip(first.copies, again.copies, strict=True):
        pd.testing.assert_frame_equal(one, other)
    shuffled = fill_missing(panel.sample(frac=1, random_state=0), policy={"x": "multiple 5"}, seed=7)
    pd.testing.assert_frame_equal(shuffled.copies[4], first.copies[4])
    pd.testing.assert_frame_equal(sum(first.copies) / 5, first.panel)
    assert not first.copies[0].equals(first.copies[1])
    # A further copy leaves those before as they are.
    pd.testing.assert_frame_equal(fill_missing(panel, policy={"x": "multiple 6"}, seed=7).copies[2], first.copies[2])


def test_amounts_stay_positive_and_shares_within_their_bounds():
    panel = np.exp(2 * panel_of(15, 6))
    assert all((copy > 0).all(axis=None) for copy in fill_missing(panel, policy="multiple 5").copies)
    share = panel_of(15, 6).assign(x=lambda frame: (10 * frame["x"]).clip(0, 20))
    free = fill_missing(share, policy={"x": "multiple 5"})
    bound = fill_missing(share, policy={"x": "multiple 5"}, bounds={"x": (0, 20)})
    assert min(copy["x"].min() for copy in free.copies) < 0
    assert all(copy["x"].between(0, 20).all() for copy in bound.copies)


def test_several_columns_with_gaps_are_all_filled():
    panel = panel_of(20, 6)
    panel.loc[np.random.default_rng(5).random(len(panel)) < 0.1, "y"] = np.nan
    filled = fill_missing(panel, policy="multiple 3")
    assert filled.panel.notna().all(axis=None) and (filled.table["filled"] > 0).all()
    only = fill_missing(panel, policy={"x": "multiple 3"})
    pd.testing.assert_series_equal(only.panel["y"], panel["y"])


def test_nothing_is_drawn_for_units_years_and_sets_that_effects_do_not_reach():
    panel = panel_of(12, 6)
    panel.loc[3, "x"] = np.nan
    panel.loc[(slice(None), 2004), "x"] = np.nan
    filled = fill_missing(panel, policy={"x": "multiple 3"})
    missing = filled.panel["x"].isna()
    assert missing.loc[3].all() and missing.xs(2004, level="year").all()
    assert not missing.drop(index=3, level="unit").drop(index=2004, level="year").any()
    # Two sets of units that have no year in common: a unit of one has no effect of a year of the other.
    apart = panel_of(12, 6, missing=0.01)
    late = apart.index.get_level_values("year") > 2003
    apart.loc[late == (apart.index.get_level_values("unit") < 6), "x"] = np.nan
    left = fill_missing(apart, policy={"x": "multiple 3"})
    assert left.table.loc["x", "left"] == 36


def test_the_declared_policy_of_shipped_indicators_is_leave_and_the_catalogue_bounds_draws():
    panel = load_panel("city", ["telecom_revenue", "value_added_secondary_share"], years="2018:2019")
    assert set(fill_missing(panel, "city").policy.values()) == {"leave"}
    panel.iloc[::7, 1] = np.nan
    panel.iloc[1::7, 1] = 99.9
    panel.iloc[2::7, 1] = 0.0
    filled = fill_missing(panel, "city", policy={"value_added_secondary_share": "multiple 2"})
    assert filled.imputed["value_added_secondary_share"].any()
    assert all(copy["value_added_secondary_share"].dropna().between(0, 100).all() for copy in filled.copies)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("linear", "expected leave, linear"),
        ("multiple 1", "expected leave, linear"),
        ({"z": "leave"}, "no such column"),
        ({"x": "multiple 5", "y": "multiple 6"}, "give one number"),
        (None, "give a policy"),
    ],
)
def test_policies_that_say_nothing_are_refused(policy, said):
    with pytest.raises(InvalidInputError, match=said):
        fill_missing(panel_of(5, 4), policy=policy)


def test_panels_that_cannot_be_filled_are_refused():
    with pytest.raises(InvalidInputError, match="too few for effects"):
        fill_missing(panel_of(2, 2, missing=0.01).assign(x=[1, 2, 3, np.nan]), policy="multiple 2")
    with pytest.raises(InvalidInputError, match="no whole years"):
        fill_missing(series([1.0, 2]).rename(index=str, level=1), policy="leave")
    with pytest.raises(InvalidInputError, match="infinite"):
        fill_missing(series([1.0, np.inf]), policy="leave")
    with pytest.raises(UnknownNameError):
        fill_missing(series([1.0, 2]), "village", policy="leave")


class Given:
    """A result of one coefficient."""

    nobs, n_units, n_periods = 31, 31, 1

    def __init__(self, estimate: float, variance: float, df: float | None) -> None:
        self.params = pd.Series({"mean": estimate})
        self.covariance = pd.DataFrame([[variance]], ["mean"], ["mean"])
        self.df_resid, self.df_inference = 30, df


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=12),
    st.floats(0.01, 100),
    st.one_of(st.none(), st.integers(1, 10_000)),
)
@settings(max_examples=60, deadline=None)
def test_degrees_of_freedom_are_those_of_barnard_and_rubin(estimates, within, complete):
    """By their steps: Rubin's old degrees of freedom, those of what is observed, and the harmonic sum of both."""
    found, m = pool([Given(one, within, complete) for one in estimates]), len(estimates)
    mean = sum(estimates) / m
    extra = (m + 1) / m * sum((one - mean) ** 2 for one in estimates) / (m - 1)
    assert found.params["mean"] == pytest.approx(mean, abs=1e-12)
    assert found.covariance.loc["mean", "mean"] == pytest.approx(within + extra)
    share = extra / (within + extra)
    old = (m - 1) / share**2 if share > 1e-150 else np.inf
    observed = np.inf if complete is None else (complete + 1) / (complete + 3) * complete * within / (within + extra)
    assert 1 / found.df["mean"] == pytest.approx(1 / old + 1 / observed, rel=1e-9, abs=1e-300)
    assert found.df["mean"] <= min(old, np.inf if complete is None else complete) * (1 + 1e-12)
    ratio = extra / within
    assert found.missing_information["mean"] == pytest.approx((ratio + 2 / (found.df["mean"] + 3)) / (1 + ratio))


def test_pooled_intervals_of_a_mean_have_their_level_in_small_samples():
    """Fifteen normal figures of which six are drawn anew: intervals by the degrees of freedom hold 95 of 100 times."""
    random, inside, draws = np.random.default_rng(4), 0, 150
    for seen in random.normal(size=(draws, 9)):
        # Draws from the posterior of a normal sample, of which both moments are unknown.
        sigma = np.sqrt(8 * seen.var(ddof=1) / random.chisquare(8, 10))
        centre = seen.mean() + sigma / 3 * random.normal(size=10)
        whole = [np.append(seen, c + s * random.normal(size=6)) for c, s in zip(centre, sigma, strict=True)]
        means, variances = np.mean(whole, axis=1), np.var(whole, axis=1, ddof=1) / 15
        found = pool([Given(one, v, 14) for one, v in zip(means, variances, strict=True)])
        reach = stats.t.ppf(0.975, found.df["mean"]) * found.std_errors["mean"]
        inside += abs(found.params["mean"]) <= reach
    assert stats.binom.ppf(0.0025, draws, 0.95) < inside < draws


def test_pooling_agrees_with_statsmodels():
    copies = fill_missing(panel_of(20, 6), policy={"x": "multiple 5"}).copies
    theirs = MICE.__new__(MICE)
    theirs.results_list = [sm.OLS(copy["y"], sm.add_constant(copy["x"])).fit() for copy in copies]
    theirs.exog_names, theirs.endog_names, theirs.model_class = ["const", "x"], "y", sm.OLS
    expected = theirs.combine()
    ours = pool([fixed_effects(copy, "y", "x", effects="none", cov="classical") for copy in copies])
    np.testing.assert_allclose(ours.params, expected.params, rtol=1e-10)
    np.testing.assert_allclose(ours.covariance, expected.cov_params(), rtol=1e-10)
    share = ours.relative_increase / (1 + ours.relative_increase)
    np.testing.assert_allclose(share, expected.frac_miss_info, rtol=1e-9)


def test_without_small_samples_degrees_of_freedom_are_rubins():
    found = pool([Given(k, 1.0, None) for k in (0.0, 1.0, 2.0)])
    increase = (1 + 1 / 3) * 1.0
    assert found.df["mean"] == pytest.approx(2 * (1 + 1 / increase) ** 2)


def test_pooling_what_does_not_differ_gives_it_back():
    result = fixed_effects(panel_of(10, 6, missing=1e-9).dropna(), "y", "x")
    found = pool([result, result])
    pd.testing.assert_series_equal(found.std_errors, result.std_errors)
    assert found.relative_increase["x"] == 0
    assert found.df["x"] < result.df_inference
    assert minimum_detectable_effect(found).loc["x", "df"] == found.df["x"]


def test_a_pooled_result_reads_like_any_other():
    copies = fill_missing(panel_of(20, 6), policy={"x": "multiple 5"}).copies
    found = pool([fixed_effects(copy, "y", "x") for copy in copies])
    assert {"estimate", "std_error", "p_value", "df", "missing_information"} <= set(found.table.columns)
    wide, narrow = (found.conf_int(level).loc["x"] for level in (0.99, 0.5))
    assert wide["lower"] < narrow["lower"] < narrow["upper"] < wide["upper"]
    assert "多重插补" in found.summary() and "three-line" in found._repr_html_()
    filled = fill_missing(panel_of(20, 6), policy={"x": "multiple 5"})
    assert "multiple 5" in filled.summary() and "three-line" in filled._repr_html_()


def test_results_that_do_not_go_together_are_refused():
    whole = panel_of(10, 6, missing=1e-9).dropna()
    one = fixed_effects(whole, "y", "x")
    with pytest.raises(InvalidInputError, match="at least two"):
        pool([one])
    with pytest.raises(InvalidInputError, match="result 2 has other"):
        pool([one, fixed_effects(whole.iloc[1:], "y", "x")])
    with pytest.raises(InvalidInputError, match="result 2, a float, has no params"):
        pool([one, 1.0])


def test_intervals_cover_after_multiple_imputation_and_not_after_a_line():
    """Gaps in x depend on y: the smallest version of benchmarks/missing.py."""
    draws, covered, estimates = 40, {"multiple 5": 0, "linear 3": 0}, {"multiple 5": [], "linear 3": []}
    for seed in range(draws):
        panel = panel_of(30, 6, seed=seed, missing=0.3)
        for policy in covered:
            found = [fixed_effects(c.dropna(), "y", "x") for c in fill_missing(panel, policy={"x": policy}).copies]
            row = (pool(found) if len(found) > 1 else found[0]).table.loc["x"]
            covered[policy] += row["lower"] <= 0.5 <= row["upper"]
            estimates[policy].append(row["estimate"])
    # So few would come once in four hundred times if 95 % held.
    assert covered["multiple 5"] > stats.binom.ppf(0.0025, draws, 0.95)
    assert abs(np.mean(estimates["multiple 5"]) - 0.5) < 0.03
    assert covered["linear 3"] < covered["multiple 5"] and np.mean(estimates["linear 3"]) < 0.47

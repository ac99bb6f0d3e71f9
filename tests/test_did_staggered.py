"""Group-time effects against R, plain differences of means, regressions by hand and known truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.data import load_panel, load_policies
from clusterlib.did import imputation_did, staggered_did, twoway_did
from clusterlib.errors import InvalidInputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference"
EXPECTED = json.loads((REFERENCE / "expected" / "did_produc.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def produc() -> tuple[pd.DataFrame, pd.Series]:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    states = data.index.unique(0).sort_values()
    dates = pd.Series([[1976, 1979, 1982, 0][i % 4] for i in range(len(states))], index=states)
    return data.assign(y=np.log(data["gsp"]))[["y", "unemp"]], dates


@pytest.fixture(scope="module")
def cities() -> tuple[pd.DataFrame, pd.Series]:
    """Log GDP of the cities that have it in all of 2009-2019, and their years of Broadband China."""
    wide = np.log(load_panel("city", "gdp", years="2009:2019")["gdp"]).unstack("year").dropna()
    policies = load_policies("broadband_china")
    dates = policies[policies["level"] != "county"].set_index("adcode")["year_effective"]
    return wide.stack().to_frame("y"), dates


def cohorts(units=60, periods=8, seed=0, noise=0.3) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """A panel with effects that differ by cohort and grow, x a control fixed in time that moves the trend."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(units), range(2010, 2010 + periods)], names=["adcode", "year"])
    first = pd.Series(random.permuted([[2013, 2015, np.inf][i % 3] for i in range(units)]), name="first")
    unit, year = (index.get_level_values(level).to_numpy() for level in (0, 1))
    event = year - first.reindex(unit).to_numpy()
    effect = np.where(event >= 0, np.where(first.reindex(unit) == 2013, 2 + event, -1 - 0.5 * event), 0.0)
    x = random.normal(size=units)
    level = random.normal(size=units)[unit] + 0.3 * (year - 2010)
    data = pd.DataFrame({"x": x[unit], "y0": level + noise * random.normal(size=len(index))}, index=index)
    truth = pd.DataFrame({"effect": effect, "cohort": first.reindex(unit).to_numpy(), "period": year}, index=index)
    return data.assign(y=data["y0"] + effect), first, truth[event >= 0]


def mean_changes(data, first, control_group="never", anticipation=0, universal=False) -> pd.Series:
    """Differences of mean changes, written apart from the library: loops over a table of units by periods."""
    wide = data["y"].unstack()
    first = pd.Series(first).reindex(wide.index).replace(0, np.inf).fillna(np.inf)
    years, out = list(wide.columns), {}
    for g in sorted(first[first <= years[-1]].unique()):
        for t in years:
            before = [p for p in years if p + anticipation < g]
            base = before[-1] if t >= g or universal else (years[years.index(t) - 1] if t > years[0] else None)
            if base is None or base == t:
                continue
            control = first == np.inf
            if control_group == "not-yet":
                control = (first > max(t, base) + anticipation) & (first != g)
            change = wide[t] - wide[base]
            out[g, t] = change[first == g].mean() - change[control].mean()
    return pd.Series(out)


def assert_equal_changes(result, expected):
    found = result.group_time["estimate"].reindex(expected.index)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert len(result.group_time["std_error"].dropna()) == len(expected)


def test_group_time_effects_and_overall_equal_r(produc):
    data, dates = produc
    result = staggered_did(data, "y", dates, draws=0)
    for key, value in EXPECTED["att"].items():
        g, t = (float(part) for part in key.split())
        assert result.group_time.loc[(g, t), "estimate"] == pytest.approx(value, abs=1e-12)
    assert result.overall["estimate"] == pytest.approx(EXPECTED["overall"], abs=1e-12)
    assert (result.observations, result.units, result.treated_units) == (816, 48, 36)


@pytest.mark.parametrize(
    "options", [{}, {"control_group": "not-yet"}, {"base_period": "universal"}, {"anticipation": 1}]
)
def test_group_time_effects_are_differences_of_mean_changes_on_real_cities(cities, options):
    data, dates = cities
    expected = mean_changes(
        data,
        dates,
        options.get("control_group", "never"),
        options.get("anticipation", 0),
        options.get("base_period") == "universal",
    )
    assert_equal_changes(staggered_did(data, "y", dates, draws=0, **options), expected)


@given(
    st.integers(0, 10**6),
    st.sampled_from(["never", "not-yet"]),
    st.sampled_from(["doubly-robust", "regression", "weighting"]),
)
@settings(max_examples=25, deadline=None)
def test_without_controls_every_estimator_gives_differences_of_mean_changes(seed, control_group, estimator):
    data, first, _ = cohorts(units=15, seed=seed)
    result = staggered_did(data, "y", first, control_group=control_group, estimator=estimator, draws=0)
    assert_equal_changes(result, mean_changes(data, first, control_group))


def test_means_over_cohorts_and_event_times_weigh_cohorts_by_size(cities):
    data, dates = cities
    result = staggered_did(data, "y", dates, draws=0)
    table = result.group_time.reset_index()
    after = table[table["after"]]
    assert result.overall["estimate"] == pytest.approx(np.average(after["estimate"], weights=after["treated"]))
    by_cohort = after.groupby("cohort")["estimate"].mean()
    np.testing.assert_allclose(result.by_cohort["estimate"], by_cohort, rtol=1e-10)
    table["event_time"] = table["period"] - table["cohort"]
    for event, group in table.groupby("event_time"):
        expected = np.average(group["estimate"], weights=group["treated"])
        assert result.event_study.loc[event, "estimate"] == pytest.approx(expected, abs=1e-12)
    assert result.table.loc["overall", "estimate"] == result.overall["estimate"]


def test_error_of_one_effect_is_that_of_two_means(cities):
    data, dates = cities
    result = staggered_did(data, "y", dates, draws=0).group_time.loc[(2014.0, 2016.0)]
    change = data["y"].unstack().pipe(lambda wide: wide[2016] - wide[2013])
    date = dates.reindex(change.index)
    parts = [change[date == 2014], change[date.isna()]]
    assert result["std_error"] == pytest.approx(sum(part.var(ddof=0) / len(part) for part in parts) ** 0.5, rel=1e-9)
    assert (result["treated"], result["controls"]) == (len(parts[0]), len(parts[1]))


def test_regression_adjusts_for_controls_in_the_base_period(cities):
    data, dates = cities
    data = data.assign(z=np.random.default_rng(1).normal(size=len(data)) + 0.1 * data["y"])
    result = staggered_did(data, "y", dates, "z", estimator="regression", draws=0).group_time
    wide, z = data["y"].unstack(), data["z"].unstack()
    date = dates.reindex(wide.index)
    for g, t, base in ((2014, 2017, 2013), (2015, 2012, 2011)):
        change, design = wide[t] - wide[base], np.column_stack([np.ones(len(wide)), z[base]])
        slope = np.linalg.lstsq(design[date.isna()], change[date.isna()], rcond=None)[0]
        expected = (change - design @ slope)[date == g].mean()
        assert result.loc[(g, t), "estimate"] == pytest.approx(expected, rel=1e-8)


def test_doubly_robust_undoes_a_trend_that_a_control_explains():
    rows = []
    for seed in range(5):
        data, _, _ = cohorts(units=300, seed=seed)
        x, random = data["x"].groupby(level=0).first(), np.random.default_rng(seed)
        first = pd.Series(np.where(random.random(300) < 1 / (1 + np.exp(-x)), 2014.0, np.inf))
        data["y"] = data["y0"] + 0.5 * data["x"] * (data.index.get_level_values(1) - 2010)
        plain, adjusted = (staggered_did(data, "y", first, c, draws=0).overall["estimate"] for c in ((), "x"))
        rows.append((plain, adjusted))
    plain, adjusted = np.mean(rows, axis=0)
    assert plain > 0.5 and abs(adjusted) < 0.1


def test_known_effects_are_found_and_covered_where_twoway_is_wrong():
    covered, errors, twoway = 0, [], []
    for seed in range(40):
        data, first, truth = cohorts(seed=seed)
        result, target = staggered_did(data, "y", first, draws=0), truth["effect"].mean()
        covered += result.overall["lower"] <= target <= result.overall["upper"]
        errors.append(result.overall["estimate"] - target)
        twoway.append(twoway_did(data, "y", first, draws=0).estimate - target)
        by_cohort = truth.groupby("cohort")["effect"].mean()
        np.testing.assert_allclose(result.by_cohort["estimate"], by_cohort, atol=0.5)
    # 40 intervals of 95 %: fewer than 34 would come about in one of two hundred.
    assert covered >= 34
    assert abs(np.mean(errors)) < 0.05 < 0.2 < abs(np.mean(twoway))


def test_joint_test_before_treatment_keeps_its_level_and_finds_a_trend():
    p = []
    for seed in range(60):
        data, first, _ = cohorts(units=90, seed=seed)
        result = staggered_did(data, "y", first, draws=0)
        p.append(result.pretrend_p)
    assert result.pretrend_df == 4
    # 60 tests at 5 %: more than 8 rejections would come about in one of two hundred.
    assert sum(value <= 0.05 for value in p) <= 8
    year, unit = data.index.get_level_values(1), data.index.get_level_values(0)
    drift = np.where(np.isfinite(first.reindex(unit)), 0.4 * (year - 2010), 0.0)
    assert staggered_did(data.assign(y=data["y"] + drift), "y", first, draws=0).pretrend_p < 1e-6


def means_of(wide, first, weight, control_group, base_period, anticipation) -> dict:
    """Means over cohorts and periods as functions of the units' weights, written apart from the library."""
    years, size, effects = list(wide.columns), {}, {}
    for g in sorted(first[np.isfinite(first)].unique()):
        before = [p for p in years if p + anticipation < g]
        if not before:
            continue
        own = (first == g).to_numpy()
        size[g] = weight[own].sum()
        for t in years:
            earlier = [p for p in years if p < t]
            base = before[-1] if t >= g or base_period == "universal" else (earlier[-1] if earlier else None)
            control = np.isinf(first).to_numpy()
            if base is not None and control_group == "not-yet":
                control = control | ((first > max(t, base) + anticipation).to_numpy() & ~own)
            if base is None:
                continue
            change = (wide[t] - wide[base]).to_numpy()
            effects[g, t] = np.average(change[own], weights=weight[own]) - (
                np.average(change[control], weights=weight[control]) if t != base else 0.0
            )
    after = [key for key in effects if key[1] >= key[0]]
    means = {"overall": np.average([effects[k] for k in after], weights=[size[g] for g, _ in after])}
    for g in size:
        means["cohort", g] = np.mean([effects[k] for k in after if k[0] == g])
    for e in {t - g for g, t in effects}:
        keys = [k for k in effects if k[1] - k[0] == e]
        means["event", e] = np.average([effects[k] for k in keys], weights=[size[g] for g, _ in keys])
    return means


OPTIONS = [
    (control_group, base_period, anticipation)
    for control_group in ("never", "not-yet")
    for base_period in ("varying", "universal")
    for anticipation in (0, 1, 2, 3)
]


@pytest.mark.parametrize(("control_group", "base_period", "anticipation"), OPTIONS)
def test_means_count_treated_periods_only_and_their_errors_are_derivatives_by_units(
    control_group, base_period, anticipation
):
    data, first, _ = cohorts(units=24, periods=9)
    wide, ones, step = data["y"].unstack(), np.ones(24), 1e-5
    arguments = (control_group, base_period, anticipation)
    expected = means_of(wide, first, ones, *arguments)
    moved = [
        [means_of(wide, first, ones + sign * step * (np.arange(24) == i), *arguments) for sign in (1, -1)]
        for i in range(24)
    ]
    derivative = {key: np.array([up[key] - down[key] for up, down in moved]) / (2 * step) for key in expected}
    province = pd.Series(np.arange(24) // 4)
    for cluster in (None, province):
        result = staggered_did(
            data,
            "y",
            first,
            control_group=control_group,
            base_period=base_period,
            anticipation=anticipation,
            cluster=cluster,
            draws=0,
        )
        found = {"overall": result.overall}
        found |= {("cohort", g): row for g, row in result.by_cohort.iterrows()}
        found |= {("event", e): row for e, row in result.event_study.iterrows()}
        assert set(found) == set(expected)
        for key, value in expected.items():
            assert found[key]["estimate"] == pytest.approx(value, rel=1e-9, abs=1e-12)
            psi = derivative[key]
            if cluster is not None:
                sums = np.bincount(province, psi)
                psi = (sums - sums.mean()) * (6 / 5) ** 0.5
            error = (psi**2).sum() ** 0.5
            if error < 1e-8:
                assert np.isnan(found[key]["std_error"])
            else:
                assert found[key]["std_error"] == pytest.approx(error, rel=1e-6)


def test_a_cohort_without_a_period_before_its_anticipation_is_left_out_and_none_left_is_refused():
    data, first, _ = cohorts()
    result = staggered_did(data, "y", first, anticipation=3, draws=0)
    assert list(result.by_cohort.index) == [2015.0]
    assert result.n_units == 40 and result.treated_units == 20
    assert result.notes[0] == "no period before 3 period(s) of anticipation of the cohort(s) 2013: 20 unit(s) left out"
    alone = staggered_did(data.loc[first.index[first != 2013]], "y", first, anticipation=3, draws=0)
    pd.testing.assert_frame_equal(result.group_time, alone.group_time)
    for base_period in ("varying", "universal"):
        with pytest.raises(InvalidInputError, match=r"of the cohort\(s\) 2013, 2015: no effect can be estimated"):
            staggered_did(data, "y", first, anticipation=5, base_period=base_period, draws=0)


def test_intervals_cover_an_effect_that_is_anticipated_and_draws_agree_with_them():
    # Cohorts are drawn, since the errors hold the uncertainty of their shares; the mean over 5 + 3 periods of both.
    target = (sum([2, 3, 4, 5, 6]) + sum([-1, -1.5, -2])) / 8
    covered, errors, spread = 0, [], []
    for seed in range(80):
        data, _, _ = cohorts(units=90, seed=seed)
        first = pd.Series(np.random.default_rng(seed).choice([2013, 2015, np.inf], 90))
        unit, year = data.index.get_level_values(0), data.index.get_level_values(1)
        date = first.reindex(unit).to_numpy()
        event = year - date
        effect = np.where(event >= 0, np.where(date == 2013, 2 + event, -1 - 0.5 * event), 0.0)
        data["y"] = data["y0"] + effect + np.where(event == -1, 5.0, 0.0)
        overall = staggered_did(data, "y", first, anticipation=1, draws=0).overall
        covered += overall["lower"] <= target <= overall["upper"]
        errors.append(overall["estimate"] - target)
        spread.append(overall["std_error"])
    # 80 intervals of 95 %: fewer than 71 would come about in one of two hundred.
    assert covered >= 71
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 80**0.5
    assert np.std(errors) == pytest.approx(np.mean(spread), rel=0.25)
    drawn, exact = (staggered_did(data, "y", first, anticipation=1, draws=draws) for draws in (999, 0))
    assert drawn.overall["estimate"] == exact.overall["estimate"]
    assert drawn.overall["std_error"] == pytest.approx(exact.overall["std_error"], rel=0.1)
    np.testing.assert_allclose(drawn.by_cohort["std_error"], exact.by_cohort["std_error"], rtol=0.1)


def test_joint_test_before_treatment_is_the_same_with_draws():
    data, first, _ = cohorts()
    exact, drawn = (staggered_did(data, "y", first, draws=draws) for draws in (0, 99))
    assert drawn.pretrend_statistic == exact.pretrend_statistic
    assert exact.tests["pretrend"].df == exact.pretrend_df == 4
    assert exact.tests["pretrend"].name in exact.footer


def test_bootstrap_is_the_same_for_a_seed_and_any_order_and_close_to_the_analytic_error():
    data, first, _ = cohorts()
    shuffled, mixed = data.sample(frac=1, random_state=1), first.sample(frac=1, random_state=2)
    runs = [
        staggered_did(d, "y", f, draws=199, seed=s)
        for d, f, s in ((data, first, 1), (shuffled, mixed, 1), (data, first, 2))
    ]
    pd.testing.assert_frame_equal(runs[0].event_study, runs[1].event_study, rtol=1e-12)
    pd.testing.assert_series_equal(runs[0].overall, runs[1].overall, rtol=1e-12)
    assert runs[0].overall["std_error"] != runs[2].overall["std_error"]
    analytic = staggered_did(data, "y", first, draws=0)
    assert runs[0].overall["std_error"] == pytest.approx(analytic.overall["std_error"], rel=0.2)
    post = runs[0].event_study.loc[0:]
    assert (post["band_lower"] < post["lower"]).all() and (post["band_upper"] > post["upper"]).all()
    assert analytic.event_study["band_lower"].isna().all()


def test_clusters_of_units_widen_errors_of_shared_shocks():
    data, first, _ = cohorts(units=60)
    province = pd.Series(np.arange(60) // 6, index=range(60))
    first = pd.Series(np.where(province % 2, 2014.0, np.inf))
    shock = np.random.default_rng(0).normal(size=(10, 8))
    unit, year = (data.index.get_level_values(level).to_numpy() for level in (0, 1))
    data["y"] = data["y0"] + shock[province.to_numpy()[unit], year - 2010]
    alone, together = (staggered_did(data, "y", first, cluster=c, draws=0) for c in (None, province))
    assert together.clusters == 10 and alone.clusters == 60
    assert together.overall["std_error"] > 1.5 * alone.overall["std_error"]


def test_a_year_missing_for_all_units_moves_the_base_to_the_nearest_observed(cities):
    data, dates = cities
    gap = data[~data.index.get_level_values("year").isin([2013])]
    result = staggered_did(gap, "y", dates, draws=0)
    wide = gap["y"].unstack()
    date = dates.reindex(wide.index)
    change = wide[2016] - wide[2012]
    expected = change[date == 2014].mean() - change[date.isna()].mean()
    assert result.group_time.loc[(2014.0, 2016.0), "estimate"] == pytest.approx(expected)


def test_effects_do_not_depend_on_how_time_is_counted(produc):
    data, dates = produc
    moved = data.set_axis(data.index.set_levels(data.index.levels[1] - 1979, level=1))
    start = dates.replace(0, 9999).reindex(moved.index.get_level_values(0)).to_numpy() - 1979
    now = (moved.index.get_level_values(1).to_numpy() >= start).astype(int)
    result = staggered_did(moved.assign(now=now), "y", "now", draws=0)
    assert result.group_time.loc[(0.0, 3.0), "estimate"] == pytest.approx(EXPECTED["att"]["1979 1982"], abs=1e-12)


def test_designs_that_cannot_be_estimated_are_refused():
    data, first, _ = cohorts()
    everyone = first.replace(np.inf, 2016)
    with pytest.raises(InvalidInputError, match="never treated, and all 60 are treated; use control_group='not-yet'"):
        staggered_did(data, "y", everyone)
    assert np.isfinite(staggered_did(data, "y", everyone, control_group="not-yet", draws=0).overall["estimate"])
    with pytest.raises(InvalidInputError, match=r"not balanced: 1 of 480"):
        staggered_did(data.drop((0, 2010)), "y", first)
    with pytest.raises(InvalidInputError, match="missing or infinite"):
        staggered_did(data.assign(x=np.nan), "y", first, "x")
    with pytest.raises(UnknownNameError, match="unknown column 'z'"):
        staggered_did(data, "z", first)
    for option in ("control_group", "estimator", "base_period"):
        with pytest.raises(UnknownNameError, match=option.replace("_", " ")):
            staggered_did(data, "y", first, **{option: "other"})
    with pytest.raises(InvalidInputError, match="anticipation=-1: expected a whole number of periods of at least 0"):
        staggered_did(data, "y", first, anticipation=-1)


def test_what_the_package_says_on_the_way_is_kept_in_the_notes_and_not_printed(recwarn):
    data, first, _ = cohorts(units=30)
    data["big"] = data["x"] * 40 + np.where(np.isfinite(first.reindex(data.index.get_level_values(0))), 5, 0)
    result = staggered_did(data, "y", first, ["x", "big"], draws=0)
    assert result.notes
    assert not [w for w in recwarn if "diff_diff" in str(w.filename)]


def imputed(data, first, controls=(), groups=None):
    """Effects, and a function that gives the error of a mean of them, by regressions with every dummy."""
    unit, time = (data.index.get_level_values(level) for level in (0, 1))
    cohort = first.reindex(unit).fillna(np.inf).to_numpy()
    now, groups = time.to_numpy() >= cohort, unit if groups is None else groups.reindex(unit)
    dummies = [pd.get_dummies(part).to_numpy(float) for part in (unit, time)]
    Z = np.column_stack([dummies[0], dummies[1][:, 1:], data[list(controls)]])
    fit = Z @ np.linalg.lstsq(Z[~now], data["y"].to_numpy()[~now], rcond=None)[0]
    left = data["y"].to_numpy() - fit

    def error(weights: np.ndarray) -> float:
        v = np.empty(len(data))
        v[now] = weights
        v[~now] = -Z[~now] @ np.linalg.pinv(Z[~now].T @ Z[~now]) @ (Z[now].T @ weights)
        rows = pd.DataFrame({"v2": v[now] ** 2, "left": left[now], "cohort": cohort[now], "time": time[now]})
        sums = rows.assign(top=rows["v2"] * rows["left"]).groupby(["cohort", "time"])[["top", "v2"]].transform("sum")
        residuals = left.copy()
        residuals[now] -= (sums["top"] / sums["v2"].where(sums["v2"] > 0, 1.0)).to_numpy()
        return float(np.sqrt((pd.Series(v * residuals).groupby(np.asarray(groups)).sum() ** 2).sum()))

    return now, cohort, left, error


@pytest.mark.parametrize(
    ("keep", "controls", "clustered"), [(1.0, (), False), (0.85, ("x",), False), (0.85, ("x",), True)]
)
def test_imputed_effects_and_their_errors_are_those_of_regressions_with_every_dummy(keep, controls, clustered):
    data, first, _ = cohorts(30, seed=2)
    random = np.random.default_rng(1)
    data = data.assign(x=random.normal(size=len(data)), y=lambda d: 100 + d["y"] + 0.5 * random.normal(size=len(d)))
    data = data[random.random(len(data)) < keep]
    groups = pd.Series(range(30), data.index.unique(0)) % 7 if clustered else None
    result = imputation_did(data, "y", first, controls, cluster=groups)
    now, cohort, left, error = imputed(data, first, controls, groups)
    event = data.index.get_level_values(1).to_numpy() - cohort
    np.testing.assert_allclose(result.effects, left[now], atol=1e-10)
    wanted = {"overall": np.full(now.sum(), True)}
    wanted |= {f"cohort {g:g}": cohort[now] == g for g in np.unique(cohort[now])}
    rows = pd.concat([result.table, result.event_study.rename(index=lambda e: f"event {e}")])
    wanted |= {f"event {e:g}": event[now] == e for e in np.unique(event[now])}
    assert list(rows.index) == list(wanted)
    for name, mask in wanted.items():
        assert rows.loc[name, "estimate"] == pytest.approx(left[now][mask].mean(), abs=1e-10)
        assert rows.loc[name, "std_error"] == pytest.approx(error(mask / mask.sum()), rel=1e-8)
    spread = (rows["upper"] - rows["estimate"]) / rows["std_error"]
    assert spread.iloc[0] == pytest.approx(2.446912 if clustered else 1.959964, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_effects_without_noise_are_imputed_exactly_whatever_their_path(seed):
    data, first, _ = cohorts(16, periods=6, seed=seed, noise=0.0)
    random = np.random.default_rng(seed)
    unit, time = (data.index.get_level_values(level) for level in (0, 1))
    base = random.normal(size=16)[pd.factorize(unit)[0]] + random.normal(size=6)[pd.factorize(time)[0]]
    path = random.normal(size=len(data)) * (time >= first.reindex(unit).fillna(np.inf).to_numpy())
    result = imputation_did(data.assign(y=base + path), "y", first)
    np.testing.assert_allclose(result.effects, path[data.index.isin(result.effects.index)], atol=1e-10)


def test_treated_observations_without_others_untreated_are_left_out_which_a_note_says():
    data, first, _ = cohorts(30, seed=2)
    first = first[np.isfinite(first)]
    treated = data[data.index.get_level_values(0).isin(first.index)]
    result = imputation_did(treated, "y", first)
    gone = treated.index.get_level_values(1) >= first.max()
    assert f"{gone.sum()} treated observation(s) without others untreated then" in result.notes[0]
    assert result.effects.isna().sum() == gone.sum()
    assert result.overall["estimate"] == pytest.approx(result.effects.mean())


def test_untreated_observations_in_parts_that_nothing_joins_are_refused():
    """diff-diff gives a number here: what the treated would have been rests on no comparison."""
    seen = {"a": (1, 3, 4), "b": (1, 3), "c": (3, 4), "d": (3, 4)}
    index = pd.MultiIndex.from_tuples([(unit, year) for unit, years in seen.items() for year in years])
    data = pd.DataFrame({"y": np.arange(9.0) ** 1.5}, index=index)
    with pytest.raises(InvalidInputError, match="fall into 2 parts that have no unit and no period in common"):
        imputation_did(data, "y", pd.Series({"a": 3, "b": 3}))


def test_controls_that_the_effects_absorb_are_named():
    data, first, _ = cohorts(20)
    data = data.assign(size=data.index.get_level_values(0).factorize()[0])
    with pytest.raises(InvalidInputError, match="other regressors: size"):
        imputation_did(data, "y", first, "size")

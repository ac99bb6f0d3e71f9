"""Fixed and random effects against R's plm, dummy-variable least squares, plain loops and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_cases import CASES, agree, case, expected, made_panel, thinned

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import fixed_effects, random_effects

EFFECTS = {"pooled": "none", "fe_entity": "entity", "fe_time": "time", "fe_twoways": "twoway"}
COVARIANCES = {
    "classical": {"cov": "classical"},
    "cluster_entity_HC0": {"cov": "cluster", "small_sample": False},
    "cluster_entity_sss": {"cov": "cluster", "small_sample": "sss"},
    "cluster_time_HC0": {"cov": "cluster", "cluster": "time", "small_sample": False},
    "white1_HC0": {"cov": "robust", "small_sample": False},
    **{f"DK_maxlag{lag}_HC0": {"cov": "driscoll-kraay", "bandwidth": lag, "small_sample": False} for lag in range(4)},
}
PLACES = pd.DataFrame({"lon": [116.4, 117.2, 121.5, 120.2, 113.3], "lat": [39.9, 39.1, 31.2, 30.3, 23.1]})


def haversine(one: pd.Series, other: pd.Series) -> float:
    lon, lat, lon2, lat2 = np.radians([one["lon"], one["lat"], other["lon"], other["lat"]])
    h = np.sin((lat - lat2) / 2) ** 2 + np.cos(lat) * np.cos(lat2) * np.sin((lon - lon2) / 2) ** 2
    return 2 * 6371.0088 * np.arcsin(np.sqrt(h))


def dummy_regression(data: pd.DataFrame, y: str, x: list[str], effects: str):
    """Least squares with a column for every effect: coefficients of x, residuals, rank."""
    columns = [data[x].to_numpy()]
    if effects in ("entity", "twoway"):
        columns.append(pd.get_dummies(data.index.get_level_values(0)).to_numpy(float))
    if effects in ("time", "twoway"):
        columns.append(pd.get_dummies(data.index.get_level_values(1)).to_numpy(float))
    if effects == "none":
        columns.append(np.ones((len(data), 1)))
    X = np.column_stack(columns)
    params, _, rank, _ = np.linalg.lstsq(X, data[y].to_numpy(), rcond=1e-10)
    return params[: len(x)], data[y].to_numpy() - X @ params, rank


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("name", CASES)
def test_balanced_panels_give_the_coefficients_and_all_errors_of_plm(name, effects):
    data, y, x = case(name)
    wanted = expected(f"panel_{name}")[effects]
    for covariance, options in COVARIANCES.items():
        fit = fixed_effects(data, y, x, EFFECTS[effects], **options)
        agree(fit.std_errors, wanted[f"se_{covariance}"], 1e-9)
    agree(fit.params, wanted["coef"], 1e-10)
    assert (fit.nobs, fit.df_resid) == (wanted["nobs"], wanted["df_residual"])
    assert (fit.rss, fit.sigma2, fit.r2_within) == pytest.approx((wanted["rss"], wanted["sigma2"], wanted["r2"]))


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("name", CASES)
def test_unbalanced_panels_give_the_coefficients_and_errors_of_plm(name, effects):
    data, y, x = case(name)
    data, wanted = thinned(data), expected("panel_unbalanced")[name][effects]
    for covariance, options in COVARIANCES.items():
        if f"se_{covariance}" in wanted:
            fit = fixed_effects(data, y, x, effects, **options)
            agree(fit.std_errors, wanted[f"se_{covariance}"], 1e-9)
    agree(fit.params, wanted["coef"], 1e-10)
    assert (fit.df_resid, fit.rss) == (wanted["df_residual"], pytest.approx(wanted["rss"], rel=1e-10))


@given(st.integers(0, 10_000), st.sampled_from(["none", "entity", "time", "twoway"]), st.floats(0.4, 1))
@settings(max_examples=60, deadline=None)
def test_any_pattern_of_gaps_gives_dummy_variable_least_squares(seed, effects, share):
    data = made_panel(9, 6, seed)
    data = data[np.random.default_rng(seed).random(len(data)) < share]
    params, residuals, rank = dummy_regression(data, "y", ["x", "z"], effects)
    if len(data) <= rank or rank < 3:
        return
    try:
        fit = fixed_effects(data, "y", ["x", "z"], effects, "classical")
    except InvalidInputError:
        # Refused only where the effects leave too little of the variables.
        assert rank < 2 + dummy_regression(data, "y", [], effects)[2] or len(data) <= rank
        return
    np.testing.assert_allclose(fit.params[["x", "z"]], params, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.residuals, residuals, atol=1e-9)
    assert fit.df_resid == len(data) - rank


def test_a_panel_in_two_separate_parts_counts_one_effect_less():
    data = made_panel(8, 6, 1)
    unit, year = (data.index.get_level_values(level) for level in (0, 1))
    parts = data[(unit < 4) == (year < 2003)]
    assert fixed_effects(parts, "y", ["x"], cov="classical").df_resid == 24 - 1 - (8 + 6 - 2)
    assert fixed_effects(data, "y", ["x"], cov="classical").df_resid == 48 - 1 - (8 + 6 - 1)


def test_rows_in_any_order_and_variables_in_any_unit_give_the_same_result():
    data, y, x = case("grunfeld")
    fit = fixed_effects(data, y, x)
    mixed = fixed_effects(data.sample(frac=1, random_state=1).assign(value=lambda d: d["value"] * 1e-6 + 5), y, x)
    np.testing.assert_allclose(mixed.params * [1e-6, 1], fit.params, rtol=1e-8)
    np.testing.assert_allclose(mixed.table["p_value"], fit.table["p_value"], rtol=1e-6)


def test_robust_errors_with_their_factor_are_hc1_of_the_dummy_variable_regression():
    import statsmodels.api as sm

    data, y, x = case("grunfeld")
    dummies = pd.get_dummies(data.index.get_level_values(0), dtype=float).set_index(data.index)
    full = sm.OLS(data[y], pd.concat([data[x], dummies], axis=1)).fit(cov_type="HC1")
    np.testing.assert_allclose(fixed_effects(data, y, x, "entity", "robust").std_errors, full.bse[x], rtol=1e-9)


def test_clusters_that_cut_across_units_count_all_effects_as_the_dummy_variable_regression_does():
    import statsmodels.api as sm

    data, y, x = case("grunfeld")
    labels = pd.Series(np.arange(len(data)) % 13, index=data.index)
    dummies = pd.get_dummies(data.index.get_level_values(0), dtype=float).set_index(data.index)
    full = sm.OLS(data[y], pd.concat([data[x], dummies], axis=1)).fit(cov_type="cluster", cov_kwds={"groups": labels})
    fit = fixed_effects(data, y, x, "entity", cluster=labels.sample(frac=1, random_state=0))
    np.testing.assert_allclose(fit.std_errors, full.bse[x], rtol=1e-9)
    assert fit.df_inference == 12
    pooled = sm.OLS(data[y], sm.add_constant(data[x])).fit(cov_type="cluster", cov_kwds={"groups": labels})
    np.testing.assert_allclose(fixed_effects(data, y, x, "none", cluster=labels).std_errors, pooled.bse, rtol=1e-9)


@pytest.mark.parametrize(
    ("effects", "options", "groups", "counted"),
    [
        ("entity", {}, 10, 2 + 1),
        ("twoway", {}, 10, 2 + 20),
        ("time", {}, 10, 2 + 20),
        ("none", {}, 10, 3),
        ("twoway", {"cluster": "time"}, 20, 2 + 10),
        ("twoway", {"cov": "driscoll-kraay"}, 20, 2 + 10),
    ],
)
def test_effects_nested_in_clusters_do_not_count_in_the_small_sample_factor(effects, options, groups, counted):
    data, y, x = case("grunfeld")
    ratio = [fixed_effects(data, y, x, effects, small_sample=s, **options).covariance for s in (True, False)]
    factor = groups / (groups - 1) * 199 / (200 - counted)
    np.testing.assert_allclose(ratio[0], factor * ratio[1], rtol=1e-12)


def test_labels_by_unit_cluster_as_labels_by_row_do():
    data, y, x = case("produc")
    regions = data["region"].groupby(level=0).first()
    by_unit = fixed_effects(data, y, x, cluster=regions)
    by_row = fixed_effects(data, y, x, cluster=data["region"])
    np.testing.assert_allclose(by_unit.std_errors, by_row.std_errors, rtol=1e-14)
    assert by_unit.settings["clusters"] == regions.nunique() == by_unit.df_inference + 1
    own = fixed_effects(data, y, x, cluster=pd.Series(range(48), index=regions.index))
    np.testing.assert_allclose(own.std_errors, fixed_effects(data, y, x).std_errors, rtol=1e-12)


@pytest.mark.parametrize("kernel", ["bartlett", "uniform"])
@pytest.mark.parametrize("bandwidth", [0, 2])
def test_conleys_errors_are_the_sum_over_pairs_in_plain_loops(kernel, bandwidth):
    data = made_panel(5, 6, 3)
    data = data.drop([(1, 2003), (4, 2000), (4, 2001)])
    options = {"places": PLACES, "cutoff": 1300, "kernel": kernel, "bandwidth": bandwidth, "small_sample": False}
    fit = fixed_effects(data, "y", ["x", "z"], "entity", "conley", **options)
    X = (data[["x", "z"]] - data[["x", "z"]].groupby(level=0).transform("mean")).to_numpy()
    scores, meat = X * fit.residuals.to_numpy()[:, None], np.zeros((2, 2))
    for a, (i, t) in enumerate(data.index):
        for b, (j, s) in enumerate(data.index):
            weight = 0.0
            if t == s:
                near = haversine(PLACES.loc[i], PLACES.loc[j]) / 1300
                weight = float(near <= 1) if kernel == "uniform" else max(0.0, 1 - near)
            elif i == j and abs(t - s) <= bandwidth:
                weight = 1 - abs(t - s) / (bandwidth + 1)
            meat += weight * np.outer(scores[a], scores[b])
    inverse = np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(fit.covariance, inverse @ meat @ inverse, rtol=1e-8)


def test_conleys_errors_lie_between_robust_and_clustered_by_time():
    data = made_panel(5, 12, 4)

    def errors(cutoff):
        options = {"places": PLACES, "cutoff": cutoff, "kernel": "uniform", "small_sample": False}
        return fixed_effects(data, "y", ["x", "z"], "entity", "conley", **options).std_errors

    robust = fixed_effects(data, "y", ["x", "z"], "entity", "robust", small_sample=False).std_errors
    by_time = fixed_effects(data, "y", ["x", "z"], "entity", cluster="time", small_sample=False).std_errors
    np.testing.assert_allclose(errors(1), robust, rtol=1e-12)
    np.testing.assert_allclose(errors(10_000), by_time, rtol=1e-12)


def test_places_may_be_boundaries_in_any_order():
    from clusterlib.data import load_boundaries
    from clusterlib.weights import great_circle_distances

    boundaries = load_boundaries("province", "yrd")
    data = made_panel(4, 8, 5).rename(index=dict(enumerate(boundaries.index)), level=0)
    options = {"cutoff": 300, "kernel": "uniform", "small_sample": False}
    fit = fixed_effects(data, "y", "x", "none", "conley", places=boundaries.iloc[::-1], **options)
    near = (great_circle_distances(boundaries) <= 300).astype(float)
    assert 4 < near.to_numpy().sum() < 16
    X = np.column_stack([np.ones(len(data)), data["x"]])
    scores = (X * fit.residuals.to_numpy()[:, None]).reshape(4, 8, 2)
    meat = np.einsum("itk,ij,jtl->kl", scores, near.to_numpy(), scores)
    inverse = np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(fit.covariance, inverse @ meat @ inverse, rtol=1e-9)


def test_default_bandwidth_of_driscoll_and_kraay_follows_the_number_of_periods():
    for periods, lags in ((8, 2), (20, 2), (60, 3)):
        fit = fixed_effects(made_panel(4, periods, 0), "y", "x", cov="driscoll-kraay")
        assert (fit.settings["bandwidth"], fit.df_inference) == (lags, periods - 1)


def test_the_table_uses_students_distribution_with_the_degrees_of_freedom_stated():
    from scipy.stats import t

    data, y, x = case("grunfeld")
    for options, df in (({}, 9), ({"cov": "classical"}, 169), ({"cov": "robust"}, 169), ({"cluster": "time"}, 19)):
        fit = fixed_effects(data, y, x, **options)
        assert fit.df_inference == df
        row = fit.table.loc["value"]
        assert row["p_value"] == pytest.approx(2 * t.sf(abs(row["estimate"] / row["std_error"]), df))
        assert row["upper"] - row["estimate"] == pytest.approx(t.ppf(0.975, df) * row["std_error"])


def test_clustered_intervals_cover_the_truth_where_classical_ones_do_not():
    random, covered = np.random.default_rng(7), {"cluster": 0, "classical": 0}
    index = pd.MultiIndex.from_product([range(50), range(10)])
    for _ in range(120):
        x, u = random.normal(size=(2, 50, 10)).cumsum(axis=2)
        data = pd.DataFrame({"x": x.ravel(), "y": (0.5 * x + u).ravel()}, index=index)
        for cov in covered:
            lower, upper = fixed_effects(data, "y", "x", cov=cov).table.loc["x", ["lower", "upper"]]
            covered[cov] += lower < 0.5 < upper
    # Of 120 at 95 %, fewer than 106 come about once in a thousand times.
    assert covered["cluster"] >= 106
    assert covered["classical"] < 96


@pytest.mark.parametrize("name", CASES)
def test_random_effects_are_those_of_plm_in_balanced_and_unbalanced_panels(name):
    data, y, x = case(name)
    for panel, wanted in (
        (data, expected(f"panel_{name}")["random_swar"]),
        (thinned(data), expected("panel_unbalanced")[name]["random"]),
    ):
        fit = random_effects(panel, y, x)
        agree(fit.params, wanted["coef"], 1e-9)
        agree(fit.std_errors, wanted["se_classical"], 1e-9)
        assert fit.statistics["sigma2_idiosyncratic"] == pytest.approx(wanted["sigma2_idios"], rel=1e-9)
        assert fit.statistics["sigma2_entity"] == pytest.approx(wanted["sigma2_id"], rel=1e-9)
        if "theta" in wanted:
            assert fit.statistics["theta"] == pytest.approx(wanted["theta"], rel=1e-9)
    wanted = expected("panel_unbalanced")[name]["balanced_with_periods"]["random"]
    fit = random_effects(data, y, x, time_effects=True)
    agree(fit.params, wanted["coef"], 1e-9)
    agree(fit.std_errors, wanted["se_classical"], 1e-9)


def test_random_effects_without_any_are_pooled_least_squares():
    data = made_panel(30, 4, 8)
    data["y"] -= data["y"].groupby(level=0).transform("mean")
    fit = random_effects(data, "y", "x")
    assert fit.statistics["sigma2_entity"] == 0
    pooled = fixed_effects(data, "y", "x", "none", "classical")
    np.testing.assert_allclose(fit.table, pooled.table, rtol=1e-10)


def test_too_few_units_for_the_between_regression_are_refused():
    with pytest.raises(InvalidInputError, match="more units than 3 coefficients"):
        random_effects(made_panel(3, 9, 0), "y", ["x", "z"])


def test_the_footer_says_what_a_regression_table_must():
    data, y, x = case("grunfeld")
    footer = fixed_effects(data, y, x, "entity", "driscoll-kraay").footer
    assert (footer["Observations 观测数"], footer["Units 个体数"], footer["Periods 期数"]) == (200, 10, 20)
    assert (footer["Unit effects 个体效应"], footer["Period effects 时间效应"]) == (True, False)
    assert footer["Standard errors 标准误"] == "Driscoll-Kraay"
    random = random_effects(data, y, x, time_effects=True).footer
    assert (random["Unit effects 个体效应"], random["Period effects 时间效应"]) == ("random 随机", True)


def test_the_input_is_not_changed_and_the_result_is_frozen():
    data = made_panel(6, 5, 0)
    before = data.copy(deep=True)
    fit = fixed_effects(data, "y", ["x", "z"])
    pd.testing.assert_frame_equal(data, before)
    with pytest.raises(AttributeError):
        fit.nobs = 3


PANEL = made_panel(6, 5, 0)
FIXED = PANEL.index.get_level_values(0).to_numpy(float)


@pytest.mark.parametrize(
    ("data", "x", "options", "words"),
    [
        (PANEL.assign(f=FIXED), ["x", "f"], {"effects": "entity"}, "f does not vary within units"),
        (PANEL.assign(f=FIXED**2), ["x", "f"], {}, "f is a sum of unit and period effects"),
        (PANEL.assign(f=1.0), ["x", "f"], {"effects": "none"}, "f is the same in every row"),
        (PANEL.assign(y=3.0), ["x"], {}, "y is a sum"),
        (PANEL.assign(w=lambda d: d["x"] - 2 * d["z"]), ["x", "z", "w"], {}, "collinear.*: w"),
        (PANEL.assign(w=lambda d: d["x"] + FIXED), ["x", "w"], {}, "collinear.*: w"),
        (PANEL.loc[[0, 1]].groupby(level=0).head(2), ["x"], {}, "4 rows for 1 coefficients and 3 effects"),
        (PANEL.iloc[:0], ["x"], {}, "no rows"),
        (PANEL.assign(x=np.where(FIXED == 2, np.nan, 1.0)), ["x"], {}, r"missing.*\(2, .*2000.*'x'"),
        (PANEL.reset_index(), ["x"], {}, "index of two levels"),
        (pd.concat([PANEL, PANEL]), ["x"], {}, "more than one row"),
        (PANEL, ["x", "x"], {}, "given twice"),
        (PANEL, ["x"], {"cluster": pd.Series(1, index=range(6))}, "one cluster only"),
        (PANEL, ["x"], {"cluster": pd.Series([1, 2], index=[0, 1])}, "cluster: 2 has no label"),
        (PANEL, ["x"], {"cluster": pd.Series([1, 2], index=[0, 0])}, "cluster: 0 has no label or more than one"),
        (PANEL, ["x"], {"cov": "robust", "small_sample": "sss"}, "clustered errors"),
        (PANEL, ["x"], {"cov": "driscoll-kraay", "bandwidth": -1}, "whole number of lags"),
        (PANEL, ["x"], {"cov": "conley"}, "places=.*cutoff="),
        (PANEL, ["x"], {"cov": "conley", "places": PLACES, "cutoff": 9}, "no place for 5"),
        (PANEL, ["x"], {"cov": "conley", "places": PLACES, "cutoff": 0}, "positive number of km"),
        (PANEL, ["x"], {"cov": "conley", "places": PANEL.loc[[0]].droplevel(0), "cutoff": 9}, "no place"),
        (PANEL.drop(5, level=0), ["x"], {"cov": "conley", "places": PLACES * 0, "cutoff": 9}, "at one point"),
        (PANEL.drop(5, level=0), ["x"], {"cov": "conley", "places": PLACES[["lon"]], "cutoff": 9}, "'lon' and 'lat'"),
    ],
)
def test_input_without_an_answer_is_refused_with_its_place(data, x, options, words):
    with pytest.raises(InvalidInputError, match=words):
        fixed_effects(data, "y", x, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"x": ["xx"]}, "column 'xx'"),
        ({"effects": "two-way"}, "effects 'two-way'; did you mean 'twoway'"),
        ({"cov": "clustered"}, "did you mean 'cluster'"),
        ({"cluster": "unit"}, "cluster 'unit'"),
        ({"small_sample": "stata"}, "small-sample convention"),
        ({"cov": "conley", "places": pd.concat([PLACES, PLACES]).reset_index(), "cutoff": 1, "kernel": "x"}, "kernel"),
    ],
)
def test_unknown_names_are_refused(options, words):
    with pytest.raises(UnknownNameError, match=words):
        fixed_effects(PANEL, "y", **{"x": ["x"], **options})

"""Sigma and beta convergence against R (lm, plm, sandwich, cor.test), the delta method, and simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.graph import Graph
from scipy.sparse import csr_array
from scipy.stats import t

from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.inequality import beta_convergence, sigma_convergence
from clusterlib.spatial_panel import spatial_panel
from clusterlib.tables import regression_table

REFERENCE = Path(__file__).parent / "reference"
CLOSED_FORM = 1e-10


def expected(name: str) -> dict:
    return json.loads((REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


SHARED, PANEL = expected("convergence_produc"), expected("convergence_produc_panel")


@pytest.fixture(scope="module")
def produc() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "data" / "produc.csv").set_index(["state", "year"])
    return data.assign(prod=data["gsp"] / data["emp"])


def simulated(speed: float, units: int = 60, years: int = 10, noise: float = 0.01, seed: int = 0) -> pd.DataFrame:
    """Logs that close this share of the gap to 5 every year, with a shock each."""
    random = np.random.default_rng(seed)
    logs = [random.normal(3, 0.7, units)]
    for _ in range(years):
        logs.append(5 + (logs[-1] - 5) * np.exp(-speed) + noise * random.normal(size=units))
    index = pd.MultiIndex.from_product([range(units), range(2010, 2011 + years)], names=["unit", "year"])
    return pd.DataFrame({"income": np.exp(np.column_stack(logs).ravel())}, index=index)


def logs_of(*periods: np.ndarray) -> pd.DataFrame:
    """A panel of which these are the logarithms, period by period."""
    index = pd.MultiIndex.from_product([range(len(periods[0])), range(len(periods))], names=["unit", "year"])
    return pd.DataFrame({"income": np.exp(np.column_stack(periods).ravel())}, index=index)


def test_dispersion_of_the_states_equals_r(produc):
    result = sigma_convergence(produc, "prod")
    for year, value in SHARED["sigma_sdlog"].items():
        assert result.by_period.loc[int(year), "sd_log"] == pytest.approx(value, rel=CLOSED_FORM)
    first = expected("ineq_produc_gspemp_1970")["total"]
    # The package ineq divides by n.
    whole = sigma_convergence(produc, "prod", ddof=0).by_period.loc[1970]
    assert whole["coefficient_of_variation"] == pytest.approx(first["var_coeff"], rel=CLOSED_FORM)
    assert whole["mean"] == pytest.approx(first["mean"], rel=CLOSED_FORM)


def test_trend_and_change_of_the_dispersion_equal_r(produc):
    result = sigma_convergence(produc, "prod")
    trend = PANEL["sigma_trend"]
    assert result.lags == trend["lags"]
    assert result.trend.loc["sd_log", "estimate"] == pytest.approx(trend["slope"], rel=1e-9)
    assert result.trend.loc["sd_log", "std_error"] == pytest.approx(trend["se_newey_west"], rel=1e-9)
    for name, attribute in {"ratio": "variance_ratio", "statistic": "statistic"}.items():
        assert getattr(result, attribute) == pytest.approx(PANEL["pitman_morgan"][name], rel=CLOSED_FORM)
    assert result.p_value == pytest.approx(PANEL["pitman_morgan"]["p_value"], rel=1e-6)


@pytest.mark.parametrize(("years", "lags"), [(8, 2), (16, 2), (29, 3)])
def test_lags_of_the_trend_follow_the_number_of_periods(years, lags):
    assert sigma_convergence(simulated(0.02, years=years), "income").lags == lags


@given(st.integers(0, 10_000), st.floats(0.5, 0.99))
@settings(max_examples=40, deadline=None)
def test_interval_of_the_ratio_leaves_out_one_just_when_the_test_rejects(seed, level):
    random = np.random.default_rng(seed)
    first = random.normal(size=9)
    last = random.uniform(0.3, 3) * first + random.normal(size=9)
    result = sigma_convergence(logs_of(first, random.normal(size=9), last), "income", level=level)
    assert result.lower < result.variance_ratio < result.upper
    assert (result.p_value < 1 - level) == (not result.lower < 1 < result.upper)
    assert (result.statistic > 0) == (result.variance_ratio > 1)
    assert result.variance_ratio == pytest.approx(last.var() / first.var(), rel=1e-9)


def test_the_test_of_a_dispersion_that_stays_keeps_its_level():
    random = np.random.default_rng(2)
    draws = random.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=(1000, 12))
    rejected = sum(sigma_convergence(logs_of(x[:, 0], x[:, 0], x[:, 1]), "income").p_value < 0.05 for x in draws)
    assert 30 <= rejected <= 72


def test_growth_alike_for_all_leaves_the_dispersion_of_logs_as_it_is():
    data = simulated(0.0, noise=0.0)
    data["income"] *= 1.1 ** (data.index.get_level_values("year") - 2010)
    result = sigma_convergence(data, "income")
    np.testing.assert_allclose(result.change[["coefficient_of_variation", "sd_log"]], 0, atol=1e-9)
    assert result.change["sd"] == pytest.approx(100 * (1.1**10 - 1))
    assert result.variance_ratio == pytest.approx(1) and result.p_value == pytest.approx(1)


def test_the_test_of_the_change_takes_logarithms_or_the_values_themselves():
    data = simulated(0.0, noise=0.02)
    data["income"] *= 1.1 ** (data.index.get_level_values("year") - 2010)
    relative, absolute = (sigma_convergence(data, "income", log=log) for log in (True, False))
    assert relative.p_value > 0.01
    wide = data["income"].unstack()
    assert absolute.variance_ratio == pytest.approx(wide[2020].var() / wide[2010].var())
    assert absolute.p_value < 1e-6
    doubled = simulated(0.0, noise=0.0)
    doubled.loc[doubled.index.get_level_values("year") == 2020, "income"] **= 2
    exact = sigma_convergence(doubled, "income")
    assert exact.variance_ratio == pytest.approx(4) and exact.p_value < 1e-6


def test_dispersion_does_not_depend_on_the_unit_and_takes_the_divisor_asked_for():
    data = simulated(0.05)
    first, scaled, whole = (
        sigma_convergence(d, "income", ddof=ddof) for d, ddof in ((data, 1), (data * 1e4, 1), (data, 0))
    )
    for name in ("coefficient_of_variation", "sd_log"):
        np.testing.assert_allclose(scaled.by_period[name], first.by_period[name], rtol=1e-10)
        np.testing.assert_allclose(whole.by_period[name] * (60 / 59) ** 0.5, first.by_period[name], rtol=1e-12)
    assert first.table.loc["sd_log", "change"] == pytest.approx(100 * np.expm1(-0.5), abs=3)


@pytest.mark.parametrize(("cov", "name"), [("classical", "se_ols"), ("robust", "se_HC1")])
def test_absolute_convergence_of_the_states_equals_r(produc, cov, name):
    result = beta_convergence(produc, "prod", cov=cov)
    assert result.beta == pytest.approx(SHARED["coef"]["l0"], rel=CLOSED_FORM)
    assert result.coefficients.loc["const", "estimate"] == pytest.approx(SHARED["coef"]["(Intercept)"], rel=CLOSED_FORM)
    assert result.coefficients.loc["log_prod", "std_error"] == pytest.approx(SHARED[name]["l0"], rel=CLOSED_FORM)
    assert result.coefficients.loc["const", "std_error"] == pytest.approx(SHARED[name]["(Intercept)"], rel=CLOSED_FORM)
    assert result.r_squared == pytest.approx(SHARED["r2"], rel=CLOSED_FORM)
    assert result.convergence.loc["speed", "estimate"] == pytest.approx(SHARED["speed"], rel=CLOSED_FORM)
    assert result.convergence.loc["half_life", "estimate"] == pytest.approx(SHARED["half_life"], rel=CLOSED_FORM)
    assert (result.nobs, result.n_units, result.first, result.last, result.interval) == (48, 48, 1970, 1986, 16)
    assert (result.units, result.n_periods, result.df_resid) == (48, 1, 46)


def test_intervals_and_p_values_are_those_of_students_t_in_the_cross_section_and_the_panel(produc):
    row = beta_convergence(produc, "prod").coefficients.loc["log_prod"]
    assert row["upper"] - row["lower"] == pytest.approx(2 * t.ppf(0.975, 46) * row["std_error"], rel=1e-10)
    result = beta_convergence(produc, "prod", method="panel", level=0.9)
    row = result.coefficients.loc["log_prod"]
    # By unit there are as many degrees of freedom as units less one.
    assert row["upper"] - row["lower"] == pytest.approx(2 * t.ppf(0.95, 47) * row["std_error"], rel=1e-10)
    assert result.p_value == pytest.approx(2 * t.sf(abs(row["statistic"]), 47), rel=1e-8)


def test_conditional_convergence_with_controls_of_the_first_year_equals_r(produc):
    for cov, name in (("classical", "se_classical"), ("robust", "se_HC1")):
        table = beta_convergence(produc, "prod", "unemp", cov=cov).coefficients
        for variable, answer in {"const": "const", "log_prod": "log_initial", "unemp": "unemp"}.items():
            answers = PANEL["cross_section_control"]
            assert table.loc[variable, "estimate"] == pytest.approx(answers["coef"][answer], rel=1e-9)
            assert table.loc[variable, "std_error"] == pytest.approx(answers[name][answer], rel=1e-9)


@pytest.mark.parametrize("interval", [1, 4])
@pytest.mark.parametrize(
    ("key", "effects", "controls"),
    [("twoway", "twoway", ()), ("twoway_control", "twoway", ["unemp"]), ("entity", "entity", ()), ("none", "none", ())],
)
def test_panel_convergence_equals_plm(produc, key, effects, controls, interval):
    answer = PANEL[f"{key}_{interval}"]
    result = beta_convergence(
        produc, "prod", controls, method="panel", effects=effects, interval=interval, cov="classical"
    )
    clustered = beta_convergence(produc, "prod", controls, method="panel", effects=effects, interval=interval)
    assert result.nobs == answer["nobs"] and result.interval == interval
    factors = []
    for variable, name in {"log_prod": "log_initial", "unemp": "unemp"}.items():
        if name in answer["coef"]:
            assert result.coefficients.loc[variable, "estimate"] == pytest.approx(answer["coef"][name], rel=1e-9)
            assert result.coefficients.loc[variable, "std_error"] == pytest.approx(
                answer["se_classical"][name], rel=1e-9
            )
            factors.append(clustered.coefficients.loc[variable, "std_error"] / answer["se_cluster_HC0"][name])
    # R's HC0 has no factor for a small sample: 48 clusters and a dozen periods make up to a tenth.
    assert 1 < min(factors) < 1.1 and max(factors) == pytest.approx(min(factors), rel=1e-9)


def test_the_cross_section_needs_its_ends_and_the_controls_of_its_beginning_alone(produc):
    whole = beta_convergence(produc, "prod", "unemp")
    gaps = produc.drop(("OHIO", 1975))
    gaps.loc[("IOWA", 1986), "unemp"] = np.nan
    pd.testing.assert_frame_equal(beta_convergence(gaps, "prod", "unemp").coefficients, whole.coefficients)
    gaps.loc[("IOWA", 1970), "unemp"] = np.nan
    with pytest.raises(InvalidInputError, match=r"missing or infinite.*IOWA.*'unemp'"):
        beta_convergence(gaps, "prod", "unemp")


def test_speed_and_half_life_have_the_errors_of_the_delta_method():
    result, step = beta_convergence(simulated(0.03, units=30, noise=0.05), "income"), 1e-6
    row, table = result.table.loc["log_income"], result.convergence

    def speed(beta):
        return -np.log(1 + 10 * beta) / 10

    beta, error = row["estimate"], row["std_error"]
    slope = (speed(beta + step) - speed(beta - step)) / (2 * step)
    assert table.loc["speed", "std_error"] == pytest.approx(abs(slope) * error, rel=1e-6)
    slope = (np.log(2) / speed(beta + step) - np.log(2) / speed(beta - step)) / (2 * step)
    assert table.loc["half_life", "std_error"] == pytest.approx(abs(slope) * error, rel=1e-6)
    assert table.loc["speed", ["lower", "upper"]].tolist() == pytest.approx([speed(row["upper"]), speed(row["lower"])])
    ends = [np.log(2) / speed(row["lower"]), np.log(2) / speed(row["upper"])]
    assert table.loc["half_life", ["lower", "upper"]].tolist() == pytest.approx(ends)


def test_divergence_has_no_half_life_and_more_than_full_convergence_no_speed():
    random = np.random.default_rng(0)
    start = random.normal(3, 0.5, 20)
    result = beta_convergence(logs_of(start, 1.01 * start + 0.1 * random.normal(size=20)), "income")
    apart, row = result.convergence, result.table.loc["log_income"]
    assert row["lower"] < 0 < row["estimate"]
    assert apart.loc["speed", "estimate"] < 0
    assert np.isinf(apart.loc["half_life", "estimate"]) and np.isnan(apart.loc["half_life", "std_error"])
    assert apart.loc["half_life", "lower"] == pytest.approx(np.log(2) / apart.loc["speed", "upper"])
    beyond = beta_convergence(logs_of(start, 6 - start + 0.1 * random.normal(size=20)), "income")
    assert beyond.beta == pytest.approx(-2, abs=0.2)
    assert beyond.convergence.loc[["speed", "half_life"], ["estimate", "std_error"]].isna().all(axis=None)


def test_the_speed_put_in_is_found_in_the_cross_section_and_with_effects():
    data = simulated(0.05)
    for result in (
        beta_convergence(data, "income"),
        beta_convergence(data, "income", method="panel", effects="none"),
        beta_convergence(data, "income", method="panel", interval=5, effects="time"),
    ):
        assert result.convergence.loc["speed", "estimate"] == pytest.approx(0.05, abs=0.002)
        assert result.convergence.loc["half_life", "estimate"] == pytest.approx(np.log(2) / 0.05, rel=0.05)
        assert result.p_value < 1e-6


def test_convergence_does_not_depend_on_the_unit_of_measurement():
    data = simulated(0.03)
    for method in ("cross-section", "panel"):
        first, scaled = (beta_convergence(d, "income", method=method) for d in (data, data * 1e4))
        pd.testing.assert_frame_equal(first.convergence, scaled.convergence, rtol=1e-8)


def test_without_convergence_beta_with_effects_tends_to_its_limit_and_the_test_keeps_its_level():
    random, statistics, betas = np.random.default_rng(9), [], []
    for _ in range(60):
        logs = np.cumsum(random.normal(size=(150, 13)), axis=1) * 0.05
        index = pd.MultiIndex.from_product([range(150), range(13)], names=["unit", "year"])
        result = beta_convergence(pd.DataFrame({"y": np.exp(logs).ravel()}, index=index), "y", method="panel")
        betas.append(result.beta)
        statistics.append(result.unit_root["statistic"])
        assert result.p_value < 1e-6
    assert result.unit_root["limit"] == pytest.approx(-3 / 13)
    assert np.mean(betas) == pytest.approx(-3 / 13, abs=0.005)
    assert abs(np.mean(statistics)) < 0.4 and 0.7 < np.std(statistics) < 1.3


def test_the_limit_is_given_only_where_it_holds(produc):
    assert beta_convergence(produc, "prod").unit_root is None
    assert beta_convergence(produc, "prod", "unemp", method="panel").unit_root is None
    assert beta_convergence(produc, "prod", method="panel", effects="time").unit_root is None
    spaced = beta_convergence(produc, "prod", method="panel", interval=4).unit_root
    assert spaced["limit"] == pytest.approx(-3 / 5 / 4)


def ring(units: int) -> np.ndarray:
    """Row-standardised weights of the two units before and after each in a ring."""
    eye = np.eye(units)
    return sum(np.roll(eye, step, axis=1) for step in (-2, -1, 1, 2)) / 4


@pytest.mark.parametrize(("model", "key"), [("sar", "spatial_lag"), ("sdm", "spatial_durbin")])
def test_convergence_in_space_equals_spatialreg(produc, model, key):
    answer, result = PANEL[key], beta_convergence(produc, "prod", w=ring(48), model=model)
    names = {"const": "const", "log_initial": "log_prod", "W_log_initial": "W_log_prod"}
    for name, value in answer["coef"].items():
        row = result.coefficients.loc[names[name]]
        assert row["estimate"] == pytest.approx(value, rel=1e-6, abs=1e-8)
        assert row["std_error"] == pytest.approx(answer["se"][name], rel=1e-3)
    assert result.rho == pytest.approx(answer["rho"], abs=1e-6)
    assert result.coefficients.loc["rho", "std_error"] == pytest.approx(answer["rho_se"], rel=1e-3)
    assert result.spatial.loglik == pytest.approx(answer["log_likelihood"], abs=1e-6)
    speed = -np.log(1 + 16 * answer["coef"]["log_initial"]) / 16
    assert result.convergence.loc["speed", "estimate"] == pytest.approx(speed, rel=1e-5)
    assert (result.model, result.cov, result.unit_root) == (model, "ml", None)


def test_panel_convergence_in_space_is_the_spatial_panel_of_growth_on_the_lagged_level(produc):
    logs = np.log(produc["prod"].unstack())
    growth = logs.diff(axis=1).iloc[:, 1:].stack().rename("growth")
    lagged = logs.shift(axis=1).iloc[:, 1:].stack().rename("log_prod")
    direct = spatial_panel(
        pd.concat([growth, lagged], axis=1), "growth", "log_prod", ring(48), "sdm", "twoway", "lee-yu"
    )
    options = {"method": "panel", "model": "sdm", "bias_correction": "lee-yu"}
    result = beta_convergence(produc, "prod", w=ring(48), **options)
    assert result.beta == pytest.approx(direct.params["log_prod"], rel=1e-9)
    assert result.rho == pytest.approx(direct.rho, rel=1e-9)
    assert result.coefficients.index.tolist() == ["log_prod", "W_log_prod", "rho"]
    assert result.spatial.impacts(draws=20).table.loc["log_prod", "total"] < 0


def test_convergence_in_space_that_is_put_in_is_found():
    random, units = np.random.default_rng(3), 200
    start = random.normal(3, 0.7, units)
    spread = np.linalg.inv(np.eye(units) - 0.5 * ring(units))
    growth = spread @ (0.1 - 0.02 * start + 0.004 * random.normal(size=units))
    index = pd.MultiIndex.from_product([range(units), [2010, 2020]], names=["unit", "year"])
    logs = np.column_stack([start, start + 10 * growth])
    result = beta_convergence(pd.DataFrame({"income": np.exp(logs).ravel()}, index=index), "income", w=ring(units))
    assert result.rho == pytest.approx(0.5, abs=0.1)
    assert result.beta == pytest.approx(-0.02, abs=3 * result.coefficients.loc["log_income", "std_error"])
    assert np.isnan(beta_convergence(simulated(0.05), "income", w=ring(60), model="sem").rho)


@pytest.mark.parametrize("method", [sigma_convergence, beta_convergence])
def test_panels_without_an_answer_are_refused_with_the_place(method, produc):
    zero = produc.copy()
    zero.loc[("OHIO", 1970), "prod"] = 0.0
    with pytest.raises(InvalidInputError, match=r"'prod' is 0 for OHIO in 1970.*logarithms"):
        method(zero, "prod")
    with pytest.raises(InvalidInputError, match=r"not balanced.*OHIO"):
        method(produc.drop(("OHIO", 1970)), "prod")
    missing = produc.copy()
    missing.loc[("OHIO", 1970), "prod"] = np.nan
    with pytest.raises(InvalidInputError, match=r"missing or infinite.*OHIO"):
        method(missing, "prod")
    with pytest.raises(UnknownNameError, match=r"'product'.*did you mean 'prod'"):
        method(produc, "product")
    words = produc.rename(index=str, level="year")
    with pytest.raises(InvalidInputError, match="periods such as '1970': expected numbers"):
        method(words, "prod")


def test_impossible_options_are_refused(produc):
    with pytest.raises(InvalidInputError, match="no dispersion to follow"):
        sigma_convergence(produc.assign(prod=1.0), "prod")
    with pytest.raises(InvalidInputError, match="at least three"):
        sigma_convergence(produc.loc[["OHIO", "IOWA"]], "prod")
    with pytest.raises(InvalidInputError, match=r"ddof=48"):
        sigma_convergence(produc, "prod", ddof=48)
    with pytest.raises(InvalidInputError, match="lags=17: expected a whole number from 0 to 16"):
        sigma_convergence(produc, "prod", lags=17)
    with pytest.raises(UnknownNameError, match="method 'pannel'"):
        beta_convergence(produc, "prod", method="pannel")
    with pytest.raises(InvalidInputError, match="one growth rate a unit"):
        beta_convergence(produc, "prod", effects="twoway")
    with pytest.raises(InvalidInputError, match=r"interval=17"):
        beta_convergence(produc, "prod", method="panel", interval=17)
    uneven = produc[produc.index.get_level_values("year") != 1971]
    with pytest.raises(InvalidInputError, match="not evenly spaced: 1 to 2"):
        beta_convergence(uneven, "prod", method="panel")


def test_the_trend_of_a_measure_equals_least_squares_with_newey_wests_errors(produc):
    from statsmodels.regression.linear_model import OLS

    for lags in (None, 0, 3):
        result = sigma_convergence(produc, "prod", lags=lags)
        design = np.column_stack([np.ones(17), np.arange(17)])
        for name, row in result.trend.iterrows():
            fit = OLS(result.by_period[name].to_numpy(), design).fit(
                cov_type="HAC", cov_kwds={"maxlags": 2 if lags is None else lags, "use_correction": True}
            )
            assert row["estimate"] == pytest.approx(fit.params[1], rel=1e-9)
            assert row["std_error"] == pytest.approx(fit.bse[1], rel=1e-9)
            assert row["p_value"] == pytest.approx(2 * t.sf(abs(fit.params[1] / fit.bse[1]), 15), rel=1e-8)


def test_dispersion_that_stays_but_for_rounding_has_no_trend_and_no_change():
    data = simulated(0.0, noise=0.0)
    data["income"] *= 1.1 ** (data.index.get_level_values("year") - 2010)
    result = sigma_convergence(data, "income")
    # What rounding leaves had a trend with a p value of its own.
    assert result.trend.loc[["coefficient_of_variation", "sd_log"], ["estimate", "std_error"]].eq(0).all(axis=None)
    assert result.trend.loc[["coefficient_of_variation", "sd_log"], "p_value"].isna().all()
    assert result.trend.loc["sd", "p_value"] < 0.01
    assert (result.statistic, result.p_value) == (0, 1)


def test_units_that_change_places_about_the_mean_leave_the_variance_as_it_was():
    logs = 3 + 0.1 * np.arange(6)
    result = sigma_convergence(logs_of(logs, logs, 6.5 - logs), "income")
    assert result.variance_ratio == pytest.approx(1)
    assert (result.statistic, result.p_value) == (0, 1)


def test_a_period_without_dispersion_but_for_rounding_is_refused(produc):
    flat = produc.copy()
    years = flat.index.get_level_values("year") == 1975
    flat.loc[years, "prod"] = np.where(np.arange(years.sum()) % 2, 0.1 + 0.2, 0.3)
    with pytest.raises(InvalidInputError, match="the same 'prod' in 1975: no dispersion to follow"):
        sigma_convergence(flat, "prod")


@pytest.mark.parametrize("options", [{}, {"method": "panel"}, {"method": "panel", "effects": "none"}, {"w": "ring"}])
def test_growth_alike_but_for_rounding_is_refused(options, produc):
    start = np.random.default_rng(1).normal(3, 0.7, 48)
    data = logs_of(*(start + 0.1 * year for year in range(6)))
    if "w" in options:
        options = {"w": ring(48)}
    with pytest.raises(InvalidInputError, match="'income' grows at the same rate everywhere"):
        beta_convergence(data, "income", **options)


def test_an_initial_level_alike_but_for_rounding_is_refused():
    random = np.random.default_rng(0)
    start = np.log(np.where(np.arange(12) % 2, 0.1 + 0.2, 0.3))
    with pytest.raises(InvalidInputError, match="log_income is the same in every row"):
        beta_convergence(logs_of(start, start + random.normal(size=12)), "income")


def test_weights_are_aligned_by_label_and_a_matrix_follows_the_data(produc):
    units = produc.index.unique(0)
    random = np.random.default_rng(0)
    dense = ring(48)
    right = beta_convergence(produc, "prod", w=dense)
    mixed = random.permutation(48)
    labelled = pd.DataFrame(dense, index=units, columns=units)
    graph = Graph.from_sparse(csr_array(dense), ids=units.tolist())
    for w in (labelled, labelled.iloc[mixed, mixed], graph, graph.to_W(), csr_array(dense)):
        assert beta_convergence(produc, "prod", w=w).rho == pytest.approx(right.rho, rel=1e-6)
    shuffled = produc.loc[units[mixed]]
    assert beta_convergence(shuffled, "prod", w=labelled).rho == pytest.approx(right.rho, rel=1e-6)
    with pytest.warns(ClusterlibWarning, match="the order in which the units first stand in the data"):
        result = beta_convergence(shuffled, "prod", w=dense[np.ix_(mixed, mixed)])
    assert result.rho == pytest.approx(right.rho, rel=1e-6)
    with pytest.raises(InvalidInputError, match="have values but no weights"):
        beta_convergence(produc, "prod", w=labelled.iloc[1:, 1:])


def test_growth_regressions_speak_the_protocol_of_estimates(produc):
    result = beta_convergence(produc, "prod", method="panel")
    pd.testing.assert_frame_equal(result.table, result.coefficients)
    np.testing.assert_allclose(result.std_errors**2, np.diag(result.covariance))
    pd.testing.assert_frame_equal(result.conf_int(0.95), result.table[["lower", "upper"]])
    assert (result.nobs, result.n_units, result.n_periods) == (768, 48, 16)
    assert result.df_resid == 768 - 1 - 48 - 16 + 1 and result.df_inference == 47
    test = result.tests["Harris-Tzavalis"]
    assert (test.statistic, test.p_value) == tuple(result.unit_root[["statistic", "p_value"]])
    assert "Half-life 半衰期" in result.footer and "Harris-Tzavalis" in result.summary()
    spatial = beta_convergence(produc, "prod", w=ring(48))
    assert (spatial.loglik, spatial.n_parameters) == (spatial.spatial.loglik, spatial.spatial.n_parameters)
    assert spatial.bic == pytest.approx(spatial.spatial.bic) and not spatial.tests
    assert regression_table({"(1)": result, "(2)": spatial}, digits=4).shape[1] == 3


def test_options_that_would_be_ignored_are_refused(produc):
    for options in ({"model": "sdm"}, {"bias_correction": "lee-yu"}):
        with pytest.raises(InvalidInputError, match="options of a spatial model, which needs w="):
            beta_convergence(produc, "prod", **options)
    with pytest.raises(InvalidInputError, match="cov='robust': a spatial model"):
        beta_convergence(produc, "prod", w=ring(48), cov="robust")
    with pytest.raises(InvalidInputError, match="'growth' is a name of the regression's own"):
        beta_convergence(produc.assign(growth=1.0), "prod", "growth")

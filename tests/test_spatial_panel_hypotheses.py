"""Wald, likelihood-ratio and Lagrange multiplier tests: formulas in the plain, sizes and powers, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from spatial_panel_cases import nearest, simulated

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.spatial_panel import likelihood_ratio_test, lm_tests, spatial_panel, wald_test

X = ["x1", "x2"]
W = nearest(30)


def fitted(panel: pd.DataFrame, model: str, effects: str = "twoway", correction: str | None = "lee-yu", **options):
    return spatial_panel(panel, "y", X, W, model, effects, correction, **options)


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return simulated(W, 8, 0.4, seed=1)


def test_wald_test_of_sar_is_the_quadratic_form_of_the_lagged_coefficients(panel):
    result = fitted(panel, "sdm")
    theta = result.params[["W_x1", "W_x2"]].to_numpy()
    block = result.covariance.loc[["W_x1", "W_x2"], ["W_x1", "W_x2"]].to_numpy()
    statistic = theta @ np.linalg.inv(block) @ theta
    test = wald_test(result, "sar")
    assert (test.statistic, test.df) == (pytest.approx(statistic), 2)
    assert test.p_value == pytest.approx(chi2.sf(statistic, 2))
    assert wald_test(result, ["W_x2", "W_x1"]).statistic == pytest.approx(statistic)
    assert test.table.loc["Wald", ["statistic", "df"]].tolist() == [test.statistic, 2]


def test_wald_test_of_one_parameter_is_its_squared_z(panel):
    result = fitted(panel, "sdm")
    z = result.table.loc["rho", "statistic"]
    for restriction in ("slx", "rho", ["rho"]):
        assert wald_test(result, restriction).statistic == pytest.approx(z**2)


def test_wald_test_of_the_common_factor_follows_the_delta_method_by_differences(panel):
    result = fitted(panel, "sdm")
    names = list(result.params.index)

    def restriction(values: np.ndarray) -> np.ndarray:
        p = dict(zip(names, values, strict=True))
        return np.array([p["W_x1"] + p["rho"] * p["x1"], p["W_x2"] + p["rho"] * p["x2"]])

    values = result.params.to_numpy()
    steps = 1e-6 * np.eye(len(values))
    slope = np.array([(restriction(values + s) - restriction(values - s)) / 2e-6 for s in steps]).T
    covariance = slope @ result.covariance.loc[names, names].to_numpy() @ slope.T
    gap = restriction(values)
    assert wald_test(result, "sem").statistic == pytest.approx(gap @ np.linalg.inv(covariance) @ gap, rel=1e-6)


def test_a_restriction_that_holds_is_kept_and_one_that_does_not_is_rejected():
    error = fitted(simulated(W, 24, 0.0, 0.6, theta=(0.0, 0.0), seed=5), "sdm")
    assert wald_test(error, "sem").p_value > 0.05
    assert wald_test(error, "sar").p_value < 0.001
    lag = fitted(simulated(W, 24, 0.5, theta=(0.0, 0.0), seed=6), "sdm")
    assert wald_test(lag, "sar").p_value > 0.05
    assert wald_test(lag, "sem").p_value < 0.001


def test_likelihood_ratios_are_close_to_wald_and_never_negative(panel):
    small = {model: fitted(panel, model) for model in ("sar", "sem", "slx")}
    large = {model: fitted(panel, model) for model in ("sdm", "sdem", "sac")}
    for smaller, larger, df in [
        ("sar", "sdm", 2),
        ("sem", "sdm", 2),
        ("slx", "sdm", 1),
        ("sem", "sdem", 2),
        ("slx", "sdem", 1),
        ("sar", "sac", 1),
        ("sem", "sac", 1),
    ]:
        test = likelihood_ratio_test(large[larger], small[smaller])
        assert (test.df, test.statistic >= 0) == (df, True)
        assert test.statistic == pytest.approx(2 * (large[larger].loglik - small[smaller].loglik))
        if larger == "sdm":
            assert test.statistic == pytest.approx(wald_test(large["sdm"], smaller).statistic, rel=0.25)
    alone = likelihood_ratio_test(large["sac"])
    assert (alone.df, alone.null) == (2, "rho = lam = 0")
    assert likelihood_ratio_test(large["sdm"]).statistic == pytest.approx(
        likelihood_ratio_test(large["sdm"], small["slx"]).statistic
    )


def test_exact_effects_make_the_error_model_no_better_than_the_durbin_model_that_nests_it(panel):
    sdm = fitted(panel, "sdm", correction=None, exact_effects=True)
    exact, usual = (fitted(panel, "sem", correction=None, exact_effects=e) for e in (True, False))
    assert usual.loglik <= exact.loglik <= sdm.loglik


def test_lm_tests_reject_at_their_level_without_dependence_and_find_the_right_kind_of_it():
    found = [
        lm_tests(simulated(W, 6, theta=(0.0, 0.0), seed=seed, common=0.0), "y", X, W, "entity").table["p_value"] < 0.05
        for seed in range(200)
    ]
    # 200 tests at 5 %: a share outside 1 to 10 % would come about in one of a thousand.
    assert pd.DataFrame(found).mean().between(0.01, 0.10).all()
    lag = lm_tests(simulated(W, 40, 0.5, theta=(0.0, 0.0), seed=1), "y", X, W, "twoway").table
    assert lag.loc["robust_lm_lag", "statistic"] > 10 * lag.loc["robust_lm_error", "statistic"]
    error = lm_tests(simulated(W, 40, lam=0.5, theta=(0.0, 0.0), seed=1), "y", X, W, "twoway").table
    assert error.loc["robust_lm_error", "statistic"] > 10 * error.loc["robust_lm_lag", "statistic"]


def test_lm_statistics_satisfy_their_identities(panel):
    result = lm_tests(panel, "y", X, W, "entity")
    table = result.table["statistic"]
    assert table["lm_lag"] + table["robust_lm_error"] == pytest.approx(table["lm_error"] + table["robust_lm_lag"])
    assert table["lm_sarma"] == pytest.approx(table["lm_lag"] + table["robust_lm_error"])
    assert result.table["df"].tolist() == [1, 1, 1, 1, 2]
    assert (result.effects, result.nobs) == ("entity", 240)
    assert {name: test.statistic for name, test in result.tests.items()} == table.to_dict()


def test_lm_of_the_lag_is_the_squared_score_over_its_variance_at_rho_nil(panel):
    from clusterlib.spatial_panel._design import make_design
    from clusterlib.spatial_panel._jacobians import make_jacobian
    from clusterlib.spatial_panel._likelihood import ConcentratedLikelihood, Counting, Moments

    design = make_design(panel, "y", X, W, "entity")
    jacobian = make_jacobian(design.weights)
    likelihood = ConcentratedLikelihood(Moments.of(design, True, False), jacobian, Counting.of(design, False))
    scores = likelihood.score(0.0, 0.0, ("rho", "lam"))
    table = lm_tests(panel, "y", X, W, "entity").table["statistic"]
    dense = W.T @ W + W @ W
    assert table["lm_error"] == pytest.approx(scores[1] ** 2 / (8 * np.trace(dense)), rel=1e-9)
    # By the identity of the statistics, s_y and s_e are the two scores.
    spread = scores[0] ** 2 / table["lm_lag"]
    assert table["robust_lm_lag"] == pytest.approx((scores[0] - scores[1]) ** 2 / (spread - 8 * np.trace(dense)))


def test_tests_that_do_not_fit_the_models_are_refused(panel):
    sdm, sar, sem = (fitted(panel, model) for model in ("sdm", "sar", "sem"))
    part = fitted(panel, "sdm", durbin=["x1"])
    for attempt, words in [
        (lambda: wald_test(sar, "sem"), "a restriction of 'sdm', this is 'sar'"),
        (lambda: wald_test(sem, "sar"), "a restriction of 'sdm', this is 'sem'"),
        (lambda: wald_test(part, "sem"), "only if every x is lagged"),
        (lambda: wald_test(sdm, []), "each once"),
        (lambda: wald_test(sdm, ["rho", "rho"]), "each once"),
        (lambda: likelihood_ratio_test(sar, sdm), "larger model first"),
        (lambda: likelihood_ratio_test(part, sem), "only if every x is lagged"),
        (lambda: likelihood_ratio_test(part, fitted(panel, "slx")), "differ in durbin"),
        (lambda: likelihood_ratio_test(fitted(panel, "slx")), "no spatial parameter"),
        (lambda: likelihood_ratio_test(sdm, fitted(panel, "sar", "entity")), "differ in effects"),
        (lambda: likelihood_ratio_test(sdm, fitted(panel, "sar", correction=None)), "differ in bias_correction"),
        (lambda: likelihood_ratio_test(sdm, fitted(panel.assign(y=panel["y"] + 1), "sar")), "different data"),
    ]:
        with pytest.raises(InvalidInputError, match=words):
            attempt()
    with pytest.raises(UnknownNameError, match="unknown parameter 'W_x'; did you mean"):
        wald_test(sdm, "W_x")

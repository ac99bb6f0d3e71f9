"""Spatial panel models against R: a direct likelihood (R/spanel.R), and spatialreg with dummy variables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from spatial_panel_cases import (
    COLUMBUS_X,
    EFFECTS,
    LM_NAMES,
    STATES_X,
    close,
    columbus,
    expected,
    row_standardised,
    states,
    uncarried,
)

from clusterlib.spatial_panel import likelihood_ratio_test, lm_tests, spatial_panel

FILES = {"produc": "spatial_panel_produc_usaww", "cigar": "spatial_panel_cigar_usa46"}
DIRECT = {
    "sar": ("sar", {}),
    "sdm": ("sdm", {}),
    "sem": ("sem", {}),
    "sdem": ("sdem", {}),
    "sem_lsdv_exact": ("sem", {"exact_effects": True}),
    "sar_LYtransform": ("sar", {"bias_correction": "lee-yu"}),
    "sdm_LYtransform": ("sdm", {"bias_correction": "lee-yu"}),
    "sem_LYtransform": ("sem", {"bias_correction": "lee-yu"}),
}
KINDS = ("direct", "indirect", "total")


def impacts_agree(result, wanted: dict, tolerance: float) -> None:
    table = result.impacts(draws=20).table
    for kind in KINDS:
        np.testing.assert_allclose(table[kind], wanted[kind], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("jacobian", ["eigen", "lu"])
@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("name", FILES)
def test_every_model_gives_the_direct_likelihood_of_r(name, effects, jacobian):
    data, y, x, w = uncarried(name)
    for key, (model, options) in DIRECT.items():
        wanted = expected(FILES[name])[effects][key]
        result = spatial_panel(data, y, x, w, model, EFFECTS[effects], jacobian=jacobian, **options)
        spatial = "rho" if "rho" in wanted else "lambda"
        close(result.params, wanted["beta"], 1e-9)
        assert result.params[spatial.replace("lambda", "lam")] == pytest.approx(wanted[spatial], abs=1e-9)
        assert result.sigma2 == pytest.approx(wanted["sigma2"], rel=1e-9)
        assert result.loglik == pytest.approx(wanted["logLik"], abs=1e-7)
        errors = {**wanted["se_beta"], spatial.replace("lambda", "lam"): wanted[f"se_{spatial}"]}
        np.testing.assert_allclose(result.std_errors[list(errors)], list(errors.values()), rtol=1e-8)
        if "se_sigma2" in wanted:
            variance = result.covariance.loc["sigma2", "sigma2"]
            assert variance**0.5 == pytest.approx(wanted["se_sigma2"], rel=1e-8)
        if "impacts" in wanted:
            impacts_agree(result, wanted["impacts"], 1e-9)


@pytest.mark.parametrize("name", FILES)
def test_lm_tests_of_demeaned_panels_are_those_of_r(name):
    data, y, x, w = uncarried(name)
    names = {"lm_lag": "LM_lag", "lm_error": "LM_error", "lm_sarma": "LM_sarma"}
    names |= {"robust_lm_lag": "RLM_lag", "robust_lm_error": "RLM_error"}
    for effects, ours in EFFECTS.items():
        wanted = expected(FILES[name])[effects]["lm_tests_demeaned"]
        got = lm_tests(data, y, x, w, ours).table["statistic"]
        np.testing.assert_allclose(got[list(names)], [wanted[r] for r in names.values()], rtol=1e-10)


def agrees_with_spatialreg(result, wanted: dict, spatial: float, errors: float) -> None:
    close(result.params, {n: v for n, v in wanted["coef"].items() if n in result.params}, spatial)
    close(result.std_errors, {n: v for n, v in wanted["se"].items() if n in result.params}, errors)
    for name in ("rho", "lam"):
        if wanted[name] is not None:
            assert result.params[name] == pytest.approx(wanted[name], abs=spatial)
            assert result.std_errors[name] == pytest.approx(wanted[f"{name}_se"], rel=errors)
    assert result.sigma2 == pytest.approx(wanted["sigma2"], rel=10 * spatial)
    assert result.loglik == pytest.approx(wanted["loglik"], abs=1e-6)
    if "impacts" in wanted:
        impacts_agree(result, wanted["impacts"], 1e-6)


# spatialreg's likelihood of error models with many dummies is noisy in its seventh digit, and its maximum as much.
@pytest.mark.parametrize(
    ("model", "tolerance"),
    [("sar", 1e-6), ("sdm", 1e-6), ("sdm_first_lagged", 1e-6), ("sem", 3e-5), ("sdem", 3e-5), ("sac", 3e-5)],
)
@pytest.mark.parametrize("effects", ["none", "entity", "time", "twoway"])
def test_exact_effects_are_the_dummy_variables_of_spatialreg(effects, model, tolerance):
    data, w = states()
    first = STATES_X[:1] if model == "sdm_first_lagged" else None
    kind = model.removesuffix("_first_lagged")
    result = spatial_panel(data, "lgsp", STATES_X, w, kind, effects, durbin=first, exact_effects=True)
    agrees_with_spatialreg(result, expected("spatial_panel_states")[effects][model], tolerance, 1e-3)


@pytest.mark.parametrize("effects", ["none", "entity", "time", "twoway"])
def test_lm_tests_of_panels_are_those_of_spdep_on_the_demeaned_stack(effects):
    data, w = states()
    table = lm_tests(data, "lgsp", STATES_X, w, effects).table
    wanted = expected("spatial_panel_states")[effects]["lm_tests"]
    np.testing.assert_allclose(table["statistic"][list(LM_NAMES)], [wanted[r] for r in LM_NAMES.values()], rtol=1e-8)


@pytest.mark.parametrize("jacobian", ["eigen", "lu"])
@pytest.mark.parametrize("weights", ["row_standardised", "binary", "islands"])
def test_a_cross_section_is_that_of_spatialreg(weights, jacobian):
    data, w = columbus()
    wanted = expected("spatial_cross_columbus")[weights]
    if weights == "islands":
        w = w.copy()
        w[[0, 19]] = w[:, [0, 19]] = 0
    w = w if weights == "binary" else row_standardised(w)
    for key in ("sar", "sem", "sdm", "sdm_first_lagged", "sdem", "sac"):
        if key in wanted:
            first = COLUMBUS_X[:1] if key == "sdm_first_lagged" else None
            model = key.removesuffix("_first_lagged")
            result = spatial_panel(data, "CRIME", COLUMBUS_X, w, model, durbin=first, jacobian=jacobian)
            agrees_with_spatialreg(result, wanted[key], 1e-6, 1e-6)
            assert result.islands == ((1, 20) if weights == "islands" else ())
    if "lm_tests" in wanted:
        got = lm_tests(data, "CRIME", COLUMBUS_X, w).table["statistic"]
        r = [wanted["lm_tests"][name] for name in LM_NAMES.values()]
        np.testing.assert_allclose(got[list(LM_NAMES)], r, rtol=1e-10)


def test_columbus_has_the_criteria_ratios_and_p_values_of_spatialreg():
    data, w = columbus()
    wanted = expected("cross_columbus")
    found = {
        model: spatial_panel(data, "CRIME", COLUMBUS_X, row_standardised(w), model)
        for model in ("sar", "sem", "sdm", "sdem", "sac", "slx")
    }
    for model in ("sar", "sem", "sdm", "sdem"):
        assert found[model].aic == pytest.approx(wanted[model]["AIC"], abs=1e-9)
        assert likelihood_ratio_test(found[model]).statistic == pytest.approx(wanted[model]["LR_vs_ols"], abs=1e-9)
    for model in ("sac", "slx"):
        assert found[model].loglik == pytest.approx(wanted[model]["logLik"], abs=1e-9)
    for smaller in ("sar", "sem"):
        test, r = likelihood_ratio_test(found["sdm"], found[smaller]), wanted[f"LR_sdm_vs_{smaller}"]
        assert (test.statistic, test.df) == (pytest.approx(r["statistic"], abs=1e-9), r["df"])
        assert test.p_value == pytest.approx(r["p_value"], abs=1e-10)
    table = lm_tests(data, "CRIME", COLUMBUS_X, row_standardised(w)).table
    for ours, r in LM_NAMES.items():
        assert table.loc[ours, "df"] == wanted["lm_tests"][r]["df"]
        assert table.loc[ours, "p_value"] == pytest.approx(wanted["lm_tests"][r]["p_value"], rel=1e-9)


def test_slx_is_least_squares_with_the_error_variance_of_maximum_likelihood():
    data, w = columbus()
    result = spatial_panel(data, "CRIME", COLUMBUS_X, row_standardised(w), "slx")
    wanted = expected("spatial_cross_columbus")["row_standardised"]["slx"]
    close(result.params, wanted["coef"], 1e-10)
    # R divides the squared residuals by the 44 degrees of freedom, maximum likelihood by the 49 observations.
    errors = pd.Series(wanted["se"]) * (44 / 49) ** 0.5
    np.testing.assert_allclose(result.std_errors[errors.index], errors, rtol=1e-10)
    assert (result.rho, result.lam, result.jacobian) == (0, 0, "none")

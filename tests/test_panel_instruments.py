"""Instrumental variables against linearmodels, Wooldridge's published example, dummy variables and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from linearmodels.datasets import mroz
from linearmodels.iv import IV2SLS, IVGMM, IVLIML
from panel_cases import made_panel

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import fixed_effects, instrumental_variables

ONE = (["educ"], ["motheduc", "fatheduc"])
TWO = (["educ", "age"], ["motheduc", "fatheduc", "huseduc", "kidslt6"])
CONTROLS = ["exper", "expersq"]


@pytest.fixture(scope="module")
def women() -> pd.DataFrame:
    """Mroz's women with a wage, each a unit of one period, in 53 made-up groups."""
    data = mroz.load().dropna(subset=["lwage"]).reset_index(drop=True).astype(float)
    data["expersq"] = data["exper"] ** 2
    data["group"] = data.index % 53
    data.index = pd.MultiIndex.from_product([data.index, [1975]], names=["unit", "year"])
    return data


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """An unbalanced panel with an endogenous variable x, a control c and instruments z and w; the effect of x is 1."""
    data = made_panel(25, 7, 5, "uvczw")
    unit = np.random.default_rng(6).normal(size=25)[data.index.get_level_values(0)]
    data["x"] = 0.6 * data["z"] + 0.4 * data["w"] + data["v"] + unit
    data["y"] = data["x"] + 0.5 * data["c"] + data["v"] + data["u"] + 2 * unit
    return data[np.random.default_rng(7).random(len(data)) < 0.85]


def theirs(model, data, roles, **options):
    exogenous = data[CONTROLS].assign(const=1.0)
    return model(data["lwage"], exogenous, data[roles[0]], data[roles[1]]).fit(**options)


def ours(data, roles, cov, **options):
    return instrumental_variables(data, "lwage", CONTROLS, *roles, "none", cov, **options)


def test_wooldridges_example_of_the_return_to_education_is_reproduced(women):
    """Wooldridge, Introductory Econometrics, examples 15.5, 15.7 and 15.8."""
    fit = ours(women, ONE, "classical")
    assert fit.nobs == 428
    rounded = fit.table[["estimate", "std_error"]].round(4)
    assert rounded.loc["educ"].tolist() == [0.0614, 0.0314]
    assert rounded.loc["exper"].tolist() == [0.0442, 0.0134]
    assert rounded.loc["expersq"].tolist() == [-0.0009, 0.0004]
    assert fit.weak_instruments.loc["educ", "partial_f"] == pytest.approx(55.40, abs=0.005)
    assert fit.overidentification.statistic == pytest.approx(0.378, abs=0.0005)
    assert fit.overidentification.p_value == pytest.approx(0.539, abs=0.0005)
    # The t statistic of the first stage's residual is 1.67.
    assert fit.endogeneity.statistic**0.5 == pytest.approx(1.67, abs=0.005)


@pytest.mark.parametrize("roles", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize(("method", "model"), [("2sls", IV2SLS), ("liml", IVLIML)])
def test_estimates_and_errors_are_those_of_linearmodels(women, roles, method, model):
    for cov, options, mine in (
        ("classical", {"cov_type": "unadjusted", "debiased": True}, {}),
        ("robust", {"cov_type": "robust", "debiased": False}, {"small_sample": False}),
        ("robust", {"cov_type": "robust", "debiased": True}, {}),
        ("cluster", {"cov_type": "clustered", "clusters": women["group"], "debiased": False}, {"small_sample": False}),
        ("cluster", {"cov_type": "clustered", "clusters": women["group"], "debiased": True}, {}),
    ):
        cluster = {"cluster": women["group"]} if cov == "cluster" else {}
        fit = ours(women, roles, cov, method=method, **mine, **cluster)
        reference = theirs(model, women, roles, **options)
        np.testing.assert_allclose(fit.params, reference.params[fit.params.index], rtol=1e-8)
        np.testing.assert_allclose(fit.std_errors, reference.std_errors[fit.params.index], rtol=1e-8)


@pytest.mark.parametrize("roles", [ONE, TWO], ids=["one", "two"])
def test_first_stages_and_tests_are_those_of_linearmodels(women, roles):
    fit = ours(women, roles, "classical")
    reference = theirs(IV2SLS, women, roles, cov_type="unadjusted", debiased=True)
    diagnostics = reference.first_stage.diagnostics
    np.testing.assert_allclose(fit.weak_instruments["partial_r2"], diagnostics["partial.rsquared"], rtol=1e-9)
    np.testing.assert_allclose(fit.weak_instruments["partial_f"], diagnostics["f.stat"], rtol=1e-9)
    for name, stage in reference.first_stage.individual.items():
        table = fit.first_stage.loc[name]
        np.testing.assert_allclose(table["estimate"], stage.params[table.index], rtol=1e-8)
        np.testing.assert_allclose(table["std_error"], stage.std_errors[table.index], rtol=1e-8)
    assert fit.endogeneity.statistic == pytest.approx(reference.wu_hausman().stat, rel=1e-9)
    assert fit.endogeneity.p_value == pytest.approx(reference.wu_hausman().pval, rel=1e-8)
    assert fit.overidentification.statistic == pytest.approx(reference.sargan.stat, rel=1e-9)
    assert fit.overidentification.p_value == pytest.approx(reference.sargan.pval, rel=1e-8)
    liml = theirs(IVLIML, women, roles, cov_type="unadjusted")
    assert ours(women, roles, "classical", method="liml").statistics["kappa"] == pytest.approx(liml.kappa, rel=1e-12)


@pytest.mark.parametrize("roles", [ONE, TWO], ids=["one", "two"])
def test_hansens_statistic_is_that_of_two_step_gmm(women, roles):
    exogenous = women[CONTROLS].assign(const=1.0)
    for cov, weight in (("robust", {"weight_type": "robust"}), ("cluster", {"weight_type": "clustered"})):
        clusters = {"clusters": women["group"]} if cov == "cluster" else {}
        model = IVGMM(women["lwage"], exogenous, women[roles[0]], women[roles[1]], **weight, center=False, **clusters)
        cluster = {"cluster": women["group"]} if cov == "cluster" else {}
        fit = ours(women, roles, cov, **cluster)
        assert fit.overidentification.name.startswith("Hansen")
        assert fit.overidentification.statistic == pytest.approx(model.fit().j_stat.stat, rel=1e-8)


def test_cragg_and_donalds_statistic_is_that_of_the_smallest_canonical_correlation(women):
    from statsmodels.multivariate.cancorr import CanCorr

    exogenous = women[CONTROLS].assign(const=1.0).to_numpy()

    def left(names):
        values = women[names].to_numpy()
        return values - exogenous @ np.linalg.lstsq(exogenous, values, rcond=None)[0]

    smallest = CanCorr(left(TWO[0]), left(TWO[1])).cancorr.min() ** 2
    wanted = (428 - 3 - 4) / 4 * smallest / (1 - smallest)
    np.testing.assert_allclose(ours(women, TWO, "classical").weak_instruments["cragg_donald"], wanted, rtol=1e-9)


def test_effects_taken_out_give_the_estimates_and_errors_of_dummy_variables(panel):
    dummies = [pd.get_dummies(panel.index.get_level_values(i), dtype=float).set_index(panel.index) for i in (0, 1)]
    exogenous = pd.concat([panel[["c"]], dummies[0].add_prefix("u"), dummies[1].iloc[:, 1:].add_prefix("t")], axis=1)
    reference = IV2SLS(panel["y"], exogenous, panel[["x"]], panel[["z", "w"]])
    names = ["c", "x"]
    fit = instrumental_variables(panel, "y", "c", "x", ["z", "w"], cov="classical")
    full = reference.fit(cov_type="unadjusted", debiased=True)
    np.testing.assert_allclose(fit.params, full.params[names], rtol=1e-8)
    np.testing.assert_allclose(fit.std_errors, full.std_errors[names], rtol=1e-8)
    assert fit.weak_instruments.loc["x", "partial_f"] == pytest.approx(full.first_stage.diagnostics.loc["x", "f.stat"])
    assert fit.endogeneity.statistic == pytest.approx(full.wu_hausman().stat, rel=1e-8)
    assert fit.df_resid == full.df_resid
    groups = pd.Series(panel.index.get_level_values(0), index=panel.index)
    clustered = reference.fit(cov_type="clustered", clusters=groups)
    fit = instrumental_variables(panel, "y", "c", "x", ["z", "w"], small_sample=False)
    np.testing.assert_allclose(fit.std_errors, clustered.std_errors[names], rtol=1e-8)


def test_sargans_statistic_takes_the_effects_as_known_in_the_variance(panel):
    fit = instrumental_variables(panel, "y", "c", "x", ["z", "w"], cov="classical")
    dummies = [pd.get_dummies(panel.index.get_level_values(i), dtype=float).to_numpy() for i in (0, 1)]
    effects = np.column_stack(dummies)

    def left(values):
        return values - effects @ np.linalg.lstsq(effects, values, rcond=None)[0]

    A, e = left(panel[["c", "z", "w"]].to_numpy()), fit.residuals.to_numpy()
    explained = A @ np.linalg.lstsq(A, e, rcond=None)[0]
    wanted = (len(panel) - (25 + 7 - 1)) * (explained @ explained) / (e @ e)
    assert fit.overidentification.statistic == pytest.approx(wanted, rel=1e-8)


def test_with_one_instrument_the_estimate_is_the_ratio_of_reduced_form_and_first_stage(panel):
    fit = instrumental_variables(panel, "y", "c", "x", "z")
    reduced, first = (fixed_effects(panel, name, ["c", "z"]) for name in ("y", "x"))
    assert fit.params["x"] == pytest.approx(reduced.params["z"] / first.params["z"], rel=1e-10)
    assert fit.overidentification is None
    np.testing.assert_allclose(fit.first_stage.loc["x"], first.table, rtol=1e-9)
    strength = fit.weak_instruments.loc["x"]
    assert strength["partial_f"] == pytest.approx((first.params["z"] / first.std_errors["z"]) ** 2)
    # With one instrument the robust F is effective F, and its critical value is Montiel Olea and Pflueger's 23.1.
    assert strength["effective_f"] == pytest.approx(strength["partial_f"])
    assert strength["effective_f_critical"] == pytest.approx(23.1, abs=0.05)
    assert strength["stock_yogo"] == 16.38
    liml = instrumental_variables(panel, "y", "c", "x", "z", method="liml")
    np.testing.assert_allclose(liml.params, fit.params, rtol=1e-9)


def test_effective_f_is_the_classical_f_under_classical_errors_and_ignores_how_instruments_are_mixed(panel):
    classical = instrumental_variables(panel, "y", "c", "x", ["z", "w"], cov="classical").weak_instruments.loc["x"]
    assert classical["effective_f"] == pytest.approx(classical["partial_f"], rel=1e-9)
    assert classical["cragg_donald"] == pytest.approx(classical["partial_f"], rel=1e-9)
    mixed = panel.assign(p=panel["z"] + 3 * panel["w"], q=panel["z"] - panel["w"] + 2 * panel["c"])
    one, other = (
        instrumental_variables(mixed, "y", "c", "x", names).weak_instruments for names in (["z", "w"], ["p", "q"])
    )
    np.testing.assert_allclose(other, one, rtol=1e-8)


def test_effective_f_follows_its_definition_with_clustered_errors(panel):
    fit = instrumental_variables(panel, "y", "c", "x", ["z", "w"])
    first = fixed_effects(panel, "x", ["c", "z", "w"])
    pair = ["z", "w"]
    left = np.column_stack([fixed_effects(panel, name, "c").residuals for name in pair])
    b, V, Q = first.params[pair].to_numpy(), first.covariance.loc[pair, pair].to_numpy(), left.T @ left
    assert fit.weak_instruments.loc["x", "effective_f"] == pytest.approx(b @ Q @ b / np.trace(V @ Q), rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"cov": "driscoll-kraay", "bandwidth": 1},
        {"cov": "cluster", "cluster": "time"},
        {"cov": "robust", "small_sample": False},
        {"cov": "conley", "cutoff": 900, "kernel": "uniform", "bandwidth": 1},
    ],
    ids=lambda options: options["cov"],
)
def test_a_variable_that_is_its_own_instrument_gives_least_squares_with_all_errors(panel, options):
    if options["cov"] == "conley":
        random = np.random.default_rng(0)
        options = {**options, "places": pd.DataFrame({"lon": random.uniform(80, 120, 25), "lat": range(25)})}
    fit = instrumental_variables(panel.assign(double=panel["x"] * 2), "y", "c", "x", "double", **options)
    np.testing.assert_allclose(fit.table, fixed_effects(panel, "y", ["c", "x"], **options).table, rtol=1e-8)


def test_two_stage_least_squares_finds_the_effect_that_least_squares_misses():
    random, estimates = np.random.default_rng(12), []
    for seed in random.integers(0, 10_000, 60):
        data = made_panel(40, 6, int(seed), "uvz")
        data["x"] = data["z"] + data["v"]
        data["y"] = data["x"] + data["v"] + data["u"]
        fit = instrumental_variables(data, "y", [], "x", "z")
        least_squares = fixed_effects(data, "y", "x").params["x"]
        estimates.append((fit.params["x"], least_squares, fit.endogeneity.p_value < 0.05))
    mean = np.mean(estimates, axis=0)
    assert mean[0] == pytest.approx(1, abs=0.05)
    assert mean[1] == pytest.approx(1.5, abs=0.05)
    assert mean[2] > 0.95


def test_the_footer_and_tests_show_strength_and_validity_of_the_instruments(panel):
    fit = instrumental_variables(panel, "y", "c", "x", ["z", "w"])
    strength = fit.weak_instruments.loc["x"]
    assert fit.footer["First-stage F 第一阶段 F"] == f"{strength['partial_f']:.3f} [p = {strength['p_value']:.3f}]"
    assert fit.footer["Hansen J 过度识别检验"].endswith(f"[p = {fit.overidentification.p_value:.3f}]")
    assert fit.footer["Observations 观测数"] == len(panel)
    assert not any("R²" in line for line in fit.footer)
    assert list(fit.tests) == ["weak_instruments", "endogeneity", "overidentification"]
    names = ["First-stage F 第一阶段 F", "Wu-Hausman 内生性检验", "Hansen J 过度识别检验"]
    assert [test.name for test in fit.tests.values()] == names
    weak = fit.tests["weak_instruments"]
    assert (weak.statistic, weak.df, weak.p_value) == (strength["partial_f"], (2, 24), strength["p_value"])
    assert fit.table.index.tolist() == ["c", "x"]


def test_of_several_endogenous_variables_the_weakest_first_stage_is_tested(women):
    fit = ours(women, TWO, "classical")
    weakest = fit.weak_instruments["partial_f"].idxmin()
    assert fit.tests["weak_instruments"].settings == {"endogenous": weakest}
    assert fit.tests["weak_instruments"].statistic == fit.weak_instruments.loc[weakest, "partial_f"]
    assert fit.tests["weak_instruments"].df == (4, 428 - 3 - 4)


def test_an_endogenous_variable_that_its_instruments_account_for_wholly_leaves_no_test_of_endogeneity(panel):
    fit = instrumental_variables(panel.assign(double=panel["x"] * 2), "y", "c", "x", "double")
    assert np.isnan([fit.endogeneity.statistic, fit.endogeneity.p_value]).all()


@pytest.mark.parametrize(
    ("roles", "options", "words"),
    [
        (("c", "x", []), {}, r"0 instrument\(s\) for 1 endogenous"),
        (("c", ["x", "v"], "z"), {}, r"1 instrument\(s\) for 2 endogenous"),
        (("c", [], "z"), {}, "no endogenous variable"),
        (("c", "x", ["z", "c"]), {}, "in more than one role: c"),
        ((["c", "x"], "x", "z"), {}, "in more than one role: x"),
        (("c", "x", ["z", "twice"]), {}, "collinear.*twice"),
        (("c", ["x", "mixed"], ["z", "w"]), {}, "collinear.*mixed"),
        (("c", ["x", "shadow"], ["z", "w"]), {}, "do not tell x, shadow from each other"),
        (("c", "x", ["z", "w"]), {"cluster": "halves"}, "more clusters than estimates"),
        ((["c", "u"], "x", ["z", "w"]), {"cluster": "thirds"}, "too many for the cluster errors"),
    ],
)
def test_roles_that_make_no_model_are_refused(panel, roles, options, words):
    data = panel.assign(twice=panel["z"] * 2, mixed=panel["x"] + panel["c"])
    stage = fixed_effects(panel, "x", ["c", "z", "w"], "twoway", "classical")
    data["shadow"] = data["x"] - 2 * stage.residuals
    if options:
        parts = {"halves": 2, "thirds": 3}[options["cluster"]]
        options = {"cluster": pd.Series(data.index.get_level_values(0) % parts, index=data.index)}
    with pytest.raises(InvalidInputError, match=words):
        instrumental_variables(data, "y", *roles, **options)


def test_an_unknown_method_is_refused(panel):
    with pytest.raises(UnknownNameError, match="did you mean 'liml'"):
        instrumental_variables(panel, "y", "c", "x", "z", method="limll")


def weak(strength: float, instruments: int, seed: int) -> tuple[pd.DataFrame, list[str]]:
    data = made_panel(30, 5, seed, "uvce")
    names = [f"z{i}" for i in range(instruments)]
    data[names] = np.random.default_rng(1000 + seed).normal(size=(150, instruments))
    data["x"] = strength * data[names].sum(axis=1) + data["v"] + 0.5 * data["u"]
    data["y"] = data["x"] + 2 * data["v"] + data["c"] + data["u"] + data["e"]
    return data, names


COVARIANCES = [{"cov": "cluster"}, {"cov": "robust"}, {"cov": "classical"}, {"cov": "driscoll-kraay"}]


@pytest.mark.parametrize("options", COVARIANCES, ids=lambda o: o["cov"])
def test_anderson_and_rubins_statistic_is_the_f_of_the_instruments_in_a_regression_of_what_is_left(options):
    data, names = weak(0.3, 2, 1)
    found = instrumental_variables(data, "y", "c", "x", names, **options).anderson_rubin
    for value in (-3.0, 0.0, 0.7, 50.0):
        left = fixed_effects(data.assign(left=data["y"] - value * data["x"]), "left", ["c", *names], **options)
        b, V = left.params[names], left.covariance.loc[names, names]
        test = found.test(value)
        assert test.statistic == pytest.approx(b @ np.linalg.solve(V, b) / 2, rel=1e-9)
        assert test.df == (2, left.df_inference if left.df_inference else left.df_resid)


GRID = np.sort(np.concatenate([np.linspace(-6, 6, 601), np.logspace(1, 5, 150), -np.logspace(1, 5, 150)]))


@pytest.mark.parametrize("instruments", [1, 2, 4])
@pytest.mark.parametrize("strength", [0.0, 0.1, 0.25, 1.0])
def test_the_confidence_set_holds_the_values_that_the_test_does_not_reject(instruments, strength):
    for seed in range(3):
        data, names = weak(strength, instruments, 10 * seed + instruments)
        found = instrumental_variables(data, "y", "c", "x", names).anderson_rubin
        for level in (0.5, 0.95):
            intervals = found.confidence_set(level)
            inside = [any(lower <= b <= upper for lower, upper in intervals) for b in GRID]
            assert inside == [found.test(b).p_value >= 1 - level for b in GRID]
            ends = [end for interval in intervals for end in interval if np.isfinite(end)]
            np.testing.assert_allclose([found.test(end).p_value for end in ends], 1 - level, rtol=1e-6)


def test_the_confidence_set_can_be_unbounded_two_rays_or_empty():
    kinds = set()
    for seed in range(40):
        data, names = weak(0.15, 1 + 2 * (seed % 2), seed)
        # An instrument of its own effect on y leaves no value that is not rejected.
        data["y"] += (seed % 4 == 3) * 3 * data[names[0]]
        intervals = instrumental_variables(data, "y", "c", "x", names).anderson_rubin.confidence_set()
        kinds.add((len(intervals), *(bool(np.isinf(end)) for interval in intervals for end in interval)))
    assert {(0,), (1, False, False), (1, True, True), (2, True, False, False, True)} <= kinds


def test_with_one_instrument_the_effective_f_is_the_first_stages_and_the_set_is_bounded_where_it_is_significant():
    for seed in range(12):
        data, names = weak(0.2, 1, seed)
        result = instrumental_variables(data, "y", "c", "x", names)
        row = result.weak_instruments.loc["x"]
        assert row["effective_f"] == pytest.approx(row["partial_f"], rel=1e-9)
        bounded = np.isfinite(result.anderson_rubin.confidence_set()).all()
        assert bounded == (row["p_value"] < 0.05)
        estimate = result.params["x"]
        assert any(lower <= estimate <= upper for lower, upper in result.anderson_rubin.confidence_set())


def test_scales_do_not_move_the_set_and_several_endogenous_variables_have_none():
    data, names = weak(0.5, 3, 4)
    base = np.array(instrumental_variables(data, "y", "c", "x", names).anderson_rubin.confidence_set())
    scaled = data.assign(y=data["y"] * 1e8, x=data["x"] * 1e-5, z1=data["z1"] * 1e9)
    other = instrumental_variables(scaled, "y", "c", "x", names).anderson_rubin.confidence_set()
    np.testing.assert_allclose(np.array(other), base * 1e13, rtol=1e-6)
    assert instrumental_variables(data, "y", [], ["x", "c"], names).anderson_rubin is None


@pytest.mark.parametrize("wrong", [None, "1", np.nan, np.inf, True, [1.0]])
def test_values_and_levels_of_another_kind_are_refused_by_anderson_and_rubins_test(wrong):
    data, names = weak(0.5, 1, 4)
    found = instrumental_variables(data, "y", "c", "x", names).anderson_rubin
    with pytest.raises(InvalidInputError):
        found.test(wrong)
    with pytest.raises(InvalidInputError):
        found.confidence_set(wrong)

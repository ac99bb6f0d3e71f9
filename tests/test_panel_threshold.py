"""Panel thresholds against R, Hansen's data, least squares with dummies, a looped bootstrap, and known truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import _threshold, fixed_effects, panel_threshold
from clusterlib.paths import get_project

REFERENCE = Path(__file__).parent / "reference"
HANSEN = get_project().root.parent / "shared" / "reference" / "data" / "hansen_invest.csv"
COMMON = ["q", "q2", "q3", "debt", "q_debt"]


def expected(name: str) -> dict:
    return json.loads((REFERENCE / "expected" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cigar() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "data" / "cigar.csv").set_index(["state", "year"])


@pytest.fixture(scope="module")
def investment() -> pd.DataFrame:
    if not HANSEN.exists():
        pytest.skip("Hansen's investment data are not carried: shared/reference beside the project is absent")
    data = pd.read_csv(HANSEN).set_index(["firm", "year"])
    lag = data.groupby(level=0).shift(1)
    powers = {"q": lag["q"], "q2": lag["q"] ** 2, "q3": lag["q"] ** 3, "debt": lag["debt"]}
    return pd.DataFrame({"inva": data["inva"], "cf": lag["cf"], **powers, "q_debt": lag["q"] * lag["debt"]}).dropna()


def panel(units=30, periods=8, seed=0, cut=0.3, jump=1.0, noise=0.5) -> pd.DataFrame:
    """A panel whose slope of r rises by ``jump`` where q reaches ``cut``; x has slope 0.5."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(units), range(2010, 2010 + periods)], names=["adcode", "year"])
    data = pd.DataFrame(random.normal(size=(units * periods, 5)), index, ["x", "r", "s", "q", "e"])
    effect = random.normal(size=units).repeat(periods)
    data["y"] = effect + 0.5 * data["x"] + data["r"] * (1 + jump * (data["q"] >= cut)) + noise * data["e"]
    return data


def dummies_ssr(data, common, regime, q, cuts, effects, strict) -> float:
    """Sum of squares of least squares with a dummy for every unit (and period), written apart from the library."""
    values = data[q].to_numpy()
    number = sum(((values >= c) if strict else (values > c)).astype(int) for c in cuts) + np.zeros(len(values), int)
    blocks = [pd.get_dummies(data.index.get_level_values(0)).to_numpy(float)]
    if effects == "twoway":
        blocks.append(pd.get_dummies(data.index.get_level_values(1)).to_numpy(float)[:, 1:])
    blocks += [data[[name]].to_numpy() for name in common]
    blocks += [data[[name]].to_numpy() * (number == j)[:, None] for j in range(len(cuts) + 1) for name in regime]
    design, y = np.hstack(blocks), data["y"].to_numpy()
    return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())


def check_against_r(result, want, number: str) -> None:
    case = want[number]
    table = result.coefficients
    assert list(table.index) == list(case["coef"])
    for column, key in {"estimate": "coef", "se_classical": "se_classical", "se_robust": "se_robust"}.items():
        np.testing.assert_allclose(table[column], list(case[key].values()), rtol=1e-9)
    n, taken = (
        result.n_units * result.n_periods,
        len(table) + (1 if result.settings["effects"] == "entity" else result.n_periods),
    )
    factor = result.n_units / (result.n_units - 1) * (n - 1) / (n - taken)
    np.testing.assert_allclose(table["se_clustered"] / factor**0.5, list(case["se_clustered_HC0"].values()), rtol=1e-9)
    assert result.ssr == pytest.approx(case["ssr"], rel=1e-11)
    assert result.scale == want["scale"]
    assert result.threshold_tests["F"].iloc[-1] == pytest.approx(case["F"], rel=1e-9)
    counts = (result.shares * result.n_units).sum().round(6)
    assert counts.tolist() == case["n_regime"]
    names = {"stage": "first", "second": "second", "refined": "first refined", "third": "third"}
    for key, stage in {k: v for k, v in names.items() if k in case}.items():
        profile = result.profile[result.profile["stage"] == stage]
        assert len(profile) == case[key]["candidates"]
        assert profile["likelihood_ratio"].mean() == pytest.approx(case[key]["lr_mean"], rel=1e-9)
        best = profile.loc[profile["ssr"].idxmin()]
        assert best["threshold"] == pytest.approx(case[key]["threshold"], rel=1e-13)
        assert best["ssr"] == pytest.approx(case[key]["ssr"], rel=1e-11)
        kept = profile.loc[profile["in_set"], "threshold"]
        ends = pytest.approx(case[key]["ci95"], rel=1e-13)
        assert [kept.min(), kept.max()] == ends
        row = result.thresholds[result.thresholds["stage"] == stage]
        if len(row):
            assert row["estimate"].iloc[0] == best["threshold"]
            assert row[["lower", "upper"]].iloc[0].tolist() == ends


@pytest.mark.parametrize("thresholds", [1, 2, 3])
@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_one_to_three_thresholds_equal_r_on_the_cigarette_panel(cigar, effects, thresholds):
    result = panel_threshold(
        cigar, "logc", "logy", "logp", "ndi", effects=effects, thresholds=thresholds, trim=0.05, grid=400, draws=0
    )
    check_against_r(result, expected("threshold_cigar")[effects], ("single", "double", "triple")[thresholds - 1])


@pytest.mark.parametrize("thresholds", [1, 2])
def test_two_regressors_that_depend_on_the_regime_equal_r(cigar, thresholds):
    result = panel_threshold(
        cigar, "logc", (), ["logp", "logy"], "logy", thresholds=thresholds, trim=0.1, grid=100, draws=0
    )
    check_against_r(result, expected("threshold_cigar")["two_regressors"], ("single", "double")[thresholds - 1])


@pytest.mark.parametrize("thresholds", [1, 2])
def test_a_lower_regime_that_includes_the_threshold_equals_r_where_values_tie(cigar, thresholds):
    # cpi has one value a year, so each observation ties with those of 45 other states.
    result = panel_threshold(cigar, "logc", "logy", "logp", "cpi", thresholds=thresholds, strict=False, draws=0)
    case = expected("threshold_cigar")["lower_regime_includes_threshold"]
    check_against_r(result, case, ("single", "double")[thresholds - 1])
    strictly = panel_threshold(cigar, "logc", "logy", "logp", "cpi", draws=0)
    assert strictly.thresholds["estimate"].iloc[0] > case["single"]["stage"]["threshold"]


@pytest.mark.parametrize(("q", "most"), [("debt", 3), ("q", 2)])
def test_thresholds_on_hansens_data_equal_r(investment, q, most):
    want = expected("threshold_hansen")[q]
    for thresholds in range(1, most + 1):
        result = panel_threshold(
            investment, "inva", COMMON, "cf", q, thresholds=thresholds, trim=0.01, grid=400, draws=0
        )
        check_against_r(result, want, ("single", "double", "triple")[thresholds - 1])


def test_single_threshold_on_hansens_data_equals_the_second_r_program(investment):
    want = expected("threshold_hansen_single")
    result = panel_threshold(investment, "inva", COMMON, "cf", "debt", trim=0.01, grid=400, draws=0)
    case, table = want["single"], result.coefficients
    for column, key in {"estimate": "coef", "se_classical": "se_homo", "se_robust": "se_white_HC0"}.items():
        np.testing.assert_allclose(table[column], list(case[key].values()), rtol=1e-10)
    assert result.threshold_tests.loc[1, "F"] == pytest.approx(case["F1"], rel=1e-10)
    assert result.threshold_tests.loc[1, "ssr_null"] == pytest.approx(want["ssr_no_threshold"], rel=1e-12)
    assert result.thresholds.iloc[0, :3].tolist() == [case["threshold"], *case["ci95"]]
    assert result.profile["threshold"].iloc[[0, -1]].tolist() == want["grid_first_last"]
    assert len(result.profile) == want["grid_n"]


@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(4, 9), st.integers(4, 7)),
    effects=st.sampled_from(["entity", "twoway"]),
    regime=st.sampled_from([["r"], ["r", "s"], ["q"]]),
    strict=st.booleans(),
    tied=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_every_candidate_has_the_fit_of_least_squares_with_dummies(seed, size, effects, regime, strict, tied):
    data = panel(*size, seed=seed)
    if tied:
        data["q"] = data["q"].round(1)
    options = {"effects": effects, "strict": strict, "trim": 0.15, "grid": 20, "draws": 0}
    result = panel_threshold(data, "y", "x", regime, "q", thresholds=2, **options)
    held = {"first": [], "second": [result.profile.loc[result.profile.query("stage == 'first'")["ssr"].idxmin()]]}
    for stage, rows in held.items():
        fixed = [row["threshold"] for row in rows]
        for _, row in result.profile[result.profile["stage"] == stage].iterrows():
            naive = dummies_ssr(data, ["x"], regime, "q", [*fixed, row["threshold"]], effects, strict)
            assert row["ssr"] == pytest.approx(naive, rel=1e-8)
    final = dummies_ssr(data, ["x"], regime, "q", result.thresholds["estimate"], effects, strict)
    assert result.ssr == pytest.approx(final, rel=1e-9)


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_bootstrap_equals_a_loop_over_draws_and_candidates(effects):
    data, draws = panel(9, 6, seed=4), 5
    options = {"effects": effects, "thresholds": 2, "trim": 0.1, "grid": 20, "seed": 11}
    result = panel_threshold(data, "y", "x", "r", "q", draws=draws, **options)
    sharp = panel_threshold(data, "y", "x", "r", "q", draws=0, **options)
    units, periods = result.n_units, result.n_periods
    for number, stream in ((1, 0), (2, 1)):
        fixed = [] if number == 1 else [result.profile.query("stage == 'first'").set_index("threshold")["ssr"].idxmin()]
        random = np.random.default_rng(np.random.SeedSequence(11).spawn(3)[stream])
        residuals = naive_residuals(data, fixed, effects).reshape(units, periods)
        candidates = result.profile.loc[result.profile["stage"] == ("first", "second")[stream], "threshold"]
        statistics = []
        for drawn in random.integers(units, size=(draws, units)):
            sample = data.assign(y=residuals[drawn].ravel())
            null = dummies_ssr(sample, ["x"], ["r"], "q", fixed, effects, True)
            best = min(dummies_ssr(sample, ["x"], ["r"], "q", [*fixed, c], effects, True) for c in candidates)
            statistics.append((null / best - 1) * result.scale)
        row = result.threshold_tests.loc[number]
        assert row["critical_5"] == pytest.approx(np.percentile(statistics, 95), rel=1e-8)
        assert row["p_value"] == (1 + sum(value >= row["F"] for value in statistics)) / (1 + draws)
    pd.testing.assert_frame_equal(result.profile, sharp.profile)
    assert sharp.threshold_tests["p_value"].isna().all()


def naive_residuals(data, cuts, effects) -> np.ndarray:
    """Residuals of the model with these thresholds, from dummies."""
    number = sum((data["q"] >= c).astype(int) for c in cuts) + pd.Series(0, data.index)
    frame = pd.DataFrame({"x": data["x"]} | {f"r{j}": data["r"] * (number == j) for j in range(len(cuts) + 1)})
    levels = [0, 1] if effects == "twoway" else [0]
    design = [pd.get_dummies(data.index.get_level_values(level)).to_numpy(float) for level in levels]
    design = np.hstack([*design, frame.to_numpy()])
    return data["y"].to_numpy() - design @ np.linalg.lstsq(design, data["y"].to_numpy(), rcond=None)[0]


def test_bootstrap_does_not_depend_on_the_size_of_its_blocks(monkeypatch):
    data = panel()
    whole = panel_threshold(data, "y", "x", "r", "q", draws=40, effects="twoway")
    monkeypatch.setattr(_threshold, "BLOCK", 7 * len(data))
    parts = panel_threshold(data, "y", "x", "r", "q", draws=40, effects="twoway")
    np.testing.assert_allclose(parts.threshold_tests, whole.threshold_tests, rtol=1e-12)


def test_same_seed_gives_the_same_p_whatever_the_number_of_thresholds():
    data = panel(jump=0.2)
    one, two, other = (
        panel_threshold(data, "y", "x", "r", "q", draws=60, thresholds=k, seed=seed)
        for k, seed in ((1, 3), (2, 3), (1, 4))
    )
    pd.testing.assert_series_equal(one.threshold_tests.loc[1], two.threshold_tests.loc[1])
    assert one.threshold_tests.loc[1, "critical_5"] != other.threshold_tests.loc[1, "critical_5"]


def test_two_known_thresholds_and_their_slopes_are_found():
    data = panel(120, 10, seed=8, jump=0, noise=1)
    data["y"] += data["r"] * (1.0 * (data["q"] >= -0.6) - 2.0 * (data["q"] >= 0.8))
    result = panel_threshold(data, "y", "x", "r", "q", thresholds=2, draws=99)
    np.testing.assert_allclose(result.thresholds["estimate"], [-0.6, 0.8], atol=0.06)
    # A set may miss a truth that lies between two candidates by a step of the grid.
    assert (result.thresholds["lower"] - 0.01 <= [-0.6, 0.8]).all()
    assert (result.thresholds["upper"] + 0.01 >= [-0.6, 0.8]).all()
    truth = pd.Series({"x": 0.5, "r_regime1": 1.0, "r_regime2": 2.0, "r_regime3": 0.0})
    table = result.table
    assert ((table["estimate"] - truth).abs() < 4 * table["std_error"]).all()
    assert result.threshold_tests["p_value"].tolist() == [0.01, 0.01]


def test_without_a_threshold_the_test_keeps_the_null():
    assert (
        panel_threshold(panel(60, 8, seed=5, jump=0), "y", "x", "r", "q", draws=99).threshold_tests.loc[1, "p_value"]
        > 0.1
    )


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-6, 1e-3, 7.0, 1e5]))
@settings(max_examples=15, deadline=None)
def test_results_do_not_depend_on_units_of_measure_unit_effects_or_row_order(seed, scale):
    data = panel(12, 6, seed=seed)
    base = panel_threshold(data, "y", "x", "r", "q", draws=20)
    changed = data.assign(r=data["r"] * scale, q=np.exp(data["q"]), y=3 * data["y"])
    changed["y"] += changed.index.get_level_values(0) * 100.0
    other = panel_threshold(changed.sample(frac=1, random_state=seed), "y", "x", "r", "q", draws=20)
    np.testing.assert_allclose(
        np.log(other.thresholds.iloc[:, :3].astype(float)), base.thresholds.iloc[:, :3].astype(float)
    )
    np.testing.assert_allclose(
        other.threshold_tests[["F", "p_value"]], base.threshold_tests[["F", "p_value"]], rtol=1e-6
    )
    slopes = ["r_regime1", "r_regime2"]
    ratio = other.coefficients.loc[slopes] / base.coefficients.loc[slopes]
    np.testing.assert_allclose(ratio, 3 / scale, rtol=1e-6)


def test_shares_and_tables_describe_the_regimes_and_the_errors():
    data = panel()
    result = panel_threshold(data, "y", "x", "r", "q", draws=0, level=0.9)
    cut = result.thresholds.loc[1, "estimate"]
    below = (data["q"] < cut).groupby(level="year").mean()
    np.testing.assert_allclose(result.shares["regime1"], below)
    np.testing.assert_allclose(result.shares.sum(axis=1), 1)
    assert result.shares.index.name == "year"
    assert result.critical_value == pytest.approx(-2 * np.log(1 - np.sqrt(0.9)))
    assert not result.with_errors("classical")["std_error"].equals(result.with_errors("robust")["std_error"])
    with pytest.raises(UnknownNameError, match="standard errors"):
        result.with_errors("hac")


@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_final_fit_is_that_of_fixed_effects_with_the_regimes_as_given(effects):
    data = panel(seed=2)
    result = panel_threshold(data, "y", "x", "r", "q", effects=effects, draws=0)
    low = data["q"] < result.thresholds.loc[1, "estimate"]
    split = data.assign(r_regime1=data["r"] * low, r_regime2=data["r"] * ~low)
    for errors, options in {
        "classical": {"cov": "classical"},
        "robust": {"cov": "robust", "small_sample": False},
        "clustered": {"cov": "cluster"},
    }.items():
        linear = fixed_effects(split, "y", ["x", "r_regime1", "r_regime2"], effects=effects, **options)
        assert (result.df_resid, result.sigma2) == (linear.df_resid, pytest.approx(linear.sigma2, rel=1e-11))
        np.testing.assert_allclose(result.with_errors(errors)["estimate"], linear.params, rtol=1e-10)
        np.testing.assert_allclose(result.with_errors(errors)["std_error"], linear.std_errors, rtol=1e-10)
        np.testing.assert_allclose(result.with_errors(errors)["p_value"], linear.table["p_value"], rtol=1e-9)


PANEL = panel(10, 5)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"thresholds": 4}, "whole number from 1 to 3"),
        ({}, {"trim": 0.5}, "trim"),
        ({}, {"grid": 1}, "grid=1: expected a whole number of at least 2"),
        ({}, {"draws": -1}, "draws=-1: expected a whole number of at least 0"),
        ({}, {"level": 95}, "level"),
        ({}, {"effects": "time"}, "kind of effects 'time'"),
        ({}, {"regime": []}, "at least one regressor"),
        ({}, {"x": ["x", "r"]}, "given twice: r"),
        ({}, {"x": "y"}, "given twice: y"),
        ({}, {"threshold": "debt"}, "unknown column 'debt'"),
        ({"x": PANEL.index.get_level_values(0) * 0.1}, {}, "x does not vary within units"),
        ({"r": PANEL.index.get_level_values(1) * 0.1}, {"effects": "twoway"}, "r is a sum of unit and period effects"),
        ({"x": 2 * PANEL["s"], "r": PANEL["s"]}, {}, "collinear with the other variables: r;"),
        ({"q": 1.0}, {}, "takes 1 value"),
        ({"q": (PANEL["q"] > 0) * 1.0}, {}, "no candidate is left for threshold 1"),
        ({"q": (PANEL["q"] > 0) * 1.0}, {"thresholds": 2, "strict": False}, "no candidate is left for threshold 2"),
        ({"r": PANEL["r"].where(PANEL["r"] > -1)}, {}, "missing or infinite"),
    ],
)
def test_what_cannot_be_estimated_is_refused_with_what_to_do(change, options, words):
    arguments = {"y": "y", "x": "x", "regime": "r", "threshold": "q", "draws": 0} | options
    with pytest.raises((InvalidInputError, UnknownNameError), match=words):
        panel_threshold(PANEL.assign(**change), **arguments)


def test_a_panel_with_a_gap_is_refused_with_the_first_missing_row():
    with pytest.raises(InvalidInputError, match=r"not balanced.*\(3, 2012\)"):
        panel_threshold(PANEL.drop((3, 2012)), "y", "x", "r", "q", draws=0)


def test_as_many_slopes_as_degrees_of_freedom_are_refused():
    with pytest.raises(InvalidInputError, match="3 degrees of freedom for 3 slopes"):
        panel_threshold(panel(3, 2), "y", "x", "r", "q", draws=0)

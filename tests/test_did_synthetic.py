"""Synthetic control against quadratic programming, diff-diff and pysyncon, and on units whose mix is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.did import synthetic_control
from clusterlib.did._synthetic import simplex_weights
from clusterlib.errors import InvalidInputError, UnknownNameError

YEARS = range(2000, 2016)
START = 2011


def panel(donors=15, effect=0.0, seed=0, noise=0.3, mix=(0.5, 0.3, 0.2)) -> pd.DataFrame:
    """Units on two common factors; unit "treated" is a mix of the first donors, plus an effect from 2011."""
    random = np.random.default_rng(seed)
    factors = np.column_stack([np.arange(len(YEARS)) / 5, np.cumsum(random.normal(size=len(YEARS)))])
    units = random.uniform(0, 2, size=(donors, 2)) @ factors.T + noise * random.normal(size=(donors, len(YEARS)))
    treated = np.array(mix) @ units[: len(mix)] + effect * (np.array(YEARS) >= START)
    wide = pd.DataFrame([*units, treated], index=[*(f"d{i:02}" for i in range(donors)), "treated"], columns=YEARS)
    data = wide.rename_axis(index="unit", columns="year").stack().to_frame("y")
    x = {unit: random.normal() for unit in wide.index}
    return data.assign(x=data.index.get_level_values(0).map(x) + 0.1 * random.normal(size=len(data)), z=data["y"] ** 2)


def loss(target, donors, weights) -> float:
    return float(((target - donors @ weights) ** 2).sum())


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 10**6), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_weights_lie_on_the_simplex_and_meet_the_conditions_of_the_minimum(rows, donors, seed, scale):
    random = np.random.default_rng(seed)
    target, Z = scale * random.normal(size=rows), scale * random.normal(size=(rows, donors))
    w = simplex_weights(target, Z)
    assert (w >= 0).all() and w.sum() == pytest.approx(1, abs=1e-12)
    # Of a convex problem: no donor's slope may be below the weighted mean of all.
    slope = -2 * Z.T @ (target - Z @ w)
    assert slope.min() >= w @ slope - 1e-7 * scale**2


def test_weights_equal_a_general_quadratic_programme():
    from scipy.optimize import minimize

    random = np.random.default_rng(4)
    target, Z = random.normal(size=20), random.normal(size=(20, 8))
    found = minimize(
        lambda w: loss(target, Z, w),
        np.full(8, 1 / 8),
        jac=lambda w: -2 * Z.T @ (target - Z @ w),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(8)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    np.testing.assert_allclose(simplex_weights(target, Z), found.x, atol=1e-6)


def test_equal_donors_share_the_weight():
    assert simplex_weights(np.ones(3), np.ones((3, 4))).tolist() == [0.25] * 4


def test_a_known_mix_and_a_known_effect_are_found():
    result = synthetic_control(panel(donors=8, effect=3.0), "y", "treated", START)
    np.testing.assert_allclose(result.weights[["d00", "d01", "d02"]], [0.5, 0.3, 0.2], atol=1e-6)
    assert result.effect == pytest.approx(3.0, abs=1e-6)
    assert result.pre_rmspe < 1e-6 and result.fit_index > 1 - 1e-9 and result.credible
    assert result.p_value == pytest.approx(1 / 9)
    assert (result.pre_periods, result.post_periods, result.donors) == (11, 5, 8)
    np.testing.assert_allclose(result.path["gap"], result.path["observed"] - result.path["synthetic"])


def test_fit_and_placebos_equal_those_of_diff_diff():
    from diff_diff import SyntheticControl

    data = panel(effect=1.0, mix=(0.6, 0.6, -0.2))
    result = synthetic_control(data, "y", "treated", START)
    long = data.reset_index().assign(on=lambda d: ((d["unit"] == "treated") & (d["year"] >= START)).astype(int))
    search = SyntheticControl(v_method="custom", custom_v=np.ones(11), standardize="none")
    other = search.fit(long, "y", "on", "unit", "year", pre_period_outcomes="all")
    placebos = other.in_space_placebo().set_index("unit")
    assert result.effect == pytest.approx(other.att, rel=1e-9)
    assert result.pre_rmspe == pytest.approx(other.pre_rmspe, rel=1e-9)
    assert result.p_value == other.placebo_p_value
    np.testing.assert_allclose(
        result.placebos["ratio"], placebos["rmspe_ratio"].reindex(result.placebos.index), rtol=1e-7
    )


def test_predictors_are_means_before_treatment_in_standard_deviations():
    data = panel()
    result = synthetic_control(data, "y", "treated", START, predictors=["x", "z"], outcome_periods=[2004, 2010])
    early = data[data.index.get_level_values("year") < START].groupby("unit")[["x", "z"]].mean()
    rows = early.join(data["y"].unstack()[[2004, 2010]])
    np.testing.assert_allclose(result.predictors["treated"], rows.loc["treated"])
    scaled = (rows / rows.std()).drop("treated")
    best = simplex_weights((rows / rows.std()).loc["treated"].to_numpy(), scaled.to_numpy().T)
    np.testing.assert_allclose(result.weights.sort_index(), best, atol=1e-9)
    np.testing.assert_allclose(result.predictors["synthetic"], best @ rows.drop("treated"))


def test_pysyncon_gives_nearly_the_same_weights_for_equal_importance():
    from pysyncon import Synth

    data = panel(donors=5, mix=(0.7, 0.5, -0.2))
    wide = data["y"].unstack("year").loc[:, : START - 1].T
    donors = wide.columns.drop("treated")
    # It divides predictors by their standard deviation, which these importances undo.
    variance = wide.var(axis=1)
    other = Synth()
    other.fit(
        X0=wide[donors],
        X1=wide["treated"],
        Z0=wide[donors],
        Z1=wide["treated"],
        custom_V=(variance / variance.sum()).to_numpy(),
    )
    weights = synthetic_control(data, "y", "treated", START, placebos=False).weights.sort_index()
    np.testing.assert_allclose(weights, other.W.ravel(), atol=0.02)


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_effects_scale_with_the_outcome_and_ignore_what_is_common_to_all(seed, scale, shift):
    data = panel(donors=6, seed=seed, mix=(0.6, 0.6, -0.2))
    year = data.index.get_level_values("year").to_numpy() - 2000
    moved = data.assign(y=scale * (data["y"] + shift + 0.3 * year**1.5))
    before, after = (synthetic_control(d, "y", "treated", START) for d in (data, moved))
    np.testing.assert_allclose(after.weights.sort_index(), before.weights.sort_index(), atol=1e-5)
    assert after.effect == pytest.approx(scale * before.effect, rel=1e-4, abs=1e-5 * scale)
    assert after.p_value == pytest.approx(before.p_value)


def test_permutation_p_is_the_rank_of_the_ratio_and_does_not_reject_too_often():
    result = synthetic_control(panel(effect=0.4, mix=(0.6, 0.6, -0.2)), "y", "treated", START)
    ratios = result.placebos["ratio"]
    assert result.p_value == (ratios >= ratios["treated"]).sum() / 16
    np.testing.assert_allclose(ratios, result.placebos["post_rmspe"] / result.placebos["pre_rmspe"])
    random = np.random.default_rng(1)
    p = []
    for seed in range(60):
        data = panel(donors=9, seed=seed)
        chosen = f"d{random.integers(9):02}"
        p.append(synthetic_control(data.drop("treated", level=0), "y", chosen, START).p_value)
    # Nine units, one of them drawn: p is uniform on ninths; 60 tests reject 15 times or more in one of a hundred.
    assert sum(value <= 1 / 9 + 1e-9 for value in p) <= 14


def test_p_counts_ties_and_a_note_says_how_coarse_it_is():
    result = synthetic_control(panel(donors=8, effect=3.0), "y", "treated", START)
    assert result.notes == ("permutation: 9 units allow 9 different draws: no p value can be below 0.111",)
    assert result.notes[0] in str(result.summary())
    data = panel(donors=4, mix=(0.6, 0.6, -0.2))
    twin = data.loc[["treated"]].rename(index={"treated": "twin"})
    both = synthetic_control(pd.concat([data, twin]), "y", "treated", START)
    # The twin fits without error, and so is fitted: both ratios are nothing over nothing, or rounding.
    assert both.weights["twin"] == pytest.approx(1)
    flat = data.assign(y=np.where(data.index.get_level_values(0) == "treated", 1.0, data["y"]))
    assert 0 < synthetic_control(flat, "y", "treated", START).p_value <= 1
    same = synthetic_control(data.assign(y=1.0), "y", "treated", START)
    assert np.isnan(same.p_value) and same.weights.tolist() == [0.25] * 4
    nearly = data.assign(y=0.1 + 0.2 * (np.arange(len(data)) % 2) * np.finfo(float).eps)
    assert synthetic_control(nearly, "y", "treated", START).weights.tolist() == [0.25] * 4
    assert not synthetic_control(panel(donors=60), "y", "treated", START).notes


def test_the_p_value_of_others_does_not_depend_on_a_unit_that_is_fitted_without_error():
    data = panel(donors=9, effect=2.0, mix=(0.6, 0.6, -0.2))
    exact = 0.5 * data.loc["d00"] + 0.5 * data.loc["d01"]
    added = pd.concat([data, pd.concat({"exact": exact}, names=["unit"])])
    result = synthetic_control(added, "y", "treated", START)
    ratios = result.placebos["ratio"]
    assert result.p_value == (ratios >= ratios["treated"]).mean() < 1


def test_a_predictor_that_is_the_same_everywhere_but_for_rounding_does_not_count():
    data = panel()
    plain = synthetic_control(data, "y", "treated", START, predictors=["x", "z"])
    share = np.where(np.arange(len(data)) % 2, 0.1 + 0.2, 0.3)
    with_share = synthetic_control(data.assign(share=share), "y", "treated", START, predictors=["x", "z", "share"])
    np.testing.assert_allclose(with_share.path["gap"], plain.path["gap"], atol=1e-8)


def test_a_poor_fit_before_treatment_is_called_not_credible():
    data = panel()
    outside = data.copy()
    outside.loc["treated", "y"] = (data.loc["treated", "y"] + 50).to_numpy()
    result = synthetic_control(outside, "y", "treated", START)
    assert not result.credible
    assert list(result.objections) == ["poor_fit", "placebos_fit_better"]
    assert result.objections["poor_fit"] == {"fit_index": result.fit_index, "fit_limit": 0.9}
    assert result.objections["placebos_fit_better"]["share"] >= 0.9
    assert result.fit_index < 0


def test_a_fit_without_error_by_more_donors_than_periods_is_called_not_credible():
    result = synthetic_control(panel(donors=30), "y", "treated", START)
    assert not result.credible
    assert result.objections == {"exact_fit": {"donors": 30, "periods": 11}}


@pytest.mark.parametrize("donors", [19, 39])
def test_a_constant_gap_is_rejected_just_above_the_least_that_the_test_tells(donors):
    result = synthetic_control(panel(donors=donors, effect=0.3, noise=0.5), "y", "treated", START)
    ratios = result.placebos["ratio"].drop("treated").to_numpy()

    def p_value(gap):
        return (1 + (ratios >= gap / result.pre_rmspe).sum()) / (donors + 1)

    least = result.least_gap(0.05)
    assert p_value(1.001 * least) <= 0.05 < p_value(0.999 * least)
    assert result.least_gap(0.01) == np.inf and np.isnan(
        synthetic_control(panel(donors=donors), "y", "treated", START, placebos=False).least_gap()
    )


def test_results_do_not_depend_on_the_order_of_rows_or_donors():
    data = panel(effect=1.0, mix=(0.6, 0.6, -0.2))
    base = synthetic_control(data, "y", "treated", START)
    donors = list(base.weights.index)[::-1]
    other = synthetic_control(data.sample(frac=1, random_state=1), "y", "treated", START, donors)
    pd.testing.assert_series_equal(other.weights.sort_index(), base.weights.sort_index())
    assert other.p_value == base.p_value


def test_set_ups_that_make_no_sense_are_refused():
    data = panel()
    refusals = [
        (UnknownNameError, "unknown treated unit 'traeted'; did you mean 'treated'", {"treated": "traeted"}),
        (UnknownNameError, "unknown donor 'd99'", {"donors": ["d00", "d99"]}),
        (InvalidInputError, "is among the donors", {"donors": ["d00", "treated"]}),
        (InvalidInputError, r"1 donor\(s\)", {"donors": ["d00"]}),
        (InvalidInputError, "start=2001: expected at least two periods before", {"start": 2001}),
        (InvalidInputError, "start=2030", {"start": 2030}),
        (UnknownNameError, "unknown column 'w'", {"predictors": ["w"]}),
        (UnknownNameError, "unknown period before treatment 2012", {"outcome_periods": [2012]}),
    ]
    for error, words, options in refusals:
        arguments = {"treated": "treated", "start": START} | options
        with pytest.raises(error, match=words):
            synthetic_control(data, "y", **arguments)
    with pytest.raises(InvalidInputError, match="not balanced"):
        synthetic_control(data.drop(("d03", 2005)), "y", "treated", START)
    assert synthetic_control(data.drop(("d03", 2005)), "y", "treated", START, ["d00", "d01", "d02"]).donors == 3

"""Hausman, F, Breusch-Pagan and Pesaran's tests against R's plm, plain formulas and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from panel_cases import CASES, case, expected, made_panel, thinned

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import (
    breusch_pagan_test,
    effects_test,
    fixed_effects,
    hausman_test,
    pesaran_cd,
    random_effects,
    slope_difference_test,
    within,
)


def check(test, wanted: dict, tolerance: float = 1e-8) -> None:
    assert test.statistic == pytest.approx(wanted["statistic"], rel=tolerance)
    if "p_value" in wanted:
        assert test.p_value == pytest.approx(wanted["p_value"], rel=1e-6, abs=1e-12)
    if wanted.get("df"):
        assert test.df == wanted["df"]


@pytest.mark.parametrize("name", CASES)
def test_balanced_panels_give_the_tests_of_plm(name):
    data, y, x = case(name)
    wanted = expected(f"panel_{name}")
    check(hausman_test(data, y, x, method="classic"), wanted["hausman"])
    if "hausman_aux" in wanted:
        check(hausman_test(data, y, x, cov="classical"), wanted["hausman_aux"])
    check(breusch_pagan_test(data, y, x), wanted["BP_LM_individual"])
    check(pesaran_cd(fixed_effects(data, y, x, "entity").residuals), wanted["pesaran_cd_fe"])
    f = effects_test(data, y, x)
    check(f, wanted["F_individual"])
    assert f.df == (wanted["F_individual"]["df1"], wanted["F_individual"]["df2"])


@pytest.mark.parametrize("name", CASES)
def test_unbalanced_panels_and_clustered_errors_give_the_tests_of_r(name):
    data, y, x = case(name)
    thin, wanted = thinned(data), expected("panel_unbalanced")[name]
    check(hausman_test(thin, y, x, method="classic"), wanted["hausman"])
    check(hausman_test(thin, y, x, cov="classical"), wanted["hausman_aux"])
    check(hausman_test(data, y, x, small_sample=False), wanted["hausman_aux_clustered"])
    check(breusch_pagan_test(thin, y, x), wanted["breusch_pagan"])
    check(pesaran_cd(fixed_effects(thin, y, x, "entity").residuals), wanted["pesaran_cd"])
    with_periods = hausman_test(data, y, x, method="classic", time_effects=True)
    assert with_periods.statistic == pytest.approx(wanted["balanced_with_periods"]["hausman"], rel=1e-6)


def test_the_classic_hausman_statistic_says_whether_it_is_to_be_trusted():
    trusted = {name: hausman_test(*case(name), method="classic").settings["positive_definite"] for name in CASES}
    for name, definite in trusted.items():
        data, y, x = case(name)
        random = random_effects(data, y, x).covariance.loc[x, x]
        gap = fixed_effects(data, y, x, "entity", "classical").covariance - random
        assert definite == (np.linalg.eigvalsh(gap).min() > 0)
    assert len(set(trusted.values())) == 2


def test_a_negative_hausman_statistic_is_refused_with_what_to_do():
    for seed in range(200):
        data = made_panel(6, 3, seed, "yxz")
        try:
            assert hausman_test(data, "y", ["x", "z"], method="classic").statistic >= 0
        except InvalidInputError as error:
            assert "below zero" in str(error)
            assert "method='auxiliary'" in str(error)
            return
    pytest.fail("no panel with a negative statistic was found")


def test_the_auxiliary_test_keeps_its_size_under_unequal_variances_and_finds_related_effects():
    random, rejected = np.random.default_rng(11), {"fixed": 0, "cluster": 0, "classical": 0}
    index = pd.MultiIndex.from_product([range(60), range(6)])
    for _ in range(100):
        x, noise = random.normal(size=(2, 60, 6))
        mean = x.mean(axis=1, keepdims=True)
        y = x + noise + 20 * mean**2 * random.normal(size=(60, 1))
        unrelated = pd.DataFrame({"x": x.ravel(), "y": y.ravel()}, index=index)
        related = unrelated.assign(y=(y + 20 * mean).ravel())
        rejected["cluster"] += hausman_test(unrelated, "y", "x").p_value < 0.05
        rejected["classical"] += hausman_test(unrelated, "y", "x", cov="classical").p_value < 0.05
        rejected["fixed"] += hausman_test(related, "y", "x").p_value < 0.05
    # Of 100 at 5 %, more than 13 come about once in two thousand times.
    assert rejected["cluster"] <= 13 < rejected["classical"]
    assert rejected["fixed"] > 90


def test_the_f_test_of_two_way_effects_counts_units_and_periods():
    data, y, x = case("grunfeld")
    pooled, full = (fixed_effects(data, y, x, e, "classical") for e in ("none", "twoway"))
    test = effects_test(data, y, x, "twoway")
    assert test.df == (9 + 19, 200 - 2 - 29)
    assert test.statistic == pytest.approx((pooled.rss - full.rss) / 28 / (full.rss / 169))


def test_pesarans_statistic_is_the_sum_over_pairs_in_plain_loops():
    residuals = made_panel(5, 7, 2)["y"].drop([(0, 2001), (0, 2002), (3, 2005)])
    wide, total = residuals.unstack(0), 0.0
    for i in range(5):
        for j in range(i):
            pair = wide[[i, j]].dropna().to_numpy()
            total += np.sqrt(len(pair)) * np.corrcoef(pair.T)[0, 1]
    assert pesaran_cd(residuals).statistic == pytest.approx(np.sqrt(2 / 20) * total, rel=1e-12)


def test_pairs_of_units_without_two_common_periods_do_not_count():
    base = made_panel(3, 6, 4)["y"]
    apart = base.drop([(0, year) for year in (2003, 2004, 2005)]).drop([(1, year) for year in (2000, 2001, 2002)])
    wide = apart.unstack(0)
    rho = [np.corrcoef(wide[[i, 2]].dropna().T)[0, 1] for i in (0, 1)]
    assert pesaran_cd(apart).statistic == pytest.approx(np.sqrt(3) * sum(rho) / np.sqrt(2), rel=1e-12)
    with pytest.raises(InvalidInputError, match="two periods in common"):
        pesaran_cd(apart.loc[[0, 1]])


def test_the_table_is_one_row_that_names_test_null_and_degrees_of_freedom():
    data, y, x = case("grunfeld")
    row = effects_test(data, y, x).table
    assert row.index.tolist() == ["F of the effects 固定效应 F 检验"]
    assert row["df"].tolist() == ["9, 188"]
    assert {"statistic", "p_value", "null", "distribution"} <= set(row.columns)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda d: hausman_test(d, "y", "x", method="robust"), UnknownNameError, "method 'robust'"),
        (lambda d: hausman_test(d.assign(f=1.0), "y", ["x", "f"]), InvalidInputError, "f does not vary within units"),
        (lambda d: effects_test(d, "y", "x", "none"), UnknownNameError, "effects"),
        (lambda d: breusch_pagan_test(d.groupby(level=0).head(1), "y", "x"), InvalidInputError, "one row a unit"),
        (lambda d: pesaran_cd(d), InvalidInputError, "expected a Series"),
        (lambda d: pesaran_cd(d["y"].reset_index(drop=True)), InvalidInputError, "two levels"),
    ],
)
def test_tests_without_an_answer_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(made_panel(8, 5, 0))


def test_what_the_effects_leave_of_variables_is_orthogonal_to_them_and_gives_the_same_slopes():
    data = thinned(case("grunfeld")[0])[["inv", "value", "capital"]]
    left = within(data.sample(frac=1, random_state=1))
    for level in (0, 1):
        np.testing.assert_allclose(left.groupby(level=level).sum(), 0, atol=1e-8)
    slopes = np.linalg.lstsq(left[["value", "capital"]], left["inv"], rcond=None)[0]
    np.testing.assert_allclose(slopes, fixed_effects(data, "inv", ["value", "capital"]).params, rtol=1e-9)
    pd.testing.assert_series_equal(within(data["inv"]), left["inv"])


@pytest.mark.parametrize("group", [[3], [0, 3, 7]])
def test_the_statistic_of_a_group_of_units_is_that_of_its_own_slope_in_the_regression(group):
    data = thinned(made_panel(12, 8, seed=5))
    test = slope_difference_test(data, "y", ["x", "z"], "x", group, draws=99, seed=1)
    own = data["x"] * data.index.get_level_values("unit").isin(group)
    wanted = fixed_effects(data.assign(own=own), "y", ["x", "z", "own"], cov="classical").table
    assert test.statistic == pytest.approx(wanted.loc["own", "statistic"], rel=1e-9)
    assert test.settings["groups"] == (11 if len(group) == 1 else 99)


def test_p_values_of_groups_without_a_slope_of_their_own_are_uniform_over_the_units():
    data = made_panel(20, 6, seed=2)
    p = [slope_difference_test(data, "y", "x", "x", [unit]).p_value for unit in range(20)]
    np.testing.assert_allclose(sorted(p), np.arange(1, 21) / 20)


def test_groups_that_nothing_can_be_compared_with_are_refused():
    data = made_panel(4, 5, seed=1)
    with pytest.raises(InvalidInputError, match="4 of 4 units"):
        slope_difference_test(data, "y", "x", "x", range(4))
    with pytest.raises(InvalidInputError, match="0 of 4 units"):
        slope_difference_test(data, "y", "x", "x", [])
    with pytest.raises(UnknownNameError, match="unit"):
        slope_difference_test(data, "y", "x", "x", [9])
    with pytest.raises(UnknownNameError, match="variable of x"):
        slope_difference_test(data, "y", "x", "z", [1])

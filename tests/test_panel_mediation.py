"""Mediation: identities, the bootstrap against resamples put together by hand, simulation with known effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from panel_cases import case, made_panel
from scipy.stats import norm

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel import fixed_effects, mediation

CONTROLS = ["pcap", "unemp"]


def chain(units: int, seed: int, a: float = 0.8, b: float = 0.5, direct: float = 0.3) -> pd.DataFrame:
    """x moves m by a and y by ``direct``, m moves y by b; units differ in all three."""
    data = made_panel(units, 6, seed, "xmyk")
    unit = np.random.default_rng(seed + 1).normal(size=(units, 3))[data.index.get_level_values(0)]
    data["x"] += unit[:, 0]
    data["m"] += a * data["x"] + unit[:, 1]
    data["y"] += direct * data["x"] + b * data["m"] + unit[:, 2]
    return data


@pytest.mark.parametrize("effects", ["twoway", "entity", "time", "none"])
def test_total_is_direct_plus_indirect_in_the_estimates_and_in_every_draw(effects):
    data, y, _ = case("produc")
    result = mediation(data, y, "pc", "emp", CONTROLS, effects, draws=100)
    estimate = result.table["estimate"]
    assert estimate["total"] == pytest.approx(estimate["direct"] + estimate["indirect"], abs=1e-12)
    np.testing.assert_allclose(result.bootstrap["total"], result.bootstrap[["direct", "indirect"]].sum(axis=1))
    assert estimate["total"] == fixed_effects(data, y, ["pc", *CONTROLS], effects).params["pc"]
    assert estimate["direct"] == fixed_effects(data, y, ["pc", "emp", *CONTROLS], effects).params["pc"]
    assert result.share == pytest.approx(estimate["indirect"] / estimate["total"])


@pytest.mark.parametrize("effects", ["twoway", "entity", "time", "none"])
@pytest.mark.parametrize("balanced", [True, False])
def test_a_draw_is_the_regression_on_units_drawn_with_replacement_each_copy_a_unit(effects, balanced):
    data, y, _ = case("produc")
    if not balanced:
        data = data[np.random.default_rng(1).random(len(data)) < 0.8]
    units = data.index.unique(0)
    result = mediation(data, y, "pc", "emp", CONTROLS, effects, draws=3, seed=5)
    counts = np.random.default_rng(5).multinomial(48, np.full(48, 1 / 48), size=3)
    for drawn, row in zip(counts, result.bootstrap.to_numpy(), strict=True):
        copies = [
            data.loc[[unit]].rename(index={unit: f"{unit} {copy}"}, level=0)
            for unit, times in zip(units, drawn, strict=True)
            for copy in range(times)
        ]
        sample = pd.concat(copies)
        total, first, second = (
            fixed_effects(sample, left, [*right, *CONTROLS], effects, "classical").params
            for left, right in ((y, ["pc"]), ("emp", ["pc"]), (y, ["pc", "emp"]))
        )
        wanted = [total["pc"], second["pc"], first["pc"] * second["emp"]]
        np.testing.assert_allclose(row, wanted, rtol=1e-9, atol=1e-12)


def test_intervals_are_percentiles_and_bias_corrected_percentiles_of_the_draws():
    result = mediation(chain(40, 3), "y", "x", "m", draws=500, level=0.9)
    drawn = result.bootstrap["indirect"].to_numpy()
    row = result.table.loc["indirect"]
    assert row[["lower", "upper"]].tolist() == pytest.approx(np.quantile(drawn, [0.05, 0.95]).tolist())
    bias = norm.ppf((drawn < row["estimate"]).mean())
    corrected = norm.cdf([2 * bias - norm.ppf(0.95), 2 * bias + norm.ppf(0.95)])
    assert row[["bc_lower", "bc_upper"]].tolist() == pytest.approx(np.quantile(drawn, corrected).tolist())
    assert row["std_error"] == pytest.approx(drawn.std(ddof=1))
    weak = mediation(chain(40, 3, b=0.0), "y", "x", "m", draws=500)
    beyond = min((weak.bootstrap["indirect"] <= 0).sum(), (weak.bootstrap["indirect"] >= 0).sum())
    assert weak.table.loc["indirect", "p_value"] == pytest.approx(2 * (1 + beyond) / 501)


def test_intervals_at_another_level_come_from_the_same_draws():
    wide, narrow = (mediation(chain(40, 3), "y", "x", "m", draws=200, level=level) for level in (0.95, 0.8))
    pd.testing.assert_frame_equal(wide.conf_int(0.8), narrow.table[["lower", "upper"]])
    np.testing.assert_allclose(wide.covariance, wide.bootstrap.cov(), rtol=1e-12)
    assert wide.tstats["total"] == pytest.approx(wide.params["total"] / wide.bootstrap["total"].std())


def test_sobels_test_is_the_product_over_its_first_order_error():
    result = mediation(chain(40, 3), "y", "x", "m", "k", draws=2)
    a, b = result.mediator.params["x"], result.outcome.params["m"]
    variance = (a * result.outcome.std_errors["m"]) ** 2 + (b * result.mediator.std_errors["x"]) ** 2
    assert result.sobel.statistic == pytest.approx(a * b / variance**0.5, rel=1e-12)
    assert result.sobel.p_value == pytest.approx(2 * norm.sf(abs(result.sobel.statistic)), rel=1e-12)


def test_known_effects_are_found_and_covered():
    covered, estimates = 0, []
    for seed in range(60):
        table = mediation(chain(40, 100 + seed), "y", "x", "m", draws=200, seed=seed).table
        estimates.append(table["estimate"])
        covered += table.loc["indirect", "lower"] < 0.8 * 0.5 < table.loc["indirect", "upper"]
    mean = pd.DataFrame(estimates).mean()
    assert mean.to_dict() == pytest.approx({"total": 0.7, "direct": 0.3, "indirect": 0.4}, abs=0.03)
    # Of 60 at 95 %, fewer than 50 come about once in a thousand times.
    assert covered >= 50


def test_same_seed_gives_the_same_draws_and_another_seed_others():
    data = chain(20, 1)
    first, again, other = (mediation(data, "y", "x", "m", draws=50, seed=seed).bootstrap for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first, other)


def test_rows_in_any_order_give_the_same_draws():
    data = chain(20, 1)
    mixed = mediation(data.sample(frac=1, random_state=1), "y", "x", "m", draws=20)
    pd.testing.assert_frame_equal(mixed.bootstrap, mediation(data, "y", "x", "m", draws=20).bootstrap)


def test_large_means_cost_no_digits():
    data = chain(20, 1)
    moved = mediation(data + 1e6, "y", "x", "m", effects="time", draws=20)
    np.testing.assert_allclose(
        moved.bootstrap, mediation(data, "y", "x", "m", effects="time", draws=20).bootstrap, 1e-6
    )


def test_draws_in_which_nothing_varies_are_counted_or_refused():
    data = chain(12, 1)
    unit = data.index.get_level_values(0)
    data["x"] = np.where(unit < 4, data["x"], 0.0)
    result = mediation(data, "y", "x", "m", draws=400)
    # None of the four units is drawn with a probability of (8 / 12) ** 12, below one in a hundred.
    assert 0 < result.settings["discarded"] < 20
    assert len(result.bootstrap) == 400 - result.settings["discarded"]
    with pytest.raises(InvalidInputError, match=r"in \d+ of 400 draws the variables are collinear"):
        mediation(data.assign(x=np.where(unit < 1, data["x"], 0.0)), "y", "x", "m", draws=400)


def test_the_result_fits_a_regression_table():
    result = mediation(chain(20, 1), "y", "x", "m", draws=20)
    assert result.table.columns[:6].tolist() == ["estimate", "std_error", "statistic", "p_value", "lower", "upper"]
    assert result.footer["Sobel 索贝尔检验"].endswith(f"[p = {result.sobel.p_value:.3f}]")
    assert result.footer["Bootstrap draws 自助抽样次数"] == 20
    assert result.footer["Units 个体数"] == 20


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (("y", "x", "n"), {}, UnknownNameError, "column 'n'"),
        (("y", "x", "x"), {}, InvalidInputError, "given twice: x"),
        (("y", "x", "m"), {"draws": 1}, InvalidInputError, "at least 2"),
        (("y", "x", "m"), {"draws": 10.5}, InvalidInputError, "at least 2"),
        (("y", "x", "m"), {"level": 95}, InvalidInputError, "a share such as 0.95"),
        (("y", "x", "m"), {"effects": "both"}, UnknownNameError, "effects 'both'"),
    ],
)
def test_input_without_an_answer_is_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        mediation(chain(10, 0), *arguments, **options)

"""The wild cluster bootstrap against an enumeration of all signs in regressions with every dummy."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from panel_cases import made_panel

from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.panel import fixed_effects, wild_cluster_bootstrap

UNITS, YEARS = 14, 5
GROUPS = pd.Series([unit % 7 for unit in range(UNITS)])


def panel(seed: int = 0, keep: float = 1.0) -> pd.DataFrame:
    data = made_panel(UNITS, YEARS, seed, "xze")
    unit, year = (data.index.get_level_values(level) for level in (0, 1))
    data["y"] = 0.4 * data["x"] + 0.2 * data["z"] + data["e"] + GROUPS[unit].to_numpy() + year % 3
    return data[np.random.default_rng(seed).random(len(data)) < keep]


def clusters_of(data: pd.DataFrame, by: str) -> np.ndarray:
    unit, year = (data.index.get_level_values(level) for level in (0, 1))
    return {"groups": GROUPS[unit].to_numpy(), "time": year, "blocks": (unit % 3) * 2 + year % 2}[by]


def enumerated(data: pd.DataFrame, effects: str, clusters: np.ndarray, null: float, signs) -> float:
    """The share of draws whose t is larger, ties aside, by ordinary regressions on the variables and all dummies."""
    unit, year = (pd.get_dummies(data.index.get_level_values(level)).to_numpy(float) for level in (0, 1))
    parts = {"twoway": [unit, year[:, 1:]], "entity": [unit], "time": [year], "none": [np.ones((len(data), 1))]}
    X = np.column_stack([data[["x", "z"]], *parts[effects]])
    y, codes = data["y"].to_numpy(), pd.factorize(clusters)[0]
    bread = np.linalg.pinv(X.T @ X)

    def t(outcome: np.ndarray) -> float:
        b = bread @ X.T @ outcome
        scores = X * (outcome - X @ b)[:, None]
        sums = np.array([scores[codes == g].sum(axis=0) for g in range(codes.max() + 1)])
        return (b[0] - null) / np.sqrt((bread @ sums.T @ sums @ bread)[0, 0])

    rest, net = X[:, 1:], y - null * X[:, 0]
    fit = rest @ np.linalg.lstsq(rest, net, rcond=None)[0]
    drawn = np.array([abs(t(null * X[:, 0] + fit + np.array(v)[codes] * (net - fit))) for v in signs])
    return float((drawn > abs(t(y)) * (1 + 1e-9)).mean())


@pytest.mark.parametrize("keep", [1.0, 0.8])
@pytest.mark.parametrize("by", ["groups", "time", "blocks"])
@pytest.mark.parametrize("effects", ["twoway", "entity", "time", "none"])
def test_p_values_are_those_of_all_signs_in_regressions_with_every_dummy(effects, by, keep):
    data = panel(3, keep)
    clusters = pd.Series(clusters_of(data, by), data.index)
    signs = list(itertools.product([-1.0, 1.0], repeat=clusters.nunique()))
    for null in (0.0, 0.3):
        result = wild_cluster_bootstrap(
            data, "y", ["x", "z"], effects, cluster=clusters, variables="x", null=null, draws=len(signs)
        )
        row = result.table.loc["x"]
        wanted = enumerated(data, effects, clusters.to_numpy(), null, signs)
        assert row["p_value"] == pytest.approx(max(wanted, 2 / len(signs)), abs=1e-12)
        assert result.draws == len(signs)


def test_estimates_and_errors_are_the_regressions_and_the_interval_inverts_the_test():
    data = panel(1)
    result = wild_cluster_bootstrap(data, "y", ["x", "z"], cluster=GROUPS, level=0.9)
    plain = fixed_effects(data, "y", ["x", "z"], cluster=GROUPS)
    np.testing.assert_allclose(result.table["estimate"], plain.params)
    np.testing.assert_allclose(result.table["std_error"], plain.std_errors)
    np.testing.assert_allclose(result.table["statistic"], plain.tstats)
    for name, row in result.table.iterrows():
        for end, outward in (("lower", -1), ("upper", 1)):
            for step, rejected in ((0.01, True), (-0.01, False)):
                null = row[end] + outward * step * row["std_error"]
                p = wild_cluster_bootstrap(data, "y", ["x", "z"], cluster=GROUPS, variables=name, null=null)
                assert (p.table.loc[name, "p_value"] < 0.1) == rejected


def test_draws_are_those_of_a_seed_and_units_of_measure_move_nothing():
    data, many = panel(2), pd.Series(range(UNITS))
    one, same, other = (
        wild_cluster_bootstrap(data, "y", "x", cluster=many, weights="webb", draws=399, seed=seed) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one.table, same.table)
    assert one.table.loc["x", "lower"] != other.table.loc["x", "lower"] and one.draws == 399
    scaled = data.assign(y=data["y"] * 1e-9, x=data["x"] * 1e6)
    moved = wild_cluster_bootstrap(scaled, "y", "x", cluster=many, weights="webb", draws=399, seed=1)
    np.testing.assert_allclose(moved.table[["lower", "upper"]] * 1e15, one.table[["lower", "upper"]], rtol=1e-6)
    assert moved.table.loc["x", "p_value"] == one.table.loc["x", "p_value"]


def test_few_clusters_leave_the_interval_unbounded_which_a_note_says():
    four = pd.Series([unit % 4 for unit in range(UNITS)])
    result = wild_cluster_bootstrap(panel(), "y", "x", cluster=four)
    assert result.table.loc["x", ["lower", "upper"]].tolist() == [-np.inf, np.inf]
    assert "4 clusters allow 8 different draws" in result.notes[0] and result.table.loc["x", "p_value"] >= 0.125
    webb = wild_cluster_bootstrap(panel(), "y", "x", cluster=four, weights="webb")
    assert np.isfinite(webb.table.loc["x", ["lower", "upper"]].to_numpy(float)).all() and webb.notes == ()


@pytest.mark.parametrize(
    "options",
    [
        *({"cluster": wrong} for wrong in (None, 3, "province", ["a"] * UNITS, pd.Series(1, range(UNITS)), {0: 1})),
        *({"variables": wrong} for wrong in ("w", 3, ["x", "w"], {"x": 1})),
        *({"weights": wrong} for wrong in ("mammen", None, 2)),
        *({"draws": wrong} for wrong in (0, 5, 99.5, "99", None, True)),
        *({"seed": wrong} for wrong in (-1, None, "0")),
        *({"level": wrong} for wrong in (95, 0, 1, None)),
        *({"null": wrong} for wrong in (None, "0", np.nan, True)),
        *({"effects": wrong} for wrong in ("both", None)),
        *({"x": wrong} for wrong in (None, 3, {"x": 1})),
    ],
    ids=str,
)
def test_arguments_of_another_kind_are_refused(options):
    with pytest.raises(ClusterlibError):
        wild_cluster_bootstrap(panel(), "y", **{"x": ["x", "z"], "cluster": GROUPS} | options)


def test_without_errors_and_without_variables_there_is_nothing_to_test():
    exact = panel().assign(y=lambda d: 2 * d["x"])
    with pytest.raises(InvalidInputError, match="account for all of y but for rounding"):
        wild_cluster_bootstrap(exact, "y", "x", cluster=GROUPS)
    with pytest.raises(InvalidInputError, match="at least one"):
        wild_cluster_bootstrap(panel(), "y", "x", cluster=GROUPS, variables=[])

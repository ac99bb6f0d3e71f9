"""Every public function of spatial panels with frames and arguments of all kinds: the right value, or why not."""

from __future__ import annotations

import datetime
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from scipy.sparse import csr_array
from spatial_panel_cases import nearest, row_standardised, simulated

from clusterlib.errors import ClusterlibError, ClusterlibWarning, InvalidInputError
from clusterlib.spatial_panel import (
    align_weights,
    cluster_covariance,
    likelihood_ratio_test,
    lm_tests,
    null_impacts,
    spatial_panel,
    two_weights_sar,
    wald_test,
)
from clusterlib.tables import coefficient_records, regression_table

N, X = 12, ["x1", "x2"]
W = pd.DataFrame(nearest(N), range(N), range(N))
HALF = pd.DataFrame(np.where(np.arange(N)[:, None] < 6, W, 0), range(N), range(N))
PANEL = simulated(W.to_numpy(), 5, 0.3)
UNITS, YEARS = (PANEL.index.get_level_values(level) for level in (0, 1))
RESULT = spatial_panel(PANEL, "y", X, W, "sdm", "twoway", "lee-yu")
DAY = datetime.date(2020, 1, 1)

CALLS = {
    "spatial_panel": lambda q, y="y", x=X, w=W, effects="twoway", **o: (
        spatial_panel(q, y, x, w, o.pop("model", "sdm"), effects, **o).params
    ),
    "lm_tests": lambda q, y="y", x=X, w=W, effects="twoway": lm_tests(q, y, x, w, effects).table["statistic"],
    "two_weights_sar": lambda q, y="y", x=X, w=HALF, across=W - HALF, effects="twoway": (
        two_weights_sar(q, y, x, w, across, effects).params
    ),
    "null_impacts": lambda q, y="y", x=X, w=W, variable="x1", **o: null_impacts(
        q, y, x, w, variable, **{"draws": 9} | o
    ).stack(),
    "null_impacts without weights": lambda q, y="y", x=X, variable="x1", **o: null_impacts(
        q, y, x, None, variable, **{"draws": 9} | o
    ).stack(),
    "cluster_covariance": lambda q, y="y", x=X, w=W, result=RESULT, **o: cluster_covariance(
        q, y, x, w, result, **{"draws": 9} | o
    ).stack(),
}


def indexed(units, years) -> pd.DataFrame:
    return PANEL.set_axis(pd.MultiIndex.from_arrays([units, years], names=["unit", "year"]))


REFUSED = {
    "missing unit": (indexed(UNITS.astype(float).where(np.arange(60) != 9), YEARS), "index has a missing unit.* row 9"),
    "missing year": (indexed(UNITS, YEARS.astype(float).where(np.arange(60) != 9)), "index has a missing period"),
    "missing everywhere": (indexed(UNITS.astype(float).where(UNITS != 3), YEARS), "index has a missing unit in 5 row"),
    "swapped levels": (PANEL.swaplevel().sort_index(), "swaplevel"),
    "doubled column": (pd.concat([PANEL, PANEL[["x1"]]], axis=1), "x1 stands in the data more than once"),
    "doubled row": (pd.concat([PANEL, PANEL.iloc[:1]]), r"\(0, 2000\) has more than one row"),
    "flat": (PANEL.reset_index(), r"set_index\(\['unit', 'year'\]\)"),
    "half flat": (PANEL.reset_index("year"), r"set_index\('year', append=True\)"),
    "gap": (PANEL.drop(index=[(3, 2002)]), r"not balanced.*\(3, 2002\)"),
    "text": (PANEL.assign(x1="a"), "not numbers: x1"),
    "complex": (PANEL.assign(x1=1j), "not numbers: x1"),
    "dates": (PANEL.assign(x1=pd.Timestamp(DAY)), "not numbers: x1"),
    "missing value": (PANEL.assign(y=PANEL["y"].where(UNITS != 3)), r"missing or infinite.*\(3, 2000\), 'y'"),
    "missing nullable": (PANEL.assign(y=PANEL["y"].where(UNITS != 3).astype("Float64")), r"\(3, 2000\), 'y'"),
    "infinite": (PANEL.assign(x1=np.inf), "missing or infinite"),
    "mixed labels": (indexed(UNITS.map(lambda u: "a" if u == 3 else u), YEARS), "mixes kinds of labels"),
    "a Series": (PANEL["y"], "expected a DataFrame, got a Series"),
    "nothing": (None, "got a NoneType"),
    "a dict": (PANEL.to_dict(), "got a dict"),
    "constant but for rounding": (PANEL.assign(x1=0.1 + 0.2 * (1 + 1e-16 * (UNITS % 2))), "x1 is a sum of unit and"),
    "sum of effects": (PANEL.assign(x1=1e8 + UNITS * 0.1 + YEARS), "x1 is a sum of unit and period effects"),
    "copy": (PANEL.assign(x2=1e5 * PANEL["x1"] + 7), "x2: a linear combination"),
    "explained": (PANEL.assign(y=1e6 - PANEL["x2"]), "no error is left to model"),
    "one period": (PANEL.xs(2000, level=1, drop_level=False), "two periods or more"),
    "two units": (PANEL.loc[[0, 1]], "three or more"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", CALLS)
def test_frames_that_cannot_be_estimated_from_are_refused_with_the_reason(name, kind):
    data, words = REFUSED[kind]
    if kind == "explained" and name.startswith(("null", "cluster")):
        words += "|must be those that the model was estimated from"
    with pytest.raises(InvalidInputError, match=words):
        CALLS[name](data)


SAME = {
    "nullable": PANEL.astype("Float64"),
    "arrow": PANEL.astype("double[pyarrow]"),
    "objects' order of rows": PANEL.sample(frac=1, random_state=3),
    "further columns": PANEL.assign(note="text", more=np.nan),
    "doubled column that is not used": pd.concat([PANEL, PANEL[["x1"]].set_axis(["z"], axis=1)] * 1, axis=1),
    "index of integers of another kind": PANEL.set_index(
        pd.MultiIndex.from_arrays([UNITS.astype("int32"), YEARS.astype("int16")], names=["unit", "year"])
    ),
}


@cache
def plain_figures(name: str) -> pd.Series:
    return CALLS[name](PANEL)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", CALLS)
def test_kinds_of_numbers_and_the_order_of_rows_do_not_matter(name, kind):
    pd.testing.assert_series_equal(CALLS[name](SAME[kind]), plain_figures(name), rtol=1e-9)


@pytest.mark.parametrize("name", CALLS)
def test_truth_values_are_taken_as_numbers(name):
    flags = PANEL["x2"] > 0
    if name == "cluster_covariance":
        result = spatial_panel(PANEL.assign(x2=flags), "y", X, W, "sdm", "twoway", "lee-yu")
        calls = [CALLS[name](PANEL.assign(x2=kind), result=result) for kind in (flags, flags.astype(float))]
    else:
        calls = [CALLS[name](PANEL.assign(x2=kind)) for kind in (flags, flags.astype("boolean"), flags.astype(float))]
    for call in calls:
        pd.testing.assert_series_equal(call, calls[-1], rtol=1e-9)


ODD = {
    "y": [None, 3, ["y"], {"y": 1}, PANEL["y"], PANEL, DAY, "z"],
    "x": [None, 3, [], [None], {"x1": 1}, PANEL[X], PANEL["x1"], DAY, ["x1", "x1"], ["x1", "y"], [["x1"]], "z"],
    "w": ["queen", {}, 3, DAY, np.eye(3), pd.DataFrame(), W.loc[1:, 1:], W.rename(index=str, columns=str), -W, W + 1],
    "across": [None, "queen", {}, 3, DAY, np.eye(3), W, W.loc[1:, 1:]],
    "effects": [None, True, 3, "fixed", ["twoway"], {}],
    "model": [None, 3, "sdn", ["sdm"], {}],
    "bias_correction": [True, 3, "lee", ["lee-yu"], "lee-yu-direct"],
    "durbin": [3, [], {"x1": 1}, DAY, "z", PANEL["x1"]],
    "jacobian": [None, 3, "chebyshev", []],
    "exact_effects": [None, 3, "yes"],
    "variable": [None, 3, "z", ["x1"], PANEL["x1"]],
    "draws": [None, 0, -3, 1.5, "10", True, np.nan, [9]],
    "seed": [None, -1, 1.5, "a", True, [0]],
    "result": [None, "sdm", {}, spatial_panel(PANEL, "y", X, W, "sar"), RESULT.params],
}
TAKEN = {
    "spatial_panel": "y x w effects model bias_correction durbin jacobian exact_effects",
    "lm_tests": "y x w effects",
    "two_weights_sar": "y x w across effects",
    "null_impacts": "y x w variable bias_correction draws seed",
    "null_impacts without weights": "y x variable bias_correction draws seed",
    "cluster_covariance": "y x w result draws seed",
}


@pytest.mark.parametrize(("name", "argument"), [(name, a) for name, taken in TAKEN.items() for a in taken.split()])
def test_arguments_of_other_kinds_are_refused(name, argument):
    for value in ODD[argument]:
        with pytest.raises(ClusterlibError):
            CALLS[name](PANEL, **{argument: value})
    if (name, argument) == ("spatial_panel", "w"):
        with pytest.raises(ClusterlibError, match="got a NoneType"):
            CALLS[name](PANEL, w=None)


def test_methods_of_results_and_tests_refuse_other_kinds():
    both = two_weights_sar(PANEL, "y", X, HALF, W - HALF, "twoway")
    for result in (RESULT, both):
        for draws in ODD["draws"]:
            with pytest.raises(InvalidInputError, match="draws"):
                result.impacts(draws)
        for seed in ODD["seed"]:
            with pytest.raises(InvalidInputError, match="seed"):
                result.impacts(10, seed)
        for level in (None, 95, 0, 1, "0.9", -0.1, True):
            with pytest.raises(InvalidInputError, match="level"):
                result.impacts(10, level=level)
            with pytest.raises(InvalidInputError, match="level"):
                result.conf_int(level)
        for variable in (None, 3, "z", ["x1"], {}):
            with pytest.raises(ClusterlibError, match="variable"):
                result.impacts(10).of(variable)
        for restriction in (None, 3, [], {}, [None], DAY, "z", ["rho", "rho"]):
            with pytest.raises(ClusterlibError):
                wald_test(result, restriction)
    for odd in (None, "sdm", {}, PANEL, RESULT.params):
        for call in (
            lambda odd=odd: wald_test(odd, "sar"),
            lambda odd=odd: likelihood_ratio_test(odd),
            lambda odd=odd: likelihood_ratio_test(RESULT, odd) if odd is not None else wald_test(odd, "sar"),
        ):
            with pytest.raises(InvalidInputError, match="expected the result of a spatial model"):
                call()
    with pytest.raises(InvalidInputError, match="is not nested"):
        likelihood_ratio_test(RESULT, both)
    with pytest.raises(InvalidInputError, match="this is 'sar with two weights'"):
        wald_test(both, "sar")
    assert likelihood_ratio_test(both).df == 2
    assert wald_test(both, ["rho_within", "rho_across"]).df == 2


def test_weights_of_every_kind_are_aligned_alike_and_a_matrix_is_in_the_order_of_the_data():
    from libpysal.weights import W as Neighbours

    order = [5, 0, 11, *(u for u in range(N) if u not in (5, 0, 11))]
    rows = PANEL.loc[order]
    shuffled = W.loc[order, order]
    graph = Graph.from_sparse(csr_array(shuffled.to_numpy()), ids=order)
    old = Neighbours(
        {u: list(W.columns[W.loc[u] > 0]) for u in order}, {u: list(W.loc[u][W.loc[u] > 0]) for u in order}, order
    )
    plain = [shuffled.to_numpy(), csr_array(shuffled.to_numpy())]
    labelled = [W, shuffled, graph, old, align_weights(W, pd.RangeIndex(N))]
    for name, call in CALLS.items():
        if name == "null_impacts without weights":
            continue
        wanted = call(PANEL)
        if name == "two_weights_sar":
            split = HALF.loc[order, order].to_numpy()
            with (
                pytest.warns(ClusterlibWarning, match="w_within: a matrix without labels"),
                pytest.warns(ClusterlibWarning, match=r"w_across: a matrix without labels.*\(5, 0, 11 and 9 more\)"),
            ):
                found = call(rows, w=split, across=shuffled.to_numpy() - split)
            pd.testing.assert_series_equal(found, wanted, rtol=1e-6)
            continue
        for weights in labelled:
            pd.testing.assert_series_equal(call(rows, w=weights), wanted, rtol=1e-6)
        for weights in plain:
            with pytest.warns(ClusterlibWarning, match="w: a matrix without labels"):
                found = call(rows, w=weights)
            pd.testing.assert_series_equal(found, wanted, rtol=1e-6)


def test_weights_that_make_all_units_alike_leave_nothing_to_tell_with_effects_of_time():
    alike = (np.ones((N, N)) - np.eye(N)) / (N - 1)
    with pytest.raises(InvalidInputError, match="the likelihood is the same at every rho"):
        spatial_panel(PANEL, "y", X, alike, "sar", "twoway", "lee-yu")
    with pytest.raises(InvalidInputError, match="W_x1, W_x2: a linear combination"):
        spatial_panel(PANEL, "y", X, alike, "sdm", "twoway", "lee-yu")
    found = lm_tests(PANEL, "y", X, alike, "twoway")
    assert found.table["statistic"].isna().to_dict() == {
        "lm_lag": False,
        "lm_error": False,
        "robust_lm_lag": True,
        "robust_lm_error": True,
        "lm_sarma": True,
    }
    assert "cannot be told apart" in found.summary()


def test_columns_may_be_numbered():
    numbered = PANEL.set_axis([0, 1, 2], axis=1)
    for name, call in CALLS.items():
        options = {"variable": 1} if name.startswith("null") else {}
        if name == "cluster_covariance":
            options = {"result": spatial_panel(numbered, 0, [1, 2], W, "sdm", "twoway", "lee-yu")}
        np.testing.assert_allclose(call(numbered, y=0, x=[1, 2], **options), call(PANEL), rtol=1e-9)


def test_a_model_of_other_data_or_weights_has_no_cluster_covariance():
    other = row_standardised((W.to_numpy() + W.to_numpy().T > 0).astype(float))
    for change in ({"w": other}, {"x": "x1"}, {"y": "x1", "x": ["x2", "y"]}):
        with pytest.raises(ClusterlibError, match="must be those that the model was"):
            CALLS["cluster_covariance"](PANEL, **change)
    turned = cluster_covariance(PANEL, "y", X[::-1], W, RESULT, draws=9)
    found = cluster_covariance(PANEL, "y", X, W, RESULT, draws=9)
    pd.testing.assert_frame_equal(turned.loc[found.index, found.columns], found)
    named = dict(zip(range(N), range(1, N + 1), strict=True))
    for data, w in (
        (PANEL.assign(y=PANEL["y"] + PANEL["x1"]), W),
        (PANEL.rename(index=named, level=0), W.rename(index=named, columns=named)),
        (PANEL.drop(index=2004, level=1), W),
    ):
        with pytest.raises(InvalidInputError, match="must be those that the model was estimated from"):
            cluster_covariance(data, "y", X, w, RESULT, draws=9)


def test_collinear_variables_without_weights_are_refused_where_they_had_no_say():
    """The basis of two others that are the same but for scale held an arbitrary column beside theirs."""
    panel = PANEL.assign(twice=2 * PANEL["x2"])
    with pytest.raises(InvalidInputError, match="twice: a linear combination"):
        null_impacts(panel, "y", ["x1", "x2", "twice"], None, "x1", draws=9)


def test_results_speak_one_protocol():
    both = two_weights_sar(PANEL, "y", X, HALF, W - HALF, "twoway")
    for result in (RESULT, both):
        table = result.table
        assert table.columns.tolist() == ["estimate", "std_error", "statistic", "p_value", "lower", "upper"]
        np.testing.assert_allclose(result.tstats, result.params / result.std_errors)
        np.testing.assert_allclose(result.conf_int(0.9)["upper"], result.params + 1.6448536 * result.std_errors)
        assert (result.n_units, result.n_periods, result.loglike) == (N, 5, result.loglik)
        assert result.df_resid == N * 5 - (N + 5 - 1) - len(result.params)
        assert {"model", "effects", "y", "x"} <= result.settings.keys()
        text = str(result.summary())
        assert text.startswith(result.title) and "Within R² 组内 R²" in text and "LR: " in text
        assert repr(result) == text and "<table" in result._repr_html_()
        impacts = result.impacts(20)
        assert "draws: 20" in impacts.summary() and len(impacts.tidy) == 6
        again = pickle.loads(pickle.dumps(result)).impacts(20)
        pd.testing.assert_frame_equal(again.table, impacts.table)
    found = lm_tests(PANEL, "y", X, W)
    assert found.tests["lm_sarma"].df == 2 and "robust_lm_lag" in found.summary()


def test_results_stand_side_by_side_in_a_regression_table():
    models = {
        model: spatial_panel(PANEL, "y", X, W, model, "twoway", "lee-yu") for model in ("sar", "sem", "sdm", "slx")
    }
    table = regression_table(models)
    rows = table.set_index(table.columns[0])
    assert rows.loc["Observations 观测数"].tolist() == ["44"] * 4
    assert rows.loc["Units 个体数"].tolist() == ["12"] * 4 and rows.loc["Periods 期数"].tolist() == ["5"] * 4
    assert rows.loc["Log-likelihood 对数似然", "sdm"] == f"{models['sdm'].loglik:.3f}"
    assert rows.loc["LR: rho = 0 似然比"].str.contains("p =").tolist() == [True, False, True, False]
    assert rows.loc["rho"].ne("").tolist() == [True, False, True, False]
    assert rows.loc["lam"].ne("").tolist() == [False, True, False, False]
    records = coefficient_records(models)
    assert records.loc[("sdm", "rho"), "estimate"] == models["sdm"].rho


def test_sparse_factors_do_not_keep_a_result_from_being_stored():
    w = nearest(200, 6)
    result = spatial_panel(simulated(w, 3, 0.4), "y", X, csr_array(w), "sdm", "entity")
    table = result.impacts(20).table
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(result)).impacts(20).table, table)

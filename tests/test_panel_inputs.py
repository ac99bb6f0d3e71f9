"""Every public function of the panel package under every kind of frame and argument: the right value or a message."""

from __future__ import annotations

import datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest
from panel_cases import made_panel

from clusterlib.core.results import Estimates, Result, Test
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.panel import (
    breusch_pagan_test,
    effects_test,
    fixed_effects,
    hausman_test,
    instrumental_variables,
    mediation,
    panel_threshold,
    pesaran_cd,
    random_effects,
)


def good(units: int = 12, periods: int = 6) -> pd.DataFrame:
    """Whole numbers and truth values among the columns, so that any kind of number can hold them."""
    data = made_panel(units, periods, 3, "yxzkq")
    data["flag"] = data["z"] > 0.2
    data["y"] += data["x"] + np.repeat(np.arange(units) % 4, periods)
    return (8 * data).round().astype({"flag": bool})


PANEL = good()
CALLS = {
    "fixed_effects": lambda d, **o: fixed_effects(d, "y", **{"x": ["x", "flag"], **o}),
    "random_effects": lambda d, **o: random_effects(d, "y", **{"x": ["x", "flag"], **o}),
    "instrumental_variables": lambda d, **o: instrumental_variables(
        d, "y", **{"x": "flag", "endogenous": "x", "instruments": ["z", "k"], **o}
    ),
    "mediation": lambda d, **o: mediation(d, "y", **{"x": "x", "mediator": "z", "controls": "flag", "draws": 12, **o}),
    "panel_threshold": lambda d, **o: panel_threshold(
        d, "y", **{"x": "x", "regime": "k", "threshold": "q", "draws": 9, **o}
    ),
    "hausman_test": lambda d, **o: hausman_test(d, "y", **{"x": ["x", "flag"], **o}),
    "classic hausman_test": lambda d, **o: hausman_test(d, "y", **{"x": ["x", "k"], "method": "classic", **o}),
    "effects_test": lambda d, **o: effects_test(d, "y", **{"x": ["x", "flag"], **o}),
    "breusch_pagan_test": lambda d, **o: breusch_pagan_test(d, "y", **{"x": ["x", "flag"], **o}),
    "pesaran_cd": lambda d: pesaran_cd(d["y"]) if isinstance(d, pd.DataFrame) else pesaran_cd(d),
}
NO_FRAME = [name for name in CALLS if name != "pesaran_cd"]


def figures(result: Result) -> np.ndarray:
    """The numbers of a result."""
    return np.ravel([result.statistic, result.p_value]) if isinstance(result, Test) else result.table.to_numpy(float)


def index_of(data: pd.DataFrame, **levels) -> pd.DataFrame:
    """The panel with other values of the levels ``unit`` or ``year``."""
    parts = {name: data.index.get_level_values(name) for name in data.index.names} | levels
    return data.set_axis(pd.MultiIndex.from_arrays(list(parts.values()), names=list(parts)))


UNIT, YEAR = (PANEL.index.get_level_values(level) for level in ("unit", "year"))
SAME = {
    "rows in another order": PANEL.sample(frac=1, random_state=4),
    "nullable": PANEL.convert_dtypes(),
    "Arrow": PANEL.convert_dtypes(dtype_backend="pyarrow"),
    "whole numbers": PANEL.astype(dict.fromkeys("yxzkq", int)),
    "single precision": PANEL.astype(dict.fromkeys("yxzkq", "float32")),
    "levels without names": PANEL.rename_axis([None, None]),
    "dates": index_of(PANEL, year=pd.to_datetime(YEAR.astype(str))),
    "periods": index_of(PANEL, year=pd.PeriodIndex(YEAR.astype(str), freq="Y")),
    "categories": index_of(PANEL, unit=pd.CategoricalIndex(UNIT.astype(str).str.zfill(2))),
    "a column twice that is not used": pd.concat([PANEL, PANEL[["q"]] * 2, PANEL[["q"]]], axis=1).pipe(
        lambda d: d.set_axis([*PANEL.columns, "spare", "spare"], axis=1)
    ),
}
REFUSED = {
    "missing unit": (index_of(PANEL, unit=UNIT.where(np.arange(len(PANEL)) != 9)), "missing unit in 1 row"),
    "missing period": (index_of(PANEL, year=YEAR.where(np.arange(len(PANEL)) != 9)), "missing period in 1 row"),
    "(year, unit)": (PANEL.swaplevel(), r"data.swaplevel\(\).sort_index\(\)"),
    "(year, unit) without names": (PANEL.swaplevel().rename_axis([None, None]), r"data.swaplevel\(\)"),
    "flat": (PANEL.reset_index(), "index of two levels"),
    "units alone": (PANEL.reset_index("year"), "index of two levels"),
    "three levels": (PANEL.assign(more=1).set_index("more", append=True), "index of two levels"),
    "labels of two kinds": (
        index_of(PANEL, unit=pd.Index([str(u) if u == 3 else u for u in UNIT], dtype=object)),
        "mixes kinds of labels",
    ),
    "rows twice": (pd.concat([PANEL, PANEL.iloc[[5]]]), r"\(0, 2005\) has more than one row"),
    "text": (PANEL.astype({"y": str}), "not numbers: (y|residual)"),
    "numbers as objects": (PANEL.astype({"y": object}), "not numbers: (y|residual)"),
    "dates for figures": (PANEL.assign(y=pd.Timestamp("2020-01-01")), "not numbers: (y|residual)"),
    "complex": (PANEL.assign(y=PANEL["y"] + 1j), "not numbers: (y|residual)"),
    "missing figure": (PANEL.assign(y=PANEL["y"].where(UNIT != 2)), r"6 missing or infinite.*\(2, 2000\)"),
    "missing nullable figure": (PANEL.convert_dtypes().assign(y=lambda d: d["y"].mask(UNIT == 2)), "6 missing"),
    "infinite figure": (PANEL.assign(y=PANEL["y"].where(YEAR != 2001, np.inf)), r"12 missing or infinite.*2001"),
    "None": (None, "got a NoneType"),
    "dict": ({"y": [1.0]}, "got a dict"),
    "array": (PANEL.to_numpy(float), "got a ndarray"),
    "list": ([1.0, 2.0], "got a list"),
}


@cache
def plain_figures(name: str) -> np.ndarray:
    return figures(CALLS[name](PANEL))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", SAME)
def test_any_kind_of_complete_frame_gives_the_same_figures(name, kind):
    np.testing.assert_allclose(figures(CALLS[name](SAME[kind])), plain_figures(name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_frame_without_an_answer_is_refused_with_what_mends_it(name, kind):
    frame, words = REFUSED[kind]
    with pytest.raises(ClusterlibError, match=words):
        CALLS[name](frame)


@pytest.mark.parametrize("name", NO_FRAME)
def test_columns_that_stand_twice_rows_that_are_none_and_unknown_names_are_refused(name):
    with pytest.raises(InvalidInputError, match="stands in the data more than once"):
        CALLS[name](pd.concat([PANEL, PANEL["y"]], axis=1))
    with pytest.raises(ClusterlibError, match="no rows"):
        CALLS[name](PANEL.iloc[:0])
    with pytest.raises(ClusterlibError, match="unknown column 'x'"):
        CALLS[name](PANEL.drop(columns="x"))


WRONG_NAMES = [None, 3, 2.5, {"x": 1}, PANEL["x"], PANEL[["x"]], datetime.date(2020, 1, 1), [None], [PANEL["x"]], b"x"]
NAMES = {
    "fixed_effects": ["x"],
    "random_effects": ["x"],
    "instrumental_variables": ["x", "endogenous", "instruments"],
    "mediation": ["x", "mediator", "controls"],
    "panel_threshold": ["x", "regime", "threshold"],
    "hausman_test": ["x"],
    "effects_test": ["x"],
    "breusch_pagan_test": ["x"],
}
WRONG_OPTIONS = {
    "effects": [None, 1, "both", ["entity"], {"entity": 1}],
    "cov": [None, True, "hac", ["cluster"], PANEL["x"]],
    "cluster": [None, 3, "province", ["a"] * 12, PANEL, pd.Series(1, range(12)), pd.Series([1, 2]), {0: 1}],
    "small_sample": [None, 1, "stata", []],
    "bandwidth": ["2", 1.5, -1, True, [1]],
    "method": [None, "gmm", 2],
    "time_effects": [None, "no", 1, PANEL["x"]],
    "strict": [None, "no", 1],
    "draws": [None, -1, 2.5, "99", True],
    "seed": [None, -1, 1.5, "0", True, [1]],
    "level": [None, 95, 0, 1, "0.95", True, 0.0],
    "thresholds": [None, 0, 4, 1.5, "1"],
    "trim": [None, 0, 0.5, "0.1", -1],
    "grid": [None, 1, 10.5, "400"],
}
OPTIONS = {
    "fixed_effects": ["effects", "cov", "cluster", "small_sample", "bandwidth"],
    "random_effects": ["time_effects"],
    "instrumental_variables": ["effects", "cov", "cluster", "small_sample", "bandwidth", "method"],
    "mediation": ["effects", "cov", "small_sample", "draws", "seed", "level"],
    "panel_threshold": ["effects", "thresholds", "trim", "grid", "draws", "seed", "strict", "level"],
    "hausman_test": ["method", "time_effects", "cov", "cluster", "small_sample"],
    "effects_test": ["effects"],
}


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in NAMES for option in NAMES[name]])
def test_what_is_no_name_of_a_column_is_refused(name, option):
    for wrong in WRONG_NAMES:
        with pytest.raises(ClusterlibError):
            CALLS[name](PANEL, **{option: wrong})


@pytest.mark.parametrize("wrong", WRONG_NAMES, ids=lambda w: type(w).__name__)
def test_a_dependent_variable_that_is_no_name_is_refused(wrong):
    for function, arguments in (
        (fixed_effects, ("x",)),
        (random_effects, ("x",)),
        (instrumental_variables, ("z", "x", "k")),
        (mediation, ("x", "z")),
        (panel_threshold, ("x", "k", "q")),
        (hausman_test, ("x",)),
        (effects_test, ("x",)),
        (breusch_pagan_test, ("x",)),
    ):
        with pytest.raises(ClusterlibError):
            function(PANEL, wrong, *arguments)


@pytest.mark.parametrize(("name", "option"), [(name, option) for name in OPTIONS for option in OPTIONS[name]])
def test_an_option_of_a_wrong_kind_is_refused(name, option):
    for wrong in WRONG_OPTIONS[option]:
        with pytest.raises(ClusterlibError):
            CALLS[name](PANEL, **{option: wrong})


PLACES = pd.DataFrame({"lon": np.linspace(100, 120, 12), "lat": np.linspace(22, 40, 12)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"places": PLACES.rename(columns={"lon": "lat", "lat": "lon"})}, "longitude and latitude look swapped"),
        ({"places": PLACES.to_dict()}, "got a dict"),
        ({"places": PLACES.to_numpy()}, "got a ndarray"),
        ({"places": pd.concat([PLACES, PLACES.iloc[[2]] + 1])}, "places: 2 has more than one row"),
        ({"places": PLACES.iloc[1:]}, "no place for 0"),
        ({"places": PLACES.set_index("lon", append=True)}, "no place"),
        ({"places": PLACES.assign(lon=PLACES["lon"].where(PLACES.index != 3))}, "3 is at longitude nan"),
        ({"places": PLACES.astype({"lat": str})}, "not numbers: lat"),
        ({"places": PLACES.convert_dtypes().assign(lat=lambda d: d["lat"].mask(d.index == 4))}, "4 is at"),
        ({"cutoff": "500"}, "positive number of km"),
        ({"cutoff": None}, "cutoff= in km"),
        ({"cutoff": np.inf}, "positive number of km"),
        ({"kernel": None}, "kernel"),
    ],
)
@pytest.mark.parametrize("name", ["fixed_effects", "instrumental_variables"])
def test_conleys_errors_without_places_or_a_cutoff_are_refused(name, options, words):
    with pytest.raises(ClusterlibError, match=words):
        CALLS[name](PANEL, **{"cov": "conley", "places": PLACES, "cutoff": 500, **options})


def test_places_of_any_kind_of_number_give_the_same_errors():
    errors = [
        fixed_effects(PANEL, "y", "x", cov="conley", places=places, cutoff=900).std_errors
        for places in (PLACES, PLACES.convert_dtypes(dtype_backend="pyarrow"), PLACES.iloc[::-1])
    ]
    for other in errors[1:]:
        np.testing.assert_allclose(other, errors[0], rtol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_names_may_come_from_any_iterable_and_are_used_once(name):
    if name in ("mediation", "pesaran_cd"):
        return
    listed = ["x", "k"] if name not in ("instrumental_variables", "panel_threshold") else ["flag"]
    np.testing.assert_allclose(
        figures(CALLS[name](PANEL, x=iter(listed))), figures(CALLS[name](PANEL, x=tuple(listed))), rtol=1e-12
    )


@pytest.mark.parametrize("factor", [1e-10, 1e10])
@pytest.mark.parametrize("name", NO_FRAME)
def test_what_variables_are_measured_in_does_not_matter(name, factor):
    """Random effects and Hausman's classic test once lost variables that are small beside the others."""
    scaled = PANEL.assign(x=PANEL["x"] * factor, k=PANEL["k"] / factor, z=PANEL["z"] * factor)
    base, other = CALLS[name](PANEL), CALLS[name](scaled)
    for column in ("statistic", "p_value"):
        if isinstance(base, Test):
            np.testing.assert_allclose(getattr(other, column), getattr(base, column), rtol=1e-6)
        else:
            np.testing.assert_allclose(other.table[column], base.table[column], rtol=1e-6)
    if name == "random_effects":
        for part in ("sigma2_entity", "sigma2_idiosyncratic", "theta"):
            assert other.statistics[part] == pytest.approx(base.statistics[part], rel=1e-9)


EXACT = PANEL.assign(y=2 * PANEL["x"], own=np.repeat(np.arange(12) % 5, 6) * 0.1)


@pytest.mark.parametrize("name", ["random_effects", "hausman_test", "classic hausman_test", "effects_test"])
def test_without_errors_there_is_nothing_to_estimate_a_variance_from(name):
    with pytest.raises(InvalidInputError, match="account for all of y but for rounding"):
        CALLS[name](EXACT, x="x")


def test_without_errors_there_is_nothing_to_test():
    with pytest.raises(InvalidInputError, match="account for all of y but for rounding"):
        breusch_pagan_test(EXACT, "y", "x")
    with pytest.raises(InvalidInputError, match="account for all of y but for rounding"):
        panel_threshold(EXACT, "y", "x", "k", "q")
    with pytest.raises(InvalidInputError, match="own does not vary within units"):
        panel_threshold(EXACT, "own", "x", "k", "q")


def test_hausmans_test_of_no_variable_is_refused():
    for method in ("auxiliary", "classic"):
        with pytest.raises(InvalidInputError, match="at least one variable"):
            hausman_test(PANEL, "y", [], method=method)


def test_a_threshold_without_errors_is_found_exactly():
    cut = np.median(PANEL["q"])
    exact = PANEL.assign(y=PANEL["k"] * np.where(PANEL["q"] < cut, 1.0, 3.0))
    result = panel_threshold(exact, "y", "x", "k", "q", draws=19)
    assert result.thresholds.loc[1, ["estimate", "lower", "upper"]].tolist() == [cut] * 3
    assert result.threshold_tests.loc[1, "p_value"] == 0.05
    np.testing.assert_allclose(result.params, [0, 1, 3], atol=1e-10)


def test_values_of_the_threshold_variable_that_are_the_same_but_for_rounding_are_one_candidate():
    tenths = PANEL.assign(q=(PANEL["q"] / 10).round(1))
    noisy = tenths.assign(q=tenths["q"] * np.where(YEAR % 2, 1 + 2e-16, 1 - 2e-16))
    assert noisy["q"].nunique() > tenths["q"].nunique()
    base, other = (panel_threshold(d, "y", "x", "k", "q", draws=0) for d in (tenths, noisy))
    np.testing.assert_allclose(other.profile["likelihood_ratio"], base.profile["likelihood_ratio"], rtol=1e-9)


def test_a_unit_that_varies_by_rounding_alone_counts_in_no_pair_of_pesarans_test():
    residuals = made_panel(8, 6, 1)["y"]
    level = np.where(residuals.index.get_level_values(1) % 2, 0.1 + 0.2, 0.3)
    rounding = residuals.where(residuals.index.get_level_values(0) != 3, level)
    wanted = pesaran_cd(rounding.drop(3, level=0))
    assert pesaran_cd(rounding).statistic == pytest.approx(wanted.statistic, rel=1e-12)
    assert pesaran_cd(rounding).settings["mean_correlation"] == pytest.approx(wanted.settings["mean_correlation"])


@pytest.mark.parametrize("name", CALLS)
def test_every_result_speaks_the_one_protocol(name):
    result = CALLS[name](PANEL)
    assert isinstance(result, Test if name.endswith(("test", "cd")) else Estimates)
    assert result.title in result.summary()
    assert result.title in result._repr_html_()
    if isinstance(result, Test):
        assert result.distribution in ("chi2", "F", "normal")
        return
    assert (result.nobs, result.n_units, result.n_periods) == (72, 12, 6)
    assert (result.observations, result.entities, result.periods, result.df_residual) == (72, 12, 6, result.df_resid)
    assert {"estimate", "std_error", "statistic", "p_value", "lower", "upper"} <= set(result.table.columns)
    np.testing.assert_allclose(result.std_errors, result.table["std_error"], rtol=1e-12)
    np.testing.assert_allclose(result.tstats, result.params / result.std_errors, rtol=1e-12)
    np.testing.assert_allclose(result.conf_int(), result.table[["lower", "upper"]], rtol=1e-12)
    assert (result.conf_int(0.5)["upper"] <= result.conf_int(0.9)["upper"]).all()
    assert result.covariance.index.equals(result.params.index)
    assert all(isinstance(test, Test) for test in result.tests.values())
    with pytest.raises(InvalidInputError, match=r"0\.95"):
        result.conf_int(95)

"""Every kind of frame and argument at frontiers, envelopment and specification curves: the right value or a refusal."""

from __future__ import annotations

import datetime
from functools import cache

import numpy as np
import pandas as pd
import pytest

from clusterlib.core.results import Result
from clusterlib.efficiency import data_envelopment, stochastic_frontier
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.specification_curve import specification_curve

RANDOM = np.random.default_rng(0)
INDEX = pd.MultiIndex.from_product([range(110000, 130000, 1000), [2019, 2020, 2021]], names=["adcode", "year"])
DATA = pd.DataFrame({"staff": RANDOM.integers(10, 99, 60), "ports": RANDOM.integers(10, 99, 60)}, INDEX).astype(float)
DATA["sales"] = (DATA["staff"] * DATA["ports"] * RANDOM.uniform(0.3, 1, 60)).round()
# Inefficiency that frontiers can see: the shares of what could be sold are skewed.
DATA["sales"] = (DATA["sales"] * np.exp(-np.abs(RANDOM.normal(scale=0.5, size=20)).repeat(3))).round() + 1
CALLS = {
    "envelopment": lambda q: data_envelopment(q[["staff", "ports"]], q[["sales"]], groups="year").table,
    "bootstrap": lambda q: data_envelopment(q[["staff"]], q[["sales"]], bootstrap=5).table,
    "one group a row": lambda q: (
        data_envelopment(q[["staff"]], q[["sales"]], groups=pd.Series(q.index.get_level_values("year"), q.index)).table
    ),
    "independent": lambda q: stochastic_frontier(q, "sales", ["staff", "ports"]).table,
    "invariant": lambda q: stochastic_frontier(q, "sales", ["staff", "ports"], inefficiency="invariant").table,
}
SAME = {
    "nullable": DATA.astype("Float64"),
    "arrow": DATA.astype("double[pyarrow]"),
    "whole": DATA.astype(int),
    "nullable whole": DATA.astype("Int64"),
    "wider": DATA.assign(name="x", also=np.nan),
}
FLAT = DATA.reset_index(drop=True)


def with_labels(level: int, label: object) -> pd.DataFrame:
    arrays = [INDEX.get_level_values(place).astype(object) for place in (0, 1)]
    arrays[level] = [label, *arrays[level][1:]]
    return DATA.set_axis(pd.MultiIndex.from_arrays(arrays, names=INDEX.names))


REFUSED = {
    "a missing unit": with_labels(0, np.nan),
    "a missing year": with_labels(1, None),
    "years that are partly text": with_labels(1, "2019"),
    "year before unit": DATA.swaplevel(),
    "a row twice": pd.concat([DATA, DATA.iloc[:1]]),
    "a column twice": pd.concat([DATA, DATA[["staff"]]], axis=1),
    "a missing value": DATA.astype("Float64").where(DATA["staff"] > 20),
    "an infinite value": DATA.assign(staff=DATA["staff"].where(DATA["staff"] > 20, np.inf)),
    "text": DATA.assign(staff=DATA["staff"].astype(str)),
    "objects": DATA.astype(object),
    "complex": DATA + 1j,
    "no row": DATA.iloc[:0],
}


def figures(table: pd.DataFrame) -> np.ndarray:
    return np.asarray(table.to_numpy(), float)


@cache
def plain_figures(name: str) -> np.ndarray:
    return figures(CALLS[name](DATA))


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", CALLS)
def test_numbers_of_every_kind_give_the_same(name, kind):
    np.testing.assert_allclose(figures(CALLS[name](SAME[kind])), plain_figures(name), rtol=1e-12)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", CALLS)
def test_frames_that_cannot_be_are_refused(name, kind):
    with pytest.raises(ClusterlibError):
        CALLS[name](REFUSED[kind])


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_label_is_refused_by_its_place_and_swapped_levels_by_the_call_that_mends_them(name):
    with pytest.raises(InvalidInputError, match=r"the index has a missing unit in 1 row.*row 0"):
        CALLS[name](REFUSED["a missing unit"])
    with pytest.raises(InvalidInputError, match=r"swaplevel\(\)"):
        CALLS[name](REFUSED["year before unit"])


def test_flat_frames_of_units_are_measured_and_their_labels_checked():
    order = DATA.to_numpy()
    assert stochastic_frontier(FLAT, "sales", "staff").params.equals(stochastic_frontier(DATA, "sales", "staff").params)
    both = (data_envelopment(q[["staff"]], q[["sales"]]).table["efficiency"].to_numpy() for q in (FLAT, DATA))
    np.testing.assert_allclose(*both)
    lost = FLAT.set_axis([None, *map(str, range(1, len(order)))])
    for call in (
        lambda: stochastic_frontier(lost, "sales", "staff"),
        lambda: data_envelopment(lost[["staff"]], lost[["sales"]]),
    ):
        with pytest.raises(InvalidInputError, match="missing unit in row 0"):
            call()
    with pytest.raises(InvalidInputError, match=r"set_index\(\['adcode', 'year'\]\)"):
        stochastic_frontier(DATA.reset_index(), "sales", "staff", inefficiency="invariant")


def test_groups_may_be_labels_by_unit():
    halves = pd.Series(["a", "b"] * 10, index=INDEX.unique(0))
    by_unit = data_envelopment(DATA[["staff"]], DATA[["sales"]], groups=halves).table
    for half in "ab":
        part = DATA[INDEX.get_level_values(0).isin(halves.index[halves == half])]
        alone = data_envelopment(part[["staff"]], part[["sales"]]).table
        pd.testing.assert_frame_equal(by_unit.loc[part.index], alone)


def test_draws_of_the_bootstrap_stand_by_unit_and_give_the_correction():
    result = data_envelopment(DATA[["staff"]], DATA[["sales"]], groups="year", bootstrap=30, level=0.8)
    assert result.simulated.columns.equals(DATA.index) and len(result.simulated) == 30
    distance = 1 / result.table["efficiency"]
    np.testing.assert_allclose(1 / (2 * distance - result.simulated.mean()), result.table["corrected"])
    assert data_envelopment(DATA[["staff"]], DATA[["sales"]]).simulated is None


def test_with_constant_returns_both_orientations_have_the_same_draws():
    given = {"bootstrap": 10, "seed": 3, "returns": "constant"}
    one, other = (
        data_envelopment(DATA[["staff", "ports"]], DATA[["sales"]], orientation=orientation, **given).simulated
        for orientation in ("input", "output")
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


IN, OUT = DATA[["staff", "ports"]], DATA[["sales"]]
FRAMES = [None, 3, "staff", DATA["staff"], DATA.to_numpy(), {"staff": [1.0]}, datetime.date(2020, 1, 1)]
NAMES = [None, 3, 2.5, ["staff", 2.5], {"staff": 1}, DATA["staff"], "staf", [datetime.date(2020, 1, 1)], object()]
CHOICES = [None, 3, ["constant"], "constent", True, object()]
LEVELS = [None, "0.95", 95, 0, 1, -0.5, True, np.nan, [0.95]]
ARGUMENTS = {
    "inputs": (lambda v: data_envelopment(v, OUT), FRAMES),
    "outputs": (lambda v: data_envelopment(IN, v), FRAMES),
    "returns": (lambda v: data_envelopment(IN, OUT, returns=v), CHOICES),
    "orientation": (lambda v: data_envelopment(IN, OUT, orientation=v), CHOICES),
    "smoothing": (lambda v: data_envelopment(IN, OUT, smoothing=v), CHOICES),
    "groups": (
        lambda v: data_envelopment(IN, OUT, groups=v),
        [3, "yeer", ["year"], INDEX, pd.Series(1, INDEX[1:]), pd.Series(1, ["a"]), pd.Series(np.nan, INDEX), object()],
    ),
    "bootstrap": (lambda v: data_envelopment(IN, OUT, bootstrap=v), [None, -1, 2.5, "9", True, np.nan, [9]]),
    "seed": (lambda v: data_envelopment(IN, OUT, bootstrap=2, seed=v), [None, -1, 2.5, "9", True, np.nan, [9]]),
    "level": (lambda v: data_envelopment(IN, OUT, bootstrap=2, level=v), LEVELS),
    "data": (lambda v: stochastic_frontier(v, "sales", "staff"), FRAMES),
    "y": (lambda v: stochastic_frontier(DATA, v, "staff"), [*NAMES, ["sales", "ports"], "staff"]),
    "x": (lambda v: stochastic_frontier(DATA, "sales", v), [*NAMES, "sales"]),
    "inefficiency": (lambda v: stochastic_frontier(DATA, "sales", "staff", inefficiency=v), [*CHOICES, "decay"]),
    "frontier level": (lambda v: stochastic_frontier(DATA, "sales", "staff", level=v), LEVELS),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_cannot_be_are_refused(name):
    call, values = ARGUMENTS[name]
    for value in values:
        with pytest.raises(ClusterlibError):
            call(value)
            pytest.fail(f"{name}={value!r} was taken")


@pytest.mark.parametrize(
    "result",
    [data_envelopment(IN, OUT, bootstrap=3), stochastic_frontier(DATA, "sales", "staff")],
    ids=lambda result: type(result).__name__,
)
def test_results_show_their_table_as_text_and_as_a_page(result):
    assert isinstance(result, Result) and isinstance(result.table, pd.DataFrame)
    assert result.summary().startswith(result.title) and str(result.table.columns[0]) in result.summary()
    assert result.title in result._repr_html_() and repr(result) == result.summary()


# Specification curves


def fields(**changed):
    return {"estimate": 1.0, "std_error": 1.0, "p_value": 0.5, "lower": -1.0, "upper": 3.0} | changed


GRID = {"option": ["a", "b"]}


@pytest.mark.parametrize(
    "found",
    [
        pd.Series(fields()),
        pd.Series(fields(), dtype="Float64"),
        pd.DataFrame([fields()], index=["estimate"]),
        pd.DataFrame([fields()], index=["estimate"]).astype("double[pyarrow]"),
        fields(estimate=1),
    ],
)
def test_an_estimator_may_give_a_mapping_a_series_or_a_frame_of_any_kind_of_number(found):
    table = specification_curve(lambda option: found, GRID).table
    assert table["estimate"].tolist() == [1, 1] and table["upper"].tolist() == [3, 3]


@pytest.mark.parametrize(
    "found",
    [
        3.0,
        "estimate",
        [1.0, 1, 1, 1, 1],
        fields(estimate="1"),
        fields(estimate=None),
        fields(estimate=np.inf),
        fields(p_value=1.5),
        fields(p_value=-0.1),
        pd.DataFrame([fields(), fields()], index=["x", "x"]),
        datetime.date(2020, 1, 1),
    ],
)
def test_what_an_estimator_cannot_have_meant_is_refused_by_specification(found):
    with pytest.raises(InvalidInputError, match="specification option=a: "):
        specification_curve(lambda option: found, GRID)


@pytest.mark.parametrize("drawn", [None, "x", 1.0, [["a"]], [1.0, np.nan], np.ones((2, 2)), {"a": 1}])
def test_draws_that_are_none_are_refused_by_specification(drawn):
    with pytest.raises(InvalidInputError, match="specification option=a: null="):
        specification_curve(lambda option: fields(), GRID, null=lambda option: drawn)


def test_estimates_that_tie_with_draws_but_for_rounding_tie():
    curve = specification_curve(
        lambda option: fields(estimate=0.1 + 0.2), GRID, null=lambda option: np.array([0.3, 0.1, -0.3])
    )
    assert curve.table["p_null"].tolist() == [0.75, 0.75]
    assert curve.joint_test().loc[("estimate", "median"), "p_value"] == 0.75


@pytest.mark.parametrize(
    ("estimate", "choices", "options"),
    [
        (None, GRID, {}),
        ("estimate", GRID, {}),
        (fields, None, {}),
        (fields, ["option"], {}),
        (fields, {"option": 3}, {}),
        (fields, {"option": [["a"]]}, {}),
        (fields, {3: ["a"]}, {}),
        (lambda option: fields(), GRID, {"null": 3}),
        *((lambda option: fields(), GRID, {"alpha": value}) for value in LEVELS),
    ],
)
def test_grids_that_cannot_be_are_refused(estimate, choices, options):
    with pytest.raises(ClusterlibError):
        specification_curve(estimate, choices, **options)


def test_methods_of_a_curve_refuse_what_they_do_not_know():
    curve = specification_curve(lambda option: fields(), {"option": "ab"}, null=lambda option: np.arange(3.0))
    assert curve.choices == {"option": ("ab",)}
    for value in (None, 3, "direct", ["estimate"], object()):
        for call in (curve.of, curve.null_band, curve.shares):
            with pytest.raises(ClusterlibError):
                call(value)
    for value in LEVELS:
        with pytest.raises(ClusterlibError):
            curve.null_band("estimate", value)
    assert isinstance(curve, Result) and "share_positive" in curve.summary() and "alpha: 0.05" in curve.summary()

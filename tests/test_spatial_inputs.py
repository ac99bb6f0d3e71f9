"""Whatever kind of argument a spatial function is given, it has the right value or is refused by name."""

from __future__ import annotations

import datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from clusterlib import spatial, weights
from clusterlib.core.places import ALBERS
from clusterlib.errors import ClusterlibError

UNITS = list("abcdefgh")
YEARS = [2018, 2019, 2020]
RANDOM = np.random.default_rng(1)
PANEL = pd.DataFrame(
    RANDOM.integers(1, 9, (24, 2)).astype(float) + 0.5,
    pd.MultiIndex.from_product([UNITS, YEARS], names=["unit", "year"]),
    ["x", "z"],
)
FLAT = PANEL.xs(2019, level="year")
Y = FLAT["x"]
W = pd.DataFrame(np.diag(np.ones(7), 1) + np.diag(np.ones(7), -1), UNITS, UNITS)
DEGREES = gpd.GeoDataFrame(
    geometry=[box(100 + i % 4, 30 + i // 4, 101 + i % 4, 31 + i // 4) for i in range(8)], index=UNITS, crs=4326
)
PLANE = DEGREES.to_crs(ALBERS)
DISTANCE = weights.great_circle_distances(DEGREES)
TEST = {"permutations": 19, "seed": 0, "alternative": "greater"}

CALLS = {
    "global_moran": {"y": Y, "w": W, **TEST, "assumption": "normality", "row_standardise": True},
    "local_moran": {"y": Y, "w": W, **TEST, "fdr": True, "alpha": 0.1, "null": "total", "row_standardise": False},
    "getis_ord": {"y": Y, "w": W, **TEST, "star": False, "binary": False, "fdr": False, "alpha": 0.1},
    "moran_scatter": {"y": Y, "w": W},
    "moran_over_time": {"data": PANEL, "value": "x", "w": W, **TEST, "assumption": "normality"},
    "spatial_markov": {"data": PANEL, "value": "x", "w": W, "k": 2, "fixed": True},
    "mean_centre": {"places": PLANE, "weights": PANEL["x"]},
    "deviational_ellipse": {"places": PLANE, "weights": Y, "convention": "yuill"},
    "gravity_network": {
        "data": FLAT, "distance": DISTANCE, "mass": ["x"], "method": "basic", "economic": "z", "exponent": 1.5,
        "threshold": "none", "top_share": 0.2,
    },
    "qap_regression": {
        "y_matrix": DISTANCE, "x_matrices": {"near": W}, "permutations": 19, "seed": 0, "method": "y-permutation"
    },
    "contiguity": {"boundaries": DEGREES, "islands": "keep", "criterion": "rook", "transformation": "b"},
    "island_links": {"boundaries": DEGREES, "criterion": "rook"},
    "great_circle_distances": {"boundaries": DEGREES, "points": "representative"},
    "k_nearest": {"boundaries": DEGREES, "k": 1, "points": "centroid", "transformation": "b"},
    "inverse_distance": {
        "boundaries": DEGREES, "power": 2, "threshold": 500, "points": "centroid", "transformation": "o"
    },
    "economic_distance": {"values": PANEL["x"], "power": 2, "transformation": "o"},
    "nested": {"geography": W, "economy": W, "transformation": "o"},
    "within_and_across": {"graph": W, "groups": pd.Series(list("ppppqqqq"), UNITS), "standardise": "each"},
}  # fmt: skip
OPTIONAL = {"threshold", "economic", "weights"}
JUNK = [
    None,
    "nonsense",
    b"x",
    {},
    {"a": 1},
    [],
    [1, 2],
    (1,),
    {"a"},
    np.nan,
    np.eye(3),
    datetime.date(2020, 1, 1),
    pd.Timestamp("2020"),
    object(),
    1 + 2j,
    range(3),
    -1,
    pd.Series(dtype=float),
    pd.DataFrame(),
    pd.Index([1]),
]
NUMBERS = {
    **{name: [0, -1, 1.5, True, "5", np.inf] for name in ("permutations", "k")},
    "seed": [-1, 1.5, True, "5", np.nan],
    **{name: [0, -1, True, "5", np.nan, np.inf] for name in ("power", "threshold", "exponent")},
    **{name: [0, 1, 5, True, "5%", np.nan] for name in ("alpha", "top_share")},
}


def call(name: str, **changed) -> pd.DataFrame:
    """Return what the function found as one frame, units in their order."""
    function = getattr(spatial if hasattr(spatial, name) else weights, name)
    found = function(**{**CALLS[name], **changed})
    found = found[0] if isinstance(found, tuple) else found
    if hasattr(found, "sparse"):
        found = pd.DataFrame(found.sparse.toarray(), list(found.unique_ids), list(found.unique_ids))
    table = found if isinstance(found, pd.DataFrame) else found.table
    table = table.sort_index(axis=1) if set(table.columns) == set(UNITS) else table
    return table.loc[UNITS] if set(table.index) == set(UNITS) else table


def arguments(*names: str) -> list[tuple[str, str]]:
    return [(function, name) for function, given in CALLS.items() for name in given if not names or name in names]


def nameless(index: pd.Index) -> pd.Index:
    labels = list(index)
    labels[1] = np.nan if index.nlevels == 1 else (np.nan, labels[1][1])
    return pd.Index(labels, dtype=object) if index.nlevels == 1 else pd.MultiIndex.from_tuples(labels)


@pytest.mark.parametrize(("function", "name"), arguments())
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_such_argument_is_refused_by_an_error_of_ours(function, name):
    for value in [*JUNK, *NUMBERS.get(name, [])]:
        if value is None and name in OPTIONAL:
            continue
        with pytest.raises(ClusterlibError):
            call(function, **{name: value})


@pytest.mark.parametrize(("function", "name"), arguments("y", "data", "weights", "values"))
@pytest.mark.filterwarnings("ignore")
def test_values_of_every_kind_and_order_have_the_same_result(function, name):
    right, given = call(function), CALLS[function][name]
    same = [given.astype("Float64"), given.astype("double[pyarrow]"), given.iloc[::-1]]
    same += [given.to_frame()] if isinstance(given, pd.Series) else [given.sample(frac=1, random_state=1)]
    for value in same:
        found = call(function, **{name: value})
        # Permutations are of values in the order in which they are given.
        columns = [
            c for c in found.columns if c not in ("p_sim", "p_adjusted", "cluster", "cluster_zh", "spot", "spot_zh")
        ]
        pd.testing.assert_frame_equal(found[columns], right[columns], check_names=False)


@pytest.mark.parametrize(("function", "name"), arguments("y", "data", "weights", "values"))
@pytest.mark.filterwarnings("ignore")
def test_values_that_are_missing_doubled_or_no_numbers_are_refused(function, name):
    given = CALLS[function][name]
    wrong = [
        given.set_axis(nameless(given.index)),
        pd.concat([given, given]),
        given.astype(str),
        given.astype(object),
        given.astype(complex),
        given.where(given != given.iloc[2], np.inf),
        pd.concat([given, given], axis=1),
    ]
    if function != "moran_over_time":
        wrong.append(given.where(given != given.iloc[2]))
    wrong += (
        [given.reset_index(), given.swaplevel(), given.unstack()]
        if given.index.nlevels == 2
        else [pd.concat({2020: given})]
    )
    if given.index.nlevels == 1:
        wrong.append(given.set_axis(pd.Index([*UNITS[:-1], 7], dtype=object)))
    for value in wrong:
        with pytest.raises(ClusterlibError):
            call(function, **{name: value})


@pytest.mark.parametrize(("function", "name"), arguments("w", "geography", "economy", "graph"))
@pytest.mark.filterwarnings("ignore")
def test_weights_have_the_same_result_in_any_order_or_are_refused(function, name):
    right = call(function)
    for value in (W.iloc[::-1], W.iloc[:, ::-1], W.astype("Float64"), W.astype(int)):
        pd.testing.assert_frame_equal(call(function, **{name: value}), right, check_names=False)
    relabelled = W.set_axis(nameless(W.index)).set_axis(nameless(W.index), axis=1)
    wrong = [
        -W,
        W * np.nan,
        W + np.eye(8),
        W + 1j,
        W.to_numpy() + 1j,
        W.replace(1, "x"),
        W.iloc[1:],
        relabelled,
        W * 0,
        pd.concat([W, W]),
        W.to_numpy()[None],
        W.to_numpy()[1:],
    ]
    for value in wrong if name == "graph" else [*wrong, W.iloc[1:, 1:]]:
        with pytest.raises(ClusterlibError):
            call(function, **{name: value})


@pytest.mark.parametrize(("function", "name"), arguments("distance", "y_matrix"))
def test_networks_have_the_same_result_in_any_order_or_are_refused(function, name):
    right = call(function)
    for value in (DISTANCE.iloc[:, ::-1], DISTANCE.astype("Float64")):
        pd.testing.assert_frame_equal(call(function, **{name: value}), right)
    relabelled = DISTANCE.set_axis(nameless(DISTANCE.index)).set_axis(nameless(DISTANCE.index), axis=1)
    for value in (DISTANCE * np.nan, DISTANCE + 1j, DISTANCE.replace(0, "x"), DISTANCE.iloc[1:], relabelled,
                  pd.concat([DISTANCE] * 2), PANEL, DISTANCE.iloc[:0, :0]):  # fmt: skip
        with pytest.raises(ClusterlibError):
            call(function, **{name: value})


@pytest.mark.parametrize(("function", "name"), arguments("boundaries", "places"))
@pytest.mark.filterwarnings("ignore")
def test_places_have_the_same_result_in_any_order_or_are_refused(function, name):
    right, given = call(function), CALLS[function][name]
    for value in (given.iloc[::-1], given.geometry):
        pd.testing.assert_frame_equal(call(function, **{name: value}), right, check_names=False)
    wrong = [
        given.set_crs(None, allow_override=True),
        given.set_axis(nameless(given.index)),
        pd.concat([given] * 2),
        given.set_axis(pd.MultiIndex.from_product([UNITS, [2020]])),
        given.iloc[:0],
        pd.DataFrame(given),
        given.set_geometry([None, *given.geometry[1:]], crs=given.crs),
        DEGREES if name == "places" else PLANE,
    ]
    for value in wrong:
        with pytest.raises(ClusterlibError):
            call(function, **{name: value})

"""Spatial weights: known neighbours, islands, distances against plain formulas, and what standardising must keep."""

from __future__ import annotations

import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box

from clusterlib.data import load_boundaries, load_panel
from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.weights import (
    contiguity,
    economic_distance,
    great_circle_distances,
    inverse_distance,
    island_links,
    k_nearest,
    nested,
    within_and_across,
)

OUTSIDE_THE_PANEL = [710000, 810000, 820000]


@pytest.fixture(scope="module")
def provinces() -> gpd.GeoDataFrame:
    return load_boundaries("province").drop(OUTSIDE_THE_PANEL)


@pytest.fixture(scope="module")
def cities() -> gpd.GeoDataFrame:
    boundaries = load_boundaries("city")
    return boundaries.loc[boundaries.index.intersection(load_panel("city", ["gdp"]).index.unique(0))]


def units(**geometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(index=list(geometry), geometry=list(geometry.values()), crs="EPSG:4326")


GRID = units(
    a=box(100, 30, 101, 31), b=box(101, 30, 102, 31), c=box(100, 31, 101, 32), d=box(101, 31, 102, 32)
)  # fmt: skip
POINTS = units(beijing=Point(116.4074, 39.9042), shanghai=Point(121.4737, 31.2304), shenzhen=Point(114.0579, 22.5431))


def haversine(one: Point, other: Point) -> float:
    """The law of haversines in plain numbers."""
    (x, y), (u, v) = ([math.radians(p.x), math.radians(p.y)] for p in (one, other))
    h = math.sin((v - y) / 2) ** 2 + math.cos(y) * math.cos(v) * math.sin((u - x) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(h))


def dense(graph) -> pd.DataFrame:
    return pd.DataFrame(graph.sparse.toarray(), index=graph.unique_ids, columns=graph.unique_ids)


def neighbours(graph, unit) -> set:
    return set(graph[unit].index)


def test_the_31_provinces_have_one_island_hainan_which_is_linked_with_guangdong_both_ways(provinces):
    assert len(provinces) == 31
    assert contiguity(provinces, "keep").isolates.tolist() == [460000]
    links = island_links(provinces)
    assert links[["island", "neighbour"]].to_numpy().tolist() == [[460000, 440000]]
    # The Qiongzhou Strait is 18 to 20 km wide where it is narrowest.
    assert 17 < links.loc[0, "distance_km"] < 21
    graph = contiguity(provinces, transformation="b")
    assert neighbours(graph, 460000) == {440000}
    assert neighbours(graph, 440000) == {350000, 360000, 430000, 450000, 460000}
    assert graph.n_components == 1


def test_contiguity_of_provinces_equals_what_touches_what_in_plain_loops(provinces):
    matrix = dense(contiguity(provinces, "keep", transformation="b"))
    some = provinces.loc[[110000, 120000, 130000, 310000, 320000, 330000, 340000, 540000, 650000]]
    for unit, polygon in some.geometry.items():
        assert matrix.loc[unit, some.index].to_dict() == {u: int(polygon.touches(p)) for u, p in some.geometry.items()}
    assert neighbours(contiguity(provinces), 110000) == {120000, 130000}
    assert (matrix == matrix.T).all(axis=None)


def test_islands_among_the_cities_go_to_the_city_across_the_water(cities):
    linked = island_links(cities).set_index("island_name")["neighbour_name"]
    assert linked["舟山市"] == "宁波市"
    assert linked["海口市"] == "湛江市"
    graph = contiguity(cities, transformation="b")
    assert len(graph.isolates) == 0
    assert (graph.sparse != graph.sparse.T).nnz == 0


def test_an_island_at_the_same_distance_from_two_units_is_linked_with_both():
    trio = units(left=box(100, -1, 101, 1), island=box(102, -1, 103, 1), right=box(104, -1, 105, 1))
    assert set(island_links(trio).loc[lambda t: t["island"] == "island", "neighbour"]) == {"left", "right"}
    matrix = dense(contiguity(trio, transformation="b"))
    assert matrix.loc["island"].tolist() == [1, 0, 1]
    assert matrix.loc["left"].tolist() == [0, 1, 0]


def test_units_without_neighbours_are_refused_by_name_or_kept_with_a_row_of_zeros(provinces):
    with pytest.raises(InvalidInputError, match=r"海南省 \(460000\): use islands='nearest'"):
        contiguity(provinces, "raise")
    assert dense(contiguity(provinces, "keep")).loc[460000].sum() == 0
    assert contiguity(GRID, "raise").n == 4


def test_a_common_corner_counts_for_the_queen_and_not_for_the_rook():
    assert neighbours(contiguity(GRID), "a") == {"b", "c", "d"}
    assert neighbours(contiguity(GRID, criterion="rook"), "a") == {"b", "c"}


def test_weights_are_keyed_by_unit_in_the_order_of_the_boundaries_and_rows_sum_to_one(provinces):
    shuffled = provinces.sample(frac=1, random_state=3)
    for graph in (contiguity(shuffled), k_nearest(shuffled, 4), inverse_distance(shuffled)):
        assert list(graph.unique_ids) == list(shuffled.index)
        np.testing.assert_allclose(graph.sparse.sum(axis=1), 1, rtol=1e-12)
        assert np.all(graph.sparse.diagonal() == 0)
    ordered = dense(contiguity(provinces))
    pd.testing.assert_frame_equal(dense(contiguity(shuffled)).loc[ordered.index, ordered.index], ordered)


def test_distances_are_great_circles():
    pole = units(pole=Point(0, 90), equator=Point(37, 0), opposite=Point(-143, 0))
    matrix = great_circle_distances(pole)
    assert matrix.loc["pole", "equator"] == pytest.approx(6371.0088 * math.pi / 2, rel=1e-12)
    assert matrix.loc["equator", "opposite"] == pytest.approx(6371.0088 * math.pi, rel=1e-12)
    distance = great_circle_distances(POINTS)
    for one in POINTS.index:
        for other in POINTS.index:
            expected = haversine(POINTS.geometry[one], POINTS.geometry[other])
            assert distance.loc[one, other] == pytest.approx(expected, rel=1e-12, abs=1e-6)
    # Beijing to Shanghai is 1,067 km in any atlas.
    assert distance.loc["beijing", "shanghai"] == pytest.approx(1067, abs=2)


def test_a_unit_stands_at_its_centroid_or_at_a_point_within_it():
    ell = box(110, 30, 114, 31).union(box(110, 30, 111, 34))
    pair = units(ell=ell, far=box(120, 30, 121, 31))
    assert not ell.contains(ell.centroid)
    centroid, inside = (great_circle_distances(pair, p).loc["ell", "far"] for p in ("centroid", "representative"))
    far = Point(120.5, 30.5)
    assert centroid == pytest.approx(haversine(ell.centroid, far), rel=0.01)
    assert inside == pytest.approx(haversine(ell.representative_point(), far), rel=0.01)


def test_k_nearest_neighbours_are_those_of_the_sorted_distances(provinces):
    distance = great_circle_distances(provinces).to_numpy(copy=True)
    np.fill_diagonal(distance, np.inf)
    graph = k_nearest(provinces, 5, transformation="b")
    for row, unit in enumerate(provinces.index):
        assert neighbours(graph, unit) == set(provinces.index[np.argsort(distance[row])[:5]])
    assert k_nearest(provinces, 5)[110000].unique().tolist() == [0.2]


def test_inverse_distance_weights_fall_with_the_power_and_end_at_the_threshold():
    near, far = (haversine(POINTS.geometry["shanghai"], POINTS.geometry[u]) for u in ("beijing", "shenzhen"))
    raw = inverse_distance(POINTS, 2, transformation="o")["shanghai"]
    assert raw.to_dict() == pytest.approx({"beijing": near**-2, "shenzhen": far**-2}, rel=1e-12)
    shares = inverse_distance(POINTS)["shanghai"]
    assert shares["beijing"] == pytest.approx(far / (near + far), rel=1e-12)
    cut = inverse_distance(POINTS, threshold=1500)
    assert neighbours(cut, "beijing") == {"shanghai"}
    assert neighbours(cut, "shanghai") == {"beijing", "shenzhen"}
    with pytest.raises(InvalidInputError, match=r"no unit within 1100 km of .*shenzhen.*at least 1[12]\d\d km"):
        inverse_distance(POINTS, threshold=1100)


def test_economic_distance_is_the_inverse_gap_of_the_means_over_the_period():
    index = pd.MultiIndex.from_product([["a", "b", "c"], [2020, 2021]], names=["adcode", "year"])
    panel = pd.Series([1.0, 3.0, 2.0, 4.0, 7.0, 7.0], index=index)  # means 2, 3, 7
    raw = dense(economic_distance(panel, transformation="o"))
    expected = [[0, 1, 1 / 5], [1, 0, 1 / 4], [1 / 5, 1 / 4, 0]]
    np.testing.assert_allclose(raw, expected, rtol=1e-12)
    np.testing.assert_allclose(dense(economic_distance(panel, 2, transformation="o")), np.square(expected), rtol=1e-12)
    pd.testing.assert_frame_equal(dense(economic_distance(panel.to_frame("gdp"))), dense(economic_distance(panel)))


def test_equal_values_take_the_smallest_gap_of_those_that_differ():
    raw = dense(economic_distance(pd.Series({"a": 1.0, "b": 1.0, "c": 1.5, "d": 4.0}), transformation="o"))
    assert raw.loc["a"].tolist() == pytest.approx([0, 2, 2, 1 / 3])


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=12).filter(lambda v: len(set(v)) > 1), st.integers(1, 99)
)
@settings(max_examples=50, deadline=None)
def test_economic_weights_are_finite_standardised_and_free_of_the_unit(values, scale):
    series = pd.Series(values, dtype=float)
    matrix = dense(economic_distance(series))
    assert np.isfinite(matrix.to_numpy()).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(dense(economic_distance(series * scale + 7)), matrix, rtol=1e-9)
    raw = dense(economic_distance(series, transformation="o"))
    np.testing.assert_allclose(raw, raw.T, rtol=1e-12)


def test_means_over_different_years_are_refused():
    index = pd.MultiIndex.from_tuples([("a", 2020), ("a", 2021), ("b", 2020)])
    with pytest.raises(InvalidInputError, match=r"not balanced.*\(b, 2021"):
        economic_distance(pd.Series([1.0, 2.0, 3.0], index=index))


def test_nested_weights_are_the_product_whatever_the_order_and_the_scale_of_rows(provinces):
    wealth = load_panel("province", ["gdp_per_capita"], years=2016)["gdp_per_capita"].droplevel("year")
    geography, economy = contiguity(provinces, transformation="b"), economic_distance(wealth, transformation="o")
    product = dense(geography) * dense(economy).loc[provinces.index, provinces.index]
    expected = product.div(product.sum(axis=1), axis=0)
    for first, second in ((geography, economy), (contiguity(provinces), economic_distance(wealth.sample(frac=1)))):
        np.testing.assert_allclose(dense(nested(first, second)), expected, rtol=1e-12)
    np.testing.assert_allclose(dense(nested(geography, economy, transformation="o")), product, rtol=1e-12)


def test_nesting_graphs_of_other_units_or_without_a_common_neighbour_is_refused():
    economy = economic_distance(pd.Series({"a": 1.0, "b": 2.0, "c": 4.0, "x": 8.0}))
    with pytest.raises(InvalidInputError, match="economy holds other units"):
        nested(contiguity(GRID), economy)
    line = units(a=box(0, 0, 1, 1), b=box(1, 0, 2, 1), c=box(0, 2, 1, 3), d=box(1, 2, 2, 3))
    across = line.set_geometry([box(0, 0, 1, 1), box(0, 2, 1, 3), box(1, 0, 2, 1), box(1, 2, 2, 3)], crs="EPSG:4326")
    with pytest.raises(InvalidInputError, match="no neighbour in both geography and economy: a, b, c, d"):
        nested(contiguity(line), contiguity(across))


def test_an_island_that_is_kept_stays_one_when_nested(provinces):
    wealth = load_panel("province", ["gdp_per_capita"], years=2016)["gdp_per_capita"].droplevel("year")
    assert nested(contiguity(provinces, "keep"), economic_distance(wealth)).isolates.tolist() == [460000]


@given(st.lists(st.sampled_from("xyz"), min_size=31, max_size=31))
@settings(max_examples=20, deadline=None)
def test_within_and_across_add_up_to_the_standardised_whole(labels):
    provinces = load_boundaries("province").drop(OUTSIDE_THE_PANEL)
    groups = pd.Series(labels, index=provinces.index)
    whole = k_nearest(provinces, 4)
    within, across = within_and_across(whole, groups)
    np.testing.assert_allclose(dense(within) + dense(across), dense(whole), rtol=1e-12)
    same = np.equal.outer(groups.to_numpy(), groups.to_numpy())
    assert (dense(within).to_numpy()[~same] == 0).all()
    assert (dense(across).to_numpy()[same] == 0).all()


def test_either_part_can_be_standardised_by_its_own_neighbours():
    groups = pd.Series({"a": 1, "b": 1, "c": 1, "d": 2, "elsewhere": 3})
    within, across = within_and_across(contiguity(GRID, transformation="b"), groups, "each")
    assert dense(within).loc["a"].tolist() == [0, 0.5, 0.5, 0]
    assert dense(across).loc["a"].tolist() == [0, 0, 0, 1]
    assert dense(within).loc["d"].tolist() == [0, 0, 0, 0]
    for whole in (contiguity(GRID), contiguity(GRID, transformation="b")):
        parts = within_and_across(whole, groups)
        assert dense(parts.within).loc["a"].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 0])
        assert dense(parts.across).loc["a"].tolist() == pytest.approx([0, 0, 0, 1 / 3])


def test_a_unit_without_a_jurisdiction_is_refused():
    with pytest.raises(InvalidInputError, match="jurisdiction: d has no label"):
        within_and_across(contiguity(GRID), pd.Series({"a": 1, "b": 1, "c": 2}))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: contiguity(pd.DataFrame({"x": [1, 2]})), "expected a GeoDataFrame"),
        (lambda: contiguity(GRID.to_crs(3857)), r"to_crs\('EPSG:4326'\)"),
        (lambda: contiguity(GRID.iloc[:1]), "at least two"),
        (lambda: k_nearest(pd.concat([GRID, GRID]), 2), "a has more than one row"),
        (lambda: contiguity(GRID.set_geometry([*GRID.geometry[:3], None], crs="EPSG:4326")), "no geometry for d"),
        (lambda: k_nearest(GRID, 4), "whole number from 1 to 3"),
        (lambda: k_nearest(GRID, 1.5), "whole number from 1 to 3"),
        (lambda: inverse_distance(GRID, 0), "positive"),
        (lambda: inverse_distance(units(a=Point(1, 1), b=Point(1, 1), c=Point(2, 2))), "at one point: .*a.*b"),
        (lambda: economic_distance(pd.Series([1.0, 1.0])), "the same value in every unit"),
        (lambda: economic_distance(pd.Series([1.0, None])), "missing or infinite"),
        (lambda: economic_distance(pd.Series(["x", "y"])), "holds no numbers"),
        (lambda: economic_distance(pd.Series([1.0, 2.0], index=["a", "a"])), "a has more than one value"),
        (lambda: economic_distance(pd.Series([1.0, 2.0]), -1), "positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_input_that_makes_no_weights_is_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: contiguity(GRID, "nearst"), "rule for islands 'nearst'; did you mean 'nearest'"),
        (lambda: contiguity(GRID, criterion="bishop"), "criterion"),
        (lambda: contiguity(GRID, transformation="R"), "transformation"),
        (lambda: k_nearest(GRID, 2, points="centre"), "point of a unit"),
        (lambda: inverse_distance(GRID, transformation="x"), "transformation"),
        (lambda: within_and_across(contiguity(GRID), pd.Series(dtype=int), "both"), "standardisation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unknown_names_are_refused(call, words):
    with pytest.raises(UnknownNameError, match=words):
        call()


# What differs by rounding only


def test_neighbours_that_tie_are_taken_by_label_whatever_the_order_of_the_rows():
    lon, lat = np.meshgrid(np.arange(100.1, 100.6, 0.1), [0.0])
    line = gpd.GeoDataFrame(index=list("abcde"), geometry=gpd.points_from_xy(lon.ravel(), lat.ravel()), crs=4326)
    with pytest.warns(ClusterlibWarning, match=r"\(b\), \(c\), \(d\): others are as near as the last of 1"):
        graph = k_nearest(line.rename_axis(None).assign(name_zh=""), 1)
    assert {unit: graph[unit].index[0] for unit in line.index} == {"a": "b", "b": "a", "c": "b", "d": "c", "e": "d"}
    for seed in range(4):
        with pytest.warns(ClusterlibWarning):
            other = k_nearest(line.sample(frac=1, random_state=seed), 1)
        pd.testing.assert_frame_equal(dense(other).loc[line.index, line.index], dense(graph))


def test_a_unit_at_the_threshold_is_within_it_but_for_rounding():
    near = haversine(POINTS.geometry["beijing"], POINTS.geometry["shanghai"])
    for bound in (near, np.nextafter(near, 0), np.nextafter(near, 9999)):
        assert neighbours(inverse_distance(POINTS.drop("shenzhen"), threshold=bound), "beijing") == {"shanghai"}


def test_values_that_are_equal_but_for_rounding_take_the_smallest_gap_of_those_that_differ():
    raw = dense(economic_distance(pd.Series({"a": 0.3, "b": 0.1 + 0.2, "c": 0.8, "d": 3.3}), transformation="o"))
    assert raw.loc["a"].tolist() == pytest.approx([0, 2, 2, 1 / 3])
    with pytest.raises(InvalidInputError, match="the same value in every unit"):
        economic_distance(pd.Series({"a": 0.3, "b": 0.1 + 0.2}))


def test_powers_that_leave_the_numbers_are_refused():
    for call in (
        lambda: inverse_distance(POINTS, 200),
        lambda: economic_distance(pd.Series([1.0, 1e6, 1e9]), 60),
        lambda: economic_distance(pd.Series([1.0, 1 + 1e-9]), 60),
    ):
        with pytest.raises(InvalidInputError, match="too large or too small to be numbers"):
            call()


# Weights and places of every kind


def test_weights_of_every_kind_are_nested_and_split_alike():
    graph, groups = contiguity(GRID, transformation="b"), {"a": 1, "b": 1, "c": 1, "d": 2}
    frame, economy = dense(graph), economic_distance(pd.Series({"d": 1.0, "b": 2.0, "a": 4.0, "c": 8.0}))
    wanted, parts = dense(nested(graph, economy)), within_and_across(graph, pd.Series(groups))
    for w in (frame, frame.loc[list("dcba")], graph.to_W()):
        found = dense(nested(w, economy)).loc[wanted.index, wanted.columns]
        pd.testing.assert_frame_equal(found, wanted)
        pd.testing.assert_frame_equal(dense(nested(economy, w)).loc[wanted.index, wanted.columns], wanted)
        for part, other in zip(parts, within_and_across(w, groups), strict=True):
            pd.testing.assert_frame_equal(dense(other).loc[wanted.index, wanted.columns], dense(part))
    for call in (lambda m: nested(m, economy), lambda m: nested(graph, m), lambda m: within_and_across(m, groups)):
        with pytest.raises(InvalidInputError, match=r"label a matrix, as with pd.DataFrame\("):
            call(frame.to_numpy())


def test_longitude_and_latitude_that_are_swapped_are_refused_everywhere():
    swapped = POINTS.set_geometry([Point(p.y, p.x) for p in POINTS.geometry], crs=4326)
    areas = swapped.set_geometry([box(p.x, p.y, p.x + 1, p.y + 1) for p in swapped.geometry], crs=4326)
    for call in (contiguity, island_links, great_circle_distances, lambda b: k_nearest(b, 1), inverse_distance):
        for places in (swapped, areas):
            with pytest.raises(InvalidInputError, match=r"beijing is at .*look swapped"):
                call(places)


def test_points_have_no_borders():
    with pytest.raises(InvalidInputError, match=r"no border: .*beijing.*is no polygon"):
        contiguity(POINTS)

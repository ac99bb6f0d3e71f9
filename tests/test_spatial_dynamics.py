"""Spatial Markov chains against counts in plain Python; centres and ellipses against formulas worked otherwise."""

from __future__ import annotations

import math
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from clusterlib.data.boundaries import ALBERS
from clusterlib.errors import ClusterlibWarning, InvalidInputError, UnknownNameError
from clusterlib.spatial import deviational_ellipse, mean_centre, spatial_markov


def ring(n: int) -> np.ndarray:
    """Each unit's neighbours are the two beside it, whose weights differ and do not sum alike."""
    matrix = np.zeros((n, n))
    for i in range(n):
        matrix[i, (i - 1) % n], matrix[i, (i + 1) % n] = 1.0 + i % 3, 2.0
    return matrix


def panel_of(values: np.ndarray, first: int = 2003) -> pd.DataFrame:
    units, years = range(len(values)), range(first, first + values.shape[1])
    index = pd.MultiIndex.from_product([units, years], names=["adcode", "year"])
    return pd.DataFrame({"x": values.ravel()}, index=index)


def walks(n: int, periods: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 100 + np.cumsum(random.normal(size=(n, periods)), axis=1)


# Markov


def plain_cutoffs(values: list[float], k: int) -> list[float]:
    """Quantiles by linear interpolation between the ordered values."""
    ordered, cutoffs = sorted(values), []
    for part in range(1, k):
        place = (len(ordered) - 1) * part / k
        low = int(place)
        cutoffs.append(ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]))
    return cutoffs


def plain_counts(values: list[list[float]], weights: list[list[float]], k: int, fixed: bool) -> list:
    """Count transitions by class of neighbours, class and next class in loops."""
    n, periods = len(values), len(values[0])
    lags = [[sum(w * values[j][t] for j, w in enumerate(row)) / sum(row) for t in range(periods)] for row in weights]

    def classes(table):
        whole = plain_cutoffs([v for row in table for v in row], k)
        result = [[0] * periods for _ in range(n)]
        for t in range(periods):
            cutoffs = whole if fixed else plain_cutoffs([row[t] for row in table], k)
            for i in range(n):
                result[i][t] = sum(table[i][t] > bound for bound in cutoffs)
        return result

    own, around = classes(values), classes(lags)
    counts = [[[0] * k for _ in range(k)] for _ in range(k)]
    for i in range(n):
        for t in range(periods - 1):
            counts[around[i][t]][own[i][t]][own[i][t + 1]] += 1
    return counts


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("k", "periods"), [(3, 9), (4, 9), (3, 2)])
def test_transitions_are_those_counted_in_plain_python(k, periods, fixed):
    values, weights = walks(40, periods, 1), ring(40)
    markov = spatial_markov(panel_of(values), "x", weights, k, fixed)
    counts = plain_counts(values.tolist(), weights.tolist(), k, fixed)
    for m in range(k):
        assert markov.matrix(m + 1, "count").to_numpy().tolist() == counts[m]
    assert markov.matrix("all", "count").to_numpy().tolist() == np.sum(counts, axis=0).tolist()
    assert markov.transitions.query("neighbours != 'all'")["count"].sum() == 40 * (periods - 1)
    probability = markov.matrix("all")
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert probability.loc[1, 2] == pytest.approx(sum(c[0][1] for c in counts) / sum(sum(c[0]) for c in counts))
    assert (markov.cutoffs == ()) == (not fixed)
    if fixed:
        assert markov.cutoffs == pytest.approx(plain_cutoffs(values.ravel().tolist(), k))


def test_homogeneity_tests_are_those_of_the_formulas_in_loops():
    values, weights = walks(40, 9, 2), ring(40)
    test = spatial_markov(panel_of(values), "x", weights, 3).homogeneity
    counts = plain_counts(values.tolist(), weights.tolist(), 3, True)
    q = lr = df = 0.0
    for i in range(3):
        pooled = [sum(counts[m][i][j] for m in range(3)) for j in range(3)]
        reached, starting = sum(c > 0 for c in pooled), sum(sum(counts[m][i]) > 0 for m in range(3))
        df += (reached - 1) * (starting - 1)
        for m in range(3):
            size = sum(counts[m][i])
            for j in range(3):
                if size and pooled[j]:
                    p, p_m = pooled[j] / sum(pooled), counts[m][i][j] / size
                    q += size * (p_m - p) ** 2 / p
                    lr += 2 * counts[m][i][j] * math.log(p_m / p) if p_m else 0
    assert test["statistic"].to_dict() == pytest.approx({"Q": q, "LR": lr})
    assert test["df"].tolist() == [df, df]
    # With an even number of degrees of freedom the tail of chi-squared is a finite sum.
    assert df % 2 == 0
    tail = sum(math.exp(-q / 2) * (q / 2) ** r / math.factorial(r) for r in range(int(df / 2)))
    assert test.loc["Q", "p_value"] == pytest.approx(tail)


def test_steady_state_is_left_unchanged_by_a_step():
    markov = spatial_markov(panel_of(walks(60, 12, 3)), "x", ring(60), 3)
    for name in ["all", 1, 2, 3]:
        share, step = markov.steady_state.loc[name], markov.matrix(name)
        if step.notna().all(axis=None):
            assert share.sum() == pytest.approx(1)
            np.testing.assert_allclose(share @ step, share, atol=1e-10)


def test_a_class_that_is_left_for_good_has_no_share_in_the_long_run():
    # Every unit leaves the lowest class once and for all; the other two change places for ever.
    paths = [[0, 0, 0, 1, 2, 1, 2, 1, 2], [0, 0, 0, 1, 1, 2, 2, 1, 2]]
    values = np.array([[10.0 * place + unit for place in paths[unit % 2]] for unit in range(6)])
    markov = spatial_markov(panel_of(values), "x", ring(6), 3)
    counts = markov.matrix("all", "count").to_numpy()
    assert counts[1:, 0].sum() == 0 and counts[0, 1:].sum() > 0
    share = markov.steady_state.loc["all"].to_numpy()
    assert share[0] == pytest.approx(0, abs=1e-12) and (share >= 0).all()
    inner = counts[1:, 1:] / counts[1:, 1:].sum(axis=1, keepdims=True)
    swap = inner[0, 1] + inner[1, 0]
    assert share[1:].tolist() == pytest.approx([inner[1, 0] / swap, inner[0, 1] / swap])


def test_a_chain_that_stays_where_it_starts_has_no_single_steady_state():
    values = np.repeat(np.arange(1.0, 13.0)[:, None], 4, axis=1)
    markov = spatial_markov(panel_of(values), "x", ring(12), 3)
    assert markov.steady_state.loc["all"].isna().all()
    summary = markov.table.loc["all"]
    assert summary[["down", "stay", "up"]].to_numpy().tolist() == [[0, 1, 0]] * 3
    assert summary["transitions"].tolist() == [12, 12, 12]


def test_a_class_of_neighbours_from_which_nothing_starts_has_no_probability():
    values = np.repeat(np.arange(1.0, 13.0)[:, None], 4, axis=1)
    line = np.diag(np.ones(11), 1) + np.diag(np.ones(11), -1)
    markov = spatial_markov(panel_of(values), "x", line, 3)
    assert markov.matrix(1, "count").loc[3].sum() == 0
    assert markov.matrix(1).loc[3].isna().all()
    assert markov.table.loc[(1, 3), ["down", "stay", "up"]].isna().all()
    assert markov.steady_state.loc[1].isna().all()


def test_neighbours_that_matter_are_found_and_ones_that_do_not_are_not():
    random, weights = np.random.default_rng(4), ring(80)
    rows = weights / weights.sum(axis=1, keepdims=True)
    p = []
    for pull in (0.0, 0.9):
        values = np.empty((80, 16))
        values[:, 0] = random.normal(size=80)
        for t in range(1, 16):
            values[:, t] = 0.6 * values[:, t - 1] + pull * rows @ values[:, t - 1] * 0.4 + random.normal(size=80)
        p.append(spatial_markov(panel_of(values), "x", weights, 3).homogeneity.loc["LR", "p_value"])
    assert p[0] > 0.05
    assert p[1] < 0.001


def test_classes_of_all_periods_move_with_growth_and_those_of_each_do_not():
    values = np.linspace(1, 2, 20)[:, None] * 1.5 ** np.arange(6)
    grown = spatial_markov(panel_of(values), "x", ring(20), 4).table.loc["all"]
    relative = spatial_markov(panel_of(values), "x", ring(20), 4, fixed=False).table.loc["all"]
    assert grown["up"].iloc[:-1].min() > 0.3
    assert relative["stay"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop((3, 2005)), r"not balanced.*\(3, 2005\)"),
        (lambda d: d.where(d["x"] != d["x"].iloc[5]), "missing or infinite"),
        (lambda d: d.drop(2004, level=1), "2003 to 2005 is no step of 1|2005 to 2006 is no step of 2"),
        (lambda d: d.drop([2004, 2005, 2006], level=1), "one period"),
        (lambda d: d * 0 + 1, "does not fall into 4 classes"),
        (lambda d: d.droplevel(0), "two levels"),
    ],
)
def test_panels_without_comparable_steps_are_refused(change, words):
    data = panel_of(walks(20, 4, 5))
    with pytest.raises(InvalidInputError, match=words):
        spatial_markov(change(data), "x", ring(20))


def test_unknown_columns_classes_and_matrices_are_named():
    data = panel_of(walks(20, 4, 5))
    with pytest.raises(UnknownNameError, match="valid: x"):
        spatial_markov(data, "y", ring(20))
    for k in (1, 2.5, True):
        with pytest.raises(InvalidInputError, match="whole number of classes"):
            spatial_markov(data, "x", ring(20), k)
    with pytest.raises(InvalidInputError, match="no unit has a neighbour"):
        spatial_markov(data, "x", np.zeros((20, 20)))
    markov = spatial_markov(data, "x", ring(20), 2)
    with pytest.raises(UnknownNameError, match="valid: all, 1, 2"):
        markov.matrix(3)
    with pytest.raises(UnknownNameError, match="matrix"):
        markov.matrix(1, "share")


# Centres


def places(xy, index=None) -> gpd.GeoSeries:
    return gpd.GeoSeries.from_xy(*np.asarray(xy, float).T, index=index, crs=ALBERS)


def degrees(pairs, index) -> gpd.GeoSeries:
    return gpd.GeoSeries([Point(*pair) for pair in pairs], index=index, crs=4326).to_crs(ALBERS)


def meridian_km(south: float, north: float) -> float:
    """Length of a meridian of WGS84 between two latitudes, by Simpson's rule."""
    a, e2, steps = 6378.137, 0.00669437999014, 2000
    latitudes = np.radians(np.linspace(south, north, steps + 1))
    curvature = a * (1 - e2) / (1 - e2 * np.sin(latitudes) ** 2) ** 1.5
    weights = np.array([1, *([4, 2] * (steps // 2 - 1)), 4, 1])
    return float(weights @ curvature * (latitudes[1] - latitudes[0]) / 3)


def test_mean_centre_of_a_hand_worked_panel_and_its_migration():
    index = pd.MultiIndex.from_tuples([("a", 2020), ("b", 2020), ("a", 2021), ("b", 2021)], names=["unit", "year"])
    two = degrees([(105, 30), (105, 40)], ["a", "b"])
    centre = mean_centre(two, pd.Series([1.0, 0.0, 0.0, 2.0], index))
    assert centre.table["latitude"].tolist() == pytest.approx([30, 40])
    assert centre.table["longitude"].tolist() == pytest.approx([105, 105])
    assert np.isnan(centre.table.loc[2020, "distance"]) and centre.table.loc[2020, "direction"] == ""
    assert centre.table.loc[2021, "distance"] == pytest.approx(meridian_km(30, 40), rel=1e-9)
    assert centre.table.loc[2021, "direction"] == "N"
    assert centre.total["distance"] == centre.total["path"] == centre.table.loc[2021, "distance"]
    half = mean_centre(two, pd.Series([3.0, 1.0, 1.0, 3.0], index))
    y = np.array([point.y for point in two])
    assert half.table["y"].tolist() == pytest.approx([0.75 * y[0] + 0.25 * y[1], 0.25 * y[0] + 0.75 * y[1]])


def test_path_is_the_sum_of_steps_and_longer_than_the_way_from_first_to_last():
    corners = degrees([(105, 30), (110, 30), (110, 35)], list("abc"))
    index = pd.MultiIndex.from_product([list("abc"), [1, 2, 3]], names=["unit", "t"])
    centre = mean_centre(corners, pd.Series(np.eye(3).ravel(), index))
    assert centre.total["path"] == pytest.approx(centre.table["distance"].sum())
    assert centre.total["distance"] < centre.total["path"]
    assert centre.table["direction"].tolist() == ["", "E", "N"]
    assert centre.total["direction"] == "NE"


@pytest.mark.parametrize(
    ("to", "direction"),
    [((106, 35), "E"), ((104, 35), "W"), ((105, 34), "S"), ((104.2, 34.2), "SW"),
     ((105.9, 34.2), "SE"), ((104.2, 35.8), "NW")],
)  # fmt: skip
def test_direction_of_migration_is_the_bearing_from_true_north(to, direction):
    index = pd.MultiIndex.from_product([list("ab"), [1, 2]], names=["unit", "t"])
    centre = mean_centre(degrees([(105, 35), to], list("ab")), pd.Series([1.0, 0, 0, 1], index))
    assert centre.table["direction"].iloc[1] == direction
    assert 0 <= centre.table["bearing"].iloc[1] < 360


def test_polygons_stand_for_their_centroids_and_places_without_weight_are_left_aside():
    squares = gpd.GeoDataFrame(geometry=[box(0, 0, 2e5, 2e5), box(4e5, 0, 6e5, 2e5), box(9e5, 9e5, 1e6, 1e6)],
                               index=list("abc"), crs=ALBERS)  # fmt: skip
    centre = mean_centre(squares, pd.Series({"a": 1.0, "b": 1.0}))
    assert centre.table.loc["all", ["x", "y"]].tolist() == pytest.approx([3e5, 1e5])
    assert (centre.n, centre.total) == (2, {})
    assert mean_centre(squares).n == 3


# Ellipses


def trigonometric(xy: np.ndarray, w: np.ndarray) -> tuple[float, float, float]:
    """Lefever's formulas: the angle by its tangent, then the deviations along both axes."""
    centre = (w[:, None] * xy).sum(axis=0) / w.sum()
    x, y = (xy - centre).T
    a, b = (w * x * x).sum() - (w * y * y).sum(), 2 * (w * x * y).sum()
    theta = math.atan2(a + math.hypot(a, b), b)
    along = math.sqrt((w * (x * math.sin(theta) + y * math.cos(theta)) ** 2).sum() / w.sum())
    across = math.sqrt((w * (x * math.cos(theta) - y * math.sin(theta)) ** 2).sum() / w.sum())
    return along, across, math.degrees(theta) % 180


clouds = st.integers(0, 10_000).map(
    lambda seed: (
        np.random.default_rng(seed).normal(size=(12, 2)) * [3e5, 1e5] + [2e5, 4e6],
        np.random.default_rng(seed + 1).uniform(0.1, 5, 12),
    )
)


def angle_apart(a: float, b: float) -> float:
    return abs((a - b + 90) % 180 - 90)


@given(clouds)
@settings(max_examples=50, deadline=None)
def test_ellipse_is_that_of_the_trigonometric_formulas(cloud):
    xy, w = cloud
    row = deviational_ellipse(places(xy), pd.Series(w), "yuill").table.iloc[0]
    along, across, theta = trigonometric(xy, w)
    assert [row["major"], row["minor"]] == pytest.approx([along / 1000, across / 1000], rel=1e-9)
    assert angle_apart(row["rotation"], theta) < 1e-6
    assert row["area"] == pytest.approx(math.pi * row["major"] * row["minor"])
    assert row["flattening"] == pytest.approx(1 - row["minor"] / row["major"])


@pytest.mark.parametrize("weighted", [False, True])
def test_axes_are_those_of_pointpats(weighted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pointpats.centrography import ellipse
    random = np.random.default_rng(5)
    xy, w = random.normal(size=(15, 2)) * [1e5, 3e5], random.uniform(1, 4, 15)
    given_weights = pd.Series(w) if weighted else None
    options = {"crimestat": {}, "yuill": {"method": "yuill", "crimestatCorr": False, "degfreedCorr": False},
               "arcgis": {"method": "yuill", "degfreedCorr": False}}  # fmt: skip
    for convention, arguments in options.items():
        row = deviational_ellipse(places(xy), given_weights, convention).table.iloc[0]
        major, minor, angle = ellipse(xy, w if weighted else None, **arguments)
        assert [row["major"], row["minor"]] == pytest.approx([major / 1000, minor / 1000], rel=1e-10)
        # Theirs turns from east, against the clock.
        assert angle_apart(row["rotation"], 90 - math.degrees(angle)) < 1e-6


@given(clouds, st.integers(0, 359), st.integers(1, 20), st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_turning_moving_and_scaling_the_places_does_the_same_to_the_ellipse(cloud, turn, scale, shift):
    xy, w = cloud
    clockwise = np.radians(turn)
    rotation = np.array([[np.cos(clockwise), -np.sin(clockwise)], [np.sin(clockwise), np.cos(clockwise)]])
    middle = xy.mean(axis=0)
    moved = (xy - middle) @ rotation * scale / 10 + middle + shift * 1e4
    one, other = (deviational_ellipse(places(v), pd.Series(w)).table.iloc[0] for v in (xy, moved))
    assert [other["major"], other["minor"]] == pytest.approx([one["major"] * scale / 10, one["minor"] * scale / 10])
    assert angle_apart(other["rotation"], one["rotation"] + turn) < 1e-5
    ends = (np.array([one["x"], one["y"]]) - middle) @ rotation * scale / 10 + middle + shift * 1e4
    assert [other["x"], other["y"]] == pytest.approx(ends.tolist(), abs=1e-3)


@given(clouds, st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_weights_count_as_so_many_places_and_their_unit_does_not_matter(cloud, scale):
    xy, w = cloud
    whole = np.ceil(w)
    repeated = np.repeat(xy, whole.astype(int), axis=0)
    one = deviational_ellipse(places(xy), pd.Series(whole), "yuill").table
    np.testing.assert_allclose(one, deviational_ellipse(places(repeated), None, "yuill").table, rtol=1e-8)
    np.testing.assert_allclose(one, deviational_ellipse(places(xy), pd.Series(whole * scale), "yuill").table, rtol=1e-8)


def test_conventions_differ_in_size_only():
    xy = np.random.default_rng(0).normal(size=(10, 2)) * 1e5
    w = pd.Series([1.0] * 9 + [0.0])
    tables = {c: deviational_ellipse(places(xy), w, c).table.iloc[0] for c in ("yuill", "arcgis", "crimestat")}
    assert tables["arcgis"]["major"] / tables["yuill"]["major"] == pytest.approx(math.sqrt(2))
    # Nine units have weight.
    assert tables["crimestat"]["minor"] / tables["yuill"]["minor"] == pytest.approx(math.sqrt(2 * 9 / 7))
    assert len({round(table["rotation"], 9) for table in tables.values()}) == 1


def test_arcgis_ellipse_holds_63_percent_of_normally_spread_points():
    xy = np.random.default_rng(1).normal(size=(20_000, 2)) * [1e5, 4e5]
    ellipse = deviational_ellipse(places(xy))
    share = places(xy).within(ellipse.outlines(720).iloc[0]).mean()
    assert share == pytest.approx(1 - math.exp(-1), abs=0.01)


def test_outlines_have_the_area_axes_and_direction_of_the_table():
    random = np.random.default_rng(3)
    xy = random.normal(size=(9, 2)) * [1e5, 3e5]
    index = pd.MultiIndex.from_product([range(9), [2020, 2021]], names=["unit", "year"])
    ellipse = deviational_ellipse(places(xy), pd.Series(random.uniform(1, 5, 18), index))
    outlines = ellipse.outlines(3600)
    assert outlines.crs == ALBERS and outlines.index.tolist() == [2020, 2021]
    np.testing.assert_allclose(outlines.area / 1e6, ellipse.table["area"], rtol=1e-4)
    for year, row in ellipse.table.iterrows():
        corners = np.array(outlines[year].exterior.coords) - [row["x"], row["y"]]
        farthest = corners[np.argmax(np.hypot(*corners.T))]
        assert np.hypot(*farthest) / 1000 == pytest.approx(row["major"], rel=1e-6)
        assert angle_apart(math.degrees(math.atan2(*farthest)), row["rotation"]) < 0.2


# Refusals

CROSS = places([(0, 0), (1e5, 0), (0, 1e5), (1e5, 1e5)], list("abcd"))
ONES = pd.Series(1.0, CROSS.index)
PANEL = pd.Series(1.0, pd.MultiIndex.from_product([list("abcd"), [1, 2]], names=["unit", "t"]))


@pytest.mark.parametrize(
    ("where", "weights", "words"),
    [
        (CROSS.to_crs(4326), ONES, r"degrees are no plane.*to_crs"),
        (CROSS.set_crs(None, allow_override=True), ONES, "degrees are no plane"),
        (pd.DataFrame({"x": [1.0]}), ONES, "expected a GeoDataFrame"),
        (pd.concat([CROSS, CROSS]), ONES, "a has more than one place"),
        (CROSS, ONES.rename({"a": "z"}), r"1 unit.s. without a place: z"),
        (CROSS, ONES.where(ONES.index != "b"), "missing or infinite.*first at b"),
        (CROSS, ONES - 2, r"negative value\(s\), the first at a, .*: weights"),
        (CROSS, ONES * 0, "no weight is above zero"),
        (CROSS, PANEL.drop(("c", 2)), r"not balanced.*c'?, .*2"),
        (CROSS, pd.concat([ONES, ONES]), "a has more than one value"),
        (CROSS, [1.0, 2.0], "expected a Series indexed by unit, got a list"),
        (CROSS, ONES.astype(str), "holds no numbers"),
    ],
)
def test_places_and_weights_without_a_centre_are_refused(where, weights, words):
    for method in (mean_centre, deviational_ellipse):
        with pytest.raises(InvalidInputError, match=words):
            method(where, weights)


def test_an_ellipse_of_two_places_or_of_one_point_is_refused():
    with pytest.raises(InvalidInputError, match=r"2 unit.s. of positive weight in 2"):
        deviational_ellipse(CROSS, PANEL.where(~PANEL.index.isin([("a", 2), ("b", 2)]), 0.0))
    with pytest.raises(InvalidInputError, match="at one point"):
        deviational_ellipse(places([(0, 0)] * 3))
    with pytest.raises(UnknownNameError, match="valid: arcgis, yuill, crimestat"):
        deviational_ellipse(CROSS, ONES, "esri")


# What differs by rounding only


@pytest.mark.parametrize("fixed", [True, False])
def test_equal_lags_are_in_one_class_whatever_order_they_are_summed_in(fixed):
    values = np.random.default_rng(5).integers(1, 6, (30, 8)).astype(float)
    near = sum(np.roll(np.eye(30), step, axis=1) for step in (-2, -1, 1, 2, 3))
    one, other = (spatial_markov(panel_of(values * unit), "x", near, 3, fixed) for unit in (1.0, 0.1))
    pd.testing.assert_frame_equal(other.transitions, one.transitions)
    counts = plain_counts(values.astype(int).tolist(), near.astype(int).tolist(), 3, fixed)
    assert [one.matrix(m + 1, "count").to_numpy().tolist() for m in range(3)] == counts


def test_a_variable_that_is_constant_but_for_rounding_has_no_classes():
    values = np.full((8, 4), 0.3)
    values[::2] = 0.1 + 0.2
    with pytest.raises(InvalidInputError, match="does not fall into 2 classes"):
        spatial_markov(panel_of(values), "x", ring(8), 2)


def test_weights_without_labels_are_in_the_order_of_the_data():
    data, weights = panel_of(walks(12, 6, 1)), ring(12)
    right = spatial_markov(data, "x", weights, 2)
    order = np.random.default_rng(0).permutation(12)
    mixed = data.loc[order]
    labelled = pd.DataFrame(weights, range(12), range(12))
    with pytest.warns(ClusterlibWarning, match="not their sorted order"):
        found = spatial_markov(mixed, "x", weights[np.ix_(order, order)], 2)
    for same in (found, spatial_markov(mixed, "x", labelled, 2), spatial_markov(data, "x", labelled.loc[order], 2)):
        pd.testing.assert_frame_equal(same.transitions, right.transitions)


def test_markov_tests_and_moves_are_shown_with_what_they_assume():
    markov = spatial_markov(panel_of(walks(40, 9, 1)), "x", ring(40), 3)
    shown = markov.summary()
    assert "LR: " in shown and "transitions as independent" in shown and markov.periods == markov.n_periods == 9
    assert (markov.tests["Q"].df, markov.tests["Q"].p_value) == tuple(markov.homogeneity.loc["Q", ["df", "p_value"]])


def test_a_centre_that_stays_but_for_rounding_has_no_direction():
    index = pd.MultiIndex.from_product([list("abc"), [1, 2]], names=["unit", "t"])
    corners = degrees([(105, 30), (110.1, 30.3), (110.7, 35.9)], list("abc"))
    centre = mean_centre(corners, pd.Series([0.1, 0.3, 0.2, 0.6, 0.7, 2.1], index))
    assert centre.table["direction"].tolist() == ["", ""] and centre.total["direction"] == ""
    assert centre.table.loc[2, "distance"] == centre.total["path"] == 0
    assert np.isnan(centre.table.loc[2, "bearing"])


def test_a_circle_has_no_major_axis_and_a_point_no_spread():
    around = np.array([[0.1, 0], [-0.1, 0], [0, 0.1], [0, -0.1]]) * 3e6 + [0.3e6, 4e6]
    assert deviational_ellipse(places(around)).table.loc["all", "rotation"] == 0
    point = np.array([[123456.7, 3.3e6], [123456.7, 3.3e6 * (1 + 2e-16)], [123456.7, 3.3e6]])
    with pytest.raises(InvalidInputError, match="at one point"):
        deviational_ellipse(places(point), pd.Series([0.1, 0.7, 0.3]))


# Where places cannot be


@pytest.mark.parametrize("unit", ["km", "us-ft"])
def test_axes_are_in_kilometres_whatever_the_unit_of_the_projection(unit):
    at = degrees([(105, 30), (110.1, 30.3), (110.7, 35.9), (104, 28)], list("abcd"))
    metres = deviational_ellipse(at)
    other = deviational_ellipse(at.to_crs(ALBERS.replace("+units=m", f"+units={unit}")))
    sizes = ["major", "minor", "area", "rotation", "longitude", "latitude"]
    np.testing.assert_allclose(other.table[sizes], metres.table[sizes], rtol=1e-9)
    outline = other.outlines(720).to_crs(ALBERS)
    assert outline.area.iloc[0] == pytest.approx(metres.outlines(720).area.iloc[0], rel=1e-9)


def test_places_that_are_nowhere_are_refused():
    swapped = gpd.GeoSeries.from_xy([39.9, 31.2, 23.1], [116.4, 121.5, 113.3], index=list("bsg"), crs=4326)
    missing = gpd.GeoSeries([Point(1e5, 4e6), None, Point(), Point(2e5, 4e6)], index=list("abcd"), crs=ALBERS)
    for method in (mean_centre, deviational_ellipse):
        with pytest.raises(InvalidInputError, match=r"no place in the projection for b, s, g.*swapped"):
            method(swapped.to_crs(ALBERS))
        with pytest.raises(InvalidInputError, match="no place in the projection for b, c"):
            method(missing)

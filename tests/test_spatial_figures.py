"""Plots and maps of spatial patterns: what they draw is what was computed, and maps keep the rules."""

from __future__ import annotations

import io
import math
import warnings

import geopandas as gpd
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PatchCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from clusterlib import figures, maps
from clusterlib.data._load import load_boundaries, load_national_line
from clusterlib.data.boundaries import ALBERS
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.maps._maps import CLUSTER_LOOKS
from clusterlib.maps.base import NO_DATA_HATCH
from clusterlib.regions import REGIONS
from clusterlib.spatial import deviational_ellipse, local_moran, mean_centre, moran_scatter, spatial_markov

pytestmark = pytest.mark.usefixtures("figure_style")


def mainland(level: str) -> list[int]:
    return [int(code) for code in load_boundaries(level).index if code not in (710000, 810000, 820000)]


def line(n: int) -> np.ndarray:
    return np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)


@pytest.fixture(scope="module")
def local():
    """Clusters of every kind on a line through all cities on the mainland."""
    cities = mainland("city")
    y = pd.Series(np.random.default_rng(0).normal(size=len(cities)), cities)
    y.iloc[20:60] += 4
    y.iloc[100:140] -= 4
    y.iloc[[40, 120]] *= -1
    return local_moran(y, line(len(cities)), 999, fdr=False, alpha=0.1)


@pytest.fixture(scope="module")
def edges() -> pd.DataFrame:
    random = np.random.default_rng(1)
    pairs = [(310000, 320500), (320500, 330100), (310000, 110000), (110000, 130200), (440300, 440100)]
    rows = [(a, b, s) for (a, b), s in zip(pairs, [90.0, 40.0, 10.0, 30.0, 60.0], strict=True)]
    cities = mainland("city")
    rows += [(*random.choice(cities, 2, replace=False).tolist(), 1.0) for _ in range(20)]
    return pd.DataFrame(rows, columns=["origin", "destination", "strength"])


def provinces_by_year() -> pd.Series:
    index = pd.MultiIndex.from_product([mainland("province"), [2019, 2020, 2021]], names=["adcode", "year"])
    return pd.Series(np.random.default_rng(2).uniform(1, 9, len(index)), index)


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def quiet(plot) -> Figure:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        assert png(figure).startswith(b"\x89PNG")
    return figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()]


def check_country(figure: Figure) -> None:
    """What every map of the whole country must show."""
    shown = "\n".join(texts(figure))
    assert "approval number GS(2024)0650" in shown and "500 km" in shown
    assert "South China Sea" in shown and "Source: s" in shown
    dashes = len(load_national_line().explode())
    (inset,) = figure.axes[0].child_axes
    for axes in (figure.axes[0], inset):
        assert dashes in [len(c.get_segments()) for c in axes.collections if isinstance(c, LineCollection)]


# Maps


@pytest.mark.parametrize("region", [None, *REGIONS])
def test_a_cluster_map_fills_each_unit_by_its_kind_and_counts_them(local, region):
    figure = quiet(lambda: maps.lisa_map(local, source="s", region=region))
    units = load_boundaries("city", region).index
    kinds = local.table["cluster"].reindex(units)
    filled = figure.axes[0].collections[0]
    assert isinstance(filled, PatchCollection)
    looks = [CLUSTER_LOOKS[kind][0] if isinstance(kind, str) else "#f4f4f4" for kind in kinds]
    assert [mpl.colors.to_hex(colour) for colour in filled.get_facecolor()] == looks
    labels = legend_labels(figure)
    for kind, (_, _, (label, _)) in CLUSTER_LOOKS.items():
        assert f"{label} ({(kinds == kind).sum()})" in labels
    assert ("No data" in labels) == bool(kinds.isna().any())
    assert "p ≤ 0.1, 999 permutations" in "\n".join(texts(figure))
    if region is None:
        check_country(figure)
        assert set(kinds.dropna()) == set(CLUSTER_LOOKS)
    else:
        assert "approval number GS(2024)0650" in "\n".join(texts(figure))


def test_low_clusters_and_outliers_are_hatched_so_that_grey_tells_them_apart(local):
    figure = maps.lisa_map(local, source="s")
    hatched = [c for c in figure.axes[0].collections if isinstance(c, PatchCollection) and c.get_hatch()]
    kinds = local.table["cluster"]
    counts = {look[1]: (kinds == kind).sum() for kind, look in CLUSTER_LOOKS.items() if look[1]}
    counts[NO_DATA_HATCH] = (~load_boundaries("city").index.isin(kinds.index)).sum()
    assert {c.get_hatch(): len(c.get_paths()) for c in hatched} == counts
    assert len({look[1] for kind, look in CLUSTER_LOOKS.items() if kind != "ns"}) == 4


def test_a_cluster_map_of_provinces_has_their_shapes():
    result = local_moran(pd.Series(np.arange(31.0), mainland("province")), line(31), 99)
    figure = maps.lisa_map(result, source="s", level="province")
    assert len(figure.axes[0].collections[0].get_paths()) == 34
    check_country(figure)


def test_clusters_that_are_not_on_the_map_are_refused(local):
    elsewhere = local_moran(pd.Series(np.arange(9.0)), line(9), 9)
    with pytest.raises(InvalidInputError, match="indexed by the units' adcodes"):
        maps.lisa_map(elsewhere, source="s")
    with pytest.raises(UnknownNameError, match="did you mean 'yrd'"):
        maps.lisa_map(local, source="s", region="yrdd")
    with pytest.raises(InvalidInputError, match=r"kinds without a colour: XX; expected HH"):
        odd = local.table.assign(cluster="XX")
        maps.lisa_map(type(local)(odd, 0.1, False, "total", "less", 9, 9, 0, True), source="s")


def test_a_network_map_draws_links_by_kind_between_their_cities(edges):
    figure = quiet(lambda: maps.network_map(edges, region="yrd", source="s", top=5, hubs=3))
    check_country(figure)
    labels = legend_labels(figure)
    assert {"within YRD (2)", "across its border (1)", "elsewhere (2)"} < set(labels)
    assert "the strongest 5 of 25" in "\n".join(texts(figure))
    links = [c for c in figure.axes[0].collections if isinstance(c, LineCollection) and c.get_zorder() in (4, 5, 6)]
    links = [c for c in links if all(len(segment) == 2 for segment in c.get_segments())]
    within = next(c for c in links if c.get_zorder() == 6)
    cities = load_boundaries("city").to_crs(ALBERS).geometry
    # The weakest are drawn first.
    ends = [cities[code] for code in (320500, 330100, 310000, 320500)]
    points = gpd.GeoSeries.from_xy(*np.concatenate(within.get_segments()).T, crs=ALBERS)
    assert all(city.contains(point) for city, point in zip(ends, points, strict=True))
    widths = within.get_linewidths()
    assert (widths[1] - 0.3) / (widths[0] - 0.3) == pytest.approx(math.sqrt(90 / 40))


def test_a_network_map_of_a_region_has_only_the_links_within(edges):
    figure = quiet(lambda: maps.network_map(edges, region="yrd", source="s", whole=False))
    (within,) = [label for label in legend_labels(figure) if label.startswith("within")]
    inside = edges[["origin", "destination"]].isin(REGIONS["yrd"].adcodes("city")).all(axis=1).sum()
    assert within == f"within YRD ({inside})"
    assert {unit.name_en.split(" (")[0] for unit in REGIONS["yrd"].cities} < set(texts(figure))


def test_hubs_are_named_where_there_is_room(edges):
    figure = maps.network_map(edges, region="bth", source="s", top=5, hubs=2)
    named = {"Shanghai", "Suzhou", "Beijing", "Shenzhen", "Guangzhou", "Hangzhou", "Tangshan"} & set(texts(figure))
    assert len(named) == 2 and named & {"Shanghai", "Suzhou", "Beijing"}


def test_links_that_cannot_be_drawn_are_refused(edges):
    with pytest.raises(InvalidInputError, match="no column strength"):
        maps.network_map(edges.drop(columns="strength"), region="yrd", source="s")
    with pytest.raises(InvalidInputError, match="between cities by adcode"):
        maps.network_map(edges.assign(origin=1), region="yrd", source="s")
    with pytest.raises(InvalidInputError, match="at least one"):
        maps.network_map(edges[edges["origin"] == 440300], region="yrd", source="s", whole=False)


@pytest.mark.parametrize("region", [None, "yrd"])
def test_an_ellipse_map_draws_the_ellipses_and_centres_of_its_periods(region):
    ellipse = deviational_ellipse(load_boundaries("province").to_crs(ALBERS), provinces_by_year())
    figure = quiet(lambda: maps.ellipse_map(ellipse, source="s", region=region))
    axes = figure.axes[0]
    outlines = [c.get_segments()[0] for c in axes.collections if isinstance(c, LineCollection) and c.get_zorder() == 5]
    assert len(outlines) == 2
    for outline, year in zip(outlines, (2019, 2021), strict=True):
        row = ellipse.table.loc[year]
        away = np.hypot(*(outline - [row["x"], row["y"]]).T) / 1000
        assert [away.max(), away.min()] == pytest.approx([row["major"], row["minor"]], rel=1e-3)
        assert f"{year}: {row['major']:,.0f} × {row['minor']:,.0f} km" in legend_labels(figure)
    centres = [c.get_offsets()[0] for c in axes.collections if isinstance(c, PathCollection)]
    np.testing.assert_allclose(centres, ellipse.table.loc[[2019, 2021], ["x", "y"]])
    if region is None:
        check_country(figure)


def test_ellipses_that_do_not_fit_the_map_are_refused():
    weights = provinces_by_year()
    other = deviational_ellipse(load_boundaries("province").to_crs(3857), weights)
    with pytest.raises(InvalidInputError, match="another projection"):
        maps.ellipse_map(other, source="s")
    ellipse = deviational_ellipse(load_boundaries("province").to_crs(ALBERS), weights)
    with pytest.raises(UnknownNameError, match="period 2030"):
        maps.ellipse_map(ellipse, source="s", periods=[2030])
    longer = pd.concat([weights, weights.rename(lambda year: year + 3, level=1)])
    ellipse = deviational_ellipse(load_boundaries("province").to_crs(ALBERS), longer)
    with pytest.raises(InvalidInputError, match="at most 4"):
        maps.ellipse_map(ellipse, source="s", periods=range(2019, 2024))


# Plots


def test_a_moran_plot_has_its_points_its_slope_and_the_names_asked_for():
    y = pd.Series(np.random.default_rng(3).normal(size=30), [f"u{i}" for i in range(30)])
    scatter = moran_scatter(y, line(30))
    low, high = y.idxmin(), y.idxmax()
    figure = quiet(
        lambda: figures.moran_plot(
            scatter,
            "z",
            "lag 滞后",
            highlight={low: "低", high: "高", "u3": ""},
            highlight_label="chosen 选",
        )
    )
    axes = figure.axes[0]
    others, chosen = (c.get_offsets() for c in axes.collections if isinstance(c, PathCollection))
    assert (len(others), len(chosen)) == (27, 3)
    drawn = {tuple(row) for row in np.concatenate([others, chosen]).round(9)}
    assert drawn == {tuple(row) for row in scatter.table[["z", "lag"]].to_numpy().round(9)}
    x, height = axes.lines[-1].get_data()
    assert (height[1] - height[0]) / (x[1] - x[0]) == pytest.approx(scatter.slope)
    assert {"低", "高", "HH high-high", "LL low-low", "HL high-low", "LH low-high"} < set(texts(figure))
    assert f"slope = I = {scatter.slope:.3f}" in legend_labels(figure)
    assert quiet(lambda: figures.moran_plot(scatter, "x", "y"))


def test_names_without_room_are_left_out_and_the_first_come_first():
    axes = plt.figure().add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = pd.DataFrame({"x": [0.5, 0.51, 0.1, 0.9], "y": [0.5, 0.5, 0.1, 0.9], "name": ["甲", "乙", "", "丙"]})
    figures.name_points(axes, points)
    assert [text.get_text() for text in axes.texts] == ["甲", "丙"]
    figures.name_points(axes, points[::-1], 1)
    assert axes.texts[-1].get_text() == "丙" and len(axes.texts) == 3


def test_a_name_that_would_run_over_the_right_edge_ends_at_it():
    axes = plt.figure().add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figures.name_points(axes, pd.DataFrame({"x": [0.5, 0.95], "y": [0.5, 0.5], "name": ["Wuxi", "Suzhou (Jiangsu)"]}))
    axes.figure.canvas.draw()
    inside, edge = (text.get_window_extent() for text in axes.texts)
    assert inside.x0 > axes.transData.transform((0.5, 0.5))[0]
    assert edge.x1 == pytest.approx(axes.bbox.x1, abs=1)


def test_a_path_lies_as_far_from_its_start_as_the_centre_moved():
    places = gpd.GeoSeries.from_xy([105, 106, 105], [30, 30, 31], index=list("abc"), crs=4326).to_crs(ALBERS)
    index = pd.MultiIndex.from_product([list("abc"), [2019, 2020, 2021]], names=["unit", "year"])
    centre = mean_centre(places, pd.Series([1.0, 0, 0, 0, 1, 0, 0, 0, 1], index))
    figure = quiet(lambda: figures.centre_path({"GDP 产值": centre.table, "other 其他": centre.table}, every=1))
    path = figure.axes[0].lines[2]
    east, north = path.get_data()
    assert np.hypot(east[-1], north[-1]) == pytest.approx(centre.total["distance"])
    assert np.hypot(east[1], north[1]) == pytest.approx(centre.table.loc[2020, "distance"])
    assert east[1] > 90 and abs(north[1]) < 1 and north[2] > 100 and abs(east[2]) < 1e-6
    assert [text.get_text() for text in figure.axes[0].texts] == ["2021", "2019", "2020"]
    with pytest.raises(InvalidInputError, match="between one and 4"):
        figures.centre_path({})


def test_transition_heat_maps_write_every_probability():
    index = pd.MultiIndex.from_product([range(30), range(2010, 2018)], names=["unit", "year"])
    values = 50 + np.random.default_rng(4).normal(size=(30, 8)).cumsum(axis=1)
    markov = spatial_markov(pd.DataFrame({"x": values.ravel()}, index), "x", line(30), 3)
    figure = quiet(lambda: figures.transition_heatmaps(markov))
    assert len(figure.axes) == 4
    for axes, name in zip(figure.axes, ["all", 1, 2, 3], strict=True):
        matrix = markov.matrix(name).to_numpy()
        assert [t.get_text() for t in axes.texts] == ["–" if np.isnan(v) else f"{v:.2f}" for v in matrix.ravel()]

"""Plots of composite indices and of specialisation: what is drawn where, in both languages, without a warning."""

from __future__ import annotations

import io
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from clusterlib import figures
from clusterlib.agglomeration import rank_size

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "数字产业集群：京津冀、长三角"
LABELS = {"bth": "BTH 京津冀", "yrd": "YRD 长三角", "rest": "Rest 其他"}
RANKS = pd.DataFrame({"baseline": [1, 2, 3], "equal": [2, 1, 3], "pca": [1, 3, 2]}, index=["上海", "北京", "广东"])
DEGREES = pd.DataFrame({2022: [0.05, 0.43, 0.95], 2023: [0.15, 0.53, 1.0]}, index=["甘肃", "湖南", "北京"])
QUOTIENTS = pd.DataFrame({"software 软件": [2.0, 0.1], "textiles 纺织": [1.0, 6.0]}, index=["北京", "浙江"])
INTERVALS = pd.DataFrame(
    {"quotient": [2.0, 1.2, 0.5, 0.9], "lower": [1.8, 1.1, 0.4, 0.8], "upper": [2.2, 1.4, 0.6, 1.1]},
    index=pd.MultiIndex.from_product([["bth", "yrd"], ["software", "textiles"]], names=["region", "industry"]),
)
POINTS = pd.DataFrame(
    {"x": [1.0, 2.0, 3.0], "y": [0.5, 0.1, -1.0], "region": ["bth", "yrd", "rest"]}, index=["北京", "上海", "甘肃"]
)
CITIES = rank_size(pd.Series([60.0, 30.0, 20.0, 15.0, 12.0]))


def ranges() -> Figure:
    return figures.rank_ranges(RANKS, ("北京",), title=CHINESE)


def grades() -> Figure:
    return figures.grade_heatmap(DEGREES, ("北京",), title=CHINESE)


def quotients() -> Figure:
    return figures.quotient_heatmap(QUOTIENTS, ("北京",), title=CHINESE)


def intervals() -> Figure:
    return figures.region_intervals(INTERVALS, {k: LABELS[k] for k in ("bth", "yrd")}, "quotient 区位熵", title=CHINESE)


def scatter() -> Figure:
    return figures.region_scatter(POINTS, LABELS, "x", "complexity 复杂度", title=CHINESE)


def rank_sizes() -> Figure:
    return figures.rank_size_plot({"bth": CITIES.table}, LABELS, "GDP 地区生产总值", title=CHINESE)


@pytest.mark.parametrize("plot", [ranges, grades, quotients, intervals, scatter, rank_sizes], ids=lambda f: f.__name__)
def test_each_plot_is_a_figure_that_saves_without_any_warning(plot):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight")
    assert len(buffer.getvalue()) > 5000
    assert figure.axes[0].get_title("left") == CHINESE


def test_rank_ranges_reach_from_the_best_to_the_worst_rank_with_the_first_column_as_dot():
    axes = ranges().axes[0]
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == ["广东", "▶ 北京", "上海"]
    spans = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert spans == [[2, 3], [1, 3], [1, 2]]
    assert list(axes.lines[-1].get_xdata()) == [3, 2, 1]


def test_a_grade_heat_map_writes_each_degree_and_names_ten_grades():
    figure = grades()
    assert [t.get_text() for t in figure.axes[0].texts] == ["0.05", "0.15", "0.43", "0.53", "0.95", "1.00"]
    image = figure.axes[0].collections[0]
    assert image.norm(0.43) == 4 and image.norm(0.53) == 5
    shown = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert len(shown) == 10 and shown[0] == "1 extreme imbalance" and shown[-1] == "10 quality coordination"
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["甘肃", "湖南", "▶ 北京"]


def test_a_quotient_heat_map_writes_each_quotient_in_black_from_one_up_on_a_bounded_scale():
    axes = quotients().axes[0]
    inks = {t.get_text(): t.get_color() for t in axes.texts}
    assert inks == {"2.00": "black", "1.00": "black", "0.10": figures.NEUTRAL, "6.00": "black"}
    assert np.asarray(axes.collections[0].get_array()).reshape(2, 2).tolist() == [[1, 0], [-2, 2]]


def test_region_intervals_have_the_marks_of_their_regions_side_by_side():
    axes = intervals().axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    assert list(drawn["BTH 京津冀"].get_xdata()) == [2.0, 1.2]
    assert drawn["BTH 京津冀"].get_marker() == figures.REGION_MARKS["bth"].marker
    assert (drawn["BTH 京津冀"].get_ydata() > drawn["YRD 长三角"].get_ydata()).all()
    assert [round(y) for y in drawn["YRD 长三角"].get_ydata()] == [1, 0]
    spans = [segment[:, 0].tolist() for segment in axes.collections[1].get_segments()]
    assert spans == [[0.4, 0.6], [0.8, 1.1]]
    assert axes.get_xscale() == "log"


def test_a_name_stands_to_the_left_where_another_point_is_on_the_right():
    axes = plt.figure().add_subplot()
    points = pd.DataFrame({"x": [0.0, 0.96, 1.0], "y": [0.0, 1.0, 1.0]}, index=["far", "left", "right"])
    axes.plot(points["x"], points["y"], "o")
    figures.label_points(axes, points)
    assert [text.get_ha() for text in axes.texts] == ["left", "right", "left"]


def test_a_region_scatter_names_the_units_of_regions_and_not_the_rest():
    axes = scatter().axes[0]
    assert [t.get_text() for t in axes.texts] == ["北京", "上海"]
    assert [line.get_label() for line in axes.lines] == list(LABELS.values())


def test_a_rank_size_plot_draws_cities_and_the_fitted_line_the_largest_on_top():
    axes = rank_sizes().axes[0]
    assert list(axes.lines[0].get_xdata()) == [60, 30, 20, 15, 12]
    assert list(axes.lines[0].get_ydata()) == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(axes.lines[1].get_xdata(), CITIES.table["fitted"])
    assert axes.yaxis_inverted()

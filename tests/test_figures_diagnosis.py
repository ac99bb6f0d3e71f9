"""Plots of the four syndromes: what is drawn where, gaps for what is not identified, both languages, no warning."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from clusterlib import figures

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "四类症候：京津冀、长三角、大湾区"
LABELS = {"bth": "BTH", "yrd": "YRD"}
SYNDROMES = ["Data dormancy\n数据沉睡", "Architecture\n架构失衡", "Isolation\n生态孤立", "Governance\n治理失衡"]
SEVERITY = pd.DataFrame([[60, 20, 40, 90], [30, 10, 20, np.nan]], index=list(LABELS), columns=SYNDROMES)
PATHS = pd.DataFrame(
    {"severity": [60, 50, 30, np.nan], "lower": [50, 45, 20, np.nan], "upper": [65, 60, 45, np.nan]},
    index=pd.MultiIndex.from_product([list(LABELS), [2022, 2023]], names=["region", "year"]),
)
BORDER = pd.DataFrame(
    {
        "within": [0.6, np.nan],
        "within_lower": [0.5, np.nan],
        "within_upper": [0.7, np.nan],
        "across": [0.2, np.nan],
        "across_lower": [0.1, np.nan],
        "across_upper": [0.3, np.nan],
    },
    index=["nation 全国", "GBA 大湾区"],
)
DISTANCE = pd.DataFrame(
    {"within": [0.5, 0.4], "pairs_within": [20, 30], "across": [0.1, np.nan], "pairs_across": [5, 0]},
    index=pd.Index([100, 200], name="kilometres"),
)


def radar() -> Figure:
    return figures.severity_radar(SEVERITY, (SEVERITY - 5).mask(SEVERITY == 10, 0), SEVERITY + 5, LABELS, CHINESE)


def heatmap() -> Figure:
    return figures.severity_heatmap(SEVERITY.rename(index=LABELS), CHINESE, ("YRD",), "severity")


def paths() -> Figure:
    return figures.severity_paths(dict.fromkeys(SYNDROMES[:3], PATHS), LABELS, CHINESE, "severity")


def border() -> Figure:
    return figures.border_plot(BORDER, CHINESE, "ρ")


def distance() -> Figure:
    return figures.distance_plot(DISTANCE, CHINESE, "correlation")


@pytest.mark.parametrize("plot", [radar, heatmap, paths, border, distance], ids=lambda f: f.__name__)
def test_each_plot_is_a_figure_that_saves_without_any_warning(plot):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight")
    assert len(buffer.getvalue()) > 5000
    assert CHINESE in (figure.axes[0].get_title("left"), figure.get_suptitle())


def test_a_radar_closes_its_lines_and_says_what_is_not_identified():
    axes = radar().axes[0]
    first, hollow, second, none = axes.lines
    # Only the least severe of all has an interval that reaches nil.
    assert list(hollow.get_ydata()) == [] and list(none.get_ydata()) == [10]
    assert none.get_markerfacecolor() == "white"
    assert list(first.get_ydata()) == [60, 20, 40, 90, 60]
    assert first.get_xdata()[0] == first.get_xdata()[-1]
    assert np.isnan(second.get_ydata()[3])
    names = [t.get_text() for t in axes.get_xticklabels()]
    assert names[:3] == SYNDROMES[:3]
    assert names[3] == f"{SYNDROMES[3]}\n(not identified: YRD)"
    assert axes.get_ylim() == (0, 100)
    spans = [sorted(segment[:, 1]) for segment in axes.collections[0].get_segments()]
    assert spans == [[55, 65], [15, 25], [35, 45], [85, 95]]
    assert first.get_marker() == figures.REGION_MARKS["bth"].marker


def test_a_heat_map_writes_severities_and_a_dash_for_none():
    axes = heatmap().axes[0]
    assert [t.get_text() for t in axes.texts] == ["60", "20", "40", "90", "30", "10", "20", "–"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["BTH", "▶ YRD"]
    assert axes.images[0].get_clim() == (0, 100)


def test_paths_have_a_panel_a_syndrome_on_one_scale_and_their_intervals():
    figure = paths()
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in visible] == SYNDROMES[:3]
    assert {axes.get_ylim() for axes in visible} == {(-3, 103)}
    line = visible[0].lines[0]
    assert list(line.get_ydata()) == [60, 50]
    np.testing.assert_allclose(line.get_xdata(), [2022, 2023], atol=0.1)
    spans = [sorted(segment[:, 1]) for segment in visible[0].collections[0].get_segments()]
    assert spans == [[50, 65], [45, 60]]


def test_a_border_plot_sets_within_beside_across_and_leaves_a_missing_row_empty():
    axes = border().axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    assert drawn["within provinces"].get_xdata()[0] == 0.6
    assert drawn["across provinces"].get_xdata()[0] == 0.2
    assert np.isnan(drawn["within provinces"].get_xdata()[1])
    assert drawn["within provinces"].get_marker() != drawn["across provinces"].get_marker()
    spans = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments() if len(segment)]
    assert spans == [[0.5, 0.7]]
    # Read from top to bottom, the first row stands highest.
    assert [t.get_text() for t in axes.get_yticklabels()] == list(BORDER.index)
    assert axes.get_yticks()[0] > axes.get_yticks()[1]


def test_a_distance_plot_names_classes_and_numbers_of_pairs():
    axes = distance().axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["< 100", "100–200"]
    assert [t.get_text() for t in axes.texts] == ["20", "30", "5"]
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert drawn["within provinces"] == [0.5, 0.4]

"""Plots of borders: what is drawn where, gaps for what is not identified, both languages, no warning."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from clusterlib import figures

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "省界效应：京津冀、长三角、大湾区"
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


def border() -> Figure:
    return figures.border_plot(BORDER, "ρ", title=CHINESE)


def distance() -> Figure:
    return figures.distance_plot(DISTANCE, "correlation", title=CHINESE)


@pytest.mark.parametrize("plot", [border, distance], ids=lambda f: f.__name__)
def test_each_plot_is_a_figure_that_saves_without_any_warning(plot):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", bbox_inches="tight")
    assert len(buffer.getvalue()) > 5000
    assert CHINESE in (figure.axes[0].get_title("left"), figure.get_suptitle())


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

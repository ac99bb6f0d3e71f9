"""Plots of inequality and convergence: what is drawn where, in both languages, told apart without colour."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from clusterlib import figures
from clusterlib.errors import InvalidInputError
from clusterlib.inequality import dagum_gini_by, kernel_density

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "区域差异：京津冀、长三角"
LABELS = {"bth": "BTH 京津冀", "yrd": "YRD 长三角"}
YEARS = [2020, 2021, 2022]
INDEX = pd.MultiIndex.from_product([range(8), YEARS], names=["unit", "year"])
DATA = pd.DataFrame({"income": np.random.default_rng(0).lognormal(size=24)}, index=INDEX)
DAGUM = dagum_gini_by(DATA, "income", {unit: unit % 2 for unit in range(8)})
DENSITY = kernel_density(DATA, "income", grid=50)
LINES = {
    LABELS["bth"]: pd.DataFrame(
        {"estimate": [0.2, 0.3, 0.4], "lower": [0.1, 0.2, 0.3], "upper": [0.3, 0.4, 0.5]}, YEARS
    ),
    LABELS["yrd"]: pd.DataFrame(
        {"estimate": [0.5, 0.4, 0.3], "lower": [0.4, 0.3, 0.2], "upper": [0.6, 0.5, 0.4]}, YEARS
    ),
}
POINTS = pd.DataFrame(
    {
        "initial": [1.0, 2.0, 3.0],
        "growth": [5.0, 4.0, 2.0],
        "group": ["bth", "yrd", "yrd"],
        "name": ["北京", "", "上海"],
    }
)
PATHS = pd.DataFrame([[1.2, 1.1, 1.0], [0.8, 0.9, 1.0], [0.9, 0.7, 0.5], [1.1, 1.3, 1.5]], columns=YEARS)
CLUBS = pd.Series([1, 1, 2, 0])


def stacks() -> Figure:
    return figures.decomposition_bars({"one 甲": DAGUM.table, "two 乙": DAGUM.table / 2}, title=CHINESE)


def intervals() -> Figure:
    marks = {LABELS[code]: figures.REGION_MARKS[code] for code in LABELS}
    return figures.interval_lines(LINES, marks, "Gini 基尼系数", title=CHINESE)


def scatter() -> Figure:
    return figures.growth_scatter(POINTS, figures.REGION_MARKS, LABELS, (6.0, -1.0), title=CHINESE)


def paths() -> Figure:
    return figures.club_paths(PATHS, CLUBS, title=CHINESE)


def ridges() -> Figure:
    return figures.density_ridges(DENSITY.wide(), "income 收入", title=CHINESE)


@pytest.mark.parametrize("plot", [stacks, intervals, scatter, paths, ridges], ids=lambda f: f.__name__)
def test_each_plot_is_a_figure_that_saves_without_any_warning(plot):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        figure.savefig(buffer, format="png", bbox_inches="tight")
    assert len(buffer.getvalue()) > 5000
    assert CHINESE in "\n".join(text.get_text() for text in figure.findobj(Text))


def test_stacked_parts_end_at_the_gini_and_carry_their_share():
    first, second = stacks().axes
    ends = [[bar.get_y() + bar.get_height() for bar in container] for container in first.containers]
    np.testing.assert_allclose(ends[-1], DAGUM.table["total"])
    np.testing.assert_allclose(ends[0], DAGUM.table["within"])
    assert len({container[0].get_hatch() for container in first.containers}) == 3
    shares = DAGUM.table[[f"{part}_contribution" for part in ("within", "between", "transvariation")]].to_numpy()
    assert len(first.texts) == (shares >= 5).sum()
    assert f"{shares[0, 0]:.0f}" in [text.get_text() for text in first.texts]
    assert second.get_ylim() == first.get_ylim()


def test_intervals_stand_at_their_estimates_in_the_marks_of_their_series():
    axes = intervals().axes[0]
    for line, spans, (label, table) in zip(axes.lines, axes.collections, LINES.items(), strict=True):
        assert line.get_label() == label and list(line.get_ydata()) == table["estimate"].tolist()
        assert [tuple(s[:, 1]) for s in spans.get_segments()] == list(zip(table["lower"], table["upper"], strict=True))
    assert axes.lines[0].get_marker() != axes.lines[1].get_marker()
    assert axes.lines[0].get_xdata()[0] < 2020 < axes.lines[1].get_xdata()[0]


def test_growth_is_marked_by_group_named_where_asked_and_has_its_line():
    axes = scatter().axes[0]
    assert [len(points.get_offsets()) for points in axes.collections] == [1, 2]
    assert [text.get_text() for text in axes.texts] == ["北京", "上海"]
    assert list(axes.lines[0].get_ydata()) == [5.0, 3.0]


def test_clubs_are_drawn_by_their_means_and_told_apart_by_line():
    thick = [line for line in paths().axes[0].lines if line.get_linewidth() == 2]
    assert [line.get_label().split(" (")[0] for line in thick] == ["Club 1", "Club 2", "Divergent"]
    np.testing.assert_allclose(thick[0].get_ydata(), PATHS.iloc[:2].mean())
    assert len({str(line.get_linestyle()) for line in thick}) == 3


def test_paths_that_are_multiples_can_stand_on_a_scale_in_logarithms():
    axes = figures.club_paths(PATHS, CLUBS, log=True).axes[0]
    axes.figure.canvas.draw()
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert axes.get_yscale() == "log" and {"0.5", "1"} <= set(shown)


def test_more_clubs_than_can_be_told_apart_are_refused():
    with pytest.raises(InvalidInputError, match="8 clubs: the figure can tell 6 apart"):
        figures.club_paths(pd.DataFrame(np.ones((8, 3)), columns=YEARS), pd.Series(range(1, 9)))


def test_ridges_stand_from_the_first_period_down_on_one_scale():
    axes = ridges().axes[0]
    outlines = [line for line in axes.lines if len(line.get_xdata()) == 50]
    wide = DENSITY.wide()
    heights = [line.get_ydata() - base for line, base in zip(outlines, (2, 1, 0), strict=True)]
    np.testing.assert_allclose(np.array(heights).T / wide.to_numpy(), 1.6 / wide.to_numpy().max(), rtol=1e-6)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["2020", "2021", "2022"]

"""Plots of specification curves: what is drawn where, in both languages, without a warning."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from clusterlib import figures
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.figures._regression import SIGNS

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "设定曲线：直接效应"
TABLE = pd.DataFrame(
    {
        "index": ["entropy", "entropy", "equal", "equal"],
        "weights": ["near", "far", "near", "far"],
        "estimate": [0.3, -0.2, 0.1, 0.4],
        "lower": [0.1, -0.3, -0.1, -0.2],
        "upper": [0.5, -0.1, 0.3, 1.0],
        "p_value": [0.01, 0.04, 0.3, 0.2],
        "p_null": [0.2, 0.3, 0.3, 0.01],
    }
)
LABELS = {
    "index": {"entropy": "entropy 熵权", "equal": "equal 等权", "pca": "unused"},
    "weights": {"near": "近", "far": "远"},
}
MAIN = {"index": "equal", "weights": "near"}
BAND = pd.DataFrame({"lower": [-1.0, -0.5], "median": [0.0, 0.0], "upper": [0.5, 1.0]}, index=[1, 2])


def curve(**options) -> Figure:
    return figures.specification_curve_plot(TABLE, LABELS, "log points 对数点", main=MAIN, title=CHINESE, **options)


def comparison() -> Figure:
    panels = {
        "direct 直接": {"all 全部": pd.Series([0.3, -0.2]), "without 剔除": pd.Series([0.1, 0.0, -0.4])},
        "total 总": {"all 全部": pd.Series([2.0, 1.0])},
    }
    return figures.curve_comparison(panels, "log points 对数点", {"direct 直接": BAND}, title=CHINESE)


def dots(axes, colour: str) -> dict:
    line = next(line for line in axes.lines if line.get_marker() == "." and line.get_color() == colour)
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))


@pytest.mark.parametrize("draw", [curve, comparison])
def test_plots_draw_chinese_without_a_missing_glyph(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=80)


def test_estimates_stand_sorted_with_their_intervals_coloured_by_sign_and_significance():
    above = curve().axes[0]
    positive, negative, neither = (colour for _, colour in SIGNS.values())
    assert dots(above, positive) == {3: 0.3}
    assert dots(above, negative) == {1: -0.2}
    assert dots(above, neither) == {2: 0.1, 4: 0.4}
    ends = [s for c in above.collections if isinstance(c, LineCollection) for s in c.get_segments()]
    drawn = {segment[0, 0]: tuple(segment[:, 1]) for segment in ends}
    assert drawn == {1: (-0.3, -0.1), 2: (-0.1, 0.3), 3: (0.1, 0.5), 4: (-0.2, 1.0)}
    legend = [text.get_text() for text in above.get_legend().get_texts()]
    assert "positive, significant (1)" in legend and "not significant (2)" in legend


def test_the_level_and_the_p_values_may_be_chosen():
    positive = SIGNS["positive"][1]
    assert dots(curve(p_value="p_null").axes[0], positive) == {4: 0.4}
    assert dots(curve(alpha=0.25).axes[0], positive) == {3: 0.3, 4: 0.4}


def test_marks_stand_under_the_estimate_in_the_row_of_the_option_chosen():
    below = curve().axes[1]
    assert [label.get_text() for label in below.get_yticklabels()] == ["entropy 熵权", "equal 等权", "近", "远"]
    marks = set()
    for collection in below.collections:
        if isinstance(collection, LineCollection):
            marks |= {(segment[0, 0], round(segment[:, 1].mean())) for segment in collection.get_segments()}
    # Sorted: entropy and far, equal and near, entropy and near, equal and far.
    assert marks == {(1, 0), (1, 3), (2, 1), (2, 2), (3, 0), (3, 2), (4, 1), (4, 3)}
    texts = [text.get_text() for text in below.texts]
    assert texts == ["0.05", "0.25", "0.20", "0.10", "median"]
    assert below.get_ylim()[0] > below.get_ylim()[1]


def test_the_main_specification_is_marked_in_both_panels():
    above, below = curve().axes
    diamond = next(line for line in above.lines if line.get_marker() == "D")
    assert (list(diamond.get_xdata()), list(diamond.get_ydata())) == ([2], [0.1])
    assert any(list(line.get_xdata()) == [2, 2] for line in below.lines)
    plain = figures.specification_curve_plot(TABLE, LABELS, "")
    assert not any(line.get_marker() == "D" for line in plain.axes[0].lines)


def test_one_wide_interval_does_not_set_the_scale():
    many = pd.concat([TABLE] * 60, ignore_index=True)
    many.loc[0, ["lower", "upper"]] = [-500.0, 500.0]
    low, high = figures.specification_curve_plot(many, LABELS, "").axes[0].get_ylim()
    assert -2 < low < -0.2 and 0.4 < high < 2


def test_a_curve_that_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidInputError, match="no specification"):
        figures.specification_curve_plot(TABLE.iloc[:0], LABELS, "")
    with pytest.raises(UnknownNameError, match="unknown choice 'period'"):
        figures.specification_curve_plot(TABLE, {"period": {}}, "")
    with pytest.raises(InvalidInputError, match="2 specifications with"):
        figures.specification_curve_plot(TABLE, LABELS, "", main={"index": "equal"})


def test_compared_curves_are_sorted_each_by_itself_over_the_whole_axis():
    left, right = comparison().axes
    first, second = (line for line in left.lines if line.get_label().startswith(("all", "without")))
    np.testing.assert_allclose(first.get_xydata(), [[25, -0.2], [75, 0.3]])
    np.testing.assert_allclose(second.get_xydata(), [[100 / 6, -0.4], [50, 0.0], [500 / 6, 0.1]])
    assert first.get_linestyle() != second.get_linestyle()
    assert len(left.collections) == 1 and not right.collections
    outline = left.collections[0].get_paths()[0].vertices
    for corner in ([25, -1.0], [25, 0.5], [75, -0.5], [75, 1.0]):
        assert np.isclose(outline, corner).all(axis=1).any()


def test_comparison_refuses_panels_without_curves_and_more_than_lines():
    for panels in ({}, {"direct": {}}, {"direct": {str(i): pd.Series([1.0]) for i in range(5)}}):
        with pytest.raises(InvalidInputError, match="one to 4 curves"):
            figures.curve_comparison(panels, "")

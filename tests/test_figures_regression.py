"""Plots of regressions: what is drawn where, in both languages, without a warning."""

from __future__ import annotations

import io
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from clusterlib import figures
from clusterlib.errors import InvalidInputError

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "空间杜宾模型：直接与间接效应"
FIRST = pd.DataFrame(
    {"estimate": [0.1, -0.2], "lower": [0.0, -0.5], "upper": [0.2, 0.1]}, index=["contiguity 邻接", "nested 嵌套"]
)
SECOND = pd.DataFrame({"estimate": [0.3], "lower": [np.nan], "upper": [np.nan]}, index=["nested 嵌套"])
IMPACTS = pd.DataFrame(
    {f"{kind}{end}": [i + step] for i, kind in enumerate(["direct", "indirect", "total"])
     for end, step in (("", 0.0), ("_lower", -0.5), ("_upper", 0.5))},
    index=["contiguity 邻接"],
)  # fmt: skip
PROFILE = pd.DataFrame(
    {
        "stage": ["first"] * 5 + ["second"],
        "threshold": [0.1, 0.2, 0.3, 0.4, 0.5, 9.0],
        "likelihood_ratio": [9.0, 5.0, 0.0, 8.0, 7.0, 0.0],
        "in_set": [False, True, True, False, True, True],
    }
)


def comparison() -> Figure:
    panels = {"GDP 人均": {"ML 极大似然": FIRST, "Lee-Yu": SECOND}, "upgrading 升级": {"ML 极大似然": FIRST}}
    return figures.coefficient_comparison(
        panels, {"GDP 人均": "log points", "upgrading 升级": "ratio 比值"}, title=CHINESE
    )


def impacts() -> Figure:
    return figures.impacts_plot({"GDP 人均": IMPACTS}, "per tenth 每0.1", title=CHINESE)


def threshold() -> Figure:
    result = SimpleNamespace(profile=PROFILE, critical_value=7.35)
    return figures.threshold_plot({"GDP 人均": result, "upgrading 升级": result}, "index 指数", title=CHINESE)


def points(axes, marker: str) -> tuple[np.ndarray, np.ndarray]:
    line = next(line for line in axes.lines if line.get_marker() == marker)
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


@pytest.mark.parametrize("draw", [comparison, impacts, threshold])
def test_plots_draw_chinese_without_a_missing_glyph(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=80)


def test_comparison_puts_each_estimate_with_its_interval_in_the_row_of_its_name():
    left, right = comparison().axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(FIRST.index)
    np.testing.assert_allclose(left.get_yticks(), [1, 0])
    values, rows = points(left, "o")
    np.testing.assert_allclose(values, FIRST["estimate"])
    other, other_rows = points(left, "s")
    np.testing.assert_allclose(other, [np.nan, 0.3])
    assert (rows > other_rows).all() and (np.abs(rows - [1, 0]) < 0.5).all()
    ends = next(c for c in left.collections if isinstance(c, LineCollection)).get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in ends], FIRST[["lower", "upper"]])
    np.testing.assert_allclose([segment[:, 1] for segment in ends], np.column_stack([rows, rows]))
    assert (left.get_xlabel(), right.get_xlabel()) == ("log points", "ratio 比值")


def test_comparison_names_its_series_once_and_a_single_one_not_at_all():
    assert [text.get_text() for text in comparison().legends[0].get_texts()] == ["ML 极大似然", "Lee-Yu"]
    assert not figures.coefficient_comparison({"": {"": FIRST}}, "").legends


def test_comparison_refuses_panels_without_series_and_more_series_than_markers():
    for panels in ({}, {"GDP": {}}, {"GDP": {str(i): FIRST for i in range(7)}}):
        with pytest.raises(InvalidInputError, match="series"):
            figures.coefficient_comparison(panels, "")


def test_impacts_tell_direct_indirect_and_total_apart():
    figure = impacts()
    drawn = {marker: points(figure.axes[0], marker) for marker in ("o", "s", "^")}
    assert [values[0].tolist() for values in drawn.values()] == [[0.0], [1.0], [2.0]]
    assert len({values[1][0] for values in drawn.values()}) == 3
    segments = [c.get_segments()[0][:, 0].tolist() for c in figure.axes[0].collections]
    assert segments == [[-0.5, 0.5], [0.5, 1.5], [1.5, 2.5]]
    assert [text.get_text().split()[0] for text in figure.legends[0].get_texts()] == ["direct", "indirect", "total"]


def test_threshold_draws_the_first_search_its_set_the_line_and_the_estimate():
    axes = threshold().axes[0]
    curve, inside, line, estimate = axes.lines
    np.testing.assert_allclose(curve.get_xdata(), PROFILE["threshold"][:5])
    np.testing.assert_allclose(inside.get_ydata(), [np.nan, 5, 0, np.nan, 7])
    assert set(line.get_ydata()) == {7.35}
    assert (estimate.get_xdata()[0], estimate.get_ydata()[0]) == (0.3, 0)


def test_threshold_refuses_nothing_to_draw():
    with pytest.raises(InvalidInputError, match="at least one"):
        figures.threshold_plot({}, "")

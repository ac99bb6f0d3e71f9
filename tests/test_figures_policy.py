"""Plots of policy evaluation: what is drawn where, in both languages, without a warning."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from clusterlib import figures

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "宽带中国：京津冀、长三角"
EVENTS = pd.DataFrame(
    {"estimate": [0.1, 0.0, 0.5], "lower": [-0.1, 0.0, 0.2], "upper": [0.3, 0.0, 0.8]}, index=[-2, -1, 0]
)
COMPARISONS = pd.DataFrame(
    {"kind": ["later 后", "never 从未", "never 从未"], "estimate": [-0.1, 0.2, 0.3], "weight": [0.1, 0.4, 0.5]}
)
PATH = pd.DataFrame({"observed": [1.0, 2, 4], "synthetic": [1.0, 2, 3]}, index=[2012, 2013, 2014])


def events() -> Figure:
    bands = EVENTS.assign(band_lower=EVENTS["lower"] - 0.1, band_upper=EVENTS["upper"] + 0.1)
    return figures.event_study_plot({"one 一": bands, "two 二": EVENTS}, "effect 效应", title=CHINESE)


def decomposition() -> Figure:
    return figures.decomposition_plot(COMPARISONS, 0.22, "weight 权重", "estimate 估计", title=CHINESE)


def placebo() -> Figure:
    draws = pd.Series(np.random.default_rng(0).normal(size=200))
    return figures.placebo_plot(
        {"all 全部": draws, "YRD": draws}, {"all 全部": 1.5, "YRD": -0.5}, {"all 全部": 0.1, "YRD": 0.6}, title=CHINESE
    )


def synthetic() -> Figure:
    path = PATH.assign(gap=PATH["observed"] - PATH["synthetic"])
    gaps = pd.DataFrame({"a": [0.0, 0.1, -0.2], "b": [9.0, -9.0, 9.0]}, index=PATH.index)
    return figures.synthetic_control_plot(
        path, gaps, 2014, "output 产出", ("unit 单位", "synthetic 合成"), title=CHINESE
    )


@pytest.mark.parametrize("draw", [events, decomposition, placebo, synthetic])
def test_plots_draw_chinese_without_a_missing_glyph(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=80)


def test_event_study_puts_each_estimate_at_its_time_apart_from_the_other_method():
    axes = events().axes[0]
    first, second = (line for line in axes.lines if line.get_marker() in ("o", "s"))
    np.testing.assert_allclose(first.get_ydata(), EVENTS["estimate"])
    np.testing.assert_allclose((first.get_xdata() + second.get_xdata()) / 2, EVENTS.index)
    assert (first.get_xdata() < second.get_xdata()).all()
    assert first.get_markerfacecolor() != second.get_markerfacecolor()
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert len(lines) == 3
    assert list(axes.get_xticks()) == [-2, -1, 0]


def test_decomposition_shows_every_comparison_and_the_total_weight_of_each_kind():
    axes = decomposition().axes[0]
    points = [line for line in axes.lines if line.get_marker() in ("o", "s")]
    drawn = np.sort(np.concatenate([np.column_stack(line.get_data()) for line in points]), axis=0)
    np.testing.assert_allclose(drawn, np.sort(COMPARISONS[["weight", "estimate"]].to_numpy(float), axis=0))
    text = [t.get_text() for t in axes.get_legend().get_texts()]
    assert "later 后 (0.10)" in text and "never 从未 (0.90)" in text


def test_placebo_marks_the_actual_coefficient_and_its_p_value_in_its_own_panel():
    left, right = placebo().axes
    assert [line.get_xdata()[0] for line in left.lines] == [1.5, -1.5]
    assert [line.get_xdata()[0] for line in right.lines] == [-0.5, 0.5]
    assert sum(bar.get_height() for bar in left.patches) == 200
    assert left.get_title(loc="left").endswith("p = 0.100")


def test_synthetic_control_draws_the_gap_in_a_scale_that_bad_placebos_do_not_set():
    above, below = synthetic().axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), PATH["observed"])
    low, high = below.get_ylim()
    assert -low == high < 28
    assert any(list(line.get_ydata()) == [0, 0, 1] for line in below.lines)

"""Plots of scenarios: what is drawn where, in both languages, without a warning."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from clusterlib import figures

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "对策情景：京津冀、长三角"
PROVINCES = ["Beijing 北京", "Hebei 河北"]


def regimes() -> Figure:
    index = pd.MultiIndex.from_product([PROVINCES, ["alone", "present", "joint"]])
    estimate = np.array([1.0, 1.4, 1.9, 1.3, 1.4, 1.6])
    table = pd.DataFrame({"estimate": estimate, "lower": estimate - 0.1, "upper": estimate + 0.1}, index)
    return figures.regimes_plot(table, "percentage points 百分点", title=CHINESE)


@pytest.mark.parametrize("draw", [regimes])
def test_plots_draw_chinese_without_a_missing_glyph(draw):
    figure = draw()
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=80)


def test_regimes_are_held_against_the_impulse_and_no_interval_is_cut_off():
    axes = regimes().axes[0]
    assert list(axes.lines[0].get_xdata()) == [1, 1]
    low, high = axes.get_xlim()
    assert low < 0.9 and high > 2.0
    joint = next(line for line in axes.lines if line.get_label() == "joint targets")
    assert joint.get_xdata().tolist() == [1.9, 1.6]

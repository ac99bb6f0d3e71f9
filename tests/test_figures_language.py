"""Every plot and map writes its own words in the language spoken, and in no other."""

from __future__ import annotations

import inspect
import re

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_figures_inputs import NO_PLOTS, PLOTS
from test_maps_inputs import GDP, LINE, MAPS

from clusterlib import figures, maps
from clusterlib.core.language import speaking
from clusterlib.spatial import local_moran

pytestmark = pytest.mark.usefixtures("figure_style")

# What has no word of its own; a scale bar is on every map.
WORDLESS = NO_PLOTS | {"city_points", "scale_bar"}
CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")
WORD = re.compile(r"[A-Za-z]{3,}")
NAMES = {"GDP", "FDR", "Albers", "ArcGIS", "CrimeStat", "Yuill"}
ARGUMENTS = PLOTS | MAPS
# What a plot writes in some cases only.
CASES = {
    "china_map": [{"values": GDP.drop(GDP.idxmin())}],
    "ellipse_map": [{"region": None}],
    "lisa_map": [{"local": local_moran(GDP, LINE, permutations=99, fdr=False)}],
    "network_map": [{"whole": True}, {"region": "gba", "whole": True}],
    "region_map": [{"region": "bth", "values": pd.Series({110000: 1.0})}],
}


def functions(module) -> list[str]:
    return [name for name in dir(module) if inspect.isfunction(getattr(module, name)) and name not in WORDLESS]


def words(figure: Figure) -> list[str]:
    """What stands in a figure, without solving its layout or drawing it."""
    for axes in [inner for outer in figure.axes for inner in (outer, *outer.child_axes)]:
        # Labels of ticks are written when they are asked for.
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels(which="both")
    shown = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return [re.sub(r"\\math\w+", "", text) for text in shown if text]


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in (figures, maps) for name in functions(module)]
)
def test_a_figure_holds_words_of_one_language(module, name):
    for case in ({}, *CASES.get(name, ())):
        draw, arguments = getattr(module, name), {**ARGUMENTS[name], **case}
        with speaking("en"):
            english = words(draw(**arguments))
        with speaking("zh"):
            chinese = words(draw(**arguments))
        assert not [text for text in english if CHINESE.search(text)]
        assert not [text for text in chinese if set(WORD.findall(text)) - NAMES]


def titles(figure: Figure) -> list[str]:
    return [figure.get_suptitle(), *(axes.get_title(place) for axes in figure.axes for place in ("left", "center"))]


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in (figures, maps) for name in functions(module)]
)
def test_a_figure_has_the_title_it_is_given_and_otherwise_none(module, name):
    draw, arguments = getattr(module, name), ARGUMENTS[name]
    bare, titled = draw(**arguments), draw(**arguments, title="Lines")
    # Headings of panels are no title; nothing that is laid out stands where one would.
    left = titles(titled)
    left.remove("Lines")
    assert [each for each in titles(bare) if each] == [each for each in left if each]
    assert bare._suptitle is None and "Lines" not in words(bare)


def test_words_that_are_in_no_language_would_be_noticed():
    with speaking("zh"):
        shown = words(figures.trend_lines(**{**PLOTS["trend_lines"], "title": "Lines 折线"}))
    assert "年份" in shown
    assert [text for text in shown if set(WORD.findall(text)) - NAMES] == ["Lines 折线"]


def test_the_language_is_that_of_the_drawing_and_not_of_the_first_figure():
    labels = []
    for language in ("zh", "en", "zh"):
        with speaking(language):
            labels.append(figures.trend_lines(**PLOTS["trend_lines"]).axes[0].get_xlabel())
    assert labels == ["年份", "Year", "年份"]


@pytest.mark.parametrize(("language", "names"), [("en", {"Hong Kong", "Macao"}), ("zh", {"香港", "澳门"})])
def test_places_on_a_map_are_named_in_the_language_spoken(language, names):
    with speaking(language):
        figure = maps.region_map("gba", pd.Series({440100: 1.0}), unit="u", source="s")
    assert names < {text.get_text() for text in figure.axes[0].texts}

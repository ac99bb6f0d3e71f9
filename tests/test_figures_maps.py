"""Figures in Chinese and English that read in grey, and maps that keep the rules for maps of China."""

from __future__ import annotations

import io
import warnings
from itertools import combinations, pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from shapely.geometry import Point

from clusterlib import figures, maps
from clusterlib.core.language import LANGUAGES, speaking
from clusterlib.data._load import load_boundaries, load_national_line, load_panel
from clusterlib.data.boundaries import ALBERS
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import REGIONS

pytestmark = pytest.mark.usefixtures("figure_style")

CHINESE = "数字产业集群：京津冀、长三角、粤港澳大湾区（亳衢圳濮儋）"
TAIWAN = 710000
# In CIE lightness, of 100: what two areas of the same hatch must differ by to be told apart in grey.
LIGHTNESS_APART = 15

SERIES = pd.DataFrame(
    {code: np.linspace(1, 2 + i, 4) for i, code in enumerate(figures.REGION_MARKS)}, index=[2020, 2021, 2022, 2023]
)
PLACES = ["北京 Beijing", "上海 Shanghai", "广东 Guangdong"]
PARTS = pd.DataFrame({f"part {i} 部分": [0.1 * i, 0.2, 0.3] for i in range(1, 7)}, index=PLACES)
INTERVALS = pd.DataFrame(
    {"estimate": [1.2, 0.8], "lower": [0.9, 0.5], "upper": [1.6, 1.1]}, index=["BTH 京津冀", "YRD 长三角"]
)


def heatmap() -> Figure:
    return figures.coverage_heatmap(SERIES.T.rename(index=lambda c: f"{c} 指标") * 20, title=f"Coverage {CHINESE}")


def bars() -> Figure:
    return figures.grouped_bars(PARTS, "percent 占比（%）", title=f"Bars {CHINESE}")


def lines() -> Figure:
    labels = {code: f"{code} 区域" for code in SERIES}
    return figures.trend_lines(SERIES, figures.REGION_MARKS, labels, "index 指数", title=f"Lines {CHINESE}")


def stack() -> Figure:
    return figures.stacked_bars(PARTS, "index 指数", ("上海 Shanghai",), title=f"Stack {CHINESE}")


def dots() -> Figure:
    return figures.interval_dots(INTERVALS, "quotient 区位熵", 1.0, title=f"Dots {CHINESE}")


PLOTS = [heatmap, bars, lines, stack, dots]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def lightness(colour: str) -> float:
    """CIE L* of a colour: what is left of it in grey."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(colour)]
    luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance


# Style


def test_chinese_text_is_drawn_without_a_missing_glyph():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plt.figure()
        figure.text(0.1, 0.5, f"{CHINESE} −1.5 ▶ – £ é μ ≤")
        assert png(figure).startswith(b"\x89PNG")


def test_a_font_without_chinese_would_be_noticed():
    with mpl.rc_context({"font.family": "DejaVu Sans"}), pytest.warns(UserWarning, match=r"Glyph .* missing"):
        figure = plt.figure()
        figure.text(0.1, 0.5, CHINESE)
        png(figure)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda f: f.__name__)
def test_each_plot_is_a_figure_that_saves_without_any_warning(plot):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot()
        assert isinstance(figure, Figure)
        assert len(png(figure)) > 5000
    assert CHINESE in figure.axes[0].get_title("left")


def test_the_source_line_stands_in_the_figure():
    figure = lines()
    figures.add_source(figure, "Source: NBS")
    assert "Source: NBS" in texts(figure)
    assert png(figure)


@pytest.mark.parametrize(("one", "other"), list(combinations(figures.REGION_MARKS, 2)))
def test_two_regions_differ_without_colour(one, other):
    a, b = figures.REGION_MARKS[one], figures.REGION_MARKS[other]
    assert a.marker != b.marker
    assert a.line != b.line
    assert a.hatch != b.hatch or abs(lightness(a.colour) - lightness(b.colour)) >= LIGHTNESS_APART


def test_there_is_a_mark_for_each_region():
    assert set(figures.REGION_MARKS) == {*REGIONS, "rest"}


def test_series_of_bars_differ_by_hatch():
    assert len(figures.SERIES_HATCHES) == len(set(figures.SERIES_HATCHES)) == len(set(figures.SERIES_COLOURS))


def test_lightness_runs_from_black_to_white():
    assert lightness("black") == pytest.approx(0, abs=1e-9)
    assert lightness("#777777") == pytest.approx(50, abs=0.5)
    assert lightness("white") == pytest.approx(100, abs=0.01)


# Plots


def test_trend_lines_have_the_marks_of_their_regions_and_the_values_of_their_columns():
    drawn = {line.get_label(): line for line in lines().axes[0].lines}
    assert set(drawn) == {f"{code} 区域" for code in SERIES}
    for code in SERIES:
        line, mark = drawn[f"{code} 区域"], figures.REGION_MARKS[code]
        assert (line.get_color(), line.get_marker(), line.get_linestyle()) == (mark.colour, mark.marker, mark.line)
        assert list(line.get_xdata()) == list(SERIES.index)
        assert list(line.get_ydata()) == list(SERIES[code])


def test_trend_lines_leave_a_missing_year_out():
    series = SERIES[["bth"]].copy()
    series.loc[2021, "bth"] = np.nan
    figure = figures.trend_lines(series, figures.REGION_MARKS, {"bth": "BTH"}, "y")
    assert list(figure.axes[0].lines[0].get_xdata()) == [2020, 2022, 2023]


def test_stacked_bars_stand_one_behind_the_other_in_the_order_of_the_table_and_mark_the_highlighted():
    axes = stack().axes[0]
    by_series = [list(container) for container in axes.containers]
    ends = np.array([[p.get_x() + p.get_width() for p in series] for series in by_series])
    starts = np.array([[p.get_x() for p in series] for series in by_series])
    assert ends[-1][::-1] == pytest.approx(PARTS.sum(axis=1))
    assert starts[1:] == pytest.approx(ends[:-1])
    assert len({series[0].get_hatch() for series in by_series}) == PARTS.shape[1]
    assert [t.get_text() for t in axes.get_yticklabels()][::-1] == ["北京 Beijing", "▶ 上海 Shanghai", "广东 Guangdong"]


def test_grouped_bars_have_the_length_and_the_number_of_their_figure():
    axes = bars().axes[0]
    for container, column in zip(axes.containers, PARTS, strict=True):
        assert [bar.get_width() for bar in container] == pytest.approx(PARTS[column])
        centres = [bar.get_y() + bar.get_height() / 2 for bar in container]
        assert [round(centre) for centre in centres] == [2, 1, 0]
    assert [text.get_text() for text in axes.texts] == [f"{v:.1f}" for c in PARTS for v in PARTS[c]]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(PARTS.index)
    assert len({container[0].get_hatch() for container in axes.containers}) == PARTS.shape[1]


def test_interval_dots_show_estimate_and_bounds_against_the_reference():
    axes = dots().axes[0]
    assert list(axes.lines[0].get_xdata()) == [1.0, 1.0]
    assert list(axes.lines[1].get_xdata()) == [1.2, 0.8]
    spans = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert spans == [[0.9, 1.6], [0.5, 1.1]]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(INTERVALS.index)


def test_a_heat_map_writes_each_share_and_leaves_a_cell_without_figures_blank():
    coverage = pd.DataFrame({2020: [100.0, 0.0], 2021: [33.3, 66.7]}, index=["gdp", "rd"])
    figure = figures.coverage_heatmap(coverage)
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["100", "33", "67"]


# Maps


@pytest.fixture(scope="module")
def country() -> Figure:
    """A map of China with everything on it, drawn."""
    with mpl.rc_context():
        figures.use_style()
        values = load_panel("province", "gdp_per_capita", years=2021)["gdp_per_capita"].droplevel("year") / 1000
        points = pd.DataFrame({"total": [4, 2, 1], "marked": [1, 2, 0]}, index=[440300, 310000, 110000])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure = maps.china_map(
                values,
                unit="GDP per head, 1000 yuan",
                points=points,
                points_label="Clusters led",
                marked_label="digital",
                source="MIIT; National Bureau of Statistics",
                digits=0,
            )
            figure.canvas.draw()
    return figure


def projected(level: str):
    return load_boundaries(level).to_crs(ALBERS)


def pixels(axes, bounds) -> Bbox:
    west, south, east, north = bounds
    return Bbox(axes.transData.transform([(west, south), (east, north)]))


def legends(figure: Figure) -> list[Legend]:
    return [legend for legend in figure.findobj(Legend) if legend.get_visible()]


def inset_of(figure: Figure):
    (inset,) = figure.axes[0].child_axes
    return inset


def renderer_of(figure: Figure):
    """A renderer of its own: closing figures takes theirs away."""
    return FigureCanvasAgg(figure).get_renderer()


def vertices(parts) -> set[tuple[int, int]]:
    """The vertices of lines to the metre, in whichever order and direction they are drawn."""
    return {tuple(xy) for part in parts for xy in np.asarray(part).round().astype(int)}


def test_a_map_of_china_names_its_approval_number_source_and_projection(country):
    shown = texts(country)
    assert "approval number GS(2024)0650" in shown
    assert load_boundaries("province").attrs["approval_number"] == "GS(2024)0650"
    assert "Source: MIIT; National Bureau of Statistics" in shown
    assert "Base map: Tianditu" in shown
    assert "Albers equal-area conic 25°N, 47°N, 105°E" in shown


def test_a_map_without_a_source_of_figures_still_names_its_base_map():
    figure = maps.china_map(regions=False)
    assert "approval number GS(2024)0650" in texts(figure)
    assert "Source" not in texts(figure)
    assert legends(figure) == []


def test_a_map_of_china_has_a_scale_bar_of_the_length_that_it_says(country):
    (bar,) = country.axes[0].lines
    assert np.ptp(bar.get_xdata()) == pytest.approx(500_000)
    assert "500 km" in [text.get_text() for text in country.axes[0].texts]


def test_a_map_of_china_has_the_inset_of_the_south_china_sea(country):
    inset = inset_of(country)
    assert inset.get_title() == "South China Sea"
    west, south, east, north = load_national_line().to_crs(ALBERS).total_bounds
    assert inset.get_xlim()[0] < west < east < inset.get_xlim()[1]
    assert inset.get_ylim()[0] < south < north < inset.get_ylim()[1]
    assert len(inset.collections[0].get_paths()) == 34


def test_the_whole_country_is_in_the_frame_or_in_the_inset(country):
    axes, inset = country.axes[0], inset_of(country)
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    outside = []
    for adcode, geometry in projected("province").geometry.items():
        west, south, east, north = geometry.bounds
        if not (x0 < west and east < x1 and y0 < south and north < y1):
            outside.append(adcode)
    assert outside == [460000]
    south = projected("province").geometry[460000].bounds[1]
    assert inset.get_ylim()[0] < south


def test_the_dash_line_is_drawn_in_the_frame_and_in_the_inset(country):
    parts = [part.coords for part in load_national_line().to_crs(ALBERS).explode().geometry]
    for axes in (country.axes[0], inset_of(country)):
        lines = [c.get_segments() for c in axes.collections if isinstance(c, LineCollection)]
        (drawn,) = [segments for segments in lines if len(segments) == len(parts)]
        assert vertices(drawn) == vertices(parts)


def test_the_inset_covers_no_province(country):
    inset = inset_of(country).get_tightbbox(renderer_of(country))
    for adcode, geometry in projected("province").explode().geometry.items():
        part = pixels(country.axes[0], geometry.bounds)
        assert not inset.overlaps(part) or adcode == 460000


def test_neither_inset_nor_legend_covers_taiwan(country):
    renderer = renderer_of(country)
    taiwan = pixels(country.axes[0], projected("province").geometry[TAIWAN].bounds)
    assert country.axes[0].get_window_extent().contains(*taiwan.min)
    assert country.axes[0].get_window_extent().contains(*taiwan.max)
    assert not inset_of(country).get_tightbbox(renderer).overlaps(taiwan)
    boxes = [legend.get_window_extent(renderer) for legend in legends(country)]
    assert len(boxes) == 2
    assert not any(box.overlaps(taiwan) for box in boxes)


def test_legends_do_not_cover_each_other_or_the_scale_bar(country):
    renderer = renderer_of(country)
    first, second = (legend.get_window_extent(renderer) for legend in legends(country))
    assert not first.overlaps(second)
    bar = country.axes[0].lines[0].get_window_extent(renderer)
    assert not any(box.overlaps(bar) for box in (first, second))


def test_provinces_are_shaded_by_class_and_one_without_a_figure_apart(country):
    values = load_panel("province", "gdp_per_capita", years=2021)["gdp_per_capita"].droplevel("year") / 1000
    (legend,) = [legend for legend in legends(country) if "natural breaks" in legend.get_title().get_text()]
    shades = [mpl.colors.to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[-1] == "No data"
    uppers = [float(label.split(" – ")[1].replace(",", "")) for label in labels[:-1]]
    assert labels[0].startswith(f"{values.min():,.0f} – ")
    assert uppers[-1] == round(values.max())
    filled = country.axes[0].collections[0].get_facecolor()
    for adcode, colour in zip(load_boundaries("province").index, filled, strict=True):
        shade = shades.index(mpl.colors.to_hex(colour))
        if adcode not in values.index:
            assert shade == 5
        else:
            assert values[adcode] <= uppers[shade] + 0.5
            assert shade == 0 or values[adcode] > uppers[shade - 1] - 0.5
    steps = [lightness(shade) for shade in shades[:-1]]
    assert all(a - b > 5 for a, b in pairwise(steps))


def test_points_lie_in_their_cities_and_their_area_is_the_count(country):
    drawn = [c for c in country.axes[0].collections if isinstance(c, PathCollection)]
    circles, black = (c for c in drawn if len(c.get_offsets()))
    cities = projected("city").geometry
    places = [cities[code] for code in (440300, 310000, 110000)]
    assert all(place.contains(Point(xy)) for place, xy in zip(places, circles.get_offsets(), strict=True))
    assert circles.get_sizes() / circles.get_sizes()[2] == pytest.approx([4, 2, 1])
    assert black.get_sizes() / circles.get_sizes()[2] == pytest.approx([1, 2])


def test_outlines_of_the_regions_have_their_line_and_are_in_the_legend(country):
    (legend,) = [legend for legend in legends(country) if "Clusters led" in legend.get_title().get_text()]
    drawn = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in legend.get_lines()}
    assert drawn == {
        region.short_en: (figures.REGION_MARKS[code].colour, figures.REGION_MARKS[code].line)
        for code, region in REGIONS.items()
    }


@pytest.mark.parametrize(("code", "cities", "kilometres"), [("bth", 13, 100), ("yrd", 41, 100), ("gba", 11, 50)])
def test_a_region_map_names_every_city_and_has_scale_source_and_approval_number(code, cities, kilometres):
    values = load_panel("city", "gdp", code, 2019)["gdp"].droplevel("year")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = maps.region_map(code, values, unit="1e8 yuan", source="CCSY")
        figure.canvas.draw()
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert len(shown) == cities + 1
    assert f"{kilometres} km" in shown
    assert np.ptp(figure.axes[0].lines[0].get_xdata()) == pytest.approx(1000 * kilometres)
    assert {unit.name_en.split(" (")[0] for unit in REGIONS[code].cities} < set(shown)
    assert "approval number GS(2024)0650" in texts(figure)
    assert "Source: CCSY" in texts(figure)
    assert len(figure.axes[0].collections[0].get_paths()) == cities


def test_names_in_a_region_map_stand_in_their_cities_and_can_be_left_out():
    values = pd.Series({810000: 1.0, 820000: 2.0, 440100: 3.0})
    figure = maps.region_map("gba", values, unit="u", source="s")
    cities = projected("city").geometry
    names = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert cities[810000].contains(Point(names["Hong Kong"]))
    assert cities[440100].contains(Point(names["Guangzhou"]))
    bare = maps.region_map("gba", values, unit="u", source="s", names=False)
    assert [text.get_text() for text in bare.axes[0].texts] == ["50 km"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_names_in_a_region_map_do_not_lie_on_each_other(code, language):
    values = pd.Series(1.0, list(REGIONS[code].adcodes("city")))
    with speaking(language):
        figure = maps.region_map(code, values, unit="u", source="s")
    figure.canvas.draw()
    names = [text for text in figure.axes[0].texts if "50 " not in text.get_text() and "100 " not in text.get_text()]
    assert len(names) == len(values)
    # Of the height of a line, what is above and below the letters may lie on another.
    boxes = [text.get_window_extent(renderer_of(figure)) for text in names]
    boxes = [Bbox.from_extents(b.x0, b.y0 + 0.2 * b.height, b.x1, b.y1 - 0.2 * b.height) for b in boxes]
    assert not [(a, b) for (a, one), (b, other) in combinations(enumerate(boxes), 2) if one.overlaps(other)]


def test_cities_without_a_figure_are_shown_as_having_none():
    figure = maps.region_map("bth", pd.Series({110000: 1.0, 120000: 5.0}), unit="u", source="s")
    (legend,) = legends(figure)
    assert [text.get_text() for text in legend.get_texts()][-1] == "No data"
    empty = mpl.colors.to_hex(legend.get_patches()[-1].get_facecolor())
    shown = [mpl.colors.to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolor()]
    assert shown.count(empty) == 11
    assert len(set(shown)) == 3


def test_a_map_of_an_unknown_region_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown region 'ydr'.*did you mean 'yrd'"):
        maps.region_map("ydr", pd.Series({310000: 1.0}), unit="u", source="s")


def test_figures_that_fit_no_unit_of_the_map_are_refused():
    for values in (pd.Series({"北京市": 1.0}), pd.Series({310000: np.nan})):
        with pytest.raises(InvalidInputError, match="indexed by the units' adcodes"):
            maps.region_map("yrd", values, unit="u", source="s")
        with pytest.raises(InvalidInputError, match="indexed by the units' adcodes"):
            maps.china_map(values)

"""The ground of maps: the whole of China, or one core region by city, with its legends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from clusterlib.core.checks import listed
from clusterlib.core.language import say
from clusterlib.core.places import ALBERS
from clusterlib.data import load_boundaries, load_national_line, unit_names
from clusterlib.errors import InvalidInputError
from clusterlib.figures import REGION_MARKS
from clusterlib.figures._canvas import text_width
from clusterlib.figures._style import LINE_SPACING, on_paper
from clusterlib.maps.base import LEGEND, Canvas, Shading, draw_borders, draw_polygons, frame, scale_bar
from clusterlib.regions import REGIONS, Region

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

# Extents in degrees; the main frame leaves the islands of the South China Sea to the inset.
MAIN = (79.8, 17.4, 130.5, 53.2)
INSET = (106.0, 2.5, 123.5, 24.5)
# Of the main frame's width and height: right of Taiwan and below Heilongjiang, covering neither.
INSET_PLACE = (0.855, 0.005, 0.14, 0.235)
_SMALL_ISLAND = 5e8
_NAME_SIZE = 6
# Points that a map of a region has at least, either way.
_REGION_SPAN = 340
# Kilometres: the longest below a fifth of the width of a region's map is drawn.
_BARS = (10, 20, 50, 100, 200, 500)


def projected(bounds: tuple[float, float, float, float]) -> np.ndarray:
    """Return the bounds of an extent in degrees in the projection of the maps."""
    west, south, east, north = bounds
    edge = gpd.GeoSeries(gpd.points_from_xy(np.linspace(west, east, 50).repeat(2), [south, north] * 50), crs=4326)
    return edge.to_crs(ALBERS).total_bounds


def whole_of(shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    """Return units that fit together as one."""
    return gpd.GeoSeries([shapes.union_all(method="coverage")], crs=ALBERS)


def outline_of(cities: gpd.GeoSeries, region: Region) -> gpd.GeoSeries:
    """Return the outline of a region without its smaller islands, which a thick line would turn into blots."""
    parts = whole_of(gpd.GeoSeries(cities.loc[list(region.adcodes("city"))])).explode()
    return gpd.GeoSeries(parts[parts.area > _SMALL_ISLAND])


def city_names(cities: pd.DataFrame) -> pd.Series:
    """What cities are called on a map, without what their place on it says: that they are cities, of which province."""
    return unit_names().reindex(cities.index).str.replace(r" \(.*\)$", "", regex=True)


def named(values: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return figures by adcode with the units' names, as they are handed out with a map."""
    table = values.rename("value").to_frame() if isinstance(values, pd.Series) else values
    return table.rename_axis("unit").reset_index().assign(name=unit_names().reindex(table.index).to_numpy())


def country_canvas(
    shade: Callable[[pd.Index], Shading], level: str = "province", regions: Iterable[str] | None = None
) -> tuple[Canvas, Shading]:
    """Draw China with its boundary, dash line, inset and scale bar, units filled by ``shade``, regions outlined."""
    boundaries = load_boundaries(level)
    cities = load_boundaries("city").to_crs(ALBERS).geometry
    provinces = load_boundaries("province").to_crs(ALBERS).geometry
    line = load_national_line().to_crs(ALBERS).geometry
    units = provinces if level == "province" else cities
    whole, shading = whole_of(provinces), shade(units.index)
    outlines = {code: outline_of(cities, REGIONS[code]) for code in (REGIONS if regions is None else regions)}
    figure, axes = plt.subplots(figsize=(8.2, 7))
    inset = axes.inset_axes(INSET_PLACE)
    thin = (
        {"edgecolor": "#8a8a8a", "linewidth": 0.35} if level == "province" else {"edgecolor": "white", "linewidth": 0.2}
    )
    for panel, bounds in ((axes, MAIN), (inset, INSET)):
        draw_polygons(panel, units, shading.colours, shading.hatches, zorder=1, **thin)
        if level != "province":
            draw_borders(panel, provinces, color="#8a8a8a", linewidth=0.35, zorder=2)
        draw_borders(panel, whole, color="black", linewidth=0.7, zorder=2)
        draw_borders(panel, line, color="black", linewidth=1.1, zorder=3)
        for code, outline in outlines.items():
            mark = REGION_MARKS[code]
            draw_borders(panel, outline, color=mark.colour, linewidth=1.6, linestyle=mark.line, zorder=4)
        frame(panel, projected(bounds))
    inset.set_title(say("South China Sea", "南海诸岛"), fontsize=5.5, loc="center", pad=2)
    scale_bar(axes, 500)
    return Canvas(figure, axes, boundaries.attrs["approval_number"]), shading


def region_canvas(area: Region, shade: Callable[[pd.Index], Shading], names: bool = True) -> tuple[Canvas, Shading]:
    """Draw a region's cities filled by ``shade``, with its outline, scale bar and, if wanted, names."""
    boundaries = load_boundaries("city", area)
    cities = boundaries.to_crs(ALBERS).geometry
    shading = shade(cities.index)
    figure, axes = plt.subplots(figsize=(7, 6.2))
    draw_polygons(axes, cities, shading.colours, shading.hatches, edgecolor="#666666", linewidth=0.5, zorder=1)
    draw_borders(axes, whole_of(cities), color="black", linewidth=0.9, zorder=2)
    west, south, east, north = cities.total_bounds
    if names:
        _write_names(axes, cities.representative_point(), city_names(boundaries), (north - south) / _REGION_SPAN)
    margin = 0.05 * max(east - west, north - south)
    frame(axes, (west - margin, south - margin, east + margin, north + margin))
    scale_bar(axes, max([_BARS[0], *(bar for bar in _BARS if 1000 * bar < (east - west) / 5)]))
    return Canvas(figure, axes, boundaries.attrs["approval_number"]), shading


def _write_names(axes: Axes, places: gpd.GeoSeries, names: pd.Series, point: float) -> None:
    """Write names at these places, moved up or down where they would lie on another; ``point`` is one in metres."""
    written: list[tuple[float, float, float]] = []
    for name, x, y in zip(names, places.x, places.y, strict=True):
        half = text_width(name, _NAME_SIZE) / 2
        free = (
            y + move * point
            for move in sorted(range(-10, 11), key=abs)
            if not any(
                abs(x - other) < (half + width + 2) * point
                and abs(y + move * point - height) < 1.2 * _NAME_SIZE * point
                for other, height, width in written
            )
        )
        y = next(free, y)
        written.append((x, y, half))
        on_paper(axes.text(x, y, name, fontsize=_NAME_SIZE, ha="center", va="center", zorder=8))


def _set_legend(canvas: Canvas, handles: list, heading: str, **place: Any) -> Legend:
    legend = canvas.axes.legend(handles=handles, title=heading, **place, **LEGEND)
    legend.get_title().set_linespacing(LINE_SPACING)
    return legend


def shading_legend(canvas: Canvas, handles: list, heading: str) -> None:
    """Set the legend of the fills at the lower left, above the scale bar."""
    canvas.axes.add_artist(_set_legend(canvas, handles, heading, loc="lower left", bbox_to_anchor=(0, 0.07)))


def marks_legend(canvas: Canvas, handles: list, heading: str, regions: Iterable[str] | None = None) -> None:
    """Set the legend of what is drawn on the map, and of the regions' outlines, at the upper left."""
    outlines = [
        Line2D(
            [], [], label=REGIONS[code].short, color=REGION_MARKS[code].colour,
            linestyle=REGION_MARKS[code].line, linewidth=1.6,
        )
        for code in (REGIONS if regions is None else regions)
    ]  # fmt: skip
    if handles or outlines:
        _set_legend(canvas, [*handles, *outlines], heading, loc="upper left", labelspacing=0.9)


def side_legend(canvas: Canvas, handles: list, heading: str) -> None:
    """Set a legend to the right of the map of a region."""
    _set_legend(canvas, handles, heading, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def city_points(counts: pd.DataFrame) -> gpd.GeoDataFrame:
    """Place rows indexed by city adcode at a point inside each city, in the Albers projection of the maps.

    Raises
    ------
    InvalidInputError
        For a row that is no city of the map, or a city that has two.
    """
    cities = load_boundaries("city").to_crs(ALBERS)
    unknown = counts.index[~counts.index.isin(cities.index) | counts.index.duplicated()]
    if len(unknown):
        raise InvalidInputError(f"points: {listed(unknown)}: expected cities by adcode, each once")
    return gpd.GeoDataFrame(counts, geometry=cities.geometry.representative_point().reindex(counts.index), crs=ALBERS)

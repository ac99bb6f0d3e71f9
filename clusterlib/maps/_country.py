"""Maps of the whole of China."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import geopandas as gpd
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clusterlib.data._load import load_boundaries, load_national_line
from clusterlib.data.boundaries import ALBERS
from clusterlib.figures import REGION_MARKS
from clusterlib.maps._base import (
    LEGEND,
    Canvas,
    Shading,
    blank,
    draw_borders,
    draw_polygons,
    frame,
    notes,
    scale_bar,
    shade_classes,
)
from clusterlib.regions import REGIONS

# Extents in degrees; the main frame leaves the islands of the South China Sea to the inset.
_MAIN = (79.8, 17.4, 130.5, 53.2)
_INSET = (106.0, 2.5, 123.5, 24.5)
# Of the main frame's width and height: right of Taiwan and below Heilongjiang, covering neither.
_INSET_PLACE = (0.855, 0.005, 0.14, 0.235)
_SMALL_ISLAND = 5e8


def _projected(bounds: tuple[float, float, float, float]) -> np.ndarray:
    west, south, east, north = bounds
    edge = gpd.GeoSeries(gpd.points_from_xy(np.linspace(west, east, 50).repeat(2), [south, north] * 50), crs=4326)
    return edge.to_crs(ALBERS).total_bounds


def _outlines(codes: Iterable[str]) -> dict[str, gpd.GeoSeries]:
    """Outlines of the regions without their smaller islands, which a thick line would turn into blots."""
    cities = load_boundaries("city").to_crs(ALBERS).geometry
    outlines = {}
    for code in codes:
        whole = cities.loc[list(REGIONS[code].adcodes("city"))].union_all(method="coverage")
        parts = gpd.GeoSeries([whole], crs=ALBERS).explode()
        outlines[code] = parts[parts.area > _SMALL_ISLAND]
    return outlines


def country_canvas(
    shade: Callable[[pd.Index], Shading], level: str = "province", regions: Iterable[str] = tuple(REGIONS)
) -> tuple[Canvas, Shading]:
    """Draw China with its boundary, dash line, inset and scale bar, units filled by ``shade``, regions outlined."""
    units = load_boundaries(level)
    approval = units.attrs["approval_number"]
    units = units.to_crs(ALBERS).geometry
    provinces = units if level == "province" else load_boundaries("province").to_crs(ALBERS).geometry
    whole = gpd.GeoSeries([provinces.union_all(method="coverage")], crs=ALBERS)
    line = load_national_line().to_crs(ALBERS).geometry
    shading, outlines = shade(units.index), _outlines(regions)
    figure, axes = plt.subplots(figsize=(8.2, 7))
    inset = axes.inset_axes(_INSET_PLACE)
    thin = (
        {"edgecolor": "#8a8a8a", "linewidth": 0.35} if level == "province" else {"edgecolor": "white", "linewidth": 0.2}
    )
    for panel, bounds in ((axes, _MAIN), (inset, _INSET)):
        draw_polygons(panel, units, shading.colours, shading.hatches, zorder=1, **thin)
        if level != "province":
            draw_borders(panel, provinces, color="#8a8a8a", linewidth=0.35, zorder=2)
        draw_borders(panel, whole, color="black", linewidth=0.7, zorder=2)
        draw_borders(panel, line, color="black", linewidth=1.1, zorder=3)
        for code, outline in outlines.items():
            mark = REGION_MARKS[code]
            draw_borders(panel, outline, color=mark.colour, linewidth=1.6, linestyle=mark.line, zorder=4)
        frame(panel, _projected(bounds))
    inset.set_title("South China Sea 南海诸岛", fontsize=5.5, loc="center", pad=2)
    scale_bar(axes, 500)
    return Canvas(figure, axes, [axes, inset], approval), shading


def shading_legend(canvas: Canvas, handles: list, heading: str) -> None:
    """Set the legend of the fills at the lower left, above the scale bar."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 0.07)}
    canvas.axes.add_artist(canvas.axes.legend(handles=handles, title=heading, **place, **LEGEND))


def marks_legend(canvas: Canvas, handles: list, heading: str, regions: Iterable[str] = tuple(REGIONS)) -> None:
    """Set the legend of what is drawn on the map, and of the regions' outlines, at the upper left."""
    for code in regions:
        look = {"color": REGION_MARKS[code].colour, "linestyle": REGION_MARKS[code].line, "linewidth": 1.6}
        label = f"{REGIONS[code].short_en} {REGIONS[code].name_zh}"
        handles = [*handles, mpl.lines.Line2D([], [], label=label, **look)]
    if handles:
        canvas.axes.legend(handles=handles, title=heading, loc="upper left", labelspacing=0.9, **LEGEND)


def city_points(counts: pd.DataFrame) -> gpd.GeoDataFrame:
    """Place rows indexed by city adcode at a point inside each city, in the Albers projection of the maps."""
    cities = load_boundaries("city").to_crs(ALBERS)
    inside = cities.geometry.representative_point()
    return gpd.GeoDataFrame(counts, geometry=inside.reindex(counts.index), crs=ALBERS)


def _draw_points(canvas: Canvas, points: gpd.GeoDataFrame, marked_label: str) -> list:
    axes, area = canvas.axes, 26.0
    axes.scatter(
        points.geometry.x, points.geometry.y, s=area * points["total"], facecolor="white", edgecolor="black",
        linewidth=0.8, alpha=0.9, zorder=6,
    )  # fmt: skip
    marked = points[points["marked"] > 0]
    axes.scatter(
        marked.geometry.x, marked.geometry.y, s=area * marked["marked"], facecolor="black", edgecolor="black",
        linewidth=0.4, zorder=7,
    )  # fmt: skip
    return [
        axes.scatter([], [], s=area * n, facecolor="white", edgecolor="black", label=f"{n}", linewidth=0.8)
        for n in sorted({1, int(points["total"].max())})
    ] + [axes.scatter([], [], s=26, color="black", label=marked_label)]


def china_map(
    title: str,
    values: pd.Series | None = None,
    *,
    unit: str = "",
    points: pd.DataFrame | None = None,
    points_label: str = "",
    marked_label: str = "",
    source: str = "",
    classes: int = 5,
    digits: int = 1,
    regions: bool = True,
) -> Figure:
    """Draw the whole of China by province, with places on it.

    Provinces are shaded in natural breaks (Fisher-Jenks); points are circles whose area is the count ``total`` at a
    city, the black part the count ``marked``. The national boundary, the dash line, the South China Sea inset, a
    scale bar, the projection, the source and the map approval number are always drawn.

    Parameters
    ----------
    title : str
    values : Series, optional
        By province adcode; provinces without one are shown as having no data.
    unit : str
        Unit of ``values``.
    points : DataFrame, optional
        Indexed by city adcode with integer columns ``total`` and ``marked``.
    points_label, marked_label : str
        What the circles and their black part count.
    source : str
        Where the figures come from.
    classes, digits : int
        Number of classes and decimals in the legend.
    regions : bool
        Outline the three core regions.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidInputError
        If no province has a value.
    """
    outlined = tuple(REGIONS) if regions else ()
    canvas, shading = country_canvas(
        lambda units: blank(units) if values is None else shade_classes(values, units, classes, digits),
        regions=outlined,
    )
    if values is not None:
        shading_legend(canvas, shading.handles, f"{unit}\nnatural breaks 自然断点")
    circles = [] if points is None else _draw_points(canvas, city_points(points), marked_label)
    marks_legend(canvas, circles, points_label, outlined)
    canvas.axes.set_title(title)
    notes(canvas, source)
    return canvas.figure

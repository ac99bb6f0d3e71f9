"""Maps of one core region by city."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import patheffects
from matplotlib.figure import Figure

from clusterlib.data._load import load_boundaries
from clusterlib.data.boundaries import ALBERS
from clusterlib.maps._base import (
    LEGEND,
    Canvas,
    Shading,
    draw_borders,
    draw_polygons,
    frame,
    notes,
    scale_bar,
    shade_classes,
)
from clusterlib.regions import Region, get_region


def _write_names(canvas: Canvas, area: Region, cities: gpd.GeoSeries) -> None:
    for unit, point in zip(area.cities, cities.representative_point(), strict=True):
        name = unit.name_zh.removesuffix("特别行政区").removesuffix("市")
        text = canvas.axes.text(point.x, point.y, name, fontsize=6, ha="center", va="center", zorder=8)
        text.set_path_effects([patheffects.withStroke(linewidth=1.6, foreground="white")])


def region_canvas(area: Region, shade: Callable[[pd.Index], Shading], names: bool = True) -> tuple[Canvas, Shading]:
    """Draw a region's cities filled by ``shade``, with its outline, scale bar and, if wanted, names."""
    boundaries = load_boundaries("city", area)
    cities = boundaries.to_crs(ALBERS).geometry
    shading = shade(cities.index)
    figure, axes = plt.subplots(figsize=(7, 6.2))
    draw_polygons(axes, cities, shading.colours, shading.hatches, edgecolor="#666666", linewidth=0.5, zorder=1)
    whole = gpd.GeoSeries([cities.union_all(method="coverage")], crs=ALBERS)
    draw_borders(axes, whole, color="black", linewidth=0.9, zorder=2)
    canvas = Canvas(figure, axes, [axes], boundaries.attrs["approval_number"])
    if names:
        _write_names(canvas, area, cities)
    west, south, east, north = cities.total_bounds
    margin = 0.05 * max(east - west, north - south)
    frame(axes, (west - margin, south - margin, east + margin, north + margin))
    scale_bar(axes, 50 if area.code == "gba" else 100)
    return canvas, shading


def side_legend(canvas: Canvas, handles: list, heading: str) -> None:
    """Set a legend to the right of the map."""
    canvas.axes.legend(handles=handles, title=heading, loc="upper left", bbox_to_anchor=(1.0, 1.0), **LEGEND)


def region_map(
    region: str,
    values: pd.Series,
    title: str,
    *,
    unit: str,
    source: str,
    classes: int = 5,
    digits: int = 1,
    names: bool = True,
) -> Figure:
    """Draw one core region by city, shaded in natural breaks (Fisher-Jenks).

    Parameters
    ----------
    region : {"bth", "yrd", "gba"}
    values : Series
        By city adcode; cities without one are shown as having no data.
    title, unit, source : str
    classes, digits : int
        Number of classes and decimals in the legend.
    names : bool
        Write the cities' Chinese names.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    UnknownNameError
        If there is no such region.
    InvalidInputError
        If no city of the region has a value.
    """
    area = get_region(region)
    canvas, shading = region_canvas(area, lambda units: shade_classes(values, units, classes, digits), names)
    side_legend(canvas, shading.handles, f"{unit}\nnatural breaks 自然断点")
    canvas.axes.set_title(title)
    notes(canvas, source)
    return canvas.figure

"""Maps that keep the rules: full national boundary, South China Sea inset, scale, source, classes, approval number."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING

import geopandas as gpd
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.patches import Patch

from clusterlib.data.boundaries import ALBERS
from clusterlib.data.load import load_boundaries, load_national_line
from clusterlib.errors import InvalidInputError
from clusterlib.figures import NEUTRAL, REGION_MARKS, SEQUENTIAL
from clusterlib.regions import REGIONS, get_region

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Extents in degrees; the main frame leaves the islands of the South China Sea to the inset.
_MAIN = (79.8, 17.4, 130.5, 53.2)
_INSET = (106.0, 2.5, 123.5, 24.5)
# Of the main frame's width and height: right of Taiwan and below Heilongjiang, covering neither.
_INSET_PLACE = (0.855, 0.005, 0.14, 0.235)
_SMALL_ISLAND = 5e8
_NO_DATA = "#f4f4f4"
_LEGEND = {"fontsize": 7, "title_fontsize": 7, "alignment": "left"}
_NO_DATA_LABEL = "No data 无数据"


def _projected(bounds: tuple[float, float, float, float]) -> np.ndarray:
    west, south, east, north = bounds
    edge = gpd.GeoSeries(gpd.points_from_xy(np.linspace(west, east, 50).repeat(2), [south, north] * 50), crs=4326)
    return edge.to_crs(ALBERS).total_bounds


def _frame(axes: Axes, bounds: np.ndarray) -> None:
    axes.set(xlim=(bounds[0], bounds[2]), ylim=(bounds[1], bounds[3]), xticks=[], yticks=[], aspect="equal")
    axes.set(xlabel="", ylabel="")
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6)


def scale_bar(axes: Axes, kilometres: float) -> None:
    """Draw a scale bar (比例尺) of this length in the lower left corner of a map in metres."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    x, y, length = x0 + 0.04 * (x1 - x0), y0 + 0.04 * (y1 - y0), kilometres * 1000
    tick = 0.008 * (y1 - y0)
    axes.plot([x, x, x + length, x + length], [y + tick, y, y, y + tick], color="black", linewidth=1, zorder=9)
    axes.text(x + length / 2, y + 1.4 * tick, f"{kilometres:g} km", ha="center", va="bottom", fontsize=7, zorder=9)


def _classes(values: pd.Series, k: int):
    import mapclassify

    present = values.dropna()
    with warnings.catch_warnings():
        # mapclassify advises numba, which some dozens of values do not need.
        warnings.filterwarnings("ignore", message="Numba not installed")
        return mapclassify.FisherJenks(present, k=min(k, present.nunique()))


def _class_labels(classes, digits: int) -> list[str]:
    edges = [classes.y.min(), *classes.bins]
    return [f"{low:,.{digits}f} – {high:,.{digits}f}" for low, high in pairwise(edges)]


def _fills(values: pd.Series | None, index: pd.Index, k: int, digits: int) -> tuple[list, list[Patch]]:
    if values is None:
        return [_NO_DATA] * len(index), []
    values = values.reindex(index)
    if values.isna().all():
        raise InvalidInputError("no figure for any unit of the map: values must be indexed by the units' adcodes")
    classes = _classes(values, k)
    shades = [mpl.colors.to_hex(c) for c in mpl.colormaps[SEQUENTIAL](np.linspace(0.08, 0.92, classes.k))]
    fill = [_NO_DATA] * len(index)
    for place, kind in zip(np.flatnonzero(values.notna()), classes.yb, strict=True):
        fill[place] = shades[kind]
    labels = _class_labels(classes, digits)
    handles = [Patch(facecolor=s, edgecolor=NEUTRAL, label=t) for s, t in zip(shades, labels, strict=True)]
    if values.isna().any():
        handles.append(Patch(facecolor=_NO_DATA, edgecolor=NEUTRAL, label=_NO_DATA_LABEL))
    return fill, handles


def _outlines() -> dict[str, gpd.GeoSeries]:
    """Outlines of the regions without their smaller islands, which a thick line would turn into blots."""
    cities = load_boundaries("city").to_crs(ALBERS)
    outlines = {}
    for code, region in REGIONS.items():
        parts = cities.loc[list(region.adcodes("city"))].dissolve().geometry.explode()
        outlines[code] = parts[parts.area > _SMALL_ISLAND]
    return outlines


def _draw_country(axes: Axes, provinces: gpd.GeoDataFrame, fill: list, line: gpd.GeoDataFrame) -> None:
    provinces.plot(ax=axes, color=fill, edgecolor="#8a8a8a", linewidth=0.35, zorder=1)
    provinces.dissolve().boundary.plot(ax=axes, color="black", linewidth=0.7, zorder=2)
    line.plot(ax=axes, color="black", linewidth=1.1, zorder=3)


def _draw_points(axes: Axes, points: gpd.GeoDataFrame) -> list:
    area = 26.0
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
    ]


def city_points(counts: pd.DataFrame) -> gpd.GeoDataFrame:
    """Place rows indexed by city adcode at a point inside each city, in the Albers projection of the maps."""
    cities = load_boundaries("city").to_crs(ALBERS)
    inside = cities.geometry.representative_point()
    return gpd.GeoDataFrame(counts, geometry=inside.reindex(counts.index), crs=ALBERS)


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
    boundaries = load_boundaries("province")
    approval = boundaries.attrs["approval_number"]
    provinces, line = boundaries.to_crs(ALBERS), load_national_line().to_crs(ALBERS)
    fill, handles = _fills(values, provinces.index, classes, digits)
    outlines = _outlines() if regions else {}
    figure, axes = plt.subplots(figsize=(8.2, 7))
    inset = axes.inset_axes(_INSET_PLACE)
    for panel, bounds in ((axes, _MAIN), (inset, _INSET)):
        _draw_country(panel, provinces, fill, line)
        for code, outline in outlines.items():
            mark = REGION_MARKS[code]
            outline.boundary.plot(ax=panel, color=mark.colour, linewidth=1.6, linestyle=mark.line, zorder=4)
        _frame(panel, _projected(bounds))
    inset.set_title("South China Sea 南海诸岛", fontsize=5.5, loc="center", pad=2)
    scale_bar(axes, 500)
    if values is not None:
        heading = f"{unit}\nnatural breaks 自然断点"
        classes_legend = axes.legend(
            handles=handles, title=heading, loc="lower left", bbox_to_anchor=(0, 0.07), **_LEGEND
        )
        axes.add_artist(classes_legend)
    others = []
    if points is not None:
        others = _draw_points(axes, city_points(points))
        others.append(axes.scatter([], [], s=26, color="black", label=marked_label))
    others += [
        mpl.lines.Line2D([], [], color=REGION_MARKS[c].colour, linestyle=REGION_MARKS[c].line, linewidth=1.6,
                         label=f"{REGIONS[c].short_en} {REGIONS[c].name_zh}")
        for c in outlines
    ]  # fmt: skip
    if others:
        axes.legend(handles=others, title=points_label, loc="upper left", labelspacing=0.9, **_LEGEND)
    axes.set_title(title)
    _map_notes(figure, source, approval)
    return figure


def _map_notes(figure: Figure, source: str, approval: str) -> None:
    from clusterlib.figures import add_source

    projection = "Albers equal-area conic 25°N, 47°N, 105°E"
    base = f"Base map 底图: Tianditu 天地图, approval number 审图号 {approval}; {projection}"
    add_source(figure, f"Source 资料来源: {source}\n{base}" if source else base)


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
    boundaries = load_boundaries("city", area)
    cities = boundaries.to_crs(ALBERS)
    fill, handles = _fills(values, cities.index, classes, digits)
    figure, axes = plt.subplots(figsize=(7, 6.2))
    cities.plot(ax=axes, color=fill, edgecolor="#666666", linewidth=0.5)
    cities.dissolve().boundary.plot(ax=axes, color="black", linewidth=0.9)
    if names:
        for unit_, point in zip(area.cities, cities.geometry.representative_point(), strict=True):
            text = axes.text(point.x, point.y, unit_.name_zh.removesuffix("特别行政区").removesuffix("市"),
                             fontsize=6, ha="center", va="center")  # fmt: skip
            text.set_path_effects([patheffects.withStroke(linewidth=1.6, foreground="white")])
    west, south, east, north = cities.total_bounds
    margin = 0.05 * max(east - west, north - south)
    _frame(axes, np.array([west - margin, south - margin, east + margin, north + margin]))
    scale_bar(axes, 50 if area.code == "gba" else 100)
    heading = f"{unit}\nnatural breaks 自然断点"
    axes.legend(handles=handles, title=heading, loc="upper left", bbox_to_anchor=(1.0, 1.0), **_LEGEND)
    axes.set_title(title)
    _map_notes(figure, source, boundaries.attrs["approval_number"])
    return figure

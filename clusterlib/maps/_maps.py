"""Maps of figures by province or city, clusters of local Moran's I, networks of links, ellipses and their centres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clusterlib.core.checks import check_whole
from clusterlib.core.language import say
from clusterlib.core.places import ALBERS
from clusterlib.data import load_boundaries, unit_names
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.figures import REGION_MARKS, name_points
from clusterlib.figures._canvas import check_result, check_table, noted
from clusterlib.maps._ground import (
    city_names,
    city_points,
    country_canvas,
    marks_legend,
    named,
    region_canvas,
    shading_legend,
    side_legend,
)
from clusterlib.maps.base import Canvas, Shading, blank, draw_borders, finish, shade_classes, shade_kinds
from clusterlib.regions import Region, get_region

if TYPE_CHECKING:
    from clusterlib.spatial import DeviationalEllipse, LocalMoran

# Red where high, blue where low; hatches tell them apart in grey.
CLUSTER_LOOKS = {
    "HH": ("#b2182b", "", ("HH high-high", "HH 高-高集聚")),
    "LL": ("#2166ac", "////", ("LL low-low", "LL 低-低集聚")),
    "HL": ("#f4a582", "....", ("HL high-low", "HL 高-低异常")),
    "LH": ("#92c5de", "xxxx", ("LH low-high", "LH 低-高异常")),
    "ns": ("#dcdcdc", "", ("not significant", "不显著")),
}
# Neither a colour nor a line of the regions' outlines.
_ACROSS = "#882255"
_CONVENTIONS = {"arcgis": "ArcGIS", "yuill": "Yuill", "crimestat": "CrimeStat"}


def _draw_points(canvas: Canvas, counts: pd.DataFrame, marked_label: str) -> list:
    counts = check_table(counts, ["total", "marked"], "points")
    if not (counts[["total", "marked"]] >= 0).all(axis=None):
        raise InvalidInputError("points: total and marked: a count is missing or negative")
    axes, area, points = canvas.axes, 26.0, city_points(counts)
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
    title: str | None = None,
) -> Figure:
    """Draw the whole of China by province, with places on it.

    Provinces are shaded in natural breaks (Fisher-Jenks); points are circles whose area is the count ``total`` at a
    city, the black part the count ``marked``. The national boundary, the dash line, the South China Sea inset, a
    scale bar, the projection, the source and the map approval number are always drawn.

    Parameters
    ----------
    values : Series, optional
        By province adcode; provinces without one, or with an infinite one, are shown as having no data.
    unit : str
        Unit of ``values``.
    points : DataFrame, optional
        Indexed by city adcode with integer columns ``total`` and ``marked``.
    points_label, marked_label : str
        What the circles and their black part count.
    source, title : str
        Where the figures come from.
    classes, digits : int
        Number of classes and decimals in the legend.
    regions : bool
        Outline the core regions.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidInputError
        If no province has a value, or a point is no city or has no count.
    """
    outlined = None if regions else ()
    canvas, shading = country_canvas(
        lambda units: blank(units) if values is None else shade_classes(values, units, classes, digits),
        regions=outlined,
    )
    if values is not None:
        shading_legend(canvas, shading.handles, f"{unit}\n{say('natural breaks', '自然断点')}")
    circles = [] if points is None else _draw_points(canvas, points, marked_label)
    marks_legend(canvas, circles, points_label, outlined)
    drawn = [named(table) for table in (values, points) if table is not None]
    return finish(canvas, source, title, pd.concat(drawn) if drawn else pd.DataFrame())


def region_map(
    region: str | Region,
    values: pd.Series,
    *,
    unit: str,
    source: str,
    classes: int = 5,
    digits: int = 1,
    names: bool = True,
    title: str | None = None,
) -> Figure:
    """Draw one core region by city, shaded in natural breaks (Fisher-Jenks).

    Parameters
    ----------
    region : str or Region
        Such as ``"yrd"``, see :func:`clusterlib.regions.get_region`.
    values : Series
        By city adcode; cities without one, or with an infinite one, are shown as having no data.
    unit, source, title : str
    classes, digits : int
        Number of classes and decimals in the legend.
    names : bool
        Write the cities' names.

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
    side_legend(canvas, shading.handles, f"{unit}\n{say('natural breaks', '自然断点')}")
    return finish(canvas, source, title, named(values[values.index.isin(area.adcodes("city"))]))


def lisa_map(
    local: LocalMoran, *, source: str, level: str = "city", region: str | Region | None = None, title: str | None = None
) -> Figure:
    """Draw the clusters and outliers of local Moran's I (LISA 集聚图) on China or on one core region.

    Parameters
    ----------
    local : LocalMoran
        By adcode; units without a result are shown as having no data.
    source, title : str
    level : {"city", "province"}
        What the units are.
    region : str or Region, optional
        Draw only this region's cities, with their names. What is significant stays as tested over all units.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidInputError
        If no unit of the map has a result.
    UnknownNameError
        If there is no such region or level.
    """
    check_result(local, ("table", "fdr", "alpha", "permutations"), "clusterlib.spatial.local_moran")
    level_of = f"{'FDR' if local.fdr else 'p'} ≤ {local.alpha:g}"
    heading = say(
        f"Local Moran\n{level_of}, {local.permutations:,} permutations",
        f"局部莫兰指数\n{level_of}，置换{local.permutations:,}次",
    )

    def shade(units: pd.Index) -> Shading:
        looks = {kind: (colour, hatch, say(*words)) for kind, (colour, hatch, words) in CLUSTER_LOOKS.items()}
        return shade_kinds(local.table["cluster"], units, looks)

    if region is None:
        canvas, shading = country_canvas(shade, level)
        shading_legend(canvas, shading.handles, heading)
        marks_legend(canvas, [], "")
    else:
        canvas, shading = region_canvas(get_region(region), shade)
        side_legend(canvas, shading.handles, heading)
    shown = (
        local.table if region is None else local.table.loc[local.table.index.isin(get_region(region).adcodes("city"))]
    )
    return finish(canvas, source, title, named(shown))


def _checked_edges(edges: pd.DataFrame, area: Region, whole: bool) -> pd.DataFrame:
    lacking = {"origin", "destination", "strength"} - set(getattr(edges, "columns", ()))
    if lacking:
        raise InvalidInputError(
            f"edges: no column {', '.join(sorted(lacking))}; expected those of GravityNetwork.edges()"
        )
    edges = check_table(edges, ["strength"], "edges").dropna(subset="strength")
    ends = edges[["origin", "destination"]]
    if (edges["strength"] < 0).any() or not ends.isin(load_boundaries("city").index).all(axis=None):
        raise InvalidInputError("edges: expected links between cities by adcode, of a strength that is not negative")
    inside = ends.isin(area.adcodes("city")).sum(axis=1)
    edges = edges.assign(kind=inside.map({2: "within", 1: "across", 0: "elsewhere"}))
    edges = edges if whole else edges[edges["kind"] == "within"]
    if edges.empty:
        raise InvalidInputError("edges: expected at least one link on the map")
    return edges.sort_values("strength", ascending=False)


def _draw_links(canvas: Canvas, edges: pd.DataFrame, looks: dict[str, dict]) -> gpd.GeoDataFrame:
    nodes = city_points(pd.concat([edges["origin"], edges["destination"]]).value_counts().to_frame("links"))
    place = np.column_stack([nodes.geometry.x, nodes.geometry.y])
    ends = [nodes.index.get_indexer(pd.Index(edges[end])) for end in ("origin", "destination")]
    segments = list(place[np.column_stack(ends)])
    strength = edges["strength"].to_numpy()
    width = 0.3 + 2.2 * np.sqrt(strength / (strength.max() or 1.0))
    # The weakest first, so that the strong ones lie on top.
    for kind, look in looks.items():
        of_kind = np.flatnonzero(edges["kind"] == kind)[::-1]
        lines = LineCollection([segments[i] for i in of_kind], linewidths=width[of_kind], **look)
        canvas.axes.add_collection(lines, autolim=False)
    size = 3 + 22 * nodes["links"] / nodes["links"].max()
    canvas.axes.scatter(*place.T, s=size, color="black", linewidth=0, zorder=7)
    return nodes


def _name_hubs(canvas: Canvas, nodes: gpd.GeoDataFrame, count: int) -> None:
    names = city_names(load_boundaries("city"))
    points = pd.DataFrame({"x": nodes.geometry.x, "y": nodes.geometry.y, "name": names.reindex(nodes.index)})
    name_points(canvas.axes, points.loc[nodes["links"].sort_values(ascending=False, kind="stable").index], count)


def network_map(
    edges: pd.DataFrame,
    *,
    region: str | Region,
    source: str,
    whole: bool = True,
    top: int = 400,
    hubs: int = 10,
    title: str | None = None,
) -> Figure:
    """Draw the strongest links between cities, within a core region, across its border and elsewhere (空间关联网络图).

    Parameters
    ----------
    edges : DataFrame
        Columns ``origin`` and ``destination`` (city adcodes) and ``strength``, as of ``GravityNetwork.edges()``.
    source, title : str
    region : str or Region
        Whose links are told apart.
    whole : bool
        Draw China; otherwise the region, with the links within it.
    top : int
        Number of links drawn, the strongest; the legend says so.
    hubs : int
        Cities named on the map of China, those with most of the links drawn.

    Returns
    -------
    matplotlib Figure
        Lines as wide as the root of their strength, dots as large as the number of links drawn at a city.

    Raises
    ------
    InvalidInputError
        For other columns, cities that are not on the map or no link to draw.
    UnknownNameError
        If there is no such region.
    """
    area, top, hubs = get_region(region), check_whole("top", top, 1), check_whole("hubs", hubs)
    links = _checked_edges(edges, area, whole)
    drawn = links.head(top)
    looks = {
        "within": {"color": "black", "alpha": 0.85, "zorder": 6},
        "across": {"color": _ACROSS, "alpha": 0.9, "linestyle": (0, (1, 0.7)), "zorder": 5},
        "elsewhere": {"color": "#8c8c8c", "alpha": 0.55, "zorder": 4},
    }
    name = area.short
    words = {
        "within": say(f"within {name}", f"{name}内部"),
        "across": say("across its border", "跨区域"),
        "elsewhere": say("elsewhere", "其他"),
    }
    canvas = country_canvas(blank, regions=[area.code])[0] if whole else region_canvas(area, blank)[0]
    nodes = _draw_links(canvas, drawn, looks)
    heading = say(
        f"Links: the strongest {len(drawn):,} of {len(links):,}\nwidth ∝ root of strength",
        f"关联：{len(links):,}条中强度最大的{len(drawn):,}条\n线宽∝强度的平方根",
    )
    count = drawn["kind"].value_counts()
    handles = [
        Line2D([], [], linewidth=1.6, label=noted(words[kind], count.get(kind, 0)), **look)
        for kind, look in looks.items()
        if whole or kind == "within"
    ]
    if whole:
        _name_hubs(canvas, nodes, hubs)
        marks_legend(canvas, handles, heading, [area.code])
    else:
        side_legend(canvas, handles, heading)
    ends = {f"{end}_name": drawn[end].map(unit_names()) for end in ("origin", "destination")}
    return finish(canvas, source, title, drawn.assign(**ends).reset_index(drop=True))


def ellipse_map(
    ellipse: DeviationalEllipse,
    *,
    source: str,
    periods: Iterable | None = None,
    region: str | Region | None = None,
    title: str | None = None,
) -> Figure:
    """Draw standard deviational ellipses and their centres by period (标准差椭圆与重心) on China or a core region.

    Parameters
    ----------
    ellipse : DeviationalEllipse
        In the Albers projection of the maps.
    source, title : str
    periods : iterable, optional
        Which to draw, up to four; by default the first and the last.
    region : str or Region, optional
        Draw this region's cities instead of China.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    InvalidInputError
        For an ellipse in another projection, or more than four periods.
    UnknownNameError
        If there is no such region or period.
    """
    check_result(ellipse, ("outlines", "table", "convention"), "clusterlib.spatial.deviational_ellipse")
    outlines = ellipse.outlines()
    if outlines.crs is None or not outlines.crs.equals(gpd.GeoSeries([], crs=ALBERS).crs):
        raise InvalidInputError("the ellipse is in another projection: compute it from places.to_crs(ALBERS)")
    if periods is None:
        periods = [outlines.index[0], outlines.index[-1]]
    if not isinstance(periods, Iterable):
        raise InvalidInputError(f"periods={periods!r}: expected a list of periods")
    drawn = list(dict.fromkeys(periods))
    for period in drawn:
        if period not in outlines.index:
            raise UnknownNameError("period", period, outlines.index)
    marks = list(REGION_MARKS.values())
    if not 1 <= len(drawn) <= len(marks):
        raise InvalidInputError(f"{len(drawn)} periods: at least one and at most {len(marks)} can be told apart")
    canvas = country_canvas(blank, regions=[])[0] if region is None else region_canvas(get_region(region), blank)[0]
    handles = []
    for period, mark in zip(drawn, marks, strict=False):
        row = ellipse.table.loc[period]
        draw_borders(canvas.axes, [outlines[period]], color=mark.colour, linestyle=mark.line, linewidth=1.6, zorder=5)
        canvas.axes.scatter(
            row["x"], row["y"], color=mark.colour, marker=mark.marker, s=30, edgecolor="white", zorder=8
        )
        axes = f"{row['major']:,.0f} × {row['minor']:,.0f}"
        label = say(f"{period}: {axes} km", f"{period}：{axes} 千米")
        handles.append(Line2D([], [], color=mark.colour, linestyle=mark.line, marker=mark.marker, label=label))
    convention = _CONVENTIONS[ellipse.convention]
    heading = say(f"Ellipse ({convention}): semi-axes", f"标准差椭圆（{convention}）：半轴")
    if region is None:
        marks_legend(canvas, handles, heading, [])
    else:
        side_legend(canvas, handles, heading)
    return finish(canvas, source, title, ellipse.table.loc[drawn].reset_index())

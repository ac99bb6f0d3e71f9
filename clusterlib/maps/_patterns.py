"""Maps of spatial patterns: clusters of local Moran's I, networks of links, ellipses with their centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from clusterlib.data._load import load_boundaries
from clusterlib.data.boundaries import ALBERS
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.figures import REGION_MARKS, name_points
from clusterlib.maps._base import Canvas, blank, draw_borders, notes, shade_kinds
from clusterlib.maps._country import city_points, country_canvas, marks_legend, shading_legend
from clusterlib.maps._regional import region_canvas, side_legend
from clusterlib.regions import Region, get_region

if TYPE_CHECKING:
    from clusterlib.spatial import DeviationalEllipse, LocalMoran

# Red where high, blue where low; hatches tell them apart in grey.
CLUSTER_LOOKS = {
    "HH": ("#b2182b", "", "HH high-high 高-高集聚"),
    "LL": ("#2166ac", "////", "LL low-low 低-低集聚"),
    "HL": ("#f4a582", "....", "HL high-low 高-低异常"),
    "LH": ("#92c5de", "xxxx", "LH low-high 低-高异常"),
    "ns": ("#dcdcdc", "", "not significant 不显著"),
}
# None of the regions' colours, which their outlines have.
_ACROSS = "#882255"
_CONVENTIONS = {"arcgis": "ArcGIS", "yuill": "Yuill", "crimestat": "CrimeStat"}


def lisa_map(local: LocalMoran, title: str, *, source: str, level: str = "city", region: str | None = None) -> Figure:
    """Draw the clusters and outliers of local Moran's I (LISA 集聚图) on China or on one core region.

    Parameters
    ----------
    local : LocalMoran
        By adcode; units without a result are shown as having no data.
    title, source : str
    level : {"city", "province"}
        What the units are.
    region : {"bth", "yrd", "gba"}, optional
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
    clusters = local.table["cluster"]
    rule = f"{'FDR' if local.fdr else 'p'} ≤ {local.alpha:g}, {local.permutations:,} permutations 置换"

    def shade(units: pd.Index):
        return shade_kinds(clusters, units, CLUSTER_LOOKS)

    if region is None:
        canvas, shading = country_canvas(shade, level)
        shading_legend(canvas, shading.handles, f"Local Moran 局部莫兰指数\n{rule}")
        marks_legend(canvas, [], "")
    else:
        canvas, shading = region_canvas(get_region(region), shade)
        side_legend(canvas, shading.handles, f"Local Moran 局部莫兰指数\n{rule}")
    canvas.axes.set_title(title)
    notes(canvas, source)
    return canvas.figure


def _checked_edges(edges: pd.DataFrame, area: Region, whole: bool) -> pd.DataFrame:
    lacking = {"origin", "destination", "strength"} - set(getattr(edges, "columns", ()))
    if lacking:
        raise InvalidInputError(
            f"edges: no column {', '.join(sorted(lacking))}; expected those of GravityNetwork.edges()"
        )
    inside = edges[["origin", "destination"]].isin(area.adcodes("city")).sum(axis=1)
    edges = edges.assign(kind=inside.map({2: "within", 1: "across", 0: "elsewhere"}))
    edges = edges if whole else edges[edges["kind"] == "within"]
    known = load_boundaries("city").index
    ends = pd.Index(edges["origin"]).union(edges["destination"])
    if edges.empty or len(ends.difference(known)):
        raise InvalidInputError("edges: expected links between cities by adcode, at least one of them on the map")
    return edges.sort_values("strength", ascending=False)


def _draw_links(canvas: Canvas, edges: pd.DataFrame, looks: dict[str, dict]) -> gpd.GeoDataFrame:
    ends = pd.concat([edges["origin"], edges["destination"]]).value_counts().rename("links").to_frame()
    nodes = city_points(ends)
    place = np.column_stack([nodes.geometry.x, nodes.geometry.y])
    segments = place[np.column_stack([nodes.index.get_indexer(edges[end]) for end in ("origin", "destination")])]
    width = 0.3 + 2.2 * np.sqrt(edges["strength"] / edges["strength"].max()).to_numpy()
    # The weakest first, so that the strong ones lie on top.
    for kind, look in looks.items():
        of_kind = (edges["kind"] == kind).to_numpy()[::-1]
        look = {name: value for name, value in look.items() if name != "label"}
        lines = LineCollection(segments[::-1][of_kind], linewidths=width[::-1][of_kind], **look)
        canvas.axes.add_collection(lines, autolim=False)
    size = 3 + 22 * nodes["links"] / nodes["links"].max()
    canvas.axes.scatter(*place.T, s=size, color="black", linewidth=0, zorder=7)
    return nodes


def _name_hubs(canvas: Canvas, nodes: gpd.GeoDataFrame, count: int) -> None:
    names = load_boundaries("city")["name_zh"].str.removesuffix("市")
    points = pd.DataFrame({"x": nodes.geometry.x, "y": nodes.geometry.y, "name": names.reindex(nodes.index)})
    name_points(canvas.axes, points.loc[nodes["links"].sort_values(ascending=False, kind="stable").index], count)


def network_map(
    edges: pd.DataFrame, title: str, *, region: str, source: str, whole: bool = True, top: int = 400, hubs: int = 10
) -> Figure:
    """Draw the strongest links between cities, within a core region, across its border and elsewhere (空间关联网络图).

    Parameters
    ----------
    edges : DataFrame
        Columns ``origin`` and ``destination`` (city adcodes) and ``strength``, as of ``GravityNetwork.edges()``.
    title, source : str
    region : {"bth", "yrd", "gba"}
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
    area = get_region(region)
    links = _checked_edges(edges, area, whole)
    drawn = links.head(top)
    looks = {
        "within": {"color": "black", "alpha": 0.85, "zorder": 6, "label": f"within {area.short_en} 区域内"},
        "across": {"color": _ACROSS, "alpha": 0.9, "linestyle": "--", "zorder": 5, "label": "across its border 跨区域"},
        "elsewhere": {"color": "#8c8c8c", "alpha": 0.55, "zorder": 4, "label": "elsewhere 其他"},
    }  # fmt: skip
    canvas = country_canvas(blank, regions=[region])[0] if whole else region_canvas(area, blank)[0]
    nodes = _draw_links(canvas, drawn, looks)
    heading = f"Links 关联: the strongest {len(drawn):,} of {len(links):,}\n强度最大的部分，线宽∝强度的平方根"
    count = drawn["kind"].value_counts()
    handles = [
        mpl.lines.Line2D([], [], linewidth=1.6, **{**look, "label": f"{look['label']} ({count.get(kind, 0)})"})
        for kind, look in looks.items()
        if whole or kind == "within"
    ]
    if whole:
        _name_hubs(canvas, nodes, hubs)
        marks_legend(canvas, handles, heading, [region])
    else:
        side_legend(canvas, handles, heading)
    canvas.axes.set_title(title)
    notes(canvas, source)
    return canvas.figure


def ellipse_map(
    ellipse: DeviationalEllipse,
    title: str,
    *,
    source: str,
    periods: Sequence | None = None,
    region: str | None = None,
) -> Figure:
    """Draw standard deviational ellipses and their centres by period (标准差椭圆与重心) on China or a core region.

    Parameters
    ----------
    ellipse : DeviationalEllipse
        In the Albers projection of the maps.
    title, source : str
    periods : sequence, optional
        Which to draw, up to four; by default the first and the last.
    region : {"bth", "yrd", "gba"}, optional
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
    outlines = ellipse.outlines()
    if not outlines.crs.equals(gpd.GeoSeries([], crs=ALBERS).crs):
        raise InvalidInputError("the ellipse is in another projection: compute it from places.to_crs(ALBERS)")
    periods = list(dict.fromkeys([outlines.index[0], outlines.index[-1]] if periods is None else periods))
    for period in periods:
        if period not in outlines.index:
            raise UnknownNameError("period", period, outlines.index)
    marks = list(REGION_MARKS.values())
    if len(periods) > len(marks):
        raise InvalidInputError(f"{len(periods)} periods: at most {len(marks)} can be told apart")
    canvas = country_canvas(blank, regions=[])[0] if region is None else region_canvas(get_region(region), blank)[0]
    handles = []
    for period, mark in zip(periods, marks, strict=False):
        row = ellipse.table.loc[period]
        draw_borders(canvas.axes, outlines[[period]], color=mark.colour, linestyle=mark.line, linewidth=1.6, zorder=5)
        canvas.axes.scatter(
            row["x"], row["y"], color=mark.colour, marker=mark.marker, s=30, edgecolor="white", zorder=8
        )
        label = f"{period}: {row['major']:,.0f} × {row['minor']:,.0f} km"
        handles.append(
            mpl.lines.Line2D([], [], color=mark.colour, linestyle=mark.line, marker=mark.marker, label=label)
        )
    heading = f"Ellipse 标准差椭圆 ({_CONVENTIONS[ellipse.convention]}): semi-axes 半轴"
    if region is None:
        marks_legend(canvas, handles, heading, [])
    else:
        side_legend(canvas, handles, heading)
    canvas.axes.set_title(title)
    notes(canvas, source)
    return canvas.figure

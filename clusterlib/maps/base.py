"""What all maps share: shapes, classes, frame, scale bar and the notes below."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import shapely
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from clusterlib.core.checks import check_number, check_whole, listed, snap
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError
from clusterlib.figures import NEUTRAL, SEQUENTIAL, add_source
from clusterlib.figures._canvas import as_drawn, noted
from clusterlib.figures._drawn import keep_values

if TYPE_CHECKING:
    from mapclassify import FisherJenks
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

NO_DATA = "#f4f4f4"
# In grey the lightest class would look the same.
NO_DATA_HATCH = "\\" * 4
LEGEND = {"fontsize": 7, "title_fontsize": 7, "alignment": "left"}


class Canvas(NamedTuple):
    """A map to draw more on: its figure, its main axes, and the approval number."""

    figure: Figure
    axes: Axes
    approval: str


class Shading(NamedTuple):
    """How a map's units are filled, and the legend's patches."""

    colours: list[str]
    hatches: list[str]
    handles: list[Patch]


def _path(geometry: BaseGeometry) -> Path:
    rings = [ring for part in shapely.get_parts(geometry) for ring in (part.exterior, *part.interiors)]
    return Path.make_compound_path(*(Path(shapely.get_coordinates(ring), closed=True) for ring in rings))


def draw_polygons(
    axes: Axes, shapes: Iterable[BaseGeometry], colours: Sequence[str], hatches: Sequence[str] = (), **style: Any
) -> None:
    """Draw polygons, a path each, and over them the hatches where there are any."""
    # GeoSeries.plot draws the whole figure anew at every call.
    patches = np.array([PathPatch(_path(shape)) for shape in shapes], dtype=object)
    axes.add_collection(PatchCollection(patches, facecolor=list(colours), **style), autolim=False)
    for hatch in sorted(set(hatches) - {""}):
        marked = patches[np.array(hatches) == hatch]
        edge = NEUTRAL if hatch == NO_DATA_HATCH else "white"
        over = PatchCollection(marked, facecolor="none", edgecolor=edge, linewidth=0, zorder=style.get("zorder", 1))
        over.set_hatch(hatch)
        axes.add_collection(over, autolim=False)


def draw_borders(axes: Axes, shapes: Iterable[BaseGeometry], **style: Any) -> None:
    """Draw lines, or the outlines of polygons."""
    lines = [shape.boundary if "Polygon" in shape.geom_type else shape for shape in shapes]
    segments = [shapely.get_coordinates(part) for line in lines for part in shapely.get_parts(line)]
    axes.add_collection(LineCollection(segments, **style), autolim=False)


def frame(axes: Axes, bounds: Sequence[float] | np.ndarray) -> None:
    """Set the extent of a map and a thin line around it."""
    axes.set(xlim=(bounds[0], bounds[2]), ylim=(bounds[1], bounds[3]), xticks=[], yticks=[], aspect="equal")
    axes.set(xlabel="", ylabel="")
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6)


def scale_bar(axes: Axes, kilometres: float) -> None:
    """Draw a scale bar (比例尺) of this length in the lower left corner of a map in metres."""
    kilometres = check_number("kilometres", kilometres, least=0, open_ends=True)
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    x, y, length = x0 + 0.04 * (x1 - x0), y0 + 0.04 * (y1 - y0), kilometres * 1000
    tick = 0.008 * (y1 - y0)
    axes.plot([x, x, x + length, x + length], [y + tick, y, y, y + tick], color="black", linewidth=1, zorder=9)
    text = f"{kilometres:g} {say('km', '千米')}"
    axes.text(x + length / 2, y + 1.4 * tick, text, ha="center", va="bottom", fontsize=7, zorder=9)


def base_note(approval: str) -> str:
    """Return what must stand below every map: its base map with the approval number (审图号), and the projection."""
    return say(
        f"Base map: Tianditu, approval number {approval}; Albers equal-area conic 25°N, 47°N, 105°E",
        f"底图：天地图，审图号：{approval}；Albers等积圆锥投影（25°N、47°N，105°E）",
    )


def finish(canvas: Canvas, source: str, title: str | None, drawn: pd.DataFrame) -> Figure:
    """Write below the map its source, the base map with its approval number (审图号), the projection, a title above.

    ``drawn`` is the table that the map shows, in place of places on the paper.
    """
    base = base_note(canvas.approval)
    keep_values(canvas.figure, drawn)
    # What the shape of the map leaves free is cut off above it and to its right.
    canvas.axes.set(title=title, anchor="SW")
    add_source(canvas.figure, f"{say('Source: ', '资料来源：')}{source}\n{base}" if source else base)
    return canvas.figure


def natural_classes(values: pd.Series, k: int) -> FisherJenks:
    """Return natural breaks (Fisher-Jenks, 自然断点) of the figures that there are."""
    import mapclassify

    present = values.dropna()
    # Figures that differ by rounding alone are no classes.
    present = pd.Series(snap(present.to_numpy()), present.index)
    with warnings.catch_warnings():
        # mapclassify advises numba, which some dozens of values do not need.
        warnings.filterwarnings("ignore", message="Numba not installed")
        return mapclassify.FisherJenks(present, k=min(k, present.nunique()))


def class_labels(edges: Iterable[float], digits: int) -> list[str]:
    """Return the bounds of each class as the legend sets them, of the lowest figure and the upper bounds of classes."""
    return [f"{low:,.{digits}f} – {high:,.{digits}f}" for low, high in pairwise(edges)]


def class_shades(k: int) -> list[str]:
    """Return the colours of so many classes, the lowest first."""
    return [to_hex(c) for c in mpl.colormaps[SEQUENTIAL](np.linspace(0.08, 0.92, k))]


def _on_the_map(values: Any, index: pd.Index) -> pd.Series:
    if not isinstance(values, pd.Series):
        raise InvalidInputError(f"values: expected a Series by the units' adcodes, got a {type(values).__name__}")
    if values.index.nlevels > 1:
        raise InvalidInputError("values: expected one a unit: choose a year first, as in .xs(2020, level='year')")
    if values.index.has_duplicates:
        raise InvalidInputError(f"values: {listed(values.index[values.index.duplicated()])} has more than one")
    shown = values.reindex(index)
    if shown.isna().all():
        raise InvalidInputError("no figure for any unit of the map: values must be indexed by the units' adcodes")
    return shown


def _no_data() -> Patch:
    return Patch(fc=NO_DATA, hatch=NO_DATA_HATCH, ec=NEUTRAL, label=say("No data", "无数据"))


def blank(index: pd.Index) -> Shading:
    """Leave every unit without a shade."""
    return Shading([NO_DATA] * len(index), [""] * len(index), [])


def shade_classes(values: pd.Series, index: pd.Index, k: int, digits: int) -> Shading:
    """Shade units in natural breaks (Fisher-Jenks, 自然断点), those without a figure, or with an infinite one, apart.

    Raises
    ------
    InvalidInputError
        If no unit of the map has a figure, one has more, or they are no numbers.
    """
    values = as_drawn(_on_the_map(values, index), "values")
    classes = natural_classes(values, check_whole("classes", k, 1, 20))
    digits = check_whole("digits", digits, 0, 15)
    shades = class_shades(classes.k)
    fill = [NO_DATA] * len(index)
    for place, kind in zip(np.flatnonzero(values.notna()), classes.yb, strict=True):
        fill[place] = shades[kind]
    labels = class_labels([classes.y.min(), *classes.bins], digits)
    handles = [Patch(facecolor=s, edgecolor=NEUTRAL, label=t) for s, t in zip(shades, labels, strict=True)]
    if values.isna().any():
        handles.append(_no_data())
    return Shading(fill, [NO_DATA_HATCH if missing else "" for missing in values.isna()], handles)


def shade_kinds(values: pd.Series, index: pd.Index, kinds: Mapping[str, tuple[str, str, str]]) -> Shading:
    """Fill units by kind: ``kinds`` has the colour, hatch and label of each, in the order of the legend.

    Raises
    ------
    InvalidInputError
        If no unit of the map has a kind, or one has another.
    """
    values = _on_the_map(values, index)
    unknown = sorted(set(values.dropna()) - set(kinds))
    if unknown:
        raise InvalidInputError(f"kinds without a colour: {', '.join(map(str, unknown))}; expected {', '.join(kinds)}")
    looks = [kinds[kind][:2] if isinstance(kind, str) else (NO_DATA, NO_DATA_HATCH) for kind in values]
    count = values.value_counts()
    handles = [
        Patch(fc=colour, hatch=hatch, ec="white" if hatch else NEUTRAL, label=noted(label, count.get(kind, 0)))
        for kind, (colour, hatch, label) in kinds.items()
    ]
    if values.isna().any():
        handles.append(_no_data())
    return Shading([look[0] for look in looks], [look[1] for look in looks], handles)

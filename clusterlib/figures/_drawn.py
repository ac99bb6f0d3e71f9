"""The figures behind a drawing (作图数据): what its marks stand for, read back from the axes, as a tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_GIVEN = "_clusterlib_values"
# Labels, not shown in legends, of lines that stand for no figures, and of bands drawn beside intervals.
DECORATION, BAND = "_decoration", "_band"


def keep_values(artist: Any, values: pd.DataFrame) -> None:
    """Note the table behind a figure, or behind the cells of an image, where its marks do not show the figures."""
    setattr(artist, _GIVEN, values)


def drawn_values(figure: Figure) -> pd.DataFrame:
    """Return what a figure draws, a row a mark.

    Parameters
    ----------
    figure : Figure
        As the functions of :mod:`clusterlib.figures` and :mod:`clusterlib.maps` make it.

    Returns
    -------
    DataFrame
        ``panel``, ``series``, ``mark`` (point, bar, line, band, area, cell, reference), ``label`` (the row, column or
        point named), ``x`` and ``y``, of bars, lines and bands also their ends ``x_end`` and ``y_end``, of cells
        ``value``; columns without any content are left out. Of a map and of densities the table that was drawn.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots()
    >>> _ = axes.plot([2019, 2020], [1.5, 2.5], label="YRD")
    >>> drawn_values(figure)[["series", "x", "y"]].to_numpy().tolist()
    [['YRD', 2019.0, 1.5], ['YRD', 2020.0, 2.5]]
    >>> plt.close(figure)
    """
    if (given := getattr(figure, _GIVEN, None)) is not None:
        return given
    # A bar of colours is a legend.
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    rows = [{"panel": _heading(axes), **row} for axes in panels for row in _Reader(axes).rows()]
    columns = ["panel", "series", "mark", "label", "x", "y", "x_end", "y_end", "value"]
    return pd.DataFrame(rows, columns=columns).replace("", None).dropna(axis=1, how="all")


def _heading(axes: Axes) -> str:
    titles = (axes.get_title(side) for side in ("left", "center", "right"))
    return " ".join(next(filter(None, titles), "").split())


def _ticks(axis: Axis) -> dict[float, str]:
    locator, formatter = axis.get_major_locator(), axis.get_major_formatter()
    if not (isinstance(locator, FixedLocator) and isinstance(formatter, (FixedFormatter, FuncFormatter))):
        return {}
    return {float(place): str(formatter(place, i)) for i, place in enumerate(locator())}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


class _Reader:
    """Reads the marks of one panel."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.ticks = {"x": _ticks(axes.xaxis), "y": _ticks(axes.yaxis)}
        # Ticks of numbers are a scale and name no row.
        self.names = {side: t for side, t in self.ticks.items() if t and not all(map(_is_number, t.values()))}
        self.named = {tuple(map(float, t.xy)): t.get_text() for t in axes.texts if hasattr(t, "xy")}  # type: ignore
        handles, labels = axes.get_legend_handles_labels()
        # What has more than one colour, and lines of reference, name nothing else.
        named = [(h, set(_colours(h)), label) for h, label in zip(handles, labels, strict=True)]
        self.series = {c.pop(): label for h, c, label in named if len(c) == 1 and all(self._moves(h))}

    def rows(self) -> list[dict[str, Any]]:
        """Return bars, lines, points, intervals, areas and cells, in this order."""

        def shown(artists: Any) -> list[Any]:
            return [artist for artist in artists if artist.get_label() != DECORATION]

        bars = [row for box in self.axes.containers if isinstance(box, BarContainer) for row in self._bars(box)]
        lines = [row for line in shown(self.axes.lines) for row in self._line(line)]
        shapes = [row for shape in shown(self.axes.collections) for row in self._collection(shape)]
        cells = [row for image in self.axes.images for row in self._cells(image, image.get_array())]
        return bars + lines + shapes + cells

    def _row(self, artist: Any, mark: str, x: float, y: float, *, place: int = 0, **ends: float) -> dict[str, Any]:
        series = str(artist.get_label() or "")
        if series.startswith("_") or not series:
            # A line of reference may have the colour of a series and is not of it.
            colours = [] if mark == "reference" else _colours(artist)
            series = self.series.get(colours[place % len(colours)], "") if colours else ""
        beside = {"x": x, "y": y} if mark != "reference" else {}
        label = self.named.get((x, y), "") or next(
            (text for side in beside for text in [self._name(side, beside[side])] if text), ""
        )
        return {"series": series, "mark": mark, "label": label, "x": x, "y": y, **ends}

    def _moves(self, artist: Any) -> tuple[bool, ...]:
        """Return whether a line's places across and up are those of the axes: not both of a line of reference."""
        line = hasattr(artist, "get_xydata")
        return artist.get_transform().contains_branch_seperately(self.axes.transData) if line else (True, True)

    def _name(self, side: str, place: float) -> str:
        names = self.names.get(side, {})
        nearest = min(names, key=lambda tick: abs(tick - place), default=np.inf)
        return names[nearest] if abs(nearest - place) < 0.5 else ""

    def _bars(self, box: BarContainer) -> list[dict[str, Any]]:
        upright = box.orientation == "vertical"
        rows = []
        for place, bar in enumerate(box.patches):
            (x, y), (width, height) = bar.get_xy(), (bar.get_width(), bar.get_height())
            middle = {"x": x + width / 2, "y": y + height / 2}
            row = self._row(box, "bar", **middle, place=place) | {
                "x": x,
                "x_end": x + width,
                "y": y,
                "y_end": y + height,
            }
            rows.append(row | ({"value": height} if upright else {"value": width}))
        return rows

    def _line(self, line: Any) -> list[dict[str, Any]]:
        x, y = (np.asarray(values, dtype=float) for values in line.get_data())
        if not all(moves := self._moves(line)):
            return [self._row(line, "reference", *(v[0] if m else np.nan for v, m in zip((x, y), moves, strict=True)))]
        mark = "point" if line.get_linestyle() in ("None", "none") else "line"
        return [self._row(line, mark, a, b) for a, b in zip(x, y, strict=True) if np.isfinite([a, b]).all()]

    def _collection(self, shape: Any) -> list[dict[str, Any]]:
        if isinstance(shape, QuadMesh):
            return self._cells(shape, shape.get_array())
        if isinstance(shape, PathCollection):
            points = np.asarray(shape.get_offsets(), dtype=float)
            return [self._row(shape, "point", *point, place=place) for place, point in enumerate(points.tolist())]
        if isinstance(shape, LineCollection):
            ends = [np.asarray(path.vertices) for path in shape.get_paths() if len(path) == 2]
            mark = "band" if shape.get_label() == BAND else "line"
            return [
                self._row(shape, mark, *a, place=place, x_end=b[0], y_end=b[1])
                for place, (a, b) in enumerate(ends)
                if np.isfinite(b).all()
            ]
        if isinstance(shape, PolyCollection):
            corners = [corner for path in shape.get_paths() for corner in np.asarray(path.vertices)]
            return [self._row(shape, "area", *map(float, corner)) for corner in corners]
        return []

    def _cells(self, image: Any, array: Any) -> list[dict[str, Any]]:
        given = getattr(image, _GIVEN, None)
        values = np.ma.filled(np.ma.asarray(array, dtype=float), np.nan) if given is None else given.to_numpy(float)
        across, down = (list(self.ticks[side].values()) for side in "xy")
        return [
            {"series": across[j], "mark": "cell", "label": down[i], "value": value}
            for (i, j), value in np.ndenumerate(values)
            if np.isfinite(value)
        ]


def _colours(artist: Any) -> list[str]:
    """Return the colours of the marks of an artist: one, one a mark, or none where they show values."""
    if isinstance(artist, BarContainer):
        return [to_hex(bar.get_facecolor()) for bar in artist.patches]
    if getattr(artist, "get_array", lambda: None)() is not None:
        return []
    for name in ("get_color", "get_facecolor", "get_edgecolor"):
        colours = getattr(artist, name, lambda: None)()
        if colours is not None and len(np.atleast_1d(colours)):
            return [to_hex(colour) for colour in (colours if np.ndim(colours) == 2 else [colours])]
    return []

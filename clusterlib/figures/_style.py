"""Figure style (图表样式): Chinese and English type, marks that read in grey, and the image for print."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import patheffects

from clusterlib.core.rows import Later

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

FONT = "Noto Sans SC"
SEQUENTIAL = "YlGnBu"
NEUTRAL = "#6b6b6b"
DPI = 300
MARGIN = 0.1
# Of these images more than that makes them little smaller, and takes twice as long.
COMPRESSION = 3
# Of these an image is no drawing.
_MOST_COLOURS = 20_000
# Points of a shape from which a vector drawing would be slow to open: it is then a picture within the drawing.
_MOST_POINTS = 20_000
_PICTURE_DPI = 180
# Lines of Chinese characters, which fill their height, would touch at matplotlib's own distance.
LINE_SPACING = 1.45


@dataclass(frozen=True)
class Mark:
    """How one series is drawn: apart in colour, in lightness, in marker and in line."""

    colour: str
    marker: str
    line: Literal["-", "--", "-.", ":"]
    hatch: str

    @property
    def look(self) -> dict[str, Any]:
        """What tells a line apart, as matplotlib takes it."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}


def group_marks(grouping: str = "regions") -> dict[str, Mark]:
    """Return how figures draw the groups of :func:`clusterlib.study.groups`.

    Parameters
    ----------
    grouping : {"regions", "belts"}

    Raises
    ------
    UnknownNameError
        If there is no such grouping.

    Examples
    --------
    >>> list(group_marks("belts"))
    ['east', 'central', 'west', 'northeast']
    """
    from clusterlib.study import groups

    return {key: Mark(g.colour, g.marker, g.line, g.hatch) for key, g in groups(grouping).items()}  # type: ignore[arg-type]


# Of the regions and of the rest, in this order.
REGION_MARKS: Mapping[str, Mark] = Later(group_marks)
SERIES_COLOURS = ["#0b3c5d", "#d55e00", "#56b4e9", "#e69f00", "#009e73", "#cc79a7"]
# Of series, and of one unit among many.
MARKERS = ["o", "s", "^", "D", "v", "P"]
LINES = ["-", "--", "-.", ":"]
LIGHT = "#c8c8c8"
SERIES_HATCHES = ["", "//", "..", "xx", "\\\\", "--"]


def series_marks(names: Iterable[Any]) -> dict[Any, Mark]:
    """Return how figures draw series that have no marks of their own, such as the provinces of a region.

    Examples
    --------
    >>> series_marks([310000, 320000])[320000].marker
    's'
    """
    looks = zip(names, cycle(SERIES_COLOURS), cycle(MARKERS), cycle(LINES))
    return {name: Mark(colour, marker, line, "") for name, colour, marker, line in looks}  # type: ignore[arg-type]


@cache
def _register_font() -> None:
    import pylopdf_fonts_zh_cn
    from matplotlib import font_manager

    folder = Path(pylopdf_fonts_zh_cn.__file__).parent
    font_manager.fontManager.addfont(folder / "NotoSansSC-Regular.otf")


def use_style() -> None:
    """Set matplotlib up for print: Noto Sans SC for Chinese and Latin type, thin axes, no top and right spine."""
    _register_font()
    mpl.rcParams.update(
        {
            "font.family": [FONT, "DejaVu Sans"],
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.unicode_minus": True,
            "axes.prop_cycle": cycler(color=SERIES_COLOURS),
            "figure.dpi": 110,
            # At the resolution of print a font's own shapes are sharp, and hinting them costs a tenth of a drawing.
            "text.hinting": "none",
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
            "hatch.linewidth": 0.6,
        }
    )


def on_paper(text: Text) -> None:
    """Set a thin white edge around a text, so that it can be read on what it lies on."""
    text.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="white")])


def add_source(figure: Figure, text: str) -> None:
    """Write the source line (资料来源) below a figure."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7, color="#444444", linespacing=LINE_SPACING, wrap=True)


def draw_png(figure: Figure) -> bytes:
    """Draw a figure as a PNG image at print resolution, cropped to what is drawn.

    ``savefig(bbox_inches="tight")`` lays every text out twice more, once to measure the figure and once to crop it,
    which is most of its time. Here the layout is solved once, the figure drawn once and the white around it cut off.

    Parameters
    ----------
    figure : Figure
        On a white ground. Its layout is final afterwards, and its resolution that of the image.

    Returns
    -------
    bytes
        RGB at ``DPI`` dots an inch, with ``MARGIN`` inches of white around what is drawn.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots()
    >>> draw_png(figure)[1:4]
    b'PNG'
    >>> plt.close(figure)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_facecolor("white")
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine("none")
    canvas.draw()
    pixels = np.ascontiguousarray(canvas.buffer_rgba())
    # All four bytes of a pixel at once: an opaque white one has every bit set.
    ink = pixels.view(np.uint32)[..., 0] != np.iinfo(np.uint32).max
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if _reaches_edge(rows, ink.shape[0]) or _reaches_edge(columns, ink.shape[1]):
        return _draw_whole(figure)
    return _encode(_crop(pixels, rows, columns))


def _reaches_edge(drawn: np.ndarray, length: int) -> bool:
    """Tell whether something may lie outside the figure; of nothing at all nothing can be cropped either."""
    return drawn.size == 0 or drawn[0] == 0 or drawn[-1] == length - 1


def _draw_whole(figure: Figure) -> bytes:
    """Draw with what lies outside the figure's edge, too."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=MARGIN)
    return buffer.getvalue()


def _crop(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    margin = round(MARGIN * DPI)
    inner = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = np.full((inner.shape[0] + 2 * margin, inner.shape[1] + 2 * margin, 4), 255, dtype=np.uint8)
    whole[margin:-margin, margin:-margin] = inner
    return whole


def _encode(pixels: np.ndarray) -> bytes:
    """Write pixels with 256 colours: half the bytes of all colours, apart from them by what no eye sees."""
    from PIL import Image

    codes = pixels.view(np.uint32)[..., 0] & 0xFFFFFF
    used = np.zeros(1 << 24, dtype=bool)
    used[codes] = True
    colours = np.flatnonzero(used)
    buffer, written = io.BytesIO(), {"format": "png", "dpi": (DPI, DPI), "compress_level": COMPRESSION}
    if len(colours) > _MOST_COLOURS:
        Image.fromarray(pixels).convert("RGB").save(buffer, **written)
        return buffer.getvalue()
    # Those of surfaces and lines as they are; of those between them, at edges, a choice.
    seen, count = np.unique(codes.ravel()[::23], return_counts=True)
    often = _channels(seen[np.argsort(-count, kind="stable")][:128])
    apart = Image.fromarray(_channels(colours)[None].astype(np.uint8)).quantize(128, Image.Quantize.FASTOCTREE)
    palette = np.concatenate([often, np.reshape(apart.getpalette() or [], (-1, 3))])
    nearest = np.zeros(1 << 24, dtype=np.uint8)
    nearest[colours] = ((_channels(colours)[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    image = Image.fromarray(nearest[codes])
    image.putpalette(palette.astype(np.uint8).tobytes())
    image.save(buffer, **written)
    return buffer.getvalue()


def _channels(codes: np.ndarray) -> np.ndarray:
    """Return red, green and blue of pixels that were read as one number."""
    return np.stack([codes >> shift & 255 for shift in (0, 8, 16)], axis=1).astype(np.int32)


def draw_svg(figure: Figure) -> str:
    """Draw a figure as SVG, text as shapes so that it needs no font, and shapes of very many points as pictures.

    Parameters
    ----------
    figure : Figure
        Its layout is final afterwards.

    Returns
    -------
    str
        The same for equal figures.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots()
    >>> "<svg" in draw_svg(figure)
    True
    >>> plt.close(figure)
    """
    from matplotlib.backends.backend_mixed import MixedModeRenderer
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.collections import Collection

    # As for the image, whether that was drawn before or is kept: a layout depends on the resolution.
    if engine := figure.get_layout_engine():
        figure.set_dpi(DPI)
        engine.execute(figure)
        figure.set_layout_engine("none")
    figure.set_facecolor("white")
    for shape in figure.findobj(Collection):
        shape.set_rasterized(sum(len(path.vertices) for path in shape.get_paths()) > _MOST_POINTS)  # type: ignore
    buffer, (width, height) = io.StringIO(), figure.get_size_inches()
    FigureCanvasSVG(figure)
    figure.dpi = 72
    with mpl.rc_context({"svg.hashsalt": "clusterlib", "svg.fonttype": "path"}):
        about = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        writer = _svg_renderer()(72 * width, 72 * height, buffer, image_dpi=_PICTURE_DPI, metadata=about)
        # Not savefig, which draws everything twice.
        figure.draw(MixedModeRenderer(figure, width, height, _PICTURE_DPI, writer))  # type: ignore[arg-type]
        writer.finalize()
    return buffer.getvalue()


@cache
def _svg_renderer() -> type:
    from matplotlib import _path
    from matplotlib.backends.backend_svg import RendererSVG

    class Renderer(RendererSVG):
        """Writes places to a hundredth of a point and leaves out points of which nothing is seen: half the bytes."""

        def _convert_path(self, path, transform=None, clip=None, simplify=None, sketch=None):
            within = (0.0, 0.0, self.width, self.height) if clip else None
            marks = [b"M", b"L", b"Q", b"C", b"z"]
            write: Any = _path.convert_to_string  # type: ignore[attr-defined]
            return write(path, transform, within, True, sketch, 2, marks, False).decode("ascii")

    return Renderer

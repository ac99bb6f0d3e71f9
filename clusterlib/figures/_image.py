"""Turn a figure into an image for print (图像输出), drawn once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
MARGIN = 0.1


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
    inner = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, :3]
    whole = np.full((inner.shape[0] + 2 * margin, inner.shape[1] + 2 * margin, 3), 255, dtype=np.uint8)
    whole[margin:-margin, margin:-margin] = inner
    return whole


def _encode(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", dpi=(DPI, DPI))
    return buffer.getvalue()

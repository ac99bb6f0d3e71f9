"""Keep images on disk by what their figures hold, so that a figure that all regions share is drawn once (图像缓存)."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import TransformNode

from clusterlib.core.files import written_in_place
from clusterlib.figures._style import draw_png, draw_svg
from clusterlib.provenance import package_versions
from clusterlib.provenance import sha256 as hash_files

LARGEST = 300_000_000
_DRAWN_BY = ["geopandas", "matplotlib", "pillow", "pylopdf-fonts-zh-cn", "seaborn"]
# Addresses in memory, and which of the open figures it is.
_OF_THE_PROCESS = {"_parents", "_number", "_restore_to_pylab"}
_LIBRARY = Path(__file__).parents[1]


class _Writer(pickle.Pickler):
    """Writes what a figure draws: the same for figures that were made alike in different processes."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (TransformNode, Figure)):
            state = {name: value for name, value in obj.__getstate__().items() if name not in _OF_THE_PROCESS}  # type: ignore[attr-defined]
            return object.__new__, (type(obj),), state
        if isinstance(obj, (FunctionType, type)) and obj.__module__ == "__main__":
            raise pickle.PicklingError("only the name of what a notebook defines would be written")
        return NotImplemented


@functools.cache
def _drawing() -> bytes:
    """What every image depends on beside its figure."""
    sources = sorted(path for name in ("figures", "maps") for path in (_LIBRARY / name).glob("*.py"))
    return f"{hash_files(*sources)} {package_versions(_DRAWN_BY)}".encode()


def figure_key(figure: Figure) -> str:
    """Return a hash of all that an image depends on, or nothing for a figure that cannot be told from others."""
    written = io.BytesIO()
    try:
        _Writer(written, protocol=5).dump(figure)
    except Exception:  # whatever an object says that cannot be written
        return ""
    settings = repr(sorted(mpl.rcParams.items())).encode()
    return sha256(b"\0".join([_drawing(), settings, written.getvalue()])).hexdigest()


def kept_png(figure: Figure, folder: Path | None) -> bytes:
    """Return the image of :func:`clusterlib.figures.draw_png`, from a folder if an equal figure was drawn before.

    What is read is an image and nothing else; a damaged one is drawn again.
    """
    return kept_images(figure, folder, svg=False)[0]


def kept_images(figure: Figure, folder: Path | None, svg: bool) -> tuple[bytes, bytes]:
    """Return the image of :func:`kept_png`, and as SVG if that is wanted, else nothing."""
    # Drawing changes the figure.
    key = figure_key(figure) if folder else ""
    image = _kept(folder, key, "png", lambda: draw_png(figure))
    return image, _kept(folder, key, "svg", lambda: draw_svg(figure).encode()) if svg else b""


# The first and the last of every whole file.
_ENDS = {"png": (b"\x89PNG", b"IEND\xaeB`\x82"), "svg": (b"<?xml", b"</svg>\n")}


def _kept(folder: Path | None, key: str, kind: str, draw: Callable[[], bytes]) -> bytes:
    if not folder or not key:
        return draw()
    path, (first, last) = folder / f"{key}.{kind}", _ENDS[kind]
    with contextlib.suppress(OSError):
        image = path.read_bytes()
        if image.startswith(first) and image.endswith(last):
            return image
    image = draw()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
        with written_in_place(path) as scratch:
            scratch.write_bytes(image)
    return image


def _make_room(folder: Path) -> None:
    """Delete the oldest images beyond what the folder may hold."""
    found = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= LARGEST:
            return
        os.unlink(path)
        total -= size

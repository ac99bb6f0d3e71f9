"""A figure's image: cropped to what is drawn, complete, at print resolution."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from clusterlib.figures import draw_png
from clusterlib.figures._style import DPI, MARGIN


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def pixels_of(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def white_border(pixels: np.ndarray) -> set[int]:
    ink = (pixels != 255).any(axis=2)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return {rows[0], ink.shape[0] - 1 - rows[-1], columns[0], ink.shape[1] - 1 - columns[-1]}


@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_an_image_has_the_same_margin_of_white_on_every_side(layout):
    figure, axes = plt.subplots(figsize=(4, 3), layout=layout)
    axes.set_title("digital industry")
    assert white_border(pixels_of(draw_png(figure))) == {round(MARGIN * DPI)}


def test_an_image_is_as_large_as_matplotlib_crops_it():
    figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
    axes.set_title("title")
    expected = io.BytesIO()
    figure.savefig(expected, format="png", dpi=DPI, bbox_inches="tight", pad_inches=MARGIN)
    assert pixels_of(draw_png(figure)).shape == pytest.approx(pixels_of(expected.getvalue()).shape, abs=12)


def test_what_lies_outside_the_figure_is_not_cut_off():
    figure, axes = plt.subplots(figsize=(2, 2), layout="none")
    axes.text(0.5, 1.5, "far above the axes", transform=axes.transAxes)
    assert pixels_of(draw_png(figure)).shape[0] > 2 * DPI
    assert min(white_border(pixels_of(draw_png(figure)))) > 0


def test_a_figure_with_nothing_in_it_is_a_white_image():
    assert (pixels_of(draw_png(plt.figure(figsize=(1, 1)))) == 255).all()

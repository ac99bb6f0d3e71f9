"""A figure's image: cropped to what is drawn, complete, at print resolution."""

import io
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from clusterlib.figures import _kept, _style, draw_png, draw_svg
from clusterlib.figures._kept import figure_key, kept_png
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


def lines(title: str = "digital industry"):
    figure, axes = plt.subplots(figsize=(3, 2), layout="constrained")
    axes.plot([2016, 2020, 2024], [1.0, 2.0, 4.0], label="YRD", marker="o")
    axes.set_title(title)
    axes.legend()
    return figure


def test_an_equal_figure_is_not_drawn_again_and_its_image_is_the_same_byte_for_byte(tmp_path, monkeypatch):
    drawn = draw_png(lines())
    assert kept_png(lines(), tmp_path) == drawn
    monkeypatch.setattr(_kept, "draw_png", lambda figure: pytest.fail("it was drawn again"))
    assert kept_png(lines(), tmp_path) == drawn


def test_a_figure_that_differs_in_anything_is_another(tmp_path):
    known = {figure_key(lines()), figure_key(lines("digital finance"))}
    thicker = lines()
    thicker.axes[0].lines[0].set_linewidth(3)
    with plt.rc_context({"path.simplify": False}):
        other_settings = figure_key(lines())
    assert len(known | {figure_key(thicker), other_settings}) == 4


def test_equal_figures_of_two_processes_are_found_to_be_equal():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_figures_image as t; print(t.figure_key(t.lines()))"
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    keys = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(keys) == 1 and len(keys.pop().strip()) == 64


def test_a_figure_with_a_function_of_the_notebook_is_drawn_each_time(tmp_path, monkeypatch):
    def in_words(value, position):
        return f"{value:.1f} times"

    monkeypatch.setattr(in_words, "__module__", "__main__")
    figure = lines()
    figure.axes[0].yaxis.set_major_formatter(in_words)
    assert figure_key(figure) == ""
    assert kept_png(figure, tmp_path).startswith(b"\x89PNG") and not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [lambda image: image[:-30], lambda image: b"", lambda image: b"no image" + image])
def test_a_damaged_image_is_drawn_again(tmp_path, damage):
    whole = kept_png(lines(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(whole))
    assert kept_png(lines(), tmp_path) == whole == path.read_bytes()


def test_the_oldest_images_make_room(tmp_path, monkeypatch):
    kept_png(lines(), tmp_path)
    monkeypatch.setattr(_kept, "LARGEST", 10)
    kept_png(lines("digital finance"), tmp_path)
    assert [path.stem for path in tmp_path.iterdir()] == [figure_key(lines("digital finance"))]


def test_without_a_folder_to_write_in_a_figure_is_drawn(tmp_path):
    (tmp_path / "file").write_text("")
    assert kept_png(lines(), tmp_path / "file") == kept_png(lines(), None) == draw_png(lines())


def test_colours_of_surfaces_stay_as_they_are_and_those_at_edges_nearly(monkeypatch):
    def drawn():
        figure, axes = plt.subplots(figsize=(3, 2), layout="constrained")
        axes.axvspan(0, 0.5, color="#f4f4f4", linewidth=0)
        axes.scatter(range(40), range(40), c=range(40), cmap="viridis")
        return pixels_of(draw_png(figure)).astype(int)

    few = drawn()
    monkeypatch.setattr(_style, "_MOST_COLOURS", 0)
    every = drawn()
    assert np.abs(few - every).max() <= 48 and np.abs(few - every).mean() < 0.1
    for colour in ((244, 244, 244), (255, 255, 255)):
        assert (few[(every == colour).all(axis=2)] == colour).all()


def test_a_drawing_is_the_same_each_time_needs_no_font_and_tells_no_time(tmp_path):
    drawing = draw_svg(lines())
    assert drawing == draw_svg(lines())
    assert "<text" not in drawing and "<dc:date>" not in drawing
    assert xml.etree.ElementTree.fromstring(drawing).tag.endswith("svg")
    image, kept = _kept.kept_images(lines(), tmp_path, svg=True)
    assert kept.decode() == drawing and sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".svg"]
    assert _kept.kept_images(lines(), tmp_path, svg=True) == (image, kept)


def test_a_shape_of_very_many_points_is_a_picture_within_its_drawing():
    figure, axes = plt.subplots()
    many = np.linspace(0, 400, 50_000)
    axes.fill_between(many, np.sin(many), np.cos(many))
    assert "data:image/png" in draw_svg(figure) and len(draw_svg(figure)) < 1_500_000
    assert "data:image/png" not in draw_svg(lines())

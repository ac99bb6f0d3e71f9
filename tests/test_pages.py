"""Pages stand alone: no script, no network, code folded, alt text, MathML, and a header that says what made them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nbformat
import pytest

from clusterlib.errors import ClusterlibError
from clusterlib.results import MIME
from clusterlib.run.pages import markdown_to_html, math_to_mathml, render
from clusterlib.run.places import Place

RUN = {
    "notebook_sha256": "ab" * 32,
    "parameters": {"region": "gba", "years": "2016:2024"},
    "started_at": "2026-01-02T03:04:05+00:00",
    "seconds": 1.5,
    "commit": "0123456789abcdef+",
    "python": "3.11.7",
    "packages": {"pandas": "3.1.1"},
}
DATA = {"data/raw/province/innovation.csv": "cd" * 32}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Tags(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.found if name == tag]


def page(tmp_path, *cells) -> str:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(cells)
    return render(notebook, Place(tmp_path, "gba", "01_data_audit"), RUN, DATA)


def figure_cell():
    said = {"label_en": "A <map>", "label_zh": "地图", "note": "n = 9"}
    record = {"name": "a.map", "kind": "figure", "value": "figures/a.map.png", **said}
    metadata = {"image/png": {"alt": 'A map of "nine" cities'}}
    output = nbformat.v4.new_output(
        "display_data", {MIME: record, "image/png": PNG, "text/plain": "x"}, metadata=metadata
    )
    return nbformat.v4.new_code_cell("draw()", id="map", outputs=[output])


def test_header_gives_title_region_parameters_commit_time_and_hashes(tmp_path):
    html = page(tmp_path, nbformat.v4.new_markdown_cell("# Data audit 数据审计\n\nText."))
    assert "<h1>Data audit 数据审计</h1>" in html
    assert html.count("Data audit 数据审计") == 2  # the title of the window and the heading, not the cell again
    for part in (
        "Greater Bay Area", "粤港澳大湾区", "region = &#34;gba&#34;", "2016:2024", "0123456789ab", "with local changes",
        "2026-01-02 03:04:05 UTC", "data/raw/province/innovation.csv", "cdcdcdcdcdcdcdcd", "pandas 3.1.1", "Text.",
    ):  # fmt: skip
        assert part in html.replace('"', "&#34;"), part


def test_nothing_is_fetched_and_nothing_runs(tmp_path):
    html = page(tmp_path, nbformat.v4.new_markdown_cell("# T\n\n$x^2$ and $$y_i$$"), figure_cell())
    tags = Tags(html)
    assert not tags.all("script") and not tags.all("link") and not tags.all("iframe")
    sources = [attrs[key] for _, attrs in tags.found for key in ("src", "srcset", "poster") if key in attrs]
    assert sources and all(source.startswith("data:") for source in sources)
    assert not re.search(r"url\(|@import", html)


def test_code_is_folded_and_named_by_its_cell(tmp_path):
    html = page(tmp_path, nbformat.v4.new_code_cell("x = 1", id="setup"))
    assert {"class": "input"} in Tags(html).all("details")
    assert "<summary>Code: setup</summary>" in html
    assert 'id="cell-setup"' in html


def test_figures_carry_alt_text_caption_and_an_anchor_to_cite(tmp_path):
    html = page(tmp_path, figure_cell())
    (image,) = Tags(html).all("img")
    assert image["alt"] == 'A map of "nine" cities'
    assert 'id="result-a.map"' in html
    assert 'A &lt;map&gt; <span lang="zh">地图</span>' in html


def test_headings_become_a_list_of_contents(tmp_path):
    html = page(
        tmp_path, nbformat.v4.new_markdown_cell("# T"), nbformat.v4.new_markdown_cell("## Trend 趋势\n\nWords.")
    )
    (target,) = re.findall(r'<nav.*?href="#([^"]+)">Trend 趋势</a>', html, flags=re.DOTALL)
    assert f'<h2 id="{target}"' in html


def test_error_output_is_shown_without_terminal_codes(tmp_path):
    output = nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["\x1b[31mValueError\x1b[0m: <b>"])
    html = page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output]))
    assert "\x1b" not in html and "&lt;b&gt;" in html


def test_formulas_become_mathml_inline_and_displayed():
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">' in markdown_to_html("so $w_j$ is")
    assert 'display="block"' in markdown_to_html("$$\\frac{a}{b}$$")
    assert "$" not in markdown_to_html("$$\\sum_i p_i \\ln p_i$$")


def test_a_formula_that_cannot_be_read_is_named():
    with pytest.raises(ClusterlibError, match=r"formula '\\\\left\( a' cannot be read"):
        math_to_mathml("\\left( a", display=False)
    with pytest.raises(ClusterlibError, match=r"unknown command \\foo"):
        math_to_mathml("\\foo{x}", display=True)

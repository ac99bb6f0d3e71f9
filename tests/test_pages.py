"""Pages stand alone: no script, no network, code folded, alt text, MathML, and a header that says what made them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nbformat
import pytest

from clusterlib.core.records import Place
from clusterlib.errors import ClusterlibError
from clusterlib.publish.pages import markdown_to_html, math_to_mathml, render
from clusterlib.results import MIME

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
    """Collects start tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)

    def handle_data(self, data):
        self.text += data

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


RUNS = '<script>run()</script><img src="https://example.org/a.png" onerror="run()"><iframe src="https://example.org">'


def test_what_a_cell_shows_neither_runs_nor_loads_and_what_is_left_out_is_named(tmp_path):
    shown = (
        f'<table onclick=run()><tr><td style="color:red">1 &lt; 2</td></tr></table>{RUNS}</iframe><svg><a/></svg>'
        '<link rel=preconnect href="https://example.org"><meta http-equiv=refresh content="0;https://example.org">'
        '<a href="java&#10;script:run()">a</a><a href="https://example.org">b</a>'
        '<p style="background:url(//example.org)">c</p>'
        '<form action="https://example.org"><input></form><base href="//e.org"><a href=b ping="//e.org">d</a><!--x--><b'
    )
    output = nbformat.v4.new_output("display_data", {"text/html": shown})
    html = page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output]))
    tags = Tags(html)
    for name in ("script", "iframe", "svg", "link", "form", "base", "img"):
        assert not [tag for tag in tags.all(name) if tag], name
    assert {tag.get("type") for tag in tags.all("input")} == {"radio"}
    assert len(tags.all("meta")) == 3 and "run()" not in html.replace("run()</pre>", "")
    assert [link.get("href") for link in tags.all("a")][-3:] == [None, "https://example.org", "b"]
    assert {"style": "color:red"} in tags.all("td") and "1 < 2" in tags.text and tags.all("p")[-2] == {}
    assert (
        "Left out of this page" in tags.text and "a ping" in tags.text and "script, img src, img onerror" in tags.text
    )


@pytest.mark.parametrize("mime", ["text/plain", "image/png", "stream"])
def test_other_outputs_are_text_or_pictures(tmp_path, mime):
    hostile = '"><script>run()</script>'
    output = nbformat.v4.new_output("display_data", {mime: hostile})
    output = nbformat.v4.new_output("stream", text=hostile) if mime == "stream" else output
    assert not Tags(page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output]))).all("script")


def test_a_drawing_is_shown_as_a_picture_in_which_nothing_runs(tmp_path):
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'><script>run()</script></svg>"
    output = nbformat.v4.new_output("display_data", {"image/svg+xml": drawing, "text/plain": "x"})
    tags = Tags(page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output])))
    assert not tags.all("script") and tags.all("img")[0]["src"].startswith("data:image/svg+xml,%3Csvg")


def test_titles_prose_captions_and_parameters_are_no_html_that_runs(tmp_path, monkeypatch):
    hostile = f"A & <b>{RUNS}"
    monkeypatch.setitem(RUN["parameters"], "name", RUNS)
    figure = figure_cell()
    figure.outputs[0].data[MIME]["label_en"] = RUNS
    prose = (
        f"{RUNS}\n\n## Head {RUNS}\n\n[a](javascript:run()) ![b](https://example.org/a.png)\n\n```mermaid\n{RUNS}\n```"
    )
    html = page(tmp_path, nbformat.v4.new_markdown_cell(f"# {hostile}"), nbformat.v4.new_markdown_cell(prose), figure)
    tags = Tags(html)
    assert not tags.all("script") and not tags.all("iframe") and "A & <b>" in tags.text
    assert all(source.startswith("data:") for image in tags.all("img") if (source := image.get("src")))
    assert not [link for link in tags.all("a") if "javascript" in link.get("href", "")]
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]


def test_every_page_forbids_scripts_and_loads(tmp_path):
    (policy,) = [tag["content"] for tag in Tags(page(tmp_path)).all("meta") if "http-equiv" in tag]
    assert policy.startswith("default-src 'none'") and "script" not in policy and "http" not in policy

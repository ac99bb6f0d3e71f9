"""Pages open offline: no script of a notebook, no network, code folded, alt text, MathML, one language a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nbformat
import pytest

from clusterlib.core.records import Place
from clusterlib.core.tables import Cells, set_html
from clusterlib.errors import ClusterlibError
from clusterlib.publish.frame import frame
from clusterlib.publish.pages import markdown_to_html, math_to_mathml, render, with_scopes
from clusterlib.results import MIME

RUN = {
    "notebook_sha256": "ab" * 32,
    "parameters": {"region": "gba", "years": "2016:2024"},
    "changed": [],
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


def page(tmp_path, *cells, language="en") -> str:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = list(cells)
    return render(notebook, Place(tmp_path, "gba", "01_data_audit"), RUN, {"data": DATA}, language)


def prose(source: str, language: str = ""):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": [f"lang-{language}"]} if language else {})


def figure_cell():
    said = {"label_en": "A <map>", "label_zh": "地图", "note": "n = 9"}
    record = {"name": "a.map", "kind": "figure", "value": "figures/a.map.png", **said}
    metadata = {"image/png": {"alt": 'A map of "nine" cities'}}
    output = nbformat.v4.new_output(
        "display_data", {MIME: record, "image/png": PNG, "text/plain": "x"}, metadata=metadata
    )
    return nbformat.v4.new_code_cell("draw()", id="map", outputs=[output])


def test_the_caption_that_a_notebook_shows_is_not_set_again(tmp_path):
    figure, about = figure_cell(), {MIME: {"name": "a.map", "language": "en", "part": "caption"}}
    figure.outputs.append(nbformat.v4.new_output("display_data", {"text/html": "<p>Seen before</p>"}, metadata=about))
    assert "Seen before" not in Tags(page(tmp_path, figure)).text


def test_a_page_says_its_title_region_parameters_commit_time_and_hashes(tmp_path):
    html = page(tmp_path, prose("# Data audit\n\nText."))
    assert "<h1>Data audit</h1>" in html
    # The title of the window and the heading, not the cell again; in the sidebar stand the project's own.
    assert html.count(">Data audit") - html.count("<span>Data audit") == 2
    for part in (
        "Greater Bay Area", "region = &#34;gba&#34;", "2016:2024", "0123456789ab", "with local changes",
        "2026-01-02 03:04:05 UTC", "data/raw/province/innovation.csv", "cdcdcdcdcdcdcdcd", "pandas 3.1.1", "Text.",
    ):  # fmt: skip
        assert part in html.replace('"', "&#34;"), part


def own(tags: Tags, page: str = "01_data_audit") -> list[str]:
    """The addresses that a page loads; each is of the frame's assets, of the run's folder, or within the page."""
    loaded = [attrs[key] for tag, attrs in tags.found for key in ("src", "srcset", "poster") if key in attrs]
    loaded += [attrs["href"] for attrs in tags.all("link")]
    strange = [one for one in loaded if not one.startswith(("../assets/site.", f"{page}/figures/", "data:"))]
    assert strange == []
    return loaded


def scripts_of(tags: Tags) -> list[str]:
    return [attrs.get("src", "inline") for attrs in tags.all("script")]


def test_nothing_is_fetched_and_nothing_runs_but_the_frame(tmp_path):
    html = page(tmp_path, prose("# T\n\n$x^2$ and $$y_i$$"), figure_cell())
    tags = Tags(html)
    assert scripts_of(tags) == ["../assets/site.js"] and not tags.all("iframe")
    assert "01_data_audit/figures/a.map.png" in own(tags)
    assert not re.search(r"url\(|@import", html)


def test_a_page_holds_the_cells_and_results_of_its_language_only(tmp_path):
    said = {"label_en": "Sum", "label_zh": "合计", "kind": "number", "name": "sum", "value": 1, "cell": "c"}
    outputs = [
        nbformat.v4.new_output(
            "display_data", {**entry, "text/html": html}, metadata={MIME: {"name": "sum", "language": key}}
        )
        for key, html, entry in (("en", "<p>Sum</p>", {MIME: said}), ("zh", "<p>合计</p>", {}))
    ]  # fmt: skip
    cells = (
        prose("# Data", "en"), prose("# 数据", "zh"), prose("## One\n\n## Two", "en"), prose("## 一\n\n## 二", "zh"),
        nbformat.v4.new_code_cell("x", id="c", outputs=outputs), prose("Both 双语"),
    )  # fmt: skip
    pages = {language: page(tmp_path, *cells, language=language) for language in ("en", "zh")}
    assert '<html lang="en">' in pages["en"] and '<html lang="zh-Hans">' in pages["zh"]
    for language, own, other in (
        ("en", ("Data", "Two", "Sum"), ("数据", "二", "合计")),
        ("zh", ("数据", "二", "合计"), ("Two", "Sum")),
    ):
        main = pages[language].partition("<h1>")[2].partition('class="made"')[0]
        assert all(word in main for word in (*own, "Both 双语")) and not any(word in main for word in other)
    # What a switch of language leads to is called the same.
    assert [re.findall(r'id="(s\d|result-[^"]+|cell-c)"', html) for html in pages.values()] == 2 * [
        ["s1", "s2", "cell-c", "result-sum"]
    ]
    assert 'href="../gba/01_data_audit.zh.html"' in pages["en"] and 'href="../gba/01_data_audit.html"' in pages["zh"]


def test_code_is_folded_and_named_by_its_cell(tmp_path):
    html = page(tmp_path, nbformat.v4.new_code_cell("x = 1", id="setup"))
    assert {"class": "input"} in Tags(html).all("details")
    assert "<summary>Code: setup</summary>" in html
    assert 'id="cell-setup"' in html


def test_figures_carry_size_alt_text_caption_source_and_an_anchor_to_cite(tmp_path):
    tags = Tags(html := page(tmp_path, figure_cell()))
    (image,) = tags.all("img")
    assert image["alt"] == 'A map of "nine" cities' and (image["width"], image["height"]) == ("1", "1")
    assert 'id="result-a.map"' in html and '<a href="#cell-map">01_data_audit, map</a>' in html
    assert "A &lt;map&gt;" in html and "n = 9" in html
    assert "地图" in page(tmp_path, figure_cell(), language="zh").partition("<figcaption>")[2]


def test_a_picture_that_is_not_recorded_stands_within_the_page(tmp_path):
    output = nbformat.v4.new_output("display_data", {"image/png": PNG})
    (image,) = Tags(page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output]))).all("img")
    assert image["src"] == f"data:image/png;base64,{PNG}"


def test_tables_have_heads_with_scopes_and_a_box_that_the_keyboard_reaches():
    html = with_scopes(set_html(Cells(["city", "", "sum"], [["Bengbu", "a", "1"]], ["left", "left", "right"]), "Sums"))
    assert re.findall(r'<th scope="(\w+)"[^>]*>([^<]*)', html) == [("col", "city"), ("col", "sum"), ("row", "Bengbu")]
    assert html.count('class="table-wrap" tabindex="0"') == 1
    below = set_html(Cells(["", "(1)"], [["digital index", "0.5"], ["", "(0.2)"]], ["left", "hanging"]))
    assert re.findall(r'<th scope="row"[^>]*>([^<]*)', with_scopes(below)) == ["digital index"], "no word, no head"
    many = with_scopes("<table><thead><tr>" + 16 * "<th>a</th>" + "</tr></thead></table>")
    assert 'class="table-wrap wide" tabindex="0"' in many, "set on its side in print"


def test_headings_become_a_list_of_contents(tmp_path):
    html = page(tmp_path, prose("# T"), prose("## Trend & more\n\nWords."))
    listed = re.findall(r'<nav class="contents".*?href="#([^"]+)">(.*?)</a>', html, re.DOTALL)
    assert listed == [("s1", "Trend &amp; more")]
    assert '<h2 id="s1">Trend &amp; more</h2>' in html


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
    for name in ("iframe", "svg", "base", "img"):
        assert not [tag for tag in tags.all(name) if tag], name
    own(tags)
    assert scripts_of(tags) == ["../assets/site.js"] and [tag.get("id") for tag in tags.all("input")] == ["search"]
    assert len(tags.all("meta")) == 3 and len(tags.all("form")) == 1 and "run()" not in html.replace("run()</pre>", "")
    links = [link.get("href") for link in tags.all("a")]
    assert links[(at := links.index(None)) : at + 3] == [None, "https://example.org", "b"]
    assert {"style": "color:red"} in tags.all("td") and "1 < 2" in tags.text and "<p>c</p>" in html
    assert (
        "Left out of this page" in tags.text and "a ping" in tags.text and "script, img src, img onerror" in tags.text
    )


@pytest.mark.parametrize("mime", ["text/plain", "image/png", "stream"])
def test_other_outputs_are_text_or_pictures(tmp_path, mime):
    hostile = '"><script>run()</script>'
    output = nbformat.v4.new_output("display_data", {mime: hostile})
    output = nbformat.v4.new_output("stream", text=hostile) if mime == "stream" else output
    tags = Tags(page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output])))
    assert scripts_of(tags) == ["../assets/site.js"]


def test_a_drawing_is_shown_as_a_picture_in_which_nothing_runs(tmp_path):
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'><script>run()</script></svg>"
    output = nbformat.v4.new_output("display_data", {"image/svg+xml": drawing, "text/plain": "x"})
    tags = Tags(page(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output])))
    assert scripts_of(tags) == ["../assets/site.js"]
    assert tags.all("img")[0]["src"].startswith("data:image/svg+xml,%3Csvg")


def test_titles_prose_captions_and_parameters_are_no_html_that_runs(tmp_path, monkeypatch):
    hostile = f"A & <b>{RUNS}"
    monkeypatch.setitem(RUN["parameters"], "name", RUNS)
    figure = figure_cell()
    figure.outputs[0].data[MIME]["label_en"] = RUNS
    text = (
        f"{RUNS}\n\n## Head {RUNS}\n\n[a](javascript:run()) ![b](https://example.org/a.png)\n\n```mermaid\n{RUNS}\n```"
    )
    html = page(tmp_path, nbformat.v4.new_markdown_cell(f"# {hostile}"), nbformat.v4.new_markdown_cell(text), figure)
    tags = Tags(html)
    assert scripts_of(tags) == ["../assets/site.js"] and not tags.all("iframe") and "A & <b>" in tags.text
    assert [source for image in tags.all("img") if (source := image.get("src"))] == ["01_data_audit/figures/a.map.png"]
    assert not [link for link in tags.all("a") if "javascript" in link.get("href", "")]
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]


def test_every_page_forbids_scripts_and_loads_but_those_of_its_frame(tmp_path):
    first, second = (Tags(page(tmp_path, prose(text))) for text in ("one", "two"))
    (policy,) = [tag["content"] for tag in first.all("meta") if "http-equiv" in tag]
    assert policy.startswith("default-src 'none'") and "http" not in policy and "*" not in policy
    (allowed,) = re.findall(r"script-src ([^;]+)", policy)
    assert allowed == f"'nonce-{first.all('script')[0]['nonce']}' 'strict-dynamic'"
    assert first.all("script")[0]["nonce"] != second.all("script")[0]["nonce"], "no text can know the mark of its page"


def test_the_frame_leads_to_other_regions_of_the_same_notebook_and_to_its_neighbours():
    html = frame("yrd/06_spatial", "zh", "空间结构", "<p>a</p>")
    links = Tags(html).all("a")
    current = [link["href"] for link in links if link.get("aria-current") == "page"]
    assert current == ["../yrd/06_spatial.zh.html"]
    assert {"../bth/06_spatial.zh.html", "../gba/06_spatial.zh.html"} <= {link["href"] for link in links}
    assert [link["href"] for link in links if link.get("rel") in ("prev", "next")] == [
        "../yrd/05_inequality.zh.html", "../yrd/07_spillovers.zh.html"
    ]  # fmt: skip
    elsewhere = {link["href"] for link in Tags(frame("maps", "en", "Maps", "")).all("a")}
    assert {"index.html", "yrd/index.html", "maps.zh.html", "data/index.html"} <= elsewhere
    assert not Tags(frame("yrd/index", "en", "", "")).all("a")[0].get("rel")

"""A report as its readers get it: HTML, Word and PDF with the same numbers, captions, three-line tables and works."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from test_pages import Tags

from clusterlib.errors import ClusterlibError
from clusterlib.report._author import MIME
from clusterlib.report._document import collect_document, escape_markdown, pipe_table, read_blocks
from clusterlib.report._lookup import fill
from clusterlib.report._render import read_document, write_report
from clusterlib.report._word import finish
from clusterlib.study import ResultLookup

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TABLE = {
    "name": "shares", "kind": "table", "cell": "table", "label_en": "Shares | of_all", "label_zh": "占比",
    "unit": "percent", "note": "n = 3", "source": "NBS",
    "value": {"index": ["region"], "columns": ["share"], "data": [["a", 12.5]]},
    "shown": {"heads": ["Region 区域", "Share*"], "rows": [["a|b", "12.50***"]], "align": ["left", "hanging"]},
}  # fmt: skip
FIGURE = {
    "name": "map", "kind": "figure", "cell": "map", "label_en": "A map", "label_zh": "地图",
    "alt": 'Circles of "size" 3.', "value": "figures/map.png", "source": "NBS",
    "source_zh": "国家统计局",
}  # fmt: skip
BIBLIOGRAPHY = """@article{hansen1999, author = {Hansen, Bruce E.}, title = {Threshold effects in non-dynamic panels},
  journal = {Journal of Econometrics}, volume = {93}, number = {2}, pages = {345--368}, year = {1999},
  langid = {english}}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Results of one notebook and a report on them, set in every format."""
    reports = tmp_path_factory.mktemp("reports")
    folder = reports / "yrd"
    source = folder / "02_overview"
    (source / "figures").mkdir(parents=True)
    (source / "figures" / "map.png").write_bytes(PNG)
    count = {"name": "count", "kind": "number", "value": 27, "cell": "reading", "label_en": "Clusters"}
    content = {"notebook": "02_overview", "region": "yrd", "parameters": {}, "records": [count, TABLE, FIGURE]}
    (source / "results.json").write_text(json.dumps(content), encoding="utf-8")
    lookup = ResultLookup("yrd", reports)
    texts = {"en": "There are {02_overview:count} [@hansen1999].", "zh": "共有{02_overview:count}个[@hansen1999]。"}
    blocks = [
        {"kind": "heading", "level": 1, "en": ["Clusters"], "zh": ["集群"]},
        {"kind": "heading", "level": 1, "en": ["State"], "zh": ["现状"]},
        {"kind": "text", **{language: fill(text, language, lookup) for language, text in texts.items()}},
        {"kind": "figure", "notebook": "02_overview", "name": "map", "en": ["A map"], "zh": ["地图"]},
        {"kind": "table", "notebook": "02_overview", "name": "shares", "en": ["Shares | of_all"], "zh": ["占比"]},
        {
            "kind": "claims", "en": ["Claims"], "zh": ["论断"],
            "rows": {"en": [["It is so.", "mixed", "x = 3", ""]], "zh": [["如此。", "证据不一", "x = 3", ""]]},
        },
        {"kind": "references", "en": ["References"], "zh": ["参考文献"]},
    ]  # fmt: skip
    cells = [nbformat.v4.new_code_cell(outputs=[_output(block) for block in blocks])]
    executed = reports / "report.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), executed)
    bibliography = reports / "references.bib"
    bibliography.write_text(BIBLIOGRAPHY, encoding="utf-8")
    paths = write_report(executed, folder, lookup, bibliography, subtitle="Region")
    assert {path.name for path in paths} == {
        f"report.{language}.{kind}" for language in ("en", "zh") for kind in ("html", "docx", "pdf")
    }
    return folder


def _output(block: dict):
    return nbformat.v4.new_output("display_data", data={MIME: block})


def page(written: Path, language: str) -> str:
    return (written / f"report.{language}.html").read_text(encoding="utf-8")


def test_rows_without_a_name_of_their_index_keep_their_labels_in_every_format(tmp_path):
    import docx
    import pypandoc

    from clusterlib.core.tables import write_cells

    frame = pd.DataFrame({"share": [0.4, 0.6]}, index=["Beijing", "Shanghai"])
    cells = write_cells(frame, "Shares", 2, None)
    markdown = pipe_table(cells.heads, cells.rows, cells.align)
    html = pypandoc.convert_text(markdown, "html", format="markdown+pipe_tables")
    assert re.findall(r"<td[^>]*>([^<]*)</td>", html) == ["Beijing", "0.40", "Shanghai", "0.60"]
    pypandoc.convert_text(markdown, "docx", format="markdown+pipe_tables", outputfile=str(tmp_path / "t.docx"))
    finish(tmp_path / "t.docx")
    (table,) = docx.Document(str(tmp_path / "t.docx")).tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["", "share"], ["Beijing", "0.40"], ["Shanghai", "0.60"],
    ]  # fmt: skip


@pytest.mark.parametrize(("language", "sentence"), [("en", "There are "), ("zh", "共有")])
def test_a_page_states_the_number_and_links_to_the_cell_that_made_it(written, language, sentence):
    html = re.sub(r"\s+", " ", page(written, language))
    assert f'{sentence}<a href="02_overview.html#result-count">27</a>' in html
    assert "reading" in html


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_needs_nothing_but_itself(written, language):
    html = page(written, language)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert "data:image/png;base64" in html
    assert "Circles of" in html
    assert "<script" not in html


def test_notes_are_in_the_language_of_the_report_where_they_are_given_in_both(written):
    english, chinese = ((written / f"report.{language}.html").read_text(encoding="utf-8") for language in ("en", "zh"))
    assert english.count("Source: NBS") == 2 and "国家统计局" not in english
    # The table has no Chinese source: the English one stands in for it.
    assert chinese.count("资料来源：国家统计局") == 1
    assert chinese.count("资料来源：NBS") == 1


def test_figures_and_tables_are_numbered_and_captioned_in_the_language(written):
    assert "Figure 1</a>. A map" in page(written, "en")
    assert "Table 1</a>. Shares | of_all" in page(written, "en")
    assert "Table 2. Claims" in page(written, "en")
    assert "图 1</a>" in page(written, "zh") and "表 1</a>" in page(written, "zh")


def test_cells_come_through_with_their_marks(written):
    html = page(written, "en")
    assert "a|b" in html and "12.50***" in html and "Share*" in html


def test_works_are_cited_by_year_in_english_and_by_the_national_standard_in_chinese(written):
    english, chinese = (re.sub(r"<[^>]+>", "", page(written, language)) for language in ("en", "zh"))
    assert "(Hansen 1999)" in english
    assert "[1]" in chinese
    assert "Threshold effects in non-dynamic panels[J]" in chinese


@pytest.mark.parametrize("language", ["en", "zh"])
def test_word_files_hold_the_number_three_lines_and_the_journals_faces(written, language):
    with zipfile.ZipFile(written / f"report.{language}.docx") as file:
        document = file.read("word/document.xml").decode()
        styles = file.read("word/styles.xml").decode()
    assert ">27<" in document
    first = document[document.index("<w:tbl>") : document.index("</w:tbl>")]
    borders = dict(re.findall(r'<w:(top|bottom|insideH|insideV|left|right) w:val="(\w+)"', first))
    assert borders["top"] == "single" and borders["bottom"] == "single"
    assert borders["insideV"] == borders["left"] == borders["right"] == "nil"
    assert "宋体" in styles and "Times New Roman" in styles


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pdf_files_are_whole(written, language):
    content = (written / f"report.{language}.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert b"NotoSerifSC" in content


def test_nothing_unfinished_is_left_behind(written):
    assert [path.name for path in written.iterdir() if path.name.startswith(".")] == []


def test_a_notebook_that_wrote_no_report_is_refused(tmp_path):
    path = tmp_path / "90_report.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    with pytest.raises(ClusterlibError, match="wrote no report"):
        read_blocks(path)


def test_marks_in_texts_are_not_read_as_markdown():
    assert escape_markdown("a_b*c|[d]") == r"a\_b\*c\|\[d\]"
    assert pipe_table(["x"], [["1|2"]], ["right"]).splitlines()[1:] == ["|--:|", r"| 1\|2 |"]


def test_the_appendix_lists_each_number_once(written):
    lookup = ResultLookup("yrd", written.parent)
    number = fill("{02_overview:count} {02_overview:count}", "en", lookup)
    blocks = [{"kind": "heading", "level": 1, "en": ["T"], "zh": ["题"]}, {"kind": "text", "en": number, "zh": number}]
    document = collect_document(blocks, "en", lookup)
    assert [entry["reference"] for entry in document.numbers] == ["02_overview:count"]
    assert document.markdown.count("| `count` |") == 1


# Marks of Markdown, HTML, Typst and TeX; what is joined by a smart typesetter is left out, but for dashes and dots.
HOSTILE = (
    r"a|b *c* _d_ $e$ `f` @hansen1999 <script>run()</script> <b>x [g](javascript:run()) #read(/etc/passwd) "
    r"\\input{/etc/passwd} ![h](file:///etc/passwd) `i`{=html} &lt; & ~k~ ^l^ x -- y... {m} \\"
)


def hostile_report(folder: Path, prose: str = "", alt: str = HOSTILE) -> tuple[Path, list[dict], ResultLookup]:
    """Results full of marks, and the blocks of a report that names each of them."""
    source = folder / "yrd" / "02_overview"
    (source / "figures").mkdir(parents=True)
    (source / "figures" / "map.png").write_bytes(PNG)
    what = {"name": "what", "kind": "text", "value": HOSTILE, "cell": "c", "label_en": "What"}
    texts = {"label_en": HOSTILE, "note": HOSTILE}
    shown = {"heads": [HOSTILE, "x"], "rows": [[HOSTILE, "1"]], "align": ["left", "right"]}
    records = [what, TABLE | texts | {"shown": shown}, FIGURE | texts | {"alt": alt}]
    content = {"notebook": "02_overview", "region": "yrd", "parameters": {}, "records": records}
    (source / "results.json").write_text(json.dumps(content), encoding="utf-8")
    lookup = ResultLookup("yrd", folder)
    claim = [HOSTILE, "mixed", "x", ""]
    said = fill("It is {02_overview:what} here." + prose, "en", lookup)
    blocks = [
        {"kind": "heading", "level": 1, "en": ["Title"], "zh": ["题"]},
        {"kind": "text", "en": said, "zh": said},
        *({"kind": kind, "notebook": "02_overview", "name": name, "en": [HOSTILE], "zh": [HOSTILE]}
          for kind, name in (("figure", "map"), ("table", "shares"))),
        {"kind": "claims", "en": ["C"], "zh": ["C"], "rows": {"en": [claim], "zh": [claim]}},
    ]  # fmt: skip
    return folder / "yrd", blocks, lookup


def bibliography_of(folder: Path) -> Path:
    path = folder / "references.bib"
    path.write_text(BIBLIOGRAPHY, encoding="utf-8")
    return path


def test_what_results_say_is_read_as_text_in_every_format(tmp_path):
    import docx
    import pypandoc

    folder, blocks, lookup = hostile_report(tmp_path)
    executed = tmp_path / "report.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[_output(b) for b in blocks])]), executed
    )
    parameters = "x = <script>run()</script>"
    write_report(executed, folder, lookup, bibliography_of(tmp_path), subtitle="S & <i>", parameters=parameters)
    page = (folder / "report.en.html").read_text(encoding="utf-8")
    tags = Tags(page)
    assert not tags.all("script") and not tags.all("b") and not tags.all("i") and len(tags.all("img")) == 1
    assert {link["href"].partition("#")[0] for link in tags.all("a")} <= {
        "", "02_overview.html", "../index.html", "report.zh.html", "report.en.docx", "report.en.pdf"
    }  # fmt: skip
    assert HOSTILE in tags.all("img")[0]["alt"] and parameters in tags.text
    wanted = re.sub(r"\s+", " ", HOSTILE)
    # Prose, captions of figure and table, notes below both, cells and heads, a claim, and the list of numbers.
    assert re.sub(r"\s+", " ", tags.text).count(wanted) == 9
    document = docx.Document(str(folder / "report.en.docx"))
    words = " ".join("".join(node.text or "" for node in document.element.iter() if node.tag.endswith("}t")).split())
    assert words.count(wanted) == 9
    places = {part.target_ref for part in document.part.rels.values() if part.is_external}
    assert places and all(place.startswith("02_overview.html") for place in places)
    text = read_document(collect_document(blocks, "en", lookup), tmp_path / "references.bib")
    for kind in ("typst", "latex"):
        source = pypandoc.convert_text(text, f"{kind}-citations" if kind == "typst" else kind, format="json")
        again = pypandoc.convert_text(source, "plain", format=kind, extra_args=["--wrap=none", "--columns=10000"])
        assert re.sub(r"\s+", " ", again).count("run()") >= 2 * 7, kind
        assert "root:" not in again


@pytest.mark.parametrize(
    "prose",
    [
        "<b>x</b>", "<div onclick='run()'>x</div>", "<!-- x -->", "`x`{=html}", "\n\n```{=typst}\n#read(1)\n```",
        r"\input{/etc/passwd}", r"\newcommand{\a}{b} \a", "[a](javascript:run())", "[a](JAVA&#115;cript:run())",
        "[a](&#1;javascript:run())", "<javascript:run()>", "[a][b]\n\n[b]: data:text/html,x", "[a](file:///etc/passwd)",
        "![a](https://example.org/a.png)", "![a](/etc/passwd)", "![a](..%2f..%2fa.png)",
        "![a](data:image/png;base64,AA)",
        "[x]{onclick=run()}", "[x]{style=color:red}", '[x]{typst:text:size="read(1)"}', "`x`{onclick=run()}",
        "\n\n## H {onclick=run()}\n", "\n\n::: {typst:text:size=9pt}\nx\n:::\n",
    ],
)  # fmt: skip
def test_prose_with_what_runs_or_reads_is_refused(tmp_path, prose):
    _, blocks, lookup = hostile_report(tmp_path)
    document = collect_document([*blocks, {"kind": "text", "en": [prose], "zh": [prose]}], "en", lookup)
    with pytest.raises(ClusterlibError, match="report's text"):
        read_document(document, bibliography_of(tmp_path))


def test_prose_keeps_its_markdown(tmp_path):
    import pypandoc

    _, blocks, lookup = hostile_report(tmp_path)
    prose = "*a* **b** [c](https://example.org) [d](02_overview.html) <https://e.org> $x^2$ p < q [@hansen1999]\n\n- f"
    document = collect_document([*blocks, {"kind": "text", "en": [prose], "zh": [prose]}], "en", lookup)
    html = pypandoc.convert_text(read_document(document, bibliography_of(tmp_path)), "html", format="json")
    for part in (
        "<em>a</em>",
        "<strong>b</strong>",
        'href="https://e.org"',
        "<sup>2</sup>",
        "p &lt; q",
        "<li>",
        "1999",
    ):
        assert part in html, part

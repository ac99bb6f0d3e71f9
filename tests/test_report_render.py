"""Report and briefs as their readers get them: HTML, Word and PDF with the same numbers, captions, tables and works."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from test_pages import Tags
from test_report_prose import judgements

from clusterlib.errors import ClusterlibError, ReportError
from clusterlib.paths import Project
from clusterlib.regions import REGIONS
from clusterlib.report import Paper, papers, read_paper, watch_papers, write_paper
from clusterlib.report._document import Document, escape_markdown, pipe_table
from clusterlib.report._render import read_document
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


TEXTS = {
    "en": """{% set title = "Clusters" %}
{% set authors = ["A. Author", "B. Author"] %}
{% set keywords = ["clusters", "China"] %}
{% set abstract %}There are {{ n("02:count") }}.{% endset %}
# State

There are {{ n("02:count") }} in {{ ref("fig-map") }} [@hansen1999; @guo2020].

{{ figure("02:map", "fig-map", "yrd") }}

{{ table("02:shares", "tbl-shares", "yrd") }}

{{ ledger() }}

{{ caption("tbl-ledger", "Claims") }}

# References

::: {#refs}
:::

# Numbers

{{ numbers() }}
""",
    "zh": """{% set title = "集群" %}
{% set authors = ["某甲"] %}
# 现状

{{ ref("fig-map") }}中共有{{ n("02:count") }}个[@hansen1999; @guo2020]。

{{ figure("02:map", "fig-map", "yrd") }}

{{ table("02:shares", "tbl-shares", "yrd") }}

{{ ledger() }}

{{ caption("tbl-ledger", "论断") }}

# 参考文献

::: {#refs}
:::

# 出处

{{ numbers() }}
""",
}
WORKS = {
    "en": """@article{guo2020, author = {Guo, Feng}, title = {Index}, year = {2020},
  journal = {China Economic Quarterly}, langid = {english}}
""",
    "zh": """@article{guo2020, author = {郭峰}, title = {指数}, journal = {经济学（季刊）},
  year = {2020}, langid = {chinese}}
""",
}


def make_project(root: Path, texts: dict[str, str], records: list[dict]) -> Project:
    """A project with results of one notebook for each region, and the texts of a report on them."""
    for region in REGIONS:
        source = root / "reports" / region / "02_overview"
        (source / "figures").mkdir(parents=True)
        (source / "figures" / "map.png").write_bytes(PNG)
        content = {"notebook": "02_overview", "region": region, "parameters": {}, "records": records}
        (source / "results.json").write_text(json.dumps(content), encoding="utf-8")
    folder = root / "report"
    folder.mkdir()
    (folder / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    for language, text in texts.items():
        (folder / f"{language}.md").write_text(text, encoding="utf-8")
        (folder / f"references.{language}.bib").write_text(WORKS[language], encoding="utf-8")
    return Project(root)


COUNT = {
    "name": "count",
    "kind": "number",
    "value": 27,
    "cell": "reading",
    "label_en": "Clusters",
    "label_zh": "集群数",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Results and a report on them, set in every format."""
    project = make_project(tmp_path_factory.mktemp("project"), TEXTS, [COUNT, TABLE, FIGURE])
    assert papers(project) == [Paper("report")]
    paths = write_paper(Paper("report"), project, judgements=judgements())
    assert {path.name for path in paths} == {
        f"report.{language}.{kind}" for language in ("en", "zh") for kind in ("html", "docx", "pdf")
    }
    return project.reports


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


@pytest.mark.parametrize(("language", "sentence"), [("en", "There are "), ("zh", "中共有")])
def test_a_page_states_the_number_and_leads_to_where_it_comes_from(written, language, sentence):
    html = re.sub(r"\s+", " ", page(written, language))
    assert f'{sentence}<a href="#n1">27</a>' in html
    # Its result is named for who sets it as a page of the site.
    assert '<span id="n1" data-result="nation/02_overview:count">27</span>' in html and "reading" in html


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_can_be_sent_alone(written, language):
    html = page(written, language)
    tags = Tags(html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert {link["href"][:1] for link in tags.all("a")} == {"#"}
    assert {link["href"][1:] for link in tags.all("a")} <= set(re.findall(r'id="([^"]+)"', html))
    assert "data:image/png;base64" in html and "Circles of" in html and "<script" not in html


def test_notes_are_in_the_language_of_the_report_where_they_are_given_in_both(written):
    english, chinese = (page(written, language) for language in ("en", "zh"))
    assert english.count("Source: NBS") == 2 and "国家统计局" not in english
    # The table has no Chinese source: the English one stands in for it.
    assert chinese.count("资料来源：国家统计局") == 1
    assert chinese.count("资料来源：NBS") == 1


def test_figures_and_tables_are_numbered_captioned_and_referred_to_in_the_language(written):
    english, chinese = (re.sub(r"\s+", " ", page(written, language)) for language in ("en", "zh"))
    for part in ("Figure 1. A map", "Table 1. Shares | of_all", "Table 2. Claims", '<a href="#fig-map">Figure 1</a>'):
        assert part in english, part
    assert "图 1" in chinese and "表 2" in chinese and '<a href="#fig-map">图 1</a>' in chinese


def test_cells_come_through_with_their_marks(written):
    html = page(written, "en")
    # Stars stand in a room of their own, so that the last digits of a column are in one line.
    assert "a|b" in html and '12.50<span class="behind">***</span>' in html and "Share*" in html


def test_what_stands_behind_a_figure_takes_the_same_room_in_every_cell():
    from clusterlib.report._prose import _cell
    from clusterlib.report._word import _BEHIND

    cells = [_cell(text, "hanging") for text in ("-0.12***", "1.2*", "(0.03)", "7")]
    assert cells == [
        "\N{MINUS SIGN}0.12[\\*\\*\\*]{.behind}", "1.2[\\*]{.behind}", "(0.03[)]{.behind}", "7[]{.behind}",
    ]  # fmt: skip
    assert _cell("-1.5", "right") == "\N{MINUS SIGN}1.5" and _cell("well-known", "left") == "well-known"
    # In sixths of the type's size: a digit and a star take three, a parenthesis two.
    wide = {"\N{FIGURE SPACE}": 3, "\N{SIX-PER-EM SPACE}": 1, "*": 3, ")": 2}
    assert {sum(wide[c] for c in shown + room) for shown, room in _BEHIND.items()} == {9}


def test_works_are_cited_by_year_in_english_and_by_the_national_standard_in_chinese(written):
    english, chinese = (re.sub(r"<[^>]+>|\s+", " ", page(written, language)) for language in ("en", "zh"))
    assert "Hansen 1999" in re.sub(r"\s+", " ", english) and "Guo, Feng" in english and "郭峰" not in english
    assert "郭峰" in chinese and "Threshold effects in non-dynamic panels[J]" in re.sub(r"\s+", " ", chinese)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_word_files_hold_the_number_three_lines_the_journals_faces_and_authors(written, language):
    with zipfile.ZipFile(written / f"report.{language}.docx") as file:
        document = file.read("word/document.xml").decode()
        styles = file.read("word/styles.xml").decode()
        core = file.read("docProps/core.xml").decode()
    assert ">27<" in document
    first = document[document.index("<w:tbl>") : document.index("</w:tbl>")]
    borders = dict(re.findall(r'<w:(top|bottom|insideH|insideV|left|right) w:val="(\w+)"', first))
    assert borders["top"] == "single" and borders["bottom"] == "single"
    assert borders["insideV"] == borders["left"] == borders["right"] == "nil"
    assert "宋体" in styles and "Times New Roman" in styles
    assert ("A. Author; B. Author" if language == "en" else "某甲") in core


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pdf_files_are_whole(written, language):
    content = (written / f"report.{language}.pdf").read_bytes()
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert b"NotoSerifSC" in content


def test_nothing_unfinished_is_left_behind(written):
    assert [path.name for path in written.iterdir() if path.name.startswith(".")] == []


def test_marks_in_texts_are_not_read_as_markdown():
    assert escape_markdown("a_b*c|[d]") == r"a\_b\*c\|\[d\]"
    assert pipe_table(["x"], [["1|2"]], ["right"]).splitlines()[1:] == ["|--:|", r"| 1\|2 |"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("en", '{{ n("02:count") }} in', "some in"), None),
        (("en", 'There are {{ n("02:count") }}.', ""), None),
        (("zh", '{{ n("02:count") }}', "若干"), "different numbers: 02_overview:count"),
        (("zh", '{% set title = "集群" %}', ""), "zh.md, line 1: no title"),
        (("en", "A. Author", "A. #read(secret)"), "en.md, line 1: authors: 'A. #read.secret.' holds more than words"),
    ],
)
def test_languages_state_the_same_numbers_and_each_has_its_title(tmp_path, change, words):
    language, old, new = change
    texts = {**TEXTS, language: TEXTS[language].replace(old, new)}
    assert texts != TEXTS
    project = make_project(tmp_path, texts, [COUNT, TABLE, FIGURE])
    lookups = {region: ResultLookup(region, project.reports) for region in REGIONS}
    if words is None:
        read_paper(Paper("report"), project, lookups, judgements)
        return
    with pytest.raises(ReportError, match=words):
        read_paper(Paper("report"), project, lookups, judgements)


def test_a_brief_is_on_one_region_and_lies_beside_its_pages(tmp_path):
    texts = {"brief.en": "{% set title %}{{ region.name }}{% endset %}\n{{ n('02:count') }}\n\n{{ numbers() }}"}
    texts["brief.zh"] = texts["brief.en"]
    project = make_project(tmp_path, {}, [COUNT])
    for name, text in texts.items():
        (tmp_path / "report" / f"{name}.md").write_text(text, encoding="utf-8")
    assert papers(project) == [Paper("brief", region) for region in REGIONS]
    paths = write_paper(Paper("brief", "gba"), project, ["html", "docx"], judgements())
    names = [f"brief.{language}.{kind}" for language in ("en", "zh") for kind in ("html", "docx")]
    assert paths == [tmp_path / "reports" / "gba" / name for name in names]
    html = paths[2].read_text(encoding="utf-8")
    assert "<title>粤港澳大湾区</title>" in html
    # Where its numbers come from is told in a paragraph: two pages have no room for a table.
    assert 'href="#n1"' in html and "27</span> 集群数 (02_overview reading)" in html
    assert "<table" not in html
    # Without contents there is nothing for Word to fill in.
    with zipfile.ZipFile(paths[3]) as file:
        assert b"updateFields" not in file.read("word/settings.xml")


@pytest.mark.parametrize(
    ("work", "shown"),
    [
        ("edition = {2}, author = {Cohen, Jacob}", "sciences[M]. 2nd ed. Hillsdale"),
        ("author = {A, B and C, D and E, F and G, H}", "E F, et al. Power"),
    ],
)
def test_words_that_a_chinese_list_adds_to_a_foreign_work_are_in_its_language(tmp_path, work, shown):
    import pypandoc

    book = (
        f"@book{{k1, {work}, title = {{Power and sciences}}, publisher = {{L}}, address = {{Hillsdale}}, year = 1988}}"
    )
    (tmp_path / "references.bib").write_text(book + BIBLIOGRAPHY, encoding="utf-8")
    text = read_document(Document("zh", "T", "X [@k1; @hansen1999].\n\n::: {#refs}\n:::\n"), tmp_path)
    plain = re.sub(r"\s+", " ", pypandoc.convert_text(text, "plain", format="json"))
    assert shown in plain and not re.search("[等版]", plain)


def test_a_text_that_changes_is_written_anew_and_what_is_wrong_with_it_is_said(tmp_path, monkeypatch):
    project, said = make_project(tmp_path, {}, [COUNT]), []
    text = "{% set title = 'Brief' %}\n{{ n('02:count') }}\n\n{{ numbers() }}"

    def write(body: str) -> None:
        for language in ("en", "zh"):
            (tmp_path / "report" / f"brief.{language}.md").write_text(body, encoding="utf-8")

    def stop() -> None:
        raise KeyboardInterrupt

    write(text)
    steps = iter([lambda: write(text + " 45 more"), lambda: write(text + " more"), stop])
    monkeypatch.setattr("clusterlib.report._render.time.sleep", lambda seconds: next(steps)())
    watch_papers(project, said.append)
    assert said[0].startswith("Watching") and "brief.en.md, line 4: the number '45' is typed" in said[1]
    assert [Path(line.removeprefix("Wrote ")).name for line in said[2:4]] == ["brief.en.html", "brief.zh.html"]
    assert len(said) == 2 + 2 * len(REGIONS)


# Marks of Markdown, HTML, Typst and TeX; what is joined by a smart typesetter is left out, but for dashes and dots.
HOSTILE = (
    r"a|b *c* _d_ $e$ `f` @hansen1999 <script>run()</script> <b>x [g](javascript:run()) #read(/etc/passwd) "
    r"\\input{/etc/passwd} ![h](file:///etc/passwd) `i`{=html} &lt; & ~k~ ^l^ x -- y... {m} {{ 7 }} \\"
)
HOSTILE_TEXT = """{% set title = "Title" %}
It is {{ text("02:what") }} here.

{{ figure("02:map", "fig-map", "yrd") }}

{{ table("02:shares", "tbl-shares", "yrd") }}

{{ evidence("border", "yrd") }}

{{ numbers() }}
"""


def hostile_project(folder: Path) -> Project:
    """Results full of marks, and a report that names each of them."""
    what = {"name": "what", "kind": "text", "value": HOSTILE, "cell": "c", "label_en": "What"}
    texts = {"label_en": HOSTILE, "label_zh": HOSTILE, "note": HOSTILE}
    shown = {"heads": [HOSTILE, "x"], "rows": [[HOSTILE, "1"]], "align": ["left", "right"]}
    records = [what, TABLE | texts | {"shown": shown}, FIGURE | texts | {"alt": HOSTILE}]
    return make_project(folder, {"en": HOSTILE_TEXT, "zh": HOSTILE_TEXT}, records)


def hostile_judgements():
    found = judgements()
    for frame in found.found.values():
        frame[["evidence", "evidence_zh"]] = HOSTILE
    return found


def test_what_results_say_is_read_as_text_in_every_format(tmp_path):
    import docx
    import pypandoc

    project = hostile_project(tmp_path)
    write_paper(Paper("report"), project, judgements=hostile_judgements())
    tags = Tags((project.reports / "report.en.html").read_text(encoding="utf-8"))
    assert not tags.all("script") and not tags.all("b") and not tags.all("i") and len(tags.all("img")) == 1
    assert HOSTILE in tags.all("img")[0]["alt"]
    wanted = re.sub(r"\s+", " ", HOSTILE)
    # Prose, captions and notes of figure and table, a head, a cell, evidence, and a row of the list of numbers.
    count = 9
    assert re.sub(r"\s+", " ", tags.text).count(wanted) == count
    document = docx.Document(str(project.reports / "report.en.docx"))
    words = " ".join("".join(node.text or "" for node in document.element.iter() if node.tag.endswith("}t")).split())
    assert words.count(wanted) == count
    assert not [part for part in document.part.rels.values() if part.is_external]
    lookups = {region: ResultLookup(region, project.reports) for region in REGIONS}
    found = read_paper(Paper("report"), project, lookups, hostile_judgements)["en"]
    text = read_document(found, tmp_path / "report")
    for kind in ("typst", "latex"):
        source = pypandoc.convert_text(text, f"{kind}-citations" if kind == "typst" else kind, format="json")
        again = pypandoc.convert_text(source, "plain", format=kind, extra_args=["--wrap=none", "--columns=10000"])
        assert re.sub(r"\s+", " ", again).count("run()") >= 2 * 7, kind
        assert "root:" not in again


@pytest.fixture(scope="module")
def works(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("works")
    (folder / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    return folder


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
def test_prose_with_what_runs_or_reads_is_refused(works, prose):
    with pytest.raises(ClusterlibError, match="report's text"):
        read_document(Document("en", "T", f"# H\n\n{prose}\n"), works)


def test_prose_keeps_its_markdown(works):
    import pypandoc

    prose = "*a* **b** [c](https://example.org) <https://e.org> $x^2$ p < q [@hansen1999]\n\n- f"
    html = pypandoc.convert_text(read_document(Document("en", "T", prose), works), "html", format="json")
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


# Order of children in Word's schema (ECMA-376, part one), of which LibreOffice and Word repair what breaks it.
SCHEMA = {
    "tblPr": "tblStyle tblpPr tblOverlap bidiVisual tblStyleRowBandSize tblStyleColBandSize tblW jc tblCellSpacing "
    "tblInd tblBorders shd tblLayout tblCellMar tblLook tblCaption tblDescription",
    "tcPr": "cnfStyle tcW gridSpan hMerge vMerge tcBorders shd noWrap tcMar textDirection tcFitText vAlign hideMark",
    "pPr": "pStyle keepNext keepLines pageBreakBefore framePr widowControl numPr suppressLineNumbers pBdr shd tabs "
    "suppressAutoHyphens kinsoku wordWrap overflowPunct topLinePunct autoSpaceDE autoSpaceDN bidi adjustRightInd "
    "snapToGrid spacing ind contextualSpacing mirrorIndents suppressOverlap jc textDirection textAlignment "
    "textboxTightWrap outlineLvl divId cnfStyle rPr sectPr",
    "rPr": "rStyle rFonts b bCs i iCs caps smallCaps strike dstrike outline shadow emboss imprint noProof snapToGrid "
    "vanish webHidden color spacing w kern position sz szCs highlight u effect bdr shd fitText vertAlign rtl cs em "
    "lang",
    "sectPr": "headerReference footerReference footnotePr endnotePr type pgSz pgMar paperSrc pgBorders lnNumType "
    "pgNumType cols formProt vAlign noEndnote titlePg",
    "style": "name aliases basedOn next link autoRedefine hidden uiPriority semiHidden unhideWhenUsed qFormat locked "
    "personal rsid pPr rPr tblPr trPr tcPr tblStylePr",
}


def word_part(written: Path, language: str, part: str):
    from lxml import etree

    with zipfile.ZipFile(written / f"report.{language}.docx") as file:
        return etree.fromstring(file.read(f"word/{part}.xml"))


def local(name: str) -> str:
    return name.rpartition("}")[2]


def all_of(tree, name: str) -> list:
    return [node for node in tree.iter() if local(str(node.tag)) == name]


def attribute(node, name: str) -> str | None:
    return next((value for key, value in node.attrib.items() if local(key) == name), None)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", ["document", "styles"])
def test_a_word_files_elements_stand_in_the_order_of_its_schema(written, language, part):
    tree = word_part(written, language, part)
    for name, order in SCHEMA.items():
        places = {child: place for place, child in enumerate(order.split())}
        for node in all_of(tree, name):
            # A reference to a header may follow one to a footer.
            found = [places[local(child.tag)] for child in node if not local(child.tag).endswith("Reference")]
            assert found == sorted(found), (name, [local(child.tag) for child in node])


@pytest.mark.parametrize(("language", "figure", "table"), [("en", "Figure", "Table"), ("zh", "图", "表")])
def test_word_counts_figures_and_tables_and_refers_to_them_by_fields(written, language, figure, table):
    tree = word_part(written, language, "document")
    fields = [node.text.split() for node in all_of(tree, "instrText")]
    assert [field[1] for field in fields if field[0] == "SEQ"] == ["Figure", "Table", "Table"]
    marks = [attribute(node, "name") for node in all_of(tree, "bookmarkStart")]
    numbers = [attribute(node, "id") for node in all_of(tree, "bookmarkStart")]
    assert len(set(marks)) == len(marks) and len(set(numbers)) == len(numbers)
    assert sorted(numbers) == sorted(attribute(node, "id") for node in all_of(tree, "bookmarkEnd"))
    references = [field[1] for field in fields if field[0] == "REF"]
    assert references == ["_Ref_fig_map"] and set(references) <= set(marks)
    assert {attribute(node, "anchor") for node in all_of(tree, "hyperlink")} <= set(marks)
    begun = [attribute(node, "fldCharType") for node in all_of(tree, "fldChar")]
    assert begun == ["begin", "separate", "end"] * (len(begun) // 3)
    captions = {}
    for paragraph in all_of(tree, "p"):
        style = next((attribute(node, "val") for node in all_of(paragraph, "pStyle")), None)
        captions.setdefault(style, []).append("".join(node.text or "" for node in all_of(paragraph, "t")))
    assert captions["ImageCaption"][0].startswith(f"{figure} 1")
    assert [text[: len(table) + 2] for text in captions["TableCaption"]] == [f"{table} 1", f"{table} 2"]


def test_word_shows_contents_the_title_above_and_the_page_below_and_breaks_no_row(written):
    import docx

    document = docx.Document(str(written / "report.en.docx"))
    tree = document.element
    (contents,) = all_of(tree, "sdt")
    entries = ["".join(node.text or "" for node in all_of(each, "t")) for each in all_of(contents, "hyperlink")]
    assert entries == ["1 State", "2 References", "3 Numbers"]
    # Each has its page by a field to a mark at the heading, which Word is told to fill in.
    pages = [node.text.split()[1] for node in all_of(contents, "instrText")]
    marks = {attribute(node, "name"): node for node in all_of(tree, "bookmarkStart")}
    assert [attribute(each, "anchor") for each in all_of(contents, "hyperlink")] == pages
    assert all(marks[page].getparent().style.startswith("Heading") for page in pages) and len(set(pages)) == 3
    assert [attribute(node, "val") for node in all_of(document.settings.element, "updateFields")] == ["true"]
    section = document.sections[0]
    assert section.header.paragraphs[0].text == "Clusters" and section.first_page_header.paragraphs[0].text == ""
    for foot in (section.footer, section.first_page_footer):
        assert [node.text.strip() for node in all_of(foot._element, "instrText")] == ["PAGE"]
    assert section.page_width and round(section.page_width.cm, 1) == 21
    for table in document.tables:
        rows = all_of(table._tbl, "tr")
        assert [len(all_of(row, "cantSplit")) for row in rows] == [1] * len(rows)
        assert [len(all_of(row, "tblHeader")) for row in rows] == [1] + [0] * (len(rows) - 1)
    # A short table, its caption above it and its note below, stay together.
    assert all(all_of(paragraph, "keepNext") for paragraph in all_of(document.tables[0]._tbl, "p"))
    assert document.styles["Table Caption"].paragraph_format.keep_with_next


def test_chinese_paragraphs_in_word_begin_two_characters_in_and_english_ones_do_not(written):
    import docx

    for language, wanted in (("zh", "200"), ("en", None)):
        styles = docx.Document(str(written / f"report.{language}.docx")).styles
        indents = [attribute(node, "firstLineChars") for node in all_of(styles["Body Text"].element, "ind")]
        assert (indents or [None]) == [wanted]
        assert attribute(all_of(styles.element, "lang")[0], "val")[:2] == language


@pytest.mark.parametrize("kind", ["html", "docx", "pdf"])
def test_the_same_results_make_the_same_file(written, tmp_path, kind):
    from clusterlib.report._render import _set

    text = "::: {.abstract}\nA\n:::\n\n# H\n\n![Figure 1. M](yrd/02_overview/figures/map.png){#fig-m}\n\n$$y = x$$\n"
    document = Document("en", "T", text, ("A",), ("k",))
    source = read_document(document, tmp_path)
    files = [tmp_path / f"{k}.{kind}" for k in range(2)]
    for path in files:
        _set(kind, source, document, written, path)
    first, second = (path.read_bytes() for path in files)
    assert first == second
    # Nor does it say when it was made, which two files of one second would not show.
    if kind == "docx":
        with zipfile.ZipFile(files[0]) as file:
            assert {part.date_time for part in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert b"dcterms:created" not in file.read("docProps/core.xml")
            assert b"<m:oMath" in file.read("word/document.xml")
    if kind == "pdf":
        assert b"CreationDate" not in first
        assert b"/Outlines" in first and b"/StructTreeRoot" in first


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_has_contents_and_tables_that_scroll_by_themselves(written, language):
    html = page(written, language)
    tags = Tags(html)
    assert tags.all("html")[0]["lang"][:2] == language
    contents = html[html.index("<nav") : html.index("</nav>")] if language == "en" else ""
    # The Chinese text of the test has no abstract: it is too short for contents.
    assert ("<nav" in html) == (language == "en")
    assert language == "zh" or re.findall(r'href="#([^"]+)"', contents) == ["state", "references", "numbers"]
    assert len(re.findall(r'<div class="table-wrap" tabindex="0">\s*<table', html)) == len(tags.all("table")) == 3
    assert re.search(r'<div class="numbers">\s*<div class="table-wrap"', html) and "typst:" not in html


@pytest.mark.parametrize(
    ("title", "running"),
    [
        ("Clusters", "Clusters"),
        ("Clusters: a brief", "Clusters: a brief"),
        ("集而不群？" + "数字产业集群的现状、症候与对策" * 4, "集而不群？"),
        ("Clusters: " + "state and remedies " * 5, "Clusters"),
        ("state and remedies " * 5, "state and remedies " * 4 + "state and…"),
        ("现状与对策" * 10, ("现状与对策" * 10)[:44] + "…"),
    ],
)
def test_long_titles_are_shortened_to_one_line_above_the_page(title, running):
    from clusterlib.report._document import running_title, text_width

    assert running_title(title) == running and text_width(running) <= 90


def test_columns_are_as_wide_as_their_longest_word_and_numbers_stay_on_one_line(works):
    from clusterlib.report._document import arrange

    number = "−0.28 (−0.68 to 0.13)"
    rows = [[number, "a long text of many words " * 4, "09_data_dormancy"]] * 3
    text = pipe_table(["Number", "Result", "Notebook"], rows, ["right", "left", "left"])
    blocks = json.loads(read_document(Document("en", "T", text), works))["blocks"]
    arrange(blocks, works)
    shares = [width["c"] for _, width in blocks[0]["c"][2]]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert shares[0] * 100 >= len(number) and shares[2] * 100 >= len("09_data_dormancy") and shares[1] > 0.5


@pytest.mark.parametrize(("shape", "width"), [((1000, 500), "100%"), ((1000, 1200), "50%"), (None, "100%")])
def test_a_tall_figure_is_set_narrower_so_that_text_stands_beside_it_on_the_page(works, tmp_path, shape, width):
    from clusterlib.report._document import arrange

    if shape:
        head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + shape[0].to_bytes(4, "big") + shape[1].to_bytes(4, "big")
        (tmp_path / "a.png").write_bytes(head)
    text = "![Figure 1. A](a.png){#fig-a width=100%}"
    blocks = json.loads(read_document(Document("en", "T", text), works))["blocks"]
    arrange(blocks, tmp_path)
    assert f'["width", "{width}"]' in json.dumps(blocks)


def test_the_note_of_a_figure_goes_where_the_figure_goes(works):
    from clusterlib.report._render import _join_notes

    text = "![Figure 1. A](a.png){#fig-a}\n\n::: {.table-note}\nNote: n\n:::\n\nText\n\n::: {.table-note}\nOther\n:::"
    blocks = json.loads(read_document(Document("en", "T", text), works))["blocks"]
    _join_notes(blocks)
    assert [block["t"] for block in blocks] == ["Figure", "Para", "Div"]
    assert "Note:" in json.dumps(blocks[0]["c"][1]) and "Other" in json.dumps(blocks[2])


@pytest.mark.parametrize(
    ("language", "wanted"),
    [("en", ["1 A", "1.1 B", "C", "2 D", "2.1 E", "F"]), ("zh", ["一、A", "（一）B", "C", "二、D", "（一）E", "F"])],
)
def test_headings_of_a_paper_are_numbered_as_journals_of_the_language_do_and_those_of_a_brief_not(
    works, language, wanted
):
    import pypandoc

    text = "# A\n\n## B\n\n### C\n\n# D\n\n## E\n\n# F {.unnumbered}\n"
    for head, found in (("::: {.abstract}\nX\n:::\n\n", wanted), ("", list("ABCDEF"))):
        source = read_document(Document(language, "T", head + text, ()), works)
        html = pypandoc.convert_text(source, "html", format="json")
        assert re.findall(r"<h\d[^>]*>([^<]+)<", html) == found


def test_numbers_are_written_in_chinese():
    from clusterlib.report._document import _in_chinese

    assert [_in_chinese(k) for k in (1, 9, 10, 11, 20, 35)] == ["一", "九", "十", "十一", "二十", "三十五"]


def test_a_work_that_no_list_has_is_asked_for(works):
    with pytest.raises(ClusterlibError, match="the report cites @hansen1998: add the work"):
        read_document(Document("en", "T", "So [@hansen1999; @hansen1998]."), works)

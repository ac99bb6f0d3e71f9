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
from clusterlib.report import Paper, papers, read_paper, write_paper
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
    assert '<span id="n1">27</span>' in html and "reading" in html


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
    assert "a|b" in html and "12.50***" in html and "Share*" in html


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
    paths = write_paper(Paper("brief", "gba"), project, ["html"], judgements())
    assert paths == [tmp_path / "reports" / "gba" / f"brief.{language}.html" for language in ("en", "zh")]
    assert "<title>粤港澳大湾区</title>" in paths[1].read_text(encoding="utf-8")


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
    # Prose, captions and notes of figure and table, a head, a cell, evidence, and three rows of the list of numbers.
    count = 9 + 2
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

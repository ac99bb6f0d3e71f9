"""What may be taken away of a result: links to files that are there, and a citation that says what it was made from."""

from __future__ import annotations

import json
import zipfile
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn

from clusterlib.core.records import RUN
from clusterlib.publish.downloads import downloads
from clusterlib.report._tables import write_tables

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIGURE = {
    "name": "lisa.map", "kind": "figure", "value": "figures/lisa.map.en.png", "value_zh": "figures/lisa.map.zh.png",
    "label_en": "Clusters & \"outliers\"", "label_zh": "局部莫兰集聚",
}  # fmt: skip
TABLE = {
    "name": "top", "kind": "table", "label_en": "Cities, A & B", "label_zh": "城市", "unit": "percent", "unit_zh": "%",
    "note": "n < 9", "note_zh": "注意", "source": "Yearbook", "source_zh": "年鉴",
    "shown": {"heads": ["City", "Share"], "rows": [["Beijing <1>", "1.5"]] * 40, "align": ["left", "right"]},
    "shown_zh": {"heads": ["城市", "占比"], "rows": [["北京", "1.5"]], "align": ["left", "right"]},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run's folder with the files of one figure and one table."""
    folder = tmp_path / "yrd" / "06_spatial"
    names = [f"figures/lisa.map.{language}.{kind}" for language in ("en", "zh") for kind in ("svg", "png", "csv")]
    for name in [*names, "tables/top.csv", "tables/top.tex", "tables/top.zh.tex"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    empty = dict.fromkeys(("notebook_sha256", "python"), "")
    inputs = {"notebook": "", "parameters": {}, "results": {}, "code": {}, "data": {}}
    run = {
        **empty, "started_at": "2026-11-30T14:39:27+00:00", "commit": COMMIT, "parameters": {}, "changed": [],
        "seconds": 1, "packages": {"clusterlib": "0.1.0"}, "outputs": {}, "inputs": inputs,
    }  # fmt: skip
    (folder / RUN).write_text(json.dumps(run))
    return folder


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            given = {name: value or "" for name, value in attrs}
            self.found[given["href"]] = given["aria-label"]


def test_links_of_a_figure_lead_to_its_files_in_the_language_and_name_it(folder):
    for language, of in (("en", 'CSV of Clusters & "outliers"'), ("zh", "CSV：局部莫兰集聚")):
        found = Links(downloads(FIGURE, folder, "yrd/06_spatial", language)).found
        assert list(found) == [f"06_spatial/figures/lisa.map.{language}.{kind}" for kind in ("svg", "png", "csv")]
        assert found[f"06_spatial/figures/lisa.map.{language}.csv"] == of
        assert all((folder.parent / place).is_file() for place in found)


@pytest.mark.parametrize(("page", "before"), [("compare", "yrd/06_spatial"), ("gba/index", "../yrd/06_spatial")])
def test_links_are_relative_to_the_page_they_stand_on(folder, page, before):
    assert f'href="{before}/figures/lisa.map.en.svg"' in downloads(FIGURE, folder, page, "en")


def test_only_files_that_are_there_are_offered_and_large_ones_say_so(folder):
    (folder / "figures/lisa.map.en.svg").unlink()
    (folder / "figures/lisa.map.en.png").write_bytes(bytes(1_400_000))
    line = downloads(FIGURE, folder, "yrd/06_spatial", "en")
    assert ".svg" not in line and ">PNG (1.4 MB)<" in line and ">CSV<" in line


def test_a_number_and_a_figure_without_files_have_nothing_to_take_away(folder):
    assert downloads({"name": "n", "kind": "number", "value": 1}, folder, "yrd/06_spatial", "en") == ""
    assert downloads({**FIGURE, "name": "a", "value": "figures/a.en.png"}, folder, "yrd/06_spatial", "en") == ""


def test_a_table_is_offered_as_csv_latex_and_word(folder):
    write_tables(folder / "tables.zh.docx", [FIGURE, TABLE], "zh")
    found = Links(downloads(TABLE, folder, "yrd/06_spatial", "zh")).found
    assert [place.removeprefix("06_spatial/") for place in found] == [
        "tables/top.csv", "tables/top.zh.tex", "tables.zh.docx",
    ]  # fmt: skip


def test_the_citation_says_who_what_of_which_commit_where_and_when(folder):
    english = unescape(downloads(FIGURE, folder, "yrd/06_spatial", "en"))
    for part in ("clusterlib developers (2026). Clusters", "0.1.0", COMMIT[:12], "06_spatial", "Yangtze River Delta"):
        assert part in english
    assert "2026-11-30" in english and r"title = {{Clusters \& " in english and "@misc{clusterlib_yrd_06" in english
    chinese = downloads(FIGURE, folder, "yrd/06_spatial", "zh")
    assert "局部莫兰集聚[Z/OL]//" in chinese and "区域" not in chinese and "长三角" in chinese


def test_labels_are_text_and_never_markup(folder):
    evil = {**FIGURE, "label_en": '"><script>alert(1)</script>'}
    assert "<script" not in downloads(evil, folder, "yrd/06_spatial", "en")


def test_a_word_file_has_three_lines_a_head_on_every_page_note_and_source(tmp_path):
    path, again = tmp_path / "tables.en.docx", tmp_path / "again.docx"
    for place in (path, again):
        write_tables(place, [FIGURE, TABLE], "en")
    assert path.read_bytes() == again.read_bytes()
    document = docx.Document(str(path))
    (table,) = document.tables
    assert [cell.text for cell in table.rows[1].cells] == ["Beijing <1>", "1.5"] and len(table.rows) == 41
    borders = {edge.tag.split("}")[1]: edge.get(qn("w:val")) for edge in table._tbl.tblPr.find(qn("w:tblBorders"))}
    assert {edge for edge, kind in borders.items() if kind == "single"} == {"top", "bottom"}
    assert table._tbl.xpath("./w:tr[1]/w:trPr/w:tblHeader") and not table._tbl.xpath("./w:tr[2]/w:trPr/w:tblHeader")
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts == ["Cities, A & B", "Unit: percent; Note: n < 9; Source: Yearbook"]
    with zipfile.ZipFile(path) as file:
        assert {part.date_time for part in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_no_word_file_is_written_where_there_is_no_table(tmp_path):
    write_tables(tmp_path / "tables.en.docx", [FIGURE], "en")
    assert not list(tmp_path.iterdir())

"""Regions side by side, and two runs: what differs is shown, what is alike once, and all that is foreign is text."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from clusterlib.paths import Project
from clusterlib.publish.comparison import MOST_ROWS, write_comparison
from clusterlib.publish.runs import compare, place_of, write_runs
from clusterlib.results import collect_records, record

NOTEBOOK = "05_inequality"
EVIL = '<script>alert("x")</script>'


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """IPython's own shell, whose display publisher the tests capture."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def notebook(project: Project) -> None:
    """The notebook that is compared: results of one that is no more are left out."""
    (project.notebooks / "05_inequality.ipynb").write_text('{"cells": []}', encoding="utf-8")


def png(colour: int) -> bytes:
    """Return the beginning of a PNG of 3 by 2 dots, which is all that pages look at."""
    sides = (3).to_bytes(4, "big") + (2).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + sides + bytes([8, colour])


def write_run(reports: Path, region: str, *made: dict, figures: dict | None = None, cells: dict | None = None, **about):
    """Write what a run of the notebook leaves: numbers through ``record``, other results as they are recorded."""
    outputs, entries = [], []
    for one in made:
        if "kind" in one:
            entries.append({"unit": "", "note": "", "source": "", "cell": "c1", **one})
            continue
        with capture_output() as captured:
            record(**one)
        outputs += [nbformat.v4.new_output("display_data", data=o.data, metadata=o.metadata) for o in captured.outputs]
    code = [nbformat.v4.new_code_cell(source, id=name) for name, source in (cells or {}).items()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("record", id="c1", outputs=outputs), *code])
    folder = reports / region / NOTEBOOK
    (folder / "figures").mkdir(parents=True)
    nbformat.write(notebook, folder / "notebook.ipynb")
    content = {"notebook": NOTEBOOK, "region": region, "parameters": {"region": region}}
    content["records"] = [*collect_records(notebook), *entries]
    (folder / "results.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    for name, bytes_ in (figures or {}).items():
        (folder / "figures" / name).write_bytes(bytes_)
    run = {
        **dict.fromkeys(("notebook_sha256", "python"), "x"), "started_at": "2026-01-02T03:04:05+00:00", "seconds": 1.0,
        "commit": "c0ffee", "parameters": {"region": region, "draws": 99}, "changed": [], "packages": {}, "outputs": {},
        "inputs": {"notebook": "x", "parameters": {}, "code": {}, "data": {}}, **about,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")


def gini(value: float, label: str = "Gini of YRD", **more) -> dict:
    return {"name": "gini", "value": value, "label": label, "label_zh": "长三角基尼系数", "digits": 2, **more}


def figure(name: str = "trend.figure") -> dict:
    files = {"value": f"figures/{name}.en.png", "value_zh": f"figures/{name}.zh.png"}
    return {"name": name, "kind": "figure", "label_en": "Trend", "label_zh": "趋势", "alt": "A line.", **files}


def table(rows: int, last: float = 0.5) -> dict:
    shown = {"heads": ["Year", "Total"], "rows": [[str(k), "0.5"] for k in range(rows)], "align": ["left", "right"]}
    value = {"index": ["year"], "columns": ["total"], "data": [*([k, 0.5] for k in range(rows - 1)), [rows - 1, last]]}
    return {"name": "shares", "kind": "table", "label_en": "Shares", "label_zh": "份额", "value": value, "shown": shown}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def both(content: bytes) -> dict[str, bytes]:
    return {"trend.figure.en.png": content, "trend.figure.zh.png": content + b"zh"}


def section(html: str, anchor: str) -> str:
    return re.findall(rf'<section id="{anchor}">(.*?)</section>', html, flags=re.DOTALL)[0]


def test_each_region_has_its_number_as_it_is_shown_with_a_link_to_where_it_stands(project):
    write_run(project.reports, "yrd", gini(0.12345))
    write_run(project.reports, "bth", gini(0.5, "Gini of BTH"))
    pages = {path.relative_to(project.reports).as_posix(): read(path) for path in write_comparison(project)}
    assert set(pages) == {f"compare{at}{end}.html" for at in ("", f"/{NOTEBOOK}") for end in ("", ".zh")}
    numbers = section(pages[f"compare/{NOTEBOOK}.html"], "numbers")
    assert f'<a href="../yrd/{NOTEBOOK}.html#result-gini">0.12</a>' in numbers
    assert f'<a href="../bth/{NOTEBOOK}.html#result-gini">0.50</a>' in numbers
    assert "Gini of the region" in numbers and "0.12345" not in numbers
    assert f'<a href="../yrd/{NOTEBOOK}.zh.html#result-gini">0.12</a>' in pages[f"compare/{NOTEBOOK}.zh.html"]
    assert "No results of GBA" in pages[f"compare/{NOTEBOOK}.html"]


def test_what_is_alike_in_all_regions_is_shown_once_and_said_so(project):
    for region in ("bth", "yrd"):
        figures = both(png(2)) | {"map.en.png": png(3 if region == "yrd" else 4)}
        write_run(project.reports, region, gini(0.5, "Gini"), figure(), figure("map"), table(3), figures=figures)
    write_comparison(project)
    page = read(project.reports / f"compare/{NOTEBOOK}.html")
    assert "The same in all regions: 1" in section(page, "numbers")
    sources = re.findall(r'<img loading="lazy" src="([^"]+)"[^>]* width="3" height="2">', page)
    assert sources == [
        f"../{r}/{NOTEBOOK}/figures/{n}.en.png" for r, n in (("bth", "trend.figure"), ("bth", "map"), ("yrd", "map"))
    ]
    assert all((project.reports / "compare" / source).resolve().is_file() for source in sources)
    chinese = re.findall(r'<img loading="lazy" src="([^"]+)"', read(project.reports / f"compare/{NOTEBOOK}.zh.html"))
    assert chinese[0].endswith("trend.figure.zh.png") and chinese[1].endswith("map.en.png"), (
        "English where there is no other"
    )
    assert section(page, "tables").count("<table") == 1


def test_verdicts_of_one_word_and_other_evidence_are_not_alike(project):
    claim = {
        "name": "claim.barriers",
        "kind": "text",
        "value": "not testable",
        "label_en": "6.1 Barriers",
        "label_zh": "6.1",
    }
    for region, note in (("bth", "12 pairs"), ("yrd", "30 pairs")):
        first = {"name": "claim.all", "label_en": "2.1 Alike", "note": "n"}
        write_run(project.reports, region, {**claim, "note": note}, {**claim, **first})
    write_comparison(project)
    verdicts = section(read(project.reports / "compare.html"), "verdicts")
    assert len(re.findall(r'class="not-testable"[^>]*#result-claim\.barriers"', verdicts)) == 2
    assert len(re.findall(r"#result-claim\.all", verdicts)) == 1 and "All regions alike" in verdicts
    assert verdicts.index("2.1 Alike") < verdicts.index("6.1 Barriers"), "by the numbers of the statements"
    evidence = section(read(project.reports / f"compare/{NOTEBOOK}.html"), "verdicts")
    assert "12 pairs" in evidence and "30 pairs" in evidence


@pytest.mark.parametrize(("rows", "tables"), [(MOST_ROWS, 2), (MOST_ROWS + 1, 0)])
def test_long_tables_are_not_set_beside_each_other_but_linked(project, rows, tables):
    for region, last in (("bth", 0.1), ("yrd", 0.2)):
        write_run(project.reports, region, table(rows, last))
    write_comparison(project)
    found = section(read(project.reports / f"compare/{NOTEBOOK}.html"), "tables")
    assert (found.count("<table"), found.count("#result-shares")) == (tables, 2)


def test_key_numbers_are_those_that_the_texts_quote_and_that_differ(project):
    for region, value in (("bth", 0.1), ("yrd", 0.2)):
        same = gini(1.0, "Alike") | {"name": "same"}
        write_run(project.reports, region, gini(value), gini(value, "Other") | {"name": "other"}, same)
    (project.root / "report").mkdir()
    (project.root / "report" / "en.md").write_text('{{ n("05:gini") }} {{ n("05:same") }} {{ n("06:other") }}')
    write_comparison(project)
    quoted = section(read(project.reports / "compare.html"), "numbers")
    assert set(re.findall(r"#result-(\w+)", quoted)) == {"gini"}


def test_a_damaged_region_is_left_out_and_said_and_pages_are_the_same_at_each_writing(project):
    for region in ("bth", "yrd"):
        write_run(project.reports, region, gini(0.5))
    (project.reports / "bth" / NOTEBOOK / "results.json").write_text("{")
    first = {path: path.read_bytes() for path in write_comparison(project)}
    assert "No results of BTH, GBA" in read(project.reports / f"compare/{NOTEBOOK}.html")
    assert {path: path.read_bytes() for path in write_comparison(project)} == first


def test_nothing_run_gives_no_page(project):
    assert write_comparison(project) == [] and not project.reports.exists()


def test_labels_values_and_notes_are_text_in_both_kinds_of_pages(project, tmp_path):
    other = tmp_path / "other <b>"
    for reports, word in ((project.reports, "a"), (other, "b")):
        said = {
            "name": "word",
            "kind": "text",
            "value": EVIL + word,
            "label_en": EVIL,
            "label_zh": EVIL,
            "note": EVIL + word,
        }
        write_run(reports, "yrd", said, cells={"c2": f"# {EVIL}{word}"}, commit=EVIL, packages={EVIL: word})
    for path in [*write_comparison(project), *write_runs(project, "default", str(other))]:
        html = read(path)
        assert EVIL not in html and "<b>" not in html, path
    assert EVIL in unescape(html)


# Two runs.


@pytest.fixture
def two(project: Project, tmp_path: Path) -> Path:
    """The default run, and another in a folder of its own, which is returned."""
    small = {"name": "small", "value": 100.0, "label": "Small", "digits": 0}
    packages = {"pandas": "3.0", "numpy": "2"}
    for region in ("bth", "yrd"):
        made = [gini(0.2), small, {"name": "old", "value": 1}, figure(), table(2)]
        cells = {"c2": "draws = 99\nseed = 1"}
        write_run(project.reports, region, *made, figures=both(png(2)), cells=cells, packages=packages)
        made = [gini(0.4), small | {"value": 101.0}, {"name": "new", "value": 1}, figure(), table(2, 0.75)]
        cells = {"c2": "draws = 999\nseed = 1"}
        about = {"commit": "decaf", "changed": ["draws"], "packages": packages | {"pandas": "3.1"}}
        write_run(tmp_path / "other", region, *made, figures=both(png(3)), cells=cells, **about)
    return tmp_path / "other"


def test_values_of_two_runs_are_compared_by_place(project, two):
    gone, new, differing, compared = compare(project.reports, two)
    assert [place_of(key) for key in gone] == [f"{region}/{NOTEBOOK} old" for region in ("bth", "yrd")]
    assert [key[2] for key in new] == ["new", "new"] and compared == 8
    assert differing["yrd", NOTEBOOK, "shares", "1; total"] == (0.5, 0.75)
    assert len(compare(project.reports, two, 0.02)[2]) == 4, "a change of 1 % is none"


def test_the_page_of_two_runs_shows_the_largest_changes_first_and_regions_alike_in_one_row(project, two):
    english, chinese = write_runs(project, "default", str(two))
    assert english == project.reports / "compare" / "default-other.html"
    page = read(english)
    rows = re.findall(r'<th scope="row">[^<]*<span class="note">([^<]*)</span></th>(.*?)</tr>', page)
    assert [name for name, _ in rows] == ["bth, yrd · gini", "bth, yrd · shares [1; total]", "bth, yrd · small"]
    assert re.findall(r">([^<]*)</td>", rows[0][1]) == ["0.2000", "0.4000", "+0.2", "+100.0%"]
    assert "Gone: 1" in page and "New: 1" in page and "draws = 99" in page
    assert "基尼系数" in read(chinese) and "缺失：1" in read(chinese)


def test_the_page_of_two_runs_tells_commits_parameters_packages_and_cells_that_differ(project, two):
    page = read(write_runs(project, "default", str(two))[0])
    about = section(page, "runs")
    assert "c0ffee" in about and "decaf" in about and "draws = 99" in about
    assert "pandas" in about and "numpy" not in about, "of packages those that differ"
    assert "<del>-draws = 99</del>\n<ins>+draws = 999</ins>" in page
    assert "Cells that differ: 1" in page


def test_figures_of_a_foreign_folder_are_copied_beside_the_page_and_nothing_is_written_there(project, two):
    before = {path: path.read_bytes() for path in two.rglob("*") if path.is_file()}
    (page, _) = write_runs(project, "default", str(two))
    sources = re.findall(r'<img loading="lazy" src="([^"]+)"', read(page))
    assert [(page.parent / source).read_bytes() for source in sources] == [png(2), png(3)]
    assert all((page.parent / source).resolve().is_relative_to(project.reports) for source in sources)
    assert {path: path.read_bytes() for path in two.rglob("*") if path.is_file()} == before
    (two / "yrd" / NOTEBOOK / "figures" / "trend.figure.en.png").write_bytes(b"<svg onload=run()>")
    assert "other: no picture" in read(write_runs(project, "default", str(two))[0])

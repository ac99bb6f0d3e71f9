"""The pages over all notebooks: they show what was recorded, stay when nothing changed, and fail one by one."""

from __future__ import annotations

import json
import re

import nbformat
import pytest

from clusterlib.paths import get_project
from clusterlib.publish import site
from clusterlib.publish.frame import file_of
from clusterlib.publish.search import read_page
from clusterlib.publish.site import write_site

RUN = {
    "notebook_sha256": "ab" * 32, "started_at": "2026-01-02T03:04:05+00:00", "commit": "", "python": "3.11.7",
    "parameters": {"region": "yrd"}, "changed": [], "seconds": 1.5, "packages": {}, "outputs": {},
    "inputs": {"notebook": "", "parameters": {}, "results": {}, "code": {}, "data": {}},
}  # fmt: skip
REAL = get_project()
VERDICT = {"name": "claim.clusters_45.nation", "kind": "text", "value": "supported", "value_zh": "支持"}


def write_run(project, region: str, notebook: str, **changed) -> None:
    folder = project.reports / region / notebook
    folder.mkdir(parents=True, exist_ok=True)
    records = [{**VERDICT, "note": "45 of 45", "cell": "c", **changed}]
    results = {"notebook": notebook, "region": region, "parameters": {}, "data": {}, "records": records}
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    for language in ("en", "zh"):
        page = f'<main><h2 id="s1">Lists 名单</h2><p id="result-{VERDICT["name"]}">forty-five 四十五个</p></main>'
        (project.reports / file_of(f"{region}/{notebook}", language)).write_text(page, encoding="utf-8")


@pytest.fixture
def built(project, monkeypatch):
    """A project with a run of one notebook; pages of others' modules are not made."""
    monkeypatch.setattr(site, "WRITERS", {})
    # The claims name the notebooks that conclude on them: all are there, each with its title alone.
    known = {"02_overview": ("Overview", "概况")}
    for name in (path.stem for path in REAL.analyses):
        titles = known.get(name, ("Space", "空间"))
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [
            nbformat.v4.new_markdown_cell(f"# {title}", metadata={"tags": [f"lang-{language}"]})
            for language, title in zip(("en", "zh"), titles, strict=True)
        ]
        nbformat.write(notebook, project.notebooks / f"{name}.ipynb")
    write_run(project, "yrd", "02_overview")
    return project


def times(project) -> dict[str, int]:
    paths = [path for path in project.reports.rglob("*.*") if path.suffix in (".html", ".js", ".css")]
    return {path.relative_to(project.reports).as_posix(): path.stat().st_mtime_ns for path in paths}


def text(project, page: str) -> str:
    return (project.reports / page).read_text(encoding="utf-8")


def test_home_shows_each_verdict_in_its_language_with_a_link_to_the_result(built):
    assert write_site(built) == {}
    for page, word, title in (("index.html", "supported", "Overview"), ("index.zh.html", "支持", "概况")):
        link = file_of("yrd/02_overview", "zh" if "zh" in page else "en") + "#result-claim.clusters_45.nation"
        assert re.search(rf'<td[^>]*>\s*<a class="supported" href="{link}">{word}</a>', text(built, page)), page
        assert title in text(built, page)
    assert not re.search("[一-鿿]", text(built, "index.html").partition("<h1>")[2].replace("中文", ""))


def test_pages_that_no_one_has_made_say_so_and_every_region_has_its_own(built):
    write_site(built)
    assert "clusterlib run --notebook 06_spatial --region gba" in text(built, "gba/06_spatial.html")
    assert "尚未生成" in text(built, "maps.zh.html") and "<h1>粤港澳大湾区</h1>" in text(built, "gba/index.zh.html")
    assert "forty-five" in text(built, "yrd/02_overview.html"), "what was made is not touched"


def test_what_did_not_change_is_not_written_again_and_what_is_lost_comes_back(built):
    write_site(built)
    before = times(built)
    assert write_site(built) == {} and times(built) == before
    (built.reports / "bth" / "index.html").unlink()
    (built.reports / "assets" / "site.js").write_text("changed")
    write_site(built)
    after = times(built)
    assert after.keys() == before.keys() and "theme" in text(built, "assets/site.js")
    assert {name for name in after if after[name] != before[name]} >= {"bth/index.html", "assets/site.js"}
    write_run(built, "yrd", "02_overview", value="contradicted", value_zh="不支持")
    write_site(built)
    now = times(built)
    assert "contradicted" in text(built, "index.html") and now["bth/06_spatial.html"] == after["bth/06_spatial.html"]


def test_a_part_that_fails_is_told_and_costs_no_other(built, monkeypatch):
    def fail(project):
        raise ValueError("no room")

    monkeypatch.setattr(site, "write_search", fail)
    assert write_site(built) == {"search": "ValueError: no room"}
    assert "Overview" in text(built, "index.html")


def test_the_search_knows_sections_anchors_and_words_but_neither_code_nor_figures(built):
    html = (
        '<title>T</title><main id="main"><nav><a>skip</a></nav><p>Intro &amp; more</p><h2 id="s1">One</h2>'
        '<details class="input"><pre>code = 1</pre></details><table><tr><td>0.25</td><td>Bengbu</td></tr></table>'
        "</main>"
    )
    assert read_page(html) == ("T", [("", "", "Intro & more"), ("s1", "One", "Bengbu")])
    write_site(built)
    index = text(built, "assets/search.zh.js")
    assert index.startswith("clusterlibSearch([") and '["s1","Lists 名单","forty-five 四十五个"]' in index
    assert "yrd/02_overview.zh.html" in index and "yrd/02_overview.html" not in index


def test_damaged_records_cost_no_page(built):
    (built.reports / "run.jsonl").write_text('{"event": "run", "at"', encoding="utf-8")
    (built.reports / "yrd" / "02_overview" / "results.json").write_text("[", encoding="utf-8")
    (built.notebooks / "91_odd.ipynb").write_text("no notebook", encoding="utf-8")
    assert write_site(built, {"91_odd": "91_odd.ipynb is not a valid notebook"}) == {}
    home = text(built, "index.html")
    assert home.index("is not a valid notebook") < home.index('id="notebooks"') and "91 91_odd" in home

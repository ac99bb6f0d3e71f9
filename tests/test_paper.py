"""The report as a page of the site: every number, figure and table leads to what it rests on, in both languages."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from test_pages import Tags
from test_report_prose import judgements
from test_report_render import COUNT, FIGURE, PNG, TABLE, TEXTS, make_project
from test_site import RUN

from clusterlib.errors import ClusterlibError
from clusterlib.paths import get_project
from clusterlib.publish.frame import file_of
from clusterlib.publish.paper import write_paper
from clusterlib.regions import REGIONS
from clusterlib.report import Paper
from clusterlib.report import write_paper as set_paper

WITH_CELL = {
    "en": TEXTS["en"].replace(
        " in {{ ref", ' of {{ n("02:count") }}, {{ n("02:shares[a;share]", 1, "yrd") }} % in {{ ref'
    ),
    "zh": TEXTS["zh"].replace("中共有", '中{{ n("02:shares[a;share]", 1, "yrd") }}%、共有'),
}  # fmt: skip
PAGES = ["paper", *(f"{region}/paper" for region in REGIONS)]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Results of one notebook, and a report on them that has been set as one file."""
    made = make_project(tmp_path, WITH_CELL, [COUNT, TABLE, {**FIGURE, "value_zh": "figures/map.zh.png"}])
    for name in ("data", "CITATION.cff"):
        (tmp_path / name).symlink_to(get_project().root / name)
    monkeypatch.setenv("CLUSTERLIB_ROOT", str(tmp_path))
    for folder in made.reports.glob("*/02_overview"):
        (folder / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
        (folder / "figures" / "map.zh.png").write_bytes(PNG)
    set_paper(Paper("report"), made, ["html"], judgements())
    return made


def test_a_number_leads_to_an_entry_with_its_row_and_back_to_where_it_is_stated(project):
    paths = write_paper(project)
    assert [path.name for path in paths] == ["paper.html", "paper.zh.html"]
    html = paths[0].read_text(encoding="utf-8")
    (entry,) = re.findall(r'<li id="n2">.*?</li>', html)
    assert "<strong>12.5</strong> Shares | of_all" in entry
    assert "<code>a</code>: <code><b>share = 12.5</b></code> percent" in entry
    assert 'href="yrd/02_overview.html#result-shares"' in entry and 'href="yrd/02_overview.html#cell-table"' in entry
    # The number that is stated twice has two ways back; the abstract states it, too.
    (entry,) = re.findall(r'<li id="n1">.*?</li>', html)
    assert re.findall(r'href="#(n1-\d)"', entry) == ["n1-1", "n1-2", "n1-3"]
    assert html.count('href="#n1"') == 3 and "27</strong> Clusters" in entry


def test_entries_lie_in_details_that_a_browser_opens_for_its_target(project):
    for path in write_paper(project):
        html = path.read_text(encoding="utf-8")
        for entry in re.findall(r'<details class="trace">.*?</details>', html, re.DOTALL):
            summary, _, rest = entry.partition("</summary>")
            assert "id=" not in summary and '<li id="n' in rest and "2026-01-02" in rest


@pytest.mark.parametrize(
    ("language", "file", "source"), [("en", "map.png", "Source: "), ("zh", "map.zh.png", "来源：")]
)
def test_figures_and_tables_say_their_source_and_lie_beside_the_page(project, language, file, source):
    write_paper(project)
    html = (project.reports / file_of("paper", language)).read_text(encoding="utf-8")
    assert "base64" not in html and f'src="yrd/02_overview/figures/{file}"' in html
    for anchor, name, cell in (("fig-map", "map", "map"), ("tbl-shares", "shares", "table")):
        after = html.partition(f'id="{anchor}"')[2]
        link = f'{source}<a href="{file_of("yrd/02_overview", language)}#result-{name}">02_overview'
        assert after.index(link) < after.index(f'<details class="trace" id="trace-{anchor}">')
        assert re.search(rf"{cell}</a></span>", after)


def test_nothing_that_was_put_into_the_file_runs_on_the_page(project):
    path = project.reports / "report.en.html"
    html = path.read_text(encoding="utf-8").replace("</main>", '<script>run()</script><p onclick="run()">x</p></main>')
    path.write_text(html, encoding="utf-8")
    write_paper(project)
    assert "run()" not in (project.reports / "paper.html").read_text(encoding="utf-8")


def test_a_page_whose_notebook_ran_again_stays_with_what_its_numbers_rest_on(project):
    first = [path.read_bytes() for path in write_paper(project)]
    path = project.reports / "yrd" / "02_overview" / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace("12.5", "99.5"), encoding="utf-8")
    assert [path.read_bytes() for path in write_paper(project)] == first
    (project.reports / "paper.html").unlink()
    assert [path.name for path in write_paper(project)] == ["paper.zh.html"], "no page of two runs"


def test_a_result_that_is_no_longer_recorded_is_named_with_what_to_do(project):
    for report in project.reports.glob("report.*.html"):
        # As one that was set before it told its runs.
        report.write_text(re.sub(r'<meta name="runs"[^>]*>', "", report.read_text("utf-8")), encoding="utf-8")
    path = project.reports / "yrd" / "02_overview" / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["records"] = [record for record in content["records"] if record["name"] != "shares"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ClusterlibError, match=r"report.en.html names yrd/02_overview:shares.*clusterlib report"):
        write_paper(project)


def test_the_page_is_the_same_at_each_making_and_none_without_a_report(project):
    first = [path.read_bytes() for path in write_paper(project)]
    assert [path.read_bytes() for path in write_paper(project)] == first
    for path in project.reports.glob("report.*"):
        path.unlink()
    assert write_paper(project) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_report_and_briefs_leads_somewhere(executed, page, language):
    path = executed.reports / file_of(page, language)
    html = path.read_text(encoding="utf-8")
    assert len(html.encode()) < 1_500_000 and "base64" not in html
    tags, known = Tags(html), {}
    assert len(tags.all("img")) >= 1 and html.count('class="number"') > 20
    for place in [link["href"] for link in tags.all("a")] + [picture["src"] for picture in tags.all("img")]:
        file, _, anchor = unquote(place).partition("#")
        if place.startswith(("https://", "http://", "mailto:")):
            continue
        target = (path.parent / file).resolve() if file else path
        assert target.is_file(), place
        if anchor:
            if target not in known:
                known[target] = set(re.findall(r'\bid="([^"]+)"', target.read_text(encoding="utf-8")))
            assert anchor in known[target], place


def test_numbers_of_the_report_end_at_rows_of_the_raw_files(executed):
    html = (executed.reports / "paper.html").read_text(encoding="utf-8")
    abstract = html.partition('<div class="abstract">')[2].partition("</div>")[0]
    numbers = list(dict.fromkeys(re.findall(r'href="#(n\d+)"', abstract)))[:3]
    assert len(numbers) == 3
    for number in numbers:
        (entry,) = (
            part
            for part in re.findall(r'<details class="trace">.*?</details>', html, re.DOTALL)
            if f'id="{number}"' in part
        )
        rows = re.findall(r'<a href="(data/[^"#]+\.html)#([^"]+)">[^<]+</a>[^<]*<code>', entry)
        rows = rows or re.findall(r'<a href="(data/[^"#]+\.html)()"', entry)
        assert rows and "lines" in entry and "terms:" in entry
        for file, anchor in rows:
            text = (executed.reports / file).read_text(encoding="utf-8")
            assert not anchor or f'id="{anchor}"' in text

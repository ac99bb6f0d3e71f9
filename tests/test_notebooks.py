"""Every notebook for every region, executed whole on the real data."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil

import nbformat
import pytest

from clusterlib.captions import load_captions
from clusterlib.claims import VERDICTS_ZH
from clusterlib.core.language import LANGUAGES
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.regions import REGIONS
from clusterlib.report import Judgements, Paper, Prose, papers, read_paper
from clusterlib.report._prose import render
from clusterlib.results import load_results
from clusterlib.run.notebooks import PARAMETERS, find_notebooks
from clusterlib.run.tasks import run
from clusterlib.study import ResultLookup

NOTEBOOKS = find_notebooks(get_project())
CASES = [(notebook.name, region) for notebook in NOTEBOOKS for region in REGIONS]
LONGEST_CELL, MOST_LINES = 25, 4_200
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Names of people and models have a capital in Chinese, too.
LATIN = re.compile(r"(?<![A-Za-z])[a-z]{4,}")
PARTS = {
    "en": ("**Question.**", "**Data.**", "**Method.**", "## Caveats"),
    "zh": ("**问题。**", "**数据。**", "**方法。**", "## 说明"),
}
pytestmark = pytest.mark.notebooks


def test_all_notebooks_run_for_all_regions(executed):
    said = (executed.root / "finished").read_text(encoding="utf-8")
    assert said.startswith("0\n"), said
    lines = (executed.reports / "run.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [event for event in map(json.loads, lines) if event["event"] == "end"]
    assert [event for event in ends if event["outcome"] != "done"] == []
    # Each has a page; besides there are the report and a brief on each region.
    assert len(ends) == 2 * len(CASES) + 1 + len(REGIONS)


@pytest.mark.parametrize(("name", "region"), CASES)
def test_a_notebook_writes_no_warning_and_records_numbers_tables_and_figures(executed, name, region):
    project = executed
    notebook = nbformat.read(project.reports / region / name / "notebook.ipynb", as_version=4)
    streams = [o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream"]
    assert streams == []
    results = load_results(name, region, project.reports)
    kinds = {record.kind for record in results.values()}
    assert {"number", "table", "figure"} <= kinds
    folder = project.reports / region / name
    for record in results.values():
        if record.kind == "number":
            assert math.isfinite(record.value)
        if record.kind == "table":
            assert (folder / "tables" / f"{record.name}.csv").stat().st_size > 0
            for ending in ("tex", "zh.tex"):
                text = (folder / "tables" / f"{record.name}.{ending}").read_text(encoding="utf-8")
                assert text.startswith("\\begin{table}")
        if record.kind == "figure":
            pictures = [(folder / record.said("value", language)).read_bytes() for language in LANGUAGES]
            assert all(png.startswith(b"\x89PNG") and len(png) > 10_000 for png in pictures)
            assert pictures[0] != pictures[1]


@pytest.mark.parametrize(("name", "region"), CASES)
def test_what_is_said_of_a_result_is_in_one_language(executed, name, region):
    for record in load_results(name, region, executed.reports).values():
        for part in ("label", "unit", "note", "source", "alt"):
            english, chinese = (record.said(part, language) for language in LANGUAGES)
            assert not CHINESE.search(english), f"{record.name}: {part} {english!r}"
            assert CHINESE.search(chinese) or not re.search(LATIN, chinese), f"{record.name}: {part} {chinese!r}"
        assert record.label_en and record.label_zh
        if record.shown:
            assert not CHINESE.search("".join(record.shown["heads"])), record.name
            words = re.findall(LATIN, " ".join(record.shown_zh["heads"]))
            assert not words, f"{record.name}: {words}"


@pytest.mark.parametrize("name", [notebook.name for notebook in NOTEBOOKS])
def test_every_caption_is_that_of_a_result_of_some_region(executed, name):
    found = [load_results(name, region, executed.reports) for region in REGIONS]
    load_captions(name).check_used({result for results in found for result in results})


@pytest.mark.parametrize("name", [notebook.name for notebook in NOTEBOOKS])
def test_the_region_changes_what_a_notebook_finds_and_not_what_it_names(executed, name):
    project = executed
    by_region = {region: load_results(name, region, project.reports) for region in REGIONS}
    common = set.intersection(*(set(results) for results in by_region.values()))
    captions = load_captions(name)
    apart = {n for results in by_region.values() for n in set(results) - common if not n.startswith("claim.")}
    assert [n for n in sorted(apart) if not captions.find(n)[0].optional] == []
    said = {str([(n, result.value) for n, result in sorted(results.items())]) for results in by_region.values()}
    assert len(said) == len(REGIONS)


def test_counts_of_clusters_are_those_of_the_published_list(executed):
    project = executed
    for region, count in {"bth": 2, "yrd": 18, "gba": 7}.items():
        table = load_results("02_overview", region, project.reports)["concentration.all_by_gdp"].frame()
        assert table["count"].sum() == 45
        assert table.loc[region, "count"] == count


def test_index_recorded_for_shanghai_is_recomputed_from_the_raw_csv(executed):
    """The score of one province, from the csv files in plain Python, with none of the library's code."""
    project = executed
    raw: dict[tuple[str, int, int], float] = {}
    for path in (project.raw / "province").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                raw[row["indicator"], int(row["adcode"]), int(row["year"])] = float(row["value"])
    people = "resident_population"
    formulas = [
        lambda g: 100 * g("broadband_ports") / g(people),
        lambda g: 100 * g("broadband_subscribers") / g(people),
        lambda g: 100 * g("mobile_internet_users") / g(people),
        lambda g: g("mobile_internet_traffic") / g(people),
        lambda g: 1000 * g("domain_names") / g(people),
        lambda g: g("software_revenue") / g("gdp") / 100,
        lambda g: g("it_services_revenue") / g(people),
        lambda g: g("computers_per_100_employees"),
        lambda g: g("websites_per_100_enterprises"),
        lambda g: 100 * g("enterprises_with_ecommerce") / g("enterprises_surveyed"),
        lambda g: 100 * g("ecommerce_sales") / g("gdp"),
        lambda g: g("dfi_coverage_breadth"),
        lambda g: g("dfi_usage_depth"),
        lambda g: g("dfi_digitisation_level"),
    ]
    provinces = {code for name, code, _ in raw if name == "software_revenue"}
    cells = [(code, year) for code in sorted(provinces) for year in range(2016, 2024)]
    columns = [[f(lambda name, key=key: raw[(name, *key)]) for key in cells] for f in formulas]
    scaled = [[(v - min(c)) / (max(c) - min(c)) for v in c] for c in columns]
    spread = []
    for column in scaled:
        shares = [v / sum(column) for v in column]
        spread.append(1 + sum(p * math.log(p) for p in shares if p > 0) / math.log(len(cells)))
    weights = [value / sum(spread) for value in spread]
    place = cells.index((310000, 2023))
    expected = sum(w * column[place] for w, column in zip(weights, scaled, strict=True))

    table = load_results("03_digital_index", "yrd", project.reports)["ranking.region"].frame()
    assert table.loc[310000, "score"] == pytest.approx(expected, rel=1e-12)


def test_the_report_states_the_share_of_clusters_that_the_raw_list_has(executed):
    project = executed
    with (project.raw / "clusters.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["programme"] == "national_advanced_manufacturing"]
    rows = [row for row in rows if row["year"] in ("2021", "2022")]
    cities = {str(code) for code in REGIONS["bth"].adcodes("city")}
    share = 100 * sum(cities.issuperset(row["adcodes"].split(";")) for row in rows) / len(rows)
    said = {
        "en": "{}% of the national advanced manufacturing clusters, digital or not",
        "zh": "在国家先进制造业集群名单上（不限于数字产业）占{}%",
    }
    for language, words in said.items():
        html = re.sub(r"\s+", " ", (project.reports / f"report.{language}.html").read_text(encoding="utf-8"))
        assert re.search(words.format(rf'<a href="#n\d+">{share:.0f}</a>'), html)


def read_all(project: Project, judgements: Judgements) -> dict:
    lookups = {region: ResultLookup(region, project.reports) for region in REGIONS}
    return {paper: read_paper(paper, project, lookups, lambda: judgements) for paper in papers(project)}


@pytest.fixture(scope="module")
def concluded(executed) -> Judgements:
    return Judgements.load(executed.reports)


def test_report_and_briefs_are_set_in_every_format(executed, concluded):
    assert papers(executed) == [Paper("report"), *(Paper("brief", region) for region in REGIONS)]
    for paper in papers(executed):
        assert all(path.stat().st_size > 10_000 for path in paper.files(executed.reports).values())
    for paper, documents in read_all(executed, concluded).items():
        assert len(documents["en"].numbers) > (1 if paper.region else 60)


def test_abstracts_are_as_short_as_journals_ask(executed, concluded):
    (documents,) = [found for paper, found in read_all(executed, concluded).items() if not paper.region]
    lengths = {}
    for language, document in documents.items():
        (abstract,) = re.findall(r"\*\*(?:Abstract|摘要)\*\*(?:: |：)(.+)\n:::", document.markdown)
        text = re.sub(r"\]\([^)]*\)|\[", "", abstract)
        lengths[language] = len(text.split()) if language == "en" else len(re.sub(r"\s", "", text))
    assert 100 < lengths["en"] <= 200 and 200 < lengths["zh"] <= 300


def test_one_raw_value_changes_what_the_prose_says_of_it_and_nothing_else(executed, tmp_path):
    before, text = executed, "{{ n('02:clusters.digital_count') }} of {{ n('02:clusters.count') }}"
    for part in (before.raw, before.study):
        shutil.copytree(part, tmp_path / "data" / part.name)
    (tmp_path / "notebooks").symlink_to(get_project().notebooks)
    path = tmp_path / "data" / "raw" / "clusters.csv"
    rows = path.read_text(encoding="utf-8")
    row = next(line for line in rows.splitlines() if line.startswith("c001,"))
    assert "信息通信" in row
    path.write_text(rows.replace(row, row.replace("信息通信", "纺织服装")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(tmp_path))
        assert run(["yrd"], ["02_overview"], project=Project(tmp_path)).failures == []
    said = []
    for project in (before, Project(tmp_path)):
        prose = Prose("en", {"yrd": ResultLookup("yrd", project.reports)}, dict, "yrd")
        said.append(re.sub(r"\(#n\d\)", "", render("x.md", text, prose)[0]))
    assert said == ["[11] of [45]", "[10] of [45]"]


def test_every_claim_that_is_judged_has_a_verdict_in_its_regions(concluded):
    judged = [claim for claim in concluded.claims.values() if "not_testable" not in claim.rule]
    assert len(judged) > 15
    for claim in judged:
        for region in claim.regions:
            assert concluded.found[region].loc[claim.id, "result"] == f"claim.{claim.id}"


@pytest.mark.parametrize("verdict", VERDICTS_ZH)
def test_whatever_the_verdicts_are_the_report_says_no_other(executed, concluded, verdict):
    found = {
        place: frame.assign(verdict=verdict, verdict_zh=VERDICTS_ZH[verdict], evidence="E.", evidence_zh="据。")
        for place, frame in concluded.found.items()
    }
    words = {"en": dict.fromkeys(VERDICTS_ZH), "zh": dict.fromkeys(VERDICTS_ZH.values())}
    own = {"en": verdict, "zh": VERDICTS_ZH[verdict]}
    for documents in read_all(executed, Judgements(concluded.claims, found)).values():
        for language, document in documents.items():
            said = set(re.findall(r"\*\*([^*\d]+)\*\*", document.markdown))
            said |= set(re.findall(r"\| ([^|]+) (?=\|)", document.markdown))
            assert said & set(words[language]) == {own[language]}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.name)
def test_a_notebook_is_stored_thin_and_reads_like_a_section(notebook):
    content = nbformat.read(notebook.path, as_version=4)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert code[0].metadata["tags"] == [PARAMETERS]
    # The comment is the help that papermill shows.
    for line in code[0].source.splitlines():
        assert re.fullmatch(r"\w+: (str|int|float|bool) = .+  # .+", line), line
    for cell in code:
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL, f"{cell.id} has {len(lines)} lines"
        assert not re.search(r"['\"](?:\.{0,2}/|~|data/|reports/)", cell.source), f"{cell.id} names a path"
        for body in re.findall(r"^def .+\n(?:(?:[ \t].*)?\n)*", cell.source + "\n", flags=re.MULTILINE):
            assert len(body.strip().splitlines()) <= 12, f"{cell.id} defines a long function"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.name)
def test_prose_stands_there_in_both_languages_and_mixes_them_nowhere(notebook):
    content = nbformat.read(notebook.path, as_version=4)
    prose: dict[str, list] = {language: [] for language in LANGUAGES}
    for cell in content.cells:
        if cell.cell_type == "markdown":
            (tag,) = cell.metadata["tags"]
            prose[tag.removeprefix("lang-")].append(cell)
        else:
            assert not CHINESE.search(cell.source), f"{cell.id}: Chinese words belong into the caption file"
    assert [cell.id + "-zh" for cell in prose["en"]] == [cell.id for cell in prose["zh"]]
    assert not any(CHINESE.search(cell.source) for cell in prose["en"])
    for cell in prose["zh"]:
        assert CHINESE.search(cell.source), cell.id
    for language, parts in PARTS.items():
        text = "\n".join(cell.source for cell in prose[language])
        for part in parts:
            assert part in text, f"{part} is missing"


def test_notebooks_are_short():
    counts = {
        notebook.name: sum(
            bool(line.strip())
            for cell in nbformat.read(notebook.path, as_version=4).cells
            if cell.cell_type == "code"
            for line in cell.source.splitlines()
        )
        for notebook in NOTEBOOKS
    }
    assert sum(counts.values()) <= MOST_LINES, counts

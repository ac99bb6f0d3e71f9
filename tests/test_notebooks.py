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
from clusterlib.core.language import LANGUAGES
from clusterlib.paths import ROOT_VARIABLE, Project, get_project
from clusterlib.regions import REGIONS
from clusterlib.report._document import read_blocks
from clusterlib.report._lookup import numbers_in
from clusterlib.results import load_results
from clusterlib.run.notebooks import PARAMETERS, find_notebooks
from clusterlib.run.tasks import run

NOTEBOOKS = find_notebooks(get_project())
CASES = [(notebook.name, region) for notebook in NOTEBOOKS for region in REGIONS]
REPORT = "90_report"
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
    # Each has a page, and a report its files besides.
    assert len(ends) == 2 * len(CASES) + len(REGIONS)


@pytest.mark.parametrize(("name", "region"), CASES)
def test_a_notebook_writes_no_warning_and_records_numbers_tables_and_figures(executed, name, region):
    project = executed
    notebook = nbformat.read(project.reports / region / name / "notebook.ipynb", as_version=4)
    streams = [o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream"]
    assert streams == []
    results = load_results(name, region, project.reports)
    kinds = {record.kind for record in results.values()}
    # The report sets figures that others made.
    assert {"number", "table", *([] if name == REPORT else ["figure"])} <= kinds
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
    # A table of outliers may be empty for one region and is then left out; some statements are of one region alone.
    apart = [
        {name for name in set(results) - common if not name.startswith("claim.")} for results in by_region.values()
    ]
    assert all(len(names) <= 1 for names in apart)
    assert len({str([results[n].value for n in sorted(common)]) for results in by_region.values()}) == len(REGIONS)


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


def test_the_report_states_the_number_of_clusters_that_the_raw_list_has(executed):
    project = executed
    with (project.raw / "clusters.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["programme"] == "national_advanced_manufacturing"]
    cities = {str(code) for region in REGIONS.values() for code in region.adcodes("city")}
    core = sum(cities.issuperset(row["adcodes"].split(";")) and row["year"] in ("2021", "2022") for row in rows)
    for language in LANGUAGES:
        html = (project.reports / "yrd" / f"report.{language}.html").read_text(encoding="utf-8")
        assert f'<a href="02_overview.html#result-concentration.core_count">{core}</a>' in html
    page = (project.reports / "yrd" / "02_overview.html").read_text(encoding="utf-8")
    assert 'id="result-concentration.core_count"' in page


@pytest.mark.parametrize("region", REGIONS)
def test_the_report_states_the_same_numbers_in_both_languages(executed, region):
    blocks = read_blocks(executed.reports / region / REPORT / "notebook.ipynb")
    texts = [block for block in blocks if block["kind"] == "text"]
    assert sum(len(numbers_in(block["en"])) for block in texts) > 50
    for block in texts:
        assert sorted(numbers_in(block["en"])) == sorted(numbers_in(block["zh"]))
    folder = executed.reports / region
    for language in LANGUAGES:
        assert all((folder / f"report.{language}.{kind}").stat().st_size > 10_000 for kind in ("html", "docx", "pdf"))


@pytest.fixture(scope="module")
def changed(executed, tmp_path_factory) -> tuple[list[dict], list[dict]]:
    """Blocks of a report before and after one cluster of the raw list has a name that is not digital."""
    before = executed
    root = tmp_path_factory.mktemp("changed")
    for part in (before.raw, before.study):
        shutil.copytree(part, root / "data" / part.name)
    (root / "notebooks").symlink_to(get_project().notebooks)
    shutil.copytree(before.reports, root / "reports")
    path = root / "data" / "raw" / "clusters.csv"
    text = path.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("c001,"))
    assert "信息通信" in row
    path.write_text(text.replace(row, row.replace("信息通信", "纺织服装")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(root))
        outcome = run(["yrd"], ["02_overview", REPORT], project=Project(root))
    assert outcome.failures == []
    return tuple(read_blocks(p.reports / "yrd" / REPORT / "notebook.ipynb") for p in (before, Project(root)))


def test_one_raw_value_changes_every_sentence_that_depends_on_it_and_no_other(changed):
    before, after = changed
    moved = [a for a, b in zip(before, after, strict=True) if a["kind"] == "text" and a != b]
    depends = "02_overview:clusters.digital_count"
    assert [b for b in before if b["kind"] == "text" and depends in numbers_in(b["en"])] == moved
    assert len(moved) == 1
    for language in LANGUAGES:
        shown = [
            [segment["shown"] for segment in block[language] if isinstance(segment, dict)]
            for block in (moved[0], after[before.index(moved[0])])
        ]
        different = [pair for pair in zip(*shown, strict=True) if pair[0] != pair[1]]
        assert different == [("11", "10")]


def test_one_raw_value_changes_the_evidence_of_the_claims_that_rest_on_it(changed):
    before, after = (
        {row[0]: row for b in blocks if b["kind"] == "claims" for row in b["rows"]["en"]} for blocks in changed
    )
    moved = [text for text in before if before[text] != after[text]]
    assert moved == ["Digital clusters concentrate in the core regions beyond the regions' weight in GDP."]


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
        elif notebook.name != REPORT:
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

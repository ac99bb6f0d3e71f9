"""The site in Chromium, without a network: from home to the raw row behind a number, on a desk and on a phone."""

from __future__ import annotations

import csv
import posixpath
import re
import threading
from html import unescape
from urllib.parse import unquote

import pytest
from chromium import needs_chromium

from clusterlib.paths import Project, get_project
from clusterlib.publish.frame import file_of
from clusterlib.publish.serve import make_server

pytestmark = needs_chromium
DESK, PHONE = (1440, 900), (390, 844)
# A page of each kind.
KINDS = (
    "index", "gba/index", "gba/20_governance", "compare", "compare/06_spatial", "maps", "data/index",
    "data/province/integrated_circuits_output", "data/sources", "run",
)  # fmt: skip


@pytest.fixture(scope="module")
def reports(executed):
    """The site as ``clusterlib run`` made it; to be read only."""
    return executed.reports


@pytest.fixture
def opened(browser):
    """A function that opens an empty page of a size, which notes what it asks for and complains of."""
    contexts = []

    def opened(size=DESK, **settings):
        contexts.append(browser.new_context(viewport=dict(zip(("width", "height"), size)), offline=True, **settings))  # noqa: B905
        page = contexts[-1].new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda r: page.asked.append(r.url))
        page.on("console", lambda m: page.complaints.append(m.text))
        page.on("pageerror", lambda e: page.complaints.append(str(e)))
        return page

    yield opened
    for context in contexts:
        context.close()


def ready(page, path):
    page.goto(path.as_uri())
    # Pictures farther down are loaded when they come near.
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")


@pytest.mark.parametrize(
    ("size", "language", "scheme"), [(DESK, "en", "dark"), (PHONE, "zh", "light")], ids=["desk", "phone"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind_opens_offline_fits_and_has_no_fault_that_axe_finds(
    opened, reports, kind, size, language, scheme
):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(size, color_scheme=scheme)
    ready(page, reports / file_of(kind, language))
    # Of each sort of panels the first: axe looks for long at what stands in all of them.
    page.evaluate(
        "[...document.querySelectorAll('main details')].filter((d, k, all) =>"
        " all.findIndex(one => one.className === d.className) === k).forEach(d => d.open = true)"
    )
    assert [url for url in page.asked if not url.startswith((reports.as_uri(), "data:"))] == []
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    images = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().right])")
    assert all(wide > 300 and right <= size[0] for wide, right in images)
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [(one["id"], node["html"]) for one in found for node in one["nodes"]] == []


def test_what_a_figure_shows_is_told_in_words(opened, reports):
    page = opened()
    for language, least in (("en", 20), ("zh", 8)):
        page.goto((reports / file_of("gba/06_spatial", language)).as_uri())
        alts = page.locator("figure img").evaluate_all("all => all.map(i => i.alt.length)")
        assert alts and min(alts) > least


def test_every_page_is_light_and_every_link_leads_to_a_file_and_an_anchor_that_are_there(reports):
    files = {path.relative_to(reports).as_posix() for path in reports.rglob("*") if path.is_file()}
    anchors, wanted, heavy = {}, {}, []
    for name in sorted(file for file in files if file.endswith(".html")):
        html = (reports / name).read_text(encoding="utf-8")
        heavy += [name] * (len(html.encode()) >= 1_500_000)
        anchors[name] = {*re.findall(r'\bid="([^"]+)"', html)}
        for target in {*re.findall(r'<(?:a|link|script|img|use)\b[^>]*?\b(?:href|src)="([^"]*)"', html)}:
            if not re.match(r"(https?|data|mailto):", target):
                file, _, anchor = unescape(unquote(target)).partition("#")
                place = posixpath.normpath(posixpath.join(posixpath.dirname(name), file)) if file else name
                wanted.setdefault((place, anchor), f"{name}: {target}")
    broken = [
        where
        for (place, anchor), where in wanted.items()
        if place not in files or (anchor and place in anchors and anchor not in anchors[place])
    ]
    assert len(anchors) > 500 and len(wanted) > 10_000 and broken == [] and heavy == []


def test_code_is_folded_until_it_is_asked_for(opened, reports):
    page = opened()
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    fold = page.locator("details.input").first
    assert not fold.locator("pre").is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()


def test_formulas_are_drawn(opened, reports):
    page = opened()
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    # How high a line is differs with the fonts of the machine; that a fraction is higher than a letter does not.
    boxes = page.locator("math:visible").evaluate_all("all => all.map(m => m.getBoundingClientRect().height)")
    assert len(boxes) >= 5 and 0 < min(boxes) < max(boxes)
    texts = page.locator("math:visible").evaluate_all("all => all.map(m => m.textContent)")
    assert "\\" not in "".join(texts)


def test_home_leads_to_each_notebook_and_each_back_and_to_its_neighbours(opened, reports):
    page = opened()
    page.goto((reports / "index.html").as_uri())
    rows = page.locator("section:has(> #notebooks) tbody tr")
    assert rows.count() == len(get_project().analyses)
    page.get_by_role("link", name="02_overview").first.click()
    assert "Overview" in page.locator("h1").inner_text()
    page.get_by_role("link", name="03 Digital development index").last.click()
    assert page.url.endswith("/bth/03_digital_index.html")
    page.locator(".beside [rel=prev]").click()
    assert page.url.endswith("/bth/02_overview.html")
    page.get_by_role("banner").get_by_role("link", name="digital industry clusters").click()
    assert page.url.endswith("/index.html") and page.complaints == []


def test_switches_keep_the_notebook_and_the_place(opened, reports):
    page = opened()
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    page.evaluate("document.getElementById('s4').scrollIntoView()")
    page.locator("a.language").dispatch_event("click")
    page.wait_for_url("**/gba/03_digital_index.zh.html#*")
    assert page.url.rpartition("#")[2] == "s4" and page.locator("html").get_attribute("lang") == "zh-Hans"
    page.locator("nav.regions").get_by_role("link", name="京津冀").click()
    assert page.url.endswith("/bth/03_digital_index.zh.html")


@pytest.mark.parametrize(
    ("file", "query"),
    [
        ("index.html", "Moran"), ("gba/06_spatial.html", "location quotient"), ("index.zh.html", "莫兰"),
        ("gba/index.zh.html", "区位 熵"), ("data/index.zh.html", "数字经济"), ("compare.zh.html", "熵值法"),
    ],
)  # fmt: skip
def test_the_search_finds_in_the_language_of_the_page_by_keyboard_alone(opened, reports, file, query):
    page = opened()
    page.goto((reports / file).as_uri())
    assert not [url for url in page.asked if "search" in url], "loaded when it is wanted"
    at = "document.activeElement.id || document.activeElement.textContent"
    page.keyboard.press("/")
    assert page.evaluate(at) == "search"
    page.keyboard.type(query)
    hits = page.locator("#found .hits a")
    hits.first.wait_for()
    assert re.search(r"[1-9]", page.locator("#found [role=status]").inner_text())
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == hits.first.inner_text()
    page.keyboard.press("ArrowUp")
    assert page.evaluate(at) == "search"
    page.keyboard.press("Escape")
    assert not page.locator("#found").is_visible() and page.evaluate(at) == "search"
    page.keyboard.type(query)
    hits.first.wait_for()
    links = hits.evaluate_all("found => found.map(link => link.href)")
    for _ in range(next(k for k, link in enumerate(links) if "#" in link) + 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*#*")
    shown = page.locator("main").text_content().lower()
    assert all(word in shown for word in query.lower().split())
    assert page.url.partition("#")[0].endswith(".zh.html") == file.endswith(".zh.html") and page.complaints == []


@pytest.mark.parametrize(
    ("notebook", "name", "language", "table"),
    [
        ("yrd/06_spatial", "moran.cities.gdp_per_head", "en", "city/gdp_per_capita"),
        ("gba/04_specialisation", "cities.exponent", "zh", "city/gdp"),
        ("bth/04_specialisation", "quotients.software_revenue", "zh", "province/software_revenue"),
        ("yrd/12_cases", "lists.led", "en", "clusters"),
    ],
)  # fmt: skip
def test_two_clicks_lead_from_a_number_to_the_line_of_the_raw_file(opened, reports, notebook, name, language, table):
    page = opened()
    page.goto((reports / file_of(notebook, language)).as_uri())
    panel = page.locator(f'[id="trace-{name}"]')
    panel.locator("summary").click()
    link = panel.locator(f'a[href*="/data/{file_of(table, language)}"]').first
    file = link.locator("xpath=ancestor::li").locator("code").first.inner_text()
    link.click()
    page.wait_for_url(f"**/data/{file_of(table, language)}*")
    assert page.locator(":target").evaluate("t => t.getBoundingClientRect().bottom <= innerHeight")
    line, *shown = page.locator("tr:target, tr:has(:target)").locator("td").all_inner_texts()
    with (reports.parent / "data" / "raw" / file).open(encoding="utf-8", newline="") as opened_file:
        head, row = [row for k, row in enumerate(csv.reader(opened_file), start=1) if k in (1, int(line))]
    if "/" in table:
        known = dict(zip(head, row, strict=True))
        assert shown[-3:] == [known["year"], known["value"], known["source"]] and shown[0] == known["adcode"]
        assert known["indicator"] == table.partition("/")[2]
    else:
        assert shown == row
    assert page.complaints == []


def test_over_a_server_pages_load_and_find_the_same(browser, reports):
    with make_server(0, Project(reports.parent)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        page, complaints = browser.new_page(), []
        page.on("console", lambda m: complaints.append(m.text))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/gba/02_overview.html")
        page.keyboard.press("/")
        page.keyboard.type("clusters")
        page.locator("#found .hits a").first.wait_for()
        assert page.locator("figure img").first.evaluate("i => i.naturalWidth") > 300 and complaints == []
        page.close()
        server.shutdown()


def test_dark_or_light_is_kept_from_page_to_page(opened, reports):
    page = opened(PHONE)

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.goto((reports / "index.html").as_uri())
    light = ground()
    page.locator("button.theme").click()
    dark = ground()
    page.goto((reports / "gba" / "02_overview.html").as_uri())
    assert light != dark == ground()


def test_without_scripts_everything_but_search_and_toggle_works(opened, reports):
    page = opened(PHONE, java_script_enabled=False)
    page.goto((reports / "gba" / "02_overview.html").as_uri())
    assert not page.locator("form.search").is_visible() and not page.locator("button.theme").is_visible()
    link = page.locator("#menu").get_by_role("link", name="Digital development index")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    link.click()
    assert page.url.endswith("/gba/03_digital_index.html")
    page.locator("a.language").click()
    assert page.url.endswith("/gba/03_digital_index.zh.html")
    panel = page.locator("details.trace").first
    panel.locator("summary").click()
    panel.locator('a[href*="/data/"]').first.click()
    assert "/data/" in page.url and page.locator("table.rows").first.is_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_print_there_is_no_frame_and_no_table_loses_a_column(opened, reports, language):
    # A4 on its side for wide tables, upright for the others, less margins.
    page = opened((673, 950))
    page.emulate_media(media="print")
    for name in ("index", "gba/index", "compare", "gba/04_specialisation", "gba/06_spatial", "yrd/12_cases",
                 "data/index", "data/sources", "data/clusters", "data/economy/population"):  # fmt: skip
        page.goto((reports / file_of(name, language)).as_uri())
        for part in ("header.top", "#menu", "nav.regions", "nav.contents", "details.input", ".beside"):
            assert not page.locator(part).first.is_visible()
        tables = page.locator("main table:not(details *)").evaluate_all(
            "all => all.map(t => [t.offsetWidth, !!t.closest('.wide'), t.innerText.slice(0, 60)])"
        )
        assert tables, name
        assert [(name, *one) for one in tables if one[0] > (1017 if one[1] else 674)] == []


def test_a_page_runs_and_loads_nothing_whatever_stands_in_it(opened, reports, tmp_path):
    """The second line of defence: what was written into a page by hand, or by a tool."""
    page, folder = opened(), tmp_path / "gba"
    folder.mkdir()
    (tmp_path / "assets").symlink_to(reports / "assets")
    (folder / "01_data_audit").symlink_to(reports / "gba" / "01_data_audit")
    (folder / "hostile.js").write_text("document.title = 3", encoding="utf-8")
    hostile = (
        '<script>document.title = "ran"</script><img src="none.png" onerror="document.title = 1">'
        '<script src="hostile.js"></script><img src="https://example.org/a.png">'
        '<link rel="stylesheet" href="https://example.org/b"><iframe src="hostile.js"></iframe>'
        '<a id="run" href="javascript:document.title = 2">run</a></main>'
    )
    html = (reports / "gba" / "01_data_audit.html").read_text(encoding="utf-8").replace("</main>", hostile)
    (folder / "changed.html").write_text(html, encoding="utf-8")
    loaded = []
    page.on("requestfinished", lambda request: loaded.append(request.url))
    ready(page, folder / "changed.html")
    title = page.title()
    page.evaluate("document.querySelector('#run').click()")
    assert page.title() == title and title.startswith("Data audit")
    names = {url.rpartition("/")[2] for url in loaded if not url.startswith("data:")}
    assert {name for name in names if not name.endswith(".png")} == {"changed.html", "site.css", "site.js"}
    assert not [url for url in loaded if url.startswith("http")]
    assert len(page.complaints) >= 6, "the browser refused scripts, a picture, a sheet and a frame"

"""The pages in Chromium, without a network: they show what they should on a desk and on a phone."""

from __future__ import annotations

import os
import re
import shutil
import threading
from html import unescape
from urllib.parse import unquote

import pytest

from clusterlib.paths import Project, get_project
from clusterlib.publish.frame import file_of
from clusterlib.publish.serve import make_server
from clusterlib.run.tasks import run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    # The machine that decides has Chromium; a user's may not.
    pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no Chromium on PATH"),
]
NAMES = ("01_data_audit", "02_overview", "03_digital_index")


@pytest.fixture(scope="module")
def reports(tmp_path_factory, executed):
    """Notebooks of one region, as they were executed, with pages and an index in a folder that a test may change."""
    root = tmp_path_factory.mktemp("project")
    for name in ("data", "notebooks"):
        (root / name).symlink_to(get_project().root / name)
    for name in NAMES:
        shutil.copytree(executed.reports / "gba" / name, root / "reports" / "gba" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERLIB_ROOT", str(root))
        assert run(["gba"], list(NAMES), project=Project(root)).ok
    return root / "reports"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is needed here: install the package chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1440, 900), (390, 844)], ids=["desk", "phone"])
def page(browser, request):
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda r: page.asked.append(r.url))
    page.on("console", lambda m: page.complaints.append(m.text))
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    yield page
    context.close()


def ready(page, path):
    page.goto(path.as_uri())
    # Pictures farther down are loaded when they come near.
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_offline_and_fits_the_screen(page, reports, name, language):
    ready(page, reports / file_of(f"gba/{name}", language))
    home = reports.as_uri()
    assert [url for url in page.asked if not url.startswith((f"{home}/assets/site.", f"{home}/gba/", "data:"))] == []
    assert page.complaints == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    images = page.locator("img")
    assert images.count() > 0
    for image in images.all():
        size = image.evaluate("i => [i.complete && i.naturalWidth, i.getBoundingClientRect().right, i.alt.length]")
        assert size[0] > 300 and size[1] <= width and size[2] > (20 if language == "en" else 8)


def test_code_is_folded_until_it_is_asked_for(page, reports):
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    fold = page.locator("details.input").first
    assert not fold.locator("pre").is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()


def test_formulas_are_drawn(page, reports):
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    # How high a line is differs with the fonts of the machine; that a fraction is higher than a letter does not.
    boxes = page.locator("math:visible").evaluate_all("all => all.map(m => m.getBoundingClientRect().height)")
    assert len(boxes) >= 5 and 0 < min(boxes) < max(boxes)
    texts = page.locator("math:visible").evaluate_all("all => all.map(m => m.textContent)")
    assert "\\" not in "".join(texts)


def test_home_leads_to_each_page_and_each_page_back(page, reports):
    page.goto((reports / "index.html").as_uri())
    rows = page.locator("section:has(> #notebooks) tbody tr")
    assert rows.count() == len(list(get_project().notebooks.glob("*.ipynb")))
    page.get_by_role("link", name="02_overview").click()
    assert "Overview" in page.locator("h1").inner_text()
    page.get_by_role("banner").get_by_role("link", name="digital industry clusters").click()
    assert page.url.endswith("/index.html")
    assert page.complaints == []


def test_every_link_of_every_page_leads_to_a_file_and_an_anchor_that_are_there(reports):
    pages = sorted(reports.rglob("*.html"))
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', html)) for path, html in texts.items()}
    broken = []
    for path, html in texts.items():
        for target in re.findall(r'<(?:a|link|script|img)\b[^>]*?\b(?:href|src)="([^"]*)"', html):
            if re.match(r"(https?|data|mailto):", target):
                continue
            file, _, anchor = unescape(unquote(target)).partition("#")
            found = (path.parent / file).resolve() if file else path
            if not found.is_file() or (anchor and anchor not in anchors.get(found, ())):
                broken.append(f"{path.relative_to(reports)}: {target}")
    assert len(pages) > 100 and broken == []


def test_switches_keep_the_notebook_and_the_place(page, reports):
    page.goto((reports / "gba" / "03_digital_index.html").as_uri())
    page.locator("#s4").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('s4').scrollIntoView()")
    page.evaluate("document.querySelector('a.language').click()")
    page.wait_for_url("**/gba/03_digital_index.zh.html#*")
    assert page.url.rpartition("#")[2] == "s4" and page.locator("html").get_attribute("lang") == "zh-Hans"
    page.locator("nav.regions").get_by_role("link", name="京津冀").click()
    assert page.url.endswith("/bth/03_digital_index.zh.html")


@pytest.mark.parametrize(("file", "query"), [("index.html", "location quotient"), ("gba/index.zh.html", "区位 熵")])
def test_the_search_finds_in_the_language_of_the_page_by_keyboard_alone(page, reports, file, query):
    page.goto((reports / file).as_uri())
    assert not [url for url in page.asked if "search" in url], "loaded when it is wanted"
    page.keyboard.press("/")
    page.keyboard.type(query)
    page.locator("#found .hits a").first.wait_for()
    assert re.search(r"[1-9]", page.locator("#found [role=status]").inner_text())
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*#*")
    shown = page.locator("main").inner_text().lower()
    assert all(word in shown for word in query.split())
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


def test_dark_or_light_is_kept_from_page_to_page(page, reports):
    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.goto((reports / "index.html").as_uri())
    light = ground()
    page.locator("button.theme").click()
    dark = ground()
    page.goto((reports / "gba" / "02_overview.html").as_uri())
    assert light != dark == ground()


def test_without_scripts_everything_but_search_and_toggle_works(browser, reports):
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((reports / "gba" / "02_overview.html").as_uri())
    assert not page.locator("form.search").is_visible() and not page.locator("button.theme").is_visible()
    link = page.locator("#menu").get_by_role("link", name="Digital development index")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    link.click()
    assert page.url.endswith("/gba/03_digital_index.html")
    page.locator("a.language").click()
    assert page.url.endswith("/gba/03_digital_index.zh.html")
    context.close()


def test_in_print_there_is_no_frame_and_no_table_loses_a_column(browser, reports):
    # A4 on its side for wide tables, upright for the others, less margins.
    page = browser.new_page(viewport={"width": 673, "height": 950})
    page.emulate_media(media="print")
    for name in NAMES:
        page.goto((reports / "gba" / f"{name}.html").as_uri())
        for part in ("header.top", "#menu", "nav.regions", "nav.contents", "details.input"):
            assert not page.locator(part).first.is_visible()
        tables = page.locator("main .table-wrap:not(.made *)").evaluate_all(
            "all => all.map(t => [t.scrollWidth, t.classList.contains('wide'), t.innerText.slice(0, 60)])"
        )
        assert tables and [one for one in tables if one[0] > (1017 if one[1] else 674)] == []
    page.close()


def test_a_page_runs_and_loads_nothing_whatever_stands_in_it(page, reports):
    """The second line of defence: what was written into a page by hand, or by a tool."""
    path = reports / "gba" / "01_data_audit.html"
    (reports / "gba" / "hostile.js").write_text("document.title = 3", encoding="utf-8")
    hostile = (
        '<script>document.title = "ran"</script><img src="none.png" onerror="document.title = 1">'
        '<script src="hostile.js"></script><img src="https://example.org/a.png">'
        '<link rel="stylesheet" href="https://example.org/b"><iframe src="02_overview.html"></iframe>'
        '<a id="run" href="javascript:document.title = 2">run</a></main>'
    )
    changed = path.with_name("changed.html")
    changed.write_text(path.read_text(encoding="utf-8").replace("</main>", hostile), encoding="utf-8")
    loaded = []
    page.on("requestfinished", lambda request: loaded.append(request.url))
    ready(page, changed)
    title = page.title()
    page.evaluate("document.querySelector('#run').click()")
    assert page.title() == title and title.startswith("Data audit")
    names = {url.rpartition("/")[2] for url in loaded if not url.startswith("data:")}
    assert {name for name in names if not name.endswith(".png")} == {"changed.html", "site.css", "site.js"}
    assert not [url for url in loaded if url.startswith("http")]
    assert len(page.complaints) >= 6, "the browser refused scripts, a picture, a sheet and a frame"
    changed.unlink()

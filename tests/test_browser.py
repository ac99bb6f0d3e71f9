"""The pages in Chromium, without a network: they show what they should on a desk and on a phone."""

from __future__ import annotations

import os
import shutil

import pytest

from clusterlib.paths import Project, get_project
from clusterlib.regions import REGIONS
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


@pytest.fixture(params=[(1280, 900), (360, 740)], ids=["desk", "phone"])
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


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_offline_and_fits_the_screen(page, reports, name):
    page.goto((reports / "gba" / f"{name}.html").as_uri())
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.complaints == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    images = page.locator("img")
    assert images.count() > 0
    for image in images.all():
        size = image.evaluate("i => [i.complete && i.naturalWidth, i.getBoundingClientRect().right, i.alt.length]")
        assert size[0] > 300 and size[1] <= width and size[2] > 20


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


def test_the_index_leads_to_each_page_and_each_page_back(page, reports):
    page.goto((reports / "index.html").as_uri())
    assert page.locator("table.grid tbody tr").count() == len(list(get_project().notebooks.glob("*.ipynb")))
    for region in REGIONS.values():
        assert page.get_by_text(region.name_zh).count() > 0
    page.get_by_role("link", name="02_overview").click()
    assert "Overview" in page.locator("h1:visible").inner_text()
    page.get_by_role("link", name="All reports").click()
    assert page.url.endswith("/index.html")
    assert page.complaints == []


def test_a_page_runs_and_loads_nothing_whatever_stands_in_it(page, reports):
    """The second line of defence: what was written into a page by hand, or by a tool."""
    path = reports / "gba" / "01_data_audit.html"
    hostile = (
        '<script>document.title = "ran"</script><img src="01_data_audit/figure.png" onerror="document.title = 1">'
        '<iframe src="https://example.org"></iframe><a id="run" href="javascript:document.title = 2">run</a></main>'
    )
    # A picture that is there: it is not shown all the same.
    figure = next((reports / "gba" / "01_data_audit" / "figures").glob("*.png"))
    hostile = hostile.replace("figure.png", f"figures/{figure.name}")
    changed = path.with_name("changed.html")
    changed.write_text(path.read_text(encoding="utf-8").replace("</main>", hostile), encoding="utf-8")
    loaded = []
    page.on("requestfinished", lambda request: loaded.append(request.url))
    page.goto(changed.as_uri())
    title = page.title()
    page.locator("#run").click()
    assert page.title() == title and title.startswith("Data audit")
    assert [url for url in loaded if not url.startswith("data:")] == [changed.as_uri()]
    assert len(page.complaints) >= 3, "the browser refused a script, a picture and a frame"

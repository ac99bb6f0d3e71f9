"""Notebooks in JupyterLab, in Chromium and without a network: edited, run, looked at and saved."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from chromium import needs_chromium

from clusterlib.paths import ROOT_VARIABLE, get_project

REAL = get_project()
TOKEN = "a-token-of-these-tests"
LIGHT, EXPLORE = "01_data_audit", "00_explore"
SOON = 120_000
PROMPTS = ".jp-CodeCell .jp-InputArea-prompt"
# Every cell stands in the page, whether it is in view or not; and nobody asks for news.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab over copies of two notebooks, with settings of its own: its address and the folder of notebooks."""
    root = tmp_path_factory.mktemp("lab")
    (root / "data").symlink_to(REAL.root / "data")
    (root / "notebooks").mkdir()
    for path in (*REAL.notebooks.glob(f"{LIGHT}.*"), REAL.notebooks / f"{EXPLORE}.ipynb", REAL.notebooks / "words.yml"):
        shutil.copy(path, root / "notebooks")
    for name, chosen in SETTINGS.items():
        path = root / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(chosen), encoding="utf-8")
    # Not in the folder of data, which is the project's.
    own = {f"JUPYTER_{name}_DIR": str(root / "jupyter" / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(root / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces")}
    # Whatever asks for an address elsewhere is refused.
    own |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, ROOT_VARIABLE: str(root), "IPYTHONDIR": str(root / "ipython"), **own}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1",
        f"--IdentityProvider.token={TOKEN}", f"--notebook-dir={root / 'notebooks'}",
    ]  # fmt: skip
    with (root / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=root)
    try:
        ends = time.monotonic() + SOON / 1000
        # The file is there a moment before what it tells.
        while not (told := "".join(path.read_text() for path in root.glob("jupyter/runtime/jpserver-*.json"))):
            assert server.poll() is None and time.monotonic() < ends, (root / "log").read_text(encoding="utf-8")
            time.sleep(0.1)
        yield json.loads(told)["url"], root / "notebooks"
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


@pytest.fixture
def page(browser, lab):
    """A window that has asked nothing of any other place, and complained of nothing, when it is closed."""
    context = browser.new_context(viewport={"width": 1500, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(SOON)
    asked, complaints = [], []
    context.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert [
        url
        for url in asked
        if not url.startswith((lab[0], lab[0].replace("http", "ws", 1), "data:", "blob:", "about:"))
    ] == []
    assert complaints == [], complaints
    context.close()


def open_notebook(page, lab, name: str) -> None:
    page.goto(f"{lab[0]}lab/tree/{name}.ipynb?token={TOKEN}&reset")
    page.locator(".jp-CodeCell").first.wait_for()
    # Run All before there is a kernel asks for one.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def run_all(page) -> None:
    """Run all cells, and wait until the last is done."""
    before = page.locator(PROMPTS).all_inner_texts()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """([prompts, before]) => [...document.querySelectorAll(prompts)].every((one, k) =>
            /^\\[\\d+\\]:$/.test(one.innerText) && one.innerText !== before[k])""",
        arg=[PROMPTS, before],
    )
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []


def pictures(page) -> list[str]:
    return page.locator(".jp-OutputArea img").evaluate_all("all => all.map((one) => one.src)")


def test_another_region_gives_other_figures_by_run_all(page, lab):
    open_notebook(page, lab, LIGHT)
    run_all(page)
    before = pictures(page)
    line = page.locator(".jp-CodeCell .cm-line").first
    line.get_by_text('"yrd"').dblclick()
    page.keyboard.type("bth")
    assert line.inner_text().startswith('region: str = "bth"')
    page.keyboard.press("Escape")
    run_all(page)
    after = pictures(page)
    assert len(after) == len(before) > 0 and {*after} != {*before}


def test_the_explorer_follows_its_controls(page, lab):
    open_notebook(page, lab, EXPLORE)
    run_all(page)
    frame = page.frame_locator(".jp-OutputArea iframe")
    frame.get_by_role("heading", name="排名（长三角）").wait_for()
    seen = []
    for label, option, heading in (
        ("语言", "English", "Ranking, YRD"),
        ("Region", "GBA", "Ranking, GBA"),
        ("Indicator", "Value added of primary industry [1e8 yuan]", "Value added of primary industry, 1e8 yuan"),
    ):
        page.get_by_label(label, exact=True).select_option(label=option)
        frame.get_by_role("heading", name=heading).wait_for()
        frame.locator(".ranking li").first.wait_for()
        fills = frame.locator(".drawing use[data-u]").evaluate_all("all => all.map((one) => one.getAttribute('fill'))")
        seen.append(
            (frame.locator("svg.view").get_attribute("viewBox"), fills, frame.locator(".ranking ol").inner_text())
        )
    (first, *_), (second, fills, ranked), (_, other_fills, other_ranked) = seen
    assert first != second and fills != other_fills and ranked != other_ranked

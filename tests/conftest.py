"""Fixtures shared by the tests: the project's built data, and throw-away projects that tests may damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import CHROMIUM

from clusterlib.core.locks import waiting_lock
from clusterlib.paths import ROOT_VARIABLE, Project, get_project

REAL = get_project()
# The files that take longest, which begin first so that no worker is left with one when the others are done. Those that
# run many notebooks, several at a time, alternate with those that mostly wait for processes.
LONGEST = (
    "test_notebooks", "test_run_cluster", "test_fourth_region", "test_run_faults", "test_readme", "test_run",
    "test_raw_errors", "test_run_warm", "test_environment", "test_fuzz_files", "test_browser", "test_data",
    "test_package",
)  # fmt: skip
# The layers, by file or test: `make check` leaves out both, `make test` the slow ones. What executes notebooks or opens
# a browser is lengthy without being named here.
SLOW = (
    "test_run_cluster", "test_fourth_region", "test_readme", "test_run_faults", "test_docs", "test_lab", "test_package",
)  # fmt: skip
LENGTHY = (
    "test_run", "test_raw_errors", "test_run_warm", "test_environment", "test_fuzz_files", "test_data",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Build the processed data once, before workers start that would each build them."""
    if not hasattr(config, "workerinput"):
        from clusterlib.data._processed import build

        build(REAL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the layers, and put the files that take longest first.

    With ``--no-loadscope-reorder`` workers take them in this order.
    """
    for item in items:
        names = {item.path.stem, getattr(item, "originalname", item.name)}
        if names & {*SLOW}:
            item.add_marker("slow")
        elif names & {*LENGTHY} or item.get_closest_marker("notebooks") or item.get_closest_marker("browser"):
            item.add_marker("lengthy")
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The real data and notebooks after ``clusterlib run``, every notebook for every region; to be read only.

    One worker runs them for all: nothing else takes as long.
    """
    base = tmp_path_factory.getbasetemp()
    project = Project((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "executed")
    project.root.mkdir(exist_ok=True)
    with waiting_lock(project.root / "lock", tell=False):
        # There when the run is over, whatever came of it, and so not waited for in vain.
        finished = project.root / "finished"
        if not finished.exists():
            for name in ("data", "notebooks", "report"):
                (project.root / name).symlink_to(REAL.root / name)
            command = [str(Path(sys.executable).with_name("clusterlib")), "run"]
            done = subprocess.run(
                command, env={**os.environ, ROOT_VARIABLE: str(project.root)}, capture_output=True, text=True
            )
            finished.write_text(f"{done.returncode}\n{done.stdout}\n{done.stderr}", encoding="utf-8")
    return project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the real raw and processed data, its own reports and no notebooks; data must not be changed."""
    (tmp_path / "data").symlink_to(REAL.root / "data")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the real raw and processed data and no notebooks, whose imported indicators are its own."""
    for part in (REAL.raw, REAL.study, REAL.processed):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / part.name).symlink_to(part)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def raw_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a copy of the raw tables that a test may damage, and nothing built."""
    for part in (REAL.raw, REAL.study):
        shutil.copytree(part, tmp_path / "data" / part.name)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def built_project(raw_project: Project) -> Project:
    """A project with copies of the raw tables and of the data built from them."""
    shutil.copytree(REAL.processed, raw_project.processed, ignore=shutil.ignore_patterns(".memory"))
    return raw_project


@pytest.fixture
def figure_style():
    """The project's style of figures for one test; what it sets does not stay."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from clusterlib import figures

    plt.switch_backend("agg")
    with mpl.rc_context():
        figures.use_style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is needed here: install the package chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()

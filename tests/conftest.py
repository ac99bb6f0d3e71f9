"""Fixtures shared by the tests: the project's built data, and throw-away projects that tests may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clusterlib.paths import ROOT_VARIABLE, Project, get_project

REAL = get_project()


def pytest_configure(config: pytest.Config) -> None:
    """Build the processed data once, before workers start that would each build them."""
    if not hasattr(config, "workerinput"):
        from clusterlib.data._processed import build

        build(REAL)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the real raw and processed data, its own reports and no notebooks; data must not be changed."""
    (tmp_path / "data").symlink_to(REAL.root / "data")
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

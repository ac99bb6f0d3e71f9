"""Running a notebook is no change of it that git would keep, once its filter is set up; nothing is lost without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from clusterlib.paths import get_project

ROOT = get_project().root
NOTEBOOK = "02_overview.ipynb"
# What Lab writes of a kernel when it saves.
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py", "mimetype": "text/x-python",
    "name": "python", "nbconvert_exporter": "python", "pygments_lexer": "ipython3", "version": "3.12.1",
}  # fmt: skip
TIMES = {"iopub.execute_input": "2026-01-01T00:00:00Z", "shell.execute_reply": "2026-01-01T00:00:01Z"}
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}


class Repository:
    """A throw-away repository with one of the project's notebooks, its attributes and its script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "notebooks").mkdir()
        shutil.copy(ROOT / "notebooks" / NOTEBOOK, root / "notebooks")
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "strip.sh", root / "scripts")
        shutil.copy(ROOT / ".gitattributes", root)
        self.tool = root / ".venv" / "bin" / "nbstripout"
        self.tool.parent.mkdir(parents=True)
        for tool in (self.tool, self.tool.with_name("python")):
            tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
            tool.chmod(0o755)
        (root / ".gitignore").write_text(".venv/\n", encoding="utf-8")
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "as it is")

    def run(self, *command: str, **options) -> str:
        done = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, check=True, timeout=120, **options
        )
        assert done.stderr == ""
        return done.stdout

    def git(self, *words: str) -> str:
        return self.run("git", "-c", "user.name=A", "-c", "user.email=a@b.cn", "-c", "core.autocrlf=false", *words)

    def changed(self) -> list[str]:
        return [line[3:] for line in self.git("status", "--porcelain").splitlines()]

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / NOTEBOOK

    def execute(self) -> nbformat.NotebookNode:
        """Save the notebook as Lab does after Run All."""
        path = self.notebook
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata["language_info"] = LANGUAGE
        notebook.metadata["widgets"] = WIDGETS
        for count, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.execution_count = count + 1
            cell.metadata |= {
                "execution": TIMES,
                "scrolled": True,
                "editable": True,
                "jupyter": {"outputs_hidden": True},
            }
            cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=count + 1)]
        nbformat.write(notebook, path)
        return notebook


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Repository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Repository(tmp_path)


def test_a_notebook_that_was_run_is_no_difference_once_the_filter_is_set_up(repository):
    repository.execute()
    assert repository.changed() == [f"notebooks/{NOTEBOOK}"]
    repository.run("scripts/strip.sh", "--install")
    assert repository.git("diff") == ""
    # git's list of changes goes by sizes, until the file is added, of which nothing is left to commit.
    repository.git("add", "notebooks")
    assert repository.changed() == [] and repository.git("diff", "--cached") == ""
    # In the folder the outputs are still there.
    assert "execute_result" in (repository.notebook).read_text(encoding="utf-8")


def test_what_was_edited_is_the_change_and_nothing_else(repository):
    repository.run("scripts/strip.sh", "--install")
    notebook = repository.execute()
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.source = code.source.replace('"yrd"', '"bth"')
    code.metadata["tags"] = [*code.metadata["tags"], "mine"]
    nbformat.write(notebook, repository.notebook)
    lines = [
        line
        for line in repository.git("diff", "--unified=0").splitlines()
        if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert sum("region: str" in line for line in lines) == 2
    assert [line.strip('+ "') for line in lines if line.startswith("+") and "region" not in line] == [
        'parameters",',
        "mine",
    ]
    assert len(lines) == 5
    repository.git("commit", "--all", "--quiet", "--message", "edited")
    kept = nbformat.reads(repository.git("show", f"HEAD:notebooks/{NOTEBOOK}"), as_version=4)
    assert [cell.id for cell in kept.cells] == [cell.id for cell in notebook.cells]
    assert all(cell.outputs == [] for cell in kept.cells if cell.cell_type == "code")


def test_every_notebook_is_stored_as_the_filter_leaves_it(repository):
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        shutil.copy(path, repository.root / "notebooks")
    repository.run("scripts/strip.sh", *(f"notebooks/{path.name}" for path in notebooks))
    assert [p.name for p in notebooks if p.read_bytes() != (repository.root / "notebooks" / p.name).read_bytes()] == []


def test_without_the_filter_or_its_tool_a_clone_is_whole_and_nothing_is_lost(repository, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clones") / "clone"
    repository.git("clone", "--quiet", str(repository.root), str(clone))
    assert {path.name for path in (clone / "notebooks").glob("*.ipynb")} == {NOTEBOOK}
    repository.run("scripts/strip.sh", "--install")
    repository.tool.unlink()
    repository.execute()
    assert repository.changed() == [f"notebooks/{NOTEBOOK}"]
    repository.git("commit", "--all", "--quiet", "--message", "with outputs")
    assert "execute_result" in repository.git("show", f"HEAD:notebooks/{NOTEBOOK}")


def test_the_filter_is_taken_away_again(repository):
    repository.run("scripts/strip.sh", "--install")
    repository.run("scripts/strip.sh", "--install")
    repository.run("scripts/strip.sh", "--uninstall")
    repository.execute()
    assert repository.changed() == [f"notebooks/{NOTEBOOK}"]


def test_a_folder_without_git_is_left_alone(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "strip.sh", tmp_path / "scripts")
    done = subprocess.run(
        ["scripts/strip.sh", "--install"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        check=True,
    )
    assert done.returncode == 0 and sorted(path.name for path in tmp_path.iterdir()) == ["scripts"]

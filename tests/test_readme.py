"""Every command of the README is run, as it stands there, on the real data."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from clusterlib.paths import ROOT_VARIABLE, get_project

ROOT = get_project().root
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
COMMANDS = {name: re.findall(r"`(clusterlib [^`]+)`", text) for name, text in TEXTS.items()}
pytestmark = pytest.mark.notebooks


def command(line: str) -> list[str]:
    return [str(Path(sys.executable).with_name("clusterlib")), *shlex.split(line)[1:]]


@pytest.fixture(scope="module")
def project(tmp_path_factory, executed):
    """The real data and notebooks after the first command, with reports that one test leaves to the next."""
    root = tmp_path_factory.mktemp("readme")
    (root / "report").symlink_to(ROOT / "report")
    (root / "data").mkdir()
    for name in ("raw", "study", "processed"):
        (root / "data" / name).symlink_to(ROOT / "data" / name)
    shutil.copyfile(ROOT / "tests" / "sheets" / "nbs_gbk.csv", root / "yearbook.csv")
    (root / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.*"):
        (root / "notebooks" / path.name).symlink_to(path)
    shutil.copytree(executed.reports, root / "reports")
    return root, {**os.environ, ROOT_VARIABLE: str(root)}


def carry_out(project, line: str, given: str = "", expected: tuple[int, ...] = (0,)) -> str:
    root, environment = project
    done = subprocess.run(
        command(line), cwd=root, env=environment, input=given, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode in expected, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def test_both_languages_name_the_same_commands():
    assert COMMANDS["README.md"] == COMMANDS["README.zh.md"] and len(COMMANDS["README.md"]) >= 10


def test_the_commands_run_one_after_the_other(project):
    root, _ = project
    assert COMMANDS["README.md"][0] == "clusterlib run"
    done = set()
    for line in COMMANDS["README.md"]:
        name = line.split()[1]
        # What goes on until it is stopped has tests of its own.
        if name in ("serve", "clean") or "--dask" in line or "--watch" in line:
            continue
        # Two runs differ; and whether this machine lacks something is not for the README to say.
        expected = {"compare": (1,), "doctor": (0, 1)}.get(name, (0,))
        said = carry_out(project, line, expected=expected)
        done.add(name)
        if line == "clusterlib run":
            assert re.search(r"\b0 done, \d+ unchanged, 0 failed", said), "the reports are what this command wrote"
        if name == "compare":
            assert re.search(r"\d+ of \d+ differ", said)
    assert done >= {"run", "compare", "status", "sweep", "new-notebook", "doctor", "report", "import", "imported"}
    assert (root / "data" / "own" / "province" / "地区生产总值.csv").exists()
    assert (root / "reports" / "yrd" / "03_digital_index.html").exists()
    assert len(list((root / "reports" / "runs" / "short" / "yrd").glob("*.html"))) >= 13
    assert (root / "notebooks" / "30_energy_use.yml").exists()


def test_serve_shows_the_reports(project):
    root, environment = project
    with subprocess.Popen(
        [*command("clusterlib serve"), "--port", "0"], cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            address = re.search(r"http://\S+", server.stdout.readline())[0]
            with urllib.request.urlopen(address, timeout=10) as answer:
                assert "03_digital_index" in answer.read().decode()
        finally:
            server.terminate()


def test_a_dask_cluster_runs_a_notebook(project):
    distributed = pytest.importorskip("distributed")
    (line,) = [line for line in COMMANDS["README.md"] if "--dask" in line]
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, processes=True)
        )
        here = line.replace("tcp://host:8786", cluster.scheduler_address)
        carry_out(project, f"{here} --notebook 02 --region gba")
    assert (project[0] / "reports" / "gba" / "02_overview.html").exists()


def test_clean_deletes_what_runs_wrote(project):
    root, _ = project
    assert any((root / "reports").iterdir())
    carry_out(project, "clusterlib clean", given="y\n")
    deadline = time.monotonic() + 10
    while any((root / "reports").glob("[!.]*/")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list((root / "reports").glob("[!.]*/")) == []


@pytest.mark.parametrize("name", TEXTS)
def test_targets_of_make_are_there(name):
    targets = set(re.findall(r"\bmake ([a-z]+)", TEXTS[name]))
    assert {"report", "test", "lab", "data", "format"} <= targets
    for target in sorted(targets):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"make {target}: {done.stderr}"


@pytest.mark.parametrize("name", TEXTS)
def test_the_library_is_used_as_the_readme_says(name):
    blocks = [block for block in re.findall(r"```python\n(.*?)```", TEXTS[name], flags=re.S) if "import" in block]
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


@pytest.mark.parametrize("name", TEXTS)
def test_files_that_the_readme_points_to_are_there(name):
    places = re.findall(r"\]\((?!http|#)([^)#]+)", TEXTS[name])
    assert places
    for place in places:
        assert (ROOT / place).exists(), place

"""The runner with real kernels: what runs, what does not, and what a failure leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from clusterlib.errors import ClusterlibError, UnknownNameError
from clusterlib.paths import Project
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.tasks import run

PARAMETERS = 'region: str = "yrd"'
RECORD = "from clusterlib.results import record\nrecord('answer', 42.0, unit='things', label='The answer')"


def write_notebook(project: Project, name: str, *cells: str, title: str = "A notebook") -> Path:
    """Write a notebook with a parameters cell and these code cells, whose identifiers are c1, c2, ..."""
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]})
    heading = nbformat.v4.new_markdown_cell(f"# {title}", id="heading")
    code = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(cells, start=1)]
    notebook.cells = [heading, parameters, *code]
    path = project.notebooks / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def clusterlib_command(*arguments: str) -> subprocess.CompletedProcess:
    code = "from clusterlib.run.cli import app; app()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)


def test_a_failing_notebook_stops_no_other_and_the_command_ends_with_cell_error_and_exit_code(project):
    write_notebook(project, "01_good", RECORD)
    write_notebook(project, "02_bad", "x = 1", "if region == 'bth':\n    raise ValueError('no such luck')", RECORD)
    done = clusterlib_command("run")
    assert done.returncode == 1
    assert "bth 02_bad, cell 4 (c2): if region == 'bth':" in done.stderr
    assert "ValueError: no such luck" in done.stderr
    assert "Traceback" not in done.stderr
    good = {p.parent.name + "/" + p.name for p in project.reports.glob("*/*.html")}
    assert good == {f"{r}/01_good.html" for r in ("bth", "yrd", "gba")} | {"yrd/02_bad.html", "gba/02_bad.html"}
    index = (project.reports / "index.html").read_text(encoding="utf-8")
    assert index.index("no such luck") < index.index("Reports 报告")
    assert (project.reports / "bth" / "02_bad.failed" / "notebook.ipynb").exists()
    assert not list(project.reports.rglob(".0*"))


def test_a_run_that_fails_leaves_the_last_good_one_and_a_good_one_clears_the_failure(project):
    source = write_notebook(project, "01_turn", RECORD)
    assert run(["yrd"], project=project).ok
    before = files_of(project.reports / "yrd" / "01_turn")
    write_notebook(project, "01_turn", RECORD, "1 / 0")
    outcome = run(["yrd"], project=project)
    assert [(f.cell, f.error.split(":")[0]) for f in outcome.failures] == [("c2", "ZeroDivisionError")]
    assert files_of(project.reports / "yrd" / "01_turn") == before
    write_notebook(project, "01_turn", RECORD, "2 / 1")
    assert run(["yrd"], project=project).ok
    assert not (project.reports / "yrd" / "01_turn.failed").exists()
    assert source.exists()


def test_nothing_runs_twice_and_a_changed_notebook_runs_alone(project):
    write_notebook(project, "01_one", RECORD)
    second = write_notebook(project, "02_two", RECORD)
    assert len(run(["yrd", "gba"], project=project).executed) == 8
    assert run(["yrd", "gba"], project=project).executed == []
    second.write_text(second.read_text(encoding="utf-8").replace("42.0", "43.0"), encoding="utf-8")
    outcome = run(["yrd", "gba"], project=project)
    assert outcome.executed == ["gba/02_two", "gba/02_two.html", "yrd/02_two", "yrd/02_two.html"]
    assert len(run(["yrd"], ["01_one"], force=True, project=project).executed) == 2


def test_a_missing_output_or_other_data_make_a_notebook_run_again(built_project):
    built_project.notebooks.mkdir()
    write_notebook(built_project, "01_one", RECORD)
    assert run(["yrd"], project=built_project).executed == ["yrd/01_one", "yrd/01_one.html"]
    (built_project.reports / "yrd" / "01_one" / "results.json").unlink()
    assert "yrd/01_one" in run(["yrd"], project=built_project).executed
    facts = built_project.raw / "province" / "digital_finance.csv"
    facts.write_text(facts.read_text(encoding="utf-8").replace("2011,dfi_total,79.41", "2011,dfi_total,79.42"), "utf-8")
    assert "yrd/01_one" in run(["yrd"], project=built_project).executed


def test_results_are_the_same_byte_for_byte_whatever_the_number_of_workers(project):
    matrix = "matrix = np.random.default_rng(0).normal(size=(200, 200))"
    draws = f"import numpy as np\n{matrix}\nrecord('draw', float(np.linalg.svd(matrix)[1][0]))"
    write_notebook(project, "01_one", RECORD, draws)
    write_notebook(project, "02_two", RECORD, draws)
    results = []
    for workers in (1, 2):
        assert run(["yrd"], force=True, workers=workers, project=project).ok
        results.append([(project.reports / "yrd" / n / "results.json").read_bytes() for n in ("01_one", "02_two")])
    assert results[0] == results[1]


def test_records_carry_value_unit_label_and_the_cell_that_made_them(project):
    write_notebook(project, "01_one", "x = 1", RECORD)
    run(["gba"], project=project)
    content = json.loads((project.reports / "gba" / "01_one" / "results.json").read_text(encoding="utf-8"))
    assert (content["notebook"], content["region"], content["parameters"]) == ("01_one", "gba", {"region": "gba"})
    (entry,) = content["records"]
    assert (entry["name"], entry["value"], entry["unit"], entry["cell"]) == ("answer", 42.0, "things", "c2")
    assert "data/raw/catalogue.csv" in content["data"]


def test_two_cells_with_one_result_name_are_a_failure_that_names_both(project):
    write_notebook(project, "01_one", RECORD, RECORD)
    (failure,) = run(["yrd"], project=project).failures
    assert "c1" in failure.error and "c2" in failure.error and "answer" in failure.error


def test_a_kernel_that_dies_is_reported_with_its_cell(project):
    write_notebook(project, "01_one", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    started = time.monotonic()
    (failure,) = run(["yrd"], project=project).failures
    assert (failure.cell, failure.error.split(":")[0]) == ("c1", "DeadKernelError")
    assert time.monotonic() - started < 60


def test_the_users_own_start_up_files_do_not_reach_a_kernel(project, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("surprise = 1\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    write_notebook(project, "01_one", "assert 'surprise' not in globals()", RECORD)
    assert run(["yrd"], project=project).ok


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{ not json", "01_broken.ipynb is not a valid notebook"),
        ("[]", "01_broken.ipynb is not a valid notebook"),
        (nbformat.writes(nbformat.v4.new_notebook()), '01_broken.ipynb needs one code cell tagged "parameters"'),
    ],
)
def test_a_file_that_is_no_runnable_notebook_is_named(project, content, words):
    (project.notebooks / "01_broken.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(ClusterlibError, match=words):
        find_notebooks(project)


def test_unknown_regions_and_notebooks_are_refused_with_the_nearest_name(project):
    write_notebook(project, "01_one", RECORD)
    with pytest.raises(UnknownNameError, match="did you mean '01_one'"):
        run(notebooks=["01_on"], project=project)
    done = clusterlib_command("run", "--region", "yrdd")
    assert done.returncode == 2
    assert "unknown region 'yrdd'; did you mean 'yrd'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_raw_data_end_the_command_with_file_and_line(raw_project):
    facts = raw_project.raw / "province" / "innovation.csv"
    lines = facts.read_text(encoding="utf-8").split("\n")
    lines[4] = lines[4].replace(lines[4].split(",")[3], "n/a", 1)
    facts.write_text("\n".join(lines), encoding="utf-8")
    done = clusterlib_command("data")
    assert done.returncode == 2
    assert "data/raw/province/innovation.csv, line 5, column 'value': 'n/a' is not a number" in done.stderr

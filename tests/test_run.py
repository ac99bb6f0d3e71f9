"""The runner with real kernels: what runs, what does not, and what a failure leaves behind."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from engine import RECORD, clusterlib_command, files_of, results_of, start_command, write_notebook

from clusterlib.core.locks import waiting_lock
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.run.notebooks import find_notebooks
from clusterlib.run.sources import FOLDER
from clusterlib.run.tasks import run

REAL = get_project()


def test_a_failing_notebook_stops_no_other_and_the_command_ends_with_cell_error_and_exit_code(project):
    write_notebook(project, "01_good", RECORD)
    write_notebook(project, "02_bad", "x = 1", "if region == 'bth':\n    raise ValueError('no such luck')", RECORD)
    done = clusterlib_command("run")
    assert done.returncode == 1
    assert "bth 02_bad, cell 4 (c2): if region == 'bth':" in done.stderr
    assert "ValueError: no such luck" in done.stderr
    assert "Traceback" not in done.stderr
    made = {p.parent.name + "/" + p.name for p in project.reports.glob("[!c]*/0*.html")}
    good = {name for name in made if "not been made yet" not in (project.reports / name).read_text(encoding="utf-8")}
    expected = {f"{r}/01_good" for r in ("bth", "yrd", "gba")} | {"yrd/02_bad", "gba/02_bad"}
    assert {name.removesuffix(".html") for name in good if not name.endswith(".zh.html")} == expected, done.stderr
    assert "尚未生成" in (project.reports / "bth" / "02_bad.zh.html").read_text(encoding="utf-8")
    index = (project.reports / "index.html").read_text(encoding="utf-8")
    assert index.index("no such luck") < index.index('id="notebooks"')
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
    write_notebook(built_project, "01_one", RECORD, "import clusterlib as cl\ncl.data.load_panel('province');")
    write_notebook(built_project, "02_two", "import clusterlib as cl\ncl.data.load_panel('city');")
    assert "yrd/01_one" in run(["yrd"], project=built_project).executed
    (built_project.reports / "yrd" / "01_one" / "results.json").unlink()
    assert "yrd/01_one" in run(["yrd"], project=built_project).executed
    facts = built_project.raw / "province" / "digital_finance.csv"
    facts.write_text(facts.read_text(encoding="utf-8").replace("2011,dfi_total,79.41", "2011,dfi_total,79.42"), "utf-8")
    assert run(["yrd"], project=built_project).executed == ["yrd/01_one", "yrd/01_one.html"]


@pytest.mark.parametrize("fork", ["1", "0"])
def test_a_run_is_seen_to_load_what_its_cells_use_however_they_name_it(project, monkeypatch, fork):
    monkeypatch.setenv("CLUSTERLIB_FORK", fork)
    write_notebook(project, "01_one", "import clusterlib as cl", "getattr(cl, 'comp' + 'osite').entropy_weights")
    write_notebook(project, "02_two", "from clusterlib.regions import get_region")
    assert run(["yrd"], project=project).ok
    loaded = {
        name: set(json.loads((project.reports / "yrd" / name / "run.json").read_text())["inputs"]["code"])
        for name in ("01_one", "02_two")
    }
    assert {"composite/_weighting.py", "core/checks.py", "errors.py"} <= loaded["01_one"]
    files = {"core/rows.py", "data/_columns.py", "errors.py", "paths.py", "regions.py"}
    assert loaded["02_two"] == {*files, "data/study/regions.csv"}


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
        run(notebooks=["01_oen"], project=project)
    done = clusterlib_command("run", "--region", "yrdd")
    assert done.returncode == 2
    assert "unknown region 'yrdd'; did you mean 'yrd'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_notebook_is_known_by_the_beginning_of_its_name_if_no_other_begins_so(project):
    for name in ("03_index", "12_cases", "13_one", "13_other"):
        write_notebook(project, name, "x = 1")
    assert [n.name for n in find_notebooks(project, ["03", "12_ca"])] == ["03_index", "12_cases"]
    with pytest.raises(InvalidInputError, match="notebook '13' may be 13_one or 13_other"):
        find_notebooks(project, ["13"])
    with pytest.raises(UnknownNameError, match="valid: 03_index, 12_cases, 13_one, 13_other"):
        find_notebooks(project, ["04"])


def test_the_command_says_its_version():
    assert re.fullmatch(r"clusterlib \d+(\.\d+)+\n", clusterlib_command("--version").stdout)


SHARES = (
    "from clusterlib.results import record\nimport pandas as pd\nrecord('share', {share})\nrecord('word', {word!r})\n"
    "record('table', pd.DataFrame({{'a': [1.0, {cell}]}}, index=pd.Index(['x', 'y'], name='row')))"
)


def test_a_named_run_is_kept_apart_and_compared_with_the_default_one(project):
    write_notebook(project, "01_one", SHARES.format(share=0.5, word="rises", cell=2.0), "record('old', 1)")
    assert run(["yrd"], project=project).ok
    before = files_of(project.reports / "yrd")
    write_notebook(project, "01_one", SHARES.format(share=0.4, word="falls", cell=3.0), "record('new', 1)")
    assert clusterlib_command("run", "--region", "yrd", "--name", "other").returncode == 0
    assert files_of(project.reports / "yrd") == before
    assert (project.reports / "runs" / "other" / "yrd" / "01_one.html").exists()
    assert "0 of 2 would run" in clusterlib_command("status", "--region", "yrd", "--name", "other").stdout
    assert "2 of 2 would run" in clusterlib_command("status", "--region", "yrd").stdout
    done = clusterlib_command("compare", "default", "other")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "gone: yrd/01_one old",
        "new: yrd/01_one new",
        "yrd/01_one share: 0.5 -> 0.4 (-0.1, -20.000%)",
        "yrd/01_one word: 'rises' -> 'falls'",
        "yrd/01_one table [y; a]: 2.0 -> 3.0 (+1, +50.000%)",
        "3 of 4 differ, 2 are gone or new.",
    ]
    told_before = done.stdout.splitlines()[:-1]
    same = clusterlib_command("compare", str(project.reports), "default")
    assert (same.returncode, same.stdout) == (0, "0 of 5 differ, 0 are gone or new.\n")
    assert "share" not in clusterlib_command("compare", "default", "other", "--rtol", "0.3").stdout
    before = files_of(project.reports / "runs")
    shown = clusterlib_command("compare", "default", "other", "--page")
    pages = [project.reports / "compare" / f"default-other{ending}.html" for ending in ("", ".zh")]
    assert shown.returncode == 1 and shown.stdout == done.stdout + "".join(f"Open {page}\n" for page in pages)
    assert all(page.is_file() for page in pages) and files_of(project.reports / "runs") == before
    done = clusterlib_command("compare", "default", "othr")
    assert done.returncode == 2 and "did you mean 'other'?" in done.stderr
    assert clusterlib_command("run", "--name", "../x").returncode == 2
    write_notebook(project, "02_two", "from clusterlib.results import record\nrecord('more', 1)")
    assert run(["yrd"], ["02_two"], project=project).ok
    told = clusterlib_command("compare", "default", "other").stdout.splitlines()
    extra = "gone: yrd/02_two, all 1 value(s)"
    assert told == [told_before[0], extra, *told_before[1:], "3 of 4 differ, 3 are gone or new."]


def test_results_of_others_are_those_of_the_same_run(project):
    write_notebook(project, "01_one", RECORD)
    read = "from clusterlib.results import load_results, record\n"
    read += "record('read', load_results('01_one', region)['answer'].value)"
    assert run(["yrd"], project=project).ok
    write_notebook(project, "01_one", RECORD.replace("42.0", "7.0"))
    named = replace(project, folder="reports/runs/other")
    assert run(["yrd"], project=named).ok
    write_notebook(project, "02_two", read)
    assert run(["yrd"], ["02_two"], project=named).ok
    assert results_of(named, "yrd", "02_two") == {"read": 7.0}


LEAVE = {
    "sys_exit": ("import sys\nsys.exit()", "cells after it were not run"),
    "sys_exit_0": ("import sys\nsys.exit(0)", "cells after it were not run"),
    "raise": ("raise SystemExit", "cells after it were not run"),
    "raise_why": ("raise SystemExit('enough')", "SystemExit: enough"),
    "exit": ("exit", "cells after it were not run"),
    "quit": ("quit()", "cells after it were not run"),
    "ask_exit": ("get_ipython().ask_exit()", "cells after it were not run"),
    "os_exit": ("import os\nos._exit(0)", "ended with exit code 0"),
    "kill": ("import os\nos.kill(os.getpid(), 15)", "killed by SIGTERM"),
    "magic": ("%exit", "UsageError: Line magic function `%exit` not found."),
    "script": ("%%script false\nx", "CalledProcessError"),
}


def test_a_cell_that_leaves_or_fails_in_its_own_way_fails_its_notebook_wherever_it_stands(project):
    expected = {}
    for number, (way, (source, words)) in enumerate(LEAVE.items(), start=10):
        for place, cells in enumerate(([source, RECORD], ["x = 1", source, RECORD], [RECORD, source])):
            name = f"{number}_{way}_{place}"
            write_notebook(project, name, *cells)
            expected[name] = (f"c{cells.index(source) + 1}", words)
    write_notebook(project, "01_one", RECORD)
    assert run(["yrd"], ["01_one"], project=project).ok
    before = files_of(project.reports / "yrd" / "01_one")
    write_notebook(project, "01_one", "x = 1", "exit", RECORD)
    outcome = run(["yrd"], project=project)
    found = {failure.notebook: failure for failure in outcome.failures}
    assert found.keys() == {*expected, "01_one"} and not outcome.executed
    for name, (cell, words) in expected.items():
        assert (found[name].cell, words in found[name].error) == (cell, True), found[name]
    assert (found["01_one"].cell, found["01_one"].number) == ("c2", 4)
    assert files_of(project.reports / "yrd" / "01_one") == before


def test_cells_of_comments_and_magics_or_none_at_all_make_a_run_and_one_that_is_skipped_does_not(project):
    write_notebook(project, "01_none")
    write_notebook(project, "02_quiet", "# only words", "%time x = 1", "   ", "", RECORD)
    path = write_notebook(project, "03_skipped", "x = 1", RECORD)
    notebook = nbformat.read(path, as_version=4)
    # As a notebook is that was run and saved in JupyterLab.
    notebook.cells[-1].metadata |= {"tags": ["skip-execution"], "execution": {"shell.execute_reply": "2024-01-01"}}
    notebook.cells[-1].execution_count = 7
    nbformat.write(notebook, path)
    outcome = run(["yrd"], project=project)
    assert {"yrd/01_none", "yrd/02_quiet"} <= set(outcome.executed)
    (failure,) = outcome.failures
    assert (failure.notebook, failure.cell) == ("03_skipped", "c2") and "skip-execution" in failure.advice


def test_what_a_cell_prints_is_bounded_and_says_how_much_was_left_out(project):
    write_notebook(project, "01_one", "for i in range(200_000): print('line', i)", RECORD)
    assert run(["yrd"], project=project).ok
    notebook = nbformat.read(project.reports / "yrd" / "01_one" / "notebook.ipynb", as_version=4)
    texts = [output.text for output in notebook.cells[-2].outputs]
    printed = sum(len(f"line {i}\n") for i in range(200_000))
    assert "".join(texts).startswith("line 0\nline 1\n") and texts[-1].endswith("line 199999\n")
    assert f"[{printed - 510_000:,} characters are left out here: a cell may print 500,000]" in texts[-1]
    assert sum(map(len, texts)) < 520_000


SHOW_HTML = "from IPython.display import HTML, clear_output, display, update_display\n"


def test_a_cell_may_leave_a_picture_after_printing_too_much_and_replace_it_as_often_as_it_likes(project):
    flood = "import sys\nprint('x' * 600_000)\nsys.stdout.flush()\n"
    write_notebook(project, "01_one", f"{SHOW_HTML}{flood}display(HTML('<b>kept</b>'))\nprint('the end')")
    frames = "for i in range(60):\n    clear_output(wait=True)\n    display(HTML(f'{i}' + 'x' * 1_000_000))"
    write_notebook(project, "02_two", SHOW_HTML + frames)
    updates = "for i in range(60):\n    update_display(HTML(f'{i}' + 'x' * 1_000_000), display_id='a')"
    write_notebook(project, "03_three", f"{SHOW_HTML}display(HTML(''), display_id='a')\n{updates}")
    outcome = run(["yrd"], project=project)
    assert outcome.ok, outcome.failures
    for name in ("02_two", "03_three"):
        assert (project.reports / "yrd" / name / "notebook.ipynb").stat().st_size < 1_200_000
    cell = nbformat.read(project.reports / "yrd" / "01_one" / "notebook.ipynb", as_version=4).cells[-1]
    assert any("kept" in str(output.get("data")) for output in cell.outputs)
    assert "".join(output.get("text", "") for output in cell.outputs).endswith("the end\n")


TOO_MUCH = {
    "10_pictures": "while True:\n    display(HTML('x' * 1_000_000))",
    "11_update": "display(HTML(''), display_id='a')\nupdate_display(HTML('x' * 30_000_000), display_id='a')",
    "12_value": "'x' * 30_000_000",
    "13_error": "raise ValueError('x' * 30_000_000)",
}


def test_a_cell_that_shows_or_says_too_much_is_stopped_and_named_and_little_of_it_is_kept(project):
    for name, source in TOO_MUCH.items():
        write_notebook(project, name, SHOW_HTML + source, RECORD)
    done = clusterlib_command("run", "--region", "yrd")
    assert done.returncode == 1
    assert len(done.stdout) + len(done.stderr) < 50_000
    for name in TOO_MUCH:
        assert f"yrd {name}, cell 3 (c1)" in done.stderr
        assert sum(map(len, files_of(project.reports / "yrd" / f"{name}.failed").values())) < 1_000_000
    assert done.stderr.count("OutputError: the cell shows more than 20 MB of pictures and tables") == 3
    assert "characters are left out here" in done.stderr
    assert not re.search("never retrieved|Traceback|asyncio", done.stdout + done.stderr)


def test_wrong_raw_data_end_the_command_with_file_and_line(raw_project):
    facts = raw_project.raw / "province" / "innovation.csv"
    lines = facts.read_text(encoding="utf-8").split("\n")
    lines[4] = lines[4].replace(lines[4].split(",")[3], "n/a", 1)
    facts.write_text("\n".join(lines), encoding="utf-8")
    done = clusterlib_command("data")
    assert done.returncode == 2
    assert "data/raw/province/innovation.csv, line 5, column 'value': 'n/a' is not a number" in done.stderr


TYPED = 'region: str = "yrd"\nyears: str = "2016:2024"\nn: int = 3'
SHOW = "from clusterlib.results import record\nrecord('years', years)\nrecord('n', n)"


def test_a_parameter_set_for_a_run_reaches_those_that_have_it_and_shows_everywhere(project):
    write_notebook(project, "01_typed", SHOW, parameters=TYPED)
    write_notebook(project, "02_plain", RECORD)
    assert run(["yrd"], settings={"n": "5"}, project=project).ok
    assert results_of(project, "yrd", "01_typed") == {"years": "2016:2024", "n": 5}
    made = json.loads((project.reports / "yrd" / "01_typed" / "run.json").read_text(encoding="utf-8"))
    assert made["parameters"] == {"region": "yrd", "years": "2016:2024", "n": 5}
    assert made["changed"] == ["n"]
    page = (project.reports / "yrd" / "01_typed.html").read_text(encoding="utf-8")
    assert "<mark><code>n = 5</code>" in page
    assert re.search(r"[^>]<code>years = .{0,5}2016:2024", page), "shown, and not marked"
    assert "<mark>n = 5</mark>" in (project.reports / "index.html").read_text(encoding="utf-8")
    # The standard report is not what lies there now.
    assert run(["yrd"], project=project).executed == ["yrd/01_typed", "yrd/01_typed.html"]
    assert "<mark>" not in (project.reports / "index.html").read_text(encoding="utf-8")


def test_parameters_are_checked_before_anything_runs(project):
    write_notebook(project, "01_typed", SHOW, parameters=TYPED)
    with pytest.raises(UnknownNameError, match="did you mean 'years'"):
        run(settings={"year": "2020"}, project=project)
    with pytest.raises(InvalidInputError, match="n of 01_typed is an int"):
        run(settings={"n": "many"}, project=project)
    done = clusterlib_command("run", "--param", "n=many")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert not list(project.reports.glob("[!.]*/*"))


def test_a_broken_notebook_is_named_and_the_others_run(project):
    write_notebook(project, "01_one", RECORD)
    (project.notebooks / "02_broken.ipynb").write_text("{ not json", encoding="utf-8")
    outcome = run(["yrd"], project=project)
    assert outcome.executed == ["yrd/01_one", "yrd/01_one.html"]
    assert [(f.notebook, f.region) for f in outcome.failures] == [("02_broken", "yrd")]
    assert "not a valid notebook" in outcome.failures[0].error
    assert "02_broken.ipynb is not a valid notebook" in (project.reports / "index.html").read_text(encoding="utf-8")


def test_the_log_has_a_line_for_each_event_and_the_summary_shows_failures_first(project):
    write_notebook(project, "01_good", RECORD)
    write_notebook(project, "02_bad", "def f():\n    raise ValueError('no such luck')\n\nf()")
    run(["yrd"], project=project)
    lines = (project.reports / "run.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    ends = {e["task"]: e for e in events if e["event"] == "end"}
    assert {name: e["outcome"] for name, e in ends.items()} == {
        "yrd/01_good": "done",
        "yrd/01_good.html": "done",
        "yrd/02_bad": "failed",
        "yrd/02_bad.html": "left out",
    }
    assert all(e["seconds"] > 0 for e in ends.values() if e["outcome"] == "done")
    summary = (project.reports / "run.html").read_text(encoding="utf-8")
    assert summary.index("no such luck") < summary.index('id="tasks"')
    assert "line 2, in f" in summary.replace("File", "").replace("&#34;", '"') or "in f()" in summary
    assert 'href="yrd/02_bad.failed/notebook.ipynb"' in summary


def test_status_says_what_would_run_and_why(project):
    write_notebook(project, "01_typed", SHOW, parameters=TYPED)
    done = clusterlib_command("status", "--region", "yrd")
    assert "it has not been run" in done.stdout and "2 of 2 would run" in done.stdout
    run(["yrd"], project=project)
    assert "0 of 2 would run" in clusterlib_command("status", "--region", "yrd").stdout
    done = clusterlib_command("status", "--region", "yrd", "--param", "n=9")
    assert "parameter n was 3, is 9" in done.stdout


def test_a_run_with_nothing_to_do_loads_nothing_of_the_stack(project):
    write_notebook(project, "01_one", RECORD)
    run(["yrd"], project=project)
    heavy = ("pandas", "nbformat", "papermill", "jinja2", "jupyter_client")
    code = "import sys\nfrom clusterlib.run.tasks import run\nprint(run(['yrd']).executed, "
    code += f"[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[] []\n", done.stderr


def test_clean_deletes_what_runs_wrote_and_no_raw_data_and_asks_first(built_project):
    built_project.notebooks.mkdir()
    write_notebook(built_project, "01_one", RECORD)
    run(["yrd"], project=built_project)
    (built_project.reports / "README.md").write_text("kept")
    raw = files_of(built_project.raw)
    assert clusterlib_command("clean", input="n\n").returncode == 1
    assert (built_project.reports / "yrd" / "01_one").exists()
    assert clusterlib_command("clean", "--yes", "--data").returncode == 0
    # What is kept besides is locked by whoever comes next.
    assert files_of(built_project.reports) == {"README.md": b"kept", ".state/run.lock": b""}
    assert files_of(built_project.processed) == {".lock": b""}
    assert files_of(built_project.raw) == raw and len(list(built_project.notebooks.iterdir())) == 1


def test_clean_waits_for_a_build_and_takes_no_data_from_under_it(built_project):
    with waiting_lock(built_project.processed / ".lock"):
        cleaning = start_command("clean", "--yes", "--data")
        with pytest.raises(subprocess.TimeoutExpired):
            cleaning.wait(4)
        assert (built_project.processed / "manifest.json").exists()
    assert cleaning.wait(60) == 0
    assert not (built_project.processed / "manifest.json").exists()


def test_a_new_notebook_runs_as_it_stands_and_never_overwrites(project):
    from clusterlib.run.scaffold import write_skeleton

    shutil.copy(REAL.notebooks / "words.yml", project.notebooks)
    path = write_skeleton("11_energy_use", "Energy 能源")
    outcome = run(["gba"], ["11_energy_use"], project=project)
    assert outcome.ok, outcome.failures
    content = json.loads((project.reports / "gba" / "11_energy_use" / "results.json").read_text(encoding="utf-8"))
    assert {r["kind"] for r in content["records"]} == {"number", "table", "figure"}
    for taken in ("11_energy_use", "11_other", "Eleven"):
        with pytest.raises(InvalidInputError):
            write_skeleton(taken)
    assert nbformat.read(path, as_version=4).cells[0].source.startswith("# Energy 能源")


def test_a_new_notebook_is_written_with_its_captions_or_not_at_all(project):
    from clusterlib.run.scaffold import write_skeleton

    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = clusterlib_command("new-notebook", "11_energy", "--title", "数字产业", env={**os.environ, **locale})
    assert done.returncode == 0, done.stderr
    assert nbformat.read(project.notebooks / "11_energy.ipynb", as_version=4).cells[0].source.startswith("# 数字产业")
    before = files_of(project.notebooks)

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    done = clusterlib_command("new-notebook", "12_other", preexec_fn=little_room)
    assert (done.returncode, "File too large" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert files_of(project.notebooks) == before
    (project.notebooks / "13_captions.yml").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"number 13 is taken by 13_captions\.yml"):
        write_skeleton("13_captions")


def test_serve_shows_the_reports_on_this_machine_only_and_not_the_state(project):
    import threading
    import urllib.error
    import urllib.request

    from clusterlib.publish.serve import make_server

    with pytest.raises(ClusterlibError, match="no reports yet"):
        make_server(0, project)
    write_notebook(project, "01_one", RECORD)
    run(["yrd"], project=project)
    with make_server(0, project) as server:
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=10) as answer:
            assert "01_one" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/.state/run.lock", timeout=10)
        with pytest.raises(ClusterlibError, match="choose another with --port"):
            make_server(port, project)
        server.shutdown()


def test_doctor_finds_everything_in_order_here_and_says_what_is_not(project):
    write_notebook(project, "01_one", RECORD)
    done = clusterlib_command("doctor")
    assert done.returncode == 0, done.stdout
    for name in ("packages", "Chinese font", "warm kernels", "folder reports"):
        assert name in done.stdout
    (project.notebooks / "02_broken.ipynb").write_text("[]", encoding="utf-8")
    done = clusterlib_command("doctor")
    assert done.returncode == 1 and "WRONG notebooks" in done.stdout


@pytest.mark.parametrize("built", [True, False])
def test_status_and_doctor_write_nothing(raw_project, tmp_path, built):
    raw_project.notebooks.mkdir()
    write_notebook(raw_project, "01_one", RECORD)
    if built:
        assert run(["yrd"], project=raw_project).ok

    def tree():
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted(tmp_path.rglob("*"))}

    before = tree()
    for command in (["status"], ["status", "--name", "other"], ["doctor"]):
        done = clusterlib_command(*command, cwd="/")
        assert (done.returncode, done.stderr) == (0, "")
        assert tree() == before
    assert "would be built first" in clusterlib_command("status").stdout or built


LEAKY = """
import os, sys, warnings
import clusterlib as cl
import matplotlib.pyplot as plt
import pandas as pd
from pathlib import Path
from clusterlib.results import record
warnings.warn_explicit("odd", UserWarning, cl.__file__, 1)
print(os.getcwd(), os.environ["CLUSTERLIB_ROOT"], cl.__file__, pd.__file__, sys.prefix, Path.home() / "notes")
record("rows", 3)
record("shares", pd.DataFrame({"share": [1.0]}, index=pd.Index(["a"], name="r")), label="Shares")
figure, axes = plt.subplots()
axes.plot([1, 2])
record("figure", figure, label="A figure", alt="A line from one to two, for the test of what leaves the machine.")
Path("x")
"""
LEAKY_BRIEF = """{% set title %}{{ region.name }}{% endset %}
{{ n("02:rows") }} [@abadie2010]

{{ figure("02:figure", "fig-line") }}

{{ table("02:shares", "tbl-shares") }}

{{ numbers() }}
"""


def contents_of(path: Path) -> str:
    """What stands in a file, packed streams of Word and PDF files unpacked."""
    content = path.read_bytes()
    if path.suffix == ".docx":
        with zipfile.ZipFile(path) as packed:
            content = b"".join(name.encode() + packed.read(name) for name in packed.namelist())
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL) if path.suffix == ".pdf" else ():
        with contextlib.suppress(zlib.error):
            content += zlib.decompress(stream)
    return content.decode("utf-8", "replace")


def test_nothing_that_leaves_the_machine_tells_where_it_was_made(project):
    write_notebook(project, "02_leaky", LEAKY)
    (project.root / "report").mkdir()
    shutil.copy(FOLDER.parent / "report" / "references.bib", project.root / "report")
    for language in ("en", "zh"):
        (project.root / "report" / f"brief.{language}.md").write_text(LEAKY_BRIEF, encoding="utf-8")
    outcome = run(["yrd"], project=project)
    assert outcome.ok and "yrd/brief" in outcome.executed
    assert "yrd/brief" in run(["yrd"], project=project).unchanged
    assert "yrd/brief" in run(["yrd"], project=project, force=True).executed
    write_notebook(project, "03_failing", "import pandas as pd\npd.read_csv(pd.__file__ + '.csv')")
    outcome = run(["yrd"], ["03_failing"], project=project)
    assert [failure.notebook for failure in outcome.failures] == ["03_failing"], outcome.failures
    files = [path for path in (project.reports / "yrd").rglob("*") if path.is_file() and path.name != "kernel.log"]
    assert {".docx", ".pdf", ".html", ".png", ".tex", ".csv", ".json", ".ipynb"} <= {path.suffix for path in files}
    places = {str(project.root), str(FOLDER.parent), sys.prefix, f"{Path.home()}/", tempfile.gettempdir() + "/pytest"}
    # A name as short as "vm" stands in any picture.
    names = {name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 7}
    for path in [*files, project.reports / "index.html", project.reports / "run.html", project.reports / "run.jsonl"]:
        found = [word for word in places | names if word in contents_of(path)]
        assert not found, f"{path.relative_to(project.reports)}: {found}"
    shown = (project.reports / "yrd" / "02_leaky.html").read_text(encoding="utf-8")
    assert "clusterlib/__init__.py" in shown and "UserWarning: odd" in shown

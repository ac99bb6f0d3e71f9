"""Faults, made for real: processes killed, disks full, memory gone, cells without end, two runs at once."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time

import psutil
import pytest
from engine import (
    RECORD,
    clusterlib_command,
    files_of,
    kill,
    processes_of,
    results_of,
    start_command,
    wait_for,
    write_notebook,
)

from clusterlib.run.execute import Limits
from clusterlib.run.locks import AlreadyRunning, lock_owner, run_lock
from clusterlib.run.tasks import run

SLEEP = "import time\nopen('started', 'w').close()\ntime.sleep(120)"


def at_work(project, name="02_slow"):
    """Whether a kernel has begun the cell that does not end."""
    return list((project.reports / "yrd").glob(f".{name}-*/started"))


def start_slow_run(project, *arguments, cells=(), **kwargs):
    write_notebook(project, "01_fast", RECORD)
    write_notebook(project, "02_slow", RECORD, *cells, SLEEP)
    process = start_command("run", "--region", "yrd", "--workers", "2", *arguments, **kwargs)
    wait_for(lambda: (project.reports / "yrd" / "01_fast" / "run.json").exists() and at_work(project))
    return process


def hidden_in(project):
    return sorted(p.relative_to(project.reports).as_posix() for p in project.reports.rglob(".*-*"))


@pytest.fixture
def temporary(tmp_path):
    """An empty folder for temporary files, and the environment that names it."""
    folder = tmp_path / "t"
    folder.mkdir()
    return folder, {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_within_two_seconds_and_leaves_no_process_no_scratch_and_no_temporary_file(
    project, temporary, number
):
    folder, env = temporary
    process = start_slow_run(project, env=env)
    assert len(list(folder.iterdir())) == 1
    seconds = kill(process, number)
    assert seconds < 2
    assert process.returncode == 128 + number
    assert "run again to go on from here" in process.stdout.read()
    wait_for(lambda: not processes_of(project), 2)
    assert hidden_in(project) == []
    wait_for(lambda: not list(folder.iterdir()))
    assert not (project.reports / "yrd" / "02_slow.failed").exists()
    assert run(["yrd"], ["01_fast"], project=project).executed in ([], ["yrd/01_fast.html"])


def test_a_run_that_is_killed_leaves_no_process_and_the_next_goes_on_and_clears_its_temporary_files(project, temporary):
    folder, env = temporary
    process = start_slow_run(project, cells=["import tempfile\nopen(tempfile.mkdtemp() + '/x', 'w').close()"], env=env)
    finished = files_of(project.reports / "yrd" / "01_fast")
    kill(process)
    wait_for(lambda: not processes_of(project), 5)
    assert not (project.reports / "yrd" / "02_slow").exists()
    assert [path.suffix for path in folder.iterdir()] == [".run"]
    (project.reports / ".index.html-0123abcd").write_text("half")
    write_notebook(project, "02_slow", RECORD)
    done = clusterlib_command("run", "--region", "yrd", env=env)
    assert done.returncode == 0 and "yrd/02_slow" in done.stdout and "yrd/01_fast " not in done.stdout
    assert files_of(project.reports / "yrd" / "01_fast") == finished
    assert hidden_in(project) == []
    assert list(folder.iterdir()) == []


def test_temporary_files_of_a_run_that_is_at_work_are_left_alone(project, temporary):
    folder, env = temporary
    mine = folder / "clusterlib-notes"
    mine.mkdir()
    process = start_slow_run(project, env=env)
    write_notebook(project, "03_other", RECORD)
    done = clusterlib_command("run", "--region", "yrd", "--notebook", "03", "--name", "other", env=env)
    assert done.returncode == 0
    assert processes_of(project) and process.poll() is None
    assert len(list(folder.glob("*.run/*/k.json"))) == 1 and mine.exists()
    kill(process)


DAEMONS = """
import os, subprocess, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "301"])
    os._exit(0)
time.sleep(0.5)
"""
STAYS_A_FORK = DAEMONS.replace('os.execvp("sleep", ["sleep", "301"])', "time.sleep(300)")


@pytest.mark.parametrize(("fork", "source"), [("1", DAEMONS), ("0", DAEMONS), ("1", STAYS_A_FORK)])
def test_what_a_cell_starts_in_a_session_of_its_own_ends_with_its_notebook(project, monkeypatch, fork, source):
    monkeypatch.setenv("CLUSTERLIB_FORK", fork)
    write_notebook(project, "01_one", source, RECORD)
    assert clusterlib_command("run", "--region", "yrd").returncode == 0
    assert results_of(project, "yrd", "01_one") == {"answer": 42.0}
    wait_for(lambda: not processes_of(project))


def test_what_a_cell_started_in_a_session_of_its_own_ends_when_the_run_is_killed(project):
    process = start_slow_run(project, cells=[DAEMONS])
    assert len([p for p in processes_of(project) if p.name() == "sleep"]) == 2
    kill(process)
    wait_for(lambda: not processes_of(project))


def test_killed_at_any_moment_nothing_half_written_is_taken_for_done(project):
    for number in range(1, 4):
        write_notebook(project, f"0{number}_one", RECORD)
    for moment in (0.3, 1.5, 2.5, 3.2, 3.8):
        process = start_command("run", "--region", "yrd", "--force")
        time.sleep(moment)
        kill(process)
        for made in project.reports.glob("yrd/[0-9]*/run.json"):
            assert json.loads(made.read_text(encoding="utf-8"))["outputs"].keys() <= files_of(made.parent).keys()
            assert results_of(project, "yrd", made.parent.name) == {"answer": 42.0}
    wait_for(lambda: not processes_of(project), 5)
    assert run(["yrd"], project=project).ok
    assert run(["yrd"], project=project).executed == []


def test_a_kernel_that_is_killed_is_reported_with_cell_signal_and_advice(project):
    write_notebook(project, "01_one", "x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", RECORD)
    write_notebook(project, "02_two", RECORD)
    outcome = run(["yrd"], project=project)
    (failure,) = outcome.failures
    assert (failure.notebook, failure.cell) == ("01_one", "c2")
    assert "killed by SIGKILL" in failure.error and "memory" in failure.advice
    assert "yrd/02_two" in outcome.executed


def test_a_kernel_that_ends_itself_is_reported_with_its_exit_code(project):
    write_notebook(project, "01_one", "import os\nos._exit(7)")
    (failure,) = run(["yrd"], project=project).failures
    assert (failure.cell, "exit code 7" in failure.error) == ("c1", True)


def test_kernels_survive_the_process_that_they_come_from_and_the_others_are_started_without_it(project):
    for number in range(1, 4):
        write_notebook(project, f"0{number}_slow", "import time\nopen('started', 'w').close()\ntime.sleep(3)", RECORD)
    process = start_command("run", "--region", "yrd", "--workers", "2")
    wait_for(lambda: at_work(project, "01_slow") and at_work(project, "02_slow"))
    next(p for p in processes_of(project) if "zygote" in " ".join(p.cmdline()) and p.ppid() == process.pid).kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "an ordinary kernel is started" in output
    assert results_of(project, "yrd", "03_slow") == {"answer": 42.0}
    wait_for(lambda: not processes_of(project), 5)


def test_memory_that_runs_out_in_a_cell_is_reported_and_stops_no_other(project):
    greedy = (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
        "import numpy as np\nx = np.ones(4 << 30)"
    )
    write_notebook(project, "01_one", greedy)
    write_notebook(project, "02_two", RECORD)
    outcome = run(["yrd"], project=project)
    (failure,) = outcome.failures
    assert "MemoryError" in failure.error and "--workers 1" in failure.advice
    assert "yrd/02_two" in outcome.executed


def test_a_cell_without_end_is_stopped_and_named(project):
    write_notebook(project, "01_one", RECORD, "while True:\n    pass")
    began = time.monotonic()
    (failure,) = run(["yrd"], project=project, limits=Limits(cell=2)).failures
    assert time.monotonic() - began < 45
    assert (failure.cell, failure.line) == ("c2", "while True:")
    assert "longer than 2 s" in failure.error and "--cell-timeout" in failure.advice
    kept = json.loads((project.reports / "yrd" / "01_one.failed" / "notebook.ipynb").read_text(encoding="utf-8"))
    assert any(cell["id"] == "c1" and cell["outputs"] for cell in kept["cells"])


def test_a_notebook_whose_cells_take_too_long_together_is_stopped(project):
    write_notebook(project, "01_one", *["import time\ntime.sleep(1)"] * 6)
    (failure,) = run(["yrd"], project=project, limits=Limits(notebook=3)).failures
    assert "longer than 3 s" in failure.error and failure.cell


def test_time_is_up_for_a_notebook_whose_kernel_has_not_started_yet(project):
    write_notebook(project, "01_one", "import time\ntime.sleep(300)")
    (failure,) = run(["yrd"], project=project, limits=Limits(notebook=0.01)).failures
    assert "NotebookTimeoutError" in failure.error


def test_a_stop_of_any_kind_is_told_in_one_line_and_without_noise(project):
    write_notebook(project, "01_cell", "import time\ntime.sleep(300)")
    write_notebook(project, "02_print", "while True:\n    print('x' * 1000)")
    write_notebook(project, "03_dead", "import os\nos._exit(1)")
    done = clusterlib_command("run", "--region", "yrd", "--cell-timeout", "2")
    assert done.stderr.count("CellTimeoutError: the cell took longer than 2 s") == 2
    assert "DeadKernelError: the kernel ended with exit code 1" in done.stderr
    slow = clusterlib_command("run", "--region", "yrd", "--notebook", "01", "--notebook-timeout", "2")
    assert "NotebookTimeoutError: the notebook took longer than 2 s" in slow.stderr
    for word in ("asyncio", "Task ", "Event loop", "never retrieved", "Traceback", "KeyboardInterrupt"):
        assert word not in done.stdout + done.stderr + slow.stdout + slow.stderr


def test_a_disk_that_is_full_ends_no_other_run_and_the_last_good_run_stays(project):
    big = "from clusterlib.results import record\nrecord('text', 'x' * 3_000_000)"
    write_notebook(project, "01_one", RECORD)
    assert run(["yrd"], project=project).ok
    before = files_of(project.reports / "yrd" / "01_one")
    write_notebook(project, "01_one", big)
    write_notebook(project, "02_two", RECORD)

    def little_room():
        # A limit on the size of files fails in the middle of a write, as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    done = clusterlib_command("run", "--region", "yrd", preexec_fn=little_room)
    assert done.returncode == 1, done.stderr
    assert "yrd 01_one" in done.stderr and "File too large" in done.stderr and "make room there" in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(project.reports / "yrd" / "01_one") == before
    assert results_of(project, "yrd", "02_two") == {"answer": 42.0}
    assert run(["yrd"], project=project).ok


def test_a_second_run_in_the_same_folder_is_refused_and_told_who_is_at_work(project):
    process = start_slow_run(project)
    done = clusterlib_command("run")
    assert done.returncode == 2
    assert f"process {process.pid}" in done.stderr and f"kill {process.pid}" in done.stderr
    assert f"process {process.pid}" in clusterlib_command("status").stdout
    kill(process)
    assert lock_owner(project.reports) is None
    with run_lock(project.reports), pytest.raises(AlreadyRunning), run_lock(project.reports):
        pass


def test_threads_do_not_share_a_kernels_folder_or_environment(project):
    for number in range(1, 5):
        write_notebook(
            project,
            f"0{number}_one",
            "import os, time\nfrom clusterlib.results import record\ntime.sleep(0.3)",
            "record('where', os.path.basename(os.getcwd()).split('-')[0])",
            "record('reads', os.environ['CLUSTERLIB_READS'] == os.getcwd() + '/reads.txt')",
        )
    before = os.getcwd(), dict(os.environ)
    assert run(["yrd"], workers=4, project=project).ok
    for number in range(1, 5):
        assert results_of(project, "yrd", f"0{number}_one") == {"where": f".0{number}_one", "reads": True}
    assert (os.getcwd(), dict(os.environ)) == before


def test_many_notebooks_leave_no_descriptor_and_no_thread_behind(project):
    write_notebook(project, "01_one", RECORD)
    me = psutil.Process()
    assert run(["yrd"], project=project).ok
    before = me.num_fds(), me.num_threads()
    for _ in range(4):
        assert run(["yrd"], force=True, project=project).ok
    assert me.num_fds() <= before[0] + 2
    assert me.num_threads() <= before[1] + 1


def test_a_damaged_record_of_a_run_is_not_taken_for_a_run(project):
    write_notebook(project, "01_one", RECORD)
    assert run(["yrd"], project=project).ok
    (project.reports / "yrd" / "01_one" / "run.json").write_text('{"inputs": {', encoding="utf-8")
    assert "yrd/01_one" in run(["yrd"], project=project).executed
    for name in ("hashes.json", "imports.json", "index.json"):
        path = project.reports / ".state" / name
        if path.exists():
            path.write_text("[1, 2", encoding="utf-8")
    assert run(["yrd"], project=project).executed == []


def test_a_process_that_a_notebook_started_ends_with_the_run(project):
    child = "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\nprint(child.pid)"
    write_notebook(project, "02_slow", child, SLEEP)
    process = start_command("run", "--region", "yrd")
    wait_for(lambda: [p for p in processes_of(project) if p.name() == "sleep"])
    kill(process)
    wait_for(lambda: not processes_of(project))


def test_the_help_of_every_command_can_be_read():
    done = subprocess.run(
        [sys.executable, "-c", "from clusterlib.run.cli import app; app()", "--help"], capture_output=True, text=True
    )
    for name in ("run", "status", "clean", "new-notebook", "serve", "doctor", "sweep", "data"):
        assert name in done.stdout

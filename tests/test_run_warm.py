"""Warm kernels: forked from one process, as good as new, and the ordinary kernel where they cannot be had."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from engine import RECORD, files_of, results_of, wait_for, write_notebook
from jupyter_client.utils import run_sync

from clusterlib.paths import get_project
from clusterlib.run import warm
from clusterlib.run.kernels import RunKernelManager
from clusterlib.run.sources import FOLDER, stack_of
from clusterlib.run.tasks import run

pytestmark = pytest.mark.skipif(bool(warm.why_not_fork()), reason=f"kernels cannot be forked: {warm.why_not_fork()}")

MODULES = ["numpy", "pandas", "matplotlib.pyplot"]
# What a package or a notebook could find changed by what was imported before the fork.
STATE = """
import os, sys, json, random, warnings, threading, signal
import numpy, pandas, matplotlib, matplotlib.pyplot
from clusterlib.results import record
state = {
    "rc": {k: str(v) for k, v in matplotlib.rcParams.items()},
    "options": {k: str(pandas.get_option(k)) for k in ("display.max_columns", "display.width", "display.max_rows")},
    "filters": len(warnings.filters),
    "threads": sorted(t.name.rstrip("0123456789") for t in threading.enumerate()),
    "path": [p for p in sys.path],
    "argv": os.path.basename(sys.argv[0]),
    "env": sorted(k for k in os.environ if k != "CLUSTERLIB_FORK"),
    "cwd": os.path.basename(os.path.dirname(os.getcwd())),
    "sigint": str(signal.getsignal(signal.SIGINT)),
    "backend": matplotlib.get_backend(),
    "main": sorted(k for k in globals() if not k.startswith("_")),
}
record("state", json.dumps(state))
"""


@pytest.fixture
def forked(tmp_path):
    """Starts managers of kernels forked from a process that has a few modules."""
    warm.prepare(MODULES)
    started = []

    def start() -> tuple[RunKernelManager, object]:
        runtime = tmp_path / f"k{len(started)}"
        runtime.mkdir()
        manager = RunKernelManager(tmp_path, runtime, {})
        run_sync(manager.start_kernel)()
        client = manager.client()
        client.start_channels()
        run_sync(client.wait_for_ready)(timeout=60)
        started.append((manager, client))
        return manager, client

    yield start
    for manager, client in started:
        client.stop_channels()
        run_sync(manager.shutdown_kernel)(now=True)


def ask(client, code: str, timeout: float = 30) -> dict:
    reply = run_sync(client.execute_interactive)(
        code, timeout=timeout, user_expressions={"x": "x"}, output_hook=lambda _: None, stop_on_error=False
    )
    return reply["content"]


def value(client, code: str):
    content = ask(client, code)
    assert content["status"] == "ok", content
    return eval(content["user_expressions"]["x"]["data"]["text/plain"])


def test_a_warm_kernel_has_the_stack_and_starts_in_a_moment(forked):
    forked()
    began = time.monotonic()
    _, client = forked()
    assert time.monotonic() - began < 2.5
    assert value(client, "import sys; x = 'pandas' in sys.modules") is True


def test_kernels_share_neither_random_numbers_nor_settings_nor_files(forked):
    (_, one), (_, two) = forked(), forked()
    draw = (
        "import random, numpy as np\n"
        "x = (random.random(), float(np.random.rand()), float(np.random.default_rng().random()))"
    )
    first, second = value(one, draw), value(two, draw)
    assert len({*first, *second}) == 6
    ask(one, "import matplotlib; matplotlib.rcParams['font.size'] = 99; import os; os.environ['LEAK'] = '1'")
    assert value(two, "import matplotlib, os; x = (matplotlib.rcParams['font.size'] == 99, 'LEAK' in os.environ)") == (
        False,
        False,
    )
    assert value(forked()[1], "import os; x = 'LEAK' in os.environ") is False
    sockets = "import os; x = [os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)]"
    assert value(two, sockets)[0] == "/dev/null"


def test_the_process_that_kernels_are_forked_from_runs_one_thread(forked):
    forked()
    server = warm.prepare(MODULES)
    assert server.wait_ready()["threads"] == 1
    assert len(os.listdir(f"/proc/{server.process.pid}/task")) == 1


def test_the_whole_stack_of_the_library_starts_no_thread():
    """Were a package to start one, every run would fall back to ordinary kernels."""
    server = warm.ForkServer(stack_of(path.name for path in FOLDER.iterdir()))
    try:
        report = server.wait_ready()
    finally:
        server.close()
    assert (report["threads"], report["failed"]) == (1, {})


def test_an_interrupt_stops_the_cell_and_the_kernel_goes_on(forked):
    manager, client = forked()
    ask(client, "y = 1")
    client.execute("import time\nfor _ in range(600): time.sleep(0.1)", stop_on_error=False)
    time.sleep(0.5)
    run_sync(manager.interrupt_kernel)()
    assert value(client, "x = y") == 1


def test_a_kernel_closes_its_channels_only_when_the_shutdown_is_answered(forked, tmp_path):
    """The thread that answers flushes through another one; with that gone it would hang until it is killed."""
    manager, client = forked()
    slow = f"""
import atexit, pathlib, threading, time
kernel = get_ipython().kernel
publish = kernel._publish_status_and_flush
def publish_late(*arguments):
    time.sleep(0.3)
    publish(*arguments)
kernel._publish_status_and_flush = publish_late
path = pathlib.Path({str(tmp_path / "threads")!r})
atexit.register(lambda: path.write_text(" ".join(t.name for t in threading.enumerate())))
x = 1
"""
    assert value(client, slow) == 1
    process = manager.process
    run_sync(manager.shutdown_kernel)()
    assert process.returncode == 0
    threads = (tmp_path / "threads").read_text().split()
    assert "IOPub" in threads
    assert "Control" not in threads


def test_a_kernel_that_dies_is_seen_to_be_dead_with_its_exit_code(forked):
    manager, client = forked()
    pid = value(client, "import os; x = os.getpid()")
    os.kill(pid, signal.SIGSEGV)
    wait_for(lambda: manager.exit_code is not None, 10)
    assert manager.exit_code == -signal.SIGSEGV


def test_kernels_and_what_they_started_end_with_the_run_and_so_does_what_they_are_forked_from(tmp_path):
    code = (
        "import os, sys, time\nfrom clusterlib.run import warm\n"
        "server = warm.prepare([])\n"
        "command = [sys.executable, '-m', 'ipykernel_launcher', '-f', 'k.json']\n"
        f"kernel = warm.fork(command, dict(os.environ), {str(tmp_path)!r}, 1, 2)\n"
        "print(server.process.pid, kernel.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 5)


def test_a_dead_process_to_fork_from_is_replaced_and_one_with_the_same_modules_is_kept(forked):
    forked()
    first = warm.prepare(MODULES)
    assert warm.prepare(MODULES) is first
    first.process.kill()
    first.process.wait()
    assert warm.prepare(MODULES) is not first
    assert value(forked()[1], "x = 1") == 1


def test_results_and_state_are_those_of_an_ordinary_kernel_byte_for_byte(project, monkeypatch):
    """The real notebooks, and one that looks at all that an import before the fork could have changed."""
    for path in get_project().notebooks.glob("0[13]_*.ipynb"):
        (project.notebooks / path.name).symlink_to(path)
    plot = (
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);\n"
        "import pandas as pd\npd.DataFrame({f'c{i}': [i] for i in range(30)})"
    )
    write_notebook(project, "50_state", STATE, plot)
    assert run(["gba"], project=project).ok
    warm_files = {p: files_of(p) for p in sorted((project.reports / "gba").iterdir()) if p.is_dir()}
    monkeypatch.setenv(warm.FORK_VARIABLE, "0")
    assert run(["gba"], force=True, project=project).ok
    for folder, files in warm_files.items():
        ordinary = files_of(folder)
        assert files.keys() == ordinary.keys()
        for name in files:
            if name.startswith(("tables/", "figures/")) or (name == "results.json" and folder.name != "50_state"):
                assert files[name] == ordinary[name], f"{folder.name}/{name}"
    folder = project.reports / "gba" / "50_state"
    forked, ordinary = _state(warm_files[folder]), _state(files_of(folder))
    for name in forked:
        assert forked[name] == ordinary[name], name
    shown = [_outputs(files["notebook.ipynb"]) for files in (warm_files[folder], files_of(folder))]
    assert shown[0] == shown[1]


def _state(files: dict[str, bytes]) -> dict:
    return json.loads(json.loads(files["results.json"])["records"][0]["value"])


def _outputs(notebook: bytes) -> list:
    return [c.get("outputs") for c in json.loads(notebook)["cells"] if c["id"] == "c2"]


def test_without_forks_the_ordinary_kernel_runs_and_the_log_says_why(project, monkeypatch, caplog):
    for name in ("01_one", "02_two"):
        write_notebook(project, name, RECORD)
    monkeypatch.setenv(warm.FORK_VARIABLE, "0")
    assert run(["yrd"], project=project).ok
    assert results_of(project, "yrd", "01_one") == {"answer": 42.0}
    assert any("ordinary kernel" in message and "CLUSTERLIB_FORK=0" in message for message in caplog.messages)


def test_where_processes_have_no_handles_ordinary_kernels_run(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    assert "Linux has since 5.3" in warm.why_not_fork()
    assert warm.prepare([]) is None

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
from jupyter_client.manager import KernelManager

from clusterlib.paths import get_project
from clusterlib.run import warm
from clusterlib.run.kernels import kernel_environment
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
def forked(tmp_path, monkeypatch):
    """Managers of kernels forked from a process that has a few modules."""
    monkeypatch.chdir(tmp_path)
    warm.prepare(MODULES)
    started = []

    class Manager(KernelManager):
        @property
        def kernel_spec(self):
            spec = super().kernel_spec
            spec.metadata = {"kernel_provisioner": {"provisioner_name": "clusterlib-fork"}}
            return spec

    def start() -> tuple[Manager, object]:
        manager = Manager(transport="ipc", connection_file=str(tmp_path / f"k{len(started)}.json"))
        manager.start_kernel(env=kernel_environment({}), cwd=str(tmp_path))
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        started.append((manager, client))
        return manager, client

    yield start
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    warm.prepare(None)


def ask(client, code: str, timeout: float = 30) -> dict:
    reply = client.execute_interactive(
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
    zygote = warm.get_zygote(kernel_environment({}))
    assert zygote.wait_ready()["threads"] == 1
    assert len(os.listdir(f"/proc/{zygote.process.pid}/task")) == 1


def test_the_whole_stack_of_the_library_starts_no_thread():
    """Were a package to start one, every run would fall back to ordinary kernels."""
    code = (
        "import os\nfrom clusterlib.run import warm\nfrom clusterlib.run.kernels import kernel_environment\n"
        "print(warm.get_zygote(kernel_environment({})).wait_ready())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert "'threads': 1" in done.stdout, done.stdout + done.stderr
    assert "'failed': {}" in done.stdout


def test_an_interrupt_stops_the_cell_and_the_kernel_goes_on(forked):
    manager, client = forked()
    ask(client, "y = 1")
    client.execute("import time\nfor _ in range(600): time.sleep(0.1)", stop_on_error=False)
    time.sleep(0.5)
    manager.interrupt_kernel()
    assert value(client, "x = y") == 1


def test_a_restarted_kernel_is_a_new_one(forked):
    manager, client = forked()
    before = value(client, "import os; x = os.getpid()")
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=60)
    assert value(client, "import os; x = os.getpid()") != before


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
    process = manager.provisioner.process
    manager.shutdown_kernel()
    assert process.returncode == 0
    threads = (tmp_path / "threads").read_text().split()
    assert "IOPub" in threads
    assert "Control" not in threads


def test_a_kernel_that_dies_is_seen_to_be_dead_with_its_exit_code(forked):
    manager, client = forked()
    pid = value(client, "import os; x = os.getpid()")
    os.kill(pid, signal.SIGSEGV)
    wait_for(lambda: not manager.is_alive(), 10)
    assert manager.provisioner.process.returncode == -signal.SIGSEGV


def test_kernels_end_with_the_process_they_were_forked_from_and_that_with_its_parent(tmp_path):
    code = (
        "import os, time, sys\nfrom clusterlib.run import warm\nfrom clusterlib.run.kernels import kernel_environment\n"
        "warm.prepare([])\nz = warm.get_zygote(kernel_environment({}))\n"
        f"k = z.launch(['-f', {str(tmp_path / 'k.json')!r}], dict(os.environ), {str(tmp_path)!r}, 1, 2)\n"
        "print(z.process.pid, k.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 5)


def test_a_dead_process_to_fork_from_is_replaced(forked):
    forked()
    first = warm.get_zygote(kernel_environment({}))
    first.process.kill()
    first.process.wait()
    _, client = forked()
    assert value(client, "x = 1") == 1
    assert warm.get_zygote(kernel_environment({})).process.pid != first.process.pid


def test_it_is_replaced_when_code_changes_and_ends_when_its_last_kernel_does(forked, monkeypatch):
    manager, client = forked()
    first = warm.get_zygote(kernel_environment({}))
    assert warm.get_zygote(kernel_environment({})) is first
    monkeypatch.setattr(warm, "code_fingerprint", lambda: "other code")
    second = warm.get_zygote(kernel_environment({}))
    assert second is not first
    assert value(client, "x = 5") == 5
    manager.shutdown_kernel(now=True)
    wait_for(lambda: not first.alive, 10)


def test_sources_and_packages_are_what_the_code_is_known_by(tmp_path, monkeypatch):
    package, packages = tmp_path / "clusterlib", tmp_path / "site"
    for folder in (package, packages):
        folder.mkdir()
    (package / "a.py").write_text("1")
    monkeypatch.setattr(warm, "_PACKAGE", package)
    monkeypatch.setattr(sys, "path", [str(packages)])
    seen = [warm.code_fingerprint()]
    (packages / "other").mkdir()
    assert warm.code_fingerprint() == seen[0]
    (package / "a.py").write_text("12")
    seen.append(warm.code_fingerprint())
    (packages / "pandas-9.dist-info").mkdir()
    seen.append(warm.code_fingerprint())
    assert len(set(seen)) == 3


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
    write_notebook(project, "01_one", RECORD)
    monkeypatch.setenv(warm.FORK_VARIABLE, "0")
    assert run(["yrd"], project=project).ok
    assert results_of(project, "yrd", "01_one") == {"answer": 42.0}
    assert any("ordinary kernel" in message and "CLUSTERLIB_FORK=0" in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("platform", "choice", "reason"), [("darwin", "", "darwin"), ("darwin", "1", ""), ("linux", "", "")]
)
def test_only_linux_forks_unless_asked_for(monkeypatch, platform, choice, reason):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(warm.FORK_VARIABLE, choice)
    assert reason in warm.why_not_fork() if reason else warm.why_not_fork() == ""


def test_papermill_nbclient_and_jupyterlab_can_choose_the_warm_kernel_by_its_name(tmp_path):
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    assert "clusterlib" in KernelSpecManager().find_kernel_specs(), "run make setup"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys; 'pandas' in sys.modules")])
    warm.prepare(["pandas"])
    try:
        NotebookClient(notebook, kernel_name="clusterlib", resources={"metadata": {"path": str(tmp_path)}}).execute()
    finally:
        warm.prepare(None)
    assert notebook.cells[0].outputs[0].data["text/plain"] == "True"

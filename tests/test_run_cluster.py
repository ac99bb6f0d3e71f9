"""Sweeps over parameters, and a real Dask scheduler with two workers, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pandas as pd
import psutil
import pytest
from engine import (
    COMMAND,
    RECORD,
    clusterlib_command,
    kill,
    processes_of,
    results_of,
    start_command,
    wait_for,
    write_notebook,
)

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.run.sources import FOLDER
from clusterlib.run.sweep import run_sweep
from clusterlib.run.tasks import run

TYPED = 'region: str = "yrd"\nmethod: str = "entropy"\nn: int = 3\nalpha: float = 0.5'
SHOW = (
    "from clusterlib.results import record\nimport pandas as pd\n"
    "record('score', n * alpha, unit='points')\nrecord('what', f'{region} {method}')\n"
    "record('table', pd.DataFrame({'a': [n]}, index=pd.Index(['r'], name='row')))"
)


def counts(outcome) -> tuple[int, int, int]:
    return len(outcome.executed), len(outcome.unchanged), len(outcome.failed)


@pytest.fixture
def typed(project):
    write_notebook(project, "01_typed", SHOW, parameters=TYPED)
    return project


def test_a_sweep_runs_every_combination_and_collects_one_table(typed):
    grid = {"region": ["bth", "yrd"], "method": ["entropy", "critic"], "n": ["1", "2"]}
    outcome = run_sweep("01_typed", grid, project=typed)
    assert counts(outcome) == (8, 0, 0)
    table = pd.read_parquet(outcome.table)
    assert len(table) == 8 * 3 and table["run"].nunique() == 8
    numbers = table[table["name"] == "score"].set_index(["parameter_region", "parameter_method", "parameter_n"])
    assert numbers.loc[("yrd", "critic", 2), "number"] == 1.0
    texts = set(table.loc[table["name"] == "what", "text"])
    assert texts == {f"{region} {method}" for region in ("bth", "yrd") for method in ("entropy", "critic")}
    assert json.loads(table.loc[table["name"] == "table", "text"].iloc[0])["columns"] == ["a"]
    assert table["parameter_n"].dtype == "int64" and (table["parameter_alpha"] == 0.5).all()
    again = run_sweep("01_typed", {**grid, "n": [1, 2, 3]}, project=typed)
    assert counts(again) == (4, 8, 0)
    assert pd.read_parquet(again.table)["run"].nunique() == 12
    assert run(["yrd"], project=typed).executed, "a sweep is not the report"


def test_a_sweep_is_checked_before_anything_runs(typed):
    for grid, error, words in (
        ({"m": ["1"]}, UnknownNameError, "unknown parameter of 01_typed"),
        ({"n": ["1", "many"]}, InvalidInputError, "is an int"),
        ({"region": ["yrd", "abc"]}, UnknownNameError, "unknown region"),
        ({"n": ["1", "01"]}, InvalidInputError, "the same value"),
    ):
        with pytest.raises(error, match=words):
            run_sweep("01_typed", grid, project=typed)
    done = clusterlib_command("sweep", "01_typed", "--grid", "n=1,many")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert not (typed.reports / "sweeps").exists()


def test_a_combination_that_fails_stops_no_other_and_is_tried_again(typed):
    write_notebook(typed, "01_typed", "assert n != 2, 'two is not allowed'", SHOW, parameters=TYPED)
    outcome = run_sweep("01_typed", {"n": [1, 2, 3]}, project=typed)
    assert counts(outcome) == (2, 0, 1)
    assert outcome.failed == ["n=2"] and "01_typed with n=2, cell" in str(outcome.failures[0])
    assert "two is not allowed" in outcome.failures[0].error
    assert pd.read_parquet(outcome.table)["parameter_n"].unique().tolist() == [1, 3]
    assert counts(run_sweep("01_typed", {"n": [1, 2, 3]}, project=typed)) == (0, 2, 1)


def test_a_sweep_that_is_killed_goes_on_where_it_was(typed):
    values = ",".join(map(str, range(40)))
    process = start_command("sweep", "01_typed", "--grid", f"n={values}")
    folder = typed.reports / "sweeps" / "01_typed"
    wait_for(lambda: len(list(folder.glob("runs/*/run.json"))) >= 4)
    kill(process)
    # Long enough for a machine that does much else.
    wait_for(lambda: not processes_of(typed), 30)
    done = len(list(folder.glob("runs/[0-9a-f]*/run.json")))
    outcome = run_sweep("01_typed", {"n": list(range(8))}, project=typed)
    executed, unchanged, _ = counts(outcome)
    assert 0 < unchanged <= done and executed + unchanged == 8
    assert not list(folder.glob("runs/.*"))


def test_memory_and_descriptors_stay_the_same_however_many_combinations(typed):
    me = psutil.Process()
    run_sweep("01_typed", {"n": list(range(10))}, project=typed)
    before = me.memory_info().rss, me.num_fds()
    run_sweep("01_typed", {"n": list(range(10, 50))}, project=typed)
    assert me.memory_info().rss - before[0] < 12e6
    assert me.num_fds() <= before[1] + 2


# Dask.


def test_what_is_hidden_does_not_travel_through_the_cluster(tmp_path):
    from clusterlib.run.cluster import pack, unpack

    for name in ("a/b", ".memory/c", "a/.d"):
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    unpack(pack(tmp_path / "from"), tmp_path / "to")
    assert [p.name for p in (tmp_path / "to").rglob("*") if p.is_file()] == ["b"]


_WORKER = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0"]


def _start(*arguments: str, **kwargs) -> subprocess.Popen:
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler and two workers of one thread, as separate processes; gives its address and the workers."""
    pytest.importorskip("distributed")
    head = _start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = next(line.split()[-1] for line in head.stdout if "Scheduler at:" in line)
    workers = [_start("distributed.cli.dask_worker", address, *_WORKER) for _ in range(2)]
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in (head, *workers):
        process.kill()
        process.wait()


def test_two_workers_share_a_run_and_find_what_one_machine_finds(scheduler, typed):
    names = [f"0{number}_more" for number in (2, 3, 4, 5)]
    for name in names:
        write_notebook(
            typed,
            name,
            RECORD,
            "import os, psutil, time\nrecord('pid', psutil.Process(os.getppid()).ppid())\ntime.sleep(1)",
        )
    outcome = run(["yrd"], project=typed, dask=scheduler[0])
    assert outcome.ok, outcome.failures
    assert results_of(typed, "yrd", "01_typed")["score"] == 1.5
    # Each worker has a process of its own that its kernels are forked from.
    assert len({results_of(typed, "yrd", name)["pid"] for name in names}) == 2
    assert (typed.reports / "yrd" / "01_typed.html").exists()
    assert run(["yrd"], project=typed).executed == [], "where it ran does not make it stale"


def test_inputs_and_outputs_travel_through_the_cluster_and_are_those_of_a_local_run(scheduler, typed):
    read = "import clusterlib as cl\nrecord('rows', len(cl.data.load_units('province')))"
    write_notebook(typed, "02_two", "from clusterlib.results import record", read)
    where = f"import os\nfrom clusterlib.results import record\nrecord('here', {str(typed.root)!r} in os.getcwd())"
    write_notebook(typed, "03_where", where)
    outcome = run(["yrd"], project=typed, dask=scheduler[0])
    assert outcome.ok, outcome.failures
    folder = typed.reports / "yrd" / "02_two"
    assert results_of(typed, "yrd", "02_two")["rows"] > 30
    assert not results_of(typed, "yrd", "03_where")["here"], "a worker needs no folder of the project"
    made = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert list(made["inputs"]["data"]) == ["units"]
    assert run(["yrd"], project=typed).executed == [], "where it ran does not make it stale"
    far = {name: (typed.reports / "yrd" / name / "results.json").read_bytes() for name in ("01_typed", "02_two")}
    assert run(["yrd"], project=typed, force=True).ok
    for name, content in far.items():
        assert (typed.reports / "yrd" / name / "results.json").read_bytes() == content


def test_failures_on_a_worker_come_back_with_cell_and_error(scheduler, typed):
    write_notebook(typed, "02_bad", "1 / 0")
    write_notebook(typed, "03_dead", "import os\nos._exit(3)")
    outcome = run(["yrd"], project=typed, dask=scheduler[0])
    by_name = {f.notebook: f for f in outcome.failures}
    assert by_name["02_bad"].cell == "c1" and "ZeroDivisionError" in by_name["02_bad"].error
    assert "exit code 3" in by_name["03_dead"].error
    assert "yrd/01_typed" in outcome.executed


def test_a_sweep_runs_on_the_cluster_too(scheduler, typed):
    outcome = run_sweep("01_typed", {"n": [1, 2, 3]}, project=typed, dask=scheduler[0])
    assert counts(outcome) == (3, 0, 0) and len(pd.read_parquet(outcome.table)) == 9


def _tell_pid(path) -> str:
    part = path.with_suffix(".part")
    return (
        f"import os, time\nopen({str(part)!r}, 'w').write(str(os.getpid()))\nos.rename({str(part)!r}, {str(path)!r})\n"
    )


def test_ctrl_c_ends_the_kernels_on_the_workers_too(scheduler, project):
    path = project.root / "pid"
    write_notebook(project, "01_slow", _tell_pid(path) + "time.sleep(120)")
    process = start_command("run", "--region", "yrd", "--dask", scheduler[0])
    wait_for(path.exists)
    kernel = psutil.Process(int(path.read_text()))
    assert kernel.is_running()
    assert kill(process, signal.SIGINT) < 2
    wait_for(lambda: not kernel.is_running(), 15)


def test_a_scheduler_that_does_not_answer_is_told(typed, monkeypatch):
    from clusterlib.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2)
    with pytest.raises(ClusterlibError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run(["yrd"], project=typed, dask="tcp://127.0.0.1:9")
    for address in ("nonsense", "http://127.0.0.1:8786", "tcp://", "tcp://127.0.0.1:x", "inproc://x"):
        with pytest.raises(ClusterlibError, match=f"no Dask scheduler answers at {address}: "):
            run(["yrd"], project=typed, dask=address)


def test_a_notebook_that_imports_nothing_goes_to_the_cluster_too(project, monkeypatch):
    from clusterlib.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2)
    write_notebook(project, "01_plain", "x = 1")
    with pytest.raises(ClusterlibError, match="no Dask scheduler answers"):
        run(["yrd"], project=project, dask="tcp://127.0.0.1:9")


def test_what_answers_but_is_no_scheduler_is_told(typed, scheduler, monkeypatch):
    from distributed import Client

    from clusterlib.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2)
    with Client(scheduler[0], set_as_default=False) as client:
        worker = next(iter(client.nthreads()))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for address, words in (
            (f"tcp://127.0.0.1:{mute.getsockname()[1]}", "no answer within 2 s"),
            (worker, "a Worker"),
        ):
            with pytest.raises(ClusterlibError, match=f"no Dask scheduler answers at {address}: .*{words}"):
                run(["yrd"], project=typed, dask=address)


# Last: it costs a worker.
def test_a_worker_that_is_killed_loses_nothing(scheduler, typed):
    address, workers = scheduler
    for number in (2, 3, 4):
        slow = _tell_pid(typed.root / f"pid{number}") + "time.sleep(4)"
        write_notebook(typed, f"0{number}_slow", slow, RECORD)
    process = start_command("run", "--region", "yrd", "--dask", address)
    wait_for(lambda: len(list(typed.root.glob("pid?"))) >= 2)
    workers[0].kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    for number in (2, 3, 4):
        assert results_of(typed, "yrd", f"0{number}_slow") == {"answer": 42.0}


@contextlib.contextmanager
def one_worker(*arguments: str, **kwargs) -> Iterator[tuple[str, subprocess.Popen, subprocess.Popen]]:
    """A scheduler and a worker; gives the address and both processes."""
    pytest.importorskip("distributed")
    head = _start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = next(line.split()[-1] for line in head.stdout if "Scheduler at:" in line)
    worker = _start("distributed.cli.dask_worker", address, *_WORKER, *arguments, **kwargs)
    try:
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=120)
        yield address, head, worker
    finally:
        for process in (head, worker):
            process.kill()
            process.wait()


def _start_patient(seconds: int, address: str) -> subprocess.Popen:
    """Start a run that waits so long for what is lost."""
    code = f"from clusterlib.run import cluster; cluster._PATIENCE_SECONDS = {seconds}; {COMMAND[-1]}"
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, "run", "--region", "yrd", "--dask", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("victim", "number", "reason"),
    [
        ("worker", signal.SIGKILL, "no worker is there, for 8 s"),
        ("scheduler", signal.SIGKILL, "is gone"),
        ("scheduler", signal.SIGTERM, "is gone"),
        ("scheduler", signal.SIGSTOP, "the scheduler does not answer, for 8 s"),
    ],
)
def test_a_run_that_loses_its_cluster_says_so_ends_and_keeps_what_was_finished(project, victim, number, reason):
    """Real processes: the run must not wait for ever."""
    write_notebook(project, "01_quick", RECORD)
    path = project.root / "pid"
    write_notebook(project, "02_slow", _tell_pid(path) + "time.sleep(600)")
    with one_worker() as (address, head, worker):
        process = _start_patient(8, address)
        try:
            wait_for(path.exists)
            began = time.monotonic()
            (worker if victim == "worker" else head).send_signal(number)
            output, _ = process.communicate(timeout=200)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 1 and reason in output, output
    assert time.monotonic() - began < 30
    assert ("; waiting up to 8 s" in output) or "is gone" in reason
    assert "Traceback" not in output, "the run itself tells what is lost"
    assert results_of(project, "yrd", "01_quick") == {"answer": 42.0}


def test_a_run_says_that_it_has_no_worker_and_goes_on_when_one_comes_back(project):
    path = project.root / "pid"
    first = f"import os, time\nif not os.path.exists({str(path)!r}):\n    open({str(path)!r}, 'w').close()\n"
    write_notebook(project, "01_slow", first + "    time.sleep(600)", RECORD)
    with one_worker() as (address, _, worker):
        process = _start_patient(300, address)
        try:
            wait_for(path.exists)
            worker.kill()
            line = next(line for line in process.stdout if "no worker" in line)
            assert line.strip() == f"{address}: no worker is there; waiting up to 300 s"
            another = _start("distributed.cli.dask_worker", address, *_WORKER)
            output, _ = process.communicate(timeout=200)
        finally:
            process.kill()
            process.wait()
        another.kill()
        another.wait()
    assert process.returncode == 0, output
    assert results_of(project, "yrd", "01_slow") == {"answer": 42.0}


def test_a_worker_clears_what_it_was_sent_when_it_ends(typed, tmp_path):
    for name in ("scratch", "temporary"):
        (tmp_path / name).mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    with one_worker("--local-directory", str(tmp_path / "scratch"), env=environment) as (address, _, worker):
        assert run(["yrd"], project=typed, dask=address).ok
        assert len(list((tmp_path / "scratch").rglob("clusterlib-data-*"))) == 1
        worker.terminate()
        worker.wait(120)
    assert not list((tmp_path / "scratch").rglob("clusterlib-*"))
    assert not list((tmp_path / "temporary").glob("clusterlib-data-*"))


def test_a_worker_with_other_sources_is_named(typed, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(FOLDER, other / FOLDER.name, ignore=shutil.ignore_patterns("__pycache__"))
    with open(other / FOLDER.name / "errors.py", "a", encoding="utf-8") as file:
        file.write("# another version\n")
    environment = {**os.environ, "PYTHONPATH": str(other)}
    with (
        one_worker(cwd=other, env=environment) as (address, _, _),
        pytest.raises(ClusterlibError, match=r"worker tcp://127\.0\.0\.1:\d+ has other sources of clusterlib"),
    ):
        run(["yrd"], project=typed, dask=address)

"""Sweeps over parameters, and a real Dask scheduler with two workers, each a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from engine import (
    RECORD,
    clusterlib_command,
    kill,
    pages_only,
    processes_of,
    results_of,
    start_command,
    wait_for,
    write_notebook,
)

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.run.sweep import run_sweep
from clusterlib.run.tasks import run

TYPED = 'region: str = "yrd"\nmethod: str = "entropy"\nn: int = 3\nalpha: float = 0.5'
SHOW = (
    "from clusterlib.results import record\nimport pandas as pd\n"
    "record('score', n * alpha, unit='points')\nrecord('what', f'{region} {method}')\n"
    "record('table', pd.DataFrame({'a': [n]}, index=pd.Index(['r'], name='row')))"
)


@pytest.fixture
def typed(project):
    write_notebook(project, "01_typed", SHOW, parameters=TYPED)
    return project


def test_a_sweep_runs_every_combination_and_collects_one_table(typed):
    grid = {"region": ["bth", "yrd"], "method": ["entropy", "critic"], "n": ["1", "2"]}
    outcome = run_sweep("01_typed", grid, project=typed)
    assert (outcome.executed, outcome.unchanged, outcome.failed) == (8, 0, 0)
    table = pd.read_parquet(outcome.table)
    assert len(table) == 8 * 3 and table["run"].nunique() == 8
    numbers = table[table["name"] == "score"].set_index(["parameter_region", "parameter_method", "parameter_n"])
    assert numbers.loc[("yrd", "critic", 2), "number"] == 1.0
    texts = set(table.loc[table["name"] == "what", "text"])
    assert texts == {f"{region} {method}" for region in ("bth", "yrd") for method in ("entropy", "critic")}
    assert json.loads(table.loc[table["name"] == "table", "text"].iloc[0])["columns"] == ["a"]
    assert table["parameter_n"].dtype == "int64" and (table["parameter_alpha"] == 0.5).all()
    again = run_sweep("01_typed", {**grid, "n": [1, 2, 3]}, project=typed)
    assert (again.executed, again.unchanged) == (4, 8)
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
    assert (outcome.executed, outcome.failed) == (2, 1)
    assert "two is not allowed" in outcome.failures[0].error
    assert pd.read_parquet(outcome.table)["parameter_n"].unique().tolist() == [1, 3]
    assert run_sweep("01_typed", {"n": [1, 2, 3]}, project=typed).failed == 1


def test_a_sweep_that_is_killed_goes_on_where_it_was(typed):
    values = ",".join(map(str, range(40)))
    process = start_command("sweep", "01_typed", "--grid", f"n={values}")
    folder = typed.reports / "sweeps" / "01_typed"
    wait_for(lambda: len(list(folder.glob("runs/*/*/run.json"))) >= 4)
    kill(process)
    wait_for(lambda: not processes_of(typed), 5)
    done = len(list(folder.glob("runs/*/[0-9a-f]*/run.json")))
    outcome = run_sweep("01_typed", {"n": list(range(8))}, project=typed)
    assert 0 < outcome.unchanged <= done and outcome.executed + outcome.unchanged == 8
    assert not list(folder.glob("runs/*/.*"))


def test_memory_and_descriptors_stay_the_same_however_many_combinations(typed):
    me = psutil.Process()
    run_sweep("01_typed", {"n": list(range(10))}, project=typed)
    before = me.memory_info().rss, me.num_fds()
    run_sweep("01_typed", {"n": list(range(10, 50))}, project=typed)
    assert me.memory_info().rss - before[0] < 12e6
    assert me.num_fds() <= before[1] + 2


# Dask.


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler and two workers of one thread, as separate processes; gives its address and the workers."""
    pytest.importorskip("distributed")
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        return process

    head = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = next(line.split()[-1] for line in head.stdout if "Scheduler at:" in line)
    options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0"]
    workers = [start("distributed.cli.dask_worker", address, *options) for _ in range(2)]
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in processes:
        process.kill()
        process.wait()


def test_two_workers_share_a_run_and_find_what_one_machine_finds(scheduler, typed):
    names = [f"0{number}_more" for number in (2, 3, 4, 5)]
    for name in names:
        write_notebook(typed, name, RECORD, "import os, time\nrecord('pid', os.getppid())\ntime.sleep(1)")
    outcome = run(["yrd"], project=typed, dask=scheduler[0])
    assert outcome.ok, outcome.failures
    assert results_of(typed, "yrd", "01_typed")["score"] == 1.5
    # Each worker has a process of its own that its kernels are forked from.
    assert len({results_of(typed, "yrd", name)["pid"] for name in names}) == 2
    assert (typed.reports / "yrd" / "01_typed.html").exists()
    assert run(["yrd"], project=typed).executed == [], "where it ran does not make it stale"


@pytest.mark.parametrize("kind", ["file", "dir"])
def test_inputs_and_outputs_go_through_any_fsspec_folder(scheduler, typed, tmp_path_factory, kind):
    store = tmp_path_factory.mktemp("store")
    url = f"file://{store}" if kind == "file" else f"local://{store}/below"
    base = store if kind == "file" else store / "below"
    read = "import clusterlib as cl\nrecord('rows', len(cl.data.load_units('province')))"
    load = "from clusterlib.results import load_results, record\n"
    write_notebook(typed, "02_two", "from clusterlib.results import record", read)
    write_notebook(typed, "90_report", load + "record('all', load_results('02_two', region)['rows'].value)")
    with pages_only():
        outcome = run(["yrd"], project=typed, dask=scheduler[0], store=url)
    assert outcome.ok, outcome.failures
    assert results_of(typed, "yrd", "90_report")["all"] == results_of(typed, "yrd", "02_two")["rows"] > 30
    made = json.loads((typed.reports / "yrd" / "02_two" / "run.json").read_text(encoding="utf-8"))
    assert list(made["inputs"]["data"]) == ["units"]
    assert (base / "reports" / "index.html").exists() and (
        base / "reports" / "yrd" / "02_two" / "results.json"
    ).exists()
    assert list((base / "outputs").iterdir()) == []
    with pages_only():
        assert run(["yrd"], project=typed).executed == []


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
    assert outcome.executed == 3 and len(pd.read_parquet(outcome.table)) == 9


def test_ctrl_c_ends_the_kernels_on_the_workers_too(scheduler, project):
    say = (
        "import os, time\nopen('pid.part', 'w').write(str(os.getpid()))\nos.rename('pid.part', 'pid')\ntime.sleep(120)"
    )
    write_notebook(project, "01_slow", say)
    process = start_command("run", "--region", "yrd", "--dask", scheduler[0])
    (path,) = wait_for(lambda: list((project.reports / "yrd").glob(".01_slow-*/pid")))
    kernel = psutil.Process(int(path.read_text()))
    assert kernel.is_running()
    assert kill(process, signal.SIGINT) < 2
    wait_for(lambda: not kernel.is_running(), 15)


def test_no_scheduler_no_workers_and_a_store_without_a_cluster_are_told(typed, monkeypatch):
    from clusterlib.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2)
    with pytest.raises(ClusterlibError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run(["yrd"], project=typed, dask="tcp://127.0.0.1:9")
    with pytest.raises(InvalidInputError, match="give --dask too"):
        run(["yrd"], project=typed, store="memory://x")


def test_a_notebook_that_imports_nothing_goes_to_the_cluster_too(project, monkeypatch):
    from clusterlib.run import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2)
    write_notebook(project, "01_plain", "x = 1")
    with pytest.raises(ClusterlibError, match="no Dask scheduler answers"):
        run(["yrd"], project=project, dask="tcp://127.0.0.1:9")


# Last: it costs a worker.
def test_a_worker_that_is_killed_loses_nothing(scheduler, typed):
    address, workers = scheduler
    slow = "import time\ntime.sleep(4)"
    for number in (2, 3, 4):
        write_notebook(typed, f"0{number}_slow", slow, RECORD)
    process = start_command("run", "--region", "yrd", "--dask", address)
    wait_for(lambda: len(list((typed.reports / "yrd").glob(".0*_slow-*/kernel.log"))) >= 1)
    time.sleep(1)
    workers[0].kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    for number in (2, 3, 4):
        assert results_of(typed, "yrd", f"0{number}_slow") == {"answer": 42.0}

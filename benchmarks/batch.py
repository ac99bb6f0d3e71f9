"""The batch runner beside plain papermill in a loop and beside ``jupyter nbconvert --execute``, in one run.

Each part prints times and their ratio, and checks that the sides give the same answer::

    .venv/bin/python benchmarks/batch.py                     # all parts
    .venv/bin/python benchmarks/batch.py report --regions yrd --repeat 2
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import nbformat
import psutil

from clusterlib.paths import get_project
from clusterlib.results import collect_records

ROOT = get_project().root
RUN = [sys.executable, "-c", "from clusterlib.run.cli import app; app()"]
JUPYTER = [sys.executable, "-m", "jupyter"]
STACK = (
    "import numpy, scipy.stats, pandas, geopandas, matplotlib.pyplot, seaborn, statsmodels.api\nimport clusterlib as cl"
)
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PARAMETERS = 'region: str = "yrd"\nn: int = 0'


def project(notebooks: dict[str, list[str]] | None = None) -> Path:
    """Make a throw-away project with the real data, and the real notebooks or these."""
    root = Path(tempfile.mkdtemp(prefix="clusterlib-benchmark-"))
    (root / "data").symlink_to(ROOT / "data")
    if notebooks is None:
        (root / "notebooks").symlink_to(ROOT / "notebooks")
        return root
    (root / "notebooks").mkdir()
    for name, cells in notebooks.items():
        first = nbformat.v4.new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]})
        code = [nbformat.v4.new_code_cell(text, id=f"c{i}") for i, text in enumerate(cells)]
        nbformat.write(
            nbformat.v4.new_notebook(cells=[first, *code], metadata=PYTHON), root / "notebooks" / f"{name}.ipynb"
        )
    return root


class Seconds(float):
    """How long a command took, and in ``cpu`` the processor time of all its processes, however busy the machine."""

    cpu: float

    def __new__(cls, seconds: float, cpu: float) -> Seconds:
        made = super().__new__(cls, seconds)
        made.cpu = cpu
        return made

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(float(self) + float(other), self.cpu + getattr(other, "cpu", 0.0))

    __radd__ = __add__


def children_cpu() -> float:
    """Return the processor time of all ended children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(command: list, root: Path) -> Seconds:
    """Run a command for a project and return how long it took."""
    cpu = children_cpu()
    env = {**os.environ, "CLUSTERLIB_ROOT": str(root), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    done = subprocess.run([*map(str, command)], env=env, capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return Seconds(time.perf_counter() - began, children_cpu() - cpu)


def least(action: Callable[[], float], repeat: int) -> float:
    """Return the least of several times: what else the machine does only ever adds."""
    return min(action() for _ in range(repeat))


def tell(what: str, seconds: float, beside: float | None = None) -> None:
    ratio = f"   {seconds / beside:5.1f} times ours" if beside else ""
    cpu = f" ({seconds.cpu:6.1f} s of processors)" if hasattr(seconds, "cpu") else ""
    print(f"  {what:<58} {seconds:8.2f} s{cpu}{ratio}", flush=True)


def with_papermill(root: Path, out: Path, names: list[str], regions: list[str]) -> float:
    """Execute every notebook for every region by the papermill command, one after the other."""
    return sum(
        timed(
            [sys.executable, "-m", "papermill", root / "notebooks" / f"{name}.ipynb", out / f"{region}-{name}.ipynb",
             "-p", "region", region, "--no-progress-bar", "-k", "python3"],
            root,
        )
        for region in regions
        for name in names
    )  # fmt: skip


def with_nbconvert(root: Path, out: Path, names: list[str], regions: list[str]) -> float:
    """Execute every notebook once a region by nbconvert, which knows no parameters."""
    command = [*JUPYTER, "nbconvert", "--to", "notebook", "--execute", "--output-dir", out]
    return sum(
        timed([*command, "--output", f"nbconvert-{region}-{name}", root / "notebooks" / f"{name}.ipynb"], root)
        for region in regions
        for name in names
    )


def same_answers(root: Path, out: Path, names: list[str], regions: list[str]) -> None:
    """Stop if papermill's notebooks recorded anything else."""
    for region in regions:
        for name in names:
            ours = json.loads((root / "reports" / region / name / "results.json").read_text(encoding="utf-8"))
            theirs = collect_records(nbformat.read(out / f"{region}-{name}.ipynb", as_version=4))
            if ours["records"] != theirs:
                raise SystemExit(f"{region}/{name}: the runner and papermill found different results")


def report(args: argparse.Namespace) -> None:
    """The whole report: ours makes pages and index too."""
    root, out = project(), Path(tempfile.mkdtemp())
    names = args.notebooks or [p.stem for p in sorted((root / "notebooks").glob("[0-8][0-9]_*.ipynb"))]
    print(f"\nThe whole report: {len(names)} notebooks, {len(args.regions)} regions, {args.workers} at a time")
    options = [part for region in args.regions for part in ("--region", region)]
    options += [part for name in names for part in ("--notebook", name)]
    command = [*RUN, "run", "--force", "--workers", args.workers, *options]
    ours = least(lambda: timed(command, root), args.repeat)
    theirs = least(lambda: with_papermill(root, out, names, args.regions), 1)
    nbconvert = least(lambda: with_nbconvert(root, out, names, args.regions), 1)
    same_answers(root, out, names, args.regions)
    runs = [root / "reports" / region / name / "run.json" for region in args.regions for name in names]
    own = sum(json.loads(path.read_text(encoding="utf-8"))["cpu_seconds"] for path in runs)
    least_possible = own / min(args.workers, os.cpu_count())
    tell("clusterlib run --force, with pages and index", ours)
    tell("papermill in a loop", theirs, ours)
    tell("jupyter nbconvert --execute in a loop", nbconvert, ours)
    tell("the notebooks' own work, shared by the processors", least_possible)
    print(f"  a runner of this work can be at most {theirs / least_possible:.1f} times as fast as papermill's loop")
    noop = least(lambda: timed([*RUN, "run", *options], root), args.repeat + 2)
    tell("clusterlib run, nothing to do", noop)


def empty(args: argparse.Namespace) -> None:
    """A notebook that imports the stack and does nothing, and the same in a batch that is warm already."""
    print("\nA notebook that imports the stack and does nothing")
    count = 12
    root, out = project({f"{n:02d}_empty": [STACK] for n in range(1, count + 1)}), Path(tempfile.mkdtemp())
    command = [*RUN, "run", "--force", "--workers", "1", "--region", "yrd"]
    timed(command, root)
    events = [json.loads(line) for line in (root / "reports" / "run.jsonl").read_text().splitlines()]
    seconds = [e["seconds"] for e in events if e["event"] == "end" and not e["task"].endswith(".html")]
    one = least(lambda: with_papermill(root, out, ["01_empty"], ["yrd"]), args.repeat)
    ours = sorted(seconds)[len(seconds) // 2]
    tell("in a warm batch, from start to files in place (median)", ours)
    tell("papermill", one, ours)
    tell("jupyter nbconvert --execute", least(lambda: with_nbconvert(root, out, ["01_empty"], ["yrd"]), 1), ours)
    alone = least(lambda: timed([*command, "--notebook", "01_empty"], root), args.repeat)
    tell("clusterlib run for it alone, command and page included", alone)


def sweep(args: argparse.Namespace) -> None:
    """Processor time and memory of many combinations of a notebook that does next to nothing."""
    count = args.combinations
    print(f"\nA sweep of {count} combinations, {args.workers} at a time")
    root = project({"01_small": ["from clusterlib.results import record\nrecord('double', 2 * n)"]})
    command = [*RUN, "sweep", "01_small", "--grid", f"n={','.join(map(str, range(count)))}"]
    before = children_cpu()
    began = time.perf_counter()
    env = {**os.environ, "CLUSTERLIB_ROOT": str(root)}
    process = subprocess.Popen([*command, "--workers", str(args.workers)], env=env, stdout=subprocess.DEVNULL)
    watched, memory = psutil.Process(process.pid), []
    while process.poll() is None:
        done = len(os.listdir(runs)) if (runs := root / "reports" / "sweeps" / "01_small" / "runs").exists() else 0
        with_children = [watched, *watched.children(recursive=True)] if done else []
        memory.append((time.perf_counter() - began, _rss([watched]), _rss(with_children)))
        time.sleep(1)
    seconds = time.perf_counter() - began
    cpu = children_cpu() - before
    import pandas as pd

    table = pd.read_parquet(root / "reports" / "sweeps" / "01_small" / "results.parquet")
    if not (len(table) == count and (table["number"] == 2 * table["parameter_n"]).all()):
        raise SystemExit("the table of the sweep is wrong")
    # The table is written at the end, with packages that take memory of their own.
    early, late = ([rss for at, rss, _ in memory if at < share * seconds][-1] for share in (0.25, 0.9))
    tell("whole command", seconds)
    print(f"  {'processor time a combination':<58} {cpu / count:8.3f} s")
    print(f"  {'memory of the command after a quarter, and after nine tenths':<60} {early:6.0f} MB, {late:.0f} MB")
    print(f"  {'with its kernels, at most':<58} {max(m for _, _, m in memory):8.0f} MB")
    again = timed([*command, "--workers", str(args.workers)], root)
    tell("the same again, nothing to do", again)


def _rss(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            total += process.memory_info().rss / 1e6
        except psutil.Error:
            continue
    return total


def dask(args: argparse.Namespace) -> None:
    """The same notebooks on one worker of a Dask cluster and on two."""
    count = 16
    print(f"\n{count} notebooks of a second's work on a Dask cluster of single-threaded workers")
    work = "t = 0\nfor i in range(20_000_000): t += i\nfrom clusterlib.results import record\nrecord('t', t)"
    root = project({f"{n:02d}_work": [work] for n in range(1, count + 1)})
    seconds = {workers: _on_cluster(root, workers) for workers in (1, 2)}
    tell("two workers", seconds[2])
    tell("one worker", seconds[1], seconds[2])


def _on_cluster(root: Path, workers: int) -> float:
    head = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*head, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
    options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
    processes = [scheduler, *(subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(workers))]
    try:
        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
        run = [*RUN, "run", "--force", "--region", "yrd", "--dask", address]
        timed(run, root)  # the workers import the stack
        return timed(run, root)
    finally:
        for process in processes:
            process.kill()
            process.wait()


PARTS = {"report": report, "empty": empty, "sweep": sweep, "dask": dask}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--regions", nargs="+", default=["bth", "yrd", "gba"])
    parser.add_argument("--notebooks", nargs="+", help="those of the report; all but reports by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--combinations", type=int, default=1000)
    args = parser.parse_args()
    memory = psutil.virtual_memory().total / 1e9
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("papermill", "nbclient", "ipykernel", "pandas")
    )
    print(f"{datetime.date.today()}, {os.cpu_count()} processors, {memory:.0f} GB, Python {platform.python_version()}")
    print(f"{versions}; load before {os.getloadavg()[0]:.1f}")
    for name in args.parts or PARTS:
        PARTS[name](args)


if __name__ == "__main__":
    main()

"""The ``clusterlib`` command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console

from clusterlib.errors import ClusterlibError

app = typer.Typer(
    help="Analyses of China's digital industry clusters: build the data, run the notebooks, write the reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_console = Console(soft_wrap=True)
_errors = Console(stderr=True, soft_wrap=True)

Regions = Annotated[list[str] | None, typer.Option("--region", help="bth, yrd or gba; may be repeated. Default: all.")]
Notebooks = Annotated[list[str] | None, typer.Option("--notebook", help="Such as 02_overview. Default: all.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--param", help="NAME=VALUE for every selected notebook that has the parameter; may be repeated."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Notebooks at a time. Default: one a processor.")]
CellTimeout = Annotated[int, typer.Option(min=1, help="Seconds that one cell may take.")]
NotebookTimeout = Annotated[int, typer.Option(min=1, help="Seconds that one notebook may take.")]
Dask = Annotated[str | None, typer.Option(help="Run on a Dask cluster: its scheduler, as in tcp://host:8786.")]


@contextlib.contextmanager
def _errors_without_traceback() -> Iterator[None]:
    try:
        yield
    except ClusterlibError as error:
        _errors.print(f"error: {error}", style="bold", markup=False, highlight=False)
        raise typer.Exit(2) from None
    except OSError as error:
        _errors.print(f"error: {error}", style="bold", markup=False, highlight=False)
        _errors.print("What was finished stays finished; mend that and run again.")
        raise typer.Exit(2) from None


@app.command()
def run(
    region: Regions = None,
    notebook: Notebooks = None,
    param: Settings = None,
    force: Annotated[bool, typer.Option("--force", help="Run again even what did not change.")] = False,
    workers: Workers = None,
    cell_timeout: CellTimeout = 1800,
    notebook_timeout: NotebookTimeout = 7200,
    dask: Dask = None,
) -> None:
    """Execute the notebooks for the regions and write reports/."""
    from clusterlib.paths import get_project
    from clusterlib.run.execute import Limits
    from clusterlib.run.parameters import parse_settings
    from clusterlib.run.stop import end_at_once_when_asked
    from clusterlib.run.tasks import run as run_notebooks

    with _errors_without_traceback(), _warnings_shown():
        project = get_project()
        with end_at_once_when_asked(project.reports, _errors):
            outcome = run_notebooks(
                region,
                notebook,
                force=force,
                workers=workers,
                settings=parse_settings(param or []),
                limits=Limits(cell_timeout, notebook_timeout),
                project=project,
                console=_console,
                dask=dask,
            )
    counts = f"{len(outcome.executed)} done, {len(outcome.unchanged)} unchanged, {len(outcome.failures)} failed"
    _console.print(counts + (f", {len(outcome.left_out)} left out." if outcome.left_out else "."))
    _console.print(f"Open {project.reports / 'index.html'}", highlight=False)
    if not outcome.ok:
        _errors.print("\nFailed:", style="bold")
        for failure in outcome.failures:
            _errors.print(f"  {failure}", markup=False, highlight=False)
        for name in outcome.left_out:
            _errors.print(f"  {name} was left out: what it needs failed", markup=False, highlight=False)
        raise typer.Exit(1)


@contextlib.contextmanager
def _warnings_shown() -> Iterator[None]:
    """Show what the runner has to say, such as that kernels cannot be forked."""
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    # Once is enough: each kernel would say the same.
    said: set[str] = set()
    handler.addFilter(lambda entry: not (entry.getMessage() in said or said.add(entry.getMessage())))
    logger = logging.getLogger("clusterlib.run")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@app.command()
def status(region: Regions = None, notebook: Notebooks = None, param: Settings = None) -> None:
    """Say what a run would do, and why."""
    from clusterlib.run.parameters import parse_settings
    from clusterlib.run.status import find_status

    with _errors_without_traceback():
        found = find_status(region, notebook, parse_settings(param or []))
    for note in found.notes:
        _console.print(note, markup=False, highlight=False)
    stale = 0
    for name, reasons in found.tasks.items():
        stale += bool(reasons)
        _console.print(f"{name:<36} {'; '.join(reasons) or 'up to date'}", markup=False, highlight=False)
    _console.print(f"{stale} of {len(found.tasks)} would run.")


@app.command()
def sweep(
    notebook: Annotated[str, typer.Argument(help="Such as 03_digital_index.")],
    grid: Annotated[list[str], typer.Option(help="NAME=A,B,C or NAME=[JSON list]; may be repeated.")],
    workers: Workers = None,
    cell_timeout: CellTimeout = 1800,
    notebook_timeout: NotebookTimeout = 7200,
    keep_notebooks: Annotated[bool, typer.Option("--keep-notebooks", help="Keep each executed notebook.")] = False,
    dask: Dask = None,
) -> None:
    """Run a notebook for every combination of parameters and collect the results in one table."""
    from clusterlib.paths import get_project
    from clusterlib.run.execute import Limits
    from clusterlib.run.parameters import parse_grid
    from clusterlib.run.stop import end_at_once_when_asked
    from clusterlib.run.sweep import run_sweep

    with _errors_without_traceback(), _warnings_shown():
        project = get_project()
        with end_at_once_when_asked(project.reports / "sweeps", _errors):
            outcome = run_sweep(
                notebook,
                parse_grid(grid),
                workers=workers,
                limits=Limits(cell_timeout, notebook_timeout),
                keep_notebooks=keep_notebooks,
                project=project,
                console=_console,
                dask=dask,
            )
    _console.print(f"{outcome.executed} run, {outcome.unchanged} had been run, {outcome.failed} failed.")
    _console.print(f"Results: {outcome.table}", highlight=False)
    if outcome.failed:
        _errors.print("\nFailed:", style="bold")
        for failure in outcome.failures:
            _errors.print(f"  {failure}", markup=False, highlight=False)
        if outcome.failed > len(outcome.failures):
            _errors.print(f"  and {outcome.failed - len(outcome.failures)} more, in {outcome.table.parent}/runs")
        raise typer.Exit(1)


@app.command()
def data(force: Annotated[bool, typer.Option("--force", help="Build even if nothing changed.")] = False) -> None:
    """Build data/processed from data/raw, after checking every raw table."""
    from clusterlib.data._processed import build

    with _errors_without_traceback():
        built = build(force=force)
    _console.print("Built data/processed." if built else "data/processed is up to date.")


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    everything: Annotated[bool, typer.Option("--data", help="Also data/processed, which is built again.")] = False,
) -> None:
    """Delete what runs wrote in reports/; never anything in data/raw or notebooks/."""
    from clusterlib.run.clean import delete, find_written

    with _errors_without_traceback():
        found = find_written(everything)
        if not found:
            _console.print("There is nothing to delete.")
            return
        for path in found:
            _console.print(f"  {path}", markup=False, highlight=False)
        if not yes and not typer.confirm(f"Delete these {len(found)}?"):
            raise typer.Exit(1)
        delete(found)
    _console.print(f"Deleted {len(found)}.")


@app.command("new-notebook")
def new_notebook(
    name: Annotated[str, typer.Argument(help="Two digits and words, such as 11_energy_use.")],
    title: Annotated[str, typer.Option(help="Its heading.")] = "",
) -> None:
    """Write a notebook to start from, with a parameters cell and one recorded number, table and figure."""
    from clusterlib.run.scaffold import write_skeleton

    with _errors_without_traceback():
        path = write_skeleton(name, title)
    _console.print(f"Wrote {path}; run it with `clusterlib run --notebook {path.stem}`.", highlight=False)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    watch: Annotated[bool, typer.Option("--watch", help="Run again what becomes stale.")] = False,
) -> None:
    """Show reports/ in a browser on this machine."""
    from clusterlib.run.serve import serve_reports

    with _errors_without_traceback():
        serve_reports(port, watch, lambda text: _console.print(text, markup=False, highlight=False))


@app.command()
def doctor() -> None:
    """Check what running needs, and say what to do about what is amiss."""
    from clusterlib.run.doctor import check_all

    wrong = 0
    for check in check_all():
        wrong += check.state == "wrong"
        mark = {"good": "ok   ", "note": "note ", "wrong": "WRONG"}[check.state]
        _console.print(f"{mark} {check.name}: {check.found}", markup=False, highlight=False)
        if check.advice:
            _console.print(f"      {check.advice}", markup=False, highlight=False)
    raise typer.Exit(1 if wrong else 0)

"""The ``clusterlib`` command."""

from __future__ import annotations

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


def _stop(error: ClusterlibError) -> typer.Exit:
    _errors.print(f"error: {error}", style="bold", markup=False, highlight=False)
    return typer.Exit(2)


@app.command()
def run(
    region: Annotated[list[str] | None, typer.Option(help="bth, yrd or gba; may be given again. Default: all.")] = None,
    notebook: Annotated[list[str] | None, typer.Option(help="Such as 02_overview. Default: all.")] = None,
    force: Annotated[bool, typer.Option(help="Run again even what did not change.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Notebooks at a time. Default: one a processor.")] = None,
) -> None:
    """Execute the notebooks for the regions and write reports/."""
    from clusterlib.paths import get_project
    from clusterlib.run.tasks import run as run_notebooks

    try:
        outcome = run_notebooks(region, notebook, force=force, workers=workers, console=_console)
    except ClusterlibError as error:
        raise _stop(error) from None
    _console.print(f"{len(outcome.executed)} done, {len(outcome.unchanged)} unchanged, {len(outcome.failures)} failed.")
    _console.print(f"Open {get_project().reports / 'index.html'}", highlight=False)
    if not outcome.ok:
        _errors.print("\nFailed:", style="bold")
        for failure in outcome.failures:
            _errors.print(f"  {failure}", markup=False, highlight=False)
        raise typer.Exit(1)


@app.command()
def data(force: Annotated[bool, typer.Option(help="Build even if nothing changed.")] = False) -> None:
    """Build data/processed from data/raw, after checking every raw table."""
    from clusterlib.data.processed import build

    try:
        built = build(force=force)
    except ClusterlibError as error:
        raise _stop(error) from None
    _console.print("Built data/processed." if built else "data/processed is up to date.")

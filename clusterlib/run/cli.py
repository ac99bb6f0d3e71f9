"""The ``clusterlib`` command."""

from __future__ import annotations

import codecs
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from clusterlib.core.extras import extra
from clusterlib.errors import ClusterlibError

if TYPE_CHECKING:
    from clusterlib.paths import Project
    from clusterlib.run.tasks import RunOutcome

app = typer.Typer(
    help="Analyses of China's digital industry clusters: build the data, run the notebooks, write the reports.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_console = Console(soft_wrap=True)
_errors = Console(stderr=True, soft_wrap=True)
# Seconds that the system's clocks can count down, with room to spare.
_LONGEST = 1_000_000
# Megabytes that most mailboxes take.
_MAILED = 25

Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Code or name, such as yrd; may be repeated. Default: all.")
]
Notebooks = Annotated[
    list[str] | None, typer.Option("--notebook", help="Such as 02_overview, or 02 for short. Default: all.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        help="NAME=VALUE for every selected notebook that has the parameter; may be repeated.",
    ),
]
Name = Annotated[str | None, typer.Option(help="Keep the run apart, in reports/runs/NAME.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Notebooks at a time. Default: one a processor.")]
CellTimeout = Annotated[int, typer.Option(min=1, max=_LONGEST, help="Seconds that one cell may take.")]
NotebookTimeout = Annotated[int, typer.Option(min=1, max=_LONGEST, help="Seconds that one notebook may take.")]
Dask = Annotated[str | None, typer.Option(help="Run on a Dask cluster: its scheduler, as in tcp://host:8786.")]


def _print(text: object) -> None:
    _console.print(text, markup=False, highlight=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        _print(f"clusterlib {version('clusterlib')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Say Chinese names also where the locale is plain ASCII: terminals that cannot show them are rarer than that."""
    for stream in (sys.stdout, sys.stderr):
        if codecs.lookup(stream.encoding or "utf-8").name == "ascii":
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]


@contextlib.contextmanager
def _errors_without_traceback(tell: Callable[[str], str] = str) -> Iterator[None]:
    try:
        with extra("run"):
            yield
    except (ClusterlibError, OSError) as error:
        _errors.print(f"error: {tell(str(error))}", style="bold", markup=False, highlight=False)
        raise typer.Exit(2) from None


def _by_options(text: str) -> str:
    """Say of the arguments of read_yearbook and import_sheet what they are called on the command line."""
    text = re.sub(r"\b\w+=(?:'none')? \((--[^)]+)\)", r"\1", text)
    return re.sub(
        r"\b(level|indicator|unit|sheet|years)=(?=([\w'])?)", lambda found: f"--{found[1]}{' ' * bool(found[2])}", text
    )


def _project(name: str | None = None) -> Project:
    from clusterlib.paths import get_project, named_run

    return named_run(get_project(), name)


def _how(workers: int | None, cell_timeout: int, notebook_timeout: int, dask: str | None) -> dict[str, Any]:
    """Return what running notebooks and sweeping over one have in common."""
    from clusterlib.run.execute import Limits

    return {"workers": workers, "limits": Limits(cell_timeout, notebook_timeout), "console": _console, "dask": dask}


def _tell(outcome: RunOutcome, made: str) -> None:
    counts = f"{len(outcome.executed)} done, {len(outcome.unchanged)} unchanged, {len(outcome.failures)} failed"
    _print(counts + (f", {len(outcome.left_out)} left out." if outcome.left_out else "."))
    _print(made)
    if outcome.ok:
        return
    _errors.print("\nFailed:", style="bold")
    told = [*outcome.failures, *(f"{name} was left out: what it needs failed" for name in outcome.left_out)]
    for line in told:
        _errors.print(f"  {line}", markup=False, highlight=False)
    raise typer.Exit(1)


@app.command()
def run(
    region: Regions = None,
    notebook: Notebooks = None,
    param: Settings = None,
    name: Name = None,
    force: Annotated[bool, typer.Option("--force", help="Run again even what did not change.")] = False,
    workers: Workers = None,
    cell_timeout: CellTimeout = 1800,
    notebook_timeout: NotebookTimeout = 7200,
    dask: Dask = None,
) -> None:
    """Execute the notebooks for the regions and write reports/."""
    from clusterlib.run.parameters import parse_settings
    from clusterlib.run.tasks import run as run_notebooks

    with _errors_without_traceback():
        project = _project(name)
        settings, how = parse_settings(param or []), _how(workers, cell_timeout, notebook_timeout, dask)
        outcome = run_notebooks(region, notebook, force=force, settings=settings, project=project, **how)
    _tell(outcome, f"Open {project.reports / 'index.html'}")


@app.command()
def report(
    name: Name = None,
    only: Annotated[list[str] | None, typer.Option("--format", help="html, docx or pdf. Default: all.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Write the pages anew whenever a text changes.")] = False,
) -> None:
    """Write the report and the briefs from what the notebooks recorded, without running any."""
    from clusterlib.publish.site import write_site
    from clusterlib.report import watch_papers, write_papers

    with _errors_without_traceback():
        project = _project(name)
        write_papers(project, only or (["html"] if watch else None), _print)
        if (project.reports / "index.html").is_file():
            for part, problem in write_site(project).items():
                _print(f"{part}: {problem}")
        if watch:
            watch_papers(project, _print)


@app.command()
def status(region: Regions = None, notebook: Notebooks = None, param: Settings = None, name: Name = None) -> None:
    """Say what a run would do, and why."""
    from clusterlib.run.parameters import parse_settings
    from clusterlib.run.status import find_status

    with _errors_without_traceback():
        tasks, notes = find_status(region, notebook, parse_settings(param or []), _project(name))
    for note in notes:
        _print(note)
    for task, reasons in tasks.items():
        _print(f"{task:<36} {'; '.join(reasons) or 'up to date'}")
    _print(f"{sum(map(bool, tasks.values()))} of {len(tasks)} would run.")


@app.command()
def sweep(
    notebook: Annotated[str, typer.Argument(help="Such as 03_digital_index, or 03 for short.")],
    grid: Annotated[list[str], typer.Option(help="NAME=A,B,C or NAME=[JSON list]; may be repeated.")],
    workers: Workers = None,
    cell_timeout: CellTimeout = 1800,
    notebook_timeout: NotebookTimeout = 7200,
    keep_notebooks: Annotated[bool, typer.Option("--keep-notebooks", help="Keep each executed notebook.")] = False,
    name: Name = None,
    dask: Dask = None,
) -> None:
    """Run a notebook for every combination of parameters and collect the results in one table."""
    from clusterlib.run.parameters import parse_grid
    from clusterlib.run.sweep import run_sweep

    with _errors_without_traceback():
        how = _how(workers, cell_timeout, notebook_timeout, dask)
        outcome = run_sweep(notebook, parse_grid(grid), keep_notebooks=keep_notebooks, project=_project(name), **how)
    _tell(outcome, f"Results: {outcome.table}")


@app.command()
def compare(
    before: Annotated[
        str, typer.Argument(help="Name of a run, `default` for that without one, or a folder of reports.")
    ],
    after: Annotated[str, typer.Argument(help="The other.")],
    rtol: Annotated[float, typer.Option(min=0, help="Relative difference below which numbers are the same.")] = 1e-9,
    page: Annotated[
        bool, typer.Option("--page", help="Also write a page, with figures and cells, in reports/compare.")
    ] = False,
) -> None:
    """List every recorded number, text and cell of a table that differs between two runs; exit 1 if any does."""
    from clusterlib.publish.runs import compare as compare_runs
    from clusterlib.publish.runs import describe, find_reports, list_alone, place_of, write_runs

    with _errors_without_traceback():
        project = _project()
        folders = find_reports(project, before), find_reports(project, after)
        gone, new, differing, compared = compare_runs(*folders, rtol)
        alone = [f"gone: {place}" for place in list_alone(gone, folders[1])]
        alone += [f"new: {place}" for place in list_alone(new, folders[0])]
        for line in (*alone, *(f"{place_of(key)}: {describe(*values)}" for key, values in differing.items())):
            _print(line)
        _print(f"{len(differing)} of {compared} differ, {len(gone) + len(new)} are gone or new.")
        for path in write_runs(project, before, after, rtol) if page else ():
            _print(f"Open {path}")
    raise typer.Exit(bool(alone or differing))


@app.command()
def data(force: Annotated[bool, typer.Option("--force", help="Build even if nothing changed.")] = False) -> None:
    """Build data/processed from data/raw, after checking every raw table."""
    from clusterlib.data._processed import build

    with _errors_without_traceback():
        built = build(force=force)
    _print("Built data/processed." if built else "data/processed is up to date.")


@app.command()
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    everything: Annotated[bool, typer.Option("--data", help="Also data/processed, which is built again.")] = False,
) -> None:
    """Delete what runs wrote in reports/; never anything in data/raw or notebooks/."""
    import shutil

    from clusterlib.core.locks import waiting_lock
    from clusterlib.core.records import STATE
    from clusterlib.data._processed import LOCK
    from clusterlib.run.locks import LOCK as RUN_LOCK
    from clusterlib.run.locks import run_lock

    with _errors_without_traceback(), contextlib.ExitStack() as held:
        project = _project()
        held.enter_context(run_lock(project.reports))
        folders = [project.reports, project.reports / STATE]
        if everything and project.processed.exists():
            held.enter_context(waiting_lock(project.processed / LOCK))
            folders.append(project.processed)
        # Who waits for a lock must find the file that the next one locks.
        kept = {"README.md", STATE, LOCK, RUN_LOCK}
        found = [path for folder in folders for path in sorted(folder.iterdir()) if path.name not in kept]
        for path in found:
            _print(f"  {path}")
        if not (yes or typer.confirm(f"Delete these {len(found)}?")):
            raise typer.Exit(1)
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _print(f"Deleted {len(found)}.")


@app.command("import")
def import_files(
    file: Annotated[list[Path], typer.Argument(help="A yearbook's sheet or a statistical file; several may be named.")],
    level: Annotated[str | None, typer.Option(help="province, city, county or economy. Default: by the names.")] = None,
    indicator: Annotated[str | None, typer.Option(help="The one to take of several. Default: all.")] = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Name to load it by. Default: as the sheet calls it.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Such as 亿元, where the sheet does not say, or to convert to.")
    ] = None,
    source: Annotated[str, typer.Option(help="To be cited. Default: as a footnote says, or the file's name.")] = "",
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook that has several.")] = None,
    years: Annotated[str | None, typer.Option(help="Such as 2023, 2018:2023 or 2018,2020.")] = None,
    same_as: Annotated[
        str, typer.Option(help="The shipped indicator that is the same, or none. Default: by name.")
    ] = "",
    precedence: Annotated[str | None, typer.Option(help="alone, own or shipped: which figures come first.")] = None,
    missing: Annotated[str | None, typer.Option(help="leave, or such as 'linear 2' or 'multiple 20'.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take new figures where earlier ones differ.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep earlier figures where new ones differ.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file upon any finding of the checks.")] = False,
    accept_errors: Annotated[bool, typer.Option("--accept-errors", help="Import what the checks call errors.")] = False,
    skip_unresolved: Annotated[
        bool, typer.Option("--skip-unresolved", help="Leave out names that are no unit.")
    ] = False,
    name_en: Annotated[str, typer.Option(help="Name in figures and tables in English.")] = "",
    name_zh: Annotated[str, typer.Option(help="The same in Chinese.")] = "",
    direction: Annotated[
        int | None, typer.Option(help="-1 if more is worse, 1 if it is better, 0 for neither.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of what is told: en or zh.")] = "en",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be written, and write nothing.")] = False,
) -> None:
    """Bring figures of your own into data/own; each file wholly or not at all."""
    from clusterlib.core.language import speaking
    from clusterlib.data import import_sheet, read_yearbook

    read = {"level": level, "indicator": indicator, "unit": unit, "source": source, "sheet": sheet}
    brought = {
        "name": name, "same_as": same_as, "precedence": precedence, "missing": missing, "replace": replace,
        "keep": keep, "strict": strict, "accept_errors": accept_errors, "skip_unresolved": skip_unresolved,
        "name_en": name_en, "name_zh": name_zh, "direction": direction, "dry_run": dry_run,
    }  # fmt: skip
    span: Any = years.split(",") if years and "," in years else years
    code = 0
    for path in file:
        try:
            with _errors_without_traceback(_by_options), speaking(language):
                _print(import_sheet(read_yearbook(path, years=span, **read), **brought).summary())
        except typer.Exit as wrong:
            code = wrong.exit_code
    raise typer.Exit(code)


@app.command()
def imported(
    remove: Annotated[str | None, typer.Option(help="Delete this indicator, such as firms or city.firms.")] = None,
    language: Annotated[str, typer.Option(help="Of what is told: en or zh.")] = "en",
) -> None:
    """List the indicators in data/own, or delete one."""
    from clusterlib.core.language import say, speaking
    from clusterlib.data._own_files import catalogue_lines, forget_indicator

    with _errors_without_traceback(), speaking(language):
        if remove is not None:
            level, _, name = remove.rpartition(".")
            forget_indicator(name, level or None)
            _print(say(f"Deleted {remove}.", f"已删除 {remove}。"))
        _print("\n".join(catalogue_lines(_project())))


@app.command("new-notebook")
def new_notebook(
    name: Annotated[str, typer.Argument(help="Two digits and words, such as 11_energy_use.")],
    title: Annotated[str, typer.Option(help="Its heading.")] = "",
) -> None:
    """Write a notebook to start from, with a parameters cell and one recorded number, table and figure."""
    from clusterlib.run.scaffold import write_skeleton

    with _errors_without_traceback():
        path = write_skeleton(name, title)
    _print(f"Wrote {path}; run it with `clusterlib run --notebook {path.stem}`.")


@app.command()
def bundle(
    region: Annotated[str | None, typer.Argument(help="Code or name, such as yrd. Default: the whole site.")] = None,
    html: Annotated[bool, typer.Option("--html", help="One page of a region that needs no other file.")] = False,
    language: Annotated[str, typer.Option(help="Of the one page: en or zh.")] = "en",
    output: Annotated[Path | None, typer.Option(help="The file to write. Default: clusterlib-REGION.zip here.")] = None,
    notebooks: Annotated[bool, typer.Option("--notebooks", help="With the executed notebooks.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    name: Name = None,
) -> None:
    """Write the site, or a region's pages, into one zip or one page that can be mailed."""
    from clusterlib.core.checks import check_choice
    from clusterlib.core.language import LANGUAGES
    from clusterlib.data._own import own_read
    from clusterlib.publish.bundle import bundle as write_bundle
    from clusterlib.regions import get_region

    with _errors_without_traceback():
        check_choice("language", language, LANGUAGES)
        parts = ["clusterlib", *([get_region(region).code] if region else []), *([language] if html else [])]
        path, project = output or Path("-".join(parts) + (".html" if html else ".zip")), _project(name)
        write_bundle(project.reports, path, region, html=html, language=language, notebooks=notebooks, force=force)
        own = [table.removeprefix("own.") for table in own_read(project)]
    size = path.stat().st_size / 1e6
    _print(f"Wrote {path}, {size:.1f} MB.")
    if own:
        _print(f"It holds imported figures ({', '.join(own)}): do not pass it on unless their publishers allow it.")
    if size > _MAILED:
        _print(f"Many mailboxes refuse more than {_MAILED} MB: send a link to it, or one region or one page.")


@app.command()
def serve(port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000) -> None:
    """Show reports/ in a browser on this machine."""
    from clusterlib.publish.serve import serve_reports

    with _errors_without_traceback():
        serve_reports(port, _print)


@app.command()
def doctor() -> None:
    """Check what running needs, and say what to do about what is amiss."""
    from clusterlib.run.doctor import check_all

    wrong = 0
    for check in check_all():
        wrong += check.state == "wrong"
        mark = {"good": "ok   ", "note": "note ", "wrong": "WRONG"}[check.state]
        _print(f"{mark} {check.name}: {check.found}")
        if check.advice:
            _print(f"      {check.advice}")
    raise typer.Exit(1 if wrong else 0)

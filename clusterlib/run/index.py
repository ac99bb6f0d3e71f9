"""The page over all reports: each notebook and region, when it ran, and what failed."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

from clusterlib.core.files import write_text
from clusterlib.core.records import ERROR, EXECUTED, RESULTS, RESULTS_FORM, RUN, RUN_FORM, Place, read_json
from clusterlib.paths import Project
from clusterlib.publish.pages import read_style
from clusterlib.regions import REGIONS
from clusterlib.report._papers import papers
from clusterlib.run.notebooks import scan_notebooks
from clusterlib.run.places import Failure

SUMMARY = "run.html"
TEMPLATES = Path(__file__).resolve().parent / "templates"
_FAILURE = {field.name: int if field.name == "number" else str for field in fields(Failure)}


def _entry(project: Project, region: str, notebook: str) -> dict:
    place = Place(project.reports, region, notebook)
    results = read_json(place.folder / RESULTS, RESULTS_FORM)
    error = read_json(place.failed / ERROR, _FAILURE)
    kinds = [record.get("kind") for record in results["records"]] if results else []
    return {
        "page": f"{region}/{notebook}.html" if place.page.exists() else "",
        "run": read_json(place.folder / RUN, RUN_FORM),
        "numbers": kinds.count("number"),
        "tables": kinds.count("table"),
        "figures": kinds.count("figure"),
        "failure": Failure(**{name: error[name] for name in _FAILURE}) if error else None,
        "failed_notebook": f"{region}/{notebook}.failed/{EXECUTED}",
    }


def _documents(project: Project) -> list[tuple[str, dict[str, list[tuple[str, str]]]]]:
    """Return the report and the briefs that are there: region, and by language the kind and place of each file."""
    found = []
    for paper in papers(project):
        files: dict[str, list[tuple[str, str]]] = {}
        for (language, kind), path in paper.files(project.reports).items():
            if path.exists():
                name = "中文" if language == "zh" else "English"
                files.setdefault(name, []).append((kind.upper(), path.relative_to(project.reports).as_posix()))
        if files:
            found.append((paper.region, files))
    return found


def write_index(project: Project) -> None:
    """Write ``reports/index.html`` from what stands in the reports folder."""
    notebooks, wrong = scan_notebooks(project)
    entries = {(n.name, r): _entry(project, r, n.name) for n in notebooks for r in REGIONS}
    _write(
        project.reports / "index.html",
        regions=list(REGIONS.values()),
        notebooks=notebooks,
        entries=entries,
        documents=_documents(project),
        wrong=wrong,
        has_summary=(project.reports / SUMMARY).exists(),
        failures=[entry for entry in entries.values() if entry["failure"]],
    )


def _write(path: Path, **values: object) -> None:
    """Write the page whose template has its name."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    write_text(path, environment.get_template(f"{path.name}.j2").render(style=read_style(), **values))


def write_summary(project: Project, events: list[dict], failures: list[Failure]) -> None:
    """Write ``reports/run.html``: how a run went, failures first, each with its traceback."""
    start = next(event for event in events if event["event"] == "run")
    ended = [event for event in events if event["event"] == "end"]
    for event in ended:
        region, _, name = event["task"].partition("/")
        page = Place(project.reports, region, name.removesuffix(".html")).page
        event["link"] = f"{region}/{page.name}" if page.exists() and event["outcome"] == "done" else ""
        event["why"] = "; ".join(start["why"].get(event["task"], []))
    shown = []
    for failure in failures:
        link = f"{failure.region}/{failure.notebook}.failed/{EXECUTED}"
        shown.append({**asdict(failure), "link": link if (project.reports / link).exists() else ""})
    _write(
        project.reports / SUMMARY,
        started=start["time"].replace("T", " "),
        workers=start["workers"],
        done=sum(event["outcome"] == "done" for event in ended),
        seconds=events[-1]["at"],
        failures=shown,
        left_out=[event["task"] for event in ended if event["outcome"] == "left out"],
        tasks=sorted(ended, key=lambda event: (event["outcome"] == "done", event["task"])),
    )

"""The page over all reports: each notebook and region, when it ran, and what failed."""

from __future__ import annotations

import os
from pathlib import Path

from clusterlib.paths import Project
from clusterlib.regions import REGIONS
from clusterlib.run.notebooks import scan_notebooks
from clusterlib.run.places import ERROR, EXECUTED, RESULTS, RUN, Failure, Place, read_json
from clusterlib.run.pages import TEMPLATES, read_style


def _entry(project: Project, region: str, notebook: str) -> dict:
    place = Place(project.reports, region, notebook)
    results, error = read_json(place.folder / RESULTS), read_json(place.failed / ERROR)
    kinds = [record["kind"] for record in results["records"]] if results else []
    return {
        "page": f"{region}/{notebook}.html" if place.page.exists() else "",
        "run": read_json(place.folder / RUN),
        "numbers": kinds.count("number"),
        "tables": kinds.count("table"),
        "figures": kinds.count("figure"),
        "failure": Failure(**error) if error else None,
        "failed_notebook": f"{region}/{notebook}.failed/{EXECUTED}",
    }


def write_index(project: Project) -> Path:
    """Write ``reports/index.html`` from what stands in the reports folder, and return its path."""
    import jinja2

    notebooks, wrong = scan_notebooks(project)
    entries = {(n.name, r): _entry(project, r, n.name) for n in notebooks for r in REGIONS}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("index.html.j2").render(
        style=read_style(),
        regions=list(REGIONS.values()),
        notebooks=notebooks,
        entries=entries,
        failures=[entry for entry in entries.values() if entry["failure"]],
    )
    path = project.reports / "index.html"
    scratch = path.with_name(f".index-{os.getpid()}.html")
    scratch.write_text(html, encoding="utf-8")
    os.replace(scratch, path)
    return path

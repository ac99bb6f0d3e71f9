"""The pages over all notebooks: home, regions, how a run went; each made again when its sources change (站点)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.files import write_json, write_text
from clusterlib.core.hypertext import clean_html
from clusterlib.core.records import (
    ERROR,
    EXECUTED,
    JOURNAL,
    RESULTS,
    RESULTS_FORM,
    RUN,
    RUN_FORM,
    STATE,
    STEPS_FORM,
    Place,
    parse_json,
    read_json,
)  # fmt: skip
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.publish.frame import (
    LANGUAGES,
    SECTIONS,
    contents_of,
    file_of,
    fill,
    frame,
    frame_digest,
    notebook_titles,
)
from clusterlib.publish.search import MISSING, write_search
from clusterlib.regions import REGIONS

if TYPE_CHECKING:
    from clusterlib.study.claims import Claim

PACKAGE = Path(__file__).resolve().parents[1]
ASSETS = Path(__file__).resolve().parent / "assets"
HOME, SUMMARY, NATION = "index", "run", "nation"
KEY_FIGURES = 4
# Modules that write pages of the whole site, each by its write_NAME(project), and from what.
WRITERS = {
    "rows": ("data",), "atlas": ("data", "results"), "comparison": ("results",), "paper": ("data", "results", "papers"),
}  # fmt: skip
_FAILURE = {**dict.fromkeys(("notebook", "region", "cell", "line", "error", "advice", "traceback"), str), "number": int}


def write_site(project: Project, wrong: Mapping[str, str] | None = None) -> dict[str, str]:
    """Write the pages over all notebooks: each if what it is made from changed, or someone changed it.

    Parameters
    ----------
    project : Project
    wrong : mapping, optional
        What is wrong with notebooks that cannot be run, by name.

    Returns
    -------
    dict
        What went wrong, by the part of the site that could not be written.
    """
    made, told = _made_from(project), dict(wrong or {})
    parts: dict[str, tuple[Callable[[Project], Iterable[Path]], dict[str, str]]] = {
        "assets": (_write_assets, {}),
        "home": (lambda project: write_home(project, told), {**_joined(made.values()), **told}),
    }
    # The raw rows are of no use to results that read none, or that do not tell what they read.
    read = any((read_json(path, RESULTS_FORM) or {}).get("reads") for path in project.reports.glob(f"*/*/{RESULTS}"))
    for name, kinds in WRITERS.items():
        if read or name != "rows":
            parts[name] = partial(_write_by, name), _joined(made[kind] for kind in ("code", *kinds))
    parts["missing"] = _write_missing, _joined(made.values())
    problems: dict[str, str] = {}
    path = project.reports / STATE / "site.json"
    known = read_json(path, STEPS_FORM) or {}
    for name, (write, made_from) in parts.items():
        _make(project, known, name, write, made_from, problems)
    # What is searched are all the others.
    _make(project, known, "search", write_search, _pages(project), problems)
    write_json(path, known)
    return problems


def _joined(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name: digest for part in parts for name, digest in part.items()}


def _write_by(name: str, project: Project) -> list[Path]:
    return getattr(importlib.import_module(f"clusterlib.publish.{name}"), f"write_{name}")(project)


def _make(project: Project, known: dict, name: str, write: Callable, made_from: dict, problems: dict[str, str]) -> None:
    """Make a part of the site if it is stale, and note what it was made from."""
    from clusterlib.provenance import sha256

    last = known.get(name)
    if last and last["made_from"] == made_from and made_from:
        places = {file: project.reports / file for file in last["outputs"]}
        if all(path.is_file() and sha256(path) == last["outputs"][file] for file, path in places.items()):
            return
    try:
        written = {path.relative_to(project.reports).as_posix(): sha256(path) for path in write(project)}
    except Exception as error:  # a part that fails must not cost the others
        known.pop(name, None)
        problems[name] = str(error) if isinstance(error, ClusterlibError) else f"{type(error).__name__}: {error}"
    else:
        # What was written for something that is no more, unless it is now another's, such as the page of a notebook
        # that had failed before.
        for file, digest in (last["outputs"] if last else {}).items():
            path = project.reports / file
            if file not in written and path.is_file() and sha256(path) == digest:
                path.unlink()
        known[name] = {"made_from": made_from, "outputs": written}


def _made_from(project: Project) -> dict[str, dict[str, str]]:
    """Return hashes of what pages over all notebooks are made from, by kind."""
    from clusterlib.data._own import own_hashes, own_read
    from clusterlib.provenance import sha256

    reports, root = project.reports, project.root
    own = own_read(project)
    data = {table: digest for table, digest in own_hashes(project).items() if table in own} if own else {}

    def hashes(files: Iterable[Path], base: Path = root) -> dict[str, str]:
        return {path.relative_to(base).as_posix(): sha256(path) for path in sorted(files) if path.is_file()}

    found = [path for name in (RESULTS, RUN) for path in reports.glob(f"*/*/{name}")]
    places = ("publish", "core", "maps", "data/_origins.py", "data/_own.py", "study/claims.py", "report/_papers.py")
    code = [p for place in places for p in [PACKAGE / place, *(PACKAGE / place).rglob("*.*")] if p.suffix != ".pyc"]
    manifest = read_json(project.processed / "manifest.json", {"inputs": {str: str}, "outputs": {str: {"sha256": str}}})
    data |= {name: entry["sha256"] for name, entry in manifest["outputs"].items()} if manifest else {}
    cited = root / "CITATION.cff"
    papers = [*reports.glob("report.*"), *reports.glob("*/brief.*")]
    return {
        "results": hashes([*found, *(root / "report").glob("*.md")]),
        "data": {**data, **(manifest["inputs"] if manifest else {}), **hashes([*project.study.glob("*.*"), cited])},
        "code": {**hashes(code, PACKAGE), "frame": frame_digest(project)},
        "papers": hashes(papers),
        # What the home page shows besides: failures and the log of the run.
        "shown": hashes([*reports.glob(f"*/*/{ERROR}"), reports / JOURNAL]),
    }


def _pages(project: Project) -> dict[str, str]:
    """Return hashes of the pages that can be searched, and of what makes the index."""
    from clusterlib.provenance import sha256
    from clusterlib.publish.search import find_pages

    code = {"search.py": sha256(PACKAGE / "publish" / "search.py")}
    return code | {p.relative_to(project.reports).as_posix(): sha256(p) for p in find_pages(project)}


def _write(project: Project, page: str, language: str, title: str, body: str, **more: Any) -> Path:
    path = project.reports / file_of(page, language)
    html = frame(page, language, title, body, project=project, **more)
    # A page that stays as it is keeps its time.
    if not path.is_file() or path.read_bytes() != html.encode():
        write_text(path, html)
    return path


def _write_assets(project: Project) -> list[Path]:
    """Copy what pages load; of what lies beside them there, such as the index of the search, nothing is changed."""
    places = {source: project.reports / "assets" / source.name for source in sorted(ASSETS.iterdir())}
    for source, target in places.items():
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            write_text(target, source.read_text(encoding="utf-8"))
    return list(places.values())


def _write_missing(project: Project) -> list[Path]:
    """Write, in the place of pages that the sidebar leads to and no one has made, that they are to be made."""
    titles = {page: dict(zip(LANGUAGES, said, strict=True)) for page, *said in SECTIONS}
    titles |= {f"{code}/{name}": said for code in REGIONS for name, said in notebook_titles(project).items()}
    briefs = {"en": "Brief", "zh": "简报"} if any((project.root / "report").glob("brief.*.md")) else {}
    titles |= {f"{code}/paper": briefs for code in REGIONS if briefs}
    written = []
    for page, said in titles.items():
        for language in LANGUAGES:
            path = project.reports / file_of(page, language)
            if not path.is_file() or MISSING in path.read_text(encoding="utf-8"):
                body = fill("missing.html.j2", language, mark=MISSING, page=page)
                written.append(_write(project, page, language, said[language], body))
    return written


def write_home(project: Project, wrong: Mapping[str, str] | None = None) -> list[Path]:
    """Write the home page, one page a region, and how the last run went."""
    shelf = {(code, name): _entry(project, code, name) for code in REGIONS for name in notebook_titles(project)}
    problems = dict(wrong or {})
    ledger = _ledger(project, problems)
    events = _events(project)
    failures = [entry for entry in shelf.values() if entry["failure"]]
    # Of pages and documents that could not be made, in the last run.
    failures += [
        {"failure": event["failure"], "failed_notebook": ""}
        for event in events
        if "failure" in event
        and not event["failure"].get("cell")
        and event["failure"] not in [f["failure"] for f in failures]
    ]
    written = []
    for place, language in enumerate(LANGUAGES):
        titles = {name: said[language] for name, said in notebook_titles(project).items()}
        known: dict[str, Any] = {
            "titles": titles, "shelf": shelf, "ledger": ledger, "wrong": problems, "nation": NATION,
            "documents": _documents(project),
            "names": {code: (region.name_en, region.name_zh)[place] for code, region in REGIONS.items()},
        }  # fmt: skip
        chosen = _figures(project, language)
        body = fill(
            "home.html.j2", language, figures=chosen, findings=_abstract(project, language), has_run=bool(events),
            failures=failures, **known,
        )  # fmt: skip
        title = ("China’s digital industry clusters", "中国数字产业集群")[place]
        written.append(_write(project, HOME, language, title, body, contents=contents_of(body)))
        for code in REGIONS:
            body = fill("region.html.j2", language, code=code, figures=_figures(project, language, code), **known)
            page = f"{code}/{HOME}"
            written.append(_write(project, page, language, known["names"][code], body, contents=contents_of(body)))
        if events:
            body = fill("run.html.j2", language, **_summary(project, events, language))
            written.append(_write(project, SUMMARY, language, ("The last run", "最近一次运行")[place], body))
    return written


def _entry(project: Project, region: str, notebook: str) -> dict:
    """Return how the run of a notebook for a region stands."""
    place = Place(project.reports, region, notebook)
    results = read_json(place.folder / RESULTS, RESULTS_FORM)
    kinds = [record.get("kind") for record in results["records"]] if results else []
    return {
        "page": f"{region}/{notebook}" if (place.folder / RUN).is_file() else "",
        "run": read_json(place.folder / RUN, RUN_FORM),
        "counts": [kinds.count(kind) for kind in ("number", "table", "figure")],
        "failure": read_json(place.failed / ERROR, _FAILURE),
        "failed_notebook": f"{region}/{notebook}.failed/{EXECUTED}" if (place.failed / EXECUTED).is_file() else "",
    }


def _documents(project: Project) -> dict[str, dict[tuple[str, str], str]]:
    """Return the report and the briefs that are there, by region (nothing for the report), language and kind."""
    from clusterlib.report._papers import papers

    found = {}
    for paper in papers(project):
        files = {key: path for key, path in paper.files(project.reports).items() if path.exists()}
        found[paper.region] = {key: path.relative_to(project.reports).as_posix() for key, path in files.items()}
    return found


def _ledger(project: Project, problems: dict[str, str]) -> list[dict]:
    """Return each claim with what the notebooks concluded on it, by region and for the nation."""
    from clusterlib.study.claims import FILE, _first_run, load_claims

    if not (project.study / FILE).is_file():
        return []
    try:
        claims = load_claims(project.study / FILE)
    except ClusterlibError as error:
        problems[FILE] = str(error)
        return []
    rows = {claim.id: {"claim": claim, "verdicts": {}} for claim in claims}
    for place in (NATION, *REGIONS):
        home = _first_run(project.reports) if place == NATION else place
        for name, found in _verdicts(place, claims, project.reports).items():
            page = f"{home}/{found['notebook']}" if found["notebook"] else ""
            rows[name]["verdicts"][place] = {**found, "page": page}
    return [row for row in rows.values() if row["verdicts"]]


def _verdicts(place: str, claims: list[Claim], reports: Path) -> dict[str, dict]:
    """Return the verdicts by claim: of those whose notebooks have run and conclude, if not all do."""
    from clusterlib.study.claims import evaluate_claims

    try:
        found = evaluate_claims(place, claims, reports)
    except ClusterlibError:
        alone = [_verdicts(place, [claim], reports) for claim in claims] if len(claims) > 1 else []
        return {name: verdict for one in alone for name, verdict in one.items()}
    return {str(name): verdict for name, verdict in found.to_dict("index").items()}


def _figures(project: Project, language: str, region: str = "") -> list[dict]:
    """Return the figures that the written report shows first, of a region or of those that it shows them of."""
    text = project.root / "report" / f"{language}.md"
    named = re.findall(r'\bfigure\(\s*"(\d\d):([\w.]+)"([^)]*)\)', text.read_text("utf-8")) if text.is_file() else []
    found = []
    for number, name, rest in named:
        said = re.search(r'region="(\w+)"', rest)
        code = region or (said[1] if said and said[1] in REGIONS else next(iter(REGIONS)))
        for path in sorted(project.reports.glob(f"{code}/{number}_*/{RESULTS}")):
            records = (read_json(path, RESULTS_FORM) or {"records": []})["records"]
            record = next((r for r in records if r.get("name") == name and r.get("kind") == "figure"), None)
            if record:
                found.append({"region": code, "notebook": path.parent.name, "record": record})
    return found[:KEY_FIGURES]


def _abstract(project: Project, language: str) -> str:
    """Return the abstract of the written report, its links leading into the report."""
    path = project.reports / f"report.{language}.html"
    html = path.read_text(encoding="utf-8") if path.is_file() else ""
    # Without its heading, and the keywords that come after it.
    pattern = r'<div class="abstract">\s*<p><strong>[^<]*</strong>[:：]?(.*?)(?:<p><strong>|</div>)'
    found = re.search(pattern, html, re.DOTALL)
    page = file_of("paper", language)
    return clean_html(f"<p>{found[1].strip()}").replace('href="#', f'href="{page}#') if found else ""


def _events(project: Project) -> list[dict]:
    """Return what the log of the last run says, if it is whole."""
    try:
        lines = (project.reports / JOURNAL).read_text(encoding="utf-8").splitlines()
        events = [parse_json(line) for line in lines]
    except (OSError, ValueError):
        return []
    return events if events and all(isinstance(e, dict) and {"event", "at"} <= e.keys() for e in events) else []


def _summary(project: Project, events: list[dict], language: str) -> dict[str, Any]:
    """Return what is to be said of a run: failures first, each with its traceback."""
    start = next((event for event in events if event["event"] == "run"), {})
    ended = [{"seconds": 0, **event} for event in events if event["event"] == "end"]
    for event in ended:
        region, _, name = event["task"].partition("/")
        page = file_of(f"{region}/{name.removesuffix('.html')}", language)
        shown = event["outcome"] == "done" and (project.reports / page).is_file()
        event |= {"link": page if shown else "", "why": "; ".join(start.get("why", {}).get(event["task"], []))}
    failures = [event["failure"] for event in ended if "failure" in event]
    for failure in failures:
        link = f"{failure['region']}/{failure['notebook']}.failed/{EXECUTED}"
        failure["link"] = link if (project.reports / link).exists() else ""
    return {"start": start, "ended": ended, "seconds": events[-1]["at"], "failures": failures}

"""Report and briefs as pages of the site: each number, figure and table leads to what it rests on (报告页面)."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path
from typing import Any

from clusterlib.core.files import write_text
from clusterlib.core.hypertext import clean_html
from clusterlib.core.language import LANGUAGES, say, speaking, spoken
from clusterlib.core.records import RESULTS, RESULTS_FORM, RUN, Place, load_run, read_json
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.publish.downloads import downloads
from clusterlib.publish.frame import contents_of, file_of, frame
from clusterlib.publish.pages import said
from clusterlib.publish.sections import address, link
from clusterlib.publish.trace import follow, list_run, set_terms
from clusterlib.regions import REGIONS
from clusterlib.report._render import runs_behind

STYLE = "paper.css"
# What a document that stands alone has and a page of the site does not need.
_LEFT_OUT = re.compile(r'<nav.*?</nav>|<annotation.*?</annotation>| src="data:[^"]*"', re.DOTALL)
_RESULT = re.compile(
    r"(?P<region>\w+)/(?P<notebook>\w+):(?P<mark>@?)(?P<name>[^\[]+)(?:\[(?P<row>.*);(?P<column>.*)\])?"
)
_NUMBERS = re.compile(r'<div class="numbers".*?(?:</table>\s*</div>|</p>)\s*</div>', re.DOTALL)
_NUMBER = re.compile(r'<span id="(n\d+)" data-result="([^"]+)">(.*?)</span>', re.DOTALL)
_NOTE = r'(?:\s*<div class="table-note".*?</div>)?'
_FIGURE = re.compile(rf'<figure id="([^"]+)">\s*<img[^>]*? data-result="([^"]+)".*?</figure>{_NOTE}', re.DOTALL)
_TABLE = re.compile(
    rf'<div class="table-wrap"[^>]*>\s*<table id="([^"]+)" data-result="([^"]+)".*?</table>\s*</div>{_NOTE}', re.DOTALL
)
_SENTENCE = re.compile(r'<span data-result="([^"]+)">(.*?)</span>', re.DOTALL)


def write_paper(project: Project) -> list[Path]:
    """Write a page for the report and one for each brief, a language each, from the HTML files that were set.

    Parameters
    ----------
    project : Project

    Returns
    -------
    list of Path
        ``reports/paper.html`` and ``reports/<region>/paper.html`` with their Chinese ones, of documents that are there.
        A page of one that was set from earlier runs stays as it is until it is set anew.

    Raises
    ------
    ClusterlibError
        If a document names a result that is not recorded.

    Examples
    --------
    >>> write_paper(get_project())  # doctest: +SKIP
    """
    from clusterlib.report._papers import papers

    written = []
    for paper in papers(project):
        files = paper.files(project.reports)
        for language in LANGUAGES:
            source = files[language, "html"]
            if source.is_file():
                with speaking(language):
                    kinds = {kind: path for (one, kind), path in files.items() if one == language and path.is_file()}
                    page = _Page(project, f"{paper.region}/paper".lstrip("/"), kinds)
                    if page.is_current():
                        page.write(paper.region)
                    if page.target.is_file():
                        written.append(page.target)
    return written


class _Page:
    """A document as a page, in the language spoken."""

    def __init__(self, project: Project, page: str, files: dict[str, Path]) -> None:
        self.project, self.page, self.files = project, page, files
        self.known: dict[Place, tuple[dict, dict]] = {}

    @property
    def target(self) -> Path:
        return self.project.reports / file_of(self.page, spoken())

    def is_current(self) -> bool:
        """Whether the document was set from the runs that are there: its numbers would stand beside others' rows."""
        html = self.files["html"].read_text(encoding="utf-8")
        found = re.search(r'<meta name="runs" content="([^"]*)"', html)
        told = dict(entry.split("=", 1) for entry in found[1].split()) if found else {}
        return not found or told == runs_behind(html, self.project.reports)

    def write(self, region: str) -> None:
        """Write the page."""
        html = self.files["html"].read_text(encoding="utf-8")
        title = unescape(re.findall(r"<title>(.*?)</title>", html, flags=re.DOTALL)[0])
        text = clean_html(_LEFT_OUT.sub("", html.partition("<main")[2].partition(">")[2].partition("</main>")[0]))
        numbers = _NUMBER.findall(text)
        text = _FIGURE.sub(self._figure, _TABLE.sub(lambda found: found[0] + self._below(found[1], found[2]), text))
        # A number leads from where it is stated to its entry, and from there back.
        places: dict[str, int] = {}

        def stated(found: re.Match) -> str:
            number = places[found[1]] = places.get(found[1], 0) + 1
            return f'<a class="number" id="{found[1]}-{number}" href="#{found[1]}">'

        text = re.sub(r'<a href="#(n\d+)">', stated, text)
        text = _NUMBERS.sub(lambda _: self._entries(numbers, places), text)
        text = _SENTENCE.sub(lambda found: f"{found[2]} {self._source(found[1])}", text)
        # A place that is always in view: to go there closes what is open and leaves the page where it is.
        text = f'<span id="closed"></span>{self._files()}<div class="paper">{text}</div>'
        text = re.sub(r'<h2 class="[^"]*" (?=id=)', "<h2 ", text)
        more: dict[str, Any] = {"region": region, "styles": [STYLE], "project": self.project}
        write_text(self.target, frame(self.page, spoken(), title, text, contents=contents_of(text), **more))

    def _files(self) -> str:
        """Return links to the document as files that can be sent."""
        names = {"html": say("HTML, one file", "HTML（单个文件）"), "pdf": "PDF", "docx": "Word"}
        places = {kind: path.relative_to(self.project.reports).as_posix() for kind, path in self.files.items()}
        links = [f'<a href="{address(self.page, places[k])}">{word}</a>' for k, word in names.items() if k in places]
        return f'<p class="status">{say("To send: ", "下载：")}{say(", ", "、").join(links)}</p>'

    def _find(self, result: str) -> tuple[re.Match, Place, dict | None]:
        """Return a result's parts, its run, of the nation's the first region's, and its record, of a parameter none."""
        found = _RESULT.fullmatch(unescape(result))
        if found:
            code = found["region"] if found["region"] in REGIONS else next(iter(REGIONS))
            place = Place(self.project.reports, code, found["notebook"])
            if place not in self.known:
                self.known[place] = read_json(place.folder / RESULTS, RESULTS_FORM) or {}, load_run(place.folder / RUN)
            records = self.known[place][0].get("records", ())
            record = next((record for record in records if record["name"] == found["name"]), None)
            if record or found["mark"]:
                return found, place, record
        raise ClusterlibError(f"{self.files['html']} names {result}, which is not recorded: run `clusterlib report`")

    def _follow(self, place: Place, record: dict | None) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        results, run = self.known[place]
        return follow(record, run, results, self.page, spoken()) if record else ([], [*list_run(run)])

    def _source(self, result: str, said: str = "") -> str:
        """Return a link to a result in its notebook, or to the notebook of a parameter."""
        found, place, record = self._find(result)
        text = f"{place.notebook}{say(', ', '，')}{record['cell'] if record else 'parameters'}"
        anchor = f"#result-{found['name']}" if record else ""
        to = link(self.page, file_of(f"{place.region}/{place.notebook}", spoken()) + anchor, text)
        return f'<span class="from">{said}{to}</span>'

    def _below(self, anchor: str, result: str) -> str:
        """Return where a figure or table is from, what is behind it, and its files."""
        _, place, record = self._find(result)
        own, shared = self._follow(place, record)
        known, head = set_terms([*own, *shared]), say("Raw rows and parameters", "原始数据与参数")
        panel = f'<details class="trace" id="trace-{escape(anchor)}"><summary>{head}</summary>{known}</details>'
        files = downloads(record or {}, place.folder, self.page, spoken())
        return f'<footer class="about">{self._source(result, say("Source: ", "来源："))}{panel}{files}</footer>'

    def _figure(self, found: re.Match) -> str:
        _, place, record = self._find(found[2])
        file = said(record or {}, "value", spoken())
        picture = f'<img src="{address(self.page, f"{place.region}/{place.notebook}/{file}")}"'
        return found[0].replace("<img", picture, 1) + self._below(found[1], found[2])

    def _entries(self, numbers: list[tuple[str, str, str]], places: dict[str, int]) -> str:
        """Return where the numbers come from: an entry for those of a run that rest on the same raw rows."""
        entries: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {}
        for anchor, result, shown in numbers:
            found, place, record = self._find(result)
            own, shared = self._follow(place, record)
            label = escape(said(record or {}, "label", spoken()) or found["name"])
            back = " ".join(f'<a href="#{anchor}-{k}">↑{k}</a>' for k in range(1, places.get(anchor, 0) + 1))
            back += f' <a class="close" href="#closed">{say("Close", "关闭")}</a>'
            head = f"<strong>{shown}</strong> {label}{say('. In the text: ', '。见正文：')}{back}"
            told = set_terms([(say("Row", "所在行"), _row(record, found)), *own])
            item = f'<li id="{anchor}"><p>{head}</p><p>{self._source(result, say("Source: ", "来源："))}</p>{told}</li>'
            key = found["region"], place.notebook, set_terms(shared)
            entries.setdefault(key, []).append((shown, label, item))
        return f'<div class="numbers">{"".join(_entry(*key, stated) for key, stated in entries.items())}</div>'


def _entry(code: str, notebook: str, known: str, stated: list[tuple[str, str, str]]) -> str:
    """Return an entry: its numbers with what is told of each, and what is behind all of them."""
    numbers, labels = (say("; ", "；").join(dict.fromkeys(entry[k] for entry in stated)) for k in (0, 1))
    region = say(REGIONS[code].short_en, REGIONS[code].short_zh) if code in REGIONS else say("nation", "全国")
    about = say(f": {labels} ({region}, {notebook})", f"：{labels}（{region}，{notebook}）")
    items = "".join(item for _, _, item in stated)
    summary = f"<summary><strong>{numbers}</strong>{about}</summary>"
    return f'<details class="trace">{summary}<ul>{items}</ul>{known}</details>'


def _row(record: dict | None, found: re.Match) -> str:
    """Return the row of a table that a number is in, as it was recorded; nothing for another result."""
    if not record or not found["column"]:
        return ""
    value, cells = record["value"], []
    levels = len(value["index"])
    rows = {",".join(map(str, row[:levels])) if levels else str(k): row[levels:] for k, row in enumerate(value["data"])}
    for name, cell in zip(value["columns"], rows.get(found["row"], ()), strict=False):
        text = escape(f"{name} = {cell:.6g}" if isinstance(cell, float) else f"{name} = {cell}")
        if cell is not None:
            cells.append(f"<b>{text}</b>" if name == found["column"] else text)
    unit = escape(said(record, "unit", spoken()))
    return f"<code>{escape(found['row'])}</code>{say(': ', '：')}<code>{', '.join(cells)}</code> {unit}"

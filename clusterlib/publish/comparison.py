"""Regions side by side: what each notebook recorded for every region, and the verdicts over all (区域比较)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape, unescape
from pathlib import Path
from typing import Any

from clusterlib.core.language import LANGUAGES, say, speaking, spoken
from clusterlib.core.records import EXECUTED, RESULTS, Place, load_records, parse_json
from clusterlib.core.tables import Cells, set_html, write_value
from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project
from clusterlib.publish.frame import file_of, notebook_titles
from clusterlib.publish.pages import with_scopes
from clusterlib.publish.sections import grid, link, note, picture, write_sections
from clusterlib.regions import REGIONS, Region
from clusterlib.study.claims import VERDICTS_ZH

PAGE, CLAIM = "compare", "claim."
# Longer tables are not set beside each other: each stands in the page of its notebook.
MOST_ROWS = 12
# A number as its notebook shows it, in the text of the executed notebook.
_SHOWN = re.compile(r'class=\\"result\\" title=\\"([a-z0-9_.]+)\\">.*?<strong>(.*?)</strong>')
_QUOTED = re.compile(r'"(\d{2}):([a-z0-9_.]+)')


@dataclass(frozen=True)
class _Run:
    """What a notebook recorded for a region, and its numbers as they are shown there, in each language."""

    place: Place
    region: Region
    records: dict[str, dict[str, Any]] = field(repr=False)
    shown: dict[str, list[str]] = field(repr=False)

    def part(self, name: str, part: str) -> str:
        """Return a text of a record in the language spoken; English where there is none in Chinese."""
        record = self.records[name]
        return str(record.get(say(part, f"{part}_zh")) or record.get(part) or "")

    def figure(self, name: str) -> Path:
        """Return the file of a figure in the language spoken; the English one where there is none in Chinese."""
        path = self.place.folder / self.part(name, "value")
        return path if path.is_file() else self.place.folder / self.records[name]["value"]


@dataclass(frozen=True)
class _Result:
    """One result of a notebook in every region that has it."""

    name: str
    kind: str
    runs: list[_Run] = field(repr=False)

    def label(self) -> str:
        """Return the label; a region that it names and that is another in each run is told by the column."""
        told = [run.records[self.name].get(say("label_en", "label_zh")) or self.name for run in self.runs]
        text = told[0]
        if len({*told}) > 1:
            text = text.replace(_short(self.runs[0].region), say("the region", "该区域"))
        return text[:1].upper() + text[1:]

    def same(self, part: str) -> str:
        """Return a text of the record if it is the same in all regions, else nothing."""
        texts = {run.part(self.name, part) for run in self.runs}
        return texts.pop() if len(texts) == 1 else ""

    @cached_property
    def is_same(self) -> bool:
        """Whether there is nothing to compare: several regions have it, and all the same."""
        keys = ("value", "note") if self.kind == "text" else ("value",)
        found: list[Any] = [[run.records[self.name].get(key) for key in keys] for run in self.runs]
        if self.kind == "figure":
            found = [(run.place.folder / run.records[self.name]["value"]).read_bytes() for run in self.runs]
        return len(self.runs) > 1 and all(value == found[0] for value in found)

    def link(self, run: _Run, page: str, text: str, kind: str = "") -> str:
        """Return a link to where the result stands in a region's page."""
        target = file_of(f"{run.place.region}/{run.place.notebook}", spoken())
        return link(page, f"{target}#result-{self.name}", text, kind)

    def columns(self, page: str) -> list[tuple[_Run, str]]:
        """Return the runs to be shown beside each other, each with a link that says whose it is: one for all alike."""
        if self.is_same:
            return [(self.runs[0], self.link(self.runs[0], page, say("All regions alike", "各区域相同")))]
        return [(run, self.link(run, page, _short(run.region))) for run in self.runs]


def _short(region: Region) -> str:
    return say(region.short_en, region.short_zh)


def _load(project: Project, region: Region, notebook: str) -> _Run | None:
    """Return what a notebook recorded, but for figures whose files are gone; nothing where it is damaged."""
    place = Place(project.reports, region.code, notebook)
    try:
        records = {record["name"]: record for record in load_records(place.folder / RESULTS)["records"]}
        text = (place.folder / EXECUTED).read_text(encoding="utf-8")
    except (ClusterlibError, OSError, ValueError):
        return None
    shown: dict[str, list[str]] = {}
    for name, found in _SHOWN.findall(text):
        shown.setdefault(name, []).append(unescape(str(parse_json(f'"{found}"'))))
    there = {k: r for k, r in records.items() if r["kind"] != "figure" or (place.folder / r["value"]).is_file()}
    return _Run(place, region, there, shown)


def _results(runs: Sequence[_Run]) -> list[_Result]:
    """Return every result of a notebook in the order of its first run, what only others have behind it."""
    kinds = {name: record["kind"] for run in reversed(runs) for name, record in run.records.items()}
    names = dict.fromkeys(name for run in runs for name in run.records)
    having = {name: [run for run in runs if run.records.get(name, {}).get("kind") == kinds[name]] for name in names}
    return [_Result(name, kinds[name], having[name]) for name in names]


def _value(result: _Result, run: _Run, page: str) -> str:
    """Return a number with its digits as shown, or a text, linked to where it stands."""
    value, texts = run.records[result.name]["value"], run.shown.get(result.name, [])
    text = run.part(result.name, "value") if result.kind == "text" else write_value(value, None)
    if texts and result.kind == "number":
        text = texts[min(LANGUAGES.index(spoken()), len(texts) - 1)]
    unit = "" if result.same("unit") else run.part(result.name, "unit")
    return result.link(run, page, f"{text} {unit}".strip(), value.replace(" ", "-") if value in VERDICTS_ZH else "")


def _row(result: _Result, regions: Sequence[Region], page: str, notes: bool) -> str:
    """Return a row of a table: the label, then a cell for each region, or one where all are alike."""
    said = [result.same("unit"), result.same("note") if notes else ""]
    row = f'<tr><th scope="row">{escape(result.label())}{note(say("; ", "；").join(filter(None, said)))}</th>'
    if result.is_same and len(result.runs) == len(regions):
        cell = _value(result, result.runs[0], page) + note(say("All regions alike", "各区域相同"))
        return f'{row}<td colspan="{len(regions)}">{cell}</td></tr>'
    runs = {run.region.code: run for run in result.runs}
    for region in regions:
        run = runs.get(region.code)
        own = run.part(result.name, "note") if run and notes and not result.same("note") else ""
        cell = _value(result, run, page) + note(own) if run else "–"
        row += f'<td data-head="{escape(_short(region))}">{cell}</td>'
    return f"{row}</tr>"


def _table(
    results: Sequence[_Result], caption: str, regions: Sequence[Region], page: str, *, notes: bool = True
) -> str:
    heads = [say("Result", "结果"), *map(_short, regions)]
    return grid(caption, heads, [_row(result, regions, page, notes) for result in results]) if results else ""


def _values(results: Sequence[_Result], regions: Sequence[Region], page: str) -> str:
    """Return a table of the results that differ, and behind a fold those that do not."""
    same = [result for result in results if result.is_same]
    words = say(f"The same in all regions: {len(same)}", f"各区域相同：{len(same)}项")
    caption = say("Results that differ between regions", "各区域不同的结果")
    differing = _table([one for one in results if len(one.runs) > 1 and not one.is_same], caption, regions, page)
    caption = say("Results of one region", "仅一个区域的结果")
    differing += _table([one for one in results if len(one.runs) == 1], caption, regions, page)
    folded = f"<details><summary>{words}</summary>{_table(same, words, regions, page)}</details>" if same else ""
    return differing + folded


def _figures(result: _Result, page: str) -> str:
    sides = []
    for run, where in result.columns(page):
        path = run.figure(result.name)
        alt = run.part(result.name, "alt") or f"{result.label()}{say(', ', '，')}{_short(run.region)}"
        name = path.relative_to(run.place.reports).as_posix()
        sides.append(picture(page, name, alt, path.read_bytes()[:24], where))
    return f'<h3>{escape(result.label())}</h3><ul class="figures">{"".join(sides)}</ul>'


def _tables(result: _Result, page: str) -> str:
    """Return tables beside each other where they are short, and else where each stands."""
    columns = result.columns(page)
    shown: list[Any] = [run.records[result.name].get(say("shown", "shown_zh")) for run, _ in columns]
    label = escape(result.label())
    if not all(table and len(table["rows"]) <= MOST_ROWS for table in shown):
        return f'<p class="result">{label}{say(": ", "：")}{say(", ", "、").join(where for _, where in columns)}</p>'
    tables = [with_scopes(set_html(Cells(**table))) for table in shown]
    sides = [f"<p>{where}</p>{table}" for (_, where), table in zip(columns, tables, strict=True)]
    return f"<details><summary>{label}</summary>{''.join(sides)}</details>"


def _write_notebook(project: Project, notebook: str, title: str, runs: Sequence[_Run]) -> Path:
    page, regions = f"{PAGE}/{notebook}", [run.region for run in runs]
    kinds: dict[str, list[_Result]] = {"text": [], "number": [], "figure": [], "table": []}
    for result in _results(runs):
        kinds[result.kind].append(result)
    trail = [link(page, file_of(PAGE, spoken()), say("All notebooks", "全部笔记本"))]
    trail += [link(page, file_of(f"{run.place.region}/{notebook}", spoken()), _short(run.region)) for run in runs]
    missing = [_short(region) for region in REGIONS.values() if region not in regions]
    absent = note(say("No results of ", "尚无结果：") + say(", ", "、").join(missing)) if missing else ""
    parts = [
        ("", "", f'<p class="about">{" · ".join(trail)}{absent}</p>'),
        ("verdicts", say("Verdicts and texts", "判断与文字"), _values(kinds["text"], regions, page)),
        ("numbers", say("Numbers", "数值"), _values(kinds["number"], regions, page)),
        ("figures", say("Figures", "图"), "".join(_figures(result, page) for result in kinds["figure"])),
        ("tables", say("Tables", "表"), "".join(_tables(result, page) for result in kinds["table"])),
    ]
    return write_sections(project, page, say(f"{title}: regions compared", f"{title}：区域比较"), parts)


def _write_overview(project: Project, notebooks: dict[str, list[_Run]], titles: dict[str, str]) -> Path:
    """Write the page over all: how much differs in each notebook, all verdicts, and the numbers that texts quote."""
    regions = [r for r in REGIONS.values() if any(r == run.region for runs in notebooks.values() for run in runs)]
    texts = [path.read_text(encoding="utf-8") for path in sorted((project.root / "report").glob("*.md"))]
    quoted = {found for text in texts for found in _QUOTED.findall(text)}
    heads = {"number": say("Numbers", "数值"), "text": say("Texts", "文字")}
    heads |= {"figure": say("Figures", "图"), "table": say("Tables", "表")}
    verdicts, numbers, rows = [], [], []
    for notebook, runs in notebooks.items():
        results = _results(runs)
        verdicts += [result for result in results if result.name.startswith(CLAIM) and result.kind == "text"]
        differing = [result for result in results if len(result.runs) > 1 and not result.is_same]
        numbers += [r for r in differing if r.kind == "number" and (notebook[:2], r.name) in quoted]
        counts = {head: sum(result.kind == kind for result in differing) for kind, head in heads.items()}
        cells = "".join(f'<td data-head="{head}">{count}</td>' for head, count in counts.items())
        name = link(PAGE, file_of(f"{PAGE}/{notebook}", spoken()), titles[notebook])
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    # By the numbers of the statements, with which their labels begin.
    verdicts.sort(key=lambda result: [int(number) for number in re.findall(r"\d+", result.label().partition(" ")[0])])
    counted = say("How many results differ between regions", "各区域不同的结果数")
    judged = say("The essay's statements, judged for each region", "各区域对原文论断的判断")
    cited = say("Numbers that report and briefs quote and that differ", "研究报告与简报所引且各区域不同的数值")
    parts = [
        ("verdicts", say("Verdicts", "判断"), _table(verdicts, judged, regions, PAGE, notes=False)),
        ("numbers", say("Key numbers", "主要数值"), _table(numbers, cited, regions, PAGE)),
        (
            "notebooks",
            say("By notebook", "分笔记本"),
            grid(counted, [say("Notebook", "笔记本"), *heads.values()], rows),
        ),
    ]
    return write_sections(project, PAGE, say("Regions compared", "区域比较"), parts)


def write_comparison(project: Project) -> list[Path]:
    """Write regions side by side: a page over all notebooks and one for each, in both languages.

    Parameters
    ----------
    project : Project
        Whose reports hold the results.

    Returns
    -------
    list of Path
        The pages; none where nothing has been run.

    Examples
    --------
    >>> write_comparison(get_project())  # doctest: +SKIP
    """
    found = {path.parent.name for code in REGIONS for path in project.reports.glob(f"{code}/*/{RESULTS}")}
    notebooks: dict[str, list[_Run]] = {}
    for notebook in sorted(found & notebook_titles(project).keys()):
        runs = [run for region in REGIONS.values() if (run := _load(project, region, notebook))]
        notebooks |= {notebook: runs} if runs else {}
    known, written = notebook_titles(project), []
    for language in LANGUAGES if notebooks else ():
        with speaking(language):
            titles = {name: known.get(name, {}).get(language, name) for name in notebooks}
            written.append(_write_overview(project, notebooks, titles))
            written += [_write_notebook(project, name, titles[name], runs) for name, runs in notebooks.items()]
    return written

"""Two runs side by side: what they recorded, their figures, notebooks, settings and packages (两次运行比较)."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clusterlib.core.files import written_in_place
from clusterlib.core.language import LANGUAGES, say, speaking
from clusterlib.core.records import EXECUTED, RESULTS, RUN, RUN_FORM, load_records, parse_json, read_json
from clusterlib.core.tables import format_number
from clusterlib.errors import UnknownNameError
from clusterlib.paths import DEFAULT_RUN, NAMED_RUNS, REPORTS, Project
from clusterlib.publish.frame import notebook_titles
from clusterlib.publish.sections import grid, note, picture, write_sections

# A result by region, notebook and name, and of a table the cell.
Key = tuple[str, str, str, str]
# Rows of changes that a notebook's section shows.
MOST_CHANGES = 300
_PNG = b"\x89PNG\r\n\x1a\n"


def find_reports(project: Project, run: str) -> Path:
    """Return the folder of a run, given by its name, as ``default``, or as a folder of reports.

    Raises
    ------
    UnknownNameError
        If there is no such run or folder.
    """
    reports = project.reports if run == DEFAULT_RUN else project.root / REPORTS / NAMED_RUNS / run
    for folder in (reports, Path(run)):
        if any(folder.glob(f"*/*/{RESULTS}")):
            return folder
    names = sorted(path.name for path in (project.root / REPORTS / NAMED_RUNS).glob("[!.]*"))
    raise UnknownNameError("run", run, [DEFAULT_RUN, *names], "or a folder of reports with results in it")


def read_records(reports: Path) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Return what every notebook of a run recorded by region and notebook, each result by its name."""
    paths = [path.parent for path in sorted(reports.glob(f"*/*/{RESULTS}")) if not path.parent.name.endswith(".failed")]
    return {(f.parent.name, f.name): {r["name"]: r for r in load_records(f / RESULTS)["records"]} for f in paths}


def read_values(reports: Path) -> dict[Key, object]:
    """Return every recorded number and text and every cell of a table by its place."""
    found: dict[Key, object] = {}
    for (region, notebook), records in read_records(reports).items():
        for name, record in records.items():
            if record["kind"] == "table":
                found |= {(region, notebook, name, cell): value for cell, value in _cells(record["value"])}
            elif record["kind"] != "figure":
                found[region, notebook, name, ""] = record["value"]
    return found


def _cells(table: dict) -> Iterator[tuple[str, object]]:
    levels = len(table["index"])
    labels = [", ".join(map(str, row[:levels])) for row in table["data"]]
    if not levels or len(set(labels)) < len(labels):
        labels = [f"{number}: {label}" for number, label in enumerate(labels)]
    for label, row in zip(labels, table["data"], strict=True):
        for column, value in zip(table["columns"], row[levels:], strict=True):
            yield f"{label}; {column}", value


def compare(before: Path, after: Path, rtol: float = 1e-9) -> tuple[list[Key], list[Key], dict[Key, tuple], int]:
    """Compare two folders of reports; numbers that differ by less than ``rtol`` of the larger are the same.

    Returns
    -------
    list, list, dict, int
        What is gone, what is new, the values that differ by their place, and how many were compared.
    """
    old, new = read_values(before), read_values(after)
    both = [key for key in old if key in new]
    differing = {key: (old[key], new[key]) for key in both if not _same(old[key], new[key], rtol)}
    return [key for key in old if key not in new], [key for key in new if key not in old], differing, len(both)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(old: object, new: object, rtol: float) -> bool:
    if _is_number(old) and _is_number(new):
        return math.isclose(old, new, rel_tol=rtol, abs_tol=1e-12)  # type: ignore[arg-type]
    return old == new and type(old) is type(new)


def place_of(key: Key) -> str:
    """Return what people call the place of a value.

    Examples
    --------
    >>> place_of(("yrd", "05_inequality", "gini", "2023; total"))
    'yrd/05_inequality gini [2023; total]'
    """
    region, notebook, name, cell = key
    return f"{region}/{notebook} {name}" + (f" [{cell}]" if cell else "")


def list_alone(keys: list[Key], other: Path) -> list[str]:
    """Return the places of values that the other run has not, and one for each notebook that it has not run."""
    run = {place: other.joinpath(*place, RESULTS).exists() for place in {key[:2] for key in keys}}
    found = Counter(place_of(key) if run[key[:2]] else "/".join(key[:2]) for key in keys)
    return [place if " " in place else f"{place}, all {number} value(s)" for place, number in found.items()]


def _change(old: Any, new: Any, digits: int = 6) -> tuple[str, str]:
    """Return by how much a number differs, absolutely and relative to the first; nothing where there is no such."""
    if not (_is_number(old) and _is_number(new)):
        return "", ""
    return f"{new - old:+.{digits}g}", f"{(new - old) / abs(old):+.{digits // 2}%}" if old else ""


def describe(old: object, new: object) -> str:
    """Say how a value differs: of numbers by how much, absolutely and relative to the first."""
    change = ", ".join(filter(None, _change(old, new)))
    return f"{old!r} -> {new!r}" + (f" ({change})" if change else "")


def _size(values: tuple[Any, Any]) -> float:
    """Return how large a change is, relative to the first value: texts and what was zero come before all others."""
    old, new = values
    return abs((new - old) / old) if _is_number(old) and _is_number(new) and old else math.inf


def _rows(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Return rows of a table, each a head that is HTML and texts."""
    cells = [
        "".join(
            f'<td data-head="{escape(head)}">{escape(text)}</td>' for head, text in zip(heads[1:], row[1:], strict=True)
        )
        for row in rows
    ]
    return [f'<tr><th scope="row">{row[0]}</th>{rest}</tr>' for row, rest in zip(rows, cells, strict=True)]


class _Pair:
    """Two runs, and the page that shows what differs between them."""

    def __init__(self, project: Project, before: str, after: str, rtol: float) -> None:
        self.project = project
        self.names = [Path(run).name or "reports" for run in (before, after)]
        if self.names[0] == self.names[1]:
            self.names = ["-".join(Path(run).parts[-2:]) for run in (before, after)]
        self.folders = [find_reports(project, run) for run in (before, after)]
        self.gone, self.new, self.differing, self.compared = compare(self.folders[0], self.folders[1], rtol)
        self.records = [read_records(folder) for folder in self.folders]
        self.runs = [
            {place: read_json(folder.joinpath(*place) / RUN, RUN_FORM) or {} for place in records}
            for folder, records in zip(self.folders, self.records, strict=True)
        ]
        slugs = [re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run" for name in self.names]
        self.page = f"compare/{'-'.join(slugs)}"
        self.both = [place for place in self.records[0] if place in self.records[1]]

    def said(self, key: Key, value: object, which: int) -> str:
        """Return a value for people: a text in the language spoken."""
        region, notebook, name, cell = key
        if value is None:
            return "–"
        if isinstance(value, str) and not cell:
            record = self.records[which][region, notebook][name]
            value = record.get(say("value", "value_zh")) or value
        return format_number(value) if isinstance(value, (int, float)) else str(value)

    def label(self, *keys: Key) -> str:
        """Return what a result is called, as HTML: its label, then regions, name and the cell of a table."""
        region, notebook, name, cell = keys[0]
        record = {k: v for found in self.records for k, v in found.get((region, notebook), {}).get(name, {}).items()}
        said = record.get(say("label_en", "label_zh")) or name
        return escape(said) + note(f"{', '.join(key[0] for key in keys)} · {name}" + (f" [{cell}]" if cell else ""))

    def about(self) -> str:
        """Return what each run was: when, of which commit, with which parameters, and the packages that differ."""
        heads, columns = [say("What", "项目"), *self.names], []
        for runs in self.runs:
            known = [run for run in runs.values() if run]
            started = sorted(run["started_at"] for run in known)
            changed = {f"{name} = {run['parameters'].get(name)!r}" for run in known for name in run["changed"]}
            packages = sorted({(name, version) for run in known for name, version in run["packages"].items()})
            columns.append(
                {
                    say("Notebooks run", "笔记本运行数"): [str(len(runs))],
                    say("Begun", "开始时间"): [f"{time[:16].replace('T', ' ')} UTC" for time in started[:1]],
                    say("Commit", "版本"): sorted({run["commit"][:12] for run in known}),
                    say("Parameters set", "所设参数"): sorted(changed),
                    "Python": sorted({run["python"] for run in known}),
                    **{name: [version for one, version in packages if one == name] for name, _ in packages},
                }
            )
        asked = list(dict.fromkeys(name for column in columns for name in column))
        texts = {name: [", ".join(column.get(name, [])) or "–" for column in columns] for name in asked}
        # Of versions those that are the same say nothing.
        shown = [name for k, name in enumerate(asked) if k < 4 or texts[name][0] != texts[name][1]]
        caption = say("Of packages those that differ", "软件包仅列不同者")
        return grid(caption, heads, _rows(heads, [[escape(name), *texts[name]] for name in shown]))

    def changes(self, notebook: str) -> str:
        """Return the values of a notebook that differ, the largest change first; a row for regions that are alike."""
        found: dict[tuple, list[Key]] = {}
        for key, values in self.differing.items():
            if key[1] == notebook:
                found.setdefault((key[2:], values), []).append(key)
        largest = sorted(found.items(), key=lambda item: (-_size(item[0][1]), item[1]))
        heads = [say("Result", "结果"), *self.names, say("Change", "变化"), say("Relative", "相对变化")]
        rows = []
        for (_, (old, new)), keys in largest[:MOST_CHANGES]:
            said = [self.said(keys[0], value, which) for which, value in enumerate((old, new))]
            change, relative = _change(old, new, 3)
            rows.append([self.label(*keys), *said, change or "–", relative or "–"])
        caption = say(f"Values that differ: {len(found)}", f"不同的数值与文字：{len(found)}项")
        more = say(
            f"Shown are the {MOST_CHANGES} largest changes; the command clusterlib compare lists all.",
            f"仅列变化最大的{MOST_CHANGES}项；命令clusterlib compare列出全部。",
        )
        table = grid(caption, heads, _rows(heads, rows)) if rows else ""
        return table + (note(more) if len(found) > MOST_CHANGES else "")

    def alone(self, notebook: str) -> str:
        """Return the results of a notebook that only one run has."""
        parts = []
        for keys, word in ((self.gone, say("Gone", "缺失")), (self.new, say("New", "新增"))):
            results: dict[str, dict[Key, None]] = {}
            for region, one, name, _ in keys:
                if one == notebook:
                    results.setdefault(name, {})[region, one, name, ""] = None
            items = "".join(f"<li>{self.label(*found)}</li>" for found in [*results.values()][:MOST_CHANGES])
            words = f"{word}{say(': ', '：')}{len(results)}"
            parts.append(f"<details><summary>{words}</summary><ul>{items}</ul></details>" if items else "")
        return "".join(parts)

    def figures(self, notebook: str) -> str:
        """Return the figures of both runs beside each other where their bytes differ; one pair for regions alike."""
        pairs: dict[tuple, list[tuple[Key, list[Path], str]]] = {}
        for place in (place for place in self.both if place[1] == notebook):
            old, new = (found[place] for found in self.records)
            for name in (name for name in old if old[name]["kind"] == new.get(name, {}).get("kind") == "figure"):
                files = [record.get(say("value", "value_zh")) or record["value"] for record in (old[name], new[name])]
                paths = [folder.joinpath(*place, file) for folder, file in zip(self.folders, files, strict=True)]
                contents = tuple(path.read_bytes() if path.is_file() else b"" for path in paths)
                if contents[0] != contents[1]:
                    alt = new[name].get(say("alt", "alt_zh")) or name
                    pairs.setdefault((name, contents), []).append(((*place, name, ""), paths, alt))
        parts = []
        for (_, contents), found in pairs.items():
            _, paths, alt = found[0]
            sides = [self.side(k, path, contents[k], alt) for k, path in enumerate(paths)]
            label = self.label(*(key for key, _, _ in found))
            parts.append(f'<h3>{label}</h3><ul class="figures">{"".join(sides)}</ul>')
        return "".join(parts)

    def side(self, which: int, path: Path, content: bytes, alt: str) -> str:
        """Return the figure of one run; one that lies outside the reports is copied beside the page."""
        name = self.names[which]
        if not content.startswith(_PNG):
            return f"<li>{escape(name)}{say(': no picture', '：无图片')}</li>"
        place = f"{self.page}/{which}.{'.'.join(path.parts[-4:-2])}.{path.name}"
        if path.is_relative_to(self.project.reports):
            place = path.relative_to(self.project.reports).as_posix()
        else:
            with written_in_place(self.project.reports / place) as scratch:
                scratch.write_bytes(content)
        return picture(self.page, place, f"{name}{say(': ', '：')}{alt}", content[:24], escape(name))

    def code(self, notebook: str) -> str:
        """Return how the cells of a notebook differ.

        Cells keep their identifiers, so that the lines of each say it all. nbdime would set outputs beside them, which
        are compared as records here, in an application of its own and for five packages more.
        """
        place = next((place for place in self.both if place[1] == notebook), ("", ""))
        old, new = (_sources(folder.joinpath(*place, EXECUTED)) for folder in self.folders)
        parts = []
        for cell in dict.fromkeys([*old, *new]):
            lines = [*difflib.unified_diff(old.get(cell, []), new.get(cell, []), n=2, lineterm="")][2:]
            if lines:
                tags = [{"+": "ins", "-": "del"}.get(line[0], "span") for line in lines]
                marked = "\n".join(f"<{tag}>{escape(line)}</{tag}>" for tag, line in zip(tags, lines, strict=True))
                parts.append(f'<p><code>{escape(cell)}</code></p><pre class="output" tabindex="0">{marked}</pre>')
        words = say(f"Cells that differ: {len(parts)}", f"不同的单元格：{len(parts)}个")
        return f"<details><summary>{words}</summary>{''.join(parts)}</details>" if parts else ""


def _sources(path: Path) -> dict[str, list[str]]:
    """Return the lines of a notebook's own cells by their identifiers; nothing where there is no notebook."""
    try:
        cells = parse_json(path.read_text(encoding="utf-8"))["cells"]
        own = [cell for cell in cells if "injected-parameters" not in cell["metadata"].get("tags", [])]
        return {str(cell.get("id", number)): "".join(cell["source"]).splitlines() for number, cell in enumerate(own)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_runs(project: Project, before: str, after: str, rtol: float = 1e-9) -> list[Path]:
    """Write a page on what differs between two runs, in both languages, below ``compare/`` in the project's reports.

    Parameters
    ----------
    project : Project
    before, after : str
        Each the name of a run, ``default``, or a folder of reports, of which nothing is trusted.
    rtol : float
        Relative difference below which numbers are the same.

    Returns
    -------
    list of Path

    Raises
    ------
    UnknownNameError
        If there is no such run or folder.
    ClusterlibError
        If results of one are damaged.

    Examples
    --------
    >>> write_runs(get_project(), "default", "wide")  # doctest: +SKIP
    """
    pair, written = _Pair(project, before, after, rtol), []
    notebooks = sorted({notebook for records in pair.records for _, notebook in records})
    titles = notebook_titles(project)
    for language in LANGUAGES:
        with speaking(language):
            counts = say(
                f"{len(pair.differing)} of {pair.compared} values differ, {len(pair.gone)} gone, {len(pair.new)} new.",
                f"共比较{pair.compared}项，{len(pair.differing)}项不同，缺失{len(pair.gone)}项，新增{len(pair.new)}项。",
            )
            parts = [("", "", f"<p>{counts}</p>"), ("runs", say("The two runs", "两次运行"), pair.about())]
            for notebook in notebooks:
                body = "".join(make(notebook) for make in (pair.changes, pair.alone, pair.figures, pair.code))
                parts.append((f"n-{quote(notebook)}", titles.get(notebook, {}).get(language, notebook), body))
            title = say("{} and {} compared", "{}与{}的比较").format(*pair.names)
            written.append(write_sections(project, pair.page, title, parts))
    return written

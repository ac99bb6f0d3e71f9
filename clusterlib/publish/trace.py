"""From a result to what it was made from: its cell, its parameters and the raw rows that were read (溯源)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from typing import Any

from clusterlib.core.language import say, speaking, spoken
from clusterlib.core.reads import Read
from clusterlib.data._columns import LEVELS
from clusterlib.data._origins import CATALOGUE_FILE, Group, Origins, origins_of
from clusterlib.data._own import OWN
from clusterlib.paths import get_project
from clusterlib.publish.frame import file_of
from clusterlib.publish.rows import anchor_of, describe_boundaries, describe_sources, link_to, title_of
from clusterlib.regions import REGIONS

# More indicators of a level, or rows of a table, than are told one by one, and more units than are named.
_MOST, _MOST_UNITS = 12, 3


def trace(record: dict[str, Any], run: dict[str, Any], results: dict[str, Any], page: str, language: str) -> str:
    """Return the panel that opens under a result of a notebook, as HTML.

    Parameters
    ----------
    record : dict
        An entry of ``records`` in ``results.json``.
    run, results : dict
        The whole ``run.json`` and ``results.json`` of the notebook.
    page : str
        Where the panel stands, such as ``"yrd/06_spatial"``: links are relative to it.
    language : {"en", "zh"}

    Returns
    -------
    str
        Value, parameters, cells, commit, time and raw rows; without rows of a run that did not tell what it read, and
        nothing of a result that ``results`` does not hold.

    Raises
    ------
    DataNotBuiltError
        If the processed data have not been built.

    Examples
    --------
    >>> trace(record, run, results, "yrd/06_spatial", "en")[:22]  # doctest: +SKIP
    '<details class="trace"'
    """
    own, shared = follow(record, run, results, page, language)
    name, opens = escape(record["name"]), {"en": "Raw rows and parameters", "zh": "原始数据与参数"}[language]
    known = set_terms([*own, *shared])
    return known and f'<details class="trace" id="trace-{name}"><summary>{opens}</summary>{known}</details>'


def follow(
    record: dict[str, Any], run: dict[str, Any], results: dict[str, Any], page: str, language: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return terms and what is said of each, as :func:`trace` sets them: of a result itself, and of run and raw rows.

    The second are the same for results that rest on the same rows.
    """
    # As it is shown a result does not tell what is behind it.
    record = next((entry for entry in results.get("records", ()) if entry["name"] == record["name"]), {})
    if not record:
        return [], []
    with speaking(language):
        up = "../" * page.count("/")
        own, shared = list(_about(record, results, page)), list(list_run(run))
        if "reads" in record:
            origins = origins_of(get_project())
            # Lines are told of the files that the run was made from, and of no others.
            made_from = results["data"]
            files = {*made_from, *origins.hashes}
            changed = frozenset(file for file in files if made_from.get(file, "") != origins.hash_of(file))
            reads = tuple(results["reads"][k] for k in record["reads"])
            shared += _rows(origins, reads, changed, up, language, _units_of(record))
    return own, shared


def set_terms(told: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms as HTML, without those of which nothing is said."""
    terms = "".join(f"<dt>{term}</dt><dd>{said}</dd>" for term, said in told if said)
    return terms and f"<dl>{terms}</dl>"


def _list(parts: Iterable[str]) -> str:
    return say(", ", "、").join(parts)


def _about(record: dict, results: dict, page: str) -> Iterator[tuple[str, str]]:
    """Yield what is known of a result beside its rows."""
    own, up = f"{results['region']}/{results['notebook']}", "../" * page.count("/")
    here = "" if page == own else up + file_of(own, spoken())

    def link(kind: str, name: str, text: str = "") -> str:
        return f'<a href="{here}#{kind}-{escape(name)}">{escape(text or name)}</a>'

    yield say("Value", "数值"), escape(_value(record))
    file = f'<a href="{up}{escape(own)}/notebook.ipynb">{escape(results["notebook"])}</a>'
    line = say(", line {}", "，第{}行").format(record["line"]) if record.get("line") else ""
    yield say("Cell", "单元格"), f"{link('cell', record['cell'])}{line}{say(' of ', '，')}{file}"
    behind = record.get("cells", ())
    yield say("Cells behind it", "所依据的单元格"), _list(link("cell", cell) for cell in behind)
    if record["name"].startswith("claim."):
        label = say("label_en", "label_zh")
        others = [other for other in results["records"] if other["cell"] in behind]
        links = (link("result", other["name"], other.get(label, "")) for other in others)
        yield say("Results of these cells", "上述单元格登记的结果"), _list(links)


def list_run(run: dict) -> Iterator[tuple[str, str]]:
    """Yield parameters, commit and time of a run, as terms and what is said of each."""
    parameters = []
    for name, value in run["parameters"].items():
        text = f"<code>{escape(f'{name} = {json.dumps(value, ensure_ascii=False)}', quote=False)}</code>"
        new = name in run["changed"]
        parameters.append(f"<mark>{text} {say('set for this run', '本次运行另设')}</mark>" if new else text)
    yield say("Parameters", "参数"), _list(parameters)
    commit, time = run["commit"], escape(run["started_at"])
    known = f"<code>{escape(commit[:12])}</code>" if commit else say("not under version control", "未纳入版本控制")
    local = say(", with local changes", "，另有本地修改") if commit.endswith("+") else ""
    shown = time.replace("T", " ").replace("+00:00", " UTC")
    yield say("Run", "运行"), f'{known}{local}{say(", ", "，")}<time datetime="{time}">{shown}</time>'


def _value(record: dict) -> str:
    """Return a value as it was recorded, with its unit and what its note says, such as an interval."""
    value, ending = record["value"], say("", "_zh")
    if record["kind"] == "table":
        size = len(value["data"]), len(value["columns"])
        return say("table of {} rows and {} columns", "表格，{}行{}列").format(*size)
    if record["kind"] == "figure":
        return ""
    shown = record.get(f"value{ending}") or value if record["kind"] == "text" else value
    parts = f"{shown} {record.get(f'unit{ending}') or ''}".strip(), record.get(f"note{ending}")
    return say("; ", "；").join(filter(None, parts))


def _units_of(record: dict) -> tuple[tuple[str, int], ...]:
    """Return the units of a table's rows, each with its year or nought, if they are few."""
    value = record["value"]
    if record["kind"] != "table" or value["index"][:1] not in (["adcode"], ["economy"]) or len(value["data"]) > _MOST:
        return ()
    return tuple((str(row[0]), row[1] if value["index"][1:2] == ["year"] else 0) for row in value["data"])


@lru_cache(maxsize=1024)
def _rows(
    origins: Origins, reads: tuple, changed: frozenset, up: str, language: str, units: tuple
) -> list[tuple[str, str]]:
    """Return the raw rows behind a result by level, the lists, and who published them."""
    term = say("Raw rows", "原始数据行")
    try:
        found = origins.find(reads)
    except KeyError:
        gone = any(Read.parse(read).table not in origins.own for read in reads if read.startswith(OWN))
        return [(term, _stale("data/own/catalogue.csv" if gone else CATALOGUE_FILE))]
    if any(Read.parse(read).table in LEVELS for read in reads) and CATALOGUE_FILE in changed:
        return [(term, _stale(CATALOGUE_FILE))]
    told = []
    for level in dict.fromkeys([*LEVELS, *(table for table, name in found if name)]):
        groups = {name: each for (table, name), each in found.items() if table == level}
        few = len(groups) <= _MOST
        lines = (_by_indicator if few else _by_file)(origins, level, groups, changed, up, units)
        told.append((say(f"{term}: {title_of(level).lower()}", f"{term}：{title_of(level)}"), _items(lines)))
    lists = [
        f'<a href="{up}{link_to(table, anchor=anchor_of(each[0].file, each[0].lines[0]))}">{title_of(table)}</a>'
        f"{say(': ', '：')}{_lines(each[0], changed)}"
        for (table, name), each in found.items()
        if not name
    ]
    if any(read.startswith("boundaries_") for read in reads):
        lists.append(describe_boundaries(origins))
    told.append((say("Lists and maps", "名单与地图"), _items(lists)))
    sources = dict.fromkeys(key for groups in found.values() for group in groups for key in group.sources)
    told.append((say("Publishers and terms", "发布者与使用条件"), describe_sources(origins, sources)))
    return (
        told if any(said for _, said in told) else [(term, say("none: no data were read for it", "无：未读入任何数据"))]
    )


def _items(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _stale(file: str) -> str:
    said = say("has changed since the run: run the notebook again", "在运行之后有改动，请重新运行笔记本")
    return f"<code>{escape(file)}</code> {said}"


def _lines(group: Group, changed: frozenset) -> str:
    """Return the number of rows, the file and the lines, or that the file is another by now."""
    if group.file in changed:
        return _stale(group.file)
    count, first, last = len(group.lines), group.lines[0], group.lines[-1]
    file = f"<code>{escape(group.file.removeprefix('data/raw/'))}</code>"
    if count == 1:
        return say(f"{file} line {first}", f"{file}第{first}行")
    among = last - first >= count
    rows = say(f"{count:,} rows{' among' if among else ','}", f"{count:,}行，{'位于' if among else '即'}")
    return say(f"{rows} {file} lines {first}–{last}", f"{rows}{file}第{first}—{last}行")


def _place(origins: Origins, level: str, groups: Iterable[Group]) -> str:
    """Return the units and years of rows."""
    each, level = list(groups), level.removeprefix(OWN)
    units, years = {unit for group in each for unit in group.units}, {year for group in each for year in group.years}
    regions = REGIONS.values() if level in ("province", "city", "pair") else ()
    known = {region: {*map(str, region.adcodes("province" if level == "province" else "city"))} for region in regions}
    region = next((region for region, codes in known.items() if units <= codes), None)
    many = title_of("city" if level == "pair" else level)
    many = say(f"{len(units)} {many.lower()}", f"{len(units)}个{many}")
    if len(units) <= _MOST_UNITS:
        many = _list(escape(origins.name(unit)) for unit in sorted(units))
    elif region:
        many = say(f"{many} of {region.name_en}", f"{region.name_zh}{many}")
    span = sorted({min(years), max(years)})
    return f"{many}{say(', ', '，')}{say('–', '—').join(map(str, span))}"


def _by_indicator(
    origins: Origins, level: str, groups: Mapping[str, list[Group]], changed: frozenset, up: str, units: tuple
) -> Iterator[str]:
    """Yield a line for each indicator; of a table of units with links to their rows."""
    for name, each in groups.items():
        about, (first, *_) = origins.entry(level, name), each
        title, table = escape(about[say("name_en", "name_zh")]), f"{level}.{name}" if level.startswith(OWN) else level
        # Of all rows of the page its beginning is shown, which says what they are.
        some = sum(len(group.lines) for group in each) < int(about["cells"])
        unit = len(first.units) == 1 < len(first.lines)
        anchor = (f"u{first.units[0]}" if unit else anchor_of(first.file, first.lines[0])) if some else ""
        to = {}
        for unit, year in units if len(groups) <= _MOST_UNITS else ():
            own = origins.find((Read.of(table, [name], [unit], [year] if year else None).text,)).get((level, name))
            if own and unit in first.units:
                text = f"{origins.name(unit)} {year or ''}".strip()
                to[text] = anchor_of(own[0].file, own[0].lines[0]) if year else f"u{unit}"
        links = _list(f'<a href="{up}{link_to(level, name, mark)}">{escape(text)}</a>' for text, mark in to.items())
        parts = [_place(origins, level, each), *(_lines(group, changed) for group in each), links]
        said = say("; ", "；").join(filter(None, parts))
        yield f'<a href="{up}{link_to(level, name, anchor)}">{title}</a>{say(": ", "：")}{said}'


def _by_file(
    origins: Origins, level: str, groups: Mapping[str, list[Group]], changed: frozenset, up: str, units: tuple
) -> Iterator[str]:
    """Yield a line for each file."""
    files: dict[str, dict[str, Group]] = {}
    for name, each in groups.items():
        for group in each:
            files.setdefault(group.file, {})[name] = group
    for file, found in sorted(files.items()):
        titles = {name: escape(origins.entry(level, name)[say("name_en", "name_zh")]) for name in found}
        links = _list(f'<a href="{up}{link_to(level, name)}">{title}</a>' for name, title in titles.items())
        lines = sorted(line for group in found.values() for line in group.lines)
        place = _place(origins, level, found.values())
        yield say("; ", "；").join([links, place, _lines(Group(file, (*lines,), (), (), ()), changed)])

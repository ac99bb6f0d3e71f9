"""Pages of the raw rows: every figure can be followed to the line of the file that it stands on (原始数据页)."""

from __future__ import annotations

import filecmp
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path, PurePosixPath

from clusterlib.core.files import write_text, written_in_place
from clusterlib.core.language import LANGUAGES, say, speaking, spoken
from clusterlib.data._columns import KEYS, LEVELS, raw_files
from clusterlib.data._formulas import formula_inputs
from clusterlib.data._origins import Origins, Rows
from clusterlib.data._own import ORIGIN_COLUMNS, OWN, facts_path, own_read, split_table
from clusterlib.paths import Project
from clusterlib.publish.frame import file_of, frame

# Not called after a module: a change of it must not make notebooks stale that load the module.
STYLE = "rawdata.css"
# Place, title and body.
Page = tuple[str, str, str]
_TITLES = {
    "province": ("Provinces", "省份"), "city": ("Cities", "城市"), "county": ("County-level cities", "县级市"),
    "economy": ("Economies", "经济体"), "pair": ("Pairs of cities", "城市对"),
    "clusters": ("Lists of industrial clusters", "产业集群名单"),
    "cluster_counts": ("Published numbers of clusters", "产业集群公布数量"),
    "policies": ("Places of pilot policies", "试点政策名单"),
    "boundary_changes": ("Changes of administrative boundaries", "行政区划变更"),
    "unit_history": ("Codes of administrative units since 1980", "行政区划代码沿革（1980年以来）"),
    "units": ("Administrative units", "行政区划代码"), "economies": ("Names of economies", "经济体名称"),
    "sources": ("Sources", "资料来源"), "catalogue": ("Catalogue of indicators", "指标目录"),
}  # fmt: skip
_OWN_TERMS = ("imported; not to be passed on unless its publisher allows it", "自行导入，未经发布者许可不得转发")
_LISTS = [table for table in _TITLES if table not in LEVELS]


def title_of(table: str) -> str:
    """Return what a level or list is called in the language spoken; ``"own.city"`` are imported figures of cities."""
    title = say(*_TITLES[table.removeprefix(OWN)])
    return say(f"{title}, imported figures", f"{title}自有数据") if table.startswith(OWN) else title


def link_to(table: str, indicator: str = "", anchor: str = "") -> str:
    """Return the address of a page of raw rows in the language spoken, from the reports folder.

    Examples
    --------
    >>> link_to("city", "gdp", anchor_of("data/raw/city/output.csv", 12))
    'data/city/gdp.html#output-L12'
    """
    place = f"data/{table.replace('.', '/')}/{indicator}" if indicator else f"data/{table}"
    return file_of(place, spoken()) + (f"#{anchor}" if anchor else "")


def anchor_of(file: str, line: int) -> str:
    """Return the anchor of a row on its page."""
    return f"{PurePosixPath(file).stem}-L{line}"


def describe_sources(origins: Origins, keys: Iterable[str]) -> str:
    """Return title, publisher and terms of sources in the language spoken, as HTML, those of like terms together.

    What is no key of a source is the citation of one that somebody imported.
    """
    alike: dict[str, list[str]] = {}
    for key in keys:
        if key not in origins.sources:
            alike.setdefault(say(*_OWN_TERMS), []).append(escape(key))
            continue
        row = origins.sources[key]
        title, ending = escape(row[say("title_en", "title_zh")]), say("", "_zh")
        if row["url"].startswith(("https://", "http://")):
            title = f'<a href="{escape(row["url"])}">{title}</a>'
        said = f"{title}{say(', ', '，')}{escape(row[f'publisher{ending}'])}"
        alike.setdefault(escape(row[f"licence{ending}"]), []).append(said)
    told = [
        say("; ", "；").join(each) + say(f" (terms: {terms})", f"（使用条件：{terms}）")
        for terms, each in alike.items()
    ]
    return f"<ul>{''.join(f'<li>{one}</li>' for one in told)}</ul>" if told[1:] else "".join(told)


def describe_boundaries(origins: Origins) -> str:
    """Return where the boundaries of maps come from in the language spoken, as HTML."""
    source, number = (origins.boundaries[part] for part in ("source", "approval_number"))
    return f"{say('Boundaries: ', '边界：')}{_english(source)}{say('; ', '；')}{escape(number)}"


def _language(column: str, row: Mapping[str, str]) -> str:
    """Return the mark of a cell of a list that is in the other language than the page."""
    if re.search("[\u4e00-\u9fff]", row[column]):
        return say(' lang="zh-Hans"', "")
    english = column.endswith("_en") or f"{column}_zh" in row or column in ("definition", "vintage", "note")
    return say("", ' lang="en"') if english and row[column] else ""


def _english(text: str) -> str:
    """Return what is told in English alone, marked as such where the other language is spoken."""
    return say(escape(text), f'<span lang="en">{escape(text)}</span>') if text else ""


def _table(heads: Iterable[str], rows: Iterable[str], title: str, kind: str = "", *, headed: bool = False) -> str:
    """Return a table under its title, which a heading above it may tell already."""
    cells = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    caption = "" if headed else f"<caption>{escape(title)}</caption>"
    wide = " wide" if kind else ""  # in print
    return (
        f'<div class="table-wrap{wide}" tabindex="0" role="region" aria-label="{escape(title)}">'
        f'<table class="rows{kind}">{caption}<thead><tr>{cells}</tr></thead><tbody>\n'
        f"{''.join(rows)}</tbody></table></div>"
    )


def _links(origins: Origins, level: str, names: Iterable[str]) -> str:
    """Return links to indicators of a level from a page beside theirs."""
    titles = {name: escape(origins.indicators[level][name][say("name_en", "name_zh")]) for name in names}
    return say(", ", "、").join(f'<a href="{file_of(name, spoken())}">{title}</a>' for name, title in titles.items())


def _about(origins: Origins, level: str, name: str) -> str:
    """Return what the catalogue tells of an indicator, as HTML; what it tells in English alone is marked as such."""
    row, known = origins.entry(level, name), origins.indicators.get(level, {})
    inputs = formula_inputs(row["formula"])
    used = [other for other in known if name in formula_inputs(known[other]["formula"])]
    told = {
        say("Code", "代码"): f"<code>{name}</code>",
        say("Definition", "定义"): _english(row["definition"]),
        say("Unit", "单位"): escape(row[say("unit", "unit_zh")]),
        say("Formula", "公式"): f"<code>{escape(row['formula'])}</code>" if inputs else "",
        say("Computed from", "计算所用指标"): _links(origins, level, inputs),
        say("Years", "年份"): "" if inputs else f"{row['first_year']}{say('–', '—')}{row['last_year']}",
        say("Rows", "行数"): "" if inputs else f"{int(row['cells']):,}",
        say("Used in", "用于计算"): _links(origins, level, used),
        say("Source", "来源"): describe_sources(origins, row["source"].split(";") if known else [row["source"]]),
        say("Vintage", "数据版本"): _english(row["vintage"]),
        say("Breaks", "口径变化"): escape(row[say("breaks", "breaks_zh")]),
    }
    return f"<dl>{''.join(f'<dt>{term}</dt><dd>{said}</dd>' for term, said in told.items() if said)}</dl>"


def _fact_rows(
    origins: Origins, level: str, stem: str, rows: Rows, seen: set[str], columns: Iterable[str] = ("source",)
) -> Iterator[str]:
    """Yield an indicator's rows in a file as HTML; the first of each unit has the unit's anchor."""
    for line, row in rows.items():
        cells = ""
        for k, key in enumerate(KEYS[level]):
            mark = "" if k or row[key] in seen else f' id="u{escape(row[key])}"'
            cells += f"<td{mark}>{escape(row[key])}<td>{escape(origins.name(row[key]))}"
        seen.add(row[KEYS[level][0]])
        told = "".join(f"<td>{escape(row[name])}" for name in ("year", "value", *columns))
        yield f'<tr id="{stem}-L{line}"><td>{line}{cells}{told}\n'


def _fact_pages(origins: Origins, level: str, facts: Mapping[str, Mapping[str, Rows]]) -> Iterator[Page]:
    """Yield the page of every indicator of a level."""
    unit = [say("Code", "代码"), say("Name", "名称")] * len(KEYS[level])
    heads = [say("Line", "行"), *unit, say("Year", "年份"), say("Value", "数值"), say("Source", "来源")]
    for name, about in origins.indicators[level].items():
        body, seen = [_about(origins, level, name)], set[str]()
        for file, rows in facts.get(name, {}).items():
            caption = say(f"{file}, values as they stand there", f"{file}，数值照录原文件")
            body.append(f'<p><a href="../{file.removeprefix("data/")}"><code>{escape(file)}</code></a></p>')
            body.append(_table(heads, _fact_rows(origins, level, PurePosixPath(file).stem, rows, seen), caption))
        title = about[say("name_en", "name_zh")] + say(f" ({title_of(level).lower()})", f"（{title_of(level)}）")
        yield f"data/{level}/{name}", title, "".join(body)


def _own_pages(origins: Origins, tables: Iterable[str]) -> Iterator[Page]:
    """Yield the page of every imported indicator that the run has read."""
    told = [
        ("Name in the file", "文件所用名称"),
        ("File", "原文件"),
        ("Sheet", "工作表"),
        ("Row", "原行"),
        ("Column", "原列"),
    ]
    heads = [say(*each) for each in [("Line", "行"), ("Code", "代码"), ("Name", "名称"), ("Year", "年份")]]
    heads += [say(*each) for each in [("Value", "数值"), *told, ("Note", "备注")]]
    notice = say(
        "These figures were imported by whoever made this run: do not pass this page on unless their publisher allows "
        "it.",
        "本页数据由本次运行的使用者自行导入，未经发布者许可请勿转发。",
    )
    for table in tables:
        level, name = split_table(table)
        file = f"data/own/{level}/{name}.csv"
        link = f'<p><a href="{escape(name)}.csv"><code>{escape(file)}</code></a></p>'
        lines = _fact_rows(origins, level, name, origins.own_rows(table), set(), ORIGIN_COLUMNS)
        body = [f'<p class="notice"><strong>{notice}</strong></p>', _about(origins, OWN + level, name), link]
        body.append(_table(heads, lines, say(f"{file}, values as they stand there", f"{file}，数值照录原文件")))
        title = f"{origins.own[table][say('name_en', 'name_zh')]}{say(' (', '（')}{title_of(OWN + level).lower()}"
        yield f"data/own/{level}/{name}", title + say(")", "）"), "".join(body)


def _list_pages(origins: Origins) -> Iterator[Page]:
    """Yield the page of every list."""
    for table in _LISTS:
        file, rows, seen = f"data/raw/{table}.csv", origins.list_rows(table), set[str]()
        lines = []
        for line, row in rows.items():
            code = row.get("adcode") or row.get("economy") or ""
            mark = f' id="u{escape(code)}"' if code and code not in seen else ""
            seen.add(code)
            cells = "".join(f"<td{_language(column, row)}>{escape(cell)}" for column, cell in row.items())
            lines.append(f'<tr id="{anchor_of(file, line)}"><td{mark}>{line}{cells}\n')
        about = say("its columns are explained in", "各列含义见")
        files = (file, "data/raw/README.md")
        links = (f'<a href="{name.removeprefix("data/")}"><code>{name}</code></a>' for name in files)
        body = f"<p>{say(f'; {about} ', f'；{about}').join(links)}</p>"
        heads = [say("Line", "行"), *next(iter(rows.values()))]
        yield f"data/{table}", title_of(table), body + _table(heads, lines, file, " list")


def _index(origins: Origins, own: Iterable[str]) -> str:
    """Return the body of the page that lists all others, with publishers and terms."""
    heads = [say(*each) for each in (("Indicator", "指标"), ("Unit", "单位"), ("Years", "年份"), ("Rows", "行数"))]
    told = say(
        "Every figure of this site is computed from these rows, each with the file and the line on which it stands. An "
        "indicator without rows is computed from others by a formula.",
        "本站所有数字均由下列原始数据行计算得到，每行标明所在文件与行号。没有数据行的指标按公式由其他指标计算。",
    )
    # A span of years is not parted between two lines.
    body, span = [f"<p>{told}</p>"], say("\u2060–\u2060", "\u2060—\u2060")
    levels = {level: [*origins.indicators[level]] for level in LEVELS}
    for table in own:
        levels.setdefault(OWN + split_table(table)[0], []).append(split_table(table)[1])
    for level, names in levels.items():
        rows = []
        for name in names:
            row = origins.entry(level, name)
            raw = not row["formula"]
            title = escape(row[say("name_en", "name_zh")])
            cells = [
                f'<a href="{link_to(level, name).removeprefix("data/")}">{title}</a>',
                escape(row[say("unit", "unit_zh")]),
            ]
            years = f"{row['first_year']}{span}{row['last_year']}"
            cells += [years, row["cells"]] if raw else ["", ""]
            cells.append(describe_sources(origins, row["source"].split(";") if level in LEVELS else [row["source"]]))
            rows.append(f"<tr>{''.join(f'<td>{cell}' for cell in cells)}\n")
        table = _table([*heads, say("Source", "来源")], rows, title_of(level), headed=True)
        body.append(f'<h2 id="{level}">{title_of(level)}</h2>{table}')
    lists = "".join(f'<li><a href="{file_of(table, spoken())}">{title_of(table)}</a></li>' for table in _LISTS)
    body.append(f'<h2 id="lists">{say("Lists", "名单与目录")}</h2><ul>{lists}</ul>')
    return "".join([*body, f"<p>{describe_boundaries(origins)}</p>"])


def write_rows(project: Project) -> list[Path]:
    """Write the pages of the raw rows under ``reports/data``, in both languages, and the raw files beside them.

    A run with a name has those of the imported indicators that it read as well.

    Parameters
    ----------
    project : Project

    Returns
    -------
    list of Path

    Raises
    ------
    RawDataError, OwnDataError
        If a table is damaged; with file and line.
    DataNotBuiltError
        If the processed data have not been built.

    Examples
    --------
    >>> from clusterlib.paths import get_project
    >>> pages = write_rows(get_project())  # doctest: +SKIP
    """
    origins, written = Origins(project), []
    facts, own = {level: origins.fact_rows(level) for level in LEVELS}, own_read(project)
    # One that is gone has no page.
    own = own and [table for table in own if table in origins.own]
    for language in LANGUAGES:
        with speaking(language):
            sections = [*((level, title_of(level)) for level in LEVELS), ("lists", say("Lists", "名单与目录"))]
            pages = [("data/index", say("Raw data", "原始数据"), _index(origins, own)), *_list_pages(origins)]
            pages += (page for level in LEVELS for page in _fact_pages(origins, level, facts[level]))
            pages += _own_pages(origins, own)
            for page, title, body in pages:
                written.append(project.reports / file_of(page, language))
                contents = sections if page == "data/index" else ()
                write_text(
                    written[-1], frame(page, language, title, body, contents=contents, styles=[STYLE], project=project)
                )
    # A copy that is passed on under a licence carries its text.
    licences = sorted((project.raw / "licences").glob("*.txt"))
    copied = [*raw_files(project.raw), project.raw / "README.md", *licences]
    for path in [*copied, *(facts_path(project, *split_table(table)) for table in own)]:
        written.append(project.reports / path.relative_to(project.root))
        if not written[-1].exists() or not filecmp.cmp(path, written[-1], shallow=False):
            with written_in_place(written[-1]) as scratch:
                shutil.copyfile(path, scratch)
    # Of an indicator that there is no longer.
    for path in {*(project.reports / "data").rglob("*.*")} - {*written}:
        if path.is_file():
            path.unlink()
    return written

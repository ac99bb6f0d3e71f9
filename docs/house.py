"""What the documentation draws from the project: names, commands, data and words; examples, formulas, search."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import os
import re
import shlex
import types
import warnings
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from numpydoc.docscrape import NumpyDocString
from numpydoc.docscrape_sphinx import SphinxDocString
from sphinx.search import languages
from sphinx.search.en import SearchEnglish
from sphinx.util.docutils import SphinxDirective
from typer.cli import get_docs_for_click
from typer.main import get_command
from typer.testing import CliRunner

import clusterlib as cl
from clusterlib.paths import ROOT_VARIABLE, get_project
from clusterlib.publish.pages import math_to_mathml

mpl.use("agg")
GENERATED = "generated"
# Modules below these are the command's own.
COMMANDS_OWN = {"clusterlib.run"}
# Characters of a constant that are still read.
LONGEST_VALUE = 300
# The floors of the house from the roof down, and the rooms of each.
FLOORS = yaml.safe_load(Path(__file__).with_name("floors.yml").read_text(encoding="utf-8"))


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it stands."""
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", str(text))


# Names.


def public_names(module: types.ModuleType) -> list[str]:
    """Return the names that a module is used by: those of its stub, or what it defines without an underscore."""
    if shown := getattr(module, "__all__", None):
        return sorted(name for name in shown if not inspect.ismodule(getattr(module, name)))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def public_modules() -> dict[str, types.ModuleType]:
    """Return the modules that users type, and those that they show in turn."""
    found = {f"clusterlib.{name}": getattr(cl, name) for name in cl.__all__}
    known = {module.__name__ for module in found.values()}
    for name, module in list(found.items()):
        for part in getattr(module, "__all__", ()) if name not in COMMANDS_OWN else ():
            below = getattr(module, part)
            if inspect.ismodule(below) and below.__name__ not in known:
                found[f"{name}.{part}"] = below
    return dict(sorted(found.items()))


def details(name: str, value: object) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {name}\n   :members:"
    if callable(value):
        return f".. autofunction:: {name}"
    shown = repr(value)
    return f".. py:data:: {name}" + (f"\n   :value: {shown}" if len(shown) <= LONGEST_VALUE else "")


def first_sentence(value: object) -> str:
    return (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")


def reference_page(name: str, module: types.ModuleType) -> str:
    names = public_names(module)
    summary = (module.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    values = {one: getattr(module, one) for one in names}
    # Of a constant all is said by its value.
    rows = [
        f"\n   * - :py:obj:`{one} <{name}.{one}>`\n     - {first_sentence(value)}"
        for one, value in values.items()
        if callable(value)
    ]
    # Its anchor goes to what follows it, which must be a paragraph.
    parts = [f".. py:module:: {name}", summary, *([".. list-table::\n" + "".join(rows)] if rows else [])]
    body = "\n\n".join([*parts, *(details(one, value) for one, value in values.items())])
    title = name.replace("clusterlib.", "cl.", 1)
    return f"# `{title}`\n\n```{{eval-rst}}\n{body}\n```\n"


def command_page() -> str:
    from clusterlib.run.cli import app

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=command.make_context("clusterlib", [], resilient_parsing=True))
    return text.replace("# `clusterlib`", "# The command `clusterlib`", 1)


# Data.


def coverage_table(shares: pd.DataFrame) -> str:
    """Return shares, in percent, by indicator and year as a table with shaded cells."""
    parts = ["<td>" + "".join(f'<th scope="col">{year}' for year in shares.columns)]
    for name, row in shares.iterrows():
        cells = "".join(f'<td style="--share: {value:.0f}">{value:.0f}' if value > 0 else "<td>" for value in row)
        parts.append(f'<th scope="row"><code>{name}</code>{cells}')
    return '<div class="shown coverage" tabindex="0"><table><tr>' + "<tr>".join(parts) + "</table></div>"


def data_page(level: str, catalogue: pd.DataFrame) -> str:
    """Return the page of a level's indicators, by theme, each theme with the share of units that have a figure."""
    sources = pd.read_csv(get_project().raw / "sources.csv", dtype=str, keep_default_na=False).set_index("source")
    panel = cl.data.load_panel(level) if level != "pair" else None
    text = [f"# Indicators of level `{level}`"]
    for theme, rows in catalogue.groupby("theme", sort=False):
        text.append(f"## {theme.replace('_', ' ').capitalize()}")
        if panel is not None:
            known = panel.loc[:, list(rows["indicator"])].dropna(how="all")
            units = panel.index.unique(0)
            text.append(f"Share of the {units.size} units with a figure, percent.")
            text.append(f"```{{raw}} html\n{coverage_table(cl.data.audit.coverage(known, units))}\n```")
        text += [described(row, sources) for row in rows.to_dict("records")]
    return "\n\n".join(text) + "\n"


def described(row: dict, sources: pd.DataFrame) -> str:
    unit = f"{row['unit']} ({row['unit_zh']})" if row["unit_zh"] != row["unit"] else row["unit"]
    parts = [
        f"**{escaped(row['name_en'])}** ({escaped(row['name_zh'])}), {escaped(unit)}. {escaped(row['definition'])}"
    ]
    if row["formula"]:
        parts.append(f"Computed: `{row['formula']}`.")
    cells = f", {int(row['cells']):,} figures" if row["cells"] else ""
    parts.append(f"{row['first_year']}-{row['last_year']}{cells}.")
    for source in filter(None, row["source"].split(";")):
        known = source in sources.index
        parts.append(f"Source: {escaped(sources.loc[source].iloc[0] if known else source)}.")
    if row["vintage"]:
        parts.append(f"Vintage: {escaped(row['vintage'])}.")
    if row["breaks"]:
        parts.append(f"**Breaks**: {escaped(row['breaks'])} ({escaped(row['breaks_zh'])}).")
    return f"[`{row['indicator']}`]{{#{row['level']}-{row['indicator']}}}\n: {' '.join(parts)}"


# Words.


def glossary_page(language: str, root: Path) -> str:
    """Return the terms of the essay and the field in one language, then the words that tables and figures use."""
    other = "en" if language == "zh" else "zh"
    entries = yaml.safe_load((root / "glossary.yml").read_text(encoding="utf-8"))
    claims = {claim.id: claim for claim in cl.claims.load_claims()}
    text = []
    for group in entries:
        text.append(f"## {group[language]}")
        for term in group["terms"]:
            said = escaped(term["is"][language])
            if clause := claims.get(term.get("claim", "")):
                said += f" {clause.number}: " + escaped(clause.clause if language == "zh" else clause.en)
            if name := term.get("name"):
                said += f" {{py:func}}`cl.{name} <clusterlib.{name}>`"
            place = "-".join(["term", *re.findall(r"\w+", term["en"].lower()), *["zh"] * (language == "zh")])
            text.append(f"[{escaped(term[language])}]{{#{place}}} ({escaped(term[other])})\n: {said}")
    words = yaml.safe_load((get_project().notebooks / "words.yml").read_text(encoding="utf-8"))["words"]
    design = yaml.safe_load((get_project().study / "design.yml").read_text(encoding="utf-8"))
    pairs = [value for value in words.values() if isinstance(value, dict)]
    pairs += [value for value in design["dimensions"].values() if "zh" in value]
    head = {"en": ("Words of tables and figures", "English", "Chinese"), "zh": ("图表用词", "中文", "英文")}[language]
    rows = sorted({(str(pair[language]), str(pair[other])) for pair in pairs}, key=lambda row: row[0].lower())
    table = "\n".join(f"| {escaped(one)} | {escaped(two)} |" for one, two in rows)
    return "\n\n".join(text) + f"\n\n## {head[0]}\n\n| {head[1]} | {head[2]} |\n|---|---|\n{table}\n"


# The house.


def imports_between_floors() -> Counter:
    """Count the modules of each floor that import one of another, types left out."""
    package = Path(cl.__file__).parent
    floor_of = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
    found: Counter = Counter()
    for path in package.rglob("*.py"):
        room = path.relative_to(package).with_suffix("").parts[0]
        if room == "__init__":
            continue
        reached, waiting = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clusterlib"):
                inner = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                reached |= {floor_of[one] for one in inner if one in floor_of}
            waiting += (child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
        found.update((floor_of[room], floor) for floor in reached - {floor_of[room]})
    return found


def draw_house() -> Figure:
    """Draw the floors with their rooms, and on the right how many modules of each import one of which other floor."""
    imports, order = imports_between_floors(), list(FLOORS)
    figure, axes = plt.subplots(figsize=(8, 5.5))
    for place, (floor, rooms) in enumerate(FLOORS.items()):
        axes.add_patch(mpl.patches.Rectangle((0, -place - 0.4), 6, 0.8, facecolor="#E8EEF4", edgecolor="#445566"))
        axes.text(0.1, -place + 0.2, floor, va="center", size=10)
        axes.text(0.1, -place - 0.14, fill(", ".join(rooms), 70), va="center", size=7)
        reached = [(other, imports[floor, other]) for other in order if imports[floor, other]]
        for row, (other, count) in enumerate(reached):
            up = order.index(other) < place
            where = (6.2 + 1.25 * (row % 3), -place + 0.22 - 0.28 * (row // 3))
            look = {"va": "center", "size": 8, "color": "#D55E00" if up else "#0072B2"}
            axes.text(*where, f"{'↑' if up else '↓'} {other} {count}", **look)
    axes.set(xlim=(-0.1, 10), ylim=(-len(order) + 0.4, 0.6))
    axes.axis("off")
    return figure


# Pages that are written before Sphinx reads any.


def save(figure: Figure, path: Path) -> None:
    path.write_text(cl.figures.draw_svg(figure), encoding="utf-8")
    plt.close(figure)


def write_pages(app) -> None:
    root = Path(app.srcdir)
    folder = root / GENERATED
    folder.mkdir(exist_ok=True)
    cl.figures.use_style()
    pages = {name: reference_page(name, module) for name, module in public_modules().items()}
    pages["command"] = command_page()
    catalogue = pd.read_csv(get_project().raw / "catalogue.csv", dtype=str, keep_default_na=False)
    for level, rows in catalogue.groupby("level", sort=False):
        pages[f"data-{level}"] = data_page(level, rows)
    pages |= {f"_glossary.{language}": glossary_page(language, root) for language in ("en", "zh")}
    save(draw_house(), folder / "house.svg")
    for name, text in pages.items():
        path = folder / f"{name}.md"
        # What has not changed is not read again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# Directives.


@contextlib.contextmanager
def project_of_page(env) -> Iterator[None]:
    """Stand in a project of the page's own: all that ships, and as own data what the page itself has brought in."""
    root = get_project().root
    if "project" not in env.temp_data:
        folder = env.temp_data["project"] = TemporaryDirectory()
        for part in ("data/raw", "data/study", "data/processed", "notebooks", "tests"):
            link = Path(folder.name, part)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(root / part)
    before = os.environ.get(ROOT_VARIABLE, str(root))
    os.environ[ROOT_VARIABLE] = env.temp_data["project"].name
    try:
        with contextlib.chdir(os.environ[ROOT_VARIABLE]):
            yield
    finally:
        os.environ[ROOT_VARIABLE] = before


def table_html(table: str) -> nodes.raw:
    # A head without a text is none.
    table = table.replace("<th></th>", "<td></td>")
    return nodes.raw("", f'<div class="shown" tabindex="0">{table}</div>', format="html")


class Console(SphinxDirective):
    """Run commands in the page's project, and show them with their answers; ``refused`` says that they must fail."""

    has_content = True
    option_spec = {"refused": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        from clusterlib.run.cli import app

        shown = []
        for line in self.content:
            with project_of_page(self.env):
                done = CliRunner().invoke(app, shlex.split(line)[2:])
            if done.exit_code != (2 if "refused" in self.options else 0):
                raise self.error(f"{line}: {done.exit_code}\n{done.output}")
            shown += [line, (done.stderr if "refused" in self.options else done.stdout).strip()]
        text = "\n".join(shown)
        return [nodes.literal_block(text, text, language="console")]


class Sheet(SphinxDirective):
    """Show a file as it comes: a text as it stands, a sheet with the letters and numbers that messages name."""

    required_arguments = 1
    option_spec = {"sheet": directives.unchanged, "encoding": directives.encoding}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        path = get_project().root / self.arguments[0]
        self.env.note_dependency(path)
        if path.suffix in (".csv", ".tsv"):
            text = path.read_text(encoding=self.options.get("encoding", "utf-8")).strip()
            return [nodes.literal_block(text, text, language="text")]
        if path.suffix in (".xls", ".xlsx"):
            rows = pd.read_excel(
                path, sheet_name=self.options.get("sheet", 0), header=None, dtype=object, engine="calamine"
            )
            rows = rows.set_axis(rows.index + 1).set_axis([chr(ord("A") + number) for number in rows], axis=1)
        else:
            readers = {".dta": pd.read_stata, ".parquet": pd.read_parquet}
            rows = readers[path.suffix](path)
        return [table_html(rows.to_html(na_rep="", index=path.suffix.startswith(".xls")))]


class Example(SphinxDirective):
    """Run the code, show it, and below it what its last line gives; the examples of a page share their names."""

    has_content = True
    option_spec = {"alt": directives.unchanged, "caption": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        names = self.env.temp_data.setdefault("example_names", {})
        source = "\n".join(self.content)
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        where = project_of_page(self.env) if "project" in self.env.temp_data else contextlib.nullcontext()
        with where, mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("error")
            cl.figures.use_style()
            try:
                exec(compile(tree, self.env.docname, "exec"), names)
                value = eval(compile(ast.Expression(last.value), self.env.docname, "eval"), names) if last else None
                shown = self.show(value)
            except Exception as error:
                raise self.error(f"{type(error).__name__}: {error}") from error
        code = nodes.literal_block(source, source, language="python")
        return [code, *shown]

    def show(self, value: object) -> list[nodes.Node]:
        if value is None:
            return []
        if isinstance(value, Figure):
            if not self.options.get("alt"):
                raise ValueError("a picture needs :alt:")
            count = self.env.temp_data["example_count"] = self.env.temp_data.get("example_count", 0) + 1
            file = f"{self.env.docname.replace('/', '-')}-{count}.svg"
            save(value, Path(self.env.srcdir) / GENERATED / file)
            figure = nodes.figure("", nodes.image(uri=f"/{GENERATED}/{file}", alt=self.options["alt"]))
            if caption := self.options.get("caption"):
                figure += nodes.caption(caption, caption)
            return [figure]
        with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
            html = getattr(value, "_repr_html_", lambda: None)()
        if html:
            return [table_html(html)]
        return [nodes.literal_block(repr(value), repr(value), language="text")]


class Formula(SphinxDirective):
    """Show what a function's docstring says of its formula and source, with a link to the rest."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        said = NumpyDocString(inspect.getdoc(getattr(importlib.import_module(module), name)))
        parts = [f".. currentmodule:: {module}", " ".join(said["Summary"]) + f" See :func:`{name}`."]
        parts += ["\n".join(said[section]) for section in ("Extended Summary", "Notes") if said[section]]
        if said["References"]:
            parts.append("*Source*: " + " ".join(line.strip() for line in said["References"]))
        return self.parse_text_to_nodes("```{eval-rst}\n" + "\n\n".join(parts) + "\n```\n")


# Formulas and search.


def inline_math(translator, node: nodes.Node) -> None:
    translator.body.append(math_to_mathml(node.astext(), display=False))
    raise nodes.SkipNode


def display_math(translator, node: nodes.Node) -> None:
    mathml = math_to_mathml(node.astext(), display=True)
    translator.body.append(f'<div class="formula" tabindex="0">{mathml}</div>')
    raise nodes.SkipNode


HAN = "\u3400-\u9fff"


class SearchBoth(SearchEnglish):
    """English words, and Chinese by pairs of characters: no dictionary, and a page with any part of a term is found."""

    js_splitter_code = f"""
function splitQuery(query) {{
  return query.split(/[^\\p{{Letter}}\\p{{Number}}_]+/gu).filter((term) => term).flatMap((term) =>
    term.match(/[{HAN}]+|[^{HAN}]+/g).flatMap((part) => /[{HAN}]/.test(part) && part.length > 2
      ? Array.from({{length: part.length - 1}}, (_, i) => part.slice(i, i + 2)) : [part]));
}}
"""

    def split(self, text: str) -> list[str]:
        words = []
        for word in re.findall(rf"[{HAN}]+|[^\W{HAN}]+", text):
            chinese = re.match(f"[{HAN}]", word) and len(word) > 2
            words += [word[i : i + 2] for i in range(len(word) - 1)] if chinese else [word]
        return words


# What the theme writes around a page; its own translation lacks half of it.
AROUND = {
    "Back to top": "回到顶部", "Breadcrumb": "当前位置", "Collapse Sidebar": "收起侧栏", "Color mode": "配色",
    "Dark": "深色", "Expand Sidebar": "展开侧栏", "Home": "首页", "Light": "浅色", "More": "更多", "next": "下一页",
    "next page": "下一页", "On this page": "本页内容", "previous": "上一页", "previous page": "上一页",
    "Search": "搜索", "Search the docs ...": "搜索文档……", "Section Navigation": "目录",
    "Site Navigation": "站点导航", "Skip to main content": "跳到正文", "System Settings": "跟随系统",
    "Table of Contents": "目录",
}  # fmt: skip


def speak(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Give a page its language, and the address of the same page in the other."""
    chinese = pagename.endswith(".zh")
    other = pagename.removesuffix(".zh") if chinese else f"{pagename}.zh"
    if chinese:
        context["language"] = "zh-CN"
    if other in app.env.found_docs:
        context["other_language"] = (other, *(("en", "English") if chinese else ("zh-CN", "中文")))


def speak_around(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Let what stands around a page speak its language, and lead to pages in it."""
    chinese = pagename.endswith(".zh")
    for way in ("prev", "next"):
        if context.get(way) and context[way]["link"].removesuffix(".html").endswith(".zh") != chinese:
            context[way] = None
    if chinese:
        context["gettext"] = context["_"] = lambda text: AROUND.get(text, text)
        context["theme_search_bar_text"] = AROUND["Search the docs ..."]
        links = "".join(
            f'<li class="nav-item"><a class="nav-link nav-internal" href="{context["pathto"](name)}">'
            f"{escape(app.env.titles[name].astext())}</a></li>"
            for name in app.env.toctree_includes["index.zh"]
        )
        context["generate_header_nav_html"] = lambda **options: links


def name_buttons(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Name the buttons that open a branch of contents, to which the theme gives no name."""
    name = "展开" if pagename.endswith(".zh") else "Open"
    draw = context["generate_toctree_html"]
    context["generate_toctree_html"] = lambda *args, **options: str(draw(*args, **options)).replace(
        "<summary>", f'<summary aria-label="{name}">'
    )


def join_lines(app, docname: str, source: list[str]) -> None:
    """Set Chinese lines together: a break between two characters would be shown as a space."""
    if docname.endswith(".zh"):
        source[0] = re.sub(rf"(?<=[{HAN}，。；：、）”])\n(?=[{HAN}（“\[]|`(?!`))", "", source[0])


def without_guesses(app, what, name, value, options, lines: list[str]) -> None:
    """Name attributes without the links that numpydoc guesses: what a class inherits is on the page of its base."""
    lines[:] = [re.sub(r":obj:`(\w+) <[^`]*>`", r"\1", line) for line in lines]


def with_template(load_config):
    """Let all docstrings share one template, which numpydoc compiles anew for each."""
    held = {}

    def load(self, config):
        load_config(self, config | held)
        held["template"] = self.template

    return load


def setup(app) -> dict:
    SphinxDocString.load_config = with_template(SphinxDocString.load_config)
    languages["en"] = SearchBoth
    app.add_directive("console", Console)
    app.add_directive("example", Example)
    app.add_directive("formula", Formula)
    app.add_directive("sheet", Sheet)
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("builder-inited", write_pages)
    app.connect("source-read", join_lines)
    # After numpydoc, which has the usual priority.
    app.connect("autodoc-process-docstring", without_guesses, priority=900)
    app.connect("html-page-context", speak)
    # After the theme, which adds what draws its menus and tables of contents.
    app.connect("html-page-context", speak_around, priority=900)
    app.connect("html-page-context", name_buttons, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

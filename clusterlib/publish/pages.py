"""Turn an executed notebook into a page that opens offline: no script, no network, code folded, MathML formulas."""

from __future__ import annotations

import copy
import re
import threading
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.files import write_text
from clusterlib.core.hypertext import clean_html
from clusterlib.core.language import LANGUAGES
from clusterlib.core.records import EXECUTED, RESULTS, RUN, Place, load_run, read_json
from clusterlib.errors import ClusterlibError
from clusterlib.regions import get_region
from clusterlib.results import MIME, collect_records

if TYPE_CHECKING:
    import nbformat

TEMPLATES = Path(__file__).resolve().parent / "templates"
# A page runs nothing and loads nothing, whatever stands in it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def math_to_mathml(latex: str, display: bool) -> str:
    """Convert LaTeX to MathML, which browsers draw without a script.

    Raises
    ------
    ClusterlibError
        If the formula cannot be read.
    """
    from latex2mathml.converter import convert

    try:
        mathml = convert(latex.strip(), display="block" if display else "inline")
    except Exception as error:
        raise ClusterlibError(f"formula {latex.strip()!r} cannot be read: {type(error).__name__} {error}") from None
    # The converter passes commands that it does not know on as text.
    if unknown := re.search(r"\\[A-Za-z]+", mathml):
        raise ClusterlibError(f"formula {latex.strip()!r} cannot be read: unknown command {unknown[0]}")
    return mathml


# Two threads that import nbconvert at once find it half imported.
_MAKING = threading.Lock()


@cache
def _renderer_class() -> type:
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        def block_math(self, body: str) -> str:
            return math_to_mathml(body, display=True)

        def inline_math(self, body: str) -> str:
            return math_to_mathml(body, display=False)

        def latex_environment(self, name: str, body: str) -> str:
            return math_to_mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    return Renderer


def markdown_to_html(source: str) -> str:
    """Convert a markdown cell to HTML."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    return clean_html(MarkdownWithMath(renderer=_renderer_class()(escape=False)).render(source))


@cache
def highlight_code(source: str) -> str:
    """Convert a code cell to HTML; every region's page has the same cells."""
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")(source)


@cache
def _exporter():
    from clusterlib.core.quick import nbformat  # noqa: F401 - before nbconvert, which imports it the slow way

    # isort: split
    from nbconvert.exporters import TemplateExporter
    from nbconvert.filters import highlight, markdown_mistune  # noqa: F401 - what pages then ask of it
    from pygments.formatters import HtmlFormatter

    # Not HTMLExporter: it parses and prints each page once more, for what this template does itself. Of the
    # preprocessors one is of use, and each has the whole notebook validated.
    exporter = TemplateExporter(
        template_name="page", extra_template_basedirs=[str(TEMPLATES)], template_extension=".html.j2",
        default_preprocessors=["nbconvert.preprocessors.coalescestreams.CoalesceStreamsPreprocessor"],
    )  # fmt: skip
    exporter.environment.autoescape = True
    exporter.register_filter("clean_html", clean_html)
    exporter.register_filter("highlight_code", highlight_code)
    exporter.register_filter("markdown_to_html", markdown_to_html)
    exporter.environment.globals.update(
        style=read_style(), code_style=HtmlFormatter(style="bw").get_style_defs(".highlight"), result_mime=MIME
    )
    return exporter


@cache
def read_style() -> str:
    """Return what the heads of all pages share: the policy that a browser is to follow, and the style sheet."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<style>{style}</style>'


def language_of(cell: nbformat.NotebookNode) -> str:
    """Return the language of a cell of prose, of which there is one for each, or nothing for one that all read."""
    tags = cell.metadata.get("tags", [])
    return next((language for language in LANGUAGES if f"lang-{language}" in tags), "")


def contents_of(notebook: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """Return anchor, text and language of the second-level headings."""
    headings = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a |</h2>)', markdown_to_html(cell.source))
            headings += [(unescape(a), unescape(re.sub(r"<[^>]+>", "", t)), language_of(cell)) for a, t in found]
    return headings


def _take_titles(notebook: nbformat.NotebookNode, default: str) -> dict[str, str]:
    """Take the first headings, one in each language, out of a notebook and return them."""
    titles: dict[str, str] = {}
    for cell in notebook.cells:
        language = language_of(cell)
        match = re.match(r"\s*# +(.+)\n?", cell.source) if cell.cell_type == "markdown" else None
        if match and language not in titles:
            titles[language] = match[1].strip()
            cell.source = cell.source[match.end() :]
    return titles or {"": default}


def render(notebook: nbformat.NotebookNode, place: Place, run: dict, data: dict[str, str]) -> str:
    """Render an executed notebook with a header that says what it was made from."""
    shown = copy.deepcopy(notebook)
    header = {
        "titles": _take_titles(shown, place.notebook),
        "region": get_region(place.region),
        "notebook": place.notebook,
        "run": run,
        "data": data,
        "contents": contents_of(shown),
        "folder": place.notebook,
        "records": {record["name"]: record for record in collect_records(shown)},
    }
    with _MAKING:
        exporter = _exporter()
    html, _ = exporter.from_notebook_node(shown, resources={"page": header})  # type: ignore[arg-type]
    return html


def write_page(place: Place) -> list[Path]:
    """Write the page of an executed notebook beside its folder and return its path.

    Raises
    ------
    ClusterlibError
        If a formula cannot be read; the message names it.
    """
    from clusterlib.core.quick import nbformat

    folder = place.folder
    notebook = nbformat.read(folder / EXECUTED, as_version=4)
    data = (read_json(folder / RESULTS, {"data": {str: str}}) or {"data": {}})["data"]
    write_text(place.page, render(notebook, place, load_run(folder / RUN), data))
    return [place.page]

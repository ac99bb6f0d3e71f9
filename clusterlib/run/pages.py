"""Turn an executed notebook into a page that opens offline: no script, no network, code folded, MathML formulas."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterlibError
from clusterlib.regions import get_region
from clusterlib.results import MIME
from clusterlib.run.notebooks import title_of
from clusterlib.run.places import EXECUTED, RESULTS, RUN, Place

if TYPE_CHECKING:
    import nbformat

TEMPLATES = Path(__file__).resolve().parent / "templates"


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

    html = MarkdownWithMath(renderer=_renderer_class()(escape=False)).render(source)
    # Headings come back in ASCII, with a number for every Chinese character.
    return re.sub(r"&#(\d{3,});", lambda number: chr(int(number[1])), html)


@cache
def highlight_code(source: str) -> str:
    """Convert a code cell to HTML; every region's page has the same cells."""
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")(source)


@cache
def _exporter():
    from clusterlib.run.quick import nbformat  # noqa: F401 - before nbconvert, which imports it the slow way

    # isort: split
    from nbconvert.exporters import TemplateExporter
    from pygments.formatters import HtmlFormatter

    # Not HTMLExporter: it parses and prints each page once more, for what this template does itself. Of the
    # preprocessors one is of use, and each has the whole notebook validated.
    exporter = TemplateExporter(
        template_name="page", extra_template_basedirs=[str(TEMPLATES)], template_extension=".html.j2",
        default_preprocessors=["nbconvert.preprocessors.coalescestreams.CoalesceStreamsPreprocessor"],
    )  # fmt: skip
    exporter.register_filter("highlight_code", highlight_code)
    exporter.register_filter("markdown_to_html", markdown_to_html)
    exporter.environment.globals.update(
        style=read_style(), code_style=HtmlFormatter(style="bw").get_style_defs(".highlight"), result_mime=MIME
    )
    return exporter


@cache
def read_style() -> str:
    """Return the style sheet that pages and index share."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def contents_of(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Return anchor and text of the second-level headings."""
    headings = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a |</h2>)', markdown_to_html(cell.source))
            headings += [(anchor, re.sub(r"<[^>]+>", "", text)) for anchor, text in found]
    return headings


def render(notebook: nbformat.NotebookNode, place: Place, run: dict, data: dict[str, str]) -> str:
    """Render an executed notebook with a header that says what it was made from."""
    region = get_region(place.region)
    title = title_of(notebook, place.notebook)
    header = {
        "title": title,
        "region": region,
        "notebook": place.notebook,
        "run": run,
        "data": data,
        "contents": contents_of(notebook),
        "folder": place.notebook,
    }
    shown = notebook.copy()
    shown.cells = [c for c in notebook.cells if not re.match(r"#\s", c.source) or c.cell_type != "markdown"]
    first = next((c for c in notebook.cells if c not in shown.cells), None)
    if first is not None:
        rest = first.copy()
        rest.source = re.sub(r"^# +.+\n?", "", first.source, count=1)
        shown.cells.insert(0, rest)
    html, _ = _exporter().from_notebook_node(shown, resources={"page": header})  # type: ignore[arg-type]
    return html


def write_page(place: Place) -> list[Path]:
    """Write the page of an executed notebook beside its folder and return its path.

    Raises
    ------
    ClusterlibError
        If a formula cannot be read; the message names it.
    """
    from clusterlib.run.quick import nbformat

    folder = place.folder
    notebook = nbformat.read(folder / EXECUTED, as_version=4)
    run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    data = json.loads((folder / RESULTS).read_text(encoding="utf-8"))["data"]
    scratch = place.page.with_name(f".{place.page.name}-{os.getpid()}")
    try:
        scratch.write_text(render(notebook, place, run, data), encoding="utf-8")
        os.replace(scratch, place.page)
    finally:
        scratch.unlink(missing_ok=True)
    return [place.page]

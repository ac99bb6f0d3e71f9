"""Turn an executed notebook into two pages, one a language, that open offline: code folded, MathML formulas (网页)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.files import write_text
from clusterlib.core.hypertext import clean_html
from clusterlib.core.language import LANGUAGES
from clusterlib.core.records import EXECUTED, RESULTS, RESULTS_FORM, RUN, Place, load_run, read_json
from clusterlib.errors import ClusterlibError
from clusterlib.publish.downloads import downloads
from clusterlib.publish.frame import contents_of, file_of, fill, frame, language_of, titles_of
from clusterlib.publish.trace import trace
from clusterlib.results import MIME, collect_records

if TYPE_CHECKING:
    import nbformat

# In print a table of more columns lies on its side.
WIDE_COLUMNS = 15


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


def _displayed(latex: str) -> str:
    # On a phone it may be scrolled, by the keyboard too.
    return math_to_mathml(latex, display=True).replace("<math ", '<math tabindex="0" ', 1)


@cache
def _renderer_class() -> type:
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        def block_math(self, body: str) -> str:
            return _displayed(body)

        def inline_math(self, body: str) -> str:
            return math_to_mathml(body, display=False)

        def latex_environment(self, name: str, body: str) -> str:
            return _displayed(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    return Renderer


@lru_cache(maxsize=2000)
def markdown_to_html(source: str) -> str:
    """Convert a markdown cell to HTML; every region's page has the same cells."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    renderer = _renderer_class()(escape=False, exclude_anchor_links=True)
    return clean_html(MarkdownWithMath(renderer=renderer).render(source))


@lru_cache(maxsize=2000)
def highlight_code(source: str) -> str:
    """Convert a code cell to HTML; every region's page has the same cells."""
    from nbconvert.filters.highlight import Highlight2HTML

    return Highlight2HTML(pygments_lexer="ipython3")(source)


def _plain_to_html(text: str) -> str:
    from nbconvert.filters.ansi import ansi2html

    return ansi2html(text)


def with_scopes(html: str) -> str:
    """Give tables what those need who hear them or have a keyboard: heads with scopes, a box that can be scrolled.

    Examples
    --------
    >>> with_scopes("<table><thead><tr><th>a</th></tr></thead></table>")
    '<div class="table-wrap" tabindex="0"><table><thead><tr><th scope="col">a</th></tr></thead></table></div>'
    """

    def table(match: re.Match) -> str:
        text = re.sub(r"<thead.*?</thead>", head, match[2], flags=re.DOTALL)
        first = r'<tr>\s*<td( style="text-align:left[^>]*)>(?!</td>)(.*?)</td>'
        text = re.sub(first, r'<tr><th scope="row"\1>\2</th>', text)
        wide = " wide" * (text.partition("</tr>")[0].count('scope="col"') > WIDE_COLUMNS)
        # Without a box of its own a table gets one.
        start, end = ('<div class="table-wrap">', "</div>") if match[1] is None else (match[1], "")
        return start.replace('class="table-wrap"', f'class="table-wrap{wide}" tabindex="0"') + text + end

    def head(match: re.Match) -> str:
        # A head without a word is none.
        text = re.sub(r"<th([^>]*)>\s*</th>", r"<td\1></td>", match[0])
        return re.sub(r"<th(?=[ >])", '<th scope="col"', text)

    return re.sub(r'(<div class="table-wrap"[^>]*>)?(<table.*?</table>)', table, html, flags=re.DOTALL)


def said(record: dict[str, Any], part: str, language: str) -> str:
    """Return what a record says, such as its ``"label"``, in a language: in English where there is no Chinese."""
    english = record.get("label_en" if part == "label" else part) or ""
    return record.get(f"{part}_zh") or english if language == "zh" else english


def _picture(output: nbformat.NotebookNode, kind: str, record: dict | None, folder: str, language: str) -> dict:
    """Return where a picture stands, how large it is shown, and what it shows."""
    data, about = output.data[kind].replace("\n", ""), output.metadata.get(kind, {})
    size: dict[str, Any] = {}
    try:
        start = base64.b64decode(data[:32])
        wide, high = (int.from_bytes(start[k : k + 4], "big") for k in (16, 20))
        width = int(about.get("width") or wide)
        size = {"width": width, "height": round(width * high / wide)}
    except (ValueError, ZeroDivisionError):
        pass  # no picture: its text stands for it
    # What was recorded lies in the folder of the run; what a cell merely shows is in the page.
    source = f"{folder}/{said(record, 'value', language)}" if record else f"data:{kind};base64,{data}"
    return {"src": source, "alt": about.get("alt", ""), **size}


def _shown(output: nbformat.NotebookNode, records: dict[str, dict], folder: str, language: str) -> dict | None:
    """Return how an output of a cell is shown in a language, or None if it is not."""
    if output.output_type == "stream":
        kind = "warning" if output.name == "stderr" else ""
        return {"record": None, "text": _plain_to_html(output.text), "kind": kind}
    if output.output_type == "error":
        return {"record": None, "text": "\n".join(map(_plain_to_html, output.traceback)), "kind": "error"}
    data, about = output.data, output.metadata.get(MIME, {})
    # The caption that a notebook shows below a figure is set from the record.
    if about and (about.get("language") != language or about.get("part") == "caption"):
        return None
    record = records.get(about.get("name") or data.get(MIME, {}).get("name"))
    shown: dict[str, Any] = {"record": record}
    if "text/html" in data:
        return {**shown, "html": with_scopes(clean_html(data["text/html"]))}
    if "image/svg+xml" in data:
        return {**shown, "drawing": data["image/svg+xml"], "alt": output.metadata.get("image/svg+xml", {}).get("alt")}
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            figure = record if record and record["kind"] == "figure" else None
            return {**shown, "picture": _picture(output, kind, figure, folder, language)}
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return {**shown, "html": with_scopes(markdown_to_html(data[kind]))}
    return {**shown, "text": _plain_to_html(data.get("text/plain", "")), "kind": ""}


def _cells(notebook: nbformat.NotebookNode, language: str, folder: str) -> Iterator[dict]:
    """Return what a page in a language shows of each cell; sections are numbered alike in all languages."""
    records = {record["name"]: record for record in collect_records(notebook)}
    number = 0

    def numbered(match: re.Match) -> str:
        nonlocal number
        number += 1
        return f'<h2 id="s{number}">'

    titled = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and language_of(cell) in ("", language):
            source = cell.source if titled else re.sub(r"^\s*# +.+\n?", "", cell.source)
            titled = titled or source != cell.source
            html = re.sub(r'<h2(?: id="[^"]*")?>', numbered, markdown_to_html(source))
            yield {"id": cell.id, "prose": with_scopes(html)}
        elif cell.cell_type == "code":
            shown = [_shown(output, records, folder, language) for output in cell.outputs]
            injected = "injected-parameters" in cell.metadata.get("tags", [])
            code = highlight_code(cell.source) if cell.source.strip() else ""
            yield {"id": cell.id, "code": code, "injected": injected, "shown": [one for one in shown if one]}


def render(notebook: nbformat.NotebookNode, place: Place, run: dict, results: dict, language: str) -> str:
    """Render an executed notebook in a language, with what it was made from folded in at its end."""
    page = f"{place.region}/{place.notebook}"

    def below(record: dict) -> str:
        return trace(record, run, results, page, language) + downloads(record, place.folder, page, language)

    cells = list(_cells(notebook, language, place.notebook))
    contents = contents_of("".join(cell.get("prose", "") for cell in cells))
    body = fill(
        "notebook.html.j2", language, cells=cells, place=place, run=run, data=results.get("data", {}), below=below,
        of=lambda record, part: said(record, part, language),
    )  # fmt: skip
    title = titles_of(notebook.cells, place.notebook)[language]
    return frame(page, language, title, body, contents=contents, region=place.region)


def write_page(place: Place) -> list[Path]:
    """Write the pages of an executed notebook beside its folder, one a language, and return their paths.

    Raises
    ------
    ClusterlibError
        If a formula cannot be read; the message names it.
    """
    from clusterlib.core.quick import nbformat

    notebook = nbformat.read(place.folder / EXECUTED, as_version=4)
    run, results = load_run(place.folder / RUN), read_json(place.folder / RESULTS, RESULTS_FORM) or {}
    written = []
    for language in LANGUAGES:
        path = place.reports / file_of(f"{place.region}/{place.notebook}", language)
        write_text(path, render(notebook, place, run, results, language))
        written.append(path)
    return written

"""Pieces that pages over several runs are set from: links, notes, tables, figures beside each other (页面组件)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from clusterlib.core.files import write_text
from clusterlib.core.language import spoken
from clusterlib.paths import Project
from clusterlib.publish.frame import file_of, frame


def note(text: str) -> str:
    """Return a text as a note below another; nothing for none."""
    return f'<span class="note">{escape(text)}</span>' if text else ""


def address(page: str, target: str) -> str:
    """Return the address of a file of the reports folder from a page in it, escaped for an attribute.

    Examples
    --------
    >>> address("compare/06_spatial", "yrd/06_spatial.html#result-gini")
    '../yrd/06_spatial.html#result-gini'
    """
    return escape("../" * (len(PurePosixPath(page).parts) - 1) + target)


def link(page: str, target: str, text: str, kind: str = "") -> str:
    """Return a link from a page to a file of the reports folder."""
    styled = f' class="{kind}"' if kind else ""
    return f'<a{styled} href="{address(page, target)}">{escape(text)}</a>'


def picture(page: str, path: str, alt: str, content: bytes, caption: str) -> str:
    """Return an entry of a list of figures: a PNG file by its place in the reports folder, loaded when it is seen."""
    sides = [int.from_bytes(content[k : k + 4]) for k in (16, 20)]
    image = f'<img loading="lazy" src="{address(page, quote(path))}" alt="{escape(alt)}"'
    image += f' width="{sides[0]}" height="{sides[1]}">'
    return f'<li style="max-width:32rem"><figure>{image}<figcaption>{caption}</figcaption></figure></li>'


def grid(caption: str, heads: Sequence[str], rows: Iterable[str]) -> str:
    """Return a table whose rows are HTML already, and which on a narrow screen sets its cells below each other."""
    # No narrower than a word, though words may break where there is nothing else for it.
    head = "".join(f'<th scope="col" style="min-width:6.5rem">{escape(text)}</th>' for text in heads)
    table = f'<table class="grid"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
    return f"{table}<tbody>{''.join(rows)}</tbody></table>"


def write_sections(project: Project, page: str, title: str, parts: Iterable[tuple[str, str, str]]) -> Path:
    """Write a page of sections, each an anchor, a title and HTML, in the language spoken; empty ones are left out."""
    found = [part for part in parts if part[2]]
    contents = [(anchor, text) for anchor, text, _ in found if text]
    body = "".join(f'<section id="{a}"><h2>{escape(t)}</h2>{html}</section>' if t else html for a, t, html in found)
    path = project.reports / file_of(page, spoken())
    write_text(path, frame(page, spoken(), title, body, contents=contents, project=project))
    return path

"""The frame around every page of the site: one file a page and language, that opens from a folder (网页框架)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath

from clusterlib.publish.pages import read_style

HTML_LANG = {"en": "en", "zh": "zh-Hans"}


def file_of(page: str, language: str) -> str:
    """Return the file of a page in a language, from the reports folder.

    Examples
    --------
    >>> file_of("yrd/06_spatial", "zh")
    'yrd/06_spatial.zh.html'
    """
    return f"{page}.html" if language == "en" else f"{page}.{language}.html"


def frame(
    page: str,
    language: str,
    title: str,
    body: str,
    *,
    contents: Sequence[tuple[str, str]] = (),
    region: str = "",
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
) -> str:
    """Set the body of a page into the frame: sidebar, switches of region and language, search, contents.

    Parameters
    ----------
    page : str
        Its place in the reports folder without an ending, such as ``"yrd/06_spatial"``.
    language : {"en", "zh"}
    title : str
        The heading; the body has none of the first level.
    body : str
        HTML, in one language; its links are relative to the page.
    contents : sequence of (str, str)
        Anchors and texts of its sections.
    region : str
        Whose page it is.
    styles, scripts : sequence of str
        Files of ``assets/`` that it needs besides those of the frame.

    Returns
    -------
    str
        The whole page.
    """
    up = "../" * (len(PurePosixPath(page).parts) - 1)
    links = "".join(f'<link rel="stylesheet" href="{up}assets/{name}">' for name in styles)
    loads = "".join(f'<script defer src="{up}assets/{name}"></script>' for name in scripts)
    return (
        f'<!doctype html><html lang="{HTML_LANG[language]}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"{read_style()}{links}{loads}</head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )

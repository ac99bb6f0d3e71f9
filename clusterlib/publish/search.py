"""The index of the search: a script for each language that a page may load from a folder (检索)."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from html import unescape
from pathlib import Path

from clusterlib.core.files import write_text
from clusterlib.paths import Project
from clusterlib.publish.frame import LANGUAGES

# Stands in a page that is in the place of one that nobody has made.
MISSING = "not-made-yet"
# Neither code nor how a page was made is what people look for, nor figures by the thousand, nor what stands everywhere.
_LEFT_OUT = re.compile(
    r'<details class="(?:input|made|trace)".*?</details>|<nav.*?</nav>|<footer class="about">.*?</footer>|'
    r'<math.*?</math>|<table class="rows">.*?</table>',
    re.DOTALL,
)
_SECTION = re.compile(r'<h2[^>]*\bid="([^"]+)"[^>]*>(.*?)</h2>', re.DOTALL)
# Of a table the words are found, and not each figure.
_FIGURE = re.compile(r"<td[^>]*>[^<A-Za-z\u4e00-\u9fff]*</td>")


def find_pages(project: Project) -> list[Path]:
    """Return the pages that can be searched: those of the site, report and briefs among them as pages of it."""
    found = (path for pattern in ("*.html", "*/*.html", "data/*/*.html") for path in project.reports.glob(pattern))
    alone = re.compile(r"\.|(report|brief)\.\w+\.html")
    return sorted(path for path in found if path.parent.name not in ("runs", "assets") and not alone.match(path.name))


def text_of(html: str) -> str:
    """Return the text of a piece of a page.

    Examples
    --------
    >>> text_of("<p>a &amp; <b>b</b></p>")
    'a & b'
    """
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def read_page(html: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the title of a page, and of its sections anchor, heading and text."""
    title = text_of(next(iter(re.findall(r"<title>(.*?)</title>", html, re.DOTALL)), ""))
    body = html.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    body = _FIGURE.sub(" ", _LEFT_OUT.sub(" ", body))
    first, *rest = _SECTION.split(body)
    heads = [("", "", first), *zip(rest[::3], rest[1::3], rest[2::3], strict=True)]
    return title, [(anchor, text_of(heading), text_of(text)) for anchor, heading, text in heads]


def write_search(project: Project) -> list[Path]:
    """Write ``assets/search.en.js`` and ``assets/search.zh.js`` from the pages as they stand."""
    pages: dict[str, list] = {language: [] for language in LANGUAGES}
    for path in find_pages(project):
        file = path.relative_to(project.reports).as_posix()
        if MISSING in (html := path.read_text(encoding="utf-8")):
            continue
        title, sections = read_page(html)
        language = "zh" if file.endswith(".zh.html") else "en"
        pages[language].append([file, title, sections])
    written = []
    for language, found in pages.items():
        path = project.reports / "assets" / f"search.{language}.js"
        # One line a page.
        lines = ",\n".join(json.dumps(page, ensure_ascii=False, separators=(",", ":")) for page in found)
        write_text(path, f"clusterlibSearch([\n{lines}\n]);\n")
        written.append(path)
    return written


def keep_pages(index: str, known: Container[str]) -> str:
    """Return an index without the pages that are not known."""
    first, *lines, last = index.splitlines()
    kept = [line.rstrip(",") for line in lines if json.loads(line.rstrip(","))[0] in known]
    return "\n".join([first, ",\n".join(kept), last]) + "\n"

"""The frame around every page of the site: one file a page and language, that opens from a folder (网页框架)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from clusterlib.core.records import TOO_MUCH, parse_json
from clusterlib.paths import Project, get_project
from clusterlib.regions import REGIONS

HTML_LANG = {"en": "en", "zh": "zh-Hans"}
# Those of core.language, whose checks load pandas: a run with nothing to do is done before that.
LANGUAGES = tuple(HTML_LANG)
TEMPLATES = Path(__file__).resolve().parent / "templates"
# What the sidebar leads to besides the notebooks.
SECTIONS = (
    ("index", "Home", "首页"),
    ("paper", "Report", "研究报告"),
    ("maps", "Maps", "地图"),
    ("compare", "Compare", "区域比较"),
    ("data/index", "Raw data", "原始数据"),
)
# A page loads what lies in its folder and nothing from elsewhere; style attributes are those of tables and formulas.
# From a folder a browser knows no origin, and file: says what 'self' means there.
_LOADS = (
    "default-src 'none'; img-src 'self' file: data:; style-src-elem 'self' file:; style-src-attr 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; script-src "
)
# What a server says of all files, those that stand alone among them; each page's own policy allows less.
SERVED_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)


def file_of(page: str, language: str) -> str:
    """Return the file of a page in a language, from the reports folder.

    Examples
    --------
    >>> file_of("yrd/06_spatial", "zh")
    'yrd/06_spatial.zh.html'
    """
    return f"{page}.html" if language == "en" else f"{page}.{language}.html"


def policy_of(body: str) -> tuple[str, str]:
    """Return the policy of a page that runs only the scripts its frame names, and the mark that they bear.

    The mark is a hash of the text: nothing in the text can bear it, and the page is the same at each making.
    """
    mark = hashlib.sha256(body.encode()).hexdigest()[:32]
    return f"{_LOADS}'nonce-{mark}' 'strict-dynamic'", mark


def notebook_titles(project: Project | None = None) -> dict[str, dict[str, str]]:
    """Return the title of each notebook of a project by name and language."""
    return {path.stem: _titles(path, path.stat().st_mtime_ns) for path in (project or get_project()).analyses}


@lru_cache(maxsize=200)
def _titles(path: Path, changed: int) -> dict[str, str]:
    try:
        return titles_of(parse_json(path.read_text(encoding="utf-8-sig"))["cells"], path.stem)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, *TOO_MUCH):
        return dict.fromkeys(LANGUAGES, path.stem)  # what is wrong with it is told where it is run


def language_of(cell: Mapping[str, Any]) -> str:
    """Return the language of a cell of prose, of which there is one for each, or nothing for one that all read."""
    tags = cell["metadata"].get("tags", [])
    return next((language for language in LANGUAGES if f"lang-{language}" in tags), "")


def titles_of(cells: Sequence[Mapping[str, Any]], default: str) -> dict[str, str]:
    """Return the first heading of a notebook's cells in each language, or in the other where it has but one."""
    found: dict[str, str] = {}
    for cell in cells:
        match = re.match(r"\s*# +(.+)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else None
        if match:
            found.setdefault(language_of(cell), match[1].strip())
    only = next(iter(found.values()), default)
    return {language: found.get(language, only) for language in LANGUAGES}


def contents_of(body: str) -> list[tuple[str, str]]:
    """Return anchor and text of the second-level headings of a page.

    Examples
    --------
    >>> contents_of('<h2 id="s1">Rivers &amp; seas</h2>')
    [('s1', 'Rivers & seas')]
    """
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body, flags=re.DOTALL)
    return [(anchor, unescape(re.sub(r"<[^>]+>", "", text)).strip()) for anchor, text in headings]


def frame_digest(project: Project) -> str:
    """Return the hash of what every page's frame is made from besides its code: notebooks and regions."""
    regions = [[region.code, region.name_en, region.name_zh] for region in REGIONS.values()]
    return hashlib.sha256(json.dumps([notebook_titles(project), regions], sort_keys=True).encode()).hexdigest()


@cache
def environment() -> Any:
    """Return what fills the templates of pages, escaping all that is not marked as HTML."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )


def fill(template: str, language: str, **values: Any) -> str:
    """Return a template filled in a language: ``say(en, zh)`` is the text in it."""
    place = LANGUAGES.index(language)
    known = {"language": language, "say": lambda *texts: texts[place], "file_of": file_of, "regions": REGIONS}
    return environment().get_template(template).render(**known, **values)


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
    project: Project | None = None,
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
    project : Project, optional
        Whose notebooks the sidebar lists.

    Returns
    -------
    str
        The whole page.
    """
    titles = {name: said[language] for name, said in notebook_titles(project).items()}
    home, _, own = page.partition("/")
    region = region or (home if home in REGIONS else "")
    # A switch of region keeps the notebook.
    siblings = {code: f"{code}/{own}" if home == region else f"{code}/index" for code in REGIONS}
    policy, mark = policy_of(body)
    return fill(
        "frame.html.j2", language, page=page, up="../" * page.count("/"), html_lang=HTML_LANG, title=title, body=body,
        contents=contents, region=region, siblings=siblings, titles=titles, shelf=region or next(iter(REGIONS)),
        own=own if home == region and own in titles else "", sections=SECTIONS, styles=["site.css", *styles],
        scripts=scripts, policy=policy, mark=mark, other=next(one for one in LANGUAGES if one != language),
    )  # fmt: skip

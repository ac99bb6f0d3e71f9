"""The frame around every page of the site: one file a page and language, that opens from a folder (网页框架)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
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
    ("index#report", "Report", "研究报告"),
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
    paths = sorted((project or get_project()).notebooks.glob("[0-9][0-9]_*.ipynb"))
    return {path.stem: _titles(path, path.stat().st_mtime_ns) for path in paths}


@lru_cache(maxsize=200)
def _titles(path: Path, changed: int) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for cell in parse_json(path.read_text(encoding="utf-8-sig"))["cells"]:
            match = re.match(r"\s*# +(.+)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else None
            if match:
                tags = cell["metadata"].get("tags", [])
                language = next((one for one in LANGUAGES if f"lang-{one}" in tags), "")
                found.setdefault(language, match[1].strip())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, *TOO_MUCH):
        pass  # what is wrong with it is told where it is run
    name = next(iter(found.values()), path.stem)
    return {language: found.get(language, name) for language in LANGUAGES}


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
    titles = notebook_titles(project)
    home, _, own = page.partition("/")
    region = region or (home if home in REGIONS else "")
    inside = home == region
    names = list(titles)
    place = names.index(own) if inside and own in titles else None
    beside = {} if place is None else {"previous": names[place - 1 : place] or [], "next": names[place + 1 : place + 2]}
    policy, mark = policy_of(body)
    return fill(
        "frame.html.j2",
        language,
        page=page,
        up="../" * (len(PurePosixPath(page).parts) - 1),
        lang=HTML_LANG[language],
        other=next(one for one in LANGUAGES if one != language),
        html_lang=HTML_LANG,
        title=title,
        body=body,
        contents=contents,
        region=region,
        # A switch of region keeps the notebook.
        siblings={code: f"{code}/{own}" if inside else f"{code}/index" for code in REGIONS},
        titles={name: said[language] for name, said in titles.items()},
        own=own if place is not None else "",
        shelf=region or next(iter(REGIONS)),
        beside={word: found[0] for word, found in beside.items() if found},
        sections=SECTIONS,
        styles=["site.css", *styles],
        scripts=scripts,
        policy=policy,
        mark=mark,
    )

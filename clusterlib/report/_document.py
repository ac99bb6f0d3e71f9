"""The report as one document in one language: numbered figures and tables, links, citations; as Pandoc's Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import nbformat

from clusterlib.core.hypertext import is_link
from clusterlib.errors import ClusterlibError
from clusterlib.report._author import MIME
from clusterlib.results import Record
from clusterlib.study import ResultLookup

WORDS = {
    "en": {"figure": "Figure", "table": "Table", "unit": "Unit", "note": "Note", "source": "Source", "sep": ". ",
           "colon": ": ", "join": "; ",
           "numbers": "Where the numbers come from",
           "numbers_intro": "Every number in the text is a recorded result; its link leads to the cell that made it.",
           "heads": ["Number", "Result", "Notebook", "Cell"],
           "claims": ["Claim", "Verdict", "Evidence, or why there is none"]},
    "zh": {"figure": "图", "table": "表", "unit": "单位", "note": "注", "source": "资料来源", "sep": "　",
           "colon": "：", "join": "；",
           "numbers": "数据出处",
           "numbers_intro": "正文中的每个数字都是登记在案的结果，链接指向得出该数字的笔记本单元。",
           "heads": ["数字", "结果", "笔记本", "单元"],
           "claims": ["论断", "结论", "证据或无法检验的原因"]},
}  # fmt: skip
# Of dashes and full stops those that Pandoc would join.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~^$@&]|-(?=-)|\.(?=\.))")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# What this module and the list of works set; one that names Typst's own settings could hold its code.
_NOTE_SIZE = ("typst:text:size", "8.5pt")
_ATTRIBUTES = ("alt", "width", "custom-style", "entry-spacing", "line-spacing", "role")


@dataclass(frozen=True)
class Document:
    """A report in one language.

    Attributes
    ----------
    language : {"en", "zh"}
    title : str
    markdown : str
        For Pandoc; figures are named by their files, relative to the region's folder.
    numbers : tuple of dict
        The numbers that the prose states, in order of first mention.
    """

    language: str
    title: str
    markdown: str
    numbers: tuple[dict, ...]


def read_blocks(executed: Path) -> list[dict]:
    """Return the blocks that a report notebook wrote.

    Raises
    ------
    ClusterlibError
        If it wrote none.
    """
    notebook = nbformat.read(executed, as_version=4)
    blocks = [
        output.data[MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
    if not blocks:
        raise ClusterlibError(f"{executed.name} wrote no report: use clusterlib.report.Report in its cells")
    return blocks


def escape_markdown(text: str) -> str:
    """Return a result, label or note on one line, in which Pandoc reads no marks."""
    return _SPECIAL.sub(r"\\\1", " ".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).split()))


def _prose(segments: list) -> str:
    """Return prose: an author's text is Markdown, a recorded result is not."""
    return "".join(s if isinstance(s, str) else f"[{escape_markdown(s['shown'])}]({s['target']})" for s in segments)


def check_tree(node: object) -> None:
    """Raise if part of a report, as Pandoc read it, holds more than text, figures of its folder and links to pages.

    Raises
    ------
    ClusterlibError
        For raw HTML, TeX or Typst, a link that runs or reads something, a figure from elsewhere, or an attribute.
    """
    if isinstance(node, dict):
        kind, content = node.get("t"), node.get("c", "")
        if kind in ("RawInline", "RawBlock"):
            raise ClusterlibError(
                f"{content[1][:60]!r} in the report's text is {content[0]}: write Markdown, \\< for <"
            )
        place = unquote(content[2][0]) if kind in ("Link", "Image") else ""
        if not is_link(place):
            raise ClusterlibError(f"the report's text names {place!r}: a link leads to a page, https: or mailto:")
        if kind == "Image" and (":" in place or ".." in place or place.startswith(("/", "\\"))):
            raise ClusterlibError(f"the report's text shows the picture {place!r}: record it as a figure in a notebook")
        node = list(node.values())
    if isinstance(node, list):
        # Identifier, classes, and attributes by name.
        found = node[2] if [type(part) for part in node] == [str, list, list] else []
        if other := [name for name, value in found if name not in _ATTRIBUTES and (name, value) != _NOTE_SIZE]:
            raise ClusterlibError(f"the attribute {other[0]} stands in the report's text: leave it out")
        for part in node:
            check_tree(part)


class _Writer:
    def __init__(self, language: str, lookup: ResultLookup) -> None:
        self.language, self.lookup, self.words = language, lookup, WORDS[language]
        self.counts = {"figure": 0, "table": 0}
        self.numbers: dict[str, dict] = {}

    def block(self, block: dict) -> str:
        return getattr(self, block["kind"])(block)

    def heading(self, block: dict) -> str:
        return f"{'#' * block['level']} {_prose(block[self.language])}"

    def text(self, block: dict) -> str:
        for segment in block[self.language]:
            if isinstance(segment, dict):
                self.numbers.setdefault(segment["reference"], segment)
        return _prose(block[self.language])

    def caption(self, block: dict) -> str:
        self.counts[block["kind"]] += 1
        label = escape_markdown(_prose(block[self.language]))
        number = f"{self.words[block['kind']]} {self.counts[block['kind']]}"
        target = f"{block['notebook']}.html#result-{block['name']}"
        return f"[{number}]({target}){self.words['sep']}{label}"

    def figure(self, block: dict) -> str:
        record = self.lookup.record(block["notebook"], block["name"])
        alt = escape_markdown(record.said("alt", self.language)).replace('"', '\\"')
        file = f"{block['notebook']}/{record.said('value', self.language)}"
        lines = [f'![{self.caption(block)}]({file}){{alt="{alt}" width=100%}}']
        notes = self._notes(record)
        return "\n\n".join([*lines, notes] if notes else lines)

    def table(self, block: dict) -> str:
        record = self.lookup.record(block["notebook"], block["name"])
        shown = record.said("shown", self.language)
        if shown is None:
            raise ClusterlibError(f"{block['notebook']}:{block['name']} has no cells to set: run the notebook again")
        parts = [pipe_table(shown["heads"], shown["rows"], shown["align"]), f": {self.caption(block)}"]
        notes = self._notes(record)
        return "\n\n".join([*parts, notes] if notes else parts)

    def _notes(self, record: Record) -> str:
        fields = ((self.words[k], record.said(k, self.language)) for k in ("unit", "note", "source"))
        text = self.words["join"].join(
            f"{word}{self.words['colon']}{escape_markdown(value)}" for word, value in fields if value
        )
        return (
            f'::: {{custom-style="Table Note" .table-note {_NOTE_SIZE[0]}={_NOTE_SIZE[1]}}}\n{text}\n:::'
            if text
            else ""
        )

    def claims(self, block: dict) -> str:
        rows = [
            [text, verdict, self.words["join"].join(part for part in (evidence, reason) if part)]
            for text, verdict, evidence, reason in block["rows"][self.language]
        ]
        self.counts["table"] += 1
        caption = f"{self.words['table']} {self.counts['table']}{self.words['sep']}{_prose(block[self.language])}"
        return f"{pipe_table(self.words['claims'], rows, ['left'] * 3)}\n\n: {caption}"

    def references(self, block: dict) -> str:
        return f"# {_prose(block[self.language])} {{.unnumbered}}\n\n::: {{#refs}}\n:::"

    def appendix(self) -> str:
        rows = [
            [_prose([n]), _code(n["reference"].partition(":")[2]), _code(n["reference"].partition(":")[0]),
             _code(n["cell"])]
            for n in self.numbers.values()
        ]  # fmt: skip
        table = pipe_table(self.words["heads"], rows, ["right", "left", "left", "left"], escaped=True)
        return f"# {self.words['numbers']} {{.unnumbered}}\n\n{self.words['numbers_intro']}\n\n{table}"


def _code(text: str) -> str:
    """Set a name as code; one that would end it is set as text."""
    return escape_markdown(text) if set(text) & set("`|\n") else f"`{text}`"


def pipe_table(heads: list[str], rows: list[list[str]], align: list[str], escaped: bool = False) -> str:
    """Set cells as a Pandoc pipe table."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell if escaped else escape_markdown(cell) for cell in cells) + " |"

    rules = [":--" if a == "left" else "--:" for a in align]
    return "\n".join([line(heads), "|" + "|".join(rules) + "|", *(line(row) for row in rows)])


def collect_document(blocks: list[dict], language: str, lookup: ResultLookup) -> Document:
    """Set the blocks of a report in one language.

    Parameters
    ----------
    blocks : list of dict
        From :func:`read_blocks`; the first is the title.
    language : {"en", "zh"}
    lookup : ResultLookup

    Returns
    -------
    Document
    """
    writer = _Writer(language, lookup)
    title, rest = blocks[0], blocks[1:]
    body = [writer.block(block) for block in rest]
    if writer.numbers:
        body.append(writer.appendix())
    markdown = "\n\n".join(body) + "\n"
    return Document(language, _prose(title[language]), markdown, tuple(writer.numbers.values()))

"""The report as one document in one language, as Pandoc's Markdown: what all documents have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import east_asian_width
from urllib.parse import unquote

from clusterlib.core.hypertext import is_link
from clusterlib.errors import ClusterlibError

if TYPE_CHECKING:
    from clusterlib.results import Record

WORDS = {
    "en": {"figure": "Figure", "table": "Table", "unit": "Unit", "note": "Note", "source": "Source", "sep": ". ",
           "colon": ": ", "join": "; ", "nation": "Nation", "measure": "Measure", "threshold": "Threshold",
           "abstract": "Abstract", "keywords": "Keywords", "classification": "JEL",
           "heads": ["Number", "Result", "Region", "Notebook", "Cell"],
           "ledger": ["No.", "Statement"]},
    "zh": {"figure": "图", "table": "表", "unit": "单位", "note": "注", "source": "资料来源", "sep": "　",
           "colon": "：", "join": "；", "nation": "全国", "measure": "测度", "threshold": "阈值",
           "abstract": "摘要", "keywords": "关键词", "classification": "中图分类号",
           "heads": ["数字", "结果", "区域", "笔记本", "单元"],
           "ledger": ["编号", "论断"]},
}  # fmt: skip
# Of dashes and full stops those that Pandoc would join.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~^$@&]|-(?=-)|\.(?=\.))")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# What this module and the list of works set; one that names Typst's own settings could hold its code.
_NOTE_SIZE = ("typst:text:size", "8.5pt")
_ATTRIBUTES = ("alt", "width", "custom-style", "entry-spacing", "line-spacing", "role")


@dataclass(frozen=True)
class Document:
    """A document in one language.

    Attributes
    ----------
    language : {"en", "zh"}
    title : str
    markdown : str
        For Pandoc; figures are named by their files, relative to the reports folder.
    authors, keywords : tuple of str
    numbers : tuple of (str, str)
        The results that the prose states, each with its region, sorted.
    """

    language: str
    title: str
    markdown: str
    authors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()


def escape_markdown(text: str) -> str:
    """Return a result, label or note on one line, in which Pandoc reads no marks."""
    return _SPECIAL.sub(r"\\\1", " ".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).split()))


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


def table_note(record: Record, language: str) -> str:
    """Set unit, note and source of a figure or table."""
    words = WORDS[language]
    fields = ((words[k], record.said(k, language)) for k in ("unit", "note", "source"))
    text = words["join"].join(f"{word}{words['colon']}{escape_markdown(value)}" for word, value in fields if value)
    note = f'::: {{custom-style="Table Note" .table-note {_NOTE_SIZE[0]}={_NOTE_SIZE[1]}}}\n{text}\n:::'
    return note if text else ""


def pipe_table(heads: list[str], rows: list[list[str]], align: list[str], escaped: bool = False) -> str:
    """Set cells as a Pandoc pipe table."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell if escaped else escape_markdown(cell) for cell in cells) + " |"

    rules = [":--" if a == "left" else "--:" for a in align]
    return "\n".join([line(heads), "|" + "|".join(rules) + "|", *(line(row) for row in rows)])


# Latin letters that a line holds, and the longest text that a column is given room for.
_LINE, _LONGEST = 95, 32


def set_widths(blocks: list) -> None:
    """Give the columns of tables that are wider than a page the shares that their longest texts ask for."""
    for block in blocks:
        if block["t"] == "Div":
            set_widths(block["c"][1])
        if block["t"] != "Table":
            continue
        _, _, columns, head, bodies, _ = block["c"]
        rows = [*head[1], *(row for body in bodies for part in body[2:] for row in part)]
        lengths = [max(_width(cells[k][4]) for _, cells in rows) for k in range(len(columns))]
        if sum(lengths) + 3 * len(lengths) <= _LINE:
            continue
        asked = [min(length, _LONGEST) + 3 for length in lengths]
        for column, share in zip(columns, asked, strict=True):
            column[1] = {"t": "ColWidth", "c": round(share / sum(asked), 4)}


def _width(node: object) -> int:
    """Width of what stands in a part of a document, in Latin letters; a Chinese character takes two."""
    if isinstance(node, dict):
        if node["t"] == "Str":
            return sum(2 if east_asian_width(c) in "WF" else 1 for c in node["c"])
        return 1 if node["t"] in ("Space", "SoftBreak") else _width(node.get("c", ""))
    return sum(map(_width, node)) if isinstance(node, list) else 0

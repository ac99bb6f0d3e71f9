"""The report as one document in one language, as Pandoc's Markdown: what all documents have in common."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
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
           "abstract": "Abstract", "keywords": "Keywords", "classification": "JEL", "contents": "Contents",
           "heads": ["Number", "Result", "Region", "Notebook", "Cell"],
           "ledger": ["No.", "Statement"]},
    "zh": {"figure": "图", "table": "表", "unit": "单位", "note": "注", "source": "资料来源", "sep": "　",
           "colon": "：", "join": "；", "nation": "全国", "measure": "测度", "threshold": "阈值",
           "abstract": "摘要", "keywords": "关键词", "classification": "中图分类号", "contents": "目录",
           "heads": ["数字", "结果", "区域", "笔记本", "单元"],
           "ledger": ["编号", "论断"]},
}  # fmt: skip
# Of dashes and full stops those that Pandoc would join.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~^$@&]|-(?=-)|\.(?=\.))")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# What this module and the list of works set; one that names Typst's own settings could hold its code.
_NOTE_SIZE = ("typst:text:size", "8.5pt")
_ATTRIBUTES = ("alt", "width", "result", "custom-style", "entry-spacing", "line-spacing", "role")


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


# Latin letters that a line of a table holds, or of the small table of numbers; the longest text that a column is given
# room for; and the longest number, and column of other words, that stay on one line.
_LINE, _SMALL_LINE, _LONGEST, _LONGEST_NUMBER, _SHORT_WORDS = 100, 120, 80, 24, 14
# A figure may fill this share of the width of the text in height, in a paper and in a brief of two pages.
_TALLEST, _TALLEST_OF_BRIEF = 0.6, 0.33
# Latin letters of a running title, and the fewest of a subtitle.
_RUNNING, _SUBTITLE = 90, 20


def running_title(title: str) -> str:
    """Return a title that fits on one line above a page: all of it, or what stands before its colon or question.

    Examples
    --------
    >>> running_title("Clusters")
    'Clusters'
    >>> running_title("Gathered but not a cluster? " + "State and remedies of digital clusters " * 2)
    'Gathered but not a cluster?'
    """
    if text_width(title) <= _RUNNING:
        return title
    head = split_title(title)[0]
    if text_width(head) <= _RUNNING:
        return head
    cut = max(k for k in range(len(title)) if text_width(title[:k]) <= _RUNNING - 2)
    # Words stay whole; Chinese has no spaces to cut at.
    return (title[: title.rfind(" ", 0, cut)] if " " in title[:cut] else title[:cut]).rstrip(":： ") + "…"


def split_title(title: str) -> tuple[str, str]:
    """Return what a long title says up to its first question mark or colon, and what it says after, if anything.

    Examples
    --------
    >>> split_title("Gathered but not a cluster? Its state and its remedies")
    ('Gathered but not a cluster?', 'Its state and its remedies')
    >>> split_title("Clusters: a brief")
    ('Clusters: a brief', '')
    """
    end = re.search(r"[?？]|：|:(?=\s)", title)
    if end is None or text_width(title[end.end() :].strip()) < _SUBTITLE:
        return title, ""
    return title[: end.end()].rstrip(":："), title[end.end() :].strip()


def number_headings(blocks: list, language: str) -> None:
    """Number headings of the first two levels, as journals in each language do: 1 and 1.1, or 一、 and （一）.

    Parameters
    ----------
    blocks : list
        Of Pandoc's JSON; changed in place. Headings of the class ``unnumbered`` stay as they are.
    language : {"en", "zh"}
    """
    counts = [0, 0]
    for block in blocks:
        if block["t"] != "Header" or block["c"][0] > 2 or "unnumbered" in block["c"][1][1]:
            continue
        level = block["c"][0]
        counts = [counts[0] + 1, 0] if level == 1 else [counts[0], counts[1] + 1]
        if language == "zh":
            number = f"{_in_chinese(counts[0])}、" if level == 1 else f"（{_in_chinese(counts[1])}）"
            block["c"][2].insert(0, {"t": "Str", "c": number})
        else:
            number = ".".join(map(str, counts[:level]))
            block["c"][2][:0] = [{"t": "Str", "c": number}, {"t": "Space"}]


def _in_chinese(number: int) -> str:
    """Write a number below a hundred in Chinese."""
    digits = ["", *"一二三四五六七八九"]
    tens, ones = divmod(number, 10)
    return f"{digits[tens] if tens > 1 else ''}{'十' if tens else ''}{digits[ones]}"


def is_paper(blocks: list) -> bool:
    """Whether a document is a paper, which has an abstract, numbered headings and contents; a brief has none."""
    return any("abstract" in block["c"][0][1] for block in blocks if block["t"] == "Div")


def arrange(blocks: list, folder: Path, paper: bool = True) -> None:
    """Fit what a report shows to a page: the widths of columns, the heights of figures, the table of numbers small.

    Parameters
    ----------
    blocks : list
        Of Pandoc's JSON, checked by :func:`check_tree`; changed in place.
    folder : Path
        Where the figures are.
    paper : bool, default True
        Whether it is one; the figures of a brief are smaller.
    """
    for place, block in enumerate(blocks):
        if block["t"] == "Div":
            arrange(block["c"][1], folder, paper)
        elif block["t"] == "Figure":
            _limit_height(block, folder, _TALLEST if paper else _TALLEST_OF_BRIEF)
        elif block["t"] == "Table":
            small = _holds_numbers(block)
            _set_widths(block, _SMALL_LINE if small else _LINE)
            if small:
                blocks[place] = {"t": "Div", "c": [["", ["numbers"], [["typst:text:size", "8.5pt"]]], [block]]}


def _holds_numbers(table: dict) -> bool:
    """Whether a table is the one that says where numbers come from: its rows are what they link to."""
    rows = [row for body in table["c"][4] for row in body[3]]
    return bool(rows) and re.search(r'"Span", "c": \[\["n\d+"', json.dumps(rows[0])) is not None


def _limit_height(figure: dict, folder: Path, tallest: float) -> None:
    for image in found(figure, "Image"):
        attributes, _, (place, _) = image["c"]
        shape = _picture_shape(folder / unquote(place))
        said = dict(attributes[2])
        wide = float(said.get("width", "100%").rstrip("%"))
        if shape and wide / 100 * shape[1] / shape[0] > tallest:
            said["width"] = f"{100 * tallest * shape[0] / shape[1]:.0f}%"
            attributes[2] = [list(pair) for pair in said.items()]


def _picture_shape(path: Path) -> tuple[int, int] | None:
    """Return width and height of a PNG file, which stand at its head; None for what is none."""
    head = path.read_bytes()[:24] if path.is_file() else b""
    return struct.unpack(">II", head[16:24]) if head[:8] == b"\x89PNG\r\n\x1a\n" else None


def found(node: object, kind: str) -> list[dict]:
    """Return the elements of a kind within a part of a document, in their order."""
    if isinstance(node, dict):
        own = [node] if node.get("t") == kind else []
        return own + [each for part in node.values() for each in found(part, kind)]
    return [each for part in node for each in found(part, kind)] if isinstance(node, list) else []


def _set_widths(table: dict, line: int) -> None:
    """Give the columns of a table that is wider than a page what their words need, and the rest by their texts."""
    _, _, columns, head, bodies, _ = table["c"]
    rows = [*head[1], *(row for body in bodies for part in body[2:] for row in part)]
    cells = [[_words(cells[k][4]) for _, cells in rows] for k in range(len(columns))]
    lengths = [max(map(text_width, column)) for column in cells]
    if sum(lengths) + 3 * len(lengths) <= line:
        return
    least = [max(map(_longest_word, column)) for column in cells]
    # A number with its interval stands on one line, and so does a verdict; a head may take more.
    for k, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        if column[0]["t"] == "AlignRight" or length <= _SHORT_WORDS:
            below = max(map(text_width, cells[k][len(head[1]) :]), default=0)
            least[k] = max(least[k], min(below, _LONGEST_NUMBER))
    # A few long texts of a long table take more lines, so that the others take fewer.
    usual = [sorted(map(text_width, column))[len(column) * 4 // 5] for column in cells] if len(rows) > 20 else lengths
    more = [max(min(length, _LONGEST) - a, 0) for length, a in zip(usual, least, strict=True)]
    least = [a + 2 for a in least]
    rest = max(line - sum(least), 0)
    asked = [a + rest * b / (sum(more) or 1) for a, b in zip(least, more, strict=True)]
    for column, share in zip(columns, asked, strict=True):
        column[1] = {"t": "ColWidth", "c": round(share / sum(asked), 4)}


def _words(node: object) -> str:
    """Return the text that stands in a part of a document."""
    if isinstance(node, dict):
        if node["t"] == "Str":
            return node["c"]
        return " " if node["t"] in ("Space", "SoftBreak") else _words(node.get("c", ""))
    return "".join(map(_words, node)) if isinstance(node, list) else ""


def _longest_word(text: str) -> int:
    """Width of the longest part of a text that no line breaks; Chinese breaks anywhere, but not below four."""
    return max(
        (text_width(part) for part in re.findall(r"[\u3000-\uffef]{1,4}|[^\s\u3000-\uffef-]+-?", text)), default=0
    )


def text_width(text: str) -> int:
    """Width of a text in Latin letters; a Chinese character takes two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def check_works(blocks: list) -> None:
    """Raise if a work is cited that no list of works has.

    Raises
    ------
    ClusterlibError
        With its key.
    """
    cited = {f"ref-{work['citationId']}" for cite in found(blocks, "Cite") for work in cite["c"][0]}
    listed = {block["c"][0][0] for block in found(blocks, "Div")}
    if unknown := sorted(cited - listed):
        keys = ", ".join(f"@{key.removeprefix('ref-')}" for key in unknown)
        raise ClusterlibError(
            f"the report cites {keys}: add the work to report/references.bib, or that of the language"
        )

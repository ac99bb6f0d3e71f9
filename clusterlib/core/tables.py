"""Three-line tables (三线表): how a figure is written, a column aligned, and a frame set for screen and terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_frame, check_whole
from clusterlib.core.language import say
from clusterlib.errors import InvalidInputError

_SET_FIGURE = re.compile(r"\(-?[\d,]*\.?\d+(e[+-]\d+)?\)|-?[\d,]*\.?\d+(e[+-]\d+)?\*{1,3}")
_HANGING = re.compile(r"(?<=\d)(\)|\*{1,3})$")


@dataclass(frozen=True)
class Cells:
    """A frame as text.

    Attributes
    ----------
    heads : list of str
    rows : list of list of str
    align : list of str
        ``"left"``, ``"right"``, or ``"hanging"``: to the right, with stars and closing parentheses beyond the edge.
    """

    heads: list[str]
    rows: list[list[str]]
    align: list[str]


def format_number(value: float, digits: int | None = None) -> str:
    """Format a number for people: thousands separated, about four significant digits unless told otherwise."""
    if isinstance(value, bool):
        return say("yes", "是") if value else say("no", "否")
    if isinstance(value, int) and digits is None:
        return f"{value:,}" if abs(value) >= 10000 else str(value)
    if digits is None:
        magnitude = math.floor(math.log10(abs(value))) if value else 0
        digits = max(0, min(6, 3 - magnitude))
    return f"{value:,.{digits}f}"


def write_value(value: object, digits: int | None) -> str:
    """Return a value for people: a dash where it is missing or infinite, ``<0.001`` where it rounds to zero."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):  # type: ignore[arg-type]
        return "–"
    if isinstance(value, float):
        if math.isinf(value):
            return "–"
        shown = format_number(value, digits)
        return f"<{shown[:-1]}1" if value > 0 and float(shown.replace(",", "")) == 0 else shown
    return format_number(value) if isinstance(value, int) else str(value)


def _alignment(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return "right"
    is_set = any(isinstance(value, str) and _SET_FIGURE.fullmatch(value) for value in column)
    return "hanging" if is_set else "left"


def split_hanging(text: str) -> tuple[str, str]:
    """Return a figure up to its last digit, and the stars or the parenthesis behind it.

    Examples
    --------
    >>> split_hanging("0.123**"), split_hanging("(0.045)"), split_hanging("yes")
    (('0.123', '**'), ('(0.045', ')'), ('yes', ''))
    """
    found = _HANGING.search(text)
    return (text[: found.start()], found[0]) if found else (text, "")


def has_labels(index: pd.Index) -> bool:
    """Whether an index holds more than the numbers of the rows, from zero and without a name."""
    plain = isinstance(index, pd.RangeIndex) and (index.start, index.step) == (0, 1)
    return not plain or index.name is not None


def head_of(name: object) -> str:
    """Return the name of a column or index level as a head: nothing for none, the parts of several levels in a row."""
    parts = name if isinstance(name, tuple) else (name,)
    return " ".join(str(part) for part in parts if part is not None).strip()


def _write_label(value: object, digits: int | None) -> str:
    # A code or a year is no amount.
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return str(value) if whole else write_value(value, digits)


def write_cells(
    frame: pd.DataFrame | pd.Series,
    caption: str,
    digits: int | Mapping[str, int] | None,
    headers: Mapping[str, str] | None,
) -> Cells:
    """Return a frame as text; index levels become the first columns, but for the numbers of the rows.

    Raises
    ------
    InvalidInputError
        For something that is no frame, a frame without rows or columns, ``headers`` that are no mapping, or decimals
        that are no whole number.
    """
    frame = check_frame(frame.to_frame() if isinstance(frame, pd.Series) else frame)
    if frame.empty:
        raise InvalidInputError(f"table {caption!r} has no rows or no columns")
    if headers is not None and not isinstance(headers, Mapping):
        raise InvalidInputError(f"headers: expected heads by column, such as a dict, got a {type(headers).__name__}")
    levels = [frame.index.get_level_values(k) for k in range(frame.index.nlevels)] if has_labels(frame.index) else []
    # By position: an index may be named as a column is, and columns may share a name.
    columns = [level.to_series() for level in levels] + [frame.iloc[:, k] for k in range(frame.shape[1])]
    written = []
    for number, column in enumerate(columns):
        places = digits.get(column.name) if isinstance(digits, Mapping) else digits  # type: ignore[arg-type]
        if places is not None:
            places = check_whole("digits", places, 0, 15)
        write = _write_label if number < len(levels) else write_value
        written.append([write(value, places) for value in column])
    heads = [str((headers or {}).get(column.name, head_of(column.name))).strip() for column in columns]  # type: ignore
    return Cells(heads, [list(row) for row in zip(*written, strict=True)], [_alignment(column) for column in columns])


def check_texts(**texts: object) -> None:
    """Raise InvalidInputError naming an argument that is no text."""
    for name, text in texts.items():
        if not isinstance(text, str):
            raise InvalidInputError(f"{name}={text!r}: expected a text")


def write_notes(unit: str, note: str, source: str) -> list[str]:
    """Return what stands below a table, without what is empty."""
    parts = ((say("Unit", "单位"), unit), (say("Note", "注"), note), (say("Source", "资料来源"), source))
    return [f"{head}{say(': ', '：')}{text}" for head, text in parts if text]


_HEAVY, _LIGHT = "border-top:2px solid #222", "border-bottom:1px solid #222"
# Behind a figure with three stars there must be room for them before the next column.
_STYLES = {
    "left": "text-align:left;padding:2px 10px",
    "right": "text-align:right;padding:2px 10px",
    "hanging": "text-align:right;padding:2px 2.2em 2px 10px;white-space:nowrap",
}


def _content_html(text: str, align: str) -> str:
    body, behind = split_hanging(text) if align == "hanging" else (text, "")
    if not behind:
        return escape(text)
    # A box of no width: the last digits of a column stand in one line, and the text can be copied as it is.
    return f'{escape(body)}<span style="display:inline-block;width:0">{behind}</span>'


def _row(cells: list[str], tag: str, align: list[str]) -> str:
    inner = "".join(f'<{tag} style="{_STYLES[a]}">{c}</{tag}>' for c, a in zip(cells, align, strict=True))
    return f"<tr>{inner}</tr>"


def set_html(cells: Cells, caption: str = "", below: str = "") -> str:
    """Set cells as a three-line table in HTML that needs no style sheet."""
    head = _row([escape(text) for text in cells.heads], "th", cells.align)
    body = "".join(
        _row([_content_html(text, a) for text, a in zip(row, cells.align, strict=True)], "td", cells.align)
        for row in cells.rows
    )
    return (
        '<div class="table-wrap" style="overflow-x:auto"><table class="three-line" style="border-collapse:collapse">'
        + (f'<caption style="text-align:left;font-weight:600">{escape(caption)}</caption>' if caption else "")
        + f'<thead style="{_HEAVY};{_LIGHT}">{head}</thead>'
        + f'<tbody style="border-bottom:2px solid #222">{body}</tbody></table>'
        + (f'<p class="table-note" style="font-size:smaller">{escape(below)}</p>' if below else "")
        + "</div>"
    )


def _width(text: str) -> int:
    """Columns that a text takes in a terminal, where Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def set_text(cells: Cells, caption: str = "", below: str = "") -> str:
    """Set cells as a three-line table in plain text."""
    widths = [max(_width(row[j]) for row in [cells.heads, *cells.rows]) for j in range(len(cells.heads))]

    def line(row: list[str]) -> str:
        padded = []
        for text, width, align in zip(row, widths, cells.align, strict=True):
            space = " " * (width - _width(text))
            padded.append(text + space if align == "left" else space + text)
        return "  ".join(padded).rstrip()

    whole = sum(widths) + 2 * (len(widths) - 1)
    rows = [line(cells.heads), "-" * whole, *map(line, cells.rows)]
    heavy = "=" * whole
    return "\n".join([*([caption] if caption else []), heavy, *rows, heavy, *([below] if below else [])])

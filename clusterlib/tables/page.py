"""Three-line tables (三线表) in HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

from clusterlib.tables.cells import Cells, split_hanging, write_cells, write_notes

_HEAVY, _LIGHT = "border-top:2px solid #222", "border-bottom:1px solid #222"
# Behind a figure with three stars there must be room for them before the next column.
_STYLES = {
    "left": "text-align:left;padding:2px 10px",
    "right": "text-align:right;padding:2px 10px",
    "hanging": "text-align:right;padding:2px 2.2em 2px 10px;white-space:nowrap",
}


def _content(text: str, align: str) -> str:
    body, behind = split_hanging(text) if align == "hanging" else (text, "")
    if not behind:
        return escape(text)
    # A box of no width: the last digits of a column stand in one line, and the text can be copied as it is.
    return f'{escape(body)}<span style="display:inline-block;width:0">{behind}</span>'


def _row(cells: list[str], tag: str, align: list[str]) -> str:
    inner = "".join(f'<{tag} style="{_STYLES[a]}">{c}</{tag}>' for c, a in zip(cells, align, strict=True))
    return f"<tr>{inner}</tr>"


def three_line_table(
    frame: pd.DataFrame,
    caption: str = "",
    caption_zh: str = "",
    *,
    unit: str = "",
    note: str = "",
    source: str = "",
    digits: int | Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Set a DataFrame as a three-line table (三线表) in HTML.

    Rules above the head, below the head and below the body, none between columns; numbers to the right, with the
    same decimals in a column; a missing or infinite figure is a dash, a positive one that rounds to zero is ``<0.001``.
    Text stands to the left, but for a column with figures in parentheses or with stars, as of
    :func:`clusterlib.tables.regression_table`, which is aligned at its last digits.

    Parameters
    ----------
    frame : DataFrame
        Named index levels become the first columns; an unnamed default index is left out.
    caption, caption_zh : str
        Caption in English and Chinese.
    unit, note, source : str
        Set below the table.
    digits : int or mapping of str to int, optional
        Decimals of every float, or by column; by default about four significant digits.
    headers : mapping, optional
        Heads shown in place of column names.

    Returns
    -------
    str
        HTML that needs no style sheet.

    Raises
    ------
    InvalidInputError
        If the frame has no rows or no columns.
    """
    return set_page(write_cells(frame, caption, digits, headers), caption, caption_zh, unit, note, source)


def set_page(cells: Cells, caption: str, caption_zh: str, unit: str, note: str, source: str) -> str:
    """Set cells as a three-line table in HTML."""
    head = _row([escape(text) for text in cells.heads], "th", cells.align)
    body = "".join(
        _row([_content(text, a) for text, a in zip(row, cells.align, strict=True)], "td", cells.align)
        for row in cells.rows
    )
    below = "; ".join(write_notes(unit, note, source))
    caption_html = " ".join(escape(c) for c in (caption, caption_zh) if c)
    return (
        '<div class="table-wrap" style="overflow-x:auto"><table class="three-line" style="border-collapse:collapse">'
        + (f'<caption style="text-align:left;font-weight:600">{caption_html}</caption>' if caption_html else "")
        + f'<thead style="{_HEAVY};{_LIGHT}">{head}</thead>'
        + f'<tbody style="border-bottom:2px solid #222">{body}</tbody></table>'
        + (f'<p class="table-note" style="font-size:smaller">{escape(below)}</p>' if below else "")
        + "</div>"
    )

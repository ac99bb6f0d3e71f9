"""Three-line tables (三线表) for print and screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import pandas as pd

from clusterlib.errors import InvalidInputError

_HEAVY, _LIGHT = "border-top:2px solid #222", "border-bottom:1px solid #222"


def _cell(value, digits: int | None) -> str:
    from clusterlib.results import format_number

    value = value.item() if hasattr(value, "item") else value
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        if math.isinf(value):
            return "–"
        shown = format_number(value, digits)
        return f"<{shown[:-1]}1" if value > 0 and float(shown.replace(",", "")) == 0 else shown
    return format_number(value) if isinstance(value, int) else str(value)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _row(cells: list[str], tag: str, align: list[str], style: str = "") -> str:
    inner = "".join(
        f'<{tag} style="text-align:{a};padding:2px 10px">{c}</{tag}>' for c, a in zip(cells, align, strict=True)
    )
    return f'<tr style="{style}">{inner}</tr>' if style else f"<tr>{inner}</tr>"


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
    """Set a DataFrame as a three-line table in HTML.

    Rules above the head, below the head and below the body, none between columns; numbers to the right, with the
    same decimals in a column; a missing or infinite figure is a dash, a positive one that rounds to zero is ``<0.001``.

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
    if frame.empty:
        raise InvalidInputError(f"table {caption!r} has no rows or no columns")
    flat = frame.reset_index() if frame.index.names != [None] else frame
    heads = [escape(str((headers or {}).get(c, c))) for c in flat.columns]
    align = ["right" if _is_number(flat[c]) else "left" for c in flat.columns]
    places = [digits.get(c) if isinstance(digits, Mapping) else digits for c in flat.columns]
    body = [
        _row([escape(_cell(v, d)) for v, d in zip(row, places, strict=True)], "td", align)
        for row in flat.itertuples(index=False, name=None)
    ]
    below = "; ".join(
        part
        for part in (
            f"Unit 单位: {unit}" if unit else "",
            f"Note 注: {note}" if note else "",
            f"Source 资料来源: {source}" if source else "",
        )
        if part
    )
    caption_html = " ".join(escape(c) for c in (caption, caption_zh) if c)
    return (
        '<div class="table-wrap" style="overflow-x:auto"><table class="three-line" style="border-collapse:collapse">'
        + (f'<caption style="text-align:left;font-weight:600">{caption_html}</caption>' if caption_html else "")
        + f'<thead style="{_HEAVY};{_LIGHT}">{_row(heads, "th", align)}</thead>'
        + f'<tbody style="border-bottom:2px solid #222">{"".join(body)}</tbody></table>'
        + (f'<p class="table-note" style="font-size:smaller">{escape(below)}</p>' if below else "")
        + "</div>"
    )

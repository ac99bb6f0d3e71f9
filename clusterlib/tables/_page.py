"""Three-line tables (三线表) in HTML."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from clusterlib.core.tables import Cells, set_html, write_cells, write_notes


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
    """Set cells as a three-line table in HTML, with captions and what stands below."""
    titles = " ".join(text for text in (caption, caption_zh) if text)
    return set_html(cells, titles, "; ".join(write_notes(unit, note, source)))

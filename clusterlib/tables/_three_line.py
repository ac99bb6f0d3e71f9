"""Three-line tables (三线表) in HTML, and in LaTeX with booktabs' rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from clusterlib.core.language import say
from clusterlib.core.tables import Cells, check_texts, set_html, split_hanging, write_cells, write_notes


def three_line_table(
    frame: pd.DataFrame | pd.Series,
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
    frame : DataFrame or Series
        Index levels become the first columns; an unnamed default index, the numbers of the rows, is left out.
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
        For something that is no frame, a frame without rows or columns, or a caption or note that is no text.
    """
    return set_page(write_cells(frame, caption, digits, headers), caption, caption_zh, unit, note, source)


def set_page(cells: Cells, caption: str, caption_zh: str, unit: str, note: str, source: str) -> str:
    """Set cells as a three-line table in HTML, with captions and what stands below."""
    check_texts(caption=caption, caption_zh=caption_zh, unit=unit, note=note, source=source)
    titles = " ".join(text for text in (caption, caption_zh) if text)
    return set_html(cells, titles, say("; ", "；").join(write_notes(unit, note, source)))


_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        # A line that is left blank would end the caption or the cell.
        "\n": " ",
        **{character: rf"\{character}" for character in "&%$#_"},
    }
)

# The hyphen of a negative figure, and not that of a word or a range.
_MINUS = re.compile(r"^-(?=[\d.])")


def escape_latex(text: str) -> str:
    r"""Return text in which no character is a command of LaTeX.

    Examples
    --------
    >>> print(escape_latex("R&D_{share} < 5 %"))
    R\&D\_\{share\} \textless{} 5 \%
    """
    return text.translate(_ESCAPES)


def _content(text: str, align: str) -> str:
    body, behind = split_hanging(text) if align == "hanging" else (text, "")
    if behind.startswith("*"):
        behind = rf"\textsuperscript{{{behind}}}"
    return _MINUS.sub("$-$", escape_latex(body)) + (rf"\rlap{{{behind}}}" if behind else "")


def _line(cells: list[str]) -> str:
    # A bracket or a star at the start of a line would be read as an option of the line break before it.
    guard = "{}" if cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"


def three_line_table_latex(
    frame: pd.DataFrame | pd.Series,
    caption: str = "",
    caption_zh: str = "",
    *,
    unit: str = "",
    note: str = "",
    source: str = "",
    digits: int | Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    label: str = "",
) -> str:
    r"""Set a DataFrame as a three-line table (三线表) in LaTeX.

    It needs ``\usepackage{booktabs}``, and a class for Chinese such as ``ctexart`` where there is any. Cells are those
    of :func:`clusterlib.tables.three_line_table`; stars and closing parentheses hang behind the last digit.

    Parameters
    ----------
    frame, caption, caption_zh, unit, note, source, digits, headers
        As in :func:`clusterlib.tables.three_line_table`.
    label : str
        For ``\ref``.

    Returns
    -------
    str

    Raises
    ------
    InvalidInputError
        As :func:`clusterlib.tables.three_line_table`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"model": ["0.50**", "(0.20)"]}, index=pd.Index(["x", ""], name="variable"))
    >>> print(three_line_table_latex(frame, "Results"))
    \begin{table}[htbp]
    \centering
    \caption{Results}
    \begin{tabular}{lr}
    \toprule
    variable & model \\
    \midrule
    x & 0.50\rlap{\textsuperscript{**}} \\
     & (0.20\rlap{)} \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    return set_latex(write_cells(frame, caption, digits, headers), caption, caption_zh, unit, note, source, label)


def set_latex(cells: Cells, caption: str, caption_zh: str, unit: str, note: str, source: str, label: str = "") -> str:
    """Set cells as a three-line table in LaTeX."""
    check_texts(caption=caption, caption_zh=caption_zh, unit=unit, note=note, source=source, label=label)
    titles = " ".join(escape_latex(text) for text in (caption, caption_zh) if text)
    notes = [escape_latex(text) for text in write_notes(unit, note, source)]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        *([rf"\caption{{{titles}}}"] if titles else []),
        *([rf"\label{{{label}}}"] if label else []),
        rf"\begin{{tabular}}{{{''.join('l' if a == 'left' else 'r' for a in cells.align)}}}",
        r"\toprule",
        _line([escape_latex(text) for text in cells.heads]),
        r"\midrule",
        *(_line([_content(text, a) for text, a in zip(row, cells.align, strict=True)]) for row in cells.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\smallskip", rf"{{\footnotesize {say('; ', '；').join(notes)}\par}}"] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines)

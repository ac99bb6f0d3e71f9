"""Three-line tables (三线表) in LaTeX, with booktabs' rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from clusterlib.core.tables import Cells, split_hanging, write_cells, write_notes

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
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
    frame: pd.DataFrame,
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
        If the frame has no rows or no columns.

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
        *([r"\par\smallskip", rf"{{\footnotesize {'; '.join(notes)}\par}}"] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines)

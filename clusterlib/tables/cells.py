"""Cells of three-line tables: how a figure is written, and how a column is aligned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

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


def write_value(value, digits: int | None) -> str:
    """Return a value for people: a dash where it is missing or infinite, ``<0.001`` where it rounds to zero."""
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


def write_cells(
    frame: pd.DataFrame,
    caption: str,
    digits: int | Mapping[str, int] | None,
    headers: Mapping[str, str] | None,
) -> Cells:
    """Return a frame as text; named index levels become the first columns.

    Raises
    ------
    InvalidInputError
        If the frame has no rows or no columns.
    """
    if frame.empty:
        raise InvalidInputError(f"table {caption!r} has no rows or no columns")
    flat = frame.reset_index() if frame.index.names != [None] else frame
    heads = [str((headers or {}).get(column, column)) for column in flat.columns]
    places = [digits.get(column) if isinstance(digits, Mapping) else digits for column in flat.columns]
    rows = [
        [write_value(value, place) for value, place in zip(row, places, strict=True)]
        for row in flat.itertuples(index=False, name=None)
    ]
    return Cells(heads, rows, [_alignment(flat[column]) for column in flat.columns])


def write_notes(unit: str, note: str, source: str) -> list[str]:
    """Return what stands below a table, in both languages, without what is empty."""
    parts: Iterable[tuple[str, str]] = (("Unit 单位", unit), ("Note 注", note), ("Source 资料来源", source))
    return [f"{head}: {text}" for head, text in parts if text]

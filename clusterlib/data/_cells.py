"""What one cell of a raw table may hold, and what to say of one that holds something else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeAlias

import pandas as pd

from clusterlib.errors import UnknownNameError

YEARS = (1949, 2100)
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
# Which cells of a column are sound, and what to say of one that is not.
Rule: TypeAlias = tuple[Callable[[pd.Series], pd.Series], Callable[[str], str]]


def one_of(kind: str, valid: Iterable[Hashable], hint: str = "") -> Rule:
    """Return the rule that a cell is one of these names."""
    names = list(valid)
    return lambda cells: cells.isin(names), lambda text: str(UnknownNameError(kind, text, names, hint))


def matching(pattern: str, what: str) -> Rule:
    """Return the rule that a cell has this form."""
    return lambda cells: cells.str.fullmatch(pattern), lambda text: f"{text!r} {what}"


def filled(columns: str) -> dict[str, Rule]:
    """Return the rule for each of these columns that a cell holds a line of text, without spaces around it."""
    rule: Rule = (
        lambda cells: (cells != "") & (cells == cells.str.strip()) & ~cells.str.contains("\n"),
        lambda text: f"{text!r} is no line without spaces around it" if text.strip() else "is empty: every row has one",
    )
    return dict.fromkeys(columns.split(), rule)


def _is_year(cells: pd.Series) -> pd.Series:
    return cells.str.fullmatch("[0-9]{4}") & pd.to_numeric(cells, errors="coerce").between(*YEARS)


def _is_date(cells: pd.Series) -> pd.Series:
    # Month and day may be left out.
    days = pd.to_datetime((cells + "-01-01").str[:10], format="%Y-%m-%d", errors="coerce")
    return cells.str.fullmatch("[0-9]{4}(-[0-9]{2}){0,2}") & days.notna() & _is_year(cells.str[:4])


A_NAME: Rule = matching("[a-z][a-z0-9_]*", "is not a name of small letters, digits and _")
A_YEAR: Rule = (_is_year, lambda text: f"{text!r} is not a year from {YEARS[0]} to {YEARS[1]}")
A_DATE: Rule = (_is_date, lambda text: f"{text!r} is no date such as 2016, 2016-10 or 2016-10-08")

"""What was read of a table, told in one line: which columns, units and years (读数记录)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

# Where a kernel of a run tells what it reads, a line each, and what stands before the name of a cell that has ended.
READS_VARIABLE, ENDED = "CLUSTERLIB_READS", "cell="
_ALL, _NONE = "*", "-"
_LIST = r"(?:[*-]|[\w.]+(?:,[\w.]+)*)"
# Imported indicators are a table each, by the name that their sheet has for them.
_TABLE = r"(?:[a-z_]+|own\.[a-z]+\.\w+)"
READ = re.compile(rf"{_TABLE} {_LIST} {_LIST} (?:[*-]|\d+:\d+|\d+(?:,\d+)*)")
# Of the code of a function: the code of a module, such as a cell, has it not.
_OF_A_FUNCTION = 1


class Read(NamedTuple):
    """Rows of a table: those that have all these columns, units and years; None stands for all there are.

    Attributes
    ----------
    table : str
        Such as ``"city"``, or ``"own.city.firms"`` for an imported indicator.
    columns : tuple of str, optional
        Indicators of a panel, or the kinds of rows of a list, such as its programmes; empty if no row was looked at.
    units : tuple of str, optional
        Codes; of pairs, both ends are among them.
    years : tuple of int, optional

    Examples
    --------
    >>> Read.of("city", ["gdp"], None, [2019, 2020, 2021]).text
    'city gdp * 2019:2021'
    >>> Read.parse("city gdp * 2019:2021").years
    (2019, 2020, 2021)
    """

    table: str
    columns: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    years: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        table: str,
        columns: Iterable | None = None,
        units: Iterable | None = None,
        years: Iterable[int] | None = None,
    ) -> Read:
        """Return what was read, from any collections."""
        names, codes = (None if part is None else tuple(map(str, part)) for part in (columns, units))
        return cls(table, names, codes, None if years is None else tuple(sorted({int(year) for year in years})))

    @property
    def text(self) -> str:
        """The read in one line of four words."""
        words = [_ALL if part is None else ",".join(part) or _NONE for part in (self.columns, self.units)]
        years = self.years
        if years and len(years) > 1 and years[-1] - years[0] == len(years) - 1:
            span = f"{years[0]}:{years[-1]}"
        else:
            span = _ALL if years is None else ",".join(map(str, years)) or _NONE
        return " ".join([self.table, *words, span])

    @classmethod
    def parse(cls, text: str) -> Read:
        """Return the read that a line tells.

        Raises
        ------
        ValueError
            If it tells none.
        """
        if not READ.fullmatch(text):
            raise ValueError(f"{text[:80]!r} is not what was read: expected table, columns, units and years")
        table, *lists, span = text.split(" ")
        columns, units = ({_ALL: None, _NONE: ()}.get(part, tuple(part.split(","))) for part in lists)
        first, colon, last = span.partition(":")
        if colon:
            return cls(table, columns, units, tuple(range(int(first), int(last) + 1)))
        years = tuple(map(int, span.split(","))) if first.isdecimal() or "," in span else ()
        return cls(table, columns, units, None if span == _ALL else years)


def has_rows(text: str) -> bool:
    """Return whether a read is of rows, and not only of which table there is."""
    return not text.endswith(f" {_NONE} {_NONE} {_NONE}")


def calling_line() -> int:
    """Return the line of the cell, or script, from which this is called through whatever functions; 0 if from none."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and not frame.f_code.co_flags & _OF_A_FUNCTION:
            return frame.f_lineno
        frame = frame.f_back
    return 0

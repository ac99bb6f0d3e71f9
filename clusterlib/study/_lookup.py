"""A recorded result by its name: ``notebook:result``, a cell of a table, or a parameter of the run (结果取数)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clusterlib.core.tables import check_texts, format_number
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.results import Record, Results, load_results

_REFERENCE = re.compile(
    r"(?P<notebook>\d{2}_[a-z0-9_]+):(?P<parameter>@)?(?P<name>[A-Za-z0-9_.]+)"
    r"(?:\[(?P<row>[^\];]*);(?P<column>[^\]]*)\])?(?:\|(?P<format>.+))?"
)
_FORMAT = re.compile(r"(?P<absolute>abs)?(?:\.(?P<digits>\d))?")


@dataclass(frozen=True)
class Reference:
    """A result as the prose names it: ``notebook:name``, ``notebook:table[row;column]`` or ``notebook:@parameter``.

    Attributes
    ----------
    notebook, name : str
    row, column : str
        A cell of a table: the values of its index levels, joined by commas, and the column; empty for a number.
    parameter : bool
        Whether the name is a parameter of the run and not a result.
    absolute : bool
    digits : int or None
        Decimals shown; by default about four significant digits.
    """

    notebook: str
    name: str
    row: str = ""
    column: str = ""
    parameter: bool = False
    absolute: bool = False
    digits: int | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference such as ``02_overview:concentration.core_count`` or ``05_inequality:gini[2023;total]|.3``.

        Raises
        ------
        InvalidInputError
            If it is not of that form.

        Examples
        --------
        >>> Reference.parse("05_inequality:dagum.by_year[2023;total]|.3").column
        'total'
        """
        check_texts(reference=text)
        match = _REFERENCE.fullmatch(text.strip())
        style = _FORMAT.fullmatch(match["format"] or "") if match else None
        if match is None or style is None:
            raise InvalidInputError(
                f"{{{text}}} cannot be read: expected notebook:result, notebook:table[row;column] or "
                "notebook:@parameter, and |.1 or |abs.1 behind it for the decimals"
            )
        digits = int(style["digits"]) if style["digits"] else None
        return cls(
            match["notebook"], match["name"], match["row"] or "", match["column"] or "",
            bool(match["parameter"]), bool(style["absolute"]), digits,
        )  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A number of the prose with where it comes from.

    Attributes
    ----------
    reference : str
        As the prose names it, without format.
    shown : str
    value : float, int or str
    target : str
        Page and anchor of the recorded result, from the region's folder.
    cell : str
        Identifier of the notebook cell that recorded it.
    """

    reference: str
    shown: str
    value: float | int | str
    target: str
    cell: str


class ResultLookup:
    """The recorded results of one region, loaded as they are asked for.

    Parameters
    ----------
    region : str
    reports : Path, optional
        The reports folder; by default the project's.
    """

    def __init__(self, region: str, reports: Path | None = None) -> None:
        self.region, self.reports = region, reports
        self._loaded: dict[str, Results] = {}

    @property
    def folder(self) -> Path:
        """Where the region's results lie."""
        from clusterlib.paths import get_project

        return (self.reports or get_project().reports) / self.region

    def results(self, notebook: str) -> Results:
        """Return what a notebook recorded for the region."""
        if notebook not in self._loaded:
            self._loaded[notebook] = load_results(notebook, self.region, self.reports)
        return self._loaded[notebook]

    def record(self, notebook: str, name: str) -> Record:
        """Return one record.

        Raises
        ------
        UnknownNameError
            If the notebook recorded nothing of that name; the message names the nearest.
        """
        return self.results(notebook)[name]

    def raw(self, reference: Reference) -> float | int | str:
        """Return the value that a reference stands for.

        Raises
        ------
        InvalidInputError
            If it is a table or figure as a whole, an empty cell of a table, or a parameter that is no number or text.
        UnknownNameError
            For an unknown result, parameter, row or column.
        """
        if reference.parameter:
            parameters = self.results(reference.notebook).parameters
            if reference.name not in parameters:
                raise UnknownNameError(f"parameter of {reference.notebook}", reference.name, parameters)
            value = parameters[reference.name]
            if not isinstance(value, (int, float, str)):
                raise InvalidInputError(f"{reference.notebook}:@{reference.name} is {value!r}: no number and no text")
            return value
        record = self.record(reference.notebook, reference.name)
        if reference.column:
            return _cell(record, reference)
        if record.kind not in ("number", "text"):
            raise InvalidInputError(f"{reference.notebook}:{reference.name} is a {record.kind}: name one of its cells")
        return record.value

    def value(self, text: str, language: str = "en") -> Value:
        """Return the number or text that ``text`` refers to, set for people in a language, with its place."""
        reference = Reference.parse(text)
        raw = self.raw(reference)
        shown = _shown(raw, reference) if not isinstance(raw, str) else raw
        if isinstance(raw, str) and not (reference.parameter or reference.column):
            shown = self.record(reference.notebook, reference.name).said("value", language)
        target = f"{reference.notebook}.html"
        cell = "parameters"
        if not reference.parameter:
            target += f"#result-{reference.name}"
            cell = self.record(reference.notebook, reference.name).cell
        return Value(text.partition("|")[0].strip(), shown, raw, target, cell)


def _shown(value: float, reference: Reference) -> str:
    value = abs(value) if reference.absolute else value
    digits = reference.digits
    if digits is not None and value and not round(value, digits):
        digits = None  # a number that would round to nothing is set with the digits that it takes
    # A typographic minus: in prose a hyphen may break at the end of a line.
    return format_number(value, digits).replace("-", "\N{MINUS SIGN}")


def _cell(record: Record, reference: Reference) -> float | int | str:
    place = f"{reference.notebook}:{reference.name}"
    if record.kind != "table":
        raise InvalidInputError(f"{place} is a {record.kind}: it has no cells")
    index, columns = record.value["index"], record.value["columns"]
    if reference.column not in columns:
        raise UnknownNameError(f"column of {place}", reference.column, columns)
    rows = {}
    for number, row in enumerate(record.value["data"]):
        key = ",".join(str(v) for v in row[: len(index)]) if index else str(number)
        rows[key] = row[len(index) + columns.index(reference.column)]
    if reference.row not in rows:
        raise UnknownNameError(f"row of {place}", reference.row, rows)
    value = rows[reference.row]
    if value is None:
        raise InvalidInputError(f"{place}[{reference.row};{reference.column}] has no value")
    return value

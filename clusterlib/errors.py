"""Errors that say what was wrong, where, what was expected and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "BoundaryError",
    "CaptionsError",
    "ClusterlibError",
    "ClusterlibWarning",
    "DataNotBuiltError",
    "ImportRefusedError",
    "InvalidInputError",
    "MissingExtraError",
    "OwnDataError",
    "Problem",
    "ProblemsError",
    "RawDataError",
    "ReportError",
    "SheetError",
    "StudyError",
    "UnknownNameError",
]


def __dir__() -> list[str]:
    return __all__


class ClusterlibError(Exception):
    """Base of all errors that clusterlib raises for a user's mistake."""


class ClusterlibWarning(UserWarning):
    """What is done as asked, though probably not meant."""


class InvalidInputError(ClusterlibError, ValueError):
    """An argument or a frame does not meet what a method needs."""


class UnknownNameError(ClusterlibError, ValueError):
    """A region, indicator, level, year or other name that does not exist.

    Parameters
    ----------
    kind : str
    name : object
    valid : iterable
    hint : str
        What else there is to say.
    spellings : mapping, optional
        The valid name that each of its other spellings stands for; a near one asks back for that name.
    """

    def __init__(
        self,
        kind: str,
        name: object,
        valid: Iterable[object],
        hint: str = "",
        spellings: Mapping[str, object] | None = None,
    ) -> None:
        self.kind, self.name, self.valid = kind, name, list(valid)
        spelt = {**(spellings or {}), **{str(value): value for value in self.valid}}
        folded = {spelling.casefold(): str(value) for spelling, value in spelt.items()}
        found = difflib.get_close_matches(str(name).casefold(), folded, n=3, cutoff=0.5)
        near = list(dict.fromkeys(folded[match] for match in found))
        parts = [f"unknown {kind} {name!r}"]
        if near:
            parts.append("did you mean " + " or ".join(map(repr, near)) + "?")
        if len(self.valid) <= 12:
            parts.append("valid: " + ", ".join(map(str, self.valid)))
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts))


class DataNotBuiltError(ClusterlibError):
    """The processed data are missing or do not fit together."""


class BoundaryError(ClusterlibError):
    """A boundary that must be there is missing or invalid."""


class MissingExtraError(ClusterlibError, ImportError):
    """What is asked for needs packages that come with an extra of clusterlib, and they are not installed."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file that people write: where it is and what was expected."""

    file: str
    line: int
    reason: str
    column: str = ""
    # What ``column`` is: of a table, or the keys that lead to a value.
    kind: str = "column"
    # The sheet of a workbook, or "" for a table, in which ``line`` counts rows; none for a file of lines.
    sheet: str | None = None

    def __str__(self) -> str:
        column = f", {self.kind} {self.column!r}" if self.column else ""
        reason = self.reason if len(self.reason) <= 600 else f"{self.reason[:600]} ..."
        if self.sheet is None:
            return f"{self.file}, line {self.line}{column}: {reason}"
        sheet, row = f", sheet {self.sheet!r}" * bool(self.sheet), f", row {self.line}" * bool(self.line)
        return f"{self.file}{sheet}{row}{column}: {reason}"


class ProblemsError(ClusterlibError):
    """Files that cannot be used; `problems` lists each file, line and reason."""

    shown = 20
    head = "{} problem(s)"
    # What to do about a file that is gone or empty.
    advice = "restore it from version control"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        lines = [str(p) for p in self.problems[: self.shown]]
        if len(self.problems) > self.shown:
            lines.append(f"... and {len(self.problems) - self.shown} more")
        super().__init__("\n  ".join([self.head.format(len(self.problems)), *lines]))


class RawDataError(ProblemsError):
    """Raw data that cannot be used."""

    head = "{} problem(s) in the raw data; the processed data were left as they were"


class OwnDataError(ProblemsError):
    """Imported indicators that cannot be used."""

    head = "{} problem(s) in the imported indicators"
    advice = "delete it if it is there, and import the files again that it was made of"


class SheetError(ProblemsError):
    """A sheet that cannot be read without a guess."""

    head = "{} problem(s) in the sheet; nothing was read from it"


class ImportRefusedError(ProblemsError):
    """A sheet that is not imported as it is."""

    head = "{} problem(s); nothing was imported"


class StudyError(ProblemsError):
    """Files of data/study that cannot be used."""

    head = "{} problem(s) in what data/study says"


class CaptionsError(ProblemsError):
    """Caption files of notebooks that cannot be used."""

    head = "{} problem(s) in the captions"


class ReportError(ProblemsError):
    """Texts of the report that cannot be set."""

    head = "{} problem(s) in the text of the report"

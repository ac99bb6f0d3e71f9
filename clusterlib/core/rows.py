"""Tables and settings that people write by hand: csv and yaml, each value with the line that it stands on."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlib.errors import Problem, ProblemsError

Place = tuple[str | int, ...]
# What a cell never holds: control characters but the end of a line, and marks that nobody sees.
UNSEEN = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]")
_CUT = "the file ends in the middle of a line: it looks cut off"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Beyond these a yaml file was not written by hand.
_MOST_CHARACTERS, _MOST_LEVELS = 1_000_000, 40
# Yaml reads 017 as 15, 1:30 as 90 and 1_000 as 1000: a number is what everyone takes for the same one.
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+][0-9]+)?")


def read_text(path: Path, file: str, error: type[ProblemsError]) -> str:
    """Read a text that people write; raises ``error`` if it is missing, empty or not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as wrong:
        gone = isinstance(wrong, FileNotFoundError)
        reason = "the file is missing" if gone else f"no file that can be read: {wrong.strerror}"
        raise error([Problem(file, 0, f"{reason}; {error.advice}")]) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content[: wrong.start].count(b"\n") + 1
        try:
            content.decode("gb18030")
            guess = "it reads as GBK/GB18030: save it again as UTF-8"
        except UnicodeDecodeError:
            guess = "save it again as UTF-8"
        raise error([Problem(file, line, f"the text is not UTF-8; {guess}")]) from None
    if not text.strip():
        raise error([Problem(file, 1, f"the file is empty; {error.advice}")])
    return text


def _check_header(file: str, header: list[str], columns: Sequence[str], error: type[ProblemsError]) -> None:
    found = {
        "missing": [c for c in columns if c not in header],
        "unexpected": [c for c in header if c not in columns],
        "repeated": sorted({c for c in header if header.count(c) > 1}),
    }
    reasons = [f"{word} column {', '.join(map(repr, names))}" for word, names in found.items() if names]
    if reasons:
        raise error([Problem(file, 1, f"{'; '.join(reasons)}; expected {','.join(columns)}")])


def name_of(path: Path, root: Path | None) -> str:
    """Return what messages call a file: its path from ``root``, or its name."""
    return path.relative_to(root).as_posix() if root else path.name


def read_rows(
    path: Path, columns: Sequence[str], root: Path | None, error: type[ProblemsError]
) -> dict[int, dict[str, str]]:
    """Read a csv as text and return its rows by the line that each starts on.

    Parameters
    ----------
    path : Path
        UTF-8 with a header.
    columns : sequence of str
        The columns that it must have, in any order.
    root : Path or None
        Folder that messages name the file from.
    error : type
        What is raised if the file is missing, not UTF-8 or cut off, or has other columns, a row with too many or too
        few fields, or a character that nobody sees.
    """
    file = name_of(path, root)
    text = read_text(path, file, error)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, problems = {}, []
    start = 1
    try:
        header = next(reader)
        _check_header(file, header, columns, error)
        start = reader.line_num + 1
        for row in reader:
            if len(row) == len(header):
                rows[start] = dict(zip(header, row, strict=True))
            elif row:
                problems.append(Problem(file, start, f"{len(row)} fields where the header has {len(header)}"))
            start = reader.line_num + 1
    except csv.Error as wrong:
        # A quotation mark that is never closed swallows the rest of the file: name the line that it stands in.
        problems.append(Problem(file, start, f"not valid csv: {wrong}"))
    # Looked for in the text first: no cell has any in almost every file.
    if UNSEEN.search(text.replace("\r\n", "\n")):
        problems += [
            Problem(file, line, f"the character {found[0]!r} has no place in a table: delete it", column)
            for line, row in rows.items()
            for column, cell in row.items()
            if (found := UNSEEN.search(cell.replace("\r\n", "\n")))
        ]
    if not text.endswith("\n"):
        last = text.count("\n") + 1
        problems.append(Problem(file, last, _CUT))
    if problems:
        raise error(problems)
    return rows


@dataclass(frozen=True)
class Settings:
    """What a yaml file says, and the line of every key and item by the keys that lead to it."""

    file: str
    value: Any
    lines: Mapping[Place, int]

    def problem(self, at: Place, reason: str) -> Problem:
        """Return what is wrong at a place, or, where the place is missing, at what should hold it."""
        known = next(at[:end] for end in range(len(at), -1, -1) if at[:end] in self.lines)
        return Problem(self.file, self.lines[known], reason, ".".join(map(str, at)), "at")


def read_settings(path: Path, root: Path | None, error: type[ProblemsError]) -> Settings:
    """Read a yaml file of plain values; nothing in it is evaluated.

    Raises ``error`` for what is no yaml or cut off, a key given twice, a tag, a value that refers to another, and one
    that is neither text nor number nor true or false to everyone: a date, an octal number, not a number.
    """
    import yaml

    file = name_of(path, root)
    text = read_text(path, file, error)
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise error([Problem(file, line, f"the control character {control[0]!r} is no text: delete it")])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    lines: dict[Place, int] = {(): 1}
    problems: list[Problem] = []

    def value_of(node: yaml.Node, at: Place) -> Any:
        if isinstance(node, yaml.SequenceNode):
            lines.update({(*at, k): item.start_mark.line + 1 for k, item in enumerate(node.value)})
            return [value_of(item, (*at, k)) for k, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return _plain(loader, node, lambda reason: problems.append(Problem(file, node.start_mark.line + 1, reason)))
        found = {}
        for key_node, item in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not key:
                problems.append(Problem(file, line, "a key before a colon is a word"))
            if key in found:
                problems.append(Problem(file, line, f"{key!r} is given twice"))
            lines[*at, key] = line
            found[key] = value_of(item, (*at, key))
        return found

    try:
        if fault := _fault_of_tokens(text, type(loader)):
            raise error([Problem(file, *fault)])
        node = loader.get_single_node()
        value = None if node is None else value_of(node, ())
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        reason = getattr(wrong, "problem", None) or str(wrong)
        raise error([Problem(file, mark.line + 1 if mark else 1, f"not valid yaml: {reason}")]) from None
    finally:
        loader.dispose()
    if not text.endswith("\n"):
        problems.append(Problem(file, text.count("\n") + 1, _CUT))
    if problems:
        raise error(problems)
    return Settings(file, value, lines)


def _fault_of_tokens(text: str, loader: Any) -> tuple[int, str] | None:
    """Return line and reason of what would make reading a yaml file long or deep, before anything is made of it."""
    import yaml

    starts = (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken)
    ends = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
    if len(text) > _MOST_CHARACTERS:
        return 1, f"{len(text):,} characters: no settings are that long"
    depth = 0
    for token in yaml.scan(text, loader):
        if isinstance(token, (yaml.AliasToken, yaml.TagToken)):
            return token.start_mark.line + 1, "aliases (*name) and tags (!name) are not read: write the value out"
        depth += isinstance(token, (*starts, yaml.FlowSequenceStartToken)) - isinstance(token, ends)
        if depth > _MOST_LEVELS:
            return token.start_mark.line + 1, f"nested more than {_MOST_LEVELS} levels deep"
    return None


def _plain(loader: Any, node: Any, tell: Callable[[str], None]) -> Any:
    """Return a text, a finite number, true, false or nothing; tell what is another kind of value."""
    try:
        value = loader.construct_object(node)
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, (int, float)) and _NUMBER.fullmatch(node.value) and math.isfinite(value):
            return value
    except (ValueError, OverflowError):  # a date that there is not, a number without end
        pass
    tell(f"{node.value!r} means different things to different people: set a text in quotes, write a number in digits")
    return None


class Later(Mapping):
    """A mapping that is read when it is asked for: what a file says now, and not when a module was imported."""

    def __init__(self, read: Callable[[], Mapping]) -> None:
        self._read = read

    def __getitem__(self, key: Any) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(dict(self))

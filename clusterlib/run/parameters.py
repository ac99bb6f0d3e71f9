"""The parameters of a notebook: read from its parameters cell, and values given as text checked against it."""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clusterlib.core.records import TOO_MUCH, as_plain, parse_json
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import get_region

REGION = "region"
_TRUTH = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
_NOT_OF_KIND = (ValueError, SyntaxError, TypeError, LookupError, StopIteration, *TOO_MUCH)


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    name, kind : str
        Name and type as written, such as ``"int"`` or ``"list[int]"``; without annotation the default's type.
    default : object
        None where it is no plain value.
    """

    name: str
    kind: str
    default: object

    def parse(self, value: object, notebook: str) -> object:
        """Return a value of the parameter's type from a text or a value.

        Raises
        ------
        InvalidInputError
            If the value is not of the type, or no value of the type can be set from outside.
        UnknownNameError
            If it is to be a region and is none.
        """
        kind = f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"
        try:
            parsed = as_plain(_parse(ast.parse(self.kind, mode="eval").body, value))
        except _NOT_OF_KIND:
            default = f", as in {self.name} = {self.default!r}" if self.default is not None else ""
            raise InvalidInputError(
                f"parameter {self.name} of {notebook} is {kind}{default}: it cannot be set to {value!r:.80}"
            ) from None
        return get_region(str(parsed)).code if self.name == REGION else parsed


def _parse(kind: ast.expr, value: object) -> object:
    """Return a value of an annotated kind; ValueError if it is none."""
    if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
        return _parse(ast.parse(kind.value, mode="eval").body, value)
    if isinstance(kind, ast.BinOp):
        return _parse_first([kind.left, kind.right], value)
    if isinstance(kind, ast.Subscript):
        inner = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        base = ast.unparse(kind.value).rpartition(".")[2]
        if base == "Literal":
            choices = map(ast.literal_eval, inner)
            return next(choice for choice in choices if choice == value or str(choice) == str(value))
        if base in {"Optional", "Union"}:
            return _parse_first([*inner, *([ast.Constant(None)] if base == "Optional" else [])], value)
        found = _parse_name(base.lower(), value)
        if isinstance(found, list):
            return [_parse(inner[0], item) for item in found]
        return found
    return _parse_name(ast.unparse(kind).rpartition(".")[2], value)


def _parse_first(kinds: list[ast.expr], value: object) -> object:
    # Everything is a text, so that kind comes last.
    for kind in sorted(kinds, key=lambda one: "str" in ast.unparse(one).split(" | ")):
        try:
            return _parse(kind, value)
        except _NOT_OF_KIND:
            continue
    raise ValueError


def _parse_name(kind: str, value: object) -> object:
    text = str(value).strip()
    if kind == "None":
        return {"None": None, "null": None}[text]
    if kind == "bool":
        return _TRUTH[text.lower()]
    if kind == "int":
        number = int(value if isinstance(value, float) and value.is_integer() else text)
        # What a column of a table can hold.
        if not -(2**63) <= number < 2**63:
            raise ValueError
        return number
    if kind == "float":
        if not math.isfinite(float(text)):
            raise ValueError
        return float(text)
    if kind in {"list", "dict", "tuple", "set", "bytes"}:
        found = ast.literal_eval(text) if isinstance(value, str) else value
        found = tuple(found) if kind == "tuple" and isinstance(found, list) else found
        # Of the others papermill writes the text into the notebook.
        if type(found).__name__ != kind or kind in {"set", "bytes"}:
            raise ValueError
        return found
    if kind in {"object", "Any"}:
        try:
            return ast.literal_eval(text) if isinstance(value, str) else value
        except _NOT_OF_KIND:
            return value
    # A text, or a kind such as Path or date that the notebook makes of one.
    return value if isinstance(value, str) else text


def _literal(node: ast.expr | None) -> object:
    try:
        return as_plain(ast.literal_eval(node)) if node is not None else None
    except _NOT_OF_KIND:
        return None


def read_parameters(source: str) -> dict[str, Parameter]:
    """Read the parameters from the source of a parameters cell."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, kind, default = node.target.id, ast.unparse(node.annotation), _literal(node.value)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            default = _literal(node.value)
            name, kind = node.targets[0].id, type(default).__name__ if default is not None else "object"
        else:
            continue
        found[name] = Parameter(name, kind, default)
    return found


def parse_settings(settings: Iterable[str], option: str = "--param") -> dict[str, str]:
    """Read ``name=value`` texts.

    Raises
    ------
    InvalidInputError
        If one has no name or no ``=``.
    """
    found = {}
    for text in settings:
        # Where the locale is plain ASCII, Python did not read what was typed as UTF-8.
        name, equals, value = os.fsencode(text).decode(errors="replace").partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidInputError(f"{option} {text!r}: expected name=value, as in {option} years=2018:2023")
        if name.strip() in found:
            raise InvalidInputError(f"{option} {name.strip()} is given twice: expected each parameter once")
        found[name.strip()] = value
    return found


def parse_grid(settings: Iterable[str]) -> dict[str, list]:
    """Read ``name=a,b,c`` texts; a value that holds a comma is given in a JSON list, ``name=["a,b", "c"]``."""
    grid = {}
    for name, text in parse_settings(settings, "--grid").items():
        try:
            values = parse_json(text) if text.lstrip().startswith("[") else [v.strip() for v in text.split(",")]
        except ValueError as error:
            raise InvalidInputError(f"--grid {name}={text!r:.80} is not a JSON list: {error}") from None
        if not values or "" in values:
            raise InvalidInputError(f"--grid {name}={text!r:.80} has an empty value")
        grid[name] = values
    return grid


def resolve(
    notebook: str, parameters: Mapping[str, Parameter], settings: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return all parameters with their values, and those of ``settings`` that the notebook has, as typed values.

    Raises
    ------
    InvalidInputError
        For a value of another type, and for years that cannot be read or of which there are no data.
    """
    given = {n: parameters[n].parse(value, notebook) for n, value in settings.items() if n in parameters}
    if given.keys() - {REGION}:
        check_spans(notebook, given)
    return {name: given.get(name, parameter.default) for name, parameter in parameters.items()}, given


def check_spans(notebook: str, values: Mapping[str, Any]) -> None:
    """Refuse years that cannot be read, or that lie outside the span that the study allows for them by name.

    Raises
    ------
    InvalidInputError
        With the allowed span.
    """
    # Only here: a run with nothing to do does not read the study.
    from clusterlib.study import spans

    for name in values.keys() & spans().keys():
        try:
            spans()[name].check(values[name])  # type: ignore[arg-type]
        except InvalidInputError as error:
            raise InvalidInputError(f"parameter of {notebook}: {error}") from None


def check_known(settings: Iterable[str], notebooks: Mapping[str, Mapping[str, Parameter]]) -> None:
    """Refuse a name that no notebook has as a parameter.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    known = sorted({name for parameters in notebooks.values() for name in parameters} - {REGION})
    for name in settings:
        if name == REGION:
            raise InvalidInputError("the region is not a parameter to set: use --region")
        if name not in known:
            raise UnknownNameError("parameter", name, known, f"looked at {', '.join(sorted(notebooks))}")


def changed_names(parameters: Mapping[str, object], defaults: Mapping[str, object]) -> list[str]:
    """Return the parameters whose value is not the notebook's own; every run sets the region."""
    return [n for n, value in parameters.items() if n != REGION and n in defaults and value != defaults[n]]

"""The parameters of a notebook: read from its parameters cell, and values given as text checked against it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import get_region

REGION = "region"
_TRUE, _FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}


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
            If the value is not of the type.
        UnknownNameError
            If it is to be a region and is none.
        """
        try:
            parsed = _parse(self.kind, value)
        except (ValueError, SyntaxError, TypeError):
            default = f", as in {self.name} = {self.default!r}" if self.default is not None else ""
            raise InvalidInputError(
                f"parameter {self.name} of {notebook} is {_article(self.kind)}{default}; {value!r} is not"
            ) from None
        return get_region(str(parsed)).code if self.name == REGION else parsed


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _parse_one(kind: str, value: object) -> object:
    text = str(value).strip()
    if kind == "str":
        return value if isinstance(value, str) else text
    if kind == "bool":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError
    if kind == "int":
        if isinstance(value, float) and not value.is_integer():
            raise ValueError
        return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else int(text)
    if kind == "float":
        number = float(text)
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError
        return number
    found = ast.literal_eval(text) if isinstance(value, str) else value
    base = kind.split("[")[0].lower()
    if base in {"list", "dict", "tuple"} and type(found).__name__ != base:
        raise ValueError
    inner = kind.partition("[")[2].removesuffix("]")
    if base == "list" and inner:
        return [_parse(inner, item) for item in found]  # type: ignore[attr-defined]
    return found


def _parse(kind: str, value: object) -> object:
    kinds = [part.strip() for part in kind.removeprefix("Optional[").split("|")]
    if (kind.startswith("Optional[") or "None" in kinds) and (value is None or str(value) in {"None", "null"}):
        return None
    kinds = [k.removesuffix("]") if kind.startswith("Optional[") else k for k in kinds if k != "None"]
    for number, one in enumerate(kinds, start=1):
        try:
            return _parse_one(one, value)
        except (ValueError, SyntaxError, TypeError):
            if number == len(kinds):
                raise
    raise ValueError


def _literal(node: ast.expr | None) -> object:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, SyntaxError, TypeError):
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
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InvalidInputError(f"{option} {text!r}: expected name=value, as in {option} years=2018:2023")
        found[name.strip()] = value
    return found


def parse_grid(settings: Iterable[str]) -> dict[str, list]:
    """Read ``name=a,b,c`` texts; a value that holds a comma is given in a JSON list, ``name=["a,b", "c"]``."""
    grid = {}
    for name, text in parse_settings(settings, "--grid").items():
        try:
            values = json.loads(text) if text.lstrip().startswith("[") else [v.strip() for v in text.split(",")]
        except json.JSONDecodeError as error:
            raise InvalidInputError(f"--grid {name}={text!r} is not a JSON list: {error}") from None
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if not values or "" in values or repeated:
            raise InvalidInputError(f"--grid {name}={text!r} has an empty or a repeated value")
        grid[name] = values
    return grid


def resolve(
    notebook: str, parameters: Mapping[str, Parameter], settings: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return all parameters with their values, and those of ``settings`` that the notebook has, as typed values."""
    given = {n: parameters[n].parse(value, notebook) for n, value in settings.items() if n in parameters}
    return {name: given.get(name, parameter.default) for name, parameter in parameters.items()}, given


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

"""Formulas of derived indicators: read as a tree and computed by walking it, so that nothing in one is ever run."""

from __future__ import annotations

import ast
import operator
import re

import numpy as np
import pandas as pd

LONGEST, DEEPEST, HIGHEST_POWER = 1000, 50, 12
ALLOWED = (
    "a formula holds raw indicators of its level, numbers, + - * /, brackets and ** with a whole number up to "
    f"{HIGHEST_POWER}"
)
_TEXT = r"[A-Za-z0-9_.+\-*/() ]+"
_NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def parse_formula(text: str) -> ast.expr:
    """Return the tree of a formula.

    Raises
    ------
    ValueError
        Saying what is wrong if it holds anything but names, finite numbers, + - * /, brackets and small whole powers.
    """
    # Letters that look like these, and marks that begin something else, never reach the parser.
    if not re.fullmatch(_TEXT, text):
        found = next((character for character in text if not re.fullmatch(_TEXT, character)), "")
        raise ValueError(f"{found!r} has no place in it" if found else "it is empty")
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters, more than {LONGEST}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(getattr(error, "msg", "") or "too many brackets") from None
    _check(tree, text.strip(), DEEPEST)
    return tree


def _check(node: ast.AST, text: str, depth: int) -> None:
    part = text[slice(node.col_offset, node.end_col_offset)] if isinstance(node, ast.expr) else text
    if not depth:
        raise ValueError(f"more than {DEEPEST} operations stand within each other")
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        _check(node.left, text, depth - 1)
        _check(node.right, text, depth - 1)
        if isinstance(node.op, ast.Pow) and not _is_small_whole(node.right):
            raise ValueError(f"{part!r} has another power than a whole number up to {HIGHEST_POWER}")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        _check(node.operand, text, depth - 1)
    elif isinstance(node, ast.Constant) and re.fullmatch(_NUMBER, part):
        if not np.isfinite(float(part)):
            raise ValueError(f"{part} is not a finite number")
        node.value = float(part)
    elif not isinstance(node, ast.Name):
        raise ValueError(f"{part!r} has no place in it")


def _is_small_whole(node: ast.expr) -> bool:
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(value, ast.Constant) and value.value in range(HIGHEST_POWER + 1)


def formula_inputs(formula: str) -> list[str]:
    """Return the names of the indicators in a formula, in order, none of an empty one."""
    if not formula:
        return []
    names = [node for node in ast.walk(parse_formula(formula)) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(name.id for name in sorted(names, key=lambda name: name.col_offset)))


def compute(formula: str, columns: pd.DataFrame) -> pd.Series:
    """Return what a formula comes to in every row, missing where an input is missing, infinite beyond a division by 0.

    Parameters
    ----------
    formula : str
        See :func:`parse_formula`; it names at least one column.
    columns : DataFrame
        Of floats, by the names of indicators.
    """
    with np.errstate(all="ignore"):
        return _value(parse_formula(formula), columns)


def _value(node: ast.expr, columns: pd.DataFrame) -> pd.Series:
    if isinstance(node, ast.Name):
        return columns[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, columns)
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left, columns), _value(node.right, columns))
    # As numpy's, a division of numbers by nil is infinite and no error.
    return np.float64(node.value)  # type: ignore[attr-defined, return-value]

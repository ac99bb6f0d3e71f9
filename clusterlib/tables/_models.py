"""Regression tables (回归结果表): several models side by side, for people and for the record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from clusterlib.core.checks import as_float_series, as_names, check_whole
from clusterlib.core.results import Test, footer_value, stars, test_lines
from clusterlib.core.within import CONSTANT
from clusterlib.errors import InvalidInputError, UnknownNameError

NEEDED = ("estimate", "std_error", "p_value")
LABELS = {CONSTANT: "Constant 常数项"}
VARIABLE = "Variable 变量"
_CHINESE_PART = re.compile(r"\s+[\u3400-\u9fff].*")


def _checked(models: Mapping[str, object]) -> dict[str, pd.DataFrame]:
    if not isinstance(models, Mapping) or not models:
        raise InvalidInputError("expected models by name, such as {'(1)': result}")
    tables = {}
    for name, result in models.items():
        table = getattr(result, "table", None)
        if not isinstance(table, pd.DataFrame) or not set(NEEDED) <= set(table.columns):
            raise InvalidInputError(f"{name}: expected a result whose table has the columns {', '.join(NEEDED)}")
        if table.index.has_duplicates:
            raise InvalidInputError(f"{name}: {table.index[table.index.duplicated()][0]!r} stands in its table twice")
        try:
            tables[str(name)] = table.assign(**{column: as_float_series(table[column]) for column in NEEDED})
        except (TypeError, ValueError):
            raise InvalidInputError(f"{name}: {', '.join(NEEDED)} of its table are not numbers") from None
    return tables


def _merged(orders: Iterable[Iterable]) -> list:
    """Return all names once, each new one behind the name that stands before it in its own order."""
    merged: list = []
    for order in orders:
        place = -1
        for name in order:
            if name in merged:
                place = merged.index(name)
            else:
                place += 1
                merged.insert(place, name)
    return merged


def _footers(models: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Return what each model says of itself, and its tests that are not among it."""
    found = {}
    for name, result in models.items():
        footer, tests = getattr(result, "footer", {}), getattr(result, "tests", {})
        if not isinstance(footer, Mapping):
            raise InvalidInputError(f"{name}: its footer is a {type(footer).__name__}; expected values by label")
        own = tests.values() if isinstance(tests, Mapping) else ()
        lines = test_lines(test for test in own if isinstance(test, Test))
        found[str(name)] = {**footer, **{label: line for label, line in lines.items() if label not in footer}}
    return found


def _asked_for(name: str, present: list) -> str:
    """Return the line that is asked for by its whole label or by the English in it."""
    return next((label for label in present if _CHINESE_PART.sub("", str(label)) == name), name)


def _chosen(asked: str | Iterable[str] | None, present: list, kind: str) -> list:
    if asked is None:
        return present
    asked = as_names(asked, kind)
    for name in asked:
        if name not in present:
            raise UnknownNameError(kind, name, present)
    return asked


def regression_table(
    models: Mapping[str, object],
    labels: Mapping[str, str] | None = None,
    *,
    variables: str | Iterable[str] | None = None,
    footer: str | Iterable[str] | None = None,
    digits: int = 3,
    heading: str = VARIABLE,
) -> pd.DataFrame:
    """Set models side by side as papers do (回归结果表).

    Each variable has a row with the coefficient and its stars, and below it one with the standard error in
    parentheses; then come what the models say of themselves. Stars are those of :func:`clusterlib.inference.stars`,
    explained by ``clusterlib.inference.STARS_NOTE``. A figure other than zero that rounds to zero is written as
    ``9.0e-05``.

    Parameters
    ----------
    models : mapping of str to result
        Any results by heading whose ``table`` has the columns ``estimate``, ``std_error`` and ``p_value``, with
        ``footer``, a mapping of labels to numbers, truth values or text, and ``tests`` by name.
    labels : mapping, optional
        What is shown for a variable: ``{"gdp": "GDP 地区生产总值"}``.
    variables, footer : iterable of str, optional
        Which variables and which lines below them, in this order; by default all, in the order of the models, the
        constant last. A line may be named by the English of its label, ``"Observations"``, and is then shown so.
    digits : int
        Decimals.
    heading : str
        Of the first column.

    Returns
    -------
    DataFrame
        Text, for :func:`three_line_table` and ``record(..., shown=...)``; blank where a model has no such variable.

    Raises
    ------
    InvalidInputError
        If there is no model, or one has no such table, or ``labels`` is no mapping.
    UnknownNameError
        For a variable or line that no model has.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> table = pd.DataFrame({"estimate": [0.5], "std_error": [0.2], "p_value": [0.02]}, index=["x"])
    >>> regression_table({"(1)": SimpleNamespace(table=table, footer={"n": 31})}).to_numpy().tolist()
    [['x', '0.500**'], ['', '(0.200)'], ['n', '31']]
    """
    tables, footers, digits = _checked(models), _footers(models), check_whole("digits", digits, 0, 15)
    if labels is not None and not isinstance(labels, Mapping):
        raise InvalidInputError(f"labels: expected texts by variable, such as a dict, got a {type(labels).__name__}")
    present = _merged(table.index for table in tables.values())
    present.sort(key=lambda name: name == CONSTANT)
    shown, lines = LABELS | dict(labels or {}), []
    for variable in _chosen(variables, present, "variable"):
        found = [table.loc[variable] if variable in table.index else None for table in tables.values()]
        top = ["" if r is None else footer_value(r["estimate"], digits) + stars(r["p_value"]) for r in found]
        errors = ["" if r is None else footer_value(r["std_error"], digits) for r in found]
        lines.append([str(shown.get(variable, variable)), *top])
        lines.append(["", *(f"({error})" if error else "" for error in errors)])
    present = _merged(footers.values())
    asked = present if footer is None else as_names(footer, "footer line")
    for name in asked:
        (label,) = _chosen([_asked_for(name, present)], present, "footer line")
        lines.append([str(name), *(footer_value(own.get(label), digits) for own in footers.values())])
    return pd.DataFrame(lines, columns=[heading, *tables])


def coefficient_records(models: Mapping[str, object]) -> pd.DataFrame:
    """Return the coefficient tables of several models below each other, in full precision, for the record.

    Parameters
    ----------
    models : mapping of str to result
        As in :func:`regression_table`.

    Returns
    -------
    DataFrame
        Indexed by (model, variable), with the columns of the tables.

    Raises
    ------
    InvalidInputError
        As :func:`regression_table`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> table = pd.DataFrame({"estimate": [0.5], "std_error": [0.2], "p_value": [0.02]}, index=["x"])
    >>> coefficient_records({"(1)": SimpleNamespace(table=table)}).index.tolist()
    [('(1)', 'x')]
    """
    return pd.concat(_checked(models), names=["model", "variable"])

"""Which statements of a notebook a recorded result rests on, and so which reads are behind it (结果的来路).

A statement rests on those before it that bind or change a name that it uses, and on what these rest on. Names bound by
one call, and a name and what it was taken from, also by a method, share what changes either. A call changes what it is
given if nothing is kept of it, and else what its method fits, fills or draws on by its name or is given as ``ax``: what
more it does to its arguments is not seen. A function may be called until the result is recorded, a loop not run.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Methods that change what they are called on though something is kept of them, and calls that change nothing though
# nothing is.
_CHANGING = set(
    "pop popitem setdefault insert update append extend add remove discard sort fit fit_transform partial_fit plot bar "
    "barh scatter hist imshow pcolormesh contour contourf errorbar boxplot step stem fill_between hlines vlines".split()
)
_SHOWING = {"record", "conclusion", "display", "print"}
_AT_ONCE = {"top", "listcomp", "setcomp", "dictcomp", "genexpr"}
_MAKING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_GIVEN = "*"  # Among the names that a function changes, its arguments.


@dataclass
class Statement:
    """A statement, the names it uses, now or by functions later, and those that it binds or perhaps changes."""

    cell: str
    first: int
    last: int
    now: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


def _names(*nodes: ast.AST | None, context: type = ast.expr_context) -> set[str]:
    parts = (part for node in nodes if node for part in ast.walk(node))
    return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, context)}


def _root(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called(node: ast.AST) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""


def _certain(node: ast.AST) -> set[str]:
    """Return the names that a statement binds anew whatever happens."""
    if isinstance(node, _MAKING):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign):
        return _names(*node.targets, context=ast.Store)
    return _names(node.target, context=ast.Store) if isinstance(node, ast.AnnAssign) and node.value else set()


def _uses(table: symtable.SymbolTable, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield the names of the notebook that a scope uses, and whether only a function does that may be called later."""
    late = late or (table.get_type() == "function" and table.get_name() not in _AT_ONCE)
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if (symbol.is_referenced() or symbol.is_declared_global()) and (top or symbol.is_global()):
            yield symbol.get_name(), late
    for child in table.get_children():
        yield from _uses(child, late)


def _needs(nodes: Sequence[ast.AST], bound: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield what statements in a row use of what was there before them; add what they bind to ``bound``."""
    for node in nodes:
        heads: list[ast.AST] = [node]
        if isinstance(node, (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.If)):
            target, items = getattr(node, "target", None), getattr(node, "items", [])
            heads = [item.context_expr for item in items] or [getattr(node, "iter", getattr(node, "test", node))]
            yield from _needs(node.body, bound | _names(target, *(item.optional_vars for item in items)))
            yield from _needs(getattr(node, "orelse", []), set(bound))
        uses = {use for head in heads for use in _uses(symtable.symtable(ast.unparse(head), "cell", "exec"))}
        yield from (use for use in uses if use[0] not in bound)
        bound |= _certain(node)


def _held(nodes: list[Any]) -> Iterator[str]:
    """Yield the names whose values, or parts of them, expressions may hold: of calls, what a method is called on."""
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Call):
            nodes += [node.func] if isinstance(node.func, ast.Attribute) else []
        elif not isinstance(node, ast.Lambda):
            nodes += (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        if isinstance(node, ast.Name):
            yield node.id


def _changes(tree: ast.AST) -> Iterator[str]:
    """Yield the names whose values are changed in place anywhere in a statement, its functions included."""
    for node in ast.walk(tree):
        dropped = isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and _names(*node.targets) == {"_"})
        if isinstance(node, ast.AugAssign) or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            yield "" if isinstance(node, ast.Name) else _root(getattr(node, "target", node))
        elif isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Call):
            yield from _held([key.value for key in node.keywords if key.arg in ("ax", "axes")])
            if getattr(node.func, "attr", "") in _CHANGING or any(key.arg == "inplace" for key in node.keywords):
                yield _root(node)
        elif dropped and isinstance(call := getattr(node, "value", None), ast.Call) and _called(call) not in _SHOWING:
            yield from _held([*call.args, *(key.value for key in call.keywords)])
            yield _root(call) if isinstance(call.func, ast.Attribute) else ""


def _aliases(tree: ast.AST) -> Iterator[tuple[set[str], set[str]]]:
    """Yield names bound together, with those whose values, or parts of them, they may stand for."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            yield _names(node.target), _names(node.iter)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.withitem)):
            value = getattr(node, "value", None) or getattr(node, "context_expr", node)
            targets = _names(*(part for part in ast.iter_child_nodes(node) if part is not value), context=ast.Store)
            yield targets, {*_held([value]), *(targets if isinstance(value, ast.Call) else ())}


def read_statements(cells: Iterable[tuple[str, str]]) -> list[Statement]:
    """Return the statements of a notebook's cells, each an identifier and a source, in the order in which they run."""
    found: list[tuple[Statement, ast.stmt | None]] = []
    # Imported, and what records under captions: they hold no data.
    plain, other = set[str](), set[str]()
    for cell, source in cells:
        try:
            nodes = ast.parse(source).body
        except SyntaxError:
            nodes, found = [], [*found, (Statement(cell, 0, source.count("\n") + 1), None)]
        for node in nodes:
            first = min(part.lineno for part in [node, *getattr(node, "decorator_list", [])])
            found.append((Statement(cell, first, node.end_lineno or first, bound=_certain(node)), node))
            recorder = _called(getattr(node, "value", node)) == "Recorder"
            (plain if recorder or isinstance(node, (ast.Import, ast.ImportFrom)) else other).update(_certain(node))
    plain -= other
    effects, aliases = dict[str, set[str]](), dict[str, set[str]]()
    for statement, node in found:
        if node is not None:
            _fill(statement, node, plain, effects, aliases)
    every = set().union(*(statement.now | statement.later | statement.changed for statement, _ in found))
    for statement, node in found:
        if node is None:
            statement.now = statement.changed = every
    return [statement for statement, _ in found]


def _fill(statement: Statement, node: ast.stmt, plain: set[str], effects: dict, aliases: dict) -> None:
    """Find out the names of a statement, from what functions and names before it do and stand for."""
    uses = [use for use in set(_needs([node], set())) if use[0] not in plain]
    statement.now, statement.later = ({name for name, late in uses if late == when} for when in (False, True))

    def whole(names: set[str]) -> set[str]:
        return names.union(*(aliases.get(name, ()) for name in names))

    makes = isinstance(node, _MAKING)
    # Names within a function are its own, what is bound anew stands for nothing before, and a loop ties in rounds.
    aliases = {name: set(others) for name, others in aliases.items()} if makes else aliases
    loops = (part.target for part in ast.walk(node) if isinstance(part, (ast.For, ast.AsyncFor)))
    for fresh in (statement.bound | _names(*loops)) - statement.now - statement.later:
        for other in aliases.pop(fresh, ()):
            aliases.get(other, set()).discard(fresh)
    for names, others in [*_aliases(node)] * 2:
        for name, other in [(name, other) for name in names - plain for other in whole(others - plain)]:
            aliases.setdefault(name, set()).add(other)
            aliases.setdefault(other, set()).add(name)
    called = {part.func.id for part in ast.walk(node) if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)}
    own = (whole(set(_changes(node))) | (whole(called) - called)) - plain
    if given := own & {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}:
        own = own - given | {_GIVEN}
    own = (own & {_GIVEN, *statement.later} if makes else own).union(
        *(effects.get(name, ()) for name in statement.now | statement.later)
    )
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    bound = {each.get_name() for each in table.get_symbols() if each.is_assigned() or each.is_imported()}
    if own and (makes or statement.later or statement.now & set(effects)):
        effects |= dict.fromkeys(bound, own)
    if _GIVEN in own and not makes:
        own = whole(own | statement.now)
    statement.changed = statement.bound | ((bound if makes else bound | own) - plain - {_GIVEN, ""})


def behind(statements: Sequence[Statement], last: int) -> set[int]:
    """Return the places of the statements that the one at ``last`` rests on, its own among them."""
    found, seen, waiting = set[int](), set[tuple[str, int]](), list[tuple[str, int]]()

    def include(place: int) -> None:
        if place not in found:
            found.add(place)
            statement = statements[place]
            waiting.extend((name, place) for name in statement.now | statement.later)
            # A function may be called any time until then.
            for between in range(place + 1, last):
                if statement.later & statements[between].changed:
                    include(between)

    include(last)
    while waiting:
        name, before = at = waiting.pop()
        for place in range(before - 1, -1, -1) if at not in seen else ():
            if name in statements[place].changed:
                include(place)
                if name in statements[place].bound:
                    break
        seen.add(at)
    return found


def trace_records(
    records: Iterable[Mapping], cells: Iterable[tuple[str, str]], reads: Iterable[tuple[str, int, str]]
) -> tuple[list[dict], list[str]]:
    """Return records with the reads and the other cells that are behind each, and the reads that they point to.

    Parameters
    ----------
    records : iterable of dict
        Each with the ``cell`` that made it, and the ``line`` in it where that is known.
    cells : iterable of (str, str)
        Identifier and source of each cell of code, in order.
    reads : iterable of (str, int, str)
        Cell, line (0 where it is not known) and text of each read.
    """
    statements, told, traced = read_statements(cells), set(reads), []
    texts = sorted({text for *_, text in told})

    def at(cell: str, line: int) -> frozenset[int]:
        own = [k for k, each in enumerate(statements) if each.cell == cell]
        return frozenset([k for k in own if statements[k].first <= line <= statements[k].last] or own)

    places = {(cell, line): at(cell, line) for cell, line, _ in told}
    for record in records:
        cell = record["cell"]
        found = set().union(*(behind(statements, last) for last in at(cell, record.get("line", 0))))
        own = {text for where, line, text in told if found & places[where, line]}
        others = dict.fromkeys(statements[k].cell for k in sorted(found))
        indices = [k for k, text in enumerate(texts) if text in own]
        traced.append({**record, "reads": indices, "cells": [other for other in others if other not in ("", cell)]})
    return traced, texts

"""Which statements of a notebook a recorded result rests on, and so which reads are behind it (结果的来路).

A notebook is taken as one run of statements from its first cell to its last. A statement rests on those before it that
bind or change a name that it uses, and on what these rest on. Where that cannot be told, it is taken to rest on more:
what a function uses may be changed until the result is recorded, a call of which nothing is kept changes what it is
given, and a loop may not have run. A call that returns something is taken to return something new.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# Methods that change what they are called on though something is kept of them.
_CHANGING = {"pop", "popitem", "setdefault", "insert", "update", "append", "extend", "add", "remove", "discard", "sort"}
# Calls that show what they are given and leave it as it is.
_SHOWING = {"record", "conclusion", "display", "print"}
_COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
_MAKING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_GIVEN = "*"


class _Everything(frozenset):
    """The names that may be bound by a cell that cannot be parsed: any."""

    def __contains__(self, name: object) -> bool:
        return True


@dataclass
class Statement:
    """A statement of a cell: names that it uses itself, those that functions made by it use, and those that it binds.

    ``bound`` holds the names that have nothing left of what they were, ``changed`` all that may be others afterwards.
    """

    cell: str
    first: int
    last: int
    now: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    changed: set[str] | _Everything = field(default_factory=set)


def _uses(table: symtable.SymbolTable, *, late: bool = False, top: bool = True) -> Iterator[tuple[str, bool]]:
    """Yield the names of the notebook that a scope uses, and whether only a function does that may be called later."""
    late = late or (table.get_type() == "function" and table.get_name() not in _COMPREHENSIONS)
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (top or symbol.is_global()):
            yield symbol.get_name(), late
    for child in table.get_children():
        yield from _uses(child, late=late, top=False)


def _needs(nodes: Sequence[ast.AST], bound: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield what statements use, one after the other, of what was there before them; add what they bind to ``bound``."""
    for node in nodes:
        heads: Sequence[ast.AST] = [node]
        if isinstance(node, (ast.For, ast.AsyncFor)):
            heads = [node.iter]
            yield from _needs(node.body, bound | _names(node.target))
            yield from _needs(node.orelse, set(bound))
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            heads = [item.context_expr for item in node.items]
            yield from _needs(node.body, bound.union(*(_names(item.optional_vars) for item in node.items)))
        elif isinstance(node, ast.If):
            heads = [node.test]
            yield from _needs(node.body, set(bound))
            yield from _needs(node.orelse, set(bound))
        for head in heads:
            for name, late in _uses(symtable.symtable(ast.unparse(head), "cell", "exec")):
                if name not in bound:
                    yield name, late
        if isinstance(node, ast.stmt):
            bound |= _certain(node)


def _root(node: ast.AST | None) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names(*nodes: ast.AST | None) -> set[str]:
    return {part.id for node in nodes if node for part in ast.walk(node) if isinstance(part, ast.Name)}


def _handed(nodes: list[ast.expr]) -> Iterator[str]:
    """Yield the names whose own values are among arguments: what a call returns is another."""
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name):
            yield node.id
        elif not isinstance(node, ast.Call):
            nodes += (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))


def _changes(tree: ast.AST) -> Iterator[str]:
    """Yield the names whose values are changed in place anywhere in a statement, its functions included."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield _root(node)
        elif isinstance(node, ast.AugAssign):
            yield _root(node.target)
        elif isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute)
            if method and (node.func.attr in _CHANGING or any(key.arg == "inplace" for key in node.keywords)):
                yield _root(node.func)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if getattr(call.func, "attr", getattr(call.func, "id", "")) not in _SHOWING:
                yield from _handed([*call.args, *(key.value for key in call.keywords)])
                yield _root(call.func) if isinstance(call.func, ast.Attribute) else ""


def _aliases(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Yield names with those whose values, or parts of them, they may stand for."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            targets, values = [node.target], [node.iter]
        elif isinstance(node, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(node.value)):
            targets, values = node.targets, [node.value]
        else:
            continue
        yield from ((name, _names(*values)) for name in _names(*targets))


def _with_aliases(names: set[str], aliases: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        others = aliases.get(waiting.pop(), set()) - found
        found |= others
        waiting += others
    return found


def _certain(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds anew whatever happens."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign) and node.value:
        targets = [node.target]
    parts = [part for target in targets for part in ast.walk(target)]
    return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _is_known(node: ast.stmt) -> bool:
    """Whether what a statement binds holds no data: what was imported, and what records under captions."""
    recorder = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    if recorder:
        recorder = getattr(node.value.func, "attr", getattr(node.value.func, "id", "")) == "Recorder"
    return recorder or isinstance(node, (ast.Import, ast.ImportFrom))


def read_statements(cells: Iterable[tuple[str, str]]) -> list[Statement]:
    """Return the statements of a notebook's cells, each an identifier and a source, in the order in which they run."""
    found: list[tuple[Statement, ast.stmt | None]] = []
    for cell, source in cells:
        try:
            nodes = ast.parse(source).body
        except SyntaxError:
            found.append((Statement(cell, 0, source.count("\n") + 1, changed=_Everything()), None))
            continue
        for node in nodes:
            first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", ()))])
            found.append((Statement(cell, first, node.end_lineno or first, bound=_certain(node)), node))
    plain = set().union(*(_certain(node) for _, node in found if node and _is_known(node)))
    plain -= set().union(*(_certain(node) for _, node in found if node and not _is_known(node)))
    ahead: set[str] = set()
    effects: dict[str, set[str]] = {}
    aliases: dict[str, set[str]] = {}
    for statement, node in found:
        if node is None:
            statement.now = set(ahead)
            continue
        table = symtable.symtable(ast.unparse(node), "cell", "exec")
        uses = set(_needs([node], set()))
        statement.now = {name for name, late in uses if not late} - plain
        statement.later = {name for name, late in uses if late} - plain
        here: dict[str, set[str]] = {}
        for name, others in _aliases(node):
            here[name] = here.get(name, set()) | (others - plain - {name})
        aliases |= here
        makes = isinstance(node, _MAKING)
        own = _with_aliases(set(_changes(node)), aliases) - plain
        if statement.later:
            given = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
            outer = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}
            known = statement.later | outer if makes else own
            own = {name for name in own | outer if name in known} - given | ({_GIVEN} if own & given else set())
        own = own.union(*(effects.get(name, ()) for name in statement.now | statement.later))
        bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        if own and (statement.later or statement.now & set(effects)):
            effects |= {name: own for name in bound | statement.bound}
        if _GIVEN in own and not makes:
            own = _with_aliases(own | statement.now, aliases)
        statement.changed = statement.bound | ((bound | (set() if makes else own)) - plain - {_GIVEN, ""})
        ahead |= statement.changed
    return [statement for statement, _ in found]


def behind(statements: Sequence[Statement], last: int) -> set[int]:
    """Return the places of the statements that the one at ``last`` rests on, its own among them."""
    found: set[int] = set()
    seen: set[tuple[str, int]] = set()
    waiting: list[tuple[str, int]] = []

    def include(place: int) -> None:
        if place in found:
            return
        found.add(place)
        statement = statements[place]
        waiting.extend((name, place) for name in statement.now | statement.later)
        # A function may be called any time until then.
        for between in range(place + 1, last):
            if any(name in statements[between].changed for name in statement.later):
                include(between)

    include(last)
    while waiting:
        name, before = waiting.pop()
        if (name, before) in seen:
            continue
        seen.add((name, before))
        for place in range(before - 1, -1, -1):
            if name in statements[place].changed:
                include(place)
                if name in statements[place].bound:
                    break
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
    statements, told = read_statements(cells), sorted(set(reads))
    texts = sorted({text for *_, text in told})
    known: dict[frozenset[int], tuple[list[int], list[str]]] = {}

    def within(place: int, cell: str, line: int) -> bool:
        statement = statements[place]
        return statement.cell == cell and (not line or statement.first <= line <= statement.last)

    traced = []
    for record in records:
        cell, line = record["cell"], record.get("line", 0)
        places = range(len(statements))
        sinks = frozenset(k for k in places if within(k, cell, line)) or frozenset(k for k in places if within(k, cell, 0))
        if sinks not in known:
            found = set().union(*(behind(statements, sink) for sink in sinks))
            own = {text for at, where, text in told if any(within(k, at, where) for k in found)}
            others = dict.fromkeys(statements[k].cell for k in sorted(found))
            known[sinks] = [texts.index(text) for text in sorted(own)], list(others)
        indices, others = known[sinks]
        traced.append({**record, "reads": indices, "cells": [other for other in others if other not in ("", cell)]})
    return traced, texts

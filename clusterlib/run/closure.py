"""Which modules code imports, found without running it: attribute chains, lazy packages, imports in functions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clusterlib.run.hashes import FileHashes

PACKAGE = "clusterlib"
ENGINE = f"{PACKAGE}.run"
_FOLDER = Path(__file__).resolve().parents[1]
_EVERYTHING = "*"
_ATTACH_STUB = "lazy_loader.attach_stub"
_ATTACH = {"lazy_loader.attach", "attach", "lazy.attach", _ATTACH_STUB}


@dataclass(frozen=True)
class Imports:
    """What one piece of code imports.

    Attributes
    ----------
    own : list of str
        Dotted chains into clusterlib, as far as the code spells them; ``"clusterlib.data.*"`` is all of a package.
    others : list of str
        Modules of other packages.
    lazy : dict
        Names that a package offers through lazy_loader, with the submodule of each.
    is_index : bool
        Whether the code only says where names are found, so that which modules it leads to is all it can change.
    """

    own: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    lazy: dict[str, str] = field(default_factory=dict)
    is_index: bool = False


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


class _Visitor(ast.NodeVisitor):
    def __init__(self, module: str, is_package: bool) -> None:
        self.home = module.split(".") if is_package else module.split(".")[:-1]
        self.aliases: dict[str, set[str]] = {}
        self.own: set[str] = set()
        self.others: set[str] = set()

    def _add(self, name: str) -> None:
        (self.own if name.split(".")[0] == PACKAGE else self.others).add(name)

    def visit_If(self, node: ast.If) -> None:
        for part in node.orelse if _is_type_checking(node.test) else [node.test, *node.body, *node.orelse]:
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)
            bound = alias.name if alias.asname else alias.name.split(".")[0]
            self.aliases.setdefault(alias.asname or bound, set()).add(bound)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = ".".join([*self.home[: len(self.home) - node.level + 1], node.module or ""]).strip(".")
        source = base if node.level else node.module
        for alias in node.names:
            if source.split(".")[0] != PACKAGE:
                self.others.add(source)
                continue
            self.own.add(f"{source}.{alias.name}")
            if alias.name != _EVERYTHING:
                self.aliases.setdefault(alias.asname or alias.name, set()).add(f"{source}.{alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func) in {"importlib.import_module", "import_module", "__import__"} and node.args:
            name = node.args[0]
            known = isinstance(name, ast.Constant) and isinstance(name.value, str)
            self._add(name.value if known else f"{PACKAGE}.{_EVERYTHING}")
        self.generic_visit(node)


class _Chains(ast.NodeVisitor):
    """Second pass: attribute chains that start at a name bound to clusterlib or a part of it."""

    def __init__(self, aliases: dict[str, set[str]]) -> None:
        self.aliases = aliases
        self.found: set[str] = set()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in self.aliases:
            # Where the chain ends at a package, whoever holds its value can reach everything below.
            self.found |= {".".join([start, *reversed(parts), _EVERYTHING]) for start in self.aliases[inner.id]}
        else:
            self.visit(inner)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in self.aliases:
            # The bare name: whoever holds it can reach everything below it.
            self.found |= {f"{start}.{_EVERYTHING}" for start in self.aliases[node.id]}


def find_imports(code: str, module: str = "__main__", is_package: bool = False) -> Imports:
    """Find what code imports; code that cannot be read imports nothing."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return Imports()
    visitor = _Visitor(module, is_package)
    visitor.visit(tree)
    chains = _Chains({n: s for n, s in visitor.aliases.items() if any(v.split(".")[0] == PACKAGE for v in s)})
    chains.visit(tree)
    own = visitor.own | {name for name in chains.found if name.split(".")[0] == PACKAGE}
    lazy = _lazy_names(tree)
    return Imports(sorted(own), sorted(visitor.others), lazy or {}, lazy is not None and _is_index(tree))


def _attach_call(node: ast.AST) -> ast.Call | None:
    is_attach = isinstance(node, ast.Call) and ast.unparse(node.func) in _ATTACH
    return node if is_attach else None


def _lazy_names(tree: ast.Module) -> dict[str, str] | None:
    calls = [call for node in ast.walk(tree) if (call := _attach_call(node))]
    if len(calls) != 1:
        return None
    for keyword in calls[0].keywords:
        if keyword.arg == "submod_attrs":
            found = ast.literal_eval(keyword.value)
            return {name: module for module, names in found.items() for name in names}
    return {}


def _stub_names(stub: Path) -> dict[str, str]:
    """Return the names that a type stub says a package offers, with the submodule of each."""
    nodes = ast.parse(stub.read_text(encoding="utf-8")).body
    found = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in found if node.module for alias in node.names}


def _is_index(tree: ast.Module) -> bool:
    """Whether a module does no more than attach lazy names: a docstring, imports of lazy_loader, constants."""

    def is_plain(node: ast.stmt) -> bool:
        if isinstance(node, ast.Import):
            return all(alias.name == "lazy_loader" for alias in node.names)
        value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
        return isinstance(value, ast.Constant) or _attach_call(value) is not None

    return all(map(is_plain, tree.body))


class Library:
    """The modules of clusterlib below a folder, and what each imports.

    Parameters
    ----------
    folder : Path
        The package's folder.
    hashes : FileHashes, optional
        Where hashes of files are remembered.
    known : dict, optional
        Imports found before, by the hash of the file; what is found is added.
    """

    def __init__(
        self, folder: Path = _FOLDER, hashes: FileHashes | None = None, known: dict[str, dict] | None = None
    ) -> None:
        self.folder = folder
        self.hashes = hashes or FileHashes()
        self.known = {} if known is None else known
        self.files = {self._name(path): path for path in sorted(folder.rglob("*.py"))}

    def _name(self, path: Path) -> str:
        parts = [PACKAGE, *path.relative_to(self.folder).with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def is_package(self, module: str) -> bool:
        return self.files[module].name == "__init__.py"

    def imports(self, module: str) -> Imports:
        """Return what a module imports."""
        path = self.files[module]
        stub = path.with_suffix(".pyi")
        key = " ".join([module, *(self.hashes.sha256(p) for p in (path, stub) if p.exists())])
        if key not in self.known:
            code = path.read_text(encoding="utf-8")
            found = find_imports(code, module, self.is_package(module))
            if _ATTACH_STUB in code:
                found.lazy.update(_stub_names(stub))
            self.known[key] = asdict(found)
        return Imports(**self.known[key])

    def below(self, package: str) -> set[str]:
        """Return every module in a package and below; the engine is no part of an analysis."""
        inside = {name for name in self.files if name == package or name.startswith(f"{package}.")}
        return inside if package.startswith(ENGINE) else {n for n in inside if not f"{n}.".startswith(f"{ENGINE}.")}

    def resolve(self, chain: str) -> set[str]:
        """Return the modules that a dotted chain reaches."""
        parts = chain.split(".")
        reached, module = {PACKAGE}, PACKAGE
        for part in parts[1:]:
            if f"{module}.{part}" in self.files:
                module = f"{module}.{part}"
                reached.add(module)
                continue
            if self.is_package(module):
                if part == _EVERYTHING:
                    return reached | self.below(module)
                if part in (lazy := self.imports(module).lazy):
                    return reached | {f"{module}.{lazy[part]}"}
            return reached
        return reached

    def closure(self, imports: Imports) -> tuple[set[str], set[str]]:
        """Return the modules of clusterlib that code with these imports can run, and the others that those import."""
        others, seen = set(imports.others), set()
        waiting = set().union(*map(self.resolve, imports.own)) if imports.own else set()
        while waiting:
            module = waiting.pop()
            seen.add(module)
            found = self.imports(module)
            others.update(found.others)
            for chain in found.own:
                waiting |= self.resolve(chain) - seen
        return seen, others

    def sources(self, modules: Iterable[str]) -> dict[str, str]:
        """Return hashes of the files that modules consist of, packages' data files included, by place in the package.

        A package's file that is only an index is left out: that it leads elsewhere shows in where it leads.
        """
        files = {}
        for module in modules:
            path = self.files[module]
            if not self.imports(module).is_index:
                files[self._label(path)] = self.hashes.sha256(path)
            if self.is_package(module) and module != PACKAGE:
                files |= {self._label(p): self.hashes.sha256(p) for p in path.parent.iterdir() if _is_data(p)}
        return dict(sorted(files.items()))

    def _label(self, path: Path) -> str:
        return (Path(PACKAGE) / path.relative_to(self.folder)).as_posix()


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in {".py", ".pyi", ".pyc", ".md"} and not path.name.startswith(".")


def third_party(names: Iterable[str]) -> list[str]:
    """Return the modules that are neither Python's own nor clusterlib's, in order."""
    mine = {*sys.stdlib_module_names, PACKAGE}
    return sorted(name for name in set(names) if name.split(".")[0] not in mine)


def library_imports() -> list[str]:
    """Return every module that the library (but for its engine) is made of and imports."""
    library = Library()
    modules = sorted(library.below(PACKAGE))
    others = set().union(*(library.imports(module).others for module in modules))
    return [*third_party(others), *modules]

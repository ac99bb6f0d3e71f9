"""The library's files that an analysis can depend on, and the packages of others that code imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "clusterlib"
FOLDER = Path(__file__).resolve().parents[1]
_ENGINE, _INDEX = "run", "__init__.py"
_NO_SOURCES = {".pyc", ".pyi", ".md", ".typed"}


def library_files() -> dict[str, Path]:
    """Return the files of the library by their place in it, such as ``"panel/_regression.py"``.

    The engine is no part of an analysis. A package's ``__init__.py`` only says where names are found: what it leads
    to shows in what is loaded.
    """

    def counts(place: Path) -> bool:
        hidden = any(part.startswith(".") or part == "__pycache__" for part in place.parts)
        return not hidden and place.parts[0] != _ENGINE and place.suffix not in _NO_SOURCES and place.name != _INDEX

    files = {path.relative_to(FOLDER): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    return {place.as_posix(): path for place, path in files.items() if counts(place)}


def files_of(modules: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return those of ``files`` that modules consist of; a package's files of data belong to it."""
    loaded = set()
    for module in modules:
        place = "/".join(module.split(".")[1:])
        loaded |= {f"{place}.py", f"{place}/"}
    return [
        name for name in files if name in loaded or (not name.endswith(".py") and f"{Path(name).parent}/" in loaded)
    ]


def named_in(code: str, files: Iterable[str]) -> list[str]:
    """Return those of ``files`` whose package code names, which is a guess at what it will load."""
    words = set(re.findall(r"\w+", code))
    return [name for name in files if name.split("/")[0].removesuffix(".py") in words]


def imports_of(code: str) -> set[str]:
    """Return the modules of other packages that code imports anywhere; code that cannot be read imports nothing."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return set()
    typing_only = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for part in node.body
        for inner in ast.walk(part)
    }
    found = set()
    for node in nodes:
        if node not in typing_only:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module)
    own = {*sys.stdlib_module_names, PACKAGE}
    return {name for name in found if name.split(".")[0] not in own}


def stack_of(codes: Iterable[str], files: Iterable[Path] | None = None) -> list[str]:
    """Return what a warm process imports for these pieces of code and these files of the library, by default all."""
    paths = library_files().values() if files is None else files
    texts = [path.read_text(encoding="utf-8") for path in paths if path.suffix == ".py"]
    return sorted(set().union(*map(imports_of, [*codes, *texts])))

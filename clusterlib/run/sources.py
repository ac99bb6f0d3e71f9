"""The library's files that an analysis can depend on, and the packages of others that code imports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "clusterlib"
FOLDER = Path(__file__).resolve().parents[1]
_TYPES_ONLY = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+", re.MULTILINE)
_MODULE = r"[\w.]+(?: as \w+)?"
_IMPORT = re.compile(rf"^[ \t]*(?:from ([\w.]+) import .+|import ({_MODULE}(?:, ?{_MODULE})*))$", re.MULTILINE)
_NO_SOURCES = {".pyc", ".pyi", ".md", ".typed"}


def library_files() -> dict[str, Path]:
    """Return the files of the library by their place in it, such as ``"panel/_regression.py"``.

    The engine is no part of an analysis. A package's ``__init__.py`` only says where names are found: what it leads
    to shows in what is loaded.
    """

    found = {}
    for path in sorted(FOLDER.rglob("*")):
        place = path.relative_to(FOLDER)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in place.parts) or not path.is_file()
        if not hidden and place.parts[0] != "run" and place.suffix not in _NO_SOURCES and place.name != "__init__.py":
            found[place.as_posix()] = path
    return found


def files_of(modules: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return those of ``files`` that modules consist of; data belong to their package and to a module of their name."""
    loaded = set()
    for module in modules:
        place = "/".join(module.split(".")[1:])
        loaded |= {f"{place}.py", f"{place}/", place.rpartition("/")[2].lstrip("_")}
    owners = {name: {name} if name.endswith(".py") else {f"{Path(name).parent}/", Path(name).stem} for name in files}
    return [name for name, of in owners.items() if of & loaded]


def imports_of(code: str) -> set[str]:
    """Return the modules of other packages that code imports anywhere but for the checker of its types."""
    code = _TYPES_ONLY.sub("", code)
    listed = [part.split()[0] for match in _IMPORT.finditer(code) for part in (match[1] or match[2]).split(",")]
    return {name for name in listed if name.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}}


def stack_of(codes: Iterable[str]) -> list[str]:
    """Return the modules of other packages that code imports, and those of the parts of the library that it names."""
    texts = list(codes)
    named = set(re.findall(r"\w+", " ".join(texts)))
    for place, path in library_files().items():
        if path.suffix == ".py" and place.split("/")[0].removesuffix(".py") in named:
            texts.append(path.read_text(encoding="utf-8"))
    return sorted(set().union(*map(imports_of, texts)))

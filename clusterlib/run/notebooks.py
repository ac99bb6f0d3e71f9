"""Find the project's notebooks and check that each can be run with parameters."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.records import TOO_MUCH, parse_json
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.paths import Project
from clusterlib.run.parameters import REGION, Parameter, check_spans, read_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping


PARAMETERS = "parameters"


@dataclass(frozen=True)
class Notebook:
    """A notebook of the project.

    Attributes
    ----------
    name : str
        File name without its ending, such as ``"02_overview"``.
    title : str
        Its first heading.
    path : Path
    source : str
        The file's text.
    parameters : dict
        Those of its parameters cell by name.
    code : str
        The source of its code cells.
    digest : str
        Hash of all cells' sources and of the captions; outputs and who ran it last do not count.
    """

    name: str
    title: str
    path: Path
    source: str = field(default="", repr=False)
    parameters: dict[str, Parameter] = field(default_factory=dict, repr=False)
    code: str = field(default="", repr=False)
    digest: str = field(default="", repr=False)

    @property
    def defaults(self) -> dict[str, object]:
        return {name: parameter.default for name, parameter in self.parameters.items()}


def _source(cell: Mapping) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def _tags(cell: Mapping) -> list[str]:
    return cell["metadata"].get("tags", [])


def _describe(path: Path) -> Notebook:
    try:
        text = path.read_text(encoding="utf-8-sig")
        cells = parse_json(text)["cells"]
        parts = [[c["cell_type"], c.get("id", ""), _source(c), _tags(c), c.get("attachments")] for c in cells]
        code, prose = ([_source(c) for c in cells if c["cell_type"] == kind] for kind in ("code", "markdown"))
        tagged = [cell for cell in cells if PARAMETERS in _tags(cell) and cell["cell_type"] == "code"]
        # What is wrong in captions is told where they are read.
        beside = [one for one in (path.with_suffix(".yml"), path.with_name("words.yml")) if one.is_file()]
        captions = [one.read_text(encoding="utf-8", errors="replace") for one in beside]
        digest = hashlib.sha256(json.dumps([parts, captions], ensure_ascii=False).encode()).hexdigest()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ClusterlibError(
            f"{path.name} is not a valid notebook ({reason}); restore it from version control"
        ) from None
    try:
        parameters = read_parameters(_source(tagged[0])) if len(tagged) == 1 else {}
    except (SyntaxError, ValueError, *TOO_MUCH) as error:
        reason = f"line {getattr(error, 'lineno', 1)}: {getattr(error, 'msg', error)}"
        raise ClusterlibError(f"{path.name}, parameters cell, {reason}") from None
    if REGION not in parameters:
        raise ClusterlibError(
            f'{path.name} needs one code cell tagged "parameters" that sets region, as in `region: str = "yrd"`; '
            f"found {len(tagged)} such cells"
        )
    check_spans(path.stem, {name: parameter.default for name, parameter in parameters.items()})
    # Magics and shell lines are no Python: what is left of a cell still says what it imports.
    plain = [re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE) for source in code]
    heading = re.search(r"^# +(.+)$", "\n".join(prose), flags=re.MULTILINE)
    title = heading[1].strip() if heading else path.stem
    return Notebook(path.stem, title, path, text, parameters, "\n".join(plain), digest)


def _named(name: str, paths: Mapping[str, Path]) -> str:
    """Return the one notebook whose name is or begins with ``name``."""
    name = name.removesuffix(".ipynb")
    found = [name] if name in paths else [one for one in paths if name and one.startswith(name)]
    if len(found) > 1:
        raise InvalidInputError(f"notebook {name!r} may be {' or '.join(found)}: write more of its name")
    if not found:
        raise UnknownNameError("notebook", name, paths, f"there are {', '.join(paths)}" if len(paths) > 12 else "")
    return found[0]


def find_notebooks(project: Project, names: list[str] | None = None) -> list[Notebook]:
    """Return the project's notebooks in order, or those whose names are, or alone begin with, ``names``.

    Raises
    ------
    UnknownNameError
        If there is no notebook of that name; the message names the nearest.
    InvalidInputError
        If several begin with it.
    ClusterlibError
        If a notebook is not valid or has no parameters.
    """
    good, wrong = scan_notebooks(project, names)
    for reason in wrong.values():
        raise ClusterlibError(reason)
    return good


def scan_notebooks(project: Project, names: list[str] | None = None) -> tuple[list[Notebook], dict[str, str]]:
    """Return the notebooks that can be run, and by name what is wrong with the others.

    Raises
    ------
    UnknownNameError
        If there is no notebook of that name.
    InvalidInputError
        If several begin with it.
    """
    paths = {path.stem: path for path in project.analyses}
    wanted = {_named(name, paths) for name in names} if names else paths.keys()
    good, wrong = [], {}
    for name, path in paths.items():
        if name in wanted:
            try:
                good.append(_describe(path))
            except ClusterlibError as error:
                wrong[name] = str(error)
    return good, wrong

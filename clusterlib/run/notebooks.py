"""Find the project's notebooks and check that each can be run with parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from clusterlib.errors import ClusterlibError, UnknownNameError
from clusterlib.paths import Project

PARAMETERS = "parameters"
_UNREADABLE = (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, KeyError, UnicodeDecodeError)
_NAME = re.compile(r"\d{2}_[a-z0-9_]+")


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
    """

    name: str
    title: str
    path: Path


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook file.

    Raises
    ------
    ClusterlibError
        If it is not a valid notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0][:200]
        raise ClusterlibError(
            f"{path.name} is not a valid notebook ({reason}); restore it from version control"
        ) from None


def title_of(notebook: nbformat.NotebookNode, default: str) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^# +(.+)$", cell.source, flags=re.MULTILINE)):
            return match[1].strip()
    return default


def _describe(path: Path) -> Notebook:
    notebook = read_notebook(path)
    tagged = [c for c in notebook.cells if PARAMETERS in c.metadata.get("tags", [])]
    if len(tagged) != 1 or not re.search(r"^region\b", tagged[0].source, flags=re.MULTILINE):
        raise ClusterlibError(
            f'{path.name} needs one code cell tagged "parameters" that sets region, as in `region: str = "yrd"`; '
            f"found {len(tagged)} such cells"
        )
    return Notebook(path.stem, title_of(notebook, path.stem), path)


def find_notebooks(project: Project, names: list[str] | None = None) -> list[Notebook]:
    """Return the project's notebooks in order, or those named.

    Raises
    ------
    UnknownNameError
        If there is no notebook of that name; the message names the nearest.
    ClusterlibError
        If a notebook is not valid or has no parameters.
    """
    paths = {p.stem: p for p in sorted(project.notebooks.glob("*.ipynb")) if _NAME.fullmatch(p.stem)}
    for name in names or []:
        if name.removesuffix(".ipynb") not in paths:
            raise UnknownNameError("notebook", name, paths)
    wanted = {name.removesuffix(".ipynb") for name in names or paths}
    return [_describe(path) for name, path in paths.items() if name in wanted]

"""A notebook to start from, which keeps the project's rules, and the file of its captions."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from clusterlib.core.files import written_in_place
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.paths import Project, get_project

_NAME = re.compile(r"(?!00)\d{2}_[a-z0-9]+(_[a-z0-9]+)*")
_SKELETON = Path(__file__).resolve().parent / "templates" / "notebook" / "notebook"


def write_skeleton(name: str, title: str = "", project: Project | None = None) -> Path:
    """Write ``notebooks/<name>.ipynb`` with ``<name>.yml`` beside it and return the notebook's path.

    Raises
    ------
    InvalidInputError
        If the name is not two digits, 01 to 99, and words in lower case, or its number or the file is taken.
    ClusterlibError
        If the title is no text that a file can hold.
    """
    project = project or get_project()
    name = name.removesuffix(".ipynb")
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name!r}: a notebook is named by two digits, 01 to 99, and words, such as 30_energy_use"
        )
    if taken := sorted(project.notebooks.glob(f"{name[:2]}_*.*")):
        raise InvalidInputError(f"number {name[:2]} is taken by {taken[0].name}")
    # A terminal without UTF-8 hands its bytes over as lone surrogates.
    title = title.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if any("\ud800" <= character <= "\udfff" for character in title):
        raise ClusterlibError(f"--title {title!r}: expected a text in UTF-8")
    said = {"NAME": name, "TITLE": title or name[3:].replace("_", " ").capitalize(), "标题": title or "标题"}
    with contextlib.ExitStack() as both_or_none:
        for ending in (".ipynb", ".yml"):
            text = _SKELETON.with_suffix(ending).read_text(encoding="utf-8")
            for key, value in said.items():
                text = text.replace(key, json.dumps(value, ensure_ascii=False)[1:-1])
            scratch = both_or_none.enter_context(written_in_place(project.notebooks / f"{name}{ending}"))
            scratch.write_text(text, encoding="utf-8")
    return project.notebooks / f"{name}.ipynb"

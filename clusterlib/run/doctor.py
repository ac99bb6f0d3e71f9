"""Check what running needs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project

_NEEDED_MB = 500
_SET_UP = "run `make setup`"
# What the command itself is installed with.
_EXTRAS = {"run", "report", "data"}


class Check(NamedTuple):
    """One thing looked at: ``state`` is ``"good"``, ``"note"`` or ``"wrong"``."""

    name: str
    state: str
    found: str
    advice: str = ""


def _packages(project: Project) -> Check:
    """Only those that clusterlib asks for by name: what they need in turn differs between systems."""
    path, other = project.root / "requirements.lock", []
    lock = path.read_text(encoding="utf-8").lower() if path.exists() else ""
    for asked in metadata.requires("clusterlib") or []:
        name, of = re.split(r"[^A-Za-z0-9._-]", asked)[0], re.search(r"extra == .(\w+)", asked)
        # An extra may name others, which the package itself then lists.
        if name == "clusterlib" or (of and of[1] not in _EXTRAS):
            continue
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Check("packages", "wrong", f"{name} is missing", _SET_UP)
        if f"\n{re.sub('[-_.]+', '-', name).lower()}=={version.lower()} " not in lock and lock:
            other.append(f"{name} {version}")
    if other:
        return Check("packages", "note", f"not those of requirements.lock: {', '.join(other)}", _SET_UP)
    return Check("packages", "good", "as in requirements.lock" if lock else "installed")


def _fonts(project: Project) -> Check:
    try:
        from matplotlib import font_manager

        from clusterlib.figures._style import FONT, use_style

        use_style()
        font_manager.findfont(FONT, fallback_to_default=False)
    except Exception as error:
        return Check("Chinese font", "wrong", f"{type(error).__name__}: {error}", _SET_UP)
    return Check("Chinese font", "good", FONT)


def _kernels(project: Project) -> Check:
    from clusterlib.run import warm
    from clusterlib.run.sources import FOLDER, stack_of

    if reason := warm.why_not_fork():
        return Check("warm kernels", "note", f"ordinary kernels will run: {reason}")
    server = warm.ForkServer(stack_of(path.name for path in FOLDER.iterdir()))
    try:
        report = server.wait_ready()
    except warm.CannotFork as error:
        return Check("warm kernels", "note", f"ordinary kernels will run: {error}")
    finally:
        server.close()
    if report["failed"]:
        return Check("warm kernels", "note", f"cannot be imported: {report['failed']}", _SET_UP)
    return Check("warm kernels", "good", "the stack is imported once a run")


def _folders(project: Project) -> Iterator[Check]:
    for folder in (project.processed, project.reports):
        place = next(path for path in (folder, *folder.parents) if path.exists())
        name = f"folder {folder.relative_to(project.root).as_posix()}"
        free = shutil.disk_usage(place).free / 1e6
        if not os.access(place, os.W_OK):
            advice = f"mount it for writing, or own it: chown -R $USER {place}"
            yield Check(name, "wrong", "cannot be written to", advice)
        else:
            advice = "" if free > _NEEDED_MB else "make room: a run writes some hundred MB"
            yield Check(name, "wrong" if advice else "good", f"{free / 1000:,.1f} GB free", advice)


def _notebooks(project: Project) -> Check:
    from clusterlib.run.notebooks import scan_notebooks

    good, wrong = scan_notebooks(project)
    if wrong:
        return Check("notebooks", "wrong", "; ".join(wrong.values()), "the others run all the same")
    return Check("notebooks", "good", f"{len(good)} that can be run")


def check_all() -> Iterator[Check]:
    """Give the checks one after the other."""
    yield Check("Python", "good", f"{platform.python_version()}, {sys.prefix}")
    try:
        project = get_project()
    except ClusterlibError as error:
        yield Check("project", "wrong", str(error))
        return
    yield Check("project", "good", str(project.root))
    for check in (_packages, _fonts, _kernels, _notebooks):
        yield check(project)
    yield from _folders(project)

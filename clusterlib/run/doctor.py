"""Check what running needs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import NamedTuple

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project

_NEEDED_MB = 500
_SET_UP = "run `make setup`"


class Check(NamedTuple):
    """One thing looked at: ``state`` is ``"good"``, ``"note"`` or ``"wrong"``."""

    name: str
    state: str
    found: str
    advice: str = ""


def _packages(project: Project) -> Check:
    """Only those that clusterlib asks for by name: what they need in turn differs between systems."""
    lock = project.root / "requirements.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, flags=re.MULTILINE):
        locked.setdefault(_plain(name), set()).add(version)
    other = []
    names = [re.split(r"[^A-Za-z0-9._-]", r)[0] for r in metadata.requires("clusterlib") or [] if "extra ==" not in r]
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Check("packages", "wrong", f"{name} is missing", _SET_UP)
        if version not in locked.get(_plain(name), {version}):
            other.append(f"{name} {version} instead of {' or '.join(sorted(locked[_plain(name)]))}")
    if other:
        return Check("packages", "note", "; ".join(other), f"{_SET_UP} to have those of requirements.lock")
    return Check("packages", "good", f"{len(names)} {'as in requirements.lock' if locked else 'installed'}")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


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
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    from clusterlib.run import warm
    from clusterlib.run.execute import KERNEL
    from clusterlib.run.sources import stack_of

    try:
        KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return Check("kernel", "wrong", f"no kernel {KERNEL}", _SET_UP)
    if reason := warm.why_not_fork():
        return Check("warm kernels", "note", f"ordinary kernels will run: {reason}")
    server = warm.ForkServer(stack_of([]))
    try:
        report = server.wait_ready()
    except warm.CannotFork as error:
        return Check("warm kernels", "note", f"ordinary kernels will run: {error}")
    finally:
        server.close()
    if failed := [f"{name} ({reason})" for name, reason in report["failed"].items()]:
        return Check("warm kernels", "note", f"cannot be imported: {'; '.join(failed)}", _SET_UP)
    return Check("warm kernels", "good", f"the stack is imported in {report['seconds']:.1f} s, once a run")


def _folders(project: Project) -> Iterator[Check]:
    for folder in (project.processed, project.reports):
        place = folder if folder.exists() else folder.parent
        name = f"folder {folder.relative_to(project.root).as_posix()}"
        free = shutil.disk_usage(place).free / 1e6
        if not os.access(place, os.W_OK):
            yield Check(
                name, "wrong", "cannot be written to", f"mount it for writing, or own it: chown -R $USER {place}"
            )
        elif free < _NEEDED_MB:
            yield Check(name, "wrong", f"{free:,.0f} MB free", "make room: a run writes some hundred MB")
        else:
            yield Check(name, "good", f"can be written to, {free / 1000:,.1f} GB free")


def _lock(project: Project) -> Check:
    from clusterlib.run.locks import lock_owner

    if owner := lock_owner(project.reports):
        found = f"process {owner.get('pid')} on {owner.get('host')} runs since {owner.get('started')}"
        return Check("other runs", "note", found, "a second run in this folder is refused until it ends")
    return Check("other runs", "good", "none")


def _git(project: Project) -> Check:
    from clusterlib.provenance import git_commit

    commit = git_commit(project.root)
    if not commit:
        found = "git is not installed, or the folder is not under version control"
        return Check("version control", "note", found, "reports will not name a commit")
    return Check("version control", "good", commit[:12] + (", with local changes" if commit.endswith("+") else ""))


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
    single: list[Callable[[Project], Check]] = [_packages, _fonts, _kernels, _notebooks, _lock, _git]
    for check in single:
        yield check(project)
    yield from _folders(project)

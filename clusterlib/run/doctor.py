"""Check what running needs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from clusterlib.errors import ClusterlibError
from clusterlib.paths import Project, get_project

_NEEDED_MB = 500


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``state`` is ``"good"``, ``"note"`` or ``"wrong"``."""

    name: str
    state: str
    found: str
    advice: str = ""


def _python(project: Project) -> Check:
    return Check("Python", "good", f"{platform.python_version()}, {sys.prefix}")


def _locked(project: Project) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    lock = project.root / "requirements.lock"
    for line in lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []:
        if match := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


def _packages(project: Project) -> Check:
    """Only those that clusterlib asks for by name: what they need in turn differs between systems."""
    locked = {re.sub(r"[-_.]+", "-", name).lower(): versions for name, versions in _locked(project).items()}
    missing, other = [], []
    asked = [r for r in metadata.requires("clusterlib") or [] if "extra ==" not in r]
    for requirement in asked:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        versions = locked.get(re.sub(r"[-_.]+", "-", name).lower())
        if versions and version not in versions:
            other.append(f"{name} {version} instead of {' or '.join(sorted(versions))}")
    if missing:
        return Check("packages", "wrong", f"missing: {', '.join(missing)}", "run `make setup`")
    if other:
        return Check("packages", "note", "; ".join(other), "run `make setup` to have those of requirements.lock")
    return Check("packages", "good", f"{len(asked)} as in requirements.lock" if locked else f"{len(asked)} installed")


def _fonts(project: Project) -> Check:
    try:
        from clusterlib.figures._style import FONT, use_style

        use_style()
        from matplotlib import font_manager

        font_manager.findfont(FONT, fallback_to_default=False)
    except Exception as error:
        return Check("Chinese font", "wrong", f"{type(error).__name__}: {error}", "run `make setup`")
    return Check("Chinese font", "good", FONT)


def _kernel(project: Project) -> Check:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    from clusterlib.run.kernels import PROVISIONER

    try:
        KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Check("kernel", "wrong", "no kernel python3", "run `make setup`")
    points = metadata.entry_points(group="jupyter_client.kernel_provisioners")
    if PROVISIONER not in {point.name for point in points}:
        return Check("kernel", "wrong", f"{PROVISIONER} is not registered", "run `make setup`")
    if "clusterlib" not in KernelSpecManager().find_kernel_specs():
        return Check("kernel", "note", "JupyterLab does not offer the kernel clusterlib", "run `make setup`")
    return Check("kernel", "good", "python3; JupyterLab offers clusterlib")


def _fork(project: Project) -> Check:
    from clusterlib.run import warm

    if reason := warm.why_not_fork():
        return Check("warm kernels", "note", f"ordinary kernels will run: {reason}")
    from clusterlib.run.kernels import kernel_environment

    try:
        report = warm.get_zygote(kernel_environment({})).wait_ready()
    except warm.CannotFork as error:
        return Check("warm kernels", "note", f"ordinary kernels will run: {error}")
    finally:
        warm.close_zygotes()
    failed = [f"{name} ({reason})" for name, reason in report["failed"].items()]
    if failed:
        return Check("warm kernels", "note", f"cannot be imported: {'; '.join(failed)}", "run `make setup`")
    return Check("warm kernels", "good", f"the stack is imported in {report['seconds']:.1f} s, once a run")


def _folders(project: Project) -> Iterator[Check]:
    for folder in (project.processed, project.reports):
        place = folder if folder.exists() else folder.parent
        name = f"folder {folder.relative_to(project.root).as_posix()}"
        if not os.access(place, os.W_OK):
            yield Check(name, "wrong", "cannot be written to", f"change who owns it: chown -R $USER {place}")
            continue
        free = shutil.disk_usage(place).free / 1e6
        if free < _NEEDED_MB:
            yield Check(name, "wrong", f"{free:,.0f} MB free", "make room: a run writes some hundred MB")
        else:
            yield Check(name, "good", f"can be written to, {free / 1000:,.1f} GB free")


def _lock(project: Project) -> Check:
    from clusterlib.run.locks import lock_owner

    if owner := lock_owner(project.reports):
        found = f"process {owner.get('pid')} on {owner.get('host')} runs since {owner.get('started')}"
        return Check("other runs", "note", found, "a second run in this folder is refused until it ends")
    left = list(project.reports.glob("*/.[0-9][0-9]_*"))
    if left:
        return Check(
            "other runs", "note", f"{len(left)} folders of an interrupted run", "the next run clears them away"
        )
    return Check("other runs", "good", "none")


def _git(project: Project) -> Check:
    from clusterlib.provenance import git_commit

    if commit := git_commit(project.root):
        changed = ", with local changes" if commit.endswith("+") else ""
        return Check("version control", "good", commit[:12] + changed)
    advice = "reports will not name a commit"
    try:
        subprocess.run(["git", "--version"], capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return Check("version control", "note", "git is not installed", advice)
    return Check("version control", "note", "the folder is not under version control", advice)


def _notebooks(project: Project) -> Check:
    from clusterlib.run.notebooks import scan_notebooks

    good, wrong = scan_notebooks(project)
    if wrong:
        return Check("notebooks", "wrong", "; ".join(wrong.values()), "the others run all the same")
    return Check("notebooks", "good", f"{len(good)} that can be run")


def check_all() -> Iterator[Check]:
    """Give the checks one after the other."""
    try:
        project = get_project()
    except ClusterlibError as error:
        yield Check("project", "wrong", str(error))
        return
    yield Check("project", "good", str(project.root))
    single: list[Callable[[Project], Check]] = [_python, _packages, _fonts, _kernel, _fork, _notebooks, _lock, _git]
    for check in single:
        yield check(project)
    yield from _folders(project)

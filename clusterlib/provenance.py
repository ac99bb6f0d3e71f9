"""What a result was made from: file hashes, package versions, the commit."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def sha256(*paths: Path) -> str:
    """Return the SHA-256 of the files' contents, one after the other.

    Raises
    ------
    FileNotFoundError
        If one is no file: what a damaged record names may be a folder, or a device that has no end.
    """
    digest = hashlib.sha256()
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(path)
        digest.update(path.read_bytes())
    return digest.hexdigest()


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution."""
    return {name: metadata.version(name) for name in names}


def git_commit(root: Path) -> str:
    """Return the commit checked out at ``root``, ``+`` behind it if files differ; empty outside a repository."""
    command = ["git", "-C", str(root)]
    try:
        head = subprocess.run(
            [*command, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            [*command, "status", "--porcelain"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")

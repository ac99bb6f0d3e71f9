"""Keep on disk what is the same for every region, so that a run computes it once (磁盘缓存).

What is kept is found again by the data, the study, the library's source, the packages and the arguments that it was
made from: a change of any of them computes anew. Each reader gets an object of its own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import clusterlib
from clusterlib.core.locks import waiting_lock
from clusterlib.data import read_manifest
from clusterlib.data._load import note_read, noting
from clusterlib.data._own import own_hashes, split_table
from clusterlib.paths import get_project
from clusterlib.provenance import package_versions
from clusterlib.regions import stamps_of

FOLDER = ".memory"
LARGEST = "500M"
# As joblib names a file until it is whole: by a number of its own, its process and its thread.
_HALF = re.compile(r".+\.(thread-|[0-9a-f]{32}-)[\w-]+")
_HALF_SECONDS = 3600
_LIBRARY = Path(clusterlib.__file__).parent
# They show what is found and find nothing.
_ABOVE = ("captions", "figures", "maps", "publish", "report", "results", "run", "tables")
_PACKAGES = ["geopandas", "libpysal", "networkx", "numpy", "pandas", "scikit-learn", "scipy", "shapely", "statsmodels"]


def _sources() -> list[Path]:
    found = sorted(_LIBRARY.rglob("*.py"))
    return [path for path in found if path.relative_to(_LIBRARY).with_suffix("").parts[0] not in _ABOVE]


# Of the source that this process has loaded or will load, as long as nobody writes to it.
_STAMPS = stamps_of(*_sources())


@functools.cache
def _library_hash() -> str:
    digest = sha256(json.dumps(package_versions(_PACKAGES)).encode())
    for path in _sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(arguments: dict) -> str:
    """What everything kept depends on beside its arguments: of imported indicators, those that these name."""
    manifest, own = read_manifest(), own_hashes(get_project())
    named = [digest for table, digest in own.items() if repr(split_table(table)[1]) in repr(arguments)]
    study = [(get_project().study / name).read_bytes() for name in ("regions.csv", "design.yml", "digital_fields.csv")]
    made = {name: manifest[name] for name in ("outputs", "boundaries")}
    text = json.dumps([made, *named], sort_keys=True).encode()
    return sha256(b"".join([text, _library_hash().encode(), *study])).hexdigest()


def remember(function: Callable) -> Callable:
    """Keep on disk what a function of plain arguments returns."""
    from joblib import Memory

    signature = inspect.signature(function)

    @functools.wraps(function)
    def recall(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        # Source that was changed under a running process is not the source that it computes with.
        folder = memory_folder() if stamps_of(*_sources()) == _STAMPS else None
        if folder is None:
            return function(*args, **kwargs)
        name, arguments = f"{function.__module__}.{function.__qualname__}", dict(given.arguments)
        memory = Memory(folder, verbose=0)
        kept: Any = memory.cache(_compute, ignore=["function"])
        call = (name, _key(arguments), arguments, function)
        if not kept.check_call_in_cache(*call):
            # Of several processes that miss it one computes, and the others wait for what it finds.
            with waiting_lock(folder / f"{name}.lock", tell=False):
                if not kept.check_call_in_cache(*call):
                    kept(*call)
                    memory.reduce_size(bytes_limit=LARGEST)
                    _clear_halves(folder)
        value, reads, modules = kept(*call)
        # A run asks what a notebook read and loaded: whoever takes what is kept has read it, too.
        for read in reads:
            note_read(read)
        for module in modules:
            importlib.import_module(module)
        return value

    return recall


def _compute(name: str, key: str, arguments: dict, function: Callable) -> tuple[Any, list[str], list[str]]:
    """Compute a value, and tell what was read for it and the modules that made it."""
    with noting() as reads:
        value = function(**arguments)
    loaded = [module for module in sys.modules if module.partition(".")[0] == "clusterlib"]
    return value, sorted(set(reads)), [name for name in loaded if f"{name}..".split(".")[1] not in _ABOVE]


def _clear_halves(folder: Path) -> None:
    """Delete what processes that were killed had begun to write, under names of their own, an hour ago or before."""
    for path in folder.rglob("*.*-*-*"):
        with contextlib.suppress(OSError):
            if _HALF.fullmatch(path.name) and time.time() - path.stat().st_mtime > _HALF_SECONDS:
                path.unlink()


def memory_folder() -> Path | None:
    """Where values and images are kept, or None where nothing can be written or others may write.

    Values are read back as pickles, which can run code: only what this user alone can have written is read.
    """
    folder = get_project().processed / FOLDER
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return None
    status = folder.stat()
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return folder if own and not others else None

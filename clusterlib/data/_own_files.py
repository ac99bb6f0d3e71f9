"""Write ``data/own`` so that a stopped import leaves what was there or what it decided, and nothing between."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.language import say
from clusterlib.core.locks import waiting_lock
from clusterlib.data._columns import PANELS
from clusterlib.data._own import OWN_COLUMNS, facts_path, own_indicators, own_names
from clusterlib.data._raw import read_table
from clusterlib.errors import InvalidInputError, OwnDataError
from clusterlib.paths import Project, get_project

SCRATCH, READY, LOCK = ".importing", ".imported", ".lock"
CATALOGUE, IMPORTS, REPORTS = "catalogue.csv", "imports.csv", "checks"
IMPORT_COLUMNS = "original sha256 sheet level indicator facts date".split()


@contextlib.contextmanager
def _telling(own: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{own} cannot be written to: {error.strerror}; make it a folder that you may write to"
        raise InvalidInputError(reason) from None


@contextlib.contextmanager
def held_own(project: Project) -> Iterator[None]:
    """Hold ``data/own`` for one change after all others, and finish what a stopped one had decided."""
    own = project.own
    with contextlib.ExitStack() as stack:
        with _telling(own):
            own.mkdir(parents=True, exist_ok=True)
            stack.enter_context(waiting_lock(own / LOCK))
            # Who left these is dead: an import that lives holds the lock.
            shutil.rmtree(own / SCRATCH, ignore_errors=True)
            for left in (own / REPORTS).glob(".*"):
                left.unlink()
            _put_in_place(own)
        yield


def past_imports(project: Project) -> pd.DataFrame:
    """Return the record of imports as text; raises OwnDataError with the line of what is wrong in it."""
    return _as_text(project, IMPORTS, IMPORT_COLUMNS)


def _as_text(project: Project, file: str, columns: Sequence[str]) -> pd.DataFrame:
    path = project.own / file
    if not path.exists():
        return pd.DataFrame(columns=list(columns), dtype="str")
    return read_table(path, columns, project.root, OwnDataError).frame


def report_path(project: Project, level: str, indicator: str) -> Path:
    """Return the page of the checks of an indicator's last import."""
    return project.own / REPORTS / f"{level}.{indicator}.html"


def write_own(
    project: Project, catalogue: pd.DataFrame, imports: pd.DataFrame, facts: dict[tuple[str, str], pd.DataFrame]
) -> None:
    """Write the catalogue, the record of imports and the facts of these indicators, all or nothing; in held_own."""
    scratch = project.own / SCRATCH
    with _telling(project.own):
        scratch.mkdir()
        try:
            for (level, indicator), frame in facts.items():
                _save(frame, scratch / level / f"{indicator}.csv")
            _save(imports[IMPORT_COLUMNS], scratch / IMPORTS)
            _save(catalogue[OWN_COLUMNS].sort_values(["level", "indicator"]), scratch / CATALOGUE)
            # From here on whoever comes next finishes it.
            os.rename(scratch, project.own / READY)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _put_in_place(project.own)


def _save(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _put_in_place(own: Path) -> None:
    """Move what is ready to its place, the catalogue last."""
    ready = own / READY
    for path in sorted(ready.rglob("*.csv"), key=lambda path: (path.parent == ready, path.name == CATALOGUE)):
        place = own / path.relative_to(ready)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)
    if ready.exists():
        shutil.rmtree(ready)


def catalogue_lines(project: Project) -> list[str]:
    """Return a line on each imported indicator: level, name, unit, years, cells, source and original files."""
    imports = past_imports(project)
    files = imports.groupby(["level", "indicator"])["original"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    rows: Iterator[Any] = own_indicators(project=project).iterrows()
    return [
        f"{level}.{name}  {row['unit_zh']}  {row['first_year']}-{row['last_year']}  "
        f"{row['cells']} {say('cells', '条数据')}  {row['source']}  {files.get((level, name), '')}".rstrip()
        for (level, name), row in rows
    ]


def forget_indicator(indicator: str, level: str | None = None, project: Project | None = None) -> None:
    """Delete an imported indicator (删除自有指标): its facts, its entry, its checks and the record of its imports.

    Raises
    ------
    UnknownNameError
        If no such indicator was imported.
    InvalidInputError
        If indicators of several levels have this name, or nothing can be written.
    OwnDataError
        If the catalogue or the record of imports is damaged.
    """
    check_choice("level", level, [None, *PANELS])
    project = project or get_project()
    with held_own(project):
        # As text, so that what is wrong in an entry does not keep it from being deleted.
        catalogue, imports = _as_text(project, CATALOGUE, OWN_COLUMNS), past_imports(project)
        names = {at: own_names(at, project) for at in (PANELS if level is None else [level])}
        check_choice("imported indicator", indicator, list(dict.fromkeys(chain(*names.values()))))
        levels = [at for at, imported in names.items() if indicator in imported]
        if len(levels) > 1:
            raise InvalidInputError(f"{indicator!r} is imported at the levels {' and '.join(levels)}: say level=")
        rest, past = (
            frame[(frame["level"] != levels[0]) | (frame["indicator"] != indicator)] for frame in (catalogue, imports)
        )
        write_own(project, rest, past, {})
        with _telling(project.own):
            facts_path(project, levels[0], indicator).unlink(missing_ok=True)
            report_path(project, levels[0], indicator).unlink(missing_ok=True)

"""Where figures stand in the raw tables: the text of each row, and the rows that reads are of (数据出处)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlib.core.language import say
from clusterlib.core.reads import Read
from clusterlib.core.rows import read_rows
from clusterlib.data._columns import CATALOGUE_COLUMNS, KEYS, LEVELS, LISTED
from clusterlib.data._formulas import formula_inputs
from clusterlib.data._own import OWN, fact_columns, facts_path, own_entries, own_facts, split_table
from clusterlib.data._processed import MANIFEST, read_manifest
from clusterlib.errors import OwnDataError, RawDataError
from clusterlib.paths import Project
from clusterlib.provenance import sha256
from clusterlib.regions import stamps_of

if TYPE_CHECKING:
    import numpy as np

Rows = dict[int, dict[str, str]]
CATALOGUE_FILE = "data/raw/catalogue.csv"


class Group(NamedTuple):
    """Rows of a file: their lines, ascending, and the units, years and sources that they are of."""

    file: str
    lines: tuple[int, ...]
    units: tuple[str, ...]
    years: tuple[int, ...]
    sources: tuple[str, ...]


class Origins:
    """The raw tables of a project as text, and where the rows of reads stand in them, as the data were last built.

    Raises
    ------
    DataNotBuiltError
        If the processed data have not been built.
    RawDataError, OwnDataError
        If a table is damaged when it is asked for; with file and line.
    """

    def __init__(self, project: Project) -> None:
        manifest = read_manifest(project)
        self.project = project
        self.hashes: dict[str, str] = manifest["inputs"]
        self.boundaries: dict[str, Any] = manifest["boundaries"]

    def list_rows(self, table: str) -> Rows:
        """Return the rows of a list, such as ``"clusters"``, by line."""
        from clusterlib.data._assemble import LISTS, NAME_COLUMNS

        columns = LISTS[table][0] if table in LISTS else NAME_COLUMNS.get(table, CATALOGUE_COLUMNS)
        return read_rows(self.project.raw / f"{table}.csv", columns, self.project.root, RawDataError)

    def fact_rows(self, level: str) -> dict[str, dict[str, Rows]]:
        """Return the rows of a level by indicator, file and line."""
        found: dict[str, dict[str, Rows]] = {}
        columns = [*KEYS[level], "year", "indicator", "value", "unit", "source"]
        for path in sorted((self.project.raw / level).glob("*.csv")):
            file = path.relative_to(self.project.root).as_posix()
            for line, row in read_rows(path, columns, self.project.root, RawDataError).items():
                found.setdefault(row["indicator"], {}).setdefault(file, {})[line] = row
        return found

    @cached_property
    def indicators(self) -> dict[str, dict[str, dict[str, str]]]:
        """What the catalogue tells of each indicator, by level."""
        rows = list(self.list_rows("catalogue").values())
        return {level: {row["indicator"]: row for row in rows if row["level"] == level} for level in LEVELS}

    @cached_property
    def own(self) -> dict[str, dict[str, str]]:
        """What the catalogue of imported indicators tells of each, by what reads call its table."""
        return own_entries(self.project)

    def entry(self, level: str, name: str) -> dict[str, str]:
        """Return what the catalogue tells of an indicator; ``"own.city"`` is the level of imported ones of cities."""
        return self.own[f"{level}.{name}"] if level.startswith(OWN) else self.indicators[level][name]

    @cache  # noqa: B019
    def own_rows(self, table: str) -> Rows:
        """Return the rows of an imported indicator by line, once they are found sound."""
        level, name = split_table(table)
        own_facts(level, name, self.project)
        path = facts_path(self.project, level, name)
        return read_rows(path, fact_columns(level), self.project.root, OwnDataError)

    def hash_of(self, file: str) -> str:
        """Return the hash of a raw table as the data were last built, or of an imported one as it is; none if gone."""
        path = self.project.root / file
        if not file.startswith("data/own/"):
            return self.hashes.get(file, "")
        return sha256(path) if path.is_file() else ""

    @cached_property
    def sources(self) -> dict[str, dict[str, str]]:
        return {row["source"]: row for row in self.list_rows("sources").values()}

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        lists = {"units": "adcode", "economies": "economy"}
        return {row[key]: row for table, key in lists.items() for row in self.list_rows(table).values()}

    @cached_property
    def _former(self) -> dict[str, dict[str, str]]:
        rows = sorted(self.list_rows("unit_history").values(), key=lambda row: row["last_year"])
        return {row["adcode"]: row for row in rows}

    def name(self, code: str) -> str:
        """Return a unit's name in the language spoken, or its code."""
        return (self._names.get(code) or self._former.get(code, {})).get(say("name_en", "name_zh"), code)

    @cache  # noqa: B019 - what holds it is kept anyway
    def _facts(self, level: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the columns of a level's facts, and where those of each indicator stand."""
        import numpy as np
        import pandas as pd

        facts = pd.read_parquet(self.project.processed / f"{level}_facts.parquet")
        columns = {name: facts[name].to_numpy() for name in [*KEYS[level], "year", "line"]}
        for name in ("file", "source"):
            columns[name], columns[f"{name}s"] = pd.factorize(facts[name])
        return columns, {str(name): np.asarray(at) for name, at in facts.groupby("indicator").indices.items()}

    @cache  # noqa: B019
    def _of_raw(self, level: str, indicator: str, units: tuple | None, years: tuple | None) -> np.ndarray:
        import numpy as np

        columns, indices = self._facts(level)
        found = indices[indicator]
        if units is not None:
            codes = list(units) if level == "economy" else list(map(int, units))
            for key in KEYS[level]:
                found = found[np.isin(columns[key][found], codes)]
        return found if years is None else found[np.isin(columns["year"][found], years)]

    def _of_read(self, read: Read) -> Iterator[tuple[str, np.ndarray]]:
        """Yield raw indicators, and where the facts of them stand that a read of a panel is of."""
        import numpy as np

        columns, _ = self._facts(read.table)
        known, keys = self.indicators[read.table], [*KEYS[read.table], "year"]
        for name in known if read.columns is None else read.columns:
            inputs = formula_inputs(known[name]["formula"]) or [name]
            places = {raw: self._of_raw(read.table, raw, read.units, read.years) for raw in inputs}
            cells = {raw: list(zip(*(columns[key][at].tolist() for key in keys))) for raw, at in places.items()}  # noqa: B905
            # A formula has a value where all its inputs have one.
            whole = set.intersection(*map(set, cells.values()))
            for raw, at in places.items():
                yield raw, at[np.array([cell in whole for cell in cells[raw]], bool)] if len(places) > 1 else at

    @cache  # noqa: B019
    def find(self, reads: tuple[str, ...]) -> dict[tuple[str, str], list[Group]]:
        """Return the raw rows that reads are of, by table and indicator, which is empty for a list; a group a file.

        Parameters
        ----------
        reads : tuple of str
            As :class:`clusterlib.core.reads.Read` tells them.

        Raises
        ------
        KeyError
            For a table or an indicator that there is no longer.
        """
        import numpy as np

        places: dict[tuple[str, str], list[np.ndarray]] = {}
        owned: dict[tuple[str, str], Rows] = {}
        lists: dict[str, Rows] = {}
        for read in map(Read.parse, reads):
            if read.table.startswith(OWN):
                self.own[read.table]  # one that is gone has no rows
                level, name = split_table(read.table)
                owned.setdefault((OWN + level, name), {}).update(self._of_own(read))
            elif read.table in LEVELS:
                for name, at in self._of_read(read):
                    places.setdefault((read.table, name), []).append(at)
            elif not read.table.startswith("boundaries_"):
                lists.setdefault(read.table, {}).update(self._of_list(read))
        found = {key: self._groups(key[0], np.unique(np.concatenate(each))) for key, each in sorted(places.items())}
        found |= {
            (level, name): [
                _group(f"data/own/{level.removeprefix(OWN)}/{name}.csv", rows, KEYS[level.removeprefix(OWN)])
            ]
            for (level, name), rows in sorted(owned.items())
        }
        found |= {(table, ""): [_group(f"data/raw/{table}.csv", rows)] for table, rows in sorted(lists.items()) if rows}
        return {key: groups for key, groups in found.items() if groups}

    def _of_own(self, read: Read) -> Rows:
        (key,) = KEYS[split_table(read.table)[0]]
        return {
            line: row
            for line, row in self.own_rows(read.table).items()
            if (read.units is None or row[key] in read.units) and (read.years is None or int(row["year"]) in read.years)
        }

    def _of_list(self, read: Read) -> Rows:
        kind = "level" if read.table == "catalogue" else LISTED[read.table]
        return {
            line: row
            for line, row in self.list_rows(read.table).items()
            if (read.columns is None or row[kind] in read.columns)
            and (read.years is None or int(row["year"]) in read.years)
        }

    def _groups(self, level: str, at: np.ndarray) -> list[Group]:
        import numpy as np

        columns, _ = self._facts(level)
        found = []
        for file in np.unique(columns["file"][at]):
            own = at[columns["file"][at] == file]
            units = np.unique(np.concatenate([columns[key][own] for key in KEYS[level]])).astype(str)
            lines, years = np.sort(columns["line"][own]), np.unique(columns["year"][own])
            sources = columns["sources"][np.unique(columns["source"][own])]
            name = str(columns["files"][file])
            found.append(Group(name, (*lines.tolist(),), (*units.tolist(),), (*years.tolist(),), (*sources,)))
        return found


def _group(file: str, rows: Mapping[int, Mapping[str, str]], keys: Iterable[str] = ()) -> Group:
    units = sorted({row[key] for row in rows.values() for key in keys})
    years = sorted({int(row["year"]) for row in rows.values() if "year" in row})
    # The catalogue tells sources of figures, not of itself.
    told: Iterable[str] = (row.get("source", "") for row in rows.values() if file != CATALOGUE_FILE)
    return Group(file, tuple(sorted(rows)), tuple(units), tuple(years), tuple(filter(None, dict.fromkeys(told))))


@lru_cache(maxsize=4)
def _kept(root: Path, stamps: tuple) -> Origins:
    return Origins(Project(root))


def origins_of(project: Project) -> Origins:
    """Return the origins of a project's data; the same object until they are built anew, or own ones change."""
    return _kept(project.root, stamps_of(project.processed / MANIFEST, *sorted(project.own.rglob("*.csv"))))

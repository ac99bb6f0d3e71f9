"""Turn the raw tables into the frames of ``data/processed``: read, check, pivot, derive; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import place_of
from clusterlib.data._columns import KEYS, LEVELS, UNIT_COLUMNS
from clusterlib.data._formulas import ALLOWED, compute, formula_inputs
from clusterlib.errors import Problem, RawDataError, UnknownNameError
from clusterlib.paths import Project

if TYPE_CHECKING:
    from clusterlib.data._raw import RawTable

CLUSTER_COLUMNS = (
    "cluster_id programme programme_en programme_zh batch year name_en name_zh field_en field_zh "
    "lead_cities_zh adcodes provinces source publications confirmed note"
).split()
POLICY_COLUMNS = (
    "policy policy_en policy_zh adcode name_zh level year_effective announced source publications confirmed note"
).split()
COUNT_COLUMNS = "programme year part scope count source publications confirmed note".split()
CHANGE_COLUMNS = "adcode_from adcode_to year kind source publications confirmed note_en note_zh".split()
HISTORY_COLUMNS = "adcode name_zh level first_year last_year change successors source".split()
# The columns of each list, those that no two rows share, and those of whole numbers.
LISTS = {
    "clusters": (CLUSTER_COLUMNS, ["cluster_id"], ["year", "publications"]),
    "policies": (POLICY_COLUMNS, ["policy", "adcode", "year_effective"], ["adcode", "year_effective", "publications"]),
    "cluster_counts": (COUNT_COLUMNS, ["programme", "year", "part", "scope"], ["year", "count", "publications"]),
    "boundary_changes": (
        CHANGE_COLUMNS,
        ["adcode_from", "adcode_to", "year"],
        ["adcode_from", "adcode_to", "year", "publications"],
    ),
    "unit_history": (HISTORY_COLUMNS, ["adcode", "first_year"], ["adcode", "first_year", "last_year"]),
}
NAME_COLUMNS = {
    "sources": "source title_en title_zh publisher publisher_zh url licence licence_zh note".split(),
    "units": UNIT_COLUMNS,
    "economies": ["economy", "name_en", "name_zh"],
}
CATALOGUE = "data/raw/catalogue.csv"


def assemble(project: Project) -> dict[str, pd.DataFrame]:
    """Read and check every raw table and return the processed frames by name, writing nothing."""
    from clusterlib.data._raw import read_catalogue, read_fact_tables, read_lists, stray_problems
    from clusterlib.data._rules import Vocabulary, check_facts
    from clusterlib.data.boundaries import make_boundaries

    raw, root = project.raw, project.root
    frames: dict[str, pd.DataFrame] = {}
    collect = _Collector()
    collect.problems += stray_problems(raw, root)
    with collect:
        lists = read_lists(raw, root)
    # The other tables are checked against these: without them every row would be one more error.
    collect.raise_all()
    with collect:
        catalogue = read_catalogue(raw, root)
    with collect:
        sources = _read_names("sources", project, lists)
    with collect:
        units = _read_names("units", project, lists).astype({"province": "int64"})
        units = units.set_axis(units.index.astype("int64")).sort_index()
    with collect:
        economies = _read_names("economies", project, lists)
    collect.raise_all()
    collect.problems += _source_problems(catalogue, list(sources.index))
    for level in LEVELS:
        with collect:
            tables, unread = read_fact_tables(raw, level, root)
            check_facts(tables, Vocabulary.of(level, catalogue, units, economies.index, sources.index), unread)
            frames[f"{level}_facts"], frames[level] = make_panel(level, tables, catalogue)
    for kind in LISTS:
        with collect:
            frames[kind] = _read_list(kind, project, lists, units, sources.index)
    collect.raise_all()
    layers = make_boundaries(units)
    return {
        **frames,
        "catalogue": catalogue,
        "units": units,
        "economies": economies,
        **{f"boundaries_{name}": layer for name, layer in layers.items()},
    }


class _Collector:
    """Gathers the problems of several tables, so that one run tells a user all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, RawDataError):
            self.problems.extend(error.problems)
            return True
        return False

    def raise_all(self) -> None:
        if self.problems:
            raise RawDataError(self.problems)


def _read_names(kind: str, project: Project, lists: RawTable) -> pd.DataFrame:
    from clusterlib.data._raw import count_problems, read_table
    from clusterlib.data._rules import name_problems

    table = read_table(project.raw / f"{kind}.csv", NAME_COLUMNS[kind], project.root)
    if problems := name_problems(kind, table) or count_problems(table, kind, lists):
        raise RawDataError(problems)
    return table.frame.set_index(NAME_COLUMNS[kind][0]).sort_index()


def _source_problems(catalogue: pd.DataFrame, sources: list[str]) -> list[Problem]:
    return [
        Problem(CATALOGUE, line, str(UnknownNameError("source", source, sources, "add it to sources.csv")), "source")
        for line, cell in zip(catalogue["line"], catalogue["source"], strict=True)
        for source in cell.split(";")
        if source not in sources
    ]


def _read_list(
    kind: str, project: Project, lists: RawTable, units: pd.DataFrame, sources: Iterable[str]
) -> pd.DataFrame:
    from clusterlib.data._raw import count_problems, read_table
    from clusterlib.data._rules import history_problems, list_rules, place_problems, rule_problems

    columns, key, numbers = LISTS[kind]
    table = read_table(project.raw / f"{kind}.csv", columns, project.root)
    problems = rule_problems(table, list_rules(kind, frozenset(map(str, units.index)), sources))
    if kind in ("clusters", "policies"):
        problems += place_problems(kind, table, units)
    if kind == "unit_history" and not problems:
        problems = history_problems(table)
    problems += table.repeated(key, f"the same {', '.join(key)} stands in an earlier line")
    if problems := problems or count_problems(table, kind, lists):
        raise RawDataError(problems)
    frame = table.frame.astype(dict.fromkeys(numbers, "int64")).reset_index(drop=True)
    return frame.set_index("cluster_id") if kind == "clusters" else frame


def make_panel(level: str, tables: list, catalogue: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn a level's checked fact tables into long facts (with file and line) and a wide panel."""
    from clusterlib.data._raw import rows_of

    key = KEYS[level]
    facts = pd.concat([t.frame.assign(file=t.file) for t in tables]).reset_index()
    facts = facts.astype({"year": "int64", "value": float, **{k: "int64" for k in key if k != "economy"}})
    facts = facts.sort_values([*key, "year", "indicator"], ignore_index=True)
    _check_against_catalogue(level, facts, catalogue)
    panel = facts.pivot(index=[*key, "year"], columns="indicator", values="value").sort_index()
    panel = _with_derived(level, panel, catalogue, facts)
    return facts, panel[list(rows_of(catalogue, level).index)].rename_axis(columns=None)


def _check_against_catalogue(level: str, facts: pd.DataFrame, catalogue: pd.DataFrame) -> None:
    from clusterlib.data._raw import rows_of

    problems: list[Problem] = []
    found = facts.groupby("indicator")["year"].agg(["min", "max", "size"])
    for indicator, row in rows_of(catalogue, level).to_dict("index").items():
        expected = (row["first_year"], row["last_year"], row["cells"])
        actual = tuple(found.loc[str(indicator)]) if indicator in found.index else (0, 0, 0)
        if not row["formula"] and actual != expected:
            reason = (
                f"{level} {indicator!r} has {actual[2]} cells in {actual[0]}-{actual[1]}, the catalogue says "
                f"{expected[2]} in {expected[0]}-{expected[1]}: a table may be cut off; if the change is meant, "
                "update first_year, last_year and cells here"
            )
            problems.append(Problem(CATALOGUE, row["line"], reason))
    if problems:
        raise RawDataError(problems)


def _with_derived(level: str, panel: pd.DataFrame, catalogue: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    from clusterlib.data._raw import rows_of

    derived, problems = {}, []
    for indicator, row in rows_of(catalogue, level).to_dict("index").items():
        if not row["formula"]:
            continue
        problem = _problem_of_formula(panel, row["formula"])
        if not problem:
            derived[str(indicator)] = compute(row["formula"], panel)
            problem = _problem_of_values(derived[str(indicator)], row, panel, facts)
        if problem:
            problems.append(Problem(CATALOGUE, row["line"], problem, "formula"))
    if problems:
        raise RawDataError(problems)
    return panel.assign(**derived)


def _problem_of_formula(panel: pd.DataFrame, formula: str) -> str:
    try:
        inputs = formula_inputs(formula)
    except ValueError as error:
        return f"{formula[:80]!r} cannot be computed: {error}; {ALLOWED}"
    if unknown := [name for name in inputs if name not in panel.columns]:
        return f"no raw indicator {', '.join(map(repr, unknown))} at this level; {ALLOWED}"
    return "" if inputs else f"{formula!r} cannot be computed: it names no indicator; {ALLOWED}"


def _problem_of_values(values: pd.Series, row: dict, panel: pd.DataFrame, facts: pd.DataFrame) -> str:
    inputs = formula_inputs(row["formula"])

    def at(wrong: pd.Series) -> str:
        places = values.index[wrong]
        given = facts.set_index(list(places.names)).loc[[places[0]]]
        told = [
            f"{fact.indicator} = {fact.value:.12g} in {fact.file}, line {fact.line}"
            for fact in given[given["indicator"].isin(inputs)].itertuples()
        ]
        more = f", and {len(places) - 1} more" if len(places) > 1 else ""
        return f"at {place_of(places[0])}{more}: it is made from {' and '.join(told)}"

    undefined = panel[inputs].notna().all(axis=1) & ~np.isfinite(values)
    if undefined.any():
        return f"a division by zero or a number without end {at(undefined)}"
    years = values.dropna().index.get_level_values("year")
    actual, stated = (years.min(), years.max()) if len(years) else (0, 0), (row["first_year"], row["last_year"])
    if actual != stated:
        return f"can be computed for {actual[0]}-{actual[1]}, the catalogue says {stated[0]}-{stated[1]}"
    for bound, beyond in (("minimum", values < row["minimum"]), ("maximum", values > row["maximum"])):
        if beyond.any():
            return f"comes to {values[beyond].iloc[0]:g}, beyond the {bound} of {row[bound]:g}, {at(beyond)}"
    return ""

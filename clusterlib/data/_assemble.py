"""Turn the raw tables into the frames of ``data/processed``: read, check, pivot, derive; nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from clusterlib.core.checks import place_of
from clusterlib.data._columns import KEYS, LEVELS, UNIT_COLUMNS
from clusterlib.errors import Problem, RawDataError
from clusterlib.paths import Project

CLUSTER_COLUMNS = (
    "cluster_id programme programme_en programme_zh batch year name_en name_zh field_en field_zh digital digital_basis "
    "lead_cities_zh adcodes provinces source publications confirmed note"
).split()
POLICY_COLUMNS = (
    "policy policy_en policy_zh adcode name_zh level year_effective announced source publications confirmed note"
).split()
ECONOMY_COLUMNS = ["economy", "name_en", "name_zh"]


def assemble(project: Project) -> dict[str, pd.DataFrame]:
    """Read and check every raw table and return the processed frames by name, writing nothing."""
    from clusterlib.data._raw import read_catalogue, read_fact_tables, read_sources
    from clusterlib.data._rules import Vocabulary, check_facts
    from clusterlib.data.boundaries import make_boundaries

    raw, root = project.raw, project.root
    frames: dict[str, pd.DataFrame] = {}
    collect = _Collector()
    with collect:
        catalogue = read_catalogue(raw, root)
    with collect:
        sources = read_sources(raw, root)
    with collect:
        units = _read_names(raw / "units.csv", UNIT_COLUMNS, root).astype({"adcode": "int64", "province": "int64"})
        units = units.set_index("adcode").sort_index()
    with collect:
        economies = _read_names(raw / "economies.csv", ECONOMY_COLUMNS, root).set_index("economy").sort_index()
    # The other tables are checked against these: without them every row would be one more error.
    collect.raise_all()
    for level in LEVELS:
        codes = economies.index if level == "economy" else units.index[units["level"] != "county"]
        with collect:
            tables, unread = read_fact_tables(raw, level, root)
            check_facts(tables, Vocabulary.of(level, catalogue, codes, sources.index), unread)
            frames[f"{level}_facts"], frames[level] = make_panel(level, tables, catalogue)
    for kind, columns in (("clusters", CLUSTER_COLUMNS), ("policies", POLICY_COLUMNS)):
        with collect:
            frames[kind] = _read_list(kind, raw / f"{kind}.csv", columns, root, units.index, sources.index)
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


def _read_names(path: Path, columns: Sequence[str], root: Path) -> pd.DataFrame:
    from clusterlib.data._raw import read_table

    table = read_table(path, columns, root)
    key = columns[0]
    problems = table.repeated([key], lambda text: f"{key} {text!r} given twice", key)
    for column in (name for name in ("adcode", "province") if name in columns):
        wrong = ~table.frame[column].str.fullmatch(r"\d{6}")
        problems += table.problems(wrong, lambda text: f"{text!r} is not a six-digit GB/T 2260 code", column)
    if problems:
        raise RawDataError(problems)
    return table.frame.reset_index(drop=True)


def _read_list(
    kind: str, path: Path, columns: Sequence[str], root: Path, codes: Iterable[int], sources: Iterable[str]
) -> pd.DataFrame:
    from clusterlib.data._raw import read_table
    from clusterlib.data._rules import list_rules, rule_problems

    table = read_table(path, columns, root)
    problems = rule_problems(table, list_rules(kind, frozenset(map(str, codes)), sources))
    key = ["cluster_id"] if kind == "clusters" else ["policy", "adcode", "year_effective"]
    problems += table.repeated(key, f"the same {', '.join(key)} stands in an earlier line")
    if problems:
        raise RawDataError(problems)
    numbers = ["year", "digital"] if kind == "clusters" else ["adcode", "year_effective"]
    frame = table.frame.astype(dict.fromkeys([*numbers, "publications"], "int64")).reset_index(drop=True)
    return frame.astype({"digital": bool}).set_index("cluster_id") if kind == "clusters" else frame


def make_panel(level: str, tables: list, catalogue: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn a level's checked fact tables into long facts (with file and line) and a wide panel."""
    from clusterlib.data._raw import rows_of

    key = KEYS[level]
    facts = pd.concat([t.frame.assign(file=t.file) for t in tables]).reset_index()
    facts = facts.astype({"year": "int64", "value": float, **({} if level == "economy" else {key: "int64"})})
    facts = facts.sort_values([key, "year", "indicator"], ignore_index=True)
    _check_against_catalogue(level, facts, catalogue)
    panel = facts.pivot(index=[key, "year"], columns="indicator", values="value").sort_index()
    panel = _with_derived(level, panel, catalogue)
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
            problems.append(Problem("data/raw/catalogue.csv", row["line"], reason))
    if problems:
        raise RawDataError(problems)


def formula_inputs(formula: str) -> list[str]:
    """Return the names of the indicators in a formula, in order."""
    return list(dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*", formula)))


def _with_derived(level: str, panel: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    from clusterlib.data._raw import rows_of

    derived, problems = {}, []
    for indicator, row in rows_of(catalogue, level).to_dict("index").items():
        if not row["formula"]:
            continue
        problem = _problem_of_formula(panel, row["formula"])
        if not problem:
            derived[str(indicator)] = panel.eval(row["formula"]).astype(float)  # type: ignore[union-attr]
            problem = _problem_of_values(derived[str(indicator)], row)
        if problem:
            problems.append(Problem("data/raw/catalogue.csv", row["line"], problem, "formula"))
    if problems:
        raise RawDataError(problems)
    return panel.assign(**derived)


def _problem_of_formula(panel: pd.DataFrame, formula: str) -> str:
    unknown = [name for name in formula_inputs(formula) if name not in panel.columns]
    if unknown:
        return f"no raw indicator {', '.join(map(repr, unknown))} at this level"
    try:
        result = panel.head(1).eval(formula)
    except Exception as error:  # pandas raises many kinds, down to the tokeniser's own
        return f"{formula!r} cannot be computed: {error}"
    return "" if isinstance(result, pd.Series) else f"{formula!r} cannot be computed: it gives no column"


def _problem_of_values(values: pd.Series, row: dict) -> str:
    finite = values.dropna()
    if finite.isin([float("inf"), float("-inf")]).any():
        return "a division by zero"
    years = finite.index.get_level_values("year")
    actual, stated = (years.min(), years.max()) if len(years) else (0, 0), (row["first_year"], row["last_year"])
    if actual != stated:
        return f"can be computed for {actual[0]}-{actual[1]}, the catalogue says {stated[0]}-{stated[1]}"
    for bound, beyond in (("minimum", finite < row["minimum"]), ("maximum", finite > row["maximum"])):
        if beyond.any():
            place = finite.index[beyond][0]
            return f"comes to {finite[place]:g} at {place_of(place)}, beyond the {bound} of {row[bound]:g}"
    return ""

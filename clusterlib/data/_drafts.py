"""What the facts of a sheet become in ``data/own``: name, unit, entry of the catalogue and facts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.language import Phrase
from clusterlib.core.rows import UNSEEN
from clusterlib.data._columns import KEYS
from clusterlib.data._own import (
    _NAME,
    MISSING,
    ORIGIN_COLUMNS,
    OWN_COLUMNS,
    PRECEDENCE,
    facts_path,
    own_facts,
    shipped_catalogue,
)
from clusterlib.data._raw import rows_of
from clusterlib.data._sheets import YearbookSheet
from clusterlib.data._sheets._cells import Unit, as_word, read_unit
from clusterlib.errors import ImportRefusedError, InvalidInputError, OwnDataError, Problem
from clusterlib.paths import Project

NO_OTHER = "none"
# Longer ones make no name of a file.
_LONGEST = 60
# What is measured alike whatever it is of; counted things have names of their own in English.
_MEASURES = frozenset("元 美元 人 公里 平方公里 GB 1 分钟".split())
_SOURCE = re.compile(r"(?:数据|资料)?来源\s*[:：]\s*(.+)|sources?:\s*(.+)", re.IGNORECASE)
# Figures that were converted are the same again.
_SAME = 1e-9


@dataclass(frozen=True)
class Options:
    """What the user says of an indicator, by the names of :func:`clusterlib.data.import_sheet`."""

    name: str | None
    same_as: str
    precedence: str | None
    missing: str | None
    replace: bool
    keep: bool
    name_en: str
    name_zh: str
    direction: int | None
    minimum: float | None
    maximum: float | None

    def check(self, indicators: list[str]) -> None:
        """Refuse what does not go together, and what is of one indicator where there are several."""
        check_choice("precedence", self.precedence, [None, *PRECEDENCE])
        check_choice("direction", self.direction, [None, -1, 0, 1])
        if self.missing is not None and not re.fullmatch(MISSING, self.missing):
            raise InvalidInputError(f"missing={self.missing!r}: expected 'leave', or such as 'linear 2', 'multiple 20'")
        if self.replace and self.keep:
            raise InvalidInputError("replace and keep: say which figures to take, the new ones or those that are there")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if not np.isfinite(bounds).all() or bounds != sorted(bounds):
            raise InvalidInputError(
                f"minimum={self.minimum}, maximum={self.maximum}: expected numbers, the lower first"
            )
        if self.name is not None and not is_name(self.name):
            raise InvalidInputError(f"name {self.name!r}: expected up to {_LONGEST} letters, digits and _, none first")
        single = [self.name, self.name_en, self.name_zh, self.minimum, self.maximum, self.direction]
        single.append("" if self.same_as == NO_OTHER else self.same_as)
        if len(indicators) > 1 and any(option not in (None, "") for option in single):
            listed = ", ".join(map(repr, indicators[:12]))
            raise InvalidInputError(
                f"the sheet has {len(indicators)} indicators ({listed}): choose the one that is meant by indicator= "
                "(--indicator)"
            )


@dataclass(frozen=True)
class Draft:
    """An indicator as it will be: its entry in the catalogue, its facts, and those of them that the sheet has."""

    entry: dict[str, Any]
    new: pd.DataFrame
    before: pd.DataFrame
    facts: pd.DataFrame
    counts: dict[str, int]
    changed: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.entry["level"], self.entry["indicator"]


def is_name(text: str) -> bool:
    """Whether an indicator of one's own may be called so."""
    return re.fullmatch(_NAME, text) is not None and len(text) <= _LONGEST


def sheet_problem(sheet: YearbookSheet, reason: str, row: Any = None) -> Problem:
    """Return what is wrong in a sheet, or in one of its facts."""
    line, column = (0, "") if row is None else (int(row.row), str(row.column))
    return Problem(sheet.path.name, line, reason, column, sheet=sheet.sheet)


def one_line(text: object) -> str:
    """Return a text as a cell of a table may hold it: in one line, without what nobody sees."""
    return " ".join(UNSEEN.sub("", " ".join(str(text).split())).split())


def unit_of(text: str) -> Unit:
    """Return a unit of measure; one that has no powers of ten is like itself alone."""
    return read_unit(text) or Unit(text, text, 0)


def _alike(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


class Drafting:
    """The making of drafts of all indicators of a sheet, with all that is in the way."""

    def __init__(
        self, sheet: YearbookSheet, facts: pd.DataFrame, known: pd.DataFrame, options: Options, project: Project
    ) -> None:
        self.sheet, self.facts, self.options, self.project = sheet, facts, options, project
        self.level, self.code = sheet.level, KEYS[sheet.level][0]
        self.catalogue = shipped_catalogue(project)
        self.shipped: Any = rows_of(self.catalogue, self.level)
        self.known: Any = rows_of(known, self.level)
        self.problems: list[Problem] = []
        self.notes: list[Phrase] = []

    def drafts(self) -> list[Draft]:
        """Return what the indicators become; raises ImportRefusedError with all that is in the way of any."""
        found, texts = [], dict[str, str]()
        for text, part in self.facts.groupby("indicator", sort=False):
            text, count = str(text), len(self.problems)
            name = self.options.name or as_word(text)
            if name in texts:
                self._refuse(
                    f"{texts[name]!r} and {text!r} would both be {name}: choose one by indicator= (--indicator)"
                )
            texts[name] = text
            self._check_name(name, text)
            held = self.known.loc[name] if name in self.known.index else None
            entry = self._entry(name, text, part["unit"].unique().tolist(), held)
            if len(self.problems) == count:
                found.append(self._merge(entry, part, held))
        if self.problems:
            raise ImportRefusedError(self.problems)
        return found

    def _refuse(self, reason: str, row: Any = None) -> None:
        self.problems.append(sheet_problem(self.sheet, reason, row))

    def _check_name(self, name: str, text: str) -> None:
        if not is_name(name):
            what = f"{text!r} makes no name of up to {_LONGEST} letters" if text else "the sheet names no indicator"
            self._refuse(f"{what}: say name= (--as)")
        if name.casefold() in {each.casefold() for each in self.shipped.index}:
            self._refuse(f"{name!r} is a shipped {self.level} indicator: give this one another name by name= (--as)")
        # On some systems they would be one file.
        for other in self.known.index:
            if other != name and other.casefold() == name.casefold():
                self._refuse(f"{name!r} and the imported {other!r} differ in capitals only: say name= (--as)")

    def _entry(self, name: str, text: str, units: list[str], held: Any) -> dict[str, Any]:
        """Return the entry in the catalogue, but for what follows from the facts."""
        options, (same_as, asked) = self.options, self._same_as(text, held)
        target = held["unit_zh"] if held is not None else self.shipped.loc[same_as, "unit_zh"] if same_as else units[0]
        if same_as and not asked and held is None and not _one_base(target, units):
            en = f"{name} is called as the shipped {same_as}, but in {units[0]}, not {target}: taken for another one"
            zh = f"{name} 与内置指标 {same_as} 同名，但单位是{units[0]}而非{target}：视为另一指标"
            self.notes.append(Phrase(en, zh))
            same_as, target = "", units[0]
        shipped_unit = self.shipped.loc[same_as, "unit_zh"] if same_as else target
        if not all(units):
            self._refuse(f"no unit was found for {text!r}: say unit= (--unit)")
        elif shipped_unit != target:
            self._refuse(f"{name} is in {target}, the shipped {same_as} in {shipped_unit}: say another name= (--as)")
        elif not _one_base(target, units):
            odd = next(unit for unit in units if not _one_base(target, [unit]))
            what = f"the shipped {same_as} is" if same_as else f"{name} is" if held is not None else "others are"
            advice = "another name= (--as)" if held is not None else "same_as='none' (--same-as none)"
            self._refuse(f"figures of {text!r} are in {odd}, {what} in {target}, which no power of ten converts" + (
                f": say {advice}" if same_as or held is not None else ": import one of them at a time"
            ))  # fmt: skip
        elif changed := [unit for unit in self.sheet.stated.get(text, units) if unit != target]:
            en = f"{name}: converted from {', '.join(changed)} to {target}, by a power of ten"
            self.notes.append(Phrase(en, f"{name}：由{'、'.join(changed)}换算为{target}（十的整数次幂）"))
        precedence = options.precedence or (held["precedence"] if held is not None else "alone")
        if precedence != "alone" and not same_as:
            self._refuse(f"precedence {precedence!r} needs a shipped indicator: say same_as= (--same-as)")
        before = self._first(name, text, target, same_as) if held is None else held.to_dict()
        for key in ("name_en", "name_zh", "direction", "minimum", "maximum", "missing"):
            said = getattr(options, key)
            said = one_line(said) if key.startswith("name") else said
            if said not in (None, ""):
                before[key] = said
        now = {"unit_zh": target, "same_as": same_as, "precedence": precedence}
        blank = dict.fromkeys(OWN_COLUMNS, "")
        entry = {**blank, **before, **now, "level": self.level, "indicator": name, "theme": "own"}
        return {key: entry[key] for key in OWN_COLUMNS}

    def _first(self, name: str, text: str, unit: str, same_as: str) -> dict[str, Any]:
        """Return what an entry says unless the user says otherwise."""
        words = one_line(text) or name
        said = {"name_zh": words, "name_en": words, "direction": 0, "unit": self._english(unit)}
        if same_as:
            row = self.shipped.loc[same_as]
            called = ["name_zh", "name_en"] if _alike(text) in map(_alike, row[["name_zh", "name_en"]]) else []
            said |= row[[*called, "direction", "unit"]].to_dict()
        return {**said, "minimum": np.nan, "maximum": np.nan, "missing": "leave"}

    def _same_as(self, text: str, held: Any) -> tuple[str, bool]:
        """Return the shipped indicator that measures the same, or none, and whether the user said so."""
        if given := self.options.same_as:
            names = [*self.shipped.index, NO_OTHER]
            return ("" if check_choice(f"{self.level} indicator", given, names) == NO_OTHER else given), True
        if held is not None:
            return held["same_as"], False
        named = self.shipped[["name_zh", "name_en"]].map(_alike) == _alike(text)
        found = self.shipped.index[named.any(axis=1)]
        return (found[0] if len(found) == 1 else ""), False

    def _english(self, unit: str) -> str:
        """Return a unit in English as the shipped catalogue calls it, or its own text."""
        if unit_of(unit).base.split("/")[0] not in _MEASURES:
            return unit
        found = self.catalogue.loc[self.catalogue["unit_zh"] == unit, "unit"].unique()
        return found[0] if len(found) == 1 else unit

    def _merge(self, entry: dict[str, Any], part: pd.DataFrame, held: Any) -> Draft:
        """Add the facts of the sheet to those that are there, and refuse where they differ."""
        name, keys = entry["indicator"], [self.code, "year"]
        new = self._tidy(entry, part)
        low, high = entry["minimum"], entry["maximum"]
        beyond: Iterator[Any] = new[(new["value"] < low) | (new["value"] > high)].itertuples()
        for row in beyond:
            bound = f"below the minimum {low:.12g}" if row.value < low else f"above the maximum {high:.12g}"
            self._refuse(f"{row.name} {row.year} is {row.value:.12g}, {bound}", row)
        before = new.iloc[:0] if held is None else self._before(name, new)
        both = new.merge(before, on=keys, suffixes=("", "_before"))
        differ = both[~np.isclose(both["value"], both["value_before"], rtol=_SAME, atol=0)]
        rows: Iterator[Any] = differ.itertuples()
        for row in () if self.options.replace or self.options.keep else rows:
            place = str(
                Problem(row.original_before, int(row.row_before), "", row.column_before, sheet=row.sheet_before)
            )
            reason = f"{row.name} {row.year} is {row.value:.12g} here, {row.value_before:.12g} in {place[:-2]}"
            self._refuse(f"{reason}: replace (--replace) takes the new figure, keep (--keep) the old one", row)
        at, at_before = (pd.MultiIndex.from_frame(frame[keys]) for frame in (new, before))
        changed = pd.MultiIndex.from_frame(differ[keys]) if self.options.replace else at[:0]
        added, replaced, stay = ~at.isin(at_before), at.isin(changed), ~at_before.isin(changed)
        facts = pd.concat([frame for frame in (before[stay], new[added | replaced]) if len(frame)])
        entry |= {"source": "; ".join(facts["source"].unique()), "cells": len(facts)}
        facts = facts[new.columns].sort_values(keys, kind="stable").reset_index(drop=True)
        entry |= {"first_year": int(facts["year"].min()), "last_year": int(facts["year"].max())}
        counts = {"facts": len(new), "added": int(added.sum()), "same": len(both) - len(differ)}
        counts |= {"replaced": int(replaced.sum()), "kept": len(differ) - int(replaced.sum())}
        as_before = held is not None and all(_same(entry[key], held[key]) for key in OWN_COLUMNS[2:])
        return Draft(entry, new, before, facts, counts, not as_before or bool((added | replaced).any()))

    def _before(self, name: str, new: pd.DataFrame) -> pd.DataFrame:
        """Return the facts that are there; without their file there are none, and the sheet makes it anew."""
        if not facts_path(self.project, self.level, name).exists():
            return new.iloc[:0]
        try:
            return own_facts(self.level, name, self.project)
        except OwnDataError as wrong:
            *others, last = wrong.problems
            advice = f"correct this, or `clusterlib imported --remove {name}` and import its files again"
            raise OwnDataError([*others, replace(last, reason=f"{last.reason}; {advice}")]) from None

    def _tidy(self, entry: dict[str, Any], part: pd.DataFrame) -> pd.DataFrame:
        """Return facts in the columns and the unit of ``data/own``."""
        sheet, target = self.sheet, entry["unit_zh"]
        notes = map(_SOURCE.fullmatch, sheet.understood.footnotes)
        cited = next((found[1] or found[2] for found in notes if found), sheet.path.name)
        codes = part["code"].astype("str" if self.level == "economy" else "int64")
        frame = pd.DataFrame({self.code: codes, "year": part["year"], "indicator": entry["indicator"]})
        frame["value"] = [converted(*figure, target) for figure in zip(part["value"], part["unit"], strict=True)]
        told = {
            "unit": entry["unit"],
            "source": one_line(sheet.source) or cited,
            "original": sheet.path.name,
            "sheet": sheet.sheet,
        }
        frame = frame.assign(**{key: one_line(text) for key, text in told.items()}, row=part["row"])
        frame = frame.assign(**{key: part[key].map(one_line) for key in ("name", "column", "note")})
        return frame[[self.code, "year", "indicator", "value", "unit", "source", *ORIGIN_COLUMNS]].reset_index(
            drop=True
        )


def converted(value: float, unit: str, to: str) -> float:
    """Return a figure in a unit that differs from its own by a power of ten."""
    return value if unit == to else unit_of(unit).convert(value, unit_of(to))


def _one_base(target: str, units: list[str]) -> bool:
    return all(unit_of(unit).base == unit_of(target).base for unit in units)


def _same(one: Any, other: Any) -> bool:
    return one == other or (one != one and other != other)

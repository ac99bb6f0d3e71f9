"""Bring sheets into ``data/own`` as one's own indicators (导入自有指标): all checks first, then all or nothing."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clusterlib.core.language import Phrase, say, speaking, spoken
from clusterlib.data._drafts import Draft, Drafting, Options, converted, one_line, sheet_problem
from clusterlib.data._overlaps import Overlap, compare_with_shipped
from clusterlib.data._own import facts_path, own_indicators
from clusterlib.data._own_files import held_own, past_imports, report_path, write_own
from clusterlib.data._sheets import YearbookSheet, read_yearbook
from clusterlib.errors import ImportRefusedError, Problem
from clusterlib.paths import Project, get_project

if TYPE_CHECKING:
    from clusterlib.data._sheet_checks import SheetChecks


@dataclass(frozen=True)
class Imported:
    """What an import did, or would do (导入结果): ``indicators`` counts the facts, ``facts`` are those of the sheet."""

    sheet: YearbookSheet
    indicators: pd.DataFrame
    facts: pd.DataFrame = field(repr=False)
    overlaps: dict[str, Overlap] = field(repr=False)
    checks: dict[str, SheetChecks] = field(repr=False)
    left_out: list[Problem] = field(repr=False)
    notes: list[Phrase] = field(repr=False)
    outcome: Phrase = field(repr=False)

    def summary(self, language: str | None = None) -> str:
        """Return what was understood, found and written, as text in ``"en"`` or ``"zh"``."""
        if language is not None:
            with speaking(language):
                return self.summary()
        # What figures were converted to in the end is told of each indicator.
        understood = self.sheet.understood
        said = {key: phrase for key, phrase in understood.said.items() if key != "converted"}
        lines = [f"{self.sheet.path.name}", replace(understood, said=said).summary()]
        for name, row in self.indicators.iterrows():
            span = "-".join(map(str, dict.fromkeys([row["first_year"], row["last_year"]])))
            lines.append(
                say(
                    f"{name} ({row['unit']}): {row['facts']} facts, {row['added']} new, {row['same']} as before, "
                    f"{row['replaced']} replaced, {row['kept']} kept; {row['cells']} facts of {span} in all",
                    f"{name}（{row['unit_zh']}）：{row['facts']} 条数据，新增 {row['added']}，"
                    f"与原有相同 {row['same']}，替换 {row['replaced']}，保留原值 {row['kept']}；共 {row['cells']} 条，"
                    f"{span} 年",
                )
            )
        lines += map(str, self.notes)
        lines += [f"{say('left out', '未导入')}{say(': ', '：')}{problem}" for problem in self.left_out]
        lines += [replace(checks, file=name, unchecked=()).summary() for name, checks in self.checks.items()]
        lines += dict.fromkeys(str(told) for checks in self.checks.values() for told in checks.unchecked)
        lines += [overlap.summary() for overlap in self.overlaps.values()]
        return "\n".join([*filter(None, lines), str(self.outcome)])

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        tables = [self.indicators, *(overlap.table for overlap in self.overlaps.values() if len(overlap.table))]
        return f"<pre>{escape(self.summary())}</pre>" + "".join(table.to_html() for table in tables)


def import_sheet(
    sheet: YearbookSheet | str | Path,
    *,
    name: str | None = None,
    same_as: str = "",
    precedence: str | None = None,
    missing: str | None = None,
    replace: bool = False,
    keep: bool = False,
    strict: bool = False,
    accept_errors: bool = False,
    skip_unresolved: bool = False,
    name_en: str = "",
    name_zh: str = "",
    direction: int | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    dry_run: bool = False,
    project: Project | None = None,
) -> Imported:
    """Bring the facts of a sheet into ``data/own`` as indicators of one's own (导入自有指标).

    A sheet is imported whole or not at all: any cell that is no figure and any name without a unit refuses it. An
    indicator that is there already takes the units and years that it does not have; a figure that differs from the
    one that is there refuses the sheet unless ``replace`` or ``keep`` says which one holds. What is said of an
    indicator once holds for later sheets until it is said otherwise. Imports wait for each other; one that is
    stopped leaves what was there.

    Parameters
    ----------
    sheet : YearbookSheet or path
        What :func:`read_yearbook` returned, or a file that it reads without being told more.
    name : str, optional
        By default what the sheet calls the indicator, with ``_`` for all but letters and digits.
    same_as : str
        The shipped indicator that measures the same, whose unit the figures get; by default the one whose Chinese or
        English name the sheet gives the indicator, if the unit allows it. ``"none"`` for none.
    precedence : {"alone", "own", "shipped"}, optional
        Whether shipped figures complete the imported ones, come first, or are left aside; at first ``"alone"``.
    missing : str, optional
        How gaps are to be filled: ``"leave"`` (at first), ``"linear 2"``, ``"multiple 20"``.
    replace, keep : bool
        Of figures that differ, take the new ones, or keep those that are there.
    strict : bool
        Refuse the sheet upon anything that :func:`check_sheet` finds, not only errors.
    accept_errors : bool
        Import figures although the checks call them errors.
    skip_unresolved : bool
        Leave out rows whose name is no unit of the level, and list them.
    name_en, name_zh : str
        By default what the sheet calls the indicator, or the name of the shipped one where that is the same.
    direction : {-1, 0, 1}, optional
        Whether more is worse, neither or better; at first that of ``same_as``, else 0.
    minimum, maximum : float, optional
        Bounds that refuse a sheet whose figures lie beyond.
    dry_run : bool
        Write nothing.
    project : Project, optional
        By default the one that holds this installation.

    Returns
    -------
    Imported

    Raises
    ------
    ImportRefusedError
        With the place of all that is in the way.
    SheetError
        If the file cannot be read without a guess.
    OwnDataError
        If what was imported before is damaged.
    InvalidInputError, UnknownNameError
        For options that do not go together, and names that there are not.

    Examples
    --------
    >>> import tempfile, pathlib, clusterlib as cl
    >>> path = pathlib.Path(tempfile.mkdtemp(), "robots.csv")
    >>> head = "指标：机器人密度(台/万人)", "地区,2022年,2023年"
    >>> _ = path.write_text("\\n".join([*head, "上海,383,426", "江苏,410,448"]), encoding="utf-8")
    >>> print(cl.data.import_sheet(path, dry_run=True).outcome)
    would write data/own/province/机器人密度.csv
    """
    sheet = sheet if isinstance(sheet, YearbookSheet) else read_yearbook(sheet)
    options = Options(
        name, same_as, precedence, missing, replace, keep, name_en, name_zh, direction, minimum, maximum
    )  # fmt: skip
    options.check(sheet.facts["indicator"].unique().tolist())
    facts, left_out = _sound_facts(sheet, skip_unresolved)
    project = project or get_project()
    with contextlib.nullcontext() if dry_run else held_own(project):
        known, past = own_indicators(project=project), past_imports(project)
        drafting = Drafting(sheet, facts, known, options, project)
        drafts = drafting.drafts()
        stopping = ["error"] * (not accept_errors) + ["warning"] * strict
        checks = _check(sheet, facts, drafts, project, stopping, report=not dry_run)
        done = set(past[["sha256", "sheet", "level", "indicator"]].itertuples(index=False, name=None))
        new = [d for d in drafts if d.changed or (sheet.sha256, one_line(sheet.sheet), *d.key) not in done]
        if new and not dry_run:
            told = {"original": one_line(sheet.path.name), "sha256": sheet.sha256, "sheet": one_line(sheet.sheet)}
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            rows = pd.DataFrame([{**told, **d.entry, "facts": len(d.new), "date": now} for d in new])
            others = known.drop(index=[d.key for d in new], errors="ignore").reset_index()
            catalogue = pd.concat([frame for frame in (others, rows) if len(frame)])
            write_own(project, catalogue, pd.concat([past, rows]), {d.key: d.facts for d in new})
    overlaps = {
        draft.key[1]: compare_with_shipped(draft.new, *draft.key, draft.entry["same_as"], project)
        for draft in drafts
        if draft.entry["same_as"]
    }
    files = [facts_path(project, *draft.key).relative_to(project.root).as_posix() for draft in new]
    outcome = Phrase("already imported: nothing was written", "已导入过：未写入任何内容")
    if files:
        en, zh = ("would write", "将写入") if dry_run else ("wrote", "已写入")
        outcome = Phrase(f"{en} {', '.join(files)}", f"{zh} {'、'.join(files)}")
    table = pd.DataFrame([{**draft.entry, **draft.counts} for draft in drafts]).set_index("indicator")
    brought = pd.concat([draft.new for draft in drafts], ignore_index=True)
    return Imported(sheet, table, brought, overlaps, checks, left_out, drafting.notes, outcome)


def _sound_facts(sheet: YearbookSheet, skip_unresolved: bool) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the facts of units with a code, and what is left out; refuse what else is wrong in the sheet."""
    hint = "; or leave it out by skip_unresolved (--skip-unresolved)"
    problems = [p for p in sheet.problems if p not in sheet.unresolved]
    facts, nowhere = sheet.facts[sheet.facts["code"].notna()], sheet.facts[sheet.facts["code"].isna()]
    if not skip_unresolved:
        untold = [sheet_problem(sheet, f"{row.name} has no code", row) for row in nowhere.itertuples()]
        problems += [replace(p, reason=p.reason + hint) for p in sheet.unresolved or untold]
    if not problems and facts.empty:
        problems.append(sheet_problem(sheet, "no name is a unit of this level: nothing is left to import"))
    for row in facts[facts.duplicated(["code", "year", "indicator"])].itertuples():
        same = (facts["code"] == row.code) & (facts["year"] == row.year) & (facts["indicator"] == row.indicator)
        first = facts[same].iloc[0]
        reason = f"{row.name} {row.year} is {row.value:.12g} here, {first['value']:.12g} in row {first['row']}, column "
        problems.append(sheet_problem(sheet, f"{reason}{first['column']}: keep one of them", row))
    if problems:
        raise ImportRefusedError(problems)
    return facts, sheet.unresolved if skip_unresolved else []


def _check(
    sheet: YearbookSheet, facts: pd.DataFrame, drafts: list[Draft], project: Project, stopping: list[str], report: bool
) -> dict[str, SheetChecks]:
    """Check the figures of each indicator, write what was found, and refuse what cannot be, or anything found."""
    from clusterlib.data._sheet_checks import check_sheet

    found, problems = {}, []
    for draft, (_, part) in zip(drafts, facts.groupby("indicator", sort=False), strict=True):
        level, name = draft.key
        before = draft.before.set_axis(["code", *draft.before.columns[1:]], axis=1)[["code", "year", "value"]]
        units = part["unit"].unique()
        # In the unit of the sheet, which the checks may find to be wrong.
        before["value"] = [converted(value, draft.entry["unit_zh"], units[0]) for value in before["value"]]
        known = before if len(before) and len(units) == 1 else None
        checks = found[name] = check_sheet(replace(sheet, facts=part), same_as=draft.entry["same_as"], known=known)
        where = ""
        if report:
            path = report_path(project, level, name)
            checks.write(path, spoken())
            where = f"; see {path.relative_to(project.root).as_posix()}"
        stops = checks.findings[checks.findings["severity"].isin(stopping)]
        problems += [
            sheet_problem(sheet, f"{row.name} {row.year}: {row.reason}{where}", row) for row in stops.itertuples()
        ]
    if problems:
        raise ImportRefusedError(problems)
    return found

"""What is doubtful in the figures of a sheet: told before they are imported, never changed (导入前检查)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_columns
from clusterlib.core.files import write_text
from clusterlib.core.hypertext import ALONE
from clusterlib.core.language import Phrase, say, speaking, spoken
from clusterlib.data._crosswalk import _crosswalk
from clusterlib.data._load import _load, indicator_catalogue, load_panel, load_units
from clusterlib.data._processed import read_manifest
from clusterlib.data._sheets import YearbookSheet
from clusterlib.data._sheets._cells import _POWERS, Unit, read_unit
from clusterlib.data._sheets._names import clean_name
from clusterlib.data.audit import decimal_slips, growth_jumps, interpolated_runs, last_digits
from clusterlib.errors import InvalidInputError
from clusterlib.paths import get_project

if TYPE_CHECKING:
    from clusterlib.data._sheets._layout import Fact

COLUMNS = "check severity indicator code name year value expected sheet row column reason".split()
CHECKS = {
    "unit": Phrase("unit of measure", "计量单位"),
    "range": Phrase("out of range", "超出合理范围"),
    "duplicate": Phrase("given twice", "重复数据"),
    "identical": Phrase("identical series", "完全相同的序列"),
    "code": Phrase("code of the unit", "地区代码"),
    "differs": Phrase("other figures than those there", "与已有数据不一致"),
    "decimal": Phrase("decimal point", "小数点错位"),
    "jump": Phrase("jump between years", "年际跳变"),
    "parts": Phrase("shares that do not sum to 100", "构成合计不等于100"),
    "total": Phrase("sum of the units and total", "分项合计与总计"),
    "interpolated": Phrase("looks interpolated", "疑似插值"),
    "rounding": Phrase("rounded otherwise", "取整位数不同"),
}
# What each finding says: check, severity, English, Chinese.
_SAID = {
    "again": ("duplicate", "error", "this figure is given already", "该地区该年份该指标已有数据"),
    "other": ("unit", "error", "the sheet is in {unit}, {name} in {there}", "表中单位为{unit}，{name}的单位为{there}"),
    "scale": ("unit", "error", "{of} are {times} those {what}, in {agree} of {cells} cells{ask}",
              "{of}{times}{what}（{cells}个单元格中有{agree}个）{ask}"),
    "shift": ("unit", "error", "the figures of {year} are {times} those of the year before: has the unit changed?",
              "{year}年数据{times}上年：单位是否改变？"),
    "bound": ("range", "error", "beyond the bounds of {name}", "超出{name}的取值范围"),
    "share": ("range", "warning", "a share outside 0 to 100 %", "比重不在0～100%之间"),
    "count": ("range", "warning", "a count below nought", "计数为负"),
    "differs": ("differs", "warning", "{what}: {there:.10g}{size}{where}", "{what}：{there:.10g}{size}{where}"),
    "decimal": ("decimal", "warning", "{before:.10g} the year before, {after:.10g} the year after",
                "上年为{before:.10g}，下年为{after:.10g}"),
    "jump": ("jump", "warning", "{ratio:.3g} times the {before:.10g} of the year before",
             "为上年{before:.10g}的{ratio:.3g}倍"),
    "together": ("jump", "warning", "most figures of {year} change at once, the median to {ratio:.2f} times: has the "
                 "definition changed?", "{year}年多数地区同时跳变，中位数为上年的{ratio:.2f}倍：口径是否改变？"),
    "parts": ("parts", "warning", "{names} sum to {sums:.10g}; to 100 in {good} of {cells} cases",
              "{names}合计{sums:.10g}；{cells}例中有{good}例为100"),
    "total": ("total", "warning", "the {units} units sum to {sums:.10g} in {year}; {name} in row {row} is {total:.10g}",
              "{year}年{units}个地区合计{sums:.10g}；第{row}行{name}为{total:.10g}"),
    "twin": ("identical", "error", "all {cells} figures are those of {name}", "{cells}个数据与{name}完全相同"),
    "copy": ("identical", "error", "all {cells} figures of {year} are those of {before}",
             "{year}年{cells}个数据与{before}年完全相同"),
    "economy": ("code", "error", "no economy has the code {code}", "没有代码为{code}的经济体"),
    "level": ("code", "error", "no {level} has had the code {code}", "代码{code}不属于本层级"),
    "stood": ("code", "warning", "did not stand at the end of {years}", "{years}年末未设立"),
    "same": ("interpolated", "warning", "the same figure {first}-{last}", "{first}—{last}年数值不变"),
    "step": ("interpolated", "warning", "equal steps of {pace:.4g} {first}-{last}",
             "{first}—{last}年逐年等差{pace:.4g}"),
    "growth": ("interpolated", "warning", "equal growth of {pace:.3g} % a year {first}-{last}",
               "{first}—{last}年逐年等比增长{pace:.3g}%"),
    "midpoint": ("interpolated", "warning", "midway between the years beside it, as {units} units in this year",
                 "恰为前后两年的均值，本年共有{units}个地区如此"),
    "geometric midpoint": ("interpolated", "warning", "the geometric mean of the years beside it, as {units} units in "
                           "this year", "恰为前后两年的几何平均值，本年共有{units}个地区如此"),
    "rounding": ("rounding", "warning", "all figures of {years} are rounded to {last:g}, of most years to {usual:g}: "
                 "another source?", "{years}年数据均取整到{last:g}，多数年份到{usual:g}：来源是否不同？"),
}  # fmt: skip
_HEADS = (Phrase("cell", "单元格"), Phrase("unit", "地区"), Phrase("year", "年份"), Phrase("value", "数值"),
          Phrase("expected", "参照值"), Phrase("reason", "说明"))  # fmt: skip
# A vintage differs by less: the median ratio lies within a factor of 1.4 of a power of ten, most within a factor of 2.
_NEAR, _AROUND, _MOST = 0.15, 0.3, 0.8
_DIFFERS = 0.01
# A jump is beyond a fifth, and beyond eight robust standard deviations of the sheet's own changes.
_LIMIT, _SPREAD = 0.2, 8.0
_SHOWN = {"text": 5, "page": 500}
_WHOLE = re.compile("(全[国省区市]|中国|国家)(总?计|合计)?|[总合]计|(national )?total|china|nation(al)?", re.IGNORECASE)
_STYLE = (
    "body{max-width:60rem;margin:auto;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:#222;background:#fff}"
    "div{overflow-x:auto}table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}"
    "tr:first-child th{border-bottom:1px solid}th,td{padding:.25rem .6rem;text-align:left;vertical-align:top}"
    ".error td:first-child{border-left:4px solid #b3261e}.warning td:first-child{border-left:4px solid #b07d00}"
)


@dataclass(frozen=True)
class SheetChecks:
    """What the checks of a sheet found (导入前检查结果).

    Attributes
    ----------
    findings : DataFrame
        A row a finding, with the cell that it is about or begins at: ``check``, ``severity`` ("error" or "warning"),
        ``indicator``, ``code``, ``name``, ``year``, ``value``, ``expected`` (missing where there is nothing to go by),
        ``sheet``, ``row``, ``column`` and ``reason``, a text in the language spoken.
    figures : int
        How many were checked.
    unchecked : tuple
        What could not be checked, and why.
    """

    file: str
    figures: int
    findings: pd.DataFrame = field(repr=False)
    unchecked: tuple[Phrase, ...] = ()

    @property
    def errors(self) -> pd.DataFrame:
        """What should be corrected before the sheet is imported."""
        return self.findings[self.findings["severity"] == "error"]

    @property
    def warnings(self) -> pd.DataFrame:
        """What should be looked at."""
        return self.findings[self.findings["severity"] == "warning"]

    def _head(self) -> str:
        errors, warnings = len(self.errors), len(self.warnings)
        return say(
            f"{self.file}: {self.figures} figures checked, {errors} error(s), {warnings} warning(s)",
            f"{self.file}：检查 {self.figures} 个数据，{errors} 个错误，{warnings} 个警告",
        )

    def _by_check(self, shown: int) -> list[tuple[str, list[Any], str]]:
        """Return title, first findings and how many more there are of each check that found something."""
        found = []
        for check, title in CHECKS.items():
            rows = self.findings[self.findings["check"] == check]
            more = len(rows) - shown
            left = say(f"and {more} more", f"另有 {more} 条") if more > 0 else ""
            if len(rows):
                listed = list(rows[:shown].itertuples(index=False))
                found.append((say(f"{title} ({len(rows)})", f"{title}（{len(rows)}）"), listed, left))
        return found

    def summary(self, language: str | None = None) -> str:
        """Return what was found as text, in ``"en"`` or ``"zh"``, by default the language spoken."""
        if language is not None:
            with speaking(language):
                return self.summary()
        lines = [self._head(), *map(str, self.unchecked)]
        for title, rows, left in self._by_check(_SHOWN["text"]):
            told = [
                say(
                    f"row {one.row}, column {one.column}, {one.name} {one.year}: {one.reason}",
                    f"第 {one.row} 行 {one.column} 列，{one.name}{one.year}年：{one.reason}",
                )
                for one in rows
            ]
            lines += [title, *(f"  {line}" for line in [*told, left] if line)]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def _html(self, shown: int) -> str:
        parts = [f"<p>{escape(line)}</p>" for line in (self._head(), *map(str, self.unchecked))]
        for title, rows, left in self._by_check(shown):
            lines = ["<tr>" + "".join(f"<th>{escape(str(head))}</th>" for head in _HEADS) + "</tr>"]
            for one in rows:
                numbers = (f"{number:.10g}" if pd.notna(number) else "–" for number in (one.value, one.expected))
                cells = (f"{one.column}{one.row}", one.name, one.year, *numbers, one.reason)
                cells_set = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
                lines.append(f'<tr class="{one.severity}">{cells_set}</tr>')
            parts.append(f"<h2>{escape(title)}</h2><div><table>{''.join(lines)}</table></div><p>{escape(left)}</p>")
        return "".join(parts)

    def _repr_html_(self) -> str:
        return self._html(_SHOWN["text"])

    def write(self, path: str | Path, language: str | None = None) -> Path:
        """Write the findings as one page of HTML that stands alone, in ``"en"`` or ``"zh"``, and return its path."""
        with speaking(spoken() if language is None else language):
            title = escape(say(f"Checks of {self.file}", f"{self.file} 导入前检查"))
            page = (
                f'<!DOCTYPE html><html lang="{say("en", "zh-CN")}"><head><meta charset="utf-8">'
                f'<meta http-equiv="Content-Security-Policy" content="{ALONE}">'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
                f"{self._html(_SHOWN['page'])}</body></html>\n"
            )
        write_text(Path(path), page)
        return Path(path)


def check_sheet(sheet: YearbookSheet, same_as: str = "", known: pd.DataFrame | None = None) -> SheetChecks:
    """Check the figures of a sheet before they are imported (导入前检查); nothing is changed.

    Units of measure, by powers of ten: of the sheet, a year or a unit beside figures that are there, if the median of
    their ratios lies within a factor of 1.4 of one and four of five ratios within a factor of 2 (of a unit, all within
    1.4); and of a year beside the year before. Ranges; figures that differ by more than 1 %; decimal points, jumps and
    interpolation by :mod:`clusterlib.data.audit`; shares that sum to 100 in most units only; a total in the sheet;
    figures given twice, series that are the same; codes of another level or of years without the unit; rounding.

    Parameters
    ----------
    sheet : YearbookSheet
        What :func:`read_yearbook` returns.
    same_as : str
        The shipped indicator of the level that measures the same; the sheet must then be of one indicator.
    known : DataFrame, optional
        Figures imported before, in the unit of the sheet: ``code``, ``year``, ``value``.

    Returns
    -------
    SheetChecks

    Raises
    ------
    InvalidInputError
        For something else than a sheet, several indicators to compare with one, or ``known`` of another form.
    UnknownNameError
        If there is no such shipped indicator.

    Examples
    --------
    >>> import tempfile, pathlib, clusterlib as cl
    >>> path = pathlib.Path(tempfile.mkdtemp(), "gdp.csv")
    >>> _ = path.write_text("地区,2023年,2022年\\n上海市,472186600,448091300\\n江苏省,1282222000,1228756000\\n")
    >>> sheet = cl.data.read_yearbook(path, indicator="gdp", unit="亿元")
    >>> cl.data.check_sheet(sheet, same_as="gdp").findings["reason"].astype(str).tolist()[0]
    'the figures are 10,000 times those shipped as gdp, in 4 of 4 cells: 万元 rather than 亿元?'
    """
    if not isinstance(sheet, YearbookSheet):
        raise InvalidInputError(f"sheet: expected what read_yearbook returns, got a {type(sheet).__name__}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        checking = _Checking(sheet)
        if (same_as or known is not None) and len(checking.series) > 1:
            names = ", ".join(one.indicator for one in checking.series)
            raise InvalidInputError(f"the sheet has the indicators {names}: read it with indicator= to compare one")
        if same_as:
            check_choice(f"{sheet.level} indicator", same_as, indicator_catalogue(sheet.level).index)
            checking.shipped(same_as)
        else:
            nothing = "Not compared with a shipped indicator, since none was named.", "未指定内置指标，未作对照。"
            checking.unchecked.append(Phrase(*nothing))
        if known is not None:
            checking.imported(known)
        checking.ranges(same_as)
        for one in checking.series:
            checking.shifts(one)
            checking.identical(one)
            checking.rounding(one)
        checking.changes()
        checking.parts()
        checking.totals()
        checking.codes()
    return SheetChecks(sheet.path.name, len(checking.facts), checking.findings(), tuple(checking.unchecked))


class _Series(NamedTuple):
    """One indicator, units by all years of its span: figures, and where they stand in the facts or -1."""

    indicator: str
    years: np.ndarray
    x: np.ndarray
    place: np.ndarray
    ends: np.ndarray

    def first(self, column: int) -> int:
        """Return the first fact of a year."""
        return int(self.place[self.place[:, column] >= 0, column][0])


def _power(sizes: np.ndarray, least: int, around: float = _AROUND, most: float = _MOST) -> int:
    """Return the power of ten that ratios, as their logarithms, are all near, or 0."""
    sizes = sizes[np.isfinite(sizes)]
    middle = float(np.median(sizes)) if len(sizes) >= least else 0.0
    k = round(middle)
    return k if abs(middle - k) <= _NEAR and np.mean(np.abs(sizes - k) <= around) >= most else 0


def _times(k: int) -> Phrase:
    size = f"{10 ** abs(k):,}"
    return Phrase(f"{size} times", f"为{size}倍于") if k > 0 else Phrase(f"1/{size} of", f"仅为1/{size}于")


def _named(stated: Unit, k: int) -> str:
    """Return the unit of figures that are ten to the k of what they should be in the stated one, or nothing."""
    if stated.base == "1":
        return {-2: "%", -3: "‰", -4: "‱", 0: "1=100%"}.get(stated.power - k, "")
    return next((prefix + stated.base for prefix, power in _POWERS.items() if power == stated.power - k), "")


def _over(unit: Unit | None, other: Unit | None) -> float:
    """Return how many of the other unit make one, or 1 where that is not known."""
    return 10.0 ** (unit.power - other.power) if unit and other and unit.base == other.base else 1.0


class _Checking:
    """The facts of a sheet in an order that their places do not change, and what was found in them so far."""

    def __init__(self, sheet: YearbookSheet) -> None:
        self.sheet, self.found, self.unchecked = sheet, list[tuple](), list[Phrase]()
        facts = sheet.facts
        keys = facts["code"].astype("string").fillna(facts["name"].astype("string")).astype(object)
        order, by = ["indicator", "key", "year"], ["value", "row", "column"]
        self.facts = facts.assign(key=keys).sort_values([*order, *by], kind="stable").reset_index(drop=True)
        self.value, self.units = self.facts["value"].to_numpy(), self._units(self.facts["unit"])
        # By how many powers of ten a figure is off, where that was found.
        self.power = np.zeros(len(facts), int)
        again = self.facts.duplicated(order)
        for at in np.flatnonzero(again):
            self.add(at, "again")
        once = self.facts[~again]
        columns = zip(*(once[name].tolist() for name in order), strict=True)
        self.place = dict(zip(columns, once.index.tolist(), strict=True))
        self.panel = once.pivot(index=["key", "year"], columns="indicator", values="value")
        self.series = [self._series(str(name), part) for name, part in once.groupby("indicator")]

    @staticmethod
    def _units(texts: pd.Series) -> np.ndarray:
        codes, names = pd.factorize(texts)
        return np.array([read_unit(name) for name in names] or [None], object)[codes]

    @staticmethod
    def _series(name: str, part: pd.DataFrame) -> _Series:
        years = np.arange(part["year"].min(), part["year"].max() + 1)
        rows, units = pd.factorize(part["key"])
        cells, shape = (rows, part["year"].to_numpy() - years[0]), (len(units), len(years))
        x, place = np.full(shape, np.nan), np.full(shape, -1)
        x[cells], place[cells] = part["value"], part.index
        return _Series(name, years, x, place, last_digits(x))

    def add(self, at: int, said: str, expected: float = np.nan, **values: Any) -> None:
        """Note a finding at a fact."""
        check, severity, *texts = _SAID[said]
        told = [
            text.format(
                **{
                    key: getattr(value, language) if isinstance(value, Phrase) else value
                    for key, value in values.items()
                }
            )
            for language, text in zip(("en", "zh"), texts, strict=True)
        ]
        self.found.append((int(at), check, severity, expected, Phrase(*told)))

    def findings(self) -> pd.DataFrame:
        """Return what was found, by check, indicator, unit and year."""
        order = list(CHECKS)
        found = sorted(self.found, key=lambda one: (order.index(one[1]), one[0]))
        frame = self.facts.iloc[[one[0] for one in found]].reset_index(drop=True)
        for k, (name, kind) in enumerate(
            {"check": "str", "severity": "str", "expected": float, "reason": object}.items(), 1
        ):
            frame[name] = pd.Series([one[k] for one in found], dtype=kind)
        return frame[COLUMNS]

    def shipped(self, name: str) -> None:
        """Compare with a shipped indicator."""
        level, row = self.sheet.level, indicator_catalogue(self.sheet.level).loc[name]
        there, own = read_unit(str(row["unit_zh"])), self.units[0]
        if there and own and there.base != own.base and {there.base, own.base} & {"元", "美元", "欧元", "1"}:
            self.add(0, "other", unit=own.text, name=name, there=row["unit_zh"])
            return
        facts = _load(f"{level}_facts")
        facts = facts[facts["indicator"] == name]
        units = facts["economy" if level == "economy" else "adcode"].astype(str)
        places = dict(
            zip(zip(units, facts["year"], strict=True), facts["file"] + ":" + facts["line"].astype(str), strict=True)
        )
        panel = load_panel(level, [name])[name]
        self._compare(panel, there, Phrase(f"shipped as {name}", f"内置指标{name}"), places)

    def imported(self, known: pd.DataFrame) -> None:
        """Compare with figures imported before."""
        check_columns(known, ["year", "value"])
        if "code" not in known:
            raise InvalidInputError("known: expected the columns code, year and value, but there is no code")
        reference = known.set_index(["code", "year"])["value"]
        if reference.index.has_duplicates:
            twice = reference.index[reference.index.duplicated()][0]
            raise InvalidInputError(f"known: {twice[0]} has two figures of {twice[1]}; keep one")
        self._compare(reference, None, Phrase("imported before", "已导入数据"), {})

    def _compare(self, reference: pd.Series, unit: Unit | None, what: Phrase, places: dict[tuple, str]) -> None:
        """Compare with figures that are there: first the size of all, of years and of units, then each."""
        index = [reference.index.get_level_values(0).astype(str), reference.index.get_level_values(1)]
        of = pd.MultiIndex.from_arrays([self.facts["key"], self.facts["year"]])
        there = pd.Series(reference.to_numpy(float), pd.MultiIndex.from_arrays(index)).reindex(of).to_numpy()
        there = there / np.array([_over(own, unit) for own in self.units])
        if not np.isfinite(there).any():
            en, zh = f"No figure {what.en} is of a unit and year of the sheet.", f"{what.zh}没有表中地区和年份的数据。"
            self.unchecked.append(Phrase(en, zh))
            return
        ratio = np.where((self.value > 0) & (there > 0), self.value / there, np.nan)
        sizes, power = np.log10(ratio), np.zeros(len(there), int)
        rules = {"": (3, _AROUND, _MOST), "year": (3, _AROUND, _MOST), "name": (2, _NEAR, 1.0)}
        for column, rule in rules.items():
            groups = self.facts[column].to_numpy() if column else np.zeros(len(there), int)
            open_ = (power == 0) & np.isfinite(sizes)
            for one in pd.unique(groups[open_]):
                cells = np.flatnonzero((groups == one) & open_)
                if k := _power(sizes[cells], *rule):
                    power[(groups == one) & (power == 0)] = k
                    self._scaled(cells, sizes[cells], k, str(one) if column else "", what, unit, there[cells[0]])
        self.power = np.where(self.power == 0, power, self.power)
        expected = there * 10.0**power
        gap = np.where(expected == self.value, 0.0, self.value / expected - 1)
        for at in np.flatnonzero(np.abs(gap) > _DIFFERS):
            where = places.get(of[at], "")
            size = f" ({100 * gap[at]:+.1f} %)" if np.isfinite(gap[at]) else ""
            self.add(
                at, "differs", expected[at], what=what, there=expected[at], size=size, where=where and f", {where}"
            )

    def _scaled(
        self, cells: np.ndarray, sizes: np.ndarray, k: int, group: str, what: Phrase, unit: Unit | None, there: float
    ) -> None:
        of = Phrase(f"the figures of {group}", f"{group}数据") if group else Phrase("the figures", "全部数据")
        stated, ask = self.units[cells[0]] or unit, Phrase("", "")
        if stated and (likely := _named(stated, k)):
            ask = Phrase(f": {likely} rather than {stated.text}?", f"：单位是{likely}而非{stated.text}？")
        agree = int((np.abs(sizes - k) <= _AROUND).sum())
        self.add(cells[0], "scale", there, of=of, times=_times(k), what=what, agree=agree, cells=len(cells), ask=ask)

    def ranges(self, same_as: str) -> None:
        """Find figures beyond the bounds of the catalogue, of shares, and of what is counted."""
        for _, part in self.facts.groupby("indicator"):
            own = part.index.to_numpy()
            unit, x = self.units[own[0]], self.value[own]
            least, most, said, values = -np.inf, np.inf, "", dict[str, str]()
            if same_as:
                row, said, values = indicator_catalogue(self.sheet.level).loc[same_as], "bound", {"name": same_as}
                scale = _over(read_unit(str(row["unit_zh"])), unit)
                bounds = np.array([row["minimum"], row["maximum"]], float) * scale
                least, most = np.where(np.isnan(bounds), [-np.inf, np.inf], bounds)
            elif unit and unit.text == "%":
                least, most, said = 0, 100, "share"
            elif unit and unit.base not in ("1", "元", "美元", "欧元") and not set(unit.base) & set("/=指"):
                least, said = 0, "count"
            out = ((x < least) | (x > most)) & (self.power[own] == 0)
            # What often lies outside is a rate of growth or a balance.
            if same_as or out.mean() <= 0.1:
                for at in own[out]:
                    self.add(at, said, least if self.value[at] < least else most, **values)

    def shifts(self, one: _Series) -> None:
        """Find years whose figures nearly all are a power of ten of those of the year before, or jump together."""
        change = np.diff(np.log10(np.where(one.x > 0, one.x, np.nan)), axis=1)
        count = np.isfinite(change).sum(axis=0)
        middles = np.array([np.nanmedian(c) if n >= 5 else np.nan for c, n in zip(change.T, count, strict=True)])
        usual = np.nanmedian(np.abs(middles)) if np.isfinite(middles).any() else np.nan
        for t in np.flatnonzero(np.isfinite(middles)) + 1:
            both = one.place[np.isfinite(change[:, t - 1]), t - 1 : t + 1]
            k = _power(change[:, t - 1], 5)
            if k and (np.diff(self.power[both], axis=1) == 0).all():
                self.add(one.first(t), "shift", year=one.years[t], times=_times(k))
            elif not k and abs(middles[t - 1]) > max(np.log10(1.6), 5 * usual):
                self.add(one.first(t), "together", year=one.years[t], ratio=10 ** middles[t - 1])

    def changes(self) -> None:
        """Find decimal points that slipped, jumps unlike other changes, and what looks interpolated."""
        slips = {(s.indicator, s.key, s.year): s for s in decimal_slips(self.panel).itertuples()}
        for place, s in slips.items():
            self.add(self.place[place], "decimal", (s.before * s.after) ** 0.5, before=s.before, after=s.after)
        jumps = {(s.indicator, s.key, s.year): s for s in growth_jumps(self.panel, _LIMIT, _SPREAD).itertuples()}
        for (name, unit, year), s in jumps.items():
            first = jumps.get((name, unit, year - 1))
            # The way back is told with the way out.
            back = first is not None and abs(np.log(s.after / first.before)) < abs(np.log(s.ratio)) / 2
            if not back and not {(name, unit, year), (name, unit, year - 1)} & set(slips):
                self.add(self.place[name, unit, year], "jump", ratio=s.ratio, before=s.before)
        for run in interpolated_runs(self.panel).itertuples():
            values = {"first": run.first, "last": run.last, "pace": run.pace, "units": run.units}
            self.add(self.place[run.indicator, run.key, run.first + 1], run.kind, **values)

    def parts(self) -> None:
        """Find units in which shares do not sum that do in most."""
        shares = [one for one in self.series if all(u and u.text == "%" for u in self.units[one.place[one.place >= 0]])]
        if not 2 <= len(shares) <= 10:
            return
        names, groups = [one.indicator for one in shares], list[tuple[int, ...]]()
        x, half = self.panel[names].to_numpy(), np.array([10.0 ** np.nanmin(one.ends) / 2 for one in shares])
        for own in (group for size in range(2, len(shares) + 1) for group in combinations(range(len(shares)), size)):
            sums = x[:, own].sum(axis=1)
            whole, good = np.isfinite(sums), np.abs(sums - 100) <= max(0.1, half[list(own)].sum()) + 1e-9
            if whole.sum() < 5 or good.sum() < _MOST * whole.sum() or any(set(group) < set(own) for group in groups):
                continue
            groups.append(own)
            told: dict[str, Any] = {"good": int(good.sum()), "cells": int(whole.sum())}
            told["names"] = Phrase(*(mark.join(names[k] for k in own) for mark in (" + ", "＋")))
            for row in np.flatnonzero(whole & ~good):
                self.add(self.place[names[own[0]], *self.panel.index[row]], "parts", sums=sums[row], **told)

    def totals(self) -> None:
        """Compare the sum of the units with the total that stands in the sheet."""
        totals: dict[tuple[str, int], list[Fact]] = {}
        for left in self.sheet.understood.left_out:
            for fact in left.facts if _WHOLE.fullmatch(clean_name(left.name)) else ():
                totals.setdefault((fact.indicator, fact.year), []).append(fact)
        for one in self.series:
            compared = []
            for t, year in enumerate(one.years):
                found, own = totals.get((one.indicator, int(year)), []), one.place[one.place[:, t] >= 0, t]
                unit = read_unit(found[0].unit) if found else None
                # Shares and ratios have no sum, and of several totals none is known to be that of all units.
                if len(found) == 1 and len(own) and unit and unit.base != "1" and not set(unit.base) & set("/=指"):
                    compared.append((found[0], own, self.value[own].sum()))
            agree = [abs(sums - fact.value) <= _DIFFERS * abs(fact.value) for fact, _, sums in compared]
            for (fact, own, sums), good in zip(compared, agree, strict=True):
                # Units that are not all of them sum to less.
                if not good and (
                    sums > fact.value or np.mean(agree) >= 0.5 or self._are_all(set(self.facts["key"].iloc[own]))
                ):
                    told = {"name": fact.name, "row": fact.row, "total": fact.value, "year": fact.year}
                    self.add(own[0], "total", units=len(own), sums=sums, **told)

    def _are_all(self, keys: set[str]) -> bool:
        """Whether units are all provinces of the mainland, or all cities of their provinces."""
        if self.sheet.level != "city":
            return self.sheet.level == "province" and len(keys) >= 31
        return keys >= {c for c in load_units("city").index.astype(str) if c[:2] in {key[:2] for key in keys}}

    def identical(self, one: _Series) -> None:
        """Find units with the same series, and years with the same figures."""
        # What hardly ever changes, such as an area, is the same every year.
        still = one.x.shape[1] > 1 and np.mean(np.diff(one.x, axis=1)[np.isfinite(np.diff(one.x, axis=1))] == 0) > 0.5
        smallest = 10.0 ** np.nanmin(one.ends) if np.isfinite(one.ends).any() else 1.0
        for x, place, said in ((one.x, one.place, "twin"), (one.x.T, one.place.T, "copy")):
            first: dict[bytes, int] = {}
            for k, row in enumerate(x):
                have = np.isfinite(row)
                # How many digits must agree: of the first figure, and of the steps to the others.
                steps = np.abs(np.diff(row[have], prepend=0)) / smallest
                if len(np.unique(row[have])) < 3 or np.log10(1 + steps).sum() < 3 + 2 * np.log10(len(x)):
                    continue
                j = first.setdefault(np.nan_to_num(row, nan=-1e300).tobytes(), k)
                if j < k and not (still and said == "copy"):
                    at, other = place[k][have][0], self.facts.iloc[place[j][have][0]]
                    self.add(
                        at,
                        said,
                        cells=int(have.sum()),
                        name=other["name"],
                        year=self.facts["year"][at],
                        before=other["year"],
                    )

    def rounding(self, one: _Series) -> None:
        """Find years whose figures all end at a coarser digit than those of most years."""
        enough = np.flatnonzero(np.isfinite(one.ends).sum(axis=0) >= 8)
        if len(enough) < 3:
            return
        last = np.nanquantile(one.ends[:, enough], 0.1, axis=0, method="lower")
        usual = np.quantile(last, 0.5, method="lower")
        # Quotients have as many digits as fit.
        if usual > -8 and (last > usual).any():
            t, years = enough[last > usual], ", ".join(map(str, one.years[enough[last > usual]]))
            self.add(one.first(t[0]), "rounding", years=years, last=10.0 ** last[last > usual].min(), usual=10.0**usual)

    def codes(self) -> None:
        """Find codes of another level, and years at the end of which a unit did not stand."""
        level, told = self.sheet.level, self.facts[self.facts["code"].notna()]
        first = told.drop_duplicates("key")
        if level == "economy":
            for at, code in first["code"][~first["code"].isin(load_units("economy").index)].items():
                self.add(at, "economy", code=code)
            return
        crosswalk = _crosswalk(str(get_project().root), read_manifest()["built_at"])
        begin = min(spell.first for spell in crosswalk.spells)
        years = told.groupby("key")["year"].unique()
        for at, code in first["key"].items():
            spells = [k for k in crosswalk.at.get(code, []) if crosswalk.fits(k, level)]
            if not spells:
                self.add(at, "level", level=level, code=code)
                continue
            asked = {year: min(max(int(year), begin), crosswalk.latest) for year in sorted(years[code])}
            lacking = [y for y, then in asked.items() if all(crosswalk.in_year(k, then) is None for k in spells)]
            if lacking:
                one = told[(told["key"] == code) & (told["year"] == lacking[0])].index[0]
                self.add(one, "stood", years=str(lacking[0]) if len(lacking) == 1 else f"{lacking[0]}-{lacking[-1]}")

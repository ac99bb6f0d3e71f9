"""What is doubtful in the figures of a sheet: told before they are imported, never changed (导入前检查)."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_columns
from clusterlib.core.language import Phrase
from clusterlib.data._crosswalk import _crosswalk
from clusterlib.data._load import _load, indicator_catalogue, load_panel, load_units
from clusterlib.data._processed import read_manifest
from clusterlib.data._sheet_findings import CHECKS, SheetChecks
from clusterlib.data._sheets import YearbookSheet
from clusterlib.data._sheets._cells import _POWERS, Unit, read_unit
from clusterlib.data._sheets._names import clean_name
from clusterlib.data.audit import decimal_slips, growth_jumps, interpolated_runs, last_digits
from clusterlib.errors import InvalidInputError
from clusterlib.paths import get_project

if TYPE_CHECKING:
    from clusterlib.data._sheets._layout import Fact

_COLUMNS = "check severity indicator code name year value expected sheet row column reason".split()
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
    "jump": ("jump", "warning", "{ratio:.3g} times {before:.10g} the year before", "上年{before:.10g}的{ratio:.3g}倍"),
    "together": ("jump", "warning", "most figures of {year} change at once, the median to {ratio:.2f} times: has the "
                 "definition changed?", "{year}年多数地区同时跳变，中位数为上年的{ratio:.2f}倍：口径是否改变？"),
    "parts": ("parts", "warning", "{names} sum to {sums:.10g}; to 100 in {good} of {cells} cases",
              "{names}合计{sums:.10g}；{cells}例中有{good}例为100"),
    "total": ("total", "warning", "the {units} units sum to {sums:.10g} in {year}; {name} in row {row} is {total:.10g}",
              "{year}年{units}个地区合计{sums:.10g}；第{row}行{name}为{total:.10g}"),
    "twin": ("identical", "error", "all {cells} figures are those of {name}", "{cells}个数据与{name}完全相同"),
    "copy": ("identical", "error", "all {cells} figures of {year} are those of {before}",
             "{year}年{cells}个数据与{before}年完全相同"),
    "level": ("code", "error", "no {level} has had the code {code}", "代码{code}不属于本层级"),
    "stood": ("code", "warning", "did not stand at the end of {years}", "{years}年末未设立"),
    "same": ("interpolated", "warning", "the same figure {first}-{last}", "{first}—{last}年数值不变"),
    "step": ("interpolated", "warning", "equal steps of {pace:.4g} {first}-{last}", "{first}—{last}年等差{pace:.4g}"),
    "growth": ("interpolated", "warning", "equal growth of {pace:.3g} % a year {first}-{last}",
               "{first}—{last}年逐年等比增长{pace:.3g}%"),
    "midpoint": ("interpolated", "warning", "midway between the years beside it, as {units} units in this year",
                 "恰为前后两年的均值，本年共有{units}个地区如此"),
    "geometric midpoint": ("interpolated", "warning", "the geometric mean of the years beside it, as {units} units in "
                           "this year", "恰为前后两年的几何平均值，本年共有{units}个地区如此"),
}  # fmt: skip
# A vintage differs by less: the median ratio lies within a factor of 1.4 of a power of ten, most within a factor of 2.
_NEAR, _AROUND, _MOST = 0.15, 0.3, 0.8
_DIFFERS = 0.01
# A jump is beyond a fifth, and beyond eight robust standard deviations of the sheet's own changes.
_LIMIT, _SPREAD = 0.2, 8.0
_WHOLE = re.compile("(全[国省区市]|中国|国家)(总?计|合计)?|[总合]计|(national )?total|china|nation(al)?", re.IGNORECASE)


def check_sheet(sheet: YearbookSheet, same_as: str = "", known: pd.DataFrame | None = None) -> SheetChecks:
    """Check the figures of a sheet before they are imported (导入前检查); nothing is changed.

    Units of measure, by powers of ten: of the sheet, a year or a unit beside figures that are there, if the median of
    their ratios lies within a factor of 1.4 of one and four of five ratios within a factor of 2 (of a unit, all within
    1.4); and of a year beside the year before. Ranges; figures that differ by more than 1 %; decimal points, jumps and
    interpolation by :mod:`clusterlib.data.audit`; shares that sum to 100 in most units only; a total in the sheet;
    figures given twice, series that are the same; codes of another level or of years without the unit.

    In sound random walks jumps and interpolation are found in 0 to 2 % of sheets; where changes have heavy tails, jumps
    in most large ones (``benchmarks/monte_carlo_interpolation.py``).

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
            en, zh = "Not compared with a shipped indicator, since none was named.", "未指定内置指标，未作对照。"
            checking.unchecked.append(Phrase(en, zh))
        if known is not None:
            checking.imported(known)
        for one in checking.series:
            checking.ranges(one, same_as)
            checking.shifts(one)
            checking.identical(one)
            checking.totals(one)
        checking.changes()
        checking.parts()
        checking.codes()
    return SheetChecks(sheet.path.name, len(checking.facts), checking.findings(), tuple(checking.unchecked))


class _Finding(NamedTuple):
    at: int
    check: str
    severity: str
    expected: float
    reason: Phrase


class _Series(NamedTuple):
    """One indicator, units by all years of its span: figures, where they stand in the facts or -1, the last digit."""

    indicator: str
    years: list[int]
    x: np.ndarray
    place: np.ndarray
    digit: float


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


def _adds_up(unit: Unit | None) -> bool:
    """Whether figures of a unit have a sum: no shares, ratios or index numbers."""
    return unit is not None and unit.base != "1" and not set(unit.base) & set("/=指")


class _Checking:
    """The facts of a sheet in an order that their places do not change, and what was found in them so far."""

    def __init__(self, sheet: YearbookSheet) -> None:
        self.sheet, self.found, self.unchecked = sheet, list[_Finding](), list[Phrase]()
        keys = sheet.facts["code"].astype("string").fillna(sheet.facts["name"].astype("string")).astype(object)
        order = ["indicator", "key", "year"]
        facts = sheet.facts.assign(key=keys).sort_values([*order, "value", "row", "column"], kind="stable")
        self.facts = facts = facts.reset_index(drop=True)
        self.indicator, self.key, self.year = (facts[name].tolist() for name in order)
        self.value, self.name = facts["value"].to_numpy(float), facts["name"].tolist()
        known = {text: read_unit(text) for text in facts["unit"].unique()}
        self.units: list[Unit | None] = [known[text] for text in facts["unit"].tolist()]
        # By how many powers of ten a figure is off, where that was found.
        self.power = np.zeros(len(facts), int)
        self.place: dict[tuple[str, str, int], int] = {}
        for at, cell in enumerate(zip(self.indicator, self.key, self.year, strict=True)):
            if self.place.setdefault(cell, at) != at:
                self.add(at, "again")
        once = facts.iloc[list(self.place.values())]
        self.panel = once.pivot(index=["key", "year"], columns="indicator", values="value")
        self.series = [self._series(str(name), part) for name, part in once.groupby("indicator")]

    @staticmethod
    def _series(name: str, part: pd.DataFrame) -> _Series:
        year = part["year"].to_numpy(int)
        rows, units = pd.factorize(part["key"])
        cells, shape = (rows, year - year.min()), (len(units), int(np.ptp(year)) + 1)
        x, place = np.full(shape, np.nan), np.full(shape, -1)
        x[cells], place[cells] = part["value"].to_numpy(float), part.index.to_numpy(int)
        ends = last_digits(x)
        digit = 10.0 ** float(np.nanmin(ends)) if np.isfinite(ends).any() else 1.0
        return _Series(name, list(range(year.min(), year.max() + 1)), x, place, digit)

    def add(self, at: int, said: str, expected: float = np.nan, **values: Any) -> None:
        """Note a finding at a fact."""
        check, severity, en, zh = _SAID[said]
        english, chinese = ({k: getattr(v, language, v) for k, v in values.items()} for language in ("en", "zh"))
        self.found.append(_Finding(at, check, severity, expected, Phrase(en.format(**english), zh.format(**chinese))))

    def findings(self) -> pd.DataFrame:
        """Return what was found, by check, indicator, unit and year."""
        order = list(CHECKS)
        found = sorted(self.found, key=lambda one: (order.index(one.check), one.at))
        frame = self.facts.iloc[[one.at for one in found]].reset_index(drop=True)
        for name, kind in {"check": "str", "severity": "str", "expected": "float", "reason": "object"}.items():
            frame[name] = pd.Series([getattr(one, name) for one in found], dtype=kind)
        return frame[_COLUMNS]

    def shipped(self, name: str) -> None:
        """Compare with a shipped indicator."""
        level, row = self.sheet.level, indicator_catalogue(self.sheet.level).loc[name]
        there, own = read_unit(str(row["unit_zh"])), self.units[0]
        if there and own and there.base != own.base and {there.base, own.base} & {"元", "美元", "欧元", "1"}:
            self.add(0, "other", unit=own.text, name=name, there=row["unit_zh"])
            return
        facts = _load(f"{level}_facts")
        facts = facts[facts["indicator"] == name]
        columns = ("economy" if level == "economy" else "adcode", "year", "file", "line")
        lines = zip(*(facts[column].tolist() for column in columns), strict=True)
        places = {(str(unit), year): f", {file}:{line}" for unit, year, file, line in lines}
        self._compare(load_panel(level, [name])[name], there, Phrase(f"shipped as {name}", f"内置指标{name}"), places)

    def imported(self, known: pd.DataFrame) -> None:
        """Compare with figures imported before."""
        check_columns(known, ["year", "value"])
        if "code" not in known:
            raise InvalidInputError("known: expected the columns code, year and value, but there is no code")
        reference = known.set_index(["code", "year"])["value"]
        if reference.index.has_duplicates:
            twice = reference.index[reference.index.duplicated()].tolist()[0]
            raise InvalidInputError(f"known: {twice[0]} has two figures of {twice[1]}; keep one")
        self._compare(reference, None, Phrase("imported before", "已导入数据"), {})

    def _compare(
        self, reference: pd.Series, unit: Unit | None, what: Phrase, places: dict[tuple[str, int], str]
    ) -> None:
        """Compare with figures that are there: first the size of all, of years and of units, then each."""
        known = {(str(code), year): x for (code, year), x in zip(reference.index, reference.tolist(), strict=True)}
        there = np.array([known.get(cell, np.nan) for cell in zip(self.key, self.year, strict=True)], float)
        there /= np.array([_over(own, unit) for own in self.units])
        if not np.isfinite(there).any():
            en, zh = f"No figure {what.en} is of a unit and year of the sheet.", f"{what.zh}没有表中地区和年份的数据。"
            self.unchecked.append(Phrase(en, zh))
            return
        sizes = np.log10(np.where((self.value > 0) & (there > 0), self.value / there, np.nan))
        power = np.zeros(len(there), int)
        groups = {
            "": (np.zeros(len(there), int), Phrase("the figures", "全部数据"), 3, _AROUND, _MOST),
            "year": (self.facts["year"].to_numpy(int), Phrase("the figures of {}", "{}年数据"), 3, _AROUND, _MOST),
            "name": (pd.factorize(self.facts["name"])[0], Phrase("the figures of {}", "{}数据"), 2, _NEAR, 1.0),
        }
        for column, (group, of, *rule) in groups.items():
            rest = (power == 0) & np.isfinite(sizes)
            for one in np.unique(group[rest]):
                cells = np.flatnonzero((group == one) & rest)
                if k := _power(sizes[cells], *rule):
                    power[(group == one) & (power == 0)] = k
                    at, name = int(cells[0]), self.facts[column].iloc[cells[0]] if column else ""
                    stated, ask = self.units[at] or unit, Phrase("", "")
                    if stated and (likely := _named(stated, k)):
                        ask = Phrase(f": {likely} rather than {stated.text}?", f"：单位是{likely}而非{stated.text}？")
                    told = {"cells": len(cells), "agree": int((np.abs(sizes[cells] - k) <= _AROUND).sum())}
                    of_name = Phrase(of.en.format(name), of.zh.format(name))
                    self.add(at, "scale", float(there[at]), of=of_name, times=_times(k), what=what, ask=ask, **told)
        self.power = np.where(self.power == 0, power, self.power)
        expected = there * 10.0**power
        gap = np.where(expected == self.value, 0.0, self.value / expected - 1)
        for at in np.flatnonzero(np.abs(gap) > _DIFFERS).tolist():
            size = f" ({100 * gap[at]:+.1f} %)" if np.isfinite(gap[at]) else ""
            told = {"there": expected[at], "size": size, "where": places.get((self.key[at], self.year[at]), "")}
            self.add(at, "differs", float(expected[at]), what=what, **told)

    def ranges(self, one: _Series, same_as: str) -> None:
        """Find figures beyond the bounds of the catalogue, of shares, and of what is counted."""
        own, least, most, said = np.sort(one.place[one.place >= 0]), -np.inf, np.inf, ""
        unit, x = self.units[int(own[0])], self.value[own]
        if same_as:
            row, said = indicator_catalogue(self.sheet.level).loc[same_as], "bound"
            scale = _over(read_unit(str(row["unit_zh"])), unit)
            bounds = np.array([row["minimum"], row["maximum"]], float) * scale
            least, most = np.where(np.isnan(bounds), [-np.inf, np.inf], bounds).tolist()
        elif unit and unit.text == "%":
            least, most, said = 0.0, 100.0, "share"
        elif _adds_up(unit) and unit and unit.base not in ("元", "美元", "欧元"):
            least, said = 0.0, "count"
        out = ((x < least) | (x > most)) & (self.power[own] == 0)
        # What often lies outside is a rate of growth or a balance.
        if same_as or out.mean() <= 0.1:
            for at in own[out].tolist():
                self.add(at, said, least if self.value[at] < least else most, name=same_as)

    def shifts(self, one: _Series) -> None:
        """Find years whose figures nearly all are a power of ten of those of the year before, or jump together."""
        change = np.diff(np.log10(np.where(one.x > 0, one.x, np.nan)), axis=1)
        enough = np.flatnonzero(np.isfinite(change).sum(axis=0) >= 5).tolist()
        middles = {t: float(np.nanmedian(change[:, t])) for t in enough}
        usual = float(np.median(np.abs(list(middles.values())))) if middles else 0.0
        for t, middle in middles.items():
            both = one.place[np.isfinite(change[:, t]), t : t + 2]
            first, year, k = int(both[0, 1]), one.years[t + 1], _power(change[:, t], 5)
            if k and not np.diff(self.power[both]).any():
                self.add(first, "shift", year=year, times=_times(k))
            elif not k and abs(middle) > max(np.log10(1.6), 5 * usual):
                self.add(first, "together", year=year, ratio=10**middle)

    def changes(self) -> None:
        """Find decimal points that slipped, jumps unlike other changes, and what looks interpolated."""

        def found(table: pd.DataFrame, year: str = "year") -> dict[tuple[str, str, int], dict[Any, Any]]:
            return {(one["indicator"], one["key"], int(one[year])): one for one in table.to_dict("records")}

        slips, jumps = found(decimal_slips(self.panel)), found(growth_jumps(self.panel, _LIMIT, _SPREAD))
        for cell, one in slips.items():
            self.add(self.place[cell], "decimal", (one["before"] * one["after"]) ** 0.5, **one)
        for (name, key, year), one in jumps.items():
            first = jumps.get((name, key, year - 1))
            # The way back is told with the way out.
            back = first and abs(np.log(one["after"] / first["before"])) < abs(np.log(one["ratio"])) / 2
            if not back and not {(name, key, year), (name, key, year - 1)} & set(slips):
                self.add(self.place[name, key, year], "jump", **one)
        for (name, key, year), one in found(interpolated_runs(self.panel), "first").items():
            self.add(self.place[name, key, year + 1], one["kind"], **one)

    def parts(self) -> None:
        """Find units in which shares do not sum that do in most."""
        of_percent = {self.indicator[at] for at, unit in enumerate(self.units) if unit and unit.text == "%"}
        shares, groups = [one for one in self.series if one.indicator in of_percent], list[set[int]]()
        if not 2 <= len(shares) <= 10:
            return
        names = [one.indicator for one in shares]
        x, digits = self.panel[names].to_numpy(float), np.array([one.digit for one in shares])
        for own in (group for size in range(2, len(shares) + 1) for group in combinations(range(len(shares)), size)):
            sums = x[:, own].sum(axis=1)
            whole, good = np.isfinite(sums), np.abs(sums - 100) <= max(0.1, digits[list(own)].sum() / 2) + 1e-9
            if whole.sum() < 5 or good.sum() < _MOST * whole.sum() or any(group < set(own) for group in groups):
                continue
            groups.append(set(own))
            of = Phrase(*(mark.join(names[k] for k in own) for mark in (" + ", "＋")))
            for row in np.flatnonzero(whole & ~good).tolist():
                key, year = self.panel.index.tolist()[row]
                told = {"names": of, "sums": sums[row], "good": int(good.sum()), "cells": int(whole.sum())}
                self.add(self.place[names[own[0]], key, year], "parts", **told)

    def totals(self, one: _Series) -> None:
        """Compare the sum of the units with the total that stands in the sheet."""
        totals: dict[int, list[Fact]] = {}
        for left in self.sheet.understood.left_out:
            for fact in left.facts if _WHOLE.fullmatch(clean_name(left.name)) else ():
                if fact.indicator == one.indicator and fact.year in one.years and _adds_up(read_unit(fact.unit)):
                    totals.setdefault(fact.year, []).append(fact)
        sums = dict(zip(one.years, np.nansum(one.x, axis=0).tolist(), strict=True))
        # Of several totals none is known to be that of all units.
        single = [found[0] for found in totals.values() if len(found) == 1]
        wrong = [fact for fact in single if abs(sums[fact.year] - fact.value) > _DIFFERS * abs(fact.value)]
        for fact in wrong:
            own = one.place[:, one.years.index(fact.year)]
            own = own[own >= 0]
            whole = self.sheet.level == "province" and len(own) >= 31
            # Units that are not all of them sum to less.
            if len(own) and (sums[fact.year] > fact.value or 2 * len(wrong) <= len(single) or whole):
                told = {"name": fact.name, "row": fact.row, "total": fact.value, "year": fact.year}
                self.add(int(own[0]), "total", units=len(own), sums=sums[fact.year], **told)

    def identical(self, one: _Series) -> None:
        """Find units with the same series, and years with the same figures."""
        change = np.diff(one.x, axis=1)
        # What hardly ever changes, such as an area, is the same every year.
        still = (change == 0).sum() > 0.5 * np.isfinite(change).sum()
        for x, place, said in ((one.x, one.place, "twin"), (one.x.T, one.place.T, "copy")):
            first: dict[bytes, int] = {}
            for k, row in enumerate(np.nan_to_num(x, nan=-1e300)):
                have, j = np.isfinite(x[k]), first.setdefault(row.tobytes(), k)
                if j == k or (still and said == "copy") or len(np.unique(row[have])) < 3:
                    continue
                at, other = int(place[k][have][0]), int(place[j][have][0])
                # How many digits must agree: of the first figure, and of the steps to the others.
                steps = np.abs(np.diff(row[have], prepend=0)) / one.digit
                if np.log10(1 + steps).sum() >= 3 + 2 * np.log10(len(x)):
                    told = {"name": self.name[other], "year": self.year[at], "before": self.year[other]}
                    self.add(at, said, cells=int(have.sum()), **told)

    def codes(self) -> None:
        """Find codes of another level, and years at the end of which a unit did not stand."""
        level, years = self.sheet.level, dict[str, dict[int, int]]()
        for at in np.flatnonzero(self.facts["code"].notna()).tolist():
            years.setdefault(self.key[at], {}).setdefault(self.year[at], at)
        if level == "economy":
            for code in set(years) - set(load_units("economy").index):
                self.add(min(years[code].values()), "level", level=level, code=code)
            return
        crosswalk = _crosswalk(str(get_project().root), read_manifest()["built_at"])
        begin = min(spell.first for spell in crosswalk.spells)
        for code, places in years.items():
            spells = [k for k in crosswalk.at.get(code, []) if crosswalk.fits(k, level)]
            asked = {year: min(max(year, begin), crosswalk.latest) for year in sorted(places)}
            lacking = [y for y, then in asked.items() if all(crosswalk.in_year(k, then) is None for k in spells)]
            if not spells:
                self.add(min(places.values()), "level", level=level, code=code)
            elif lacking:
                span = str(lacking[0]) if len(lacking) == 1 else f"{lacking[0]}-{lacking[-1]}"
                self.add(places[lacking[0]], "stood", years=span)

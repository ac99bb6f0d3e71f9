"""Where in a grid the units, years, indicators and units of measure stand, and the facts that follow."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from clusterlib.core.language import Phrase
from clusterlib.data._sheets import _names
from clusterlib.data._sheets._cells import (
    CHINESE,
    Label,
    Number,
    Unit,
    plain,
    read_label,
    read_number,
    read_unit,
    read_year,
)
from clusterlib.data._sheets._grid import Grid
from clusterlib.errors import Problem, SheetError

_HEADS = {
    "region": "地区 省份 省 省市 省市区 城市 市 县 县市 县级市 地级市 名称 区域 地域 行政区 行政区划 省份名称 城市名称 "
    "地区名称 region province city county name area prefecture name_zh name_en unit_name economy country",
    "code": "代码 行政区划代码 区划代码 行政代码 地区代码 省份代码 城市代码 code adcode gbcode regioncode citycode "
    "provincecode id",
    "year": "年份 年 年度 时间 year time yr 统计年度 统计年份",
    "indicator": "指标 指标名称 变量 项目 indicator variable series item",
    "unit": "单位 计量单位 unit units",
    "order": "序号 编号 no no. number rank 排名 位次",
}
_ROLES = {head: role for role, heads in _HEADS.items() for head in heads.split()}
_VALUES = frozenset("value 值 数值 数据 数 数据值 obs_value figure 没有单位".split())
_KEY = re.compile(
    r"(数据库|指标|时间|地区|单位|计量单位|Database|Indicator|Time|Region|Unit)\s*[:：]\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_KEYS = {
    "database": "数据库",
    "indicator": "指标",
    "time": "时间",
    "region": "地区",
    "unit": "单位",
    "计量单位": "单位",
}
_FIGURE = re.compile(r"[+-]?(?!\d{6}(?:0{6})?(?:\.0)?$)\d*\.?\d*(?:e[+-]?\d+)?", re.ASCII)
_NOTE = re.compile(
    r"\s*[(\[]?(注|附注|备注|说明|数据来源|资料来源|来源|本表|[①-⑳*]|notes?\b|sources?\b|data sources?\b|a\))",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(续?表|table)?\s*\d+([-–—.]\d+)+\s*|(续?表|table)\s*\d+\s*|续表\s*", re.IGNORECASE)
# What heads a group of rows: 地级市, 其中：, 直辖市.
_GROUP_HEAD = re.compile(
    r"(?:\(?[一二三四五六七八九十]+[)、. ]+)?(?:其中|按.{1,6}分|.{0,8}(?:地区|区域|[市县区省州盟旗])(?:合计|小计)?):?"
)


@dataclass(frozen=True)
class Fact:
    """One figure and where it stood."""

    name: str
    code: object
    year: int
    indicator: str
    value: float
    unit: str
    note: str
    row: int
    column: str


@dataclass(frozen=True)
class LeftOut:
    """A row or column of which nothing was read, and why."""

    row: int
    column: str
    name: str
    reason: Phrase


@dataclass
class _Column:
    """A column of figures: what its head says."""

    words: str
    year: int | None
    unit: Unit | None


@dataclass
class Reading:
    """The reading of one grid: what was asked, and what was found so far."""

    grid: Grid
    level: str | None = None
    indicator: str | None = None
    unit: str | None = None
    year: int | None = None
    facts: list[Fact] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)
    said: dict[str, Phrase] = field(default_factory=dict)
    _fatal: list[Problem] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)
    _titles: list[str] = field(default_factory=list)
    _codes: dict[str, object] = field(default_factory=dict)
    _known: dict[str, dict[str, _names.Found]] = field(default_factory=dict)
    _found: dict[tuple[str, str], _names.Found] = field(default_factory=dict)
    _within: dict[int, int] = field(default_factory=dict)
    _between: list[tuple[int, str]] = field(default_factory=list)
    _clean: dict[Any, str] = field(default_factory=dict)
    _units: dict[str, Phrase] = field(default_factory=dict)
    _missing: Counter = field(default_factory=Counter)

    def stop(self, row: int | None, column: int | None, reason: str) -> None:
        """Note what makes the sheet ambiguous."""
        self._fatal.append(self.grid.problem(row, column, reason))

    def check(self) -> None:
        """Raise what makes the sheet ambiguous, with the other problems found until then."""
        if self._fatal:
            raise SheetError([*self._fatal, *self.problems])

    def leave(self, row: int | None, column: int | None, name: object, en: str, zh: str) -> None:
        """Note a row or a column that is left out."""
        self.left_out.append(LeftOut(*self.grid.place(row, column), plain(name), Phrase(en, zh)))

    def read(self) -> None:
        """Read the grid; raises SheetError if it is ambiguous or holds no figure."""
        cells = [cell for row in self.grid.cells for cell in row if isinstance(cell, (str, int, float))]
        cells += [found[2] for cell in cells if isinstance(cell, str) and (found := _KEY.match(plain(cell)))]
        # Most cells are figures, of which few may be codes.
        words = {cell for cell in cells if len(text := str(cell)) < 60 and not _FIGURE.fullmatch(text)}
        self._clean = {word: _names.clean_name(word) for word in words}
        levels = [*_names.LEVELS, *([self.level] if self.level == "economy" else [])]
        named = sorted(set(self._clean.values()))
        for level in levels:
            found = zip(named, _names.find(named, level), strict=True)
            self._known[level] = {name: one for name, one in found if one.rank}
        self._take_lines()
        self._find_level()
        self._turn()
        self._find_columns()
        self.check()
        self._read_heads()
        self.check()
        self._resolve()
        self._read_rows()
        self._check_blocks()
        self._check_repeated()
        if not self.facts and not self._fatal:
            self.stop(None, None, "no figure was found: see the other problems, or say level=, indicator= or years=")
        self.check()

    # Lines above and below the table.

    def _take_lines(self) -> None:
        spans = {(top, left): right - left for top, left, _, right in self.grid.merged}
        begun = False
        rows = [list(row) for row in self.grid.cells]
        for number, row in enumerate(rows):
            filled = [(column, cell) for column, cell in enumerate(row) if cell is not None]
            texts = [plain(cell) for _, cell in filled]
            written = [" ".join(str(cell).split()) for _, cell in filled]
            if not filled:
                continue
            line = all(read_number(cell).value is None for _, cell in filled) and all(
                _KEY.match(text) or _NUMBERED.match(text) or _NOTE.match(text) for text in texts
            )
            alone = len(filled) == 1 and (filled[0][0] == 0 or spans.get((number, filled[0][0]), 0) >= 3)
            alone = alone and isinstance(filled[0][1], str) and read_number(filled[0][1]).value is None
            dated = len(filled) == 1 and re.fullmatch(r"\(\d{4}年?\)", texts[0])
            if len(row) == 1 or not (line or alone or dated):
                begun = begun or len(filled) > 1
                continue
            known = _names.is_group(texts[0]) or any(_names.clean_name(texts[0]) in of for of in self._known.values())
            if alone and not line and known:
                self.leave(number, None, texts[0], "a heading without figures", "只有名称、没有数据的标题行")
            elif not begun:
                for text, note in zip(texts, written, strict=True):
                    if found := _KEY.match(text):
                        key = found[1].lower()
                        self._keys[_KEYS.get(key, key)] = found[2].strip()
                    elif _NOTE.match(text):
                        self.footnotes.append(note)
                    else:
                        self._titles.append(text)
            elif all(_NOTE.match(text) for text in texts):
                self.footnotes += written
            else:
                self._between.append((number, " ".join(texts)))
            rows[number] = [None] * len(row)
        self.grid = replace(self.grid, cells=rows)

    # Which way round the table stands.

    def _find_level(self) -> None:
        lines: dict[tuple[str, int], set[str]] = defaultdict(set)
        for r, row in enumerate(self.grid.cells):
            for c, cell in enumerate(row):
                name = self._clean.get(cell, "") if cell is not None else ""
                if any(name in known for known in self._known.values()):
                    lines["row", r].add(name)
                    lines["column", c].add(name)
        place = _names.clean_name(self._keys.get("地区", ""))
        lines = lines or {("place", 0): {place}}
        asked = self.level is not None
        # A name of a unit of today says more than the same one of a unit of another level that is no more.
        highest: dict[str, int] = {}
        for name, one in (pair for known in self._known.values() for pair in known.items()):
            highest[name] = max(highest.get(name, 0), one.rank)
        levels = [self.level] if self.level else list(_names.LEVELS)
        meant = {
            level: {n: one.code or n for n, one in self._known[level].items() if asked or one.rank == highest[n]}
            for level in levels
        }
        best: dict[str, tuple[int, set[str]]] = {}
        for level, codes in meant.items():
            counts = [(len({codes[name] for name in names & codes.keys()}), names) for names in lines.values()]
            best[level] = max(counts, key=lambda counted: counted[0])
        most = max(count for count, _ in best.values())
        self.level = next(level for level, (count, _) in best.items() if count == most)
        names = best[self.level][1]
        own = {name: code for name, code in meant[self.level].items() if name in names}
        rivals = set[str]()
        for level, codes in meant.items():
            count, there = best[level]
            strays = names & codes.keys() - own.keys()
            shared = any(codes.get(name, code) != code for name, code in own.items())
            tied = count == most and {name: code for name, code in codes.items() if name in there} != own
            if tied or (strays and (shared or len(strays) > len(names) / 4)):
                rivals.add(level)
        if most and rivals:
            listed = " or ".join(level for level in _names.LEVELS if level in {self.level, *rivals})
            self.stop(None, None, f"the names are those of more than one level: say level= {listed}")
        self.check()
        self._codes = {name: one.code or name for name, one in self._known[self.level].items()}
        why = Phrase("as asked", "按要求") if asked else Phrase(f"by {most} names", f"据 {most} 个地区名判断")
        self.said["level"] = Phrase(f"{self.level} ({why.en})", f"{self.level}（{why.zh}）")

    def _resolve(self) -> None:
        """Find the units by the latest year of the sheet, and the place that a column before theirs gives."""
        assert self.level is not None
        higher = _names.LEVELS[: _names.LEVELS.index(self.level)] if self.level in _names.LEVELS else ()
        rows = self.grid.cells[self._start :]
        for k, region in enumerate(self._regions):
            for c in range(self._regions[k - 1] + 1 if k else 0, region):
                filled = {self._clean.get(row[c], "") for row in rows if row[c] is not None}
                known = {name for name in filled if any(name in self._known[level] for level in higher)}
                if known and c != self._code_column and all(name in known or _names.is_group(name) for name in filled):
                    self._within[region] = c
        years = {column.year for column in self._columns.values()} | {self._year}
        asked = set[tuple[str, str]]()
        for region in self._regions:
            place = ""
            for row in rows:
                place = self._place_of(row, region, place)
                asked.add((_names.clean_name(row[region]), place))
        for row in rows:
            if self._code_column is not None:
                asked.add((self._clean.get(row[self._code_column], ""), ""))
            if (column := self._by_role["year"]) is not None:
                years.add(read_year(row[column]))
        if self._place is not None:
            asked.add((_names.clean_name(self._place), ""))
        keys, latest = sorted(asked), max((year for year in years if year is not None), default=None)
        found = _names.find([name for name, _ in keys], self.level, latest, [place for _, place in keys])
        self._found = dict(zip(keys, found, strict=True))

    def _place_of(self, row: list[Any], region: int | None, before: str) -> str:
        """Return what the column before the units says that they lie in; it is written once for several rows."""
        cell = row[self._within[region]] if region in self._within else None
        return before if cell is None else "" if _names.is_group(cell) else self._clean.get(cell, "")

    def _hits(self, cells: list[Any]) -> int:
        return len({code for cell in cells if isinstance(cell, str) and (code := self._code(cell)) is not None})

    def _code(self, cell: Any) -> object:
        return self._codes.get(self._clean.get(cell, ""))

    def _turn(self) -> None:
        down = max((self._hits(list(column)) for column in zip(*self.grid.cells, strict=True)), default=0)
        across = max(map(self._hits, self.grid.cells), default=0)
        if across > down and across > 1:
            self.grid = self.grid.transposed()
        self.said["layout"] = Phrase(
            f"units in {'a row' if self.grid.turned else 'a column'}",
            f"地区排在{'一行' if self.grid.turned else '一列'}",
        )

    # The columns and what they are.

    def _find_columns(self) -> None:
        columns = [list(column) for column in zip(*self.grid.cells, strict=True)]
        roles: dict[int, str] = {}
        for c, column in enumerate(columns):
            for cell in [cell for cell in column if cell is not None][:4]:
                head = plain(cell).lower().strip(" :") if isinstance(cell, str) else ""
                for text in (head, re.sub(r"\s", "", head), re.split(r"\s+[a-z]", head)[0], re.sub("[a-z ]", "", head)):
                    if c not in roles and text in _ROLES:
                        roles[c] = _ROLES[text]
        counts = [self._hits(column) for column in columns]
        names = [c for c, column in enumerate(columns) if counts[c] and counts[c] >= max(counts) / 2]
        names = [
            c for c in names if not all(_names.clean_name(cell).isdigit() for cell in columns[c] if self._code(cell))
        ]
        # Beside each other: a table in two halves; the same units again: a translation.
        self._regions = names[:1]
        for c in names[1:]:
            taken = {self._code(cell) for r in self._regions for cell in columns[r]} - {None}
            if not taken & {self._code(cell) for cell in columns[c]} and c > names[0] + 1:
                self._regions.append(c)
        coded = []
        for c, column in enumerate(columns):
            digits = [
                cell for cell in column if cell is not None and re.fullmatch(r"\d{6}(0{6})?", _names.clean_name(cell))
            ]
            known = sum(self._code(cell) is not None for cell in digits)
            if known and (roles.get(c) == "code" or (known == len(digits) >= 3 and roles.get(c, "region") == "region")):
                coded.append(c)
        self._code_column = coded[0] if coded else None
        if self._code_column is not None:
            where = self._name(self._code_column)
            row = self.grid.turned
            self.said["codes"] = Phrase(f"{'row' if row else 'column'} {where}", f"{where} {'行' if row else '列'}")
        if not self._regions:
            named = [c for c, role in roles.items() if role == "region"]
            self._regions = named[:1] or coded[:1]
        self._place: str | None = None
        if not self._regions:
            self._place = self._keys.get("地区")
            if self._place is None:
                self.stop(
                    None,
                    None,
                    f"no column or row of names of a known {self.level} or of codes was found: name its "
                    "head 地区 or region, or say level=",
                )
                return
        self._by_role = {
            role: next((c for c, found in roles.items() if found == role and c not in self._regions), None)
            for role in ("year", "indicator", "unit")
        }
        self._roles = roles
        if self._place is not None and self._by_role["indicator"] is None and self._by_role["year"] is None:
            self.stop(
                None, None, "the sheet is of one unit, but no column is headed 指标 or indicator, or 年份 or year"
            )
            return
        label = self._regions[0] if self._regions else self._by_role["indicator"]
        label = self._by_role["year"] if label is None else label
        assert label is not None
        self._start = self._find_start(columns[label], bool(self._regions))

    def _find_start(self, column: list[Any], named: bool) -> int:
        for r, cell in enumerate(column):
            if cell is not None and named and (self._code(cell) is not None or _names.is_group(cell)):
                return r
        heads = [r for r, cell in enumerate(column) if cell is not None and plain(cell).lower() in _ROLES]
        start = heads[0] + 1 if heads else 1
        if self.grid.variables:
            start = 2
        return min(start, len(column))

    def _read_heads(self) -> None:
        cells = [list(row) for row in self.grid.cells[: self._start]]
        for top, left, bottom, right in self.grid.merged:
            for r in range(top, min(bottom, self._start - 1) + 1):
                for c in range(left, min(right, len(cells[r]) - 1) + 1):
                    cells[r][c] = self.grid.cells[top][left]
        heads = [r for r, row in enumerate(cells) if any(cell is not None for cell in row)]
        for r in list(heads):
            figures = [(c, cell) for c, cell in enumerate(cells[r]) if c not in self._regions and cell is not None]
            numbers = [read_number(cell).value for _, cell in figures]
            if not any(
                number is not None and read_year(cell) is None
                for number, (_, cell) in zip(numbers, figures, strict=True)
            ):
                continue
            written = [cell for cell in cells[r] if cell is not None]
            numbered = [cell for cell in written if plain(cell) not in ("甲", "乙", "丙")]
            values = [read_number(cell).value for cell in numbered]
            if len(written) > 1 and any(values == [*range(first, first + len(values))] for first in (0, 1, 2)):
                self.leave(r, None, "", "the numbers of the columns", "列号")
                heads.remove(r)
            elif self._regions and cells[r][self._regions[0]] is not None and r > heads[0]:
                # A unit whose name is not known stands first.
                self._start = r
                heads = [head for head in heads if head < r]
                break
            else:
                self.stop(r, figures[0][0], "a figure above the first unit that is known: is its name missing?")
        apart = {*self._regions, self._code_column, *self._by_role.values()}
        for r in heads[:-1]:
            below = heads[heads.index(r) + 1]
            for c in range(1, len(cells[r])):
                if cells[r][c] is None and c not in apart and c - 1 not in apart and cells[below][c] is not None:
                    cells[r][c] = cells[r][c - 1]
        # A row in Latin letters below or above one in Chinese is its translation.
        words = [r for r in heads if any(isinstance(x, str) and CHINESE.search(x) for x in cells[r])]
        labels = {r: [read_label(cell) for cell in cells[r]] for r in heads}
        latin = [r for r in heads if r not in words and not any(label.year for label in labels[r])]
        self._columns: dict[int, _Column] = {}
        for c in range(len(self.grid.cells[0])):
            if c in apart:
                continue
            column = [row[c] for row in self.grid.cells[self._start :]]
            figures = sum(read_number(cell).value is not None for cell in column)
            filled = [cell for cell in column if cell is not None]
            said = [(r, labels[r][c]) for r in heads if cells[r][c] is not None]
            chosen = [label for r, label in said if r not in latin] or [label for _, label in said]
            head = " ".join(label.words for _, label in said if label.words)
            if not filled:
                continue
            if self._roles.get(c) in ("order", "code", "region"):
                self.leave(None, c, head, "no figures: order, codes or other names", "序号、代码或其他名称，不是数据")
                continue
            if not figures and sum(read_number(cell).reason == "" for cell in filled) < len(filled) / 2:
                self.leave(None, c, head, "a column of text", "文字列")
                continue
            if not said:
                self.stop(None, c, "a column with figures and no head: write above it what it is")
                continue
            if wrong := next((label.reason for label in chosen if label.reason), ""):
                self.problems.append(self.grid.problem(None, c, f"{wrong}; the column was left out"))
                self.leave(None, c, head, wrong, "表头有误，整列未读入")
                continue
            numbers = {label.year for label in chosen} - {None}
            if len(numbers) > 1:
                self.stop(None, c, f"the head names several years, {sorted(map(str, numbers))}: one is allowed")
            parts = list(dict.fromkeys(label.words for label in chosen if label.words))
            parts = [part for part in parts if part.lower() not in _VALUES]
            units = [label.unit for _, label in said if label.unit]
            self._columns[c] = _Column(" ".join(parts), next(iter(numbers), None), units[-1] if units else None)
        self._settle_years()
        self._settle_names()

    def _settle_years(self) -> None:
        dated = [c for c, column in self._columns.items() if column.year is not None]
        by_column = self._by_role["year"]
        if by_column is None and not dated:
            by_column = self._guess_year_column()
        if by_column is not None and dated:
            self.stop(None, by_column, "years stand in this column and in the head as well: keep one of them")
        years = {label.year for text in [self._keys.get("时间", ""), *self._titles] if (label := read_label(text)).year}
        below = {self._columns[c].year for c in dated}
        if by_column is not None:
            below |= {read_year(row[by_column]) for row in self.grid.cells[self._start :]} - {None}
        if years and below and not years & below:
            named, others = (", ".join(map(str, sorted(found, key=str))) for found in (years, below))
            self.stop(None, None, f"the year above the table is {named}, in it {others}: correct or delete one of them")
        self._year = self.year
        if by_column is not None:
            where = Phrase(f"in column {self._name(by_column)}", f"在 {self._name(by_column)} 列")
        elif dated:
            where = Phrase("in the head", "在表头")
            for c in set(self._columns) - set(dated):
                reason = "no year in this head, while others have one: write it there; the column was left out"
                self.problems.append(self.grid.problem(None, c, reason))
                self.leave(None, c, self._columns.pop(c).words, "no year in the head", "表头没有年份")
        elif len(years) == 1:
            self._year = years.pop()
            where = Phrase(f"{self._year}, above the table", f"{self._year} 年，见表上方")
        elif self.year is not None:
            where = Phrase(f"{self.year}, as told", f"{self.year} 年，按说明")
        else:
            where = Phrase("", "")
            self.stop(None, None, "no year was found, in a column, the head or above the table: say years=2023")
        self._by_role["year"] = by_column
        self.said["years"] = where

    def _name(self, column: int) -> str:
        row, name = self.grid.place(None, column)
        return name or str(row)

    def _guess_year_column(self) -> int | None:
        for c in list(self._columns):
            cells = [row[c] for row in self.grid.cells[self._start :] if row[c] is not None]
            if cells and all(read_year(cell) for cell in cells):
                if any(isinstance(cell, str) and "年" in cell for cell in cells):
                    del self._columns[c]
                    return c
                self.stop(None, c, "these may be years or figures: head the column 年份 or year, or name the indicator")
        return None

    def _settle_names(self) -> None:
        title = ""
        found = read_label(self._keys["指标"]) if self._keys.get("指标") else None
        if found is None and self._titles:
            title = _NUMBERED.sub("", self._titles[-1] if len(self._titles) == 1 else self._titles[0]).strip()
            found = read_label(title)
        unnamed = [c for c, column in self._columns.items() if not column.words]
        if title and unnamed and self.indicator is not None and found is not None:
            found = replace(found, words="")  # A title may say more than what the figures are.
        self._default = found if found and found.words and not found.reason else Label()
        where = Phrase("in the head", "在表头")
        if self._by_role["indicator"] is not None:
            where = Phrase(
                f"in column {self._name(self._by_role['indicator'])}", f"在 {self._name(self._by_role['indicator'])} 列"
            )
        elif unnamed:
            where = Phrase("above the table", "见表上方")
            if not self._default.words:
                where = Phrase("as told", "按说明")
                if self.indicator is None:
                    self.stop(None, unnamed[0], "what the figures are is said nowhere: say indicator=")
        self.said["indicator"] = where
        above = read_unit(self._keys.get("单位", "")) or (found.unit if found else None)
        above = above or next((u for t in self._titles if (u := read_label(t).unit)), None)
        if self._keys.get("单位") and read_unit(self._keys["单位"]) is None:
            several = re.split("[、,，;；/ ]+", self._keys["单位"])
            if not (len(several) > 1 and all(read_unit(part) for part in several)):
                self.problems.append(
                    self.grid.problem(
                        None, None, f"the unit {self._keys['单位']!r} above the table is not known: say unit="
                    )
                )
        self._unit = above
        self._wanted = read_unit(self.unit) if self.unit is not None else None
        if self.unit is not None and self._wanted is None:
            self.stop(None, None, f"unit={self.unit!r} is not known: write it such as 亿元, 万人, % or 件")

    # The rows.

    def _read_rows(self) -> None:
        halves = self._regions or [None]
        blocks = {r: [c for c in self._columns if r is None or c > r or k == 0] for k, r in enumerate(halves)}
        for k, r in enumerate(halves[:-1]):
            blocks[r] = [c for c in blocks[r] if c < (halves[k + 1] or 0)]
        covered = {
            (r, c): (top, left)
            for top, left, bottom, right in self.grid.merged
            for r in range(top, bottom + 1)
            for c in range(left, right + 1)
            if r >= self._start
        }
        head = [row for row in self.grid.cells[: self._start] if any(cell is not None for cell in row)]
        for region, columns in blocks.items():
            before: object = None
            place = ""
            for r in range(self._start, len(self.grid.cells)):
                row = self.grid.cells[r]
                numbers = {c: read_number(row[c]) for c in columns}
                name = self._place if region is None else row[region]
                place = self._place_of(row, region, place)
                if region is not None and name is None and (r, region) in covered:
                    top, left = covered[r, region]
                    name = self.grid.cells[top][left]
                given = {c: number for c, number in numbers.items() if row[c] is not None}
                if name is None and not given:
                    continue
                if row in head:
                    self.leave(r, None, name or "", "the head again", "重复的表头")
                    continue
                if name is None and self._by_role["year"] is not None and read_year(row[self._by_role["year"]]):
                    name = before
                before = name
                self._read_row(r, name, place, given, covered)

    def _read_row(self, r: int, name: Any, place: str, given: dict[int, Number], covered: dict) -> None:
        row = self.grid.cells[r]
        figures = any(number.value is not None for number in given.values())
        text = plain(name) if name is not None else ""
        if isinstance(name, float) and name.is_integer():
            text = str(int(name))
        code_cell = row[self._code_column] if self._code_column is not None else None
        nothing = _names.Found(0, None, "unknown", "", "")
        coded = self._found.get((self._clean.get(code_cell, ""), ""), nothing).code
        found = self._found.get((_names.clean_name(name), place), nothing)
        by_name = found.code
        if not figures and (_NOTE.match(text) or name is None) and not any(number.reason for number in given.values()):
            if text:
                self.footnotes.append(text)
            return
        if name is None:
            self.problems.append(
                self.grid.problem(r, None, "figures without a name: write the unit's name in this row")
            )
            return
        if coded is not None and found.status == "ambiguous" and str(coded) not in found.nearest:
            by_name = found.nearest
        if by_name is None and coded is None:
            if _names.is_group(name):
                self.leave(r, None, text, "the nation, a group or a sum, no unit", "全国、分组或合计，不是单个地区")
                return
            assert self.level is not None
            clean, told = _names.clean_name(name), any(number.reason for number in given.values())
            dated = read_year(name) is not None or (figures and clean.lower() in _ROLES)
            if not figures and not told and not dated:
                self.leave(r, None, text, "a name without figures", "没有数据的行")
                return
            others = [level for level in _names.LEVELS if level != self.level and clean in self._known[level]]
            if not found.rank and others and self.level in _names.LEVELS:
                reason = f"{text!r} is a {others[0]} in a table of level {self.level}; the row was left out: say level="
                self.problems.append(self.grid.problem(r, None, f"{reason}, or delete it"))
                return
            if dated or (given and sum(bool(number.reason) for number in given.values()) > len(given) / 2):
                self.stop(
                    r, None, f"{text!r} is no unit and what follows are words: a second table or head? Keep one table"
                )
                return
            column = self._regions[0] if self._regions else None
            if found.status == "ambiguous":
                self.stop(
                    r,
                    column,
                    f"{text!r} may be {found.nearest}: say level=, name its province or city in a column before it, "
                    "or give its code in a column of its own",
                )
                return
            if found.rank:
                reason = f"{text!r} has no code of today ({found.change}): its figures stand without a code"
            else:
                near = f" (most like it: {found.nearest})" if found.nearest else ""
                reason = f"{text!r} is no {self.level}{f' in {place}' if place else ''}{near}: correct the name, or "
                reason += "give its code in a column of its own"
            self.problems.append(self.grid.problem(r, column, reason))
        elif by_name is not None and coded is not None and by_name != coded:
            self.stop(
                r, self._code_column, f"the code is of {coded}, the name {text!r} of {by_name}: correct one of them"
            )
            return
        code = coded if coded is not None else by_name
        year_column, own, measure = (self._by_role[role] for role in ("year", "indicator", "unit"))
        year = read_year(row[year_column]) if year_column is not None else self._year
        if year_column is not None and year is None:
            said = read_label(row[year_column]).reason or f"{plain(row[year_column] or '')!r} is no year"
            self.problems.append(self.grid.problem(r, year_column, f"{said}; the row was left out"))
            self.leave(r, None, text, "no year", "没有年份")
            return
        label = read_label(row[own]) if own is not None else Label()
        if own is not None and (label.reason or not label.words):
            reason = label.reason or "no indicator is named in this row"
            self.problems.append(self.grid.problem(r, own, f"{reason}; the row was left out"))
            self.leave(r, None, text, "no indicator", "没有指标")
            return
        unit = read_unit(str(row[measure])) if measure is not None and row[measure] is not None else None
        if measure is not None and row[measure] is not None and unit is None:
            self.problems.append(
                self.grid.problem(r, measure, f"the unit {plain(row[measure])!r} is not known: say unit=")
            )
        for c, number in given.items():
            if (r, c) in covered:
                self.problems.append(
                    self.grid.problem(r, c, "merged cells hold one figure for several places: unmerge them; not read")
                )
                continue
            if number.reason:
                self.problems.append(self.grid.problem(r, c, number.reason))
            elif number.value is None:
                self._missing[plain(row[c])] += 1
            else:
                column = self._columns[c]
                words = (
                    " ".join(filter(None, (label.words, column.words))) or self._default.words or self.indicator or ""
                )
                where = Phrase("in its row", "见所在行") if unit or label.unit else Phrase("in the head", "在表头")
                self._add(
                    r, c, text, code, column.year or year or 0, words, number, unit or label.unit or column.unit, where
                )

    def _add(
        self,
        r: int,
        c: int,
        name: str,
        code: object,
        year: int,
        words: str,
        number: Number,
        unit: Unit | None,
        where: Phrase,
    ) -> None:
        value = number.value
        assert value is not None
        if unit is None and self._unit is not None:
            unit, where = self._unit, Phrase("above the table", "见表上方")
        if number.percent:
            if unit is not None and unit.base != "1":
                reason = f"a per cent sign where the unit is {unit.text}: correct the cell or the unit"
                self.problems.append(self.grid.problem(r, c, reason))
                return
            if unit is None:
                unit, where = read_unit("%"), Phrase("with the figures", "随数据")
        if unit is None:
            unit, where = self._wanted, Phrase("as told", "按说明")
        elif self._wanted is not None and unit != self._wanted:
            if unit.base != self._wanted.base:
                self.stop(
                    r,
                    c,
                    f"the unit is {unit.text}, which is no {self._wanted.text}: drop unit=, or choose an indicator",
                )
                return
            self.said["converted"] = Phrase(
                f"{unit.text} to {self._wanted.text}, by a power of ten",
                f"由{unit.text}换算为{self._wanted.text}（十的整数次幂）",
            )
            value, unit = unit.convert(value, self._wanted), self._wanted
        self._units.setdefault(unit.text if unit else "", where)
        self.facts.append(
            Fact(name, code, year, words, value, unit.text if unit else "", number.note, *self.grid.place(r, c))
        )

    def _check_blocks(self) -> None:
        """Stop at lines between figures that may head figures of another indicator, year or unit."""
        lines = sorted({fact.row for fact in self.facts})
        for r, text in self._between:
            line, _ = self.grid.place(r, None)
            said = _NUMBERED.sub("", text).strip()
            again = not said or said in {_NUMBERED.sub("", title).strip() for title in self._titles}
            group = _GROUP_HEAD.fullmatch(said) and read_label(said).year is None
            between = lines and lines[0] < line < lines[-1]
            if self._regions and not self.grid.turned and between and not again and not group:
                self.stop(r, None, f"{text!r} stands between figures: if another table begins there, split the sheet")
            elif _KEY.match(text):
                self.footnotes.append(text)
            else:
                self.leave(r, None, text, "a line of text without figures", "没有数据的文字行")

    def _check_repeated(self) -> None:
        if self.indicator is not None:
            named = sorted({fact.indicator for fact in self.facts})
            if self.indicator in named:
                self.facts = [fact for fact in self.facts if fact.indicator == self.indicator]
                self.said["indicator"] = Phrase(
                    f"{self.said['indicator'].en}; {self.indicator!r} chosen of {len(named)}",
                    f"{self.said['indicator'].zh}；从 {len(named)} 个指标中选取“{self.indicator}”",
                )
            elif named:
                self.stop(
                    None, None, f"no indicator {self.indicator!r}; the sheet has {', '.join(map(repr, named[:12]))}"
                )
        seen: dict[tuple, Fact] = {}
        for fact in self.facts:
            key = (fact.code if fact.code is not None else fact.name, fact.year, fact.indicator)
            first = seen.setdefault(key, fact)
            if first is not fact:
                same = "the same figure" if first.value == fact.value else f"{first.value:g} there, {fact.value:g} here"
                self._fatal.append(
                    Problem(
                        self.grid.file,
                        fact.row,
                        f"{fact.name} {fact.year} {fact.indicator} stands in row {first.row}, column {first.column} "
                        f"already ({same}): delete one of them",
                        fact.column,
                        sheet=self.grid.sheet,
                    )
                )
        for indicator in dict.fromkeys(fact.indicator for fact in self.facts if not fact.unit):
            self.problems.append(self.grid.problem(None, None, f"no unit was found for {indicator!r}: say unit="))
        found = [(text, place) for text, place in self._units.items() if text]
        if found:
            self.said["unit"] = Phrase(
                "; ".join(f"{text} {place.en}" for text, place in found),
                "；".join(f"{text}，{place.zh}" for text, place in found),
            )
        if self._missing:
            tokens = ", ".join(f"{token!r} {count}" for token, count in self._missing.most_common())
            self.said["missing"] = Phrase(f"cells that say so: {tokens}", f"标为缺失的单元格：{tokens}")
        if self._regions:
            where = self._name(self._regions[0])
            kind = ("row", "行") if self.grid.turned else ("column", "列")
            self.said["regions"] = Phrase(f"{kind[0]} {where}", f"{where} {kind[1]}")
            if self._within:
                place = self._name(next(iter(self._within.values())))
                self.said["within"] = Phrase(f"{kind[0]} {place}", f"{place} {kind[1]}")
        else:
            self.said["regions"] = Phrase(f"{self._place}, above the table", f"{self._place}，见表上方")

"""Where in a grid the units, years, indicators and units of measure stand, and the facts that follow."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from clusterlib.core.language import Phrase
from clusterlib.data._sheets import _names
from clusterlib.data._sheets._cells import (
    CHINESE,
    Label,
    Number,
    Unit,
    as_word,
    is_year_end,
    plain,
    read_label,
    read_number,
    read_unit,
    read_year,
)
from clusterlib.data._sheets._grid import Grid
from clusterlib.errors import Problem, SheetError

# What a head says of its column, spaces and punctuation left out.
_HEADS = {
    "region": "地区 省份 省 省市 省市区 城市 市 县 县市 县市区 县级市 地级市 名称 区域 地域 行政区 行政区划 省份名称 "
    "城市名称 地区名称 region province city county name area prefecture namezh nameen unitname provname cityname "
    "countyname economy country",
    "code": "代码 行政区划代码 区划代码 行政代码 地区代码 省份代码 城市代码 区县代码 code adcode gbcode regioncode "
    "citycode provincecode provcode countycode id",
    "year": "年份 年 年度 时间 year time yr 统计年度 统计年份",
    "indicator": "指标 指标名称 变量 项目 indicator variable series item",
    "unit": "单位 计量单位 unit units",
    "order": "序号 编号 no number rank 排名 位次",
}
_ROLES = {head: role for role, heads in _HEADS.items() for head in heads.split()}
_VALUES = frozenset("value 值 数值 数据 数 数据值 obs_value figure 没有单位".split())
_KEYS = {
    **dict.fromkeys(("数据库", "database"), "database"),
    **dict.fromkeys(("指标", "indicator"), "indicator"),
    **dict.fromkeys(("时间", "time"), "year"),
    **dict.fromkeys(("地区", "region"), "region"),
    **dict.fromkeys(("单位", "计量单位", "unit"), "unit"),
}
_KEY = re.compile(rf"({'|'.join(_KEYS)})\s*[:：]\s*(.*)", re.IGNORECASE | re.DOTALL)
# Most cells are figures, of which few may be codes.
_FIGURE = re.compile(r"[+-]?(?!\d{6}(?:0{6})?(?:\.0)?$)\d*\.?\d*(?:e[+-]?\d+)?", re.ASCII)
_CODE = re.compile(r"\d{6}(0{6})?")
_NOTE = re.compile(
    r"\s*[(\[]?(注|附注|备注|说明|数据来源|资料来源|来源|本表|[①-⑳*]|notes?\b|sources?\b|data sources?\b|a\))",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(续?表|table)?\s*\d+([-–—.]\d+)+\s*|(续?表|table)\s*\d+\s*|续表\s*", re.IGNORECASE)
_LEFT_OUT = {
    "heading": Phrase("a heading without figures", "只有名称、没有数据的标题行"),
    "line": Phrase("a line of text without figures", "没有数据的文字行"),
    "numbers": Phrase("the numbers of the columns", "列号"),
    "again": Phrase("the head again", "重复的表头"),
    "labels": Phrase("no figures: order, codes or other names", "序号、代码或其他名称，不是数据"),
    "text": Phrase("a column of text", "文字列"),
    "group": Phrase("the nation, a group or a sum, no unit", "全国、分组或合计，不是单个地区"),
    "above": Phrase("a unit of a level above those below it, which lie in it", "其下各地区的上级地区"),
    "wrong": Phrase("something in it is wrong: see the problems", "其中有误，见所列问题"),
    "undated": Phrase("no whole year, and years were asked for", "不是整年，而所要求的是年份"),
    "empty": Phrase("a name without figures", "没有数据的行"),
}
_IN_HEAD, _IN_ROW = Phrase("in the head", "在表头"), Phrase("in its row", "见所在行")
_ABOVE, _TOLD = Phrase("above the table", "见表上方"), Phrase("as told", "按说明")
_WITH_FIGURES = Phrase("with the figures", "随数据")


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
    """A row or column that is no unit's, why, and the figures that stand in it if it is a sum."""

    row: int
    column: str
    name: str
    reason: Phrase
    facts: tuple[Fact, ...] = ()


@dataclass
class _Column:
    """A column of figures: what its head says."""

    words: str
    year: int | None
    unit: Unit | None


@dataclass(frozen=True)
class _Row:
    """A row of figures: whose they are, and what it says of all of them."""

    number: int
    name: str
    code: object
    year: int
    words: str
    unit: Unit | None


@dataclass
class Reading:
    """The reading of one grid: what was asked, and what was found so far."""

    grid: Grid
    level: str | None = None
    indicator: str | None = None
    unit: str | None = None
    year: int | None = None
    # Whether years were asked for, so that a part of one is none of them.
    dated: bool = False
    facts: list[Fact] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # Those of the problems that are names without a unit of the level.
    unresolved: list[Problem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)
    said: dict[str, Phrase] = field(default_factory=dict)
    _fatal: list[Problem] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)
    _titles: list[str] = field(default_factory=list)
    _between: list[tuple[int, str]] = field(default_factory=list)
    _headings: dict[int, str] = field(default_factory=dict)
    # What each cell is as a name, and what names stand for at each level.
    _clean: dict[Any, str] = field(default_factory=dict)
    _known: dict[str, dict[str, _names.Found]] = field(default_factory=dict)
    _coded: dict[int, object] = field(default_factory=dict)
    _units: dict[str, Phrase] = field(default_factory=dict)
    # In which units the sheet gives the figures of which another was asked for, by indicator.
    stated: dict[str, set[str]] = field(default_factory=dict)
    _missing: Counter = field(default_factory=Counter)

    def stop(self, reason: str, row: int | None = None, column: int | None = None) -> None:
        """Note what makes the sheet ambiguous."""
        self._fatal.append(self.grid.problem(row, column, reason))

    def tell(self, reason: str, row: int | None = None, column: int | None = None) -> None:
        """Note what is wrong in a cell, a row or a column."""
        self.problems.append(self.grid.problem(row, column, reason))

    def leave(self, why: str, row: int | None, column: int | None = None, name: object = "") -> None:
        """Note a row or a column that is left out."""
        self.left_out.append(LeftOut(*self.grid.place(row, column), plain(name), _LEFT_OUT[why]))

    def check(self) -> None:
        """Raise what makes the sheet ambiguous, with the other problems found until then."""
        if self._fatal:
            raise SheetError([*self._fatal, *self.problems])

    def read(self) -> None:
        """Read the grid; raises SheetError if it is ambiguous or holds no figure."""
        self._find_names()
        self._take_lines()
        self._find_level()
        self._turn()
        self._find_columns()
        self.check()
        self._read_heads()
        self._settle_years()
        self._settle_indicator()
        self._settle_unit()
        self.check()
        self._name_rows()
        self._resolve()
        self._read_rows()
        self._check_lines_between()
        self._choose_indicator()
        self._check_repeated()
        if not self.facts and not self._fatal:
            self.stop("no figure was found: see the other problems, or say level=, indicator= or years=")
        self.check()
        self._say()

    # Names, and the lines above and below the table.

    def _find_names(self) -> None:
        cells = [cell for row in self.grid.cells for cell in row if isinstance(cell, (str, int, float))]
        cells += [found[2] for cell in cells if isinstance(cell, str) and (found := _KEY.match(plain(cell)))]
        words = {cell for cell in cells if len(text := str(cell)) < 60 and not _FIGURE.fullmatch(text)}
        self._clean = {word: _names.clean_name(word) for word in words}
        named = sorted(set(self._clean.values()))
        for level in [*_names.LEVELS, *([self.level] if self.level == "economy" else [])]:
            found = zip(named, _names.find(named, level, near=False), strict=True)
            self._known[level] = {name: one for name, one in found if one.rank}

    def _take_lines(self) -> None:
        wide = {(top, left) for top, left, _, right in self.grid.merged if right - left >= 3}
        begun = False
        rows = [list(row) for row in self.grid.cells]
        for number, row in enumerate(rows):
            filled = [(column, cell) for column, cell in enumerate(row) if cell is not None]
            if not filled:
                continue
            column, first = filled[0]
            texts = [plain(cell) for _, cell in filled]
            without = all(read_number(cell).value is None for _, cell in filled)
            line = without and all(_KEY.match(text) or _NUMBERED.match(text) or _NOTE.match(text) for text in texts)
            alone = without and isinstance(first, str) and (column == 0 or (number, column) in wide)
            dated = re.fullmatch(r"\(\d{4}年?\)", texts[0])
            if len(row) == 1 or not (line or (len(filled) == 1 and (alone or dated))):
                begun = begun or len(filled) > 1
                continue
            known = any(_names.clean_name(texts[0]) in of for of in self._known.values())
            rows[number] = [None] * len(row)
            if not line and not dated and (known or _names.is_group(texts[0])):
                self.leave("heading", number, name=texts[0])
                self._headings[number] = _names.clean_name(texts[0])
                continue
            if begun and not all(map(_NOTE.match, texts)):
                self._between.append((number, " ".join(texts)))
                continue
            for text, (_, cell) in zip(texts, filled, strict=True):
                if not begun and (found := _KEY.match(text)):
                    self._keys[_KEYS[found[1].lower()]] = found[2].strip()
                elif _NOTE.match(text):
                    self.footnotes.append(" ".join(str(cell).split()))
                else:
                    self._titles.append(text)
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
        lines = lines or {("place", 0): {_names.clean_name(self._keys.get("region", ""))}}
        asked = self.level is not None
        # A name of a unit of today says more than the same one of a unit of another level that is no more.
        ranks = Counter[str]()
        for known in self._known.values():
            ranks |= Counter({name: one.rank for name, one in known.items()})
        meant = {
            level: {n: one.code or n for n, one in self._known[level].items() if asked or one.rank == ranks[n]}
            for level in ([self.level] if self.level else _names.LEVELS)
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
            self.stop(f"the names are those of more than one level: say level= {listed}")
        self.check()
        why = Phrase("as asked", "按要求") if asked else Phrase(f"by {most} names", f"据 {most} 个地区名判断")
        self.said["level"] = Phrase(f"{self.level} ({why.en})", f"{self.level}（{why.zh}）")

    def _code(self, cell: Any) -> object:
        """Return the code that a cell names, or the name if it stands for no single unit of today."""
        found = self._known[str(self.level)].get(name := self._clean.get(cell, ""))
        return None if found is None else found.code or name

    def _hits(self, cells: list[Any]) -> int:
        return len({code for cell in cells if isinstance(cell, str) and (code := self._code(cell)) is not None})

    def _turn(self) -> None:
        down = max(map(self._hits, self.grid.columns()), default=0)
        across = max(map(self._hits, self.grid.cells), default=0)
        if across > down and across > 1:
            self.grid, self._headings = self.grid.transposed(), {}
        row = self.grid.turned
        self.said["layout"] = Phrase(f"units in a {'row' if row else 'column'}", f"地区排在{'一行' if row else '一列'}")

    def _where(self, column: int, en: str = "", zh: str = "") -> Phrase:
        line, name = self.grid.place(None, column)
        return Phrase(f"{en}column {name}", f"{zh}{name} 列") if name else Phrase(f"{en}row {line}", f"{zh}{line} 行")

    # The columns and what they are.

    def _find_columns(self) -> None:
        columns = self.grid.columns()
        self._roles = {c: role for c, column in enumerate(columns) if (role := _role(column))}
        hits = [self._hits(column) for column in columns]
        named, coded = list[int](), list[int]()
        for c, column in enumerate(columns):
            role = self._roles.get(c)
            digits = [cell for cell in column if cell is not None and _CODE.fullmatch(_names.clean_name(cell))]
            known = sum(self._code(cell) is not None for cell in digits)
            if known and (role == "code" or (known == len(digits) >= 3 and role in (None, "region"))):
                coded.append(c)
            words = any(self._code(cell) is not None and not _names.clean_name(cell).isdigit() for cell in column)
            if words and hits[c] and hits[c] >= max(hits) / 2:
                named.append(c)
        # Beside each other: a table in two halves; the same units again: a translation.
        self._regions = named[:1]
        for c in named[1:]:
            taken = {self._code(cell) for r in self._regions for cell in columns[r]} - {None}
            if not taken & {self._code(cell) for cell in columns[c]} and c > named[0] + 1:
                self._regions.append(c)
        if not self._regions:
            self._regions = [c for c, role in self._roles.items() if role == "region"][:1] or coded[:1]
        self._code_column = coded[0] if coded else None
        if self._code_column is not None:
            self.said["codes"] = self._where(self._code_column)
        self._role_columns = {
            role: next((c for c, found in self._roles.items() if found == role and c not in self._regions), None)
            for role in ("indicator", "year", "unit")
        }
        self._place = None if self._regions else self._keys.get("region")
        label = next((c for c in [*self._regions, *self._role_columns.values()] if c is not None), None)
        if not self._regions and self._place is None:
            reason = f"no column or row of names of a known {self.level} or of codes was found: name its head 地区 or "
            reason += "region, or say level="
            if not any(self._known.values()):
                reason = "the sheet has no unit of any level, and figures of the nation alone cannot be imported: take "
                reason += (
                    "the table by province, city or county (分省、分市 or 分县), or for economies say level=economy"
                )
            self.stop(reason)
        elif label is None:
            self.stop("the sheet is of one unit, but no column is headed 指标 or indicator, or 年份 or year")
        else:
            self._start = self._find_start(columns[label])

    def _find_start(self, column: list[Any]) -> int:
        """Return the row of the first unit, or the one below the head."""
        for r, cell in enumerate(column):
            if cell is not None and self._regions and (self._code(cell) is not None or _names.is_group(cell)):
                return r
        if self.grid.variables:
            return 2
        heads = [r for r, cell in enumerate(column) if cell is not None and plain(cell).lower() in _ROLES]
        return min(heads[0] + 1 if heads else 1, len(column))

    def _column(self, c: int) -> list[Any]:
        return [row[c] for row in self.grid.cells[self._start :]]

    def _read_heads(self) -> None:
        cells = [list(row) for row in self.grid.cells[: self._start]]
        self._covered = self.grid.covered()
        for (r, c), cell in self._covered.items():
            if r < self._start and cells[r][c] is None:
                cells[r][c] = cell
        heads = self._find_heads(cells)
        apart = {*self._regions, self._code_column, *self._role_columns.values()}
        for r, below in pairwise(heads):
            for c in range(1, len(cells[r])):
                if cells[r][c] is None and not {c, c - 1} & apart and cells[below][c] is not None:
                    cells[r][c] = cells[r][c - 1]
        # A row in Latin letters below or above one in Chinese is its translation.
        labels = {r: [read_label(cell) for cell in cells[r]] for r in heads}
        words = [r for r in heads if any(isinstance(cell, str) and CHINESE.search(cell) for cell in cells[r])]
        kept = [r for r in heads if r in words or any(label.year for label in labels[r])]
        self._columns: dict[int, _Column] = {}
        for c in range(len(self.grid.cells[0])):
            said = [labels[r][c] for r in heads if cells[r][c] is not None]
            chosen = [labels[r][c] for r in kept if cells[r][c] is not None] or said
            if c not in apart and (column := self._read_head(c, said, chosen)):
                self._columns[c] = column

    def _find_heads(self, cells: list[list[Any]]) -> list[int]:
        """Return the rows of the head, without one that numbers the columns."""
        heads = list[int]()
        for r, row in enumerate(cells):
            written = [cell for cell in row if cell is not None]
            numbers = {c: read_number(cell).value for c, cell in enumerate(row) if c not in self._regions}
            figures = [c for c, number in numbers.items() if number is not None and read_year(row[c]) is None]
            if not figures:
                heads += [r] if written else []
                continue
            counted = [read_number(cell).value for cell in written if plain(cell) not in ("甲", "乙", "丙")]
            if len(written) > 1 and any(counted == [*range(first, first + len(counted))] for first in (0, 1, 2)):
                self.leave("numbers", r)
            elif heads and self._regions and row[self._regions[0]] is not None:
                # A unit whose name is not known stands first.
                self._start = r
                break
            else:
                self.stop("a figure above the first unit that is known: is its name missing?", r, figures[0])
                heads.append(r)
        return heads

    def _read_head(self, c: int, said: list[Label], chosen: list[Label]) -> _Column | None:
        """Return what the head of a column says, or nothing where the column holds no figures."""
        filled = [read_number(cell) for cell in self._column(c) if cell is not None]
        head = " ".join(label.words for label in said if label.words)
        if not filled:
            return None
        if self._roles.get(c) in ("order", "code", "region"):
            return self.leave("labels", None, c, head)
        no_figure = all(number.value is None for number in filled)
        if no_figure and sum(bool(number.reason) for number in filled) > len(filled) / 2:
            return self.leave("text", None, c, head)
        if not said:
            return self.stop("a column with figures and no head: write above it what it is", None, c)
        if wrong := next((label for label in chosen if label.reason), None):
            return (
                self.leave("undated", None, c, head)
                if wrong.undated and self.dated
                else self._drop(wrong.reason, None, c)
            )
        years = {label.year for label in chosen} - {None}
        if len(years) > 1:
            self.stop(f"the head names several years, {sorted(map(str, years))}: one is allowed", None, c)
        words = dict.fromkeys(label.words for label in chosen if label.words and label.words.lower() not in _VALUES)
        units = [label.unit for label in said if label.unit]
        return _Column(" ".join(words), next(iter(years), None), units[-1] if units else None)

    def _drop(self, reason: str, row: int | None, column: int | None) -> None:
        """Note that a whole row or column is left out since something in it is wrong."""
        self.tell(f"{reason}; the {'column' if row is None else 'row'} was left out", row, column)
        self.leave("wrong", row, column if row is None else None)

    def _settle_years(self) -> None:
        dated = [c for c, column in self._columns.items() if column.year is not None]
        column = self._role_columns["year"]
        if column is not None and dated:
            self.stop("years stand in this column and in the head as well: keep one of them", None, column)
        above = {label.year for text in [self._keys.get("year", ""), *self._titles] if (label := read_label(text)).year}
        below = {self._columns[c].year for c in dated}
        if column is not None:
            below |= {read_year(cell) for cell in self._column(column)} - {None}
        if above and below and not above & below:
            named, others = (", ".join(map(str, sorted(found, key=str))) for found in (above, below))
            self.stop(f"the year above the table is {named}, in it {others}: correct or delete one of them")
        self._year, where = self.year, Phrase(f"{self.year}, as told", f"{self.year} 年，按说明")
        if column is not None:
            where = self._where(column, "in ", "在 ")
        elif dated:
            where = _IN_HEAD
            for c in sorted(self._columns.keys() - set(dated)):
                self._drop("no year in this head, while others have one: write it there", None, c)
                del self._columns[c]
        elif len(above) == 1:
            self._year = above.pop()
            where = Phrase(f"{self._year}, above the table", f"{self._year} 年，见表上方")
        elif self.year is None:
            self.stop("no year was found, in a column, the head or above the table: say years=2023")
        dates = self._column(column) if column is not None else [cell for row in self.grid.cells for cell in row]
        if any(map(is_year_end, dates)):
            where = Phrase(f"{where.en}; 31 December read as its year", f"{where.zh}；12 月 31 日读作当年")
        self.said["years"] = where

    def _settle_indicator(self) -> None:
        unnamed = [c for c, column in self._columns.items() if not column.words]
        title = _NUMBERED.sub("", self._titles[0]).strip() if self._titles else ""
        self._default = read_label(self._keys.get("indicator") or title)
        if self._default.reason or (unnamed and self.indicator and not self._keys.get("indicator")):
            # A title may say more than what the figures are.
            self._default = replace(self._default, words="", reason="")
        where, column = _IN_HEAD, self._role_columns["indicator"]
        if column is not None:
            where = self._where(column, "in ", "在 ")
        elif unnamed:
            where = _ABOVE if self._default.words else _TOLD
            if not self._default.words and self.indicator is None:
                self.stop("what the figures are is said nowhere: say indicator=", None, unnamed[0])
        self.said["indicator"] = where

    def _settle_unit(self) -> None:
        given = self._keys.get("unit", "")
        titled = [unit for text in self._titles if (unit := read_label(text).unit)]
        self._unit = next(filter(None, [read_unit(given), self._default.unit, *titled]), None)
        several = [read_unit(part) for part in re.split("[、,，;；/ ]+", given)]
        if given and not read_unit(given) and (len(several) == 1 or not all(several)):
            self.tell(f"the unit {given!r} above the table is not known: say unit=")
        self._wanted = read_unit(self.unit) if self.unit else None
        if self.unit and self._wanted is None:
            self.stop(f"unit={self.unit!r} is not known: write it such as 亿元, 万人, % or 件")

    # The rows.

    def _name_rows(self) -> None:
        """Find the name of each row, which is written once for several years and in merged cells."""
        self._heads = [row for row in self.grid.cells[: self._start] if any(cell is not None for cell in row)]
        dated = self._role_columns["year"]
        self._named: dict[tuple[int, int | None], Any] = {}
        for region in self._regions or [None]:
            before: object = None
            for r, row in enumerate(self.grid.cells[self._start :], self._start):
                name = self._place if region is None else row[region]
                name = self._covered.get((r, region or 0)) if name is None else name
                if name is None and dated is not None and read_year(row[dated]):
                    name = before
                self._named[r, region] = name
                if row not in self._heads and any(cell is not None for cell in row):
                    before = name

    def _resolve(self) -> None:
        """Find the units of all rows by the latest year of the sheet, and the place that they are said to lie in."""
        years = {column.year for column in self._columns.values()} | {self._year}
        if (column := self._role_columns["year"]) is not None:
            years |= set(map(read_year, self._column(column)))
        latest = max((year for year in years if year is not None), default=None)
        title = _names.province_in(" ".join([*self._titles, self._keys.get("region", "")]))
        title = title if self.level in ("city", "county") and self._regions else ""
        asked: dict[tuple[int, int | None], tuple[str, str]] = {}
        above: dict[tuple[int, int | None], str] = {}
        for k, region in enumerate(self._regions or [None]):
            column = None if region is None else self._place_column(self._regions[k - 1] + 1 if k else 0, region)
            place, heading = title if column is None and self.level == "county" else "", ""
            for r in range(self._start, len(self.grid.cells)):
                cell = None if column is None else self.grid.cells[r][column]
                if cell is not None:
                    place = "" if _names.is_group(cell) else self._clean.get(cell, "")
                name = _names.clean_name(self._named[r, region])
                head = self._headings.get(r, "") or name
                heading = head if self._other_level(head) in self._higher() else heading
                asked[r, region], above[r, region] = (name, place), heading
        self._within = {at: place for at, (_, place) in asked.items()}
        self._found = self._find(asked, latest)
        titled = Phrase(f"{title}, above the table", f"{title}，见表上方")
        if title and title in self._within.values():
            self.said.setdefault("within", titled)
        self._settle_open(above, latest, Phrase("the row above that names it", "上方写有其名的行"))
        self._settle_open(dict.fromkeys(asked, title), latest, titled)
        if self._code_column is not None:
            codes = {r: (self._clean.get(code, ""), "") for r, code in enumerate(self._column(self._code_column))}
            self._coded = {r + self._start: one.code for r, one in self._find(codes, latest).items()}

    def _find(self, asked: dict[Any, tuple[str, str]], year: int | None) -> dict[Any, _names.Found]:
        """Return what names stand for in places, each asked once."""
        keys = sorted(set(asked.values()))
        found = _names.find([name for name, _ in keys], str(self.level), year, [place for _, place in keys])
        by_key = dict(zip(keys, found, strict=True))
        return {at: by_key[key] for at, key in asked.items()}

    def _settle_open(self, places: dict[Any, str], year: int | None, where: Phrase) -> None:
        """Take the place that is said elsewhere for names that more than one unit bears."""
        names = {at: self._named[at] for at, one in self._found.items() if one.status == "ambiguous"}
        asked = {at: (_names.clean_name(name), places[at]) for at, name in names.items() if places[at]}
        found = self._find(asked, year) if asked else {}
        settled = {at: one for at, one in found.items() if one.rank and one.status != "ambiguous"}
        self._found |= settled
        said = self.said.get("within")
        if settled and (said is None or where.en not in said.en):
            self.said["within"] = Phrase(f"{said.en}; {where.en}", f"{said.zh}；{where.zh}") if said else where

    def _other_level(self, name: str) -> str:
        """Return the level of which a name is rather than of that of the sheet, or nothing."""
        ranks = {level: one.rank for level, known in self._known.items() if (one := known.get(name))}
        own = ranks.pop(str(self.level), 0)
        return next((level for level in ranks if not own or (level in self._higher() and ranks[level] > own)), "")

    def _higher(self) -> tuple[str, ...]:
        return _names.LEVELS[: _names.LEVELS.index(self.level)] if self.level in _names.LEVELS else ()

    def _place_column(self, first: int, region: int) -> int | None:
        """Return the column before the units that says what they lie in; it is written once for several rows."""
        last = None
        for c in range(first, region):
            filled = {self._clean.get(cell, "") for cell in self._column(c) if cell is not None}
            known = {name for name in filled if any(name in self._known[level] for level in self._higher())}
            if known and c != self._code_column and all(name in known or _names.is_group(name) for name in filled):
                self.said["within"] = self._where(c)
                last = c
        return last

    def _read_rows(self) -> None:
        regions = self._regions or [None]
        for k, (region, following) in enumerate(zip(regions, [*regions[1:], None], strict=True)):
            first, last = (region or 0) if k else 0, len(self.grid.cells[0]) if following is None else following
            columns = [c for c in self._columns if first <= c < last]
            for r in range(self._start, len(self.grid.cells)):
                row = self.grid.cells[r]
                given = {c: read_number(row[c]) for c in columns if row[c] is not None}
                if row in self._heads:
                    self.leave("again", r, name=self._named[r, region] or "")
                elif given or self._named[r, region] is not None:
                    self._read_row(r, region, given)

    def _read_row(self, r: int, region: int | None, given: dict[int, Number]) -> None:
        name = self._named[r, region]
        text = "" if name is None else plain(_names.whole(name))
        missing = [c for c, number in given.items() if number.value is None and not number.reason]
        if len(missing) == len(given) and (name is None or _NOTE.match(text)):
            self.footnotes += [text] if text else []
            return
        if name is None:
            self.tell("figures without a name: write the unit's name in this row", r)
            return
        found, coded = self._found[r, region], self._coded.get(r)
        named = found.code
        if coded is not None and found.status == "ambiguous" and str(coded) not in found.nearest:
            named = found.nearest
        if coded is not None and named is not None and named != coded:
            reason = f"the code is of {coded}, the name {text!r} of {named}: correct one of them"
            self.stop(reason, r, self._code_column)
            return
        code = named if coded is None else coded
        group = code is None and _names.is_group(name)
        if code is None and not group and not self._keep_unknown(r, region, text, given):
            return
        said = self._read_label(r, text, code)
        facts, problems = self._read_figures(said, given) if said else ([], [])
        if group:
            self.left_out.append(LeftOut(*self.grid.place(r, None), text, _LEFT_OUT["group"], tuple(facts)))
            return
        self.facts += facts
        self.problems += problems
        self._missing.update(plain(self.grid.cells[r][c]) for c in missing if said and (r, c) not in self._covered)

    def _keep_unknown(self, r: int, region: int | None, text: str, given: dict[int, Number]) -> bool:
        """Tell of a name without a code; return whether its figures stand nevertheless."""
        found, place = self._found[r, region], self._within[r, region]
        name, wrong = self._named[r, region], sum(bool(number.reason) for number in given.values())
        figures = any(number.value is not None for number in given.values())
        clean = _names.clean_name(name)
        dated = read_year(name) is not None or (figures and clean.lower() in _ROLES)
        other = self._other_level(clean) if self.level in _names.LEVELS else ""
        if not figures and not wrong and not dated:
            self.leave("empty", r, name=text)
        elif other and self._heads_units(r, region, other):
            self.leave("above", r, name=text)
        elif other:
            reason = f"{text!r} is a {other} in a table of level {self.level}; the row was left out: say level="
            self._tell_unresolved(f"{reason}, or delete it", r, None)
        elif dated or wrong > len(given) / 2:
            self.stop(f"{text!r} is no unit and what follows are words: a second table or head? Keep one table", r)
        elif found.status == "ambiguous":
            reason = f"{text!r} may be {found.nearest}: say level=, name its province or city in a column before it, "
            self.stop(f"{reason}or give its code in a column of its own", r, region)
        elif found.rank:
            reason = f"{text!r} has no code of today ({found.change}): its figures stand without a code"
            self._tell_unresolved(reason, r, region)
            return True
        else:
            near = f" (most like it: {found.nearest})" if found.nearest else ""
            reason = f"{text!r} is no {self.level}{f' in {place}' if place else ''}{near}: correct the name, or "
            self._tell_unresolved(f"{reason}give its code in a column of its own", r, region)
            return True
        return False

    def _heads_units(self, r: int, region: int | None, level: str) -> bool:
        """Whether a unit of a level above stands over one that lies in it."""
        below = self._found.get((r + 1, region))
        if below is None or below.code is None or level not in self._higher():
            return False
        code = str(self._known[level][_names.clean_name(self._named[r, region])].code)
        return str(below.code).startswith(code[:2] if level == "province" else code[:4])

    def _tell_unresolved(self, reason: str, row: int, column: int | None) -> None:
        self.tell(reason, row, column)
        self.unresolved.append(self.problems[-1])

    def _read_label(self, r: int, text: str, code: object) -> _Row | None:
        """Return what a row says of all its figures, or nothing where its year or indicator is not known."""
        row = self.grid.cells[r]
        dated, own, measured = (self._role_columns[role] for role in ("year", "indicator", "unit"))
        year = self._year if dated is None else read_year(row[dated])
        if dated is not None and year is None:
            label = read_label(row[dated])
            if label.undated and self.dated:
                return self.leave("undated", r, name=row[dated])
            said = label.reason or f"{plain(row[dated] or '')!r} is no year"
            return self._drop(said, r, dated)
        label = Label() if own is None else read_label(row[own])
        if own is not None and (label.reason or not label.words):
            return self._drop(label.reason or "no indicator is named in this row", r, own)
        measure = None if measured is None else row[measured]
        unit = None if measure is None else read_unit(measure)
        if measure is not None and unit is None and plain(measure) not in _VALUES:
            self.tell(f"the unit {plain(measure)!r} is not known: say unit=", r, measured)
        return _Row(r, text, code, year or label.year or 0, label.words, unit or label.unit)

    def _read_figures(self, said: _Row, given: dict[int, Number]) -> tuple[list[Fact], list[Problem]]:
        """Return the facts of a row, and what is wrong in its cells."""
        facts, problems, r = list[Fact](), list[Problem](), said.number
        for c, number in given.items():
            reason = number.reason
            if (r, c) in self._covered:
                reason = "merged cells hold one figure for several places: unmerge them; not read"
            elif not reason and number.value is not None:
                found = self._fact(said, c, number)
                facts += [found] if isinstance(found, Fact) else []
                reason = "" if isinstance(found, Fact) else found
            if reason:
                problems.append(self.grid.problem(r, c, reason))
        return facts, problems

    def _fact(self, said: _Row, c: int, number: Number) -> Fact | str:
        """Return the fact of a cell, or why it is none."""
        value, column = number.value or 0.0, self._columns[c]
        words = " ".join(filter(None, (said.words, column.words))) or self._default.words or self.indicator or ""
        # Those of other indicators are not taken and may be of any unit.
        asked = self.indicator in (None, words, as_word(words))
        wanted = self._wanted if asked else None
        places = (said.unit, _IN_ROW), (column.unit, _IN_HEAD), (self._unit, _ABOVE)
        unit, where = next(((unit, where) for unit, where in places if unit), (None, _TOLD))
        if number.percent and unit is None:
            unit, where = read_unit("%"), _WITH_FIGURES
        elif number.percent and unit is not None and unit.base != "1":
            return f"a per cent sign where the unit is {unit.text}: correct the cell or the unit"
        if unit is None:
            unit = wanted
        stated = unit.text if unit else ""
        if wanted is not None:
            self.stated.setdefault(words, set()).add(stated)
        if unit is not None and wanted is not None and unit != wanted:
            if unit.base != wanted.base:
                reason = f"the unit is {unit.text}, which is no {wanted.text}: drop unit=, or choose an indicator"
                self.stop(reason, said.number, c)
                return ""
            value, unit = unit.convert(value, wanted), wanted
        text = unit.text if unit else ""
        if asked:
            self._units.setdefault(stated, where)
        place = self.grid.place(said.number, c)
        return Fact(said.name, said.code, column.year or said.year, words, value, text, number.note, *place)

    def _check_lines_between(self) -> None:
        """Stop at lines between figures that may head figures of another indicator, year or unit."""
        lines = sorted({fact.row for fact in self.facts})
        titles = {_NUMBERED.sub("", title).strip() for title in self._titles} | {""}
        for r, text in self._between:
            line, _ = self.grid.place(r, None)
            said = _NUMBERED.sub("", text).strip()
            group = _names.heads_group(said) and read_label(said).year is None
            between = lines and lines[0] < line < lines[-1]
            if self._regions and not self.grid.turned and between and said not in titles and not group:
                self.stop(f"{text!r} stands between figures: if another table begins there, split the sheet", r)
            else:
                self.leave("line", r, name=text)

    def _choose_indicator(self) -> None:
        named = sorted({fact.indicator for fact in self.facts})
        asked = [self.indicator] if self.indicator in named else [n for n in named if as_word(n) == self.indicator]
        if len(asked) == 1:
            self.facts = [fact for fact in self.facts if fact.indicator == asked[0]]
            where = self.said["indicator"]
            self.said["indicator"] = Phrase(
                f"{where.en}; {asked[0]!r} chosen of {len(named)}",
                f"{where.zh}；从 {len(named)} 个指标中选取“{asked[0]}”",
            )
        elif self.indicator is not None and named:
            self.stop(f"no indicator {self.indicator!r}; the sheet has {', '.join(map(repr, named[:12]))}")

    def _check_repeated(self) -> None:
        seen: dict[tuple, Fact] = {}
        for fact in self.facts:
            first = seen.setdefault((fact.code or fact.name, fact.year, fact.indicator), fact)
            if first is not fact:
                same = "the same figure" if first.value == fact.value else f"{first.value:g} there, {fact.value:g} here"
                reason = f"{fact.name} {fact.year} {fact.indicator} stands in row {first.row}, column {first.column} "
                reason += f"already ({same}): delete one of them"
                self._fatal.append(Problem(self.grid.file, fact.row, reason, fact.column, sheet=self.grid.sheet))
        for indicator in dict.fromkeys(fact.indicator for fact in self.facts if not fact.unit):
            self.tell(f"no unit was found for {indicator!r}: say unit=")

    def _say(self) -> None:
        if found := [(text, where) for text, where in self._units.items() if text]:
            self.said["unit"] = Phrase(
                "; ".join(f"{text} {where.en}" for text, where in found),
                "；".join(f"{text}，{where.zh}" for text, where in found),
            )
        to = self._wanted.text if self._wanted else ""
        if units := sorted(set().union(*self.stated.values()) - {to}):
            en, zh = f"{', '.join(units)} to {to}, by a power of ten", f"由{'、'.join(units)}换算为{to}（十的整数次幂）"
            self.said["converted"] = Phrase(en, zh)
        if self._missing:
            tokens = ", ".join(f"{token!r} {count}" for token, count in self._missing.most_common())
            self.said["missing"] = Phrase(f"cells that say so: {tokens}", f"标为缺失的单元格：{tokens}")
        above = Phrase(f"{self._place}, above the table", f"{self._place}，见表上方")
        self.said["regions"] = self._where(self._regions[0]) if self._regions else above


def _role(column: list[Any]) -> str:
    """Return what the head of a column says that it holds, in Chinese, English or both."""
    for cell in [cell for cell in column if cell is not None][:4]:
        head = plain(cell).lower() if isinstance(cell, str) else ""
        # As one word, without what is written in English behind it, and in Chinese alone.
        for text in (head, re.split(r"\s+[a-z]", head)[0], re.sub("[a-z]", "", head)):
            if found := _ROLES.get(re.sub(r"[\s_.:]", "", text)):
                return found
    return ""

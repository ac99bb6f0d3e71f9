"""From a messy sheet to tidy facts: what was understood, left out and found wrong is told, what is open refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterlib.core.checks import check_choice, parse_years
from clusterlib.core.language import Phrase, say, speaking, spoken
from clusterlib.errors import InvalidInputError, Problem, SheetError, UnknownNameError

if TYPE_CHECKING:
    from clusterlib.data._load import Years
    from clusterlib.data._sheets._layout import LeftOut

FACT_COLUMNS = "name code year indicator value unit note sheet row column".split()
_WORDS = {
    "format": Phrase("format", "格式"),
    "encoding": Phrase("encoding", "编码"),
    "sheet": Phrase("sheet", "工作表"),
    "level": Phrase("level", "层级"),
    "layout": Phrase("layout", "版式"),
    "regions": Phrase("names", "地区名"),
    "within": Phrase("lie in", "所属地区"),
    "codes": Phrase("codes", "代码"),
    "years": Phrase("years", "年份"),
    "indicator": Phrase("indicator", "指标"),
    "unit": Phrase("unit", "单位"),
    "converted": Phrase("converted", "换算"),
    "missing": Phrase("missing", "缺失"),
}


class _Told:
    """What says itself as text, in the language asked or spoken."""

    def _text(self) -> str:
        raise NotImplementedError

    def summary(self, language: str | None = None) -> str:
        """Return it as text, in ``"en"`` or ``"zh"``, by default the language spoken."""
        with speaking(language or spoken()):
            return self._text()

    def __str__(self) -> str:
        return self.summary()


@dataclass(frozen=True)
class Understood(_Told):
    """What was understood of a sheet: where everything stands and what was left out (读表说明)."""

    said: dict[str, Phrase]
    footnotes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    def rows(self) -> list[tuple[str, str]]:
        """Return what was understood and how, in the language spoken."""
        found = [(str(word), str(self.said[key])) for key, word in _WORDS.items() if key in self.said]
        found += [(say("footnote", "脚注"), note) for note in self.footnotes]
        for one in self.left_out:
            row = say(f"row {one.row}", f"第 {one.row} 行") if one.row else ""
            column = say(f"column {one.column}", f"{one.column} 列") if one.column else ""
            name = say(f" ({one.name})", f"（{one.name}）") if one.name else ""
            found.append((say("left out", "未读入"), f"{row}{column}{name}{say(': ', '：')}{one.reason}"))
        return found

    def _text(self) -> str:
        return "\n".join(f"{what}{say(': ', '：')}{how}" for what, how in self.rows())

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(what)}</th><td>{escape(how)}</td></tr>" for what, how in self.rows())
        return f"<table>{rows}</table>"


@dataclass(frozen=True)
class YearbookSheet(_Told):
    """A sheet as tidy facts, with what was understood of it and what is wrong in it (年鉴表)."""

    path: Path
    sha256: str
    sheet: str
    level: str
    source: str
    facts: pd.DataFrame = field(repr=False)
    understood: Understood = field(repr=False)
    problems: list[Problem] = field(repr=False)
    # Those of the problems that are names without a unit of the level.
    unresolved: list[Problem] = field(default_factory=list, repr=False)
    # In which units the sheet gives the figures of which another was asked for, by indicator.
    stated: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def _text(self) -> str:
        coded = self.facts["code"].notna().groupby(self.facts["name"]).all()
        units, lacking = len(coded), int((~coded).sum())
        head = say(
            f"{self.path.name}: {len(self.facts)} facts, {units} names ({lacking} without a code)",
            f"{self.path.name}：{len(self.facts)} 条数据，{units} 个地区名（{lacking} 个没有代码）",
        )
        found = [say(f"{len(self.problems)} problem(s)", f"{len(self.problems)} 个问题"), *map(str, self.problems)]
        return "\n".join([head, self.understood.summary(), *(found if self.problems else [])])

    def _repr_html_(self) -> str:
        head = escape(self.summary().split("\n", 1)[0])
        listed = "".join(f"<li>{escape(str(problem))}</li>" for problem in self.problems)
        return f"<p>{head}</p>{self.understood._repr_html_()}" + (f"<ul>{listed}</ul>" if listed else "")


def read_yearbook(
    path: str | Path,
    *,
    level: str | None = None,
    indicator: str | None = None,
    unit: str | None = None,
    source: str = "",
    sheet: str | None = None,
    years: Years = None,
) -> YearbookSheet:
    """Read a yearbook's sheet or a statistical file as tidy facts (读取年鉴表).

    Exports of the National Bureau of Statistics (csv, xls), workbooks (.xls, .xlsx), text in UTF-8, UTF-16 or GB18030,
    Stata, SPSS and Parquet. Units stand in a column, a row or above the table, years and indicators in the head or a
    column, or above the table. One table is read of a sheet; units are found as :func:`resolve_units` finds them, as of
    the latest year of the sheet, within the province or city that a column before theirs names. Counties without such a
    column lie in the only province that the title names; names that are still of several units lie in the city or
    province whose row stands above theirs, or in that of the title.

    Parameters
    ----------
    path : str or Path
    level : {"province", "city", "county", "economy"}, optional
        By default the one that most names of a column or a row are of; it must be asked for where another may be meant.
    indicator : str, optional
        The one to take of several, as the sheet calls it or with ``_`` for all but letters and digits; what the
        figures are, where the sheet does not say.
    unit : str, optional
        Such as ``"亿元"``: what the figures are in where the sheet does not say, else what they are converted to, by
        a power of ten.
    source : str
        To be cited.
    sheet : str, optional
        The sheet of a workbook that has several.
    years : int, str, slice or list, optional
        The years to take, as in :func:`load_panel`; a single one also says of which year a sheet is that names none.
        Parts and spans of years are then left out.

    Returns
    -------
    YearbookSheet
        ``facts`` (name, code of today or missing, year, indicator, value, unit, footnote mark, sheet, row, column),
        ``understood`` and ``problems``, each with its place: cells that are no figure, names without a code, whose
        figures are facts, and rows of units of another level, whose figures are none. Cells that say that a figure is
        missing make no fact, nor do rows of the nation, a group or a sum, or of a unit over
        those that lie in it, which ``understood`` lists.

    Raises
    ------
    SheetError
        If the file cannot be read, or it is seen that the sheet could be read in more than one way, such as two tables
        one below the other, names of several units, or years that differ between title and head.
    UnknownNameError
        If there is no such level, sheet or year.
    InvalidInputError
        If an argument is of another kind.

    Examples
    --------
    >>> import tempfile, pathlib, clusterlib as cl
    >>> path = pathlib.Path(tempfile.mkdtemp(), "gdp.csv")
    >>> lines = "指标：地区生产总值(亿元)", "地区,2023年,2022年", "上海市,47218.66,44809.13", "江 苏,128222.2,…"
    >>> _ = path.write_text("\\n".join(lines), encoding="gbk")
    >>> cl.data.read_yearbook(path).facts[["name", "code", "year", "value", "unit", "row", "column"]]
      name    code  year      value unit  row column
    0  上海市  310000  2023   47218.66   亿元    3      B
    1  上海市  310000  2022   44809.13   亿元    3      C
    2  江 苏  320000  2023  128222.20   亿元    4      B
    """
    from clusterlib.data._sheets._grid import read_grid
    from clusterlib.data._sheets._layout import Reading

    check_choice("level", level, [None, "province", "city", "county", "economy"])
    for name, value in {"indicator": indicator, "unit": unit, "sheet": sheet}.items():
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise InvalidInputError(f"{name}={value!r}: expected a name, or leave it out")
    wanted = parse_years(years)
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as wrong:
        reason = (
            "there is no such file" if isinstance(wrong, FileNotFoundError) else f"cannot be opened: {wrong.strerror}"
        )
        raise SheetError([Problem(str(path), 0, f"{reason}; check the path", sheet="")]) from None
    grid = read_grid(path, content, sheet)
    single = wanted[0] if wanted is not None and len(set(wanted)) == 1 else None
    reading = Reading(grid, level, indicator, unit, single, wanted is not None)
    reading.read()
    facts = _frame(reading.facts, grid.sheet, reading.level)
    if wanted is not None:
        have = facts["year"]
        chosen = have.isin(wanted) if isinstance(wanted, list) else have.between(*wanted)
        lacking = set(wanted) - set(have) if isinstance(wanted, list) else set()
        if lacking or not chosen.any():
            raise UnknownNameError(
                "year", min(lacking, default=years), sorted(have.unique()), f"looked for in {path.name}"
            )
        facts = facts[chosen].reset_index(drop=True)
    said = {"format": grid.kind, **reading.said}
    said |= {key: Phrase(text, text) for key, text in {"encoding": grid.encoding, "sheet": grid.sheet}.items() if text}
    understood = Understood(said, tuple(reading.footnotes), tuple(reading.left_out))
    digest = hashlib.sha256(content).hexdigest()
    wrong = reading.problems, reading.unresolved
    stated = {text: sorted(units) for text, units in reading.stated.items()}
    return YearbookSheet(path, digest, grid.sheet, str(reading.level), source, facts, understood, *wrong, stated)


def _frame(found: list[Any], sheet: str, level: str | None) -> pd.DataFrame:
    facts = pd.DataFrame([vars(fact) for fact in found]).assign(sheet=sheet)[FACT_COLUMNS]
    facts["code"] = facts["code"].astype("string" if level == "economy" else "Int64")
    return facts.astype({"year": "int64", "value": "float64", "row": "int64"})

"""What the checks of a sheet found, as a table, a text and a page (导入前检查结果)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pandas as pd

from clusterlib.core.files import write_text
from clusterlib.core.hypertext import ALONE
from clusterlib.core.language import Phrase, say, speaking, spoken

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
}
_SEVERITIES = {"error": Phrase("error", "错误"), "warning": Phrase("warning", "警告")}
_SHOWN = {"text": 5, "page": 500}
_STYLE = (
    "body{max-width:60rem;margin:auto;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:#222;background:#fff}"
    "div{overflow-x:auto}table{border-collapse:collapse;border-top:2px solid;border-bottom:2px solid}"
    "thead{border-bottom:1px solid}th,td{padding:.25rem .6rem;text-align:left;vertical-align:top}"
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

    def _head(self) -> list[str]:
        errors, warnings = len(self.errors), len(self.warnings)
        head = say(
            f"{self.file}: {self.figures} figures checked, {errors} error(s), {warnings} warning(s)",
            f"{self.file}：检查 {self.figures} 个数据，{errors} 个错误，{warnings} 个警告",
        )
        return [head, *map(str, self.unchecked)]

    def _by_check(self, shown: int) -> Iterator[tuple[str, pd.DataFrame, str]]:
        """Yield title, first findings and how many more there are of each check that found something."""
        for check, title in CHECKS.items():
            rows = self.findings[self.findings["check"] == check]
            more = len(rows) - shown
            if len(rows):
                left = say(f"and {more} more", f"另有 {more} 条") if more > 0 else ""
                yield say(f"{title} ({len(rows)})", f"{title}（{len(rows)}）"), rows[:shown], left

    def summary(self, language: str | None = None) -> str:
        """Return what was found as text, in ``"en"`` or ``"zh"``, by default the language spoken."""
        with speaking(spoken() if language is None else language):
            lines = self._head()
            form = say(
                "row {row}, column {column}, {name} {year}: {reason}", "第{row}行{column}列，{name}{year}年：{reason}"
            )
            for title, rows, left in self._by_check(_SHOWN["text"]):
                told = [form.format(**{str(k): value for k, value in row.items()}) for row in rows.to_dict("records")]
                lines += [title, *(f"  {line}" for line in [*told, left] if line)]
            return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def _html(self, shown: int) -> str:
        heads = [
            say("severity", "程度"), say("cell", "单元格"), say("unit", "地区"), say("year", "年份"),
            say("value", "数值"), say("expected", "参照值"), say("reason", "说明"),
        ]  # fmt: skip
        parts = [f"<p>{escape(line)}</p>" for line in self._head()]
        for title, rows, left in self._by_check(shown):
            severity, cell = rows["severity"].map(_SEVERITIES), rows["column"] + rows["row"].astype(str)
            table = pd.concat([severity, cell, rows[["name", "year", "value", "expected", "reason"]]], axis=1)
            with pd.option_context("display.max_colwidth", None):
                shape = {"index": False, "na_rep": "–", "border": 0, "justify": "left"}
                html = table.set_axis(heads, axis=1).to_html(float_format="{:.10g}".format, **shape)
            parts.append(f"<h2>{escape(title)}</h2><div>{html}</div><p>{escape(left)}</p>")
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

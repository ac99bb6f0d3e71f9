"""Finish a Word file: three-line tables (三线表), Song type for Chinese, Times for Latin, no blue headings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from clusterlib.report._document import Document

LATIN, CHINESE, CHINESE_HEAD = "Times New Roman", "宋体", "黑体"
_HEAVY, _LIGHT = "12", "6"  # eighths of a point
_PAGE = 9000  # width of the text in twentieths of a point


def finish(path: Path, said: Document | None = None) -> None:
    """Set type, tables and metadata of a Word file that Pandoc made, in place."""
    import docx

    document = docx.Document(str(path))
    if said is not None:
        properties = document.core_properties
        properties.title, properties.language = said.title, said.language
        properties.author, properties.keywords = "; ".join(said.authors), "; ".join(said.keywords)
    for style in document.styles:
        if (hasattr(style, "font") and style.element.rPr is not None) or style.name == "Normal":
            _set_face(style)
    for table in document.tables:
        _three_lines(table)
        _fit(table)
    document.save(str(path))


def _set_face(style: Any) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    head = style.name.startswith(("Heading", "Title", "Subtitle"))
    style.font.name = LATIN
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.set(qn("w:eastAsia"), CHINESE_HEAD if head else CHINESE)
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    if head:
        style.font.color.rgb = RGBColor(0, 0, 0)
    if style.name == "Table Note":
        style.font.size = Pt(9)
    if "Caption" in style.name:
        style.font.italic, style.font.size = False, Pt(9)
        style.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER


def _three_lines(table: Any) -> None:
    # Word wants them in this order.
    edges = dict.fromkeys(("top", "left", "bottom", "right", "insideH", "insideV"))
    _set_borders(table._tbl.tblPr, "w:tblBorders", edges | {"top": _HEAVY, "bottom": _HEAVY})
    for cell in table.rows[0].cells:
        _set_borders(cell._tc.get_or_add_tcPr(), "w:tcBorders", {"bottom": _LIGHT})


def _set_borders(properties: Any, name: str, edges: dict[str, str | None]) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for old in properties.findall(qn(name)):
        properties.remove(old)
    borders = OxmlElement(name)
    for edge, size in edges.items():
        borders.append(_border(edge, size))
    properties.append(borders)


def _fit(table: Any) -> None:
    """Give each column the share of the page that its longest text asks for: Pandoc makes all equally wide."""
    from docx.oxml.ns import qn
    from docx.shared import Pt
    from docx.text.run import Run

    cells = [row.cells for row in table.rows]
    asked = [min(28, 4 + max(_length(row[i].text) for row in cells)) for i in range(len(table.columns))]
    widths = [round(_PAGE * share / max(sum(asked), 70)) for share in asked]
    table.autofit = False
    for column, width in zip(table._tbl.tblGrid.findall(qn("w:gridCol")), widths, strict=True):
        column.set(qn("w:w"), str(width))
    for row in cells:
        for cell, width in zip(row, widths, strict=True):
            size = cell._tc.get_or_add_tcPr().get_or_add_tcW()
            size.set(qn("w:type"), "dxa")
            size.set(qn("w:w"), str(width))
            # Runs within links are not among the paragraphs' own.
            for run in cell._tc.iter(qn("w:r")):
                Run(run, table).font.size = Pt(8)


def _length(text: str) -> int:
    """Width of a text in Latin letters; a Chinese character takes two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _border(edge: str, size: str | None) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    border = OxmlElement(f"w:{edge}")
    border.set(qn("w:val"), "single" if size else "nil")
    if size:
        border.set(qn("w:sz"), size)
        border.set(qn("w:space"), "0")
        border.set(qn("w:color"), "000000")
    return border

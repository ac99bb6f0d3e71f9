"""The recorded tables of a notebook in one Word file, as three-line tables (三线表) for a text of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from clusterlib.core.language import say, speaking
from clusterlib.core.tables import Cells, write_notes
from clusterlib.report._word import _fit, _fix_times, _keep_together, _set_face, _three_lines


def write_tables(path: Path, records: Iterable[dict[str, Any]], language: str) -> None:
    """Write the tables among records, each with its caption above and its note and source below.

    Nothing is written where there is none. A head stands again on every page that its table runs over.

    Parameters
    ----------
    path : Path
    records : iterable of dict
        Of ``results.json``.
    language : {"en", "zh"}
    """
    ending = "_zh" if language == "zh" else ""
    tables = [entry for entry in records if entry["kind"] == "table" and entry.get(f"shown{ending}")]
    if not tables:
        return
    import docx
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml import parse_xml
    from docx.shared import Pt, RGBColor
    from docx.table import Table

    document = docx.Document()
    document.styles.add_style("Table Note", WD_STYLE_TYPE.PARAGRAPH)
    for name, before, after in (("Normal", 0, 0), ("Caption", 14, 4), ("Table Note", 3, 8)):
        style: Any = document.styles[name]
        style.font.bold, style.font.color.rgb = name == "Caption", RGBColor(0, 0, 0)
        style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(before), Pt(after)
        _set_face(style)
    with speaking(language):
        for entry in tables:
            caption = document.add_paragraph(entry.get(f"label_{language}") or entry["name"], style="Caption")
            caption.paragraph_format.keep_with_next = True
            element = parse_xml(_table_xml(Cells(**entry[f"shown{ending}"])))
            caption._p.addnext(element)
            table = Table(element, document._body)
            _three_lines(table)
            _fit(table)
            notes = write_notes(*(entry.get(f"{part}{ending}", "") for part in ("unit", "note", "source")))
            document.add_paragraph(say("; ", "；").join(notes), style="Table Note")
            _keep_together(table)
    core = document.core_properties
    core.title, core.author, core.comments = say("Tables", "表"), "", ""
    # When it was made is no part of what it says.
    for child in [child for child in core._element if child.tag.endswith(("}created", "}modified"))]:
        core._element.remove(child)
    document.save(str(path))
    _fix_times(path)


def _table_xml(cells: Cells) -> str:
    """Return a table as Word's XML: adding cells one by one takes a hundred times as long."""
    from docx.oxml.ns import nsdecls

    sides = ["left" if align == "left" else "right" for align in cells.align]

    def row(texts: list[str], first: str = "") -> str:
        inner = "".join(
            f'<w:tc><w:tcPr><w:tcW w:w="0" w:type="auto"/></w:tcPr><w:p><w:pPr><w:jc w:val="{side}"/></w:pPr>'
            f'<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p></w:tc>'
            for text, side in zip(texts, sides, strict=True)
        )
        return f"<w:tr>{first}{inner}</w:tr>"

    head = row(cells.heads, "<w:trPr><w:tblHeader/></w:trPr>")
    grid = '<w:gridCol w:w="0"/>' * len(cells.heads)
    return (
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="0" w:type="auto"/></w:tblPr><w:tblGrid>{grid}</w:tblGrid>'
        f"{head}{''.join(map(row, cells.rows))}</w:tbl>"
    )

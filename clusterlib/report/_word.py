"""Finish a Word file: fields and contents, three-line tables (三线表), Song type for Chinese, Times for Latin."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from clusterlib.report._document import WORDS, found, is_paper, running_title, text_width

if TYPE_CHECKING:
    from clusterlib.report._document import Document

LATIN, CHINESE, CHINESE_HEAD = "Times New Roman", "宋体", "黑体"
_HEAVY, _LIGHT = "12", "6"  # eighths of a point
_PAGE = 9071  # width of the text on A4 in twentieths of a point
# Rows of a table that stays on one page.
_SHORT = 14
# What fills the room behind a figure, of three digits' width: a star is as wide as a digit, a parenthesis two thirds.
_DIGIT, _SIXTH = "\N{FIGURE SPACE}", "\N{SIX-PER-EM SPACE}"
_BEHIND = {"": 3 * _DIGIT, "*": 2 * _DIGIT, "**": _DIGIT, "***": "", ")": 2 * _DIGIT + _SIXTH}
# Word's own bookmarks take any number that Pandoc's do not.
_FIRST_MARK, _FIRST_HEADING = 100_000, 200_000
# Points of the styles' type.
_SIZES = {
    "Normal": 10.5, "Title": 16, "Author": 11, "Abstract": 9.5, "Heading 1": 14, "Heading 2": 12, "Heading 3": 10.5,
    "Caption": 9, "Table Caption": 9, "Image Caption": 9, "Table Note": 8.5, "Bibliography": 9,
    "TOC Heading": 12, "toc 1": 10, "toc 2": 10, "Header": 8.5, "Footer": 9,
}  # fmt: skip
# Points before and after.
_SPACE = {
    "Body Text": (0, 6), "First Paragraph": (0, 6), "Compact": (1, 1), "Author": (4, 8), "Abstract": (0, 4),
    "Heading 1": (16, 8), "Heading 2": (12, 6), "Table Caption": (8, 4), "Image Caption": (3, 4),
    "Table Note": (3, 10), "Caption": (0, 6), "Bibliography": (0, 3), "Captioned Figure": (8, 0),
    "toc 1": (2, 0), "toc 2": (0, 0),
}  # fmt: skip
# What stands after an element where Word's schema fixes the order.
_AFTER_BORDERS = {
    "w:tblBorders": "shd tblLayout tblCellMar tblLook tblCaption tblDescription tblPrChange",
    "w:tcBorders": "shd noWrap tcMar textDirection tcFitText vAlign hideMark headers cellIns cellDel cellMerge",
}


def add_fields(blocks: list, document: Document) -> None:
    """Make numbers of captions and references to them fields of Word, and set contents before the first heading.

    Parameters
    ----------
    blocks : list
        Of Pandoc's JSON; changed in place.
    document : Document
        A paper has contents.
    """
    for span in found(blocks, "Span"):
        if "behind" in span["c"][0][1]:
            shown = "".join(part["c"] for part in span["c"][1])
            span["c"][1].append({"t": "Str", "c": _BEHIND[shown]})
    labels: dict[str, str] = {}
    for kind, word in (("Figure", "figure"), ("Table", "table")):
        for block in found(blocks, kind):
            caption = block["c"][1][1]
            if caption and _number_caption(caption[0]["c"], WORDS[document.language][word], word, block["c"][0][0]):
                labels[block["c"][0][0]] = _mark(block["c"][0][0])
    for link in found(blocks, "Link"):
        target = link["c"][2][0]
        if target[1:] in labels and [part["t"] for part in link["c"][1]] != ["RawInline"]:
            shown = "".join(part.get("c", " ") for part in link["c"][1] if part["t"] in ("Str", "Space"))
            link["c"][1] = [_raw(_field(f"REF {labels[target[1:]]} \\h", shown))]
    first = next((place for place, block in enumerate(blocks) if block["t"] == "Header"), None)
    if first is not None and is_paper(blocks):
        blocks.insert(first, {"t": "RawBlock", "c": ["openxml", _contents(blocks, document.language)]})


def _number_caption(inlines: list, word: str, kind: str, label: str) -> bool:
    """Replace the number at the head of a caption by a field that counts, within a bookmark to refer to."""
    head = re.match(rf"{word} (\d+)", "".join(part.get("c", " ") for part in inlines[:3] if part["t"] in _PLAIN))
    if head is None or not label:
        return False
    left = head.end()
    while left:
        text = inlines[0].get("c", " ")
        if len(text) > left:
            inlines[0]["c"], left = text[left:], 0
        else:
            left -= len(inlines.pop(0) and text)
    place = _FIRST_MARK + int(head[1]) * 2 + (kind == "table")
    number = _run(f"{word} ") + _field(f"SEQ {kind.title()} \\* ARABIC", head[1])
    xml = f'<w:bookmarkStart w:id="{place}" w:name="{_mark(label)}"/>{number}<w:bookmarkEnd w:id="{place}"/>'
    inlines.insert(0, _raw(xml))
    return True


_PLAIN = ("Str", "Space")


def _mark(label: str) -> str:
    """Return the name of a bookmark, which may hold letters, digits and underscores only, and no more than forty."""
    return "_Ref_" + re.sub(r"\W", "_", label)[:35]


def _contents(blocks: list, language: str) -> str:
    """Return contents of which each line has a field for its page.

    LibreOffice fills in such fields when it opens a file, but not those within Word's own contents field; Word fills in
    either once it is told to bring fields up to date, as :func:`finish` does.
    """
    entries = [block["c"] for block in blocks if block["t"] == "Header" and block["c"][0] <= 2]
    lines = []
    for number, (level, _, inlines) in enumerate(entries, _FIRST_HEADING):
        text = "".join(part["c"] if part["t"] == "Str" else " " for part in inlines)
        # A mark of its own: Pandoc shortens long names of headings, and Word takes no more than forty characters.
        inlines.insert(0, _raw(f'<w:bookmarkStart w:id="{number}" w:name="_Toc{number}"/>'))
        inlines.append(_raw(f'<w:bookmarkEnd w:id="{number}"/>'))
        page = "<w:r><w:tab/></w:r>" + _field(f"PAGEREF _Toc{number} \\h", "")
        lines.append(
            f'<w:p><w:pPr><w:pStyle w:val="TOC{level}"/></w:pPr>'
            f'<w:hyperlink w:anchor="_Toc{number}" w:history="1">{_run(text)}{page}</w:hyperlink></w:p>'
        )
    head = f'<w:p><w:pPr><w:pStyle w:val="TOCHeading"/></w:pPr>{_run(WORDS[language]["contents"])}</w:p>'
    gallery = '<w:docPartObj><w:docPartGallery w:val="Table of Contents"/><w:docPartUnique/></w:docPartObj>'
    return f"<w:sdt><w:sdtPr>{gallery}</w:sdtPr><w:sdtContent>{head}{''.join(lines)}</w:sdtContent></w:sdt>"


def _raw(xml: str) -> dict:
    return {"t": "RawInline", "c": ["openxml", xml]}


def _run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


_END = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'


def _begin(instruction: str) -> str:
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {escape(instruction)} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    )


def _field(instruction: str, shown: str) -> str:
    return _begin(instruction) + _run(shown) + _END


def finish(path: Path, said: Document | None = None) -> None:
    """Set type, pages, tables and metadata of a Word file that Pandoc made, in place."""
    import docx

    document = docx.Document(str(path))
    language = said.language if said else "en"
    _add_styles(document)
    for style in document.styles:
        if hasattr(style, "font"):
            _set_face(style)
    _set_paragraphs(document, language)
    for table in document.tables:
        _three_lines(table)
        _fit(table)
        _keep_together(table)
        _set_apart(table)
    if said is not None:
        _set_page(document, running_title(said.title))
        properties = document.core_properties
        properties.title, properties.language = said.title, said.language
        properties.author, properties.keywords = "; ".join(said.authors), "; ".join(said.keywords)
    if document.element.xpath(".//w:sdt"):
        _bring_fields_up_to_date(document)
    # When it was made is no part of what it says: the same report makes the same file.
    core = document.core_properties._element
    for child in [child for child in core if child.tag.endswith(("}created", "}modified"))]:
        core.remove(child)
    document.save(str(path))
    _fix_times(path)


def _bring_fields_up_to_date(document: Any) -> None:
    """Let Word ask, when it opens the file, whether to fill in the pages of the contents."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    asked = OxmlElement("w:updateFields")
    asked.set(qn("w:val"), "true")
    settings = document.settings.element
    # Word's schema fixes what stands after it.
    later = ("footnotePr", "endnotePr", "compat", "docVars", "rsids", "themeFontLang", "clrSchemeMapping")
    settings.insert_element_before(asked, *(f"w:{name}" for name in later))


def _fix_times(path: Path) -> None:
    """Write the parts of a file anew without the time at which each was written."""
    with zipfile.ZipFile(path) as file:
        parts = [(name, file.read(name)) for name in file.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts:
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _add_styles(document: Any) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_TAB_ALIGNMENT, WD_TAB_LEADER
    from docx.shared import Pt, Twips

    known = {style.name for style in document.styles}
    for name in ("toc 1", "toc 2", "Header", "Footer"):
        if name not in known:
            style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH, builtin=True)
            style.base_style = document.styles["Normal"]
    for level in (1, 2):
        style = document.styles[f"toc {level}"]
        style.element.set(style.element.nsmap["w"].join("{}") + "styleId", f"TOC{level}")
        style.paragraph_format.left_indent = Pt(18 * (level - 1))
        style.paragraph_format.tab_stops.add_tab_stop(Twips(_PAGE), WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS)


def _set_face(style: Any) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    # The built-in names of styles are in small letters in the file.
    name = style.name
    head = name.startswith(("Heading", "Title", "Subtitle", "TOC Heading"))
    style.font.name = LATIN
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.set(qn("w:eastAsia"), CHINESE_HEAD if head else CHINESE)
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    # Numbers lead to the appendix: a colour for each would make a page of them.
    if head or name == "Hyperlink":
        style.font.color.rgb = RGBColor(0, 0, 0)
    if "Caption" in name:
        style.font.italic = False
    if name in _SIZES:
        style.font.size = Pt(_SIZES[name])
        for size in style.element.rPr.findall(qn("w:szCs")):
            size.set(qn("w:val"), str(round(2 * _SIZES[name])))


def _set_paragraphs(document: Any, language: str) -> None:
    """Set indents, space and what stays together; Chinese paragraphs begin two characters in."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Pt

    styles = {style.name: style for style in document.styles if hasattr(style, "paragraph_format")}
    for name, (before, after) in _SPACE.items():
        if name in styles:
            form = styles[name].paragraph_format
            form.space_before, form.space_after = Pt(before), Pt(after)
    for name in ("Title", "Author", "Caption", "Table Caption", "Image Caption", "Captioned Figure"):
        styles[name].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for name in ("Body Text", "First Paragraph", "Abstract"):
        styles[name].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
    for name in ("Table Caption", "Captioned Figure", "Image Caption", "Heading 1", "Heading 2", "Heading 3"):
        styles[name].paragraph_format.keep_with_next = True
    # The abstract may run over a page; Pandoc keeps its parts whole and together.
    form = styles["Abstract"].paragraph_format
    form.keep_with_next = form.keep_together = False
    form.left_indent = form.right_indent = Pt(21)
    form = styles["Bibliography"].paragraph_format
    form.left_indent, form.first_line_indent = Pt(21), Pt(-21)
    # Lists, cells and notes take no part in the indent.
    for name in {"Compact", "Table Note"} & set(styles):
        styles[name].base_style = styles["Normal"]
    if language == "zh":
        for name in ("Body Text", "First Paragraph"):
            styles[name].paragraph_format.first_line_indent = Pt(21)
            styles[name].element.pPr.find(qn("w:ind")).set(qn("w:firstLineChars"), "200")
    for paragraph in document.paragraphs:
        if paragraph._p.pPr is not None and paragraph._p.pPr.numPr is not None:
            paragraph.style = styles["Compact"]
    # Less room beside the words of a cell than Word's own.
    for margin in document.styles.element.xpath(".//w:tblCellMar/w:left | .//w:tblCellMar/w:right"):
        margin.set(qn("w:w"), "70")
    for spoken in document.styles.element.iter(qn("w:lang")):
        spoken.set(qn("w:val"), "zh-CN" if language == "zh" else "en-GB")


def _set_page(document: Any, title: str) -> None:
    """Set A4, the title above every page but the first, and the page's number below each."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Cm

    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(2.5)
    section.header_distance = section.footer_distance = Cm(1.5)
    section.different_first_page_header_footer = True
    section.first_page_header.is_linked_to_previous = False
    head = section.header.paragraphs[0]
    head.style, head.text, head.alignment = document.styles["Header"], title, WD_ALIGN_PARAGRAPH.CENTER
    for foot in (section.footer, section.first_page_footer):
        paragraph = foot.paragraphs[0]
        paragraph.style, paragraph.alignment = document.styles["Footer"], WD_ALIGN_PARAGRAPH.CENTER
        for run in parse_xml(f"<w:p {nsdecls('w')}>{_field('PAGE', '1')}</w:p>"):
            paragraph._p.append(run)


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
    properties.insert_element_before(borders, *(f"w:{after}" for after in _AFTER_BORDERS[name].split()))


def _fit(table: Any) -> None:
    """Give each column what its longest word and text ask for: Pandoc makes all equally wide where it sets none."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.oxml.ns import qn
    from docx.shared import Pt
    from docx.text.run import Run

    cells = [row.cells for row in table.rows]
    grid = table._tbl.tblGrid.findall(qn("w:gridCol"))
    if table._tbl.tblPr.find(qn("w:tblW")).get(qn("w:type")) == "pct":
        asked = [int(column.get(qn("w:w"))) for column in grid]
        widths = [round(_PAGE * share / sum(asked)) for share in asked]
    else:
        asked = [min(60, 4 + max(text_width(row[i].text) for row in cells)) for i in range(len(grid))]
        widths = [round(_PAGE * share / max(sum(asked), 70)) for share in asked]
    table.autofit = False
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    _set_width(table._tbl.tblPr.find(qn("w:tblW")), sum(widths))
    for column, width in zip(grid, widths, strict=True):
        column.set(qn("w:w"), str(width))
    size = Pt(7 if _holds_numbers(table) else 8.5)
    for row in cells:
        for cell, width in zip(row, widths, strict=True):
            _set_width(cell._tc.get_or_add_tcPr().get_or_add_tcW(), width)
            # Runs within links are not among the paragraphs' own.
            for run in cell._tc.iter(qn("w:r")):
                Run(run, table).font.size = size


def _set_width(element: Any, width: int) -> None:
    from docx.oxml.ns import qn

    element.set(qn("w:type"), "dxa")
    element.set(qn("w:w"), str(width))


def _holds_numbers(table: Any) -> bool:
    """Whether a table is the one that numbers in the text lead to."""
    return any(re.fullmatch(r"n\d+", name) for name in table._tbl.xpath(".//w:bookmarkStart/@w:name"))


def _keep_together(table: Any) -> None:
    """Break no row over pages, and no short table; what a table is about stands again at the head of each page."""
    from docx.oxml import OxmlElement
    from docx.text.paragraph import Paragraph

    rows, noted = table.rows, _has_note(table)
    for place, row in enumerate(rows):
        row._tr.get_or_add_trPr().insert(0, OxmlElement("w:cantSplit"))
        # The last row stays with the note, if there is one.
        if place < 2 or (len(rows) <= _SHORT and (noted or place < len(rows) - 1)):
            for paragraph in row._tr.xpath(".//w:p"):
                Paragraph(paragraph, table).paragraph_format.keep_with_next = True


def _set_apart(table: Any) -> None:
    """Leave room between a table without a note and the text below it."""
    from docx.oxml.ns import qn
    from docx.shared import Pt
    from docx.text.paragraph import Paragraph

    follows = _below(table)
    if follows is not None and follows.tag == qn("w:p") and not _has_note(table):
        Paragraph(follows, table).paragraph_format.space_before = Pt(10)


def _has_note(table: Any) -> bool:
    from docx.oxml.ns import qn

    follows = _below(table)
    return follows is not None and follows.tag == qn("w:p") and follows.style == "TableNote"


def _below(table: Any) -> Any:
    """Return what stands below a table, past the marks between them."""
    from docx.oxml.ns import qn

    follows = table._tbl.getnext()
    while follows is not None and follows.tag in (qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        follows = follows.getnext()
    return follows


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

"""A file as a grid of cells: text and encoding, workbooks, statistical files; nothing in it is executed."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clusterlib.core.extras import extra
from clusterlib.core.language import Phrase
from clusterlib.data._sheets._cells import Odd
from clusterlib.errors import MissingExtraError, Problem, SheetError, UnknownNameError

MOST_BYTES, MOST_UNPACKED, MOST_CELLS = 50_000_000, 200_000_000, 2_000_000
_KEPT = re.compile(r'^\s*="?([^"=()]*)"?\s*$')
# A cell, its formula and its stored value; read in one pass, whatever is left open or nested.
_TAG = re.compile(rb"<(?:\w+:)?([cfv])\b([^<>]*)>([^<]*)")
_AT = re.compile(rb"\br=\"([A-Z]{1,3})(\d{1,7})\"")
_NO_STORED = Odd("a formula without a stored value: open the file in a spreadsheet and save it")
_ERROR = "the spreadsheet's error {} stands here: correct the formula or leave the cell empty"
# Error values of the older format by their number.
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


@dataclass(frozen=True)
class Grid:
    """The cells of one sheet by row and column, and what is needed to name a place in it."""

    file: str
    kind: Phrase
    cells: list[list[Any]]
    sheet: str = ""
    encoding: str = ""
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    # Statistical files count observations, and their two head rows are made of names and labels.
    first_row: int = 1
    turned: bool = False

    def place(self, row: int | None, column: int | None) -> tuple[int, str]:
        """Return the row's number, or 0, and the column's name, or nothing, as the file's program shows them."""
        if self.turned:
            row, column = column, row
        name = "" if column is None else self.variables[column] if self.variables else letters(column)
        return (0 if row is None else row + self.first_row), name

    def problem(self, row: int | None, column: int | None, reason: str) -> Problem:
        """Return what is wrong in a cell, a whole row or a whole column."""
        line, name = self.place(row, column)
        return Problem(self.file, line, reason, name, sheet=self.sheet)

    def columns(self) -> list[list[Any]]:
        """Return the cells by column."""
        return [list(column) for column in zip(*self.cells, strict=True)]

    def covered(self) -> dict[tuple[int, int], Any]:
        """Return the places of merged cells, with what the first of them holds."""
        return {
            (r, c): self.cells[top][left]
            for top, left, bottom, right in self.merged
            for r in range(top, bottom + 1)
            for c in range(left, right + 1)
        }

    def transposed(self) -> Grid:
        """Return the grid with rows and columns exchanged, places named as before."""
        merged = [(left, top, right, bottom) for top, left, bottom, right in self.merged]
        return replace(self, cells=self.columns(), merged=merged, turned=True)


def letters(column: int) -> str:
    """Return what a spreadsheet calls a column.

    Examples
    --------
    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _refuse(file: str, reason: str, sheet: str = "") -> SheetError:
    return SheetError([Problem(file, 0, reason, sheet=sheet)])


def _limit(file: str, rows: int, columns: int, sheet: str = "") -> None:
    if rows * columns > MOST_CELLS:
        raise _refuse(
            file,
            f"{rows:,} rows by {columns:,} columns are more than {MOST_CELLS:,} cells: keep the part that is needed "
            "(a stray entry or format far out makes a sheet large: delete what lies beyond the table)",
            sheet,
        )


def _guarded(file: str, what: str, read: Callable[[], Any]) -> Any:
    """Return what a library reads, or say that it could not: damaged files make libraries fail in many ways."""
    try:
        return read()
    except (SheetError, UnknownNameError, MissingExtraError):
        raise
    except BaseException as wrong:  # a panic of compiled code is no Exception
        if isinstance(wrong, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        said = " ".join(str(wrong).split())[:120] or type(wrong).__name__
        raise _refuse(file, f"cannot be read as {what} ({said}): open it in its program and save it again") from None


def read_grid(path: Path, content: bytes, sheet: str | None) -> Grid:
    """Read a file by what it holds, whatever its name ends in.

    Raises
    ------
    SheetError
        If it is none of the formats, damaged, protected or too large, or has several sheets and none was named.
    UnknownNameError
        If it has no sheet of this name.
    """
    file = path.name
    if len(content) > MOST_BYTES:
        raise _refuse(
            file, f"{len(content):,} bytes: files up to {MOST_BYTES:,} are read; keep the part that is needed"
        )
    if not content.strip():
        raise _refuse(file, "the file is empty")
    if content[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        return _guarded(file, "a workbook", lambda: _read_workbook(file, content, sheet))
    if sheet is not None:
        raise _refuse(file, f"sheet={sheet!r} was asked for, but only workbooks (.xls, .xlsx) have sheets")
    if content[:4] == b"PAR1":
        return _guarded(file, "a Parquet file", lambda: _read_parquet(file, content))
    if content[:4] in (b"$FL2", b"$FL3"):
        return _guarded(file, "an SPSS file", lambda: _read_statistics(file, path, "read_sav", "SPSS"))
    if content[:11] == b"<stata_dta>" or (path.suffix.lower() == ".dta" and content[0] in range(102, 116)):
        return _guarded(file, "a Stata file", lambda: _read_statistics(file, path, "read_dta", "Stata"))
    if re.match(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype|html|table|\?xml)", content[:200], re.IGNORECASE):
        raise _refuse(file, "this is a web page or XML whatever its name says: open it in a spreadsheet, save as .xlsx")
    return _read_text(file, content)


def _decode(file: str, content: bytes) -> tuple[str, str]:
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    named = [encoding for mark, encoding in marks if content.startswith(mark)]
    if not named and content[:400].count(0) > len(content[:400]) / 5:
        named = ["utf-16-le" if content[1:400:2].count(0) > content[0:400:2].count(0) else "utf-16-be"]
    for encoding in named or ["utf-8", "gbk", "gb18030"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if found := re.search("[\x00-\x08\x0e-\x1f\x7f\ufffd\ue000-\uf8ff]", text):
            line = text.count("\n", 0, found.start()) + 1
            reason = f"the character {found[0]!r} has no place in a table: the file is damaged or of another encoding"
            raise SheetError([Problem(file, line, reason, sheet="")])
        return text, encoding
    raise _refuse(file, f"the text is not {' nor '.join(named or ['UTF-8', 'GB18030'])}: save it again as UTF-8")


def _read_text(file: str, content: bytes) -> Grid:
    text, encoding = _decode(file, content)
    start = [line for line in text.splitlines()[:200] if line.strip()]
    counts = {mark: sum(mark in line for line in start) + sum(line.count(mark) for line in start) for mark in ",\t;"}
    mark = max(counts, key=lambda one: counts[one])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            # ="330100" is how a text is kept from being read as a number.
            rows.append([_KEPT.sub(r"\1", cell) for cell in row])
            _limit(file, len(rows), max(len(rows[0]), len(row)))
    except csv.Error as wrong:
        raise SheetError(
            [Problem(file, len(rows) + 1, f"not valid csv: {wrong}; close the quotation", sheet="")]
        ) from None
    _limit(file, len(rows), max(map(len, rows)))
    names = {",": ("commas", "逗号"), "\t": ("tabs", "制表符"), ";": ("semicolons", "分号")}
    return Grid(
        file, Phrase(f"text, parted by {names[mark][0]}", f"文本，{names[mark][1]}分隔"), _even(rows), encoding=encoding
    )


def _even(rows: list[list[Any]]) -> list[list[Any]]:
    """Return rows of one length, cells without text as None."""
    width = max(map(len, rows), default=0)
    return [
        [None if isinstance(cell, str) and not cell.strip() else cell for cell in row] + [None] * (width - len(row))
        for row in rows
    ]


@dataclass
class _Extent:
    """How far a sheet reaches, and cells that hold an error, no stored value, or, as None, a share shown with %."""

    rows: int = 0
    columns: int = 0
    odd: dict[tuple[int, int], Odd | None] = field(default_factory=dict)

    def reach(self, rows: int, columns: int) -> None:
        self.rows, self.columns = max(self.rows, rows), max(self.columns, columns)


def _read_workbook(file: str, content: bytes, sheet: str | None) -> Grid:
    with extra("data"):
        import python_calamine

    ending, extents = (".xlsx", _scan_archive(file, content)) if content[:2] == b"PK" else (".xls", _scan_old(content))
    # The library makes room for whatever reaches far, in the older format for all sheets at once.
    for name, extent in extents.items() if ending == ".xls" else ():
        _limit(file, extent.rows, extent.columns, name)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    names = [meta.name for meta in book.sheets_metadata if str(meta.typ).endswith("WorkSheet")]
    shown = [meta.name for meta in book.sheets_metadata if meta.name in names and str(meta.visible).endswith("Visible")]
    if sheet is None:
        if len(shown) > 1:
            shown = [name for name in shown if name not in extents or extents[name].rows]
        if len(shown) != 1:
            listed = ", ".join(map(repr, shown or names)) or "none"
            raise _refuse(file, f"the workbook has these sheets: {listed}; name one with sheet=")
        sheet = shown[0]
    elif sheet not in names:
        raise UnknownNameError("sheet", sheet, names)
    extent = extents.get(sheet, _Extent())
    _limit(file, extent.rows, extent.columns, sheet)
    found = book.get_sheet_by_name(sheet)
    _limit(file, found.total_height, found.total_width, sheet)
    cells = _even(found.to_python(skip_empty_area=False))
    if not cells:
        raise _refuse(file, "the sheet is empty", sheet)
    cells += [[None] * len(cells[0]) for _ in range(max((row for row, _ in extent.odd), default=0) + 1 - len(cells))]
    for (row, column), instead in extent.odd.items():
        cells[row] += [None] * (column + 1 - len(cells[row]))
        cells[row][column] = f"{cells[row][column] * 100:.15g}%" if instead is None else instead
    cells = _even(cells)
    last, wide = len(cells) - 1, len(cells[0]) - 1
    ranges = [(top, left, min(bottom, last), min(right, wide))
              for (top, left), (bottom, right) in found.merged_cell_ranges or []]  # fmt: skip
    merged = [(top, left, bottom, right) for top, left, bottom, right in ranges if top <= bottom and left <= right]
    if sum((bottom - top + 1) * (right - left + 1) for top, left, bottom, right in merged) > MOST_CELLS:
        raise _refuse(file, "merged cells overlap all over the sheet: unmerge them", sheet)
    return Grid(file, Phrase(f"Excel workbook ({ending})", f"Excel 工作簿（{ending}）"), cells, sheet, "", merged)


def _stream_of(content: bytes) -> bytes:
    """Return the workbook of an .xls file, which is a small file system; raises what a damaged one makes fail."""
    size = 1 << int.from_bytes(content[30:32], "little")

    def sector(number: int) -> bytes:
        return content[(number + 1) * size : (number + 2) * size]

    def numbers(data: bytes) -> list[int]:
        return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]

    def chain(start: int, table: list[int]) -> list[int]:
        found = []
        while start < 0xFFFFFFFA and len(found) <= len(table):
            found.append(start)
            start = table[start]
        return found

    if not 128 <= size <= 65536:
        raise ValueError("sectors of no known size")
    lists = numbers(content[76:512])
    following = int.from_bytes(content[68:72], "little")
    while following < 0xFFFFFFFA and len(lists) * 4 <= len(content):
        *more, following = numbers(sector(following))
        lists += more
    table = [number for listed in lists if listed < 0xFFFFFFFA for number in numbers(sector(listed))]
    folder = b"".join(map(sector, chain(int.from_bytes(content[48:52], "little"), table)))
    entries = {}
    for k in range(0, len(folder), 128):
        entry = folder[k : k + 128]
        name = entry[: max(int.from_bytes(entry[64:66], "little") - 2, 0)].decode("utf-16-le", "replace")
        start, length = int.from_bytes(entry[116:120], "little"), int.from_bytes(entry[120:124], "little")
        entries[name.lower()] = start, length
    start, length = entries["workbook"] if "workbook" in entries else entries["book"]
    if length < int.from_bytes(content[56:60], "little"):
        raise ValueError("no program writes a workbook as short as that")
    return b"".join(map(sector, chain(start, table)))[:length]


def _scan_old(content: bytes) -> dict[str, _Extent]:
    """Return what the records of an .xls file say of each of its sheets."""
    stream, names, found = _stream_of(content), dict[int, str](), dict[str, _Extent]()
    at, here = 0, _Extent()
    shares, used = {9, 10}, list[int]()

    def number(data: bytes, at: int, length: int = 2) -> int:
        return int.from_bytes(data[at : at + length], "little")

    while at + 4 <= len(stream):
        kind, length = number(stream, at), number(stream, at + 2)
        data = stream[at + 4 : at + 4 + length]
        row, column = number(data, 0), number(data, 2)
        # A formula's value that is no number says so in its last two bytes.
        special = kind == 0x0006 and data[12:14] == b"\xff\xff"
        if kind == 0x0809:
            here = found[names.get(at, f"at {at}")] = _Extent()
        elif kind == 0x0085 and length > 8:
            names[number(data, 0, 4)] = data[8:].decode("utf-16-le" if data[7] & 1 else "latin-1", "replace")
        elif kind == 0x041E and b"%" in data[4:]:
            shares.add(row)
        elif kind == 0x00E0:
            used.append(column)
        elif kind == 0x0200 and length >= 12:
            here.reach(number(data, 4, 4), number(data, 10))
        elif kind in (0x0203, 0x027E, 0x00FD, 0x0204, 0x0205, 0x0006, 0x00D6, 0x00BD):
            here.reach(row + 1, (number(data, length - 2) if kind == 0x00BD else column) + 1)
            styles = range(4, length - 2, 6) if kind == 0x00BD else [4] if kind in (0x0203, 0x027E, 0x0006) else []
            for k, style in enumerate(number(data, place) for place in styles):
                if not special and style < len(used) and used[style] in shares:
                    here.odd[row, column + k] = None
            if (kind == 0x0205 and length >= 8 and data[7]) or (special and data[6:7] == b"\x02"):
                here.odd[row, column] = Odd(_ERROR.format(_ERRORS.get(data[8 if special else 6], "")))
        at += 4 + length
    return found


def _scan_archive(file: str, content: bytes) -> dict[str, _Extent]:
    """Return what the parts of an .xlsx file say of each of its sheets."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    if sum(member.file_size for member in archive.infolist()) > MOST_UNPACKED:
        raise _refuse(file, f"unpacks to more than {MOST_UNPACKED:,} bytes: save the sheet that is needed alone")
    # A member that unpacks to more than it says has another checksum.
    if bad := archive.testzip():
        raise _refuse(file, f"damaged ({bad}): open it in its program and save it again")
    if "xl/workbook.xml" not in archive.namelist():
        raise _refuse(file, "no .xlsx workbook: open it in its program and save it as .xlsx")
    styles = archive.read("xl/styles.xml") if "xl/styles.xml" in archive.namelist() else b""
    formats = re.findall(rb"<(?:\w+:)?numFmt\b[^<>]*?numFmtId=\"(\d+)\"[^<>]*?formatCode=\"([^\"]*)\"", styles)
    shares = {b"9", b"10", *(number for number, code in formats if b"%" in code)}
    table = re.search(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", styles, re.DOTALL)
    used = re.findall(rb"<(?:\w+:)?xf\b[^<>]*?numFmtId=\"(\d+)\"", table[0]) if table else []
    shown_as_share = {str(k).encode() for k, form in enumerate(used) if form in shares}
    links = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    targets = {
        found[1]: target[1]
        for link in re.findall(r"<Relationship\b[^>]*>", links)
        if (found := re.search(r"\bId=\"([^\"]+)\"", link)) and (target := re.search(r"\bTarget=\"([^\"]+)\"", link))
    }
    extents = {}
    for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", archive.read("xl/workbook.xml").decode("utf-8", "replace")):
        name, link = re.search(r"\bname=\"([^\"]*)\"", tag), re.search(r"\b\w+:id=\"([^\"]+)\"", tag)
        if name and link and "chartsheets/" not in (target := targets[link[1]]):
            xml = archive.read(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
            extents[html.unescape(name[1])] = _scan_sheet(xml, shown_as_share)
    return extents


def _scan_sheet(xml: bytes, shares: set[bytes]) -> _Extent:
    extent = _Extent()
    cells: list[tuple[bytes, dict[bytes, bytes]]] = []
    for name, attributes, text in _TAG.findall(xml):
        if name == b"c":
            cells.append((attributes, {}))
        elif cells:
            cells[-1][1][name] = text
    for attributes, inside in cells:
        at = _AT.search(attributes)
        if at is None:
            raise ValueError("cells without places")
        column = 0
        for letter in at[1]:
            column = column * 26 + letter - 64
        extent.reach(int(at[2]), column)
        found, style = re.search(rb"\bt=\"(\w+)\"", attributes), re.search(rb"\bs=\"(\d+)\"", attributes)
        kind, stored, place = found[1] if found else b"n", inside.get(b"v", b""), (int(at[2]) - 1, column - 1)
        if kind == b"e":
            extent.odd[place] = Odd(_ERROR.format(stored.decode("utf-8", "replace")))
        elif b"f" in inside and not stored and kind != b"str":
            extent.odd[place] = _NO_STORED
        elif stored and kind == b"n" and style and style[1] in shares:
            extent.odd[place] = None
    return extent


def _of_frame(file: str, kind: Phrase, frame: Any, labels: list[str | None], encoding: str = "") -> Grid:
    import pandas as pd

    columns = [None if pd.isna(label) or not str(label).strip() else str(label) for label in labels]
    values = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    cells = [list(map(str, frame.columns)), columns, *values]
    return Grid(file, kind, _even(cells), "", encoding, [], list(map(str, frame.columns)), -1)


def _read_parquet(file: str, content: bytes) -> Grid:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(content))
    _limit(file, table.metadata.num_rows, table.metadata.num_columns)
    if (
        table.metadata.num_rows
        and sum(table.metadata.row_group(k).total_byte_size for k in range(table.metadata.num_row_groups))
        > MOST_UNPACKED
    ):
        raise _refuse(file, f"unpacks to more than {MOST_UNPACKED:,} bytes: keep the columns that are needed")
    frame = table.read().to_pandas()
    if any(frame.index.names):
        frame = frame.reset_index()
    return _of_frame(file, Phrase("Parquet", "Parquet"), frame, [None] * frame.shape[1])


def _read_statistics(file: str, path: Path, reader: str, kind: str) -> Grid:
    with extra("data"):
        import pyreadstat

    read = getattr(pyreadstat, reader)
    _, meta = read(str(path), metadataonly=True)
    # Some writers do not say how many rows there are.
    promised = meta.number_rows
    _limit(file, promised or 1, meta.number_columns)
    most = MOST_CELLS // max(meta.number_columns, 1) + 1
    frame, meta = read(str(path), apply_value_formats=True, formats_as_category=False, row_limit=most)
    _limit(file, *frame.shape)
    if promised and promised > 0 and promised != len(frame):
        raise _refuse(file, f"{len(frame)} rows of the {promised} that it should have: the file looks cut off")
    return _of_frame(
        file, Phrase(f"{kind} file", f"{kind} 数据文件"), frame, meta.column_labels, meta.file_encoding or ""
    )

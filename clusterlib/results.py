"""Record what a notebook found under stable names, and load it again (结果登记).

A recorded number, table or figure travels in the notebook's own output, so that a notebook in JupyterLab shows what
it records and needs to know no folder; a run collects the records, each with the cell that made it, in
``results.json``.
"""

from __future__ import annotations

import base64
import json
import math
import numbers
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError

MIME = "application/vnd.clusterlib.result+json"
RESULTS_FILE = "results.json"
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


@dataclass(frozen=True)
class Record:
    """One recorded result.

    Attributes
    ----------
    name, kind : str
        Stable name within the notebook; ``"number"``, ``"text"``, ``"table"`` or ``"figure"``.
    value : object
        The number or text; a table as ``{"index": [...], "columns": [...], "data": [...]}``; a figure's file.
    unit, label_en, label_zh, note, note_zh, source, source_zh : str
        What the value is, for people.
    cell : str
        Identifier of the notebook cell that made it.
    alt : str
        What a figure shows.
    shown : dict or None
        A table as it was set for people: ``heads``, ``rows`` and ``align``, see :class:`clusterlib.core.tables.Cells`.
    """

    name: str
    kind: str
    value: object
    unit: str = ""
    label_en: str = ""
    label_zh: str = ""
    note: str = ""
    note_zh: str = ""
    source: str = ""
    source_zh: str = ""
    cell: str = ""
    alt: str = ""
    shown: dict | None = None

    def frame(self):
        """Return a recorded table as a DataFrame.

        Raises
        ------
        InvalidInputError
            If the record is not a table.
        """
        import pandas as pd

        if self.kind != "table":
            raise InvalidInputError(f"result {self.name!r} is a {self.kind}, not a table")
        index, columns = self.value["index"], self.value["columns"]
        frame = pd.DataFrame(self.value["data"], columns=[*index, *columns])
        return frame.set_index(index) if index else frame


@dataclass(frozen=True)
class Results(Mapping):
    """The records of one notebook run, by name."""

    notebook: str
    region: str
    parameters: dict
    records: dict[str, Record] = field(repr=False)

    def __getitem__(self, name: str) -> Record:
        if name not in self.records:
            raise UnknownNameError(f"result of {self.notebook} for {self.region}", name, self.records)
        return self.records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


def _plain(value):
    """Turn numpy scalars into Python's own; anything without a value becomes None."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _scalar(name: str, value) -> tuple[str, object]:
    if isinstance(value, str):
        return "text", value
    if isinstance(value, numbers.Real) or getattr(value, "size", 0) == 1:
        plain = _plain(value)
        if plain is None:
            raise InvalidInputError(
                f"result {name!r} is {value}: record a finite number, or a text that says why there is none"
            )
        if not isinstance(plain, str):
            return "number", plain
    raise InvalidInputError(
        f"result {name!r} is a {type(value).__name__}; expected a number, a text, a DataFrame, a Series or a figure"
    )


def _table(frame) -> dict:
    frame = frame.to_frame() if frame.ndim == 1 else frame
    named = [n for n in frame.index.names if n is not None]
    flat = frame.reset_index() if named else frame
    return {
        "index": [str(n) for n in named],
        "columns": [str(c) for c in frame.columns],
        "data": [[_plain(v) for v in row] for row in flat.itertuples(index=False, name=None)],
    }


def record(
    name: str,
    value,
    unit: str = "",
    label: str = "",
    label_zh: str = "",
    *,
    note: str = "",
    note_zh: str = "",
    source: str = "",
    source_zh: str = "",
    alt: str = "",
    digits: int | Mapping[str, int] | None = None,
    headers: Mapping[str, str] | None = None,
    shown=None,
) -> None:
    """Record a number, text, table or figure and show it.

    Parameters
    ----------
    name : str
        Stable name in lower case, words joined by ``_``, parts by ``.``: ``"gdp_share"``, ``"shares.by_year"``.
    value : number, str, DataFrame, Series or matplotlib Figure
    unit : str
        Unit of a number, or of a table's figures where they have one in common.
    label, label_zh : str
        What it is in English and Chinese: a caption for tables and figures.
    note, note_zh, source, source_zh : str
        What a reader must know, and where the figures come from, in English and for the report in Chinese.
    alt : str
        What a figure shows, for those who cannot see it. Required for figures.
    digits : int or mapping of str to int, optional
        Decimals shown, of a table also by column; the record keeps full precision.
    headers : mapping, optional
        Column heads shown in place of a table's column names.
    shown : DataFrame, optional
        What is shown in place of a table, such as a regression table of the coefficients that are recorded;
        ``digits`` and ``headers`` are then its.

    Raises
    ------
    InvalidInputError
        For a name of another form, a value of another type, a number that is not finite, a figure without ``alt``, or
        ``shown`` with something that is no table.

    Examples
    --------
    >>> from clusterlib.results import record
    >>> record("software_revenue_share", 9.3, unit="percent", label="Software revenue in GDP")  # doctest: +SKIP
    """
    from IPython.display import display

    if not _NAME.fullmatch(name):
        raise InvalidInputError(f"result name {name!r}: use lower case letters, digits and '_', parts joined by '.'")
    entry = {
        "name": name, "unit": unit, "label_en": label, "label_zh": label_zh,
        "note": note, "note_zh": note_zh, "source": source, "source_zh": source_zh,
    }  # fmt: skip
    metadata = {}
    is_table = hasattr(value, "itertuples") or hasattr(value, "to_frame")
    if shown is not None and not (is_table and hasattr(shown, "itertuples")):
        raise InvalidInputError(f"result {name!r}: shown= is a DataFrame that stands for a recorded table")
    if hasattr(value, "savefig"):
        bundle, metadata = _figure_bundle(entry, value, alt)
    elif is_table:
        bundle = _table_bundle(entry, value, digits, headers, shown)
    else:
        bundle = _scalar_bundle(entry, value, digits)
    display(bundle, metadata=metadata, raw=True)


def _scalar_bundle(entry: dict, value, digits: int | None) -> dict:
    from html import escape

    from clusterlib.core.tables import write_value

    kind, plain = _scalar(entry["name"], value)
    shown = plain if kind == "text" else write_value(plain, digits)
    label = " ".join(part for part in (entry["label_en"], entry["label_zh"]) if part) or entry["name"]
    text = f"{label}: {shown} {entry['unit']}".rstrip()
    html = (
        f'<p class="result" title="{escape(entry["name"])}">{escape(label)}: '
        f"<strong>{escape(shown)}</strong> {escape(entry['unit'])}"
        + (f' <span class="note">({escape(entry["note"])})</span>' if entry["note"] else "")
        + "</p>"
    )
    return {MIME: {**entry, "kind": kind, "value": plain}, "text/html": html, "text/plain": text}


def _table_bundle(
    entry: dict, value, digits: int | Mapping[str, int] | None, headers: Mapping[str, str] | None, shown
) -> dict:
    from clusterlib.core.tables import write_cells
    from clusterlib.tables._page import set_page

    visible = value if shown is None else shown
    visible = visible.to_frame() if visible.ndim == 1 else visible
    cells = write_cells(visible, entry["label_en"], digits, headers)
    html = set_page(
        cells, entry["label_en"], entry["label_zh"], unit=entry["unit"], note=entry["note"], source=entry["source"]
    )
    record_ = {**entry, "kind": "table", "value": _table(value), "shown": vars(cells)}
    return {MIME: record_, "text/html": html, "text/plain": visible.to_string()}


def _figure_bundle(entry: dict, figure, alt: str) -> tuple[dict, dict]:
    import matplotlib.pyplot as plt

    from clusterlib.figures._image import draw_png

    if not alt.strip():
        raise InvalidInputError(f"figure {entry['name']!r} has no alt text: say in alt= what it shows")
    image = draw_png(figure)
    width = round(figure.get_figwidth() * 96)
    plt.close(figure)
    png = base64.b64encode(image).decode("ascii")
    record_ = {**entry, "kind": "figure", "value": f"figures/{entry['name']}.png", "alt": alt}
    bundle = {MIME: record_, "image/png": png, "text/plain": alt}
    return bundle, {"image/png": {"alt": alt, "width": width}}


def collect_records(notebook) -> list[dict]:
    """Return the records in an executed notebook's outputs, each with the identifier of its cell.

    Raises
    ------
    ClusterlibError
        If two cells record the same name.
    """
    records: dict[str, dict] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            entry = output.get("data", {}).get(MIME)
            if entry is None:
                continue
            if entry["name"] in records:
                first = records[entry["name"]]["cell"]
                raise ClusterlibError(f"cells {first} and {cell['id']} both record {entry['name']!r}: rename one")
            records[entry["name"]] = {**entry, "cell": cell["id"]}
    return list(records.values())


def load_results(notebook: str, region: str, reports: Path | None = None) -> Results:
    """Load what a notebook recorded for a region in the last run.

    Parameters
    ----------
    notebook : str
        Such as ``"02_overview"``.
    region : str
    reports : Path, optional
        The reports folder; by default the project's.

    Returns
    -------
    Results
        Records by name.

    Raises
    ------
    ClusterlibError
        If the notebook has not been run for this region.
    """
    from clusterlib.paths import get_project

    folder = (reports or get_project().reports) / region / notebook
    path = folder / RESULTS_FILE
    if not path.exists():
        raise ClusterlibError(
            f"no results of {notebook} for {region}: run `clusterlib run --notebook {notebook} --region {region}`"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    names = Record.__dataclass_fields__
    records = [Record(**{k: v for k, v in entry.items() if k in names}) for entry in content["records"]]
    return Results(content["notebook"], content["region"], content["parameters"], {r.name: r for r in records})

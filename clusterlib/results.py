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
from typing import TYPE_CHECKING, Any

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.regions import get_region

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from nbformat import NotebookNode

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
        The number or text; a table as ``{"index": [...], "columns": [...], "data": [...]}``, where an index level
        without a name is called ``""``; a figure's file.
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
    value: Any
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

    def frame(self) -> pd.DataFrame:
        """Return a recorded table as a DataFrame.

        Raises
        ------
        InvalidInputError
            If the record is not a table.
        """
        import pandas as pd

        if self.kind != "table":
            raise InvalidInputError(f"result {self.name!r} is a {self.kind}, not a table")
        names, columns = self.value["index"], self.value["columns"]
        data = pd.DataFrame(self.value["data"])
        frame = data.iloc[:, len(names) :].set_axis(columns, axis=1)
        if not names:
            return frame
        labels = [pd.Index(data[level]) for level in range(len(names))]
        index = labels[0] if len(names) == 1 else pd.MultiIndex.from_arrays(labels)
        return frame.set_axis(index.set_names([name or None for name in names]))


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


def _plain(value: Any) -> bool | int | float | str | None:
    """Turn numpy scalars into Python's own; anything without a value becomes None."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _scalar(name: str, value: Any) -> tuple[str, bool | int | float | str]:
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
    advice = ": record its table" if hasattr(value, "table") else ""
    raise InvalidInputError(
        f"result {name!r} is a {type(value).__name__}; expected a number, a text, a DataFrame, a Series or a figure"
        + advice
    )


def _table(frame: pd.DataFrame) -> dict:
    """Return a table's columns and rows; labels of rows are the first cells, but for the numbers of the rows."""
    from clusterlib.core.tables import has_labels, head_of

    labelled = has_labels(frame.index)
    rows = frame.itertuples(index=False, name=None)
    if labelled:
        labels = (label if frame.index.nlevels > 1 else (label,) for label in frame.index)
        rows = ((*label, *row) for label, row in zip(labels, rows, strict=True))
    return {
        "index": [head_of(name) for name in frame.index.names] if labelled else [],
        "columns": [head_of(name) for name in frame.columns],
        "data": [[_plain(value) for value in row] for row in rows],
    }


def record(
    name: str,
    value: Any,
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
    shown: pd.DataFrame | None = None,
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
        For a name of another form, a value of another type, a number that is not finite, a figure without ``alt``,
        ``shown`` with something that is no table, or a label or note that is no text.

    Examples
    --------
    >>> from clusterlib.results import record
    >>> record("software_revenue_share", 9.3, unit="percent", label="Software revenue in GDP")  # doctest: +SKIP
    """
    from IPython.display import display

    from clusterlib.core.tables import check_texts

    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(f"result name {name!r}: use lower case letters, digits and '_', parts joined by '.'")
    entry = {
        "unit": unit, "label_en": label, "label_zh": label_zh,
        "note": note, "note_zh": note_zh, "source": source, "source_zh": source_zh,
    }  # fmt: skip
    check_texts(alt=alt, **entry)
    entry = {"name": name, **entry}
    metadata = {}
    is_table = hasattr(value, "itertuples") or hasattr(value, "to_frame")
    if shown is not None and not (is_table and hasattr(shown, "itertuples")):
        raise InvalidInputError(f"result {name!r}: shown= is a DataFrame that stands for a recorded table")
    if hasattr(value, "savefig"):
        bundle, metadata = _figure_bundle(entry, value, alt)
    elif is_table:
        value = value if hasattr(value, "itertuples") else value.to_frame()
        bundle = _table_bundle(entry, value, digits, headers, value if shown is None else shown)
    else:
        bundle = _scalar_bundle(entry, value, digits)
    display(bundle, metadata=metadata, raw=True)


def _scalar_bundle(entry: dict, value: Any, digits: int | Mapping[str, int] | None) -> dict:
    from html import escape

    from clusterlib.core.checks import check_whole
    from clusterlib.core.tables import write_value

    kind, plain = _scalar(entry["name"], value)
    digits = None if digits is None else check_whole("digits", digits, 0, 15)
    shown = plain if isinstance(plain, str) else write_value(plain, digits)
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
    entry: dict,
    value: pd.DataFrame,
    digits: int | Mapping[str, int] | None,
    headers: Mapping[str, str] | None,
    shown: pd.DataFrame,
) -> dict:
    from clusterlib.core.tables import write_cells
    from clusterlib.tables._three_line import set_page

    cells = write_cells(shown, entry["label_en"], digits, headers)
    html = set_page(
        cells, entry["label_en"], entry["label_zh"], unit=entry["unit"], note=entry["note"], source=entry["source"]
    )
    record_ = {**entry, "kind": "table", "value": _table(value), "shown": vars(cells)}
    return {MIME: record_, "text/html": html, "text/plain": shown.to_string()}


def _figure_bundle(entry: dict, figure: Figure, alt: str) -> tuple[dict, dict]:
    import matplotlib.pyplot as plt

    from clusterlib.figures import draw_png

    if not alt.strip():
        raise InvalidInputError(f"figure {entry['name']!r} has no alt text: say in alt= what it shows")
    image = draw_png(figure)
    width = round(figure.get_figwidth() * 96)
    plt.close(figure)
    png = base64.b64encode(image).decode("ascii")
    record_ = {**entry, "kind": "figure", "value": f"figures/{entry['name']}.png", "alt": alt}
    bundle = {MIME: record_, "image/png": png, "text/plain": alt}
    return bundle, {"image/png": {"alt": alt, "width": width}}


def collect_records(notebook: NotebookNode) -> list[dict]:
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
    UnknownNameError
        If there is no such region.
    """
    from clusterlib.core.tables import check_texts
    from clusterlib.paths import get_project

    check_texts(notebook=notebook)
    region = get_region(region).code
    folder = Path(reports or get_project().reports) / region / notebook
    path = folder / RESULTS_FILE
    if not path.exists():
        raise ClusterlibError(
            f"no results of {notebook} for {region}: run `clusterlib run --notebook {notebook} --region {region}`"
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    names = Record.__dataclass_fields__
    records = [Record(**{k: v for k, v in entry.items() if k in names}) for entry in content["records"]]
    return Results(content["notebook"], content["region"], content["parameters"], {r.name: r for r in records})

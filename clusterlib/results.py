"""Record what a notebook found under stable names, and load it again (结果登记).

A recorded number, table or figure travels in the notebook's own output, so that a notebook in JupyterLab shows what
it records and needs to know no folder; a run collects the records, each with the cell that made it, in
``results.json``.
"""

from __future__ import annotations

import base64
import math
import numbers
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clusterlib.core.checks import check_choice, check_whole
from clusterlib.core.language import LANGUAGES, Phrase, say, speaking
from clusterlib.core.reads import calling_line
from clusterlib.core.records import NAME, fault_of_result, load_records
from clusterlib.core.tables import Cells, check_texts, has_labels, head_of, set_text, write_cells, write_value
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.regions import get_region

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from nbformat import NotebookNode

    from clusterlib.captions import Caption, Wording

__all__ = ["Record", "Recorder", "Results", "load_results", "record"]


def __dir__() -> list[str]:
    return __all__


MIME = "application/vnd.clusterlib.result+json"
RESULTS_FILE = "results.json"
# Names the folder of a run, which takes from the kernel what is too much for a notebook's own output.
DRAWINGS_VARIABLE = "CLUSTERLIB_DRAWINGS"


@dataclass(frozen=True)
class Record:
    """One recorded result.

    Attributes
    ----------
    name, kind : str
        Stable name within the notebook; ``"number"``, ``"text"``, ``"table"`` or ``"figure"``.
    value, value_zh : object
        The number or text; a table as ``{"index": [...], "columns": [...], "data": [...]}``, where an index level
        without a name is called ``""``; a figure's file. Of a text and a figure also in Chinese.
    label_en, label_zh, unit, unit_zh, note, note_zh, source, source_zh : str
        What the value is, for people.
    cell : str
        Identifier of the notebook cell that made it.
    alt, alt_zh : str
        What a figure shows.
    shown, shown_zh : dict or None
        A table as it was set for people: ``heads``, ``rows`` and ``align``, one list a row.
    """

    name: str
    kind: str
    value: Any
    value_zh: Any = None
    label_en: str = ""
    label_zh: str = ""
    unit: str = ""
    unit_zh: str = ""
    note: str = ""
    note_zh: str = ""
    source: str = ""
    source_zh: str = ""
    cell: str = ""
    alt: str = ""
    alt_zh: str = ""
    shown: dict | None = None
    shown_zh: dict | None = None

    def said(self, part: str, language: str) -> Any:
        """Return a part, such as ``"note"`` or ``"shown"``, in a language: in English where there is no Chinese.

        Raises
        ------
        UnknownNameError
            For another part or language.
        """
        check_choice("language", language, LANGUAGES)
        check_choice("part of a record", part, ("label", "value", "unit", "note", "source", "alt", "shown"))
        english = self.label_en if part == "label" else getattr(self, part)
        return (getattr(self, f"{part}_zh") or english) if language == "zh" else english

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
    """Record a number, text, table or figure and show it, with what is to be said of it in the call.

    A notebook of the project has a caption file instead, see :class:`Recorder`.

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
    _check_name(name)
    check_texts(
        unit=unit, label=label, label_zh=label_zh, note=note, note_zh=note_zh, source=source, source_zh=source_zh,
        alt=alt,
    )  # fmt: skip
    said = _Said(" ".join(part for part in (label, label_zh) if part), unit, note, source, alt)
    entry = {
        "name": name, "unit": unit, "label_en": label, "label_zh": label_zh,
        "note": note, "note_zh": note_zh, "source": source, "source_zh": source_zh, "line": calling_line(),
    }  # fmt: skip
    _check_shown(name, value, shown)
    if hasattr(value, "savefig"):
        entry |= {"kind": "figure", "value": f"figures/{name}.png", "alt": alt}
        bundle, metadata = _figure_bundle(entry["value"], value, said)
    elif _is_table(value):
        table = value if hasattr(value, "itertuples") else value.to_frame()
        cells = write_cells(table if shown is None else shown, label, digits, headers)
        entry |= {"kind": "table", "value": _table(table), "shown": vars(cells)}
        bundle, metadata = _table_bundle(cells, said), {}
    else:
        kind, plain = _scalar(name, value)
        entry |= {"kind": kind, "value": plain}
        bundle, metadata = _scalar_bundle(name, plain, digits, said), {}
    _show({MIME: entry, **bundle}, metadata)


class Recorder:
    """Record what a notebook finds under the captions of the file beside it; a notebook calls it ``record``.

    Parameters
    ----------
    notebook : str
        Such as ``"05_inequality"``: ``notebooks/05_inequality.yml`` says what each result is called.
    folder : Path, optional
        That of the caption files; by default the project's notebooks.
    **values
        What captions may quote, such as the notebook's parameters: ``region=region, draws=draws``.

    Raises
    ------
    CaptionsError
        If the caption file is missing or something in it is wrong, with its line.

    Notes
    -----
    ``record(name, value, **values)`` records a number, a text (a word of the caption file), a DataFrame, a Series, or a
    figure as the function that draws it: called once in each language with the :class:`clusterlib.captions.Wording`
    that has its words. ``values`` are what its caption quotes besides. ``shown=`` stands for a table of figures what
    is set in its place, as for :func:`record`.

    Examples
    --------
    >>> record = Recorder("05_inequality", region=region, draws=draws)  # doctest: +SKIP
    >>> record("dagum.total", 0.31)  # doctest: +SKIP
    >>> record("dagum.figure", lambda words: decomposition_bars(tables))  # doctest: +SKIP
    """

    def __init__(self, notebook: str, *, folder: Path | None = None, **values: Any) -> None:
        from clusterlib.captions import load_captions

        self._notebook, self._captions, self._values = notebook, load_captions(notebook, folder), values

    def __call__(self, name: str, value: Any, *, shown: pd.DataFrame | None = None, **values: Any) -> None:
        _check_name(name)
        _check_shown(name, value, shown)
        caption, parts = self._captions.find(name)
        self._record(name, caption, value, shown, {**self._values, **parts, **values})

    def conclusion(
        self, claim: str, *, nation: bool = False, missing: str | Phrase | None = None, **values: Any
    ) -> None:
        """Judge a claim of ``data/study/claims.yml`` by its rule, and record the verdict with its evidence.

        Parameters
        ----------
        claim : str
            Its ``id``. A claim that is not made of the notebook's region is left out.
        nation : bool
            Judge it for the nation.
        missing : str or Phrase, optional
            Why it cannot be tested here, in place of values: a key of the claim's ``missing``, or the words.
        **values
            What the claim's rule compares and its evidence quotes.

        Raises
        ------
        UnknownNameError
            If there is no such claim.
        InvalidInputError
            If another notebook concludes on it, or a value is missing or not asked for.
        """
        from clusterlib.captions import Caption
        from clusterlib.study.claims import NOT_TESTABLE, VERDICTS_ZH, Verdict, conclusion_name, judge, load_claims

        known = {each.id: each for each in load_claims()}
        found = known[check_choice("claim", claim, known)]
        if found.notebook != self._notebook:
            raise InvalidInputError(
                f"claim {claim!r} is concluded on by {found.notebook or 'no notebook'}, not by {self._notebook}: "
                "name one notebook in data/study/claims.yml"
            )
        if not (found.nation if nation else get_region(self._values["region"]).code in found.regions):
            return
        if isinstance(missing, str):
            missing = found.missing[check_choice(f"reason of claim {claim!r}", missing, found.missing)]
        verdict = Verdict(NOT_TESTABLE, missing) if missing else judge(found, **values)
        place = ("", "") if not (nation and found.regions) else (" (the nation)", "（全国）")
        texts = {
            "label": {"en": f"{found.number} {found.en}{place[0]}", "zh": f"{found.number} {found.clause}{place[1]}"},
            "note": vars(verdict.evidence),
        }
        name = conclusion_name(found, nation)
        caption = Caption(name, texts, {key: {} for key in ("heads", "words", "text", "each")})
        said = Phrase(verdict.verdict, VERDICTS_ZH[verdict.verdict])
        self._record(name, caption, said, None, {**self._values, **values})

    def _record(self, name: str, caption: Caption, value: Any, shown: Any, values: Mapping[str, Any]) -> None:
        """Record a value under a caption, in both languages."""
        from clusterlib.captions import Wording

        entry: dict[str, Any] = {"name": name, "line": calling_line()}
        outputs = []
        # A text, such as that there is no number, has no unit.
        unitless = isinstance(value, (str, Phrase, list, tuple))
        for language in LANGUAGES:
            words = Wording(self._captions, caption, language, values)
            with speaking(language):
                unit, alt = "" if unitless else words.text("unit"), words.text("alt")
                said = _Said(words.text("label"), unit, words.text("note"), words.source, alt)
                found, *output = self._set(name, value, shown, words, said)
                caption_below = _caption_bundle(said)
            ending = "" if language == "en" else "_zh"
            entry |= found if language == "en" else {f"{k}_zh": found[k] for k in _IN_BOTH[found["kind"]] if k in found}
            entry |= {f"{part}{ending}": getattr(said, part) for part in ("unit", "note", "source")}
            entry[f"label_{language}"] = said.label
            outputs.append((language, caption_below, *output))
        for language, caption_below, bundle, metadata in outputs:
            own = {MIME: entry} if language == "en" else {}
            about = {"name": name, "language": language}
            _show({**own, **bundle}, {**metadata, MIME: about})
            if entry["kind"] == "figure":
                # Of one output JupyterLab shows the picture alone; pages set the caption from the record.
                _show(caption_below, {MIME: {**about, "part": "caption"}})

    def _set(self, name: str, value: Any, shown: Any, words: Wording, said: _Said) -> tuple[dict, dict, dict]:
        """Return what is recorded of a value in one language, and how it is shown."""
        if callable(value):
            figure = value(words)
            if not hasattr(figure, "savefig"):
                raise InvalidInputError(f"figure {name!r}: the function returned a {type(figure).__name__}, no figure")
            entry = {"kind": "figure", "value": f"figures/{name}.{words.language}.png", "alt": said.alt}
            return entry, *_figure_bundle(entry["value"], cast("Figure", figure), said)
        if hasattr(value, "savefig"):
            raise InvalidInputError(
                f"figure {name!r} is drawn already, in one language: hand over the function that draws it, as in "
                f"record({name!r}, lambda words: draw(table))"
            )
        if _is_table(value):
            table = value if hasattr(value, "itertuples") else value.to_frame()
            cells = words.cells(table if shown is None else shown)
            return {"kind": "table", "value": _table(table), "shown": vars(cells)}, _table_bundle(cells, said), {}
        if isinstance(value, (list, tuple)):
            value = words.fill(dict.fromkeys(LANGUAGES, "{value}"), {"value": value})
        kind, plain = _scalar(name, words.sentence(value) if isinstance(value, (str, Phrase)) else value)
        return {"kind": kind, "value": plain}, _scalar_bundle(name, plain, words.digits, said), {}


# What of a record differs from one language to the other, beside what the caption says.
_IN_BOTH = {"number": (), "text": ("value",), "table": ("shown",), "figure": ("value", "alt")}


@dataclass(frozen=True)
class _Said:
    """What is to be said of a result, in one language."""

    label: str
    unit: str
    note: str
    source: str
    alt: str


def _show(bundle: dict, metadata: dict) -> None:
    from IPython.display import display

    display(bundle, metadata=metadata, raw=True)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidInputError(f"result name {name!r}: use lower case letters, digits and '_', parts joined by '.'")


def _is_table(value: Any) -> bool:
    return hasattr(value, "itertuples") or hasattr(value, "to_frame")


def _check_shown(name: str, value: Any, shown: Any) -> None:
    if shown is not None and not (_is_table(value) and hasattr(shown, "itertuples")):
        raise InvalidInputError(f"result {name!r}: shown= is a DataFrame that stands for a recorded table")


def _scalar_bundle(name: str, plain: Any, digits: int | Mapping[str, int] | None, said: _Said) -> dict:
    from html import escape

    digits = None if digits is None else check_whole("digits", digits, 0, 15)
    shown = plain if isinstance(plain, str) else write_value(plain, digits)
    label = said.label or name
    html = (
        f'<p class="result" title="{escape(name)}">{escape(label)}{say(": ", "：")}'
        f"<strong>{escape(shown)}</strong> {escape(said.unit)}"
        + (f' <span class="note">{say("(", "（")}{escape(said.note)}{say(")", "）")}</span>' if said.note else "")
        + "</p>"
    )
    return {"text/html": html, "text/plain": f"{label}{say(': ', '：')}{shown} {said.unit}".rstrip()}


def _table_bundle(cells: Cells, said: _Said) -> dict:
    from clusterlib.tables._three_line import set_page

    html = set_page(cells, said.label, "", unit=said.unit, note=said.note, source=said.source)
    return {"text/html": html, "text/plain": set_text(cells, said.label)}


def _figure_bundle(file: str, figure: Figure, said: _Said) -> tuple[dict, dict]:
    """Return how a figure is shown; a run also gets it as a drawing, and the table behind it, in its own folder."""
    import matplotlib.pyplot as plt

    from clusterlib.figures import drawn_values
    from clusterlib.figures._kept import kept_images
    from clusterlib.study._memory import memory_folder

    if not said.alt.strip():
        raise InvalidInputError(
            f"figure {Path(file).stem!r} has no alt text: say in alt= (or alt: of its caption) what it shows"
        )
    folder, run = memory_folder(), os.environ.get(DRAWINGS_VARIABLE)
    if run:
        values, path = drawn_values(figure), Path(run) / file
        path.parent.mkdir(exist_ok=True)
        # Spreadsheets take a csv without the mark for the system's own encoding and garble Chinese.
        values.to_csv(path.with_suffix(".csv"), index=False, encoding="utf-8-sig", lineterminator="\n")
    image, drawing = kept_images(figure, folder / "figures" if folder else None, svg=bool(run))
    if run:
        path.with_suffix(".svg").write_bytes(drawing)
    width = round(figure.get_figwidth() * 96)
    plt.close(figure)
    png = base64.b64encode(image).decode("ascii")
    return {"image/png": png, "text/plain": said.alt}, {"image/png": {"alt": said.alt, "width": width}}


def _caption_bundle(said: _Said) -> dict:
    """What stands below a figure in JupyterLab."""
    from html import escape

    from clusterlib.core.tables import write_notes

    below = say("; ", "；").join(write_notes(said.unit, said.note, said.source))
    html = f"<p><strong>{escape(said.label)}</strong> <small>{escape(below)}</small></p>"
    return {"text/html": html, "text/plain": f"{said.label} {below}".rstrip()}


def collect_records(notebook: NotebookNode) -> list[dict]:
    """Return the records in an executed notebook's outputs, each with the identifier of its cell.

    Raises
    ------
    ClusterlibError
        If two cells record the same name, or one shows as a result what ``record`` did not make.
    """
    records: dict[str, dict] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            entry = output.get("data", {}).get(MIME)
            if entry is None:
                continue
            # What a cell shows by hand must not be written elsewhere than among the results.
            if fault := fault_of_result(entry):
                raise ClusterlibError(f"cell {cell['id']} shows a result that is none ({fault}): use record(...)")
            if entry["name"] in records:
                first = records[entry["name"]]["cell"]
                raise ClusterlibError(f"cells {first} and {cell['id']} both record {entry['name']!r}: rename one")
            records[entry["name"]] = {**entry, "cell": cell["id"]}
    return list(records.values())


def collect_images(notebook: NotebookNode) -> dict[str, str]:
    """Return the pictures of the recorded figures in an executed notebook's outputs, by file, in base64."""
    figures = [entry for entry in collect_records(notebook) if entry["kind"] == "figure"]
    named = [entry[key] for entry in figures for key in ("value", "value_zh") if key in entry]
    images = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data, about = output.get("data", {}), output.get("metadata", {}).get(MIME, {})
            file = (
                f"figures/{about.get('name')}.{about.get('language')}.png" if about else data.get(MIME, {}).get("value")
            )
            # Only what a record names is a file of the run.
            if "image/png" in data and file in named:
                images[file] = data["image/png"]
    return images


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
        If the notebook has not been run for this region, or what it recorded is damaged or of another run.
    UnknownNameError
        If there is no such region.
    """
    from clusterlib.paths import get_project

    check_texts(notebook=notebook)
    if not re.fullmatch(r"\w+", notebook):
        raise InvalidInputError(f"notebook {notebook!r}: expected its name, such as 02_overview")
    region = get_region(region).code
    folder = Path(reports or get_project().reports) / region / notebook
    path = folder / RESULTS_FILE
    if not path.exists():
        raise ClusterlibError(
            f"no results of {notebook} for {region}: run `clusterlib run --notebook {notebook} --region {region}`"
        )
    content = load_records(path)
    if (content["notebook"], content["region"]) != (notebook, region):
        raise ClusterlibError(f"{path} is of {content['notebook']} for {content['region']}: run {notebook} again")
    names = Record.__dataclass_fields__
    records = [Record(**{k: v for k, v in entry.items() if k in names}) for entry in content["records"]]
    return Results(notebook, region, content["parameters"], {r.name: r for r in records})

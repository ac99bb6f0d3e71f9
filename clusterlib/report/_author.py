"""What a report notebook writes with: headings, prose, figures and tables, in Chinese and English (撰写报告)."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.core.checks import check_level, check_number, check_whole
from clusterlib.core.language import Phrase
from clusterlib.core.tables import check_texts
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import Region, get_region
from clusterlib.report._lookup import LANGUAGES, fill, numbers_in
from clusterlib.study import Reference, ResultLookup

if TYPE_CHECKING:
    import pandas as pd

MIME = "application/vnd.clusterlib.report+json"


class Report:
    """A report on one region, written block by block.

    Each block is shown where it is written, so that the notebook reads as the report does, and travels in the
    notebook's output; a run sets all blocks as HTML, Word and PDF.

    Parameters
    ----------
    region : str or Region
        Such as ``"yrd"``, see :func:`clusterlib.regions.get_region`.
    reports : Path, optional
        The reports folder; by default the project's.
    """

    def __init__(self, region: str | Region, reports: Path | None = None) -> None:
        self.region = get_region(region)
        self.lookup = ResultLookup(self.region.code, reports)

    def number(self, reference: str) -> float:
        """Return a recorded number, for choosing words by it; in prose it is named instead.

        Raises
        ------
        InvalidInputError
            If it is a text.
        UnknownNameError
            If there is no such result.
        """
        value = self.lookup.raw(Reference.parse(reference))
        if isinstance(value, str):
            raise InvalidInputError(f"{reference} is the text {value!r}, not a number")
        return value

    def has(self, reference: str) -> bool:
        """Whether a number was recorded for this region: for what a model does not identify there is none."""
        Reference.parse(reference)
        try:
            self.number(reference)
        except (InvalidInputError, UnknownNameError):
            return False
        return True

    def by_effect(
        self, estimate: str, p: str, positive: Phrase, negative: Phrase, none: Phrase, alpha: float = 0.05
    ) -> Phrase:
        """Choose words by the sign of an estimate, or those for no effect if its p value is not below ``alpha``."""
        if self.number(p) >= check_level(alpha, "alpha"):
            return none
        return positive if self.number(estimate) > 0 else negative

    def by_interval(
        self, lower: str, upper: str, above: Phrase, below: Phrase, neither: Phrase, bound: float = 0
    ) -> Phrase:
        """Choose words by whether a whole interval lies above or below a bound."""
        bound = check_number("bound", bound)
        if self.number(lower) > bound:
            return above
        return below if self.number(upper) < bound else neither

    def by_order(self, first: str, second: str, more: Phrase, less: Phrase) -> Phrase:
        """Choose words by whether the first number is the larger."""
        return more if self.number(first) > self.number(second) else less

    def heading(self, en: str, zh: str, level: int = 1) -> None:
        """Write a heading."""
        check_texts(en=en, zh=zh)
        level = check_whole("level", level, 1, 5)
        self._show({"kind": "heading", "level": level, "en": [en], "zh": [zh]})

    def text(self, en: str, zh: str, **phrases: Phrase) -> None:
        """Write a paragraph in both languages with the same numbers.

        Parameters
        ----------
        en, zh : str
            Markdown with ``{notebook:result|.1}`` for a number, ``{name}`` for a phrase, ``[@key]`` for a citation.
        **phrases : Phrase

        Raises
        ------
        InvalidInputError
            For a number that is typed in, or one that the other language does not state.
        UnknownNameError
            For a result or phrase that does not exist.
        """
        filled = {
            language: fill(t, language, self.lookup, phrases) for language, t in zip(LANGUAGES, (en, zh), strict=True)
        }
        said = [sorted(numbers_in(filled[language])) for language in LANGUAGES]
        if said[0] != said[1]:
            differing = sorted(set(said[0]) ^ set(said[1])) or ["one of them more often"]
            raise InvalidInputError(f"the two languages state different numbers: {', '.join(differing)}")
        self._show({"kind": "text", **filled})

    def figure(self, notebook: str, name: str) -> None:
        """Set a recorded figure, numbered, with its caption and source."""
        self._show(self._recorded(notebook, name, "figure"))

    def table(self, notebook: str, name: str) -> None:
        """Set a recorded table as a three-line table, numbered, with its notes."""
        self._show(self._recorded(notebook, name, "table"))

    def _recorded(self, notebook: str, name: str, kind: str) -> dict:
        record = self.lookup.record(notebook, name)
        if record.kind != kind:
            raise InvalidInputError(f"{notebook}:{name} is a {record.kind}, not a {kind}")
        return {"kind": kind, "notebook": notebook, "name": name, "en": [record.label_en], "zh": [record.label_zh]}

    def claims(self) -> pd.DataFrame:
        """Judge the essay's claims by the recorded results, set them as a table, and return it for recording."""
        from clusterlib.study.claims import evaluate_claims

        verdicts = evaluate_claims(self.region.code, reports=self.lookup.reports)
        rows = {
            "en": verdicts[["en", "verdict", "evidence", "reason"]],
            "zh": verdicts[["zh", "verdict_zh", "evidence", "reason"]],
        }
        self._show({
            "kind": "claims", "en": ["Claims and verdicts"], "zh": ["论断与结论"],
            "rows": {language: frame.to_numpy().tolist() for language, frame in rows.items()},
        })  # fmt: skip
        return verdicts

    def references(self) -> None:
        """Set the list of the works cited here."""
        self._show({"kind": "references", "en": ["References"], "zh": ["参考文献"]})

    def _show(self, block: Mapping) -> None:
        from IPython.display import display

        html = "".join(_block_html(block, language) for language in LANGUAGES)
        display({MIME: dict(block), "text/html": html, "text/plain": _plain(block["en"])}, raw=True)


def _plain(segments: list) -> str:
    return "".join(s if isinstance(s, str) else s["shown"] for s in segments)


def _block_html(block: Mapping, language: str) -> str:
    inner = "".join(
        escape(s) if isinstance(s, str) else f'<a href="{escape(s["target"])}">{escape(s["shown"])}</a>'
        for s in block[language]
    )
    if block["kind"] in ("figure", "table"):
        target = f"{block['notebook']}.html#result-{block['name']}"
        inner = f'{block["kind"].capitalize()}: <a href="{target}">{inner}</a>'
    tag = f"h{block['level'] + 1}" if block["kind"] == "heading" else "p"
    return f'<{tag} lang="{language}">{inner}</{tag}>'

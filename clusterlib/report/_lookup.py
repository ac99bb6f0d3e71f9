"""Prose with numbers by name: every figure that a reader sees is filled in from a recorded result (正文取数)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clusterlib.core.tables import check_texts
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.study import ResultLookup

LANGUAGES = ("en", "zh")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_CITATION = re.compile(r"\[@[^\]]+\]|@[A-Za-z][\w:.-]*")
_TYPED_NUMBER = re.compile(r"[0-9０-９]+|[一二三四五六七八九十百千万亿]{2,}(?=[个项省市年倍])")


def check_template(template: str) -> None:
    """Raise if a number is typed into the prose instead of named, or a brace has no partner.

    Raises
    ------
    InvalidInputError
        Naming the number or brace and what stands around it.
    """
    rest = _CITATION.sub("", _PLACEHOLDER.sub("", template))
    if found := re.search(r"[{}]", rest):
        around = rest[max(0, found.start() - 25) : found.end() + 25].replace("\n", " ")
        raise InvalidInputError(f"a brace is left over (“…{around}…”): a name stands in one pair, as in {{name}}")
    if found := _TYPED_NUMBER.search(rest):
        around = rest[max(0, found.start() - 25) : found.end() + 25].replace("\n", " ")
        raise InvalidInputError(
            f"the number {found[0]!r} is typed into the prose (“…{around}…”): record it in a notebook and name it, "
            "as in {02_overview:concentration.core_count}"
        )


def fill(template: str, language: str, lookup: ResultLookup, phrases: Mapping | None = None) -> list[str | dict]:
    """Fill in a template and return its segments: text, and numbers as mappings with their place.

    Parameters
    ----------
    template : str
        Prose with ``{notebook:result}`` for numbers, ``{name}`` for phrases and ``[@key]`` for citations.
    language : {"en", "zh"}
    lookup : ResultLookup
    phrases : mapping of str to Phrase, optional

    Returns
    -------
    list of str or dict
        A number is ``{"reference", "shown", "value", "target", "cell"}``.

    Raises
    ------
    InvalidInputError
        For a number that is typed in, or a reference that cannot be read.
    UnknownNameError
        For a result or phrase that does not exist.
    """
    check_texts(template=template)
    check_template(template)
    segments: list[str | dict] = []
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        segments.append(template[end : match.start()])
        segments += _replacement(match[1], language, lookup, phrases or {})
        end = match.end()
    segments.append(template[end:])
    return [segment for segment in segments if segment]


def _replacement(text: str, language: str, lookup: ResultLookup, phrases: Mapping) -> list[str | dict]:
    if ":" in text:
        return [vars(lookup.value(text, language)).copy()]
    if text not in phrases:
        raise UnknownNameError("phrase", text, phrases, "a result is named notebook:result")
    words = getattr(phrases[text], language, None)
    if not isinstance(words, str):
        raise InvalidInputError(f"phrase {text!r}: expected a Phrase of English and Chinese, got {phrases[text]!r}")
    return fill(words, language, lookup)


def numbers_in(segments: list[str | dict]) -> list[str]:
    """Return the references of the numbers in filled prose, in order."""
    return [segment["reference"] for segment in segments if isinstance(segment, dict)]

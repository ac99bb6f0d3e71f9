"""In which language what is drawn and set is written: English or Chinese, one at a time (语言)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from string import Formatter

from clusterlib.core.checks import check_choice

LANGUAGES = ("en", "zh")
_FIELD = re.compile(r"[a-z_][a-z0-9_]*")
_FORMAT = re.compile(r"\+?,?(?:\.\d{1,2})?[defg%]?")
_SPOKEN: ContextVar[str] = ContextVar("language", default="en")


def spoken() -> str:
    """Return the language in which texts are written now, ``"en"`` unless :func:`speaking` says otherwise."""
    return _SPOKEN.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Write in a language as long as the block lasts.

    Parameters
    ----------
    language : {"en", "zh"}

    Raises
    ------
    UnknownNameError
        For another language.

    Examples
    --------
    >>> with speaking("zh"):
    ...     say("Year", "年份")
    '年份'
    """
    token = _SPOKEN.set(check_choice("language", language, LANGUAGES))
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def say(en: str, zh: str) -> str:
    """Return the text in the language spoken.

    Examples
    --------
    >>> say("Year", "年份")
    'Year'
    """
    return zh if spoken() == "zh" else en


@dataclass(frozen=True)
class Phrase:
    """Words in English and Chinese, such as a result decides on; as a text in the language spoken.

    Examples
    --------
    >>> str(Phrase("Year", "年份"))
    'Year'
    """

    en: str
    zh: str

    def __str__(self) -> str:
        return say(self.en, self.zh)


def join_phrases(phrases: Iterable[Phrase]) -> Phrase:
    """Return phrases as one, parted as each language parts them.

    Examples
    --------
    >>> join_phrases([Phrase("a year", "一年"), Phrase("a day", "一天")])
    Phrase(en='a year; a day', zh='一年；一天')
    """
    found = list(phrases)
    return Phrase("; ".join(phrase.en for phrase in found), "；".join(phrase.zh for phrase in found))


def parse_template(template: str) -> Iterator[tuple[str, str | None, str, str | None]]:
    """Split a text at its braces: literal, name, format, and ``u`` for the name of a place or ``p`` for a p value.

    Raises
    ------
    ValueError
        For anything but names and formats of numbers.
    """
    for literal, name, form, conversion in Formatter().parse(template):
        if name is not None and not (
            _FIELD.fullmatch(name) and _FORMAT.fullmatch(form or "") and conversion in (None, "u", "p")
        ):
            raise ValueError(
                f"{{{name}}}: braces hold the name of a value, as in {{draws}}, with decimals {{gini:.3f}}, or the "
                "name of a place {city!u}, or a p value {p!p}; write {{ for a brace"
            )
        yield literal, name, form or "", conversion


def names_in(template: str) -> list[str]:
    """Return the names that stand in a text's braces.

    Examples
    --------
    >>> names_in("{gap:.1f} in {city!u}")
    ['gap', 'city']
    """
    return [name for _, name, _, _ in parse_template(template) if name is not None]

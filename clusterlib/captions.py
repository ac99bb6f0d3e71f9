"""What results are called, in Chinese and English: the caption files beside the notebooks (图表说明文件).

``notebooks/05_inequality.yml`` says of each result of ``05_inequality.ipynb`` how it is captioned, and
``notebooks/words.yml`` what all notebooks have in common; a translator edits them without touching code. A text is a
pair ``{en: ..., zh: ...}``, or one text for both where they are the same. Braces hold values that the notebook hands
over with a result: ``{draws}``, ``{gini:.3f}``, ``{city!u}`` for the name of a place by its code, ``{p!p}`` for a p
value as in ``p = 0.012`` or ``p < 0.001``; nothing in a file is ever run.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import pandas as pd

from clusterlib.core.checks import check_choice
from clusterlib.core.language import LANGUAGES, Phrase, parse_template, speaking
from clusterlib.core.rows import Place, Settings, read_settings
from clusterlib.core.tables import Cells, format_number, has_labels, write_cells
from clusterlib.errors import CaptionsError, InvalidInputError, OwnDataError, Problem

Text: TypeAlias = Mapping[str, str]

COMMON = "words.yml"
# What is concluded on a claim is captioned by the claim.
CLAIM = "claim."
_SECTIONS = ("sources", "words", "results")
_TEXTS = ("label", "note", "unit", "alt", "value")
_GROUPS = ("heads", "words", "text", "each")
_OTHERS = ("source", "digits", "units", "as_is", "optional")
_NAME = re.compile(r"(?:[a-z0-9_]|\{[a-z_]+\})+(?:\.(?:[a-z0-9_]|\{[a-z_]+\})+)*")
_PART = re.compile(r"\{([a-z_]+)\}")
_MOST_PARTS = 3
_SPAN = re.compile(r"(\d{4}):(\d{4})")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{3,}")
# Written in Latin letters by Chinese authors too.
_BOTH = frozenset(
    "GDP GNI VIF AIC BIC OLS IV GMM FDR VAT ICT USD Gini Dagum Moran Theil Durbin Hausman Wald Tobit log".split()
)


@dataclass(frozen=True)
class Caption:
    """What the file says of one result, or of several whose names differ in a part in braces.

    Attributes
    ----------
    name : str
        ``"dagum.figure"``, or ``"dagum.{series}_change"`` for all names of that form; the part in braces may be empty.
    texts : mapping
        ``label``, ``note``, ``unit``, ``alt``, ``value``: in English and Chinese.
    groups : mapping of mapping
        ``heads`` of a table's columns; ``words`` for what stands in its cells; ``text`` that a figure writes;
        ``each`` for the members of a list among the values.
    source : tuple of str
        Keys of ``sources``.
    digits : int, mapping or None
        Decimals of a number, or of a table's columns.
    units : tuple of str
        Columns of codes that are shown as names of places; one called ``adcode`` is so without being named.
    as_is : tuple of str
        Columns shown as they are, such as names that exist in one language only.
    optional : bool
        Not recorded for every region.
    line : int
    """

    name: str
    texts: Mapping[str, Text] = field(repr=False)
    groups: Mapping[str, Mapping[object, Text]] = field(repr=False)
    source: tuple[str, ...] = ()
    digits: Any = None
    units: tuple[str, ...] = ()
    as_is: tuple[str, ...] = ()
    optional: bool = False
    line: int = 0

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The names that it is for."""
        parts = _PART.split(self.name)
        return re.compile("".join(f"(?P<{p}>[a-z0-9_]*?)" if k % 2 else re.escape(p) for k, p in enumerate(parts)))


@dataclass(frozen=True)
class Captions:
    """A caption file with the words that all notebooks have in common.

    Attributes
    ----------
    file : str
    results : mapping of str to Caption
    sources, words : mapping of str to text
    """

    file: str
    results: Mapping[str, Caption] = field(repr=False)
    sources: Mapping[object, Text] = field(repr=False)
    words: Mapping[object, Text] = field(repr=False)

    @cached_property
    def places(self) -> Mapping[str, Mapping[Any, str]]:
        """Short names of provinces, cities and economies, by language and code."""
        from clusterlib.data import unit_names

        return {
            language: {**unit_names("economy", language), **unit_names(language=language)} for language in LANGUAGES
        }

    @cached_property
    def _former_places(self) -> Mapping[str, Mapping[Any, str]]:
        from clusterlib.data import unit_names

        return {language: unit_names(language=language, former=True).to_dict() for language in LANGUAGES}

    def place(self, code: Any, language: str) -> str | None:
        """Return the short name of a province, city, county or economy by its code, or None if there is none."""
        name = self.places[language].get(code)
        known = name is not None or not isinstance(code, numbers.Integral)
        return name if known else self._former_places[language].get(code)

    @cached_property
    def study(self) -> Mapping[str, Mapping[str, str]]:
        """What the study and the catalogues say: regions, belts, variables, indicators, units, breaks, economies."""
        from clusterlib.data import indicator_catalogue
        from clusterlib.data._own import in_shipped_run, own_entries
        from clusterlib.paths import get_project
        from clusterlib.regions import REGIONS
        from clusterlib.study import design

        plan, catalogue = design(), indicator_catalogue().droplevel(0)
        own: list[dict[str, str]] = []
        # What is wrong with imported indicators is told to whoever loads one.
        with contextlib.suppress(OwnDataError):
            own += [] if in_shipped_run() else own_entries(get_project()).values()
        catalogue = catalogue.assign(unit_en=catalogue["unit"], breaks_en=catalogue["breaks"])
        broken = catalogue[catalogue["breaks"] != ""]
        catalogue = catalogue[~catalogue.index.duplicated()]
        found = {}
        for language, short, unit in (("en", "short_en", "unit"), ("zh", "name_zh", "unit_zh")):
            named = {**plan.measures, **plan.dimensions, **plan.variables, **plan.real_economy, **plan.belts}
            found[language] = {
                **{row["unit"]: row[unit] for row in own},
                **{row["indicator"]: row[f"name_{language}"] for row in own},
                **{code: name for code, name in self.places[language].items() if isinstance(code, str)},
                **dict(zip(catalogue["unit"], catalogue[f"unit_{language}"], strict=True)),
                **dict(zip(broken["breaks"], broken[f"breaks_{language}"], strict=True)),
                **{key: getattr(each, language) for key, each in named.items()},
                **{key: getattr(getattr(plan, key), language) for key in ("rest", "nation")},
                **catalogue[f"name_{language}"],
                **{region.code: getattr(region, short) for region in REGIONS.values()},
            }
        return found

    def find(self, name: str) -> tuple[Caption, dict[str, str]]:
        """Return the caption of a result, and what stands in its name for the parts in braces.

        Raises
        ------
        InvalidInputError
            If there is none; the message shows what to write.
        """
        if name in self.results:
            return self.results[name], {}
        fitting = [(c, found) for c in self.results.values() if (found := c.pattern.fullmatch(name))]
        if not fitting:
            raise InvalidInputError(
                f"{self.file} has no caption for {name!r}: add it under results:, as in\n"
                f"  {name}:\n    label: {{en: What it is, zh: 名称}}"
            )
        # The most particular: that with the fewest letters in place of braces.
        caption, found = min(fitting, key=lambda fit: sum(map(len, fit[1].groups())))
        return caption, found.groupdict()

    def unused(self, names: Iterable[str]) -> list[Caption]:
        """Return the captions that are for none of these names, but for those that are optional."""
        used = {self.find(name)[0].name for name in names if not name.startswith(CLAIM)}
        return [c for c in self.results.values() if c.name not in used and not c.optional]

    def check_used(self, names: Iterable[str]) -> None:
        """Raise CaptionsError naming the captions that are for no recorded result."""
        advice = "nothing was recorded for it: take the entry out, or give it `optional: true` if few regions have it"
        if left := self.unused(names):
            raise CaptionsError([Problem(self.file, caption.line, f"{caption.name}: {advice}") for caption in left])


def load_captions(notebook: str, folder: Path | None = None) -> Captions:
    """Load the captions of a notebook's results.

    Parameters
    ----------
    notebook : str
        Such as ``"05_inequality"``.
    folder : Path, optional
        That of the notebooks; by default the project's.

    Returns
    -------
    Captions

    Raises
    ------
    CaptionsError
        If the file is missing or something in it is wrong: file, line, and what was expected.

    Examples
    --------
    >>> load_captions("05_inequality").results["dagum.figure"].texts["label"]["zh"]  # doctest: +SKIP
    '基尼系数及其来源分解'
    """
    from clusterlib.paths import get_project

    if not isinstance(notebook, str):
        raise InvalidInputError(f"notebook={notebook!r}: expected its name, such as '05_inequality'")
    folder = get_project().notebooks if folder is None else Path(folder)
    own = _read(folder / f"{notebook.removesuffix('.ipynb')}.yml")
    common = _read(folder / COMMON) if (folder / COMMON).exists() else Settings(COMMON, {}, {(): 1})
    results = {name: _caption(own, name) for name in _section(own, "results")}
    merged = {part: {**_texts(common, (part,)), **_texts(own, (part,))} for part in ("sources", "words")}
    captions = Captions(own.file, MappingProxyType(results), *map(MappingProxyType, merged.values()))  # type: ignore[arg-type]
    for caption in results.values():
        for key in caption.source:
            if key not in captions.sources:
                known = ", ".join(map(str, captions.sources)) or "sources:"
                raise _wrong(
                    own, ("results", caption.name, "source"), f"unknown source {key!r}; expected one of {known}"
                )
    return captions


def _read(path: Path) -> Settings:
    return read_settings(path, path.parent.parent, CaptionsError)


def _wrong(document: Settings, place: Place, reason: str) -> CaptionsError:
    return CaptionsError([document.problem(place, reason)])


def _section(document: Settings, name: str) -> Mapping:
    content = document.value
    if not isinstance(content, dict):
        raise _wrong(document, (), f"expected {', '.join(f'{s}:' for s in _SECTIONS)}")
    for key in content:
        if key not in _SECTIONS:
            raise _wrong(document, (key,), f"unknown; expected one of {', '.join(_SECTIONS)}")
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise _wrong(document, (name,), "expected names with what is said of each")
    return section


def _texts(document: Settings, place: Place) -> dict[object, Text]:
    found = _section(document, str(place[0]))
    for key in place[1:]:
        found = found.get(key, {})
    if not isinstance(found, dict):
        raise _wrong(document, place, "expected names, each with a text in English and Chinese")
    return {key: _text(document, (*place, key), value) for key, value in found.items()}


def _text(document: Settings, place: Place, value: Any) -> Text:
    """Return a text in both languages, whose braces can be filled."""
    if isinstance(value, str):
        value = dict.fromkeys(LANGUAGES, value)
    if not isinstance(value, dict) or set(value) != set(LANGUAGES):
        raise _wrong(document, place, f"expected {{en: ..., zh: ...}}, got {value!r}")
    for language in LANGUAGES:
        text = value[language]
        if not isinstance(text, str):
            raise _wrong(document, (*place, language), f"expected a text, got {text!r}: set it in quotes")
        try:
            list(parse_template(text))
        except ValueError as error:
            raise _wrong(document, (*place, language), f"{error}") from None
    if _CHINESE.search(value["en"]):
        raise _wrong(document, (*place, "en"), f"Chinese in the English text {value['en']!r}")
    return MappingProxyType({language: value[language] for language in LANGUAGES})


def _caption(document: Settings, name: Any) -> Caption:
    place: Place = ("results", name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(document, place, "a result's name has lower case letters, digits and '_', parts joined by '.'")
    parts = _PART.findall(name)
    if len(parts) > _MOST_PARTS or len(set(parts)) < len(parts):
        # Each more is one more way to read a name: many would be looked for without end.
        raise _wrong(document, place, f"at most {_MOST_PARTS} parts of a name stand in braces, each once")
    entry = _section(document, "results")[name]
    if not isinstance(entry, dict):
        raise _wrong(document, place, f"expected label: and others, got {entry!r}")
    for key in entry:
        if key not in (*_TEXTS, *_GROUPS, *_OTHERS):
            raise _wrong(
                document, (*place, key), f"unknown; expected one of {', '.join((*_TEXTS, *_GROUPS, *_OTHERS))}"
            )
    if "label" not in entry:
        raise _wrong(document, place, "label: is missing")
    lists = {}
    for key in ("source", "units", "as_is"):
        given = entry.get(key, [])
        lists[key] = tuple(given if isinstance(given, list) else [given])
        if not all(isinstance(part, str) for part in lists[key]):
            raise _wrong(document, (*place, key), f"expected a name or a list of names, got {given!r}")
    digits = entry.get("digits")
    for value in digits.values() if isinstance(digits, dict) else [digits] * ("digits" in entry):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 15:
            raise _wrong(document, (*place, "digits"), f"expected decimals from 0 to 15, got {value!r}")
    optional = entry.get("optional", False)
    if not isinstance(optional, bool):
        raise _wrong(document, (*place, "optional"), f"expected true or false, got {optional!r}")
    return Caption(
        name,
        {key: _text(document, (*place, key), entry[key]) for key in _TEXTS if key in entry},
        {key: _texts(document, (*place, key)) for key in _GROUPS},
        digits=digits, optional=optional, line=document.lines[place], **lists,
    )  # fmt: skip


class Wording:
    """The words of one result in one language; a figure asks it for what it writes.

    Called with a key it returns the word: that of the figure's ``text`` (``"unit"`` is its unit unless given), with
    values in the place of its braces, or a word of the file, of ``notebooks/words.yml``, a region's name or an
    indicator's. What a figure shows is said by its caption, and not written in it.

    Attributes
    ----------
    language : {"en", "zh"}

    Examples
    --------
    >>> record("trend.figure", lambda words: trend_lines(trend, marks, words.names(trend), words("y")))
    ... # doctest: +SKIP
    """

    def __init__(self, captions: Captions, caption: Caption, language: str, values: Mapping[str, Any]) -> None:
        self.language = check_choice("language", language, LANGUAGES)
        self._captions, self._caption, self._values = captions, caption, dict(values)

    def __call__(self, key: Any, **values: Any) -> str:
        text = self._caption.groups["text"].get(key)
        if text is None and key == "unit":
            text = self._caption.texts["unit"]
        return self.fill(text, values) if text is not None else self._word_or_error(key)

    def names(self, keys: Iterable[Any]) -> dict[Any, str]:
        """Return the word of each key, such as the labels of regions."""
        return {key: self(key) for key in keys}

    def unit(self, code: Any) -> str:
        """Return the short name of a province, city or economy by its code."""
        name = self._captions.place(code, self.language)
        if name is None:
            raise InvalidInputError(f"{self._where}: no province, city or economy has the code {code!r}")
        return name

    def units(self, codes: Iterable[Any]) -> dict[Any, str]:
        """Return the short name of each place by its code."""
        return {code: self.unit(code) for code in codes}

    def rows(self, frame: Any) -> Any:
        """Return a frame or Series whose rows are called by words, or by the names of places for codes."""
        return frame.set_axis(self._labels(frame.index), axis=0)

    def columns(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame whose columns are called by words."""
        return frame.set_axis(self._labels(frame.columns), axis=1)

    def _labels(self, index: pd.Index) -> list:
        if index.name in ("adcode", *self._caption.units):
            return [self.unit(code) for code in index]
        return [self(label) if isinstance(label, str) else label for label in index]

    def text(self, name: str) -> str:
        """Return one of the caption's texts, filled, or nothing if there is none."""
        text = self._caption.texts.get(name)
        return self.fill(text) if text is not None else ""

    def sentence(self, value: str | Phrase) -> str:
        """Return a recorded text: the caption's ``value``, which may quote it as ``{value}``, or the word for it."""
        text = self._caption.texts.get("value")
        if text is None and isinstance(value, Phrase):
            return getattr(value, self.language)
        return self.fill(text, {"value": value}) if text is not None else self._word_or_error(value)

    @property
    def digits(self) -> Any:
        """Decimals of a number."""
        return self._caption.digits

    @property
    def source(self) -> str:
        """Where the figures come from."""
        return say_list([self.fill(self._captions.sources[key]) for key in self._caption.source], self.language, True)

    def fill(self, text: Text, values: Mapping[str, Any] | None = None) -> str:
        """Return a text with its values in the place of the braces."""
        known = self._values if values is None else {**self._values, **values}
        parts = []
        for literal, name, form, conversion in parse_template(text[self.language]):
            parts.append(literal)
            if name is not None:
                if name not in known:
                    raise InvalidInputError(
                        f"{self._where}: {text[self.language]!r} asks for {name!r}, which record(...) was not given; "
                        f"given: {', '.join(known) or 'nothing'}"
                    )
                parts.append(self._said(name, known[name], form, conversion))
        return "".join(parts)

    @property
    def _where(self) -> str:
        return f"{self._captions.file}, line {self._caption.line}, {self._caption.name}"

    def _said(self, name: str, value: Any, form: str, conversion: str | None) -> str:
        value = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
        if conversion == "u":
            listed = value if isinstance(value, (list, tuple)) else [value]
            return say_list((self.unit(code) for code in listed), self.language)
        if isinstance(value, (list, tuple)):
            each = self._caption.groups["each"].get(name)
            if each is not None:
                return say_list((self.fill(each, member) for member in value), self.language, True)
            return say_list((self._said(name, member, form, None) for member in value), self.language)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "–"
        if isinstance(value, Phrase):
            return getattr(value, self.language)
        if isinstance(value, str):
            return self._word_or_error(value) if value else ""
        if conversion == "p":
            return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
        if form:
            return format(int(value) if form.endswith("d") else value, form)
        with speaking(self.language):
            return format_number(value)

    def word(self, key: Any) -> str | None:
        """Return the word for a key, or None if there is none."""
        for words in (self._caption.groups["words"], self._captions.words):
            if key in words:
                return self.fill(words[key])
        return self._captions.study[self.language].get(key)

    def _word_or_error(self, key: Any) -> str:
        found = self._word_or_same(key)
        if found is None:
            raise InvalidInputError(
                f"{self._where}: no word for {key!r} in {'English' if self.language == 'en' else 'Chinese'}; add it to "
                "words: there, of the file, or of notebooks/words.yml"
            )
        return found

    def _word_or_same(self, key: Any) -> str | None:
        """Return the word for a key, or the key where it is right in this language as it is."""
        word = self.word(key)
        if word is not None or not isinstance(key, str):
            return str(key) if word is None else word
        if span := _SPAN.fullmatch(key):
            return ("–" if self.language == "en" else "—").join(span.groups())
        if self.language == "en":
            return None if _CHINESE.search(key) or re.search(r"[a-z]_[a-z]", key) else key
        return key if all(part in _BOTH for part in _LATIN.findall(key)) else None

    def cells(self, frame: pd.DataFrame) -> Cells:
        """Return a table's cells in words, with decimals as the caption says.

        Raises
        ------
        InvalidInputError
            Naming all texts for which there is no word.
        """
        caption, missing = self._caption, []

        def said(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return say_list((str(said(part)) for part in value), self.language) or "–"
            if isinstance(value, Phrase):
                return getattr(value, self.language)
            if not isinstance(value, str):
                return value
            found = self._word_or_same(value)
            if found is None:
                missing.append(value)
            return value if found is None else found

        def column(values: pd.Series) -> pd.Series:
            if values.name in ("adcode", *caption.units):
                # Beside places there may be a row for all of them, or that there is none.
                return values.map(lambda value: said(value) if isinstance(value, str) else self._unit_cell(value))
            changed = values.name not in caption.as_is and (values.dtype == object or values.dtype == "string")
            return values.map(said) if changed else values

        shown = pd.DataFrame({k: column(frame.iloc[:, k]).to_numpy() for k in range(frame.shape[1])})
        shown.columns = frame.columns
        names = list(frame.columns)
        if has_labels(frame.index):
            levels = [column(frame.index.get_level_values(k).to_series()) for k in range(frame.index.nlevels)]
            labels = [pd.Index(level.to_numpy(), name=level.name) for level in levels]
            shown.index = labels[0] if len(labels) == 1 else pd.MultiIndex.from_arrays(labels)
            names += frame.index.names
        heads = {}
        for name in names:
            own = caption.groups["heads"].get(name)
            parts = [] if name is None else name if isinstance(name, tuple) else [name]
            heads[name] = self.fill(own) if own is not None else " ".join(str(said(part)) for part in parts)
        if missing:
            listed = ", ".join(repr(text) for text in dict.fromkeys(missing))
            raise InvalidInputError(
                f"{self._where}: no {'English' if self.language == 'en' else 'Chinese'} word for {listed}: add it to "
                "words: or heads: (or name the column under as_is:)"
            )
        with speaking(self.language):
            return write_cells(shown, caption.name, caption.digits, heads)  # type: ignore[arg-type]

    def _unit_cell(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return say_list((self.unit(code) for code in value), self.language) or "–"
        name = self._captions.place(value, self.language)
        return value if name is None else name


def say_list(texts: Iterable[str], language: str, long: bool = False) -> str:
    """Join texts as a list is written in a language; ``long`` for parts that may hold commas themselves."""
    marks = {"en": (", ", "; "), "zh": ("、", "；")}[language]
    return marks[long].join(text for text in texts if text)

"""The report's prose as a template: results by name, words chosen by them, figures and tables (正文模板).

A document is Markdown with Jinja's braces, ``report/zh.md``. What may stand in them is listed at :class:`Prose`; the
sandbox neither computes nor reaches anything else. A number that is typed into the prose is refused.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from clusterlib.core.checks import check_choice
from clusterlib.core.tables import format_number, split_hanging
from clusterlib.errors import ClusterlibError, InvalidInputError, Problem, ReportError, UnknownNameError
from clusterlib.regions import REGIONS, get_region
from clusterlib.report._document import WORDS, escape_markdown, pipe_table, table_note
from clusterlib.study import Reference, ResultLookup
from clusterlib.study.claims import NATION, Claim

if TYPE_CHECKING:
    import pandas as pd

    from clusterlib.results import Record

_SHORT = re.compile(r"(\d{2})(?=:)")
_CITATION = re.compile(r"\[@[^\]]+\]|@[A-Za-z][\w:.-]*")
# Identifiers, links and classes are no prose.
_MARKS = re.compile(r"\{[#.:][^}]*\}|\]\([^)]*\)|https?://\S+")
_TYPED = re.compile(r"[0-9０-９]+|[一二三四五六七八九十百千万亿]{2,}(?=[个项省市年倍%])")
# The hyphen of a negative figure, and that of its exponent.
_NEGATIVE = re.compile(r"(?<![A-Za-z0-9_)])-(?=[\d.])|(?<=\de)-(?=\d)")
_INNER = str.maketrans("“”", "‘’")
_LABEL = re.compile(r"(fig|tbl)-[a-z][a-z0-9-]*")


class Words(str):
    """What a function of the template gives back: may stand in the prose as it is."""

    __slots__ = ()


class Place(NamedTuple):
    """A region as the prose speaks of it."""

    code: str
    name: str


@dataclass(frozen=True)
class Judgements:
    """What the notebooks concluded on the essay's claims.

    Attributes
    ----------
    claims : mapping of str to Claim
    found : mapping of str to DataFrame
        By region and for the nation, see :func:`clusterlib.claims.evaluate_claims`.
    """

    claims: Mapping[str, Claim]
    found: Mapping[str, pd.DataFrame] = field(repr=False)

    @classmethod
    def load(cls, reports: Path | None = None, regions: Iterable[str] = ()) -> Judgements:
        """Gather the conclusions of regions, by default of all, and for the nation."""
        from clusterlib.study.claims import evaluate_claims, load_claims

        claims = load_claims()
        found = {place: evaluate_claims(place, claims, reports) for place in (*(regions or REGIONS), NATION)}
        return cls({claim.id: claim for claim in claims}, found)


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that does not compute: what a reader sees is what a notebook recorded."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        raise InvalidInputError(f"{operator!r} computes: record what is needed in a notebook, and name it here")


class Prose:
    r"""What a document's braces may name, in one language (正文可用函数).

    ``n(result, digits)`` sets a recorded number, which links to the appendix: ``region=`` names the region where it is
    not the document's own, ``times=100`` sets log points as percent, ``sign=True`` its sign, ``size=True`` its absolute
    value. ``interval(table, row, digits)`` sets estimate, lower and upper end, with ``unit="%"`` after the first,
    ``text(result)`` a recorded text, ``place(result)`` the name of the province or city whose code it is,
    ``first_place(table)`` that of a table's first row, ``span(result)`` years. ``value(result)`` gives the number for a
    condition. ``judged(claim)`` gives the verdict's key, ``verdict(claim)`` its word, ``evidence(claim)`` its sentence,
    ``clause(claim)`` the essay's words, ``tally("mixed")`` how many claims have a verdict; ``say(claim, supported=...,
    contradicted=..., mixed=..., otherwise=...)`` the words that fit it. ``figure(result, "fig-name")`` and
    ``table(result, "tbl-name")`` set what was recorded, ``caption("tbl-name", text)`` numbers a table of the author's,
    ``ref("fig-name")`` refers to either; ``ledger()`` sets the verdicts side by side, ``ledger_evidence()`` what each
    rests on, ``numbers()`` where the numbers come from. ``term("GB/T 7714")`` is a name that holds digits,
    ``scope(region)`` what stands for a region in provincial results. ``regions`` are the regions, ``region`` that of a
    brief.

    Parameters
    ----------
    language : {"en", "zh"}
    lookups : mapping of str to ResultLookup
        By region.
    judgements : callable
        Gives the judgements, once a claim is asked for.
    region : str
        That of a brief; empty for the report on all.
    labels : mapping of str to str
        Numbers of figures and tables, as a first reading found them.
    """

    def __init__(
        self,
        language: str,
        lookups: Mapping[str, ResultLookup],
        judgements: Callable[[], Judgements],
        region: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.language, self.lookups, self._judgements, self.region = language, lookups, judgements, region
        self.words, self.known = WORDS[language], labels
        self.labels: dict[str, str] = {}
        self.numbers: dict[tuple[str, str], dict] = {}

    @cached_property
    def judgements(self) -> Judgements:
        """What the notebooks concluded."""
        return self._judgements()

    @cached_property
    def functions(self) -> dict[str, Any]:
        """What the template may name."""
        names = (
            "n interval text place first_place span term value judged verdict evidence clause tally say scope".split()
        )
        names += "figure table caption ref ledger ledger_evidence numbers".split()
        known = [Place(code, self._region_name(code)) for code in self.lookups]
        own = next((place for place in known if place.code == self.region), None)
        return {
            **{name: getattr(self, f"_{name}") for name in names},
            "regions": known,
            **({"region": own} if own else {}),
        }

    def _region_name(self, code: str, short: bool = False) -> str:
        area = get_region(code)
        return area.name_zh if self.language == "zh" else area.short_en if short else area.name_en

    # Results

    def _codes(self, region: Any) -> list[str]:
        """Regions whose results are meant: one that is named, the brief's own, or all, which must then agree."""
        code = getattr(region, "code", region) or self.region
        return [check_choice("region", code, self.lookups)] if code else list(self.lookups)

    def _reference(self, text: Any) -> Reference:
        if not isinstance(text, str):
            raise InvalidInputError(f"{text!r}: expected the name of a result, as in '02:concentration.core_count'")
        short = _SHORT.match(text)
        if short:
            known = [name for name in self._notebooks if name.startswith(short[1])]
            if len(known) > 1:
                raise InvalidInputError(f"{short[1]} stands for {' and '.join(known)}: name the notebook in full")
            if not known:
                raise UnknownNameError("notebook", short[1], self._notebooks)
            text = known[0] + text[2:]
        return Reference.parse(text)

    @cached_property
    def _notebooks(self) -> list[str]:
        from clusterlib.core.records import RESULTS

        lookup = next(iter(self.lookups.values()))
        return sorted(path.parent.name for path in lookup.folder.glob(f"[0-9][0-9]_*/{RESULTS}"))

    def _raw(self, text: Any, region: Any) -> tuple[Reference, list[str], Any]:
        reference, codes = self._reference(text), self._codes(region)
        found = {code: self.lookups[code].raw(reference) for code in codes}
        values = list(found.values())
        if any(value != values[0] for value in values):
            raise InvalidInputError(
                f"{text} differs between the regions ({', '.join(f'{c}: {v}' for c, v in found.items())}): say which "
                "is meant, as in region='yrd'"
            )
        return reference, codes, values[0]

    def _value(self, result: Any, region: Any = None) -> Any:
        return self._raw(result, region)[2]

    def _n(
        self, result: Any, digits: int | None = None, region: Any = None, times: float = 1, sign: bool = False,
        size: bool = False,
    ) -> Words:  # fmt: skip
        reference, codes, value = self._raw(result, region)
        if isinstance(value, str):
            raise InvalidInputError(f"{result} is the text {value!r}: use text(...)")
        value = abs(value) * times if size else value * times
        shown = format_number(value, None if value and digits is not None and not round(value, digits) else digits)
        shown = f"+{shown}" if sign and value > 0 else shown
        # A typographic minus: a hyphen may break at the end of a line.
        return self._linked(reference, codes, shown.replace("-", "\N{MINUS SIGN}"))

    def _interval(
        self, table: Any, row: Any, digits: int = 2, region: Any = None, times: float = 1, column: str = "estimate",
        unit: str = "",
    ) -> Words:  # fmt: skip
        """Set estimate, lower and upper end of a row of a recorded table; a dash where there is no estimate."""
        base, codes = self._reference(table), self._codes(region)
        found = {code: self._row(code, base, str(row), column) for code in codes}
        first = found[codes[0]]
        if any(other != first for other in found.values()):
            raise InvalidInputError(f"{table}[{row}] differs between the regions: say which is meant")
        if any(value is None for value in first):
            return Words("–")
        # A small negative number rounds to zero, not to minus zero.
        shown = [format_number(round(times * value, digits) + 0.0, digits) for value in first]
        shown = [number.replace("-", "\N{MINUS SIGN}") for number in shown]
        shown[0] += unit
        words = "{}（{}至{}）" if self.language == "zh" else "{} ({} to {})"
        return self._linked(replace(base, row=str(row), column=column), codes, words.format(*shown))

    def _row(self, code: str, base: Reference, row: str, column: str) -> tuple:
        frame = self.lookups[code].record(base.notebook, base.name).frame()
        rows = {",".join(map(str, key if isinstance(key, tuple) else (key,))): key for key in frame.index}
        if row not in rows:
            raise UnknownNameError(f"row of {base.notebook}:{base.name}", row, rows)
        columns = [column, "lower", "upper"]
        for name in columns:
            check_choice(f"column of {base.notebook}:{base.name}", name, frame.columns)
        values = frame.loc[[rows[row]], columns].to_numpy(object)[0]
        return tuple(None if value is None or value != value else float(value) for value in values)

    def _linked(self, reference: Reference, codes: list[str], shown: str) -> Words:
        """Link to where the appendix says what a number is."""
        cell = f"[{reference.row};{reference.column}]" if reference.column else ""
        key = (f"{reference.notebook}:{reference.name}{cell}", codes[0] if len(codes) == 1 else NATION)
        entry = {"id": f"n{len(self.numbers) + 1}", "reference": reference, "shown": shown, "region": codes[0]}
        return Words(f"[{escape_markdown(shown)}](#{self.numbers.setdefault(key, entry)['id']})")

    def _text(self, result: Any, region: Any = None) -> Words:
        reference, codes = self._reference(result), self._codes(region)
        said = {self._said(self.lookups[code].record(reference.notebook, reference.name)) for code in codes}
        if len(said) > 1:
            raise InvalidInputError(f"{result} differs between the regions: say which is meant, as in region='yrd'")
        return self._linked(reference, codes, said.pop())

    def _said(self, record: Record) -> str:
        if record.kind != "text":
            raise InvalidInputError(f"{record.name} is a {record.kind}: use n(...), figure(...) or table(...)")
        return record.said("value", self.language)

    def _place(self, result: Any, region: Any = None) -> Words:
        from clusterlib.data import unit_names

        reference, codes, value = self._raw(result, region)
        names = unit_names(language=self.language)
        if value not in names:
            raise InvalidInputError(f"{result} is {value!r}, the code of no province or city")
        return self._linked(reference, codes, names[value])

    def _first_place(self, table: Any, region: Any = None) -> Words:
        """Set the name of the place in a table's first row, such as the one with most of something."""
        from clusterlib.data import unit_names

        reference, codes = self._reference(table), self._codes(region)
        tables = [self.lookups[code].record(reference.notebook, reference.name).frame() for code in codes]
        firsts = {frame.index[0] for frame in tables if len(frame)}
        names = unit_names(language=self.language)
        if len(firsts) != 1 or not all(code in names for code in firsts):
            raise InvalidInputError(f"{table}: expected rows by province or city, the first the same in all regions")
        return self._linked(reference, codes, names[firsts.pop()])

    def _span(self, result: Any, region: Any = None) -> Words:
        reference, codes, value = self._raw(result, region)
        found = re.fullmatch(r"(\d{4}):(\d{4})", str(value))
        if found is None:
            raise InvalidInputError(f"{result} is {value!r}: no years such as 2011:2023")
        return self._linked(reference, codes, ("—" if self.language == "zh" else "–").join(found.groups()))

    @staticmethod
    def _term(name: Any) -> Words:
        if not isinstance(name, str) or not re.search(r"[A-Za-z\u3400-\u9fff]", name):
            raise InvalidInputError(
                f"term({name!r}): a name that holds digits, such as 'GB/T 7714'; a number is n(...)"
            )
        return Words(name)

    def _scope(self, region: Any = None) -> Words:
        """Say what stands for a region in provincial results, or nothing where it is made of whole provinces."""
        from clusterlib.study import provincial_scope

        codes = self._codes(region)
        return Words(getattr(provincial_scope(codes[0] if len(codes) == 1 else None), self.language))

    # Claims

    def _judgement(self, claim: Any, region: Any) -> pd.Series:
        code = getattr(region, "code", region) or self.region or NATION
        found = self.judgements.found[check_choice("region", code, self.judgements.found)]
        if claim not in found.index:
            raise UnknownNameError(f"claim for {code}", claim, found.index)
        return found.loc[claim]

    def _spoken(self, row: pd.Series, name: str) -> str:
        """Verdict or evidence in the language of the document."""
        return _NEGATIVE.sub("\N{MINUS SIGN}", row[f"{name}_zh" if self.language == "zh" else name])

    def _statement(self, claim: Claim) -> str:
        return claim.clause if self.language == "zh" else claim.en

    def _judged(self, claim: Any, region: Any = None) -> str:
        return self._judgement(claim, region)["verdict"]

    def _verdict(self, claim: Any, region: Any = None) -> Words:
        return Words(self._spoken(self._judgement(claim, region), "verdict"))

    def _evidence(self, claim: Any, region: Any = None) -> Words:
        return Words(escape_markdown(self._spoken(self._judgement(claim, region), "evidence")))

    def _clause(self, claim: Any) -> Words:
        """Set the essay's words to stand between quotation marks: those within them are the other kind."""
        known = self.judgements.claims
        said = self._statement(known[check_choice("claim", claim, known)])
        return Words(escape_markdown(said.translate(_INNER) if self.language == "zh" else said))

    def _tally(self, verdict: Any, region: Any = None) -> Words:
        """Count the claims of a verdict, which leads to the ledger."""
        from clusterlib.study.claims import VERDICTS_ZH

        code = getattr(region, "code", region) or self.region or NATION
        found = self.judgements.found[check_choice("region", code, self.judgements.found)]["verdict"]
        counted = int((found == check_choice("verdict", verdict, VERDICTS_ZH)).sum())
        return Words(f"[{counted}](#tbl-ledger)")

    def _say(self, claim: Any, region: Any = None, **words: str) -> Words:
        fits = ("supported", "contradicted", "mixed", "otherwise")
        if missing := [name for name in fits if name not in words]:
            raise InvalidInputError(f"say({claim!r}, ...) has no words for {', '.join(missing)}: the verdict may turn")
        for name in words:
            check_choice("verdict", name, fits)
        return Words(words.get(self._judged(claim, region), words["otherwise"]))

    def _ledger(self) -> Words:
        """Set the verdicts side by side; a brief has those of its region, beside which stand the nation's."""
        places = [self.region] if self.region else [*self.lookups]
        names = [self._region_name(code, short=True) for code in places]
        rows = []
        for claim in self.judgements.claims.values():
            cells = [self._cell(claim.id, code) for code in (*places, NATION)]
            if any(cell != "–" for cell in (cells[:1] if self.region else cells)):
                rows.append([claim.number, self._statement(claim), *cells])
        heads = [*self.words["ledger"], *names, self.words["nation"]]
        return Words(pipe_table(heads, rows, ["left"] * len(heads)))

    def _cell(self, claim: str, code: str) -> str:
        known = claim in self.judgements.found[code].index
        return self._spoken(self._judgement(claim, code), "verdict") if known else "–"

    def _ledger_evidence(self) -> Words:
        """Say of each claim what was measured and what was found."""
        parts = []
        for claim in self.judgements.claims.values():
            places = [self.region, NATION] if self.region else [*self.lookups, NATION]
            found = [(code, self._judgement(claim.id, code)) for code in places if self._cell(claim.id, code) != "–"]
            if not found:
                continue
            lines = [f"**{escape_markdown(claim.number)}** {escape_markdown(self._statement(claim))}"]
            about = {"measure": claim.measure, "threshold": claim.threshold}
            lines += [
                f"{self.words[name]}{self.words['colon']}{escape_markdown(getattr(phrase, self.language))}"
                for name, phrase in about.items()
                if phrase
            ]
            lines += [self._finding(code, row) for code, row in found]
            parts.append("\n\n".join(lines))
        return Words("\n\n".join(parts))

    def _finding(self, code: str, row: pd.Series) -> str:
        place = self.words["nation"] if code == NATION else self._region_name(code)
        verdict, evidence = (self._spoken(row, name) for name in ("verdict", "evidence"))
        colon, stop = self.words["colon"], self.words["join"]
        said = escape_markdown(evidence)
        # What no notebook concludes, the claims themselves say.
        said = f'[{said}]{{result="{code}/{row["notebook"]}:{row["result"]}"}}' if row["result"] else said
        return f"- {escape_markdown(place)}{colon}{verdict}{stop}{said}"

    # Figures and tables

    def _caption(self, label: Any, text: Any, result: str = "") -> Words:
        return Words(f": {self._numbered(label)}{self.words['sep']}{text} {{#{label}{result and f' {result}'}}}")

    def _numbered(self, label: Any) -> str:
        match = _LABEL.fullmatch(label) if isinstance(label, str) else None
        if match is None:
            raise InvalidInputError(f"label {label!r}: expected such as 'fig-index' or 'tbl-border'")
        if label in self.labels:
            raise InvalidInputError(f"label {label!r} is given twice")
        kind = match[1]
        number = 1 + sum(other.startswith(kind) for other in self.labels)
        self.labels[label] = f"{self.words['figure' if kind == 'fig' else 'table']} {number}"
        return self.labels[label]

    def _ref(self, label: Any) -> Words:
        if self.known is None:
            return Words("")
        if label not in self.known:
            raise UnknownNameError("label", label, self.known)
        return Words(f"[{self.known[label]}](#{label})")

    def _recorded(self, result: Any, region: Any, kind: str) -> tuple[str, Reference, Record]:
        reference, code = self._reference(result), self._codes(region)[0]
        record = self.lookups[code].record(reference.notebook, reference.name)
        if record.kind != kind:
            raise InvalidInputError(f"{result} is a {record.kind}, not a {kind}")
        return code, reference, record

    def _figure(self, result: Any, label: Any, region: Any = None, caption: str = "", width: int = 100) -> Words:
        code, reference, record = self._recorded(result, region, "figure")
        alt = escape_markdown(record.said("alt", self.language)).replace('"', '\\"')
        file = f"{code}/{reference.notebook}/{record.said('value', self.language)}"
        text = caption or escape_markdown(record.said("label", self.language))
        head = f"{self._numbered(label)}{self.words['sep']}{text}"
        about = f'#{label} alt="{alt}" width={width}% {_result(code, reference)}'
        return Words("\n\n".join(filter(None, [f"![{head}]({file}){{{about}}}", table_note(record, self.language)])))

    def _table(self, result: Any, label: Any, region: Any = None, caption: str = "") -> Words:
        code, reference, record = self._recorded(result, region, "table")
        shown = record.said("shown", self.language)
        if shown is None:
            raise ClusterlibError(f"{result} has no cells to set: run the notebook again")
        text = caption or escape_markdown(record.said("label", self.language))
        rows = [[_cell(*pair) for pair in zip(row, shown["align"], strict=True)] for row in shown["rows"]]
        cells = pipe_table([*map(escape_markdown, shown["heads"])], rows, shown["align"], escaped=True)
        caption = self._caption(label, text, _result(code, reference))
        return Words("\n\n".join(filter(None, [cells, caption, table_note(record, self.language)])))

    def _numbers(self) -> Words:
        """Say where each number comes from; stands last. A brief of two pages has room for a paragraph only."""
        rows = []
        for (name, code), entry in self.numbers.items():
            reference: Reference = entry["reference"]
            place = self.words["nation"] if code == NATION else self._region_name(code, short=True)
            if reference.parameter:
                cell, said = "parameters", reference.name
            else:
                record = self.lookups[entry["region"]].record(reference.notebook, reference.name)
                cell, said = record.cell, record.said("label", self.language) or name
            number = f"[{escape_markdown(entry['shown'])}]{{#{entry['id']} {_result(code, reference)}}}"
            rows.append([number, *map(escape_markdown, (said, place, reference.notebook, cell))])
        if not self.region:
            return Words(pipe_table(self.words["heads"], rows, ["right", *["left"] * 4], escaped=True))
        entries = [f"{number} {said} ({notebook} {cell})" for number, said, _, notebook, cell in rows]
        return Words(f'::: {{.numbers custom-style="Table Note"}}\n{self.words["join"].join(entries)}\n:::')


def _result(region: str, reference: Reference) -> str:
    """Return the attribute that says which result a number, figure or table is, for who follows it."""
    mark, cell = "@" * reference.parameter, f"[{reference.row};{reference.column}]" if reference.column else ""
    place = f"{region}/{reference.notebook}:{mark}{reference.name}{cell}".replace('"', '\\"')
    return f'result="{place}"'


def _cell(text: str, align: str) -> str:
    """Set a recorded cell; room for stars and parentheses behind its last digit keeps decimal points in one line."""
    if align == "left":
        return escape_markdown(text)
    body, behind = split_hanging(text) if align == "hanging" else (text, "")
    body = escape_markdown(_NEGATIVE.sub("\N{MINUS SIGN}", body))
    return f"{body}[{escape_markdown(behind)}]{{.behind}}" if align == "hanging" else body


def render(file: str, source: str, prose: Prose) -> tuple[str, dict[str, Any]]:
    """Fill in a template.

    Parameters
    ----------
    file : str
        Its name, for messages.
    source : str
    prose : Prose

    Returns
    -------
    text : str
        Markdown.
    said : dict
        What the template sets at its head, such as the title.

    Raises
    ------
    ReportError
        For a template that cannot be read, a name that does not exist, and a number that is typed in; with the line.
    """
    environment = _Environment(
        undefined=jinja2.StrictUndefined, lstrip_blocks=True, keep_trailing_newline=True,
        finalize=_printed, autoescape=False,
        # Jinja's own {# stands for an identifier in Markdown.
        comment_start_string="<!--", comment_end_string="-->",
    )  # fmt: skip
    environment.globals.clear()
    template = None
    try:
        _check_typed(environment, source, file)
        code = environment.compile(source, file, file)
        template = jinja2.Template.from_code(environment, code, dict(prose.functions))
        module = template.make_module()
    except jinja2.TemplateSyntaxError as error:
        raise ReportError([Problem(file, error.lineno, error.message or "cannot be read")]) from None
    except ReportError:
        raise
    except (ClusterlibError, jinja2.TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = template.get_corresponding_lineno(lines[-1]) if template and lines and lines[-1] else 1
        raise ReportError([Problem(file, line, str(error))]) from None
    return str(module), {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _printed(value: Any) -> Any:
    """Let nothing into the prose but what the functions gave and words."""
    if isinstance(value, (Words, jinja2.Undefined)):
        return value
    if isinstance(value, str):
        if typed := _typed_in(value):
            raise InvalidInputError(typed[1])
        return value
    raise InvalidInputError(f"{value!r} is printed as it is: set a number by n(...)")


def _typed_in(text: str) -> tuple[int, str] | None:
    """Return in which line of a text a number is typed, and what to do instead; None if there is none."""
    rest = _MARKS.sub("", _CITATION.sub("", text))
    found = _TYPED.search(rest)
    if found is None:
        return None
    around = rest[max(0, found.start() - 25) : found.end() + 25].replace("\n", " ")
    return rest[: found.start()].count("\n"), (
        f"the number {found[0]!r} is typed into the prose (“…{around}…”): record it in a notebook and name it, as "
        "in {{ n('02:concentration.core_count') }}; a name that holds digits is term('...')"
    )


def _check_typed(environment: jinja2.Environment, source: str, file: str) -> None:
    """Raise for numbers that are typed into the prose or into words that the braces hold."""
    problems, before = [], ""
    for line, kind, token in environment.lex(source):
        words = kind == "string" and before != "term" and re.search(r"[\s\u3400-\u9fff]", token)
        if kind == "data" or words:
            if typed := _typed_in(token):
                problems.append(Problem(file, line + typed[0], typed[1]))
            if kind == "data" and (brace := re.search(r"\}\}|%\}", token)):
                reason = f"{brace[0]!r} has no partner"
                problems.append(Problem(file, line + token[: brace.start()].count("\n"), reason))
        if kind != "whitespace" and token != "(":
            before = token
    if problems:
        raise ReportError(problems)

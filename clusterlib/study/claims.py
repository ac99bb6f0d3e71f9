"""The essay's checkable statements and what the recorded results say of each (论断核验)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.checks import check_choice, check_level, check_number
from clusterlib.core.rows import Place, read_settings
from clusterlib.errors import ClusterlibError, InvalidInputError, Problem, StudyError, UnknownNameError
from clusterlib.regions import REGIONS, get_region

if TYPE_CHECKING:
    import pandas as pd

    from clusterlib.study._lookup import ResultLookup

SUPPORTED, CONTRADICTED, MIXED, NOT_TESTABLE = "supported", "contradicted", "mixed", "not testable"
VERDICTS_ZH = {SUPPORTED: "支持", CONTRADICTED: "不支持", MIXED: "证据不一", NOT_TESTABLE: "无法检验"}
KINDS = ("number", "concentration", "lead", "syndrome", "remedy")
FILE = "claims.yml"


@dataclass(frozen=True)
class Claim:
    """One checkable statement.

    Attributes
    ----------
    id : str
    kind : {"number", "concentration", "lead", "syndrome", "remedy"}
    en, zh : str
        The statement.
    rule : dict
        What the results must be for it to hold, see :func:`evaluate`; ``{"not_testable": reason}`` if no result bears
        on it.
    regions : tuple of str
        The regions whose results it is judged by.
    """

    id: str
    kind: str
    en: str
    zh: str
    rule: dict = field(repr=False)
    regions: tuple[str, ...] = field(default_factory=lambda: tuple(REGIONS))


@dataclass(frozen=True)
class Verdict:
    """What the results say of a claim for a region, with the values that decided."""

    verdict: str
    evidence: Mapping[str, float]
    reason: str = ""


# Whether the results bear a rule out, None if they decide nothing, and what is to be said of it.
Judgement = tuple[bool | None, str]


def _equals(rule: Mapping, value: float) -> Judgement:
    return abs(value - rule["value"]) <= rule.get("within", 0), f"stated: {rule['value']:g}"


def _at_least(rule: Mapping, value: float) -> Judgement:
    return value >= rule["value"], f"stated: {rule['value']:g}"


def _largest(rule: Mapping, first: float, *rest: float) -> Judgement:
    return first > max(rest), ""


def _interval(rule: Mapping, estimate: float, lower: float, upper: float) -> Judgement:
    bound = rule.get("than", 0)
    if lower > bound or upper < bound:
        return (lower > bound) == (rule["is"] == "above"), ""
    return None, f"the interval holds {bound:g}"


def _effect(rule: Mapping, estimate: float, p: float) -> Judgement:
    if p < rule.get("alpha", 0.05):
        return (estimate > 0) == (rule["is"] == "positive"), ""
    return None, "no effect can be told from none"


# How a rule is judged, how many results it is about, what it needs beside them and what it may have.
RULES: dict[str, tuple[Callable[..., Judgement], range, tuple[str, ...], tuple[str, ...]]] = {
    "equals": (_equals, range(1, 2), ("value",), ("within",)),
    "at_least": (_at_least, range(1, 2), ("value",), ()),
    "largest": (_largest, range(2, 100), (), ()),
    "interval": (_interval, range(3, 4), ("is",), ("than",)),
    "effect": (_effect, range(2, 3), ("is",), ("alpha",)),
}
_OTHERS = ("all_of", "not_testable")
_SIDES = {"interval": ("above", "below"), "effect": ("positive", "negative")}


def _number(lookup: ResultLookup, text: str) -> float:
    value = lookup.value(text).value
    if isinstance(value, str):
        raise InvalidInputError(f"{text} is the text {value!r}; a rule compares numbers")
    return float(value)


def evaluate(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """Judge one rule by the results of a region.

    Rules: ``equals`` a result to ``value`` (``within`` a tolerance); ``at_least`` ``value``; ``largest`` the first of
    several; ``interval`` [estimate, lower, upper] that ``is`` above or below ``than``; ``effect`` [estimate, p] that
    ``is`` positive or negative with p below ``alpha``; ``all_of`` several rules; ``not_testable`` for a reason. An
    interval that holds the bound, an effect that is not told from none and parts that disagree give "mixed".

    Parameters
    ----------
    lookup : ResultLookup
    rule : mapping

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidInputError, UnknownNameError
        For a rule or result that does not exist.
    """
    name = check_rule(rule)
    if name == "not_testable":
        return Verdict(NOT_TESTABLE, {}, rule[name])
    if name == "all_of":
        return _together([evaluate(lookup, part) for part in rule[name]])
    evidence = {text: _number(lookup, text) for text in _about(rule[name])}
    holds, reason = RULES[name][0](rule, *evidence.values())
    return Verdict({True: SUPPORTED, False: CONTRADICTED, None: MIXED}[holds], evidence, reason)


def _together(parts: list[Verdict]) -> Verdict:
    """Parts that say the same, those apart that cannot be tested."""
    found = {part.verdict for part in parts} - {NOT_TESTABLE} or {NOT_TESTABLE}
    evidence = {name: value for part in parts for name, value in part.evidence.items()}
    reason = "; ".join(dict.fromkeys(part.reason for part in parts if part.reason))
    return Verdict(found.pop() if len(found) == 1 else MIXED, evidence, reason)


def _about(names: Any) -> list:
    return names if isinstance(names, list) else [names]


def check_rule(rule: Mapping) -> str:
    """Return the name of a rule.

    Raises
    ------
    InvalidInputError, UnknownNameError
        If it is not complete, or holds something that it does not know.
    """
    names = [name for name in (*RULES, *_OTHERS) if name in rule] if isinstance(rule, Mapping) else []
    if len(names) != 1:
        raise InvalidInputError(f"rule {rule!r}: expected one of {', '.join((*RULES, *_OTHERS))}")
    name, about = names[0], _about(rule[names[0]])
    _, count, needed, may = RULES.get(name, (None, range(1, 2), (), ()))
    missing = [key for key in needed if key not in rule]
    if missing:
        raise InvalidInputError(f"rule {name!r} needs {', '.join(missing)}")
    for key in rule:
        check_choice(f"part of rule {name!r}", key, (name, *needed, *may))
    if name == "all_of":
        for part in about:
            check_rule(part)
        return name
    texts = all(isinstance(text, str) and text for text in about)
    if not texts or len(about) not in count or len(set(about)) < len(about):
        many = "one text" if count == range(1, 2) else f"{count.start}{' or more' * (len(count) > 1)} names of results"
        raise InvalidInputError(f"rule {name!r}: expected {many}, got {rule[name]!r}")
    if name in _SIDES:
        check_choice(f"side of rule {name!r}", rule["is"], _SIDES[name])
    for key in ("value", "within", "than"):
        check_number(key, rule.get(key, 0))
    check_level(rule.get("alpha", 0.05), "alpha")
    return name


def load_claims(path: Path | None = None) -> list[Claim]:
    """Load the claims (论断清单).

    Parameters
    ----------
    path : Path, optional
        By default ``data/study/claims.yml`` of the project.

    Returns
    -------
    list of Claim

    Raises
    ------
    StudyError
        If the file cannot be read, or a claim is incomplete, of an unknown kind or region, listed twice, or has a rule
        that cannot be judged; with line and claim of everything that is wrong.
    """
    from clusterlib.paths import get_project

    root = get_project().root if path is None else None
    settings = read_settings(Path(path) if path is not None else get_project().study / FILE, root, StudyError)
    if not isinstance(settings.value, list):
        raise StudyError([settings.problem((), "expected a list of claims, each with a dash before it")])
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for number, entry in enumerate(settings.value):
        for place, reason in _faults(entry):
            found = settings.problem((number, *place), reason)
            name = entry.get("id", entry) if isinstance(entry, Mapping) else entry
            problems.append(replace(found, kind="claim", column=".".join(map(str, (name, *place)))))
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), str):
            first = lines.setdefault(entry["id"], settings.lines[number,])
            if first != settings.lines[number,]:
                problems.append(settings.problem((number, "id"), f"{entry['id']!r} stands in line {first} already"))
    if problems:
        raise StudyError(problems)
    return [Claim(**{**entry, "regions": tuple(entry.get("regions", REGIONS))}) for entry in settings.value]


def _faults(entry: Any) -> Iterator[tuple[Place, str]]:
    """Return what is wrong with a claim of the file, and the keys that lead to it."""
    texts, known = ("id", "kind", "en", "zh"), Claim.__dataclass_fields__
    if not isinstance(entry, Mapping):
        yield (), f"expected {', '.join(known)}, got {entry!r}"
        return
    for key in (*texts, "rule"):
        if key not in entry:
            yield (key,), "is missing"
    for key in entry:
        if key not in known:
            yield (key,), str(UnknownNameError("key", key, known))
    for key in texts:
        if not isinstance(entry.get(key, ""), str) or not entry.get(key, key).strip():
            yield (key,), f"{entry[key]!r}: expected a text: set it in quotes"
    regions = entry.get("regions", list(REGIONS))
    if not isinstance(regions, list) or not regions:
        yield ("regions",), f"{regions!r}: expected a list of regions"
        regions = []
    choices = [(("kind",), "kind", entry.get("kind", KINDS[0]), KINDS)]
    choices += [(("regions", k), "region", region, tuple(REGIONS)) for k, region in enumerate(regions)]
    for place, kind, value, valid in choices:
        if value not in valid:
            yield place, str(UnknownNameError(kind, value, valid))
    if "rule" in entry:
        yield from _rule_faults(entry["rule"], ("rule",))


def _rule_faults(rule: Any, at: Place) -> Iterator[tuple[Place, str]]:
    """Return what is wrong with a rule: its form, the form of the results that it names, and their notebooks."""
    from clusterlib.paths import get_project
    from clusterlib.study._lookup import Reference

    if isinstance(rule, Mapping) and set(rule) == {"all_of"} and isinstance(rule["all_of"], list) and rule["all_of"]:
        for k, part in enumerate(rule["all_of"]):
            yield from _rule_faults(part, (*at, "all_of", k))
        return
    try:
        name = check_rule(rule)
        for text in _about(rule[name]) if name in RULES else ():
            notebook = Reference.parse(text).notebook
            known = [path.stem for path in sorted(get_project().notebooks.glob("[0-9]*.ipynb"))]
            if known and notebook not in known:
                yield at, str(UnknownNameError(f"notebook of {text!r}", notebook, known))
    except ClusterlibError as error:
        yield at, str(error)


def evaluate_claims(region: str, claims: list[Claim] | None = None, reports: Path | None = None) -> pd.DataFrame:
    """Judge the claims that concern a region by its recorded results.

    Parameters
    ----------
    region : str
        A region's code.
    claims : list of Claim, optional
        By default those of :func:`load_claims`.
    reports : Path, optional
        The reports folder.

    Returns
    -------
    DataFrame
        Indexed by claim: ``kind``, ``en``, ``zh``, ``verdict``, ``verdict_zh``, ``evidence`` (results and values)
        and ``reason``.

    Raises
    ------
    UnknownNameError
        If there is no such region, or no such result.
    ClusterlibError
        If the region's notebooks have not been run.
    """
    import pandas as pd

    from clusterlib.study._lookup import ResultLookup

    lookup = ResultLookup(get_region(region).code, reports)
    claims = load_claims() if claims is None else claims
    if not isinstance(claims, list) or not all(isinstance(claim, Claim) for claim in claims):
        raise InvalidInputError("claims: expected a list of claims, as of load_claims()")
    rows = {}
    for claim in claims:
        if region not in claim.regions:
            continue
        found = evaluate(lookup, claim.rule)
        evidence = "; ".join(f"{name} = {value:.4g}" for name, value in found.evidence.items())
        rows[claim.id] = {
            "kind": claim.kind, "en": claim.en, "zh": claim.zh, "verdict": found.verdict,
            "verdict_zh": VERDICTS_ZH[found.verdict], "evidence": evidence, "reason": found.reason,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")

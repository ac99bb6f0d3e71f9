"""The essay's checkable statements and what the recorded results say of each (论断核验)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.checks import check_choice, check_level, check_number
from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.regions import REGIONS, get_region

if TYPE_CHECKING:
    import pandas as pd

    from clusterlib.report._lookup import ResultLookup

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
    regions: tuple[str, ...] = tuple(REGIONS)


@dataclass(frozen=True)
class Verdict:
    """What the results say of a claim for a region, with the values that decided."""

    verdict: str
    evidence: Mapping[str, float | str]
    reason: str = ""


def _settled(holds: bool, evidence: Mapping, reason: str = "") -> Verdict:
    return Verdict(SUPPORTED if holds else CONTRADICTED, evidence, reason)


def _equals(lookup: ResultLookup, rule: Mapping) -> Verdict:
    value = _number(lookup, rule["equals"])
    holds = abs(value - rule["value"]) <= rule.get("within", 0)
    return _settled(holds, {rule["equals"]: value}, f"stated: {rule['value']:g}")


def _at_least(lookup: ResultLookup, rule: Mapping) -> Verdict:
    value = _number(lookup, rule["at_least"])
    return _settled(value >= rule["value"], {rule["at_least"]: value}, f"stated: {rule['value']:g}")


def _largest(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """The first of several results is the largest."""
    values = {reference: _number(lookup, reference) for reference in rule["largest"]}
    first, *rest = values.values()
    return _settled(first > max(rest), values)


def _interval(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """A whole interval lies above (or below) a bound; one that holds the bound decides nothing."""
    evidence = {reference: _number(lookup, reference) for reference in rule["interval"]}
    _, lower, upper = evidence.values()
    bound = rule.get("than", 0)
    if not (lower > bound or upper < bound):
        return Verdict(MIXED, evidence, f"the interval holds {bound:g}")
    return _settled((lower > bound) == (rule["is"] == "above"), evidence)


def _effect(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """An estimate has the stated sign and its p value is below the significance level."""
    evidence = {reference: _number(lookup, reference) for reference in rule["effect"]}
    estimate, p = evidence.values()
    if p >= rule.get("alpha", 0.05):
        return Verdict(MIXED, evidence, "no effect can be told from none")
    return _settled((estimate > 0) == (rule["is"] == "positive"), evidence)


def _all_of(lookup: ResultLookup, rule: Mapping) -> Verdict:
    parts = [evaluate(lookup, part) for part in rule["all_of"]]
    found = {part.verdict for part in parts} - {NOT_TESTABLE}
    evidence = {name: value for part in parts for name, value in part.evidence.items()}
    reason = "; ".join(dict.fromkeys(part.reason for part in parts if part.reason))
    if not found:
        return Verdict(NOT_TESTABLE, evidence, reason)
    return Verdict(found.pop() if len(found) == 1 else MIXED, evidence, reason)


def _not_testable(lookup: ResultLookup, rule: Mapping) -> Verdict:
    return Verdict(NOT_TESTABLE, {}, rule["not_testable"])


RULES: dict[str, Callable[[ResultLookup, Mapping], Verdict]] = {
    "equals": _equals,
    "at_least": _at_least,
    "largest": _largest,
    "interval": _interval,
    "effect": _effect,
    "all_of": _all_of,
    "not_testable": _not_testable,
}
# What a rule needs beside its results, and what it may have.
_NEEDS = {"equals": {"value"}, "at_least": {"value"}, "interval": {"is"}, "effect": {"is"}}
_MAY = {"equals": {"within"}, "interval": {"than"}, "effect": {"alpha"}}
_SIDES = {"interval": ("above", "below"), "effect": ("positive", "negative")}
# Results that a rule is about: how many at least and at most, and which.
_RESULTS = {
    "largest": (2, 99, "two results or more"),
    "interval": (3, 3, "estimate, lower and upper bound"),
    "effect": (2, 2, "estimate and p"),
}


def _number(lookup: ResultLookup, text: str) -> float:
    value = lookup.value(text).value
    if isinstance(value, str):
        raise InvalidInputError(f"{text} is the text {value!r}; a rule compares numbers")
    return float(value)


def evaluate(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """Judge one rule by the results of a region.

    Rules: ``equals`` a result to ``value`` (``within`` a tolerance); ``at_least`` ``value``; ``largest`` the first of
    several; ``interval`` [estimate, lower, upper] that ``is`` above or below ``than``; ``effect`` [estimate, p] that
    ``is`` positive or negative with p below ``alpha``; ``all_of`` several rules; ``not_testable`` for a reason.
    Evidence that decides nothing, or parts that disagree, give "mixed".

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
    check_rule(rule)
    return RULES[_rule_name(rule)](lookup, rule)


def _rule_name(rule: Any) -> str:
    names = [name for name in RULES if name in rule] if isinstance(rule, Mapping) else []
    if len(names) != 1:
        raise InvalidInputError(f"rule {rule!r}: expected one of {', '.join(RULES)}, each with what it is about")
    return names[0]


def check_rule(rule: Mapping) -> None:
    """Raise InvalidInputError if a rule is not complete, or holds something that it does not know."""
    name = _rule_name(rule)
    needed = _NEEDS.get(name, set())
    missing = needed - set(rule)
    if missing:
        raise InvalidInputError(f"rule {name!r} needs {', '.join(sorted(missing))}")
    for key in rule:
        check_choice(f"part of rule {name!r}", key, [name, *needed, *_MAY.get(name, ())])
    if name in _SIDES:
        check_choice(f"side of rule {name!r}", rule["is"], _SIDES[name])
    for key in ("value", "within", "than"):
        check_number(key, rule.get(key, 0))
    check_level(rule.get("alpha", 0.05), "alpha")
    about = rule[name]
    if name == "all_of":
        if not isinstance(about, list) or not about:
            raise InvalidInputError(f"rule 'all_of': expected a list of rules, got {about!r}")
        for part in about:
            check_rule(part)
    elif name in _RESULTS:
        least, most, which = _RESULTS[name]
        texts = isinstance(about, list) and all(isinstance(text, str) for text in about)
        if not texts or len(set(about)) != len(about) or not least <= len(about) <= most:
            raise InvalidInputError(f"rule {name!r}: expected {which}, each by its name, got {about!r}")
    elif not isinstance(about, str) or not about.strip():
        what = "a reason" if name == "not_testable" else "the name of a result"
        raise InvalidInputError(f"rule {name!r}: expected {what}, got {about!r}")


def load_claims(path: Path | None = None) -> list[Claim]:
    """Load the claims (论断清单).

    Parameters
    ----------
    path : Path, optional
        By default ``data/claims.yml`` of the project.

    Returns
    -------
    list of Claim

    Raises
    ------
    ClusterlibError
        If the file cannot be read, or a claim is incomplete, of an unknown kind or listed twice; the message names it.
    """
    import yaml

    from clusterlib.paths import get_project

    path = get_project().root / "data" / FILE if path is None else Path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterlibError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise ClusterlibError(f"{path.name}: expected a list of claims, each with a dash before it")
    claims = [_claim(entry) for entry in entries]
    names = [claim.id for claim in claims]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ClusterlibError(f"{path.name}: listed twice: {', '.join(repeated)}")
    return claims


def _claim(entry: Any) -> Claim:
    texts = ("id", "kind", "en", "zh")
    if not isinstance(entry, Mapping):
        raise ClusterlibError(f"claim {entry!r}: expected {', '.join(texts)} and rule")
    missing = {*texts, "rule"} - set(entry)
    if missing:
        raise ClusterlibError(f"claim {entry.get('id', entry)}: {', '.join(sorted(missing))} is missing")
    for key in texts:
        if not isinstance(entry[key], str):
            raise ClusterlibError(f"claim {entry['id']!r}: {key} is {entry[key]!r}, expected a text: set it in quotes")
    check_choice(f"kind of claim {entry['id']!r}", entry["kind"], KINDS)
    regions = entry.get("regions", tuple(REGIONS))
    if not isinstance(regions, (list, tuple)):
        raise ClusterlibError(f"claim {entry['id']!r}: regions is {regions!r}, expected a list")
    for region in regions:
        check_choice(f"region of claim {entry['id']!r}", region, REGIONS)
    try:
        check_rule(entry["rule"])
    except InvalidInputError as error:
        raise ClusterlibError(f"claim {entry['id']!r}: {error}") from None
    return Claim(entry["id"], entry["kind"], entry["en"], entry["zh"], entry["rule"], tuple(regions))


def evaluate_claims(region: str, claims: list[Claim] | None = None, reports: Path | None = None) -> pd.DataFrame:
    """Judge the claims that concern a region by its recorded results.

    Parameters
    ----------
    region : {"bth", "yrd", "gba"}
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

    from clusterlib.report._lookup import ResultLookup

    lookup = ResultLookup(get_region(region).code, reports)
    claims = load_claims() if claims is None else claims
    if not isinstance(claims, list) or not all(isinstance(claim, Claim) for claim in claims):
        raise InvalidInputError("claims: expected a list of claims, as of load_claims()")
    rows = {}
    for claim in claims:
        if region not in claim.regions:
            continue
        verdict = evaluate(lookup, claim.rule)
        rows[claim.id] = {
            "kind": claim.kind,
            "en": claim.en,
            "zh": claim.zh,
            "verdict": verdict.verdict,
            "verdict_zh": VERDICTS_ZH[verdict.verdict],
            "evidence": "; ".join(
                f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
                for name, value in verdict.evidence.items()
            ),
            "reason": verdict.reason,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("claim")

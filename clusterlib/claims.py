"""The essay's checkable statements and what the recorded results say of each (论断核验)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.regions import REGIONS

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
    evidence: dict[str, float | str]
    reason: str = ""


def _equals(lookup: ResultLookup, rule: Mapping) -> Verdict:
    value = _number(lookup, rule["equals"])
    within = rule.get("within", 0)
    holds = abs(value - rule["value"]) <= within
    return Verdict(SUPPORTED if holds else CONTRADICTED, {rule["equals"]: value}, f"stated: {rule['value']:g}")


def _at_least(lookup: ResultLookup, rule: Mapping) -> Verdict:
    value = _number(lookup, rule["at_least"])
    return Verdict(
        SUPPORTED if value >= rule["value"] else CONTRADICTED, {rule["at_least"]: value}, f"stated: {rule['value']:g}"
    )


def _largest(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """The first of several results is the largest."""
    values = {reference: _number(lookup, reference) for reference in rule["largest"]}
    first, *rest = values.values()
    return Verdict(SUPPORTED if first > max(rest) else CONTRADICTED, values)


def _interval(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """A whole interval lies above (or below) a bound; one that holds the bound decides nothing."""
    estimate, lower, upper = (_number(lookup, reference) for reference in rule["interval"])
    bound, above = rule.get("than", 0), rule["is"] == "above"
    evidence = dict(zip(rule["interval"], (estimate, lower, upper), strict=True))
    if (lower > bound) if above else (upper < bound):
        return Verdict(SUPPORTED, evidence)
    if (upper < bound) if above else (lower > bound):
        return Verdict(CONTRADICTED, evidence)
    return Verdict(MIXED, evidence, f"the interval holds {bound:g}")


def _effect(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """An estimate has the stated sign and its p value is below the level."""
    estimate, p = (_number(lookup, reference) for reference in rule["effect"])
    evidence = dict(zip(rule["effect"], (estimate, p), strict=True))
    if p >= rule.get("level", 0.05):
        return Verdict(MIXED, evidence, "no effect can be told from none")
    agrees = (estimate > 0) == (rule["is"] == "positive")
    return Verdict(SUPPORTED if agrees else CONTRADICTED, evidence)


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
_NEEDS = {"equals": {"value"}, "at_least": {"value"}, "interval": {"is"}, "effect": {"is"}}
_SIDES = {"interval": ("above", "below"), "effect": ("positive", "negative")}


def _number(lookup: ResultLookup, text: str) -> float:
    from clusterlib.report._lookup import Reference

    value = lookup.raw(Reference.parse(text))
    if isinstance(value, str):
        raise InvalidInputError(f"{text} is the text {value!r}; a rule compares numbers")
    return float(value)


def evaluate(lookup: ResultLookup, rule: Mapping) -> Verdict:
    """Judge one rule by the results of a region.

    Rules: ``equals`` a result to ``value`` (``within`` a tolerance); ``at_least`` ``value``; ``largest`` the first of
    several; ``interval`` [estimate, lower, upper] that ``is`` above or below ``than``; ``effect`` [estimate, p] that
    ``is`` positive or negative at a ``level``; ``all_of`` several rules; ``not_testable`` for a reason. Evidence that
    decides nothing, or parts that disagree, give "mixed".

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


def _rule_name(rule: Mapping) -> str:
    names = [name for name in RULES if name in rule]
    if len(names) != 1:
        raise InvalidInputError(f"rule {dict(rule)}: expected one of {', '.join(RULES)}")
    return names[0]


def check_rule(rule: Mapping) -> None:
    """Raise InvalidInputError if a rule is not complete."""
    name = _rule_name(rule)
    missing = _NEEDS.get(name, set()) - set(rule)
    if missing:
        raise InvalidInputError(f"rule {name!r} needs {', '.join(sorted(missing))}")
    if name in _SIDES and rule["is"] not in _SIDES[name]:
        raise UnknownNameError(f"side of rule {name!r}", rule["is"], _SIDES[name])
    if name == "all_of":
        for part in rule["all_of"]:
            check_rule(part)


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

    path = path or get_project().root / "data" / FILE
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ClusterlibError(f"{path.name} cannot be read: {error}") from None
    claims = [_claim(entry) for entry in entries]
    names = [claim.id for claim in claims]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ClusterlibError(f"{path.name}: listed twice: {', '.join(repeated)}")
    return claims


def _claim(entry: Mapping) -> Claim:
    missing = {"id", "kind", "en", "zh", "rule"} - set(entry)
    if missing:
        raise ClusterlibError(f"claim {entry.get('id', entry)}: {', '.join(sorted(missing))} is missing")
    if entry["kind"] not in KINDS:
        raise UnknownNameError(f"kind of claim {entry['id']!r}", entry["kind"], KINDS)
    regions = tuple(entry.get("regions", REGIONS))
    for region in regions:
        if region not in REGIONS:
            raise UnknownNameError(f"region of claim {entry['id']!r}", region, REGIONS)
    try:
        check_rule(entry["rule"])
    except InvalidInputError as error:
        raise ClusterlibError(f"claim {entry['id']!r}: {error}") from None
    return Claim(entry["id"], entry["kind"], entry["en"], entry["zh"], entry["rule"], regions)


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
    """
    import pandas as pd

    from clusterlib.report._lookup import ResultLookup

    lookup = ResultLookup(region, reports)
    rows = {}
    for claim in load_claims() if claims is None else claims:
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

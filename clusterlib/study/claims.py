"""The essay's statements, the rule that judges each, and what the notebooks concluded (论断核验)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.core.checks import check_choice, check_level, check_number
from clusterlib.core.language import LANGUAGES, Phrase, names_in
from clusterlib.core.rows import Place, read_settings
from clusterlib.errors import ClusterlibError, InvalidInputError, Problem, StudyError, UnknownNameError
from clusterlib.regions import REGIONS, get_region

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VERDICTS_ZH", "Claim", "Verdict", "evaluate_claims", "judge", "load_claims"]


def __dir__() -> list[str]:
    return __all__


SUPPORTED, CONTRADICTED, MIXED = "supported", "contradicted", "mixed"
NOT_TESTABLE, NO_EXPERIMENT = "not testable", "no experiment"
VERDICTS_ZH = {
    SUPPORTED: "支持", CONTRADICTED: "不支持", MIXED: "证据不一", NOT_TESTABLE: "无法检验", NO_EXPERIMENT: "无从试验",
}  # fmt: skip
KINDS = ("number", "concentration", "lead", "challenge", "syndrome", "remedy", "case")
NATION = "nation"
FILE = "claims.yml"


@dataclass(frozen=True)
class Claim:
    """One statement of the essay.

    Attributes
    ----------
    id, number : str
        Its name, and its number among the essay's statements, such as ``"7.1"``.
    kind : {"number", "concentration", "lead", "challenge", "syndrome", "remedy", "case"}
    clause, en : str
        The essay's words, and their translation.
    rule : dict
        What the values must be for it to hold, see :func:`judge`; ``{"not_testable": {"en": ..., "zh": ...}}`` if no
        table bears on it.
    measure : Phrase or None
        What is measured, and what is not.
    evidence : Phrase or None
        A sentence with values in braces.
    threshold : Phrase or None
        Why a threshold that the essay does not state stands where it does.
    experiment : dict
        A rule without which nothing was tried, with what is said ``otherwise``.
    missing : mapping of str to Phrase
        Why it cannot be tested where a notebook lacks what it needs, by key.
    notebook : str
        The one that concludes on it.
    regions : tuple of str
        Those that it is judged for.
    nation : bool
        Whether it is judged for the nation.
    necessary : bool
        Whether the rule asks for what is needed and not enough, such as to be first in the nation for leading the
        world: it may contradict the claim, and where it holds the claim is not testable.
    """

    id: str
    number: str
    kind: str
    clause: str
    en: str
    rule: dict = field(repr=False)
    measure: Phrase | None = field(default=None, repr=False)
    evidence: Phrase | None = field(default=None, repr=False)
    threshold: Phrase | None = field(default=None, repr=False)
    experiment: dict = field(default_factory=dict, repr=False)
    missing: Mapping[str, Phrase] = field(default_factory=dict, repr=False)
    notebook: str = ""
    regions: tuple[str, ...] = field(default_factory=lambda: tuple(REGIONS))
    nation: bool = False
    necessary: bool = False

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the values that rule and experiment compare."""
        return tuple(dict.fromkeys([*_compared(self.rule), *_compared(self.experiment)]))

    @property
    def quoted(self) -> tuple[str, ...]:
        """Names of the values that the evidence quotes."""
        return tuple(dict.fromkeys(names_in(self.evidence.en))) if self.evidence else ()


@dataclass(frozen=True)
class Verdict:
    """What values say of a claim: the verdict, and a sentence with the values' names in braces."""

    verdict: str
    evidence: Phrase


# Whether the values bear a rule out, None if they decide nothing.
def _equals(rule: Mapping, value: float) -> bool:
    return abs(value - rule["value"]) <= rule.get("within", 0)


def _at_least(rule: Mapping, value: float) -> bool:
    return value >= rule["value"]


def _at_most(rule: Mapping, value: float) -> bool:
    return value <= rule["value"]


def _largest(rule: Mapping, first: float, *rest: float) -> bool:
    return first > max(rest)


def _interval(rule: Mapping, estimate: float, lower: float, upper: float) -> bool | None:
    bound = rule.get("than", 0)
    return (lower > bound) == (rule["is"] == "above") if lower > bound or upper < bound else None


def _effect(rule: Mapping, estimate: float, p: float) -> bool | None:
    return (estimate > 0) == (rule["is"] == "positive") if p < rule.get("alpha", 0.05) else None


# How a rule is judged, how many values it compares, what it needs beside them and what it may have.
RULES: dict[str, tuple[Callable[..., bool | None], range, tuple[str, ...], tuple[str, ...]]] = {
    "equals": (_equals, range(1, 2), ("value",), ("within",)),
    "at_least": (_at_least, range(1, 2), ("value",), ()),
    "at_most": (_at_most, range(1, 2), ("value",), ()),
    "largest": (_largest, range(2, 100), (), ()),
    "interval": (_interval, range(3, 4), ("is",), ("than",)),
    "effect": (_effect, range(2, 3), ("is",), ("alpha",)),
}
_JOINED = ("all_of", "any_of")
_SIDES = {"interval": ("above", "below"), "effect": ("positive", "negative")}


def judge(claim: Claim, **values: Any) -> Verdict:
    """Judge a claim by values (按规则判断).

    Rules: a value ``equals`` another (``within`` a tolerance), is ``at_least`` or ``at_most`` one; the first of several
    is the ``largest``; ``interval`` [estimate, lower, upper] that ``is`` above or below ``than``; ``effect``
    [estimate, p] that ``is`` positive or negative with p below ``alpha``; ``all_of`` or ``any_of`` several rules;
    ``not_testable`` for a reason. An interval that holds the bound, an effect that is not told from none and parts that
    disagree give "mixed"; where the claim's experiment fails, "no experiment".

    Parameters
    ----------
    claim : Claim
    **values
        Numbers that its rule names, and what its evidence quotes.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidInputError
        For a value that is missing, not asked for, or compared and no finite number.

    Examples
    --------
    >>> rule = {"interval": ["gap", "lower", "upper"], "is": "above"}
    >>> said = Phrase("{gap:.1f} ({lower:.1f} to {upper:.1f})", "{gap:.1f}（{lower:.1f}至{upper:.1f}）")
    >>> claim = Claim("gap", "4.1", "syndrome", "有缺口", "There is a gap.", rule, evidence=said)
    >>> judge(claim, gap=1.2, lower=0.3, upper=2.1).verdict
    'supported'
    """
    if "not_testable" in claim.rule:
        return Verdict(NOT_TESTABLE, Phrase(**claim.rule["not_testable"]))
    otherwise = claim.experiment.get("otherwise")
    tried = not claim.experiment or _holds(claim, claim.experiment, values)
    if not tried and otherwise:
        return Verdict(NO_EXPERIMENT, Phrase(**otherwise))
    assert claim.evidence is not None
    known = {*claim.needed, *claim.quoted}
    for name in values:
        check_choice(f"value of claim {claim.id!r}", name, known)
    if not tried:
        return Verdict(NO_EXPERIMENT, claim.evidence)
    found = _holds(claim, claim.rule, values)
    borne_out = NOT_TESTABLE if claim.necessary else SUPPORTED
    return Verdict({True: borne_out, False: CONTRADICTED, None: MIXED}[found], claim.evidence)


def _holds(claim: Claim, rule: Mapping, values: Mapping) -> bool | None:
    """Say whether values bear a rule out: parts that differ, and an interval that holds its bound, say neither."""
    name = next(key for key in (*RULES, *_JOINED) if key in rule)
    if name in _JOINED:
        parts = {_holds(claim, part, values) for part in rule[name]}
        if name == "any_of" and True in parts:
            return True
        return parts.pop() if len(parts) == 1 else None
    numbers = [_value(claim, key, values) for key in _listed(rule[name])]
    return RULES[name][0](rule, *numbers)


def _value(claim: Claim, name: str, values: Mapping) -> float:
    if name not in values:
        raise InvalidInputError(f"claim {claim.id!r} compares {name!r}, which is missing; given: {', '.join(values)}")
    return check_number(f"{name} of claim {claim.id!r}", values[name])


def _listed(names: Any) -> list:
    return names if isinstance(names, list) else [names]


def _compared(rule: Mapping) -> Iterator[str]:
    """Names of the values that a rule compares."""
    for key, part in rule.items():
        if key in _JOINED:
            for each in part:
                yield from _compared(each)
        elif key in RULES:
            yield from _listed(part)


def check_rule(rule: Mapping) -> str:
    """Return the name of a rule.

    Raises
    ------
    InvalidInputError, UnknownNameError
        If it is not complete, or holds something that it does not know.
    """
    kinds = (*RULES, *_JOINED, "not_testable")
    names = [name for name in kinds if name in rule] if isinstance(rule, Mapping) else []
    if len(names) != 1:
        raise InvalidInputError(f"rule {rule!r}: expected one of {', '.join(kinds)}")
    name, about = names[0], _listed(rule[names[0]])
    _, count, needed, may = RULES.get(name, (None, range(1, 100), (), ()))
    missing = [key for key in needed if key not in rule]
    if missing:
        raise InvalidInputError(f"rule {name!r} needs {', '.join(missing)}")
    for key in rule:
        check_choice(f"part of rule {name!r}", key, (name, *needed, *may))
    if name == "not_testable":
        _check_pair(rule[name], f"reason of rule {name!r}")
        return name
    if name in _JOINED:
        if not about:
            raise InvalidInputError(f"rule {name!r} joins no rules")
        for part in about:
            if check_rule(part) == "not_testable":
                raise InvalidInputError(f"rule {name!r} holds a part that is not testable: leave it out")
        return name
    texts = all(isinstance(text, str) and text.isidentifier() for text in about)
    if not texts or len(about) not in count or len(set(about)) < len(about):
        many = "one name" if count == range(1, 2) else f"{count.start}{' or more' * (len(count) > 1)} names of values"
        raise InvalidInputError(f"rule {name!r}: expected {many}, got {rule[name]!r}")
    if name in _SIDES:
        check_choice(f"side of rule {name!r}", rule["is"], _SIDES[name])
    for key in ("value", "within", "than"):
        check_number(key, rule.get(key, 0))
    check_level(rule.get("alpha", 0.05), "alpha")
    return name


def _check_pair(pair: Any, what: str) -> None:
    """Raise unless something is a text in both languages that states the same values."""
    texts = isinstance(pair, Mapping) and set(pair) == set(LANGUAGES)
    if not texts or not all(isinstance(text, str) and text.strip() for text in pair.values()):
        raise InvalidInputError(f"{what}: expected a text in English and Chinese, as in {{en: ..., zh: ...}}")
    try:
        said = [set(names_in(pair[language])) for language in LANGUAGES]
    except ValueError as error:
        raise InvalidInputError(f"{what}: {error}") from None
    if said[0] != said[1]:
        raise InvalidInputError(f"{what}: the two languages state different values: {sorted(said[0] ^ said[1])}")


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
    return [_claim(entry) for entry in settings.value]


def _claim(entry: Mapping) -> Claim:
    regions = tuple(entry.get("regions", REGIONS))
    said: dict[str, Any] = {key: Phrase(**entry[key]) for key in _PAIRS if key in entry}
    said["missing"] = {key: Phrase(**pair) for key, pair in entry.get("missing", {}).items()}
    return Claim(**{"nation": not regions, **entry, **said, "regions": regions})


_TEXTS, _PAIRS = ("id", "number", "kind", "clause", "en"), ("measure", "evidence", "threshold")


def _faults(entry: Any) -> Iterator[tuple[Place, str]]:
    """Return what is wrong with a claim of the file, and the keys that lead to it."""
    known = Claim.__dataclass_fields__
    if not isinstance(entry, Mapping):
        yield (), f"expected {', '.join(known)}, got {entry!r}"
        return
    for key in (*_TEXTS, "rule"):
        if key not in entry:
            yield (key,), "is missing"
    for key in entry:
        if key not in known:
            yield (key,), str(UnknownNameError("key", key, known))
    for key in (*_TEXTS, "notebook"):
        if not isinstance(entry.get(key, ""), str) or not entry.get(key, key).strip():
            yield (key,), f"{entry[key]!r}: expected a text: set it in quotes"
    for key in ("nation", "necessary"):
        if not isinstance(entry.get(key, True), bool):
            yield (key,), f"{entry[key]!r}: expected true or false"
    regions = entry.get("regions", list(REGIONS))
    if not isinstance(regions, list):
        yield ("regions",), f"{regions!r}: expected a list of regions"
        regions = []
    choices = [(("kind",), "kind", entry.get("kind", KINDS[0]), KINDS)]
    choices += [(("regions", k), "region", region, tuple(REGIONS)) for k, region in enumerate(regions)]
    for place, kind, value, valid in choices:
        if value not in valid:
            yield place, str(UnknownNameError(kind, value, valid))
    yield from _judgement_faults(entry)


def _judgement_faults(entry: Mapping) -> Iterator[tuple[Place, str]]:
    """Return what is wrong with the rule of a claim, its sentences, and the notebook that concludes on it."""
    for key in (key for key in _PAIRS if key in entry):
        yield from _tried((key,), lambda key=key: _check_pair(entry[key], key))
    missing = entry.get("missing", {})
    if not isinstance(missing, Mapping):
        yield ("missing",), f"{missing!r}: expected reasons by key"
        missing = {}
    for key, pair in missing.items():
        yield from _tried(("missing", key), lambda key=key, pair=pair: _check_pair(pair, f"reason {key!r}"))
    rule, experiment = entry.get("rule", {"not_testable": {"en": "-", "zh": "-"}}), entry.get("experiment", {})
    yield from _tried(("rule",), lambda: check_rule(rule))
    if experiment:
        yield from _tried(("experiment",), lambda: _check_experiment(experiment))
    if isinstance(rule, Mapping) and "not_testable" not in rule:
        for key in ("evidence", "measure", "notebook"):
            if not entry.get(key):
                yield (key,), "is missing: a claim that is judged says what is measured, where, and what was found"
    yield from _tried(("notebook",), lambda: _check_notebook(entry.get("notebook")))


def _check_experiment(experiment: Any) -> None:
    if not isinstance(experiment, Mapping):
        raise InvalidInputError(f"{experiment!r}: expected a rule")
    check_rule({key: part for key, part in experiment.items() if key != "otherwise"})
    if "otherwise" in experiment:
        _check_pair(experiment["otherwise"], "otherwise")


def _check_notebook(name: Any) -> None:
    from clusterlib.paths import get_project

    known = [path.stem for path in get_project().analyses]
    if name and known and name not in known:
        raise UnknownNameError("notebook", name, known)


def _tried(place: Place, check: Callable[[], Any]) -> Iterator[tuple[Place, str]]:
    try:
        check()
    except ClusterlibError as error:
        yield place, str(error)


def evaluate_claims(region: str, claims: list[Claim] | None = None, reports: Path | None = None) -> pd.DataFrame:
    """Gather what the notebooks concluded on the claims for a region, or for the nation (论断核验结果).

    Parameters
    ----------
    region : str
        A region's code, or ``"nation"``: what the notebooks of the first region that has been run say of it.
    claims : list of Claim, optional
        By default those of :func:`load_claims`.
    reports : Path, optional
        The reports folder.

    Returns
    -------
    DataFrame
        Indexed by claim: ``number``, ``kind``, ``clause``, ``en``, ``verdict``, ``verdict_zh``, ``evidence``,
        ``evidence_zh``, ``notebook`` and ``result``, the name of the conclusion there; empty where no notebook
        concludes.

    Raises
    ------
    UnknownNameError
        If there is no such region, or a notebook concluded nothing on a claim.
    ClusterlibError
        If the region's notebooks have not been run.
    """
    import pandas as pd

    from clusterlib.study._lookup import ResultLookup

    national = region == NATION
    lookup = ResultLookup(_first_run(reports) if national else get_region(region).code, reports)
    claims = load_claims() if claims is None else claims
    if not isinstance(claims, list) or not all(isinstance(claim, Claim) for claim in claims):
        raise InvalidInputError("claims: expected a list of claims, as of load_claims()")
    rows = {}
    for claim in claims:
        if not (claim.nation if national else region in claim.regions):
            continue
        result = conclusion_name(claim, national) if claim.notebook else ""
        if result:
            found = lookup.record(claim.notebook, result)
            said = [found.value, found.value_zh, found.note, found.note_zh]
        else:
            verdict = judge(claim)
            said = [verdict.verdict, VERDICTS_ZH[verdict.verdict], verdict.evidence.en, verdict.evidence.zh]
        rows[claim.id] = [claim.number, claim.kind, claim.clause, claim.en, *said, claim.notebook, result]
    columns = ["number", "kind", "clause", "en"]
    columns += ["verdict", "verdict_zh", "evidence", "evidence_zh", "notebook", "result"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("claim")


def _first_run(reports: Path | None) -> str:
    from clusterlib.paths import get_project

    folder = reports or get_project().reports
    # The folder of a region that has not been run holds pages that say so.
    return next((code for code in REGIONS if any((folder / code).glob("*/results.json"))), next(iter(REGIONS)))


def conclusion_name(claim: Claim, national: bool) -> str:
    """Return the name under which a notebook records its conclusion on a claim."""
    return f"claim.{claim.id}" + f".{NATION}" * national

"""Claims are judged by the results at hand: made-up results that contradict a claim must turn its verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlib.claims import (
    CONTRADICTED,
    KINDS,
    MIXED,
    NOT_TESTABLE,
    SUPPORTED,
    evaluate,
    evaluate_claims,
    load_claims,
)
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.study import Reference, ResultLookup

CLAIMS = load_claims()
TESTABLE = [claim for claim in CLAIMS if "not_testable" not in claim.rule]


def write_results(reports: Path, values: dict[str, float], region: str = "yrd") -> ResultLookup:
    """Made-up results of notebooks, as a run writes them."""
    notebooks: dict[str, dict[str, dict]] = {}
    for text, value in values.items():
        reference = Reference.parse(text)
        records = notebooks.setdefault(reference.notebook, {})
        entry = records.setdefault(
            reference.name, {"name": reference.name, "kind": "number", "value": value, "cell": "c"}
        )
        if reference.column:
            table = entry["value"] if entry["kind"] == "table" else {"index": ["row"], "columns": [], "data": []}
            entry.update(kind="table", value=table)
            if reference.column not in table["columns"]:
                table["columns"].append(reference.column)
                table["data"] = [[*row, None] for row in table["data"]]
            row = next((r for r in table["data"] if r[0] == reference.row), None)
            if row is None:
                row = [reference.row, *[None] * len(table["columns"])]
                table["data"].append(row)
            row[1 + table["columns"].index(reference.column)] = value
    for notebook, records in notebooks.items():
        folder = reports / region / notebook
        folder.mkdir(parents=True, exist_ok=True)
        content = {"notebook": notebook, "region": region, "parameters": {}, "records": list(records.values())}
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
    return ResultLookup(region, reports)


def contrary(rule: dict) -> dict[str, float]:
    """Results that contradict a rule, by what the rule says and not by the code that judges it."""
    if "equals" in rule:
        return {rule["equals"]: rule["value"] + rule.get("within", 0) + 1}
    if "at_least" in rule:
        return {rule["at_least"]: rule["value"] - 1}
    if "largest" in rule:
        first, *rest = rule["largest"]
        return {first: 1.0, **dict.fromkeys(rest, 2.0)}
    if "interval" in rule:
        bound, side = rule.get("than", 0), -1 if rule["is"] == "above" else 1
        centre = bound + side * 2
        return dict(zip(rule["interval"], (centre, centre - 1, centre + 1), strict=True))
    if "effect" in rule:
        estimate, p = rule["effect"]
        return {estimate: -1.0 if rule["is"] == "positive" else 1.0, p: 0.001}
    return {name: value for part in rule["all_of"] for name, value in contrary(part).items()}


def agreeing(rule: dict) -> dict[str, float]:
    """Results that bear a rule out."""
    if "equals" in rule:
        return {rule["equals"]: rule["value"]}
    if "at_least" in rule:
        return {rule["at_least"]: rule["value"]}
    if "largest" in rule:
        first, *rest = rule["largest"]
        return {first: 2.0, **dict.fromkeys(rest, 1.0)}
    if "interval" in rule:
        centre = rule.get("than", 0) + (2 if rule["is"] == "above" else -2)
        return dict(zip(rule["interval"], (centre, centre - 1, centre + 1), strict=True))
    if "effect" in rule:
        return dict(zip(rule["effect"], (1.0 if rule["is"] == "positive" else -1.0, 0.001), strict=True))
    return {name: value for part in rule["all_of"] for name, value in agreeing(part).items()}


@pytest.mark.parametrize("claim", TESTABLE, ids=lambda c: c.id)
def test_made_up_results_against_a_claim_contradict_it_and_others_support_it(claim, tmp_path):
    assert evaluate(write_results(tmp_path / "against", contrary(claim.rule)), claim.rule).verdict == CONTRADICTED
    assert evaluate(write_results(tmp_path / "for", agreeing(claim.rule)), claim.rule).verdict == SUPPORTED


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c not in TESTABLE], ids=lambda c: c.id)
def test_a_claim_that_cannot_be_tested_says_why(claim, tmp_path):
    verdict = evaluate(ResultLookup("yrd", tmp_path), claim.rule)
    assert verdict.verdict == NOT_TESTABLE
    assert len(verdict.reason) > 20


def test_every_kind_of_claim_is_on_the_list():
    assert {claim.kind for claim in CLAIMS} == set(KINDS)


EFFECT = {"effect": ["07_x:b", "07_x:p"], "is": "positive"}
INTERVAL = {"interval": ["07_x:b", "07_x:low", "07_x:high"], "is": "above"}


def test_an_effect_that_cannot_be_told_from_none_is_neither_support_nor_contradiction(tmp_path):
    assert evaluate(write_results(tmp_path, {"07_x:b": 3.0, "07_x:p": 0.051}), EFFECT).verdict == MIXED


def test_an_interval_that_holds_the_bound_decides_nothing(tmp_path):
    lookup = write_results(tmp_path, {"07_x:b": 3.0, "07_x:low": -0.1, "07_x:high": 6.1})
    assert evaluate(lookup, INTERVAL).verdict == MIXED


def test_parts_that_disagree_give_a_mixed_verdict(tmp_path):
    lookup = write_results(tmp_path, {"07_x:b": 3.0, "07_x:p": 0.001, "02_y:n": 44})
    assert evaluate(lookup, {"all_of": [EFFECT, {"equals": "02_y:n", "value": 45}]}).verdict == MIXED


def test_parts_without_evidence_do_not_count(tmp_path):
    lookup = write_results(tmp_path, {"02_y:n": 45})
    rule = {"all_of": [{"not_testable": "no figure"}, {"equals": "02_y:n", "value": 45}]}
    assert evaluate(lookup, rule).verdict == SUPPORTED


def test_the_evidence_names_results_and_values(tmp_path):
    write_results(tmp_path, {"02_y:n": 44})
    claims = [_claim({"equals": "02_y:n", "value": 45})]
    row = evaluate_claims("yrd", claims, tmp_path).loc["x"]
    assert (row["verdict"], row["verdict_zh"], row["evidence"]) == ("contradicted", "不支持", "02_y:n = 44")


def test_a_claim_about_another_region_is_left_out(tmp_path):
    claims = [_claim({"not_testable": "no figure for this"}, regions=("bth",))]
    assert evaluate_claims("yrd", claims, tmp_path).empty


def _claim(rule: dict, regions=("yrd",)):
    from clusterlib.claims import Claim

    return Claim("x", "number", "A statement.", "论断。", rule, regions)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"equal": "02_y:n"}, "expected one of equals"),
        ({"equals": "02_y:n"}, "needs value"),
        ({"effect": ["a", "b"]}, "needs is"),
        ({"effect": ["a", "b"], "is": "above"}, "did you mean|valid: positive, negative"),
        ({"all_of": [{"largest": ["a", "b"]}, {"interval": []}]}, "needs is"),
        ({"largest": ["a"]}, "2 or more names of results"),
        ({"largest": "a"}, "2 or more names of results"),
        ({"interval": ["a", "b"], "is": "above"}, "expected 3 names of results"),
        ({"interval": ["a", "b", "a"], "is": "above"}, "expected 3 names of results"),
        ({"equals": "02_y:n", "value": "45"}, "expected a finite number"),
        ({"at_least": 45, "value": 45}, "expected one text, got 45"),
        ({"not_testable": ""}, "expected one text"),
        ({"all_of": {}}, "expected one of equals"),
        ({"all_of": [None]}, "expected one of equals"),
        ("equals", "expected one of equals"),
        (None, "expected one of equals"),
        ({"effect": ["a", "b"], "is": "positive", "alpha": 5}, "expected a share such as 0.95"),
        ({"effect": ["a", "b"], "is": "positive", "level": 0.1}, "did you mean|valid: effect, is, alpha"),
    ],
)
def test_an_incomplete_rule_is_refused(rule, words, tmp_path):
    with pytest.raises(InvalidInputError, match=words) if "valid" not in words else pytest.raises(UnknownNameError):
        evaluate(ResultLookup("yrd", tmp_path), rule)


RULE = "- {{id: a, kind: number, en: A, zh: 甲, rule: {}}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {id: a, kind: number, en: A, zh: 甲}", "line 1, claim 'a.rule': is missing"),
        ("- {id: a, kind: numbr, en: A, zh: 甲, rule: {not_testable: x}}", "did you mean 'number'"),
        ("- {id: a, kind: number, en: A, zh: 甲, rule: {not_testable: x}, regions: [ydr]}", "did you mean 'yrd'"),
        ("- {id: a, kind: number, en: A, zh: 甲, rule: {equals: x}}", "claim 'a.rule': rule 'equals' needs value"),
        ("- {id: a, kind: number, en: A, zh: 甲, rule: {not_testable: x}}\n" * 2, "line 2, at '1.id': 'a' stands in"),
        ("- {id: a,", "line 2: not valid yaml"),
        ("", "line 1: the file is empty"),
        ("# Nothing", "expected a list of claims"),
        ("id: a", "expected a list of claims"),
        ("- a", "claim 'a': expected id, kind, en, zh, rule"),
        ("# All\n" + RULE.format("{not_testable: x}, note: x"), "line 2, .*unknown key 'note'"),
        (RULE.format("{equals: overview, value: 1}"), "claim 'a.rule': {overview} cannot be read"),
        (RULE.format("{equals: '02_overvue:n', value: 1}"), "unknown notebook .* did you mean '02_overview'"),
        (RULE.format("{equals: '../../etc/passwd:n', value: 1}"), "claim 'a.rule': .* cannot be read"),
        (RULE.format("{equals: '02_overview:n', value: 1:30}"), "line 1: '1:30' means different things"),
        (RULE.format("{all_of: [{not_testable: x}, {largest: [a]}]}"), "claim 'a.rule.all_of.1': rule 'largest'"),
        (RULE.format("{all_of: [" * 60 + "]}" * 60), "line 1: nested more than 40 levels deep"),
        ("- {id: 1, kind: number, en: A, zh: 甲, rule: {not_testable: x}}", "claim '1.id': 1: expected a text"),
        (
            "- {id: a, kind: number, en: A, zh: 甲, rule: {not_testable: x}, regions: yrd}",
            "'a.regions': 'yrd': expected a",
        ),
        ("- {id: a, kind: number, en: A, zh: 甲, rule: x}", "claim 'a.rule': rule 'x'"),
    ],
)
def test_a_faulty_list_is_refused_by_name(text, words, tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(f"{text}\n" if text else "", encoding="utf-8")
    with pytest.raises(ClusterlibError, match=words):
        load_claims(path)


@pytest.mark.parametrize(("region", "claims"), [("ydr", None), (None, None), ("yrd", [{}]), ("yrd", "x"), ("yrd", {})])
def test_another_region_or_kind_of_claims_is_refused(region, claims, tmp_path):
    with pytest.raises(ClusterlibError):
        evaluate_claims(region, claims, tmp_path)

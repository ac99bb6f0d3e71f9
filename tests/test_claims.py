"""Claims are judged by values: made-up values that contradict a claim must turn its verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.captions import load_captions
from clusterlib.claims import (
    CONTRADICTED,
    KINDS,
    MIXED,
    NO_EXPERIMENT,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS_ZH,
    Claim,
    check_rule,
    evaluate_claims,
    judge,
    load_claims,
)
from clusterlib.core.language import Phrase
from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.results import Recorder, collect_records
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


def bounds(rule: dict, above: bool) -> tuple[float, float, float]:
    centre = rule.get("than", 0) + (2 if above else -2)
    return centre, centre - 1, centre + 1


def values_for(rule: dict, holds: bool) -> dict[str, float]:
    """Values that bear a rule out or contradict it, by what the rule says and not by the code that judges it."""
    for name in ("all_of", "any_of"):
        if name in rule:
            return {name: value for part in rule[name] for name, value in values_for(part, holds).items()}
    if "equals" in rule:
        return {rule["equals"]: rule["value"] + (0 if holds else rule.get("within", 0) + 1)}
    if "at_least" in rule:
        return {rule["at_least"]: rule["value"] - (not holds)}
    if "at_most" in rule:
        return {rule["at_most"]: rule["value"] + (not holds)}
    if "largest" in rule:
        first, *rest = rule["largest"]
        return {first: 2.0 if holds else 0.0, **dict.fromkeys(rest, 1.0)}
    if "interval" in rule:
        return dict(zip(rule["interval"], bounds(rule, (rule["is"] == "above") == holds), strict=True))
    estimate, p = rule["effect"]
    return {estimate: 1.0 if (rule["is"] == "positive") == holds else -1.0, p: 0.001}


def tried(claim: Claim, holds: bool) -> dict[str, float]:
    """Values under which the claim's experiment ran."""
    own = values_for(claim.rule, holds)
    return (
        own | {name: v for name, v in values_for(claim.experiment, True).items() if name not in own}
        if claim.experiment
        else own
    )


@pytest.mark.parametrize("claim", TESTABLE, ids=lambda c: c.id)
def test_made_up_values_against_a_claim_contradict_it_and_others_support_it(claim):
    assert judge(claim, **tried(claim, False)).verdict == CONTRADICTED
    # To be first in the nation is needed for leading the world, and not enough.
    assert judge(claim, **tried(claim, True)).verdict == (NOT_TESTABLE if claim.necessary else SUPPORTED)


@pytest.mark.parametrize("claim", [claim for claim in TESTABLE if claim.experiment], ids=lambda c: c.id)
def test_where_nothing_was_tried_there_is_no_experiment(claim):
    values = values_for(claim.rule, True) | values_for(claim.experiment, False)
    assert judge(claim, **values).verdict == NO_EXPERIMENT


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c not in TESTABLE], ids=lambda c: c.id)
def test_a_claim_that_cannot_be_tested_says_why(claim):
    verdict = judge(claim)
    assert verdict.verdict == NOT_TESTABLE
    assert len(verdict.evidence.en) > 40 and len(verdict.evidence.zh) > 12


def test_every_kind_of_claim_is_on_the_list_in_the_order_of_the_essay():
    assert {claim.kind for claim in CLAIMS} == set(KINDS)
    assert [claim.number for claim in CLAIMS] == sorted(claim.number for claim in CLAIMS)


@pytest.mark.parametrize("claim", TESTABLE, ids=lambda c: c.id)
def test_what_is_measured_and_found_is_said_in_either_language_alone(claim):
    for said in filter(None, (claim.measure, claim.evidence, claim.threshold)):
        assert not re.search("[\u3400-\u9fff]", said.en)
        assert re.search("[\u3400-\u9fff]", said.zh)
    assert not re.search(r"[a-z]+_[a-z_]+", re.sub(r"\{[^}]*\}", "", claim.evidence.en + claim.measure.en))


def made(rule: dict, evidence: str = "{b}", **more) -> Claim:
    said = {"evidence": Phrase(evidence, evidence), "measure": Phrase("M", "M")}
    return Claim("x", "4.1", "syndrome", "论断。", "A statement.", rule, **{**said, "notebook": "07_x", **more})


EFFECT = {"effect": ["b", "p"], "is": "positive"}
INTERVAL = {"interval": ["b", "low", "high"], "is": "above"}


def test_an_effect_that_cannot_be_told_from_none_is_neither_support_nor_contradiction():
    assert judge(made(EFFECT), b=3.0, p=0.051).verdict == MIXED


def test_an_interval_that_holds_the_bound_decides_nothing():
    assert judge(made(INTERVAL), b=3.0, low=-0.1, high=6.1).verdict == MIXED


def test_parts_that_disagree_give_a_mixed_verdict():
    rule = {"all_of": [EFFECT, {"equals": "n", "value": 45}]}
    assert judge(made(rule), b=3.0, p=0.001, n=44).verdict == MIXED


@pytest.mark.parametrize(("n", "found"), [(45, SUPPORTED), (44, MIXED)])
def test_of_any_part_one_is_enough_and_one_that_is_open_leaves_it_open(n, found):
    rule = {"any_of": [EFFECT, {"equals": "n", "value": 45}]}
    assert judge(made(rule), b=3.0, p=0.2, n=n).verdict == found


@pytest.mark.parametrize(
    "values", [{"b": 1.0}, {"b": float("nan"), "p": 0.1}, {"b": "x", "p": 0.1}, {"b": 1, "p": 1, "z": 1}]
)
def test_a_value_that_is_missing_not_asked_for_or_no_number_is_refused(values):
    with pytest.raises(ClusterlibError, match=r"'p'|of claim 'x'"):
        judge(made(EFFECT), **values)


def test_words_for_an_experiment_that_did_not_run_need_no_other_value():
    otherwise = {"en": "Nothing changes.", "zh": "无单位变动。"}
    claim = made(EFFECT, experiment={"at_least": "n", "value": 1, "otherwise": otherwise})
    assert judge(claim, n=0) == judge(claim, n=0, b=1.0, p=0.001)
    assert judge(claim, n=0).evidence == Phrase(**otherwise)
    assert judge(claim, n=1, b=1.0, p=0.001).verdict == SUPPORTED


CLAIM = """- id: a
  number: "4.1"
  kind: syndrome
  clause: 甲
  en: A is so.
  measure: {en: M, zh: 测度}
  notebook: 05_inequality
  nation: true
  missing: {no_table: {en: No table., zh: 没有统计。}}
  rule: {interval: [gap, lower, upper], is: above}
  evidence:
    en: "{gap:.1f} ({lower:.1f} to {upper:.1f}), {draws} draws"
    zh: "{gap:.1f}（{lower:.1f}至{upper:.1f}），抽样{draws}次"
"""


@pytest.fixture
def concluded(tmp_path, monkeypatch) -> Iterator:
    """Record conclusions of a notebook on the claim above; returns what was recorded."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    (tmp_path / "claims.yml").write_text(CLAIM, encoding="utf-8")
    claims = load_claims(tmp_path / "claims.yml")
    monkeypatch.setattr("clusterlib.study.claims.load_claims", lambda: claims)
    InteractiveShell.instance()

    def conclude(notebook="05_inequality", **values):
        recorder = Recorder(notebook, region="yrd", draws=999)
        with capture_output() as captured:
            recorder.conclusion("a", **values)
        outputs = [new_output("display_data", o.data, metadata=o.metadata) for o in captured.outputs]
        return collect_records(new_notebook(cells=[new_code_cell("", id="c", outputs=outputs)]))

    yield conclude
    InteractiveShell.clear_instance()


def test_a_notebook_concludes_in_both_languages_by_the_rule_of_the_claim(concluded):
    (found,) = concluded(gap=2.0, lower=1.0, upper=3.0)
    assert (found["name"], found["value"], found["value_zh"]) == ("claim.a", SUPPORTED, "支持")
    assert (found["label_en"], found["label_zh"]) == ("4.1 A is so.", "4.1 甲")
    assert found["note"] == "2.0 (1.0 to 3.0), 999 draws"
    assert found["note_zh"] == "2.0（1.0至3.0），抽样999次"


def test_a_nation_has_a_conclusion_of_its_own_and_what_is_missing_is_said(concluded):
    for missing in ("no_table", Phrase("No table.", "没有统计。")):
        (found,) = concluded(nation=True, missing=missing)
        assert (found["name"], found["value"], found["note_zh"]) == ("claim.a.nation", NOT_TESTABLE, "没有统计。")
        assert found["label_zh"] == "4.1 甲（全国）"
    with pytest.raises(UnknownNameError, match="did you mean 'no_table'"):
        concluded(missing="no_tables")


def test_one_notebook_concludes_on_a_claim(concluded):
    with pytest.raises(InvalidInputError, match="concluded on by 05_inequality, not by 06_spatial"):
        concluded("06_spatial", gap=2.0, lower=1.0, upper=3.0)
    with pytest.raises(InvalidInputError, match="'upper', which is missing"):
        concluded(gap=2.0, lower=1.0)


def test_conclusions_need_no_caption():
    captions = load_captions("05_inequality")
    assert len(captions.unused(["claim.a", "claim.a.nation"])) == len(captions.unused([]))


def concluding(reports: Path, region: str, **records: str) -> None:
    folder = reports / region / "07_x"
    folder.mkdir(parents=True)
    entries = [
        {"name": name.replace("__", "."), "kind": "text", "value": v, "value_zh": VERDICTS_ZH[v], "cell": "c",
         "note": "So.", "note_zh": "如此。"}
        for name, v in records.items()
    ]  # fmt: skip
    content = {"notebook": "07_x", "region": region, "parameters": {}, "records": entries}
    (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")


def test_verdicts_are_those_that_the_notebooks_recorded(tmp_path):
    concluding(tmp_path, "yrd", claim__x=CONTRADICTED)
    concluding(tmp_path, "bth", claim__x__nation=MIXED)
    claims = [made(EFFECT, nation=True)]
    row = evaluate_claims("yrd", claims, tmp_path).loc["x"]
    assert row["verdict":"result"].tolist() == [
        "contradicted", "不支持", "So.", "如此。", "07_x", "claim.x"
    ]  # fmt: skip
    assert evaluate_claims("nation", claims, tmp_path).loc["x", "verdict"] == MIXED
    with pytest.raises(UnknownNameError, match=r"claim\.x"):
        evaluate_claims("bth", claims, tmp_path)


def test_a_claim_about_another_region_is_left_out(tmp_path):
    claims = [made({"not_testable": {"en": "no", "zh": "无"}}, regions=("bth",), notebook="")]
    assert evaluate_claims("yrd", claims, tmp_path).empty
    assert evaluate_claims("bth", claims, tmp_path).loc["x", "evidence_zh"] == "无"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"equal": "n"}, "expected one of equals"),
        ({"equals": "n"}, "needs value"),
        ({"effect": ["a", "b"]}, "needs is"),
        ({"effect": ["a", "b"], "is": "above"}, "valid"),
        ({"all_of": [{"largest": ["a", "b"]}, {"interval": []}]}, "needs is"),
        ({"largest": ["a"]}, "2 or more names of values"),
        ({"largest": "a"}, "2 or more names of values"),
        ({"interval": ["a", "b"], "is": "above"}, "expected 3 names of values"),
        ({"interval": ["a", "b", "a"], "is": "above"}, "expected 3 names of values"),
        ({"equals": "n", "value": "45"}, "expected a finite number"),
        ({"at_least": 45, "value": 45}, "expected one name, got 45"),
        ({"at_most": "a b", "value": 45}, "expected one name, got 'a b'"),
        ({"not_testable": ""}, "expected a text in English and Chinese"),
        ({"not_testable": {"en": "x"}}, "expected a text in English and Chinese"),
        ({"not_testable": {"en": "{x}", "zh": "{y}"}}, "state different values"),
        ({"not_testable": {"en": "{x.y}", "zh": "{x.y}"}}, "braces hold the name"),
        ({"all_of": {}}, "expected one of equals"),
        ({"all_of": []}, "joins no rules"),
        ({"all_of": [None]}, "expected one of equals"),
        ({"all_of": [{"not_testable": {"en": "x", "zh": "x"}}]}, "leave it out"),
        ("equals", "expected one of equals"),
        (None, "expected one of equals"),
        ({"effect": ["a", "b"], "is": "positive", "alpha": 5}, "expected a share such as 0.95"),
        ({"effect": ["a", "b"], "is": "positive", "level": 0.1}, "valid"),
    ],
)
def test_an_incomplete_rule_is_refused(rule, words):
    with pytest.raises(UnknownNameError) if words == "valid" else pytest.raises(InvalidInputError, match=words):
        check_rule(rule)


REASON = "{not_testable: {en: x, zh: 无}}"
ENTRY = '{{id: a, number: "4.1", kind: number, clause: 甲, en: A, rule: {}}}'


def judged(notebook: str, evidence: str, rule: str) -> str:
    said = f"notebook: {notebook}, measure: {{en: M, zh: 测}}, evidence: {evidence}"
    return f"- {ENTRY.format(rule)[:-1]}, {said}}}"


SAID, INEQUALITY = "{en: '{n}', zh: '{n}'}", "05_inequality"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- " + ENTRY.format(REASON).replace('number: "4.1", ', ""), "line 1, claim 'a.number': is missing"),
        ("- " + ENTRY.format(REASON).replace("kind: number", "kind: numbr"), "did you mean 'number'"),
        ("- " + ENTRY.format(REASON)[:-1] + ", regions: [ydr]}", "did you mean 'yrd'"),
        ("- " + ENTRY.format("{equals: x}"), "claim 'a.rule': rule 'equals' needs value"),
        ("- " + ENTRY.format("{equals: x, value: 1}"), "claim 'a.evidence': is missing"),
        (f"- {ENTRY.format(REASON)}\n" * 2, "line 2, at '1.id': 'a' stands in"),
        ("- {id: a,", "line 2: not valid yaml"),
        ("", "line 1: the file is empty"),
        ("# Nothing", "expected a list of claims"),
        ("id: a", "expected a list of claims"),
        ("- a", "claim 'a': expected id, number, kind, clause, en, rule"),
        ("# All\n- " + ENTRY.format(REASON)[:-1] + ", note: x}", "line 2, .*unknown key 'note'"),
        (judged("05_inequalty", SAID, "{at_least: n, value: 1}"), "did you mean '05_inequality'"),
        (judged("../../etc/passwd", SAID, "{at_least: n, value: 1}"), "claim 'a.notebook': unknown notebook"),
        (judged(INEQUALITY, "{en: '{n}', zh: '{m}'}", "{at_least: n, value: 1}"), "state different values"),
        (judged(INEQUALITY, "{en: '{n.real}', zh: '{n.real}'}", "{at_least: n, value: 1}"), "braces hold"),
        (judged(INEQUALITY, SAID, "{equals: n, value: 1:30}"), "line 1: '1:30' means different things"),
        (
            judged(INEQUALITY, SAID, "{all_of: [{largest: [a, b]}, {largest: [a]}]}"),
            "claim 'a.rule': rule 'largest'",
        ),
        (judged(INEQUALITY, SAID, "{at_least: n, value: 1}")[:-1] + ", experiment: 3}", "claim 'a.experiment'"),
        (
            "- " + ENTRY.format(REASON)[:-1] + ", missing: {a: {en: x}}}",
            "claim 'a.missing.a': reason 'a': expected a text",
        ),
        ("- " + ENTRY.format(REASON)[:-1] + ", missing: x}", "claim 'a.missing': 'x': expected reasons by key"),
        ("- " + ENTRY.format(REASON)[:-1] + ", nation: 1}", "'a.nation': 1: expected true or false"),
        ("- " + ENTRY.format("{all_of: [" * 60 + "]}" * 60), "line 1: nested more than 40 levels deep"),
        ("- " + ENTRY.format(REASON).replace("id: a", "id: 1"), "claim '1.id': 1: expected a text"),
        ("- " + ENTRY.format(REASON)[:-1] + ", regions: yrd}", "'a.regions': 'yrd': expected a"),
        ("- " + ENTRY.format("x"), "claim 'a.rule': rule 'x'"),
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

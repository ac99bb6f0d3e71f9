"""Prose as a template: numbers by name, words by verdict; nothing is typed in, computed or reached."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from test_claims import write_results

from clusterlib.claims import (
    CONTRADICTED,
    MIXED,
    NO_EXPERIMENT,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS_ZH,
    Claim,
    load_claims,
)  # fmt: skip
from clusterlib.core.language import Phrase
from clusterlib.errors import ReportError
from clusterlib.regions import REGIONS
from clusterlib.report._prose import Judgements, Prose, render
from clusterlib.study import ResultLookup

VALUES = {
    "02_overview:count": 27, "05_x:gini[2023;total]": 0.123456, "05_x:trend": -1.25, "05_x:p": 0.000012,
    "05_x:leader": 110000,
}  # fmt: skip
CLAIM = Claim(
    "border", "7.1", "syndrome", "属地化", "Territorial administration.", {}, Phrase("Growth.", "增长。"),
    notebook="05_x", nation=True,
)  # fmt: skip


def judgements(**verdicts: str) -> Judgements:
    found = {}
    for place in (*REGIONS, "nation"):
        verdict = verdicts.get(place, MIXED)
        row = {
            "number": "7.1", "verdict": verdict, "verdict_zh": VERDICTS_ZH[verdict],
            "evidence": f"In {place} [it] is so.", "evidence_zh": f"{place}如此。", "notebook": "", "result": "",
        }  # fmt: skip
        found[place] = pd.DataFrame.from_dict({"border": row}, orient="index")
    return Judgements({"border": CLAIM}, found)


@pytest.fixture
def lookups(tmp_path) -> dict[str, ResultLookup]:
    own = {"bth": 3.0, "yrd": 4.0, "gba": 5.0}
    return {code: write_results(tmp_path, {**VALUES, "06_y:own": own[code]}, code) for code in own}


def said(template: str, lookups, language="en", region="", labels=None, **verdicts) -> str:
    prose = Prose(language, lookups, lambda: judgements(**verdicts), region, labels)
    return render("report/en.md", template, prose)[0]


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("n('05_x:gini[2023;total]')", "0.1235"),
        ("n('05:gini[2023;total]', 2)", "0.12"),
        ("n('05_x:trend', 1)", "\N{MINUS SIGN}1.2"),
        ("n('05_x:trend', 2, size=True)", "1.25"),
        ("n('05_x:gini[2023;total]', 1, times=100, sign=True)", "+12.3"),
        ("n('05_x:p', 2)", "0.000012"),
        ("n('06_y:own', 0, region='gba')", "5"),
        ("place('05_x:leader')", "Beijing"),
    ],
)
def test_a_number_is_set_as_asked_and_leads_to_the_appendix(lookups, call, shown):
    assert said("It is {{ %s }}." % call, lookups) == f"It is [{shown}](#n1)."  # noqa: UP031


@pytest.mark.parametrize(
    ("value", "call", "shown"),
    [
        ([0.5, 0.2, 0.9], "interval('05:effect', 'all', 1)", "0.5 (0.2 to 0.9)"),
        ([0.5, -0.2, 0.9], "interval('05:effect', 'all', 1, unit='%')", "0.5% (\N{MINUS SIGN}0.2 to 0.9)"),
        ([-1.0, -2.0, -0.02], "interval('05:effect', 'all', 1)", "\N{MINUS SIGN}1.0 (\N{MINUS SIGN}2.0 to 0.0)"),
        ([None, None, None], "interval('05:effect', 'all', 1)", "–"),
    ],
)
def test_an_estimate_is_set_with_its_interval_and_rounds_to_no_negative_zero(tmp_path, value, call, shown):
    ends = dict(zip(("estimate", "lower", "upper"), value, strict=True))
    values = {f"05_x:effect[all;{name}]": end for name, end in ends.items()}
    found = {code: write_results(tmp_path, values, code) for code in REGIONS}
    text = said("{{ %s }}" % call, found)  # noqa: UP031
    assert text == (shown if shown == "–" else f"[{shown}](#n1)")


def test_a_number_that_is_stated_twice_stands_in_the_appendix_once(lookups):
    text = said("{{ n('02:count') }} {{ n('02:count') }}\n\n{{ numbers() }}", lookups)
    assert text.startswith("[27](#n1) [27](#n1)")
    assert text.count("{#n1 ") == 1 and "02\\_overview" in text


def test_what_differs_between_the_regions_is_named_with_its_region(lookups):
    with pytest.raises(ReportError, match=r"en.md, line 2: 06:own differs between the regions \(bth: 3.0, yrd: 4.0"):
        said("So\n{{ n('06:own') }}", lookups)
    loop = "{% for region in regions %}{{ region.name }} {{ n('06:own', 0, region) }}; {% endfor %}"
    assert "Yangtze River Delta [4](#n2)" in said(loop, lookups)
    assert said("{{ region.name }}{{ n('06:own', 0) }}", lookups, "zh", "gba") == "粤港澳大湾区[5](#n1)"


@pytest.mark.parametrize(
    "template",
    ["45 clusters", "grew by ３ percent", "共有三十一个省份", "in 2021 {{ n('02:count') }}",
     "{{ 'grew by 3 percent' }}",
     "{% set title = 'The 45 clusters' %}", "{% if true %}\nup by 4\n{% endif %}",
     "{{ say('border', supported='by 3 percent', contradicted='a', mixed='b', otherwise='c') }}"],
)  # fmt: skip
def test_a_number_typed_into_the_prose_is_refused(template, lookups):
    with pytest.raises(ReportError, match=r"en\.md, line \d: the number .* is typed into the prose"):
        said(template, lookups)


@pytest.mark.parametrize(
    "template",
    ["the three regions [@gb2017; @lee2010, p. 3]", "三大区域与四类症候", "by {{ term('GB/T 7714') }}",
     "a [page](https://e.org/2021)\n\n## State {#sec-2}"],
)  # fmt: skip
def test_words_for_numbers_citations_links_and_names_are_no_typed_numbers(template, lookups):
    said(template, lookups)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ n('02:counts') }}", "did you mean 'count'"),
        ("{{ n('03:count') }}", "unknown notebook '03'"),
        ("{{ n('05:gini[2022;total]') }}", "row of 05_x:gini"),
        ("{{ n('05:gini') }}", "is a table"),
        ("{{ n('overview:count') }}", "cannot be read"),
        ("{{ n(3) }}", "expected the name of a result"),
        ("{{ n('02:count', region='ydr') }}", "did you mean 'yrd'"),
        ("{{ value('02:count') }}", "printed as it is"),
        ("{{ mood }}", "'mood' is undefined"),
        ("{{ n('02:count') + 1 }}", "computes"),
        ("{{ 9 ** 9 ** 9 }}", "computes"),
        ("{{ 'a' * 99999999 }}", "computes"),
        ("{{ ''.__class__.__mro__ }}", "unsafe|undefined|printed"),
        ("{{ n.__globals__ }}", "unsafe|undefined|printed"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ n('02:count')", "unexpected|expected|unclosed"),
        ("{% if judged('border') %}x", "expecting|unexpected|[Ee]nd"),
        ("count }}", "has no partner"),
        ("{{ say('border', supported='a') }}", "no words for contradicted, mixed, otherwise"),
        ("{{ judged('borders') }}", "did you mean 'border'"),
        ("{{ ref('fig-x') }}", "unknown label 'fig-x'"),
        ("{{ term('45') }}", "a name that holds digits"),
        ("{{ caption('table', 'x') }}", "expected such as"),
        ("{{ caption('tbl-a', 'x') }}{{ caption('tbl-a', 'x') }}", "given twice"),
    ],
)
def test_what_does_not_exist_or_reaches_further_stops_the_report_with_its_line(lookups, template, words):
    with pytest.raises(ReportError, match=rf"report/en\.md, line 2: .*({words})"):
        said(f"First.\n{template}", lookups, labels={})


@pytest.mark.parametrize("verdict", [SUPPORTED, CONTRADICTED, MIXED, NOT_TESTABLE, NO_EXPERIMENT])
def test_words_follow_the_verdict(lookups, verdict):
    call = "{{ say('border', 'yrd', supported='holds', contradicted='fails', mixed='open', otherwise='untried') }}"
    wanted = {SUPPORTED: "holds", CONTRADICTED: "fails", MIXED: "open"}.get(verdict, "untried")
    assert said(call, lookups, yrd=verdict) == wanted
    assert said("{{ verdict('border', 'yrd') }}", lookups, "zh", yrd=verdict) == VERDICTS_ZH[verdict]


def test_the_ledger_sets_verdicts_side_by_side_and_says_what_they_rest_on(lookups):
    table = said("{{ ledger() }}", lookups, bth=SUPPORTED, nation=CONTRADICTED)
    assert "| 7.1 | Territorial administration. | supported | mixed | mixed | contradicted |" in table
    evidence = said("{{ ledger_evidence() }}", lookups, "zh")
    assert "测度：增长。" in evidence and "- 全国：证据不一；nation如此。" in evidence
    assert said("{{ evidence('border', 'yrd') }}", lookups) == r"In yrd \[it\] is so."


def test_evidence_names_the_result_that_concludes_and_only_where_a_notebook_does(lookups):
    known = judgements()
    known.found["yrd"]["notebook"], known.found["yrd"]["result"] = "20_x", "claim.border"
    prose = Prose("en", lookups, lambda: known)
    text = render("report/en.md", "{{ ledger_evidence() }}", prose)[0]
    assert r'[In yrd \[it\] is so.]{result="yrd/20_x:claim.border"}' in text and text.count("result=") == 1


def test_evidence_has_minus_signs_and_keeps_hyphens(lookups):
    found = judgements()
    found.found["yrd"]["evidence_zh"] = "变动-0.06（-0.16至0.05）；GB/T 4754-2017，Lee-Yu。"
    text = render("x.md", "{{ evidence('border', 'yrd') }}", Prose("zh", lookups, lambda: found))[0]
    assert text == "变动\N{MINUS SIGN}0.06（\N{MINUS SIGN}0.16至0.05）；GB/T 4754-2017，Lee-Yu。"


def test_a_brief_has_the_claims_of_its_region_beside_the_nation(lookups):
    found = judgements(yrd=SUPPORTED, nation=CONTRADICTED)
    table = render("b.md", "{{ ledger() }}", Prose("en", lookups, lambda: found, "yrd"))[0]
    assert "| 7.1 | Territorial administration. | supported | contradicted |" in table
    found.found["yrd"] = found.found["yrd"].drop(index="border")
    assert "7.1" not in render("b.md", "{{ ledger() }}", Prose("en", lookups, lambda: found, "yrd"))[0]


def test_claims_of_a_verdict_are_counted_and_lead_to_the_ledger(lookups):
    assert said("{{ tally('supported', 'yrd') }} {{ tally('mixed') }}", lookups, yrd=SUPPORTED) == (
        "[1](#tbl-ledger) [1](#tbl-ledger)"
    )
    with pytest.raises(ReportError, match="did you mean 'mixed'"):
        said("{{ tally('mixd') }}", lookups)


def test_quotation_marks_within_the_essays_words_are_the_inner_ones(lookups):
    found = judgements()
    claim = replace(CLAIM, clause="“属地化”……保护", en="“Data and platform”.")
    found = Judgements({"border": claim}, found.found)
    for language, shown in (("zh", "“‘属地化’……保护”"), ("en", "““Data and platform”.”")):
        prose = Prose(language, lookups, lambda: found)
        assert render("x.md", "“{{ clause('border') }}”", prose)[0] == shown


def test_a_clause_marks_what_it_leaves_out_by_an_ellipsis():
    clauses = [claim.clause for claim in load_claims()]
    assert any("……" in clause for clause in clauses)
    # Two runs that the essay does not join are joined by nothing else.
    assert not [clause for clause in clauses if "；" in clause or "…" in clause.replace("……", "")]


def test_figures_and_tables_of_the_author_are_numbered_and_referred_to(lookups):
    template = "See {{ ref('tbl-b') }}.\n\n{{ caption('tbl-a', 'One') }}\n{{ caption('tbl-b', 'Other') }}"
    first = Prose("zh", lookups, judgements)
    render("report/zh.md", template, first)
    text = said(template, lookups, "zh", labels=first.labels)
    assert text.startswith("See [表 2](#tbl-b).")
    assert ": 表 1　One {#tbl-a}" in text

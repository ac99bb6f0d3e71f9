"""Prose as a template: numbers by name, words by verdict; nothing is typed in, computed or reached."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

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


# What the sentences of the report that speak of signs rest on, made up: every interval is wholly above its mark.
MEASURES = ("unicorn_companies", "software_revenue", "electronics_revenue", "digital_clusters")
ABOVE = {
    "16_x:border.variants[main]": (1.5, 1.2, 1.8), "16_x:border.variants[ride_time]": (1.3, 1.1, 1.5),
    "20_x:border.table.nation[after,gdp]": (0.2, 0.1, 0.3), "20_x:border.table.nation[after,lights]": (0.2, 0.1, 0.3),
    "15_x:stage.table[subscribers]": (0.2, 0.1, 0.3), "15_x:choices.table[given_first]": (0.2, 0.1, 0.3),
    "10_x:exports.table[whole]": (0.2, 0.1, 0.3),
}  # fmt: skip
MADE = {
    "20_x:border.table.nation[after,gdp;detectable]": 0.2, "18_x:concentration.table[night_lights_sum;core]": 40.0,
    "13_x:moran.last": 0.5, "13_x:moran.by_year[2021;digital_p_sim]": 0.01, "15_x:choices.lowered": 5.0,
    **{f"18_x:concentration.table[{name};{column}]": 60.0 for name in MEASURES for column in ("core", "lowest")},
}  # fmt: skip


def turned(row: str, turn: str) -> tuple[float, float, float]:
    """Let an interval lie above its mark, include it, or lie below."""
    estimate, lower, upper = ABOVE[row]
    mark = 1 if row.startswith("16") else 0
    below = (2 * mark - estimate, 2 * mark - upper, 2 * mark - lower)
    return {"above": ABOVE[row], "open": (estimate, mark - 0.1, upper), "below": below}[turn]


@cache
def unjudged() -> Judgements:
    """All claims of the essay, none of which could be judged."""
    claims = {claim.id: claim for claim in load_claims()}
    row = {"number": "", "verdict": NO_EXPERIMENT, "evidence": "", "notebook": "", "result": ""}
    row |= {"verdict_zh": "", "evidence_zh": ""}
    table = pd.DataFrame.from_dict(dict.fromkeys(claims, row), orient="index")
    return Judgements(claims, dict.fromkeys((*REGIONS, "nation"), table))


def passage(folder, language: str, start: str, intervals: dict | None = None, **numbers: float) -> str:
    """Render the passage of the report that holds some words, on made-up records."""
    source = (Path(__file__).parent.parent / "report" / f"{language}.md").read_text(encoding="utf-8")
    head = source.split("{% set title", 1)[0]
    (found,) = [line for line in source.splitlines() if start in line]
    values = dict(MADE)
    # What the passage only quotes is one, so that its sentences depend on the named records alone.
    for name, cell in re.findall(r'(?<!interval\()"(\d\d:[\w.]+)(\[[^"\]]+\])?"', head + found):
        values.setdefault(f"{name[:2]}_x{name[2:]}{cell}", 1.0)
    for name, row, rest in re.findall(r'interval\("([\w:.]+)", "([\w,]+)"([^)]*)', found):
        column = re.search(r'column="(\w+)"', rest)
        for part in (column[1] if column else "estimate", "lower", "upper"):
            values.setdefault(f"{name[:2]}_x{name[2:]}[{row};{part}]", 1.0)
    for row, ends in {**ABOVE, **(intervals or {})}.items():
        first = "difference" if row.startswith("20") else "estimate"
        for part, end in zip((first, "lower", "upper"), ends, strict=True):
            values[f"{row[:-1]};{part}]"] = end
    for name, number in numbers.items():
        values[next(known for known in values if name in known)] = number
    lookups = {code: write_results(folder, values, code) for code in REGIONS}
    # write_results gives no parameters.
    for lookup in lookups.values():
        (file,) = lookup.folder.glob("13_x/results.json")
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('"parameters": {}', '"parameters": {"city_index_years": "2011:2021"}'), "utf-8")
    return render("x.md", head + found, Prose(language, lookups, unjudged))[0]


GDP, LIGHTS = "20_x:border.table.nation[after,gdp]", "20_x:border.table.nation[after,lights]"
TRAINS, RIDE = "16_x:border.variants[main]", "16_x:border.variants[ride_time]"
PILOTS, GIVEN, EXPORTS = "15_x:stage.table[subscribers]", "15_x:choices.table[given_first]", "10_x:exports.table[whole]"
# By language: where a passage starts, the interval that turns, and the words for above, open and below.
SIGNS = [
    ("en", "Are China's", GDP, "differs from zero", "neither zero nor a sizeable barrier", "stronger across"),
    ("zh", "“集而不群”？", GDP, "异于零", "零与可观的阻隔均不能排除", "跨省联动更强"),
    ("en", "Are China's", RIDE, "do not explain the border", "mainly through routes", "more than explain the border"),
    ("zh", "“集而不群”？", RIDE, "线路不足以解释省界", "主要经由线路", "差距反转"),
    ("en", "Are China's", PILOTS, "first stage holds", "no visible gain", "a fall rather than a gain"),
    ("zh", "“集而不群”？", PILOTS, "第一阶段成立", "没有带来可见的增加", "不增反减"),
    ("en", "three main findings", TRAINS, "have more direct trains", "shows no provincial", "have fewer direct trains"),
    ("zh", "主要发现有三", TRAINS, "直达列车多于跨省", "看不出省界", "直达列车少于跨省"),
    ("en", "three main findings", RIDE, "the gap remains", "no longer be made out", "the gap is reversed"),
    ("zh", "主要发现有三", RIDE, "依然存在", "不再能够辨认", "差距反转"),
    ("en", "three main findings", GDP, "on both outcomes", "on one outcome only", "contradict each other"),
    ("zh", "主要发现有三", GDP, "均可辨认", "只在一种产出上", "方向相反"),
    ("en", "three main findings", LIGHTS, "on both outcomes", "on one outcome only", "contradict each other"),
    ("zh", "主要发现有三", LIGHTS, "均可辨认", "只在一种产出上", "方向相反"),
    ("en", "three main findings", PILOTS, "pilots raised broadband subscriptions.", "no evidence", "fell behind"),
    ("zh", "主要发现有三", PILOTS, "三是政策。“宽带中国”试点带来了更多", "没有证据表明", "相对减少"),
    ("en", "**Between regions.**", RIDE, "above one", "not distinguishable from no border", "below one"),
    ("zh", "**区域之间。**", RIDE, "高于一", "与没有边界无法区分", "低于一"),
    ("en", "There is a pitfall", GDP, "border can be made out", "interval includes zero", "stronger across the border"),
    ("zh", "其中有一个陷阱", GDP, "省界可以辨认", "区间包含零", "跨省联动强于省内"),
    ("en", "an exogenous shock", PILOTS, "did bring more", "no first stage for", "no first stage of the expected sign"),
    ("zh", "常被当作数字", PILOTS, "确实带来了", "没有发现其第一阶段", "没有符合预期方向的第一阶段"),
    ("en", "changed exports by", EXPORTS, "", "not distinguishable from zero", ", a fall"),
    ("zh", "使出口变动", EXPORTS, "", "与零无法区分", "不增反减"),
    ("en", "As regards links", TRAINS, "have more direct trains", "no provincial border", "have fewer direct trains"),
    ("zh", "就联系而言", TRAINS, "直达列车多于跨省", "看不出省界", "直达列车少于跨省"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "start", "row", "above", "open_", "below"), SIGNS)
def test_what_the_report_says_of_an_interval_follows_where_it_lies(tmp_path, language, start, row, above, open_, below):
    words = {"above": above, "open": open_, "below": below}
    for turn, wanted in words.items():
        text = passage(tmp_path / turn, language, start, {row: turned(row, turn)})
        others = {other for other in words.values() if other and other not in wanted}
        assert wanted in text and not [other for other in others if other in text], (turn, text)


@pytest.mark.parametrize(
    ("language", "start", "numbers", "shown", "hidden"),
    [
        ("en", "any one core province", {}, ("On all four measures", "all four stay"), "can fall below half"),
        ("zh", "任意剔除一个核心省份", {}, ("四项指标均表明", "四项均不低于"), "低于一半"),
        ("en", "any one core province", {"electronics_revenue;lowest": 48.0}, ("electronics can fall below half",),
         "all four stay"),
        ("zh", "任意剔除一个核心省份", {"electronics_revenue;lowest": 48.0}, ("电子信息制造业收入的份额低于一半",),
         "四项均不低于"),
        ("en", "any one core province", {"software_revenue;core": 39.0}, ("Not every measure",), "On all four"),
        ("zh", "任意剔除一个核心省份", {"software_revenue;core": 39.0}, ("并非在各项指标上",), "四项指标均表明"),
        ("en", "Moran's I", {}, ("next to each other",), "apart"),
        ("en", "Moran's I", {"digital_p_sim": 0.2}, ("in the last year",), "next to each other"),
        ("zh", "莫兰指数", {}, ("彼此相邻",), "不相邻"),
        ("zh", "莫兰指数", {"digital_p_sim": 0.2}, ("末年为",), "彼此相邻"),
    ],
)  # fmt: skip
def test_what_the_report_says_of_shares_and_neighbours_follows_the_records(
    tmp_path, language, start, numbers, shown, hidden
):
    text = passage(tmp_path, language, start, **numbers)
    assert all(words in text for words in shown) and hidden not in text


@pytest.mark.parametrize(
    ("ends", "en", "zh"),
    [
        ((0.1, -0.05, 0.25), "larger part is positive, and a barrier .* cannot be excluded", "大部分为正，.*不能排除"),
        ((0.05, -0.05, 0.15), "larger part is positive, and a barrier .* is excluded", "大部分为正，.*可以排除"),
        ((-0.1, -0.25, 0.05), "larger part is negative, and a barrier .* is excluded", "大部分为负，.*可以排除"),
    ],
)
def test_a_sizeable_barrier_is_excluded_where_the_interval_ends_below_what_would_be_detected(tmp_path, ends, en, zh):
    assert re.search(en, passage(tmp_path / "en", "en", "There is a pitfall", {GDP: ends}))
    assert re.search(zh, passage(tmp_path / "zh", "zh", "其中有一个陷阱", {GDP: ends}))


@pytest.mark.parametrize(("language", "start", "harm", "either"), [
    ("en", "an exogenous shock", "need therefore not be read as harm", "a fall is not excluded either"),
    ("zh", "常被当作数字", "不必读作试点有害", "同样不能排除减少"),
])  # fmt: skip
def test_no_harm_is_read_into_pilots_only_where_the_interval_with_controls_is_open(
    tmp_path, language, start, harm, either
):
    fall = (-0.05, -0.1, 0.01)
    text = passage(tmp_path / "open", language, start, {PILOTS: fall, GIVEN: (0.0, -0.06, 0.06)})
    assert harm in text and either in text
    text = passage(tmp_path / "narrow", language, start, {PILOTS: fall, GIVEN: (0.0, -0.01, 0.01)})
    assert harm in text and either not in text
    assert harm not in passage(tmp_path / "below", language, start, {PILOTS: fall, GIVEN: (-0.2, -0.3, -0.1)})

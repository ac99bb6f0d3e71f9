"""Numbers in the prose: each is a recorded result, the same in both languages, linked to its cell."""

from __future__ import annotations

import pytest
from test_claims import write_results

from clusterlib.errors import ClusterlibError, InvalidInputError, UnknownNameError
from clusterlib.report import Phrase, Report
from clusterlib.report._author import MIME
from clusterlib.report._lookup import check_template, fill, numbers_in
from clusterlib.study import Reference


@pytest.fixture
def lookup(tmp_path):
    return write_results(
        tmp_path, {"02_overview:count": 27, "05_x:gini[2023;total]": 0.123456, "05_x:trend": -1.25, "05_x:p": 0.000012}
    )


def test_a_number_comes_from_its_record_with_page_anchor_and_cell(lookup):
    (before, number, after) = fill("Of them {02_overview:count} lie here.", "en", lookup)
    assert (before, after) == ("Of them ", " lie here.")
    assert number["shown"] == "27"
    assert number["target"] == "02_overview.html#result-count"
    assert number["cell"] == "c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("05_x:gini[2023;total]", "0.1235"),
        ("05_x:gini[2023;total]|.2", "0.12"),
        ("05_x:trend|.1", "\N{MINUS SIGN}1.2"),
        ("05_x:trend|abs.2", "1.25"),
        ("05_x:p|.2", "0.000012"),
    ],
)
def test_decimals_signs_and_cells_of_tables_are_set_as_asked(lookup, text, shown):
    assert lookup.value(text).shown == shown


@pytest.mark.parametrize(
    "template",
    ["45 clusters", "grew by ３ percent", "共有三十一个省份", "in 2021 {02_overview:count}"],
)
def test_a_number_typed_into_the_prose_is_refused(template):
    with pytest.raises(InvalidInputError, match="typed into the prose"):
        check_template(template)


@pytest.mark.parametrize("template", ["it {{how}} here", "it {how here", "it how} here"])
def test_a_brace_that_is_left_over_is_refused(template):
    with pytest.raises(InvalidInputError, match="a brace is left over"):
        check_template(template)


@pytest.mark.parametrize("template", ["the three regions [@gb2017; @lee2010, p. 3]", "三大区域与四类症候 {a:b}"])
def test_words_for_numbers_and_keys_of_citations_are_no_typed_numbers(template):
    check_template(template.replace("{a:b}", ""))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{02_overview:counts}", UnknownNameError, "did you mean 'count'"),
        ("{03_other:count}", ClusterlibError, "no results of 03_other for yrd"),
        ("{05_x:gini[2022;total]}", UnknownNameError, "row of 05_x:gini"),
        ("{05_x:gini[2023;totl]}", UnknownNameError, "did you mean 'total'"),
        ("{05_x:gini}", InvalidInputError, "is a table"),
        ("{02_overview:@years}", UnknownNameError, "parameter of 02_overview"),
        ("{overview:count}", InvalidInputError, "cannot be read"),
        ("{mood}", UnknownNameError, "phrase"),
    ],
)
def test_a_number_without_a_result_stops_the_report(lookup, text, error, words):
    with pytest.raises(error, match=words):
        fill(f"Here {text}.", "en", lookup)


def test_a_phrase_follows_the_language_and_may_hold_numbers(lookup):
    phrase = Phrase("rose to {02_overview:count}", "升至{02_overview:count}")
    assert numbers_in(fill("It {how}.", "zh", lookup, {"how": phrase})) == ["02_overview:count"]
    assert fill("它{how}。", "zh", lookup, {"how": phrase})[1] == "升至"
    with pytest.raises(InvalidInputError, match="typed"):
        fill("It {how}.", "en", lookup, {"how": Phrase("rose by 3", "上升")})


def written(report: Report, monkeypatch, **texts) -> dict:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    report.text(**texts)
    return shown[0][MIME]


def test_both_languages_must_state_the_same_numbers(lookup, monkeypatch):
    report = Report("yrd", lookup.reports)
    block = written(report, monkeypatch, en="{02_overview:count} clusters", zh="{02_overview:count}个集群")
    assert numbers_in(block["en"]) == numbers_in(block["zh"]) == ["02_overview:count"]
    with pytest.raises(InvalidInputError, match="different numbers: 02_overview:count"):
        written(report, monkeypatch, en="{02_overview:count} clusters", zh="集群")


def test_a_report_reads_numbers_to_choose_words_by_and_no_text(lookup):
    assert Report("yrd", lookup.reports).number("05_x:trend") == -1.25
    assert Reference.parse("02_overview:@years").parameter


KINDS = [None, 3, 2.5, True, {}, ["x"], object(), Phrase("a", "甲"), "x"]
CALLS = {
    "number": {"reference": "05_x:trend"},
    "has": {"reference": "05_x:trend"},
    "heading": {"en": "A", "zh": "甲", "level": 2},
    "text": {"en": "A {how} {05_x:trend}", "zh": "甲{how}{05_x:trend}", "how": Phrase("rose", "升")},
    "by_effect": {"estimate": "05_x:trend", "p": "05_x:p", "positive": 1, "negative": 2, "none": 3, "alpha": 0.05},
    "by_interval": {
        "lower": "05_x:trend", "upper": "05_x:p", "above": 1, "below": 2, "neither": 3, "bound": 0,
    },
    "by_order": {"first": "05_x:trend", "second": "05_x:p", "more": 1, "less": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_of_another_kind_is_refused(lookup, monkeypatch, name):
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: None)
    call, arguments = getattr(Report("yrd", lookup.reports), name), CALLS[name]
    call(**arguments)
    for argument, given in arguments.items():
        if isinstance(given, int) and argument not in ("level", "bound"):
            continue  # a phrase, which is passed on
        for kind in KINDS:
            same = type(kind) is type(given) or (argument == "bound" and isinstance(kind, float))
            if same and not (isinstance(kind, str) and argument not in ("en", "zh")):
                continue
            with pytest.raises(ClusterlibError):
                call(**{**arguments, argument: kind})


def test_a_report_is_on_a_region_by_any_of_its_names(lookup):
    for name in ("yrd", "长三角", "Yangtze River Delta"):
        assert Report(name, lookup.reports).number("05_x:trend") == -1.25
    for kind in (None, 3, {}, ["yrd"], "yrdd"):
        with pytest.raises(UnknownNameError, match="region"):
            Report(kind, lookup.reports)


def test_a_reference_that_cannot_be_read_is_no_missing_number(lookup):
    report = Report("yrd", lookup.reports)
    assert report.has("05_x:trend") and not report.has("05_x:trends")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        report.has("overview:count")

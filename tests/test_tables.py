"""Three-line tables as HTML: rules, figures, heads."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from clusterlib.errors import ClusterlibError, InvalidInputError
from clusterlib.tables import three_line_table, three_line_table_latex

PROVINCES = pd.DataFrame(
    {"gdp": [28438.7, 12.5], "rank": [1, 12000], "field": ["软件", "集成电路"]},
    index=pd.Index(["北京市", "天津市"], name="province"),
)


class Parsed(HTMLParser):
    """Tags in order with their style, and the text of each cell by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs).get("style", "")))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def styles(self, *tags: str) -> list[str]:
        return [style for tag, style in self.tags if tag in tags]


def column(values, **options) -> list[str]:
    """The cells of one column as they are shown."""
    parsed = Parsed(three_line_table(pd.DataFrame({"x": values}), **options))
    return [row[0] for row in parsed.rows[1:]]


def test_a_table_has_exactly_three_rules_above_and_below_the_head_and_below_the_body():
    parsed = Parsed(three_line_table(PROVINCES, "Caption", "表题", unit="1e8 yuan", note="n", source="s"))
    ruled = [(tag, re.findall(r"border-(\w+):(\d)px solid", style)) for tag, style in parsed.tags if "solid" in style]
    assert ruled == [("thead", [("top", "2"), ("bottom", "1")]), ("tbody", [("bottom", "2")])]
    assert not any("border" in style for style in parsed.styles("td", "th", "tr"))
    assert parsed.styles("table") == ["border-collapse:collapse"]


def test_the_tags_are_closed_and_each_row_has_a_cell_for_each_column():
    parsed = Parsed(three_line_table(PROVINCES, "Caption", note="n"))
    assert parsed.open == []
    assert [len(row) for row in parsed.rows] == [4, 4, 4]


def test_chinese_heads_and_text_are_kept_and_heads_replace_names():
    heads = {"province": "Province 省份", "gdp": "GDP 地区生产总值"}
    rows = Parsed(three_line_table(PROVINCES, headers=heads)).rows
    assert rows[0] == ["Province 省份", "GDP 地区生产总值", "rank", "field"]
    assert [row[0] for row in rows[1:]] == ["北京市", "天津市"]
    assert [row[3] for row in rows[1:]] == ["软件", "集成电路"]


def test_captions_unit_note_and_source_stand_around_the_table_and_are_left_out_when_empty():
    parsed = Parsed(three_line_table(PROVINCES, "Caption", "表题", unit="percent", note="n = 2", source="NBS"))
    assert parsed.text["caption"] == "Caption 表题"
    assert parsed.text["p"] == "Unit: percent; Note: n = 2; Source: NBS"
    bare = Parsed(three_line_table(PROVINCES))
    assert {"caption", "p"} & {tag for tag, _ in bare.tags} == set()
    assert Parsed(three_line_table(PROVINCES, source="NBS")).text["p"] == "Source: NBS"


def test_numbers_stand_to_the_right_and_text_and_truth_values_to_the_left():
    frame = PROVINCES.assign(ok=[True, False])
    align = [re.search(r"text-align:(\w+)", s)[1] for s in Parsed(three_line_table(frame)).styles("th", "td")]
    assert align == ["left", "right", "right", "left", "left"] * 3


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, np.inf, -np.inf])
def test_a_missing_or_infinite_figure_is_a_dash(missing):
    assert column(pd.Series([missing, 1.5], dtype=object)) == ["–", "1.500"]


def test_a_missing_figure_of_a_float_column_is_a_dash_and_never_nan():
    html = three_line_table(pd.DataFrame({"x": [np.nan, 0.0, np.inf]}), digits=2)
    assert [row[0] for row in Parsed(html).rows[1:]] == ["–", "0.00", "–"]
    assert "nan" not in html.lower()


def test_a_positive_figure_that_rounds_to_zero_is_below_the_last_decimal():
    assert column([0.0004, 0.0006, 0.0, 0.001], digits=3) == ["<0.001", "0.001", "0.000", "0.001"]
    assert column([0.04, 0.06], digits=1) == ["<0.1", "0.1"]
    assert column([0.4, 0.5, 0.6], digits=0) == ["<1", "<1", "1"]
    assert column([1e-10, 0.0]) == ["<0.000001", "0.000"]


def test_the_sign_for_below_is_escaped():
    assert "<td" in (html := three_line_table(pd.DataFrame({"p": [0.0001]}), digits=3))
    assert "&lt;0.001" in html
    assert "<0.001" not in html


def test_digits_hold_for_every_float_or_by_column_and_not_for_whole_numbers():
    frame = pd.DataFrame({"a": [1.23456, 1234.5], "b": [0.5, 0.25], "n": [7, 12345]})
    assert Parsed(three_line_table(frame, digits=1)).rows[1:] == [["1.2", "0.5", "7"], ["1,234.5", "0.2", "12,345"]]
    by_column = Parsed(three_line_table(frame, digits={"a": 3})).rows[1:]
    assert by_column == [["1.235", "0.5000", "7"], ["1,234.500", "0.2500", "12,345"]]
    zero = Parsed(three_line_table(frame, digits={"b": 0})).rows[1:]
    assert [row[1] for row in zero] == ["<1", "<1"]


def test_digits_by_column_go_by_name_where_heads_replace_it_and_hold_for_the_index():
    frame = pd.DataFrame({"p": [0.5]}, index=pd.Index([0.25], name="bandwidth"))
    html = three_line_table(frame, digits={"p": 1, "bandwidth": 3}, headers={"p": "P value"})
    assert Parsed(html).rows == [["bandwidth", "P value"], ["0.250", "0.5"]]


def test_text_that_looks_like_html_is_shown_and_not_obeyed():
    evil = '<script>alert("1")</script> & <b>'
    frame = pd.DataFrame({evil: [evil]}, index=pd.Index([evil], name=f"{evil} 1"))
    html = three_line_table(frame, evil, evil, unit=evil, note=evil, source=evil)
    assert "<script" not in html
    assert "<b>" not in html
    parsed = Parsed(html)
    assert parsed.rows == [[f"{evil} 1", evil], [evil, evil]]
    assert parsed.text["caption"] == f"{evil} {evil}"
    assert parsed.text["p"].count(evil) == 3


def test_a_head_given_for_a_column_is_escaped():
    html = three_line_table(pd.DataFrame({"p": [1.0]}), headers={"p": "p < 0.05 & more"})
    assert "p &lt; 0.05 &amp; more" in html


def test_named_index_levels_are_the_first_columns_and_a_default_index_is_left_out():
    index = pd.MultiIndex.from_tuples([("bth", 2020), ("yrd", 2021)], names=["region", "year"])
    rows = Parsed(three_line_table(pd.DataFrame({"x": [1, 2]}, index=index))).rows
    assert rows == [["region", "year", "x"], ["bth", "2020", "1"], ["yrd", "2021", "2"]]
    assert Parsed(three_line_table(pd.DataFrame({"x": [1]}))).rows == [["x"], ["1"]]


FRAME = pd.DataFrame({"share": [0.4, 0.6]}, index=["Beijing", "Shanghai"])
LABELS = {
    "labels": (FRAME, [["", "share"], ["Beijing", "0.4000"], ["Shanghai", "0.6000"]]),
    "transposed": (FRAME.T, [["", "Beijing", "Shanghai"], ["share", "0.4000", "0.6000"]]),
    "described": (FRAME.describe().loc[["mean", "max"]], [["", "share"], ["mean", "0.5000"], ["max", "0.6000"]]),
    "numbers": (FRAME.set_axis([110000, 310000]), [["", "share"], ["110000", "0.4000"], ["310000", "0.6000"]]),
    "years": (FRAME.set_axis(range(2020, 2022)), [["", "share"], ["2020", "0.4000"], ["2021", "0.6000"]]),
    "two levels": (
        FRAME.set_axis(pd.MultiIndex.from_tuples([("bth", 2020), ("yrd", 2020)], names=["region", None])),
        [["region", "", "share"], ["bth", "2020", "0.4000"], ["yrd", "2020", "0.6000"]],
    ),
    "levels without names": (
        FRAME.set_axis(pd.MultiIndex.from_tuples([("bth", 2020), ("yrd", 2020)])),
        [["", "", "share"], ["bth", "2020", "0.4000"], ["yrd", "2020", "0.6000"]],
    ),
    "named as a column": (
        FRAME.rename_axis("share"), [["share", "share"], ["Beijing", "0.4000"], ["Shanghai", "0.6000"]],
    ),
    "columns of one name": (pd.DataFrame([[1, "a"]], columns=["x", "x"]), [["x", "x"], ["1", "a"]]),
    "a series": (FRAME["share"], [["", "share"], ["Beijing", "0.4000"], ["Shanghai", "0.6000"]]),
    "lists in cells": (pd.DataFrame({"x": [[1, 2], np.array([3])]}), [["x"], ["[1, 2]"], ["[3]"]]),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "rows"), LABELS.values(), ids=LABELS)
def test_rows_keep_their_labels_on_the_page_and_in_print(frame, rows):
    assert Parsed(three_line_table(frame)).rows == rows
    latex = three_line_table_latex(frame)
    body = [line.removesuffix(r" \\").removeprefix("{}") for line in latex.split("\n") if line.endswith(r"\\")]
    assert [[cell.strip() for cell in line.split("&")] for line in body] == rows


def test_columns_of_two_levels_have_both_names_in_their_head():
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("gdp", "mean"), ("gdp", "")]))
    assert Parsed(three_line_table(frame)).rows[0] == ["gdp mean", "gdp"]


KINDS = [None, 3, 2.5, "x", {"a": 1}, ["a"], np.array([1.0]), pd.Series([1.0]), pd.Timestamp("2020"), object()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("argument", ["frame", "caption", "caption_zh", "unit", "note", "source", "digits", "headers"])
@pytest.mark.parametrize("method", [three_line_table, three_line_table_latex])
def test_an_argument_of_another_kind_is_taken_or_refused(method, argument, kind):
    try:
        text = method(**{"frame": PROVINCES, argument: kind})
    except ClusterlibError:
        return
    assert "北京市" in text or (argument == "frame" and isinstance(kind, pd.Series))


def test_years_and_small_counts_have_no_separator_and_truth_is_yes_or_no():
    assert column([2024, 9999, 10000]) == ["2024", "9999", "10,000"]
    assert column([True, False]) == ["yes", "no"]


def test_the_frame_is_not_changed():
    before = PROVINCES.copy(deep=True)
    three_line_table(PROVINCES, headers={"gdp": "GDP"}, digits=1)
    pd.testing.assert_frame_equal(PROVINCES, before)


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"x": []}), pd.DataFrame(index=["a"])])
def test_a_table_without_rows_or_columns_is_refused_by_its_caption(frame):
    with pytest.raises(InvalidInputError, match=r"table 'Clusters' has no rows or no columns"):
        three_line_table(frame, "Clusters")


def test_marks_of_latex_in_any_text_come_through_as_they_are():
    import pypandoc

    marks = r"[a_b] $c$ \input{/etc/passwd} % & ~ ^ # {x} <e> \\"
    frame = pd.DataFrame({marks: [marks, f"*{marks}"]}, index=pd.Index([f"[{marks}", f"*{marks}"], name=marks))
    latex = three_line_table_latex(frame, f"{marks}\n\nmore", unit=marks, note=marks, source=marks)
    assert "\n\n" not in latex
    plain = pypandoc.convert_text(latex, "plain", format="latex", extra_args=["--wrap=none", "--columns=9999"])
    assert " ".join(plain.split()).count(marks) == 6 + 1 + 3

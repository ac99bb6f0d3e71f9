"""What is doubtful in a sheet is found with its cell before it is imported, and what is sound is not."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clusterlib as cl
from clusterlib.data import Understood, YearbookSheet
from clusterlib.data.audit import growth_jumps, interpolated_runs
from clusterlib.errors import InvalidInputError, UnknownNameError

YEARS = range(2008, 2020)


@cache
def codes():
    return [code for code in cl.data.load_units("city").index if code % 10_000 and code < 650_000][:40]


def walks(seed=1, units=40, years=YEARS, digits=2):
    """Random walks in logarithms of units that differ in spread, as units by years."""
    rng = np.random.default_rng(seed)
    spread = 0.05 * np.exp(rng.normal(0, 0.4, (units, 1)))
    steps = 0.06 + spread * rng.normal(size=(units, len(years)))
    x = np.exp(rng.normal(6, 1, (units, 1)) + steps.cumsum(axis=1)).round(digits)
    return pd.DataFrame(x, index=codes()[:units], columns=list(years))


def sheet_of(unit="亿元", level="city", **indicators):
    """A sheet of units in rows and years in columns, a block of columns an indicator."""
    parts = []
    for k, (name, wide) in enumerate(indicators.items()):
        places = {year: f"{'BCDEFG'[k]}{chr(65 + t)}" for t, year in enumerate(wide.columns)}
        long = wide.rename_axis("code").reset_index().melt("code", var_name="year").dropna(subset="value")
        row = long["code"].map({code: r for r, code in enumerate(wide.index, 5)})
        parts.append(long.assign(indicator=name, row=row, column=long["year"].map(places)))
    facts = pd.concat(parts, ignore_index=True)
    facts = facts.assign(name=facts["code"].map(str), unit=unit, note="", sheet="1")
    facts = facts.astype({"code": "string" if level == "economy" else "Int64", "year": int})
    facts = facts["name code year indicator value unit note sheet row column".split()]
    return YearbookSheet(Path("x.xlsx"), "", "1", level, "", facts, Understood({}, (), ()), [])


def found(sheet, check, **asked):
    findings = cl.data.check_sheet(sheet, **asked).findings
    return findings[findings["check"] == check]


def known_of(wide):
    return wide.rename_axis("code").reset_index().melt("code", var_name="year").astype({"year": int})


def test_a_sound_sheet_has_no_finding():
    x = walks()
    checks = cl.data.check_sheet(sheet_of(x=x), known=known_of(x))
    assert checks.findings.empty and checks.figures == x.size
    assert (
        list(checks.findings.columns)
        == "check severity indicator code name year value expected sheet row column reason".split()
    )


@pytest.mark.parametrize("k", [-4, -1, 2])
def test_a_sheet_in_another_power_of_ten_is_found_as_that_power(k):
    x = walks(k + 5, units=12, digits=6)
    rows = found(sheet_of(x=x * 10.0**k), "unit", known=known_of(x))
    size = f"{10 ** abs(k):,}"
    assert len(rows) == 1
    assert (f"{size} times" if k > 0 else f"1/{size} of") in str(rows["reason"].iloc[0])


def test_a_year_and_a_unit_in_another_unit_of_measure_are_found_alone_and_the_likely_unit_is_named():
    x = walks()
    wrong = x.copy()
    wrong[2012] *= 10_000
    wrong.iloc[7] /= 100
    rows = found(sheet_of(x=wrong), "unit", known=known_of(x))
    texts = rows["reason"].astype(str).tolist()
    assert len(texts) == 2
    assert any("figures of 2012 are 10,000 times" in text and "万元 rather than 亿元" in text for text in texts)
    assert any("1/100 of" in text and "百亿元" in text for text in texts)
    assert {(2012, "BE")} <= set(rows[["year", "column"]].itertuples(index=False, name=None))


def test_a_year_ten_thousand_times_the_year_before_needs_nothing_to_compare_with():
    x = walks()
    x.loc[:, 2014:] *= 10_000
    (row,) = found(sheet_of(x=x), "unit").itertuples()
    assert (row.year, row.severity) == (2014, "error")


@pytest.mark.parametrize(
    ("level", "name"), [("province", "gdp"), ("city", "us_entity_list_entries"), ("economy", "gdp")]
)
def test_differences_of_vintage_are_no_other_unit_of_measure(level, name):
    wide = cl.data.load_panel(level, [name])[name].unstack()
    noise = np.random.default_rng(3).normal(0, 0.1, wide.shape)
    rows = found(sheet_of(level=level, x=wide * np.exp(noise)), "unit", known=known_of(wide).dropna())
    assert not rows["reason"].astype(str).str.contains("imported before").any()


def test_first_releases_are_no_other_unit_than_final_figures():
    wide = cl.data.load_panel("province", "gdp_first_release")["gdp_first_release"].unstack()
    checks = cl.data.check_sheet(sheet_of(level="province", gdp=wide), same_as="gdp")
    assert not (checks.findings["check"] == "unit").any()
    differs = checks.findings[checks.findings["check"] == "differs"]
    panel = cl.data.load_panel("province", "gdp")["gdp"]
    both = pd.concat([wide.stack(), panel], axis=1).dropna()
    assert len(differs) == ((both.iloc[:, 0] / both.iloc[:, 1] - 1).abs() > 0.01).sum() > 0
    assert differs["reason"].astype(str).str.contains(r"data/raw/province/\S+\.csv:\d+").all()


def test_units_of_the_sheet_are_converted_before_comparison_and_other_measures_refused():
    wide = cl.data.load_panel("province", "gdp")["gdp"].unstack()
    checks = cl.data.check_sheet(sheet_of("万元", "province", gdp=wide * 10_000), same_as="gdp")
    assert not checks.findings["check"].isin(["unit", "differs", "range"]).any()
    assert "the sheet is in 万美元" in str(
        found(sheet_of("万美元", "province", gdp=wide), "unit", same_as="gdp")["reason"].iloc[0]
    )


def test_figures_out_of_range_are_found_by_the_catalogue_and_by_what_shares_and_counts_can_be():
    x = walks()
    share = x * 0 + 40.5 + np.arange(len(YEARS))
    share.iloc[3, 4] = 130
    (row,) = found(sheet_of("%", x=share), "range").itertuples()
    assert (row.value, row.expected, row.severity, row.row, row.column) == (130, 100, "warning", 8, "BE")
    x.iloc[0, 0] = -5
    assert len(found(sheet_of("件", x=x), "range")) == 1
    assert found(sheet_of("亿元", x=x), "range").empty
    assert found(sheet_of("亿元", x=x), "range", same_as="gdp")["severity"].tolist() == ["error"]


def test_jumps_are_judged_by_the_changes_of_the_sheet():
    x = walks()
    x.iloc[5, 6:] *= 4
    (row,) = found(sheet_of(x=x), "jump").itertuples()
    assert (row.code, row.year) == (x.index[5], YEARS[6])
    # All double: no unit stands out, but the year does.
    x = walks()
    x.loc[:, 2015:] *= 2
    (row,) = found(sheet_of(x=x), "jump").itertuples()
    assert row.year == 2015 and "most figures" in str(row.reason)
    smooth = x.stack().to_frame("x")
    assert len(growth_jumps(smooth)) >= len(x) and growth_jumps(smooth, 0.2, 8.0).empty
    with pytest.raises(InvalidInputError, match="spread"):
        growth_jumps(smooth, spread=0)


def test_a_slipped_decimal_point_is_told_once_and_not_as_jumps():
    x = walks()
    x.iloc[2, 5] *= 10
    sheet = sheet_of(x=x)
    (row,) = found(sheet, "decimal").itertuples()
    assert (row.code, row.year) == (x.index[2], YEARS[5])
    assert found(sheet, "jump").empty


def test_shares_that_sum_to_100_in_most_units_must_in_all():
    rng = np.random.default_rng(2)
    a, b = (pd.DataFrame(rng.uniform(10, 40, (40, 12)).round(1), codes(), list(YEARS)) for _ in range(2))
    c = (100 - a - b).round(1)
    assert found(sheet_of("%", a=a, b=b, c=c), "parts").empty
    c.iloc[4, 3] += 5
    (row,) = found(sheet_of("%", a=a, b=b, c=c), "parts").itertuples()
    assert (row.code, row.year) == (codes()[4], YEARS[3]) and "a + b + c sum to 105" in str(row.reason)


def test_the_total_in_a_sheet_is_compared_with_the_sum(tmp_path):
    gdp = cl.data.load_panel("province", "gdp", years=2023)["gdp"].droplevel("year")
    names = cl.data.load_units("province")["name_zh"]
    for total, count in ((gdp.sum(), 0), (gdp.sum() * 1.1, 1), (gdp.sum() * 0.9, 1)):
        rows = [f"{names[code]},{value}" for code, value in gdp.items()]
        path = tmp_path / "x.csv"
        path.write_text("\n".join(["地区,地区生产总值(亿元)", f"全国,{total:.1f}", *rows]), "utf-8")
        assert len(found(cl.data.read_yearbook(path, years=2023), "total")) == count


def test_what_stands_twice_is_found():
    x = walks()
    sheet = sheet_of(x=x)
    twice = replace(sheet, facts=pd.concat([sheet.facts, sheet.facts[:1].assign(row=99)], ignore_index=True))
    assert found(twice, "duplicate")[["row", "severity"]].to_numpy().tolist() == [[99, "error"]]
    x.iloc[9] = x.iloc[3]
    x[2018] = x[2013]
    told = found(sheet_of(x=x), "identical")["reason"].astype(str).tolist()
    assert any(f"are those of {x.index[3]}" in text for text in told)
    assert any("figures of 2018 are those of 2013" in text for text in told)
    area = walks().iloc[:, [0] * len(YEARS)].set_axis(list(YEARS), axis=1)
    assert found(sheet_of("平方公里", x=area), "identical").empty


def test_codes_must_be_of_the_level_and_have_stood():
    x = walks(units=3).set_axis([330100, 110101, 341400])
    rows = found(sheet_of(x=x), "code").set_index("code")
    assert rows["severity"].to_dict() == {110101: "error", 341400: "warning"}
    assert "2011-2019" in str(rows.loc[341400, "reason"])


@pytest.mark.parametrize("kind", ["step", "growth", "same"])
def test_runs_on_a_line_or_curve_are_found(kind):
    x = walks()
    ends = x.iloc[6, 3], x.iloc[6, 8]
    along = {"step": np.linspace(*ends, 6), "growth": np.geomspace(*ends, 6), "same": np.full(6, ends[0])}[kind]
    x.iloc[6, 3:9] = along.round(2)
    (run,) = interpolated_runs(x.stack().rename_axis(["adcode", "year"]).to_frame("x")).itertuples()
    assert (run.adcode, run.kind, run.figures) == (x.index[6], kind, 6)
    (row,) = found(sheet_of(x=x), "interpolated").itertuples()
    assert (row.year, row.row) == (YEARS[4], 11)


def test_a_year_of_midpoints_is_found_unit_by_unit():
    x = walks()
    filled = x.index[::4]
    x.loc[filled, 2013] = ((x.loc[filled, 2012] + x.loc[filled, 2014]) / 2).round(2)
    rows = found(sheet_of(x=x), "interpolated")
    assert set(rows["year"]) == {2013} and set(filled) <= set(rows["code"]) and len(rows) <= len(filled) + 2


@pytest.mark.parametrize(("level", "digits"), [(6, 2), (6, 0), (1.5, 1), (1.5, 0)])
def test_random_walks_seldom_look_interpolated_however_few_digits_they_have(level, digits):
    false = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        steps = 0.06 + 0.05 * np.exp(rng.normal(0, 0.4, (80, 1))) * rng.normal(size=(80, 15))
        x = np.exp(rng.normal(level, 1, (80, 1)) + steps.cumsum(axis=1)).round(digits)
        false += not interpolated_runs(pd.DataFrame(x).stack().rename_axis(["unit", "year"]).to_frame("x")).empty
    assert false <= 1


def test_small_figures_of_few_digits_are_often_midpoints_by_chance():
    # Shares of primary industry as printed: many cities of Jiangsu lie midway in 2012, and near it.
    share = cl.data.load_panel("city", ["value_added_primary_share"])
    assert interpolated_runs(share).empty


def test_a_stock_that_often_stays_is_no_interpolation_and_one_that_never_does_is():
    stock = cl.data.load_panel("province", ["mobile_exchange_capacity", "railway_length"])
    assert interpolated_runs(stock).empty
    x = walks()
    x.iloc[4, 3:8] = x.iloc[4, 3]
    (run,) = interpolated_runs(x.stack().rename_axis(["adcode", "year"]).to_frame("x")).itertuples()
    assert (run.kind, run.first, run.last) == ("same", YEARS[3], YEARS[7])


def test_lines_in_shipped_figures_are_those_that_the_catalogue_names():
    runs = interpolated_runs(cl.data.load_panel("city", ["broadband_subscribers"]))
    lines = runs[runs["kind"] != "midpoint"]
    assert lines[["adcode", "first", "last", "kind"]].to_numpy().tolist() == [[540100, 2012, 2019, "step"]]
    named = cl.data.indicator_catalogue("city").loc["broadband_subscribers", "breaks"]
    names = cl.data.load_units("city")["name_en"]
    # Bazhong's whole figures of 2011-2013 are a midpoint by chance.
    assert [code for code in runs["adcode"] if f"{names[code]}" not in named.split("on a line")[1]] == [511900]


@given(seed=st.integers(0, 1000))
@settings(max_examples=2, deadline=None, derandomize=True)
def test_the_order_of_rows_changes_no_finding(seed):
    x = walks()
    x.iloc[2, 5] *= 10
    x.iloc[5, 6:] *= 4
    x.iloc[7, 3] = -x.iloc[7, 3]
    sheet = sheet_of("件", x=x, y=walks(4))
    mixed = replace(sheet, facts=sheet.facts.sample(frac=1, random_state=seed).reset_index(drop=True))
    first, second = (cl.data.check_sheet(one).findings.astype({"reason": str}) for one in (sheet, mixed))
    assert len(first) >= 3
    pd.testing.assert_frame_equal(first, second)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(("language", "words"), [("en", "jump between years"), ("zh", "年际跳变")])
def test_findings_are_one_page_without_scripts_in_one_language(tmp_path, language, words):
    x = walks()
    x.iloc[5, 6:] *= 4
    sheet = sheet_of(x=x)
    sheet.facts["name"] = "<b>&城市"
    checks = cl.data.check_sheet(sheet)
    path = checks.write(tmp_path / "new" / "x.html", language)
    page = Page(path.read_text("utf-8"))
    assert not page.open and not {"script", "b", "link", "img"} & {tag for tag, _ in page.tags}
    assert any(tag == "meta" and attrs.get("name") == "viewport" for tag, attrs in page.tags)
    text = " ".join(page.text)
    assert words in text and "<b>&城市" in text and "BG10" in text
    assert words in checks.summary(language)
    assert ("年" in checks.summary(language)) == (language == "zh")
    assert checks._repr_html_().count("<table") == 1


def test_what_cannot_be_compared_is_refused_or_told():
    x = walks()
    with pytest.raises(InvalidInputError, match="read_yearbook"):
        cl.data.check_sheet(x)
    with pytest.raises(InvalidInputError, match="indicators a, b"):
        cl.data.check_sheet(sheet_of(a=x, b=x + 1), same_as="gdp")
    with pytest.raises(UnknownNameError, match="did you mean 'gdp'"):
        cl.data.check_sheet(sheet_of(a=x), same_as="gpd")
    with pytest.raises(InvalidInputError, match="no code"):
        cl.data.check_sheet(sheet_of(a=x), known=pd.DataFrame({"year": [2020], "value": [1.0]}))
    nothing = pd.DataFrame({"code": [110000], "year": [1950], "value": [1.0]})
    assert "No figure imported before" in cl.data.check_sheet(sheet_of(a=x), known=nothing).summary("en")


def test_large_sheets_are_checked_at_once():
    cities = list(cl.data.load_units("city").index)[:300]
    rng = np.random.default_rng(5)
    wide = [pd.DataFrame(np.exp(rng.normal(0.06, 0.05, (len(cities), 20)).cumsum(axis=1) + 5).round(2), cities,
                         list(range(2004, 2024))) for _ in range(5)]  # fmt: skip
    sheet = sheet_of(**dict(zip("abcde", wide, strict=True)))
    begin = time.process_time()
    cl.data.check_sheet(sheet)
    # Far less on a machine at rest; others may share the processor.
    assert time.process_time() - begin < 3

"""Names and codes of administrative units over time: what is found, what is only offered, and what became of units."""

from __future__ import annotations

import re
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.data import load_units, resolve_units
from clusterlib.data._raw import RawTable
from clusterlib.data._rules import history_problems
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.paths import get_project

RAW = get_project().raw
HISTORY = pd.read_csv(RAW / "unit_history.csv", dtype={"adcode": str, "successors": str}, keep_default_na=False)
LATEST = int(HISTORY["last_year"].max())
TODAY = HISTORY[HISTORY["last_year"] == LATEST]
UNITS = load_units()
FULL_WIDTH = {ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"}


def one(name, **given) -> pd.Series:
    return resolve_units([name], **given).iloc[0]


def same_unit(row: pd.Series, code: int) -> bool:
    """Whether a row is about the unit of this code, or says that it may be."""
    own = one(code)
    codes = {row["code"], row["code_then"]} - {pd.NA}
    return bool(codes & {code, own["code"]}) or (
        row["status"] == "ambiguous" and str(own["code_then"]) in row["nearest"]
    )


@st.composite
def disguised(draw, texts):
    """A text with spaces in it, its digits in full width or not."""
    text = draw(st.sampled_from(texts))
    text = text.translate(FULL_WIDTH) if draw(st.booleans()) else text
    for place in draw(st.lists(st.integers(0, len(text)), max_size=3)):
        text = text[:place] + draw(st.sampled_from([" ", "\u3000", "\t", "\u200b"])) + text[place:]
    return text


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_unit_is_found_by_code_full_name_and_english_name_however_they_are_set(data):
    code = data.draw(st.sampled_from(UNITS.index.tolist()))
    unit, given_code = UNITS.loc[code], f"{code:06d}"
    by_code = one(data.draw(disguised([given_code])))
    assert by_code["status"] in ("exact", "former")
    assert code in (by_code["code"], by_code["code_then"])
    for name in (unit["name_zh"], unit["name_en"]):
        row = one(data.draw(disguised([name])), level=unit["level"], within=int(unit["province"]))
        assert row["status"] != "unknown" and same_unit(row, code), (name, dict(row))


@pytest.mark.parametrize("level", ["province", "city", "county"])
def test_every_unit_is_found_by_its_names(level):
    units = UNITS[UNITS["level"] == level]
    codes = resolve_units(units.index, level=None)
    for names in (units["name_zh"], units["name_en"]):
        found = resolve_units(names, level=level, within=units["province"])
        agree = (found["code"] == codes["code"]).fillna(False) | (found["code_then"] == codes["code_then"]).fillna(
            False
        )
        offered = [str(code) in near for code, near in zip(codes["code_then"], found["nearest"], strict=True)]
        assert found[~(agree | ((found["status"] == "ambiguous") & pd.Series(offered)))].empty


def test_every_city_but_of_two_names_is_found_by_its_short_form():
    cities = TODAY[TODAY["level"] == "city"]
    short = cities["name_zh"].str.replace("(市|地区|盟)$", "", regex=True)
    found = resolve_units(short, level="city")
    assert found["status"].isin(["alias", "exact"]).all()
    assert found["code"].tolist() == cities["adcode"].astype(int).tolist()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("延边", 222400), ("恩施", 422800), ("恩施州", 422800), ("凉山", 513400), ("伊犁", 654000), ("伊犁州", 654000),
        ("海西", 632800), ("黔东南州", 522600), ("西双版纳", 532800), ("克孜勒苏", 653000), ("博尔塔拉", 652700),
        ("巴音郭楞自治州", 652800), ("锡林郭勒", 152500), ("大兴安岭", 232700), ("北京", 110000), ("香港", 810000),
        ("仙桃", 429004), ("天门", 429006), ("潜江", 429005), ("济源", 419001), ("神农架", 429021), ("石河子", 659001),
        ("110100", 110000), ("500100", 500000), ("浙江杭州", 330100), ("浙江省杭州市", 330100),
        ("Hangzhou City", 330100), ("Ｘi'an", 610100), ("330100000000", 330100), (330100.0, 330100),
    ],
)  # fmt: skip
def test_what_cities_are_called_in_tables(name, code):
    row = one(name, level="city")
    assert (row["code"], row["change"]) == (code, "") and row["status"] in ("alias", "exact")


@pytest.mark.parametrize(
    ("name", "given", "status", "code"),
    [
        ("朝阳", {}, "ambiguous", None),
        ("朝阳", {"level": "city"}, "alias", 211300),
        ("朝阳", {"level": "county", "within": "北京市"}, "alias", 110105),
        ("北京市朝阳区", {}, "alias", 110105),
        ("吉林长春朝阳区", {}, "alias", 220104),
        ("吉林", {}, "ambiguous", None),
        ("吉林", {"level": "province"}, "alias", 220000),
        ("吉林", {"level": "city"}, "alias", 220200),
        ("吉林", {"within": 220000}, "alias", 220200),
        ("海南", {"level": "province"}, "alias", 460000),
        ("巴州", {}, "ambiguous", None),
        ("巴州", {"level": "city"}, "alias", 652800),
        ("巴州", {"level": "county"}, "alias", 511902),
        ("巴州", {"within": "新疆"}, "alias", 652800),
        ("克州", {}, "alias", 653000),
        ("博州", {}, "alias", 652700),
        ("版纳", {}, "alias", 532800),
        ("Jilin", {}, "ambiguous", None),
        ("Jilin", {"level": "province"}, "alias", 220000),
        ("Jilin", {"level": "city"}, "alias", 220200),
        ("Jilin Province", {}, "alias", 220000),
        ("Jilin City", {}, "alias", 220200),
        ("Jilin City", {"level": "province"}, "unknown", None),
        ("Chaoyang", {}, "ambiguous", None),
        ("Chaoyang", {"level": "city"}, "alias", 211300),
        ("Chaoyang", {"within": "Beijing"}, "alias", 110105),
        ("Chaoyang County", {}, "alias", 211321),
        ("Chaoyang District", {"level": "county"}, "ambiguous", None),
        ("Hinggan", {"level": "city"}, "alias", 152200),
        ("Yanbian Autonomous Prefecture", {}, "alias", 222400),
        ("Suzhou", {"level": "city"}, "ambiguous", None),
        ("Suzhou", {"level": "city", "within": "安徽"}, "alias", 341300),
        ("鼓楼区", {}, "ambiguous", None),
        ("鼓楼区", {"within": "福州"}, "exact", 350102),
        ("鼓楼区", {"within": "nowhere"}, "unknown", None),
        ("巢湖市", {}, "ambiguous", None),
        ("思茅", {}, "ambiguous", None),
    ],
)
def test_a_name_of_several_units_is_decided_by_level_or_place_alone(name, given, status, code):
    row = one(name, **given)
    assert row["status"] == status
    assert row["code"] == code if code else row["code"] is pd.NA


def test_an_english_name_alone_is_of_no_fewer_units_than_the_chinese_short_form():
    plain = UNITS[~UNITS["name_en"].str.contains(r"\(| (?:City|League)$")]
    short = plain["name_zh"].str.replace("(?:省|市|地区|盟)$", "", regex=True)
    plain, short = plain[short != plain["name_zh"]], short[short != plain["name_zh"]]
    english, chinese = resolve_units(plain["name_en"]), resolve_units(short)
    assert len(plain) > 500
    assert (english["status"] == "ambiguous")[chinese["status"] == "ambiguous"].all()


def test_an_ambiguous_name_comes_with_all_that_bear_it():
    assert {"211300 朝阳市", "110105 朝阳区", "220104 朝阳区"} < set(str(one("朝阳")["nearest"]).split("; "))


# Checked by hand against the approvals: name, level, code today, successors, what happened.
HISTORIES = [
    ("襄樊", "city", 420600, "", "renamed 2010: 420600 襄阳市"),
    ("思茅", "city", 530800, "", "renamed 2007: 530800 普洱市"),
    ("莱芜", "city", None, "370100", "merged 2018: 370100 济南市"),
    ("巢湖", "city", None, "340100;340200;340500", "divided 2011: 340100 合肥市, 340200 芜湖市, 340500 马鞍山市"),
    ("淮阴市", "city", 320800, "", "renamed 2000: 320800 淮安市"),
    ("伊克昭盟", "city", 150600, "", "converted 2001: 150600 鄂尔多斯市"),
    ("毕节地区", "city", 520500, "", "converted 2011: 520500 毕节市"),
    ("海东地区", "city", 630200, "", "converted 2013: 630200 海东市"),
    ("日喀则地区", "city", 540200, "", "converted 2014: 540200 日喀则市"),
    ("吐鲁番地区", "city", 650400, "", "converted 2015: 650400 吐鲁番市"),
    ("哈密地区", "city", 650500, "", "converted 2016: 650500 哈密市"),
    ("那曲地区", "city", 540600, "", "converted 2017: 540600 那曲市"),
    ("伊犁地区", "city", None, "654000", "merged 2001: 654000 伊犁哈萨克自治州"),
    ("南宁地区", "city", None, "450100;451400", "divided 2002: 450100 南宁市, 451400 崇左市"),
    ("东川市", "city", 530113, "", "converted 1998: 530113 东川区"),
    (512081, None, 510185, "", "transferred 2016: 510185 简阳市"),
    (220381, None, 220184, "", "transferred 2020: 220184 公主岭市"),
    (340823, None, 340722, "", "transferred 2015: 340722 枞阳县"),
    ("卢湾区", "county", None, "310101", "merged 2011: 310101 黄浦区"),
    ("崇文区", "county", None, "110101", "merged 2010: 110101 东城区"),
    ("江干区", "county", None, "330102;330114", "divided 2021: 330102 上城区, 330114 钱塘区"),
    ("塘沽区", "county", None, "120116", "merged 2009: 120116 滨海新区"),
    (330621, None, 330603, "", "converted 2013: 330603 柯桥区"),
    (469003, None, 460400, "", "converted 2015: 460400 儋州市"),
]


@pytest.mark.parametrize(("name", "level", "code", "successors", "change"), HISTORIES)
def test_a_former_unit_says_what_became_of_it_and_gets_no_code_of_another(name, level, code, successors, change):
    row = one(name, level=level)
    assert row["status"] == "former"
    assert row["code"] == code if code else row["code"] is pd.NA
    assert (row["successors"], row["change"]) == (successors, change)


@pytest.mark.parametrize(
    ("name", "year", "then", "code"),
    [
        ("那曲市", 2010, 542400, 540600),
        ("襄阳市", 2005, 420600, 420600),
        ("三沙市", 2005, None, 460300),
        ("莱芜市", 2010, 371200, None),
        ("杭州市", 2030, 330100, 330100),
        ("重庆市", 1990, 510200, 500000),
    ],
)
def test_the_code_of_a_year_stands_beside_that_of_today(name, year, then, code):
    row = one(name, level="city", year=year)
    for found, expected in ((row["code_then"], then), (row["code"], code)):
        assert found == expected if expected else found is pd.NA


@settings(max_examples=8, deadline=None)
@given(st.integers(1980, LATEST))
def test_a_code_of_any_year_leads_to_units_of_today_or_says_that_it_cannot(year):
    codes = HISTORY.loc[(HISTORY["first_year"] <= year) & (HISTORY["last_year"] >= year), "adcode"]
    found = resolve_units(codes, year=year)
    assert found["status"].isin(["exact", "former"]).all()
    assert found["code_then"].tolist() == codes.astype(int).tolist()
    standing = set(TODAY["adcode"])
    ended = found["code"].isna()
    assert found.loc[~ended, "code"].map("{:06d}".format).isin(standing).all()
    assert found.loc[ended, "successors"].map(lambda text: not text or set(str(text).split(";")) <= standing).all()
    # What has no successor leads, perhaps by way of others, to a unit that was not followed.
    assert found.loc[ended & (found["successors"] == ""), "change"].str.contains("untraced|merged|divided").all()
    assert (found.loc[~ended, "successors"] == "").all()


def test_whatever_ended_since_1999_is_followed():
    recent = HISTORY[(HISTORY["last_year"] >= 1999) & (HISTORY["last_year"] < LATEST)]
    found = resolve_units(recent["adcode"].tolist(), year=None)
    assert not (recent["change"] == "untraced").any()
    assert (found["code"].notna() | (found["successors"] != "") | (found["status"] == "ambiguous")).all()


def derivable(text: str, name: str) -> bool:
    """Whether a text is a full name or one of the short forms that it may have."""
    ending = r"(省|市|县|区|旗|盟|地区|行政区|新区|林区|特区|矿区|特别行政区|\w*自治[区州县旗])"
    kind = re.fullmatch(r"(\w{2,}?)(自治)?([州县旗区])", text)
    return name == text or bool(
        (name.startswith(text) and re.fullmatch(ending, name[len(text) :]))
        or (kind and name.startswith(kind[1]) and re.search(rf"自治{kind[3]}$", name))
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_slip_of_one_character_is_never_taken_for_a_unit(data):
    name = data.draw(st.sampled_from(TODAY["name_zh"].tolist()))
    place = data.draw(st.integers(0, len(name) - 1))
    other = data.draw(st.sampled_from("洲州杨扬阳洋沙莎宁林临海江河县市区山东西南北安新"))
    before, after = name[:place], name[place + 1 :]
    text = data.draw(st.sampled_from([before + other + after, before + other + name[place:], before + after]))
    row = one(text)
    if row["status"] == "unknown":
        assert row["code"] is pd.NA and row["change"] == ""
    else:
        named = [row["name_zh"]] if row["name_zh"] else [each[7:] for each in str(row["nearest"]).split("; ")]
        # A name may be that of one unit behind that of the one around it.
        assert all(any(derivable(text[k:], each) for k in range(len(text))) for each in named), dict(row)
        assert derivable(text, named[0]) or row["status"] in ("alias", "ambiguous", "former")


@pytest.mark.parametrize(
    ("slip", "meant"), [("杭洲市", "330100 杭州市"), ("内蒙", "150000 内蒙古自治区"), ("Hangzou", "330100 杭州市")]
)
def test_an_unknown_name_comes_with_the_nearest(slip, meant):
    row = one(slip)
    assert row["status"] == "unknown" and row["code"] is pd.NA
    assert str(row["nearest"]).split("; ")[0] == meant


@pytest.mark.parametrize("nothing", [None, "", "　", float("nan"), pd.NA, ["杭州市"]])
def test_what_holds_no_name_is_unknown_and_near_to_nothing(nothing):
    row = one(nothing)
    assert (row["status"], row["nearest"]) == ("unknown", "")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["杭州", "襄樊", "朝阳", "nowhere", "", 330100, "莱芜市"]), max_size=12))
def test_rows_stand_in_the_order_of_the_names_each_as_if_alone(names):
    found = resolve_units(names)
    assert found["name"].tolist() == names
    for k, name in enumerate(names):
        assert found.iloc[k].equals(one(name))


def test_a_country_of_names_takes_less_than_half_a_second():
    names = TODAY["name_zh"].tolist()
    assert len(names) > 3131
    one("杭州")
    start = time.process_time()
    resolve_units(names)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"names": {"杭州": 1}}, InvalidInputError, "expected names or codes of units, got a dict"),
        ({"names": None}, InvalidInputError, "got a NoneType"),
        ({"names": ["杭州"], "within": ["浙江", "江苏"]}, InvalidInputError, "2 places for 1 names"),
        ({"names": ["杭州"], "year": 1979}, InvalidInputError, "year=1979"),
        ({"names": ["杭州"], "year": "2005"}, InvalidInputError, "year='2005'"),
        ({"names": ["杭州"], "level": "town"}, UnknownNameError, "level 'town'"),
    ],
)
def test_arguments_of_another_kind_are_refused(given, error, told):
    with pytest.raises(error, match=re.escape(told)):
        resolve_units(**given)


def test_the_history_agrees_with_the_changes_of_boundaries():
    changes = pd.read_csv(RAW / "boundary_changes.csv")
    whole = changes[changes["kind"] != "transferred"]
    for before, after, year in zip(whole["adcode_from"], whole["adcode_to"], whole["year"].tolist(), strict=True):
        found = one(before)
        assert str(after) in (str(found["code"]), *str(found["successors"]).split(";"))
        # Figures have the new area in the year of the approval or the next.
        assert year - int(re.findall("[0-9]{4}", str(found["change"]))[0]) in (0, 1)


ROW = dict(zip(HISTORY.columns, ["110101", "东城区", "county", "1980", "2024", "", "", "gb2260"], strict=True))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"first_year": "1980", "last_year": "2000", "change": "renamed", "successors": "110102"}, {}], "already"),
        ([{"first_year": "2024", "last_year": "1980"}], "before first_year"),
        ([{}, {"adcode": "110103", "last_year": "2009"}], "expected one if, and only if"),
        ([{}, {"adcode": "110103", "last_year": "2009", "change": "merged"}], "expected 1 code(s)"),
        (
            [{}, {"adcode": "110103", "last_year": "2009", "change": "divided", "successors": "110101"}],
            "expected 2 code",
        ),
        ([{}, {"adcode": "110103", "last_year": "2009", "change": "merged", "successors": "110199"}], "list of 2010"),
    ],
)
def test_a_history_that_contradicts_itself_is_refused(rows, told):
    frame = pd.DataFrame([ROW | row for row in rows], index=range(2, 2 + len(rows)), dtype="str")
    assert any(told in problem.reason for problem in history_problems(RawTable("unit_history.csv", frame)))


def test_the_shipped_history_has_no_contradiction():
    frame = HISTORY.astype(str).set_axis(range(2, 2 + len(HISTORY)))
    assert history_problems(RawTable("unit_history.csv", frame)) == []


def test_every_unit_has_a_code_that_stood_for_its_name():
    names = HISTORY.groupby(HISTORY["adcode"].astype(int))["name_zh"].agg(set)
    listed = UNITS[UNITS.index.isin(names.index)]
    wrong = [code for code, name in listed["name_zh"].items() if name not in names[code]]
    # Codes that only statistics use, such as that of all counties directly under Hubei.
    assert wrong == [] and len(UNITS) - len(listed) < 10


def test_a_code_of_a_county_tells_the_name_of_today():
    found = resolve_units([540422, 540530, 542623, 540481], level="county")
    assert found["code"].tolist() == [540481, 540581, 540481, 540481]
    assert found["change"].tolist()[:2] == ["converted 2023: 540481 米林市", "converted 2023: 540581 错那市"]
    today = resolve_units(found["code"], level="county")
    assert today["name_zh"].tolist() == ["米林市", "错那市", "米林市", "米林市"] and set(today["status"]) == {"exact"}

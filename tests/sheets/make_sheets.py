"""Make the messy files of this folder: one for each mess, with figures of data/raw.

uv run --with openpyxl,xlwt,pandas,pyarrow,pyreadstat tests/sheets/make_sheets.py
"""

import datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import xlwt

HERE = Path(__file__).parent
# GDP (1e8 yuan) and residents (1e4 persons) of provinces, GDP of cities: as in data/raw.
GDP = {
    "北京市": (45222.4, 47353.7),
    "上海市": (48594.5, 51404.5),
    "江苏省": (124564.2, 130924.3),
    "浙江省": (80770, 85619.6),
    "黑龙江省": (16359.2, 16470.7),
}
PEOPLE = {
    "北京市": (2184, 2186),
    "上海市": (2475, 2487),
    "江苏省": (8515, 8526),
    "浙江省": (6577, 6627),
    "黑龙江省": (3099, 3062),
}
CITIES = {"苏州市": 24653, "杭州市": 20059, "宁波市": 16453, "深圳市": 34606, "黄山市": 1046}
SPACED = {"北京市": "北 京", "上海市": "上 海", "江苏省": "  江 苏", "浙江省": "浙　江", "黑龙江省": "黑 龙 江"}
ENGLISH = {
    "北京市": "Beijing",
    "上海市": "Shanghai",
    "江苏省": "Jiangsu",
    "浙江省": "Zhejiang",
    "黑龙江省": "Heilongjiang",
}


def text(name, lines, encoding="utf-8"):
    (HERE / name).write_bytes("\n".join([*lines, ""]).encode(encoding))


def nbs():
    rows = [f"{name},{new},{old}" for name, (old, new) in GDP.items()]
    notes = ["注：2023年为初步核算数。", "数据来源：国家统计局"]
    heads = ["数据库：分省年度数据", "指标：地区生产总值(亿元)", "时间：最近10年", "地区,2023年,2022年"]
    return [*heads, *rows, *notes]


for encoding in ("gbk", "gb18030", "utf-8", "utf-8-sig", "utf-16"):
    # What only GB18030 has of the two Chinese encodings.
    rare = ["注：䶮为地名用字，𠮷亦然。"] if encoding == "gb18030" else []
    text(f"nbs_{encoding}.csv", [*nbs(), *rare], encoding)
text("nbs_one_province.csv", [
    "数据库：分省年度数据", "地区：浙江省", "时间：最近10年", "指标,2023年,2022年",
    "地区生产总值(亿元),85619.6,80770", "年末常住人口(万人),6627,6577",
], "gbk")  # fmt: skip
text("nbs_turned.csv", [
    "指标：地区生产总值(亿元)",
    ",".join(["时间", *GDP]),
    ",".join(["2023年", *(str(new) for _, new in GDP.values())]),
    ",".join(["2022年", *(str(old) for old, _ in GDP.values())]),
])  # fmt: skip
text("numbers.csv", [
    "地区,人口变动(万人)",
    "北京市,２１８６", '上海市,"2,487"', "江苏省,8 526", "浙江省,6627①", "黑龙江省,(37)", "广东省,12706[1]",
    "天津市,…", "河北省,-", "山西省,—", "辽宁省,..", "吉林省,", "福建省, 4183 ", "山东省,10123*",
])  # fmt: skip
text("wrong_cells.csv", ["地区,2023年人口(万人)", "北京市,2186", "上海市,约2487", '江苏省,"85,26"', "浙江省,1.2.3"])
text("percent.csv", ["地区,2023年城镇化率", "北京市,87.8%", "上海市,89.5％", "江苏省,75%"])
text("long.csv", ["adcode,year,value"] + [f"{code},{year},{v}" for code, year, v in (
    (110000, 2022, 45222.4), (110000, 2023, 47353.7), (310000, 2022, 48594.5), (310000, 2023, 51404.5))])  # fmt: skip
text("indicators_down.tsv", [
    "城市\t年份\t指标\t单位\t数值", "苏州市\t2023\t地区生产总值\t亿元\t24653", "苏州市\t2023\t移动电话用户\t万户\t1892",
    "杭州市\t2023\t地区生产总值\t亿元\t20059", "杭州市\t2023\t移动电话用户\t万户\t1881",
])  # fmt: skip
text("blank_names.csv", [
    "城市,年份,地区生产总值(亿元)", "苏州市,2022,23958", ",2023,24653", "杭州市,2022,18753", ",2023,20059",
])  # fmt: skip
text("halves.csv", [
    "地区,2023年人口(万人),,地区,2023年人口(万人)", "北京,2186,,浙江,6627", "上海,2487,,黑龙江,3062", "江苏,8526,,,",
])  # fmt: skip
text("unknown_name.csv", ["城市,2023年地区生产总值(亿元)", "苏州市,24653", "杭洲市,20059", "宁波市,16453"])
text("repeated.csv", ["地区,2023年人口(万人)", "北京市,2186", "上海市,2487", "北京,2190"])
text("quarters.csv", ["地区,2023年1-6月,2023年", "北京市,20000,47353.7", "上海市,23000,51404.5"])
text("no_year.csv", ["地区,人口(万人)", "北京市,2186", "上海市,2487"])
text(
    "codes_disagree.csv",
    ["代码,城市,2023年GDP(亿元)", "330100,杭州市,20059", "330200,苏州市,24653", "440300,深圳市,34606"],
)
text("two_tables.csv", [
    "地区,2023年人口(万人)", "北京市,2186", "上海市,2487", "城市名,就业(万人)", "北京市,1132",
])  # fmt: skip
text("database.csv", [
    "Prvcd,Prvnm,Sgnyea,Gdp01", "省份代码,省份名称,统计年度,地区生产总值(现价)", "没有单位,没有单位,没有单位,亿元",
    '="110000",北京市,="2023",47353.7', '="330000",浙江省,="2023",85619.6',
])  # fmt: skip
text("span.csv", ["表3-2 2018-2023年各地区城镇化率(%)", "地区,城镇化率", "北京,87.8", "上海,89.5"])
text("two_units.csv", ["地区,2023年地区生产总值(亿元),2023年人口(万人)", "北京市,47353.7,2186", "上海市,51404.5,2487"])

# As platforms export them: codes of variables, labels and units in three rows; indicators down and years across.
text("cnrds.csv", [
    "Symbol,Prvcnm,Ctnm,Sgnyea,Gdp01,Pop02", "行政区划代码,省份名称,城市名称,统计年度,地区生产总值(现价),年末户籍人口",
    "没有单位,没有单位,没有单位,没有单位,亿元,万人", "320500,江苏省,苏州市,2022,23958.3,775",
    "320500,江苏省,苏州市,2023,24653.4,", "320200,江苏省,无锡市,2023,15456.2,516", "330100,浙江省,杭州市,2023,20059,",
])  # fmt: skip
text("csmar_dates.csv", [
    "Ctnm_id,Ctnm,Sgnyea,Gdp0101", "城市代码,城市名称,统计年度,地区生产总值", "没有单位,没有单位,没有单位,亿元",
    "320500,苏州市,2022-12-31,23958.3", "330100,杭州市,2022-12-31,18753",
])  # fmt: skip
text("eps.csv", [
    "中国城市数据库,,,,,", "指标,地区,单位,2021,2022,2023", "地区生产总值,苏州市,亿元,22718.3,23958.3,24653.4",
    "地区生产总值,杭州市,亿元,18109,18753,20059", "年末户籍人口,苏州市,万人,762,775,",
    "年末户籍人口,杭州市,万人,834,847,-", "数据来源：中国城市统计年鉴,,,,,", "EPS数据平台,,,,,",
])  # fmt: skip
text("nbs_no_indicator.csv", [
    "数据库：分省年度数据", "时间：最近10年", "地区,2023年,2022年", "北京市,2186,2184", "上海市,2487,2475",
    "注：2010、2020年数据为当年人口普查数据推算数。", "数据来源：国家统计局",
], "gbk")  # fmt: skip
text("nbs_nation.csv", [
    "数据库：年度数据", "时间：最近10年", "指标,2023年,2022年", "国内生产总值(亿元),1294271.7,1234029.4",
    "年末总人口(万人),140967,141175", "数据来源：国家统计局",
], "gbk")  # fmt: skip


def book(name, rows, merged=(), title="3-1", more=None):
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for span in merged:
        sheet.merge_cells(span)
    if more:
        more(made, sheet)
    made.properties.created = made.properties.modified = datetime.datetime(2024, 1, 1)
    made.save(HERE / name)


both = [[f"{SPACED[name]} {ENGLISH[name]}", *GDP[name], *PEOPLE[name]] for name in GDP]
nation = ["全 国 National Total", 1204724.0, 1260582.1, 141175, 140967]
title = ["3-1  各地区生产总值和人口"]
book("indicator_over_year.xlsx", [
    title, [None] * 4 + ["单位：万人"],
    ["地 区\nRegion", "地区生产总值（亿元）\nGross Regional Product (100 million yuan)", None,
     "年末常住人口\nPopulation", None],
    [None, "2022年", "2023年", 2022, 2023],
    nation, ["东部地区", 622182.0, 652084.0, 56690, 56640], *both,
    ["注：1.本表按当年价格计算。"], ["资料来源：各省统计年鉴"],
], ["A1:E1", "A3:A4", "B3:C3", "D3:E3"])  # fmt: skip
book("year_over_indicator.xlsx", [
    title, ["地区", 2022, None, 2023, None], [None, "地区生产总值", "人口", "地区生产总值", "人口"],
    [None, "（亿元）", "（万人）", "（亿元）", "（万人）"], ["甲", 1, 2, 3, 4],
    *[[name, GDP[name][0], PEOPLE[name][0], GDP[name][1], PEOPLE[name][1]] for name in GDP],
], ["A1:E1", "A2:A4", "B2:C2", "D2:E2"])  # fmt: skip
book("columns_of_names.xlsx", [
    ["表2-3 主要城市地区生产总值（2023年）"], [None, None, None, "单位：亿元"],
    ["序号", "城 市", "City", "地区生产总值"],
    *[[k, name, english, CITIES[name]] for k, (name, english) in enumerate(
        zip(CITIES, ["Suzhou", "Hangzhou", "Ningbo", "Shenzhen", "Huangshan"], strict=True), 1)],
    [None, "续表", None, None], ["序号", "城 市", "City", "地区生产总值"], [6, "广东省", "Guangdong", 137905.4],
], ["A1:D1"])  # fmt: skip


def more_sheets(made, sheet):
    city, county = made.create_sheet("city"), made.create_sheet("county")
    for row in (
        ["city_code", "city_name", "year", "index_aggregate", "coverage_breadth"],
        [320500, "苏州市", 2022, 330.5, 340.1], [330100, "杭州市", 2022, 352.1, 350.2],
    ):  # fmt: skip
        city.append(row)
    for row in (
        ["county_code", "county_name", "prov_name", "city_name", "year", "index_aggregate"],
        [110105, "朝阳区", "北京市", "北京市", 2022, 130.5], [220104, "朝阳区", "吉林省", "长春市", 2022, 120.1],
        [330122, "桐庐县", "浙江省", "杭州市", 2022, 128.4],
    ):  # fmt: skip
        county.append(row)


book("finance_index.xlsx", [
    ["prov_code", "prov_name", "year", "index_aggregate", "coverage_breadth"],
    [110000, "北京市", 2022, 430.5, 400.1], [320000, "江苏省", 2022, 420.1, 410.2],
], title="province", more=more_sheets)  # fmt: skip
book("city_yearbook.xlsx", [
    ["2-1 地区生产总值和人口 (2022年)"], ["2-1 Gross Regional Product and Population"],
    ["城 市\nCity", "地区生产总值（亿元）\nGross Regional Product (100 million yuan)", None,
     "年末户籍人口（万人）\nPopulation at Year-end (10 000 persons)", None],
    [None, "全 市\nTotal City", "市辖区\nDistricts under City", "全 市\nTotal City", "市辖区\nDistricts under City"],
    ["江苏省 Jiangsu"], ["苏州市 Suzhou", 23958.3, 11000, 775, 400], ["无锡市 Wuxi", 14850.8, 8000, 515, 280],
    ["浙江省 Zhejiang"], ["杭州市 Hangzhou", 18753, 17900, 847, 730],
], ["A1:E1", "A3:A4", "B3:C3", "D3:E3"])  # fmt: skip
book("counties.xlsx", [
    ["3-12 河北省各县（市、区）主要经济指标（2022年）"], [None, None, "单位：亿元、万人"],
    ["县（市、区）", "地区生产总值\n（亿元）", "常住人口\n（万人）"],
    ["石家庄市", 7100.6, 1122], ["长安区", 700.5, 85], ["桥西区", 900.1, 95], ["正定县", 380.2, 55],
    ["邢台市", 2546.9, 702], ["桥西区", 120.5, 40], ["沙河市", 250.4, 43], ["朝阳区", 1, 2],
])  # fmt: skip


def errors(made, sheet):
    sheet["B3"], sheet["C3"] = "#DIV/0!", "=B2/2"
    sheet["B3"].data_type = "e"
    sheet["B4"] = datetime.date(2023, 12, 31)
    sheet["C5"] = True


book("errors.xlsx", [
    ["地区", "2022年GDP(亿元)", "2023年GDP(亿元)"], *[[name, *GDP[name]] for name in list(GDP)],
], more=errors)  # fmt: skip
book("dates.xlsx", [
    ["地区", datetime.date(2022, 12, 31), datetime.date(2023, 12, 31)], *[[name, *GDP[name]] for name in GDP],
])  # fmt: skip


def shares(made, sheet):
    for row in sheet["B2:B4"]:
        row[0].number_format = "0.0%"


book(
    "share_format.xlsx", [["地区", "2023年城镇化率(%)"], ["北京", 0.878], ["上海", 0.895], ["江苏", 0.75]], more=shares
)
book("sheets.xlsx", [["地区", "2023年人口(万人)"], ["北京", 2186], ["上海", 2487]], title="人口",
     more=lambda made, sheet: made.create_sheet("说明").append(["本册说明"]))  # fmt: skip
book(
    "far_away.xlsx",
    [["地区", "2023年人口(万人)"], ["北京", 2186]],
    more=lambda made, sheet: sheet.cell(1048576, 16384, 1),
)

old = xlwt.Workbook()
sheet = old.add_sheet("主要指标")
sheet.write_merge(0, 0, 0, 4, "2-1 分地区主要指标")
sheet.write(1, 4, "单位:亿元")
sheet.write_merge(2, 3, 0, 0, "地  区")
sheet.write_merge(2, 2, 1, 2, "地区生产总值")
sheet.write_merge(2, 2, 3, 4, "人口(万人)")
for c, year in enumerate((2022, 2023, "2022", "2023"), 1):
    sheet.write(3, c, year)
for r, name in enumerate(GDP, 4):
    for c, value in enumerate((SPACED[name], *GDP[name], *PEOPLE[name])):
        sheet.write(r, c, value)
sheet.write(9, 0, "注：…为缺失。")
old.save(HERE / "yearbook.xls")

old = xlwt.Workbook()
sheet = old.add_sheet("城镇化率")
shown = [xlwt.easyxf(num_format_str=form) for form in ("0.0%", "0%")]
for c, head in enumerate(["地区", "2022年城镇化率(%)", "2023年城镇化率(%)"]):
    sheet.write(0, c, head)
for r, row in enumerate([["北京", 0.878, 0.895], ["上海", 0.75, 0.12], ["江苏", 0.3, 0.125]], 1):
    sheet.write(r, 0, row[0])
    for c in (1, 2):
        sheet.write(r, c, row[c], shown[c - 1])
old.save(HERE / "share_format.xls")

old = xlwt.Workbook()
sheet = old.add_sheet("人口")
for r, row in enumerate([["地区", "2023年人口(万人)"], ["北京", 2186], ["上海", None], ["江苏", 8526]]):
    for c, value in enumerate(row):
        if value is not None:
            sheet.write(r, c, value)
sheet.row(2).set_cell_error(1, 0x2A)
old.save(HERE / "errors.xls")

long = pd.DataFrame(
    [(name, year, GDP[name][k], PEOPLE[name][k]) for name in GDP for k, year in enumerate((2022, 2023))],
    columns=["prov", "year", "gdp", "pop"],
)
labels = ["省份", "年份", "地区生产总值（亿元）", "年末常住人口（万人）"]
numbered = long.assign(prov=long["prov"].map({name: k for k, name in enumerate(GDP, 1)}))
values = {"prov": dict(enumerate(GDP, 1))}
pyreadstat.write_dta(numbered, HERE / "labels.dta", column_labels=labels, variable_value_labels=values)
pyreadstat.write_sav(numbered, HERE / "labels.sav", column_labels=labels, variable_value_labels=values)
long.set_axis(labels, axis=1).to_parquet(HERE / "wide.parquet", index=False)

"""What each scenario assumes, in English and Chinese (情景假设)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clusterlib.core.checks import listed
from clusterlib.study.scenario._slopes import FEWEST

if TYPE_CHECKING:
    from clusterlib.regions import Unit
    from clusterlib.study.scenario._borders import BorderModel
    from clusterlib.study.scenario._slopes import Slope

Sentence = tuple[str, str]

_RAISED: dict[str, Sentence] = {
    "data_management": (
        "the depth of use of digital finance, its coverage held: a proxy, of households and small firms, for use of "
        "data beyond mere record",
        "数字金融使用深度（控制覆盖广度）：以居民与小微主体的使用近似数据超出简单记录的应用",
    ),
    "co_creation": (
        "broadband subscribers, registered persons held: the connection that a shared platform needs, not the platform",
        "宽带用户（控制户籍人口）：仅为共用平台所需的接入条件，并非平台本身",
    ),
    "data_platform": (
        "goods trade: what crosses borders and is counted; data, technology and institutions that do are not",
        "货物贸易：可统计的跨境联系；数据、技术与制度的联通无从观测",
    ),
    "platforms": (
        "websites and e-commerce of enterprises, by province: platforms that the statistics know of",
        "企业网站与电子商务（省级）：统计所及的平台",
    ),
}
_MODELS: dict[str, Sentence] = {
    "nation": ("effects of cities and of each province's years", "城市效应与省份—年份效应"),
    "region": ("effects of cities and of each province's years", "城市效应与省份—年份效应"),
    "year": ("effects of cities and years", "城市效应与年份效应"),
    "lights": (
        "night lights in place of GDP, effects of cities and of each province's years",
        "以夜间灯光替代地区生产总值，城市效应与省份—年份效应",
    ),
    "neighbours": (
        "effects of cities and of each province's years, the slope of neighbours' mean added",
        "城市效应与省份—年份效应，加总邻市均值的斜率",
    ),
    "provinces": ("provinces, effects of provinces and years, controls held", "省级数据，省份与年份效应及控制变量"),
    "platforms": ("provinces, effects of provinces and years, controls held", "省级数据，省份与年份效应及控制变量"),
}


def of_slope(remedy: str, model: str, slope: Slope, step: float, cities: int) -> list[Sentence]:
    """What a remedy that moves output through a slope assumes."""
    raised = _RAISED["platforms" if model == "platforms" else remedy]
    own = slope.sample == "region"
    whose = "the region's own" if own else "the nation's"
    how = _MODELS[model]
    return [
        (
            f"Each of the region's {cities} cities rises by {step:.3g}, one standard deviation of what the nation's "
            f"slope comes from and the same for every region, in {raised[0]}",
            f"区域内{cities}个城市均提高{step:.3g}，即全国斜率所依据变异的一个标准差，各区域相同；所提高者为{raised[1]}",
        ),
        (
            f"The slope is {whose}, of {slope.units} units, with {how[0]}; a "
            f"region has its own from {FEWEST} cities on (the bound is ours)",
            f"斜率取自{'本区域' if own else '全国'}的{slope.units}个单元，含{how[1]}；"
            f"区域内城市不少于{FEWEST}个时采用自身斜率（阈值由本文设定）",
        ),
        (
            "A slope is what goes together within provinces, not what a remedy does: richer cities use more. Costs and "
            "the time until anything happens are left out",
            "斜率反映的是省内共变，并非对策的因果效应：富裕城市本就使用更多；成本与时滞均未计入",
        ),
        (
            f"The interval is that of the slope, with {slope.clusters} clusters of unlike size and {slope.df:.1f} "
            "degrees of freedom; the choice of variables is not in it",
            f"区间仅反映斜率的抽样误差（{slope.clusters}个规模不等的聚类，自由度{slope.df:.1f}），不含变量选择的不确定性",
        ),
    ]


def of_joint_targets(
    model: BorderModel, step: float, cities: int, own: bool, draws: int, missing: Sequence[Unit]
) -> list[Sentence]:
    """What joint targets assume."""
    within, across = model.params
    units = model.result.n_units
    whose = "the region's cities and their neighbours" if own else "all cities"
    return [
        (
            f"Each of {cities} cities of the region first grows by {step:g} percentage point(s) more; growth of "
            f"neighbours passes on by {within:.3f} within the province and by {across:.3f} across "
            f"its border, estimated from {whose}, "
            f"{units} in all, {model.first} to {model.year}",
            f"区域内{cities}个城市先各增长{step:g}个百分点；邻市增长的传导系数省内为{within:.3f}、"
            f"跨省为{across:.3f}，由{'本区域城市及其邻市' if own else '全部城市'}共{units}个城市"
            f"{model.first}—{model.year}年的数据估计",
        ),
        (
            "Alone: nothing crosses borders of provinces; joint: across as within. That joint gives more than alone "
            "follows wherever growth passes on within provinces: what the data decide is the gain over the present",
            "各自行动：溢出不跨省界；共同目标：跨界系数等于省内系数。只要省内溢出为正，相对各自行动的增益按构造即为正；"
            "由数据决定的是相对现状的增益",
        ),
        (
            "That one declaration, one target and one account of results would let growth pass as within a province is "
            "assumed; nobody has tried it and been measured",
            "共同申报、共背指标、共享成果能使跨省传导与省内相同，是假设而非发现；尚无可测度的实践",
        ),
        (
            f"Intervals are of {draws} draws of both coefficients; cities without a figure in some year are left out: "
            f"{listed([unit.name_en for unit in missing])}",
            f"区间由两个系数的{draws}次抽样得到；缺数城市不计入：{'、'.join(unit.name_zh for unit in missing) or '无'}",
        ),
    ]

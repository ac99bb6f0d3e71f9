"""What each scenario assumes, said in English and Chinese beside its figures (情景假设)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from clusterlib.regions import Region, Unit
from clusterlib.study._design import design
from clusterlib.study._panels import provincial_scope

Sentence = tuple[str, str]


def listed(parts: Sequence[str], separator: str = ", ") -> str:
    """Join parts, or say that there are none."""
    return separator.join(parts) if parts else "none"


def province_basis(settings: dict, years: tuple[int, int]) -> list[Sentence]:
    """What all remedies assume that run through the model of provinces."""
    first, last = years
    variant, weights = design().variants[settings["variant"]], design().weights[settings["weights"]]
    return [
        (
            "The estimates are correlations within provinces over the years, not effects of policies: the scenario "
            "says what would follow if they were effects",
            "估计值是省份内部随年份变化的相关关系，并非政策效应；情景只说明“若其为效应”将得到什么",
        ),
        (
            f"Log GDP per head follows a spatial Durbin model in {variant.en}, {first}-{last}, "
            f"neighbours by {weights.en}, rho = {settings['rho']:.3f}; the shift is one of levels, "
            "once and for all, with all feedback, at no date",
            f"对数人均GDP服从空间杜宾模型（{variant.zh}，{first}-{last}年，"
            f"{weights.zh}，rho = {settings['rho']:.3f}）；"
            "变动为一次性的水平变动，含全部反馈，不涉及时间路径",
        ),
        (
            "GDP, people, controls and the provinces outside the region stay as observed, and what the change costs is "
            "not counted",
            "地区生产总值、人口、控制变量及区域外省份保持不变，且不计改变的成本",
        ),
        _memory(settings),
        _interval_basis(
            settings, "the slopes and rho", "斜率与rho",
            "targets, measures and the choice of model", "目标、测度与模型选择",
        ),
    ]  # fmt: skip


def _memory(settings: dict) -> Sentence:
    """How errors treat the years of a province."""
    memory = f"{settings['memory']:.2f}"
    if settings["errors"] == "cluster":
        return (
            f"Residuals of a province correlate with those of its year before ({memory}); errors allow for that by "
            "a bootstrap of provinces",
            f"同一省份残差与上年残差相关（{memory}），标准误以省份聚类自助法计及",
        )
    return (
        f"Errors take the years of a province for independent, though residuals correlate with those of the year "
        f"before ({memory}): intervals are too narrow",
        f"标准误假定省内各年独立，而残差与上年相关（{memory}），区间偏窄",
    )


def _interval_basis(settings: dict, what: str, what_zh: str, left: str, left_zh: str) -> Sentence:
    level = f"{100 * settings['level']:g}"
    return (
        f"Intervals of {level} percent come from {settings['draws']} draws of {what} ({settings['rejected']} not "
        f"stable and drawn again); they do not cover {left}",
        f"{level}%区间来自{what_zh}的{settings['draws']}次抽样（另有{settings['rejected']}次因不稳定而重抽），"
        f"不含{left_zh}的不确定性",
    )


def region_scope(area: Region) -> list[Sentence]:
    """What a region stands for where its provinces do not make it up."""
    scope = provincial_scope(area)
    return [(scope.en, scope.zh)] if scope.en else []


def data_management(
    factors: pd.Series, names: pd.DataFrame, target: float, percentile: float, beyond: int
) -> list[Sentence]:
    """What closing the dormancy gap assumes."""
    raised = names.join(factors[factors > 1].rename("factor"), how="right")[["name_en", "name_zh", "factor"]]
    en = listed([f"{name} by {value:.2f}" for name, _, value in raised.itertuples(index=False)])
    zh = "、".join(f"{name}{value:.2f}倍" for _, name, value in raised.itertuples(index=False)) or "无"
    return [
        (
            f"Software, information technology services and e-commerce sales are multiplied until output efficiency is "
            f"that of percentile {percentile:g} of all provinces ({target:.2f}), infrastructure and its use as they "
            f"are: {en}",
            f"软件业务、信息技术服务与电子商务销售额按倍数提高，使产出效率达到全部省份的第{percentile:g}百分位"
            f"（{target:.2f}），基础设施及其使用不变：{zh}",
        ),
        (
            "Technology contracts are an output of data too but no part of the index: that they rise as well counts "
            f"for nothing here; {beyond} figure(s) leave the range that the index was made from",
            f"技术合同亦为数据产出但不在指数内，其提高在此不计；有{beyond}个数值超出指数的原取值范围",
        ),
    ]


def co_creation(targets: pd.Series, percentile: float) -> list[Sentence]:
    """What spreading platforms assumes."""
    websites, shops = targets
    return [
        (
            f"Provinces below percentile {percentile:g} of all provinces come up to it, in websites ({websites:.1f} "
            f"per 100 enterprises) and in enterprises with e-commerce ({shops:.1f} percent); others stay",
            f"低于全部省份第{percentile:g}百分位的省份提高到该水平：每百家企业网站数（{websites:.1f}个）与"
            f"有电子商务交易的企业占比（{shops:.1f}%）；其他省份不变",
        ),
        (
            "A platform counts through its weight in the index alone; that enterprises share it cannot be seen",
            "平台仅通过其在指数中的权重起作用；企业是否共用平台无从观测",
        ),
    ]


def data_platform(targets: tuple[float, float], percentile: float, p_value: float) -> list[Sentence]:
    """What opening links assumes."""
    trade, exports = targets
    told = p_value < 0.05
    return [
        (
            f"Provinces below percentile {percentile:g} of all provinces come up to it, in goods trade ({trade:.1f} "
            f"percent of GDP) and in software exports ({exports:.0f} USD per 10,000 yuan of software revenue)",
            f"低于全部省份第{percentile:g}百分位的省份提高到该水平：货物进出口（占GDP的{trade:.1f}%）与软件出口"
            f"（每万元软件业务收入{exports:.0f}美元）",
        ),
        (
            "Logarithms of both are regressors beside the digital index; their slopes at home and abroad are "
            f"{'told' if told else 'not told'} from zero together (p = {p_value:.3f}). Data, technology and "
            "institutions that cross borders are not in the statistics",
            f"二者的对数与数字指数同为解释变量，其本地与邻地斜率{'联合显著' if told else '联合不显著'}"
            f"（p = {p_value:.3f}）；跨区域的数据、技术与制度联系在统计中无从观测",
        ),
    ]


def joint_targets(settings: dict, cities: int, missing: Sequence[Unit]) -> list[Sentence]:
    """What joint targets assume."""
    within, across, size = settings["rho_within"], settings["rho_across"], settings["size"]
    sample = design().samples[settings["sample"]]
    return [
        (
            f"Each of {cities} cities of the region first grows by {size:g} percentage point(s) more; growth of "
            f"neighbours passes on by {within:.3f} within the province and by {across:.3f} across its border "
            f"(estimated from {settings['cities']} cities: {sample.en})",
            f"区域内{cities}个城市先各增长{size:g}个百分点；邻市增长的传导系数省内为{within:.3f}、跨省为{across:.3f}"
            f"（由{settings['cities']}个城市估计：{sample.zh}）",
        ),
        (
            "Alone: nothing crosses borders of provinces; joint: across as within. The gain of joint over alone is "
            "above zero by construction wherever the spillover within is: what the data decide is the gain over the "
            "present",
            "各自行动：溢出不跨省界；共同目标：跨界系数等于省内系数。只要省内溢出为正，共同目标相对各自行动的增益"
            "按构造即为正；由数据决定的是相对现状的增益",
        ),
        _shocks(settings),
        (
            "Cities without a figure in some year or with a jump are left out: "
            f"{listed([unit.name_en for unit in missing])}",
            f"缺数或数据跳变的城市不计入：{'、'.join(unit.name_zh for unit in missing) or '无'}",
        ),
        _interval_basis(
            settings, "the coefficients", "系数",
            "weights, shocks shared across borders and the choice of model", "权重、跨界共同冲击与模型选择",
        ),
    ]  # fmt: skip


def _shocks(settings: dict) -> Sentence:
    """How what the cities of a province share is treated."""
    if settings["shocks"]:
        share = f"{100 * settings['shock_share']:.0f}"
        return (
            f"What cities of a province share in a year, such as its policy or one statistical office, is set apart as "
            f"a shock ({share} percent of the disturbances' variance) and is no spillover; shocks that neighbours "
            "share across the border still pass for one",
            f"同省城市当年的共同变动（如省级政策或同一统计口径）作为共同冲击分离（占扰动方差的{share}%），不计为溢出；"
            "跨界共同冲击仍会被计为溢出",
        )
    return (
        "Cities of a province that grow together for a common policy or statistical office pass for a spillover within "
        "it: the spillovers, above all within provinces, are upper bounds",
        "同省城市因共同政策或统计口径而同增，被计为省内溢出：溢出（尤其省内）为上界",
    )

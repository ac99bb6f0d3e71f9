"""The three core regions, their provinces and cities, with GB/T 2260 codes (行政区划代码).

The Yangtze River Delta has the 41 cities of the State Council's 2019 outline; the Greater Bay Area the nine
Pearl River Delta cities and two special administrative regions of the 2019 outline; Beijing-Tianjin-Hebei the
two municipalities and Hebei's eleven prefecture-level cities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from unicodedata import normalize

from clusterlib.errors import UnknownNameError


@dataclass(frozen=True, order=True)
class Unit:
    """An administrative unit: GB/T 2260 code, Chinese and English name."""

    adcode: int
    name_zh: str
    name_en: str


@dataclass(frozen=True)
class Region:
    """A core region of digital industry clusters.

    Attributes
    ----------
    code : str
        ``"bth"``, ``"yrd"`` or ``"gba"``.
    name_zh, name_en, short_en : str
        Full names in Chinese and English and the English abbreviation used in figures.
    provinces : tuple of Unit
        Provincial units that the region lies in.
    cities : tuple of Unit
        Cities of the region; municipalities and special administrative regions count as one city each.
    whole_provinces : bool
        Whether the provinces make up the region exactly. False for the Greater Bay Area, which is nine of
        Guangdong's 21 cities: provincial figures are then a proxy.
    other_names : tuple of str
        What else people call it.
    """

    code: str
    name_zh: str
    name_en: str
    short_en: str
    provinces: tuple[Unit, ...]
    cities: tuple[Unit, ...]
    whole_provinces: bool
    other_names: tuple[str, ...] = ()

    def adcodes(self, level: str) -> tuple[int, ...]:
        """Return the codes of the region's units at ``level`` (``"province"`` or ``"city"``)."""
        if level == "province":
            return tuple(unit.adcode for unit in self.provinces)
        if level == "city":
            return tuple(unit.adcode for unit in self.cities)
        raise UnknownNameError("level", level, ["province", "city"])


def _units(text: str) -> tuple[Unit, ...]:
    rows = (line.split(maxsplit=2) for line in text.strip().splitlines())
    return tuple(Unit(int(code), zh, en) for code, zh, en in rows)


_BTH = Region(
    "bth",
    "京津冀",
    "Beijing-Tianjin-Hebei",
    "BTH",
    provinces=_units("110000 北京市 Beijing\n120000 天津市 Tianjin\n130000 河北省 Hebei"),
    cities=_units("""
        110000 北京市 Beijing
        120000 天津市 Tianjin
        130100 石家庄市 Shijiazhuang
        130200 唐山市 Tangshan
        130300 秦皇岛市 Qinhuangdao
        130400 邯郸市 Handan
        130500 邢台市 Xingtai
        130600 保定市 Baoding
        130700 张家口市 Zhangjiakou
        130800 承德市 Chengde
        130900 沧州市 Cangzhou
        131000 廊坊市 Langfang
        131100 衡水市 Hengshui
    """),
    whole_provinces=True,
    other_names=("Jing-Jin-Ji", "北京天津河北"),
)

_YRD = Region(
    "yrd",
    "长三角",
    "Yangtze River Delta",
    "YRD",
    provinces=_units("310000 上海市 Shanghai\n320000 江苏省 Jiangsu\n330000 浙江省 Zhejiang\n340000 安徽省 Anhui"),
    cities=_units("""
        310000 上海市 Shanghai
        320100 南京市 Nanjing
        320200 无锡市 Wuxi
        320300 徐州市 Xuzhou
        320400 常州市 Changzhou
        320500 苏州市 Suzhou (Jiangsu)
        320600 南通市 Nantong
        320700 连云港市 Lianyungang
        320800 淮安市 Huai'an
        320900 盐城市 Yancheng
        321000 扬州市 Yangzhou
        321100 镇江市 Zhenjiang
        321200 泰州市 Taizhou (Jiangsu)
        321300 宿迁市 Suqian
        330100 杭州市 Hangzhou
        330200 宁波市 Ningbo
        330300 温州市 Wenzhou
        330400 嘉兴市 Jiaxing
        330500 湖州市 Huzhou
        330600 绍兴市 Shaoxing
        330700 金华市 Jinhua
        330800 衢州市 Quzhou
        330900 舟山市 Zhoushan
        331000 台州市 Taizhou (Zhejiang)
        331100 丽水市 Lishui
        340100 合肥市 Hefei
        340200 芜湖市 Wuhu
        340300 蚌埠市 Bengbu
        340400 淮南市 Huainan
        340500 马鞍山市 Ma'anshan
        340600 淮北市 Huaibei
        340700 铜陵市 Tongling
        340800 安庆市 Anqing
        341000 黄山市 Huangshan
        341100 滁州市 Chuzhou
        341200 阜阳市 Fuyang
        341300 宿州市 Suzhou (Anhui)
        341500 六安市 Lu'an
        341600 亳州市 Bozhou
        341700 池州市 Chizhou
        341800 宣城市 Xuancheng
    """),
    whole_provinces=True,
    other_names=("长江三角洲", "Chang San Jiao", "Yangtze Delta", "Yangzi River Delta"),
)

_GBA = Region(
    "gba",
    "粤港澳大湾区",
    "Guangdong-Hong Kong-Macao Greater Bay Area",
    "GBA",
    provinces=_units("440000 广东省 Guangdong\n810000 香港特别行政区 Hong Kong\n820000 澳门特别行政区 Macao"),
    cities=_units("""
        440100 广州市 Guangzhou
        440300 深圳市 Shenzhen
        440400 珠海市 Zhuhai
        440600 佛山市 Foshan
        440700 江门市 Jiangmen
        441200 肇庆市 Zhaoqing
        441300 惠州市 Huizhou
        441900 东莞市 Dongguan
        442000 中山市 Zhongshan
        810000 香港特别行政区 Hong Kong
        820000 澳门特别行政区 Macao
    """),
    whole_provinces=False,
    other_names=("大湾区", "粤港澳", "Greater Bay Area", "Guangdong-Hong Kong-Macau Greater Bay Area", "Yue-Gang-Ao"),
)

REGIONS = MappingProxyType({region.code: region for region in (_BTH, _YRD, _GBA)})


def _plain(name: str) -> str:
    """Return a name without what people write in one way or another: case, width, hyphens, "the ... region"."""
    kept = re.sub(r"[\W_]+", " ", normalize("NFKC", name).casefold()).strip()
    return re.sub(r"^the | region$|地区$|区域$|城市群$", "", kept).replace(" ", "")


_SPELLINGS = {
    spelling: region.code
    for region in REGIONS.values()
    for spelling in (region.code, region.name_zh, region.name_en, *region.other_names)
}
_BY_PLAIN_NAME = {_plain(spelling): code for spelling, code in _SPELLINGS.items()}


def get_region(name: str | Region) -> Region:
    """Return the region of this name.

    Parameters
    ----------
    name : str or Region
        ``"bth"`` (京津冀), ``"yrd"`` (长三角) or ``"gba"`` (粤港澳大湾区), or how else people call it, in English or
        Chinese: ``"YRD"``, ``"长江三角洲"``, ``"Yangtze River Delta"``. A region is returned as it is.

    Returns
    -------
    Region

    Raises
    ------
    UnknownNameError
        If there is no such region; the message names the nearest.

    Examples
    --------
    >>> from clusterlib.regions import get_region
    >>> get_region("gba").name_zh, get_region("Greater Bay Area").code, get_region("大湾区").code
    ('粤港澳大湾区', 'gba', 'gba')
    >>> len(get_region("yrd").cities)
    41
    """
    if isinstance(name, Region):
        return name
    code = _BY_PLAIN_NAME.get(_plain(name)) if isinstance(name, str) else None
    if code is None:
        raise UnknownNameError("region", name, REGIONS, spellings=_SPELLINGS)
    return REGIONS[code]


def region_codes(names: str | Iterable[str | Region] | None = None) -> list[str]:
    """Return the codes of regions by name, each once; by default of all.

    Raises
    ------
    UnknownNameError
        As :func:`get_region`.
    """
    if names is None:
        return list(REGIONS)
    return list(dict.fromkeys(get_region(name).code for name in ([names] if isinstance(names, str) else names)))

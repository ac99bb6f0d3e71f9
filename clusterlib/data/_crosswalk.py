"""Find administrative units by name or code, of any year since 1980 (行政区划名称与代码对照)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from clusterlib.core.checks import check_choice, check_whole
from clusterlib.core.extras import extra
from clusterlib.data._load import _load, _note
from clusterlib.data._processed import read_manifest
from clusterlib.data._rules import CONTINUED, UNIT_LEVELS
from clusterlib.errors import InvalidInputError
from clusterlib.paths import get_project

# How many names are offered for one that is not known, and how alike they must be, of 100.
_OFFERED, _ALIKE = 3, 50
_MUNICIPALITIES = ("11", "12", "31", "50")
_PEOPLES = (
    "蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 "
    "柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 "
    "塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺 各"
).split()
# Peoples whose names stand without 族 in the names of some units.
_BARE = "蒙古|哈萨克|柯尔克孜|塔吉克|锡伯|维吾尔"
_AUTONOMOUS = re.compile(rf"(.+?)(?:(?:{'|'.join(_PEOPLES)})族|{_BARE})*自治([区州县旗])")
_ENDING = re.compile(r"(.+?)(?:特别行政区|省|地区|行政区|新区|林区|特区|矿区|盟|市|县|区|旗)")
# What some autonomous prefectures are called every day, which does not follow from their names.
_CUSTOMARY = {
    "巴音郭楞蒙古自治州": "巴州", "博尔塔拉蒙古自治州": "博州", "克孜勒苏柯尔克孜自治州": "克州",
    "西双版纳傣族自治州": "版纳",
}  # fmt: skip
# Kinds of units in English, with the ends of the full names of such.
_KINDS = {
    "autonomousprefecture": "自治州", "autonomousregion": "自治区", "prefecture": ("州", "地区", "盟"), "league": "盟",
    "province": "省", "municipality": "市", "city": "市", "county": "县", "district": "区", "banner": "旗",
}  # fmt: skip
_ENGLISH = re.compile(f"(.+?)({'|'.join(_KINDS)})")


class Resolved(NamedTuple):
    """What is known of one name, as :func:`resolve_units` tells it."""

    name: Any
    status: str
    code: int | None
    code_then: int | None
    level: str
    name_zh: str
    change: str
    successors: str
    nearest: str


class _Spell(NamedTuple):
    """Years in which a code stood for one name."""

    code: str
    name: str
    level: str
    first: int
    last: int
    change: str
    successors: str

    def stood(self, year: int) -> bool:
        return self.first <= year <= self.last

    @property
    def area(self) -> str:
        """What the codes of all units in it begin with."""
        return self.code[: {"province": 2, "city": 4, "county": 6}[self.level]]


def _plain(given: Any) -> str:
    """Return a name or code without spaces and in the common width, small letters for English; empty if missing."""
    if not pd.api.types.is_scalar(given) or pd.isna(given):
        return ""
    # A column of codes with a gap is one of floats.
    text = str(int(given)) if isinstance(given, float) and given.is_integer() else str(given)
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in text if not c.isspace() and c not in "'’\u200b\ufeff")


def _short_forms(name: str) -> set[str]:
    """Return what a unit is called for short, such as 延边 and 延边州, of at least two characters."""
    if found := _AUTONOMOUS.fullmatch(name):
        base, kind = found.groups()
        # 广西区 is no name of the region.
        forms = {base, f"{base}自治{kind}", base if kind == "区" else f"{base}{kind}", _CUSTOMARY.get(name, base)}
    else:
        found = _ENDING.fullmatch(name)
        forms = {found[1]} if found else set()
    return {form for form in forms if len(form) > 1} - {name}


class _Crosswalk:
    """The spells of all codes, found by name and code, and what each became."""

    def __init__(self, history: pd.DataFrame, units: pd.DataFrame) -> None:
        rows = history.drop(columns="source").itertuples(index=False)
        self.spells = [_Spell(f"{code:06d}", *rest) for code, *rest in rows]
        self.latest = int(history["last_year"].max())
        self.at = {spell.code: list[int]() for spell in self.spells}
        for k, spell in enumerate(self.spells):
            self.at[spell.code].append(k)
        # Codes that only statistics use stand in no list, such as that of Xiong'an.
        self.first = first = min(spell.first for spell in self.spells)
        for code, level, name in units[["level", "name_zh"]].itertuples():
            if f"{code:06d}" not in self.at:
                self.at[f"{code:06d}"] = [len(self.spells)]
                self.spells.append(_Spell(f"{code:06d}", name, level, first, self.latest, "", ""))
        self.then, self.before = dict[int, list[int]](), dict[int, list[int]]()
        for k, spell in enumerate(self.spells):
            codes = filter(None, spell.successors.split(";"))
            self.then[k] = [found for code in codes if (found := self.valid(code, spell.last + 1)) is not None]
            if spell.change in CONTINUED:
                self.before.setdefault(self.then[k][0], []).append(k)
        self.full, self.short = dict[str, list[int]](), dict[str, list[int]]()
        for k, spell in enumerate(self.spells):
            self.full.setdefault(_plain(spell.name), []).append(k)
            for form in _short_forms(spell.name):
                self.short.setdefault(form, []).append(k)
        for code, name in units["name_en"].items():
            whole, own = _plain(str(name)), self.at[f"{code:06d}"][-1:]
            kind = _ENGLISH.fullmatch(whole)
            if kind:
                self.short.setdefault(whole, []).extend(own)
            # In English a name is of all that bear it in Chinese.
            alike = [k for form in _short_forms(self.spells[own[0]].name) for k in self.short[form]]
            for form in {kind[1]} if kind else {whole, whole.split("(")[0]}:
                self.short.setdefault(form, []).extend(own if "(" in form else own + alike)
        self.places, self.choices = dict[str, set[str]](), dict[str, list[int]]()
        for name, k in ((name, k) for names in (self.full, self.short) for name, ks in names.items() for k in ks):
            if self.spells[k].level != "county":
                self.places.setdefault(name, set()).add(self.spells[k].area)
            if self.spells[k].last == self.latest:
                self.choices.setdefault(name, []).append(k)
        cities = {spell.code[:2] for spell in self.spells if spell.level == "city" and spell.last == self.latest}
        self.alone = {s.code for s in self.spells if s.level == "province" and s.code[:2] not in cities}

    def valid(self, code: str, year: int) -> int | None:
        """Return the spell of a code in a year."""
        return next((k for k in self.at.get(code, []) if self.spells[k].stood(year)), None)

    def path(self, k: int) -> list[int]:
        """Return a spell and those that it went on as."""
        path = [k]
        while self.spells[path[-1]].change in CONTINUED:
            path.append(self.then[path[-1]][0])
        return path

    def in_year(self, k: int, year: int) -> int | None:
        """Return the spell of the same unit in a year."""
        while self.spells[k].first > year:
            earlier = self.before.get(k, [])
            if len(earlier) != 1:
                return None
            k = earlier[0]
        return next((j for j in self.path(k) if self.spells[j].stood(year)), None)

    def today(self, k: int) -> list[str]:
        """Return the codes of today of all that a spell became part of."""
        end = self.path(k)[-1]
        if self.spells[end].last == self.latest:
            return [self.spells[end].code]
        return sorted({code for j in self.then[end] for code in self.today(j)})

    def told(self, k: int) -> str:
        """Say what happened to a spell since, such as "renamed 2010: 420600 襄阳市"."""
        steps = []
        for j in self.path(k):
            spell = self.spells[j]
            names = ", ".join(f"{self.spells[n].code} {self.spells[n].name}" for n in self.then[j])
            if spell.change:
                steps.append(f"{spell.change} {spell.last + 1}{': ' if names else ''}{names}")
        return "; ".join(steps)

    def fits(self, k: int, level: str | None) -> bool:
        """Whether a spell is of this level, or listed with cities since there is none above it."""
        spell = self.spells[k]
        return level in (None, spell.level) or (
            level == "city" and (spell.code in self.alone or spell.code[2:4] == "90")
        )

    def named(self, text: str, within: tuple[str, ...], level: str | None) -> tuple[str, list[int]]:
        """Return how a text names units, and which of this level and place."""
        if re.fullmatch("[0-9]{6}(0{6})?", text):
            code = text[:6]
            central = code[:2] in _MUNICIPALITIES and code[2:] == "0100"
            found = {"alias" if central else "exact": self.at.get(f"{code[:2]}0000" if central else code, [])}
        else:
            found = {"exact": self.full.get(text, []), "alias": self.short.get(text, [])}
            if not found["alias"] and (kind := _ENGLISH.fullmatch(text)):
                named = self.short.get(kind[1], [])
                found["alias"] = [k for k in named if self.spells[k].name.endswith(_KINDS[kind[2]])] or named
        for how, spells in found.items():
            here = [k for k in spells if not within or self.spells[k].code.startswith(within)]
            if fitting := [k for k in here if self.fits(k, level)]:
                # What lies in a place is not the place, unless nothing else there has the name.
                return how, [k for k in fitting if self.spells[k].area not in within] or fitting
        for cut in range(len(text) - 1, 1, -1):
            inside = tuple(p for p in self.places.get(text[:cut], ()) if not within or p.startswith(within))
            lower = self.named(text[cut:], inside, level)[1] if inside else []
            if lower := [k for k in lower if self.spells[k].level != "province"]:
                return "alias", lower
        return "unknown", []

    def choose(self, spells: list[int], year: int | None) -> list[int]:
        """Return one spell of each unit that may be meant: former ones only where none of today is as high."""
        when = self.latest if year is None else min(year, self.latest)
        units: dict[int, int] = {}
        for k in sorted(spells, key=lambda k: (self.spells[k].stood(when), self.spells[k].last)):
            units[self.path(k)[-1]] = k
        standing = [k for k in units.values() if self.spells[k].stood(when)]
        if not standing:
            return list(units.values())
        highest = min(UNIT_LEVELS.index(self.spells[k].level) for k in standing)
        return [k for k in units.values() if k in standing or UNIT_LEVELS.index(self.spells[k].level) < highest]

    def nearest(self, text: str, level: str | None) -> str:
        """Return the units of today whose names are most alike, for someone to choose from."""
        with extra("data"):
            from rapidfuzz import fuzz, process

        hits = process.extract(text, self.choices.keys(), scorer=fuzz.ratio, limit=None, score_cutoff=_ALIKE)
        found = dict.fromkeys(k for form, *_ in hits for k in self.choices[form] if self.fits(k, level))
        return self.listed(list(found)[:_OFFERED])

    def listed(self, spells: Iterable[int]) -> str:
        return "; ".join(f"{self.spells[k].code} {self.spells[k].name}" for k in spells)

    def row(self, given: Any, place: Any, level: str | None, year: int | None, near: bool = True) -> Resolved:
        """Return what is known of one name, with near ones if it is not known and they are wanted."""
        text, key = _plain(given), _plain(place)
        coded = {key[:2] if key.endswith("0000") else key[:4]} if re.fullmatch("[0-9]{6}", key) else {"nowhere"}
        within = tuple(self.places.get(key, coded)) if key else ()
        how, spells = self.named(text, within, level) if text else ("unknown", [])
        chosen = self.choose(spells, year) if spells else []
        if len(chosen) != 1:
            offered = self.listed(chosen) if chosen else self.nearest(text, level) if text and near else ""
            status = "ambiguous" if chosen else "unknown"
            return Resolved(given, status, None, None, "", "", "", "", offered)
        k = chosen[0]
        then = k if year is None else self.in_year(k, min(year, self.latest))
        end, start = self.path(k)[-1], k if then is None else then
        alive = self.spells[end].last == self.latest
        status = how if self.spells[k].last == self.latest else "former"
        return Resolved(
            given, status, int(self.spells[end].code) if alive else None,
            None if then is None else int(self.spells[then].code), self.spells[end if alive else k].level,
            self.spells[k].name, self.told(start), "" if alive else ";".join(self.today(k)), "",
        )  # fmt: skip


@lru_cache(maxsize=1)
def _crosswalk(folder: str, build: str) -> _Crosswalk:
    return _Crosswalk(_load("unit_history"), _load("units"))


def _listed(names: Any, what: str) -> list:
    if isinstance(names, (Mapping, pd.DataFrame, bytes)) or names is None:
        raise InvalidInputError(f"{what}: expected names or codes of units, got a {type(names).__name__}")
    return [names] if isinstance(names, str) or not isinstance(names, Iterable) else list(names)


def resolve_units(names: Any, level: str | None = None, year: int | None = None, within: Any = None) -> pd.DataFrame:
    """Find administrative units by names or codes of any year since 1980 (行政区划名称与代码对照).

    Spaces and full-width characters do not matter. A name that is not known is never guessed: it comes back with the
    names most like it, and one that more than one unit bears with all of them.

    Parameters
    ----------
    names : str, int or iterable of them
        Full names, short forms, English names of :func:`load_units` with or without their kind (Jilin City; alone they
        are of all that have the Chinese short form), former names, a name with that of its province or city before it
        (北京市朝阳区), or GB/T 2260 codes of six digits.
    level : {"province", "city", "county"}, optional
        Among cities are the municipalities, the special administrative regions and the counties directly under a
        province as well.
    year : int, optional
        The end of a year: names and codes are read as of then. Years after the last list are read by the last one.
    within : str, int or iterable of them, optional
        Name or code of the province or city that units lie in, one for all or one for each; empty ones do not matter.

    Returns
    -------
    DataFrame
        A row a name, in their order: ``name`` as given; ``status``, ``"exact"`` (code or full name), ``"alias"``,
        ``"former"`` (of no unit of today), ``"ambiguous"`` or ``"unknown"``; ``code``, the code of today if the unit
        went on under one, and missing if it was merged or divided; ``code_then``, the code in ``year``, or the last
        one of what was named; ``level``; ``name_zh``, the full name; ``change``, what happened since then, with the
        year of the first list that shows it; ``successors``, the codes of today that a unit without ``code`` became
        part of, joined by ``;``; ``nearest``, what may be meant where that is not certain.

    Raises
    ------
    InvalidInputError
        For names, a year or places of another kind, or another number of places than names.
    UnknownNameError
        For an unknown level.

    Examples
    --------
    >>> import clusterlib as cl
    >>> found = cl.data.resolve_units(["杭州", "襄樊市", "莱芜市"], level="city")
    >>> found["status"].tolist(), found["code"].tolist()
    (['alias', 'former', 'former'], [330100, 420600, <NA>])
    >>> found["change"].tolist()[1:]
    ['renamed 2010: 420600 襄阳市', 'merged 2018: 370100 济南市']
    """
    if level is not None:
        check_choice("level", level, UNIT_LEVELS)
    wanted = _listed(names, "names")
    places = [within] * len(wanted) if within is None or isinstance(within, (str, int)) else _listed(within, "within")
    if len(places) != len(wanted):
        raise InvalidInputError(
            f"within: {len(places)} places for {len(wanted)} names; give one for all or one for each"
        )
    frame = pd.DataFrame(resolve(wanted, level, year, places), columns=list(Resolved._fields))
    texts = dict.fromkeys((c for c in frame if c not in ("name", "code", "code_then")), "str")
    return frame.astype({"code": "Int64", "code_then": "Int64", **texts})


def resolve(names: list, level: str | None, year: int | None, places: Iterable, near: bool = True) -> list[Resolved]:
    """Return what is known of each name in its place; without ``near`` no name is offered for one that is not known."""
    crosswalk = _crosswalk(str(get_project().root), read_manifest()["built_at"])
    if year is not None:
        year = check_whole("year", year, crosswalk.first)
    for table in ("unit_history", "units"):
        _note(table, (), (), ())
    return [crosswalk.row(name, place, level, year, near) for name, place in zip(names, places, strict=True)]

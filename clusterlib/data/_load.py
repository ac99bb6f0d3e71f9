"""Read the processed panels, boundaries and lists, and add panels up to whole regions (区域加总)."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_whole, parse_years
from clusterlib.core.language import LANGUAGES, spoken
from clusterlib.core.places import CRS
from clusterlib.core.reads import READS_VARIABLE, Read, calling_line
from clusterlib.data._columns import KEYS, LEVELS, NATION, PANELS
from clusterlib.data._formulas import compute, formula_inputs
from clusterlib.data._own import (
    ORIGIN_COLUMNS,
    OWN,
    facts_path,
    in_shipped_run,
    own_facts,
    own_names,
    own_table,
    refuse_shipped_names,
    split_table,
)
from clusterlib.data._processed import read_manifest
from clusterlib.data._raw import rows_of
from clusterlib.errors import DataNotBuiltError, InvalidInputError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.regions import REGIONS, Region, get_region, region_of

if TYPE_CHECKING:
    import geopandas as gpd

    Years: TypeAlias = int | str | slice | range | Iterable[int] | None

BOUNDARY_LEVELS = ("province", "city")
_NOTED: ContextVar[list[str] | None] = ContextVar("noted", default=None)
_OF_A_NAME = "(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)$"
_NOT_ADDITIVE = re.compile(r"percent|index|ratio|\bper\b|/")


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    if not path.name.startswith("boundaries_"):
        return frame
    import geopandas as gpd
    import shapely

    # geopandas reads the reference system out of the file, which takes five times as long as everything else.
    shapes = shapely.from_wkb(frame["geometry"].to_numpy())
    return gpd.GeoDataFrame(frame.drop(columns="geometry"), geometry=shapes, crs=CRS)


def note_read(read: str) -> None:
    """Tell whoever wants to know, such as the run that executes this notebook, what is read and by which line.

    Raises
    ------
    InvalidInputError
        If it is of an imported indicator, and this a run without a name: its reports are passed on.
    """
    if read.startswith(OWN) and in_shipped_run():
        level, name = split_table(read.partition(" ")[0])
        raise InvalidInputError(
            f"{name!r} is an imported {level} indicator, and a run without a name writes the reports that are passed "
            "on: keep this run apart, as in `clusterlib run --name own`"
        )
    if (noted := _NOTED.get()) is not None:
        noted.append(read)
    if path := os.environ.get(READS_VARIABLE):
        with open(path, "a", encoding="utf-8") as reads:
            reads.write(f"{read} {calling_line()}\n")


def _note(table: str, columns: Iterable | None = None, units: Any = None, years: Any = None) -> None:
    # To find out which rows were returned takes longer than to return them.
    if _NOTED.get() is not None or READS_VARIABLE in os.environ:
        note_read(Read.of(table, columns, units, years).text)


def note_table(table: str) -> None:
    """Note that a table is read, whatever rows are then chosen, and though it be none."""
    _note(table, (), (), ())


@contextmanager
def noting() -> Iterator[list[str]]:
    """Collect what is read as long as the block lasts, each read in a line: see :class:`clusterlib.core.reads.Read`."""
    noted: list[str] = []
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def _load(name: str) -> Any:
    # Without a manifest a build stopped half-way: the files may be of two builds.
    read_manifest()
    note_table(name)
    path = get_project().processed / f"{name}.parquet"
    if not path.exists():
        raise DataNotBuiltError(f"data/processed/{path.name} is missing: run `make data`")
    return _read(path)


def _select_years(frame: pd.DataFrame, have: pd.Index, years: Years, what: str) -> pd.DataFrame:
    """Return the rows of the years asked for: each of a list, and at least one of a span."""
    wanted = parse_years(years)
    if wanted is None:
        return frame
    valid = sorted(have.unique())
    lacking = set(wanted) - set(valid) if isinstance(wanted, list) else set()
    chosen = have.isin(wanted) if isinstance(wanted, list) else (have >= wanted[0]) & (have <= wanted[1])
    if lacking or not chosen.any():
        hint = f"the {what} has {valid[0]}-{valid[-1]}" if valid else f"the {what} has none"
        raise UnknownNameError("year", min(lacking, default=years), valid, hint)
    return frame[chosen]


def _select_kind(frame: pd.DataFrame, column: str, kind: str | None) -> pd.DataFrame:
    """Return the rows of one kind of a list, or all."""
    if kind is None:
        return frame
    check_choice(column, kind, sorted(frame[column].unique()))
    return frame[frame[column] == kind]


def _check_names(indicators: str | Iterable[str], catalogue: Iterable[Hashable], level: str) -> list[str]:
    names = as_names(indicators, "indicators")
    for name in names:
        check_choice(f"{level} indicator", name, catalogue)
    if not names or len(set(names)) < len(names):
        raise InvalidInputError(f"indicators: expected names, each once, got {', '.join(names) or 'none'}")
    return names


def load_panel(
    level: str,
    indicators: str | Iterable[str] | None = None,
    region: str | Region | None = None,
    years: Years = None,
) -> pd.DataFrame:
    """Load a panel of indicators (指标面板).

    Parameters
    ----------
    level : {"province", "city", "county", "economy"}
        Provinces (31 in the mainland), cities (about 300, whole-city scope), county-level cities (about 400, four
        years) or economies of the World Bank.
    indicators : str or list of str, optional
        Names from :func:`indicator_catalogue`, raw or derived, by default all; or, where they are named, from
        :func:`own_indicators`, alone or filling up the shipped indicator of the same meaning, as that catalogue says.
    region : str or Region, optional
        Only this region's units, such as ``"yrd"``: see :func:`clusterlib.regions.get_region`. At the province level
        the Greater Bay Area is Guangdong as a whole: no provincial table covers Hong Kong and Macao.
    years : int, str, slice or list, optional
        ``2020``, ``"2018:2023"``, ``slice(2018, 2023)`` (both ends included) or a list of years.

    Returns
    -------
    DataFrame
        Indexed by (adcode, year), or (economy, year); one float column an indicator, in the catalogue's units.
        Rows in which every indicator asked for is missing are left out; nothing is interpolated. A notebook shows the
        names of units beside their codes, of this frame and of those made from it.

    Raises
    ------
    UnknownNameError
        For an unknown level, indicator, region or year, with the nearest valid names.
    InvalidInputError
        For indicators or years of another kind, an indicator given twice, or an imported one in a run without a name.
    OwnDataError
        With line and column of what is wrong with an imported indicator.
    DataNotBuiltError
        If the processed data are missing.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.data.load_panel("province", ["gdp", "software_revenue_share"], region="yrd", years="2022:2023")
    >>> panel.shape
    (8, 2)
    """
    check_choice("level", level, PANELS)
    _show_names()
    panel = _load(level)
    read: dict[str, list[str] | None] = {level: None}
    if indicators is not None:
        panel, chosen = _choose(panel, as_names(indicators, "indicators"), level)
        read = {**chosen}
    if region is not None:
        panel = panel[_inside(panel.index.get_level_values(0), get_region(region), level)]
    # Years that have no figure of these indicators are unknown years, not empty answers.
    panel = panel.dropna(how="all")
    panel = _select_years(panel, panel.index.get_level_values("year"), years, "panel")
    for table, columns in read.items():
        _note(table, columns, None if region is None else panel.index.unique(0), panel.index.unique("year"))
    return panel


def _choose(panel: pd.DataFrame, names: list[str], level: str) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Return the columns of these names, imported ones among them, and what is read of which table."""
    unheard = [name for name in names if name not in panel.columns]
    imported = own_names(level) if unheard else []
    _check_names(names, [*panel.columns, *imported], level)
    refuse_shipped_names(level, [name for name in names if name not in unheard])
    if not unheard:
        return panel[names], {level: names}
    columns, shipped = {}, [name for name in names if name not in unheard]
    for name in unheard:
        columns[name], same = _own_column(panel, level, name)
        shipped += [same] if same and same not in shipped else []
    found = pd.concat({name: columns.get(name, panel.get(name)) for name in names}, axis=1).sort_index()
    return found, {**({level: shipped} if shipped else {}), **{own_table(level, name): [name] for name in unheard}}


def _own_column(panel: pd.DataFrame, level: str, name: str) -> tuple[pd.Series, str]:
    """Return an imported indicator, and the name of the shipped one that it is put together with, or nothing."""
    note_table(own_table(level, name))
    facts = own_facts(level, name)
    entry, own = facts.attrs, facts.set_index([*KEYS[level], "year"])["value"]
    # Frames that have been put together need not say it of all their columns.
    own.attrs = {}
    if entry["precedence"] == "alone":
        return own, ""
    shipped = panel[entry["same_as"]]
    first, second = (own, shipped) if entry["precedence"] == "own" else (shipped, own)
    return first.combine_first(second), entry["same_as"]


def _inside(codes: pd.Index, region: Region, level: str) -> Any:
    """Which units lie in a region; a county-level city lies where the city does that its code begins with."""
    if level != "county":
        return codes.isin(region.adcodes(level))
    whole = region.whole_provinces & (codes // 10_000 * 10_000).isin(region.adcodes("province"))
    return whole | (codes // 100 * 100).isin(region.adcodes("city"))


def load_pairs(
    indicators: str | Iterable[str] | None = None, region: str | Region | None = None, year: int | None = None
) -> pd.DataFrame:
    """Load what was measured between pairs of cities (城市对), such as direct trains.

    Parameters
    ----------
    indicators : str or list of str, optional
        Names from ``indicator_catalogue("pair")``; by default all.
    region : str or Region, optional
        Only pairs of which both cities lie in this region.
    year : int, optional
        By default the latest.

    Returns
    -------
    DataFrame
        Indexed by (adcode_from, adcode_to), directed; one float column an indicator. A pair that is missing was not
        seen and is not a pair with nought.

    Raises
    ------
    UnknownNameError
        For an unknown indicator, region or year, with the nearest valid names.
    InvalidInputError
        For indicators or a year of another kind, or an indicator given twice.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.data.load_pairs("direct_trains", region="bth").loc[(110000, 120000), "direct_trains"]
    np.float64(200.0)
    """
    pairs = _load("pair")
    if indicators is not None:
        pairs = pairs[_check_names(indicators, pairs.columns, "pair")]
    pairs = pairs.dropna(how="all")
    years = pairs.index.get_level_values("year")
    wanted = years.max() if year is None else check_whole("year", year)
    pairs, units = _select_years(pairs, years, wanted, "table of pairs").droplevel("year"), None
    if region is not None:
        own = get_region(region).adcodes("city")
        pairs = pairs[pairs.index.get_level_values(0).isin(own) & pairs.index.get_level_values(1).isin(own)]
        units = pairs.index.unique(0).union(pairs.index.unique(1))
    _note("pair", None if indicators is None else pairs.columns, units, [wanted])
    return pairs


def _show_names() -> None:
    """Have IPython, if it runs this, set the names of units beside their codes in the frames that it shows."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and getattr(shell, "display_formatter", None) is not None:
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, _named_html)


def _named_html(frame: pd.DataFrame) -> str | None:
    level = next((name for name in ("adcode", "economy") if name in frame.index.names), None)
    if level is not None:
        names = (load_units("economy") if level == "economy" else load_units())["name_zh"].to_dict()
        codes = frame.index.unique(level)
        names = names if codes.isin(list(names)).all() else {**_former_names().to_dict(), **names}
        named = {code: f"{code} {names[code]}" if code in names else code for code in codes}
        frame = frame.rename(index=named, level=level) if frame.index.nlevels > 1 else frame.rename(index=named)
    return frame._repr_html_()  # type: ignore[operator]


def indicator_catalogue(level: str | None = None) -> pd.DataFrame:
    """Load the catalogue of indicators (指标目录): names, units, definitions, sources, years, vintages, breaks.

    Those that were imported have their own: :func:`own_indicators`.

    Parameters
    ----------
    level : {"province", "city", "county", "economy", "pair"}, optional
        Only this level; the result is then indexed by indicator, else by (level, indicator).

    Returns
    -------
    DataFrame

    Raises
    ------
    UnknownNameError
        If there is no such level.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.data.indicator_catalogue("province").loc["gdp", "unit"]
    '1e8 yuan'
    """
    catalogue = _load("catalogue")
    found = catalogue if level is None else rows_of(catalogue, check_choice("level", level, LEVELS))
    _note("catalogue", None if level is None else [level])
    return found


def load_units(level: str | None = None) -> pd.DataFrame:
    """Load the names of administrative units (行政区划) or, for ``"economy"``, of economies, indexed by code.

    Raises
    ------
    UnknownNameError
        If there is no such level.
    """
    units = _load("units")
    check_choice("level", level, [None, *sorted(units["level"].unique()), "economy"])
    if level == "economy":
        _note("economies")
        return _load("economies")
    _note("units", None if level is None else [level])
    return _select_kind(units, "level", level)


def unit_names(level: str | None = None, language: str | None = None, former: bool = False) -> pd.Series:
    """Return the short names of units or economies by code: without 省, 市 or 自治区, as figures and tables set them.

    Parameters
    ----------
    level : {"province", "city", "county", "economy"}, optional
        By default all units, without economies.
    language : {"en", "zh"}, optional
        By default the one that figures and tables are being drawn in.
    former : bool
        Also units that no shipped figure is of, such as most counties, and those that are no more, by their last name
        since 1980. They have none in English: there their code stands for them.

    Returns
    -------
    Series

    Raises
    ------
    UnknownNameError
        If there is no such level or language.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.data.unit_names(language="zh")[[150000, 330100, 810000]].tolist()
    ['内蒙古', '杭州', '香港']
    >>> cl.data.unit_names("county", "zh", former=True)[[130123, 130181]].tolist()
    ['正定县', '辛集']
    """
    language = check_choice("language", spoken() if language is None else language, LANGUAGES)
    names = load_units(level)[f"name_{language}"].rename("name")
    if former and level != "economy":
        others = _former_names(level)
        others = others[~others.index.isin(names.index)]
        names = pd.concat([names, others if language == "zh" else others.index.to_series().astype("str")]).sort_index()
    return names.str.replace(_OF_A_NAME, "", regex=True) if language == "zh" and level != "economy" else names


def _former_names(level: str | None = None) -> pd.Series:
    """Return the last full name in Chinese of each code of a level since 1980."""
    history = _load("unit_history")
    _note("unit_history", None if level is None else [level])
    history = history if level is None else history[history["level"] == level]
    return history.sort_values("last_year").drop_duplicates("adcode", keep="last").set_index("adcode")["name_zh"]


def load_boundaries(level: str, region: str | Region | None = None) -> gpd.GeoDataFrame:
    """Load administrative boundaries (行政区划边界).

    Parameters
    ----------
    level : {"province", "city"}
        34 provincial units, or prefectures and the units that rank with them. Municipalities and special
        administrative regions stand in both, as in the lists of :mod:`clusterlib.regions`.
    region : str or Region, optional
        Only this region's units.

    Returns
    -------
    GeoDataFrame
        Indexed by adcode with ``name_zh``, ``name_en``, ``province`` and ``geometry`` in EPSG:4326 (degrees:
        project before measuring); ``attrs`` holds the source and the map approval number (审图号).

    Raises
    ------
    UnknownNameError
        For an unknown level or region.
    """
    check_choice("boundary level", level, BOUNDARY_LEVELS)
    frame = _load(f"boundaries_{level}")
    if region is not None:
        frame = frame.loc[list(get_region(region).adcodes(level))]
    _note(f"boundaries_{level}", None, None if region is None else frame.index)
    frame.attrs.update(read_manifest()["boundaries"])
    return frame


def load_national_line() -> gpd.GeoDataFrame:
    """Load the dash line in the South China Sea (南海断续线) that maps of the whole of China must show."""
    _note("boundaries_line")
    return _load("boundaries_line")


def load_clusters(programme: str | None = None, years: Years = None) -> pd.DataFrame:
    """Load the lists of industrial clusters (产业集群), indexed by ``cluster_id``.

    Parameters
    ----------
    programme : str, optional
        One programme, such as ``"national_advanced_manufacturing"`` (国家先进制造业集群).
    years : int, str, slice or list, optional
        Years of announcement. Shares are counted on the 45 national clusters of ``"2021:2022"``: later lists are
        incomplete.

    Returns
    -------
    DataFrame
        With ``region``, the code of the region that all lead cities lie in or an empty text; ``digital``, ``"yes"``,
        ``"doubtful"`` or ``"no"``, and ``digital_class`` by the rule of :func:`clusterlib.data.digital_of`; and
        ``confirmed`` telling whether the name was checked against a publication.

    Raises
    ------
    UnknownNameError
        If there is no such programme, or nothing was announced in these years.
    """
    from clusterlib.data._digital_fields import digital_of

    clusters = _select_kind(_load("clusters"), "programme", programme)
    clusters = _select_years(clusters, pd.Index(clusters["year"]), years, "list")
    _note("clusters", None if programme is None else [programme], None, clusters["year"])
    found = [{region_of(int(code)) for code in str(codes).split(";")} for codes in clusters["adcodes"]]
    regions = [codes.pop() if len(codes) == 1 else "" for codes in found]
    clusters.insert(list(clusters.columns).index("provinces") + 1, "region", pd.Series(regions, clusters.index, "str"))
    clusters[["digital", "digital_class"]] = digital_of(clusters["name_zh"])
    return clusters


def load_policies(policy: str | None = None) -> pd.DataFrame:
    """Load the lists of pilot places of policies (试点政策), a row for each place.

    Parameters
    ----------
    policy : str, optional
        One policy, such as ``"broadband_china"`` (宽带中国).

    Returns
    -------
    DataFrame
        With ``region``, the code of the region that the place lies in or an empty text. Rows of ``level == "county"``
        are not prefectures, do not belong in a panel of cities and have no region.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    """
    policies = _select_kind(_load("policies"), "policy", policy).reset_index(drop=True)
    _note("policies", None if policy is None else [policy])
    regions = policies["adcode"].map(region_of).where(policies["level"] != "county", "")
    policies.insert(list(policies.columns).index("announced") + 1, "region", regions.astype("str"))
    if (policies["policy"] == "smart_city_pilot").all():
        warnings.warn("the list of smart-city pilots is partial: do not use it as a treatment", stacklevel=2)
    return policies


def load_cluster_counts(programme: str | None = None) -> pd.DataFrame:
    """Load published numbers of clusters (集群公布数), which tell how complete the lists of clusters are.

    Parameters
    ----------
    programme : str, optional
        One programme of :func:`clusterlib.data.load_clusters`.

    Returns
    -------
    DataFrame
        A row for each ``programme``, ``year``, ``part`` and ``scope``: ``part`` is ``total`` for all that stood at the
        end of the year, ``batch`` for those announced in it, ``provinces`` for how many provinces have one, or what
        the programme sets apart; ``scope`` is ``nation`` or adcodes joined by ``;``.

    Raises
    ------
    UnknownNameError
        If there is no such programme.

    Examples
    --------
    >>> import clusterlib as cl
    >>> counts = cl.data.load_cluster_counts("strategic_emerging_industry")
    >>> int(counts.query("part == 'total' and scope == 'nation'")["count"].iloc[0])
    66
    """
    counts = _select_kind(_load("cluster_counts"), "programme", programme).reset_index(drop=True)
    _note("cluster_counts", None if programme is None else [programme])
    return counts


def consistent_units(years: Years) -> pd.DataFrame:
    """Tell which cities kept their boundaries over a span of years (行政区划可比的城市).

    Changes are those of whole prefectures and of whole counties between two prefectures in
    ``data/raw/boundary_changes.csv``; towns that changed hands are not listed. Nothing is followed across a change:
    each city that gave or took area is marked.

    Parameters
    ----------
    years : int, str, slice or list
        The span, as in :func:`clusterlib.data.load_panel`: a change counts if its year, the first whose figures have
        the new area, comes after the first year of the span and not after the last.

    Returns
    -------
    DataFrame
        Indexed by adcode, every unit of the panel of cities: ``consistent``, and ``note_en`` and ``note_zh`` saying why
        not.

    Raises
    ------
    InvalidInputError
        For years of another kind.

    Examples
    --------
    >>> import clusterlib as cl
    >>> cl.data.consistent_units("2012:2020").query("not consistent").index.tolist()[-2:]
    [510100, 512000]
    """
    wanted = parse_years(years)
    if not wanted:
        raise InvalidInputError("years: expected the first and the last year, such as '2010:2020'")
    first, last = min(wanted), max(wanted)
    changes = _load("boundary_changes")
    crossed = changes[(changes["kind"] != "renamed") & (changes["year"] > first) & (changes["year"] <= last)]
    _note("boundary_changes", sorted(crossed["kind"].unique()), None, crossed["year"])
    notes = pd.concat([crossed.set_index(key)[["note_en", "note_zh"]] for key in KEYS["pair"]])
    joined = {"note_en": "; ", "note_zh": "；"}
    notes = notes.groupby(level=0).agg(
        {name: lambda told, by=by: by.join(dict.fromkeys(told)) for name, by in joined.items()}
    )
    units = _load("city").index.unique("adcode")
    told = notes.reindex(units).rename_axis("adcode")
    return told.fillna("").assign(consistent=told["note_en"].isna())[["consistent", "note_en", "note_zh"]]


def trace(level: str, code: int | str | tuple, year: int | str, indicator: str) -> pd.DataFrame:
    """Return the raw facts behind one cell of a panel: file, line, value, unit and source of each.

    Parameters
    ----------
    level : {"province", "city", "county", "economy", "pair"}
    code : int or str, or a pair of int
        The unit's adcode, an economy's ISO code, or the adcodes of the cities of a pair.
    year : int
    indicator : str
        Raw or derived, or imported; a derived one is traced to the inputs of its formula.

    Returns
    -------
    DataFrame
        One row a raw fact, empty if the figure is missing. That of an imported indicator also has ``original``,
        ``sheet``, ``row`` and ``column`` of the file that it was imported from.

    Raises
    ------
    InvalidInputError
        For a code or year of another kind, or an imported indicator in a run without a name.
    OwnDataError
        With line and column of what is wrong with an imported indicator.
    UnknownNameError
        For an unknown level, unit, year or indicator.

    Examples
    --------
    >>> import clusterlib as cl
    >>> list(cl.data.trace("province", 110000, 2022, "software_revenue_share")["indicator"])
    ['gdp', 'software_revenue']
    """
    catalogue, panel = indicator_catalogue(level), _load(level)
    imported = own_names(level) if isinstance(indicator, str) and indicator not in catalogue.index else []
    check_choice(f"{level} indicator", indicator, [*catalogue.index, *imported])
    same, index = indicator, panel.index
    if imported:
        column, same = _own_column(panel, level, indicator)
        index = index.union(column.index)
    period, keys = index.unique("year"), KEYS[level]
    codes = list(code) if isinstance(code, tuple) else [code]
    if len(codes) != len(keys):
        raise InvalidInputError(f"code: expected {', '.join(keys)}, got {code!r}")
    for k, key in enumerate(keys):
        unit = index.unique(key)
        if level != "economy":
            text = codes[k]
            codes[k] = int(text) if isinstance(text, str) and text.isdecimal() else check_whole("code", text)
        if not isinstance(codes[k], (int, str)) or codes[k] not in unit:
            raise UnknownNameError(f"{level} code", codes[k], unit)
    year = int(year) if isinstance(year, str) and year.isdecimal() else check_whole("year", year)
    check_choice("year", year, period.sort_values().tolist(), f"the panel has {period.min()}-{period.max()}")
    columns = ["indicator", "value", "unit", "source", "file", "line"]
    if imported:
        _note(own_table(level, indicator), [indicator], codes, [year])
        facts = own_facts(level, indicator).reset_index()
        precedence = facts.attrs["precedence"]
        rows = facts[(facts[keys] == codes).all(axis=1) & (facts["year"] == year)]
        shipped = same and pd.notna(panel[same].get((*codes, year)))
        if not shipped or (len(rows) and precedence == "own"):
            file = facts_path(get_project(), level, indicator).relative_to(get_project().root).as_posix()
            return rows.assign(file=file)[[*columns, *ORIGIN_COLUMNS]].reset_index(drop=True)
    inputs = formula_inputs(str(catalogue.loc[same, "formula"])) or [same]
    facts = _load(f"{level}_facts")
    _note(level, [same], codes, [year])
    rows = facts[(facts[keys] == codes).all(axis=1) & (facts["year"] == year) & facts["indicator"].isin(inputs)]
    return rows[columns].reset_index(drop=True)


def load_region_totals(indicators: str | Iterable[str], years: Years = None) -> pd.DataFrame:
    """Load provincial indicators for the core regions and the nation as wholes.

    Amounts are summed over provinces; an indicator with a formula is computed from the sums of its inputs, so that a
    region's ratio is that of its totals and not a mean of ratios. The nation is the sum of the 31 provinces of the
    mainland that have a figure, missing where less than two thirds of them have one. The Greater Bay Area stands for
    the whole of Guangdong.

    Parameters
    ----------
    indicators : str or list of str
        Amounts, or indicators with a formula of amounts.
    years : int, str, slice or list, optional
        As in :func:`clusterlib.data.load_panel`.

    Returns
    -------
    DataFrame
        Indexed by (region, year), ``region`` a region's code or ``nation``; a region's figure is
        missing where one of its provinces has none.

    Raises
    ------
    InvalidInputError
        For an indicator that cannot be added up, such as an index, or that was imported.
    UnknownNameError
        For an unknown indicator or year.
    """
    catalogue, names = indicator_catalogue("province"), as_names(indicators, "indicators")
    unheard = [name for name in names if name not in catalogue.index]
    if imported := [name for name in own_names("province") if name in unheard] if unheard else []:
        reason = "is imported, and nobody knows whether it can be added up: load it with load_panel and add it up there"
        raise InvalidInputError(f"{imported[0]!r} {reason}")
    _check_names(names, catalogue.index, "province")
    formulas = {name: str(catalogue.loc[name, "formula"]) for name in names}
    needed = list(dict.fromkeys(raw for name in names for raw in formula_inputs(formulas[name]) or [name]))
    for raw in needed:
        unit = str(catalogue.loc[raw, "unit"])
        if _NOT_ADDITIVE.search(unit):
            raise InvalidInputError(f"{raw!r} ({unit}) cannot be added up over provinces; choose amounts")
    panel = load_panel("province", needed, years=years)
    # Not of these indicators alone: a province without any figure of one would not be missed.
    covered = _load("province").dropna(how="all").index.unique("adcode")
    groups = {code: covered[covered.isin(region.adcodes("province"))] for code, region in REGIONS.items()}
    groups[NATION] = covered
    totals = pd.concat({code: _sum(panel, codes, code != NATION) for code, codes in groups.items()}, names=["region"])
    return pd.DataFrame({n: compute(formula, totals) if formula else totals[n] for n, formula in formulas.items()})


def _sum(panel: pd.DataFrame, codes: pd.Index, complete: bool) -> pd.DataFrame:
    part = panel[panel.index.get_level_values("adcode").isin(codes)].groupby(level="year")
    return part.sum(min_count=len(codes) if complete else 2 * len(codes) // 3)

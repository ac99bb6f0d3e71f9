"""Read the processed panels, boundaries and lists."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clusterlib.core.checks import parse_years
from clusterlib.data._assemble import formula_inputs
from clusterlib.data._catalogue import LEVELS
from clusterlib.data._processed import read_manifest
from clusterlib.data._raw import KEYS
from clusterlib.errors import DataNotBuiltError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.regions import Region, get_region

if TYPE_CHECKING:
    import geopandas as gpd

BOUNDARY_LEVELS = ("province", "city")
READS_VARIABLE = "CLUSTERLIB_READS"


@lru_cache(maxsize=32)
def _read(path: Path, modified: int, spatial: bool) -> pd.DataFrame:
    if spatial:
        import geopandas as gpd

        return gpd.read_parquet(path)
    return pd.read_parquet(path)


def _note_read(name: str) -> None:
    """Tell the run that executes this notebook, if one does, which table it reads."""
    if path := os.environ.get(READS_VARIABLE):
        with open(path, "a", encoding="utf-8") as reads:
            reads.write(f"{name}\n")


def _load(name: str, spatial: bool = False) -> pd.DataFrame:
    # Without a manifest a build stopped half-way: the files may be of two builds.
    read_manifest()
    _note_read(name)
    path = get_project().processed / f"{name}.parquet"
    if not path.exists():
        raise DataNotBuiltError(f"data/processed/{path.name} is missing: run `make data`")
    return _read(path, path.stat().st_mtime_ns, spatial).copy()


def _region(region: str | Region | None) -> Region | None:
    return get_region(region) if isinstance(region, str) else region


def _select_years(panel: pd.DataFrame, years) -> pd.DataFrame:
    wanted = parse_years(years)
    if wanted is None:
        return panel
    have = panel.index.get_level_values("year")
    valid = sorted(have.unique())
    if isinstance(wanted, list):
        unknown = [year for year in wanted if year not in set(valid)]
        if unknown:
            hint = f"the panel has {valid[0]}-{valid[-1]}"
            raise UnknownNameError("year", unknown[0], valid, hint)
        return panel[have.isin(wanted)]
    selected = panel[(have >= wanted[0]) & (have <= wanted[1])]
    if selected.empty:
        raise UnknownNameError("year", years, valid, f"the panel has {valid[0]}-{valid[-1]}")
    return selected


def load_panel(level: str, indicators=None, region: str | Region | None = None, years=None) -> pd.DataFrame:
    """Load a panel of indicators (指标面板).

    Parameters
    ----------
    level : {"province", "city", "economy"}
        Provinces (31 in the mainland), cities (about 300, whole-city scope) or economies of the World Bank.
    indicators : str or list of str, optional
        Names from :func:`indicator_catalogue`, raw or derived; by default all.
    region : {"bth", "yrd", "gba"} or Region, optional
        Only this region's units. At the province level ``"gba"`` is Guangdong as a whole: no provincial table
        covers Hong Kong and Macao.
    years : int, str, slice or list, optional
        ``2020``, ``"2018:2023"``, ``slice(2018, 2023)`` (both ends included) or a list of years.

    Returns
    -------
    DataFrame
        Indexed by (adcode, year), or (economy, year); one float column an indicator, in the catalogue's units.
        Rows in which every indicator asked for is missing are left out; nothing is interpolated.

    Raises
    ------
    UnknownNameError
        For an unknown level, indicator, region or year, with the nearest valid names.
    DataNotBuiltError
        If the processed data are missing.

    Examples
    --------
    >>> import clusterlib as cl
    >>> panel = cl.data.load_panel("province", ["gdp", "software_revenue_share"], region="yrd", years="2022:2023")
    >>> panel.shape
    (8, 2)
    """
    if level not in LEVELS:
        raise UnknownNameError("level", level, LEVELS)
    panel = _load(level)
    if indicators is not None:
        names = [indicators] if isinstance(indicators, str) else list(indicators)
        for name in names:
            if name not in panel.columns:
                raise UnknownNameError(f"{level} indicator", name, panel.columns)
        panel = panel[names]
    region = _region(region)
    if region is not None:
        panel = panel[panel.index.get_level_values(0).isin(region.adcodes(level))]
    # Years that have no figure of these indicators are unknown years, not empty answers.
    return _select_years(panel.dropna(how="all"), years)


def indicator_catalogue(level: str | None = None) -> pd.DataFrame:
    """Load the catalogue of indicators (指标目录): names, units, definitions, sources, years, vintages, breaks.

    Parameters
    ----------
    level : {"province", "city", "economy"}, optional
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
    if level is None:
        return catalogue
    if level not in LEVELS:
        raise UnknownNameError("level", level, LEVELS)
    return catalogue.loc[level]


def load_sources() -> pd.DataFrame:
    """Load the sources (资料来源) of the raw figures, indexed by their key."""
    return _load("sources")


def load_units(level: str | None = None) -> pd.DataFrame:
    """Load the names of administrative units (行政区划) or, for ``"economy"``, of economies, indexed by code.

    Raises
    ------
    UnknownNameError
        If there is no such level.
    """
    if level == "economy":
        return _load("economies")
    units = _load("units")
    if level is None:
        return units
    levels = sorted(units["level"].unique())
    if level not in levels:
        raise UnknownNameError("level", level, [*levels, "economy"])
    return units[units["level"] == level]


def load_boundaries(level: str, region: str | Region | None = None) -> gpd.GeoDataFrame:
    """Load administrative boundaries (行政区划边界).

    Parameters
    ----------
    level : {"province", "city"}
        34 provincial units, or prefectures and the units that rank with them. Municipalities and special
        administrative regions stand in both, as in the lists of :mod:`clusterlib.regions`.
    region : {"bth", "yrd", "gba"} or Region, optional
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
    if level not in BOUNDARY_LEVELS:
        raise UnknownNameError("boundary level", level, BOUNDARY_LEVELS)
    frame = _load(f"boundaries_{level}", spatial=True)
    region = _region(region)
    if region is not None:
        frame = frame.loc[list(region.adcodes(level))]
    frame.attrs.update(read_manifest()["boundaries"])
    return frame


def load_national_line() -> gpd.GeoDataFrame:
    """Load the dash line in the South China Sea (南海断续线) that maps of the whole of China must show."""
    return _load("boundaries_line", spatial=True)


def load_clusters(programme: str | None = None, years=None) -> pd.DataFrame:
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
        With ``confirmed`` telling whether the name was checked against a publication.

    Raises
    ------
    UnknownNameError
        If there is no such programme.
    """
    clusters = _load("clusters")
    if programme is not None:
        programmes = sorted(clusters["programme"].unique())
        if programme not in programmes:
            raise UnknownNameError("programme", programme, programmes)
        clusters = clusters[clusters["programme"] == programme]
    wanted = parse_years(years)
    if isinstance(wanted, tuple):
        clusters = clusters[clusters["year"].between(*wanted)]
    elif wanted is not None:
        clusters = clusters[clusters["year"].isin(wanted)]
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
        Rows of ``level == "county"`` are not prefectures and do not belong in a panel of cities.

    Raises
    ------
    UnknownNameError
        If there is no such policy.
    """
    policies = _load("policies")
    if policy is not None:
        names = sorted(policies["policy"].unique())
        if policy not in names:
            raise UnknownNameError("policy", policy, names)
        policies = policies[policies["policy"] == policy].reset_index(drop=True)
    if (policies["policy"] == "smart_city_pilot").all():
        warnings.warn("the list of smart-city pilots is partial: do not use it as a treatment", stacklevel=2)
    return policies


def trace(level: str, code: int | str, year: int, indicator: str) -> pd.DataFrame:
    """Return the raw facts behind one cell of a panel: file, line, value, unit and source of each.

    Parameters
    ----------
    level : {"province", "city", "economy"}
    code : int or str
        The unit's adcode, or an economy's ISO code.
    year : int
    indicator : str
        Raw or derived; a derived one is traced to the inputs of its formula.

    Returns
    -------
    DataFrame
        One row a raw fact, empty if the figure is missing.

    Raises
    ------
    UnknownNameError
        For an unknown level or indicator.

    Examples
    --------
    >>> import clusterlib as cl
    >>> list(cl.data.trace("province", 110000, 2022, "software_revenue_share")["indicator"])
    ['gdp', 'software_revenue']
    """
    catalogue = indicator_catalogue(level)
    if indicator not in catalogue.index:
        raise UnknownNameError(f"{level} indicator", indicator, catalogue.index)
    inputs = formula_inputs(catalogue.loc[indicator, "formula"]) or [indicator]
    facts = _load(f"{level}_facts")
    rows = facts[(facts[KEYS[level]] == code) & (facts["year"] == year) & facts["indicator"].isin(inputs)]
    return rows[["indicator", "value", "unit", "source", "file", "line"]].reset_index(drop=True)

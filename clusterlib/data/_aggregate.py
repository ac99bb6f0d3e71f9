"""Indicators of whole regions: amounts are added up, ratios are computed from the sums (区域加总)."""

from __future__ import annotations

import re

import pandas as pd

from clusterlib.data._assemble import formula_inputs
from clusterlib.data._load import indicator_catalogue, load_panel
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.regions import REGIONS

NATION = "nation"
_NOT_ADDITIVE = re.compile(r"percent|index|ratio|\bper\b|/")


def load_region_totals(indicators, years=None) -> pd.DataFrame:
    """Load provincial indicators for the three regions and the nation as wholes.

    Amounts are summed over provinces; an indicator with a formula is computed from the sums of its inputs, so that a
    region's ratio is that of its totals and not a mean of ratios. The nation is the sum of the 31 provinces of the
    mainland that have a figure. The Greater Bay Area stands for the whole of Guangdong.

    Parameters
    ----------
    indicators : str or list of str
        Amounts, or indicators with a formula of amounts.
    years : int, str, slice or list, optional
        As in :func:`clusterlib.data.load_panel`.

    Returns
    -------
    DataFrame
        Indexed by (region, year), ``region`` one of ``bth``, ``yrd``, ``gba``, ``nation``; a region's figure is
        missing where one of its provinces has none.

    Raises
    ------
    InvalidInputError
        For an indicator that cannot be added up, such as an index.
    UnknownNameError
        For an unknown indicator or year.
    """
    names = [indicators] if isinstance(indicators, str) else list(indicators)
    catalogue = indicator_catalogue("province")
    needed = _inputs(names, catalogue)
    panel = load_panel("province", needed, years=years)
    # Not of these indicators alone: a province without any figure of one would not be missed.
    covered = load_panel("province").index.unique("adcode")
    groups = {code: covered.intersection(region.adcodes("province")) for code, region in REGIONS.items()}
    groups[NATION] = covered
    totals = pd.concat({code: _sum(panel, codes, code != NATION) for code, codes in groups.items()}, names=["region"])
    formulas = {name: catalogue.loc[name, "formula"] for name in names}
    return pd.DataFrame({n: totals.eval(formula) if formula else totals[n] for n, formula in formulas.items()})


def _inputs(names: list[str], catalogue: pd.DataFrame) -> list[str]:
    needed: list[str] = []
    for name in names:
        if name not in catalogue.index:
            raise UnknownNameError("province indicator", name, catalogue.index)
        for raw in formula_inputs(catalogue.loc[name, "formula"]) or [name]:
            unit = catalogue.loc[raw, "unit"]
            if _NOT_ADDITIVE.search(unit):
                raise InvalidInputError(f"{raw!r} ({unit}) cannot be added up over provinces; choose amounts")
            needed.append(raw)
    return list(dict.fromkeys(needed))


def _sum(panel: pd.DataFrame, codes: pd.Index, complete: bool) -> pd.DataFrame:
    part = panel[panel.index.get_level_values("adcode").isin(codes)].groupby(level="year")
    return part.sum(min_count=len(codes) if complete else 1)

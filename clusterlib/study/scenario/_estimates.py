"""The estimated models that the scenarios run through, from the project's data (情景所用估计)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from clusterlib.core.checks import check_choice, check_flags
from clusterlib.core.rows import Later
from clusterlib.errors import InvalidInputError
from clusterlib.regions import get_region
from clusterlib.study._design import Named, design
from clusterlib.study._memory import remember
from clusterlib.study._panels import before, digital_index, index_data, output_panel, province_graphs

if TYPE_CHECKING:
    from libpysal.graph import Graph

    from clusterlib.composite import CompositeIndex
    from clusterlib.spatial_panel import SpatialPanelResult, TwoWeightsResult
    from clusterlib.study.diagnosis import SharedShocksResult

OUTCOME, INDEX = "log_gdp_per_head", "digital"
LINKS = ("trade", "software_exports")
CORRECTION = "lee-yu"
# What each is, in English.
MEASURES, VARIANTS, WEIGHTS, SAMPLES = (
    Later(lambda section=section: {key: named.en for key, named in _named(section).items()})
    for section in ("measures", "variants", "weights", "samples")
)


def _named(section: str) -> Mapping[str, Named]:
    plan = design()
    named = getattr(plan, section)
    return {key: named[key] for key in (plan.scenario_measures if section == "measures" else named)}


@dataclass(frozen=True, eq=False)
class ProvinceModel:
    """A spatial Durbin model of provinces with what a scenario needs to run through it.

    Attributes
    ----------
    result : SpatialPanelResult
    covariance : DataFrame
        Of slopes and rho, the years of a province allowed to depend on each other.
    graph : Graph
    regressors : DataFrame
        By (adcode, year), in levels; ``digital`` in tenths of the index.
    index : CompositeIndex
    index_data : DataFrame
        That the index was made from.
    panel : DataFrame
        The diagnosis's indicators by (adcode, year).
    memory : float
        Correlation of the residuals with those of the year before.
    """

    result: SpatialPanelResult
    covariance: pd.DataFrame = field(repr=False)
    graph: Graph = field(repr=False)
    regressors: pd.DataFrame = field(repr=False)
    index: CompositeIndex = field(repr=False)
    index_data: pd.DataFrame = field(repr=False)
    panel: pd.DataFrame = field(repr=False)
    memory: float


@dataclass(frozen=True, eq=False)
class BorderModel:
    """A model of city growth with a spatial lag within provinces and another across their borders.

    Attributes
    ----------
    result : TwoWeightsResult or SharedShocksResult
    within, across : Graph
    gdp : Series
        Of the last year, 1e8 yuan, by adcode.
    province : Series
        Of each city.
    year : int
        The last year.
    """

    result: TwoWeightsResult | SharedShocksResult
    within: Graph = field(repr=False)
    across: Graph = field(repr=False)
    gdp: pd.Series = field(repr=False)
    province: pd.Series = field(repr=False)
    year: int


def model_years() -> tuple[int, int]:
    """Return the first and last year of the models of provinces."""
    first, last = map(int, str(design().spans["province_years"].default).split(":"))
    return first, last


def _provinces() -> tuple[pd.DataFrame, dict[str, Graph]]:
    """The diagnosis's panel of provinces and who neighbours whom: the same for every model."""
    from clusterlib.study.diagnosis.indicators import load_province_panel

    panel = load_province_panel(slice(*model_years()))
    return panel, province_graphs(panel.index)


def load_regressors(index: CompositeIndex, panel: pd.DataFrame) -> pd.DataFrame:
    """Load the outcome and all regressors of the models of provinces, by (adcode, year), complete."""
    from clusterlib.data import load_boundaries
    from clusterlib.study.diagnosis import link_indicators
    from clusterlib.study.diagnosis.indicators import industry_table
    from clusterlib.weights import great_circle_distances

    plan = design()
    variables = output_panel(alternatives=False)[[OUTCOME, *plan.controls]]
    frame = variables.assign(**{INDEX: 10 * index.score}).reindex(panel.index)[[OUTCOME, INDEX, *plan.controls]]
    boundaries = load_boundaries("province").loc[panel.index.unique("adcode")]
    found = link_indicators(panel, industry_table(panel), plan.industries, great_circle_distances(boundaries))
    return frame.join(found[list(LINKS)])


def _measured(measure: str) -> tuple[CompositeIndex, pd.DataFrame, pd.DataFrame]:
    """Index, the data that it was made from and the regressors: the same for every model with the measure."""
    index = digital_index(measure)
    return index, index_data(measure), load_regressors(index, _provinces()[0])


@remember
def output_efficiency(year: int) -> pd.Series:
    """Output efficiency of the provinces' data in a year, not corrected for bias: no model enters it."""
    from clusterlib.study.diagnosis import data_dormancy

    panel, _ = _provinces()
    of_year = panel[panel.index.get_level_values("year") == year]
    found = data_dormancy(of_year, design().data_inputs, design().data_outputs, draws=0)
    return 1 - found.table["severity"].droplevel("year") / 100


def province_model(
    measure: str = "digital", links: bool = False, variant: str = "levels", weights: str = "contiguity"
) -> ProvinceModel:
    r"""Estimate GDP per head of provinces by their digital development and that of neighbours (省级空间杜宾模型).

    .. math:: \ln y_{it} = \rho \sum_j w_{ij} \ln y_{jt} + x_{it}'\beta + \sum_j w_{ij} x_{jt}'\theta + \mu_i + \alpha_t
              + e_{it}

    with x the index in tenths, with ``links`` also the logarithms of goods trade relative to GDP and of one plus
    software exports relative to software revenue, and as controls urbanisation, students and budget expenditure per
    head of the year before; row-standardised weights, the transformation of Lee and Yu.

    Parameters
    ----------
    measure : {"digital", "fixed_gdp", "adoption"}
        A key of ``MEASURES``.
    links : bool
    variant : {"levels", "bare", "changes"}
        A key of ``VARIANTS``.
    weights : {"contiguity", "nearest", "distance"}
        A key of ``WEIGHTS``.

    Returns
    -------
    ProvinceModel

    Raises
    ------
    UnknownNameError
        If there is no such measure, variant or weights.

    Examples
    --------
    >>> model = province_model()
    >>> model.result.n_units, model.result.n_periods
    (30, 8)
    """
    check_choice("measure", measure, MEASURES)
    check_flags(links=links)
    check_choice("variant", variant, VARIANTS)
    check_choice("weights", weights, WEIGHTS)
    return estimate_provinces(measure, links, variant, weights)


@remember
def estimate_provinces(measure: str, links: bool, variant: str, weights: str) -> ProvinceModel:
    """Estimate a model of provinces as :func:`province_model`, of arguments that are checked."""
    from clusterlib.spatial_panel import cluster_covariance, spatial_panel

    panel, graphs = _provinces()
    graph = graphs[weights]
    index, made_from, frame = _measured(measure)
    names = [INDEX, *(LINKS if links else ()), *(() if variant == "bare" else design().controls)]
    changes = variant == "changes"
    data = frame[[OUTCOME, *names]]
    data = data.groupby(level="adcode").diff().dropna() if changes else data
    result = spatial_panel(data, OUTCOME, names, graph, "sdm", "time" if changes else "twoway", CORRECTION)
    covariance = cluster_covariance(data, OUTCOME, names, graph, result)
    memory = float(result.residuals.corr(before(result.residuals)))
    return ProvinceModel(result, covariance, graph, frame[names], index, made_from, panel, memory)


def border_model(sample: str = "window", region: str | None = None, shocks: bool = True) -> BorderModel:
    """Estimate growth of cities by that of neighbours within the province and beyond its border (城市增长双权重模型).

    As :func:`clusterlib.diagnosis.border_spillovers`.

    Parameters
    ----------
    sample : {"window", "all_years", "region"}
        A key of ``SAMPLES``.
    region : str, optional
        A region's code; of ``sample="region"``.
    shocks : bool
        Whether cities of a province may share shocks, which otherwise pass for spillovers within it.

    Returns
    -------
    BorderModel

    Raises
    ------
    UnknownNameError
        If there is no such sample or region.
    InvalidInputError
        If the region has too few neighbours across a border of provinces, or is given with another sample.

    Examples
    --------
    >>> bool(0 < border_model().result.shock_share < 1)
    True
    """
    check_choice("sample", sample, SAMPLES)
    check_flags(shocks=shocks)
    if sample != "region" and region is not None:
        raise InvalidInputError(f"region={region!r}: of sample='region' only, got sample={sample!r}")
    code = get_region("" if region is None else region).code if sample == "region" else None
    return estimate_cities(sample, code, shocks)


@remember
def estimate_cities(sample: str, region: str | None, shocks: bool) -> BorderModel:
    """Estimate a model of cities as :func:`border_model`, of arguments that are checked."""
    from clusterlib.data import load_panel
    from clusterlib.study.diagnosis import border_spillovers, load_growth_panel
    from clusterlib.weights import within_and_across

    panel, graph, province = load_growth_panel()
    year = int(panel.index.unique("year").max())
    if sample != "all_years":
        panel = panel[panel.index.get_level_values("year") > year - design().constants["window"]]
    graph = graph.subgraph(panel.index.unique("adcode"))
    cities = get_region(region).adcodes("city") if region else None
    result = border_spillovers(panel, "growth", ["initial"], graph, province, cities, shocks=shocks)
    units = result.residuals.index.unique(0)
    pair = within_and_across(graph.subgraph(units), province.loc[units])
    gdp = load_panel("city", "gdp", years=year)["gdp"].droplevel("year").loc[units]
    return BorderModel(result, pair.within, pair.across, gdp, province.loc[units], year)

"""Cases of single cities (城市个案): profiles, synthetic controls of the pilot each had, clusters of the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_level, check_whole
from clusterlib.core.language import Phrase, join_phrases
from clusterlib.core.rows import Later, name_of, read_rows
from clusterlib.errors import InvalidInputError, Problem, StudyError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.regions import REGIONS, get_region
from clusterlib.study._design import design
from clusterlib.study.scenario._peers import comparable_units, figures_by_year, peer_comparison, year_span

if TYPE_CHECKING:
    from clusterlib.did import SyntheticControl

FILE = "cases.csv"
# A seventh of this list is known, and of some cities nearly all of it: to count it would favour them.
UNEVEN_LIST = "national_sme_characteristic"
PROFILES = {
    "city": ("gdp", "gdp_per_capita", "value_added_tertiary_share", "urban_unit_employees", "average_wage"),
    "county": (
        "gdp", "value_added_secondary", "value_added_tertiary", "industrial_enterprises", "general_budget_revenue",
        "registered_population",
    ),
}  # fmt: skip
# Years in which a series changes its basis, by the catalogue: the change into such a year is no growth.
BREAKS = {"gdp": (2019,), "night_lights_sum": (2011, 2013)}
# By outcome of the synthetic controls: the series, and the last year that it is used to, if not that of the span.
CONTROLLED = {
    "gdp_before_census": ("gdp", 2018),
    "gdp": ("gdp", None),
    "night_lights": ("night_lights_sum", 2020),
    "average_wage": ("average_wage", 2020),
}
# What a case is compared by with its peers: indicators by level, and the span of the design that they have figures in.
COMPARED = {
    "city": {"gdp": "zone_years", "exports": "zone_years", "invention_patents_granted": "zone_years"},
    "county": dict.fromkeys(PROFILES["county"][:-1], "county_years"),
}
# What may be said against the fit of a synthetic control, see clusterlib.did.SyntheticControl.objections.
_OBJECTIONS = {
    "poor_fit": Phrase(
        "the fit index before is {fit_index:.2f}, below {fit_limit:g}",
        "事前拟合指数为{fit_index:.2f}，低于{fit_limit:g}",
    ),
    "exact_fit": Phrase(
        "{donors:.0f} donors fit {periods:.0f} years without error, so that weights are not unique",
        "{donors:.0f}个对照单位对{periods:.0f}年数据完全拟合，权重不唯一",
    ),
    "placebos_fit_better": Phrase(
        "{share:.0%} of the units are fitted better before", "{share:.0%}的单位在事前拟合得更好"
    ),
}


@dataclass(frozen=True)
class Case:
    """A city, the field that it stands for and the pilot that it was chosen for.

    Attributes
    ----------
    region : str
    level : {"city", "county"}
        Whole city or county-level city.
    adcode : int
    field_en, field_zh : str
    pattern : str
        Words, ``|`` between them, one of which the Chinese names of clusters of the field hold.
    policy : str
        A policy of :func:`clusterlib.data.load_policies` that names the city; a county-level city may have none.
    listed : int
        The year in which a leading firm came on the US Entity List, 0 if the case is not about that.
    outcome : str
        Indicator by which the city is compared with its peers.
    claim : str
        Statement of ``claims.yml`` that the case bears on, or an empty text.
    note_en, note_zh : str
        What city figures leave out.
    """

    region: str
    level: str
    adcode: int
    field_en: str
    field_zh: str
    pattern: str
    policy: str
    listed: int
    outcome: str
    claim: str
    note_en: str = ""
    note_zh: str = ""

    @property
    def field(self) -> Phrase:
        """The field in both languages."""
        return Phrase(self.field_en, self.field_zh)

    @property
    def prefecture(self) -> int:
        """The city that a county-level city belongs to, of a city itself."""
        return self.adcode if self.level == "city" else self.adcode // 100 * 100

    @property
    def note(self) -> Phrase | None:
        """What city figures leave out, in both languages, if anything."""
        return Phrase(self.note_en, self.note_zh) if self.note_en else None


def read_cases(root: Path) -> dict[str, tuple[Case, ...]]:
    """Read and check the cases of a project by region; a region without a row has none.

    Raises
    ------
    StudyError
        With line and column of a region or city that there is not, a pattern that is none, and a missing text.
    """
    path = root / "data" / "study" / FILE
    columns = [entry.name for entry in fields(Case)]
    rows, file, problems = read_rows(path, columns, root, StudyError), name_of(path, root), []
    found: dict[str, tuple[Case, ...]] = dict.fromkeys(REGIONS, ())
    for line, row in rows.items():
        free = {"note_en", "note_zh", "claim", "listed"} | ({"policy"} if row["level"] == "county" else set())
        wrong = {column: "expected a text" for column in columns if not row[column] and column not in free}
        wrong |= _wrong_place(row)
        if not re.fullmatch(r"(20\d\d)?", row["listed"], re.ASCII):
            wrong["listed"] = f"{row['listed']!r}: expected a year, such as 2019, or nothing"
        # Nothing that a file says is run: not as a regular expression either, which may never end.
        if not re.fullmatch(r"[\w -]+(\|[\w -]+)*", row["pattern"]):
            wrong["pattern"] = f"{row['pattern']!r}: expected words with | between them, such as 软件|信息安全"
        problems += [Problem(file, line, reason, column) for column, reason in wrong.items()]
        if not wrong:
            numbers = {name: int(row[name] or 0) for name in ("adcode", "listed")}
            found[row["region"]] += (Case(**{**row, **numbers}),)
    if problems:
        raise StudyError(problems)
    return found


def _wrong_place(row: Mapping[str, str]) -> dict[str, str]:
    """Tell what is wrong with region, level and code of a row, by column."""
    if row["region"] not in REGIONS:
        return {"region": str(UnknownNameError("region", row["region"], REGIONS))}
    if row["level"] not in PROFILES:
        return {"level": str(UnknownNameError("level", row["level"], PROFILES))}
    cities, code = REGIONS[row["region"]].adcodes("city"), row["adcode"]
    if row["level"] == "city" and code not in map(str, cities):
        return {"adcode": str(UnknownNameError("city of the region", code, cities))}
    # The code of a county-level city begins with that of its city.
    if row["level"] == "county" and (
        not re.fullmatch(r"\d{4}(?!00)\d\d", code, re.ASCII) or int(code) // 100 * 100 not in cities
    ):
        return {"adcode": f"{code!r}: expected the code of a county-level city in a city of the region, such as 330782"}
    return {}


# By region.
CASES: Mapping[str, tuple[Case, ...]] = Later(lambda: read_cases(get_project().root))


def _check_case(case: Any) -> Case:
    if not isinstance(case, Case):
        raise InvalidInputError(f"expected a Case, such as CASES['yrd'][0], got a {type(case).__name__}")
    return case


def _by_year(case: Case, indicator: str, years: tuple[int, int]) -> pd.DataFrame:
    """Return figures of all units of the case's level, units by years, if its own has any."""
    wide = figures_by_year(_check_case(case).level, indicator, slice(*years))
    if case.adcode not in wide.index:
        raise InvalidInputError(f"{case.adcode} has no {indicator} in {years[0]}-{years[1]}: choose another indicator")
    return wide


def _span(years: str | tuple[int, int] | None, name: str) -> tuple[int, int]:
    """Return the first and the last year, by default those of a span of the design."""
    return year_span(design().spans[name].default if years is None else years)


def _default_years(case: Case, years: str | tuple[int, int] | None) -> tuple[int, int]:
    return _span(years, "case_years" if _check_case(case).level == "city" else "county_years")


def _pilots(policy: str, level: str = "city") -> pd.Series:
    """First year of a policy by adcode, of county-level places or of the others."""
    from clusterlib.data import load_policies

    places = load_policies(policy)
    return places[(places["level"] == "county") == (level == "county")].groupby("adcode")["year_effective"].min()


def case_start(case: Case) -> int:
    """Return the year in which the city became a pilot.

    Raises
    ------
    InvalidInputError
        If the policy does not name the city, or the case has none.

    Examples
    --------
    >>> case_start(CASES["yrd"][0])
    2015
    """
    if not _check_case(case).policy:
        raise InvalidInputError(f"{case.adcode}: the case has no pilot")
    return _start(case, _pilots(case.policy, case.level))


def _start(case: Case, pilots: pd.Series) -> int:
    if case.adcode not in pilots.index:
        raise InvalidInputError(f"{case.adcode} is not on the list of {case.policy}")
    return int(pilots[case.adcode])


def case_profile(case: Case, years: str | tuple[int, int] | None = None) -> pd.DataFrame:
    """Set a city beside its region and the nation (城市画像).

    Parameters
    ----------
    case : Case
    years : str or (int, int), optional
        First and last year, by default the span ``case_years`` or ``county_years``; of an indicator that the city lacks
        then, the nearest year between them.

    Returns
    -------
    DataFrame
        By indicator: ``first_year``, ``last_year``, the city's ``first`` and ``last`` figure, the plain mean of the
        region's and of all units of its level in the last year (``region_mean``, ``nation_mean``), and the city's
        ``rank`` among the ``cities`` that have a figure, 1 the largest.

    Examples
    --------
    >>> int(case_profile(CASES["yrd"][0], "2003:2020").loc["gdp", "rank"])
    8
    """
    span = _default_years(case, years)
    members, rows = get_region(case.region).adcodes("city"), {}
    for name in PROFILES[case.level]:
        wide = _by_year(case, name, span)
        own = wide.loc[case.adcode].dropna()
        first, last = int(own.index[0]), int(own.index[-1])
        now = wide[last].dropna()
        rows[name] = {
            "first_year": first, "last_year": last, "first": own[first], "last": own[last],
            "region_mean": now[_of(case, now.index).isin(members)].mean(), "nation_mean": now.mean(),
            "rank": int((now > own[last]).sum()) + 1, "cities": len(now),
        }  # fmt: skip
    whole = ["first_year", "last_year", "rank", "cities"]
    return pd.DataFrame.from_dict(rows, orient="index").astype(dict.fromkeys(whole, int)).rename_axis("indicator")


def _of(case: Case, codes: pd.Index) -> pd.Index:
    """Return the cities that units of the case's level belong to."""
    return codes if case.level == "city" else codes // 100 * 100


def case_control(
    case: Case,
    indicator: str = "gdp",
    *,
    years: str | tuple[int, int] | None = None,
    donors: int = 20,
    placebos: bool = True,
) -> SyntheticControl:
    r"""Synthetic control of the pilot that a city had (试点的合成控制).

    Of growth cumulated without that of years :math:`B` in which the series changes its basis (``BREAKS``), less
    each city's own mean before the pilot, so that the donors need follow the city's path and not its level:

    .. math:: y_{it} = \sum_{s \le t,\, s \notin B} \Delta \ln Y_{is}, \quad
              \tilde y_{it} = y_{it} - \frac{1}{T_0} \sum_{s < t_0} y_{is}

    Growth of the years in ``B`` is unknown and counted for no city. Donors are the largest cities by GDP in the year
    before the pilot that are outside the city's region, were no pilot of the policy up to the last year, have a figure
    in every year and none that jumps by more than half, years in ``B`` left aside.

    Parameters
    ----------
    case : Case
    indicator : str
        Of city figures; positive.
    years : str or (int, int), optional
        First and last year, by default the span ``control_years``.
    donors : int
    placebos : bool
        As in :func:`clusterlib.did.synthetic_control`.

    Returns
    -------
    clusterlib.did.SyntheticControl
        Read the effect only where it is ``credible``; in log points.

    Raises
    ------
    InvalidInputError
        If the city has no complete series, the panel ends before the pilot, the case is a county-level city, of which
        no years before a pilot are known, or arguments are of another kind.
    UnknownNameError
        If there is no such indicator.

    References
    ----------
    Ferman, B. and Pinto, C. (2021). Synthetic controls with imperfect pretreatment fit. Quantitative Economics 12,
    1197-1221.

    Examples
    --------
    >>> case_control(CASES["yrd"][0], placebos=False).credible
    True
    """
    if _check_case(case).level == "county":
        raise InvalidInputError(
            f"{case.adcode} is a county-level city, whose figures begin in {_span(None, 'county_years')[0]}: no years "
            "before are there to fit; use peer_comparison"
        )
    return _control(case, indicator, _span(years, "control_years"), donors, _pilots(case.policy), placebos)


def _control(
    case: Case, indicator: str, span: tuple[int, int], donors: int, pilots: pd.Series, placebos: bool = True
) -> SyntheticControl:
    from clusterlib.did import synthetic_control

    start = _start(case, pilots)
    (first, last), donors = span, check_whole("donors", donors, 1)
    if not first < start <= last:
        raise InvalidInputError(f"years={first}:{last}: the pilot began in {start}")
    figures = _by_year(case, indicator, (first, last)).reindex(columns=range(first, last + 1)).dropna()
    if case.adcode not in figures.index:
        raise InvalidInputError(
            f"{case.adcode} has no {indicator} in some year of {first}-{last}: choose another indicator"
        )
    growth = pd.DataFrame(np.log(figures), figures.index).diff(axis=1).fillna(0.0)
    growth[[year for year in BREAKS.get(indicator, ()) if year in growth]] = 0.0
    steady = growth.index[growth.abs().max(axis=1) < design().constants["largest_jump"]]
    outside = steady.difference(pilots.index[pilots <= last]).difference(list(get_region(case.region).adcodes("city")))
    size = _by_year(case, "gdp", (first, last))[start - 1].reindex(outside).dropna()
    chosen = growth.loc[[case.adcode, *size.nlargest(donors).index]].cumsum(axis=1)
    chosen = chosen.sub(chosen.loc[:, : start - 1].mean(axis=1), axis=0)
    data = pd.DataFrame({indicator: chosen.stack()})
    return synthetic_control(data, indicator, case.adcode, start, placebos=placebos)


class CaseEffects(NamedTuple):
    """What :func:`case_effects` finds.

    Attributes
    ----------
    table : DataFrame
        By city and outcome: ``event`` (pilot or listing), ``start``, ``last``, ``effect`` (mean gap, log points),
        ``p_value``, ``least`` (the constant gap that would have been rejected), ``pre_rmspe``, ``fit_index``,
        ``donors``, ``credible`` and ``objections`` in both languages.
    gaps : DataFrame
        Years by cities: gaps of ``gdp``.
    """

    table: pd.DataFrame
    gaps: pd.DataFrame


def case_effects(
    region: str, years: str | tuple[int, int] | None = None, donors: int = 20, alpha: float = 0.05
) -> CaseEffects:
    """Set the cases of a region against synthetic controls of what befell each (个案合成控制).

    A city whose leading firm came on the US Entity List is set against the control that
    :func:`clusterlib.study.listed_city_synthetic` has of it, and no second one; the others against those of their
    pilots, see :func:`case_control`. Each series ends where its figures do: GDP before the census and, without the
    growth of the year of the census, to the last year; night lights and wages to 2020. County-level cities have none.

    Parameters
    ----------
    region : str
    years : str or (int, int), optional
        By default the span ``control_years``.
    donors : int
    alpha : float
        Of ``least``.

    Returns
    -------
    CaseEffects
        Empty for a region without such a case.

    Examples
    --------
    >>> case_effects("yrd").table.index.tolist()
    [(330100, 'gdp')]
    """
    region, alpha = get_region(region).code, check_level(alpha, "alpha")
    first, last = _span(years, "control_years")
    rows, gaps = {}, {}
    for case in (case for case in CASES[region] if case.level == "city"):
        if case.listed:
            found = _listed(case, f"{first}:{last}", donors, alpha)
            rows[case.adcode, "gdp"], gaps[case.adcode] = found
            continue
        pilots = _pilots(case.policy)
        for outcome, (indicator, until) in CONTROLLED.items():
            ending = min(last, until or last)
            result = _control(case, indicator, (first, ending), donors, pilots)
            kept = {name: getattr(result, name) for name in _KEPT}
            rows[case.adcode, outcome] = {
                "event": case.policy, "start": int(result.start), "last": ending, **kept,
                "least": result.least_gap(alpha), "credible": "yes" if result.credible else "no",
                "objections": objections_in_words(result),
            }  # fmt: skip
            if outcome == "gdp":
                gaps[case.adcode] = result.path["gap"]
    index = pd.MultiIndex.from_tuples(list(rows), names=["adcode", "outcome"]) if rows else None
    table = pd.DataFrame(list(rows.values()), index, columns=None if rows else list(_EFFECTS))
    return CaseEffects(table, pd.DataFrame(gaps).rename_axis("year"))


_KEPT = ("effect", "p_value", "pre_rmspe", "fit_index", "donors")
_EFFECTS = ("event", "start", "last", *_KEPT, "least", "credible", "objections")


def _listed(case: Case, years: str, donors: int, alpha: float) -> tuple[dict[str, Any], pd.Series]:
    """Return what the one computation on a listed city finds of its GDP, and the gaps."""
    from clusterlib.study._export_controls import listed_city_synthetic

    found = listed_city_synthetic(case.adcode, case.listed + 1, years, donors, alpha)
    row = found.table.loc["gdp"]
    kept = {name: row[name] for name in (*_KEPT, "least", "credible")}
    years_seen = {"event": "us_entity_list", "start": case.listed + 1, "last": int(found.path.index[-1])}
    return {**years_seen, **kept, "objections": None}, found.path["gap"]


def case_peers(region: str, alpha: float = 0.05) -> pd.DataFrame:
    """Set the cases of a region beside their peers, each in the years that its figures have (个案同类比较).

    Parameters
    ----------
    region : str
    alpha : float

    Returns
    -------
    DataFrame
        By city, indicator and group of peers: ``first``, ``last`` and what
        :func:`clusterlib.scenario.peer_comparison` finds. An indicator that a city has no figure or no structure for is
        left out, and GDP begins in the year of the census, whose basis it has from then on.

    Examples
    --------
    >>> found = case_peers("yrd")
    >>> int(found.loc[(330782, "gdp", "province"), "rank"])
    1
    """
    alpha, tables = check_level(alpha, "alpha"), {}
    for case in CASES[get_region(region).code]:
        for indicator, span in COMPARED[case.level].items():
            first, last = _span(None, span)
            first = max(first, int(design().constants["census_year"])) if indicator == "gdp" else first
            if case.adcode not in comparable_units(case.level, indicator, (first, last)):
                continue
            found = peer_comparison(case.level, case.adcode, indicator, f"{first}:{last}", alpha=alpha)
            found.insert(0, "first", first)
            found.insert(1, "last", last)
            tables[case.adcode, indicator] = found
    names = ["adcode", "indicator", "group"]
    return (
        pd.concat(tables, names=names[:2])
        if tables
        else pd.DataFrame(index=pd.MultiIndex.from_arrays([[]] * 3, names=names))
    )


def case_values(case: Case, effects: pd.DataFrame, peers: pd.DataFrame) -> dict[str, float]:
    """Return the values that the claim of a case compares and quotes, log points times 100 (个案结论所依据的数值).

    Parameters
    ----------
    case : Case
        With a claim.
    effects : DataFrame
        Of :func:`case_effects`, its table.
    peers : DataFrame
        Of :func:`case_peers`.

    Returns
    -------
    dict
        Those that the claim names of: ``gap``, ``p``, ``least``, ``start``, ``last`` and ``donors`` of a listed city's
        synthetic control; by outcome (``own`` that of the case, ``gdp``) its ``change``, and by outcome and group of
        peers, such as ``own_province_gap``, what :func:`case_peers` has. Empty if one of them is not there or not
        finite, as with too few peers for a test, or if the control is not credible.

    Examples
    --------
    >>> found = case_effects("yrd").table, case_peers("yrd")
    >>> round(case_values(CASES["yrd"][0], *found)["last"])
    2023
    """
    from clusterlib.study.claims import load_claims

    claims = {claim.id: claim for claim in load_claims()}
    claim, found = claims[check_choice("claim", _check_case(case).claim, claims)], {}
    for word, indicator in {"own": case.outcome, "gdp": "gdp"}.items():
        for group in ("province", "matched"):
            if (case.adcode, indicator, group) in peers.index:
                row: Any = peers.xs((case.adcode, indicator, group))
                scaled = {name: float(row[name]) * (100 if name in _LOGARITHMS else 1) for name in row.index}
                found |= {f"{word}_{group}_{name}": value for name, value in scaled.items()}
                found[f"{word}_change"] = scaled["change"]
    control: Any = effects.xs((case.adcode, "gdp")) if (case.adcode, "gdp") in effects.index else {}
    if len(control) and control["credible"] == "yes":
        found |= {"gap": 100 * control["effect"], "least": 100 * control["least"], "p": control["p_value"]}
        found |= {name: float(control[name]) for name in ("start", "last", "donors")}
    wanted = dict.fromkeys([*claim.needed, *claim.quoted])
    values = {name: float(found.get(name, np.nan)) for name in wanted}
    return values if np.isfinite(list(values.values())).all() else {}


_LOGARITHMS = ("change", "median", "gap", "low", "high", "lower", "upper", "detectable")


def objections_in_words(result: SyntheticControl) -> Phrase | None:
    """Say what speaks against the fit of a synthetic control in both languages, if anything does (拟合存在的问题).

    Examples
    --------
    >>> objections_in_words(case_control(CASES["yrd"][0], placebos=False)) is None
    True
    """
    said = [(_OBJECTIONS[key], numbers) for key, numbers in result.objections.items()]
    texts = [Phrase(words.en.format(**numbers), words.zh.format(**numbers)) for words, numbers in said]
    return join_phrases(texts) if texts else None


def field_clusters(case: Case) -> pd.DataFrame:
    """Clusters of the case's field that lie in its region, those that the city leads or shares marked (领域集群).

    Returns
    -------
    DataFrame
        By ``cluster_id``: ``name_en``, ``name_zh``, ``programme_zh``, ``year``, ``confirmed``, ``led`` and
        ``programme_en``.

    Examples
    --------
    >>> bool(field_clusters(CASES["yrd"][0])["led"].any())
    True
    """
    clusters = led_clusters(case, everywhere=True)
    found = clusters[clusters["name_zh"].str.contains(case.pattern) & (clusters["region"] == case.region)]
    return found.drop(columns="region")


def led_clusters(case: Case, everywhere: bool = False) -> pd.DataFrame:
    """Clusters on the lists that the city leads or shares (牵头集群); all clusters, marked, with ``everywhere``.

    Of a county-level city those of the city that it belongs to: the lists name no county.

    The national list of clusters of small and medium-sized enterprises is left out: it is known for some cities alone.

    Examples
    --------
    >>> len(led_clusters(CASES["yrd"][1]))
    0
    """
    from clusterlib.data import load_clusters

    _check_case(case)
    clusters = load_clusters()
    clusters = clusters[clusters["programme"] != UNEVEN_LIST]
    led = [str(case.prefecture) in str(codes).split(";") for codes in clusters["adcodes"]]
    kept = ["name_en", "name_zh", "programme_zh", "year", "confirmed", "region"]
    clusters = clusters[kept].assign(led=led, programme_en=clusters["programme_en"])
    return clusters if everywhere else clusters[clusters["led"]]

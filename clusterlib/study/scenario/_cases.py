"""Cases of single cities (城市个案): profiles from city figures, and a synthetic control of the pilot each had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterlib.core.checks import check_whole, parse_years
from clusterlib.core.language import Phrase
from clusterlib.core.rows import Later, name_of, read_rows
from clusterlib.errors import InvalidInputError, Problem, StudyError, UnknownNameError
from clusterlib.paths import get_project
from clusterlib.regions import REGIONS, get_region
from clusterlib.study._design import design
from clusterlib.study.diagnosis._severity import as_span, logarithms

if TYPE_CHECKING:
    from clusterlib.did import SyntheticControl

FILE = "cases.csv"
# A seventh of this list is known, and of some cities nearly all of it: to count it would favour them.
UNEVEN_LIST = "national_sme_characteristic"
PROFILE = (
    "gdp",
    "gdp_per_capita",
    "value_added_tertiary_share",
    "employment",
    "urban_unit_employees",
    "average_wage",
)


@dataclass(frozen=True)
class Case:
    """A city, the field that it stands for and the pilot that it was chosen for.

    Attributes
    ----------
    region : str
    adcode : int
    field_en, field_zh : str
    pattern : str
        Words, ``|`` between them, one of which the Chinese names of clusters of the field hold.
    policy : str
        A policy of :func:`clusterlib.data.load_policies` that names the city.
    note_en, note_zh : str
        What city figures leave out.
    """

    region: str
    adcode: int
    field_en: str
    field_zh: str
    pattern: str
    policy: str
    note_en: str = ""
    note_zh: str = ""

    @property
    def field(self) -> Phrase:
        """The field in both languages."""
        return Phrase(self.field_en, self.field_zh)

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
        wrong = {column: "expected a text" for column in columns if not row[column] and not column.startswith("note")}
        if row["region"] not in found:
            wrong["region"] = str(UnknownNameError("region", row["region"], found))
        elif row["adcode"] not in map(str, found_cities := REGIONS[row["region"]].adcodes("city")):
            wrong["adcode"] = str(UnknownNameError("city of the region", row["adcode"], found_cities))
        # Nothing that a file says is run: not as a regular expression either, which may never end.
        if not re.fullmatch(r"[\w -]+(\|[\w -]+)*", row["pattern"]):
            wrong["pattern"] = f"{row['pattern']!r}: expected words with | between them, such as 软件|信息安全"
        problems += [Problem(file, line, reason, column) for column, reason in wrong.items()]
        if not wrong:
            found[row["region"]] += (Case(**{**row, "adcode": int(row["adcode"])}),)
    if problems:
        raise StudyError(problems)
    return found


# By region.
CASES: Mapping[str, tuple[Case, ...]] = Later(lambda: read_cases(get_project().root))


def _check_case(case: Any) -> Case:
    if not isinstance(case, Case):
        raise InvalidInputError(f"expected a Case, such as CASES['yrd'][0], got a {type(case).__name__}")
    return case


def _by_year(case: Case, indicator: str, years: tuple[int, int]) -> pd.DataFrame:
    """Return figures of all cities, cities by years, if the case's city has any."""
    from clusterlib.data import load_panel

    if not isinstance(indicator, str):
        raise InvalidInputError(f"indicator: expected a name, got a {type(indicator).__name__}")
    wide = load_panel("city", indicator, years=slice(*years))[indicator].unstack("year")
    if _check_case(case).adcode not in wide.index:
        raise InvalidInputError(f"{case.adcode} has no {indicator} in {years[0]}-{years[1]}: choose another indicator")
    return wide


def _span(years: str | tuple[int, int] | None, name: str = "case_years") -> tuple[int, int]:
    """Return the first and the last year, by default those of a span of the design."""
    given = design().spans[name].default if years is None else years
    return as_span(parse_years(given) if isinstance(given, str) else given)


def _pilots(policy: str) -> pd.Series:
    """First year of a policy by adcode, counties left out."""
    from clusterlib.data import load_policies

    places = load_policies(policy)
    return places[places["level"] != "county"].groupby("adcode")["year_effective"].min()


def case_start(case: Case) -> int:
    """Return the year in which the city became a pilot.

    Raises
    ------
    InvalidInputError
        If the policy does not name the city.

    Examples
    --------
    >>> [case_start(case) for case in CASES["yrd"]]
    [2015, 2015]
    """
    pilots = _pilots(_check_case(case).policy)
    if case.adcode not in pilots.index:
        raise InvalidInputError(f"{case.adcode} is not on the list of {case.policy}")
    return int(pilots[case.adcode])


def case_profile(case: Case, years: str | tuple[int, int] | None = None) -> pd.DataFrame:
    """Set a city beside its region and the nation (城市画像).

    Parameters
    ----------
    case : Case
    years : str or (int, int), optional
        First and last year, by default the span ``case_years``; of an indicator that the city lacks then, the nearest
        year between them.

    Returns
    -------
    DataFrame
        By indicator: ``first_year``, ``last_year``, the city's ``first`` and ``last`` figure, the plain mean of the
        region's and of all cities in the last year (``region_mean``, ``nation_mean``), and the city's ``rank`` among
        the ``cities`` that have a figure, 1 the largest.

    Examples
    --------
    >>> int(case_profile(CASES["yrd"][0]).loc["gdp", "rank"])
    8
    """
    span = _span(years)
    members = get_region(_check_case(case).region).adcodes("city")
    rows = {}
    for name in PROFILE:
        wide = _by_year(case, name, span)
        own = wide.loc[case.adcode].dropna()
        first, last = int(own.index[0]), int(own.index[-1])
        now = wide[last].dropna()
        rows[name] = {
            "first_year": first, "last_year": last, "first": own[first], "last": own[last],
            "region_mean": now[now.index.isin(members)].mean(), "nation_mean": now.mean(),
            "rank": int((now > own[last]).sum()) + 1, "cities": len(now),
        }  # fmt: skip
    whole = ["first_year", "last_year", "rank", "cities"]
    return pd.DataFrame.from_dict(rows, orient="index").astype(dict.fromkeys(whole, int)).rename_axis("indicator")


def case_paths(
    case: Case, indicator: str, years: str | tuple[int, int] | None = None, total: bool = False
) -> pd.DataFrame:
    """Paths of an indicator in a city, its region and the nation, the first year as 100 (增长路径).

    Parameters
    ----------
    case : Case
    indicator : str
    years : str or (int, int), optional
        First and last year, by default the span ``case_years``.
    total : bool
        Sums over cities, for amounts, and not plain means.

    Returns
    -------
    DataFrame
        By year: ``city``, ``region``, ``nation``, over cities that have a figure in every year that the city has one.

    Raises
    ------
    UnknownNameError
        If there is no such indicator.

    Examples
    --------
    >>> case_paths(CASES["yrd"][0], "gdp", total=True).loc[2003].tolist()
    [100.0, 100.0, 100.0]
    """
    wide = _by_year(case, indicator, _span(years))
    known = wide.loc[[case.adcode]].notna().to_numpy()[0]
    wide = wide.loc[:, known].dropna()
    members = wide.index.isin(get_region(case.region).adcodes("city"))
    over = "sum" if total else "mean"
    paths = pd.DataFrame({"city": wide.loc[case.adcode], "region": wide[members].agg(over), "nation": wide.agg(over)})
    return 100 * paths / paths.iloc[0]


def case_control(
    case: Case,
    indicator: str = "gdp",
    *,
    years: str | tuple[int, int] | None = None,
    donors: int = 40,
    relative: bool = True,
    placebos: bool = True,
) -> SyntheticControl:
    r"""Synthetic control of the pilot that a city had (试点的合成控制).

    In logarithms and, with ``relative``, less each city's own mean before the pilot, so that the donors need follow the
    city's path and not its level:

    .. math:: \tilde y_{it} = \ln y_{it} - \frac{1}{T_0} \sum_{s < t_0} \ln y_{is}

    Donors are the largest cities by GDP in the year before the pilot that are outside the city's region, were no pilot
    of the policy up to the last year, have a figure in every year and none that jumps by more than half.

    Parameters
    ----------
    case : Case
    indicator : str
        Of city figures; positive.
    years : str or (int, int), optional
        First and last year, by default the span ``control_years``: figures from 2019 on rest on another census.
    donors : int
    relative : bool
    placebos : bool
        As in :func:`clusterlib.did.synthetic_control`.

    Returns
    -------
    clusterlib.did.SyntheticControl
        Read the effect only where it is ``credible``; in log points.

    Raises
    ------
    InvalidInputError
        If the city has no complete series, the panel ends before the pilot, or arguments are of another kind.
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
    from clusterlib.did import synthetic_control

    start, pilots = case_start(case), _pilots(case.policy)
    (first, last), donors = _span(years, "control_years"), check_whole("donors", donors, 1)
    if not first < start <= last:
        raise InvalidInputError(f"years={first}:{last}: the pilot began in {start}")
    figures = _by_year(case, indicator, (first, last)).reindex(columns=range(first, last + 1)).dropna()
    if case.adcode not in figures.index:
        raise InvalidInputError(
            f"{case.adcode} has no {indicator} in some year of {first}-{last}: choose another indicator"
        )
    wide = logarithms(figures)
    steady = wide.index[wide.diff(axis=1).abs().max(axis=1) < design().constants["largest_jump"]]
    outside = steady.difference(pilots.index[pilots <= last]).difference(list(get_region(case.region).adcodes("city")))
    size = _by_year(case, "gdp", (first, last))[start - 1].reindex(outside).dropna()
    chosen = wide.loc[[case.adcode, *size.nlargest(donors).index]]
    if relative:
        chosen = chosen.sub(chosen.loc[:, : start - 1].mean(axis=1), axis=0)
    data = pd.DataFrame({indicator: chosen.stack()})
    return synthetic_control(data, indicator, case.adcode, start, placebos=placebos)


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
    led = [str(case.adcode) in str(codes).split(";") for codes in clusters["adcodes"]]
    kept = ["name_en", "name_zh", "programme_zh", "year", "confirmed", "region"]
    clusters = clusters[kept].assign(led=led, programme_en=clusters["programme_en"])
    return clusters if everywhere else clusters[clusters["led"]]

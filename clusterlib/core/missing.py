"""Missing figures of a panel (缺失值): filled by a stated policy, and estimates pooled over completed copies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_floats, check_columns, check_index, check_level, listed
from clusterlib.core.resampling import streams
from clusterlib.core.results import NORMAL, Estimates, Result, coefficient_table
from clusterlib.core.within import Layout, collinear_columns, make_layout
from clusterlib.errors import InvalidInputError

LEAVE = "leave"
_POLICY = re.compile("leave|linear [1-9]|multiple [1-9][0-9]?")
_FORMS = "leave, linear with the longest gap in years, or multiple with the number of copies, such as 'multiple 20'"
# Rounds of chained equations before a copy is taken, where more than one column has gaps.
_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class FilledPanel(Result):
    """Panel with missing figures filled (缺失值处理).

    Attributes
    ----------
    panel : DataFrame
        Figures as observed and as filled. Of multiple imputation the mean of the copies, for display only: estimate on
        ``copies`` and pool, since a regression on the mean takes what was filled for known.
    imputed : DataFrame of bool
        Of the same shape: which figures were filled.
    copies : list of DataFrame
        Completed panels; one unless a column is multiply imputed.
    policy : dict
        By column.
    table : DataFrame
        By indicator: ``cells``, units with a figure times years; ``observed``, ``filled``, ``left`` of these, and
        ``largest_gap``, the most years in a row without a figure between two figures of a unit.
    """

    notes: ClassVar[tuple[str, ...]] = ("filled figures are flagged in .imputed; the mean of copies is for display",)

    panel: pd.DataFrame = field(repr=False)
    imputed: pd.DataFrame = field(repr=False)
    copies: list[pd.DataFrame] = field(repr=False)
    policy: dict[str, str]
    table: pd.DataFrame

    @property
    def footer(self) -> Mapping[str, object]:
        """The policy of each column, and the number of copies."""
        return {**self.policy, "copies": len(self.copies)}


def fill_panel(
    panel: pd.DataFrame,
    policy: str | Mapping[str, str],
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> FilledPanel:
    """Fill the missing figures of a panel; see :func:`clusterlib.data.fill_missing`."""
    names = check_columns(panel, list(panel.columns))
    if not pd.api.types.is_integer_dtype(check_index(panel).levels[1]):
        raise InvalidInputError("the second level of the index holds no whole years: make it one, as with astype(int)")
    policies = _policies(policy, names)
    frame = as_floats(panel, names)
    infinite = frame.index[np.flatnonzero(np.isinf(frame.to_numpy()).any(axis=1))]
    if len(infinite):
        raise InvalidInputError(f"{listed(infinite)} has an infinite figure: make it missing or correct it")
    units, years = frame.index.unique(0).sort_values(), frame.index.unique(1)
    # A year without a row is as much a gap as one without a figure.
    span = pd.RangeIndex(years.min(), years.max() + 1) if len(years) else years
    index = pd.MultiIndex.from_product([units, span], names=frame.index.names)
    observed = frame.reindex(index)
    filled = observed.copy()
    for name in names:
        if policies[name].startswith("linear"):
            filled[name] = _interpolate(observed[name], int(policies[name].split()[1]))
    drawn = [name for name in names if policies[name].startswith("multiple")]
    copies = [filled.to_numpy()]
    if drawn:
        copies = _impute(filled, drawn, int(policies[drawn[0]].split()[1]), bounds or {}, seed)
    whole = np.mean(copies, axis=0)
    there = ~np.isnan(whole)
    kept = there.any(axis=1) | index.isin(frame.index)
    imputed = pd.DataFrame(observed.isna().to_numpy() & there, index, names)
    panel, *completed = (pd.DataFrame(values[kept], index[kept], names) for values in (whole, *copies))
    return FilledPanel(panel, imputed[kept], completed, policies, _count(observed, imputed))


def _policies(policy: str | Mapping[str, str], names: list[str]) -> dict[str, str]:
    """Return the policy of each column, those not named left as they are."""
    given = dict.fromkeys(names, policy) if isinstance(policy, str) else dict(policy)
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InvalidInputError(f"policy for {listed(unknown)}: the panel has no such column, only {listed(names)}")
    for name, text in given.items():
        if not isinstance(text, str) or not _POLICY.fullmatch(text) or text == "multiple 1":
            raise InvalidInputError(f"policy of {name}, {text!r}: expected {_FORMS}")
    numbers = {text for text in given.values() if text.startswith("multiple")}
    if len(numbers) > 1:
        raise InvalidInputError(f"policies {listed(sorted(numbers))}: copies are of the whole panel: give one number")
    return {name: given.get(name, LEAVE) for name in names}


def _gaps(column: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions, in the grid of a column, of figures that a gap follows, of the next, and its length."""
    here = np.flatnonzero(column.notna())
    unit = column.index.codes[0][here]  # type: ignore[attr-defined]
    length = np.diff(here) - 1
    between = (np.diff(unit) == 0) & (length > 0)
    return here[:-1][between], here[1:][between], length[between]


def _interpolate(column: pd.Series, longest: int) -> pd.Series:
    values = column.to_numpy(copy=True)
    for start, end, length in zip(*_gaps(column), strict=True):
        if length <= longest:
            values[start : end + 1] = np.linspace(values[start], values[end], length + 2)
    return pd.Series(values, column.index)


def _count(observed: pd.DataFrame, imputed: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    for name, column in observed.items():
        known = column.notna()
        units = known.groupby(level=0).any().sum()
        cells, filled = int(units * observed.index.unique(1).size), int(imputed[name].sum())
        gap = int(_gaps(column)[2].max(initial=0))
        rows[name] = [cells, int(known.sum()), filled, cells - int(known.sum()) - filled, gap]
    columns = ["cells", "observed", "filled", "left", "largest_gap"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("indicator")


def _reach(known: pd.Series) -> np.ndarray:
    """Return which cells the unit and year effects of the known ones reach: both in one connected set."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    unit, year = (known.index.codes[k].astype(int) for k in (0, 1))  # type: ignore[attr-defined]
    size, there = 1 + int(unit.max(initial=-1)), known.to_numpy()
    nodes = size + 1 + int(year.max(initial=-1))
    links = coo_array((np.ones(there.sum()), (unit[there], size + year[there])), shape=(nodes, nodes))
    label = connected_components(links, directed=False)[1]
    return label[unit] == label[size + year]


@dataclass(frozen=True, eq=False)
class _Column:
    """What stays the same about a column while copies are drawn: which rows are known, their layout, the bounds."""

    name: str
    place: int
    known: np.ndarray
    layout: Layout
    unit: np.ndarray
    time: np.ndarray
    bounds: tuple[float, float]

    def draw(self, values: np.ndarray, random: np.random.Generator | None) -> np.ndarray:
        """Return the missing figures drawn from their posterior given the other columns, or their means."""
        others = np.delete(values, self.place, axis=1)
        raw = others[self.known]
        left = self.layout.within(np.column_stack([values[self.known, self.place], raw]))
        spare = collinear_columns(left[:, 1:], np.linalg.norm(raw, axis=0))
        others, X = (np.delete(part, spare, axis=1) for part in (others, left[:, 1:]))
        df = int(self.known.sum()) - self.layout.absorbed - X.shape[1]
        if df < 1:
            raise InvalidInputError(
                f"{self.name}: {int(self.known.sum())} figures are too few for effects of {len(self.layout.units)} "
                f"units and {len(self.layout.periods)} years and {X.shape[1]} predictors: give it another policy"
            )
        Q, R = np.linalg.qr(X)
        inverse = np.linalg.inv(R)
        slopes = inverse @ (Q.T @ left[:, 0])
        rest = left[:, 0] - X @ slopes
        if random is None:
            effects = self.layout.twoway_effects((values[:, self.place] - others @ slopes)[self.known][:, None])
            unit, time = (effect[:, 0] for effect in effects)
            return (others @ slopes + unit[self.unit] + time[self.time])[~self.known]
        sigma = float(np.sqrt(rest @ rest / random.chisquare(df)))
        slopes = slopes + sigma * inverse @ random.standard_normal(X.shape[1])
        unit, time = self.layout.draw_twoway_effects(
            (values[:, self.place] - others @ slopes)[self.known], sigma, random
        )
        mean = (others @ slopes + unit[self.unit] + time[self.time])[~self.known]
        return _truncated(mean, sigma, self.bounds, random)


def _truncated(mean: np.ndarray, sigma: float, bounds: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    """Draw from normal distributions cut off at the bounds, by their inverse."""
    from scipy.special import ndtr, ndtri

    if sigma == 0:
        return np.clip(mean, *bounds)
    low, high = (ndtr((bound - mean) / sigma) for bound in bounds)
    return np.clip(mean + sigma * ndtri(low + random.random(len(mean)) * (high - low)), *bounds)


def _impute(
    frame: pd.DataFrame, drawn: list[str], count: int, bounds: Mapping[str, tuple[float, float]], seed: int
) -> list[np.ndarray]:
    """Return copies of the frame's values with the columns ``drawn`` completed by chained equations."""
    generators = streams(seed, count)
    rows = np.ones(len(frame), bool)
    while True:
        # A row without hope of one of the predictors is left; so may then be others whose effects hung on it.
        part = frame[rows].copy()
        part.index = part.index.remove_unused_levels()  # type: ignore[attr-defined]
        reached = np.logical_and.reduce([_reach(part[name].notna()) for name in part])
        if reached.all():
            break
        rows[np.flatnonzero(rows)[~reached]] = False
    if part.empty:
        return [frame.to_numpy()] * count
    logs = np.array([(part[name].dropna() > 0).all() for name in part])
    values = part.to_numpy(copy=True)
    values[:, logs] = np.log(values[:, logs])
    columns = [
        _column(part[name], place, logs[place], bounds.get(str(name), (-np.inf, np.inf)))
        for place, name in enumerate(part)
        if part[name].isna().any()
    ]
    # The first round starts from what effects alone say.
    for column in columns:
        alone = np.zeros((len(values), 1 + column.place))
        alone[:, column.place] = values[:, column.place]
        values[~column.known, column.place] = column.draw(alone, None)
    gaps = part.isna().to_numpy() & part.columns.isin(drawn)
    copies = []
    for random in generators:
        state = values.copy()
        for _ in range(_ROUNDS if len(columns) > 1 else 1):
            for column in columns:
                state[~column.known, column.place] = column.draw(state, random)
        state[:, logs] = np.exp(state[:, logs])
        copy = frame.to_numpy(copy=True)
        copy[rows] = np.where(gaps, state, copy[rows])
        copies.append(copy)
    return copies


def _column(series: pd.Series, place: int, log: bool, bounds: tuple[float, float]) -> _Column:
    known = series.notna().to_numpy()
    layout = make_layout(series.index[known], "twoway")  # type: ignore[arg-type]
    unit, time = (
        labels.get_indexer(series.index.get_level_values(k)) for k, labels in enumerate((layout.units, layout.periods))
    )
    low, high = (-np.inf if np.isnan(bounds[0]) else bounds[0], np.inf if np.isnan(bounds[1]) else bounds[1])
    if log:
        low, high = (float(np.log(bound)) if bound > 0 else -np.inf for bound in (low, high))
    return _Column(str(series.name), place, known, layout, unit, time, (low, high))


@dataclass(frozen=True, eq=False, kw_only=True)
class Pooled(Estimates):
    """Estimates pooled over completed copies (多重插补合并估计).

    Further to :class:`clusterlib.core.results.Estimates`, whose ``df_inference`` is the smallest of ``df``:

    Attributes
    ----------
    df, relative_increase, missing_information : Series
        By coefficient: degrees of freedom, increase of the variance for what is missing, and the fraction of missing
        information (缺失信息比例).
    copies : int
    """

    df: pd.Series = field(repr=False)
    relative_increase: pd.Series = field(repr=False)
    missing_information: pd.Series = field(repr=False)
    copies: int

    def _table(self, level: float) -> pd.DataFrame:
        parts = [
            coefficient_table(self.params[[name]], self.std_errors[[name]], float(self.df[name]), level)
            for name in self.params.index
        ]
        return pd.concat(parts).assign(df=self.df, missing_information=self.missing_information)

    def _own_footer(self) -> dict[str, object]:
        return {"Imputed copies 插补份数": self.copies}


def pool(results: Sequence[Any], level: float = 0.95) -> Pooled:
    r"""Pool estimates over completed copies of a panel by Rubin's rules (Rubin 合并规则).

    .. math:: \bar b = \tfrac1M \sum_m b_m, \quad T = \bar U + (1 + \tfrac1M) B, \quad
              r = (1 + \tfrac1M) B / \bar U, \quad \lambda = (1 + \tfrac1M) B / T

    with the mean :math:`\bar U` of the covariances and the covariance B of the estimates between copies. With
    :math:`\nu` degrees of freedom of the complete data,

    .. math:: \tilde\nu = \Big(\frac{\lambda^2}{M - 1} +
              \frac{\nu + 3}{(\nu + 1)\, \nu\, (1 - \lambda)}\Big)^{-1}, \quad
              \gamma = \frac{r + 2 / (\tilde\nu + 3)}{1 + r}

    Parameters
    ----------
    results : sequence of results
        At least two of the same model, one a copy, each with ``params``, ``covariance`` and ``df_resid``.
        :math:`\nu` is their ``df_inference`` (infinite for the normal distribution), else ``df_resid``.
    level : float
        Of the intervals in ``table``.

    Returns
    -------
    Pooled

    Raises
    ------
    InvalidInputError
        For fewer than two results, or results that differ in coefficients or observations.

    References
    ----------
    Rubin, D. B. (1987). Multiple Imputation for Nonresponse in Surveys. Wiley, equations 3.1.2-3.1.10. Barnard, J. and
    Rubin, D. B. (1999). Small-sample degrees of freedom with multiple imputation. Biometrika 86, 948-955, equation 3.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.core.missing import fill_panel
    >>> from clusterlib.panel import fixed_effects
    >>> index = pd.MultiIndex.from_product([range(30), range(2018, 2024)], names=["unit", "year"])
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"x": random.normal(size=180)}, index=index)
    >>> data["y"] = 0.5 * data["x"] + random.normal(size=180)
    >>> data.loc[random.random(180) < 0.2, "x"] = np.nan
    >>> copies = fill_panel(data, {"x": "multiple 10"}).copies
    >>> pooled = pool([fixed_effects(copy, "y", "x") for copy in copies])
    >>> bool(0 < pooled.missing_information["x"] < 1)
    True
    """
    results = list(results)
    if len(results) < 2:
        raise InvalidInputError(f"{len(results)} results: pooling takes one for each of at least two copies")
    for number, result in enumerate(results, start=1):
        lacking = [name for name in ("params", "covariance", "df_resid") if not hasattr(result, name)]
        if lacking:
            raise InvalidInputError(f"result {number}, a {type(result).__name__}, has no {', '.join(lacking)}")
        if list(result.params.index) != list(results[0].params.index) or result.nobs != results[0].nobs:
            raise InvalidInputError(
                f"result {number} has other coefficients or observations than the first: pool one model over copies"
            )
    first, names, M = results[0], results[0].params.index, len(results)
    estimates = np.array([result.params.to_numpy(float) for result in results])
    inside = np.mean([result.covariance.loc[names, names].to_numpy(float) for result in results], axis=0)
    between = (1 + 1 / M) * np.atleast_2d(np.cov(estimates.T))
    total = inside + between
    known = [getattr(result, "df_inference", result.df_resid) for result in results]
    complete = min(NORMAL if df is None else float(df) for df in known)
    increase, share = np.diag(between) / np.diag(inside), np.diag(between) / np.diag(total)
    observed = 1 - share if np.isinf(complete) else (complete + 1) / (complete + 3) * complete * (1 - share)
    # Nothing filled makes no difference between copies: then the complete data's own.
    precision = share**2 / (M - 1) + (0.0 if np.isinf(complete) else 1 / observed)
    df = np.divide(1.0, precision, out=np.full(len(names), NORMAL), where=precision > 0)
    information = (increase + 2 / (df + 3)) / (1 + increase)
    return Pooled(
        params=pd.Series(estimates.mean(axis=0), names),
        covariance=pd.DataFrame(total, names, names),
        **{name: getattr(first, name) for name in ("nobs", "n_units", "n_periods", "df_resid")},
        df_inference=float(df.min()),
        level=check_level(level),
        settings={**getattr(first, "settings", {}), "copies": M},
        df=pd.Series(df, names),
        relative_increase=pd.Series(increase, names),
        missing_information=pd.Series(information, names),
        copies=M,
    )

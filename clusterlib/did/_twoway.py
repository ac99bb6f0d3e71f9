"""Regressions with unit and period effects (双向固定效应双重差分): static and by event time (事件研究法)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_labels, check_level, check_panel, check_whole, panel_index, place_of
from clusterlib.core.covariance import cluster_codes, cluster_factor, effect_codes
from clusterlib.core.resampling import wild_cluster_test
from clusterlib.core.results import Estimates, Test, coefficient_table
from clusterlib.core.within import Layout, collinear_columns, group_sums, least_squares, make_layout
from clusterlib.did._timing import first_treated, treated_now
from clusterlib.errors import InvalidInputError

TREATED = "treated"
REFERENCE = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class TreatmentEstimates(Estimates):
    """Estimates of a treatment's effects, with how many units are treated and the clusters of the errors."""

    treated_units: int
    clusters: int

    def _own_footer(self) -> dict[str, object]:
        return {"Treated units 处理个体数": self.treated_units, "Clusters 聚类数": self.clusters}


@dataclass(frozen=True, eq=False, kw_only=True)
class TwowayDiD(TreatmentEstimates):
    """Two-way fixed-effects difference-in-differences (双向固定效应双重差分).

    Attributes
    ----------
    params, covariance, std_errors, table, nobs, n_units, n_periods, df_resid, level, settings
        As of all estimates, by regressor, ``treated`` first.
    wild_p, wild_lower, wild_upper : float
        Of ``treated`` by the wild cluster bootstrap; missing without draws.
    treated_units, clusters : int
    draws, seed : int
        Of the bootstrap; ``draws`` is the number of sign vectors used.
    notes : tuple of str
        How coarse the bootstrap's p value is where there are few clusters.
    """

    wild_p: float = np.nan
    wild_lower: float = np.nan
    wild_upper: float = np.nan
    draws: int = 0
    seed: int
    notes: tuple[str, ...] = ()  # type: ignore[misc]

    @property
    def estimate(self) -> float:
        """The coefficient of being treated."""
        return float(self.params[TREATED])

    @property
    def std_error(self) -> float:
        """Its standard error by cluster."""
        return float(self.std_errors[TREATED])

    def _own_footer(self) -> dict[str, object]:
        wild = {"Wild bootstrap p 野自助法 p 值": self.wild_p} if self.draws else {}
        return super()._own_footer() | wild


def nested_clusters(cluster: str | pd.Series | None, layout: Layout, data: pd.DataFrame) -> np.ndarray:
    """Return the cluster of each row as codes from zero; by default, and for ``"entity"``, each unit is one."""
    codes = cluster_codes("entity" if cluster is None else cluster, layout, data)[0]
    return _check_nested(codes, layout, "cluster")


def _check_nested(codes: np.ndarray, layout: Layout, what: str) -> np.ndarray:
    first = np.flatnonzero(np.diff(layout.unit, prepend=-1))
    odd = codes != codes[first][layout.unit]
    if odd.any():
        unit = layout.units[layout.unit[np.argmax(odd)]]
        raise InvalidInputError(f"{what}: unit {place_of(unit)} is in more than one group; give it one in all periods")
    return codes


def tell_apart(raw: np.ndarray, left: np.ndarray, names: Iterable[object]) -> None:
    """Raise InvalidInputError naming the columns of which the effects and the other columns leave nothing."""
    lost = collinear_columns(left, np.linalg.norm(raw, axis=0))
    if lost:
        names = list(names)
        raise InvalidInputError(
            "cannot be told apart from the unit and period effects and the other regressors: "
            f"{', '.join(str(names[i]) for i in lost)}"
        )


def regress(outcome: np.ndarray, X: pd.DataFrame, layout: Layout, clusters: np.ndarray) -> dict[str, Any]:
    r"""Regress ``outcome`` on ``X`` with unit and period effects, errors clustered; return the fields of estimates.

    The covariance is multiplied by :math:`\frac{G}{G-1} \frac{N-1}{N-K}`, where :math:`K` counts the slopes and the
    period effects but not the unit effects, which are nested in the clusters.
    """
    raw, names = X.to_numpy(float), X.columns
    left = layout.within(np.column_stack([outcome, raw]))
    tell_apart(raw, left[:, 1:], names)
    fitted = least_squares(left[:, 0], left[:, 1:], list(names), layout.absorbed)
    n, k, g = layout.rows, len(names), int(clusters.max()) + 1
    scores = group_sums(left[:, 1:] * fitted.residuals[:, None], clusters, g)
    factor = cluster_factor(g, n, k + len(layout.periods))
    covariance = factor * fitted.inverse @ (scores.T @ scores) @ fitted.inverse
    return {
        "params": pd.Series(fitted.params, names, name="estimate"),
        "covariance": pd.DataFrame(covariance, names, names),
        "nobs": n,
        "n_units": len(layout.units),
        "n_periods": layout.index.get_level_values(1).nunique(),
        "df_resid": n - k - layout.absorbed,
        "df_inference": g - 1,
        "clusters": g,
    }


def reserve(names: Iterable[object], taken: Iterable[object]) -> None:
    """Raise InvalidInputError if a control has the name of one of the result's own coefficients."""
    for name in set(names) & set(taken):
        raise InvalidInputError(f"a control is called {name!r}, the name of the treatment's coefficient: rename it")


def _wild(
    outcome: np.ndarray, X: np.ndarray, layout: Layout, clusters: np.ndarray, draws: int, seed: int, level: float
) -> dict[str, Any]:
    """Test the first column of ``X`` by the restricted wild cluster bootstrap."""
    p, lower, upper, used, note = wild_cluster_test(
        outcome, X, effect_codes(layout), clusters, 0, draws=draws, seed=seed, level=level
    )
    return {"wild_p": p, "wild_lower": lower, "wild_upper": upper, "draws": used, "notes": tuple(filter(None, [note]))}


def twoway_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    controls: str | Iterable[str] = (),
    *,
    cluster: str | pd.Series | None = None,
    periods_by: str | pd.Series | None = None,
    draws: int = 999,
    seed: int = 0,
    level: float = 0.95,
) -> TwowayDiD:
    r"""Estimate a treatment effect by two-way fixed effects (双向固定效应双重差分).

    .. math:: y_{it} = \alpha_i + \lambda_t + \beta D_{it} + x_{it}'\gamma + \varepsilon_{it}

    With staggered adoption and effects that differ, :math:`\beta` is a weighted mean that also compares with units
    already treated: see :func:`goodman_bacon`. Standard errors are clustered, multiplied by
    :math:`\frac{G}{G-1}\frac{N-1}{N-K}` with :math:`K` slopes and period effects (unit effects are nested in the
    clusters), and tested by Student's distribution of :math:`G - 1` degrees of freedom. With few clusters those reject
    too often; the wild cluster bootstrap, with the null imposed and Rademacher signs, enumerates all :math:`2^G` sign
    vectors where ``draws`` reaches them. Its p value is at least :math:`2^{1-G}`, and its interval unbounded where
    this is not below one less ``level``. With very few *treated* clusters it may hardly ever reject: see
    :func:`placebo_test`.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); ``y`` and ``controls`` complete. Need not be balanced.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    controls : str or iterable of str
        Columns that vary within units.
    cluster : str or Series, optional
        Groups of units, a column or a Series by unit; by default each unit is a cluster.
    periods_by : str or Series, optional
        Groups of units, such as provinces, each of which has its own period effects.
    draws, seed : int
        Of the wild bootstrap; 0 leaves it out.
    level : float
        Of the intervals; the bootstrap's inverts its test.

    Returns
    -------
    TwowayDiD

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values; for regressors that the effects absorb; for no more rows than
        coefficients and effects.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Review of Economics and Statistics 90, 414-427.
    MacKinnon, J. G. and Webb, M. D. (2018). The Econometrics Journal 21, 114-135.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2014, 2015]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [1.0, 4.0, 2.0, 3.0, 5.0, 6.0]}, index=index)
    >>> round(twoway_did(data, "output", pd.Series({"a": 2015}), draws=0).estimate, 12)
    2.0
    """
    names, draws, seed = as_names(controls), check_whole("draws", draws), check_whole("seed", seed)
    check_level(level)
    frame = check_panel(data, [y, *names])
    reserve(names, [TREATED])
    first, index = first_treated(data, treatment), panel_index(frame)
    groups = None if periods_by is None else check_labels(periods_by, index, "periods_by", data)
    layout = make_layout(index, "twoway", periods_by=groups)
    if groups is not None:
        _check_nested(pd.factorize(groups)[0], layout, "periods_by")
    clusters = nested_clusters(cluster, layout, data)
    X = frame[names].assign(**{TREATED: treated_now(index, first).astype(float)})[[TREATED, *names]]
    outcome = frame[y].to_numpy()
    found = regress(outcome, X, layout, clusters)
    return TwowayDiD(
        **found,
        **(_wild(outcome, X.to_numpy(), layout, clusters, draws, seed, level) if draws else {}),
        treated_units=int(np.isfinite(first).sum()),
        seed=seed,
        level=level,
        settings={"y": y, "controls": names, "effects": "twoway", "periods_by": periods_by is not None},
    )


class Pretrend:
    """A result with a test that nothing differs before treatment."""

    pretrend: Test

    @property
    def tests(self) -> Mapping[str, Test]:
        """The joint test of what comes before treatment, where there is one."""
        return {} if np.isnan(self.pretrend.p_value) else {"pretrend": self.pretrend}

    @property
    def pretrend_statistic(self) -> float:
        """Statistic of the hypothesis that nothing differs before treatment."""
        return self.pretrend.statistic

    @property
    def pretrend_p(self) -> float:
        """Its p value."""
        return self.pretrend.p_value

    @property
    def pretrend_df(self) -> Any:
        """Its degrees of freedom."""
        return self.pretrend.df


@dataclass(frozen=True, eq=False, kw_only=True)
class EventStudy(Pretrend, TreatmentEstimates):
    """Two-way fixed-effects event study (双向固定效应事件研究).

    Attributes
    ----------
    params : Series
        Effects by ``event_time``; that of the reference period -1 is zero, without error. The first and the last event
        time also hold what lies beyond them.
    covariance : DataFrame
        Of the effects and the controls' coefficients.
    treated : Series
        Number of observations, by event time, that are treated sooner or later.
    table : DataFrame
        By event time: ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``, ``treated``.
    controls : DataFrame
        The same columns but the last for the controls.
    pretrend : Test
        That all leads are zero; ``pretrend_statistic``, ``pretrend_p`` and ``pretrend_df`` are its F statistic, p value
        and degrees of freedom. Missing where there are as many leads as clusters.
    nobs, n_units, n_periods, treated_units, clusters, leads, lags : int
    level : float
    """

    treated: pd.Series = field(repr=False)
    controls: pd.DataFrame = field(repr=False)
    pretrend: Test
    leads: int
    lags: int

    @property
    def table(self) -> pd.DataFrame:
        """Effects by event time."""
        return super().table.assign(treated=self.treated)


def _column(event_time: float) -> str:
    return f"event time {event_time:+.0f}"


def _dummies(event_time: np.ndarray, leads: int, lags: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return a column for each event time from -leads to lags but the reference, and how many rows each has."""
    # Never treated units have the event time minus infinity, which must not fall into the first bin.
    binned = np.where(np.isfinite(event_time), np.clip(event_time, -leads, lags), np.nan)
    wanted = range(-leads, lags + 1)
    count = pd.Series([(binned == e).sum() for e in wanted], index=pd.Index(list(wanted), name="event_time"))
    if not count[REFERENCE]:
        raise InvalidInputError("no treated unit is seen in the period before treatment, which the effects refer to")
    present = [e for e in wanted if e != REFERENCE and count[e]]
    columns = {_column(e): (binned == e).astype(float) for e in present}
    return pd.DataFrame(columns), count[count > 0]


def wald(b: np.ndarray, covariance: np.ndarray, clusters: int) -> float:
    """Return the Wald statistic of estimates that are zero, missing unless fewer than clusters and of full rank."""
    if not 0 < len(b) < clusters or np.linalg.matrix_rank(covariance, hermitian=True) < len(b):
        return np.nan
    return float(b @ np.linalg.solve(covariance, b))


def event_study(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    leads: int = 4,
    lags: int = 4,
    controls: str | Iterable[str] = (),
    *,
    cluster: str | pd.Series | None = None,
    level: float = 0.95,
) -> EventStudy:
    r"""Estimate effects before and after treatment by two-way fixed effects (事件研究法).

    With :math:`g_i` the first treated period and event time :math:`e = t - g_i`,

    .. math:: y_{it} = \alpha_i + \lambda_t + \sum_{e \ne -1} \beta_e
              \mathbf{1}\{\operatorname{clip}(t - g_i, -\text{leads}, \text{lags}) = e\} + x_{it}'\gamma
              + \varepsilon_{it},

    so the end bins hold all earlier and all later periods, and effects are relative to the period before treatment;
    never treated units have no event time. Standard errors as in :func:`twoway_did`. The leads
    :math:`e \le -2` are tested jointly by :math:`F = b' V^{-1} b / q` with :math:`(q, G - 1)` degrees of freedom. A
    test that does not reject may lack power, and with effects that differ between cohorts the coefficients mix them
    (Sun and Abraham 2021): :func:`staggered_did` does not.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); ``y`` and ``controls`` complete. Need not be balanced.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    leads, lags : int
        The earliest and latest event time with a coefficient of its own; ``leads`` at least 2, ``lags`` at least 0.
    controls : str or iterable of str
    cluster : str or Series, optional
        As in :func:`twoway_did`.
    level : float

    Returns
    -------
    EventStudy

    Raises
    ------
    InvalidInputError
        As :func:`twoway_did`, and where no treated unit is seen in the period before treatment.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Sun, L. and Abraham, S. (2021). Journal of Econometrics 225, 175-199. Schmidheiny, K. and Siegloch, S. (2023).
    Journal of Applied Econometrics 38, 695-713 (binned ends).

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c"], [2013, 2014, 2015]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [0.0, 0, 3, 0, 0, 0, 1, 1, 1]}, index=index)
    >>> study = event_study(data, "output", pd.Series({"a": 2015}), leads=2, lags=0)
    >>> float(study.table.loc[0, "estimate"].round(6))
    3.0
    """
    leads, lags = check_whole("leads", leads, least=2), check_whole("lags", lags)
    check_level(level)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    reserve(names, range(-leads, lags + 1))
    first, index = first_treated(data, treatment), panel_index(frame)
    time = index.get_level_values(1).to_numpy(float)
    dummies, count = _dummies(time - first.reindex(index.get_level_values(0)).to_numpy(), leads, lags)
    layout = make_layout(index, "twoway")
    clusters = nested_clusters(cluster, layout, data)
    X = pd.concat([dummies.set_axis(index), frame[names]], axis=1)
    found = regress(frame[y].to_numpy(), X, layout, clusters)
    labels, order = [*map(_column, count.index), *names], pd.Index([*count.index, *names], dtype=object)
    covariance = found["covariance"].reindex(index=labels, columns=labels, fill_value=0.0)
    covariance = found["covariance"] = covariance.set_axis(order).set_axis(order, axis=1)
    params = found["params"].reindex(labels, fill_value=0.0).set_axis(order)
    found["params"] = params.iloc[: len(count)].set_axis(count.index)
    before = [e for e in count.index if e < REFERENCE]
    df = (len(before), found["clusters"] - 1)
    b, of_leads = params[before].to_numpy(float), covariance.loc[before, before].to_numpy(float)
    statistic = wald(b, of_leads, found["clusters"]) / max(len(before), 1)
    errors = pd.Series(np.sqrt(np.diag(covariance.loc[names, names])), names)
    return EventStudy(
        **found,
        treated=count,
        controls=coefficient_table(params[names], errors, found["df_inference"], level),
        pretrend=Test.of("Joint test of leads 平行趋势联合检验", "all leads are zero", statistic, "F", df),
        treated_units=int(np.isfinite(first).sum()),
        leads=leads,
        lags=lags,
        level=level,
        settings={"y": y, "controls": names, "effects": "twoway", "reference": REFERENCE},
    )

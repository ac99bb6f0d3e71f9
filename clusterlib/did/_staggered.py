"""Group-time effects under staggered adoption (多期双重差分) after Callaway and Sant'Anna."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced, check_panel
from clusterlib.did._timing import first_treated, require_never_treated
from clusterlib.did._within import by_unit
from clusterlib.errors import InvalidInputError, UnknownNameError

CONTROL_GROUPS = {"never": "never_treated", "not-yet": "not_yet_treated"}
ESTIMATORS = {"doubly-robust": "dr", "regression": "reg", "weighting": "ipw"}
BASE_PERIODS = ("varying", "universal")
COLUMNS = ("estimate", "std_error", "p_value", "lower", "upper")


@dataclass(frozen=True)
class StaggeredDiD:
    """Effects by cohort and period, and their means.

    Attributes
    ----------
    group_time : DataFrame
        By ``cohort`` and ``period``: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``, ``after`` (whether
        the cohort is treated by then), ``treated`` and ``controls`` (units compared).
    event_study : DataFrame
        By ``event_time``: the same first five, and ``band_lower`` to ``band_upper``, which hold for all event times at
        once (only with draws).
    by_cohort : DataFrame
        By ``cohort``: the mean over its treated periods.
    overall : Series
        The mean over cohorts and treated periods: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``.
    pretrend_statistic, pretrend_p : float
        Wald statistic and p value of the hypothesis that all effects before treatment are zero (analytic covariance);
        missing where there are none or as many as clusters.
    pretrend_df : int
    control_group, estimator, base_period : str
    anticipation, draws, seed : int
    observations, units, treated_units, clusters : int
    level : float
    notes : tuple of str
        What diff-diff had to say on the way, such as propensity scores that were trimmed.
    """

    group_time: pd.DataFrame
    event_study: pd.DataFrame
    by_cohort: pd.DataFrame
    overall: pd.Series
    pretrend_statistic: float
    pretrend_p: float
    pretrend_df: int
    control_group: str
    estimator: str
    base_period: str
    anticipation: int
    draws: int
    seed: int
    observations: int
    units: int
    treated_units: int
    clusters: int
    level: float
    notes: tuple[str, ...] = ()

    def summary(self) -> pd.DataFrame:
        """Return the overall effect and that of each cohort."""
        cohorts = self.by_cohort.rename(index=lambda g: f"cohort {g:g}")
        return pd.concat([self.overall.to_frame("overall").T, cohorts[self.overall.index]]).rename_axis("effect")


def staggered_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    controls: str | Iterable[str] = (),
    *,
    control_group: str = "never",
    estimator: str = "doubly-robust",
    base_period: str = "varying",
    anticipation: int = 0,
    cluster: str | pd.Series | None = None,
    draws: int = 999,
    seed: int = 0,
    level: float = 0.95,
) -> StaggeredDiD:
    r"""Estimate group-time effects after Callaway and Sant'Anna (多期双重差分).

    For the cohort first treated in :math:`g` and without controls,

    .. math:: ATT(g, t) = E[Y_t - Y_b \mid G = g] - E[Y_t - Y_b \mid C],

    with :math:`C` the never treated (or those not yet treated by :math:`t`) and :math:`b` the base period: the last
    one before :math:`g` less ``anticipation``. Before treatment a varying base is the period before :math:`t`, so that
    each effect is a change of one period; a universal one is the same :math:`b` for all :math:`t`. Treated periods
    give the same either way. The overall effect weights :math:`ATT(g, t)`, :math:`t \ge g`, by the cohorts' sizes; the
    event study takes the mean over cohorts at the same :math:`e = t - g`, so its cohorts differ from one :math:`e` to
    another. Computed by the package diff-diff; analytic errors come from the influence function (normal distribution;
    with ``cluster`` multiplied by :math:`\sqrt{G/(G-1)}` and Student's distribution), or from the multiplier bootstrap
    with Rademacher weights (percentile intervals and p values).

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), balanced; ``y`` and ``controls`` complete. A year may be missing for all units: the
        base is then the nearest period observed.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    controls : str or iterable of str
        Trends are parallel given these; their values in the base period count.
    control_group : {"never", "not-yet"}
    estimator : {"doubly-robust", "regression", "weighting"}
        How controls enter; without controls all three are the difference of mean changes.
    base_period : {"varying", "universal"}
    anticipation : int
        Periods before treatment in which it may already have an effect.
    cluster : str or Series, optional
        Groups of units; by default each unit is a cluster.
    draws, seed : int
        Of the multiplier bootstrap; 0 for analytic errors.
    level : float
        Of the intervals.

    Returns
    -------
    StaggeredDiD

    A cohort of one unit shows no spread: its errors hold that of the controls only, and with few treated units all
    errors are too small. Use :func:`placebo_test` there.

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values, a panel that is not balanced, no never treated units where they
        are the control group, or a propensity score that cannot be estimated.
    UnknownNameError
        For a name that is not a column, or an unknown choice.

    References
    ----------
    Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple time periods. Journal of
    Econometrics 225, 200-230, sections 2 to 4.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcd"), [2014, 2015, 2016]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [0.0, 3, 5, 1, 4, 4, 0, 1, 2, 0, 1, 0]}, index=index)
    >>> result = staggered_did(data, "output", pd.Series({"a": 2015, "b": 2015}), draws=0)
    >>> result.group_time["estimate"].tolist()
    [2.0, 3.0]
    """
    _check_choices(control_group, estimator, base_period, anticipation, draws)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    check_balanced(frame)
    first = first_treated(data, treatment)
    if control_group == "never":
        require_never_treated(first, "control_group='never'", "use control_group='not-yet'")
    groups = None if cluster is None else by_unit(data, frame.index, cluster, "clusters")
    start = float(frame.index.get_level_values(1).min())
    settings = {
        "control_group": CONTROL_GROUPS[control_group],
        "estimation_method": ESTIMATORS[estimator],
        "base_period": base_period,
        "anticipation": anticipation,
        "alpha": 1 - level,
        "n_bootstrap": draws,
        "seed": seed,
    }
    long = _long(frame, y, names, first, start, groups)
    return StaggeredDiD(
        **_estimates(long, names, groups is not None, settings, start),
        control_group=control_group,
        estimator=estimator,
        base_period=base_period,
        anticipation=anticipation,
        draws=draws,
        seed=seed,
        observations=len(frame),
        units=len(first),
        treated_units=int(np.isfinite(first).sum()),
        level=level,
    )


def _check_choices(control_group: str, estimator: str, base_period: str, anticipation: int, draws: int) -> None:
    for kind, value, valid in (
        ("control group", control_group, CONTROL_GROUPS),
        ("estimator", estimator, ESTIMATORS),
        ("base period", base_period, BASE_PERIODS),
    ):
        if value not in valid:
            raise UnknownNameError(kind, value, valid)
    if anticipation < 0 or draws < 0:
        raise InvalidInputError(f"anticipation={anticipation}, draws={draws}: expected whole numbers of at least zero")


def _long(
    frame: pd.DataFrame, y: str, controls: list[str], first: pd.Series, start: float, groups: np.ndarray | None
) -> pd.DataFrame:
    """Return the panel as the package wants it; time is counted from one, since zero stands for never treated."""
    unit, time = (frame.index.get_level_values(level) for level in (0, 1))
    shifted = (first - start + 1).where(np.isfinite(first), 0.0)
    long = pd.DataFrame(
        {
            "unit": pd.factorize(unit)[0],
            "time": time.to_numpy(float) - start + 1,
            "outcome": frame[y].to_numpy(),
            "first": shifted.reindex(unit).to_numpy(),
        }
    )
    for i, name in enumerate(controls):
        long[_control(i)] = frame[name].to_numpy()
    return long if groups is None else long.assign(group=groups)


def _control(i: int) -> str:
    return f"control_{i}"


def _fit(long: pd.DataFrame, controls: list[str], clustered: bool, settings: dict) -> tuple:
    """Fit and return what the package found and said; its errors become the user's."""
    from diff_diff import CallawaySantAnna

    estimator = CallawaySantAnna(cluster="group" if clustered else None, **settings)
    covariates = [_control(i) for i in range(len(controls))] or None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = estimator.fit(long, "outcome", "unit", "time", "first", covariates=covariates)
            study, by_cohort = found.aggregate("event_study"), found.aggregate("group")
        except (ValueError, np.linalg.LinAlgError) as error:
            raise InvalidInputError(
                f"effects by cohort and period cannot be estimated: {error}; try fewer controls, "
                "estimator='regression' or other control units"
            ) from error
    # The base period itself is set to zero without error, which the bootstrap remarks on.
    said = dict.fromkeys(str(w.message) for w in caught if "Returning NaN for SE" not in str(w.message))
    return found, study, by_cohort, tuple(said)


def _estimates(long: pd.DataFrame, controls: list[str], clustered: bool, settings: dict, start: float) -> dict:
    """Return what the result holds of the estimates: tables, overall effect, test of the periods before, notes."""
    found, study, by_cohort, notes = _fit(long, controls, clustered, settings)
    clusters = found.n_clusters or long["unit"].nunique()
    statistic, p, df = _wald(study, -settings["anticipation"], clusters)
    overall = [found.overall_att, found.overall_se, found.overall_p_value, *found.overall_conf_int]
    return {
        "group_time": _group_time(found, start),
        "event_study": _event_study(study),
        "by_cohort": _by_cohort(by_cohort, start),
        "overall": pd.Series(overall, index=COLUMNS),
        "pretrend_statistic": statistic,
        "pretrend_p": p,
        "pretrend_df": df,
        "clusters": clusters,
        "notes": notes,
    }


def _group_time(found, start: float) -> pd.DataFrame:
    rows = {
        (float(g) + start - 1, float(t) + start - 1): (
            cell["effect"],
            cell["se"],
            cell["p_value"],
            *cell["conf_int"],
            t >= g,
            cell["n_treated"],
            cell["n_control"],
        )
        for (g, t), cell in found.group_time_effects.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*COLUMNS, "after", "treated", "controls"])
    return table.set_axis(pd.MultiIndex.from_tuples(table.index, names=["cohort", "period"])).sort_index()


def _event_study(study) -> pd.DataFrame:
    missing = np.full(len(study.event_time), np.nan)
    return pd.DataFrame(
        {
            "estimate": study.att,
            "std_error": study.se,
            "p_value": study.p_value,
            "lower": study.conf_int_lower,
            "upper": study.conf_int_upper,
            "band_lower": missing if study.cband_lower is None else study.cband_lower,
            "band_upper": missing if study.cband_upper is None else study.cband_upper,
        },
        index=pd.Index(np.asarray(study.event_time).astype(int), name="event_time"),
    )


def _by_cohort(group, start: float) -> pd.DataFrame:
    values = (group.att, group.se, group.p_value, group.conf_int_lower, group.conf_int_upper)
    cohorts = pd.Index([float(g) + start - 1 for g in group.label], name="cohort")
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=cohorts, dtype=float)


def _wald(study, end: int, clusters: int) -> tuple[float, float, int]:
    """Test that all effects before event time ``end`` are zero, those of the base period apart."""
    from scipy.stats import chi2

    times = np.asarray(study.vcov_index if study.vcov is not None else [], dtype=float)
    chosen = np.flatnonzero(times < end)
    q = len(chosen)
    if not q or q >= clusters:
        return np.nan, np.nan, q
    place = pd.Index(np.asarray(study.event_time, dtype=float)).get_indexer(times[chosen])
    b, covariance = np.asarray(study.att)[place], np.asarray(study.vcov)[np.ix_(chosen, chosen)]
    if np.linalg.matrix_rank(covariance, hermitian=True) < q:
        return np.nan, np.nan, q
    statistic = float(b @ np.linalg.solve(covariance, b))
    return statistic, float(chi2.sf(statistic, q)), q

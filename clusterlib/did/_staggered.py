"""Group-time effects under staggered adoption (多期双重差分) after Callaway and Sant'Anna."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_names,
    check_balanced,
    check_choice,
    check_level,
    check_panel,
    check_whole,
    listed,
    panel_index,
)
from clusterlib.core.resampling import standard_error
from clusterlib.core.results import Result, Test, coefficient_table, test_lines
from clusterlib.core.within import group_sums, make_layout
from clusterlib.did._timing import first_treated
from clusterlib.did._twoway import Pretrend, nested_clusters, wald
from clusterlib.errors import InvalidInputError

CONTROL_GROUPS = {"never": "never_treated", "not-yet": "not_yet_treated"}
ESTIMATORS = {"doubly-robust": "dr", "regression": "reg", "weighting": "ipw"}
BASE_PERIODS = ("varying", "universal")
COLUMNS = ["estimate", "std_error", "p_value", "lower", "upper"]


@dataclass(frozen=True, eq=False, kw_only=True)
class StaggeredDiD(Pretrend, Result):
    """Difference-in-differences under staggered adoption after Callaway and Sant'Anna (多期双重差分).

    Attributes
    ----------
    table : DataFrame
        The overall effect and that of each cohort: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``.
    group_time : DataFrame
        By ``cohort`` and ``period``: the same columns, ``after`` (whether the cohort is treated by then), ``treated``
        and ``controls`` (units compared); missing where the effect cannot be estimated.
    event_study : DataFrame
        By ``event_time``: the same first five, and ``band_lower`` to ``band_upper``, which hold for all event times at
        once (only with draws).
    covariance : DataFrame
        Analytic, of the event study, by ``event_time``.
    by_cohort : DataFrame
        By ``cohort``: the mean over its treated periods, t at least g.
    overall : Series
        The mean over cohorts and treated periods: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``.
    pretrend : Test
        That all effects before treatment, and before its anticipation, are zero (analytic covariance);
        ``pretrend_statistic``, ``pretrend_p`` and ``pretrend_df`` are its Wald statistic, p value and degrees of
        freedom. Missing where there are none or as many as clusters.
    control_group, estimator, base_period : str
    anticipation, draws, seed : int
    nobs, n_units, n_periods, treated_units, clusters : int
    level : float
    notes : tuple of str
        Cohorts that cannot be estimated, and what diff-diff had to say on the way, such as propensity scores that were
        trimmed.
    """

    group_time: pd.DataFrame = field(repr=False)
    event_study: pd.DataFrame = field(repr=False)
    covariance: pd.DataFrame = field(repr=False)
    by_cohort: pd.DataFrame = field(repr=False)
    overall: pd.Series = field(repr=False)
    pretrend: Test = field(repr=False)
    control_group: str
    estimator: str
    base_period: str
    anticipation: int
    draws: int
    seed: int
    nobs: int
    n_units: int
    n_periods: int
    treated_units: int
    clusters: int
    level: float
    notes: tuple[str, ...] = ()  # type: ignore[misc]

    @property
    def table(self) -> pd.DataFrame:
        """The overall effect and that of each cohort."""
        cohorts = self.by_cohort.rename(index=lambda g: f"cohort {g:g}")
        return pd.concat([self.overall.to_frame("overall").T, cohorts]).rename_axis("effect")

    @property
    def footer(self) -> Mapping[str, object]:
        """What made the estimates, and the joint test of the periods before treatment."""
        return {**super().footer, **test_lines(self.tests.values())}


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
    another. Periods of anticipation, :math:`t < g`, are no treated periods. A cohort without a period before :math:`g`
    less ``anticipation`` has no base and is left out, which the notes say.

    :math:`ATT(g, t)` and its influence function :math:`\psi_{gt}` come from the package diff-diff. A mean
    :math:`\theta = \sum w_{gt} ATT(g, t)` with weights that rest on the cohorts' sizes :math:`n_g` has

    .. math:: \psi_i = \sum_{g, t} w_{gt} \left( \psi_{gt, i}
              + \mathbf{1}\{G_i = g\} \frac{ATT(g, t) - \theta}{n_g} \right), \quad V = \sum_i \psi_i^2

    (normal distribution; with ``cluster``, sums by cluster around their mean, multiplied by :math:`G/(G-1)`, and
    Student's distribution). With draws, errors come from the multiplier bootstrap of :math:`\psi` with Rademacher
    weights (percentile intervals and p values).

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
        are the control group, no cohort with a period before treatment and its anticipation, or a propensity score that
        cannot be estimated.
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
    anticipation = check_whole("anticipation", anticipation, unit="periods")
    options = {
        "control_group": CONTROL_GROUPS[check_choice("control group", control_group, CONTROL_GROUPS)],
        "estimation_method": ESTIMATORS[check_choice("estimator", estimator, ESTIMATORS)],
        "base_period": check_choice("base period", base_period, BASE_PERIODS),
        "anticipation": anticipation,
    }
    draws, seed = check_whole("draws", draws), check_whole("seed", seed)
    check_level(level)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    check_balanced(frame)
    first = first_treated(data, treatment)
    if control_group == "never" and np.isfinite(first).all():
        raise InvalidInputError(
            f"control_group='never' needs units that are never treated, and all {len(first)} are treated; use "
            "control_group='not-yet'"
        )
    first, notes = _with_base(first, float(frame.index.get_level_values(1).min()), anticipation)
    frame = frame[frame.index.get_level_values(0).isin(first.index)]
    n, periods = check_balanced(frame)
    layout = make_layout(panel_index(frame), "entity")
    groups = None if cluster is None else nested_clusters(cluster, layout, data)[::periods]
    cells, influence, said = _cells(frame, y, names, first, options)
    if not (cells["after"] & cells["estimate"].notna()).any():
        raise InvalidInputError(f"no effect after treatment can be estimated: {'; '.join(said)}")
    estimates, influence = _with_means(cells, influence, first)
    table, covariance = _inference(estimates, influence, groups, draws, seed, level)
    kinds = table.index.get_level_values(0)
    found = {kind: table[kinds == kind].droplevel(0) for kind in ("cell", "overall", "cohort", "event")}
    study = found["event"].set_axis(found["event"].index.astype(int)).rename_axis("event_time")
    of_study = covariance[np.ix_(kinds == "event", kinds == "event")]
    clusters = n if groups is None else int(groups.max()) + 1
    return StaggeredDiD(
        group_time=found["cell"][COLUMNS].set_axis(cells.index).join(cells[["after", "treated", "controls"]]),
        event_study=study,
        covariance=pd.DataFrame(of_study, study.index, study.index),
        by_cohort=found["cohort"][COLUMNS].rename_axis("cohort"),
        overall=found["overall"][COLUMNS].iloc[0].rename(None),
        pretrend=_pretrend(study["estimate"], of_study, -anticipation, clusters),
        control_group=control_group,
        estimator=estimator,
        base_period=base_period,
        anticipation=anticipation,
        draws=draws,
        seed=seed,
        nobs=len(frame),
        n_units=n,
        n_periods=periods,
        treated_units=int(np.isfinite(first).sum()),
        clusters=clusters,
        level=level,
        notes=(*notes, *said),
    )


def _with_base(first: pd.Series, start: float, anticipation: int) -> tuple[pd.Series, list[str]]:
    """Return the dates without cohorts that have no period before their anticipation, and a note of these."""
    out = first[first - anticipation <= start]
    if out.empty:
        return first, []
    cohorts = listed(f"{g:g}" for g in sorted(out.unique()))
    said = f"no period before {anticipation} period(s) of anticipation of the cohort(s) {cohorts}"
    if len(out) == np.isfinite(first).sum():
        raise InvalidInputError(f"{said}: no effect can be estimated; begin the panel earlier or anticipate less")
    return first.drop(out.index), [f"{said}: {len(out)} unit(s) left out"]


def long_frame(
    frame: pd.DataFrame, y: str, controls: list[str], first: pd.Series
) -> tuple[pd.DataFrame, float, list[str]]:
    """Return a panel as diff-diff wants it, what time is shifted by, and the columns of controls.

    Time is counted from one, since zero stands for never treated.
    """
    unit, time = (frame.index.get_level_values(level) for level in (0, 1))
    shift = 1 - float(time.min())
    columns = {f"control_{i}": frame[name].to_numpy() for i, name in enumerate(controls)}
    own = {
        "unit": pd.factorize(unit)[0],
        "time": time.to_numpy(float) + shift,
        "outcome": frame[y].to_numpy(),
        "first": (first + shift).where(np.isfinite(first), 0.0).reindex(unit).to_numpy(),
    }
    return pd.DataFrame(own | columns), shift, list(columns)


def _cells(
    frame: pd.DataFrame, y: str, controls: list[str], first: pd.Series, options: dict[str, Any]
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Return effects by cohort and period, their influence functions (units by cells), and what the package said."""
    from diff_diff import CallawaySantAnna

    long, shift, columns = long_frame(frame, y, controls, first)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = CallawaySantAnna(n_bootstrap=0, **options).fit(
                long, "outcome", "unit", "time", "first", covariates=columns or None
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            raise InvalidInputError(
                f"effects by cohort and period cannot be estimated: {error}; try fewer controls, "
                "estimator='regression' or other control units"
            ) from error
    keys = sorted(found.group_time_effects)
    effects = [found.group_time_effects[key] for key in keys]
    cells = pd.DataFrame(
        {
            "estimate": [float(effect["effect"]) for effect in effects],
            "after": [t >= g for g, t in keys],
            "treated": [effect["n_treated"] for effect in effects],
            "controls": [effect["n_control"] for effect in effects],
        },
        index=pd.MultiIndex.from_tuples([(g - shift, t - shift) for g, t in keys], names=["cohort", "period"]),
    )
    # Its aggregations count periods of anticipation as treated, so that only what they are made of is taken.
    kit, influence = found._aggregation_kit, np.zeros((len(first), len(keys)))
    parts = kit.influence if kit else {}
    for column, key in enumerate(keys):
        for group in ("treated", "control") if key in parts else ():
            influence[parts[key][f"{group}_idx"], column] = parts[key][f"{group}_inf"]
    return cells, influence, list(dict.fromkeys(str(warning.message) for warning in caught))


def _with_means(cells: pd.DataFrame, influence: np.ndarray, first: pd.Series) -> tuple[pd.Series, pd.DataFrame]:
    """Return effects of cells and their means, by kind and label, and the influence functions of all.

    Kinds are ``cell``, ``overall``, ``cohort`` and ``event``; weights are the sizes of cohorts, whose shares are
    estimated too.
    """
    cohort, period = (cells.index.get_level_values(level).to_numpy(float) for level in (0, 1))
    known = cells["estimate"].notna().to_numpy()
    after, size = cells["after"].to_numpy() & known, first.value_counts()[cohort].to_numpy(float)
    chosen = {("overall", 0.0): after}
    chosen |= {("cohort", g): after & (cohort == g) for g in np.unique(cohort[after])}
    chosen |= {("event", e): known & (period - cohort == e) for e in np.unique((period - cohort)[known])}
    weights = np.column_stack([mask * size / size[mask].sum() for mask in chosen.values()])
    effects = cells["estimate"].fillna(0.0).to_numpy()
    means = weights.T @ effects
    member = (first.to_numpy()[:, None] == cohort) / size
    of_means = influence @ weights + member @ (weights * (effects[:, None] - means))
    labels = pd.MultiIndex.from_tuples([*(("cell", float(i)) for i in range(len(cells))), *chosen])
    estimates = pd.Series([*cells["estimate"], *means], labels, name="estimate")
    return estimates, pd.DataFrame(np.column_stack([influence, of_means]), first.index, labels)


def _inference(
    estimates: pd.Series, influence: pd.DataFrame, groups: np.ndarray | None, draws: int, seed: int, level: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return estimates with errors, p values, intervals and bands, and their analytic covariance.

    Without a spread, as in the base period itself, there are no errors.
    """
    psi, labels = influence.to_numpy(), influence.columns
    if groups is not None:
        psi = group_sums(psi, groups, int(groups.max()) + 1)
    g = len(psi)
    centred = psi if groups is None else (psi - psi.mean(axis=0)) * np.sqrt(g / (g - 1))
    covariance = centred.T @ centred
    if not draws:
        errors = pd.Series(np.sqrt(np.diag(covariance)), labels)
        table = coefficient_table(estimates, errors.where(errors > 0), None if groups is None else g - 1, level)
        return table[COLUMNS].assign(band_lower=np.nan, band_upper=np.nan), covariance
    from diff_diff.bootstrap_chunking import iter_weight_blocks

    blocks = iter_weight_blocks(draws, g, "rademacher", np.random.default_rng(seed))
    moved = np.concatenate([block @ psi for _, block in blocks])
    errors = pd.Series(standard_error(moved), labels)
    drawn = estimates.to_numpy() + moved
    beyond = np.where(estimates >= 0, drawn <= 0, drawn >= 0).mean(axis=0)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    p_value = np.clip(2 * beyond, 1 / (draws + 1), 1)
    table = pd.DataFrame({"std_error": errors, "p_value": p_value, "lower": lower, "upper": upper}, labels)
    table = table.where(errors > 0)
    events = (labels.get_level_values(0) == "event") & (errors > 0).to_numpy()
    reach = (
        np.quantile(np.abs(moved[:, events] / errors[events].to_numpy()).max(axis=1), level) if events.any() else np.nan
    )
    band = reach * table["std_error"]
    table = table.assign(band_lower=estimates - band, band_upper=estimates + band)
    table.insert(0, "estimate", estimates)
    return table.where(estimates.notna()), covariance


def _pretrend(estimates: pd.Series, covariance: np.ndarray, end: int, clusters: int) -> Test:
    """Test that all effects before event time ``end`` are zero, those of the base period apart."""
    chosen = (estimates.index < end) & (np.diag(covariance) > 0)
    statistic = wald(estimates.to_numpy()[chosen], covariance[np.ix_(chosen, chosen)], clusters)
    null = "all effects before treatment are zero"
    return Test.of("Joint test before treatment 平行趋势联合检验", null, statistic, "chi2", int(chosen.sum()))

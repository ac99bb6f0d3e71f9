"""Effects under staggered adoption by imputing what would have been (插补估计量) after Borusyak, Jaravel and Spiess."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_level, check_panel, listed, panel_index
from clusterlib.core.results import Result, coefficient_table
from clusterlib.core.within import Layout, least_squares, make_layout
from clusterlib.did._staggered import COLUMNS, long_frame
from clusterlib.did._timing import first_treated, treated_now
from clusterlib.did._twoway import nested_clusters, tell_apart
from clusterlib.errors import InvalidInputError


@dataclass(frozen=True, eq=False, kw_only=True)
class ImputationDiD(Result):
    """Difference-in-differences by imputation after Borusyak, Jaravel and Spiess (插补法双重差分).

    Attributes
    ----------
    table : DataFrame
        The overall effect and that of each cohort: ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper``.
    overall : Series
        The mean over all treated observations.
    by_cohort, event_study : DataFrame
        The same columns by ``cohort`` and by ``event_time`` from 0 on.
    effects : Series
        What is observed less what is imputed, by treated (unit, time).
    nobs, n_units, n_periods, treated_units, clusters : int
    level : float
    notes : tuple of str
        Treated observations without a counterfactual.
    """

    overall: pd.Series = field(repr=False)
    by_cohort: pd.DataFrame = field(repr=False)
    event_study: pd.DataFrame = field(repr=False)
    effects: pd.Series = field(repr=False)
    nobs: int
    n_units: int
    n_periods: int
    treated_units: int
    clusters: int
    level: float
    settings: dict = field(repr=False)
    notes: tuple[str, ...] = ()  # type: ignore[misc]

    @property
    def table(self) -> pd.DataFrame:
        """The overall effect and that of each cohort."""
        cohorts = self.by_cohort.rename(index=lambda g: f"cohort {g:g}")
        return pd.concat([self.overall.to_frame("overall").T, cohorts]).rename_axis("effect")


def imputation_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    controls: str | Iterable[str] = (),
    *,
    cluster: str | pd.Series | None = None,
    level: float = 0.95,
) -> ImputationDiD:
    r"""Estimate effects by imputing what treated units would have been (插补法双重差分).

    The observations not, or not yet, treated give :math:`\hat\alpha_i, \hat\lambda_t, \hat\gamma`; then

    .. math:: \hat\tau_{it} = y_{it} - \hat\alpha_i - \hat\lambda_t - x_{it}'\hat\gamma \;\; (t \ge g_i), \quad
              \hat\tau = \sum w_{it} \hat\tau_{it}, \quad
              \hat V = \sum_c \Big(\sum_{it \in c} v_{it} \tilde\varepsilon_{it}\Big)^2

    with equal weights over all treated observations, over those of a cohort, or of an event time. No effect is compared
    with one already treated, and under errors of one variance without serial correlation it is the most precise
    unbiased estimator; unlike :func:`staggered_did` it leans on all periods before treatment and not on the last.
    :math:`v_{it}` are the weights with which :math:`\hat\tau` is linear in y, c clusters;
    :math:`\tilde\varepsilon` are the residuals of the untreated, and for the treated :math:`\hat\tau_{it}` less a mean
    over the cohort at that event time, so that errors are too large where effects differ within it, and hold no spread
    of a cohort of one unit. The normal distribution, or with ``cluster`` Student's with G - 1 degrees of freedom.
    Errors are computed by the package diff-diff.

    Nothing is told of the periods before treatment, to which the model is fitted: see the tests of
    :func:`event_study` and :func:`staggered_did`.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); ``y`` and ``controls`` complete. Need not be balanced.
    y : str
    treatment : str or Series
        As in :func:`first_treated`. Where effects are anticipated, give the dates at which that begins.
    controls : str or iterable of str
        Columns that vary within units and that treatment does not change.
    cluster : str or Series, optional
        Groups of units; by default each unit is a cluster.
    level : float

    Returns
    -------
    ImputationDiD

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values, untreated observations that fall into parts with no unit or period
        in common, treated units all of which lack a counterfactual, or controls that the effects absorb.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs: robust and efficient estimation.
    Review of Economic Studies 91, 3253-3285, theorems 2 and 3, proposition 9.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcd"), [2014, 2015, 2016]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [0.0, 3, 5, 1, 4, 4, 0, 1, 2, 0, 1, 0]}, index=index)
    >>> result = imputation_did(data, "output", pd.Series({"a": 2015, "b": 2015}))
    >>> result.event_study["estimate"].round(6).tolist()
    [2.0, 3.0]
    """
    check_level(level)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    first, index = first_treated(data, treatment), panel_index(frame)
    now = treated_now(index, first)
    time = index.get_level_values(1).to_numpy(float)
    event = time - first.reindex(index.get_level_values(0)).to_numpy()
    groups = nested_clusters(cluster, make_layout(index, "entity"), data)
    clusters = int(groups.max()) + 1
    df = None if cluster is None else clusters - 1
    untreated = make_layout(index[~now], "twoway")
    _check_joined(len(untreated.units) + len(untreated.periods) - untreated.absorbed)
    effects = _effects(frame[[y, *names]], now, untreated)
    known = effects.notna()
    if not known.any():
        raise InvalidInputError("no treated unit has a period before treatment and others untreated when it is treated")
    notes = []
    if not known.all():
        gone = effects.index[~known]
        notes = [f"{len(gone)} treated observation(s) without others untreated then, left out: {listed(gone)}"]
    estimates = pd.Series(
        {key: effects[rows & known].mean() for key, rows in _targets(first, event[now], effects.index).items()}
    )
    kept, found = estimates.index[estimates.notna()], _std_errors(frame, y, names, first, groups)
    table = coefficient_table(estimates[kept], found.reindex(kept).where(lambda error: error > 0), df, level)[COLUMNS]
    kinds = table.index.get_level_values(0)
    parts = {kind: table[kinds == kind].droplevel(0) for kind in ("overall", "cohort", "event")}
    study = parts["event"].set_axis(parts["event"].index.astype(int)).rename_axis("event_time")
    return ImputationDiD(
        overall=parts["overall"].iloc[0].rename(None),
        by_cohort=parts["cohort"].rename_axis("cohort"),
        event_study=study,
        effects=effects,
        nobs=len(frame),
        n_units=len(first),
        n_periods=len(np.unique(time)),
        treated_units=int(np.isfinite(first).sum()),
        clusters=clusters,
        level=level,
        settings={"y": y, "controls": tuple(names)},
        notes=tuple(notes),
    )


def _check_joined(parts: int) -> None:
    if parts > 1:
        raise InvalidInputError(
            f"the untreated observations fall into {parts} parts that have no unit and no period in common, so that "
            "nothing tells what a unit of one would have been in a period of another: leave out all parts but one"
        )


def _targets(first: pd.Series, event: np.ndarray, index: pd.Index) -> dict[tuple[str, float], np.ndarray]:
    """Return which treated rows each mean is over, by kind and label."""
    cohort = first.reindex(index.get_level_values(0)).to_numpy()
    targets = {("overall", 0.0): np.full(len(index), True)}
    targets |= {("cohort", g): cohort == g for g in np.unique(cohort)}
    return targets | {("event", e): event == e for e in np.unique(event)}


def _effects(frame: pd.DataFrame, now: np.ndarray, untreated: Layout) -> pd.Series:
    """Return what is observed less what the untreated observations say, by treated row; y is the first column."""
    raw = frame.to_numpy()
    left = untreated.within(raw[~now])
    tell_apart(raw[~now, 1:], left[:, 1:], frame.columns[1:])
    slopes = least_squares(left[:, 0], left[:, 1:], list(frame.columns[1:]), untreated.absorbed).params
    net = raw[:, :1] - raw[:, 1:] @ slopes[:, None]
    of_units, of_periods = untreated.twoway_effects(net[~now])
    index = panel_index(frame)[now]
    unit, time = (
        levels.get_indexer(index.get_level_values(level))
        for level, levels in enumerate((untreated.units, untreated.periods))
    )
    effects = net[now, 0] - of_units[unit, 0] - of_periods[time, 0]
    return pd.Series(np.where((unit >= 0) & (time >= 0), effects, np.nan), index, name="effect")


def _std_errors(frame: pd.DataFrame, y: str, controls: list[str], first: pd.Series, groups: np.ndarray) -> pd.Series:
    """Return standard errors by kind and label."""
    from diff_diff import ImputationDiD as Imputation

    long, shift, columns = long_frame(frame, y, controls, first)
    outcome = long["outcome"] - long["outcome"].groupby(long["unit"]).transform("mean")
    size = float(outcome.abs().max()) or 1.0
    long = long.assign(outcome=outcome / size, cluster=groups)
    with warnings.catch_warnings():
        # Observations without a counterfactual, which the notes name.
        warnings.simplefilter("ignore")
        fit = Imputation(cluster="cluster").fit(long, "outcome", "unit", "time", "first", covariates=columns or None)
        cohorts, events = fit.aggregate("group"), fit.aggregate("event_study")
    errors = {("overall", 0.0): fit.overall_se}
    errors |= {("cohort", float(g) - shift): se for g, se in zip(cohorts.label, cohorts.se, strict=True)}
    errors |= {("event", float(e)): se for e, se in zip(events.event_time, events.se, strict=True)}
    return size * pd.Series(errors)

"""Two-way fixed-effects event study (事件研究法) with a joint test of the leads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel
from clusterlib.core.results import coefficient_table
from clusterlib.did._timing import first_treated
from clusterlib.did._within import Fit, effects_of, fit
from clusterlib.errors import InvalidInputError

REFERENCE = -1


@dataclass(frozen=True)
class EventStudy:
    """Effects by time since treatment.

    Attributes
    ----------
    table : DataFrame
        By ``event_time``: ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``, and the
        number of observations that are ``treated`` sooner or later; the reference period -1 is zero without error. The
        first and the last event time also hold what lies beyond them.
    controls : DataFrame
        The same columns for the controls.
    pretrend_statistic, pretrend_p : float
        F statistic and p value of the hypothesis that all leads are zero; missing where there are as many leads as
        clusters.
    pretrend_df : tuple of int
        Its degrees of freedom.
    observations, units, treated_units, clusters, leads, lags : int
    level : float
    """

    table: pd.DataFrame
    controls: pd.DataFrame
    pretrend_statistic: float
    pretrend_p: float
    pretrend_df: tuple[int, int]
    observations: int
    units: int
    treated_units: int
    clusters: int
    leads: int
    lags: int
    level: float

    def summary(self) -> pd.DataFrame:
        """Return the effects by event time."""
        return self.table


def _column(event_time: float) -> str:
    return f"event time {event_time:+.0f}"


def _dummies(event_time: np.ndarray, leads: int, lags: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return a column for each event time from -leads to lags but the reference, and how many rows each has."""
    # Never treated units have the event time minus infinity, which must not fall into the first bin.
    binned = np.where(np.isfinite(event_time), np.clip(event_time, -leads, lags), np.nan)
    wanted = np.arange(-leads, lags + 1)
    count = pd.Series([(binned == e).sum() for e in wanted], index=pd.Index(wanted, name="event_time"))
    if not count[REFERENCE]:
        raise InvalidInputError("no treated unit is seen in the period before treatment, which the effects refer to")
    present = [e for e in wanted if e != REFERENCE and count[e]]
    columns = {_column(e): (binned == e).astype(float) for e in present}
    return pd.DataFrame(columns), count[count > 0]


def _wald(fitted: Fit, names: list[str]) -> tuple[float, float, tuple[int, int]]:
    from scipy.stats import f

    q, df = len(names), fitted.df
    if not q or q > df:
        return np.nan, np.nan, (q, df)
    b = fitted.params[names].to_numpy()
    statistic = float(b @ np.linalg.solve(fitted.covariance.loc[names, names].to_numpy(), b)) / q
    return statistic, float(f.sf(statistic, q, df)), (q, df)


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
    if leads < 2 or lags < 0:
        raise InvalidInputError(f"leads={leads}, lags={lags}: expected at least 2 leads, of which one is the reference")
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    first = first_treated(data, treatment)
    time = frame.index.get_level_values(1).to_numpy(float)
    dummies, count = _dummies(time - first.reindex(frame.index.get_level_values(0)).to_numpy(), leads, lags)
    effects = effects_of(data, frame.index, cluster)
    X = pd.concat([dummies.set_axis(frame.index), frame[names]], axis=1)
    fitted = fit(frame[y].to_numpy(), X, effects)
    coefficients = coefficient_table(fitted.params, fitted.std_errors, fitted.df, level)
    table = coefficients.reindex([_column(e) for e in count.index]).set_axis(count.index).assign(treated=count)
    table.loc[REFERENCE, ["estimate", "std_error", "lower", "upper"]] = 0.0
    statistic, p, df = _wald(fitted, [_column(e) for e in count.index if e < REFERENCE])
    return EventStudy(
        table=table,
        controls=coefficients.loc[names],
        pretrend_statistic=statistic,
        pretrend_p=p,
        pretrend_df=df,
        observations=len(frame),
        units=len(first),
        treated_units=int(np.isfinite(first).sum()),
        clusters=effects.clusters,
        leads=leads,
        lags=lags,
        level=level,
    )

"""Beta convergence (β收敛): whether units that start lower grow faster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_columns
from clusterlib.core.results import coefficient_table
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.inequality._samples import check_balanced_panel, check_numeric_periods

METHODS = ("cross-section", "panel")
GROWTH = "growth"


@dataclass(frozen=True)
class BetaConvergence:
    """A growth regression and the convergence that it implies.

    Attributes
    ----------
    coefficients : DataFrame
        As :func:`clusterlib.inference.coefficient_table`; the initial level is ``log_<value>``, its spatial lag and
        those of controls ``W_<name>``.
    convergence : DataFrame
        ``beta``, ``speed`` (share of the gap closed in a unit of time) and ``half_life`` (units of time):
        ``estimate``, ``std_error`` by the delta method, ``lower``, ``upper`` as beta's interval carries over. Not
        numbers where beta implies none.
    beta, p_value : float
        Coefficient of the initial level and its two-sided p value.
    rho : float
        Spatial autoregressive coefficient; not a number without a spatial lag.
    unit_root : Series or None
        Of a panel with unit effects and nothing else: ``limit``, what beta tends to with many units if nothing
        converges, and Harris and Tzavalis' ``statistic`` and one-sided ``p_value`` against that.
    spatial : object or None
        Result of :func:`clusterlib.spatial_panel.spatial_panel`, with its impacts.
    r_squared : float
        Within effects; not a number for spatial models.
    nobs, units : int
    first, last, interval : float
        Periods spanned, and time between the ends of a growth rate.
    method, effects, cov, model : str
        ``cov`` is ``"ml"`` for spatial models, ``model`` ``"ols"`` without a spatial lag.
    controls : tuple of str
    level : float
    """

    coefficients: pd.DataFrame
    convergence: pd.DataFrame
    beta: float
    p_value: float
    rho: float
    unit_root: pd.Series | None
    spatial: object | None
    r_squared: float
    nobs: int
    units: int
    first: float
    last: float
    interval: float
    method: str
    effects: str
    cov: str
    model: str
    controls: tuple[str, ...]
    level: float

    def summary(self) -> pd.DataFrame:
        """Return beta, speed and half-life with errors and intervals."""
        return self.convergence


def beta_convergence(
    data: pd.DataFrame,
    value: str,
    controls: str | Iterable[str] = (),
    w=None,
    *,
    method: str = "cross-section",
    interval: int = 1,
    effects: str | None = None,
    cov: str | None = None,
    model: str = "sar",
    bias_correction: str | None = None,
    level: float = 0.95,
) -> BetaConvergence:
    r"""Test for beta convergence (β收敛检验): absolute, conditional on controls, and in space.

    .. math:: \frac{1}{s} \ln \frac{y_{i,t}}{y_{i,t-s}} = \alpha + \beta \ln y_{i,t-s} + \gamma' x_{i,t-s}
              [+ \alpha_i + \tau_t] + \varepsilon_{it}, \quad
              \lambda = -\frac{\ln (1 + s \beta)}{s}, \quad \text{half-life} = \frac{\ln 2}{\lambda}

    In the cross-section :math:`s` is the whole span and there is one growth rate a unit; controls are those of the
    first period. In the panel growth is over ``interval``, controls are lagged with the level. With ``w`` the
    regression is a spatial one: :math:`\rho W` of growth (``sar``), with :math:`W \ln y` and :math:`W x` besides
    (``sdm``), or as :func:`clusterlib.spatial_panel.spatial_panel` has them; speed and half-life then follow from the
    coefficient of a unit's own initial level, its neighbours' growth given.

    Delta method: :math:`s_\lambda = s_\beta / (1 + s \beta)` and :math:`s_{hl} = \ln 2 \, s_\lambda / \lambda^2`.
    Intervals of speed and half-life are beta's carried over, since the errors of a ratio mislead near zero.

    With unit effects and few periods beta is biased downwards (Nickell): with no convergence at all it tends, with
    many units and :math:`T` growth rates each, to :math:`-3 / \{s (T + 1)\}`. ``unit_root`` therefore tests against
    that limit (independent errors of one variance) and not against zero.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, period); periods are numbers, such as years. Every unit needs the value in every period that
        begins or ends a growth rate and the controls in those that begin one.
    value : str
        Column, positive.
    controls : str or iterable of str
        Columns; none for absolute convergence.
    w : Graph, array or sparse matrix, optional
        Spatial weights over the units.
    method : {"cross-section", "panel"}
    interval : int
        Periods in a growth rate of the panel; they do not overlap.
    effects : {"none", "entity", "time", "twoway"}, optional
        Of the panel, by default ``"twoway"``.
    cov : str, optional
        As :func:`clusterlib.panel.fixed_effects`, by default ``"robust"`` (HC1) in the cross-section and ``"cluster"``
        by unit in the panel. Spatial models have those of maximum likelihood.
    model, bias_correction : str
        Of the spatial model.
    level : float
        Of the intervals.

    Returns
    -------
    BetaConvergence

    Raises
    ------
    InvalidInputError
        For gaps, values that are not positive, too few periods, or effects in a cross-section.
    UnknownNameError
        For a column or method that does not exist.

    References
    ----------
    Barro, R. J. and Sala-i-Martin, X. (1992). Convergence. Journal of Political Economy 100, 223-251.
    Nickell, S. (1981). Econometrica 49, 1417-1426. Harris, R. D. F. and Tzavalis, E. (1999). Journal of Econometrics
    91, 201-226, theorem 2.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b", "c", "d"], [2000, 2010]], names=["unit", "year"])
    >>> start = np.array([1.0, 2.0, 3.0, 4.0])
    >>> end = 5 + (start - 5) * np.exp(-0.02 * 10) + [0.01, -0.01, -0.01, 0.01]
    >>> data = pd.DataFrame({"income": np.exp(np.column_stack([start, end]).ravel())}, index=index)
    >>> round(float(beta_convergence(data, "income").convergence.loc["speed", "estimate"]), 4)
    0.02
    """
    controls = tuple(as_names(controls))
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if method == "cross-section" and effects not in (None, "none"):
        raise InvalidInputError(f"effects={effects!r}: a cross-section has one growth rate a unit; use method='panel'")
    effects = "none" if method == "cross-section" else effects or "twoway"
    cov = cov or ("robust" if method == "cross-section" else "cluster")
    frame, span = _growth_frame(data, value, controls, None if method == "cross-section" else interval)
    regressors = [f"log_{value}", *controls]
    if w is None:
        fit = _least_squares(frame, regressors, effects, cov, level)
    else:
        fit = _spatial(frame, regressors, w, model, effects, bias_correction, level)
    row = fit["coefficients"].loc[f"log_{value}"]
    growth_rates = frame.index.unique(1).size
    alone = w is None and not controls and effects in ("entity", "twoway")
    periods = check_numeric_periods(data)
    return BetaConvergence(
        **fit,
        convergence=implied_convergence(row, span),
        beta=float(row["estimate"]),
        p_value=float(row["p_value"]),
        unit_root=_unit_root(row["estimate"], span, frame.index.unique(0).size, growth_rates) if alone else None,
        nobs=len(frame),
        units=frame.index.unique(0).size,
        first=periods[0],
        last=periods[-1],
        interval=span,
        method=method,
        effects=effects,
        model="ols" if w is None else model,
        controls=controls,
        level=level,
    )


def _growth_frame(
    data: pd.DataFrame, value: str, controls: tuple[str, ...], interval: int | None
) -> tuple[pd.DataFrame, float]:
    """Return growth, initial level and controls by unit and end of the growth rate, and the time that it spans."""
    check_columns(data, [value, *controls])
    periods = check_numeric_periods(data)
    step = len(periods) - 1 if interval is None else interval
    if int(step) != step or not 1 <= step < len(periods):
        raise InvalidInputError(f"interval={step} of {len(periods)} period(s): growth needs a first and a last one")
    kept = periods[:: int(step)]
    spans = np.diff(kept)
    if np.ptp(spans) > 1e-9 * spans[0]:
        raise InvalidInputError(
            f"periods are not evenly spaced: {spans.min():g} to {spans.max():g} apart; growth rates would not compare"
        )
    at = data.index.get_level_values(1)
    logs = np.log(check_balanced_panel(data[at.isin(kept)], [value], positive=True)[value])
    before = logs.groupby(level=0).shift()
    table = pd.DataFrame({GROWTH: (logs - before) / spans[0], f"log_{value}": before}).dropna()
    if controls:
        # Those of the last period explain no growth.
        lagged = check_balanced_panel(data[at.isin(kept[:-1])], list(controls))
        following = dict(pairwise(kept))
        table = table.join(lagged.rename(index=following, level=1))
    return table, float(spans[0])


def _least_squares(frame: pd.DataFrame, regressors: list[str], effects: str, cov: str, level: float) -> dict:
    from clusterlib.panel import fixed_effects

    fit = fixed_effects(frame, GROWTH, regressors, effects=effects, cov=cov)
    table = coefficient_table(fit.params, fit.std_errors, fit.df_inference, level)
    return {"coefficients": table, "rho": np.nan, "spatial": None, "r_squared": fit.r2_within, "cov": cov}


def _spatial(
    frame: pd.DataFrame, regressors: list[str], w, model: str, effects: str, bias_correction: str | None, level: float
) -> dict:
    from clusterlib.spatial_panel import spatial_panel

    fit = spatial_panel(frame, GROWTH, regressors, w, model=model, effects=effects, bias_correction=bias_correction)
    table = coefficient_table(fit.params, fit.std_errors, level=level)
    rho = fit.rho if "rho" in fit.params else np.nan
    return {"coefficients": table, "rho": rho, "spatial": fit, "r_squared": np.nan, "cov": "ml"}


def implied_convergence(row: pd.Series, span: float) -> pd.DataFrame:
    """Return beta, speed and half-life implied by a row of coefficients over this span of time."""
    beta, error = row["estimate"], row["std_error"]
    speed, low, high = (_speed(b, span) for b in (beta, row["upper"], row["lower"]))
    speed_error = error / (1 + span * beta) if 1 + span * beta > 0 else np.nan
    half, half_low, half_high = (_half_life(v) for v in (speed, high, low))
    half_error = np.log(2) * speed_error / speed**2 if speed > 0 else np.nan
    return pd.DataFrame(
        {
            "beta": [beta, error, row["lower"], row["upper"]],
            "speed": [speed, speed_error, low, high],
            "half_life": [half, half_error, half_low, half_high],
        },
        index=["estimate", "std_error", "lower", "upper"],
    ).T.rename_axis("measure")


def _speed(beta: float, span: float) -> float:
    return float(-np.log1p(span * beta) / span) if span * beta > -1 else np.nan


def _half_life(speed: float) -> float:
    """Half-life at a speed of convergence; infinite without one, unknown where the speed is."""
    if np.isnan(speed):
        return np.nan
    return float(np.log(2) / speed) if speed > 0 else np.inf


def _unit_root(beta: float, span: float, units: int, rates: int) -> pd.Series:
    from scipy.stats import norm

    limit = -3 / (rates + 1)
    variance = 3 * (17 * rates**2 - 20 * rates + 17) / (5 * (rates - 1) * (rates + 1) ** 3) if rates > 1 else np.nan
    statistic = np.sqrt(units / variance) * (span * beta - limit)
    return pd.Series({"limit": limit / span, "statistic": statistic, "p_value": norm.cdf(statistic)}, name="unit_root")

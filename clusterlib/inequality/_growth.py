"""Beta convergence (β收敛): whether units that start lower grow faster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights, first_seen
from clusterlib.core.checks import ROUNDING, as_names, check_choice, check_columns, check_level, check_whole
from clusterlib.core.results import Estimates, Test
from clusterlib.core.within import EFFECTS, demean
from clusterlib.errors import InvalidInputError
from clusterlib.inequality._samples import check_balanced_panel, check_numeric_periods, evenly_spaced

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

METHODS = ("cross-section", "panel")
GROWTH = "growth"


@dataclass(frozen=True, eq=False, kw_only=True)
class BetaConvergence(Estimates):
    """Growth regression and the convergence that it implies (β收敛).

    In ``params`` and ``table`` the initial level is ``log_<value>``, its spatial lag and those of controls
    ``W_<name>``; ``n_periods`` counts growth rates a unit.

    Attributes
    ----------
    r_squared : float
        Within effects; not a number for spatial models.
    first, last, interval : float
        Periods spanned, and time between the ends of a growth rate.
    value : str
    controls : tuple of str
    method, effects, cov, model : str
        ``cov`` is ``"ml"`` for spatial models, ``model`` ``"ols"`` without a spatial lag.
    spatial : object or None
        Result of :func:`clusterlib.spatial_panel.spatial_panel`, with its impacts.
    """

    r_squared: float
    first: float
    last: float
    interval: float
    value: str
    controls: tuple[str, ...]
    method: str
    effects: str
    cov: str
    model: str
    spatial: Any = field(repr=False)

    @property
    def coefficients(self) -> pd.DataFrame:
        """The ``table``."""
        return self.table

    @property
    def convergence(self) -> pd.DataFrame:
        """What the initial level's coefficient implies.

        ``beta``, ``speed`` (share of the gap closed in a unit of time) and ``half_life`` (units of time):
        ``estimate``, ``std_error`` by the delta method, ``lower``, ``upper`` as beta's interval carries over. Not
        numbers where beta implies none.
        """
        return _implied_convergence(self.table.T[f"log_{self.value}"], self.interval)

    @property
    def beta(self) -> float:
        """Coefficient of the initial level."""
        return float(self.params[f"log_{self.value}"])

    @property
    def p_value(self) -> float:
        """Of ``beta``, two-sided."""
        return float(self.pvalues[f"log_{self.value}"])

    @property
    def rho(self) -> float:
        """Spatial autoregressive coefficient; not a number without a spatial lag."""
        return float(self.params.get("rho", np.nan))

    @property
    def unit_root(self) -> pd.Series | None:
        """Test against no convergence, of a panel with unit effects and nothing else.

        ``limit``, what beta tends to with many units if nothing converges, and Harris and Tzavalis' ``statistic`` and
        one-sided ``p_value`` against that.
        """
        from scipy.stats import norm

        if self.model != "ols" or self.controls or self.effects not in ("entity", "twoway"):
            return None
        rates = self.n_periods
        limit = -3 / (rates + 1)
        variance = 3 * (17 * rates**2 - 20 * rates + 17) / (5 * (rates - 1) * (rates + 1) ** 3)
        statistic = np.sqrt(self.n_units / variance) * (self.interval * self.beta - limit)
        found = {"limit": limit / self.interval, "statistic": statistic, "p_value": norm.cdf(statistic)}
        return pd.Series(found, name="unit_root")

    @property
    def tests(self) -> Mapping[str, Test]:
        """Harris and Tzavalis' test, where ``unit_root`` has one."""
        found = self.unit_root
        if found is None:
            return {}
        name, null = "Harris-Tzavalis", f"no convergence: beta tends to {found['limit']:.3g}"
        return {name: Test(name, null, float(found["statistic"]), None, float(found["p_value"]), "normal")}

    def _own_footer(self) -> dict[str, object]:
        speed = self.convergence["estimate"]
        return {
            "R²": self.r_squared,
            "Model 模型": self.model,
            "Effects 效应": self.effects,
            "Standard errors 标准误": self.cov,
            "Speed 收敛速度": float(speed["speed"]),
            "Half-life 半衰期": float(speed["half_life"]),
        }


def beta_convergence(
    data: pd.DataFrame,
    value: str,
    controls: str | Iterable[str] = (),
    w: WeightsLike | None = None,
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
    w : Graph, W, DataFrame or Weights, optional
        Spatial weights over the units, aligned by label; a matrix without labels is taken in the order in which the
        units first stand in the data.
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
        For gaps, values that are not positive, too few periods, growth that is the same everywhere but for rounding,
        effects in a cross-section, or options of a spatial model without weights.
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
    controls = tuple(as_names(controls, "controls"))
    check_choice("method", method, METHODS)
    check_level(level)
    panel = method == "panel"
    default = "twoway" if panel else "none"
    chosen: str = default if effects is None else check_choice("effects", effects, EFFECTS)
    if not panel and chosen != "none":
        raise InvalidInputError(f"effects={effects!r}: a cross-section has one growth rate a unit; use method='panel'")
    if w is None and not (isinstance(model, str) and model == "sar" and bias_correction is None):
        raise InvalidInputError("model and bias_correction are options of a spatial model, which needs w=")
    if w is not None and cov is not None:
        raise InvalidInputError(f"cov={cov!r}: a spatial model has the errors of maximum likelihood")
    frame, span, periods = _growth_frame(data, value, controls, interval if panel else None, chosen)
    units, rates = (len(frame.index.unique(level)) for level in (0, 1))
    regressors = [f"log_{value}", *controls]
    if w is None:
        from clusterlib.panel import fixed_effects

        model = "ols"
        if cov is None:
            cov = "cluster" if panel else "robust"
        fit = fixed_effects(frame, GROWTH, regressors, effects=chosen, cov=cov)
        own = {"df_inference": fit.df_inference, "r_squared": fit.r2_within, "spatial": None}
    else:
        from clusterlib.spatial_panel import spatial_panel

        cov = "ml"
        weights = align_weights(w, frame.index.unique(0), given=first_seen(data.index))
        fit = spatial_panel(
            frame, GROWTH, regressors, weights, model=model, effects=chosen, bias_correction=bias_correction
        )
        own = {"loglik": fit.loglik, "n_parameters": fit.n_parameters, "r_squared": np.nan, "spatial": fit}
    how = {"method": method, "effects": chosen, "cov": cov, "model": model}
    absorbed = {"none": 0, "entity": units, "time": rates, "twoway": units + rates - 1}[chosen]
    return BetaConvergence(
        params=fit.params,
        covariance=fit.covariance,
        nobs=fit.nobs,
        n_units=units,
        n_periods=rates,
        df_resid=len(frame) - len(fit.params) - absorbed,
        level=level,
        settings={"y": GROWTH, "x": tuple(regressors), **how},
        first=periods[0],
        last=periods[-1],
        interval=span,
        value=value,
        controls=controls,
        **how,
        **own,
    )


def _growth_frame(
    data: pd.DataFrame, value: str, controls: tuple[str, ...], interval: int | None, effects: str
) -> tuple[pd.DataFrame, float, np.ndarray]:
    """Return growth, initial level and controls by unit and end of the growth rate, the time it spans, all periods."""
    check_columns(data, [value, *controls])
    own = {GROWTH, f"log_{value}"} & set(controls)
    if own:
        raise InvalidInputError(f"controls: {own.pop()!r} is a name of the regression's own: rename the column")
    periods = check_numeric_periods(data)
    most = len(periods) - 1
    if most < 1:
        raise InvalidInputError(f"{len(periods)} period(s): growth needs a first and a last one")
    kept = periods[:: most if interval is None else check_whole("interval", interval, 1, most, "periods")]
    spans = np.diff(kept)
    if not evenly_spaced(kept):
        raise InvalidInputError(
            f"periods are not evenly spaced: {spans.min():g} to {spans.max():g} apart; growth rates would not compare"
        )
    at = data.index.get_level_values(1)
    logs = check_balanced_panel(data[at.isin(kept)], [value], positive=True)[value].apply(np.log)
    before = logs.groupby(level=0).shift()
    table = pd.DataFrame({GROWTH: (logs - before) / spans[0], f"log_{value}": before}).dropna()
    growth = demean(table[GROWTH].to_numpy().reshape(-1, len(kept) - 1), effects)
    # A logarithm is no more exact than the share by which its value is rounded.
    if np.ptp(growth) <= ROUNDING * max(1.0, float(np.abs(logs).max())) / spans[0]:
        raise InvalidInputError(
            f"{value!r} grows at the same rate everywhere{'' if effects == 'none' else ' but for the effects'}: there "
            "is no growth to explain"
        )
    if controls:
        # Those of the last period explain no growth.
        lagged = check_balanced_panel(data[at.isin(kept[:-1])], list(controls))
        following = dict(pairwise(kept))
        table = table.join(lagged.rename(index=following, level=1))
    return table, float(spans[0]), periods


def _implied_convergence(row: pd.Series, span: float) -> pd.DataFrame:
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

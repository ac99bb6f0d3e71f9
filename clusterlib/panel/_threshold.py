"""Panel threshold regression (面板门槛回归): slopes that change where a variable crosses estimated thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced
from clusterlib.core.results import coefficient_table
from clusterlib.errors import InvalidInputError, UnknownNameError
from clusterlib.panel._threshold_model import ThresholdModel, checked_frame
from clusterlib.panel._threshold_search import Grid, Search, make_grid

EFFECTS = ("entity", "twoway")
ERRORS = ("classical", "robust", "clustered")


@dataclass(frozen=True)
class ThresholdResult:
    """A panel threshold regression with its tests.

    Attributes
    ----------
    thresholds : DataFrame
        By threshold, ascending: ``estimate``, the ends ``lower`` and ``upper`` of its confidence set, and the
        ``stage`` of the search that gave it.
    tests : DataFrame
        By number of thresholds under the alternative, each against one fewer: ``ssr_null``, ``ssr``, ``F``, ``p_value``
        and the bootstrap's critical values ``critical_10``, ``critical_5``, ``critical_1``.
    coefficients : DataFrame
        ``estimate``, ``se_classical``, ``se_robust``, ``se_clustered`` by variable; ``<name>_regime1`` is the slope of
        the lowest regime.
    profile : DataFrame
        By ``stage`` and candidate ``threshold``: ``ssr``, ``likelihood_ratio``, ``in_set``; for the plot of the
        likelihood ratio with the line ``critical_value``.
    shares : DataFrame
        Share of units in each regime, by period; rows sum to one.
    ssr, sigma2, critical_value : float
        Of the final model: sum of squared residuals and its ratio to the degrees of freedom; bound of the
        confidence sets.
    units, periods, scale, df_resid : int
        Numbers of units and periods; :math:`n(T-1)` of F and LR; the degrees of freedom of classical errors.
    settings : dict
        What was asked for: ``y``, ``x``, ``regime``, ``threshold``, ``effects``, ``trim``, ``grid``, ``draws``,
        ``seed``, ``strict``, ``level``.
    """

    thresholds: pd.DataFrame
    tests: pd.DataFrame
    coefficients: pd.DataFrame
    profile: pd.DataFrame
    shares: pd.DataFrame
    ssr: float
    sigma2: float
    critical_value: float
    units: int
    periods: int
    scale: int
    df_resid: int
    settings: dict = field(default_factory=dict)

    @property
    def params(self) -> pd.Series:
        """Estimates by variable."""
        return self.coefficients["estimate"]

    @property
    def std_errors(self) -> pd.Series:
        """Clustered standard errors by variable."""
        return self.coefficients["se_clustered"].rename("std_error")

    @property
    def table(self) -> pd.DataFrame:
        """Estimates with t statistics, p values and intervals by clustered errors."""
        return self.with_errors("clustered")

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        return {
            "Observations 观测数": self.units * self.periods,
            "Units 个体数": self.units,
            "Periods 期数": self.periods,
            "Thresholds 门槛数": len(self.thresholds),
            "Unit effects 个体效应": True,
            "Period effects 时间效应": self.settings["effects"] == "twoway",
            "Standard errors 标准误": "clustered by unit 按个体聚类",
        }

    def with_errors(self, errors: str) -> pd.DataFrame:
        """Return the table with one kind of standard errors: ``"classical"``, ``"robust"`` or ``"clustered"``.

        Student's distribution has ``df_resid`` degrees of freedom, with clustered errors the number of units less one.

        Raises
        ------
        UnknownNameError
            For another kind.
        """
        if errors not in ERRORS:
            raise UnknownNameError("kind of standard errors", errors, ERRORS)
        df = self.units - 1 if errors == "clustered" else self.df_resid
        frame = self.coefficients
        return coefficient_table(frame["estimate"], frame[f"se_{errors}"], df, self.settings["level"])

    def summary(self) -> pd.DataFrame:
        """Return the table with clustered errors."""
        return self.table


def panel_threshold(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    regime: str | Iterable[str],
    threshold: str,
    *,
    effects: str = "entity",
    thresholds: int = 1,
    trim: float = 0.05,
    grid: int = 400,
    draws: int = 300,
    seed: int = 0,
    strict: bool = True,
    level: float = 0.95,
) -> ThresholdResult:
    r"""Fixed-effects panel threshold regression with one to three thresholds (面板门槛模型).

    .. math:: y_{it} = \mu_i + x_{it}'\beta + \sum_{j=0}^{k} r_{it}'\delta_j \,
              1(\gamma_j \le q_{it} < \gamma_{j+1}) + e_{it}

    Thresholds minimise the sum of squares :math:`S` over the grid, one after another; with two or more the first is
    estimated again given the second (Hansen's refinement), a third given both. With
    :math:`\hat\sigma^2 = S(\hat\gamma) / (n(T-1))`,

    .. math:: F_k = (S_{k-1} - S_k(\hat\gamma)) / \hat\sigma^2, \quad
              LR(\gamma) = (S(\gamma) - S(\hat\gamma)) / \hat\sigma^2,

    and the confidence set holds the :math:`\gamma` with :math:`LR(\gamma) < -2 \ln(1 - \sqrt{\text{level}})`.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), balanced.
    y : str
        Dependent variable.
    x : str or iterable of str
        Regressors with the same slope in every regime; may be empty.
    regime : str or iterable of str
        Regressors whose slope depends on the regime; none of ``x``.
    threshold : str
        Threshold variable :math:`q`; may be one of the others.
    effects : {"entity", "twoway"}
        Unit effects, or unit and period effects.
    thresholds : {1, 2, 3}
    trim : float
        Share of the distinct values of :math:`q` left out at each end, and rank distance from a threshold found before
        (``trim * grid`` ranks). Hansen (1999) takes 0.01 with 7,910 observations; 0.05 suits a few hundred.
    grid : int
        Steps of the grid: candidates are the values of rank :math:`\lfloor s m \rfloor` of the :math:`m` distinct ones,
        :math:`s` from ``trim`` to ``1 - trim`` by ``1 / grid``.
    draws, seed : int
        Of the bootstrap; without draws there are no p values.
    strict : bool
        Whether the lower regime is strictly below the threshold, as in Hansen's program, or includes it, as in his
        paper.
    level : float
        Of confidence sets and intervals.

    Returns
    -------
    ThresholdResult

    Raises
    ------
    InvalidInputError
        For a panel that is not balanced or complete, a regressor of which the effects leave nothing, regressors that
        are linearly dependent, a grid without an admissible candidate, or a setting outside its range.
    UnknownNameError
        For a name that is no column or an unknown kind of effects.

    Notes
    -----
    F and LR are scaled by :math:`n(T-1)`, with two-way effects by :math:`(n-1)(T-1)`. The second and third F compare
    with the fit before (the third with the refined pair). Classical errors divide by this number less the slopes,
    robust ones are White's HC0, clustered ones Arellano's by unit with the factor
    :math:`\frac{n}{n-1} \frac{nT-1}{nT-K-m}` of :func:`fixed_effects`, :math:`m` being 1, with two-way effects
    :math:`T`; all take the thresholds as known, as their rate allows.
    Bootstrap: residuals of the null model drawn by unit with replacement, regressors and the thresholds of the null
    held fixed; :math:`p = (1 + \#\{F^* \ge F\}) / (1 + \text{draws})`.

    References
    ----------
    Hansen, B. E. (1999). Threshold effects in non-dynamic panels: estimation, testing, and inference. Journal of
    Econometrics 93, 345-368.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> index = pd.MultiIndex.from_product([range(40), range(2015, 2023)], names=["adcode", "year"])
    >>> data = pd.DataFrame(random.normal(size=(320, 3)), index, ["q", "r", "e"])
    >>> data["y"] = np.where(data["q"] < 0.5, 1, 3) * data["r"] + 0.5 * data["e"]
    >>> result = panel_threshold(data, "y", [], "r", "q", draws=99)
    >>> result.thresholds["estimate"].round(1).tolist(), float(result.tests.loc[1, "p_value"])
    ([0.5], 0.01)
    >>> result.coefficients["estimate"].round(1).tolist()
    [1.0, 3.0]
    """
    x, regime = as_names(x), as_names(regime)
    _check_settings(effects, thresholds, trim, grid, draws, level)
    frame = checked_frame(data, y, x, regime, threshold)
    units, periods = check_balanced(frame)
    model = ThresholdModel(frame, y, x, regime, threshold, effects, strict, units, periods)
    slopes = len(x) + (thresholds + 1) * len(regime)
    if model.scale <= slopes:
        raise InvalidInputError(f"{model.scale} degrees of freedom for {slopes} slopes: take more units or periods")
    found = _find(model, make_grid(model.q, trim, grid), thresholds, draws, seed)
    critical = -2 * np.log(1 - np.sqrt(level))
    located, profile = _confidence_sets(found, thresholds, critical)
    coefficients, ssr = model.coefficients(located["estimate"].to_numpy())
    names = "y x regime threshold effects trim grid draws seed strict level".split()
    settings = (y, tuple(x), tuple(regime), threshold, effects, trim, grid, draws, seed, strict, level)
    return ThresholdResult(
        thresholds=located,
        tests=_tests(found, thresholds),
        coefficients=coefficients,
        profile=profile,
        shares=model.shares(located["estimate"].to_numpy(), frame.index),
        ssr=ssr,
        sigma2=ssr / (model.scale - slopes),
        critical_value=float(critical),
        units=units,
        periods=periods,
        scale=model.scale,
        df_resid=model.scale - slopes,
        settings=dict(zip(names, settings, strict=True)),
    )


def _check_settings(effects: str, thresholds: int, trim: float, grid: int, draws: int, level: float) -> None:
    if effects not in EFFECTS:
        raise UnknownNameError("kind of effects", effects, EFFECTS)
    if thresholds not in (1, 2, 3):
        raise InvalidInputError(f"thresholds: expected 1, 2 or 3, got {thresholds!r}")
    if not 0 < trim < 0.5:
        raise InvalidInputError(f"trim: expected a share above 0 and below 0.5, got {trim!r}")
    if grid < 2 or draws < 0:
        raise InvalidInputError(f"expected a grid of at least 2 steps and draws of at least 0, got {grid} and {draws}")
    if not 0 < level < 1:
        raise InvalidInputError(f"level: expected a share between 0 and 1, got {level!r}")


@dataclass(frozen=True)
class _Found:
    """One stage of the search: its candidates with their sums of squares, and its test."""

    fixed: np.ndarray
    candidates: np.ndarray
    ssr: np.ndarray
    ssr_null: float
    statistics: np.ndarray
    scale: int

    @property
    def estimate(self) -> float:
        return float(self.candidates[self.ssr.argmin()])

    @property
    def F(self) -> float:
        return float((self.ssr_null / self.ssr.min() - 1) * self.scale)

    @property
    def likelihood_ratio(self) -> np.ndarray:
        return (self.ssr / self.ssr.min() - 1) * self.scale


def _find(model: ThresholdModel, grid: Grid, thresholds: int, draws: int, seed: int) -> dict[str, _Found]:
    """Go through the stages; each has its own stream of random numbers, whatever the number of thresholds."""
    search = Search(model.r, model.q, grid, model.effects, model.strict)
    streams = np.random.SeedSequence(seed).spawn(3)
    found: dict[str, _Found] = {}

    def stage(name: str, fixed: list[float], stream=None) -> None:
        held = np.array(fixed)
        design, _, residuals = model.fit(held)
        step = search.against(design, held)
        # The null's fit is taken out first: the sums of squares are then small and lose nothing to rounding.
        null, ssr = step.sums_of_squares(residuals[:, None])
        random = np.random.default_rng(stream)
        statistics = step.bootstrap(residuals, draws if stream else 0, model.scale, random)
        found[name] = _Found(held, step.candidates, ssr[:, 0], float(null[0]), statistics, model.scale)

    stage("first", [], streams[0])
    if thresholds > 1:
        stage("second", [found["first"].estimate], streams[1])
        stage("first refined", [found["second"].estimate])
    if thresholds > 2:
        stage("third", [found["second"].estimate, found["first refined"].estimate], streams[2])
    return found


def _tests(found: dict[str, _Found], thresholds: int) -> pd.DataFrame:
    rows = {}
    for number, name in enumerate(("first", "second", "third")[:thresholds], start=1):
        stage, drawn = found[name], found[name].statistics
        row = {"ssr_null": stage.ssr_null, "ssr": float(stage.ssr.min()), "F": stage.F}
        row |= dict.fromkeys(["p_value", "critical_10", "critical_5", "critical_1"], np.nan)
        if len(drawn):
            # A draw that is the data themselves can differ from F in the last bits.
            row["p_value"] = (1 + int((drawn >= stage.F * (1 - 1e-9)).sum())) / (1 + len(drawn))
            for percent in (10, 5, 1):
                row[f"critical_{percent}"] = float(np.percentile(drawn, 100 - percent))
        rows[number] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("thresholds")


def _confidence_sets(found: dict, thresholds: int, critical: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    kept = {1: ["first"], 2: ["first refined", "second"], 3: ["first refined", "second", "third"]}[thresholds]
    rows, profiles = [], []
    for name, stage in found.items():
        ratio = stage.likelihood_ratio
        inside = ratio < critical
        columns = {"ssr": stage.ssr, "likelihood_ratio": ratio, "in_set": inside}
        profiles.append(pd.DataFrame({"stage": name, "threshold": stage.candidates} | columns))
        if name in kept:
            values = stage.candidates[inside]
            rows.append({"estimate": stage.estimate, "lower": values[0], "upper": values[-1], "stage": name})
    located = pd.DataFrame(rows).sort_values("estimate", ignore_index=True)
    located.index = pd.RangeIndex(1, len(located) + 1, name="threshold")
    return located, pd.concat(profiles, ignore_index=True)

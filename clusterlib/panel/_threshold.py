"""Panel threshold regression (面板门槛回归): slopes that change where a variable crosses estimated thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from clusterlib.core.checks import (
    as_names,
    check_balanced,
    check_choice,
    check_level,
    check_number,
    check_panel,
    check_whole,
    snap,
)
from clusterlib.core.covariance import make_covariance
from clusterlib.core.resampling import BLOCK, exceedance_p, streams
from clusterlib.core.results import Result, Test, coefficient_table
from clusterlib.core.within import NOTHING_LEFT, demean, least_squares
from clusterlib.errors import InvalidInputError
from clusterlib.panel._regression import Design, PanelResult, check_errors, make_design, panel_fields

EFFECTS = ("entity", "twoway")
ERRORS = {
    "classical": {"kind": "classical"},
    "robust": {"kind": "robust", "small_sample": False},
    "clustered": {"kind": "cluster"},
}
# A candidate whose regressor is explained to this share by the others adds nothing that can be told from rounding.
SINGULAR = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdResult(PanelResult):
    """Panel threshold regression (面板门槛回归).

    Further to :class:`PanelResult`, with errors clustered by unit:

    Attributes
    ----------
    thresholds : DataFrame
        By threshold, ascending: ``estimate``, the ends ``lower`` and ``upper`` of its confidence set, and the
        ``stage`` of the search that gave it.
    threshold_tests : DataFrame
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
    critical_value : float
        Bound of the confidence sets.
    scale : int
        :math:`n(T-1)` of F and LR.
    settings : dict
        What was asked for: ``y``, ``x``, ``regime``, ``threshold``, ``effects``, ``trim``, ``grid``, ``draws``,
        ``seed``, ``strict``, ``level``; and the errors of the table: ``cov``, ``cluster``.
    """

    thresholds: pd.DataFrame = field(repr=False)
    threshold_tests: pd.DataFrame = field(repr=False)
    coefficients: pd.DataFrame = field(repr=False)
    profile: pd.DataFrame = field(repr=False)
    shares: pd.DataFrame = field(repr=False)
    critical_value: float
    scale: int

    title = Result.title

    @property
    def ssr(self) -> float:
        """Sum of squared residuals of the final model."""
        return self.rss

    @property
    def tests(self) -> Mapping[str, Test]:
        """F of each number of thresholds against one fewer, where there were draws; see ``threshold_tests``."""
        drawn = self.threshold_tests.dropna(subset="p_value")
        return {
            f"threshold {k}": Test(
                f"F of threshold {k} 第{k}门槛F",
                f"{k - 1} threshold(s) 门槛数为{k - 1}",
                float(row["F"]),
                None,
                float(row["p_value"]),
                "bootstrap",
                {name: self.settings[name] for name in ("draws", "seed")},
            )
            for k, row in zip(drawn.index, drawn.to_dict("records"), strict=True)
        }

    def _own_footer(self) -> dict[str, object]:
        return {"Thresholds 门槛数": len(self.thresholds), **super()._own_footer()}

    def with_errors(self, errors: str) -> pd.DataFrame:
        """Return the table with one kind of standard errors: ``"classical"``, ``"robust"`` or ``"clustered"``.

        Student's distribution has ``df_resid`` degrees of freedom, with clustered errors the number of units less one.

        Raises
        ------
        UnknownNameError
            For another kind.
        """
        check_choice("kind of standard errors", errors, ERRORS)
        df = self.df_inference if errors == "clustered" else self.df_resid
        return coefficient_table(self.params, self.coefficients[f"se_{errors}"], df, self.level)


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
    >>> result.thresholds["estimate"].round(1).tolist(), float(result.threshold_tests.loc[1, "p_value"])
    ([0.5], 0.01)
    >>> result.coefficients["estimate"].round(1).tolist()
    [1.0, 3.0]
    """
    [y, threshold], x, regime = as_names([y, threshold]), as_names(x, "x"), as_names(regime, "regime")
    check_choice("kind of effects", effects, EFFECTS)
    check_choice("strict", strict, (True, False))
    thresholds, draws = check_whole("thresholds", thresholds, 1, 3), check_whole("draws", draws)
    trim, grid = check_number("trim", trim, least=0, most=0.5, open_ends=True), check_whole("grid", grid, 2)
    check_level(level)
    if not regime:
        raise InvalidInputError("regime: name at least one regressor whose slope depends on the regime")
    regressors = [*x, *regime]
    frame = check_panel(data, [y, *regressors, *([] if threshold in (y, *regressors) else [threshold])])
    check_balanced(frame)
    model = _Model(frame, y, x, regime, threshold, effects, strict)
    slopes = len(x) + (thresholds + 1) * len(regime)
    if model.scale <= slopes:
        raise InvalidInputError(f"{model.scale} degrees of freedom for {slopes} slopes: take more units or periods")
    found = _find(model, _make_grid(model.q, trim, grid), thresholds, draws, seed)
    critical = float(-2 * np.log(1 - np.sqrt(level)))
    located, profile = _confidence_sets(found, thresholds, critical)
    cuts = located["estimate"].to_numpy()
    fields = model.estimates(cuts)
    asked = "y x regime threshold effects trim grid draws seed strict level".split()
    given = (y, tuple(x), tuple(regime), threshold, effects, trim, grid, draws, seed, strict, level)
    return ThresholdResult(
        **fields,
        thresholds=located,
        threshold_tests=_test_table(found, thresholds),
        profile=profile,
        shares=model.shares(cuts),
        critical_value=critical,
        scale=model.scale,
        level=level,
        settings=dict(zip(asked, given, strict=True)) | {"cov": "cluster", "cluster": "entity"},
    )


class _Model:
    """The regression for given thresholds."""

    def __init__(
        self, frame: pd.DataFrame, y: str, x: list[str], regime: list[str], threshold: str, effects: str, strict: bool
    ) -> None:
        self.design = make_design(frame, y, [*x, *regime], effects)
        self.layout, self.x, self.regime, self.strict = self.design.layout, x, regime, strict
        self.scale = self.layout.rows - self.layout.absorbed
        self.r = self.design.raw[:, 1 + len(x) :]
        # Values that are the same but for rounding are one candidate.
        self.q = snap(frame[threshold].to_numpy())

    def regimes(self, thresholds: np.ndarray) -> np.ndarray:
        """Number of each observation's regime, from 0."""
        return np.searchsorted(np.sort(thresholds), self.q, side="right" if self.strict else "left")

    def given(self, thresholds: np.ndarray) -> Design:
        """Return the regression with these thresholds: the common regressors, then the others by regime."""
        number, count = self.regimes(thresholds), len(thresholds) + 1
        parts = np.column_stack([self.r * (number == j)[:, None] for j in range(count)])
        X = np.column_stack([self.design.X[:, : len(self.x)], self.layout.within(parts)])
        ends = [f"_regime{j}" for j in range(1, count + 1)] if count > 1 else [""]
        names = (*self.x, *(name + end for end in ends for name in self.regime))
        return replace(self.design, X=X, names=names)

    def estimates(self, thresholds: np.ndarray) -> dict:
        """Return the final model's fields, with three kinds of standard errors."""
        design, errors = self.given(thresholds), {}
        for kind, options in ERRORS.items():
            covariance = make_covariance(layout=self.layout, **options)
            fit, matrix = design.fit(covariance)
            errors[f"se_{kind}"] = np.sqrt(np.diag(matrix))
        # The errors that stand last are those of the table.
        fields = panel_fields(design, fit.params, matrix, fit.residuals, covariance)
        fields["coefficients"] = pd.DataFrame({"estimate": fields["params"], **errors}).rename_axis("variable")
        return fields

    def shares(self, thresholds: np.ndarray) -> pd.DataFrame:
        """Share of units in each regime, by period."""
        number = self.regimes(thresholds).reshape(len(self.layout.units), -1)
        columns = {f"regime{j + 1}": (number == j).mean(axis=0) for j in range(len(thresholds) + 1)}
        return pd.DataFrame(columns, index=self.layout.index.unique(1))


@dataclass(frozen=True)
class _Grid:
    """Candidate thresholds: distinct values ascending, and the first and last rank of each in Hansen's grid."""

    candidates: np.ndarray
    first: np.ndarray
    last: np.ndarray
    spared: float

    def admissible(self, fixed: np.ndarray) -> np.ndarray:
        """Which candidates are far enough, in ranks of the grid, from the thresholds that are held fixed."""
        ok = np.ones(len(self.candidates), dtype=bool)
        for threshold in fixed:
            below = self.last[self.candidates < threshold].max(initial=0)
            ok &= (self.first < below - self.spared) | (self.last >= below + self.spared)
        return ok


def _make_grid(threshold: np.ndarray, trim: float, steps: int) -> _Grid:
    """Take the values of rank floor(s m) of the m distinct ones, for s from trim to 1 - trim in steps of 1 / steps.

    Raises
    ------
    InvalidInputError
        If no rank is above zero.
    """
    distinct = np.unique(threshold)
    count = int(np.floor((1 - 2 * trim) * steps + 1e-9)) + 1
    shares = trim + np.arange(count) / steps
    # Rounding must not decide whether s m that is a whole number is taken as that number or the one below it.
    ranks = np.floor(np.round(shares * len(distinct), 9)).astype(int)
    ranks = ranks[ranks > 0]
    if not len(ranks):
        raise InvalidInputError(f"the threshold variable takes {len(distinct)} value(s): too few for a grid")
    values, first = np.unique(distinct[ranks - 1], return_index=True)
    return _Grid(values, first + 1, np.append(first[1:], len(ranks)), round(trim * steps, 9))


class _Search:
    r"""Reductions of the sum of squares that each candidate brings, for any dependent variable at once.

    With the null's regressors projected out, a candidate :math:`\gamma` adds
    :math:`Z_\gamma = r_{it} 1(q_{it} < \gamma)`. Its products with demeaned variables are cumulative sums over the
    sorted :math:`q`; its own demeaned square needs cumulative sums within units (and periods) besides. Nothing of
    size (observations times candidates) is held.
    """

    def __init__(self, model: _Model, grid: _Grid) -> None:
        from scipy.sparse import csr_array

        self.grid, self.layout = grid, model.layout
        points, size = len(grid.candidates), model.r.shape[1]
        # The first candidate whose lower regime holds the observation; past the end if none does.
        entry = np.searchsorted(grid.candidates, model.q, side="right" if model.strict else "left")
        flat = model.r / np.sqrt((model.r**2).mean(axis=0))
        inside = np.flatnonzero(entry < points)
        rows = np.concatenate([entry[inside] * size + k for k in range(size)])
        columns = np.tile(inside, size)
        values = flat[inside].T.ravel()
        self._steps = csr_array((values, (rows, columns)), shape=(points * size, len(flat)))
        self._square = self._own_products(flat, entry, points)

    def _own_products(self, flat: np.ndarray, entry: np.ndarray, points: int) -> np.ndarray:
        """Return Z'WZ of every candidate, with W the within transformation: an array (points, size, size)."""
        layout, size = self.layout, flat.shape[1]
        units, periods = len(layout.units), len(layout.periods)

        def cumulated(weights: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
            sums = np.bincount(group * (points + 1) + entry, weights, groups * (points + 1))
            return sums.reshape(groups, points + 1)[:, :-1].cumsum(axis=1)

        nothing = np.zeros(len(flat), dtype=int)
        by_unit = [cumulated(flat[:, k], layout.unit, units) for k in range(size)]
        by_period = [cumulated(flat[:, k], layout.time, periods) for k in range(size)]
        square = np.empty((points, size, size))
        for j in range(size):
            for k in range(size):
                product = cumulated(flat[:, j] * flat[:, k], nothing, 1)[0]
                product = product - (by_unit[j] * by_unit[k]).sum(axis=0) / periods
                if layout.effects == "twoway":
                    product -= (by_period[j] * by_period[k]).sum(axis=0) / units
                    product += by_unit[j].sum(axis=0) * by_unit[k].sum(axis=0) / (units * periods)
                square[:, j, k] = product
        return square

    def products(self, variables: np.ndarray) -> np.ndarray:
        """Return Z'V of every candidate for demeaned columns V: an array (points, size, columns)."""
        points, size, _ = self._square.shape
        return (self._steps @ variables).reshape(points, size, -1).cumsum(axis=0)

    def against(self, null: np.ndarray, fixed: np.ndarray) -> _Stage:
        """Prepare the search for one more threshold beside the fixed ones; ``null`` are the demeaned regressors.

        Raises
        ------
        InvalidInputError
            If no candidate is left.
        """
        basis = np.linalg.qr(null)[0]
        explained = self.products(basis)
        remaining = self._square - explained @ explained.swapaxes(1, 2)
        own = np.sqrt(np.einsum("pkk->pk", self._square).clip(min=np.finfo(float).tiny))
        correlation = remaining / own[:, :, None] / own[:, None, :]
        usable = self.grid.admissible(fixed) & (np.linalg.eigvalsh(correlation)[:, 0] > SINGULAR)
        if not usable.any():
            raise InvalidInputError(
                f"no candidate is left for threshold {len(fixed) + 1}: the threshold variable takes too few values, or "
                "the regressor hardly varies within units; ask for fewer thresholds or less trimming"
            )
        roots = np.linalg.inv(np.linalg.cholesky(remaining[usable]))
        return _Stage(self, basis, explained[usable], roots, usable)


@dataclass(frozen=True)
class _Stage:
    """A search for one more threshold, ready for any dependent variable."""

    search: _Search
    basis: np.ndarray
    explained: np.ndarray
    roots: np.ndarray
    usable: np.ndarray

    @property
    def candidates(self) -> np.ndarray:
        """The admissible candidates, ascending."""
        return self.search.grid.candidates[self.usable]

    def sums_of_squares(self, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of squares of the null, and of each candidate (rows), for demeaned columns."""
        fitted = self.basis.T @ variables
        null = (variables**2).sum(axis=0) - (fitted**2).sum(axis=0)
        products = self.search.products(variables)[self.usable] - self.explained @ fitted
        # Where nothing is left but rounding, which may be negative, the square is that of rounding.
        return null, np.maximum(null - ((self.roots @ products) ** 2).sum(axis=1), np.finfo(float).eps * null)

    def bootstrap(self, residuals: np.ndarray, draws: int, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return F of dependent variables made of residuals drawn by unit, the regressors held fixed.

        F does not depend on the null's coefficients, so residuals alone stand for the dependent variable.
        """
        units = len(self.search.layout.units)
        # A unit's residuals keep their mean of nil wherever they are drawn; those of a period do not.
        left = "time" if self.search.layout.effects == "twoway" else "none"
        by_unit = residuals.reshape(units, -1)
        drawn = random.integers(units, size=(draws, units))
        block = max(1, BLOCK // residuals.size)
        statistics = []
        for start in range(0, draws, block):
            sample = by_unit[drawn[start : start + block].T].swapaxes(1, 2)
            null, ssr = self.sums_of_squares(demean(sample, left).reshape(residuals.size, -1))
            best = ssr.min(axis=0)
            # Where the effects take out all of a draw, as of one unit drawn again and again, there is no statistic.
            best[null <= NOTHING_LEFT**2 * (residuals @ residuals)] = np.nan
            statistics.append((null - best) / (best / scale))
        return np.concatenate(statistics) if statistics else np.empty(0)


@dataclass(frozen=True, eq=False)
class _Found:
    """One stage of the search: its candidates with their sums of squares, and its test."""

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


def _find(model: _Model, grid: _Grid, thresholds: int, draws: int, seed: int) -> dict[str, _Found]:
    """Go through the stages; each has its own stream of random numbers, whatever the number of thresholds."""
    search, random = _Search(model, grid), streams(seed, 3)
    tss = float(model.design.y @ model.design.y)
    found: dict[str, _Found] = {}

    def stage(name: str, fixed: list[float], generator: np.random.Generator | None = None) -> None:
        design = model.given(np.array(fixed))
        residuals = least_squares(design.y, design.X, design.names, model.layout.absorbed).residuals
        check_errors(float(residuals @ residuals), tss)
        step = search.against(design.X, np.array(fixed))
        # The null's fit is taken out first: the sums of squares are then small and lose nothing to rounding.
        null, ssr = step.sums_of_squares(residuals[:, None])
        statistics = step.bootstrap(residuals, draws, model.scale, generator) if generator else np.empty(0)
        found[name] = _Found(step.candidates, ssr[:, 0], float(null[0]), statistics, model.scale)

    stage("first", [], random[0])
    if thresholds > 1:
        stage("second", [found["first"].estimate], random[1])
        stage("first refined", [found["second"].estimate])
    if thresholds > 2:
        stage("third", [found["second"].estimate, found["first refined"].estimate], random[2])
    return found


def _test_table(found: dict[str, _Found], thresholds: int) -> pd.DataFrame:
    rows = {}
    for number, name in enumerate(("first", "second", "third")[:thresholds], start=1):
        stage, drawn = found[name], found[name].statistics
        row = {"ssr_null": stage.ssr_null, "ssr": float(stage.ssr.min()), "F": stage.F}
        row["p_value"] = exceedance_p(stage.F, drawn) if len(drawn) else np.nan
        for percent in (10, 5, 1):
            row[f"critical_{percent}"] = float(np.nanpercentile(drawn, 100 - percent)) if len(drawn) else np.nan
        rows[number] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("thresholds")


def _confidence_sets(found: dict[str, _Found], thresholds: int, critical: float) -> tuple[pd.DataFrame, pd.DataFrame]:
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

"""Spatial panel models with fixed effects by maximum likelihood, and their impacts (空间面板模型极大似然估计)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from clusterlib.core.alignment import Weights
from clusterlib.core.checks import check_choice, check_flags, check_level, listed
from clusterlib.core.resampling import draw_normal
from clusterlib.core.results import Estimates, Result, Test
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import PARAMETERS, Design, make_design
from clusterlib.spatial_panel._jacobians import Jacobian, interpolate, make_jacobian
from clusterlib.spatial_panel._likelihood import (
    ConcentratedLikelihood,
    Counting,
    Information,
    Moments,
    Point,
    lags_within,
)

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike


@dataclass(frozen=True)
class Specification:
    """What a model has: spatial parameters and spatial lags of x."""

    free: tuple[str, ...]
    lags: bool


MODELS = {
    "sar": Specification(("rho",), False),
    "sem": Specification(("lam",), False),
    "sdm": Specification(("rho",), True),
    "sac": Specification(("rho", "lam"), False),
    "slx": Specification((), True),
    "sdem": Specification(("lam",), True),
}
BIAS_CORRECTIONS = ("lee-yu",)
KINDS = ("direct", "indirect", "total")
PARTS = ("se", "z", "p", "lower", "upper")
_COLUMNS = pd.Index([*KINDS, *(f"{kind}_{part}" for kind in KINDS for part in PARTS)])
_IMPACTS = pd.Index(KINDS, name="impact")
_HEADS = pd.Index(["estimate", "std_error", "statistic", "p_value", "lower", "upper"])
_NODES = 32


@dataclass(frozen=True, eq=False)
class Impacts(Result):
    """Direct, indirect and total impacts (直接效应、间接效应与总效应).

    Attributes
    ----------
    table : DataFrame
        By variable: ``direct``, ``indirect`` and ``total``, exact at the estimates, each followed over the draws by
        ``<column>_se`` (standard deviation), ``_z`` (estimate over it), ``_p`` (two-sided, normal), ``_lower`` and
        ``_upper`` (percentiles).
    draws, seed : int
    level : float
        Of the intervals.
    rejected : int
        Draws that were made again because they fell outside the admissible values of rho.
    """

    table: pd.DataFrame
    draws: int
    seed: int
    level: float
    rejected: int = 0

    def of(self, variable: str) -> pd.DataFrame:
        """Return estimate, standard error, z, p value and interval of one variable by kind of impact.

        Raises
        ------
        UnknownNameError
            For another variable.
        """
        check_choice("variable", variable, self.table.index)
        values = self.table.to_numpy()[self.table.index.get_loc(variable)]
        exact, spread = values[: len(KINDS)], values[len(KINDS) :].reshape(len(KINDS), -1)
        return pd.DataFrame(np.column_stack([exact, spread]), index=_IMPACTS, columns=_HEADS)

    @property
    def tidy(self) -> pd.DataFrame:
        """Estimate, standard error, z, p value and interval by variable and kind of impact."""
        return pd.concat({name: self.of(name) for name in self.table.index}, names=["variable"])

    def _shown(self) -> pd.DataFrame:
        return self.tidy


def _impacts_table(names: Sequence[str], exact: np.ndarray, drawn: np.ndarray, level: float) -> pd.DataFrame:
    """Set impacts and their draws as a table.

    Parameters
    ----------
    names : sequence of str
    exact : ndarray, shape (variables, 2)
        Direct and total impacts at the estimates.
    drawn : ndarray, shape (draws, variables, 2)
    level : float
    """
    from scipy.special import ndtr

    exact, drawn = (np.stack([a[..., 0], a[..., 1] - a[..., 0], a[..., 1]], axis=-1) for a in (exact, drawn))
    error = drawn.std(axis=0, ddof=1)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, exact / error, np.nan)
    spread = np.stack([error, z, 2 * ndtr(-np.abs(z)), lower, upper], axis=-1)
    values = np.column_stack([exact, spread.reshape(len(exact), -1)])
    return pd.DataFrame(values, index=pd.Index(names, name="variable"), columns=_COLUMNS)


@dataclass(frozen=True)
class Multipliers:
    r"""Means over units of :math:`S = (I - \rho W)^{-1}` and of SW: of their diagonals and of their row sums."""

    jacobian: Jacobian

    def impacts(self, rho: np.ndarray, own: np.ndarray, lagged: np.ndarray) -> np.ndarray:
        """Return direct and total impacts from coefficients of x and of Wx, each of shape (rhos, variables)."""
        means = self.at(rho)
        return own[..., None] * means[..., None, 0, :] + lagged[..., None] * means[..., None, 1, :]

    def at(self, rho: np.ndarray) -> np.ndarray:
        """Return the four means at each rho, shape (rhos, 2, 2): S and SW by diagonal and row sums."""
        rho = np.asarray(rho, dtype=float)
        lagged = self.jacobian.trace(rho) / len(self.jacobian.weights.units) if rho.any() else np.zeros(rho.shape)
        sums = self._row_sums(rho)
        own = np.stack([1 + rho * lagged, 1 + rho * sums], axis=-1)
        return np.stack([own, np.stack([lagged, sums], axis=-1)], axis=-2)

    def _row_sums(self, rho: np.ndarray) -> np.ndarray:
        """Mean row sum of SW; with weights that are not row-standardised by Chebyshev interpolation over the draws."""
        from numpy.polynomial import chebyshev

        if self.jacobian.weights.row_standardised:
            return 1 / (1 - rho)
        if not rho.any():
            return np.full(rho.shape, self.jacobian.weights.row_sums.mean())
        low, high = rho.min(), rho.max()
        if high - low < 1e-12:
            return np.full(rho.shape, self._solved_mean(low))
        # The pole at the upper bound of rho is divided out, so that few nodes suffice.
        pole = self.jacobian.interval[1] * (1 + 1e-2)
        middle, half = (low + high) / 2, (high - low) / 2

        def without_pole(scaled: float) -> float:
            value = middle + half * scaled
            return (pole - value) * self._solved_mean(value)

        series = interpolate(without_pole, _NODES + 1)
        return chebyshev.chebval((rho - middle) / half, series) / (pole - rho)

    def _solved_mean(self, rho: float) -> float:
        return float(self.jacobian.system.factor(rho).solve(self.jacobian.weights.row_sums).mean())


@dataclass(frozen=True, eq=False, kw_only=True)
class SpatialEstimates(Estimates):
    """Estimates of a spatial model by maximum likelihood (空间模型极大似然估计).

    Attributes
    ----------
    durbin : tuple of str
        The x of which the model has spatial lags.
    sigma2 : float
        Variance of the error: squared residuals over ``nobs``.
    loglik_linear : float
        Log-likelihood of the same regressors without spatial parameters.
    r2, r2_within : float
        One less squared residuals over squared deviations of y from its mean, and over those of y without the effects.
    fitted, residuals : Series
        In the order of the data; residuals are the innovations :math:`e`, fitted values y less these.
    """

    SPATIAL: ClassVar[tuple[str, ...]] = ()

    model: str
    effects: str
    bias_correction: str | None
    y: str
    x: tuple[str, ...]
    durbin: tuple[str, ...]
    sigma2: float
    loglik: float = np.nan
    n_parameters: int = 0
    loglik_linear: float
    r2: float
    r2_within: float
    fitted: pd.Series = field(repr=False)
    residuals: pd.Series = field(repr=False)

    @property
    def spatial(self) -> list[str]:
        """Spatial parameters that the model has."""
        return [name for name in self.SPATIAL if name in self.params.index]

    @property
    def tests(self) -> Mapping[str, Test]:
        """The likelihood-ratio test that all spatial parameters are zero, if there are any."""
        if not self.spatial:
            return {}
        null = " = ".join([*self.spatial, "0"])
        statistic = 2 * (self.loglik - self.loglik_linear)
        return {"LR": Test.of(f"LR: {null} 似然比", null, statistic, "chi2", len(self.spatial))}

    def _own_footer(self) -> dict[str, object]:
        effects = self.effects
        return {
            "Model 模型": self.model.upper(),
            **({"R²": self.r2} if effects == "none" else {"Within R² 组内 R²": self.r2_within}),
            "Unit effects 个体效应": effects in ("entity", "twoway"),
            "Period effects 时间效应": effects in ("time", "twoway"),
        }

    def impacts(self, draws: int = 1000, seed: int = 0, level: float = 0.95) -> Impacts:
        r"""Direct, indirect and total impacts of each variable (直接效应、间接效应与总效应).

        With :math:`S = (I - \rho W)^{-1}`, the change of :math:`y` at home, and of all units' :math:`y`, for one
        unit's change of :math:`x_k`, on average over units:

        .. math:: \text{direct}_k = \tfrac{1}{n} \operatorname{tr} S (\beta_k I + \theta_k W), \quad
                  \text{total}_k = \tfrac{1}{n} 1' S (\beta_k I + \theta_k W) 1,
                  \quad \text{indirect}_k = \text{total}_k - \text{direct}_k

        Islands count as units of which nothing spills over. Errors and intervals come from draws of
        :math:`(\beta, \theta, \rho)` from the normal distribution of the estimates; a draw with rho outside its
        admissible interval is made again.

        Parameters
        ----------
        draws, seed : int
        level : float
            Of the intervals, by percentiles.

        Returns
        -------
        Impacts

        References
        ----------
        LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics, sections 2.7 and 5.6. CRC Press.
        """
        return self._simulated(draws, seed, level, self._admissible, self._impacts_at)

    def _simulated(
        self,
        draws: int,
        seed: int,
        level: float,
        admissible: Callable[[np.ndarray], np.ndarray],
        impacts_at: Callable[[np.ndarray], np.ndarray],
    ) -> Impacts:
        """Impacts at the estimates and their spread over draws of the parameters that are admissible."""
        level = check_level(level)
        # The covariance begins with the parameters, in their order.
        places = self.params.index.get_indexer(pd.Index(self._drawn))
        mean, covariance = self.params.to_numpy()[places], self.covariance.to_numpy()[np.ix_(places, places)]
        drawn, rejected = draw_normal(mean, covariance, draws, seed, admissible)
        exact, spread = (impacts_at(values) for values in (mean[None], drawn))
        return Impacts(_impacts_table(self.x, exact[0], spread, level), len(drawn), seed, level, rejected)

    @property
    def _drawn(self) -> list[str]:
        """Parameters that impacts are made of."""
        raise NotImplementedError

    def _admissible(self, drawn: np.ndarray) -> np.ndarray:
        """Which rows of parameters are admissible."""
        raise NotImplementedError

    def _impacts_at(self, values: np.ndarray) -> np.ndarray:
        """Direct and total impacts at rows of parameters, shape (rows, variables, 2)."""
        raise NotImplementedError

    def _slopes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of x and of Wx, nil where x is not lagged, in rows of parameters that begin with them."""
        k = len(self.x)
        lagged = np.zeros((len(values), k))
        lagged[:, [self.x.index(name) for name in self.durbin]] = values[:, k : k + len(self.durbin)]
        return values[:, :k], lagged


@dataclass(frozen=True, eq=False, kw_only=True)
class SpatialPanelResult(SpatialEstimates):
    r"""Spatial panel model by maximum likelihood (空间面板模型).

    Attributes
    ----------
    params : Series
        By name: ``const`` (only with ``effects="none"``), the variables, ``W_x`` for the spatial lag of ``x``, then
        ``rho`` and ``lam`` where the model has them. Errors are asymptotic, from the expected information.
    covariance : DataFrame
        Of the parameters and ``sigma2``.
    rho, lam : float
        Coefficients of the spatial lags of y and of the error; zero where the model has none.
    loglik, loglik_linear : float
        After ``bias_correction="lee-yu"`` those of the transformed data, which compare only with others of that kind.
    nobs : int
        Observations in the likelihood: units times periods, less those that the transformation takes.
    n_parameters : int
        Coefficients, rho, lam, sigma2 and the effects (n for units, T for periods, n + T - 1 for both), the latter not
        after ``bias_correction="lee-yu"``, whose likelihood is free of them.
    r2_corr : float
        Squared correlation of y without the effects with its prediction by x alone,
        :math:`(I - \rho W)^{-1} X \beta`.
    jacobian : str
        ``"eigen"`` or ``"lu"``; ``"none"`` for SLX.
    islands : tuple
        Units without neighbours.
    """

    SPATIAL: ClassVar[tuple[str, ...]] = PARAMETERS

    exact_effects: bool
    rho: float
    lam: float
    r2_corr: float
    jacobian: str
    row_standardised: bool
    islands: tuple
    _multipliers: Multipliers = field(repr=False)

    @property
    def _drawn(self) -> list[str]:
        lags = [f"W_{name}" for name in self.durbin]
        return [*self.x, *lags, *(["rho"] if "rho" in self.params.index else [])]

    def _admissible(self, drawn: np.ndarray) -> np.ndarray:
        if "rho" not in self.params.index:
            return np.ones(len(drawn), bool)
        lower, upper = self._multipliers.jacobian.interval
        return (drawn[:, -1] > lower) & (drawn[:, -1] < upper)

    def _impacts_at(self, values: np.ndarray) -> np.ndarray:
        rho = values[:, -1] if "rho" in self.params.index else np.zeros(len(values))
        return self._multipliers.impacts(rho, *self._slopes(values))


def fitted_fields(
    design: Design,
    params: np.ndarray,
    names: Sequence[str],
    covariance: np.ndarray,
    left: np.ndarray,
    like: pd.Index,
    made_by: dict,
) -> dict:
    """Return the fields that the results of all spatial models have, from the parameters and the innovations."""
    made_by = {
        "effects": design.effects,
        "y": design.response_name,
        "x": design.x,
        "durbin": design.durbin,
        "bias_correction": None,
    } | made_by
    whole = pd.Index([*design.names, *names, "sigma2"])
    n, periods = design.shape
    squares = float((left**2).sum())
    return {
        **made_by,
        "settings": made_by,
        "params": pd.Series(params, index=whole[:-1], name="estimate"),
        "covariance": pd.DataFrame(covariance, index=whole, columns=whole),
        "n_units": n,
        "n_periods": periods,
        "df_resid": n * periods - design.absorbed - len(params),
        "r2": 1 - squares / float(((design.y - design.y.mean()) ** 2).sum()),
        "r2_within": 1 - squares / float(((design.response - design.response.mean()) ** 2).sum()),
        "residuals": design.series(left, like, "residual"),
        "fitted": design.series(design.y - left, like, "fitted"),
    }


def spatial_panel(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    w: WeightsLike,
    model: str = "sar",
    effects: str = "none",
    bias_correction: str | None = None,
    *,
    durbin: str | Iterable[str] | None = None,
    exact_effects: bool = False,
    jacobian: str = "auto",
) -> SpatialPanelResult:
    r"""Spatial panel model by maximum likelihood (空间面板模型极大似然估计).

    .. math:: y_t = \rho W y_t + X_t \beta + W X_t \theta + \mu + \alpha_t 1 + u_t, \quad u_t = \lambda W u_t + e_t,
              \quad e_{it} \sim N(0, \sigma^2)

    SAR (空间滞后) has rho, SEM (空间误差) lambda, SAC (空间自相关) both, SLX theta, SDM (空间杜宾) rho and theta, SDEM
    lambda and theta. A cross-section is a panel of one period with ``effects="none"``.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), such as (adcode, year); balanced and complete.
    y : str
    x : str or iterable of str
        Regressors, without a constant: one is added with ``effects="none"``.
    w : Graph, W, DataFrame, array or sparse matrix
        Not negative, zero diagonal, used as given, aligned by its labels; a matrix without labels is in the order in
        which the units first stand in the data. For many models of the same units give what
        :func:`clusterlib.spatial_panel.align_weights` returns: eigenvalues are then found once.
    model : {"sar", "sem", "sdm", "sac", "slx", "sdem"}
    effects : {"none", "entity", "time", "twoway"}
        Fixed effects (固定效应).
    bias_correction : {None, "lee-yu"}
        None: maximum likelihood with :math:`T \ln|I - \rho W|`; sigma2, and with time effects rho too, are biased by
        orders 1/T and 1/n. "lee-yu": the transformation that removes the effects, with (T - 1) periods and, with
        time effects, n - 1 units and :math:`\ln|I - \rho W| - \ln(1 - \rho)`.
    durbin : iterable of str, optional
        The x of which SDM, SDEM and SLX take spatial lags, by default all. The constant is never lagged.
    exact_effects : bool
        Without ``"lee-yu"``, the error of SEM, SDEM and SAC is filtered from demeaned data, and the information is
        that of demeaned data, as in Elhorst (2014) and R's splm. If true, time effects are taken out of the filtered
        data and of the information again, which is maximum likelihood with dummy variables, as of R's spatialreg. The
        two differ only with time effects; the information of SAR and SDM is always the latter where weights are not
        row-standardised.
    jacobian : {"auto", "eigen", "lu"}
        :math:`\ln|I - \rho W|` by eigenvalues, or by LU factors and interpolation in rho; by default eigenvalues up to
        150 units, or 2,000 where more than a tenth of the weights are not zero.

    Returns
    -------
    SpatialPanelResult

    Raises
    ------
    InvalidInputError
        For a panel that is not balanced or complete, units that only the weights or only the panel have, regressors
        that do not vary within the effects or are collinear, a likelihood without an inner maximum, and weights that
        are not row-standardised (islands are not) where time effects are removed by transformation.
    UnknownNameError
        For an unknown column, model, kind of effects or correction.

    Notes
    -----
    rho and lambda are sought where :math:`I - \rho W` is regular: between the inverses of the smallest and the largest
    eigenvalue of W where all are known and real, otherwise where :math:`|\rho|` times the spectral radius of W is below
    one (row-standardised: between -1 and 1). Standard errors are asymptotic, by the expected information with sigma2 as
    reported, without small-sample factors. An island has no spatial lag: its row of :math:`I - \rho W` is that of I.

    References
    ----------
    Anselin, L. (1988). Spatial Econometrics, ch. 6. Kluwer. Elhorst, J. P. (2014). Spatial Econometrics: From
    Cross-Sectional Data to Spatial Panels, ch. 3. Springer. Lee, L.-F. and Yu, J. (2010). Journal of Econometrics 154,
    165-185. LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> ring = sum(np.roll(np.eye(20), step, axis=1) for step in (-1, 1)) / 2
    >>> x = random.normal(size=(20, 8))
    >>> y = np.linalg.solve(np.eye(20) - 0.5 * ring, x + 0.3 * ring @ x + random.normal(size=(20, 8)))
    >>> index = pd.MultiIndex.from_product([range(20), range(2015, 2023)], names=["adcode", "year"])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = spatial_panel(panel, "y", "x", ring, "sdm", "twoway", "lee-yu")
    >>> list(result.params.index)
    ['x', 'W_x', 'rho']
    >>> result.impacts(draws=100).table.loc["x", ["direct", "total"]].round(2).tolist()
    [1.29, 2.75]
    """
    check_choice("model", model, MODELS)
    check_choice("bias correction", bias_correction, (None, *BIAS_CORRECTIONS))
    check_flags(exact_effects=exact_effects)
    kind = MODELS[model]
    if durbin is not None and not kind.lags:
        raise InvalidInputError(f"model={model!r} has no spatial lags of x: leave out durbin=, or take 'sdm'")
    design = make_design(data, y, x, w, effects, lags=kind.lags, durbin=durbin)
    if bias_correction and effects == "none":
        raise InvalidInputError(
            f"bias_correction={bias_correction!r} corrects for fixed effects, of which effects='none' has none"
        )
    if design.timed and ((bias_correction and kind.free) or (exact_effects and "lam" in kind.free)):
        check_transformation(design.weights)
    counting = Counting.of(design, bias_correction is not None)
    again = design.timed and (exact_effects or counting.deducted)
    moments = Moments.of(design, "lam" in kind.free, again)
    likelihood = ConcentratedLikelihood(moments, make_jacobian(design.weights, jacobian), counting)
    made_by = {
        "model": model,
        "bias_correction": bias_correction,
        "exact_effects": exact_effects,
        "jacobian": likelihood.jacobian.method if kind.free else "none",
    }
    return _result(design, likelihood, kind.free, made_by, data.index)


def check_transformation(weights: Weights) -> None:
    """Refuse weights with which effects of time do not drop out by Lee and Yu's transformation."""
    if not weights.row_standardised:
        why = f"{listed(weights.islands)} have no neighbours" if weights.islands else "rows do not sum to one"
        raise InvalidInputError(
            f"time effects cannot be removed from the model by transformation: {why}; row-standardise the weights "
            "(graph.transform('R')) and give islands a neighbour, or use bias_correction=None"
        )


def _squared_correlation(design: Design, at: Point, mean: np.ndarray, jacobian: Jacobian) -> float:
    predicted = jacobian.system.factor(at.rho).solve(mean) if at.rho else mean
    if predicted.std() <= 1e-12 * design.response.std():
        return 0.0
    return float(np.corrcoef(predicted.ravel(), design.response.ravel())[0, 1] ** 2)


def _result(
    design: Design, likelihood: ConcentratedLikelihood, free: tuple[str, ...], made_by: dict, like: pd.Index
) -> SpatialPanelResult:
    jacobian, counting = likelihood.jacobian, likelihood.counting
    at = likelihood.fit(free)
    mean = (design.basis @ at.basis_coefficients).reshape(design.shape)
    covariance = Information(design, likelihood, free).covariance(at)
    params = np.concatenate([np.linalg.solve(design.triangle, at.basis_coefficients), at.spatial(free)])
    left = design.response - at.rho * design.lagged_response - mean
    if at.lam:
        left = left - at.lam * lags_within(design, left, likelihood.moments.again)
    return SpatialPanelResult(
        **fitted_fields(design, params, free, covariance, left, like, made_by),
        rho=at.rho,
        lam=at.lam,
        sigma2=at.sigma2,
        loglik=likelihood.value(at.rho, at.lam),
        loglik_linear=likelihood.value(0.0, 0.0),
        nobs=counting.observations,
        n_parameters=len(params) + 1 + (0 if made_by["bias_correction"] else design.absorbed),
        r2_corr=_squared_correlation(design, at, mean, jacobian),
        row_standardised=design.weights.row_standardised,
        islands=design.weights.islands,
        _multipliers=Multipliers(jacobian),
    )

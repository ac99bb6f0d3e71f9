"""What a spatial panel model found (空间面板模型结果)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.results import coefficient_table
from clusterlib.spatial_panel._effect_draws import Impacts, Multipliers, draw_normal, impacts_table, linear_impacts

if TYPE_CHECKING:
    from clusterlib.spatial_panel._hypotheses import HypothesisTest


class LikelihoodCriteria:
    """What follows from ``loglik``, ``n_parameters`` and ``nobs`` of a result."""

    @property
    def loglike(self) -> float:
        """The log-likelihood (对数似然), also named ``loglik``."""
        return self.loglik

    @property
    def aic(self) -> float:
        """Akaike's information criterion (赤池信息准则), smaller is better."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def bic(self) -> float:
        """Schwarz's information criterion (贝叶斯信息准则) with ``nobs`` observations, smaller is better."""
        return float(np.log(self.nobs) * self.n_parameters - 2 * self.loglik)


@dataclass(frozen=True)
class SpatialPanelResult(LikelihoodCriteria):
    r"""Estimates of a spatial panel model with what made them.

    Attributes
    ----------
    params, std_errors : Series
        By name: ``const`` (only with ``effects="none"``), the variables, ``W_x`` for the spatial lag of ``x``, then
        ``rho`` and ``lam`` where the model has them. Errors are asymptotic, from the expected information.
    covariance : DataFrame
        Of the parameters and ``sigma2``.
    rho, lam : float
        Coefficients of the spatial lags of y and of the error; zero where the model has none.
    sigma2 : float
        Variance of the error: squared residuals over ``nobs``.
    loglik, loglik_linear : float
        Log-likelihood at its maximum, and that of the same regressors without rho and lam. After
        ``bias_correction="lee-yu"`` that of the transformed data, which compares only with others of that kind.
    nobs : int
        Observations in the likelihood: units times periods, less those that the transformation takes.
    n_units, n_periods, n_parameters : int
        Parameters count coefficients, rho, lam, sigma2 and the effects (n for units, T for periods, n + T - 1 for
        both), the latter not after ``bias_correction="lee-yu"``, whose likelihood is free of them.
    r2, r2_within, r2_corr : float
        One less squared residuals over squared deviations of y from its mean, and over those of y without the effects;
        squared correlation of y without the effects with its prediction by x alone,
        :math:`(I - \rho W)^{-1} X \beta`.
    fitted, residuals : Series
        In the order of the data; residuals are the innovations :math:`e`, fitted values y less these.
    jacobian : str
        ``"eigen"`` or ``"lu"``; ``"none"`` for SLX.
    islands : tuple
        Units without neighbours.
    """

    model: str
    effects: str
    bias_correction: str | None
    exact_effects: bool
    y: str
    x: tuple[str, ...]
    durbin: tuple[str, ...]
    params: pd.Series
    std_errors: pd.Series
    covariance: pd.DataFrame = field(repr=False)
    rho: float
    lam: float
    sigma2: float
    loglik: float
    loglik_linear: float
    nobs: int
    n_units: int
    n_periods: int
    n_parameters: int
    r2: float
    r2_within: float
    r2_corr: float
    fitted: pd.Series = field(repr=False)
    residuals: pd.Series = field(repr=False)
    jacobian: str
    row_standardised: bool
    islands: tuple
    _multipliers: Multipliers = field(repr=False, compare=False)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return the coefficients, rho and lam with errors, z statistics, p values and intervals."""
        return coefficient_table(self.params, self.std_errors, level=level)

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
        lags = [f"W_{name}" for name in self.durbin]
        lagged = "rho" in self.params.index
        places = [self.params.index.get_loc(name) for name in [*self.x, *lags, *(["rho"] if lagged else [])]]
        mean = self.params.to_numpy()[places]
        covariance = self.covariance.to_numpy()[np.ix_(places, places)]
        lower, upper = self._multipliers.jacobian.interval if lagged else (0.0, 0.0)

        def admissible(drawn: np.ndarray) -> np.ndarray:
            return (drawn[:, -1] > lower) & (drawn[:, -1] < upper) if lagged else np.ones(len(drawn), bool)

        drawn, rejected = draw_normal(mean, covariance, draws, seed, admissible)
        exact, spread = (self._impacts_at(values) for values in (mean[None], drawn))
        return Impacts(impacts_table(self.x, exact[0], spread, level), draws, seed, level, rejected)

    def _impacts_at(self, values: np.ndarray) -> np.ndarray:
        """Direct and total impacts at rows of coefficients of x, of its lags and rho."""
        k = len(self.x)
        own, lagged = values[:, :k], np.zeros((len(values), k))
        lagged[:, [self.x.index(name) for name in self.durbin]] = values[:, k : k + len(self.durbin)]
        rho = values[:, -1] if "rho" in self.params.index else np.zeros(len(values))
        return linear_impacts(self._multipliers.at(rho), own, lagged)

    def wald_test(self, restriction) -> HypothesisTest:
        """Return :func:`clusterlib.spatial_panel.wald_test` of this result."""
        from clusterlib.spatial_panel._hypotheses import wald_test

        return wald_test(self, restriction)

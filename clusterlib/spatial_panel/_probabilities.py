"""Posterior probabilities of spatial models and of weights (空间面板模型的贝叶斯比较)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_number
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError
from clusterlib.spatial_panel._design import Design, make_design
from clusterlib.spatial_panel._estimation import MODELS, check_transformation
from clusterlib.spatial_panel._jacobians import Jacobian, make_jacobian
from clusterlib.spatial_panel._likelihood import ConcentratedLikelihood, Counting, Moments

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

COMPARED_MODELS = ("sar", "sdm", "sem", "sdem", "slx")
COMPARED_EFFECTS = ("entity", "time", "twoway")
_COARSE, _FINE = 401, 2001
# Logarithm of the share of its peak below which the integrand is left out.
_NEGLIGIBLE = -50.0


@dataclass(frozen=True, eq=False)
class ModelProbabilities(Result):
    """Posterior probabilities of spatial models (空间面板模型的后验概率).

    Attributes
    ----------
    table : DataFrame
        By ``weights`` and ``model``: ``log_marginal``, the logarithm of the marginal likelihood, and ``probability``.
    effects : str
    nobs : int
        Observations after the effects are removed.
    g : float
        Of the prior of the coefficients.
    settings : dict
    """

    table: pd.DataFrame
    effects: str
    nobs: int
    g: float
    settings: dict = field(default_factory=dict, repr=False)

    @property
    def probabilities(self) -> pd.DataFrame:
        """Probabilities by model and weights; sums of rows or columns are those of a model or of weights alone."""
        wide = self.table["probability"].unstack("weights")
        return wide.reindex(index=self.settings["models"], columns=self.settings["weights"])


def model_probabilities(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    weights: WeightsLike | Mapping[str, WeightsLike],
    effects: str = "twoway",
    models: Iterable[str] = COMPARED_MODELS,
    *,
    durbin: str | Iterable[str] | None = None,
    g: float | None = None,
) -> ModelProbabilities:
    r"""Posterior probabilities of spatial models and of weights, all equally likely before (模型与权重的后验概率).

    Effects are removed by Lee and Yu's transformation, which leaves m observations in :math:`\tau` periods. Of these,
    with :math:`A = I - \rho W`, the effects' part of its determinant taken out, and Z the k regressors, SAR and SDM are
    :math:`A y = Z \beta + e`, SEM and SDEM :math:`A y = A Z \beta + e`, SLX has :math:`\rho = 0`. Priors are

    .. math:: \beta \mid \sigma^2 \sim N(0, g \sigma^2 (Z_A' Z_A)^{-1}), \quad p(\sigma^2) \propto 1 / \sigma^2, \quad
              \rho \sim U(\rho_{\min}, \rho_{\max}),

    with :math:`Z_A` Z or AZ, and the admissible interval of rho. Coefficients and variance are integrated out exactly,
    rho by Simpson's rule on a grid around its peak, with S the squares of Ay that :math:`Z_A` leaves:

    .. math:: p(y) = \frac{\Gamma(m / 2)}{\pi^{m/2} (1 + g)^{k/2}} \int |A|^\tau
              \left[\frac{g}{1 + g} S(\rho) + \frac{1}{1 + g} \|A y\|^2\right]^{-m/2} p(\rho) \, d\rho

    Parameters
    ----------
    data, y, x, durbin
        As of :func:`clusterlib.spatial_panel.spatial_panel`.
    weights : weights, or mapping of str to weights
        As ``w`` there; with effects of time row-standardised.
    effects : {"entity", "time", "twoway"}
    models : iterable of {"sar", "sdm", "sem", "sdem", "slx"}
    g : float, optional
        How many times vaguer the prior of the coefficients is than the data; by default the larger of m and
        :math:`k^2`, k of the largest model. Models of one k hardly depend on it; the larger it is, the more it tells
        against models with more regressors.

    Returns
    -------
    ModelProbabilities

    Raises
    ------
    InvalidInputError, UnknownNameError
        As of ``spatial_panel``, and for no model, no weights or g that is not positive.

    Notes
    -----
    R's SDPDmod (``blmpSDPD``) gives coefficients a flat prior: the odds of models with different regressors then change
    with the units of x, which they do not here. Those of models with the same regressors are close to each other.

    References
    ----------
    LeSage, J. P. (2014). Spatial econometric panel data model specification: A Bayesian approach. Spatial Statistics 9,
    122-145. LeSage, J. P. and Parent, O. (2007). Bayesian model averaging for spatial econometric models. Geographical
    Analysis 39, 241-267: the prior of the coefficients.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> ring, far = (sum(np.roll(np.eye(30), step, axis=1) for step in (-k, k)) / 2 for k in (1, 7))
    >>> x = random.normal(size=(30, 10))
    >>> y = np.linalg.solve(np.eye(30) - 0.5 * ring, x + 0.6 * ring @ x + random.normal(size=(30, 10)))
    >>> index = pd.MultiIndex.from_product([range(30), range(2011, 2021)], names=["adcode", "year"])
    >>> panel = pd.DataFrame({"y": y.ravel(), "x": x.ravel()}, index=index)
    >>> result = model_probabilities(panel, "y", "x", {"ring": ring, "far": far})
    >>> result.table["probability"].idxmax(), bool(result.probabilities.loc["sdm", "ring"] > 0.9)
    (('ring', 'sdm'), True)
    """
    check_choice("effects", effects, COMPARED_EFFECTS)
    names = list(dict.fromkeys(as_names(models, "models")))
    for name in names:
        check_choice("model", name, COMPARED_MODELS)
    given = weights if isinstance(weights, Mapping) else {"w": weights}
    if not names or not given:
        raise InvalidInputError("nothing to compare: name a model in models, and give weights")
    if durbin is not None and not any(MODELS[name].lags for name in names):
        raise InvalidInputError(f"none of {', '.join(names)} has spatial lags of x: leave out durbin=")
    if g is not None:
        check_number("g", g, least=0, open_ends=True)
    designs, jacobians = {}, {}
    for label, w in given.items():
        for lags in sorted({MODELS[name].lags for name in names}):
            design = make_design(data, y, x, w, effects, lags=lags, durbin=durbin, weights_name=str(label))
            # Aligned once for both designs.
            designs[label, lags], w = design, design.weights
        jacobians[label] = make_jacobian(design.weights)
        if design.timed:
            check_transformation(design.weights)
    counting = Counting.of(design, True)
    if g is None:
        g = max(counting.observations, max(len(design.names) for design in designs.values()) ** 2)
    found = {
        (label, name): _log_marginal(designs[label, kind.lags], jacobians[label], counting, kind.free, g)
        for label in given
        for name, kind in ((name, MODELS[name]) for name in names)
    }
    index = pd.MultiIndex.from_tuples(list(found), names=["weights", "model"])
    table = pd.DataFrame({"log_marginal": list(found.values())}, index=index)
    odds = np.exp(table["log_marginal"] - table["log_marginal"].max())
    table["probability"] = odds / odds.sum()
    made_by = {"y": design.response_name, "x": design.x, "models": names, "weights": list(given)}
    return ModelProbabilities(table, effects, counting.observations, float(g), made_by)


def _log_marginal(design: Design, jacobian: Jacobian, counting: Counting, free: tuple[str, ...], g: float) -> float:
    """Return the logarithm of the marginal likelihood of a model with one spatial parameter or none."""
    from scipy.integrate import simpson
    from scipy.special import gammaln

    likelihood = ConcentratedLikelihood(Moments.of(design, "lam" in free, design.timed), jacobian, counting)
    moments, m = likelihood.moments, counting.observations

    def given(values: np.ndarray) -> np.ndarray:
        """Logarithm of the marginal likelihood at each value of the spatial parameter."""
        rho, lam = (values if name in free else np.zeros(len(values)) for name in ("rho", "lam"))
        head = np.column_stack([np.ones(len(values)), -rho])
        # What the regressors leave of Ay, and Ay: e0 and e1 alone, and with the basis.
        combined = np.column_stack([head, head @ moments.offsets.T])
        left = np.einsum("va,vab,vb->v", head, likelihood.profile(lam), head)
        whole = np.einsum("va,vab,vb->v", combined, moments.at(lam), combined)
        determinant = counting.periods * (likelihood.adjusted(rho) + likelihood.adjusted(lam))
        return determinant - m / 2 * np.log((g * left + whole) / (1 + g))

    constant = gammaln(m / 2) - m / 2 * np.log(np.pi) - len(design.names) / 2 * np.log1p(g)
    if not free:
        return float(constant + given(np.zeros(1))[0])
    grid = np.linspace(*jacobian.interval, _COARSE)
    heights = given(grid)
    kept = np.flatnonzero(heights > heights.max() + _NEGLIGIBLE)
    fine = np.linspace(grid[max(kept[0] - 1, 0)], grid[min(kept[-1] + 1, _COARSE - 1)], _FINE)
    heights = given(fine)
    peak = heights.max()
    return float(constant + peak + np.log(simpson(np.exp(heights - peak), x=fine) / (grid[-1] - grid[0])))

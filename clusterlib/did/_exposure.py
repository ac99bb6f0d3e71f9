"""Difference-in-differences with spillovers (空间双重差分): exposure to treated neighbours as a second treatment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterlib.core.alignment import align_weights, first_seen, require_neighbours, weight_labels
from clusterlib.core.checks import as_names, check_choice, check_level, check_panel, listed, panel_index
from clusterlib.core.results import coefficient_table
from clusterlib.core.within import make_layout
from clusterlib.did._timing import NEVER, first_treated, listed_dates, treated_now
from clusterlib.did._twoway import TREATED, TreatmentEstimates, nested_clusters, regress, reserve
from clusterlib.errors import InvalidInputError

if TYPE_CHECKING:
    from clusterlib.core.alignment import WeightsLike

EXPOSURES = ("share", "any")
ON_CONTROLS, ON_TREATED = "exposure of untreated", "exposure of treated"


@dataclass(frozen=True, eq=False, kw_only=True)
class SpilloverDiD(TreatmentEstimates):
    """Two-way fixed-effects difference-in-differences with spillovers (空间双重差分).

    Attributes
    ----------
    params, covariance, std_errors, table, nobs, n_units, n_periods, df_resid, level, settings
        As of all estimates, by regressor: ``treated`` (the direct effect on a unit without treated neighbours),
        ``exposure of untreated``, ``exposure of treated`` and the controls. An exposure that does not occur is left
        out.
    effects : DataFrame
        The columns of ``table`` for ``direct``, ``spillover on untreated`` (at the mean exposure of untreated
        observations that have any), ``total on treated`` (direct, and spillover at the mean exposure of treated
        observations), and ``ignoring spillovers`` (the estimate without exposure).
    exposure : DataFrame
        Exposure of each unit in each period.
    exposed_untreated, exposed_treated : int
        Observations after some neighbour's treatment.
    mean_exposure_untreated, mean_exposure_treated : float
    kind : str
        ``"share"`` or ``"any"``.
    treated_units, clusters : int
    """

    effects: pd.DataFrame = field(repr=False)
    exposure: pd.DataFrame = field(repr=False)
    exposed_untreated: int
    exposed_treated: int
    mean_exposure_untreated: float
    mean_exposure_treated: float
    kind: str


def _exposure(
    w: WeightsLike, given: pd.Index, first: pd.Series, treatment: str | pd.Series, periods: pd.Index, kind: str
) -> pd.DataFrame:
    """Return the exposure of the panel's units by period; the weights' units may be more than the panel's."""
    labels, dates = weight_labels(w), first
    outside = first.index[:0] if labels is None else labels.difference(first.index, sort=False)
    if len(outside) and not isinstance(treatment, pd.Series):
        raise InvalidInputError(
            f"{len(outside)} unit(s) have weights but no rows, the first is {outside[0]}: give the treatment as a "
            f"Series by unit that covers {listed(outside)}, or make the weights of the panel's units"
        )
    if len(outside):
        dates = pd.concat([first, listed_dates(treatment).reindex(outside, fill_value=NEVER)])  # type: ignore[arg-type]
    weights = require_neighbours(align_weights(w, dates.index, given=given))
    matrix = (weights.standardised() if kind == "share" else weights.binary()).matrix
    treated = (dates.to_numpy()[:, None] <= periods.to_numpy(float)).astype(float)
    lag = pd.DataFrame(matrix @ treated, index=dates.index, columns=periods).loc[first.index]
    return lag if kind == "share" else (lag > 0).astype(float)


def spillover_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    w: WeightsLike,
    controls: str | Iterable[str] = (),
    *,
    exposure: str = "share",
    cluster: str | pd.Series | None = None,
    level: float = 0.95,
) -> SpilloverDiD:
    r"""Estimate a direct effect and spillovers from treated neighbours (空间双重差分).

    With :math:`S_{it} = \sum_j w_{ij} D_{jt}` the share of neighbours treated (rows of :math:`w` are made to sum to
    one), or whether there is any,

    .. math:: y_{it} = \alpha_i + \lambda_t + \tau D_{it} + \delta_0 (1 - D_{it}) S_{it} + \delta_1 D_{it} S_{it}
              + x_{it}'\gamma + \varepsilon_{it}

    Without exposure, controls that gain or lose from treated neighbours bias the effect: the comparison group is not
    untouched. What identifies :math:`\tau` and :math:`\delta` here are units that are neither treated nor neighbours
    of a treated one; a spillover that reaches further than ``w`` is not seen. Effects are constant, as in
    :func:`twoway_did`, whose standard errors are used: exposures of neighbours are alike, so cluster by a larger area
    where there are enough.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); ``y`` and ``controls`` complete. Need not be balanced.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    w : Graph, W, DataFrame or array
        Aligned by its labels; it may hold more units than the panel if ``treatment`` is a Series: those count as
        neighbours. An array or sparse matrix has no labels and is taken in the order in which the units first stand
        in ``data``.
    controls : str or iterable of str
    exposure : {"share", "any"}
    cluster : str or Series, optional
        As in :func:`twoway_did`.
    level : float

    Returns
    -------
    SpilloverDiD

    Raises
    ------
    InvalidInputError
        As :func:`twoway_did`; for weights without some unit of the panel; where no unit is exposed.
    UnknownNameError
        For a name that is not a column, or another exposure.

    References
    ----------
    Butts, K. (2021). Difference-in-differences estimation with spatial spillovers. arXiv:2105.03737, section 3.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([list("abcde"), [2014, 2015]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [0.0, 3, 0, 1, 0, 0, 0, 0, 0, 0]}, index=index)
    >>> line = np.diag([1, 1, 1, 1], 1) + np.diag([1, 1, 1, 1], -1)
    >>> result = spillover_did(data, "output", pd.Series({"a": 2015}), line, exposure="any")
    >>> result.effects["estimate"].round(2).tolist()
    [3.0, 1.0, 3.0, 2.75]
    """
    check_choice("exposure", exposure, EXPOSURES)
    check_level(level)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    reserve(names, [TREATED, ON_CONTROLS, ON_TREATED])
    first, index = first_treated(data, treatment), panel_index(frame)
    periods = index.unique(1).sort_values()
    share = _exposure(w, first_seen(data.index), first, treatment, periods, exposure)
    treated = treated_now(index, first).astype(float)
    exposed = share.stack().reindex(index).to_numpy(float)
    X = pd.DataFrame({TREATED: treated, ON_CONTROLS: (1 - treated) * exposed, ON_TREATED: treated * exposed})
    X = X.set_axis(index).loc[:, lambda x: (x != 0).any()]
    if ON_CONTROLS not in X:
        raise InvalidInputError("no untreated unit ever has a treated neighbour: there is no spillover to estimate")
    layout = make_layout(index, "twoway")
    clusters = nested_clusters(cluster, layout, data)
    outcome, rest = frame[y].to_numpy(), frame[names]
    found = regress(outcome, pd.concat([X, rest], axis=1), layout, clusters)
    plain = regress(outcome, pd.concat([X[[TREATED]], rest], axis=1), layout, clusters)
    means = {name: float(X[name][X[name] > 0].mean()) for name in X.columns.drop(TREATED)}
    means[ON_TREATED] = float(exposed[treated > 0].mean())
    return SpilloverDiD(
        **found,
        effects=_effects(found, plain, means, level),
        exposure=share.rename_axis(columns="period"),
        exposed_untreated=int((X[ON_CONTROLS] > 0).sum()),
        exposed_treated=int((treated * exposed > 0).sum()),
        mean_exposure_untreated=means[ON_CONTROLS],
        mean_exposure_treated=means[ON_TREATED],
        kind=exposure,
        treated_units=int(np.isfinite(first).sum()),
        level=level,
        settings={"y": y, "controls": names, "effects": "twoway", "exposure": exposure},
    )


def _effects(found: dict[str, Any], plain: dict[str, Any], means: dict[str, float], level: float) -> pd.DataFrame:
    """Return the effects as sums of coefficients weighted by mean exposures, with errors from their covariance."""
    combinations = {
        "direct": {TREATED: 1.0},
        "spillover on untreated": {ON_CONTROLS: means[ON_CONTROLS]},
        "total on treated": {TREATED: 1.0, ON_TREATED: means[ON_TREATED]},
    }
    weights = pd.DataFrame(combinations).T.reindex(columns=found["params"].index).fillna(0.0)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", weights, found["covariance"], weights))
    alone = {"ignoring spillovers": plain["params"][TREATED]}
    estimates = pd.concat([weights @ found["params"], pd.Series(alone)])
    errors = pd.Series([*errors, np.sqrt(plain["covariance"].loc[TREATED, TREATED])], index=estimates.index)
    return coefficient_table(estimates, errors, found["df_inference"], level).rename_axis("effect")

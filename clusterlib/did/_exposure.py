"""Difference-in-differences with spillovers (空间双重差分): exposure to treated neighbours as a second treatment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel
from clusterlib.core.results import coefficient_table
from clusterlib.did._static import TREATED, sample_footer
from clusterlib.did._timing import NEVER, first_treated, treated_now
from clusterlib.did._within import Fit, effects_of, fit
from clusterlib.errors import InvalidInputError, UnknownNameError

EXPOSURES = ("share", "any")
ON_CONTROLS, ON_TREATED = "exposure of untreated", "exposure of treated"


@dataclass(frozen=True)
class SpilloverDiD:
    """A direct effect and the effect of treated neighbours.

    Attributes
    ----------
    table : DataFrame
        By regressor: ``treated`` (the direct effect on a unit without treated neighbours), ``exposure of untreated``,
        ``exposure of treated`` and the controls, with ``estimate``, ``std_error``, ``statistic``, ``p_value``,
        ``lower``, ``upper``. An exposure that does not occur is left out.
    effects : DataFrame
        The same columns for ``direct``, ``spillover on untreated`` (at the mean exposure of untreated observations that
        have any), ``total on treated`` (direct, and spillover at the mean exposure of treated observations), and
        ``ignoring spillovers`` (the estimate without exposure).
    exposure : DataFrame
        Exposure of each unit in each period.
    exposed_untreated, exposed_treated : int
        Observations after some neighbour's treatment.
    mean_exposure_untreated, mean_exposure_treated : float
    kind : str
        ``"share"`` or ``"any"``.
    observations, units, treated_units, clusters : int
    level : float
    """

    table: pd.DataFrame
    effects: pd.DataFrame
    exposure: pd.DataFrame
    exposed_untreated: int
    exposed_treated: int
    mean_exposure_untreated: float
    mean_exposure_treated: float
    kind: str
    observations: int
    units: int
    treated_units: int
    clusters: int
    level: float

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        return sample_footer(self)

    def summary(self) -> pd.DataFrame:
        """Return the direct effect, the spillovers and what ignoring them gives."""
        return self.effects


def _dates(w, units: pd.Index, first: pd.Series, treatment: str | pd.Series) -> pd.Series:
    """Return first treated periods of the weights' units, which may be more than the panel's."""
    if not hasattr(w, "unique_ids"):
        return first.reindex(units)
    ids = pd.Index(w.unique_ids)
    missing = units.difference(ids)
    if len(missing):
        raise InvalidInputError(f"{len(missing)} unit(s) of the panel have no weights, the first is {missing[0]}")
    outside = ids.difference(units)
    if len(outside) and not isinstance(treatment, pd.Series):
        raise InvalidInputError(
            f"{len(outside)} unit(s) have weights but no rows, the first is {outside[0]}: give the treatment as a "
            "Series by unit that covers them, or make the weights of the panel's units"
        )
    dates = pd.Series(NEVER, index=ids)
    if len(outside):
        listed = treatment.reindex(outside).astype(float)
        dates.loc[outside] = listed.where(listed.notna() & (listed != 0), NEVER)
    dates.loc[units] = first
    return dates


def _exposure(w, units: pd.Index, dates: pd.Series, periods: pd.Index, kind: str) -> pd.DataFrame:
    from clusterlib.spatial._alignment import weight_matrix

    matrix = weight_matrix(w, dates.index, row_standardise=kind == "share")
    treated = (dates.to_numpy()[:, None] <= periods.to_numpy(float)).astype(float)
    lag = pd.DataFrame(matrix @ treated, index=dates.index, columns=periods).loc[units]
    return lag if kind == "share" else (lag > 0).astype(float)


def spillover_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    w,
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
    w : Graph, array or sparse matrix
        A Graph may hold more units than the panel if ``treatment`` is a Series: those count as neighbours. A matrix
        is in the order of the sorted units.
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
    if exposure not in EXPOSURES:
        raise UnknownNameError("exposure", exposure, EXPOSURES)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    first = first_treated(data, treatment)
    periods = frame.index.unique(1).sort_values()
    share = _exposure(w, first.index, _dates(w, first.index, first, treatment), periods, exposure)
    treated = treated_now(frame.index, first).astype(float)
    exposed = share.stack().reindex(frame.index).to_numpy(float)
    X = pd.DataFrame({TREATED: treated, ON_CONTROLS: (1 - treated) * exposed, ON_TREATED: treated * exposed})
    X = X.set_axis(frame.index).loc[:, lambda x: (x != 0).any()]
    if ON_CONTROLS not in X:
        raise InvalidInputError("no untreated unit ever has a treated neighbour: there is no spillover to estimate")
    effects = effects_of(data, frame.index, cluster)
    outcome, rest = frame[y].to_numpy(), frame[names]
    fitted = fit(outcome, pd.concat([X, rest], axis=1), effects)
    plain = fit(outcome, pd.concat([X[[TREATED]], rest], axis=1), effects)
    means = {name: float(X[name][X[name] > 0].mean()) for name in X.columns.drop(TREATED)}
    means[ON_TREATED] = float(exposed[treated > 0].mean())
    return SpilloverDiD(
        table=coefficient_table(fitted.params, fitted.std_errors, fitted.df, level),
        effects=_effects(fitted, plain, means, level),
        exposure=share.rename_axis(columns="period"),
        exposed_untreated=int((X[ON_CONTROLS] > 0).sum()),
        exposed_treated=int((treated * exposed > 0).sum()),
        mean_exposure_untreated=means[ON_CONTROLS],
        mean_exposure_treated=means[ON_TREATED],
        kind=exposure,
        observations=len(frame),
        units=len(first),
        treated_units=int(np.isfinite(first).sum()),
        clusters=effects.clusters,
        level=level,
    )


def _effects(fitted: Fit, plain: Fit, means: dict[str, float], level: float) -> pd.DataFrame:
    """Return the effects as sums of coefficients weighted by mean exposures, with errors from their covariance."""
    combinations = {
        "direct": {TREATED: 1.0},
        "spillover on untreated": {ON_CONTROLS: means[ON_CONTROLS]},
        "total on treated": {TREATED: 1.0, ON_TREATED: means[ON_TREATED]},
    }
    weights = pd.DataFrame(combinations).T.reindex(columns=fitted.params.index).fillna(0.0)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", weights, fitted.covariance, weights))
    estimates = pd.concat([weights @ fitted.params, pd.Series({"ignoring spillovers": plain.params[TREATED]})])
    errors = pd.Series([*errors, plain.std_errors[TREATED]], index=estimates.index)
    return coefficient_table(estimates, errors, fitted.df, level).rename_axis("effect")

"""The static two-way fixed-effects estimate (双向固定效应双重差分), with a test that holds for few clusters."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel
from clusterlib.core.results import coefficient_table
from clusterlib.did._timing import first_treated, treated_now
from clusterlib.did._within import Effects, demean_units, effects_of, fit, period_dummies
from clusterlib.errors import InvalidInputError

TREATED = "treated"


def sample_footer(result) -> dict[str, object]:
    """Return the sizes of a result's sample, as they stand in a regression table."""
    return {
        "Observations 观测数": result.observations,
        "Units 个体数": result.units,
        "Treated units 处理个体数": result.treated_units,
        "Clusters 聚类数": result.clusters,
    }


@dataclass(frozen=True)
class TwowayDiD:
    """A two-way fixed-effects difference-in-differences estimate.

    Attributes
    ----------
    table : DataFrame
        By regressor, ``treated`` first: ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``.
    wild_p, wild_lower, wild_upper : float
        Of ``treated`` by the wild cluster bootstrap; missing without draws.
    observations, units, treated_units, clusters : int
    draws, seed : int
        Of the bootstrap; ``draws`` is the number of sign vectors used.
    level : float
        Of the intervals.
    """

    table: pd.DataFrame
    wild_p: float
    wild_lower: float
    wild_upper: float
    observations: int
    units: int
    treated_units: int
    clusters: int
    draws: int
    seed: int
    level: float

    @property
    def estimate(self) -> float:
        """The coefficient of being treated."""
        return float(self.table.loc[TREATED, "estimate"])

    @property
    def std_error(self) -> float:
        """Its standard error by cluster."""
        return float(self.table.loc[TREATED, "std_error"])

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        return sample_footer(self)

    def summary(self) -> pd.DataFrame:
        """Return the coefficients; the wild bootstrap's p value stands beside that of ``treated``."""
        return self.table.assign(wild_p=pd.Series({TREATED: self.wild_p}))


def _wild(y: np.ndarray, X: np.ndarray, effects: Effects, draws: int, seed: int, level: float) -> tuple:
    """Test the first column of ``X`` by the restricted wild cluster bootstrap.

    A draw flips the residuals of whole clusters, and units lie within clusters, so the units' means can be taken out
    once; the period effects cannot and stay in the regression.
    """
    from diff_diff import wild_bootstrap_se

    design = np.column_stack([demean_units(X, effects.unit), period_dummies(effects)])
    outcome = demean_units(y[:, None], effects.unit)[:, 0]
    with warnings.catch_warnings():
        # Fewer than five clusters: the documentation says what the test is then worth.
        warnings.simplefilter("ignore")
        result = wild_bootstrap_se(
            design, outcome, outcome, effects.cluster, 0, n_bootstrap=draws, seed=seed, alpha=1 - level
        )
    return float(result.p_value), float(result.ci_lower), float(result.ci_upper), int(result.n_bootstrap)


def twoway_did(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    controls: str | Iterable[str] = (),
    *,
    cluster: str | pd.Series | None = None,
    periods_by: str | pd.Series | None = None,
    draws: int = 999,
    seed: int = 0,
    level: float = 0.95,
) -> TwowayDiD:
    r"""Estimate a treatment effect by two-way fixed effects (双向固定效应双重差分).

    .. math:: y_{it} = \alpha_i + \lambda_t + \beta D_{it} + x_{it}'\gamma + \varepsilon_{it}

    With staggered adoption and effects that differ, :math:`\beta` is a weighted mean that also compares with units
    already treated: see :func:`goodman_bacon`. Standard errors are clustered, multiplied by
    :math:`\frac{G}{G-1}\frac{N-1}{N-K}` with :math:`K` slopes and period effects (unit effects are nested in the
    clusters), and tested by Student's distribution of :math:`G - 1` degrees of freedom. With few clusters those reject
    too often; the wild cluster bootstrap, with the null imposed and Rademacher signs, enumerates all :math:`2^G` sign
    vectors where ``draws`` reaches them. With very few *treated* clusters it may hardly ever reject: see
    :func:`placebo_test`.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time); ``y`` and ``controls`` complete. Need not be balanced.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    controls : str or iterable of str
        Columns that vary within units.
    cluster : str or Series, optional
        Groups of units, a column or a Series by unit; by default each unit is a cluster.
    periods_by : str or Series, optional
        Groups of units, such as provinces, each of which has its own period effects.
    draws, seed : int
        Of the wild bootstrap; 0 leaves it out.
    level : float
        Of the intervals; the bootstrap's inverts its test.

    Returns
    -------
    TwowayDiD

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values; for regressors that the effects absorb.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Review of Economics and Statistics 90, 414-427.
    MacKinnon, J. G. and Webb, M. D. (2018). The Econometrics Journal 21, 114-135.

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b"], [2014, 2015]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": [1.0, 4.0, 2.0, 3.0]}, index=index)
    >>> round(twoway_did(data, "output", pd.Series({"a": 2015}), draws=0).estimate, 12)
    2.0
    """
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    if TREATED in names:
        raise InvalidInputError(f"a control is called {TREATED!r}, the name of the treatment's coefficient: rename it")
    first = first_treated(data, treatment)
    effects = effects_of(data, frame.index, cluster, periods_by)
    X = frame[names].assign(**{TREATED: treated_now(frame.index, first).astype(float)})[[TREATED, *names]]
    outcome = frame[y].to_numpy()
    fitted = fit(outcome, X, effects)
    wild = (np.nan, np.nan, np.nan, 0)
    if draws:
        wild = _wild(outcome, X.to_numpy(), effects, draws, seed, level)
    return TwowayDiD(
        table=coefficient_table(fitted.params, fitted.std_errors, fitted.df, level),
        wild_p=wild[0],
        wild_lower=wild[1],
        wild_upper=wild[2],
        observations=len(frame),
        units=len(first),
        treated_units=int(np.isfinite(first).sum()),
        clusters=effects.clusters,
        draws=wild[3],
        seed=seed,
        level=level,
    )

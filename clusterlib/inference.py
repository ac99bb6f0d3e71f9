"""What every table of coefficients shares: statistics, p values, intervals and stars (系数表)."""

from __future__ import annotations

import numpy as np
import pandas as pd

STARS_NOTE = "standard errors in parentheses 括号内为标准误; * p < 0.1, ** p < 0.05, *** p < 0.01"


def coefficient_table(
    estimates: pd.Series, std_errors: pd.Series, df: float | None = None, level: float = 0.95
) -> pd.DataFrame:
    r"""Set estimates with their standard errors, test statistics, p values and intervals (系数表).

    .. math:: t_k = b_k / s_k, \quad p_k = 2 \Pr(T > |t_k|), \quad b_k \pm q_{(1 + \text{level}) / 2} \, s_k

    Parameters
    ----------
    estimates, std_errors : Series
        By the same index.
    df : float, optional
        Degrees of freedom of Student's distribution; by default the normal distribution.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``lower``, ``upper``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = coefficient_table(pd.Series({"x": 2.0}), pd.Series({"x": 1.0}))
    >>> table.loc["x"].round(3).tolist()
    [2.0, 1.0, 2.0, 0.046, 0.04, 3.96]
    """
    from scipy.stats import norm, t

    distribution, options = (norm, {}) if df is None else (t, {"df": df})
    values, errors = estimates.to_numpy(), std_errors.reindex(estimates.index).to_numpy()
    # An error of nil, as of a coefficient that is held fixed, makes the statistic infinite or unknown.
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = values / errors
    margin = distribution.ppf((1 + level) / 2, **options) * errors
    return pd.DataFrame(
        {
            "estimate": values,
            "std_error": errors,
            "statistic": statistic,
            "p_value": 2 * distribution.sf(np.abs(statistic), **options),
            "lower": values - margin,
            "upper": values + margin,
        },
        index=estimates.index,
    )


def stars(p_value: float) -> str:
    """Return the stars (显著性星号) of a p value: one below 0.1, two below 0.05, three below 0.01.

    Examples
    --------
    >>> stars(0.04)
    '**'
    """
    return "*" * sum(p_value < bound for bound in (0.1, 0.05, 0.01))

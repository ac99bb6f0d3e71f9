"""What a design could have seen (最小可检测效应): the smallest effect that a test would find with given power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_level, check_number, place_of
from clusterlib.core.results import Result
from clusterlib.errors import InvalidInputError


def minimum_detectable_effect(
    std_errors: float | pd.Series | Result,
    df: float | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
) -> pd.DataFrame:
    r"""Smallest effect that a design finds with a given power (最小可检测效应).

    The smallest :math:`\delta > 0` at which the t test of level :math:`\alpha` rejects with probability
    :math:`1 - \beta`, where the statistic has a noncentral t distribution:

    .. math:: \Pr\big(|T_{\nu}(\delta / s)| > t_{\nu, 1 - \alpha / 2}\big) = 1 - \beta

    Beside it stands Bloom's usual multiplier, :math:`\delta \approx (t_{\nu, 1 - \alpha/2} + t_{\nu, 1 - \beta}) s`. A
    result below it in size that is not significant says little: the design could not have seen it. It is about the
    design, not the estimate; power computed at the estimate itself only repeats the p value.

    Parameters
    ----------
    std_errors : float, Series or result
        Standard errors, or a result with ``std_error`` in its table, whose degrees of freedom are taken.
    df : float, optional
        Degrees of freedom of the t statistic; by default the result's, or else the normal distribution.
    alpha : float
        Significance level of the test.
    power : float
        Above ``alpha``.

    Returns
    -------
    DataFrame
        By coefficient, ``effect`` for a number: ``estimate`` (of a result), ``std_error``, ``df`` (infinite for the
        normal distribution), ``usual`` and ``minimum_detectable``; missing where there is no standard error.

    Raises
    ------
    InvalidInputError
        For a negative standard error, a share out of bounds, a power that is not above ``alpha``, or a result without
        standard errors.

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects: a simple way to report the statistical power of experimental
    designs. Evaluation Review 19, 547-556, equation 1.

    Examples
    --------
    >>> minimum_detectable_effect(1.0, 30).loc["effect", ["usual", "minimum_detectable"]].round(3).tolist()
    [2.896, 2.895]
    """
    alpha, power = check_level(alpha, "alpha"), check_level(power, "power")
    if power <= alpha:
        raise InvalidInputError(f"power={power:g}: expected more than alpha={alpha:g}, which a test has without effect")
    table, own = _errors_of(std_errors)
    df = own if df is None else check_number("df", df, least=0, open_ends=True)
    bad = table.index[(table["std_error"] < 0) | np.isinf(table["std_error"])]
    if len(bad):
        raise InvalidInputError(f"the standard error of {place_of(bad[0])} is negative or infinite")
    usual, exact = multipliers(df, alpha, power)
    errors = table["std_error"].where(table["std_error"] > 0)
    return table.assign(df=np.inf if df is None else df, usual=usual * errors, minimum_detectable=exact * errors)


def multipliers(df: float | None, alpha: float, power: float) -> tuple[float, float]:
    """Return the usual and the exact multiple of the standard error that a test finds with this power."""
    from scipy.stats import ncf, ncx2, norm, t

    normal = df is None or np.isinf(df)
    law = norm if normal else t(df)
    bound, more = float(law.isf(alpha / 2)), float(law.ppf(power))

    def found(effect: float) -> float:
        # Of the square of the statistic: nct's lower tail is missing where it is tiny.
        return float(ncx2.sf(bound**2, 1, effect**2) if normal else ncf.sf(bound**2, 1, df, effect**2))

    return bound + more, expand_root(lambda effect: power - found(effect), 1e-6, bound + abs(more) + 1)


def expand_root(above: Callable[[float], float], start: float, step: float) -> float:
    """Return where a function that is positive at ``start`` falls to zero, stepping out by twice as much each time."""
    from scipy.optimize import brentq

    near, far = start, start + step
    while above(far) > 0:
        near, far, step = far, far + 2 * step, 2 * step
    return brentq(above, near, far, xtol=1e-12 * step)  # type: ignore[return-value]


def _errors_of(given: Any) -> tuple[pd.DataFrame, float | None]:
    """Return the standard errors, with the estimates of a result, and its degrees of freedom."""
    if isinstance(given, pd.Series):
        return pd.DataFrame({"std_error": pd.to_numeric(given, errors="coerce")}, given.index), None
    if not isinstance(given, Result):
        return pd.DataFrame({"std_error": [check_number("std_errors", given)]}, ["effect"]), None
    table = given.table
    if not isinstance(table, pd.DataFrame) or not {"estimate", "std_error"} <= set(table.columns):
        raise InvalidInputError(f"a {type(given).__name__} has no table of estimates with standard errors")
    return table[["estimate", "std_error"]].astype(float), getattr(given, "df_inference", None)


def single_estimate(
    estimate: float, std_error: float, df: float | None = None, level: float = 0.95
) -> dict[str, float]:
    """Set out one estimate with what its design could have seen (单项估计及其最小可检测效应).

    Parameters
    ----------
    estimate, std_error : float
    df : float, optional
        Degrees of freedom of Student's distribution; by default the normal distribution.
    level : float

    Returns
    -------
    dict
        ``estimate``, ``std_error``, ``p_value``, ``lower``, ``upper`` and ``detectable`` (80 percent power).

    Examples
    --------
    >>> [round(value, 2) for value in single_estimate(2.0, 1.0).values()]
    [2.0, 1.0, 0.05, 0.04, 3.96, 2.8]
    """
    from clusterlib.core.results import coefficient_table

    errors = pd.Series({"effect": float(std_error)})
    row = coefficient_table(pd.Series({"effect": float(estimate)}), errors, df, level).iloc[0].to_dict()
    seen = minimum_detectable_effect(float(std_error), df, alpha=1 - level)["minimum_detectable"].iloc[0]
    found = {name: float(row[name]) for name in ("estimate", "std_error", "p_value", "lower", "upper")}
    return found | {"detectable": float(seen)}

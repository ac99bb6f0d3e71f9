"""Placebo test (安慰剂检验): the estimate against those of treatment dates dealt out at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced, check_panel, check_whole, panel_index
from clusterlib.core.resampling import coarse_note, exceedance_p, generator, shuffled
from clusterlib.core.results import Result
from clusterlib.core.within import make_layout
from clusterlib.did._timing import first_treated, treated_now
from clusterlib.did._twoway import TREATED, reserve, tell_apart


@dataclass(frozen=True, eq=False, kw_only=True)
class PlaceboTest(Result):
    """Placebo test of a two-way fixed-effects estimate (双重差分安慰剂检验).

    Attributes
    ----------
    estimate : float
        The coefficient of being treated with the actual dates.
    distribution : Series
        The coefficient of each draw.
    p_value : float
        Two-sided.
    assignments : float
        How many different ways of dealing out the dates there are; its inverse bounds the p value that more draws
        could reach.
    table : DataFrame
        Estimate, p value, and mean, standard deviation and outer quantiles of the draws.
    nobs, n_units, n_periods, treated_units, draws, seed : int
    notes : tuple of str
        How coarse the p value is where there are few ways to deal out the dates.
    """

    estimate: float = field(repr=False)
    distribution: pd.Series = field(repr=False)
    p_value: float = field(repr=False)
    assignments: float
    nobs: int
    n_units: int
    n_periods: int
    treated_units: int
    draws: int
    seed: int
    notes: tuple[str, ...] = ()  # type: ignore[misc]

    @property
    def table(self) -> pd.DataFrame:
        """The estimate, the p value and what the draws look like."""
        drawn = self.distribution
        values = {
            "estimate": self.estimate,
            "p_value": self.p_value,
            "mean of draws": drawn.mean(),
            "standard deviation of draws": drawn.std(),
            "2.5 % of draws": drawn.quantile(0.025),
            "97.5 % of draws": drawn.quantile(0.975),
        }
        return pd.DataFrame({"value": values}).rename_axis("item")


def _tail_sums(values: np.ndarray, n: int, periods: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Return for each unit, date and column the sum of its values from that date on (none if never)."""
    cube = values.reshape(n, len(periods), -1)
    from_date = np.searchsorted(periods, dates)
    tails = np.concatenate([np.cumsum(cube[:, ::-1], axis=1)[:, ::-1], np.zeros_like(cube[:, :1])], axis=1)
    return tails[:, from_date]


def _number_of_assignments(counts: np.ndarray) -> float:
    from scipy.special import gammaln

    logarithm = gammaln(counts.sum() + 1) - gammaln(counts + 1).sum()
    return float(np.round(np.exp(logarithm))) if logarithm < 34 else float(np.exp(min(logarithm, 700)))


def _coefficients(cells: np.ndarray, dates: np.ndarray, size: float, inverse: np.ndarray) -> np.ndarray:
    """Return the coefficient of each row of ``dates`` (draws by units) by the theorem of Frisch, Waugh and Lovell.

    ``cells`` holds the tail sums of the demeaned outcome, then of the demeaned controls. The number of units of each
    date is the same in every draw, and with it the sum of squares of the demeaned treatment, ``size``.
    """
    products = cells[np.arange(cells.shape[0]), dates].sum(axis=1)
    with_outcome, with_controls = products[:, 0], products[:, 1:]
    return with_outcome / (size - np.einsum("di,ij,dj->d", with_controls, inverse, with_controls))


def placebo_test(
    data: pd.DataFrame,
    y: str,
    treatment: str | pd.Series,
    controls: str | Iterable[str] = (),
    *,
    draws: int = 500,
    seed: int = 0,
) -> PlaceboTest:
    r"""Test an effect by dealing out the treatment dates at random among the units (安慰剂检验).

    Each draw permutes the units' first treated periods, so that cohorts keep their sizes, and estimates
    :math:`\beta^*` of :func:`twoway_did`:

    .. math:: p = \frac{1 + \#\{|\beta^*| \ge |\beta|\}}{1 + \text{draws}}

    Under the hypothesis that treatment changed no unit's outcome and that any unit was as likely as another to be
    treated at any of the dates, the test is exact however few the units. It does not hold if treated units were chosen
    for what the outcome would have been anyway.

    Parameters
    ----------
    data : DataFrame
        Indexed by (unit, time), balanced; ``y`` and ``controls`` complete.
    y : str
    treatment : str or Series
        As in :func:`first_treated`.
    controls : str or iterable of str
        Stay with their units.
    draws, seed : int
        Units are sorted before dates are dealt out, so the draws do not depend on the order of rows.

    Returns
    -------
    PlaceboTest

    Raises
    ------
    InvalidInputError
        As :func:`first_treated`; for missing values, a panel that is not balanced or no draws.
    UnknownNameError
        For a name that is not a column.

    References
    ----------
    Fisher, R. A. (1935). The Design of Experiments. Oliver and Boyd. Phipson, B. and Smyth, G. K. (2010). Statistical
    Applications in Genetics and Molecular Biology 9, 39 (the one added to both sides).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> index = pd.MultiIndex.from_product([range(6), [2014, 2015, 2016]], names=["city", "year"])
    >>> data = pd.DataFrame({"output": np.arange(18.0) % 5}, index=index)
    >>> test = placebo_test(data, "output", pd.Series({0: 2015, 3: 2016}), draws=99)
    >>> test.assignments, 0.01 <= test.p_value <= 1
    (30.0, True)
    """
    draws = check_whole("draws", draws, least=1)
    random = generator(seed)
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    reserve(names, [TREATED])
    n, _ = check_balanced(frame)
    first, index = first_treated(data, treatment), panel_index(frame)
    layout, periods = make_layout(index, "twoway"), index.unique(1).sort_values().to_numpy(float)
    raw = np.column_stack([frame[[y, *names]].to_numpy(), treated_now(index, first)])
    left = layout.within(raw)
    # The treatment last: it stands first where both are at fault, since controls stay with their units.
    tell_apart(raw[:, 1:], left[:, 1:], [*names, TREATED])
    outcome, x, treated = left[:, 0], left[:, 1:-1], left[:, -1]
    inverse = np.linalg.inv(x.T @ x)
    outcome = outcome - x @ (inverse @ (x.T @ outcome))
    dates, which, counts = np.unique(first, return_inverse=True, return_counts=True)
    cells, size = _tail_sums(np.column_stack([outcome, x]), n, periods, dates), float(treated @ treated)
    drawn = [_coefficients(cells, dealt, size, inverse) for dealt in shuffled(which, draws, random)]
    estimate = float(_coefficients(cells, which[None], size, inverse)[0])
    distribution = pd.Series(np.concatenate(drawn), name="coefficient").rename_axis("draw")
    assignments, treated_units = _number_of_assignments(counts), int(np.isfinite(first).sum())
    note = coarse_note(assignments, f"{treated_units} treated of {n} units")
    return PlaceboTest(
        estimate=estimate,
        distribution=distribution,
        p_value=exceedance_p(estimate, distribution.to_numpy(), "two-sided"),
        assignments=assignments,
        nobs=len(frame),
        n_units=n,
        n_periods=len(periods),
        treated_units=treated_units,
        draws=draws,
        seed=check_whole("seed", seed),
        notes=(note,) if note else (),
    )

"""Placebo test (安慰剂检验): the estimate against those of treatment dates dealt out at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_balanced, check_panel
from clusterlib.did._timing import first_treated
from clusterlib.did._within import check_rank, demean, effects_of
from clusterlib.errors import InvalidInputError

CHUNK = 1_000_000


@dataclass(frozen=True)
class PlaceboTest:
    """A two-way fixed-effects estimate against its distribution under random treatment dates.

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
    observations, units, treated_units, draws, seed : int
    """

    estimate: float
    distribution: pd.Series
    p_value: float
    assignments: float
    observations: int
    units: int
    treated_units: int
    draws: int
    seed: int

    def summary(self) -> pd.DataFrame:
        """Return the estimate, the p value and what the draws look like."""
        quantiles = self.distribution.quantile([0.025, 0.975]).to_numpy()
        return pd.DataFrame(
            {
                "value": {
                    "estimate": self.estimate,
                    "p_value": self.p_value,
                    "mean of draws": self.distribution.mean(),
                    "standard deviation of draws": self.distribution.std(),
                    "2.5 % of draws": quantiles[0],
                    "97.5 % of draws": quantiles[1],
                }
            }
        ).rename_axis("item")


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
    if draws < 1:
        raise InvalidInputError(f"draws={draws}: expected at least one")
    names = as_names(controls)
    frame = check_panel(data, [y, *names])
    n, _ = check_balanced(frame)
    first = first_treated(data, treatment).to_numpy()
    periods = frame.index.unique(1).sort_values().to_numpy(float)
    effects = effects_of(data, frame.index)
    residual = _partialled(frame, y, names, effects)
    dates, which, counts = np.unique(first, return_inverse=True, return_counts=True)
    cells = _tail_sums(residual[0], n, periods, dates)
    treated = (frame.index.get_level_values(1).to_numpy() >= np.repeat(first, len(periods))).astype(float)
    size = float((demean(treated[:, None], effects) ** 2).sum())
    random, simulated = np.random.default_rng(seed), []
    for start in range(0, draws, step := max(1, CHUNK // n)):
        dealt = random.permuted(np.tile(which, (min(step, draws - start), 1)), axis=1)
        simulated.append(_coefficients(cells, dealt, size, residual[1]))
    estimate = float(_coefficients(cells, which[None], size, residual[1])[0])
    distribution = pd.Series(np.concatenate(simulated), name="coefficient").rename_axis("draw")
    # A draw that deals out the actual dates can differ from the estimate in the last bit.
    exceeding = int((distribution.abs() >= abs(estimate) * (1 - 1e-9)).sum())
    return PlaceboTest(
        estimate=estimate,
        distribution=distribution,
        p_value=(1 + exceeding) / (1 + draws),
        assignments=_number_of_assignments(counts),
        observations=len(frame),
        units=n,
        treated_units=int(np.isfinite(first).sum()),
        draws=draws,
        seed=seed,
    )


def _partialled(frame: pd.DataFrame, y: str, names: list[str], effects) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcome without effects and controls beside the controls without effects, and their inverse."""
    demeaned = demean(frame[[y, *names]].to_numpy(), effects)
    x = demeaned[:, 1:]
    if not names:
        return demeaned, np.zeros((0, 0))
    check_rank(x, frame[names])
    inverse = np.linalg.inv(x.T @ x)
    return np.column_stack([demeaned[:, 0] - x @ (inverse @ (x.T @ demeaned[:, 0])), x]), inverse

"""Data dormancy (数据沉睡): infrastructure and use that yield less than they would at the frontier."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_panel
from clusterlib.diagnosis._severity import Severity


def data_dormancy(
    panel: pd.DataFrame,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    returns: str = "non-increasing",
    draws: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> Severity:
    r"""Data dormancy as the shortfall from the frontier of each year (数据沉睡度).

    .. math:: S_{it} = 100 \, (1 - \hat\theta^{c}_{it})

    with :math:`\hat\theta^c` the output efficiency of data envelopment, corrected for bias by the bootstrap of Simar
    and Wilson: the part of the output that the same infrastructure and use would yield at the frontier and does not.
    Returns are non-increasing: a small unit could be a large one scaled down, a large one need not be a small one
    scaled up. Drivers are the outputs' shares in the relative shortfall from the target, slacks included.

    The correction makes even the units that span the frontier short of it: a severity or a lower bound above nil is
    therefore no evidence by itself; what the best unit gets is the mark to hold others against.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year), complete in these columns; each year has a frontier of its own, so that changes over
        time are changes relative to the best of the year.
    inputs, outputs : iterable of str
        Amounts, not ratios.
    returns : str
        As in :func:`clusterlib.efficiency.data_envelopment`.
    draws, seed : int
        Of the bootstrap, independent between years; with none efficiency is not corrected and there are no bounds.
    level : float
        Of the intervals.

    Returns
    -------
    Severity

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.efficiency.data_envelopment`.

    References
    ----------
    Simar, L. and Wilson, P. W. (1998). Sensitivity analysis of efficiency scores. Management Science 44, 49-61.
    """
    from clusterlib.efficiency import data_envelopment

    inputs, outputs = as_names(inputs), as_names(outputs)
    data = check_panel(panel, [*inputs, *outputs])
    # By label, since the level may have no name.
    years = pd.Series(data.index.get_level_values(1), data.index)
    result = data_envelopment(
        data[inputs],
        data[outputs],
        returns=returns,
        orientation="output",
        groups=years,
        bootstrap=draws,
        seed=seed,
        level=level,
    )
    efficiency, simulated = result.table["efficiency"], None
    scores = pd.DataFrame({"severity": efficiency}).assign(lower=np.nan, upper=np.nan)
    if result.simulated is not None:
        # The bounds of efficiency change places: the less efficient, the more dormant.
        columns = {"corrected": "severity", "upper": "lower", "lower": "upper"}
        scores = result.table[list(columns)].rename(columns=columns)
        drawn = 1 / (2 / efficiency.to_numpy() - result.simulated.to_numpy())
        simulated = 100 * (1 - drawn).clip(0, 1).T
    table = 100 * (1 - scores)
    targets = result.targets[outputs]
    gap = ((targets - data[outputs]) / targets.where(targets > 0, 1.0)).clip(lower=0)
    settings = {"inputs": inputs, "outputs": outputs, "returns": returns, "draws": draws, "seed": seed, "level": level}
    return Severity("data_dormancy", table.clip(0, 100), shares(gap), settings, simulated)


def shares(gap: pd.DataFrame) -> pd.DataFrame:
    """Return each column's share of the row sum in percent, nil where there is no gap."""
    gap = gap.where(gap > 1e-12, 0.0)
    total = gap.sum(axis=1)
    return 100 * gap.div(total.where(total > 0, 1.0), axis=0)


def output_frontier(
    panel: pd.DataFrame, inputs: Iterable[str], outputs: str | Iterable[str], inefficiency: str = "invariant"
):
    r"""Stochastic frontier of one output or several, to set beside data envelopment (随机前沿稳健性检验).

    .. math:: \ln g_{it} = \beta_t + \sum_k \beta_k \ln x_{itk} + \sum_{m<M} \gamma_m \ln (y_{itm} / g_{it})
              + v_{it} - u_{it}

    with :math:`g` the geometric mean of the outputs: an output distance function, linear in logarithms.

    Parameters
    ----------
    panel : DataFrame
        Indexed by (unit, year); positive values.
    inputs, outputs : str or iterable of str
    inefficiency : {"invariant", "independent"}
        As in :func:`clusterlib.efficiency.stochastic_frontier`. What stays with a unit over all years tells
        inefficiency from noise but not from anything else that stays with it; what is drawn anew each year is told from
        noise by its skewness alone.

    Returns
    -------
    clusterlib.efficiency.FrontierResult

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`clusterlib.efficiency.stochastic_frontier`.

    References
    ----------
    Coelli, T. and Perelman, S. (1999). A comparison of parametric and non-parametric distance functions. European
    Journal of Operational Research 117, 326-339.
    """
    from clusterlib.efficiency import stochastic_frontier

    inputs, outputs = as_names(inputs), as_names(outputs)
    data = np.log(check_panel(panel, [*inputs, *outputs]))
    mean = data[outputs].mean(axis=1)
    mix = data[outputs[:-1]].sub(mean, axis=0).add_suffix("_mix")
    years = pd.get_dummies(data.index.get_level_values(1), prefix="year", drop_first=True, dtype=float)
    frame = pd.concat([mean.rename("output"), data[inputs], mix, years.set_axis(data.index)], axis=1)
    return stochastic_frontier(frame, "output", list(frame.columns[1:]), inefficiency=inefficiency)


def frontier_check(
    panel: pd.DataFrame, inputs: Iterable[str], output: str | Iterable[str], inefficiency: str = "invariant"
) -> pd.Series:
    """Efficiency by a stochastic frontier (随机前沿效率), as :func:`output_frontier` estimates it.

    Parameters
    ----------
    panel, inputs, output, inefficiency
        As :func:`output_frontier`.

    Returns
    -------
    Series
        Battese and Coelli's efficiency by (unit, year); all one where residuals are skewed the wrong way.

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`output_frontier`.
    """
    return output_frontier(panel, inputs, output, inefficiency).efficiency["efficiency"].rename("efficiency")

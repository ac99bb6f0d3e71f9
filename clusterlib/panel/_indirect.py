"""Mediation (中介效应): the part of an effect that runs through a third variable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names
from clusterlib.core.within import Layout
from clusterlib.errors import InvalidInputError
from clusterlib.panel._design import make_design
from clusterlib.panel._regression import PanelResult, fixed_effects
from clusterlib.panel._specification import PanelTest, make_test

PARTS = ("total", "direct", "indirect")
_NO_VARIATION = 1e-9


@dataclass(frozen=True)
class MediationResult:
    """The total effect of a variable, its direct part and the part through a mediator.

    Attributes
    ----------
    table : DataFrame
        Rows ``total``, ``direct`` and ``indirect``; columns ``estimate``, ``std_error`` (of the draws), ``p_value``
        (two-sided, from the share of draws beyond zero), ``lower`` and ``upper`` (percentiles), ``bc_lower`` and
        ``bc_upper`` (bias-corrected).
    total, mediator, outcome : PanelResult
        The regressions of y on x, of the mediator on x, and of y on x and the mediator.
    sobel : PanelTest
        Sobel's test of the indirect effect.
    bootstrap : DataFrame
        The three effects, a row a draw.
    settings : dict
        ``draws``, ``discarded`` (in which the variables were collinear), ``seed`` and ``level`` among them.
    """

    table: pd.DataFrame
    total: PanelResult
    mediator: PanelResult
    outcome: PanelResult
    sobel: PanelTest
    bootstrap: pd.DataFrame
    settings: dict

    @property
    def share(self) -> float:
        """The indirect effect over the total one; of no meaning where the two parts have opposite signs."""
        return float(self.table.loc["indirect", "estimate"] / self.table.loc["total", "estimate"])

    @property
    def footer(self) -> dict[str, object]:
        """What stands below the coefficients in a regression table."""
        return self.outcome.footer | {"Bootstrap draws 自助抽样次数": len(self.bootstrap)}

    def summary(self) -> pd.DataFrame:
        """Return the table of effects."""
        return self.table


def _unit_products(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Cross-products by unit of ``values`` and of the columns for what resampling changes.

    Units' means are taken out of every column at once, since drawing a unit does not change them. The period effects
    of a resample are its own: their dummies stay columns, to be taken out in each draw.
    """
    periods = np.eye(len(layout.periods))[layout.time]
    dummies = {
        "none": np.ones((layout.rows, 1)),
        "entity": np.empty((layout.rows, 0)),
        "time": periods,
        "twoway": periods[:, 1:],
    }[layout.effects]
    # The constant or the period dummies take the mean out in any case; without it the products lose fewer digits.
    columns = np.column_stack([values - values.mean(axis=0), dummies])
    if layout.effects in ("entity", "twoway"):
        columns = columns - layout.unit_means(columns)
    starts = np.flatnonzero(np.diff(layout.unit, prepend=-1))
    return np.array([part.T @ part for part in np.split(columns, starts[1:])])


def _effects(products: np.ndarray, variables: int, whole: np.ndarray) -> np.ndarray:
    """Return total, direct and indirect effect for each matrix of cross-products of y, mediator, x, controls, dummies.

    Rows are missing where variables are collinear, or one does not vary as against ``whole``, those of all units.
    """
    own, dummies = slice(0, variables), slice(variables, None)
    cross = products[:, own, dummies]
    inverse = np.linalg.pinv(products[:, dummies, dummies], rcond=1e-10, hermitian=True)
    left = products[:, own, own] - cross @ inverse @ cross.swapaxes(1, 2)
    # What rounding leaves of a variable that does not vary in a draw must not be scaled to one.
    least = _NO_VARIATION * np.sqrt(np.diagonal(whole)[own])
    scale = np.maximum(np.sqrt(np.einsum("dii->di", products[:, own, own])), least)
    left = left / scale[:, :, None] / scale[:, None, :]
    usable = np.linalg.eigvalsh(left[:, 1:, 1:])[:, 0] > 1e-10
    effects = np.full((len(products), 3), np.nan)
    left, scale = left[usable], scale[usable]
    short = np.linalg.solve(left[:, 2:, 2:], left[:, 2:, :2])
    long = np.linalg.solve(left[:, 1:, 1:], left[:, 1:, :1])
    unit_y, unit_x = scale[:, 0], scale[:, 2]
    parts = [short[:, 0, 0], long[:, 1, 0], short[:, 0, 1] * long[:, 0, 0]]
    effects[usable] = np.column_stack(parts) * (unit_y / unit_x)[:, None]
    return effects


def _draw(by_unit: np.ndarray, variables: int, draws: int, seed: int) -> np.ndarray:
    units = len(by_unit)
    counts = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=draws)
    flat = by_unit.reshape(units, -1)
    return _effects((counts @ flat).reshape(draws, *by_unit.shape[1:]), variables, by_unit.sum(axis=0))


def _interval_table(estimates: np.ndarray, sample: np.ndarray, level: float) -> pd.DataFrame:
    from scipy.stats import norm

    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    rows = {}
    for part, estimate, drawn in zip(PARTS, estimates, sample.T, strict=True):
        below, above = (drawn <= 0).sum(), (drawn >= 0).sum()
        # A share of draws of nil or one has no quantile: half a draw is left on either side.
        share = np.clip((drawn < estimate).mean(), 0.5 / len(drawn), 1 - 0.5 / len(drawn))
        corrected = norm.cdf(2 * norm.ppf(share) + norm.ppf(tails))
        rows[part] = [
            estimate,
            drawn.std(ddof=1),
            min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn))),
            *np.quantile(drawn, tails),
            *np.quantile(drawn, corrected),
        ]
    columns = ["estimate", "std_error", "p_value", "lower", "upper", "bc_lower", "bc_upper"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("effect")


def _sobel(first: PanelResult, second: PanelResult, x: str, mediator: str) -> PanelTest:
    a, b = first.params[x], second.params[mediator]
    error = np.hypot(a * second.std_errors[mediator], b * first.std_errors[x])
    null = "no indirect effect 不存在中介效应"
    return make_test("Sobel 索贝尔检验", null, a * b / error, "normal", (), {"cov": first.settings["cov"]})


def mediation(
    data: pd.DataFrame,
    y: str,
    x: str,
    mediator: str,
    controls: str | Iterable[str] = (),
    effects: str = "twoway",
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    cov: str = "cluster",
    small_sample: bool | str = True,
) -> MediationResult:
    r"""Mediation (中介效应) by the product of coefficients, with intervals from a bootstrap of units.

    .. math:: m_{it} = a\, x_{it} + \dots, \quad y_{it} = c'\, x_{it} + b\, m_{it} + \dots,
              \quad y_{it} = c\, x_{it} + \dots, \quad c = c' + ab

    All three regressions have the same controls and effects, so that the identity is exact. A draw takes as many units
    as there are, with replacement and with all their rows; a unit drawn twice is two units with their own effects, and
    the period effects are estimated anew in each draw: every draw is the exact regression on its resample.

    :math:`ab` is a causal effect only if no unobserved variable moves x, mediator and outcome together.

    Parameters
    ----------
    data : DataFrame
        Indexed (unit, time), complete in the columns used.
    y, x, mediator : str
    controls : str or iterable of str
    effects : {"twoway", "entity", "time", "none"}
    draws, seed : int
        Of the bootstrap.
    level : float
        Of the intervals.
    cov : {"cluster", "robust", "classical"}
        Of the regressions and of Sobel's test, as in :func:`fixed_effects`; clusters are units.
    small_sample : bool or str

    Returns
    -------
    MediationResult

    Raises
    ------
    InvalidInputError
        As :func:`fixed_effects`; for fewer than two draws, or if more than a tenth of them are collinear.
    UnknownNameError
        For a name that is no column, or unknown effects.

    References
    ----------
    Baron, R. M. and Kenny, D. A. (1986). Journal of Personality and Social Psychology 51, 1173-1182. Sobel, M. E.
    (1982). Sociological Methodology 13, 290-312. Efron, B. (1982). The Jackknife, the Bootstrap and Other Resampling
    Plans, ch. 10. SIAM.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(3)
    >>> index = pd.MultiIndex.from_product([range(60), range(5)], names=["unit", "year"])
    >>> data = pd.DataFrame(random.normal(size=(300, 3)), columns=["x", "m", "y"], index=index)
    >>> data["m"] += data["x"]
    >>> data["y"] += data["x"] + 0.5 * data["m"]
    >>> effects = mediation(data, "y", "x", "m", draws=200).table["estimate"]
    >>> bool(abs(effects["total"] - effects["direct"] - effects["indirect"]) < 1e-12)
    True
    """
    if isinstance(draws, bool) or not isinstance(draws, (int, np.integer)) or draws < 2:
        raise InvalidInputError(f"draws={draws!r}: expected a whole number of at least two")
    if not 0 < level < 1:
        raise InvalidInputError(f"level={level!r}: expected a number between zero and one")
    controls = as_names(controls)
    layout = make_design(data, y, [mediator, x, *controls], effects).layout
    options = {"effects": effects, "cov": cov, "small_sample": small_sample}
    first = fixed_effects(data, mediator, [x, *controls], **options)
    second = fixed_effects(data, y, [x, mediator, *controls], **options)
    total = fixed_effects(data, y, [x, *controls], **options)

    columns = [y, mediator, x, *controls]
    values = data[columns].astype(float).sort_index().to_numpy()
    by_unit = _unit_products(values, layout)
    sample = _draw(by_unit, len(columns), draws, seed)
    kept = sample[~np.isnan(sample).any(axis=1)]
    if len(kept) < 0.9 * draws:
        raise InvalidInputError(
            f"in {draws - len(kept)} of {draws} draws the variables are collinear: too few units vary in them"
        )
    estimates = np.array([total.params[x], second.params[x], first.params[x] * second.params[mediator]])
    settings = {"y": y, "x": x, "mediator": mediator, "controls": tuple(controls), **options}
    settings |= {"draws": draws, "discarded": draws - len(kept), "seed": seed, "level": level}
    return MediationResult(
        table=_interval_table(estimates, kept, level),
        total=total,
        mediator=first,
        outcome=second,
        sobel=_sobel(first, second, x, mediator),
        bootstrap=pd.DataFrame(kept, columns=list(PARTS)),
        settings=settings,
    )

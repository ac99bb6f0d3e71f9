"""Mediation (中介效应): the part of an effect that runs through a third variable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import as_names, check_level, check_whole
from clusterlib.core.resampling import generator, permutation_p
from clusterlib.core.results import Estimates, Test, coefficient_table
from clusterlib.core.within import NOTHING_LEFT, Layout
from clusterlib.errors import InvalidInputError
from clusterlib.panel._regression import PanelResult, fixed_effects, make_design

PARTS = ("total", "direct", "indirect")


@dataclass(frozen=True, eq=False, kw_only=True)
class MediationResult(Estimates):
    """Mediation (中介效应): the total effect, its direct part and the part through the mediator.

    Attributes
    ----------
    table : DataFrame
        Rows ``total``, ``direct`` and ``indirect``; columns ``estimate``, ``std_error`` (of the draws), ``statistic``,
        ``p_value`` (two-sided, from the share of draws beyond zero), ``lower`` and ``upper`` (percentiles),
        ``bc_lower`` and ``bc_upper`` (bias-corrected).
    covariance : DataFrame
        Of the draws.
    total, mediator, outcome : PanelResult
        The regressions of y on x, of the mediator on x, and of y on x and the mediator.
    sobel : Test
        Sobel's test of the indirect effect.
    bootstrap : DataFrame
        The three effects, a row a draw.
    settings : dict
        ``draws``, ``discarded`` (in which the variables were collinear), ``seed`` and ``level`` among them.
    """

    total: PanelResult = field(repr=False)
    mediator: PanelResult = field(repr=False)
    outcome: PanelResult = field(repr=False)
    sobel: Test
    bootstrap: pd.DataFrame = field(repr=False)

    @property
    def share(self) -> float:
        """The indirect effect over the total one; of no meaning where the two parts have opposite signs."""
        return float(self.params["indirect"] / self.params["total"])

    @property
    def tests(self) -> Mapping[str, Test]:
        """Sobel's test."""
        return {"sobel": self.sobel}

    def _own_footer(self) -> dict[str, object]:
        return {**self.outcome._own_footer(), "Bootstrap draws 自助抽样次数": len(self.bootstrap)}

    def _table(self, level: float) -> pd.DataFrame:
        from scipy.stats import norm

        table = coefficient_table(self.params, self.std_errors, level=level)
        drawn, draws = self.bootstrap.to_numpy(), len(self.bootstrap)
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        # A share of draws of nil or one has no quantile: half a draw is left on either side.
        share = np.clip((drawn < self.params.to_numpy()).mean(axis=0), 0.5 / draws, 1 - 0.5 / draws)
        corrected = norm.cdf(2 * norm.ppf(share)[:, None] + norm.ppf(tails))
        table["p_value"] = permutation_p((drawn >= 0).sum(axis=0), (drawn <= 0).sum(axis=0), draws)
        table["lower"], table["upper"] = np.quantile(drawn, tails, axis=0)
        table[["bc_lower", "bc_upper"]] = [np.quantile(d, c) for d, c in zip(drawn.T, corrected, strict=True)]
        return table


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
    least = NOTHING_LEFT * np.sqrt(np.diagonal(whole)[own])
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
    counts = generator(seed).multinomial(units, np.full(units, 1 / units), size=draws)
    flat = by_unit.reshape(units, -1)
    return _effects((counts @ flat).reshape(draws, *by_unit.shape[1:]), variables, by_unit.sum(axis=0))


def _sobel(first: PanelResult, second: PanelResult, x: str, mediator: str) -> Test:
    a, b = first.params[x], second.params[mediator]
    error = np.hypot(a * second.std_errors[mediator], b * first.std_errors[x])
    null = "no indirect effect 不存在中介效应"
    return Test.of("Sobel 索贝尔检验", null, a * b / error, "normal", settings={"cov": first.settings["cov"]})


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
    draws, level, controls = check_whole("draws", draws, least=2), check_level(level), as_names(controls, "controls")
    design = make_design(data, y, [mediator, x, *controls], effects)
    options = {"effects": effects, "cov": cov, "small_sample": small_sample}
    first = fixed_effects(data, mediator, [x, *controls], **options)
    second = fixed_effects(data, y, [x, mediator, *controls], **options)
    total = fixed_effects(data, y, [x, *controls], **options)

    sample = _draw(_unit_products(design.raw, design.layout), design.raw.shape[1], draws, seed)
    kept = sample[~np.isnan(sample).any(axis=1)]
    if len(kept) < 0.9 * draws:
        raise InvalidInputError(
            f"in {draws - len(kept)} of {draws} draws the variables are collinear: too few units vary in them"
        )
    parts = pd.Index(PARTS, name="effect")
    settings = {"y": y, "x": x, "mediator": mediator, "controls": tuple(controls), **options}
    settings |= {"draws": draws, "discarded": draws - len(kept), "seed": seed, "level": level}
    return MediationResult(
        params=pd.Series(
            [total.params[x], second.params[x], first.params[x] * second.params[mediator]], parts, name="estimate"
        ),
        covariance=pd.DataFrame(np.cov(kept, rowvar=False), parts, parts),
        nobs=second.nobs,
        n_units=second.n_units,
        n_periods=second.n_periods,
        df_resid=second.df_resid,
        level=level,
        settings=settings,
        total=total,
        mediator=first,
        outcome=second,
        sobel=_sobel(first, second, x, mediator),
        bootstrap=pd.DataFrame(kept, columns=list(PARTS)),
    )

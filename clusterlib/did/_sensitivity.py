"""What an event study shows if trends are not parallel: bounds of effects (稳健边界) and power of the test before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from clusterlib.core.checks import check_choice, check_level, check_number, check_whole, listed
from clusterlib.core.power import expand_root
from clusterlib.core.results import NORMAL, Result
from clusterlib.did._staggered import StaggeredDiD
from clusterlib.did._twoway import REFERENCE, EventStudy
from clusterlib.errors import InvalidInputError

RELATIVE = (0.0, 0.5, 1.0, 1.5, 2.0)
SHARES = (0.0, 0.1, 0.25, 0.5)
KINDS = ("relative_magnitudes", "smoothness")


@dataclass(frozen=True, eq=False)
class _Path:
    """Estimates around a reference period at which they are nil, before it and after it, in order of time."""

    before: np.ndarray
    after: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    times: list[int]
    df: float

    @property
    def estimates(self) -> np.ndarray:
        return np.append(self.before, self.after)

    @property
    def reach(self) -> np.ndarray:
        """How much a change between two periods after the reference moves the target, by change."""
        return np.cumsum(self.weights[::-1])[::-1]

    @property
    def differences(self) -> np.ndarray:
        """Make changes between periods, the last one to the reference, of estimates before it."""
        return np.eye(len(self.before), k=1) - np.eye(len(self.before))

    def quantile(self, level: float) -> float:
        from scipy.stats import norm, t

        return float(norm.ppf(level) if self.df == NORMAL else t.ppf(level, self.df))

    def std_error(self, weights: np.ndarray) -> float:
        return float(np.sqrt(weights @ self.covariance @ weights))


def _path(study: EventStudy | StaggeredDiD, first: int | None, last: int | None, target: int | None) -> _Path:
    if isinstance(study, EventStudy):
        estimates, reference = study.params, REFERENCE
        df = NORMAL if study.df_inference is None else float(study.df_inference)
    elif isinstance(study, StaggeredDiD):
        if study.base_period != "universal":
            raise InvalidInputError(
                "effects before treatment are changes of one period: use staggered_did(..., base_period='universal'), "
                "so that all are relative to one period"
            )
        estimates, reference = study.event_study["estimate"], -1 - study.anticipation
        df = NORMAL if study.clusters == study.n_units else float(study.clusters - 1)
    else:
        raise InvalidInputError(f"expected the result of event_study or staggered_did, got a {type(study).__name__}")
    covariance = study.covariance
    low = estimates.index[0] if first is None else check_whole("first", first, least=-999)
    high = estimates.index[-1] if last is None else check_whole("last", last)
    estimates = estimates[(estimates.index >= low) & (estimates.index <= high)]
    times = [int(e) for e in estimates.index]
    if (np.diff(times) != 1).any():
        raise InvalidInputError(
            f"event times {listed(times)} are not consecutive: choose first and last so that they are"
        )
    before, after = [e for e in times if e < reference], [e for e in times if e > reference]
    treated = [e for e in after if e >= 0]
    if not before or not treated or reference not in times:
        raise InvalidInputError(
            f"expected event times before and after the reference period {reference}, got {listed(times) or 'none'}"
        )
    if target is not None and check_whole("target", target) not in treated:
        raise InvalidInputError(f"target={target!r}: expected an event time from {treated[0]} to {treated[-1]}")
    chosen = treated if target is None else [target]
    kept = before + after
    V = covariance.loc[kept, kept].to_numpy(float)
    spread = np.sqrt(np.diag(V))
    if not (spread > 0).all() or np.linalg.eigvalsh(V / np.outer(spread, spread))[0] < 1e-10:
        raise InvalidInputError(
            f"the covariance of {len(kept)} effects is singular: choose fewer event times by first and last, or more "
            "clusters"
        )
    return _Path(
        estimates[before].to_numpy(float),
        estimates[after].to_numpy(float),
        V,
        np.isin(after, chosen) / len(chosen),
        kept,
        df,
    )


def _numbers(name: str, values: Iterable[float], least: float = 0.0) -> list[float]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InvalidInputError(f"{name}={values!r}: expected numbers, as in [0.5, 1]")
    return [check_number(name, value, least=least) for value in values]


@dataclass(frozen=True, eq=False, kw_only=True)
class HonestBounds(Result):
    """Bounds of an effect under trends that are not parallel after Rambachan and Roth (平行趋势敏感性边界).

    Attributes
    ----------
    table : DataFrame
        By ``bound``: ``set_lower`` and ``set_upper``, what the estimates leave possible were they exact, missing where
        they rule the bound out; ``lower`` and ``upper``, the confidence interval of the effect.
    breakdown : float
        The smallest bound at which the interval holds zero.
    estimate, std_error : float
        Under parallel trends.
    kind, target : str
    level : float
    settings : dict
    """

    table: pd.DataFrame
    breakdown: float
    estimate: float
    std_error: float
    kind: str
    target: str
    level: float
    settings: dict = field(repr=False)


def honest_bounds(
    study: EventStudy | StaggeredDiD,
    kind: str = "relative_magnitudes",
    bounds: Iterable[float] | None = None,
    *,
    target: int | None = None,
    first: int | None = None,
    last: int | None = None,
    level: float = 0.95,
) -> HonestBounds:
    r"""Bounds of an effect if trends are not parallel, by how far from it they may be (平行趋势敏感性分析).

    The estimates are :math:`\beta = \tau + \delta` with :math:`\tau = 0` before treatment, :math:`\delta` the
    difference in trends and :math:`\delta = 0` in the reference period. Relative magnitudes: between periods after it,
    the difference changes by at most :math:`\bar M` times its largest change before. Smoothness: its change differs
    from the one before by at most M in all periods; M = 0 is a linear trend, which is taken out.

    .. math:: \Delta^{RM} = \{|\delta_{t+1} - \delta_t| \le \bar M \max_{s < 0} |\delta_{s+1} - \delta_s|\}, \quad
              \Delta^{SD} = \{|\delta_{t+1} - 2 \delta_t + \delta_{t-1}| \le M\}

    With the target :math:`\theta = l'\tau` and :math:`L_t = \sum_{k \ge t} l_k`, the effects possible are
    :math:`l'\beta \pm \bar M \sum_t L_t \max_s |\beta_{s+1} - \beta_s|`, or
    :math:`l'\beta - \sum_t L_t (d \mp (t + 1) M)` with d the last change before.

    The interval for smoothness is Rambachan and Roth's optimal one of fixed length. For relative magnitudes its upper
    end is :math:`\max_{s, \pm} (a_{s\pm}'\beta + q\, \sigma(a_{s\pm}))` over the linear forms whose maximum the upper
    bound is, and so for the lower: an effect beyond it is rejected only if every form rejects it, each at half of one
    less ``level`` (an intersection-union test). It holds for any trend that the bound allows, the error of the changes
    before treatment included, and may be wider than their conditional one.

    Parameters
    ----------
    study : EventStudy or StaggeredDiD
        The latter with ``base_period="universal"``; its analytic covariance is used. Its cohorts differ from one event
        time to another, which changes in composition can bend.
    kind : {"relative_magnitudes", "smoothness"}
    bounds : iterable of float, optional
        :math:`\bar M`, by default 0 to 2; or M in units of the outcome, by default shares of the standard error.
    target : int, optional
        An event time; by default the mean of all from 0 on.
    first, last : int, optional
        The event times that are used, by default all. Leave out end bins of an :class:`EventStudy` that hold several
        periods.
    level : float

    Returns
    -------
    HonestBounds

    Raises
    ------
    InvalidInputError
        For another result or base, event times that are not consecutive or not on both sides of the reference, a
        negative bound, or a covariance that is singular.
    UnknownNameError
        For another kind.

    References
    ----------
    Rambachan, A. and Roth, J. (2023). A more credible approach to parallel trends. Review of Economic Studies 90,
    2555-2591, sections 2.3 and 4.1, lemma 2.1. Berger, R. L. (1982). Multiparameter hypothesis testing and acceptance
    sampling. Technometrics 24, 295-300 (intersection-union tests).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.did import event_study
    >>> index = pd.MultiIndex.from_product([range(40), range(2010, 2016)], names=["city", "year"])
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"output": random.normal(size=240)}, index=index)
    >>> data["output"] += 2.0 * ((index.get_level_values(0) < 20) & (index.get_level_values(1) >= 2013))
    >>> study = event_study(data, "output", pd.Series(2013, index=range(20)), leads=3, lags=2)
    >>> found = honest_bounds(study, bounds=[0, 1])
    >>> bool(found.breakdown > 0.1), bool((found.table["lower"] <= found.table["set_lower"]).all())
    (True, True)
    """
    check_choice("kind", kind, KINDS)
    check_level(level)
    path = _path(study, first, last, target)
    error = path.std_error(np.append(np.zeros(len(path.before)), path.weights))
    relative = kind == "relative_magnitudes"
    if bounds is None:
        bounds = RELATIVE if relative else [share * error for share in SHARES]
    sizes = _numbers("bounds", bounds)
    if not sizes:
        raise InvalidInputError("bounds: expected at least one number")
    sets, interval = (_relative_set, _relative_interval) if relative else (_smooth_set, _smooth_interval)
    rows = [[*sets(path, size), *interval(path, size, level)] for size in sizes]

    def beyond(size: float) -> float:
        """Return how far the interval is from zero, negative if it holds it."""
        lower, upper = interval(path, size, level)
        return max(lower, -upper)

    return HonestBounds(
        table=pd.DataFrame(rows, pd.Index(sizes, name="bound"), columns=["set_lower", "set_upper", "lower", "upper"]),
        breakdown=0.0 if beyond(0.0) <= 0 else expand_root(beyond, 0.0, 1.0 if relative else error),
        estimate=float(path.weights @ path.after),
        std_error=error,
        kind=kind,
        target="mean after treatment" if target is None else f"event time {target}",
        level=level,
        settings={"first": min(path.times), "last": max(path.times)},
    )


def _relative_set(path: _Path, size: float) -> tuple[float, float]:
    middle = path.weights @ path.after
    reach = size * path.reach.sum() * np.abs(path.differences @ path.before).max()
    return float(middle - reach), float(middle + reach)


def _relative_interval(path: _Path, size: float, level: float) -> tuple[float, float]:
    """Return the ends over all forms; those of both signs of each change serve both bounds."""
    moved = size * path.reach.sum() * np.vstack([path.differences, -path.differences])
    forms = np.column_stack([moved, np.tile(path.weights, (len(moved), 1))])
    at = forms @ path.estimates
    margin = path.quantile((1 + level) / 2) * np.sqrt(np.einsum("ij,jk,ik->i", forms, path.covariance, forms))
    return float((at - margin).min()), float((at + margin).max())


def _smooth_set(path: _Path, size: float) -> tuple[float, float]:
    changes = path.differences @ path.before
    slack = 1e-9 * np.abs(changes).max()
    if (np.abs(np.diff(changes)) > size + slack).any():
        return np.nan, np.nan
    middle = path.weights @ path.after - path.reach.sum() * changes[-1]
    reach = size * path.reach @ np.arange(1, len(path.after) + 1)
    return float(middle - reach), float(middle + reach)


def _smooth_interval(path: _Path, size: float, level: float) -> tuple[float, float]:
    """Return the shortest interval of fixed length around a linear form of the estimates (their equations 16 to 18).

    The form subtracts a mean of changes before the reference, so that a linear trend drops out. With u the sums of its
    weights up to each change, the worst bias is ``size`` times a constant and their absolute sum; its half-length, a
    quantile of a folded normal or t distribution, is convex in u.
    """
    from scipy.optimize import minimize
    from scipy.stats import ncf, ncx2

    free, target = len(path.before) - 1, path.reach.sum()
    bias = path.reach @ np.arange(1, len(path.after) + 1) - target
    scale = path.covariance.max() ** 0.5
    covariance, size = path.covariance / scale**2, size / scale
    twice = np.linalg.matrix_power(np.eye(free + 1) - np.eye(free + 1, k=-1), 2)

    def form(x: np.ndarray) -> np.ndarray:
        return np.append(twice @ np.append(x[:free] - x[free:], target), path.weights)

    def half_length(x: np.ndarray) -> float:
        weights = form(x)
        error = np.sqrt(weights @ covariance @ weights)
        ratio = (size * (bias + x.sum() + target) / error) ** 2
        square = ncx2.ppf(level, 1, ratio) if path.df == NORMAL else ncf.ppf(level, 1, path.df, ratio)
        return float(np.sqrt(square) * error)

    x = np.zeros(2 * free)
    if free:
        options = {"ftol": 1e-14, "maxiter": 1000}
        x = minimize(half_length, x + target / 2, method="SLSQP", bounds=[(0, None)] * (2 * free), options=options).x
    middle, reach = form(x) @ path.estimates, scale * half_length(x)
    return float(middle - reach), float(middle + reach)


@dataclass(frozen=True, eq=False, kw_only=True)
class PretrendPower(Result):
    """Power of tests before treatment against a linear trend after Roth (平行趋势检验的功效).

    Attributes
    ----------
    table : DataFrame
        A row a trend: ``slope`` per period, ``joint`` and ``any``, the probabilities that the joint test rejects and
        that any single estimate is significant, and ``bias``, what the trend adds to the mean effect after treatment.
    estimate : float
        That mean effect, to compare with the bias.
    alpha : float
    settings : dict
    """

    table: pd.DataFrame
    estimate: float
    alpha: float
    settings: dict = field(repr=False)


def pretrend_power(
    study: EventStudy | StaggeredDiD,
    slopes: Iterable[float] = (),
    *,
    power: Iterable[float] = (0.5, 0.8),
    first: int | None = None,
    last: int | None = None,
    alpha: float = 0.05,
) -> PretrendPower:
    r"""Trends that the test before treatment would have seen, and what they would do (平行趋势检验的功效).

    If treated units are on another linear trend, the estimates are normal around :math:`\delta_e = c\,(e - r)`, r the
    reference period, with covariance V. The joint test rejects with

    .. math:: \Pr\big(F_{q, \nu}(\delta' V^{-1} \delta) > F_{q, \nu, 1 - \alpha}\big), \quad
              \Pr(\text{any}) = 1 - \Pr\big(|\beta_e| \le t_{\nu, 1 - \alpha / 2} \sqrt{V_{ee}} \ \forall e < r\big)

    (chi-squared and normal for :func:`staggered_did` with each unit a cluster). A test that does not reject says little
    of trends whose power is low: compare their bias with the estimate.

    Parameters
    ----------
    study, first, last
        As of :func:`honest_bounds`.
    slopes : iterable of float
        Per period, whose power is wanted.
    power : iterable of float
        The slopes at which each of both has these probabilities are found.
    alpha : float
        Significance level of both tests.

    Returns
    -------
    PretrendPower

    Raises
    ------
    InvalidInputError
        As :func:`honest_bounds`, and for a power that is not above ``alpha``, or below the chance of ``any`` without a
        trend.

    References
    ----------
    Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. American Economic
    Review: Insights 4, 305-322, section II.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from clusterlib.did import event_study
    >>> index = pd.MultiIndex.from_product([range(40), range(2010, 2016)], names=["city", "year"])
    >>> data = pd.DataFrame({"output": np.random.default_rng(0).normal(size=240)}, index=index)
    >>> study = event_study(data, "output", pd.Series(2013, index=range(20)), leads=3, lags=2)
    >>> found = pretrend_power(study, power=[0.8])
    >>> found.table["joint"].round(3).tolist()[0]
    0.8
    """
    check_level(alpha, "alpha")
    path = _path(study, first, last, None)
    q = len(path.before)
    V, spread = path.covariance[:q, :q], np.sqrt(np.diag(path.covariance)[:q])
    direction = np.arange(-q, 0.0)
    after = np.array(path.times[q:], dtype=float) - (path.times[q - 1] + 1)
    noncentrality, bound = float(direction @ np.linalg.solve(V, direction)), path.quantile(1 - alpha / 2)

    def joint(slope: float) -> float:
        from scipy.stats import chi2, f, ncf, ncx2

        if path.df == NORMAL:
            return float(ncx2.sf(chi2.isf(alpha, q), q, slope**2 * noncentrality))
        # At nil itself scipy's tail is one too small.
        return float(ncf.sf(f.isf(alpha, q, path.df), q, path.df, max(slope**2 * noncentrality, 1e-12)))

    def some(slope: float) -> float:
        from scipy.stats import multivariate_normal, norm

        at, correlation = slope * direction / spread, V / np.outer(spread, spread)
        if q == 1:
            return float(norm.sf(bound - at[0]) + norm.cdf(-bound - at[0]))
        # The seed makes the integral, exact to five digits or so, the same each time.
        law = multivariate_normal(cov=correlation, seed=0)  # type: ignore[arg-type]
        inside = law.cdf(bound - at, lower_limit=-bound - at)
        return float(1 - inside)

    rows = {f"slope {slope:g}": slope for slope in _numbers("slopes", slopes, -np.inf)}
    for share in _numbers("power", power):
        check_level(share, "power")
        for name, found in (("joint", joint), ("any", some)):
            start = 1e-6 / noncentrality**0.5
            if found(start) >= share:
                raise InvalidInputError(f"power={share:g}: without any trend the {name} test rejects as often")
            rows[f"{name} {share:.0%}"] = expand_root(_less(found, share), start, 1 / noncentrality**0.5)
    table = pd.DataFrame({"slope": rows}, dtype=float)
    table["joint"], table["any"] = table["slope"].map(joint), table["slope"].map(some)
    table["bias"] = table["slope"] * float(path.weights @ after)
    return PretrendPower(
        table=table.rename_axis("trend"),
        estimate=float(path.weights @ path.after),
        alpha=alpha,
        settings={"first": min(path.times), "last": max(path.times)},
    )


def _less(found: Callable[[float], float], share: float) -> Callable[[float], float]:
    return lambda slope: share - found(slope)

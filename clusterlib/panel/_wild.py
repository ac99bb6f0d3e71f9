"""The wild cluster bootstrap (野聚类自助法) of fixed-effects regressions, for errors in few clusters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from clusterlib.core.checks import as_names, check_choice, check_level, check_number, check_whole
from clusterlib.core.covariance import cluster_codes, effect_codes
from clusterlib.core.resampling import WILD_WEIGHTS, wild_cluster_test
from clusterlib.core.results import Result, coefficient_table
from clusterlib.errors import InvalidInputError
from clusterlib.panel._regression import check_errors, fixed_effects, make_design


@dataclass(frozen=True, eq=False, kw_only=True)
class WildBootstrap(Result):
    """Wild cluster bootstrap of a fixed-effects regression (野聚类自助法).

    Attributes
    ----------
    table : DataFrame
        By variable: ``estimate``, ``std_error`` (clustered), ``statistic`` (t of ``null``), and by the bootstrap
        ``p_value``, ``lower``, ``upper``.
    null : float
    weights : str
    clusters, draws, seed : int
        ``draws`` is the number used: all there are where those asked for reach it.
    level : float
    settings : dict
    notes : tuple of str
        How coarse the p values are where there are few clusters.
    """

    table: pd.DataFrame
    null: float
    weights: str
    clusters: int
    draws: int
    seed: int
    level: float
    settings: dict = field(repr=False)
    notes: tuple[str, ...] = ()  # type: ignore[misc]


def wild_cluster_bootstrap(
    data: pd.DataFrame,
    y: str,
    x: str | Iterable[str],
    effects: str = "twoway",
    *,
    cluster: str | pd.Series,
    variables: str | Iterable[str] | None = None,
    null: float = 0.0,
    weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 0,
    level: float = 0.95,
) -> WildBootstrap:
    r"""Test coefficients of a fixed-effects regression where clusters are few (野聚类自助法), such as 31 provinces.

    Clustered errors are too small with few clusters, more so with clusters of unlike sizes. With
    :math:`\tilde\beta, \tilde e` of the regression in which the coefficient is :math:`\beta_0`,

    .. math:: y^*_{it} = x_{it}'\tilde\beta + \tilde\alpha_i + \tilde\gamma_t + v_{g(i)} \tilde e_{it}, \quad
              p = \Pr\big(|t^*| > |t|\big)

    with :math:`v_g = \pm 1` (Rademacher), or one of :math:`\pm\sqrt{1/2}, \pm 1, \pm\sqrt{3/2}` (Webb, for fewer than
    about 10 clusters), and clustered t statistics. The interval holds the :math:`\beta_0` that the test does not
    reject. By the package diff-diff.

    Parameters
    ----------
    data, y, x, effects
        As of :func:`fixed_effects`.
    cluster : {"entity", "time"}, str or Series
        A column, or labels by unit or by row.
    variables : str or iterable of str, optional
        Those of ``x`` whose coefficients are tested, by default all.
    null : float
        :math:`\beta_0` of the p values.
    weights : {"rademacher", "webb"}
    draws, seed : int
        Rademacher's sign vectors are all taken where there are no more than ``draws``.
    level : float
        Of the intervals, unbounded where the clusters are too few for it.

    Returns
    -------
    WildBootstrap

    Raises
    ------
    InvalidInputError, UnknownNameError
        As :func:`fixed_effects`, and for a variable that is not among ``x``.

    References
    ----------
    Cameron, A. C., Gelbach, J. B. and Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. Review of Economics and Statistics 90, 414-427, appendix B. Webb, M. D. (2023). Reworking wild
    bootstrap-based inference for clustered errors. Canadian Journal of Economics 56, 839-858. MacKinnon, J. G.,
    Nielsen, M. O. and Webb, M. D. (2023). Cluster-robust inference: a guide to empirical practice. Journal of
    Econometrics 232, 272-299, section 5.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(0)
    >>> index = pd.MultiIndex.from_product([range(24), range(5)], names=["unit", "year"])
    >>> data = pd.DataFrame(random.normal(size=(120, 2)), index=index, columns=["x", "y"])
    >>> province = pd.Series([unit % 8 for unit in range(24)])
    >>> result = wild_cluster_bootstrap(data, "y", "x", cluster=province)
    >>> result.draws, bool(result.table.loc["x", "p_value"] > 0.05)
    (256, True)
    """
    names, draws, seed = as_names(x, "x"), check_whole("draws", draws, least=9), check_whole("seed", seed)
    check_choice("weights", weights, WILD_WEIGHTS)
    null, level = check_number("null", null), check_level(level)
    design = make_design(data, y, names, effects)
    layout = design.layout
    codes, called = cluster_codes(cluster, layout, data)
    tested = names if variables is None else as_names(variables, "variables")
    if not tested:
        raise InvalidInputError("variables: name at least one of x")
    for name in tested:
        check_choice("variable of x", name, names)
    own = fixed_effects(data, y, names, effects, cluster=pd.Series(codes, layout.index))
    check_errors(own.rss, own.tss)
    table = coefficient_table(own.params - null, own.std_errors, own.df_inference).loc[tested]
    table["estimate"] += null
    X = design.X if effects == "none" else design.raw[:, 1:]
    options = {"null": null, "weights": weights, "draws": draws, "seed": seed, "level": level}
    found = [
        wild_cluster_test(design.raw[:, 0], X, effect_codes(layout), codes, design.names.index(name), **options)
        for name in tested
    ]
    table[["p_value", "lower", "upper"]] = [row[:3] for row in found]
    return WildBootstrap(
        table=table.rename_axis("variable"),
        null=null,
        weights=weights,
        clusters=int(codes.max()) + 1,
        draws=found[0][3],
        seed=seed,
        level=level,
        settings={"y": y, "x": tuple(names), "effects": effects, "cluster": called},
        notes=tuple(filter(None, [found[0][4]])),
    )
